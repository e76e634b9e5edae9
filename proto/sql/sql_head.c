/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How statements begin, up to the first table or the first query. A beginning that is not written
 * here is unproven.
 */
#include "sql/sql_head.h"

/* ---------------------------------------------------------------- the first word */

/* A statement by its first word: the verb, then where to go on. `rest` is SQL_S_HEAD when `head`
 * says it. */
static const struct opening {
	uint8_t word, verb, head, rest;
	bool is_unproven;
} openings[] = {
	{SQL_W_SELECT, SQL_SELECT, 0, SQL_S_START, false},
	{SQL_W_VALUES, SQL_SELECT, 0, SQL_S_START, false},
	{SQL_W_TABLE, SQL_SELECT, 0, SQL_S_START, false},
	{SQL_W_WITH, SQL_SELECT, SQL_H_WITH, SQL_S_HEAD, false},
	{SQL_W_INSERT, SQL_INSERT, SQL_H_INSERT, SQL_S_HEAD, false},
	{SQL_W_REPLACE, SQL_REPLACE, SQL_H_INSERT, SQL_S_HEAD, false},
	{SQL_W_UPDATE, SQL_UPDATE, SQL_H_UPDATE, SQL_S_HEAD, false},
	{SQL_W_DELETE, SQL_DELETE, SQL_H_DELETE, SQL_S_HEAD, false},
	{SQL_W_DO, SQL_DO, 0, SQL_S_EXPR, false},
	{SQL_W_SHOW, SQL_SHOW, SQL_H_SHOW, SQL_S_HEAD, false},
	{SQL_W_DESCRIBE, SQL_DESCRIBE, SQL_H_EXPLAIN, SQL_S_HEAD, false},
	{SQL_W_DESC, SQL_DESCRIBE, SQL_H_EXPLAIN, SQL_S_HEAD, false},
	{SQL_W_EXPLAIN, SQL_EXPLAIN, SQL_H_EXPLAIN, SQL_S_HEAD, false},
	{SQL_W_HELP, SQL_HELP, 0, SQL_S_REST, false},
	{SQL_W_USE, SQL_USE, SQL_H_USE, SQL_S_HEAD, false},
	{SQL_W_SET, SQL_SET, SQL_H_SET, SQL_S_HEAD, false},
	{SQL_W_BEGIN, SQL_BEGIN, SQL_H_BEGIN_WORK, SQL_S_HEAD, false},
	{SQL_W_START, SQL_REPLICATION, SQL_H_BEGIN, SQL_S_HEAD, false},
	{SQL_W_COMMIT, SQL_COMMIT, 0, SQL_S_REST, false},
	{SQL_W_ROLLBACK, SQL_ROLLBACK, 0, SQL_S_REST, false},
	{SQL_W_SAVEPOINT, SQL_SAVEPOINT, 0, SQL_S_REST, false},
	{SQL_W_RELEASE, SQL_RELEASE, 0, SQL_S_REST, false},
	{SQL_W_XA, SQL_XA, 0, SQL_S_REST, false},
	{SQL_W_LOCK, SQL_LOCK, SQL_H_LOCK, SQL_S_HEAD, false},
	{SQL_W_UNLOCK, SQL_UNLOCK, 0, SQL_S_REST, false},
	{SQL_W_DEALLOCATE, SQL_DEALLOCATE, 0, SQL_S_REST, false},
	{SQL_W_CREATE, SQL_CREATE, SQL_H_OBJECT, SQL_S_HEAD, false},
	{SQL_W_ALTER, SQL_ALTER, SQL_H_OBJECT, SQL_S_HEAD, false},
	{SQL_W_DROP, SQL_DROP, SQL_H_OBJECT, SQL_S_HEAD, false},
	{SQL_W_RENAME, SQL_RENAME, SQL_H_OBJECT, SQL_S_HEAD, false},
	{SQL_W_TRUNCATE, SQL_TRUNCATE, SQL_H_TRUNCATE, SQL_S_HEAD, false},
	{SQL_W_ANALYZE, SQL_ANALYZE, SQL_H_MAINTAIN, SQL_S_HEAD, false},
	{SQL_W_CHECK, SQL_CHECK, SQL_H_MAINTAIN, SQL_S_HEAD, false},
	{SQL_W_CHECKSUM, SQL_CHECKSUM, SQL_H_MAINTAIN, SQL_S_HEAD, false},
	{SQL_W_OPTIMIZE, SQL_OPTIMIZE, SQL_H_MAINTAIN, SQL_S_HEAD, false},
	{SQL_W_REPAIR, SQL_REPAIR, SQL_H_MAINTAIN, SQL_S_HEAD, false},
	{SQL_W_GRANT, SQL_GRANT, SQL_H_GRANT, SQL_S_HEAD, false},
	{SQL_W_REVOKE, SQL_REVOKE, SQL_H_GRANT, SQL_S_HEAD, false},
	{SQL_W_FLUSH, SQL_FLUSH, SQL_H_FLUSH, SQL_S_HEAD, false},
	{SQL_W_KILL, SQL_KILL, 0, SQL_S_EXPR, false},
	{SQL_W_RESET, SQL_RESET, 0, SQL_S_REST, false},
	{SQL_W_PURGE, SQL_PURGE, 0, SQL_S_EXPR, false},
	{SQL_W_SHUTDOWN, SQL_SHUTDOWN, 0, SQL_S_REST, false},
	{SQL_W_STOP, SQL_REPLICATION, 0, SQL_S_REST, false},
	{SQL_W_CHANGE, SQL_REPLICATION, 0, SQL_S_REST, false},
	{SQL_W_INSTALL, SQL_PLUGIN, 0, SQL_S_REST, false},
	{SQL_W_UNINSTALL, SQL_PLUGIN, 0, SQL_S_REST, false},
	{SQL_W_CALL, SQL_CALL, 0, SQL_S_REST, true},
	{SQL_W_LOAD, SQL_LOAD, 0, SQL_S_REST, true},
	{SQL_W_HANDLER, SQL_HANDLER, 0, SQL_S_REST, true},
	{SQL_W_PREPARE, SQL_PREPARE, 0, SQL_S_REST, true},
	{SQL_W_EXECUTE, SQL_EXECUTE, 0, SQL_S_REST, true},
	{SQL_W_BINLOG, SQL_REPLICATION, 0, SQL_S_REST, true},
	{SQL_W_CLONE, SQL_CLONE, 0, SQL_S_REST, true},
};

