/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Peers that take their time: heads that come a byte a minute, and receivers that read nothing
 * while the other side goes on sending. Either ends by a deadline or stays within its share; a
 * forbidden unit is never complete.
 */
#include "parts.h"

#include "rig.h"
#include "score.h"
#include "stream/reasm.h"

#include <inttypes.h>
#include <stdio.h>

enum { MINUTE_MS = 60000, EVICTED_MS = 4000 /* a hold, and a sweep */ };

static const uint32_t client = 0xc6120102, crowd = 0xc6130000;

#define MIB (UINT64_C(1) << 20)

static struct bytes text(const char *s)
{
	return bytes_of(s, strlen(s));
}

/* One byte a minute, from the first on. */
static void slow_from_the_start(void)
{
	const struct bytes request = text("GET /no HTTP/1.1\r\nHost: web\r\n\r\n");
	struct rig *r = rig_new((struct rig_sizes){64, MIB});
	struct conn c = conn_of(client, 40000);
	bool stands = conn_open(r, &c);
	for (size_t i = 0; i < request.n; i++) {
		(void)conn_say(r, &c, 0, bytes_slice(request, i, 1)); /* whatever becomes of it */
		rig_wait(r, MINUTE_MS);
	}
	score_try(SCORE_S14, stands && rig_count(r, COUNTER_HOLD_TIMEOUT) == 1 && r->delivered == 0,
		  "a byte a minute from the start: ended by the deadline, %" PRIu64 " bytes passed",
		  r->delivered);
	rig_free(r);
}

/* The rest of a head that was claimed: nothing ends it, and its end is judged. */
static void slow_field(const char *line, bool is_allowed)
{
	struct rig *r = rig_new((struct rig_sizes){64, MIB});
	struct conn c = conn_of(client, 40000);
	uint64_t most = 0;
	bool stands = conn_open(r, &c);
	uint64_t total = strlen(line);
	(void)conn_say(r, &c, 0, text(line)); /* the verdict comes with the end of the head */
	for (unsigned minute = 0; minute < 600; minute++) {
		rig_wait(r, MINUTE_MS);
		(void)conn_say(r, &c, 0, text("a"));
		(void)conn_ack(r, &c, 1);
		most = rig_held(r) > most ? rig_held(r) : most;
	}
	uint64_t before = r->delivered;
	enum rig_answer end = conn_say(r, &c, 0, text("\r\n\r\n"));
	total += 600 + 4;
	bool is_judged = rig_count(r, COUNTER_REQUESTS) == 1;
	score_try(SCORE_S14, stands && is_judged && most <= CHUNK_BYTES,
		  "ten hours of a head: judged, %" PRIu64 " bytes kept", most);
	if (is_allowed)
		score_try(SCORE_S14, end == RIG_ACCEPTED && r->delivered == total,
			  "ten hours of an allowed head: it passes");
	else
		score_try(SCORE_S14, end == RIG_DROPPED && r->delivered == before && before < total,
			  "ten hours of a forbidden head: its end does not pass");
	rig_free(r);
}

/* How many of 100 requests, under way at once, pass at the first attempt. */
static unsigned asks_at_once(struct rig *r)
{
	static struct conn honest[100];
	unsigned n = 0;
	for (uint32_t i = 0; i < 100; i++) {
		honest[i] = conn_of(client + 1, (uint16_t)(20000 + i));
		(void)conn_open(r, &honest[i]); /* if not, its request does not pass either */
	}
	for (uint32_t i = 0; i < 100; i++)
		n += conn_say(r, &honest[i], 0, text("GET /ok/a HTTP/1.1\r\nHost: web\r\n\r\n")) ==
		     RIG_ACCEPTED;
	return n;
}

