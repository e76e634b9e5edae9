/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A conversation with one dissector, held in memory before the clock runs: turns of bytes from
 * either side, which the dissector sees as the engine would show them.
 */
#ifndef BOUNDS_TALK_H
#define BOUNDS_TALK_H

#include "bridgewarden/dissect.h"

enum {
	TALK_BYTES_MAX = 128 * 1024, /* of one side */
	TALK_TURNS_MAX = 512,
};

struct talk_turn {
	enum dis_dir dir;
	size_t end; /* so many bytes of that side are there then */
};

struct talk {
	const struct dissector *dissector;
	uint8_t ip_proto;
	struct {
		uint8_t bytes[TALK_BYTES_MAX];
		size_t n;
	} side[2];
	struct talk_turn turns[TALK_TURNS_MAX];
	size_t n_turns;
	size_t n_before; /* turns that only lead up to what is measured */
};

enum talk_end { TALK_OPEN, TALK_STOPPED, TALK_REFUSED, TALK_NOT_MINE };

void talk_init(struct talk *t, const char *protocol, uint8_t ip_proto);
void talk_add(struct talk *t, enum dis_dir dir, struct bytes bytes);
/* A seed of the fuzzers (tests/fuzz/fuzz_dissector.c says how it is written). False: cannot be
 * read. */
bool talk_load(struct talk *t, const char *path);
/* What is measured begins here. */
void talk_mark(struct talk *t);

/* What one hearing cost behind the mark. */
struct talk_cost {
	double ns;
	size_t n_bytes;
	unsigned n_judged; /* events that a policy judges: requests, logins, what is opaque */
	enum talk_end end;
};

/* step: bytes that arrive at once, 0: a turn at a time. */
struct talk_cost talk_measure(const struct talk *t, size_t step, uint64_t at_least_ns);
/* The same as nanoseconds a byte. */
double talk_cost(const struct talk *t, size_t step, uint64_t at_least_ns, enum talk_end *end);

#endif
