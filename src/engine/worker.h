/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One worker: a packet comes in, a verdict goes out. Owns one shard of the flow table; shares
 * nothing with other workers.
 *
 *   packet -> decode -> flow -> TCP (track, clean, reassemble) -> inspect -> verdict
 *                        |                                          |
 *                        +-- hold until more is known <-------------+
 *
 * Time comes with each call, so a capture file replays as the live engine would have judged it.
 * Every path ends in exactly one verdict per packet: accept, drop, or held and answered later.
 */
#ifndef ENGINE_WORKER_H
#define ENGINE_WORKER_H

#include "bridgewarden/events.h"
#include "bridgewarden/shared.h"
#include "capture/capture.h"
#include "inspect/inspect.h"

/* Monotonic for deadlines, real for records; nanoseconds. */
struct engine_time {
	uint64_t mono_ns, real_ns;
};

struct worker_setup {
	uint32_t number;
	void *shard;	   /* formatted region; borrowed */
	uint32_t max_held; /* packets that may wait for a verdict */
	uint64_t hold_timeout_ns, silent_timeout_ns;
	struct shared_counters *counters; /* borrowed */
	struct capture_out out;
	/* One record (bridgewarden/events.h). */
	void (*record)(void *ctx, const struct event_head *record);
	void *record_ctx;
};

struct worker;

int worker_new(const struct worker_setup *setup, struct worker **out);
void worker_free(struct worker *w); /* what is still held is dropped */
/* The image to judge by from now on; stays the caller's, and must outlive the next call of this. */
void worker_use_image(struct worker *w, const struct policy_image *image, struct engine_time now);
void worker_packet(struct worker *w, struct capture_packet *packet, struct engine_time now);
/* Deadlines and expiry; call at least every WORKER_TICK_MS. */
void worker_tick(struct worker *w, struct engine_time now);
/* Reports every live flow as ended (the end of a replay). */
void worker_finish(struct worker *w, struct engine_time now);

enum { WORKER_TICK_MS = 50 };

#endif
