/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sentence goes three ways from here: is it one (check), does the policy agree (run), and why
 * (explain). All three parse it alike and put the same questions to the image that the engine
 * would: connection, application, request.
 */
#include "policy/sentence.h"

#include "base/text.h"
#include "identity/inventory.h"
#include "policy/image.h"
#include "policy/judge.h"
#include "policy/node.h"
#include "policy/selector.h"
#include "policy/synth.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#define ARROW	 " -> "
#define EXPECTED " = "

enum { PORT_NONE = -1, FACTS_MAX = 8 };

/* [FIELD=VALUE]: what the connection knows. */
struct fact {
	uint16_t field;
	const char *text;
	uint64_t number;
};

/* The parts of a sentence; texts point into `copy`. */
struct sentence {
	char *copy;
	char *from, *to;
	int port;    /* or PORT_NONE */
	uint8_t app; /* POLICY_APP_NONE: only the connection is asked about */
	struct fact facts[FACTS_MAX];
	size_t n_facts;
	char *request; /* without quotes, or NULL */
	bool has_expectation;
	enum verdict expected;
	char *by; /* a rule, "default", or NULL */
};

static void sentence_fini(struct sentence *s)
{
	free(s->copy);
	*s = (struct sentence){0};
}

/* ---- parsing ---- */

static char *skip_spaces(char *p)
{
	return p + strspn(p, " ");
}

static void cut_spaces(char *p)
{
	size_t n = strlen(p);
	while (n > 0 && p[n - 1] == ' ')
		p[--n] = '\0';
}

/* Ends the word at p and returns what follows it. */
static char *cut_word(char *p)
{
	char *end = p + strcspn(p, " ");
	if (*end)
		*end++ = '\0';
	return skip_spaces(end);
}

/* The last EXPECTED that a verdict follows: requests have equals signs, too. */
static char *find_expectation(char *text)
{
	char *found = NULL;
	for (char *p = strstr(text, EXPECTED); p; p = strstr(p + 1, EXPECTED)) {
		const char *word = skip_spaces(p + strlen(EXPECTED));
		size_t n = strcspn(word, " ");
		if ((n == 5 && strncmp(word, "allow", 5) == 0) ||
		    (n == 4 && strncmp(word, "deny", 4) == 0))
			found = p;
	}
	return found;
}

static int parse_expectation(struct sentence *s, char *text, struct error *err)
{
	char *at = find_expectation(text);
	if (!at)
		return 0;
	char *verdict = skip_spaces(at + strlen(EXPECTED));
	char *by = cut_word(verdict);
	*at = '\0';
	s->has_expectation = true;
	s->expected = strcmp(verdict, "allow") == 0 ? VERDICT_ALLOW : VERDICT_DENY;
	if (*by == '\0')
		return 0;
	char *name = cut_word(by);
	char *more = cut_word(name);
	if (strcmp(by, "by") != 0 || *name == '\0' || *more != '\0')
		return error_set(err, -EINVAL, "after `%s` comes nothing or `by RULE`", verdict);
	s->by = name;
	return 0;
}

static bool is_selector(const char *text)
{
	struct policy *scratch = calloc(1, sizeof(*scratch));
	struct expr expr = {0};
	struct ip_addr addr;
	bool good = scratch &&
		    (ip_addr_parse(text, &addr) || selector_parse(scratch, text, &expr, NULL) == 0);
	expr_fini(&expr);
	policy_free(scratch);
	return good;
}

/* "[ADDRESS]" or "[ADDRESS]:PORT": takes the brackets off. What follows them, or NULL. */
static char *parse_brackets(struct sentence *s)
{
	char *end = strchr(s->to, ']');
	if (s->to[0] != '[' || !end)
		return NULL;
	*end = '\0';
	s->to++;
	return end + 1;
}

static bool parse_port_number(const char *text, int *port)
{
	uint64_t number;
	if (!uint_parse(text, &number) || number < 1 || number > UINT16_MAX)
		return false;
	*port = (int)number;
	return true;
}

/* An address or a prefix keeps its colons; else the last one begins a port if what is before it can
 * stand alone. */
