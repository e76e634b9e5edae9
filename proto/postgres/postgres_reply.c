/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server's messages: how each statement went, what the server says about how it reads text, and
 * when it is ready again. Rows are skipped, not seen; those that are here whole are taken together.
 *
 * https://www.postgresql.org/docs/current/protocol-flow.html
 */
#include "postgres/postgres_state.h"

enum {
	SEEN_MAX = 1024, /* bytes of a message that are ever looked at */
	AUTH_OK = 0,
	AUTH_CLEARTEXT = 3,
	AUTH_MD5 = 5,
	AUTH_GSS = 7,
	AUTH_GSS_CONTINUE = 8,
	AUTH_SSPI = 9,
	AUTH_SASL = 10,
	AUTH_SASL_CONTINUE = 11,
	AUTH_SASL_FINAL = 12,
	LOGIN_LENGTH_MAX = 30000, /* what libpq takes for an error before the login is through */
};

/* ---------------------------------------------------------------- single messages */

static const char *on_auth(struct postgres_state *st, struct bytes body)
{
	struct reader r = reader_of(body);
	const uint32_t code = read_u32be(&r);
	if (!reader_ok(&r) || st->phase != PHASE_LOGIN)
		return "a login that nobody asked for";
	switch (code) {
	case AUTH_OK:
	case AUTH_SASL_FINAL:
		st->auth_turn = 0;
		return NULL;
	case AUTH_CLEARTEXT:
	case AUTH_MD5:
	case AUTH_GSS:
	case AUTH_GSS_CONTINUE:
	case AUTH_SSPI:
	case AUTH_SASL:
	case AUTH_SASL_CONTINUE:
		st->auth_turn = 1;
		return NULL;
	default:
		return "a kind of login that is not known";
	}
}

static const char *on_parameter(struct postgres_state *st, struct bytes body)
{
	struct reader r = reader_of(body);
	const struct bytes name = read_until(&r, '\0');
	const struct bytes value = read_until(&r, '\0');
	if (!reader_ok(&r))
		return body.n < SEEN_MAX ? "a parameter that does not end where it should" : NULL;
	const uint8_t was_utf8 = st->is_utf8, was_escaping = st->is_escaping;
	if (bytes_is(name, "client_encoding")) {
		st->is_utf8 = pgsql_is_utf8(value);
		st->is_encoding_unsafe = pgsql_is_unsafe_encoding(value);
	} else if (bytes_is(name, "standard_conforming_strings")) {
		st->is_escaping = !bytes_is(value, "on");
	}
	if (st->phase != PHASE_LOGIN)
		st->is_lexing_varied |= st->is_utf8 != was_utf8 || st->is_encoding_unsafe ||
					st->is_escaping != was_escaping;
	return NULL;
}

/* https://www.postgresql.org/docs/current/protocol-error-fields.html */
static struct bytes error_field(struct bytes body, uint8_t wanted)
{
	struct reader r = reader_of(body);
	for (;;) {
		const uint8_t field = read_u8(&r);
		const struct bytes text = read_until(&r, '\0');
		if (!reader_ok(&r) || field == '\0')
			return (struct bytes){0};
		if (field == wanted)
			return text;
	}
}

static void on_error(struct postgres_state *st, struct bytes body, const struct dis_sink *sink)
{
	struct postgres_draft d = {.n = 0};
	postgres_put_word(&d, F_STATUS, "error");
	postgres_put_text(&d, F_ERROR, bytes_slice(error_field(body, 'C'), 0, 5));
	postgres_emit(sink, DIS_REPLY, &d);
	postgres_on_error(st, error_field(body, 'F'));
}

