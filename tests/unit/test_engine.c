/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine as a whole, from packet to verdict, against receivers that read overlaps in every way
 * (engine_rig.h). Real dissectors, real policies, no kernel. The numbers T01 to T68 and R1 to R12
 * are those of the threat table.
 */
#include "engine_rig.h"

#include "packet/build.h"

#include <stdio.h>

static const char policy[] =
	"version: 1\n"
	"rules:\n"
	"- {name: web, from: shop/client, to: shop/web, app: http, allow: [{methods: [GET, POST], "
	"paths: ['/ok/**']}]}\n"
	"- {name: cache, from: shop/client, to: shop/cache, app: redis, allow: [{commands: [get, "
	"set]}]}\n"
	"- {name: raw, from: shop/client, to: shop/raw, app: tcp, allow: true}\n"
	"- {name: names, from: shop/client, to: shop/names, app: dns, allow: [{names: "
	"['*.example.com']}]}\n"
	"- {name: ping, from: shop/client, to: shop/web, app: icmp, allow: true}\n";

#define OK_HEAD	  "GET /ok/a HTTP/1.1\r\nHost: web\r\n\r\n"
#define OK_HEAD_2 "GET /ok/b HTTP/1.1\r\nHost: web\r\n\r\n"
#define NO_HEAD	  "GET /no/x HTTP/1.1\r\nHost: web\r\n\r\n"
#define REPLY	  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

static struct rig *r;
static struct rig_connection c;

static void begin(const char *text, const struct rig_end *server)
{
	r = rig_new(text);
	c = rig_connection(r, server);
	rig_open(&c);
}

static void finish(void)
{
	rig_nothing_is_left(r);
	rig_free(r);
	r = NULL;
}

static bool was_accepted(const struct rig_packet *p)
{
	return p->is_answered && p->accepted;
}

static bool was_dropped(const struct rig_packet *p)
{
	return p->is_answered && !p->accepted;
}

static bool is_held(const struct rig_packet *p)
{
	return !p->is_answered;
}

/* Both ends were told the end (a reset, or a FIN of ours), with numbers that they take: exactly
 * what each expects next. */
static void assert_both_told(uint32_t server_expects, uint32_t client_expects)
{
	bool told[2] = {false, false};
	uint32_t n = r->n_injected < RIG_INJECTED ? r->n_injected : RIG_INJECTED;
	for (uint32_t i = 0; i < n; i++) {
		struct rig_view v = rig_read(bytes_of(r->injected[i].bytes, r->injected[i].n));
		if (v.proto != IPPROTO_TCP || !(v.flags & (TCP_RST | TCP_FIN)))
			continue;
		unsigned to_client = v.dst_port == c.end[0].port;
		uint32_t expected =
			to_client ? c.isn[1] + 1 + client_expects : c.isn[0] + 1 + server_expects;
		told[to_client] |= v.seq == expected;
	}
	ck_assert_msg(told[0], "the server was not told at %u", server_expects);
	ck_assert_msg(told[1], "the client was not told at %u", client_expects);
}

/* ---- requests ---- */

START_TEST(an_allowed_request_passes)
{
	begin(policy, &rig_web);
	ck_assert(was_accepted(rig_say(&c, 0, OK_HEAD)));
	ck_assert(was_accepted(rig_say(&c, 1, REPLY)));
	ck_assert(rig_has_got(r, 0, OK_HEAD));
	ck_assert(rig_has_got(r, 1, REPLY));
	ck_assert_uint_eq(r->n_injected, 0);
	finish();
}
END_TEST

START_TEST(a_denied_request_never_completes)
{
	begin(policy, &rig_web);
	ck_assert(was_dropped(rig_say(&c, 0, NO_HEAD)));
	ck_assert(rig_has_got(r, 0, ""));
	assert_both_told(0, 0);
	const struct rig_record *v = rig_last_record(r, EVENT_VIOLATION);
	ck_assert_ptr_nonnull(v);
	ck_assert_uint_eq(v->head.verdict, VERDICT_DENY);
	ck_assert_uint_eq(v->head.mode, MODE_ENFORCE);
	finish();
}
END_TEST

START_TEST(a_denied_request_never_completes_at_any_cut)
{
	const char *text = OK_HEAD NO_HEAD;
	size_t n = strlen(text);
	for (size_t cut = 1; cut < n; cut++) {
		begin(policy, &rig_web);
		(void)rig_data(&c, 0, 0, text, cut); /* either verdict is fine */
		(void)rig_data(&c, 0, (uint32_t)cut, text + cut, n - cut);
		(void)rig_data(&c, 0, 0, text, n); /* and once more, whole */
		struct bytes got = rig_got(r, 0);
		ck_assert_msg(got.n < n, "cut %zu: the denied request was completed", cut);
		ck_assert(memcmp(got.p, text, got.n) == 0);
		finish();
	}
}
END_TEST

/* All orders of up to four pieces, cut at places that matter. */
static void send_pieces(const char *text, const size_t *cuts, size_t n_pieces,
			const unsigned *order)
{
	for (size_t i = 0; i < n_pieces; i++) {
		size_t from = cuts[order[i]], to = cuts[order[i] + 1];
		if (from != to)
			(void)rig_data(&c, 0, (uint32_t)from, text + from, to - from);
	}
}

static bool next_order(unsigned *order, size_t n)
{
	size_t i = n - 1;
	while (i > 0 && order[i - 1] > order[i])
		i--;
	if (i == 0)
		return false;
	size_t j = n - 1;
	while (order[j] < order[i - 1])
		j--;
	unsigned swap = order[i - 1];
	order[i - 1] = order[j];
	order[j] = swap;
	for (size_t a = i, b = n - 1; a < b; a++, b--) {
		swap = order[a];
		order[a] = order[b];
		order[b] = swap;
	}
	return true;
}

static void all_orders(const char *text, const size_t cuts[5], size_t n)
{
	unsigned order[4] = {0, 1, 2, 3};
	do {
		c = rig_connection(r, &rig_web);
		c.isn[0] += r->n_sent * 100000; /* the receivers begin anew */
		rig_open(&c);
		send_pieces(text, cuts, 4, order);
		send_pieces(text, cuts, 4, order); /* what was dropped comes again */
		struct bytes got = rig_got(r, 0);
		ck_assert_msg(got.n < n, "cuts %zu %zu %zu, order %u%u%u%u: completed", cuts[1],
			      cuts[2], cuts[3], order[0], order[1], order[2], order[3]);
		ck_assert(memcmp(got.p, text, got.n) == 0);
		worker_finish(r->w, r->now);
	} while (next_order(order, 4));
}

START_TEST(a_denied_request_never_completes_in_any_order_of_four_pieces)
{
	const char *text = OK_HEAD NO_HEAD;
	size_t n = strlen(text), first = strlen(OK_HEAD);
	r = rig_new(policy);
	for (size_t a = 1; a < first; a += 7)
		for (size_t b = first - 1; b <= first + 1; b++)
			for (size_t d = b; d < n; d += 9)
				all_orders(text, (const size_t[5]){0, a, b, d, n}, n);
	finish();
}
END_TEST

START_TEST(the_allowed_part_of_a_segment_passes_before_the_denied_rest)
{
	begin(policy, &rig_web);
	struct rig_packet *p = rig_say(&c, 0, OK_HEAD NO_HEAD);
	ck_assert(was_accepted(p) && p->was_rewritten);
	ck_assert(rig_has_got(r, 0, OK_HEAD));
	rig_say(&c, 1, REPLY);
	assert_both_told((uint32_t)strlen(OK_HEAD), (uint32_t)strlen(REPLY));
	finish();
}
END_TEST

/* The denied request lies behind a gap at the receiver; the gap's filler is allowed, but would
 * complete it. */
START_TEST(a_gap_filler_does_not_complete_what_lies_behind_it)
{
	begin(policy, &rig_web);
	ck_assert(was_accepted(rig_say(&c, 0, OK_HEAD)));
	uint32_t at = (uint32_t)strlen(OK_HEAD);
	(void)rig_data(&c, 0, at + at, NO_HEAD, strlen(NO_HEAD)); /* early: may pass */
	(void)rig_data(&c, 0, at, OK_HEAD, at);
	(void)rig_data(&c, 0, at, OK_HEAD NO_HEAD, at + strlen(NO_HEAD));
	ck_assert_uint_le(rig_got(r, 0).n, at + at);
	ck_assert_msg(!rig_has_got(r, 0, OK_HEAD OK_HEAD NO_HEAD), "completed");
	finish();
}
END_TEST

/* The same, where the filler overlaps what is already there. */
START_TEST(an_overlapping_gap_filler_does_not_complete_what_lies_behind_it)
{
	uint32_t n = (uint32_t)strlen(OK_HEAD);
	for (size_t overlap = 1; overlap <= strlen(NO_HEAD); overlap++) {
		begin(policy, &rig_web);
		ck_assert(was_accepted(rig_say(&c, 0, OK_HEAD)));
		(void)rig_data(&c, 0, 2 * n, NO_HEAD, strlen(NO_HEAD));
		(void)rig_data(&c, 0, n, OK_HEAD NO_HEAD, n + overlap);
		ck_assert_uint_le(rig_got(r, 0).n, n + n);
		finish();
	}
}
END_TEST

/* The reset after a denial also reaches both ends where the replies were not followed any more. */
START_TEST(both_ends_are_told_after_replies_were_offloaded)
{
	begin(policy, &rig_web);
	rig_say(&c, 0, OK_HEAD);
	struct rig_packet *p = rig_say(&c, 1, REPLY);
	ck_assert(was_accepted(p) && p->has_mark);
	c.heard[0] = 500; /* the rest went by unseen */
	ck_assert(was_dropped(rig_say(&c, 0, NO_HEAD)));
	assert_both_told((uint32_t)strlen(OK_HEAD), 500);
	finish();
}
END_TEST

/* ---- refusals in the client's protocol ---- */

/* The i-th of the packets that were injected, counted from the last (0). */
static struct rig_view injected(uint32_t i)
{
	ck_assert_uint_gt(r->n_injected, i);
	const struct rig_packet *p = &r->injected[(r->n_injected - 1 - i) % RIG_INJECTED];
	return rig_read(bytes_of(p->bytes, p->n));
}

static bool says(const struct rig_view *v, const char *text)
{
	return memmem(v->data.p, v->data.n, text, strlen(text)) != NULL;
}

static void assert_numbers(const struct rig_view *v, uint8_t flags, uint32_t seq, uint32_t ack)
{
	ck_assert_uint_eq(v->flags, flags);
	ck_assert_uint_eq(v->seq, seq);
	ck_assert_uint_eq(v->ack, ack);
}