static int parse_port(struct sentence *s, struct error *err)
{
	struct ip_addr addr;
	char *after = parse_brackets(s);
	if (after) {
		if (*after == '\0' || (*after == ':' && parse_port_number(after + 1, &s->port)))
			return 0;
		return error_set(err, -EINVAL, "after [%s] comes nothing or :PORT", s->to);
	}
	char *colon = strrchr(s->to, ':');
	if (!colon || strncmp(s->to, "cidr:", 5) == 0 || ip_addr_parse(s->to, &addr))
		return 0;
	int port;
	if (!parse_port_number(colon + 1, &port))
		return 0; /* no port: the selector is judged as it stands */
	*colon = '\0';
	if (is_selector(s->to))
		s->port = port;
	else
		*colon = ':';
	return 0;
}

static char *without_quotes(char *text)
{
	size_t n = strlen(text);
	if (n < 2 || (text[0] != '\'' && text[0] != '"') || text[n - 1] != text[0])
		return text;
	text[n - 1] = '\0';
	return text + 1;
}

static bool find_field(const struct dissector *d, const char *name, uint16_t *field)
{
	for (size_t i = 0; i < d->n_fields; i++) {
		const struct dis_field *f = &d->fields[i];
		if (strcmp(f->name, name) == 0 || (f->key && strcmp(f->key, name) == 0)) {
			*field = (uint16_t)i;
			return true;
		}
	}
	return false;
}

/* "[FIELD=VALUE] rest": one fact; *rest is what follows. */
static int parse_fact(struct sentence *s, char *text, char **rest, struct error *err)
{
	char *end = strchr(text, ']'), *equals = strchr(text, '=');
	if (!end || !equals || equals > end)
		return error_set(err, -EINVAL, "what is known is written [FIELD=VALUE]: %s", text);
	if (s->n_facts == FACTS_MAX)
		return error_set(err, -EINVAL, "more than %d [FIELD=VALUE]", FACTS_MAX);
	*end = *equals = '\0';
	struct fact *fact = &s->facts[s->n_facts];
	const struct dissector *d = dissectors[s->app];
	if (!find_field(d, text + 1, &fact->field))
		return error_set(err, -EINVAL, "`%s` has no field `%s`", d->name, text + 1);
	fact->text = equals + 1;
	if (d->fields[fact->field].type == DIS_NUMBER && !uint_parse(fact->text, &fact->number))
		return error_set(err, -EINVAL, "`%s` is a number", text + 1);
	s->n_facts++;
	*rest = skip_spaces(end + 1);
	return 0;
}

static int parse_request(struct sentence *s, char *text, struct error *err)
{
	if (app_is_raw(s->app))
		return error_set(err, -EINVAL, "`%s` has no requests", app_name(s->app));
	if (!dissectors[s->app]->say)
		return error_set(err, -EINVAL, "requests of `%s` cannot be written here",
				 app_name(s->app));
	int e = 0;
	while (e == 0 && *text == '[')
		e = parse_fact(s, text, &text, err);
	if (e == 0 && *text)
		s->request = without_quotes(text);
	return e;
}

static int unknown_app(const char *name, struct error *err)
{
	struct suggestion s = {.word = name};
	for (size_t i = 0; i < n_dissectors; i++)
		suggestion_offer(&s, dissectors[i]->name);
	return error_set(err, -EINVAL,
			 s.best ? "unknown app `%s`; did you mean `%s`?" : "unknown app `%s`", name,
			 s.best);
}

static int parse_app(struct sentence *s, char *text, struct error *err)
{
	if (*text == '\0')
		return 0;
	char *request = cut_word(text);
	if (strcmp(text, "=") == 0)
		return error_set(err, -EINVAL, "after `=` comes `allow` or `deny`, not `%s`",
				 request);
	s->app = app_find(text);
	if (s->app == POLICY_APP_NONE)
		return unknown_app(text, err);
	return *request ? parse_request(s, request, err) : 0;
}

static int no_sentence(struct error *err)
{
	error_set(err, -EINVAL, "a sentence is FROM -> TO[:PORT] [APP [REQUEST]]");
	return -EINVAL;
}

