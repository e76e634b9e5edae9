/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Running out of something is never silent: once a second the counters of what ran out are compared
 * with what they were, and each that moved becomes one line of the log and one record. Control
 * thread only.
 */
#ifndef CONTROL_CAPS_H
#define CONTROL_CAPS_H

#include "bridgewarden/shared.h"

#include <stdbool.h>

struct control;

struct caps {
	bool is_primed; /* what a former control process left in the counters is old news */
	uint64_t seen[N_COUNTERS];
	uint64_t queue_drops; /* by the kernel, all queues */
};

void caps_check(struct control *c);

#endif
