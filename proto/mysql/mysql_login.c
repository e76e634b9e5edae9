/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the server's greeting to its OK: who logs in, and what both sides agreed on.
 *
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html
 * https://mariadb.com/kb/en/connection/
 */
#include "mysql/mysql_state.h"

#include "tls/tls_inside.h"
#include "tls/tls_ja4.h"

enum {
	GREETING_MIN = 40, /* protocol 10 with the second half of its capabilities */
	GREETING_MAX = 1024,
	VERSION_MAX = 128,
	SSL_REQUEST = 32,
	ERROR_CODE_MIN = 1000,
	ERROR_CODE_MAX = 4999,
	STATUS_NO_BACKSLASH = 0x0200,
	STATUS_ANSI_QUOTES = 0x8000, /* MariaDB */
};

/* ---------------------------------------------------------------- readers */

uint64_t mysql_read_lenenc(struct reader *r)
{
	const uint8_t first = read_u8(r);
	if (first < 0xfb)
		return first;
	if (first == 0xfc)
		return read_le(r, 2);
	if (first == 0xfd)
		return read_le(r, 3);
	if (first == 0xfe)
		return read_le(r, 8);
	read_fail(r);
	return 0;
}

struct bytes mysql_read_lenenc_text(struct reader *r)
{
	const uint64_t n = mysql_read_lenenc(r);
	if (n > reader_left(r)) {
		read_fail(r);
		return (struct bytes){0};
	}
	return read_bytes(r, (size_t)n);
}

struct bytes mysql_read_text(struct reader *r)
{
	const struct bytes rest = bytes_from(r->in, r->pos);
	if (bytes_find(rest, '\0') == rest.n)
		return read_bytes(r, rest.n);
	return read_until(r, '\0');
}

/* ---------------------------------------------------------------- greeting */

struct greeting {
	uint32_t caps, more;
	uint16_t status;
	bool knows_255;
	size_t caps_low_at, caps_high_at, more_at; /* offsets in the body */
};

static bool is_version(struct bytes text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] < ' ' || text.p[i] > '~')
			return false;
	return text.n > 0 && text.n <= VERSION_MAX;
}

static bool read_greeting(struct bytes body, struct greeting *g)
{
	struct reader r = reader_of(body);
	read_skip(&r, 1);
	const struct bytes version = read_until(&r, '\0');
	g->knows_255 = version.n > 1 && (version.p[0] == '8' || version.p[0] == '9') &&
		       version.p[1] == '.';
	read_skip(&r, 4 + 8); /* thread, first half of the salt */
	const uint8_t filler = read_u8(&r);
	g->caps_low_at = r.pos;
	g->caps = read_u16le(&r);
	read_skip(&r, 1); /* character set */
	g->status = read_u16le(&r);
	g->caps_high_at = r.pos;
	g->caps |= (uint32_t)read_u16le(&r) << 16;
	read_skip(&r, 1 + 6); /* length of the salt, reserved */
	g->more_at = r.pos;
	g->more = read_u32le(&r);
	if (g->caps & CLIENT_LONG_PASSWORD)
		g->more = 0; /* not MariaDB: reserved */
	return reader_ok(&r) && filler == 0 && is_version(version) &&
	       (g->caps & CLIENT_PROTOCOL_41);
}

static void edit_half(const struct dis_sink *sink, size_t at, uint32_t offered, uint32_t kept)
{
	const uint8_t half[2] = {(uint8_t)kept, (uint8_t)(kept >> 8)};
	if ((kept & 0xffff) != (offered & 0xffff))
		sink->edit(sink->ctx, MYSQL_HEADER + at, bytes_of(half, sizeof(half)));
}

/* What the server must not offer: streams that we could not read, files of the client, names that
 * mean something else, and whatever is newer than this file. */
static void edit_offers(const struct greeting *g, const struct dis_sink *sink)
{
	const uint32_t kept =
		g->caps & ~(uint32_t)(CLIENT_NO_SCHEMA | CLIENT_COMPRESS | CLIENT_LOCAL_FILES |
				      CLIENT_ZSTD | CLIENT_OPTIONAL_METADATA | CLIENT_EXTENSION);
	const uint32_t more = g->more & (uint32_t)MARIADB_KNOWN;
	edit_half(sink, g->caps_low_at, g->caps, kept);
	edit_half(sink, g->caps_high_at, g->caps >> 16, kept >> 16);
	edit_half(sink, g->more_at, g->more, more);
	edit_half(sink, g->more_at + 2, g->more >> 16, more >> 16);
}

