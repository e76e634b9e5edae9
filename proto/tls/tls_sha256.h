/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SHA-256 (FIPS 180-4), for fingerprints and to remember a list by its digest.
 *
 * Written here because code under proto/ calls nothing but mem*: the libraries that have it choose
 * an implementation at run time and keep that choice in writable data. Not for secrets; speed does
 * not matter (a few hundred bytes per connection). tests/unit/test_tls.c holds it to libcrypto's.
 */
#ifndef TLS_SHA256_H
#define TLS_SHA256_H

#include "bridgewarden/bytes.h"

enum { TLS_SHA256_BLOCK = 64, TLS_SHA256_SIZE = 32 };

struct tls_sha256 {
	uint32_t h[8];
	uint64_t n; /* bytes so far; those of an unfinished block are in `block` */
	uint8_t block[TLS_SHA256_BLOCK];
};

void tls_sha256_init(struct tls_sha256 *s);
void tls_sha256_add(struct tls_sha256 *s, struct bytes b);
/* *s is used up. */
void tls_sha256_end(struct tls_sha256 *s, uint8_t out[TLS_SHA256_SIZE]);

#endif
