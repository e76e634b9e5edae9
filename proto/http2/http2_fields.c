/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "http2_fields.h"

/* ---------------------------------------------------------------- names and values */

static const struct {
	const char *name;
	enum hpack_name id;
} pseudo_names[] = {
	{":method", HPACK_METHOD},	 {":scheme", HPACK_SCHEME},	{":path", HPACK_PATH},
	{":authority", HPACK_AUTHORITY}, {":protocol", HPACK_PROTOCOL}, {":status", HPACK_STATUS},
};

static const struct {
	const char *name;
	enum hpack_name id;
} plain_names[] = {
	{"te", HPACK_TE},
	{"grpc-status", HPACK_GRPC_STATUS},
	{"keep-alive", HPACK_CONNECTION},
	{"proxy-connection", HPACK_CONNECTION},
};

/* What http knows the same fields as, and the other way round. */
static const enum hpack_name from_http[] = {
	[HTTP_FIELD_OTHER] = HPACK_OTHER,	    [HTTP_FIELD_HOST] = HPACK_HOST,
	[HTTP_FIELD_LENGTH] = HPACK_LENGTH,	    [HTTP_FIELD_CODING] = HPACK_CONNECTION,
	[HTTP_FIELD_CONNECTION] = HPACK_CONNECTION, [HTTP_FIELD_UPGRADE] = HPACK_CONNECTION,
	[HTTP_FIELD_EXPECT] = HPACK_EXPECT,	    [HTTP_FIELD_TYPE] = HPACK_TYPE,
	[HTTP_FIELD_AGENT] = HPACK_AGENT,
};

static const enum http_field to_http[HPACK_NAMES] = {
	[HPACK_HOST] = HTTP_FIELD_HOST,	    [HPACK_LENGTH] = HTTP_FIELD_LENGTH,
	[HPACK_EXPECT] = HTTP_FIELD_EXPECT, [HPACK_TYPE] = HTTP_FIELD_TYPE,
	[HPACK_AGENT] = HTTP_FIELD_AGENT,
};

static const char *pseudo_of(struct bytes name, enum hpack_name *out)
{
	for (size_t i = 0; i < sizeof pseudo_names / sizeof *pseudo_names; i++)
		if (bytes_is(name, pseudo_names[i].name)) {
			*out = pseudo_names[i].id;
			return NULL;
		}
	return "an unknown pseudo field";
}

static bool is_lower_token(struct bytes name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!http_is_token_byte(name.p[i]) || byte_lower(name.p[i]) != name.p[i])
			return false;
	return name.n > 0;
}

const char *http2_name_of(struct bytes name, enum hpack_name *out)
{
	bool is_twisted;
	if (name.n && name.p[0] == ':')
		return pseudo_of(name, out);
	if (!is_lower_token(name))
		return "a byte in a field name that does not belong there";
	*out = from_http[http_field_of(name, &is_twisted)];
	if (is_twisted)
		return "a field name that gateways take for another";
	for (size_t i = 0; i < sizeof plain_names / sizeof *plain_names; i++)
		if (bytes_is(name, plain_names[i].name))
			*out = plain_names[i].id;
	return NULL;
}

const char *http2_check_value(struct bytes value)
{
	if (!http_is_text(value))
		return "a control byte in a field";
	return http_trim(value).n == value.n ? NULL : "blanks around the value of a field";
}

/* ---------------------------------------------------------------- one field */

static bool is_pseudo(enum hpack_name name)
{
	return name >= HPACK_METHOD && name <= HPACK_STATUS;
}

static const char *take_pseudo(struct http2_list *l, const struct hpack_field *f)
{
	const bool is_right = l->part == HTTP2_REQUEST
				      ? f->name != HPACK_STATUS
				      : l->part == HTTP2_REPLY && f->name == HPACK_STATUS;
	if (!is_right)
		return "a pseudo field where it does not belong";
	if (l->has_regular)
		return "a pseudo field behind others";
	if (f->is_again)
		return "a pseudo field twice";
	l->v[f->name] = f->value;
	l->is_repeated |= f->name == HPACK_PATH && f->is_repeated;
	return NULL;
}

/* The first of several counts where it is only recorded. */
static const char *take_again(const struct http2_list *l, enum hpack_name name)
{
	if (name == HPACK_AGENT || name == HPACK_GRPC_STATUS)
		return NULL;
	if (name == HPACK_LENGTH)
		return "two content-lengths";
	return l->part == HTTP2_REQUEST ? "a field twice that counts once" : NULL;
}