static void claim(const struct dis_sink *sink)
{
	const struct dis_event e = {.kind = DIS_CLAIM};
	sink->event(sink->ctx, &e);
}

/* Too many connections, host blocked: the server says so instead of a greeting and goes. */
static struct dis_result refusal(struct mysql_state *st, struct bytes in,
				 const struct dis_sink *sink)
{
	struct reader r = reader_of(bytes_from(in, MYSQL_HEADER + 1));
	const uint16_t code = read_u16le(&r);
	if (!reader_ok(&r) || code < ERROR_CODE_MIN || code > ERROR_CODE_MAX)
		return mysql_refuse(DIS_NOT_MINE, "no error that a server begins with");
	claim(sink);
	struct mysql_draft d = {.n = 0};
	mysql_put_word(&d, F_STATUS, "error");
	mysql_put_number(&d, F_ERROR, code);
	mysql_emit(sink, DIS_REPLY, &d);
	st->phase = PHASE_CLOSED;
	return mysql_done(in.n, 0);
}

/* The first bytes that cannot begin a greeting end the matter at once. */
static const char *check_start(struct bytes in)
{
	const uint8_t zeroes[] = {0, 0};
	if (in.n >= 2 && in.p[1] > GREETING_MAX >> 8)
		return "a first packet too long for a greeting";
	if (in.n >= 3 && !bytes_equal(bytes_slice(in, 2, in.n >= 4 ? 2 : 1),
				      bytes_of(zeroes, in.n >= 4 ? 2 : 1)))
		return "no header of a first packet";
	if (in.n > MYSQL_HEADER && in.p[4] != 10 && in.p[4] != 0xff)
		return "neither protocol 10 nor an error";
	return NULL;
}

struct dis_result mysql_greeting(struct mysql_state *st, struct bytes in,
				 const struct dis_sink *sink)
{
	const char *why = check_start(in);
	if (why)
		return mysql_refuse(DIS_NOT_MINE, why);
	if (in.n <= MYSQL_HEADER)
		return mysql_more(MYSQL_HEADER + 1);
	const size_t n = MYSQL_HEADER + (size_t)mysql_packet_of(in).n;
	if (n <= MYSQL_HEADER + 2 || (in.p[4] == 10 && n < MYSQL_HEADER + GREETING_MIN))
		return mysql_refuse(DIS_NOT_MINE, "a first packet too short for a greeting");
	if (in.n < n)
		return mysql_more(n);
	in = bytes_slice(in, 0, n);
	if (in.p[4] == 0xff)
		return refusal(st, in, sink);
	struct greeting g;
	if (!read_greeting(bytes_from(in, MYSQL_HEADER), &g))
		return mysql_refuse(DIS_NOT_MINE, "no greeting of protocol 10");
	claim(sink);
	edit_offers(&g, sink);
	st->phase = PHASE_GREETED;
	st->offered = g.caps;
	st->offered_more = g.more;
	st->knows_255 = g.knows_255 && !mysql_is_mariadb(st);
	st->is_lexing_lost = (g.status & STATUS_NO_BACKSLASH) != 0;
	return mysql_done(n, 0);
}

/* ---------------------------------------------------------------- the client's answer */

/* Character sets in which a byte below 0x80 may be half of a character: big5, sjis, gbk, cp932,
 * gb18030. Those above 0xff are MariaDB's: utf8 of several collations, or unpadded twins of these.
 */
static bool is_unsafe_charset(unsigned id)
{
	static const uint8_t unsafe[] = {1, 13, 28, 84, 87, 88, 95, 96, 248, 249, 250};
	for (size_t i = 0; i < sizeof(unsafe); i++)
		if (id == unsafe[i] || id == 1024u + unsafe[i])
			return true;
	return false;
}

/* Those that every server knows, and the default of MySQL 8. For a number that it does not know a
 * server takes its own default instead, which may be latin1. */
static bool is_utf8_charset(const struct mysql_state *st, unsigned id)
{
	return id == 33 || id == 45 || id == 46 || id == 83 || (id >= 192 && id <= 215) ||
	       (id >= 223 && id <= 247) || (id == 255 && st->knows_255);
}

/* Takes effect when the server said OK; doubt begins at once. */
static void expect_charset(struct mysql_state *st, unsigned id)
{
	st->is_lexing_lost |= is_unsafe_charset(id);
	st->is_utf8_next = is_utf8_charset(st, id);
}

struct login {
	uint32_t caps, more;
	uint16_t charset;
	struct bytes user, schema;
};

