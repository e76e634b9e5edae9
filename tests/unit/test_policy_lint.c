/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The linter: what it complains of, where, in which words; and where it must stay silent. */
#include "policy_fixture.h"

#include "policy/lint.h"
#include "policy/neighbours.h"

#define V	   "version: 1\n"
#define RULES	   V "rules:\n"
#define RULE(text) "- {" text "}\n"

/* All complaints, each as "error 3:10 message | hint", one a line; "" is silence. */
static const struct {
	const char *text, *want;
} rows[] = {
	/* ---- swallowed ---- */
	{RULES RULE("name: c, from: a/b, to: a/c, app: web, allow: [{methods: GET}]")
		 RULE("name: u, from: a/b, to: a/d, app: web, allow: true"),
	 ""},
	{RULES RULE("name: c, from: a/b, to: a/c, app: web, port: 80, allow: [{methods: GET}]")
		 RULE("name: u, from: a/b, to: a/c, app: web, port: 81, allow: true"),
	 ""},
	{RULES RULE("name: c, from: a/b, to: a/c, app: web, allow: [{methods: GET}]")
		 RULE("name: u, from: a/*, to: '*/c', app: any, allow: true"),
	 "error 4:10 rule `u` allows everything where rule `c` (line 3) constrains | narrow it, or "
	 "say `broad: true` if that is meant\n"},
	{RULES RULE("name: c, from: 'label:t=x', to: 'cidr:10.1.0.0/16', app: web, allow: "
		    "[{methods: GET}]")
		 RULE("name: u, from: 'label:t=*', to: 'cidr:10.0.0.0/8', port: 80, allow: true"),
	 "error 4:10 rule `u` allows everything where rule `c` (line 3) constrains | narrow it, or "
	 "say `broad: true` if that is meant\n"},
	{RULES RULE("name: c, from: 'label:t=x', to: 'cidr:10.1.0.0/16', app: web, allow: "
		    "[{methods: GET}]")
		 RULE("name: u, from: 'label:t=y', to: 'cidr:10.0.0.0/8', port: 80, allow: true")
			 RULE("name: v, from: 'label:t=x', to: 'cidr:10.2.0.0/16', port: 80, "
			      "allow: true"),
	 ""},
	/* ---- dead: by one deny, by several, by their items ---- */
	{RULES RULE("name: d, from: any, to: a/c, deny: true")
		 RULE("name: u, from: {all: [a/*, not:a/b]}, to: a/c, port: 80, allow: true"),
	 "error 4:10 rule `u` can never apply: `d` (line 3) denies all of it | remove it, or "
	 "narrow "
	 "what denies it\n"},
	{RULES RULE("name: d, from: any, to: a/c, deny: true, mode: shadow")
		 RULE("name: u, from: a/b, to: a/c, port: 80, allow: true"),
	 ""},
	{RULES RULE("name: d, from: any, to: a/c, deny: true, expires: 2031-01-01")
		 RULE("name: u, from: a/b, to: a/c, port: 80, allow: true"),
	 ""}, /* its day will come */
	{RULES RULE("name: d, from: any, to: a/c, deny: true, expires: 2031-01-01")
		 RULE("name: u, from: a/b, to: a/c, port: 80, allow: true, expires: 2030-12-31"),
	 "error 4:10 rule `u` can never apply: `d` (line 3) denies all of it | remove it, or "
	 "narrow "
	 "what denies it\n"},
	{RULES RULE("name: d, from: any, to: a/c, port: 1-99, deny: true")
		 RULE("name: e, from: a/*, to: a/*, port: 100-200, deny: true")
			 RULE("name: u, from: a/b, to: a/c, port: [80, 90-110], allow: true"),
	 "error 5:10 rule `u` can never apply: `d` (line 3) and `e` (line 4) leave nothing of it | "
	 "remove it, or narrow what denies it\n"},
	{RULES RULE("name: d, from: any, to: a/c, port: 1-99, deny: true")
		 RULE("name: e, from: a/*, to: a/*, port: 101-200, deny: true")
			 RULE("name: u, from: a/b, to: a/c, port: [80, 90-110], allow: true"),
	 ""},
	{RULES RULE("name: d, from: a/x, to: a/c, deny: true")
		 RULE("name: e, from: a/y, to: a/c, deny: true")
			 RULE("name: u, from: [a/x, a/y], to: a/c, app: web, allow: true"),
	 "error 5:10 rule `u` can never apply: `d` (line 3) and `e` (line 4) leave nothing of it | "
	 "remove it, or narrow what denies it\n"},
	{RULES RULE("name: d, from: a/x, to: a/c, deny: true")
		 RULE("name: u, from: [a/x, a/y], to: a/c, app: web, allow: true"),
	 ""},
	{RULES RULE("name: d, from: any, to: a/c, app: sql, deny: true")
		 RULE("name: u, from: a/x, to: a/c, app: web, allow: true"),
	 ""},
	{RULES RULE("name: d, from: any, to: a/c, app: web, deny: [{methods: ['P*', 'DEL*']}]")
		 RULE("name: u, from: a/x, to: a/c, app: web, allow: [{methods: [PUT, POST], "
		      "paths: "
		      "/x}]"),
	 "error 4:10 rule `u` can never apply: `d` (line 3) denies every request that it allows | "
	 "remove it, or narrow what denies it\n"},
	{RULES RULE("name: d, from: any, to: a/c, app: web, deny: [{methods: PUT}]")
		 RULE("name: u, from: a/x, to: a/c, app: web, allow: [{methods: GET}, {methods: "
		      "PUT, paths: /x}]"),
	 "warning 4:67 `d` (line 3) denies every request that this item allows | leave it out\n"},
	{RULES RULE("name: d, from: any, to: a/c, app: web, deny: [{paths: '/**'}]")
		 RULE("name: u, from: a/x, to: a/c, app: web, allow: [{methods: GET, paths: /x}]"),
	 ""}, /* a list may be empty, and then that deny does not hold */
	{RULES RULE("name: d, from: any, to: a/c, app: web, deny: [{methods: GET}]")
		 RULE("name: u, from: a/x, to: a/c, app: web, tls: any, allow: [{methods: GET}]"),
	 ""}, /* what cannot be read passes */
	{RULES RULE("name: d, from: any, to: a/c, app: web, deny: [{status: 500}]")
		 RULE("name: u, from: a/x, to: a/c, app: web, allow: [{status: 500}]"),
	 ""}, /* the request has passed by then */
	/* ---- dead: selectors that nobody fits ---- */
	{RULES RULE("name: r, from: {all: [host, a/b]}, to: any, deny: true"),
	 "warning 3:19 rule `r` can never apply: nobody fits its `from` | a list is one of "
	 "several, "
	 "`all` means all of them at once, `not` excludes\n"},
	{RULES RULE(
		 "name: r, from: any, to: {all: ['@x', not:a/*]}, deny: true") "identities: {x: "
									       "[a/b, {all: [a/c, "
									       "'label:p=q']}]}\n",
	 ""},
	{RULES RULE("name: r, from: any, to: {all: ['@x', not:a/*]}, deny: true") "identities: {x: "
										  "[a/b, a/c]}\n",
	 "warning 3:28 rule `r` can never apply: nobody fits its `to` | a list is one of several, "
	 "`all` means all of them at once, `not` excludes\n"},
	{RULES RULE("name: r, from: {all: ['label:a=1', 'label:a=2']}, to: any, deny: true"),
	 "warning 3:19 rule `r` can never apply: nobody fits its `from` | a list is one of "
	 "several, "
	 "`all` means all of them at once, `not` excludes\n"},
	{RULES RULE("name: r, from: {all: ['label:a=1', 'label:b=2']}, to: {all: ['network:a', "
		    "'network:b']}, deny: true")
		 RULE("name: s, from: {all: [a/*, '*/b']}, to: {all: [internet, "
		      "'cidr:9.0.0.0/8']}, deny: true")
			 RULE("name: t, from: {all: [a/*, not:a/b]}, to: {not: any, }, deny: true"),
	 "warning 5:46 rule `t` can never apply: nobody fits its `to` | a list is one of several, "
	 "`all` means all of them at once, `not` excludes\n"},
	{RULES RULE("name: r, from: {all: ['cidr:10.0.0.0/8', 'cidr:10.1.0.0/16']}, to: {all: "
		    "[internet, 'cidr:10.0.0.0/8']}, deny: true"),
	 "warning 3:71 rule `r` can never apply: nobody fits its `to` | a list is one of several, "
	 "`all` means all of them at once, `not` excludes\n"},
	/* ---- shadowed ---- */
	{RULES RULE("name: a, from: a/*, to: a/c, app: web, allow: true")
		 RULE("name: b, from: a/b, to: a/c, app: web, port: 80, allow: true"),
	 "warning 4:10 rule `b` decides nothing that `a` (line 3) does not decide as well | leave "
	 "it out, or narrow the other one\n"},
	{RULES RULE("name: a, from: a/*, to: a/c, app: web, allow: true")
		 RULE("name: b, from: a/b, to: a/c, app: web, port: 80, allow: true, log: all")
			 RULE("name: c, from: a/b, to: a/c, app: web, allow: true, mode: shadow")
				 RULE("name: d, from: a/b, to: a/c, app: web, tls: require, allow: "
				      "true, log: none")
					 RULE("name: e, from: a/b, to: a/c, app: sql, allow: true"),
	 ""},
	{RULES RULE("name: a, from: a/*, to: a/c, app: web, allow: true, expires: 2030-01-01")
		 RULE("name: b, from: a/b, to: a/c, app: web, port: 80, allow: true"),
	 ""}, /* the wider one ends */
	{RULES RULE("name: a, from: a/b, to: a/c, app: web, allow: true")
		 RULE("name: b, from: a/b, to: a/c, app: web, allow: true"),
	 "warning 4:10 rule `b` decides nothing that `a` (line 3) does not decide as well | leave "
	 "it out, or narrow the other one\n"},
	{RULES RULE("name: a, from: a/b, to: a/c, app: sql, allow: [{verbs: read}]")
		 RULE("name: b, from: a/b, to: a/c, app: sql, allow: [{verbs: [select], users: "
		      "u}]"),
	 "warning 4:10 rule `b` decides nothing that `a` (line 3) does not decide as well | leave "
	 "it out, or narrow the other one\n"},
	{RULES RULE("name: a, from: a/b, to: a/c, app: sql, allow: [{verbs: read}]")
		 RULE("name: b, from: a/b, to: a/c, app: sql, allow: [{verbs: insert}]")
			 RULE("name: c, from: a/b, to: a/c, app: sql, allow: [{verbs: select, "
			      "unparsed: allow}]"),
	 ""},
	{RULES RULE("name: a, from: a/b, to: a/c, app: sql, allow: [{tables: 'wp_*'}]")
		 RULE("name: b, from: a/b, to: a/c, app: sql, allow: [{tables: wp_x, verbs: "
		      "read}]"),
	 ""}, /* b holds for a statement without tables */
	{RULES RULE("name: a, from: a/b, to: a/c, app: sql, deny: [{tables: 'wp_*'}]")
		 RULE("name: b, from: a/b, to: a/c, app: sql, deny: [{tables: wp_x, verbs: read}]"),
	 "warning 4:10 rule `b` decides nothing that `a` (line 3) does not decide as well | leave "
	 "it out, or narrow the other one\n"},
	/* ---- superfluous items and values ---- */
	{RULES RULE("name: r, from: a/b, to: a/c, app: sql, allow: [{verbs: [read, insert, "
		    "select]}]"),
	 "warning 3:74 `select` adds nothing: `read` covers it | leave it out\n"},
	{RULES RULE("name: r, from: a/b, to: a/c, app: web, allow: [{paths: [/a/b, '/a/**', /a], "
		    "hosts: ['*.x', X]}]"),
	 "warning 3:60 `/a/b` adds nothing: `/a/**` covers it | leave it out\n"},
	{RULES RULE("name: r, from: a/b, to: a/c, app: web, allow: [{paths: ['/a/*', '/a/**/c', "
		    "'/?'], status: [200, 201-299]}]"),
	 ""},
	{RULES RULE("name: r, from: a/b, to: a/c, app: web, allow: [{status: [200, 200-299]}]"),
	 "warning 3:61 `200` adds nothing: `200-299` covers it | leave it out\n"},
	{RULES RULE("name: r, from: a/b, to: a/c, app: web, allow: [{methods: GET}, {methods: GET, "
		    "hosts: a}]"),
	 "warning 3:67 this item adds nothing: the one on line 3 covers it | leave it out\n"},
	{RULES RULE("name: r, from: a/b, to: a/c, app: web, allow: [{paths: admin}]"),
	 "warning 3:59 a path begins with `/`, so `admin` matches none | did you mean `/admin`?\n"},
	{RULES RULE("name: r, from: a/b, to: a/c, app: sql, tls: require, allow: [{verbs: read}]"),
	 "warning 3:65 `tls: require` refuses what can be read, so these constraints judge no "
	 "request | write `allow: true`, or another `tls`\n"},
	/* ---- too broad ---- */
	{RULES RULE("name: r, from: any, to: any, allow: true"),
	 "warning 3:10 rule `r` allows every port between everybody | name who, an application or "
	 "a port, or say `broad: true` if that is meant\n"},
	{RULES RULE("name: r, from: ['cidr:0.0.0.0/0'], to: internet, app: udp, allow: true"),
	 "warning 3:10 rule `r` allows every port between everybody | name who, an application or "
	 "a port, or say `broad: true` if that is meant\n"},
	{RULES RULE("name: r, from: a/b, to: internet, allow: true"),
	 "warning 3:10 rule `r` allows every port to everybody | name who, an application or a "
	 "port, or say `broad: true` if that is meant\n"},
	{RULES RULE("name: r, from: any, to: any, allow: true, broad: true"), ""},
	{RULES RULE("name: r, from: any, to: any, deny: true"), ""},
	{RULES RULE("name: r, from: any, to: any, app: icmp, allow: true")
		 RULE("name: s, from: a/b, to: internet, app: tcp, allow: true")
			 RULE("name: t, from: any, to: a/b, port: 80, allow: true")
				 RULE("name: u, from: a/*, to: a/*, app: any, allow: true"),
	 ""},
};

