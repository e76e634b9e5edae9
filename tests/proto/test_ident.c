/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * No two dissectors claim the same first bytes: every fuzzing seed of every protocol, each of its
 * records as the begin of either side over either transport, finds at most one claimant. What is
 * random finds none, and who waits for more bytes waits for a bounded number.
 */
#include <check.h>
#include <glob.h>
#include <stdio.h>

#include "identify/claim.h"
#include "ident/ident.h"

enum { SEED_MAX = 80 * 1024, NOISE = 200000 };

static struct {
	size_t asked, claimed;
} totals;

static const char *name_claimants(uint8_t ip_proto, enum dis_dir dir, struct bytes in, int *n)
{
	static char names[512];
	names[0] = '\0';
	*n = 0;
	for (size_t i = 0; i < n_dissectors; i++)
		if (claim_does(dissectors[i], ip_proto, dir, in)) {
			strncat(names, dissectors[i]->name, sizeof names - strlen(names) - 2);
			strncat(names, " ", 2);
			++*n;
		}
	return names;
}

static void ask_all(const char *path, struct bytes in)
{
	static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP};
	for (size_t i = 0; i < 4; i++) {
		int n;
		const char *names = name_claimants(protos[i & 1], (enum dis_dir)(i >> 1), in, &n);
		ck_assert_msg(n <= 1, "%s: %s", path, names);
		totals.asked++;
		totals.claimed += n;
	}
}

/* The records of a seed as fuzz_dissector.c tells them; the first of each side is a beginning. */
static void ask_seed(const char *path)
{
	static uint8_t seed[SEED_MAX];
	FILE *f = fopen(path, "r");
	ck_assert_msg(f != NULL, "%s", path);
	const size_t size = fread(seed, 1, sizeof seed, f);
	fclose(f);
	struct reader r = reader_of(bytes_of(seed, size));
	bool seen[2] = {false, false};
	read_skip(&r, 1);
	while (reader_left(&r) > 0 && !(seen[0] && seen[1])) {
		const uint8_t head = read_u8(&r);
		const size_t n = (head & 0x7f) == 127 ? read_u16le(&r) : head & 0x7f;
		const struct bytes record =
			read_bytes(&r, n < reader_left(&r) ? n : reader_left(&r));
		if (!seen[head >> 7])
			ask_all(path, record);
		seen[head >> 7] = true;
	}
}

START_TEST(no_seed_has_two_claimants)
{
	glob_t found = {0};
	ck_assert_int_eq(glob(BW_SOURCE_DIR "/tests/fuzz/seeds/*/*", 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++)
		ask_seed(found.gl_pathv[i]);
	printf("%zu seeds, %zu questions, %zu claims\n", found.gl_pathc, totals.asked,
	       totals.claimed);
	ck_assert_uint_gt(totals.claimed, found.gl_pathc / 2);
	globfree(&found);
}
END_TEST

static uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static bool is_recognised_only(const struct dissector *d)
{
	return d->fields == ident_fields;
}

/* Lengths of 1 to 256 bytes; the first of them is one of a few, so that no begin is left out. */
START_TEST(noise_has_no_name)
{
	uint64_t x = 88172645463325252u;
	uint8_t noise[256];
	for (int i = 0; i < NOISE; i++) {
		const size_t n = 1 + (size_t)(next_random(&x) >> 8) % sizeof noise;
		for (size_t j = 0; j < n; j++)
			noise[j] = (uint8_t)(next_random(&x) >> 20);
		noise[0] = (uint8_t)i;
		for (size_t k = 0; k < n_dissectors; k++) {
			const struct dissector *d = dissectors[k];
			bool is_claimed = false;
			if (is_recognised_only(d))
				(void)claim_ask(d, d->ip_protos[i & (d->ip_protos[1] != 0)],
						(enum dis_dir)(i >> 1 & 1), bytes_of(noise, n),
						&is_claimed); /* only the claim counts */
			ck_assert_msg(!is_claimed, "%s claims noise", d->name);
		}
	}
}
END_TEST

/* One byte over and over decides every proof. */
START_TEST(nobody_waits_without_end)
{
	uint8_t same[IDENT_UNIT_MAX];
	for (int c = 0; c < 256; c++) {
		memset(same, c, sizeof same);
		for (size_t i = 0; i < 2 * n_dissectors; i++) {
			const struct dissector *d = dissectors[i / 2];
			bool is_claimed = false;
			if (!is_recognised_only(d) || d->ip_protos[0] != IPPROTO_TCP)
				continue;
			ck_assert_msg(claim_ask(d, IPPROTO_TCP, (enum dis_dir)(i & 1),
						bytes_of(same, sizeof same),
						&is_claimed) == DIS_NOT_MINE,
				      "%s waits behind %zu bytes 0x%02x", d->name, sizeof same, c);
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("identification");
	TCase *tcase = tcase_create("claims");
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, no_seed_has_two_claimants);
	tcase_add_test(tcase, noise_has_no_name);
	tcase_add_test(tcase, nobody_waits_without_end);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	const int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
