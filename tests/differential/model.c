/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model: what a TCP receiver may do with the segments that it gets, written down several times
 * over, since no single one is right (THREATS 0).
 *
 *	linux, merging   Linux's tcp_data_queue and tcp_data_queue_ofo, whole segments at a time:
 *	                 the covered one is replaced, overlapped ones lie side by side, the one
 *	                 that starts first wins; without and with segments that merge in the queue.
 *	                 PAWS, acknowledgements out of range, urgent bytes, full buffers, resets at
 *	                 the edge of what was acknowledged selectively (T04 to T09, T16, T26, T33,
 *	                 T42, T46)
 *	first, last      the first copy of a byte stays, or the last before an acknowledgement
 *	dice             any copy before an acknowledgement
 *	lossy            a quarter of the segments is refused (T03)
 *	reneging         what lies behind a gap may be forgotten again (T12)
 *
 * All of them see the same packets. An acknowledgement covers what every one of them has, as a
 * receiver may always acknowledge late; in half of the programs only one is there, and exact.
 */
#include "peer.h"

#include "bridgewarden/flow.h"

#include <assert.h>
#include <stdlib.h>

enum reading_kind { LINUX, MERGING, FIRST, LAST, DICE, LOSSY, RENEGING, N_READINGS };

static const char *const names[N_READINGS] = {
	"linux", "linux, merging", "first copy", "last copy", "any copy", "lossy", "reneging"};
_Static_assert(N_READINGS <= (int)PEER_READINGS_MAX, "all readings can be handed out");

enum {
	STREAM_MAX = PROGRAM_BYTES_MAX + 2 * WIRE_DATA_MAX,
	QUEUE_MAX = 64,
	ARENA_BYTES = 1 << 18,
};

/* Bytes behind a gap, as Linux keeps them: a segment, or several merged. Positions from the first
 * byte of the stream; `to` counts a FIN. */
struct queued {
	int32_t from, to;
	uint32_t data; /* in the arena */
	bool has_fin;
};

struct reading {
	enum reading_kind kind;
	uint8_t bytes[STREAM_MAX];
	bool has[STREAM_MAX]; /* bytewise readings; linux: the byte was urgent and is gone */
	int32_t next, top;    /* one past what is there without gaps; one past anything */
	int32_t fin;	      /* bytewise, if has_fin */
	bool has_fin, has_end, is_gone;
	struct queued queue[QUEUE_MAX]; /* ascending */
	uint32_t n_queued;
	uint32_t ts_recent;
	uint8_t flat[STREAM_MAX]; /* without urgent bytes */
};

struct model {
	struct peer peer;
	const struct program *p;
	struct wire_path path;
	unsigned side;
	uint64_t dice;
	enum { CLOSED, LISTENS, ASKS, OPEN } state;
	enum { ACK_ALWAYS, ACK_SOMETIMES, ACK_LATE } acks;
	uint32_t isn, irs, ts_last;
	bool has_ts;
	uint8_t wscale;
	int32_t acked;	      /* told to the sender */
	int32_t edge;	      /* first position outside of the window that it was told */
	int32_t copied;	      /* read by the application */
	uint8_t owes;	      /* flags of the segment to send, 0: none */
	unsigned first, last; /* readings in use */
	struct reading readings[N_READINGS];
	uint8_t arena[ARENA_BYTES];
	uint32_t arena_used;
	uint8_t out[WIRE_PACKET_MAX];
};

/* A segment as the readings see it. */
struct arrival {
	const struct wire_segment *s;
	int32_t from, to; /* without the FIN */
	bool has_fin;
};

static int32_t room_of(const struct model *m)
{
	static const int32_t rooms[PROGRAM_ROOMS] = {1 << 16, 40, 300, 2000, 6000};
	return rooms[m->p->room];
}

/* ---- Linux ---- */

static void linux_end(struct reading *r)
{
	r->has_end = true;
	r->n_queued = 0;
}

