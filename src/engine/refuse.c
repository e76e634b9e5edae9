/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A denial that nobody hears is a hang: words in the client's protocol where its dissector has
 * them, else resets to both sides of a TCP connection and "prohibited" to the sender of anything
 * else. Numbers come from the flow: what the receiver expects next is what we let through to it
 * (RFC 5961 wants it exact).
 */
#include "engine/internal.h"

#include "flow/tcp.h"

#include <netinet/in.h>

static void inject(struct worker *w, struct bytes packet)
{
	bool sent = w->setup.out.inject(w->setup.out.ctx, packet);
	counter_inc(w->setup.counters, sent ? COUNTER_INJECTED : COUNTER_INJECT_ERRORS);
}

static void send_segment(struct worker *w, const struct tcp_segment *s)
{
	uint8_t out[PACKET_BUILD_MAX];
	inject(w, bytes_of(out, build_tcp(s, out)));
}

void send_to_side(struct worker *w, const struct flow *f, unsigned to, const struct tcp_segment *s)
{
	struct tcp_segment whole = *s;
	whole.src = f->addr[!to];
	whole.dst = f->addr[to];
	whole.src_port = f->port[!to];
	whole.dst_port = f->port[to];
	send_segment(w, &whole);
}

/* What that side expects next from the other: what we let through, or what it says itself. */
static uint32_t expected_by(const struct turn *t, const struct flow *f, unsigned side)
{
	const struct half *incoming = &f->half[!side];
	if (incoming->is_tracked)
		return tcp_sent_end(incoming);
	return t && t->dir == side && (t->p.tcp_flags & TCP_ACK) ? t->p.ack : 0;
}

static void reset_side(const struct turn *t, struct worker *w, const struct flow *f, unsigned to)
{
	const struct half *own = &f->half[to];
	const struct tcp_segment reset = {
		.seq = expected_by(t, f, to),
		.ack = own->next,
		.flags = own->is_tracked ? TCP_RST | TCP_ACK : TCP_RST,
	};
	send_to_side(w, f, to, &reset);
}

static void refuse_tcp(const struct turn *t, struct worker *w, const struct flow *f)
{
	reset_side(t, w, f, 0);
	/* The other side knows of the connection only if it answered. */
	if (f->half[1].is_tracked || f->replies_unseen)
		reset_side(t, w, f, 1);
}

static bool is_silent(const struct worker *w)
{
	return w->settings->refuse == POLICY_REFUSE_DROP;
}

void refuse_flow(struct turn *t, struct worker *w, struct flow *flow)
{
	held_discard(w, flow);
	if (is_silent(w) || flow->ip_proto != IPPROTO_TCP)
		return;
	if (w->settings->refuse == POLICY_REFUSE_NATIVE && farewell_begin(t, w, flow)) {
		record_refusal(w, "native");
		return;
	}
	record_refusal(w, "reset");
	refuse_tcp(t, w, flow);
}

/* The answer that the segment itself asks for (RFC 9293 3.10.7.1), and for an established stranger
 * one to the receiver. */
static void refuse_segment(struct worker *w, const struct packet *p)
{
	bool has_ack = p->tcp_flags & TCP_ACK;
	uint32_t length =
		(uint32_t)p->data.n + !!(p->tcp_flags & TCP_SYN) + !!(p->tcp_flags & TCP_FIN);
	const struct tcp_segment back = {
		.src = p->dst,
		.dst = p->src,
		.src_port = p->dst_port,
		.dst_port = p->src_port,
		.seq = has_ack ? p->ack : 0,
		.ack = p->seq + length,
		.flags = has_ack ? TCP_RST : TCP_RST | TCP_ACK,
	};
	send_segment(w, &back);
	if (!has_ack)
		return;
	const struct tcp_segment on = {
		.src = p->src,
		.dst = p->dst,
		.src_port = p->src_port,
		.dst_port = p->dst_port,
		.seq = p->seq,
		.flags = TCP_RST,
	};
	send_segment(w, &on);
}

/* RFC 1122 3.2.2: no error about an error; nor about an answer. */
static bool is_icmp_but_no_request(const struct packet *p)
{
	unsigned type = p->dst_port >> 8;
	if (p->ip_proto == IPPROTO_ICMP)
		return type != 8;
	return p->ip_proto == IPPROTO_ICMPV6 && type != 128;
}

void refuse_packet(struct worker *w, const struct packet *p)
{
	if (is_silent(w))
		return;
	if (p->ip_proto == IPPROTO_TCP) {
		record_refusal(w, "reset");
		if (!(p->tcp_flags & TCP_RST))
			refuse_segment(w, p);
		return;
	}
	if (is_icmp_but_no_request(p))
		return;
	record_refusal(w, "icmp");
	uint8_t out[PACKET_BUILD_MAX];
	inject(w, bytes_of(out, build_icmp_prohibited(p, out)));
}

void refuse_datagram(struct turn *t)
{
	struct worker *w = t->w;
	struct bytes words = bytes_of(w->refusal, w->inspect.n_refusal);
	if (w->settings->refuse != POLICY_REFUSE_NATIVE || words.n == 0) {
		refuse_packet(w, &t->p);
		return;
	}
	record_refusal(w, "native");
	uint8_t out[PACKET_BUILD_MAX];
	inject(w, bytes_of(out, build_udp_answer(&t->p, words, out)));
}
