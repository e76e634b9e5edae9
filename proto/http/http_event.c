/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "http_event.h"

const struct dis_field http_event_fields[HTTP_N_FIELDS] = {
	[HTTP_F_METHOD] = {.name = "http_method", .key = "methods", .match = DIS_MATCH_GLOB},
	[HTTP_F_URL] = {.name = "url"},
	[HTTP_F_PATH] = {.name = "path", .key = "paths", .match = DIS_MATCH_PATH, .is_list = true},
	[HTTP_F_HOST] = {.name = "hostname", .key = "hosts", .match = DIS_MATCH_NOCASE},
	[HTTP_F_PORT] = {.name = "http_port", .type = DIS_NUMBER},
	[HTTP_F_AGENT] = {.name = "http_user_agent"},
	[HTTP_F_TYPE] = {.name = "http_content_type",
			 .key = "content_types",
			 .match = DIS_MATCH_NOCASE},
	[HTTP_F_VERSION] = {.name = "protocol", .key = "versions", .match = DIS_MATCH_GLOB},
	[HTTP_F_LENGTH] = {.name = "content_length", .type = DIS_NUMBER},
	[HTTP_F_UPGRADE] = {.name = "upgrade", .key = "upgrades", .match = DIS_MATCH_NOCASE},
	[HTTP_F_STATUS] = {.name = "status", .key = "status", .match = DIS_MATCH_GLOB},
	[HTTP_F_OPAQUE] = {.name = "opaque"},
	[HTTP_F_SERVICE] = {.name = "grpc_service", .key = "services", .match = DIS_MATCH_GLOB},
	[HTTP_F_RPC] = {.name = "grpc_method", .key = "rpcs", .match = DIS_MATCH_GLOB},
	[HTTP_F_GRPC_STATUS] = {.name = "grpc_status"},
	[HTTP_F_STREAM] = {.name = "stream_id", .type = DIS_NUMBER},
	[HTTP_F_PUSHED] = {.name = "pushed_on", .type = DIS_NUMBER},
};

/* ---------------------------------------------------------------- host */

static bool is_same_host(const struct http_host *a, const struct http_host *b, uint32_t usual_port)
{
	const uint32_t port_a = a->has_port ? a->port : usual_port;
	const uint32_t port_b = b->has_port ? b->port : usual_port;
	return port_a == port_b && bytes_equal(bytes_of(a->text, a->n), bytes_of(b->text, b->n));
}

/* The target names a host too: it and the Host field must be one. */
static const char *check_authority(struct http_request *r, uint32_t usual_port)
{
	struct http_host named;
	const char *why = http_parse_host(r->line.authority, &named);
	if (why)
		return why;
	if (r->line.is_connect && !named.has_port)
		return "a CONNECT without a port";
	const uint32_t usual = r->line.is_connect ? named.port : usual_port;
	if (r->has_host && !is_same_host(&named, &r->host, usual))
		return "the target names another host than the host field";
	r->host = named;
	r->has_host = true;
	return NULL;
}

const char *http_check_host(struct http_request *r, uint32_t usual_port)
{
	r->has_host = r->fields.has_host;
	const char *why = r->has_host ? http_parse_host(r->fields.host, &r->host) : NULL;
	if (why || r->line.authority.n == 0)
		return why;
	return check_authority(r, usual_port);
}

/* ---------------------------------------------------------------- events */

/* The values of one event while it is put together. Room for all readings of a path and one of each
 * other. */
struct draft {
	struct dis_value v[HTTP_READINGS_MAX + HTTP_N_FIELDS];
	size_t n;
	uint32_t flags;
};

_Static_assert(HTTP_READINGS_MAX + HTTP_N_FIELDS <= DIS_VALUES_MAX, "an event holds every reading");

static void put_text(struct draft *d, enum http_event_field field, struct bytes text)
{
	if (text.n)
		d->v[d->n++] = (struct dis_value){.field = (uint16_t)field, .text = text};
}

static void put_number(struct draft *d, enum http_event_field field, uint64_t number)
{
	d->v[d->n++] = (struct dis_value){.field = (uint16_t)field, .number = number};
}

static void emit(const struct dis_sink *sink, enum dis_kind kind, const struct draft *d)
{
	const struct dis_event e = {
		.kind = kind, .flags = d->flags, .values = d->v, .n_values = d->n};
	sink->event(sink->ctx, &e);
}

void http_emit(const struct dis_sink *sink, enum dis_kind kind)
{
	const struct dis_event e = {.kind = kind};
	sink->event(sink->ctx, &e);
}

static struct bytes media_type(struct bytes value)
{
	return http_trim(bytes_slice(value, 0, bytes_find(value, ';')));
}

/* Servers differ in what they take behind these words, so everything is. */
bool http_is_grpc(const struct http_request *r)
{
	static const char start[] = "application/grpc";
	return bytes_is_nocase(bytes_slice(r->fields.content_type, 0, strlen(start)), start);
}

