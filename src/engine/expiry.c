/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ends that nobody says: deadlines, idle flows, and who makes room when the table or the
 * memory for bytes is full. A part of the table is looked at per tick, so that a full one costs no
 * more than an empty one.
 */
#include "engine/internal.h"

#include <netinet/in.h>

#define SECONDS UINT64_C(1000000000)
#define DAYS	(86400 * SECONDS)

enum {
	SWEEP_PER_TICK = 1024,
	SWEEP_WHEN_SHORT = 16 * SWEEP_PER_TICK,
	EVICT_LOOK = 64, /* flows that a newcomer looks at when the table is full */
};

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

bool expiry_make_room(struct worker *w)
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
		turn_end(w, f);
		return true;
	}
	return false;
}

static void waited_long_enough(struct worker *w, struct flow *f)
{
	bool was_waiting = f->phase == FLOW_WAITING;
	if (f->is_leaving)
		farewell_end(w, f);
	if (f->phase != FLOW_IDENTIFYING && f->phase != FLOW_INSPECTING && !was_waiting)
		return;
	if (f->is_parting) {
		if (farewell_is_late(w, f))
			settle_denied(NULL, w, f);
		return;
	}
	f->deadline_ns = 0;
	/* Nobody's now: in a file that only watches just a rule that is enforced for anybody binds
	 * it. */
	bool passes =
		w->settings->unknown_then == VERDICT_ALLOW || w->settings->mode != MODE_ENFORCE;
	if (was_waiting && passes) {
		sides_resume(w, f);
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
		sides_refresh(NULL, w, f);
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
		turn_end(w, f);
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
	turn_end(w, f);
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

void expiry_run(struct worker *w)
{
	run_deadlines(w);
	sweep(w);
}