/* Both sides are answered as their peer would until they have closed. */
START_TEST(a_refused_client_is_told_in_its_protocol_and_both_sides_close)
{
	begin(policy, &rig_web);
	const uint32_t asked = c.isn[0] + 1 + (uint32_t)strlen(NO_HEAD), server = c.isn[1] + 1;
	ck_assert(was_dropped(rig_say(&c, 0, NO_HEAD)));
	ck_assert_uint_eq(r->n_injected, 2);
	struct rig_view words = injected(1), fin = injected(0);
	assert_numbers(&words, TCP_ACK | TCP_PSH | TCP_FIN, server, asked);
	ck_assert(says(&words, "HTTP/1.1 403 Forbidden\r\n"));
	ck_assert(says(&words, "no rule allows it"));
	assert_numbers(&fin, TCP_ACK | TCP_FIN, c.isn[0] + 1, server);
	const uint32_t said = server + (uint32_t)words.data.n + 1;

	/* more of a long request is acknowledged and goes nowhere */
	c.heard[0] = (uint32_t)words.data.n + 1;
	ck_assert(was_dropped(rig_say(&c, 0, "and a body")));
	struct rig_view ack = injected(0);
	assert_numbers(&ack, TCP_ACK, said, asked + 10);
	ck_assert(was_dropped(rig_flags(&c, 0, TCP_FIN | TCP_ACK, (int32_t)strlen(NO_HEAD) + 10)));
	ack = injected(0);
	assert_numbers(&ack, TCP_ACK, said, asked + 11);

	c.heard[1] = 1; /* our FIN */
	ck_assert(was_dropped(rig_flags(&c, 1, TCP_FIN | TCP_ACK, 0)));
	ack = injected(0);
	assert_numbers(&ack, TCP_ACK, c.isn[0] + 2, server + 1);
	ck_assert_uint_eq(r->n_injected, 5);
	rig_wait(r, 6000);
	ck_assert_uint_eq(r->n_injected, 5);
	ck_assert(rig_has_got(r, 0, ""));
	finish();
}
END_TEST

START_TEST(who_does_not_close_is_reset_in_the_end)
{
	begin(policy, &rig_web);
	ck_assert(was_dropped(rig_say(&c, 0, NO_HEAD)));
	struct rig_view words = injected(1);
	rig_wait(r, 6000);
	ck_assert_uint_eq(r->n_injected, 4);
	struct rig_view client = injected(1), server = injected(0);
	ck_assert(client.flags & TCP_RST && server.flags & TCP_RST);
	ck_assert_uint_eq(client.seq, c.isn[1] + 2 + (uint32_t)words.data.n);
	ck_assert_uint_eq(server.seq, c.isn[0] + 2);
	finish();
}
END_TEST

/* The words were lost: there is nobody who would send them again. */
START_TEST(a_client_that_asks_again_is_reset_where_it_stands)
{
	begin(policy, &rig_web);
	ck_assert(was_dropped(rig_say(&c, 0, NO_HEAD)));
	ck_assert(was_dropped(rig_data(&c, 0, 0, NO_HEAD, strlen(NO_HEAD))));
	struct rig_view reset = injected(0);
	ck_assert_uint_eq(reset.flags, TCP_RST);
	ck_assert_uint_eq(reset.seq, c.isn[1] + 1);
	finish();
}
END_TEST

#define GET_K  "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"
#define DEL_K  "*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n"
#define NOPERM "-NOPERM refused by bridgewarden: no rule allows it\r\n"

/* The client would take the words for the answer to its first request: they come behind it. */
START_TEST(a_pipelined_refusal_comes_behind_the_replies_before_it)
{
	begin(policy, &rig_cache);
	const uint32_t asked = c.isn[0] + 1 + 2 * (uint32_t)strlen(GET_K);
	rig_say(&c, 0, GET_K DEL_K);
	ck_assert(rig_has_got(r, 0, GET_K));
	ck_assert_uint_eq(r->n_injected, 0);
	/* what comes again is cut, what is new goes nowhere */
	rig_data(&c, 0, 0, GET_K DEL_K, strlen(GET_K DEL_K));
	ck_assert(was_dropped(rig_data(&c, 0, (uint32_t)strlen(GET_K), DEL_K, strlen(DEL_K))));
	ck_assert(rig_has_got(r, 0, GET_K));
	rig_say(&c, 1, "$5\r\nva");
	ck_assert_uint_eq(r->n_injected, 0); /* half a reply */
	rig_say(&c, 1, "lue\r\n");
	ck_assert(rig_has_got(r, 1, "$5\r\nvalue\r\n"));
	ck_assert_uint_eq(r->n_injected, 2);
	struct rig_view words = injected(1), fin = injected(0);
	assert_numbers(&words, TCP_ACK | TCP_PSH | TCP_FIN, c.isn[1] + 1 + 11, asked);
	ck_assert(says(&words, NOPERM));
	assert_numbers(&fin, TCP_ACK | TCP_FIN, c.isn[0] + 1 + (uint32_t)strlen(GET_K),
		       c.isn[1] + 1 + 11);
	ck_assert(rig_has_got(r, 0, GET_K));
	finish();
}
END_TEST

/* An acknowledgement from behind what was refused brings none of it to the server. */
START_TEST(a_client_that_acknowledges_meanwhile_is_told_too)
{
	begin(policy, &rig_cache);
	rig_say(&c, 0, GET_K GET_K DEL_K);
	rig_say(&c, 1, "$-1\r\n");
	ck_assert(was_accepted(rig_ack(&c, 0)));
	rig_say(&c, 1, "$-1\r\n");
	ck_assert_uint_eq(r->n_injected, 2);
	struct rig_view words = injected(1);
	ck_assert(says(&words, NOPERM));
	finish();
}
END_TEST

START_TEST(a_refusal_behind_several_requests_waits_for_all_replies)
{
	begin(policy, &rig_cache);
	rig_say(&c, 0, GET_K);
	rig_say(&c, 0, GET_K);
	rig_say(&c, 0, DEL_K);
	rig_say(&c, 1, "$-1\r\n");
	ck_assert_uint_eq(r->n_injected, 0);
	rig_say(&c, 1, "$-1\r\n");
	ck_assert_uint_eq(r->n_injected, 2);
	struct rig_view words = injected(1);
	ck_assert(says(&words, NOPERM));
	ck_assert(rig_has_got(r, 0, GET_K GET_K));
	finish();
}
END_TEST

