/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of src/flow/tcp.c, row by row: what a segment means by its flags and numbers alone. T
 * numbers are those of the threat table.
 */
#include "flow/tcp.h"
#include "packet/rewrite.h"

#include <check.h>
#include <stdlib.h>

enum { CLIENT, SERVER };
enum { C_ISN = 0xfffffffe, S_ISN = 0x7ffffff0 };

static struct flow flow;

struct row {
	const char *what;
	unsigned dir;
	uint8_t flags;
	int32_t seq, ack; /* from the first byte of each side */
	uint32_t n;	  /* payload */
	enum tcp_fate fate;
	enum flow_tcp after;
};

static struct packet packet_of(const struct row *row)
{
	static const uint8_t data[4096];
	const uint32_t first[2] = {C_ISN + 1u, S_ISN + 1u};
	return (struct packet){
		.ip_version = 4,
		.seq = first[row->dir] + (uint32_t)row->seq,
		.ack = first[!row->dir] + (uint32_t)row->ack,
		.tcp_flags = row->flags,
		.window = 1000,
		.data = bytes_of(data, row->n),
	};
}

static void step(const struct row *row)
{
	struct packet p = packet_of(row);
	enum tcp_fate fate = tcp_track(&flow, row->dir, &p);
	ck_assert_msg(fate == row->fate, "%s: fate %d", row->what, (int)fate);
	if (fate == TCP_REOPEN)
		return;
	ck_assert_msg(flow.tcp == row->after, "%s: state %d", row->what, flow.tcp);
}

/* The SYN of the client passed. */
static void begin_syn_sent(void)
{
	struct packet syn = {.seq = C_ISN, .tcp_flags = TCP_SYN, .window = 1000};
	flow = (struct flow){.tcp = FLOW_TCP_SYN_SENT};
	for (int side = 0; side < 2; side++)
		flow.half[side].first = flow.half[side].last = FLOW_NIL;
	tcp_begin_half(&flow.half[0], &syn);
}

/* Both sides said so many bytes, of which half were acknowledged. */
static void begin_open(uint32_t n)
{
	begin_syn_sent();
	struct packet answer = {
		.seq = S_ISN, .ack = C_ISN + 1u, .tcp_flags = TCP_SYN | TCP_ACK, .window = 1000};
	ck_assert_int_eq(tcp_track(&flow, SERVER, &answer), TCP_GO);
	for (int side = 0; side < 2; side++) {
		struct half *h = &flow.half[side];
		h->next = h->fed = h->passed = h->acked + n;
		h->acked += n / 2;
		h->edge = h->next + 1000;
	}
}

static const struct row syn_sent_rows[] = {
	{"the SYN again", CLIENT, TCP_SYN, -1, 0, 0, TCP_GO, FLOW_TCP_SYN_SENT},
	{"another SYN (T57)", CLIENT, TCP_SYN, 5000, 0, 0, TCP_PEND, FLOW_TCP_SYN_SENT},
	{"data before the answer", CLIENT, TCP_ACK, 0, 0, 10, TCP_STOP, FLOW_TCP_SYN_SENT},
	{"data without ACK (T24, T25)", CLIENT, TCP_PSH, 0, 0, 10, TCP_STOP, FLOW_TCP_SYN_SENT},
	{"a SYN-ACK of the opener", CLIENT, TCP_SYN | TCP_ACK, -1, 0, 0, TCP_STOP,
	 FLOW_TCP_SYN_SENT},
	{"the opener gives up", CLIENT, TCP_RST, 0, 0, 0, TCP_GO, FLOW_TCP_SYN_SENT},
	{"SYN with FIN (T39)", CLIENT, TCP_SYN | TCP_FIN, -1, 0, 0, TCP_STOP, FLOW_TCP_SYN_SENT},
	{"SYN with RST (T39)", CLIENT, TCP_SYN | TCP_RST, -1, 0, 0, TCP_STOP, FLOW_TCP_SYN_SENT},
	{"simultaneous open (T58)", SERVER, TCP_SYN, -1, 0, 0, TCP_STOP, FLOW_TCP_SYN_SENT},
	{"SYN-ACK of another ISN (T60)", SERVER, TCP_SYN | TCP_ACK, -1, 1, 0, TCP_STOP,
	 FLOW_TCP_SYN_SENT},
	{"SYN-ACK of the SYN", SERVER, TCP_SYN | TCP_ACK, -1, 0, 0, TCP_GO, FLOW_TCP_OPEN},
	{"a refusal", SERVER, TCP_RST | TCP_ACK, -1, 0, 0, TCP_GO, FLOW_TCP_CLOSED},
	{"a refusal of something else", SERVER, TCP_RST | TCP_ACK, -1, 9, 0, TCP_STOP,
	 FLOW_TCP_SYN_SENT},
	{"a reset without ACK", SERVER, TCP_RST, -1, 0, 0, TCP_STOP, FLOW_TCP_SYN_SENT},
	{"a challenge (T62)", SERVER, TCP_ACK, 400, 400, 0, TCP_GO, FLOW_TCP_SYN_SENT},
	{"data before the SYN-ACK (T60)", SERVER, TCP_ACK, 0, 0, 5, TCP_STOP, FLOW_TCP_SYN_SENT},
	{"FIN before the SYN-ACK", SERVER, TCP_ACK | TCP_FIN, 0, 0, 0, TCP_STOP, FLOW_TCP_SYN_SENT},
};

