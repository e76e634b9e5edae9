/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "wire.h"

#include <netinet/in.h>

static void put(uint8_t *at, uint32_t v, size_t n)
{
	for (size_t i = n; i > 0; i--, v >>= 8)
		at[i - 1] = (uint8_t)v;
}

static uint32_t get(const uint8_t *at, size_t n)
{
	uint32_t v = 0;
	for (size_t i = 0; i < n; i++)
		v = v << 8 | at[i];
	return v;
}

/* Sums of 16-bit words in the machine's order, which RFC 1071 2 (B) allows. */
static uint64_t sum(uint64_t so_far, const uint8_t *p, size_t n)
{
	uint32_t word;
	for (; n >= sizeof(word); p += sizeof(word), n -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		so_far += word;
	}
	if (n) {
		word = 0;
		memcpy(&word, p, n);
		so_far += word;
	}
	return so_far;
}

static uint16_t folded(uint64_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)s;
}

static uint16_t tcp_sum(const uint8_t *packet, size_t l4, size_t n)
{
	bool is_v4 = l4 == 20;
	uint8_t tail[4] = {0, IPPROTO_TCP};
	put(tail + 2, (uint32_t)(n - l4), 2);
	uint64_t s = sum(0, packet + (is_v4 ? 12 : 8), is_v4 ? 8 : 32);
	s = sum(s, tail, sizeof(tail));
	return folded(sum(s, packet + l4, n - l4));
}

static size_t put_ip(uint8_t *out, const struct wire_path *path, unsigned from, size_t payload)
{
	if (path->is_v6) {
		memset(out, 0, 8);
		out[0] = 0x60;
		put(out + 4, (uint32_t)payload, 2);
		out[6] = IPPROTO_TCP;
		out[7] = 64;
		memcpy(out + 8, path->addr[from], 16);
		memcpy(out + 24, path->addr[!from], 16);
		return 40;
	}
	memset(out, 0, 12);
	out[0] = 0x45;
	put(out + 2, (uint32_t)(20 + payload), 2);
	out[8] = 64;
	out[9] = IPPROTO_TCP;
	memcpy(out + 12, path->addr[from], 4);
	memcpy(out + 16, path->addr[!from], 4);
	uint16_t check = (uint16_t)~folded(sum(0, out, 20));
	memcpy(out + 10, &check, 2);
	return 20;
}

static size_t put_options(uint8_t *out, const struct wire_segment *s)
{
	size_t n = 0;
	if (s->has_mss) {
		memcpy(out, (const uint8_t[]){2, 4, 5, 0xb4}, 4);
		n += 4;
	}
	if (s->has_wscale) {
		memcpy(out + n, (const uint8_t[]){1, 3, 3, s->wscale}, 4);
		n += 4;
	}
	if (s->has_sack_permitted) {
		memcpy(out + n, (const uint8_t[]){1, 1, 4, 2}, 4);
		n += 4;
	}
	if (s->has_ts) {
		memcpy(out + n, (const uint8_t[]){1, 1, 8, 10}, 4);
		put(out + n + 4, s->ts, 4);
		put(out + n + 8, s->ts_echo, 4);
		n += 12;
	}
	return n;
}

size_t wire_build(uint8_t *out, const struct wire_path *path, unsigned from,
		  const struct wire_segment *s)
{
	uint8_t options[WIRE_OPTIONS_MAX];
	size_t n_options = put_options(options, s), header = 20 + n_options;
	size_t at = put_ip(out, path, from, header + s->data.n);
	uint8_t *tcp = out + at;
	put(tcp, path->port[from], 2);
	put(tcp + 2, path->port[!from], 2);
	put(tcp + 4, s->seq, 4);
	put(tcp + 8, s->ack, 4);
	tcp[12] = (uint8_t)(header / 4 << 4);
	tcp[13] = s->flags;
	put(tcp + 14, s->window, 2);
	put(tcp + 16, 0, 2);
	put(tcp + 18, s->urgent, 2);
	memcpy(tcp + 20, options, n_options);
	if (s->data.n)
		memcpy(tcp + header, s->data.p, s->data.n);
	size_t n = at + header + s->data.n;
	uint16_t check = (uint16_t)~tcp_sum(out, at, n);
	memcpy(tcp + 16, &check, 2);
	return n;
}

static bool read_options(struct bytes o, struct wire_segment *s)
{
	for (size_t i = 0; i < o.n && o.p[i] != 0;) {
		if (o.p[i] == 1) {
			i++;
			continue;
		}
		if (i + 2 > o.n || o.p[i + 1] < 2 || i + o.p[i + 1] > o.n)
			return false;
		const uint8_t *option = o.p + i;
		s->has_mss |= option[0] == 2;
		s->has_sack_permitted |= option[0] == 4;
		if (option[0] == 3 && option[1] == 3) {
			s->has_wscale = true;
			s->wscale = option[2];
		}
		if (option[0] == 8 && option[1] == 10) {
			s->has_ts = true;
			s->ts = get(option + 2, 4);
			s->ts_echo = get(option + 6, 4);
		}
		i += option[1];
	}
	return true;
}

bool wire_read(struct bytes packet, struct wire_segment *s)
{
	*s = (struct wire_segment){0};
	if (packet.n < 40)
		return false;
	bool is_v4 = packet.p[0] >> 4 == 4;
	size_t l4 = is_v4 ? 20 : 40;
	size_t stated = is_v4 ? get(packet.p + 2, 2) : 40 + get(packet.p + 4, 2);
	if (packet.p[is_v4 ? 9 : 6] != IPPROTO_TCP || stated != packet.n || packet.n < l4 + 20)
		return false;
	const uint8_t *tcp = packet.p + l4;
	size_t header = (size_t)(tcp[12] >> 4) * 4;
	bool is_sound = header >= 20 && l4 + header <= packet.n &&
			tcp_sum(packet.p, l4, packet.n) == 0xffff &&
			(!is_v4 || folded(sum(0, packet.p, 20)) == 0xffff);
	if (!is_sound)
		return false;
	s->src_port = (uint16_t)get(tcp, 2);
	s->dst_port = (uint16_t)get(tcp + 2, 2);
	s->seq = get(tcp + 4, 4);
	s->ack = get(tcp + 8, 4);
	s->flags = tcp[13];
	s->window = (uint16_t)get(tcp + 14, 2);
	s->urgent = (uint16_t)get(tcp + 18, 2);
	s->data = bytes_of(tcp + header, packet.n - l4 - header);
	return read_options(bytes_of(tcp + 20, header - 20), s);
}
