/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What tests/proto/cases/tls_*.txt cannot say: the digest against its twin in libcrypto, and the
 * refusal. */
#include <check.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "bridgewarden/dissect.h"
#include "tls/tls_sha256.h"

extern const struct dissector tls_dissector;

/* ---- the digest ---- */

static void digest_in_parts(struct bytes b, size_t step, uint8_t out[TLS_SHA256_SIZE])
{
	struct tls_sha256 s;
	tls_sha256_init(&s);
	for (size_t at = 0; at < b.n; at += step)
		tls_sha256_add(&s, bytes_slice(b, at, step));
	tls_sha256_end(&s, out);
}

static void assert_digest(struct bytes b, size_t step)
{
	uint8_t ours[TLS_SHA256_SIZE], theirs[EVP_MAX_MD_SIZE];
	unsigned n;
	digest_in_parts(b, step, ours);
	ck_assert_int_eq(EVP_Digest(b.p, b.n, theirs, &n, EVP_sha256(), NULL), 1);
	ck_assert_uint_eq(n, sizeof ours);
	ck_assert_msg(memcmp(ours, theirs, sizeof ours) == 0, "%zu bytes in steps of %zu", b.n,
		      step);
}

START_TEST(digest_is_that_of_libcrypto_at_every_length)
{
	uint8_t text[400];
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (uint8_t)(i * 167 + 13);
	for (size_t n = 0; n <= sizeof text; n++)
		assert_digest(bytes_of(text, n), n + 1);
}
END_TEST

START_TEST(digest_does_not_depend_on_the_parts)
{
	uint8_t text[300];
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (uint8_t)(i * 31);
	for (size_t step = 1; step <= sizeof text; step++)
		assert_digest(bytes_of(text, sizeof text), step);
}
END_TEST

START_TEST(digest_of_a_megabyte)
{
	static uint8_t text[1024 * 1024];
	memset(text, 'a', sizeof text);
	assert_digest(bytes_of(text, sizeof text), 1000);
}
END_TEST

/* ---- the refusal ---- */

static void count_events(void *ctx, const struct dis_event *event)
{
	unsigned *n = ctx;
	*n += event->kind == DIS_REQUEST;
}

static void no_edit(void *ctx, size_t offset, struct bytes with)
{
	(void)ctx, (void)offset, (void)with; /* this dissector replaces nothing */
	ck_abort_msg("an edit");
}

/* A hello of that version without extensions; its length. */
static size_t put_hello(uint8_t minor, uint8_t out[64])
{
	static const uint8_t head[] = {22, 3, 1, 0, 45, 1, 0, 0, 41, 3};
	static const uint8_t tail[] = {0, 0, 2, 0x13, 1, 1, 0};
	memset(out, 0, 64);
	memcpy(out, head, sizeof head);
	out[10] = minor;
	memcpy(out + 43, tail, sizeof tail);
	return 50;
}

static size_t refusal_of(uint8_t minor, size_t cut, uint8_t *out)
{
	_Alignas(16) uint8_t state[DIS_STATE_MAX] = {0};
	uint8_t hello[64];
	unsigned n_requests = 0;
	const struct dis_sink sink = {.event = count_events, .edit = no_edit, .ctx = &n_requests};
	const struct bytes unit = bytes_of(hello, put_hello(minor, hello) - cut);
	const struct dis_result r = tls_dissector.feed(state, 6, DIS_TO_SERVER, unit, &sink);
	ck_assert_int_eq(r.status, cut ? DIS_MORE : DIS_DONE);
	ck_assert_uint_eq(n_requests, !cut);
	return tls_dissector.refuse(state, 6, unit, bytes_str("no"), out);
}

START_TEST(refuses_by_an_alert_in_the_clients_version)
{
	static const uint8_t minors[][2] = {{0, 0}, {1, 1}, {2, 2}, {3, 3}, {4, 3}};
	uint8_t out[DIS_REFUSAL_MAX];
	const uint8_t *minor = minors[_i];
	const uint8_t alert[] = {21, 3, minor[1], 0, 2, 2, 49};
	ck_assert_uint_eq(refusal_of(minor[0], 0, out), sizeof alert);
	ck_assert_mem_eq(out, alert, sizeof alert);
}
END_TEST

START_TEST(has_no_words_before_the_hello_is_whole)
{
	uint8_t out[DIS_REFUSAL_MAX];
	ck_assert_uint_eq(refusal_of(3, 1, out), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tls");
	TCase *tc = tcase_create("tls");
	tcase_add_test(tc, digest_is_that_of_libcrypto_at_every_length);
	tcase_add_test(tc, digest_does_not_depend_on_the_parts);
	tcase_add_test(tc, digest_of_a_megabyte);
	tcase_add_loop_test(tc, refuses_by_an_alert_in_the_clients_version, 0, 5);
	tcase_add_test(tc, has_no_words_before_the_hello_is_whole);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	const int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
