/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Queries, at any depth: where a name is a table's.
 *
 * A table can be reached only through words that every server reserves (FROM, JOIN, INTO, TABLE,
 * ...). So the grammar need not understand expressions; it must understand each of these words
 * where it stands, and where it does not, the statement is unproven. Words that only some servers
 * reserve (OFFSET, WINDOW, EXCEPT) may be aliases: then what they would begin must not hide a
 * table.
 */
#include "sql/sql_grammar.h"

static void go(struct sql *s, enum sql_state state)
{
	sql_top(s)->state = (uint8_t)state;
}

static void again(struct sql *s, enum sql_state state)
{
	go(s, state);
	sql_query_token(s);
}

static bool has(struct sql *s, unsigned flag)
{
	return sql_top(s)->flags & flag;
}

static void set(struct sql *s, unsigned flag)
{
	sql_top(s)->flags |= (uint8_t)flag;
}

static void begin_refs(struct sql *s, enum sql_clause clause)
{
	sql_top(s)->clause = (uint8_t)clause;
	sql_top(s)->flags &= (uint8_t) ~(SQL_F_ALIASED | SQL_F_DERIVED);
	go(s, SQL_S_REF);
}

/* Opens a parenthesis; `after` is where this level goes on behind it. */
void sql_push(struct sql *s, enum sql_state after, enum sql_kind kind, unsigned flags)
{
	go(s, after);
	if (s->depth + 1 >= SQL_DEPTH_MAX) {
		sql_doubt(s);
		return;
	}
	s->depth++;
	*sql_top(s) = (struct sql_frame){
		.state = SQL_S_OPEN, .kind = (uint8_t)kind, .flags = (uint8_t)flags};
}

static void pop(struct sql *s)
{
	if (s->depth == 0)
		sql_doubt(s);
	else
		s->depth--;
}

/* `name (` in an expression may run what somebody stored in the database, unless the name is the
 * server's. */
static void open_in_expression(struct sql *s)
{
	const bool is_name = s->previous_kind == SQL_T_QUOTED || s->previous_kind == SQL_T_WORD;
	const enum sql_call call = is_name ? sql_call_of(s) : SQL_CALL_OWN;
	if (call == SQL_CALL_OTHER)
		sql_doubt(s);
	const unsigned flags = call == SQL_CALL_FROM ? SQL_F_TAKES_FROM : 0;
	sql_push(s, (enum sql_state)sql_top(s)->state, SQL_K_EXPR, flags);
}

/* ---------------------------------------------------------------- how a query begins */

static void on_expression(struct sql *s);

/* True when the token begins a query, which this level then holds. */
static bool begins_query(struct sql *s)
{
	if (s->token.word == SQL_W_NONE)
		return false;
	if (sql_is_word(s, SQL_W_SELECT))
		go(s, SQL_S_SELECT);
	else if (sql_is_word(s, SQL_W_WITH))
		go(s, SQL_S_WITH);
	else if (sql_is_word(s, SQL_W_VALUES))
		go(s, SQL_S_EXPR);
	else if (sql_is_word(s, SQL_W_TABLE))
		begin_refs(s, SQL_C_FROM);
	else
		return false;
	set(s, SQL_F_IS_QUERY);
	return true;
}

static void on_start(struct sql *s)
{
	if (begins_query(s) || sql_is_word(s, SQL_W_ALL) || sql_is_word(s, SQL_W_DISTINCT))
		return;
	set(s, SQL_F_IS_QUERY);
	if (sql_is_punct(s, '('))
		sql_push(s, SQL_S_EXPR, SQL_K_QUERY, 0);
	else
		sql_doubt(s);
}

static void on_open(struct sql *s)
{
	const enum sql_kind kind = (enum sql_kind)sql_top(s)->kind;
	if (begins_query(s))
		return;
	if (sql_is_punct(s, '(') && kind != SQL_K_SKIP) {
		set(s, SQL_F_IS_QUERY);
		if (kind == SQL_K_REFS)
			set(s, SQL_F_DERIVED);
		sql_top(s)->clause = kind == SQL_K_REFS ? SQL_C_FROM : SQL_C_NONE;
		sql_push(s, kind == SQL_K_REFS ? SQL_S_TAIL : SQL_S_EXPR, kind, 0);
		return;
	}
	switch (kind) {
	case SQL_K_REFS:
		begin_refs(s, SQL_C_FROM);
		sql_query_token(s);
		break;
	case SQL_K_EXPR:
		go(s, SQL_S_EXPR);
		on_expression(s);
		break;
	case SQL_K_SKIP:
		again(s, SQL_S_SKIP);
		break;
	case SQL_K_QUERY:
		sql_doubt(s);
	}
}

