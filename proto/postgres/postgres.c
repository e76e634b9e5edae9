/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PostgreSQL protocol, versions 3.0 and 3.2, as servers from 9.1 on speak it.
 *
 *	client: [TLS?] [GSS?] startup --> server: passwords, ready --> query, reply, ready ...
 *
 * The client speaks first; its startup packet is the claim. Nothing that it says before the server
 * is ready is a query. postgres.md says what is refused and why; postgres_state.h names the files.
 */
#include "postgres/postgres_state.h"

/* A second Terminate, as of programs that forked: nobody reads it. */
static struct dis_result after_the_end(struct bytes in)
{
	static const uint8_t terminate[POSTGRES_HEADER] = {'X', 0, 0, 0, 4};
	const size_t n = in.n < sizeof(terminate) ? in.n : sizeof(terminate);
	if (memcmp(in.p, terminate, n) != 0)
		return postgres_malformed("the client speaks after the end");
	return n < sizeof(terminate) ? postgres_more(sizeof(terminate)) : postgres_done(n, 0);
}

static struct dis_result from_client(struct postgres_state *st, struct bytes in,
				     const struct dis_sink *sink)
{
	switch ((enum postgres_phase)st->phase) {
	case PHASE_START:
	case PHASE_AGAIN:
		return postgres_startup(st, in, sink);
	case PHASE_WAIT_TLS:
	case PHASE_WAIT_GSS:
		return postgres_malformed("bytes behind a request for encryption");
	case PHASE_TLS:
		return postgres_tls(st, in, sink);
	case PHASE_LOGIN:
	case PHASE_OPEN:
		break;
	case PHASE_CLOSED:
		return after_the_end(in);
	}
	if (st->is_streaming)
		return postgres_statement_go_on(st, in, sink);
	return postgres_message(st, in, sink);
}

static struct dis_result from_server(struct postgres_state *st, struct bytes in,
				     const struct dis_sink *sink)
{
	switch ((enum postgres_phase)st->phase) {
	case PHASE_START:
		if (!st->is_claimed)
			return postgres_fail(DIS_NOT_MINE, "the server speaks before the client");
		return postgres_malformed("the server speaks before the client");
	case PHASE_AGAIN:
		return postgres_malformed("the server speaks before the client");
	case PHASE_WAIT_TLS:
	case PHASE_WAIT_GSS:
		return postgres_answer(st, in, sink);
	case PHASE_TLS:
		return postgres_malformed("the server speaks before the client's hello");
	case PHASE_LOGIN:
	case PHASE_OPEN:
	case PHASE_CLOSED:
		break;
	}
	return postgres_reply(st, in, sink);
}

static struct dis_result feed(void *state, uint8_t ip_proto, enum dis_dir dir, struct bytes in,
			      const struct dis_sink *sink)
{
	(void)ip_proto; /* TCP only */
	struct postgres_state *st = state;
	return dir == DIS_TO_SERVER ? from_client(st, in, sink) : from_server(st, in, sink);
}

/* ---------------------------------------------------------------- refusals */

static size_t put_field(uint8_t *out, size_t n, char field, struct bytes text)
{
	out[n] = (uint8_t)field;
	memcpy(out + n + 1, text.p, text.n);
	out[n + 1 + text.n] = '\0';
	return n + 1 + text.n + 1;
}

/* ErrorResponse: the server closes behind it. Only where it can be nothing but the answer to
 * what was refused. https://www.postgresql.org/docs/current/errcodes-appendix.html */
static size_t refuse(const void *state, uint8_t ip_proto, struct bytes unit, struct bytes why,
		     uint8_t *out)
{
	const struct postgres_state *st = state;
	(void)ip_proto; /* TCP only */
	(void)unit;	/* the state says what it was */
	const bool is_login = st->phase == PHASE_LOGIN && st->last == LAST_LOGIN;
	const bool is_request =
		st->phase == PHASE_OPEN && st->last == LAST_REQUEST && st->order.is_refusable;
	if (!is_login && !is_request)
		return 0;
	why = bytes_slice(why, 0, DIS_WHY_MAX);
	const struct bytes severity = bytes_str(is_login ? "FATAL" : "ERROR");
	size_t n = put_field(out, POSTGRES_HEADER, 'S', severity);
	n = put_field(out, n, 'V', severity);
	n = put_field(out, n, 'C', bytes_str(is_login ? "28000" : "42501"));
	n = put_field(out, n, 'M', why);
	out[n++] = '\0';
	const uint32_t length = (uint32_t)n - 1;
	const uint8_t head[POSTGRES_HEADER] = {'E', (uint8_t)(length >> 24),
					       (uint8_t)(length >> 16), (uint8_t)(length >> 8),
					       (uint8_t)length};
	memcpy(out, head, sizeof(head));
	/* A request's error is over with ReadyForQuery; without it some libraries keep only that
	 * the connection ended. */
	return is_login ? n : bytes_put(out, n, bytes_of("Z\0\0\0\5I", 6));
}

/* ---------------------------------------------------------------- policy tests */

static bool say(struct bytes text, const struct dis_sink *sink)
{
	static const struct postgres_state nobody;
	struct pgsql s;
	pgsql_init(&s, true);
	struct bytes rest = bytes_from(text, pgsql_feed(&s, text));
	if (s.is_nul)
		return false;
	if (!s.is_end)
		pgsql_finish(&s);
	for (size_t i = 0; i < rest.n; i++)
		if (rest.p[i] > ' ')
			return false; /* more than one request */
	if (!s.has_token)
		return false;
	struct postgres_draft d;
	postgres_begin_request(&d, &nobody, "query", (enum pgsql_verb)s.verb);
	if (s.is_unproven)
		d.flags |= DIS_UNPROVEN;
	postgres_put_objects(&d, &nobody, &s);
	postgres_put_facts(&d, &s, 1);
	postgres_put_text(&d, F_QUERY, bytes_slice(text, 0, POSTGRES_TEXT_MAX));
	postgres_emit(sink, DIS_REQUEST, &d);
	return true;
}

extern const struct dissector postgres_dissector; /* named in proto/table.c */

const struct dissector postgres_dissector = {
	.name = "postgres",
	.object = "pgsql",
	.ip_protos = {6 /* TCP */},
	.state_size = sizeof(struct postgres_state),
	.max_unit = POSTGRES_UNIT_MAX,
	.fields = postgres_fields,
	.n_fields = N_FIELDS,
	.feed = feed,
	.refuse = refuse,
	.say = say,
};
