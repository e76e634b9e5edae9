/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Before the login: the packets that have no type byte. A client may ask for TLS and for GSSAPI
 * encryption once each, and must wait for the answer; then it logs in, or asks to cancel what
 * another connection does.
 *
 * https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
#include "postgres/postgres_state.h"

#include "tls/tls_inside.h"
#include "tls/tls_ja4.h"

enum {
	CODE_CANCEL = 80877102,
	CODE_TLS = 80877103,
	CODE_GSS = 80877104,
	CODE_VERSION_3 = 3 << 16,
	CODE_GREASE = (3 << 16) + 9999, /* libpq tries whether servers negotiate */
	MINOR_MAX = 2,
	HEAD = 8,	      /* length, code */
	CLAIM_MIN = HEAD + 1, /* see check_start() */
	CANCEL_MIN = 12,
	CANCEL_MAX = 12 + 256, /* the key of protocol 3.2 */
};

static bool is_version(uint32_t code)
{
	return (code >= CODE_VERSION_3 && code <= CODE_VERSION_3 + MINOR_MAX) ||
	       code == CODE_GREASE;
}

/* NULL, or why this is no beginning; bytes that are not here yet are no reason. */
static const char *check_start(struct bytes in)
{
	struct reader r = reader_of(bytes_slice(in, 0, HEAD));
	if ((in.n >= 1 && in.p[0]) || (in.n >= 2 && in.p[1]))
		return "no length of a startup packet";
	if (in.n >= 5 && in.p[4] != CODE_VERSION_3 >> 24 && in.p[4] != CODE_TLS >> 24)
		return "no version of the protocol";
	const uint32_t n = read_u32be(&r), code = read_u32be(&r);
	if (in.n >= 4 && (n < HEAD || n > POSTGRES_STARTUP_MAX))
		return "no length of a startup packet";
	if (!reader_ok(&r))
		return NULL;
	if (code == CODE_TLS || code == CODE_GSS)
		return n == HEAD ? NULL : "a request for encryption of another length";
	if (code == CODE_CANCEL)
		return n >= CANCEL_MIN && n <= CANCEL_MAX ? NULL : "a cancellation without its key";
	if (!is_version(code))
		return "no version of the protocol";
	/* A name begins here. Kafka's Metadata request is the same until now, but goes on with a
	 * number that is zero, or small. */
	return n < CLAIM_MIN || (in.n >= CLAIM_MIN && in.p[HEAD] == '\0')
		       ? "a startup packet without parameters"
		       : NULL;
}

static void claim(struct postgres_state *st, const struct dis_sink *sink)
{
	const struct dis_event e = {.kind = DIS_CLAIM};
	if (!st->is_claimed)
		sink->event(sink->ctx, &e);
	st->is_claimed = 1;
}

/* ---------------------------------------------------------------- parameters */

struct login {
	struct bytes user, database;
	bool is_replication, is_encoding_unsafe, is_escaping, is_path_lost, is_role;
	unsigned n_user, n_database;
	struct pgsql path;
};

static bool is_true(struct bytes value)
{
	static const char *const no[] = {"false", "off",  "no",	 "0",  "f",
					 "n",	  "fals", "fal", "fa", "of"};
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		if (bytes_is_nocase(value, no[i]))
			return false;
	return true;
}

/* The server reads a hyphen in the names of options as an underscore, in any case. */
static bool is_named(struct bytes name, const char *text)
{
	size_t i = 0;
	while (i < name.n && text[i] &&
	       byte_lower(name.p[i] == '-' ? '_' : name.p[i]) == (uint8_t)text[i])
		i++;
	return i == name.n && !text[i];
}

/* A setting by name, from the packet or from its options. */
static void take_setting(struct login *l, struct bytes name, struct bytes value)
{
	if (is_named(name, "search_path"))
		l->is_path_lost |= !pgsql_read_path(&l->path, value);
	else if (is_named(name, "client_encoding"))
		l->is_encoding_unsafe |= pgsql_is_unsafe_encoding(value);
	else if (is_named(name, "standard_conforming_strings"))
		l->is_escaping |= !bytes_is_nocase(value, "on") && !bytes_is_nocase(value, "true");
	else if (is_named(name, "role") || is_named(name, "session_authorization"))
		l->is_role = true;
}

