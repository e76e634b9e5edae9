/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which requests one item surely takes of those that another one takes. It follows judge.c: an
 * allow holds when all values of a field match, a deny when any does, and a list field that is
 * absent holds for an allow where another key of the item does.
 */
#include "policy/glob.h"
#include "policy/side.h"

enum {
	WORD_COST = 8,	   /* a word is looked for in groups */
	STEPS_AS_ONE = 16, /* steps of a matcher */
};

/* ---- values ---- */

static bool is_group(const struct dis_group *g, const char *text)
{
	return bytes_is_nocase(bytes_str(text), g->name);
}

static const struct dis_group *find_group(const struct dis_field *field, const char *text)
{
	const struct dis_group *g = field->groups;
	while (g && g->name && !is_group(g, text))
		g++;
	return g && g->name ? g : NULL;
}

static bool has_member(const struct dis_group *group, const char *word)
{
	for (size_t i = 0; group && group->members[i]; i++)
		if (bytes_is_nocase(bytes_str(word), group->members[i]))
			return true;
	return false;
}

static bool word_covers(const struct dis_field *field, const char *a, const char *b)
{
	if (bytes_is_nocase(bytes_str(b), a))
		return true;
	const struct dis_group *wide = find_group(field, a), *narrow = find_group(field, b);
	if (!narrow)
		return has_member(wide, b);
	for (size_t i = 0; narrow->members[i]; i++)
		if (!has_member(wide, narrow->members[i]))
			return false;
	return wide != NULL;
}

static bool starts_with(enum dis_match match, struct bytes text, struct bytes start)
{
	struct bytes head = bytes_slice(text, 0, start.n);
	return head.n == start.n && (match == DIS_MATCH_NOCASE ? bytes_equal_nocase(head, start)
							       : bytes_equal(head, start));
}

/* "session:*" takes whatever begins with that text and goes on as it likes; in a path, "/a/" and
 * two stars. */
static bool prefix_covers(enum dis_match match, struct bytes a, struct bytes b)
{
	size_t stars = match == DIS_MATCH_PATH ? 2 : 1;
	if (a.n < stars || !bytes_is(bytes_from(a, a.n - stars), stars == 2 ? "**" : "*"))
		return false;
	struct bytes start = bytes_slice(a, 0, a.n - stars);
	return glob_is_literal(start) && starts_with(match, b, start);
}

/* Where stars are involved matching costs up to a step for each byte of each. */
static bool matches(enum dis_match match, struct bytes pattern, struct bytes text,
		    struct effort *effort)
{
	size_t cost = glob_is_literal(pattern) ? 0 : pattern.n * text.n / STEPS_AS_ONE;
	return effort_spend(effort, cost) && glob_match(match, pattern, text);
}

static bool pattern_covers(enum dis_match match, struct bytes a, struct bytes b,
			   struct effort *effort)
{
	if (bytes_equal(a, b) || (match == DIS_MATCH_NOCASE && bytes_equal_nocase(a, b)))
		return true;
	return prefix_covers(match, a, b) || (glob_is_literal(b) && matches(match, a, b, effort));
}

bool value_covers(const struct dis_field *field, const struct constraint_value *a,
		  const struct constraint_value *b, struct effort *effort)
{
	bool is_word = field->type != DIS_NUMBER && field->match == DIS_MATCH_WORD;
	if (!effort_spend(effort, is_word ? WORD_COST : 1))
		return false;
	if (field->type == DIS_NUMBER)
		return a->low <= b->low && b->high <= a->high;
	if (is_word)
		return word_covers(field, a->text, b->text);
	if (a->machine || b->machine)
		return a->machine == b->machine;
	return pattern_covers(field->match, bytes_str(a->text), bytes_str(b->text), effort);
}

/* ---- keys and items ---- */

static bool key_covers(const struct dis_field *field, const struct constraint *a,
		       const struct constraint *b, struct effort *effort)
{
	for (size_t j = 0; j < b->n_values; j++) {
		size_t i = 0;
		while (i < a->n_values &&
		       !value_covers(field, &a->values[i], &b->values[j], effort))
			i++;
		if (i == a->n_values)
			return false;
	}
	return true;
}

static const struct constraint *same_key(const struct constraint_item *item, uint16_t field)
{
	for (size_t i = 0; i < item->n_keys; i++)
		if (item->keys[i].field == field)
			return &item->keys[i];
	return NULL;
}

static bool keys_cover(uint8_t app, const struct constraint_item *a,
		       const struct constraint_item *b, struct effort *effort)
{
	if (!effort_spend(effort, 1 + a->n_keys))
		return false;
	for (size_t i = 0; i < a->n_keys; i++) {
		const struct constraint *other = same_key(b, a->keys[i].field);
		if (!other || !key_covers(&dissectors[app]->fields[a->keys[i].field], &a->keys[i],
					  other, effort))
			return false;
	}
	return true;
}

static bool has_list(uint8_t app, const struct constraint_item *item)
{
	for (size_t i = 0; i < item->n_keys; i++)
		if (dissectors[app]->fields[item->keys[i].field].is_list)
			return true;
	return false;
}

/* Where `a` has a list, a key that it lacks could make `b` hold for a request without that list. */
bool item_covers_allow(uint8_t app, const struct constraint_item *a,
		       const struct constraint_item *b, struct effort *effort)
{
	return a->allows_unparsed >= b->allows_unparsed && keys_cover(app, a, b, effort) &&
	       (a->n_keys == b->n_keys || !has_list(app, a));
}

bool item_covers_deny(uint8_t app, const struct constraint_item *a, const struct constraint_item *b,
		      struct effort *effort)
{
	return a->allows_unparsed == b->allows_unparsed && keys_cover(app, a, b, effort);
}

/* What is of replies comes too late: the request has passed. A list may be empty, and then no deny
 * that names it holds. */
bool item_kills(uint8_t app, const struct constraint_item *deny,
		const struct constraint_item *allow, struct effort *effort)
{
	for (size_t i = 0; i < deny->n_keys; i++)
		if (field_is_of_replies(app, deny->keys[i].field))
			return false;
	return !has_list(app, deny) && keys_cover(app, deny, allow, effort) &&
	       (!deny->allows_unparsed || !allow->allows_unparsed);
}
