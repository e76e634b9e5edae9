/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text of COM_QUERY and COM_STMT_PREPARE, one statement a unit.
 *
 * A packet's text is shown to the tokeniser in pieces of MYSQL_CHUNK; where pieces begin and end
 * follows from the packet alone. A piece in which no statement ends is a unit without an event:
 * what it began is judged with the piece that completes it, before the server can have it whole.
 */
#include "mysql/mysql_state.h"

#include "sql/sql_byte.h"

enum {
	ATTRIBUTES_MAX = 64,
	TIME_MAX = 13, /* bytes of a date and time with a time zone */
};

/* ---------------------------------------------------------------- query attributes */

/* A longer one's length could be read in two ways. */
static bool skip_time(struct reader *r)
{
	const uint8_t n = read_u8(r);
	read_skip(r, n);
	return n <= TIME_MAX;
}

/* The bytes of one binary value, by its type; false: of a type that is not known, or that has no
 * values but NULL. */
static bool skip_value(struct reader *r, unsigned type)
{
	switch (type & 0xff) {
	case 0x01: /* TINY */
		read_skip(r, 1);
		return true;
	case 0x02: /* SHORT */
	case 0x0d: /* YEAR */
		read_skip(r, 2);
		return true;
	case 0x03: /* LONG */
	case 0x04: /* FLOAT */
	case 0x09: /* INT24 */
		read_skip(r, 4);
		return true;
	case 0x05: /* DOUBLE */
	case 0x08: /* LONGLONG */
		read_skip(r, 8);
		return true;
	case 0x07: /* TIMESTAMP */
	case 0x0a: /* DATE */
	case 0x0b: /* TIME */
	case 0x0c: /* DATETIME */
		return skip_time(r);
	case 0x00: /* DECIMAL */
	case 0x0f: /* VARCHAR */
	case 0x10: /* BIT */
	case 0xf5: /* JSON */
	case 0xf6: /* NEWDECIMAL */
	case 0xf9: /* BLOBs */
	case 0xfa:
	case 0xfb:
	case 0xfc:
	case 0xfd:				 /* VAR_STRING */
	case 0xfe:				 /* STRING */
		(void)mysql_read_lenenc_text(r); /* only its length matters */
		return true;
	default:
		return false;
	}
}

/* Leaves the reader at the statement; false when that place is not known. */
static bool skip_attributes(struct reader *r)
{
	const uint64_t n = mysql_read_lenenc(r);
	const uint64_t n_sets = mysql_read_lenenc(r);
	if (!reader_ok(r) || n_sets != 1 || n > ATTRIBUTES_MAX)
		return false;
	if (n == 0)
		return true;
	const struct bytes nulls = read_bytes(r, (size_t)(n + 7) / 8);
	unsigned types[ATTRIBUTES_MAX];
	if (read_u8(r) != 1)
		return false;
	for (size_t i = 0; i < n; i++) {
		types[i] = read_u16le(r);
		(void)mysql_read_lenenc_text(r); /* its name */
	}
	for (size_t i = 0; i < n && reader_ok(r); i++)
		if (!(nulls.p[i / 8] >> (i % 8) & 1) && !skip_value(r, types[i]))
			return false;
	return reader_ok(r);
}

/* ---------------------------------------------------------------- one statement */

/* The schema that a command sets while another that sets one has no reply yet: then nobody knows.
 */
void mysql_expect_schema(struct mysql_state *st, struct bytes schema)
{
	struct mysql_pending *last = mysql_last_pending(st);
	if (st->is_schema_pending && !(last->flags & PENDING_SETS_SCHEMA))
		st->is_schema_lost = 1;
	last->flags |= PENDING_SETS_SCHEMA;
	st->is_schema_pending = 1;
	st->schema_next.n = (uint8_t)schema.n;
	memcpy(st->schema_next.text, schema.p, schema.n);
}

