/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every policy that we ship, with the real protocols: it loads without a word, prints back the
 * same, and its tests hold. */
#include "identity/inventory.h"
#include "policy/compile.h"
#include "policy/load.h"
#include "policy/sentence.h"

#include <check.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

static char *print_text(const struct policy *policy)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	policy_print(policy, f);
	ck_assert_int_eq(fclose(f), 0);
	return text;
}

static struct policy *load_clean(const char *path)
{
	struct diagnostics diags;
	struct policy *policy = NULL;
	int e = policy_load(path, &policy, &diags);
	diagnostics_print(&diags, stderr);
	ck_assert_msg(e == 0 && diags.n == 0, "%s", path);
	diagnostics_fini(&diags);
	return policy;
}

/* With somebody to speak of: each kind of name that the examples use. */
static struct policy_blob compile(const struct policy *policy)
{
	static const char inventory[] =
		"networks:\n- {name: blog_default, bridge: br-1, project: blog, subnets: "
		"[198.18.0.0/24], gateways: [198.18.0.1]}\n"
		"endpoints:\n- {ip: 198.18.0.2, container: w, project: blog, service: wordpress, "
		"networks: [blog_default]}\n"
		"- {ip: 198.18.0.3, container: d, project: blog, service: db, networks: "
		"[blog_default]}\n"
		"- {ip: 198.18.0.4, container: n, project: shop, service: node, image: 'x:1'}\n";
	struct identity_set ids = {0};
	struct error err;
	struct policy_blob blob;
	ck_assert_int_eq(inventory_load_text("ids", inventory, strlen(inventory), &ids, &err), 0);
	struct policy_inputs inputs = {.ids = &ids, .generation = 1, .epoch = 1};
	ck_assert_int_eq(policy_compile(policy, &inputs, &blob, &err), 0);
	identity_set_fini(&ids);
	return blob;
}

static void same_image(const struct policy *policy, const struct policy *again)
{
	struct policy_blob a = compile(policy), b = compile(again);
	ck_assert_uint_eq(a.size, b.size);
	ck_assert_mem_eq(a.data, b.data, a.size);
	policy_blob_free(&a);
	policy_blob_free(&b);
}

static void check_file(const char *path)
{
	struct policy *policy = load_clean(path), *again = NULL;
	struct diagnostics diags;
	size_t n_failed;
	char *text = print_text(policy);
	ck_assert_int_eq(policy_load_text(path, text, strlen(text), &again, &diags), 0);
	diagnostics_fini(&diags);
	char *text_again = print_text(again);
	ck_assert_str_eq(text, text_again);
	same_image(policy, again);
	ck_assert_int_eq(policy_run_tests(policy, stderr, &n_failed), 0);
	ck_assert_msg(n_failed == 0, "%s: %zu tests failed", path, n_failed);
	free(text);
	free(text_again);
	policy_free(policy);
	policy_free(again);
}

static size_t check_pattern(const char *pattern)
{
	glob_t found;
	if (glob(pattern, 0, NULL, &found) != 0)
		return 0;
	size_t n = found.gl_pathc;
	for (size_t i = 0; i < n; i++)
		check_file(found.gl_pathv[i]);
	globfree(&found);
	return n;
}

START_TEST(shipped_configuration_is_good)
{
	ck_assert_uint_eq(check_pattern(BW_SOURCE_DIR "/conf/bridgewarden.yaml"), 1);
}
END_TEST

START_TEST(examples_are_good)
{
	ck_assert_uint_ge(check_pattern(BW_SOURCE_DIR "/conf/examples/*.yaml"), 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy_conf");
	TCase *tests = tcase_create("conf");
	tcase_add_test(tests, shipped_configuration_is_good);
	tcase_add_test(tests, examples_are_good);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
