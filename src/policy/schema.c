/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The policy file as a JSON Schema (2020-12), so that editors complete and check it. Keys, words
 * and constraints come from the tables that the loader reads by; what a key with a reader of its
 * own takes stands in `customs`, and a test sees to it that none is missing there.
 *
 * It must refuse nothing that the loader takes. It may take what the loader refuses: dates that are
 * none, names that nobody has, rules that swallow others.
 */
#include "policy/config.h"
#include "policy/rules.h"
#include "policy/selector.h"

#include <inttypes.h>

#define ONE_OR_LIST(item)                                                                          \
	"{\"anyOf\": [" item ", {\"type\": \"array\", \"minItems\": 1, \"items\": " item "}]}"
#define ONE_OR_ANY(item) "{\"anyOf\": [" item ", " LIST(item) "]}"
#define LIST(item)	 "{\"type\": \"array\", \"items\": " item "}"
#define TEXT		 "{\"type\": \"string\", \"minLength\": 1}"
#define REF(name)	 "{\"$ref\": \"#/$defs/" name "\"}"

static const struct {
	const char *name, *schema;
} customs[] = {
	{"version", "{\"const\": 1}"},
	{"include", ONE_OR_ANY(TEXT)},
	{"identities", "{\"type\": \"object\", \"additionalProperties\": " REF("selector") "}"},
	{"rules", LIST(REF("rule"))},
	{"tests", LIST(TEXT)},
	{"manage", ONE_OR_LIST(REF("manage"))},
	{"interfaces", LIST(TEXT)},
	{"sources", ONE_OR_ANY(TEXT)},
	{"eve", TEXT},
	{"name", "{\"type\": \"string\", \"pattern\": \"^[A-Za-z0-9_.-]+$\", \"maxLength\": 127}"},
	{"from", REF("selector")},
	{"to", REF("selector")},
	{"app", REF("app")},
	{"port", ONE_OR_LIST(REF("port"))},
	{"allow", "{}"}, /* by application, below */
	{"deny", "{}"},
	{"respond", ONE_OR_LIST("{\"enum\": [\"log\", \"refuse\"]}")},
	{"expires", "{\"type\": \"string\", \"pattern\": \"^[0-9]{4}-[0-9]{2}-[0-9]{2}$\"}"},
	{"why", "{\"type\": [\"string\", \"number\", \"boolean\"]}"},
};

