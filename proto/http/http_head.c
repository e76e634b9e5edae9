/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is refused here is what real servers were seen to read differently; http.md has the table.
 */
#include "http_head.h"

#include "http_path.h"

static const char *const known_methods[] = {
	"GET",	     "HEAD",   "POST",	 "PUT",	   "DELETE", "CONNECT", "OPTIONS",
	"TRACE",     "PATCH",  "COPY",	 "LOCK",   "MKCOL",  "MOVE",	"PROPFIND",
	"PROPPATCH", "UNLOCK", "SEARCH", "REPORT", "PURGE",  "QUERY",	NULL,
};

/* RFC 9110 section 5.6.2 */
static const bool token_bytes[256] = {
	['0' ... '9'] = true,  ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['!'] = true,
	['#' ... '\''] = true, ['*'] = true,	     ['+'] = true,	   ['-'] = true,
	['.'] = true,	       ['^' ... '`'] = true, ['|'] = true,	   ['~'] = true,
};

bool http_is_token_byte(uint8_t c)
{
	return token_bytes[c];
}

bool http_is_token(struct bytes b)
{
	for (size_t i = 0; i < b.n; i++)
		if (!http_is_token_byte(b.p[i]))
			return false;
	return b.n > 0;
}

/* Text of values, reasons and chunk extensions: HTAB, blank, visible, and bytes above ASCII. */
bool http_is_text(struct bytes b)
{
	for (size_t i = 0; b.p && i < b.n; i++)
		if ((b.p[i] < ' ' && b.p[i] != '\t') || b.p[i] == 0x7f)
			return false;
	return true;
}

struct bytes http_trim(struct bytes b)
{
	while (b.n && (b.p[0] == ' ' || b.p[0] == '\t'))
		b = bytes_from(b, 1);
	while (b.n && (b.p[b.n - 1] == ' ' || b.p[b.n - 1] == '\t'))
		b.n--;
	return b;
}

bool http_is_known_method(struct bytes method)
{
	for (size_t i = 0; known_methods[i]; i++)
		if (method.n && method.p[0] == (uint8_t)known_methods[i][0] &&
		    bytes_is(method, known_methods[i]))
			return true;
	return false;
}

static struct bytes next_item(struct bytes *list)
{
	const size_t comma = bytes_find(*list, ',');
	const struct bytes item = http_trim(bytes_slice(*list, 0, comma));
	*list = bytes_from(*list, comma + 1);
	return item;
}

/* ---------------------------------------------------------------- where the head ends */

/* A line that is whole ends in LF; one that is not may end in the CR that announces it. Its first
 * `seen` bytes are right. */
static const char *line_fault(struct bytes line, size_t seen)
{
	const struct bytes fresh = bytes_from(line, seen);
	const size_t cr = line.n - fresh.n + bytes_find(fresh, '\r');
	if (bytes_find(fresh, '\0') < fresh.n)
		return "a NUL in the head";
	const bool is_whole = line.n && line.p[line.n - 1] == '\n';
	if (is_whole && (line.n < 2 || line.p[line.n - 2] != '\r'))
		return "a line ends in a bare LF";
	if (cr < line.n && cr + (is_whole ? 2 : 1) != line.n)
		return "a bare CR in the head";
	return NULL;
}

static struct http_scan scan_end(struct http_scan s, enum dis_status status, const char *why)
{
	s.status = status;
	s.why = why;
	return s;
}

/* A CR at the end is looked at again, with what follows it. */
static uint16_t seen_of(struct bytes in, size_t line)
{
	return (uint16_t)(in.n - (in.n > line && in.p[in.n - 1] == '\r'));
}

static struct http_scan scan_lines(struct bytes in, bool has_first_line, struct http_mark *mark)
{
	struct http_scan s = {.status = DIS_MORE, .n = mark->line, .first = mark->first};
	bool is_first = has_first_line && s.n == 0;
	for (size_t from = mark->seen;; from = s.n) {
		const struct bytes fresh = bytes_from(in, from);
		const size_t lf = bytes_find(fresh, '\n'),
			     max = is_first ? HTTP_LINE_MAX : HTTP_HEAD_MAX;
		const size_t n = from - s.n + (lf < fresh.n ? lf + 1 : fresh.n);
		const struct bytes line = bytes_slice(in, s.n, n < max - s.n ? n : max - s.n);
		const char *fault = line_fault(line, from - s.n);
		if (fault)
			return scan_end(s, DIS_MALFORMED, fault);
		if (line.n < n)
			return scan_end(s, DIS_LIMIT,
					is_first ? "first line too long" : "head too long");
		if (lf == fresh.n)
			return s;
		s.n += n;
		if (is_first)
			s.first = n;
		else if (n == 2)
			return scan_end(s, DIS_DONE, NULL);
		else if (++mark->n_fields > HTTP_FIELDS_MAX)
			return scan_end(s, DIS_LIMIT, "too many fields");
		is_first = false;
	}
}

