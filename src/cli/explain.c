/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `explain FLOW_ID`, `explain 'SENTENCE'`, and the latter over a file without a daemon. */
#include "bridgewarden/verdict.h"
#include "cli/client.h"
#include "cli/look.h"
#include "cli/table.h"
#include "cli/words.h"
#include "policy/load.h"
#include "policy/sentence.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void print_clean(const char *title, const char *text)
{
	char clean[4096];
	printf("%s%s", title, table_clean(text, clean, sizeof(clean)));
}

static void print_ends(const json_t *line)
{
	const char *from = look_text(line, "from"), *to = look_text(line, "to");
	print_clean("", from[0] ? from : look_text(line, "src_ip"));
	print_clean(" -> ", to[0] ? to : look_text(line, "dest_ip"));
	if (look(line, "dest_port"))
		printf(":%" JSON_INTEGER_FORMAT, look_number(line, "dest_port"));
	print_clean(" ", look_text(line, "app_proto")[0] ? look_text(line, "app_proto")
							 : look_text(line, "proto"));
	putchar('\n');
}

/* "wrong-protocol (the connection is allowed for another protocol)" */
static void print_reason(const char *name)
{
	print_clean(" because of ", name);
	for (enum reason r = REASON_NONE; r < N_REASONS; r++)
		if (strcmp(reason_name(r), name) == 0)
			printf(" (%s)", reason_text(r));
}

static void print_head(const json_t *line)
{
	const char *rule = look_text(line, "rule");
	print_ends(line);
	print_clean("", look_text(line, "verdict"));
	if (rule[0])
		print_clean(" by ", rule);
	else
		print_reason(look_text(line, "reason"));
	if (look_text(line, "state")[0])
		print_clean(", ", look_text(line, "state"));
	if (look_text(line, "timestamp")[0])
		print_clean(", recorded at ", look_text(line, "timestamp"));
	if (look_text(line, "violation.text")[0])
		print_clean(": ", look_text(line, "violation.text"));
	printf("\n\n");
}

static void print_mismatch(const json_t *line)
{
	print_clean(": ", look_text(line, "matcher"));
	print_clean(" wants ", look_text(line, "want"));
	print_clean(", got ", look_text(line, "got")[0] ? look_text(line, "got") : "nothing");
}

static void print_rule(const json_t *line)
{
	bool decides = json_is_true(look(line, "decides")),
	     matches = json_is_true(look(line, "matches"));
	print_clean(decides ? "* " : matches ? "+ " : "- ", look_text(line, "rule"));
	if (matches)
		printf(": %s", decides ? "matches and decides" : "matches");
	else
		print_mismatch(line);
	putchar('\n');
}

static bool print_line(void *ctx, json_t *line)
{
	(void)ctx;
	const char *kind = look_text(line, "kind");
	if (strcmp(kind, "flow") == 0 || strcmp(kind, "record") == 0) {
		print_head(line);
	} else if (strcmp(kind, "rule") == 0) {
		print_rule(line);
	} else if (strcmp(kind, "nearest") == 0) {
		print_clean("\nnearest: ", look_text(line, "rule"));
		print_mismatch(line);
		putchar('\n');
	} else if (strcmp(kind, "more") == 0) {
		printf("and %" JSON_INTEGER_FORMAT " rules more\n", look_number(line, "more"));
	} else {
		print_clean("", look_text(line, "text"));
		putchar('\n');
	}
	return !ferror(stdout);
}

/* A number as `flows` shows it. */
static bool read_flow_id(const char *text, json_int_t *out)
{
	char *end;
	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	long long id = strtoll(text, &end, 10);
	*out = id;
	return *end == '\0' && errno == 0;
}

static int explain_live(const struct cli *cli, const char *what)
{
	json_int_t id;
	json_t *request = read_flow_id(what, &id)
				  ? json_pack("{s:s, s:I}", "cmd", "explain", "flow_id", id)
				  : json_pack("{s:s, s:s}", "cmd", "explain", "sentence", what);
	if (!request)
		return cli_usage("the sentence is not UTF-8");
	return client_ask(cli, request, cli->json ? client_print_json : print_line, NULL);
}

static int explain_offline(const char *sentence, const char *path)
{
	struct policy *policy = NULL;
	struct diagnostics diags = {0};
	struct error err = {""};
	int rc = policy_load(path, &policy, &diags);
	diagnostics_print(&diags, stderr);
	if (rc && diags.n_errors == 0)
		cli_say("cannot load %s: %s", path, strerror(-rc));
	diagnostics_fini(&diags);
	if (rc)
		return CLI_NO;
	rc = policy_sentence_explain(policy, NULL, sentence, stdout, &err);
	policy_free(policy);
	if (rc < 0)
		cli_say("%s", err.text);
	return rc == -EINVAL ? CLI_USAGE : rc ? CLI_NO : CLI_OK;
}

int cli_explain(struct cli *cli, int argc, char **argv)
{
	static const struct words_option options[] = {{"--policy", true}, {NULL, false}};
	struct words words = {.cli = cli, .argc = argc, .argv = argv, .options = options};
	struct error err = {""};
	const char *what = NULL, *path = NULL;
	int got;
	while ((got = words_next(&words, &err)) != WORDS_END) {
		if (got == WORDS_WRONG)
			return cli_usage("%s", err.text);
		if (got == WORDS_WORD && what)
			return cli_usage("explain takes one flow id, or one sentence in quotes");
		*(got == WORDS_WORD ? &what : &path) = words.value;
	}
	if (!what)
		return cli_usage("explain takes a flow id, or a sentence in quotes");
	return path ? explain_offline(what, path) : explain_live(cli, what);
}
