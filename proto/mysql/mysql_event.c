/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fields that policies and records know, and how events are put together from them. */
#include "mysql/mysql_state.h"

#include "sql/sql_words.h"

static const struct {
	uint8_t command;
	const char *word;
} commands[] = {
	{COM_QUIT, "quit"},
	{COM_INIT_DB, "init_db"},
	{COM_QUERY, "query"},
	{COM_FIELD_LIST, "field_list"},
	{COM_CREATE_DB, "create_db"},
	{COM_DROP_DB, "drop_db"},
	{COM_REFRESH, "refresh"},
	{COM_SHUTDOWN, "shutdown"},
	{COM_STATISTICS, "statistics"},
	{COM_PROCESS_INFO, "process_info"},
	{COM_PROCESS_KILL, "process_kill"},
	{COM_DEBUG, "debug"},
	{COM_PING, "ping"},
	{COM_CHANGE_USER, "change_user"},
	{COM_BINLOG_DUMP, "binlog_dump"},
	{COM_TABLE_DUMP, "table_dump"},
	{COM_REGISTER_SLAVE, "register_slave"},
	{COM_STMT_PREPARE, "prepare"},
	{COM_STMT_EXECUTE, "execute"},
	{COM_STMT_SEND_LONG_DATA, "send_long_data"},
	{COM_STMT_CLOSE, "close"},
	{COM_STMT_RESET, "reset"},
	{COM_SET_OPTION, "set_option"},
	{COM_STMT_FETCH, "fetch"},
	{COM_BINLOG_DUMP_GTID, "binlog_dump_gtid"},
	{COM_RESET_CONNECTION, "reset_connection"},
	{COM_CLONE, "clone"},
	{COM_STMT_BULK_EXECUTE, "bulk_execute"},
};

static const char *const command_words[] = {"login",
					    "quit",
					    "init_db",
					    "query",
					    "field_list",
					    "create_db",
					    "drop_db",
					    "refresh",
					    "shutdown",
					    "statistics",
					    "process_info",
					    "process_kill",
					    "debug",
					    "ping",
					    "change_user",
					    "binlog_dump",
					    "table_dump",
					    "register_slave",
					    "prepare",
					    "execute",
					    "send_long_data",
					    "close",
					    "reset",
					    "set_option",
					    "fetch",
					    "binlog_dump_gtid",
					    "reset_connection",
					    "clone",
					    "bulk_execute",
					    NULL};

/* What a client says that neither reads nor writes; in both groups, so that a rule for one breaks
 * no client. */
#define SESSION_WORDS                                                                              \
	"do", "use", "set", "begin", "commit", "rollback", "savepoint", "release", "xa",           \
		"session", "deallocate", "help"

static const char *const read_words[] = {"select",  "show",	   "describe",
					 "explain", SESSION_WORDS, NULL};
static const char *const write_words[] = {"insert", "replace", "update",      "delete",
					  "lock",   "unlock",  SESSION_WORDS, NULL};
static const char *const ddl_words[] = {"create", "alter", "drop", "rename", "truncate", NULL};
static const char *const admin_words[] = {
	"analyze",     "check",	     "checksum", "optimize", "repair", "account", "grant",
	"revoke",      "set_global", "flush",	 "kill",     "reset",  "purge",	  "shutdown",
	"replication", "plugin",     "debug",	 "clone",    NULL};

static const struct dis_group verb_groups[] = {{"read", read_words},
					       {"write", write_words},
					       {"ddl", ddl_words},
					       {"admin", admin_words},
					       {NULL, NULL}};

const struct dis_field mysql_fields[N_FIELDS] = {
	[F_COMMAND] = {.name = "command",
		       .key = "commands",
		       .match = DIS_MATCH_WORD,
		       .words = command_words},
	[F_VERB] = {.name = "verb",
		    .key = "verbs",
		    .match = DIS_MATCH_WORD,
		    .words = sql_verb_words,
		    .groups = verb_groups},
	[F_SCHEMA] = {.name = "schema", .key = "schemas", .match = DIS_MATCH_GLOB, .is_list = true},
	[F_TABLES] = {.name = "tables", .key = "tables", .match = DIS_MATCH_GLOB, .is_list = true},
	[F_USER] = {.name = "user", .key = "users", .match = DIS_MATCH_GLOB},
	[F_FUNCTIONS] = {.name = "functions",
			 .key = "functions",
			 .match = DIS_MATCH_GLOB,
			 .is_list = true},
	[F_WHERE] = {.name = "where",
		     .key = "where",
		     .match = DIS_MATCH_WORD,
		     .words = sql_event_where_words,
		     .is_list = true},
	[F_STATEMENTS] = {.name = "statements",
			  .key = "statements",
			  .type = DIS_NUMBER,
			  .is_list = true},
	[F_DIGEST] = {.name = "digest", .key = "digest", .match = DIS_MATCH_GLOB, .is_list = true},
	[F_QUERY] = {.name = "query"},
	[F_STATUS] = {.name = "status"},
	[F_ERROR] = {.name = "error", .type = DIS_NUMBER},
	[F_ROWS] = {.name = "rows", .type = DIS_NUMBER},
	[F_OPAQUE] = {.name = "opaque"},
	[F_SNI] = {.name = "sni"},
	[F_JA4] = {.name = "ja4"},
};

const char *mysql_command_word(enum mysql_command command)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (commands[i].command == command)
			return commands[i].word;
	return NULL;
}

/* ---------------------------------------------------------------- values */

void mysql_put_text(struct mysql_draft *d, enum mysql_field field, struct bytes text)
{
	if (!sql_event_put_text(d->v, &d->n, field, text))
		d->flags |= DIS_UNPROVEN;
}

