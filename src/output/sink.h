/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where lines of records go: a file that is appended to, or stdout ("-").
 *
 *    sink_put() -> buffer (bounded) -> sink_flush() -> file
 *
 * A sink never waits: what a full pipe or a full disk does not take stays in the buffer, a full
 * buffer drops whole new lines and counts them. A line that was begun is finished later, also after
 * an error, so a reader never sees half of one followed by another. One owner, one thread.
 */
#ifndef OUTPUT_SINK_H
#define OUTPUT_SINK_H

#include "base/error.h"
#include "bridgewarden/bytes.h"

enum {
	SINK_BUFFER = 4 << 20, /* several seconds of records at a high rate */
	SINK_WORTH = 64 << 10, /* flushed at once when so much waits */
};

struct sink;

struct sink_counts {
	uint64_t lines, lost, errors; /* taken; dropped for a full buffer; failed writes */
};

/* The path is copied. Fails when the file cannot be opened for appending. */
int sink_open(const char *path, struct sink **out, struct error *err);
/* One line without its end. */
void sink_put(struct sink *sink, struct bytes line);
/* Writes what can be written now. 0, or the negative errno of a write that failed (not -EAGAIN). */
int sink_flush(struct sink *sink);
/* After the file was renamed: the rest goes to the old one, then the path is opened anew. On
 * failure the old one stays. */
int sink_reopen(struct sink *sink, struct error *err);
struct sink_counts sink_counts(const struct sink *sink);
/* Flushes once. NULL is fine. */
void sink_close(struct sink *sink);

#endif
