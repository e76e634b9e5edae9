/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reassembly of one half into its canonical stream. The overlap rule: the first copy of a byte
 * wins, for ever (THREATS R3). What is written over stored bytes is not stored but changed: the
 * segment leaves with the canonical bytes in it.
 *
 * Bytes in the half's skip region (a body that nobody judges) are not copied; that they came is
 * recorded only out of order. Pure but for the pool and the half; one thread.
 */
#ifndef STREAM_REASM_H
#define STREAM_REASM_H

#include "bridgewarden/flow.h"
#include "stream/chunk.h"

enum {
	/* What the chunks of a half may take of the pool, full or not: an honest window of units,
	 * and no longer list than can be walked per packet. More is dropped and comes again. */
	REASM_KEPT_MAX = 1 << 21,
	REASM_AHEAD_MAX = 1 << 22, /* how far beyond `next` a segment may lie where the receiver's
				      window is not known */
};

enum reasm_status {
	REASM_OK,
	REASM_FULL, /* the half's share of the pool is used up: drop the segment, nothing of it
		       counts as received */
};

struct reasm_result {
	enum reasm_status status;
	bool rewritten; /* stored bytes differed from the segment's: `data` was changed */
	bool is_old;	/* some bytes had come before */
	bool in_order;	/* `next` moved */
};

/* Takes in [seq, seq + n) whose writable bytes are at data. */
struct reasm_result reasm_write(struct chunk_pool *pool, struct half *h, uint32_t seq,
				uint8_t *data, uint32_t n);

/* The unconsumed, in-order bytes [fed, next) as one slice of at most max bytes; scratch (max bytes)
 * is used when they are spread over chunks, and is this function's alone: what it holds is used
 * again. Only what is stored: with skip > 0 the slice is empty. */
struct bytes reasm_unconsumed(struct chunk_pool *pool, const struct half *h, uint8_t *scratch,
			      size_t max);

/* n bytes from `fed` on were consumed, then skip more are opaque. */
void reasm_consume(struct half *h, size_t n, uint64_t skip);
/* Eats as much of the skip region as has come. */
void reasm_skip(struct half *h);
/* Replaces stored bytes by as many others (a dissector's edit) before they are forwarded. */
void reasm_edit(struct chunk_pool *pool, const struct half *h, uint32_t seq, struct bytes with);
/* Copies the stored bytes of [seq, seq + n) over data; true when anything changed. */
bool reasm_restore(const struct chunk_pool *pool, const struct half *h, uint32_t seq, uint8_t *data,
		   uint32_t n);
/* Frees what is acknowledged and consumed. */
void reasm_release(struct chunk_pool *pool, struct half *h);
void reasm_drop_all(struct chunk_pool *pool, struct half *h);

#endif
