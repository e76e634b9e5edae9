/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control process as a whole, with everything around it played: the engine, Docker and the
 * firewall are fakes that share a page of memory with the test. Policy, image, socket, records and
 * files are real. The daemon runs in a child process.
 */
#include "control/control.h"

#include "base/log.h"
#include "base/text.h"
#include "docker/docker.h"

#include <cap-ng.h>
#include <check.h>
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* Writers: the fakes, but for what the test orders. Readers: both. */
struct world {
	/* orders */
	_Atomic int docker_missing, docker_step, docker_lost;
	_Atomic int engine_stalls;
	_Atomic int apply_fails, somebody_flushed, ports_fail;
	/* what happened */
	_Atomic uint32_t n_published, generation, image_epoch;
	_Atomic uint32_t n_applied, epoch, n_interfaces, n_removed, n_too_early;
};

static struct world *world;

/* ---- one protocol, so that nothing here depends on which there are ---- */

static bool mysql_say(struct bytes text, const struct dis_sink *sink)
{
	struct dis_event event = {.kind = DIS_REQUEST};
	(void)text;
	sink->event(sink->ctx, &event);
	return true;
}

static const struct dissector mysql = {
	.name = "mysql", .object = "mysql", .ip_protos = {6}, .say = mysql_say};
const struct dissector *const dissectors[] = {&mysql};
const size_t n_dissectors = 1;

/* ---- capabilities: the test needs none ---- */

int capng_get_caps_process(void)
{
	return 0;
}

int capng_have_capability(capng_type_t which, unsigned int capability)
{
	(void)which;
	(void)capability;
	return 1;
}

/* ---- the engine ---- */

struct supervise {
	struct supervise_callbacks callbacks;
	struct shared_counters counters;
};

int supervise_start(struct event_base *base, const struct supervise_setup *setup,
		    const struct supervise_callbacks *callbacks, struct supervise **out,
		    struct error *err)
{
	(void)base;
	(void)setup;
	(void)err;
	*out = aligned_alloc(64, sizeof(**out));
	memset(*out, 0, sizeof(**out));
	(*out)->callbacks = *callbacks;
	counter_set(&(*out)->counters, COUNTER_GENERATION, 40); /* of a former daemon */
	return 0;
}

int supervise_publish(struct supervise *s, int image_fd)
{
	const struct policy_image *image;
	(void)s;
	if (policy_image_map(image_fd, &image))
		return -EBADMSG;
	world->generation = policy_settings(image)->generation;
	world->image_epoch = policy_settings(image)->epoch;
	world->n_published++;
	policy_image_unmap(image);
	return 0;
}

bool supervise_has_generation(const struct supervise *s, uint32_t generation)
{
	(void)s;
	return !world->engine_stalls && world->generation >= generation;
}

pid_t supervise_engine_pid(const struct supervise *s)
{
	(void)s;
	return 4711;
}

uint64_t supervise_restarts(const struct supervise *s)
{
	(void)s;
	return 0;
}

unsigned supervise_n_workers(const struct supervise *s)
{
	(void)s;
	return 1;
}

const struct shared_counters *supervise_counters(const struct supervise *s, unsigned worker)
{
	(void)worker;
	return &s->counters;
}

void supervise_flows(const struct supervise *s,
		     void (*visit)(void *ctx, const struct flow_view *flow), void *ctx)
{
	struct flow_view flow = {.id = 5,
				 .src_port = 4000,
				 .dst_port = 3306,
				 .ip_proto = 6,
				 .app = 0xff,
				 .state = "inspecting",
				 .verdict = VERDICT_PENDING,
				 .start_ns = 1};
	(void)s;
	ck_assert(ip_addr_parse("198.18.64.2", &flow.src) &&
		  ip_addr_parse("198.18.64.3", &flow.dst));
	visit(ctx, &flow);
}

void supervise_stop(struct supervise *s)
{
	free(s);
}

/* ---- Docker ---- */

struct docker {
	struct docker_callbacks callbacks;
	struct event *event;
	int step, lost;
};

