/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ring between the engine and the control process, the keyed hash, and addresses as text.
 */
#include "base/ring.h"
#include "base/siphash.h"
#include "base/text.h"

#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

enum { CAPACITY = 4096, RECORD_MAX = 1024 };

static struct ring *ring;

static void begin(void)
{
	ring = aligned_alloc(64, ring_size(CAPACITY));
	ck_assert_ptr_nonnull(ring);
	ring_init(ring, CAPACITY);
}

static void finish(void)
{
	free(ring);
}

/* A record that tells its own number and length. */
static size_t record(uint8_t *out, uint32_t number)
{
	size_t n = 8 + number * 7919 % (RECORD_MAX - 8);
	memset(out, (int)number, n);
	memcpy(out, &number, sizeof(number));
	return n;
}

static bool put(uint32_t number, bool *was_empty)
{
	uint8_t bytes[RECORD_MAX];
	size_t n = record(bytes, number);
	return ring_put(ring, bytes, n, was_empty);
}

static bool take_is(uint32_t number)
{
	uint8_t expected[RECORD_MAX], got[RECORD_MAX];
	size_t n = record(expected, number);
	return ring_take(ring, CAPACITY, got, sizeof(got)) == n && memcmp(got, expected, n) == 0;
}

START_TEST(records_come_out_as_they_went_in)
{
	uint32_t in = 0, out = 0;
	uint64_t dice = 1;
	uint8_t nothing[RECORD_MAX];
	begin();
	for (int i = 0; i < 20000; i++) {
		bool was_empty, full = false;
		dice = dice * 6364136223846793005ULL + 1;
		for (unsigned n = (unsigned)(dice >> 60); n > 0 && !full; n--) {
			full = !put(in, &was_empty);
			in += !full;
		}
		for (unsigned n = (unsigned)(dice >> 56 & 15); n > 0 && out < in; n--)
			if (!take_is(out++))
				ck_abort_msg("record %u", out - 1);
	}
	while (out < in)
		ck_assert(take_is(out++));
	ck_assert_uint_eq(ring_take(ring, CAPACITY, nothing, sizeof(nothing)), 0);
	ck_assert_uint_gt(in, 10000);
	finish();
}
END_TEST

START_TEST(a_full_ring_changes_nothing)
{
	uint32_t in = 0;
	bool was_empty;
	begin();
	while (put(in, &was_empty))
		in++;
	uint64_t head = atomic_load(&ring->head);
	ck_assert(!put(in, &was_empty));
	ck_assert(atomic_load(&ring->head) == head);
	for (uint32_t out = 0; out < in; out++)
		ck_assert(take_is(out));
	finish();
}
END_TEST

START_TEST(a_record_larger_than_the_ring_is_refused)
{
	static uint8_t big[2 * CAPACITY];
	bool was_empty;
	begin();
	ck_assert(!ring_put(ring, big, sizeof(big), &was_empty));
	ck_assert(!ring_put(ring, big, CAPACITY, &was_empty));
	ck_assert(ring_put(ring, big, CAPACITY - 8, &was_empty) && was_empty);
	finish();
}
END_TEST

/* The consumer sleeps only on an empty ring: whoever fills it must know. */
START_TEST(the_first_record_says_that_it_is_the_first)
{
	bool was_empty;
	begin();
	for (uint32_t i = 0; i < 100; i++) {
		ck_assert(put(2 * i, &was_empty) && was_empty);
		ck_assert(put(2 * i + 1, &was_empty) && !was_empty);
		ck_assert(take_is(2 * i) && take_is(2 * i + 1));
	}
	finish();
}
END_TEST

/* The producer parses hostile bytes and may have been taken over. */
START_TEST(a_damaged_ring_is_emptied)
{
	uint64_t dice = 5;
	bool was_empty;
	begin();
	for (int i = 0; i < 20000; i++) {
		uint8_t out[RECORD_MAX];
		while (put((uint32_t)i, &was_empty))
			;
		for (int k = 0; k < 3; k++) {
			dice = dice * 6364136223846793005ULL + 1;
			ring->data[dice >> 52] = (uint8_t)(dice >> 32);
		}
		if (i % 5 == 0)
			atomic_store(&ring->head, dice);
		ring->capacity = dice; /* the consumer has its own */
		unsigned n = 0;
		while (ring_take(ring, CAPACITY, out, sizeof(out)) > 0)
			ck_assert_msg(++n <= CAPACITY / 8, "no end");
		ring_init(ring, CAPACITY);
	}
	finish();
}
END_TEST

enum { EXCHANGED = 50000 };

static void *produce(void *unused)
{
	bool was_empty;
	for (uint32_t i = 0; i < EXCHANGED;) {
		if (put(i, &was_empty))
			i++;
		else
			(void)sched_yield(); /* full: let the other one run */
	}
	return unused;
}

START_TEST(two_threads_exchange_records)
{
	pthread_t producer;
	begin();
	ck_assert_int_eq(pthread_create(&producer, NULL, produce, NULL), 0);
	for (uint32_t i = 0; i < EXCHANGED;) {
		uint8_t expected[RECORD_MAX], got[RECORD_MAX];
		size_t n = ring_take(ring, CAPACITY, got, sizeof(got));
		if (n == 0) {
			(void)sched_yield(); /* empty */
			continue;
		}
		if (n != record(expected, i) || memcmp(got, expected, n) != 0)
			ck_abort_msg("record %u", i);
		i++;
	}
	(void)pthread_join(producer, NULL); /* it has ended: all were taken */
	finish();
}
END_TEST

/* ---- hash ---- */

