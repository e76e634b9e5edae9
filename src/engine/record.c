/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What leaves the engine for the records: each one complete in itself (bridgewarden/events.h). */
#include "engine/internal.h"

#include "flow/tcp.h"

struct writer {
	struct event_head *head;
	uint8_t *at, *end;
};

static struct writer begin(struct worker *w, const struct flow *f, enum event_type type,
			   const struct policy_decision *d)
{
	record_refusal(w, "drop");
	struct event_head *head = (struct event_head *)(void *)w->record;
	*head = (struct event_head){
		.type = (uint8_t)type,
		.verdict = (uint8_t)d->verdict,
		.mode = (uint8_t)d->mode,
		.reason = (uint8_t)d->reason,
		.time_ns = w->now.real_ns,
		.flow_id = f->id,
		.src = f->addr[0],
		.dst = f->addr[1],
		.src_port = f->port[0],
		.dst_port = f->port[1],
		.ip_proto = f->ip_proto,
		.app = f->app,
		.end = f->end,
		.offloaded = f->was_offloaded,
		.generation = f->generation,
		.worker = w->setup.number,
		.packets = {f->half[0].packets, f->half[1].packets},
		.bytes = {f->half[0].bytes, f->half[1].bytes},
		.start_ns = f->start_ns,
	};
	return (struct writer){head, w->record + sizeof(*head), w->record + sizeof(w->record)};
}

static void put_item(struct writer *r, unsigned tag, struct bytes value)
{
	size_t n = value.n;
	if (n > EVENT_TEXT_MAX) {
		n = EVENT_TEXT_MAX;
		tag |= EVENT_CUT;
	}
	struct event_item item = {.tag = (uint16_t)tag, .length = (uint16_t)n};
	size_t span = sizeof(item) + ((n + 3) & ~(size_t)3);
	if (span > (size_t)(r->end - r->at))
		return;
	memset(r->at, 0, span);
	memcpy(r->at, &item, sizeof(item));
	if (n)
		memcpy(r->at + sizeof(item), value.p, n);
	r->at += span;
}

static void put_text(struct writer *r, unsigned tag, const char *text)
{
	if (text && *text)
		put_item(r, tag, bytes_str(text));
}

static void put_parties(struct writer *r, const struct worker *w, const struct flow *f,
			uint32_t rule)
{
	/* Numbers of another generation would name others. */
	if (f->generation != w->settings->generation)
		return;
	put_text(r, EVENT_TAG_FROM, policy_identity_name(w->image, f->subject.from));
	put_text(r, EVENT_TAG_TO, policy_identity_name(w->image, f->subject.to));
	if (rule != POLICY_NO_RULE)
		put_text(r, EVENT_TAG_RULE, policy_rule_name(w->image, rule));
}

static void put_values(struct writer *r, const struct flow *f, const struct dis_event *event)
{
	for (size_t i = 0; i < event->n_values; i++) {
		const struct dis_value *v = &event->values[i];
		bool number = dissectors[f->app]->fields[v->field].type == DIS_NUMBER;
		put_item(r, EVENT_TAG_FIELD + v->field,
			 number ? bytes_of(&v->number, sizeof(v->number)) : v->text);
	}
}

static void finish(struct worker *w, struct writer *r)
{
	r->head->size = (uint32_t)(r->at - w->record);
	w->setup.record(w->setup.record_ctx, r->head);
}

/* How a denial is said to the parties is known only when it was: the record waits for that word. */
static void finish_denial(struct worker *w, struct writer *r, const struct policy_decision *d)
{
	if (d->mode == MODE_ENFORCE)
		w->open_record = r->at;
	else
		finish(w, r);
}

void record_refusal(struct worker *w, const char *said)
{
	if (!w->open_record)
		return;
	struct writer r = {(struct event_head *)(void *)w->record, w->open_record,
			   w->record + sizeof(w->record)};
	w->open_record = NULL;
	put_text(&r, EVENT_TAG_REFUSAL, said);
	finish(w, &r);
}

static void count_denial(struct worker *w, const struct policy_decision *d)
{
	counter_inc(w->setup.counters, COUNTER_VIOLATIONS);
	_Atomic uint64_t *n = &w->setup.counters->denied[d->reason];
	atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1,
			      memory_order_relaxed);
}

void record_flow(struct worker *w, const struct flow *f)
{
	struct policy_decision d = {
		.verdict = (enum verdict)f->verdict,
		.mode = (enum mode)f->mode,
		.reason = (enum reason)f->reason,
	};
	struct writer r = begin(w, f, EVENT_FLOW, &d);
	put_parties(&r, w, f, f->rule);
	finish(w, &r);
}

void record_violation(struct worker *w, const struct flow *f, const struct policy_decision *d,
		      const char *found, const char *why)
{
	if (d->mode == MODE_OBSERVE)
		return; /* whoever only observes did not ask for a judgement */
	count_denial(w, d);
	if (!d->log_deny)
		return;
	struct writer r = begin(w, f, EVENT_VIOLATION, d);
	put_parties(&r, w, f, d->rule);
	put_text(&r, EVENT_TAG_FOUND, found);
	put_text(&r, EVENT_TAG_TEXT, why);
	finish_denial(w, &r, d);
}

static bool is_sampled(struct flow *f, const struct policy_decision *d)
{
	return d->log_allow && (d->log_sample <= 1 || f->n_requests % d->log_sample == 0);
}

static bool wants_record(struct flow *f, const struct dis_event *event,
			 const struct policy_decision *d, enum event_type *type)
{
	bool denied = d->verdict == VERDICT_DENY;
	*type = event->kind == DIS_REPLY ? EVENT_REPLY : EVENT_REQUEST;
	if (denied && d->mode != MODE_OBSERVE) {
		*type = EVENT_VIOLATION;
		return d->log_deny;
	}
	return denied || is_sampled(f, d);
}

void record_judged(struct worker *w, struct flow *f, unsigned dir, const struct dis_event *event,
		   const struct policy_decision *d)
{
	(void)dir; /* the kind says it */
	enum event_type type;
	if (event->kind == DIS_REQUEST || event->kind == DIS_SESSION) {
		f->n_requests++;
		counter_inc(w->setup.counters, COUNTER_REQUESTS);
	}
	bool denied = d->verdict == VERDICT_DENY;
	if (event->kind == DIS_OPAQUE && !denied)
		counter_inc(w->setup.counters, COUNTER_OPAQUE);
	if (denied && d->mode != MODE_OBSERVE)
		count_denial(w, d);
	if (!wants_record(f, event, d, &type))
		return;
	struct writer r = begin(w, f, type, d);
	put_parties(&r, w, f, d->rule);
	put_values(&r, f, event);
	if (type == EVENT_VIOLATION)
		finish_denial(w, &r, d);
	else
		finish(w, &r);
}
