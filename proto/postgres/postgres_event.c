/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fields that policies and records know, and how events are put together from them. */
#include "postgres/postgres_state.h"

#include "postgres/pgsql_words.h"

static const char *const command_words[] = {"startup",	     "query",  "parse", "execute",
					    "function_call", "cancel", NULL};

/* What a client says that neither reads nor writes; in both groups, so that a rule for one breaks
 * no client. */
#define SESSION_WORDS                                                                              \
	"close", "set", "reset", "discard", "deallocate", "begin", "commit", "rollback",           \
		"savepoint", "release", "session", "unlisten"

static const char *const read_words[] = {"select", "copy_out", "explain",     "show", "declare",
					 "fetch",  "listen",   SESSION_WORDS, NULL};
static const char *const write_words[] = {"insert", "update", "delete",	     "merge", "copy_in",
					  "lock",   "notify", SESSION_WORDS, NULL};
static const char *const ddl_words[] = {"create",  "alter",   "drop", "truncate",
					"comment", "refresh", NULL};
static const char *const admin_words[] = {"account",	"grant",  "revoke",	 "set_global",
					  "analyze",	"vacuum", "cluster",	 "reindex",
					  "checkpoint", "cancel", "replication", NULL};

static const struct dis_group verb_groups[] = {{"read", read_words},
					       {"write", write_words},
					       {"ddl", ddl_words},
					       {"admin", admin_words},
					       {NULL, NULL}};

const struct dis_field postgres_fields[N_FIELDS] = {
	[F_COMMAND] = {.name = "command",
		       .key = "commands",
		       .match = DIS_MATCH_WORD,
		       .words = command_words},
	[F_VERB] = {.name = "verb",
		    .key = "verbs",
		    .match = DIS_MATCH_WORD,
		    .words = pgsql_verb_words,
		    .groups = verb_groups},
	[F_USER] = {.name = "user", .key = "users", .match = DIS_MATCH_GLOB},
	[F_DATABASE] = {.name = "database",
			.key = "databases",
			.match = DIS_MATCH_GLOB,
			.is_list = true},
	[F_SCHEMA] = {.name = "schema", .key = "schemas", .match = DIS_MATCH_GLOB, .is_list = true},
	[F_TABLES] = {.name = "tables", .key = "tables", .match = DIS_MATCH_GLOB, .is_list = true},
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
	[F_ERROR] = {.name = "error"},
	[F_ROWS] = {.name = "rows", .type = DIS_NUMBER},
	[F_OPAQUE] = {.name = "opaque"},
	[F_SNI] = {.name = "sni"},
	[F_JA4] = {.name = "ja4"},
};

/* ---------------------------------------------------------------- values */

void postgres_put_text(struct postgres_draft *d, enum postgres_field field, struct bytes text)
{
	if (!sql_event_put_text(d->v, &d->n, field, text))
		d->flags |= DIS_UNPROVEN;
}

void postgres_put_number(struct postgres_draft *d, enum postgres_field field, uint64_t number)
{
	sql_event_put_number(d->v, &d->n, field, number);
}

void postgres_put_word(struct postgres_draft *d, enum postgres_field field, const char *word)
{
	postgres_put_text(d, field, bytes_str(word));
}

void postgres_begin_request(struct postgres_draft *d, const struct postgres_state *st,
			    const char *command, enum pgsql_verb verb)
{
	d->n = d->qualified.n = 0;
	d->flags = 0;
	d->has_bare = false;
	postgres_put_word(d, F_COMMAND, command);
	postgres_put_word(d, F_VERB, pgsql_verb_words[verb]);
	postgres_put_text(d, F_USER, postgres_name_of(&st->user));
	postgres_put_text(d, F_DATABASE, postgres_name_of(&st->database));
}

void postgres_begin_command(struct postgres_draft *d, const struct postgres_state *st,
			    const char *command, enum pgsql_verb verb)
{
	postgres_begin_request(d, st, command, verb);
	postgres_put_word(d, F_DIGEST, "none");
}

void postgres_put_everything(struct postgres_draft *d)
{
	postgres_put_word(d, F_SCHEMA, "*");
	postgres_put_word(d, F_TABLES, "*");
}

void postgres_emit(const struct dis_sink *sink, enum dis_kind kind, const struct postgres_draft *d)
{
	const struct dis_event e = {
		.kind = kind, .flags = d->flags, .values = d->v, .n_values = d->n};
	sink->event(sink->ctx, &e);
}

