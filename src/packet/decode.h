/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Raw bytes to headers (RFC 791, 8200, 9293, 768, 792, 4443). What two receivers could read
 * differently is not decoded but refused: IPv4 options, fragments (the kernel reassembles before
 * us), IPv6 extension headers other than an atomic fragment header (RFC 6946), lengths that lie,
 * ports 0 (THREATS I02, I03, I09 to I14).
 */
#ifndef PACKET_DECODE_H
#define PACKET_DECODE_H

#include "bridgewarden/packet.h"

enum packet_status {
	PACKET_OK,
	PACKET_INVALID, /* no receiver should be asked to make sense of it */
	PACKET_OTHER,	/* a valid IP packet of a protocol that has no flows here */
};

/* raw: from the IP header on; trailing bytes are cut off in out->raw. */
enum packet_status packet_decode(struct bytes raw, struct packet *out);

/* Are the transport checksum (and the IPv4 header's) right? Only for complete packets. */
bool packet_checksum_ok(const struct packet *p);

#endif
