/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tokeniser: one byte, one step. A step either takes its byte or ends the token before it and
 * asks to see the byte again, from the blank state, so every byte is seen at most twice.
 *
 * It reads as the servers do with their usual sql_mode (backslash escapes, "text" is a string) and
 * a character set whose bytes below 0x80 are ASCII. Where MySQL and MariaDB, or their versions,
 * read differently, the text is lost: unproven to its end.
 */
#include "sql/sql_byte.h"
#include "sql/sql_grammar.h"

enum lex {
	L_BLANK,
	L_WORD,
	L_WORD_DOT, /* a word, then a point right behind it */
	L_DIGITS,
	L_EXPONENT, /* digits, then "e" */
	L_SIGN,	    /* digits, "e", then + or - */
	L_NUMBER,   /* behind a point or an exponent: only digits may follow */
	L_DOT,
	L_AT,
	L_VAR,
	L_QUOTED,
	L_ESCAPE,
	L_QUOTE, /* the closing quote, unless a second one follows */
	L_DASH,
	L_DASHES,
	L_LINE,
	L_SLASH,
	L_OPEN, /* slash and star */
	L_OPEN_M,
	L_BLOCK,
	L_BLOCK_STAR,
	L_HINT,
	L_HINT_STAR,
	L_VERSION,
	L_STAR,
	L_BACKSLASH,
};

/* A version comment is executed by every server of interest below this number; MariaDB skips those
 * from it on. */
enum { VERSION_TOO_NEW = 50700, VERSION_DIGITS = 5 };

static bool is_letter(uint8_t c)
{
	return sql_byte_is_letter(c) || c == '$';
}

/* ---------------------------------------------------------------- a token is complete */

static void classify(struct sql *s)
{
	struct sql_token *t = &s->token;
	t->is_part = s->previous_kind == SQL_T_PUNCT && s->previous_byte == '.';
	t->word = SQL_W_NONE;
	if (t->kind == SQL_T_WORD && !t->is_part && !t->is_dotted)
		t->word = (uint8_t)sql_word_find(sql_text(s));
}

static void remember(struct sql *s)
{
	const struct sql_token *t = &s->token;
	s->previous_kind = t->kind;
	s->previous_word = t->word;
	s->previous_byte = t->n ? t->text[0] : 0;
	s->previous_n = t->n;
	s->is_previous_part = t->is_part;
}

/* Neither a word that the grammar asks for nor a parenthesis, nor a comma that leads on: in an
 * expression it is the expression's own. */
static bool is_plain(const struct sql *s)
{
	const uint8_t c = s->token.text[0];
	if (s->token.word != SQL_W_NONE || s->token.kind != SQL_T_PUNCT)
		return s->token.word == SQL_W_NONE;
	return c != '(' && c != ')' && (c != ',' || s->frames[s->depth].clause != SQL_C_SET);
}

void sql_dispatch(struct sql *s)
{
	const uint8_t state = s->frames[s->depth].state;
	if ((state == SQL_S_EXPR || state == SQL_S_SELECT) && is_plain(s))
		return;
	if (state == SQL_S_HEAD)
		sql_head_token(s);
	else
		sql_query_token(s);
}

/* 0x1f and 0b01; a letter more, and it is a name. */
static bool is_hex(const struct sql *s)
{
	const struct bytes text = sql_text(s);
	if (text.n < 3 || text.p[0] != '0' || (text.p[1] != 'x' && text.p[1] != 'b') ||
	    s->token.is_part)
		return false;
	for (size_t i = 2; i < text.n; i++) {
		const uint8_t c = byte_lower(text.p[i]);
		const bool is_bit = c == '0' || c == '1';
		if (!is_bit &&
		    (text.p[1] == 'b' || (!sql_byte_is_digit(c) && (c < 'a' || c > 'f'))))
			return false;
	}
	return true;
}

