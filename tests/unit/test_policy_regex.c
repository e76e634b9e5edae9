/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Expressions: what they match, what is refused, and what a table costs. tests/differential of
 * another library's engine: policy.regex. */
#include "policy/regex.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compile(const char *text, bool folds, struct machine *out, const char **why)
{
	size_t at;
	return regex_compile(bytes_str(text), folds, out, why, &at);
}

static bool match(const struct machine *m, struct bytes text)
{
	return machine_match(m->class_of, m->steps, m->n_classes, text);
}

static const struct {
	const char *expression, *text;
	bool folds, matches;
} rows[] = {
	{"", "", false, true},
	{"", "a", false, false},
	{"abc", "abc", false, true},
	{"abc", "abcd", false, false},
	{"abc", "ab", false, false},
	{"abc", "aBC", false, false},
	{"abc", "aBC", true, true},
	{"/api/v[0-9]+/(users|orders)(/\\d{1,9})?", "/api/v2/users/42", false, true},
	{"/api/v[0-9]+/(users|orders)(/\\d{1,9})?", "/api/v2/users/4200000000", false, false},
	{"/api/v[0-9]+/(users|orders)(/\\d{1,9})?", "/api/v2/users/", false, false},
	{"a|", "", false, true},
	{"(a|b)*c", "ababc", false, true},
	{"(a*)*", "aaa", false, true},
	{"(a*)*b", "aaac", false, false},
	{"(?:a|ab)(c|bcd)", "abcd", false, true},
	{"a.c", "a/c", false, true},
	{"a.c", "a\nc", false, true},
	{"a\\.c", "abc", false, false},
	{"[^/]+", "a/b", false, false},
	{"[^a-c]+", "ABC", true, false},
	{"[]x]", "]", false, true},
	{"[a\\-z]", "-", false, true},
	{"[a-]", "-", false, true},
	{"\\w+@\\w+", "a_1@b", false, true},
	{"\\x41\\t", "A\t", false, true},
	{"a{3}", "aa", false, false},
	{"a{2,}", "aaaaa", false, true},
	{"a{2,3}", "aaaa", false, false},
	{"\\$\\{x\\}", "${x}", false, true},
};

START_TEST(matches)
{
	struct machine machine;
	const char *why = NULL;
	ck_assert_int_eq(compile(rows[_i].expression, rows[_i].folds, &machine, &why), 0);
	ck_assert_ptr_null(why);
	ck_assert_msg(match(&machine, bytes_str(rows[_i].text)) == rows[_i].matches, "%s on %s",
		      rows[_i].expression, rows[_i].text);
	machine_fini(&machine);
}
END_TEST

static const char *const refused[] = {
	"^a",  "a$",	"a**",	       "a*?",	"*a",	    "a{",   "a{,3}", "a{3,2}", "a{1001}",
	"(a",  "a)",	"(?=a)",       "(?i)a", "\\1",	    "\\b",  "[a",    "[z-a]",  "[\\d-z]",
	"a\\", "\\xg1", "[[:alpha:]]", "a|*",	"(?P<n>a)", "\\Qa", "a++",
};

START_TEST(refuses)
{
	struct machine machine;
	const char *why = NULL;
	ck_assert_int_eq(compile(refused[_i], false, &machine, &why), -EINVAL);
	ck_assert_ptr_nonnull(why);
	ck_assert_ptr_null(machine.steps);
}
END_TEST

START_TEST(takes_every_byte)
{
	struct machine any, none;
	const char *why = NULL;
	ck_assert_int_eq(compile(".", false, &any, &why), 0);
	ck_assert_int_eq(compile("[^\\x00-\\xff]", false, &none, &why), 0);
	for (unsigned c = 0; c < 256; c++) {
		uint8_t byte = (uint8_t)c;
		ck_assert(match(&any, bytes_of(&byte, 1)));
		ck_assert(!match(&none, bytes_of(&byte, 1)));
	}
	machine_fini(&any);
	machine_fini(&none);
}
END_TEST

/* What makes an engine that backtracks take years is a table like any other. */
START_TEST(is_a_small_table_where_others_explode)
{
	static const char *const slow[] = {"(a+)+b", "(a|a)*b", "(a|aa)+b", "(.*)*x"};
	static uint8_t text[60000];
	memset(text, 'a', sizeof(text));
	for (size_t i = 0; i < sizeof(slow) / sizeof(slow[0]); i++) {
		struct machine machine;
		const char *why = NULL;
		ck_assert_int_eq(compile(slow[i], false, &machine, &why), 0);
		ck_assert_uint_le(machine.n_states, 8);
		ck_assert(!match(&machine, bytes_of(text, sizeof(text))));
		machine_fini(&machine);
	}
}
END_TEST

static size_t work_of(const char *expression, int want)
{
	struct machine machine;
	const char *why = NULL;
	ck_assert_int_eq(compile(expression, false, &machine, &why), want);
	ck_assert_int_eq(why != NULL, want < 0);
	size_t n = machine.n_work;
	machine_fini(&machine);
	return n;
}

/* Many alternatives before many optional bytes: few states, each of many places and classes. */
static char *laborious(int n_classes, int n_optional)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	for (int i = 0; i < n_classes; i++)
		fprintf(f, "%s\\x%02x", i ? "|" : "(", 0x80 + i);
	fprintf(f, ")?.{0,%d}", n_optional);
	ck_assert_int_eq(fclose(f), 0);
	return text;
}

START_TEST(work_is_counted_and_ends)
{
	char *small = laborious(10, 100), *large = laborious(100, 810);
	size_t little = work_of("abc", 0), some = work_of(small, 0), most = work_of(large, -EINVAL);
	ck_assert_uint_gt(little, 0);
	/* 100 states of 50 places on average, 11 classes, 4 words */
	ck_assert_uint_gt(some, little + (size_t)100 * 50 * 11 * 4);
	ck_assert_uint_gt(most, REGEX_WORK_MAX);
	ck_assert_uint_lt(most, REGEX_WORK_MAX + (1 << 20)); /* it ends with a step */
	ck_assert_uint_gt(work_of("((((){999}){999}){999}){999}", -EINVAL), 1 << 20);
	ck_assert_uint_gt(work_of(".*a.{40}b.{40}", -EINVAL), little);
	free(small);
	free(large);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy_regex");
	TCase *tests = tcase_create("regex");
	tcase_add_loop_test(tests, matches, 0, sizeof(rows) / sizeof(rows[0]));
	tcase_add_loop_test(tests, refuses, 0, sizeof(refused) / sizeof(refused[0]));
	tcase_add_test(tests, takes_every_byte);
	tcase_add_test(tests, is_a_small_table_where_others_explode);
	tcase_add_test(tests, work_is_counted_and_ends);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