static int sentence_parse(const char *text, struct sentence *s, struct error *err)
{
	*s = (struct sentence){.port = PORT_NONE, .app = POLICY_APP_NONE};
	s->copy = strdup(text);
	if (!s->copy)
		return -ENOMEM;
	s->from = s->to = s->copy;
	char *arrow = strstr(s->copy, ARROW);
	if (!arrow)
		return no_sentence(err);
	int e = parse_expectation(s, arrow, err);
	if (e < 0)
		return e;
	*arrow = '\0';
	s->from = skip_spaces(s->copy);
	s->to = skip_spaces(arrow + strlen(ARROW));
	cut_spaces(s->from);
	cut_spaces(s->to);
	char *rest = cut_word(s->to);
	if (*s->from == '\0' || *s->to == '\0' || strchr(s->from, ' '))
		return no_sentence(err);
	e = parse_port(s, err);
	return e < 0 ? e : parse_app(s, rest, err);
}

/* ---- requests ---- */

struct asking {
	const struct policy_image *image;
	const struct sentence *sentence;
	struct policy_subject subject;
	struct policy_candidates candidates;
	struct policy_decision decision;
	bool has_event;
	/* explain: what to do with the event while its values are there */
	void (*on_event)(struct asking *a, const struct dis_event *event);
	FILE *out;
};

static void no_edit(void *ctx, size_t offset, struct bytes replacement)
{
	(void)ctx, (void)offset, (void)replacement; /* nothing is forwarded here */
}

static void no_event(void *ctx, const struct dis_event *event)
{
	(void)ctx, (void)event; /* only whether it can be said is asked */
}

/* The event with the sentence's facts, which stand in for what the request says of the same fields.
 */
static struct dis_event add_facts(const struct sentence *s, const struct dis_event *event,
				  struct dis_value values[DIS_VALUES_MAX + FACTS_MAX])
{
	struct dis_event out = *event;
	size_t n = 0;
	for (size_t i = 0; i < event->n_values && n < DIS_VALUES_MAX; i++) {
		size_t f = 0;
		while (f < s->n_facts && s->facts[f].field != event->values[i].field)
			f++;
		if (f == s->n_facts)
			values[n++] = event->values[i];
	}
	for (size_t f = 0; f < s->n_facts; f++)
		values[n++] = (struct dis_value){.field = s->facts[f].field,
						 .text = bytes_str(s->facts[f].text),
						 .number = s->facts[f].number};
	out.values = values;
	out.n_values = n;
	return out;
}

static bool is_denied_by_default(const struct policy_decision *d)
{
	return d->verdict == VERDICT_DENY && d->rule == POLICY_NO_RULE &&
	       d->reason == REASON_DEFAULT;
}

/* Strictly first. Where only what was not stated may have kept an allow from holding, that is
 * assumed. */
static void judge_said(struct asking *a, struct dis_event *event)
{
	uint8_t app = a->sentence->app;
	judge_event(a->image, &a->subject, &a->candidates, app, event, &a->decision);
	if (event->kind != DIS_REQUEST || !is_denied_by_default(&a->decision) ||
	    event->flags & DIS_UNPROVEN)
		return;
	struct policy_decision assumed;
	event->flags |= JUDGE_ASSUMES;
	judge_event(a->image, &a->subject, &a->candidates, app, event, &assumed);
	if (assumed.verdict == VERDICT_ALLOW)
		a->decision = assumed;
	else
		event->flags &= ~JUDGE_ASSUMES;
}

/* A request of several units is allowed when all are: the first denial stays. */
static void on_said(void *ctx, const struct dis_event *said)
{
	struct asking *a = ctx;
	struct dis_value values[DIS_VALUES_MAX + FACTS_MAX];
	if (said->kind != DIS_REQUEST && said->kind != DIS_SESSION && said->kind != DIS_OPAQUE)
		return;
	if (a->has_event && a->decision.verdict == VERDICT_DENY)
		return;
	struct dis_event event = add_facts(a->sentence, said, values);
	event.flags &= DIS_UNPROVEN;
	judge_said(a, &event);
	a->has_event = true;
	if (a->on_event)
		a->on_event(a, &event);
}

