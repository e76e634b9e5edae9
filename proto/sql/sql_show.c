/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SHOW, DESCRIBE and EXPLAIN: statements that tell what there is. */
#include "sql/sql_head.h"

static void on_show(struct sql *s)
{
	if (HEAD_IS(s, SQL_W_FULL, SQL_W_EXTENDED, SQL_W_GLOBAL, SQL_W_SESSION, SQL_W_LOCAL) ||
	    bytes_is_nocase(sql_text(s), "open"))
		return;
	if (HEAD_IS(s, SQL_W_TABLES, SQL_W_TABLE, SQL_W_TRIGGERS, SQL_W_EVENTS))
		head_go(s, SQL_H_SHOW_IN);
	else if (HEAD_IS(s, SQL_W_COLUMNS, SQL_W_FIELDS, SQL_W_INDEX, SQL_W_INDEXES, SQL_W_KEYS))
		head_go(s, SQL_H_SHOW_OF);
	else if (sql_is_word(s, SQL_W_CREATE))
		head_go(s, SQL_H_SHOW_CREATE);
	else if (bytes_is_nocase(sql_text(s), "grants"))
		head_rest(s, SQL_S_REST);
	else
		head_rest(s, SQL_S_EXPR);
}

/* SHOW TABLES [STATUS] [FROM schema] [LIKE text | WHERE expression] */
static void on_show_in(struct sql *s)
{
	if (HEAD_IS(s, SQL_W_STATUS, SQL_W_TABLES))
		return;
	if (HEAD_IS(s, SQL_W_FROM, SQL_W_IN)) {
		head_go(s, SQL_H_SHOW_SCHEMA);
		return;
	}
	if (s->token.kind != SQL_T_END && !HEAD_IS(s, SQL_W_LIKE, SQL_W_WHERE))
		sql_doubt(s);
	s->uses_default = 1;
	head_rest(s, SQL_S_EXPR);
}

static void on_show_of(struct sql *s)
{
	if (HEAD_IS(s, SQL_W_FROM, SQL_W_IN))
		head_refs(s, SQL_C_SHOW);
	else
		sql_doubt(s);
}

static void on_show_create(struct sql *s)
{
	if (HEAD_IS(s, SQL_W_TABLE, SQL_W_VIEW))
		head_refs(s, SQL_C_ONE);
	else if (HEAD_IS(s, SQL_W_DATABASE, SQL_W_SCHEMA))
		head_go(s, SQL_H_SCHEMA);
	else if (sql_is_word(s, SQL_W_USER))
		head_rest(s, SQL_S_REST);
	else
		sql_doubt(s);
}

/* The schema of the table before it, or of SHOW TABLES. */
static void on_show_schema(struct sql *s)
{
	if (s->n_tables == 0)
		head_add_schema(s);
	else if (!sql_is_name(s) || s->tables[0].schema_n != 0)
		sql_doubt(s);
	else
		(void)sql_keep_name(s, &s->tables[0].schema_at,
				    &s->tables[0].schema_n); /* doubts itself */
	head_rest(s, SQL_S_EXPR);
}

/* EXPLAIN table | EXPLAIN [words] statement. Most of those words may be a table's name as well. */
static void on_explain(struct sql *s)
{
	const bool is_value = s->previous_kind == SQL_T_PUNCT && s->previous_byte == '=';
	const bool is_after_word = s->previous_word == SQL_W_EXTENDED ||
				   s->previous_word == SQL_W_PARTITIONS ||
				   s->previous_word == SQL_W_FORMAT;
	if (is_value || (sql_is_punct(s, '=') && s->previous_word == SQL_W_FORMAT))
		return;
	if (sql_is_punct(s, '(') ||
	    HEAD_IS(s, SQL_W_SELECT, SQL_W_INSERT, SQL_W_REPLACE, SQL_W_UPDATE, SQL_W_DELETE,
		    SQL_W_WITH, SQL_W_TABLE, SQL_W_VALUES)) {
		s->verb = SQL_EXPLAIN;
		sql_head_start(s);
	} else if (is_after_word || s->token.kind == SQL_T_END) {
		sql_doubt(s);
	} else if (!HEAD_IS(s, SQL_W_EXTENDED, SQL_W_PARTITIONS, SQL_W_ANALYZE, SQL_W_FORMAT)) {
		head_refs_with(s, SQL_C_ONE);
	}
}

void sql_show_token(struct sql *s)
{
	if (s->head == SQL_H_SHOW)
		on_show(s);
	else if (s->head == SQL_H_SHOW_IN)
		on_show_in(s);
	else if (s->head == SQL_H_SHOW_OF)
		on_show_of(s);
	else if (s->head == SQL_H_SHOW_CREATE)
		on_show_create(s);
	else if (s->head == SQL_H_SHOW_SCHEMA)
		on_show_schema(s);
	else
		on_explain(s);
}
