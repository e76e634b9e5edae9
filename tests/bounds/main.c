/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bw-bounds: does the engine keep within its limits while somebody attacks them? README.md says
 * what is tried.
 *
 *	bw-bounds [floods|slow|streams|dissect|speed]...    all of them without a word
 */
#include "parts.h"
#include "score.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	void (*run)(void);
} parts[] = {
	{"floods", floods_run},	  {"slow", slow_run},	{"streams", streams_run},
	{"dissect", dissect_run}, {"speed", speed_run},
};

enum { N_PARTS = sizeof(parts) / sizeof(parts[0]) };

static bool run_named(const char *name)
{
	for (size_t i = 0; i < N_PARTS; i++) {
		if (strcmp(parts[i].name, name) == 0) {
			parts[i].run();
			return true;
		}
	}
	(void)fprintf(stderr, "bw-bounds: no part is called %s\n", name);
	return false;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!run_named(argv[i]))
			return 64;
	for (size_t i = 0; argc == 1 && i < N_PARTS; i++)
		parts[i].run();
	return score_end() ? EXIT_SUCCESS : EXIT_FAILURE;
}
