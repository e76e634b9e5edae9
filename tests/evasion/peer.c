/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "peer.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	VNET = sizeof(struct virtio_net_hdr),
	TTL = 64,
	WSCALE = 7,
	FRAGMENT_IDS = 1024, /* per worker */
	CUT = 1400,	     /* longer data is left to the kernel to cut */
};

uint32_t peer_new_fragment_id(struct peer *p)
{
	p->fragment_id = (p->fragment_id & ~(FRAGMENT_IDS - 1u)) |
			 ((p->fragment_id + 1) & (FRAGMENT_IDS - 1u));
	return p->fragment_id;
}

int peer_open(struct peer *p, const struct world *w, unsigned number)
{
	p->fragment_id = (number + 1) * FRAGMENT_IDS;
	int one = 1, room = 1 << 21;
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	if (world_enter(w, PLACE_PEER))
		return -1;
	p->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL));
	at.sll_ifindex = (int)if_nametoindex("eth0");
	if (p->fd < 0 || bind(p->fd, (struct sockaddr *)&at, sizeof(at)) ||
	    setsockopt(p->fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) ||
	    setsockopt(p->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) ||
	    setsockopt(p->fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room))) {
		perror("bw-evasion: raw socket");
		return -1;
	}
	return 0;
}

void peer_close(struct peer *p)
{
	if (p->fd >= 0)
		(void)close(p->fd);
	p->fd = -1;
}

void peer_begin(struct peer *p, const struct frame_link *link, const struct frame_ip *ip,
		uint16_t src_port, uint16_t dst_port, enum peer_options options, uint32_t isn)
{
	uint32_t id = p->id, fragment_id = p->fragment_id;
	*p = (struct peer){
		.fd = p->fd,
		.link = *link,
		.ip = *ip,
		.src_port = src_port,
		.dst_port = dst_port,
		.options = options,
		.mss = 1400,
		.window = 65000,
		.wscale = WSCALE,
		.base = isn + 1,
		.isn = isn,
		.acked = isn,
		.ts_now = 1000000,
		.id = id,
		.fragment_id = fragment_id,
	};
	p->ip.proto = IPPROTO_TCP;
}

/* ---- sending ---- */

static uint8_t *put(uint8_t *at, unsigned n, uint32_t v)
{
	for (unsigned i = 0; i < n; i++)
		at[i] = (uint8_t)(v >> 8 * (n - 1 - i));
	return at + n;
}

static bool wants_ts(const struct peer *p)
{
	return p->options == PEER_TS || p->options == PEER_ALL;
}

static uint8_t *put_ts(struct peer *p, const struct peer_whim *whim, uint8_t *at)
{
	at = put(at, 4, 0x0101080a);
	at = put(at, 4, p->ts_now++ + (uint32_t)whim->ts_off);
	return put(at, 4, whim->has_tsecr ? whim->tsecr : p->ts_recent);
}

static uint8_t *put_syn_options(struct peer *p, const struct peer_whim *whim, uint8_t *at)
{
	at = put(at, 2, 0x0204);
	at = put(at, 2, p->mss);
	if (wants_ts(p) && !whim->no_ts)
		at = put_ts(p, whim, at);
	if (p->options != PEER_PLAIN)
		at = put(put(at, 3, 0x010303), 1, p->wscale);
	if (p->options == PEER_SACK || p->options == PEER_ALL)
		at = put(at, 4, 0x01010402);
	return at;
}

static void put_options(struct peer *p, const struct peer_whim *whim, struct frame_tcp *tcp)
{
	uint8_t *at = tcp->options;
	if (tcp->flags & TCP_S && !whim->no_options)
		at = put_syn_options(p, whim, at);
	else if ((p->has_ts && !whim->no_ts) || whim->has_ts)
		at = put_ts(p, whim, at);
	size_t n = (size_t)(at - tcp->options), room = FRAME_OPTIONS_MAX - n;
	size_t more = whim->n_options < room ? whim->n_options : room;
	memcpy(at, whim->options, more);
	tcp->n_options = n + more;
}

