/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How statements begin, up to the first table or the first query. A beginning that is not written
 * here is unproven.
 */
#include "postgres/pgsql_grammar.h"

enum { GOAL_EXECUTES = 1 }; /* EXPLAIN ANALYZE runs the statement */

/* A statement by its first word: the verb, then where to go on. `rest` is PGSQL_S_HEAD when `head`
 * says it. */
static const struct opening {
	uint8_t word, verb, head, rest;
	bool is_unproven;
} openings[] = {
	{PGSQL_W_SELECT, PGSQL_SELECT, 0, PGSQL_S_START, false},
	{PGSQL_W_VALUES, PGSQL_SELECT, 0, PGSQL_S_START, false},
	{PGSQL_W_TABLE, PGSQL_SELECT, 0, PGSQL_S_START, false},
	{PGSQL_W_WITH, PGSQL_SELECT, PGSQL_H_WITH, PGSQL_S_HEAD, false},
	{PGSQL_W_INSERT, PGSQL_INSERT, PGSQL_H_INSERT, PGSQL_S_HEAD, false},
	{PGSQL_W_UPDATE, PGSQL_UPDATE, 0, PGSQL_S_REF, false},
	{PGSQL_W_DELETE, PGSQL_DELETE, PGSQL_H_DELETE, PGSQL_S_HEAD, false},
	{PGSQL_W_MERGE, PGSQL_MERGE, PGSQL_H_MERGE, PGSQL_S_HEAD, false},
	{PGSQL_W_COPY, PGSQL_COPY_OUT, PGSQL_H_COPY, PGSQL_S_HEAD, false},
	{PGSQL_W_EXPLAIN, PGSQL_EXPLAIN, PGSQL_H_EXPLAIN, PGSQL_S_HEAD, false},
	{PGSQL_W_DECLARE, PGSQL_DECLARE, PGSQL_H_DECLARE, PGSQL_S_HEAD, false},
	{PGSQL_W_FETCH, PGSQL_FETCH, 0, PGSQL_S_REST, false},
	{PGSQL_W_MOVE, PGSQL_FETCH, 0, PGSQL_S_REST, false},
	{PGSQL_W_CLOSE, PGSQL_CLOSE, 0, PGSQL_S_REST, false},
	{PGSQL_W_SHOW, PGSQL_SHOW, 0, PGSQL_S_REST, false},
	{PGSQL_W_SET, PGSQL_SET, PGSQL_H_SET, PGSQL_S_HEAD, false},
	{PGSQL_W_RESET, PGSQL_RESET, PGSQL_H_RESET, PGSQL_S_HEAD, false},
	{PGSQL_W_DISCARD, PGSQL_DISCARD, PGSQL_H_DISCARD, PGSQL_S_HEAD, false},
	{PGSQL_W_DEALLOCATE, PGSQL_DEALLOCATE, PGSQL_H_DEALLOCATE, PGSQL_S_HEAD, false},
	{PGSQL_W_BEGIN, PGSQL_BEGIN, 0, PGSQL_S_REST, false},
	{PGSQL_W_START, PGSQL_BEGIN, 0, PGSQL_S_REST, false},
	{PGSQL_W_COMMIT, PGSQL_COMMIT, 0, PGSQL_S_REST, false},
	{PGSQL_W_END, PGSQL_COMMIT, 0, PGSQL_S_REST, false},
	{PGSQL_W_ROLLBACK, PGSQL_ROLLBACK, 0, PGSQL_S_REST, false},
	{PGSQL_W_ABORT, PGSQL_ROLLBACK, 0, PGSQL_S_REST, false},
	{PGSQL_W_SAVEPOINT, PGSQL_SAVEPOINT, 0, PGSQL_S_REST, false},
	{PGSQL_W_RELEASE, PGSQL_RELEASE, 0, PGSQL_S_REST, false},
	{PGSQL_W_LOCK, PGSQL_LOCK, PGSQL_H_LOCK, PGSQL_S_HEAD, false},
	{PGSQL_W_LISTEN, PGSQL_LISTEN, 0, PGSQL_S_REST, false},
	{PGSQL_W_UNLISTEN, PGSQL_UNLISTEN, 0, PGSQL_S_REST, false},
	{PGSQL_W_NOTIFY, PGSQL_NOTIFY, 0, PGSQL_S_REST, false},
	{PGSQL_W_CREATE, PGSQL_CREATE, PGSQL_H_OBJECT, PGSQL_S_HEAD, false},
	{PGSQL_W_ALTER, PGSQL_ALTER, PGSQL_H_OBJECT, PGSQL_S_HEAD, false},
	{PGSQL_W_DROP, PGSQL_DROP, PGSQL_H_OBJECT, PGSQL_S_HEAD, false},
	{PGSQL_W_TRUNCATE, PGSQL_TRUNCATE, PGSQL_H_LOCK, PGSQL_S_HEAD, false},
	{PGSQL_W_COMMENT, PGSQL_COMMENT, PGSQL_H_COMMENT, PGSQL_S_HEAD, false},
	{PGSQL_W_REFRESH, PGSQL_REFRESH, PGSQL_H_REFRESH, PGSQL_S_HEAD, false},
	{PGSQL_W_REASSIGN, PGSQL_ACCOUNT, 0, PGSQL_S_REST, true},
	{PGSQL_W_GRANT, PGSQL_GRANT, PGSQL_H_GRANT, PGSQL_S_HEAD, false},
	{PGSQL_W_REVOKE, PGSQL_REVOKE, PGSQL_H_GRANT, PGSQL_S_HEAD, false},
	{PGSQL_W_ANALYZE, PGSQL_ANALYZE, PGSQL_H_MAINTAIN, PGSQL_S_HEAD, false},
	{PGSQL_W_ANALYSE, PGSQL_ANALYZE, PGSQL_H_MAINTAIN, PGSQL_S_HEAD, false},
	{PGSQL_W_VACUUM, PGSQL_VACUUM, PGSQL_H_MAINTAIN, PGSQL_S_HEAD, false},
	{PGSQL_W_CLUSTER, PGSQL_CLUSTER, PGSQL_H_MAINTAIN, PGSQL_S_HEAD, false},
	{PGSQL_W_REINDEX, PGSQL_REINDEX, PGSQL_H_MAINTAIN, PGSQL_S_HEAD, false},
	{PGSQL_W_CHECKPOINT, PGSQL_CHECKPOINT, 0, PGSQL_S_REST, false},
	{PGSQL_W_CALL, PGSQL_CALL, 0, PGSQL_S_REST, true},
	{PGSQL_W_DO, PGSQL_DO, 0, PGSQL_S_REST, true},
	{PGSQL_W_PREPARE, PGSQL_PREPARE, 0, PGSQL_S_REST, true},
	{PGSQL_W_EXECUTE, PGSQL_EXECUTE, 0, PGSQL_S_REST, true},
	{PGSQL_W_LOAD, PGSQL_LOAD, 0, PGSQL_S_REST, true},
};

