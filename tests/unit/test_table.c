/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The flow table in shared memory: look-up from both ends, limits, and what a new engine makes of
 * what a dead one left behind, whole, half changed or torn.
 */
#include "flow/table.h"

#include "stream/reasm.h"

#include <check.h>
#include <stdlib.h>

enum { MAX_FLOWS = 100, HELD = 64 * CHUNK_BYTES };

static const uint64_t hash_key[2] = {11, 22};
static struct shard shard;
static void *memory;

static void begin(void)
{
	size_t size = shard_size(MAX_FLOWS, HELD);
	memory = aligned_alloc(4096, size);
	ck_assert_ptr_nonnull(memory);
	memset(memory, 0, size);
	shard_format(memory, MAX_FLOWS, HELD, hash_key);
	ck_assert(shard_is_ours(memory, size));
	ck_assert_uint_eq(shard_adopt(&shard, memory), 0);
}

static void finish(void)
{
	free(memory);
}

static struct flow_key key_of(unsigned i)
{
	struct flow_key key = {.port = {(uint16_t)(1000 + i), 80}, .ip_proto = 6};
	const uint8_t a[4] = {198, 18, 0, 2}, b[4] = {198, 18, 0, 3};
	key.addr[0] = ip_addr_from(a, 4);
	key.addr[1] = ip_addr_from(b, 4);
	return key;
}

static struct flow_key reversed(struct flow_key key)
{
	return (struct flow_key){
		.addr = {key.addr[1], key.addr[0]},
		.port = {key.port[1], key.port[0]},
		.ip_proto = key.ip_proto,
	};
}

static struct flow *add(unsigned i)
{
	struct flow_key key = key_of(i);
	struct flow *f = flow_add(&shard, &key, 3);
	if (!f)
		return NULL;
	f->phase = FLOW_INSPECTING;
	flow_end_turn(&shard, f);
	return f;
}

static struct flow *find(unsigned i)
{
	struct flow_key key = key_of(i);
	unsigned dir;
	return flow_find(&shard, &key, &dir);
}

static void store(struct flow *f, unsigned side, uint32_t at, const char *text)
{
	uint8_t copy[64];
	for (size_t i = 0; text[i]; i++)
		copy[i] = (uint8_t)text[i];
	struct reasm_result r =
		reasm_write(&shard.chunks, &f->half[side], at, copy, (uint32_t)strlen(text));
	ck_assert_int_eq(r.status, REASM_OK);
}

START_TEST(a_flow_is_found_from_both_ends)
{
	begin();
	struct flow *f = add(1);
	struct flow_key key = key_of(1), back = reversed(key);
	unsigned dir = 9;
	ck_assert_ptr_eq(flow_find(&shard, &key, &dir), f);
	ck_assert_uint_eq(dir, 0);
	ck_assert_ptr_eq(flow_find(&shard, &back, &dir), f);
	ck_assert_uint_eq(dir, 1);
	key.ip_proto = 17;
	ck_assert_ptr_null(flow_find(&shard, &key, &dir));
	key = key_of(1);
	key.port[0] = 80;
	key.port[1] = 1001;
	ck_assert_ptr_null(flow_find(&shard, &key, &dir));
	ck_assert(f->id >> 40 == 3);
	finish();
}
END_TEST

START_TEST(the_table_fills_and_empties)
{
	begin();
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < MAX_FLOWS; i++)
			ck_assert_ptr_nonnull(add(i));
		ck_assert_ptr_null(add(MAX_FLOWS));
		ck_assert_uint_eq(shard.n_flows, MAX_FLOWS);
		/* in another order than they came */
		for (unsigned i = 0; i < MAX_FLOWS; i++)
			flow_remove(&shard, find(i * 37 % MAX_FLOWS));
		ck_assert_uint_eq(shard.n_flows, 0);
		ck_assert_ptr_null(find(5));
	}
	finish();
}
END_TEST

START_TEST(removing_gives_everything_back)
{
	begin();
	struct flow *f = add(1);
	ck_assert(flow_open_session(&shard, f, 0));
	store(f, 0, 5, "gap");
	store(f, 1, 0, "text");
	ck_assert_uint_eq(shard.chunks.n_used, 2);
	uint32_t session = f->session;
	flow_remove(&shard, f);
	ck_assert_uint_eq(shard.chunks.n_used, 0);
	f = add(2);
	ck_assert(flow_open_session(&shard, f, 0));
	ck_assert_uint_eq(f->session, session);
	finish();
}
END_TEST

START_TEST(a_session_starts_from_zero)
{
	static const uint8_t zero[DIS_STATE_MAX];
	begin();
	for (uint8_t app = 0; app < n_dissectors; app++) {
		size_t n = dissectors[app]->state_size;
		struct flow *f = add(1);
		ck_assert(flow_open_session(&shard, f, app));
		memset(flow_session(&shard, f), 0xff, n);
		flow_remove(&shard, f);
		f = add(1);
		ck_assert(flow_open_session(&shard, f, app));
		ck_assert(memcmp(flow_session(&shard, f), zero, n) == 0);
		flow_remove(&shard, f);
	}
	finish();
}
END_TEST

