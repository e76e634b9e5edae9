/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Drives one dissector over one conversation as the engine does, and holds it to its contract.
 *
 * The bytes of each direction are buffered until the dissector consumes them; `want` and `skip` are
 * honoured; until the claim every attempt starts from zeroed memory. Everything the dissector says
 * goes into a log of text lines, so that two ways of cutting the same bytes can be compared by
 * strcmp. Beside it goes a twin that forgets: each slice is also fed to a copy of the state in
 * which nothing of a partial unit was kept, and the copy must answer and say the same. A broken
 * contract ends the process by abort() with one line on stderr: a test that forks, and a fuzzer,
 * both see it.
 *
 * Slices end where a page without access begins, and so does the state: reading or writing past the
 * end of either is a crash, with or without a sanitizer.
 *
 * Used by tests/proto/test_cases.c and by fuzz_dissector.c; one translation unit each, hence static
 * inline.
 */
#ifndef FUZZ_DRIVE_H
#define FUZZ_DRIVE_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <netinet/in.h>

#include "bridgewarden/dissect.h"

enum { DRIVE_GROUP = 0x80 };		/* as ip_proto: UDP, to the dissector's group */
enum { DRIVE_BYTES_MAX = 1024 * 1024 }; /* of one direction of one conversation */

/* DRIVE_OPEN: nothing was refused; whether bytes still wait is asked with drive_is_waiting(). */
enum drive_end { DRIVE_OPEN, DRIVE_NOT_MINE, DRIVE_MALFORMED, DRIVE_LIMIT, DRIVE_STOPPED };

struct drive_log {
	char *text;
	size_t n, room;
};

/* One direction. Invariant: buf[0] is byte number `base` of the stream; while skip > 0, n is 0. */
struct drive_side {
	uint8_t *buf;
	size_t n, room, want;
	uint64_t skip, base;
};

/* What one call said, before it is known whether the call was allowed to say it. */
struct drive_call {
	unsigned claims, others, opaques, edits;
	size_t edit_end;
};

struct drive {
	const struct dissector *d;
	uint8_t ip_proto;
	bool is_group;	    /* the datagrams go to the dissector's group */
	bool hides_replies; /* stop showing the server's bytes as soon as the dissector allows it */
	bool is_hidden, is_claimed;
	enum drive_end end;
	const char *why;
	struct drive_side side[2];
	struct drive_log log;
	struct drive_call call;
	enum dis_dir dir;
	uint8_t *state;
	bool is_partial[2];			   /* the last answer was DIS_MORE */
	_Alignas(16) uint8_t whole[DIS_STATE_MAX]; /* the state without what partial units left */
};

/* ---------------------------------------------------------------- log */

static inline __attribute__((format(printf, 2, 3))) void drive_say(struct drive_log *log,
								   const char *format, ...)
{
	va_list args;
	va_start(args, format);
	char *line = NULL;
	const int n = vasprintf(&line, format, args);
	va_end(args);
	if (n < 0)
		abort();
	if (log->n + (size_t)n + 1 > log->room) {
		log->room = (log->n + (size_t)n + 1) * 2;
		log->text = realloc(log->text, log->room);
		if (!log->text)
			abort();
	}
	memcpy(log->text + log->n, line, (size_t)n + 1);
	log->n += (size_t)n;
	free(line);
}

static inline __attribute__((format(printf, 2, 3), noreturn)) void drive_fail(const struct drive *v,
									      const char *format,
									      ...)
{
	va_list args;
	va_start(args, format);
	fprintf(stderr, "%s breaks the contract: ", v->d->name);
	vfprintf(stderr, format, args);
	fprintf(stderr, "\nlog so far:\n%s", v->log.text ? v->log.text : "");
	va_end(args);
	abort();
}

/* Bare when nobody can misread it, else quoted with escapes. */
static inline void drive_say_bytes(struct drive_log *log, struct bytes b)
{
	bool is_bare = b.n > 0;
	for (size_t i = 0; i < b.n; i++)
		if (b.p[i] <= ' ' || b.p[i] >= 0x7f || b.p[i] == '"' || b.p[i] == '\\')
			is_bare = false;
	if (is_bare) {
		drive_say(log, "%.*s", (int)b.n, (const char *)b.p);
		return;
	}
	drive_say(log, "\"");
	for (size_t i = 0; i < b.n; i++) {
		const uint8_t c = b.p[i];
		if (c == '\r' || c == '\n')
			drive_say(log, c == '\r' ? "\\r" : "\\n");
		else if (c == '"' || c == '\\')
			drive_say(log, "\\%c", c);
		else if (c < ' ' || c >= 0x7f)
			drive_say(log, "\\x%02x", c);
		else
			drive_say(log, "%c", c);
	}
	drive_say(log, "\"");
}

/* ---------------------------------------------------------------- sink */

