/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an answer of inspect means for the flow, for what it holds, and for the packet in hand. */
#include "engine/internal.h"

#include "flow/tcp.h"
#include "stream/reasm.h"

#include <netinet/in.h>

enum {
	/* Judged bytes that may be kept for resends while the receiver's acknowledgements are not
	   seen. */
	UNSEEN_WINDOW = 32 * 1024,
	/* No sender may be left waiting for an acknowledgement of all that it may send at first
	   (RFC 6928: ten segments). */
	UNPROVEN_MAX = 8 * 1024,
};

void flow_set_deadline(struct worker *w, struct flow *flow, uint64_t after_ns)
{
	flow->deadline_ns = w->now.mono_ns + after_ns;
	struct deadline d = {
		.at_ns = flow->deadline_ns,
		.flow_id = flow->id,
		.flow = (uint32_t)(flow - w->shard.flows),
	};
	(void)deadlines_add(&w->deadlines, &d); /* full: the sweep finds it, seconds later */
}

void flow_close(struct worker *w, struct flow *flow, enum flow_end end)
{
	if (flow->end == FLOW_END_NONE)
		flow->end = (uint8_t)end;
	held_discard(w, flow);
	record_flow(w, flow);
	counter_inc(w->setup.counters, COUNTER_FLOWS_CLOSED);
	flow_remove(&w->shard, flow);
}

/* The replies of this flow need not come up any more. */
static void stop_seeing_replies(struct worker *w, struct flow *flow)
{
	struct half *replies = &flow->half[1];
	flow->replies_unseen = true;
	flow->was_offloaded = true;
	replies->is_blind = true;
	replies->is_tracked = false;
	reasm_drop_all(&w->shard.chunks, replies);
}

static bool waits_for_acks(const struct flow *flow)
{
	return flow->replies_unseen && flow->half[0].kept > UNSEEN_WINDOW;
}

void settle_mark(struct worker *w, struct flow *flow)
{
	if (flow->pending.seen_ns != 0) {
		flow->mark = MARK_BOTH;
		return;
	}
	if (flow->phase == FLOW_PASSED) {
		if (flow->mark != MARK_OFFLOADED)
			counter_inc(w->setup.counters, COUNTER_FLOWS_OFFLOADED);
		flow->mark = MARK_OFFLOADED;
		flow->was_offloaded = true;
	} else if (waits_for_acks(flow)) {
		flow->mark = MARK_BOTH;
		flow->kernel_mark = MARK_NONE; /* say it until an acknowledgement comes */
	} else if (!flow->is_parting && inspect_can_spare_replies(&w->inspect, flow) &&
		   !flow->half[1].has_fin) {
		if (!flow->replies_unseen)
			stop_seeing_replies(w, flow);
		flow->mark = MARK_REQUESTS;
	} else {
		flow->mark = MARK_BOTH;
	}
}

static void note_farewell(struct flow *flow)
{
	for (int side = 0; side < 2; side++) {
		struct half *h = &flow->half[side];
		if (h->has_fin && h->passed == h->fin)
			h->fin_passed = true;
	}
	if (flow->tcp != FLOW_TCP_OPEN && flow->tcp != FLOW_TCP_CLOSING)
		return;
	unsigned fins = flow->half[0].fin_passed + flow->half[1].fin_passed;
	if (fins > 0) {
		flow->tcp = fins == 2 ? FLOW_TCP_CLOSED : FLOW_TCP_CLOSING;
		flow->end = FLOW_END_FIN;
	}
}

/* The bytes of the packet in hand were stored before a dissector replaced some of them. */
static void put_edits_in(struct turn *t, const struct flow *flow)
{
	struct packet *p = &t->p;
	if (!t->w->has_edited || flow->ip_proto != IPPROTO_TCP)
		return;
	t->is_changed |= reasm_restore(&t->w->shard.chunks, &flow->half[t->dir], p->seq,
				       t->cp->data + p->data_at, (uint32_t)p->data.n);
}

