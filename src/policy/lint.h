/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of the linter; lint.c says what it looks for. They complain, and return nothing. */
#ifndef POLICY_LINT_H
#define POLICY_LINT_H

#include "policy/node.h"
#include "policy/side.h"

/* What one rule says by itself. The effort is for its constraints, and may be one for all rules. */
void lint_rule(struct loading *l, const struct rule *rule, struct effort *effort);
/* What rules say of one another. */
void lint_pairs(struct loading *l);
/* "line 3", or "FILE:3" where that is another file than the complaint's. */
const char *lint_where(const struct loading *l, const struct place *complaint,
		       const struct place *other, char *room, size_t n);

#endif
