/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "output/filter.h"

#include "base/text.h"

#include <errno.h>

static const char *const key_names[N_FILTER_KEYS] = {"from", "to", "app", "verdict", "rule"};
/* What a key looks at in a record, and the address that stands beside it. */
static const char *const record_keys[N_FILTER_KEYS] = {"from", "to", "app_proto", "verdict",
						       "rule"};
static const char *const address_keys[2] = {"src_ip", "dest_ip"};

_Static_assert(FILTER_FROM == 0 && FILTER_TO == 1, "the keys with an address come first");

static bool key_has_address(enum filter_key key)
{
	return key <= FILTER_TO;
}

const char *filter_key_name(enum filter_key key)
{
	return (size_t)key < N_FILTER_KEYS ? key_names[key] : "?";
}

bool filter_glob(const char *pattern, const char *text)
{
	const char *star = NULL, *retry = NULL;
	while (*text) {
		if (*pattern == '*') {
			star = ++pattern;
			retry = text;
		} else if (*pattern == '?' || *pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star;
			text = ++retry;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

static bool find_key(const char *name, enum filter_key *out)
{
	for (size_t i = 0; i < N_FILTER_KEYS; i++) {
		if (strcmp(key_names[i], name) != 0)
			continue;
		*out = (enum filter_key)i;
		return true;
	}
	return false;
}

static bool is_verdict(const char *text)
{
	return strcmp(text, "allow") == 0 || strcmp(text, "deny") == 0 ||
	       strcmp(text, "pending") == 0;
}

int filter_add(struct filter *filter, const char *key, const char *pattern, bool negated,
	       struct error *err)
{
	struct filter_term term = {.negated = negated};
	size_t length = strlen(pattern);
	if (!find_key(key, &term.key))
		return error_set(err, -EINVAL, "unknown filter '%.32s'", key);
	if (length == 0 || length > FILTER_PATTERN_MAX)
		return error_set(err, -EINVAL, "--%s takes 1 to %d characters", key,
				 FILTER_PATTERN_MAX);
	if (filter->n_terms == FILTER_TERMS_MAX)
		return error_set(err, -EINVAL, "more than %d filters", FILTER_TERMS_MAX);
	if (term.key == FILTER_VERDICT && !is_verdict(pattern))
		return error_set(err, -EINVAL, "--verdict is allow, deny or pending, not '%.32s'",
				 pattern);
	memcpy(term.pattern, pattern, length + 1);
	term.is_prefix = key_has_address(term.key) &&
			 ip_prefix_parse(pattern, &term.prefix, &term.prefix_length);
	filter->terms[filter->n_terms++] = term;
	return 0;
}

int filter_from_json(const json_t *array, struct filter *out, struct error *err)
{
	*out = (struct filter){0};
	if (array && !json_is_array(array))
		return error_set(err, -EINVAL, "filters is not an array");
	for (size_t i = 0; i < json_array_size(array); i++) {
		const json_t *item = json_array_get(array, i);
		const char *key = json_string_value(json_object_get(item, "key"));
		const char *pattern = json_string_value(json_object_get(item, "pattern"));
		bool negated = json_is_true(json_object_get(item, "not"));
		if (!key || !pattern)
			return error_set(err, -EINVAL,
					 "a filter needs the strings key and pattern");
		int rc = filter_add(out, key, pattern, negated, err);
		if (rc)
			return rc;
	}
	return 0;
}

json_t *filter_to_json(const struct filter *filter)
{
	json_t *array = json_array();
	for (size_t i = 0; i < filter->n_terms; i++) {
		const struct filter_term *term = &filter->terms[i];
		json_t *item = json_pack("{s:s, s:s, s:b}", "key", key_names[term->key], "pattern",
					 term->pattern, "not", (int)term->negated);
		(void)json_array_append_new(array, item); /* out of memory: NULL is refused there */
	}
	return array;
}

static bool term_matches(const struct filter_term *term, const struct filter_fields *fields)
{
	if (term->is_prefix && fields->has_addr[term->key] &&
	    ip_prefix_contains(&term->prefix, term->prefix_length, &fields->addr[term->key]))
		return true;
	const char *text = fields->text[term->key];
	return text && filter_glob(term->pattern, text);
}

bool filter_matches(const struct filter *filter, const struct filter_fields *fields)
{
	bool wanted[N_FILTER_KEYS] = {false}, met[N_FILTER_KEYS] = {false};
	for (size_t i = 0; i < filter->n_terms; i++) {
		const struct filter_term *term = &filter->terms[i];
		bool matches = term_matches(term, fields);
		if (term->negated && matches)
			return false;
		if (!term->negated) {
			wanted[term->key] = true;
			met[term->key] = met[term->key] || matches;
		}
	}
	for (size_t key = 0; key < N_FILTER_KEYS; key++)
		if (wanted[key] && !met[key])
			return false;
	return true;
}

bool filter_matches_record(const struct filter *filter, const json_t *record)
{
	struct filter_fields fields = {0};
	for (size_t i = 0; i < N_FILTER_KEYS; i++)
		fields.text[i] = json_string_value(json_object_get(record, record_keys[i]));
	for (size_t i = 0; i < 2; i++) {
		const char *text = json_string_value(json_object_get(record, address_keys[i]));
		fields.has_addr[i] = text && ip_addr_parse(text, &fields.addr[i]);
	}
	return filter_matches(filter, &fields);
}
