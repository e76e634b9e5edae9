/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CREATE, ALTER, DROP, and what may follow a table in the statements that are no queries. */
#include "postgres/pgsql_grammar.h"

enum { OBJECT_WORDS_MAX = 8 }; /* of a CREATE before the kind of object */

/* ---------------------------------------------------------------- the kind of object */

static enum pgsql_clause clause_of_table(const struct pgsql *s)
{
	return s->verb == PGSQL_CREATE	? PGSQL_C_CREATE
	       : s->verb == PGSQL_ALTER ? PGSQL_C_ALTER
					: PGSQL_C_LIST;
}

static void on_account(struct pgsql *s)
{
	s->verb = PGSQL_ACCOUNT;
	if (pgsql_is_word(s, PGSQL_W_OWNED))
		pgsql_doubt(s); /* every table of somebody */
	pgsql_rest(s, PGSQL_S_REST);
}

/* An index or a sequence counts as a table of that name. */
static void on_kind(struct pgsql *s)
{
	if (PGSQL_IS(s, PGSQL_W_TABLE, PGSQL_W_SEQUENCE)) {
		s->goal = (uint8_t)clause_of_table(s);
		pgsql_go(s, PGSQL_H_TABLE);
	} else if (pgsql_is_word(s, PGSQL_W_VIEW)) {
		s->goal = s->verb == PGSQL_CREATE ? PGSQL_C_VIEW : (uint8_t)clause_of_table(s);
		pgsql_go(s, PGSQL_H_TABLE);
	} else if (pgsql_is_word(s, PGSQL_W_INDEX)) {
		s->goal = (uint8_t)clause_of_table(s);
		pgsql_go(s, s->verb == PGSQL_CREATE ? PGSQL_H_INDEX : PGSQL_H_TABLE);
	} else if (pgsql_is_word(s, PGSQL_W_SCHEMA)) {
		pgsql_go(s, PGSQL_H_SCHEMA);
	} else if (pgsql_is_word(s, PGSQL_W_DATABASE)) {
		pgsql_go(s, PGSQL_H_DATABASE);
	} else if (PGSQL_IS(s, PGSQL_W_USER, PGSQL_W_ROLE, PGSQL_W_GROUP, PGSQL_W_OWNED)) {
		on_account(s);
	} else if (pgsql_is_word(s, PGSQL_W_SYSTEM) && s->verb == PGSQL_ALTER) {
		s->verb = PGSQL_SET_GLOBAL;
		pgsql_rest(s, PGSQL_S_REST);
	} else {
		pgsql_doubt(s); /* functions, triggers, rules, extensions, servers, types ... */
	}
}

static void on_object(struct pgsql *s)
{
	if (++s->n_words > OBJECT_WORDS_MAX)
		pgsql_doubt(s);
	else if (!PGSQL_IS(s, PGSQL_W_OR, PGSQL_W_REPLACE, PGSQL_W_TEMP, PGSQL_W_TEMPORARY,
			   PGSQL_W_UNLOGGED, PGSQL_W_GLOBAL, PGSQL_W_LOCAL, PGSQL_W_UNIQUE,
			   PGSQL_W_MATERIALIZED, PGSQL_W_RECURSIVE))
		on_kind(s);
}

static bool is_if_exists(const struct pgsql *s)
{
	return PGSQL_IS(s, PGSQL_W_IF, PGSQL_W_NOT, PGSQL_W_EXISTS, PGSQL_W_CONCURRENTLY);
}

/* ALTER TABLE ALL IN TABLESPACE is refused here: ALL is no name. */
static void on_table(struct pgsql *s)
{
	if (!is_if_exists(s))
		pgsql_refs_with(s, (enum pgsql_clause)s->goal);
}

static void on_index(struct pgsql *s)
{
	if (pgsql_is_word(s, PGSQL_W_ON))
		pgsql_refs(s, PGSQL_C_INDEX);
	else if (s->token.kind == PGSQL_T_END || s->token.kind == PGSQL_T_PUNCT)
		pgsql_doubt(s);
}

/* A schema stands for all that is in it. */
static void on_schema(struct pgsql *s)
{
	if (is_if_exists(s))
		return;
	if (pgsql_is_word(s, PGSQL_W_AUTHORIZATION))
		pgsql_doubt(s); /* named after somebody */
	pgsql_add_schema(s);
	pgsql_go(s, PGSQL_H_SCHEMAS);
}

/* DROP SCHEMA a, b; CREATE SCHEMA a CREATE TABLE ... is not followed. */
static void on_schemas(struct pgsql *s)
{
	const bool is_name = s->previous_kind == PGSQL_T_PUNCT && s->verb == PGSQL_DROP;
	if (is_name)
		pgsql_add_schema(s);
	else if (PGSQL_IS(s, PGSQL_W_CREATE, PGSQL_W_GRANT) ||
		 (s->token.kind == PGSQL_T_PUNCT && !pgsql_is_punct(s, ',')))
		pgsql_doubt(s);
}

