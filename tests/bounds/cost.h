/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Time as a ratio. One machine's nanoseconds say nothing on another, and a busy one counts too
 * many: every measurement is the best of several, compared only with others of the same process.
 */
#ifndef BOUNDS_COST_H
#define BOUNDS_COST_H

#include <stdint.h>

enum { COST_TRIES = 4 };

/* Least processor time of a few tries, in nanoseconds. prepare (or NULL) makes what run takes,
 * unmeasured; run must leave the same behind each time. */
struct cost_work {
	void *(*prepare)(uint32_t n);
	void (*run)(void *prepared, uint32_t n);
	void (*finish)(void *prepared);
};

/* With n[0] and with n[1], in turns, so that a disturbance meets both. */
void cost_pair(const struct cost_work *work, const uint32_t n[2], double best_ns[2]);

#endif
