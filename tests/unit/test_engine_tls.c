/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TLS through the engine as a whole (engine_rig.h): what of a hello reaches a server, and where the
 * engine lets go of a connection that it cannot read.
 */
#include "engine_rig.h"

#include <stdio.h>

#define RULE(more)                                                                                 \
	"version: 1\nrules:\n- {name: out, from: shop/client, to: shop/web, app: tls, " more "}\n"

static const char by_name[] = RULE("allow: [{sni: [ok.example]}]");
static const char by_version[] = RULE("allow: [{sni: [ok.example], versions: [1.3]}]");
static const char denied_name[] =
	RULE("allow: true, broad: true") "- {name: not-this, from: any, to: any, app: tls, "
					 "deny: [{sni: no.example}]}\n";

static struct rig *r;
static struct rig_connection c;

struct text {
	uint8_t p[600];
	size_t n;
};

static void begin(const char *policy)
{
	r = rig_new(policy);
	c = rig_connection(r, &rig_web);
	rig_open(&c);
}

static void finish(void)
{
	rig_nothing_is_left(r);
	rig_free(r);
	r = NULL;
}

static struct rig_packet *say(unsigned dir, const struct text *t)
{
	struct rig_packet *p = rig_data(&c, dir, c.sent[dir], t->p, t->n);
	c.sent[dir] += (uint32_t)t->n;
	return p;
}

static bool was_accepted(const struct rig_packet *p)
{
	return p->is_answered && p->accepted;
}

static bool was_dropped(const struct rig_packet *p)
{
	return p->is_answered && !p->accepted;
}

static void put(struct text *t, size_t size, size_t value)
{
	for (size_t i = size; i > 0; i--)
		t->p[t->n++] = (uint8_t)(value >> 8 * (i - 1));
}

/* The length before what follows `at`; `size` bytes of room are there. */
static void set_length(struct text *t, size_t at, size_t size)
{
	size_t end = t->n;
	t->n = at;
	put(t, size, end - at - size);
	t->n = end;
}

static struct text hello(const char *name, bool is_early)
{
	struct text t = {.n = 0};
	put(&t, 5, UINT64_C(0x1603010000)), put(&t, 4, 0x01000000), put(&t, 2, 0x0303);
	t.n += 32; /* random */
	put(&t, 1, 0), put(&t, 4, 0x00021301), put(&t, 2, 0x0100);
	size_t extensions = t.n;
	put(&t, 2, 0), put(&t, 2, 0), put(&t, 2, strlen(name) + 5), put(&t, 2, strlen(name) + 3);
	put(&t, 1, 0), put(&t, 2, strlen(name));
	memcpy(t.p + t.n, name, strlen(name));
	t.n += strlen(name);
	put(&t, 4, 0x002b0005), put(&t, 5, UINT64_C(0x0403040303));
	if (is_early)
		put(&t, 4, 0x002a0000);
	set_length(&t, extensions, 2);
	set_length(&t, 6, 3);
	set_length(&t, 3, 2);
	return t;
}

static struct text answer(bool is_1_3)
{
	struct text t = {.n = 0};
	put(&t, 5, UINT64_C(0x1603030000)), put(&t, 4, 0x02000000), put(&t, 2, 0x0303);
	t.n += 32;
	put(&t, 1, 0), put(&t, 3, is_1_3 ? 0x130100 : 0xc02f00);
	size_t extensions = t.n;
	put(&t, 2, 0);
	if (is_1_3)
		put(&t, 4, 0x002b0002), put(&t, 2, 0x0304);
	set_length(&t, extensions, 2);
	set_length(&t, 6, 3);
	set_length(&t, 3, 2);
	return t;
}

static struct text data(uint8_t fill)
{
	struct text t = {.n = 0};
	put(&t, 5, UINT64_C(0x1703030040));
	memset(t.p + t.n, fill, 64);
	t.n += 64;
	return t;
}

static uint32_t offloaded(void)
{
	return mark_value(0xffff0000, r->generation, MARK_OFFLOADED);
}

static void assert_got(unsigned dir, const struct text *t)
{
	ck_assert(bytes_equal(rig_got(r, dir), bytes_of(t->p, t->n)));
}

/* ---- the hello ---- */

START_TEST(no_byte_of_a_hello_for_another_name_reaches_the_server)
{
	const char *const rules[] = {by_name, denied_name};
	const struct text no = hello("no.example", false);
	for (size_t cut = 1; cut < no.n; cut++) {
		begin(rules[_i]);
		(void)rig_data(&c, 0, 0, no.p, cut); /* held, or refused already */
		ck_assert(was_dropped(rig_data(&c, 0, (uint32_t)cut, no.p + cut, no.n - cut)));
		ck_assert(rig_has_got(r, 0, ""));
		const struct rig_record *v = rig_last_record(r, EVENT_VIOLATION);
		ck_assert_ptr_nonnull(v);
		ck_assert_uint_eq(v->head.mode, MODE_ENFORCE);
		finish();
	}
}
END_TEST

START_TEST(an_allowed_hello_passes_whole)
{
	const struct text ok = hello("OK.example.", false);
	for (size_t cut = 1; cut < ok.n; cut++) {
		begin(by_name);
		struct rig_packet *first = rig_data(&c, 0, 0, ok.p, cut);
		ck_assert(!first->is_answered);
		ck_assert(was_accepted(rig_data(&c, 0, (uint32_t)cut, ok.p + cut, ok.n - cut)));
		ck_assert(was_accepted(first));
		assert_got(0, &ok);
		finish();
	}
}
END_TEST