void mysql_expect_bytes(struct mysql_state *st)
{
	st->is_utf8 = 0;
	for (size_t i = 0; i < MYSQL_PENDING_MAX; i++)
		st->pending[i].flags &= (uint8_t)~PENDING_SETS_UTF8;
}

/* Until the reply the text counts as it did: a name in UTF-8 is unproven then, at worst. */
void mysql_expect_utf8(struct mysql_state *st)
{
	mysql_last_pending(st)->flags |= PENDING_SETS_UTF8;
}

static struct bytes text_of(const struct mysql_state *st, struct bytes text)
{
	if (st->is_head_kept)
		return bytes_of(st->head, st->n_head);
	return bytes_slice(text, 0, MYSQL_TEXT_MAX);
}

static void follow(struct mysql_state *st, const struct sql *s)
{
	if (st->command == COM_STMT_PREPARE)
		return; /* it takes effect when executed, and is unproven then: see summarise() */
	if (s->effects & SQL_LOSES_LEXING)
		st->is_lexing_lost = 1;
	if (s->effects & SQL_SETS_BYTES)
		mysql_expect_bytes(st);
	if (s->effects & SQL_SETS_UTF8)
		mysql_expect_utf8(st);
	if (s->effects & SQL_USES_SCHEMA && s->n_tables == 1) {
		mysql_expect_schema(st, sql_name(s, s->tables[0].schema_at, s->tables[0].schema_n));
		st->is_next_in_force = 1;
	}
}

/* A prepared statement that would change how later text is read: executing it is not followed, so
 * unproven. */
static void summarise(struct mysql_state *st, struct mysql_draft *d)
{
	struct mysql_pending *last = mysql_last_pending(st);
	const uint32_t flags = d->flags;
	if (st->n_statements > 1) {
		mysql_prepared_drop(st, last->slot);
		last->slot = MYSQL_NO_SLOT;
	} else {
		if (st->sql.effects)
			d->flags |= DIS_UNPROVEN;
		last->slot = (uint8_t)mysql_prepared_add(st, d, (enum sql_verb)st->sql.verb);
	}
	st->last_slot = last->slot;
	d->flags = flags;
}

static void judge(struct mysql_state *st, struct bytes text, const struct dis_sink *sink)
{
	struct mysql_draft d;
	const struct sql *s = &st->sql;
	st->n_statements += st->n_statements < UINT8_MAX;
	mysql_begin_request(&d, st, (enum mysql_command)st->command, (enum sql_verb)s->verb);
	if (s->is_unproven || st->is_lexing_lost)
		d.flags |= DIS_UNPROVEN;
	mysql_put_objects(&d, st, s);
	mysql_put_facts(&d, s, st->n_statements);
	mysql_put_text(&d, F_QUERY, text_of(st, text));
	mysql_emit(sink, DIS_REQUEST, &d);
	if (st->command == COM_STMT_PREPARE)
		summarise(st, &d);
	follow(st, s);
}

/* An empty text: the server answers with an error, but it answers. */
static void judge_nothing(struct mysql_state *st, const struct dis_sink *sink)
{
	struct mysql_draft d;
	mysql_begin_request(&d, st, (enum mysql_command)st->command, SQL_SESSION);
	mysql_emit(sink, DIS_REQUEST, &d);
}

static void end_packet(struct mysql_state *st, const struct dis_sink *sink)
{
	struct mysql_pending *last = mysql_last_pending(st);
	if (st->n_statements == 0)
		judge_nothing(st, sink);
	if (st->n_statements > 1)
		last->flags |= PENDING_IS_MULTI;
	st->is_streaming = st->is_next_in_force = 0;
}

static void keep_head(struct mysql_state *st, struct bytes text)
{
	if (st->is_head_kept || text.n == 0)
		return;
	text = bytes_slice(text, 0, MYSQL_HEAD_MAX);
	st->n_head = (uint8_t)text.n;
	memcpy(st->head, text.p, text.n);
	st->is_head_kept = 1;
}

