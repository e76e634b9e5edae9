/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RESP on the wire: lines with a type byte and an exact number, and commands as arrays of bulk
 * strings.
 *
 * Stricter than the server, which takes any two bytes for the CRLF behind a bulk string and any
 * byte behind a CR: here both must be CRLF, else where a command ends would depend on who reads it.
 */
#ifndef REDIS_WIRE_H
#define REDIS_WIRE_H

#include "bridgewarden/dissect.h"

enum {
	REDIS_ARGS_KEPT = 256,		    /* more than DIS_VALUES_MAX keys need */
	REDIS_ARGS_MAX = 1024 * 1024,	    /* the server's own limit */
	REDIS_BULK_MAX = 512 * 1024 * 1024, /* likewise, as configured by default */
	/* A command up to this size is one unit. Of a longer one, the arguments that end before it
	 * are the head on which it is judged. Room is left for the header of the argument that
	 * crosses the line. */
	REDIS_HEAD_MAX = DIS_UNIT_MAX - 64,
};

/* total: as the array says. v[0..n_kept) are those known: whole, in the head, and not more than
 * fit. */
struct redis_args {
	struct bytes v[REDIS_ARGS_KEPT];
	size_t n_kept, total;
};

/* DIS_DONE: the head is the first n bytes. rest: arguments that are not in it; the first of them is
 * the next `skip` bytes, its CRLF to be checked behind. */
struct redis_walk {
	enum dis_status status;
	const char *why;
	size_t n, want;
	uint64_t skip;
	uint32_t rest;
};

/* One header: `type`, digits, CRLF. DIS_MORE leaves `why` NULL and `want` set. */
struct redis_header {
	enum dis_status status;
	const char *why;
	size_t n, want;
	uint64_t number;
};

struct redis_header redis_read_header(struct bytes in, size_t at, uint8_t type, uint64_t max);
struct redis_walk redis_walk(struct bytes in, struct redis_args *args);
/* As the server reads integers: no sign but '-', no leading zero. False: not a number, or over
 * `max`. */
bool redis_number(struct bytes text, uint64_t max, uint64_t *out);

#endif
