/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/client.h"
#include "cli/look.h"
#include "cli/table.h"
#include "cli/words.h"

#include <stdio.h>

static const struct table_column columns[] = {
	{"IDENTITY", 16, false}, {"CONTAINER", 16, false}, {"ADDRESS", 12, false},
	{"NETWORK", 12, false},	 {"IMAGE", 8, false},
};

static void add_address(struct table *table, const json_t *endpoint, const json_t *address)
{
	const char *identity = look_text(address, "identity");
	table_add(table, identity[0] ? identity : look_text(endpoint, "identity"));
	table_add(table, look_text(endpoint, "container"));
	table_add(table, look_text(address, "ip"));
	table_add(table, look_text(address, "network"));
	table_add(table, look_text(endpoint, "image"));
}

static bool add_endpoint(void *ctx, json_t *endpoint)
{
	const json_t *addresses = look(endpoint, "addresses");
	for (size_t i = 0; i < json_array_size(addresses); i++)
		add_address(ctx, endpoint, json_array_get(addresses, i));
	return true;
}

int cli_ids(struct cli *cli, int argc, char **argv)
{
	int rc = words_none(cli, argc, argv);
	json_t *request = rc ? NULL : json_pack("{s:s}", "cmd", "ids");
	if (rc)
		return rc;
	if (cli->json)
		return client_ask(cli, request, client_print_json, NULL);
	struct table table;
	table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
	rc = client_ask(cli, request, add_endpoint, &table);
	if (rc == CLI_OK)
		table_flush(&table, stdout);
	table_fini(&table);
	return rc;
}
