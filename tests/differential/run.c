/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "run.h"

#include "bridgewarden/flow.h"
#include "judge.h"

#include <stdarg.h>
#include <stdlib.h>

enum {
	HONEST_ROUNDS = 24, /* without progress; a lossy receiver refuses a quarter of them */
	HOLD_MS = 4000,	    /* longer than the engine holds anything */
	CLOCK_START = 1000000,
	SYN_DATA = 5, /* bytes */
};

/* What a judge sees who takes the first copy of each byte, whatever else the packet says. */
struct believer {
	uint8_t bytes[JUDGE_STREAM_MAX];
	bool has[JUDGE_STREAM_MAX];
	uint32_t n;
};

struct run {
	struct bench *bench; /* NULL: bare */
	struct peer *peer;
	const struct program *p;
	struct wire_path path;
	struct believer believer;
	/* The sender. */
	unsigned side;
	bool is_open, has_peer_ts, was_reset;
	uint32_t peer_isn; /* of the receiver */
	uint32_t peer_ts;
	uint32_t heard;	 /* offset that the receiver acknowledged */
	uint32_t window; /* what it has room for */
	uint8_t peer_wscale;
	uint32_t clock, highest; /* of timestamps */
	uint32_t fin;		 /* where the judged stream ends, or JUDGE_NONE */
	struct outcome *out;
};

static void __attribute__((format(printf, 2, 3))) diverge(struct run *r, const char *format, ...)
{
	if (r->out->has_diverged)
		return; /* the first reason is the best */
	va_list args;
	va_start(args, format);
	(void)vsnprintf(r->out->why, sizeof(r->out->why), format, args); /* cut: still a reason */
	va_end(args);
	r->out->has_diverged = true;
}

/* ---- the sender's side ---- */

static void hear(struct run *r, struct bytes packet)
{
	struct wire_segment s;
	if (!wire_read(packet, &s)) {
		diverge(r, "an unsound packet was let through to the sender");
		return;
	}
	if ((s.flags & TCP_SYN) && !r->is_open) {
		r->has_peer_ts = s.has_ts;
		r->peer_ts = s.ts; /* of later ones Linux takes none before the handshake is over */
		r->peer_isn = s.seq;
		r->peer_wscale = s.has_wscale ? s.wscale : 0;
		if (r->bench)
			bench_watch(r->bench, r->side, r->p->isn[0], s.seq);
	}
	if (s.flags & TCP_RST) {
		r->was_reset = true;
		return;
	}
	uint32_t heard = s.ack - r->p->isn[0] - 1;
	if (!(s.flags & TCP_ACK) || heard > JUDGE_STREAM_MAX)
		return;
	r->heard = heard > r->heard ? heard : r->heard;
	r->window = (uint32_t)s.window << (s.flags & TCP_SYN ? 0 : r->peer_wscale);
}

/* What was let through: to whom? */
static void deliver(void *ctx, struct bytes packet)
{
	struct run *r = ctx;
	size_t l4 = packet.p[0] >> 4 == 4 ? 20 : 40;
	uint16_t to = (uint16_t)(packet.p[l4 + 2] << 8 | packet.p[l4 + 3]);
	if (to == r->path.port[r->side])
		hear(r, packet);
	else
		r->peer->take(r->peer, packet);
}

static void pass(struct run *r, struct bytes packet, unsigned from)
{
	bool is_seen = r->bench && (from == r->side || bench_sees_replies(r->bench));
	if (is_seen)
		bench_send(r->bench, packet);
	else
		deliver(r, packet);
}

static void pump(struct run *r)
{
	struct bytes packet;
	while (r->peer->emit(r->peer, &r->path, &packet))
		pass(r, packet, !r->side);
}

static void believe(struct run *r, const struct wire_segment *s)
{
	struct believer *b = &r->believer;
	if (s->flags & TCP_SYN)
		return;
	for (size_t i = 0; i < s->data.n; i++) {
		uint32_t at = s->seq - r->p->isn[0] - 1 + (uint32_t)i;
		if (at >= JUDGE_STREAM_MAX || b->has[at])
			continue;
		b->bytes[at] = s->data.p[i];
		b->has[at] = true;
	}
	while (b->n < JUDGE_STREAM_MAX && b->has[b->n])
		b->n++;
}

/* What the engine takes for the stream. It may forget the connection, but never change it. */
static void look(struct run *r)
{
	uint32_t fin = bench_look(r->bench);
	if (fin == JUDGE_NONE)
		return;
	if (r->fin != JUDGE_NONE && r->fin != fin)
		diverge(r, "the end of the stream moved from %u to %u", r->fin, fin);
	r->fin = fin;
}

