/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The life of a statement, and the names that it leaves behind. pgsql.h says what this is for. */
#include "postgres/pgsql.h"

#include "postgres/pgsql_grammar.h"

#define PGSQL_VERB_WORD(name, word) word,
const char *const pgsql_verb_words[PGSQL_N_VERBS + 1] = {PGSQL_VERBS(PGSQL_VERB_WORD) NULL};
#undef PGSQL_VERB_WORD

void pgsql_init(struct pgsql *s, bool is_utf8)
{
	memset(s, 0, offsetof(struct pgsql, token.text));
	sql_digest_init(&s->digest);
	s->frames[0] = (struct pgsql_frame){0};
	s->is_utf8 = is_utf8;
}

/* A stored function: its name is kept for the event. */
static void keep_other(struct pgsql *s, struct bytes name)
{
	if (name.n > PGSQL_NAME_MAX || s->n_names + name.n > PGSQL_NAMES_MAX ||
	    s->previous_word == PGSQL_W_OPERATOR)
		return;
	s->calls.other_at = s->n_names;
	s->calls.other_n = (uint8_t)name.n;
	for (size_t i = 0; i < name.n; i++)
		s->names[s->n_names++] =
			s->previous_kind == PGSQL_T_WORD ? byte_lower(name.p[i]) : name.p[i];
}

static enum pgsql_call call_of_name(struct pgsql *s, struct bytes name, bool is_part)
{
	if (!s->is_previous_own || !pgsql_word_is_callable(name)) {
		keep_other(s, name);
		return PGSQL_CALL_OTHER;
	}
	if (!pgsql_word_is_type(name) && !sql_calls_add(&s->calls, &pgsql_callables, name))
		pgsql_doubt(s);
	if (pgsql_word_takes_sequence(name))
		return PGSQL_CALL_SEQUENCE;
	return !is_part && pgsql_word_takes_from(name) ? PGSQL_CALL_FROM : PGSQL_CALL_OWN;
}

enum pgsql_call pgsql_call_of(struct pgsql *s)
{
	struct pgsql_token *t = &s->token;
	const uint8_t own = t->text[0];
	if (s->previous_n == 0 || s->previous_n > PGSQL_TOKEN_MAX)
		return PGSQL_CALL_OTHER;
	t->text[0] = s->previous_byte;
	const enum pgsql_call call =
		call_of_name(s, bytes_of(t->text, s->previous_n), s->is_previous_part);
	t->text[0] = own;
	return call;
}

/* May a statement end where its outermost frame is now? */
static bool is_whole(const struct pgsql *s)
{
	if (s->depth != 0)
		return false;
	switch ((enum pgsql_state)s->frames[0].state) {
	case PGSQL_S_HEAD:
	case PGSQL_S_EXPR:
	case PGSQL_S_SELECT:
	case PGSQL_S_TAIL:
	case PGSQL_S_ON:
	case PGSQL_S_SKIP:
	case PGSQL_S_DEF:
	case PGSQL_S_REST:
		return true;
	case PGSQL_S_START:
	case PGSQL_S_OPEN:
	case PGSQL_S_REF:
	case PGSQL_S_DOT:
	case PGSQL_S_PART:
	case PGSQL_S_ALIAS:
	case PGSQL_S_SAMPLE:
	case PGSQL_S_WITH:
	case PGSQL_S_NEXTVAL:
	case PGSQL_S_NEXTVAL_END:
	case PGSQL_S_CATALOG:
		return false;
	}
	return false;
}

/* What an unproven statement of such a verb may have done, nobody knows. */
static unsigned unknown_effects(const struct pgsql *s)
{
	const bool is_any = s->is_lost || s->verb == PGSQL_UNKNOWN || s->verb == PGSQL_CALL ||
			    s->verb == PGSQL_DO || s->verb == PGSQL_EXECUTE;
	if (is_any)
		return PGSQL_LOSES_PATH | PGSQL_LOSES_LEXING | PGSQL_FORGETS_ALL;
	if (s->verb == PGSQL_PREPARE || s->verb == PGSQL_DEALLOCATE || s->verb == PGSQL_DISCARD)
		return PGSQL_FORGETS_ALL;
	return 0;
}

/* An UPDATE of that view is set_config(), also through a view of one's own. In an unproven
 * statement it may stand in a WITH. */
static void end_settings(struct pgsql *s)
{
	if (s->verb == PGSQL_UPDATE || s->verb == PGSQL_CREATE)
		pgsql_doubt(s);
	if (s->is_unproven)
		s->effects |= PGSQL_LOSES_PATH | PGSQL_LOSES_LEXING;
}