static char *complaints(const struct diagnostics *diags)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	for (size_t i = 0; i < diags->n; i++) {
		const struct diagnostic *d = &diags->items[i];
		fprintf(f, "%s %u:%u %s%s%s\n", d->severity == DIAG_ERROR ? "error" : "warning",
			d->line, d->column, d->message, d->hint ? " | " : "",
			d->hint ? d->hint : "");
	}
	ck_assert_int_eq(fclose(f), 0);
	return text;
}

START_TEST(says)
{
	struct diagnostics diags;
	struct policy *policy = load_text(rows[_i].text, &diags);
	char *got = complaints(&diags);
	ck_assert_msg(strcmp(got, rows[_i].want) == 0, "%s\ngot:  %s\nwant: %s", rows[_i].text, got,
		      rows[_i].want);
	ck_assert_int_eq(policy != NULL, diags.n_errors == 0);
	free(got);
	policy_free(policy);
	diagnostics_fini(&diags);
}
END_TEST

/* ---- how long constraints are compared ---- */

/* Rules with one item each, of n methods that are the same in all. */
static char *same_paths(const char *const *heads, size_t n_heads, size_t n)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	fputs(RULES, f);
	for (size_t i = 0; i < n_heads; i++) {
		fprintf(f, "- {from: a/b, to: a/c, app: web, %s: [{methods: [", heads[i]);
		for (size_t k = 0; k < n; k++)
			fprintf(f, "%s/%zu", k ? ", " : "", k);
		fputs("]}]}\n", f);
	}
	ck_assert_int_eq(fclose(f), 0);
	return text;
}