/* `text` is one piece of the packet; how much of it belongs to the statement that it continues. */
static size_t take_piece(struct mysql_state *st, struct bytes text, const struct dis_sink *sink)
{
	const size_t n = sql_feed(&st->sql, text);
	const struct bytes piece = sql_without_empty(bytes_slice(text, 0, n));
	st->left -= (uint32_t)n;
	const bool is_last = st->left == 0 && !st->is_long;
	if (is_last && !st->sql.is_end)
		sql_finish(&st->sql);
	if (!st->sql.is_end) {
		keep_head(st, piece);
		return n;
	}
	if (st->sql.has_token)
		judge(st, piece, sink);
	st->is_head_kept = 0;
	sql_next(&st->sql);
	if (is_last)
		end_packet(st, sink);
	return n;
}

/* ---------------------------------------------------------------- packets */

static struct dis_result unreadable(struct mysql_state *st, const struct dis_sink *sink,
				    size_t seen)
{
	struct mysql_draft d;
	mysql_begin_request(&d, st, (enum mysql_command)st->command, SQL_UNKNOWN);
	d.flags |= DIS_UNPROVEN;
	mysql_put_word(&d, F_DIGEST, "unparsed");
	mysql_emit(sink, DIS_REQUEST, &d);
	st->is_lexing_lost = 1;
	st->is_streaming = 0;
	st->is_skipping = st->is_long;
	return mysql_done(seen, st->left - (seen - MYSQL_HEADER));
}

struct dis_result mysql_statement_begin(struct mysql_state *st, struct bytes in,
					const struct dis_sink *sink)
{
	const struct mysql_packet p = mysql_packet_of(in);
	const size_t piece = p.n < MYSQL_CHUNK ? p.n : MYSQL_CHUNK;
	if (in.n < MYSQL_HEADER + piece)
		return mysql_more(MYSQL_HEADER + piece);
	if (!mysql_push(st, (enum mysql_command)in.p[MYSQL_HEADER]))
		return mysql_refuse(DIS_LIMIT, "too many commands before their replies");
	st->command = in.p[MYSQL_HEADER];
	st->left = p.n;
	st->is_long = p.n == MYSQL_PACKET_MAX;
	st->sequence = p.sequence;
	st->n_statements = st->is_head_kept = 0;
	st->is_streaming = 1;
	struct reader r = reader_of(bytes_slice(in, 0, MYSQL_HEADER + piece));
	read_skip(&r, MYSQL_HEADER + 1);
	if (st->command == COM_QUERY && (st->caps & CLIENT_QUERY_ATTRIBUTES) &&
	    !skip_attributes(&r))
		return unreadable(st, sink, MYSQL_HEADER + 1);
	const size_t head = r.pos - MYSQL_HEADER;
	st->left -= (uint32_t)head;
	sql_init(&st->sql, st->is_utf8);
	return mysql_done(r.pos + take_piece(st, bytes_slice(in, r.pos, piece - head), sink), 0);
}

struct dis_result mysql_statement_go_on(struct mysql_state *st, struct bytes in,
					const struct dis_sink *sink)
{
	size_t header = 0;
	struct mysql_packet p = {.n = st->left};
	if (st->left == 0) {
		header = MYSQL_HEADER;
		p = mysql_packet_of(in);
		if (p.sequence != (uint8_t)(st->sequence + 1))
			return mysql_malformed("a packet that does not continue the one before it");
	}
	const size_t piece = p.n < MYSQL_CHUNK ? p.n : MYSQL_CHUNK;
	if (in.n < header + piece)
		return mysql_more(header + piece);
	if (header) {
		st->sequence = p.sequence;
		st->left = p.n;
		st->is_long = p.n == MYSQL_PACKET_MAX;
	}
	return mysql_done(header + take_piece(st, bytes_slice(in, header, piece), sink), 0);
}
