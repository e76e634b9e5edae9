/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ClientHello and ServerHello (RFC 8446 section 4.1, RFC 5246 section 7.4.1), without their
 * records.
 *
 * Parsed strictly: every length must add up, no extension may come twice, a server name must be one
 * that all servers read alike. Nothing is kept; all slices borrow from the message.
 */
#ifndef TLS_HELLO_H
#define TLS_HELLO_H

#include "bridgewarden/dissect.h"

enum { TLS_CLIENT_HELLO = 1, TLS_SERVER_HELLO = 2 };

enum {
	TLS_NAME_MAX = 255,	  /* bytes of a server name, as in DNS */
	TLS_CIPHERS_MAX = 1024,	  /* three times what IANA has */
	TLS_EXTENSIONS_MAX = 256, /* likewise */
	TLS_SCHEMES_MAX = 256,	  /* signature algorithms */
	TLS_ALPN_MAX = 64,	  /* protocols in one list that are looked at */
};

enum {
	TLS_SSL3 = 0x0300,
	TLS_1_2 = 0x0303,
	TLS_1_3 = 0x0304,
};

struct tls_client_hello {
	uint16_t version;	/* legacy_version */
	uint16_t highest;	/* the greatest version offered, known or not; no GREASE */
	uint16_t highest_known; /* SSL 3.0 to TLS 1.3, or 0 */
	bool has_sni, has_early_data;
	bool has_ech;		   /* or GREASE that looks so: nobody but the server can tell */
	uint8_t sni[TLS_NAME_MAX]; /* lower case, no final dot */
	size_t sni_n;
	struct bytes alpn; /* the extension's list of protocols, checked; empty: absent */
	uint16_t ciphers[TLS_CIPHERS_MAX], extensions[TLS_EXTENSIONS_MAX],
		schemes[TLS_SCHEMES_MAX]; /* the first two sorted; GREASE is among them */
	size_t n_ciphers, n_extensions, n_schemes;
};

struct tls_server_hello {
	uint16_t version; /* the chosen one */
	uint16_t cipher;
	struct bytes alpn; /* the chosen one; empty: none, or hidden (TLS 1.3) */
	bool is_retry;	   /* HelloRetryRequest */
};

/* DIS_DONE, or DIS_MALFORMED / DIS_LIMIT and *why. `message` has its header. */
enum dis_status tls_parse_client_hello(struct bytes message, struct tls_client_hello *out,
				       const char **why);
/* NULL, or why it is none. */
const char *tls_parse_server_hello(struct bytes message, struct tls_server_hello *out);

/* RFC 8701: sixteen values that mean nothing, for ciphers, extensions and versions alike. */
bool tls_is_grease(uint16_t code);
/* The next protocol of a checked list, which it leaves. Empty at the end. */
struct bytes tls_next_protocol(struct bytes *list);
bool tls_is_grease_protocol(struct bytes protocol);

/* Writes the canonical form of a server name; NULL, or why it is no name. */
const char *tls_put_name(struct bytes name, uint8_t out[TLS_NAME_MAX], size_t *n);

#endif
