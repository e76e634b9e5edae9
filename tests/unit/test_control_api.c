/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket's conversation over socket pairs: answers, bounds, and what becomes of those
 * who break them. */
#include "control/api.h"

#include <check.h>
#include <event2/event.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static struct event_base *base;
static struct api *api;
static struct error err;
static uint64_t later_id;
static int n_requests;

/* "echo": one line and the end; "later": nothing yet; "big": more than anyone reads; "follow". */
static void on_request(void *ctx, struct api_client *client, const json_t *request)
{
	const char *cmd = json_string_value(json_object_get(request, "cmd"));
	(void)ctx;
	n_requests++;
	later_id = api_client_id(client);
	if (cmd && strcmp(cmd, "echo") == 0) {
		(void)api_send(client, json_pack("{s:s}", "said", "x"));
		api_end(client, 3, "why");
	} else if (cmd && strcmp(cmd, "big") == 0) {
		char text[1024];
		memset(text, 'x', sizeof(text));
		int n = 0;
		while (api_send(client, json_pack("{s:s%}", "x", text, sizeof(text))))
			ck_assert_int_lt(n++, 100000);
		api_end(client, 0, NULL);
	} else if (cmd && strcmp(cmd, "follow") == 0) {
		struct filter filter = {.n_terms = 0};
		ck_assert_int_eq(filter_add(&filter, "app", "mysql", false, NULL), 0);
		api_follow(client, &filter);
	}
}

static void setup(void)
{
	(void)signal(SIGPIPE, SIG_IGN); /* as the daemon does */
	base = event_base_new();
	struct api_setup s = {.base = base, .request = on_request, .group = getegid()};
	ck_assert_int_eq(api_new(&s, &api, &err), 0);
}

static void teardown(void)
{
	api_free(api);
	event_base_free(base);
}

