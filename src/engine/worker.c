/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/internal.h"

#include "flow/tcp.h"
#include "packet/decode.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#define SECONDS UINT64_C(1000000000)

/* ---- life ---- */

static void hook_judged(void *ctx, struct flow *f, unsigned dir, const struct dis_event *event,
			const struct policy_decision *d)
{
	struct worker *w = ctx;
	if (event->kind == DIS_REQUEST && d->verdict == VERDICT_ALLOW) {
		f->has_asked = true;
		f->asked_ack = w->client_ack;
	}
	record_judged(w, f, dir, event, d);
}

static void hook_violation(void *ctx, struct flow *f, const struct policy_decision *d,
			   const char *found, const char *why)
{
	record_violation(ctx, f, d, found, why);
}

static void hook_edited(void *ctx, struct flow *f, unsigned dir, uint32_t seq, struct bytes with)
{
	struct worker *w = ctx;
	held_mark_stale(w, f, dir, seq, (uint32_t)with.n);
	w->has_edited = true;
}

void turn_end(struct worker *w, struct flow *f)
{
	flow_end_turn(&w->shard, f);
	record_refusal(w, "drop"); /* nobody was told */
	w->inspect.n_refusal = 0;
	w->inspect.is_refusal_due = false;
}

/* Flows that a predecessor left waiting are still to be decided in time. */
static void adopt_deadlines(struct worker *w)
{
	for (uint32_t i = 0; i < w->shard.header->high_water; i++) {
		const struct flow *f = &w->shard.flows[i];
		if (f->phase == FLOW_FREE || f->deadline_ns == 0)
			continue;
		const struct deadline d = {.at_ns = f->deadline_ns, .flow_id = f->id, .flow = i};
		(void)deadlines_add(&w->deadlines, &d); /* there is room for every flow */
	}
}

int worker_new(const struct worker_setup *setup, struct worker **out)
{
	struct worker *w = aligned_alloc(_Alignof(struct worker), sizeof(*w));
	if (!w)
		return -ENOMEM;
	memset(w, 0, sizeof(*w));
	w->setup = *setup;
	w->held = calloc(setup->max_held, sizeof(*w->held));
	uint32_t lost = shard_adopt(&w->shard, setup->shard);
	if (!w->held || lost == SHARD_NO_MEMORY ||
	    deadlines_init(&w->deadlines, 2 * (size_t)w->shard.header->max_flows) < 0) {
		worker_free(w);
		return -ENOMEM;
	}
	counter_add(setup->counters, COUNTER_STATE_LOST, lost);
	held_init(w);
	adopt_deadlines(w);
	w->inspect = (struct inspect){
		.shard = &w->shard,
		.scratch = w->scratch,
		.probe_state = w->probe_state,
		.refusal = w->refusal,
		.judged = hook_judged,
		.violation = hook_violation,
		.edited = hook_edited,
		.ctx = w,
	};
	*out = w;
	return 0;
}

void worker_free(struct worker *w)
{
	if (!w)
		return;
	deadlines_fini(&w->deadlines);
	free(w->held);
	free(w);
}

/* ---- packets of known flows ---- */

/* Something came up that the kernel should have passed by itself: it has not got the mark. */
static void renew_mark(struct turn *t, struct flow *f)
{
	if (t->p.ip_proto == IPPROTO_TCP && (t->p.tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST)))
		return;
	if (f->mark == MARK_OFFLOADED || (f->mark == MARK_REQUESTS && t->dir == 1))
		f->kernel_mark = MARK_NONE;
}

static void passed_packet(struct turn *t, struct flow *f)
{
	if (t->p.ip_proto == IPPROTO_TCP && (t->p.tcp_flags & (TCP_FIN | TCP_RST))) {
		bool reset = t->p.tcp_flags & TCP_RST;
		f->half[t->dir].fin_passed = true;
		f->end = reset ? FLOW_END_RST : FLOW_END_FIN;
		if (reset || f->half[!t->dir].fin_passed)
			f->tcp = FLOW_TCP_CLOSED;
	}
	renew_mark(t, f);
	settle_mark(t->w, f);
	answer_accept(t, f);
}

static void denied_packet(struct turn *t, struct flow *f)
{
	if (f->is_leaving) {
		farewell_packet(t, f);
		return;
	}
	refuse_packet(t->w, &t->p); /* the flow was reported when it was denied */
	answer_drop(t);
}

/* Handshake and resets carry no bytes that anybody may read. */
static void control_segment(struct turn *t, struct flow *f)
{
	if (t->p.data.n > 0 && binds(t->w, f)) {
		packet_trim_data(&t->p, t->cp->data, 0);
		t->is_changed = true;
	}
	if (t->p.tcp_flags & TCP_RST)
		f->end = FLOW_END_RST;
	answer_accept(t, f);
}

