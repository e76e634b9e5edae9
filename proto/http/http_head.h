/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text part of an HTTP/1 message: first line and field lines, in the strict subset of RFC 9112
 * that every server reads alike.
 *
 * Two steps, because a receiver may act on a line before the head is whole: http_scan finds where
 * the head ends and refuses at once what some receiver takes for a line end (bare LF, bare CR,
 * NUL); the others parse lines that are whole. All return NULL when the bytes are right, else why
 * they are not.
 */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include "bridgewarden/dissect.h"

enum {
	HTTP_LINE_MAX = 8 * 1024,  /* first line; what nginx and Apache take */
	HTTP_HEAD_MAX = 60 * 1024, /* below DIS_UNIT_MAX: one byte too many can be seen */
	HTTP_FIELDS_MAX = 100,	   /* Apache's limit */
	HTTP_METHOD_MAX = 32,
	HTTP_HOST_MAX = 255,   /* a DNS name */
	HTTP_UPGRADE_MAX = 24, /* "websocket" is 9 */
	HTTP_CHUNK_LINE_MAX = 512,
};

/* DIS_DONE: the head is the first n bytes, with its empty line. first: length of the first line
 * with its CRLF, once that line is whole and holds no stray CR or NUL; else 0. */
struct http_scan {
	enum dis_status status;
	size_t n, first;
	const char *why;
};

/* What was read of a text that is not whole yet, so that it need not be read again: its lines
 * before `line` are right, and from there to `seen` no byte ends the line or is wrong. It saves
 * work and says nothing: from zero the same is found. */
struct http_mark {
	uint16_t seen, line, first;
	uint8_t n_fields, pad; /* states are compared byte by byte */
};

_Static_assert(HTTP_HEAD_MAX <= UINT16_MAX, "a mark can be anywhere in a head");
_Static_assert(HTTP_FIELDS_MAX <= UINT8_MAX, "a mark counts all fields");

struct http_request_line {
	struct bytes method, target, version;
	bool is_1_1;
	/* From the target: path without query, and in absolute form or for CONNECT the authority.
	 */
	struct bytes path, authority;
	bool is_connect;
};

struct http_host {
	uint8_t text[HTTP_HOST_MAX];
	size_t n;
	uint32_t port;
	bool has_port;
};

/* Which head the fields belong to. */
enum http_part { HTTP_REQUEST, HTTP_REPLY, HTTP_TRAILER };

/* The fields that frame, route or are recorded. */
enum http_field {
	HTTP_FIELD_OTHER,
	HTTP_FIELD_HOST,
	HTTP_FIELD_LENGTH,
	HTTP_FIELD_CODING,
	HTTP_FIELD_CONNECTION,
	HTTP_FIELD_UPGRADE,
	HTTP_FIELD_EXPECT,
	HTTP_FIELD_TYPE,
	HTTP_FIELD_AGENT,
};

/* has_offer: a request offers h2c, in the line that begins offer_at bytes behind the first line. */
struct http_fields {
	struct bytes host, length_text, coding, content_type, agent, upgrade;
	bool has_host, has_length, has_coding, has_content_type, has_upgrade, has_offer;
	bool closes; /* a reply says that the connection ends with it */
	uint64_t length;
	size_t offer_at;
};

/* mark: what an earlier call left of the same text, else zero; as after DIS_DONE. */
struct http_scan http_scan(struct bytes in, bool has_first_line, struct http_mark *mark);
const char *http_parse_request_line(struct bytes line, struct http_request_line *out);
const char *http_parse_status_line(struct bytes line, struct bytes *status, bool *is_1_1);
const char *http_parse_fields(struct bytes lines, enum http_part part, bool is_1_1,
			      struct http_fields *out);
/* From out->method and out->target. */
const char *http_parse_target(struct http_request_line *out);
/* is_twisted: the name is another, which gateways take for this one. */
enum http_field http_field_of(struct bytes name, bool *is_twisted);
/* One field, whose value is text without blanks around it. */
const char *http_take_field(struct http_fields *f, enum http_part part, enum http_field id,
			    struct bytes value);
const char *http_parse_host(struct bytes text, struct http_host *out);
/* The same for one line of at most HTTP_CHUNK_LINE_MAX bytes, the first `lead` of which are the
 * CRLF of the chunk before it, and right. */
struct http_scan http_scan_chunk_line(struct bytes in, size_t lead, struct http_mark *mark);
/* The line without its CRLF. */
const char *http_parse_chunk_line(struct bytes line, uint64_t *size);
bool http_is_token_byte(uint8_t c);
bool http_is_token(struct bytes b);
/* Of values and reasons: HTAB, blank, visible, and bytes above ASCII. */
bool http_is_text(struct bytes b);
bool http_is_known_method(struct bytes method);
/* Without blanks and tabs around it. */
struct bytes http_trim(struct bytes b);

#endif
