/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JA4: what a client is, by the shape of its hello.
 * https://github.com/FoxIO-LLC/ja4/blob/main/technical_details/JA4.md
 *
 *	t13d1516h2_8daaf6152771_d8a2da3f94cd
 *	| | | | |  |            digest of the sorted extensions, then the signature algorithms
 *	| | | | |  digest of the sorted ciphers
 *	| | | | first and last byte of the first protocol of ALPN
 *	| | | counts of ciphers and extensions, at most 99
 *	| | d: with a server name, i: without
 *	| highest version
 *	over TCP; q: over QUIC
 */
#ifndef TLS_JA4_H
#define TLS_JA4_H

#include "tls/tls_hello.h"

enum { TLS_JA4_SIZE = 36 };

enum tls_transport { TLS_OVER_TCP, TLS_OVER_QUIC };

void tls_put_ja4(const struct tls_client_hello *hello, enum tls_transport transport,
		 char out[TLS_JA4_SIZE]);

#endif
