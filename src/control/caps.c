/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/caps.h"

#include "base/log.h"
#include "control/control.h"

#include <inttypes.h>
#include <stdio.h>

/* What ran out, and what happened to it then. */
static const struct {
	enum counter counter;
	const char *remedy;
} caps[] = {
	{COUNTER_FLOWS_FULL, "new connections were refused; raise engine.max_flows"},
	{COUNTER_HELD_FULL, "segments were dropped and come again; raise engine.max_held_bytes"},
	{COUNTER_EVENTS_LOST,
	 "records were lost, verdicts were not; log less, or write to a faster disk"},
	{COUNTER_ENOBUFS, "packets were dropped before they came up; raise engine.queue_length"},
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

void caps_check(struct control *c)
{
	for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
		enum counter which = caps[i].counter;
		uint64_t now = total(c->supervise, which);
		uint64_t more = now - c->caps.seen[which];
		c->caps.seen[which] = now;
		if (more == 0 || !c->caps.is_primed)
			continue;
		char text[256];
		(void)snprintf(text, sizeof(text), "%s: %" PRIu64 " more: %s", counter_name(which),
			       more, caps[i].remedy);
		log_warn("%s", text);
		records_engine(&c->records, "limit", text);
	}
	c->caps.is_primed = true;
}
