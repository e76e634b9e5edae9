/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Queries, at any depth: where a name is a table's.
 *
 * A table can be reached only through words that every server reserves (FROM, JOIN, INTO, TABLE,
 * UNION, SELECT ...). So the grammar need not understand expressions; it must understand each of
 * these words where it stands, and where it does not, the statement is unproven. Behind AS even a
 * reserved word is but a label, and behind a dot a name.
 */
#include "postgres/pgsql_grammar.h"
#include "sql/sql_list.h"

static void go(struct pgsql *s, enum pgsql_state state)
{
	pgsql_top(s)->state = (uint8_t)state;
}

static void again(struct pgsql *s, enum pgsql_state state)
{
	go(s, state);
	pgsql_query_token(s);
}

static bool has(struct pgsql *s, unsigned flag)
{
	return pgsql_top(s)->flags & flag;
}

static void set(struct pgsql *s, unsigned flag)
{
	pgsql_top(s)->flags |= (uint8_t)flag;
}

static void begin_refs(struct pgsql *s, enum pgsql_clause clause)
{
	pgsql_top(s)->clause = (uint8_t)clause;
	pgsql_top(s)->flags &= (uint8_t) ~(PGSQL_F_ALIASED | PGSQL_F_CALL | PGSQL_F_UPDATE);
	go(s, PGSQL_S_REF);
}

/* Opens a parenthesis; `after` is where this level goes on behind it. */
void pgsql_push(struct pgsql *s, enum pgsql_state after, enum pgsql_kind kind, unsigned flags)
{
	go(s, after);
	if (s->depth + 1 >= PGSQL_DEPTH_MAX) {
		pgsql_doubt(s);
		return;
	}
	s->depth++;
	*pgsql_top(s) = (struct pgsql_frame){
		.state = PGSQL_S_OPEN, .kind = (uint8_t)kind, .flags = (uint8_t)flags};
}

static void pop(struct pgsql *s)
{
	if (s->depth == 0)
		pgsql_doubt(s);
	else
		s->depth--;
}

/* ---------------------------------------------------------------- calls */

/* `name (` may run what somebody stored in the database, unless the name is the server's. The name
 * is the token before. */
void pgsql_open_call(struct pgsql *s, enum pgsql_state after)
{
	const bool is_name = s->previous_kind == PGSQL_T_QUOTED || s->previous_kind == PGSQL_T_WORD;
	const enum pgsql_kind kind = after == PGSQL_S_DEF ? PGSQL_K_DEF : PGSQL_K_EXPR;
	const bool is_merge = s->previous_word == PGSQL_W_INSERT &&
			      pgsql_top(s)->clause == PGSQL_C_MERGE_USING; /* its columns */
	const enum pgsql_call call = is_name && !is_merge ? pgsql_call_of(s) : PGSQL_CALL_OWN;
	const bool is_operator = s->previous_word == PGSQL_W_OPERATOR;
	if (call == PGSQL_CALL_OTHER && !is_operator)
		pgsql_doubt(s);
	pgsql_push(s, after, kind, call == PGSQL_CALL_FROM ? PGSQL_F_TAKES_FROM : 0);
	if (call == PGSQL_CALL_SEQUENCE)
		go(s, PGSQL_S_NEXTVAL);
	if (is_operator)
		go(s, PGSQL_S_CATALOG);
}

/* Only what can be read in one way: name, or schema.name. */
static bool is_plain_name(const struct pgsql *s)
{
	const struct bytes text = pgsql_text(s);
	const size_t dot = bytes_find(text, '.');
	if (s->token.kind != PGSQL_T_STRING || s->token.is_escaped || text.n == 0 ||
	    s->token.n > PGSQL_TOKEN_MAX || dot == 0 || dot + 1 == text.n ||
	    (text.p[0] >= '0' && text.p[0] <= '9'))
		return false;
	for (size_t i = 0; i < text.n; i++) {
		const uint8_t c = text.p[i];
		if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && i != dot)
			return false;
	}
	return true;
}

