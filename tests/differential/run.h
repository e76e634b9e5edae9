/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One program through the engine to a receiver, and the comparison: whatever the receiver could
 * hand to its application is, byte for byte, what was judged; it ends where the judged stream ends;
 * no refused unit is whole.
 */
#ifndef DIFFERENTIAL_RUN_H
#define DIFFERENTIAL_RUN_H

#include "bench.h"
#include "peer.h"

struct outcome {
	bool has_diverged;
	bool is_stuck;	/* an honest end could not be brought to the receiver */
	bool was_ended; /* a reset, a refusal or a SYN: no honest end can be expected */
	uint32_t n_received;
	char why[240];
};

struct run;

/* is_bare: packets go past the engine, and the judge is one that believes in first copies. */
struct run *run_new(struct peer *peer, bool is_bare);
void run_program(struct run *run, const struct program *p, struct outcome *out);

#endif