static struct frame_ip ip_of(struct peer *p, const struct peer_whim *whim)
{
	struct frame_ip ip = p->ip;
	ip.ttl = whim->ip.ttl ? whim->ip.ttl : TTL;
	ip.tos = whim->ip.tos;
	ip.df = whim->ip.df;
	ip.reserved = whim->ip.reserved;
	ip.bad_sum = whim->ip.bad_sum;
	ip.length_off = whim->ip.length_off;
	ip.trail = whim->ip.trail;
	ip.id = whim->ip.id ? whim->ip.id : ++p->id;
	ip.n_options = whim->ip.n_options;
	memcpy(ip.options, whim->ip.options, sizeof(ip.options));
	memcpy(ip.chain, whim->ip.chain, sizeof(ip.chain));
	if (whim->broadcast_src)
		memset(ip.src, 0xff, ip.version == 4 ? 4 : 1);
	return ip;
}

static struct frame_link link_of(const struct peer *p, const struct peer_whim *whim)
{
	struct frame_link link = p->link;
	link.vlan = whim->link.vlan;
	link.tag = whim->link.tag;
	link.type = whim->link.type;
	return link;
}

/* Full queues are no news to a test that loses packets on purpose. */
static void send_frame(const struct peer *p, uint8_t *out, size_t n)
{
	(void)!write(p->fd, out, VNET + n);
}

static size_t cut_of(const struct peer_whim *whim)
{
	return whim->gso ? whim->gso : CUT;
}

static void ask_for_cutting(const struct peer *p, const struct peer_whim *whim, size_t n_payload,
			    size_t n_frame, size_t n_data, uint8_t *out)
{
	struct virtio_net_hdr *vnet = (struct virtio_net_hdr *)(void *)out;
	size_t l4 = n_frame - n_payload;
	*vnet = (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type =
			p->ip.version == 4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6,
		.hdr_len = (uint16_t)(n_frame - n_data),
		.gso_size = (uint16_t)cut_of(whim),
		.csum_start = (uint16_t)l4,
		.csum_offset = 16,
	};
}

static void send_around(struct peer *p, const struct peer_whim *whim, uint8_t proto,
			const uint8_t *payload, size_t n, size_t n_data)
{
	static uint8_t out[VNET + FRAME_MAX];
	struct frame_ip ip = ip_of(p, whim);
	struct frame_link link = link_of(p, whim);
	ip.proto = proto;
	memset(out, 0, VNET);
	size_t n_frame = frame_around(&link, &ip, NULL, payload, n, out + VNET);
	if (proto == IPPROTO_TCP && n_data > cut_of(whim))
		ask_for_cutting(p, whim, n, n_frame, n_data, out);
	send_frame(p, out, n_frame);
}

size_t peer_build(struct peer *p, const struct peer_whim *whim, uint32_t seq, const uint8_t *data,
		  size_t n, uint8_t *out)
{
	struct frame_ip ip = ip_of(p, whim);
	struct frame_tcp tcp = {
		.src_port = whim->src_port ? whim->src_port : p->src_port,
		.dst_port = p->dst_port,
		.seq = seq + (uint32_t)whim->seq_off,
		.flags = whim->has_flags ? whim->flags : TCP_A | TCP_P,
		.reserved = whim->reserved,
		.window = whim->has_window ? whim->window : p->window,
		.urgent = whim->urgent,
		.doff = whim->doff,
		.sum = whim->sum,
		.partial_sum = n > cut_of(whim),
	};
	if (whim->zero_src_port)
		tcp.src_port = 0;
	if (tcp.flags & TCP_A)
		tcp.ack = p->next + (uint32_t)whim->ack_off;
	put_options(p, whim, &tcp);
	return frame_tcp(&ip, &tcp, data, n, out);
}

static uint8_t scratch[FRAME_MAX];

