/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "output/filter.h"
#include "output/history.h"

#include "base/text.h"

#include <check.h>
#include <stdlib.h>

struct glob_row {
	const char *pattern, *text;
	bool matches;
};

static const struct glob_row globs[] = {
	{"", "", true},
	{"*", "", true},
	{"*", "anything", true},
	{"a*c", "abc", true},
	{"a*c", "ac", true},
	{"a*c", "abd", false},
	{"?", "", false},
	{"?", "a", true},
	{"a?c", "abc", true},
	{"blog/*", "blog/db", true},
	{"*/db", "blog/db", true},
	{"**b**", "abc", true},
	{"a*b*c", "aXbYc", true},
	{"a*b*c", "aXcYb", false},
	{"A", "a", false},
};

/* The textbook definition, for comparison. */
static bool naive_glob(const char *p, const char *t)
{
	if (*p == '*')
		return naive_glob(p + 1, t) || (*t && naive_glob(p, t + 1));
	if (*p == '\0' || *t == '\0')
		return *p == *t;
	return (*p == '?' || *p == *t) && naive_glob(p + 1, t + 1);
}

START_TEST(glob_rows)
{
	ck_assert_int_eq(filter_glob(globs[_i].pattern, globs[_i].text), globs[_i].matches);
}
END_TEST

START_TEST(glob_agrees_with_a_naive_one)
{
	static const char letters[] = "ab*?";
	uint32_t random = 7;
	for (int round = 0; round < 50000; round++) {
		char pattern[8] = "", text[8] = "";
		for (size_t i = 0; i < 7; i++) {
			random = random * 1664525u + 1013904223u;
			pattern[i] = random >> 31 ? letters[random >> 28 & 3] : '\0';
			text[i] = random >> 30 & 1 ? letters[random >> 27 & 1] : '\0';
		}
		ck_assert_msg(filter_glob(pattern, text) == naive_glob(pattern, text), "'%s' '%s'",
			      pattern, text);
	}
}
END_TEST

START_TEST(glob_with_many_stars_ends_soon)
{
	char text[4001];
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	ck_assert(!filter_glob("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", text));
}
END_TEST

struct filter_row {
	const char *words; /* "key=pattern", "!key=pattern" */
	const char *record;
	bool matches;
};

#define RECORD                                                                                     \
	"{\"from\":\"blog/wordpress\",\"to\":\"blog/"                                              \
	"db\",\"src_ip\":\"198.18.0.2\",\"dest_ip\":\"fd00::3\","                                  \
	"\"app_proto\":\"mysql\",\"verdict\":\"deny\",\"rule\":\"r1\"}"

static const struct filter_row rows[] = {
	{"", RECORD, true},
	{"", "{}", true},
	{"from=blog/*", RECORD, true},
	{"from=shop/*", RECORD, false},
	{"from=shop/* from=blog/*", RECORD, true},
	{"from=blog/* to=shop/*", RECORD, false},
	{"from=blog/* to=shop/* to=*/db", RECORD, true},
	{"!from=blog/*", RECORD, false},
	{"!from=shop/*", RECORD, true},
	{"from=blog/* !app=mysql", RECORD, false},
	{"!app=dns !app=http", RECORD, true},
	{"!app=dns !app=mysql", RECORD, false},
	{"from=198.18.0.2", RECORD, true},
	{"from=198.18.0.0/16", RECORD, true},
	{"from=198.19.0.0/16", RECORD, false},
	{"to=fd00::/8", RECORD, true},
	{"from=fd00::/8", RECORD, false},
	{"verdict=deny", RECORD, true},
	{"verdict=allow", RECORD, false},
	{"rule=r?", RECORD, true},
	{"app=mysql", "{\"app_proto\":7}", false},
	{"!app=mysql", "{}", true},
	{"from=198.18.0.2", "{\"src_ip\":\"nonsense\"}", false},
};

static void add_words(struct filter *filter, const char *words)
{
	char copy[128], *rest = NULL;
	struct error err = {""};
	strcpy(copy, words); /* NOLINT: rows are ours */
	for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		bool negated = word[0] == '!';
		char *equals = strchr(word, '=');
		*equals = '\0';
		ck_assert_int_eq(filter_add(filter, word + negated, equals + 1, negated, &err), 0);
	}
}

START_TEST(filter_rows)
{
	struct filter filter = {.n_terms = 0}, again;
	struct error err = {""};
	add_words(&filter, rows[_i].words);
	json_t *record = json_loads(rows[_i].record, 0, NULL), *wire = filter_to_json(&filter);
	ck_assert_int_eq(filter_matches_record(&filter, record), rows[_i].matches);
	ck_assert_int_eq(filter_from_json(wire, &again, &err), 0);
	ck_assert_int_eq(filter_matches_record(&again, record), rows[_i].matches);
	json_decref(wire);
	json_decref(record);
}
END_TEST