START_TEST(each_protocol_has_room_for_its_state_and_no_neighbour_in_it)
{
	begin();
	for (unsigned i = 0; i < MAX_FLOWS; i++) {
		struct flow *f = add(i);
		uint8_t app = (uint8_t)(i % n_dissectors);
		ck_assert(flow_open_session(&shard, f, app));
		memset(flow_session(&shard, f), (int)i, dissectors[app]->state_size);
	}
	for (unsigned i = 0; i < MAX_FLOWS; i++) {
		const struct flow *f = find(i);
		const uint8_t *state = flow_session(&shard, f);
		for (size_t at = 0; at < dissectors[f->app]->state_size; at++)
			ck_assert_uint_eq(state[at], i);
		ck_assert_uint_eq((uintptr_t)state % SESSION_ALIGN, 0);
	}
	finish();
}
END_TEST

START_TEST(a_small_state_takes_a_small_slot)
{
	for (size_t n = 0; n <= DIS_STATE_MAX; n++) {
		size_t slot = session_slot(session_size(n));
		ck_assert_uint_ge(slot, n);
		ck_assert_uint_le(slot, n < 64 ? 160 : 4 * n + 160);
	}
}
END_TEST

/* ---- the next engine ---- */

START_TEST(adopted_flows_go_on)
{
	begin();
	for (unsigned i = 0; i < 50; i++) {
		struct flow *f = add(i);
		f->app = 0;
		ck_assert(flow_open_session(&shard, f, 0));
		*(uint8_t *)flow_session(&shard, f) = (uint8_t)i;
		store(f, 0, 0, "kept");
		f->n_held = 3;
		f->held = 7;
	}
	for (unsigned i = 0; i < 50; i += 2)
		flow_remove(&shard, find(i));
	memset(&shard, 0xee, sizeof(shard));
	ck_assert_uint_eq(shard_adopt(&shard, memory), 0);
	ck_assert_uint_eq(shard.n_flows, 25);
	ck_assert_uint_eq(shard.chunks.n_used, 25);
	for (unsigned i = 0; i < 50; i++) {
		struct flow *f = find(i);
		ck_assert_int_eq(f != NULL, i % 2);
		if (!f)
			continue;
		ck_assert_uint_eq(*(uint8_t *)flow_session(&shard, f), i);
		ck_assert_uint_eq(f->half[0].kept, CHUNK_BYTES);
		ck_assert_uint_eq(f->half[0].next, 4);
		/* the ids of what was held died with the engine that read them */
		ck_assert_uint_eq(f->n_held, 0);
		ck_assert_uint_eq(f->held, FLOW_NIL);
	}
	for (unsigned i = 0; i < MAX_FLOWS - 25; i++)
		ck_assert(flow_open_session(&shard, add(100 + i), 0));
	ck_assert_ptr_null(add(500));
	for (unsigned i = 0; i < 600; i++)
		if (find(i))
			flow_remove(&shard, find(i));
	ck_assert_uint_eq(shard.chunks.n_used, 0);
	finish();
}
END_TEST

/* A turn that began is undone: the flow, the dissector's state and the lists are as before. */
START_TEST(an_interrupted_turn_never_happened)
{
	begin();
	struct flow *f = add(1);
	f->app = 0;
	ck_assert(flow_open_session(&shard, f, 0));
	memset(flow_session(&shard, f), 1, dissectors[0]->state_size);
	store(f, 0, 0, "before");
	flow_begin(&shard, f);
	store(f, 0, 6, "during");
	store(f, 0, 100, "early");
	memset(flow_session(&shard, f), 2, dissectors[0]->state_size);
	f->phase = FLOW_DENIED;
	f->half[0].fed = 12;
	ck_assert_uint_eq(shard_adopt(&shard, memory), 0);
	f = find(1);
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(f->phase, FLOW_INSPECTING);
	ck_assert_uint_eq(f->half[0].next, 6);
	ck_assert_uint_eq(f->half[0].fed, 0);
	ck_assert_uint_eq(*(uint8_t *)flow_session(&shard, f), 1);
	/* once more: nothing is left in the journal */
	f->phase = FLOW_IDENTIFYING;
	ck_assert_uint_eq(shard_adopt(&shard, memory), 0);
	ck_assert_int_eq(find(1)->phase, FLOW_IDENTIFYING);
	flow_remove(&shard, find(1));
	ck_assert_uint_eq(shard.chunks.n_used, 0);
	finish();
}
END_TEST