/* "SELECT 5", "INSERT 0 1": the last word, when it is a number. */
static void on_complete(struct postgres_state *st, struct bytes body, const struct dis_sink *sink)
{
	struct postgres_draft d = {.n = 0};
	const struct bytes tag = bytes_slice(body, 0, bytes_find(body, '\0'));
	uint64_t rows = 0, unit = 1;
	size_t at = tag.n;
	for (; at && tag.p[at - 1] >= '0' && tag.p[at - 1] <= '9' && tag.n - at < 19; unit *= 10)
		rows += unit * (uint64_t)(tag.p[--at] - '0');
	postgres_put_word(&d, F_STATUS, "ok");
	if (at < tag.n && at && tag.p[at - 1] == ' ')
		postgres_put_number(&d, F_ROWS, rows);
	postgres_emit(sink, DIS_REPLY, &d);
	postgres_on_complete(st);
}

static void on_ready(struct postgres_state *st)
{
	if (st->phase != PHASE_LOGIN) {
		postgres_on_ready(st);
		return;
	}
	st->phase = PHASE_OPEN;
	st->auth_turn = 0;
}

/* ---------------------------------------------------------------- messages */

static bool is_known(uint8_t type)
{
	static const char known[] = "RKSZTDCEN123IAntsGHWdcVv";
	return type && memchr(known, type, sizeof(known) - 1);
}

/* Until it is ready a server speaks of the login alone, and no client takes a long message for
 * that. */
static bool is_of_login(uint8_t type, uint32_t length)
{
	static const char known[] = "RSKZENv";
	return type && memchr(known, type, sizeof(known) - 1) && length <= LOGIN_LENGTH_MAX;
}

/* How much of the body is read. */
static size_t seen_of(uint8_t type, uint32_t n)
{
	const bool is_read = type == 'R' || type == 'S' || type == 'E' || type == 'C';
	return !is_read ? 0 : n < SEEN_MAX ? n : SEEN_MAX;
}

static const char *on_message(struct postgres_state *st, uint8_t type, struct bytes body,
			      const struct dis_sink *sink)
{
	if (type == 'R')
		return on_auth(st, body);
	if (type == 'S')
		return on_parameter(st, body);
	if (type == 'E')
		on_error(st, body, sink);
	else if (type == 'C')
		on_complete(st, body, sink);
	else if (type == 'Z')
		on_ready(st);
	else if (type == '1' || type == '2' || type == '3')
		postgres_on_step(st);
	else if (type == 'G' || type == 'W')
		postgres_on_copy_in(st);
	return NULL;
}

/* Rows and pieces of COPY that are here whole: how many bytes. */
static size_t take_rows(struct bytes in)
{
	size_t at = 0;
	while (in.n - at >= POSTGRES_HEADER && (in.p[at] == 'D' || in.p[at] == 'd')) {
		struct reader r = reader_of(bytes_from(in, at + 1));
		const uint32_t length = read_u32be(&r);
		if (length < 4 || length > POSTGRES_LARGE_MAX || length > in.n - at - 1)
			break;
		at += 1 + (size_t)length;
	}
	return at;
}

struct dis_result postgres_reply(struct postgres_state *st, struct bytes in,
				 const struct dis_sink *sink)
{
	if (in.n < POSTGRES_HEADER)
		return postgres_more(POSTGRES_HEADER);
	const size_t n_rows = st->phase == PHASE_LOGIN ? 0 : take_rows(in);
	if (n_rows)
		return postgres_done(n_rows, 0);
	struct reader r = reader_of(in);
	const uint8_t type = read_u8(&r);
	const uint32_t length = read_u32be(&r);
	if (!is_known(type) || length < 4 || length > POSTGRES_LARGE_MAX)
		return postgres_malformed("a message that no server sends");
	if (st->phase == PHASE_LOGIN && !is_of_login(type, length))
		return postgres_malformed("a message that is no part of a login");
	const size_t seen = seen_of(type, length - 4);
	if (in.n < POSTGRES_HEADER + seen)
		return postgres_more(POSTGRES_HEADER + seen);
	const char *why = on_message(st, type, bytes_slice(in, POSTGRES_HEADER, seen), sink);
	if (why)
		return postgres_malformed(why);
	return postgres_done(POSTGRES_HEADER + seen, length - 4 - seen);
}
