/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Conversations to measure dissectors with, one generator each. */
#ifndef BOUNDS_CONVERSATION_H
#define BOUNDS_CONVERSATION_H

#include "talk.h"

/* A statement: its start, a piece as often as it fits, its end. */
struct sql {
	const char *start, *piece, *end;
};

struct conversation {
	const char *protocol, *name;
	/* What leads up to it: the turns of this seed but `drop` of them; or NULL. */
	const char *seed;
	unsigned drop;
	/* Adds turns; may mark where it begins to count. NULL: the seed is all of it, and counts.
	 */
	void (*build)(struct talk *t, const struct conversation *c);
	struct sql sql;
	uint8_t ip_proto;
};

/* hostile.c: made to cost as much as they can. */
extern const struct conversation hostile[];
extern const size_t n_hostile;

/* hostile.c: statements as applications send them, in the wrapping of the hostile ones: what those
 * are measured against. */
extern const struct conversation ordinary[];
extern const size_t n_ordinary;

/* honest.c: what clients and servers say all day; each of its requests is one judged event. */
extern const struct conversation honest[];
extern const size_t n_honest;

/* A statement as its server is sent it. */
void write_mysql_query(const struct sql *s);
void write_postgres_query(const struct sql *s);

bool conversation_read_seed(struct talk *t, const char *protocol, const char *name);
/* False: its seed cannot be read. */
bool conversation_build(struct talk *t, const struct conversation *c);

#endif
