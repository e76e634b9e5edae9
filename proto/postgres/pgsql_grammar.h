/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the pgsql files only: how a token goes from the tokeniser through the grammar. */
#ifndef PGSQL_GRAMMAR_H
#define PGSQL_GRAMMAR_H

#include "postgres/pgsql.h"
#include "postgres/pgsql_words.h"

/* What may follow at one level of parentheses. */
enum pgsql_state {
	PGSQL_S_HEAD,	 /* pgsql_head.c decides */
	PGSQL_S_EXPR,	 /* an expression: names are columns */
	PGSQL_S_SELECT,	 /* the list of a SELECT, before its FROM */
	PGSQL_S_START,	 /* a query must come: SELECT, VALUES, TABLE, WITH or a parenthesis */
	PGSQL_S_OPEN,	 /* after "(": the first token says what it holds */
	PGSQL_S_REF,	 /* a table must come */
	PGSQL_S_DOT,	 /* a name came; a dot makes it a schema */
	PGSQL_S_PART,	 /* after that dot */
	PGSQL_S_TAIL,	 /* after a table: alias, the next table, the next clause */
	PGSQL_S_ALIAS,	 /* after AS */
	PGSQL_S_SAMPLE,	 /* after TABLESAMPLE: up to the end of its parenthesis */
	PGSQL_S_ON,	 /* an expression inside FROM: a comma leads to the next table */
	PGSQL_S_WITH,	 /* names of WITH and their queries, up to the main one */
	PGSQL_S_SKIP,	 /* names of columns, options */
	PGSQL_S_DEF,	 /* definitions of a CREATE or ALTER: expressions, and tables referred to */
	PGSQL_S_NEXTVAL, /* after nextval(: a text that names a sequence */
	PGSQL_S_NEXTVAL_END, /* after that text: a cast, then nothing that makes another of it */
	PGSQL_S_CATALOG,     /* after OPERATOR(: pg_catalog must come */
	PGSQL_S_REST,	     /* nothing more in this statement names a table or calls */
};

/* What the list of tables belongs to, hence what may follow a table. */
enum pgsql_clause {
	PGSQL_C_NONE,
	PGSQL_C_FROM,
	PGSQL_C_UPDATE,
	PGSQL_C_DELETE,
	PGSQL_C_INSERT,
	PGSQL_C_MERGE, /* the target, then what stands behind USING */
	PGSQL_C_MERGE_USING,
	PGSQL_C_LIST,	  /* DROP TABLE a, b; TRUNCATE a, b; LOCK a, b */
	PGSQL_C_GRANT,	  /* GRANT x ON a, b TO */
	PGSQL_C_MAINTAIN, /* ANALYZE a (x, y), b */
	PGSQL_C_ONE,	  /* exactly one, then options without expressions */
	PGSQL_C_COPY,
	PGSQL_C_CREATE,
	PGSQL_C_VIEW,
	PGSQL_C_INDEX,
	PGSQL_C_ALTER,
	PGSQL_C_REFERENCES, /* one table inside a definition, which goes on */
};

/* What a parenthesis may hold. */
enum pgsql_kind { PGSQL_K_EXPR, PGSQL_K_REFS, PGSQL_K_QUERY, PGSQL_K_SKIP, PGSQL_K_DEF };

enum {
	PGSQL_F_TAKES_FROM = 1u << 0, /* EXTRACT(DAY FROM x) */
	PGSQL_F_IS_QUERY = 1u << 1,   /* UNION may follow */
	PGSQL_F_ALIASED = 1u << 2,    /* the table has its alias: a second word is no alias */
	PGSQL_F_JOINED = 1u << 3,     /* a JOIN came: an ON belongs to it */
	PGSQL_F_UPDATE = 1u << 4,     /* SET came: a FROM may follow */
	PGSQL_F_INSERT = 1u << 5,     /* ON CONFLICT may follow */
	PGSQL_F_CALL = 1u << 6,	      /* the "table" was a function or a query */
};

/* ---- pgsql_lex.c calls */
void pgsql_end_statement(struct pgsql *s);
/* ---- and pgsql.c, of pgsql_lex.c: the token, or the end, to the grammar */
void pgsql_dispatch(struct pgsql *s);

/* ---- pgsql.c */
static inline void pgsql_doubt(struct pgsql *s)
{
	s->is_unproven = 1;
}
void pgsql_add_table(struct pgsql *s, struct sql_table t);
/* The token's text, as the server reads it, into names[]. */
bool pgsql_keep_name(struct pgsql *s, uint16_t *at, uint8_t *n);
bool pgsql_is_cte(const struct pgsql *s, const struct sql_table *t);

static inline struct pgsql_frame *pgsql_top(struct pgsql *s)
{
	return &s->frames[s->depth];
}

static inline struct bytes pgsql_text(const struct pgsql *s)
{
	return bytes_of(s->token.text, s->token.n < PGSQL_TOKEN_MAX ? s->token.n : PGSQL_TOKEN_MAX);
}

static inline bool pgsql_is_punct(const struct pgsql *s, char c)
{
	return s->token.kind == PGSQL_T_PUNCT && s->token.text[0] == (uint8_t)c;
}

