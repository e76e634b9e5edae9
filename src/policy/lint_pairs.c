/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules against rules. Each judgement goes over the pairs that neighbours.c proposes: with rules of
 * many projects that is a few each, whatever their number.
 */
#include "policy/lint.h"
#include "policy/neighbours.h"

#include <stdlib.h>

enum {
	PARTS_MAX = 1 << 12, /* pairs of atoms of one rule that denies are held against */
	/* What rules cost against rules, constraints above all; see struct effort. */
	ITEMS_EFFORT = 4 << 20,
	SHADOW_EFFORT = 4 << 20,
};

struct pairs {
	struct loading *l;
	const struct policy *policy;
	struct sides *sides;
	struct neighbours near;
	struct numbers found;
	struct effort effort; /* of the judgement that is being made */
};

const char *lint_where(const struct loading *l, const struct place *complaint,
		       const struct place *other, char *room, size_t n)
{
	if (complaint->source == other->source)
		(void)snprintf(room, n, "line %u", (unsigned)other->line);
	else
		(void)snprintf(room, n, "%s:%u", l->policy->sources[other->source].name,
			       (unsigned)other->line);
	return room;
}

struct where {
	char text[300];
};

static const char *where(const struct pairs *p, const struct rule *rule, const struct rule *other,
			 struct where *room)
{
	return lint_where(p->l, &rule->place, &other->place, room->text, sizeof(room->text));
}

static long last_day(const struct rule *rule)
{
	return rule->expires_year * 400L + rule->expires_month * 32L + rule->expires_day;
}

/* Is the first one there as long as the second one? */
static bool outlasts(const struct rule *a, const struct rule *b)
{
	return !a->has_expires || (b->has_expires && last_day(b) <= last_day(a));
}

/* ---- swallowed ---- */

static bool may_swallow(const struct rule *rule)
{
	return rule->action == RULE_ALLOW && !rule_is_constrained(rule) && !rule->is_broad &&
	       !rule->is_expired;
}

static bool is_constrained_allow(const struct policy *policy, const struct rule *rule)
{
	(void)policy; /* the rule says it all */
	return rule->action == RULE_ALLOW && rule_is_constrained(rule) && !rule->is_expired;
}

static bool swallows(const struct pairs *p, size_t which, size_t other)
{
	const struct rule *a = &p->policy->rules[which], *b = &p->policy->rules[other];
	return apps_overlap(a->app, b->app) && ports_overlap(a, b) &&
	       sides_overlap(&p->sides[which].from, &p->sides[other].from) &&
	       sides_overlap(&p->sides[which].to, &p->sides[other].to);
}

static void check_swallows(struct pairs *p, size_t which)
{
	const struct rule *rule = &p->policy->rules[which];
	if (!neighbours_overlapping(&p->near, &p->sides[which], &p->found))
		out_of_memory(p->l);
	for (size_t i = 0; i < p->found.n; i++) {
		const struct rule *other = &p->policy->rules[p->found.v[i]];
		struct where room;
		if (!swallows(p, which, p->found.v[i]))
			continue;
		complain(p->l, &rule->place, DIAG_ERROR,
			 "narrow it, or say `broad: true` if that is meant",
			 "rule `%s` allows everything where rule `%s` (%s) constrains", rule->name,
			 other->name, where(p, rule, other, &room));
		return;
	}
}

/* ---- dead ---- */

static bool is_binding_deny(const struct policy *policy, const struct rule *rule)
{
	return rule->action == RULE_DENY && !rule->is_expired &&
	       rule_mode(policy, rule) == MODE_ENFORCE;
}

/* The denies that together leave nothing of a rule. */
struct killers {
	struct numbers rules;
	bool failed;
};

static int compare_ranges(const void *x, const void *y)
{
	const struct port_range *a = x, *b = y;
	return (a->low > b->low) - (a->low < b->low);
}

struct ranges {
	struct port_range *v;
	size_t n;
};

/* Is every port of the range in the sorted list? */
static bool range_is_taken(const struct ranges *ranges, struct port_range range)
{
	unsigned next = range.low;
	for (size_t i = 0; i < ranges->n && ranges->v[i].low <= next && next <= range.high; i++)
		if (ranges->v[i].high >= next)
			next = ranges->v[i].high + 1u;
	return next > range.high;
}

