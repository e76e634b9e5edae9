/* SPDX-License-Identifier: GPL-2.0-or-later */
/* https://csrc.nist.gov/pubs/fips/180-4/upd1/final, section 6.2; names as there. */
#include "tls/tls_sha256.h"

static const uint32_t k[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2,
};

static uint32_t rotr(uint32_t x, unsigned n)
{
	return x >> n | x << (32 - n);
}

static void schedule(const uint8_t *block, uint32_t w[64])
{
	struct reader r = reader_of(bytes_of(block, TLS_SHA256_BLOCK));
	for (unsigned t = 0; t < 16; t++)
		w[t] = read_u32be(&r);
	for (unsigned t = 16; t < 64; t++) {
		const uint32_t s0 = rotr(w[t - 15], 7) ^ rotr(w[t - 15], 18) ^ w[t - 15] >> 3;
		const uint32_t s1 = rotr(w[t - 2], 17) ^ rotr(w[t - 2], 19) ^ w[t - 2] >> 10;
		w[t] = s1 + w[t - 7] + s0 + w[t - 16];
	}
}

/* v is a to h. */
static void one_round(uint32_t v[8], uint32_t word)
{
	const uint32_t s1 = rotr(v[4], 6) ^ rotr(v[4], 11) ^ rotr(v[4], 25);
	const uint32_t ch = (v[4] & v[5]) ^ (~v[4] & v[6]);
	const uint32_t t1 = v[7] + s1 + ch + word;
	const uint32_t s0 = rotr(v[0], 2) ^ rotr(v[0], 13) ^ rotr(v[0], 22);
	const uint32_t maj = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
	memmove(v + 1, v, 7 * sizeof *v);
	v[4] += t1;
	v[0] = t1 + s0 + maj;
}

static void take_block(struct tls_sha256 *s, const uint8_t *block)
{
	uint32_t w[64], v[8];
	schedule(block, w);
	memcpy(v, s->h, sizeof v);
	for (unsigned t = 0; t < 64; t++)
		one_round(v, k[t] + w[t]);
	for (unsigned i = 0; i < 8; i++)
		s->h[i] += v[i];
}

void tls_sha256_init(struct tls_sha256 *s)
{
	*s = (struct tls_sha256){.h = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
				       0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void tls_sha256_add(struct tls_sha256 *s, struct bytes b)
{
	while (b.n > 0) {
		const size_t at = s->n % TLS_SHA256_BLOCK;
		const struct bytes part = bytes_slice(b, 0, TLS_SHA256_BLOCK - at);
		memcpy(s->block + at, part.p, part.n);
		s->n += part.n;
		b = bytes_from(b, part.n);
		if (s->n % TLS_SHA256_BLOCK == 0)
			take_block(s, s->block);
	}
}

static void put_be(uint8_t *to, uint64_t value, size_t n)
{
	for (size_t i = n; i > 0; i--, value >>= 8)
		to[i - 1] = (uint8_t)value;
}

void tls_sha256_end(struct tls_sha256 *s, uint8_t out[TLS_SHA256_SIZE])
{
	static const uint8_t padding[TLS_SHA256_BLOCK] = {0x80};
	uint8_t bits[8];
	put_be(bits, s->n * 8, sizeof bits);
	const size_t used = s->n % TLS_SHA256_BLOCK;
	const size_t room = used < 56 ? 56 - used : TLS_SHA256_BLOCK + 56 - used;
	tls_sha256_add(s, bytes_of(padding, room));
	tls_sha256_add(s, bytes_of(bits, sizeof bits));
	for (size_t i = 0; i < 8; i++)
		put_be(out + 4 * i, s->h[i], 4);
}
