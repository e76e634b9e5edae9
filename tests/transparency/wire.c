/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "wire.h"

#include <netinet/in.h>
#include <string.h>

enum {
	ETHERNET = 14,
	IPV4_HEADER = 20,
	IPV6_HEADER = 40,
	TCP_HEADER = 20,
	ECN_MASK = 3, /* in both families: the two lowest bits of the traffic class */
};

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static void put16(uint8_t *at, uint32_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static bool is_version_4(const struct wire *w, const uint8_t *frame)
{
	return frame[w->ip_at] >> 4 == 4;
}

/* Where the transport header begins and the packet ends; 0 when it is not for us. */
static size_t find_end(struct wire *w, const uint8_t *frame, size_t n)
{
	const uint8_t *ip = frame + ETHERNET;
	uint8_t proto;
	size_t end;
	if (n >= ETHERNET + IPV4_HEADER && get16(frame + 12) == 0x0800 && ip[0] == 0x45) {
		proto = ip[9];
		w->l4_at = ETHERNET + IPV4_HEADER;
		end = ETHERNET + (size_t)get16(ip + 2);
	} else if (n >= ETHERNET + IPV6_HEADER && get16(frame + 12) == 0x86dd) {
		proto = ip[6];
		w->l4_at = ETHERNET + IPV6_HEADER;
		end = ETHERNET + IPV6_HEADER + (size_t)get16(ip + 4);
	} else {
		return 0;
	}
	w->ip_at = ETHERNET;
	w->is_ip = (proto == IPPROTO_TCP || proto == IPPROTO_UDP) && end <= n;
	w->is_tcp = w->is_ip && proto == IPPROTO_TCP && end >= w->l4_at + TCP_HEADER;
	return w->is_tcp ? end : 0;
}

struct wire wire_read(const uint8_t *frame, size_t n)
{
	struct wire w = {0};
	size_t end = find_end(&w, frame, n);
	if (end == 0)
		return w;
	const uint8_t *tcp = frame + w.l4_at;
	w.data_at = w.l4_at + (size_t)(tcp[12] >> 4) * 4;
	w.is_tcp = w.data_at >= w.l4_at + TCP_HEADER && w.data_at <= end;
	w.n_data = w.is_tcp ? end - w.data_at : 0;
	w.seq = get32(tcp + 4);
	w.flags = tcp[13];
	return w;
}

size_t wire_key(const struct wire *w, const uint8_t *frame, uint8_t key[WIRE_KEY_MAX])
{
	size_t n = is_version_4(w, frame) ? 8 : 32;
	memcpy(key, frame + w->l4_at - n, n); /* addresses end the IP header in both families */
	memcpy(key + n, frame + w->l4_at, 4);
	return n + 4;
}

static uint32_t sum16(uint32_t sum, const uint8_t *at, size_t n)
{
	for (size_t i = 0; i + 1 < n; i += 2)
		sum += get16(at + i);
	return n % 2 ? sum + (uint32_t)(at[n - 1] << 8) : sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void fix_ipv4(uint8_t *ip)
{
	put16(ip + 10, 0);
	put16(ip + 10, fold(sum16(0, ip, IPV4_HEADER)));
}

size_t wire_finish(const struct wire *w, uint8_t *frame, uint32_t seq, uint8_t flags, size_t n_data)
{
	size_t n = w->data_at + n_data, n_l4 = n - w->l4_at;
	uint8_t *ip = frame + w->ip_at, *tcp = frame + w->l4_at;
	bool is_4 = is_version_4(w, frame);
	put16(tcp + 4, seq >> 16);
	put16(tcp + 6, seq & 0xffff);
	tcp[13] = flags;
	put16(is_4 ? ip + 2 : ip + 4, (uint32_t)(is_4 ? n - w->ip_at : n_l4));
	if (is_4)
		fix_ipv4(ip);
	size_t n_addresses = is_4 ? 8 : 32;
	uint32_t sum = sum16((uint32_t)n_l4 + IPPROTO_TCP, tcp - n_addresses, n_addresses);
	put16(tcp + 16, 0);
	put16(tcp + 16, fold(sum16(sum, tcp, n_l4)));
	return n;
}

bool wire_mark_ce(const struct wire *w, uint8_t *frame)
{
	uint8_t *ip = frame + w->ip_at;
	bool is_4 = is_version_4(w, frame);
	uint8_t *at = ip + 1; /* in IPv6 the class is split over two bytes; these bits are here */
	unsigned shift = is_4 ? 0 : 4;
	unsigned ecn = *at >> shift & ECN_MASK;
	if (ecn == 0 || ecn == ECN_MASK)
		return false;
	*at |= (uint8_t)(ECN_MASK << shift);
	if (is_4)
		fix_ipv4(ip);
	return true;
}
