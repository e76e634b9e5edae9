/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bw-evasion: the threat table against the real daemon, the real kernel and a real receiver. Runs
 * are shared out to processes; each has a raw socket, ports and an application of its own. The
 * records are read when all have ended.
 *
 *	bw-evasion [--all] [--only PATTERN] [--bare] [--jobs N] [--seed N] [--keep] [--list]
 *	           [--build DIR] [--data FILE]
 */
#include "judge.h"
#include "options.h"
#include "share.h"

#include <fnmatch.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef EVASION_ROWS
#define EVASION_ROWS "rows.txt"
#endif

enum {
	SKIPPED = 77,
	VARIANTS_MAX = 16384,
	JOBS = 24,
	QUICK_SHARE = 4, /* one variant of so many, and the first of each row */
	NAME_MAX_LENGTH = 96,
};

/* Writers: the processes; each outcome has one. */
struct board {
	_Atomic size_t next;
	struct outcome outcome[VARIANTS_MAX];
};

struct job {
	const struct options *options;
	struct world world;
	struct variant *variant;
	bool *is_chosen;
	size_t n;
	struct board *board;
	enum row_phase phase; /* at work */
};

/* ---- which ---- */

static bool is_quick(const struct job *job, size_t i, const char *name)
{
	uint32_t hash = 2166136261u;
	if (i == 0 || job->variant[i - 1].row != job->variant[i].row)
		return true;
	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * 16777619u;
	return (hash >> 8) % QUICK_SHARE == 0;
}

static bool is_chosen(const struct job *job, size_t i)
{
	char name[NAME_MAX_LENGTH];
	variant_name(&job->variant[i], name, sizeof(name));
	if (job->options->only)
		return fnmatch(job->options->only, name, FNM_EXTMATCH) == 0 ||
		       strcmp(job->options->only, job->variant[i].row->id) == 0;
	return job->options->all || is_quick(job, i, name);
}

static void list(const struct job *job)
{
	char name[NAME_MAX_LENGTH];
	for (size_t i = 0; i < job->n; i++) {
		variant_name(&job->variant[i], name, sizeof(name));
		if (job->is_chosen[i])
			(void)printf("%s\n", name);
	}
}

/* ---- running ---- */

static int work(void *ctx, unsigned number)
{
	static struct player player;
	struct job *job = ctx;
	if (player_init(&player, &job->world, number, job->options->bare, job->options->seed))
		return -1;
	/* Ports of former phases are not used again. */
	player.n_runs = (unsigned)job->phase * 3000;
	for (size_t i; (i = atomic_fetch_add(&job->board->next, 1)) < job->n;)
		if (job->is_chosen[i] && job->variant[i].phase == job->phase)
			player_run(&player, &job->variant[i], &job->board->outcome[i]);
	player_fini(&player);
	return 0;
}