static void open_with(struct pgsql *s, const struct opening *o, bool keeps_verb)
{
	s->verb = keeps_verb ? s->verb : o->verb;
	s->is_unproven |= o->is_unproven;
	s->head = o->head;
	s->frames[0] = (struct pgsql_frame){.state = o->rest};
	if (o->rest == PGSQL_S_START)
		pgsql_begin_query(s);
	if (o->rest == PGSQL_S_REF)
		pgsql_refs(s, PGSQL_C_UPDATE);
}

void pgsql_head_start(struct pgsql *s)
{
	const bool keeps_verb = s->verb == PGSQL_EXPLAIN && s->goal != GOAL_EXECUTES;
	if (pgsql_is_punct(s, '(')) {
		s->verb = keeps_verb ? s->verb : PGSQL_SELECT;
		pgsql_begin_query(s);
		return;
	}
	for (size_t i = 0; i < sizeof(openings) / sizeof(openings[0]); i++) {
		if (s->token.kind != PGSQL_T_WORD || s->token.word != openings[i].word)
			continue;
		open_with(s, &openings[i], keeps_verb);
		return;
	}
	pgsql_doubt(s);
	pgsql_rest(s, PGSQL_S_REST);
}

/* ---------------------------------------------------------------- rows are read, written, removed
 */

/* The query that WITH named last can be referred to from here on. */
static void keep_cte(struct pgsql *s)
{
	if (s->cte.name_n && s->n_ctes < SQL_CTES_MAX)
		s->ctes[s->n_ctes++] = s->cte;
	s->cte = (struct sql_table){0};
}