START_TEST(before_the_answer)
{
	begin_syn_sent();
	step(&syn_sent_rows[_i]);
}
END_TEST

static const struct row open_rows[] = {
	{"data in order", CLIENT, TCP_ACK, 100, 100, 10, TCP_GO, FLOW_TCP_OPEN},
	{"data again", CLIENT, TCP_ACK, 0, 100, 10, TCP_GO, FLOW_TCP_OPEN},
	{"the last byte of the window (T16)", CLIENT, TCP_ACK, 1100, 100, 10, TCP_GO,
	 FLOW_TCP_OPEN},
	{"data beyond the window (T17)", CLIENT, TCP_ACK, 1101, 100, 10, TCP_STOP, FLOW_TCP_OPEN},
	{"data far beyond (T17)", CLIENT, TCP_ACK, 10000000, 100, 10, TCP_STOP, FLOW_TCP_OPEN},
	{"an acknowledgement of nothing sent (T26)", CLIENT, TCP_ACK, 100, 101, 0, TCP_STOP,
	 FLOW_TCP_OPEN},
	{"an old acknowledgement (T27)", CLIENT, TCP_ACK, 100, -1000, 0, TCP_GO, FLOW_TCP_OPEN},
	{"no flags (T24)", CLIENT, 0, 100, 100, 10, TCP_STOP, FLOW_TCP_OPEN},
	{"PSH only (T24)", CLIENT, TCP_PSH, 100, 100, 10, TCP_STOP, FLOW_TCP_OPEN},
	{"FIN without ACK (T24)", CLIENT, TCP_FIN, 100, 100, 0, TCP_STOP, FLOW_TCP_OPEN},
	{"FIN with RST", CLIENT, TCP_FIN | TCP_RST | TCP_ACK, 100, 100, 0, TCP_STOP, FLOW_TCP_OPEN},
	{"the SYN again (T38)", CLIENT, TCP_SYN, -1, 0, 0, TCP_GO, FLOW_TCP_OPEN},
	{"a new SYN (T38, T62)", CLIENT, TCP_SYN, 5000, 0, 0, TCP_PEND, FLOW_TCP_OPEN},
	{"SYN-ACK of the opener (T38)", CLIENT, TCP_SYN | TCP_ACK, 100, 100, 0, TCP_STOP,
	 FLOW_TCP_OPEN},
	{"SYN of the server (T38, T66)", SERVER, TCP_SYN, 100, 100, 0, TCP_STOP, FLOW_TCP_OPEN},
	{"the SYN-ACK again", SERVER, TCP_SYN | TCP_ACK, -1, 0, 0, TCP_GO, FLOW_TCP_OPEN},
	{"a second SYN-ACK (T59)", SERVER, TCP_SYN | TCP_ACK, 70, 0, 0, TCP_STOP, FLOW_TCP_OPEN},
	{"a SYN-ACK that acknowledges more", SERVER, TCP_SYN | TCP_ACK, -1, 50, 0, TCP_STOP,
	 FLOW_TCP_OPEN},
	{"exact reset (T40)", CLIENT, TCP_RST, 100, 0, 0, TCP_GO, FLOW_TCP_CLOSED},
	{"reset at what was acknowledged", CLIENT, TCP_RST, 50, 0, 0, TCP_GO, FLOW_TCP_CLOSED},
	{"reset below it", CLIENT, TCP_RST, 49, 0, 0, TCP_STOP, FLOW_TCP_OPEN},
	{"reset in the window (T41)", CLIENT, TCP_RST, 110, 0, 0, TCP_STOP, FLOW_TCP_OPEN},
	{"reset far off (T43)", CLIENT, TCP_RST, -100000, 0, 0, TCP_STOP, FLOW_TCP_OPEN},
	{"reset that acknowledges too much (T44)", CLIENT, TCP_RST | TCP_ACK, 100, 5000, 0,
	 TCP_STOP, FLOW_TCP_OPEN},
	{"reset of the server", SERVER, TCP_RST | TCP_ACK, 100, 100, 0, TCP_GO, FLOW_TCP_CLOSED},
	{"reset of the server in the window", SERVER, TCP_RST, 101, 0, 0, TCP_STOP, FLOW_TCP_OPEN},
	{"data of the server", SERVER, TCP_ACK, 100, 100, 10, TCP_GO, FLOW_TCP_OPEN},
	{"the server acknowledges nothing sent", SERVER, TCP_ACK, 100, 101, 10, TCP_STOP,
	 FLOW_TCP_OPEN},
};

