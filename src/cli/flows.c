/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/client.h"
#include "cli/look.h"
#include "cli/table.h"
#include "cli/words.h"
#include "output/filter.h"

#include <stdlib.h>

enum flows_option {
	FLOWS_FROM,
	FLOWS_TO,
	FLOWS_APP,
	FLOWS_VERDICT,
	FLOWS_RULE,
	FLOWS_NOT,
	FLOWS_SINCE,
	FLOWS_FOLLOW,
	FLOWS_LIMIT
};

/* The filters come first and in the order of enum filter_key. */
static const struct words_option options[] = {
	[FLOWS_FROM] = {"--from", true},   [FLOWS_TO] = {"--to", true},
	[FLOWS_APP] = {"--app", true},	   [FLOWS_VERDICT] = {"--verdict", true},
	[FLOWS_RULE] = {"--rule", true},   [FLOWS_NOT] = {"--not", false},
	[FLOWS_SINCE] = {"--since", true}, [FLOWS_FOLLOW] = {"--follow", false},
	[FLOWS_LIMIT] = {"--limit", true}, {NULL, false},
};

struct flows_question {
	struct filter filter;
	uint64_t since_s, limit;
	bool follow, negate_next;
};

static int read_number(const char *text, uint64_t *out, struct error *err)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || n == 0 || n > UINT32_MAX)
		return error_set(err, WORDS_WRONG, "--limit takes a number from 1, not '%s'", text);
	*out = n;
	return 0;
}

static int read_one(struct flows_question *question, int option, const char *value,
		    struct error *err)
{
	switch ((enum flows_option)option) {
	case FLOWS_FROM:
	case FLOWS_TO:
	case FLOWS_APP:
	case FLOWS_VERDICT:
	case FLOWS_RULE: {
		bool negated = question->negate_next;
		question->negate_next = false;
		return filter_add(&question->filter, filter_key_name((enum filter_key)option),
				  value, negated, err);
	}
	case FLOWS_NOT:
		question->negate_next = true;
		return 0;
	case FLOWS_SINCE:
		if (words_duration(value, &question->since_s))
			return 0;
		return error_set(err, WORDS_WRONG,
				 "--since takes a duration as 30s, 5m, 2h or 1d, not '%s'", value);
	case FLOWS_FOLLOW:
		question->follow = true;
		return 0;
	case FLOWS_LIMIT:
		return read_number(value, &question->limit, err);
	}
	return 0;
}

static int read_question(struct cli *cli, int argc, char **argv, struct flows_question *out)
{
	struct words words = {.cli = cli, .argc = argc, .argv = argv, .options = options};
	struct error err = {""};
	int got;
	while ((got = words_next(&words, &err)) != WORDS_END) {
		if (got == WORDS_WORD)
			return cli_usage("flows takes no '%s'; --from and --to choose",
					 words.value);
		if (got == WORDS_WRONG || read_one(out, got, words.value, &err))
			return cli_usage("%s", err.text);
		if (out->negate_next && got != FLOWS_NOT)
			return cli_usage("--not stands before a filter: --not --app dns");
	}
	return out->negate_next ? cli_usage("--not stands before a filter: --not --app dns")
				: CLI_OK;
}

static const struct table_column columns[] = {
	{"FLOW", 16, false},   {"FROM", 20, false},    {"TO", 24, false},    {"APP", 6, false},
	{"VERDICT", 7, false}, {"BECAUSE", 16, false}, {"STATE", 13, false}, {"PACKETS", 7, true},
	{"BYTES", 9, true},    {"AGE", 5, true},
};

struct flows_output {
	struct table table;
	bool follow;
	json_int_t n_rows;
};

static void add_number(struct table *table, json_int_t number)
{
	char text[24];
	(void)snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, number);
	table_add(table, text);
}

static void add_end(struct table *table, const json_t *row, const char *name_key,
		    const char *ip_key, const char *port_key)
{
	char text[TABLE_CELL_MAX * 4];
	const char *name = look_text(row, name_key);
	const char *end = name[0] ? name : look_text(row, ip_key);
	if (port_key && look(row, port_key))
		(void)snprintf(text, sizeof(text), "%s:%" JSON_INTEGER_FORMAT, end,
			       look_number(row, port_key));
	else
		(void)snprintf(text, sizeof(text), "%s", end);
	table_add(table, text);
}

static void add_because(struct table *table, const json_t *row)
{
	const char *rule = look_text(row, "rule");
	table_add(table, rule[0] ? rule : look_text(row, "reason"));
}

static void add_state(struct table *table, const json_t *row)
{
	const char *type = look_text(row, "event_type"), *state = look_text(row, "flow.state");
	if (strcmp(type, "flow") != 0)
		state = type;
	else if (!json_is_true(look(row, "live")))
		state = "ended";
	table_add(table, state);
}

static bool print_row(void *ctx, json_t *row)
{
	struct flows_output *output = ctx;
	struct table *table = &output->table;
	const char *app = look_text(row, "app_proto");
	if (look(row, "more")) {
		cli_say("%" JSON_INTEGER_FORMAT " more; filters or --limit N show others",
			look_number(row, "more"));
		return true;
	}
	add_number(table, look_number(row, "flow_id"));
	add_end(table, row, "from", "src_ip", NULL);
	add_end(table, row, "to", "dest_ip", "dest_port");
	table_add(table, app[0] ? app : look_text(row, "proto"));
	table_add(table, look_text(row, "verdict"));
	add_because(table, row);
	add_state(table, row);
	add_number(table,
		   look_number(row, "flow.pkts_toserver") + look_number(row, "flow.pkts_toclient"));
	add_number(table, look_number(row, "flow.bytes_toserver") +
				  look_number(row, "flow.bytes_toclient"));
	add_number(table, look_number(row, "flow.age"));
	output->n_rows++;
	if (output->follow)
		table_flush(table, stdout);
	return !ferror(stdout);
}

static json_t *request_of(const struct flows_question *question)
{
	return json_pack("{s:s, s:o, s:I, s:I, s:b}", "cmd", "flows", "filters",
			 filter_to_json(&question->filter), "since_s",
			 (json_int_t)question->since_s, "limit", (json_int_t)question->limit,
			 "follow", (int)question->follow);
}

int cli_flows(struct cli *cli, int argc, char **argv)
{
	struct flows_question question = {.since_s = 0};
	int rc = read_question(cli, argc, argv, &question);
	if (rc)
		return rc;
	if (cli->json)
		return client_ask(cli, request_of(&question), client_print_json, NULL);
	struct flows_output output = {.follow = question.follow};
	table_init(&output.table, columns, sizeof(columns) / sizeof(columns[0]));
	output.table.color = cli->color;
	output.table.is_streamed = question.follow;
	rc = client_ask(cli, request_of(&question), print_row, &output);
	if (rc == CLI_OK)
		table_flush(&output.table, stdout);
	if (rc == CLI_OK && output.n_rows == 0 && !question.since_s)
		cli_say("no live flow; --since 10m also shows those that ended, and violations");
	table_fini(&output.table);
	return rc;
}
