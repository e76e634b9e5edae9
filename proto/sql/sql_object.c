/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CREATE, ALTER, DROP, RENAME, TRUNCATE, and what may follow a table in the statements that are no
 * queries. */
#include "sql/sql_head.h"
#include "sql/sql_list.h"

/* Engines that keep their rows in the table itself. Others reach files, other tables or other
 * servers. */
static const char *const own_engines[] = {"archive", "aria", "heap",	   "innodb",  "memory",
					  "myisam",  "ndb",  "ndbcluster", "rocksdb", "xtradb"};

enum { OBJECT_WORDS_MAX = 24 }; /* of a CREATE before the kind of object */

static void on_kind(struct sql *s)
{
	if (HEAD_IS(s, SQL_W_TABLE, SQL_W_TABLES)) {
		s->goal = s->verb == SQL_CREATE	  ? SQL_C_CREATE
			  : s->verb == SQL_ALTER  ? SQL_C_ALTER
			  : s->verb == SQL_RENAME ? SQL_C_RENAME
						  : SQL_C_LIST;
		head_go(s, SQL_H_TABLE);
	} else if (sql_is_word(s, SQL_W_VIEW)) {
		s->goal = s->verb == SQL_DROP ? SQL_C_LIST : SQL_C_VIEW;
		head_go(s, SQL_H_TABLE);
	} else if (sql_is_word(s, SQL_W_INDEX)) {
		head_go(s, SQL_H_INDEX);
	} else if (HEAD_IS(s, SQL_W_DATABASE, SQL_W_SCHEMA)) {
		head_go(s, SQL_H_SCHEMA);
	} else if (HEAD_IS(s, SQL_W_USER, SQL_W_ROLE)) {
		s->verb = SQL_ACCOUNT;
		head_rest(s, SQL_S_REST);
	} else if (sql_is_word(s, SQL_W_PREPARE) && s->verb == SQL_DROP) {
		s->verb = SQL_DEALLOCATE;
		head_rest(s, SQL_S_REST);
	} else {
		sql_doubt(s); /* procedures, triggers, events, servers, sequences ... */
	}
}

/* OR REPLACE, TEMPORARY, ALGORITHM = x, DEFINER = a@b, SQL SECURITY x: none of them is a kind of
 * object. */
static void on_object(struct sql *s)
{
	const bool is_value = s->previous_kind == SQL_T_PUNCT && s->previous_byte == '=';
	const bool is_plain = HEAD_IS(s, SQL_W_REPLACE, SQL_W_TEMPORARY, SQL_W_UNIQUE,
				      SQL_W_FULLTEXT, SQL_W_SPATIAL, SQL_W_IGNORE) ||
			      bytes_is_nocase(sql_text(s), "or");
	const bool is_security = bytes_is_nocase(sql_text(s), "sql") ||
				 bytes_is_nocase(sql_text(s), "security") ||
				 bytes_is_nocase(sql_text(s), "invoker");
	if (++s->n_words > OBJECT_WORDS_MAX || s->token.kind == SQL_T_END)
		sql_doubt(s);
	else if (is_value || is_plain || is_security ||
		 HEAD_IS(s, SQL_W_ALGORITHM, SQL_W_DEFINER) || s->token.kind == SQL_T_VAR ||
		 s->token.kind == SQL_T_STRING || s->token.kind == SQL_T_QUOTED ||
		 sql_is_punct(s, '=') || sql_is_punct(s, '(') || sql_is_punct(s, ')'))
		return;
	else
		on_kind(s);
}

static bool is_if_exists(const struct sql *s)
{
	return HEAD_IS(s, SQL_W_IF, SQL_W_NOT, SQL_W_EXISTS);
}

static void on_table(struct sql *s)
{
	if (!is_if_exists(s))
		head_refs_with(s, (enum sql_clause)s->goal);
}

static void on_index(struct sql *s)
{
	if (sql_is_word(s, SQL_W_ON))
		head_refs(s, SQL_C_ONE);
	else if (s->token.kind == SQL_T_END)
		sql_doubt(s);
}

