/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a list of fields says: requests, replies and trailers by RFC 9113 section 8, into the same
 * structures that http uses. Functions return NULL when the fields are right, else why they are
 * not.
 */
#ifndef HTTP2_FIELDS_H
#define HTTP2_FIELDS_H

#include "hpack.h"
#include "http/http_event.h"

enum { HTTP2_WINDING_MAX = 1024 }; /* a path of several readings that costs one byte to send */

enum http2_part { HTTP2_REQUEST, HTTP2_REPLY, HTTP2_TRAILER, HTTP2_REPLY_TRAILER };

/* One list of fields while it is read. has_regular: the pseudo fields are over. */
struct http2_list {
	enum http2_part part;
	bool has_regular;
	uint32_t seen;
	struct bytes v[HPACK_NAMES];
	struct http_fields fields;
	bool is_repeated; /* the path is one that was sent before */
};

const char *http2_name_of(struct bytes name, enum hpack_name *out);
const char *http2_check_value(struct bytes value);
/* Adds one field. */
const char *http2_take(struct http2_list *l, const struct hpack_field *f);
/* The request of a whole list. */
const char *http2_request_of(const struct http2_list *l, struct http_request *out);
const char *http2_reply_of(const struct http2_list *l, struct http_reply *out);

#endif
