/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tokeniser: one byte, one step. A step either takes its byte or ends the token before it and
 * asks to see the byte again, from the blank state.
 *
 * It reads as servers from 9.1 on do with standard_conforming_strings on and a character set whose
 * bytes below 0x80 are ASCII. Where versions read differently, the text is lost: unproven to its
 * end.
 *
 * https://www.postgresql.org/docs/current/sql-syntax-lexical.html
 */
#include "postgres/pgsql_grammar.h"
#include "sql/sql_byte.h"

enum lex {
	L_BLANK,
	L_WORD,
	L_U_AMP, /* U& */
	L_DIGITS,
	L_EXPONENT,
	L_SIGN,
	L_DOLLAR, /* $ and perhaps a tag */
	L_PARAM,
	L_DASH,
	L_SLASH,
	L_LINE,
	L_QUOTED, /* from here on the text is not whole */
	L_ESCAPE,
	L_DOLLARS, /* between dollar quotes */
	L_BLOCK,
	L_BLOCK_SLASH,
	L_BLOCK_STAR,
	L_QUOTE, /* the closing quote, unless a second one follows */
};

/* ---------------------------------------------------------------- a token is complete */

/* pg_catalog.lower( is as good as lower(; any other qualified function is a stored one. */
static void follow_catalog(struct pgsql *s)
{
	const struct pgsql_token *t = &s->token;
	const bool is_name = t->kind == PGSQL_T_WORD || t->kind == PGSQL_T_QUOTED;
	if (is_name && !t->is_part && bytes_is(pgsql_text(s), "pg_catalog"))
		s->n_catalog = 1;
	else if (s->n_catalog == 1 && pgsql_is_punct(s, '.'))
		s->n_catalog = 2;
	else
		s->n_catalog = 0;
}

static void classify(struct pgsql *s)
{
	struct pgsql_token *t = &s->token;
	const bool is_of_catalog = s->n_catalog == 2;
	t->is_part = s->previous_kind == PGSQL_T_PUNCT && s->previous_byte == '.';
	t->is_own = t->kind == PGSQL_T_WORD && (!t->is_part || is_of_catalog);
	t->word = PGSQL_W_NONE;
	follow_catalog(s);
	if (t->kind == PGSQL_T_WORD && !t->is_part)
		t->word = (uint8_t)pgsql_word_find(pgsql_text(s));
}

/* IS [NOT] DISTINCT FROM is an operator. As labels of columns these words mean nothing. */
static void follow_distinct(struct pgsql *s)
{
	if (pgsql_is_word(s, PGSQL_W_IS))
		s->n_distinct = 1;
	else if (s->n_distinct == 1 && pgsql_is_word(s, PGSQL_W_DISTINCT))
		s->n_distinct = 2;
	else if (s->n_distinct != 1 || !pgsql_is_word(s, PGSQL_W_NOT))
		s->n_distinct = 0;
}

static void remember(struct pgsql *s)
{
	const struct pgsql_token *t = &s->token;
	s->previous_kind = t->kind;
	s->previous_word = t->word;
	s->previous_byte = t->n ? t->text[0] : 0;
	s->previous_n = t->n;
	s->is_previous_own = t->is_own;
	s->is_previous_part = t->is_part;
}

/* Neither a word that the grammar asks for nor a parenthesis: in an expression it is the
 * expression's own. */
static bool is_plain(const struct pgsql *s)
{
	return s->token.word == PGSQL_W_NONE && !pgsql_is_punct(s, '(') && !pgsql_is_punct(s, ')');
}

void pgsql_dispatch(struct pgsql *s)
{
	const uint8_t state = pgsql_top(s)->state;
	if ((state == PGSQL_S_EXPR || state == PGSQL_S_SELECT) && is_plain(s))
		return;
	if (state == PGSQL_S_HEAD)
		pgsql_head_token(s);
	else
		pgsql_query_token(s);
}

/* A name without quotes is one of small letters. */
static void take_digest(struct pgsql *s)
{
	const struct pgsql_token *t = &s->token;
	if (t->kind == PGSQL_T_PUNCT)
		sql_digest_byte(&s->digest, t->text[0]);
	else if (t->kind == PGSQL_T_WORD || t->kind == PGSQL_T_QUOTED)
		sql_digest_word(&s->digest, t->kind == PGSQL_T_WORD ? 0 : '"', pgsql_text(s),
				t->kind == PGSQL_T_WORD);
	else
		sql_digest_literal(&s->digest);
}

