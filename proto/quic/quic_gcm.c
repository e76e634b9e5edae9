/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "quic/quic_gcm.h"

enum { ROUNDS = 10 };

/* ---------------------------------------------------------------- AES */

static const uint8_t sbox[256] = {
	0x63, 0x7c, 0x77, 0x7b, 0xf2, 0x6b, 0x6f, 0xc5, 0x30, 0x01, 0x67, 0x2b, 0xfe, 0xd7, 0xab,
	0x76, 0xca, 0x82, 0xc9, 0x7d, 0xfa, 0x59, 0x47, 0xf0, 0xad, 0xd4, 0xa2, 0xaf, 0x9c, 0xa4,
	0x72, 0xc0, 0xb7, 0xfd, 0x93, 0x26, 0x36, 0x3f, 0xf7, 0xcc, 0x34, 0xa5, 0xe5, 0xf1, 0x71,
	0xd8, 0x31, 0x15, 0x04, 0xc7, 0x23, 0xc3, 0x18, 0x96, 0x05, 0x9a, 0x07, 0x12, 0x80, 0xe2,
	0xeb, 0x27, 0xb2, 0x75, 0x09, 0x83, 0x2c, 0x1a, 0x1b, 0x6e, 0x5a, 0xa0, 0x52, 0x3b, 0xd6,
	0xb3, 0x29, 0xe3, 0x2f, 0x84, 0x53, 0xd1, 0x00, 0xed, 0x20, 0xfc, 0xb1, 0x5b, 0x6a, 0xcb,
	0xbe, 0x39, 0x4a, 0x4c, 0x58, 0xcf, 0xd0, 0xef, 0xaa, 0xfb, 0x43, 0x4d, 0x33, 0x85, 0x45,
	0xf9, 0x02, 0x7f, 0x50, 0x3c, 0x9f, 0xa8, 0x51, 0xa3, 0x40, 0x8f, 0x92, 0x9d, 0x38, 0xf5,
	0xbc, 0xb6, 0xda, 0x21, 0x10, 0xff, 0xf3, 0xd2, 0xcd, 0x0c, 0x13, 0xec, 0x5f, 0x97, 0x44,
	0x17, 0xc4, 0xa7, 0x7e, 0x3d, 0x64, 0x5d, 0x19, 0x73, 0x60, 0x81, 0x4f, 0xdc, 0x22, 0x2a,
	0x90, 0x88, 0x46, 0xee, 0xb8, 0x14, 0xde, 0x5e, 0x0b, 0xdb, 0xe0, 0x32, 0x3a, 0x0a, 0x49,
	0x06, 0x24, 0x5c, 0xc2, 0xd3, 0xac, 0x62, 0x91, 0x95, 0xe4, 0x79, 0xe7, 0xc8, 0x37, 0x6d,
	0x8d, 0xd5, 0x4e, 0xa9, 0x6c, 0x56, 0xf4, 0xea, 0x65, 0x7a, 0xae, 0x08, 0xba, 0x78, 0x25,
	0x2e, 0x1c, 0xa6, 0xb4, 0xc6, 0xe8, 0xdd, 0x74, 0x1f, 0x4b, 0xbd, 0x8b, 0x8a, 0x70, 0x3e,
	0xb5, 0x66, 0x48, 0x03, 0xf6, 0x0e, 0x61, 0x35, 0x57, 0xb9, 0x86, 0xc1, 0x1d, 0x9e, 0xe1,
	0xf8, 0x98, 0x11, 0x69, 0xd9, 0x8e, 0x94, 0x9b, 0x1e, 0x87, 0xe9, 0xce, 0x55, 0x28, 0xdf,
	0x8c, 0xa1, 0x89, 0x0d, 0xbf, 0xe6, 0x42, 0x68, 0x41, 0x99, 0x2d, 0x0f, 0xb0, 0x54, 0xbb,
	0x16,
};

