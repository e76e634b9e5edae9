/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two matchers. The greedy one remembers the last star only, which is right as long as all stars of
 * a pattern match the same set of bytes: whatever an earlier star could still take, the later one
 * can take as well. A path pattern that mixes * and ** breaks that, so it goes through a state set
 * (one bit per pattern position), which is slower but never backtracks. Both are at most |pattern|
 * * |text|.
 */
#include "policy/glob.h"

enum token_kind { TOKEN_LITERAL, TOKEN_ONE, TOKEN_RUN, TOKEN_DEEP_RUN };

struct token {
	enum token_kind kind;
	uint8_t byte;
	size_t next; /* where the following token starts */
};

struct glob {
	struct bytes pattern;
	bool folds, is_path;
};

static struct token token_at(const struct glob *g, size_t at)
{
	const uint8_t *p = g->pattern.p;
	size_t n = g->pattern.n;
	switch (p[at]) {
	case '?':
		return (struct token){.kind = TOKEN_ONE, .next = at + 1};
	case '*':
		if (g->is_path && at + 1 < n && p[at + 1] == '*')
			return (struct token){.kind = TOKEN_DEEP_RUN, .next = at + 2};
		return (struct token){.kind = TOKEN_RUN, .next = at + 1};
	case '\\':
		if (at + 1 < n)
			return (struct token){
				.kind = TOKEN_LITERAL, .byte = p[at + 1], .next = at + 2};
		break;
	}
	return (struct token){.kind = TOKEN_LITERAL, .byte = p[at], .next = at + 1};
}

/* May this token take the byte? Runs take it and stay. */
static bool token_takes(const struct glob *g, const struct token *t, uint8_t c)
{
	switch (t->kind) {
	case TOKEN_LITERAL:
		return g->folds ? byte_lower(t->byte) == byte_lower(c) : t->byte == c;
	case TOKEN_ONE:
	case TOKEN_RUN:
		return !g->is_path || c != '/';
	case TOKEN_DEEP_RUN:
		return true;
	}
	return false;
}

static bool is_run(enum token_kind kind)
{
	return kind == TOKEN_RUN || kind == TOKEN_DEEP_RUN;
}

static bool mixes_runs(const struct glob *g)
{
	bool has_run = false, has_deep = false;
	for (size_t at = 0; at < g->pattern.n;) {
		struct token t = token_at(g, at);
		has_run |= t.kind == TOKEN_RUN;
		has_deep |= t.kind == TOKEN_DEEP_RUN;
		at = t.next;
	}
	return has_run && has_deep;
}

static bool match_greedy(const struct glob *g, struct bytes text)
{
	size_t at = 0, star_resume = 0;
	struct token star = {0};
	bool has_star = false;
	for (size_t i = 0; i < text.n;) {
		struct token t = {0};
		if (at < g->pattern.n)
			t = token_at(g, at);
		if (at < g->pattern.n && is_run(t.kind)) {
			star = t;
			star_resume = i;
			has_star = true;
			at = t.next;
		} else if (at < g->pattern.n && token_takes(g, &t, text.p[i])) {
			at = t.next;
			i++;
		} else if (has_star && token_takes(g, &star, text.p[star_resume])) {
			i = ++star_resume;
			at = star.next;
		} else {
			return false;
		}
	}
	while (at < g->pattern.n && is_run(token_at(g, at).kind))
		at = token_at(g, at).next;
	return at == g->pattern.n;
}

/* A set of pattern positions; position pattern.n is the end. */
struct positions {
	uint64_t bits[(GLOB_MAX + 1 + 63) / 64];
};

enum { POSITION_WORDS = (GLOB_MAX + 1 + 63) / 64 };

/* Adds `at` and, since a run may be empty, what follows it; where `at` is in the set already, so is
 * that. */
static void positions_add(const struct glob *g, struct positions *s, size_t at)
{
	while (!(s->bits[at / 64] >> (at % 64) & 1)) {
		s->bits[at / 64] |= UINT64_C(1) << (at % 64);
		if (at == g->pattern.n)
			return;
		struct token t = token_at(g, at);
		if (!is_run(t.kind))
			return;
		at = t.next;
	}
}

static struct positions positions_step(const struct glob *g, const struct positions *s, uint8_t c)
{
	struct positions next = {0};
	for (size_t w = 0; w < POSITION_WORDS; w++) {
		for (uint64_t left = s->bits[w]; left; left &= left - 1) {
			size_t at = w * 64 + (size_t)__builtin_ctzll(left);
			if (at == g->pattern.n)
				continue;
			struct token t = token_at(g, at);
			if (token_takes(g, &t, c))
				positions_add(g, &next, is_run(t.kind) ? at : t.next);
		}
	}
	return next;
}

static bool match_set(const struct glob *g, struct bytes text)
{
	struct positions now = {0};
	positions_add(g, &now, 0);
	for (size_t i = 0; i < text.n; i++)
		now = positions_step(g, &now, text.p[i]);
	return now.bits[g->pattern.n / 64] >> (g->pattern.n % 64) & 1;
}

bool glob_match(enum dis_match kind, struct bytes pattern, struct bytes text)
{
	if (kind == DIS_MATCH_WORD)
		return bytes_equal_nocase(pattern, text);
	struct glob g = {
		.pattern = pattern,
		.folds = kind == DIS_MATCH_NOCASE,
		.is_path = kind == DIS_MATCH_PATH,
	};
	if (pattern.n > GLOB_MAX)
		return false;
	if (g.is_path && mixes_runs(&g))
		return match_set(&g, text);
	return match_greedy(&g, text);
}

bool glob_is_literal(struct bytes pattern)
{
	for (size_t i = 0; i < pattern.n; i++)
		if (pattern.p[i] == '*' || pattern.p[i] == '?' || pattern.p[i] == '\\')
			return false;
	return true;
}

const char *glob_check(struct bytes pattern)
{
	if (pattern.n == 0)
		return "an empty pattern matches nothing";
	if (pattern.n > GLOB_MAX)
		return "a pattern has at most 255 bytes";
	size_t slashes = 0;
	while (slashes < pattern.n && pattern.p[pattern.n - 1 - slashes] == '\\')
		slashes++;
	if (slashes % 2)
		return "a backslash at the end has nothing to escape";
	return NULL;
}