/* "-c name=value --name=value"; anything else may set anything. */
static void take_option(struct login *l, struct bytes word, bool *is_after_c)
{
	const bool is_long = word.n > 2 && word.p[0] == '-' && word.p[1] == '-';
	const bool is_short = word.n > 2 && word.p[0] == '-' && word.p[1] == 'c';
	if (!*is_after_c && bytes_is(word, "-c")) {
		*is_after_c = true;
		return;
	}
	const struct bytes setting = *is_after_c ? word : bytes_from(word, 2);
	const size_t at = bytes_find(setting, '=');
	if ((!*is_after_c && !is_long && !is_short) || at == setting.n)
		l->is_path_lost = true;
	else
		take_setting(l, bytes_slice(setting, 0, at), bytes_from(setting, at + 1));
	*is_after_c = false;
}

static void take_options(struct login *l, struct bytes options)
{
	bool is_after_c = false;
	if (bytes_find(options, '\\') < options.n) {
		l->is_path_lost = l->is_escaping = true; /* the server says what it is, later */
		return;
	}
	while (options.n) {
		size_t n = 0;
		while (n < options.n && options.p[n] != ' ' &&
		       (options.p[n] < '\t' || options.p[n] > '\r'))
			n++;
		if (n)
			take_option(l, bytes_slice(options, 0, n), &is_after_c);
		options = bytes_from(options, n + 1);
	}
}

static void take_parameter(struct login *l, struct bytes name, struct bytes value)
{
	if (bytes_is(name, "user")) {
		l->user = value;
		l->n_user++;
	} else if (bytes_is(name, "database")) {
		l->database = value;
		l->n_database++;
	} else if (bytes_is(name, "options")) {
		take_options(l, value);
	} else if (bytes_is(name, "replication")) {
		l->is_replication = is_true(value);
	} else {
		take_setting(l, name, value);
	}
}

static const char *read_login(struct bytes body, struct login *l)
{
	struct reader r = reader_of(body);
	for (;;) {
		const struct bytes name = read_until(&r, '\0');
		if (!reader_ok(&r) || name.n == 0)
			break;
		take_parameter(l, name, read_until(&r, '\0'));
	}
	if (!reader_ok(&r) || reader_left(&r))
		return "a startup packet that does not end where it should";
	if (l->n_user != 1 || l->user.n == 0 || l->n_database > 1)
		return "a startup packet without one user, or with two databases";
	if (l->user.n > POSTGRES_NAME_MAX || l->database.n > POSTGRES_NAME_MAX)
		return "a name that the server would cut";
	return NULL;
}

/* ---------------------------------------------------------------- logins */

void postgres_add_paths(struct postgres_state *st, const struct pgsql *s)
{
	for (size_t i = 0; i < s->n_tables; i++) {
		const struct bytes name = sql_table_schema(&s->tables[i], s->names);
		const bool is_catalog = bytes_is(name, "pg_catalog");
		bool is_known = bytes_is(name, "public") || is_catalog;
		st->is_catalog_late |= is_catalog && i > 0;
		for (size_t j = 0; j < st->n_paths; j++)
			is_known |= bytes_equal(postgres_name_of(&st->paths[j]), name);
		if (is_known)
			continue;
		if (st->n_paths == POSTGRES_PATHS_MAX || name.n > POSTGRES_NAME_MAX)
			st->is_path_lost = 1;
		else
			postgres_copy_name(&st->paths[st->n_paths++], name);
	}
}

static void emit_login(struct postgres_state *st, const struct login *l,
		       const struct dis_sink *sink)
{
	struct postgres_draft d = {.n = 0};
	postgres_put_word(&d, F_COMMAND, "startup");
	postgres_put_text(&d, F_USER, postgres_name_of(&st->user));
	postgres_put_text(&d, F_DATABASE, postgres_name_of(&st->database));
	for (size_t i = 0; i < st->n_paths; i++)
		postgres_put_text(&d, F_SCHEMA, postgres_name_of(&st->paths[i]));
	postgres_emit(sink, DIS_SESSION, &d);
	if (!l->is_replication && !l->is_role)
		return;
	postgres_begin_command(&d, st, "startup",
			       l->is_replication ? PGSQL_REPLICATION : PGSQL_ACCOUNT);
	if (l->is_replication)
		postgres_put_everything(&d);
	postgres_emit(sink, DIS_REQUEST, &d);
}

