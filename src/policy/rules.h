/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading of rules, identities and constraints, and of expressions wherever they stand. */
#ifndef POLICY_RULES_H
#define POLICY_RULES_H

#include "policy/node.h"

/* For read_list: `target` is unused, the rule is added to the policy. */
extern const struct key rule_keys[];
void rule_read(struct loading *l, const yaml_node_t *node, void *target);
void identities_read(struct loading *l, const yaml_node_t *node, void *target);
void expr_read(struct loading *l, const yaml_node_t *node, struct expr *out);
/* src/policy/constraint.c: the list of an `allow` or `deny` whose application is known. False: an
 * error was reported. */
bool constraints_read(struct loading *l, const yaml_node_t *node, struct rule *rule);
/* What holds between rules: names resolve, nothing swallows a constraint, nothing can never apply.
 * src/policy/lint.c */
void policy_lint(struct loading *l);

/* Days since 1970-01-01, or false for what is no date. */
bool date_parse(const char *text, int *year, int *month, int *day);
long date_days(int year, int month, int day);

#endif
