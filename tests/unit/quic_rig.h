/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QUIC packets for tests, sealed by libcrypto: it shares no code with proto/quic, so that an error
 * there cannot hide itself.
 */
#ifndef TESTS_QUIC_RIG_H
#define TESTS_QUIC_RIG_H

#include <check.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bridgewarden/bytes.h"

enum { QR_MAX = 4096, QR_V1 = 1, QR_V2 = 0x6b3343cf, QR_DATAGRAM = 1200 };

struct qr_text {
	uint8_t p[QR_MAX];
	size_t n;
};

static inline struct bytes qr_bytes(const struct qr_text *t)
{
	return bytes_of(t->p, t->n);
}

static inline void qr_put(struct qr_text *t, size_t size, uint64_t value)
{
	ck_assert_uint_le(t->n + size, QR_MAX);
	for (size_t i = size; i > 0; i--)
		t->p[t->n++] = (uint8_t)(value >> 8 * (i - 1));
}

static inline void qr_add(struct qr_text *t, struct bytes b)
{
	ck_assert_uint_le(t->n + b.n, QR_MAX);
	t->n = bytes_put(t->p, t->n, b);
}

/* Blanks and line ends may stand between the bytes. */
static inline struct qr_text qr_hex(const char *hex)
{
	struct qr_text t = {.n = 0};
	char digits[3] = {0};
	size_t n = 0;
	for (; *hex; hex++) {
		if (*hex == ' ' || *hex == '\n')
			continue;
		digits[n++ % 2] = *hex;
		if (n % 2 == 0)
			qr_put(&t, 1, strtoul(digits, NULL, 16));
	}
	return t;
}

/* Two bytes of varint are enough for all lengths here. */
static inline void qr_varint(struct qr_text *t, uint64_t v)
{
	qr_put(t, 2, 0x4000 | v);
}

/* ---- keys ---- */

struct qr_keys {
	uint8_t key[16], iv[12], hp[16];
};

static inline void qr_expand(const uint8_t secret[32], const char *label, size_t n, uint8_t *out)
{
	struct qr_text info = {.n = 0};
	uint8_t digest[32];
	unsigned size = sizeof digest;
	qr_put(&info, 2, n);
	qr_put(&info, 1, 6 + strlen(label));
	qr_add(&info, bytes_str("tls13 "));
	qr_add(&info, bytes_str(label));
	qr_put(&info, 2, 1); /* no context; block 1 */
	ck_assert_ptr_nonnull(HMAC(EVP_sha256(), secret, 32, info.p, info.n, digest, &size));
	memcpy(out, digest, n);
}

static inline struct qr_keys qr_keys(uint32_t version, struct bytes dcid, bool is_server)
{
	const bool is_2 = version == QR_V2;
	const struct qr_text salt = qr_hex(is_2 ? "0dede3def700a6db819381be6e269dcbf9bd2ed9"
						: "38762cf7f55934b34d179ae6a4c80cadccbb7f0a");
	struct qr_keys k;
	uint8_t secret[32];
	unsigned n = sizeof secret;
	ck_assert_ptr_nonnull(HMAC(EVP_sha256(), salt.p, (int)salt.n, dcid.p, dcid.n, secret, &n));
	qr_expand(secret, is_server ? "server in" : "client in", 32, secret);
	qr_expand(secret, is_2 ? "quicv2 key" : "quic key", 16, k.key);
	qr_expand(secret, is_2 ? "quicv2 iv" : "quic iv", 12, k.iv);
	qr_expand(secret, is_2 ? "quicv2 hp" : "quic hp", 16, k.hp);
	return k;
}

static inline void qr_aes(const uint8_t key[16], const uint8_t in[16], uint8_t out[16])
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int n = 0;
	ck_assert_int_eq(EVP_EncryptInit_ex(c, EVP_aes_128_ecb(), NULL, key, NULL), 1);
	ck_assert_int_eq(EVP_CIPHER_CTX_set_padding(c, 0), 1);
	ck_assert_int_eq(EVP_EncryptUpdate(c, out, &n, in, 16), 1);
	EVP_CIPHER_CTX_free(c);
}

/* out: ciphertext and tag. */
static inline void qr_gcm(const uint8_t key[16], const uint8_t nonce[12], struct bytes header,
			  struct bytes plain, uint8_t *out)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int n = 0, more = 0;
	ck_assert_int_eq(EVP_EncryptInit_ex(c, EVP_aes_128_gcm(), NULL, key, nonce), 1);
	ck_assert_int_eq(EVP_EncryptUpdate(c, NULL, &n, header.p, (int)header.n), 1);
	n = 0;
	if (plain.n)
		ck_assert_int_eq(EVP_EncryptUpdate(c, out, &n, plain.p, (int)plain.n), 1);
	ck_assert_int_eq(EVP_EncryptFinal_ex(c, out + n, &more), 1);
	ck_assert_int_eq(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, 16, out + plain.n), 1);
	EVP_CIPHER_CTX_free(c);
}

/* ---- packets ---- */

