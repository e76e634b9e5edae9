/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One packet between the hands of an honest speaker and the wire: what a strategy copies, cuts and
 * spoils. It begins as a right one; it is written out only when it is sent.
 *
 * A fragment of an IP packet has no transport header of its own any more: then `load` is a piece of
 * what was one, and only fields of the IP header can still be changed.
 */
#ifndef CATALOGUES_PACKET_H
#define CATALOGUES_PACKET_H

#include "../evasion/peer.h"

enum { PACKET_LOAD_MAX = 1500 };

struct packet {
	uint8_t proto;
	bool is_piece;
	struct frame_tcp tcp;
	struct frame_udp udp;
	struct peer_whim whim; /* of which only what concerns the IP header is read */
	bool has_total;
	uint16_t total; /* the length that the IP header claims, as IPv4 counts it */
	struct frame_piece piece;
	size_t n_header; /* of the whole, in a piece of it */
	int32_t at;	 /* where in the stream the load begins */
	size_t n;
	uint8_t load[PACKET_LOAD_MAX];
};

/* Reads a right unit, as the speaker built it; `base` is position 0 of its stream. */
bool packet_read(struct packet *k, uint8_t proto, uint32_t base, const uint8_t *unit, size_t n);

/* The transport header and the load; returns how many bytes. */
size_t packet_unit(const struct packet *k, const struct peer *p, uint8_t *out);

void packet_send(const struct packet *k, struct peer *p);

/* TCP options: `data` is what stands behind the length. What does not fit is left out. */
void packet_set_option(struct packet *k, uint8_t kind, const uint8_t *data, size_t n);
void packet_drop_option(struct packet *k, uint8_t kind);
uint8_t *packet_option(struct packet *k, uint8_t kind, size_t *n);

#endif