static inline const char *drive_kind(enum dis_kind kind)
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
	return "?";
}

static inline void drive_check_values(struct drive *v, const struct dis_event *e)
{
	uint64_t seen = 0;
	if (e->n_values > DIS_VALUES_MAX)
		drive_fail(v, "%zu values in one event", e->n_values);
	if (v->d->n_fields > 64)
		drive_fail(v, "more fields than this check can follow");
	for (size_t i = 0; i < e->n_values; i++) {
		const uint16_t f = e->values[i].field;
		if (f >= v->d->n_fields)
			drive_fail(v, "field %u does not exist", f);
		const bool in_row = i > 0 && e->values[i - 1].field == f;
		if (seen & 1ull << f && !(in_row && v->d->fields[f].is_list))
			drive_fail(v, "field %s is given twice", v->d->fields[f].name);
		seen |= 1ull << f;
	}
}

static inline void drive_event(void *ctx, const struct dis_event *e)
{
	struct drive *v = ctx;
	drive_check_values(v, e);
	if (e->kind == DIS_CLAIM) {
		if (v->is_claimed)
			drive_fail(v, "a second claim");
		v->is_claimed = true;
		v->call.claims++;
	} else {
		if (!v->is_claimed)
			drive_fail(v, "a %s before the claim", drive_kind(e->kind));
		v->call.others++;
		v->call.opaques += e->kind == DIS_OPAQUE;
	}
	drive_say(&v->log, "%s%s", drive_kind(e->kind), e->flags & DIS_UNPROVEN ? " unproven" : "");
	for (size_t i = 0; i < e->n_values; i++) {
		const struct dis_field *f = &v->d->fields[e->values[i].field];
		drive_say(&v->log, " %s=", f->name);
		if (f->type == DIS_NUMBER)
			drive_say(&v->log, "%llu", (unsigned long long)e->values[i].number);
		else
			drive_say_bytes(&v->log, e->values[i].text);
	}
	drive_say(&v->log, "\n");
}

static inline void drive_edit(void *ctx, size_t offset, struct bytes replacement)
{
	struct drive *v = ctx;
	if (!v->is_claimed)
		drive_fail(v, "an edit before the claim");
	v->call.edits++;
	if (offset + replacement.n > v->call.edit_end)
		v->call.edit_end = offset + replacement.n;
	drive_say(&v->log, "edit %c %llu ", v->dir == DIS_TO_SERVER ? '>' : '<',
		  (unsigned long long)(v->side[v->dir].base + offset));
	drive_say_bytes(&v->log, replacement);
	drive_say(&v->log, "\n");
}

/* ---------------------------------------------------------------- guarded memory */

/* n bytes that end at a page without access (up to 15 bytes before it when `align` is 16). */
static inline uint8_t *drive_guarded(uint8_t **map, size_t n, size_t align)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE), whole = DRIVE_BYTES_MAX + page;
	if (!*map) {
		*map = mmap(NULL, whole + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
		if (*map == MAP_FAILED || mprotect(*map + whole, page, PROT_NONE) != 0)
			abort();
	}
	return *map + whole - (n + align - 1) / align * align;
}

static inline struct bytes drive_show(struct bytes b)
{
	static uint8_t *map;
	uint8_t *at = drive_guarded(&map, b.n, 1);
	if (b.n)
		memcpy(at, b.p, b.n);
	return bytes_of(at, b.n);
}

/* ---------------------------------------------------------------- one call */

static inline void drive_check_more(struct drive *v, struct dis_result r, struct bytes in)
{
	if (v->ip_proto == IPPROTO_UDP)
		drive_fail(v, "DIS_MORE for a datagram");
	if (r.consumed || r.skip)
		drive_fail(v, "DIS_MORE and consumed %zu, skip %llu", r.consumed,
			   (unsigned long long)r.skip);
	if (r.want <= in.n || r.want > v->d->max_unit)
		drive_fail(v, "DIS_MORE wants %zu, has %zu, max_unit %zu", r.want, in.n,
			   v->d->max_unit);
	if (v->call.others || v->call.edits)
		drive_fail(v, "events or edits with DIS_MORE");
}

static inline void drive_check_done(struct drive *v, struct dis_result r, struct bytes in)
{
	if (!v->is_claimed)
		drive_fail(v, "a unit ends before the claim");
	if (r.consumed > in.n || v->call.edit_end > r.consumed)
		drive_fail(v, "consumed %zu of %zu, edited to %zu", r.consumed, in.n,
			   v->call.edit_end);
	if (r.status == DIS_STOPPED) {
		if (!v->call.opaques || r.skip)
			drive_fail(v, "DIS_STOPPED without a reason, or with a skip");
		return;
	}
	if (r.consumed == 0 && r.skip == 0)
		drive_fail(v, "DIS_DONE without progress");
	if (v->ip_proto == IPPROTO_UDP && (r.consumed != in.n || r.skip))
		drive_fail(v, "a datagram consumed in part");
}

