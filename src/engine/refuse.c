/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A denial that nobody hears is a hang: resets to both sides of a TCP connection, "prohibited" to
 * the sender of anything else. Numbers come from the flow: what the receiver expects next is what
 * we let through to it (RFC 5961 wants it exact).
 */
#include "engine/internal.h"

#include "flow/tcp.h"
#include "packet/build.h"

#include <netinet/in.h>

static void inject(struct worker *w, struct bytes packet, const struct ip_addr *to)
{
	bool sent = w->setup.out.inject(w->setup.out.ctx, packet, to);
	counter_inc(w->setup.counters, sent ? COUNTER_INJECTED : COUNTER_INJECT_ERRORS);
}

static void send_reset(struct worker *w, const struct tcp_reset *reset)
{
	uint8_t out[PACKET_BUILD_MAX];
	inject(w, bytes_of(out, build_tcp_reset(reset, out)), &reset->dst);
}

/* What that side expects next from the other: what we let through, or what it says itself. */
static uint32_t expected_by(const struct turn *t, const struct flow *f, unsigned side)
{
	const struct half *incoming = &f->half[!side];
	if (incoming->is_tracked)
		return tcp_sent_end(incoming);
	return t && t->dir == side && (t->p.tcp_flags & TCP_ACK) ? t->p.ack : 0;
}

/* To side `to`, as if from the other. */
static void reset_side(const struct turn *t, struct worker *w, const struct flow *f, unsigned to)
{
	const struct half *own = &f->half[to];
	struct tcp_reset reset = {
		.src = f->addr[!to],
		.dst = f->addr[to],
		.src_port = f->port[!to],
		.dst_port = f->port[to],
		.seq = expected_by(t, f, to),
		.ack = own->is_tracked ? own->next : 0,
		.has_ack = own->is_tracked,
	};
	send_reset(w, &reset);
}

static void refuse_tcp(const struct turn *t, struct worker *w, const struct flow *f)
{
	reset_side(t, w, f, 0);
	/* The other side knows of the connection only if it answered. */
	if (f->half[1].is_tracked || f->replies_unseen)
		reset_side(t, w, f, 1);
}

void refuse_flow(struct turn *t, struct worker *w, struct flow *flow)
{
	held_discard(w, flow);
	if (w->settings->refuse != POLICY_REFUSE_DROP && flow->ip_proto == IPPROTO_TCP)
		refuse_tcp(t, w, flow);
}

/* The answer that the segment itself asks for (RFC 9293 3.10.7.1), and for an established stranger
 * one to the receiver. */
static void refuse_segment(struct worker *w, const struct packet *p)
{
	bool has_ack = p->tcp_flags & TCP_ACK;
	uint32_t length =
		(uint32_t)p->data.n + !!(p->tcp_flags & TCP_SYN) + !!(p->tcp_flags & TCP_FIN);
	struct tcp_reset back = {
		.src = p->dst,
		.dst = p->src,
		.src_port = p->dst_port,
		.dst_port = p->src_port,
		.seq = has_ack ? p->ack : 0,
		.ack = p->seq + length,
		.has_ack = !has_ack,
	};
	send_reset(w, &back);
	if (!has_ack)
		return;
	struct tcp_reset on = {
		.src = p->src,
		.dst = p->dst,
		.src_port = p->src_port,
		.dst_port = p->dst_port,
		.seq = p->seq,
	};
	send_reset(w, &on);
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
	if (w->settings->refuse == POLICY_REFUSE_DROP)
		return;
	if (p->ip_proto == IPPROTO_TCP) {
		if (!(p->tcp_flags & TCP_RST))
			refuse_segment(w, p);
		return;
	}
	if (is_icmp_but_no_request(p))
		return;
	uint8_t out[PACKET_BUILD_MAX];
	inject(w, bytes_of(out, build_icmp_prohibited(p, out)), &p->src);
}

const char *refusal_name(const struct worker *w, uint8_t ip_proto)
{
	if (w->settings->refuse == POLICY_REFUSE_DROP)
		return "drop";
	return ip_proto == IPPROTO_TCP ? "reset" : "icmp";
}
