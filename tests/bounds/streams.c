/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Streams in the worst of pieces, through the whole worker. Twice the segments may take about twice
 * the time: a ratio of 3 and more is a cost that grows with its square. What a byte on the wire
 * costs, headers and all, is set against that of ordinary requests and replies.
 */
#include "parts.h"

#include "cost.h"
#include "rig.h"
#include "score.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { AHEAD = 1 << 18 }; /* where segments out of order are scattered */

static const uint32_t client = 0xc6120102;

#define MIB (UINT64_C(1) << 20)

struct stream {
	struct rig *r;
	struct conn c, other;
};

static void *begin(const char *first)
{
	struct stream *s = calloc(1, sizeof(*s));
	if (!s)
		abort();
	s->r = rig_new((struct rig_sizes){64, 8 * MIB});
	s->c = conn_of(client, 40000);
	if (!conn_open(s->r, &s->c) || conn_ack(s->r, &s->c, 1) != RIG_ACCEPTED)
		abort();
	if (*first)
		(void)conn_say(s->r, &s->c, 0,
			       bytes_of(first, strlen(first))); /* judged when it is whole */
	return s;
}

static void end(void *prepared)
{
	struct stream *s = prepared;
	rig_free(s->r);
	free(s);
}

static void *begin_plain(uint32_t n)
{
	(void)n;
	return begin("");
}

static void *begin_head(uint32_t n)
{
	(void)n;
	return begin("GET /ok/a HTTP/1.1\r\nHost: web\r\nX: ");
}

/* Two connections: what is kept of one is not what the other needs. */
static void *begin_two_heads(uint32_t n)
{
	static const char head[] = "GET /ok/a HTTP/1.1\r\nHost: web\r\nX: ";
	struct stream *s = begin_head(n);
	s->other = conn_of(client, 40001);
	if (!conn_open(s->r, &s->other) || conn_ack(s->r, &s->other, 1) != RIG_ACCEPTED)
		abort();
	(void)conn_say(s->r, &s->other, 0, bytes_of(head, strlen(head))); /* as in begin() */
	return s;
}

static void *begin_body(uint32_t n)
{
	(void)n;
	return begin("GET /ok/a HTTP/1.1\r\nHost: web\r\nContent-Length: 100000000\r\n\r\n");
}

static void *begin_chunks(uint32_t n)
{
	(void)n;
	return begin("GET /ok/a HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\n\r\n");
}

/* ---- what is sent; n segments each ---- */

static void ordinary(void *prepared, uint32_t n)
{
	struct stream *s = prepared;
	for (uint32_t i = 0; i < n / 4; i++)
		(void)conn_exchange(s->r, &s->c); /* four segments; only their cost matters */
}

static void say_bytes(void *prepared, uint32_t n)
{
	struct stream *s = prepared;
	for (uint32_t i = 0; i < n; i++)
		(void)conn_say(s->r, &s->c, 0,
			       bytes_of("a", 1)); /* only the cost matters, here and below */
}

static void say_in_turns(void *prepared, uint32_t n)
{
	struct stream *s = prepared;
	for (uint32_t i = 0; i < n; i++)
		(void)conn_say(s->r, i % 2 ? &s->other : &s->c, 0, bytes_of("a", 1));
}

/* n segments full of chunks of one byte. */
static void say_chunks(void *prepared, uint32_t n)
{
	static uint8_t segment[1440];
	struct stream *s = prepared;
	const struct bytes chunk = bytes_of("1\r\na\r\n", 6);
	for (size_t i = 0; i < sizeof(segment); i += chunk.n)
		memcpy(segment + i, chunk.p, chunk.n);
	for (uint32_t i = 0; i < n; i++) {
		(void)conn_say(s->r, &s->c, 0, bytes_of(segment, sizeof(segment)));
		(void)conn_ack(s->r, &s->c, 1);
	}
}

/* The same, byte by byte. */
static void drip_chunks(void *prepared, uint32_t n)
{
	static const uint8_t chunk[] = "1\r\na\r\n";
	struct stream *s = prepared;
	for (uint32_t i = 0; i < n; i++) {
		(void)conn_say(s->r, &s->c, 0, bytes_of(chunk + i % 6, 1));
		if (i % 6 == 5)
			(void)conn_ack(s->r, &s->c, 1);
	}
}

/* Pipelined requests of the least size, byte by byte. */
static void drip_requests(void *prepared, uint32_t n)
{
	static const char ask[] = "GET /ok/a HTTP/1.1\r\nHost: w\r\n\r\n";
	const uint32_t size = sizeof(ask) - 1;
	struct stream *s = prepared;
	for (uint32_t i = 0; i < n; i++) {
		(void)conn_say(s->r, &s->c, 0, bytes_of(ask + i % size, 1));
		if (i % size == size - 1)
			(void)conn_ack(s->r, &s->c, 1);
	}
}

