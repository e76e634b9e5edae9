/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Constraints by the dissector's own table: a key is that of a field, a value is what the field's
 * type takes. This file knows no protocol.
 *
 *	text fields    patterns (glob.h), or re: and an expression (regex.h); where the
 *	               field has a closed set of words, those and the names of groups
 *	number fields  200, "200-299", true (1), false (0); a key that begins with max_
 *	               takes one number, the greatest allowed
 *	unparsed       allow | deny: does the item hold for requests whose fields could
 *	               not be proven? Default: deny
 */
#include "policy/rules.h"

#include "policy/glob.h"

#include <errno.h>
#include <stdlib.h>

static const char EXPRESSION[] = "re:";

/* Of all expressions of a policy. */
enum {
	MACHINE_STEPS_MAX = 32 << 20, /* 64 MiB */
	MACHINE_WORK_MAX = 1 << 30,   /* about half a second; the last one may exceed it */
};

static const struct word unparsed_words[] = {{"allow", 1}, {"deny", 0}, {NULL, 0}};

struct constraint_reading {
	struct rule *rule;
	const struct dissector *dissector;
	struct constraint_item *item;
	struct constraint *constraint; /* the one whose values are read */
	const struct dis_field *field;
	bool failed;
};

static const struct dis_field *find_field(const struct dissector *d, const char *key)
{
	for (size_t i = 0; i < d->n_fields; i++)
		if (d->fields[i].key && strcmp(d->fields[i].key, key) == 0)
			return &d->fields[i];
	return NULL;
}

static bool is_first_of_key(const struct dissector *d, size_t field)
{
	return d->fields[field].key && find_field(d, d->fields[field].key) == &d->fields[field];
}

static void unknown_constraint(struct loading *l, const yaml_node_t *node,
			       const struct dissector *d, const char *key)
{
	struct suggestion s = {.word = key};
	char *all = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&all, &n);
	if (!f) {
		out_of_memory(l);
		return;
	}
	for (size_t i = 0; i < d->n_fields; i++) {
		if (!is_first_of_key(d, i))
			continue;
		fprintf(f, "%s, ", d->fields[i].key);
		suggestion_offer(&s, d->fields[i].key);
	}
	fputs("unparsed", f);
	suggestion_offer(&s, "unparsed");
	if (fclose(f) == 0)
		complain_at(l, node, suggestion_hint(&s), "no constraint `%s`: %s has %s", key,
			    d->name, all);
	free(all);
}

/* ---- values ---- */

static bool is_word_of(const struct dis_field *field, const char *text, struct suggestion *s)
{
	struct bytes word = bytes_str(text);
	for (size_t i = 0; field->words && field->words[i]; i++) {
		if (bytes_is_nocase(word, field->words[i]))
			return true;
		suggestion_offer(s, field->words[i]);
	}
	for (size_t i = 0; field->groups && field->groups[i].name; i++) {
		if (bytes_is_nocase(word, field->groups[i].name))
			return true;
		suggestion_offer(s, field->groups[i].name);
	}
	return false;
}

/* Where in the file the byte of a scalar stands, as far as that can be told. */
static struct place place_in(const struct loading *l, const yaml_node_t *node, size_t at)
{
	struct place place = place_of(l, node);
	size_t in_quotes = node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	/* without escapes a scalar is as long as it is written */
	if (node->end_mark.index - node->start_mark.index ==
	    node->data.scalar.length + 2 * in_quotes)
		place.column += (uint32_t)(in_quotes + at);
	return place;
}

static bool add_machine(struct loading *l, const char *key, size_t n, struct machine *machine,
			uint32_t *number)
{
	struct policy *policy = l->policy;
	struct machine *slot = NULL;
	*number = (uint32_t)policy->n_machines + 1;
	if (strmap_put(&policy->machine_numbers, key, n, *number) == 0)
		slot = ARRAY_ADD(policy->machines, policy->n_machines);
	if (!slot) {
		machine_fini(machine);
		out_of_memory(l);
		return false;
	}
	*slot = *machine;
	policy->n_machine_steps += machine_n_steps(machine->n_states, machine->n_classes);
	return true;
}