/* Facts without a request are a login. */
static bool say(const struct sentence *s, void (*event)(void *, const struct dis_event *),
		void *ctx)
{
	static const struct dis_event login = {.kind = DIS_SESSION};
	if (!s->request) {
		event(ctx, &login);
		return true;
	}
	const struct dis_sink sink = {.event = event, .edit = no_edit, .ctx = ctx};
	return dissectors[s->app]->say(bytes_str(s->request), &sink);
}

/* ---- checking ---- */

static int check_rule_name(const struct policy *policy, const char *by, struct error *err)
{
	if (!by || strcmp(by, "default") == 0 ||
	    strmap_find(&policy->rule_numbers, by, strlen(by)) != STRMAP_NONE)
		return 0;
	struct suggestion s = {.word = by};
	for (size_t i = 0; i < policy->n_rules; i++)
		suggestion_offer(&s, policy->rules[i].name);
	return error_set(err, -EINVAL,
			 s.best ? "no rule is called `%s`; did you mean `%s`?"
				: "no rule is called `%s`",
			 by, s.best);
}

static int check_party(const struct policy *policy, const char *text, struct error *err)
{
	struct cast cast = {.policy = policy};
	struct party party = {0};
	int e = party_fill(&cast, text, &party, err);
	party_fini(&party);
	cast_fini(&cast);
	return e;
}

static int check_request(const struct sentence *s, struct error *err)
{
	if (!s->request || say(s, no_event, NULL))
		return 0;
	return error_set(err, -EINVAL, "`%s` cannot read this request: %s", app_name(s->app),
			 s->request);
}

int sentence_check(const struct policy *policy, const char *text, struct error *err)
{
	struct sentence s;
	int e = sentence_parse(text, &s, err);
	if (e == 0 && !s.has_expectation)
		e = error_set(err, -EINVAL, "a test ends with `= allow` or `= deny`");
	if (e == 0)
		e = check_party(policy, s.from, err);
	if (e == 0)
		e = check_party(policy, s.to, err);
	if (e == 0)
		e = check_rule_name(policy, s.by, err);
	if (e == 0)
		e = check_request(&s, err);
	sentence_fini(&s);
	return e;
}

/* ---- the question ---- */

static uint8_t protocol_of(uint8_t app)
{
	switch (app) {
	case APP_UDP:
		return IPPROTO_UDP;
	case APP_ICMP:
		return IPPROTO_ICMP;
	}
	return app < n_dissectors ? dissectors[app]->ip_protos[0] : IPPROTO_TCP;
}

static bool is_of_pair(const struct asking *a, uint32_t number)
{
	const struct image_rule *rule = &image_rules(a->image)[number];
	const uint64_t *from = image_row(a->image, a->subject.from, false);
	const uint64_t *to = image_row(a->image, a->subject.to, true);
	uint64_t bit = UINT64_C(1) << (number % 64);
	return from && to && (from[number / 64] & to[number / 64] & bit) &&
	       rule_takes_protocol(rule, a->subject.ip_proto);
}

/* ... and of the application, or of any. */
static bool speaks_of(const struct asking *a, uint32_t number)
{
	const struct image_rule *rule = &image_rules(a->image)[number];
	return is_of_pair(a, number) &&
	       (a->sentence->app == POLICY_APP_NONE || app_is_raw(rule->app) ||
		image_rule_speaks(rule, a->sentence->app));
}

/* Of the rules that speak: the expected one's port; else, if every allow names ports, the first
 * allow's. *is_open: one allows any port. */
static const struct image_rule *rule_with_port(const struct asking *a,
					       bool (*speaks)(const struct asking *a,
							      uint32_t number),
					       bool *is_open)
{
	const struct image_rule *found = NULL;
	for (uint32_t i = 0; i < a->image->rules.n; i++) {
		const struct image_rule *rule = &image_rules(a->image)[i];
		if (!speaks(a, i))
			continue;
		const char *by = a->sentence->by;
		if (rule->n_ports && by && strcmp(policy_rule_name(a->image, i), by) == 0)
			return rule;
		*is_open |= rule->action == RULE_ALLOW && rule->n_ports == 0;
		if (rule->action == RULE_ALLOW && rule->n_ports && !found)
			found = rule;
	}
	return *is_open ? NULL : found;
}

