/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prepared statements: what each touches, so that executing it by number is judged as its text was.
 *
 * A summary is a row of (field, length, bytes) in one shared area; the area is kept without holes.
 * What does not fit is remembered as unproven, or, without a free slot, not at all: executing it is
 * unproven then.
 */
#include "mysql/mysql_state.h"

enum { SUMMARY_ENTRY = 3 }; /* bytes before each text: the field, the length */

enum {
	STMT_LAST_PREPARED = -1
}; /* MariaDB: the one prepared last, whose number the client does not know yet */

static bool is_object(const struct dis_value *v)
{
	return v->field == F_SCHEMA || v->field == F_TABLES;
}

static size_t summary_size(const struct mysql_draft *d)
{
	size_t n = 0;
	for (size_t i = 0; i < d->n; i++)
		if (is_object(&d->v[i]))
			n += SUMMARY_ENTRY + d->v[i].text.n;
	return n;
}

static void append(struct mysql_state *st, const struct dis_value *v)
{
	uint8_t *at = st->summary + st->n_summary;
	at[0] = (uint8_t)v->field;
	at[1] = (uint8_t)v->text.n;
	at[2] = (uint8_t)(v->text.n >> 8);
	memcpy(at + SUMMARY_ENTRY, v->text.p, v->text.n);
	st->n_summary = (uint16_t)(st->n_summary + SUMMARY_ENTRY + v->text.n);
}

unsigned mysql_prepared_add(struct mysql_state *st, const struct mysql_draft *d, enum sql_verb verb)
{
	unsigned slot = 0;
	while (slot < MYSQL_PREPARED_MAX && st->prepared[slot].is_used)
		slot++;
	if (slot == MYSQL_PREPARED_MAX)
		return MYSQL_NO_SLOT;
	struct mysql_prepared *p = &st->prepared[slot];
	*p = (struct mysql_prepared){.at = st->n_summary, .is_used = 1, .verb = (uint8_t)verb};
	p->is_unproven = (d->flags & DIS_UNPROVEN) ||
			 summary_size(d) > MYSQL_SUMMARY_MAX - (size_t)st->n_summary;
	for (size_t i = 0; i < d->n && !p->is_unproven; i++)
		if (is_object(&d->v[i]))
			append(st, &d->v[i]);
	p->n = (uint16_t)(st->n_summary - p->at);
	return slot;
}

void mysql_prepared_drop(struct mysql_state *st, unsigned slot)
{
	if (slot >= MYSQL_PREPARED_MAX || !st->prepared[slot].is_used)
		return;
	const struct mysql_prepared gone = st->prepared[slot];
	const size_t behind = (size_t)gone.at + gone.n;
	memmove(st->summary + gone.at, st->summary + behind, st->n_summary - behind);
	st->n_summary = (uint16_t)(st->n_summary - gone.n);
	for (size_t i = 0; i < MYSQL_PREPARED_MAX; i++)
		if (st->prepared[i].at > gone.at)
			st->prepared[i].at = (uint16_t)(st->prepared[i].at - gone.n);
	st->prepared[slot] = (struct mysql_prepared){0};
	if (st->last_slot == slot)
		st->last_slot = MYSQL_NO_SLOT;
}

static unsigned find(const struct mysql_state *st, uint32_t id)
{
	if (id == (uint32_t)STMT_LAST_PREPARED)
		return st->last_slot;
	for (unsigned i = 0; i < MYSQL_PREPARED_MAX; i++)
		if (st->prepared[i].is_ready && st->prepared[i].id == id)
			return i;
	return MYSQL_NO_SLOT;
}

void mysql_prepared_ready(struct mysql_state *st, unsigned slot, uint32_t id)
{
	if (slot >= MYSQL_PREPARED_MAX || !st->prepared[slot].is_used)
		return;
	mysql_prepared_drop(st, id == (uint32_t)STMT_LAST_PREPARED ? MYSQL_NO_SLOT : find(st, id));
	st->prepared[slot].is_ready = 1;
	st->prepared[slot].id = id;
}

void mysql_prepared_close(struct mysql_state *st, uint32_t id)
{
	mysql_prepared_drop(st, find(st, id));
}

void mysql_prepared_clear(struct mysql_state *st)
{
	for (unsigned i = 0; i < MYSQL_PREPARED_MAX; i++)
		mysql_prepared_drop(st, i);
	st->last_slot = MYSQL_NO_SLOT;
	for (unsigned i = 0; i < MYSQL_PENDING_MAX; i++)
		st->pending[i].slot = MYSQL_NO_SLOT;
}

static void put_summary(struct mysql_draft *d, struct bytes summary)
{
	struct reader r = reader_of(summary);
	while (reader_left(&r)) {
		const uint8_t field = read_u8(&r);
		const struct bytes text = read_bytes(&r, read_u16le(&r));
		if (!reader_ok(&r))
			return; /* cannot be: append() wrote it */
		mysql_put_text(d, (enum mysql_field)field, text);
	}
}

void mysql_prepared_execute(struct mysql_state *st, struct mysql_draft *d, uint32_t id,
			    enum mysql_command command)
{
	const unsigned slot = find(st, id);
	const bool is_known = slot < MYSQL_PREPARED_MAX && st->prepared[slot].is_used;
	const struct mysql_prepared *p = is_known ? &st->prepared[slot] : NULL;
	mysql_begin_request(d, st, command, p ? (enum sql_verb)p->verb : SQL_UNKNOWN);
	if (!p || p->is_unproven)
		d->flags |= DIS_UNPROVEN;
	else
		put_summary(d, bytes_of(st->summary + p->at, p->n));
}
