/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QUIC versions 1 and 2 up to the server's choice (RFC 9000, 9001, 9369): the same hello as in tls,
 * in packets that anybody can open who saw the first one.
 *
 *	HELLO --client hello--> ANSWER --server hello--> opaque
 *	                        ANSWER --retry request--> RETRY --client hello--> ANSWER
 *	                        ANSWER --other versions--> HELLO
 *
 * An Initial packet that its keys open is the claim: nothing else looks like that. The client's
 * hello is the request; it may come in pieces, in any order, over several datagrams. Until it is
 * whole nothing is judged, and the engine holds the datagrams (is_sealed). Until the server's hello
 * every datagram is read: a piece that comes again must be the same piece, so that no other hello
 * can take the place of the judged one, and nothing but Initial packets, and early data that was
 * offered, goes to the server.
 *
 * What must stay true: a refused datagram leaves no trace in the state, whose place the next one
 * takes. quic.md says what is refused and why.
 */
#include "quic/quic_packet.h"
#include "quic/quic_stream.h"
#include "tls/tls_event.h"

enum phase { PHASE_HELLO, PHASE_ANSWER, PHASE_RETRY };

enum {
	QUIC_UDP = 17,
	CLIENT_ROOM = 8 * 1024,	 /* two hellos; real ones have at most 2 KiB each */
	SERVER_ROOM = 2 * 1024,	 /* a retry request and a hello, with a key share for a future */
	INITIAL_MAX = 16 * 1024, /* bytes of one Initial packet */
	MESSAGE_HEADER = 4,
	EXT_QUIC_PARAMETERS = 57, /* RFC 9001 section 8.2 */
	CRYPTO_ERROR = 0x100,	  /* and an alert of TLS (section 4.8) */
	ALERT_ACCESS_DENIED = 49,
};

struct quic_state {
	uint8_t is_claimed, phase;
	uint8_t has_retry;	/* a Retry packet came: the client's next Initial has other keys */
	uint8_t has_negotiated; /* the server offered other versions */
	uint8_t is_answered;	/* an Initial of the server was opened */
	uint8_t is_second;	/* the client was asked for another hello */
	uint8_t offers_early, has_early;
	uint8_t dcid_n, dcid[QUIC_CID_MAX]; /* from which the keys are made */
	uint16_t judged, answered; /* bytes of the two streams that were read as messages */
	uint32_t largest[2];	   /* greatest packet number of a side, plus 1 */
	struct quic_reach client, server;
	uint8_t client_data[CLIENT_ROOM], client_have[CLIENT_ROOM / 8];
	uint8_t server_data[SERVER_ROOM], server_have[SERVER_ROOM / 8];
};

_Static_assert(sizeof(struct quic_state) <= DIS_STATE_MAX, "a state fits into its slot");

/* ---------------------------------------------------------------- results */

/* How the reading of a datagram goes; why is NULL with DIS_DONE. */
struct outcome {
	enum dis_status status;
	const char *why;
};

static const struct outcome good = {DIS_DONE, NULL};

static struct outcome malformed(const char *why)
{
	return (struct outcome){DIS_MALFORMED, why};
}

static struct dis_result refused(enum dis_status status, const char *why)
{
	return (struct dis_result){.status = status, .why = why};
}

/* ---------------------------------------------------------------- the state */

static struct quic_stream stream_of(struct quic_state *st, enum dis_dir dir)
{
	if (dir == DIS_TO_SERVER)
		return (struct quic_stream){&st->client, st->client_data, st->client_have,
					    CLIENT_ROOM};
	return (struct quic_stream){&st->server, st->server_data, st->server_have, SERVER_ROOM};
}

static struct bytes key_id(const struct quic_state *st)
{
	return bytes_of(st->dcid, st->dcid_n);
}

static void set_key_id(struct quic_state *st, struct bytes dcid)
{
	memcpy(st->dcid, dcid.p, dcid.n);
	st->dcid_n = (uint8_t)dcid.n;
}

/* Another connection: the client tries again, or in another version. */
static void start_anew(struct quic_state *st)
{
	const uint8_t is_claimed = st->is_claimed;
	memset(st, 0, sizeof *st);
	st->is_claimed = is_claimed;
}

