/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TLS over TCP up to the server's choice; SSL 3.0 to TLS 1.3 (RFC 8446, RFC 5246).
 *
 *	HELLO --client hello--> ANSWER --server hello--> opaque
 *	                        ANSWER --retry request--> RETRY --client hello--> ANSWER
 *
 * The client hello is the request: held until it is whole, in however many records it comes, and
 * judged by the name, protocols and versions that it offers. The claim waits for that, too: until
 * then no byte of it passes, so that a hello that is never finished carries nothing out. What the
 * client sends behind it before the server answered (early data) is passed over by the lengths of
 * its records. The server's hello says what was chosen; nothing behind it can be read.
 *
 * What must stay true: no byte of a client hello passes in a form that another receiver could read
 * as another name, and the hello after a retry request offers what was judged. tls.md says what is
 * refused and why.
 */
#include "tls/tls_event.h"
#include "tls/tls_record.h"
#include "tls/tls_sha256.h"

enum phase { PHASE_HELLO, PHASE_ANSWER, PHASE_RETRY, PHASE_OPAQUE };

enum {
	ALERTS_MAX = 8, /* of one side before the server's hello; OpenSSL bears five */
	ALERT_SIZE = 2,
	ALERT_FATAL = 2,
	ALERT_ACCESS_DENIED = 49,
	HEAD_SIZE = TLS_RECORD_HEADER + 1,
	SSL2_HEADER = 11,
	TLS_TCP = 6,
};

/* What the first hello offered: an answer is recorded with it, a second hello must offer the same.
 */
struct tls_state {
	uint8_t is_claimed, phase, has_retried, has_early_data;
	uint8_t n_alerts[2], has_change[2];
	uint8_t sni_n, sni[TLS_NAME_MAX];
	uint8_t protocols[TLS_SHA256_SIZE]; /* digest of the list */
	uint16_t version;
};

/* ---------------------------------------------------------------- results */

static struct dis_result refuse(enum dis_status status, const char *why)
{
	return (struct dis_result){.status = status, .why = why};
}

static struct dis_result malformed(const char *why)
{
	return refuse(DIS_MALFORMED, why);
}

static struct dis_result more(size_t want)
{
	return (struct dis_result){.status = DIS_MORE, .want = want};
}

static struct dis_result done(size_t consumed)
{
	return (struct dis_result){.status = DIS_DONE, .consumed = consumed};
}

/* ---------------------------------------------------------------- claim */

/* SSLv2's hello, in which old clients offered SSL 3.0 and TLS (RFC 5246 appendix E.2). */
static enum dis_status is_ssl2(struct bytes in)
{
	struct reader r = reader_of(in);
	const uint16_t length = read_u16be(&r) & 0x7fff;
	if (in.n > 2 && in.p[2] != TLS_CLIENT_HELLO)
		return DIS_NOT_MINE;
	if (in.n > 3 && in.p[3] != 0 && in.p[3] != 3)
		return DIS_NOT_MINE;
	if (in.n < SSL2_HEADER)
		return DIS_MORE;
	read_skip(&r, 3);
	const size_t ciphers = read_u16be(&r), session = read_u16be(&r), challenge = read_u16be(&r);
	const bool adds_up = length == SSL2_HEADER - 2 + ciphers + session + challenge;
	return adds_up && ciphers && ciphers % 3 == 0 ? DIS_DONE : DIS_NOT_MINE;
}

static void claim(struct tls_state *st, const struct dis_sink *sink)
{
	st->is_claimed = 1;
	tls_emit_claim(sink);
}

static struct dis_result claim_ssl2(struct tls_state *st, struct bytes in,
				    const struct dis_sink *sink)
{
	const enum dis_status status = is_ssl2(in);
	if (status == DIS_MORE)
		return more(SSL2_HEADER);
	if (status == DIS_NOT_MINE)
		return refuse(DIS_NOT_MINE, "no hello of tls");
	claim(st, sink);
	return malformed("a hello in the form of SSLv2");
}

/* DIS_DONE: may be a hello; nothing is claimed yet. */
static struct dis_result look_first(struct tls_state *st, struct bytes in,
				    const struct dis_sink *sink)
{
	struct tls_record record;
	if (in.p[0] & 0x80)
		return claim_ssl2(st, in, sink);
	const char *why = tls_read_header(in, &record);
	if (!why && (record.type != TLS_HANDSHAKE ||
		     (in.n > TLS_RECORD_HEADER && in.p[TLS_RECORD_HEADER] != TLS_CLIENT_HELLO)))
		why = "no hello of tls";
	if (why)
		return refuse(DIS_NOT_MINE, why);
	return in.n < HEAD_SIZE ? more(HEAD_SIZE) : done(0);
}

