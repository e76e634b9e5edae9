/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pools of dissector states in the shard's shared memory, one for each of a few sizes: an HTTP
 * connection must not take the room of a MySQL one. Slots are addressed by index and reserved at
 * start, as many of each size as there may be flows; pages that no slot ever used are not touched.
 * One thread, the shard's owner.
 */
#ifndef FLOW_SESSION_H
#define FLOW_SESSION_H

#include "bridgewarden/dissect.h"

#define SESSION_NONE UINT32_MAX

enum { SESSION_ALIGN = 8, SESSION_SIZES = 5 };

struct session_pool {
	uint8_t *slots; /* borrowed: the shard's memory */
	size_t slot_bytes;
	uint32_t n_slots;
	uint32_t free;	/* head of the free list, or SESSION_NONE */
	uint32_t fresh; /* slots from here on were never used */
};

/* Which pool holds states of so many bytes (<= DIS_STATE_MAX): 0 .. SESSION_SIZES - 1. */
unsigned session_size(size_t state_bytes);
/* Bytes that one slot of the pool takes. */
size_t session_slot(unsigned size);
void session_pool_init(struct session_pool *pool, unsigned size, uint8_t *memory, uint32_t n_slots);
/* SESSION_NONE when the pool is exhausted. The state is what its last owner left. */
uint32_t session_get(struct session_pool *pool);
void session_put(struct session_pool *pool, uint32_t index);
void *session_state(const struct session_pool *pool, uint32_t index);

#endif
