/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every path that some server may make of one request target.
 *
 * Servers differ in whether they decode escapes, drop dot segments, fold slashes, cut ";params" or
 * take a backslash for a slash, and in which order. A rule is asked about all of the results, so
 * none may be left out: where they do not fit, is_partial says so. Escapes are decoded once, as one
 * server does.
 */
#ifndef HTTP_PATH_H
#define HTTP_PATH_H

#include "bridgewarden/bytes.h"

/* A plain path has one reading; ordinary ones with escapes up to four. What needs more is an
 * attack. */
enum { HTTP_READINGS_MAX = 24, HTTP_READINGS_ROOM = 32 * 1024 };

/* v[0] is the path as sent and points into the input, the others into room. All differ. */
struct http_readings {
	struct bytes v[HTTP_READINGS_MAX];
	size_t n;
	bool is_partial;
	size_t used;
	uint8_t room[HTTP_READINGS_ROOM];
};

/* `path` begins with '/', or is "*"; its escapes are valid. */
void http_path_readings(struct http_readings *r, struct bytes path);

/* Has it one reading only? */
bool http_path_is_plain(struct bytes path);

/* The value of a hex digit, or -1. */
int http_hex(uint8_t c);

#endif