/* In order, or overlapping what is there. */
static void linux_deliver(struct reading *r, int32_t from, int32_t to, const uint8_t *data,
			  bool has_fin)
{
	if (to > r->next)
		memcpy(r->bytes + r->next, data + (r->next - from), (size_t)(to - r->next));
	r->next = to > r->next ? to : r->next;
	if (has_fin)
		linux_end(r);
}

static void linux_unqueue(struct reading *r, uint32_t i)
{
	memmove(&r->queue[i], &r->queue[i + 1], (r->n_queued - i - 1) * sizeof(r->queue[0]));
	r->n_queued--;
}

/* tcp_ofo_queue: what has become in order. */
static void linux_drain(struct model *m, struct reading *r)
{
	while (r->n_queued && r->queue[0].from <= r->next && !r->has_end) {
		struct queued q = r->queue[0];
		linux_unqueue(r, 0);
		if (q.to > r->next)
			linux_deliver(r, q.from, q.to - q.has_fin, m->arena + q.data, q.has_fin);
	}
}

static bool linux_merge(struct model *m, struct reading *r, struct queued *into,
			const struct queued *q)
{
	uint32_t n = (uint32_t)(into->to - into->from), more = (uint32_t)(q->to - q->from);
	if (r->kind != MERGING || into->to != q->from || into->has_fin ||
	    m->arena_used + n + more > ARENA_BYTES)
		return false;
	memcpy(m->arena + m->arena_used, m->arena + into->data, n);
	memcpy(m->arena + m->arena_used + n, m->arena + q->data, more - q->has_fin);
	into->data = m->arena_used;
	into->to = q->to;
	into->has_fin = q->has_fin;
	m->arena_used += n + more;
	return true;
}

/* What lies behind queue[i] and is covered by it goes. */
static void linux_cover_right(struct reading *r, uint32_t i)
{
	const struct queued *q = &r->queue[i];
	while (i + 1 < r->n_queued && r->queue[i + 1].from < q->to && r->queue[i + 1].to <= q->to)
		linux_unqueue(r, i + 1);
}

/* tcp_data_queue_ofo. The tree is walked from left to right here; of two that start at the same
 * place there is never a second one. */
static void linux_queue(struct model *m, struct reading *r, const struct queued *q)
{
	uint32_t i = 0;
	for (; i < r->n_queued && r->queue[i].from <= q->from; i++) {
		struct queued *old = &r->queue[i];
		if (q->from < old->to && q->to <= old->to)
			return; /* all there already */
		if (q->from == old->from) {
			*old = *q;
			linux_cover_right(r, i);
			return;
		}
		if (linux_merge(m, r, old, q)) {
			linux_cover_right(r, i);
			return;
		}
	}
	if (r->n_queued == QUEUE_MAX)
		return;
	memmove(&r->queue[i + 1], &r->queue[i], (r->n_queued - i) * sizeof(r->queue[0]));
	r->queue[i] = *q;
	r->n_queued++;
	linux_cover_right(r, i);
}

static bool linux_has_room(const struct model *m, struct reading *r, int32_t n)
{
	int32_t used = r->next - m->copied;
	for (uint32_t i = 0; i < r->n_queued; i++)
		used += r->queue[i].to - r->queue[i].from;
	if (used + n > room_of(m) && r->n_queued) {
		used -= r->queue[r->n_queued - 1].to - r->queue[r->n_queued - 1].from;
		r->n_queued--; /* pruned although it was acknowledged selectively */
	}
	return used + n <= room_of(m);
}

static void linux_data(struct model *m, struct reading *r, const struct arrival *a)
{
	int32_t to = a->to + a->has_fin;
	if (r->has_end || to <= r->next || a->from > m->edge)
		return;
	if (!linux_has_room(m, r, a->to - a->from) || m->arena_used + a->s->data.n > ARENA_BYTES)
		return;
	if (a->from <= r->next) {
		linux_deliver(r, a->from, a->to, a->s->data.p, a->has_fin);
		linux_drain(m, r);
		return;
	}
	struct queued q = {a->from, to, m->arena_used, a->has_fin};
	if (a->s->data.n)
		memcpy(m->arena + m->arena_used, a->s->data.p, a->s->data.n);
	m->arena_used += (uint32_t)a->s->data.n;
	linux_queue(m, r, &q);
}