static void print_string(const char *text, FILE *out)
{
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

/* ---- tables of keys ---- */

static void print_words(const struct word *words, FILE *out)
{
	fputs("{\"enum\": [", out);
	for (const struct word *w = words; w->name; w++) {
		fputs(w == words ? "" : ", ", out);
		print_string(w->name, out);
	}
	fputs("]}", out);
}

static void print_keys(const struct key *keys, FILE *out);

/* A word, or what else the key takes. */
static void print_custom(const struct key *key, FILE *out)
{
	if (key->words) {
		fputs("{\"anyOf\": [", out);
		print_words(key->words, out);
		if (strcmp(key->name, "log") == 0)
			fputs(", {\"type\": \"string\", \"pattern\": \"^sample 1/[0-9]+$\"}", out);
		if (key->keys) {
			fputs(", {", out);
			print_keys(key->keys, out);
			fputc('}', out);
		}
		fputs("]}", out);
		return;
	}
	for (size_t i = 0; i < sizeof(customs) / sizeof(customs[0]); i++) {
		if (strcmp(customs[i].name, key->name) == 0) {
			fputs(customs[i].schema, out);
			return;
		}
	}
	fputs("{\"$comment\": \"nothing is known of this key\"}", out);
}

static void print_key(const struct key *key, FILE *out)
{
	switch (key->kind) {
	case KEY_UINT:
	case KEY_HEX:
		fprintf(out,
			"{\"type\": \"integer\", \"minimum\": %" PRIu64 ", \"maximum\": %" PRIu64
			"}",
			key->min, key->max);
		break;
	case KEY_SIZE:
		fputs("{\"anyOf\": [{\"type\": \"integer\", \"minimum\": 0}, {\"type\": "
		      "\"string\", "
		      "\"pattern\": \"^[0-9]+(KiB|MiB|GiB)?$\"}]}",
		      out);
		break;
	case KEY_DURATION:
		fputs("{\"type\": \"string\", \"pattern\": \"^[0-9]+(ms|s|m|h|d)$\"}", out);
		break;
	case KEY_WORD:
		print_words(key->words, out);
		break;
	case KEY_TEXT:
		fputs(TEXT, out);
		break;
	case KEY_BOOL:
		fputs("{\"type\": \"boolean\"}", out);
		break;
	case KEY_MAP:
		fputc('{', out);
		print_keys(key->keys, out);
		fputc('}', out);
		break;
	case KEY_CUSTOM:
		print_custom(key, out);
		break;
	case KEY_MISSING:
		break;
	}
}

static void print_properties(const struct key *keys, const char *comma, FILE *out)
{
	for (const struct key *k = keys; k->name; k++) {
		if (k->kind == KEY_MISSING)
			continue;
		fprintf(out, "%s\n\"%s\": ", comma, k->name);
		print_key(k, out);
		comma = ",";
	}
}

/* The members of an object's schema. */
static void print_keys(const struct key *keys, FILE *out)
{
	fputs("\"type\": \"object\", \"additionalProperties\": false, \"properties\": {", out);
	print_properties(keys, "", out);
	fputc('}', out);
}

/* ---- constraints ---- */

static void print_word_values(const struct dis_field *field, FILE *out)
{
	const char *comma = "";
	bool has_number = false;
	fputs("{\"anyOf\": [{\"enum\": [", out);
	for (size_t i = 0; field->words && field->words[i]; i++, comma = ", ") {
		fputs(comma, out);
		print_string(field->words[i], out);
		has_number |= field->words[i][0] >= '0' && field->words[i][0] <= '9';
	}
	for (size_t i = 0; field->groups && field->groups[i].name; i++, comma = ", ") {
		fputs(comma, out);
		print_string(field->groups[i].name, out);
		has_number |= field->groups[i].name[0] >= '0' && field->groups[i].name[0] <= '9';
	}
	/* case does not count, which an enum cannot say */
	fputs("]}, {\"type\": \"string\", \"pattern\": \"[A-Z]\"}", out);
	fputs(has_number ? ", {\"type\": \"number\"}]}" : "]}", out);
}

static void print_value(const struct dis_field *field, FILE *out)
{
	if (field->type == DIS_NUMBER)
		fputs("{\"anyOf\": [{\"type\": \"integer\", \"minimum\": 0}, {\"type\": "
		      "\"boolean\"}, "
		      "{\"type\": \"string\", \"pattern\": \"^[0-9]+(-[0-9]+|[KMG]iB)?$\"}]}",
		      out);
	else if (field->match == DIS_MATCH_WORD)
		print_word_values(field, out);
	else
		fputs("{\"type\": [\"string\", \"number\"], \"minLength\": 1}", out);
}

static bool is_first_of_key(const struct dissector *d, size_t field)
{
	for (size_t i = 0; i < field; i++)
		if (d->fields[i].key && strcmp(d->fields[i].key, d->fields[field].key) == 0)
			return false;
	return true;
}

static bool has_constraints(const struct dissector *d)
{
	for (size_t i = 0; i < d->n_fields; i++)
		if (d->fields[i].key)
			return true;
	return false;
}

static void print_items(const struct dissector *d, FILE *out)
{
	fprintf(out,
		",\n\"%s\": {\"anyOf\": [{\"const\": true}, {\"type\": \"array\", \"minItems\": 1, "
		"\"items\": {\"type\": \"object\", \"minProperties\": 1, \"additionalProperties\": "
		"false, \"properties\": {\"unparsed\": {\"enum\": [\"allow\", \"deny\"]}",
		d->name);
	for (size_t i = 0; i < d->n_fields; i++) {
		const struct dis_field *field = &d->fields[i];
		if (!field->key || !is_first_of_key(d, i))
			continue;
		fprintf(out, ",\n\"%s\": {\"anyOf\": [", field->key);
		print_value(field, out);
		fputs(", {\"type\": \"array\", \"minItems\": 1, \"items\": ", out);
		print_value(field, out);
		fputs("}]}", out);
	}
	fputs("}}}]}", out);
}

/* What `allow` and `deny` take depends on `app`. */
static void print_choice_of_items(FILE *out)
{
	fputs(",\n\"allOf\": [", out);
	for (size_t i = 0; i < n_dissectors; i++)
		if (has_constraints(dissectors[i]))
			fprintf(out,
				"\n{\"if\": {\"required\": [\"app\"], \"properties\": {\"app\": "
				"{\"const\": \"%s\"}}}, \"then\": {\"properties\": {\"allow\": "
				"{\"$ref\": \"#/$defs/%s\"}, \"deny\": {\"$ref\": "
				"\"#/$defs/%s\"}}}},",
				dissectors[i]->name, dissectors[i]->name, dissectors[i]->name);
	fputs("\n{\"if\": {\"not\": {\"required\": [\"app\"], \"properties\": {\"app\": {\"enum\": "
	      "[",
	      out);
	const char *comma = "";
	for (size_t i = 0; i < n_dissectors; i++) {
		if (!has_constraints(dissectors[i]))
			continue;
		fprintf(out, "%s\"%s\"", comma, dissectors[i]->name);
		comma = ", ";
	}
	fputs("]}}}}, \"then\": {\"properties\": {\"allow\": {\"const\": true}, \"deny\": "
	      "{\"const\": "
	      "true}}}}]",
	      out);
}

/* ---- definitions ---- */

static void print_selector(FILE *out)
{
	const char *kind;
	fputs("\"selector\": {\"anyOf\": [{\"type\": \"string\", \"pattern\": \"^(not:)*(", out);
	for (size_t i = 0; (kind = selector_plain_kind(i)); i++)
		fprintf(out, "%s|", kind);
	fputs("@.+|(", out);
	for (size_t i = 0; (kind = selector_prefixed_kind(i)); i++)
		fprintf(out, "%s%s", i ? "|" : "", kind);
	fputs("):.+|[^/:@][^/:]*/[^/:]+)$\"},\n"
	      "{\"type\": \"array\", \"minItems\": 1, \"items\": " REF(
		      "selector") "},\n"
				  "{\"type\": \"object\", \"minProperties\": 1, \"maxProperties\": "
				  "1, "
				  "\"additionalProperties\": false, \"properties\": {\"all\": "
				  "{\"type\": \"array\", "
				  "\"minItems\": 1, \"items\": " REF("selector") "}, \"not\": " REF(
					  "selector") "}}]}",
	      out);
}

static void print_apps(FILE *out)
{
	static const uint8_t raw[] = {APP_ANY, APP_TCP, APP_UDP, APP_ICMP};
	fputs(",\n\"app\": {\"enum\": [", out);
	for (size_t i = 0; i < sizeof(raw); i++)
		fprintf(out, "%s\"%s\"", i ? ", " : "", app_name(raw[i]));
	for (size_t i = 0; i < n_dissectors; i++)
		fprintf(out, ", \"%s\"", dissectors[i]->name);
	fputs("]}", out);
}

static void print_rule(FILE *out)
{
	fputs(",\n\"rule\": {\"required\": [\"name\", \"from\", \"to\"], \"oneOf\": "
	      "[{\"required\": "
	      "[\"allow\"]}, {\"required\": [\"deny\"]}],\n",
	      out);
	print_keys(rule_keys, out);
	print_choice_of_items(out);
	fputc('}', out);
}

/* The file itself has a version; a file without one, and without settings, may be an included one.
 */
static void print_kinds_of_file(FILE *out)
{
	fputs("\"anyOf\": [{\"required\": [\"version\"]}, {\"propertyNames\": {\"enum\": "
	      "[\"mode\"",
	      out);
	for (const struct key *k = file_keys; k->name; k++)
		if (k->kind != KEY_MISSING)
			fprintf(out, ", \"%s\"", k->name);
	fputs("]}}],\n", out);
}

void policy_schema(FILE *out)
{
	fputs("{\"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
	      "\"title\": \"bridgewarden policy\", \"type\": \"object\", "
	      "\"additionalProperties\": false,\n",
	      out);
	print_kinds_of_file(out);
	fputs("\"properties\": {", out);
	print_properties(file_keys, "", out);
	print_properties(config_keys, ",", out);
	fputs("},\n\"$defs\": {\n", out);
	print_selector(out);
	fputs(",\n\"port\": {\"anyOf\": [{\"type\": \"integer\", \"minimum\": 1, \"maximum\": "
	      "65535}, "
	      "{\"type\": \"string\", \"pattern\": "
	      "\"^(0x[0-9a-fA-F]+|[0-9]+)(-(0x[0-9a-fA-F]+|[0-9]+))?$\"}]}",
	      out);
	fputs(",\n\"manage\": {\"anyOf\": [{\"type\": \"string\", \"pattern\": "
	      "\"^(network|project|interface):.+$\"}, {",
	      out);
	print_keys(manage_keys, out);
	fputs("}]}", out);
	print_apps(out);
	print_rule(out);
	for (size_t i = 0; i < n_dissectors; i++)
		if (has_constraints(dissectors[i]))
			print_items(dissectors[i], out);
	fputs("}}\n", out);
}
