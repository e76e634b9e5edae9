/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "inspect/inspect.h"

#include "stream/reasm.h"

#include <netinet/in.h>
#include <stdio.h>

enum {
	IDENTIFY_MAX = 16 * 1024, /* bytes of one half that may come before somebody claims them */
	GUESS_MIN = 14, /* fewer fit too many: a length and a number begin with any two bytes */
};

/* One call of a dissector: what its events led to. */
struct call {
	struct inspect *in;
	struct flow *flow;
	unsigned dir;
	bool has_judged, has_judged_unit, is_denied, is_late_edit;
	bool says_opaque;
	struct policy_decision decision; /* the denial, or the last decision */
};

static const struct dissector *flow_dissector(const struct flow *f)
{
	return dissectors[f->app];
}

static bool is_enforced_denial(const struct policy_decision *d)
{
	return d->verdict == VERDICT_DENY && d->mode == MODE_ENFORCE;
}

static void keep_decision(struct flow *f, const struct policy_decision *d)
{
	f->verdict = (uint8_t)d->verdict;
	f->reason = (uint8_t)d->reason;
	f->mode = (uint8_t)d->mode;
	f->rule = d->rule;
}

/* ---- where it is sent ---- */

static bool is_sent_to(const struct flow *f, const struct dis_multicast *g)
{
	return g && f->ip_proto == IPPROTO_UDP && f->port[1] == g->port &&
	       (memcmp(f->addr[1].b, g->addr[0], sizeof(g->addr[0])) == 0 ||
		memcmp(f->addr[1].b, g->addr[1], sizeof(g->addr[1])) == 0);
}

/* Whose group the flow goes to, or POLICY_APP_NONE. */
static uint8_t group_owner(const struct flow *f)
{
	for (uint8_t app = 0; app < n_dissectors && f->ip_proto == IPPROTO_UDP; app++)
		if (is_sent_to(f, dissectors[app]->group))
			return app;
	return POLICY_APP_NONE;
}

static struct dis_result feed(const struct flow *f, const struct dissector *d, void *state,
			      unsigned dir, struct bytes in, const struct dis_sink *sink)
{
	if (is_sent_to(f, d->group))
		return d->group->feed(state, f->ip_proto, (enum dis_dir)dir, in, sink);
	return d->feed(state, f->ip_proto, (enum dis_dir)dir, in, sink);
}

/* ---- probing: does anybody claim these bytes? ---- */

static void probe_event(void *ctx, const struct dis_event *event)
{
	bool *claimed = ctx;
	*claimed |= event->kind == DIS_CLAIM;
}

static void probe_edit(void *ctx, size_t offset, struct bytes replacement)
{
	(void)ctx, (void)offset,
		(void)replacement; /* done when the claimed bytes are fed for real */
}

enum probe { PROBE_CLAIMED, PROBE_MAYBE, PROBE_NO };

static enum probe probe(struct inspect *in, const struct flow *f, const struct dissector *d,
			unsigned dir, struct bytes slice)
{
	bool claimed = false;
	const struct dis_sink sink = {.event = probe_event, .edit = probe_edit, .ctx = &claimed};
	memset(in->probe_state, 0, d->state_size);
	struct dis_result r = feed(f, d, in->probe_state, dir, slice, &sink);
	if (claimed)
		return PROBE_CLAIMED;
	return r.status == DIS_MORE && f->ip_proto == IPPROTO_TCP && r.want <= d->max_unit
		       ? PROBE_MAYBE
		       : PROBE_NO;
}

/* owner: of the group that the flow goes to. */
static bool may_speak(const struct flow *f, uint8_t app, uint8_t owner)
{
	const struct dissector *d = dissectors[app];
	return (d->ip_protos[0] == f->ip_proto || d->ip_protos[1] == f->ip_proto) &&
	       (owner == POLICY_APP_NONE || app == owner);
}

/* Asks each dissector of the set; those that say no leave it. Returns the claimant or
 * POLICY_APP_NONE. */
static uint8_t probe_set(struct inspect *in, const struct flow *f, uint64_t *set, unsigned dir,
			 struct bytes slice)
{
	const uint8_t owner = group_owner(f);
	for (uint8_t app = 0; app < n_dissectors; app++) {
		uint64_t bit = UINT64_C(1) << app;
		if (!(*set & bit))
			continue;
		enum probe answer = may_speak(f, app, owner)
					    ? probe(in, f, dissectors[app], dir, slice)
					    : PROBE_NO;
		if (answer == PROBE_CLAIMED)
			return app;
		if (answer == PROBE_NO)
			*set &= ~bit;
	}
	return POLICY_APP_NONE;
}

