/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bw-differential: random TCP programs, or every overlap of three chunks, through the engine to a
 * receiver; what was judged is what was received (README.md).
 */
#include "run.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	JOBS_MAX = 64,
	SKIPPED = 77,
	SHRINK_TRIES = 4000,
	FAILURES_SHOWN = 3, /* of each process; more are counted */
	PROGRESS_SECONDS = 60,
	RELATIONS = 409, /* entries of Allen's table of compositions */
};

struct options {
	bool is_kernel, is_enumerated, is_bare, has_one;
	uint64_t first, programs, seconds;
	unsigned jobs;
};

/* Of one process; writer: that process, reader: the parent. */
struct tally {
	_Atomic uint64_t tried, failed, stuck, bytes;
	_Atomic uint64_t current; /* the program under way: whoever crashes leaves its number */
};

struct job {
	const struct options *options;
	struct tally *tally;
	struct peer *peer;
	struct run *run;
};

static void make(const struct options *o, struct program *p, uint64_t number)
{
	if (o->is_enumerated)
		program_make_overlap(p, number);
	else
		program_make(p, number);
}

/* ---- failures ---- */

static bool still_fails(const struct program *p, void *ctx)
{
	const struct job *job = ctx;
	struct outcome out;
	run_program(job->run, p, &out);
	return out.has_diverged;
}

static void print_command(const struct options *o, uint64_t number)
{
	(void)printf("to repeat: bw-differential%s%s%s --seed %llu\n",
		     o->is_kernel ? " --kernel" : "", o->is_enumerated ? " --enumerate" : "",
		     o->is_bare ? " --bare" : "", (unsigned long long)number);
}

static void show_failure(struct job *job, struct program *p, const struct outcome *found)
{
	struct outcome out;
	(void)printf("\nDIVERGENCE: %s\n", found->why);
	print_command(job->options, p->number);
	program_print(p, stdout);
	if (!still_fails(p, job)) {
		(void)printf("it did not diverge again\n");
		return;
	}
	program_shrink(p, still_fails, job, SHRINK_TRIES);
	run_program(job->run, p, &out);
	(void)printf("made smaller: %s\n", out.why);
	program_print(p, stdout);
	(void)fflush(stdout); /* best effort: the process may be about to die */
}

/* ---- one process ---- */

static void try_program(struct job *job, uint64_t number)
{
	struct program p;
	struct outcome out;
	struct tally *t = job->tally;
	atomic_store_explicit(&t->current, number, memory_order_relaxed);
	make(job->options, &p, number);
	run_program(job->run, &p, &out);
	atomic_fetch_add_explicit(&t->tried, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&t->bytes, out.n_received, memory_order_relaxed);
	if (out.is_stuck && t->stuck++ < 3) {
		(void)printf("stuck %s\n", out.why);
		program_print(&p, stdout);
	}
	if (out.has_diverged && t->failed++ < FAILURES_SHOWN)
		show_failure(job, &p, &out);
}

