/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prepared statements and portals: what each touches, so that executing it is judged as its text
 * was.
 *
 * Clients keep hundreds of statements that differ little in what they touch, so what they touch is
 * kept once, as a class: a verb, and a row of (field, length, bytes) in one shared area without
 * holes. A statement is its name, packed, and the number of its class. What does not fit is not
 * remembered: executing it is unproven.
 */
#include "postgres/postgres_state.h"

enum { NUMBER_NONE = 0xffff, ENTRY = 2, SLOT_NONE = 0xff };

/* ---------------------------------------------------------------- classes */

static bool is_object(const struct dis_value *v)
{
	return v->field == F_DATABASE || v->field == F_SCHEMA || v->field == F_TABLES;
}

/* The values as summary[] has them; how long that is, more than `room` when it does not fit. */
static size_t summarise(const struct postgres_draft *d, uint8_t *out, size_t room)
{
	size_t n = 0;
	for (size_t i = 0; i < d->n; i++) {
		const struct dis_value *v = &d->v[i];
		if (!is_object(v) || (v->field == F_DATABASE && d->v[i - 1].field != F_DATABASE))
			continue; /* the session's own database is put again */
		if (v->text.n > UINT8_MAX || ENTRY + v->text.n > room - n)
			return room + 1;
		out[n] = (uint8_t)v->field;
		out[n + 1] = (uint8_t)v->text.n;
		memcpy(out + n + ENTRY, v->text.p, v->text.n);
		n += ENTRY + v->text.n;
	}
	return n;
}

static bool is_class(const struct postgres_prepared *p, const struct postgres_class *a,
		     const struct postgres_class *b, const uint8_t *summary)
{
	return a->n_users && a->verb == b->verb && a->effects == b->effects &&
	       a->is_unproven == b->is_unproven && a->n_paths == b->n_paths &&
	       bytes_equal(bytes_of(p->summary + a->at, a->n), bytes_of(summary, b->n));
}

/* Where bare names are searched: what adds to it changes the number. */
static uint8_t paths_now(const struct postgres_state *st)
{
	return (uint8_t)(st->n_paths | st->is_catalog_late << 4 | st->is_path_lost << 5);
}

unsigned postgres_class_of(struct postgres_state *st, const struct postgres_draft *d,
			   enum pgsql_verb verb, unsigned effects)
{
	struct postgres_prepared *p = &st->prepared;
	uint8_t summary[POSTGRES_SUMMARY_MAX];
	const size_t n = summarise(d, summary, sizeof(summary));
	if (n > sizeof(summary))
		return POSTGRES_NO_CLASS;
	struct postgres_class c = {.n = (uint16_t)n,
				   .verb = (uint8_t)verb,
				   .effects = (uint8_t)effects,
				   .is_unproven = (d->flags & DIS_UNPROVEN) != 0,
				   .n_paths = d->has_bare ? paths_now(st) : POSTGRES_NO_BARE};
	unsigned free = POSTGRES_NO_CLASS;
	for (unsigned i = 0; i < POSTGRES_CLASSES_MAX; i++) {
		if (is_class(p, &p->classes[i], &c, summary))
			return i;
		if (p->classes[i].n_users == 0)
			free = i;
	}
	if (free == POSTGRES_NO_CLASS || n > POSTGRES_SUMMARY_MAX - (size_t)p->n_summary)
		return POSTGRES_NO_CLASS;
	c.at = p->n_summary;
	memcpy(p->summary + p->n_summary, summary, n);
	p->n_summary = (uint16_t)(p->n_summary + n);
	p->classes[free] = c;
	return free;
}

static void use_class(struct postgres_prepared *p, unsigned class)
{
	if (class < POSTGRES_CLASSES_MAX)
		p->classes[class].n_users++; /* bounded by the names that there is room for */
}

static void drop_class(struct postgres_prepared *p, unsigned class)
{
	if (class >= POSTGRES_CLASSES_MAX || --p->classes[class].n_users)
		return;
	const struct postgres_class gone = p->classes[class];
	const size_t behind = (size_t)gone.at + gone.n;
	memmove(p->summary + gone.at, p->summary + behind, p->n_summary - behind);
	p->n_summary = (uint16_t)(p->n_summary - gone.n);
	for (size_t i = 0; i < POSTGRES_CLASSES_MAX; i++)
		if (p->classes[i].at > gone.at)
			p->classes[i].at = (uint16_t)(p->classes[i].at - gone.n);
	p->classes[class] = (struct postgres_class){0};
}

