/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A packet that waits for its verdict, and the verdict: what the engine and its sources (the
 * kernel's queue, a capture file) have in common. The engine knows neither netlink nor pcap.
 */
#ifndef CAPTURE_CAPTURE_H
#define CAPTURE_CAPTURE_H

#include "bridgewarden/packet.h"

struct capture_packet {
	uint64_t id;   /* the source's own; goes back with the verdict */
	uint8_t *data; /* from the IP header; the source's buffer, writable, valid until the call
			  returns */
	uint32_t n;
	uint32_t mark;	/* the packet's mark as it came */
	uint8_t mac[6]; /* the sender's link address */
	bool has_mac;
	bool checksum_unfinished; /* the transport checksum is left to the hardware: do not look at
				     it */
	bool checksum_verified;	  /* somebody checked already */
	bool is_bundle; /* UDP: the kernel will cut it into several datagrams (UDP_SEGMENT) */
	bool is_cut;	/* the packet is longer than what came up */
};

struct capture_verdict {
	uint64_t id;
	bool accept;
	bool set_mark;
	uint32_t mark;
	const uint8_t *data; /* the packet's new bytes, or NULL: unchanged; borrowed for the call */
	uint32_t n;
};

/* Where verdicts and the engine's own packets go. */
struct capture_out {
	void (*verdict)(void *ctx, const struct capture_verdict *v);
	/* A whole IP packet of the engine's own, at most 65,000 bytes; leaves behind the verdicts
	 * given before it. False: could not be sent. */
	bool (*inject)(void *ctx, struct bytes packet);
	void *ctx;
};

#endif
