/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One conversation made of hostile bytes, for the dissector named by FUZZ_DISSECTOR.
 *
 *	input   = control, record...
 *	control : bits 0..6 seed the cuts, bit 7 chooses the second transport if there is one, or
 *the group record  = head, bytes head    : bit 7 is the direction, 1: to the client; bits 0..6 the
 *length of bytes, where 127 means that two bytes with the length follow, low byte first
 *
 * A control of 127 makes the rest the sentence of a policy test instead.
 *
 * The conversation is driven three times: in as large slices as possible, in small ones, and
 * with the server's bytes hidden as soon as that is allowed. drive.h checks the contract; the
 * first two runs must say the same and end alike. fuzz_main.c replays and mutates where no
 * libFuzzer is linked.
 */
#include "fuzz_dissector.h"

#include "drive.h"

enum { RECORDS_MAX = 64, CONTROL_SENTENCE = 127 };

struct record {
	enum dis_dir dir;
	struct bytes bytes;
};

struct talk {
	const struct dissector *d;
	uint8_t ip_proto;
	uint32_t seed;
	struct record v[RECORDS_MAX];
	size_t n;
};

static const struct dissector *find_dissector(const char *name)
{
	for (size_t i = 0; i < n_dissectors; i++)
		if (strcmp(dissectors[i]->name, name) == 0)
			return dissectors[i];
	fprintf(stderr, "%s is not in the list of dissectors\n", name);
	abort();
}

static void read_records(struct talk *t, struct reader r)
{
	while (t->n < RECORDS_MAX && reader_left(&r) > 0) {
		const uint8_t head = read_u8(&r);
		size_t n = head & 0x7f;
		if (n == 127)
			n = read_u16le(&r);
		if (n > reader_left(&r))
			n = reader_left(&r);
		t->v[t->n++] = (struct record){.dir = head & 0x80 ? DIS_TO_CLIENT : DIS_TO_SERVER,
					       .bytes = read_bytes(&r, n)};
	}
}

/* Bytes of one direction in a row arrive before the next direction's, in every run. */
static void end_of_turn(const struct talk *t, struct drive *v, size_t i)
{
	if (i + 1 == t->n || t->v[i + 1].dir != t->v[i].dir)
		drive_flush(v, t->v[i].dir);
}

static void run_large(const struct talk *t, struct drive *v)
{
	static uint8_t joined[DRIVE_BYTES_MAX];
	size_t n = 0;
	for (size_t i = 0; i < t->n; i++) {
		const struct record *r = &t->v[i];
		if (r->bytes.n)
			memcpy(joined + n, r->bytes.p, r->bytes.n);
		n += r->bytes.n;
		const bool is_last = i + 1 == t->n || t->v[i + 1].dir != r->dir;
		if (!is_last && v->ip_proto != IPPROTO_UDP)
			continue;
		if (n)
			drive_bytes(v, r->dir, bytes_of(joined, n));
		end_of_turn(t, v, i);
		n = 0;
	}
}

static void run_small(const struct talk *t, struct drive *v)
{
	uint32_t random = t->seed * 2654435761u + 1;
	for (size_t i = 0; i < t->n; i++) {
		const struct record *r = &t->v[i];
		for (size_t at = 0, step; at < r->bytes.n; at += step) {
			random = random * 1664525u + 1013904223u;
			step = 1 + (random >> 16) % (r->bytes.n > 2000 ? 600 : 1 + t->seed % 24);
			step = v->ip_proto == IPPROTO_UDP ? r->bytes.n : step;
			drive_bytes(v, r->dir, bytes_slice(r->bytes, at, step));
		}
		end_of_turn(t, v, i);
	}
}

static void check_equal(const struct drive *large, const struct drive *small)
{
	if (large->end == small->end && strcmp(large->log.text, small->log.text) == 0)
		return;
	fprintf(stderr, "cutting changed what was said\nlarge:\n%s= %s\nsmall:\n%s= %s\n",
		large->log.text, drive_outcome(large), small->log.text, drive_outcome(small));
	abort();
}

static void run_sentence(const struct dissector *d, struct bytes text)
{
	struct drive v;
	drive_init(&v, d, d->ip_protos[0]);
	const struct dis_sink sink = {.event = drive_event, .edit = drive_edit, .ctx = &v};
	v.is_claimed = true;
	if (d->say && !d->say(drive_show(text), &sink) && v.call.others)
		drive_fail(&v, "a sentence that cannot be read, and an event");
	drive_fini(&v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct talk t;
	struct drive large, small, blind;
	if (size < 2 || size > DRIVE_BYTES_MAX / 2)
		return 0;
	t = (struct talk){.d = find_dissector(FUZZ_DISSECTOR), .seed = data[0] & 0x7f};
	t.ip_proto = t.d->ip_protos[data[0] & 0x80 && t.d->ip_protos[1] ? 1 : 0];
	if (data[0] == CONTROL_SENTENCE) {
		run_sentence(t.d, bytes_of(data + 1, size - 1));
		return 0;
	}
	if (data[0] & 0x80 && t.d->group)
		t.ip_proto = DRIVE_GROUP;
	read_records(&t, reader_of(bytes_of(data + 1, size - 1)));

	drive_init(&large, t.d, t.ip_proto);
	run_large(&t, &large);
	drive_init(&small, t.d, t.ip_proto);
	run_small(&t, &small);
	check_equal(&large, &small);
	drive_init(&blind, t.d, t.ip_proto);
	blind.hides_replies = true;
	run_small(&t, &blind);
	drive_fini(&large);
	drive_fini(&small);
	drive_fini(&blind);
	return 0;
}
