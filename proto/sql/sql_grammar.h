/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files of this folder only: how a token goes from the tokeniser through the grammar.
 */
#ifndef SQL_GRAMMAR_H
#define SQL_GRAMMAR_H

#include "sql/sql.h"
#include "sql/sql_words.h"

/* What may follow at one level of parentheses. */
enum sql_state {
	SQL_S_HEAD,    /* sql_head.c decides */
	SQL_S_EXPR,    /* an expression: names are columns */
	SQL_S_SELECT,  /* the list of a SELECT, before its FROM */
	SQL_S_START,   /* a query must come: SELECT, VALUES, TABLE, WITH or a parenthesis */
	SQL_S_OPEN,    /* after "(": the first token says what it holds */
	SQL_S_REF,     /* a table must come */
	SQL_S_DOT,     /* a name came; a dot makes it a schema */
	SQL_S_PART,    /* after that dot */
	SQL_S_TAIL,    /* after a table: alias, hints, the next table, the next clause */
	SQL_S_ALIAS,   /* after AS */
	SQL_S_HINT,    /* after USE, FORCE, IGNORE, PARTITION: up to the parenthesis */
	SQL_S_ON,      /* an expression inside FROM: a comma leads to the next table */
	SQL_S_DOUBT,   /* as EXPR, but if the word before was an alias a comma leads to a table */
	SQL_S_INTO,    /* SELECT INTO: a variable must come */
	SQL_S_FOR,     /* FOR UPDATE, FOR SHARE */
	SQL_S_LATERAL, /* a parenthesis must come */
	SQL_S_WITH,    /* names of WITH and their queries, up to the main one */
	SQL_S_SKIP,    /* definitions of a CREATE or ALTER: no expressions of a user's choice */
	SQL_S_REST,    /* nothing more in this statement names a table */
};

/* What the list of tables belongs to, hence what may follow a table. */
enum sql_clause {
	SQL_C_NONE,
	SQL_C_FROM,
	SQL_C_UPDATE,
	SQL_C_DELETE,
	SQL_C_INSERT,
	SQL_C_LIST,   /* DROP TABLE a, b; LOCK TABLES a READ, b WRITE */
	SQL_C_ONE,    /* exactly one, anything after it */
	SQL_C_RENAME, /* a TO b, c TO d */
	SQL_C_CREATE,
	SQL_C_VIEW,
	SQL_C_ALTER,
	SQL_C_SHOW,
	SQL_C_GRANT,
	SQL_C_REFERENCES, /* one table inside a definition, which goes on */
	SQL_C_SET,	  /* no table: a comma leads to the next assignment */
};

/* What a parenthesis may hold. */
enum sql_kind { SQL_K_EXPR, SQL_K_REFS, SQL_K_QUERY, SQL_K_SKIP };

enum {
	SQL_F_TAKES_FROM = 1u << 0, /* EXTRACT(DAY FROM x) */
	SQL_F_IS_QUERY = 1u << 1,   /* UNION may follow */
	SQL_F_ALIASED = 1u << 2,    /* the table has its alias: a second word is no alias */
	SQL_F_DERIVED = 1u << 3,    /* the table is a parenthesis: columns may follow its alias */
	SQL_F_WITH = 1u << 4,	    /* WITH came: SELECT may come at this level */
};

/* ---- sql_lex.c calls */
void sql_end_statement(struct sql *s);
/* ---- and sql.c, of sql_lex.c: the token, or the end, to the grammar */
void sql_dispatch(struct sql *s);

/* ---- sql.c */
static inline void sql_doubt(struct sql *s)
{
	s->is_unproven = 1;
}
void sql_add_table(struct sql *s, struct sql_table t);
bool sql_keep_name(struct sql *s, uint16_t *at, uint8_t *n); /* the token's text, into names[] */
void sql_drop_tables(struct sql *s);

/* What `name (` calls: something that a user may have stored, the server's own or a keyword, or one
 * of these in whose parenthesis FROM is no clause. */
