/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TCP segments inside Ethernet frames, as far as the link needs them: where the numbers and the
 * payload are, and how to write a frame of the same header with other bytes. Frames come from
 * kernels of this test; what is odd is left alone.
 */
#ifndef TRANSPARENCY_WIRE_H
#define TRANSPARENCY_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	FRAME_MAX = 1514, /* Ethernet's header and an MTU of 1500 */
	WIRE_FIN = 1,
	WIRE_SYN = 2,
	WIRE_RST = 4,
	WIRE_PSH = 8,
	WIRE_KEY_MAX = 36, /* addresses and ports */
};

struct wire {
	bool is_ip;  /* IPv4 or IPv6 without extension headers, TCP or UDP */
	bool is_tcp; /* the rest is known, too */
	size_t ip_at, l4_at, data_at, n_data;
	uint32_t seq;
	uint8_t flags;
};

struct wire wire_read(const uint8_t *frame, size_t n);
/* Source, destination and ports as one key; its length. */
size_t wire_key(const struct wire *w, const uint8_t *frame, uint8_t key[WIRE_KEY_MAX]);
/* `frame` holds a header that was read as *w and now n_data other bytes behind it: puts lengths,
 * number, flags and checksums right. Returns the length of the frame. */
size_t wire_finish(const struct wire *w, uint8_t *frame, uint32_t seq, uint8_t flags,
		   size_t n_data);
/* Congestion experienced, on packets whose sender understands it. */
bool wire_mark_ce(const struct wire *w, uint8_t *frame);

#endif
