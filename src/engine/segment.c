/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The payload of a followed TCP flow: made canonical, shown to the dissector, then passed, held or
 * denied. The segment's own bytes are put right in place, so whatever leaves is what was judged
 * (THREATS R3, R4, R8).
 */
#include "engine/internal.h"

#include "flow/tcp.h"
#include "stream/reasm.h"

/* Cuts what lies beyond the canonical FIN and takes away a FIN that stands elsewhere (T29 to T32).
 */
static void keep_to_fin(struct turn *t, const struct half *h)
{
	struct packet *p = &t->p;
	uint32_t end = p->seq + (uint32_t)p->data.n;
	if (seq_after(end, h->fin)) {
		uint32_t keep = seq_before(p->seq, h->fin) ? h->fin - p->seq : 0;
		t->is_changed |= p->data.n > keep;
		packet_trim_data(p, t->cp->data, keep);
	}
	bool has_fin = p->tcp_flags & TCP_FIN;
	if (has_fin && p->seq + (uint32_t)p->data.n != h->fin) {
		packet_clear_flags(p, t->cp->data, TCP_FIN);
		t->is_changed = true;
	}
}

/* One past the last byte that came, gaps or not. */
static uint32_t end_of_all(const struct turn *t, const struct half *h)
{
	if (h->last == FLOW_NIL)
		return h->next;
	const struct chunk *last = &t->w->shard.chunks.chunks[h->last];
	return seq_max(h->next, last->seq + last->n);
}

/* A FIN is canonical when nothing that came before lies behind it. */
static bool fin_is_plausible(const struct turn *t, const struct half *h)
{
	uint32_t at = t->p.seq + (uint32_t)t->p.data.n;
	return !seq_before(at, end_of_all(t, h));
}

static void take_fin(struct turn *t, struct half *h)
{
	if (h->has_fin) {
		keep_to_fin(t, h);
	} else if (t->p.tcp_flags & TCP_FIN) {
		if (fin_is_plausible(t, h)) {
			h->has_fin = true;
			h->fin = t->p.seq + (uint32_t)t->p.data.n;
		} else {
			packet_clear_flags(&t->p, t->cp->data, TCP_FIN);
			t->is_changed = true;
		}
	}
}

static bool store(struct turn *t, struct half *h)
{
	struct shared_counters *c = t->w->setup.counters;
	uint8_t *data = t->cp->data + t->p.data_at;
	uint32_t n = (uint32_t)t->p.data.n;
	if (seq_after(t->p.seq, h->next))
		counter_inc(c, COUNTER_OUT_OF_ORDER);
	struct reasm_result r = reasm_write(&t->w->shard.chunks, h, t->p.seq, data, n);
	if (r.rewritten)
		counter_inc(c, COUNTER_OVERLAP_DIFFERS);
	if (r.is_old)
		counter_inc(c, COUNTER_RETRANSMITS);
	t->is_changed |= r.rewritten;
	return r.status == REASM_OK;
}

void segment_take_again(struct turn *t, struct flow *flow)
{
	struct packet *p = &t->p;
	struct half *h = &flow->half[t->dir];
	uint32_t end = p->seq + (uint32_t)p->data.n;
	if (p->data.n > 0 && !seq_before(p->seq, h->passed)) {
		answer_drop(t);
		return;
	}
	if (seq_after(end, h->passed)) {
		packet_trim_data(p, t->cp->data, h->passed - p->seq);
		t->is_changed = true;
	}
	if (p->tcp_flags & TCP_FIN) {
		packet_clear_flags(p, t->cp->data, TCP_FIN);
		t->is_changed = true;
	}
	if (p->data.n > 0 && !store(t, h))
		answer_drop(t);
	else
		answer_accept(t, flow);
}

/* A side that is not followed: its bytes pass, nothing is learned. */
static bool is_unfollowed(const struct half *h)
{
	return h->is_blind || !h->is_tracked;
}

enum inspect_status segment_take(struct turn *t, struct flow *flow)
{
	struct half *h = &flow->half[t->dir];
	if (is_unfollowed(h)) {
		h->fin_passed |= (bool)(t->p.tcp_flags & TCP_FIN);
		if (flow->phase == FLOW_IDENTIFYING)
			pass_alone(t, flow);
		return INSPECT_PASS;
	}
	take_fin(t, h);
	if (t->p.data.n > 0 && !store(t, h)) {
		counter_inc(t->w->setup.counters, COUNTER_HELD_FULL);
		if (!binds(t->w, flow)) {
			flow->pass_reason = REASON_MEMORY;
			return INSPECT_FINAL;
		}
		answer_drop(t);
		return INSPECT_PASS;
	}
	if (h->next == h->fed && flow->phase == FLOW_INSPECTING)
		return INSPECT_PASS;
	/* Offered even when nothing new is in order: an engine before us may have died between
	 * storing and judging. */
	enum inspect_status status = inspect_stream(&t->w->inspect, flow, t->dir);
	/* An acknowledgement, or the farewell of a side that has nothing held, leaks nothing, and
	 * the peer needs it. */
	bool is_bare = t->p.data.n == 0 && (!(t->p.tcp_flags & TCP_FIN) || h->passed == h->next);
	if (status == INSPECT_WAIT && is_bare)
		pass_alone(t, flow);
	return status;
}