static bool is_port_named(const struct asking *a, uint16_t port)
{
	for (uint32_t i = 0; i < a->image->rules.n; i++) {
		const struct image_rule *rule = &image_rules(a->image)[i];
		if (rule->n_ports && speaks_of(a, i) && rule_takes_port(a->image, rule, port))
			return true;
	}
	return false;
}

static uint16_t choose_port(const struct asking *a)
{
	if (a->sentence->port != PORT_NONE)
		return (uint16_t)a->sentence->port;
	if (a->subject.ip_proto == IPPROTO_ICMP)
		return 0;
	bool is_open = false;
	const struct image_rule *rule = rule_with_port(a, speaks_of, &is_open);
	/* The wrong protocol is asked for where the right one is spoken. */
	if (!rule && !is_open)
		rule = rule_with_port(a, is_of_pair, &is_open);
	if (rule)
		return image_ports(a->image)[rule->ports].low;
	uint16_t port = UINT16_MAX;
	while (port > 1 && is_port_named(a, port))
		port--;
	return port;
}

static void set_subject(struct asking *a, const struct policy_owner *from,
			const struct policy_owner *to)
{
	a->subject = (struct policy_subject){
		.from = from->identity,
		.to = to->identity,
		.ip_proto = protocol_of(a->sentence->app),
		.from_container = from->is_container,
		.to_container = to->is_container,
	};
	a->subject.to_port = choose_port(a);
	policy_candidates(a->image, &a->subject, &a->candidates);
}

static bool is_settled(const struct policy_decision *d)
{
	return d->verdict == VERDICT_DENY || (d->verdict == VERDICT_ALLOW && d->is_final);
}

/* Asks stage by stage until the answer is settled or the sentence says no more. */
static int ask(struct asking *a, struct error *err)
{
	const struct sentence *s = a->sentence;
	policy_decide_connection(a->image, &a->subject, &a->candidates, &a->decision);
	if (is_settled(&a->decision) || s->app >= n_dissectors)
		return 0;
	policy_decide_app(a->image, &a->subject, &a->candidates, s->app, &a->decision);
	if (is_settled(&a->decision) || (!s->request && s->n_facts == 0))
		return 0;
	a->has_event = false;
	if (!say(s, on_said, a))
		return error_set(err, -EINVAL, "`%s` cannot read this request: %s",
				 app_name(s->app), s->request);
	return 0;
}

/* ---- running ---- */

static enum verdict verdict_of(const struct policy_decision *d)
{
	return d->verdict == VERDICT_DENY ? VERDICT_DENY : VERDICT_ALLOW;
}

/* Is the named rule one that keeps a pending connection open? */
static bool keeps_open(const struct asking *a, const char *name)
{
	struct walk walk = walk_start(a->image, &a->subject, &a->candidates);
	const struct image_rule *rule;
	uint32_t number;
	while ((rule = walk_next(&walk, &number)))
		if (rule->action == RULE_ALLOW &&
		    (a->sentence->app == POLICY_APP_NONE || rule->app == a->sentence->app) &&
		    strcmp(policy_rule_name(a->image, number), name) == 0)
			return true;
	return false;
}

static bool is_credited(const struct asking *a, const char *by)
{
	const struct policy_decision *d = &a->decision;
	if (d->verdict == VERDICT_PENDING)
		return keeps_open(a, by);
	if (strcmp(by, "default") == 0)
		return d->rule == POLICY_NO_RULE;
	return strcmp(policy_rule_name(a->image, d->rule), by) == 0;
}

static bool is_as_expected(const struct asking *a)
{
	const struct sentence *s = a->sentence;
	return verdict_of(&a->decision) == s->expected && (!s->by || is_credited(a, s->by));
}

/* One test of the policy with everybody it speaks of. */
struct trial {
	struct sentence sentence;
	struct party from, to;
	const char *text;
	const struct place *place;
};

