/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An atom without wildcards can only meet its own copy (it is unique), the patterns of its bucket
 * (its kind; of services the project, of labels the key) and what is in no bucket. Prefixes are
 * compared along the sorted list as far as one holds the other.
 */
#include "policy/neighbours.h"

#include "policy/glob.h"
#include "policy/selector.h"

#include <stdlib.h>

enum { NO_PARENT = UINT32_MAX };

struct atom_bucket {
	struct numbers all, patterns;
};

/* ---- the index of atoms ---- */

static bool has_project(const struct atom *a)
{
	return a->kind == ATOM_SERVICE && glob_is_literal(bytes_str(a->a));
}

static bool add_to_bucket(struct neighbours *n, uint32_t number)
{
	const struct atom *a = &n->policy->atoms[number];
	const char *part = a->kind == ATOM_SERVICE || a->kind == ATOM_LABEL ? a->a : "";
	char *key;
	int length = asprintf(&key, "%d/%s", (int)a->kind, part);
	if (length < 0)
		return false;
	uint32_t at = strmap_find(&n->bucket_numbers, key, (size_t)length);
	bool good = true;
	if (at == STRMAP_NONE) {
		at = (uint32_t)n->n_buckets;
		good = strmap_put(&n->bucket_numbers, key, (size_t)length, at) == 0 &&
		       ARRAY_ADD(n->buckets, n->n_buckets);
	}
	free(key);
	n->bucket_of[number] = at;
	return good && numbers_add(&n->buckets[at].all, number) &&
	       (atom_is_exact(a) || numbers_add(&n->buckets[at].patterns, number));
}

static bool index_atom(struct neighbours *n, uint32_t number)
{
	const struct atom *a = &n->policy->atoms[number];
	if (a->kind < ATOM_SERVICE)
		return numbers_add(&n->plain, number);
	if (a->kind == ATOM_CIDR)
		return numbers_add(&n->prefixes, number);
	if (a->kind == ATOM_SERVICE && !numbers_add(&n->services, number))
		return false;
	if (a->kind == ATOM_SERVICE && !has_project(a))
		return numbers_add(&n->wide, number);
	return add_to_bucket(n, number);
}

static int compare_prefixes(const void *x, const void *y, void *atoms)
{
	const struct atom *a = (const struct atom *)atoms + *(const uint32_t *)x;
	const struct atom *b = (const struct atom *)atoms + *(const uint32_t *)y;
	int c = memcmp(&a->addr, &b->addr, sizeof(a->addr));
	return c ? c : a->length - b->length;
}

/* In the sorted order the holder of a prefix is the one before it, or one that holds that. */
static bool link_prefixes(struct neighbours *n)
{
	const struct atom *atoms = n->policy->atoms;
	if (n->prefixes.n > 1)
		qsort_r(n->prefixes.v, n->prefixes.n, sizeof(*n->prefixes.v), compare_prefixes,
			n->policy->atoms);
	n->parents = calloc(n->prefixes.n + 1, sizeof(*n->parents));
	for (size_t i = 0; n->parents && i < n->prefixes.n; i++) {
		uint32_t up = i ? (uint32_t)(i - 1) : NO_PARENT;
		while (up != NO_PARENT &&
		       !atom_covers(&atoms[n->prefixes.v[up]], &atoms[n->prefixes.v[i]]))
			up = n->parents[up];
		n->parents[i] = up;
		n->bucket_of[n->prefixes.v[i]] = (uint32_t)i;
	}
	return n->parents != NULL;
}

bool neighbours_init(struct neighbours *n, const struct policy *policy, const struct sides *sides)
{
	size_t room = policy->n_atoms + 1;
	*n = (struct neighbours){.policy = policy, .sides = sides};
	n->bucket_of = calloc(room, sizeof(*n->bucket_of));
	n->overlapping = calloc(room, sizeof(*n->overlapping));
	n->covering = calloc(room, sizeof(*n->covering));
	n->is_found = calloc(room, sizeof(*n->is_found));
	n->from_rules = calloc(room, sizeof(*n->from_rules));
	n->to_rules = calloc(room, sizeof(*n->to_rules));
	bool good = n->bucket_of && n->overlapping && n->covering && n->is_found && n->from_rules &&
		    n->to_rules;
	for (size_t i = 0; good && i < policy->n_atoms; i++)
		good = index_atom(n, (uint32_t)i);
	return good && link_prefixes(n);
}

