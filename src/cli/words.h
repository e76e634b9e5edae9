/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Command line words one after the other: options from a table in any place, "--name VALUE" and
 * "--name=VALUE" alike, "--" ends options. Every command also knows --runtime-dir and -o, which
 * land in struct cli.
 */
#ifndef CLI_WORDS_H
#define CLI_WORDS_H

#include "base/error.h"
#include "cli/cli.h"

struct words_option {
	const char *name; /* "--from" */
	bool takes_value;
};

enum { WORDS_END = -1, WORDS_WORD = -2, WORDS_WRONG = -3 };

/* Zero but for the first four. */
struct words {
	struct cli *cli;
	int argc;
	char **argv;
	const struct words_option *options; /* ends with a NULL name */
	int at;				    /* the last word read */
	bool only_words;		    /* after -- */
	const char *value;		    /* of the option, or the word */
};

/* The next option's index in the table, or one of the above. WORDS_WRONG: err has the reason. */
int words_next(struct words *words, struct error *err);
/* For commands that take no word of their own: CLI_OK or CLI_USAGE, said. */
int words_none(struct cli *cli, int argc, char **argv);
/* "90", "90s", "5m", "2h", "1d". False: no duration, or 0. */
bool words_duration(const char *text, uint64_t *seconds);

#endif