/* Inside a statement the names of WITH are not remembered: a table of that name counts as a table.
 */
static void on_with(struct sql *s)
{
	if (sql_is_word(s, SQL_W_SELECT) || sql_is_word(s, SQL_W_VALUES) ||
	    sql_is_word(s, SQL_W_TABLE))
		(void)begins_query(s); /* these three are its words */
	else if (sql_is_punct(s, '('))
		sql_push(s, SQL_S_WITH, s->previous_word == SQL_W_AS ? SQL_K_QUERY : SQL_K_SKIP, 0);
	else if (!sql_is_name(s) && !sql_is_word(s, SQL_W_AS) && !sql_is_punct(s, ','))
		sql_doubt(s);
}

/* ---------------------------------------------------------------- expressions */

static bool is_clause_word(const struct sql *s)
{
	if (s->token.word == SQL_W_NONE)
		return false;
	return sql_is_word(s, SQL_W_WHERE) || sql_is_word(s, SQL_W_GROUP) ||
	       sql_is_word(s, SQL_W_HAVING) || sql_is_word(s, SQL_W_ORDER) ||
	       sql_is_word(s, SQL_W_LIMIT) || sql_is_word(s, SQL_W_LOCK);
}

/* Words that lead to a table from any place. True when it was one of them. */
static bool takes_query_word(struct sql *s)
{
	if (s->token.word == SQL_W_NONE)
		return false;
	if (sql_is_word(s, SQL_W_UNION)) {
		if (!has(s, SQL_F_IS_QUERY))
			sql_doubt(s);
		go(s, SQL_S_START);
	} else if ((sql_is_word(s, SQL_W_EXCEPT) || sql_is_word(s, SQL_W_INTERSECT)) &&
		   has(s, SQL_F_IS_QUERY)) {
		go(s, SQL_S_START);
	} else if (sql_is_word(s, SQL_W_INTO)) {
		go(s, SQL_S_INTO);
	} else if (sql_is_word(s, SQL_W_SELECT) || sql_is_word(s, SQL_W_JOIN) ||
		   sql_is_word(s, SQL_W_TABLE) || sql_is_word(s, SQL_W_PROCEDURE) ||
		   sql_is_word(s, SQL_W_FROM) || sql_is_word(s, SQL_W_OUTFILE) ||
		   sql_is_word(s, SQL_W_DUMPFILE)) {
		sql_doubt(s);
	} else {
		return false;
	}
	return true;
}

/* In the expression after ON: what leads to the next table, and what ends the list of tables. */
static bool takes_on_word(struct sql *s)
{
	if (s->token.word == SQL_W_NONE && !sql_is_punct(s, ','))
		return false;
	if (sql_is_punct(s, ',') || sql_is_word(s, SQL_W_JOIN) ||
	    sql_is_word(s, SQL_W_STRAIGHT_JOIN))
		begin_refs(s, (enum sql_clause)sql_top(s)->clause);
	else if (is_clause_word(s) || sql_is_word(s, SQL_W_SET) ||
		 (sql_is_word(s, SQL_W_KEY) && s->previous_word == SQL_W_DUPLICATE))
		go(s, SQL_S_EXPR);
	else
		return false;
	return true;
}

static void on_comma(struct sql *s)
{
	if (sql_top(s)->clause == SQL_C_SET)
		go(s, SQL_S_HEAD);
	else if (sql_top(s)->state == SQL_S_DOUBT)
		sql_doubt(s);
}

static void on_expression(struct sql *s)
{
	if (sql_top(s)->state == SQL_S_ON && takes_on_word(s))
		return;
	if (sql_is_punct(s, '('))
		open_in_expression(s);
	else if (sql_is_punct(s, ')'))
		pop(s);
	else if (sql_is_punct(s, ','))
		on_comma(s);
	else if (s->token.word == SQL_W_NONE)
		return; /* the expression's own */
	else if (sql_is_word(s, SQL_W_FOR) && !has(s, SQL_F_TAKES_FROM))
		go(s, SQL_S_FOR);
	else if (!sql_is_word(s, SQL_W_FROM) || !has(s, SQL_F_TAKES_FROM))
		(void)takes_query_word(s); /* any other word is the expression's own */
}