/* nextval('schema.name') */
static void on_nextval(struct pgsql *s)
{
	struct sql_table t = {0};
	const size_t n = s->token.n, dot = bytes_find(pgsql_text(s), '.');
	go(s, PGSQL_S_NEXTVAL_END);
	if (!is_plain_name(s)) {
		pgsql_doubt(s);
		return;
	}
	if (dot < n) {
		s->token.n = (uint32_t)dot;
		(void)pgsql_keep_name(s, &t.schema_at, &t.schema_n); /* it doubts by itself */
		s->token.n = (uint32_t)(n - dot - 1);
		memmove(s->token.text, s->token.text + dot + 1, s->token.n);
	}
	if (pgsql_keep_name(s, &t.name_at, &t.name_n))
		pgsql_add_table(s, t);
}

/* A cast that leaves the name as it is: 'a' || 'b' and 'ab'::char are other sequences. */
static bool is_cast(const struct pgsql *s)
{
	static const char *const types[] = {"pg_catalog", "regclass", "text", "varchar"};
	if (pgsql_is_punct(s, '.'))
		return s->n_catalog == 2;
	return pgsql_is_punct(s, ':') || (s->token.is_own && SQL_LIST_HAS(types, pgsql_text(s)));
}

static void on_nextval_end(struct pgsql *s)
{
	if (pgsql_is_punct(s, ')') || pgsql_is_punct(s, ','))
		again(s, PGSQL_S_EXPR);
	else if (!is_cast(s))
		pgsql_doubt(s);
}

static void on_catalog(struct pgsql *s)
{
	if (!s->n_catalog)
		pgsql_doubt(s);
	go(s, PGSQL_S_SKIP);
}

/* ---------------------------------------------------------------- how a query begins */

/* True when the token begins a query, which this level then holds. */
static bool begins_query(struct pgsql *s)
{
	if (s->token.word == PGSQL_W_NONE)
		return false;
	if (pgsql_is_word(s, PGSQL_W_SELECT))
		go(s, PGSQL_S_SELECT);
	else if (pgsql_is_word(s, PGSQL_W_WITH))
		go(s, PGSQL_S_WITH);
	else if (pgsql_is_word(s, PGSQL_W_VALUES))
		go(s, PGSQL_S_EXPR);
	else if (pgsql_is_word(s, PGSQL_W_TABLE))
		begin_refs(s, PGSQL_C_FROM);
	else
		return false;
	set(s, PGSQL_F_IS_QUERY);
	return true;
}

static void on_start(struct pgsql *s)
{
	if (begins_query(s) || PGSQL_IS(s, PGSQL_W_ALL, PGSQL_W_DISTINCT))
		return;
	set(s, PGSQL_F_IS_QUERY);
	if (pgsql_is_punct(s, '('))
		pgsql_push(s, PGSQL_S_EXPR, PGSQL_K_QUERY, 0);
	else
		pgsql_doubt(s);
}

static void on_open(struct pgsql *s)
{
	const enum pgsql_kind kind = (enum pgsql_kind)pgsql_top(s)->kind;
	if (begins_query(s))
		return;
	if (pgsql_is_punct(s, '(') && (kind == PGSQL_K_REFS || kind == PGSQL_K_QUERY)) {
		set(s, PGSQL_F_IS_QUERY | PGSQL_F_CALL);
		pgsql_top(s)->clause = kind == PGSQL_K_REFS ? PGSQL_C_FROM : PGSQL_C_NONE;
		pgsql_push(s, kind == PGSQL_K_REFS ? PGSQL_S_TAIL : PGSQL_S_EXPR, kind, 0);
		return;
	}
	switch (kind) {
	case PGSQL_K_REFS:
		begin_refs(s, PGSQL_C_FROM);
		pgsql_query_token(s);
		break;
	case PGSQL_K_EXPR:
		if (pgsql_is_punct(s, '('))
			set(s, PGSQL_F_IS_QUERY);
		again(s, PGSQL_S_EXPR);
		break;
	case PGSQL_K_SKIP:
		again(s, PGSQL_S_SKIP);
		break;
	case PGSQL_K_DEF:
		again(s, PGSQL_S_DEF);
		break;
	case PGSQL_K_QUERY:
		pgsql_doubt(s); /* WITH x AS (DELETE ...), too */
	}
}

