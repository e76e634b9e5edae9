/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What HTTP means, whatever its wire: the fields that policy knows, the checks of a request that
 * need all of its head, the events, and the sentences of policy tests.
 *
 * http and http2 read a head into struct http_request and ask here. What must stay true: the same
 * request gives the same event in both but for `protocol` and `stream_id`, so that a rule for http
 * means one thing.
 */
#ifndef HTTP_EVENT_H
#define HTTP_EVENT_H

#include "http_head.h"
#include "http_path.h"

enum http_event_field {
	HTTP_F_METHOD,
	HTTP_F_URL,
	HTTP_F_PATH,
	HTTP_F_HOST,
	HTTP_F_PORT,
	HTTP_F_AGENT,
	HTTP_F_TYPE,
	HTTP_F_VERSION,
	HTTP_F_LENGTH,
	HTTP_F_UPGRADE,
	HTTP_F_STATUS,
	HTTP_F_OPAQUE,
	HTTP_F_SERVICE,
	HTTP_F_RPC,
	HTTP_F_GRPC_STATUS,
	HTTP_F_STREAM,
	HTTP_F_PUSHED,
	HTTP_N_FIELDS,
};

extern const struct dis_field http_event_fields[HTTP_N_FIELDS];

struct http_request {
	struct http_request_line line;
	struct http_fields fields;
	struct http_host host;
	bool has_host;
	uint32_t stream;    /* 0: none */
	uint32_t pushed_on; /* the stream on which the server promised it; 0: it was asked */
};

struct http_reply {
	struct bytes status; /* empty: of a trailer */
	struct http_fields fields;
	struct bytes grpc_status;
	bool is_1_1;
	uint32_t stream; /* 0: none */
};

/* One sentence of a policy test: METHOD TARGET [NAME=VALUE]... */
struct http_sentence {
	struct bytes method, target, host, version, type, agent, upgrade;
};

/* Reads the host of the request; its target and its Host field must name the same. usual_port: of
 * the scheme, where a host names none. */
const char *http_check_host(struct http_request *r, uint32_t usual_port);
bool http_is_grpc(const struct http_request *r);
void http_emit(const struct dis_sink *sink, enum dis_kind kind);
void http_emit_request(const struct http_request *r, const struct dis_sink *sink);
void http_emit_reply(const struct http_reply *r, const struct dis_sink *sink);
void http_emit_opaque(struct bytes protocol, const struct dis_sink *sink);

bool http_read_sentence(struct bytes text, struct http_sentence *out);

#endif