static bool ports_are_taken(const struct ranges *ranges, const struct rule *rule)
{
	bool is_taken = true;
	for (size_t i = 0; i < rule->n_ports && is_taken; i++)
		is_taken = range_is_taken(ranges, rule->ports[i]);
	return rule->n_ports ? is_taken
			     : range_is_taken(ranges, (struct port_range){0, UINT16_MAX});
}

static bool add_ranges(struct ranges *ranges, const struct rule *deny)
{
	static const struct port_range all = {0, UINT16_MAX};
	const struct port_range *from = deny->n_ports ? deny->ports : &all;
	for (size_t i = 0; i < (deny->n_ports ? deny->n_ports : 1); i++) {
		struct port_range *slot = ARRAY_ADD(ranges->v, ranges->n);
		if (!slot)
			return false;
		*slot = from[i];
	}
	return true;
}

/* Is one pair of atoms, with all ports of the rule, denied? */
static bool part_is_dead(struct pairs *p, const struct rule *rule, const struct atom *from,
			 const struct atom *to, struct killers *killers)
{
	struct ranges ranges = {0};
	bool good = neighbours_covering(&p->near, from, to, &p->found);
	for (size_t i = 0; i < p->found.n && good; i++) {
		uint32_t number = p->found.v[i];
		const struct rule *deny = &p->policy->rules[number];
		if (rule_is_constrained(deny) || !outlasts(deny, rule) ||
		    !app_covers(deny->app, rule->app) || !ports_overlap(deny, rule) ||
		    !side_covers_atom(&p->sides[number].from, from) ||
		    !side_covers_atom(&p->sides[number].to, to))
			continue;
		good = add_ranges(&ranges, deny) && numbers_add(&killers->rules, number);
	}
	if (ranges.n > 1)
		qsort(ranges.v, ranges.n, sizeof(*ranges.v), compare_ranges);
	killers->failed |= !good;
	bool is_dead = good && ranges.n && ports_are_taken(&ranges, rule);
	free(ranges.v);
	return is_dead;
}

/* One part stands for a side that is no plain list. */
static size_t n_parts(const struct side *side)
{
	return side->is_simple ? side->atoms.n : 1;
}

static const struct atom *part(const struct side *side, size_t i)
{
	return side->is_simple ? &side->policy->atoms[side->atoms.v[i]] : NULL;
}

static bool is_dead(struct pairs *p, size_t which, struct killers *killers)
{
	const struct sides *s = &p->sides[which];
	size_t n_from = n_parts(&s->from), n_to = n_parts(&s->to);
	if (n_from == 0 || n_to > PARTS_MAX / n_from)
		return false;
	for (size_t f = 0; f < n_from; f++)
		for (size_t t = 0; t < n_to; t++)
			if (!part_is_dead(p, &p->policy->rules[which], part(&s->from, f),
					  part(&s->to, t), killers))
				return false;
	return true;
}

/* Most atoms and ports differ at once; and lists of blocked prefixes are long. */
static bool spend_on_lists(struct pairs *p, size_t n, size_t m)
{
	enum { ATOMS_AS_ONE = 8 };
	return effort_spend(&p->effort, n * m / ATOMS_AS_ONE);
}

static bool covers_side(struct pairs *p, const struct side *a, const struct side *b)
{
	return spend_on_lists(p, a->atoms.n, b->atoms.n) && side_covers(a, b);
}

static bool covers_pair(struct pairs *p, size_t a, size_t b)
{
	const struct rule *wide = &p->policy->rules[a], *narrow = &p->policy->rules[b];
	return spend_on_lists(p, wide->n_ports, narrow->n_ports) && ports_cover(wide, narrow) &&
	       covers_side(p, &p->sides[a].from, &p->sides[b].from) &&
	       covers_side(p, &p->sides[a].to, &p->sides[b].to);
}

/* One that does it alone says it shorter. */
static void keep_a_lone_killer(struct pairs *p, size_t which, struct killers *killers)
{
	for (size_t i = 0; i < killers->rules.n; i++) {
		if (!covers_pair(p, killers->rules.v[i], which))
			continue;
		killers->rules.v[0] = killers->rules.v[i];
		killers->rules.n = 1;
		return;
	}
}