START_TEST(early_data_waits_for_the_verdict_on_the_name)
{
	const struct text no = hello("no.example", true), ok = hello("ok.example", true);
	const struct text *const hellos[] = {&no, &ok};
	const struct text early = data(0xaa);
	begin(by_name);
	const struct text *h = hellos[_i];
	struct rig_packet *ahead = rig_data(&c, 0, (uint32_t)h->n, early.p, early.n);
	struct rig_packet *late = rig_data(&c, 0, 0, h->p, h->n);
	ck_assert(_i ? was_accepted(late) : was_dropped(late));
	ck_assert(_i ? was_accepted(ahead) : true);
	ck_assert_uint_eq(rig_got(r, 0).n, _i ? h->n + early.n : 0);
	finish();
}
END_TEST

START_TEST(a_refused_client_is_told_by_an_alert)
{
	static const uint8_t alert[] = {21, 3, 3, 0, 2, 2, 49};
	const struct text no = hello("no.example", false);
	begin(by_name);
	ck_assert(was_dropped(say(0, &no)));
	bool is_told = false;
	for (uint32_t i = 0; i < r->n_injected && i < RIG_INJECTED; i++) {
		struct rig_view v = rig_read(bytes_of(r->injected[i].bytes, r->injected[i].n));
		is_told |= v.dst_port == c.end[0].port &&
			   bytes_equal(v.data, bytes_of(alert, sizeof(alert)));
	}
	ck_assert(is_told);
	finish();
}
END_TEST

START_TEST(http_where_tls_is_allowed_is_refused)
{
	begin(by_name);
	ck_assert(was_dropped(rig_say(&c, 0, "GET / HTTP/1.1\r\nHost: ok.example\r\n\r\n")));
	ck_assert(rig_has_got(r, 0, ""));
	const struct rig_record *v = rig_last_record(r, EVENT_VIOLATION);
	ck_assert_ptr_nonnull(v);
	ck_assert_uint_eq(v->head.reason, REASON_WRONG_PROTOCOL);
	finish();
}
END_TEST

/* ---- the choice ---- */

START_TEST(an_allowed_connection_is_left_to_the_kernel_after_the_choice)
{
	const struct text ok = hello("ok.example", false), choice = answer(true);
	const struct text more = data(0xbb);
	begin(by_name);
	ck_assert(was_accepted(say(0, &ok)));
	struct rig_packet *p = say(1, &choice);
	ck_assert(was_accepted(p) && p->has_mark);
	ck_assert_uint_eq(p->mark, offloaded());
	assert_got(1, &choice);
	r->has_receivers = false;
	ck_assert(was_accepted(say(0, &more)));
	finish();
}
END_TEST

START_TEST(a_choice_of_an_older_version_than_the_rules_does_not_pass)
{
	const struct text ok = hello("ok.example", false), choice = answer(_i);
	begin(by_version);
	ck_assert(was_accepted(say(0, &ok)));
	struct rig_packet *p = say(1, &choice);
	ck_assert(_i ? was_accepted(p) : was_dropped(p));
	ck_assert_uint_eq(rig_got(r, 1).n, _i ? choice.n : 0);
	finish();
}
END_TEST

START_TEST(an_answer_that_is_no_tls_does_not_pass)
{
	const struct text ok = hello("ok.example", false);
	begin(by_name);
	ck_assert(was_accepted(say(0, &ok)));
	ck_assert(was_dropped(rig_say(&c, 1, "HTTP/1.1 400 Bad Request\r\n\r\n")));
	ck_assert(rig_has_got(r, 1, ""));
	finish();
}
END_TEST

START_TEST(a_new_policy_lets_go_on_or_ends_what_it_cannot_read)
{
	const struct text ok = hello("ok.example", false), choice = answer(true);
	const struct text more = data(0xbb);
	begin(by_name);
	(void)say(0, &ok);
	(void)say(1, &choice);
	r->has_receivers = false;
	rig_use(r, by_name, NULL);
	struct rig_packet *p = say(0, &more);
	ck_assert(was_accepted(p) && p->has_mark);
	ck_assert_uint_eq(p->mark, offloaded());
	rig_use(r, "version: 1\n", NULL);
	ck_assert(was_dropped(say(0, &more)));
	finish();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine tls");
	TCase *tc = tcase_create("tls");
	tcase_add_loop_test(tc, no_byte_of_a_hello_for_another_name_reaches_the_server, 0, 2);
	tcase_add_test(tc, an_allowed_hello_passes_whole);
	tcase_add_loop_test(tc, early_data_waits_for_the_verdict_on_the_name, 0, 2);
	tcase_add_test(tc, a_refused_client_is_told_by_an_alert);
	tcase_add_test(tc, http_where_tls_is_allowed_is_refused);
	tcase_add_test(tc, an_allowed_connection_is_left_to_the_kernel_after_the_choice);
	tcase_add_loop_test(tc, a_choice_of_an_older_version_than_the_rules_does_not_pass, 0, 2);
	tcase_add_test(tc, an_answer_that_is_no_tls_does_not_pass);
	tcase_add_test(tc, a_new_policy_lets_go_on_or_ends_what_it_cannot_read);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	const int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