struct http_scan http_scan(struct bytes in, bool has_first_line, struct http_mark *mark)
{
	if (mark->seen > in.n)
		*mark = (struct http_mark){0};
	const struct http_scan s = scan_lines(in, has_first_line, mark);
	if (s.status == DIS_MORE) {
		mark->seen = seen_of(in, s.n);
		mark->line = (uint16_t)s.n;
		mark->first = (uint16_t)s.first;
	} else {
		*mark = (struct http_mark){0};
	}
	return s;
}

/* ---------------------------------------------------------------- first lines */

static const char *check_escape(struct bytes rest)
{
	if (rest.n < 3 || http_hex(rest.p[1]) < 0 || http_hex(rest.p[2]) < 0)
		return "a bad percent escape";
	return rest.p[1] == '0' && rest.p[2] == '0' ? "an escaped NUL in the target" : NULL;
}

static const char *check_target(struct bytes target)
{
	const size_t query = bytes_find(target, '?');
	for (size_t i = 0; i < target.n; i++) {
		const uint8_t c = target.p[i];
		if (c <= ' ' || c >= 0x7f)
			return "a byte in the target that is not printable ASCII";
		if (c == '#' || (c == '\\' && i < query))
			return "a fragment or backslash in the target";
		const char *why = c == '%' ? check_escape(bytes_from(target, i)) : NULL;
		if (why)
			return why;
	}
	return NULL;
}

static struct bytes without_query(struct bytes b)
{
	return bytes_slice(b, 0, bytes_find(b, '?'));
}

static bool starts_nocase(struct bytes b, const char *start)
{
	return bytes_is_nocase(bytes_slice(b, 0, strlen(start)), start);
}

static const char *parse_absolute(struct bytes target, struct http_request_line *out)
{
	static const struct bytes root = {.p = (const uint8_t *)"/", .n = 1};
	if (!starts_nocase(target, "http://") && !starts_nocase(target, "https://"))
		return "a target in no form of http";
	const struct bytes rest = bytes_from(target, bytes_find(target, '/') + 2);
	const size_t slash = bytes_find(without_query(rest), '/');
	out->authority = bytes_slice(without_query(rest), 0, slash);
	out->path = without_query(bytes_from(rest, slash));
	if (out->path.n == 0)
		out->path = root;
	return out->authority.n ? NULL : "an absolute target without a host";
}

const char *http_parse_target(struct http_request_line *out)
{
	const char *why = check_target(out->target);
	if (why)
		return why;
	out->is_connect = bytes_is(out->method, "CONNECT");
	if (out->is_connect) {
		out->authority = out->target;
		return bytes_find(out->target, '/') == out->target.n ? NULL
								     : "a CONNECT to no authority";
	}
	if (out->target.p[0] == '/' || bytes_is(out->target, "*")) {
		out->path = without_query(out->target);
		return out->target.p[0] == '/' || bytes_is(out->method, "OPTIONS")
			       ? NULL
			       : "the target * with another method than OPTIONS";
	}
	return parse_absolute(out->target, out);
}

const char *http_parse_request_line(struct bytes line, struct http_request_line *out)
{
	*out = (struct http_request_line){0};
	const size_t first = bytes_find(line, ' ');
	const struct bytes rest = bytes_from(line, first + 1);
	const size_t second = bytes_find(rest, ' ');
	out->method = bytes_slice(line, 0, first);
	out->target = bytes_slice(rest, 0, second);
	out->version = bytes_from(rest, second + 1);
	if (!http_is_token(out->method) || out->method.n > HTTP_METHOD_MAX)
		return "no method at the begin of a request";
	if (second == rest.n)
		return "a request line without a version";
	if (out->target.n == 0)
		return "two blanks in the request line";
	out->is_1_1 = bytes_is(out->version, "HTTP/1.1");
	if (!out->is_1_1 && !bytes_is(out->version, "HTTP/1.0"))
		return "a version other than 1.0 and 1.1, or stray blanks";
	return http_parse_target(out);
}