/* A class in a byte that is zero when there is none. */
static unsigned class_in(uint8_t kept)
{
	return kept ? kept - 1u : POSTGRES_NO_CLASS;
}

static void keep_in(struct postgres_prepared *p, uint8_t *kept, unsigned class)
{
	use_class(p, class); /* first: it may be the same */
	drop_class(p, class_in(*kept));
	*kept = (uint8_t)(class == POSTGRES_NO_CLASS ? 0 : class + 1);
}

static void drop_portal(struct postgres_prepared *p, struct postgres_portal *portal)
{
	drop_class(p, portal->class);
	*portal = (struct postgres_portal){0};
}

/* ---------------------------------------------------------------- names of statements */

struct packed {
	uint16_t number;
	size_t n;
	uint8_t text[POSTGRES_NAME_MAX + 1];
};

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* The last run of digits, without zeros before it, becomes a number; only one name packs so. */
static struct packed pack(struct bytes name)
{
	size_t end = name.n, start;
	uint32_t number = 0;
	while (end && !is_digit(name.p[end - 1]))
		end--;
	for (start = end; start && is_digit(name.p[start - 1]);)
		start--;
	while (start < end && name.p[start] == '0')
		start++;
	for (size_t i = start; i < end && number < NUMBER_NONE; i++)
		number = number * 10 + (name.p[i] - '0');
	struct packed k = {.number = NUMBER_NONE, .n = name.n};
	memcpy(k.text, name.p, name.n);
	if (start == end || number >= NUMBER_NONE)
		return k;
	k.number = (uint16_t)number;
	k.text[start] = '\0';
	memcpy(k.text + start + 1, name.p + end, name.n - end);
	k.n = start + 1 + (name.n - end);
	return k;
}

static unsigned find_template(const struct postgres_prepared *p, const struct packed *k)
{
	for (unsigned i = 0; i < POSTGRES_TEMPLATES_MAX; i++) {
		const struct postgres_template *t = &p->templates[i];
		if (t->n_users && bytes_equal(bytes_of(t->text, t->n), bytes_of(k->text, k->n)))
			return i;
	}
	return SLOT_NONE;
}

static unsigned add_template(struct postgres_prepared *p, const struct packed *k)
{
	unsigned i = find_template(p, k);
	if (i != SLOT_NONE)
		return i;
	for (i = 0; i < POSTGRES_TEMPLATES_MAX && p->templates[i].n_users; i++)
		;
	if (i == POSTGRES_TEMPLATES_MAX || k->n > POSTGRES_TEMPLATE_MAX)
		return SLOT_NONE;
	p->templates[i].n = (uint8_t)k->n;
	memcpy(p->templates[i].text, k->text, k->n);
	return i;
}

static struct postgres_statement *find(struct postgres_prepared *p, struct bytes name)
{
	const struct packed k = pack(name);
	const unsigned template = find_template(p, &k);
	for (size_t i = 0; i < POSTGRES_STATEMENTS_MAX && template != SLOT_NONE; i++) {
		struct postgres_statement *s = &p->statements[i];
		if (s->template == template + 1 && s->number == k.number)
			return s;
	}
	return NULL;
}

static void drop(struct postgres_prepared *p, struct postgres_statement *s)
{
	drop_class(p, s->class);
	p->templates[s->template - 1].n_users--;
	*s = (struct postgres_statement){0};
}

static bool add(struct postgres_prepared *p, struct bytes name, struct postgres_statement s)
{
	const struct packed k = pack(name);
	size_t i = 0;
	while (i < POSTGRES_STATEMENTS_MAX && p->statements[i].template)
		i++;
	const unsigned template =
		i < POSTGRES_STATEMENTS_MAX ? add_template(p, &k) : (unsigned)SLOT_NONE;
	if (template == SLOT_NONE)
		return false;
	p->templates[template].n_users++;
	use_class(p, s.class);
	s.number = k.number;
	s.template = (uint8_t)(template + 1);
	p->statements[i] = s;
	return true;
}

/* ---------------------------------------------------------------- Parse, Close */

/* A second Parse of a name fails: the server has the first text, unless a Close of it, or that
 * first Parse, is skipped or fails. So the name is not known any more. */
