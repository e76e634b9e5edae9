/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What must hold between rules. Two judgements, both on the text of selectors, since the
 * containers of tomorrow are unknown:
 *
 *	swallowed  an unconstrained allow covers a pair that another allow constrains, so the
 *	           constraint is void. The sides are compared atom by atom: equal, or one
 *	           pattern covers the other, or one says `any`.
 *	dead       an allow whose every pair an unconditional, enforced deny covers, so it can
 *	           never apply.
 *
 * `all` counts as each of its parts and `not` as `any`: rather one `broad: true` too many than a
 * hole.
 */
#include "policy/rules.h"

#include "policy/selector.h"

#include <netinet/in.h>
#include <stdlib.h>

enum {
	NAMED_DEPTH_MAX = 16,	   /* identities of identities */
	SIDE_VISITS_MAX = 1 << 16, /* what one side of a rule may expand to; more counts as `any` */
};

/* ---- names ---- */

static void resolve(struct loading *l, struct expr *expr)
{
	const struct expr *unknown = NULL;
	if (selector_resolve(l->policy, expr, &unknown))
		return;
	struct suggestion s = {.word = unknown->name};
	for (size_t i = 0; i < l->policy->n_identities; i++)
		suggestion_offer(&s, l->policy->identities[i].name);
	complain(l, &unknown->place, DIAG_ERROR, suggestion_hint(&s), "no identity is called `%s`",
		 unknown->name);
}

/* How deep identities refer to each other below expr; a circle is deeper than any limit. Depths are
 * kept per identity: 0 is unknown, otherwise depth + 1. */
static unsigned depth_of(const struct policy *policy, const struct expr *expr, unsigned *known,
			 unsigned budget)
{
	if (budget == 0)
		return NAMED_DEPTH_MAX + 1;
	unsigned depth = 0;
	if (expr->kind == EXPR_NAMED) {
		unsigned *k = &known[expr->number];
		if (*k == 0) {
			/* until it is known: what comes back here is a circle */
			*k = NAMED_DEPTH_MAX + 1;
			*k = 1 + depth_of(policy, &policy->identities[expr->number].expr, known,
					  budget - 1);
		}
		depth = *k;
	}
	for (size_t i = 0; i < expr->n_kids; i++) {
		unsigned d = depth_of(policy, &expr->kids[i], known, budget);
		depth = d > depth ? d : depth;
	}
	return depth;
}

static bool identities_end(struct loading *l)
{
	const struct policy *policy = l->policy;
	unsigned *known = calloc(policy->n_identities + 1, sizeof(*known));
	if (!known) {
		out_of_memory(l);
		return false;
	}
	bool good = true;
	for (size_t i = 0; i < policy->n_identities && good; i++) {
		good = depth_of(policy, &policy->identities[i].expr, known, NAMED_DEPTH_MAX + 1) <=
		       NAMED_DEPTH_MAX;
		if (!good)
			complain(l, &policy->identities[i].place, DIAG_ERROR, NULL,
				 "identity `%s` refers to itself, or through too many others",
				 policy->identities[i].name);
	}
	free(known);
	return good;
}

/* ---- the atoms of one side of a rule ---- */

/* Atoms without their structure. */
struct side {
	const struct policy *policy;
	uint32_t *atoms; /* numbers */
	size_t n;
	size_t n_visits;
	bool is_any;	/* holds a negation */
	bool is_simple; /* a list of atoms and no more: covering each covers all */
	bool is_exact;	/* one atom, no pattern */
};

struct sides {
	struct side from, to;
};