static void followed_segment(struct turn *t, struct flow *f)
{
	struct worker *w = t->w;
	if (t->p.tcp_flags & (TCP_SYN | TCP_RST)) {
		control_segment(t, f);
		return;
	}
	renew_mark(t, f);
	if (f->is_parting && t->dir == 0) {
		segment_take_again(t, f);
		return;
	}
	enum inspect_status status = segment_take(t, f);
	if (!t->is_answered || status == INSPECT_DENY || status == INSPECT_FINAL)
		settle(t, w, f, status);
	if (f->is_parting && t->dir == 1)
		farewell_retry(t, f);
}

static void judge_datagram(struct turn *t, struct flow *f)
{
	if (f->ip_proto != IPPROTO_UDP) {
		answer_accept(
			t, f); /* ICMP of a flow that was allowed and is not passed: shadow mode */
		return;
	}
	settle(t, t->w, f, opening_datagram(t, f));
}

static void dispatch(struct turn *t, struct flow *f)
{
	switch ((enum flow_phase)f->phase) {
	case FLOW_WAITING:
		answer_hold(t, f);
		return;
	case FLOW_DENIED:
		denied_packet(t, f);
		return;
	case FLOW_PASSED:
		passed_packet(t, f);
		return;
	case FLOW_IDENTIFYING:
	case FLOW_INSPECTING:
		if (f->ip_proto == IPPROTO_TCP)
			followed_segment(t, f);
		else
			judge_datagram(t, f);
		return;
	case FLOW_FREE:
		break; /* is in no hash chain */
	}
	assert(!"a free flow was found");
}