START_TEST(a_removal_that_was_interrupted_is_undone)
{
	begin();
	struct flow *f = add(1);
	store(f, 0, 0, "kept");
	store(f, 0, 10, "early");
	flow_begin(&shard, f);
	flow_remove(&shard, f);
	ck_assert_uint_eq(shard_adopt(&shard, memory), 0);
	f = find(1);
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(shard.chunks.n_used, 2);
	uint8_t text[5] = "....";
	ck_assert(reasm_restore(&shard.chunks, &f->half[0], 0, text, 4));
	ck_assert_str_eq((char *)text, "kept");
	finish();
}
END_TEST

/* A flow that was being added is given up: its first packet comes again. */
START_TEST(a_flow_in_the_making_is_given_up)
{
	begin();
	struct flow_key key = key_of(1);
	struct flow *f = flow_add(&shard, &key, 0);
	f->phase = FLOW_IDENTIFYING;
	store(f, 0, 0, "text");
	ck_assert_uint_eq(shard_adopt(&shard, memory), 1);
	ck_assert_ptr_null(find(1));
	ck_assert_uint_eq(shard.n_flows, 0);
	ck_assert_uint_eq(shard.chunks.n_used, 0);
	ck_assert_ptr_nonnull(add(1));
	finish();
}
END_TEST

static void tear(unsigned how, struct flow *f, struct flow *other)
{
	struct chunk *chunks = shard.chunks.chunks;
	switch (how) {
	case 0:
		f->half[0].first = 0xdeadbeef;
		return;
	case 1:
		chunks[f->half[0].first].next = f->half[0].first;
		return;
	case 2:
		f->half[0].first = other->half[0].first;
		return;
	case 3:
		chunks[f->half[0].first].n = CHUNK_BYTES;
		return;
	case 4:
		f->session = 0x7fffffff;
		return;
	case 5:
		f->session = other->session;
		return;
	case 6:
		f->hash_next = 0xdeadbeef;
		return;
	default:
		chunks[f->half[0].first].next = shard.header->n_chunks;
	}
}

/* Damage gives up flows, never the table. */
START_TEST(torn_lists_do_no_harm)
{
	begin();
	for (unsigned i = 0; i < 4; i++) {
		struct flow *f = add(i);
		f->app = 0;
		ck_assert(flow_open_session(&shard, f, 0));
		store(f, 0, 0, "text");
		store(f, 0, 100, "early");
	}
	tear((unsigned)_i, find(1), find(2));
	memset(shard.buckets, 0xaa, 64); /* chains are not believed either */
	uint32_t lost = shard_adopt(&shard, memory);
	ck_assert_uint_eq(lost, _i == 6 ? 0 : 1);
	ck_assert_uint_eq(shard.n_flows, 4 - lost);
	ck_assert_ptr_nonnull(find(0));
	ck_assert_ptr_nonnull(find(3));
	for (unsigned i = 0; i < 4; i++)
		if (find(i))
			flow_remove(&shard, find(i));
	ck_assert_uint_le(shard.chunks.n_used, 2);
	for (unsigned i = 0; i < MAX_FLOWS; i++)
		ck_assert_ptr_nonnull(add(i));
	finish();
}
END_TEST

START_TEST(another_layout_is_not_ours)
{
	begin();
	size_t size = shard_size(MAX_FLOWS, HELD);
	struct shard_header *h = memory, good = *h;
	ck_assert(!shard_is_ours(memory, sizeof(*h) - 1));
	ck_assert(!shard_is_ours(memory, size - 1));
	h->magic++;
	ck_assert(!shard_is_ours(memory, size));
	*h = good;
	h->layout++;
	ck_assert(!shard_is_ours(memory, size));
	*h = good;
	h->max_flows *= 2;
	ck_assert(!shard_is_ours(memory, size));
	*h = good;
	h->n_buckets *= 2;
	ck_assert(!shard_is_ours(memory, size));
	*h = good;
	h->n_chunks = UINT32_MAX;
	ck_assert(!shard_is_ours(memory, size));
	*h = good;
	h->n_sessions *= 2;
	ck_assert(!shard_is_ours(memory, size));
	*h = good;
	h->high_water = MAX_FLOWS + 1;
	ck_assert(!shard_is_ours(memory, size));
	*h = good;
	ck_assert(shard_is_ours(memory, size));
	finish();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("table");
	TCase *tc = tcase_create("table");
	tcase_add_test(tc, a_flow_is_found_from_both_ends);
	tcase_add_test(tc, the_table_fills_and_empties);
	tcase_add_test(tc, removing_gives_everything_back);
	tcase_add_test(tc, a_session_starts_from_zero);
	tcase_add_test(tc, each_protocol_has_room_for_its_state_and_no_neighbour_in_it);
	tcase_add_test(tc, a_small_state_takes_a_small_slot);
	tcase_add_test(tc, adopted_flows_go_on);
	tcase_add_test(tc, an_interrupted_turn_never_happened);
	tcase_add_test(tc, a_removal_that_was_interrupted_is_undone);
	tcase_add_test(tc, a_flow_in_the_making_is_given_up);
	tcase_add_loop_test(tc, torn_lists_do_no_harm, 0, 8);
	tcase_add_test(tc, another_layout_is_not_ours);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
