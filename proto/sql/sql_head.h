/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files share that read the beginnings of statements: sql_head.c, sql_object.c,
 * sql_show.c, sql_set.c. */
#ifndef SQL_HEAD_H
#define SQL_HEAD_H

#include "sql/sql_grammar.h"

static inline void head_go(struct sql *s, enum sql_head head)
{
	s->head = (uint8_t)head;
}

static inline void head_rest(struct sql *s, enum sql_state state)
{
	s->frames[0].state = (uint8_t)state;
}

static inline void head_refs(struct sql *s, enum sql_clause clause)
{
	s->goal = (uint8_t)clause;
	s->frames[0] = (struct sql_frame){.state = SQL_S_REF, .clause = (uint8_t)clause};
}

static inline void head_refs_with(struct sql *s, enum sql_clause clause)
{
	head_refs(s, clause);
	sql_query_token(s);
}

static inline void head_query(struct sql *s)
{
	s->frames[0] = (struct sql_frame){.state = SQL_S_START};
	sql_query_token(s);
}

static inline void head_add_schema(struct sql *s)
{
	struct sql_table t = {0};
	if (!sql_is_name(s))
		sql_doubt(s);
	else if (sql_keep_name(s, &t.schema_at, &t.schema_n))
		sql_add_table(s, t);
}

static inline bool head_is_any(const struct sql *s, const enum sql_word *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (sql_is_word(s, words[i]))
			return true;
	return false;
}

#define HEAD_IS(s, ...)                                                                            \
	head_is_any(s, (const enum sql_word[]){__VA_ARGS__},                                       \
		    sizeof((const enum sql_word[]){__VA_ARGS__}) / sizeof(enum sql_word))

/* A statement begins with this token; EXPLAIN keeps its own verb. */
void sql_head_start(struct sql *s);

void sql_object_token(struct sql *s);
void sql_show_token(struct sql *s);
void sql_set_token(struct sql *s);

#endif
