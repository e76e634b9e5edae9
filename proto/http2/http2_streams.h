/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The streams of one connection that are not over: open addressing by number, since numbers come
 * in order. Plain data; zeroed memory is an empty table.
 *
 * A stream that one side has reset may be forgotten when its place is needed: the other side may
 * send frames on it that nobody will read, and from then on such frames cannot be told from frames
 * on a stream that was closed.
 */
#ifndef HTTP2_STREAMS_H
#define HTTP2_STREAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HTTP2_STREAMS_MAX = 192 };

enum http2_stream_flag {
	STREAM_CLIENT_ENDED = 1 << 0,
	STREAM_SERVER_ENDED = 1 << 1,
	STREAM_RESET = 1 << 2,
	STREAM_REPLIED = 1 << 3, /* the final reply was there */
	STREAM_COUNTS = 1 << 4,	 /* the client said how long its body is */
	STREAM_GRPC = 1 << 5,
	STREAM_TUNNEL = 1 << 6,
	STREAM_WEBSOCKET = 1 << 7,
	STREAM_HEAD = 1 << 8, /* a reply has no body */
};

/* id 0: a free place. left: of the body that the client announced, in two parts. */
struct http2_stream {
	uint32_t id, left_low;
	uint16_t left_high, flags;
};

#define HTTP2_LEFT_MAX ((UINT64_C(1) << 48) - 1)

struct http2_streams {
	uint16_t n;
	bool has_forgotten;
	struct http2_stream v[HTTP2_STREAMS_MAX];
};

struct http2_stream *streams_find(struct http2_streams *s, uint32_t id);
/* NULL: there is no place. */
struct http2_stream *streams_add(struct http2_streams *s, uint32_t id);
/* Sets flags; a stream that both have ended is gone afterwards. */
void streams_mark(struct http2_streams *s, struct http2_stream *stream, uint16_t flags);

#endif
