/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Held, not leaked: what is denied is never whole at the receiver, wherever the network cuts it and
 * in whatever order the pieces come; and before the application is known not one byte arrives. For
 * each protocol a dialogue up to a denied unit, which is then sent
 *
 *	in two pieces, at every cut, in both orders
 *	in pieces of one byte, forwards and backwards
 *	in up to six pieces, in every order (720), at many places
 *
 * each as a first unit and behind an answered one. The same unit in its allowed form must come
 * through every time: a firewall that loses everything leaks nothing either.
 */
#include "engine_rig.h"

#include <stdio.h>

struct line {
	unsigned dir; /* 0: from the client */
	const char *bytes;
	size_t n;
};

#define SAY(dir, text)                                                                             \
	{                                                                                          \
		dir, text, sizeof(text) - 1                                                        \
	}

enum { LINES_MAX = 6, PIECES_MAX = 6 };

struct dialogue {
	const char *name, *rule;
	struct line before[LINES_MAX]; /* handshake, login: all of it must pass */
	struct line request,
		answer; /* an allowed exchange before the one in question; none: n is 0 */
	struct line denied, allowed; /* of equal length */
};

#define GREETING                                                                                   \
	"S\0\0\0\n10.11.0-MariaDB\0\1\0\0\0abcdefgh\0_\xf7-\2\0\xbf\x81\x15\0\0\0\0\0\0\0\0\0\0"   \
	"ijklmnopqrst\0mysql_native_password\0"
#define LOGIN                                                                                      \
	"C\0\0\1\x09\x82\x09\1\0\0\0\1-\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0wp\0\4"       \
	"passblog\0mysql_native_password\0"
#define STARTUP "\0\0\0\x20\0\3\0\0user\0app\0database\0shop\0\0"
#define READY                                                                                      \
	"R\0\0\0\x8\0\0\0\0S\0\0\0\x19"                                                            \
	"client_encoding\0UTF8\0S\0\0\0\x23"                                                       \
	"standard_conforming_strings\0on\0Z\0\0\0\5I"
#define MYSQL_OK "\7\0\0\2\0\0\0\2\0\0\0"

