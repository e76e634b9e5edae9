/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Regular expressions, compiled at load time to a table: one step a byte at match time, no memory,
 * no backtracking, whatever the text. What would need more states or more work than the caps is
 *refused at load.
 *
 *	abc  .  [a-z0-9_]  [^/]  \d \w \s \D \W \S  \xHH  \t \n \r  \ before punctuation
 *	( )  (?: )  |  * + ?  {m} {m,} {m,n}
 *
 * The whole text must match. Bytes, not characters; `.` is any byte. No anchors, no lazy or
 * possessive repeats, no look-around, no references back: the first are not needed, the others no
 * table can do.
 */
#ifndef POLICY_REGEX_H
#define POLICY_REGEX_H

#include "bridgewarden/bytes.h"

enum {
	REGEX_MAX = 1000,	 /* bytes of an expression */
	REGEX_STATES_MAX = 1000, /* of the table */
	/* Building it, in operations on words of 64 instructions: about a tenth of a second. */
	REGEX_WORK_MAX = 1 << 28,
};

/*
 * A row a state, of n_classes steps and, at its end, 1 where the text may stop. State 0 takes
 * nothing any more; state 1 is the first.
 */
struct machine {
	uint16_t n_states, n_classes;
	uint8_t class_of[256];
	uint16_t *steps; /* owned; n_states * (n_classes + 1) */
	size_t n_work;	 /* what building it took, or what was done until it was refused */
};

/* 0; -ENOMEM; -EINVAL: *why says what is wrong, *at where in the expression; of *out only n_work is
 * set then. */
int regex_compile(struct bytes text, bool folds, struct machine *out, const char **why, size_t *at);
void machine_fini(struct machine *machine); /* a zeroed one is fine */

static inline size_t machine_n_steps(uint16_t n_states, uint16_t n_classes)
{
	return (size_t)n_states * (n_classes + 1u);
}

static inline bool machine_match(const uint8_t *class_of, const uint16_t *steps, uint16_t n_classes,
				 struct bytes text)
{
	size_t width = n_classes + 1u, state = 1;
	for (size_t i = 0; i < text.n && state; i++)
		state = steps[state * width + class_of[text.p[i]]];
	return steps[state * width + n_classes];
}

/* ---- between regex.c, which reads, and machine.c, which builds the table ---- */

enum { PROGRAM_MAX = 2000 };

enum op { OP_SET, OP_SPLIT, OP_JUMP, OP_END };

/* A set of bytes. */
struct byte_set {
	uint64_t bits[4];
};

static inline bool byte_set_has(const struct byte_set *s, unsigned c)
{
	return s->bits[c / 64] >> (c % 64) & 1;
}

/* What matches goes on at the next instruction; SPLIT goes on at both, JUMP at `a`. */
struct instruction {
	enum op op;
	uint32_t a, b;
	struct byte_set set;
};

struct program {
	struct instruction *v;
	size_t n;
};

int machine_build(const struct program *program, struct machine *out, const char **why);

#endif
