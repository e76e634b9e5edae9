/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "stream/chunk.h"

void chunk_pool_init(struct chunk_pool *pool, struct chunk *chunks, uint32_t n_chunks)
{
	*pool = (struct chunk_pool){.chunks = chunks, .n_chunks = n_chunks, .free = UINT32_MAX};
}

uint32_t chunk_get(struct chunk_pool *pool)
{
	uint32_t index = pool->free;
	if (index != UINT32_MAX)
		pool->free = pool->chunks[index].next_free;
	else if (pool->fresh < pool->n_chunks)
		index = pool->fresh++;
	else
		return UINT32_MAX;
	pool->n_used++;
	struct chunk *c = &pool->chunks[index];
	c->next = c->hint = UINT32_MAX;
	c->n = 0;
	c->is_void = 0;
	return index;
}

void chunk_put(struct chunk_pool *pool, uint32_t index)
{
	pool->chunks[index].next_free = pool->free;
	pool->free = index;
	pool->n_used--;
}