/* ---------------------------------------------------------------- client hello */

static void digest_protocols(struct bytes list, uint8_t out[TLS_SHA256_SIZE])
{
	struct tls_sha256 s;
	tls_sha256_init(&s);
	tls_sha256_add(&s, list);
	tls_sha256_end(&s, out);
}

static const char *check_second(const struct tls_state *st, const struct tls_client_hello *h)
{
	uint8_t protocols[TLS_SHA256_SIZE];
	digest_protocols(h->alpn, protocols);
	if (!bytes_equal(bytes_of(h->sni, h->sni_n), bytes_of(st->sni, st->sni_n)))
		return "a second hello with another server name";
	if (memcmp(protocols, st->protocols, sizeof protocols) != 0)
		return "a second hello with other protocols";
	return h->has_early_data ? "a second hello with early data" : NULL;
}

static void note_hello(struct tls_state *st, const struct tls_client_hello *h)
{
	st->has_retried = st->phase == PHASE_RETRY;
	st->phase = PHASE_ANSWER;
	st->has_early_data = h->has_early_data;
	st->version = h->version;
	st->sni_n = (uint8_t)h->sni_n;
	if (h->sni_n)
		memcpy(st->sni, h->sni, h->sni_n);
	digest_protocols(h->alpn, st->protocols);
}

static struct dis_result take_client_hello(struct tls_state *st, struct bytes in,
					   const struct dis_sink *sink)
{
	uint8_t room[TLS_UNIT_MAX];
	struct tls_client_hello hello;
	const struct tls_scan scan = tls_scan_message(in, TLS_CLIENT_HELLO);
	const char *why = scan.why;
	if (scan.status == DIS_MORE)
		return more(scan.want);
	if (!st->is_claimed)
		claim(st, sink);
	if (scan.status == DIS_DONE && scan.left > 0)
		return malformed("bytes behind the hello in its record");
	if (scan.status != DIS_DONE)
		return refuse(scan.status, why);
	const enum dis_status status =
		tls_parse_client_hello(tls_join_message(in, &scan, room), &hello, &why);
	if (status != DIS_DONE)
		return refuse(status, why);
	why = st->phase == PHASE_RETRY ? check_second(st, &hello) : NULL;
	if (why)
		return malformed(why);
	tls_emit_request(&hello, TLS_OVER_TCP, sink);
	note_hello(st, &hello);
	return done(scan.end);
}

/* ---------------------------------------------------------------- what else may come in clear */

static struct dis_result take_alert(struct tls_state *st, enum dis_dir dir, struct bytes in,
				    const struct dis_sink *sink)
{
	struct reader r = reader_of(bytes_from(in, TLS_RECORD_HEADER));
	const uint8_t level = read_u8(&r), description = read_u8(&r);
	if (!reader_ok(&r))
		return more(TLS_RECORD_HEADER + ALERT_SIZE);
	if (level == 0 || level > ALERT_FATAL)
		return malformed("an alert of no known level");
	if (st->n_alerts[dir] == ALERTS_MAX)
		return malformed("too many alerts");
	st->n_alerts[dir]++;
	if (dir == DIS_TO_CLIENT)
		tls_emit_alert(description, sink);
	return done(TLS_RECORD_HEADER + ALERT_SIZE);
}

/* TLS 1.3 sends one that means nothing, for the sake of boxes on the way (RFC 8446 D.4). */
static struct dis_result take_change(struct tls_state *st, enum dis_dir dir, struct bytes in)
{
	if (in.n == TLS_RECORD_HEADER)
		return more(TLS_RECORD_HEADER + 1);
	const bool is_early = dir == DIS_TO_SERVER && st->has_early_data;
	const bool may_come = is_early || st->phase == PHASE_RETRY;
	if (!may_come || st->has_change[dir] || in.p[TLS_RECORD_HEADER] != 1)
		return malformed("a change of cipher before the server's hello");
	st->has_change[dir] = 1;
	return done(TLS_RECORD_HEADER + 1);
}

static struct dis_result take_early_data(const struct tls_state *st, enum dis_dir dir,
					 const struct tls_record *record)
{
	if (dir == DIS_TO_CLIENT || !st->has_early_data)
		return malformed("data before the server's hello");
	struct dis_result r = done(TLS_RECORD_HEADER);
	r.skip = record->length;
	return r;
}