static void say_verdict(const struct asking *a, FILE *out)
{
	const struct policy_decision *d = &a->decision;
	if (d->verdict == VERDICT_PENDING) {
		fputs("allow so far: requests are judged", out);
		return;
	}
	const char *rule = policy_rule_name(a->image, d->rule);
	fprintf(out, "%s by %s", verdict_name(d->verdict), *rule ? rule : "default");
	if (d->verdict == VERDICT_DENY && d->reason != REASON_RULE)
		fprintf(out, " (%s: %s)", reason_name(d->reason), reason_text(d->reason));
	if (d->mode != MODE_ENFORCE)
		fprintf(out, ", %s only", mode_name(d->mode));
}

static void say_pair(const struct asking *a, FILE *out)
{
	fprintf(out, "%s -> %s", policy_identity_name(a->image, a->subject.from),
		policy_identity_name(a->image, a->subject.to));
	if (a->subject.to_port)
		fprintf(out, ":%u", a->subject.to_port);
	if (a->sentence->app != POLICY_APP_NONE)
		fprintf(out, " %s", app_name(a->sentence->app));
	if (a->sentence->request)
		fprintf(out, " %s", a->sentence->request);
}

static void explain(struct asking *a, FILE *out);

static void report_failure(const struct policy *policy, const struct trial *t, struct asking *a,
			   FILE *report)
{
	if (!report)
		return;
	fprintf(report, "%s:%u:%u: test failed: %s\n", policy->sources[t->place->source].name,
		(unsigned)t->place->line, (unsigned)t->place->column, t->text);
	explain(a, report);
}

/* 1: as expected for this pair. 0: not. Negative: it cannot be asked. */
static int try_pair(const struct policy *policy, const struct policy_image *image,
		    const struct trial *t, const struct member *from, const struct member *to,
		    FILE *report)
{
	struct error err = {.text = ""};
	struct ip_addr a, b;
	struct asking asking = {.image = image, .sentence = &t->sentence};
	if (!member_address(image, from, &a) || !member_address(image, to, &b)) {
		if (report)
			fprintf(report, "%s: no address is left that is only `internet`\n",
				t->text);
		return 0;
	}
	struct policy_owner from_owner = policy_owner(image, &a),
			    to_owner = policy_owner(image, &b);
	set_subject(&asking, &from_owner, &to_owner);
	int e = ask(&asking, &err);
	if (e < 0)
		return e;
	bool good = is_as_expected(&asking);
	if (!good)
		report_failure(policy, t, &asking, report);
	return good;
}

static int try_all(const struct policy *policy, const struct policy_image *image,
		   const struct trial *t, FILE *report)
{
	int good = 1;
	for (size_t i = 0; i < t->from.n && good == 1; i++)
		for (size_t j = 0; j < t->to.n && good == 1; j++)
			good = try_pair(policy, image, t, &t->from.members[i], &t->to.members[j],
					report);
	return good;
}

static void trial_fini(struct trial *t)
{
	sentence_fini(&t->sentence);
	party_fini(&t->from);
	party_fini(&t->to);
}

static int trial_init(struct trial *t, const struct policy_test *test, struct cast *cast,
		      struct error *err)
{
	*t = (struct trial){.text = test->text, .place = &test->place};
	int e = sentence_parse(test->text, &t->sentence, err);
	if (e == 0)
		e = party_fill(cast, t->sentence.from, &t->from, err);
	return e < 0 ? e : party_fill(cast, t->sentence.to, &t->to, err);
}

static int load_inventory(struct cast *cast, struct error *err)
{
	const char *path = cast->policy->config.inventory;
	return path ? inventory_load(path, &cast->ids, err) : 0;
}

static int run_trials(const struct policy *policy, const struct cast *cast,
		      const struct trial *trials, FILE *report, size_t *n_failed, struct error *err)
{
	struct policy_blob blob;
	int e = cast_compile(cast, &blob, err);
	for (size_t i = 0; i < policy->n_tests && e == 0; i++) {
		int good = try_all(policy, policy_image_of(&blob), &trials[i], report);
		if (good < 0)
			e = good;
		else
			*n_failed += !good;
	}
	policy_blob_free(&blob);
	return e;
}