static struct dis_result log_in(struct postgres_state *st, struct bytes in,
				const struct dis_sink *sink)
{
	struct login l = {.is_role = false};
	pgsql_init(&l.path, true);
	claim(st, sink); /* as if the packet had come in two parts */
	const char *why = read_login(bytes_from(in, HEAD), &l);
	if (why)
		return postgres_malformed(why);
	postgres_copy_name(&st->user, l.user);
	postgres_copy_name(&st->database, l.database.n ? l.database : l.user);
	postgres_add_paths(st, &l.path);
	st->is_path_lost |= l.is_path_lost;
	st->is_encoding_unsafe = l.is_encoding_unsafe;
	st->is_escaping = l.is_escaping;
	st->is_replication = l.is_replication;
	emit_login(st, &l, sink);
	st->phase = PHASE_LOGIN;
	st->last = LAST_LOGIN;
	return postgres_done(in.n, 0);
}

static struct dis_result cancel(struct postgres_state *st, size_t n, const struct dis_sink *sink)
{
	struct postgres_draft d;
	claim(st, sink);
	postgres_begin_command(&d, st, "cancel", PGSQL_CANCEL);
	postgres_emit(sink, DIS_REQUEST, &d);
	st->phase = PHASE_CLOSED;
	return postgres_done(n, 0);
}

static struct dis_result ask(struct postgres_state *st, bool is_tls, const struct dis_sink *sink)
{
	if (is_tls ? st->has_asked_tls : st->has_asked_gss)
		return postgres_malformed("a second request for the same encryption");
	claim(st, sink);
	if (is_tls)
		st->has_asked_tls = 1;
	else
		st->has_asked_gss = 1;
	st->phase = is_tls ? PHASE_WAIT_TLS : PHASE_WAIT_GSS;
	return postgres_done(HEAD, 0);
}

struct dis_result postgres_startup(struct postgres_state *st, struct bytes in,
				   const struct dis_sink *sink)
{
	const char *why = check_start(in);
	if (why)
		return postgres_fail(st->is_claimed ? DIS_MALFORMED : DIS_NOT_MINE, why);
	if (in.n < HEAD)
		return postgres_more(HEAD);
	struct reader r = reader_of(in);
	const uint32_t n = read_u32be(&r), code = read_u32be(&r);
	if (code == CODE_TLS || code == CODE_GSS)
		return ask(st, code == CODE_TLS, sink);
	if (in.n < CLAIM_MIN)
		return postgres_more(CLAIM_MIN);
	if (in.n < n) {
		claim(st, sink);
		return postgres_more(n);
	}
	if (code == CODE_CANCEL)
		return cancel(st, n, sink);
	return log_in(st, bytes_slice(in, 0, n), sink);
}

/* ---------------------------------------------------------------- the server's one byte */

struct dis_result postgres_answer(struct postgres_state *st, struct bytes in,
				  const struct dis_sink *sink)
{
	const bool is_tls = st->phase == PHASE_WAIT_TLS;
	if (in.p[0] == 'N') {
		st->phase = PHASE_AGAIN;
		return postgres_done(1, 0);
	}
	if (in.p[0] != (is_tls ? 'S' : 'G'))
		return postgres_malformed("no answer to a request for encryption");
	struct postgres_draft d = {.n = 0};
	postgres_put_word(&d, F_OPAQUE, is_tls ? "tls" : "gss");
	postgres_emit(sink, DIS_OPAQUE, &d);
	st->phase = is_tls ? PHASE_TLS : PHASE_CLOSED;
	return (struct dis_result){.status = is_tls ? DIS_DONE : DIS_STOPPED, .consumed = 1};
}

/* ---------------------------------------------------------------- TLS was agreed on */

struct dis_result postgres_tls(struct postgres_state *st, struct bytes in,
			       const struct dis_sink *sink)
{
	struct postgres_draft d = {.n = 0};
	struct tls_client_hello hello;
	char ja4[TLS_JA4_SIZE];
	struct dis_result r = tls_read_inside(in, &hello);
	if (r.status != DIS_DONE)
		return r;
	tls_put_ja4(&hello, TLS_OVER_TCP, ja4);
	postgres_put_word(&d, F_OPAQUE, "tls");
	postgres_put_text(&d, F_SNI, bytes_of(hello.sni, hello.sni_n));
	postgres_put_text(&d, F_JA4, bytes_of(ja4, sizeof ja4));
	postgres_emit(sink, DIS_OPAQUE, &d);
	st->phase = PHASE_CLOSED;
	r.status = DIS_STOPPED;
	return r;
}