void peer_segment(struct peer *p, const struct peer_whim *whim, uint32_t seq, const uint8_t *data,
		  size_t n)
{
	size_t n_payload = peer_build(p, whim, seq, data, n, scratch);
	if (p->hooks)
		p->hooks->sends(p->hooks->owner, IPPROTO_TCP, scratch, n_payload);
	else
		send_around(p, whim, IPPROTO_TCP, scratch, n_payload, n);
}

static void default_flags(struct peer_whim *whim, uint8_t flags)
{
	if (!whim->has_flags)
		whim->flags = flags;
	whim->has_flags = true;
}

void peer_syn(struct peer *p, const struct peer_whim *whim, const uint8_t *data, size_t n)
{
	struct peer_whim w = *whim;
	default_flags(&w, TCP_S);
	p->n_syn_data = (uint32_t)n;
	peer_segment(p, &w, p->isn, data, n);
}

void peer_syn_ack(struct peer *p, const struct peer_whim *whim, const uint8_t *data, size_t n)
{
	struct peer_whim w = *whim;
	default_flags(&w, TCP_S | TCP_A);
	peer_segment(p, &w, p->isn, data, n);
}

size_t peer_build_datagram(struct peer *p, const struct peer_whim *whim, const uint8_t *data,
			   size_t n, uint8_t *out)
{
	struct frame_ip ip = ip_of(p, whim);
	const struct frame_udp udp = {
		.src_port = p->src_port,
		.dst_port = p->dst_port,
		.length_off = whim->udp_length_off,
		.sum = whim->sum,
	};
	return frame_udp(&ip, &udp, data, n, out);
}

void peer_datagram(struct peer *p, const struct peer_whim *whim, const uint8_t *data, size_t n)
{
	size_t n_payload = peer_build_datagram(p, whim, data, n, scratch);
	if (p->hooks)
		p->hooks->sends(p->hooks->owner, IPPROTO_UDP, scratch, n_payload);
	else
		send_around(p, whim, IPPROTO_UDP, scratch, n_payload, n);
}

void peer_raw(struct peer *p, const struct peer_whim *whim, uint8_t proto, const uint8_t *data,
	      size_t n)
{
	send_around(p, whim, proto, data, n, n);
}

void peer_send_piece(struct peer *p, const struct peer_whim *whim, const struct frame_piece *piece,
		     uint8_t proto, const uint8_t *payload, size_t n)
{
	static uint8_t out[VNET + FRAME_MAX];
	struct frame_ip ip = ip_of(p, whim);
	struct frame_link link = link_of(p, whim);
	ip.proto = proto;
	memset(out, 0, VNET);
	size_t n_frame = frame_around(&link, &ip, piece, payload, n, out + VNET);
	send_frame(p, out, n_frame);
}

/* ---- listening ---- */

struct heard {
	uint32_t seq, ack;
	uint8_t flags;
	const uint8_t *options, *data;
	size_t n_options, n_data;
};

