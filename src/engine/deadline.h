/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When something that waits must be decided: a binary heap of (time, flow). Entries are hints: the
 * flow's own deadline is the truth, so moving or clearing a deadline costs nothing. Private memory,
 * one thread.
 */
#ifndef ENGINE_DEADLINE_H
#define ENGINE_DEADLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct deadline {
	uint64_t at_ns;
	uint64_t flow_id; /* tells whether the flow in the slot is still the one meant */
	uint32_t flow;	  /* slot */
};

struct deadlines {
	struct deadline *heap;
	size_t n, room;
};

int deadlines_init(struct deadlines *d, size_t room); /* 0 or -ENOMEM */
void deadlines_fini(struct deadlines *d);
/* False: no room (the sweep will find the flow, later). */
bool deadlines_add(struct deadlines *d, const struct deadline *deadline);
/* The earliest that is due, removed. */
bool deadlines_take(struct deadlines *d, uint64_t now_ns, struct deadline *out);

#endif