/* An unquoted word that is this one, and no part of a qualified name. */
static inline bool pgsql_is_word(const struct pgsql *s, enum pgsql_word word)
{
	return s->token.kind == PGSQL_T_WORD && s->token.word == (uint8_t)word;
}

/* Can the token be a name: quoted, or a word that no server reserves. */
static inline bool pgsql_is_name(const struct pgsql *s)
{
	return s->token.kind == PGSQL_T_QUOTED ||
	       (s->token.kind == PGSQL_T_WORD &&
		(s->token.is_part || !pgsql_word_is_reserved(pgsql_text(s))));
}

static inline bool pgsql_is_any(const struct pgsql *s, const enum pgsql_word *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (pgsql_is_word(s, words[i]))
			return true;
	return false;
}

#define PGSQL_IS(s, ...)                                                                           \
	pgsql_is_any(s, (const enum pgsql_word[]){__VA_ARGS__},                                    \
		     sizeof((const enum pgsql_word[]){__VA_ARGS__}) / sizeof(enum pgsql_word))

/* What `name (` calls: something that a user may have stored, the server's own or a keyword,
 * nextval or the like, or one of these in whose parenthesis FROM is no clause. */
enum pgsql_call { PGSQL_CALL_OTHER, PGSQL_CALL_OWN, PGSQL_CALL_SEQUENCE, PGSQL_CALL_FROM };
/* The token is a parenthesis: what the one before it calls. Asked only here, since every word would
 * be looked up else; the text of that token still stands where it was, but for its first byte. */
enum pgsql_call pgsql_call_of(struct pgsql *s);

/* ---- pgsql_query.c */
void pgsql_query_token(struct pgsql *s);
void pgsql_push(struct pgsql *s, enum pgsql_state after, enum pgsql_kind kind, unsigned flags);
void pgsql_open_call(struct pgsql *s, enum pgsql_state after);

/* How far the beginning of a statement is read; all at depth 0. */
enum pgsql_head {
	PGSQL_H_START,
	PGSQL_H_WITH,
	PGSQL_H_INSERT,
	PGSQL_H_DELETE,
	PGSQL_H_MERGE,
	PGSQL_H_EXPLAIN,
	PGSQL_H_DECLARE, /* up to FOR */
	PGSQL_H_COPY,
	PGSQL_H_COPY_END, /* STDIN, STDOUT, PROGRAM or a file */
	PGSQL_H_LOCK,	  /* TABLE may come */
	PGSQL_H_MAINTAIN, /* options, then tables */
	PGSQL_H_REFRESH,
	PGSQL_H_COMMENT,
	PGSQL_H_COMMENT_ON,
	PGSQL_H_GRANT,
	PGSQL_H_GRANT_ON,
	PGSQL_H_GRANT_ALL, /* ON ALL TABLES IN SCHEMA */
	PGSQL_H_DEALLOCATE,
	PGSQL_H_DISCARD,
	PGSQL_H_RESET,
	PGSQL_H_OBJECT,	 /* CREATE, ALTER, DROP: up to the kind of object */
	PGSQL_H_TABLE,	 /* IF NOT EXISTS, then a table */
	PGSQL_H_INDEX,	 /* CREATE INDEX: up to ON */
	PGSQL_H_SCHEMA,	 /* IF NOT EXISTS, then a schema */
	PGSQL_H_SCHEMAS, /* what follows it */
	PGSQL_H_DATABASE,
	PGSQL_H_SET_SCHEMA, /* ALTER TABLE a SET SCHEMA */
	PGSQL_H_SET,
	PGSQL_H_SET_IS,	      /* = after a name */
	PGSQL_H_SET_PATH,     /* schemas */
	PGSQL_H_SET_ENCODING, /* the value of client_encoding */
	PGSQL_H_SET_STRINGS,  /* the value of standard_conforming_strings */
	PGSQL_H_END,	      /* nothing may follow */
};

/* ---- pgsql_head.c */
void pgsql_head_token(struct pgsql *s);
void pgsql_head_start(struct pgsql *s); /* a statement begins with this token */
void pgsql_begin_query(struct pgsql *s);

static inline void pgsql_go(struct pgsql *s, enum pgsql_head head)
{
	s->head = (uint8_t)head;
	s->frames[0].state = PGSQL_S_HEAD;
}

static inline void pgsql_rest(struct pgsql *s, enum pgsql_state state)
{
	s->frames[0].state = (uint8_t)state;
}

static inline void pgsql_refs(struct pgsql *s, enum pgsql_clause clause)
{
	s->frames[0] = (struct pgsql_frame){.state = PGSQL_S_REF, .clause = (uint8_t)clause};
}

static inline void pgsql_refs_with(struct pgsql *s, enum pgsql_clause clause)
{
	pgsql_refs(s, clause);
	pgsql_query_token(s);
}

void pgsql_add_schema(struct pgsql *s); /* the token names it */

/* ---- pgsql_object.c */
void pgsql_object_token(struct pgsql *s);
/* After a table of a clause that only heads have; false: treat the token as in FROM. */
bool pgsql_head_tail(struct pgsql *s);
/* A word inside definitions; true when it was one that leads to a table. */
bool pgsql_takes_definition(struct pgsql *s);

/* ---- pgsql_set.c */
void pgsql_set_token(struct pgsql *s);

#endif
