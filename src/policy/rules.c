/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One rule, as the file has it. Its keys come in any order, and what `allow` may hold depends on
 * `app`, so the first pass takes what stands alone and remembers the nodes of the rest.
 */
#include "policy/rules.h"

#include "bridgewarden/policy.h"
#include "policy/config.h"
#include "policy/selector.h"

#include <errno.h>
#include <stdlib.h>

enum {
	EXPR_DEPTH_MAX = 8, /* lists in lists */
	PORTS_MAX = 64,	    /* ranges in one rule */
};

static const struct word tls_words[] = {
	{"any", TLS_ANY}, {"forbid", TLS_FORBID}, {"require", TLS_REQUIRE}, {NULL, 0}};
static const struct word log_words[] = {
	{"none", LOG_NONE}, {"violations", LOG_VIOLATIONS},
	{"all", LOG_ALL},   {"sample 1/N", LOG_SAMPLE},
	{NULL, 0},
};

static const char NAME_CHARACTERS[] =
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

/* ---- expressions ---- */

struct expr_reading {
	struct expr *expr;
	unsigned depth;
};

static void read_expr(struct loading *l, const yaml_node_t *node, struct expr *out, unsigned depth);

static void read_kid(struct loading *l, const yaml_node_t *node, void *target)
{
	struct expr_reading *r = target;
	struct expr kid = {0};
	read_expr(l, node, &kid, r->depth + 1);
	struct expr *slot = ARRAY_ADD(r->expr->kids, r->expr->n_kids);
	if (slot) {
		*slot = kid;
		return;
	}
	expr_fini(&kid);
	out_of_memory(l);
}

static void read_atom(struct loading *l, const yaml_node_t *node, struct expr *out)
{
	const char *text;
	struct error err;
	char hint[160];
	if (!node_text(l, node, "a selector", &text))
		return;
	int e = selector_parse(l->policy, text, out, &err);
	if (e == -ENOMEM)
		out_of_memory(l);
	else if (e < 0)
		complain_at(l, node, selector_hint(text, hint, sizeof(hint)), "%s", err.text);
}

static void read_all_of(struct loading *l, const yaml_node_t *node, void *target)
{
	struct expr_reading *r = target;
	r->expr->kind = EXPR_AND;
	read_list(l, node, "`all`", read_kid, target);
	if (node->type == YAML_SEQUENCE_NODE && r->expr->n_kids == 0)
		complain_at(l, node, NULL, "`all` lists nothing");
}

static void read_not(struct loading *l, const yaml_node_t *node, void *target)
{
	struct expr_reading *r = target;
	r->expr->kind = EXPR_NOT;
	read_kid(l, node, target);
}

static void read_operator(struct loading *l, const yaml_node_t *node, struct expr_reading *r)
{
	static const struct key keys[] = {
		{"all", KEY_CUSTOM, 0, 0, 0, NULL, NULL, read_all_of},
		{"not", KEY_CUSTOM, 0, 0, 0, NULL, NULL, read_not},
		{NULL, KEY_MISSING, 0, 0, 0, NULL, NULL, NULL},
	};
	size_t n = (size_t)(node->data.mapping.pairs.top - node->data.mapping.pairs.start);
	if (n == 1)
		(void)read_map(l, node, "a selector", keys,
			       r); /* which of the two is in the tree */
	else
		complain_at(l, node, NULL, "a selector mapping has one key: `all` or `not`");
}

static void read_expr(struct loading *l, const yaml_node_t *node, struct expr *out, unsigned depth)
{
	struct expr_reading r = {.expr = out, .depth = depth};
	out->place = place_of(l, node);
	if (depth == EXPR_DEPTH_MAX) {
		complain_at(l, node, NULL, "selectors are nested too deeply");
	} else if (node_is_scalar(node)) {
		read_atom(l, node, out);
	} else if (node->type == YAML_MAPPING_NODE) {
		read_operator(l, node, &r);
	} else {
		out->kind = EXPR_OR;
		read_list(l, node, "a selector", read_kid, &r);
		if (out->n_kids == 0)
			complain_at(l, node, NULL, "an empty list matches nothing");
	}
}

void expr_read(struct loading *l, const yaml_node_t *node, struct expr *out)
{
	read_expr(l, node, out, 0);
}

