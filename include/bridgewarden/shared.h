/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory that the control process and the engine process share, and how the two find their way in
 * it.
 *
 * All of it is memfd, created and sized by the control process, mapped by both. It outlives an
 * engine: the next engine goes on from the same flow table, queue descriptors, rings and counters.
 *
 *   counters   one block per worker. Writer: the worker (relaxed stores). Readers: anyone (relaxed
 * loads). ring       one per worker, single producer (worker), single consumer (control);
 * src/base/ring.h. flows      one region per worker; src/flow/table.h. Writer: the worker; the
 * control process reads racily for `flows`, checking the flow's sequence number before and after.
 */
#ifndef BRIDGEWARDEN_SHARED_H
#define BRIDGEWARDEN_SHARED_H

#include "bridgewarden/verdict.h"

#include <stdatomic.h>
#include <stdint.h>

enum {
	SHARED_WORKERS_MAX = 16,
	SHARED_RING_BYTES = 4 << 20, /* per worker; power of two */
};

/* counter(SYMBOL, "name in status and metrics", "what it counts") */
/* clang-format off */
#define COUNTERS(counter) \
	counter(PACKETS, "packets", "packets that came up for judgement") \
	counter(BYTES, "bytes", "their bytes, headers included") \
	counter(ACCEPTED, "accepted", "packets accepted as they were") \
	counter(REWRITTEN, "rewritten", "packets accepted after a change (normalised or canonical bytes)") \
	counter(DROPPED, "dropped", "packets dropped by a verdict") \
	counter(HELD, "held", "packets whose verdict had to wait for more evidence") \
	counter(INJECTED, "injected", "resets and ICMP errors sent") \
	counter(INJECT_ERRORS, "inject_errors", "resets and ICMP errors that could not be sent") \
	counter(INVALID, "invalid", "packets that are not valid (length, checksum, options, flags)") \
	counter(SPOOFED, "spoofed", "packets whose link address does not belong to their source address") \
	counter(FLOWS_NEW, "flows_new", "flows begun") \
	counter(FLOWS_CLOSED, "flows_closed", "flows ended") \
	counter(FLOWS_OFFLOADED, "flows_offloaded", "flows handed to the kernel") \
	counter(FLOWS_FULL, "flows_full", "new flows refused because engine.max_flows was reached") \
	counter(HELD_FULL, "held_full", "segments dropped because engine.max_held_bytes was reached") \
	counter(HELD_EVICTED, "held_evicted", "flows ended because memory was short and they kept theirs without moving") \
	counter(HOLD_TIMEOUT, "hold_timeout", "flows whose first bytes did not identify a protocol in time") \
	counter(MIDSTREAM, "midstream", "packets of TCP connections whose beginning was not seen") \
	counter(STATE_LOST, "state_lost", "flows that an engine's death left half changed") \
	counter(RETRANSMITS, "retransmits", "segments with bytes that were seen before") \
	counter(OVERLAP_DIFFERS, "overlap_differs", "resent bytes that differed and were put right") \
	counter(OUT_OF_ORDER, "out_of_order", "segments that came before their turn") \
	counter(NORMALISED, "normalised", "packets cleaned (options, urgent, reserved bits, SYN payload)") \
	counter(OUT_OF_WINDOW, "out_of_window", "segments or resets dropped for sequence or acknowledgement numbers") \
	counter(REQUESTS, "requests", "requests judged") \
	counter(VIOLATIONS, "violations", "denials, enforced or not") \
	counter(REFUSED, "refused", "denials that were enforced") \
	counter(OPAQUE, "opaque", "connections allowed although they cannot be read") \
	counter(EVENTS_LOST, "events_lost", "records dropped because the ring was full") \
	counter(RECV_ERRORS, "recv_errors", "netlink receive errors survived") \
	counter(SEND_ERRORS, "send_errors", "netlink verdict errors survived") \
	counter(ENOBUFS, "enobufs", "times the queue socket's buffer overflowed") \
	counter(STALE_IDS, "stale_ids", "packets dropped because a former engine had read them unanswered") \
	counter(FLOODS, "floods", "times new connections came faster than they could be judged") \
	counter(HEARTBEAT, "heartbeat", "turns of the worker loop; the watchdog reads it") \
	counter(GENERATION, "generation", "generation of the policy image in use (a gauge)") \
	counter(FLOWS_LIVE, "flows_live", "flows in the table (a gauge)") \
	counter(CHUNKS_LIVE, "chunks_live", "blocks of held or canonical bytes in use (a gauge)")
/* clang-format on */

enum counter {
#define counter(symbol, name, text) COUNTER_##symbol,
	COUNTERS(counter)
#undef counter
		N_COUNTERS
};

const char *counter_name(enum counter c);
const char *counter_text(enum counter c);

/* Writer: worker i. Readers: any, relaxed. */
struct shared_counters {
	_Alignas(64) _Atomic uint64_t value[N_COUNTERS];
	_Atomic uint64_t denied[N_REASONS]; /* denials by reason */
};

static inline void counter_add(struct shared_counters *c, enum counter which, uint64_t n)
{
	/* One writer: a plain read is enough, the store must only not tear. */
	uint64_t now = atomic_load_explicit(&c->value[which], memory_order_relaxed);
	atomic_store_explicit(&c->value[which], now + n, memory_order_relaxed);
}

static inline void counter_inc(struct shared_counters *c, enum counter which)
{
	counter_add(c, which, 1);
}

static inline void counter_set(struct shared_counters *c, enum counter which, uint64_t n)
{
	atomic_store_explicit(&c->value[which], n, memory_order_relaxed);
}

static inline uint64_t counter_get(const struct shared_counters *c, enum counter which)
{
	return atomic_load_explicit(&c->value[which], memory_order_relaxed);
}

/*
 * The connmark bits that are ours (policy_settings.mark_mask): two bits of state, the rest the
 * epoch. The kernel's rules match whole values, so a mark of another epoch is no mark at all: a new
 * epoch brings every flow back.
 */
enum mark_state { MARK_NONE, MARK_BOTH, MARK_REQUESTS, MARK_OFFLOADED };

static inline uint32_t mark_value(uint32_t mask, uint32_t epoch, enum mark_state state)
{
	uint32_t low = mask & (~mask + 1u); /* the lowest bit of the mask */
	return (((epoch << 2) | (uint32_t)state) * low) & mask;
}

#endif
