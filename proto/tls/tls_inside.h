/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TLS that begins inside another protocol. Once both sides agreed on it, the client must say its
 * hello: bytes in clear would be read by one side as sent before, by the other as sent under TLS.
 */
#ifndef TLS_INSIDE_H
#define TLS_INSIDE_H

#include "tls/tls_hello.h"

/* DIS_DONE: the hello is in the first `consumed` bytes. Else DIS_MORE, DIS_MALFORMED, DIS_LIMIT. */
struct dis_result tls_read_inside(struct bytes in, struct tls_client_hello *out);

#endif
