/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Offers a flow's bytes to the dissectors, feeds the one that claims it, and hands every event to
 * the policy.
 *
 *    bytes in order --> identify (until a claim) --> feed --> event --> policy --> verdict of the
 * unit
 *
 * Knows no packet and no queue: it works on halves of canonical bytes (or one datagram), and
 * answers what may become of them. Judged events are told to a hook, for records. One thread;
 * allocates nothing.
 */
#ifndef INSPECT_INSPECT_H
#define INSPECT_INSPECT_H

#include "bridgewarden/dissect.h"
#include "flow/table.h"

enum inspect_status {
	INSPECT_WAIT,  /* the application is not known yet: hold what came */
	INSPECT_PASS,  /* what is in order may pass */
	INSPECT_FINAL, /* ... and so may all that follows: nothing can change the verdict any more
			*/
	INSPECT_DENY,  /* the unit at `fed` is denied (flow->reason, rule, mode say why); it is
			  enforced */
};

struct inspect {
	struct shard *shard;
	const struct policy_image *image;
	uint8_t *scratch;     /* DIS_UNIT_MAX bytes */
	uint8_t *probe_state; /* DIS_STATE_MAX bytes, aligned as a session */
	/* After INSPECT_DENY of a client's unit: what its server would say. 0 bytes: the dissector
	 * has no words for it. The caller clears both before each call. */
	uint8_t *refusal; /* DIS_REFUSAL_MAX bytes */
	size_t n_refusal;
	bool is_refusal_due; /* it may have words once the replies before are through:
				inspect_word() */
	/* A unit was judged (also when allowed). found: the protocol seen instead, or NULL; why:
	 * static text or NULL. */
	void (*judged)(void *ctx, struct flow *flow, unsigned dir, const struct dis_event *event,
		       const struct policy_decision *decision);
	/* The connection was denied as such (wrong protocol, malformed...); enforced or not
	 * (decision->mode). */
	void (*violation)(void *ctx, struct flow *flow, const struct policy_decision *decision,
			  const char *found, const char *why);
	/* A dissector replaced bytes of the unit at seq: what is held with them must not leave as
	 * it came. */
	void (*edited)(void *ctx, struct flow *flow, unsigned dir, uint32_t seq, struct bytes with);
	void *ctx;
};

/* New in-order bytes of a half are there (TCP). */
enum inspect_status inspect_stream(struct inspect *in, struct flow *flow, unsigned dir);
/* One datagram (UDP): judged whole. Never answers INSPECT_WAIT. */
enum inspect_status inspect_datagram(struct inspect *in, struct flow *flow, unsigned dir,
				     struct bytes datagram);
/* Nothing more will identify the flow (time is up, the hold is full): settle it. */
enum inspect_status inspect_give_up(struct inspect *in, struct flow *flow, enum reason reason);
/* Of a flow that is_parting: are there words now? Sets n_refusal. */
void inspect_word(struct inspect *in, struct flow *flow);
/* The image changed: judge again what is known about the connection. */
enum inspect_status inspect_rejudge(struct inspect *in, struct flow *flow);
/* May the server's packets stay unseen from now on? */
bool inspect_can_spare_replies(const struct inspect *in, const struct flow *flow);

#endif
