/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random programs against the engine: segments of a stream in any order, overlapping, sent again
 * with other bytes, with FIN, RST, URG and SYN where they do not belong, acknowledgements that are
 * late or wrong, engines that die in the middle of a turn, and new policies. Three readings of what
 * was let through must agree (engine_rig.h), and what a plain parser of its own finds in them must
 * be allowed. The parser here knows nothing of the dissectors.
 *
 * A failure prints the number of its program: BW_RANDOM_FIRST=number runs it first.
 * BW_RANDOM_SECONDS prolongs the run.
 */
#include "engine_rig.h"

#include <stdio.h>
#include <sys/mman.h>
#include <time.h>

enum { STREAM_MAX = 2048, STEPS_MAX = 48, SECONDS_USUAL = 3 };

static const char policy[] =
	"version: 1\n"
	"rules:\n"
	"- {name: web, from: shop/client, to: shop/web, app: http, allow: [{paths: ['/ok/**']}]}\n"
	"- {name: cache, from: shop/client, to: shop/cache, app: redis, allow: [{commands: [get, "
	"set]}]}\n";

struct program {
	uint64_t number, dice;
	struct rig *r;
	struct rig_connection c;
	bool is_redis;
	uint8_t stream[STREAM_MAX],
		other[STREAM_MAX]; /* what is meant, and what a liar sends instead */
	uint32_t n;
	uint32_t n_reply;
};

/* Shared with the parent, which tells it when the child failed. */
static uint64_t *current;

static uint32_t below(struct program *p, uint32_t n)
{
	return rig_below(&p->dice, n);
}

/* ---- streams ---- */

static void put(struct program *p, const char *text, const char *lie)
{
	size_t n = strlen(text);
	ck_assert_uint_eq(n, strlen(lie));
	if (p->n + n > STREAM_MAX)
		return;
	memcpy(p->stream + p->n, text, n);
	memcpy(p->other + p->n, lie, n);
	p->n += (uint32_t)n;
}

static void put_http(struct program *p)
{
	switch (below(p, 8)) {
	case 0:
	case 1:
	case 2:
		put(p, "GET /ok/a HTTP/1.1\r\nHost: web\r\n\r\n",
		    "GET /no/a HTTP/1.1\r\nHost: web\r\n\r\n");
		return;
	case 3:
		put(p, "GET /no/a HTTP/1.1\r\nHost: web\r\n\r\n",
		    "GET /ok/a HTTP/1.1\r\nHost: web\r\n\r\n");
		return;
	case 4:
		put(p,
		    "POST /ok/ HTTP/1.1\r\nHost: w\r\nContent-Length: 33\r\n\r\nGET /no/a "
		    "HTTP/1.1\r\nHost: web\r\n\r\n",
		    "POST /ok/ HTTP/1.1\r\nHost: w\r\nContent-Length: 00\r\n\r\nGET /no/a "
		    "HTTP/1.1\r\nHost: web\r\n\r\n");
		return;
	case 5:
		put(p,
		    "POST /ok/ HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nGET "
		    "/no/\r\n0\r\n\r\n",
		    "POST /ok/ HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: "
		    "chunked\r\n\r\n0\r\n\r\nGET /no/0\r\n\r\n");
		return;
	case 6:
		put(p, "GET /ok/a HTTP/1.1\r\nHost: web\r\nA: b\n\r\n",
		    "GET /ok/a HTTP/1.1\r\nHost: web\r\nA: b\r\r\n");
		return;
	default:
		put(p, "HEAD /ok/ HTTP/1.1\r\nHost: web\r\nX: /no/\r\n\r\n",
		    "HEAD /no/ HTTP/1.1\r\nHost: web\r\nX: /ok/\r\n\r\n");
		return;
	}
}