/* ---- feeding the claimant ---- */

static void feed_event(void *ctx, const struct dis_event *event)
{
	struct call *c = ctx;
	if (c->is_denied)
		return;
	const struct flow *f = c->flow;
	struct policy_decision d;
	policy_decide_event(c->in->image, &f->subject, &f->candidates, f->app, event, &d);
	c->has_judged = true;
	c->has_judged_unit |= event->kind != DIS_CLAIM;
	c->says_opaque |= event->kind == DIS_OPAQUE;
	c->decision = d;
	if (event->kind == DIS_CLAIM && d.verdict != VERDICT_DENY)
		return;
	if (d.verdict != VERDICT_PENDING && event->kind != DIS_REPLY)
		keep_decision(c->flow, &d);
	if (event->kind == DIS_CLAIM)
		c->in->violation(c->in->ctx, c->flow, &d, flow_dissector(c->flow)->name, NULL);
	else
		c->in->judged(c->in->ctx, c->flow, c->dir, event, &d);
	c->is_denied = is_enforced_denial(&d);
}

static void feed_edit(void *ctx, size_t offset, struct bytes with)
{
	struct call *c = ctx;
	struct half *h = &c->flow->half[c->dir];
	uint32_t seq = h->fed + (uint32_t)offset;
	if (!c->flow->is_enforced)
		return; /* who only looks changes nothing */
	if (seq_before(seq, h->passed)) {
		c->is_late_edit = true;
		return;
	}
	reasm_edit(&c->in->shard->chunks, h, seq, with);
	c->in->edited(c->in->ctx, c->flow, c->dir, seq, with);
}

static enum verdict configured(const struct inspect *in, enum reason reason)
{
	const struct policy_settings *s = policy_settings(in->image);
	if (reason == REASON_UNIDENTIFIED || reason == REASON_HOLD_TIMEOUT)
		return s->unidentified;
	return s->malformed;
}

/* The connection as such cannot go on: malformed, unidentified... The policy file says what then.
 */
static enum inspect_status connection_fails(struct inspect *in, struct flow *f, enum reason reason,
					    const char *found, const char *why)
{
	struct policy_decision d = {
		.verdict = configured(in, reason),
		.mode = f->is_enforced ? MODE_ENFORCE : (enum mode)f->mode,
		.reason = reason,
		.rule = POLICY_NO_RULE,
		.log_deny = true,
	};
	if (reason == REASON_WRONG_PROTOCOL)
		d.verdict = VERDICT_DENY;
	if (d.mode == MODE_ENFORCE && !f->is_enforced)
		d.mode = MODE_SHADOW;
	keep_decision(f, &d);
	if (d.verdict == VERDICT_DENY)
		in->violation(in->ctx, f, &d, found, why);
	if (is_enforced_denial(&d))
		return INSPECT_DENY;
	f->pass_reason = (uint8_t)reason;
	return INSPECT_FINAL;
}

/* Where a server speaks first, it claims the connection, and what a client of another protocol then
 * sends is malformed: say what it is. */
static enum inspect_status malformed(struct inspect *in, struct flow *f, unsigned dir,
				     struct bytes slice, const char *why)
{
	uint64_t others = f->others;
	bool is_first = f->half[dir].is_tracked && f->half[dir].fed == f->half[dir].isn + 1;
	uint8_t found = is_first ? probe_set(in, f, &others, dir, slice) : POLICY_APP_NONE;
	if (found == POLICY_APP_NONE)
		return connection_fails(in, f, REASON_MALFORMED, NULL, why);
	return connection_fails(in, f, REASON_WRONG_PROTOCOL, dissectors[found]->name, why);
}

/* After a unit: can anything still change the verdict? Where what follows was said to be opaque but
 * the dissector goes on, it looks whether that is so. */
static enum inspect_status after_unit(const struct call *c)
{
	if (c->is_denied)
		return INSPECT_DENY;
	bool final = c->has_judged && !c->says_opaque && c->decision.verdict == VERDICT_ALLOW &&
		     c->decision.is_final;
	return final ? INSPECT_FINAL : INSPECT_PASS;
}

static struct call call_dissector(struct inspect *in, struct flow *f, unsigned dir,
				  struct bytes slice, struct dis_result *r)
{
	struct call c = {.in = in, .flow = f, .dir = dir};
	const struct dis_sink sink = {.event = feed_event, .edit = feed_edit, .ctx = &c};
	void *state = flow_session(in->shard, f);
	*r = feed(f, flow_dissector(f), state, dir, slice, &sink);
	return c;
}

