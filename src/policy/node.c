/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy/node.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

/* ---- scalars ---- */

static bool is_plain(const yaml_node_t *node)
{
	return node->type == YAML_SCALAR_NODE && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

static const char *scalar_text(const yaml_node_t *node)
{
	return (const char *)node->data.scalar.value;
}

static bool is_one_of(const char *text, const char *const *words)
{
	while (*words && strcmp(*words, text) != 0)
		words++;
	return *words != NULL;
}

bool node_is_scalar(const yaml_node_t *node)
{
	return node->type == YAML_SCALAR_NODE;
}

bool node_is_null(const yaml_node_t *node)
{
	static const char *const words[] = {"", "~", "null", "Null", "NULL", NULL};
	return is_plain(node) && is_one_of(scalar_text(node), words);
}

bool node_is_bool(const yaml_node_t *node, bool *out)
{
	static const char *const yes[] = {"true", "True", "TRUE", NULL};
	static const char *const no[] = {"false", "False", "FALSE", NULL};
	if (!is_plain(node))
		return false;
	*out = is_one_of(scalar_text(node), yes);
	return *out || is_one_of(scalar_text(node), no);
}

/* A number of the core schema: an integer in base 8, 10 or 16, or a float. */
static bool is_number(const yaml_node_t *node)
{
	static const char *const names[] = {".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN", NULL};
	if (!is_plain(node))
		return false;
	const char *text = scalar_text(node);
	const char *digits = text + (*text == '-' || *text == '+');
	if (is_one_of(digits, names))
		return true;
	if (strncmp(text, "0x", 2) == 0)
		return text[2] && strspn(text + 2, "0123456789abcdefABCDEF") == strlen(text + 2);
	if (strncmp(text, "0o", 2) == 0)
		return text[2] && strspn(text + 2, "01234567") == strlen(text + 2);
	size_t whole = strspn(digits, "0123456789");
	const char *at = digits + whole;
	size_t part = 0;
	if (*at == '.') {
		part = strspn(at + 1, "0123456789");
		at += 1 + part;
	}
	if (whole + part == 0)
		return false;
	if (*at == 'e' || *at == 'E') {
		at += 1 + (at[1] == '-' || at[1] == '+');
		if (*at < '0' || *at > '9')
			return false;
		at += strspn(at, "0123456789");
	}
	return *at == '\0';
}

static const char *type_name(const yaml_node_t *node)
{
	bool ignored;
	if (node->type == YAML_MAPPING_NODE)
		return "a mapping";
	if (node->type == YAML_SEQUENCE_NODE)
		return "a list";
	if (node_is_null(node))
		return "nothing";
	if (node_is_bool(node, &ignored))
		return "true or false";
	return is_number(node) ? "a number" : "a text";
}

static bool text_is_clean(struct loading *l, const yaml_node_t *node, const char *what)
{
	const unsigned char *p = node->data.scalar.value;
	size_t n = node->data.scalar.length;
	for (size_t i = 0; i < n; i++) {
		if (p[i] < 0x20 || p[i] == 0x7f) {
			complain_at(l, node, NULL, "%s holds a control character", what);
			return false;
		}
	}
	if (n == 0)
		complain_at(l, node, NULL, "%s is empty", what);
	return n > 0;
}

static bool wrong_type(struct loading *l, const yaml_node_t *node, const char *what,
		       const char *wanted)
{
	bool quotes_help =
		node_is_scalar(node) && !node_is_null(node) && strcmp(wanted, "a text") == 0;
	const char *hint = quotes_help ? "put it in quotes if it is meant as text" : NULL;
	complain_at(l, node, hint, "%s is %s; it must be %s", what, type_name(node), wanted);
	return false;
}

bool node_text(struct loading *l, const yaml_node_t *node, const char *what, const char **out)
{
	bool ignored;
	if (!node_is_scalar(node) || node_is_null(node) || node_is_bool(node, &ignored) ||
	    is_number(node))
		return wrong_type(l, node, what, "a text");
	*out = scalar_text(node);
	return text_is_clean(l, node, what);
}

bool node_loose_text(struct loading *l, const yaml_node_t *node, const char *what, const char **out)
{
	if (!is_number(node))
		return node_text(l, node, what, out);
	*out = scalar_text(node);
	return true;
}

bool node_copy(struct loading *l, const yaml_node_t *node, const char *what, char **out)
{
	const char *text;
	if (!node_text(l, node, what, &text))
		return false;
	free(*out);
	*out = strdup(text);
	if (!*out)
		out_of_memory(l);
	return *out != NULL;
}

bool node_bool(struct loading *l, const yaml_node_t *node, const char *what, bool *out)
{
	return node_is_bool(node, out) || wrong_type(l, node, what, "true or false");
}

bool uint_parse(const char *text, uint64_t *out)
{
	int base = strncmp(text, "0x", 2) == 0 ? 16 : 10;
	const char *digits = text + (base == 16 ? 2 : 0);
	size_t n = strspn(digits, base == 16 ? "0123456789abcdefABCDEF" : "0123456789");
	if (n == 0 || digits[n] != '\0')
		return false;
	errno = 0;
	*out = strtoull(digits, NULL, base);
	return errno == 0;
}

struct unit {
	const char *name;
	uint64_t factor;
};

/* "30m" by a table of units; without a unit only where the table has "". */
static bool parse_units(const char *text, const struct unit *units, uint64_t *out)
{
	size_t n = strspn(text, "0123456789");
	char digits[20];
	uint64_t value;
	if (n == 0 || n >= sizeof(digits))
		return false;
	memcpy(digits, text, n);
	digits[n] = '\0';
	if (!uint_parse(digits, &value))
		return false;
	while (units->name && strcmp(units->name, text + n) != 0)
		units++;
	return units->name && !__builtin_mul_overflow(value, units->factor, out);
}

static void print_units(uint64_t value, const struct unit *units, FILE *out)
{
	while (value % units->factor != 0 || (value == 0 && units->factor != 1))
		units++;
	fprintf(out, "%" PRIu64 "%s", value / units->factor, units->name);
}

/* Largest first, as printing wants it; the last one has factor 1. */
static const struct unit durations[] = {
	{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0},
};
static const struct unit sizes[] = {
	{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1}, {NULL, 0},
};

bool duration_parse(const char *text, uint64_t *ms)
{
	return parse_units(text, durations, ms);
}

bool size_parse(const char *text, uint64_t *bytes)
{
	return parse_units(text, sizes, bytes);
}

void duration_print(uint64_t ms, FILE *out)
{
	print_units(ms, durations, out);
}

void size_print(uint64_t bytes, FILE *out)
{
	print_units(bytes, sizes, out);
}

static bool in_range(struct loading *l, const yaml_node_t *node, const char *what, uint64_t value,
		     const struct key *range)
{
	if (value >= range->min && value <= range->max)
		return true;
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	if (!f) {
		out_of_memory(l);
		return false;
	}
	void (*print)(uint64_t, FILE *) = range->kind == KEY_SIZE ? size_print : duration_print;
	if (range->kind == KEY_UINT || range->kind == KEY_HEX) {
		fprintf(f, "%" PRIu64 "..%" PRIu64, range->min, range->max);
	} else {
		print(range->min, f);
		fputs("..", f);
		print(range->max, f);
	}
	if (fclose(f) == 0)
		complain_at(l, node, NULL, "%s is out of range (%s)", what, text);
	free(text);
	return false;
}

bool node_uint(struct loading *l, const yaml_node_t *node, const char *what, uint64_t min,
	       uint64_t max, uint64_t *out)
{
	const struct key range = {.kind = KEY_UINT, .min = min, .max = max};
	uint64_t value;
	if (!is_plain(node) || !uint_parse(scalar_text(node), &value))
		return wrong_type(l, node, what, "a whole number");
	if (!in_range(l, node, what, value, &range))
		return false;
	*out = value;
	return true;
}

static void read_quantity(struct loading *l, const yaml_node_t *node, const struct key *key,
			  uint64_t *out)
{
	bool is_size = key->kind == KEY_SIZE;
	uint64_t value;
	if (!node_is_scalar(node) || !(is_size ? size_parse(scalar_text(node), &value)
					       : duration_parse(scalar_text(node), &value))) {
		complain_at(l, node, NULL, "`%s` is not a %s", key->name,
			    is_size ? "size (such as 64MiB)"
				    : "duration (such as 250ms, 3s, 5m, 1h, 30d)");
		return;
	}
	char what[64];
	(void)snprintf(what, sizeof(what), "`%s`", key->name);
	if (in_range(l, node, what, value, key))
		*out = value;
}

/* ---- words ---- */

const char *word_name(const struct word *words, unsigned value)
{
	while (words->name && words->value != value)
		words++;
	return words->name;
}

static void list_words(const struct word *words, char *out, size_t n)
{
	size_t at = 0;
	for (; words->name && at < n; words++) {
		int r = snprintf(out + at, n - at, "%s%s", at ? ", " : "", words->name);
		if (r < 0)
			return;
		at += (size_t)r;
	}
}

bool read_word(struct loading *l, const yaml_node_t *node, const char *what,
	       const struct word *words, unsigned *out)
{
	const char *text;
	if (!node_text(l, node, what, &text))
		return false;
	struct suggestion s = {.word = text};
	for (const struct word *w = words; w->name; w++) {
		if (strcmp(w->name, text) == 0) {
			*out = w->value;
			return true;
		}
		suggestion_offer(&s, w->name);
	}
	char all[160] = "";
	list_words(words, all, sizeof(all));
	complain_at(l, node, suggestion_hint(&s), "%s cannot be `%s`; it is one of %s", what, text,
		    all);
	return false;
}

/* ---- mappings and lists ---- */

const yaml_node_t *node_get(struct loading *l, int index)
{
	const yaml_node_t *node = yaml_document_get_node(l->document, index);
	if (!node || l->budget == 0)
		return NULL;
	if (--l->budget == 0) {
		complain_at(l, node, NULL, "the file is too large, or its aliases expand too far");
		return NULL;
	}
	const char *tag = (const char *)node->tag;
	bool is_core = !tag || strcmp(tag, YAML_STR_TAG) == 0 || strcmp(tag, YAML_SEQ_TAG) == 0 ||
		       strcmp(tag, YAML_MAP_TAG) == 0;
	if (!is_core) {
		complain_at(l, node, NULL, "tags such as `%s` are not part of the language", tag);
		return NULL;
	}
	return node;
}

static const struct key *find_key(struct loading *l, const yaml_node_t *node, const char *what,
				  const struct key *keys)
{
	const char *name;
	if (!node_text(l, node, "a key", &name))
		return NULL;
	struct suggestion s = {.word = name};
	for (const struct key *k = keys; k->name; k++) {
		if (strcmp(k->name, name) == 0)
			return k;
		suggestion_offer(&s, k->name);
	}
	if (strcmp(name, "<<") == 0)
		complain_at(l, node, NULL, "merge keys (<<) are not part of the language");
	else
		complain_at(l, node, suggestion_hint(&s), "%s has no key `%s`", what, name);
	return NULL;
}

static void read_pair(struct loading *l, const yaml_node_pair_t *pair, const char *what,
		      const struct key *keys, uint64_t *seen, void *target)
{
	const yaml_node_t *key_node = node_get(l, pair->key);
	const yaml_node_t *value = node_get(l, pair->value);
	const struct key *key = key_node ? find_key(l, key_node, what, keys) : NULL;
	if (!key || !value)
		return;
	uint64_t bit = UINT64_C(1) << (key - keys);
	if (*seen & bit)
		complain_at(l, key_node, NULL, "`%s` is given twice", key->name);
	else if (key->kind == KEY_MISSING)
		complain_at(l, key_node, NULL, "`%s` is not supported by this version yet",
			    key->name);
	else
		read_key(l, value, key, target);
	*seen |= bit;
}

uint64_t read_map(struct loading *l, const yaml_node_t *node, const char *what,
		  const struct key *keys, void *target)
{
	if (node->type != YAML_MAPPING_NODE) {
		(void)wrong_type(l, node, what, "a mapping"); /* the complaint is the result */
		return 0;
	}
	uint64_t seen = 0;
	for (const yaml_node_pair_t *p = node->data.mapping.pairs.start;
	     p < node->data.mapping.pairs.top; p++)
		read_pair(l, p, what, keys, &seen, target);
	return seen;
}

static void read_items(struct loading *l, const yaml_node_t *node,
		       void (*read)(struct loading *l, const yaml_node_t *item, void *target),
		       void *target)
{
	for (const yaml_node_item_t *i = node->data.sequence.items.start;
	     i < node->data.sequence.items.top; i++) {
		const yaml_node_t *item = node_get(l, *i);
		if (item)
			read(l, item, target);
	}
}

void read_list(struct loading *l, const yaml_node_t *node, const char *what,
	       void (*read)(struct loading *l, const yaml_node_t *item, void *target), void *target)
{
	if (node->type == YAML_SEQUENCE_NODE)
		read_items(l, node, read, target);
	else
		(void)wrong_type(l, node, what, "a list"); /* the complaint is the result */
}

void read_one_or_list(struct loading *l, const yaml_node_t *node,
		      void (*read)(struct loading *l, const yaml_node_t *item, void *target),
		      void *target)
{
	if (node->type == YAML_SEQUENCE_NODE)
		read_items(l, node, read, target);
	else
		read(l, node, target);
}

_Static_assert(sizeof(enum mode) == sizeof(unsigned) && sizeof(enum verdict) == sizeof(unsigned),
	       "KEY_WORD stores an enum as an unsigned");

void read_key(struct loading *l, const yaml_node_t *node, const struct key *key, void *target)
{
	char *at = (char *)target + key->offset;
	char what[64];
	(void)snprintf(what, sizeof(what), "`%s`", key->name);
	switch (key->kind) {
	case KEY_UINT:
	case KEY_HEX:
		(void)node_uint(l, node, what, key->min, key->max, (uint64_t *)(void *)at);
		break;
	case KEY_SIZE:
	case KEY_DURATION:
		read_quantity(l, node, key, (uint64_t *)(void *)at);
		break;
	case KEY_WORD:
		(void)read_word(l, node, what, key->words, (unsigned *)(void *)at);
		break;
	case KEY_TEXT:
		(void)node_copy(l, node, what, (char **)(void *)at);
		break;
	case KEY_BOOL:
		(void)node_bool(l, node, what, (bool *)at);
		break;
	case KEY_MAP:
		(void)read_map(l, node, what, key->keys, at); /* no key in there is required */
		break;
	case KEY_CUSTOM:
		key->read(l, node, at);
		break;
	case KEY_MISSING:
		break;
	}
}