static void on_schema(struct sql *s)
{
	if (is_if_exists(s))
		return;
	head_add_schema(s);
	head_rest(s, SQL_S_REST);
}

static void on_truncate(struct sql *s)
{
	if (!sql_is_word(s, SQL_W_TABLE))
		head_refs_with(s, SQL_C_ONE);
}

/* ---------------------------------------------------------------- options of a table */

static void resume(struct sql *s)
{
	s->frames[0].state = SQL_S_SKIP;
}

static void on_option(struct sql *s)
{
	if (sql_is_punct(s, '='))
		return;
	if (s->token.kind == SQL_T_STRING || s->token.kind == SQL_T_DOUBLE)
		sql_doubt(s);
	resume(s);
	sql_query_token(s);
}

static void on_engine(struct sql *s)
{
	if (sql_is_punct(s, '='))
		return;
	if (!SQL_LIST_HAS(own_engines, sql_text(s)))
		sql_doubt(s);
	resume(s);
}

/* RENAME [TO | AS] table, or RENAME COLUMN, INDEX, KEY */
static void on_rename(struct sql *s)
{
	if (HEAD_IS(s, SQL_W_TO, SQL_W_AS))
		return;
	resume(s);
	if (!HEAD_IS(s, SQL_W_COLUMN, SQL_W_INDEX, SQL_W_KEY)) {
		s->frames[0] = (struct sql_frame){.state = SQL_S_REF, .clause = SQL_C_REFERENCES};
		sql_query_token(s);
	}
}

static bool takes_option(struct sql *s)
{
	if (HEAD_IS(s, SQL_W_CONNECTION, SQL_W_DIRECTORY))
		head_go(s, SQL_H_OPTION);
	else if (sql_is_word(s, SQL_W_ENGINE))
		head_go(s, SQL_H_ENGINE);
	else if (sql_is_word(s, SQL_W_RENAME) && s->goal == SQL_C_ALTER)
		head_go(s, SQL_H_RENAME);
	else
		return false;
	s->frames[0].state = SQL_S_HEAD;
	return true;
}

void sql_object_token(struct sql *s)
{
	if (s->head == SQL_H_OBJECT)
		on_object(s);
	else if (s->head == SQL_H_TABLE)
		on_table(s);
	else if (s->head == SQL_H_INDEX)
		on_index(s);
	else if (s->head == SQL_H_SCHEMA)
		on_schema(s);
	else if (s->head == SQL_H_TRUNCATE)
		on_truncate(s);
	else if (s->head == SQL_H_OPTION)
		on_option(s);
	else if (s->head == SQL_H_ENGINE)
		on_engine(s);
	else
		on_rename(s);
}

/* ---------------------------------------------------------------- after a table */

static bool tail_of_insert(struct sql *s)
{
	if (sql_is_punct(s, '(')) {
		sql_push(s, SQL_S_TAIL, SQL_K_SKIP, 0);
	} else if (HEAD_IS(s, SQL_W_SELECT, SQL_W_TABLE, SQL_W_WITH)) {
		s->frames[0].state = SQL_S_START;
		sql_query_token(s);
	} else if (HEAD_IS(s, SQL_W_VALUES, SQL_W_VALUE, SQL_W_SET, SQL_W_ON) ||
		   s->token.kind == SQL_T_END) {
		s->frames[0].state = SQL_S_EXPR;
	} else if (sql_is_word(s, SQL_W_PARTITION)) {
		return false;
	} else {
		sql_doubt(s);
	}
	return true;
}

static bool tail_of_create(struct sql *s)
{
	if (sql_is_word(s, SQL_W_LIKE)) {
		head_refs(s, SQL_C_ONE);
	} else if (sql_is_word(s, SQL_W_SELECT) ||
		   (s->previous_word == SQL_W_AS &&
		    HEAD_IS(s, SQL_W_WITH, SQL_W_TABLE, SQL_W_VALUES))) {
		head_query(s);
	} else {
		return takes_option(s);
	}
	return true;
}