static void take_digest(struct sql *s)
{
	const struct sql_token *t = &s->token;
	const bool is_bare = (t->kind == SQL_T_WORD && !is_hex(s)) || t->kind == SQL_T_VAR;
	if (t->kind == SQL_T_QUOTED)
		sql_digest_word(&s->digest, '`', sql_text(s), false);
	else if (is_bare)
		sql_digest_word(&s->digest, 0, sql_text(s),
				sql_word_is_reserved((enum sql_word)t->word));
	else
		sql_digest_literal(&s->digest);
}

/* Of a statement that is not proven, and whose verb is known, nothing more is learned. */
static void take_token(struct sql *s)
{
	s->has_token = 1;
	if (s->is_unproven && s->verb != SQL_UNKNOWN) {
		s->token.word = s->token.is_part = 0;
	} else {
		classify(s);
		take_digest(s);
		s->has_where |= s->depth == 0 && sql_is_word(s, SQL_W_WHERE);
		sql_dispatch(s);
	}
	remember(s);
}

/* ---------------------------------------------------------------- tokens begin, grow and end */

static void lose(struct sql *s)
{
	s->is_lost = s->is_unproven = 1;
	s->has_token = 1;
}

static void begin(struct sql *s, enum sql_token_kind kind, enum lex state)
{
	s->token.kind = kind;
	s->token.is_dotted = 0;
	s->token.n = 0;
	s->lex = state;
}

static void put(struct sql *s, uint8_t c)
{
	if (s->token.n < SQL_TOKEN_MAX)
		s->token.text[s->token.n] = c;
	if (s->token.n < UINT32_MAX)
		s->token.n++;
}

static void end(struct sql *s)
{
	s->lex = L_BLANK;
	take_token(s);
	s->is_adjacent = 1;
}

/* begin, put and end, and what take_token does, of a byte that is a token by itself. */
static void punct(struct sql *s, uint8_t c)
{
	struct sql_token *t = &s->token;
	t->kind = SQL_T_PUNCT;
	t->word = SQL_W_NONE;
	t->is_part = t->is_dotted = 0;
	t->n = 1;
	t->text[0] = c;
	s->lex = L_BLANK;
	s->has_token = 1;
	if (!s->is_unproven || s->verb == SQL_UNKNOWN) {
		sql_digest_byte(&s->digest, c);
		sql_dispatch(s);
	}
	s->previous_kind = SQL_T_PUNCT;
	s->previous_word = SQL_W_NONE;
	s->previous_byte = c;
	s->previous_n = 1;
	s->is_previous_part = 0;
	s->is_adjacent = 1;
}

/* A letter that no proven reading has outside quotes: the rest of the text is lost. */
static void check_letter(struct sql *s, uint8_t c)
{
	if (c >= 0x80 && !s->is_utf8)
		lose(s);
}

/* ---------------------------------------------------------------- steps: true when the byte was
 * taken */

static void step_other(struct sql *s, uint8_t c)
{
	switch (c) {
	case '\'':
	case '"':
	case '`':
		begin(s,
		      c == '`'	 ? SQL_T_QUOTED
		      : c == '"' ? SQL_T_DOUBLE
				 : SQL_T_STRING,
		      L_QUOTED);
		s->quote = c;
		break;
	case '-':
		s->lex = L_DASH;
		break;
	case '/':
		s->lex = L_SLASH;
		break;
	case '#':
		s->lex = L_LINE;
		break;
	case '*':
		s->lex = L_STAR;
		break;
	case '.':
		s->lex = L_DOT;
		break;
	case '@':
		begin(s, SQL_T_VAR, L_AT);
		put(s, c);
		break;
	case '\\':
		s->lex = L_BACKSLASH;
		break;
	default:
		if (c < ' ' || c == 0x7f || c == '{' || c == '}')
			lose(s);
		punct(s, c);
	}
}