static void on_database(struct pgsql *s)
{
	if (is_if_exists(s))
		return;
	if (pgsql_is_name(s) && pgsql_keep_name(s, &s->object.name_at, &s->object.name_n))
		s->effects |= PGSQL_HAS_DATABASE;
	else
		pgsql_doubt(s);
	pgsql_rest(s, PGSQL_S_REST);
}

static void on_set_schema(struct pgsql *s)
{
	pgsql_add_schema(s);
	pgsql_go(s, PGSQL_H_END);
}

void pgsql_object_token(struct pgsql *s)
{
	if (s->head == PGSQL_H_OBJECT)
		on_object(s);
	else if (s->head == PGSQL_H_TABLE)
		on_table(s);
	else if (s->head == PGSQL_H_INDEX)
		on_index(s);
	else if (s->head == PGSQL_H_SCHEMA)
		on_schema(s);
	else if (s->head == PGSQL_H_SCHEMAS)
		on_schemas(s);
	else if (s->head == PGSQL_H_DATABASE)
		on_database(s);
	else
		on_set_schema(s);
}

/* ---------------------------------------------------------------- definitions */

static void refer(struct pgsql *s)
{
	struct pgsql_frame *f = pgsql_top(s);
	f->state = PGSQL_S_REF;
	f->clause = PGSQL_C_REFERENCES;
}

/* LIKE begins an element of a table, and is an operator elsewhere. */
static bool begins_element(const struct pgsql *s)
{
	return s->previous_kind == PGSQL_T_PUNCT &&
	       (s->previous_byte == '(' || s->previous_byte == ',');
}

static bool leads_to_table(const struct pgsql *s)
{
	if (PGSQL_IS(s, PGSQL_W_REFERENCES, PGSQL_W_INHERIT))
		return true;
	if (pgsql_is_word(s, PGSQL_W_LIKE))
		return begins_element(s);
	if (pgsql_is_word(s, PGSQL_W_PARTITION))
		return s->previous_word == PGSQL_W_ATTACH || s->previous_word == PGSQL_W_DETACH;
	if (pgsql_is_word(s, PGSQL_W_OF))
		return s->previous_word == PGSQL_W_PARTITION;
	return pgsql_is_word(s, PGSQL_W_TO) && s->previous_word == PGSQL_W_RENAME;
}

/* CASCADE reaches what depends on a table, but not as in ON DELETE CASCADE; OWNED BY a.b names a
 * table that is not followed. */
static bool is_of_others(const struct pgsql *s)
{
	if (pgsql_is_word(s, PGSQL_W_CASCADE))
		return s->previous_word != PGSQL_W_DELETE && s->previous_word != PGSQL_W_UPDATE;
	return pgsql_is_word(s, PGSQL_W_OWNED);
}

bool pgsql_takes_definition(struct pgsql *s)
{
	const bool is_outer = s->depth == 0;
	if (leads_to_table(s)) {
		refer(s);
	} else if (pgsql_is_punct(s, '(') && s->previous_word == PGSQL_W_INHERITS) {
		pgsql_push(s, PGSQL_S_DEF, PGSQL_K_REFS, 0);
	} else if (pgsql_is_word(s, PGSQL_W_SCHEMA) && s->previous_word == PGSQL_W_SET &&
		   is_outer) {
		pgsql_go(s, PGSQL_H_SET_SCHEMA);
	} else if (pgsql_is_word(s, PGSQL_W_AS) && is_outer && s->goal == PGSQL_C_CREATE) {
		s->frames[0] = (struct pgsql_frame){.state = PGSQL_S_START};
	} else if (is_of_others(s)) {
		pgsql_doubt(s);
	} else {
		return pgsql_is_word(s, PGSQL_W_FROM) && s->previous_word == PGSQL_W_VALUES;
	}
	return true;
}

/* ---------------------------------------------------------------- after a table */

static bool tail_of_insert(struct pgsql *s)
{
	struct pgsql_frame *f = &s->frames[0];
	if (pgsql_is_punct(s, '(')) {
		pgsql_push(s, PGSQL_S_TAIL, PGSQL_K_EXPR, 0); /* a[f()] is a column, too */
	} else if (PGSQL_IS(s, PGSQL_W_SELECT, PGSQL_W_TABLE, PGSQL_W_WITH)) {
		*f = (struct pgsql_frame){.state = PGSQL_S_START, .flags = PGSQL_F_INSERT};
		pgsql_query_token(s);
	} else if (PGSQL_IS(s, PGSQL_W_VALUES, PGSQL_W_DEFAULT, PGSQL_W_ON, PGSQL_W_RETURNING) ||
		   s->token.kind == PGSQL_T_END) {
		f->state = PGSQL_S_EXPR;
	} else if (pgsql_is_word(s, PGSQL_W_AS)) {
		f->state = PGSQL_S_ALIAS;
	} else if (!PGSQL_IS(s, PGSQL_W_OVERRIDING, PGSQL_W_SYSTEM, PGSQL_W_USER) &&
		   !bytes_is_nocase(pgsql_text(s), "value")) {
		pgsql_doubt(s);
	}
	return true;
}