/* The byte that the pointer names (RFC 1122's reading is not the default) leaves the stream. */
static void linux_urgent(struct reading *r, const struct arrival *a)
{
	if (!(a->s->flags & TCP_URG))
		return;
	int32_t at = a->from + (a->s->urgent ? a->s->urgent - 1 : 0);
	if (at >= r->next && at < STREAM_MAX) {
		r->has[at] = true;
		r->top = at >= r->top ? at + 1 : r->top;
	}
}

static bool linux_accepts(const struct model *m, struct reading *r, const struct arrival *a)
{
	const struct wire_segment *s = a->s;
	bool has_ts = s->has_ts && m->has_ts;
	if (has_ts && (int32_t)(s->ts - r->ts_recent) < 0)
		return false;
	if (a->from > m->edge || a->to < m->acked || !(s->flags & TCP_ACK) || s->ack != m->isn + 1)
		return false;
	if (has_ts && a->from <= m->acked)
		r->ts_recent = s->ts;
	return true;
}

static void linux_take(struct model *m, struct reading *r, const struct arrival *a)
{
	if (!linux_accepts(m, r, a))
		return;
	linux_urgent(r, a);
	linux_data(m, r, a);
}

/* ---- byte by byte ---- */

static bool keeps_copy(struct model *m, const struct reading *r, int32_t at)
{
	if (!r->has[at])
		return true;
	return at >= m->acked && (r->kind == LAST || (r->kind == DICE && dice_one_in(&m->dice, 2)));
}

static void put_byte(struct model *m, struct reading *r, int32_t at, uint8_t byte)
{
	if (at < 0 || at >= STREAM_MAX || !keeps_copy(m, r, at))
		return;
	if (r->has_fin && at >= r->fin) {
		if (r->kind == FIRST || r->kind == LOSSY || r->kind == RENEGING)
			return;
		r->has_fin = false; /* T30 */
	}
	r->bytes[at] = byte;
	r->has[at] = true;
	r->top = at >= r->top ? at + 1 : r->top;
}

static void put_fin(struct reading *r, const struct arrival *a)
{
	bool replaces = r->kind == LAST || r->kind == DICE;
	if (a->to < r->next || (r->has_fin && !replaces))
		return;
	r->has_fin = true;
	r->fin = a->to;
}

static void renege(struct model *m, struct reading *r)
{
	if (!dice_one_in(&m->dice, 3) || r->top <= r->next)
		return;
	int32_t from = r->next + (int32_t)dice_below(&m->dice, (uint32_t)(r->top - r->next));
	memset(r->has + from, 0, (size_t)(r->top - from));
	r->top = from;
	r->has_fin = false;
}

static void bytewise_take(struct model *m, struct reading *r, const struct arrival *a)
{
	if (r->has_end || a->from > m->edge || (r->kind == LOSSY && dice_one_in(&m->dice, 4)))
		return;
	for (int32_t at = a->from; at < a->to; at++)
		put_byte(m, r, at, a->s->data.p[at - a->from]);
	if (a->has_fin)
		put_fin(r, a);
	while (r->next < r->top && r->has[r->next] && !(r->has_fin && r->next >= r->fin))
		r->next++;
	r->has_end = r->has_fin && r->next == r->fin;
	if (r->kind == RENEGING)
		renege(m, r);
}

static void reading_take(struct model *m, struct reading *r, const struct arrival *a)
{
	switch (r->kind) {
	case LINUX:
	case MERGING:
		linux_take(m, r, a);
		return;
	case FIRST:
	case LAST:
	case DICE:
	case LOSSY:
	case RENEGING:
		bytewise_take(m, r, a);
		return;
	case N_READINGS:
		break;
	}
	assert(!"no such reading");
}

