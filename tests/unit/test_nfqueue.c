/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's queue itself, on the loopback of a network namespace that each test makes for its
 * own process and that ends with it. Needs root; without it the test says so and is skipped.
 */
#include "capture/nfqueue.h"

#include <arpa/inet.h>
#include <check.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { QUEUE = 4321, FRESH = 4322, PORT = 5300, HEADERS = 28, WAIT_MS = 200, LENGTH = 1024 };

static const struct nfqueue_numbers numbers = {.known = QUEUE, .fresh = FRESH};

static struct nfqueue *q;
static struct shared_counters counters;
static int queue_fd, sender, receiver;
static struct sockaddr_in to;

/* What became of the packets: the first byte of the payload says what to do. */
static uint64_t held[64];
static unsigned n_held, n_seen;
static bool answers;

static void sh(const char *command)
{
	ck_assert_msg(system(command) == 0, "%s", command); /* NOLINT(cert-env33-c): constants */
}

static void answer(const struct capture_verdict *v)
{
	struct capture_out out = nfqueue_out(q);
	out.verdict(out.ctx, v);
}

static void on_packet(void *ctx, struct capture_packet *p)
{
	(void)ctx; /* one queue */
	struct capture_verdict v = {.id = p->id, .accept = true};
	n_seen++;
	if (!answers)
		return;
	ck_assert_uint_gt(p->n, HEADERS);
	switch (p->data[HEADERS]) {
	case 'd':
		v.accept = false;
		break;
	case 'h':
		held[n_held++ % 64] = p->id;
		return;
	case 'm':
		v.set_mark = true;
		v.mark = 0x1234;
		break;
	case 'w':
		p->data[HEADERS] = 'W';
		memset(p->data + 26, 0, 2); /* no checksum */
		v.data = p->data;
		v.n = p->n;
		break;
	default:
		break;
	}
	answer(&v);
}

static void open_queue(void)
{
	const struct nfqueue_setup setup = {
		.fd = queue_fd,
		.numbers = numbers,
		.length = LENGTH,
		.raw4 = -1,
		.raw6 = -1,
		.counters = &counters,
	};
	ck_assert_int_eq(nfqueue_open(&setup, &q), 0);
}

static void set_up(void)
{
	struct error err = {0};
	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
	sh("ip link set lo up");
	sh("iptables -t mangle -A OUTPUT -p udp --dport 5300 -m string --algo bm --string new "
	   "-j NFQUEUE --queue-num 4322");
	sh("iptables -t mangle -A OUTPUT -p udp --dport 5300 -j NFQUEUE --queue-num 4321");
	sh("iptables -t mangle -A POSTROUTING -m mark --mark 0x1234 -j DROP");
	queue_fd = nfqueue_bind(numbers, LENGTH, &err);
	ck_assert_msg(queue_fd >= 0, "%s", err.text);
	open_queue();
	to = (struct sockaddr_in){.sin_family = AF_INET,
				  .sin_port = htons(PORT),
				  .sin_addr = {htonl(INADDR_LOOPBACK)}};
	receiver = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	sender = socket(AF_INET, SOCK_DGRAM, 0);
	ck_assert_int_eq(bind(receiver, (const struct sockaddr *)&to, sizeof(to)), 0);
	answers = true;
}

static void say(const char *text)
{
	ssize_t n = sendto(sender, text, strlen(text), 0, (const struct sockaddr *)&to, sizeof(to));
	ck_assert_int_eq(n, (ssize_t)strlen(text));
}

static void read_queue(unsigned n)
{
	struct pollfd p = {.fd = queue_fd, .events = POLLIN};
	while (n_seen < n && poll(&p, 1, WAIT_MS) == 1)
		(void)nfqueue_read(q, on_packet, NULL); /* n_seen counts */
	ck_assert_uint_eq(n_seen, n);
}

/* The first bytes of all that arrived, in order. */
static const char *heard(void)
{
	static char all[128];
	size_t n = 0;
	char text[64];
	struct pollfd p = {.fd = receiver, .events = POLLIN};
	while (poll(&p, 1, 20) == 1 && recv(receiver, text, sizeof(text), 0) > 0 &&
	       n + 1 < sizeof(all))
		all[n++] = text[0];
	all[n] = '\0';
	return all;
}

START_TEST(accepts_drops_and_rewrites)
{
	say("a1");
	say("d2");
	say("w3");
	say("a4");
	read_queue(4);
	ck_assert_str_eq(heard(), "aWa");
	ck_assert_uint_eq(nfqueue_unanswered(q), 0);
}
END_TEST

START_TEST(a_mark_rides_on_the_verdict)
{
	say("m1");
	say("a2");
	read_queue(2);
	ck_assert_str_eq(heard(), "a"); /* the marked one met the rule behind */
}
END_TEST

/* One message stands for many acceptances, but never for a packet that still waits. */
START_TEST(a_batch_leaves_out_what_is_held)
{
	for (unsigned place = 0; place < 8; place++) {
		char text[2] = "";
		for (unsigned i = 0; i < 8; i++) {
			text[0] = i == place ? 'h' : (char)('A' + i);
			say(text);
		}
		read_queue(8 * (place + 1));
		const char *got = heard();
		ck_assert_msg(strlen(got) == 7 && !strchr(got, 'h'), "place %u: %s", place, got);
		answer(&(struct capture_verdict){.id = held[place], .accept = place % 2});
		nfqueue_flush(q);
		ck_assert_str_eq(heard(), place % 2 ? "h" : "");
		ck_assert_uint_eq(nfqueue_unanswered(q), 0);
	}
	ck_assert_uint_eq(counter_get(&counters, COUNTER_SEND_ERRORS), 0);
}
END_TEST