static bool tail_of_update(struct pgsql *s)
{
	if (!pgsql_is_word(s, PGSQL_W_SET))
		return false;
	pgsql_top(s)->state = PGSQL_S_EXPR;
	pgsql_top(s)->flags |= PGSQL_F_UPDATE;
	return true;
}

static bool tail_of_view(struct pgsql *s)
{
	if (pgsql_is_punct(s, '('))
		pgsql_push(s, PGSQL_S_TAIL, PGSQL_K_SKIP, 0);
	else if (pgsql_is_word(s, PGSQL_W_AS))
		s->frames[0] = (struct pgsql_frame){.state = PGSQL_S_START};
	else if (!pgsql_is_word(s, PGSQL_W_WITH))
		pgsql_doubt(s);
	return true;
}

static bool tail_of_definition(struct pgsql *s)
{
	if (pgsql_is_punct(s, '('))
		pgsql_push(s, PGSQL_S_DEF, PGSQL_K_DEF, 0);
	else {
		pgsql_top(s)->state = PGSQL_S_DEF;
		pgsql_query_token(s);
	}
	return true;
}

static bool tail_of_references(struct pgsql *s)
{
	pgsql_top(s)->clause = s->depth == 0 ? s->goal : PGSQL_C_NONE;
	return tail_of_definition(s);
}

/* CASCADE reaches tables that the text does not name. */
static bool tail_of_list(struct pgsql *s)
{
	if (pgsql_is_punct(s, ','))
		s->frames[0].state = PGSQL_S_REF;
	else if (pgsql_is_word(s, PGSQL_W_CASCADE) ||
		 (s->token.kind == PGSQL_T_PUNCT && !pgsql_is_punct(s, '*')))
		pgsql_doubt(s);
	return true;
}

static bool tail_of_grant(struct pgsql *s)
{
	if (pgsql_is_punct(s, ','))
		s->frames[0].state = PGSQL_S_REF;
	else if (PGSQL_IS(s, PGSQL_W_TO, PGSQL_W_FROM))
		s->frames[0].state = PGSQL_S_REST;
	else
		pgsql_doubt(s); /* SCHEMA, FUNCTION, LANGUAGE ... were no tables */
	return true;
}

static bool tail_of_maintain(struct pgsql *s)
{
	if (pgsql_is_punct(s, ','))
		s->frames[0].state = PGSQL_S_REF;
	else if (pgsql_is_punct(s, '('))
		pgsql_push(s, PGSQL_S_TAIL, PGSQL_K_SKIP, 0);
	else if (pgsql_is_word(s, PGSQL_W_USING))
		s->frames[0].state = PGSQL_S_REST;
	else if (s->token.kind != PGSQL_T_END)
		pgsql_doubt(s);
	return true;
}

static bool tail_of_copy(struct pgsql *s)
{
	if (pgsql_is_punct(s, '(')) {
		pgsql_push(s, PGSQL_S_TAIL, PGSQL_K_SKIP, 0);
	} else {
		s->frames[0].state = PGSQL_S_HEAD;
		s->previous_kind = PGSQL_T_PUNCT; /* as behind COPY (query) */
		pgsql_head_token(s);
	}
	return true;
}

bool pgsql_head_tail(struct pgsql *s)
{
	switch ((enum pgsql_clause)pgsql_top(s)->clause) {
	case PGSQL_C_NONE:
	case PGSQL_C_FROM:
	case PGSQL_C_MERGE_USING:
		return false;
	case PGSQL_C_UPDATE:
		return tail_of_update(s);
	case PGSQL_C_DELETE:
	case PGSQL_C_MERGE:
		if (!pgsql_is_word(s, PGSQL_W_USING))
			return false;
		pgsql_refs(s, pgsql_top(s)->clause == PGSQL_C_MERGE ? PGSQL_C_MERGE_USING
								    : PGSQL_C_FROM);
		return true;
	case PGSQL_C_INSERT:
		return tail_of_insert(s);
	case PGSQL_C_LIST:
		return tail_of_list(s);
	case PGSQL_C_GRANT:
		return tail_of_grant(s);
	case PGSQL_C_MAINTAIN:
		return tail_of_maintain(s);
	case PGSQL_C_ONE:
		s->frames[0].state = PGSQL_S_REST;
		return true;
	case PGSQL_C_COPY:
		return tail_of_copy(s);
	case PGSQL_C_CREATE:
	case PGSQL_C_ALTER:
	case PGSQL_C_INDEX:
		return tail_of_definition(s);
	case PGSQL_C_VIEW:
		return tail_of_view(s);
	case PGSQL_C_REFERENCES:
		return tail_of_references(s);
	}
	return false;
}
