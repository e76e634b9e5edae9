/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tokens into one text, and that text through BLAKE2s. The numbers are those of RFC 7693. */
#include "sql/sql_digest.h"

static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
				    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

/* clang-format off */
static const uint8_t sigma[10][16] = {
	{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
	{14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
	{11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
	{7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
	{9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
	{2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
	{12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
	{13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
	{6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
	{10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};
/* clang-format on */

static inline uint32_t turn(uint32_t x, unsigned n)
{
	return x >> n | x << (32 - n);
}

static inline void mix(uint32_t v[16], unsigned a, unsigned b, unsigned c, unsigned d, uint32_t x,
		       uint32_t y)
{
	v[a] += v[b] + x;
	v[d] = turn(v[d] ^ v[a], 16);
	v[c] += v[d];
	v[b] = turn(v[b] ^ v[c], 12);
	v[a] += v[b] + y;
	v[d] = turn(v[d] ^ v[a], 8);
	v[c] += v[d];
	v[b] = turn(v[b] ^ v[c], 7);
}

static uint32_t little(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void compress(uint32_t h[8], const uint8_t block[SQL_DIGEST_BLOCK], uint32_t n, bool is_last)
{
	uint32_t v[16], m[16];
	for (unsigned i = 0; i < 16; i++)
		m[i] = little(block + 4 * (size_t)i);
	for (unsigned i = 0; i < 8; i++) {
		v[i] = h[i];
		v[i + 8] = initial[i];
	}
	v[12] ^= n;
	v[14] ^= is_last ? UINT32_MAX : 0;
	for (unsigned round = 0; round < 10; round++) {
		const uint8_t *s = sigma[round];
		mix(v, 0, 4, 8, 12, m[s[0]], m[s[1]]);
		mix(v, 1, 5, 9, 13, m[s[2]], m[s[3]]);
		mix(v, 2, 6, 10, 14, m[s[4]], m[s[5]]);
		mix(v, 3, 7, 11, 15, m[s[6]], m[s[7]]);
		mix(v, 0, 5, 10, 15, m[s[8]], m[s[9]]);
		mix(v, 1, 6, 11, 12, m[s[10]], m[s[11]]);
		mix(v, 2, 7, 8, 13, m[s[12]], m[s[13]]);
		mix(v, 3, 4, 9, 14, m[s[14]], m[s[15]]);
	}
	for (unsigned i = 0; i < 8; i++)
		h[i] ^= v[i] ^ v[i + 8];
}

void sql_digest_init(struct sql_digest *d)
{
	memcpy(d->h, initial, sizeof(initial));
	d->h[0] ^= 0x01010000 ^ SQL_DIGEST_SIZE;
	d->n = 0;
	d->n_block = d->is_literal = d->is_comma = d->unused = 0;
}

/* A full block waits for the byte behind it: the last one is marked. */
static void make_room(struct sql_digest *d)
{
	if (d->n_block < SQL_DIGEST_BLOCK)
		return;
	d->n += SQL_DIGEST_BLOCK;
	compress(d->h, d->block, d->n, false);
	d->n_block = 0;
}

static void put(struct sql_digest *d, uint8_t c)
{
	make_room(d);
	d->block[d->n_block++] = c;
}

static void put_run(struct sql_digest *d, struct bytes run, bool is_folded)
{
	while (run.n) {
		make_room(d);
		const size_t room = (size_t)SQL_DIGEST_BLOCK - d->n_block;
		const size_t n = run.n < room ? run.n : room;
		uint8_t *to = d->block + d->n_block;
		memcpy(to, run.p, n);
		for (size_t i = 0; is_folded && i < n; i++)
			to[i] = byte_lower(to[i]);
		d->n_block = (uint8_t)(d->n_block + n);
		run = bytes_from(run, n);
	}
}

static void put_comma(struct sql_digest *d)
{
	if (d->is_comma) {
		put(d, ',');
		put(d, ' ');
	}
	d->is_comma = d->is_literal = 0;
}

void sql_digest_literal(struct sql_digest *d)
{
	if (!d->is_literal || !d->is_comma) {
		put_comma(d);
		put(d, '?');
		put(d, ' ');
	}
	d->is_literal = 1;
	d->is_comma = 0;
}

void sql_digest_byte(struct sql_digest *d, uint8_t punct)
{
	if (punct == ',' && d->is_literal && !d->is_comma) {
		d->is_comma = 1;
		return;
	}
	put_comma(d);
	put(d, punct);
	put(d, ' ');
}

/* A quote within is written twice, or `a` `b` would read as one name. */
static void put_quoted(struct sql_digest *d, uint8_t mark, struct bytes word)
{
	put(d, mark);
	for (size_t i = 0; i < word.n; i++) {
		put(d, word.p[i]);
		if (word.p[i] == mark)
			put(d, mark);
	}
	put(d, mark);
}

void sql_digest_word(struct sql_digest *d, uint8_t mark, struct bytes word, bool is_folded)
{
	put_comma(d);
	if (mark)
		put_quoted(d, mark, word);
	else
		put_run(d, word, is_folded);
	put(d, ' ');
}

void sql_digest_end(const struct sql_digest *d, char out[SQL_DIGEST_TEXT])
{
	static const char digits[] = "0123456789abcdef";
	struct sql_digest last = *d;
	put_comma(&last);
	memset(last.block + last.n_block, 0, (size_t)(SQL_DIGEST_BLOCK - last.n_block));
	compress(last.h, last.block, last.n + last.n_block, true);
	for (unsigned i = 0; i < SQL_DIGEST_SIZE; i++) {
		const uint8_t c = (uint8_t)(last.h[i / 4] >> 8 * (i % 4));
		out[2 * (size_t)i] = digits[c >> 4];
		out[2 * (size_t)i + 1] = digits[c & 15];
	}
}
