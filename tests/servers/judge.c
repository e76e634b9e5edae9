/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bw-judge: what a dissector says of a conversation, step by step, for drivers that talk to real
 * servers. Everything that a dissector accepts is let through here: a driver sends on `pass` bytes
 * and compares what the server did with the events.
 *
 *	standard input   records: operation (1 byte), length (4 bytes, low first), bytes
 *	  N "redis"      a new connection over its first transport; "dns/udp", "dns/tcp"
 *	  C bytes        the client sends
 *	  S bytes        the server sends
 *	  Y "GET k"      the sentence of a policy test, instead of a connection
 *	standard output  one line of JSON for each record:
 *	  {"status":"more","pass":12,"why":null,"edits":[[4,"00"]],"events":[...]}
 *
 * status: "done" (all of this direction was judged), "more" (the rest is held), "stopped" (opaque
 * from here: the rest passes too), "refused" (why: a static text; nothing more passes, ever).
 * pass: bytes of this direction that this record let through, those held before included. edits:
 * offset in those bytes, and hex. An event:
 *{"kind":"request","unproven":false,"fields":[["command", "get"],["db","0"]]}. Each byte of a text
 *is one character below U+0100: nothing is lost.
 */
#include "bridgewarden/dissect.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

enum { HELD_MAX = 1 << 20, RECORD_MAX = 1 << 20, EVENTS_TEXT = 1 << 22, EDITS_TEXT = 1 << 16 };

struct half {
	uint8_t bytes[HELD_MAX];
	size_t n;
	uint64_t skip; /* bytes still to come that need not be seen */
};

struct text {
	char *p;
	size_t n, max;
};

struct judge {
	const struct dissector *d;
	uint8_t ip_proto;
	_Alignas(16) uint8_t state[DIS_STATE_MAX];
	struct half half[2];
	bool is_claimed, is_stopped;
	const char *refused; /* why, once it was */
	size_t passed;	     /* by the record at hand */
	struct text events, edits;
};

/* ---------------------------------------------------------------- writing */

static void put(struct text *t, const char *s)
{
	const size_t n = strlen(s);
	if (t->n + n >= t->max) {
		fprintf(stderr, "bw-judge: one record made too many events\n");
		exit(EXIT_FAILURE);
	}
	memcpy(t->p + t->n, s, n + 1);
	t->n += n;
}

static void put_string(struct text *t, struct bytes b)
{
	put(t, "\"");
	for (size_t i = 0; i < b.n; i++) {
		char one[8];
		const bool is_plain =
			b.p[i] >= 0x20 && b.p[i] < 0x7f && b.p[i] != '"' && b.p[i] != '\\';
		(void)snprintf(one, sizeof(one), is_plain ? "%c" : "\\u%04x", b.p[i]);
		put(t, one);
	}
	put(t, "\"");
}

static void put_value(struct text *t, const struct dissector *d, const struct dis_value *v)
{
	const struct dis_field *field = &d->fields[v->field];
	char number[24];
	put(t, "[\"");
	put(t, field->name);
	put(t, "\",");
	(void)snprintf(number, sizeof(number), "%llu", (unsigned long long)v->number);
	if (field->type == DIS_NUMBER)
		put(t, number);
	else
		put_string(t, v->text);
	put(t, "]");
}

static const char *kind_name(enum dis_kind kind)
{
	switch (kind) {
	case DIS_CLAIM:
		return "claim";
	case DIS_SESSION:
		return "session";
	case DIS_REQUEST:
		return "request";
	case DIS_REPLY:
		return "reply";
	case DIS_OPAQUE:
		return "opaque";
	}
	abort();
}

static void on_event(void *ctx, const struct dis_event *event)
{
	struct judge *j = ctx;
	struct text *t = &j->events;
	if (event->kind == DIS_CLAIM)
		j->is_claimed = true;
	put(t, t->n ? ",{\"kind\":\"" : "{\"kind\":\"");
	put(t, kind_name(event->kind));
	put(t, event->flags & DIS_UNPROVEN ? "\",\"unproven\":true,\"fields\":["
					   : "\",\"unproven\":false,\"fields\":[");
	for (size_t i = 0; i < event->n_values; i++) {
		put(t, i ? "," : "");
		put_value(t, j->d, &event->values[i]);
	}
	put(t, "]}");
}

static void on_edit(void *ctx, size_t offset, struct bytes with)
{
	struct judge *j = ctx;
	char one[40];
	(void)snprintf(one, sizeof(one), "%s[%zu,\"", j->edits.n ? "," : "", j->passed + offset);
	put(&j->edits, one);
	for (size_t i = 0; i < with.n; i++) {
		(void)snprintf(one, sizeof(one), "%02x", with.p[i]);
		put(&j->edits, one);
	}
	put(&j->edits, "\"]");
}

/* ---------------------------------------------------------------- judging */

static const struct dissector *find(const char *name, size_t n)
{
	for (size_t i = 0; i < n_dissectors; i++)
		if (bytes_is(bytes_of(name, n), dissectors[i]->name))
			return dissectors[i];
	fprintf(stderr, "bw-judge: there is no dissector %.*s\n", (int)n, name);
	exit(EXIT_FAILURE);
}