static void free_lists(struct numbers *lists, size_t n)
{
	for (size_t i = 0; lists && i < n; i++)
		free(lists[i].v);
	free(lists);
}

void neighbours_fini(struct neighbours *n)
{
	size_t n_atoms = n->policy ? n->policy->n_atoms : 0;
	for (size_t i = 0; i < n->n_buckets; i++) {
		free(n->buckets[i].all.v);
		free(n->buckets[i].patterns.v);
	}
	free(n->buckets);
	strmap_fini(&n->bucket_numbers);
	free_lists(n->overlapping, n_atoms);
	free_lists(n->covering, n_atoms);
	free_lists(n->from_rules, n_atoms);
	free_lists(n->to_rules, n_atoms);
	free(n->bucket_of);
	free(n->parents);
	free(n->is_found);
	free(n->plain.v);
	free(n->prefixes.v);
	free(n->wide.v);
	free(n->services.v);
	free(n->any_from.v);
	free(n->any_to.v);
	free(n->all.v);
	*n = (struct neighbours){0};
}

/* ---- the neighbours of one atom ---- */

static bool meet(struct neighbours *n, uint32_t number, uint32_t other)
{
	const struct atom *a = &n->policy->atoms[number], *b = &n->policy->atoms[other];
	n->n_compared++;
	return (!atoms_overlap(a, b) || numbers_add(&n->overlapping[number], other)) &&
	       (!atom_covers(b, a) || numbers_add(&n->covering[number], other));
}

static bool meet_all(struct neighbours *n, uint32_t number, const struct numbers *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (!meet(n, number, list->v[i]))
			return false;
	return true;
}

/* What it holds stands right behind it. */
static bool meet_prefixes(struct neighbours *n, uint32_t number)
{
	const struct atom *atoms = n->policy->atoms;
	size_t at = n->bucket_of[number];
	for (size_t i = at; i < n->prefixes.n; i++) {
		if (!atom_covers(&atoms[number], &atoms[n->prefixes.v[i]]))
			break;
		if (!meet(n, number, n->prefixes.v[i]))
			return false;
	}
	for (uint32_t up = n->parents[at]; up != NO_PARENT; up = n->parents[up])
		if (!meet(n, number, n->prefixes.v[up]))
			return false;
	return true;
}

static bool meet_bucket(struct neighbours *n, uint32_t number)
{
	const struct atom_bucket *bucket = &n->buckets[n->bucket_of[number]];
	if (!atom_is_exact(&n->policy->atoms[number]))
		return meet_all(n, number, &bucket->all);
	return meet(n, number, number) && meet_all(n, number, &bucket->patterns);
}

static bool meet_kind(struct neighbours *n, uint32_t number)
{
	const struct atom *a = &n->policy->atoms[number];
	switch (a->kind) {
	case ATOM_ANY:
	case ATOM_HOST:
		return true;
	case ATOM_INTERNET:
		return meet_all(n, number, &n->prefixes);
	case ATOM_CIDR:
		return meet_prefixes(n, number);
	case ATOM_SERVICE:
		if (!has_project(a))
			return meet_all(n, number, &n->services);
		return meet_bucket(n, number) && meet_all(n, number, &n->wide);
	case ATOM_CONTAINER:
	case ATOM_IMAGE:
	case ATOM_LABEL:
	case ATOM_NETWORK:
		break;
	}
	return meet_bucket(n, number);
}

static bool find_neighbours(struct neighbours *n, uint32_t number)
{
	if (n->is_found[number])
		return true;
	n->is_found[number] = true;
	return meet_all(n, number, &n->plain) && meet_kind(n, number);
}

/* ---- rules ---- */

static bool is_anybody(const struct neighbours *n, const struct side *side)
{
	bool is_anybody = side->is_any;
	for (size_t i = 0; i < side->atoms.n && !is_anybody; i++)
		is_anybody = n->policy->atoms[side->atoms.v[i]].kind == ATOM_ANY;
	return is_anybody;
}

