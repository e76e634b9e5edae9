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
	double known; /* a gap: up to so many times the usual; README.md says why */
};

/* hostile.c: made to cost as much as they can. */
extern const struct conversation hostile[];
extern const size_t n_hostile;

/* hostile_http2.c */
extern const struct conversation hostile_http2[];
extern const size_t n_hostile_http2;

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

enum http2_frame {
	HTTP2_DATA = 0,
	HTTP2_HEADERS = 1,
	HTTP2_RST_STREAM = 3,
	HTTP2_SETTINGS = 4,
	HTTP2_PING = 6,
	HTTP2_WINDOW_UPDATE = 8,
	HTTP2_UNKNOWN = 0x55,
};

enum { HTTP2_END_STREAM = 1, HTTP2_ACK = 1, HTTP2_END_HEADERS = 4 }; /* flags */

void write_http2_frame(enum http2_frame type, unsigned flags, uint32_t stream,
		       struct bytes payload);
/* Preface and settings of both; what follows counts. */
void http2_opening(struct talk *t);

bool conversation_read_seed(struct talk *t, const char *protocol, const char *name);
/* False: its seed cannot be read. */
bool conversation_build(struct talk *t, const struct conversation *c);

#endif
