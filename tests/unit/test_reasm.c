/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reassembly against a naive twin: one record per byte of the stream, where the first copy wins.
 * Random programs of segments, overlaps, lies, skip regions, consumption, acknowledgements and an
 * exhausted pool, at sequence numbers that wrap; and every overlap of three segments in a small
 * range. A failure names its seed.
 */
#include "stream/reasm.h"

#include <check.h>
#include <stdlib.h>

enum { RANGE = 6000, N_CHUNKS = 64, SEEDS = 400, STEPS = 160 };

/* One byte of the stream. */
struct twin_byte {
	uint8_t value;
	bool came, is_kept; /* opaque bytes come, but are not kept */
};

struct twin {
	struct twin_byte byte[RANGE];
	uint32_t next, fed, acked;
	uint64_t skip;
};

struct bench {
	struct chunk_pool pool;
	struct chunk *chunks;
	struct half half;
	struct twin twin;
	uint32_t base; /* sequence number of byte 0 */
	uint64_t dice;
	unsigned seed;
};

static uint32_t below(struct bench *b, uint32_t n)
{
	b->dice = b->dice * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(b->dice >> 33) % n;
}

static void begin(struct bench *b, unsigned seed, uint32_t base, uint32_t n_chunks)
{
	*b = (struct bench){.seed = seed, .dice = seed + 1, .base = base};
	b->chunks = calloc(n_chunks, sizeof(*b->chunks));
	ck_assert_ptr_nonnull(b->chunks);
	chunk_pool_init(&b->pool, b->chunks, n_chunks);
	b->half = (struct half){.next = base,
				.fed = base,
				.passed = base,
				.acked = base,
				.first = FLOW_NIL,
				.last = FLOW_NIL,
				.is_tracked = true};
}

