/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/client.h"
#include "cli/look.h"
#include "cli/table.h"
#include "cli/words.h"

#include <stdio.h>

/* The daemon's text is a compiler's: lines, carets. Only what a terminal would obey is taken out.
 */
static void print_text(const char *text)
{
	char clean[1024];
	for (const char *line = text; *line;) {
		const char *end = line;
		while (*end && *end != '\n')
			end++;
		char part[1024];
		(void)snprintf(part, sizeof(part), "%.*s", (int)(end - line), line);
		fprintf(stderr, "%s\n", table_clean(part, clean, sizeof(clean)));
		line = *end ? end + 1 : end;
	}
}

static bool print_outcome(void *ctx, json_t *line)
{
	(void)ctx;
	print_text(look_text(line, "text"));
	if (json_is_true(look(line, "loaded")))
		printf("generation %" JSON_INTEGER_FORMAT "\n", look_number(line, "generation"));
	return true;
}

int cli_reload(struct cli *cli, int argc, char **argv)
{
	int rc = words_none(cli, argc, argv);
	if (rc)
		return rc;
	return client_ask(cli, json_pack("{s:s}", "cmd", "reload"),
			  cli->json ? client_print_json : print_outcome, NULL);
}
