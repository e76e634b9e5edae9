/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The client's commands, except the text of statements: one packet, one command, one request.
 *
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_command_phase.html
 */
#include "mysql/mysql_state.h"

enum {
	BODY_MAX = 4096,  /* of a command whose body is read whole */
	EXECUTE_HEAD = 5, /* command and statement number */
};

/* The last command has all its flags once another follows: if it is like the one before it, both
 * are one run. So a client may send thousands of rows ahead. */
static void join_last(struct mysql_state *st)
{
	if (st->n_pending < 2)
		return;
	const struct mysql_pending *last = mysql_last_pending(st);
	struct mysql_pending *before =
		&st->pending[(st->first_pending + st->n_pending - 2) % MYSQL_PENDING_MAX];
	if (last->command != before->command || last->flags || before->flags ||
	    last->slot != MYSQL_NO_SLOT || before->slot != MYSQL_NO_SLOT || before->n == UINT8_MAX)
		return;
	before->n++;
	st->n_pending--;
}

bool mysql_push(struct mysql_state *st, enum mysql_command command)
{
	join_last(st);
	if (st->n_pending == MYSQL_PENDING_MAX)
		return false;
	st->n_pending++;
	*mysql_last_pending(st) =
		(struct mysql_pending){.command = (uint8_t)command, .slot = MYSQL_NO_SLOT, .n = 1};
	return true;
}

/* How a command is read: its verb, how much of its body, whether the server answers. */
struct shape {
	uint8_t command, verb;
	enum { BODY_NONE, BODY_SCHEMA, BODY_TABLE, BODY_STATEMENT_ID, BODY_USER, BODY_OTHER } body;
	bool is_unanswered;
};

static const struct shape shapes[] = {
	{COM_QUIT, SQL_SESSION, BODY_NONE, true},
	{COM_INIT_DB, SQL_USE, BODY_SCHEMA, false},
	{COM_FIELD_LIST, SQL_SHOW, BODY_TABLE, false},
	{COM_CREATE_DB, SQL_CREATE, BODY_SCHEMA, false},
	{COM_DROP_DB, SQL_DROP, BODY_SCHEMA, false},
	{COM_REFRESH, SQL_FLUSH, BODY_OTHER, false},
	{COM_SHUTDOWN, SQL_SHUTDOWN, BODY_OTHER, false},
	{COM_STATISTICS, SQL_SESSION, BODY_NONE, false},
	{COM_PROCESS_INFO, SQL_SHOW, BODY_NONE, false},
	{COM_PROCESS_KILL, SQL_KILL, BODY_OTHER, false},
	{COM_DEBUG, SQL_DEBUG, BODY_NONE, false},
	{COM_PING, SQL_SESSION, BODY_NONE, false},
	{COM_CHANGE_USER, SQL_SESSION, BODY_USER, false},
	{COM_BINLOG_DUMP, SQL_REPLICATION, BODY_OTHER, false},
	{COM_TABLE_DUMP, SQL_REPLICATION, BODY_OTHER, false},
	{COM_REGISTER_SLAVE, SQL_REPLICATION, BODY_OTHER, false},
	{COM_STMT_EXECUTE, SQL_UNKNOWN, BODY_STATEMENT_ID, false},
	{COM_STMT_SEND_LONG_DATA, SQL_SESSION, BODY_STATEMENT_ID, true},
	{COM_STMT_CLOSE, SQL_SESSION, BODY_STATEMENT_ID, true},
	{COM_STMT_RESET, SQL_SESSION, BODY_STATEMENT_ID, false},
	{COM_SET_OPTION, SQL_SESSION, BODY_OTHER, false},
	{COM_STMT_FETCH, SQL_SESSION, BODY_STATEMENT_ID, false},
	{COM_BINLOG_DUMP_GTID, SQL_REPLICATION, BODY_OTHER, false},
	{COM_RESET_CONNECTION, SQL_SESSION, BODY_NONE, false},
	{COM_CLONE, SQL_CLONE, BODY_OTHER, false},
	{COM_STMT_BULK_EXECUTE, SQL_UNKNOWN, BODY_STATEMENT_ID, false},
};