static uint32_t read_word(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put_word(uint8_t *p, uint32_t w)
{
	for (size_t i = 4; i > 0; i--, w >>= 8)
		p[i - 1] = (uint8_t)w;
}

static uint32_t rotate(uint32_t w, unsigned n)
{
	return w << n | w >> (32 - n);
}

/* SubBytes of the four bytes of a, b, c, d that ShiftRows brings into one column. */
static uint32_t substitute(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
	return (uint32_t)sbox[a >> 24] << 24 | (uint32_t)sbox[b >> 16 & 255] << 16 |
	       (uint32_t)sbox[c >> 8 & 255] << 8 | sbox[d & 255];
}

/* Each of the four bytes times x, in the field of AES. */
static uint32_t times_x(uint32_t w)
{
	return (w & 0x7f7f7f7f) << 1 ^ (w >> 7 & 0x01010101) * 0x1b;
}

static uint32_t mix_column(uint32_t w)
{
	const uint32_t doubled = times_x(w);
	return doubled ^ rotate(doubled ^ w, 8) ^ rotate(w, 16) ^ rotate(w, 24);
}

void quic_aes_init(struct quic_aes *aes, const uint8_t key[QUIC_AES_KEY])
{
	uint32_t *w = aes->round_keys, constant = 1;
	for (size_t i = 0; i < 4; i++)
		w[i] = read_word(key + 4 * i);
	for (size_t i = 4; i < 44; i++) {
		uint32_t before = w[i - 1];
		if (i % 4 == 0) {
			before = rotate(before, 8);
			before = substitute(before, before, before, before) ^ constant << 24;
			constant = times_x(constant);
		}
		w[i] = w[i - 4] ^ before;
	}
}

void quic_aes_block(const struct quic_aes *aes, const uint8_t in[QUIC_AES_BLOCK],
		    uint8_t out[QUIC_AES_BLOCK])
{
	const uint32_t *key = aes->round_keys;
	uint32_t s[4], t[4];
	for (size_t i = 0; i < 4; i++)
		s[i] = read_word(in + 4 * i) ^ *key++;
	for (size_t round = 1; round <= ROUNDS; round++) {
		for (size_t i = 0; i < 4; i++)
			t[i] = substitute(s[i], s[(i + 1) % 4], s[(i + 2) % 4], s[(i + 3) % 4]);
		for (size_t i = 0; i < 4; i++)
			s[i] = (round < ROUNDS ? mix_column(t[i]) : t[i]) ^ *key++;
	}
	for (size_t i = 0; i < 4; i++)
		put_word(out + 4 * i, s[i]);
}

/* ---------------------------------------------------------------- GHASH */

/* What the four bits that a shift pushes out put back in at the top. */
static const uint16_t pushed_out[16] = {
	0x0000, 0x1c20, 0x3840, 0x2460, 0x7080, 0x6ca0, 0x48c0, 0x54e0,
	0xe100, 0xfd20, 0xd940, 0xc560, 0x9180, 0x8da0, 0xa9c0, 0xb5e0,
};

static struct quic_field field_xor(struct quic_field a, struct quic_field b)
{
	return (struct quic_field){a.high ^ b.high, a.low ^ b.low};
}

static struct quic_field field_of(const uint8_t block[QUIC_AES_BLOCK])
{
	struct reader r = reader_of(bytes_of(block, QUIC_AES_BLOCK));
	const uint64_t high = read_be(&r, 8);
	return (struct quic_field){high, read_be(&r, 8)};
}

static struct quic_field field_times_x(struct quic_field f)
{
	const uint64_t carry = f.low & 1 ? UINT64_C(0xe1) << 56 : 0;
	return (struct quic_field){f.high >> 1 ^ carry, f.low >> 1 | f.high << 63};
}

static struct quic_field field_times_x4(struct quic_field f)
{
	const uint64_t carry = (uint64_t)pushed_out[f.low & 15] << 48;
	return (struct quic_field){f.high >> 4 ^ carry, f.low >> 4 | f.high << 60};
}

/* The highest bit of a half byte is the one that stands for 1. */
static void make_multiples(struct quic_field h, struct quic_field multiples[16])
{
	multiples[0] = (struct quic_field){0, 0};
	multiples[8] = h;
	for (size_t i = 4; i > 0; i /= 2)
		multiples[i] = field_times_x(multiples[2 * i]);
	for (size_t i = 2; i < 16; i *= 2)
		for (size_t j = 1; j < i; j++)
			multiples[i + j] = field_xor(multiples[i], multiples[j]);
}

void quic_gcm_init(struct quic_gcm *gcm, const uint8_t key[QUIC_AES_KEY])
{
	static const uint8_t zeroes[QUIC_AES_BLOCK];
	uint8_t h[QUIC_AES_BLOCK];
	quic_aes_init(&gcm->aes, key);
	quic_aes_block(&gcm->aes, zeroes, h);
	make_multiples(field_of(h), gcm->multiples);
}

static struct quic_field field_times_h(const struct quic_gcm *gcm, struct quic_field f)
{
	struct quic_field product = {0, 0};
	for (unsigned i = 0; i < 16; i++, f.low >>= 4)
		product = field_xor(field_times_x4(product), gcm->multiples[f.low & 15]);
	for (unsigned i = 0; i < 16; i++, f.high >>= 4)
		product = field_xor(field_times_x4(product), gcm->multiples[f.high & 15]);
	return product;
}

/* Zeroes stand for what the last block lacks. */
static struct quic_field add_blocks(const struct quic_gcm *gcm, struct quic_field sum,
				    struct bytes in)
{
	while (in.n > 0) {
		uint8_t block[QUIC_AES_BLOCK] = {0};
		const struct bytes part = bytes_slice(in, 0, sizeof block);
		memcpy(block, part.p, part.n);
		sum = field_times_h(gcm, field_xor(sum, field_of(block)));
		in = bytes_from(in, part.n);
	}
	return sum;
}

/* ---------------------------------------------------------------- the mode */

static void key_stream(const struct quic_gcm *gcm, const uint8_t nonce[QUIC_NONCE],
		       uint32_t counter, uint8_t out[QUIC_AES_BLOCK])
{
	uint8_t block[QUIC_AES_BLOCK];
	memcpy(block, nonce, QUIC_NONCE);
	put_word(block + QUIC_NONCE, counter);
	quic_aes_block(&gcm->aes, block, out);
}

static void put_half(uint8_t *p, uint64_t v)
{
	put_word(p, (uint32_t)(v >> 32));
	put_word(p + 4, (uint32_t)v);
}

void quic_gcm_tag(const struct quic_gcm *gcm, const uint8_t nonce[QUIC_NONCE], struct bytes header,
		  struct bytes ciphertext, uint8_t tag[QUIC_TAG])
{
	const struct quic_field bits = {(uint64_t)header.n * 8, (uint64_t)ciphertext.n * 8};
	struct quic_field sum = add_blocks(gcm, (struct quic_field){0, 0}, header);
	sum = field_times_h(gcm, field_xor(add_blocks(gcm, sum, ciphertext), bits));
	key_stream(gcm, nonce, 1, tag);
	sum = field_xor(sum, field_of(tag));
	put_half(tag, sum.high);
	put_half(tag + 8, sum.low);
}

void quic_gcm_crypt(const struct quic_gcm *gcm, const uint8_t nonce[QUIC_NONCE], struct bytes in,
		    uint8_t *out)
{
	uint8_t stream[QUIC_AES_BLOCK];
	for (size_t i = 0; i < in.n; i++) {
		if (i % sizeof stream == 0)
			key_stream(gcm, nonce, (uint32_t)(i / sizeof stream + 2), stream);
		out[i] = in.p[i] ^ stream[i % sizeof stream];
	}
}
