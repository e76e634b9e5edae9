/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy/judge.h"

#include "policy/glob.h"

/* ---- candidates ---- */

bool rule_takes_protocol(const struct image_rule *rule, uint8_t ip_proto)
{
	return app_uses(rule->app, ip_proto);
}

bool rule_takes_port(const struct policy_image *image, const struct image_rule *rule, uint16_t port)
{
	const struct port_range *p = image_ports(image) + rule->ports;
	for (uint32_t i = 0; i < rule->n_ports; i++)
		if (port >= p[i].low && port <= p[i].high)
			return true;
	return rule->n_ports == 0;
}

struct walk walk_start(const struct policy_image *image, const struct policy_subject *subject,
		       const struct policy_candidates *candidates)
{
	struct walk w = {.image = image, .subject = subject};
	if (candidates && candidates->is_complete) {
		w.candidates = candidates;
		return w;
	}
	w.from = image_row(image, subject->from, false);
	w.to = image_row(image, subject->to, true);
	return w;
}

static const struct image_rule *next_stored(struct walk *w, uint32_t *number)
{
	while (w->next < w->candidates->n && w->next < POLICY_CANDIDATES_MAX) {
		*number = w->candidates->rule[w->next++];
		if (*number < w->image->rules.n)
			return &image_rules(w->image)[*number];
	}
	return NULL;
}

/* The next word that is not 0 in either row. */
static bool next_word(struct walk *w)
{
	size_t n_sums = image_sums(w->image);
	do {
		while (w->sums == 0) {
			if (!w->from || !w->to || w->next >= n_sums)
				return false;
			w->sums = (w->from - n_sums)[w->next] & (w->to - n_sums)[w->next];
			w->next++;
		}
		w->word = (w->next - 1) * 64 + (uint32_t)__builtin_ctzll(w->sums);
		w->sums &= w->sums - 1;
	} while (w->word >= w->image->n_words);
	return true;
}

/* The next set bit of both rows. */
static bool next_bit(struct walk *w, uint32_t *number)
{
	while (w->bits == 0) {
		if (!next_word(w))
			return false;
		w->bits = w->from[w->word] & w->to[w->word];
	}
	*number = w->word * 64 + (uint32_t)__builtin_ctzll(w->bits);
	w->bits &= w->bits - 1;
	return true;
}

const struct image_rule *walk_next(struct walk *w, uint32_t *number)
{
	if (w->candidates)
		return next_stored(w, number);
	while (next_bit(w, number)) {
		if (*number >= w->image->rules.n)
			continue;
		const struct image_rule *rule = &image_rules(w->image)[*number];
		if (rule_takes_protocol(rule, w->subject->ip_proto) &&
		    rule_takes_port(w->image, rule, w->subject->to_port))
			return rule;
	}
	return NULL;
}

/* ---- constraints ---- */

/* Compares like strcmp() would, had the value a zero at its end; the value is folded to lower case.
 */
static int compare_word(const struct policy_image *image, const struct image_value *want,
			struct bytes got)
{
	const uint8_t *p = (const uint8_t *)image_string(image, want->text);
	size_t n = want->length < got.n ? want->length : got.n;
	for (size_t i = 0; i < n; i++)
		if (p[i] != byte_lower(got.p[i]))
			return p[i] < byte_lower(got.p[i]) ? -1 : 1;
	return (want->length > got.n) - (want->length < got.n);
}

