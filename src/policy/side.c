/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sides are compared atom by atom: equal, or one pattern covers the other, or one says `any`. `all`
 * counts as each of its parts and `not` as `any`: rather one `broad: true` too many than a hole.
 *
 * Atoms of different kinds count as different people, although one container may have both: a rule
 * for `container:web` may swallow one for `shop/web`, and one for `cidr:` one for a name, unseen.
 */
#include "policy/side.h"

#include "policy/selector.h"

#include <netinet/in.h>
#include <stdlib.h>

enum { SIDE_VISITS_MAX = 1 << 16 }; /* what one side may expand to; more counts as `any` */

/* ---- who ---- */

static bool side_fill(struct side *side, const struct policy *policy, const struct expr *expr)
{
	if (++side->n_visits > SIDE_VISITS_MAX) {
		side->is_any = true;
		side->is_simple = false;
		return true;
	}
	switch (expr->kind) {
	case EXPR_ATOM:
		return numbers_add(&side->atoms, expr->number);
	case EXPR_NAMED:
		return side_fill(side, policy, &policy->identities[expr->number].expr);
	case EXPR_NOT:
		side->is_any = true;
		side->is_simple = false;
		return true;
	case EXPR_AND:
		side->is_simple = false;
		break;
	case EXPR_OR:
		break;
	}
	for (size_t i = 0; i < expr->n_kids; i++)
		if (!side_fill(side, policy, &expr->kids[i]))
			return false;
	return true;
}

static const struct atom *side_atom(const struct side *side, size_t i)
{
	return &side->policy->atoms[side->atoms.v[i]];
}

bool side_init(struct side *side, const struct policy *policy, const struct expr *expr)
{
	*side = (struct side){.policy = policy, .is_simple = true};
	bool good = side_fill(side, policy, expr);
	side->is_exact =
		good && side->atoms.n == 1 && !side->is_any && atom_is_exact(side_atom(side, 0));
	return good;
}

void side_fini(struct side *side)
{
	free(side->atoms.v);
	*side = (struct side){0};
}

bool sides_overlap(const struct side *a, const struct side *b)
{
	if (a->is_exact && b->is_exact)
		return a->atoms.v[0] == b->atoms.v[0];
	if (a->is_any || b->is_any)
		return true;
	for (size_t i = 0; i < a->atoms.n; i++)
		for (size_t j = 0; j < b->atoms.n; j++)
			if (atoms_overlap(side_atom(a, i), side_atom(b, j)))
				return true;
	return false;
}

bool side_covers_atom(const struct side *side, const struct atom *atom)
{
	for (size_t i = 0; side->is_simple && i < side->atoms.n; i++) {
		const struct atom *own = side_atom(side, i);
		if (own->kind == ATOM_ANY || (atom && atom_covers(own, atom)))
			return true;
	}
	return false;
}

bool side_covers(const struct side *a, const struct side *b)
{
	if (!b->is_simple)
		return side_covers_atom(a, NULL);
	for (size_t j = 0; j < b->atoms.n; j++)
		if (!side_covers_atom(a, side_atom(b, j)))
			return false;
	return true;
}

bool side_is_everybody(const struct side *side)
{
	if (side_covers_atom(side, NULL))
		return true;
	for (size_t i = 0; side->is_simple && i < side->atoms.n; i++) {
		const struct atom *a = side_atom(side, i);
		bool is_v4 = a->kind == ATOM_CIDR && ip_addr_is_v4(&a->addr) && a->length == 96;
		if (a->kind == ATOM_INTERNET || (a->kind == ATOM_CIDR && a->length == 0) || is_v4)
			return true;
	}
	return false;
}

/* ---- applications and ports ---- */

bool apps_overlap(uint8_t unconstrained, uint8_t constrained)
{
	if (!app_is_raw(unconstrained))
		return app_set(unconstrained) & app_set(constrained);
	return (app_uses(unconstrained, IPPROTO_TCP) && app_uses(constrained, IPPROTO_TCP)) ||
	       (app_uses(unconstrained, IPPROTO_UDP) && app_uses(constrained, IPPROTO_UDP));
}

bool app_covers(uint8_t a, uint8_t b)
{
	if (a == b || a == APP_ANY)
		return true;
	if (app_is_raw(b))
		return false;
	if (!app_is_raw(a))
		return (app_set(b) & ~app_set(a)) == 0;
	return app_uses(b, IPPROTO_TCP) <= app_uses(a, IPPROTO_TCP) &&
	       app_uses(b, IPPROTO_UDP) <= app_uses(a, IPPROTO_UDP);
}

bool ports_overlap(const struct rule *a, const struct rule *b)
{
	if (a->n_ports == 0 || b->n_ports == 0)
		return true;
	for (size_t i = 0; i < a->n_ports; i++)
		for (size_t j = 0; j < b->n_ports; j++)
			if (a->ports[i].low <= b->ports[j].high &&
			    b->ports[j].low <= a->ports[i].high)
				return true;
	return false;
}

bool ports_cover(const struct rule *a, const struct rule *b)
{
	for (size_t j = 0; j < b->n_ports && a->n_ports; j++) {
		size_t i = 0;
		while (i < a->n_ports &&
		       (a->ports[i].low > b->ports[j].low || a->ports[i].high < b->ports[j].high))
			i++;
		if (i == a->n_ports)
			return false;
	}
	return a->n_ports == 0 || b->n_ports > 0;
}