static void ahead(struct stream *s, uint32_t at, uint32_t n)
{
	static const uint8_t data[1400];
	(void)conn_data(s->r, &s->c, 0, s->c.sent[0] + 1 + at, bytes_of(data, n));
}

/* A byte here, a byte there, never two that touch. */
static void scattered(void *prepared, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		ahead(prepared, (i * 2654435761u) % AHEAD & ~1u, 1);
}

static void backwards(void *prepared, uint32_t n)
{
	for (uint32_t i = n; i > 0; i--)
		ahead(prepared, 2 * i, 1);
}

static void forwards(void *prepared, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		ahead(prepared, 2 * i, 1);
}

/* Whole segments over all that was scattered before, again and again. */
static void *begin_scattered(uint32_t n)
{
	struct stream *s = begin_head(n);
	for (uint32_t i = 0; i < 2000; i++)
		ahead(s, (i * 2654435761u) % AHEAD & ~1u, 1);
	return s;
}

static void over_all(void *prepared, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		ahead(prepared, AHEAD - 1400 - (i * 1400) % (AHEAD - 1400), 1400);
}

/* The window of unacknowledged requests, sent again and again from its end. */
static void *begin_unacked(uint32_t n)
{
	static const char ask[] = "GET /ok/a HTTP/1.1\r\nHost: w\r\n\r\n";
	struct stream *s = begin_plain(n);
	for (uint32_t i = 0; i < 60000; i++)
		(void)conn_say(s->r, &s->c, 0, bytes_of(ask, sizeof(ask) - 1));
	return s;
}

static void resend(void *prepared, uint32_t n)
{
	static const char ask[] = "GET /ok/a HTTP/1.1\r\nHost: w\r\n\r\n";
	const uint32_t size = sizeof(ask) - 1;
	struct stream *s = prepared;
	for (uint32_t i = 0; i < n; i++)
		(void)conn_data(s->r, &s->c, 0, size * (50000 - i % 25000), bytes_of(ask, size));
}

enum { USUAL_BYTES = WIRE_HEADERS + 18 }; /* of a segment of `ordinary`, on average */

static const struct row {
	const char *name;
	struct cost_work work;
	uint32_t n;	/* segments; twice as many are compared with it */
	uint32_t bytes; /* of each, headers included */
	double known_growth,
		known_each; /* gaps that are known: up to so many times; README.md says why */
} rows[] = {
	{"a head of 28 and 56 KiB, byte by byte", {begin_head, say_bytes, end}, 28000, 41, 0, 0},
	{"two such heads, in turns", {begin_two_heads, say_in_turns, end}, 56000, 41, 4.5, 6},
	{"an opaque body, byte by byte", {begin_body, say_bytes, end}, 50000, 41, 0, 0},
	{"chunks of one byte, in full segments", {begin_chunks, say_chunks, end}, 1000, 1480, 0, 0},
	{"chunks of one byte, byte by byte", {begin_chunks, drip_chunks, end}, 50000, 41, 0, 0},
	{"small requests, byte by byte", {begin_plain, drip_requests, end}, 50000, 41, 0, 0},
	{"bytes scattered ahead", {begin_head, scattered, end}, 50000, 41, 0, 0},
	{"bytes ahead, backwards", {begin_head, backwards, end}, 50000, 41, 0, 0},
	{"bytes ahead, forwards", {begin_head, forwards, end}, 50000, 41, 0, 0},
	{"bytes ahead in a body, scattered", {begin_body, scattered, end}, 50000, 41, 0, 0},
	{"segments over scattered bytes", {begin_scattered, over_all, end}, 10000, 1440, 0, 0},
	{"resent requests, 2 MiB back", {begin_unacked, resend, end}, 10000, 71, 0, 0},
};

static double usual_cost(void)
{
	static const struct cost_work usual = {begin_plain, ordinary, end};
	double ns[2];
	cost_pair(&usual, (const uint32_t[2]){40000, 40000}, ns);
	return (ns[0] < ns[1] ? ns[0] : ns[1]) / 40000 / USUAL_BYTES;
}

void streams_run(void)
{
	double usual = usual_cost();
	printf("%-40s %8s %9s %9s\n", "stream", "segments", "doubling", "a byte");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		double ns[2];
		cost_pair(&row->work, (const uint32_t[2]){row->n, 2 * row->n}, ns);
		double growth = ns[1] / ns[0], each = ns[1] / (2 * row->n) / row->bytes / usual;
		printf("%-40s %8u %8.2fx %8.2fx\n", row->name, 2 * row->n, growth, each);
		score_times(SCORE_S10, (struct score_ratio){growth, 3, row->known_growth},
			    row->name, "doubling");
		score_times(SCORE_S10, (struct score_ratio){each, 3, row->known_each}, row->name,
			    "times the usual");
	}
}