START_TEST(while_open)
{
	begin_open(100);
	step(&open_rows[_i]);
}
END_TEST

/* R5: a SYN changes nothing; the answer to it does. */
START_TEST(a_pending_syn_waits_for_its_answer)
{
	static const struct row syn = {"another SYN", CLIENT,	    TCP_SYN, 5000, 0, 0,
				       TCP_PEND,      FLOW_TCP_OPEN};
	static const struct row rows[] = {
		{"the old connection goes on", CLIENT, TCP_ACK, 100, 100, 10, TCP_GO,
		 FLOW_TCP_OPEN},
		{"but not ahead of a gap", CLIENT, TCP_ACK, 101, 100, 10, TCP_STOP, FLOW_TCP_OPEN},
		{"its server answers", SERVER, TCP_ACK, 100, 100, 10, TCP_GO, FLOW_TCP_OPEN},
		{"a SYN-ACK to neither", SERVER, TCP_SYN | TCP_ACK, 900, 777, 0, TCP_STOP,
		 FLOW_TCP_OPEN},
		{"the answer", SERVER, TCP_SYN | TCP_ACK, 900, 5001, 0, TCP_REPLACE, FLOW_TCP_OPEN},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin_open(100);
		step(&syn);
		struct packet p = packet_of(&syn);
		tcp_pend(&flow, &p, 1);
		step(&rows[i]);
	}
}
END_TEST

/* T57: two SYNs before any answer; the server says which one it took. */
START_TEST(of_two_syns_the_answered_one_counts)
{
	for (int second = 0; second < 2; second++) {
		begin_syn_sent();
		const struct packet syn = {.seq = 5000, .tcp_flags = TCP_SYN, .window = 1000};
		tcp_pend(&flow, &syn, 1);
		const struct packet answer = {.seq = S_ISN,
					      .ack = second ? 5001 : C_ISN + 1u,
					      .tcp_flags = TCP_SYN | TCP_ACK,
					      .window = 1000};
		ck_assert_int_eq(tcp_track(&flow, SERVER, &answer), TCP_GO);
		ck_assert_uint_eq(flow.half[0].isn, second ? 5000 : C_ISN);
		ck_assert_uint_eq(flow.pending.seen_ns, 0);
	}
}
END_TEST

/* R9: after a reset everything is enforced as before. */
START_TEST(after_a_reset)
{
	static const struct row rows[] = {
		{"data goes on being judged", CLIENT, TCP_ACK, 100, 100, 10, TCP_GO,
		 FLOW_TCP_CLOSED},
		{"but not beyond the window", CLIENT, TCP_ACK, 5000, 100, 10, TCP_STOP,
		 FLOW_TCP_CLOSED},
		{"the same SYN is a new connection (T61)", CLIENT, TCP_SYN, -1, 0, 0, TCP_PEND,
		 FLOW_TCP_CLOSED},
		{"no SYN-ACK without a SYN", SERVER, TCP_SYN | TCP_ACK, -1, 0, 0, TCP_STOP,
		 FLOW_TCP_CLOSED},
		{"a SYN of the server", SERVER, TCP_SYN, 900, 0, 0, TCP_REOPEN, 0},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin_open(100);
		flow.tcp = FLOW_TCP_CLOSED;
		step(&rows[i]);
	}
}
END_TEST