/* ---- identities ---- */

static void add_identity(struct loading *l, const yaml_node_t *key, const yaml_node_t *value)
{
	const char *name;
	struct policy *policy = l->policy;
	if (!node_text(l, key, "an identity's name", &name))
		return;
	if (name[strspn(name, NAME_CHARACTERS)] != '\0' || strlen(name) >= POLICY_NAME_MAX) {
		complain_at(l, key, NULL, "an identity's name is made of letters, digits and -_.");
		return;
	}
	if (strmap_find(&policy->identity_numbers, name, strlen(name)) != STRMAP_NONE) {
		complain_at(l, key, NULL, "identity `%s` is given twice", name);
		return;
	}
	if (strmap_put(&policy->identity_numbers, name, strlen(name),
		       (uint32_t)policy->n_identities) < 0) {
		out_of_memory(l);
		return;
	}
	struct named_identity *slot = ARRAY_ADD(policy->identities, policy->n_identities);
	if (!slot) {
		out_of_memory(l);
		return;
	}
	slot->place = place_of(l, key);
	slot->name = strdup(name);
	if (!slot->name)
		out_of_memory(l);
	expr_read(l, value, &slot->expr);
}

void identities_read(struct loading *l, const yaml_node_t *node, void *target)
{
	(void)target; /* everything goes to the policy */
	if (node->type != YAML_MAPPING_NODE) {
		complain_at(l, node, NULL, "`identities` is a mapping of names to selectors");
		return;
	}
	for (const yaml_node_pair_t *p = node->data.mapping.pairs.start;
	     p < node->data.mapping.pairs.top; p++) {
		const yaml_node_t *key = node_get(l, p->key), *value = node_get(l, p->value);
		if (key && value)
			add_identity(l, key, value);
	}
}

/* ---- the keys of a rule ---- */

struct rule_reading {
	struct rule rule;
	const yaml_node_t *name, *app, *port, *allow, *deny, *tls;
};

static void read_name(struct loading *l, const yaml_node_t *node, void *target)
{
	struct rule_reading *r = target;
	if (!node_copy(l, node, "a rule's name", &r->rule.name))
		return;
	r->name = node;
	const char *name = r->rule.name;
	if (name[strspn(name, NAME_CHARACTERS)] != '\0' || strlen(name) >= POLICY_NAME_MAX)
		complain_at(l, node, NULL, "a rule's name is made of letters, digits and -_.");
	else if (strcmp(name, "default") == 0)
		complain_at(l, node, NULL, "`default` is what no rule is called");
}

static void read_from(struct loading *l, const yaml_node_t *node, void *target)
{
	expr_read(l, node, &((struct rule_reading *)target)->rule.from);
}

static void read_to(struct loading *l, const yaml_node_t *node, void *target)
{
	expr_read(l, node, &((struct rule_reading *)target)->rule.to);
}

static void unknown_app(struct loading *l, const yaml_node_t *node, const char *name)
{
	static const uint8_t raw[] = {APP_ANY, APP_TCP, APP_UDP, APP_ICMP};
	struct suggestion s = {.word = name};
	for (size_t i = 0; i < n_dissectors; i++)
		suggestion_offer(&s, dissectors[i]->name);
	for (size_t i = 0; i < sizeof(raw); i++)
		suggestion_offer(&s, app_name(raw[i]));
	complain_at(l, node, suggestion_hint(&s), "unknown app `%s`", name);
}

static void read_app(struct loading *l, const yaml_node_t *node, void *target)
{
	struct rule_reading *r = target;
	const char *name;
	if (!node_text(l, node, "`app`", &name))
		return;
	r->rule.app = app_find(name);
	if (r->rule.app == POLICY_APP_NONE)
		unknown_app(l, node, name);
}

static bool parse_ports(const char *text, struct port_range *out)
{
	uint64_t low, high;
	char first[8];
	size_t n = strcspn(text, "-");
	if (n >= sizeof(first))
		return false;
	memcpy(first, text, n);
	first[n] = '\0';
	if (!uint_parse(first, &low))
		return false;
	high = low;
	if (text[n] == '-' && !uint_parse(text + n + 1, &high))
		return false;
	*out = (struct port_range){.low = (uint16_t)low, .high = (uint16_t)high};
	return low >= 1 && low <= high && high <= UINT16_MAX;
}