/* As regex_compile, within what all expressions of the policy may take. */
static int compile_expression(struct policy *policy, struct bytes text, bool folds,
			      struct machine *out, const char **why, size_t *at)
{
	*why = "the expressions of this policy together need too much work";
	*at = 0;
	if (policy->n_machine_work > MACHINE_WORK_MAX)
		return -EINVAL;
	*why = NULL;
	int e = regex_compile(text, folds, out, why, at);
	policy->n_machine_work += out->n_work;
	if (e < 0 || policy->n_machine_steps <= MACHINE_STEPS_MAX)
		return e;
	machine_fini(out);
	*why = "the expressions of this policy together are too large";
	return -EINVAL;
}

/* `re:...`: equal ones share a machine. */
static bool read_expression(struct loading *l, const yaml_node_t *node,
			    const struct dis_field *field, const char *text, uint32_t *number)
{
	char key[REGEX_MAX + 2];
	struct machine machine = {0};
	const char *why = NULL;
	size_t at = 0;
	const char *expression = text + strlen(EXPRESSION);
	bool folds = field->match == DIS_MATCH_NOCASE;
	int n = snprintf(key, sizeof(key), "%c%s", folds ? 'i' : 'c', expression);
	bool is_known = n > 0 && (size_t)n < sizeof(key);
	*number = is_known ? strmap_find(&l->policy->machine_numbers, key, (size_t)n) : STRMAP_NONE;
	if (*number != STRMAP_NONE)
		return true;
	int e = compile_expression(l->policy, bytes_str(expression), folds, &machine, &why, &at);
	if (e == -ENOMEM) {
		out_of_memory(l);
		return false;
	}
	if (e == 0)
		return add_machine(l, key, (size_t)n, &machine, number);
	struct place place = place_in(l, node, strlen(EXPRESSION) + at);
	complain(l, &place, DIAG_ERROR, NULL, "`%s`: %s", field->key, why);
	return false;
}

static bool check_text(struct loading *l, const yaml_node_t *node, const struct dis_field *field,
		       const char *text, uint32_t *machine)
{
	struct suggestion s = {.word = text};
	if (field->match == DIS_MATCH_WORD) {
		if (is_word_of(field, text, &s))
			return true;
		complain_at(l, node, suggestion_hint(&s), "`%s` is not one of the %s", text,
			    field->key);
		return false;
	}
	if (strncmp(text, EXPRESSION, strlen(EXPRESSION)) == 0)
		return read_expression(l, node, field, text, machine);
	const char *wrong = glob_check(bytes_str(text));
	if (wrong)
		complain_at(l, node, NULL, "`%s`: %s", field->key, wrong);
	return !wrong;
}

static bool parse_range(const char *text, uint64_t *low, uint64_t *high)
{
	char first[24];
	const char *dash = strchr(text, '-');
	if (!dash || (size_t)(dash - text) >= sizeof(first))
		return false;
	memcpy(first, text, (size_t)(dash - text));
	first[dash - text] = '\0';
	return uint_parse(first, low) && uint_parse(dash + 1, high) && *low <= *high;
}

static bool read_number(struct loading *l, const yaml_node_t *node, const struct dis_field *field,
			struct constraint_value *value)
{
	bool truth;
	const char *text = node_is_scalar(node) ? (const char *)node->data.scalar.value : "";
	bool is_max = strncmp(field->key, "max_", 4) == 0;
	if (node_is_bool(node, &truth) && !is_max) {
		value->low = value->high = truth;
		return true;
	}
	if (uint_parse(text, &value->high)) {
		value->low = is_max ? 0 : value->high;
		return true;
	}
	if (!is_max && parse_range(text, &value->low, &value->high))
		return true;
	if (is_max && size_parse(text, &value->high))
		return true;
	complain_at(l, node, NULL, "`%s` takes %s", field->key,
		    is_max ? "a number" : "numbers and ranges such as \"200-299\"");
	return false;
}

static bool read_value_of(struct loading *l, const yaml_node_t *node, const struct dis_field *field,
			  struct constraint_value *value)
{
	const char *text;
	if (field->type == DIS_NUMBER) {
		if (!read_number(l, node, field, value))
			return false;
		text = (const char *)node->data.scalar.value;
	} else if (!node_loose_text(l, node, field->key, &text) ||
		   !check_text(l, node, field, text, &value->machine)) {
		return false;
	}
	value->text = strdup(text);
	if (!value->text)
		out_of_memory(l);
	return value->text != NULL;
}