/* ---------------------------------------------------------------- schemas and tables */

/* That schema is searched first, unless a path names it behind another. */
static bool is_of_catalog(const struct postgres_state *st, struct bytes name)
{
	return !st->is_catalog_late && !st->is_path_lost && postgres_is_catalog(name);
}

/* It may be there, or anywhere. */
static bool may_be_of_catalog(struct bytes name)
{
	return name.n > 3 && bytes_is(bytes_slice(name, 0, 3), "pg_");
}

static void put_schema(struct postgres_draft *d, struct bytes schema)
{
	if (!sql_event_has(d->v, d->n, F_SCHEMA, schema))
		postgres_put_text(d, F_SCHEMA, schema);
}

/* The schemas in which a bare name may be found. */
static void put_searched(struct postgres_draft *d, const struct postgres_state *st,
			 struct bytes name)
{
	d->has_bare = true;
	if (is_of_catalog(st, name)) {
		put_schema(d, bytes_str("pg_catalog"));
		return;
	}
	if (st->is_path_lost)
		d->flags |= DIS_UNPROVEN;
	put_schema(d, bytes_str("public"));
	if (may_be_of_catalog(name))
		put_schema(d, bytes_str("pg_catalog"));
	for (size_t i = 0; i < st->n_paths; i++)
		put_schema(d, postgres_name_of(&st->paths[i]));
}

/* A table of public is named without it. */
static void put_table(struct postgres_draft *d, struct bytes schema, struct bytes name)
{
	if (sql_event_is_ambiguous(schema, name))
		d->flags |= DIS_UNPROVEN;
	if (bytes_is(schema, "public")) {
		postgres_put_text(d, F_TABLES, name);
		return;
	}
	const struct bytes qualified = sql_event_qualify(&d->qualified, schema, name);
	if (qualified.n == 0)
		d->flags |= DIS_UNPROVEN;
	postgres_put_text(d, F_TABLES, qualified);
}

static void put_bare(struct postgres_draft *d, const struct postgres_state *st, struct bytes name)
{
	if (is_of_catalog(st, name)) {
		put_table(d, bytes_str("pg_catalog"), name);
		return;
	}
	put_table(d, bytes_str("public"), name);
	if (may_be_of_catalog(name))
		put_table(d, bytes_str("pg_catalog"), name);
	for (size_t i = 0; i < st->n_paths; i++)
		put_table(d, postgres_name_of(&st->paths[i]), name);
}

void postgres_put_objects(struct postgres_draft *d, const struct postgres_state *st,
			  const struct pgsql *s)
{
	if (s->effects & PGSQL_HAS_DATABASE) {
		postgres_put_text(d, F_DATABASE, sql_table_name(&s->object, s->names));
		postgres_put_everything(d);
		return;
	}
	if (s->is_everything) {
		postgres_put_everything(d);
		return;
	}
	for (size_t i = 0; i < s->n_tables; i++) {
		const struct bytes schema = sql_table_schema(&s->tables[i], s->names);
		if (schema.n)
			put_schema(d, schema);
		else
			put_searched(d, st, sql_table_name(&s->tables[i], s->names));
	}
	for (size_t i = 0; i < s->n_tables; i++) {
		const struct bytes schema = sql_table_schema(&s->tables[i], s->names);
		const struct bytes name = sql_table_name(&s->tables[i], s->names);
		if (schema.n == 0)
			put_bare(d, st, name);
		else if (name.n)
			put_table(d, schema, name);
		else if (s->verb != PGSQL_SET)
			put_table(d, schema, bytes_str("*")); /* all that is in it */
	}
}

void postgres_put_facts(struct postgres_draft *d, const struct pgsql *s, unsigned place)
{
	static const struct sql_fact_fields fields = {F_FUNCTIONS, F_WHERE, F_STATEMENTS, F_DIGEST};
	const struct sql_facts f = {
		.calls = &s->calls,
		.functions = &pgsql_callables,
		.names = s->names,
		.digest = &s->digest,
		.is_unproven = d->flags & DIS_UNPROVEN,
		.changes_rows = s->verb == PGSQL_UPDATE || s->verb == PGSQL_DELETE,
		.has_where = s->has_where,
		.place = place,
	};
	if (!sql_event_put_facts(d->v, &d->n, &fields, &f, d->digest))
		d->flags |= DIS_UNPROVEN;
}
