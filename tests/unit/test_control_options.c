/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon's command line, and the small pure parts of the control process. */
#include "control/epoch.h"
#include "control/host.h"
#include "control/ids.h"
#include "control/lock.h"
#include "control/options.h"
#include "control/queues.h"
#include "output/version.h"

#include "base/text.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct options_row {
	const char *words;
	enum options_action action;
	const char *config, *runtime_dir, *docker_host, *eve;
	bool debug;
};

static const struct options_row rows[] = {
	{"", OPTIONS_RUN, OPTIONS_CONFIG, OPTIONS_RUNTIME_DIR, NULL, NULL, false},
	{"--config a --debug", OPTIONS_RUN, "a", OPTIONS_RUNTIME_DIR, NULL, NULL, true},
	{"--config=a --runtime-dir=/r", OPTIONS_RUN, "a", "/r", NULL, NULL, false},
	{"--docker-host unix:///x/y.sock", OPTIONS_RUN, OPTIONS_CONFIG, OPTIONS_RUNTIME_DIR,
	 "/x/y.sock", NULL, false},
	{"--docker-host /x/y.sock --eve -", OPTIONS_RUN, OPTIONS_CONFIG, OPTIONS_RUNTIME_DIR,
	 "/x/y.sock", "-", false},
	{"--check", OPTIONS_CHECK, OPTIONS_CONFIG, OPTIONS_RUNTIME_DIR, NULL, NULL, false},
	{"--help --nonsense", OPTIONS_HELP, OPTIONS_CONFIG, OPTIONS_RUNTIME_DIR, NULL, NULL, false},
	{"--version", OPTIONS_VERSION, OPTIONS_CONFIG, OPTIONS_RUNTIME_DIR, NULL, NULL, false},
	{"--nonsense", OPTIONS_WRONG, NULL, NULL, NULL, NULL, false},
	{"word", OPTIONS_WRONG, NULL, NULL, NULL, NULL, false},
	{"--config", OPTIONS_WRONG, NULL, NULL, NULL, NULL, false},
	{"--config=", OPTIONS_WRONG, NULL, NULL, NULL, NULL, false},
	{"--check=1", OPTIONS_WRONG, NULL, NULL, NULL, NULL, false},
	{"--docker-host tcp://1.2.3.4:2375", OPTIONS_WRONG, NULL, NULL, NULL, NULL, false},
	{"--conf a", OPTIONS_WRONG, NULL, NULL, NULL, NULL, false},
	{"--engine", OPTIONS_WRONG, NULL, NULL, NULL, NULL, false},
};

static void check_text(const char *got, const char *want)
{
	ck_assert_int_eq(got == NULL, want == NULL);
	if (want)
		ck_assert_str_eq(got, want);
}

START_TEST(option_rows)
{
	const struct options_row *row = &rows[_i];
	char words[128], *argv[16] = {(char[]){"bridgewardend"}}, *rest = NULL;
	int argc = 1;
	struct error err = {""};
	(void)snprintf(words, sizeof(words), "%s", row->words);
	for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		argv[argc++] = word;
	struct options options = options_parse(argc, argv, &err);
	ck_assert_int_eq(options.action, row->action);
	ck_assert_int_eq(err.text[0] != '\0', row->action == OPTIONS_WRONG);
	check_text(options.config, row->config);
	check_text(options.runtime_dir, row->runtime_dir);
	check_text(options.docker_host, row->docker_host);
	check_text(options.eve, row->eve);
	ck_assert_int_eq(options.debug, row->debug);
}
END_TEST

START_TEST(queue_lines)
{
	struct queue_line line;
	ck_assert(queue_line_parse(" 4200   4711     5 2 65531     6     7      890  1\n", &line));
	ck_assert_uint_eq(line.queue, 4200);
	ck_assert_uint_eq(line.portid, 4711);
	ck_assert_uint_eq(line.waiting, 5);
	ck_assert_uint_eq(line.dropped, 6);
	ck_assert_uint_eq(line.user_dropped, 7);
	ck_assert_uint_eq(line.sequence, 890);
	ck_assert(queue_line_parse("1 4294967295 0 2 0 0 0 0 1", &line));
	ck_assert(!queue_line_parse("1 2 3", &line));
	ck_assert(!queue_line_parse("", &line));
	ck_assert(!queue_line_parse("1 2 3 4 5 6 7 4294967296", &line));
}
END_TEST

START_TEST(epochs_wrap_within_the_mask_and_are_never_0)
{
	const uint32_t mask = 0xff000000; /* 8 bits: 6 for the epoch */
	uint32_t epoch = 0;
	for (int i = 0; i < 200; i++) {
		uint32_t next = epoch_next(epoch, mask);
		ck_assert_uint_ge(next, 1);
		ck_assert_uint_le(next, 63);
		ck_assert_uint_ne(next, epoch);
		epoch = next;
	}
	ck_assert_uint_eq(epoch_next(63, mask), 1);
	ck_assert_uint_eq(epoch_next(64, mask), 2); /* kept under a wider mask */
	ck_assert_uint_le(epoch_next(UINT32_MAX, mask), 63);
	ck_assert_uint_eq(epoch_next(7, UINT32_MAX), 8);
}
END_TEST

