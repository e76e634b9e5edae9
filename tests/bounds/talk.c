/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "talk.h"

#include "score.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

enum { IDLE_TRIES = 3 };

/* What the engine keeps of a connection. */
struct listener {
	_Alignas(16) uint8_t state[DIS_STATE_MAX];
	size_t fed[2], want[2];
	uint64_t skip[2];
	bool is_claimed;
	enum talk_end end;
	uint64_t n_seen; /* bytes of values, so that they are looked at */
	unsigned n_judged;
};

void talk_init(struct talk *t, const char *protocol, uint8_t ip_proto)
{
	t->dissector = NULL;
	t->ip_proto = ip_proto;
	t->side[0].n = t->side[1].n = t->n_turns = t->n_before = 0;
	for (size_t i = 0; i < n_dissectors; i++)
		if (strcmp(dissectors[i]->name, protocol) == 0)
			t->dissector = dissectors[i];
	if (t->dissector)
		return;
	(void)fprintf(stderr, "there is no dissector for %s\n", protocol);
	exit(EXIT_FAILURE);
}

void talk_add(struct talk *t, enum dis_dir dir, struct bytes bytes)
{
	size_t n = t->side[dir].n;
	if (bytes.n > TALK_BYTES_MAX - n || t->n_turns == TALK_TURNS_MAX) {
		(void)fprintf(stderr, "a conversation is longer than this test holds\n");
		exit(EXIT_FAILURE);
	}
	if (bytes.n)
		memcpy(t->side[dir].bytes + n, bytes.p, bytes.n);
	t->side[dir].n += bytes.n;
	t->turns[t->n_turns++] = (struct talk_turn){.dir = dir, .end = t->side[dir].n};
}

static void add_records(struct talk *t, struct reader r)
{
	while (reader_left(&r) > 0) {
		const uint8_t head = read_u8(&r);
		size_t n = head & 0x7f;
		if (n == 127)
			n = read_u16le(&r);
		n = n < reader_left(&r) ? n : reader_left(&r);
		talk_add(t, head & 0x80 ? DIS_TO_CLIENT : DIS_TO_SERVER, read_bytes(&r, n));
	}
}

bool talk_load(struct talk *t, const char *path)
{
	static uint8_t file[TALK_BYTES_MAX];
	FILE *f = fopen(path, "re");
	size_t n = f ? fread(file, 1, sizeof(file), f) : 0;
	if (f)
		(void)fclose(f); /* was only read */
	if (n < 2 || n == sizeof(file))
		return false;
	uint8_t second = t->dissector->ip_protos[1];
	t->ip_proto = file[0] & 0x80 && second ? second : t->dissector->ip_protos[0];
	add_records(t, reader_of(bytes_of(file + 1, n - 1)));
	return true;
}

void talk_mark(struct talk *t)
{
	t->n_before = t->n_turns;
}

static void on_event(void *ctx, const struct dis_event *event)
{
	struct listener *l = ctx;
	l->is_claimed |= event->kind == DIS_CLAIM;
	l->n_judged += event->kind != DIS_CLAIM && event->kind != DIS_REPLY;
	for (size_t i = 0; i < event->n_values; i++)
		l->n_seen += event->values[i].text.n;
}

static void on_edit(void *ctx, size_t offset, struct bytes replacement)
{
	struct listener *l = ctx;
	l->n_seen += offset + replacement.n;
}

/* One call. False: nothing more to show for now. */
static bool show(struct listener *l, const struct talk *t, enum dis_dir dir, size_t end)
{
	const struct dis_sink sink = {.event = on_event, .edit = on_edit, .ctx = l};
	size_t there = end - l->fed[dir];
	size_t eaten = l->skip[dir] < there ? (size_t)l->skip[dir] : there;
	l->skip[dir] -= eaten;
	l->fed[dir] += eaten;
	there -= eaten;
	if (l->end != TALK_OPEN || there == 0 || there < l->want[dir])
		return false;
	size_t n = there < t->dissector->max_unit ? there : t->dissector->max_unit;
	if (!l->is_claimed)
		memset(l->state, 0, t->dissector->state_size);
	struct dis_result r = t->dissector->feed(
		l->state, t->ip_proto, dir, bytes_of(t->side[dir].bytes + l->fed[dir], n), &sink);
	l->want[dir] = r.status == DIS_MORE ? r.want : 0;
	if (r.status == DIS_MORE)
		return false;
	l->fed[dir] += r.consumed;
	l->skip[dir] = r.skip;
	if (r.status == DIS_STOPPED)
		l->end = TALK_STOPPED;
	else if (r.status != DIS_DONE)
		l->end = l->is_claimed ? TALK_REFUSED : TALK_NOT_MINE;
	return l->end == TALK_OPEN;
}

static void take_turn(struct listener *l, const struct talk *t, const struct talk_turn *turn,
		      size_t from, size_t step)
{
	size_t at = from;
	while (at < turn->end && l->end == TALK_OPEN) {
		at = step && turn->end - at > step && t->ip_proto == IPPROTO_TCP ? at + step
										 : turn->end;
		while (show(l, t, turn->dir, at))
			;
	}
}

static void hear(struct listener *l, const struct talk *t, size_t first, size_t last, size_t step)
{
	size_t from[2] = {0, 0};
	for (size_t i = 0; i < last; i++) {
		const struct talk_turn *turn = &t->turns[i];
		if (i >= first)
			take_turn(l, t, turn, from[turn->dir], step);
		from[turn->dir] = turn->end;
	}
}

static size_t measured_bytes(const struct talk *t)
{
	size_t from[2] = {0, 0}, n = 0;
	for (size_t i = 0; i < t->n_turns; i++) {
		const struct talk_turn *turn = &t->turns[i];
		if (i >= t->n_before)
			n += turn->end - from[turn->dir];
		from[turn->dir] = turn->end;
	}
	return n;
}

/* Nanoseconds of one hearing, copying the listener included. What was heard is left in `l`. */
static double one_try(const struct talk *t, const struct listener *before, size_t last, size_t step,
		      uint64_t at_least_ns, struct listener *l)
{
	uint64_t start = score_cpu_ns(), took = 0;
	unsigned n = 0;
	for (; took < at_least_ns; took = score_cpu_ns() - start) {
		for (int i = 0; i < 8; i++) {
			memcpy(l, before, sizeof(*l));
			hear(l, t, t->n_before, last, step);
			n++;
		}
	}
	return (double)took / n;
}

struct talk_cost talk_measure(const struct talk *t, size_t step, uint64_t at_least_ns)
{
	static struct listener before, after;
	memset(&before, 0, sizeof(before));
	hear(&before, t, 0, t->n_before, 0);
	before.n_judged = 0;
	double idle = 0;
	for (int i = 0; i < IDLE_TRIES; i++) {
		double took = one_try(t, &before, t->n_before, step, at_least_ns / 8, &after);
		idle = i == 0 || took < idle ? took : idle;
	}
	double took = one_try(t, &before, t->n_turns, step, at_least_ns, &after);
	return (struct talk_cost){.ns = took > idle ? took - idle : 1,
				  .n_bytes = measured_bytes(t),
				  .n_judged = after.n_judged,
				  .end = after.end};
}

double talk_cost(const struct talk *t, size_t step, uint64_t at_least_ns, enum talk_end *end)
{
	struct talk_cost cost = talk_measure(t, step, at_least_ns);
	*end = cost.end;
	return cost.ns / (double)cost.n_bytes;
}
