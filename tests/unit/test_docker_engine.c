/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The conversation with a mock engine: a thread on a unix socket that serves given replies, late,
 * cut or not at all, and an event stream that the test writes and breaks. What is asserted is what
 * a user of docker.h sees: the sets and the states. In every set ever delivered an address has one
 * owner.
 */
#include "docker/docker.h"

#include "base/text.h"

#include <check.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* ---- the mock engine ---- */

enum { ROUTES_MAX = 24, BODY_MAX = 8192 };

struct route {
	char path[160]; /* what the request's path begins with; the longest that fits counts */
	char body[BODY_MAX];
	int status, delay_ms;
	bool is_cut; /* the connection ends in the middle of the body */
};

/* Guarded by lock; the test's thread and those of the connections. */
static struct mock {
	pthread_mutex_t lock;
	char path[64];
	int listener, stream;
	unsigned n_streams, n_requests;
	struct route routes[ROUTES_MAX];
	size_t n_routes;
} mock = {.lock = PTHREAD_MUTEX_INITIALIZER, .listener = -1, .stream = -1};

static void pause_ms(int ms)
{
	(void)poll(NULL, 0, ms);
}

static void send_text(int fd, const char *text, size_t n)
{
	(void)send(fd, text, n,
		   MSG_NOSIGNAL); /* the other side may be gone: some tests want that */
}

static bool find_route(const char *path, struct route *out)
{
	size_t best = 0;
	bool found = false;
	(void)pthread_mutex_lock(&mock.lock);
	mock.n_requests++;
	for (size_t i = 0; i < mock.n_routes; i++) {
		size_t n = strlen(mock.routes[i].path);
		if (strncmp(path, mock.routes[i].path, n) == 0 && n >= best) {
			best = n;
			*out = mock.routes[i];
			found = true;
		}
	}
	(void)pthread_mutex_unlock(&mock.lock);
	return found;
}

static void answer(int fd, const char *path)
{
	static __thread struct route r;
	char head[256];
	if (!find_route(path, &r)) {
		(void)snprintf(r.body, sizeof(r.body), "{\"message\":\"no such thing\"}");
		r.status = 404;
		r.delay_ms = 0;
		r.is_cut = false;
	}
	pause_ms(r.delay_ms);
	size_t n = strlen(r.body);
	int h = snprintf(
		head, sizeof(head),
		"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
		r.status, n);
	send_text(fd, head, (size_t)h);
	send_text(fd, r.body, r.is_cut ? n / 2 : n);
	if (r.is_cut)
		(void)shutdown(fd, SHUT_RDWR);
}

/* A counter that the mock's threads move. */
static unsigned counted(const unsigned *counter)
{
	(void)pthread_mutex_lock(&mock.lock);
	unsigned n = *counter;
	(void)pthread_mutex_unlock(&mock.lock);
	return n;
}

static void become_stream(int fd)
{
	static const char head[] =
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n";
	send_text(fd, head, sizeof(head) - 1);
	(void)pthread_mutex_lock(&mock.lock);
	if (mock.stream >= 0)
		(void)close(mock.stream);
	mock.stream = fd;
	mock.n_streams++;
	(void)pthread_mutex_unlock(&mock.lock);
}

static void *serve(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char request[2048], path[1024];
	for (;;) {
		size_t n = 0;
		while (n < sizeof(request) - 1) {
			ssize_t got = recv(fd, request + n, sizeof(request) - 1 - n, 0);
			if (got <= 0) {
				(void)close(fd);
				return NULL;
			}
			n += (size_t)got;
			request[n] = '\0';
			if (strstr(request, "\r\n\r\n"))
				break;
		}
		if (sscanf(request, "GET %1023s", path) != 1)
			break;
		if (strstr(path, "/events")) {
			become_stream(fd);
			return NULL;
		}
		answer(fd, path);
	}
	(void)close(fd);
	return NULL;
}

static void *accept_all(void *arg)
{
	int listener = (int)(intptr_t)arg;
	for (int fd; (fd = accept(listener, NULL, NULL)) >= 0;) {
		pthread_t thread;
		if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) == 0)
			(void)pthread_detach(thread);
	}
	return NULL;
}