/* Inside its own query the name means itself only after RECURSIVE, else a table. */
static void on_with_open(struct pgsql *s)
{
	if (s->previous_word == PGSQL_W_AS || s->previous_word == PGSQL_W_MATERIALIZED) {
		if (s->is_with_recursive)
			keep_cte(s);
		pgsql_push(s, PGSQL_S_HEAD, PGSQL_K_QUERY, 0);
	} else if (s->previous_kind == PGSQL_T_PUNCT) {
		keep_cte(s);
		pgsql_head_start(s);
	} else {
		pgsql_push(s, PGSQL_S_HEAD, PGSQL_K_SKIP, 0);
	}
}

static bool is_main_statement(const struct pgsql *s)
{
	return s->previous_kind == PGSQL_T_PUNCT && s->previous_byte == ')' &&
	       PGSQL_IS(s, PGSQL_W_SELECT, PGSQL_W_VALUES, PGSQL_W_TABLE, PGSQL_W_INSERT,
			PGSQL_W_UPDATE, PGSQL_W_DELETE, PGSQL_W_MERGE);
}

static void on_with(struct pgsql *s)
{
	if (pgsql_is_word(s, PGSQL_W_RECURSIVE) && s->previous_word == PGSQL_W_WITH) {
		s->is_with_recursive = 1;
	} else if (pgsql_is_punct(s, '(')) {
		on_with_open(s);
	} else if (pgsql_is_punct(s, ',')) {
		keep_cte(s);
	} else if (is_main_statement(s)) {
		keep_cte(s);
		pgsql_head_start(s);
	} else if (pgsql_is_name(s) && s->cte.name_n == 0 && !pgsql_is_word(s, PGSQL_W_AS) &&
		   (s->n_ctes == 0 || s->previous_byte == ',' ||
		    s->previous_word == PGSQL_W_RECURSIVE)) {
		(void)pgsql_keep_name(s, &s->cte.name_at, &s->cte.name_n); /* doubts itself */
	} else if (!PGSQL_IS(s, PGSQL_W_AS, PGSQL_W_NOT, PGSQL_W_MATERIALIZED)) {
		pgsql_doubt(s);
	}
}

static void on_insert(struct pgsql *s)
{
	if (pgsql_is_word(s, PGSQL_W_INTO))
		pgsql_refs(s, s->verb == PGSQL_MERGE || s->head == PGSQL_H_MERGE ? PGSQL_C_MERGE
										 : PGSQL_C_INSERT);
	else
		pgsql_doubt(s);
}

static void on_delete(struct pgsql *s)
{
	if (pgsql_is_word(s, PGSQL_W_FROM))
		pgsql_refs(s, PGSQL_C_DELETE);
	else
		pgsql_doubt(s);
}

/* EXPLAIN [ANALYZE] [VERBOSE] [(options)] statement */
static void on_explain(struct pgsql *s)
{
	if (PGSQL_IS(s, PGSQL_W_ANALYZE, PGSQL_W_ANALYSE))
		s->goal = GOAL_EXECUTES;
	else if (pgsql_is_punct(s, '('))
		pgsql_push(s, PGSQL_S_HEAD, PGSQL_K_SKIP, 0);
	else if (s->token.kind != PGSQL_T_END && !pgsql_is_word(s, PGSQL_W_VERBOSE))
		pgsql_head_start(s);
}

static void on_declare(struct pgsql *s)
{
	if (pgsql_is_word(s, PGSQL_W_FOR))
		s->frames[0] = (struct pgsql_frame){.state = PGSQL_S_START};
	else if (s->token.kind == PGSQL_T_END)
		pgsql_doubt(s);
}

/* ---------------------------------------------------------------- COPY */

enum { COPIES_IN = 1, COPIES_OUT };

static void take_direction(struct pgsql *s)
{
	s->goal = pgsql_is_word(s, PGSQL_W_FROM) ? COPIES_IN : COPIES_OUT;
	if (!PGSQL_IS(s, PGSQL_W_FROM, PGSQL_W_TO))
		pgsql_doubt(s);
	pgsql_go(s, PGSQL_H_COPY_END);
}

