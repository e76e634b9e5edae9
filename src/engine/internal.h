/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the engine share among themselves. */
#ifndef ENGINE_INTERNAL_H
#define ENGINE_INTERNAL_H

#include "engine/deadline.h"
#include "engine/worker.h"
#include "packet/build.h"
#include "packet/rewrite.h"

/* A packet whose verdict waits. Its bytes stay with the kernel; only what is needed to answer is
 * kept. */
struct held {
	uint64_t id;
	uint32_t mark;
	uint32_t next;	 /* in the flow's list, or in the free list */
	uint32_t seq, n; /* TCP payload */
	uint8_t dir;
	bool is_stale; /* bytes in it were edited: drop it, the resend leaves with the canonical
			  ones */
};

struct worker {
	struct worker_setup setup;
	struct shard shard;
	struct inspect inspect;
	const struct policy_image *image;
	const struct policy_settings *settings;
	struct engine_time now;
	struct held *held;
	uint32_t free_held;
	struct deadlines deadlines;
	uint32_t sweep;	      /* where idle expiry goes on */
	bool has_edited;      /* a dissector replaced bytes during the turn under way */
	uint32_t client_ack;  /* of the segment in hand, if the opener sent it */
	uint8_t *open_record; /* end of the denial in `record` that waits for its last word; or NULL
			       */
	uint8_t refusal[DIS_REFUSAL_MAX];
	uint8_t scratch[DIS_UNIT_MAX];
	_Alignas(SESSION_ALIGN) uint8_t probe_state[DIS_STATE_MAX];
	_Alignas(8) uint8_t record[EVENT_MAX];
};

/* The packet in hand, while it is judged. */
struct turn {
	struct worker *w;
	struct capture_packet *cp;
	struct packet p;
	unsigned dir;	 /* side of the flow that sent it */
	bool is_changed; /* cp->data was changed: checksums and payload must go with the verdict */
	bool is_answered;
};

/* Who only observes or tries a policy out stands in nobody's way: drops nothing, changes nothing.
 * What belongs to no flow could be anybody's: one enforced rule anywhere binds it. */
static inline bool binds(const struct worker *w, const struct flow *flow /* or NULL */)
{
	if (!flow)
		return w->settings->enforces;
	return w->settings->mode == MODE_ENFORCE || flow->is_enforced;
}

/* answer.c: the one place where a packet's verdict is given */
void answer_accept(struct turn *t, struct flow *flow /* its mark rides along; or NULL */);
void answer_drop(struct turn *t);
void answer_hold(struct turn *t, struct flow *flow); /* drops when nothing more can be held */
void held_init(struct worker *w);
void held_release(struct worker *w, struct flow *flow, const bool side[2]); /* accept theirs */
void held_discard(struct worker *w, struct flow *flow);			    /* drop all */
void held_mark_stale(struct worker *w, struct flow *flow, unsigned dir, uint32_t seq, uint32_t n);

/* What has no flow and so no judgement. */
void answer_unjudged(struct turn *t);

/* worker.c: a turn of the flow is over, whatever came of it */
void turn_end(struct worker *w, struct flow *flow);

/* sides.c */
/* False: a managed address that nobody owns (yet). */
bool sides_identify(struct worker *w, struct flow *flow);
bool sides_are_forged(const struct flow *flow, unsigned dir, const struct capture_packet *cp);
/* The same for a flow that may be of an older image. */
bool sides_has_forged_source(struct turn *t, const struct flow *flow);
void sides_resume(struct worker *w, struct flow *flow);
void sides_refresh(struct turn *t /* or NULL */, struct worker *w, struct flow *flow);
void sides_retry(struct worker *w);

/* opening.c */
struct flow_key opening_key(const struct packet *p);
struct flow *opening_create(struct worker *w, const struct packet *p); /* NULL: the table is full */
void opening_packet(struct turn *t);
void opening_midstream(struct turn *t);
enum inspect_status opening_datagram(struct turn *t, struct flow *flow);

/* expiry.c */
bool expiry_make_room(struct worker *w); /* false: nothing could be spared */
void expiry_run(struct worker *w);

/* segment.c: TCP payload of a followed flow */
enum inspect_status segment_take(struct turn *t, struct flow *flow);
/* Of a client that is heard no more: only what was judged before passes, when it comes again. */
void segment_take_again(struct turn *t, struct flow *flow);

/* settle.c: what a status of inspect means for the flow */
void settle(struct turn *t /* or NULL */, struct worker *w, struct flow *flow,
	    enum inspect_status status);
/* The end of a flow that was denied: tells both sides, forgets their bytes. */
void settle_denied(struct turn *t /* or NULL */, struct worker *w, struct flow *flow);
/* Denied as a connection, by no rule. */
void deny_connection(struct worker *w, struct flow *flow, enum reason reason);
void settle_mark(struct worker *w, struct flow *flow);
/* The packet in hand passes by itself: it carries nothing that is judged. What is held stays held.
 */
void pass_alone(struct turn *t, struct flow *flow);
void flow_close(struct worker *w, struct flow *flow, enum flow_end end);
void flow_set_deadline(struct worker *w, struct flow *flow, uint64_t after_ns);

/* refuse.c: tell both sides */
void refuse_flow(struct turn *t /* or NULL */, struct worker *w, struct flow *flow);
void refuse_packet(struct worker *w, const struct packet *p); /* a packet without a flow */
void refuse_datagram(struct turn *t); /* in its protocol's words, or by ICMP */

/* farewell.c: a refusal in the client's own protocol, then a clean close of both sides */
bool farewell_begin(struct turn *t /* or NULL */, struct worker *w, struct flow *flow);
void farewell_packet(struct turn *t, struct flow *flow);
void farewell_end(struct worker *w, struct flow *flow); /* they took too long */
/* The refused request stands behind others: may the client hear of it when their replies are
 * through? If so the flow is_parting from now on. */
bool farewell_postpone(struct turn *t /* or NULL */, struct worker *w, struct flow *flow);
/* It was parting for long enough. Is it time to end? */
bool farewell_is_late(struct worker *w, struct flow *flow);
void farewell_retry(struct turn *t, struct flow *flow); /* after bytes of the server have passed */

/* packets of our own, in the name of side !to */
void send_to_side(struct worker *w, const struct flow *flow, unsigned to,
		  const struct tcp_segment *segment /* numbers, flags, data */);

/* record.c */
/* Ends the record of the denial under way, if any: "native", "later" (native, once the
 * replies before it are through; else reset), "reset", "icmp", "drop". */
void record_refusal(struct worker *w, const char *said);
void record_flow(struct worker *w, const struct flow *flow);
void record_violation(struct worker *w, const struct flow *flow, const struct policy_decision *d,
		      const char *found, const char *why);
void record_judged(struct worker *w, struct flow *flow, unsigned dir, const struct dis_event *event,
		   const struct policy_decision *d);

#endif