static int set_phase(const struct world *w, enum row_phase phase)
{
	const struct {
		enum place place;
		const char *link;
	} ends[] = {{PLACE_PEER, "eth0"},
		    {PLACE_NEAR, "eth0"},
		    {PLACE_GATE, "peer0"},
		    {PLACE_GATE, "near0"}};
	(void)world_run(w, PLACE_GATE, "sysctl -qw net.netfilter.nf_conntrack_checksum=%d",
			phase != PHASE_NO_CHECKSUMS);
	for (unsigned i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (world_set_offloads(w, ends[i].place, ends[i].link, phase != PHASE_NO_OFFLOAD))
			return -1;
	return 0;
}

static int run_phase(struct job *job, enum row_phase phase)
{
	if (set_phase(&job->world, phase))
		return -1;
	job->phase = phase;
	atomic_store(&job->board->next, 0);
	return share_out(phase == PHASE_ALONE ? 1 : job->options->jobs, work, job);
}

static bool has_phase(const struct job *job, enum row_phase phase)
{
	for (size_t i = 0; i < job->n; i++)
		if (job->is_chosen[i] && job->variant[i].phase == phase)
			return true;
	return false;
}

static int run_all(struct job *job)
{
	if (!job->options->bare && world_start_daemon(&job->world))
		return -1;
	for (int phase = 0; phase < N_PHASES; phase++)
		if (has_phase(job, (enum row_phase)phase) && run_phase(job, (enum row_phase)phase))
			return -1;
	world_stop_daemon(&job->world); /* what it still had to write is in the records now */
	return 0;
}

/* ---- telling ---- */

struct tally {
	unsigned tried, failed, gaps, bypassed, rows, tight_rows,
		hidden; /* hidden: behind a good first copy */
};

static void tell_failure(const struct job *job, const struct variant *v, const char *why)
{
	char name[NAME_MAX_LENGTH];
	variant_name(v, name, sizeof(name));
	(void)printf("  %s %s: %s\n", v->row->gap ? "gap " : "FAIL", name, why);
	options_tell_repeat(job->options, "bw-evasion", name);
}

static void tally_one(const struct job *job, const struct records *r, size_t i, struct tally *t)
{
	char text[160];
	const struct outcome *o = &job->board->outcome[i];
	const struct variant *v = &job->variant[i];
	t->tried++;
	t->bypassed += judge_bypassed(o);
	t->hidden += judge_bypassed(o) && v->order != ORDER_EG;
	const char *why = job->options->bare ? o->is_broken ? o->note : NULL : judge(r, v, o, text);
	if (job->options->verbose)
		(void)printf("  %ums names=%u %s %s alive=%d fresh=%d evil=%d denial=%d\n", o->ms,
			     o->n_names, o->names[0], o->names[1], o->lives, o->is_fresh,
			     o->has_evil, o->wants_denial);
	if (!why)
		return;
	*(v->row->gap ? &t->gaps : &t->failed) += 1;
	tell_failure(job, v, why);
}

static void tell_row(const struct job *job, const struct row *row, const struct tally *t)
{
	if (job->options->bare)
		(void)printf("%-7s %5u runs %5u bypass %5u behind a good first copy  %s\n", row->id,
			     t->tried, t->bypassed, t->hidden, row->title);
	else
		(void)printf("%-7s %5u runs %5u passed %3u failed%s  %s\n", row->id, t->tried,
			     t->tried - t->failed - t->gaps, t->failed,
			     t->gaps ? " (known gap)" : "", row->title);
	if (t->gaps)
		(void)printf("        %u expected to fail: %s\n", t->gaps, row->gap);
}

static void add(struct tally *sum, const struct tally *t)
{
	sum->tried += t->tried;
	sum->failed += t->failed;
	sum->gaps += t->gaps;
	sum->bypassed += t->bypassed;
	sum->hidden += t->hidden;
	sum->rows += t->rows;
	sum->tight_rows += t->tight_rows;
}

static struct tally tell(const struct job *job, const struct records *r)
{
	struct tally sum = {0};
	for (size_t i = 0; i < job->n;) {
		const struct row *row = job->variant[i].row;
		struct tally t = {0};
		for (; i < job->n && job->variant[i].row == row; i++)
			if (job->is_chosen[i])
				tally_one(job, r, i, &t);
		if (t.tried)
			tell_row(job, row, &t);
		t.rows = t.bypassed > 0;
		t.tight_rows = t.tried && !t.bypassed;
		add(&sum, &t);
	}
	if (job->options->bare)
		(void)printf(
			"bare S1 tried=%u bypassed=%u hidden=%u rows=%u tight_rows=%u seed=%u\n",
			sum.tried, sum.bypassed, sum.hidden, sum.rows, sum.tight_rows,
			job->options->seed);
	else
		(void)printf("scorecard S1 tried=%u failed=%u gaps=%u seed=%u\n", sum.tried,
			     sum.failed, sum.gaps, job->options->seed);
	return sum;
}

/* With a defence nothing may fail. Without one something must get through, and where rows were
 * named, something of each. */
static int judge_all(const struct job *job)
{
	struct records r = {0};
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/eve.json", job->world.dir);
	if (!job->options->bare && records_read(&r, path))
		return EXIT_FAILURE;
	struct tally sum = tell(job, &r);
	records_free(&r);
	if (job->options->bare)
		return sum.bypassed > 0 && (!job->options->only || sum.tight_rows == 0)
			       ? EXIT_SUCCESS
			       : EXIT_FAILURE;
	return sum.tried > 0 && sum.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run(struct job *job)
{
	job->board = share_memory(sizeof(*job->board));
	if (!job->board)
		return EXIT_FAILURE;
	int bad = world_make(&job->world, job->options->build) || run_all(job);
	int status = bad ? EXIT_FAILURE : judge_all(job);
	world_unmake(&job->world, job->options->keep || bad);
	return status;
}

int main(int argc, char **argv)
{
	struct options options = {
		.build = ".", .data = EVASION_ROWS, .jobs = JOBS, .seed = 268435456};
	static struct rows rows;
	static struct variant variant[VARIANTS_MAX];
	static bool chosen[VARIANTS_MAX];
	struct job job = {.options = &options, .variant = variant, .is_chosen = chosen};
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	if (options_parse(&options, argc, argv))
		return 64;
	if (options.both) {
		(void)fprintf(stderr, "bw-evasion: only bw-catalogues compares both\n");
		return 64;
	}
	if (rows_load(&rows, options.data))
		return EXIT_FAILURE;
	job.n = rows_expand(&rows, variant, VARIANTS_MAX);
	for (size_t i = 0; i < job.n; i++)
		chosen[i] = is_chosen(&job, i);
	if (options.list) {
		list(&job);
		return EXIT_SUCCESS;
	}
	if (geteuid() != 0) {
		(void)fprintf(stderr, "skipped: needs root (network namespaces)\n");
		return SKIPPED;
	}
	int status = run(&job);
	rows_free(&rows);
	return status;
}
