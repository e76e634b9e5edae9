/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Selectors that nobody fits: {all: [host, a/db]}, {all: [a/db, not:a/db]}. Only what is certain
 * counts. */
#include "policy/glob.h"
#include "policy/selector.h"
#include "policy/side.h"

/* Identities of identities may expand far; past this nothing is certain. */
enum { VISITS_MAX = 1 << 14 };

struct emptiness {
	const struct policy *policy;
	size_t n_visits;
};

static bool is_of_endpoints(const struct atom *a)
{
	return a->kind >= ATOM_SERVICE && a->kind <= ATOM_NETWORK;
}

static bool differ(const char *a, const char *b)
{
	return glob_is_literal(bytes_str(a)) && glob_is_literal(bytes_str(b)) && strcmp(a, b) != 0;
}

static bool cidr_is_private(const struct atom *a)
{
	return a->kind == ATOM_CIDR && prefix_is_private(&a->addr, a->length);
}

static bool kinds_exclude(const struct atom *a, const struct atom *b)
{
	if (a->kind == ATOM_HOST)
		return is_of_endpoints(b) || b->kind == ATOM_INTERNET;
	return a->kind == ATOM_INTERNET && (is_of_endpoints(b) || cidr_is_private(b));
}

/* A container has one name, one service and one image, and one value for a label; it may be on
 * several networks. */
static bool atoms_exclude(const struct atom *a, const struct atom *b)
{
	if (a->kind != b->kind)
		return kinds_exclude(a, b) || kinds_exclude(b, a);
	switch (a->kind) {
	case ATOM_SERVICE:
		return differ(a->a, b->a) || differ(a->b, b->b);
	case ATOM_CONTAINER:
	case ATOM_IMAGE:
		return differ(a->a, b->a);
	case ATOM_LABEL:
		return strcmp(a->a, b->a) == 0 && differ(a->b, b->b);
	case ATOM_CIDR:
		return !atoms_overlap(a, b);
	case ATOM_ANY:
	case ATOM_HOST:
	case ATOM_INTERNET:
	case ATOM_NETWORK:
		break;
	}
	return false;
}

static const struct expr *follow(const struct policy *policy, const struct expr *expr)
{
	while (expr->kind == EXPR_NAMED)
		expr = &policy->identities[expr->number].expr;
	return expr;
}

/* Does `wide` surely take all that `narrow`, an atom, takes? */
static bool takes_all(struct emptiness *e, const struct expr *wide, const struct atom *narrow)
{
	wide = follow(e->policy, wide);
	if (++e->n_visits > VISITS_MAX)
		return false;
	if (wide->kind == EXPR_ATOM)
		return atom_covers(&e->policy->atoms[wide->number], narrow);
	for (size_t i = 0; wide->kind == EXPR_OR && i < wide->n_kids; i++)
		if (takes_all(e, &wide->kids[i], narrow))
			return true;
	return false;
}

static bool exclude(struct emptiness *e, const struct expr *a, const struct expr *b);

/* Each alternative of a list is excluded. */
static bool all_excluded(struct emptiness *e, const struct expr *list, const struct expr *b)
{
	for (size_t i = 0; i < list->n_kids; i++)
		if (!exclude(e, &list->kids[i], b))
			return false;
	return list->n_kids > 0;
}

static bool exclude(struct emptiness *e, const struct expr *a, const struct expr *b)
{
	a = follow(e->policy, a);
	b = follow(e->policy, b);
	if (++e->n_visits > VISITS_MAX)
		return false;
	if (a->kind == EXPR_OR)
		return all_excluded(e, a, b);
	if (b->kind == EXPR_OR)
		return all_excluded(e, b, a);
	if (a->kind == EXPR_ATOM && b->kind == EXPR_ATOM)
		return atoms_exclude(&e->policy->atoms[a->number], &e->policy->atoms[b->number]);
	if (a->kind == EXPR_NOT && b->kind == EXPR_ATOM)
		return takes_all(e, &a->kids[0], &e->policy->atoms[b->number]);
	if (a->kind == EXPR_ATOM && b->kind == EXPR_NOT)
		return takes_all(e, &b->kids[0], &e->policy->atoms[a->number]);
	return false;
}

static bool is_any(const struct policy *policy, const struct expr *expr)
{
	expr = follow(policy, expr);
	return expr->kind == EXPR_ATOM && policy->atoms[expr->number].kind == ATOM_ANY;
}

bool expr_may_match(const struct policy *policy, const struct expr *expr, const struct expr **a,
		    const struct expr **b)
{
	struct emptiness e = {.policy = policy};
	expr = follow(policy, expr);
	if (expr->kind == EXPR_NOT && is_any(policy, &expr->kids[0])) {
		*a = *b = &expr->kids[0];
		return false;
	}
	for (size_t i = 0; expr->kind == EXPR_AND && i < expr->n_kids; i++) {
		for (size_t j = 0; j < i; j++) {
			if (!exclude(&e, &expr->kids[j], &expr->kids[i]))
				continue;
			*a = &expr->kids[j];
			*b = &expr->kids[i];
			return false;
		}
	}
	return true;
}
