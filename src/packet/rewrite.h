/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Changing a packet in place: what the normaliser cleans (THREATS R6, R7) and what the canonical
 * stream puts right (R3). A changed packet must get new checksums, and the struct packet decoded
 * from it is stale but for the fields said here.
 */
#ifndef PACKET_REWRITE_H
#define PACKET_REWRITE_H

#include "bridgewarden/packet.h"

enum clean_result {
	CLEAN_SAME,    /* nothing to do */
	CLEAN_CHANGED, /* cleaned in place */
	CLEAN_REFUSED, /* cannot be made unambiguous: drop (MD5, AO, malformed options) */
};

/* The same bytes as p->raw, writable. Clears URG, its pointer and reserved bits; overwrites options
 * that the direction may not carry by NOPs: on a SYN all but MSS, window scale, SACK-permitted and
 * timestamps; else all but SACK and timestamps. Updates p->tcp_flags. */
enum clean_result packet_clean_tcp(struct packet *p, uint8_t *raw);

/* Cuts the payload to its first n bytes and mends the IP length. */
void packet_trim_data(struct packet *p, uint8_t *raw, size_t n);
void packet_clear_flags(struct packet *p, uint8_t *raw, uint8_t flags);
void packet_fix_checksums(const struct packet *p, uint8_t *raw);

/* What a SYN or SYN-ACK offers (RFC 9293 3.7.1, RFC 7323). */
struct tcp_offer {
	uint16_t mss;	/* 0: none */
	uint8_t wscale; /* 0..14 */
	bool has_wscale;
};
struct tcp_offer packet_tcp_offer(const struct packet *p);

#endif