static void say_dead(struct pairs *p, const struct rule *rule, const struct numbers *killers)
{
	const struct rule *a = &p->policy->rules[killers->v[0]];
	const char *hint = "remove it, or narrow what denies it";
	struct where room, room2;
	if (killers->n == 1) {
		complain(p->l, &rule->place, DIAG_ERROR, hint,
			 "rule `%s` can never apply: `%s` (%s) denies all of it", rule->name,
			 a->name, where(p, rule, a, &room));
		return;
	}
	const struct rule *b = &p->policy->rules[killers->v[1]];
	char more[40] = "";
	if (killers->n > 2)
		(void)snprintf(more, sizeof(more), ", with %zu more,", killers->n - 2);
	complain(p->l, &rule->place, DIAG_ERROR, hint,
		 "rule `%s` can never apply: `%s` (%s) and `%s` (%s)%s leave nothing of it",
		 rule->name, a->name, where(p, rule, a, &room), b->name, where(p, rule, b, &room2),
		 more);
}

/* The deny that refuses all that one item allows, or NULL. What the item allows without reading it
 * no constraint can refuse. */
static const struct rule *killer_of_item(struct pairs *p, size_t which,
					 const struct constraint_item *item)
{
	const struct rule *rule = &p->policy->rules[which];
	for (size_t i = 0; i < p->found.n && effort_spend(&p->effort, 1); i++) {
		const struct rule *deny = &p->policy->rules[p->found.v[i]];
		if (!rule_is_constrained(deny) || !outlasts(deny, rule) ||
		    (app_set(rule->app) & ~app_set(deny->app)) ||
		    !covers_pair(p, p->found.v[i], which))
			continue;
		for (size_t k = 0; k < deny->n_items; k++)
			if (item_kills(rule->app, &deny->items[k], item, &p->effort))
				return deny;
	}
	return NULL;
}

static bool is_readable(const struct rule *rule)
{
	return app_is_sealed(rule->app) || rule_tls(rule) == TLS_FORBID;
}

static void say_dead_items(struct pairs *p, const struct rule *rule, const struct rule **killers)
{
	struct where room;
	for (size_t i = 0; i < rule->n_items; i++)
		if (killers[i])
			complain(p->l, &rule->items[i].place, DIAG_WARNING, "leave it out",
				 "`%s` (%s) denies every request that this item allows",
				 killers[i]->name, where(p, rule, killers[i], &room));
}

static void check_items(struct pairs *p, size_t which)
{
	const struct rule *rule = &p->policy->rules[which];
	const struct sides *s = &p->sides[which];
	struct where room;
	if (!is_readable(rule) || !n_parts(&s->from) || !n_parts(&s->to))
		return;
	if (!neighbours_covering(&p->near, part(&s->from, 0), part(&s->to, 0), &p->found))
		out_of_memory(p->l);
	const struct rule **killers = calloc(rule->n_items, sizeof(const struct rule *));
	if (!killers) {
		out_of_memory(p->l);
		return;
	}
	size_t n_dead = 0;
	for (size_t i = 0; i < rule->n_items; i++) {
		killers[i] = killer_of_item(p, which, &rule->items[i]);
		n_dead += killers[i] != NULL;
	}
	if (n_dead == rule->n_items)
		complain(p->l, &rule->place, DIAG_ERROR, "remove it, or narrow what denies it",
			 "rule `%s` can never apply: `%s` (%s) denies every request that it allows",
			 rule->name, killers[0]->name, where(p, rule, killers[0], &room));
	else
		say_dead_items(p, rule, killers);
	free(killers);
}

static void check_dead(struct pairs *p, size_t which)
{
	const struct rule *rule = &p->policy->rules[which];
	struct killers killers = {0};
	bool dead = is_dead(p, which, &killers);
	if (killers.failed)
		out_of_memory(p->l);
	numbers_sort(&killers.rules);
	if (dead)
		keep_a_lone_killer(p, which, &killers);
	if (dead)
		say_dead(p, rule, &killers.rules);
	else if (rule_is_constrained(rule))
		check_items(p, which);
	free(killers.rules.v);
}

/* ---- shadowed ---- */

static bool is_active(const struct policy *policy, const struct rule *rule)
{
	(void)policy; /* the rule says it all */
	return !rule->is_expired;
}

/* Whatever else a rule does besides deciding: who reports, how much it binds, until when. */
static bool acts_alike(const struct policy *policy, const struct rule *wide,
		       const struct rule *narrow)
{
	return wide->action == narrow->action && wide->log == narrow->log &&
	       wide->log_sample == narrow->log_sample &&
	       rule_mode(policy, wide) == rule_mode(policy, narrow) && outlasts(wide, narrow);
}

static bool tls_covers(const struct rule *wide, const struct rule *narrow)
{
	if (app_is_raw(wide->app) || rule_tls(wide) == rule_tls(narrow))
		return true;
	return wide->action == RULE_ALLOW && rule_tls(wide) == TLS_ANY;
}