/* ---------------------------------------------------------------- Initial packets */

/* One datagram while it is read. */
struct datagram {
	enum dis_dir dir;
	bool has_keys, is_opened;
	uint32_t version;  /* of its Initial packets, ... */
	struct bytes dcid; /* ... and of all its packets */
	struct quic_keys keys;
	struct quic_said said;
};

/* Until the server answers with an Initial, the client's first packet makes the keys, and the first
 * after a Retry. */
static bool makes_keys(const struct quic_state *st, enum dis_dir dir)
{
	return dir == DIS_TO_SERVER && !st->is_answered &&
	       (st->phase == PHASE_HELLO || st->has_retry);
}

static struct outcome change_keys(struct quic_state *st, const struct quic_packet *p)
{
	if (!st->has_retry && p->dcid.n < QUIC_CID_MIN_FIRST)
		return malformed("a first connection id too short");
	if (!st->has_retry && !bytes_equal(p->dcid, key_id(st)))
		start_anew(st);
	set_key_id(st, p->dcid);
	return good;
}

static struct outcome prepare_keys(struct quic_state *st, struct datagram *d,
				   const struct quic_packet *p)
{
	struct outcome o = good;
	if (d->has_keys)
		return p->version == d->version ? good : malformed("two versions in one datagram");
	if (makes_keys(st, d->dir))
		o = change_keys(st, p);
	quic_keys_init(&d->keys, p->version, key_id(st), d->dir);
	d->version = p->version;
	d->has_keys = true;
	return o;
}

static struct outcome take_initial(struct quic_state *st, struct datagram *d,
				   const struct quic_packet *p)
{
	uint8_t room[INITIAL_MAX];
	struct quic_opened opened;
	if (p->whole.n > sizeof room)
		return (struct outcome){DIS_LIMIT, "an initial packet longer than is read"};
	struct outcome o = prepare_keys(st, d, p);
	if (o.status != DIS_DONE)
		return o;
	if (!quic_open(p, &d->keys, &st->largest[d->dir], room, &opened))
		return malformed("an initial packet that its keys do not open");
	d->is_opened = true;
	if (opened.first & QUIC_RESERVED_BITS)
		return malformed("reserved bits that are not zero");
	const struct quic_stream stream = stream_of(st, d->dir);
	o.status = quic_take_frames(opened.plain, &stream, &d->said, &o.why);
	return o;
}

/* ---------------------------------------------------------------- client: packets */

static bool is_zeroes(struct bytes b)
{
	for (size_t i = 0; i < b.n; i++)
		if (b.p[i])
			return false;
	return true;
}

static struct outcome take_early_data(struct quic_state *st)
{
	if (st->phase == PHASE_RETRY || st->is_second)
		return malformed("early data after a retry request");
	if (st->phase == PHASE_ANSWER && !st->offers_early)
		return malformed("early data that was not offered");
	st->has_early = 1;
	return good;
}

static struct outcome take_client_packet(struct quic_state *st, struct datagram *d,
					 const struct quic_packet *p)
{
	switch (p->type) {
	case QUIC_INITIAL:
		return take_initial(st, d, p);
	case QUIC_ZERO_RTT:
		return take_early_data(st);
	case QUIC_SHORT:
		/* Some clients fill up their datagrams behind the packets. */
		return is_zeroes(p->whole) ? good : malformed("data before the server's hello");
	case QUIC_HANDSHAKE:
		return malformed("a handshake packet before the server's hello");
	case QUIC_RETRY:
	case QUIC_NEGOTIATION:
		break;
	}
	return malformed("a packet that only servers send");
}

static bool is_of_another(const struct datagram *d, const struct quic_packet *p)
{
	return d->dcid.p && p->type != QUIC_SHORT && !bytes_equal(d->dcid, p->dcid);
}

