/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When an engine counts as hung: looks without a turn, worker by worker. */
#include "control/watchdog.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { N = 2 };

static struct shared_counters counters[N];
static struct watchdog w;

static void setup(void)
{
	memset(counters, 0, sizeof(counters));
	counter_set(&counters[0], COUNTER_HEARTBEAT, 1000); /* of an engine before */
	watchdog_begin(&w, counters, N);
}

static void turn(unsigned worker)
{
	counter_inc(&counters[worker], COUNTER_HEARTBEAT);
}

static int look(void)
{
	return watchdog_look(&w, counters, N);
}

START_TEST(working_engines_are_left_alone)
{
	for (int i = 0; i < 1000; i++) {
		turn(0);
		if (i % (WATCHDOG_LOOKS - 1) == 0)
			turn(1);
		ck_assert_int_eq(look(), -1);
	}
}
END_TEST

START_TEST(one_worker_that_stops_is_noticed)
{
	turn(0);
	turn(1);
	ck_assert_int_eq(look(), -1);
	for (int i = 0; i < WATCHDOG_LOOKS - 1; i++) {
		turn(0);
		ck_assert_int_eq(look(), -1);
	}
	turn(0);
	ck_assert_int_eq(look(), 1);
}
END_TEST

START_TEST(a_new_engine_has_time_to_begin)
{
	for (int i = 0; i < WATCHDOG_LOOKS_FIRST - 1; i++)
		ck_assert_int_eq(look(), -1);
	ck_assert_int_ge(look(), 0);
	watchdog_begin(&w, counters, N);
	ck_assert_int_eq(look(), -1);
}
END_TEST

START_TEST(noticed_within_a_second)
{
	ck_assert_int_le(WATCHDOG_LOOKS + 1, 1000 / WATCHDOG_LOOK_MS);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("watchdog");
	TCase *tc = tcase_create("looks");
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, working_engines_are_left_alone);
	tcase_add_test(tc, one_worker_that_stops_is_noticed);
	tcase_add_test(tc, a_new_engine_has_time_to_begin);
	tcase_add_test(tc, noticed_within_a_second);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