static const struct shape *shape_of(uint8_t command)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		if (shapes[i].command == command)
			return &shapes[i];
	return NULL;
}

/* How many bytes of the packet must be here before it can be judged; the rest is skipped. */
static size_t wanted(const struct shape *shape, uint32_t n)
{
	size_t most = 1;
	switch (shape->body) {
	case BODY_SCHEMA:
	case BODY_TABLE:
		most = BODY_MAX;
		break;
	case BODY_USER:
		most = MYSQL_UNIT_MAX - MYSQL_HEADER;
		break;
	case BODY_STATEMENT_ID:
		most = EXECUTE_HEAD;
		break;
	case BODY_NONE:
	case BODY_OTHER:
		break;
	}
	return MYSQL_HEADER + (n < most ? n : most);
}

/* A command whose body names one schema or one table. NULL, or why it is refused. */
static const char *judge_named(struct mysql_state *st, const struct shape *shape, struct bytes body,
			       struct mysql_draft *d)
{
	const bool is_table = shape->body == BODY_TABLE;
	const size_t end = bytes_find(body, '\0');
	if (is_table && end == body.n)
		return "a list of fields without a table";
	const struct bytes name = bytes_slice(body, 0, is_table ? end : body.n);
	if (name.n > SQL_NAME_MAX)
		return "a name longer than any server takes";
	mysql_begin_request(d, st, (enum mysql_command)shape->command, (enum sql_verb)shape->verb);
	if (is_table && name.n)
		mysql_put_table(d, st, name);
	else if (shape->verb == SQL_CREATE || shape->verb == SQL_DROP)
		mysql_put_whole_schema(d, st, name);
	else
		mysql_put_text(d, F_SCHEMA, name);
	mysql_put_no_digest(d, (enum sql_verb)shape->verb);
	if (shape->command == COM_INIT_DB)
		mysql_expect_schema(st, name);
	return NULL;
}

static const char *judge_numbered(struct mysql_state *st, const struct shape *shape,
				  struct bytes body, struct mysql_draft *d)
{
	struct reader r = reader_of(body);
	const uint32_t id = read_u32le(&r);
	if (!reader_ok(&r))
		return "a command without its statement";
	if (shape->command == COM_STMT_EXECUTE || shape->command == COM_STMT_BULK_EXECUTE) {
		mysql_prepared_execute(st, d, id, (enum mysql_command)shape->command);
		return NULL;
	}
	mysql_begin_request(d, st, (enum mysql_command)shape->command, (enum sql_verb)shape->verb);
	if (shape->command == COM_STMT_CLOSE)
		mysql_prepared_close(st, id);
	return NULL;
}

static const char *judge(struct mysql_state *st, const struct shape *shape, struct bytes body,
			 struct mysql_draft *d)
{
	if (shape->body == BODY_SCHEMA || shape->body == BODY_TABLE)
		return judge_named(st, shape, body, d);
	if (shape->body == BODY_STATEMENT_ID)
		return judge_numbered(st, shape, body, d);
	if (shape->body == BODY_NONE && body.n)
		return "a command with more bytes than it has";
	if (shape->body == BODY_USER) {
		const char *why = mysql_change_user(st, body);
		if (why)
			return why;
		mysql_begin_request(d, st, COM_CHANGE_USER, SQL_SESSION);
		d->n--; /* the user is the new one */
		return NULL;
	}
	mysql_begin_request(d, st, (enum mysql_command)shape->command, (enum sql_verb)shape->verb);
	mysql_put_no_digest(d, (enum sql_verb)shape->verb);
	if (shape->command == COM_TABLE_DUMP || shape->command == COM_CLONE)
		d->flags |= DIS_UNPROVEN;
	return NULL;
}

static void emit(struct mysql_state *st, const struct shape *shape, struct mysql_draft *d,
		 const struct dis_sink *sink)
{
	if (shape->body != BODY_USER) {
		mysql_emit(sink, DIS_REQUEST, d);
		return;
	}
	d->n = 0;
	mysql_put_word(d, F_COMMAND, "change_user");
	mysql_put_text(d, F_SCHEMA, bytes_of(st->schema_next.text, st->schema_next.n));
	mysql_put_text(d, F_USER, bytes_of(st->user_next.text, st->user_next.n));
	mysql_emit(sink, DIS_SESSION, d);
}