static bool list_side(struct neighbours *n, const struct side *side, uint32_t rule,
		      struct numbers *by_atom, struct numbers *any)
{
	if (is_anybody(n, side))
		return numbers_add(any, rule);
	for (size_t i = 0; i < side->atoms.n; i++)
		if (!numbers_add(&by_atom[side->atoms.v[i]], rule))
			return false;
	return true;
}

bool neighbours_choose(struct neighbours *n,
		       bool (*counts)(const struct policy *policy, const struct rule *rule))
{
	const struct policy *policy = n->policy;
	for (size_t i = 0; i < policy->n_atoms; i++)
		n->from_rules[i].n = n->to_rules[i].n = 0;
	n->any_from.n = n->any_to.n = n->all.n = 0;
	for (size_t i = 0; i < policy->n_rules; i++) {
		if (!counts(policy, &policy->rules[i]))
			continue;
		const struct sides *s = &n->sides[i];
		uint32_t rule = (uint32_t)i;
		if (!list_side(n, &s->from, rule, n->from_rules, &n->any_from) ||
		    !list_side(n, &s->to, rule, n->to_rules, &n->any_to) ||
		    !numbers_add(&n->all, rule))
			return false;
	}
	return true;
}

/* ---- finding ---- */

/* Where to look for rules: under these atoms, and among those that speak of anybody. */
struct places {
	const struct numbers *rules, *any; /* by atom; besides */
	struct numbers atoms;
	size_t n_rules; /* how many that gives */
	bool is_all;
};

static bool places_add(struct places *p, const struct numbers *atoms)
{
	for (size_t i = 0; i < atoms->n; i++) {
		p->n_rules += p->rules[atoms->v[i]].n;
		if (!numbers_add(&p->atoms, atoms->v[i]))
			return false;
	}
	return true;
}

static bool places_overlapping(struct neighbours *n, const struct side *side, struct places *p)
{
	p->is_all = is_anybody(n, side);
	p->n_rules = p->is_all ? n->all.n : p->any->n;
	for (size_t i = 0; i < side->atoms.n && !p->is_all; i++)
		if (!find_neighbours(n, side->atoms.v[i]) ||
		    !places_add(p, &n->overlapping[side->atoms.v[i]]))
			return false;
	return true;
}

static bool places_covering(struct neighbours *n, const struct atom *atom, struct places *p)
{
	p->n_rules = p->any->n;
	if (!atom)
		return true;
	uint32_t number = (uint32_t)(atom - n->policy->atoms);
	return find_neighbours(n, number) && places_add(p, &n->covering[number]);
}

static bool append(struct numbers *out, const struct numbers *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (!numbers_add(out, list->v[i]))
			return false;
	return true;
}

static bool collect(const struct neighbours *n, const struct places *p, struct numbers *out)
{
	out->n = 0;
	if (p->is_all)
		return append(out, &n->all);
	for (size_t i = 0; i < p->atoms.n; i++)
		if (!append(out, &p->rules[p->atoms.v[i]]))
			return false;
	if (!append(out, p->any))
		return false;
	numbers_sort(out);
	return true;
}

static bool collect_fewer(const struct neighbours *n, struct places *from, struct places *to,
			  struct numbers *out)
{
	bool good = collect(n, from->n_rules <= to->n_rules ? from : to, out);
	free(from->atoms.v);
	free(to->atoms.v);
	return good;
}

bool neighbours_overlapping(struct neighbours *n, const struct sides *sides, struct numbers *out)
{
	struct places from = {.rules = n->from_rules, .any = &n->any_from};
	struct places to = {.rules = n->to_rules, .any = &n->any_to};
	bool good = places_overlapping(n, &sides->from, &from);
	good = places_overlapping(n, &sides->to, &to) && good;
	return collect_fewer(n, &from, &to, out) && good;
}

bool neighbours_covering(struct neighbours *n, const struct atom *from_atom,
			 const struct atom *to_atom, struct numbers *out)
{
	struct places from = {.rules = n->from_rules, .any = &n->any_from};
	struct places to = {.rules = n->to_rules, .any = &n->any_to};
	bool good = places_covering(n, from_atom, &from);
	good = places_covering(n, to_atom, &to) && good;
	return collect_fewer(n, &from, &to, out) && good;
}