void sql_head_start(struct sql *s)
{
	const bool keeps_verb = s->verb == SQL_EXPLAIN || s->verb == SQL_DESCRIBE;
	if (sql_is_punct(s, '(')) {
		s->verb = keeps_verb ? s->verb : SQL_SELECT;
		head_query(s);
		return;
	}
	for (size_t i = 0; i < sizeof(openings) / sizeof(openings[0]); i++) {
		const struct opening *o = &openings[i];
		if (s->token.kind != SQL_T_WORD || s->token.word != o->word)
			continue;
		s->verb = keeps_verb ? s->verb : o->verb;
		s->is_unproven |= o->is_unproven;
		head_go(s, (enum sql_head)o->head);
		head_rest(s, (enum sql_state)o->rest);
		if (o->rest == SQL_S_START)
			head_query(s);
		return;
	}
	sql_doubt(s);
	head_rest(s, SQL_S_REST);
}

/* ---------------------------------------------------------------- rows are written, read, removed
 */

/* The query that WITH named last can be referred to from here on. */
static void keep_cte(struct sql *s)
{
	if (s->cte.name_n && s->n_ctes < SQL_CTES_MAX)
		s->ctes[s->n_ctes++] = s->cte;
	s->cte = (struct sql_table){0};
}

/* Inside its own query the name means itself only after RECURSIVE, else a table. */
static void on_with_open(struct sql *s)
{
	if (s->previous_word == SQL_W_AS) {
		if (s->is_with_recursive)
			keep_cte(s);
		sql_push(s, SQL_S_HEAD, SQL_K_QUERY, 0);
	} else if (s->previous_kind == SQL_T_PUNCT) {
		keep_cte(s);
		head_query(s);
	} else {
		sql_push(s, SQL_S_HEAD, SQL_K_SKIP, 0);
	}
}

static void on_with(struct sql *s)
{
	if (sql_is_word(s, SQL_W_RECURSIVE) && s->previous_word == SQL_W_WITH) {
		s->is_with_recursive = 1;
	} else if (sql_is_punct(s, '(')) {
		on_with_open(s);
	} else if (sql_is_punct(s, ',')) {
		keep_cte(s);
	} else if (HEAD_IS(s, SQL_W_SELECT, SQL_W_VALUES, SQL_W_TABLE)) {
		keep_cte(s);
		head_query(s);
	} else if (HEAD_IS(s, SQL_W_UPDATE, SQL_W_DELETE, SQL_W_INSERT, SQL_W_REPLACE)) {
		s->n_ctes = 0; /* what is written to is never a CTE; that it is read counts as a
				  table */
		sql_head_start(s);
	} else if (sql_is_name(s) && s->cte.name_n == 0) {
		(void)sql_keep_name(s, &s->cte.name_at, &s->cte.name_n); /* it doubts by itself */
	} else if (!sql_is_word(s, SQL_W_AS)) {
		sql_doubt(s);
	}
}

static void on_insert(struct sql *s)
{
	if (!HEAD_IS(s, SQL_W_LOW_PRIORITY, SQL_W_DELAYED, SQL_W_HIGH_PRIORITY, SQL_W_IGNORE,
		     SQL_W_INTO))
		head_refs_with(s, SQL_C_INSERT);
}

static void on_update(struct sql *s)
{
	if (!HEAD_IS(s, SQL_W_LOW_PRIORITY, SQL_W_IGNORE))
		head_refs_with(s, SQL_C_UPDATE);
}

static void on_delete(struct sql *s)
{
	if (sql_is_word(s, SQL_W_FROM))
		head_refs(s, SQL_C_DELETE);
	else if (!HEAD_IS(s, SQL_W_LOW_PRIORITY, SQL_W_QUICK, SQL_W_IGNORE))
		head_go(s, SQL_H_TARGETS);
}