static bool items_cover(const struct rule *wide, const struct rule *narrow, struct effort *effort)
{
	if (wide->n_items == 0)
		return true;
	if (wide->app != narrow->app || narrow->n_items == 0)
		return false;
	for (size_t j = 0; j < narrow->n_items; j++) {
		const struct constraint_item *item = &narrow->items[j];
		size_t i = 0;
		while (i < wide->n_items &&
		       !(wide->action == RULE_ALLOW
				 ? item_covers_allow(wide->app, &wide->items[i], item, effort)
				 : item_covers_deny(wide->app, &wide->items[i], item, effort)))
			i++;
		if (i == wide->n_items)
			return false;
	}
	return true;
}

static bool shadows(struct pairs *p, size_t wide, size_t narrow)
{
	const struct rule *a = &p->policy->rules[wide], *b = &p->policy->rules[narrow];
	return acts_alike(p->policy, a, b) && app_covers(a->app, b->app) && tls_covers(a, b) &&
	       covers_pair(p, wide, narrow) && items_cover(a, b, &p->effort);
}

static void check_shadow(struct pairs *p, size_t which)
{
	const struct sides *s = &p->sides[which];
	const struct rule *rule = &p->policy->rules[which];
	struct where room;
	if (!n_parts(&s->from) || !n_parts(&s->to) || p->effort.left == 0)
		return;
	if (!neighbours_covering(&p->near, part(&s->from, 0), part(&s->to, 0), &p->found))
		out_of_memory(p->l);
	for (size_t i = 0; i < p->found.n && effort_spend(&p->effort, 1); i++) {
		size_t other = p->found.v[i];
		/* of two that say the same, the later one is superfluous */
		if (other == which || !shadows(p, other, which) ||
		    (other > which && shadows(p, which, other)))
			continue;
		complain(p->l, &rule->place, DIAG_WARNING, "leave it out, or narrow the other one",
			 "rule `%s` decides nothing that `%s` (%s) does not decide as well",
			 rule->name, p->policy->rules[other].name,
			 where(p, rule, &p->policy->rules[other], &room));
		return;
	}
}

/* ---- all of them ---- */

static bool choose(struct pairs *p, bool (*counts)(const struct policy *, const struct rule *))
{
	bool good = neighbours_choose(&p->near, counts);
	if (!good)
		out_of_memory(p->l);
	return good;
}

static void check_all(struct pairs *p)
{
	const struct policy *policy = p->policy;
	size_t errors = p->l->diags->n_errors;
	if (!choose(p, is_constrained_allow))
		return;
	for (size_t i = 0; i < policy->n_rules; i++)
		if (may_swallow(&policy->rules[i]))
			check_swallows(p, i);
	if (!choose(p, is_binding_deny))
		return;
	p->effort.left = ITEMS_EFFORT;
	for (size_t i = 0; i < policy->n_rules && p->near.all.n; i++)
		if (policy->rules[i].action == RULE_ALLOW && !policy->rules[i].is_expired)
			check_dead(p, i);
	if (errors != p->l->diags->n_errors || !choose(p, is_active))
		return;
	p->effort.left = SHADOW_EFFORT;
	for (size_t i = 0; i < policy->n_rules; i++)
		if (!policy->rules[i].is_expired)
			check_shadow(p, i);
}

static struct sides *sides_new(const struct policy *policy, bool *good)
{
	struct sides *sides = calloc(policy->n_rules + 1, sizeof(*sides));
	*good = sides != NULL;
	for (size_t i = 0; i < policy->n_rules && *good; i++)
		*good = side_init(&sides[i].from, policy, &policy->rules[i].from) &&
			side_init(&sides[i].to, policy, &policy->rules[i].to);
	return sides;
}

static void sides_free(struct sides *sides, size_t n)
{
	for (size_t i = 0; sides && i < n; i++) {
		side_fini(&sides[i].from);
		side_fini(&sides[i].to);
	}
	free(sides);
}

void lint_pairs(struct loading *l)
{
	bool good;
	struct sides *sides = sides_new(l->policy, &good);
	struct pairs p = {.l = l, .policy = l->policy, .sides = sides};
	if (good && neighbours_init(&p.near, l->policy, sides))
		check_all(&p);
	else
		out_of_memory(l);
	neighbours_fini(&p.near);
	sides_free(sides, l->policy->n_rules);
	free(p.found.v);
}
