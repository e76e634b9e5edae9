/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Carries a strategy out on the packets of one connection. Random values come from a die that the
 * caller seeds, so that a run can be repeated.
 */
#ifndef CATALOGUES_ACT_H
#define CATALOGUES_ACT_H

#include "packet.h"
#include "strategy.h"

#include "../evasion/text.h"

/* What a corrupted load says: what the other message says at that place, or noise. */
enum act_fake { FAKE_OTHER, FAKE_NOISE };

struct actor {
	struct peer *peer;
	const struct strategy *strategy;
	const struct texts *texts;
	const uint8_t *other; /* a stream as long as the real one, that says the opposite */
	size_t n_other;
	enum act_fake fake;
	uint8_t hops; /* what a small TTL becomes: enough for the firewall, not for the receiver */
	uint32_t die;
	unsigned spent[STRATEGY_TREES]; /* how often each tree was used */
	unsigned n_sent, n_fired;
	int32_t furthest; /* where in the stream the last byte ends that was sent */
};

void act_out(struct actor *a, const struct packet *k);

/* What came in: false where it is dropped. It may be changed. */
bool act_in(struct actor *a, struct packet *k);

#endif
