/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets that the engine itself sends: resets and ICMP errors, with checksums, ready for a raw
 * socket. */
#ifndef PACKET_BUILD_H
#define PACKET_BUILD_H

#include "bridgewarden/packet.h"

enum { PACKET_BUILD_MAX = 1280 };

struct tcp_reset {
	struct ip_addr src, dst;
	uint16_t src_port, dst_port;
	uint32_t seq, ack;
	bool has_ack;
};

/* Returns the length; out has PACKET_BUILD_MAX bytes. */
size_t build_tcp_reset(const struct tcp_reset *reset, uint8_t *out);
/* "Communication administratively prohibited" (RFC 1812 5.2.7.1, RFC 4443 3.1) to the sender of
 * `cause`. */
size_t build_icmp_prohibited(const struct packet *cause, uint8_t *out);

#endif