/* ---- resets ---- */

static void reading_reset(struct model *m, struct reading *r, const struct arrival *a)
{
	bool is_exact = a->from == r->next;
	bool is_last = r->n_queued && a->from == r->queue[r->n_queued - 1].to;
	bool is_loose = r->kind == DICE && a->from >= m->acked && a->from <= m->edge;
	r->is_gone |= is_exact || is_last || (is_loose && dice_one_in(&m->dice, 2));
}

/* ---- the connection ---- */

static void start_reading(struct reading *r, enum reading_kind kind, uint32_t ts)
{
	memset(r->has, 0, (size_t)r->top);
	r->kind = kind;
	r->next = r->top = 0;
	r->has_fin = r->has_end = r->is_gone = false;
	r->n_queued = 0;
	r->ts_recent = ts;
}

static void take_syn(struct model *m, const struct wire_segment *s)
{
	bool is_answer = m->state == ASKS;
	if (is_answer && (!(s->flags & TCP_ACK) || s->ack != m->isn + 1))
		return;
	m->state = OPEN;
	m->irs = s->seq;
	m->has_ts = s->has_ts && m->p->has_ts;
	m->ts_last = s->ts;
	m->wscale = s->has_wscale ? m->p->wscale : 0;
	m->owes = is_answer ? TCP_ACK : TCP_SYN | TCP_ACK;
	for (unsigned i = m->first; i <= m->last; i++)
		start_reading(&m->readings[i], (enum reading_kind)i, s->ts);
}

static bool wants_to_acknowledge(struct model *m)
{
	return m->acks == ACK_ALWAYS || (m->acks == ACK_SOMETIMES && dice_one_in(&m->dice, 2));
}

static void take_segment(struct model *m, const struct wire_segment *s)
{
	struct arrival a = {.s = s, .from = (int32_t)(s->seq - m->irs - 1)};
	a.to = a.from + (int32_t)s->data.n;
	a.has_fin = s->flags & TCP_FIN;
	if (a.to > STREAM_MAX)
		return;
	for (unsigned i = m->first; i <= m->last; i++) {
		struct reading *r = &m->readings[i];
		if (r->is_gone)
			continue;
		if (s->flags & TCP_RST)
			reading_reset(m, r, &a);
		else if (!(s->flags & TCP_SYN))
			reading_take(m, r, &a);
	}
	if (!(s->flags & TCP_RST) && wants_to_acknowledge(m))
		m->owes = TCP_ACK;
}

static void model_take(struct peer *peer, struct bytes packet)
{
	struct model *m = (struct model *)(void *)peer;
	struct wire_segment s;
	if (!wire_read(packet, &s))
		return;
	if (m->state == OPEN)
		take_segment(m, &s);
	else if (s.flags & TCP_SYN)
		take_syn(m, &s);
}

/* What every reading that lives has; the FIN counts. */
static int32_t common_next(const struct model *m)
{
	int32_t next = INT32_MAX;
	for (unsigned i = m->first; i <= m->last; i++) {
		const struct reading *r = &m->readings[i];
		int32_t here = r->next + r->has_end;
		if (!r->is_gone && here < next)
			next = here;
	}
	return next == INT32_MAX ? m->acked : next;
}

static uint32_t window_now(struct model *m)
{
	int32_t space = room_of(m) - (m->acked - m->copied);
	uint32_t scaled = space > 0 ? (uint32_t)space >> m->wscale : 0;
	if (scaled > UINT16_MAX)
		scaled = UINT16_MAX;
	int32_t edge = m->acked + (int32_t)(scaled << m->wscale);
	m->edge = edge > m->edge ? edge : m->edge;
	return scaled;
}