/* A client that does not wait for replies is shown them, so that it is known which are through. */
START_TEST(a_pipelined_refusal_of_http_comes_behind_the_replies_before_it)
{
	begin(policy, &rig_web);
	rig_say(&c, 0, OK_HEAD OK_HEAD_2 NO_HEAD);
	ck_assert(rig_has_got(r, 0, OK_HEAD OK_HEAD_2));
	rig_say(&c, 1, REPLY);
	ck_assert_uint_eq(r->n_injected, 0);
	rig_say(&c, 1, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab");
	ck_assert_uint_eq(r->n_injected, 0); /* half a body */
	rig_say(&c, 1, "cd");
	ck_assert_uint_eq(r->n_injected, 2);
	struct rig_view words = injected(1);
	ck_assert_uint_eq(words.seq, c.isn[1] + 1 + c.sent[1]);
	ck_assert(says(&words, "HTTP/1.1 403 Forbidden\r\n"));
	ck_assert(rig_has_got(r, 0, OK_HEAD OK_HEAD_2));
	finish();
}
END_TEST

START_TEST(a_pipelined_refusal_of_http_waits_for_the_last_chunk)
{
	begin(policy, &rig_web);
	rig_say(&c, 0, OK_HEAD);
	rig_say(&c, 0, NO_HEAD);
	rig_say(&c, 1, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n");
	rig_wait(r, 3000);
	rig_say(&c, 1, "2\r\nhi\r\n"); /* as long as the server goes on nobody cuts it off */
	rig_wait(r, 3000);
	ck_assert_uint_eq(r->n_injected, 0);
	rig_say(&c, 1, "0\r\n\r\n");
	ck_assert_uint_eq(r->n_injected, 2);
	struct rig_view words = injected(1);
	ck_assert(says(&words, "HTTP/1.1 403 Forbidden\r\n"));
	finish();
}
END_TEST

/* With more under way than can be followed its replies go unseen, as those of others. */
START_TEST(a_long_pipeline_goes_on)
{
	begin(policy, &rig_web);
	rig_say(&c, 0, OK_HEAD OK_HEAD);
	rig_say(&c, 1, REPLY REPLY);
	for (unsigned i = 0; i < 80; i++)
		ck_assert(was_accepted(rig_say(&c, 0, OK_HEAD)));
	for (unsigned i = 0; i < 80; i++)
		ck_assert(was_accepted(rig_say(&c, 1, REPLY)));
	ck_assert_ptr_null(rig_last_record(r, EVENT_VIOLATION));
	finish();
}
END_TEST

/* Who waited for the first reply has its replies unseen from then on: nobody can say how many are
 * through, or where one ends. */
START_TEST(a_refusal_behind_unseen_replies_is_a_reset)
{
	begin(policy, &rig_web);
	rig_say(&c, 0, OK_HEAD);
	rig_say(&c, 1, REPLY);
	rig_say(&c, 0, OK_HEAD_2);
	rig_say(&c, 0, NO_HEAD);
	ck_assert_uint_eq(r->n_injected, 2);
	ck_assert(injected(0).flags & TCP_RST && injected(1).flags & TCP_RST);
	finish();
}
END_TEST

/* ... but where the file wants replies recorded they are shown all the time. */
START_TEST(a_refusal_behind_replies_that_are_recorded_waits_for_them)
{
	static const char text[] =
		"version: 1\n"
		"rules:\n"
		"- {name: web, from: shop/client, to: shop/web, app: http, log: all, "
		"allow: [{paths: ['/ok/**']}]}\n";
	begin(text, &rig_web);
	rig_say(&c, 0, OK_HEAD);
	rig_say(&c, 1, REPLY);
	rig_say(&c, 0, OK_HEAD_2);
	rig_say(&c, 0, NO_HEAD);
	ck_assert_uint_eq(r->n_injected, 0);
	rig_say(&c, 1, REPLY);
	struct rig_view words = injected(1);
	ck_assert(says(&words, "HTTP/1.1 403 Forbidden\r\n"));
	finish();
}
END_TEST

/* ---- many requests at once: HTTP/2 ---- */

#define H2_BEGIN     "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
#define H2_SETTINGS  "\0\0\0\4\0\0\0\0\0"
#define H2_OK(id)    "\0\0\x0e\1\5\0\0\0" id "\x82\x86\4\5/ok/a\x41\3web"
#define H2_NO(id)    "\0\0\x0e\1\5\0\0\0" id "\x82\x86\4\5/no/x\x41\3web"
#define H2_REPLY(id) "\0\0\1\1\4\0\0\0" id "\x88\0\0\2\0\1\0\0\0" id "hi"

static void say_bytes(unsigned dir, const char *bytes, size_t n)
{
	(void)rig_data(&c, dir, c.sent[dir], bytes, n); /* the verdict shows in what arrives */
	c.sent[dir] += (uint32_t)n;
}

#define SAY(dir, text) say_bytes((dir), (text), sizeof(text) - 1)

static bool server_got(const char *bytes, size_t n)
{
	struct bytes got = rig_got(r, 0);
	return got.n == n && memcmp(got.p, bytes, n) == 0;
}

static void assert_h2_words(void)
{
	static const char goaway[] = "\0\0\x08\7\0\0\0\0\0";
	ck_assert_uint_eq(r->n_injected, 2);
	struct rig_view words = injected(1);
	ck_assert_uint_eq(words.seq, c.isn[1] + 1 + c.sent[1]);
	ck_assert(says(&words, "refused by bridgewarden"));
	ck_assert_ptr_nonnull(memmem(words.data.p, words.data.n, goaway, 9));
}

static void begin_h2(void)
{
	begin(policy, &rig_web);
	SAY(0, H2_BEGIN H2_OK("\1"));
	SAY(1, H2_SETTINGS);
}

START_TEST(a_refused_stream_lets_the_others_finish)
{
	begin_h2();
	SAY(0, H2_OK("\3") H2_NO("\5"));
	SAY(1, H2_REPLY("\3"));
	ck_assert_uint_eq(r->n_injected, 0);
	SAY(1, H2_REPLY("\1"));
	assert_h2_words();
	ck_assert(server_got(H2_BEGIN H2_OK("\1") H2_OK("\3"),
			     sizeof(H2_BEGIN H2_OK("\1") H2_OK("\3")) - 1));
	finish();
}
END_TEST

START_TEST(a_refused_stream_alone_is_told_at_once)
{
	begin_h2();
	SAY(1, H2_REPLY("\1"));
	SAY(0, H2_NO("\3"));
	assert_h2_words();
	finish();
}
END_TEST

/* A stream that does not end is cut off, between two frames. */
START_TEST(a_refused_stream_does_not_wait_for_ever)
{
	begin_h2();
	SAY(0, H2_NO("\3"));
	rig_wait(r, 4000);
	ck_assert_uint_eq(r->n_injected, 0);
	rig_wait(r, 2000);
	assert_h2_words();
	finish();
	begin_h2();
	SAY(0, H2_NO("\3"));
	SAY(1, "\0\0\1\1\4\0\0\0\1\x88\0\0\2\0\0\0\0\0\1h");
	rig_wait(r, 6000);
	ck_assert_uint_eq(r->n_injected, 0);
	SAY(1, "i");
	assert_h2_words();
	finish();
}
END_TEST

START_TEST(a_refused_stream_within_a_frame_without_end_is_a_reset)
{
	begin_h2();
	SAY(0, H2_NO("\3"));
	SAY(1, "\0\0\1\1\4\0\0\0\1\x88\0\0\2\0\0\0\0\0\1h");
	rig_wait(r, 6000);
	rig_wait(r, 6000);
	ck_assert(injected(0).flags & TCP_RST && injected(1).flags & TCP_RST);
	finish();
}
END_TEST

/* ---- servers that speak where nobody asked ---- */

#define LATE "HTTP/1.1 408 Request Timeout\r\nContent-Length: 4\r\nConnection: close\r\n\r\nlate"

START_TEST(a_server_may_end_a_connection_on_which_nobody_asked)
{
	for (size_t cut = 1; cut < strlen(LATE); cut++) {
		begin(policy, &rig_web);
		(void)rig_data(&c, 1, 0, LATE, cut);
		(void)rig_data(&c, 1, (uint32_t)cut, LATE + cut, strlen(LATE) - cut);
		rig_data(&c, 1, 0, LATE, strlen(LATE)); /* what was held with a change */
		ck_assert_msg(rig_has_got(r, 1, LATE), "cut %zu", cut);
		ck_assert_ptr_null(rig_last_record(r, EVENT_VIOLATION));
		finish();
	}
}
END_TEST

START_TEST(a_server_that_says_anything_else_first_is_none_of_http)
{
	static const char *const said[] = {REPLY, LATE REPLY,
					   "HTTP/1.1 408 Request Timeout\r\n\r\n"};
	for (size_t i = 0; i < 3; i++) {
		begin(policy, &rig_web);
		rig_say(&c, 1, said[i]);
		ck_assert_ptr_nonnull(rig_last_record(r, EVENT_VIOLATION));
		ck_assert(rig_has_got(r, 1, i == 1 ? LATE : ""));
		finish();
	}
}
END_TEST

/* The server owes a reply that does not come, or ends the connection itself. */
START_TEST(a_refusal_that_cannot_be_said_in_time_is_a_reset)
{
	begin(policy, &rig_cache);
	rig_say(&c, 0, GET_K DEL_K);
	rig_wait(r, 6000);
	ck_assert_uint_eq(r->n_injected, 2);
	ck_assert(injected(0).flags & TCP_RST && injected(1).flags & TCP_RST);
	assert_both_told((uint32_t)strlen(GET_K), 0);
	finish();
	begin(policy, &rig_cache);
	rig_say(&c, 0, GET_K DEL_K);
	ck_assert(was_accepted(rig_flags(&c, 1, TCP_FIN | TCP_ACK, 0)));
	rig_wait(r, 6000);
	ck_assert(injected(0).flags & TCP_RST && injected(1).flags & TCP_RST);
	finish();
}
END_TEST

/* A denied unit that waits is denied, whatever policy comes meanwhile and however often it asks. */
START_TEST(a_refusal_that_waits_outlives_no_reload)
{
	begin(policy, &rig_cache);
	rig_say(&c, 0, GET_K DEL_K);
	rig_use(r, policy, rig_inventory);
	rig_say(&c, 1, "$-1\r\n");
	ck_assert(injected(0).flags & TCP_RST && injected(1).flags & TCP_RST);
	rig_data(&c, 0, 0, GET_K DEL_K, strlen(GET_K DEL_K));
	ck_assert(rig_has_got(r, 0, GET_K));
	finish();
}
END_TEST

/* A server that makes the connection unreadable does not open it for what was denied. */
START_TEST(a_refusal_that_waits_is_no_way_around_it)
{
	char text[2048];
	(void)snprintf(text, sizeof(text), "%sdefaults: {malformed: allow}\n", policy);
	begin(text, &rig_cache);
	rig_say(&c, 0, GET_K DEL_K);
	rig_say(&c, 1, "?what is this\r\n");
	ck_assert(injected(0).flags & TCP_RST && injected(1).flags & TCP_RST);
	rig_data(&c, 0, 0, GET_K DEL_K, strlen(GET_K DEL_K));
	rig_data(&c, 0, (uint32_t)strlen(GET_K), DEL_K, strlen(DEL_K));
	ck_assert(rig_has_got(r, 0, GET_K));
	finish();
}
END_TEST

/* The next engine goes on with it. */
START_TEST(a_refusal_that_waits_survives_the_engine)
{
	begin(policy, &rig_cache);
	rig_say(&c, 0, GET_K DEL_K);
	rig_bury(r);
	rig_say(&c, 1, "$-1\r\n");
	struct rig_view words = injected(1);
	ck_assert(says(&words, NOPERM));
	ck_assert(rig_has_got(r, 0, GET_K));
	finish();
}
END_TEST

START_TEST(an_answered_connection_is_told_at_the_second_request)
{
	begin(policy, &rig_cache);
	rig_say(&c, 0, "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
	rig_say(&c, 1, "$-1\r\n");
	rig_say(&c, 0, "*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n");
	struct rig_view words = injected(1);
	ck_assert_uint_eq(words.seq, c.isn[1] + 1 + 5);
	ck_assert(says(&words, "-NOPERM refused by bridgewarden: no rule allows it\r\n"));
	finish();
}
END_TEST

START_TEST(the_file_may_ask_for_resets_or_silence)
{
	static const char *const how[] = {"reset", "drop"};
	for (size_t i = 0; i < 2; i++) {
		char text[2048];
		(void)snprintf(text, sizeof(text), "%sdefaults: {refuse: %s}\n", policy, how[i]);
		begin(text, &rig_web);
		ck_assert(was_dropped(rig_say(&c, 0, NO_HEAD)));
		ck_assert_uint_eq(r->n_injected, i == 0 ? 2 : 0);
		if (i == 0)
			ck_assert(injected(0).flags & TCP_RST && injected(1).flags & TCP_RST);
		finish();
	}
}
END_TEST

/* What went ahead of a gap waits at the server; a FIN before it would not make it go away. */
START_TEST(what_was_sent_ahead_is_forgotten_by_a_reset)
{
	begin(policy, &rig_web);
	rig_say(&c, 0, OK_HEAD);
	rig_say(&c, 1, REPLY);
	const uint32_t at = (uint32_t)strlen(OK_HEAD);
	ck_assert(was_accepted(rig_data(&c, 0, at + 5, &NO_HEAD[5], strlen(NO_HEAD) - 5)));
	struct rig_segment s = rig_segment_at(&c, 0, TCP_ACK | TCP_PSH, at, NO_HEAD, 5);
	ck_assert(was_dropped(rig_pass(&c, 0, &s)));
	ck_assert(injected(0).flags & TCP_RST && injected(1).flags & TCP_RST);
	finish();
}
END_TEST

/* ---- the wrong protocol ---- */

START_TEST(another_protocol_reaches_nobody)
{
	begin(policy, &rig_cache);
	ck_assert(was_dropped(rig_say(&c, 0, OK_HEAD)));
	ck_assert(rig_has_got(r, 0, ""));
	assert_both_told(0, 0);
	const struct rig_record *v = rig_last_record(r, EVENT_VIOLATION);
	ck_assert_ptr_nonnull(v);
	ck_assert_uint_eq(v->head.reason, REASON_WRONG_PROTOCOL);
	ck_assert_str_eq(v->found, "http");
	finish();
}
END_TEST

START_TEST(what_is_not_identified_is_held_until_the_time_is_up)
{
	begin(policy, &rig_web);
	struct rig_packet *p = rig_say(&c, 0, "GE");
	ck_assert(is_held(p));
	rig_wait(r, 2900);
	ck_assert(is_held(p));
	rig_wait(r, 200);
	ck_assert(was_dropped(p));
	ck_assert(rig_has_got(r, 0, ""));
	ck_assert_uint_eq(rig_counter(r, COUNTER_HOLD_TIMEOUT), 1);
	assert_both_told(0, 0);
	finish();
}
END_TEST

/* The time counts from the first byte, however slowly the others come, and whatever comes with
 * them. */
START_TEST(a_slow_drip_does_not_prolong_the_hold)
{
	static const uint8_t urgent = TCP_ACK | TCP_URG;
	begin(policy, &rig_web);
	for (uint32_t i = 0; i < 10; i++) {
		struct rig_segment s = rig_segment_at(&c, 0, urgent, i, &"CHECKCHECK"[i], 1);
		s.urgent = 1;		   /* a changed packet cannot be held, but counts */
		(void)rig_pass(&c, 0, &s); /* held or dropped */
		rig_wait(r, 500);
	}
	ck_assert(rig_has_got(r, 0, ""));
	ck_assert_uint_eq(rig_counter(r, COUNTER_HOLD_TIMEOUT), 1);
	finish();
}
END_TEST

START_TEST(held_bytes_are_released_in_order_by_the_claim)
{
	begin(policy, &rig_web);
	struct rig_packet *a = rig_say(&c, 0, "G"), *b = rig_say(&c, 0, "ET"),
			  *d = rig_say(&c, 0, " ");
	ck_assert(is_held(a) && is_held(b) && is_held(d));
	struct rig_packet *e = rig_say(&c, 0, "/ok/");
	ck_assert(was_accepted(a) && was_accepted(b) && was_accepted(d) && was_accepted(e));
	ck_assert(rig_has_got(r, 0, "GET /ok/"));
	finish();
}
END_TEST

/* A bare acknowledgement passes, but takes nothing with it. */
START_TEST(acknowledgements_do_not_release_what_is_held)
{
	for (unsigned dir = 0; dir < 2; dir++) {
		begin(policy, &rig_web);
		struct rig_packet *p = rig_say(&c, 0, "GE");
		ck_assert(is_held(p));
		ck_assert(was_accepted(rig_flags(&c, dir, TCP_ACK, 0)));
		ck_assert(was_accepted(rig_flags(&c, 1, TCP_ACK, 0)));
		ck_assert(is_held(p));
		ck_assert(rig_has_got(r, 0, ""));
		rig_wait(r, 3100);
		ck_assert(was_dropped(p));
		finish();
	}
}
END_TEST

START_TEST(a_farewell_does_not_release_what_the_other_side_has_held)
{
	begin(policy, &rig_web);
	struct rig_packet *p = rig_say(&c, 0, "GE");
	ck_assert(was_accepted(rig_flags(&c, 1, TCP_ACK | TCP_FIN, 0)));
	ck_assert(is_held(p));
	ck_assert(rig_has_got(r, 0, ""));
	rig_wait(r, 3100);
	finish();
}
END_TEST

START_TEST(a_refused_handshake_does_not_open_a_way_around_the_hold)
{
	r = rig_new(policy);
	c = rig_connection(r, &rig_web);
	(void)rig_flags(&c, 0, TCP_SYN, -1);
	r->to[0].has_start = true;
	ck_assert(was_accepted(rig_flags(&c, 1, TCP_RST | TCP_ACK, -1)));
	struct rig_packet *p = rig_say(&c, 0, "GE");
	(void)rig_flags(&c, 1, TCP_ACK, 0); /* whoever sends it */
	ck_assert(!was_accepted(p));
	ck_assert_uint_eq(r->to[0].top, 0);
	rig_wait(r, 31000);
	finish();
}
END_TEST

START_TEST(a_silent_connection_ends)
{
	begin(policy, &rig_web);
	rig_wait(r, 29000);
	ck_assert_uint_eq(r->n_injected, 0);
	rig_wait(r, 1500);
	assert_both_told(0, 0);
	finish();
}
END_TEST

/* The heap of deadlines is bounded; what it has no room for is found by the sweep. */
START_TEST(a_hold_ends_even_when_the_heap_of_deadlines_is_full)
{
	r = rig_new(policy);
	for (unsigned i = 0; i < 200; i++) {
		c = rig_connection(r, &rig_web);
		c.isn[0] += i; /* each is a connection of its own */
		(void)rig_flags(&c, 0, TCP_SYN, -1);
	}
	rig_open(&c);
	struct rig_packet *p = rig_say(&c, 0, "GE");
	ck_assert(is_held(p));
	rig_wait(r, 3100);
	ck_assert(was_dropped(p));
	finish();
}
END_TEST

/* The claim of one side says nothing of the other: an imposter's answer reaches nobody in part. */
START_TEST(the_first_unit_of_the_other_side_is_held_until_it_is_whole)
{
	begin(policy, &rig_web);
	ck_assert(was_accepted(rig_say(&c, 0, "GET /ok/")));
	struct rig_packet *p = rig_say(&c, 1, "SSH-2.0-");
	ck_assert(!was_accepted(p));
	(void)rig_say(&c, 1, "OpenSSH\r\n\r\n");
	ck_assert(rig_has_got(r, 1, ""));
	finish();
}
END_TEST

/* ---- what a dissector replaces ---- */

static const char mysql_policy[] =
	"version: 1\n"
	"rules:\n"
	"- {name: db, from: shop/client, to: shop/raw, app: mysql, allow: [{verbs: [read]}]}\n";

static size_t greeting(uint8_t *out)
{
	static const char text[] =
		"S\0\0\0\n10.11.0-MariaDB\0\1\0\0\0abcdefgh\0\xff\xf7-\2\0\xbf\x87\x15"
		"\0\0\0\0\0\0\0\0\0\0ijklmnopqrst\0mysql_native_password";
	memcpy(out, text, sizeof(text));
	return sizeof(text);
}

/* MySQL's offers of compression and of names without schemas, wherever the greeting is cut. */
START_TEST(replaced_bytes_leave_as_they_were_judged)
{
	uint8_t text[128], expected[128];
	size_t n = greeting(text);
	memcpy(expected, text, n);
	expected[34] = 0x4f;
	expected[40] = 0x81;
	for (size_t cut = 1; cut <= n; cut += 2) {
		begin(mysql_policy, &rig_raw);
		(void)rig_data(&c, 1, 0, text, cut);
		if (cut < n)
			(void)rig_data(&c, 1, (uint32_t)cut, text + cut, n - cut);
		(void)rig_data(&c, 1, 0, text, n); /* what was dropped comes again */
		struct bytes got = rig_got(r, 1);
		ck_assert_msg(bytes_equal(got, bytes_of(expected, n)), "cut %zu", cut);
		finish();
	}
}
END_TEST

/* ---- resends and overlaps (T01 to T19) ---- */

START_TEST(a_resend_that_differs_leaves_with_the_first_bytes)
{
	begin(policy, &rig_web);
	ck_assert(was_accepted(rig_say(&c, 0, "GET /ok/a")));
	struct rig_packet *p = rig_data(&c, 0, 0, "GET /no/a", 9);
	ck_assert(was_accepted(p) && p->was_rewritten);
	ck_assert(rig_has_got(r, 0, "GET /ok/a"));
	ck_assert_uint_eq(rig_counter(r, COUNTER_OVERLAP_DIFFERS), 1);
	finish();
}
END_TEST

START_TEST(out_of_order_overlaps_are_put_right)
{
	begin(policy, &rig_web);
	ck_assert(was_accepted(rig_say(&c, 0, "GET /")));
	(void)rig_data(&c, 0, 8, "aaaa", 4);
	(void)rig_data(&c, 0, 5, "no/bbbbbb", 9); /* its first three are new, then the first copy */
	(void)rig_data(&c, 0, 5, "k/", 2);
	ck_assert(rig_has_got(r, 0, "GET /no/aaaabb"));
	finish();
}
END_TEST

START_TEST(sequence_numbers_wrap)
{
	begin(policy, &rig_web);
	c.isn[0] = 0xfffffff8;
	c.end[0].port++;
	rig_open(&c);
	ck_assert(was_accepted(rig_say(&c, 0, "GET /ok/a HTT")));
	ck_assert(was_accepted(rig_say(&c, 0, "P/1.1\r\nHost: web\r\n\r\n")));
	ck_assert(was_dropped(rig_say(&c, 0, NO_HEAD)));
	ck_assert(rig_has_got(r, 0, OK_HEAD));
	finish();
}
END_TEST

/* T01, T18, T19: below what was acknowledged nothing matters, above it everything. */
START_TEST(a_keepalive_with_more_than_one_byte_is_judged)
{
	begin(policy, &rig_web);
	(void)rig_say(&c, 0, OK_HEAD);
	rig_settle_losses(&r->to[0]);
	(void)rig_ack(&c, 1);
	uint32_t at = (uint32_t)strlen(OK_HEAD);
	ck_assert(was_accepted(rig_data(&c, 0, at - 1, "X", 1)));
	ck_assert(was_dropped(rig_data(&c, 0, at - 1, "X" NO_HEAD, 1 + strlen(NO_HEAD))));
	ck_assert(rig_has_got(r, 0, OK_HEAD));
	finish();
}
END_TEST

START_TEST(a_zero_window_probe_passes)
{
	begin(policy, &rig_web);
	c.window = 0;
	(void)rig_flags(&c, 1, TCP_ACK, 0);
	ck_assert(was_accepted(rig_say(&c, 0, "GET /ok/")));
	finish();
}
END_TEST

START_TEST(data_beyond_the_window_is_dropped)
{
	begin(policy, &rig_web);
	ck_assert(was_accepted(rig_say(&c, 0, "GET /ok/")));
	ck_assert(was_dropped(rig_data(&c, 0, 10000000, "x", 1)));
	ck_assert_uint_eq(rig_counter(r, COUNTER_OUT_OF_WINDOW), 1);
	finish();
}
END_TEST

/* ---- farewells (T28 to T32) ---- */

START_TEST(data_with_a_fin_is_judged)
{
	begin(policy, &rig_web);
	struct rig_segment s =
		rig_segment_at(&c, 0, TCP_ACK | TCP_FIN, 0, NO_HEAD, strlen(NO_HEAD));
	ck_assert(was_dropped(rig_pass(&c, 0, &s)));
	ck_assert(rig_has_got(r, 0, ""));
	finish();
}
END_TEST

START_TEST(nothing_passes_behind_a_fin)
{
	begin(policy, &rig_web);
	(void)rig_say(&c, 0, "GET /ok/");
	ck_assert(was_accepted(rig_flags(&c, 0, TCP_ACK | TCP_FIN, 8)));
	(void)rig_data(&c, 0, 8, "xx", 2);
	(void)rig_data(&c, 0, 4, "/ok/xx", 6);
	ck_assert(rig_has_got(r, 0, "GET /ok/"));
	ck_assert(r->to[0].has_fin && r->to[0].fin == 8);
	finish();
}
END_TEST

START_TEST(an_early_fin_cuts_the_filler)
{
	begin(policy, &rig_web);
	(void)rig_say(&c, 0, "GET /");
	(void)rig_flags(&c, 0, TCP_ACK | TCP_FIN, 8);
	struct rig_packet *p = rig_data(&c, 0, 5, "ok/more", 7);
	ck_assert(was_accepted(p) && p->was_rewritten);
	ck_assert(rig_has_got(r, 0, "GET /ok/"));
	finish();
}
END_TEST

START_TEST(a_fin_in_front_of_early_data_is_no_fin)
{
	begin(policy, &rig_web);
	(void)rig_say(&c, 0, "GET /");
	(void)rig_data(&c, 0, 6, "k/", 2);
	(void)rig_flags(&c, 0, TCP_ACK | TCP_FIN, 5);
	ck_assert(!r->to[0].has_fin);
	(void)rig_data(&c, 0, 5, "o", 1);
	ck_assert(rig_has_got(r, 0, "GET /ok/"));
	finish();
}
END_TEST

START_TEST(both_farewells_close_the_flow)
{
	begin(policy, &rig_web);
	(void)rig_say(&c, 0, "GET /ok/");
	(void)rig_flags(&c, 0, TCP_ACK | TCP_FIN, 8);
	r->to[0].acked = 0;
	c.heard[1] = 9;
	(void)rig_flags(&c, 1, TCP_ACK | TCP_FIN, 0);
	c.heard[0] = 1;
	(void)rig_flags(&c, 0, TCP_ACK, 9);
	rig_wait(r, 11000);
	ck_assert_uint_eq(r->w->shard.n_flows, 0);
	const struct rig_record *flow = rig_last_record(r, EVENT_FLOW);
	ck_assert(flow && flow->head.end == FLOW_END_FIN);
	finish();
}
END_TEST

/* ---- what a packet may carry ---- */

START_TEST(urgent_data_becomes_plain)
{
	begin(policy, &rig_web);
	struct rig_segment s = rig_segment_at(&c, 0, TCP_ACK | TCP_URG, 0, "GET /ok/", 8);
	s.urgent = 3;
	(void)rig_pass(&c, 0, &s); /* changed while held back or passed */
	(void)rig_pass(&c, 0, &s);
	(void)rig_say(&c, 0, "GET /ok/");
	ck_assert(rig_has_got(r, 0, "GET /ok/"));
	/* early as well (T35) */
	s = rig_segment_at(&c, 0, TCP_ACK | TCP_URG, 12, "x", 1);
	s.urgent = 1;
	ck_assert(was_accepted(rig_pass(&c, 0, &s)));
	finish();
}
END_TEST

START_TEST(a_syn_carries_no_payload)
{
	r = rig_new(policy);
	c = rig_connection(r, &rig_web);
	struct rig_segment s = rig_segment_at(&c, 0, TCP_SYN, UINT32_MAX, NO_HEAD, strlen(NO_HEAD));
	struct rig_packet *p = rig_pass(&c, 0, &s);
	ck_assert(was_accepted(p) && p->was_rewritten);
	ck_assert_uint_eq(r->to[0].top, 0);
	/* and again, as a resend */
	p = rig_pass(&c, 0, &s);
	ck_assert(was_accepted(p) && p->was_rewritten);
	finish();
}
END_TEST

static uint8_t option_kind_left(const struct rig_packet *p, uint8_t kind)
{
	struct rig_view v = rig_read(bytes_of(p->bytes, p->n));
	for (size_t i = 0; i < v.options.n;) {
		if (v.options.p[i] == kind)
			return kind;
		i += v.options.p[i] <= 1 ? 1 : v.options.p[i + 1];
	}
	return 0;
}

START_TEST(a_syn_keeps_only_plain_options)
{
	static const uint8_t options[] = {2, 4, 5, 0xb4, 30, 4, 0, 1, 34, 2, 4, 2, 3, 3, 7, 1};
	r = rig_new(policy);
	c = rig_connection(r, &rig_web);
	struct rig_segment s = rig_segment_at(&c, 0, TCP_SYN, UINT32_MAX, NULL, 0);
	s.options = options;
	s.n_options = sizeof(options);
	struct rig_packet *p = rig_pass(&c, 0, &s);
	ck_assert(was_accepted(p));
	ck_assert(option_kind_left(p, 2) && option_kind_left(p, 4) && option_kind_left(p, 3));
	ck_assert(!option_kind_left(p, 30) && !option_kind_left(p, 34));
	finish();
}
END_TEST

START_TEST(a_wrong_checksum_is_dropped)
{
	begin(policy, &rig_web);
	struct rig_segment s = rig_segment_at(&c, 0, TCP_ACK, 0, OK_HEAD, strlen(OK_HEAD));
	s.bad_checksum = true;
	ck_assert(was_dropped(rig_pass(&c, 0, &s)));
	ck_assert_uint_eq(rig_counter(r, COUNTER_INVALID), 1);
	ck_assert(was_accepted(rig_say(&c, 0, OK_HEAD)));
	finish();
}
END_TEST

/* ---- resets and new connections (R5, R9) ---- */

START_TEST(a_reset_must_be_exact)
{
	begin(policy, &rig_web);
	(void)rig_say(&c, 0, "GET /ok/");
	ck_assert(was_dropped(rig_flags(&c, 0, TCP_RST, 20)));
	ck_assert(was_dropped(rig_flags(&c, 0, TCP_RST, -40)));
	ck_assert(was_dropped(rig_flags(&c, 1, TCP_RST, 7)));
	ck_assert_uint_eq(r->to[0].n_resets + r->to[1].n_resets, 0);
	ck_assert(was_accepted(rig_flags(&c, 0, TCP_RST, 8)));
	/* the engine goes on enforcing */
	ck_assert(was_accepted(rig_say(&c, 0, "a HTTP/1.1\r\n")));
	(void)rig_say(&c, 0, "Bad\r\n\r\n");
	ck_assert(rig_has_got(r, 0, "GET /ok/a HTTP/1.1\r\n"));
	finish();
}
END_TEST

START_TEST(a_reset_at_the_end_of_early_data_is_dropped)
{
	begin(policy, &rig_web);
	(void)rig_say(&c, 0, "GET /ok/");
	(void)rig_data(&c, 0, 20, "xxxx", 4);
	ck_assert(was_dropped(rig_flags(&c, 0, TCP_RST, 24)));
	finish();
}
END_TEST

/* T57, T62: the receiver's answer decides which connection lives. */
START_TEST(no_data_passes_after_a_new_syn_before_its_answer)
{
	begin(policy, &rig_web);
	(void)rig_say(&c, 0, "GET /ok/");
	struct rig_connection again = c;
	again.isn[0] += 5000;
	struct rig_segment s = rig_segment_at(&again, 0, TCP_SYN, UINT32_MAX, NULL, 0);
	ck_assert(was_accepted(rig_pass(&again, 0, &s)));
	again.sent[0] = 0;
	uint32_t before = r->to[0].n_segments;
	ck_assert(!was_accepted(rig_say(&again, 0, "GET /no/")));
	ck_assert_uint_eq(r->to[0].n_segments, before);
	/* the receiver acknowledges the old one: a challenge, not an opening */
	struct rig_segment wrong = rig_segment_at(&c, 1, TCP_SYN | TCP_ACK, UINT32_MAX, NULL, 0);
	wrong.seq += 777;
	ck_assert(was_dropped(rig_pass(&c, 1, &wrong)));
	finish();
}
END_TEST

/* R5: a forged or stray SYN ends nothing. */
START_TEST(a_connection_outlives_a_syn_that_nobody_answers)
{
	begin(policy, &rig_web);
	(void)rig_say(&c, 0, OK_HEAD);
	struct rig_connection stray = c;
	stray.isn[0] += 100000;
	struct rig_segment s = rig_segment_at(&stray, 0, TCP_SYN, UINT32_MAX, NULL, 0);
	ck_assert(was_accepted(rig_pass(&stray, 0, &s)));
	ck_assert(was_accepted(rig_say(&c, 1, REPLY)));
	ck_assert(was_accepted(rig_say(&c, 0, OK_HEAD_2)));
	ck_assert(was_dropped(rig_say(&c, 0, NO_HEAD)));
	ck_assert(rig_has_got(r, 0, OK_HEAD OK_HEAD_2));
	ck_assert_uint_eq(rig_counter(r, COUNTER_FLOWS_NEW), 1);
	finish();
}
END_TEST

/* T61, T62: the receiver's answer begins another connection, judged from its first byte. */
START_TEST(an_answered_syn_begins_a_connection_of_its_own)
{
	for (int was_passed = 0; was_passed < 2; was_passed++) {
		begin(policy, &rig_web);
		if (was_passed)
			rig_use(r,
				"version: 1\nrules:\n- {name: all, from: shop/client, to: "
				"shop/web, app: http, allow: true}\n",
				NULL);
		ck_assert(was_accepted(rig_say(&c, 0, OK_HEAD)));
		struct rig_connection again = rig_connection(r, &rig_web);
		again.isn[0] = c.isn[0] + 100000;
		again.isn[1] = c.isn[1] + 100000;
		rig_open(&again);
		ck_assert_uint_eq(rig_counter(r, COUNTER_FLOWS_NEW), 2);
		ck_assert_uint_eq(r->w->shard.n_flows, 1);
		ck_assert(was_dropped(rig_say(&again, 0, was_passed ? "PING\r\n" : NO_HEAD)));
		ck_assert(rig_has_got(r, 0, ""));
		finish();
	}
}
END_TEST

/* ---- offload ---- */

static uint32_t mark_of(enum mark_state state)
{
	return mark_value(0xffff0000, r->generation, state);
}

START_TEST(a_final_allow_is_offloaded_with_the_syn)
{
	r = rig_new(policy);
	c = rig_connection(r, &rig_raw);
	struct rig_packet *p = rig_flags(&c, 0, TCP_SYN, -1);
	ck_assert(was_accepted(p) && p->has_mark);
	ck_assert_uint_eq(p->mark, mark_of(MARK_OFFLOADED));
	r->has_receivers = false;
	ck_assert(was_accepted(rig_say(&c, 1, "anything")));
	ck_assert(was_accepted(rig_say(&c, 0, "anything")));
	finish();
}
END_TEST

START_TEST(replies_are_offloaded_after_the_first)
{
	begin(policy, &rig_web);
	struct rig_packet *p = rig_say(&c, 0, OK_HEAD);
	ck_assert(!p->has_mark);
	p = rig_say(&c, 1, REPLY);
	ck_assert(p->has_mark);
	ck_assert_uint_eq(p->mark, mark_of(MARK_REQUESTS));
	p = rig_say(&c, 0, OK_HEAD_2);
	ck_assert(!p->has_mark);
	finish();
}
END_TEST

/* Who answers is not proven by who asks. */
START_TEST(an_impostor_in_the_place_of_the_server_reaches_nobody)
{
	begin(policy, &rig_web);
	ck_assert(was_accepted(rig_say(&c, 0, OK_HEAD)));
	ck_assert(is_held(rig_say(&c, 1, "H")));
	ck_assert(was_dropped(rig_say(&c, 1, "ello\r\n")));
	ck_assert(rig_has_got(r, 1, ""));
	finish();
}
END_TEST

/* More judged bytes without an acknowledgement than may be kept: the replies must come up for a
 * while. */
START_TEST(unseen_acknowledgements_are_asked_for)
{
	char head[4096 + 1];
	begin(policy, &rig_web);
	(void)snprintf(head, sizeof(head), "GET /ok/%04064d HTTP/1.1\r\nHost: web\r\n\r\n", 0);
	rig_say(&c, 0, OK_HEAD);
	rig_say(&c, 1, REPLY);
	bool asked = false;
	for (uint32_t i = 0; i < 12; i++) {
		struct rig_packet *p = rig_data(&c, 0, c.sent[0], head, strlen(head));
		c.sent[0] += (uint32_t)strlen(head);
		ck_assert(was_accepted(p));
		asked |= p->has_mark && p->mark == mark_of(MARK_BOTH);
	}
	ck_assert(asked);
	c.heard[1] = c.sent[0];
	(void)rig_flags(&c, 1, TCP_ACK, 0);
	(void)rig_say(&c, 0, OK_HEAD);
	struct rig_packet *p = rig_say(&c, 0, OK_HEAD);
	ck_assert(was_accepted(p) && (!p->has_mark || p->mark == mark_of(MARK_REQUESTS)));
	finish();
}
END_TEST

START_TEST(a_new_epoch_sets_the_mark_again)
{
	r = rig_new(policy);
	c = rig_connection(r, &rig_raw);
	r->has_receivers = false;
	(void)rig_flags(&c, 0, TCP_SYN, -1);
	rig_use(r, policy, NULL);
	struct rig_packet *p = rig_say(&c, 0, "x");
	ck_assert(was_accepted(p) && p->has_mark);
	ck_assert_uint_eq(p->mark, mark_of(MARK_OFFLOADED));
	finish();
}
END_TEST

START_TEST(a_new_policy_denies_an_offloaded_flow_at_its_next_packet)
{
	r = rig_new(policy);
	c = rig_connection(r, &rig_raw);
	r->has_receivers = false;
	(void)rig_flags(&c, 0, TCP_SYN, -1);
	(void)rig_say(&c, 0, "x");
	rig_use(r, "version: 1\n", NULL);
	ck_assert(was_dropped(rig_say(&c, 0, "y")));
	ck_assert_uint_gt(r->n_injected, 0);
	ck_assert(was_dropped(rig_say(&c, 1, "z")));
	finish();
}
END_TEST

/* ---- identity ---- */

static const char without_client[] = "endpoints:\n"
				     "- {ip: 198.18.0.3, container: web, project: shop, service: "
				     "web, networks: [shop], mac: '02:00:00:00:00:03'}\n"
				     "networks:\n"
				     "- {name: shop, bridge: br-shop, subnets: [198.18.0.0/24], "
				     "gateways: [198.18.0.1], project: shop}\n";

START_TEST(an_unknown_source_is_held_until_it_is_known)
{
	r = rig_new(policy);
	rig_use(r, policy, without_client);
	c = rig_connection(r, &rig_web);
	struct rig_packet *p = rig_flags(&c, 0, TCP_SYN, -1);
	ck_assert(is_held(p));
	rig_wait(r, 100);
	rig_use(r, policy, NULL);
	ck_assert(was_accepted(p));
	rig_open(&c);
	ck_assert(was_accepted(rig_say(&c, 0, OK_HEAD)));
	ck_assert(was_dropped(rig_say(&c, 0, NO_HEAD)));
	finish();
}
END_TEST

START_TEST(an_unknown_source_is_denied_when_the_time_is_up)
{
	r = rig_new(policy);
	rig_use(r, policy, without_client);
	c = rig_connection(r, &rig_web);
	struct rig_packet *p = rig_flags(&c, 0, TCP_SYN, -1);
	rig_wait(r, 300);
	ck_assert(was_dropped(p));
	const struct rig_record *v = rig_last_record(r, EVENT_VIOLATION);
	ck_assert(v && v->head.reason == REASON_UNKNOWN_IDENTITY);
	finish();
}
END_TEST

/* While nobody knows who it is, nothing but its SYN is even remembered. */
START_TEST(an_unknown_source_cannot_smuggle_data_into_the_hold)
{
	r = rig_new(policy);
	rig_use(r, policy, without_client);
	c = rig_connection(r, &rig_web);
	(void)rig_flags(&c, 0, TCP_SYN, -1);
	c.end[1].has_mac = false;
	(void)rig_flags(&c, 1, TCP_SYN | TCP_ACK, -1);
	struct rig_packet *p = rig_say(&c, 0, NO_HEAD);
	rig_use(r, policy, NULL);
	ck_assert(!was_accepted(p));
	ck_assert_uint_eq(r->to[0].top, 0);
	finish();
}
END_TEST

START_TEST(a_spoofed_link_address_is_dropped)
{
	begin(policy, &rig_web);
	struct rig_connection liar = c;
	liar.end[0].mac[5] = 9;
	ck_assert(was_dropped(rig_say(&liar, 0, OK_HEAD)));
	liar.end[0].port++;
	ck_assert(was_dropped(rig_flags(&liar, 0, TCP_SYN, -1)));
	ck_assert_uint_eq(rig_counter(r, COUNTER_SPOOFED), 2);
	ck_assert_uint_eq(r->n_injected, 0);
	ck_assert(was_accepted(rig_say(&c, 0, OK_HEAD)));
	finish();
}
END_TEST

/* An acknowledgement that the client forges would free the first copy before the receiver has it.
 */
START_TEST(a_spoofed_packet_moves_no_state)
{
	begin(policy, &rig_web);
	(void)rig_say(&c, 0, "GET /ok/a");
	struct rig_connection liar = c;
	memcpy(liar.end[1].mac, rig_client.mac, 6);
	liar.heard[1] = 9;
	ck_assert(was_dropped(rig_flags(&liar, 1, TCP_ACK, 0)));
	ck_assert(was_dropped(rig_flags(&liar, 1, TCP_RST | TCP_ACK, 0)));
	(void)rig_data(&c, 0, 0, "GET /no/a HTTP/1.1\r\n", 20);
	rig_settle_losses(&r->to[0]);
	struct bytes got = rig_got(r, 0);
	ck_assert_msg(got.n >= 9 && memcmp(got.p, "GET /ok/a", 9) == 0, "%.*s", (int)got.n, got.p);
	ck_assert_uint_eq(r->w->shard.flows[0].tcp, FLOW_TCP_OPEN);
	/* nor does a forged SYN end the connection */
	liar = c;
	liar.end[0].mac[5] = 9;
	liar.isn[0] += 12345;
	ck_assert(was_dropped(rig_flags(&liar, 0, TCP_SYN, -1)));
	ck_assert(was_accepted(rig_say(&c, 0, " HTTP/1.1\r\nHost: web\r\n\r\n")));
	finish();
}
END_TEST

/* The other side has no known link address (it is beyond the gateway): still it cannot be the
 * client's own. */
START_TEST(a_client_cannot_speak_for_a_server_without_a_link_address)
{
	begin("version: 1\n"
	      "rules:\n"
	      "- {name: out, from: shop/client, to: internet, app: http, allow: [{paths: "
	      "['/ok/**']}]}\n",
	      &(struct rig_end){
		      .ip = "8.8.8.8", .port = 80, .mac = {2, 0, 0, 0, 0, 1}, .has_mac = true});
	(void)rig_say(&c, 0, "GET /ok/a");
	struct rig_connection liar = c;
	memcpy(liar.end[1].mac, rig_client.mac, 6);
	liar.heard[1] = 9;
	ck_assert(was_dropped(rig_flags(&liar, 1, TCP_ACK, 0)));
	(void)rig_data(&c, 0, 0, "GET /no/a", 9);
	ck_assert(rig_has_got(r, 0, "GET /ok/a"));
	finish();
}
END_TEST

/* ---- datagrams and the rest ---- */

static size_t question(uint8_t *out, const char *name)
{
	static const uint8_t head[] = {0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0};
	memcpy(out, head, sizeof(head));
	size_t n = sizeof(head);
	while (*name) {
		size_t label = strcspn(name, ".");
		out[n++] = (uint8_t)label;
		memcpy(out + n, name, label);
		n += label;
		name += label + (name[label] == '.');
	}
	static const uint8_t tail[] = {0, 0, 1, 0, 1};
	memcpy(out + n, tail, sizeof(tail));
	return n + sizeof(tail);
}

static struct rig_packet *ask(const char *name)
{
	uint8_t text[300], packet[400];
	size_t n = question(text, name);
	n = rig_udp(packet, &rig_client, &rig_names, bytes_of(text, n));
	return rig_send_raw(r, bytes_of(packet, n), NULL);
}

START_TEST(dns_questions_are_judged_one_by_one)
{
	r = rig_new(policy);
	ck_assert(was_accepted(ask("a.example.com")));
	ck_assert(was_dropped(ask("a.example.org")));
	ck_assert_uint_eq(r->n_injected, 1);
	struct rig_view refused = injected(0);
	ck_assert_uint_eq(refused.dst_port, rig_client.port);
	ck_assert_uint_eq(refused.data.p[2] & 0x80, 0x80);
	ck_assert_uint_eq(refused.data.p[3] & 15, 5);
	/* the socket lives on: what it asks next is judged by itself */
	ck_assert(was_accepted(ask("b.example.com")));
	ck_assert(was_dropped(ask("b.example.org")));
	finish();
}
END_TEST

static struct rig_packet *ask_at(const char *name, const char *ip, uint16_t port)
{
	uint8_t text[300], packet[400];
	const struct rig_end to = {.ip = ip, .port = port};
	size_t n = question(text, name);
	text[2] = 0; /* no recursion */
	n = rig_udp(packet, &rig_client, &to, bytes_of(text, n));
	return rig_send_raw(r, bytes_of(packet, n), NULL);
}

static void use_app(const char *app)
{
	static char text[200];
	(void)snprintf(
		text, sizeof(text),
		"version: 1\nrules:\n- {name: r, from: any, to: any, app: %s, allow: true}\n",
		app); /* it is large enough */
	rig_use(r, text, NULL);
}

/* The bytes are the same each time; where they go says what they are. */
START_TEST(what_goes_to_a_multicast_group_is_its_service)
{
	r = rig_new("version: 1\n");
	use_app("dns");
	ck_assert(was_accepted(ask_at("a.local", "198.18.0.6", 5353)));
	ck_assert(was_accepted(ask_at("a.local", "224.0.0.250", 5353)));
	ck_assert(was_accepted(ask_at("a.local", "224.0.0.251", 53)));
	ck_assert(was_dropped(ask_at("a.local", "224.0.0.251", 5353)));
	ck_assert(was_dropped(ask_at("a.local", "224.0.0.252", 5355)));
	use_app("mdns");
	ck_assert(was_dropped(ask_at("a.local", "198.18.0.6", 5352)));
	ck_assert(was_accepted(ask_at("b.local", "224.0.0.251", 5353)));
	ck_assert(was_dropped(ask_at("a.local", "224.0.0.252", 5355)));
	use_app("llmnr");
	ck_assert(was_accepted(ask_at("b.local", "224.0.0.252", 5355)));
	ck_assert(was_dropped(ask_at("b.local", "224.0.0.251", 5353)));
	finish();
}
END_TEST

/* UDP_SEGMENT: one packet here, several datagrams at the receiver. */
START_TEST(a_bundle_of_datagrams_is_judged_by_nobody_and_denied)
{
	uint8_t text[300], packet[400];
	r = rig_new(policy);
	size_t n = question(text, "a.example.com");
	n = rig_udp(packet, &rig_client, &rig_names, bytes_of(text, n));
	ck_assert(was_dropped(
		rig_send_raw(r, bytes_of(packet, n), &(struct rig_frame){.is_bundle = true})));
	n = rig_udp(packet, &rig_client, &rig_web, bytes_of(text, 40));
	/* a rule that reads nothing has nothing to miss */
	rig_use(r,
		"version: 1\nrules:\n- {name: all, from: shop/client, to: shop/web, app: udp, "
		"allow: true}\n",
		NULL);
	ck_assert(was_accepted(
		rig_send_raw(r, bytes_of(packet, n), &(struct rig_frame){.is_bundle = true})));
	finish();
}
END_TEST

START_TEST(a_denied_datagram_flow_is_judged_again_by_a_new_policy)
{
	r = rig_new("version: 1\n");
	ck_assert(was_dropped(ask("a.example.com")));
	rig_use(r, policy, NULL);
	ck_assert(was_accepted(ask("a.example.com")));
	rig_use(r, "version: 1\n", NULL);
	ck_assert(was_dropped(ask("a.example.com")));
	ck_assert(was_dropped(ask("a.example.com")));
	rig_use(r, policy, NULL);
	ck_assert(was_accepted(ask("a.example.com")));
	finish();
}
END_TEST

static struct rig_packet *ping(const struct rig_end *from, const struct rig_end *to, uint8_t type)
{
	uint8_t packet[64];
	size_t n = rig_echo(packet, from, to, type, 77);
	return rig_send_raw(r, bytes_of(packet, n), NULL);
}

START_TEST(echo_is_one_flow_with_its_answer)
{
	r = rig_new(policy);
	ck_assert(was_accepted(ping(&rig_client, &rig_web, 8)));
	ck_assert(was_accepted(ping(&rig_web, &rig_client, 0)));
	ck_assert_uint_eq(r->w->shard.n_flows, 1);
	ck_assert(was_dropped(ping(&rig_client, &rig_raw, 8)));
	ck_assert_uint_eq(r->n_injected, 1);
	finish();
}
END_TEST

START_TEST(other_protocols_need_a_rule_for_all)
{
	uint8_t packet[64];
	r = rig_new(policy);
	size_t at = rig_ip(packet, rig_client.ip, rig_web.ip, 47, 8);
	memset(packet + at, 0, 8);
	ck_assert(was_dropped(rig_send_raw(r, bytes_of(packet, at + 8), NULL)));
	finish();
}
END_TEST

/* ---- no beginning (R12) ---- */

START_TEST(midstream_of_a_request_rule_is_refused)
{
	r = rig_new(policy);
	c = rig_connection(r, &rig_web);
	r->has_receivers = false;
	ck_assert(was_dropped(rig_say(&c, 0, OK_HEAD)));
	ck_assert_uint_eq(r->n_injected, 2);
	ck_assert(was_dropped(rig_say(&c, 1, REPLY)));
	ck_assert_uint_eq(r->w->shard.n_flows, 0);
	finish();
}
END_TEST

START_TEST(midstream_of_a_final_allow_goes_on_from_either_side)
{
	for (unsigned dir = 0; dir < 2; dir++) {
		r = rig_new(policy);
		c = rig_connection(r, &rig_raw);
		r->has_receivers = false;
		ck_assert(was_accepted(rig_say(&c, dir, "x")));
		ck_assert(was_accepted(rig_say(&c, !dir, "y")));
		finish();
	}
}
END_TEST

START_TEST(midstream_can_be_denied_or_allowed_by_configuration)
{
	char text[2048];
	(void)snprintf(text, sizeof(text), "%sdefaults: {midstream: deny}\n", policy);
	r = rig_new(text);
	c = rig_connection(r, &rig_raw);
	r->has_receivers = false;
	ck_assert(was_dropped(rig_say(&c, 0, "x")));
	finish();
	(void)snprintf(text, sizeof(text), "%sdefaults: {midstream: allow}\n", policy);
	r = rig_new(text);
	c = rig_connection(r, &rig_web);
	r->has_receivers = false;
	ck_assert(was_accepted(rig_say(&c, 0, "x")));
	finish();
}
END_TEST

START_TEST(a_spoofed_midstream_packet_is_dropped_and_not_answered)
{
	r = rig_new(policy);
	c = rig_connection(r, &rig_raw);
	r->has_receivers = false;
	c.end[0].mac[5] = 9;
	ck_assert(was_dropped(rig_say(&c, 0, "x")));
	c.end[1] = rig_web;
	ck_assert(was_dropped(rig_say(&c, 0, "x")));
	ck_assert_uint_eq(r->n_injected, 0);
	finish();
}
END_TEST

/* ---- limits ---- */

static struct rig_packet *syn_from(uint16_t port)
{
	c = rig_connection(r, &rig_web);
	c.end[0].port = port;
	return rig_flags(&c, 0, TCP_SYN, -1);
}

START_TEST(a_full_table_refuses_new_flows)
{
	r = rig_new(policy);
	r->has_receivers = false;
	for (unsigned i = 0; i < 64; i++) {
		ck_assert(was_accepted(syn_from((uint16_t)(20000 + i))));
		rig_open(&c);
	}
	for (unsigned i = 0; i < 6; i++)
		ck_assert(was_dropped(syn_from((uint16_t)(30000 + i))));
	ck_assert_uint_eq(rig_counter(r, COUNTER_FLOWS_FULL), 6);
	finish();
}
END_TEST

/* T67: who never answers, what is over, refused or left to the kernel makes room; what is judged
 * does not. */
START_TEST(a_full_table_makes_room_for_the_living)
{
	r = rig_new(policy);
	r->has_receivers = false;
	ck_assert(was_accepted(syn_from(20000)));
	rig_open(&c);
	struct rig_connection living = c;
	for (unsigned i = 1; i < 64; i++)
		(void)syn_from((uint16_t)(20000 + i));
	ck_assert_uint_eq(r->w->shard.n_flows, 64);
	for (unsigned i = 0; i < 1000; i++)
		ck_assert(was_accepted(syn_from((uint16_t)(30000 + i))));
	ck_assert_uint_eq(rig_counter(r, COUNTER_FLOWS_FULL), 0);
	ck_assert(was_accepted(rig_say(&living, 0, OK_HEAD)));
	finish();
}
END_TEST

START_TEST(a_full_hold_drops_and_nothing_leaks)
{
	r = rig_new_sized(policy, 64, 512 << 10, 2);
	c = rig_connection(r, &rig_web);
	rig_open(&c);
	struct rig_packet *a = rig_say(&c, 0, "G"), *b = rig_say(&c, 0, "E"),
			  *d = rig_say(&c, 0, "T");
	ck_assert(is_held(a) && is_held(b) && was_dropped(d));
	ck_assert_uint_eq(rig_counter(r, COUNTER_HELD_FULL), 1);
	ck_assert(was_accepted(rig_data(&c, 0, 2, "T /ok/", 6)));
	ck_assert(rig_has_got(r, 0, "GET /ok/"));
	finish();
}
END_TEST

/* One connection with a thousand holes must not take the memory of all others. */
START_TEST(one_flow_cannot_take_the_whole_pool)
{
	r = rig_new_sized(policy, 64, 8 << 20, 64);
	c = rig_connection(r, &rig_web);
	rig_open(&c);
	(void)rig_say(&c, 0, "GET /ok/");
	for (uint32_t i = 0; i < 20000; i++)
		(void)rig_data(&c, 0, 10 + 2 * i, "x", 1);
	ck_assert_uint_lt(r->w->shard.chunks.n_used, 2048);
	ck_assert_uint_gt(rig_counter(r, COUNTER_HELD_FULL), 0);
	/* and can still go on itself: the filler of the first hole is taken */
	ck_assert(was_accepted(rig_say(&c, 0, "ab")));
	finish();
}
END_TEST

/* ---- modes ---- */

START_TEST(shadow_and_observe_let_pass_and_shadow_says_so)
{
	static const char *const modes[] = {"observe", "shadow"};
	for (unsigned i = 0; i < 2; i++) {
		char text[2048];
		(void)snprintf(text, sizeof(text), "%smode: %s\n", policy, modes[i]);
		begin(text, &rig_web);
		ck_assert(was_accepted(rig_say(&c, 0, "GE")));
		ck_assert(was_accepted(rig_say(&c, 0, "T /no/x HTTP/1.1\r\nHost: web\r\n\r\n")));
		ck_assert(was_accepted(rig_say(&c, 0, OK_HEAD)));
		ck_assert(rig_has_got(r, 0, NO_HEAD OK_HEAD));
		ck_assert_uint_eq(r->n_injected, 0);
		const struct rig_record *v = rig_last_record(r, EVENT_VIOLATION);
		ck_assert_int_eq(v != NULL, i == 1);
		ck_assert(!v || v->head.mode == MODE_SHADOW);
		c = rig_connection(r, &rig_cache);
		c.isn[0] += 100000;
		rig_open(&c);
		ck_assert(was_accepted(rig_say(&c, 0, OK_HEAD)));
		finish();
	}
}
END_TEST

START_TEST(who_only_observes_never_drops)
{
	char text[2048];
	(void)snprintf(text, sizeof(text), "%smode: observe\n", policy);
	r = rig_new(text);
	rig_use(r, text, without_client);
	c = rig_connection(r, &rig_web);
	ck_assert(was_accepted(rig_flags(&c, 0, TCP_SYN, -1)));
	r->has_receivers = false;
	c.end[0].port++;
	ck_assert(was_accepted(rig_flags(&c, 0, TCP_RST, 5)));
	ck_assert(was_accepted(ask("a.example.org")));
	for (unsigned i = 0; i < 70; i++) {
		c.end[0].port = (uint16_t)(20000 + i);
		ck_assert(was_accepted(rig_flags(&c, 0, TCP_SYN, -1)));
	}
	finish();
}
END_TEST

/* A rule may bind in a file that does not: its connections begin as clean as any. */
START_TEST(a_binding_rule_in_a_shadow_file_is_not_evaded_by_options)
{
	static const uint8_t options[] = {30, 4, 0, 1, 34, 2, 1, 1};
	r = rig_new("version: 1\n"
		    "mode: shadow\n"
		    "rules:\n"
		    "- {name: web, from: shop/client, to: shop/web, app: http, mode: enforce, "
		    "allow: [{paths: "
		    "['/ok/**']}]}\n");
	c = rig_connection(r, &rig_web);
	struct rig_segment s = rig_segment_at(&c, 0, TCP_SYN, UINT32_MAX, "early", 5);
	s.options = options;
	s.n_options = sizeof(options);
	struct rig_packet *p = rig_pass(&c, 0, &s);
	ck_assert(was_accepted(p) && p->was_rewritten);
	ck_assert(!option_kind_left(p, 30) && !option_kind_left(p, 34));
	/* where nothing binds nothing changes */
	r->has_receivers = false;
	c.end[1] = rig_raw;
	p = rig_pass(&c, 0, &s);
	ck_assert(was_accepted(p) && !p->was_rewritten);
	finish();
}
END_TEST

/* What belongs to no flow may be anybody's: one enforced rule binds it, none lets it pass. */
START_TEST(a_wrong_checksum_is_dropped_where_any_rule_binds)
{
	for (int is_enforced = 0; is_enforced < 2; is_enforced++) {
		char text[512];
		(void)snprintf(
			text, sizeof(text),
			"version: 1\nmode: shadow\nrules:\n- {name: web, from: shop/client, to: "
			"shop/web, app: http%s, allow: true}\n",
			is_enforced ? ", mode: enforce" : "");
		r = rig_new(text);
		r->has_receivers = false;
		c = rig_connection(r, &rig_raw);
		struct rig_segment s = rig_segment_at(&c, 0, TCP_SYN, UINT32_MAX, NULL, 0);
		s.bad_checksum = true;
		ck_assert_int_eq(was_dropped(rig_pass(&c, 0, &s)), is_enforced);
		finish();
	}
}
END_TEST

/* A hold that ends after a reload ends by the new policy, and its mark is of the new epoch only
 * then. */
START_TEST(a_hold_that_ends_is_judged_by_the_policy_of_now)
{
	char text[2048];
	(void)snprintf(text, sizeof(text), "%sdefaults: {unidentified: allow}\n", policy);
	for (unsigned reload = 0; reload < 2; reload++) {
		begin(text, &rig_web);
		struct rig_packet *p = rig_say(&c, 0, "GE");
		ck_assert(is_held(p));
		if (reload)
			rig_use(r, "version: 1\ndefaults: {unidentified: allow}\n", NULL);
		rig_wait(r, 3100);
		ck_assert_int_eq(was_accepted(p), !reload);
		finish();
	}
}
END_TEST

/* ---- the engine dies and another takes over ---- */

START_TEST(a_held_connection_goes_on_after_a_crash)
{
	begin(policy, &rig_web);
	ck_assert(is_held(rig_say(&c, 0, "GE")));
	rig_bury(r);
	ck_assert(is_held(rig_data(&c, 0, 0, "GE", 2)));
	ck_assert(was_accepted(rig_data(&c, 0, 0, "GET /ok/", 8)));
	ck_assert(rig_has_got(r, 0, "GET /ok/"));
	finish();
}
END_TEST

START_TEST(nothing_unjudged_passes_after_a_crash)
{
	const char *text = OK_HEAD OK_HEAD_2 NO_HEAD;
	size_t n = strlen(text);
	for (size_t cut = 1; cut < n; cut += 3) {
		begin(policy, &rig_web);
		(void)rig_data(&c, 0, 0, text, cut);
		rig_bury(r);
		(void)rig_data(&c, 0, 0, text, cut);
		(void)rig_data(&c, 0, (uint32_t)cut, text + cut, n - cut);
		struct bytes got = rig_got(r, 0);
		ck_assert_msg(got.n < n, "cut %zu", cut);
		ck_assert(memcmp(got.p, text, got.n) == 0);
		rig_bury(r);
		(void)rig_data(&c, 0, 0, text, n);
		ck_assert_uint_lt(rig_got(r, 0).n, n);
		finish();
	}
}
END_TEST

/* The time that a hold may last does not begin again, nor is it forgotten. */
START_TEST(a_hold_ends_in_the_next_engine_too)
{
	begin(policy, &rig_web);
	(void)rig_say(&c, 0, "GE");
	rig_bury(r);
	rig_wait(r, 3100);
	ck_assert_uint_eq(rig_counter(r, COUNTER_HOLD_TIMEOUT), 1);
	assert_both_told(0, 0);
	finish();
}
END_TEST

START_TEST(a_torn_flow_is_reset)
{
	begin(policy, &rig_web);
	ck_assert(was_accepted(rig_say(&c, 0, OK_HEAD)));
	atomic_fetch_add(&r->w->shard.flows[0].turn, 1);
	rig_bury(r);
	ck_assert_uint_eq(rig_counter(r, COUNTER_STATE_LOST), 1);
	ck_assert_uint_eq(r->w->shard.chunks.n_used, 0);
	ck_assert(was_dropped(rig_say(&c, 0, OK_HEAD_2)));
	assert_both_told((uint32_t)strlen(OK_HEAD), 0);
	finish();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine");
	TCase *tc = tcase_create("requests");
	tcase_add_test(tc, an_allowed_request_passes);
	tcase_add_test(tc, a_denied_request_never_completes);
	tcase_add_test(tc, a_denied_request_never_completes_at_any_cut);
	tcase_add_test(tc, a_denied_request_never_completes_in_any_order_of_four_pieces);
	tcase_add_test(tc, the_allowed_part_of_a_segment_passes_before_the_denied_rest);
	tcase_add_test(tc, a_gap_filler_does_not_complete_what_lies_behind_it);
	tcase_add_test(tc, an_overlapping_gap_filler_does_not_complete_what_lies_behind_it);
	tcase_add_test(tc, both_ends_are_told_after_replies_were_offloaded);
	suite_add_tcase(suite, tc);
	tc = tcase_create("refusals");
	tcase_add_test(tc, a_refused_client_is_told_in_its_protocol_and_both_sides_close);
	tcase_add_test(tc, who_does_not_close_is_reset_in_the_end);
	tcase_add_test(tc, a_client_that_asks_again_is_reset_where_it_stands);
	tcase_add_test(tc, a_pipelined_refusal_comes_behind_the_replies_before_it);
	tcase_add_test(tc, a_client_that_acknowledges_meanwhile_is_told_too);
	tcase_add_test(tc, a_refusal_behind_several_requests_waits_for_all_replies);
	tcase_add_test(tc, a_pipelined_refusal_of_http_comes_behind_the_replies_before_it);
	tcase_add_test(tc, a_pipelined_refusal_of_http_waits_for_the_last_chunk);
	tcase_add_test(tc, a_long_pipeline_goes_on);
	tcase_add_test(tc, a_refusal_behind_unseen_replies_is_a_reset);
	tcase_add_test(tc, a_refusal_behind_replies_that_are_recorded_waits_for_them);
	tcase_add_test(tc, a_refused_stream_lets_the_others_finish);
	tcase_add_test(tc, a_refused_stream_alone_is_told_at_once);
	tcase_add_test(tc, a_refused_stream_does_not_wait_for_ever);
	tcase_add_test(tc, a_refused_stream_within_a_frame_without_end_is_a_reset);
	tcase_add_test(tc, a_server_may_end_a_connection_on_which_nobody_asked);
	tcase_add_test(tc, a_server_that_says_anything_else_first_is_none_of_http);
	tcase_add_test(tc, a_refusal_that_cannot_be_said_in_time_is_a_reset);
	tcase_add_test(tc, a_refusal_that_waits_outlives_no_reload);
	tcase_add_test(tc, a_refusal_that_waits_is_no_way_around_it);
	tcase_add_test(tc, a_refusal_that_waits_survives_the_engine);
	tcase_add_test(tc, an_answered_connection_is_told_at_the_second_request);
	tcase_add_test(tc, the_file_may_ask_for_resets_or_silence);
	tcase_add_test(tc, what_was_sent_ahead_is_forgotten_by_a_reset);
	suite_add_tcase(suite, tc);
	tc = tcase_create("hold");
	tcase_add_test(tc, another_protocol_reaches_nobody);
	tcase_add_test(tc, what_is_not_identified_is_held_until_the_time_is_up);
	tcase_add_test(tc, a_slow_drip_does_not_prolong_the_hold);
	tcase_add_test(tc, held_bytes_are_released_in_order_by_the_claim);
	tcase_add_test(tc, acknowledgements_do_not_release_what_is_held);
	tcase_add_test(tc, a_farewell_does_not_release_what_the_other_side_has_held);
	tcase_add_test(tc, a_refused_handshake_does_not_open_a_way_around_the_hold);
	tcase_add_test(tc, a_silent_connection_ends);
	tcase_add_test(tc, a_hold_ends_even_when_the_heap_of_deadlines_is_full);
	tcase_add_test(tc, the_first_unit_of_the_other_side_is_held_until_it_is_whole);
	tcase_add_test(tc, replaced_bytes_leave_as_they_were_judged);
	suite_add_tcase(suite, tc);
	tc = tcase_create("stream");
	tcase_add_test(tc, a_resend_that_differs_leaves_with_the_first_bytes);
	tcase_add_test(tc, out_of_order_overlaps_are_put_right);
	tcase_add_test(tc, sequence_numbers_wrap);
	tcase_add_test(tc, a_keepalive_with_more_than_one_byte_is_judged);
	tcase_add_test(tc, a_zero_window_probe_passes);
	tcase_add_test(tc, data_beyond_the_window_is_dropped);
	tcase_add_test(tc, data_with_a_fin_is_judged);
	tcase_add_test(tc, nothing_passes_behind_a_fin);
	tcase_add_test(tc, an_early_fin_cuts_the_filler);
	tcase_add_test(tc, a_fin_in_front_of_early_data_is_no_fin);
	tcase_add_test(tc, both_farewells_close_the_flow);
	tcase_add_test(tc, urgent_data_becomes_plain);
	tcase_add_test(tc, a_syn_carries_no_payload);
	tcase_add_test(tc, a_syn_keeps_only_plain_options);
	tcase_add_test(tc, a_wrong_checksum_is_dropped);
	tcase_add_test(tc, a_reset_must_be_exact);
	tcase_add_test(tc, a_reset_at_the_end_of_early_data_is_dropped);
	tcase_add_test(tc, no_data_passes_after_a_new_syn_before_its_answer);
	tcase_add_test(tc, a_connection_outlives_a_syn_that_nobody_answers);
	tcase_add_test(tc, an_answered_syn_begins_a_connection_of_its_own);
	suite_add_tcase(suite, tc);
	tc = tcase_create("offload");
	tcase_add_test(tc, a_final_allow_is_offloaded_with_the_syn);
	tcase_add_test(tc, replies_are_offloaded_after_the_first);
	tcase_add_test(tc, an_impostor_in_the_place_of_the_server_reaches_nobody);
	tcase_add_test(tc, unseen_acknowledgements_are_asked_for);
	tcase_add_test(tc, a_new_epoch_sets_the_mark_again);
	tcase_add_test(tc, a_new_policy_denies_an_offloaded_flow_at_its_next_packet);
	suite_add_tcase(suite, tc);
	tc = tcase_create("identity");
	tcase_add_test(tc, an_unknown_source_is_held_until_it_is_known);
	tcase_add_test(tc, an_unknown_source_is_denied_when_the_time_is_up);
	tcase_add_test(tc, an_unknown_source_cannot_smuggle_data_into_the_hold);
	tcase_add_test(tc, a_spoofed_link_address_is_dropped);
	tcase_add_test(tc, a_spoofed_packet_moves_no_state);
	tcase_add_test(tc, a_client_cannot_speak_for_a_server_without_a_link_address);
	suite_add_tcase(suite, tc);
	tc = tcase_create("others");
	tcase_add_test(tc, dns_questions_are_judged_one_by_one);
	tcase_add_test(tc, what_goes_to_a_multicast_group_is_its_service);
	tcase_add_test(tc, a_bundle_of_datagrams_is_judged_by_nobody_and_denied);
	tcase_add_test(tc, a_denied_datagram_flow_is_judged_again_by_a_new_policy);
	tcase_add_test(tc, echo_is_one_flow_with_its_answer);
	tcase_add_test(tc, other_protocols_need_a_rule_for_all);
	tcase_add_test(tc, midstream_of_a_request_rule_is_refused);
	tcase_add_test(tc, midstream_of_a_final_allow_goes_on_from_either_side);
	tcase_add_test(tc, midstream_can_be_denied_or_allowed_by_configuration);
	tcase_add_test(tc, a_spoofed_midstream_packet_is_dropped_and_not_answered);
	tcase_add_test(tc, a_full_table_refuses_new_flows);
	tcase_add_test(tc, a_full_hold_drops_and_nothing_leaks);
	tcase_add_test(tc, one_flow_cannot_take_the_whole_pool);
	tcase_add_test(tc, shadow_and_observe_let_pass_and_shadow_says_so);
	tcase_add_test(tc, who_only_observes_never_drops);
	tcase_add_test(tc, a_full_table_makes_room_for_the_living);
	tcase_add_test(tc, a_binding_rule_in_a_shadow_file_is_not_evaded_by_options);
	tcase_add_test(tc, a_wrong_checksum_is_dropped_where_any_rule_binds);
	tcase_add_test(tc, a_hold_that_ends_is_judged_by_the_policy_of_now);
	suite_add_tcase(suite, tc);
	tc = tcase_create("crash");
	tcase_add_test(tc, a_held_connection_goes_on_after_a_crash);
	tcase_add_test(tc, nothing_unjudged_passes_after_a_crash);
	tcase_add_test(tc, a_hold_ends_in_the_next_engine_too);
	tcase_add_test(tc, a_torn_flow_is_reset);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