static bool side_fill(struct side *side, const struct policy *policy, const struct expr *expr)
{
	if (++side->n_visits > SIDE_VISITS_MAX) {
		side->is_any = true;
		side->is_simple = false;
		return true;
	}
	switch (expr->kind) {
	case EXPR_ATOM: {
		uint32_t *slot = ARRAY_ADD(side->atoms, side->n);
		if (slot)
			*slot = expr->number;
		return slot != NULL;
	}
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
	return &side->policy->atoms[side->atoms[i]];
}

static bool side_init(struct side *side, const struct policy *policy, const struct expr *expr)
{
	*side = (struct side){.policy = policy, .is_simple = true};
	bool good = side_fill(side, policy, expr);
	side->is_exact = good && side->n == 1 && !side->is_any && atom_is_exact(side_atom(side, 0));
	return good;
}

static bool sides_overlap(const struct side *a, const struct side *b)
{
	if (a->is_exact && b->is_exact)
		return a->atoms[0] == b->atoms[0];
	if (a->is_any || b->is_any)
		return true;
	for (size_t i = 0; i < a->n; i++)
		for (size_t j = 0; j < b->n; j++)
			if (atoms_overlap(side_atom(a, i), side_atom(b, j)))
				return true;
	return false;
}

static bool side_covers(const struct side *a, const struct side *b)
{
	if (!a->is_simple || !b->is_simple)
		return false;
	for (size_t j = 0; j < b->n; j++) {
		size_t i = 0;
		while (i < a->n && !atom_covers(side_atom(a, i), side_atom(b, j)))
			i++;
		if (i == a->n)
			return false;
	}
	return true;
}

/* ---- applications and ports ---- */

static bool apps_overlap(uint8_t unconstrained, uint8_t constrained)
{
	if (!app_is_raw(unconstrained))
		return app_set(unconstrained) & app_set(constrained);
	return (app_uses(unconstrained, IPPROTO_TCP) && app_uses(constrained, IPPROTO_TCP)) ||
	       (app_uses(unconstrained, IPPROTO_UDP) && app_uses(constrained, IPPROTO_UDP));
}

static bool app_covers(uint8_t a, uint8_t b)
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

static bool ports_overlap(const struct rule *a, const struct rule *b)
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

static bool ports_cover(const struct rule *a, const struct rule *b)
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

/* ---- the two judgements ---- */

static bool may_swallow(const struct rule *rule)
{
	return rule->action == RULE_ALLOW && !rule_is_constrained(rule) && !rule->is_broad &&
	       !rule->is_expired;
}

static bool is_constrained_allow(const struct rule *rule)
{
	return rule->action == RULE_ALLOW && rule_is_constrained(rule) && !rule->is_expired;
}

static void check_swallows(struct loading *l, const struct sides *sides, size_t which)
{
	const struct policy *policy = l->policy;
	const struct rule *rule = &policy->rules[which];
	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct rule *other = &policy->rules[i];
		if (!is_constrained_allow(other) ||
		    !sides_overlap(&sides[which].from, &sides[i].from) ||
		    !sides_overlap(&sides[which].to, &sides[i].to) ||
		    !apps_overlap(rule->app, other->app) || !ports_overlap(rule, other))
			continue;
		complain(l, &rule->place, DIAG_ERROR,
			 "narrow it, or say `broad: true` if that is meant",
			 "rule `%s` allows everything where rule `%s` (line %u) constrains",
			 rule->name, other->name, (unsigned)other->place.line);
		return;
	}
}

static bool is_absolute_deny(const struct policy *policy, const struct rule *rule)
{
	return rule->action == RULE_DENY && !rule_is_constrained(rule) && !rule->is_expired &&
	       rule_mode(policy, rule) == MODE_ENFORCE;
}

static void check_kills(struct loading *l, const struct sides *sides, size_t which)
{
	const struct policy *policy = l->policy;
	const struct rule *deny = &policy->rules[which];
	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct rule *rule = &policy->rules[i];
		if (rule->action != RULE_ALLOW || !app_covers(deny->app, rule->app) ||
		    !ports_cover(deny, rule) || !side_covers(&sides[which].from, &sides[i].from) ||
		    !side_covers(&sides[which].to, &sides[i].to))
			continue;
		complain(l, &rule->place, DIAG_ERROR, NULL,
			 "rule `%s` can never apply: `%s` (line %u) denies all of it", rule->name,
			 deny->name, (unsigned)deny->place.line);
	}
}

static void check_pairs(struct loading *l, const struct sides *sides)
{
	const struct policy *policy = l->policy;
	for (size_t i = 0; i < policy->n_rules; i++) {
		if (may_swallow(&policy->rules[i]))
			check_swallows(l, sides, i);
		if (is_absolute_deny(policy, &policy->rules[i]))
			check_kills(l, sides, i);
	}
}

static void check_rules(struct loading *l)
{
	const struct policy *policy = l->policy;
	struct sides *sides = calloc(policy->n_rules + 1, sizeof(*sides));
	bool good = sides != NULL;
	for (size_t i = 0; i < policy->n_rules && good; i++)
		good = side_init(&sides[i].from, policy, &policy->rules[i].from) &&
		       side_init(&sides[i].to, policy, &policy->rules[i].to);
	if (good)
		check_pairs(l, sides);
	else
		out_of_memory(l);
	for (size_t i = 0; i < policy->n_rules && sides; i++) {
		free(sides[i].from.atoms);
		free(sides[i].to.atoms);
	}
	free(sides);
}

void policy_lint(struct loading *l)
{
	struct policy *policy = l->policy;
	size_t errors = l->diags->n_errors;
	for (size_t i = 0; i < policy->n_identities; i++)
		resolve(l, &policy->identities[i].expr);
	for (size_t i = 0; i < policy->n_rules; i++)
		resolve(l, &policy->rules[i].from);
	for (size_t i = 0; i < policy->n_rules; i++)
		resolve(l, &policy->rules[i].to);
	if (errors == l->diags->n_errors && identities_end(l))
		check_rules(l);
}