static bool result_is_sane(const struct dis_result *r, const struct dissector *d, size_t n)
{
	if (r->consumed > n)
		return false;
	return r->status != DIS_MORE || (r->want > n && r->want <= d->max_unit);
}

/* Rule names are the operator's own text: in a refusal they must not end a line or a string. */
static struct bytes say_why(const struct inspect *in, const struct flow *f, char *out)
{
	const char *rule = policy_rule_name(in->image, f->rule);
	int n = f->rule == POLICY_NO_RULE
			? snprintf(out, DIS_WHY_MAX, "refused by bridgewarden: %s",
				   reason_text((enum reason)f->reason))
			: snprintf(out, DIS_WHY_MAX, "refused by bridgewarden: rule %s", rule);
	if (n >= DIS_WHY_MAX)
		n = DIS_WHY_MAX - 1;
	for (int i = 0; i < n; i++)
		if (out[i] < ' ' || out[i] > '~' || strchr("\"'\\", out[i]))
			out[i] = '?';
	return bytes_of(out, (size_t)n);
}

/* Are replies to come that the words must not stand before? */
static bool is_reply_due(const struct inspect *in, const struct flow *f)
{
	const struct dissector *d = flow_dissector(f);
	const struct half *server = &f->half[DIS_TO_CLIENT];
	if (server->is_blind || !server->is_tracked || !d->due)
		return false; /* the caller guesses, or `refuse` knows */
	enum dis_due due = d->due(flow_session(in->shard, f));
	return server->skip > 0 || due == DIS_DUE_FIRST || (due == DIS_DUE_OTHERS && !f->is_late);
}

static void word_refusal(struct inspect *in, const struct flow *f, struct bytes unit)
{
	char why[DIS_WHY_MAX];
	in->n_refusal = 0;
	if (is_reply_due(in, f))
		return;
	in->n_refusal = flow_dissector(f)->refuse(flow_session(in->shard, f), f->ip_proto, unit,
						  say_why(in, f, why), in->refusal);
}

/* The unit is whole and was denied. */
static void refuse_unit(const struct call *c, struct bytes slice, const struct dis_result *r)
{
	bool is_request = c->dir == DIS_TO_SERVER && r->status == DIS_DONE;
	if (!is_request || !flow_dissector(c->flow)->refuse)
		return;
	word_refusal(c->in, c->flow, bytes_slice(slice, 0, r->consumed));
	c->in->is_refusal_due = c->in->n_refusal == 0;
	c->flow->half[c->dir].want = (uint32_t)r->consumed;
}

void inspect_word(struct inspect *in, struct flow *f)
{
	struct half *h = &f->half[DIS_TO_SERVER];
	struct bytes unit = reasm_unconsumed(&in->shard->chunks, h, in->scratch, h->want);
	if (unit.n == h->want)
		word_refusal(in, f, unit);
}

/* One unit of the claimed stream. */
static enum inspect_status feed_unit(struct inspect *in, struct flow *f, unsigned dir,
				     struct bytes slice)
{
	struct half *h = &f->half[dir];
	struct dis_result r;
	struct call c = call_dissector(in, f, dir, slice, &r);
	if (c.is_denied) {
		refuse_unit(&c, slice, &r);
		return INSPECT_DENY;
	}
	if (c.is_late_edit || !result_is_sane(&r, flow_dissector(f), slice.n))
		return connection_fails(in, f, REASON_LIMIT, NULL,
					"a unit had to be changed after it was forwarded");
	switch (r.status) {
	case DIS_MORE:
		h->want = (uint32_t)r.want;
		return after_unit(&c);
	case DIS_DONE:
		h->want = 0;
		h->is_proven = true;
		reasm_consume(h, r.consumed, r.skip);
		return after_unit(&c);
	case DIS_STOPPED:
		reasm_consume(h, r.consumed, 0);
		f->pass_reason = REASON_OPAQUE;
		return INSPECT_FINAL;
	case DIS_NOT_MINE:
	case DIS_MALFORMED:
		return malformed(in, f, dir, slice, r.why);
	case DIS_LIMIT:
		return connection_fails(in, f, REASON_LIMIT, NULL, r.why);
	}
	return connection_fails(in, f, REASON_MALFORMED, NULL, "unknown answer of a dissector");
}

/* All whole units of the slice, so that its bytes are put together once however small the units
 * are. */