static void add(struct identity_set *set, const char *service, const char *ip)
{
	struct identity_endpoint e = {.id = strdup(service),
				      .container = strdup(service),
				      .project = strdup("blog"),
				      .service = strdup(service)};
	struct identity_address address = {.network = (char[]){"blog_default"}};
	(void)ip_addr_parse(ip, &address.addr);
	(void)identity_endpoint_add_address(&e, &address);
	(void)identity_put_endpoint(set, &e);
}

static void add_network(struct identity_set *set, const char *name, const char *bridge,
			const char *subnet)
{
	struct identity_network n = {
		.id = strdup(name), .name = strdup(name), .bridge = strdup(bridge)};
	n.subnets = calloc(1, sizeof(*n.subnets));
	n.n_subnets = 1;
	(void)ip_prefix_parse(subnet, &n.subnets[0].addr, &n.subnets[0].length);
	(void)identity_put_network(set, &n);
}

/* 1: two containers. 2: one more. 3: one of the first moved. 4: one more network. */
static void docker_tell(struct docker *docker)
{
	struct identity_set set = {.n_endpoints = 0};
	add_network(&set, "blog_default", "br-blog", "198.18.64.0/24");
	add(&set, "wordpress", docker->step >= 3 ? "198.18.64.9" : "198.18.64.2");
	add(&set, "db", "198.18.64.3");
	if (docker->step >= 2)
		add(&set, "cache", "198.18.64.4");
	if (docker->step >= 4)
		add_network(&set, "shop_default", "br-shop", "198.18.65.0/24");
	docker->callbacks.changed(docker->callbacks.ctx, &set);
	identity_set_fini(&set);
}

static void docker_turn(evutil_socket_t fd, short what, void *arg)
{
	struct docker *docker = arg;
	(void)fd;
	(void)what;
	if (docker->lost != world->docker_lost) {
		docker->lost = world->docker_lost;
		docker->callbacks.state(docker->callbacks.ctx, docker->lost ? "played" : NULL);
	}
	if (docker->step != world->docker_step) {
		docker->step = world->docker_step;
		docker_tell(docker);
	}
}

int docker_start(struct event_base *base, const char *socket_path,
		 const struct docker_callbacks *callbacks, struct docker **out, struct error *err)
{
	static const struct timeval often = {0, 2000};
	if (world->docker_missing)
		return error_set(err, -ENOENT, "no Docker socket at %s", socket_path);
	*out = calloc(1, sizeof(**out));
	(*out)->callbacks = *callbacks;
	(*out)->event = event_new(base, -1, EV_PERSIST, docker_turn, *out);
	return event_add((*out)->event, &often);
}

void docker_stop(struct docker *docker)
{
	if (docker)
		event_free(docker->event);
	free(docker);
}

/* ---- the firewall ---- */

struct firewall {
	int unused;
};

int firewall_new(const char *state_path, struct firewall **out, struct error *err)
{
	(void)state_path;
	(void)err;
	*out = calloc(1, sizeof(**out));
	return 0;
}

int firewall_apply(struct firewall *fw, const struct firewall_plan *plan, struct error *err)
{
	(void)fw;
	if (world->apply_fails)
		return error_set(err, -EIO, "played failure");
	world->n_too_early += world->engine_stalls && plan->epoch == world->image_epoch &&
			      plan->epoch != world->epoch;
	world->epoch = plan->epoch;
	world->n_interfaces = (uint32_t)plan->n_interfaces;
	world->somebody_flushed = 0;
	world->n_applied++;
	return 0;
}

int firewall_check(struct firewall *fw, struct error *err)
{
	(void)fw;
	(void)err;
	return world->somebody_flushed ? 1 : 0;
}

int firewall_bind_ports(struct firewall *fw, const struct ports_plan *plan, struct error *err)
{
	(void)fw;
	(void)plan;
	return world->ports_fail ? error_set(err, -ENOENT, "played lack of nft") : 0;
}

int firewall_release_ports(struct firewall *fw, struct error *err)
{
	(void)fw;
	(void)err;
	return 0;
}