/* These must be tables or aliases of the FROM that follows, or the server refuses. */
static void on_targets(struct sql *s)
{
	if (sql_is_word(s, SQL_W_FROM))
		head_refs(s, SQL_C_FROM);
	else if (!sql_is_name(s) && !sql_is_punct(s, ',') && !sql_is_punct(s, '.') &&
		 !sql_is_punct(s, '*'))
		sql_doubt(s);
}

/* ---------------------------------------------------------------- the session */

static void on_use(struct sql *s)
{
	head_add_schema(s);
	s->effects |= SQL_USES_SCHEMA;
	head_go(s, SQL_H_END);
}

static void on_begin(struct sql *s)
{
	if (sql_is_word(s, SQL_W_TRANSACTION))
		s->verb = SQL_BEGIN;
	head_rest(s, SQL_S_REST);
}

static void on_end(struct sql *s)
{
	if (s->token.kind != SQL_T_END)
		sql_doubt(s);
}

static void on_lock(struct sql *s)
{
	if (HEAD_IS(s, SQL_W_TABLE, SQL_W_TABLES))
		head_refs(s, SQL_C_LIST);
	else
		sql_doubt(s);
}

static void on_maintain(struct sql *s)
{
	if (HEAD_IS(s, SQL_W_TABLE, SQL_W_TABLES))
		head_refs(s, SQL_C_LIST);
	else if (sql_is_word(s, SQL_W_SELECT) && s->verb == SQL_ANALYZE)
		sql_head_start(s);
	else if (!sql_is_word(s, SQL_W_LOCAL) &&
		 !bytes_is_nocase(sql_text(s), "no_write_to_binlog"))
		sql_doubt(s);
}

static void on_flush_tables(struct sql *s)
{
	if (s->token.kind == SQL_T_END || HEAD_IS(s, SQL_W_WITH, SQL_W_FOR))
		head_rest(s, SQL_S_REST);
	else
		head_refs_with(s, SQL_C_LIST);
}

static void on_flush(struct sql *s)
{
	if (HEAD_IS(s, SQL_W_TABLE, SQL_W_TABLES))
		head_go(s, SQL_H_FLUSH_TABLES);
	else if (!sql_is_word(s, SQL_W_LOCAL) &&
		 !bytes_is_nocase(sql_text(s), "no_write_to_binlog"))
		head_rest(s, SQL_S_REST);
}

/* GRANT of a role has no ON. */
static void on_grant(struct sql *s)
{
	if (sql_is_word(s, SQL_W_ON))
		head_go(s, SQL_H_GRANT_ON);
}

/* The star stands for itself: only a rule that allows "*" allows it. */
static void on_grant_on(struct sql *s)
{
	if (HEAD_IS(s, SQL_W_FUNCTION, SQL_W_PROCEDURE) || s->token.kind == SQL_T_END)
		sql_doubt(s);
	else if (!sql_is_word(s, SQL_W_TABLE))
		head_refs_with(s, SQL_C_GRANT);
}

void sql_head_token(struct sql *s)
{
	switch ((enum sql_head)s->head) {
	case SQL_H_START:
		sql_head_start(s);
		break;
	case SQL_H_WITH:
		on_with(s);
		break;
	case SQL_H_INSERT:
		on_insert(s);
		break;
	case SQL_H_UPDATE:
		on_update(s);
		break;
	case SQL_H_DELETE:
		on_delete(s);
		break;
	case SQL_H_TARGETS:
		on_targets(s);
		break;
	case SQL_H_USE:
		on_use(s);
		break;
	case SQL_H_END:
		on_end(s);
		break;
	case SQL_H_BEGIN:
		on_begin(s);
		break;
	case SQL_H_BEGIN_WORK:
		if (!sql_is_word(s, SQL_W_WORK))
			on_end(s);
		break;
	case SQL_H_LOCK:
		on_lock(s);
		break;
	case SQL_H_MAINTAIN:
		on_maintain(s);
		break;
	case SQL_H_FLUSH:
		on_flush(s);
		break;
	case SQL_H_FLUSH_TABLES:
		on_flush_tables(s);
		break;
	case SQL_H_GRANT:
		on_grant(s);
		break;
	case SQL_H_GRANT_ON:
		on_grant_on(s);
		break;
	case SQL_H_OBJECT:
	case SQL_H_TABLE:
	case SQL_H_INDEX:
	case SQL_H_SCHEMA:
	case SQL_H_TRUNCATE:
	case SQL_H_OPTION:
	case SQL_H_ENGINE:
	case SQL_H_RENAME:
		sql_object_token(s);
		break;
	case SQL_H_SHOW:
	case SQL_H_SHOW_IN:
	case SQL_H_SHOW_OF:
	case SQL_H_SHOW_CREATE:
	case SQL_H_SHOW_SCHEMA:
	case SQL_H_EXPLAIN:
		sql_show_token(s);
		break;
	case SQL_H_SET:
	case SQL_H_SET_IS:
	case SQL_H_SET_MODE:
	case SQL_H_SET_CHARSET:
	case SQL_H_SET_COLLATE:
		sql_set_token(s);
		break;
	}
}