static enum inspect_status feed_slice(struct inspect *in, struct flow *f, unsigned dir,
				      struct bytes slice)
{
	const struct half *h = &f->half[dir];
	enum inspect_status status = INSPECT_PASS;
	for (uint32_t eaten = 1; eaten && slice.n > 0 && status == INSPECT_PASS;) {
		uint32_t before = h->fed;
		status = feed_unit(in, f, dir, slice);
		eaten = h->fed - before;
		slice = bytes_from(slice, eaten);
	}
	return status;
}

static enum inspect_status feed_stream(struct inspect *in, struct flow *f, unsigned dir)
{
	struct half *h = &f->half[dir];
	enum inspect_status status = INSPECT_PASS;
	for (bool again = true; again && status == INSPECT_PASS;) {
		reasm_skip(h);
		uint32_t there = h->next - h->fed, before = h->fed;
		if (there == 0 || h->skip > 0 || there < h->want)
			break;
		size_t max = flow_dissector(f)->max_unit;
		struct bytes slice = reasm_unconsumed(&in->shard->chunks, h, in->scratch, max);
		status = feed_slice(in, f, dir, slice);
		again = h->fed != before;
	}
	return status;
}

/* ---- the first bytes ---- */

static bool claim(struct inspect *in, struct flow *f, uint8_t app)
{
	if (!flow_open_session(in->shard, f, app))
		return false;
	f->phase = FLOW_INSPECTING;
	return true;
}

/* The app of a set with one member. */
static uint8_t only_one(uint64_t set)
{
	bool single = set != 0 && (set & (set - 1)) == 0;
	return single ? (uint8_t)__builtin_ctzll(set) : POLICY_APP_NONE;
}

/* Nobody whom the rules name wants it: find a name for what it is, and say so. */
static enum inspect_status not_what_was_allowed(struct inspect *in, struct flow *f, unsigned dir,
						struct bytes slice)
{
	uint64_t others = f->others;
	uint8_t found = probe_set(in, f, &others, dir, slice);
	if (found == POLICY_APP_NONE && slice.n >= GUESS_MIN)
		found = only_one(others); /* the first bytes fit nobody else */
	const char *name = found == POLICY_APP_NONE ? NULL : dissectors[found]->name;
	enum reason reason = f->is_enforced ? REASON_WRONG_PROTOCOL : REASON_UNIDENTIFIED;
	return connection_fails(in, f, reason, name, NULL);
}

static enum inspect_status identify(struct inspect *in, struct flow *f, unsigned dir,
				    struct bytes slice)
{
	uint8_t app = probe_set(in, f, &f->apps, dir, slice);
	if (app == POLICY_APP_NONE && !f->is_enforced && f->apps == 0) {
		f->apps = f->others;
		f->others = 0;
		app = probe_set(in, f, &f->apps, dir, slice);
	}
	if (app != POLICY_APP_NONE) {
		f->half[dir].is_proven = f->ip_proto == IPPROTO_TCP;
		if (!claim(in, f, app))
			return connection_fails(in, f, REASON_MEMORY, NULL,
						"no room for another dissector state");
		return INSPECT_PASS;
	}
	if (f->apps == 0)
		return not_what_was_allowed(in, f, dir, slice);
	if (slice.n >= IDENTIFY_MAX)
		return connection_fails(in, f, REASON_UNIDENTIFIED, NULL,
					"too many bytes before any protocol was recognised");
	return INSPECT_WAIT;
}

enum inspect_status inspect_stream(struct inspect *in, struct flow *f, unsigned dir)
{
	struct half *h = &f->half[dir];
	if (h->is_blind)
		return INSPECT_PASS;
	if (f->phase == FLOW_IDENTIFYING) {
		struct bytes slice =
			reasm_unconsumed(&in->shard->chunks, h, in->scratch, IDENTIFY_MAX);
		if (slice.n == 0)
			return INSPECT_WAIT;
		enum inspect_status status = identify(in, f, dir, slice);
		if (f->phase != FLOW_INSPECTING)
			return status;
		/* What the other side sent meanwhile is shown too, after the bytes that were
		 * claimed. */
		status = feed_stream(in, f, dir);
		return status == INSPECT_PASS ? feed_stream(in, f, !dir) : status;
	}
	return feed_stream(in, f, dir);
}

/* What is denied never comes to its receiver: the state is as if it had never been sent. */
static struct call call_with_datagram(struct inspect *in, struct flow *f, unsigned dir,
				      struct bytes datagram, struct dis_result *r)
{
	void *state = flow_session(in->shard, f);
	const size_t n = flow_dissector(f)->state_size;
	memcpy(in->probe_state, state, n);
	struct call c = call_dissector(in, f, dir, datagram, r);
	if (!c.is_denied)
		return c;
	refuse_unit(&c, datagram, r);
	memcpy(state, in->probe_state, n);
	return c;
}