void pgsql_begin_query(struct pgsql *s)
{
	s->frames[0] = (struct pgsql_frame){.state = PGSQL_S_START};
	on_start(s);
}

/* Inside a statement the names of WITH are not remembered: a table of that name counts as one. */
static void on_with(struct pgsql *s)
{
	const bool is_body =
		s->previous_word == PGSQL_W_AS || s->previous_word == PGSQL_W_MATERIALIZED;
	if (PGSQL_IS(s, PGSQL_W_SELECT, PGSQL_W_VALUES, PGSQL_W_TABLE))
		(void)begins_query(s); /* these three are its words */
	else if (pgsql_is_punct(s, '('))
		pgsql_push(s, PGSQL_S_WITH, is_body ? PGSQL_K_QUERY : PGSQL_K_SKIP, 0);
	else if (!pgsql_is_name(s) && !PGSQL_IS(s, PGSQL_W_AS, PGSQL_W_NOT) &&
		 !pgsql_is_punct(s, ','))
		pgsql_doubt(s);
}

/* ---------------------------------------------------------------- expressions */

static bool is_clause_word(const struct pgsql *s)
{
	return s->token.word != PGSQL_W_NONE &&
	       PGSQL_IS(s, PGSQL_W_WHERE, PGSQL_W_GROUP, PGSQL_W_HAVING, PGSQL_W_WINDOW,
			PGSQL_W_ORDER, PGSQL_W_LIMIT, PGSQL_W_OFFSET, PGSQL_W_FETCH, PGSQL_W_FOR);
}

static bool takes_union(struct pgsql *s)
{
	if (s->token.word == PGSQL_W_NONE ||
	    !PGSQL_IS(s, PGSQL_W_UNION, PGSQL_W_INTERSECT, PGSQL_W_EXCEPT))
		return false;
	if (!has(s, PGSQL_F_IS_QUERY))
		pgsql_doubt(s);
	go(s, PGSQL_S_START);
	return true;
}

/* Behind AS stands a label, or a type. */
static bool takes_label(struct pgsql *s)
{
	const bool is_word = s->token.kind == PGSQL_T_WORD || s->token.kind == PGSQL_T_QUOTED;
	if (s->previous_word != PGSQL_W_AS || !is_word)
		return false;
	s->token.word = PGSQL_W_NONE;
	return true;
}

/* Words that would lead to a table from here, but it is not known how. */
static void check_word(struct pgsql *s)
{
	if (s->token.word == PGSQL_W_NONE)
		return;
	if (PGSQL_IS(s, PGSQL_W_SELECT, PGSQL_W_TABLE, PGSQL_W_INTO, PGSQL_W_JOIN, PGSQL_W_FROM))
		pgsql_doubt(s);
}

static void on_from(struct pgsql *s)
{
	if (has(s, PGSQL_F_TAKES_FROM) || s->n_distinct == 2)
		return;
	if (!has(s, PGSQL_F_UPDATE))
		pgsql_doubt(s);
	begin_refs(s, PGSQL_C_FROM);
}

static void on_expression(struct pgsql *s)
{
	if (takes_label(s) || takes_union(s))
		return;
	if (pgsql_is_punct(s, '('))
		pgsql_open_call(s, (enum pgsql_state)pgsql_top(s)->state);
	else if (pgsql_is_punct(s, ')'))
		pop(s);
	else if (pgsql_is_word(s, PGSQL_W_FROM))
		on_from(s);
	else
		check_word(s);
}

/* SELECT INTO makes a table, and is not followed further. */
static void on_into(struct pgsql *s)
{
	if (s->verb == PGSQL_SELECT)
		s->verb = PGSQL_CREATE;
	pgsql_doubt(s);
}

static void on_select(struct pgsql *s)
{
	if (takes_label(s))
		return;
	if (pgsql_is_word(s, PGSQL_W_FROM) && s->n_distinct != 2)
		begin_refs(s, PGSQL_C_FROM);
	else if (pgsql_is_word(s, PGSQL_W_INTO))
		on_into(s);
	else
		on_expression(s);
}

