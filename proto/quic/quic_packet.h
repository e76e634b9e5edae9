/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One packet out of a datagram (RFC 9000 section 17, RFC 9369 section 3.2), and what an Initial
 * packet holds once its protection is taken off.
 *
 *	c3 00000001 08 8394c8f03e515708 00  00         449e    7b9aec34 ...
 *	|  version  |  destination      |   token's    length  packet number and payload, sealed
 *	form, type  lengths before the connection IDs  length
 *
 * All slices borrow from the datagram. Nothing is kept.
 */
#ifndef QUIC_PACKET_H
#define QUIC_PACKET_H

#include "quic/quic_keys.h"

enum {
	QUIC_CID_MAX = 20,
	QUIC_CID_MIN_FIRST = 8,	  /* of the one that the client makes up (RFC 9000 section 7.2) */
	QUIC_DATAGRAM_MIN = 1200, /* of one with an Initial of the client (section 14.1) */
	QUIC_DATAGRAM_MAX = 64 * 1024,
	QUIC_RETRY_MAX = 4096, /* bytes of a Retry packet; real ones fit into 1,200 */
};

enum quic_type {
	QUIC_INITIAL,
	QUIC_ZERO_RTT,
	QUIC_HANDSHAKE,
	QUIC_RETRY,
	QUIC_NEGOTIATION, /* of versions */
	QUIC_SHORT,	  /* 1-RTT, or what cannot be told from it; reaches to the end */
};

struct quic_packet {
	enum quic_type type;
	uint32_t version;
	struct bytes dcid, scid;
	struct bytes whole; /* from the first byte to the end of what its length says */
	size_t number_at;   /* of the first three types: where the packet number is */
};

/* The packet at the front of `in`. NULL: read; else why it cannot be. */
const char *quic_read_packet(struct bytes in, struct quic_packet *out);

/* An Initial whose protection is off. */
struct quic_opened {
	uint8_t first; /* the first byte, as it was before its protection */
	struct bytes plain;
};

/* False: these keys did not seal it. *largest: the greatest number so far of this sender plus 1; is
 * moved. The plaintext is written to room[p->whole.n]. */
bool quic_open(const struct quic_packet *p, const struct quic_keys *keys, uint32_t *largest,
	       uint8_t *room, struct quic_opened *out);
enum { QUIC_RESERVED_BITS = 0x0c };

/* What a server would send in answer to `p`: an Initial with nothing but CONNECTION_CLOSE, sealed
 * with the keys that `dcid` makes. At most QUIC_CLOSE_MAX bytes; the answer is how many. */
enum { QUIC_CLOSE_MAX = 400 };
size_t quic_put_close(const struct quic_packet *p, struct bytes dcid, uint16_t error,
		      struct bytes why, uint8_t *out);

/* 1, 2, 4 or 8 bytes (section 16). */
uint64_t quic_read_varint(struct reader *r);

#endif
