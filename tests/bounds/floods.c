/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Floods of connections and of segments against a table of a known size. Beside every flood,
 * established connections go on asking; each request must be judged. The memory of the process must
 * stay where the configuration put it: the shard's size plus what worker_new took.
 */
#include "parts.h"

#include "engine/internal.h"
#include "rig.h"
#include "score.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
	ESTABLISHED = 1000,
	TABLE = 65536,
	MILLION = 1000000,
};

static const uint32_t clients = 0xc6120100;  /* 198.18.1.0: the established */
static const uint32_t flooders = 0xc6130000; /* 198.19.0.0: everybody else */

#define MIB (UINT64_C(1) << 20)

/* The n'th tuple of a flood; all differ up to 2^16 * 50,000. */
static struct conn flooder(uint32_t n)
{
	return conn_of(flooders + n % 65536, (uint16_t)(1024 + n / 65536));
}

static struct conn *established(struct rig *r)
{
	struct conn *all = calloc(ESTABLISHED, sizeof(*all));
	unsigned n = 0;
	for (uint32_t i = 0; all && i < ESTABLISHED; i++) {
		all[i] = conn_of(clients + i % 200, (uint16_t)(20000 + i));
		n += conn_open(r, &all[i]) && conn_exchange(r, &all[i]);
	}
	score_try(SCORE_S14, n == ESTABLISHED, "%u connections stand, each had an answer", n);
	return all;
}

/* What the process may not exceed, taken before a flood. */
struct ceiling {
	uint64_t rss, heap;
};

/* All pages of the shard could be touched; nothing else may grow. 1 MiB: stdio, page tables of the
 * libc. */
static struct ceiling ceiling_of(const struct rig *r)
{
	return (struct ceiling){
		.rss = score_rss() + r->shard_bytes +
		       2 * (uint64_t)TABLE * sizeof(struct deadline) + MIB,
		.heap = score_heap(),
	};
}

static void keeps_ceiling(const char *what, const struct ceiling *c)
{
	uint64_t rss = score_rss(), heap = score_heap();
	score_try(SCORE_S14, rss <= c->rss && heap <= c->heap,
		  "%s: resident %" PRIu64 " of at most %" PRIu64 " KiB, heap grew by %" PRId64
		  " bytes",
		  what, rss >> 10, c->rss >> 10, (int64_t)(heap - c->heap));
}

static void still_refused(struct rig *r, struct conn *all, const char *what)
{
	unsigned n = 0;
	for (uint32_t i = 0; i < ESTABLISHED; i++)
		n += conn_is_refused(r, &all[i]);
	score_try(SCORE_S14, n == ESTABLISHED, "%s: a forbidden request on each was refused: %u",
		  what, n);
}

/* 1,000,000 SYNs in ten seconds; every hundredth is followed by an exchange on an established
 * connection. */
static void syn_flood(void)
{
	struct rig *r = rig_new((struct rig_sizes){TABLE, 64 * MIB});
	struct conn *all = established(r);
	struct ceiling c = ceiling_of(r);
	unsigned judged = 0, passed = 0;
	for (uint32_t i = 0; i < MILLION; i++) {
		const struct conn syn = flooder(i);
		passed += conn_syn(r, &syn) == RIG_ACCEPTED;
		if (i % 100 == 99)
			judged += conn_exchange(r, &all[i / 100 % ESTABLISHED]);
		if (i % 5000 == 4999)
			rig_wait(r, WORKER_TICK_MS);
	}
	score_try(SCORE_S14, judged == MILLION / 100,
		  "SYN flood: %u of %u requests judged and answered", judged, MILLION / 100);
	score_try(SCORE_S14, r->worker->shard.n_flows <= TABLE,
		  "SYN flood: %u flows in a table of %u", r->worker->shard.n_flows, TABLE);
	uint64_t refused = rig_count(r, COUNTER_FLOWS_FULL);
	score_try(SCORE_S14, passed + refused == MILLION,
		  "SYN flood: %u took a place, %" PRIu64 " counted as flows_full", passed, refused);
	score_try(SCORE_S14,
		  rig_count(r, COUNTER_FLOWS_CLOSED) == r->n_ended && r->n_ended >= passed - TABLE,
		  "SYN flood: %" PRIu64 " evicted or expired, each recorded", r->n_ended);
	keeps_ceiling("SYN flood", &c);
	still_refused(r, all, "SYN flood");
	free(all);
	rig_free(r);
}

