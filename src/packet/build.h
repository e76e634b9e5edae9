/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets that the engine itself sends: resets and ICMP errors, with checksums, ready for a raw
 * socket. */
#ifndef PACKET_BUILD_H
#define PACKET_BUILD_H

#include "bridgewarden/packet.h"

enum { PACKET_BUILD_MAX = 1280, PACKET_BUILD_DATA_MAX = PACKET_BUILD_MAX - 40 - 20 };

struct tcp_segment {
	struct ip_addr src, dst;
	uint16_t src_port, dst_port;
	uint32_t seq, ack; /* ack counts with TCP_ACK among the flags */
	uint8_t flags;
	struct bytes data; /* at most PACKET_BUILD_DATA_MAX */
};

/* Each returns the length; out has PACKET_BUILD_MAX bytes. */
size_t build_tcp(const struct tcp_segment *segment, uint8_t *out);
/* From the receiver of `cause` to its sender. */
size_t build_udp_answer(const struct packet *cause, struct bytes data, uint8_t *out);
/* "Communication administratively prohibited" (RFC 1812 5.2.7.1, RFC 4443 3.1) to the sender of
 * `cause`. */
size_t build_icmp_prohibited(const struct packet *cause, uint8_t *out);

#endif
