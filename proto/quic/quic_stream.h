/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes of the handshake that one side sends in CRYPTO frames, in whatever order, size and
 * number of packets.
 *
 * Which bytes are there is kept apart from the bytes. A byte that comes again must be the same:
 * which of two the receiver has read is not known here, since packets get lost. Bounded: what lies
 * beyond the room is a limit.
 */
#ifndef QUIC_STREAM_H
#define QUIC_STREAM_H

#include "bridgewarden/dissect.h"

/* Plain data, for the state. */
struct quic_reach {
	uint16_t whole; /* so many bytes from the first on are there */
	uint16_t top;	/* where the farthest byte ends */
};

/* A stream while it is worked on. */
struct quic_stream {
	struct quic_reach *reach;
	uint8_t *data; /* n bytes */
	uint8_t *have; /* a bit for each */
	size_t n;
};

/* What the frames of one packet said besides. */
struct quic_said {
	bool has_closed;
	uint64_t error; /* of CONNECTION_CLOSE */
};

/* Puts the CRYPTO frames of a packet's plaintext into the stream. DIS_DONE, or DIS_MALFORMED /
 * DIS_LIMIT and *why; the stream is then of no use any more. */
enum dis_status quic_take_frames(struct bytes plain, const struct quic_stream *stream,
				 struct quic_said *said, const char **why);

#endif