/* In the expression behind ON: what leads to the next table, and what ends the list of tables. */
static void on_on(struct pgsql *s)
{
	const enum pgsql_clause clause = (enum pgsql_clause)pgsql_top(s)->clause;
	const bool is_merge = clause == PGSQL_C_MERGE_USING;
	if (takes_label(s))
		return;
	if (pgsql_is_word(s, PGSQL_W_JOIN) || (pgsql_is_punct(s, ',') && !is_merge)) {
		set(s, PGSQL_F_JOINED);
		begin_refs(s, clause);
	} else if (!is_merge && (is_clause_word(s) || pgsql_is_word(s, PGSQL_W_RETURNING))) {
		go(s, PGSQL_S_EXPR);
	} else {
		on_expression(s);
	}
}

/* ---------------------------------------------------------------- tables */

static bool is_from(struct pgsql *s)
{
	const uint8_t clause = pgsql_top(s)->clause;
	return clause == PGSQL_C_FROM || clause == PGSQL_C_MERGE_USING;
}

static void on_ref(struct pgsql *s)
{
	if (pgsql_is_punct(s, '(') && is_from(s)) {
		set(s, PGSQL_F_CALL);
		pgsql_push(s, PGSQL_S_TAIL, PGSQL_K_REFS, 0);
	} else if (pgsql_is_word(s, PGSQL_W_ONLY) ||
		   (pgsql_is_word(s, PGSQL_W_LATERAL) && is_from(s))) {
		return;
	} else if (pgsql_is_name(s)) {
		s->held = (struct sql_table){0};
		(void)pgsql_keep_name(s, &s->held.name_at, &s->held.name_n); /* doubts itself */
		go(s, PGSQL_S_DOT);
	} else {
		pgsql_doubt(s);
	}
}

static void on_dot(struct pgsql *s)
{
	if (pgsql_is_punct(s, '.') && s->held.schema_n == 0) {
		s->held.schema_at = s->held.name_at;
		s->held.schema_n = s->held.name_n;
		go(s, PGSQL_S_PART);
		return;
	}
	if (pgsql_is_punct(s, '(') && is_from(s)) {
		set(s, PGSQL_F_CALL);
		pgsql_open_call(s, PGSQL_S_TAIL);
		return;
	}
	if (!is_from(s) || !pgsql_is_cte(s, &s->held))
		pgsql_add_table(s, s->held);
	if (pgsql_is_punct(s, '.'))
		pgsql_doubt(s); /* a database, too */
	again(s, PGSQL_S_TAIL);
}

static void on_part(struct pgsql *s)
{
	if (!pgsql_is_name(s))
		pgsql_doubt(s);
	else
		(void)pgsql_keep_name(s, &s->held.name_at, &s->held.name_n); /* doubts itself */
	go(s, PGSQL_S_DOT);
}

/* The words of joins; true when the token was one. */
static bool takes_join_word(struct pgsql *s)
{
	const enum pgsql_clause clause = (enum pgsql_clause)pgsql_top(s)->clause;
	if (pgsql_is_punct(s, ',')) {
		begin_refs(s, clause);
	} else if (pgsql_is_word(s, PGSQL_W_JOIN)) {
		set(s, PGSQL_F_JOINED);
		begin_refs(s, clause);
	} else if (pgsql_is_word(s, PGSQL_W_AS)) {
		go(s, PGSQL_S_ALIAS);
	} else if (pgsql_is_word(s, PGSQL_W_ON) && has(s, PGSQL_F_INSERT) &&
		   !has(s, PGSQL_F_JOINED)) {
		go(s, PGSQL_S_EXPR); /* CONFLICT */
	} else if (PGSQL_IS(s, PGSQL_W_ON, PGSQL_W_USING, PGSQL_W_INNER, PGSQL_W_CROSS,
			    PGSQL_W_LEFT, PGSQL_W_RIGHT, PGSQL_W_FULL, PGSQL_W_NATURAL)) {
		go(s, PGSQL_S_ON);
	} else {
		return false;
	}
	return true;
}

