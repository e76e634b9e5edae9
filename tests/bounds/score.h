/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was tried and what failed, per row of the scorecard; and what the process takes of the
 * machine. */
#ifndef BOUNDS_SCORE_H
#define BOUNDS_SCORE_H

#include <stdbool.h>
#include <stdint.h>

enum score_row { SCORE_S10, SCORE_S14, N_SCORES };

/* Counts, and says what went wrong; goes on either way. */
__attribute__((format(printf, 3, 4))) void score_try(enum score_row row, bool ok, const char *what,
						     ...);
/* The same for a gap that is known, and in README.md: it counts as failed, but alone does not fail
 * the program. */
__attribute__((format(printf, 3, 4))) void score_gap(enum score_row row, bool ok, const char *what,
						     ...);
/* `times` the usual cost: over the limit it failed; up to `known` (0: nothing is) it is a known
 * gap. */
struct score_ratio {
	double times, limit, known;
};
void score_times(enum score_row row, struct score_ratio ratio, const char *what, const char *how);
/* Prints a line for each row that was tried. False: something failed that is not known. */
bool score_end(void);

uint64_t score_rss(void);    /* bytes */
uint64_t score_heap(void);   /* bytes that malloc gave out */
uint64_t score_cpu_ns(void); /* of this process */

#endif