static void take_settings(struct pgsql *s)
{
	const bool is_name = s->token.kind == PGSQL_T_WORD || s->token.kind == PGSQL_T_QUOTED;
	s->has_settings |= is_name && bytes_is_nocase(pgsql_text(s), "pg_settings");
}

static void take_where(struct pgsql *s)
{
	s->has_where |=
		s->depth == 0 && pgsql_is_word(s, PGSQL_W_WHERE) && s->previous_word != PGSQL_W_AS;
}

/* Of a statement that is not proven, and whose verb is known, nothing more is learned. */
static void take_token(struct pgsql *s)
{
	s->has_token = 1;
	if (s->is_unproven && s->verb != PGSQL_UNKNOWN) {
		s->token.word = s->token.is_part = s->token.is_own = 0;
	} else {
		classify(s);
		take_digest(s);
		take_where(s);
		pgsql_dispatch(s);
		follow_distinct(s);
	}
	if (bytes_is_nocase(pgsql_text(s), "set_config"))
		s->effects |= PGSQL_LOSES_PATH | PGSQL_LOSES_LEXING;
	take_settings(s);
	remember(s);
}

/* ---------------------------------------------------------------- tokens begin, grow and end */

static void lose(struct pgsql *s)
{
	s->is_lost = s->is_unproven = 1;
	s->has_token = 1;
}

static void begin(struct pgsql *s, enum pgsql_token_kind kind, enum lex state)
{
	s->token.kind = kind;
	s->token.is_escaped = 0;
	s->token.n = 0;
	s->lex = state;
}

static void put(struct pgsql *s, uint8_t c)
{
	if (s->token.n < PGSQL_TOKEN_MAX)
		s->token.text[s->token.n] = c;
	if (s->token.n < UINT32_MAX)
		s->token.n++;
}

static void end(struct pgsql *s)
{
	s->lex = L_BLANK;
	take_token(s);
}

static void punct(struct pgsql *s, uint8_t c)
{
	begin(s, PGSQL_T_PUNCT, L_BLANK);
	put(s, c);
	end(s);
}

/* 'a' 'b' with a line end between is one text, read as its first part was: so E'a' makes
 * backslashes escape in the second part, too. Without the line end no server takes it. */
static void begin_quoted(struct pgsql *s, uint8_t c, bool is_backslash)
{
	const bool goes_on = c == '\'' && s->previous_kind == PGSQL_T_STRING;
	begin(s, c == '"' ? PGSQL_T_QUOTED : PGSQL_T_STRING, L_QUOTED);
	s->quote = c;
	s->is_backslash = is_backslash || (goes_on && s->is_backslash);
	s->token.is_escaped = s->is_backslash;
}

/* ---------------------------------------------------------------- steps: true when the byte was
 * taken */

static void step_other(struct pgsql *s, uint8_t c)
{
	switch (c) {
	case '\'':
	case '"':
		begin_quoted(s, c, false);
		break;
	case '-':
		s->lex = L_DASH;
		break;
	case '/':
		s->lex = L_SLASH;
		break;
	case '$':
		begin(s, PGSQL_T_STRING, L_DOLLAR);
		s->n_tag = 0;
		break;
	default:
		if (c < ' ' || c == 0x7f || c == '{' || c == '}' || c == '\\')
			lose(s);
		punct(s, c);
	}
}

static bool step_blank(struct pgsql *s, uint8_t c)
{
	if (sql_byte_is_blank(c))
		return true;
	if (sql_byte_is_plain(c)) {
		punct(s, c);
	} else if (sql_byte_is_letter(c)) {
		begin(s, PGSQL_T_WORD, L_WORD);
		put(s, c);
	} else if (sql_byte_is_digit(c)) {
		begin(s, PGSQL_T_NUMBER, L_DIGITS);
		put(s, c);
	} else if (c == ';' && !s->is_lost) {
		s->is_end = s->has_token; /* else there was no statement */
	} else {
		step_other(s, c);
	}
	return true;
}

/* A single letter right before a quote says how the quoted text is read. */
static bool takes_prefix(struct pgsql *s, uint8_t c)
{
	const uint8_t first = byte_lower(s->token.text[0]);
	if (s->token.n != 1)
		return false;
	if (first == 'u' && c == '&') {
		s->lex = L_U_AMP;
		return true;
	}
	if (c != '\'' || (first != 'e' && first != 'b' && first != 'x' && first != 'n'))
		return false;
	begin_quoted(s, c, first == 'e');
	return true;
}

