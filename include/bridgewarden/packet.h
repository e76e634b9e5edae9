/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one packet says, as slices into its own bytes. IPv4 and IPv6 alike: an address is always 16
 * bytes, IPv4 as
 * ::ffff:a.b.c.d (RFC 4291 2.5.5.2). Decoding allocates nothing and keeps nothing.
 */
#ifndef BRIDGEWARDEN_PACKET_H
#define BRIDGEWARDEN_PACKET_H

#include "bridgewarden/bytes.h"

struct ip_addr {
	uint8_t b[16];
};

static inline bool ip_addr_is_v4(const struct ip_addr *a)
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	return memcmp(a->b, mapped, sizeof(mapped)) == 0;
}

static inline bool ip_addr_equal(const struct ip_addr *a, const struct ip_addr *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* From 4 (n = 4) or 16 (n = 16) bytes in network order. */
static inline struct ip_addr ip_addr_from(const uint8_t *p, size_t n)
{
	struct ip_addr a = {0};
	if (n == 4) {
		a.b[10] = a.b[11] = 0xff;
		memcpy(a.b + 12, p, 4);
	} else {
		memcpy(a.b, p, 16);
	}
	return a;
}

enum { IP_ADDR_TEXT = 46 }; /* INET6_ADDRSTRLEN; src/base/text.c prints and parses */

enum tcp_flag {
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,
	TCP_URG = 0x20,
	TCP_ECE = 0x40,
	TCP_CWR = 0x80,
};

/* Offsets are from the start of the IP header; all were checked against the packet's length. */
struct packet {
	struct bytes raw; /* IP header to the end that the IP length gives; trailers are cut off */
	struct ip_addr src, dst;
	uint16_t src_port, dst_port; /* host order; ICMP: type << 8 | code in dst_port, identifier
					in src_port */
	uint8_t ip_version;
	uint8_t ip_proto;  /* after IPv6 extension headers */
	uint16_t l4_at;	   /* offset of the transport header */
	uint32_t data_at;  /* offset of the payload */
	struct bytes data; /* payload */
	/* TCP only */
	uint32_t seq, ack;
	uint16_t window; /* unscaled */
	uint16_t urgent;
	uint8_t tcp_flags;
	struct bytes tcp_options;
};

#endif
