/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QUIC through the engine as a whole (engine_rig.h): what of a hello reaches a server, in how many
 * datagrams it may come, and where the engine lets go of what it cannot read.
 */
#include "engine_rig.h"
#include "quic_rig.h"

#define RULE(app, more)                                                                            \
	"version: 1\nrules:\n- {name: out, from: shop/client, to: shop/web, app: " app ", " more   \
	"}\n"

static const char by_name[] = RULE("tls", "allow: [{sni: [ok.example]}]");
static const char by_name_alone[] = RULE("quic", "allow: [{sni: [ok.example]}]");
static const char shadowed[] = RULE("tls", "mode: shadow, allow: [{sni: [ok.example]}]");
static const char denied_name[] =
	RULE("tls", "allow: true, broad: true") "- {name: not-this, from: any, to: any, app: tls, "
						"deny: [{sni: no.example}]}\n";
static const char of_tcp[] = RULE("http", "allow: true");

static const uint8_t cid[] = {1, 2, 3, 4, 5, 6, 7, 8}, client_cid[] = {0xc, 0xc};
static const uint8_t server_cid[] = {0x5, 0x5, 0x5};
static struct rig *r;

static void begin(const char *policy)
{
	r = rig_new(policy);
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

static struct rig_packet *send_text(unsigned dir, const struct qr_text *t,
				    const struct rig_frame *frame)
{
	uint8_t packet[QR_MAX + 100];
	const struct rig_end *from = dir ? &rig_web : &rig_client,
			     *to = dir ? &rig_client : &rig_web;
	const size_t n = rig_udp(packet, from, to, qr_bytes(t));
	return rig_send_raw(r, bytes_of(packet, n), frame);
}

static struct qr_initial of_client(uint32_t number)
{
	return (struct qr_initial){.version = QR_V1,
				   .dcid = bytes_of(cid, sizeof cid),
				   .scid = bytes_of(client_cid, sizeof client_cid),
				   .number = number};
}

/* n bytes of the hello for that name, from `from` on, in a datagram. */
static struct qr_text part(const char *name, uint32_t number, size_t from, size_t n)
{
	const struct qr_text hello = qr_hello(name, 1200);
	const struct qr_initial i = of_client(number);
	struct qr_text frames = {.n = 0};
	qr_crypto(&frames, from, bytes_slice(qr_bytes(&hello), from, n));
	return qr_datagram(&i, &frames);
}

static struct rig_packet *ask_part(const char *name, uint32_t number, size_t from, size_t n)
{
	const struct qr_text t = part(name, number, from, n);
	return send_text(0, &t, NULL);
}

static struct rig_packet *ask(const char *name)
{
	return ask_part(name, 0, 0, QR_MAX);
}

static struct qr_text answer_text(void)
{
	const struct qr_initial i = {.version = QR_V1,
				     .dcid = bytes_of(client_cid, sizeof client_cid),
				     .scid = bytes_of(server_cid, sizeof server_cid),
				     .keys = bytes_of(cid, sizeof cid),
				     .is_server = true};
	const struct qr_text hello = qr_server_hello(false);
	struct qr_text frames = {.n = 0};
	qr_crypto(&frames, 0, qr_bytes(&hello));
	return qr_datagram(&i, &frames);
}

static struct rig_packet *answer(const struct rig_frame *frame)
{
	const struct qr_text t = answer_text();
	return send_text(1, &t, frame);
}

/* What nobody can read any more. */
static struct rig_packet *talk(unsigned dir)
{
	struct qr_text t = {.n = 0};
	for (int i = 0; i < 60; i++)
		qr_put(&t, 1, 0x41);
	return send_text(dir, &t, NULL);
}

START_TEST(an_allowed_name_passes_and_is_let_go_at_the_answer)
{
	begin(_i ? by_name_alone : by_name);
	ck_assert(was_accepted(ask("ok.example")));
	ck_assert(was_dropped(talk(0)));
	ck_assert(was_accepted(answer(NULL)));
	ck_assert(was_accepted(talk(0)));
	ck_assert(was_accepted(talk(1)));
	finish();
}
END_TEST

START_TEST(another_name_never_passes_however_often_it_is_sent)
{
	begin(_i ? denied_name : by_name);
	for (int i = 0; i < 4; i++)
		ck_assert(was_dropped(ask("no.example")));
	ck_assert(was_dropped(answer(NULL)));
	ck_assert(was_dropped(talk(0)));
	ck_assert(was_dropped(talk(1)));
	ck_assert_uint_ge(r->n_injected, 4);
	/* the socket lives on: what it asks next is judged by itself */
	ck_assert(was_accepted(ask("ok.example")));
	finish();
}
END_TEST

START_TEST(parts_of_a_hello_wait_for_the_last)
{
	begin(by_name);
	struct rig_packet *first = ask_part("ok.example", 0, 0, 700);
	struct rig_packet *second = ask_part("ok.example", 1, 1000, QR_MAX);
	ck_assert(!first->is_answered && !second->is_answered);
	ck_assert(was_accepted(ask_part("ok.example", 2, 700, 300)));
	ck_assert(was_accepted(first));
	ck_assert(was_accepted(second));
	ck_assert(was_accepted(answer(NULL)));
	finish();
}
END_TEST

START_TEST(parts_of_a_denied_hello_never_pass)
{
	begin(_i ? denied_name : by_name);
	for (uint32_t again = 0; again < 3; again++) {
		struct rig_packet *first = ask_part("no.example", 3 * again, 0, 700);
		struct rig_packet *second = ask_part("no.example", 3 * again + 1, 1000, QR_MAX);
		ck_assert(was_dropped(ask_part("no.example", 3 * again + 2, 700, 300)));
		ck_assert(was_dropped(first));
		ck_assert(was_dropped(second));
		ck_assert(was_dropped(answer(NULL)));
	}
	/* the last part alone completes what is remembered of the others */
	ck_assert(was_dropped(ask_part("no.example", 20, 700, 300)));
	finish();
}
END_TEST

START_TEST(a_hello_that_is_never_whole_ends_with_the_time_to_hold)
{
	begin(by_name);
	struct rig_packet *first = ask_part("ok.example", 0, 0, 700);
	ck_assert(!first->is_answered);
	rig_wait(r, 10000);
	ck_assert(was_dropped(first));
	finish();
}
END_TEST

START_TEST(nothing_replaces_the_judged_hello)
{
	begin(by_name);
	ck_assert(was_accepted(ask("ok.example")));
	ck_assert(was_dropped(ask("no.example")));
	ck_assert(was_accepted(ask("ok.example")));
	ck_assert(was_accepted(answer(NULL)));
	finish();
}
END_TEST

START_TEST(an_answer_before_the_question_is_dropped)
{
	begin(by_name);
	struct rig_packet *first = ask_part("ok.example", 0, 0, 700);
	ck_assert(was_dropped(answer(NULL)));
	ck_assert(!first->is_answered);
	ck_assert(was_accepted(ask_part("ok.example", 1, 700, QR_MAX)));
	ck_assert(was_accepted(first));
	finish();
}
END_TEST

START_TEST(a_bundle_passes_from_the_server_alone)
{
	const struct rig_frame bundle = {.is_bundle = true};
	const struct qr_text hello = part("ok.example", 1, 0, QR_MAX);
	begin(by_name);
	ck_assert(was_accepted(ask("ok.example")));
	ck_assert(was_dropped(send_text(0, &hello, &bundle)));
	ck_assert(was_accepted(answer(&bundle)));
	ck_assert(was_accepted(talk(0)));
	finish();
}
END_TEST

START_TEST(rules_for_others_do_not_let_it_pass)
{
	begin(of_tcp);
	ck_assert(was_dropped(ask("ok.example")));
	finish();
}
END_TEST

START_TEST(a_rule_on_trial_holds_nothing)
{
	begin(shadowed);
	ck_assert(was_accepted(ask_part("no.example", 0, 0, 700)));
	ck_assert(was_accepted(ask_part("no.example", 1, 700, QR_MAX)));
	ck_assert(was_accepted(answer(NULL)));
	ck_assert(was_accepted(talk(0)));
	finish();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine quic");
	TCase *tc = tcase_create("quic");
	tcase_add_loop_test(tc, an_allowed_name_passes_and_is_let_go_at_the_answer, 0, 2);
	tcase_add_loop_test(tc, another_name_never_passes_however_often_it_is_sent, 0, 2);
	tcase_add_test(tc, parts_of_a_hello_wait_for_the_last);
	tcase_add_loop_test(tc, parts_of_a_denied_hello_never_pass, 0, 2);
	tcase_add_test(tc, a_hello_that_is_never_whole_ends_with_the_time_to_hold);
	tcase_add_test(tc, nothing_replaces_the_judged_hello);
	tcase_add_test(tc, an_answer_before_the_question_is_dropped);
	tcase_add_test(tc, a_bundle_passes_from_the_server_alone);
	tcase_add_test(tc, rules_for_others_do_not_let_it_pass);
	tcase_add_test(tc, a_rule_on_trial_holds_nothing);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	const int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
