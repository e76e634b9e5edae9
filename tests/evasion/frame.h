/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames as an attacker writes them: every field can be wrong. What is not set on purpose is right.
 *
 * A packet is built in two steps, because fragments cut between them: the IP payload (transport
 * header, options, data), then one frame around all of it or around a piece.
 */
#ifndef EVASION_FRAME_H
#define EVASION_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	FRAME_MAX = 70000,
	FRAME_ETHER = 14,
	FRAME_OPTIONS_MAX = 40,
};

enum frame_sum { SUM_RIGHT, SUM_BAD, SUM_ZERO };

struct frame_link {
	uint8_t dst[6], src[6];
	uint16_t type; /* 0: what the IP version says */
	uint16_t vlan; /* 0: untagged; else its number behind a tag of `tag` */
	uint16_t tag;
};

struct frame_ip {
	unsigned version; /* 4 or 6 */
	uint8_t src[16], dst[16];
	uint8_t proto, ttl, tos;
	bool df, reserved, bad_sum;
	uint32_t id;
	int length_off; /* added to the length that the header says */
	unsigned trail; /* bytes behind the packet, in the same frame */
	uint8_t options[FRAME_OPTIONS_MAX];
	size_t n_options;
	char chain[32]; /* IPv6: see frame_chain in frame.c */
};

struct frame_piece {
	size_t at; /* where the header says that it belongs */
	bool more;
};

struct frame_tcp {
	uint16_t src_port, dst_port, window, urgent;
	uint32_t seq, ack;
	uint8_t flags, reserved;
	int doff; /* in words; 0: what the options need */
	uint8_t options[FRAME_OPTIONS_MAX];
	size_t n_options;
	enum frame_sum sum;
	bool partial_sum; /* for the kernel to finish, with segmentation offload */
};

struct frame_udp {
	uint16_t src_port, dst_port;
	int length_off;
	enum frame_sum sum;
};

size_t frame_tcp(const struct frame_ip *ip, const struct frame_tcp *tcp, const uint8_t *data,
		 size_t n, uint8_t *out);
size_t frame_udp(const struct frame_ip *ip, const struct frame_udp *udp, const uint8_t *data,
		 size_t n, uint8_t *out);

/* The whole frame around a payload or a piece of it; `piece` may be NULL. */
size_t frame_around(const struct frame_link *link, const struct frame_ip *ip,
		    const struct frame_piece *piece, const uint8_t *payload, size_t n,
		    uint8_t *out);

#endif
