/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What needs the whole policy: names that resolve, and the linter proper.
 *
 *	swallowed  error    an unconstrained allow covers a pair that another allow
 *	                    constrains, so the constraint is void
 *	dead       error    a rule that can never decide: nobody fits its selectors,
 *	                    or enforced denies leave nothing of it
 *	shadowed   warning  what a rule, an item or a value decides, another one
 *	                    decides alike
 *	too broad  warning  everything, from or to everybody
 *
 * Errors are what makes the policy mean something else than it says, warnings what is only
 * superfluous or unwise. A reload must not take long, whatever the file says: constraints are
 * compared as long as an effort (side.h) lasts, and beyond it the linter is silent about them. No
 * error but that of a rule whose items are all dead depends on it. All judge the text of selectors
 *(side.h).
 */
#include "policy/lint.h"

#include "policy/rules.h"
#include "policy/selector.h"

#include <stdlib.h>

enum {
	NAMED_DEPTH_MAX = 16,	/* identities of identities */
	RULES_EFFORT = 4 << 20, /* comparisons within rules, of all of them */
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
	if (errors != l->diags->n_errors || !identities_end(l))
		return;
	struct effort effort = {RULES_EFFORT};
	lint_pairs(l);
	/* what is wrong comes first: its remedy may change what is superfluous */
	for (size_t i = 0; i < policy->n_rules && errors == l->diags->n_errors; i++)
		if (!policy->rules[i].is_expired)
			lint_rule(l, &policy->rules[i], &effort);
}
