/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "quic/quic_keys.h"

#include "quic/quic_packet.h"
#include "tls/tls_sha256.h"

struct labels {
	const char *key, *iv, *header;
};

struct version {
	uint32_t number;
	uint8_t salt[20], retry_key[QUIC_AES_KEY], retry_nonce[QUIC_NONCE];
	struct labels labels;
};

static const struct version versions[] = {
	{
		.number = QUIC_V1,
		.salt = {0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17,
			 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a},
		.retry_key = {0xbe, 0x0c, 0x69, 0x0b, 0x9f, 0x66, 0x57, 0x5a, 0x1d, 0x76, 0x6b,
			      0x54, 0xe3, 0x68, 0xc8, 0x4e},
		.retry_nonce = {0x46, 0x15, 0x99, 0xd3, 0x5d, 0x63, 0x2b, 0xf2, 0x23, 0x98, 0x25,
				0xbb},
		.labels = {"quic key", "quic iv", "quic hp"},
	},
	{
		.number = QUIC_V2,
		.salt = {0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93,
			 0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9},
		.retry_key = {0x8f, 0xb4, 0xb0, 0x1b, 0x56, 0xac, 0x48, 0xe2, 0x60, 0xfb, 0xcb,
			      0xce, 0xad, 0x7c, 0xcc, 0x92},
		.retry_nonce = {0xd8, 0x69, 0x69, 0xbc, 0x2d, 0x7c, 0x6d, 0x99, 0x90, 0xef, 0xb0,
				0x4a},
		.labels = {"quicv2 key", "quicv2 iv", "quicv2 hp"},
	},
};

static const struct version *find_version(uint32_t number)
{
	for (size_t i = 0; i < sizeof versions / sizeof *versions; i++)
		if (versions[i].number == number)
			return &versions[i];
	return NULL;
}

bool quic_is_known_version(uint32_t version)
{
	return find_version(version) != NULL;
}

/* ---------------------------------------------------------------- HMAC and HKDF with SHA-256 */

static void start_padded(struct tls_sha256 *sha, struct bytes key, uint8_t pad)
{
	uint8_t block[TLS_SHA256_BLOCK] = {0};
	memcpy(block, key.p, key.n);
	for (size_t i = 0; i < sizeof block; i++)
		block[i] ^= pad;
	tls_sha256_init(sha);
	tls_sha256_add(sha, bytes_of(block, sizeof block));
}

/* RFC 2104; the key has at most a block. */
static void hmac(struct bytes key, struct bytes text, uint8_t out[TLS_SHA256_SIZE])
{
	struct tls_sha256 sha;
	start_padded(&sha, key, 0x36);
	tls_sha256_add(&sha, text);
	tls_sha256_end(&sha, out);
	start_padded(&sha, key, 0x5c);
	tls_sha256_add(&sha, bytes_of(out, TLS_SHA256_SIZE));
	tls_sha256_end(&sha, out);
}

/* HKDF-Expand-Label (RFC 8446 section 7.1) without a context, for at most one digest. */
static void expand(const uint8_t secret[TLS_SHA256_SIZE], const char *label, size_t n, uint8_t *out)
{
	uint8_t info[32], digest[TLS_SHA256_SIZE];
	const struct bytes prefix = bytes_str("tls13 "), name = bytes_str(label);
	info[0] = 0;
	info[1] = (uint8_t)n;
	info[2] = (uint8_t)(prefix.n + name.n);
	size_t at = bytes_put(info, 3, prefix);
	at = bytes_put(info, at, name);
	info[at++] = 0; /* the context is empty */
	info[at++] = 1; /* the first block */
	hmac(bytes_of(secret, TLS_SHA256_SIZE), bytes_of(info, at), digest);
	memcpy(out, digest, n);
}

/* ---------------------------------------------------------------- what they are used for */

void quic_keys_init(struct quic_keys *keys, uint32_t version, struct bytes dcid,
		    enum dis_dir sender)
{
	const struct version *v = find_version(version);
	uint8_t secret[TLS_SHA256_SIZE], key[QUIC_AES_KEY];
	hmac(bytes_of(v->salt, sizeof v->salt), dcid, secret);
	expand(secret, sender == DIS_TO_SERVER ? "client in" : "server in", sizeof secret, secret);
	expand(secret, v->labels.key, sizeof key, key);
	quic_gcm_init(&keys->packet, key);
	expand(secret, v->labels.header, sizeof key, key);
	quic_aes_init(&keys->header, key);
	expand(secret, v->labels.iv, sizeof keys->iv, keys->iv);
}

/* RFC 9001 section 5.8: the tag covers the connection ID that the Retry answers, too. The pieces
 * are joined here, so that the GCM needs only one. */
void quic_retry_tag(uint32_t version, struct bytes dcid, struct bytes packet, uint8_t tag[QUIC_TAG])
{
	const struct version *v = find_version(version);
	uint8_t pseudo[1 + QUIC_CID_MAX + QUIC_RETRY_MAX];
	struct quic_gcm gcm;
	pseudo[0] = (uint8_t)dcid.n;
	size_t n = bytes_put(pseudo, 1, bytes_slice(dcid, 0, QUIC_CID_MAX));
	n = bytes_put(pseudo, n, bytes_slice(packet, 0, QUIC_RETRY_MAX));
	quic_gcm_init(&gcm, v->retry_key);
	quic_gcm_tag(&gcm, v->retry_nonce, bytes_of(pseudo, n), (struct bytes){0}, tag);
}