static inline void drive_check_refusal(struct drive *v, struct dis_result r)
{
	if (v->call.others || v->call.edits)
		drive_fail(v, "events or edits with a refusal");
	if (r.status == DIS_NOT_MINE && v->is_claimed)
		drive_fail(v, "DIS_NOT_MINE after the claim");
	if (r.status == DIS_MALFORMED && !v->is_claimed)
		drive_fail(v, "DIS_MALFORMED before the claim");
	if (!r.why || !*r.why)
		drive_fail(v, "a refusal without a reason");
}

static inline void drive_check(struct drive *v, struct dis_result r, struct bytes in)
{
	switch (r.status) {
	case DIS_MORE:
		drive_check_more(v, r, in);
		return;
	case DIS_DONE:
	case DIS_STOPPED:
		drive_check_done(v, r, in);
		return;
	case DIS_NOT_MINE:
	case DIS_MALFORMED:
	case DIS_LIMIT:
		drive_check_refusal(v, r);
		return;
	}
	drive_fail(v, "status %d", (int)r.status);
}

static inline bool drive_is_same(struct dis_result a, struct dis_result b)
{
	return a.status == b.status && a.consumed == b.consumed && a.want == b.want &&
	       a.skip == b.skip && (a.why == b.why || (a.why && b.why && !strcmp(a.why, b.why)));
}

static inline struct dis_result drive_feed(const struct drive *v, void *state, struct bytes in,
					   const struct dis_sink *sink)
{
	return v->is_group ? v->d->group->feed(state, v->ip_proto, v->dir, in, sink)
			   : v->d->feed(state, v->ip_proto, v->dir, in, sink);
}

/* v as it was before the call that gave r and what the log has from `said` on: the twin must say
 * the same. Its state is another place in memory, so that nothing can hang on an address. */
static inline void drive_check_twin(struct drive *v, struct drive *twin, struct dis_result r,
				    struct bytes in, size_t said)
{
	_Alignas(16) static uint8_t state[DIS_STATE_MAX];
	const struct dis_sink sink = {.event = drive_event, .edit = drive_edit, .ctx = twin};
	const size_t size = v->d->state_size;
	memcpy(state, v->whole, size);
	twin->log = (struct drive_log){0};
	drive_say(&twin->log, "%s", "");
	if (!drive_is_same(r, drive_feed(v, state, in, &sink)))
		drive_fail(v, "what a partial unit left changed the answer");
	if (strcmp(twin->log.text, v->log.text + said) != 0)
		drive_fail(v, "what a partial unit left changed the events; without it:\n%s",
			   twin->log.text);
	free(twin->log.text);
	v->is_partial[v->dir] = r.status == DIS_MORE;
	if (r.status == DIS_DONE || r.status == DIS_STOPPED || v->call.claims)
		memcpy(v->whole, state, size);
	if (r.status == DIS_DONE && !v->is_partial[!v->dir] && memcmp(state, v->state, size) != 0)
		drive_fail(v, "what a partial unit left stays in the state");
}

static inline enum drive_end drive_end_of(enum dis_status status)
{
	switch (status) {
	case DIS_MORE:
	case DIS_DONE:
		break;
	case DIS_NOT_MINE:
		return DRIVE_NOT_MINE;
	case DIS_MALFORMED:
		return DRIVE_MALFORMED;
	case DIS_LIMIT:
		return DRIVE_LIMIT;
	case DIS_STOPPED:
		return DRIVE_STOPPED;
	}
	return DRIVE_OPEN;
}

static inline void drive_consume(struct drive_side *s, struct dis_result r)
{
	size_t gone = r.consumed;
	const uint64_t rest = s->n - gone;
	const uint64_t skipped = r.skip < rest ? r.skip : rest;
	gone += (size_t)skipped;
	s->skip = r.skip - skipped;
	s->n -= gone;
	s->base += gone;
	memmove(s->buf, s->buf + gone, s->n);
	s->want = 0;
}

/* What would be said if the unit just judged were refused fits, and moves nothing. */
static inline void drive_refuse(struct drive *v, struct bytes unit)
{
	_Alignas(16) static uint8_t before[DIS_STATE_MAX];
	static uint8_t *map;
	if (!v->d->refuse || v->dir != DIS_TO_SERVER)
		return;
	uint8_t *out = drive_guarded(&map, DIS_REFUSAL_MAX, 1);
	char why[DIS_WHY_MAX];
	memset(why, 'w', sizeof(why));
	memcpy(before, v->state, v->d->state_size);
	const size_t n = v->d->refuse(v->state, v->ip_proto, unit, bytes_of(why, sizeof(why)), out);
	if (n > DIS_REFUSAL_MAX)
		drive_fail(v, "a refusal of %zu bytes", n);
	if (memcmp(before, v->state, v->d->state_size) != 0)
		drive_fail(v, "a refusal changed the state");
}

