/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The MySQL client/server protocol as MySQL 5.7 to 9 and MariaDB 10.4 to 11 speak it.
 *
 *	server greets --> client logs in --> passwords --> server OK --> command, reply ...
 *
 * The server speaks first; its greeting is the claim. Nothing that the client says before the
 * server's OK is a command. mysql.md says what is refused and why; mysql_state.h names the files.
 */
#include "mysql/mysql_state.h"

static struct dis_result from_client(struct mysql_state *st, struct bytes in,
				     const struct dis_sink *sink)
{
	if (st->phase == PHASE_START)
		return mysql_refuse(DIS_NOT_MINE, "the client speaks before the server");
	if (st->phase == PHASE_CLOSED)
		return mysql_malformed("the client speaks after the end");
	if (st->phase == PHASE_TLS)
		return mysql_tls(st, in, sink);
	if (st->is_streaming && st->left)
		return mysql_statement_go_on(st, in, sink);
	if (in.n < MYSQL_HEADER)
		return mysql_more(MYSQL_HEADER);
	if (st->phase == PHASE_GREETED)
		return mysql_handshake(st, in, sink);
	if (st->is_authenticating)
		return mysql_auth_from_client(st, in);
	if (st->is_streaming)
		return mysql_statement_go_on(st, in, sink);
	return mysql_command(st, in, sink);
}

static struct dis_result from_server(struct mysql_state *st, struct bytes in,
				     const struct dis_sink *sink)
{
	if (st->phase == PHASE_START)
		return mysql_greeting(st, in, sink);
	if (st->phase == PHASE_TLS)
		return mysql_malformed("the server speaks before the client's hello");
	if (in.n <= MYSQL_HEADER && !st->is_reply_long)
		return mysql_more(MYSQL_HEADER + 1);
	if (in.n < MYSQL_HEADER)
		return mysql_more(MYSQL_HEADER);
	return mysql_reply(st, in, sink);
}

static struct dis_result feed(void *state, uint8_t ip_proto, enum dis_dir dir, struct bytes in,
			      const struct dis_sink *sink)
{
	(void)ip_proto; /* TCP only */
	struct mysql_state *st = state;
	return dir == DIS_TO_SERVER ? from_client(st, in, sink) : from_server(st, in, sink);
}

/* ---------------------------------------------------------------- policy tests */

/* "COM_PING": a command by its name, without a body. */
static bool say_command(struct bytes word, const struct dis_sink *sink)
{
	static const struct mysql_state nobody;
	static const struct {
		uint8_t command, verb;
	} sayable[] = {
		{COM_QUIT, SQL_SESSION},
		{COM_INIT_DB, SQL_USE},
		{COM_FIELD_LIST, SQL_SHOW},
		{COM_REFRESH, SQL_FLUSH},
		{COM_SHUTDOWN, SQL_SHUTDOWN},
		{COM_STATISTICS, SQL_SESSION},
		{COM_PROCESS_INFO, SQL_SHOW},
		{COM_PROCESS_KILL, SQL_KILL},
		{COM_DEBUG, SQL_DEBUG},
		{COM_PING, SQL_SESSION},
		{COM_BINLOG_DUMP, SQL_REPLICATION},
		{COM_REGISTER_SLAVE, SQL_REPLICATION},
		{COM_SET_OPTION, SQL_SESSION},
		{COM_BINLOG_DUMP_GTID, SQL_REPLICATION},
		{COM_RESET_CONNECTION, SQL_SESSION},
		{COM_CLONE, SQL_CLONE},
	};
	for (size_t i = 0; i < sizeof(sayable) / sizeof(sayable[0]); i++) {
		if (!bytes_is_nocase(word,
				     mysql_command_word((enum mysql_command)sayable[i].command)))
			continue;
		struct mysql_draft d;
		mysql_begin_request(&d, &nobody, (enum mysql_command)sayable[i].command,
				    (enum sql_verb)sayable[i].verb);
		mysql_put_no_digest(&d, (enum sql_verb)sayable[i].verb);
		mysql_emit(sink, DIS_REQUEST, &d);
		return true;
	}
	return false;
}

static bool say(struct bytes text, const struct dis_sink *sink)
{
	static const struct mysql_state nobody;
	if (text.n > 4 && bytes_is_nocase(bytes_slice(text, 0, 4), "com_"))
		return say_command(bytes_from(text, 4), sink);
	struct sql s;
	sql_init(&s, true);
	struct bytes rest = bytes_from(text, sql_feed(&s, text));
	if (!s.is_end)
		sql_finish(&s);
	for (size_t i = 0; i < rest.n; i++)
		if (rest.p[i] > ' ')
			return false; /* more than one request */
	if (!s.has_token)
		return false;
	struct mysql_draft d;
	mysql_begin_request(&d, &nobody, COM_QUERY, (enum sql_verb)s.verb);
	if (s.is_unproven)
		d.flags |= DIS_UNPROVEN;
	mysql_put_objects(&d, &nobody, &s);
	mysql_put_facts(&d, &s, 1);
	mysql_put_text(&d, F_QUERY, bytes_slice(text, 0, MYSQL_TEXT_MAX));
	mysql_emit(sink, DIS_REQUEST, &d);
	return true;
}

/* ---------------------------------------------------------------- refusal */

enum {
	ER_ACCESS_DENIED = 1045,   /* of a login */
	ER_SPECIFIC_DENIED = 1227, /* of a command */
};

/* An ERR packet with the next number, where the client waits for no other reply. */
static size_t refuse(const void *state, uint8_t ip_proto, struct bytes unit, struct bytes why,
		     uint8_t *out)
{
	const struct mysql_state *st = state;
	(void)ip_proto, (void)unit; /* the state says all */
	const struct mysql_pending *last = &st->pending[st->first_pending];
	if (!mysql_is_alone(st) || last->command != st->command)
		return 0;
	bool is_login = last->command == COM_CONNECT || last->command == COM_CHANGE_USER;
	unsigned code = is_login ? ER_ACCESS_DENIED : ER_SPECIFIC_DENIED;
	const size_t n = 1 + 2 + 6 + why.n; /* kind, code, state, text */
	const uint8_t head[] = {
		(uint8_t)n,    (uint8_t)(n >> 8),   0, (uint8_t)(st->sequence + 1), 0xff,
		(uint8_t)code, (uint8_t)(code >> 8)};
	size_t at = bytes_put(out, 0, bytes_of(head, sizeof(head)));
	at = bytes_put(out, at, bytes_str(is_login ? "#28000" : "#42000"));
	return bytes_put(out, at, why);
}

extern const struct dissector mysql_dissector; /* named in proto/table.c */

const struct dissector mysql_dissector = {
	.name = "mysql",
	.object = "mysql",
	.ip_protos = {6 /* TCP */},
	.state_size = sizeof(struct mysql_state),
	.max_unit = MYSQL_UNIT_MAX,
	.fields = mysql_fields,
	.n_fields = N_FIELDS,
	.feed = feed,
	.refuse = refuse,
	.say = say,
};
