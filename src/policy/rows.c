/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Most sides of rules are a list of atoms: any of them will do. For those, each atom has a posting
 * list of rules, and a row is the union over the atoms of its set; an atom with many rules (`any`)
 * has a ready row that is or-ed in whole. Sides with `all` or `not` are evaluated per set, each
 * named identity at most once.
 */
#include "policy/rows.h"

#include "policy/image.h"

#include <errno.h>
#include <stdlib.h>

enum { ATOMS_FLAT_MAX = 256 }; /* a side with more is evaluated instead */

/* One side (from or to) of all rules. */
struct postings {
	struct numbers *by_atom;  /* rules, per atom */
	uint64_t **dense;	  /* per atom: a ready row, or NULL */
	struct numbers evaluated; /* rules whose side is no plain list */
};

struct filling {
	const struct policy *policy;
	const uint32_t *rules;
	size_t n_rules, n_words;
	const struct matching *matching;
	uint64_t *rows;
	bool is_to;
	struct postings postings;
	/* The set at hand: an atom is in it when its mark is the set's number + 1; the value of a
	 * named identity is known when its mark is. */
	uint32_t *atom_marks, *name_marks;
	bool *name_values;
	uint32_t mark;
	struct numbers flat;
};

static const struct expr *side_of(const struct filling *f, uint32_t bit)
{
	const struct rule *rule = &f->policy->rules[f->rules[bit]];
	return f->is_to ? &rule->to : &rule->from;
}

/* The atoms of a plain list into f->flat. False: it is something else, or long. */
static bool flatten(struct filling *f, const struct expr *expr)
{
	switch (expr->kind) {
	case EXPR_ATOM:
		return f->flat.n < ATOMS_FLAT_MAX && numbers_add(&f->flat, expr->number);
	case EXPR_NAMED:
		return flatten(f, &f->policy->identities[expr->number].expr);
	case EXPR_OR:
		for (size_t i = 0; i < expr->n_kids; i++)
			if (!flatten(f, &expr->kids[i]))
				return false;
		return true;
	case EXPR_AND:
	case EXPR_NOT:
		break;
	}
	return false;
}

static bool post(struct filling *f, uint32_t bit)
{
	f->flat.n = 0;
	if (!flatten(f, side_of(f, bit)))
		return numbers_add(&f->postings.evaluated, bit);
	for (size_t i = 0; i < f->flat.n; i++)
		if (!numbers_add(&f->postings.by_atom[f->flat.v[i]], bit))
			return false;
	return true;
}

static void set_bit(uint64_t *row, uint32_t bit)
{
	row[bit / 64] |= UINT64_C(1) << (bit % 64);
}

static bool make_dense(struct filling *f, size_t atom)
{
	const struct numbers *list = &f->postings.by_atom[atom];
	if (list->n <= f->n_words)
		return true;
	uint64_t *row = calloc(f->n_words, sizeof(*row));
	if (!row)
		return false;
	for (size_t i = 0; i < list->n; i++)
		set_bit(row, list->v[i]);
	f->postings.dense[atom] = row;
	return true;
}

static bool postings_build(struct filling *f)
{
	size_t n = f->policy->n_atoms + 1;
	f->postings.by_atom = calloc(n, sizeof(*f->postings.by_atom));
	f->postings.dense = calloc(n, sizeof(*f->postings.dense));
	if (!f->postings.by_atom || !f->postings.dense)
		return false;
	for (size_t i = 0; i < f->n_rules; i++)
		if (!post(f, (uint32_t)i))
			return false;
	for (size_t i = 0; i < f->policy->n_atoms; i++)
		if (!make_dense(f, i))
			return false;
	return true;
}

static void postings_fini(struct filling *f)
{
	for (size_t i = 0; i < f->policy->n_atoms; i++) {
		if (f->postings.by_atom)
			free(f->postings.by_atom[i].v);
		if (f->postings.dense)
			free(f->postings.dense[i]);
	}
	free(f->postings.by_atom);
	free(f->postings.dense);
	free(f->postings.evaluated.v);
	f->postings = (struct postings){0};
}

/* ---- evaluation ---- */

static bool holds(struct filling *f, const struct expr *expr);

static bool name_holds(struct filling *f, uint32_t name)
{
	if (f->name_marks[name] != f->mark) {
		f->name_values[name] = holds(f, &f->policy->identities[name].expr);
		f->name_marks[name] = f->mark;
	}
	return f->name_values[name];
}

static bool holds(struct filling *f, const struct expr *expr)
{
	switch (expr->kind) {
	case EXPR_ATOM:
		return f->atom_marks[expr->number] == f->mark;
	case EXPR_NAMED:
		return name_holds(f, expr->number);
	case EXPR_NOT:
		return !holds(f, &expr->kids[0]);
	case EXPR_OR:
		for (size_t i = 0; i < expr->n_kids; i++)
			if (holds(f, &expr->kids[i]))
				return true;
		return false;
	case EXPR_AND:
		for (size_t i = 0; i < expr->n_kids; i++)
			if (!holds(f, &expr->kids[i]))
				return false;
		return true;
	}
	return false;
}

static void fill_row(struct filling *f, const struct numbers *set, uint64_t *row)
{
	for (size_t i = 0; i < set->n; i++) {
		uint32_t atom = set->v[i];
		const struct numbers *list = &f->postings.by_atom[atom];
		const uint64_t *dense = f->postings.dense[atom];
		f->atom_marks[atom] = f->mark;
		for (size_t w = 0; dense && w < f->n_words; w++)
			row[w] |= dense[w];
		for (size_t k = 0; !dense && k < list->n; k++)
			set_bit(row, list->v[k]);
	}
	for (size_t i = 0; i < f->postings.evaluated.n; i++)
		if (holds(f, side_of(f, f->postings.evaluated.v[i])))
			set_bit(row, f->postings.evaluated.v[i]);
}

static void sum_up(uint64_t *sums, const uint64_t *row, size_t n_words)
{
	for (size_t w = 0; w < n_words; w++)
		if (row[w])
			set_bit(sums, (uint32_t)w);
}

static int fill_side(struct filling *f, bool is_to)
{
	f->is_to = is_to;
	size_t n_sums = image_sums_of(f->n_words);
	bool good = postings_build(f);
	for (size_t i = 0; i < f->matching->n_sets && good; i++) {
		f->mark++;
		uint64_t *sums = f->rows + (i * 2 + is_to) * (n_sums + f->n_words);
		fill_row(f, &f->matching->sets[i], sums + n_sums);
		sum_up(sums, sums + n_sums, f->n_words);
	}
	postings_fini(f);
	return good ? 0 : -ENOMEM;
}

int rows_fill(const struct policy *policy, const uint32_t *rules, size_t n_rules,
	      const struct matching *matching, uint64_t *rows, size_t n_words)
{
	struct filling f = {.policy = policy,
			    .rules = rules,
			    .n_rules = n_rules,
			    .n_words = n_words,
			    .matching = matching,
			    .rows = rows};
	f.atom_marks = calloc(policy->n_atoms + 1, sizeof(*f.atom_marks));
	f.name_marks = calloc(policy->n_identities + 1, sizeof(*f.name_marks));
	f.name_values = calloc(policy->n_identities + 1, sizeof(*f.name_values));
	int e = f.atom_marks && f.name_marks && f.name_values ? 0 : -ENOMEM;
	if (e == 0)
		e = fill_side(&f, false);
	if (e == 0)
		e = fill_side(&f, true);
	free(f.atom_marks);
	free(f.name_marks);
	free(f.name_values);
	free(f.flat.v);
	return e;
}