int policy_run_tests(const struct policy *policy, FILE *report, size_t *n_failed)
{
	*n_failed = 0;
	if (policy->n_tests == 0)
		return 0;
	struct cast cast = {.policy = policy};
	struct error err = {.text = ""};
	struct trial *trials = calloc(policy->n_tests, sizeof(*trials));
	int e = trials ? load_inventory(&cast, &err) : -ENOMEM;
	for (size_t i = 0; i < policy->n_tests && e == 0; i++)
		e = trial_init(&trials[i], &policy->tests[i], &cast, &err);
	if (e == 0)
		e = run_trials(policy, &cast, trials, report, n_failed, &err);
	if (e < 0 && report)
		fprintf(report, "tests cannot run: %s\n", *err.text ? err.text : strerror(-e));
	for (size_t i = 0; i < policy->n_tests && trials; i++)
		trial_fini(&trials[i]);
	free(trials);
	cast_fini(&cast);
	return e;
}

/* ---- explaining ---- */

/* In the order in which evidence arrives; how far a rule came. */
static unsigned depth_of(const char *matcher)
{
	static const char *const order[] = {"from", "to", "app", "port"};
	enum { N_ORDER = sizeof(order) / sizeof(order[0]) };
	for (unsigned i = 0; matcher && i < N_ORDER; i++)
		if (strcmp(order[i], matcher) == 0)
			return i;
	return N_ORDER;
}

struct telling {
	struct asking *asking;
	FILE *out;
	size_t n_candidates;
	bool has_nearest;
	uint32_t nearest;
	unsigned nearest_depth;
	char nearest_why[256];
};

static void note_nearest(struct telling *t, const struct policy_explanation *e)
{
	if (image_rules(t->asking->image)[e->rule].action != RULE_ALLOW || e->matches)
		return;
	unsigned depth = depth_of(e->matcher);
	if (t->has_nearest && depth <= t->nearest_depth)
		return;
	t->has_nearest = true;
	t->nearest = e->rule;
	t->nearest_depth = depth;
	(void)snprintf(t->nearest_why, sizeof(t->nearest_why), "%s: wants %s; got %s", e->matcher,
		       e->want, e->got);
}

static void tell_rule(void *ctx, const struct policy_explanation *e)
{
	struct telling *t = ctx;
	const struct image_rule *rule = &image_rules(t->asking->image)[e->rule];
	note_nearest(t, e);
	if (e->matcher && depth_of(e->matcher) < 2)
		return; /* of other pairs */
	if (t->n_candidates++ == 0)
		fputs("  rules for this pair:\n", t->out);
	fprintf(t->out, "  %s %-24s %-5s %-7s ", e->decides ? "*" : " ",
		policy_rule_name(t->asking->image, e->rule),
		rule->action == RULE_ALLOW ? "allow" : "deny", mode_name((enum mode)rule->mode));
	if (e->matches)
		fputs("matches\n", t->out);
	else
		fprintf(t->out, "%s: wants %s; got %s\n", e->matcher, e->want, e->got);
}

static void tell(struct asking *a, const struct dis_event *event, FILE *out)
{
	struct telling t = {.asking = a, .out = out};
	uint8_t app = a->sentence->app < n_dissectors ? a->sentence->app : POLICY_APP_NONE;
	policy_explain(a->image, &a->subject, app, event, tell_rule, &t);
	if (t.n_candidates == 0)
		fputs("  no rule is for this pair\n", out);
	if (verdict_of(&a->decision) == VERDICT_DENY && t.has_nearest)
		fprintf(out, "  nearest allow: %s (%s)\n", policy_rule_name(a->image, t.nearest),
			t.nearest_why);
}

static void tell_event(struct asking *a, const struct dis_event *event)
{
	tell(a, event, a->out);
}

/* The pair was asked about; says what came out and why. The request is said once more, since its
 * values are gone. */
static void explain(struct asking *a, FILE *out)
{
	fputs("  ", out);
	say_pair(a, out);
	fputs("\n  ", out);
	say_verdict(a, out);
	fputc('\n', out);
	if (!a->has_event) {
		tell(a, NULL, out);
		return;
	}
	a->has_event = false;
	a->out = out;
	a->on_event = tell_event;
	(void)say(a->sentence, on_said, a); /* it could be said before */
	a->on_event = NULL;
}

