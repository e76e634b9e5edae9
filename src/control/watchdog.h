/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is the engine hung? Each turn of a worker counts one heartbeat, at least every NFQUEUE_WAIT_MS
 * also when nothing comes. The control process looks at the counts from time to time; a worker that
 * made no turn during several looks in a row hangs (stopped, in a loop, waiting for something).
 *
 * Looks are counted, not time: after a suspend, or when the control process itself was stopped, the
 * engine gets its looks before anybody judges it. Pure.
 */
#ifndef CONTROL_WATCHDOG_H
#define CONTROL_WATCHDOG_H

#include "bridgewarden/shared.h"

#include <stdbool.h>

enum {
	WATCHDOG_LOOK_MS = 200,
	WATCHDOG_LOOKS = 4,	   /* without a turn: noticed within a second */
	WATCHDOG_LOOKS_FIRST = 50, /* before its first turn an engine maps memory and adopts flows
				    */
};

/* Zeroed memory: a new engine. */
struct watchdog {
	struct {
		uint64_t beats;
		unsigned looks; /* in a row without a turn */
		bool has_begun;
	} worker[SHARED_WORKERS_MAX];
};

/* To be called once per WATCHDOG_LOOK_MS. The number of a worker that hangs, or -1. */
int watchdog_look(struct watchdog *w, const struct shared_counters *counters, unsigned n_workers);
/* A new engine: what the counters say now is its zero. */
void watchdog_begin(struct watchdog *w, const struct shared_counters *counters, unsigned n_workers);

#endif