static void say(struct run *r, const struct wire_segment *s)
{
	uint8_t packet[WIRE_PACKET_MAX];
	size_t n = wire_build(packet, &r->path, r->side, s);
	if (!r->bench)
		believe(r, s);
	pass(r, bytes_of(packet, n), r->side);
	if (r->bench)
		look(r);
	pump(r);
}

static struct wire_segment honest(struct run *r, uint8_t flags, int32_t at)
{
	r->clock++;
	return (struct wire_segment){
		.flags = flags,
		.seq = r->p->isn[0] + 1 + (uint32_t)at,
		.ack = flags & TCP_ACK ? r->peer_isn + 1 : 0,
		.window = 60000,
		.has_ts = r->p->has_ts,
		.ts = r->clock,
		.ts_echo = r->peer_ts,
	};
}

static void offer(const struct run *r, struct wire_segment *s)
{
	s->has_mss = s->has_wscale = true;
	s->wscale = 2;
	s->has_sack_permitted = r->p->has_sack;
}

static struct bytes copied(uint8_t *out, uint8_t copy, int32_t at, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		out[i] = program_byte(copy, at + (int32_t)i);
	return bytes_of(out, n);
}

static void shake_hands(struct run *r)
{
	uint8_t data[SYN_DATA];
	struct wire_segment s;
	if (r->side == 0) {
		s = honest(r, TCP_SYN, -1);
		offer(r, &s);
		s.data = copied(data, PROGRAM_COPIES - 1, 0, r->p->has_syn_data ? SYN_DATA : 0);
		say(r, &s);
		r->is_open = true;
		if (r->p->skips_ack)
			return;
		s = honest(r, TCP_ACK, 0);
	} else {
		pump(r);
		s = honest(r, TCP_SYN | TCP_ACK, -1);
		s.has_ts &= r->has_peer_ts;
		offer(r, &s);
		s.data = copied(data, PROGRAM_COPIES - 1, 0, r->p->has_syn_data ? SYN_DATA : 0);
	}
	say(r, &s);
	r->is_open = true;
}

static void play(struct run *r, const struct step *step)
{
	uint8_t data[WIRE_DATA_MAX];
	struct wire_segment s = honest(r, step->flags, step->at);
	s.data = copied(data, step->copy, step->at, step->n);
	s.window = step->window;
	s.urgent = step->urgent;
	s.ack += (uint32_t)step->ack;
	s.has_ts &= step->ts != TS_NONE;
	if (step->ts != TS_NONE) {
		s.ts += (uint32_t)step->ts;
		r->highest = seq_max(r->highest, s.ts);
	}
	r->out->was_ended |= step->flags & (TCP_SYN | TCP_RST);
	say(r, &s);
}

static void step(struct run *r, const struct step *step)
{
	switch (step->kind) {
	case STEP_SEGMENT:
		play(r, step);
		return;
	case STEP_READ:
		r->peer->read(r->peer);
		pump(r);
		return;
	case STEP_WAIT:
		if (r->bench)
			bench_wait(r->bench, step->n);
		pump(r);
		return;
	case STEP_DEATH:
		if (r->bench)
			bench_die(r->bench, step->n);
		return;
	case STEP_RELOAD:
		if (r->bench)
			bench_reload(r->bench);
		return;
	}
}

/* Nothing that was sent may lie behind the honest end. */
static uint32_t honest_total(const struct program *p)
{
	int32_t total = (int32_t)p->total;
	for (uint32_t i = 0; i < p->n_steps; i++) {
		const struct step *step = &p->steps[i];
		int32_t end = step->at + (int32_t)step->n;
		if (step->kind == STEP_SEGMENT && end <= PROGRAM_BYTES_MAX && end > total)
			total = end;
	}
	return (uint32_t)total;
}

static bool all_is_said(const struct run *r, uint32_t total)
{
	return r->was_reset || r->heard > total || r->heard > r->fin;
}

/* A closed window is probed with a byte. */
static void repeat(struct run *r, uint32_t total)
{
	total = total < r->fin ? total : r->fin; /* it said that it ends there */
	uint8_t data[WIRE_DATA_MAX];
	uint32_t most = r->window < WIRE_DATA_MAX ? r->window + !r->window : WIRE_DATA_MAX;
	uint32_t n = total - r->heard < most ? total - r->heard : most;
	bool is_last = r->heard + n == total;
	struct wire_segment s = honest(r, (uint8_t)(TCP_ACK | TCP_PSH | (is_last ? TCP_FIN : 0)),
				       (int32_t)r->heard);
	s.data = copied(data, 0, (int32_t)r->heard, n);
	say(r, &s);
}

