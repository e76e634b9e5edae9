/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which flows and records someone wants to see. The same key twice is OR, different keys are AND, a
 * negated pattern must not match. Patterns are globs (* and ?), ASCII case as written; `from` and
 * `to` also know addresses and prefixes. Pure.
 *
 * On the wire between the command and the daemon a filter is a JSON array of {"key", "pattern",
 * "not"}.
 */
#ifndef OUTPUT_FILTER_H
#define OUTPUT_FILTER_H

#include "base/error.h"
#include "bridgewarden/packet.h"

#include <jansson.h>

enum { FILTER_TERMS_MAX = 64, FILTER_PATTERN_MAX = 255 };

enum filter_key { FILTER_FROM, FILTER_TO, FILTER_APP, FILTER_VERDICT, FILTER_RULE, N_FILTER_KEYS };

struct filter_term {
	enum filter_key key;
	bool negated;
	bool is_prefix; /* the pattern is an address or a prefix */
	uint8_t prefix_length;
	struct ip_addr prefix;
	char pattern[FILTER_PATTERN_MAX + 1];
};

/* What a filter looks at. NULL and false: not there, matched by nothing. */
struct filter_fields {
	const char *text[N_FILTER_KEYS];
	struct ip_addr addr[2]; /* FILTER_FROM, FILTER_TO */
	bool has_addr[2];
};

/* Zeroed: everything matches. */
struct filter {
	struct filter_term terms[FILTER_TERMS_MAX];
	size_t n_terms;
};

/* "from", "to", "app", "verdict", "rule" */
const char *filter_key_name(enum filter_key key);
/* -EINVAL with a reason in err: unknown key, too long, too many, a verdict that does not exist. */
int filter_add(struct filter *filter, const char *key, const char *pattern, bool negated,
	       struct error *err);
/* NULL is the empty filter. */
int filter_from_json(const json_t *array, struct filter *out, struct error *err);
json_t *filter_to_json(const struct filter *filter);
bool filter_matches(const struct filter *filter, const struct filter_fields *fields);
bool filter_matches_record(const struct filter *filter, const json_t *record);
/* Linear in text times stars at worst; never recursive. */
bool filter_glob(const char *pattern, const char *text);

#endif
