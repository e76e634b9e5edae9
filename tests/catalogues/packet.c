/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "packet.h"

#include <netinet/in.h>
#include <string.h>

enum { TCP_HEADER = 20, UDP_HEADER = 8, UNIT_MAX = 4096, OPTION_HEAD = 2 };

static uint32_t get(const uint8_t *p, unsigned n)
{
	uint32_t v = 0;
	for (unsigned i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

static size_t read_tcp(struct packet *k, uint32_t base, const uint8_t *u)
{
	size_t header = (size_t)(u[12] >> 4) * 4;
	k->tcp = (struct frame_tcp){
		.src_port = (uint16_t)get(u, 2),
		.dst_port = (uint16_t)get(u + 2, 2),
		.seq = get(u + 4, 4),
		.ack = get(u + 8, 4),
		.reserved = u[12] & 15,
		.flags = u[13],
		.window = (uint16_t)get(u + 14, 2),
		.urgent = (uint16_t)get(u + 18, 2),
		.n_options = header - TCP_HEADER,
	};
	memcpy(k->tcp.options, u + TCP_HEADER, header - TCP_HEADER);
	k->at = (int32_t)(k->tcp.seq - base);
	return header;
}

bool packet_read(struct packet *k, uint8_t proto, uint32_t base, const uint8_t *unit, size_t n)
{
	memset(k, 0, sizeof(*k));
	k->proto = proto;
	size_t header = UDP_HEADER, least = proto == IPPROTO_TCP ? TCP_HEADER : UDP_HEADER;
	if (n < least || (proto == IPPROTO_TCP && n < (size_t)(unit[12] >> 4) * 4))
		return false;
	if (proto == IPPROTO_TCP)
		header = read_tcp(k, base, unit);
	else
		k->udp = (struct frame_udp){.src_port = (uint16_t)get(unit, 2),
					    .dst_port = (uint16_t)get(unit + 2, 2)};
	if (header > n || n - header > PACKET_LOAD_MAX)
		return false;
	k->n = n - header;
	memcpy(k->load, unit + header, k->n);
	return true;
}

size_t packet_unit(const struct packet *k, const struct peer *p, uint8_t *out)
{
	if (k->is_piece) {
		memcpy(out, k->load, k->n);
		return k->n;
	}
	if (k->proto == IPPROTO_UDP)
		return frame_udp(&p->ip, &k->udp, k->load, k->n, out);
	return frame_tcp(&p->ip, &k->tcp, k->load, k->n, out);
}

/* Both versions are counted as IPv4 counts: with a header of 20 bytes. */
static int length_lie(const struct packet *k, size_t n_unit)
{
	enum { IPV4_HEADER = 20 };
	return k->has_total ? (int)k->total - IPV4_HEADER - (int)n_unit : 0;
}

void packet_send(const struct packet *k, struct peer *p)
{
	static uint8_t unit[UNIT_MAX];
	struct peer_whim whim = k->whim;
	size_t n = packet_unit(k, p, unit);
	whim.ip.length_off = length_lie(k, n);
	peer_send_piece(p, &whim, k->is_piece ? &k->piece : NULL, k->proto, unit, n);
}

/* ---- options ---- */

/* Where an option stands; the end where there is none of that kind. */
static size_t option_at(const struct frame_tcp *t, uint8_t kind, size_t *n)
{
	for (size_t i = 0; i < t->n_options;) {
		size_t length = 1;
		if (t->options[i] > 1)
			length = i + 1 < t->n_options ? t->options[i + 1] : 0;
		if (length == 0 || i + length > t->n_options)
			break;
		*n = length;
		if (t->options[i] == kind)
			return i;
		i += length;
	}
	return t->n_options;
}

uint8_t *packet_option(struct packet *k, uint8_t kind, size_t *n)
{
	size_t at = option_at(&k->tcp, kind, n);
	return at < k->tcp.n_options ? k->tcp.options + at : NULL;
}

void packet_drop_option(struct packet *k, uint8_t kind)
{
	struct frame_tcp *t = &k->tcp;
	size_t n = 0, at = option_at(t, kind, &n);
	if (at == t->n_options)
		return;
	memmove(t->options + at, t->options + at + n, t->n_options - at - n);
	t->n_options -= n;
}

void packet_set_option(struct packet *k, uint8_t kind, const uint8_t *data, size_t n)
{
	struct frame_tcp *t = &k->tcp;
	if (kind > 1)
		packet_drop_option(k, kind);
	size_t head = kind > 1 ? OPTION_HEAD : 1;
	if (t->n_options + head + n > FRAME_OPTIONS_MAX)
		return;
	t->options[t->n_options] = kind;
	if (kind > 1)
		t->options[t->n_options + 1] = (uint8_t)(head + n);
	if (n > 0)
		memcpy(t->options + t->n_options + head, data, n);
	t->n_options += head + n;
}