void pass_alone(struct turn *t, struct flow *flow)
{
	note_farewell(flow);
	answer_accept(t, flow);
}

/* Datagrams that open a connection before its first unit is judged, as parts of one hello do. */
static bool opens_in_pieces(const struct flow *flow)
{
	return flow->phase == FLOW_INSPECTING && flow->is_enforced &&
	       dissectors[flow->app]->is_sealed && !flow->half[0].is_proven;
}

/* The claim of one side says nothing of the other: its first unit is held until it is whole and
 * judged, or so long that its beginning is proof enough. */
static bool side_may_pass(const struct flow *flow, unsigned side)
{
	const struct half *h = &flow->half[side];
	if (flow->is_parting && side == 0)
		return false;
	if (flow->ip_proto == IPPROTO_UDP)
		return side != 0 || !opens_in_pieces(flow);
	bool proves_itself = flow->phase == FLOW_INSPECTING && flow->is_enforced && h->is_tracked &&
			     !h->is_blind && !h->is_proven && h->skip == 0;
	uint32_t n = h->next - h->fed;
	return !proves_itself || n == 0 || n > UNPROVEN_MAX;
}

/* Counts from the first byte: a later one finds an earlier deadline. */
static void hold(struct turn *t, struct worker *w, struct flow *flow)
{
	uint64_t end_ns = w->now.mono_ns + w->setup.hold_timeout_ns;
	if (flow->deadline_ns == 0 || end_ns < flow->deadline_ns)
		flow_set_deadline(w, flow, w->setup.hold_timeout_ns);
	answer_hold(t, flow);
}

static void answer_passing(struct turn *t, struct worker *w, struct flow *flow, bool may_pass)
{
	bool is_bare = t->p.data.n == 0 && !(t->p.tcp_flags & TCP_FIN);
	if (!may_pass && !is_bare) {
		hold(t, w, flow);
		return;
	}
	put_edits_in(t, flow);
	answer_accept(t, flow);
}

static void let_pass(struct turn *t, struct worker *w, struct flow *flow)
{
	const bool side[2] = {side_may_pass(flow, 0), side_may_pass(flow, 1)};
	for (int i = 0; i < 2; i++)
		if (side[i])
			flow->half[i].passed = flow->half[i].next;
	note_farewell(flow);
	if (flow->phase != FLOW_IDENTIFYING && side[0] && side[1])
		flow->deadline_ns = 0;
	settle_mark(w, flow);
	held_release(w, flow, side);
	if (t && !t->is_answered)
		answer_passing(t, w, flow, side[t->dir]);
	for (int i = 0; i < 2; i++)
		reasm_release(&w->shard.chunks, &flow->half[i]);
}

/* Nothing can change the verdict any more: stop following the stream. */
static void let_go(struct turn *t, struct worker *w, struct flow *flow)
{
	flow->phase = FLOW_PASSED;
	if (flow->verdict == VERDICT_PENDING)
		flow->verdict = VERDICT_ALLOW;
	let_pass(t, w, flow);
	for (int side = 0; side < 2; side++) {
		flow->half[side].is_tracked = false;
		reasm_drop_all(&w->shard.chunks, &flow->half[side]);
	}
	flow->tcp = flow->tcp == FLOW_TCP_CLOSED ? FLOW_TCP_CLOSED : FLOW_TCP_NONE;
}

/* What was judged before the denied unit and stands in the same segment may still go (THREATS R4:
 * trim). Never where the denied unit, or a part of it, may wait at the receiver already, beyond the
 * gap that this segment would fill. */
