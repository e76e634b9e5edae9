/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bw-catalogues: what others published against such systems, replayed through the real daemon
 * against a real receiver. Runs are shared out to processes, each with a raw socket, ports and an
 * application of its own, as in tests/evasion. They come in rounds: a daemon, many runs, its
 * records.
 */
#include "choices.h"

#include "../evasion/judge.h"
#include "../evasion/options.h"
#include "../evasion/share.h"

#include <fnmatch.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef CATALOGUES_DIRECTORY
#define CATALOGUES_DIRECTORY "."
#endif

enum {
	SKIPPED = 77,
	RUNS_MAX = 1 << 17,
	/* Runs for each process: the reader of records has room for 32,768 pairs of ports. */
	ROUND_OF_JOB = 250,
	PORT_SETS = 8,
	RUNS_PER_SET = 1500, /* in all 48,000 above the first */
	JOBS = 40,
	SEED = 20260731,
};

/* Writers: the processes; each result has one. */
struct board {
	_Atomic size_t next;
	struct result result[SHARE_JOBS_MAX * ROUND_OF_JOB];
};

/* What is kept of a run that nobody defended. */
enum { BARE_TRIED = 1, BARE_SAME = 2, BARE_EVIL = 4 };

struct job {
	const struct options *options;
	struct shelf shelf;
	struct world world;
	struct run *run; /* those that were chosen */
	uint8_t *bare;
	size_t n, n_checked; /* the first of them: the kernel on the way verifies checksums too */
	struct board *board;
	bool is_bare;	   /* this time */
	size_t first, end; /* of the round */
	unsigned n_rounds;
};

/* broken: an allowed message did not arrive as it was meant; bare: where nobody defends; here: only
 * where somebody does. */
struct tally {
	unsigned tried, failed, idle, broken, broken_bare, broken_here, evil_bare;
};

/* ---- which ---- */

static bool is_chosen(const struct job *job, const struct run *r, bool is_first)
{
	char name[CHOICE_NAME];
	const struct entry *e = &job->shelf.entry[r->entry];
	choice_name(&job->shelf, r, name);
	if (job->options->only)
		return fnmatch(job->options->only, name, FNM_EXTMATCH) == 0;
	return job->options->all || is_first ||
	       choice_hash(name, job->options->seed) % (e->of->share ? e->of->share : 1) == 0;
}

static size_t choose(struct job *job, struct run *all)
{
	size_t n = choices_expand(&job->shelf, job->options->seed, all, RUNS_MAX), kept = 0;
	unsigned row = UINT32_MAX;
	for (size_t i = 0; i < n; i++) {
		unsigned is = job->shelf.entry[all[i].entry].row;
		if (is_chosen(job, &all[i], is != row))
			all[kept++] = all[i];
		row = is;
	}
	return kept;
}

/* In half of the runs only the daemon knows a wrong checksum. Which half is a matter of the name.
 */
static bool is_checked(const struct job *job, const struct run *r)
{
	char name[CHOICE_NAME];
	choice_name(&job->shelf, r, name);
	return choice_hash(name, ~job->options->seed) & 1;
}

static void sort_by_check(struct job *job, const struct run *all, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_checked(job, &all[i]))
			job->run[job->n++] = all[i];
	job->n_checked = job->n;
	for (size_t i = 0; i < n; i++)
		if (!is_checked(job, &all[i]))
			job->run[job->n++] = all[i];
}

static void list(const struct job *job)
{
	char name[CHOICE_NAME];
	for (size_t i = 0; i < job->n; i++) {
		choice_name(&job->shelf, &job->run[i], name);
		(void)printf("%s  %s\n", name, job->shelf.entry[job->run[i].entry].text);
	}
}

/* ---- running ---- */

static void one_run(struct job *job, struct player *player, size_t i)
{
	static struct strategy strategy;
	char name[CHOICE_NAME];
	const struct run *r = &job->run[job->first + i];
	choice_name(&job->shelf, r, name);
	(void)strategy_parse(&strategy, job->shelf.entry[r->entry].text); /* known to be good */
	course_run(player, &r->choice, &strategy, choice_hash(name, job->options->seed),
		   &job->board->result[i]);
}

static int work(void *ctx, unsigned number)
{
	static struct player player;
	struct job *job = ctx;
	if (player_init(&player, &job->world, number, job->is_bare, job->options->seed))
		return -1;
	/* Ports of the last rounds are not used again. */
	player.n_runs = (job->n_rounds % PORT_SETS) * RUNS_PER_SET;
	for (size_t i; (i = atomic_fetch_add(&job->board->next, 1)) < job->end - job->first;)
		one_run(job, &player, i);
	player_fini(&player);
	return 0;
}

