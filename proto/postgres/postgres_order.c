/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What waits for which reply.
 *
 *	client:  Parse Bind Execute Sync | Query | Parse Close Sync
 *	server:  1     2    C       Z    | C   Z | E           Z
 *
 * The server answers in order, a segment at a time; behind an error it skips what comes before the
 * next Sync. So a message and one that builds on it in the same segment are done both or not at
 * all; whatever builds on an earlier segment needs that segment's answer. Two things blur the
 * count: a query within an open segment may be skipped without a word, and COPY FROM STDIN takes no
 * notice of Sync. Where the replies do not tell what happened, `is_lost` stays set until the
 * connection ends: no prepared statement is known then, and what was unsure stays so.
 */
#include "postgres/postgres_state.h"

/* ---------------------------------------------------------------- the client */

void postgres_note_unit(struct postgres_state *st, enum postgres_last last)
{
	struct postgres_order *o = &st->order;
	st->last = (uint8_t)last;
	o->is_refusable =
		o->n_outstanding == 0 && o->n_executed == 0 && !o->is_lost && !o->is_copying;
}

static void lose(struct postgres_state *st)
{
	st->order.is_lost = 1;
	postgres_prepared_clear(&st->prepared);
}

static void next_segment(struct postgres_state *st)
{
	struct postgres_order *o = &st->order;
	o->n_outstanding++; /* there was room: see postgres_message() */
	o->segment++;
	o->n_steps = o->n_executed = 0;
	if (o->n_outstanding > POSTGRES_SEGMENTS_MAX)
		postgres_prepared_doubted(st);
}

void postgres_end_segment(struct postgres_state *st)
{
	struct postgres_order *o = &st->order;
	postgres_note_unit(st, LAST_REQUEST);
	if (o->is_skipping)
		lose(st);
	o->has_skippable |= o->is_open;
	o->is_open_since_sync = 0;
	next_segment(st);
}

void postgres_sync(struct postgres_state *st)
{
	struct postgres_order *o = &st->order;
	postgres_note_unit(st, LAST_REQUEST);
	o->is_open_since_sync = 0;
	if (o->n_copies == 0) {
		o->is_open = o->is_skipping = 0;
	} else {
		o->n_copy_syncs++;
		o->is_copy_doubtful |= o->is_copy_fed;
		if (!o->is_copy_first || o->n_copies > 1)
			lose(st);
	}
	next_segment(st);
}

void postgres_open_segment(struct postgres_state *st)
{
	st->order.is_open = st->order.is_open_since_sync = 1;
}

uint8_t postgres_step(struct postgres_state *st)
{
	struct postgres_order *o = &st->order;
	postgres_open_segment(st);
	o->n_steps += o->n_steps < UINT8_MAX;
	return o->n_steps;
}

/* The segment of a query was counted before its text was read. */
void postgres_copy_in(struct postgres_state *st, bool is_extended)
{
	struct postgres_order *o = &st->order;
	if (o->n_copies == 0)
		o->is_copy_first = o->n_outstanding == !is_extended && !o->has_skippable &&
				   o->n_copies_asked == 0;
	o->is_copy_fed = o->is_copy_doubtful = 0;
	o->n_copies += o->n_copies < UINT8_MAX;
	o->n_copies_asked += o->n_copies_asked < UINT8_MAX;
}

void postgres_copy_fed(struct postgres_state *st)
{
	struct postgres_order *o = &st->order;
	o->is_copy_fed |= o->n_copies > 0;
}

void postgres_copy_end(struct postgres_state *st)
{
	st->order.n_copies -= st->order.n_copies > 0;
}

/* ---------------------------------------------------------------- the server */

/* Parse, Bind or Close succeeded. */
void postgres_on_step(struct postgres_state *st)
{
	struct postgres_order *o = &st->order;
	o->n_steps_replied += o->n_steps_replied < UINT8_MAX;
}

void postgres_on_copy_in(struct postgres_state *st)
{
	struct postgres_order *o = &st->order;
	if (o->n_copies_asked)
		o->n_copies_asked--;
	else if (!st->is_replication)
		lose(st); /* an unproven statement did it */
	o->is_copying = 1;
}

/* COPY took no notice of these: their segments are the one of the COPY. */
static void drop_copy_syncs(struct postgres_state *st)
{
	struct postgres_order *o = &st->order;
	for (; o->n_copy_syncs && o->n_outstanding; o->n_copy_syncs--, o->n_outstanding--) {
		postgres_prepared_settled(st, o->segment_replied++);
		o->n_steps_replied = 0;
	}
	o->n_copy_syncs = 0;
}

void postgres_on_complete(struct postgres_state *st)
{
	if (st->order.is_copying)
		drop_copy_syncs(st);
	st->order.is_copying = 0;
}

/* What ends a COPY whatever its data are: cancellations, timeouts, conflicts with recovery. */
static bool may_come_at_any_time(struct bytes file)
{
	return file.n == 0 || bytes_is(file, "postgres.c");
}

/* An error in the data comes behind data, and so behind a Sync that was sent before them. */
static void end_failed_copy(struct postgres_state *st, struct bytes file)
{
	struct postgres_order *o = &st->order;
	if (o->is_copying && o->n_copy_syncs) {
		if (o->is_copy_doubtful || may_come_at_any_time(file))
			lose(st);
		drop_copy_syncs(st);
		postgres_prepared_failed(st); /* what came behind the COPY is skipped, too */
	} else if (o->is_copy_first && o->n_copy_syncs) {
		o->n_copy_syncs = 0; /* it was not begun: they count */
		o->is_open = o->is_open_since_sync;
	}
	if (o->is_copy_first || o->is_lost)
		o->n_copies = o->n_copies_asked = 0;
	o->is_copying = 0;
}

void postgres_on_error(struct postgres_state *st, struct bytes file)
{
	struct postgres_order *o = &st->order;
	if (o->has_skippable)
		lose(st);
	postgres_prepared_failed(st);
	end_failed_copy(st, file);
	o->is_skipping = o->is_open;
}

/* Nothing is under way. */
static void settle(struct postgres_state *st)
{
	struct postgres_order *o = &st->order;
	o->n_copies = o->n_copies_asked = o->n_copy_syncs = 0;
	o->has_skippable = o->is_skipping = 0;
	o->is_open = o->is_open_since_sync;
	o->segment_replied = o->segment;
	st->prepared.is_closing &= o->is_open;
	if (!o->is_open)
		st->is_lexing_unsure = st->is_utf8_unsure = 0;
}

void postgres_on_ready(struct postgres_state *st)
{
	struct postgres_order *o = &st->order;
	if (o->n_outstanding == 0) { /* more often than it was asked: the count was wrong */
		lose(st);
		return;
	}
	o->n_outstanding--;
	o->n_steps_replied = 0;
	o->is_copying = 0;
	if (o->is_lost) {
		o->n_copies = 0;
		return;
	}
	postgres_prepared_settled(st, o->segment_replied++);
	if (o->n_outstanding == 0)
		settle(st);
}
