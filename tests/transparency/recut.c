/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "recut.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	PROBES = 16,
	MORE_MAX = 700, /* bytes that a resend may take along on either side */
	SPURIOUS_BACK = 12000,
};

static uint64_t dice_state;

void dice_seed(uint64_t seed)
{
	dice_state = seed * 2 + 1;
}

/* splitmix64 */
uint32_t dice(uint32_t n)
{
	uint64_t z = dice_state += 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (uint32_t)(((z ^ z >> 31) >> 32) * n >> 32);
}

int recut_init(struct recut *r)
{
	r->streams = calloc(RECUT_STREAMS, sizeof(*r->streams));
	return r->streams ? 0 : -ENOMEM;
}

void recut_fini(struct recut *r)
{
	for (size_t i = 0; r->streams && i < RECUT_STREAMS; i++)
		free(r->streams[i].bytes);
	free(r->streams);
}

static int32_t apart(uint32_t from, uint32_t to)
{
	return (int32_t)(to - from);
}

static uint32_t hash_of(const uint8_t *key, size_t n)
{
	uint32_t h = 2166136261;
	for (size_t i = 0; i < n; i++)
		h = (h ^ key[i]) * 16777619;
	return h;
}

/* The stream's place, or a free one near its hash, or NULL. */
static struct recut_stream *find(struct recut *r, const uint8_t *key, size_t n)
{
	uint32_t h = hash_of(key, n);
	for (unsigned i = 0; i < PROBES; i++) {
		struct recut_stream *s = &r->streams[(h + i) % RECUT_STREAMS];
		if (!s->bytes || (s->n_key == n && memcmp(s->key, key, n) == 0))
			return s;
	}
	return NULL;
}

static void append(struct recut_stream *s, const uint8_t *data, size_t n)
{
	for (size_t i = 0; i < n; i++)
		s->bytes[(s->top + i) % RECUT_KEPT] = data[i];
	s->top += (uint32_t)n;
	if (apart(s->base, s->top) > RECUT_KEPT)
		s->base = s->top - RECUT_KEPT;
}

static bool start(struct recut_stream *s, const uint8_t *key, size_t n_key, uint32_t first)
{
	if (!s->bytes)
		s->bytes = malloc(RECUT_KEPT);
	if (!s->bytes)
		return false;
	memcpy(s->key, key, n_key);
	s->n_key = n_key;
	s->base = s->top = first;
	return true;
}

struct recut_stream *recut_learn(struct recut *r, unsigned side, const struct wire *w,
				 const uint8_t *frame, bool *is_old)
{
	uint8_t key[WIRE_KEY_MAX + 1];
	size_t n_key = wire_key(w, frame, key);
	key[n_key++] = (uint8_t)side;
	struct recut_stream *s = find(r, key, n_key);
	*is_old = false;
	if (!s)
		return NULL;
	if (w->flags & WIRE_SYN) {
		(void)start(s, key, n_key, w->seq + 1); /* no memory: it stays as it is */
		return NULL;
	}
	if (!s->bytes || w->n_data == 0)
		return NULL;
	int32_t ahead = apart(s->top, w->seq), old = -ahead;
	if (ahead > 0 && !start(s, key, n_key, w->seq))
		return NULL;
	if (ahead > 0)
		old = 0; /* a hole, of what another loss took: nothing before it is known */
	*is_old = old >= (int32_t)w->n_data;
	if (!*is_old)
		append(s, frame + w->data_at + old, w->n_data - (size_t)old);
	return s;
}

static void emit_pieces(const struct recut_stream *s, const struct wire *w, const uint8_t *frame,
			const uint32_t range[2], uint8_t last_flags, recut_emit_fn *emit, void *ctx)
{
	uint8_t piece[FRAME_MAX];
	uint32_t room = (uint32_t)(FRAME_MAX - w->data_at);
	const uint8_t inner_flags = w->flags & (uint8_t) ~(WIRE_FIN | WIRE_PSH);
	for (uint32_t at = range[0]; at != range[1];) {
		uint32_t left = range[1] - at, n = 1 + dice(room);
		n = n < left ? n : left;
		memcpy(piece, frame, w->data_at);
		for (uint32_t i = 0; i < n; i++)
			piece[w->data_at + i] = s->bytes[(at + i) % RECUT_KEPT];
		uint8_t flags = at + n == range[1] ? last_flags : inner_flags;
		emit(ctx, piece, wire_finish(w, piece, at, flags, n));
		at += n;
	}
}

void recut_resend(const struct recut_stream *s, const struct wire *w, const uint8_t *frame,
		  uint32_t seq, size_t n, recut_emit_fn *emit, void *ctx)
{
	int32_t before = apart(s->base, seq), behind = apart(seq + (uint32_t)n, s->top);
	int32_t left = (int32_t)dice(MORE_MAX), right = (int32_t)dice(MORE_MAX);
	if (before < 0 || behind < 0) {
		emit(ctx, frame, w->data_at + w->n_data); /* too old to be known */
		return;
	}
	if (w->flags & WIRE_FIN)
		right = 0;
	uint32_t range[2] = {seq - (uint32_t)(left < before ? left : before),
			     seq + (uint32_t)n + (uint32_t)(right < behind ? right : behind)};
	emit_pieces(s, w, frame, range, w->flags, emit, ctx);
}

void recut_spurious(const struct recut_stream *s, const struct wire *w, const uint8_t *frame,
		    recut_emit_fn *emit, void *ctx)
{
	uint32_t have = s->top - s->base;
	if (have == 0)
		return;
	uint32_t back = 1 + dice(have < SPURIOUS_BACK ? have : SPURIOUS_BACK);
	uint32_t n = 1 + dice(back);
	uint32_t range[2] = {s->top - back, s->top - back + (n < 1400 ? n : 1400)};
	uint8_t flags = w->flags & (uint8_t) ~(WIRE_FIN | WIRE_PSH);
	emit_pieces(s, w, frame, range, flags, emit, ctx);
}
