/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The end of a connection whose client was told in its own protocol (at once, or when the replies
 * to what it asked before are through: is_parting): words and FIN to the client,
 * FIN to the server, then each side is answered until it has closed too, as its peer would. Not a
 * byte goes from one to the other any more.
 *
 *	client <--- words, FIN --- (engine) --- FIN ---> server
 *	       --- data ... FIN -->        <-- data, FIN --
 *	       <--- ACK -----------        ----- ACK --->
 *
 * From here on a half says: `next` what its side has sent (and we acknowledge), `passed` what the
 * other side was sent in its name, FIN included; has_fin: its side is through.
 */
#include "engine/internal.h"

#define PATIENCE_NS UINT64_C(5000000000) /* for both sides to close */

/* Could the client take the words for the reply to an earlier request? Where replies are seen the
 * dissector knows; else the client has acknowledged nothing since it asked. */
static bool is_answer_due(const struct turn *t, const struct flow *f)
{
	const struct dissector *d = dissectors[f->app];
	bool knows = !f->replies_unseen && (d->due || !d->needs_replies);
	return !knows && f->has_asked && t->p.ack == f->asked_ack;
}

/* Bytes from behind a gap are at the server: only a reset makes sure that it forgets them. */
static bool has_sent_ahead(const struct half *h)
{
	return seq_after(h->top, h->passed);
}

static bool can_be_told(const struct turn *t, const struct worker *w, const struct flow *f)
{
	const struct half *client = &f->half[0], *server = &f->half[1];
	if (w->inspect.n_refusal == 0 || !client->is_tracked || has_sent_ahead(client))
		return false;
	if (client->fin_passed || server->fin_passed || server->has_fin)
		return false; /* one of them has closed already */
	bool is_asking = t && t->dir == 0 && (t->p.tcp_flags & TCP_ACK);
	if (!server->is_tracked && !is_asking)
		return false; /* nobody knows what the client expects next */
	if (server->is_tracked && server->next != server->passed)
		return false; /* a reply is being held */
	return !is_asking || !is_answer_due(t, f);
}

bool farewell_postpone(struct turn *t, struct worker *w, struct flow *f)
{
	struct half *client = &f->half[0];
	const struct half *server = &f->half[1];
	bool is_due = w->inspect.is_refusal_due && w->settings->refuse == POLICY_REFUSE_NATIVE;
	bool may = is_due && t && t->dir == 0 && !f->is_parting && server->is_tracked &&
		   !server->is_blind && !server->has_fin && !client->fin_passed &&
		   !has_sent_ahead(client);
	if (!may)
		return false;
	held_discard(w, f);
	client->passed = seq_max(client->passed, client->fed); /* what comes again of the others */
	f->is_parting = true;
	f->mark = MARK_BOTH;
	flow_set_deadline(w, f, PATIENCE_NS);
	record_refusal(w, "later");
	if (!t->is_answered)
		answer_drop(t);
	return true;
}

static enum dis_due what_is_due(struct worker *w, const struct flow *f)
{
	const struct dissector *d = dissectors[f->app];
	return d->due ? d->due(flow_session(w->inspect.shard, f)) : DIS_DUE_NOTHING;
}

/* A server that goes on with what was allowed is not cut off. Where many replies are under way at
 * once some may never end. */
static void give_time(struct worker *w, struct flow *f)
{
	const enum dis_due due = what_is_due(w, f);
	const bool is_in_body = due == DIS_DUE_NOTHING && f->half[DIS_TO_CLIENT].skip > 0;
	if ((due == DIS_DUE_FIRST || is_in_body) &&
	    f->deadline_ns < w->now.mono_ns + PATIENCE_NS / 2)
		flow_set_deadline(w, f, PATIENCE_NS);
}

bool farewell_is_late(struct worker *w, struct flow *f)
{
	bool may_wait = !f->is_late && what_is_due(w, f) == DIS_DUE_OTHERS;
	f->is_late = true;
	inspect_word(&w->inspect, f);
	if (w->inspect.n_refusal > 0 || !may_wait)
		return true;
	flow_set_deadline(w, f, PATIENCE_NS); /* for the end of what the server is saying */
	return false;
}

