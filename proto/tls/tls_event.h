/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is said of a hello, over TCP and over QUIC alike: the fields, so that one rule judges both,
 * and the events with them.
 */
#ifndef TLS_EVENT_H
#define TLS_EVENT_H

#include "tls/tls_hello.h"
#include "tls/tls_ja4.h"

enum tls_field {
	TLS_F_SNI,
	TLS_F_ALPN,
	TLS_F_VERSION,
	TLS_F_JA4,
	TLS_F_ECH,
	TLS_F_EARLY_DATA,
	TLS_F_CIPHER,
	TLS_F_RETRY,
	TLS_F_ALERT,
	TLS_F_OPAQUE,
	TLS_N_FIELDS,
};

extern const struct dis_field tls_fields[TLS_N_FIELDS];

void tls_emit_claim(const struct dis_sink *sink);
/* The client's hello is a request, ... */
void tls_emit_request(const struct tls_client_hello *h, enum tls_transport transport,
		      const struct dis_sink *sink);
/* ... the server's a reply; unless it asks for another hello, nothing behind it can be read.
 * opaque: what that is called. */
void tls_emit_choice(struct bytes sni, const struct tls_server_hello *h, const char *opaque,
		     const struct dis_sink *sink);
void tls_emit_alert(uint8_t description, const struct dis_sink *sink);

/* A request as policy tests write it: "example.com" or "SNI example.com". */
bool tls_say(struct bytes text, const struct dis_sink *sink);

#endif