void postgres_prepared_add(struct postgres_state *st, struct bytes name, unsigned class,
			   uint8_t order)
{
	struct postgres_prepared *p = &st->prepared;
	if (name.n == 0) {
		keep_in(p, &p->unnamed, class);
		p->unnamed_segment = st->order.segment;
		p->unnamed_order = order;
		return;
	}
	use_class(p, class); /* first: the old one may be its only user */
	struct postgres_statement *old = find(p, name);
	const bool is_alone = !old && !p->is_closing && !p->are_names_lost;
	if (old)
		drop(p, old);
	if (old || class == POSTGRES_NO_CLASS ||
	    !add(p, name,
		 (struct postgres_statement){.class = class & 0x7f,
					     .is_alone = is_alone,
					     .segment = st->order.segment,
					     .order = order}))
		p->are_names_lost = 1;
	drop_class(p, class);
}

void postgres_prepared_close(struct postgres_prepared *p, struct bytes name)
{
	if (name.n == 0) {
		keep_in(p, &p->unnamed, POSTGRES_NO_CLASS);
		return;
	}
	struct postgres_statement *s = find(p, name);
	p->is_closing = 1;
	if (s)
		drop(p, s);
}

void postgres_prepared_clear(struct postgres_prepared *p)
{
	memset(p, 0, sizeof(*p));
	p->are_names_lost = 1;
}

/* ---------------------------------------------------------------- confirmed or not */

/* What an error of the server says of one message: an order that saturated says nothing. */
static bool is_refused(const struct postgres_order *o, uint8_t segment, uint8_t order)
{
	return order && segment == o->segment_replied &&
	       (order > o->n_steps_replied || order == UINT8_MAX);
}

static bool is_unsettled(const struct postgres_order *o, uint8_t segment, uint8_t order)
{
	(void)o;
	(void)segment;
	return order;
}

static void forget(struct postgres_state *st,
		   bool (*is_wrong)(const struct postgres_order *o, uint8_t segment, uint8_t order))
{
	struct postgres_prepared *p = &st->prepared;
	const struct postgres_order *o = &st->order;
	for (size_t i = 0; i < POSTGRES_STATEMENTS_MAX; i++) {
		struct postgres_statement *s = &p->statements[i];
		if (!s->template || !is_wrong(o, s->segment, s->order))
			continue;
		p->are_names_lost |= !s->is_alone;
		drop(p, s);
	}
	for (size_t i = 0; i < POSTGRES_PORTALS_MAX; i++) {
		const struct postgres_portal *portal = &p->portals[i];
		if (portal->n && is_wrong(o, portal->segment, portal->order))
			drop_portal(p, &p->portals[i]);
	}
	if (is_wrong(o, p->unnamed_segment, p->unnamed_order))
		keep_in(p, &p->unnamed, POSTGRES_NO_CLASS);
	if (is_wrong(o, p->portal_segment, p->portal_order))
		keep_in(p, &p->unnamed_portal, POSTGRES_NO_CLASS);
}

void postgres_prepared_failed(struct postgres_state *st)
{
	struct postgres_prepared *p = &st->prepared;
	p->are_names_lost |= p->is_closing; /* perhaps it was not done */
	forget(st, is_refused);
}

void postgres_prepared_doubted(struct postgres_state *st)
{
	st->prepared.are_names_lost = 1;
	forget(st, is_unsettled);
}

void postgres_prepared_settled(struct postgres_state *st, uint8_t segment)
{
	struct postgres_prepared *p = &st->prepared;
	if (st->order.n_outstanding > POSTGRES_SEGMENTS_MAX)
		return; /* what is left is of the segment at hand, which may bear the same number */
	for (size_t i = 0; i < POSTGRES_STATEMENTS_MAX; i++)
		if (p->statements[i].segment == segment)
			p->statements[i].order = 0;
	for (size_t i = 0; i < POSTGRES_PORTALS_MAX; i++)
		if (p->portals[i].segment == segment)
			p->portals[i].order = 0;
	if (p->unnamed_segment == segment)
		p->unnamed_order = 0;
	if (p->portal_segment == segment)
		p->portal_order = 0;
}

/* May a message of the segment at hand build on what that message made? */
static bool can_build(const struct postgres_state *st, uint8_t segment, uint8_t order)
{
	return order == 0 || segment == st->order.segment;
}

/* ---------------------------------------------------------------- portals */

static struct postgres_portal *find_portal(struct postgres_prepared *p, struct bytes name)
{
	for (size_t i = 0; i < POSTGRES_PORTALS_MAX; i++)
		if (p->portals[i].n &&
		    bytes_equal(bytes_of(p->portals[i].text, p->portals[i].n), name))
			return &p->portals[i];
	return NULL;
}