static void on_copy(struct pgsql *s)
{
	if (pgsql_is_punct(s, '('))
		pgsql_push(s, PGSQL_S_HEAD, PGSQL_K_QUERY, 0);
	else if (s->previous_kind == PGSQL_T_PUNCT)
		take_direction(s);
	else if (!pgsql_is_word(s, PGSQL_W_BINARY))
		pgsql_refs_with(s, PGSQL_C_COPY);
}

/* The server's own files and programs. */
static void on_copy_end(struct pgsql *s)
{
	if (PGSQL_IS(s, PGSQL_W_STDIN, PGSQL_W_STDOUT)) {
		s->verb = s->goal == COPIES_IN ? PGSQL_COPY_IN : PGSQL_COPY_OUT;
	} else {
		s->verb = pgsql_is_word(s, PGSQL_W_PROGRAM) ? PGSQL_COPY_PROGRAM : PGSQL_COPY_FILE;
		pgsql_doubt(s);
	}
	s->frames[0] = (struct pgsql_frame){.state = PGSQL_S_EXPR};
}

/* ---------------------------------------------------------------- tables without a query */

static void on_lock(struct pgsql *s)
{
	if (!pgsql_is_word(s, PGSQL_W_TABLE))
		pgsql_refs_with(s, PGSQL_C_LIST);
}

static bool is_maintain_word(const struct pgsql *s)
{
	if (PGSQL_IS(s, PGSQL_W_FULL, PGSQL_W_FREEZE, PGSQL_W_VERBOSE, PGSQL_W_ANALYZE,
		     PGSQL_W_ANALYSE, PGSQL_W_CONCURRENTLY, PGSQL_W_TABLE))
		return true;
	return s->verb == PGSQL_REINDEX && pgsql_is_word(s, PGSQL_W_INDEX);
}

/* VACUUM alone: every table there is. */
static void on_maintain(struct pgsql *s)
{
	const bool is_whole = s->verb == PGSQL_REINDEX &&
			      PGSQL_IS(s, PGSQL_W_SCHEMA, PGSQL_W_DATABASE, PGSQL_W_SYSTEM);
	if (s->token.kind == PGSQL_T_END || is_whole) {
		s->is_everything = 1;
		pgsql_rest(s, PGSQL_S_REST);
	} else if (pgsql_is_punct(s, '(')) {
		pgsql_push(s, PGSQL_S_HEAD, PGSQL_K_SKIP, 0);
	} else if (!is_maintain_word(s)) {
		pgsql_refs_with(s, PGSQL_C_MAINTAIN);
	}
}

static void on_refresh(struct pgsql *s)
{
	if (!PGSQL_IS(s, PGSQL_W_MATERIALIZED, PGSQL_W_VIEW, PGSQL_W_CONCURRENTLY))
		pgsql_refs_with(s, PGSQL_C_ONE);
}

static void on_comment(struct pgsql *s)
{
	if (pgsql_is_word(s, PGSQL_W_ON))
		pgsql_go(s, PGSQL_H_COMMENT_ON);
	else
		pgsql_doubt(s);
}

static void on_comment_on(struct pgsql *s)
{
	if (PGSQL_IS(s, PGSQL_W_TABLE, PGSQL_W_INDEX, PGSQL_W_SEQUENCE, PGSQL_W_VIEW))
		pgsql_refs(s, PGSQL_C_ONE);
	else if (!pgsql_is_word(s, PGSQL_W_MATERIALIZED))
		pgsql_doubt(s);
}

/* ---------------------------------------------------------------- rights */

/* GRANT of a role has no ON. */
static void on_grant(struct pgsql *s)
{
	if (pgsql_is_word(s, PGSQL_W_ON))
		pgsql_go(s, PGSQL_H_GRANT_ON);
}

static void on_grant_on(struct pgsql *s)
{
	if (pgsql_is_word(s, PGSQL_W_TABLE))
		pgsql_refs(s, PGSQL_C_GRANT);
	else if (pgsql_is_word(s, PGSQL_W_ALL))
		pgsql_go(s, PGSQL_H_GRANT_ALL);
	else
		pgsql_refs_with(s, PGSQL_C_GRANT);
}

