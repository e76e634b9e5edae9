/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Conversations made to cost as much as they can, one generator each. */
#ifndef BOUNDS_HOSTILE_H
#define BOUNDS_HOSTILE_H

#include "talk.h"

/* A statement: its start, a piece as often as it fits, its end. */
struct sql {
	const char *start, *piece, *end;
};

struct hostile {
	const char *protocol, *name;
	/* What leads up to it: the turns of this seed but `drop` of them; or NULL. */
	const char *seed;
	unsigned drop;
	/* Adds turns; may mark where it begins to count. */
	void (*build)(struct talk *t, const struct hostile *h);
	struct sql sql;
	uint8_t ip_proto;
};

extern const struct hostile hostile[];
extern const size_t n_hostile;

/* Statements as applications send them, in the wrapping of the hostile ones: what those are
 * measured against. */
extern const struct hostile ordinary[];
extern const size_t n_ordinary;

#endif