static uint32_t get(const uint8_t *p, unsigned n)
{
	uint32_t v = 0;
	for (unsigned i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

static bool is_between(const struct peer *p, const uint8_t *tcp)
{
	return get(tcp, 2) == p->dst_port && get(tcp + 2, 2) == p->src_port;
}

/* Whether a frame is a segment of this connection. The rest is other runs'. */
static bool understand(const struct peer *p, const uint8_t *f, size_t n, struct heard *h)
{
	size_t at = FRAME_ETHER, end;
	if (n < at + 40 || get(f + 12, 2) != (p->ip.version == 4 ? 0x0800u : 0x86ddu))
		return false;
	if (p->ip.version == 4) {
		end = at + get(f + at + 2, 2);
		if (f[at + 9] != IPPROTO_TCP || memcmp(f + at + 12, p->ip.dst, 4) != 0)
			return false;
		at += (size_t)(f[at] & 15) * 4;
	} else {
		end = at + 40 + get(f + at + 4, 2);
		if (f[at + 6] != IPPROTO_TCP || memcmp(f + at + 8, p->ip.dst, 16) != 0)
			return false;
		at += 40;
	}
	if (end > n || end < at + 20 || !is_between(p, f + at))
		return false;
	size_t header = (size_t)(f[at + 12] >> 4) * 4;
	*h = (struct heard){
		.seq = get(f + at + 4, 4),
		.ack = get(f + at + 8, 4),
		.flags = f[at + 13],
		.options = f + at + 20,
		.n_options = header - 20,
		.data = f + at + header,
		.n_data = end - at - header,
	};
	return true;
}

static void hear_options(struct peer *p, const struct heard *h)
{
	for (size_t i = 0; i + 1 < h->n_options;) {
		uint8_t kind = h->options[i], length = h->options[i + 1];
		if (kind == 0)
			return;
		if (kind == 1) {
			i++;
			continue;
		}
		if (kind == 8 && i + 10 <= h->n_options) {
			p->ts_recent = get(h->options + i + 2, 4);
			if (h->flags & TCP_S)
				p->has_ts = wants_ts(p);
		}
		if (kind > 8)
			p->has_strange_option = true;
		i += length ? length : 1;
	}
}

static void hear_opening(struct peer *p, const struct heard *h)
{
	bool is_answer = h->flags & TCP_A;
	if (is_answer && p->has_syn_ack)
		return;
	*(is_answer ? &p->has_syn_ack : &p->has_syn) = true;
	p->their_isn = h->seq;
	p->next = h->seq + 1;
	if (is_answer) {
		/* What the receiver took for position 0; data in the SYN (TFO) comes behind it. */
		if (h->ack - p->base > p->n_syn_data)
			p->base = h->ack;
		p->acked = h->ack;
	}
}

static void hear_data(struct peer *p, const struct heard *h)
{
	uint32_t end = h->seq + (uint32_t)h->n_data + !!(h->flags & TCP_F);
	if ((int32_t)(h->seq - p->next) > 0 || (int32_t)(end - p->next) <= 0) {
		p->n_challenges += h->n_data == 0;
		p->owes_ack |= h->n_data > 0;
		return;
	}
	p->has_fin |= (bool)(h->flags & TCP_F);
	p->next = end;
	p->owes_ack = true;
	p->n_answers = (end - p->their_isn - 1) / strlen(app_answer);
}

static void hear(struct peer *p, const struct heard *h)
{
	p->heard_ack = h->ack;
	if (h->flags & TCP_R) {
		p->has_reset = true;
		return;
	}
	hear_options(p, h);
	if (h->flags & TCP_S) {
		hear_opening(p, h);
		return;
	}
	if ((h->flags & TCP_A) && (int32_t)(h->ack - p->acked) > 0)
		p->acked = h->ack;
	hear_data(p, h);
}

static void answer(struct peer *p)
{
	const struct peer_whim plain = {.has_flags = true, .flags = TCP_A};
	if (p->owes_ack && !p->is_mute)
		peer_segment(p, &plain, p->acked, NULL, 0);
	p->owes_ack = false;
}

void peer_turn(struct peer *p, struct app *app, int wait_ms, size_t app_most)
{
	static uint8_t in[VNET + FRAME_MAX];
	struct pollfd fds[2] = {{.fd = p->fd, .events = POLLIN},
				{.fd = app->fd >= 0 ? app->fd : app->listener, .events = POLLIN}};
	ssize_t n;
	(void)poll(fds, app->is_stopped || app->has_eof || app->has_reset ? 1 : 2, wait_ms);
	while ((n = recv(p->fd, in, sizeof(in), MSG_DONTWAIT)) > VNET) {
		struct heard h;
		if (p->hooks && !p->hooks->hears(p->hooks->owner, in + VNET, (size_t)n - VNET))
			continue;
		if (understand(p, in + VNET, (size_t)n - VNET, &h))
			hear(p, &h);
	}
	answer(p);
	app_turn(app, app_most);
}
