/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every command that reads or writes keys without naming them must say that it touches all. */
#include "redis/redis_keys.h"

#include <check.h>
#include <stdlib.h>

static const char *const *members_of(const char *group)
{
	for (const struct dis_group *g = redis_groups; g->name; g++)
		if (strcmp(g->name, group) == 0)
			return g->members;
	ck_abort_msg("no group %s", group);
	return NULL;
}

static bool names_no_key(const struct redis_command *row)
{
	return row->specs[0].how == REDIS_NONE;
}

/* Read or write nothing that is stored under a key. */
static bool is_harmless(const char *name)
{
	static const char *const harmless[] = {"lolwut",	  "object|help",
					       "function|delete", "function|flush",
					       "function|load",	  "function|restore"};
	for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
		if (strcmp(name, harmless[i]) == 0)
			return true;
	return false;
}

static struct redis_named named(const char *name)
{
	struct redis_named n = {.row = redis_find(bytes_str(name)), .n_label = strlen(name)};
	memcpy(n.label, name, n.n_label);
	return n;
}

START_TEST(keyless_commands_touch_all)
{
	static const char *const groups[] = {"@read", "@write", "@keyspace"};
	for (const char *const *m = members_of(groups[_i]); *m; m++) {
		struct redis_named n = named(*m);
		if (!n.row || n.row->is_container || !names_no_key(n.row) || is_harmless(*m))
			continue;
		ck_assert_msg(redis_touches_all(&n), "%s of %s names no key", *m, groups[_i]);
	}
}
END_TEST

START_TEST(scripts_touch_all_others_do_not)
{
	struct redis_named script = named("eval"), get = named("get"), ping = named("ping");
	ck_assert(redis_touches_all(&script));
	ck_assert(!redis_touches_all(&get));
	ck_assert(!redis_touches_all(&ping));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("redis keys");
	TCase *tc = tcase_create("scope");
	tcase_add_loop_test(tc, keyless_commands_touch_all, 0, 3);
	tcase_add_test(tc, scripts_touch_all_others_do_not);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
