/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/ring.h"

#include <string.h>

enum { RING_ALIGN = 8, RING_PADDING = 1 };

/* Before each record. */
struct slot {
	uint32_t size; /* of the record, without this header */
	uint32_t kind; /* 0 or RING_PADDING */
};

static uint64_t slot_span(uint64_t size)
{
	return (sizeof(struct slot) + size + RING_ALIGN - 1) & ~(uint64_t)(RING_ALIGN - 1);
}

size_t ring_size(size_t capacity)
{
	return sizeof(struct ring) + capacity;
}

void ring_init(struct ring *ring, size_t capacity)
{
	atomic_store(&ring->head, 0);
	atomic_store(&ring->tail, 0);
	ring->capacity = capacity;
}

bool ring_put(struct ring *ring, const void *record, size_t size, bool *was_empty)
{
	uint64_t mask = ring->capacity - 1;
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
	uint64_t span = slot_span(size);
	uint64_t to_end = ring->capacity - (head & mask);
	uint64_t padding = span > to_end ? to_end : 0;
	if (span > ring->capacity || head - tail + padding + span > ring->capacity)
		return false;
	if (padding) {
		struct slot gap = {.size = (uint32_t)(padding - sizeof(gap)), .kind = RING_PADDING};
		memcpy(ring->data + (head & mask), &gap, sizeof(gap));
		head += padding;
	}
	struct slot slot = {.size = (uint32_t)size};
	memcpy(ring->data + (head & mask), &slot, sizeof(slot));
	memcpy(ring->data + (head & mask) + sizeof(slot), record, size);
	/* Sequentially consistent: pairs with the consumer's, so that one of the two sees the
	 * other. */
	atomic_store(&ring->head, head + span);
	*was_empty = atomic_load(&ring->tail) == head - padding;
	return true;
}

size_t ring_take(struct ring *ring, size_t capacity, void *out, size_t max)
{
	for (;;) {
		uint64_t head = atomic_load(&ring->head);
		uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
		if (tail == head)
			return 0;
		uint64_t at = tail & (capacity - 1);
		struct slot slot;
		bool sane = at + sizeof(slot) <= capacity && head - tail <= capacity;
		if (sane)
			memcpy(&slot, ring->data + at, sizeof(slot));
		if (!sane || at + sizeof(slot) + slot.size > capacity ||
		    (slot.kind != RING_PADDING && slot.size > max)) {
			atomic_store(&ring->tail, head);
			return 0;
		}
		size_t size = slot.size;
		if (slot.kind != RING_PADDING)
			memcpy(out, ring->data + at + sizeof(slot), size);
		atomic_store(&ring->tail, tail + slot_span(size));
		if (slot.kind != RING_PADDING)
			return size;
	}
}