static void put_redis(struct program *p)
{
	switch (below(p, 5)) {
	case 0:
		put(p, "*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n", "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
		return;
	case 1:
		put(p, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$20\r\n*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n\r\n",
		    "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$00\r\n*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n\r\n");
		return;
	default:
		put(p, "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", "*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n");
		return;
	}
}

/* ---- what a server would do with what it got ---- */

/* Bytes that came in a row. Bodies and values, which nobody judges, are blanked while they are
 * read. */
struct text {
	uint8_t *p;
	size_t n;
};

static void skip(struct text *t, size_t n)
{
	size_t some = n < t->n ? n : t->n;
	t->p += some;
	t->n -= some;
}

static void blank(struct text *t, size_t n)
{
	memset(t->p, '.', n < t->n ? n : t->n);
	skip(t, n);
}

static const uint8_t *find(const struct text *t, size_t n, const char *what)
{
	/* the text ends with a NUL and has none inside; names of fields have no case */
	const char *hit = strcasestr((const char *)t->p, what);
	return hit && (size_t)(hit - (const char *)t->p) + strlen(what) <= n ? (const uint8_t *)hit
									     : NULL;
}

/* Goes behind the next line end; false when there is none. *empty: the line is. */
static bool skip_line(struct text *t, bool *empty)
{
	const uint8_t *end = find(t, t->n, "\r\n");
	if (!end) {
		t->n = 0;
		return false;
	}
	*empty = end == t->p;
	skip(t, (size_t)(end - t->p) + 2);
	return true;
}

static void skip_chunks(struct text *t)
{
	bool empty = false;
	for (size_t size = 1; size;) {
		size = strtoul((const char *)t->p, NULL, 16);
		if (!skip_line(t, &empty))
			return;
		blank(t, size);
		if (size)
			skip(t, 2);
	}
	while (skip_line(t, &empty) && !empty)
		; /* the trailer */
}

/* Is every request that is complete in these bytes one that the policy allows? */
static bool http_is_allowed(struct text t)
{
	for (;;) {
		const uint8_t *end = find(&t, t.n, "\r\n\r\n");
		if (!end)
			return true;
		size_t head = (size_t)(end - t.p) + 4;
		const uint8_t *target = memchr(t.p, ' ', head);
		if (!target || memcmp(target, " /ok/", 5) != 0)
			return false;
		bool chunked = find(&t, head, "chunked");
		const uint8_t *length = find(&t, head, "Content-Length:");
		size_t body = length ? strtoul((const char *)length + 15, NULL, 10) : 0;
		skip(&t, head);
		if (chunked)
			skip_chunks(&t);
		blank(&t, body);
	}
}

static bool redis_number(struct text *t, char type, size_t *out)
{
	const uint8_t *end = find(t, t->n, "\r\n");
	if (!end || *t->p != (uint8_t)type)
		return false;
	char *stop;
	*out = strtoul((const char *)t->p + 1, &stop, 10);
	if ((const uint8_t *)stop != end || end == t->p + 1)
		return false; /* no number: a server gives up here */
	skip(t, (size_t)(end - t->p) + 2);
	return true;
}

static bool redis_is_allowed(struct text t)
{
	size_t n_args, size;
	while (redis_number(&t, '*', &n_args)) {
		const uint8_t *command = t.p + 4; /* "$3", CR, LF */
		for (size_t i = 0; i < n_args; i++) {
			if (!redis_number(&t, '$', &size))
				return true;
			bool is_whole = size + 2 <= t.n;
			(i < 2 ? skip : blank)(&t, size);
			skip(&t, 2);
			if (!is_whole)
				return true;
		}
		if (memcmp(command, "GET", 3) != 0 && memcmp(command, "SET", 3) != 0)
			return false;
	}
	return true;
}

static void check(struct program *p)
{
	static uint8_t text[RIG_READINGS][RIG_STREAM_MAX + 1];
	const struct rig_receiver *to = &p->r->to[0];
	size_t n[RIG_READINGS];
	for (int i = 0; i < RIG_READINGS; i++) {
		n[i] = rig_contiguous(to, (enum rig_reading)i);
		memcpy(text[i], to->data[i], n[i]);
		text[i][n[i]] = '\0';
		struct text t = {text[i], n[i]};
		RIG_CHECK(p->is_redis ? redis_is_allowed(t) : http_is_allowed(t),
			  "reading %d could be run: %s", i, (const char *)to->data[i]);
	}
	for (int i = 1; i < RIG_READINGS; i++)
		RIG_CHECK(memcmp(text[0], text[i], n[0] < n[i] ? n[0] : n[i]) == 0,
			  "the readings differ: %s and %s", (const char *)text[0],
			  (const char *)text[i]);
}

/* ---- steps ---- */

static uint8_t odd_flags(struct program *p)
{
	static const uint8_t odd[] = {TCP_ACK | TCP_FIN,
				      TCP_ACK | TCP_URG,
				      TCP_ACK | TCP_PSH | TCP_URG | TCP_FIN,
				      TCP_PSH,
				      TCP_ACK | TCP_RST,
				      TCP_SYN | TCP_FIN,
				      TCP_SYN | TCP_ACK,
				      0};
	return odd[below(p, sizeof(odd))];
}

/* The next bytes mostly, so that programs get somewhere; else anything. */
static void choose_range(struct program *p, uint32_t *from, uint32_t *to)
{
	uint32_t next = p->r->to[0].has_start ? rig_contiguous(&p->r->to[0], RIG_FIRST) : 0;
	*from = below(p, 3) ? next : below(p, p->n);
	if (*from > p->n)
		*from = p->n;
	uint32_t most = p->n - *from;
	*to = *from + (most ? 1 + below(p, below(p, 3) ? (most < 24 ? most : 24) : most) : 0);
}

static void send_client(struct program *p)
{
	uint32_t from, to;
	uint8_t mixed[STREAM_MAX];
	choose_range(p, &from, &to);
	unsigned lie = below(p, 4);
	for (uint32_t i = from; i < to; i++)
		mixed[i] = lie == 0 || (lie == 1 && below(p, 2)) ? p->other[i] : p->stream[i];
	uint8_t flags = below(p, 8) ? TCP_ACK : odd_flags(p);
	struct rig_segment s = rig_segment_at(&p->c, 0, flags, from, mixed + from, to - from);
	if (below(p, 8) == 0)
		s.urgent = (uint16_t)below(p, 40);
	if (below(p, 16) == 0)
		s.ack += below(p, 100000) - 50000;
	if (below(p, 32) == 0)
		s.seq += below(p, 2) ? 0x40000000 : below(p, 64) - 32;
	(void)rig_pass(&p->c, 0, &s); /* any verdict: the receivers tell */
}

/* An acknowledgement of what one reading got; seldom with bytes, since a wrong answer ends it all.
 */
static void send_server(struct program *p)
{
	const struct rig_receiver *server = &p->r->to[0];
	const char *reply =
		p->is_redis ? "+OK\r\n" : "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	uint32_t got = rig_contiguous(server, RIG_LOSSY);
	uint8_t flags = below(p, 12) ? TCP_ACK : odd_flags(p);
	bool was_asked = got > 18 && memmem(server->data[RIG_LOSSY], got, "\r\n\r\n", 4);
	size_t n = below(p, was_asked || p->is_redis ? 3 : 40) == 0 ? strlen(reply) : 0;
	p->r->to[0].acked = got;
	p->c.heard[1] = got;
	struct rig_segment s =
		rig_segment_at(&p->c, 1, flags & TCP_FIN ? TCP_ACK : flags, p->n_reply, reply, n);
	const struct rig_packet *sent = rig_pass(&p->c, 1, &s);
	if (sent->is_answered && sent->accepted && (flags & TCP_ACK) &&
	    !(flags & (TCP_SYN | TCP_RST)))
		p->n_reply += (uint32_t)n;
}

/* A new connection at the same place: the server stays with the old one, or takes it. */
static void send_syn(struct program *p)
{
	struct rig_connection again = p->c;
	again.isn[0] += below(p, 3) ? below(p, 200) : 100000;
	(void)rig_flags(&again, 0, TCP_SYN, -1);
	if (below(p, 2))
		return;
	again.isn[1] += 1000000;
	again.heard[0] = again.heard[1] = 0;
	const struct rig_packet *answer = rig_flags(&again, 1, TCP_SYN | TCP_ACK, -1);
	if (answer->is_answered && answer->accepted)
		p->c = again;
}

static void step(struct program *p)
{
	switch (below(p, 64)) {
	case 0:
		send_syn(p);
		return;
	case 1:
		(void)rig_flags(&p->c, 0, TCP_RST, (int32_t)below(p, p->n));
		return;
	case 2:
		rig_wait(p->r, below(p, 4000));
		return;
	case 3:
		worker_use_image(p->r->w, policy_image_of(&p->r->images[below(p, 2)]), p->r->now);
		rig_flush(p->r);
		return;
	case 4:
		rig_bury(p->r);
		worker_use_image(p->r->w, policy_image_of(&p->r->images[below(p, 2)]), p->r->now);
		return;
	case 5:
	case 6:
		p->r->dies_in = 1 + below(p, 4);
		send_client(p);
		p->r->dies_in = 0;
		return;
	default:
		if (below(p, 5))
			send_client(p);
		else
			send_server(p);
	}
}

static void handshake(struct program *p)
{
	(void)rig_flags(&p->c, 0, TCP_SYN, -1);
	(void)rig_flags(&p->c, 1, TCP_SYN | TCP_ACK, -1);
	(void)rig_flags(&p->c, 0, TCP_ACK, 0);
}

static void run_program(struct rig *r, uint64_t number)
{
	static struct program program;
	struct program *p = &program;
	*p = (struct program){
		.number = number, .dice = number, .r = r, .is_redis = number % 4 == 3};
	*current = number;
	for (unsigned i = 1 + below(p, 5); i > 0; i--)
		(p->is_redis ? put_redis : put_http)(p);
	p->c = rig_connection(r, p->is_redis ? &rig_cache : &rig_web);
	p->c.isn[0] =
		below(p, 2) ? (uint32_t)rig_random(&p->dice) : (uint32_t) - (int32_t)below(p, 100);
	p->c.isn[1] = (uint32_t)rig_random(&p->dice);
	for (int side = 0; side < 2; side++) {
		rig_receiver_restart(&r->to[side], 0);
		r->to[side].has_start = false;
		r->to[side].dice = number;
	}
	r->n_sent = 0;
	for (int i = 0; i < RIG_PACKETS; i++)
		r->sent[i].is_answered = true;
	handshake(p);
	for (unsigned i = 4 + below(p, STEPS_MAX); i > 0; i--)
		step(p);
	check(p);
	worker_finish(r->w, r->now);
	rig_flush(r);
	RIG_ASSERT(r->w->shard.n_flows == 0);
	RIG_ASSERT(r->w->shard.chunks.n_used == 0);
}

static uint64_t from_environment(const char *name, uint64_t usual)
{
	const char *text = getenv(name);
	return text ? strtoull(text, NULL, 10) : usual;
}

START_TEST(no_receiver_gets_what_was_not_judged)
{
	uint64_t seconds = from_environment("BW_RANDOM_SECONDS", SECONDS_USUAL);
	uint64_t first = from_environment("BW_RANDOM_FIRST", (uint64_t)time(NULL) * 1000000);
	uint64_t most = from_environment("BW_RANDOM_PROGRAMS", UINT64_MAX);
	uint64_t number = first;
	struct rig *r = rig_new(policy);
	rig_use(r, policy, NULL);
	for (time_t end = time(NULL) + (time_t)seconds; time(NULL) <= end && number - first < most;)
		for (int i = 0; i < 50 && number - first < most; i++)
			run_program(r, number++);
	(void)printf("%llu programs from %llu\n", (unsigned long long)(number - first),
		     (unsigned long long)first);
	r->to[0].top = r->to[1].top = 0; /* was checked, but for bodies, which may differ */
	rig_free(r);
}
END_TEST

int main(void)
{
	current = mmap(NULL, sizeof(*current), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	if (current == MAP_FAILED)
		return EXIT_FAILURE;
	Suite *suite = suite_create("engine_random");
	TCase *tc = tcase_create("programs");
	tcase_set_timeout(tc, (double)from_environment("BW_RANDOM_SECONDS", SECONDS_USUAL) + 60);
	tcase_add_test(tc, no_receiver_gets_what_was_not_judged);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	if (failed)
		(void)fprintf(stderr, "BW_RANDOM_FIRST=%llu\n", (unsigned long long)*current);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
