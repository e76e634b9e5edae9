/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/client.h"
#include "cli/look.h"
#include "cli/table.h"
#include "cli/words.h"

#include <stdio.h>
#include <string.h>

static void print_line(const char *title, const char *text)
{
	char clean[512];
	printf("%-11s %s\n", title, table_clean(text, clean, sizeof(clean)));
}

static void print_state(const json_t *status)
{
	char text[512];
	bool ready = json_is_true(look(status, "ready"));
	const char *waits = look_text(status, "waits_for");
	(void)snprintf(text, sizeof(text), "%s%s%s", ready ? "yes" : "no",
		       waits[0] ? ", waits for " : "", waits);
	print_line("ready", text);
	(void)snprintf(text, sizeof(text),
		       "%s, generation %" JSON_INTEGER_FORMAT ", %" JSON_INTEGER_FORMAT
		       " rules from %s",
		       look_text(status, "mode"), look_number(status, "generation"),
		       look_number(status, "rules"), look_text(status, "config"));
	print_line("policy", text);
	json_int_t pid = look_number(status, "engine_pid");
	(void)snprintf(text, sizeof(text),
		       "pid %" JSON_INTEGER_FORMAT "%s, restarted %" JSON_INTEGER_FORMAT
		       " times; control pid %" JSON_INTEGER_FORMAT,
		       pid, pid ? "" : " (being replaced)", look_number(status, "engine_restarts"),
		       look_number(status, "control_pid"));
	print_line("engine", text);
	(void)snprintf(text, sizeof(text),
		       "%s; %" JSON_INTEGER_FORMAT " endpoints on %" JSON_INTEGER_FORMAT
		       " networks",
		       look_text(status, "docker"), look_number(status, "endpoints"),
		       look_number(status, "networks"));
	print_line("docker", text);
}

static void print_ports(const json_t *status)
{
	char text[512];
	const char *state = look_text(status, "ports.state");
	if (strcmp(state, "failing") == 0)
		(void)snprintf(text, sizeof(text), "identity is not bound to bridge ports: %s",
			       look_text(status, "ports.error"));
	else
		(void)snprintf(text, sizeof(text),
			       "%s, %" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT
			       " bound to an identity",
			       state, look_number(status, "ports.bound"),
			       look_number(status, "ports.ports"));
	print_line("ports", text);
}

static void print_firewall(const json_t *status)
{
	size_t n = json_array_size(look(status, "firewall.interfaces"));
	char text[512];
	(void)snprintf(text, sizeof(text),
		       "%s, %zu bridges%s, put back %" JSON_INTEGER_FORMAT " times%s%s",
		       look_text(status, "firewall.state"), n, n ? "" : " (nothing is judged)",
		       look_number(status, "firewall.reapplied"),
		       look(status, "firewall.error") ? ": " : "",
		       look_text(status, "firewall.error"));
	print_line("firewall", text);
	print_ports(status);
	(void)snprintf(text, sizeof(text),
		       "%" JSON_INTEGER_FORMAT " made, %" JSON_INTEGER_FORMAT
		       " lost, %" JSON_INTEGER_FORMAT " write errors",
		       look_number(status, "records.records"), look_number(status, "records.lost"),
		       look_number(status, "records.write_errors"));
	print_line("records", text);
}

static void add_number(struct table *table, json_int_t number)
{
	char text[24];
	(void)snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, number);
	table_add(table, text);
}

static void print_queues(const json_t *status)
{
	static const struct table_column columns[] = {{"QUEUE", 5, true},
						      {"PACKETS", 10, true},
						      {"WAITING", 7, true},
						      {"DROPPED", 7, true},
						      {"SOCKET DROPPED", 14, true}};
	struct table table;
	table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
	json_t *queue;
	size_t i;
	json_array_foreach(look(status, "queues"), i, queue)
	{
		add_number(&table, look_number(queue, "queue"));
		add_number(&table, look_number(queue, "packets"));
		add_number(&table, look_number(queue, "waiting"));
		add_number(&table, look_number(queue, "dropped"));
		add_number(&table, look_number(queue, "user_dropped"));
	}
	putchar('\n');
	table_flush(&table, stdout);
	table_fini(&table);
}

/* Those that are not 0: a person reads this. */
static void print_counts(json_t *counts, const char *title)
{
	const struct table_column columns[] = {{title, 16, false}, {"COUNT", 10, true}};
	struct table table;
	table_init(&table, columns, 2);
	const char *key;
	json_t *value;
	json_object_foreach(counts, key, value)
	{
		if (json_integer_value(value) == 0)
			continue;
		table_add(&table, key);
		add_number(&table, json_integer_value(value));
	}
	if (table.n_rows)
		putchar('\n');
	if (table.n_rows)
		table_flush(&table, stdout);
	table_fini(&table);
}

static bool print_status(void *ctx, json_t *line)
{
	(void)ctx;
	print_state(line);
	print_firewall(line);
	print_queues(line);
	print_counts(look(line, "counters"), "COUNTER");
	print_counts(look(line, "denied"), "DENIED FOR");
	print_counts(look(line, "ports.dropped"), "FRAMES DROPPED");
	return true;
}

int cli_status(struct cli *cli, int argc, char **argv)
{
	int rc = words_none(cli, argc, argv);
	if (rc)
		return rc;
	return client_ask(cli, json_pack("{s:s}", "cmd", "status"),
			  cli->json ? client_print_json : print_status, NULL);
}
