/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `policy check [--strict] | test | print FILE` and `policy schema`: no daemon, no root, no Docker.
 */
#include "cli/words.h"
#include "policy/load.h"
#include "policy/sentence.h"

#include <string.h>

struct asked {
	const char *path;
	bool is_strict;	   /* a warning is a negative answer, too */
	size_t n_warnings; /* of the load */
};

static int load(struct asked *asked, struct policy **out)
{
	struct diagnostics diags = {0};
	int rc = policy_load(asked->path, out, &diags);
	diagnostics_print(&diags, stderr);
	if (rc && diags.n_errors == 0)
		cli_say("cannot load %s: %s", asked->path, strerror(-rc));
	asked->n_warnings = diags.n + diags.n_lost - diags.n_errors;
	diagnostics_fini(&diags);
	return rc ? CLI_NO : CLI_OK;
}

static int check(const struct asked *asked, const struct policy *policy)
{
	printf("%s: %zu rules, %zu tests, no errors", asked->path, policy_n_rules(policy),
	       policy_n_tests(policy));
	if (asked->n_warnings)
		printf(", %zu warning%s", asked->n_warnings, asked->n_warnings > 1 ? "s" : "");
	putchar('\n');
	return asked->is_strict && asked->n_warnings ? CLI_NO : CLI_OK;
}

static int test(const struct asked *asked, const struct policy *policy)
{
	size_t n_failed = 0;
	int rc = policy_run_tests(policy, stdout, &n_failed);
	if (rc) {
		cli_say("cannot run the tests of %s: %s", asked->path, strerror(-rc));
		return CLI_NO;
	}
	printf("%s: %zu tests, %zu failed\n", asked->path, policy_n_tests(policy), n_failed);
	return n_failed ? CLI_NO : CLI_OK;
}

static int print(const struct asked *asked, const struct policy *policy)
{
	(void)asked; /* the text is all */
	policy_print(policy, stdout);
	return CLI_OK;
}

static int schema(void)
{
	policy_schema(stdout);
	return fflush(stdout) == EOF ? CLI_NO : CLI_OK;
}

struct policy_command {
	const char *name;
	int (*run)(const struct asked *asked, const struct policy *policy);
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

static int run(const struct policy_command *command, struct asked *asked)
{
	struct policy *policy = NULL;
	int rc = load(asked, &policy);
	if (rc == CLI_OK)
		rc = command->run(asked, policy);
	if (fflush(stdout) == EOF && rc == CLI_OK)
		rc = CLI_NO;
	policy_free(policy);
	return rc;
}

int cli_policy(struct cli *cli, int argc, char **argv)
{
	static const struct words_option options[] = {{"--strict", false}, {NULL, false}};
	struct words words = {.cli = cli, .argc = argc, .argv = argv, .options = options};
	struct error err = {""};
	const char *given[2] = {NULL, NULL};
	struct asked asked = {0};
	size_t n = 0;
	int got;
	while ((got = words_next(&words, &err)) == 0 || (got == WORDS_WORD && n < 2)) {
		if (got == 0)
			asked.is_strict = true;
		else
			given[n++] = words.value;
	}
	if (got == WORDS_WRONG)
		return cli_usage("%s", err.text);
	if (n > 0 && (strcmp(given[0], "diff") == 0 || strcmp(given[0], "suggest") == 0))
		return cli_usage("policy %s is not in this version", given[0]);
	if (n == 1 && strcmp(given[0], "schema") == 0 && got == WORDS_END && !asked.is_strict)
		return schema();
	const struct policy_command *command = n > 0 ? find(given[0]) : NULL;
	if (!command || n != 2 || got != WORDS_END)
		return cli_usage("policy takes check, test or print and one FILE, or schema");
	if (asked.is_strict && command->run != check)
		return cli_usage("--strict belongs to policy check");
	asked.path = given[1];
	return run(command, &asked);
}