static int run_round(struct job *job, size_t first, size_t n)
{
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/eve.json", job->world.dir);
	(void)unlink(path); /* of the last round; perhaps there was none */
	if (world_run(&job->world, PLACE_GATE, "sysctl -qw net.netfilter.nf_conntrack_checksum=%d",
		      first < job->n_checked))
		return -1;
	if (!job->is_bare && world_start_daemon(&job->world))
		return -1;
	job->first = first;
	job->end = first + n;
	atomic_store(&job->board->next, 0);
	int bad = share_out(job->options->jobs, work, job);
	job->n_rounds++;
	world_stop_daemon(&job->world); /* what it still had to write is in the records now */
	return bad;
}

/* ---- judging ---- */

static void tell_failure(const struct job *job, const struct run *r, const char *why)
{
	char name[CHOICE_NAME];
	choice_name(&job->shelf, r, name);
	(void)printf("  FAIL %s: %s\n    %s\n", name, why, job->shelf.entry[r->entry].text);
	options_tell_repeat(job->options, "bw-catalogues", name);
}

static void tell_run(const struct job *job, const struct run *r, const struct result *o)
{
	char name[CHOICE_NAME];
	choice_name(&job->shelf, r, name);
	bool was_good = (job->bare[r - job->run] & BARE_SAME) != 0;
	(void)printf("  %s %ums fired=%u open=%d same=%d%s evil=%d fresh=%d names=%u %s %s\n", name,
		     o->outcome.ms, o->n_fired, o->is_open, o->is_same,
		     was_good ? " (and without)" : "", o->outcome.has_evil, o->outcome.is_fresh,
		     o->outcome.n_names, o->outcome.names[0], o->outcome.names[1]);
}

/* Nothing may be broken even where nobody defends: then it is the test that fails. */
static const char *judge_bare(const struct result *o)
{
	if (!o->outcome.is_done)
		return "not run";
	if (o->outcome.is_broken)
		return o->outcome.note;
	return o->outcome.is_fresh ? NULL : "no new connection works, and nobody defends";
}

/* What a strategy sends before there is a connection, or behind the message, is refused and told;
 * the message is not. */
static bool is_about_others(const char *why, const struct result *o)
{
	return why && (strcmp(why, "false alarm: midstream") == 0 ||
		       (o->says_more && strncmp(why, "false alarm", 11) == 0));
}

static const char *judge_one(const struct job *job, const struct records *records,
			     const struct run *r, const struct result *o, char text[160])
{
	static struct strategy s;
	if (job->is_bare)
		return judge_bare(o);
	(void)strategy_parse(&s, job->shelf.entry[r->entry].text); /* known to be good */
	struct variant v = course_variant(&r->choice, strategy_is_udp(&s));
	const char *why = judge(records, &v, &o->outcome, text);
	return is_about_others(why, o) ? NULL : why;
}

/* A strategy breaks a connection where an allowed message does not arrive. */
static void count_broken(const struct job *job, size_t i, const struct result *o, struct tally *t)
{
	bool is_allowed = job->run[i].choice.want == WANT_ALLOWED;
	bool was_good = (job->bare[i] & BARE_TRIED) && (job->bare[i] & BARE_SAME);
	t->broken += is_allowed && !o->is_same;
	t->broken_bare += is_allowed && (job->bare[i] & BARE_TRIED) && !was_good;
	t->broken_here += is_allowed && !o->is_same && was_good;
	t->evil_bare += (job->bare[i] & BARE_EVIL) != 0;
}

static void judge_run(struct job *job, const struct records *records, size_t first, size_t i,
		      struct tally *t)
{
	char text[160];
	const struct run *r = &job->run[first + i];
	const struct result *o = &job->board->result[i];
	const char *why = judge_one(job, records, r, o, text);
	t->tried++;
	t->idle += o->n_fired == 0;
	t->failed += why != NULL;
	if (job->is_bare)
		job->bare[first + i] = (uint8_t)(BARE_TRIED | (o->is_same ? BARE_SAME : 0) |
						 (o->outcome.has_evil ? BARE_EVIL : 0));
	if (why)
		tell_failure(job, r, why);
	if (job->options->verbose)
		tell_run(job, r, o);
	count_broken(job, first + i, o, t);
}

static void add(struct tally *sum, const struct tally *t)
{
	sum->tried += t->tried;
	sum->failed += t->failed;
	sum->idle += t->idle;
	sum->broken += t->broken;
	sum->broken_bare += t->broken_bare;
	sum->broken_here += t->broken_here;
	sum->evil_bare += t->evil_bare;
}

static size_t catalogue_of(const struct job *job, size_t i)
{
	return (size_t)(job->shelf.entry[job->run[i].entry].of - job->shelf.catalogue);
}

