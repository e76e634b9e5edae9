/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How rules stand to each other, judged on their text alone, since the containers of tomorrow are
 * unknown: what may overlap, and what surely covers what. The first errs towards yes within a
 * kind of selector (side.c), the second towards no.
 */
#ifndef POLICY_SIDE_H
#define POLICY_SIDE_H

#include "policy/match.h"

/* The atoms of one side of a rule, without their structure. */
struct side {
	const struct policy *policy;
	struct numbers atoms;
	size_t n_visits;
	bool is_any;	/* holds a negation */
	bool is_simple; /* a list of atoms and no more: covering each covers all */
	bool is_exact;	/* one atom, no pattern */
};

/* False: no memory. Identities must be resolved and must not be circles. */
bool side_init(struct side *side, const struct policy *policy, const struct expr *expr);
void side_fini(struct side *side);
bool sides_overlap(const struct side *a, const struct side *b);
bool side_covers(const struct side *a, const struct side *b);
/* Does an atom of a simple side cover it? NULL stands for everybody. */
bool side_covers_atom(const struct side *side, const struct atom *atom);
bool side_is_everybody(const struct side *side);

bool apps_overlap(uint8_t unconstrained, uint8_t constrained);
bool app_covers(uint8_t a, uint8_t b);
bool ports_overlap(const struct rule *a, const struct rule *b);
bool ports_cover(const struct rule *a, const struct rule *b);

/* What comparing may still cost, in units of about one comparison of two short texts. Items and
 * values are the file's and many; what is left of them when nothing is left of this counts as not
 * covered. */
struct effort {
	size_t left;
};

/* False: it is more than what is left, and nothing is left from now on. */
static inline bool effort_spend(struct effort *effort, size_t cost)
{
	bool good = cost <= effort->left;
	effort->left = good ? effort->left - cost : 0;
	return good;
}

/* Does every request that `b` takes fit `a`? Both are of one application. */
bool value_covers(const struct dis_field *field, const struct constraint_value *a,
		  const struct constraint_value *b, struct effort *effort);
/* Both allow. */
bool item_covers_allow(uint8_t app, const struct constraint_item *a,
		       const struct constraint_item *b, struct effort *effort);
/* Both deny. */
bool item_covers_deny(uint8_t app, const struct constraint_item *a, const struct constraint_item *b,
		      struct effort *effort);
/* Does the deny refuse every request that the allow takes? */
bool item_kills(uint8_t app, const struct constraint_item *deny,
		const struct constraint_item *allow, struct effort *effort);
/* src/policy/empty.c: can an address fit it at all? False when two of its parts surely exclude each
 * other; those are in *a and *b then. */
bool expr_may_match(const struct policy *policy, const struct expr *expr, const struct expr **a,
		    const struct expr **b);

#endif