static void mock_start(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	pthread_t thread;
	(void)snprintf(mock.path, sizeof(mock.path), "/tmp/bw-mock-%d.sock", (int)getpid());
	(void)snprintf(at.sun_path, sizeof(at.sun_path), "%s", mock.path);
	(void)unlink(mock.path);
	mock.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(mock.listener, (const struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(listen(mock.listener, 64), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, accept_all, (void *)(intptr_t)mock.listener),
			 0);
	(void)pthread_detach(thread);
}

/* Sets what a path answers from now on. */
static struct route *route(const char *path, int delay_ms, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static struct route *route(const char *path, int delay_ms, const char *format, ...)
{
	va_list args;
	(void)pthread_mutex_lock(&mock.lock);
	size_t i = 0;
	while (i < mock.n_routes && strcmp(mock.routes[i].path, path) != 0)
		i++;
	if (i == mock.n_routes)
		mock.n_routes++;
	ck_assert_uint_le(mock.n_routes, ROUTES_MAX);
	struct route *r = &mock.routes[i];
	*r = (struct route){.status = 200, .delay_ms = delay_ms};
	(void)snprintf(r->path, sizeof(r->path), "%s", path);
	va_start(args, format);
	int n = vsnprintf(r->body, sizeof(r->body), format, args);
	va_end(args);
	ck_assert_int_lt(n, BODY_MAX);
	(void)pthread_mutex_unlock(&mock.lock);
	return r;
}

static void push(const char *text)
{
	(void)pthread_mutex_lock(&mock.lock);
	ck_assert_int_ge(mock.stream, 0);
	send_text(mock.stream, text, strlen(text));
	(void)pthread_mutex_unlock(&mock.lock);
}

static void break_stream(void)
{
	(void)pthread_mutex_lock(&mock.lock);
	(void)close(mock.stream);
	mock.stream = -1;
	(void)pthread_mutex_unlock(&mock.lock);
}

/* ---- a small world ---- */

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define N "1111111111111111111111111111111111111111111111111111111111111111"

#define NETWORK(members)                                                                           \
	"{\"Id\":\"" N "\",\"Name\":\"net\",\"Driver\":\"bridge\",\"Containers\":{" members "},"   \
	"\"IPAM\":{\"Config\":[{\"Subnet\":\"198.18.0.0/24\",\"Gateway\":\"198.18.0.1\"}]}}"
#define MEMBER(id, ip)                                                                             \
	"\"" id "\":{\"Name\":\"x\",\"MacAddress\":\"02:42:00:00:00:02\",\"IPv4Address\":\"" ip    \
	"/24\"}"
#define LISTED(id, name, state, ip)                                                                \
	"{\"Id\":\"" id "\",\"Names\":[\"/" name "\"],\"Image\":\"img:1\",\"State\":\"" state      \
	"\","                                                                                      \
	"\"Labels\":{\"com.docker.compose.project\":\"p\",\"com.docker.compose.service\":\"s\"},"  \
	"\"NetworkSettings\":{\"Networks\":{\"net\":{\"NetworkID\":\"" N "\",\"IPAddress\":\"" ip  \
	"\"}}}}"
#define INSPECTED(id, name, state, ip)                                                             \
	"{\"Id\":\"" id "\",\"Name\":\"/" name                                                     \
	"\",\"Config\":{\"Image\":\"img:1\",\"Labels\":{\"com.docker.compose.project\":\"p\","     \
	"\"com.docker.compose.service\":\"s\"}},\"State\":{\"Status\":\"" state                    \
	"\"},\"NetworkSettings\":{\"Networks\":{\"net\":{\"NetworkID\":\"" N                       \
	"\",\"IPAddress\":\"" ip "\"}}}}"

#define EVENT_C(action, id)                                                                        \
	"{\"Type\":\"container\",\"Action\":\"" action "\",\"Actor\":{\"ID\":\"" id                \
	"\",\"Attributes\":{}}}\n"
#define EVENT_N(action, id)                                                                        \
	"{\"Type\":\"network\",\"Action\":\"" action "\",\"Actor\":{\"ID\":\"" N                   \
	"\",\"Attributes\":{"                                                                      \
	"\"container\":\"" id "\",\"name\":\"net\",\"type\":\"bridge\"}}}\n"

#define LIST_ONE(id) "/v1.41/containers/json?all=1&filters={\"id\":[\"" id "\"]}"

/* ---- the observer ---- */

static struct event_base *base;
static struct docker *docker;
static char set_text[1024]; /* "a=198.18.0.2 b=" of the last set */
static unsigned n_sets, n_up, n_down;
static uint32_t first_pid; /* of the last set's first endpoint */
static char why[512];

static void assert_one_owner(const struct identity_set *set)
{
	for (size_t i = 0; i < set->n_endpoints; i++)
		for (size_t k = 0; k < i; k++)
			for (size_t x = 0; x < set->endpoints[i].n_addresses; x++)
				for (size_t y = 0; y < set->endpoints[k].n_addresses; y++)
					ck_assert(!ip_addr_equal(
						&set->endpoints[i].addresses[x].addr,
						&set->endpoints[k].addresses[y].addr));
}

static void on_set(void *ctx, const struct identity_set *set)
{
	char addr[IP_ADDR_TEXT];
	size_t n = 0;
	(void)ctx;
	n_sets++;
	first_pid = set->n_endpoints ? set->endpoints[0].pid : 0;
	assert_one_owner(set);
	set_text[0] = '\0';
	for (size_t i = 0; i < set->n_endpoints; i++) {
		const struct identity_endpoint *e = &set->endpoints[i];
		n += (size_t)snprintf(set_text + n, sizeof(set_text) - n, "%s%s=", i ? " " : "",
				      e->container);
		for (size_t k = 0; k < e->n_addresses; k++)
			n += (size_t)snprintf(set_text + n, sizeof(set_text) - n, "%s",
					      ip_addr_print(&e->addresses[k].addr, addr));
	}
}

static void on_state(void *ctx, const char *why_not)
{
	(void)ctx;
	if (!why_not) {
		n_up++;
		return;
	}
	n_down++;
	(void)snprintf(why, sizeof(why), "%s", why_not);
}

static double now(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void tick(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	(void)ctx;
}

static void turn(void)
{
	struct timeval soon = {.tv_usec = 5000};
	(void)event_base_once(base, -1, EV_TIMEOUT, tick, NULL, &soon);
	(void)event_base_loop(base, EVLOOP_ONCE);
}

static void run_ms(int ms)
{
	for (double end = now() + ms / 1e3; now() < end;)
		turn();
}

/* Returns the seconds it took. */
static double await_set(const char *wanted, int ms)
{
	double start = now();
	while (n_sets == 0 || strcmp(set_text, wanted) != 0) {
		ck_assert_msg(now() - start < ms / 1e3,
			      "after %d ms the set is '%s', wanted '%s' (%s)", ms, set_text, wanted,
			      why);
		turn();
	}
	return now() - start;
}

static void await(const unsigned *counter, unsigned wanted)
{
	for (double start = now(); *(const volatile unsigned *)counter < wanted;) {
		ck_assert_msg(now() - start < 5, "counter stays at %u: %s", *counter, why);
		turn();
	}
}

static void start(void)
{
	static const struct docker_callbacks callbacks = {.changed = on_set, .state = on_state};
	struct error err;
	ck_assert_msg(docker_start(base, mock.path, &callbacks, &docker, &err) == 0, "%s",
		      err.text);
}

static void set_up(void)
{
	base = event_base_new();
	mock_start();
	route("/version", 0, "{\"ApiVersion\":\"1.41\",\"MinAPIVersion\":\"1.12\"}");
	route("/v1.41/networks", 0, "[" NETWORK("") "]");
	route("/v1.41/networks/" N, 0, "%s", NETWORK(MEMBER(A, "198.18.0.2")));
	route("/v1.41/containers/json", 0, "[" LISTED(A, "a", "running", "198.18.0.2") "]");
	route("/v1.41/containers/" A, 0, "%s", INSPECTED(A, "a", "running", "198.18.0.2"));
}

static void tear_down(void)
{
	docker_stop(docker);
	event_base_free(base);
	(void)unlink(mock.path);
}

/* ---- tests ---- */

START_TEST(delivers_the_whole_set_once_after_the_listing)
{
	start();
	await_set("a=198.18.0.2", 3000);
	run_ms(100);
	ck_assert_uint_eq(n_sets, 1);
	ck_assert_uint_eq(n_up, 1);
	ck_assert_uint_eq(n_down, 0);
}
END_TEST

static void await_pid(uint32_t wanted)
{
	for (double end = now() + 3; first_pid != wanted && now() < end;)
		turn();
	ck_assert_uint_eq(first_pid, wanted);
}

START_TEST(the_process_that_the_list_does_not_say_is_asked_for)
{
	route("/v1.41/containers/" A, 100,
	      "{\"Id\":\"" A "\",\"Name\":\"/a\",\"State\":{\"Status\":\"running\",\"Pid\":4711},"
	      "\"NetworkSettings\":{\"Networks\":{\"net\":{\"NetworkID\":\"" N
	      "\",\"IPAddress\":\"198.18.0.2\"}}}}");
	start();
	await_set("a=198.18.0.2", 3000);
	ck_assert_uint_eq(first_pid, 0);
	await_pid(4711);
	break_stream(); /* a new listing says no pids either */
	await(&n_up, 2);
	run_ms(50);
	ck_assert_uint_eq(first_pid, 4711);
	push(EVENT_C("die", A));
	await_pid(0);
}
END_TEST

START_TEST(an_address_is_known_while_its_container_is_still_starting)
{
	start();
	await_set("a=198.18.0.2", 3000);
	route("/v1.41/networks/" N, 0, "%s",
	      NETWORK(MEMBER(A, "198.18.0.2") "," MEMBER(B, "198.18.0.3")));
	route(LIST_ONE(B), 0, "[" LISTED(B, "b", "created", "") "]");
	route("/v1.41/containers/" B, 1500, "%s", INSPECTED(B, "b", "running", "198.18.0.3"));
	push(EVENT_C("create", B) EVENT_N("connect", B));
	ck_assert_double_lt(await_set("a=198.18.0.2 b=198.18.0.3", 1000), 0.5);
}
END_TEST

START_TEST(an_address_goes_with_the_disconnection_not_with_its_confirmation)
{
	start();
	await_set("a=198.18.0.2", 3000);
	route("/v1.41/containers/" A, 1500, "%s", INSPECTED(A, "a", "running", ""));
	push(EVENT_N("disconnect", A));
	ck_assert_double_lt(await_set("a=", 1000), 0.5);
}
END_TEST

START_TEST(a_late_answer_does_not_bring_a_dead_container_back)
{
	start();
	await_set("a=198.18.0.2", 3000);
	route("/v1.41/containers/" A, 300, "%s", INSPECTED(A, "a", "running", "198.18.0.2"));
	push(EVENT_C("update", A)); /* asks; the answer below is from before the death */
	run_ms(50);
	route("/v1.41/containers/" A, 0, "%s", INSPECTED(A, "a", "exited", ""));
	push(EVENT_C("die", A));
	await_set("a=", 1000);
	run_ms(500);
	ck_assert_str_eq(set_text, "a=");
}
END_TEST

START_TEST(a_late_answer_does_not_bring_a_destroyed_container_back)
{
	start();
	await_set("a=198.18.0.2", 3000);
	route("/v1.41/containers/" A, 200, "%s", INSPECTED(A, "a", "running", "198.18.0.2"));
	route("/v1.41/networks/" N, 200, "%s", NETWORK(MEMBER(A, "198.18.0.2")));
	route(LIST_ONE(A), 0, "[]");
	push(EVENT_N("connect", A) EVENT_C("die", A) EVENT_C("destroy", A));
	await_set("", 1000);
	run_ms(500);
	ck_assert_str_eq(set_text, "");
	ck_assert_uint_eq(n_down, 0);
}
END_TEST

START_TEST(a_member_that_nobody_announced_is_asked_for)
{
	start();
	await_set("a=198.18.0.2", 3000);
	route("/v1.41/networks/" N, 0, "%s",
	      NETWORK(MEMBER(A, "198.18.0.2") "," MEMBER(B, "198.18.0.3")));
	route(LIST_ONE(B), 0, "[" LISTED(B, "b", "created", "") "]");
	push(EVENT_N("connect", A)); /* that of b was lost */
	await_set("a=198.18.0.2 b=198.18.0.3", 1000);
}
END_TEST

START_TEST(a_reused_address_belongs_to_its_new_owner)
{
	start();
	await_set("a=198.18.0.2", 3000);
	/* the end of a is never told; its slow inspection still claims the address */
	route("/v1.41/containers/" A, 400, "%s", INSPECTED(A, "a", "running", "198.18.0.2"));
	push(EVENT_C("pause", A));
	run_ms(50);
	route("/v1.41/networks/" N, 0, "%s", NETWORK(MEMBER(B, "198.18.0.2")));
	route("/v1.41/containers/json?all=1&filters=", 0, "[" LISTED(B, "b", "created", "") "]");
	route("/v1.41/containers/" B, 0, "%s", INSPECTED(B, "b", "running", "198.18.0.2"));
	push(EVENT_C("create", B) EVENT_N("connect", B));
	await_set("a= b=198.18.0.2", 1000);
	run_ms(600);
	ck_assert_str_eq(set_text, "a= b=198.18.0.2");
}
END_TEST

START_TEST(a_lost_stream_is_followed_by_a_full_listing)
{
	start();
	await_set("a=198.18.0.2", 3000);
	route("/v1.41/containers/json", 0,
	      "[" LISTED(B, "b", "running", "198.18.0.9") "]"); /* these events are lost */
	break_stream();
	await_set("b=198.18.0.9", 3000);
	ck_assert_uint_eq(n_up, 2);
	ck_assert_uint_eq(n_down, 1);
	ck_assert_uint_eq(counted(&mock.n_streams), 2);
}
END_TEST

START_TEST(a_stream_that_breaks_inside_an_event_is_a_lost_stream)
{
	start();
	await_set("a=198.18.0.2", 3000);
	push("{\"Type\":\"contai");
	break_stream();
	await(&n_up, 2);
	ck_assert_str_eq(set_text, "a=198.18.0.2");
	ck_assert_uint_eq(n_sets, 1); /* nothing changed, nothing told */
}
END_TEST

START_TEST(an_event_split_over_reads_is_one_event)
{
	start();
	await_set("a=198.18.0.2", 3000);
	static const char event[] = EVENT_N("disconnect", A);
	for (size_t i = 0; i < sizeof(event) - 1; i++) {
		char one[2] = {event[i], 0};
		push(one);
		if (i % 16 == 0)
			turn();
	}
	await_set("a=", 1000);
	ck_assert_uint_eq(n_down, 0);
}
END_TEST

START_TEST(events_during_the_listing_are_applied_to_it)
{
	route("/v1.41/containers/json", 300, "[" LISTED(A, "a", "running", "198.18.0.2") "]");
	route("/v1.41/containers/" A, 2000, "%s", INSPECTED(A, "a", "running", ""));
	start();
	while (counted(&mock.n_streams) == 0)
		turn();
	run_ms(50);
	push(EVENT_N("disconnect", A));
	await_set("a=", 3000);
	ck_assert_uint_eq(n_sets, 1); /* the list alone was never told */
}
END_TEST

START_TEST(the_last_set_stays_until_the_next_listing_is_whole)
{
	start();
	await_set("a=198.18.0.2", 3000);
	route("/v1.41/containers/json", 0, "[{\"Id\":7}]");
	break_stream();
	await(&n_down, 1);
	run_ms(400);
	ck_assert_uint_eq(n_sets, 1);
	route("/v1.41/containers/json", 0, "[]");
	await_set("", 5000);
}
END_TEST

struct bad {
	const char *path, *body;
	int status;
	bool is_cut;
};

static const struct bad bad[] = {
	{"/version", "<html>", 200, false},
	{"/version", "{}", 200, false},
	{"/version", "{\"ApiVersion\":\"1.41\"}", 200, true},
	{"/v1.41/networks", "{}", 200, false},
	{"/v1.41/networks", "[" NETWORK("") "]", 500, false},
	{"/v1.41/networks", "[" NETWORK("") "]", 200, true},
	{"/v1.41/containers/json", "[1]", 200, false},
	{"/v1.41/containers/json", "", 200, false},
	{"/v1.41/containers/json", "[]", 200, true},
};

START_TEST(a_bad_reply_is_told_and_asked_again)
{
	const struct bad *b = &bad[_i];
	struct route *r = route(b->path, 0, "%s", b->body);
	r->status = b->status;
	r->is_cut = b->is_cut;
	start();
	await(&n_down, 1);
	ck_assert_msg(strstr(why, strrchr(b->path, '/')) != NULL, "%s", why);
	ck_assert_uint_eq(n_sets, 0);
	set_text[0] = '\0';
	route("/version", 0, "{\"ApiVersion\":\"1.41\",\"MinAPIVersion\":\"1.12\"}");
	route("/v1.41/networks", 0, "[" NETWORK("") "]");
	route("/v1.41/containers/json", 0, "[" LISTED(A, "a", "running", "198.18.0.2") "]");
	await_set("a=198.18.0.2", 5000);
	ck_assert_uint_eq(n_down, 1); /* told once, however often it was tried */
}
END_TEST

static const char *const bad_lines[] = {"nonsense\n", "[]\n", "{\"Type\":7}\n",
					"{\"Type\":\"network\",\"Actor\":[]}\n"};

START_TEST(a_bad_event_starts_everything_afresh)
{
	start();
	await_set("a=198.18.0.2", 3000);
	push(bad_lines[_i]);
	await(&n_up, 2);
	ck_assert_str_eq(set_text, "a=198.18.0.2");
}
END_TEST

START_TEST(an_event_without_end_is_not_collected_for_ever)
{
	static char part[65537];
	memset(part, 'x', sizeof(part) - 1);
	start();
	await_set("a=198.18.0.2", 3000);
	(void)fcntl(mock.stream, F_SETFL, O_NONBLOCK);
	for (unsigned i = 0; i < 4000 && n_down == 0; i++) {
		(void)pthread_mutex_lock(&mock.lock);
		if (mock.stream >= 0)
			(void)send(mock.stream, part, sizeof(part) - 1,
				   MSG_NOSIGNAL | MSG_DONTWAIT);
		(void)pthread_mutex_unlock(&mock.lock);
		(void)event_base_loop(base, EVLOOP_NONBLOCK);
	}
	await(&n_down, 1);
	ck_assert_msg(strstr(why, "longer") != NULL, "%s", why);
	await(&n_up, 2);
}
END_TEST

START_TEST(a_broken_inspection_is_mended_by_a_listing)
{
	start();
	await_set("a=198.18.0.2", 3000);
	route("/v1.41/containers/" A, 0, "{\"Id\":\"" A "\",\"Name\":[]}");
	route("/v1.41/containers/json", 0, "[" LISTED(A, "renamed", "running", "198.18.0.2") "]");
	push(EVENT_C("rename", A));
	await_set("renamed=198.18.0.2", 5000);
}
END_TEST

START_TEST(a_container_that_is_gone_when_asked_for_leaves_the_set)
{
	start();
	await_set("a=198.18.0.2", 3000);
	struct route *r = route("/v1.41/containers/" A, 0, "{}");
	r->status = 404;
	push(EVENT_C("stop", A));
	await_set("", 3000);
	ck_assert_uint_eq(n_down, 0);
}
END_TEST

START_TEST(many_events_cost_few_questions)
{
	start();
	await_set("a=198.18.0.2", 3000);
	route("/v1.41/containers/" A, 100, "%s", INSPECTED(A, "a2", "running", "198.18.0.2"));
	unsigned before = counted(&mock.n_requests);
	for (unsigned i = 0; i < 500; i++) {
		push(EVENT_C("update", A));
		if (i % 50 == 0)
			turn(); /* or the socket's buffer fills and the push waits for ever */
	}
	await_set("a2=198.18.0.2", 5000);
	run_ms(300);
	ck_assert_uint_lt(counted(&mock.n_requests) - before, 16);
	ck_assert_uint_eq(n_down, 0);
}
END_TEST

START_TEST(speaks_the_oldest_api_that_both_know)
{
	route("/version", 0, "{\"ApiVersion\":\"1.52\",\"MinAPIVersion\":\"1.44\"}");
	route("/v1.44/networks", 0, "[" NETWORK("") "]");
	route("/v1.44/containers/json", 0, "[" LISTED(A, "new", "running", "198.18.0.2") "]");
	start();
	await_set("new=198.18.0.2", 3000);
}
END_TEST

START_TEST(an_engine_too_old_is_named)
{
	route("/version", 0, "{\"ApiVersion\":\"1.40\",\"MinAPIVersion\":\"1.12\"}");
	start();
	await(&n_down, 1);
	ck_assert_msg(strstr(why, "20.10") != NULL, "%s", why);
}
END_TEST

START_TEST(an_image_known_by_its_id_only_is_asked_for)
{
	route("/v1.41/containers/json", 0,
	      "[{\"Id\":\"" A
	      "\",\"Names\":[\"/a\"],\"Image\":\"sha256:0123\",\"State\":\"running\"}]");
	route("/v1.41/containers/" A, 0, "%s", INSPECTED(A, "asked", "running", "198.18.0.2"));
	start();
	await_set("asked=198.18.0.2", 3000);
}
END_TEST

START_TEST(says_what_is_wrong_with_the_socket)
{
	static const struct docker_callbacks callbacks = {.changed = on_set, .state = on_state};
	struct error err;
	ck_assert_int_eq(docker_start(base, "/nonexistent/docker.sock", &callbacks, &docker, &err),
			 -ENOENT);
	ck_assert_msg(strstr(err.text, "is Docker running?") && strstr(err.text, "docker.socket"),
		      "%s", err.text);
	ck_assert_int_eq(docker_start(base, "tcp://198.18.0.1:2375", &callbacks, &docker, &err),
			 -EINVAL);
	ck_assert_int_eq(docker_start(base, "unix:///etc/passwd", &callbacks, &docker, &err),
			 -ENOTSOCK);
	ck_assert_ptr_null(docker);
}
END_TEST

START_TEST(waits_for_an_engine_that_restarts)
{
	int listener = mock.listener;
	start();
	await_set("a=198.18.0.2", 3000);
	(void)shutdown(listener, SHUT_RDWR);
	(void)close(listener);
	(void)unlink(mock.path);
	break_stream();
	await(&n_down, 1);
	run_ms(300);
	route("/v1.41/containers/json", 0, "[]");
	mock_start();
	await_set("", 5000);
	ck_assert_uint_eq(n_up, 2);
}
END_TEST

#define N_OF(rows) ((int)(sizeof(rows) / sizeof((rows)[0])))

int main(void)
{
	Suite *suite = suite_create("docker_engine");
	TCase *tc = tcase_create("mock");
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, delivers_the_whole_set_once_after_the_listing);
	tcase_add_test(tc, the_process_that_the_list_does_not_say_is_asked_for);
	tcase_add_test(tc, an_address_is_known_while_its_container_is_still_starting);
	tcase_add_test(tc, an_address_goes_with_the_disconnection_not_with_its_confirmation);
	tcase_add_test(tc, a_late_answer_does_not_bring_a_dead_container_back);
	tcase_add_test(tc, a_late_answer_does_not_bring_a_destroyed_container_back);
	tcase_add_test(tc, a_member_that_nobody_announced_is_asked_for);
	tcase_add_test(tc, a_reused_address_belongs_to_its_new_owner);
	tcase_add_test(tc, a_lost_stream_is_followed_by_a_full_listing);
	tcase_add_test(tc, a_stream_that_breaks_inside_an_event_is_a_lost_stream);
	tcase_add_test(tc, an_event_split_over_reads_is_one_event);
	tcase_add_test(tc, events_during_the_listing_are_applied_to_it);
	tcase_add_test(tc, the_last_set_stays_until_the_next_listing_is_whole);
	tcase_add_loop_test(tc, a_bad_reply_is_told_and_asked_again, 0, N_OF(bad));
	tcase_add_loop_test(tc, a_bad_event_starts_everything_afresh, 0, N_OF(bad_lines));
	tcase_add_test(tc, an_event_without_end_is_not_collected_for_ever);
	tcase_add_test(tc, a_broken_inspection_is_mended_by_a_listing);
	tcase_add_test(tc, a_container_that_is_gone_when_asked_for_leaves_the_set);
	tcase_add_test(tc, many_events_cost_few_questions);
	tcase_add_test(tc, speaks_the_oldest_api_that_both_know);
	tcase_add_test(tc, an_engine_too_old_is_named);
	tcase_add_test(tc, an_image_known_by_its_id_only_is_asked_for);
	tcase_add_test(tc, says_what_is_wrong_with_the_socket);
	tcase_add_test(tc, waits_for_an_engine_that_restarts);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
