/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The framing of answers, RESP2 and RESP3: where one ends, whatever it holds.
 *
 * Answers may be larger than any buffer, so the state is a stack of how many elements each open
 * aggregate still lacks, and bulk strings are skipped.
 */
#ifndef REDIS_REPLY_H
#define REDIS_REPLY_H

#include "redis_wire.h"

/* The server nests five deep by itself; scripts may go further. */
enum { REDIS_DEPTH_MAX = 16 };

/* depth aggregates are open; left[i] elements are missing in each, at least 1. attributes: bit i is
 * set when aggregate i is an attribute, which is no element of what surrounds it. has_tail: a bulk
 * string was skipped and its CRLF comes next. is_in_line: a line of text too long to be shown
 * whole, as MONITOR tells of a large value, goes on. seen: a mark, so many bytes of a line that is
 * not whole yet neither end it nor are wrong. Zeroed: between answers. */
struct redis_reply {
	uint64_t left[REDIS_DEPTH_MAX];
	uint32_t attributes, seen;
	uint8_t depth, has_tail, is_in_line, unused[5];
};

/* One element's header, or one bulk string's end. line: the header without CRLF, else empty. */
struct redis_element {
	enum dis_status status;
	const char *why;
	size_t n, want;
	uint64_t skip;
	struct bytes line;
};

static inline bool redis_reply_is_between(const struct redis_reply *r)
{
	return r->depth == 0 && !r->has_tail && !r->is_in_line;
}

/* Reads what stands at `at`; changes r only with DIS_DONE, but for its mark. */
struct redis_element redis_reply_next(struct redis_reply *r, struct bytes in, size_t at);

#endif