static struct outcome read_client(struct quic_state *st, struct datagram *d, struct bytes in)
{
	struct outcome o = good;
	for (struct bytes rest = in; rest.n > 0 && o.status == DIS_DONE;) {
		struct quic_packet p;
		const char *why = quic_read_packet(rest, &p);
		if (!why && is_of_another(d, &p))
			why = "packets of two connections in one datagram";
		if (why)
			return malformed(why);
		if (p.type != QUIC_SHORT)
			d->dcid = p.dcid;
		o = take_client_packet(st, d, &p);
		rest = bytes_from(rest, p.whole.n);
	}
	if (o.status == DIS_DONE && d->is_opened && in.n < QUIC_DATAGRAM_MIN)
		return malformed("a datagram too short for an initial packet");
	return o;
}

/* ---------------------------------------------------------------- messages of the handshake */

struct message {
	struct bytes whole; /* with its header; empty: not all of it is there */
	struct outcome outcome;
};

/* The message that begins at `from`; nothing of the stream may lie behind it. */
static struct message next_message(const struct quic_stream *s, size_t from, uint8_t type)
{
	const struct bytes there = bytes_slice(bytes_of(s->data, s->reach->whole), from, SIZE_MAX);
	struct message m = {.outcome = good};
	struct reader r = reader_of(there);
	const uint8_t type_there = read_u8(&r);
	if (there.n > 0 && type_there != type)
		m.outcome = malformed("another handshake message than the hello");
	const size_t length = MESSAGE_HEADER + (size_t)read_be(&r, 3);
	if (!reader_ok(&r) || m.outcome.status != DIS_DONE)
		return m;
	if (length > s->n - from)
		m.outcome = (struct outcome){DIS_LIMIT, "a hello longer than can be held"};
	else if (s->reach->top > from + length)
		m.outcome = malformed("bytes behind the hello");
	else if (there.n == length)
		m.whole = there;
	return m;
}

static bool has_parameters(const struct tls_client_hello *h)
{
	for (size_t i = 0; i < h->n_extensions; i++)
		if (h->extensions[i] == EXT_QUIC_PARAMETERS)
			return true;
	return false;
}

/* The first hello that was judged is still there. */
static void read_first(const struct quic_state *st, struct tls_client_hello *out)
{
	const char *why;
	const size_t n = (size_t)st->client_data[1] << 16 | (size_t)st->client_data[2] << 8 |
			 st->client_data[3];
	(void)tls_parse_client_hello(bytes_of(st->client_data, MESSAGE_HEADER + n), out,
				     &why); /* it was right when it was judged */
}

static const char *check_second(const struct quic_state *st, const struct tls_client_hello *second)
{
	struct tls_client_hello first;
	if (!st->is_second)
		return NULL;
	read_first(st, &first);
	if (!bytes_equal(bytes_of(first.sni, first.sni_n), bytes_of(second->sni, second->sni_n)))
		return "a second hello with another server name";
	if (!bytes_equal(first.alpn, second->alpn))
		return "a second hello with other protocols";
	return second->has_early_data ? "a second hello with early data" : NULL;
}

static const char *check_hello(const struct quic_state *st, const struct tls_client_hello *h)
{
	if (h->highest_known != TLS_1_3)
		return "a hello without TLS 1.3";
	if (!has_parameters(h))
		return "a hello without the parameters of quic";
	if (st->has_early && !h->has_early_data)
		return "early data that was not offered";
	return check_second(st, h);
}

static struct outcome judge_hello(struct quic_state *st, const struct dis_sink *sink)
{
	struct tls_client_hello hello;
	const struct quic_stream stream = stream_of(st, DIS_TO_SERVER);
	const struct message m = next_message(&stream, st->judged, TLS_CLIENT_HELLO);
	struct outcome o = m.outcome;
	if (o.status != DIS_DONE || m.whole.n == 0)
		return o;
	o.status = tls_parse_client_hello(m.whole, &hello, &o.why);
	if (o.status != DIS_DONE)
		return o;
	const char *why = check_hello(st, &hello);
	if (why)
		return malformed(why);
	tls_emit_request(&hello, TLS_OVER_QUIC, sink);
	st->judged = (uint16_t)(st->judged + m.whole.n);
	st->offers_early = hello.has_early_data;
	st->phase = PHASE_ANSWER;
	return good;
}

