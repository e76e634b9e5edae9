/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CLIENT_SCHEMA = 1 };

static int say_unreachable(const char *path, int err)
{
	if (err == EACCES || err == EPERM)
		cli_say("no permission for %s: be root, or a member of the group that owns it",
			path);
	else
		cli_say("cannot reach bridgewardend at %s (%s): is it running? Another place is "
			"given with "
			"--runtime-dir DIR",
			path, strerror(err));
	return CLI_NO_DAEMON;
}

static int client_connect(const struct cli *cli, FILE **out)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int n = snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/control.sock", cli->runtime_dir);
	if (n < 0 || (size_t)n >= sizeof(addr.sun_path))
		return cli_usage("--runtime-dir is too long for a socket");
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&addr, sizeof(addr))) {
		int err = errno;
		if (fd >= 0)
			(void)close(fd); /* nothing was sent */
		return say_unreachable(addr.sun_path, err);
	}
	*out = fdopen(fd, "r+");
	if (*out)
		return CLI_OK;
	(void)close(fd);
	cli_say("no memory");
	return CLI_NO;
}

static bool is_end(json_t *line, int *exit_code)
{
	if (!json_is_true(json_object_get(line, "end")))
		return false;
	const char *error = json_string_value(json_object_get(line, "error"));
	if (error)
		cli_say("%s", error);
	*exit_code = (int)json_integer_value(json_object_get(line, "exit"));
	return true;
}

/* True: go on reading. */
static bool hear(const char *text, size_t length, bool (*heard)(void *ctx, json_t *line), void *ctx,
		 int *exit_code)
{
	json_error_t why;
	json_t *line = json_loadb(text, length, 0, &why);
	bool more = false;
	if (!json_is_object(line))
		cli_say("the daemon's answer is not JSON: %s", why.text);
	else if (!is_end(line, exit_code)) {
		more = heard(ctx, line);
		*exit_code = more ? *exit_code : CLI_OK;
	}
	json_decref(line);
	return more;
}

static int hear_all(FILE *stream, bool (*heard)(void *ctx, json_t *line), void *ctx)
{
	char *text = NULL;
	size_t room = 0;
	ssize_t length;
	int exit_code = -1;
	bool more = true;
	while (more && (length = getline(&text, &room, stream)) > 0)
		more = hear(text, (size_t)length, heard, ctx, &exit_code);
	free(text);
	if (exit_code >= 0)
		return exit_code;
	if (more)
		cli_say("the daemon ended the conversation: it was stopped, or this side read too "
			"slowly");
	return CLI_NO_DAEMON;
}

int client_ask(const struct cli *cli, json_t *request, bool (*line)(void *ctx, json_t *line),
	       void *ctx)
{
	FILE *stream = NULL;
	char *text = json_dumps(request, JSON_COMPACT);
	int rc = text ? client_connect(cli, &stream) : CLI_NO;
	if (rc == CLI_OK && (fprintf(stream, "%s\n", text) < 0 || fflush(stream) == EOF)) {
		cli_say("cannot ask the daemon: %s", strerror(errno));
		rc = CLI_NO_DAEMON;
	}
	if (rc == CLI_OK)
		rc = hear_all(stream, line, ctx);
	if (stream)
		(void)fclose(stream); /* all was said */
	free(text);
	json_decref(request);
	return rc;
}

bool client_print_json(void *ctx, json_t *line)
{
	(void)ctx;
	(void)json_object_set_new(line, "schema",
				  json_integer(CLIENT_SCHEMA)); /* most have it already */
	if (json_dumpf(line, stdout, JSON_COMPACT) || putchar('\n') == EOF || fflush(stdout) == EOF)
		return false; /* nobody reads us any more */
	return true;
}