static void read_port(struct loading *l, const yaml_node_t *node, void *target)
{
	struct rule *rule = &((struct rule_reading *)target)->rule;
	struct port_range range;
	if (!node_is_scalar(node) || !parse_ports((const char *)node->data.scalar.value, &range)) {
		complain_at(
			l, node, NULL,
			"a port is 1..65535, a list of ports, or a range such as \"8000-8100\"");
		return;
	}
	if (rule->n_ports == PORTS_MAX) {
		complain_at(l, node, NULL, "more than %d ports in one rule: use ranges", PORTS_MAX);
		return;
	}
	struct port_range *slot = ARRAY_ADD(rule->ports, rule->n_ports);
	if (slot)
		*slot = range;
	else
		out_of_memory(l);
}

static void read_ports(struct loading *l, const yaml_node_t *node, void *target)
{
	((struct rule_reading *)target)->port = node;
	read_one_or_list(l, node, read_port, target);
	if (node->type == YAML_SEQUENCE_NODE && ((struct rule_reading *)target)->rule.n_ports == 0)
		complain_at(l, node, NULL, "`port` lists nothing");
}

static void keep_allow(struct loading *l, const yaml_node_t *node, void *target)
{
	(void)l; /* read when the application is known */
	((struct rule_reading *)target)->allow = node;
}

static void keep_deny(struct loading *l, const yaml_node_t *node, void *target)
{
	(void)l; /* read when the application is known */
	((struct rule_reading *)target)->deny = node;
}

static void read_tls(struct loading *l, const yaml_node_t *node, void *target)
{
	struct rule_reading *r = target;
	unsigned word;
	r->tls = node;
	if (node_is_scalar(node) && strcmp((const char *)node->data.scalar.value, "strip") == 0)
		complain_at(l, node, NULL, "`tls: strip` is not supported by this version yet");
	else if (read_word(l, node, "`tls`", tls_words, &word))
		r->rule.tls = (enum tls_choice)word;
}

static void read_log(struct loading *l, const yaml_node_t *node, void *target)
{
	struct rule *rule = &((struct rule_reading *)target)->rule;
	unsigned word;
	uint64_t n;
	const char *text;
	if (!node_text(l, node, "`log`", &text))
		return;
	if (strncmp(text, "sample 1/", 9) == 0) {
		if (!uint_parse(text + 9, &n) || n < 1 || n > UINT16_MAX) {
			complain_at(l, node, NULL, "`log: sample 1/N` takes N of 1..65535");
			return;
		}
		rule->log = LOG_SAMPLE;
		rule->log_sample = (uint16_t)n;
	} else if (read_word(l, node, "`log`", log_words, &word)) {
		rule->log = (enum log_choice)word;
	}
}

static void read_response(struct loading *l, const yaml_node_t *node, void *target)
{
	unsigned *seen = target;
	const char *text;
	if (!node_text(l, node, "a response", &text))
		return;
	if (strcmp(text, "log") == 0)
		*seen |= 1;
	else if (strcmp(text, "refuse") == 0)
		*seen |= 2;
	else if (strncmp(text, "quarantine", 10) == 0 || strncmp(text, "webhook", 7) == 0)
		complain_at(l, node, NULL, "`%s` is not supported by this version yet", text);
	else
		complain_at(l, node, NULL, "unknown response `%s`", text);
}

static void read_respond(struct loading *l, const yaml_node_t *node, void *target)
{
	(void)target; /* the only supported value is the default */
	unsigned seen = 0;
	size_t errors = l->diags->n_errors;
	read_one_or_list(l, node, read_response, &seen);
	if (seen != 3 && errors == l->diags->n_errors)
		complain_at(
			l, node, NULL,
			"`respond` other than [log, refuse] is not supported by this version yet");
}

static void read_mode(struct loading *l, const yaml_node_t *node, void *target)
{
	unsigned word;
	if (read_word(l, node, "`mode`", mode_words, &word))
		((struct rule_reading *)target)->rule.mode = (int)word;
}

/* Exactly n digits. */
static bool parse_digits(const char *text, size_t n, int *out)
{
	*out = 0;
	for (size_t i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		*out = *out * 10 + (text[i] - '0');
	}
	return true;
}

