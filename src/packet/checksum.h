/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Internet checksum (RFC 1071) and the pseudo headers of both families. */
#ifndef PACKET_CHECKSUM_H
#define PACKET_CHECKSUM_H

#include "bridgewarden/packet.h"

uint16_t checksum_ipv4_header(const uint8_t *header,
			      size_t n); /* over the header as it is; 0 means right */
/* Over pseudo header and the transport bytes as they are; 0 means right. Put 0 in the field first
 * to compute it. */
uint16_t checksum_transport(const struct ip_addr *src, const struct ip_addr *dst, uint8_t ip_proto,
			    struct bytes transport);

#endif