static char folder[] = "/tmp/bw-control-XXXXXX";

START_TEST(epochs_outlive_the_process)
{
	char path[64];
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(epoch_store(folder, 77), 0);
	ck_assert_uint_eq(epoch_load(folder), 77);
	ck_assert_int_eq(epoch_store(folder, 78), 0);
	ck_assert_uint_eq(epoch_load(folder), 78);
	(void)snprintf(path, sizeof(path), "%s/epoch", folder);
	ck_assert_int_eq(unlink(path), 0);
	(void)epoch_load(folder); /* random: any number, no failure */
	ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

START_TEST(the_lock_is_for_one)
{
	struct error err = {""};
	char want[32];
	int fd = -1, other = -1;
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(runtime_dir_make(folder, getegid(), &err), 0);
	ck_assert_int_eq(lock_take(folder, &fd, &err), 0);
	ck_assert_int_eq(lock_take(folder, &other, &err), -EBUSY);
	(void)snprintf(want, sizeof(want), "(pid %ld)", (long)getpid());
	ck_assert_ptr_nonnull(strstr(err.text, want));
	ck_assert_ptr_nonnull(strstr(err.text, folder));
	lock_drop(folder, fd);
	ck_assert_int_eq(lock_take(folder, &other, &err), 0);
	lock_drop(folder, other);
	ck_assert_int_eq(rmdir(folder), 0); /* nothing is left */
}
END_TEST

START_TEST(a_runtime_directory_that_others_write_to_is_refused)
{
	struct error err = {""};
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chmod(folder, 0777), 0);
	ck_assert_int_eq(runtime_dir_make(folder, getegid(), &err), -EPERM);
	ck_assert_int_eq(rmdir(folder), 0);
	ck_assert_int_eq(runtime_dir_make("/no/such/parent", getegid(), &err), -ENOENT);
}
END_TEST

/* ---- what counts as a change ---- */

START_TEST(host_addresses_that_are_added_disturb_nothing)
{
	struct ip_addr few[2], more[3];
	static const char *const texts[] = {"10.0.0.1", "10.0.0.2", "10.0.0.3"};
	for (size_t i = 0; i < 3; i++)
		ck_assert(ip_addr_parse(texts[i], &more[i]));
	few[0] = more[0];
	few[1] = more[2];
	struct host_addrs a = {few, 2}, b = {more, 3}, none = {NULL, 0};
	ck_assert(host_addrs_keeps(&b, &a));
	ck_assert(!host_addrs_keeps(&a, &b));
	ck_assert(host_addrs_keeps(&a, &a));
	ck_assert(host_addrs_keeps(&a, &none));
	ck_assert(!host_addrs_keeps(&none, &a));
}
END_TEST

START_TEST(the_host_has_its_loopback)
{
	struct host_addrs addrs, again;
	struct ip_addr loopback;
	bool found = false;
	ck_assert_int_eq(host_addrs_read(&addrs), 0);
	ck_assert_int_eq(host_addrs_read(&again), 0);
	ck_assert(host_addrs_equal(&addrs, &again));
	ck_assert(ip_addr_parse("127.0.0.1", &loopback));
	for (size_t i = 0; i < addrs.n; i++)
		found = found || ip_addr_equal(&addrs.items[i], &loopback);
	ck_assert(found || addrs.n == 0); /* none where every interface is down */
	host_addrs_fini(&addrs);
	host_addrs_fini(&again);
}
END_TEST

static void put(struct identity_set *set, const char *id, const char *service, const char *ip)
{
	struct identity_endpoint e = {.id = strdup(id),
				      .container = strdup(id),
				      .project = strdup("blog"),
				      .service = strdup(service)};
	struct identity_address address = {.network = (char[]){"net"}};
	ck_assert(ip_addr_parse(ip, &address.addr));
	ck_assert_int_eq(identity_endpoint_add_address(&e, &address), 0);
	ck_assert_int_eq(identity_put_endpoint(set, &e), 0);
}

static void note(void *ctx, enum ids_change change, const struct identity_endpoint *e)
{
	char *said = ctx;
	size_t n = strlen(said);
	(void)snprintf(said + n, 64 - n, "%c%s ", "+-~"[change], e -> id);
}

