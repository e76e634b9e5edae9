/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ring of variable-length records between one producer and one consumer, in shared memory.
 *
 *    tail (consumer) ---> |rec|rec|rec| <--- head (producer)
 *
 * head and tail count bytes and never wrap; a record that does not fit before the end of the buffer
 * is preceded by a padding record. Each side writes only its own counter. The consumer treats sizes
 * as untrusted. A full ring drops the new record (the producer counts it): the data path never
 * waits.
 */
#ifndef BASE_RING_H
#define BASE_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring {
	_Alignas(64) _Atomic uint64_t head; /* writer: producer; release */
	_Alignas(64) _Atomic uint64_t tail; /* writer: consumer; release */
	_Alignas(64) uint64_t capacity;	    /* power of two; set once */
	uint8_t data[];
};

/* Size of the memory for a ring of so many bytes. */
size_t ring_size(size_t capacity);
void ring_init(struct ring *ring, size_t capacity);
/* Copies one record in. False: full, nothing changed. was_empty tells whether the consumer may
 * sleep. */
bool ring_put(struct ring *ring, const void *record, size_t size, bool *was_empty);
/* Copies the oldest record out and frees its place. 0: empty. A damaged ring is emptied. out has
 * room for max. */
size_t ring_take(struct ring *ring, size_t capacity, void *out, size_t max);

#endif