/* An identity of the live image, by the name that records give it. */
static bool find_live(const struct policy_image *image, struct image_table table, const char *name,
		      struct policy_owner *out)
{
	const struct image_address *slots = image_at(image, table);
	for (uint32_t i = 0; i < table.n; i++) {
		if (!(slots[i].flags & ADDRESS_USED) ||
		    strcmp(policy_identity_name(image, slots[i].identity), name) != 0)
			continue;
		*out = (struct policy_owner){
			.identity = slots[i].identity,
			.is_known = slots[i].flags & ADDRESS_KNOWN,
			.is_container = slots[i].flags & ADDRESS_CONTAINER,
		};
		return true;
	}
	return false;
}

static int live_owner(const struct policy_image *image, const char *text, struct policy_owner *out,
		      struct error *err)
{
	struct ip_addr addr;
	const char *name = strncmp(text, "container:", 10) == 0 ? text + 10 : text;
	if (ip_addr_parse(text, &addr)) {
		*out = policy_owner(image, &addr);
		return 0;
	}
	if (find_live(image, image->addresses, name, out) ||
	    find_live(image, image->prefixes, name, out))
		return 0;
	return error_set(err, -ENOENT,
			 "nobody is called `%s` now: give an address, or an identity as "
			 "`bridgewarden ids` shows it",
			 text);
}

/* 0: allowed, or as the sentence expects. 1: not. */
static int explain_pair(struct asking *a, const struct policy_owner *from,
			const struct policy_owner *to, FILE *out, struct error *err)
{
	set_subject(a, from, to);
	int e = ask(a, err);
	if (e < 0)
		return e;
	explain(a, out);
	return a->sentence->has_expectation ? !is_as_expected(a)
					    : verdict_of(&a->decision) == VERDICT_DENY;
}

static int explain_live(const struct policy_image *live, const struct sentence *s, FILE *out,
			struct error *err)
{
	struct policy_owner from, to;
	struct asking a = {.image = live, .sentence = s};
	int e = live_owner(live, s->from, &from, err);
	if (e == 0)
		e = live_owner(live, s->to, &to, err);
	return e < 0 ? e : explain_pair(&a, &from, &to, out, err);
}

static int explain_members(const struct policy_image *image, const struct trial *t, FILE *out,
			   struct error *err)
{
	int answer = 0;
	for (size_t i = 0; i < t->from.n; i++) {
		for (size_t j = 0; j < t->to.n; j++) {
			struct asking a = {.image = image, .sentence = &t->sentence};
			struct ip_addr x, y;
			if (!member_address(image, &t->from.members[i], &x) ||
			    !member_address(image, &t->to.members[j], &y))
				return error_set(err, -EINVAL, "no address is only `internet`");
			struct policy_owner from = policy_owner(image, &x);
			struct policy_owner to = policy_owner(image, &y);
			int e = explain_pair(&a, &from, &to, out, err);
			if (e < 0)
				return e;
			answer |= e;
		}
	}
	return answer;
}

static int explain_made_up(const struct policy *policy, const char *text, FILE *out,
			   struct error *err)
{
	const struct policy_test test = {.text = strdup(text)};
	struct cast cast = {.policy = policy};
	struct trial t = {0};
	struct policy_blob blob = {0};
	int e = test.text ? load_inventory(&cast, err) : -ENOMEM;
	if (e == 0)
		e = trial_init(&t, &test, &cast, err);
	if (e == 0)
		e = cast_compile(&cast, &blob, err);
	if (e == 0)
		e = explain_members(policy_image_of(&blob), &t, out, err);
	policy_blob_free(&blob);
	trial_fini(&t);
	cast_fini(&cast);
	free(test.text);
	return e;
}

int policy_sentence_explain(const struct policy *policy, const struct policy_image *live,
			    const char *sentence, FILE *out, struct error *err)
{
	if (!live)
		return explain_made_up(policy, sentence, out, err);
	struct sentence s;
	int e = sentence_parse(sentence, &s, err);
	if (e == 0)
		e = explain_live(live, &s, out, err);
	sentence_fini(&s);
	return e;
}