static bool has_word(const struct policy_image *image, const struct image_key *key,
		     struct bytes got)
{
	const struct image_value *values = image_values(image) + key->values;
	uint32_t low = 0, high = key->n_values;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int c = compare_word(image, &values[middle], got);
		if (c == 0)
			return true;
		if (c < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

static bool value_fits(const struct policy_image *image, const struct image_key *key,
		       const struct dis_value *got)
{
	const struct image_value *want = image_values(image) + key->values;
	if (key->type == DIS_STRING && key->match == DIS_MATCH_WORD)
		return has_word(image, key, got->text);
	for (uint32_t i = 0; i < key->n_values; i++) {
		if (key->type == DIS_NUMBER) {
			if (got->number >= want[i].low && got->number <= want[i].high)
				return true;
			continue;
		}
		if (want[i].machine) {
			if (image_machine_match(image, want[i].machine - 1, got->text))
				return true;
			continue;
		}
		struct bytes pattern = bytes_of(image_string(image, want[i].text), want[i].length);
		if (glob_match((enum dis_match)key->match, pattern, got->text))
			return true;
	}
	return false;
}

/* How the values of one field stand to a key. */
enum key_state { KEY_STATE_ABSENT, KEY_STATE_NONE, KEY_STATE_SOME, KEY_STATE_ALL };

static enum key_state key_state(const struct policy_image *image, const struct image_key *key,
				const struct dis_event *event)
{
	size_t n = 0, n_fit = 0;
	for (size_t i = 0; i < event->n_values; i++) {
		if (event->values[i].field != key->field)
			continue;
		n++;
		n_fit += value_fits(image, key, &event->values[i]);
	}
	if (n == 0)
		return KEY_STATE_ABSENT;
	return n_fit == n ? KEY_STATE_ALL : n_fit ? KEY_STATE_SOME : KEY_STATE_NONE;
}

/* Events that carry a part of the fields are judged by that part. */
static bool skips_absent(const struct image_item *item, const struct dis_event *event)
{
	return event->kind == DIS_SESSION || event->kind == DIS_REPLY ||
	       event->flags & JUDGE_ASSUMES ||
	       (event->flags & DIS_UNPROVEN && item->allows_unparsed);
}

static bool key_holds(enum key_state state, enum rule_action action, bool may_be_absent)
{
	switch (state) {
	case KEY_STATE_ABSENT:
		return action == RULE_ALLOW && may_be_absent;
	case KEY_STATE_NONE:
		return false;
	case KEY_STATE_SOME:
		return action == RULE_DENY;
	case KEY_STATE_ALL:
		return true;
	}
	return false;
}

static bool key_is_list(const struct image_rule *rule, const struct image_key *key)
{
	return dissectors[rule->app]->fields[key->field].is_list;
}

/* `tables: [wp_*]` says nothing of a statement that names no table. Such a list holds for it where
 * another key of the item (its verb, its command) does. */
static bool another_key_holds(const struct policy_image *image, const struct image_item *item,
			      const struct dis_event *event)
{
	const struct image_key *keys = image_keys(image) + item->keys;
	for (uint32_t i = 0; i < item->n_keys; i++)
		if (key_state(image, &keys[i], event) == KEY_STATE_ALL)
			return true;
	return false;
}

const struct image_key *item_failure(const struct policy_image *image,
				     const struct image_rule *rule, const struct image_item *item,
				     const struct dis_event *event)
{
	const struct image_key *keys = image_keys(image) + item->keys;
	bool may_be_absent = skips_absent(item, event);
	for (uint32_t i = 0; i < item->n_keys; i++) {
		enum key_state state = key_state(image, &keys[i], event);
		bool is_empty_list = state == KEY_STATE_ABSENT && key_is_list(rule, &keys[i]) &&
				     another_key_holds(image, item, event);
		if (!key_holds(state, (enum rule_action)rule->action,
			       may_be_absent || keys[i].is_reply || is_empty_list))
			return &keys[i];
	}
	return NULL;
}

static bool item_speaks_of(const struct policy_image *image, const struct image_item *item,
			   const struct dis_event *event)
{
	const struct image_key *keys = image_keys(image) + item->keys;
	for (uint32_t i = 0; i < item->n_keys; i++)
		if (key_state(image, &keys[i], event) != KEY_STATE_ABSENT)
			return true;
	return false;
}

static enum fit item_fits(const struct policy_image *image, const struct image_rule *rule,
			  const struct image_item *item, const struct dis_event *event)
{
	bool is_unproven = event->flags & DIS_UNPROVEN && !item->allows_unparsed;
	if (event->kind == DIS_REPLY && !item_speaks_of(image, item, event))
		return rule->action == RULE_ALLOW ? FIT_YES : FIT_NO;
	bool fits = !item_failure(image, rule, item, event);
	if (!is_unproven)
		return fits ? FIT_YES : FIT_NO;
	return fits && rule->action == RULE_DENY ? FIT_YES : FIT_UNPARSED;
}

/* ---- rules ---- */

static bool is_opaque_by_tls(const struct image_rule *rule, const struct dis_event *event)
{
	const struct dissector *d = dissectors[rule->app];
	for (size_t i = 0; i < event->n_values; i++) {
		const struct dis_value *v = &event->values[i];
		if (v->field < d->n_fields && strcmp(d->fields[v->field].name, "opaque") == 0)
			return bytes_is(v->text, "tls");
	}
	return false;
}

static enum fit fits_opaque(const struct image_rule *rule, const struct dis_event *event)
{
	switch ((enum tls_choice)rule->tls) {
	case TLS_ANY:
		return rule->action == RULE_ALLOW || rule->n_items == 0 ? FIT_YES : FIT_NO;
	case TLS_REQUIRE:
		return is_opaque_by_tls(rule, event) ? FIT_YES : FIT_OPAQUE;
	case TLS_FORBID:
	case TLS_UNSET:
		break;
	}
	return FIT_OPAQUE;
}

enum fit rule_fits_event(const struct policy_image *image, const struct image_rule *rule,
			 const struct dis_event *event)
{
	if (event->kind == DIS_OPAQUE)
		return fits_opaque(rule, event);
	if (event->kind == DIS_REQUEST && rule->tls == TLS_REQUIRE)
		return FIT_NO; /* it could be read */
	if (rule->n_items == 0)
		return FIT_YES;
	enum fit best = FIT_NO;
	for (uint32_t i = 0; i < rule->n_items; i++) {
		enum fit fit = item_fits(image, rule, &image_items(image)[rule->items + i], event);
		if (fit == FIT_YES)
			return FIT_YES;
		best = fit == FIT_NO ? best : fit;
	}
	return best;
}
