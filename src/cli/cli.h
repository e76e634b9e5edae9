/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the commands of `bridgewarden` share. stdout is data, stderr is talk; exit codes are part of
 * the interface. A command is one file and one function here; src/command.c has the table.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cli_exit {
	CLI_OK = 0,
	CLI_NO = 1, /* a negative answer, or an error in what was given */
	CLI_DIFFERS = 2,
	CLI_USAGE = 64,	    /* EX_USAGE */
	CLI_NO_DAEMON = 69, /* EX_UNAVAILABLE */
};

#define CLI_RUNTIME_DIR "/run/bridgewarden"

struct cli {
	const char *runtime_dir;
	bool json;  /* -o json */
	bool color; /* stdout is a terminal and nobody set NO_COLOR */
};

/* argv[0] is the command's name. */
int cli_status(struct cli *cli, int argc, char **argv);
int cli_flows(struct cli *cli, int argc, char **argv);
int cli_ids(struct cli *cli, int argc, char **argv);
int cli_explain(struct cli *cli, int argc, char **argv);
int cli_reload(struct cli *cli, int argc, char **argv);
int cli_policy(struct cli *cli, int argc, char **argv);

/* "bridgewarden: ..." on stderr. Returns CLI_USAGE, and says where help is. */
int cli_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));
void cli_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
