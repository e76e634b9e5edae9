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

enum { CHUNK_BYTES = 2048, CHUNK_DATA = CHUNK_BYTES - 20 };

/* A run of the stream: bytes [seq, seq + n). A void chunk says only that they came; there n may be
 * anything. */
struct chunk {
	uint32_t next;
	uint32_t next_free; /* not `next`: a list that was cut in an interrupted turn can be put
			       back as it was */
	uint32_t seq, n;
	uint8_t is_void;
	uint8_t pad[3];
	uint8_t data[CHUNK_DATA];
};
_Static_assert(sizeof(struct chunk) == CHUNK_BYTES, "a chunk is one block");

struct chunk_pool {
	struct chunk *chunks; /* borrowed: the shard's memory */
	uint32_t n_chunks;
	uint32_t free;	/* head of the free list, UINT32_MAX: none */
	uint32_t fresh; /* chunks from here on were never used: their pages are untouched */
	uint32_t n_used;
};

void chunk_pool_init(struct chunk_pool *pool, struct chunk *chunks, uint32_t n_chunks);
/* UINT32_MAX when the pool is exhausted. */
uint32_t chunk_get(struct chunk_pool *pool);
void chunk_put(struct chunk_pool *pool, uint32_t index);

#endif