static void begin(struct judge *j, struct bytes name)
{
	const char *s = (const char *)name.p;
	const char *slash = name.n ? memchr(s, '/', name.n) : NULL;
	j->d = find(s, slash ? (size_t)(slash - s) : name.n);
	const bool is_stream = slash && bytes_is(bytes_from(name, (size_t)(slash - s)), "/tcp");
	j->ip_proto = !slash ? j->d->ip_protos[0] : is_stream ? IPPROTO_TCP : IPPROTO_UDP;
	memset(j->state, 0, sizeof(j->state));
	for (int i = 0; i < 2; i++)
		j->half[i].n = j->half[i].skip = 0;
	j->is_claimed = j->is_stopped = false;
	j->refused = NULL;
}

static void drop_front(struct half *h, size_t n)
{
	memmove(h->bytes, h->bytes + n, h->n - n);
	h->n -= n;
}

static void pass_skipped(struct judge *j, struct half *h)
{
	const size_t n = h->skip < h->n ? (size_t)h->skip : h->n;
	h->skip -= n;
	j->passed += n;
	drop_front(h, n);
}

/* One unit. False: no more can be judged of these bytes now. */
static bool judge_unit(struct judge *j, enum dis_dir dir)
{
	struct half *h = &j->half[dir];
	const struct dis_sink sink = {.event = on_event, .edit = on_edit, .ctx = j};
	const size_t shown = h->n < j->d->max_unit ? h->n : j->d->max_unit;
	if (!j->is_claimed)
		memset(j->state, 0, sizeof(j->state));
	const struct dis_result r =
		j->d->feed(j->state, j->ip_proto, dir, bytes_of(h->bytes, shown), &sink);
	switch (r.status) {
	case DIS_MORE:
		return false;
	case DIS_NOT_MINE:
	case DIS_MALFORMED:
	case DIS_LIMIT:
		j->refused = r.why ? r.why : "not this protocol";
		return false;
	case DIS_STOPPED:
		j->is_stopped = true;
		break;
	case DIS_DONE:
		h->skip = r.skip;
		break;
	}
	j->passed += r.consumed;
	drop_front(h, r.consumed);
	pass_skipped(j, h);
	return !j->is_stopped;
}

static void judge_bytes(struct judge *j, enum dis_dir dir, struct bytes in)
{
	struct half *h = &j->half[dir];
	if (h->n + in.n > HELD_MAX) {
		fprintf(stderr, "bw-judge: too much is held\n");
		exit(EXIT_FAILURE);
	}
	if (in.n)
		memcpy(h->bytes + h->n, in.p, in.n);
	h->n += in.n;
	if (j->refused)
		return;
	pass_skipped(j, h);
	while (h->n && !j->is_stopped && judge_unit(j, dir))
		;
	if (j->is_stopped) {
		j->passed += h->n;
		h->n = 0;
	}
}

static void say(struct judge *j, struct bytes text)
{
	const struct dis_sink sink = {.event = on_event, .edit = on_edit, .ctx = j};
	j->refused = j->d->say && j->d->say(text, &sink) ? NULL : "cannot be read";
}

static const char *status_of(const struct judge *j, enum dis_dir dir)
{
	if (j->refused)
		return "refused";
	if (j->is_stopped)
		return "stopped";
	return j->half[dir].n ? "more" : "done";
}

static void answer(struct judge *j, enum dis_dir dir)
{
	printf("{\"status\":\"%s\",\"pass\":%zu,\"why\":", status_of(j, dir), j->passed);
	printf(j->refused ? "\"%s\"" : "null", j->refused);
	printf(",\"edits\":[%s],\"events\":[%s]}\n", j->edits.p, j->events.p);
	(void)fflush(stdout); /* the next read would fail as well */
	j->passed = j->events.n = j->edits.n = 0;
	j->events.p[0] = j->edits.p[0] = '\0';
}

static size_t length_of(const uint8_t head[5])
{
	return head[1] | (size_t)head[2] << 8 | (size_t)head[3] << 16 | (size_t)head[4] << 24;
}

static void handle(struct judge *j, uint8_t operation, struct bytes body)
{
	const enum dis_dir dir = operation == 'S' ? DIS_TO_CLIENT : DIS_TO_SERVER;
	if (operation == 'N')
		begin(j, body);
	else if (operation == 'Y' && j->d)
		say(j, body);
	else if ((operation == 'C' || operation == 'S') && j->d)
		judge_bytes(j, dir, body);
	else
		exit(EXIT_FAILURE);
	answer(j, dir);
}

int main(void)
{
	static struct judge j;
	static uint8_t body[RECORD_MAX];
	uint8_t head[5];
	j.events = (struct text){.p = calloc(1, EVENTS_TEXT), .max = EVENTS_TEXT};
	j.edits = (struct text){.p = calloc(1, EDITS_TEXT), .max = EDITS_TEXT};
	if (!j.events.p || !j.edits.p)
		return EXIT_FAILURE;
	while (fread(head, 1, sizeof(head), stdin) == sizeof(head)) {
		const size_t n = length_of(head);
		if (n > sizeof(body) || fread(body, 1, n, stdin) != n)
			return EXIT_FAILURE;
		handle(&j, head[0], bytes_of(body, n));
	}
	free(j.events.p);
	free(j.edits.p);
	return EXIT_SUCCESS;
}