#define SEED_CHECK(b, condition)                                                                   \
	do {                                                                                       \
		if (!(condition))                                                                  \
			ck_abort_msg("seed %u base %u: %s", (b)->seed, (b)->base, #condition);     \
	} while (0)

/* Ascending, no overlap, each accounted for; and the two ends are right. */
static void check_list(struct bench *b)
{
	uint32_t kept = 0, last = FLOW_NIL, n = 0;
	for (uint32_t i = b->half.first; i != FLOW_NIL; i = b->chunks[i].next) {
		const struct chunk *c = &b->chunks[i];
		SEED_CHECK(b, ++n <= b->pool.n_chunks);
		SEED_CHECK(b, c->n > 0 && (c->is_void || c->n <= CHUNK_DATA));
		if (last != FLOW_NIL)
			SEED_CHECK(b, !seq_before(c->seq, b->chunks[last].seq + b->chunks[last].n));
		kept += CHUNK_BYTES;
		last = i;
	}
	SEED_CHECK(b, b->half.kept == kept);
	SEED_CHECK(b, b->half.last == last);
	SEED_CHECK(b, b->pool.n_used == n);
}

static void finish(struct bench *b)
{
	reasm_drop_all(&b->pool, &b->half);
	SEED_CHECK(b, b->pool.n_used == 0 && b->half.kept == 0);
	SEED_CHECK(b, b->half.first == FLOW_NIL && b->half.last == FLOW_NIL);
	free(b->chunks);
}

static void check_twin(struct bench *b)
{
	SEED_CHECK(b, b->half.next - b->base == b->twin.next);
	SEED_CHECK(b, b->half.fed - b->base == b->twin.fed);
	SEED_CHECK(b, b->half.skip == b->twin.skip);
	check_list(b);
}

static void twin_skip(struct twin *t)
{
	while (t->skip > 0 && t->fed < t->next) {
		t->fed++;
		t->skip--;
	}
}

/* What must leave: the first copy where one is kept, else what came. */
static void twin_write(struct twin *t, uint32_t at, const uint8_t *data, uint32_t n, uint8_t *out)
{
	for (uint32_t i = 0; i < n; i++) {
		struct twin_byte *byte = &t->byte[at + i];
		bool opaque = t->skip > 0 && at + i < t->fed + t->skip;
		out[i] = byte->is_kept ? byte->value : data[i];
		if (byte->came)
			continue;
		*byte = (struct twin_byte){.value = data[i], .came = true, .is_kept = !opaque};
	}
	while (t->next < RANGE && t->byte[t->next].came)
		t->next++;
}

/* Chunks go as wholes: what may still be there after an acknowledgement is what the list says. */
static void twin_release(struct bench *b)
{
	uint32_t done = b->twin.acked < b->twin.fed ? b->twin.acked : b->twin.fed;
	uint32_t first = b->half.first == FLOW_NIL ? done : b->chunks[b->half.first].seq - b->base;
	for (uint32_t i = 0; i < done && i < first; i++)
		b->twin.byte[i].is_kept = false;
	/* what is not acknowledged and judged is never given back */
	for (uint32_t i = done; i < b->twin.next; i++) {
		bool is_there = false;
		for (uint32_t k = b->half.first; k != FLOW_NIL; k = b->chunks[k].next)
			is_there |= !b->chunks[k].is_void &&
				    !seq_before(b->base + i, b->chunks[k].seq) &&
				    seq_before(b->base + i, b->chunks[k].seq + b->chunks[k].n);
		SEED_CHECK(b, is_there == b->twin.byte[i].is_kept);
	}
}

static void step_write(struct bench *b)
{
	uint8_t data[1500] = {0}, sent[1500], expected[1500];
	uint32_t at = below(b, 3)
			      ? b->twin.next + below(b, 40) - (b->twin.next > 40 ? below(b, 40) : 0)
			      : below(b, RANGE - 1);
	uint32_t n = 1 + (below(b, 4) ? below(b, 60) : below(b, 1400));
	at = at < RANGE ? at : RANGE - 1;
	n = at + n > RANGE ? RANGE - at : n;
	for (uint32_t i = 0; i < n; i++)
		data[i] = (uint8_t)(below(b, 8) ? 'a' + (at + i) % 26 : below(b, 256));
	memcpy(sent, data, n);
	struct twin before = b->twin;
	uint32_t next = b->half.next;
	struct reasm_result r = reasm_write(&b->pool, &b->half, b->base + at, data, n);
	if (r.status == REASM_FULL) {
		/* dropped: no order is given up, and the first copies that it may have left are
		 * still first */
		SEED_CHECK(b, b->half.next == next);
		for (uint32_t k = b->half.first; k != FLOW_NIL; k = b->chunks[k].next) {
			const struct chunk *c = &b->chunks[k];
			for (uint32_t i = 0; i < c->n; i++) {
				struct twin_byte *byte = &b->twin.byte[c->seq - b->base + i];
				SEED_CHECK(b, c->is_void || !byte->is_kept ||
						      byte->value == c->data[i]);
				if (!byte->came)
					*byte = (struct twin_byte){c->is_void ? 0 : c->data[i],
								   true, !c->is_void};
			}
		}
		check_list(b);
		return;
	}
	twin_write(&b->twin, at, sent, n, expected);
	SEED_CHECK(b, memcmp(data, expected, n) == 0);
	SEED_CHECK(b, r.rewritten == (memcmp(sent, expected, n) != 0));
	SEED_CHECK(b, r.in_order == (b->twin.next != before.next));
	bool is_old = false;
	for (uint32_t i = 0; i < n; i++)
		is_old |= before.byte[at + i].came;
	SEED_CHECK(b, r.is_old == is_old);
	reasm_skip(&b->half);
	twin_skip(&b->twin);
	check_twin(b);
}

static void step_consume(struct bench *b)
{
	static uint8_t scratch[RANGE];
	size_t max = 1 + below(b, RANGE);
	struct bytes slice = reasm_unconsumed(&b->pool, &b->half, scratch, max);
	if (b->twin.skip > 0) {
		SEED_CHECK(b, slice.n == 0);
		return;
	}
	uint32_t there = b->twin.next - b->twin.fed;
	SEED_CHECK(b, slice.n == (there < max ? there : max));
	for (size_t i = 0; i < slice.n; i++)
		SEED_CHECK(b, slice.p[i] == b->twin.byte[b->twin.fed + i].value);
	if (slice.n == 0)
		return;
	uint32_t n = 1 + below(b, (uint32_t)slice.n);
	uint64_t skip = below(b, 3) ? 0 : below(b, 500);
	/* what came early is kept: the region began later */
	reasm_consume(&b->half, n, skip);
	b->twin.fed += n;
	b->twin.skip = skip;
	twin_skip(&b->twin);
	check_twin(b);
}

static void step_acknowledge(struct bench *b)
{
	b->twin.acked += below(b, b->twin.next - b->twin.acked + 1);
	b->half.acked = b->base + b->twin.acked;
	reasm_release(&b->pool, &b->half);
	twin_release(b);
	check_list(b);
}

static void run(unsigned seed, uint32_t base, uint32_t n_chunks)
{
	static struct bench b;
	begin(&b, seed, base, n_chunks);
	for (int i = 0; i < STEPS; i++) {
		uint32_t dice = below(&b, 10);
		if (dice < 6)
			step_write(&b);
		else if (dice < 9)
			step_consume(&b);
		else
			step_acknowledge(&b);
	}
	finish(&b);
}

START_TEST(gives_what_the_naive_twin_gives)
{
	for (unsigned seed = 0; seed < SEEDS; seed++)
		run(seed, seed % 2 ? 0xfffff000u + seed : seed * 7919, 4096);
}
END_TEST

START_TEST(an_exhausted_pool_loses_nothing_that_was_taken)
{
	for (unsigned seed = 0; seed < SEEDS; seed++)
		run(seed, 0xffffff00u, 4 + seed % 12);
}
END_TEST

/* T10: PYROLYSE enumerates three chunks; here with every content clash, and an anchor before them
 * or not. */
START_TEST(every_overlap_of_three_segments)
{
	enum { SPAN = 6 };
	static struct bench b;
	unsigned number = 0;
	struct {
		uint32_t from, to;
	} range[21] = {0};
	unsigned n = 0;
	for (uint32_t from = 0; from < SPAN; from++)
		for (uint32_t to = from + 1; to <= SPAN; to++)
			range[n++].from = from, range[n - 1].to = to;
	for (unsigned i = 0; i < n * n * n; i++) {
		const unsigned pick[3] = {i % n, i / n % n, i / n / n};
		begin(&b, number++, 0xfffffffd, N_CHUNKS);
		for (unsigned k = 0; k < 3; k++) {
			uint8_t data[SPAN], expected[SPAN];
			uint32_t from = range[pick[k]].from, size = range[pick[k]].to - from;
			memset(data, (int)('A' + k), sizeof(data));
			uint8_t sent[SPAN];
			memcpy(sent, data, sizeof(sent));
			struct reasm_result r =
				reasm_write(&b.pool, &b.half, b.base + from, data, size);
			ck_assert(r.status == REASM_OK);
			twin_write(&b.twin, from, sent, size, expected);
			SEED_CHECK(&b, memcmp(data, expected, size) == 0);
			check_twin(&b);
		}
		finish(&b);
	}
}
END_TEST

START_TEST(an_edit_is_what_leaves_from_then_on)
{
	static struct bench b;
	uint8_t data[] = "0123456789", again[] = "0123456789";
	begin(&b, 0, 0xfffffffb, N_CHUNKS);
	ck_assert(reasm_write(&b.pool, &b.half, b.base, data, 10).in_order);
	reasm_edit(&b.pool, &b.half, b.base + 3, bytes_str("xyz"));
	ck_assert(reasm_restore(&b.pool, &b.half, b.base, data, 10));
	ck_assert_str_eq((char *)data, "012xyz6789");
	ck_assert(!reasm_restore(&b.pool, &b.half, b.base, data, 10));
	ck_assert(reasm_write(&b.pool, &b.half, b.base, again, 10).rewritten);
	ck_assert_str_eq((char *)again, "012xyz6789");
	finish(&b);
}
END_TEST

/* The share of one half: early bytes cannot fill the pool, and the filler of the gap always finds
 * room. */
START_TEST(early_bytes_leave_room_for_the_filler)
{
	static struct bench b;
	uint8_t byte = 'x';
	unsigned taken = 0;
	begin(&b, 0, 0, 256);
	for (uint32_t i = 0; i < 2000; i++)
		taken += reasm_write(&b.pool, &b.half, 2 + 2 * i, &byte, 1).status == REASM_OK;
	ck_assert_uint_gt(taken, 10);
	ck_assert_uint_lt(taken, 64);
	ck_assert(reasm_write(&b.pool, &b.half, 0, &byte, 1).status == REASM_OK);
	check_list(&b);
	finish(&b);
}
END_TEST

/* A long body costs nothing, whatever its length says. */
START_TEST(skipped_bytes_in_order_take_no_memory)
{
	static struct bench b;
	static uint8_t data[60000];
	begin(&b, 0, 0x7fff0000, 8);
	b.half.skip = UINT64_MAX;
	for (int i = 0; i < 1000; i++) {
		ck_assert(reasm_write(&b.pool, &b.half, b.half.next, data, sizeof(data)).in_order);
		reasm_skip(&b.half);
	}
	ck_assert_uint_eq(b.pool.n_used, 0);
	ck_assert(b.half.skip == UINT64_MAX - 60000000);
	finish(&b);
}
END_TEST

/* Hundreds of chunks beyond a gap, in any order, while the list loses its front: each byte is found
 * again, by those who lie about it and by those who read it. */
START_TEST(finds_the_place_of_a_byte_among_hundreds)
{
	static struct bench b;
	for (unsigned seed = 0; seed < 20; seed++) {
		begin(&b, seed, 0xfffff000, 8192);
		for (int i = 0; i < 1200 && b.twin.next < RANGE; i++) {
			const uint32_t room = (RANGE - 1 - b.twin.next) / 2;
			const uint32_t at =
				b.twin.next + 2 * below(&b, room < 400 ? room + 1 : 400);
			uint8_t byte = (uint8_t)below(&b, 256), sent = byte, expected = 0;
			const struct reasm_result r =
				reasm_write(&b.pool, &b.half, b.base + at, &byte, 1);
			ck_assert(r.status == REASM_OK);
			twin_write(&b.twin, at, &sent, 1, &expected);
			SEED_CHECK(&b, byte == expected);
			if (i % 40 == 39) {
				step_consume(&b);
				step_acknowledge(&b);
			}
		}
		check_twin(&b);
		finish(&b);
	}
}
END_TEST

/* A hint leads to a chunk that is still in the list, in order, and never too near. */
START_TEST(hints_stay_within_the_list)
{
	static struct bench b;
	unsigned n_hints = 0;
	begin(&b, 1, 0xfffff000, 8192);
	for (int i = 0; i < 4000; i++) {
		uint8_t byte = 1;
		const uint32_t at = 2 + 2 * below(&b, 400);
		ck_assert(reasm_write(&b.pool, &b.half, b.base + at, &byte, 1).status == REASM_OK);
	}
	for (uint32_t c = b.half.first; c != FLOW_NIL; c = b.chunks[c].next) {
		const uint32_t hint = b.chunks[c].hint;
		unsigned n_on = 0;
		uint32_t k = c;
		while (hint != FLOW_NIL && k != hint && k != FLOW_NIL) {
			k = b.chunks[k].next;
			n_on++;
		}
		ck_assert(hint == FLOW_NIL || (k == hint && n_on >= 16));
		n_hints += hint != FLOW_NIL;
	}
	ck_assert_uint_ge(n_hints, 8);
	check_list(&b);
	finish(&b);
}
END_TEST

static void fill_half(struct bench *b, uint8_t value, uint32_t n)
{
	static uint8_t data[RANGE];
	memset(data, value, sizeof(data));
	ck_assert(reasm_write(&b->pool, &b->half, b->half.next, data, n).in_order);
}

static bool all_are(struct bytes slice, uint8_t value, size_t n)
{
	for (size_t i = 0; i < slice.n; i++)
		if (slice.p[i] != value)
			return false;
	return slice.n == n;
}

/* The scratch holds what was put together last: that must be what is asked for now. */
START_TEST(what_was_put_together_is_used_for_the_same_bytes_alone)
{
	static struct bench b;
	static uint8_t scratch[RANGE];
	begin(&b, 0, 0, N_CHUNKS);
	const struct half empty = b.half;
	fill_half(&b, 'a', 5000);
	struct half other = b.half, one;
	ck_assert(all_are(reasm_unconsumed(&b.pool, &b.half, scratch, RANGE), 'a', 5000));
	one = b.half;
	b.half = empty; /* another stream at the same place */
	b.half.first = b.half.last = FLOW_NIL;
	fill_half(&b, 'b', 5000);
	other = b.half;
	ck_assert(all_are(reasm_unconsumed(&b.pool, &other, scratch, RANGE), 'b', 5000));
	ck_assert(all_are(reasm_unconsumed(&b.pool, &one, scratch, RANGE), 'a', 5000));
	ck_assert(all_are(reasm_unconsumed(&b.pool, &one, scratch, 3000), 'a', 3000));
	b.half = one;
	ck_assert(all_are(reasm_unconsumed(&b.pool, &b.half, scratch, RANGE), 'a', 5000));
	fill_half(&b, 'a', 500);
	ck_assert(all_are(reasm_unconsumed(&b.pool, &b.half, scratch, RANGE), 'a', 5500));
	reasm_edit(&b.pool, &b.half, 10, bytes_str("x"));
	ck_assert_uint_eq(reasm_unconsumed(&b.pool, &b.half, scratch, RANGE).p[10], 'x');
	reasm_drop_all(&b.pool, &b.half);
	b.half = empty;
	fill_half(&b, 'c', 5000);
	ck_assert(all_are(reasm_unconsumed(&b.pool, &b.half, scratch, RANGE), 'c', 5000));
	reasm_consume(&b.half, 100, 0);
	ck_assert(all_are(reasm_unconsumed(&b.pool, &b.half, scratch, RANGE), 'c', 4900));
	reasm_drop_all(&b.pool, &other);
	finish(&b);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("reasm");
	TCase *tc = tcase_create("reasm");
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, gives_what_the_naive_twin_gives);
	tcase_add_test(tc, an_exhausted_pool_loses_nothing_that_was_taken);
	tcase_add_test(tc, every_overlap_of_three_segments);
	tcase_add_test(tc, an_edit_is_what_leaves_from_then_on);
	tcase_add_test(tc, early_bytes_leave_room_for_the_filler);
	tcase_add_test(tc, skipped_bytes_in_order_take_no_memory);
	tcase_add_test(tc, finds_the_place_of_a_byte_among_hundreds);
	tcase_add_test(tc, hints_stay_within_the_list);
	tcase_add_test(tc, what_was_put_together_is_used_for_the_same_bytes_alone);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