static void on_select(struct sql *s)
{
	if (sql_is_word(s, SQL_W_FROM))
		begin_refs(s, SQL_C_FROM);
	else if (is_clause_word(s))
		go(s, SQL_S_EXPR);
	else
		on_expression(s);
}

/* SELECT ... INTO @a, @b; after it the query goes on as if it had not been there. */
static void on_into(struct sql *s)
{
	if (s->token.kind != SQL_T_VAR)
		sql_doubt(s);
	go(s, SQL_S_SELECT);
}

static void on_for(struct sql *s)
{
	if (!sql_is_word(s, SQL_W_UPDATE) && !sql_is_word(s, SQL_W_SHARE))
		sql_doubt(s);
	go(s, SQL_S_EXPR);
}

/* ---------------------------------------------------------------- tables */

static void hold(struct sql *s)
{
	s->held = (struct sql_table){0};
	s->is_held_dual = sql_is_word(s, SQL_W_DUAL);
	(void)sql_keep_name(s, &s->held.name_at, &s->held.name_n); /* it doubts by itself */
	go(s, SQL_S_DOT);
}

static void on_ref(struct sql *s)
{
	const bool in_query = sql_top(s)->clause == SQL_C_FROM ||
			      sql_top(s)->clause == SQL_C_UPDATE ||
			      sql_top(s)->clause == SQL_C_DELETE;
	if (sql_is_punct(s, '(') && in_query) {
		set(s, SQL_F_DERIVED);
		sql_push(s, SQL_S_TAIL, SQL_K_REFS, 0);
	} else if (sql_is_word(s, SQL_W_LATERAL) && in_query) {
		go(s, SQL_S_LATERAL);
	} else if (sql_is_name(s) || (sql_is_word(s, SQL_W_DUAL) && in_query) ||
		   (sql_is_punct(s, '*') && sql_top(s)->clause == SQL_C_GRANT)) {
		hold(s);
	} else {
		sql_doubt(s);
	}
}

static void on_lateral(struct sql *s)
{
	if (!sql_is_punct(s, '('))
		sql_doubt(s);
	go(s, SQL_S_REF);
	on_ref(s);
}

static void on_dot(struct sql *s)
{
	if (sql_is_punct(s, '.')) {
		s->held.schema_at = s->held.name_at;
		s->held.schema_n = s->held.name_n;
		go(s, SQL_S_PART);
		return;
	}
	if (!s->is_held_dual)
		sql_add_table(s, s->held);
	again(s, SQL_S_TAIL);
}

static void on_part(struct sql *s)
{
	if (sql_is_name(s) || (sql_is_punct(s, '*') && sql_top(s)->clause == SQL_C_GRANT)) {
		if (sql_keep_name(s, &s->held.name_at, &s->held.name_n))
			sql_add_table(s, s->held);
	} else if (sql_is_punct(s, '*') && sql_top(s)->clause == SQL_C_DELETE) {
		s->held.schema_n = 0; /* DELETE FROM a.*, b.* USING: a is the table */
		sql_add_table(s, s->held);
	} else {
		sql_doubt(s);
	}
	go(s, SQL_S_TAIL);
}

/* The words of joins and hints; true when the token was one. */
static bool takes_join_word(struct sql *s)
{
	if (s->token.word == SQL_W_NONE && !sql_is_punct(s, ','))
		return false;
	if (sql_is_punct(s, ',') || sql_is_word(s, SQL_W_JOIN) ||
	    sql_is_word(s, SQL_W_STRAIGHT_JOIN))
		begin_refs(s, (enum sql_clause)sql_top(s)->clause);
	else if (sql_is_word(s, SQL_W_AS))
		go(s, SQL_S_ALIAS);
	else if (sql_is_word(s, SQL_W_ON) || sql_is_word(s, SQL_W_USING) ||
		 sql_is_word(s, SQL_W_INNER) || sql_is_word(s, SQL_W_CROSS) ||
		 sql_is_word(s, SQL_W_LEFT) || sql_is_word(s, SQL_W_RIGHT) ||
		 sql_is_word(s, SQL_W_NATURAL))
		go(s, SQL_S_ON);
	else if (sql_is_word(s, SQL_W_USE) || sql_is_word(s, SQL_W_FORCE) ||
		 sql_is_word(s, SQL_W_IGNORE) || sql_is_word(s, SQL_W_PARTITION))
		go(s, SQL_S_HINT);
	else
		return false;
	return true;
}

