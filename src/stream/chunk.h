/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pool of blocks in which held and canonical bytes live: plain data in the shard's shared
 * memory, linked by index. Reserved at start (engine.max_held_bytes), never grown: running out is
 * an outcome that the caller must handle. One thread, the shard's owner.
 */
#ifndef STREAM_CHUNK_H
#define STREAM_CHUNK_H

#include <stdbool.h>
#include <stdint.h>

enum { CHUNK_BYTES = 2048, CHUNK_DATA = CHUNK_BYTES - 24 };

/* A run of the stream: bytes [seq, seq + n). A void chunk says only that they came; there n may be
 * anything.
 *
 * hint: a chunk further on in the same list, or UINT32_MAX; reasm.c sets and follows it. Since
 * chunks leave a list only at its front, it never leads to one that has left. */
struct chunk {
	uint32_t next;
	uint32_t next_free; /* not `next`: a list that was cut in an interrupted turn can be put
			       back as it was */
	uint32_t hint;
	uint32_t seq, n;
	uint8_t is_void;
	uint8_t pad[3];
	uint8_t data[CHUNK_DATA];
};
_Static_assert(sizeof(struct chunk) == CHUNK_BYTES, "a chunk is one block");

/* What reasm_unconsumed put together last, so that a unit that comes in small pieces is not copied
 * from its start for each: n bytes from `fed` on of the half `of` (NULL: nothing), at `to`. */
struct chunk_joined {
	const void *of;
	const uint8_t *to;
	uint32_t fed, n;
};

struct chunk_pool {
	struct chunk *chunks; /* borrowed: the shard's memory */
	uint32_t n_chunks;
	uint32_t free;	/* head of the free list, UINT32_MAX: none */
	uint32_t fresh; /* chunks from here on were never used: their pages are untouched */
	uint32_t n_used;
	struct chunk_joined joined;
};

void chunk_pool_init(struct chunk_pool *pool, struct chunk *chunks, uint32_t n_chunks);
/* UINT32_MAX when the pool is exhausted. */
uint32_t chunk_get(struct chunk_pool *pool);
void chunk_put(struct chunk_pool *pool, uint32_t index);

#endif