static struct dis_result take_other(struct tls_state *st, enum dis_dir dir, struct bytes in,
				    const struct dis_sink *sink)
{
	struct tls_record record;
	const char *why = tls_read_header(in, &record);
	if (why)
		return malformed(why);
	if (record.type == TLS_HANDSHAKE)
		return malformed("a handshake before its turn");
	if (in.n < TLS_RECORD_HEADER)
		return more(TLS_RECORD_HEADER);
	if (record.type == TLS_APPLICATION_DATA)
		return take_early_data(st, dir, &record);
	if (record.type == TLS_ALERT && record.length == ALERT_SIZE)
		return take_alert(st, dir, in, sink);
	if (record.type == TLS_CHANGE_CIPHER_SPEC && record.length == 1)
		return take_change(st, dir, in);
	return malformed("a record of a wrong length");
}

static struct dis_result from_client(struct tls_state *st, struct bytes in,
				     const struct dis_sink *sink)
{
	if (!st->is_claimed) {
		const struct dis_result first = look_first(st, in, sink);
		if (first.status != DIS_DONE)
			return first;
	}
	const bool may_greet =
		st->phase == PHASE_HELLO || (st->phase == PHASE_RETRY && in.p[0] == TLS_HANDSHAKE);
	return may_greet ? take_client_hello(st, in, sink)
			 : take_other(st, DIS_TO_SERVER, in, sink);
}

/* ---------------------------------------------------------------- the server's answer */

static const char *check_retry(const struct tls_state *st, const struct tls_scan *scan)
{
	if (st->has_retried)
		return "a second retry request";
	return scan->left ? "bytes behind the retry request in its record" : NULL;
}

static struct dis_result take_server_hello(struct tls_state *st, struct bytes in,
					   const struct dis_sink *sink)
{
	uint8_t room[TLS_UNIT_MAX];
	struct tls_server_hello hello;
	const struct tls_scan scan = tls_scan_message(in, TLS_SERVER_HELLO);
	if (scan.status == DIS_MORE)
		return more(scan.want);
	if (scan.status != DIS_DONE)
		return refuse(scan.status, scan.why);
	const char *why = tls_parse_server_hello(tls_join_message(in, &scan, room), &hello);
	if (!why && hello.is_retry)
		why = check_retry(st, &scan);
	if (why)
		return malformed(why);
	tls_emit_choice(bytes_of(st->sni, st->sni_n), &hello, "tls", sink);
	st->phase = hello.is_retry ? PHASE_RETRY : PHASE_OPAQUE;
	struct dis_result r = done(scan.end);
	r.status = hello.is_retry ? DIS_DONE : DIS_STOPPED;
	return r;
}

static struct dis_result from_server(struct tls_state *st, struct bytes in,
				     const struct dis_sink *sink)
{
	if (!st->is_claimed)
		return refuse(DIS_NOT_MINE, "the server speaks first");
	if (st->phase == PHASE_ANSWER && in.p[0] == TLS_HANDSHAKE)
		return take_server_hello(st, in, sink);
	return take_other(st, DIS_TO_CLIENT, in, sink);
}

static struct dis_result tls_feed(void *state, uint8_t ip_proto, enum dis_dir dir, struct bytes in,
				  const struct dis_sink *sink)
{
	(void)ip_proto; /* TCP only */
	struct tls_state *st = state;
	return dir == DIS_TO_SERVER ? from_client(st, in, sink) : from_server(st, in, sink);
}

/* ---------------------------------------------------------------- refusals */

/* A fatal alert in clear: the client still waits for the server's hello, or for its second one. */
static size_t tls_refuse(const void *state, uint8_t ip_proto, struct bytes unit, struct bytes why,
			 uint8_t *out)
{
	(void)ip_proto, (void)unit, (void)why; /* an alert has room for a number alone */
	const struct tls_state *st = state;
	if (st->phase != PHASE_ANSWER)
		return 0;
	const uint16_t version = st->version < TLS_1_2 ? st->version : TLS_1_2;
	const uint8_t alert[] = {TLS_ALERT,  3,		  (uint8_t)version,   0,
				 ALERT_SIZE, ALERT_FATAL, ALERT_ACCESS_DENIED};
	memcpy(out, alert, sizeof alert);
	return sizeof alert;
}

extern const struct dissector tls_dissector; /* named in proto/table.c */

const struct dissector tls_dissector = {
	.name = "tls",
	.object = "tls",
	.ip_protos = {TLS_TCP},
	.state_size = sizeof(struct tls_state),
	.max_unit = TLS_UNIT_MAX,
	.is_sealed = true,
	.fields = tls_fields,
	.n_fields = TLS_N_FIELDS,
	.feed = tls_feed,
	.refuse = tls_refuse,
	.say = tls_say,
};
