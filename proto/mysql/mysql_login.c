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
	size_t caps_low_at, caps_high_at; /* offsets in the body */
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
	read_skip(&r, 4 + 8); /* thread, first half of the salt */
	const uint8_t filler = read_u8(&r);
	g->caps_low_at = r.pos;
	g->caps = read_u16le(&r);
	read_skip(&r, 1); /* character set */
	g->status = read_u16le(&r);
	g->caps_high_at = r.pos;
	g->caps |= (uint32_t)read_u16le(&r) << 16;
	read_skip(&r, 1 + 6); /* length of the salt, reserved */
	g->more = read_u32le(&r);
	if (g->caps & CLIENT_LONG_PASSWORD)
		g->more = 0; /* not MariaDB: reserved */
	return reader_ok(&r) && filler == 0 && is_version(version) &&
	       (g->caps & CLIENT_PROTOCOL_41);
}

/* What the server must not offer: streams that we could not read, and files of the client. */
static void edit_offers(const struct greeting *g, const struct dis_sink *sink)
{
	const uint32_t kept = g->caps & ~(uint32_t)(CLIENT_COMPRESS | CLIENT_LOCAL_FILES |
						    CLIENT_ZSTD | CLIENT_OPTIONAL_METADATA);
	const uint8_t low[2] = {(uint8_t)kept, (uint8_t)(kept >> 8)};
	const uint8_t high[2] = {(uint8_t)(kept >> 16), (uint8_t)(kept >> 24)};
	if ((kept & 0xffff) != (g->caps & 0xffff))
		sink->edit(sink->ctx, MYSQL_HEADER + g->caps_low_at, bytes_of(low, sizeof(low)));
	if (kept >> 16 != g->caps >> 16)
		sink->edit(sink->ctx, MYSQL_HEADER + g->caps_high_at, bytes_of(high, sizeof(high)));
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

static bool is_utf8_charset(unsigned id)
{
	return id == 33 || id == 45 || id == 46 || id == 76 || id == 83 ||
	       (id >= 192 && id <= 247) || (id >= 255 && id <= 323) || id >= 2048;
}

static void set_charset(struct mysql_state *st, unsigned id)
{
	st->is_lexing_lost |= is_unsafe_charset(id);
	st->is_utf8 = is_utf8_charset(id);
}

struct login {
	uint32_t caps, more;
	unsigned charset;
	struct bytes user, schema;
};

static void read_auth(struct reader *r, uint32_t caps)
{
	if (caps & CLIENT_PLUGIN_AUTH_LENENC)
		(void)mysql_read_lenenc_text(r); /* only its length matters */
	else if (caps & CLIENT_SECURE_CONNECTION)
		read_skip(r, read_u8(r));
	else
		(void)read_until(r, '\0');
}

static const char *check_caps(uint32_t caps)
{
	if (!(caps & CLIENT_PROTOCOL_41))
		return "a login older than protocol 4.1";
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
	read_skip(&r, 4); /* longest packet */
	l->charset = read_u8(&r);
	read_skip(&r, 19);
	l->more = l->caps & CLIENT_LONG_PASSWORD ? 0 : read_u32le(&r);
	if (l->caps & CLIENT_LONG_PASSWORD)
		read_skip(&r, 4);
	if (!reader_ok(&r))
		return "a login that ends in the middle";
	const char *why = check_caps(l->caps);
	if (why)
		return why;
	const uint32_t caps = l->caps & st->offered;
	l->user = read_until(&r, '\0');
	read_auth(&r, caps);
	if (caps & CLIENT_CONNECT_WITH_DB && reader_left(&r))
		l->schema = mysql_read_text(&r);
	if (!reader_ok(&r))
		return "a login that ends in the middle";
	return NULL;
}

static const char *check_names(struct bytes user, struct bytes schema)
{
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
static const char *check_begin(struct bytes body)
{
	struct reader r = reader_of(body);
	const uint32_t caps = read_u32le(&r);
	const char *why = reader_ok(&r) ? check_caps(caps) : NULL;
	if (why || body.n <= SSL_REQUEST)
		return why;
	const struct bytes user = bytes_slice(body, SSL_REQUEST, MYSQL_USER_MAX + 1);
	return user.n > MYSQL_USER_MAX && bytes_find(user, '\0') == user.n
		       ? "a user's name longer than any server takes"
		       : NULL;
}

static bool is_ssl_request(struct bytes body)
{
	struct reader r = reader_of(body);
	return body.n == SSL_REQUEST && (read_u32le(&r) & CLIENT_SSL);
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
		p.n == SSL_REQUEST ? NULL : check_begin(bytes_slice(in, MYSQL_HEADER, p.n));
	if (why)
		return mysql_malformed(why);
	if (in.n < n)
		return mysql_more(n);
	const struct bytes body = bytes_slice(in, MYSQL_HEADER, p.n);
	if (is_ssl_request(body))
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
	set_charset(st, l.charset);
	emit_session(sink, l.user, l.schema);
	st->phase = PHASE_OPEN;
	st->is_authenticating = 1;
	st->sequence = p.sequence;
	st->command = COM_CONNECT;
	(void)mysql_push(st, COM_CONNECT, 0, MYSQL_NO_SLOT); /* nothing is pending yet */
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
	if (st->caps & CLIENT_SECURE_CONNECTION)
		read_skip(&r, read_u8(&r));
	else
		(void)read_until(&r, '\0');
	const struct bytes schema = reader_left(&r) ? mysql_read_text(&r) : (struct bytes){0};
	if (!reader_ok(&r))
		return "a change of user that ends in the middle";
	const char *why = check_names(user, schema);
	if (why)
		return why;
	copy_user(&st->user_next, user);
	copy_schema(&st->schema_next, schema);
	if (reader_left(&r) >= 2)
		set_charset(st, read_u16le(&r));
	st->is_authenticating = 1;
	st->auth_turn = 0;
	return NULL;
}
