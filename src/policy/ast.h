/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A policy as it was written: what the loader fills, and what print, compile, the checks and the
 * sentences read. Private to src/policy. All of it is owned by struct policy.
 *
 * Selector atoms are unique: equal texts share one number, so that "does this rule name what that
 * one names" is a comparison of numbers, and each atom is matched once per endpoint whatever the
 * number of rules.
 */
#ifndef POLICY_AST_H
#define POLICY_AST_H

#include "bridgewarden/dissect.h"
#include "policy/load.h"
#include "policy/regex.h"
#include "policy/strmap.h"

/* Where something was written. Sources live as long as the policy. */
struct place {
	uint32_t source;
	uint32_t line, column; /* from 1 */
};

enum atom_kind {
	ATOM_ANY,
	ATOM_HOST,
	ATOM_INTERNET,
	ATOM_SERVICE,	/* a = project, b = service; globs */
	ATOM_CONTAINER, /* a = glob */
	ATOM_IMAGE,	/* a = glob */
	ATOM_LABEL,	/* a = key, b = glob of the value */
	ATOM_NETWORK,	/* a = glob */
	ATOM_CIDR,
};

struct atom {
	enum atom_kind kind;
	char *text; /* canonical: "blog/wordpress" */
	char *a, *b;
	struct ip_addr addr;
	uint8_t length;
};

enum expr_kind { EXPR_ATOM, EXPR_NAMED, EXPR_OR, EXPR_AND, EXPR_NOT };

/* A tree: only OR, AND and NOT have children; NOT has one. */
struct expr {
	enum expr_kind kind;
	uint32_t number; /* ATOM: index in atoms; NAMED: index in identities once resolved */
	char *name;	 /* NAMED, without the @ */
	struct place place;
	struct expr *kids;
	size_t n_kids;
};

struct named_identity {
	char *name;
	struct expr expr;
	struct place place;
};

/* Applications that are no dissector: judged by addresses, port and protocol alone. */
enum { APP_ANY = 0xf0, APP_TCP, APP_UDP, APP_ICMP };

static inline bool app_is_raw(uint8_t app)
{
	return app >= APP_ANY;
}

/* What it judges is how a connection opens; behind that everything is opaque. */
static inline bool app_is_sealed(uint8_t app)
{
	return app < n_dissectors && dissectors[app]->is_sealed;
}

enum tls_choice { TLS_UNSET, TLS_ANY, TLS_FORBID, TLS_REQUIRE };
enum log_choice { LOG_VIOLATIONS, LOG_NONE, LOG_ALL, LOG_SAMPLE };
enum rule_action { RULE_ALLOW, RULE_DENY };

struct constraint_value {
	char *text;
	uint64_t low, high; /* DIS_NUMBER */
	uint32_t machine;   /* of `re:...`: index in the policy's list + 1; 0: a pattern */
	struct place place;
};

/* One key of an item: its values are OR. */
struct constraint {
	uint16_t field; /* index in the dissector's table */
	struct constraint_value *values;
	size_t n_values;
	struct place place;
};

/* One item of an allow or deny list: its keys are AND. */
struct constraint_item {
	struct constraint *keys;
	size_t n_keys;
	bool allows_unparsed;
	struct place place;
};

struct port_range {
	uint16_t low, high;
};

enum { MODE_UNSET = -1 };

struct rule {
	char *name;
	struct expr from, to;
	uint8_t app; /* index of dissectors[] or APP_* */
	struct port_range *ports;
	size_t n_ports; /* 0: any */
	enum rule_action action;
	struct constraint_item *items;
	size_t n_items; /* 0: `true` */
	enum tls_choice tls;
	enum log_choice log;
	uint16_t log_sample;
	int mode; /* enum mode or MODE_UNSET */
	bool is_broad, is_expired;
	bool has_expires;
	int expires_year, expires_month, expires_day;
	char *owner, *why;
	struct place place; /* of its name, or of the rule */
};

struct policy_test {
	char *text;
	struct place place;
};

struct source {
	char *name;
	char *text;
	size_t n;
};

struct policy {
	struct policy_config config;
	char *inventory_text; /* as written */
	struct atom *atoms;
	size_t n_atoms;
	struct strmap atom_numbers;
	struct named_identity *identities;
	size_t n_identities;
	struct strmap identity_numbers;
	struct rule *rules;
	size_t n_rules;
	struct strmap rule_numbers;
	struct machine *machines; /* equal expressions share one */
	size_t n_machines;
	size_t n_machine_steps; /* of all */
	size_t n_machine_work;	/* what building them took, those too that were refused */
	struct strmap machine_numbers;
	struct policy_test *tests;
	size_t n_tests;
	struct source *sources; /* the file itself, then what it includes */
	size_t n_sources;
};

static inline enum mode rule_mode(const struct policy *policy, const struct rule *rule)
{
	return rule->mode == MODE_UNSET ? policy->config.mode : (enum mode)rule->mode;
}

/* What `tls` means where it is not written. */
static inline enum tls_choice rule_tls(const struct rule *rule)
{
	if (rule->tls != TLS_UNSET)
		return rule->tls;
	return rule->n_items && !app_is_sealed(rule->app) ? TLS_FORBID : TLS_ANY;
}

static inline bool rule_is_constrained(const struct rule *rule)
{
	return rule->n_items > 0;
}

/* src/policy/ast.c */
void expr_fini(struct expr *expr);
void rule_fini(struct rule *rule);
/* "mysql", "tcp"; 0xff for a name that is neither. */
const char *app_name(uint8_t app);
uint8_t app_find(const char *name);
/* The dissectors that a rule for it judges: the protocol and its variants. 0: raw. */
uint64_t app_set(uint8_t app);
bool app_uses(uint8_t app, uint8_t ip_proto);
bool field_is_of_replies(uint8_t app, uint16_t field);
/* One more zeroed element at the end of an array, or NULL. `items` is the address of the pointer to
 * the array, of any type. Capacity: the next power of two. */
void *array_add(void *items, size_t *n, size_t size);

#define ARRAY_ADD(items, n) array_add(&(items), &(n), sizeof(*(items)))

#endif
