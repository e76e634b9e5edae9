/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The canonical file: one order of keys, one spelling of each value, nothing that equals its
 * default. */
#include "policy/ast.h"
#include "policy/config.h"

#include <stdlib.h>

static void print_expr(const struct policy *policy, const struct expr *expr, FILE *out)
{
	char *text;
	switch (expr->kind) {
	case EXPR_ATOM:
		print_scalar(policy->atoms[expr->number].text, out);
		return;
	case EXPR_NAMED:
		if (asprintf(&text, "@%s", expr->name) < 0)
			return;
		print_scalar(text, out);
		free(text);
		return;
	case EXPR_NOT:
		fputs("{not: ", out);
		print_expr(policy, &expr->kids[0], out);
		fputc('}', out);
		return;
	case EXPR_AND:
	case EXPR_OR:
		break;
	}
	fputs(expr->kind == EXPR_AND ? "{all: [" : "[", out);
	for (size_t i = 0; i < expr->n_kids; i++) {
		fputs(i ? ", " : "", out);
		print_expr(policy, &expr->kids[i], out);
	}
	fputs(expr->kind == EXPR_AND ? "]}" : "]", out);
}

static void print_ports(const struct rule *rule, FILE *out)
{
	fputs(rule->n_ports > 1 ? "  port: [" : "  port: ", out);
	for (size_t i = 0; i < rule->n_ports; i++) {
		const struct port_range *p = &rule->ports[i];
		fputs(i ? ", " : "", out);
		if (p->low == p->high)
			fprintf(out, "%u", p->low);
		else
			fprintf(out, "\"%u-%u\"", p->low, p->high);
	}
	fputs(rule->n_ports > 1 ? "]\n" : "\n", out);
}

static void print_constraint(const struct rule *rule, const struct constraint *c, FILE *out)
{
	const struct dis_field *field = &dissectors[rule->app]->fields[c->field];
	fprintf(out, c->n_values > 1 ? "%s: [" : "%s: ", field->key);
	for (size_t i = 0; i < c->n_values; i++) {
		fputs(i ? ", " : "", out);
		if (field->type == DIS_NUMBER)
			fputs(c->values[i].text, out);
		else
			print_scalar(c->values[i].text, out);
	}
	fputs(c->n_values > 1 ? "]" : "", out);
}

static void print_action(const struct rule *rule, FILE *out)
{
	fprintf(out, "  %s:%s\n", rule->action == RULE_ALLOW ? "allow" : "deny",
		rule->n_items ? "" : " true");
	for (size_t i = 0; i < rule->n_items; i++) {
		const struct constraint_item *item = &rule->items[i];
		fputs("  - {", out);
		for (size_t k = 0; k < item->n_keys; k++) {
			fputs(k ? ", " : "", out);
			print_constraint(rule, &item->keys[k], out);
		}
		fputs(item->allows_unparsed ? ", unparsed: allow}\n" : "}\n", out);
	}
}

static void print_log(const struct rule *rule, FILE *out)
{
	switch (rule->log) {
	case LOG_VIOLATIONS:
		break;
	case LOG_NONE:
		fputs("  log: \"none\"\n", out);
		break;
	case LOG_ALL:
		fputs("  log: all\n", out);
		break;
	case LOG_SAMPLE:
		fprintf(out, "  log: sample 1/%u\n", rule->log_sample);
		break;
	}
}

static void print_text(const char *key, const char *text, FILE *out)
{
	if (!text)
		return;
	fprintf(out, "  %s: ", key);
	print_scalar(text, out);
	fputc('\n', out);
}

static void print_rule(const struct policy *policy, const struct rule *rule, FILE *out)
{
	static const char *const tls[] = {NULL, "any", "forbid", "require"};
	fputs("- name: ", out);
	print_scalar(rule->name, out);
	fputs("\n  from: ", out);
	print_expr(policy, &rule->from, out);
	fputs("\n  to: ", out);
	print_expr(policy, &rule->to, out);
	fprintf(out, "\n  app: %s\n", app_name(rule->app));
	if (rule->n_ports)
		print_ports(rule, out);
	print_action(rule, out);
	if (rule->is_broad)
		fputs("  broad: true\n", out);
	print_text("tls", tls[rule->tls], out);
	print_log(rule, out);
	if (rule->mode != MODE_UNSET)
		print_text("mode", word_name(mode_words, (unsigned)rule->mode), out);
	if (rule->has_expires)
		fprintf(out, "  expires: %04d-%02d-%02d\n", rule->expires_year, rule->expires_month,
			rule->expires_day);
	print_text("owner", rule->owner, out);
	print_text("why", rule->why, out);
}

void policy_print(const struct policy *policy, FILE *out)
{
	struct policy base = {0};
	if (config_defaults(&base) == 0)
		config_print(policy, &base, out);
	free(base.config.engine.user);
	free(base.config.docker.socket);
	free(base.config.output.eve);
	fputs(policy->n_identities ? "identities:\n" : "", out);
	for (size_t i = 0; i < policy->n_identities; i++) {
		fputs("  ", out);
		print_scalar(policy->identities[i].name, out);
		fputs(": ", out);
		print_expr(policy, &policy->identities[i].expr, out);
		fputc('\n', out);
	}
	fputs(policy->n_rules ? "rules:\n" : "", out);
	for (size_t i = 0; i < policy->n_rules; i++)
		print_rule(policy, &policy->rules[i], out);
	fputs(policy->n_tests ? "tests:\n" : "", out);
	for (size_t i = 0; i < policy->n_tests; i++) {
		fputs("- ", out);
		print_scalar(policy->tests[i].text, out);
		fputc('\n', out);
	}
}
