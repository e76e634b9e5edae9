/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "score.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct {
	unsigned tried, failed, known;
} rows[N_SCORES];

static const char *const names[] = {[SCORE_S10] = "S10", [SCORE_S14] = "S14"};

static void report(enum score_row row, bool ok, bool is_known, const char *what, va_list args)
{
	rows[row].tried++;
	rows[row].failed += !ok;
	rows[row].known += !ok && is_known;
	printf("%s", ok ? "ok    " : is_known ? "gap   " : "FAIL  ");
	vprintf(what, args);
	printf("\n");
	(void)fflush(stdout); /* only for who watches */
}

void score_try(enum score_row row, bool ok, const char *what, ...)
{
	va_list args;
	va_start(args, what);
	report(row, ok, false, what, args);
	va_end(args);
}

void score_gap(enum score_row row, bool ok, const char *what, ...)
{
	va_list args;
	va_start(args, what);
	report(row, ok, true, what, args);
	va_end(args);
}

void score_times(enum score_row row, struct score_ratio r, const char *what, const char *how)
{
	bool ok = r.times <= r.limit;
	(r.times <= r.known ? score_gap : score_try)(row, ok, "%s, %s: %.2f, at most %.0f", what,
						     how, r.times, r.limit);
}

bool score_end(void)
{
	bool ok = true;
	for (int i = 0; i < N_SCORES; i++) {
		if (rows[i].tried == 0)
			continue;
		printf("scorecard %s tried=%u failed=%u", names[i], rows[i].tried, rows[i].failed);
		printf(rows[i].known ? " known=%u\n" : "\n", rows[i].known);
		ok &= rows[i].failed == rows[i].known;
	}
	return ok;
}

uint64_t score_rss(void)
{
	char line[128] = "";
	FILE *f = fopen("/proc/self/statm", "re");
	bool ok = f && fgets(line, sizeof(line), f);
	if (f)
		(void)fclose(f); /* was only read */
	const char *second = strchr(line, ' ');
	if (!ok || !second) {
		(void)fprintf(stderr, "/proc/self/statm cannot be read\n");
		exit(EXIT_FAILURE);
	}
	return strtoull(second, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t score_heap(void)
{
	struct mallinfo2 m = mallinfo2();
	return m.uordblks + m.hblkhd;
}

uint64_t score_cpu_ns(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); /* cannot fail on Linux */
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}
