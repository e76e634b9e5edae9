/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "http2_streams.h"

/* Each side counts by two. */
static size_t home_of(uint32_t id)
{
	return (id >> 1) % HTTP2_STREAMS_MAX;
}

static struct http2_stream *place(struct http2_streams *s, uint32_t id, size_t i)
{
	return &s->v[(home_of(id) + i) % HTTP2_STREAMS_MAX];
}

struct http2_stream *streams_find(struct http2_streams *s, uint32_t id)
{
	size_t n_seen = 0;
	for (size_t i = 0; id && i < HTTP2_STREAMS_MAX && n_seen < s->n; i++) {
		struct http2_stream *at = place(s, id, i);
		if (at->id == id)
			return at;
		n_seen += at->id != 0;
	}
	return NULL;
}

struct http2_stream *streams_add(struct http2_streams *s, uint32_t id)
{
	const bool is_full = s->n == HTTP2_STREAMS_MAX;
	for (size_t i = 0; i < HTTP2_STREAMS_MAX; i++) {
		struct http2_stream *at = place(s, id, i);
		if (at->id && !(is_full && at->flags & STREAM_RESET))
			continue;
		s->has_forgotten |= at->id != 0;
		s->n = (uint16_t)(s->n + (at->id == 0));
		*at = (struct http2_stream){.id = id};
		return at;
	}
	return NULL;
}

void streams_mark(struct http2_streams *s, struct http2_stream *stream, uint16_t flags)
{
	const uint16_t both = STREAM_CLIENT_ENDED | STREAM_SERVER_ENDED;
	stream->flags |= flags;
	if ((stream->flags & both) != both)
		return;
	*stream = (struct http2_stream){0};
	s->n--;
}