bool date_parse(const char *text, int *year, int *month, int *day)
{
	static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	if (strlen(text) != 10 || text[4] != '-' || text[7] != '-' ||
	    !parse_digits(text, 4, year) || !parse_digits(text + 5, 2, month) ||
	    !parse_digits(text + 8, 2, day))
		return false;
	if (*year < 1970 || *month < 1 || *month > 12 || *day < 1)
		return false;
	bool leaps = (*year % 4 == 0 && *year % 100 != 0) || *year % 400 == 0;
	return *day <= lengths[*month - 1] + (*month == 2 && leaps);
}

/* Counts from 1 March, so that the leap day is the last of its year. */
long date_days(int year, int month, int day)
{
	long y = month <= 2 ? year - 1 : year;
	long m = (month + 9) % 12;
	long days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1;
	return days - 719468;
}

static void read_expires(struct loading *l, const yaml_node_t *node, void *target)
{
	struct rule *rule = &((struct rule_reading *)target)->rule;
	const char *text = node_is_scalar(node) ? (const char *)node->data.scalar.value : "";
	if (!date_parse(text, &rule->expires_year, &rule->expires_month, &rule->expires_day)) {
		complain_at(l, node, NULL, "`expires` is a date: YYYY-MM-DD");
		return;
	}
	rule->has_expires = true;
	rule->is_expired =
		date_days(rule->expires_year, rule->expires_month, rule->expires_day) < l->today;
	struct place place = place_of(l, node);
	if (rule->is_expired)
		complain(l, &place, DIAG_WARNING, NULL, "this rule has expired and is inactive");
}

static void read_why(struct loading *l, const yaml_node_t *node, void *target)
{
	struct rule *rule = &((struct rule_reading *)target)->rule;
	if (!node_is_scalar(node) || node_is_null(node) ||
	    strlen((const char *)node->data.scalar.value) != node->data.scalar.length) {
		complain_at(l, node, NULL, "`why` is a text");
		return;
	}
	free(rule->why);
	rule->why = strdup((const char *)node->data.scalar.value);
	if (!rule->why)
		out_of_memory(l);
}

#define RULE_AT(member) offsetof(struct rule_reading, rule.member)

enum { SEEN_FROM = 1 << 1, SEEN_TO = 1 << 2 };

const struct key rule_keys[] = {
	{"name", KEY_CUSTOM, 0, 0, 0, NULL, NULL, read_name},
	{"from", KEY_CUSTOM, 0, 0, 0, NULL, NULL, read_from},
	{"to", KEY_CUSTOM, 0, 0, 0, NULL, NULL, read_to},
	{"app", KEY_CUSTOM, 0, 0, 0, NULL, NULL, read_app},
	{"port", KEY_CUSTOM, 0, 0, 0, NULL, NULL, read_ports},
	{"allow", KEY_CUSTOM, 0, 0, 0, NULL, NULL, keep_allow},
	{"deny", KEY_CUSTOM, 0, 0, 0, NULL, NULL, keep_deny},
	{"tls", KEY_CUSTOM, 0, 0, 0, tls_words, NULL, read_tls},
	{"rate", KEY_MISSING, 0, 0, 0, NULL, NULL, NULL},
	{"log", KEY_CUSTOM, 0, 0, 0, log_words, NULL, read_log},
	{"capture", KEY_MISSING, 0, 0, 0, NULL, NULL, NULL},
	{"respond", KEY_CUSTOM, 0, 0, 0, NULL, NULL, read_respond},
	{"mode", KEY_CUSTOM, 0, 0, 0, mode_words, NULL, read_mode},
	{"expires", KEY_CUSTOM, 0, 0, 0, NULL, NULL, read_expires},
	{"owner", KEY_TEXT, RULE_AT(owner), 0, 0, NULL, NULL, NULL},
	{"why", KEY_CUSTOM, 0, 0, 0, NULL, NULL, read_why},
	{"broad", KEY_BOOL, RULE_AT(is_broad), 0, 0, NULL, NULL, NULL},
	{NULL, KEY_MISSING, 0, 0, 0, NULL, NULL, NULL},
};

/* ---- the rule as a whole ---- */

