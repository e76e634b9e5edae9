/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SET. Three settings change how the server reads later statements: where bare names are searched,
 * the character set of the text, and what a backslash means in quotes. Only values that are
 * followed are proven.
 */
#include "postgres/pgsql_grammar.h"
#include "sql/sql_list.h"

static void lose(struct pgsql *s, unsigned effects)
{
	pgsql_doubt(s);
	s->effects |= (uint8_t)effects;
}

static bool is_value(const struct pgsql *s)
{
	return (s->token.kind == PGSQL_T_WORD || s->token.kind == PGSQL_T_STRING ||
		s->token.kind == PGSQL_T_QUOTED) &&
	       s->token.n <= PGSQL_TOKEN_MAX && !s->token.is_escaped;
}

/* ---------------------------------------------------------------- values */

/* "$user" is the schema of one's own name, and the empty text none at all. */
static bool is_own(struct bytes name)
{
	return name.n == 0 || bytes_is(name, "$user");
}

static void on_path(struct pgsql *s)
{
	s->effects |= PGSQL_ADDS_PATH;
	if (pgsql_is_punct(s, ',') || s->token.kind == PGSQL_T_END ||
	    pgsql_is_word(s, PGSQL_W_DEFAULT))
		return;
	struct sql_table t = {0};
	if (!is_value(s))
		pgsql_doubt(s);
	else if (!is_own(pgsql_text(s)) && pgsql_keep_name(s, &t.schema_at, &t.schema_n))
		pgsql_add_table(s, t);
	if (s->is_unproven)
		s->effects |= PGSQL_LOSES_PATH;
}

static void on_encoding(struct pgsql *s)
{
	s->effects |= PGSQL_SETS_ENCODING;
	if (!is_value(s) ||
	    (!pgsql_is_word(s, PGSQL_W_DEFAULT) && pgsql_is_unsafe_encoding(pgsql_text(s))))
		lose(s, PGSQL_LOSES_LEXING);
	pgsql_go(s, PGSQL_H_END);
}

static void on_strings(struct pgsql *s)
{
	static const char *const on[] = {"1", "default", "on", "true", "yes"};
	if (!SQL_LIST_HAS(on, pgsql_text(s)))
		lose(s, PGSQL_LOSES_LEXING);
	pgsql_go(s, PGSQL_H_END);
}

/* ---------------------------------------------------------------- names */

static void on_name(struct pgsql *s)
{
	const struct bytes name = pgsql_text(s);
	s->goal = PGSQL_H_END;
	if (bytes_is_nocase(name, "search_path"))
		s->goal = PGSQL_H_SET_PATH;
	else if (bytes_is_nocase(name, "client_encoding"))
		s->goal = PGSQL_H_SET_ENCODING;
	else if (bytes_is_nocase(name, "standard_conforming_strings"))
		s->goal = PGSQL_H_SET_STRINGS;
	else if (bytes_is_nocase(name, "role") || bytes_is_nocase(name, "session_authorization"))
		s->verb = PGSQL_ACCOUNT;
	pgsql_go(s, PGSQL_H_SET_IS);
}

/* SET ROLE x, but also SET role = x; SET SCHEMA 'x', SET NAMES 'x', SET TRANSACTION ... True when
 * it was one. */
static bool takes_other(struct pgsql *s)
{
	if (PGSQL_IS(s, PGSQL_W_ROLE, PGSQL_W_AUTHORIZATION)) {
		s->verb = PGSQL_ACCOUNT;
		pgsql_rest(s, PGSQL_S_REST);
	} else if (pgsql_is_word(s, PGSQL_W_SCHEMA)) {
		pgsql_go(s, PGSQL_H_SET_PATH);
	} else if (pgsql_is_word(s, PGSQL_W_NAMES)) {
		pgsql_go(s, PGSQL_H_SET_ENCODING);
	} else if (PGSQL_IS(s, PGSQL_W_TRANSACTION, PGSQL_W_CHARACTERISTICS, PGSQL_W_CONSTRAINTS,
			    PGSQL_W_TIME)) {
		pgsql_rest(s, PGSQL_S_REST);
	} else {
		return false;
	}
	return true;
}

static void on_set(struct pgsql *s)
{
	if (PGSQL_IS(s, PGSQL_W_SESSION, PGSQL_W_LOCAL) || takes_other(s))
		return;
	if (is_value(s) && s->token.kind != PGSQL_T_STRING)
		on_name(s);
	else
		lose(s, PGSQL_LOSES_LEXING | PGSQL_LOSES_PATH);
}

/* A setting of an extension has a dot in its name. */
static void on_is(struct pgsql *s)
{
	const bool is_name = s->token.kind == PGSQL_T_WORD || s->token.kind == PGSQL_T_QUOTED;
	if (pgsql_is_punct(s, '.') || (s->token.is_part && is_name)) {
		if (s->goal != PGSQL_H_END)
			lose(s, PGSQL_LOSES_LEXING | PGSQL_LOSES_PATH);
		return;
	}
	if (!pgsql_is_punct(s, '=') && !pgsql_is_word(s, PGSQL_W_TO))
		lose(s, PGSQL_LOSES_LEXING | PGSQL_LOSES_PATH);
	if (s->goal == PGSQL_H_END)
		pgsql_rest(s, PGSQL_S_REST);
	else
		pgsql_go(s, (enum pgsql_head)s->goal);
}

void pgsql_set_token(struct pgsql *s)
{
	if (s->head == PGSQL_H_SET)
		on_set(s);
	else if (s->head == PGSQL_H_SET_IS)
		on_is(s);
	else if (s->head == PGSQL_H_SET_PATH)
		on_path(s);
	else if (s->head == PGSQL_H_SET_ENCODING)
		on_encoding(s);
	else
		on_strings(s);
}

/* ---------------------------------------------------------------- the same in a startup packet */

static struct bytes trimmed(struct bytes b)
{
	while (b.n && (b.p[0] == ' ' || b.p[0] == '\t'))
		b = bytes_from(b, 1);
	while (b.n && (b.p[b.n - 1] == ' ' || b.p[b.n - 1] == '\t'))
		b.n--;
	return b;
}

static bool read_schema(struct pgsql *s, struct bytes name)
{
	struct sql_table t = {0};
	const bool is_quoted = name.n >= 2 && name.p[0] == '"' && name.p[name.n - 1] == '"';
	if (is_quoted)
		name = bytes_slice(name, 1, name.n - 2);
	if (bytes_find(name, '"') < name.n || name.n > PGSQL_NAME_MAX)
		return false;
	if (is_own(name))
		return true;
	s->token.kind = is_quoted ? PGSQL_T_QUOTED : PGSQL_T_WORD;
	s->token.is_escaped = 0;
	s->token.n = (uint32_t)name.n;
	memcpy(s->token.text, name.p, name.n);
	if (!pgsql_keep_name(s, &t.schema_at, &t.schema_n))
		return false;
	pgsql_add_table(s, t);
	return !s->is_unproven;
}

bool pgsql_read_path(struct pgsql *s, struct bytes list)
{
	while (list.n) {
		const size_t at = bytes_find(list, ',');
		if (!read_schema(s, trimmed(bytes_slice(list, 0, at))))
			return false;
		list = bytes_from(list, at + 1);
	}
	return true;
}
