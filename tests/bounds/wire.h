/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Segments of a flood, built without the engine's code: IPv4 and TCP alone, the transport checksum
 * left to the one who says that it was verified (a million are built in a second).
 */
#ifndef BOUNDS_WIRE_H
#define BOUNDS_WIRE_H

#include "bridgewarden/packet.h"

enum {
	WIRE_HEADERS = 40,
	WIRE_DATA_MAX = 1460,
	WIRE_PACKET_MAX = 1500,
	WIRE_SCALE = 7, /* window scale that every SYN offers */
};

struct wire_segment {
	uint32_t src, dst; /* addresses, host order */
	uint16_t src_port, dst_port;
	uint8_t flags;
	uint16_t window;
	uint32_t seq, ack;
	struct bytes data; /* at most WIRE_DATA_MAX; a SYN has none, but options */
};

/* Writes at most WIRE_PACKET_MAX bytes; the answer is how many. */
uint32_t wire_write(uint8_t *out, const struct wire_segment *s);

#endif