static bool step_blank(struct sql *s, uint8_t c)
{
	if (sql_byte_is_plain(c)) {
		punct(s, c);
	} else if (sql_byte_is_blank(c)) {
		s->is_adjacent = 0;
	} else if (is_letter(c)) {
		check_letter(s, c);
		begin(s, SQL_T_WORD, L_WORD);
		put(s, c);
	} else if (sql_byte_is_digit(c)) {
		begin(s, SQL_T_NUMBER, L_DIGITS);
		put(s, c);
	} else if (c == ';' && !s->is_lost) {
		if (s->in_version)
			lose(s);
		else
			s->is_end = s->has_token; /* else there was no statement */
		s->is_adjacent = 0;
	} else {
		step_other(s, c);
	}
	return true;
}

/* The token ended before c, which stands behind it. */
static bool end_before(struct sql *s, uint8_t c)
{
	end(s);
	return step_blank(s, c);
}

static bool step_word(struct sql *s, uint8_t c)
{
	if (c == '.') {
		s->lex = L_WORD_DOT;
		return true;
	}
	if (!is_letter(c) && !sql_byte_is_digit(c)) {
		return end_before(s, c);
	}
	check_letter(s, c);
	put(s, c);
	return true;
}

/* Digits followed by letters are a name, 1e5 and 1.5 are numbers. A letter right after those is
 * never written. */
static bool step_digits(struct sql *s, uint8_t c)
{
	if (sql_byte_is_digit(c)) {
		put(s, c);
	} else if (c == '.') {
		put(s, c);
		s->lex = L_NUMBER;
	} else if (byte_lower(c) == 'e') {
		put(s, c);
		s->lex = L_EXPONENT;
	} else if (is_letter(c)) {
		s->token.kind = SQL_T_WORD;
		s->lex = L_WORD;
		return step_word(s, c);
	} else {
		return end_before(s, c);
	}
	return true;
}

static bool step_exponent(struct sql *s, uint8_t c)
{
	if (sql_byte_is_digit(c)) {
		s->lex = L_NUMBER;
	} else if (s->lex == L_EXPONENT && (c == '+' || c == '-')) {
		s->lex = L_SIGN;
	} else if (s->lex == L_EXPONENT) {
		s->token.kind = SQL_T_WORD;
		s->lex = L_WORD;
		return step_word(s, c);
	} else {
		lose(s);
		return end_before(s, c);
	}
	put(s, c);
	return true;
}

static bool step_number(struct sql *s, uint8_t c)
{
	if (sql_byte_is_digit(c) || ((c == '-' || c == '+') && byte_lower(s->quote) == 'e')) {
		put(s, c);
		s->quote = c;
		return true;
	}
	if (byte_lower(c) == 'e' && s->quote != 'e') {
		put(s, c);
		s->quote = 'e';
		return true;
	}
	s->quote = 0;
	if (is_letter(c))
		lose(s);
	return end_before(s, c);
}

/* .5 is a number, t.5 a column. */
static bool step_dot(struct sql *s, uint8_t c)
{
	const bool after_name = s->previous_kind == SQL_T_WORD || s->previous_kind == SQL_T_QUOTED;
	if (sql_byte_is_digit(c) && !(after_name && s->is_adjacent)) {
		begin(s, SQL_T_NUMBER, L_NUMBER);
		s->quote = 0;
		return step_number(s, c);
	}
	punct(s, '.');
	if (!sql_byte_is_digit(c))
		return step_blank(s, c);
	begin(s, SQL_T_WORD, L_WORD);
	return step_word(s, c);
}

/* Where a point and a name follow at once, even a reserved word is a name: LIMIT.x is a column of
 * LIMIT. */
static bool step_word_dot(struct sql *s, uint8_t c)
{
	s->token.is_dotted = is_letter(c) || sql_byte_is_digit(c);
	end(s);
	return step_dot(s, c);
}