/* ---------------------------------------------------------------- client */

static struct outcome after_client(struct quic_state *st, const struct dis_sink *sink)
{
	if (st->phase != PHASE_ANSWER)
		return judge_hello(st, sink);
	return st->client.top > st->judged ? malformed("bytes behind the hello") : good;
}

static struct dis_result from_client(struct quic_state *st, struct bytes in,
				     const struct dis_sink *sink)
{
	struct quic_state next = *st;
	struct datagram d = {.dir = DIS_TO_SERVER};
	struct outcome o = read_client(&next, &d, in);
	if (!st->is_claimed && !d.is_opened)
		return refused(DIS_NOT_MINE, o.why ? o.why : "no initial packet of quic");
	if (!st->is_claimed)
		tls_emit_claim(sink);
	st->is_claimed = next.is_claimed = 1;
	if (o.status == DIS_DONE)
		o = after_client(&next, sink);
	if (o.status != DIS_DONE)
		return refused(o.status, o.why);
	*st = next;
	return (struct dis_result){.status = DIS_DONE, .consumed = in.n};
}

/* ---------------------------------------------------------------- server: packets */

static struct outcome take_retry(struct quic_state *st, const struct quic_packet *p)
{
	uint8_t tag[QUIC_TAG];
	const size_t header = 7 + p->dcid.n + p->scid.n; /* form, version, two lengths */
	if (st->is_answered)
		return malformed("a retry packet out of its turn");
	if (p->whole.n <= header + sizeof tag || p->whole.n > QUIC_RETRY_MAX)
		return malformed("a retry packet of a wrong length");
	if (bytes_equal(p->scid, key_id(st)))
		return malformed("a retry packet that changes nothing");
	const struct bytes sealed = bytes_slice(p->whole, 0, p->whole.n - sizeof tag);
	quic_retry_tag(p->version, key_id(st), sealed, tag);
	if (!bytes_equal(bytes_from(p->whole, sealed.n), bytes_of(tag, sizeof tag)))
		return malformed("a retry packet with a wrong tag");
	st->has_retry = 1;
	return good;
}

/* What the client offered is void: it may come again in another version (RFC 9000 section 6). */
static struct outcome take_negotiation(struct quic_state *st, const struct quic_packet *p)
{
	const size_t list = p->whole.n - (7 + p->dcid.n + p->scid.n);
	const bool is_again = st->phase == PHASE_HELLO && st->has_negotiated;
	if (list == 0 || list % 4)
		return malformed("a list of versions of a wrong length");
	if (is_again)
		return good;
	if (st->is_answered || st->has_retry)
		return malformed("a version negotiation out of its turn");
	if (!bytes_equal(p->scid, key_id(st)))
		return malformed("a version negotiation of another connection");
	start_anew(st);
	st->has_negotiated = 1;
	return good;
}

static struct outcome take_server_packet(struct quic_state *st, struct datagram *d,
					 const struct quic_packet *p)
{
	switch (p->type) {
	case QUIC_INITIAL:
		return take_initial(st, d, p);
	case QUIC_RETRY:
		return take_retry(st, p);
	case QUIC_NEGOTIATION:
		return take_negotiation(st, p);
	case QUIC_ZERO_RTT:
		return malformed("a packet that only clients send");
	case QUIC_HANDSHAKE:
	case QUIC_SHORT:
		break; /* not for us to read */
	}
	return st->phase == PHASE_HELLO ? malformed("an answer before the hello was judged") : good;
}

static struct outcome read_server(struct quic_state *st, struct datagram *d, struct bytes in)
{
	struct outcome o = good;
	for (struct bytes rest = in; rest.n > 0 && o.status == DIS_DONE;) {
		struct quic_packet p;
		const char *why = quic_read_packet(rest, &p);
		if (why)
			return malformed(why);
		o = take_server_packet(st, d, &p);
		rest = bytes_from(rest, p.whole.n);
	}
	if (o.status == DIS_DONE)
		st->is_answered |= d->is_opened;
	return o;
}

/* ---------------------------------------------------------------- server: the choice */