static void read_value(struct loading *l, const yaml_node_t *node, void *target)
{
	struct constraint_reading *r = target;
	struct constraint_value value = {.place = place_of(l, node)};
	if (!read_value_of(l, node, r->field, &value)) {
		r->failed = true;
		return;
	}
	struct constraint_value *slot = ARRAY_ADD(r->constraint->values, r->constraint->n_values);
	if (!slot) {
		free(value.text);
		out_of_memory(l);
		return;
	}
	*slot = value;
}

/* ---- items ---- */

static void read_constraint(struct loading *l, const yaml_node_t *key, const yaml_node_t *value,
			    struct constraint_reading *r)
{
	struct constraint *c = ARRAY_ADD(r->item->keys, r->item->n_keys);
	if (!c) {
		out_of_memory(l);
		return;
	}
	c->field = (uint16_t)(r->field - r->dissector->fields);
	c->place = place_of(l, key);
	r->constraint = c;
	read_one_or_list(l, value, read_value, r);
	if (c->n_values == 0 && !r->failed) {
		complain_at(l, value, NULL, "`%s` lists nothing, so nothing could match",
			    r->field->key);
		r->failed = true;
	}
	if (c->n_values > 1 && strncmp(r->field->key, "max_", 4) == 0) {
		complain_at(l, value, NULL, "`%s` takes one number", r->field->key);
		r->failed = true;
	}
}

static bool is_given(const struct constraint_item *item, size_t field)
{
	for (size_t i = 0; i < item->n_keys; i++)
		if (item->keys[i].field == field)
			return true;
	return false;
}

static void read_pair(struct loading *l, const yaml_node_t *key, const yaml_node_t *value,
		      struct constraint_reading *r, bool *has_unparsed)
{
	const char *name;
	unsigned word = 0;
	size_t errors = l->diags->n_errors;
	if (!node_text(l, key, "a key", &name))
		return;
	r->field = find_field(r->dissector, name);
	if (r->field && is_given(r->item, (size_t)(r->field - r->dissector->fields)))
		complain_at(l, key, NULL, "`%s` is given twice", name);
	else if (r->field)
		read_constraint(l, key, value, r);
	else if (strcmp(name, "unparsed") != 0)
		unknown_constraint(l, key, r->dissector, name);
	else if (*has_unparsed)
		complain_at(l, key, NULL, "`unparsed` is given twice");
	else if (read_word(l, value, "`unparsed`", unparsed_words, &word))
		r->item->allows_unparsed = word != 0;
	*has_unparsed |= !r->field;
	r->failed |= l->diags->n_errors != errors;
}

static void read_item(struct loading *l, const yaml_node_t *node, void *target)
{
	struct constraint_reading *r = target;
	bool has_unparsed = false;
	if (node->type != YAML_MAPPING_NODE) {
		complain_at(l, node, NULL, "an item is a mapping of constraints");
		r->failed = true;
		return;
	}
	r->item = ARRAY_ADD(r->rule->items, r->rule->n_items);
	if (!r->item) {
		out_of_memory(l);
		return;
	}
	r->item->place = place_of(l, node);
	for (const yaml_node_pair_t *p = node->data.mapping.pairs.start;
	     p < node->data.mapping.pairs.top; p++) {
		const yaml_node_t *key = node_get(l, p->key), *value = node_get(l, p->value);
		if (key && value)
			read_pair(l, key, value, r, &has_unparsed);
		else
			r->failed = true;
	}
	if (r->item->n_keys == 0 && !r->failed) {
		complain_at(l, node, "write `true` to match every request",
			    "an item without a constraint");
		r->failed = true;
	}
}

/* What is recognised only has nothing to constrain. */
static bool has_constraints(uint8_t app)
{
	if (app_is_raw(app))
		return false;
	for (size_t i = 0; i < dissectors[app]->n_fields; i++)
		if (dissectors[app]->fields[i].key)
			return true;
	return false;
}

bool constraints_read(struct loading *l, const yaml_node_t *node, struct rule *rule)
{
	if (!has_constraints(rule->app)) {
		complain_at(l, node, NULL, "`%s` has no requests to constrain: write `true`",
			    app_name(rule->app));
		return false;
	}
	struct constraint_reading r = {.rule = rule, .dissector = dissectors[rule->app]};
	read_list(l, node, "the list", read_item, &r);
	if (rule->n_items == 0 && !r.failed) {
		complain_at(l, node, "write `true` to match every request", "an empty list");
		r.failed = true;
	}
	return !r.failed;
}