static void pass_judged_part(struct turn *t, struct flow *flow)
{
	struct half *h = &flow->half[t->dir];
	uint32_t end = t->p.seq + (uint32_t)t->p.data.n;
	bool follows = flow->ip_proto == IPPROTO_TCP && h->is_tracked && h->passed == t->p.seq;
	if (!follows || !seq_after(h->fed, t->p.seq) || !seq_before(h->fed, end) ||
	    flow->n_held > 0 || seq_after(h->top, h->passed))
		return;
	put_edits_in(t, flow);
	packet_trim_data(&t->p, t->cp->data, h->fed - t->p.seq);
	packet_clear_flags(&t->p, t->cp->data, TCP_FIN);
	t->is_changed = true;
	h->passed = h->fed;
	answer_accept(t, flow);
}

static void deny(struct turn *t, struct worker *w, struct flow *flow)
{
	counter_inc(w->setup.counters, COUNTER_REFUSED);
	if (t && !t->is_answered && flow->half[0].is_tracked)
		pass_judged_part(t, flow);
	if (!farewell_postpone(t, w, flow))
		settle_denied(t, w, flow);
}

void settle_denied(struct turn *t, struct worker *w, struct flow *flow)
{
	bool followed = flow->half[0].is_tracked;
	flow->is_parting = flow->is_late = false;
	flow->end = FLOW_END_REFUSED;
	flow->mark = MARK_BOTH;
	flow->deadline_ns = 0;
	flow->phase = FLOW_DENIED;
	if (followed || !t)
		refuse_flow(t, w, flow);
	else
		held_discard(w, flow);
	if (t && (!followed || flow->ip_proto != IPPROTO_TCP))
		refuse_packet(w, &t->p);
	if (t && !t->is_answered)
		answer_drop(t);
	for (int side = 0; side < 2; side++)
		reasm_drop_all(&w->shard.chunks, &flow->half[side]);
}

static void wait(struct turn *t, struct worker *w, struct flow *flow)
{
	if (!flow->is_enforced) {
		let_pass(t, w, flow);
		return;
	}
	if (!t || t->is_answered)
		return;
	bool has_bytes = flow->half[0].next != flow->half[0].passed ||
			 flow->half[1].next != flow->half[1].passed;
	if (has_bytes)
		hold(t, w, flow);
	else
		answer_hold(t, flow);
}

/* A datagram is judged by itself: its socket may go on to ask for what is allowed, and a forged
 * answer must not end it. What is held are parts of the same unit. */
static void deny_datagram(struct turn *t, struct worker *w, struct flow *flow)
{
	counter_inc(w->setup.counters, COUNTER_REFUSED);
	if (t->dir == 0 && flow->n_held > 0) {
		held_discard(w, flow);
		flow->deadline_ns = 0;
	}
	if (t->dir == 0)
		refuse_datagram(t);
	answer_drop(t);
}

void settle(struct turn *t, struct worker *w, struct flow *flow, enum inspect_status status)
{
	/* What was denied stays so, whatever its server makes of the connection. */
	if (flow->is_parting && status == INSPECT_FINAL)
		status = INSPECT_DENY;
	switch (status) {
	case INSPECT_WAIT:
		wait(t, w, flow);
		return;
	case INSPECT_PASS:
		let_pass(t, w, flow);
		return;
	case INSPECT_FINAL:
		let_go(t, w, flow);
		return;
	case INSPECT_DENY:
		if (t && !t->is_answered && flow->ip_proto == IPPROTO_UDP &&
		    flow->phase == FLOW_INSPECTING)
			deny_datagram(t, w, flow);
		else
			deny(t, w, flow);
		return;
	}
}

void deny_connection(struct worker *w, struct flow *f, enum reason reason)
{
	struct policy_decision d = {
		.verdict = VERDICT_DENY,
		.mode = MODE_ENFORCE,
		.reason = reason,
		.rule = POLICY_NO_RULE,
		.log_deny = true,
	};
	f->verdict = VERDICT_DENY;
	f->reason = (uint8_t)reason;
	f->mode = MODE_ENFORCE;
	f->rule = POLICY_NO_RULE;
	record_violation(w, f, &d, NULL, NULL);
}