/* ALL TABLES IN SCHEMA a, b */
static void on_grant_all(struct pgsql *s)
{
	const bool is_next = s->previous_word == PGSQL_W_SCHEMA ||
			     (s->previous_kind == PGSQL_T_PUNCT && s->previous_byte == ',');
	if (is_next)
		pgsql_add_schema(s);
	else if (PGSQL_IS(s, PGSQL_W_TO, PGSQL_W_FROM) && s->n_tables)
		pgsql_rest(s, PGSQL_S_REST);
	else if (!PGSQL_IS(s, PGSQL_W_TABLES, PGSQL_W_IN, PGSQL_W_SCHEMA) &&
		 !pgsql_is_punct(s, ','))
		pgsql_doubt(s);
}

/* ---------------------------------------------------------------- prepared statements */

static void on_deallocate(struct pgsql *s)
{
	if (pgsql_is_word(s, PGSQL_W_PREPARE) && s->previous_word == PGSQL_W_DEALLOCATE)
		return;
	if (pgsql_is_word(s, PGSQL_W_ALL))
		s->effects |= PGSQL_FORGETS_ALL;
	else if (pgsql_is_name(s) && pgsql_keep_name(s, &s->object.name_at, &s->object.name_n))
		s->effects |= PGSQL_FORGETS_ONE;
	else
		pgsql_doubt(s);
	pgsql_go(s, PGSQL_H_END);
}

static void on_discard(struct pgsql *s)
{
	if (pgsql_is_word(s, PGSQL_W_ALL))
		s->effects |= PGSQL_FORGETS_ALL;
	pgsql_rest(s, PGSQL_S_REST);
}

static void on_reset(struct pgsql *s)
{
	if (PGSQL_IS(s, PGSQL_W_ROLE, PGSQL_W_SESSION))
		s->verb = PGSQL_ACCOUNT;
	pgsql_rest(s, PGSQL_S_REST);
}

static void on_end(struct pgsql *s)
{
	if (s->token.kind != PGSQL_T_END)
		pgsql_doubt(s);
}

void pgsql_head_token(struct pgsql *s)
{
	switch ((enum pgsql_head)s->head) {
	case PGSQL_H_START:
		pgsql_head_start(s);
		break;
	case PGSQL_H_WITH:
		on_with(s);
		break;
	case PGSQL_H_INSERT:
	case PGSQL_H_MERGE:
		on_insert(s);
		break;
	case PGSQL_H_DELETE:
		on_delete(s);
		break;
	case PGSQL_H_EXPLAIN:
		on_explain(s);
		break;
	case PGSQL_H_DECLARE:
		on_declare(s);
		break;
	case PGSQL_H_COPY:
		on_copy(s);
		break;
	case PGSQL_H_COPY_END:
		on_copy_end(s);
		break;
	case PGSQL_H_LOCK:
		on_lock(s);
		break;
	case PGSQL_H_MAINTAIN:
		on_maintain(s);
		break;
	case PGSQL_H_REFRESH:
		on_refresh(s);
		break;
	case PGSQL_H_COMMENT:
		on_comment(s);
		break;
	case PGSQL_H_COMMENT_ON:
		on_comment_on(s);
		break;
	case PGSQL_H_GRANT:
		on_grant(s);
		break;
	case PGSQL_H_GRANT_ON:
		on_grant_on(s);
		break;
	case PGSQL_H_GRANT_ALL:
		on_grant_all(s);
		break;
	case PGSQL_H_DEALLOCATE:
		on_deallocate(s);
		break;
	case PGSQL_H_DISCARD:
		on_discard(s);
		break;
	case PGSQL_H_RESET:
		on_reset(s);
		break;
	case PGSQL_H_END:
		on_end(s);
		break;
	case PGSQL_H_OBJECT:
	case PGSQL_H_TABLE:
	case PGSQL_H_INDEX:
	case PGSQL_H_SCHEMA:
	case PGSQL_H_SCHEMAS:
	case PGSQL_H_DATABASE:
	case PGSQL_H_SET_SCHEMA:
		pgsql_object_token(s);
		break;
	case PGSQL_H_SET:
	case PGSQL_H_SET_IS:
	case PGSQL_H_SET_PATH:
	case PGSQL_H_SET_ENCODING:
	case PGSQL_H_SET_STRINGS:
		pgsql_set_token(s);
		break;
	}
}
