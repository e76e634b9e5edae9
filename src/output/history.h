/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last records, in memory, for `explain FLOW_ID` and `flows --since`: a ring of JSON objects,
 * bounded in number and in bytes. Oldest goes first. One owner, one thread.
 */
#ifndef OUTPUT_HISTORY_H
#define OUTPUT_HISTORY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	HISTORY_RECORDS = 4096,	 /* power of two */
	HISTORY_BYTES = 8 << 20, /* of their lines: hostile records are large */
};

struct history;

struct history *history_new(void); /* NULL: no memory */
void history_free(struct history *history);
/* Keeps a reference. line_length: what the record takes as a line. */
void history_put(struct history *history, json_t *record, uint64_t time_ns, size_t line_length);
size_t history_count(const struct history *history);
/* Oldest first, those not older than since_ns; stops when visit answers false. */
void history_visit(const struct history *history, uint64_t since_ns,
		   bool (*visit)(void *ctx, json_t *record), void *ctx);
/* Borrowed: the last record of this flow, a violation before any other. NULL: none. */
json_t *history_find(const struct history *history, uint64_t flow_id);

#endif