static uint64_t now_ns(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail with this clock */
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Every options->jobs'th program from `share` on. */
static int work(const struct options *o, struct tally *tally, unsigned share)
{
	struct job job = {.options = o, .tally = tally};
	job.peer = o->is_kernel ? kernel_new() : model_new();
	if (!job.peer) {
		(void)fprintf(stderr, "no receiver: %s\n", strerror(errno));
		return SKIPPED;
	}
	job.run = run_new(job.peer, o->is_bare);
	if (!job.run)
		return EXIT_FAILURE;
	uint64_t end = now_ns() + o->seconds * 1000000000;
	for (uint64_t i = share; i < o->programs; i += o->jobs) {
		if (i / o->jobs % 64 == 0 && o->seconds && now_ns() > end)
			break;
		try_program(&job, o->first + i);
	}
	return EXIT_SUCCESS;
}

/* ---- all processes ---- */

static struct tally total_of(const struct tally *tallies, unsigned n)
{
	struct tally sum = {0};
	for (unsigned i = 0; i < n; i++) {
		sum.tried += tallies[i].tried;
		sum.failed += tallies[i].failed;
		sum.stuck += tallies[i].stuck;
		sum.bytes += tallies[i].bytes;
	}
	return sum;
}

static void print_card(const char *what, const struct options *o, const struct tally *tallies,
		       uint64_t since_ns)
{
	struct utsname kernel = {0};
	struct tally sum = total_of(tallies, o->jobs);
	double seconds = (double)(now_ns() - since_ns) / 1e9;
	(void)uname(&kernel); /* cannot fail with a valid pointer */
	(void)printf("%s tried=%llu failed=%llu seed=%llu kernel=%s receiver=%s%s%s "
		     "stuck=%llu bytes=%llu seconds=%.1f rate=%.0f\n",
		     what, (unsigned long long)sum.tried, (unsigned long long)sum.failed,
		     (unsigned long long)o->first, kernel.release,
		     o->is_kernel ? "kernel" : "model", o->is_enumerated ? " overlaps=3" : "",
		     o->is_bare ? " engine=none" : "", (unsigned long long)sum.stuck,
		     (unsigned long long)sum.bytes, seconds, (double)sum.tried / seconds);
	(void)fflush(stdout); /* best effort: it is a report */
}

/* Whoever ended; prints how it goes meanwhile. */
static pid_t wait_for_one(const struct options *o, const struct tally *tallies, uint64_t since_ns,
			  int *status)
{
	for (unsigned ticks = 1;; ticks++) {
		pid_t pid = waitpid(-1, status, WNOHANG);
		if (pid != 0)
			return pid;
		(void)usleep(20000); /* cut short: asks again earlier */
		if (ticks % (PROGRESS_SECONDS * 50) == 0)
			print_card("so far", o, tallies, since_ns);
	}
}

static void show_crash(const struct options *o, int status, uint64_t number)
{
	struct program p;
	make(o, &p, number);
	(void)printf("CRASH: %s\n", strsignal(WTERMSIG(status)));
	print_command(o, number);
	program_print(&p, stdout);
}

static int worse(int a, int b)
{
	if (a == EXIT_FAILURE || b == EXIT_FAILURE)
		return EXIT_FAILURE;
	return a > b ? a : b;
}

static int run_all(const struct options *o)
{
	struct tally *tallies = mmap(NULL, sizeof(*tallies) * JOBS_MAX, PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pids[JOBS_MAX];
	int result = EXIT_SUCCESS, status;
	uint64_t since_ns = now_ns();
	if (tallies == MAP_FAILED)
		return EXIT_FAILURE;
	for (unsigned i = 0; i < o->jobs; i++) {
		(void)fflush(stdout); /* or the child would print it again */
		pids[i] = fork();
		if (pids[i] == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* cannot fail with a signal */
			exit(work(o, &tallies[i], i));
		}
	}
	for (pid_t pid; (pid = wait_for_one(o, tallies, since_ns, &status)) > 0;) {
		result = worse(result, WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE);
		for (unsigned i = 0; i < o->jobs; i++)
			if (pids[i] == pid && WIFSIGNALED(status))
				show_crash(o, status, tallies[i].current);
	}
	if (result == SKIPPED)
		return SKIPPED;
	print_card(o->is_enumerated ? "scorecard S2" : "scorecard S3", o, tallies, since_ns);
	struct tally sum = total_of(tallies, o->jobs);
	bool is_good = o->is_bare ? sum.failed > 0 : sum.failed == 0 && sum.stuck == 0;
	if (o->is_bare)
		(void)printf("without the engine: %s\n",
			     is_good ? "divergences are found, as they must be"
				     : "nothing diverges: this test cannot fail");
	return is_good && sum.tried ? result : EXIT_FAILURE;
}

/* ---- the command line ---- */

static int usage(void)
{
	(void)fprintf(stderr,
		      "usage: bw-differential [--kernel] [--enumerate] [--bare] [--programs N] "
		      "[--seconds N] [--first N] [--seed N] [-j N]\n");
	return 2;
}

static bool parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{"kernel", no_argument, NULL, 'k'},
		{"enumerate", no_argument, NULL, 'e'},
		{"bare", no_argument, NULL, 'b'},
		{"programs", required_argument, NULL, 'n'},
		{"seconds", required_argument, NULL, 't'},
		{"first", required_argument, NULL, 'f'},
		{"seed", required_argument, NULL, 's'},
		{"jobs", required_argument, NULL, 'j'},
		{0},
	};
	for (int c; (c = getopt_long(argc, argv, "j:", longs, NULL)) != -1;) {
		uint64_t number = optarg ? strtoull(optarg, NULL, 0) : 0;
		o->is_kernel |= c == 'k';
		o->is_enumerated |= c == 'e';
		o->is_bare |= c == 'b';
		o->has_one |= c == 's';
		if (c == 'n')
			o->programs = number;
		if (c == 't')
			o->seconds = number;
		if (c == 'f' || c == 's')
			o->first = number;
		if (c == 'j')
			o->jobs = (unsigned)number;
		if (c == '?')
			return false;
	}
	return optind == argc && o->jobs >= 1 && o->jobs <= JOBS_MAX;
}

int main(int argc, char **argv)
{
	struct options o = {.first = (uint64_t)time(NULL) * 1000000, .jobs = 1};
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--enumerate") == 0)
			o.first = 0;
	if (!parse(argc, argv, &o))
		return usage();
	if (o.has_one)
		o.programs = 1;
	if (!o.programs)
		o.programs = o.is_enumerated ? program_n_overlaps() : UINT64_MAX;
	if (o.programs == UINT64_MAX && !o.seconds)
		o.seconds = 10;
	unsigned n_relations = o.is_enumerated ? program_n_relations() : RELATIONS;
	if (o.is_enumerated)
		(void)printf("%u triples of relations between three chunks\n", n_relations);
	if (n_relations != RELATIONS)
		return EXIT_FAILURE;
	return run_all(&o);
}