/* The paper's description, word for word and slowly. */
static uint64_t slow_siphash13(const uint64_t key[2], const uint8_t *data, size_t n)
{
	uint64_t v[4] = {key[0] ^ 0x736f6d6570736575ULL, key[1] ^ 0x646f72616e646f6dULL,
			 key[0] ^ 0x6c7967656e657261ULL, key[1] ^ 0x7465646279746573ULL};
	for (size_t i = 0; i <= n / 8 + 3; i++) {
		bool is_final = i > n / 8;
		uint64_t m = 0;
		for (size_t k = 0; k < 8 && !is_final; k++) {
			size_t at = i * 8 + k;
			uint64_t byte = at < n ? data[at] : k == 7 && i == n / 8 ? n & 0xff : 0;
			m |= byte << (8 * k);
		}
		if (i == n / 8 + 1)
			v[2] ^= 0xff;
		v[3] ^= m;
		v[0] += v[1], v[2] += v[3];
		v[1] = (v[1] << 13 | v[1] >> 51) ^ v[0], v[3] = (v[3] << 16 | v[3] >> 48) ^ v[2];
		v[0] = v[0] << 32 | v[0] >> 32;
		v[2] += v[1], v[0] += v[3];
		v[1] = (v[1] << 17 | v[1] >> 47) ^ v[2], v[3] = (v[3] << 21 | v[3] >> 43) ^ v[0];
		v[2] = v[2] << 32 | v[2] >> 32;
		v[0] ^= m;
	}
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

START_TEST(the_hash_is_siphash_1_3)
{
	static const uint64_t key[2] = {0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};
	uint8_t data[64] = {0};
	ck_assert(siphash13(key, data, 0) == 0xabac0158050fc4dcULL);
	for (size_t n = 0; n < sizeof(data); n++) {
		data[n] = (uint8_t)n;
		ck_assert(siphash13(key, data, n) == slow_siphash13(key, data, n));
	}
}
END_TEST

/* ---- addresses ---- */

START_TEST(addresses_print_as_they_parse)
{
	static const char *const texts[] = {"0.0.0.0", "198.18.0.1", "255.255.255.255", "::",
					    "::1",     "fd00:18::2", "2001:db8::ffff"};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct ip_addr a;
		char out[IP_ADDR_TEXT];
		ck_assert(ip_addr_parse(texts[i], &a));
		ck_assert_str_eq(ip_addr_print(&a, out), texts[i]);
	}
}
END_TEST

START_TEST(what_is_no_address_is_refused)
{
	static const char *const texts[] = {"",		 "1.2.3",	"1.2.3.4.5", "256.1.1.1",
					    "01.2.3.4x", "fd00::18::2", "web",	     " 1.2.3.4"};
	struct ip_addr a;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_msg(!ip_addr_parse(texts[i], &a), "%s", texts[i]);
}
END_TEST

struct prefix_row {
	const char *text;
	bool good;
	uint8_t length;
	const char *inside, *outside;
};

static const struct prefix_row prefixes[] = {
	{"198.18.0.0/15", true, 111, "198.19.255.255", "198.20.0.0"},
	{"198.18.0.1", true, 128, "198.18.0.1", "198.18.0.2"},
	{"0.0.0.0/0", true, 96, "8.8.8.8", "fd00::1"},
	{"10.0.0.0/8", true, 104, "10.255.1.1", "11.0.0.0"},
	{"fd00:18::/33", true, 33, "fd00:18:7fff::1", "fd00:18:8000::"},
	{"::/0", true, 0, "10.0.0.1", NULL},
	{"fd00::1/128", true, 128, "fd00::1", "fd00::2"},
	{"198.18.0.1/15", false, 0, NULL, NULL},
	{"198.18.0.0/33", false, 0, NULL, NULL},
	{"198.18.0.0/-1", false, 0, NULL, NULL},
	{"198.18.0.0/", false, 0, NULL, NULL},
	{"198.18.0.0/+8", false, 0, NULL, NULL},
	{"198.18.0.0/15x", false, 0, NULL, NULL},
	{"198.18.0.0/99999999999999999999", false, 0, NULL, NULL},
	{"fd00::/129", false, 0, NULL, NULL},
	{"fd00::1/64", false, 0, NULL, NULL},
	{"/8", false, 0, NULL, NULL},
	{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/8", false, 0, NULL,
	 NULL},
};

START_TEST(prefixes_hold_what_lies_in_them)
{
	const struct prefix_row *row = &prefixes[_i];
	struct ip_addr prefix, a;
	uint8_t length;
	ck_assert_msg(ip_prefix_parse(row->text, &prefix, &length) == row->good, "%s", row->text);
	if (!row->good)
		return;
	ck_assert_uint_eq(length, row->length);
	ck_assert(ip_addr_parse(row->inside, &a) && ip_prefix_contains(&prefix, length, &a));
	if (row->outside)
		ck_assert(ip_addr_parse(row->outside, &a) &&
			  !ip_prefix_contains(&prefix, length, &a));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("base");
	TCase *tc = tcase_create("base");
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, records_come_out_as_they_went_in);
	tcase_add_test(tc, a_full_ring_changes_nothing);
	tcase_add_test(tc, a_record_larger_than_the_ring_is_refused);
	tcase_add_test(tc, the_first_record_says_that_it_is_the_first);
	tcase_add_test(tc, a_damaged_ring_is_emptied);
	tcase_add_test(tc, two_threads_exchange_records);
	tcase_add_test(tc, the_hash_is_siphash_1_3);
	tcase_add_test(tc, addresses_print_as_they_parse);
	tcase_add_test(tc, what_is_no_address_is_refused);
	tcase_add_loop_test(tc, prefixes_hold_what_lies_in_them, 0,
			    sizeof(prefixes) / sizeof(prefixes[0]));
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
