/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first packet of a flow: a connection that opens, a datagram, or something of a connection
 * whose beginning was not seen.
 */
#include "engine/internal.h"

#include "flow/tcp.h"

#include <netinet/in.h>

#define MILLISECONDS UINT64_C(1000000)

struct flow_key opening_key(const struct packet *p)
{
	struct flow_key key = {
		.addr = {p->src, p->dst},
		.port = {p->src_port, p->dst_port},
		.ip_proto = p->ip_proto,
	};
	if (p->ip_proto == IPPROTO_ICMP || p->ip_proto == IPPROTO_ICMPV6)
		key.port[1] = key.port[0]; /* the identifier */
	return key;
}

struct flow *opening_create(struct worker *w, const struct packet *p)
{
	struct flow_key key = opening_key(p);
	struct flow *f = flow_add(&w->shard, &key, w->setup.number);
	if (!f && expiry_make_room(w))
		f = flow_add(&w->shard, &key, w->setup.number);
	if (!f) {
		counter_inc(w->setup.counters, COUNTER_FLOWS_FULL);
		return NULL;
	}
	f->start_ns = w->now.real_ns;
	f->seen_ns = w->now.mono_ns;
	f->epoch = w->settings->epoch;
	counter_inc(w->setup.counters, COUNTER_FLOWS_NEW);
	return f;
}

static void wait_for_identity(struct turn *t, struct flow *f)
{
	f->phase = FLOW_WAITING;
	flow_set_deadline(t->w, f, t->w->settings->unknown_hold_ms * MILLISECONDS);
	answer_hold(t, f);
}

/* A connection refused at its first packet leaves nothing behind but the record. */
static void refuse_new(struct turn *t, struct flow *f)
{
	counter_inc(t->w->setup.counters, COUNTER_REFUSED);
	refuse_packet(t->w, &t->p);
	answer_drop(t);
	counter_inc(t->w->setup.counters, COUNTER_FLOWS_CLOSED);
	flow_remove(&t->w->shard, f);
}

/* A server's answer to an opening that was judged: it can only say less of itself. */
static bool answers_opening(const struct turn *t, const struct flow *f)
{
	return t->dir == 1 && f->phase == FLOW_INSPECTING && dissectors[f->app]->is_sealed &&
	       f->half[0].is_proven;
}

/* A bundle is judged as one and received as many: what hides in its middle would be a datagram of
 * its own. */
enum inspect_status opening_datagram(struct turn *t, struct flow *f)
{
	if (t->cp->is_bundle && !answers_opening(t, f))
		return inspect_give_up(&t->w->inspect, f, REASON_INVALID);
	return inspect_datagram(&t->w->inspect, f, t->dir, t->p.data);
}

/* Judged by its subject alone; the first packet is answered accordingly. */
static void open_flow(struct turn *t, struct flow *f)
{
	struct worker *w = t->w;
	f->phase = FLOW_IDENTIFYING;
	enum inspect_status status = inspect_rejudge(&w->inspect, f);
	if (status == INSPECT_DENY) {
		refuse_new(t, f);
		return;
	}
	if (f->ip_proto == IPPROTO_TCP && status == INSPECT_WAIT) {
		f->mark = MARK_BOTH; /* also wipes what an older connection of the tuple may have
					left */
		flow_set_deadline(w, f, w->setup.silent_timeout_ns);
		answer_accept(t, f);
		return;
	}
	if (f->ip_proto == IPPROTO_UDP && status == INSPECT_WAIT)
		status = opening_datagram(t, f);
	else if (status == INSPECT_WAIT)
		status = inspect_give_up(&w->inspect, f, REASON_UNIDENTIFIED);
	settle(t, w, f, status);
}

/* No answer: it would go to the one whose address was taken. */
static void refuse_spoofed(struct turn *t, struct flow *f)
{
	counter_inc(t->w->setup.counters, COUNTER_SPOOFED);
	deny_connection(t->w, f, REASON_SPOOFED);
	answer_drop(t);
	flow_remove(&t->w->shard, f);
}

void opening_packet(struct turn *t)
{
	struct worker *w = t->w;
	struct flow *f = opening_create(w, &t->p);
	if (!f) {
		answer_unjudged(t);
		return;
	}
	if (f->ip_proto == IPPROTO_TCP) {
		if (t->p.data.n > 0) {
			packet_trim_data(&t->p, t->cp->data,
					 0); /* data in a SYN (T53, T54) comes again */
			t->is_changed = true;
		}
		tcp_begin_half(&f->half[0], &t->p);
		f->tcp = FLOW_TCP_SYN_SENT;
	}
	f->half[0].packets = 1;
	f->half[0].bytes = t->p.raw.n;
	bool known = sides_identify(w, f);
	if (sides_are_forged(f, 0, t->cp) && binds(w, NULL)) {
		refuse_spoofed(t, f);
	} else if (!known && binds(w, NULL)) {
		wait_for_identity(t, f);
	} else {
		open_flow(t, f);
	}
	turn_end(w, f);
}

/* Decided by what is known without their first bytes, whichever side opened them. */
static enum inspect_status judge_midstream(struct turn *t, struct flow *f, bool swap)
{
	struct worker *w = t->w;
	if (swap) {
		struct ip_addr addr = f->addr[0];
		uint16_t port = f->port[0];
		f->addr[0] = f->addr[1];
		f->addr[1] = addr;
		f->port[0] = f->port[1];
		f->port[1] = port;
	}
	if (!sides_identify(w, f))
		return INSPECT_WAIT;
	struct policy_decision d;
	policy_candidates(w->image, &f->subject, &f->candidates);
	policy_decide_connection(w->image, &f->subject, &f->candidates, &d);
	bool passes = (d.verdict == VERDICT_ALLOW && d.is_final) ||
		      w->settings->midstream == VERDICT_ALLOW || d.mode != MODE_ENFORCE;
	if (!passes || w->settings->midstream == VERDICT_DENY)
		return INSPECT_WAIT;
	f->verdict = VERDICT_ALLOW;
	f->rule = d.rule;
	f->pass_reason = d.is_final ? REASON_NONE : REASON_MIDSTREAM;
	return INSPECT_FINAL;
}

void opening_midstream(struct turn *t)
{
	struct worker *w = t->w;
	counter_inc(w->setup.counters, COUNTER_MIDSTREAM);
	struct flow *f = t->p.tcp_flags & TCP_RST ? NULL : opening_create(w, &t->p);
	if (!f) {
		answer_unjudged(t);
		return;
	}
	enum inspect_status status = judge_midstream(t, f, false);
	bool spoofed = sides_are_forged(f, 0, t->cp);
	if (status != INSPECT_FINAL)
		status = judge_midstream(t, f, true);
	if (spoofed && binds(w, NULL)) {
		refuse_spoofed(t, f);
	} else if (status == INSPECT_FINAL) {
		settle(t, w, f, INSPECT_FINAL);
	} else {
		deny_connection(w, f, REASON_MIDSTREAM);
		refuse_new(t, f);
	}
	turn_end(w, f);
}