static bool opens_connection(const struct packet *p)
{
	return (p->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
}

/* What the packet does to the flow's life, before anybody looks into it. */
static enum tcp_fate track(struct turn *t, struct flow *f)
{
	if (f->ip_proto != IPPROTO_TCP) {
		bool was_refused_by_another_policy =
			f->phase == FLOW_DENIED && f->generation != t->w->settings->generation;
		return was_refused_by_another_policy ? TCP_REOPEN : TCP_GO;
	}
	/* Its SYN is held: nobody can have answered it, nor can it have been followed by data. */
	if (f->phase == FLOW_WAITING && (t->dir != 0 || !opens_connection(&t->p)))
		return TCP_STOP;
	enum tcp_fate fate = tcp_track(f, t->dir, &t->p);
	return fate == TCP_STOP && f->phase == FLOW_DENIED ? TCP_GO : fate;
}

enum { PENDING_SECONDS = 75 }; /* a SYN that nobody answered so long is no connection any more */

/* Until the answer comes, nothing may run past us under the mark of the older connection. */
static void pass_pending(struct turn *t, struct flow *f)
{
	tcp_pend(f, &t->p, t->w->now.mono_ns);
	f->mark = MARK_BOTH;
	f->kernel_mark = MARK_NONE;
	control_segment(t, f);
}

static void take_packet(struct turn *t, struct flow *f)
{
	struct worker *w = t->w;
	f->seen_ns = w->now.mono_ns;
	if (f->seen_ns - f->pending.seen_ns > PENDING_SECONDS * SECONDS)
		f->pending.seen_ns = 0;
	f->half[t->dir].packets++;
	f->half[t->dir].bytes += t->p.raw.n;
	if (f->generation != w->settings->generation)
		sides_refresh(t, w, f);
	if (!t->is_answered)
		dispatch(t, f);
}

/* The receiver answered the pending SYN. The connection begins anew, and its SYN has passed. */
static void replace_flow(struct turn *t, const struct pending_syn *pending)
{
	struct worker *w = t->w;
	struct packet swapped = t->p;
	swapped.src = t->p.dst;
	swapped.dst = t->p.src;
	swapped.src_port = t->p.dst_port;
	swapped.dst_port = t->p.src_port;
	struct flow *f = opening_create(w, &swapped);
	if (!f) {
		answer_unjudged(t);
		return;
	}
	tcp_begin_pending(f, pending);
	(void)sides_identify(w, f); /* the older connection's sides; unknown ones are strangers */
	f->phase = FLOW_IDENTIFYING;
	f->mark = MARK_BOTH;
	flow_set_deadline(w, f, w->setup.silent_timeout_ns);
	enum inspect_status status = inspect_rejudge(&w->inspect, f);
	if (status != INSPECT_WAIT)
		settle(t, w, f, status);
	else if (track(t, f) == TCP_GO)
		take_packet(t, f);
	else
		answer_drop(t);
	turn_end(w, f);
}

/* Who sent it comes first: a forged packet must not move the state of the connection that it
 * imitates. */
static void known_flow(struct turn *t, struct flow *f)
{
	struct worker *w = t->w;
	enum tcp_fate fate = TCP_STOP;
	flow_begin(&w->shard, f);
	w->client_ack = t->dir == 0 ? t->p.ack : f->half[1].acked;
	if (sides_has_forged_source(t, f) && binds(w, f)) {
		counter_inc(w->setup.counters, COUNTER_SPOOFED);
	} else {
		fate = track(t, f);
		if (fate == TCP_STOP)
			counter_inc(w->setup.counters, COUNTER_OUT_OF_WINDOW);
	}
	const struct pending_syn pending = f->pending;
	if (fate == TCP_GO)
		take_packet(t, f);
	else if (fate == TCP_PEND)
		pass_pending(t, f);
	else if (fate == TCP_STOP && binds(w, f))
		answer_drop(t);
	else if (fate == TCP_STOP)
		answer_accept(t,
			      f); /* nobody asked us to bind: it passes, but teaches us nothing */
	else
		flow_close(w, f, FLOW_END_EVICTED);
	turn_end(w, f);
	if (fate == TCP_REOPEN)
		opening_packet(t);
	else if (fate == TCP_REPLACE)
		replace_flow(t, &pending);
}

/* False: the segment cannot be made unambiguous. Whether the change is sent is for the verdict to
 * say: of a SYN it is not known yet if a rule binds it. */
static bool normalise(struct turn *t, const struct flow *f)
{
	bool may_bind = binds(t->w, f) || opens_connection(&t->p);
	enum clean_result cleaned = may_bind ? packet_clean_tcp(&t->p, t->cp->data) : CLEAN_SAME;
	if (cleaned == CLEAN_CHANGED) {
		counter_inc(t->w->setup.counters, COUNTER_NORMALISED);
		t->is_changed = true;
	}
	return cleaned != CLEAN_REFUSED || !binds(t->w, f);
}

static void tcp_packet(struct turn *t, struct flow *f)
{
	if (!normalise(t, f)) {
		counter_inc(t->w->setup.counters, COUNTER_INVALID);
		answer_drop(t);
	} else if (f) {
		known_flow(t, f);
	} else if (opens_connection(&t->p)) {
		opening_packet(t);
	} else {
		opening_midstream(t);
	}
}

static bool is_valid(const struct capture_packet *cp, struct packet *p)
{
	if (cp->is_cut || packet_decode(bytes_of(cp->data, cp->n), p) == PACKET_INVALID)
		return false;
	bool has_checksum = p->ip_proto == IPPROTO_TCP || p->ip_proto == IPPROTO_UDP;
	return cp->checksum_unfinished || cp->checksum_verified || !has_checksum ||
	       packet_checksum_ok(p);
}

void worker_packet(struct worker *w, struct capture_packet *cp, struct engine_time now)
{
	struct turn t = {.w = w, .cp = cp};
	w->now = now;
	w->has_edited = false;
	counter_inc(w->setup.counters, COUNTER_PACKETS);
	counter_add(w->setup.counters, COUNTER_BYTES, cp->n);
	if (!is_valid(cp, &t.p)) {
		counter_inc(w->setup.counters, COUNTER_INVALID);
		answer_unjudged(&t);
		return;
	}
	struct flow_key key = opening_key(&t.p);
	struct flow *f = flow_find(&w->shard, &key, &t.dir);
	if (t.p.ip_proto == IPPROTO_TCP)
		tcp_packet(&t, f);
	else if (f)
		known_flow(&t, f);
	else
		opening_packet(&t);
	assert(t.is_answered);
}

/* ---- time ---- */

void worker_tick(struct worker *w, struct engine_time now)
{
	w->now = now;
	expiry_run(w);
	counter_set(w->setup.counters, COUNTER_FLOWS_LIVE, w->shard.n_flows);
	counter_set(w->setup.counters, COUNTER_CHUNKS_LIVE, w->shard.chunks.n_used);
}

void worker_use_image(struct worker *w, const struct policy_image *image, struct engine_time now)
{
	w->now = now;
	w->image = image;
	w->inspect.image = image;
	w->settings = policy_settings(image);
	sides_retry(w);
	counter_set(w->setup.counters, COUNTER_GENERATION, w->settings->generation);
}

void worker_finish(struct worker *w, struct engine_time now)
{
	w->now = now;
	for (uint32_t i = 0; i < w->shard.header->high_water; i++) {
		struct flow *f = &w->shard.flows[i];
		if (f->phase == FLOW_FREE)
			continue;
		flow_begin(&w->shard, f);
		flow_close(w, f, FLOW_END_TIMEOUT);
		turn_end(w, f);
	}
}
