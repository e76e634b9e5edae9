/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "options.h"

#include "share.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const struct option known[] = {
	{"all", no_argument, NULL, 'a'},	 {"only", required_argument, NULL, 'o'},
	{"bare", no_argument, NULL, 'b'},	 {"both", no_argument, NULL, '2'},
	{"jobs", required_argument, NULL, 'j'},	 {"seed", required_argument, NULL, 's'},
	{"keep", no_argument, NULL, 'k'},	 {"list", no_argument, NULL, 'l'},
	{"build", required_argument, NULL, 'd'}, {"data", required_argument, NULL, 'f'},
	{"verbose", no_argument, NULL, 'v'},	 {NULL, 0, NULL, 0},
};

static void take_word(struct options *o, int c)
{
	o->all |= c == 'a';
	o->bare |= c == 'b';
	o->both |= c == '2';
	o->keep |= c == 'k';
	o->list |= c == 'l';
	o->verbose |= c == 'v';
}

static void take_value(struct options *o, int c, const char *value)
{
	if (c == 'o')
		o->only = value;
	if (c == 'd')
		o->build = value;
	if (c == 'f')
		o->data = value;
	if (c == 'j')
		o->jobs = (unsigned)strtoul(value, NULL, 10);
	if (c == 's')
		o->seed = (uint32_t)strtoul(value, NULL, 10);
}

int options_parse(struct options *o, int argc, char **argv)
{
	bool is_known = true;
	for (int c; is_known && (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
		take_word(o, c);
		if (optarg)
			take_value(o, c, optarg);
		is_known = c != '?';
	}
	if (is_known && optind == argc && o->jobs >= 1 && o->jobs <= SHARE_JOBS_MAX)
		return 0;
	(void)fprintf(stderr,
		      "usage: %s [--all] [--only PATTERN] [--bare | --both] [--jobs N] [--seed N] "
		      "[--keep] [--list] [--verbose] [--build DIR] [--data PATH]\n",
		      argv[0]);
	return -1;
}

void options_tell_repeat(const struct options *o, const char *program, const char *name)
{
	(void)printf("    repeat: %s --build %s --seed %u --only '%s'\n", program, o->build,
		     o->seed, name);
}
