/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Community ID version 1, seed 0 (https://github.com/corelight/community-id-spec): one name for a
 * flow that other tools compute alike, whichever direction they saw. The digest is libcrypto's.
 */
#ifndef OUTPUT_COMMUNITY_H
#define OUTPUT_COMMUNITY_H

#include "bridgewarden/packet.h"

enum { COMMUNITY_TEXT = 2 + 28 + 1 }; /* "1:", SHA-1 in base64, NUL */

struct community_flow {
	struct ip_addr src, dst;
	uint16_t src_port,
		dst_port; /* host order; ICMP: type << 8 | code in dst_port, as in struct packet */
	uint8_t ip_proto;
};

/* False: one IPv4 and one IPv6 address, or no digest to be had. */
bool community_id(const struct community_flow *flow, char out[COMMUNITY_TEXT]);

#endif