/* The server answers each SYN, and nobody takes the answer. Newcomers must still find room. */
static void answered_syn_flood(void)
{
	struct rig *r = rig_new((struct rig_sizes){TABLE, 64 * MIB});
	struct conn *all = established(r);
	unsigned judged = 0, newcomers = 0;
	for (uint32_t i = 0; i < 4 * TABLE; i++) {
		const struct conn syn = flooder(i);
		if (conn_syn(r, &syn) == RIG_ACCEPTED)
			(void)conn_syn_ack(r, &syn); /* nobody waits for it */
		if (i % 100 == 99)
			judged += conn_exchange(r, &all[i / 100 % ESTABLISHED]);
	}
	rig_wait(r, 1100); /* a half-open connection has a second */
	for (uint16_t i = 0; i < 1000; i++) {
		struct conn late = conn_of(clients + 240, (uint16_t)(30000 + i));
		newcomers += conn_open(r, &late) && conn_exchange(r, &late);
	}
	score_try(SCORE_S14, judged == 4 * TABLE / 100,
		  "answered SYN flood: %u requests judged and answered", judged);
	score_try(SCORE_S14, newcomers >= 950,
		  "answered SYN flood: %u of 1000 newcomers are served", newcomers);
	still_refused(r, all, "answered SYN flood");
	free(all);
	rig_free(r);
}

/* Connections that stand and say nothing: not to be evicted, so the newcomers are refused. */
static void connection_flood(void)
{
	struct rig *r = rig_new((struct rig_sizes){TABLE, 64 * MIB});
	struct conn *all = established(r);
	struct ceiling c = ceiling_of(r);
	unsigned judged = 0, stand = 0;
	for (uint32_t i = 0; i < 2 * TABLE; i++) {
		struct conn one = flooder(i);
		stand += conn_open(r, &one);
		if (i % 100 == 99)
			judged += conn_exchange(r, &all[i / 100 % ESTABLISHED]);
	}
	uint64_t refused = rig_count(r, COUNTER_FLOWS_FULL);
	score_try(SCORE_S14, judged == 2 * TABLE / 100,
		  "connection flood: %u requests judged and answered", judged);
	score_try(SCORE_S14, stand == TABLE - ESTABLISHED && refused >= 2 * TABLE - stand,
		  "connection flood: %u stand, %" PRIu64 " packets counted as flows_full", stand,
		  refused);
	keeps_ceiling("connection flood", &c);
	still_refused(r, all, "connection flood");
	rig_wait(r, 40000); /* the silent ones are given up after 30 s, told so, and forgotten after
			       30 more */
	rig_wait(r, 40000);
	struct conn late = conn_of(clients + 250, 30000);
	score_try(SCORE_S14, conn_open(r, &late) && conn_exchange(r, &late),
		  "connection flood: over, there is room");
	free(all);
	rig_free(r);
}

/* ---- a million flows ---- */

static unsigned found_again(struct rig *r, uint32_t n_flows)
{
	unsigned n = 0;
	for (uint32_t i = 0; i < 1000; i++) {
		struct conn one = flooder(i * (n_flows / 1000));
		n += conn_exchange(r, &one);
	}
	return n;
}

static void a_million_flows(void)
{
	const uint32_t room = 1 << 20;
	uint64_t before = score_rss();
	struct rig *r = rig_new((struct rig_sizes){room, 64 * MIB});
	unsigned stand = 0;
	for (uint32_t i = 0; i < room; i++) {
		struct conn one = flooder(i);
		stand += conn_open(r, &one);
	}
	uint64_t rss = score_rss(), each = (rss - before) / room;
	score_try(SCORE_S14, stand == room, "%u flows stand", stand);
	score_try(SCORE_S14, rss <= 1024 * MIB,
		  "%u flows: resident %" PRIu64 " MiB of at most 1024", stand, rss / MIB);
	score_try(SCORE_S14, each <= 600,
		  "%u flows: %" PRIu64 " bytes each of at most 600 (struct flow: %zu)", stand, each,
		  sizeof(struct flow));
	unsigned n = found_again(r, room);
	score_try(SCORE_S14, n == 1000, "%u flows: %u of 1000 asked are found and judged", stand,
		  n);
	struct conn more = flooder(room);
	score_try(SCORE_S14,
		  conn_syn(r, &more) == RIG_DROPPED && rig_count(r, COUNTER_FLOWS_FULL) == 1,
		  "%u flows: one more is refused and counted", stand);
	rig_free(r);
}

