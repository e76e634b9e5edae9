/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frame.h"

#include <netinet/in.h>
#include <string.h>

enum { TCP_HEADER = 20, UDP_HEADER = 8, IPV4_HEADER = 20, IPV6_HEADER = 40 };

static uint8_t *put16(uint8_t *at, unsigned v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
	return at + 2;
}

static uint8_t *put32(uint8_t *at, uint32_t v)
{
	return put16(put16(at, v >> 16), v & 0xffff);
}

static uint32_t sum_of(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;
	for (size_t i = 0; i + 1 < n; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	return n & 1 ? sum + (uint32_t)(p[n - 1] << 8) : sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static uint32_t pseudo_sum(const struct frame_ip *ip, unsigned proto, size_t n)
{
	size_t width = ip->version == 4 ? 4 : 16;
	return sum_of(ip->src, width) + sum_of(ip->dst, width) + proto + (uint32_t)n;
}

/* Writes the checksum of a whole transport unit at `at`, whose two bytes are zero so far. */
static void put_sum(const struct frame_ip *ip, unsigned proto, enum frame_sum how, uint8_t *unit,
		    size_t n, size_t at)
{
	uint16_t sum = (uint16_t)~fold(pseudo_sum(ip, proto, n) + sum_of(unit, n));
	if (sum == 0 && proto == IPPROTO_UDP)
		sum = 0xffff;
	if (how != SUM_ZERO)
		put16(unit + at, how == SUM_BAD ? sum ^ 0x5555u : sum);
}

size_t frame_tcp(const struct frame_ip *ip, const struct frame_tcp *tcp, const uint8_t *data,
		 size_t n, uint8_t *out)
{
	size_t padded = (tcp->n_options + 3) & ~(size_t)3, header = TCP_HEADER + padded;
	unsigned doff = tcp->doff ? (unsigned)tcp->doff : (unsigned)(header / 4);
	uint8_t *at = put16(out, tcp->src_port);
	at = put16(at, tcp->dst_port);
	at = put32(at, tcp->seq);
	at = put32(at, tcp->ack);
	*at++ = (uint8_t)(doff << 4 | tcp->reserved);
	*at++ = tcp->flags;
	at = put16(at, tcp->window);
	at = put16(at, 0);
	at = put16(at, tcp->urgent);
	memset(at, 0, padded);
	memcpy(at, tcp->options, tcp->n_options);
	if (n > 0)
		memcpy(out + header, data, n);
	if (tcp->partial_sum)
		put16(out + 16, fold(pseudo_sum(ip, IPPROTO_TCP, header + n)));
	else
		put_sum(ip, IPPROTO_TCP, tcp->sum, out, header + n, 16);
	return header + n;
}

size_t frame_udp(const struct frame_ip *ip, const struct frame_udp *udp, const uint8_t *data,
		 size_t n, uint8_t *out)
{
	size_t whole = UDP_HEADER + n, said = whole + (size_t)udp->length_off;
	size_t covered = said < whole ? said : whole;
	uint8_t *at = put16(out, udp->src_port);
	at = put16(at, udp->dst_port);
	at = put16(at, (unsigned)said);
	put16(at, 0);
	memcpy(out + UDP_HEADER, data, n);
	if (covered >= UDP_HEADER)
		put_sum(ip, IPPROTO_UDP, udp->sum, out, covered, 6);
	return UDP_HEADER + n;
}

static size_t put_link(const struct frame_link *link, unsigned version, uint8_t *out)
{
	memcpy(out, link->dst, 6);
	memcpy(out + 6, link->src, 6);
	uint8_t *at = out + 12;
	if (link->vlan)
		at = put16(put16(at, link->tag), link->vlan);
	at = put16(at, link->type ? link->type : version == 4 ? 0x0800 : 0x86dd);
	return (size_t)(at - out);
}

static size_t put_ipv4(const struct frame_ip *ip, const struct frame_piece *piece, size_t n,
		       uint8_t *out)
{
	size_t header = IPV4_HEADER + ((ip->n_options + 3) & ~(size_t)3);
	unsigned flags = (ip->reserved ? 0x8000u : 0) | (ip->df ? 0x4000u : 0);
	if (piece)
		flags |= (piece->more ? 0x2000u : 0) | (unsigned)(piece->at / 8);
	out[0] = (uint8_t)(0x40 | header / 4);
	out[1] = ip->tos;
	put16(out + 2, (unsigned)((int)(header + n) + ip->length_off));
	put16(out + 4, ip->id & 0xffff);
	put16(out + 6, flags);
	out[8] = ip->ttl;
	out[9] = ip->proto;
	put16(out + 10, 0);
	memcpy(out + 12, ip->src, 4);
	memcpy(out + 16, ip->dst, 4);
	memset(out + IPV4_HEADER, 0, header - IPV4_HEADER);
	memcpy(out + IPV4_HEADER, ip->options, ip->n_options);
	uint16_t sum = (uint16_t)~fold(sum_of(out, header));
	put16(out + 10, ip->bad_sum ? sum ^ 0x5555u : sum);
	return header;
}

/* The letters of a chain of extension headers, and their numbers on the wire. */
static uint8_t number_of(char letter)
{
	switch (letter) {
	case 'h': /* hop-by-hop, padding only */
		return IPPROTO_HOPOPTS;
	case 'd': /* destination options, padding only */
	case 'u': /* with an unknown option that may be skipped */
		return IPPROTO_DSTOPTS;
	case 'r': /* routing type 0, no segments left */
	case 'R': /* one left */
		return IPPROTO_ROUTING;
	case 'f': /* fragment header of a whole packet */
	case 'F': /* of a first fragment with more to come */
		return IPPROTO_FRAGMENT;
	case 'n': /* no next header, and then there is one */
		return IPPROTO_NONE;
	case 'm': /* mobility */
		return 135;
	default: /* for experiments (RFC 4727) */
		return 253;
	}
}

static size_t put_extension(char letter, uint8_t next, uint32_t id, uint8_t *out)
{
	static const uint8_t padding[6] = {1, 4}, unknown[6] = {0x1e, 4};
	memset(out, 0, 24);
	out[0] = next;
	if (letter == 'h' || letter == 'd')
		memcpy(out + 2, padding, 6);
	if (letter == 'u')
		memcpy(out + 2, unknown, 6);
	if (letter == 'f' || letter == 'F')
		put32(out + 4, id);
	if (letter == 'F')
		out[3] = 1;
	if (letter == 'R') {
		out[1] = 2;
		out[3] = 1;
		out[23] = 1;
	}
	return letter == 'R' ? 24 : 8;
}

static size_t put_ipv6(const struct frame_ip *ip, const struct frame_piece *piece, size_t n,
		       uint8_t *out)
{
	size_t at = IPV6_HEADER, n_chain = strlen(ip->chain);
	uint8_t behind = piece ? IPPROTO_FRAGMENT : ip->proto;
	for (size_t i = 0; i < n_chain; i++) {
		uint8_t next = i + 1 < n_chain ? number_of(ip->chain[i + 1]) : behind;
		at += put_extension(ip->chain[i], next, ip->id, out + at);
	}
	if (piece) {
		out[at] = ip->proto;
		out[at + 1] = 0;
		put16(out + at + 2, (unsigned)piece->at | piece->more);
		put32(out + at + 4, ip->id);
		at += 8;
	}
	put32(out, 0x60000000u | (uint32_t)ip->tos << 20);
	put16(out + 4, (unsigned)((int)(at - IPV6_HEADER + n) + ip->length_off));
	out[6] = n_chain ? number_of(ip->chain[0]) : behind;
	out[7] = ip->ttl;
	memcpy(out + 8, ip->src, 16);
	memcpy(out + 24, ip->dst, 16);
	return at;
}

size_t frame_around(const struct frame_link *link, const struct frame_ip *ip,
		    const struct frame_piece *piece, const uint8_t *payload, size_t n, uint8_t *out)
{
	size_t at = put_link(link, ip->version, out);
	at += ip->version == 4 ? put_ipv4(ip, piece, n, out + at)
			       : put_ipv6(ip, piece, n, out + at);
	memcpy(out + at, payload, n);
	at += n;
	memset(out + at, 'J', ip->trail);
	return at + ip->trail;
}
