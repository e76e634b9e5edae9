/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "output/explained.h"

#include "output/jsontext.h"

/* In the order in which evidence comes; what is not here is a constraint of a request and comes
 * last. */
static const char *const early_matchers[] = {"mode",  "from", "to", "protocol",
					     "proto", "port", "app"};
enum { N_EARLY = sizeof(early_matchers) / sizeof(early_matchers[0]) };

static unsigned rank_of(const char *matcher)
{
	for (unsigned i = 0; i < N_EARLY; i++)
		if (strcmp(early_matchers[i], matcher) == 0)
			return i;
	return N_EARLY;
}

static void put_text(json_t *object, const char *key, const char *text)
{
	if (text)
		(void)json_object_set_new(object, key,
					  json_text(bytes_str(text))); /* less is fine */
}

static void remember_nearest(struct explained *explained, json_t *line, const char *matcher)
{
	unsigned rank = rank_of(matcher);
	if (explained->nearest && rank <= explained->nearest_rank)
		return;
	explained->nearest = line;
	explained->nearest_rank = rank;
}

void explained_add(struct explained *explained, const struct explained_rule *rule,
		   const struct policy_explanation *e)
{
	if (!explained->lines)
		explained->lines = json_array();
	if (json_array_size(explained->lines) == EXPLAINED_LINES_MAX) {
		explained->n_left_out++;
		return;
	}
	json_t *line = json_pack("{s:s, s:b, s:b}", "kind", "rule", "matches", (int)e->matches,
				 "decides", (int)e->decides);
	put_text(line, "rule", rule->name);
	put_text(line, "matcher", e->matcher);
	put_text(line, "want", e->want);
	put_text(line, "got", e->got);
	explained->is_decided = explained->is_decided || e->decides;
	if (json_array_append_new(explained->lines, line) == 0 && rule->is_allow && !e->matches &&
	    e->matcher)
		remember_nearest(explained, line, e->matcher);
}

static json_t *nearest_line(const struct explained *explained)
{
	json_t *line = json_copy(explained->nearest);
	(void)json_object_set_new(line, "kind", json_string("nearest")); /* less is fine */
	return line;
}

json_t *explained_line(const struct explained *explained, size_t i)
{
	size_t n = json_array_size(explained->lines);
	bool has_nearest = explained->nearest && !explained->is_decided;
	if (i < n)
		return json_incref(json_array_get(explained->lines, i));
	if (i == n && has_nearest)
		return nearest_line(explained);
	if (i == n + has_nearest && explained->n_left_out)
		return json_pack("{s:s, s:I}", "kind", "more", "more",
				 (json_int_t)explained->n_left_out);
	return NULL;
}

void explained_fini(struct explained *explained)
{
	json_decref(explained->lines);
	*explained = (struct explained){0};
}