static bool model_emit(struct peer *peer, struct wire_path *path, struct bytes *packet)
{
	struct model *m = (struct model *)(void *)peer;
	if (!m->owes)
		return false;
	struct wire_segment s = {.flags = m->owes, .seq = m->isn, .window = UINT16_MAX};
	s.has_ts = m->p->has_ts && (m->state != OPEN || m->has_ts);
	s.ts = 1;
	s.ts_echo = m->ts_last;
	if (m->owes & TCP_SYN) {
		s.has_mss = s.has_wscale = true;
		s.wscale = m->p->wscale;
		s.has_sack_permitted = m->p->has_sack;
		s.ack = m->owes & TCP_ACK ? m->irs + 1 : 0;
		s.window = (uint16_t)(room_of(m) < UINT16_MAX ? room_of(m) : UINT16_MAX);
		m->edge = s.window;
	} else {
		m->acked = common_next(m);
		s.seq = m->isn + 1;
		s.ack = m->irs + 1 + (uint32_t)m->acked;
		s.window = (uint16_t)window_now(m);
	}
	m->owes = 0;
	*packet = bytes_of(m->out, wire_build(m->out, path, m->side, &s));
	return true;
}

static void model_begin(struct peer *peer, const struct program *p, struct wire_path *path)
{
	static const uint8_t hosts[2] = {2, 3};
	struct model *m = (struct model *)(void *)peer;
	*path = (struct wire_path){.is_v6 = p->is_v6, .port = {40000, 9000}};
	for (int i = 0; i < 2; i++) {
		static const uint8_t v4[4] = {198, 18}, v6[16] = {0xfd, 0, 0, 0x18};
		memcpy(path->addr[i], p->is_v6 ? v6 : v4, p->is_v6 ? 16 : 4);
		path->addr[i][p->is_v6 ? 15 : 3] = hosts[i];
	}
	m->p = p;
	m->side = !p->sender_is_server;
	m->dice = p->dice;
	m->state = m->side ? LISTENS : ASKS;
	m->owes = m->side ? 0 : TCP_SYN;
	m->isn = p->isn[1];
	m->acked = m->copied = 0;
	m->edge = 0;
	m->wscale = 0;
	m->ts_last = 0;
	m->has_ts = false;
	m->arena_used = 0;
	m->acks = dice_below(&m->dice, 3);
	m->first = 0;
	m->last = N_READINGS - 1;
	if (dice_one_in(&m->dice, 2))
		m->first = m->last = dice_below(&m->dice, N_READINGS);
	for (unsigned i = m->first; i <= m->last; i++)
		start_reading(&m->readings[i], (enum reading_kind)i, 0);
}

static void model_read(struct peer *peer)
{
	struct model *m = (struct model *)(void *)peer;
	if (m->state != OPEN)
		return;
	m->copied = common_next(m);
	m->owes = TCP_ACK;
}

static void model_settle(struct peer *peer)
{
	model_read(peer);
	((struct model *)(void *)peer)->acks = ACK_ALWAYS;
}

static struct received received_by(struct reading *r)
{
	struct received got = {names[r->kind], r->bytes, (uint32_t)r->next, r->has_end};
	if (r->kind != LINUX && r->kind != MERGING)
		return got;
	if (r->top == 0)
		return got; /* nothing was urgent */
	got.bytes = r->flat;
	got.n = 0;
	for (int32_t i = 0; i < r->next; i++)
		if (!r->has[i])
			r->flat[got.n++] = r->bytes[i];
	return got;
}

static unsigned model_received(struct peer *peer, struct received out[PEER_READINGS_MAX])
{
	struct model *m = (struct model *)(void *)peer;
	unsigned n = 0;
	for (unsigned i = m->first; i <= m->last; i++)
		out[n++] = received_by(&m->readings[i]);
	return n;
}

static void model_end(struct peer *peer)
{
	((struct model *)(void *)peer)->state = CLOSED;
}

struct peer *model_new(void)
{
	struct model *m = calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	m->peer = (struct peer){
		.begin = model_begin,
		.take = model_take,
		.emit = model_emit,
		.read = model_read,
		.settle = model_settle,
		.received = model_received,
		.end = model_end,
	};
	return &m->peer;
}
