/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One question to the daemon: a request line, the lines of the answer as they come, the exit code
 * of the last. */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include "cli/cli.h"

#include <jansson.h>

/* Takes the request. `line` borrows each line but the last; false: enough heard. Says what failed
 * on stderr. Returns the daemon's exit code, or CLI_NO_DAEMON. */
int client_ask(const struct cli *cli, json_t *request, bool (*line)(void *ctx, json_t *line),
	       void *ctx);
/* -o json: a line as it came, with its schema. Always true; ctx is not used. */
bool client_print_json(void *ctx, json_t *line);

#endif