/* An honest sender repeats what is not acknowledged; the end of the stream comes with it. What the
 * engine holds because its first unit never ends is decided by time. */
static void finish_honestly(struct run *r)
{
	uint32_t total = honest_total(r->p), before = r->heard;
	r->clock = seq_max(r->clock, r->highest);
	for (int idle = 0; idle < HONEST_ROUNDS && !all_is_said(r, total); idle++) {
		repeat(r, total);
		r->peer->read(r->peer);
		pump(r);
		idle = r->heard == before ? idle : 0;
		before = r->heard;
	}
	if (r->bench && !all_is_said(r, total))
		bench_wait(r->bench, HOLD_MS);
}

/* ---- the comparison ---- */

struct verdict_of_judge {
	const uint8_t *bytes;
	uint32_t n, refused_end, fin;
};

static void compare(struct run *r, const struct received *got, const struct verdict_of_judge *j)
{
	for (uint32_t i = 0; i < got->n; i++) {
		if (i >= j->n) {
			diverge(r, "%s: byte %u was received (%02x) and not judged", got->who, i,
				got->bytes[i]);
			return;
		}
		if (got->bytes[i] != j->bytes[i]) {
			diverge(r, "%s: byte %u was received as %02x and judged as %02x", got->who,
				i, got->bytes[i], j->bytes[i]);
			return;
		}
	}
	if (got->n >= j->refused_end)
		diverge(r, "%s: a unit was received that ends at %u and is refused", got->who,
			j->refused_end);
	if (got->has_end && r->bench && j->fin != got->n)
		diverge(r, "%s: the stream ended at %u and was judged to end at %u", got->who,
			got->n, j->fin);
	if (got->n > j->fin)
		diverge(r, "%s: %u bytes were received and the stream was judged to end at %u",
			got->who, got->n, j->fin);
	if (got->n > r->out->n_received)
		r->out->n_received = got->n;
}

static struct verdict_of_judge judgement(struct run *r)
{
	struct verdict_of_judge j = {r->believer.bytes, r->believer.n, JUDGE_NONE, r->fin};
	if (!r->bench)
		return j;
	if (judge.fault)
		diverge(r, "%s", judge.fault);
	j.bytes = judge.bytes[r->side];
	j.n = judge.n[r->side];
	j.refused_end = judge.refused_end[r->side];
	return j;
}

static void compare_all(struct run *r)
{
	struct received got[PEER_READINGS_MAX];
	struct verdict_of_judge j = judgement(r);
	unsigned n = r->peer->received(r->peer, got);
	bool is_complete = n > 0;
	for (unsigned i = 0; i < n; i++) {
		compare(r, &got[i], &j);
		is_complete &= got[i].has_end;
	}
	if (!r->p->is_finished || is_complete || r->was_reset || r->out->was_ended ||
	    r->window == 0)
		return;
	r->out->is_stuck = true;
	if (!r->out->has_diverged)
		(void)snprintf(r->out->why, sizeof(r->out->why),
			       "%u of %u bytes acknowledged, %u received, %u judged, window %u",
			       r->heard, honest_total(r->p), r->out->n_received, j.n, r->window);
}

void run_program(struct run *r, const struct program *p, struct outcome *out)
{
	*out = (struct outcome){0};
	r->p = p;
	r->out = out;
	r->side = p->sender_is_server;
	r->is_open = r->has_peer_ts = r->was_reset = false;
	r->peer_isn = r->peer_ts = r->heard = 0;
	r->clock = r->highest = CLOCK_START;
	r->fin = JUDGE_NONE;
	judge_restart(p->unit);
	judge.has_refusals = p->has_refusals;
	judge.spares_replies = p->spares_replies;
	judge.claims_early = p->claims_early;
	judge.is_patient = p->is_patient;
	if (!r->bench)
		r->believer = (struct believer){0};
	r->peer->begin(r->peer, p, &r->path);
	shake_hands(r);
	for (uint32_t i = 0; i < p->n_steps; i++)
		step(r, &p->steps[i]);
	r->peer->settle(r->peer);
	pump(r);
	if (p->is_finished)
		finish_honestly(r);
	compare_all(r);
	r->peer->end(r->peer);
	const char *left = r->bench ? bench_end(r->bench) : NULL;
	if (left)
		diverge(r, "%s", left);
}

struct run *run_new(struct peer *peer, bool is_bare)
{
	struct run *r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	r->peer = peer;
	r->bench = is_bare ? NULL : bench_new(deliver, r);
	if (!is_bare && !r->bench) {
		free(r);
		return NULL;
	}
	return r;
}
