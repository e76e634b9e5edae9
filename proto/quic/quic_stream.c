/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "quic/quic_stream.h"

#include "quic/quic_packet.h"

/* RFC 9000 section 19; the others may not be in an Initial packet (section 12.4). */
enum frame {
	FRAME_PADDING = 0x00,
	FRAME_PING = 0x01,
	FRAME_ACK = 0x02,
	FRAME_ACK_ECN = 0x03,
	FRAME_CRYPTO = 0x06,
	FRAME_CLOSE = 0x1c,
};

static const char not_whole[] = "a frame that is cut off";

static enum dis_status fail(enum dis_status status, const char *reason, const char **why)
{
	*why = reason;
	return status;
}

/* False: another byte stands there. */
static bool put_byte(const struct quic_stream *s, size_t at, uint8_t byte)
{
	const uint8_t bit = (uint8_t)(1u << at % 8);
	if (s->have[at / 8] & bit)
		return s->data[at] == byte;
	s->have[at / 8] |= bit;
	s->data[at] = byte;
	return true;
}

static void extend(const struct quic_stream *s, size_t end)
{
	struct quic_reach *r = s->reach;
	if (end > r->top)
		r->top = (uint16_t)end;
	while (r->whole < r->top && s->have[r->whole / 8] >> r->whole % 8 & 1)
		r->whole++;
}

static enum dis_status put_bytes(const struct quic_stream *s, uint64_t offset, struct bytes b,
				 const char **why)
{
	if (offset > s->n || b.n > s->n - (size_t)offset)
		return fail(DIS_LIMIT, "a hello longer than can be held", why);
	for (size_t i = 0; i < b.n; i++)
		if (!put_byte(s, (size_t)offset + i, b.p[i]))
			return fail(DIS_MALFORMED, "a byte of the handshake sent again as another",
				    why);
	if (b.n > 0)
		extend(s, (size_t)offset + b.n);
	return DIS_DONE;
}

static struct bytes read_counted(struct reader *r)
{
	const uint64_t n = quic_read_varint(r);
	return read_bytes(r, n > reader_left(r) ? SIZE_MAX : (size_t)n);
}

static enum dis_status take_crypto(struct reader *r, const struct quic_stream *s, const char **why)
{
	const uint64_t offset = quic_read_varint(r);
	const struct bytes data = read_counted(r);
	if (!reader_ok(r))
		return fail(DIS_MALFORMED, not_whole, why);
	return put_bytes(s, offset, data, why);
}

/* Nothing in it matters here but where it ends. */
static void skip_ack(struct reader *r, bool has_ecn)
{
	(void)quic_read_varint(r); /* largest */
	(void)quic_read_varint(r); /* delay */
	const uint64_t ranges = quic_read_varint(r);
	(void)quic_read_varint(r); /* the first range */
	for (uint64_t i = 0; i < ranges && reader_ok(r); i++) {
		(void)quic_read_varint(r); /* gap */
		(void)quic_read_varint(r); /* length */
	}
	for (int i = 0; has_ecn && i < 3; i++)
		(void)quic_read_varint(r); /* counts */
}

static void take_close(struct reader *r, struct quic_said *said)
{
	said->has_closed = true;
	said->error = quic_read_varint(r);
	(void)quic_read_varint(r); /* the type of the frame that was wrong */
	(void)read_counted(r);	   /* a reason in words */
}

static enum dis_status take_frame(struct reader *r, const struct quic_stream *s,
				  struct quic_said *said, const char **why)
{
	const uint8_t type = read_u8(r);
	switch (type) {
	case FRAME_PADDING:
	case FRAME_PING:
		return DIS_DONE;
	case FRAME_ACK:
	case FRAME_ACK_ECN:
		skip_ack(r, type == FRAME_ACK_ECN);
		return DIS_DONE;
	case FRAME_CRYPTO:
		return take_crypto(r, s, why);
	case FRAME_CLOSE:
		take_close(r, said);
		return DIS_DONE;
	default: /* a number of the protocol, and no other has a place here */
		return fail(DIS_MALFORMED, "a frame that has no place in an initial packet", why);
	}
}

enum dis_status quic_take_frames(struct bytes plain, const struct quic_stream *stream,
				 struct quic_said *said, const char **why)
{
	struct reader r = reader_of(plain);
	if (plain.n == 0)
		return fail(DIS_MALFORMED, "a packet without frames", why);
	while (reader_left(&r) > 0) {
		const enum dis_status status = take_frame(&r, stream, said, why);
		if (status != DIS_DONE)
			return status;
		if (!reader_ok(&r))
			return fail(DIS_MALFORMED, not_whole, why);
	}
	return DIS_DONE;
}