/* Shows what is buffered for one direction once. False: there is nothing more to do for it now. */
static inline bool drive_step(struct drive *v, enum dis_dir dir)
{
	struct drive_side *s = &v->side[dir];
	if (v->end != DRIVE_OPEN || s->n == 0 || s->n < s->want)
		return false;
	if (!v->is_claimed) {
		memset(v->state, 0, v->d->state_size);
		memset(v->whole, 0, v->d->state_size);
	}
	v->call = (struct drive_call){0};
	v->dir = dir;
	struct drive twin = *v;
	const struct dis_sink sink = {.event = drive_event, .edit = drive_edit, .ctx = v};
	const struct bytes in = drive_show(bytes_of(s->buf, s->n));
	const struct dis_result r = drive_feed(v, v->state, in, &sink);
	drive_check(v, r, in);
	drive_check_twin(v, &twin, r, in, twin.log.n);
	if (r.status == DIS_DONE)
		drive_refuse(v, bytes_slice(in, 0, r.consumed));
	if (v->hides_replies && v->is_claimed && v->d->needs_replies &&
	    !v->d->needs_replies(v->state))
		v->is_hidden = true;
	if (r.status == DIS_MORE) {
		s->want = r.want;
		return false;
	}
	v->end = drive_end_of(r.status);
	v->why = r.why;
	if (v->end == DRIVE_OPEN)
		drive_consume(s, r);
	return v->end == DRIVE_OPEN;
}

/* ---------------------------------------------------------------- the conversation */

static inline void drive_init(struct drive *v, const struct dissector *d, uint8_t ip_proto)
{
	static uint8_t *map;
	*v = (struct drive){.d = d, .ip_proto = ip_proto, .is_group = ip_proto == DRIVE_GROUP};
	if (v->is_group)
		v->ip_proto = IPPROTO_UDP;
	if (d->state_size > DIS_STATE_MAX || d->max_unit > DIS_UNIT_MAX || d->max_unit == 0)
		drive_fail(v, "sizes beyond the contract's");
	v->state = drive_guarded(&map, d->state_size, 16);
	memset(v->state, 0, d->state_size);
	drive_say(&v->log, "%s", "");
}

static inline void drive_fini(struct drive *v)
{
	free(v->side[0].buf);
	free(v->side[1].buf);
	free(v->log.text);
}

static inline void drive_buffer(struct drive_side *s, struct bytes b)
{
	if (b.n > DRIVE_BYTES_MAX - s->n)
		abort(); /* a case larger than this test can hold */
	if (s->n + b.n > s->room) {
		s->room = s->n + 2 * b.n;
		s->buf = realloc(s->buf, s->room);
		if (!s->buf)
			abort();
	}
	memcpy(s->buf + s->n, b.p, b.n);
	s->n += b.n;
}

/* These bytes arrive now. Over UDP they are one datagram. */
static inline void drive_bytes(struct drive *v, enum dis_dir dir, struct bytes b)
{
	struct drive_side *s = &v->side[dir];
	if (v->end != DRIVE_OPEN || (dir == DIS_TO_CLIENT && v->is_hidden))
		return;
	const uint64_t skipped = s->skip < b.n ? s->skip : b.n;
	s->skip -= skipped;
	s->base += skipped;
	b = bytes_from(b, (size_t)skipped);
	if (b.n == 0)
		return;
	drive_buffer(s, b);
	while (drive_step(v, dir))
		;
}

/* Nothing more comes for now: shows what waits even where more was wanted. A `want` may rest on the
 * least that a right message needs, so that bytes which are wrong already are refused later than in
 * one slice. */
static inline void drive_flush(struct drive *v, enum dis_dir dir)
{
	if (v->ip_proto == IPPROTO_UDP || (dir == DIS_TO_CLIENT && v->is_hidden))
		return;
	v->side[dir].want = 0;
	while (drive_step(v, dir))
		;
}

static inline bool drive_is_waiting(const struct drive *v)
{
	return v->side[0].n || v->side[1].n || v->side[0].skip || v->side[1].skip;
}

/* The word of the case files for how it ended. */
static inline const char *drive_outcome(const struct drive *v)
{
	switch (v->end) {
	case DRIVE_OPEN:
		return drive_is_waiting(v) ? "more" : "done";
	case DRIVE_NOT_MINE:
		return "not-mine";
	case DRIVE_MALFORMED:
		return "malformed";
	case DRIVE_LIMIT:
		return "limit";
	case DRIVE_STOPPED:
		return "stopped";
	}
	return "?";
}

#endif
