/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of src/policy share about a loaded policy: names of applications, growing and
 * freeing. */
#include "policy/ast.h"

#include "bridgewarden/policy.h"

#include <netinet/in.h>
#include <stdlib.h>

void *array_add(void *items, size_t *n, size_t size)
{
	void *array;
	memcpy(&array, items, sizeof(array)); /* a pointer of any type, read as bytes */
	if (*n == 0 || (*n & (*n - 1)) == 0) {
		void *more = reallocarray(array, *n ? *n * 2 : 1, size);
		if (!more)
			return NULL;
		array = more;
		memcpy(items, &array, sizeof(array));
	}
	char *at = (char *)array + *n * size;
	memset(at, 0, size);
	++*n;
	return at;
}

void expr_fini(struct expr *expr)
{
	for (size_t i = 0; i < expr->n_kids; i++)
		expr_fini(&expr->kids[i]);
	free(expr->kids);
	free(expr->name);
	*expr = (struct expr){0};
}

static void items_fini(struct constraint_item *items, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < items[i].n_keys; k++) {
			struct constraint *c = &items[i].keys[k];
			for (size_t v = 0; v < c->n_values; v++)
				free(c->values[v].text);
			free(c->values);
		}
		free(items[i].keys);
	}
	free(items);
}

void rule_fini(struct rule *rule)
{
	expr_fini(&rule->from);
	expr_fini(&rule->to);
	items_fini(rule->items, rule->n_items);
	free(rule->ports);
	free(rule->name);
	free(rule->owner);
	free(rule->why);
	*rule = (struct rule){0};
}

static void manage_fini(struct policy_manage *m)
{
	free(m->pattern);
	free(m->sources);
}

static void config_fini(struct policy_config *config)
{
	for (size_t i = 0; i < config->n_manage; i++)
		manage_fini(&config->manage[i]);
	free(config->manage);
	free(config->engine.user);
	free(config->docker.socket);
	free(config->output.eve);
	free(config->inventory);
}

void policy_free(struct policy *policy)
{
	if (!policy)
		return;
	for (size_t i = 0; i < policy->n_atoms; i++) {
		free(policy->atoms[i].text);
		free(policy->atoms[i].a);
		free(policy->atoms[i].b);
	}
	for (size_t i = 0; i < policy->n_identities; i++) {
		free(policy->identities[i].name);
		expr_fini(&policy->identities[i].expr);
	}
	for (size_t i = 0; i < policy->n_rules; i++)
		rule_fini(&policy->rules[i]);
	for (size_t i = 0; i < policy->n_machines; i++)
		machine_fini(&policy->machines[i]);
	for (size_t i = 0; i < policy->n_tests; i++)
		free(policy->tests[i].text);
	for (size_t i = 0; i < policy->n_sources; i++) {
		free(policy->sources[i].name);
		free(policy->sources[i].text);
	}
	config_fini(&policy->config);
	strmap_fini(&policy->atom_numbers);
	strmap_fini(&policy->identity_numbers);
	strmap_fini(&policy->rule_numbers);
	strmap_fini(&policy->machine_numbers);
	free(policy->inventory_text);
	free(policy->atoms);
	free(policy->identities);
	free(policy->rules);
	free(policy->machines);
	free(policy->tests);
	free(policy->sources);
	free(policy);
}

const struct policy_config *policy_config(const struct policy *policy)
{
	return &policy->config;
}

bool policy_enforces(const struct policy *policy)
{
	bool enforces = policy->config.mode == MODE_ENFORCE;
	for (size_t i = 0; i < policy->n_rules && !enforces; i++)
		enforces = rule_mode(policy, &policy->rules[i]) == MODE_ENFORCE;
	return enforces;
}

size_t policy_n_rules(const struct policy *policy)
{
	return policy->n_rules;
}

size_t policy_n_tests(const struct policy *policy)
{
	return policy->n_tests;
}

static const struct {
	const char *name;
	uint8_t app;
} raw_apps[] = {{"any", APP_ANY}, {"tcp", APP_TCP}, {"udp", APP_UDP}, {"icmp", APP_ICMP}};

enum { N_RAW_APPS = sizeof(raw_apps) / sizeof(raw_apps[0]) };

const char *app_name(uint8_t app)
{
	for (size_t i = 0; i < N_RAW_APPS; i++)
		if (raw_apps[i].app == app)
			return raw_apps[i].name;
	return app < n_dissectors ? dissectors[app]->name : "?";
}

uint8_t app_find(const char *name)
{
	for (size_t i = 0; i < N_RAW_APPS; i++)
		if (strcmp(raw_apps[i].name, name) == 0)
			return raw_apps[i].app;
	for (size_t i = 0; i < n_dissectors; i++)
		if (strcmp(dissectors[i]->name, name) == 0)
			return (uint8_t)i;
	return POLICY_APP_NONE;
}

uint64_t app_set(uint8_t app)
{
	if (app >= n_dissectors)
		return 0;
	uint64_t set = UINT64_C(1) << app;
	for (size_t i = 0; i < n_dissectors; i++)
		if (dissectors[i]->variant_of == dissectors[app])
			set |= UINT64_C(1) << i;
	return set;
}

static bool speaks_over(const struct dissector *d, uint8_t ip_proto)
{
	return d->ip_protos[0] == ip_proto || d->ip_protos[1] == ip_proto;
}

bool app_uses(uint8_t app, uint8_t ip_proto)
{
	switch (app) {
	case APP_ANY:
		return true;
	case APP_TCP:
		return ip_proto == IPPROTO_TCP;
	case APP_UDP:
		return ip_proto == IPPROTO_UDP;
	case APP_ICMP:
		return ip_proto == IPPROTO_ICMP || ip_proto == IPPROTO_ICMPV6;
	}
	for (uint64_t set = ip_proto ? app_set(app) : 0; set; set &= set - 1)
		if (speaks_over(dissectors[__builtin_ctzll(set)], ip_proto))
			return true;
	return false;
}

/* A field's table has no mark for fields of replies; this is the one constraint of the language
 * that speaks of them. */
bool field_is_of_replies(uint8_t app, uint16_t field)
{
	return strcmp(dissectors[app]->fields[field].key, "status") == 0;
}