static bool step_at(struct sql *s, uint8_t c)
{
	if (s->lex == L_AT && c == '@' && s->token.n == 1) {
		put(s, c);
		return true;
	}
	if ((is_letter(c) && c < 0x80) || sql_byte_is_digit(c) || c == '.') {
		put(s, c);
		s->lex = L_VAR;
		return true;
	}
	const bool is_quote = c == '\'' || c == '"' || c == '`';
	if (c >= 0x80 || (s->lex == L_AT && !is_quote))
		lose(s);
	end(s);
	return false;
}

/* ---------------------------------------------------------------- quotes and comments */

static bool step_quoted(struct sql *s, uint8_t c)
{
	if (c == s->quote) {
		s->lex = L_QUOTE;
		return true;
	}
	put(s, c);
	if (c == '\\' && s->quote != '`')
		s->lex = L_ESCAPE;
	return true;
}

static bool step_quote(struct sql *s, uint8_t c)
{
	if (c == s->quote) {
		put(s, c);
		s->lex = L_QUOTED;
		return true;
	}
	s->quote = 0;
	return end_before(s, c);
}

static bool step_dashes(struct sql *s, uint8_t c)
{
	if (s->lex == L_DASH && c == '-') {
		s->lex = L_DASHES;
		return true;
	}
	if (s->lex == L_DASHES && (sql_byte_is_blank(c) || c < ' ' || c == 0x7f)) {
		s->lex = c == '\n' ? L_BLANK : L_LINE;
		s->is_adjacent = 0;
		return true;
	}
	if (s->lex == L_DASHES)
		punct(s, '-');
	punct(s, '-');
	return step_blank(s, c);
}

static bool step_open(struct sql *s, uint8_t c)
{
	if (s->in_version)
		lose(s); /* comments inside each other: servers differ */
	s->version = s->version_n = 0;
	s->is_adjacent = 0;
	s->lex = c == '!' ? L_VERSION : c == '+' ? L_HINT : c == 'M' ? L_OPEN_M : L_BLOCK;
	return s->lex != L_BLOCK;
}

static bool step_open_m(struct sql *s, uint8_t c)
{
	if (c == '!')
		lose(s);
	s->lex = L_BLOCK;
	return false;
}

static bool step_block(struct sql *s, uint8_t c, enum lex inside)
{
	if ((inside == L_HINT) && (c == '\'' || c == '"' || c == '`'))
		lose(s);
	if (c == '/' && s->lex != inside)
		s->lex = L_BLANK;
	else
		s->lex = c == '*' ? inside + 1 : inside;
	return true;
}

static bool step_version(struct sql *s, uint8_t c)
{
	if (sql_byte_is_digit(c) && s->version_n <= VERSION_DIGITS) {
		s->version = s->version * 10 + (c - '0');
		s->version_n++;
		return true;
	}
	if (s->version_n != 0 && (s->version_n != VERSION_DIGITS || s->version >= VERSION_TOO_NEW))
		lose(s);
	s->in_version = 1;
	s->lex = L_BLANK;
	return false;
}

static bool step_star(struct sql *s, uint8_t c)
{
	s->lex = L_BLANK;
	if (c == '/' && s->in_version) {
		s->in_version = 0;
		s->is_adjacent = 0;
		return true;
	}
	punct(s, '*');
	return false;
}

/* \N is NULL; nothing else begins so. */
static bool step_backslash(struct sql *s, uint8_t c)
{
	begin(s, SQL_T_NUMBER, L_BLANK);
	if (c != 'N')
		lose(s);
	end(s);
	return c == 'N';
}

static bool step_slash(struct sql *s, uint8_t c)
{
	s->lex = L_OPEN;
	if (c == '*')
		return true;
	punct(s, '/');
	return false;
}