void pgsql_end_statement(struct pgsql *s)
{
	if (!s->has_token)
		return;
	s->token.kind = PGSQL_T_END;
	s->token.n = 0;
	s->token.word = s->token.is_part = 0;
	if (!s->is_unproven)
		pgsql_dispatch(s);
	if (!is_whole(s))
		pgsql_doubt(s);
	if (s->has_settings)
		end_settings(s);
	if (s->is_unproven)
		s->effects |= (uint8_t)unknown_effects(s);
}

void pgsql_next(struct pgsql *s)
{
	const bool is_lost = s->is_lost, is_utf8 = s->is_utf8, is_nul = s->is_nul;
	pgsql_init(s, is_utf8);
	s->is_nul = is_nul;
	s->is_lost = s->is_unproven = is_lost;
}

/* ---------------------------------------------------------------- names */

static bool is_proven_name(const struct pgsql *s)
{
	const struct bytes text = pgsql_text(s);
	bool is_ascii = true;
	for (size_t i = 0; i < text.n; i++)
		is_ascii &= text.p[i] < 0x80;
	return s->token.n > 0 && s->token.n <= PGSQL_NAME_MAX && !s->token.is_escaped &&
	       (is_ascii || s->is_utf8);
}

bool pgsql_keep_name(struct pgsql *s, uint16_t *at, uint8_t *n)
{
	const struct bytes text = pgsql_text(s);
	if (!is_proven_name(s) || s->n_names + text.n > PGSQL_NAMES_MAX) {
		pgsql_doubt(s);
		return false;
	}
	*at = s->n_names;
	*n = (uint8_t)text.n;
	for (size_t i = 0; i < text.n; i++)
		s->names[s->n_names++] =
			s->token.kind == PGSQL_T_WORD ? byte_lower(text.p[i]) : text.p[i];
	return true;
}

bool pgsql_is_cte(const struct pgsql *s, const struct sql_table *t)
{
	return sql_table_is_in(t, s->ctes, s->n_ctes, s->names);
}

void pgsql_add_table(struct pgsql *s, struct sql_table t)
{
	if (!sql_table_add(s->tables, &s->n_tables, t, s->names))
		pgsql_doubt(s);
}

void pgsql_add_schema(struct pgsql *s)
{
	struct sql_table t = {0};
	if (!pgsql_is_name(s))
		pgsql_doubt(s);
	else if (pgsql_keep_name(s, &t.schema_at, &t.schema_n))
		pgsql_add_table(s, t);
}

/* ---------------------------------------------------------------- character sets */

/* Names compare without case and without anything but letters and digits. In all of these a byte
 * below 0x80 is the ASCII character, wherever it stands. */
static const char *const safe_encodings[] = {
	"utf8",	       "unicode",     "sqlascii",     "eucjp",	     "euccn",	    "euckr",
	"euctw",       "eucjis2004",  "muleinternal", "latin1",	     "latin2",	    "latin3",
	"latin4",      "latin5",      "latin6",	      "latin7",	     "latin8",	    "latin9",
	"latin10",     "iso88591",    "iso88592",     "iso88593",    "iso88594",    "iso88595",
	"iso88596",    "iso88597",    "iso88598",     "iso88599",    "iso885910",   "iso885913",
	"iso885914",   "iso885915",   "iso885916",    "win1250",     "win1251",	    "win1252",
	"win1253",     "win1254",     "win1255",      "win1256",     "win1257",	    "win1258",
	"win866",      "win874",      "windows1250",  "windows1251", "windows1252", "windows1253",
	"windows1254", "windows1255", "windows1256",  "windows1257", "windows1258", "windows866",
	"windows874",  "koi8",	      "koi8r",	      "koi8u",	     "win",	    "alt",
	"abc",	       "tcvn",	      "tcvn5712",     "vscii"};

static bool is_encoding(struct bytes name, const char *plain)
{
	size_t at = 0;
	for (size_t i = 0; i < name.n; i++) {
		const uint8_t c = byte_lower(name.p[i]);
		if ((c < 'a' || c > 'z') && (c < '0' || c > '9'))
			continue;
		if (!plain[at] || (uint8_t)plain[at++] != c)
			return false;
	}
	return !plain[at];
}

bool pgsql_is_unsafe_encoding(struct bytes name)
{
	for (size_t i = 0; i < sizeof(safe_encodings) / sizeof(safe_encodings[0]); i++)
		if (is_encoding(name, safe_encodings[i]))
			return false;
	return true;
}

bool pgsql_is_utf8(struct bytes encoding)
{
	return is_encoding(encoding, "utf8") || is_encoding(encoding, "unicode");
}