/* What a flow takes once a protocol was claimed and one request judged. */
static void idle_after_a_request(void)
{
	uint64_t before = score_rss();
	struct rig *r = rig_new((struct rig_sizes){TABLE, 64 * MIB});
	unsigned n = 0;
	for (uint32_t i = 0; i < TABLE; i++) {
		struct conn one = flooder(i);
		n += conn_open(r, &one) && conn_exchange(r, &one);
	}
	uint64_t each = (score_rss() - before) / TABLE;
	score_try(SCORE_S14, n == TABLE && rig_held(r) == 0,
		  "%u flows idle after a request: no byte is kept", n);
	score_try(SCORE_S14, each <= 600,
		  "%u flows idle after a request: %" PRIu64 " bytes each of at most 600", n, each);
	rig_free(r);
}

/* ---- out of order ---- */

/* A connection of the crowd: one segment beyond a hole of 64 KiB. The server's window is open for
 * more. */
static void leave_hole(struct rig *r, uint32_t n)
{
	static const uint8_t junk[1000];
	struct conn one = flooder(n);
	(void)conn_open(r, &one); /* the caller looks at the counters */
	(void)conn_ack(r, &one, 1);
	(void)conn_data(r, &one, 0, 65536, bytes_of(junk, sizeof(junk)));
}

/* 100,000 of them, into a small pool. */
static void hole_flood(void)
{
	const uint64_t pool = 8 * MIB;
	const uint32_t crowd = 100000;
	struct rig *r = rig_new((struct rig_sizes){2 * TABLE, pool});
	struct conn *all = established(r);
	struct ceiling c = ceiling_of(r);
	c.rss += 2 * (uint64_t)TABLE * sizeof(struct deadline); /* a table twice as large */
	unsigned judged = 0;
	uint64_t most = 0;
	for (uint32_t i = 0; i < crowd; i++) {
		leave_hole(r, i);
		most = rig_held(r) > most ? rig_held(r) : most;
		if (i % 10 == 9)
			judged += conn_exchange(r, &all[i / 10 % ESTABLISHED]);
	}
	score_try(SCORE_S14, r->worker->shard.n_flows == crowd + ESTABLISHED,
		  "holes: all %u connections stand", crowd);
	score_try(SCORE_S14, most <= pool, "holes: at most %" PRIu64 " of %" PRIu64 " KiB held",
		  most >> 10, pool >> 10);
	score_try(SCORE_S14, rig_count(r, COUNTER_HELD_FULL) >= crowd - pool / CHUNK_BYTES,
		  "holes: %" PRIu64 " segments counted as held_full",
		  rig_count(r, COUNTER_HELD_FULL));
	score_try(SCORE_S14, judged == crowd / 10, "holes: %u of %u requests judged and answered",
		  judged, crowd / 10);
	keeps_ceiling("holes", &c);
	still_refused(r, all, "holes");
	free(all);
	rig_free(r);
}

/* Beside such a crowd, requests under way on many connections at once, none acknowledged yet. */
static void crowd_and_the_honest(void)
{
	static const char ask[] = "GET /ok/a HTTP/1.1\r\nHost: web\r\n\r\n";
	struct rig *r = rig_new((struct rig_sizes){2 * TABLE, 8 * MIB});
	struct conn *all = established(r);
	for (uint32_t i = 0; i < 8192; i++)
		leave_hole(r, i);
	unsigned n = 0;
	for (uint32_t i = 0; i < 100; i++)
		n += conn_say(r, &all[i], 0, bytes_of(ask, sizeof(ask) - 1)) == RIG_ACCEPTED;
	score_gap(SCORE_S14, n == 100,
		  "holes: of 100 requests under way at once %u pass at the first attempt", n);
	free(all);
	rig_free(r);
}

void floods_run(void)
{
	syn_flood();
	answered_syn_flood();
	connection_flood();
	a_million_flows();
	idle_after_a_request();
	hole_flood();
	crowd_and_the_honest();
}