enum sql_call { SQL_CALL_OTHER, SQL_CALL_OWN, SQL_CALL_FROM };
/* The token is a parenthesis: what the one before it calls. Asked only here, since every word would
 * be looked up else; the text of that token still stands where it was, but for its first byte. */
enum sql_call sql_call_of(struct sql *s);
/* The same where types and names stand before a parenthesis, too: what may be a function of the
 * server is noted, and no other name is a reason for doubt. */
void sql_note_call(struct sql *s);

static inline struct sql_frame *sql_top(struct sql *s)
{
	return &s->frames[s->depth];
}

static inline struct bytes sql_text(const struct sql *s)
{
	return bytes_of(s->token.text, s->token.n < SQL_TOKEN_MAX ? s->token.n : SQL_TOKEN_MAX);
}

static inline bool sql_is_punct(const struct sql *s, char c)
{
	return s->token.kind == SQL_T_PUNCT && s->token.text[0] == (uint8_t)c;
}

/* An unquoted word that is this one; no part of a qualified name. */
static inline bool sql_is_word(const struct sql *s, enum sql_word word)
{
	return s->token.kind == SQL_T_WORD && s->token.word == (uint8_t)word;
}

/* Can the token be a name: quoted, or a word that no server reserves. */
static inline bool sql_is_name(const struct sql *s)
{
	return s->token.kind == SQL_T_QUOTED ||
	       (s->token.kind == SQL_T_WORD &&
		(s->token.is_part || !sql_word_is_reserved((enum sql_word)s->token.word)));
}

/* ---- sql_query.c */
void sql_query_token(struct sql *s);
void sql_push(struct sql *s, enum sql_state after, enum sql_kind kind, unsigned flags);

/* How far the beginning of a statement is read; all at depth 0. */
enum sql_head {
	SQL_H_START,
	SQL_H_WITH,
	SQL_H_INSERT,
	SQL_H_UPDATE,
	SQL_H_DELETE,
	SQL_H_TARGETS, /* DELETE a, b: up to FROM */
	SQL_H_OBJECT,  /* CREATE, ALTER, DROP, RENAME: up to the kind of object */
	SQL_H_TABLE,   /* IF NOT EXISTS, then a table */
	SQL_H_INDEX,   /* up to ON */
	SQL_H_SCHEMA,  /* IF NOT EXISTS, then a schema */
	SQL_H_TRUNCATE,
	SQL_H_SHOW,
	SQL_H_SHOW_IN, /* SHOW TABLES: up to FROM or the end */
	SQL_H_SHOW_OF, /* SHOW COLUMNS: up to FROM */
	SQL_H_SHOW_CREATE,
	SQL_H_SHOW_SCHEMA, /* SHOW COLUMNS FROM t FROM: its schema */
	SQL_H_EXPLAIN,
	SQL_H_USE,
	SQL_H_END, /* nothing may follow */
	SQL_H_BEGIN,
	SQL_H_BEGIN_WORK,
	SQL_H_LOCK,
	SQL_H_MAINTAIN, /* ANALYZE ... TABLE */
	SQL_H_FLUSH,
	SQL_H_FLUSH_TABLES,
	SQL_H_GRANT,
	SQL_H_GRANT_ON,
	SQL_H_OPTION, /* CONNECTION, DIRECTORY: a text may follow */
	SQL_H_ENGINE,
	SQL_H_RENAME, /* ALTER TABLE a RENAME */
	SQL_H_SET,
	SQL_H_SET_IS,	   /* = after a name */
	SQL_H_SET_MODE,	   /* the value of sql_mode */
	SQL_H_SET_CHARSET, /* a character set's name */
	SQL_H_SET_COLLATE, /* what follows it */
};

/* ---- sql_head.c */
void sql_head_token(struct sql *s);

/* ---- sql_object.c
 * After a table of a clause that only heads have; false: treat the token as in FROM. */
bool sql_head_tail(struct sql *s);

#endif