const char *http_parse_status_line(struct bytes line, struct bytes *status, bool *is_1_1)
{
	const struct bytes version = bytes_slice(line, 0, 9), reason = bytes_from(line, 12);
	*is_1_1 = bytes_is(version, "HTTP/1.1 ");
	*status = bytes_slice(line, 9, 3);
	if (!*is_1_1 && !bytes_is(version, "HTTP/1.0 "))
		return "a reply that is not HTTP/1.0 or 1.1";
	if (status->n != 3 || status->p[0] < '1' || status->p[0] > '9')
		return "a bad status code";
	for (size_t i = 1; i < 3; i++)
		if (status->p[i] < '0' || status->p[i] > '9')
			return "a bad status code";
	if (reason.n && (reason.p[0] != ' ' || !http_is_text(reason)))
		return "a bad reason after the status";
	return NULL;
}

/* ---------------------------------------------------------------- field lines */

static const struct {
	char name[20];
	uint8_t n; /* its length, so that most names are told apart by one comparison */
	enum http_field id;
} known_fields[] = {
	{"host", 4, HTTP_FIELD_HOST},
	{"content-length", 14, HTTP_FIELD_LENGTH},
	{"transfer-encoding", 17, HTTP_FIELD_CODING},
	{"connection", 10, HTTP_FIELD_CONNECTION},
	{"upgrade", 7, HTTP_FIELD_UPGRADE},
	{"expect", 6, HTTP_FIELD_EXPECT},
	{"content-type", 12, HTTP_FIELD_TYPE},
	{"user-agent", 10, HTTP_FIELD_AGENT},
};

/* As gateway interfaces (CGI, WSGI, FastCGI) see names: '_' and '-' are one. Both are of one
 * length. */
static bool is_name_alike(struct bytes name, const char *known)
{
	for (size_t i = 0; i < name.n; i++)
		if (byte_lower(name.p[i] == '_' ? '-' : name.p[i]) != (uint8_t)known[i])
			return false;
	return true;
}

enum http_field http_field_of(struct bytes name, bool *is_twisted)
{
	*is_twisted = false;
	for (size_t i = 0; i < sizeof known_fields / sizeof *known_fields; i++)
		if (name.n == known_fields[i].n && is_name_alike(name, known_fields[i].name)) {
			*is_twisted = bytes_find(name, '_') < name.n;
			return known_fields[i].id;
		}
	return HTTP_FIELD_OTHER;
}

static const char *take_once(bool *has, struct bytes *slot, struct bytes value, const char *twice)
{
	if (*has)
		return twice;
	*has = true;
	*slot = value;
	return NULL;
}

/* At most 18 digits: no sum with it can overflow. */
static const char *take_length(struct http_fields *f, struct bytes value)
{
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] < '0' || value.p[i] > '9')
			return "a content-length that is not a number";
		f->length = f->length * 10 + (value.p[i] - '0');
		if (i == 18)
			return "a content-length out of range";
	}
	if (value.n == 0)
		return "a content-length that is not a number";
	return take_once(&f->has_length, &f->length_text, value, "two content-lengths");
}

/* A proxy removes the fields that Connection names; without these the rest reads differently. */
static const char *check_connection(struct bytes value)
{
	bool is_twisted;
	while (value.n) {
		const enum http_field id = http_field_of(next_item(&value), &is_twisted);
		if (id == HTTP_FIELD_HOST || id == HTTP_FIELD_LENGTH || id == HTTP_FIELD_CODING)
			return "connection names a field that frames or routes";
	}
	return NULL;
}

static const char *take_upgrade(struct http_fields *f, struct bytes value)
{
	if (f->has_offer || (f->has_upgrade && bytes_is_nocase(value, "h2c")))
		return "two upgrade fields";
	if (bytes_is_nocase(value, "h2c")) {
		f->has_offer = true;
		return NULL;
	}
	if (starts_nocase(value, "HTTP/"))
		return "an upgrade to another version of http";
	if (value.n == 0 || value.n > HTTP_UPGRADE_MAX || bytes_find(value, ',') < value.n)
		return "not one upgrade offer of ordinary length";
	return take_once(&f->has_upgrade, &f->upgrade, value, "two upgrade fields");
}

