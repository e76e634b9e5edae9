/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of a message, read one behind the other with what is remembered of those before (struct
 * dns_memo), against the naive twin that remembers nothing. The messages are random and full of
 * pointers; a failure names its seed.
 */
#include "dns/dns_message.h"

#include <check.h>
#include <stdlib.h>

enum { SEEDS = 20000, NAMES = 60, ROOM = 20000, STARTS = 1000 };

struct text {
	uint8_t p[ROOM];
	size_t n;
	size_t starts[STARTS], n_starts; /* of labels, pointers and ends */
	uint64_t dice;
};

static uint32_t below(struct text *t, uint32_t n)
{
	t->dice = t->dice * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(t->dice >> 33) % n;
}

static void put(struct text *t, unsigned c)
{
	t->p[t->n++] = (uint8_t)c;
}

static void note_start(struct text *t, size_t at)
{
	if (t->n_starts < STARTS)
		t->starts[t->n_starts++] = at;
}

/* Mostly to where a label begins, now and then to any place before. */
static void put_pointer(struct text *t)
{
	const uint32_t back = 1 + below(t, 60);
	size_t at = t->n > back ? t->n - back : 0;
	if (below(t, 80))
		at = t->starts[below(t, (uint32_t)t->n_starts)];
	put(t, 0xc0 | (at >> 8 & 0x3f));
	put(t, at & 0xff);
}

/* Short labels, then a pointer or the end. */
static void put_name(struct text *t)
{
	for (uint32_t n = below(t, 4); n > 0; n--) {
		const uint32_t length = 1 + below(t, 3);
		note_start(t, t->n);
		put(t, length);
		for (uint32_t i = 0; i < length; i++)
			put(t, below(t, 4));
	}
	const size_t here = t->n;
	if (t->n_starts && below(t, 8))
		put_pointer(t);
	else
		put(t, 0);
	note_start(t, here);
}

static void write_message(struct text *t, size_t at[NAMES])
{
	t->n = t->n_starts = 0;
	for (size_t i = 0; i < DNS_HEADER_SIZE; i++)
		put(t, 0);
	/* so that some names begin where no pointer reaches */
	for (uint32_t filler = below(t, 30) ? 0 : 17000; filler > 0; filler--)
		put(t, 1);
	for (size_t i = 0; i < NAMES; i++) {
		at[i] = t->n;
		put_name(t);
	}
}

static size_t read_name(struct dns_reader *d, struct dns_memo *memo, size_t at)
{
	*d = dns_reader_at(d->r.in, at);
	d->memo = memo;
	return dns_read_name(d, NULL);
}

/* False: the name is wrong, and so is the message. */
static bool same_name(struct bytes message, struct dns_memo *memo, size_t at, unsigned seed)
{
	struct dns_reader with = {.r = reader_of(message)}, without = with;
	const size_t wire = read_name(&with, memo, at), twin = read_name(&without, NULL, at);
	const bool is_right = reader_ok(&without.r);
	ck_assert_msg(reader_ok(&with.r) == is_right, "seed %u at %zu: %s, but %s", seed, at,
		      with.why ? with.why : "right", without.why ? without.why : "right");
	if (is_right)
		ck_assert_msg(wire == twin && with.r.pos == without.r.pos, "seed %u at %zu", seed,
			      at);
	return is_right;
}

START_TEST(remembered_names_are_what_the_naive_twin_reads)
{
	static struct text t;
	static struct dns_memo memo;
	unsigned n_right = 0, n_wrong = 0;
	for (unsigned seed = 0; seed < SEEDS; seed++) {
		size_t at[NAMES];
		t.dice = seed + 1;
		write_message(&t, at);
		memset(memo.wire, 0, sizeof(memo.wire));
		for (size_t i = 0; i < NAMES; i++) {
			if (!same_name(bytes_of(t.p, t.n), &memo, at[i], seed)) {
				n_wrong++;
				break;
			}
			n_right++;
		}
	}
	ck_assert_uint_gt(n_right, 10000);
	ck_assert_uint_gt(n_wrong, 1000);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dns names");
	TCase *tcase = tcase_create("names");
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, remembered_names_are_what_the_naive_twin_reads);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	const int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
