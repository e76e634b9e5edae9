/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much each dissector reads a second on one processor, of what clients and servers say all day
 * (honest.c): bytes, and what a policy judges of them.
 *
 * Seconds are one machine's. The last column is what a byte costs in bytes of SipHash, measured in
 * turns with it: that ratio holds from machine to machine, and a dissector that became slower shows
 * in it. `tools/bench dissectors` compares it with what was written down (tests/bench).
 */
#include "parts.h"

#include "base/siphash.h"
#include "conversation.h"
#include "score.h"

#include <stdio.h>

enum {
	TRIES = 7,
	TRY_NS = 20 * 1000 * 1000,
	YARD = 64 * 1024,
};

/* Nanoseconds a byte. */
static double yardstick(void)
{
	static uint8_t bytes[YARD];
	static const uint64_t key[2] = {1, 2};
	uint64_t start = score_cpu_ns(), took = 0;
	unsigned n = 0;
	for (; took < TRY_NS; took = score_cpu_ns() - start, n++) {
		const uint64_t hash = siphash13(key, bytes, sizeof(bytes));
		memcpy(bytes, &hash, sizeof(hash)); /* so that it is computed */
	}
	return (double)took / ((double)n * YARD);
}

static void measure(const struct conversation *c)
{
	static struct talk talk;
	struct talk_cost best = {0};
	double yard = 0;
	if (!conversation_build(&talk, c)) {
		(void)fprintf(stderr, "%s has no seed %s\n", c->protocol, c->seed);
		return;
	}
	for (int i = 0; i < TRIES; i++) {
		const double y = yardstick();
		const struct talk_cost cost = talk_measure(&talk, 0, TRY_NS);
		yard = i == 0 || y < yard ? y : yard;
		best = i == 0 || cost.ns < best.ns ? cost : best;
	}
	const double byte = best.ns / (double)best.n_bytes;
	printf("%-9s %-40s %9.0f %9.0f %8.2f %8.2f%s\n", c->protocol, c->name, 1e3 / byte,
	       best.n_judged * 1e6 / best.ns, best.ns / best.n_judged / 1e3, byte / yard,
	       best.end == TALK_OPEN || best.end == TALK_STOPPED ? "" : " refused");
}

void speed_run(void)
{
	printf("%-9s %-40s %9s %9s %8s %8s\n", "protocol", "what is said", "MB/s", "1000/s",
	       "us each", "siphash");
	for (size_t i = 0; i < n_honest; i++)
		measure(&honest[i]);
}