/* Both number their packets from one; neither's verdict is the other's. */
START_TEST(two_queues_do_not_answer_for_each_other)
{
	static const char *const held_one[] = {"h of the known", "h new"};
	for (unsigned i = 0; i < 2; i++) {
		n_held = 0;
		n_seen = 0;
		say("A");
		say(held_one[i]);
		say("B new");
		say("C");
		say("D new");
		say("d new");
		say("E");
		read_queue(7);
		ck_assert_str_eq(heard(), "ABCDE");
		ck_assert_uint_eq(nfqueue_unanswered(q), 1);
		answer(&(struct capture_verdict){.id = held[0], .accept = true});
		nfqueue_flush(q);
		ck_assert_str_eq(heard(), "h");
		ck_assert_uint_eq(nfqueue_unanswered(q), 0);
	}
	ck_assert_uint_eq(counter_get(&counters, COUNTER_SEND_ERRORS), 0);
}
END_TEST

/* A flood of new connections does not push out what is known. */
START_TEST(a_full_queue_of_first_packets_leaves_room_for_the_others)
{
	unsigned room = nfqueue_fresh_length(LENGTH);
	for (unsigned i = 0; i < 2 * room; i++)
		say("new");
	say("known");
	read_queue(room + 1);
	const char *all = heard();
	ck_assert_uint_gt(strlen(all), 0);
	ck_assert_uint_eq(nfqueue_unanswered(q), 0);
}
END_TEST

/* How many first packets find room when nobody reads. */
static unsigned room_for_new(void)
{
	unsigned before = n_seen;
	for (unsigned i = 0; i < 2 * LENGTH / 8; i++)
		say("new");
	struct pollfd p = {.fd = queue_fd, .events = POLLIN};
	while (poll(&p, 1, 20) == 1)
		(void)nfqueue_read(q, on_packet, NULL); /* n_seen counts */
	(void)heard();
	return n_seen - before;
}

/* Who waits in a flood waits behind few, and the room comes back. */
START_TEST(in_a_flood_the_queue_of_first_packets_is_short)
{
	enum { BATCH = 32 };
	const uint64_t second = UINT64_C(1000000000);
	nfqueue_tend(q, second);
	nfqueue_flush(q);
	ck_assert_uint_eq(room_for_new(), nfqueue_fresh_length(LENGTH));
	for (unsigned i = 0; i < 40; i++) {
		for (unsigned k = 0; k < BATCH; k++)
			say("new");
		(void)nfqueue_read(q, on_packet, NULL);
		(void)heard();
	}
	nfqueue_tend(q, 2 * second);
	nfqueue_flush(q);
	ck_assert_uint_eq(counter_get(&counters, COUNTER_FLOODS), 1);
	ck_assert_uint_eq(room_for_new(), BATCH);
	say("known");
	(void)nfqueue_read(q, on_packet, NULL);
	nfqueue_tend(q, 11 * second);
	nfqueue_flush(q);
	ck_assert_uint_eq(room_for_new(), BATCH);
	say("known");
	(void)nfqueue_read(q, on_packet, NULL);
	nfqueue_tend(q, 13 * second);
	nfqueue_flush(q);
	ck_assert_uint_eq(room_for_new(), nfqueue_fresh_length(LENGTH));
	ck_assert_uint_eq(counter_get(&counters, COUNTER_SEND_ERRORS), 0);
}
END_TEST

/* The queue outlives the engine: what waits in the kernel is judged, what was read and not answered
 * is dropped. */
START_TEST(a_successor_takes_over)
{
	answers = false;
	say("1");
	say("2");
	read_queue(2);
	answers = true;
	say("3");
	/* as another process would: the descriptor stays, the memory is new */
	queue_fd = dup(queue_fd);
	nfqueue_close(q);
	open_queue();
	read_queue(3);
	ck_assert_str_eq(heard(), "3");
	ck_assert_uint_eq(counter_get(&counters, COUNTER_STALE_IDS), 1);
	say("4");
	read_queue(4);
	ck_assert_str_eq(heard(), "4");
}
END_TEST

START_TEST(a_queue_in_use_says_whose_fault_it_is)
{
	struct error err = {0};
	ck_assert_int_lt(nfqueue_bind(numbers, LENGTH, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "4321"));
}
END_TEST

static bool may_run(void)
{
	pid_t pid = fork();
	if (pid == 0)
		_exit(unshare(CLONE_NEWNET) == 0 ? 0 : 1);
	int status = 1;
	return waitpid(pid, &status, 0) == pid && status == 0;
}

int main(void)
{
	if (geteuid() != 0 || !may_run()) {
		(void)fprintf(stderr, "skipped: needs root and network namespaces\n");
		return 77;
	}
	Suite *suite = suite_create("nfqueue");
	TCase *tc = tcase_create("queue");
	tcase_add_checked_fixture(tc, set_up, NULL);
	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, accepts_drops_and_rewrites);
	tcase_add_test(tc, a_mark_rides_on_the_verdict);
	tcase_add_test(tc, a_batch_leaves_out_what_is_held);
	tcase_add_test(tc, two_queues_do_not_answer_for_each_other);
	tcase_add_test(tc, a_full_queue_of_first_packets_leaves_room_for_the_others);
	tcase_add_test(tc, in_a_flood_the_queue_of_first_packets_is_short);
	tcase_add_test(tc, a_successor_takes_over);
	tcase_add_test(tc, a_queue_in_use_says_whose_fault_it_is);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
