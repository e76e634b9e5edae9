/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SET. Two settings change how the server reads later statements: the character set of their text,
 * and sql_mode. Only values that keep the tokeniser right are proven; after any other, nothing is.
 */
#include "sql/sql_head.h"
#include "sql/sql_list.h"

/* Quotes, backslashes and comments mean the same under these. */
static const char *const safe_modes[] = {"allow_invalid_dates",
					 "default",
					 "empty_string_is_null",
					 "error_for_division_by_zero",
					 "high_not_precedence",
					 "ignore_space",
					 "mysql323",
					 "mysql40",
					 "no_auto_create_user",
					 "no_auto_value_on_zero",
					 "no_dir_in_create",
					 "no_engine_substitution",
					 "no_field_options",
					 "no_key_options",
					 "no_table_options",
					 "no_unsigned_subtraction",
					 "no_zero_date",
					 "no_zero_in_date",
					 "only_full_group_by",
					 "pad_char_to_full_length",
					 "pipes_as_concat",
					 "real_as_float",
					 "simultaneous_assignment",
					 "strict_all_tables",
					 "strict_trans_tables",
					 "time_round_fractional",
					 "time_truncate_fractional",
					 "traditional"};

/* Every byte below 0x80 is the ASCII character, wherever it stands. Not so in gbk, big5, sjis, ucs2
 * ... */
static const char *const utf8_charsets[] = {"utf8", "utf8mb3", "utf8mb4"};
static const char *const byte_charsets[] = {"ascii",  "binary", "cp1250", "cp1251",
					    "cp1256", "cp1257", "koi8r",  "koi8u",
					    "latin1", "latin2", "latin5", "latin7"};

static void lose(struct sql *s)
{
	sql_doubt(s);
	s->effects |= SQL_LOSES_LEXING;
}

static bool is_value(const struct sql *s)
{
	return (s->token.kind == SQL_T_WORD || s->token.kind == SQL_T_STRING) &&
	       s->token.n <= SQL_TOKEN_MAX;
}

static void on_mode(struct sql *s)
{
	bool is_safe =
		is_value(s) || (s->token.kind == SQL_T_DOUBLE && s->token.n <= SQL_TOKEN_MAX);
	struct bytes rest = sql_text(s);
	while (is_safe && rest.n) {
		const size_t at = bytes_find(rest, ',');
		is_safe = at == 0 || SQL_LIST_HAS(safe_modes, bytes_slice(rest, 0, at));
		rest = bytes_from(rest, at + 1);
	}
	if (!is_safe)
		lose(s);
	head_go(s, SQL_H_SET_COLLATE);
}

/* A global one is that of later sessions; where GLOBAL stands beside it, it may be. */
static void on_charset(struct sql *s)
{
	if (sql_is_word(s, SQL_W_SET) && s->previous_word == SQL_W_CHARACTER)
		return;
	const struct bytes text = sql_text(s);
	s->effects &= (uint8_t) ~(SQL_SETS_UTF8 | SQL_SETS_BYTES);
	if (is_value(s) && SQL_LIST_HAS(utf8_charsets, text))
		s->effects |= s->verb == SQL_SET_GLOBAL ? SQL_SETS_BYTES : SQL_SETS_UTF8;
	else if (is_value(s) &&
		 (SQL_LIST_HAS(byte_charsets, text) || sql_is_word(s, SQL_W_DEFAULT)))
		s->effects |= SQL_SETS_BYTES;
	else
		lose(s);
	head_go(s, SQL_H_SET_COLLATE);
}

/* After such a value: COLLATE x, the next assignment, or the end. */
static void on_collate(struct sql *s)
{
	const bool is_name = s->previous_kind == SQL_T_WORD || s->previous_kind == SQL_T_STRING;
	if (sql_is_punct(s, ','))
		head_go(s, SQL_H_SET);
	else if (s->token.kind != SQL_T_END && !bytes_is_nocase(sql_text(s), "collate") &&
		 !(is_value(s) && is_name))
		lose(s);
}

/* What is assigned to: the name behind "@@scope." or the bare word. */
static void on_name(struct sql *s, struct bytes name)
{
	if (bytes_is_nocase(name, "sql_mode"))
		s->goal = SQL_H_SET_MODE;
	else if (bytes_is_nocase(name, "character_set_client"))
		s->goal = SQL_H_SET_CHARSET;
	else
		s->goal = SQL_H_SET;
	head_go(s, SQL_H_SET_IS);
}

static void on_variable(struct sql *s)
{
	struct bytes name = sql_text(s);
	if (name.n < 2 || name.p[1] != '@') {
		s->goal = SQL_H_SET; /* a user's own variable */
		head_go(s, SQL_H_SET_IS);
		return;
	}
	name = bytes_from(name, 2);
	const size_t dot = bytes_find(name, '.');
	if (dot < name.n) {
		const struct bytes scope = bytes_slice(name, 0, dot);
		if (!bytes_is_nocase(scope, "session") && !bytes_is_nocase(scope, "local"))
			s->verb = SQL_SET_GLOBAL;
		name = bytes_from(name, dot + 1);
	}
	on_name(s, name);
}

/* SET PASSWORD, SET ROLE, SET DEFAULT ROLE are about accounts; true when it was one, or no
 * assignment at all. */
static bool takes_other(struct sql *s)
{
	if (HEAD_IS(s, SQL_W_PASSWORD, SQL_W_ROLE, SQL_W_DEFAULT)) {
		s->verb = SQL_ACCOUNT;
		head_rest(s, SQL_S_REST);
	} else if (sql_is_word(s, SQL_W_TRANSACTION)) {
		head_rest(s, SQL_S_REST);
	} else if (HEAD_IS(s, SQL_W_STATEMENT, SQL_W_RESOURCE)) {
		lose(s);
	} else {
		return false;
	}
	return true;
}

static void on_set(struct sql *s)
{
	if (takes_other(s) || HEAD_IS(s, SQL_W_SESSION, SQL_W_LOCAL))
		return;
	if (HEAD_IS(s, SQL_W_GLOBAL, SQL_W_PERSIST, SQL_W_PERSIST_ONLY))
		s->verb = SQL_SET_GLOBAL;
	else if (HEAD_IS(s, SQL_W_NAMES, SQL_W_CHARACTER, SQL_W_CHARSET))
		head_go(s, SQL_H_SET_CHARSET);
	else if (s->token.kind == SQL_T_VAR)
		on_variable(s);
	else if (s->token.kind == SQL_T_WORD)
		on_name(s, sql_text(s));
	else
		lose(s);
}

static void on_is(struct sql *s)
{
	if (sql_is_punct(s, ':'))
		return;
	if (!sql_is_punct(s, '=')) {
		lose(s);
		return;
	}
	head_go(s, (enum sql_head)s->goal);
	if (s->goal == SQL_H_SET)
		s->frames[0] = (struct sql_frame){.state = SQL_S_EXPR, .clause = SQL_C_SET};
}

void sql_set_token(struct sql *s)
{
	if (s->head == SQL_H_SET)
		on_set(s);
	else if (s->head == SQL_H_SET_IS)
		on_is(s);
	else if (s->head == SQL_H_SET_MODE)
		on_mode(s);
	else if (s->head == SQL_H_SET_CHARSET)
		on_charset(s);
	else
		on_collate(s);
}