static const char *take_request_field(struct http_fields *f, enum http_field id, struct bytes value)
{
	switch (id) {
	case HTTP_FIELD_HOST:
		return take_once(&f->has_host, &f->host, value, "two hosts");
	case HTTP_FIELD_CONNECTION:
		return check_connection(value);
	case HTTP_FIELD_UPGRADE:
		return take_upgrade(f, value);
	case HTTP_FIELD_EXPECT:
		return bytes_is_nocase(value, "100-continue") ? NULL : "an unknown expectation";
	case HTTP_FIELD_TYPE:
		return take_once(&f->has_content_type, &f->content_type, value,
				 "two content-types");
	case HTTP_FIELD_AGENT:
		f->agent = f->agent.n ? f->agent : value;
		return NULL;
	case HTTP_FIELD_LENGTH:
	case HTTP_FIELD_CODING:
	case HTTP_FIELD_OTHER:
		break;
	}
	return NULL;
}

/* A reply's fields matter only where they frame it; the first of several others is recorded. */
static void take_reply_field(struct http_fields *f, enum http_field id, struct bytes value)
{
	if (id == HTTP_FIELD_UPGRADE)
		(void)take_once(&f->has_upgrade, &f->upgrade, value, ""); /* the first counts */
	if (id == HTTP_FIELD_TYPE)
		(void)take_once(&f->has_content_type, &f->content_type, value, ""); /* likewise */
	while (id == HTTP_FIELD_CONNECTION && value.n)
		f->closes |= bytes_is_nocase(next_item(&value), "close");
}

const char *http_take_field(struct http_fields *f, enum http_part part, enum http_field id,
			    struct bytes value)
{
	if (id == HTTP_FIELD_OTHER)
		return NULL;
	if (part == HTTP_TRAILER)
		return id == HTTP_FIELD_AGENT ? NULL : "a field in a trailer that frames or routes";
	if (id == HTTP_FIELD_LENGTH)
		return take_length(f, value);
	if (id == HTTP_FIELD_CODING)
		return take_once(&f->has_coding, &f->coding, value, "two transfer-encodings");
	if (part == HTTP_REQUEST)
		return take_request_field(f, id, value);
	take_reply_field(f, id, value);
	return NULL;
}

static const char *take_named(struct http_fields *f, enum http_part part, struct bytes name,
			      struct bytes value)
{
	bool is_twisted;
	const enum http_field id = http_field_of(name, &is_twisted);
	if (is_twisted && part != HTTP_TRAILER)
		return "a field name that gateways take for another";
	return http_take_field(f, part, id, value);
}

/* Blanks behind the value, or tabs before it, are taken for a part of it by gunicorn and PHP. */
static bool is_padded(struct bytes raw, struct bytes value)
{
	size_t lead = 0;
	while (lead < raw.n && raw.p[lead] == ' ')
		lead++;
	return value.n > 0 && raw.n - lead != value.n;
}

static bool is_host(struct bytes name)
{
	bool is_twisted;
	return http_field_of(name, &is_twisted) == HTTP_FIELD_HOST;
}

static const char *parse_field_line(struct bytes line, enum http_part part, struct http_fields *out)
{
	const size_t colon = bytes_find(line, ':');
	const struct bytes name = bytes_slice(line, 0, colon);
	if (line.n && (line.p[0] == ' ' || line.p[0] == '\t'))
		return "a folded field";
	if (colon == line.n)
		return "a field without a colon";
	if (!http_is_token(name))
		return "a byte in a field name that does not belong there";
	const struct bytes raw = bytes_from(line, colon + 1), value = http_trim(raw);
	if (part == HTTP_REQUEST && is_padded(raw, value) && is_host(name))
		return "blanks behind a host, or tabs before it";
	return http_is_text(value) ? take_named(out, part, name, value)
				   : "a control byte in a field";
}

static const char *check_framing(const struct http_fields *f, bool is_1_1)
{
	if (!f->has_coding)
		return NULL;
	if (f->has_length)
		return "content-length beside transfer-encoding";
	if (!is_1_1)
		return "transfer-encoding in http/1.0";
	return bytes_is_nocase(f->coding, "chunked") ? NULL
						     : "a transfer-encoding other than chunked";
}

