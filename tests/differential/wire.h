/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TCP segments as bytes, both ways. Shares no code with the engine, so that an error there cannot
 * hide itself.
 */
#ifndef DIFFERENTIAL_WIRE_H
#define DIFFERENTIAL_WIRE_H

#include "bridgewarden/packet.h"

enum {
	WIRE_DATA_MAX = 1400,
	WIRE_PACKET_MAX = 40 + 60 + WIRE_DATA_MAX + 100,
	WIRE_OPTIONS_MAX = 40,
};

/* Two ends; addresses in network order, the first 4 bytes for IPv4. */
struct wire_path {
	bool is_v6;
	uint8_t addr[2][16];
	uint16_t port[2];
};

struct wire_segment {
	uint16_t src_port, dst_port; /* wire_read only: wire_build takes the path's */
	uint32_t seq, ack;
	uint8_t flags;
	uint16_t window, urgent;
	struct bytes data;
	/* Options by meaning; wire_build writes them in the usual order. */
	bool has_mss, has_wscale, has_sack_permitted, has_ts;
	uint8_t wscale;
	uint32_t ts, ts_echo;
};

/* From end `from` of the path to the other. Returns the length; out[WIRE_PACKET_MAX]. */
size_t wire_build(uint8_t *out, const struct wire_path *path, unsigned from,
		  const struct wire_segment *s);
/* False: not TCP, or not sound: lengths, checksums. What a receiver would not take. */
bool wire_read(struct bytes packet, struct wire_segment *s);

#endif