/* The token ended before c, which stands behind it. */
static bool end_before(struct pgsql *s, uint8_t c)
{
	end(s);
	return step_blank(s, c);
}

static bool step_word(struct pgsql *s, uint8_t c)
{
	if (sql_byte_is_letter(c) || sql_byte_is_digit(c) || c == '$') {
		put(s, c);
		return true;
	}
	if (takes_prefix(s, c))
		return true;
	return end_before(s, c);
}

static bool step_u_amp(struct pgsql *s, uint8_t c)
{
	if (c == '\'' || c == '"') {
		begin_quoted(s, c, false);
		s->token.is_escaped = 1;
		return true;
	}
	end(s);
	punct(s, '&');
	return false;
}

/* Servers before 15 read 1FROM as two tokens, later ones refuse it. */
static bool step_digits(struct pgsql *s, uint8_t c)
{
	if (sql_byte_is_digit(c) || (c == '.' && s->lex == L_DIGITS)) {
		put(s, c);
		return true;
	}
	if (s->lex == L_DIGITS && byte_lower(c) == 'e') {
		put(s, c);
		s->lex = L_EXPONENT;
		return true;
	}
	if (sql_byte_is_letter(c) || c == '$')
		lose(s);
	return end_before(s, c);
}

/* Behind "e": a sign or a digit; then digits alone. */
static bool step_exponent(struct pgsql *s, uint8_t c)
{
	const bool is_sign = s->lex == L_EXPONENT && (c == '+' || c == '-');
	if (!is_sign && !sql_byte_is_digit(c)) {
		if (s->token.text[(s->token.n - 1) % PGSQL_TOKEN_MAX] > '9' || s->lex == L_SIGN ||
		    sql_byte_is_letter(c) || c == '$')
			lose(s); /* 1e, 1e+, 1e5x */
		return end_before(s, c);
	}
	put(s, c);
	if (is_sign)
		s->lex = L_SIGN;
	else if (s->lex == L_SIGN)
		s->lex = L_EXPONENT;
	return true;
}

/* $1, $$ or $tag$ */
static bool step_dollar(struct pgsql *s, uint8_t c)
{
	if (sql_byte_is_digit(c) && s->n_tag == 0) {
		begin(s, PGSQL_T_PARAM, L_PARAM);
		return false;
	}
	if (c == '$') {
		s->lex = L_DOLLARS;
		s->n_matched = 0;
		s->is_backslash = 0;
		return true;
	}
	if ((!sql_byte_is_letter(c) && !sql_byte_is_digit(c)) || s->n_tag == PGSQL_TAG_MAX) {
		lose(s);
		end(s);
		return false;
	}
	s->tag[s->n_tag++] = c;
	return true;
}

static bool step_param(struct pgsql *s, uint8_t c)
{
	if (sql_byte_is_digit(c)) {
		put(s, c);
		return true;
	}
	if (sql_byte_is_letter(c) || c == '$')
		lose(s);
	return end_before(s, c);
}

static bool step_dash(struct pgsql *s, uint8_t c)
{
	if (c == '-') {
		s->lex = L_LINE;
		return true;
	}
	punct(s, '-');
	return step_blank(s, c);
}

static bool step_slash(struct pgsql *s, uint8_t c)
{
	if (c == '*') {
		s->lex = L_BLOCK;
		s->n_nested = 1;
		return true;
	}
	punct(s, '/');
	return false;
}

/* ---------------------------------------------------------------- quotes and comments */

static bool step_quoted(struct pgsql *s, uint8_t c)
{
	if (c == s->quote) {
		s->lex = L_QUOTE;
		return true;
	}
	put(s, c);
	if (c == '\\' && s->is_backslash)
		s->lex = L_ESCAPE;
	return true;
}

static bool step_quote(struct pgsql *s, uint8_t c)
{
	if (c == s->quote) {
		put(s, c);
		s->lex = L_QUOTED;
		return true;
	}
	return end_before(s, c);
}

/* n_matched: bytes of $tag$ that came last. The tag holds no $, so only its first can begin it
 * anew. */
