/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Deciding, in two steps that are kept apart: a tally collects what the candidates say at this
 * stage, conclude() weighs it.
 *
 *	matched   a deny or an allow that holds now, whatever comes
 *	open      one that a later application or request could still make hold
 *
 * The weighing, from the strongest:
 *	1. an enforced deny has matched         -> deny
 *	2. else the base: an allow has matched  -> allow
 *	              or an allow is open       -> undecided
 *	              or neither: the default   -> deny, or allow
 *	3. an enforced base denial              -> deny
 *	4. undecided, or a deny is open         -> pending: what passed could be refused later
 *	5. a deny of a weaker mode has matched  -> deny, in that mode (reported, let pass)
 *	6. the base
 *
 * A default denial binds as the weakest allow rule that covers the pair: such a rule in shadow
 * mode is a trial of its constraints.
 */
#include "policy/judge.h"

struct tally {
	uint32_t deny, allow; /* credited rules, or POLICY_NO_RULE */
	enum mode deny_mode;
	enum reason deny_reason;
	bool deny_open, allow_open;
	enum mode open_mode; /* the strongest of the open denies */
	bool wants_log;	     /* a rule that may still be credited wants requests recorded */
	bool covers;	     /* an allow rule speaks of this pair, for whatever application */
	bool covers_app;     /* and for this one */
	enum mode weakest;   /* mode of those */
	enum reason failure; /* why no allow holds */
	uint64_t apps;
	bool needs_replies;
};

static bool logs_requests(const struct image_rule *rule)
{
	return rule->log == LOG_ALL || rule->log == LOG_SAMPLE;
}

static struct tally tally_start(void)
{
	return (struct tally){
		.deny = POLICY_NO_RULE,
		.allow = POLICY_NO_RULE,
		.weakest = MODE_ENFORCE,
		.failure = REASON_DEFAULT,
	};
}

/* The strongest deny is credited; among equals, and among allows, the first. */
static void tally_match(struct tally *t, const struct image_rule *rule, uint32_t number,
			enum reason reason)
{
	if (rule->action == RULE_ALLOW) {
		if (t->allow == POLICY_NO_RULE)
			t->allow = number;
	} else if (t->deny == POLICY_NO_RULE || rule->mode > t->deny_mode) {
		t->deny = number;
		t->deny_mode = (enum mode)rule->mode;
		t->deny_reason = reason;
	}
}

static void tally_open(struct tally *t, const struct image_rule *rule)
{
	t->deny_open |= rule->action == RULE_DENY;
	t->allow_open |= rule->action == RULE_ALLOW;
	if (rule->action == RULE_DENY && rule->mode > t->open_mode)
		t->open_mode = (enum mode)rule->mode;
	t->apps |= rule->apps;
}

static void tally_cover(struct tally *t, const struct image_rule *rule)
{
	if (rule->action != RULE_ALLOW)
		return;
	t->covers = true;
	if (rule->mode < t->weakest)
		t->weakest = (enum mode)rule->mode;
}

static void tally_wishes(struct tally *t, const struct image_rule *rule)
{
	bool is_allow = rule->action == RULE_ALLOW; /* a deny records what it denies anyway */
	t->wants_log |= is_allow && logs_requests(rule);
	t->needs_replies |= rule->has_reply_keys || (is_allow && rule->log == LOG_ALL);
}

/* ---- weighing ---- */

static uint32_t fence_of(const struct policy_image *image, uint32_t identity)
{
	const struct image_identity *identities = image_at(image, image->identities);
	return identity < image->identities.n ? identities[identity].fence : 0;
}

static bool share_a_fence(const struct policy_image *image, const struct policy_subject *s)
{
	uint32_t fence = fence_of(image, s->from);
	return fence && fence == fence_of(image, s->to);
}

/* Two strangers on a managed interface (a link-local address, a gateway's two segments) are no
 * exception: what reaches us is ours to judge. */
static enum verdict zone_default(const struct policy_image *image, const struct policy_subject *s)
{
	if (s->from_container && s->to_container && share_a_fence(image, s))
		return VERDICT_ALLOW;
	if (s->from_container == s->to_container)
		return (enum verdict)image->internal;
	return (enum verdict)(s->from_container ? image->egress : image->ingress);
}