static int join(void)
{
	int ends[2];
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	ck_assert(api_adopt(api, ends[1]));
	ck_assert_int_eq(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	return ends[0];
}

static void turn(void)
{
	for (int i = 0; i < 10; i++)
		(void)event_base_loop(base, EVLOOP_NONBLOCK);
}

static void say(int fd, const char *text)
{
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	turn();
}

/* Everything there is; closed tells whether the other side has closed. */
static const char *hear(int fd, bool *closed)
{
	static char text[4096];
	size_t n = 0;
	ssize_t got = 1;
	turn();
	while (n < sizeof(text) - 1 && (got = read(fd, text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = '\0';
	*closed = got == 0;
	return text;
}

START_TEST(answers_end_with_an_exit_code_and_a_close)
{
	bool closed;
	int fd = join();
	say(fd, "{\"cmd\":\"echo\"}\n");
	ck_assert_str_eq(hear(fd, &closed),
			 "{\"said\":\"x\",\"schema\":1}\n"
			 "{\"end\":true,\"exit\":3,\"error\":\"why\",\"schema\":1}\n");
	ck_assert(closed);
	(void)close(fd);
}
END_TEST

START_TEST(a_request_may_come_in_pieces)
{
	bool closed;
	int fd = join();
	say(fd, "{\"cmd\":");
	ck_assert_int_eq(n_requests, 0);
	say(fd, "\"echo\"}\n");
	ck_assert_int_eq(n_requests, 1);
	ck_assert_ptr_nonnull(strstr(hear(fd, &closed), "\"exit\":3"));
	(void)close(fd);
}
END_TEST

static const char *const bad_requests[] = {
	"x\n", "\n", "[]\n", "{\n", "{\"a\":1,\"a\":2}\n", "null\n", "{\"cmd\":\"\xff\"}\n"};

START_TEST(what_is_no_request_is_told_so)
{
	bool closed;
	int fd = join();
	say(fd, bad_requests[_i]);
	ck_assert_ptr_nonnull(strstr(hear(fd, &closed), "\"exit\":1,\"error\":"));
	ck_assert(closed);
	ck_assert_int_eq(n_requests, 0);
	(void)close(fd);
}
END_TEST

START_TEST(a_second_request_is_not_heard)
{
	bool closed;
	int fd = join();
	say(fd, "{\"cmd\":\"later\"}\n{\"cmd\":\"echo\"}\n");
	say(fd, "{\"cmd\":\"echo\"}\n");
	ck_assert_int_eq(n_requests, 1);
	ck_assert_str_eq(hear(fd, &closed), "");
	(void)close(fd);
}
END_TEST

START_TEST(an_endless_request_is_refused)
{
	static char line[API_REQUEST_MAX + 2];
	bool closed;
	int fd = join();
	memset(line, ' ', sizeof(line) - 1);
	say(fd, line);
	ck_assert_ptr_nonnull(strstr(hear(fd, &closed), "too long"));
	ck_assert(closed);
	(void)close(fd);
}
END_TEST

START_TEST(an_answer_may_come_later)
{
	bool closed;
	int fd = join();
	say(fd, "{\"cmd\":\"later\"}\n");
	struct api_client *client = api_find(api, later_id);
	ck_assert_ptr_nonnull(client);
	api_end(client, 0, NULL);
	ck_assert_str_eq(hear(fd, &closed), "{\"end\":true,\"exit\":0,\"schema\":1}\n");
	ck_assert(closed);
	ck_assert_ptr_null(api_find(api, later_id));
	(void)close(fd);
}
END_TEST

START_TEST(who_leaves_is_not_found_later)
{
	int fd = join();
	say(fd, "{\"cmd\":\"later\"}\n");
	ck_assert_ptr_nonnull(api_find(api, later_id));
	(void)close(fd);
	turn();
	/* Its sending side is closed; the answer finds out that the other one is too. */
	struct api_client *client = api_find(api, later_id);
	if (client)
		api_end(client, 0, NULL);
	turn();
	ck_assert_ptr_null(api_find(api, later_id));
}
END_TEST

START_TEST(half_a_close_still_gets_its_answer)
{
	bool closed;
	int fd = join();
	ck_assert_int_eq(write(fd, "{\"cmd\":\"later\"}\n", 16), 16);
	ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
	turn();
	api_end(api_find(api, later_id), 0, NULL);
	ck_assert_ptr_nonnull(strstr(hear(fd, &closed), "\"exit\":0"));
	(void)close(fd);
}
END_TEST

START_TEST(who_does_not_read_is_dropped)
{
	bool closed;
	int fd = join(), other = join();
	say(fd, "{\"cmd\":\"big\"}\n");
	say(other, "{\"cmd\":\"echo\"}\n");
	ck_assert_ptr_nonnull(strstr(hear(other, &closed), "\"exit\":3"));
	do {
		const char *text = hear(fd, &closed);
		ck_assert_ptr_null(strstr(text, "\"end\""));
	} while (!closed && poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 1000) == 1);
	ck_assert(closed);
	(void)close(fd);
	(void)close(other);
}
END_TEST

static void publish(const char *record)
{
	json_t *json = json_loads(record, 0, NULL);
	api_publish(api, json, bytes_str(record));
	json_decref(json);
}

START_TEST(followers_get_what_matches)
{
	bool closed;
	int fd = join();
	say(fd, "{\"cmd\":\"follow\"}\n");
	publish("{\"flow_id\":1,\"app_proto\":\"http\"}");
	publish("{\"flow_id\":2,\"app_proto\":\"mysql\"}");
	publish("{\"event_type\":\"engine\"}");
	ck_assert_str_eq(hear(fd, &closed), "{\"flow_id\":2,\"app_proto\":\"mysql\"}\n");
	ck_assert(!closed);
	(void)close(fd);
	turn();
	publish("{\"flow_id\":3,\"app_proto\":\"mysql\"}");
	turn();
}
END_TEST

START_TEST(a_follower_that_does_not_read_is_dropped)
{
	char record[2048];
	int fd = join();
	bool closed;
	say(fd, "{\"cmd\":\"follow\"}\n");
	(void)snprintf(record, sizeof(record),
		       "{\"flow_id\":1,\"app_proto\":\"mysql\",\"pad\":\"%01500d\"}", 0);
	for (int i = 0; i < 3 * API_FOLLOW_MAX / 1500; i++)
		publish(record);
	do
		(void)hear(fd, &closed);
	while (!closed && poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 1000) == 1);
	ck_assert(closed);
	(void)close(fd);
}
END_TEST

START_TEST(clients_are_bounded)
{
	int fds[API_CLIENTS_MAX], ends[2];
	char text[256] = "";
	for (size_t i = 0; i < API_CLIENTS_MAX; i++)
		fds[i] = join();
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	ck_assert(!api_adopt(api, ends[1]));
	ck_assert_int_gt(read(ends[0], text, sizeof(text) - 1), 0);
	ck_assert_ptr_nonnull(strstr(text, "too many"));
	(void)close(fds[0]);
	turn();
	fds[0] = join();
	for (size_t i = 0; i < API_CLIENTS_MAX; i++)
		(void)close(fds[i]);
	(void)close(ends[0]);
}
END_TEST

/* The credentials of a socket pair are those of its making. */
static bool adopt_made_by_nobody(void)
{
	enum { NOBODY = 65534 };
	int ends[2];
	ck_assert_int_eq(setgroups(0, NULL), 0);
	ck_assert_int_eq(setegid(NOBODY), 0);
	ck_assert_int_eq(seteuid(NOBODY), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(setegid(0), 0);
	bool adopted = api_adopt(api, ends[1]);
	(void)close(ends[0]);
	turn();
	return adopted;
}

START_TEST(strangers_are_refused)
{
	if (geteuid() != 0)
		return; /* nobody else can be played */
	ck_assert(!adopt_made_by_nobody());
	teardown();
	base = event_base_new();
	struct api_setup s = {.base = base, .request = on_request, .group = 65534};
	ck_assert_int_eq(api_new(&s, &api, &err), 0);
	ck_assert(adopt_made_by_nobody()); /* a member of the group */
}
END_TEST

START_TEST(listens_with_a_private_mode_and_cleans_up)
{
	char folder[] = "/tmp/bw-api-XXXXXX", path[64];
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct stat st;
	bool closed;
	ck_assert_ptr_nonnull(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/s", folder);
	memcpy(addr.sun_path, path, strlen(path) + 1);
	ck_assert_int_eq(api_listen(api, path, &err), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0660);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	say(fd, "{\"cmd\":\"echo\"}\n");
	ck_assert_ptr_nonnull(strstr(hear(fd, &closed), "\"exit\":3"));
	(void)close(fd);
	api_free(api);
	api = NULL;
	ck_assert_int_ne(stat(path, &st), 0);
	(void)rmdir(folder);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control_api");
	TCase *tc = tcase_create("api");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, answers_end_with_an_exit_code_and_a_close);
	tcase_add_test(tc, a_request_may_come_in_pieces);
	tcase_add_loop_test(tc, what_is_no_request_is_told_so, 0,
			    sizeof(bad_requests) / sizeof(bad_requests[0]));
	tcase_add_test(tc, a_second_request_is_not_heard);
	tcase_add_test(tc, an_endless_request_is_refused);
	tcase_add_test(tc, an_answer_may_come_later);
	tcase_add_test(tc, who_leaves_is_not_found_later);
	tcase_add_test(tc, half_a_close_still_gets_its_answer);
	tcase_add_test(tc, who_does_not_read_is_dropped);
	tcase_add_test(tc, followers_get_what_matches);
	tcase_add_test(tc, a_follower_that_does_not_read_is_dropped);
	tcase_add_test(tc, clients_are_bounded);
	tcase_add_test(tc, strangers_are_refused);
	tcase_add_test(tc, listens_with_a_private_mode_and_cleans_up);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
