/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flow/session.h"

/* Not within the state: a turn that is undone finds it as it was. */
struct slot {
	uint32_t next_free;
	_Alignas(SESSION_ALIGN) uint8_t state[];
};

static const uint16_t state_bytes[SESSION_SIZES] = {120, 376, 1016, 4088, DIS_STATE_MAX};

unsigned session_size(size_t bytes)
{
	unsigned size = 0;
	while (size < SESSION_SIZES - 1 && state_bytes[size] < bytes)
		size++;
	return size;
}

size_t session_slot(unsigned size)
{
	return sizeof(struct slot) + state_bytes[size];
}

static struct slot *slot_at(const struct session_pool *pool, uint32_t index)
{
	return (struct slot *)(void *)(pool->slots + index * pool->slot_bytes);
}

void session_pool_init(struct session_pool *pool, unsigned size, uint8_t *memory, uint32_t n_slots)
{
	*pool = (struct session_pool){
		.slots = memory,
		.slot_bytes = session_slot(size),
		.n_slots = n_slots,
		.free = SESSION_NONE,
	};
}

uint32_t session_get(struct session_pool *pool)
{
	uint32_t index = pool->free;
	if (index != SESSION_NONE)
		pool->free = slot_at(pool, index)->next_free;
	else if (pool->fresh < pool->n_slots)
		index = pool->fresh++;
	return index;
}

void session_put(struct session_pool *pool, uint32_t index)
{
	slot_at(pool, index)->next_free = pool->free;
	pool->free = index;
}

void *session_state(const struct session_pool *pool, uint32_t index)
{
	return slot_at(pool, index)->state;
}
