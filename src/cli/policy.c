/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `policy check | test | print FILE`: no daemon, no root, no Docker. */
#include "cli/words.h"
#include "policy/load.h"
#include "policy/sentence.h"

#include <string.h>

static int load(const char *path, struct policy **out)
{
	struct diagnostics diags = {0};
	int rc = policy_load(path, out, &diags);
	diagnostics_print(&diags, stderr);
	if (rc && diags.n_errors == 0)
		cli_say("cannot load %s: %s", path, strerror(-rc));
	diagnostics_fini(&diags);
	return rc ? CLI_NO : CLI_OK;
}

static int check(const char *path, const struct policy *policy)
{
	printf("%s: %zu rules, %zu tests, no errors\n", path, policy_n_rules(policy),
	       policy_n_tests(policy));
	return CLI_OK;
}

static int test(const char *path, const struct policy *policy)
{
	size_t n_failed = 0;
	int rc = policy_run_tests(policy, stdout, &n_failed);
	if (rc) {
		cli_say("cannot run the tests of %s: %s", path, strerror(-rc));
		return CLI_NO;
	}
	printf("%s: %zu tests, %zu failed\n", path, policy_n_tests(policy), n_failed);
	return n_failed ? CLI_NO : CLI_OK;
}

static int print(const char *path, const struct policy *policy)
{
	(void)path;
	policy_print(policy, stdout);
	return CLI_OK;
}

struct policy_command {
	const char *name;
	int (*run)(const char *path, const struct policy *policy);
};

static const struct policy_command commands[] = {
	{"check", check}, {"test", test}, {"print", print}};

static const struct policy_command *find(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static int run(const struct policy_command *command, const char *path)
{
	struct policy *policy = NULL;
	int rc = load(path, &policy);
	if (rc == CLI_OK)
		rc = command->run(path, policy);
	if (fflush(stdout) == EOF && rc == CLI_OK)
		rc = CLI_NO;
	policy_free(policy);
	return rc;
}

int cli_policy(struct cli *cli, int argc, char **argv)
{
	static const struct words_option none[] = {{NULL, false}};
	struct words words = {.cli = cli, .argc = argc, .argv = argv, .options = none};
	struct error err = {""};
	const char *given[2] = {NULL, NULL};
	size_t n = 0;
	int got;
	while ((got = words_next(&words, &err)) == WORDS_WORD && n < 2)
		given[n++] = words.value;
	if (got == WORDS_WRONG)
		return cli_usage("%s", err.text);
	if (n > 0 && (strcmp(given[0], "diff") == 0 || strcmp(given[0], "suggest") == 0))
		return cli_usage("policy %s is not in this version", given[0]);
	const struct policy_command *command = n > 0 ? find(given[0]) : NULL;
	if (!command || n != 2 || got != WORDS_END)
		return cli_usage("policy takes check, test or print, and one FILE");
	return run(command, given[1]);
}
