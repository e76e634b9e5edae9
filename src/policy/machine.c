/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program as a table, by subsets: a state is the set of instructions at which the text may be.
 * Bytes that no instruction tells apart are one class, so a row is as wide as the expression has
 * differences.
 */
#include "policy/regex.h"

#include "policy/strmap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	WORDS = (PROGRAM_MAX + 63) / 64,
	VISIT_WORK = 4, /* an instruction that is looked at, against a word */
	STEP_WORK = 64, /* a word of a set that is cleared, hashed byte by byte and compared */
};

static const char TOO_MANY_STATES[] =
	"it needs too many states: use smaller repeats, or several patterns";
static const char TOO_MUCH_WORK[] =
	"it needs too much work: use smaller repeats, or several patterns";

/* A set of instructions. */
struct place_set {
	uint64_t bits[WORDS];
};

struct building {
	const struct program *program;
	struct place_set *closures; /* by instruction: SETs and END that it leads to, once known */
	struct place_set *states;   /* REGEX_STATES_MAX */
	size_t n_states;
	struct strmap numbers; /* by state's set */
	size_t n_words;
	size_t n_work; /* as REGEX_WORK_MAX counts */
	uint8_t class_of[256];
	uint8_t byte_of[256]; /* one of each class */
	uint16_t n_classes;
};

/* ---- classes ---- */

/* Two bytes of one class stay together if the set has both or neither. */
static void split_classes(struct building *b, const struct byte_set *set)
{
	uint16_t new_of[256];
	memset(new_of, 0xff, sizeof(new_of));
	bool has_kept[256] = {false};
	for (unsigned c = 0; c < 256; c++)
		has_kept[b->class_of[c]] |= !byte_set_has(set, c);
	for (unsigned c = 0; c < 256; c++) {
		unsigned old = b->class_of[c];
		if (!byte_set_has(set, c) || !has_kept[old])
			continue;
		if (new_of[old] == UINT16_MAX)
			new_of[old] = b->n_classes++;
		b->class_of[c] = (uint8_t)new_of[old];
	}
}

static void build_classes(struct building *b)
{
	b->n_classes = 1;
	for (size_t i = 0; i < b->program->n; i++)
		if (b->program->v[i].op == OP_SET)
			split_classes(b, &b->program->v[i].set);
	for (unsigned c = 0; c < 256; c++)
		b->byte_of[b->class_of[c]] = (uint8_t)c;
}

/* ---- states ---- */

static bool has(const struct place_set *s, size_t i)
{
	return s->bits[i / 64] >> (i % 64) & 1;
}

static void put(struct place_set *s, size_t i)
{
	s->bits[i / 64] |= UINT64_C(1) << (i % 64);
}

/* Where the text may be without another byte. */
static void close_over(struct building *b, size_t start, struct place_set *out)
{
	const struct program *program = b->program;
	uint32_t stack[PROGRAM_MAX];
	struct place_set seen = {{0}};
	size_t n = 0;
	stack[n++] = (uint32_t)start;
	put(&seen, start);
	for (; n > 0; b->n_work += VISIT_WORK) {
		uint32_t at = stack[--n];
		const struct instruction *i = &program->v[at];
		const uint32_t next[2] = {i->a, i->b};
		if (i->op == OP_SET || i->op == OP_END)
			put(out, at);
		size_t n_next = i->op == OP_SPLIT ? 2 : i->op == OP_JUMP;
		for (size_t k = 0; k < n_next; k++) {
			if (has(&seen, next[k]))
				continue;
			put(&seen, next[k]);
			stack[n++] = next[k];
		}
	}
}

/* STRMAP_NONE: no room. */
static uint32_t intern(struct building *b, const struct place_set *set)
{
	size_t n = b->n_words * sizeof(set->bits[0]);
	uint32_t number = strmap_find(&b->numbers, set->bits, n);
	if (number != STRMAP_NONE || b->n_states == REGEX_STATES_MAX)
		return number;
	if (strmap_put(&b->numbers, set->bits, n, (uint32_t)b->n_states) < 0)
		return STRMAP_NONE;
	b->states[b->n_states] = *set;
	return (uint32_t)b->n_states++;
}

static void step(struct building *b, const struct place_set *from, uint8_t byte,
		 struct place_set *out)
{
	*out = (struct place_set){{0}};
	b->n_work += STEP_WORK * b->n_words;
	for (size_t w = 0; w < b->n_words; w++) {
		for (uint64_t left = from->bits[w]; left;
		     left &= left - 1, b->n_work += VISIT_WORK) {
			size_t at = w * 64 + (size_t)__builtin_ctzll(left);
			const struct instruction *i = &b->program->v[at];
			if (i->op != OP_SET || !byte_set_has(&i->set, byte))
				continue;
			for (size_t k = 0; k < b->n_words; k++)
				out->bits[k] |= b->closures[at + 1].bits[k];
			b->n_work += b->n_words;
		}
	}
}

/* 0; -ENOMEM; -EINVAL: *why says which cap it is. */
static int fill_row(struct building *b, size_t state, uint16_t *row, const char **why)
{
	const struct place_set from = b->states[state];
	for (unsigned c = 0; c < b->n_classes; c++) {
		struct place_set to;
		step(b, &from, b->byte_of[c], &to);
		uint32_t number = intern(b, &to);
		if (number == STRMAP_NONE && b->n_states < REGEX_STATES_MAX)
			return -ENOMEM;
		if (number == STRMAP_NONE || b->n_work > REGEX_WORK_MAX) {
			*why = number == STRMAP_NONE ? TOO_MANY_STATES : TOO_MUCH_WORK;
			return -EINVAL;
		}
		row[c] = (uint16_t)number;
	}
	row[b->n_classes] = has(&from, b->program->n - 1); /* END is the last instruction */
	return 0;
}

static int fill(struct building *b, struct machine *out, const char **why)
{
	const struct place_set nothing = {{0}};
	size_t width = b->n_classes + 1u;
	(void)intern(b, &nothing);	  /* state 0; the table is empty */
	(void)intern(b, &b->closures[0]); /* state 1: END at least is in it, so it is not empty */
	out->steps = calloc(REGEX_STATES_MAX, width * sizeof(*out->steps));
	if (!out->steps || b->n_states != 2)
		return -ENOMEM;
	for (size_t state = 0; state < b->n_states; state++) {
		int e = fill_row(b, state, out->steps + state * width, why);
		if (e < 0)
			return e;
	}
	out->n_states = (uint16_t)b->n_states;
	out->n_classes = b->n_classes;
	memcpy(out->class_of, b->class_of, sizeof(out->class_of));
	void *less = reallocarray(out->steps, b->n_states, width * sizeof(*out->steps));
	out->steps = less ? less : out->steps;
	return 0;
}

int machine_build(const struct program *program, struct machine *out, const char **why)
{
	struct building b = {.program = program, .n_words = (program->n + 63) / 64};
	int e = -ENOMEM;
	b.closures = calloc(program->n, sizeof(*b.closures));
	b.states = calloc(REGEX_STATES_MAX, sizeof(*b.states));
	if (b.closures && b.states) {
		for (size_t i = 0; i < program->n; i++)
			close_over(&b, i, &b.closures[i]);
		build_classes(&b);
		e = fill(&b, out, why);
	}
	if (e < 0)
		machine_fini(out);
	out->n_work = b.n_work;
	strmap_fini(&b.numbers);
	free(b.closures);
	free(b.states);
	return e;
}

void machine_fini(struct machine *machine)
{
	free(machine->steps);
	*machine = (struct machine){0};
}