static const char *take_known(struct http2_list *l, const struct hpack_field *f)
{
	static const enum http_part parts[] = {
		[HTTP2_REQUEST] = HTTP_REQUEST,
		[HTTP2_REPLY] = HTTP_REPLY,
		[HTTP2_TRAILER] = HTTP_TRAILER,
		[HTTP2_REPLY_TRAILER] = HTTP_TRAILER,
	};
	if (l->part == HTTP2_REPLY_TRAILER && f->name == HPACK_TYPE)
		return NULL; /* some gRPC servers say it again */
	return http_take_field(&l->fields, parts[l->part], to_http[f->name], f->value);
}

const char *http2_take(struct http2_list *l, const struct hpack_field *f)
{
	l->seen |= UINT32_C(1) << f->name;
	if (is_pseudo(f->name))
		return take_pseudo(l, f);
	l->has_regular = true;
	if (f->is_again)
		return take_again(l, f->name);
	if (f->name == HPACK_TE)
		return bytes_is_nocase(f->value, "trailers") ? NULL : "a te other than trailers";
	if (f->name == HPACK_GRPC_STATUS)
		l->v[f->name] = f->value;
	return f->name == HPACK_OTHER ? NULL : take_known(l, f);
}

/* ---------------------------------------------------------------- a whole list */

static bool is_https(struct bytes scheme)
{
	return bytes_is(scheme, "https");
}

/* CONNECT has a host and a port (RFC 9113 section 8.5). */
static const char *read_connect(const struct http2_list *l, struct http_request *out)
{
	if (l->v[HPACK_SCHEME].n || l->v[HPACK_PATH].n)
		return "a CONNECT with a scheme or a path";
	out->line.target = l->v[HPACK_AUTHORITY];
	return http_parse_target(&out->line);
}

/* RFC 8441 section 4: a CONNECT with a protocol has what other requests have. */
static const char *take_protocol(const struct http2_list *l, struct http_request *out)
{
	const struct bytes protocol = l->v[HPACK_PROTOCOL];
	if (!bytes_is(out->line.method, "CONNECT"))
		return "a protocol without CONNECT";
	if (!http_is_token(protocol) || protocol.n > HTTP_UPGRADE_MAX)
		return "a protocol that is no ordinary name";
	out->fields.upgrade = protocol;
	out->fields.has_upgrade = true;
	return NULL;
}

static const char *read_target(const struct http2_list *l, struct http_request *out)
{
	const struct bytes path = l->v[HPACK_PATH], scheme = l->v[HPACK_SCHEME];
	if (!bytes_is(scheme, "http") && !is_https(scheme))
		return "a scheme other than http and https";
	if (path.n == 0 || (path.p[0] != '/' && !bytes_is(path, "*")))
		return "a path that does not begin with a slash";
	/* Read as a target of a method that may have any: a CONNECT with a protocol has a path. */
	struct http_request_line line = {.method = bytes_str("OPTIONS"), .target = path};
	const char *why = http_parse_target(&line);
	if (!why && bytes_is(path, "*") && !bytes_is(out->line.method, "OPTIONS"))
		why = "the target * with another method than OPTIONS";
	out->line.target = path;
	out->line.path = line.path;
	return why;
}

const char *http2_request_of(const struct http2_list *l, struct http_request *out)
{
	*out = (struct http_request){.fields = l->fields};
	out->line.method = l->v[HPACK_METHOD];
	out->line.version = bytes_str("HTTP/2");
	if (!http_is_token(out->line.method) || out->line.method.n > HTTP_METHOD_MAX)
		return "no method, or none of ordinary length";
	const bool has_protocol = l->seen & UINT32_C(1) << HPACK_PROTOCOL;
	const bool is_tunnel = bytes_is(out->line.method, "CONNECT") && !has_protocol;
	const char *why = has_protocol ? take_protocol(l, out) : NULL;
	if (!why)
		why = is_tunnel ? read_connect(l, out) : read_target(l, out);
	if (why)
		return why;
	out->line.authority = l->v[HPACK_AUTHORITY];
	return http_check_host(out, is_https(l->v[HPACK_SCHEME]) ? 443 : 80);
}

const char *http2_reply_of(const struct http2_list *l, struct http_reply *out)
{
	*out = (struct http_reply){
		.fields = l->fields,
		.status = l->v[HPACK_STATUS],
		.grpc_status = l->v[HPACK_GRPC_STATUS],
	};
	const struct bytes status = out->status;
	if (l->part == HTTP2_REPLY_TRAILER)
		return NULL;
	if (status.n != 3 || status.p[0] < '1' || status.p[0] > '9')
		return "a bad status code";
	for (size_t i = 1; i < 3; i++)
		if (status.p[i] < '0' || status.p[i] > '9')
			return "a bad status code";
	return bytes_is(status, "101") ? "a change of protocol, which http/2 does not have" : NULL;
}