struct qr_initial {
	uint32_t version;
	struct bytes dcid, scid, token;
	struct bytes keys; /* the connection ID that makes the keys; empty: dcid */
	bool is_server;
	uint8_t reserved; /* bits of the first byte that must be zero */
	uint32_t number;
};

static inline void qr_cid(struct qr_text *t, struct bytes cid)
{
	qr_put(t, 1, cid.n);
	qr_add(t, cid);
}

/* Adds one Initial with these frames behind what the datagram has. */
static inline void qr_initial(struct qr_text *t, const struct qr_initial *i, struct bytes frames)
{
	const size_t start = t->n;
	const struct qr_keys k = qr_keys(i->version, i->keys.n ? i->keys : i->dcid, i->is_server);
	uint8_t nonce[12], mask[16];
	qr_put(t, 1, (i->version == QR_V2 ? 0xd3u : 0xc3u) | i->reserved);
	qr_put(t, 4, i->version);
	qr_cid(t, i->dcid);
	qr_cid(t, i->scid);
	qr_varint(t, i->token.n);
	qr_add(t, i->token);
	qr_varint(t, 4 + frames.n + 16);
	const size_t number_at = t->n;
	qr_put(t, 4, i->number);
	memcpy(nonce, k.iv, sizeof nonce);
	for (int b = 0; b < 4; b++)
		nonce[8 + b] ^= (uint8_t)(i->number >> 8 * (3 - b));
	ck_assert_uint_le(t->n + frames.n + 16, QR_MAX);
	qr_gcm(k.key, nonce, bytes_of(t->p + start, t->n - start), frames, t->p + t->n);
	t->n += frames.n + 16;
	qr_aes(k.hp, t->p + number_at + 4, mask);
	t->p[start] ^= mask[0] & 0x0f;
	for (int b = 0; b < 4; b++)
		t->p[number_at + (size_t)b] ^= mask[1 + b];
}

static inline void qr_crypto(struct qr_text *frames, size_t offset, struct bytes data)
{
	qr_put(frames, 1, 6);
	qr_varint(frames, offset);
	qr_varint(frames, data.n);
	qr_add(frames, data);
}

/* PADDING, so that a datagram with this one packet has its least length. */
static inline void qr_pad(struct qr_text *frames, const struct qr_initial *i)
{
	const size_t around = 1 + 4 + 1 + i->dcid.n + 1 + i->scid.n + 2 + i->token.n + 2 + 4 + 16;
	while (frames->n + around < QR_DATAGRAM)
		qr_put(frames, 1, 0);
}

/* A whole datagram of one Initial. */
static inline struct qr_text qr_datagram(const struct qr_initial *i, const struct qr_text *frames)
{
	struct qr_text padded = *frames, t = {.n = 0};
	qr_pad(&padded, i);
	qr_initial(&t, i, qr_bytes(&padded));
	return t;
}

/* ---- hellos ---- */

static inline void qr_extension(struct qr_text *t, uint16_t type, struct bytes body)
{
	qr_put(t, 2, type);
	qr_put(t, 2, body.n);
	qr_add(t, body);
}

/* A client hello for that name, blown up by `extra` bytes of an extension that nobody reads. */
static inline struct qr_text qr_hello(const char *name, size_t extra)
{
	struct qr_text t = {.n = 0}, e = {.n = 0}, sni = {.n = 0}, fill = {.n = extra};
	const size_t n = strlen(name);
	const struct qr_text versions = qr_hex("020304"), alpn = qr_hex("0003026833");
	memset(fill.p, 0x5a, extra);
	qr_put(&sni, 2, n + 3), qr_put(&sni, 1, 0), qr_put(&sni, 2, n);
	qr_add(&sni, bytes_str(name));
	qr_extension(&e, 0, qr_bytes(&sni));
	qr_extension(&e, 16, qr_bytes(&alpn));
	qr_extension(&e, 43, qr_bytes(&versions));
	qr_extension(&e, 57, (struct bytes){0});
	qr_extension(&e, 0x4567, qr_bytes(&fill));
	qr_put(&t, 4, 0x01000000 | (2 + 32 + 1 + 4 + 2 + 2 + e.n));
	qr_put(&t, 2, 0x0303);
	for (int i = 0; i < 32; i++)
		qr_put(&t, 1, (uint64_t)i);
	qr_put(&t, 1, 0), qr_put(&t, 4, 0x00021301), qr_put(&t, 2, 0x0100);
	qr_put(&t, 2, e.n);
	qr_add(&t, qr_bytes(&e));
	return t;
}

/* retry: the server asks for another hello. */
static inline struct qr_text qr_server_hello(bool is_retry)
{
	struct qr_text t = qr_hex("0200002e 0303");
	const struct qr_text retry =
		qr_hex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c");
	if (is_retry)
		qr_add(&t, qr_bytes(&retry));
	else
		for (int i = 0; i < 32; i++)
			qr_put(&t, 1, 0x77);
	qr_put(&t, 1, 0), qr_put(&t, 2, 0x1301), qr_put(&t, 1, 0);
	qr_put(&t, 2, 6), qr_put(&t, 2, 43), qr_put(&t, 2, 2), qr_put(&t, 2, 0x0304);
	return t;
}

#endif
