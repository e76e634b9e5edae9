/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "quic/quic_packet.h"

enum {
	FORM_LONG = 0x80,
	NUMBER_MAX = 4, /* bytes of a packet number */
};

uint64_t quic_read_varint(struct reader *r)
{
	const uint8_t first = read_u8(r);
	const size_t more = ((size_t)1 << (first >> 6)) - 1;
	return (uint64_t)(first & 0x3f) << 8 * more | read_be(r, more);
}

/* ---------------------------------------------------------------- headers */

/* The two bits of the first byte mean the same in both versions, one later in the second. */
static enum quic_type long_type(uint8_t first, uint32_t version)
{
	static const enum quic_type types[] = {QUIC_INITIAL, QUIC_ZERO_RTT, QUIC_HANDSHAKE,
					       QUIC_RETRY};
	const unsigned bits = first >> 4 & 3;
	return types[version == QUIC_V2 ? (bits + 3) % 4 : bits];
}

static const char *read_lengths(struct bytes in, struct reader *r, struct quic_packet *p)
{
	const uint64_t token = p->type == QUIC_INITIAL ? quic_read_varint(r) : 0;
	if (token > reader_left(r))
		return "a token longer than its datagram";
	read_skip(r, (size_t)token);
	const uint64_t length = quic_read_varint(r);
	if (!reader_ok(r) || length > reader_left(r))
		return "a packet longer than its datagram";
	p->number_at = r->pos;
	p->whole = bytes_slice(in, 0, r->pos + (size_t)length);
	return NULL;
}

static struct bytes read_cid(struct reader *r)
{
	const size_t n = read_u8(r);
	return read_bytes(r, n);
}

static const char *read_long(struct bytes in, struct quic_packet *p)
{
	struct reader r = reader_of(in);
	const uint8_t first = read_u8(&r);
	p->version = read_u32be(&r);
	p->dcid = read_cid(&r);
	p->scid = read_cid(&r);
	if (!reader_ok(&r))
		return "a header that is cut off";
	p->type = p->version ? long_type(first, p->version) : QUIC_NEGOTIATION;
	if (p->version && !quic_is_known_version(p->version))
		return "a version of quic that is not read";
	if (p->version && (p->dcid.n > QUIC_CID_MAX || p->scid.n > QUIC_CID_MAX))
		return "a connection id too long";
	if (p->type == QUIC_NEGOTIATION || p->type == QUIC_RETRY)
		return NULL;
	return read_lengths(in, &r, p);
}

const char *quic_read_packet(struct bytes in, struct quic_packet *p)
{
	*p = (struct quic_packet){.type = QUIC_SHORT, .whole = in};
	if (in.n == 0)
		return "an empty datagram";
	return in.p[0] & FORM_LONG ? read_long(in, p) : NULL;
}

/* ---------------------------------------------------------------- protection */

/* RFC 9000 appendix A.3: the number nearest to the one that is expected. */
static uint64_t whole_number(uint32_t expected, uint32_t sent, size_t n)
{
	const uint64_t window = UINT64_C(1) << 8 * n, half = window / 2;
	const uint64_t candidate = (expected & ~(window - 1)) | sent;
	if (candidate + half <= expected)
		return candidate + window;
	return candidate > expected + half && candidate >= window ? candidate - window : candidate;
}

static void make_nonce(const struct quic_keys *keys, uint64_t number, uint8_t nonce[QUIC_NONCE])
{
	memcpy(nonce, keys->iv, QUIC_NONCE);
	for (size_t i = QUIC_NONCE; number > 0; number >>= 8)
		nonce[--i] ^= (uint8_t)number;
}

/* The header as it was before its protection: up to the end of the packet number. */
struct header {
	uint8_t first, number[NUMBER_MAX];
	size_t number_n;
	uint32_t sent;
};

static void uncover(const struct quic_packet *p, const struct quic_keys *keys, struct header *h)
{
	uint8_t mask[QUIC_AES_BLOCK];
	const struct bytes number = bytes_from(p->whole, p->number_at);
	quic_aes_block(&keys->header, number.p + NUMBER_MAX, mask);
	h->first = p->whole.p[0] ^ (mask[0] & 0x0f);
	h->number_n = (h->first & 3) + 1u;
	h->sent = 0;
	for (size_t i = 0; i < h->number_n; i++) {
		h->number[i] = number.p[i] ^ mask[1 + i];
		h->sent = h->sent << 8 | h->number[i];
	}
}

