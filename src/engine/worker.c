/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/internal.h"

#include "flow/tcp.h"
#include "packet/decode.h"
#include "stream/reasm.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#define SECONDS	     UINT64_C(1000000000)
#define DAYS	     (86400 * SECONDS)
#define MILLISECONDS UINT64_C(1000000)

enum {
	SWEEP_PER_TICK = 1024,
	SWEEP_WHEN_SHORT = 16 * SWEEP_PER_TICK,
	EVICT_LOOK = 64, /* flows that a newcomer looks at when the table is full */
};

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

static void end_turn(struct worker *w, struct flow *f)
{
	flow_end_turn(&w->shard, f);
	record_refusal(w, "drop"); /* nobody was told */
	w->inspect.n_refusal = 0;
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

/* ---- one flow at a time ---- */

/* Who the two sides are, in the image of now. False: a managed address that nobody owns (yet). */
static bool identify_sides(struct worker *w, struct flow *f)
{
	struct policy_owner from = policy_owner(w->image, &f->addr[0]);
	struct policy_owner to = policy_owner(w->image, &f->addr[1]);
	f->subject = (struct policy_subject){
		.from = from.identity,
		.to = to.identity,
		.to_port =
			f->ip_proto == IPPROTO_TCP || f->ip_proto == IPPROTO_UDP ? f->port[1] : 0,
		.ip_proto = f->ip_proto,
		.from_container = from.is_container,
		.to_container = to.is_container,
	};
	memcpy(f->mac[0], from.mac, 6);
	memcpy(f->mac[1], to.mac, 6);
	f->has_mac[0] = from.has_mac;
	f->has_mac[1] = to.has_mac;
	f->generation = w->settings->generation;
	return from.is_known && to.is_known;
}

/* A side whose link address is not known (it is beyond the gateway) still cannot have the other
 * side's. */
static bool is_spoofed(const struct flow *f, unsigned dir, const struct capture_packet *cp)
{
	if (!cp->has_mac)
		return false;
	if (f->has_mac[dir])
		return memcmp(f->mac[dir], cp->mac, 6) != 0;
	return f->has_mac[!dir] && memcmp(f->mac[!dir], cp->mac, 6) == 0;
}

/* What has no flow and so no judgement. */
static void answer_unjudged(struct turn *t)
{
	if (binds(t->w, NULL))
		answer_drop(t);
	else
		answer_accept(t, NULL);
}

static void deny_connection(struct worker *w, struct flow *f, enum reason reason)
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

/* ---- new flows ---- */

static struct flow_key key_of(const struct packet *p)
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

/* Nobody took the answer to its SYN for a second: what a SYN flood leaves of a server that answers.
 * A side that took it says a window (tcp_begin_half says which edge stands before that). */
static bool is_half_open(const struct worker *w, const struct flow *f)
{
	const struct half *answer = &f->half[1];
	return f->tcp == FLOW_TCP_OPEN && answer->is_tracked && answer->edge == answer->isn + 2 &&
	       w->now.mono_ns - f->seen_ns > SECONDS;
}

/* Forgotten, it is judged anew if it lives: what nobody answered (THREATS T67), what is over or
 * refused, and what passes because of its addresses alone. */
static bool is_dispensable(const struct worker *w, const struct flow *f)
{
	if (f->phase == FLOW_PASSED && f->app == POLICY_APP_NONE && f->pass_reason == REASON_NONE)
		return true;
	if (w->settings->midstream == VERDICT_ALLOW)
		return false; /* whatever is forgotten would pass unjudged */
	return f->phase == FLOW_DENIED || f->tcp == FLOW_TCP_SYN_SENT ||
	       f->tcp == FLOW_TCP_CLOSED || is_half_open(w, f);
}

static bool make_room(struct worker *w)
{
	uint32_t used = atomic_load_explicit(&w->shard.header->high_water, memory_order_relaxed);
	for (unsigned n = 0; n < EVICT_LOOK; n++) {
		if (w->sweep >= used)
			w->sweep = 0;
		struct flow *f = &w->shard.flows[w->sweep++];
		if (f->phase == FLOW_FREE || !is_dispensable(w, f))
			continue;
		flow_begin(&w->shard, f);
		flow_close(w, f, FLOW_END_EVICTED);
		end_turn(w, f);
		return true;
	}
	return false;
}

static struct flow *create_flow(struct worker *w, const struct packet *p)
{
	struct flow_key key = key_of(p);
	struct flow *f = flow_add(&w->shard, &key, w->setup.number);
	if (!f && make_room(w))
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

/* A bundle is judged as one and received as many: what hides in its middle would be a datagram of
 * its own. */
static enum inspect_status look_into_datagram(struct turn *t, struct flow *f)
{
	if (t->cp->is_bundle)
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
		status = look_into_datagram(t, f);
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

static void new_flow(struct turn *t)
{
	struct worker *w = t->w;
	struct flow *f = create_flow(w, &t->p);
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
	bool known = identify_sides(w, f);
	if (is_spoofed(f, 0, t->cp) && binds(w, NULL)) {
		refuse_spoofed(t, f);
	} else if (!known && binds(w, NULL)) {
		wait_for_identity(t, f);
	} else {
		open_flow(t, f);
	}
	end_turn(w, f);
}

/* ---- connections whose beginning was not seen ---- */

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
	if (!identify_sides(w, f))
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

static void midstream(struct turn *t)
{
	struct worker *w = t->w;
	counter_inc(w->setup.counters, COUNTER_MIDSTREAM);
	struct flow *f = t->p.tcp_flags & TCP_RST ? NULL : create_flow(w, &t->p);
	if (!f) {
		answer_unjudged(t);
		return;
	}
	enum inspect_status status = judge_midstream(t, f, false);
	bool spoofed = is_spoofed(f, 0, t->cp);
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
	end_turn(w, f);
}

/* ---- packets of known flows ---- */

/* The flow was handed to the kernel and would now have to be read: its bytes are lost to us. */
static enum inspect_status passed_needs_inspection(struct worker *w, struct flow *f)
{
	if (w->settings->midstream == VERDICT_ALLOW || !f->is_enforced)
		return INSPECT_FINAL;
	deny_connection(w, f, REASON_MIDSTREAM);
	return INSPECT_DENY;
}

/* A waiting flow whose sides are known now. */
static void resume_waiting(struct turn *t, struct worker *w, struct flow *f)
{
	static const bool opener[2] = {true, false};
	f->deadline_ns = 0;
	f->phase = FLOW_IDENTIFYING;
	enum inspect_status status = inspect_rejudge(&w->inspect, f);
	if (status == INSPECT_WAIT && f->ip_proto == IPPROTO_TCP) {
		f->mark = MARK_BOTH;
		flow_set_deadline(w, f, w->setup.silent_timeout_ns);
		held_release(w, f, opener); /* SYNs only: nothing else can come before an answer */
	} else if (status == INSPECT_WAIT) {
		/* The datagram's bytes are gone: drop it, its sender asks again. */
		held_discard(w, f);
	} else {
		settle(t, w, f, status);
	}
}

/* The image changed since the flow was judged. */
static void refresh(struct turn *t /* or NULL */, struct worker *w, struct flow *f)
{
	if (f->epoch != w->settings->epoch)
		f->kernel_mark = MARK_NONE; /* marks of another epoch mean nothing to the kernel */
	f->epoch = w->settings->epoch;
	bool known = identify_sides(w, f);
	if (f->phase == FLOW_DENIED || (f->phase == FLOW_WAITING && !known))
		return;
	if (f->phase == FLOW_WAITING) {
		resume_waiting(NULL, w, f);
		return;
	}
	enum inspect_status status = inspect_rejudge(&w->inspect, f);
	if (f->phase == FLOW_PASSED && (status == INSPECT_WAIT || status == INSPECT_PASS))
		status = passed_needs_inspection(w, f);
	if (status == INSPECT_DENY || (status == INSPECT_FINAL && f->phase != FLOW_PASSED))
		settle(t, w, f, status);
}

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
	enum inspect_status status = segment_take(t, f);
	if (!t->is_answered || status == INSPECT_DENY || status == INSPECT_FINAL)
		settle(t, w, f, status);
}

static void judge_datagram(struct turn *t, struct flow *f)
{
	if (f->ip_proto != IPPROTO_UDP) {
		answer_accept(
			t, f); /* ICMP of a flow that was allowed and is not passed: shadow mode */
		return;
	}
	settle(t, t->w, f, look_into_datagram(t, f));
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

/* In an image newer than the flow's, its addresses may have changed hands. */
static bool has_false_source(struct turn *t, const struct flow *f)
{
	if (f->generation == t->w->settings->generation)
		return is_spoofed(f, t->dir, t->cp);
	struct flow now = *f;
	(void)identify_sides(t->w, &now); /* only the link addresses matter here */
	return is_spoofed(&now, t->dir, t->cp);
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
		refresh(t, w, f);
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
	struct flow *f = create_flow(w, &swapped);
	if (!f) {
		answer_unjudged(t);
		return;
	}
	tcp_begin_pending(f, pending);
	(void)identify_sides(w, f); /* the older connection's sides; unknown ones are strangers */
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
	end_turn(w, f);
}

/* Who sent it comes first: a forged packet must not move the state of the connection that it
 * imitates. */
static void known_flow(struct turn *t, struct flow *f)
{
	struct worker *w = t->w;
	enum tcp_fate fate = TCP_STOP;
	flow_begin(&w->shard, f);
	w->client_ack = t->dir == 0 ? t->p.ack : f->half[1].acked;
	if (has_false_source(t, f) && binds(w, f)) {
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
	end_turn(w, f);
	if (fate == TCP_REOPEN)
		new_flow(t);
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
		new_flow(t);
	} else {
		midstream(t);
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
	struct flow_key key = key_of(&t.p);
	struct flow *f = flow_find(&w->shard, &key, &t.dir);
	if (t.p.ip_proto == IPPROTO_TCP)
		tcp_packet(&t, f);
	else if (f)
		known_flow(&t, f);
	else
		new_flow(&t);
	assert(t.is_answered);
}

/* ---- time ---- */

static void waited_long_enough(struct worker *w, struct flow *f)
{
	bool was_waiting = f->phase == FLOW_WAITING;
	if (f->is_leaving)
		farewell_end(w, f);
	if (f->phase != FLOW_IDENTIFYING && f->phase != FLOW_INSPECTING && !was_waiting)
		return;
	f->deadline_ns = 0;
	/* Nobody's now: in a file that only watches just a rule that is enforced for anybody binds
	 * it. */
	bool passes =
		w->settings->unknown_then == VERDICT_ALLOW || w->settings->mode != MODE_ENFORCE;
	if (was_waiting && passes) {
		resume_waiting(NULL, w, f);
		return;
	}
	if (was_waiting) {
		deny_connection(w, f, REASON_UNKNOWN_IDENTITY);
		settle(NULL, w, f, INSPECT_DENY);
		return;
	}
	/* Both sides closed without a word: nobody waits for anything. */
	if (f->tcp == FLOW_TCP_CLOSED)
		return;
	/* The mark of what passes now is of the epoch of now. */
	if (f->generation != w->settings->generation)
		refresh(NULL, w, f);
	if (f->phase == FLOW_DENIED || f->phase == FLOW_PASSED)
		return;
	counter_inc(w->setup.counters, COUNTER_HOLD_TIMEOUT);
	settle(NULL, w, f, inspect_give_up(&w->inspect, f, REASON_HOLD_TIMEOUT));
}

static void run_deadlines(struct worker *w)
{
	struct deadline d;
	while (deadlines_take(&w->deadlines, w->now.mono_ns, &d)) {
		struct flow *f = &w->shard.flows[d.flow];
		if (f->phase == FLOW_FREE || f->id != d.flow_id || f->deadline_ns == 0)
			continue;
		if (f->deadline_ns > w->now.mono_ns)
			continue; /* it was moved: the entry for the new time is in the heap too */
		flow_begin(&w->shard, f);
		waited_long_enough(w, f);
		end_turn(w, f);
	}
}

static uint64_t idle_limit(const struct flow *f)
{
	if (f->phase == FLOW_DENIED)
		return 30 * SECONDS;
	if (f->ip_proto != IPPROTO_TCP)
		return 180 * SECONDS;
	if (f->phase == FLOW_WAITING || f->half[1].packets == 0)
		return 30 * SECONDS; /* never answered */
	switch ((enum flow_tcp)f->tcp) {
	case FLOW_TCP_SYN_SENT:
		return 30 * SECONDS;
	case FLOW_TCP_CLOSING:
		return 300 * SECONDS;
	case FLOW_TCP_CLOSED:
		return 5 * SECONDS;
	case FLOW_TCP_NONE:
	case FLOW_TCP_OPEN:
		break;
	}
	return 5 * DAYS; /* as long as the kernel remembers an established connection */
}

static bool memory_is_short(const struct worker *w)
{
	const struct chunk_pool *pool = &w->shard.chunks;
	return pool->n_used > pool->n_chunks - pool->n_chunks / 4;
}

/* Keeps bytes of unfinished units or for resends, and has not moved for as long as a hold may last.
 * Where memory is short a crowd of those would stop everybody else. */
static bool is_hoarding(const struct worker *w, const struct flow *f)
{
	bool is_followed = f->phase == FLOW_IDENTIFYING || f->phase == FLOW_INSPECTING;
	return is_followed && f->is_enforced && f->half[0].kept + f->half[1].kept > 0 &&
	       w->now.mono_ns - f->seen_ns > w->setup.hold_timeout_ns;
}

static void evict_hoarder(struct worker *w, struct flow *f)
{
	counter_inc(w->setup.counters, COUNTER_HELD_EVICTED);
	deny_connection(w, f, REASON_MEMORY);
	settle(NULL, w, f, INSPECT_DENY);
}

/* What the heap of deadlines had no room for is found here. */
static void sweep_flow(struct worker *w, struct flow *f)
{
	/* A new connection of the tuple may wait for its answer in the record of the older one. */
	uint64_t seen_ns = f->pending.seen_ns > f->seen_ns ? f->pending.seen_ns : f->seen_ns;
	bool is_over = w->now.mono_ns - seen_ns > idle_limit(f);
	bool is_due = f->deadline_ns != 0 && f->deadline_ns <= w->now.mono_ns;
	bool is_hoard = memory_is_short(w) && is_hoarding(w, f);
	if (f->phase == FLOW_FREE || (!is_over && !is_due && !is_hoard))
		return;
	flow_begin(&w->shard, f);
	if (is_over)
		flow_close(w, f, FLOW_END_TIMEOUT);
	else if (is_due)
		waited_long_enough(w, f);
	else
		evict_hoarder(w, f);
	end_turn(w, f);
}

static void sweep(struct worker *w)
{
	uint32_t used = atomic_load_explicit(&w->shard.header->high_water, memory_order_relaxed);
	uint32_t most = memory_is_short(w) ? SWEEP_WHEN_SHORT : SWEEP_PER_TICK;
	for (uint32_t n = used < most ? used : most; n > 0; n--) {
		if (w->sweep >= used)
			w->sweep = 0;
		sweep_flow(w, &w->shard.flows[w->sweep++]);
	}
}

void worker_tick(struct worker *w, struct engine_time now)
{
	w->now = now;
	run_deadlines(w);
	sweep(w);
	counter_set(w->setup.counters, COUNTER_FLOWS_LIVE, w->shard.n_flows);
	counter_set(w->setup.counters, COUNTER_CHUNKS_LIVE, w->shard.chunks.n_used);
}

/* Flows that wait for an identity are asked at once; the others at their next packet. */
static void retry_waiting(struct worker *w)
{
	for (size_t i = 0; i < w->deadlines.n; i++) {
		struct flow *f = &w->shard.flows[w->deadlines.heap[i].flow];
		if (f->phase != FLOW_WAITING || f->id != w->deadlines.heap[i].flow_id)
			continue;
		flow_begin(&w->shard, f);
		f->epoch = w->settings->epoch;
		if (identify_sides(w, f))
			resume_waiting(NULL, w, f);
		end_turn(w, f);
	}
}

void worker_use_image(struct worker *w, const struct policy_image *image, struct engine_time now)
{
	w->now = now;
	w->image = image;
	w->inspect.image = image;
	w->settings = policy_settings(image);
	retry_waiting(w);
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
		end_turn(w, f);
	}
}