/* Right after the table, or anywhere later in the definition; false: a word of the definition's
 * own. */
static bool tail_of_definition(struct sql *s)
{
	if (sql_top(s)->state == SQL_S_SKIP)
		return s->goal == SQL_C_CREATE ? tail_of_create(s) : takes_option(s);
	sql_top(s)->state = SQL_S_SKIP;
	sql_query_token(s);
	return true;
}

static bool tail_of_view(struct sql *s)
{
	if (sql_is_punct(s, '('))
		sql_push(s, SQL_S_TAIL, SQL_K_SKIP, 0);
	else if (sql_is_word(s, SQL_W_AS))
		s->frames[0] = (struct sql_frame){.state = SQL_S_START};
	else
		sql_doubt(s);
	return true;
}

/* Names and words of the statement's own, and the next table. */
static bool tail_of_list(struct sql *s, bool is_next)
{
	if (is_next)
		s->frames[0].state = SQL_S_REF;
	else if (s->token.kind == SQL_T_PUNCT)
		sql_doubt(s);
	return true;
}

static bool tail_of_delete(struct sql *s)
{
	if (sql_is_word(s, SQL_W_USING)) {
		sql_drop_tables(s); /* they were aliases of, or the same as, those that follow */
		head_refs(s, SQL_C_FROM);
		return true;
	}
	if (HEAD_IS(s, SQL_W_JOIN, SQL_W_ON, SQL_W_INNER, SQL_W_CROSS, SQL_W_LEFT, SQL_W_RIGHT,
		    SQL_W_NATURAL, SQL_W_STRAIGHT_JOIN))
		sql_doubt(s);
	return false;
}

static bool tail_of_one(struct sql *s)
{
	if (sql_is_punct(s, '.'))
		sql_doubt(s);
	s->frames[0].state = SQL_S_REST;
	return true;
}

static bool tail_of_show(struct sql *s)
{
	s->frames[0].state = SQL_S_EXPR;
	if (HEAD_IS(s, SQL_W_FROM, SQL_W_IN)) {
		s->frames[0].state = SQL_S_HEAD;
		head_go(s, SQL_H_SHOW_SCHEMA);
	} else if (!HEAD_IS(s, SQL_W_LIKE, SQL_W_WHERE) && s->token.kind != SQL_T_END) {
		sql_doubt(s);
	}
	return true;
}

static bool tail_of_references(struct sql *s)
{
	struct sql_frame *f = sql_top(s);
	f->state = SQL_S_SKIP;
	f->clause = s->depth == 0 ? s->goal : SQL_C_NONE;
	sql_query_token(s);
	return true;
}

bool sql_head_tail(struct sql *s)
{
	switch ((enum sql_clause)sql_top(s)->clause) {
	case SQL_C_NONE:
	case SQL_C_FROM:
	case SQL_C_SET:
		return false;
	case SQL_C_UPDATE:
		if (!sql_is_word(s, SQL_W_SET))
			return false;
		sql_top(s)->state = SQL_S_EXPR;
		return true;
	case SQL_C_DELETE:
		return tail_of_delete(s);
	case SQL_C_INSERT:
		return tail_of_insert(s);
	case SQL_C_LIST:
		return tail_of_list(s, sql_is_punct(s, ','));
	case SQL_C_RENAME:
		return tail_of_list(s, sql_is_punct(s, ',') || sql_is_word(s, SQL_W_TO));
	case SQL_C_ONE:
	case SQL_C_GRANT:
		return tail_of_one(s);
	case SQL_C_CREATE:
	case SQL_C_ALTER:
		return tail_of_definition(s);
	case SQL_C_VIEW:
		return tail_of_view(s);
	case SQL_C_SHOW:
		return tail_of_show(s);
	case SQL_C_REFERENCES:
		return tail_of_references(s);
	}
	return false;
}