START_TEST(acknowledgements_come_from_the_receiver_only)
{
	begin_open(100);
	struct half *h = &flow.half[0];
	uint32_t before = h->acked;
	step(&(struct row){"the sender's own", CLIENT, TCP_ACK, 100, 100, 0, TCP_GO,
			   FLOW_TCP_OPEN});
	ck_assert_uint_eq(h->acked, before);
	step(&(struct row){"the receiver's", SERVER, TCP_ACK, 100, 80, 0, TCP_GO, FLOW_TCP_OPEN});
	ck_assert_uint_eq(h->acked, before + 30);
	step(&(struct row){"an older one", SERVER, TCP_ACK, 100, 60, 0, TCP_GO, FLOW_TCP_OPEN});
	ck_assert_uint_eq(h->acked, before + 30);
}
END_TEST

/* What is held back was not sent: nobody can have it. */
START_TEST(held_bytes_cannot_be_acknowledged)
{
	begin_open(100);
	flow.half[0].next += 50;
	step(&(struct row){"of the held", SERVER, TCP_ACK, 100, 101, 0, TCP_STOP, FLOW_TCP_OPEN});
	step(&(struct row){"of the passed", SERVER, TCP_ACK, 100, 100, 0, TCP_GO, FLOW_TCP_OPEN});
	ck_assert_uint_eq(flow.half[0].acked, flow.half[0].passed);
}
END_TEST

START_TEST(a_fin_can_be_acknowledged_after_it_passed)
{
	begin_open(100);
	const struct row fin = {"of the FIN", SERVER, TCP_ACK,	100,
				101,	      0,      TCP_STOP, FLOW_TCP_OPEN};
	step(&fin);
	flow.half[0].has_fin = flow.half[0].fin_passed = true;
	flow.half[0].fin = flow.half[0].next;
	struct row passed = fin;
	passed.fate = TCP_GO;
	step(&passed);
	ck_assert_uint_eq(flow.half[0].acked, flow.half[0].next);
}
END_TEST

/* RFC 7323 2.2: both or none; and not in the SYN-ACK itself. */
START_TEST(the_window_is_scaled_when_both_offer_it)
{
	static const uint8_t scale[] = {1, 3, 3, 7};
	for (int both = 0; both < 2; both++) {
		struct packet syn = {.seq = C_ISN,
				     .tcp_flags = TCP_SYN,
				     .window = 1000,
				     .tcp_options = bytes_of(scale, 4)};
		struct packet answer = {.seq = S_ISN,
					.ack = C_ISN + 1u,
					.tcp_flags = TCP_SYN | TCP_ACK,
					.window = 1000,
					.tcp_options = bytes_of(scale, both ? 4 : 0)};
		begin_syn_sent();
		tcp_begin_half(&flow.half[0], &syn);
		ck_assert_int_eq(tcp_track(&flow, SERVER, &answer), TCP_GO);
		ck_assert_uint_eq(flow.half[0].edge, C_ISN + 1u + 1000);
		step(&(struct row){"opener", CLIENT, TCP_ACK, 0, 0, 0, TCP_GO, FLOW_TCP_OPEN});
		ck_assert_uint_eq(flow.half[1].edge, S_ISN + 1u + (both ? 128000 : 1000));
		step(&(struct row){"server", SERVER, TCP_ACK, 0, 0, 0, TCP_GO, FLOW_TCP_OPEN});
		ck_assert_uint_eq(flow.half[0].edge, C_ISN + 1u + (both ? 128000 : 1000));
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tcp");
	TCase *tc = tcase_create("table");
	tcase_add_loop_test(tc, before_the_answer, 0,
			    sizeof(syn_sent_rows) / sizeof(syn_sent_rows[0]));
	tcase_add_loop_test(tc, while_open, 0, sizeof(open_rows) / sizeof(open_rows[0]));
	tcase_add_test(tc, a_pending_syn_waits_for_its_answer);
	tcase_add_test(tc, of_two_syns_the_answered_one_counts);
	tcase_add_test(tc, after_a_reset);
	tcase_add_test(tc, acknowledgements_come_from_the_receiver_only);
	tcase_add_test(tc, held_bytes_cannot_be_acknowledged);
	tcase_add_test(tc, a_fin_can_be_acknowledged_after_it_passed);
	tcase_add_test(tc, the_window_is_scaled_when_both_offer_it);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