static bool step(struct sql *s, uint8_t c)
{
	switch ((enum lex)s->lex) {
	case L_BLANK:
		return step_blank(s, c);
	case L_WORD:
		return step_word(s, c);
	case L_WORD_DOT:
		return step_word_dot(s, c);
	case L_DIGITS:
		s->quote = 0;
		return step_digits(s, c);
	case L_EXPONENT:
	case L_SIGN:
		return step_exponent(s, c);
	case L_NUMBER:
		return step_number(s, c);
	case L_DOT:
		return step_dot(s, c);
	case L_AT:
	case L_VAR:
		return step_at(s, c);
	case L_QUOTED:
		return step_quoted(s, c);
	case L_ESCAPE:
		put(s, c);
		s->lex = L_QUOTED;
		return true;
	case L_QUOTE:
		return step_quote(s, c);
	case L_DASH:
	case L_DASHES:
		return step_dashes(s, c);
	case L_LINE:
		if (c == '\n')
			s->lex = L_BLANK;
		s->is_adjacent = 0;
		return true;
	case L_SLASH:
		return step_slash(s, c);
	case L_OPEN:
		return step_open(s, c);
	case L_OPEN_M:
		return step_open_m(s, c);
	case L_BLOCK:
	case L_BLOCK_STAR:
		return step_block(s, c, L_BLOCK);
	case L_HINT:
	case L_HINT_STAR:
		return step_block(s, c, L_HINT);
	case L_VERSION:
		return step_version(s, c);
	case L_STAR:
		return step_star(s, c);
	case L_BACKSLASH:
		return step_backslash(s, c);
	}
	return true;
}

/* ---------------------------------------------------------------- runs of bytes that are alike */

static const bool word_bytes[256] = {
	['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true,
	['_'] = true,	      ['$'] = true,
};

static void put_run(struct sql *s, struct bytes run)
{
	const uint32_t n = s->token.n, more = (uint32_t)run.n;
	if (n < SQL_TOKEN_MAX && more)
		memcpy(s->token.text + n, run.p,
		       more < SQL_TOKEN_MAX - n ? more : SQL_TOKEN_MAX - n);
	s->token.n = more < UINT32_MAX - n ? n + more : UINT32_MAX;
}

static size_t run_of_word(struct bytes in)
{
	size_t n = 0;
	while (n < in.n && word_bytes[in.p[n]])
		n++;
	return n;
}

static size_t run_of_quoted(struct bytes in, uint8_t quote)
{
	size_t n = 0;
	while (n < in.n && in.p[n] != quote && in.p[n] != '\\')
		n++;
	return n;
}

/* How many bytes belong to the token or comment without a doubt; the step takes what ends it. */
static size_t take_run(struct sql *s, struct bytes in)
{
	size_t n = 0;
	if (s->lex == L_WORD)
		n = run_of_word(in);
	else if (s->lex == L_QUOTED)
		n = run_of_quoted(in, s->quote);
	else if (s->lex == L_BLOCK)
		return bytes_find(in, '*');
	else if (s->lex == L_LINE)
		return bytes_find(in, '\n');
	put_run(s, bytes_slice(in, 0, n));
	return n;
}

size_t sql_feed(struct sql *s, struct bytes in)
{
	size_t at = 0;
	while (at < in.n && !s->is_end) {
		if (s->lex == L_WORD || s->lex == L_QUOTED || s->lex == L_BLOCK || s->lex == L_LINE)
			at += take_run(s, bytes_from(in, at));
		if (at < in.n && (s->lex == L_BLANK ? step_blank(s, in.p[at]) : step(s, in.p[at])))
			at++;
	}
	if (s->is_end)
		sql_end_statement(s);
	return at;
}

/* A line feed ends every token and every line comment, and nothing else. */
void sql_finish(struct sql *s)
{
	const uint8_t lex = s->lex;
	if (lex == L_QUOTED || lex == L_ESCAPE || (lex >= L_OPEN && lex <= L_VERSION))
		lose(s);
	else
		while (!step(s, '\n'))
			;
	if (s->in_version || s->lex == L_ESCAPE)
		lose(s);
	s->is_end = 1;
	sql_end_statement(s);
}