static void take_alias(struct sql *s)
{
	if (has(s, SQL_F_ALIASED) || !sql_is_name(s))
		sql_doubt(s);
	set(s, SQL_F_ALIASED);
	go(s, SQL_S_TAIL);
}

static void on_tail(struct sql *s)
{
	if (sql_head_tail(s) || takes_join_word(s))
		return;
	if (sql_is_word(s, SQL_W_OFFSET) || sql_is_word(s, SQL_W_WINDOW) ||
	    sql_is_word(s, SQL_W_RETURNING))
		go(s, SQL_S_DOUBT);
	else if (is_clause_word(s))
		go(s, SQL_S_EXPR);
	else if (sql_is_word(s, SQL_W_FOR))
		go(s, SQL_S_FOR);
	else if (sql_is_punct(s, ')'))
		pop(s);
	else if (sql_is_punct(s, '(') && has(s, SQL_F_DERIVED) && has(s, SQL_F_ALIASED))
		sql_push(s, SQL_S_TAIL, SQL_K_SKIP, 0);
	else if (takes_query_word(s) || s->token.kind == SQL_T_END)
		return;
	else
		take_alias(s);
}

static void on_hint(struct sql *s)
{
	if (sql_is_punct(s, '('))
		sql_push(s, SQL_S_TAIL, SQL_K_SKIP, 0);
	else if (!sql_is_word(s, SQL_W_INDEX) && !sql_is_word(s, SQL_W_KEY) &&
		 !sql_is_word(s, SQL_W_FOR) && !sql_is_word(s, SQL_W_JOIN) &&
		 !sql_is_word(s, SQL_W_ORDER) && !sql_is_word(s, SQL_W_GROUP) &&
		 !bytes_is_nocase(sql_text(s), "by"))
		sql_doubt(s);
}

/* ---------------------------------------------------------------- definitions */

/* Behind the name of the table or index that is created come its columns; any other name may be
 * a function: in a DEFAULT, a CHECK, a generated column, a partition. */
static void open_in_definition(struct sql *s)
{
	const bool is_name = s->previous_kind == SQL_T_QUOTED || s->previous_kind == SQL_T_WORD;
	if (is_name && (s->depth > 0 || s->verb != SQL_CREATE))
		sql_note_call(s);
	sql_push(s, SQL_S_SKIP, SQL_K_SKIP, 0);
}

static void on_skip(struct sql *s)
{
	if (s->depth == 0 && s->frames[0].clause != SQL_C_NONE && sql_head_tail(s))
		return;
	if (sql_is_punct(s, '('))
		open_in_definition(s);
	else if (sql_is_punct(s, ')'))
		pop(s);
	else if (sql_is_word(s, SQL_W_REFERENCES) ||
		 (sql_is_word(s, SQL_W_LIKE) && s->previous_kind == SQL_T_PUNCT &&
		  s->previous_byte == '('))
		begin_refs(s, SQL_C_REFERENCES);
	else if (sql_is_word(s, SQL_W_UNION))
		sql_doubt(s);
	else
		(void)takes_query_word(s); /* any other word is the definition's own */
}

void sql_query_token(struct sql *s)
{
	switch ((enum sql_state)sql_top(s)->state) {
	case SQL_S_EXPR:
	case SQL_S_ON:
	case SQL_S_DOUBT:
		on_expression(s);
		break;
	case SQL_S_SELECT:
		on_select(s);
		break;
	case SQL_S_START:
		on_start(s);
		break;
	case SQL_S_OPEN:
		on_open(s);
		break;
	case SQL_S_REF:
		on_ref(s);
		break;
	case SQL_S_DOT:
		on_dot(s);
		break;
	case SQL_S_PART:
		on_part(s);
		break;
	case SQL_S_TAIL:
		on_tail(s);
		break;
	case SQL_S_ALIAS:
		take_alias(s);
		break;
	case SQL_S_HINT:
		on_hint(s);
		break;
	case SQL_S_INTO:
		on_into(s);
		break;
	case SQL_S_FOR:
		on_for(s);
		break;
	case SQL_S_LATERAL:
		on_lateral(s);
		break;
	case SQL_S_WITH:
		on_with(s);
		break;
	case SQL_S_SKIP:
		on_skip(s);
		break;
	case SQL_S_HEAD:
	case SQL_S_REST:
		break;
	}
}
