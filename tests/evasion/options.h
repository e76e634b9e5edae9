/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of the programs that play hostile peers. */
#ifndef EVASION_OPTIONS_H
#define EVASION_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct options {
	const char *only;  /* a pattern of names, as in a shell; NULL: not asked for */
	const char *build; /* where the daemon was built */
	const char *data;  /* what to play: a file or folder */
	bool all, bare, both, keep, list, verbose;
	unsigned jobs;
	uint32_t seed;
};

/* What is not said stays as it is. -1: said wrongly; what may be said is on stderr. */
int options_parse(struct options *o, int argc, char **argv);
/* How a failure says that it is run again. */
void options_tell_repeat(const struct options *o, const char *program, const char *name);

#endif