static enum mode default_mode(const struct policy_image *image, const struct tally *t)
{
	return t->covers ? t->weakest : image->settings.mode;
}

/* What holds when no rule decides. Where an allow rule covers the pair, what it does not allow is
 * denied. */
static void weigh_default(const struct policy_image *image, const struct policy_subject *subject,
			  const struct tally *t, struct policy_decision *out)
{
	out->rule = POLICY_NO_RULE;
	out->log_deny = true;
	bool denies = t->covers || zone_default(image, subject) == VERDICT_DENY;
	if (denies && t->failure == REASON_UNIDENTIFIED && t->covers &&
	    image->settings.unidentified == VERDICT_ALLOW)
		denies = false;
	out->verdict = denies ? VERDICT_DENY : VERDICT_ALLOW;
	out->reason = denies ? t->failure : REASON_NONE;
	out->mode = denies ? default_mode(image, t) : image->settings.mode;
}

static void credit(const struct policy_image *image, uint32_t number, enum verdict verdict,
		   enum reason reason, struct policy_decision *out)
{
	const struct image_rule *rule = &image_rules(image)[number];
	out->verdict = verdict;
	out->rule = number;
	out->reason = reason;
	out->mode = (enum mode)rule->mode;
	out->log_allow = verdict == VERDICT_ALLOW && logs_requests(rule);
	out->log_sample = rule->log_sample;
	out->log_deny = rule->log != LOG_NONE;
}

/* While it is pending: the most that any denial to come could bind. Whoever holds bytes back holds
 * them for that one, and what the engine itself refuses meanwhile binds as much. */
static enum mode pending_mode(const struct policy_image *image, const struct tally *t,
			      const struct policy_decision *base)
{
	enum mode mode = t->deny_open ? t->open_mode : MODE_OBSERVE;
	enum mode of_default = default_mode(image, t);
	return base->verdict != VERDICT_ALLOW && of_default > mode ? of_default : mode;
}

static bool is_enforced_denial(const struct policy_decision *d)
{
	return d->verdict == VERDICT_DENY && d->mode == MODE_ENFORCE;
}

static void conclude(const struct policy_image *image, const struct policy_subject *subject,
		     const struct tally *t, struct policy_decision *out)
{
	struct policy_decision base = {.log_sample = 1};
	if (t->allow != POLICY_NO_RULE)
		credit(image, t->allow, VERDICT_ALLOW, REASON_RULE, &base);
	else if (!t->allow_open)
		weigh_default(image, subject, t, &base);
	*out = (struct policy_decision){
		.rule = POLICY_NO_RULE,
		.log_sample = 1,
		.log_deny = true,
	};
	if (t->deny != POLICY_NO_RULE && t->deny_mode == MODE_ENFORCE) {
		credit(image, t->deny, VERDICT_DENY, t->deny_reason, out);
	} else if (is_enforced_denial(&base)) {
		*out = base;
	} else if (base.verdict == VERDICT_PENDING || t->deny_open) {
		out->mode = pending_mode(image, t, &base);
		out->apps = t->apps;
		out->needs_replies = t->needs_replies;
	} else {
		bool base_is_stronger = base.verdict == VERDICT_DENY && base.mode > t->deny_mode;
		*out = base;
		if (t->deny != POLICY_NO_RULE && !base_is_stronger)
			credit(image, t->deny, VERDICT_DENY, t->deny_reason, out);
		out->is_final = !t->wants_log;
		out->apps = t->wants_log ? t->apps : 0;
		out->needs_replies = t->needs_replies;
	}
}

/* ---- the stages ---- */

void policy_candidates(const struct policy_image *image, const struct policy_subject *subject,
		       struct policy_candidates *out)
{
	struct walk walk = walk_start(image, subject, NULL);
	uint32_t number;
	*out = (struct policy_candidates){.is_complete = true};
	while (walk_next(&walk, &number)) {
		if (out->n == POLICY_CANDIDATES_MAX) {
			out->is_complete = false;
			return;
		}
		out->rule[out->n++] = number;
	}
}