static int judge_round(struct job *job, size_t first, size_t n, struct tally *tallies)
{
	struct records records = {0};
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/eve.json", job->world.dir);
	if (!job->is_bare && records_read(&records, path))
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct tally one = {0};
		judge_run(job, &records, first, i, &one);
		add(&tallies[catalogue_of(job, first + i)], &one);
	}
	records_free(&records);
	return 0;
}

static int pass_part(struct job *job, size_t first, size_t end, struct tally *tallies)
{
	size_t most = (size_t)job->options->jobs * ROUND_OF_JOB;
	for (size_t n; first < end; first += n) {
		n = end - first < most ? end - first : most;
		if (run_round(job, first, n) || judge_round(job, first, n, tallies))
			return -1;
	}
	return 0;
}

static int pass(struct job *job, struct tally *tallies)
{
	int bad = pass_part(job, 0, job->n_checked, tallies);
	return bad ? bad : pass_part(job, job->n_checked, job->n, tallies);
}

/* ---- telling ---- */

static void tell_catalogue(const struct job *job, const struct catalogue *c, const struct tally *t)
{
	(void)printf("%-10s strategies=%zu tried=%u failed=%u idle=%u ", c->name, c->n, t->tried,
		     t->failed, t->idle);
	if (job->is_bare)
		(void)printf("changed=%u forbidden-read=%u\n", t->broken, t->evil_bare);
	else if (job->options->both)
		(void)printf("broken=%u broken-without=%u broken-only-with=%u\n", t->broken,
			     t->broken_bare, t->broken_here);
	else
		(void)printf("broken=%u\n", t->broken);
}

static struct tally tell(const struct job *job, const struct tally *tallies)
{
	struct tally sum = {0};
	for (size_t i = 0; i < job->shelf.n_catalogues; i++) {
		if (tallies[i].tried)
			tell_catalogue(job, &job->shelf.catalogue[i], &tallies[i]);
		add(&sum, &tallies[i]);
	}
	if (job->is_bare)
		(void)printf("bare S2 tried=%u changed=%u forbidden-read=%u failed=%u seed=%u\n",
			     sum.tried, sum.broken, sum.evil_bare, sum.failed, job->options->seed);
	else
		(void)printf("scorecard S2 tried=%u failed=%u seed=%u\n", sum.tried, sum.failed,
			     job->options->seed);
	return sum;
}

static int one_pass(struct job *job, bool is_bare)
{
	struct tally tallies[CATALOGUES_MAX] = {0};
	job->is_bare = is_bare;
	if (pass(job, tallies))
		return EXIT_FAILURE;
	struct tally sum = tell(job, tallies);
	bool shows_something = !is_bare || (sum.broken > 0 && sum.evil_bare > 0);
	return sum.tried > 0 && sum.failed == 0 && shows_something ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Neighbours on the way to `far` learn each other now: the first packets would wait for that. */
static int meet(const struct world *w)
{
	return world_run(w, PLACE_GATE,
			 "bash -c 'for i in 1 2 3 4; do for to in 198.19.2.10 fd00:7::10; do "
			 "echo > /dev/udp/$to/9; done; sleep 0.5; done' 2>/dev/null");
}

static int run(struct job *job)
{
	bool is_made = world_make(&job->world, job->options->build) == 0 && meet(&job->world) == 0;
	int status = is_made ? EXIT_SUCCESS : EXIT_FAILURE;
	if (is_made && (job->options->bare || job->options->both))
		status |= one_pass(job, true);
	if (is_made && !job->options->bare)
		status |= one_pass(job, false);
	world_unmake(&job->world, job->options->keep || !is_made);
	return status;
}

static int prepare(struct job *job)
{
	job->run = calloc(RUNS_MAX, sizeof(*job->run));
	job->bare = calloc(RUNS_MAX, 1);
	job->board = share_memory(sizeof(*job->board));
	if (!job->run || !job->bare || !job->board) {
		perror("bw-catalogues");
		return -1;
	}
	if (shelf_load(&job->shelf, job->options->data, job->options->seed))
		return -1;
	struct run *all = calloc(RUNS_MAX, sizeof(*all));
	if (all)
		sort_by_check(job, all, choose(job, all));
	free(all);
	return all ? 0 : -1;
}

static int use(struct job *job)
{
	if (job->options->list) {
		list(job);
		return EXIT_SUCCESS;
	}
	if (geteuid() != 0) {
		(void)fprintf(stderr, "skipped: needs root (network namespaces)\n");
		return SKIPPED;
	}
	return run(job);
}

int main(int argc, char **argv)
{
	static struct options options = {
		.build = ".", .data = CATALOGUES_DIRECTORY, .jobs = JOBS, .seed = SEED};
	static struct job job;
	job.options = &options;
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	if (options_parse(&options, argc, argv))
		return 64;
	int status = prepare(&job) ? EXIT_FAILURE : use(&job);
	shelf_free(&job.shelf);
	free(job.run);
	free(job.bare);
	return status;
}