static size_t n_complaints(char *text)
{
	struct policy *policy = NULL;
	struct diagnostics diags = {0};
	(void)policy_load_text("x", text, strlen(text), &policy, &diags); /* the complaints tell */
	size_t n = diags.n;
	diagnostics_fini(&diags);
	policy_free(policy);
	free(text);
	return n;
}

/* The last of n values is found after n comparisons. */
START_TEST(values_cost_effort)
{
	enum { N = 100, ALL = N * (N + 1) / 2 };
	static const char *const heads[] = {"name: r, allow", "name: s, allow"};
	char *text = same_paths(heads, 2, N);
	struct policy *policy = load_good(text);
	const struct constraint_item *a = policy->rules[0].items, *b = policy->rules[1].items;
	struct effort enough = {(size_t)2 * ALL}, little = {ALL - 1}, none = {0};
	ck_assert(item_covers_allow(policy->rules[0].app, a, b, &enough));
	ck_assert_uint_le(enough.left, ALL);
	ck_assert(!item_covers_allow(policy->rules[0].app, a, b, &little));
	ck_assert_uint_eq(little.left, 0);
	ck_assert(!item_kills(policy->rules[0].app, a, b, &none));
	policy_free(policy);
	free(text);
}
END_TEST

/* Patterns are matched only while there is effort for their bytes. */
START_TEST(long_patterns_cost_more)
{
	struct policy *policy =
		load_good(RULES RULE("name: r, from: a/b, to: a/c, app: web, allow: [{methods: "
				     "['/aaaaaaaaaaaaaaaaaaaaaaaa*a', "
				     "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]}]"));
	const struct rule *rule = policy->rules;
	const struct constraint *key = &rule->items[0].keys[0];
	const struct dis_field *field = &dissectors[rule->app]->fields[key->field];
	struct effort enough = {1000}, little = {10};
	ck_assert(value_covers(field, &key->values[0], &key->values[1], &enough));
	ck_assert_uint_lt(enough.left, 1000 - 50);
	ck_assert(!value_covers(field, &key->values[0], &key->values[1], &little));
	policy_free(policy);
}
END_TEST

