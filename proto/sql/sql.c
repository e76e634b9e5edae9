/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The life of a statement, and the names that it leaves behind. sql.h says what this folder is for.
 */
#include "sql/sql.h"

#include "sql/sql_grammar.h"

#define SQL_VERB_WORD(name, word) word,
const char *const sql_verb_words[SQL_N_VERBS + 1] = {SQL_VERBS(SQL_VERB_WORD) NULL};
#undef SQL_VERB_WORD

void sql_init(struct sql *s, bool is_utf8)
{
	memset(s, 0, offsetof(struct sql, token.text));
	sql_digest_init(&s->digest);
	s->frames[0] = (struct sql_frame){0};
	s->is_utf8 = is_utf8;
}

/* A stored function: its name is kept for the event. */
static void keep_other(struct sql *s, struct bytes name)
{
	if (name.n > SQL_NAME_MAX || s->n_names + name.n > SQL_NAMES_MAX)
		return; /* unproven anyway */
	s->calls.other_at = s->n_names;
	s->calls.other_n = (uint8_t)name.n;
	memcpy(s->names + s->n_names, name.p, name.n);
	s->n_names = (uint16_t)(s->n_names + name.n);
}

static enum sql_call call_of_name(struct sql *s, struct bytes name)
{
	const bool is_bare = s->previous_kind == SQL_T_WORD && !s->is_previous_part;
	const bool is_glued = s->is_adjacent || !sql_word_is_glued(name);
	if (!is_bare || !is_glued || !sql_word_is_callable(name)) {
		keep_other(s, name);
		return SQL_CALL_OTHER;
	}
	if (!sql_calls_add(&s->calls, &sql_callables, name))
		sql_doubt(s);
	return sql_word_takes_from(name) ? SQL_CALL_FROM : SQL_CALL_OWN;
}

enum sql_call sql_call_of(struct sql *s)
{
	struct sql_token *t = &s->token;
	const uint8_t own = t->text[0];
	if (s->previous_n == 0 || s->previous_n > SQL_TOKEN_MAX)
		return SQL_CALL_OTHER;
	t->text[0] = s->previous_byte;
	const enum sql_call call = call_of_name(s, bytes_of(t->text, s->previous_n));
	t->text[0] = own;
	return call;
}

void sql_note_call(struct sql *s)
{
	struct sql_token *t = &s->token;
	const uint8_t own = t->text[0];
	if (s->previous_n == 0 || s->previous_n > SQL_TOKEN_MAX)
		return; /* longer than any function of the server */
	t->text[0] = s->previous_byte;
	if (!sql_calls_add(&s->calls, &sql_callables, bytes_of(t->text, s->previous_n)))
		sql_doubt(s);
	t->text[0] = own;
}

/* May a statement end where its outermost frame is now? */
static bool is_whole(const struct sql *s)
{
	if (s->depth != 0)
		return false;
	switch ((enum sql_state)s->frames[0].state) {
	case SQL_S_EXPR:
	case SQL_S_SELECT:
	case SQL_S_TAIL:
	case SQL_S_ON:
	case SQL_S_DOUBT:
	case SQL_S_SKIP:
	case SQL_S_REST:
	case SQL_S_HEAD:
		return true;
	case SQL_S_START:
	case SQL_S_OPEN:
	case SQL_S_REF:
	case SQL_S_DOT:
	case SQL_S_PART:
	case SQL_S_ALIAS:
	case SQL_S_HINT:
	case SQL_S_INTO:
	case SQL_S_FOR:
	case SQL_S_LATERAL:
	case SQL_S_WITH:
		return false;
	}
	return false;
}

void sql_end_statement(struct sql *s)
{
	if (!s->has_token)
		return;
	s->token.kind = SQL_T_END;
	s->token.n = 0;
	s->token.word = s->token.is_part = 0;
	if (!s->is_unproven)
		sql_dispatch(s);
	if (!is_whole(s))
		sql_doubt(s);
	if (s->is_unproven &&
	    (s->verb == SQL_SET || s->verb == SQL_SET_GLOBAL || s->verb == SQL_UNKNOWN ||
	     s->verb == SQL_CALL || s->verb == SQL_EXECUTE || s->is_lost))
		s->effects |= SQL_LOSES_LEXING;
}

void sql_next(struct sql *s)
{
	const bool is_lost = s->is_lost || (s->effects & SQL_LOSES_LEXING);
	bool is_utf8 = s->is_utf8;
	if (s->effects & (SQL_SETS_UTF8 | SQL_SETS_BYTES))
		is_utf8 = s->effects & SQL_SETS_UTF8;
	sql_init(s, is_utf8);
	s->is_lost = s->is_unproven = is_lost;
}

/* ---------------------------------------------------------------- names */

bool sql_keep_name(struct sql *s, uint16_t *at, uint8_t *n)
{
	const struct bytes text = sql_text(s);
	if (s->token.n == 0 || s->token.n > SQL_NAME_MAX || s->n_names + text.n > SQL_NAMES_MAX) {
		sql_doubt(s);
		return false;
	}
	*at = s->n_names;
	*n = (uint8_t)text.n;
	memcpy(s->names + s->n_names, text.p, text.n);
	s->n_names = (uint16_t)(s->n_names + text.n);
	return true;
}

void sql_add_table(struct sql *s, struct sql_table t)
{
	if (!sql_table_is_in(&t, s->ctes, s->n_ctes, s->names) &&
	    !sql_table_add(s->tables, &s->n_tables, t, s->names))
		sql_doubt(s);
}

void sql_drop_tables(struct sql *s)
{
	s->n_tables = 0;
}