static void bind_named(struct postgres_state *st, struct bytes portal, unsigned class,
		       uint8_t order)
{
	struct postgres_prepared *p = &st->prepared;
	size_t i = 0;
	postgres_portal_close(p, portal);
	while (i < POSTGRES_PORTALS_MAX && p->portals[i].n)
		i++;
	if (i == POSTGRES_PORTALS_MAX || portal.n > POSTGRES_PORTAL_MAX)
		return;
	use_class(p, class);
	p->portals[i] = (struct postgres_portal){.n = (uint8_t)portal.n,
						 .class = (uint8_t) class,
						 .segment = st->order.segment,
						 .order = order};
	memcpy(p->portals[i].text, portal.p, portal.n);
}

static unsigned class_named(struct postgres_state *st, struct bytes statement)
{
	struct postgres_prepared *p = &st->prepared;
	if (statement.n == 0)
		return can_build(st, p->unnamed_segment, p->unnamed_order) ? class_in(p->unnamed)
									   : POSTGRES_NO_CLASS;
	const struct postgres_statement *s = find(p, statement);
	return s && (s->is_alone || can_build(st, s->segment, s->order)) ? s->class
									 : POSTGRES_NO_CLASS;
}

void postgres_bind(struct postgres_state *st, struct bytes portal, struct bytes statement,
		   uint8_t order)
{
	struct postgres_prepared *p = &st->prepared;
	const unsigned class = st->order.is_lost ? POSTGRES_NO_CLASS : class_named(st, statement);
	if (portal.n) {
		bind_named(st, portal, class, order);
		return;
	}
	keep_in(p, &p->unnamed_portal, class);
	p->portal_segment = st->order.segment;
	p->portal_order = order;
}

void postgres_portal_close(struct postgres_prepared *p, struct bytes portal)
{
	if (portal.n == 0) {
		keep_in(p, &p->unnamed_portal, POSTGRES_NO_CLASS);
		return;
	}
	struct postgres_portal *old = find_portal(p, portal);
	if (old)
		drop_portal(p, old);
}

void postgres_portals_clear(struct postgres_prepared *p)
{
	for (size_t i = 0; i < POSTGRES_PORTALS_MAX; i++)
		if (p->portals[i].n)
			drop_portal(p, &p->portals[i]);
}

/* ---------------------------------------------------------------- Execute */

static void put_summary(struct postgres_draft *d, struct bytes summary)
{
	struct reader r = reader_of(summary);
	while (reader_left(&r)) {
		const uint8_t field = read_u8(&r);
		const struct bytes text = read_bytes(&r, read_u8(&r));
		if (!reader_ok(&r))
			return; /* cannot be: summarise() wrote it */
		postgres_put_text(d, (enum postgres_field)field, text);
	}
}

static unsigned class_of_portal(const struct postgres_state *st, struct bytes portal)
{
	const struct postgres_prepared *p = &st->prepared;
	if (portal.n == 0)
		return can_build(st, p->portal_segment, p->portal_order)
			       ? class_in(p->unnamed_portal)
			       : POSTGRES_NO_CLASS;
	for (size_t i = 0; i < POSTGRES_PORTALS_MAX; i++) {
		const struct postgres_portal *at = &p->portals[i];
		if (at->n && bytes_equal(portal, bytes_of(at->text, at->n)))
			return can_build(st, at->segment, at->order) ? at->class
								     : POSTGRES_NO_CLASS;
	}
	return POSTGRES_NO_CLASS;
}

unsigned postgres_execute(const struct postgres_state *st, struct postgres_draft *d,
			  struct bytes portal, enum pgsql_verb *verb)
{
	const struct postgres_prepared *p = &st->prepared;
	const unsigned class = class_of_portal(st, portal);
	const struct postgres_class *c = class < POSTGRES_CLASSES_MAX ? &p->classes[class] : NULL;
	*verb = c ? (enum pgsql_verb)c->verb : PGSQL_UNKNOWN;
	postgres_begin_request(d, st, "execute", *verb);
	if (!c || c->is_unproven || (c->n_paths != POSTGRES_NO_BARE && c->n_paths != paths_now(st)))
		d->flags |= DIS_UNPROVEN;
	if (!c)
		return PGSQL_LOSES_PATH | PGSQL_FORGETS_ALL;
	put_summary(d, bytes_of(p->summary + c->at, c->n));
	return c->effects;
}
