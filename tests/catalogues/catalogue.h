/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files in data: who published what, as strategies. A line is
 *
 *	catalogue NAME          begins one; the lines behind it belong to it
 *	runs N                  in how many variants a full run tries each strategy; 0: in all
 *	share N                 ctest takes one run in so many
 *	axis NAME LABEL [TEXT]  a value of what varies; $NAME in a strategy or TEXT stands for it
 *	row NAME STRATEGY       with every combination of the values that it names
 *	some N NAME STRATEGY    N combinations, where each $NAME is drawn for itself
 *
 * and what begins with # is for people.
 */
#ifndef CATALOGUES_CATALOGUE_H
#define CATALOGUES_CATALOGUE_H

#include "strategy.h"

enum {
	CATALOGUE_NAME = 96,
	CATALOGUE_TEXT = 1024,
	CATALOGUE_ENTRIES = 32768,
	CATALOGUES_MAX = 16,
};

struct catalogue {
	char name[24];
	unsigned runs, share;
	size_t first, n; /* its entries */
};

struct entry {
	const struct catalogue *of;
	unsigned row; /* the same for all that come from one line */
	char *name, *text;
};

struct shelf {
	struct catalogue catalogue[CATALOGUES_MAX];
	size_t n_catalogues, n;
	struct entry *entry;
};

/* Reads all files of a directory. 0, or -1 after saying on stderr what is wrong. */
int shelf_load(struct shelf *s, const char *directory, uint32_t seed);
void shelf_free(struct shelf *s);

#endif
