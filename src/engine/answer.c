/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one place where a packet's verdict is given, now or later. A packet is answered exactly once.
 * Marks ride on accepted packets: the kernel saves them to the connection (mangle POSTROUTING) and
 * stops sending what needs no judgement.
 */
#include "engine/internal.h"

#include <netinet/in.h>

/* Puts the flow's mark into the verdict where the kernel does not have it yet. */
static void add_mark(const struct worker *w, struct flow *flow, uint32_t mark,
		     struct capture_verdict *v)
{
	if (flow->mark == flow->kernel_mark)
		return;
	uint32_t mask = w->settings->mark_mask;
	v->set_mark = true;
	v->mark =
		(mark & ~mask) | mark_value(mask, w->settings->epoch, (enum mark_state)flow->mark);
	flow->kernel_mark = flow->mark;
}

/* A bare acknowledgement stands where its sender is, and carries none of the bytes before it. */
static void note_sent(struct flow *flow, unsigned dir, uint32_t seq, uint32_t n)
{
	struct half *h = &flow->half[dir];
	if (flow->ip_proto == IPPROTO_TCP && h->is_tracked && n > 0)
		h->top = seq_max(h->top, seq + n);
}

void answer_accept(struct turn *t, struct flow *flow)
{
	struct capture_verdict v = {.id = t->cp->id, .accept = true};
	if (flow) {
		add_mark(t->w, flow, t->cp->mark, &v);
		note_sent(flow, t->dir, t->p.seq, (uint32_t)t->p.data.n);
	}
	bool is_changed = t->is_changed && binds(t->w, flow);
	if (is_changed) {
		packet_fix_checksums(&t->p, t->cp->data);
		v.data = t->cp->data;
		v.n = (uint32_t)t->p.raw.n;
	}
	counter_inc(t->w->setup.counters, is_changed ? COUNTER_REWRITTEN : COUNTER_ACCEPTED);
	t->is_answered = true;
	t->w->setup.out.verdict(t->w->setup.out.ctx, &v);
}

static void drop_id(struct worker *w, uint64_t id)
{
	const struct capture_verdict v = {.id = id};
	counter_inc(w->setup.counters, COUNTER_DROPPED);
	w->setup.out.verdict(w->setup.out.ctx, &v);
}

void answer_drop(struct turn *t)
{
	t->is_answered = true;
	drop_id(t->w, t->cp->id);
}

enum { HELD_PER_FLOW = 64 };

void held_init(struct worker *w)
{
	w->free_held = FLOW_NIL;
	for (uint32_t i = w->setup.max_held; i > 0; i--) {
		w->held[i - 1].next = w->free_held;
		w->free_held = i - 1;
	}
}

void answer_hold(struct turn *t, struct flow *flow)
{
	struct worker *w = t->w;
	uint32_t i = w->free_held;
	/* A changed packet would leave with its old bytes; dropped, its resend meets the canonical
	 * ones. */
	if (i == FLOW_NIL || flow->n_held == HELD_PER_FLOW || t->is_changed) {
		if (!t->is_changed)
			counter_inc(w->setup.counters, COUNTER_HELD_FULL);
		answer_drop(t);
		return;
	}
	w->free_held = w->held[i].next;
	w->held[i] = (struct held){
		.id = t->cp->id,
		.mark = t->cp->mark,
		.next = FLOW_NIL,
		.seq = t->p.seq,
		.n = (uint32_t)t->p.data.n,
		.dir = (uint8_t)t->dir,
	};
	uint32_t *at = &flow->held;
	while (*at != FLOW_NIL)
		at = &w->held[*at].next;
	*at = i;
	flow->n_held++;
	t->is_answered = true;
	counter_inc(w->setup.counters, COUNTER_HELD);
}

static void accept_held(struct worker *w, struct flow *flow, const struct held *held)
{
	struct capture_verdict v = {.id = held->id, .accept = true};
	add_mark(w, flow, held->mark, &v);
	note_sent(flow, held->dir, held->seq, held->n);
	counter_inc(w->setup.counters, COUNTER_ACCEPTED);
	w->setup.out.verdict(w->setup.out.ctx, &v);
}

/* Takes the packets of these sides off the list and answers them in the order in which they came.
 */
static void answer_sides(struct worker *w, struct flow *flow, const bool side[2], bool accept)
{
	uint32_t *at = &flow->held;
	while (*at != FLOW_NIL) {
		uint32_t i = *at;
		struct held *held = &w->held[i];
		if (!side[held->dir]) {
			at = &held->next;
			continue;
		}
		*at = held->next;
		if (accept && !held->is_stale)
			accept_held(w, flow, held);
		else
			drop_id(w, held->id);
		held->next = w->free_held;
		w->free_held = i;
		flow->n_held--;
	}
}

void held_release(struct worker *w, struct flow *flow, const bool side[2])
{
	answer_sides(w, flow, side, true);
}

void held_discard(struct worker *w, struct flow *flow)
{
	static const bool both[2] = {true, true};
	answer_sides(w, flow, both, false);
}

void held_mark_stale(struct worker *w, struct flow *flow, unsigned dir, uint32_t seq, uint32_t n)
{
	for (uint32_t i = flow->held; i != FLOW_NIL; i = w->held[i].next) {
		struct held *held = &w->held[i];
		if (held->dir == dir && seq_before(held->seq, seq + n) &&
		    seq_before(seq, held->seq + held->n))
			held->is_stale = true;
	}
}

/* What has no flow and so no judgement. */
void answer_unjudged(struct turn *t)
{
	if (binds(t->w, NULL))
		answer_drop(t);
	else
		answer_accept(t, NULL);
}