/* One effort is for all items of all rules. */
START_TEST(items_share_an_effort)
{
	struct policy *policy = load_good(
		RULES RULE("name: r, from: a/b, to: a/c, app: web, allow: [{methods: /a}, "
			   "{methods: /b}, {methods: /c}, {methods: /a}]"));
	struct diagnostics diags = {0};
	struct loading l = {.policy = policy, .diags = &diags};
	struct effort enough = {1000}, little = {8};
	lint_rule(&l, policy->rules, &little);
	ck_assert_uint_eq(little.left, 0);
	ck_assert_uint_eq(diags.n, 0);
	lint_rule(&l, policy->rules, &enough);
	ck_assert_uint_eq(diags.n, 1);
	ck_assert_uint_lt(enough.left, 1000 - 12);
	diagnostics_fini(&diags);
	policy_free(policy);
}
END_TEST

/* Beyond the effort for rules against rules the linter says nothing. */
START_TEST(rules_against_rules_come_to_an_end)
{
	static const char *const alike[] = {"name: r, allow", "name: s, allow"};
	static const char *const dead[] = {"name: r, deny", "name: s, allow"};
	ck_assert_uint_eq(n_complaints(same_paths(alike, 2, 100)), 1);
	ck_assert_uint_eq(n_complaints(same_paths(alike, 2, 4000)), 0);
	ck_assert_uint_eq(n_complaints(same_paths(dead, 2, 100)), 1);
	ck_assert_uint_eq(n_complaints(same_paths(dead, 2, 4000)), 0);
}
END_TEST

