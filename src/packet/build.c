/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "packet/build.h"

#include "packet/rewrite.h"

#include <netinet/in.h>

enum {
	TTL = 64,
	TCP_HEADER = 20,
	UDP_HEADER = 8,
	ICMP_HEADER = 8,
	QUOTE_V4 = 576 - 28,
	QUOTE_V6 = 1280 - 48,
	WINDOW = 0xffff, /* whatever comes is thrown away: let it come */
};

static void put_be(uint8_t *at, uint32_t v, size_t n)
{
	for (size_t i = n; i > 0; i--, v >>= 8)
		at[i - 1] = (uint8_t)v;
}

/* Writes the IP header for a payload of so many bytes; returns where the payload begins. */
static size_t put_ip(uint8_t *out, const struct ip_addr *src, const struct ip_addr *dst,
		     uint8_t ip_proto, size_t payload)
{
	if (ip_addr_is_v4(src)) {
		memset(out, 0, 20);
		out[0] = 0x45;
		put_be(out + 2, (uint32_t)(20 + payload), 2);
		out[6] = 0x40; /* do not fragment */
		out[8] = TTL;
		out[9] = ip_proto;
		memcpy(out + 12, src->b + 12, 4);
		memcpy(out + 16, dst->b + 12, 4);
		return 20;
	}
	memset(out, 0, 40);
	out[0] = 0x60;
	put_be(out + 4, (uint32_t)payload, 2);
	out[6] = ip_proto;
	out[7] = TTL;
	memcpy(out + 8, src->b, 16);
	memcpy(out + 24, dst->b, 16);
	return 40;
}

static void finish(uint8_t *out, size_t n, size_t l4_at, uint8_t ip_proto,
		   const struct ip_addr *src, const struct ip_addr *dst)
{
	struct packet p = {
		.raw = bytes_of(out, n),
		.src = *src,
		.dst = *dst,
		.ip_version = ip_addr_is_v4(src) ? 4 : 6,
		.ip_proto = ip_proto,
		.l4_at = (uint16_t)l4_at,
	};
	packet_fix_checksums(&p, out);
}

size_t build_tcp(const struct tcp_segment *s, uint8_t *out)
{
	size_t n = TCP_HEADER + s->data.n;
	size_t at = put_ip(out, &s->src, &s->dst, IPPROTO_TCP, n);
	uint8_t *tcp = out + at;
	memset(tcp, 0, TCP_HEADER);
	put_be(tcp, s->src_port, 2);
	put_be(tcp + 2, s->dst_port, 2);
	put_be(tcp + 4, s->seq, 4);
	put_be(tcp + 8, s->flags & TCP_ACK ? s->ack : 0, 4);
	tcp[12] = TCP_HEADER / 4 << 4;
	tcp[13] = s->flags;
	put_be(tcp + 14, s->flags & TCP_RST ? 0 : WINDOW, 2);
	if (s->data.n > 0)
		memcpy(tcp + TCP_HEADER, s->data.p, s->data.n);
	finish(out, at + n, at, IPPROTO_TCP, &s->src, &s->dst);
	return at + n;
}

size_t build_udp_answer(const struct packet *cause, struct bytes data, uint8_t *out)
{
	size_t n = UDP_HEADER + data.n;
	size_t at = put_ip(out, &cause->dst, &cause->src, IPPROTO_UDP, n);
	put_be(out + at, cause->dst_port, 2);
	put_be(out + at + 2, cause->src_port, 2);
	put_be(out + at + 4, (uint32_t)n, 2);
	put_be(out + at + 6, 0, 2);
	memcpy(out + at + UDP_HEADER, data.p, data.n);
	finish(out, at + n, at, IPPROTO_UDP, &cause->dst, &cause->src);
	return at + n;
}

size_t build_icmp_prohibited(const struct packet *cause, uint8_t *out)
{
	bool v4 = cause->ip_version == 4;
	uint8_t ip_proto = v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	struct bytes quote = bytes_slice(cause->raw, 0, v4 ? QUOTE_V4 : QUOTE_V6);
	size_t at = put_ip(out, &cause->dst, &cause->src, ip_proto, ICMP_HEADER + quote.n);
	memset(out + at, 0, ICMP_HEADER);
	out[at] = v4 ? 3 : 1;	   /* destination unreachable */
	out[at + 1] = v4 ? 13 : 1; /* prohibited */
	memcpy(out + at + ICMP_HEADER, quote.p, quote.n);
	finish(out, at + ICMP_HEADER + quote.n, at, ip_proto, &cause->dst, &cause->src);
	return at + ICMP_HEADER + quote.n;
}