static const char *const bad_wires[] = {
	"{}",
	"[1]",
	"[{}]",
	"[{\"key\":\"from\"}]",
	"[{\"key\":\"colour\",\"pattern\":\"x\"}]",
	"[{\"key\":\"from\",\"pattern\":\"\"}]",
	"[{\"key\":\"verdict\",\"pattern\":\"maybe\"}]",
	"[{\"key\":\"from\",\"pattern\":7}]",
};

START_TEST(refuses_bad_filters)
{
	struct filter filter;
	struct error err = {""};
	json_t *wire = json_loads(bad_wires[_i], 0, NULL);
	ck_assert_ptr_nonnull(wire);
	ck_assert_int_lt(filter_from_json(wire, &filter, &err), 0);
	ck_assert_int_gt((int)strlen(err.text), 0);
	json_decref(wire);
}
END_TEST

START_TEST(refuses_too_many_and_too_long)
{
	struct filter filter = {.n_terms = 0};
	char pattern[FILTER_PATTERN_MAX + 2];
	memset(pattern, 'x', sizeof(pattern) - 1);
	pattern[sizeof(pattern) - 1] = '\0';
	ck_assert_int_lt(filter_add(&filter, "from", pattern, false, NULL), 0);
	for (int i = 0; i < FILTER_TERMS_MAX; i++)
		ck_assert_int_eq(filter_add(&filter, "from", "x", false, NULL), 0);
	ck_assert_int_lt(filter_add(&filter, "from", "x", false, NULL), 0);
}
END_TEST

static json_t *numbered(int id, const char *type)
{
	return json_pack("{s:i, s:s}", "flow_id", id, "event_type", type);
}

static void keep(struct history *history, int id, const char *type, size_t length)
{
	json_t *record = numbered(id, type);
	history_put(history, record, (uint64_t)id, length);
	json_decref(record);
}

static bool count_one(void *ctx, json_t *record)
{
	int *seen = ctx;
	seen[0]++;
	seen[1] = (int)json_integer_value(json_object_get(record, "flow_id"));
	return seen[0] < 10;
}

START_TEST(history_forgets_the_oldest)
{
	struct history *history = history_new();
	for (int i = 0; i < HISTORY_RECORDS + 5; i++)
		keep(history, i, "flow", 100);
	ck_assert_uint_eq(history_count(history), HISTORY_RECORDS);
	ck_assert_ptr_null(history_find(history, 4));
	ck_assert_ptr_nonnull(history_find(history, 5));
	history_free(history);
}
END_TEST

START_TEST(history_is_bounded_in_bytes)
{
	struct history *history = history_new();
	for (int i = 0; i < 20; i++)
		keep(history, i, "flow", HISTORY_BYTES / 4);
	ck_assert_uint_eq(history_count(history), 4);
	keep(history, 99, "flow", (size_t)HISTORY_BYTES * 2);
	ck_assert_uint_eq(history_count(history), 1); /* the newest always stays */
	history_free(history);
}
END_TEST

START_TEST(history_prefers_the_violation)
{
	struct history *history = history_new();
	keep(history, 7, "violation", 10);
	keep(history, 7, "flow", 10);
	keep(history, 8, "flow", 10);
	const json_t *found = history_find(history, 7);
	ck_assert_str_eq(json_string_value(json_object_get(found, "event_type")), "violation");
	history_free(history);
}
END_TEST

START_TEST(history_visits_from_a_time_and_stops)
{
	struct history *history = history_new();
	int seen[2] = {0, 0};
	for (int i = 0; i < 100; i++)
		keep(history, i, "flow", 10);
	history_visit(history, 95, count_one, seen);
	ck_assert_int_eq(seen[0], 5);
	ck_assert_int_eq(seen[1], 99);
	seen[0] = 0;
	history_visit(history, 0, count_one, seen);
	ck_assert_int_eq(seen[0], 10);
	history_free(history);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("output_filter");
	TCase *tc = tcase_create("filter");
	tcase_add_loop_test(tc, glob_rows, 0, sizeof(globs) / sizeof(globs[0]));
	tcase_add_test(tc, glob_agrees_with_a_naive_one);
	tcase_add_test(tc, glob_with_many_stars_ends_soon);
	tcase_add_loop_test(tc, filter_rows, 0, sizeof(rows) / sizeof(rows[0]));
	tcase_add_loop_test(tc, refuses_bad_filters, 0, sizeof(bad_wires) / sizeof(bad_wires[0]));
	tcase_add_test(tc, refuses_too_many_and_too_long);
	tcase_add_test(tc, history_forgets_the_oldest);
	tcase_add_test(tc, history_is_bounded_in_bytes);
	tcase_add_test(tc, history_prefers_the_violation);
	tcase_add_test(tc, history_visits_from_a_time_and_stops);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
