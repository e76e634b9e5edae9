/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "wire.h"

#include <assert.h>
#include <netinet/in.h>

static void put16(uint8_t *at, uint32_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static void put32(uint8_t *at, uint32_t v)
{
	put16(at, v >> 16);
	put16(at + 2, v & 0xffff);
}

static uint16_t header_sum(const uint8_t *ip)
{
	uint32_t sum = 0;
	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)ip[i] << 8 | ip[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void write_ip(uint8_t *ip, const struct wire_segment *s, uint32_t n)
{
	memset(ip, 0, 20);
	ip[0] = 0x45;
	put16(ip + 2, n);
	ip[8] = 64;
	ip[9] = IPPROTO_TCP;
	put32(ip + 12, s->src);
	put32(ip + 16, s->dst);
	put16(ip + 10, header_sum(ip));
}

uint32_t wire_write(uint8_t *out, const struct wire_segment *s)
{
	static const uint8_t options[] = {2, 4, 5, 0xb4, 1, 3, 3, WIRE_SCALE};
	uint32_t n_options = s->flags & TCP_SYN ? sizeof(options) : 0;
	uint32_t n = WIRE_HEADERS + n_options + (uint32_t)s->data.n;
	assert(s->data.n <= WIRE_DATA_MAX && n <= WIRE_PACKET_MAX);
	uint8_t *tcp = out + 20;
	write_ip(out, s, n);
	memset(tcp, 0, 20);
	put16(tcp, s->src_port);
	put16(tcp + 2, s->dst_port);
	put32(tcp + 4, s->seq);
	put32(tcp + 8, s->ack);
	tcp[12] = (uint8_t)((20 + n_options) / 4 << 4);
	tcp[13] = s->flags;
	put16(tcp + 14, s->window);
	memcpy(tcp + 20, options, n_options);
	if (s->data.n)
		memcpy(tcp + 20 + n_options, s->data.p, s->data.n);
	return n;
}
