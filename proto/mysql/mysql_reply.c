/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server's packets: enough of each to know when the reply to a command ends, and how it went.
 *
 *	FIRST --columns--> COLUMNS --> [EOF] --> ROWS --> FIRST    more results, next command
 *	      --OK, ERR--> ...          PREPARE: FIRST --> DEFINITIONS
 *
 * Rows are skipped, not seen. A unit is a packet; rows that are here whole are taken together.
 *
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_response_packets.html
 */
#include "mysql/mysql_state.h"

enum {
	SEEN = 32,   /* bytes of a packet that are ever looked at */
	EOF_MAX = 8, /* an EOF packet is shorter than 9 bytes; a row that begins as one is longer */
	STATUS_MORE_RESULTS = 0x0008,
	STATUS_CURSOR = 0x0040,
	STATUS_NO_BACKSLASH = 0x0200,
	STATUS_ANSI_QUOTES = 0x8000,
	ERROR_IS_PROGRESS = 0xffff, /* MariaDB: not the end */
};

static struct mysql_pending *front(struct mysql_state *st)
{
	return &st->pending[st->first_pending];
}

static void start(struct mysql_state *st)
{
	const uint8_t command = front(st)->command;
	const bool is_rows = command == COM_FIELD_LIST || command == COM_STMT_FETCH ||
			     command == COM_BINLOG_DUMP || command == COM_BINLOG_DUMP_GTID ||
			     command == COM_TABLE_DUMP;
	st->reply = is_rows ? REPLY_ROWS : REPLY_FIRST;
	st->n_rows = 0;
}

/* ---------------------------------------------------------------- the end of a reply */

static void settle_schema(struct mysql_state *st, const struct mysql_pending *p, bool is_ok)
{
	if (!(p->flags & PENDING_SETS_SCHEMA))
		return;
	const bool is_known = !st->is_schema_lost || mysql_is_alone(st);
	if (is_ok && is_known) {
		st->schema = st->schema_next;
		st->is_schema_lost = 0;
	} else if (!is_ok && p->flags & PENDING_IS_MULTI) {
		st->is_schema_lost = 1;
	}
	st->is_schema_pending = 0;
}

static void settle_login(struct mysql_state *st, const struct mysql_pending *p, bool is_ok)
{
	if (p->command != COM_CONNECT && p->command != COM_CHANGE_USER)
		return;
	st->is_authenticating = st->auth_turn = 0;
	if (p->command == COM_CONNECT && !is_ok)
		st->phase = PHASE_CLOSED;
	if (p->command == COM_CHANGE_USER && is_ok) {
		st->user = st->user_next;
		st->schema = st->schema_next;
		st->is_schema_lost = st->is_schema_pending = 0;
		st->is_utf8 = st->is_utf8_login = st->is_utf8_next;
	}
	/* MariaDB goes on, with a character set of its own. */
	if (p->command == COM_CHANGE_USER && !is_ok)
		st->is_utf8 = st->is_utf8_login = 0;
}

/* `code` 0: it went well. */
static void end_reply(struct mysql_state *st, uint16_t code, const struct dis_sink *sink)
{
	const struct mysql_pending p = *front(st);
	const bool is_ok = code == 0;
	settle_schema(st, &p, is_ok);
	settle_login(st, &p, is_ok);
	if (is_ok && p.flags & PENDING_SETS_UTF8)
		st->is_utf8 = 1;
	if (p.command == COM_STMT_PREPARE && !is_ok)
		mysql_prepared_drop(st, p.slot);
	struct mysql_draft d = {.n = 0};
	mysql_put_word(&d, F_STATUS, is_ok ? "ok" : "error");
	if (!is_ok)
		mysql_put_number(&d, F_ERROR, code);
	else if (st->n_rows)
		mysql_put_number(&d, F_ROWS, st->n_rows);
	mysql_emit(sink, DIS_REPLY, &d);
	if (--front(st)->n == 0) {
		st->first_pending = (uint8_t)((st->first_pending + 1) % MYSQL_PENDING_MAX);
		st->n_pending--;
	}
	st->reply = REPLY_START;
}

/* The server's own word on how it reads quotes; it does not say who changed it. */
static void note_status(struct mysql_state *st, uint16_t status)
{
	if (status & STATUS_NO_BACKSLASH || (mysql_is_mariadb(st) && status & STATUS_ANSI_QUOTES))
		st->is_lexing_lost = 1;
}

static void end_result(struct mysql_state *st, uint16_t status, const struct dis_sink *sink)
{
	note_status(st, status);
	if (status & STATUS_MORE_RESULTS)
		st->reply = REPLY_FIRST;
	else
		end_reply(st, 0, sink);
}

/* ---------------------------------------------------------------- packets */

static bool is_eof(const struct mysql_state *st, uint32_t n, uint8_t first)
{
	if (first != 0xfe)
		return false;
	return st->caps & CLIENT_DEPRECATE_EOF ? n < MYSQL_PACKET_MAX : n <= EOF_MAX;
}