void policy_decide_connection(const struct policy_image *image,
			      const struct policy_subject *subject,
			      const struct policy_candidates *candidates,
			      struct policy_decision *out)
{
	struct tally t = tally_start();
	struct walk walk = walk_start(image, subject, candidates);
	const struct image_rule *rule;
	uint32_t number;
	while ((rule = walk_next(&walk, &number))) {
		tally_cover(&t, rule);
		tally_wishes(&t, rule);
		if (app_is_raw(rule->app))
			tally_match(&t, rule, number, REASON_RULE);
		else
			tally_open(&t, rule);
	}
	conclude(image, subject, &t, out);
}

/* A rule of the application that was found: does it wait for units? */
static void tally_app(struct tally *t, const struct image_rule *rule, uint32_t number)
{
	bool judges_units =
		rule->n_items > 0 || (rule->action == RULE_ALLOW && rule->tls != TLS_ANY);
	if (judges_units)
		tally_open(t, rule);
	else
		tally_match(t, rule, number, REASON_RULE);
}

static enum reason failure_of_app(const struct tally *t, uint8_t app)
{
	if (app >= n_dissectors)
		return REASON_UNIDENTIFIED;
	return t->covers && !t->covers_app ? REASON_WRONG_PROTOCOL : REASON_DEFAULT;
}

static enum reason reason_of(enum fit fit)
{
	switch (fit) {
	case FIT_UNPARSED:
		return REASON_UNPARSED;
	case FIT_OPAQUE:
		return REASON_OPAQUE;
	case FIT_YES:
	case FIT_NO:
		break;
	}
	return REASON_RULE;
}

static void tally_event(const struct policy_image *image, struct tally *t,
			const struct image_rule *rule, uint32_t number,
			const struct dis_event *event)
{
	enum fit fit = rule_fits_event(image, rule, event);
	if (fit == FIT_YES || (fit != FIT_NO && rule->action == RULE_DENY))
		tally_match(t, rule, number, reason_of(fit));
	else if (fit != FIT_NO)
		t->failure = reason_of(fit);
}

/* What the rules say once the application is known: of the connection (event NULL), or of one of
 * its units. */
static struct tally tally_known_app(const struct policy_image *image,
				    const struct policy_subject *subject,
				    const struct policy_candidates *candidates, uint8_t app,
				    const struct dis_event *event)
{
	struct tally t = tally_start();
	struct walk walk = walk_start(image, subject, candidates);
	const struct image_rule *rule;
	uint32_t number;
	while ((rule = walk_next(&walk, &number))) {
		tally_cover(&t, rule);
		if (!app_is_raw(rule->app) && !image_rule_speaks(rule, app))
			continue;
		tally_wishes(&t, rule);
		t.covers_app |= rule->action == RULE_ALLOW;
		if (app_is_raw(rule->app))
			tally_match(&t, rule, number, REASON_RULE);
		else if (event)
			tally_event(image, &t, rule, number, event);
		else
			tally_app(&t, rule, number);
	}
	return t;
}

void policy_decide_app(const struct policy_image *image, const struct policy_subject *subject,
		       const struct policy_candidates *candidates, uint8_t app,
		       struct policy_decision *out)
{
	struct tally t = tally_known_app(image, subject, candidates, app, NULL);
	t.failure = failure_of_app(&t, app);
	t.wants_log &= app < n_dissectors; /* what nobody reads has no requests */
	conclude(image, subject, &t, out);
}

void policy_decide_event(const struct policy_image *image, const struct policy_subject *subject,
			 const struct policy_candidates *candidates, uint8_t app,
			 const struct dis_event *event, struct policy_decision *out)
{
	struct dis_event known = *event;
	known.flags &= DIS_UNPROVEN;
	judge_event(image, subject, candidates, app, &known, out);
}

void judge_event(const struct policy_image *image, const struct policy_subject *subject,
		 const struct policy_candidates *candidates, uint8_t app,
		 const struct dis_event *event, struct policy_decision *out)
{
	if (event->kind == DIS_CLAIM || app >= n_dissectors) {
		policy_decide_app(image, subject, candidates, app, out);
		return;
	}
	struct tally t = tally_known_app(image, subject, candidates, app, event);
	if (t.failure == REASON_DEFAULT)
		t.failure = failure_of_app(&t, app);
	conclude(image, subject, &t, out);
	out->is_final = out->is_final && event->kind == DIS_OPAQUE; /* other units may follow */
}