const char *http_parse_fields(struct bytes lines, enum http_part part, bool is_1_1,
			      struct http_fields *out)
{
	*out = (struct http_fields){0};
	for (size_t at = 0, lf; lines.n - at > 2; at += lf + 1) {
		const struct bytes rest = bytes_from(lines, at);
		lf = bytes_find(rest, '\n');
		const char *why = parse_field_line(bytes_slice(rest, 0, lf - 1), part, out);
		if (why)
			return why;
		if (!out->has_offer)
			out->offer_at = at + lf + 1; /* the next line is the first that may be it */
	}
	return check_framing(out, is_1_1);
}

/* ---------------------------------------------------------------- host */

static const char *parse_port(struct bytes digits, struct http_host *out)
{
	for (size_t i = 0; i < digits.n; i++) {
		if (digits.p[i] < '0' || digits.p[i] > '9' || i == 5)
			return "a bad port in the host";
		out->port = out->port * 10 + (uint32_t)(digits.p[i] - '0');
	}
	if (out->port > 65535)
		return "a bad port in the host";
	out->has_port = digits.n > 0;
	return NULL;
}

static bool is_host_byte(uint8_t c, bool is_bracketed)
{
	if (is_bracketed)
		return http_hex(c) >= 0 || c == ':' || c == '.';
	const uint8_t low = byte_lower(c);
	return (low >= 'a' && low <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
	       c == '.' || c == '~';
}

static const char *check_name(struct bytes name, bool is_bracketed)
{
	bool after_dot = true;
	for (size_t i = is_bracketed; i + is_bracketed < name.n; i++) {
		if (!is_host_byte(name.p[i], is_bracketed))
			return "a byte in the host that does not belong there";
		if (!is_bracketed && name.p[i] == '.' && after_dot)
			return "an empty label in the host";
		after_dot = name.p[i] == '.';
	}
	return NULL;
}

const char *http_parse_host(struct bytes text, struct http_host *out)
{
	*out = (struct http_host){0};
	const bool is_bracketed = text.n && text.p[0] == '[';
	const size_t end = is_bracketed ? bytes_find(text, ']') + 1 : bytes_find(text, ':');
	if (end > text.n)
		return "an address in the host without its bracket";
	struct bytes name = bytes_slice(text, 0, end), rest = bytes_from(text, end);
	const char *why = check_name(name, is_bracketed);
	if (why)
		return why;
	if (rest.n && rest.p[0] != ':')
		return "bytes after the address in the host";
	if (name.n && name.p[name.n - 1] == '.')
		name.n--;
	if (name.n > sizeof out->text || (name.n == 0 && rest.n))
		return "a host without a name, or too long";
	for (out->n = 0; out->n < name.n; out->n++)
		out->text[out->n] = byte_lower(name.p[out->n]);
	return parse_port(bytes_from(rest, 1), out);
}

/* ---------------------------------------------------------------- chunks */

struct http_scan http_scan_chunk_line(struct bytes in, size_t lead, struct http_mark *mark)
{
	const size_t from = mark->seen > lead && mark->seen <= in.n ? mark->seen : lead;
	const struct bytes all = bytes_slice(in, 0, lead + HTTP_CHUNK_LINE_MAX),
			   fresh = bytes_from(all, from);
	const size_t lf = bytes_find(fresh, '\n'), cr = bytes_find(fresh, '\r');
	*mark = (struct http_mark){0};
	if (bytes_find(bytes_slice(fresh, 0, lf), '\0') < lf || (cr < lf && cr + 1 < lf) ||
	    (lf < fresh.n && cr >= lf))
		return (struct http_scan){.status = DIS_MALFORMED,
					  .why = "a stray CR, LF or NUL in a chunk line"};
	if (lf < fresh.n)
		return (struct http_scan){.status = DIS_DONE, .n = from + lf + 1};
	if (all.n == lead + HTTP_CHUNK_LINE_MAX)
		return (struct http_scan){.status = DIS_LIMIT, .why = "chunk line too long"};
	mark->seen = seen_of(all, lead);
	return (struct http_scan){.status = DIS_MORE};
}

const char *http_parse_chunk_line(struct bytes line, uint64_t *size)
{
	size_t n = 0;
	*size = 0;
	for (; n < line.n && http_hex(line.p[n]) >= 0; n++) {
		if (n == 16 || *size >> 59)
			return "a chunk size out of range";
		*size = *size << 4 | (uint64_t)http_hex(line.p[n]);
	}
	if (n == 0)
		return "a chunk without a size";
	if (n < line.n && line.p[n] != ';')
		return "stray bytes after a chunk size";
	return http_is_text(bytes_from(line, n)) ? NULL : "a control byte in a chunk extension";
}