void farewell_retry(struct turn *t, struct flow *f)
{
	give_time(t->w, f);
	inspect_word(&t->w->inspect, f);
	if (can_be_told(t, t->w, f))
		settle_denied(t, t->w, f);
}

static void see_off_client(struct worker *w, struct flow *f)
{
	struct half *to = &f->half[1];
	const struct tcp_segment words = {
		.seq = to->passed,
		.ack = f->half[0].next,
		.flags = TCP_ACK | TCP_PSH | TCP_FIN,
		.data = bytes_of(w->refusal, w->inspect.n_refusal),
	};
	send_to_side(w, f, 0, &words);
	to->passed += (uint32_t)w->inspect.n_refusal + 1;
}

static void see_off_server(struct worker *w, struct flow *f)
{
	struct half *to = &f->half[0];
	const struct tcp_segment fin = {
		.seq = to->passed,
		.ack = f->half[1].next,
		.flags = TCP_ACK | TCP_FIN,
	};
	send_to_side(w, f, 1, &fin);
	to->passed++;
}

bool farewell_begin(struct turn *t, struct worker *w, struct flow *f)
{
	if (!can_be_told(t, w, f))
		return false;
	struct half *server = &f->half[1];
	if (!server->is_tracked)
		server->next = server->passed = t->p.ack;
	for (int side = 0; side < 2; side++) {
		f->half[side].is_tracked = true;
		f->half[side].has_fin = f->half[side].fin_passed = false;
	}
	see_off_client(w, f);
	see_off_server(w, f);
	f->is_leaving = true;
	flow_set_deadline(w, f, PATIENCE_NS);
	return true;
}

/* Only the number that it expects ends a side (RFC 5961), and it says itself what that is. */
static void break_off(struct turn *t, struct flow *f)
{
	const struct tcp_segment reset = {.seq = t->p.ack, .flags = TCP_RST};
	send_to_side(t->w, f, t->dir, &reset);
	f->half[t->dir].has_fin = true;
}

static void acknowledge(struct turn *t, const struct flow *f)
{
	const struct tcp_segment ack = {
		.seq = f->half[!t->dir].passed,
		.ack = f->half[t->dir].next,
		.flags = TCP_ACK,
	};
	send_to_side(t->w, f, t->dir, &ack);
}

/* A segment that was answered already comes again from a side that lacks what we said to it. */
static bool has_lost_ours(const struct turn *t, const struct flow *f, uint32_t end)
{
	return !seq_after(end, f->half[t->dir].next) && t->p.ack != f->half[!t->dir].passed;
}

void farewell_packet(struct turn *t, struct flow *f)
{
	struct half *own = &f->half[t->dir];
	const struct packet *p = &t->p;
	bool has_fin = p->tcp_flags & TCP_FIN;
	uint32_t length = (uint32_t)p->data.n + has_fin, end = p->seq + length;
	answer_drop(t);
	if (p->tcp_flags & TCP_RST) {
		own->has_fin = true;
	} else if ((p->tcp_flags & TCP_ACK) && length > 0) {
		if (has_lost_ours(t, f, end)) {
			break_off(t, f);
			return;
		}
		own->next = seq_max(own->next, end);
		own->has_fin |= has_fin;
		acknowledge(t, f);
	}
	if (f->half[0].has_fin && f->half[1].has_fin) {
		f->deadline_ns = 0;
		f->tcp = FLOW_TCP_CLOSED;
	}
}

void farewell_end(struct worker *w, struct flow *f)
{
	for (unsigned side = 0; side < 2; side++) {
		const struct tcp_segment reset = {
			.seq = f->half[!side].passed,
			.ack = f->half[side].next,
			.flags = TCP_RST | TCP_ACK,
		};
		if (!f->half[side].has_fin)
			send_to_side(w, f, side, &reset);
	}
	f->is_leaving = false;
	f->deadline_ns = 0;
}
