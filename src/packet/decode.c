/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "packet/decode.h"

#include "packet/checksum.h"

#include <netinet/in.h>

enum {
	IPV4_HEADER = 20,
	IPV6_HEADER = 40,
	IPV4_MORE_OR_OFFSET = 0x3fff, /* more-fragments bit and offset */
	ATOMIC_FRAGMENT = 8,	      /* length of the fragment header */
};

static enum packet_status decode_tcp(struct packet *p, struct bytes segment)
{
	struct reader r = reader_of(segment);
	p->src_port = read_u16be(&r);
	p->dst_port = read_u16be(&r);
	p->seq = read_u32be(&r);
	p->ack = read_u32be(&r);
	size_t header = (size_t)(read_u8(&r) >> 4) * 4;
	p->tcp_flags = read_u8(&r);
	p->window = read_u16be(&r);
	read_skip(&r, 2);
	p->urgent = read_u16be(&r);
	if (!reader_ok(&r) || header < r.pos || header > segment.n || !p->src_port || !p->dst_port)
		return PACKET_INVALID;
	p->tcp_options = bytes_slice(segment, r.pos, header - r.pos);
	p->data = bytes_from(segment, header);
	return PACKET_OK;
}

static enum packet_status decode_udp(struct packet *p, struct bytes datagram)
{
	struct reader r = reader_of(datagram);
	p->src_port = read_u16be(&r);
	p->dst_port = read_u16be(&r);
	size_t length = read_u16be(&r);
	read_skip(&r, 2);
	if (!reader_ok(&r) || length != datagram.n || !p->dst_port)
		return PACKET_INVALID;
	p->data = bytes_from(datagram, r.pos);
	return PACKET_OK;
}

/* Echo has an identifier, by which requests and answers are one flow; other messages are their own.
 */
static enum packet_status decode_icmp(struct packet *p, struct bytes message)
{
	struct reader r = reader_of(message);
	p->dst_port = read_u16be(&r);
	read_skip(&r, 2);
	p->src_port = read_u16be(&r);
	read_skip(&r, 2);
	if (!reader_ok(&r))
		return PACKET_INVALID;
	p->data = bytes_from(message, r.pos);
	return PACKET_OK;
}

static enum packet_status decode_transport(struct packet *p, struct bytes rest)
{
	p->l4_at = (uint16_t)(p->raw.n - rest.n);
	enum packet_status status = PACKET_OTHER;
	if (p->ip_proto == IPPROTO_TCP)
		status = decode_tcp(p, rest);
	else if (p->ip_proto == IPPROTO_UDP)
		status = decode_udp(p, rest);
	else if (p->ip_proto == (p->ip_version == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		status = decode_icmp(p, rest);
	p->data_at = (uint32_t)(p->raw.n - p->data.n);
	return status;
}

static bool is_unicast_source(const struct ip_addr *a)
{
	if (ip_addr_is_v4(a))
		return a->b[12] != 0 && a->b[12] < 224;
	return a->b[0] != 0xff;
}

static enum packet_status decode_ipv4(struct packet *p, struct bytes raw)
{
	struct reader r = reader_of(raw);
	uint8_t version_length = read_u8(&r);
	read_skip(&r, 1);
	size_t total = read_u16be(&r);
	read_skip(&r, 2);
	uint16_t fragment = read_u16be(&r);
	read_skip(&r, 1);
	p->ip_proto = read_u8(&r);
	read_skip(&r, 2);
	struct bytes src = read_bytes(&r, 4), dst = read_bytes(&r, 4);
	if (!reader_ok(&r) || version_length != 0x45 || total < IPV4_HEADER || total > raw.n)
		return PACKET_INVALID;
	if (fragment & IPV4_MORE_OR_OFFSET)
		return PACKET_INVALID;
	p->ip_version = 4;
	p->src = ip_addr_from(src.p, 4);
	p->dst = ip_addr_from(dst.p, 4);
	p->raw = bytes_slice(raw, 0, total);
	if (!is_unicast_source(&p->src))
		return PACKET_INVALID;
	return decode_transport(p, bytes_from(p->raw, IPV4_HEADER));
}

/* An atomic fragment is a whole packet behind a fragment header; anything else is a fragment. */
static bool skip_atomic_fragment(struct packet *p, struct bytes *rest)
{
	struct reader r = reader_of(*rest);
	uint8_t next = read_u8(&r);
	read_skip(&r, 1);
	uint16_t offset_more = read_u16be(&r);
	read_skip(&r, 4);
	if (!reader_ok(&r) || (offset_more & 0xfff9))
		return false;
	p->ip_proto = next;
	*rest = bytes_from(*rest, ATOMIC_FRAGMENT);
	return true;
}

static bool is_extension(uint8_t ip_proto)
{
	return ip_proto == IPPROTO_HOPOPTS || ip_proto == IPPROTO_ROUTING ||
	       ip_proto == IPPROTO_FRAGMENT || ip_proto == IPPROTO_DSTOPTS ||
	       ip_proto == IPPROTO_NONE || ip_proto == 135 /* mobility */;
}

static enum packet_status decode_ipv6(struct packet *p, struct bytes raw)
{
	struct reader r = reader_of(raw);
	read_skip(&r, 4);
	size_t payload = read_u16be(&r);
	p->ip_proto = read_u8(&r);
	read_skip(&r, 1);
	struct bytes src = read_bytes(&r, 16), dst = read_bytes(&r, 16);
	if (!reader_ok(&r) || payload > reader_left(&r))
		return PACKET_INVALID;
	p->ip_version = 6;
	p->src = ip_addr_from(src.p, 16);
	p->dst = ip_addr_from(dst.p, 16);
	p->raw = bytes_slice(raw, 0, IPV6_HEADER + payload);
	struct bytes rest = bytes_from(p->raw, IPV6_HEADER);
	if (p->ip_proto == IPPROTO_FRAGMENT && !skip_atomic_fragment(p, &rest))
		return PACKET_INVALID;
	/* An IPv4-mapped address on the wire (RFC 4291 2.5.5.2) would be taken for the IPv4 host.
	 */
	if (is_extension(p->ip_proto) || !is_unicast_source(&p->src) || ip_addr_is_v4(&p->src) ||
	    ip_addr_is_v4(&p->dst))
		return PACKET_INVALID;
	return decode_transport(p, rest);
}

enum packet_status packet_decode(struct bytes raw, struct packet *out)
{
	*out = (struct packet){0};
	if (raw.n == 0)
		return PACKET_INVALID;
	switch (raw.p[0] >> 4) {
	case 4:
		return decode_ipv4(out, raw);
	case 6:
		return decode_ipv6(out, raw);
	default:
		return PACKET_INVALID;
	}
}

bool packet_checksum_ok(const struct packet *p)
{
	if (p->ip_version == 4 && checksum_ipv4_header(p->raw.p, IPV4_HEADER) != 0)
		return false;
	struct bytes transport = bytes_from(p->raw, p->l4_at);
	/* UDP over IPv4 may do without (RFC 768). */
	if (p->ip_proto == IPPROTO_UDP && p->ip_version == 4 && transport.p[6] == 0 &&
	    transport.p[7] == 0)
		return true;
	return checksum_transport(&p->src, &p->dst, p->ip_proto, transport) == 0;
}
