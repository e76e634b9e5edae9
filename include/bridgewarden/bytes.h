/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes borrowed from somebody else, and the one reader through which hostile bytes are read.
 *
 * A parser describes the format from front to back and asks once at the end: the reader remembers
 * its first failure. `missing` says how many more bytes the failed read needed (the input ended too
 * early: ask again with more); `bad` says that the input can never be right. After a failure every
 * further read yields zeroes and changes nothing, so no parser needs a check per field.
 *
 * All functions are pure, allocate nothing and never read outside the slice.
 */
#ifndef BRIDGEWARDEN_BYTES_H
#define BRIDGEWARDEN_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Borrowed; valid as long as the lender says. p may be NULL only when n is 0. */
struct bytes {
	const uint8_t *p;
	size_t n;
};

static inline struct bytes bytes_of(const void *p, size_t n)
{
	return (struct bytes){.p = p, .n = n};
}

static inline struct bytes bytes_str(const char *s)
{
	return bytes_of(s, strlen(s));
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool bytes_is(struct bytes a, const char *s)
{
	return bytes_equal(a, bytes_str(s));
}

/* ASCII only: no locale may change what a rule means. */
static inline uint8_t byte_lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static inline bool bytes_equal_nocase(struct bytes a, struct bytes b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (byte_lower(a.p[i]) != byte_lower(b.p[i]))
			return false;
	return true;
}

static inline bool bytes_is_nocase(struct bytes a, const char *s)
{
	return bytes_equal_nocase(a, bytes_str(s));
}

/* The part of b from `from` on, at most n bytes; clipped to what there is. */
static inline struct bytes bytes_slice(struct bytes b, size_t from, size_t n)
{
	if (from > b.n)
		from = b.n;
	if (n > b.n - from)
		n = b.n - from;
	return (struct bytes){.p = from ? b.p + from : b.p, .n = n};
}

static inline struct bytes bytes_from(struct bytes b, size_t from)
{
	return bytes_slice(b, from, SIZE_MAX);
}

/* Where c stands first, or b.n when it does not. */
static inline size_t bytes_find(struct bytes b, uint8_t c)
{
	const uint8_t *hit = b.n ? memchr(b.p, c, b.n) : NULL;
	return hit ? (size_t)(hit - b.p) : b.n;
}

/* Invariant: pos <= in.n. Once bad or missing is set, nothing changes any more. */
struct reader {
	struct bytes in;
	size_t pos;
	size_t missing; /* bytes beyond the end that the first failed read wanted */
	bool bad;
};

static inline struct reader reader_of(struct bytes in)
{
	return (struct reader){.in = in};
}

static inline bool reader_ok(const struct reader *r)
{
	return !r->bad && r->missing == 0;
}

static inline size_t reader_left(const struct reader *r)
{
	return r->in.n - r->pos;
}

/* The next n bytes, or an empty slice and `missing` set. */
static inline struct bytes read_bytes(struct reader *r, size_t n)
{
	if (!reader_ok(r))
		return (struct bytes){.p = r->in.p};
	if (n > reader_left(r)) {
		r->missing = n - reader_left(r);
		return (struct bytes){.p = r->in.p};
	}
	struct bytes out = bytes_slice(r->in, r->pos, n);
	r->pos += n;
	return out;
}

static inline void read_skip(struct reader *r, size_t n)
{
	(void)read_bytes(r, n); /* only the position matters */
}

static inline uint8_t read_u8(struct reader *r)
{
	struct bytes b = read_bytes(r, 1);
	return b.n ? b.p[0] : 0;
}

static inline uint64_t read_be(struct reader *r, size_t n)
{
	struct bytes b = read_bytes(r, n);
	uint64_t v = 0;
	for (size_t i = 0; i < b.n; i++)
		v = v << 8 | b.p[i];
	return v;
}

static inline uint64_t read_le(struct reader *r, size_t n)
{
	struct bytes b = read_bytes(r, n);
	uint64_t v = 0;
	for (size_t i = b.n; i > 0; i--)
		v = v << 8 | b.p[i - 1];
	return v;
}

static inline uint16_t read_u16be(struct reader *r)
{
	return (uint16_t)read_be(r, 2);
}
static inline uint32_t read_u32be(struct reader *r)
{
	return (uint32_t)read_be(r, 4);
}
static inline uint16_t read_u16le(struct reader *r)
{
	return (uint16_t)read_le(r, 2);
}
static inline uint32_t read_u24le(struct reader *r)
{
	return (uint32_t)read_le(r, 3);
}
static inline uint32_t read_u32le(struct reader *r)
{
	return (uint32_t)read_le(r, 4);
}
static inline uint64_t read_u64le(struct reader *r)
{
	return read_le(r, 8);
}

/* The bytes before the next `stop`, which is consumed but not returned; `missing` = 1 when there is
 * none. */
static inline struct bytes read_until(struct reader *r, uint8_t stop)
{
	if (!reader_ok(r))
		return (struct bytes){.p = r->in.p};
	struct bytes rest = bytes_from(r->in, r->pos);
	size_t at = bytes_find(rest, stop);
	if (at == rest.n) {
		r->missing = 1;
		return (struct bytes){.p = r->in.p};
	}
	r->pos += at + 1;
	return bytes_slice(rest, 0, at);
}

/* The format forbids what was read: no further byte can mend it. The first failure stays. */
static inline void read_fail(struct reader *r)
{
	if (reader_ok(r))
		r->bad = true;
}

/* Copies text to out[at], where the caller knows that there is room; returns where the next goes.
 */
static inline size_t bytes_put(uint8_t *out, size_t at, struct bytes text)
{
	if (text.n > 0)
		memcpy(out + at, text.p, text.n);
	return at + text.n;
}

#endif