static void read_auth(struct reader *r, uint32_t caps)
{
	if (caps & CLIENT_PLUGIN_AUTH_LENENC)
		(void)mysql_read_lenenc_text(r); /* only its length matters */
	else
		read_skip(r, read_u8(r));
}

/* NO_SCHEMA is refused whether offered or not: the server gives nothing on what we cleared. */
static const char *check_caps(const struct mysql_state *st, uint32_t caps)
{
	if (!(caps & CLIENT_PROTOCOL_41) || !(caps & CLIENT_SECURE_CONNECTION))
		return "a login older than protocol 4.1";
	if (caps & CLIENT_NO_SCHEMA)
		return "names without schemas that were not offered";
	if (caps & st->offered & CLIENT_EXTENSION)
		return "flags that nobody knows";
	if (caps & (CLIENT_COMPRESS | CLIENT_ZSTD))
		return "compression that was not offered";
	if (caps & CLIENT_OPTIONAL_METADATA)
		return "optional metadata that was not offered";
	return NULL;
}

static const char *read_login(struct bytes body, const struct mysql_state *st, struct login *l)
{
	struct reader r = reader_of(body);
	l->caps = read_u32le(&r);
	read_skip(&r, 4);	     /* longest packet */
	l->charset = read_u16le(&r); /* servers read one byte of it */
	read_skip(&r, 18);
	l->more = l->caps & CLIENT_LONG_PASSWORD ? 0 : read_u32le(&r);
	if (l->caps & CLIENT_LONG_PASSWORD)
		read_skip(&r, 4);
	if (!reader_ok(&r))
		return "a login that ends in the middle";
	const char *why = check_caps(st, l->caps);
	if (why)
		return why;
	if (l->more & st->offered_more & ~(uint32_t)MARIADB_KNOWN)
		return "flags that nobody knows";
	const uint32_t caps = l->caps & st->offered;
	l->user = read_until(&r, '\0');
	read_auth(&r, caps);
	if (caps & CLIENT_CONNECT_WITH_DB && reader_left(&r))
		l->schema = mysql_read_text(&r);
	if (!reader_ok(&r))
		return "a login that ends in the middle";
	return NULL;
}

/* Servers take quotes around a user's name away. */
static bool is_quoted(struct bytes user)
{
	return user.n > 1 && user.p[0] == '\'' && user.p[user.n - 1] == '\'';
}

static const char *check_names(struct bytes user, struct bytes schema)
{
	if (is_quoted(user))
		return "a user's name in quotes";
	if (user.n > MYSQL_USER_MAX)
		return "a user's name longer than any server takes";
	if (schema.n > SQL_NAME_MAX)
		return "a schema's name longer than any server takes";
	return NULL;
}

static void copy_user(struct mysql_user *to, struct bytes from)
{
	to->n = (uint8_t)from.n;
	if (from.n)
		memcpy(to->text, from.p, from.n);
}

static void copy_schema(struct mysql_name *to, struct bytes from)
{
	to->n = (uint8_t)from.n;
	if (from.n)
		memcpy(to->text, from.p, from.n);
}

static void emit_session(const struct dis_sink *sink, struct bytes user, struct bytes schema)
{
	struct mysql_draft d = {.n = 0};
	mysql_put_word(&d, F_COMMAND, "login");
	mysql_put_text(&d, F_SCHEMA, schema);
	mysql_put_text(&d, F_USER, user);
	mysql_emit(sink, DIS_SESSION, &d);
}

/* The client goes on at once. Its hello comes first, or TLS is only said. */
static struct dis_result to_tls(struct mysql_state *st, const struct dis_sink *sink)
{
	struct mysql_draft d = {.n = 0};
	mysql_put_word(&d, F_OPAQUE, "tls");
	mysql_emit(sink, DIS_OPAQUE, &d);
	st->phase = PHASE_TLS;
	return mysql_done(MYSQL_HEADER + SSL_REQUEST, 0);
}

struct dis_result mysql_tls(struct mysql_state *st, struct bytes in, const struct dis_sink *sink)
{
	struct mysql_draft d = {.n = 0};
	struct tls_client_hello hello;
	char ja4[TLS_JA4_SIZE];
	struct dis_result r = tls_read_inside(in, &hello);
	if (r.status != DIS_DONE)
		return r;
	tls_put_ja4(&hello, TLS_OVER_TCP, ja4);
	mysql_put_word(&d, F_OPAQUE, "tls");
	mysql_put_text(&d, F_SNI, bytes_of(hello.sni, hello.sni_n));
	mysql_put_text(&d, F_JA4, bytes_of(ja4, sizeof ja4));
	mysql_emit(sink, DIS_OPAQUE, &d);
	st->phase = PHASE_CLOSED;
	r.status = DIS_STOPPED;
	return r;
}