static bool step_dollars(struct pgsql *s, uint8_t c)
{
	put(s, c);
	if (s->n_matched == s->n_tag + 1 && c == '$') {
		s->token.n -= s->n_tag + 2u < s->token.n ? s->n_tag + 2u : s->token.n;
		end(s);
	} else if (s->n_matched && s->n_matched <= s->n_tag && c == s->tag[s->n_matched - 1]) {
		s->n_matched++;
	} else {
		s->n_matched = c == '$';
	}
	return true;
}

/* Comments nest. */
static bool step_block(struct pgsql *s, uint8_t c)
{
	if (c == '*' && s->lex == L_BLOCK_SLASH) {
		s->lex = L_BLOCK;
		if (++s->n_nested == UINT16_MAX)
			lose(s);
	} else if (c == '/' && s->lex == L_BLOCK_STAR) {
		s->lex = --s->n_nested ? L_BLOCK : L_BLANK;
	} else {
		s->lex = c == '*' ? L_BLOCK_STAR : c == '/' ? L_BLOCK_SLASH : L_BLOCK;
	}
	return true;
}

static bool step(struct pgsql *s, uint8_t c)
{
	switch ((enum lex)s->lex) {
	case L_BLANK:
		return step_blank(s, c);
	case L_WORD:
		return step_word(s, c);
	case L_U_AMP:
		return step_u_amp(s, c);
	case L_DIGITS:
		return step_digits(s, c);
	case L_EXPONENT:
	case L_SIGN:
		return step_exponent(s, c);
	case L_DOLLAR:
		return step_dollar(s, c);
	case L_PARAM:
		return step_param(s, c);
	case L_DASH:
		return step_dash(s, c);
	case L_SLASH:
		return step_slash(s, c);
	case L_LINE:
		if (c == '\n' || c == '\r')
			s->lex = L_BLANK;
		return true;
	case L_QUOTED:
		return step_quoted(s, c);
	case L_ESCAPE:
		put(s, c);
		s->lex = L_QUOTED;
		return true;
	case L_DOLLARS:
		return step_dollars(s, c);
	case L_BLOCK:
	case L_BLOCK_SLASH:
	case L_BLOCK_STAR:
		return step_block(s, c);
	case L_QUOTE:
		return step_quote(s, c);
	}
	return true;
}

/* ---------------------------------------------------------------- runs of bytes that are alike */

static void put_run(struct pgsql *s, struct bytes run)
{
	const uint32_t n = s->token.n, more = (uint32_t)run.n;
	if (n < PGSQL_TOKEN_MAX && more)
		memcpy(s->token.text + n, run.p,
		       more < PGSQL_TOKEN_MAX - n ? more : PGSQL_TOKEN_MAX - n);
	s->token.n = more < UINT32_MAX - n ? n + more : UINT32_MAX;
}

static size_t run_of_word(struct bytes in)
{
	size_t n = 0;
	while (n < in.n && (sql_byte_is_letter(in.p[n]) || sql_byte_is_digit(in.p[n])))
		n++;
	return n;
}

static size_t run_of_quoted(struct bytes in, uint8_t quote)
{
	size_t n = 0;
	while (n < in.n && in.p[n] && in.p[n] != quote && in.p[n] != '\\')
		n++;
	return n;
}

/* How many bytes belong to the token without a doubt; the step takes what ends it. */
static size_t take_run(struct pgsql *s, struct bytes in)
{
	const size_t n = s->lex == L_WORD ? run_of_word(in) : run_of_quoted(in, s->quote);
	put_run(s, bytes_slice(in, 0, n));
	return n;
}

/* A NUL ends the text, wherever it stands: it is not taken. */
size_t pgsql_feed(struct pgsql *s, struct bytes in)
{
	size_t at = 0;
	while (at < in.n && !s->is_end && !s->is_nul) {
		if (s->lex == L_WORD || s->lex == L_QUOTED)
			at += take_run(s, bytes_from(in, at));
		if (at == in.n)
			break;
		if (in.p[at] == '\0')
			s->is_nul = 1;
		else if (s->lex == L_BLANK ? step_blank(s, in.p[at]) : step(s, in.p[at]))
			at++;
	}
	if (s->is_end)
		pgsql_end_statement(s);
	return at;
}

/* A line feed ends every token and every line comment, and nothing else. */
void pgsql_finish(struct pgsql *s)
{
	if (s->lex >= L_QUOTED && s->lex != L_QUOTE)
		lose(s);
	else
		while (!step(s, '\n'))
			;
	s->is_end = 1;
	pgsql_end_statement(s);
}
