/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What http2 remembers of a connection, and how a frame begins: for the reader and for the words.
 */
#ifndef HTTP2_STATE_H
#define HTTP2_STATE_H

#include "hpack.h"
#include "http2_streams.h"

#include "bridgewarden/dissect.h"

enum {
	FRAME_HEAD = 9,		/* length, type, flags, stream */
	UNACKNOWLEDGED_MAX = 8, /* SETTINGS frames of one side */
};

enum frame_type {
	FRAME_DATA,
	FRAME_HEADERS,
	FRAME_PRIORITY,
	FRAME_RST_STREAM,
	FRAME_SETTINGS,
	FRAME_PUSH_PROMISE,
	FRAME_PING,
	FRAME_GOAWAY,
	FRAME_WINDOW_UPDATE,
	FRAME_CONTINUATION,
};

enum {
	FLAG_ACK = 1,
	FLAG_END_STREAM = 1,
	FLAG_END_HEADERS = 4,
	FLAG_PADDED = 8,
	FLAG_PRIORITY = 32
};

/* The table sizes of one SETTINGS frame: the last counts, and the table shrinks to the least. */
struct announced {
	uint16_t least, last;
};

/* Of one side. What it announced; and its blocks, which the other side reads. n_early: of the other
 * side's settings, acknowledged before they were shown to us: who only looks holds nobody's. */
struct side {
	bool has_settings;
	uint8_t n_unacknowledged, n_early;
	struct announced sizes[UNACKNOWLEDGED_MAX]; /* of the other's table, the oldest first */
	uint32_t frame_max;
	struct hpack_table table;
};

/* last_id: the highest that the client opened; last_push: that the server promised, which
 * takes_no_push forbids. window: what the client lets a new stream carry,
 * room: what the connection, both counted towards the client. */
struct http2_state {
	bool is_claimed, has_preface, has_tail, is_partial, takes_protocols;
	bool takes_no_push, pad[6]; /* states are compared byte by byte */
	uint32_t last_id, last_push;
	uint32_t window;
	int64_t room;
	struct http2_streams streams;
	struct side side[2];
};

_Static_assert(sizeof(struct http2_state) <= DIS_STATE_MAX, "one slot of the engine");

struct frame {
	uint32_t length, stream;
	uint8_t type, flags;
};

static inline struct frame frame_at(struct bytes in)
{
	struct reader r = reader_of(in);
	struct frame f;
	f.length = (uint32_t)read_be(&r, 3);
	f.type = read_u8(&r);
	f.flags = read_u8(&r);
	f.stream = read_u32be(&r);
	return f;
}

#endif