/* What the beginning of a login gives away, so that nothing else is long enough to be let through.
 */
static const char *check_begin(const struct mysql_state *st, struct bytes body)
{
	struct reader r = reader_of(body);
	const uint32_t caps = read_u32le(&r);
	const char *why = reader_ok(&r) ? check_caps(st, caps) : NULL;
	if (why || body.n <= SSL_REQUEST)
		return why;
	if (caps & st->offered & CLIENT_SSL)
		return "a login in clear that asks for TLS";
	const struct bytes user = bytes_slice(body, SSL_REQUEST, MYSQL_USER_MAX + 1);
	return user.n > MYSQL_USER_MAX && bytes_find(user, '\0') == user.n
		       ? "a user's name longer than any server takes"
		       : NULL;
}

static bool is_ssl_request(const struct mysql_state *st, struct bytes body)
{
	struct reader r = reader_of(body);
	return body.n == SSL_REQUEST && (read_u32le(&r) & st->offered & CLIENT_SSL);
}

struct dis_result mysql_handshake(struct mysql_state *st, struct bytes in,
				  const struct dis_sink *sink)
{
	const struct mysql_packet p = mysql_packet_of(in);
	const size_t n = MYSQL_HEADER + (size_t)p.n;
	if (p.sequence != 1 || p.n < SSL_REQUEST)
		return mysql_malformed("no answer to a greeting");
	if (n > MYSQL_UNIT_MAX)
		return mysql_refuse(DIS_LIMIT, "a login too long");
	const char *why =
		p.n == SSL_REQUEST ? NULL : check_begin(st, bytes_slice(in, MYSQL_HEADER, p.n));
	if (why)
		return mysql_malformed(why);
	if (in.n < n)
		return mysql_more(n);
	const struct bytes body = bytes_slice(in, MYSQL_HEADER, p.n);
	if (p.n == SSL_REQUEST && !is_ssl_request(st, body))
		return mysql_malformed("a request for TLS that was not offered");
	if (p.n == SSL_REQUEST)
		return to_tls(st, sink);
	struct login l = {.caps = 0};
	why = read_login(body, st, &l);
	why = why ? why : check_names(l.user, l.schema);
	if (why)
		return mysql_malformed(why);
	st->caps = l.caps & st->offered;
	st->caps_more = l.more & st->offered_more;
	copy_user(&st->user, l.user);
	copy_schema(&st->schema, l.schema);
	expect_charset(st, l.charset & 0xff);
	st->is_utf8 = st->is_utf8_login = st->is_utf8_next && l.charset <= 0xff;
	st->is_lexing_lost |= is_unsafe_charset(l.charset);
	emit_session(sink, l.user, l.schema);
	st->phase = PHASE_OPEN;
	st->is_authenticating = 1;
	st->sequence = p.sequence;
	st->command = COM_CONNECT;
	(void)mysql_push(st, COM_CONNECT); /* nothing is pending yet */
	return mysql_done(n, 0);
}

struct dis_result mysql_auth_from_client(struct mysql_state *st, struct bytes in)
{
	const struct mysql_packet p = mysql_packet_of(in);
	if (!st->auth_turn || p.sequence != st->auth_sequence)
		return mysql_malformed("a packet before the server accepted the login");
	if (p.n == MYSQL_PACKET_MAX)
		return mysql_malformed("a password of 16 megabytes");
	st->auth_turn = 0;
	return mysql_done(MYSQL_HEADER, p.n);
}

/* ---------------------------------------------------------------- COM_CHANGE_USER */

const char *mysql_change_user(struct mysql_state *st, struct bytes body)
{
	struct reader r = reader_of(body);
	const struct bytes user = read_until(&r, '\0');
	read_skip(&r, read_u8(&r));
	const struct bytes schema = reader_left(&r) ? mysql_read_text(&r) : (struct bytes){0};
	if (!reader_ok(&r))
		return "a change of user that ends in the middle";
	const char *why = check_names(user, schema);
	if (why)
		return why;
	copy_user(&st->user_next, user);
	st->is_schema_lost |= st->is_schema_pending; /* schema_next is no more that command's */
	copy_schema(&st->schema_next, schema);
	st->is_utf8_next = 0; /* without one it is the server's own */
	if (reader_left(&r) >= 2)
		expect_charset(st, read_u16le(&r));
	st->is_authenticating = 1;
	st->auth_turn = 0;
	return NULL;
}
