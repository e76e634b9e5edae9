/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * AES-128 in Galois/Counter Mode (FIPS 197, NIST SP 800-38D), for the packets whose keys anybody
 * can derive.
 *
 * Written here because code under proto/ calls nothing but mem*. The keys protect nothing from
 * anybody: lookups that depend on them give nothing away, so the code is small rather than constant
 * in time. Not for secrets. tests/unit/test_quic.c holds it to libcrypto's.
 */
#ifndef QUIC_GCM_H
#define QUIC_GCM_H

#include "bridgewarden/bytes.h"

enum {
	QUIC_AES_BLOCK = 16,
	QUIC_AES_KEY = 16,
	QUIC_NONCE = 12,
	QUIC_TAG = 16,
};

/* A key made ready. */
struct quic_aes {
	uint32_t round_keys[44];
};

void quic_aes_init(struct quic_aes *aes, const uint8_t key[QUIC_AES_KEY]);
void quic_aes_block(const struct quic_aes *aes, const uint8_t in[QUIC_AES_BLOCK],
		    uint8_t out[QUIC_AES_BLOCK]);

/* 128 bits in the order of GCM: the first bit is the highest of `high`. */
struct quic_field {
	uint64_t high, low;
};

struct quic_gcm {
	struct quic_aes aes;
	struct quic_field multiples[16]; /* of the hash key, by each half byte */
};

void quic_gcm_init(struct quic_gcm *gcm, const uint8_t key[QUIC_AES_KEY]);
/* The tag of what is already encrypted. */
void quic_gcm_tag(const struct quic_gcm *gcm, const uint8_t nonce[QUIC_NONCE], struct bytes header,
		  struct bytes ciphertext, uint8_t tag[QUIC_TAG]);
/* Encrypts and decrypts. */
void quic_gcm_crypt(const struct quic_gcm *gcm, const uint8_t nonce[QUIC_NONCE], struct bytes in,
		    uint8_t *out);

#endif