/* ---- which atoms are compared ---- */

static struct policy *many_rules(size_t n)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	fputs(RULES, f);
	for (size_t i = 0; i < n; i++)
		fprintf(f,
			"- {name: r%zu, from: p%zu/web, to: [p%zu/*, 'cidr:10.%zu.%zu.0/24'], app: "
			"web, allow: true}\n",
			i, i, i, i / 256, i % 256);
	ck_assert_int_eq(fclose(f), 0);
	struct policy *policy = load_good(text);
	free(text);
	return policy;
}

struct rig {
	struct policy *policy;
	struct sides *sides;
	struct neighbours near;
	struct numbers found;
};

static bool every_rule(const struct policy *policy, const struct rule *rule)
{
	(void)policy, (void)rule; /* all count */
	return true;
}

static struct rig rig_of(struct policy *policy)
{
	struct rig rig = {.policy = policy, .sides = calloc(policy->n_rules, sizeof(*rig.sides))};
	for (size_t i = 0; i < policy->n_rules; i++) {
		ck_assert(side_init(&rig.sides[i].from, policy, &policy->rules[i].from));
		ck_assert(side_init(&rig.sides[i].to, policy, &policy->rules[i].to));
	}
	ck_assert(neighbours_init(&rig.near, policy, rig.sides));
	ck_assert(neighbours_choose(&rig.near, every_rule));
	return rig;
}

