/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the server would say to a request that is refused: whole frames, of literals alone.
 */
#include "http2_words.h"

#include "http2_state.h"

struct words {
	uint8_t *out;
	size_t n;
};

static void say_bytes(struct words *w, struct bytes b)
{
	w->n = bytes_put(w->out, w->n, b);
}

static void say_u8(struct words *w, size_t value)
{
	w->out[w->n++] = (uint8_t)value;
}

static void say_u32(struct words *w, uint32_t value)
{
	for (unsigned i = 4; i-- > 0;)
		say_u8(w, value >> 8 * i & 0xff);
}

static void say_head(struct words *w, struct frame f)
{
	say_u8(w, f.length >> 16);
	say_u8(w, f.length >> 8 & 0xff);
	say_u8(w, f.length & 0xff);
	say_u8(w, f.type);
	say_u8(w, f.flags);
	say_u32(w, f.stream);
}

/* An integer of a prefix of which `mask` are the bits; `first`: the bits before them. */
static void say_integer(struct words *w, size_t first, size_t mask, size_t value)
{
	if (value < mask) {
		say_u8(w, first | value);
		return;
	}
	say_u8(w, first | mask);
	for (value -= mask; value >= 0x80; value >>= 7)
		say_u8(w, 0x80 | (value & 0x7f));
	say_u8(w, value);
}

static void say_string(struct words *w, struct bytes text)
{
	say_integer(w, 0, 0x7f, text.n);
	say_bytes(w, text);
}

enum { INDEX_STATUS = 8, INDEX_CACHE_CONTROL = 24, INDEX_TYPE = 31 };

/* Literals that enter no table. index: of a name in the static table. */
static void say_field(struct words *w, size_t index, const char *value)
{
	say_integer(w, 0, 0x0f, index);
	say_string(w, bytes_str(value));
}

static void say_named(struct words *w, const char *name, struct bytes value)
{
	say_u8(w, 0);
	say_string(w, bytes_str(name));
	say_string(w, value);
}

/* As the client's table must shrink first, if it must. */
static void say_update(struct words *w, const struct hpack_table *t)
{
	if (t->due != HPACK_NO_LIMIT)
		say_integer(w, 0x20, 0x1f, t->due);
}

/* gRPC's message is percent-encoded (of what `why` may hold that is the percent sign alone). */
static struct bytes encode(struct bytes why, uint8_t *out)
{
	struct words w = {.out = out};
	for (size_t i = 0; i < why.n; i++) {
		say_u8(&w, why.p[i]);
		if (why.p[i] == '%')
			say_bytes(&w, bytes_str("25"));
	}
	return bytes_of(out, w.n);
}

/* PERMISSION_DENIED, as a reply that has only a head. */
static void say_grpc_fields(struct words *w, struct bytes why)
{
	uint8_t message[3 * DIS_WHY_MAX];
	say_field(w, INDEX_STATUS, "200");
	say_field(w, INDEX_TYPE, "application/grpc");
	say_named(w, "grpc-status", bytes_str("7"));
	say_named(w, "grpc-message", encode(why, message));
}

static void say_http_fields(struct words *w)
{
	say_field(w, INDEX_STATUS, "403");
	say_field(w, INDEX_TYPE, "text/plain");
	say_field(w, INDEX_CACHE_CONTROL, "no-store");
}

static void say_goaway(struct words *w, uint32_t last_id)
{
	say_head(w, (struct frame){.length = 8, .type = FRAME_GOAWAY});
	say_u32(w, last_id);
	say_u32(w, 0);
}

static uint16_t flags_on(const struct http2_state *s, uint32_t id)
{
	for (size_t i = 0; i < HTTP2_STREAMS_MAX; i++)
		if (s->streams.v[i].id == id)
			return s->streams.v[i].flags;
	return 0;
}

/* The whole answer: fields, body where the client has room for it, end of the connection. */
static void say_answer(struct words *w, uint32_t id, struct bytes fields, struct bytes body)
{
	const uint8_t end = body.n ? 0 : FLAG_END_STREAM;
	say_head(w, (struct frame){.length = (uint32_t)fields.n,
				   .type = FRAME_HEADERS,
				   .flags = FLAG_END_HEADERS | end,
				   .stream = id});
	say_bytes(w, fields);
	if (body.n) {
		say_head(w, (struct frame){.length = (uint32_t)body.n + 1,
					   .flags = FLAG_END_STREAM,
					   .stream = id});
		say_bytes(w, body);
		say_u8(w, '\n');
	}
	say_goaway(w, id);
}

/* A reply that comes by itself: its request is whole, or the reply has begun. A tunnel that is open
 * has no end to wait for. */
static bool is_reply_due(const struct http2_stream *stream)
{
	const uint16_t over = STREAM_SERVER_ENDED | STREAM_RESET,
		       open = STREAM_TUNNEL | STREAM_REPLIED;
	return stream->id && !(stream->flags & over) && stream->flags & STREAM_CLIENT_ENDED &&
	       (stream->flags & open) != open;
}

/* The refused stream is the last that was opened. */
enum dis_due http2_due(const void *state)
{
	const struct http2_state *s = state;
	for (size_t i = 0; i < HTTP2_STREAMS_MAX; i++)
		if (s->streams.v[i].id != s->last_id && is_reply_due(&s->streams.v[i]))
			return DIS_DUE_OTHERS;
	return DIS_DUE_NOTHING;
}

/* Between the server's frames. */
size_t http2_refuse(const void *state, uint8_t ip_proto, struct bytes unit, struct bytes why,
		    uint8_t *out)
{
	const struct http2_state *s = state;
	(void)ip_proto; /* TCP is the only one offered */
	if (unit.n < FRAME_HEAD || s->is_partial || s->has_tail)
		return 0;
	const struct frame f = frame_at(unit);
	if (f.type != FRAME_HEADERS)
		return 0;
	const uint16_t flags = flags_on(s, f.stream);
	const bool is_grpc = flags & STREAM_GRPC;
	const bool has_body = !(flags & (STREAM_GRPC | STREAM_HEAD)) && s->window > why.n &&
			      s->room > (int64_t)why.n;
	uint8_t text[DIS_REFUSAL_MAX];
	struct words fields = {.out = text}, w = {.out = out};
	say_update(&fields, &s->side[DIS_TO_CLIENT].table);
	if (is_grpc)
		say_grpc_fields(&fields, why);
	else
		say_http_fields(&fields);
	if (!s->side[DIS_TO_CLIENT].has_settings)
		say_head(&w, (struct frame){.type = FRAME_SETTINGS});
	say_answer(&w, f.stream, bytes_of(text, fields.n), has_body ? why : bytes_slice(why, 0, 0));
	return w.n;
}
