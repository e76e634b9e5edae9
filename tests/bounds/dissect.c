/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a byte costs each dissector: hostile input against the median of the ordinary, which is
 * every seed of the fuzzers that is not refused. Of the SQL servers these are mostly logins and
 * rows, which are hardly looked at; their hostile statements are set against ordinary statements.
 * Twice: as it comes in large slices, and in slices that grow by one byte, where a dissector that
 * reads everything again at each byte shows itself.
 */
#include "parts.h"

#include "conversation.h"
#include "score.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	SEEDS_MAX = 1024,
	SEEDS_LEAST = 5,
	TRIES = 4,
	SEED_NS = 100000, /* of processor time, at least */
	USUAL_NS = 500000,
	HOSTILE_NS = 1000000,
	COST_LIMIT = 3, /* times the median */
};

static struct talk talk;
static struct talk
	usual[2]; /* the ordinary conversation of median cost: in one, and byte by byte */

struct seed {
	char name[128];
	const struct conversation *row; /* instead of a name */
	double cost[2];
};

static int by_cost_in_one(const void *a, const void *b)
{
	double x = ((const struct seed *)a)->cost[0], y = ((const struct seed *)b)->cost[0];
	return (x > y) - (x < y);
}

static int by_cost_of_bytes(const void *a, const void *b)
{
	double x = ((const struct seed *)a)->cost[1], y = ((const struct seed *)b)->cost[1];
	return (x > y) - (x < y);
}

/* False: it is refused, or cannot be read. */
static bool weigh(struct seed *seed, const char *protocol, const char *name)
{
	enum talk_end end = TALK_REFUSED;
	int n = snprintf(seed->name, sizeof(seed->name), "%s", name);
	if (name[0] == '.' || n < 0 || (size_t)n >= sizeof(seed->name) ||
	    !conversation_read_seed(&talk, protocol, name))
		return false;
	for (int i = 0; i < 2; i++)
		seed->cost[i] = talk_cost(&talk, (size_t)i, SEED_NS, &end);
	return end == TALK_OPEN || end == TALK_STOPPED;
}

/* Finds the median of the ordinary statements, where there are any. */
static void find_usual_statement(const char *protocol)
{
	static int (*const by[])(const void *, const void *) = {by_cost_in_one, by_cost_of_bytes};
	static struct seed said[SEEDS_MAX];
	size_t n = 0;
	for (size_t i = 0; i < n_ordinary; i++) {
		enum talk_end end;
		if (strcmp(ordinary[i].protocol, protocol) != 0 ||
		    !conversation_build(&talk, &ordinary[i]))
			continue;
		said[n].row = &ordinary[i];
		for (int how = 0; how < 2; how++)
			said[n].cost[how] = talk_cost(&talk, (size_t)how, SEED_NS, &end);
		score_try(SCORE_S10, end == TALK_OPEN, "%s reads %s", protocol, ordinary[i].name);
		n++;
	}
	for (int i = 0; i < 2 && n > 0; i++) {
		qsort(said, n, sizeof(*said), by[i]);
		(void)conversation_build(&usual[i], said[n / 2].row); /* was built before */
		printf("%-9s %-14s %8.2f ns a byte, the median of %zu statements: %s\n", protocol,
		       i ? "byte by byte" : "in one", said[n / 2].cost[i], n,
		       said[n / 2].row->name);
	}
}

/* Finds the usual of a protocol. */
static bool find_usual(const char *protocol)
{
	static int (*const by[])(const void *, const void *) = {by_cost_in_one, by_cost_of_bytes};
	static struct seed seeds[SEEDS_MAX];
	char path[512];
	size_t n = 0;
	(void)snprintf(path, sizeof(path), "%s/%s", BOUNDS_SEEDS,
		       protocol); /* cut: not found below */
	DIR *dir = opendir(path);
	for (struct dirent *e; dir && n < SEEDS_MAX && (e = readdir(dir));)
		n += weigh(&seeds[n], protocol, e->d_name);
	if (dir)
		(void)closedir(dir); /* was only read */
	for (int i = 0; i < 2 && n >= SEEDS_LEAST; i++) {
		qsort(seeds, n, sizeof(*seeds), by[i]);
		(void)conversation_read_seed(&usual[i], protocol,
					     seeds[n / 2].name); /* was read before */
		printf("%-9s %-14s %8.2f ns a byte, the median of %zu: %s\n", protocol,
		       i ? "byte by byte" : "in one", seeds[n / 2].cost[i], n, seeds[n / 2].name);
	}
	return n >= SEEDS_LEAST;
}

static const char *end_name(enum talk_end end)
{
	switch (end) {
	case TALK_OPEN:
		return "read";
	case TALK_STOPPED:
		return "stopped";
	case TALK_REFUSED:
		return "refused";
	case TALK_NOT_MINE:
		return "not mine";
	}
	return "?";
}

/* In turns with the usual, so that a disturbance meets both; the best of each. */
static double times_usual(int how, enum talk_end *end)
{
	double best[2] = {0, 0};
	for (int try = 0; try < TRIES; try++) {
		enum talk_end unused;
		double cost[2] = {talk_cost(&usual[how], (size_t)how, USUAL_NS, &unused),
				  talk_cost(&talk, (size_t)how, HOSTILE_NS, end)};
		for (int i = 0; i < 2; i++)
			best[i] = try == 0 || cost[i] < best[i] ? cost[i] : best[i];
	}
	return best[1] / best[0];
}

static void judge(const struct conversation *c)
{
	static const char *const how[] = {"in one", "byte by byte"};
	enum talk_end end;
	double times[2] = {times_usual(0, &end), times_usual(1, &end)};
	printf("%-9s %-36s %8.2fx %8.2fx %s\n", c->protocol, c->name, times[0], times[1],
	       end_name(end));
	for (int i = 0; i < 2; i++)
		score_times(SCORE_S10, (struct score_ratio){times[i], COST_LIMIT, c->known},
			    c->name, how[i]);
}

/* What protocols have hostile rows; those that are only recognised have none: they read their first
 * unit and no more. */
static const struct {
	const struct conversation *rows;
	const size_t *n;
} lists[] = {{hostile, &n_hostile}, {hostile_http2, &n_hostile_http2}};

static const struct conversation *next_row(const char *protocol, size_t *list, size_t *i)
{
	for (; *list < sizeof(lists) / sizeof(lists[0]); (*list)++, *i = 0)
		for (; *i < *lists[*list].n; (*i)++)
			if (strcmp(lists[*list].rows[*i].protocol, protocol) == 0)
				return &lists[*list].rows[(*i)++];
	return NULL;
}

static void judge_all(const char *protocol)
{
	size_t list = 0, i = 0;
	for (const struct conversation *c; (c = next_row(protocol, &list, &i));) {
		if (conversation_build(&talk, c))
			judge(c);
		else
			score_try(SCORE_S10, false, "%s: no seed %s", protocol, c->seed);
	}
}

static bool has_rows(const char *protocol)
{
	size_t list = 0, i = 0;
	return next_row(protocol, &list, &i) != NULL;
}

void dissect_run(void)
{
	for (size_t d = 0; d < n_dissectors; d++) {
		const char *protocol = dissectors[d]->name;
		if (!has_rows(protocol))
			continue;
		bool has_usual = find_usual(protocol);
		score_try(SCORE_S10, has_usual, "%s: has ordinary seeds", protocol);
		if (!has_usual)
			continue;
		find_usual_statement(protocol);
		judge_all(protocol);
	}
}
