/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Remembers what each side of a connection sent, so that what is sent again can be cut anew: the
 * same bytes, on other boundaries, with some of what stood before or behind. Honest by
 * construction: no byte is ever written that the sender did not send at that place.
 */
#ifndef TRANSPARENCY_RECUT_H
#define TRANSPARENCY_RECUT_H

#include "wire.h"

enum {
	RECUT_STREAMS = 4096, /* hash places; a stream that finds none is left as it is */
	RECUT_KEPT = 32768,   /* newest bytes kept of each; power of two */
};

struct recut_stream {
	uint8_t key[WIRE_KEY_MAX + 1]; /* the last: from which side */
	size_t n_key;
	uint32_t base, top; /* bytes [base, top) are kept */
	uint8_t *bytes;	    /* RECUT_KEPT, at sequence number modulo; owned; NULL: place is free */
};

struct recut {
	struct recut_stream *streams; /* owned */
};

typedef void recut_emit_fn(void *ctx, const uint8_t *frame, size_t n);

int recut_init(struct recut *r);
void recut_fini(struct recut *r);
/* Takes in a segment. NULL: not a stream that can be recut. *is_old: all its bytes came before. */
struct recut_stream *recut_learn(struct recut *r, unsigned side, const struct wire *w,
				 const uint8_t *frame, bool *is_old);
/* Emits [seq, seq + n) or somewhat more of it, in pieces of random size, under this header. */
void recut_resend(const struct recut_stream *s, const struct wire *w, const uint8_t *frame,
		  uint32_t seq, size_t n, recut_emit_fn *emit, void *ctx);
/* Emits once more some of what was sent lately. */
void recut_spurious(const struct recut_stream *s, const struct wire *w, const uint8_t *frame,
		    recut_emit_fn *emit, void *ctx);

/* Dice of the whole link, seeded: [0, n). */
void dice_seed(uint64_t seed);
uint32_t dice(uint32_t n);

#endif