static void follow(struct mysql_state *st, uint8_t command)
{
	if (command == COM_QUIT)
		st->phase = PHASE_CLOSED;
	if (command == COM_RESET_CONNECTION || command == COM_CHANGE_USER)
		mysql_prepared_clear(st);
	if (command != COM_RESET_CONNECTION)
		return;
	mysql_expect_bytes(st);
	if (mysql_is_mariadb(st) && st->is_utf8_login) /* MySQL: its own */
		mysql_expect_utf8(st);
}

static struct dis_result other_command(struct mysql_state *st, struct bytes in,
				       const struct shape *shape, const struct dis_sink *sink)
{
	const struct mysql_packet p = mysql_packet_of(in);
	const size_t n = wanted(shape, p.n);
	if ((shape->body == BODY_SCHEMA || shape->body == BODY_TABLE || shape->body == BODY_USER) &&
	    n < MYSQL_HEADER + (size_t)p.n)
		return mysql_refuse(DIS_LIMIT, "a command too long");
	if (shape->body == BODY_NONE && p.n > 1)
		return mysql_malformed("a command with more bytes than it has");
	if (in.n < n)
		return mysql_more(n);
	if (!shape->is_unanswered && !mysql_push(st, (enum mysql_command)shape->command))
		return mysql_refuse(DIS_LIMIT, "too many commands before their replies");
	struct mysql_draft d;
	const char *why =
		judge(st, shape, bytes_slice(in, MYSQL_HEADER + 1, n - MYSQL_HEADER - 1), &d);
	if (why)
		return mysql_malformed(why);
	emit(st, shape, &d, sink);
	follow(st, shape->command);
	st->is_skipping = p.n == MYSQL_PACKET_MAX;
	st->sequence = p.sequence;
	st->command = (uint8_t)shape->command;
	return mysql_done(n, MYSQL_HEADER + (uint64_t)p.n - n);
}

/* The rest of a command longer than one packet, of which nobody needs more. */
static struct dis_result skip_packet(struct mysql_state *st, struct bytes in)
{
	const struct mysql_packet p = mysql_packet_of(in);
	if (p.sequence != (uint8_t)(st->sequence + 1))
		return mysql_malformed("a packet that does not continue the one before it");
	st->sequence = p.sequence;
	st->is_skipping = p.n == MYSQL_PACKET_MAX;
	return mysql_done(MYSQL_HEADER, p.n);
}

static bool is_dumping(const struct mysql_state *st)
{
	const uint8_t command = st->pending[st->first_pending].command;
	return st->n_pending && (command == COM_BINLOG_DUMP || command == COM_BINLOG_DUMP_GTID);
}

struct dis_result mysql_command(struct mysql_state *st, struct bytes in,
				const struct dis_sink *sink)
{
	if (st->is_skipping)
		return skip_packet(st, in);
	const struct mysql_packet p = mysql_packet_of(in);
	if (p.n == 0 || p.sequence != 0)
		return mysql_malformed("no beginning of a command");
	if (in.n == MYSQL_HEADER)
		return mysql_more(MYSQL_HEADER + 1);
	const uint8_t command = in.p[MYSQL_HEADER];
	if (command == COM_SEMISYNC_ACK && is_dumping(st) && p.n < MYSQL_PACKET_MAX)
		return mysql_done(MYSQL_HEADER, p.n); /* how far the replica is */
	if (st->n_pending && mysql_last_pending(st)->command == COM_CLONE)
		return mysql_malformed("a command behind one that ends all commands");
	if (command == COM_QUERY || command == COM_STMT_PREPARE)
		return mysql_statement_begin(st, in, sink);
	const struct shape *shape = shape_of(command);
	if (!shape)
		return mysql_malformed("a command that no server knows");
	return other_command(st, in, shape, sink);
}