static enum inspect_status feed_datagram(struct inspect *in, struct flow *f, unsigned dir,
					 struct bytes datagram)
{
	struct dis_result r;
	struct call c = call_with_datagram(in, f, dir, datagram, &r);
	if (c.is_denied)
		return INSPECT_DENY;
	if (r.status == DIS_STOPPED) {
		f->pass_reason = REASON_OPAQUE;
		return INSPECT_FINAL;
	}
	if (r.status != DIS_DONE || r.consumed != datagram.n)
		return connection_fails(in, f,
					r.status == DIS_LIMIT ? REASON_LIMIT : REASON_MALFORMED,
					NULL, r.why);
	f->half[dir].is_proven |= c.has_judged_unit;
	return after_unit(&c);
}

enum inspect_status inspect_datagram(struct inspect *in, struct flow *f, unsigned dir,
				     struct bytes datagram)
{
	if (f->phase == FLOW_IDENTIFYING) {
		enum inspect_status status = identify(in, f, dir, datagram);
		if (f->phase != FLOW_INSPECTING)
			return status == INSPECT_WAIT ? not_what_was_allowed(in, f, dir, datagram)
						      : status;
	}
	return feed_datagram(in, f, dir, datagram);
}

enum inspect_status inspect_give_up(struct inspect *in, struct flow *f, enum reason reason)
{
	return connection_fails(in, f, reason, NULL, NULL);
}

/* Who may still claim it, after what the policy says of the connection. */
static void choose_apps(struct flow *f, const struct policy_decision *d)
{
	uint64_t all =
		n_dissectors == DIS_APPS_MAX ? ~UINT64_C(0) : (UINT64_C(1) << n_dissectors) - 1;
	f->apps = d->apps & all;
	f->others = all & ~f->apps;
}

/* The flow passed without being judged to its end. Would it still? */
static enum inspect_status rejudge_passed(const struct inspect *in, const struct flow *f,
					  struct policy_decision *d)
{
	static const struct dis_event opaque = {.kind = DIS_OPAQUE};
	if (!f->is_enforced)
		return INSPECT_FINAL;
	if (f->pass_reason == REASON_OPAQUE)
		policy_decide_event(in->image, &f->subject, &f->candidates, f->app, &opaque, d);
	else
		d->verdict = configured(in, (enum reason)f->pass_reason);
	return is_enforced_denial(d) ? INSPECT_DENY : INSPECT_FINAL;
}

static enum inspect_status rejudge_open(struct inspect *in, struct flow *f,
					struct policy_decision *d)
{
	policy_decide_connection(in->image, &f->subject, &f->candidates, d);
	if (d->verdict == VERDICT_PENDING && f->app != POLICY_APP_NONE)
		policy_decide_app(in->image, &f->subject, &f->candidates, f->app, d);
	f->is_enforced = d->mode == MODE_ENFORCE;
	f->needs_replies = d->needs_replies;
	if (is_enforced_denial(d))
		return INSPECT_DENY;
	if (d->verdict == VERDICT_ALLOW && d->is_final)
		return INSPECT_FINAL;
	if (f->phase == FLOW_PASSED && f->pass_reason != REASON_NONE)
		return rejudge_passed(in, f, d);
	return f->phase == FLOW_INSPECTING ? INSPECT_PASS : INSPECT_WAIT;
}

enum inspect_status inspect_rejudge(struct inspect *in, struct flow *f)
{
	struct policy_decision d;
	policy_candidates(in->image, &f->subject, &f->candidates);
	enum inspect_status status = rejudge_open(in, f, &d);
	keep_decision(f, &d);
	if (d.verdict == VERDICT_DENY && !(f->has_reported && status != INSPECT_DENY)) {
		in->violation(in->ctx, f, &d, NULL, NULL);
		f->has_reported = true;
	}
	if (f->phase != FLOW_INSPECTING && f->app == POLICY_APP_NONE)
		choose_apps(f, &d);
	return status;
}

bool inspect_can_spare_replies(const struct inspect *in, const struct flow *f)
{
	if (f->phase != FLOW_INSPECTING || f->ip_proto != IPPROTO_TCP || f->needs_replies)
		return false;
	/* Nor its server has proven the protocol by what the client said. */
	if (!f->half[1].is_proven && !f->half[1].is_blind)
		return false;
	const struct dissector *d = flow_dissector(f);
	return d->needs_replies && !d->needs_replies(flow_session(in->shard, f));
}