void firewall_read_drops(struct ports_drops *out)
{
	*out = (struct ports_drops){.packets = {[PORTS_ARP] = 7}};
}

int firewall_remove(struct firewall *fw, struct error *err)
{
	(void)fw;
	(void)err;
	world->n_removed++;
	return 0;
}

void firewall_free(struct firewall *fw)
{
	free(fw);
}

/* ---- the daemon in its place ---- */

static char folder[] = "/tmp/bw-daemon-XXXXXX";
static char config[64], run[64], eve[64], talk[64];
static pid_t daemon_pid;

static const char policy_text[] =
	"version: 1\n"
	"output: {eve: none}\n"
	"rules:\n"
	"- {name: wp-own-db, from: blog/wordpress, to: blog/db, app: mysql, allow: true}\n"
	"tests:\n"
	"- \"blog/wordpress -> blog/db mysql 'SELECT 1' = allow by wp-own-db\"\n"
	"- \"blog/cache -> blog/db tcp = deny by default\"\n";

static void write_config(const char *text)
{
	FILE *file = fopen(config, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

static void start_daemon(void)
{
	daemon_pid = fork();
	ck_assert_int_ge(daemon_pid, 0);
	if (daemon_pid)
		return;
	struct options options = {.config = config, .runtime_dir = run, .eve = eve};
	if (!freopen(talk, "a", stderr))
		exit(99);
	log_init("bridgewardend", true);
	exit(control_run(&options));
}

static int daemon_exit(void)
{
	int status = -1;
	for (int i = 0; i < 500 && waitpid(daemon_pid, &status, WNOHANG) == 0; i++)
		usleep(10000);
	daemon_pid = 0;
	return status == -1 ? -1 : WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static void setup(void)
{
	world = mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	ck_assert_ptr_ne(world, MAP_FAILED);
	ck_assert_ptr_nonnull(mkdtemp(folder));
	(void)snprintf(config, sizeof(config), "%s/policy.yaml", folder);
	(void)snprintf(run, sizeof(run), "%s/run", folder);
	(void)snprintf(eve, sizeof(eve), "%s/eve.json", folder);
	(void)snprintf(talk, sizeof(talk), "%s/talk", folder);
	write_config(policy_text);
}

static void teardown(void)
{
	static const char *const names[] = {
		"policy.yaml", "eve.json",	   "talk",
		"run/epoch",   "run/control.sock", "run/bridgewardend.pid"};
	char path[128];
	if (daemon_pid) {
		(void)kill(daemon_pid, SIGKILL);
		(void)waitpid(daemon_pid, NULL, 0);
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		(void)unlink(path);
	}
	(void)rmdir(run);
	(void)rmdir(folder);
}

/* The lines of an answer in one array; NULL: nobody there. */
static json_t *ask(const char *request)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/control.sock", run);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		(void)close(fd);
		return NULL;
	}
	FILE *stream = fdopen(fd, "r+");
	char *line = NULL;
	size_t room = 0;
	json_t *lines = json_array();
	fprintf(stream, "%s\n", request);
	(void)fflush(stream);
	while (getline(&line, &room, stream) > 0)
		(void)json_array_append_new(lines, json_loads(line, 0, NULL));
	free(line);
	(void)fclose(stream);
	return lines;
}

static json_int_t exit_of(const json_t *lines)
{
	const json_t *end = json_array_get(lines, json_array_size(lines) - 1);
	ck_assert(json_is_true(json_object_get(end, "end")));
	return json_integer_value(json_object_get(end, "exit"));
}

static bool answers(void)
{
	json_t *lines = ask("{\"cmd\":\"status\"}");
	json_decref(lines);
	return lines != NULL;
}

static bool is_ready(void)
{
	json_t *lines = ask("{\"cmd\":\"status\"}");
	bool ready = json_is_true(json_object_get(json_array_get(lines, 0), "ready"));
	json_decref(lines);
	return ready;
}

#define wait_until(condition)                                                                      \
	do {                                                                                       \
		for (int tries = 0; tries < 400 && !(condition); tries++)                          \
			usleep(10000);                                                             \
		ck_assert_msg((condition), "never came true: " #condition);                        \
	} while (0)

static void start_ready(void)
{
	world->docker_step = 1;
	start_daemon();
	wait_until(is_ready());
}

static bool file_has(const char *path, const char *text)
{
	static char content[1 << 20];
	FILE *file = fopen(path, "r");
	size_t n = file ? fread(content, 1, sizeof(content) - 1, file) : 0;
	content[n] = '\0';
	if (file)
		(void)fclose(file);
	return strstr(content, text) != NULL;
}

static unsigned occurrences(const char *path, const char *text)
{
	char line[4096];
	unsigned n = 0;
	FILE *file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		n += strstr(line, text) != NULL;
	if (file)
		(void)fclose(file);
	return n;
}

START_TEST(becomes_ready_and_leaves_nothing)
{
	struct stat st;
	char path[128];
	start_daemon();
	wait_until(answers());
	ck_assert(!is_ready()); /* no list of containers yet */
	ck_assert_uint_eq(world->n_published, 0);
	world->docker_step = 1;
	wait_until(is_ready());
	ck_assert_uint_eq(world->n_published, 1);
	ck_assert_uint_eq(world->generation, 41); /* goes on from the former daemon's */
	ck_assert_uint_eq(world->n_applied, 1);
	ck_assert_uint_eq(world->n_interfaces, 1);
	ck_assert_uint_eq(world->epoch, world->image_epoch);
	ck_assert_int_eq(kill(daemon_pid, SIGTERM), 0);
	ck_assert_int_eq(daemon_exit(), 0);
	ck_assert_uint_eq(world->n_removed, 1);
	(void)snprintf(path, sizeof(path), "%s/control.sock", run);
	ck_assert_int_ne(stat(path, &st), 0);
	(void)snprintf(path, sizeof(path), "%s/bridgewardend.pid", run);
	ck_assert_int_ne(stat(path, &st), 0);
	ck_assert(file_has(eve, "\"event_type\":\"identity\""));
	ck_assert(file_has(eve, "\"event\":\"loaded\""));
}
END_TEST

START_TEST(without_docker_it_says_so_and_ends)
{
	world->docker_missing = 1;
	start_daemon();
	ck_assert_int_eq(daemon_exit(), 1);
	ck_assert(file_has(talk, "no Docker socket"));
	ck_assert_uint_eq(world->n_applied, 0);
}
END_TEST

START_TEST(a_second_daemon_is_told_of_the_first)
{
	start_ready();
	pid_t first = daemon_pid;
	start_daemon();
	ck_assert_int_eq(daemon_exit(), 1);
	ck_assert(file_has(talk, "already running"));
	daemon_pid = first;
	ck_assert(is_ready());
}
END_TEST

START_TEST(additions_keep_the_epoch_and_the_rest_changes_it)
{
	start_ready();
	uint32_t epoch = world->image_epoch;
	world->docker_step = 2;
	wait_until(world->generation == 42);
	ck_assert_uint_eq(world->image_epoch, epoch);
	world->docker_step = 3;
	wait_until(world->generation == 43);
	ck_assert_uint_ne(world->image_epoch, epoch);
	wait_until(world->epoch == world->image_epoch);
	world->docker_step = 4;
	wait_until(world->n_interfaces == 2);
	ck_assert(file_has(talk, "identity: changed wordpress"));
}
END_TEST

START_TEST(the_firewall_waits_for_the_engine)
{
	start_ready();
	world->engine_stalls = 1;
	world->docker_step = 3;
	wait_until(world->generation == 42);
	usleep(100000);
	ck_assert_uint_ne(world->epoch, world->image_epoch);
	/* What was applied is kept in place meanwhile. */
	world->somebody_flushed = 1;
	wait_until(world->somebody_flushed == 0);
	ck_assert_uint_eq(world->n_too_early, 0);
	world->engine_stalls = 0;
	wait_until(world->epoch == world->image_epoch);
}
END_TEST

START_TEST(what_somebody_flushed_is_put_back)
{
	start_ready();
	world->somebody_flushed = 1;
	wait_until(world->somebody_flushed == 0);
	wait_until(file_has(eve, "firewall-restored"));
}
END_TEST

START_TEST(a_failing_firewall_is_tried_again)
{
	world->apply_fails = 1;
	world->docker_step = 1;
	start_daemon();
	wait_until(file_has(talk, "played failure"));
	ck_assert(!is_ready());
	world->apply_fails = 0;
	wait_until(is_ready());
}
END_TEST

/* A value of status's "ports". */
static char *ports_text(const char *key)
{
	json_t *lines = ask("{\"cmd\":\"status\"}");
	const json_t *ports = json_object_get(json_array_get(lines, 0), "ports");
	const char *text = json_string_value(json_object_get(ports, key));
	char *copy = text ? strdup(text) : NULL;
	json_decref(lines);
	return copy;
}

static bool ports_are(const char *state)
{
	char *text = ports_text("state");
	bool is_same = text && strcmp(text, state) == 0;
	free(text);
	return is_same;
}

START_TEST(without_nft_it_says_so_once_and_everything_else_works)
{
	world->ports_fail = 1;
	start_ready();
	ck_assert(ports_are("failing"));
	char *why = ports_text("error");
	ck_assert_str_eq(why, "played lack of nft");
	free(why);
	usleep(2200000); /* two more attempts */
	ck_assert(file_has(talk, "identity is not bound to bridge ports"));
	ck_assert(file_has(eve, "ports-failed"));
	ck_assert_uint_eq(occurrences(talk, "not bound to bridge ports"), 1);
	world->ports_fail = 0;
	wait_until(ports_are("ok"));
	ck_assert(file_has(talk, "bound to bridge ports after all"));
}
END_TEST

START_TEST(a_lost_docker_keeps_the_last_list)
{
	start_ready();
	world->docker_lost = 1;
	wait_until(file_has(eve, "docker-lost"));
	json_t *lines = ask("{\"cmd\":\"status\"}");
	const json_t *status = json_array_get(lines, 0);
	ck_assert_str_eq(json_string_value(json_object_get(status, "docker")), "lost");
	ck_assert_int_eq(json_integer_value(json_object_get(status, "endpoints")), 2);
	ck_assert_uint_eq(world->n_published, 1);
	json_decref(lines);
}
END_TEST

START_TEST(reload_is_in_force_when_it_answers)
{
	start_ready();
	uint32_t epoch = world->epoch;
	json_t *lines = ask("{\"cmd\":\"reload\"}");
	ck_assert_int_eq(exit_of(lines), 0);
	ck_assert_uint_ne(world->epoch, epoch);
	ck_assert_uint_eq(world->generation, 42);
	json_decref(lines);
}
END_TEST

START_TEST(a_bad_policy_changes_nothing)
{
	start_ready();
	write_config("version: 1\nrules:\n- {name: x, form: any}\n");
	json_t *lines = ask("{\"cmd\":\"reload\"}");
	ck_assert_int_eq(exit_of(lines), 1);
	const char *text = json_string_value(json_object_get(json_array_get(lines, 0), "text"));
	ck_assert_ptr_nonnull(text);
	ck_assert_ptr_nonnull(strstr(text, "policy.yaml:3:"));
	ck_assert_uint_eq(world->n_published, 1);
	ck_assert(is_ready());
	wait_until(file_has(eve, "\"event\":\"rejected\""));
	json_decref(lines);
}
END_TEST

START_TEST(a_failing_test_changes_nothing)
{
	start_ready();
	char text[1024];
	(void)snprintf(text, sizeof(text),
		       "%s- \"blog/wordpress -> blog/db mysql 'SELECT 1' = deny\"\n", policy_text);
	write_config(text);
	json_t *lines = ask("{\"cmd\":\"reload\"}");
	ck_assert_int_eq(exit_of(lines), 1);
	ck_assert_uint_eq(world->n_published, 1);
	json_decref(lines);
}
END_TEST

START_TEST(a_bad_policy_does_not_start)
{
	write_config("version: 1\nnonsense: 1\n");
	start_daemon();
	ck_assert_int_eq(daemon_exit(), 1);
	ck_assert(file_has(talk, "policy.yaml:2:1"));
}
END_TEST

START_TEST(hup_reloads)
{
	start_ready();
	ck_assert_int_eq(kill(daemon_pid, SIGHUP), 0);
	wait_until(world->generation == 42);
}
END_TEST

START_TEST(usr1_opens_the_records_again)
{
	char old[80];
	struct stat st;
	start_ready();
	(void)snprintf(old, sizeof(old), "%s.1", eve);
	ck_assert_int_eq(rename(eve, old), 0);
	ck_assert_int_eq(kill(daemon_pid, SIGUSR1), 0);
	wait_until(stat(eve, &st) == 0);
	ck_assert_int_eq(kill(daemon_pid, SIGHUP), 0);
	wait_until(file_has(eve, "\"event\":\"loaded\""));
	(void)unlink(old);
}
END_TEST

static const char *text_at(const json_t *lines, size_t i, const char *key)
{
	const char *text = json_string_value(json_object_get(json_array_get(lines, i), key));
	return text ? text : "";
}

START_TEST(flows_have_names_and_explanations)
{
	start_ready();
	json_t *lines =
		ask("{\"cmd\":\"flows\",\"filters\":[{\"key\":\"to\",\"pattern\":\"blog/db*\"}]}");
	ck_assert_uint_eq(json_array_size(lines), 2);
	ck_assert_str_eq(text_at(lines, 0, "src_ip"), "198.18.64.2");
	ck_assert_ptr_nonnull(strstr(text_at(lines, 0, "from"), "blog/wordpress"));
	json_decref(lines);
	lines = ask("{\"cmd\":\"flows\",\"filters\":[{\"key\":\"to\",\"pattern\":\"x\"}]}");
	ck_assert_uint_eq(json_array_size(lines), 1);
	json_decref(lines);
	lines = ask("{\"cmd\":\"explain\",\"flow_id\":5}");
	ck_assert_str_eq(text_at(lines, 0, "kind"), "flow");
	ck_assert_str_eq(text_at(lines, 1, "rule"), "wp-own-db");
	ck_assert_int_eq(exit_of(lines), 0);
	json_decref(lines);
	lines = ask("{\"cmd\":\"explain\",\"flow_id\":6}");
	ck_assert_int_eq(exit_of(lines), 1);
	json_decref(lines);
	lines = ask("{\"cmd\":\"ids\"}");
	ck_assert_uint_eq(json_array_size(lines), 3);
	json_decref(lines);
	lines = ask("{\"cmd\":\"flows\",\"filters\":7}");
	ck_assert_int_eq(exit_of(lines), 64);
	json_decref(lines);
	lines = ask("{\"cmd\":\"dance\"}");
	ck_assert_int_eq(exit_of(lines), 64);
	json_decref(lines);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control_daemon");
	TCase *tc = tcase_create("daemon");
	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, becomes_ready_and_leaves_nothing);
	tcase_add_test(tc, without_docker_it_says_so_and_ends);
	tcase_add_test(tc, a_second_daemon_is_told_of_the_first);
	tcase_add_test(tc, additions_keep_the_epoch_and_the_rest_changes_it);
	tcase_add_test(tc, the_firewall_waits_for_the_engine);
	tcase_add_test(tc, what_somebody_flushed_is_put_back);
	tcase_add_test(tc, a_failing_firewall_is_tried_again);
	tcase_add_test(tc, without_nft_it_says_so_once_and_everything_else_works);
	tcase_add_test(tc, a_lost_docker_keeps_the_last_list);
	tcase_add_test(tc, reload_is_in_force_when_it_answers);
	tcase_add_test(tc, a_bad_policy_changes_nothing);
	tcase_add_test(tc, a_failing_test_changes_nothing);
	tcase_add_test(tc, a_bad_policy_does_not_start);
	tcase_add_test(tc, hup_reloads);
	tcase_add_test(tc, usr1_opens_the_records_again);
	tcase_add_test(tc, flows_have_names_and_explanations);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
