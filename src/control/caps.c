/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/caps.h"

#include "base/log.h"
#include "control/control.h"
#include "control/queues.h"

#include <inttypes.h>
#include <stdio.h>

/* What ran out, and what happened to it then. */
static const struct {
	enum counter counter;
	const char *remedy;
} caps[] = {
	{COUNTER_FLOWS_FULL, "new connections were refused; raise engine.max_flows"},
	{COUNTER_HELD_FULL, "segments were dropped and come again; raise engine.max_held_bytes"},
	{COUNTER_HELD_EVICTED,
	 "connections that stood still were ended for their memory; raise engine.max_held_bytes"},
	{COUNTER_EVENTS_LOST,
	 "records were lost, verdicts were not; log less, or write to a faster disk"},
	{COUNTER_ENOBUFS, "packets were dropped before they came up; raise engine.queue_length"},
	{COUNTER_FLOODS,
	 "new connections came faster than they are judged; their queue is short until there was "
	 "no flood for 10 s, so that established ones go on"},
	{COUNTER_STATE_LOST, "connections were given up when an engine died"},
	{COUNTER_INJECT_ERRORS, "resets or ICMP errors could not be sent; denied clients may hang"},
};

static uint64_t total(const struct supervise *s, enum counter which)
{
	uint64_t n = 0;
	for (unsigned i = 0; i < supervise_n_workers(s); i++)
		n += counter_get(supervise_counters(s, i), which);
	return n;
}

static void report(struct control *c, const char *name, uint64_t more, const char *remedy)
{
	char text[256];
	(void)snprintf(text, sizeof(text), "%s: %" PRIu64 " more: %s", name, more, remedy);
	log_warn("%s", text);
	records_engine(&c->records, "limit", text);
}

/* The kernel drops, and counts, what does not fit into a queue or into its socket's buffer. */
static void check_queues(struct control *c)
{
	struct queue_line lines[2 * SHARED_WORKERS_MAX];
	unsigned n = queues_read(c->queue_base, 2 * supervise_n_workers(c->supervise), lines);
	uint64_t dropped = 0;
	for (unsigned i = 0; i < n; i++)
		dropped += (uint64_t)lines[i].dropped + lines[i].user_dropped;
	if (dropped > c->caps.queue_drops && c->caps.is_primed)
		report(c, "queue_dropped", dropped - c->caps.queue_drops,
		       "packets were dropped because a queue was full; raise engine.queue_length "
		       "or engine.workers");
	c->caps.queue_drops = dropped; /* also when they begin anew, with another socket */
}

void caps_check(struct control *c)
{
	for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
		enum counter which = caps[i].counter;
		uint64_t now = total(c->supervise, which);
		uint64_t more = now - c->caps.seen[which];
		c->caps.seen[which] = now;
		if (more > 0 && c->caps.is_primed)
			report(c, counter_name(which), more, caps[i].remedy);
	}
	check_queues(c);
	c->caps.is_primed = true;
}
