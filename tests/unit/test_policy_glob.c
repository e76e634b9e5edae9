/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Patterns against a naive twin that tries every way, and against texts made to be slow. */
#include "policy/glob.h"

#include <check.h>
#include <stdlib.h>

static bool takes(enum dis_match kind, uint8_t want, uint8_t got)
{
	return kind == DIS_MATCH_NOCASE ? byte_lower(want) == byte_lower(got) : want == got;
}

/* The definition, word by word: exponential, for short inputs. */
static bool naive(enum dis_match kind, struct bytes p, struct bytes t)
{
	bool is_path = kind == DIS_MATCH_PATH;
	if (p.n == 0)
		return t.n == 0;
	if (p.p[0] == '*') {
		bool deep = is_path && p.n > 1 && p.p[1] == '*';
		if (naive(kind, bytes_from(p, deep ? 2 : 1), t))
			return true;
		return t.n && (!is_path || deep || t.p[0] != '/') &&
		       naive(kind, p, bytes_from(t, 1));
	}
	if (t.n == 0)
		return false;
	if (p.p[0] == '?')
		return (!is_path || t.p[0] != '/') &&
		       naive(kind, bytes_from(p, 1), bytes_from(t, 1));
	bool escaped = p.p[0] == '\\' && p.n > 1;
	return takes(kind, p.p[escaped], t.p[0]) &&
	       naive(kind, bytes_from(p, escaped ? 2 : 1), bytes_from(t, 1));
}

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

static size_t make(uint32_t *random, const char *alphabet, size_t n_alphabet, size_t most,
		   char *out)
{
	size_t n = next_random(random) % (most + 1);
	for (size_t i = 0; i < n; i++)
		out[i] = alphabet[next_random(random) % n_alphabet];
	return n;
}

START_TEST(agrees_with_the_naive_twin)
{
	static const enum dis_match kinds[] = {DIS_MATCH_GLOB, DIS_MATCH_NOCASE, DIS_MATCH_PATH};
	uint32_t random = 7;
	size_t n_matches = 0;
	for (int i = 0; i < 300000; i++) {
		char pattern[8], text[8];
		struct bytes p = bytes_of(pattern, make(&random, "**?aA/\\", 7, 7, pattern));
		struct bytes t = bytes_of(text, make(&random, "aaA/*b", 6, 8, text));
		enum dis_match kind = kinds[i % 3];
		bool want = naive(kind, p, t);
		n_matches += want;
		ck_assert_msg(glob_match(kind, p, t) == want, "%d '%.*s' '%.*s' want %d", kind,
			      (int)p.n, pattern, (int)t.n, text, want);
	}
	ck_assert_uint_gt(n_matches, 10000);
}
END_TEST

START_TEST(compares_words_whole)
{
	ck_assert(glob_match(DIS_MATCH_WORD, bytes_str("get"), bytes_str("GeT")));
	ck_assert(!glob_match(DIS_MATCH_WORD, bytes_str("g*"), bytes_str("get")));
}
END_TEST

/* Would take minutes with backtracking. */
START_TEST(is_not_slow_on_purpose)
{
	static uint8_t text[64 * 1024];
	memset(text, 'a', sizeof(text));
	static const char *const patterns[] = {"*a*a*a*a*a*a*a*a*a*a*b", "**a*a*a*a*a*a*a*a*a*b",
					       "**a**a**a**a**a**b", "/**/*a*a*b", "**/*/**/*/**b"};
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		ck_assert(!glob_match(DIS_MATCH_PATH, bytes_str(patterns[i]),
				      bytes_of(text, sizeof(text))));
		ck_assert(!glob_match(DIS_MATCH_GLOB, bytes_str(patterns[i]),
				      bytes_of(text, sizeof(text))));
	}
	memset(text, '/', sizeof(text));
	ck_assert(!glob_match(DIS_MATCH_PATH, bytes_str("**/*/**/*/**b"),
			      bytes_of(text, sizeof(text))));
}
END_TEST

START_TEST(checks_patterns)
{
	char longest[GLOB_MAX + 2];
	memset(longest, '*', sizeof(longest));
	ck_assert_ptr_null(glob_check(bytes_of(longest, GLOB_MAX)));
	ck_assert_ptr_nonnull(glob_check(bytes_of(longest, GLOB_MAX + 1)));
	ck_assert_ptr_nonnull(glob_check(bytes_str("")));
	ck_assert_ptr_nonnull(glob_check(bytes_str("a\\")));
	ck_assert_ptr_null(glob_check(bytes_str("a\\\\")));
	ck_assert(glob_is_literal(bytes_str("a/b.c")));
	ck_assert(!glob_is_literal(bytes_str("a?")));
	/* the longest pattern that mixes both kinds of star uses the last bit */
	longest[GLOB_MAX - 1] = '/';
	ck_assert(glob_match(DIS_MATCH_PATH, bytes_of(longest, GLOB_MAX), bytes_str("ab/c/")));
	ck_assert(!glob_match(DIS_MATCH_PATH, bytes_of(longest, GLOB_MAX), bytes_str("ab/c")));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy_glob");
	TCase *tests = tcase_create("glob");
	tcase_set_timeout(tests, 30);
	tcase_add_test(tests, agrees_with_the_naive_twin);
	tcase_add_test(tests, compares_words_whole);
	tcase_add_test(tests, is_not_slow_on_purpose);
	tcase_add_test(tests, checks_patterns);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