/* "/SERVICE/METHOD". A path with several readings is no gRPC path that all servers read alike. */
static void put_grpc(struct draft *d, struct bytes path, bool is_winding)
{
	size_t slash = path.n;
	if (is_winding) {
		d->flags |= DIS_UNPROVEN;
		return;
	}
	while (slash > 0 && path.p[slash - 1] != '/')
		slash--;
	if (slash < 3 || slash == path.n)
		return;
	put_text(d, HTTP_F_SERVICE, bytes_slice(path, 1, slash - 2));
	put_text(d, HTTP_F_RPC, bytes_from(path, slash));
}

static void put_paths(struct draft *d, struct http_readings *readings, struct bytes path)
{
	if (path.n == 0)
		return;
	http_path_readings(readings, path);
	for (size_t i = 0; i < readings->n; i++)
		put_text(d, HTTP_F_PATH, readings->v[i]);
	if (readings->is_partial)
		d->flags |= DIS_UNPROVEN;
}

void http_emit_request(const struct http_request *r, const struct dis_sink *sink)
{
	struct http_readings readings;
	struct draft d;
	d.n = 0;
	d.flags = 0;
	put_text(&d, HTTP_F_METHOD, r->line.method);
	put_text(&d, HTTP_F_URL, r->line.target);
	put_paths(&d, &readings, r->line.path);
	put_text(&d, HTTP_F_HOST, bytes_of(r->host.text, r->host.n));
	if (r->host.has_port)
		put_number(&d, HTTP_F_PORT, r->host.port);
	put_text(&d, HTTP_F_AGENT, r->fields.agent);
	put_text(&d, HTTP_F_TYPE, media_type(r->fields.content_type));
	put_text(&d, HTTP_F_VERSION, r->line.version);
	if (r->fields.has_length)
		put_number(&d, HTTP_F_LENGTH, r->fields.length);
	put_text(&d, HTTP_F_UPGRADE, r->line.is_connect ? bytes_str("connect") : r->fields.upgrade);
	if (http_is_grpc(r) && r->line.path.n)
		put_grpc(&d, r->line.path, readings.n > 1);
	if (r->stream)
		put_number(&d, HTTP_F_STREAM, r->stream);
	if (r->pushed_on)
		put_number(&d, HTTP_F_PUSHED, r->pushed_on);
	emit(sink, DIS_REQUEST, &d);
}

void http_emit_reply(const struct http_reply *r, const struct dis_sink *sink)
{
	struct draft d;
	d.n = 0;
	d.flags = 0;
	put_text(&d, HTTP_F_TYPE, media_type(r->fields.content_type));
	if (r->fields.has_length)
		put_number(&d, HTTP_F_LENGTH, r->fields.length);
	put_text(&d, HTTP_F_STATUS, r->status);
	put_text(&d, HTTP_F_GRPC_STATUS, r->grpc_status);
	if (r->stream)
		put_number(&d, HTTP_F_STREAM, r->stream);
	emit(sink, DIS_REPLY, &d);
}

void http_emit_opaque(struct bytes protocol, const struct dis_sink *sink)
{
	struct draft d;
	d.n = 0;
	d.flags = 0;
	put_text(&d, HTTP_F_OPAQUE, protocol);
	emit(sink, DIS_OPAQUE, &d);
}

/* ---------------------------------------------------------------- sentences of policy tests */

static struct bytes next_word(struct bytes *text)
{
	while (text->n && text->p[0] == ' ')
		*text = bytes_from(*text, 1);
	const struct bytes word = bytes_slice(*text, 0, bytes_find(*text, ' '));
	*text = bytes_from(*text, word.n);
	return word;
}

/* [name=value] or [HTTP/1.0] */
static bool take_option(struct http_sentence *s, struct bytes word)
{
	if (word.n < 3 || word.p[0] != '[' || word.p[word.n - 1] != ']')
		return false;
	const struct bytes inner = bytes_slice(word, 1, word.n - 2);
	const size_t equals = bytes_find(inner, '=');
	const struct bytes name = bytes_slice(inner, 0, equals);
	struct bytes *slot = bytes_is(name, "host")	 ? &s->host
			     : bytes_is(name, "type")	 ? &s->type
			     : bytes_is(name, "agent")	 ? &s->agent
			     : bytes_is(name, "upgrade") ? &s->upgrade
							 : NULL;
	if (equals == inner.n) {
		s->version = inner;
		return true;
	}
	if (slot)
		*slot = bytes_from(inner, equals + 1);
	return slot != NULL;
}

bool http_read_sentence(struct bytes text, struct http_sentence *out)
{
	*out = (struct http_sentence){0};
	out->method = next_word(&text);
	out->target = next_word(&text);
	for (struct bytes word = next_word(&text); word.n; word = next_word(&text))
		if (!take_option(out, word))
			return false;
	return true;
}