void mysql_put_number(struct mysql_draft *d, enum mysql_field field, uint64_t number)
{
	sql_event_put_number(d->v, &d->n, field, number);
}

void mysql_put_word(struct mysql_draft *d, enum mysql_field field, const char *word)
{
	mysql_put_text(d, field, bytes_str(word));
}

void mysql_begin_request(struct mysql_draft *d, const struct mysql_state *st,
			 enum mysql_command command, enum sql_verb verb)
{
	d->n = d->qualified.n = 0;
	d->flags = 0;
	const char *word = mysql_command_word(command);
	if (word)
		mysql_put_word(d, F_COMMAND, word);
	mysql_put_word(d, F_VERB, sql_verb_words[verb]);
	mysql_put_text(d, F_USER, bytes_of(st->user.text, st->user.n));
}

void mysql_emit(const struct dis_sink *sink, enum dis_kind kind, const struct mysql_draft *d)
{
	const struct dis_event e = {
		.kind = kind, .flags = d->flags, .values = d->v, .n_values = d->n};
	sink->event(sink->ctx, &e);
}

/* ---------------------------------------------------------------- schemas and tables */

static struct bytes name_of(const struct mysql_name *name)
{
	return bytes_of(name->text, name->n);
}

/* One or two schemas of which one is in force; fewer when there is none. */
struct in_force {
	struct bytes schema[2];
	bool is_lost;
};

static struct in_force in_force(const struct mysql_state *st)
{
	struct in_force f = {.is_lost = st->is_schema_lost};
	if (st->is_next_in_force) {
		f.schema[0] = name_of(&st->schema_next);
		f.is_lost = false;
		return f;
	}
	f.schema[0] = name_of(&st->schema);
	if (st->is_schema_pending)
		f.schema[1] = name_of(&st->schema_next);
	return f;
}

static void put_schema(struct mysql_draft *d, struct bytes schema)
{
	if (!sql_event_has(d->v, d->n, F_SCHEMA, schema))
		mysql_put_text(d, F_SCHEMA, schema);
}

static void put_default(struct mysql_draft *d, const struct in_force *f)
{
	if (f->is_lost)
		d->flags |= DIS_UNPROVEN;
	put_schema(d, f->schema[0]);
	put_schema(d, f->schema[1]);
}

static void put_qualified(struct mysql_draft *d, struct bytes schema, struct bytes name)
{
	const struct bytes qualified = sql_event_qualify(&d->qualified, schema, name);
	if (qualified.n == 0)
		d->flags |= DIS_UNPROVEN;
	mysql_put_text(d, F_TABLES, qualified);
}

static bool is_in_force(const struct in_force *f, struct bytes schema)
{
	return !f->is_lost && f->schema[1].n == 0 && bytes_equal(f->schema[0], schema);
}

static void put_table(struct mysql_draft *d, const struct in_force *f, struct bytes schema,
		      struct bytes name)
{
	if (sql_event_is_ambiguous(schema, name))
		d->flags |= DIS_UNPROVEN;
	if (schema.n == 0 || is_in_force(f, schema))
		mysql_put_text(d, F_TABLES, name);
	else
		put_qualified(d, schema, name);
}

/* CREATE, ALTER and DROP of a whole database: no table is named, every one in it is meant. */
static bool is_of_whole_schema(const struct sql *s)
{
	return s->verb == SQL_CREATE || s->verb == SQL_ALTER || s->verb == SQL_DROP;
}

void mysql_put_objects(struct mysql_draft *d, const struct mysql_state *st, const struct sql *s)
{
	const struct in_force f = in_force(st);
	if (s->uses_default)
		put_default(d, &f);
	for (size_t i = 0; i < s->n_tables; i++) {
		const struct bytes schema = sql_table_schema(&s->tables[i], s->names);
		if (schema.n)
			put_schema(d, schema);
		else
			put_default(d, &f);
	}
	for (size_t i = 0; i < s->n_tables; i++) {
		const struct bytes schema = sql_table_schema(&s->tables[i], s->names);
		const struct bytes name = sql_table_name(&s->tables[i], s->names);
		if (name.n)
			put_table(d, &f, schema, name);
		else if (is_of_whole_schema(s))
			put_table(d, &f, schema, bytes_str("*"));
	}
}

void mysql_put_whole_schema(struct mysql_draft *d, const struct mysql_state *st,
			    struct bytes schema)
{
	const struct in_force f = in_force(st);
	put_schema(d, schema);
	put_table(d, &f, schema, bytes_str("*"));
}

void mysql_put_table(struct mysql_draft *d, const struct mysql_state *st, struct bytes name)
{
	const struct in_force f = in_force(st);
	put_default(d, &f);
	put_table(d, &f, (struct bytes){0}, name);
}

/* A list of digests holds where there is none, so a command must have one lest such a list allow a
 * SHUTDOWN. The session's own stay out: a rule about statements breaks no client. */
void mysql_put_no_digest(struct mysql_draft *d, enum sql_verb verb)
{
	if (verb != SQL_SESSION)
		mysql_put_word(d, F_DIGEST, "none");
}

void mysql_put_facts(struct mysql_draft *d, const struct sql *s, unsigned place)
{
	static const struct sql_fact_fields fields = {F_FUNCTIONS, F_WHERE, F_STATEMENTS, F_DIGEST};
	const struct sql_facts f = {
		.calls = &s->calls,
		.functions = &sql_callables,
		.names = s->names,
		.digest = &s->digest,
		.is_unproven = d->flags & DIS_UNPROVEN,
		.changes_rows = s->verb == SQL_UPDATE || s->verb == SQL_DELETE,
		.has_where = s->has_where,
		.place = place,
	};
	if (!sql_event_put_facts(d->v, &d->n, &fields, &f, d->digest))
		d->flags |= DIS_UNPROVEN;
}