static void rig_fini(struct rig *rig)
{
	neighbours_fini(&rig->near);
	for (size_t i = 0; i < rig->policy->n_rules; i++) {
		side_fini(&rig->sides[i].from);
		side_fini(&rig->sides[i].to);
	}
	free(rig->sides);
	free(rig->found.v);
	policy_free(rig->policy);
}

static size_t count_comparisons(size_t n_rules)
{
	struct rig rig = rig_of(many_rules(n_rules));
	size_t n_found = 0;
	for (size_t i = 0; i < n_rules; i++) {
		ck_assert(neighbours_overlapping(&rig.near, &rig.sides[i], &rig.found));
		n_found += rig.found.n;
	}
	ck_assert_uint_eq(n_found, n_rules); /* each finds itself */
	size_t n = rig.near.n_compared;
	rig_fini(&rig);
	return n;
}

START_TEST(work_grows_with_the_rules_and_no_faster)
{
	size_t few = count_comparisons(100), many = count_comparisons(1000);
	ck_assert_uint_gt(few, 100);
	ck_assert_uint_le(many, 11 * few);
}
END_TEST

static bool holds(const struct numbers *list, uint32_t number)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i] == number)
			return true;
	return false;
}

/* What neighbours proposes holds all that comparing each with each finds. */
START_TEST(misses_nobody)
{
	static const char *const words[] = {
		"any",
		"host",
		"internet",
		"a/b",
		"a/*",
		"'*/b'",
		"c/b",
		"'a?/b'",
		"label:t=x",
		"'label:t=*'",
		"label:u=x",
		"container:a",
		"'container:*'",
		"image:r:7",
		"'image:r:*'",
		"network:n",
		"cidr:9.0.0.0/8",
		"cidr:9.1.0.0/16",
		"cidr:9.1.2.0/24",
		"cidr:fd00::/8",
		"cidr:::/0",
		"cidr:10.0.0.0/8",
	};
	enum { N_WORDS = sizeof(words) / sizeof(words[0]) };
	char *text = NULL;
	size_t size = 0, n = 0;
	FILE *f = open_memstream(&text, &size);
	fputs(RULES, f);
	for (size_t i = 0; i < N_WORDS; i++)
		for (size_t k = 0; k < N_WORDS; k++)
			fprintf(f, "- {name: r%zu, from: [%s], to: [%s], app: web, deny: true}\n",
				n++, words[i], words[k]);
	ck_assert_int_eq(fclose(f), 0);
	struct rig rig = rig_of(load_good(text));
	const struct sides *sides = rig.sides;
	for (size_t i = 0; i < n; i++) {
		ck_assert(neighbours_overlapping(&rig.near, &rig.sides[i], &rig.found));
		for (size_t k = 0; k < n; k++)
			if (sides_overlap(&sides[i].from, &sides[k].from) &&
			    sides_overlap(&sides[i].to, &sides[k].to))
				ck_assert_msg(holds(&rig.found, (uint32_t)k), "%zu misses %zu", i,
					      k);
		const struct atom *from = &rig.policy->atoms[sides[i].from.atoms.v[0]];
		const struct atom *to = &rig.policy->atoms[sides[i].to.atoms.v[0]];
		ck_assert(neighbours_covering(&rig.near, from, to, &rig.found));
		for (size_t k = 0; k < n; k++)
			if (side_covers_atom(&sides[k].from, from) &&
			    side_covers_atom(&sides[k].to, to))
				ck_assert_msg(holds(&rig.found, (uint32_t)k), "%zu misses %zu", i,
					      k);
	}
	rig_fini(&rig);
	free(text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy_lint");
	TCase *tests = tcase_create("lint");
	tcase_add_loop_test(tests, says, 0, sizeof(rows) / sizeof(rows[0]));
	tcase_add_test(tests, values_cost_effort);
	tcase_add_test(tests, long_patterns_cost_more);
	tcase_add_test(tests, items_share_an_effort);
	tcase_add_test(tests, rules_against_rules_come_to_an_end);
	tcase_add_test(tests, work_grows_with_the_rules_and_no_faster);
	tcase_add_test(tests, misses_nobody);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