static void put_header(const struct quic_packet *p, const struct header *h, uint8_t *out)
{
	memcpy(out, p->whole.p, p->number_at);
	out[0] = h->first;
	memcpy(out + p->number_at, h->number, h->number_n);
}

static void note_number(uint32_t *largest, uint64_t number)
{
	if (number >= *largest && number < UINT32_MAX)
		*largest = (uint32_t)number + 1;
}

bool quic_open(const struct quic_packet *p, const struct quic_keys *keys, uint32_t *largest,
	       uint8_t *room, struct quic_opened *out)
{
	struct header h;
	uint8_t nonce[QUIC_NONCE], tag[QUIC_TAG];
	if (p->whole.n - p->number_at < NUMBER_MAX + QUIC_AES_BLOCK)
		return false;
	uncover(p, keys, &h);
	const size_t head_n = p->number_at + h.number_n, end = p->whole.n - QUIC_TAG;
	const struct bytes sealed = bytes_slice(p->whole, head_n, end - head_n);
	const uint64_t number = whole_number(*largest, h.sent, h.number_n);
	make_nonce(keys, number, nonce);
	put_header(p, &h, room);
	quic_gcm_tag(&keys->packet, nonce, bytes_of(room, head_n), sealed, tag);
	if (!bytes_equal(bytes_of(tag, sizeof tag), bytes_from(p->whole, end)))
		return false;
	quic_gcm_crypt(&keys->packet, nonce, sealed, room);
	*out = (struct quic_opened){.first = h.first, .plain = bytes_of(room, sealed.n)};
	note_number(largest, number);
	return true;
}

/* ---------------------------------------------------------------- a packet of our own */

enum {
	CLOSE_FRAME = 0x1c,
	CRYPTO_FRAME = 0x06,
	CLOSE_HEAD = 6, /* type, error, frame type, length of the words */
	VARINT_2 = 0x40,
};

static size_t put_u16(uint8_t *out, size_t at, uint16_t v)
{
	out[at] = (uint8_t)(v >> 8);
	out[at + 1] = (uint8_t)v;
	return at + 2;
}

static size_t put_cid(uint8_t *out, size_t at, struct bytes cid)
{
	out[at] = (uint8_t)cid.n;
	return bytes_put(out, at + 1, cid);
}

/* Up to the packet number, which is zero in one byte. `rest`: bytes behind it. */
static size_t put_close_header(const struct quic_packet *p, size_t rest, uint8_t *out)
{
	out[0] = p->version == QUIC_V2 ? 0xd0 : 0xc0;
	size_t at = put_u16(out, 1, (uint16_t)(p->version >> 16));
	at = put_u16(out, at, (uint16_t)p->version);
	at = put_cid(out, at, p->scid);
	at = put_cid(out, at, p->dcid);
	out[at++] = 0; /* no token */
	at = put_u16(out, at, (uint16_t)(VARINT_2 << 8 | (rest + 1)));
	out[at++] = 0;
	return at;
}

static void cover(const struct quic_keys *keys, size_t number_at, uint8_t *packet)
{
	uint8_t mask[QUIC_AES_BLOCK];
	quic_aes_block(&keys->header, packet + number_at + NUMBER_MAX, mask);
	packet[0] ^= mask[0] & 0x0f;
	packet[number_at] ^= mask[1];
}

size_t quic_put_close(const struct quic_packet *p, struct bytes dcid, uint16_t error,
		      struct bytes why, uint8_t *out)
{
	struct quic_keys keys;
	uint8_t frame[CLOSE_HEAD + DIS_WHY_MAX];
	why = bytes_slice(why, 0, DIS_WHY_MAX);
	frame[0] = CLOSE_FRAME;
	put_u16(frame, 1, (uint16_t)(VARINT_2 << 8 | error));
	frame[3] = CRYPTO_FRAME;
	put_u16(frame, 4, (uint16_t)(VARINT_2 << 8 | why.n));
	const struct bytes plain = bytes_of(frame, bytes_put(frame, CLOSE_HEAD, why));
	quic_keys_init(&keys, p->version, dcid, DIS_TO_CLIENT);
	const size_t head = put_close_header(p, plain.n + QUIC_TAG, out);
	quic_gcm_crypt(&keys.packet, keys.iv, plain, out + head); /* number 0 changes no nonce */
	quic_gcm_tag(&keys.packet, keys.iv, bytes_of(out, head), bytes_of(out + head, plain.n),
		     out + head + plain.n);
	cover(&keys, head - 1, out);
	return head + plain.n + QUIC_TAG;
}
