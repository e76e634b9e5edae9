/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command `bridgewarden`: which word is done by whom. */
#include "cli/cli.h"
#include "cli/help.h"
#include "cli/replay.h"
#include "output/version.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct command {
	const char *name;
	int (*run)(struct cli *cli, int argc, char **argv); /* NULL: planned, not in this version */
};

static int run_replay(struct cli *cli, int argc, char **argv)
{
	(void)cli; /* it asks no daemon */
	return cli_replay(argc, argv);
}

static const struct command commands[] = {
	{"status", cli_status},	  {"flows", cli_flows},	  {"ids", cli_ids},
	{"explain", cli_explain}, {"reload", cli_reload}, {"policy", cli_policy},
	{"replay", run_replay},	  {"doctor", NULL},	  {"top", NULL},
	{"quarantine", NULL},	  {"release", NULL},	  {"capture", NULL},
};

static int print(const char *text)
{
	return fputs(text, stdout) == EOF || fflush(stdout) == EOF ? CLI_NO : CLI_OK;
}

/* --help or -h among the words of a command. */
static bool asks_for_help(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}

static int unknown(const char *command)
{
	return cli_usage(
		"there is no command '%s', but status, flows, ids, explain, reload, policy "
		"and replay",
		command);
}

/* argv[0] is "help". */
static int help(int argc, char **argv)
{
	const char *text = argc > 1 ? cli_help_of(argv[1]) : cli_help;
	return text ? print(text) : unknown(argv[1]);
}

static int run(struct cli *cli, int argc, char **argv)
{
	if (cli_help_of(argv[0]) && asks_for_help(argc, argv))
		return print(cli_help_of(argv[0]));
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, argv[0]) != 0)
			continue;
		if (commands[i].run)
			return commands[i].run(cli, argc, argv);
		return cli_usage("%s is not in this version", argv[0]);
	}
	return unknown(argv[0]);
}

/* --runtime-dir may also stand before the command. Returns how many words were read; 0: wrong. */
static int read_runtime_dir(struct cli *cli, int argc, char **argv)
{
	static const char name[] = "--runtime-dir";
	size_t length = strlen(name);
	if (strncmp(argv[0], name, length) != 0)
		return 0;
	if (argv[0][length] == '=')
		cli->runtime_dir = argv[0] + length + 1;
	else if (argv[0][length] == '\0' && argc > 1)
		cli->runtime_dir = argv[1];
	else
		return 0;
	return argv[0][length] == '=' ? 1 : 2;
}

/* https://no-color.org */
static bool wants_color(void)
{
	const char *no_color = getenv("NO_COLOR");
	return isatty(STDOUT_FILENO) && (!no_color || !no_color[0]);
}

int main(int argc, char **argv)
{
	struct cli cli = {.runtime_dir = CLI_RUNTIME_DIR, .color = wants_color()};
	int at = 1;
	(void)signal(
		SIGPIPE,
		SIG_IGN); /* a daemon or a pager that left is an error to report, not a death */
	while (at < argc && argv[at][0] == '-') {
		if (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0)
			return print(cli_help);
		if (strcmp(argv[at], "--version") == 0)
			return print("bridgewarden " VERSION "\n");
		int n = read_runtime_dir(&cli, argc - at, argv + at);
		if (n == 0)
			return cli_usage("unknown option '%s' before the command; a command's own "
					 "options follow it",
					 argv[at]);
		at += n;
	}
	if (at < argc && strcmp(argv[at], "help") == 0)
		return help(argc - at, argv + at);
	return at < argc ? run(&cli, argc - at, argv + at) : cli_usage("which command?");
}