static void take_alias(struct pgsql *s)
{
	if (pgsql_is_punct(s, '(') && s->previous_word == PGSQL_W_AS && has(s, PGSQL_F_CALL)) {
		pgsql_push(s, PGSQL_S_TAIL, PGSQL_K_SKIP, 0); /* f() AS (a int, b text) */
		return;
	}
	if (has(s, PGSQL_F_ALIASED) || !pgsql_is_name(s))
		pgsql_doubt(s);
	set(s, PGSQL_F_ALIASED);
	go(s, PGSQL_S_TAIL);
}

/* Small things that may stand around an alias; true when it was one. */
static bool takes_decoration(struct pgsql *s)
{
	if (pgsql_is_punct(s, '*'))
		return !has(s, PGSQL_F_ALIASED);
	if (pgsql_is_word(s, PGSQL_W_WITH))
		return has(s, PGSQL_F_CALL);
	if (pgsql_is_word(s, PGSQL_W_ORDINALITY))
		return s->previous_word == PGSQL_W_WITH;
	if (pgsql_is_word(s, PGSQL_W_TABLESAMPLE))
		go(s, PGSQL_S_SAMPLE);
	else if (pgsql_is_punct(s, '(') && has(s, PGSQL_F_ALIASED)) /* REPEATABLE (f()), too */
		pgsql_push(s, PGSQL_S_TAIL, has(s, PGSQL_F_CALL) ? PGSQL_K_SKIP : PGSQL_K_EXPR, 0);
	else
		return false;
	return true;
}

static void on_tail(struct pgsql *s)
{
	if (pgsql_head_tail(s) || takes_join_word(s) || takes_decoration(s) || takes_union(s))
		return;
	if (is_clause_word(s) || pgsql_is_word(s, PGSQL_W_RETURNING))
		go(s, PGSQL_S_EXPR);
	else if (pgsql_is_punct(s, ')'))
		pop(s);
	else if (s->token.kind != PGSQL_T_END)
		take_alias(s);
}

static void on_sample(struct pgsql *s)
{
	if (pgsql_is_punct(s, '('))
		pgsql_push(s, PGSQL_S_TAIL, PGSQL_K_EXPR, 0);
	else if (s->token.kind != PGSQL_T_WORD)
		pgsql_doubt(s);
}

/* ---------------------------------------------------------------- definitions and options */

static void on_skip(struct pgsql *s)
{
	if (pgsql_is_punct(s, '('))
		pgsql_push(s, PGSQL_S_SKIP, PGSQL_K_SKIP, 0);
	else if (pgsql_is_punct(s, ')'))
		pop(s);
	else if (s->verb == PGSQL_EXPLAIN && PGSQL_IS(s, PGSQL_W_ANALYZE, PGSQL_W_ANALYSE))
		s->goal = 1;
	else
		check_word(s);
}

static void on_definition(struct pgsql *s)
{
	if (!pgsql_takes_definition(s))
		on_expression(s);
}

void pgsql_query_token(struct pgsql *s)
{
	switch ((enum pgsql_state)pgsql_top(s)->state) {
	case PGSQL_S_EXPR:
		on_expression(s);
		break;
	case PGSQL_S_SELECT:
		on_select(s);
		break;
	case PGSQL_S_ON:
		on_on(s);
		break;
	case PGSQL_S_START:
		on_start(s);
		break;
	case PGSQL_S_OPEN:
		on_open(s);
		break;
	case PGSQL_S_REF:
		on_ref(s);
		break;
	case PGSQL_S_DOT:
		on_dot(s);
		break;
	case PGSQL_S_PART:
		on_part(s);
		break;
	case PGSQL_S_TAIL:
		on_tail(s);
		break;
	case PGSQL_S_ALIAS:
		take_alias(s);
		break;
	case PGSQL_S_SAMPLE:
		on_sample(s);
		break;
	case PGSQL_S_WITH:
		on_with(s);
		break;
	case PGSQL_S_SKIP:
		on_skip(s);
		break;
	case PGSQL_S_DEF:
		on_definition(s);
		break;
	case PGSQL_S_NEXTVAL:
		on_nextval(s);
		break;
	case PGSQL_S_NEXTVAL_END:
		on_nextval_end(s);
		break;
	case PGSQL_S_CATALOG:
		on_catalog(s);
		break;
	case PGSQL_S_HEAD:
	case PGSQL_S_REST:
		break;
	}
}