static const struct dialogue dialogues[] = {
	{
		.name = "http",
		.rule = "app: http, allow: [{paths: ['/ok/**']}]",
		.request = SAY(0, "GET /ok/1 HTTP/1.1\r\nHost: web\r\n\r\n"),
		.answer = SAY(1, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
		.denied = SAY(0, "GET /no/x HTTP/1.1\r\nHost: web\r\n\r\n"),
		.allowed = SAY(0, "GET /ok/x HTTP/1.1\r\nHost: web\r\n\r\n"),
	},
	{
		.name = "redis",
		.rule = "app: redis, allow: [{commands: [get]}]",
		.request = SAY(0, "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"),
		.answer = SAY(1, "$1\r\nv\r\n"),
		.denied = SAY(0, "*2\r\n$3\r\nDEL\r\n$5\r\nk1234\r\n"),
		.allowed = SAY(0, "*2\r\n$3\r\nGET\r\n$5\r\nk1234\r\n"),
	},
	{
		.name = "mysql",
		.rule = "app: mysql, allow: [{verbs: [read]}]",
		.before = {SAY(1, GREETING), SAY(0, LOGIN), SAY(1, MYSQL_OK)},
		.request = SAY(0, "\1\0\0\0\x0e"),
		.answer = SAY(1, "\7\0\0\1\0\0\0\2\0\0\0"),
		.denied = SAY(0, "\x16\0\0\0\3DELETE FROM wp_posts "),
		.allowed = SAY(0, "\x16\0\0\0\3SELECT * FROM wp_post"),
	},
	{
		.name = "postgres",
		.rule = "app: postgres, allow: [{verbs: [read]}]",
		.before = {SAY(0, STARTUP), SAY(1, READY)},
		.request = SAY(0, "Q\0\0\0\xdSELECT 1\0"),
		.answer = SAY(1, "C\0\0\0\xdSELECT 1\0Z\0\0\0\5I"),
		.denied = SAY(0, "Q\0\0\0\x14"
				 "DELETE FROM t  \0"),
		.allowed = SAY(0, "Q\0\0\0\x14"
				  "SELECT * FROM t\0"),
	},
	{
		.name = "dns",
		.rule = "app: dns, allow: [{names: ['*.example.com']}]",
		.request = SAY(0, "\0\x1f\0\7\1\0\0\1\0\0\0\0\0\0\1a\7example\3com\0\0\1\0\1"),
		.answer = SAY(1, "\0\x1f\0\7\x81\x80\0\1\0\0\0\0\0\0\1a\7example\3com\0\0\1\0\1"),
		.denied = SAY(0, "\0\x1f\0\x08\1\0\0\1\0\0\0\0\0\0\1b\7example\3org\0\0\1\0\1"),
		.allowed = SAY(0, "\0\x1f\0\x08\1\0\0\1\0\0\0\0\0\0\1b\7example\3com\0\0\1\0\1"),
	},
};

enum { N_DIALOGUES = sizeof(dialogues) / sizeof(dialogues[0]) };

static struct rig *r;
static struct rig_connection c;
static uint64_t n_tried;

static void say(const struct line *line)
{
	const struct rig_packet *p =
		rig_data(&c, line->dir, c.sent[line->dir], line->bytes, line->n);
	RIG_CHECK(p->is_answered && p->accepted, "a line of the beginning did not pass");
	c.sent[line->dir] += (uint32_t)line->n;
}

/* One connection up to the unit in question; returns how many bytes the server has by then. */
static uint32_t begin(const struct dialogue *d, bool is_first)
{
	for (int side = 0; side < 2; side++) {
		rig_receiver_restart(&r->to[side], 0);
		r->to[side].has_start = false;
	}
	c = rig_connection(r, &rig_web);
	rig_open(&c);
	for (const struct line *line = d->before; line < d->before + LINES_MAX && line->n > 0;
	     line++)
		say(line);
	if (!is_first) {
		say(&d->request);
		say(&d->answer);
	}
	return c.sent[0];
}

static bool is_identifying(void)
{
	for (uint32_t i = 0; i < r->w->shard.header->high_water; i++)
		if (r->w->shard.flows[i].phase == FLOW_IDENTIFYING)
			return true;
	return false;
}

/* Sends pieces [cut[i], cut[i + 1]) in this order; cut[n] is the length. */
static void send_pieces(const struct line *unit, const uint32_t *cut, const unsigned *order,
			unsigned n)
{
	const uint32_t at = c.sent[0];
	for (unsigned i = 0; i < n; i++) {
		uint32_t from = cut[order[i]], to = cut[order[i] + 1];
		if (from < to)
			(void)rig_data(&c, 0, at + from, unit->bytes + from, to - from);
		RIG_CHECK(!is_identifying() || r->to[0].n_segments == 0,
			  "a byte arrived before the application was known");
	}
}

static void end(void)
{
	worker_finish(r->w, r->now);
	rig_flush(r);
	r->n_sent = 0;
	for (int i = 0; i < RIG_PACKETS; i++)
		r->sent[i].is_answered = true;
}

/* Denied, it is not whole there; allowed, it is. */
static void try(const struct dialogue *d, bool is_first, const uint32_t *cut, const unsigned *order,
		unsigned n)
{
	for (int is_allowed = 0; is_allowed < 2; is_allowed++) {
		const struct line *unit = is_allowed ? &d->allowed : &d->denied;
		const uint32_t had = begin(d, is_first);
		send_pieces(unit, cut, order, n);
		const uint32_t more = rig_contiguous(&r->to[0], RIG_FIRST) - had;
		RIG_CHECK(is_allowed || more < unit->n, "%s: a denied unit is whole at the server",
			  d->name);
		RIG_CHECK(!is_allowed || more == unit->n, "%s: an allowed unit was lost: %u of %zu",
			  d->name, more, unit->n);
		end();
		n_tried++;
	}
}

static void begin_rig(const struct dialogue *d)
{
	char policy[512];
	(void)snprintf(policy, sizeof(policy),
		       "version: 1\nrules:\n- {name: r, from: shop/client, to: shop/web, %s}\n",
		       d->rule);
	r = rig_new_sized(policy, 64, 16 << 20, 512);
}

static void end_rig(void)
{
	r->to[0].top = r->to[1].top = 0;
	rig_free(r);
	r = NULL;
}

static void every_cut(int which)
{
	static const unsigned orders[2][2] = {{0, 1}, {1, 0}};
	const struct dialogue *d = &dialogues[which / 2];
	begin_rig(d);
	for (uint32_t at = 1; at < d->denied.n; at++) {
		const uint32_t cut[] = {0, at, (uint32_t)d->denied.n};
		for (int o = 0; o < 2; o++)
			try(d, which % 2, cut, orders[o], 2);
	}
	end_rig();
}

START_TEST(at_every_cut_in_both_orders)
{
	every_cut(_i);
}
END_TEST

static void bytes_alone(int which)
{
	enum { BYTES_MAX = 128 };
	const struct dialogue *d = &dialogues[which / 2];
	uint32_t cut[BYTES_MAX + 1];
	unsigned order[BYTES_MAX];
	const unsigned n = (unsigned)d->denied.n;
	ck_assert_uint_le(n, BYTES_MAX);
	begin_rig(d);
	for (int is_backwards = 0; is_backwards < 2; is_backwards++) {
		for (unsigned i = 0; i < n; i++) {
			cut[i] = i;
			order[i] = is_backwards ? n - 1 - i : i;
		}
		cut[n] = n;
		try(d, which % 2, cut, order, n);
	}
	end_rig();
}

START_TEST(byte_by_byte_forwards_and_backwards)
{
	bytes_alone(_i);
}
END_TEST

/* The next permutation in lexical order; false after the last. */
static bool next_order(unsigned *order, unsigned n)
{
	unsigned i = n - 1, j = n - 1;
	while (i > 0 && order[i - 1] >= order[i])
		i--;
	if (i == 0)
		return false;
	while (order[j] <= order[i - 1])
		j--;
	unsigned t = order[i - 1];
	order[i - 1] = order[j];
	order[j] = t;
	for (j = n - 1; i < j; i++, j--) {
		t = order[i];
		order[i] = order[j];
		order[j] = t;
	}
	return true;
}

static void choose_cuts(uint32_t *cut, unsigned n, uint32_t length, uint64_t *dice)
{
	cut[0] = 0;
	cut[n] = length;
	for (unsigned i = 1; i < n; i++)
		cut[i] = cut[i - 1] + 1 + rig_below(dice, (length - cut[i - 1] - 1) / (n - i));
}

static void every_order(int which)
{
	const struct dialogue *d = &dialogues[which / 2];
	uint64_t dice = (uint64_t)which + 1;
	begin_rig(d);
	for (unsigned n = 3; n <= PIECES_MAX; n++) {
		uint32_t cut[PIECES_MAX + 1];
		unsigned order[PIECES_MAX];
		choose_cuts(cut, n, (uint32_t)d->denied.n, &dice);
		for (unsigned i = 0; i < n; i++)
			order[i] = i;
		do
			try(d, which % 2, cut, order, n);
		while (next_order(order, n));
	}
	end_rig();
}

START_TEST(in_up_to_six_pieces_in_every_order)
{
	every_order(_i);
}
END_TEST

int main(int argc, char **argv)
{
	(void)argv; /* any word: in one process, and count */
	Suite *suite = suite_create("held");
	TCase *tc = tcase_create("dialogues");
	tcase_set_timeout(tc, 20);
	tcase_add_loop_test(tc, at_every_cut_in_both_orders, 0, 2 * N_DIALOGUES);
	tcase_add_loop_test(tc, byte_by_byte_forwards_and_backwards, 0, 2 * N_DIALOGUES);
	tcase_add_loop_test(tc, in_up_to_six_pieces_in_every_order, 0, 2 * N_DIALOGUES);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	if (argc > 1)
		srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, argc > 1 ? CK_SILENT : CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	if (argc > 1)
		(void)printf("scorecard S4 tried=%llu failed=%d\n", (unsigned long long)n_tried,
			     failed);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