/* The status of an OK packet, or of an EOF packet where those are still sent. */
static uint16_t read_status(struct bytes body, bool is_short_eof)
{
	struct reader r = reader_of(bytes_from(body, 1));
	if (is_short_eof) {
		read_skip(&r, 2);
	} else {
		(void)mysql_read_lenenc(&r); /* rows */
		(void)mysql_read_lenenc(&r); /* last insert id */
	}
	return read_u16le(&r);
}

static uint16_t status_of(const struct mysql_state *st, struct bytes body)
{
	return read_status(body, body.p[0] == 0xfe && !(st->caps & CLIENT_DEPRECATE_EOF));
}

static uint16_t code_of(struct bytes body)
{
	struct reader r = reader_of(bytes_from(body, 1));
	const uint16_t code = read_u16le(&r);
	return code ? code : 1;
}

/* What the server sends while somebody logs in. NULL, or why it is refused. */
static const char *on_auth(struct mysql_state *st, struct mysql_packet p, struct bytes body,
			   const struct dis_sink *sink)
{
	switch (body.p[0]) {
	case 0x00:
		end_reply(st, 0, sink);
		return NULL;
	case 0xff:
		end_reply(st, code_of(body), sink);
		return NULL;
	case 0xfe:
		if (p.n == 1)
			return "the password exchange of servers before 4.1";
		break;
	default: /* more data, next factor, or bare words of a plugin (dialog, parsec) */
		break;
	}
	st->auth_turn = 1;
	st->auth_sequence = (uint8_t)(p.sequence + 1);
	return NULL;
}

static const char *on_prepared(struct mysql_state *st, struct bytes body,
			       const struct dis_sink *sink)
{
	struct reader r = reader_of(bytes_from(body, 1));
	const uint32_t id = read_u32le(&r);
	const uint32_t n_columns = read_u16le(&r), n_params = read_u16le(&r);
	if (!reader_ok(&r))
		return "an answer to PREPARE that ends in the middle";
	mysql_prepared_ready(st, front(st)->slot, id);
	const uint32_t n_eof = st->caps & CLIENT_DEPRECATE_EOF ? 0 : 1;
	st->n_reply_left = (n_params ? n_params + n_eof : 0) + (n_columns ? n_columns + n_eof : 0);
	st->reply = REPLY_DEFINITIONS;
	if (st->n_reply_left == 0)
		end_reply(st, 0, sink);
	return NULL;
}

static const char *on_columns(struct mysql_state *st, struct bytes body)
{
	struct reader r = reader_of(body);
	const uint64_t n = mysql_read_lenenc(&r);
	const bool is_cached = st->caps_more & MARIADB_CLIENT_CACHE_METADATA && read_u8(&r) == 0;
	if (!reader_ok(&r) || n == 0 || n > UINT16_MAX)
		return "no beginning of a result";
	st->n_reply_left = is_cached ? 0 : (uint32_t)n;
	st->reply = REPLY_COLUMNS;
	if (is_cached)
		st->reply = st->caps & CLIENT_DEPRECATE_EOF ? REPLY_ROWS : REPLY_EOF;
	return NULL;
}

/* The server sends its files now, in packets of another protocol. */
static void on_clone(struct mysql_state *st, const struct dis_sink *sink)
{
	struct mysql_draft d = {.n = 0};
	mysql_put_word(&d, F_OPAQUE, "clone");
	mysql_emit(sink, DIS_OPAQUE, &d);
	st->is_cloning = 1;
	st->phase = PHASE_CLOSED;
}

static void on_ok(struct mysql_state *st, struct bytes body, const struct dis_sink *sink)
{
	struct reader r = reader_of(bytes_from(body, 1));
	if (body.p[0] == 0x00)
		st->n_rows += mysql_read_lenenc(&r); /* changed by the statement */
	end_result(st, status_of(st, body), sink);
}

static const char *on_first(struct mysql_state *st, struct mysql_packet p, struct bytes body,
			    const struct dis_sink *sink)
{
	const uint8_t command = front(st)->command;
	if (command == COM_CONNECT || command == COM_CHANGE_USER)
		return on_auth(st, p, body, sink);
	if (body.p[0] == 0xff && code_of(body) != ERROR_IS_PROGRESS)
		end_reply(st, code_of(body), sink);
	else if (command == COM_STATISTICS)
		end_reply(st, 0, sink);
	else if (command == COM_CLONE)
		on_clone(st, sink);
	else if (body.p[0] == 0x00 && command == COM_STMT_PREPARE)
		return on_prepared(st, body, sink);
	else if (body.p[0] == 0x00 || is_eof(st, p.n, body.p[0]))
		on_ok(st, body, sink);
	else if (body.p[0] == 0xfb)
		return "the server asks for a file of the client";
	else if (body.p[0] != 0xff)
		return on_columns(st, body);
	return NULL;
}