START_TEST(additions_disturb_nothing_the_rest_does)
{
	struct identity_set before = {.n_endpoints = 0}, now = {.n_endpoints = 0};
	char said[64] = "";
	put(&before, "a", "db", "198.18.0.2");
	ck_assert_int_eq(ids_add(&now, &before), 0);
	ck_assert(!ids_diff(&before, &now, note, said));
	ck_assert_str_eq(said, "");
	put(&now, "b", "db", "198.18.0.3");
	ck_assert(!ids_diff(&before, &now, note, said));
	ck_assert_str_eq(said, "+b ");
	said[0] = '\0';
	ck_assert(ids_diff(&now, &before, note, said));
	ck_assert_str_eq(said, "-b ");
	said[0] = '\0';
	put(&now, "a", "web", "198.18.0.2"); /* the same address, another identity */
	ck_assert(ids_diff(&before, &now, note, said));
	ck_assert_str_eq(said, "~a +b ");
	said[0] = '\0';
	put(&now, "a", "db", "198.18.0.9"); /* the same identity, another address */
	ck_assert(ids_diff(&before, &now, note, said));
	identity_set_fini(&before);
	identity_set_fini(&now);
}
END_TEST

static void put_bare(struct identity_set *set, const char *id)
{
	struct identity_endpoint e = {.id = strdup(id), .container = strdup(id)};
	ck_assert_int_eq(identity_put_endpoint(set, &e), 0);
}

/* A container is known before it has an address; a second network is one address more. */
START_TEST(addresses_that_are_added_disturb_nothing)
{
	struct identity_set before = {.n_endpoints = 0}, now = {.n_endpoints = 0};
	struct identity_address more = {.network = (char[]){"other"}};
	char said[64] = "";
	put_bare(&before, "a");
	put(&now, "a", "db", "198.18.0.2");
	ck_assert(!ids_diff(&before, &now, note, said));
	ck_assert_str_eq(said, "~a ");
	identity_set_fini(&before);
	ck_assert_int_eq(ids_add(&before, &now), 0);
	ck_assert(ip_addr_parse("198.18.9.2", &more.addr));
	ck_assert_int_eq(identity_endpoint_add_address(&now.endpoints[0], &more), 0);
	ck_assert(!ids_diff(&before, &now, note, said));
	ck_assert(ids_diff(&now, &before, note, said));
	identity_set_fini(&before);
	identity_set_fini(&now);
}
END_TEST

START_TEST(an_address_that_a_newcomer_claims_disturbs)
{
	struct identity_set before = {.n_endpoints = 0}, now = {.n_endpoints = 0};
	char said[64] = "";
	put(&before, "a", "db", "198.18.0.2");
	ck_assert_int_eq(ids_add(&now, &before), 0);
	put(&now, "b", "web", "198.18.0.2");
	ck_assert(ids_diff(&before, &now, note, said));
	identity_set_fini(&before);
	identity_set_fini(&now);
}
END_TEST

static void put_network(struct identity_set *set, const char *id, const char *bridge)
{
	struct identity_network n = {
		.id = strdup(id), .name = strdup(id), .bridge = strdup(bridge)};
	n.subnets = calloc(1, sizeof(*n.subnets));
	n.n_subnets = 1;
	ck_assert_int_eq(identity_put_network(set, &n), 0);
}

START_TEST(networks_that_go_or_change_disturb)
{
	struct identity_set before = {.n_endpoints = 0}, now = {.n_endpoints = 0};
	char said[64] = "";
	put_network(&before, "n1", "br-1");
	ck_assert_int_eq(ids_add(&now, &before), 0);
	ck_assert(!ids_diff(&before, &now, note, said));
	put_network(&now, "n2", "br-2");
	ck_assert(!ids_diff(&before, &now, note, said));
	ck_assert(ids_diff(&now, &before, note, said));
	put_network(&now, "n1", "br-9");
	ck_assert(ids_diff(&before, &now, note, said));
	identity_set_fini(&before);
	identity_set_fini(&now);
}
END_TEST

START_TEST(the_version_is_the_builds)
{
	static char text[65536];
	FILE *file = fopen(BW_SOURCE_DIR "/CMakeLists.txt", "r");
	ck_assert_ptr_nonnull(file);
	size_t n = fread(text, 1, sizeof(text) - 1, file);
	text[n] = '\0';
	(void)fclose(file);
	ck_assert_ptr_nonnull(strstr(text, "VERSION " VERSION " LANGUAGES"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control_options");
	TCase *tc = tcase_create("options");
	tcase_add_loop_test(tc, option_rows, 0, sizeof(rows) / sizeof(rows[0]));
	tcase_add_test(tc, queue_lines);
	tcase_add_test(tc, epochs_wrap_within_the_mask_and_are_never_0);
	tcase_add_test(tc, epochs_outlive_the_process);
	tcase_add_test(tc, the_lock_is_for_one);
	tcase_add_test(tc, a_runtime_directory_that_others_write_to_is_refused);
	tcase_add_test(tc, host_addresses_that_are_added_disturb_nothing);
	tcase_add_test(tc, the_host_has_its_loopback);
	tcase_add_test(tc, additions_disturb_nothing_the_rest_does);
	tcase_add_test(tc, addresses_that_are_added_disturb_nothing);
	tcase_add_test(tc, an_address_that_a_newcomer_claims_disturbs);
	tcase_add_test(tc, networks_that_go_or_change_disturb);
	tcase_add_test(tc, the_version_is_the_builds);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