static void say_choice(const struct quic_state *st, const struct tls_server_hello *chosen,
		       const struct dis_sink *sink)
{
	struct tls_client_hello hello;
	read_first(st, &hello);
	tls_emit_choice(bytes_of(hello.sni, hello.sni_n), chosen, "quic", sink);
}

static const char *check_choice(const struct quic_state *st, const struct tls_server_hello *h)
{
	if (h->version != TLS_1_3)
		return "a server that chooses less than TLS 1.3";
	return h->is_retry && st->is_second ? "a second retry request" : NULL;
}

/* *has_chosen: the server's hello is whole and nothing behind it can be read. */
static struct outcome read_choice(struct quic_state *st, const struct dis_sink *sink,
				  bool *has_chosen)
{
	struct tls_server_hello hello;
	const struct quic_stream stream = stream_of(st, DIS_TO_CLIENT);
	if (st->phase != PHASE_ANSWER)
		return st->server.top > st->answered ? malformed("a hello out of its turn") : good;
	const struct message m = next_message(&stream, st->answered, TLS_SERVER_HELLO);
	if (m.outcome.status != DIS_DONE || m.whole.n == 0)
		return m.outcome;
	const char *why = tls_parse_server_hello(m.whole, &hello);
	if (!why)
		why = check_choice(st, &hello);
	if (why)
		return malformed(why);
	say_choice(st, &hello, sink);
	st->answered = (uint16_t)(st->answered + m.whole.n);
	st->is_second = hello.is_retry;
	st->phase = hello.is_retry ? PHASE_RETRY : st->phase;
	*has_chosen = !hello.is_retry;
	return good;
}

static void say_close(const struct quic_said *said, const struct dis_sink *sink)
{
	if (said->has_closed && said->error >> 8 == CRYPTO_ERROR >> 8)
		tls_emit_alert((uint8_t)said->error, sink);
}

static struct dis_result from_server(struct quic_state *st, struct bytes in,
				     const struct dis_sink *sink)
{
	struct quic_state next = *st;
	struct datagram d = {.dir = DIS_TO_CLIENT};
	bool has_chosen = false;
	if (!st->is_claimed)
		return refused(DIS_NOT_MINE, "the server speaks first");
	struct outcome o = read_server(&next, &d, in);
	if (o.status == DIS_DONE)
		o = read_choice(&next, sink, &has_chosen);
	if (o.status != DIS_DONE)
		return refused(o.status, o.why);
	say_close(&d.said, sink);
	*st = next;
	return (struct dis_result){.status = has_chosen ? DIS_STOPPED : DIS_DONE, .consumed = in.n};
}

static struct dis_result quic_feed(void *state, uint8_t ip_proto, enum dis_dir dir, struct bytes in,
				   const struct dis_sink *sink)
{
	(void)ip_proto; /* UDP only */
	return dir == DIS_TO_SERVER ? from_client(state, in, sink) : from_server(state, in, sink);
}

/* ---------------------------------------------------------------- refusals */

/* CONNECTION_CLOSE with the alert access_denied, as the server would send it in an Initial. */
static size_t quic_refuse(const void *state, uint8_t ip_proto, struct bytes unit, struct bytes why,
			  uint8_t *out)
{
	(void)ip_proto;
	const struct quic_state *st = state;
	struct quic_packet p;
	if (st->phase != PHASE_ANSWER || quic_read_packet(unit, &p) || p.type != QUIC_INITIAL)
		return 0;
	return quic_put_close(&p, key_id(st), CRYPTO_ERROR | ALERT_ACCESS_DENIED, why, out);
}

extern const struct dissector tls_dissector, quic_dissector; /* named in proto/table.c */

const struct dissector quic_dissector = {
	.name = "quic",
	.object = "quic",
	.ip_protos = {QUIC_UDP},
	.state_size = sizeof(struct quic_state),
	.max_unit = QUIC_DATAGRAM_MAX,
	.is_sealed = true,
	.variant_of = &tls_dissector,
	.fields = tls_fields,
	.n_fields = TLS_N_FIELDS,
	.feed = quic_feed,
	.refuse = quic_refuse,
	.say = tls_say,
};
