/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who the two sides of a flow are, in the image of now: when it begins, when it waited for an
 * identity, and when policy or identities changed under it.
 */
#include "engine/internal.h"

#include <netinet/in.h>

/* Who the two sides are, in the image of now. False: a managed address that nobody owns (yet). */
bool sides_identify(struct worker *w, struct flow *f)
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
bool sides_are_forged(const struct flow *f, unsigned dir, const struct capture_packet *cp)
{
	if (!cp->has_mac)
		return false;
	if (f->has_mac[dir])
		return memcmp(f->mac[dir], cp->mac, 6) != 0;
	return f->has_mac[!dir] && memcmp(f->mac[!dir], cp->mac, 6) == 0;
}

/* In an image newer than the flow's, its addresses may have changed hands. */
bool sides_has_forged_source(struct turn *t, const struct flow *f)
{
	if (f->generation == t->w->settings->generation)
		return sides_are_forged(f, t->dir, t->cp);
	struct flow now = *f;
	(void)sides_identify(t->w, &now); /* only the link addresses matter here */
	return sides_are_forged(&now, t->dir, t->cp);
}

/* The flow was handed to the kernel and would now have to be read: its bytes are lost to us. */
static enum inspect_status passed_needs_inspection(struct worker *w, struct flow *f)
{
	if (w->settings->midstream == VERDICT_ALLOW || !f->is_enforced)
		return INSPECT_FINAL;
	deny_connection(w, f, REASON_MIDSTREAM);
	return INSPECT_DENY;
}

/* A waiting flow whose sides are known now. */
void sides_resume(struct worker *w, struct flow *f)
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
		settle(NULL, w, f, status);
	}
}

/* The image changed since the flow was judged. */
void sides_refresh(struct turn *t /* or NULL */, struct worker *w, struct flow *f)
{
	if (f->epoch != w->settings->epoch)
		f->kernel_mark = MARK_NONE; /* marks of another epoch mean nothing to the kernel */
	f->epoch = w->settings->epoch;
	bool known = sides_identify(w, f);
	if (f->phase == FLOW_DENIED || (f->phase == FLOW_WAITING && !known))
		return;
	if (f->phase == FLOW_WAITING) {
		sides_resume(w, f);
		return;
	}
	if (f->is_parting) { /* the rule that refused may be gone */
		settle_denied(t, w, f);
		return;
	}
	enum inspect_status status = inspect_rejudge(&w->inspect, f);
	if (f->phase == FLOW_PASSED && (status == INSPECT_WAIT || status == INSPECT_PASS))
		status = passed_needs_inspection(w, f);
	if (status == INSPECT_DENY || (status == INSPECT_FINAL && f->phase != FLOW_PASSED))
		settle(t, w, f, status);
}

/* Flows that wait for an identity are asked at once; the others at their next packet. */
void sides_retry(struct worker *w)
{
	for (size_t i = 0; i < w->deadlines.n; i++) {
		struct flow *f = &w->shard.flows[w->deadlines.heap[i].flow];
		if (f->phase != FLOW_WAITING || f->id != w->deadlines.heap[i].flow_id)
			continue;
		flow_begin(&w->shard, f);
		f->epoch = w->settings->epoch;
		if (sides_identify(w, f))
			sides_resume(w, f);
		turn_end(w, f);
	}
}