static void check_presence(struct loading *l, const yaml_node_t *node, const struct rule_reading *r,
			   uint64_t seen)
{
	const char *name = r->rule.name ? r->rule.name : "?";
	if (!r->rule.name && !(seen & 1))
		complain_at(l, node, NULL, "a rule needs a `name`");
	if (!(seen & SEEN_FROM))
		complain_at(l, node, NULL, "rule `%s` needs `from`", name);
	if (!(seen & SEEN_TO))
		complain_at(l, node, NULL, "rule `%s` needs `to`", name);
	if (!r->allow == !r->deny)
		complain_at(l, node, NULL, "rule `%s` needs exactly one of `allow` and `deny`",
			    name);
}

static void read_action(struct loading *l, struct rule_reading *r)
{
	const yaml_node_t *node = r->allow ? r->allow : r->deny;
	const char *what = r->allow ? "allow" : "deny";
	bool truth = false;
	r->rule.action = r->allow ? RULE_ALLOW : RULE_DENY;
	if (node->type == YAML_SEQUENCE_NODE) {
		if (r->rule.app != POLICY_APP_NONE)
			(void)constraints_read(l, node, &r->rule); /* it has complained */
	} else if (!node_is_bool(node, &truth) || !truth) {
		complain_at(l, node, truth ? NULL : "to refuse, write `deny: true`",
			    "`%s` is `true` or a list of constraints", what);
	}
}

static void check_tls(struct loading *l, const struct rule_reading *r)
{
	const struct rule *rule = &r->rule;
	if (rule->tls == TLS_UNSET)
		return;
	if (app_is_sealed(rule->app))
		complain_at(l, r->tls, "leave `tls` out", "`%s` is judged by how it opens",
			    app_name(rule->app));
	else if (app_is_raw(rule->app) && rule->tls != TLS_ANY)
		complain_at(l, r->tls, NULL, "`tls` needs an application: `%s` is not read",
			    app_name(rule->app));
	else if (rule->action == RULE_DENY &&
		 (!rule_is_constrained(rule) || rule->tls == TLS_REQUIRE))
		complain_at(l, r->tls, NULL,
			    "on a deny rule `tls` is `any` or `forbid`, beside constraints");
}

static void finish_rule(struct loading *l, const yaml_node_t *node, struct rule_reading *r)
{
	if (r->rule.app == APP_ICMP && r->port)
		complain_at(l, r->port, NULL, "`icmp` has no ports");
	if (!r->allow != !r->deny)
		read_action(l, r);
	check_tls(l, r);
	if (r->rule.is_broad && (r->rule.action == RULE_DENY || rule_is_constrained(&r->rule)))
		complain_at(l, node, NULL, "`broad` belongs to an `allow: true`");
}

static void add_rule(struct loading *l, struct rule_reading *r)
{
	struct policy *policy = l->policy;
	const char *name = r->rule.name;
	uint32_t earlier = strmap_find(&policy->rule_numbers, name, strlen(name));
	if (earlier != STRMAP_NONE) {
		complain_at(l, r->name, NULL, "two rules are called `%s` (line %u)", name,
			    (unsigned)policy->rules[earlier].place.line);
		rule_fini(&r->rule);
		return;
	}
	struct rule *slot = NULL;
	if (strmap_put(&policy->rule_numbers, name, strlen(name), (uint32_t)policy->n_rules) == 0)
		slot = ARRAY_ADD(policy->rules, policy->n_rules);
	if (!slot) {
		rule_fini(&r->rule);
		out_of_memory(l);
		return;
	}
	r->rule.place = place_of(l, r->name);
	*slot = r->rule;
}

void rule_read(struct loading *l, const yaml_node_t *node, void *target)
{
	(void)target; /* the rule is added to the policy */
	size_t errors = l->diags->n_errors;
	struct rule_reading r = {.rule = {.app = APP_ANY, .mode = MODE_UNSET}};
	uint64_t seen = read_map(l, node, "a rule", rule_keys, &r);
	if (node->type == YAML_MAPPING_NODE) {
		check_presence(l, node, &r, seen);
		finish_rule(l, node, &r);
	}
	/* What is half read must not meet the checks between rules. */
	if (errors == l->diags->n_errors && r.rule.name)
		add_rule(l, &r);
	else
		rule_fini(&r.rule);
}
