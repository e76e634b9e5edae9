/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy/lint.h"

#include "policy/glob.h"

#include <stdlib.h>

enum { COMPARED_MAX = 1 << 16 }; /* values or items of one rule with one another */

static const char SUPERFLUOUS[] = "leave it out";

/* ---- who ---- */

static void check_side(struct loading *l, const struct rule *rule, const char *side,
		       const struct expr *expr)
{
	const struct expr *a = NULL, *b = NULL;
	if (expr_may_match(l->policy, expr, &a, &b))
		return;
	complain(l, &expr->place, DIAG_WARNING,
		 "a list is one of several, `all` means all of them at once, `not` excludes",
		 "rule `%s` can never apply: nobody fits its `%s`", rule->name, side);
}

static bool is_everybody(struct loading *l, const struct expr *expr)
{
	struct side side;
	if (!side_init(&side, l->policy, expr))
		out_of_memory(l);
	bool is_everybody = side_is_everybody(&side);
	side_fini(&side);
	return is_everybody;
}

static void check_breadth(struct loading *l, const struct rule *rule)
{
	if (rule->action == RULE_DENY || rule_is_constrained(rule) || rule->is_broad ||
	    rule->n_ports || !app_is_raw(rule->app) || rule->app == APP_ICMP)
		return;
	bool from = is_everybody(l, &rule->from), to = is_everybody(l, &rule->to);
	if (!(from && to) && !(rule->app == APP_ANY && (from || to)))
		return;
	const char *who = from && to ? "between everybody"
			  : from     ? "from everybody"
				     : "to everybody";
	complain(l, &rule->place, DIAG_WARNING,
		 "name who, an application or a port, or say `broad: true` if that is meant",
		 "rule `%s` allows every port %s", rule->name, who);
}

/* ---- constraints ---- */

static void check_path(struct loading *l, const struct constraint_value *value)
{
	char hint[80];
	if (value->machine || strchr("/*?\\", value->text[0]))
		return;
	(void)snprintf(hint, sizeof(hint), "did you mean `/%.60s`?", value->text);
	complain(l, &value->place, DIAG_WARNING, hint,
		 "a path begins with `/`, so `%s` matches none", value->text);
}

static void check_value(struct loading *l, const struct dis_field *field,
			const struct constraint *c, size_t which, struct effort *effort)
{
	const struct constraint_value *v = &c->values[which];
	for (size_t i = 0; i < c->n_values; i++) {
		bool is_same_of_two = i > which && value_covers(field, v, &c->values[i],
								effort); /* the later one is */
		if (i == which || is_same_of_two || !value_covers(field, &c->values[i], v, effort))
			continue;
		complain(l, &v->place, DIAG_WARNING, SUPERFLUOUS,
			 "`%s` adds nothing: `%s` covers it", v->text, c->values[i].text);
		return;
	}
}

static void check_key(struct loading *l, const struct rule *rule, const struct constraint *c,
		      struct effort *effort)
{
	const struct dis_field *field = &dissectors[rule->app]->fields[c->field];
	for (size_t i = 0; field->match == DIS_MATCH_PATH && i < c->n_values; i++)
		check_path(l, &c->values[i]);
	if (c->n_values * c->n_values > COMPARED_MAX) /* both are bounded by the file */
		return;
	for (size_t i = 0; i < c->n_values; i++)
		check_value(l, field, c, i, effort);
}

static bool item_adds_nothing(const struct rule *rule, const struct constraint_item *wide,
			      const struct constraint_item *narrow, struct effort *effort)
{
	return rule->action == RULE_ALLOW ? item_covers_allow(rule->app, wide, narrow, effort)
					  : item_covers_deny(rule->app, wide, narrow, effort);
}

static void check_item(struct loading *l, const struct rule *rule, size_t which,
		       struct effort *effort)
{
	const struct constraint_item *item = &rule->items[which];
	char where[300];
	for (size_t i = 0; i < rule->n_items; i++) {
		const struct constraint_item *other = &rule->items[i];
		if (i == which || !item_adds_nothing(rule, other, item, effort) ||
		    (i > which && item_adds_nothing(rule, item, other, effort)))
			continue;
		complain(l, &item->place, DIAG_WARNING, SUPERFLUOUS,
			 "this item adds nothing: the one on %s covers it",
			 lint_where(l, &item->place, &other->place, where, sizeof(where)));
		return;
	}
}

static void check_tls(struct loading *l, const struct rule *rule)
{
	if (rule->action == RULE_ALLOW && rule->tls == TLS_REQUIRE)
		complain(l, &rule->items[0].place, DIAG_WARNING,
			 "write `allow: true`, or another `tls`",
			 "`tls: require` refuses what can be read, so these constraints judge no "
			 "request");
}

void lint_rule(struct loading *l, const struct rule *rule, struct effort *effort)
{
	check_side(l, rule, "from", &rule->from);
	check_side(l, rule, "to", &rule->to);
	check_breadth(l, rule);
	for (size_t i = 0; i < rule->n_items; i++) {
		for (size_t k = 0; k < rule->items[i].n_keys; k++)
			check_key(l, rule, &rule->items[i].keys[k], effort);
		if (rule->n_items * rule->n_items <= COMPARED_MAX)
			check_item(l, rule, i, effort);
	}
	if (rule->n_items)
		check_tls(l, rule);
}