static void on_row(struct mysql_state *st, struct mysql_packet p, struct bytes body,
		   const struct dis_sink *sink)
{
	if (body.p[0] == 0xff && p.n < MYSQL_PACKET_MAX) {
		if (code_of(body) != ERROR_IS_PROGRESS)
			end_reply(st, code_of(body), sink);
	} else if (is_eof(st, p.n, body.p[0])) {
		end_result(st, status_of(st, body), sink);
	} else {
		st->n_rows++;
	}
}

static const char *on_eof(struct mysql_state *st, struct mysql_packet p, struct bytes body,
			  const struct dis_sink *sink)
{
	if (body.p[0] == 0xff) {
		end_reply(st, code_of(body), sink);
		return NULL;
	}
	if (body.p[0] != 0xfe || p.n > EOF_MAX)
		return "columns that do not end";
	const uint16_t status = read_status(body, true);
	if (status & STATUS_CURSOR)
		end_result(st, status, sink);
	else
		st->reply = REPLY_ROWS;
	return NULL;
}

static const char *on_packet(struct mysql_state *st, struct mysql_packet p, struct bytes body,
			     const struct dis_sink *sink)
{
	switch ((enum mysql_reply_state)st->reply) {
	case REPLY_START:
	case REPLY_FIRST:
		return on_first(st, p, body, sink);
	case REPLY_COLUMNS:
		if (--st->n_reply_left == 0)
			st->reply = st->caps & CLIENT_DEPRECATE_EOF ? REPLY_ROWS : REPLY_EOF;
		return NULL;
	case REPLY_EOF:
		return on_eof(st, p, body, sink);
	case REPLY_ROWS:
		on_row(st, p, body, sink);
		return NULL;
	case REPLY_DEFINITIONS:
		if (--st->n_reply_left == 0)
			end_reply(st, 0, sink);
		return NULL;
	}
	return NULL;
}

/* Nothing was asked: a server says only that it is about to close. */
static struct dis_result unasked(struct mysql_state *st, struct bytes in, struct mysql_packet p,
				 size_t seen, const struct dis_sink *sink)
{
	if (in.p[MYSQL_HEADER] != 0xff || p.n < 3)
		return mysql_malformed("a reply that nobody asked for");
	struct mysql_draft d = {.n = 0};
	mysql_put_word(&d, F_STATUS, "error");
	mysql_put_number(&d, F_ERROR, code_of(bytes_from(in, MYSQL_HEADER)));
	mysql_emit(sink, DIS_REPLY, &d);
	st->phase = PHASE_CLOSED;
	return mysql_done(seen, MYSQL_HEADER + (uint64_t)p.n - seen);
}

/* The only command that has no reply is one that the server does not have whole. Its place in
 * `pending` stays: the rest of its text is about to be judged by it. */
static bool is_half_asked(const struct mysql_state *st)
{
	return st->is_streaming && mysql_is_alone(st);
}

/* Rows that are here whole and end nothing: how many bytes of them, all without an event. */
static size_t take_rows(struct mysql_state *st, struct bytes in)
{
	size_t at = 0;
	while (in.n - at > MYSQL_HEADER) {
		const struct mysql_packet p = mysql_packet_of(bytes_from(in, at));
		const uint8_t first = in.p[at + MYSQL_HEADER];
		if (p.n == 0 || p.n == MYSQL_PACKET_MAX || p.n > in.n - at - MYSQL_HEADER ||
		    first >= 0xfe)
			break;
		at += MYSQL_HEADER + p.n;
		st->n_rows++;
	}
	return at;
}

struct dis_result mysql_reply(struct mysql_state *st, struct bytes in, const struct dis_sink *sink)
{
	const struct mysql_packet p = mysql_packet_of(in);
	if (st->is_reply_long) {
		st->is_reply_long = p.n == MYSQL_PACKET_MAX;
		return mysql_done(MYSQL_HEADER, p.n);
	}
	if (p.n == 0)
		return mysql_malformed("an empty packet of the server");
	const size_t seen = MYSQL_HEADER + (p.n < SEEN ? p.n : SEEN);
	if (in.n < seen)
		return mysql_more(seen);
	if (st->n_pending == 0 || is_half_asked(st))
		return unasked(st, in, p, seen, sink);
	if (st->reply == REPLY_START)
		start(st);
	const size_t n_rows = st->reply == REPLY_ROWS ? take_rows(st, in) : 0;
	if (n_rows)
		return mysql_done(n_rows, 0);
	const char *why =
		on_packet(st, p, bytes_slice(in, MYSQL_HEADER, seen - MYSQL_HEADER), sink);
	if (why)
		return mysql_malformed(why);
	if (st->is_cloning)
		return (struct dis_result){.status = DIS_STOPPED};
	st->is_reply_long = p.n == MYSQL_PACKET_MAX;
	return mysql_done(seen, MYSQL_HEADER + (uint64_t)p.n - seen);
}
