/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Why: each rule of the image with the first thing that keeps it from matching, in the order in
 * which evidence arrives. */
#include "policy/judge.h"

#include <inttypes.h>
#include <stdio.h>

enum { GOT_MAX = 512 };

struct explaining {
	const struct policy_image *image;
	const struct policy_subject *subject;
	uint8_t app;
	const struct dis_event *event;
	char got[GOT_MAX]; /* scratch for e->got */
};

static bool has_bit(const uint64_t *row, uint32_t bit)
{
	return row && row[bit / 64] >> (bit % 64) & 1;
}

static const char *protocol_name(uint8_t ip_proto)
{
	return app_uses(APP_TCP, ip_proto)    ? "tcp"
	       : app_uses(APP_UDP, ip_proto)  ? "udp"
	       : app_uses(APP_ICMP, ip_proto) ? "icmp"
					      : "another protocol";
}

static void fail(struct policy_explanation *e, const char *matcher, const char *want,
		 const char *got)
{
	e->matches = false;
	e->matcher = matcher;
	e->want = want;
	e->got = got;
}

/* The values of one field, as far as they fit. */
static void print_got(struct explaining *x, uint16_t field)
{
	size_t at = 0;
	bool is_number = dissectors[x->app]->fields[field].type == DIS_NUMBER;
	(void)snprintf(x->got, sizeof(x->got), "nothing");
	for (size_t i = 0; i < x->event->n_values && at < sizeof(x->got); i++) {
		const struct dis_value *v = &x->event->values[i];
		const char *comma = at ? ", " : "";
		if (v->field != field)
			continue;
		size_t room = sizeof(x->got) - at;
		int length = v->text.n > GOT_MAX ? GOT_MAX : (int)v->text.n;
		int n = is_number ? snprintf(x->got + at, room, "%s%" PRIu64, comma, v->number)
				  : snprintf(x->got + at, room, "%s%.*s", comma, length,
					     v->text.n ? (const char *)v->text.p : "");
		if (n < 0)
			return;
		at += (size_t)n;
	}
}

/* A value that is wrong tells more than one that is not there. */
static const struct image_key *failure_of(const struct explaining *x, const struct image_rule *rule,
					  const struct image_item *item)
{
	struct dis_event stated = *x->event;
	stated.flags |= JUDGE_ASSUMES;
	const struct image_key *key = item_failure(x->image, rule, item, &stated);
	return key ? key : item_failure(x->image, rule, item, x->event);
}

/* Of several items the one that comes furthest is the most telling: the key that stopped it. */
static const struct image_key *telling_key(const struct explaining *x,
					   const struct image_rule *rule)
{
	const struct image_key *best = NULL;
	size_t best_depth = 0;
	for (uint32_t i = 0; i < rule->n_items; i++) {
		const struct image_item *item = &image_items(x->image)[rule->items + i];
		const struct image_key *key = failure_of(x, rule, item);
		size_t depth = key ? (size_t)(key - (image_keys(x->image) + item->keys)) : 0;
		if (key && (!best || depth > best_depth)) {
			best = key;
			best_depth = depth;
		}
	}
	return best;
}

static void explain_constraints(struct explaining *x, const struct image_rule *rule,
				struct policy_explanation *e)
{
	const struct image_key *key = telling_key(x, rule);
	if (!key) {
		fail(e, "request", "what the rule constrains", "another kind of event");
		return;
	}
	print_got(x, key->field);
	fail(e, dissectors[x->app]->fields[key->field].key, image_string(x->image, key->want),
	     x->got);
}

static void explain_event(struct explaining *x, const struct image_rule *rule,
			  struct policy_explanation *e)
{
	static const char *const tls[] = {"", "any", "forbid", "require"};
	enum fit fit = rule_fits_event(x->image, rule, x->event);
	bool denies = rule->action == RULE_DENY;
	if (fit == FIT_YES || (denies && fit != FIT_NO))
		return;
	if (fit == FIT_UNPARSED)
		fail(e, "unparsed", "deny", "its fields could not be proven");
	else if (fit == FIT_OPAQUE || x->event->kind == DIS_OPAQUE)
		fail(e, "tls", tls[rule->tls], "it cannot be read");
	else if (x->event->kind == DIS_REQUEST && rule->tls == TLS_REQUIRE)
		fail(e, "tls", tls[rule->tls], "not encrypted");
	else
		explain_constraints(x, rule, e);
}

static void explain_app(struct explaining *x, const struct image_rule *rule,
			struct policy_explanation *e)
{
	if (app_is_raw(rule->app))
		return;
	if (x->app == POLICY_APP_NONE)
		fail(e, "app", app_name(rule->app), "not known yet");
	else if (!image_rule_speaks(rule, x->app))
		fail(e, "app", app_name(rule->app), app_name(x->app));
	else if (x->event && x->event->kind != DIS_CLAIM)
		explain_event(x, rule, e);
	else if (rule->n_items)
		fail(e, "request", "a request to judge", "only the connection");
}

static void explain_rule(struct explaining *x, uint32_t number, struct policy_explanation *e)
{
	const struct image_rule *rule = &image_rules(x->image)[number];
	const struct policy_subject *s = x->subject;
	e->matches = true;
	if (!has_bit(image_row(x->image, s->from, false), number)) {
		fail(e, "from", image_string(x->image, rule->from),
		     policy_identity_name(x->image, s->from));
	} else if (!has_bit(image_row(x->image, s->to, true), number)) {
		fail(e, "to", image_string(x->image, rule->to),
		     policy_identity_name(x->image, s->to));
	} else if (!rule_takes_protocol(rule, s->ip_proto)) {
		fail(e, "app", app_name(rule->app), protocol_name(s->ip_proto));
	} else if (!rule_takes_port(x->image, rule, s->to_port)) {
		(void)snprintf(x->got, sizeof(x->got), "%u", s->to_port);
		fail(e, "port", image_string(x->image, rule->port), x->got);
	} else {
		explain_app(x, rule, e);
	}
}

static void decide(const struct explaining *x, struct policy_decision *out)
{
	struct policy_candidates candidates;
	policy_candidates(x->image, x->subject, &candidates);
	if (x->event && x->app != POLICY_APP_NONE)
		judge_event(x->image, x->subject, &candidates, x->app, x->event, out);
	else if (x->app != POLICY_APP_NONE)
		policy_decide_app(x->image, x->subject, &candidates, x->app, out);
	else
		policy_decide_connection(x->image, x->subject, &candidates, out);
}

void policy_explain(const struct policy_image *image, const struct policy_subject *subject,
		    uint8_t app, const struct dis_event *event,
		    void (*line)(void *ctx, const struct policy_explanation *e), void *ctx)
{
	struct explaining x = {.image = image,
			       .subject = subject,
			       .event = event,
			       .app = app < n_dissectors ? app : POLICY_APP_NONE};
	struct policy_decision decision;
	decide(&x, &decision);
	for (uint32_t i = 0; i < image->rules.n; i++) {
		struct policy_explanation e = {.rule = i};
		explain_rule(&x, i, &e);
		e.decides = decision.rule == i;
		line(ctx, &e);
	}
}