/* More half heads than the pool has blocks. */
static void a_crowd_of_half_heads(void)
{
	const uint64_t pool = 8 * MIB;
	struct rig *r = rig_new((struct rig_sizes){65536, pool});
	for (uint32_t i = 0; i < 8192; i++) {
		struct conn one = conn_of(crowd + i, 40000);
		(void)conn_open(r, &one); /* the counters say what became of all */
		(void)conn_say(r, &one, 0, text("GET /ok/a HTTP/1.1\r\nHost: web\r\nX: "));
		(void)conn_ack(r, &one, 1);
	}
	score_try(SCORE_S14, rig_held(r) <= pool && rig_count(r, COUNTER_HELD_FULL) > 0,
		  "8192 half heads: %" PRIu64 " of %" PRIu64 " KiB held, %" PRIu64
		  " counted as held_full",
		  rig_held(r) >> 10, pool >> 10, rig_count(r, COUNTER_HELD_FULL));
	rig_wait(r, EVICTED_MS);
	score_try(SCORE_S14, rig_count(r, COUNTER_HELD_EVICTED) > 0,
		  "8192 half heads: %" PRIu64 " that stood still were ended",
		  rig_count(r, COUNTER_HELD_EVICTED));
	struct conn late = conn_of(client, 40000);
	score_try(SCORE_S14, conn_open(r, &late) && conn_exchange(r, &late),
		  "8192 half heads: another connection is served");
	unsigned n = asks_at_once(r);
	score_try(SCORE_S14, n == 100,
		  "8192 half heads: of 100 requests under way at once %u pass at the first attempt",
		  n);
	rig_free(r);
}

/* ---- who never reads ---- */

/* Requests in a row, never acknowledged, in full segments. */
static void send_much(struct rig *r, struct conn *c, uint64_t bytes)
{
	static uint8_t segment[1400];
	const struct bytes ask = text("GET /ok/abc HTTP/1.1\r\nHost: web\r\n\r\n");
	for (size_t i = 0; i + ask.n <= sizeof(segment); i += ask.n)
		memcpy(segment + i, ask.p, ask.n);
	for (uint64_t n = 0; n < bytes; n += sizeof(segment))
		if (conn_data(r, c, 0, c->sent[0], bytes_of(segment, sizeof(segment))) ==
		    RIG_ACCEPTED)
			c->sent[0] += sizeof(segment);
}

static void never_reads(uint16_t window, const char *what)
{
	const uint64_t pool = 8 * MIB;
	struct rig *r = rig_new((struct rig_sizes){1024, pool});
	struct conn c = conn_of(client, 40000), other = conn_of(client, 40001);
	bool stands = conn_open(r, &c) && conn_open(r, &other);
	c.window[1] = window;
	(void)conn_ack(r, &c, 1); /* says the window */
	send_much(r, &c, 16 * MIB);
	score_try(SCORE_S14, stands && rig_held(r) <= REASM_KEPT_MAX,
		  "%s: %" PRIu64 " KiB kept, %" PRIu64 " segments held_full, %" PRIu64
		  " out_of_window",
		  what, rig_held(r) >> 10, rig_count(r, COUNTER_HELD_FULL),
		  rig_count(r, COUNTER_OUT_OF_WINDOW));
	score_try(SCORE_S14, r->delivered == c.sent[0], "%s: what did not fit did not pass", what);
	score_try(SCORE_S14, conn_exchange(r, &other), "%s: another connection is served", what);
	rig_free(r);
}

/* A hundred of them together want more than there is. */
static void a_crowd_that_never_reads(void)
{
	const uint64_t pool = 8 * MIB;
	struct rig *r = rig_new((struct rig_sizes){1024, pool});
	for (uint32_t i = 0; i < 100; i++) {
		struct conn one = conn_of(crowd + i, 40000);
		(void)conn_open(r, &one); /* held_full says that they took what they could */
		(void)conn_ack(r, &one, 1);
		send_much(r, &one, MIB);
	}
	struct conn late = conn_of(client, 40000);
	score_try(SCORE_S14, rig_held(r) <= pool && rig_count(r, COUNTER_HELD_FULL) > 0,
		  "100 that never read: %" PRIu64 " of %" PRIu64 " KiB kept", rig_held(r) >> 10,
		  pool >> 10);
	rig_wait(r, EVICTED_MS);
	score_try(SCORE_S14, conn_open(r, &late) && conn_exchange(r, &late),
		  "100 that never read: another is served");
	rig_free(r);
}

void slow_run(void)
{
	slow_from_the_start();
	slow_field("GET /no HTTP/1.1\r\nHost: web\r\nX: ", false);
	slow_field("GET /ok/a HTTP/1.1\r\nHost: web\r\nX: ", true);
	a_crowd_of_half_heads();
	never_reads(0, "a closed window");
	never_reads(60000, "an open window, no acknowledgement");
	a_crowd_that_never_reads();
}
