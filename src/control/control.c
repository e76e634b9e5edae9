/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/control.h"

#include "base/log.h"
#include "control/caps.h"
#include "control/enforce.h"
#include "control/epoch.h"
#include "control/lock.h"
#include "control/notify.h"
#include "control/reload.h"
#include "docker/docker.h"
#include "firewall/firewall.h"
#include "firewall/links.h"
#include "output/jsontext.h"

#include <cap-ng.h>
#include <errno.h>
#include <event2/event.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- policy ---- */

static void say_lines(const char *text)
{
	for (const char *line = text; line && *line;) {
		size_t length = strcspn(line, "\n");
		if (length)
			log_info("%.*s", (int)length, line);
		line += length + (line[length] == '\n');
	}
}

/* Puts what was loaded in force, or leaves everything as it is. */
static int adopt(struct control *c, struct loaded *loaded, struct error *err)
{
	struct identity_set before = c->inventory;
	c->inventory = loaded->inventory;
	int rc = publish_now(c, loaded->policy, err);
	if (rc) {
		c->inventory = before;
		return rc;
	}
	loaded->policy = NULL; /* publish took it */
	loaded->inventory = before;
	return 0;
}

static void reject(struct control *c, struct api_client *client, const char *text)
{
	log_error("reload: rejected, the policy of before stays in force");
	records_policy(&c->records, "rejected", c->now.generation, c->now.epoch, text);
	if (!client)
		return;
	(void)api_send(client,
		       json_pack("{s:b, s:o}", "loaded", 0, "text", json_text(bytes_str(text))));
	api_end(client, EXIT_FAILURE,
		"the policy was not loaded; the one of before stays in force");
}

static void control_reload(struct control *c, struct api_client *client)
{
	struct loaded loaded;
	struct error err = {""};
	int rc = loaded_read(c->options.config, &loaded);
	say_lines(loaded.text);
	if (rc == 0)
		loaded_note_restart(&loaded, c->now.policy);
	if (rc == 0 && !c->now.image)
		rc = error_set(&err, -EAGAIN,
			       "not ready yet: waits for the first list of containers");
	else if (rc == 0)
		rc = adopt(c, &loaded, &err);
	if (rc) {
		if (err.text[0])
			log_error("reload: %s", err.text);
		reject(c, client, err.text[0] ? err.text : loaded.text ? loaded.text : "no memory");
	} else if (client) {
		const char *text = loaded.text ? loaded.text : "";
		(void)api_send(client, json_pack("{s:o}", "text",
						 json_text(bytes_str(text)))); /* may be gone */
		enforce_answer_later(c, client);
	}
	loaded_fini(&loaded);
}

/* ---- events ---- */

static void on_end(evutil_socket_t signal_number, short what, void *arg)
{
	struct control *c = arg;
	(void)what;
	log_info("ending: signal %d", (int)signal_number);
	notify_service_manager("STOPPING=1");
	(void)event_base_loopbreak(c->base); /* cannot fail within the loop */
}

static void on_hup(evutil_socket_t signal_number, short what, void *arg)
{
	(void)signal_number;
	(void)what;
	control_reload(arg, NULL);
}

static void on_usr1(evutil_socket_t signal_number, short what, void *arg)
{
	struct control *c = arg;
	struct error err = {""};
	(void)signal_number;
	(void)what;
	if (c->records.sink && sink_reopen(c->records.sink, &err))
		log_error("records: %s; writing on to the old file", err.text);
}

static void on_flush(evutil_socket_t fd, short what, void *arg)
{
	struct control *c = arg;
	(void)fd;
	(void)what;
	records_flush(&c->records);
}

static void on_change(evutil_socket_t fd, short what, void *arg)
{
	struct control *c = arg;
	struct error err = {""};
	(void)fd;
	(void)what;
	c->must_compile = false;
	if (publish_now(c, NULL, &err) == 0)
		return;
	c->must_compile = true; /* the next tick tries again */
	log_error("identities changed, but the image of before stays in force: %s", err.text);
}

static void control_changed(struct control *c)
{
	/* At the loop's next turn: what is queued already is taken in first, nothing is waited for.
	 */
	static const struct timeval now = {0, 0};
	if (!event_pending(c->events[ON_CHANGE], EV_TIMEOUT, NULL))
		(void)event_add(c->events[ON_CHANGE], &now); /* made at start: adding cannot fail */
}

static bool host_changed(const struct control *c)
{
	struct host_addrs addrs;
	if (!c->now.image || host_addrs_read(&addrs))
		return false; /* asked again in a second */
	bool changed = !host_addrs_equal(&addrs, &c->now.host);
	host_addrs_fini(&addrs);
	return changed;
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct control *c = arg;
	(void)fd;
	(void)what;
	bool new_day =
		c->now.image && c->now.today != publish_today(); /* a rule may have expired */
	if (c->must_compile || new_day || host_changed(c))
		control_changed(c);
	caps_check(c);
	enforce_on_tick(c);
}

static void on_ports(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	enforce_on_ports(arg);
}

static void on_links(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	links_watch_drain((int)fd);
	enforce_ports_later(arg);
}

static void on_take_up(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	enforce_on_take_up(arg);
}

static void on_request(void *ctx, struct api_client *client, const json_t *request)
{
	struct control *c = ctx;
	const char *cmd = json_string_value(json_object_get(request, "cmd"));
	if (!cmd)
		api_end(client, EXIT_USAGE, "cmd is missing");
	else if (strcmp(cmd, "status") == 0)
		answer_status(c, client);
	else if (strcmp(cmd, "flows") == 0)
		answer_flows(c, client, request);
	else if (strcmp(cmd, "ids") == 0)
		answer_ids(c, client);
	else if (strcmp(cmd, "explain") == 0)
		answer_explain(c, client, request);
	else if (strcmp(cmd, "reload") == 0)
		control_reload(c, client);
	else
		api_end(client, EXIT_USAGE, "unknown cmd");
}

static void on_record(void *ctx, const void *record, size_t size)
{
	struct control *c = ctx;
	records_event(&c->records, bytes_of(record, size));
}

static void on_engine(void *ctx, pid_t pid)
{
	struct control *c = ctx;
	records_engine(&c->records, pid ? "started" : "died", NULL);
}

static void on_hung(void *ctx)
{
	struct control *c = ctx;
	records_engine(&c->records, "hung", NULL);
}

static void on_docker_set(void *ctx, const struct identity_set *set)
{
	struct control *c = ctx;
	struct identity_set copy = {0};
	if (ids_add(&copy, set)) {
		identity_set_fini(&copy);
		log_error("docker: no memory for a change of containers; the last list stays");
		return;
	}
	identity_set_fini(&c->docker_ids);
	c->docker_ids = copy;
	c->docker_listed = true;
	control_changed(c);
}

static void on_docker_state(void *ctx, const char *why_not)
{
	struct control *c = ctx;
	if (why_not)
		log_error("docker: not connected, the last list of containers stays in force: %s",
			  why_not);
	else if (c->docker_lost)
		log_info("docker: connected again");
	if (why_not || c->docker_lost)
		records_engine(&c->records, why_not ? "docker-lost" : "docker-connected", why_not);
	c->docker_lost = why_not != NULL;
}

/* ---- start: each step says what is wrong and what mends it; the ladder down is finish() ---- */

static int start_rights(struct control *c, struct error *err)
{
	(void)c;
	bool known = capng_get_caps_process() == 0;
	if (known && !capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_ADMIN))
		return error_set(
			err, -EPERM,
			"run as root: CAP_NET_ADMIN is missing (queues and firewall rules)");
	if (known && !capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_RAW))
		return error_set(err, -EPERM,
				 "run as root: CAP_NET_RAW is missing (refusing connections)");
	return 0;
}

static int start_policy(struct control *c, struct error *err)
{
	struct loaded loaded;
	int rc = loaded_read(c->options.config, &loaded);
	if (loaded.text)
		fputs(loaded.text, stderr);
	if (rc == 0) {
		c->now.policy = loaded.policy;
		c->inventory = loaded.inventory;
		loaded.policy = NULL;
		loaded.inventory = (struct identity_set){0};
	}
	loaded_fini(&loaded);
	return rc ? error_set(err, rc, "%s was not loaded", c->options.config) : 0;
}

static int start_place(struct control *c, struct error *err)
{
	c->group = control_group();
	int rc = runtime_dir_make(c->options.runtime_dir, c->group, err);
	if (rc == 0)
		rc = lock_take(c->options.runtime_dir, &c->lock_fd, err);
	c->now.epoch = epoch_load(c->options.runtime_dir);
	return rc;
}

/* The folder of the default path may be missing on a fresh machine; a deeper one is the operator's
 * to make. */
static void make_folder(const char *path)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	size_t length = slash ? (size_t)(slash - path) : 0;
	if (length == 0 || length >= sizeof(folder))
		return;
	memcpy(folder, path, length);
	folder[length] = '\0';
	(void)mkdir(folder, 0750); /* opening the file tells when it is not there */
}

static int start_records(struct control *c, struct error *err)
{
	const char *configured = policy_config(c->now.policy)->output.eve;
	const char *path = c->options.eve ? c->options.eve : configured;
	if (path && !c->options.eve)
		make_folder(path);
	return records_init(&c->records, path, err);
}

static int start_firewall(struct control *c, struct error *err)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/firewall.state", c->options.runtime_dir);
	if (n < 0 || (size_t)n >= sizeof(path))
		return error_set(err, -ENAMETOOLONG, "--runtime-dir is too long");
	return firewall_new(path, &c->firewall, err);
}

struct event_row {
	evutil_socket_t what; /* a signal or -1 */
	short flags;
	event_callback_fn callback;
	struct timeval every; /* 0: added when it is needed */
};

static const struct event_row event_rows[N_CONTROL_EVENTS] = {
	[ON_TERM] = {SIGTERM, EV_SIGNAL | EV_PERSIST, on_end, {0, 0}},
	[ON_INT] = {SIGINT, EV_SIGNAL | EV_PERSIST, on_end, {0, 0}},
	[ON_HUP] = {SIGHUP, EV_SIGNAL | EV_PERSIST, on_hup, {0, 0}},
	[ON_USR1] = {SIGUSR1, EV_SIGNAL | EV_PERSIST, on_usr1, {0, 0}},
	[ON_TICK] = {-1, EV_PERSIST, on_tick, {CONTROL_TICK_S, 0}},
	[ON_FLUSH] = {-1, EV_PERSIST, on_flush, {0, CONTROL_FLUSH_US}},
	[ON_CHANGE] = {-1, 0, on_change, {0, 0}},
	[ON_TAKE_UP] = {-1, 0, on_take_up, {0, 0}},
	[ON_PORTS] = {-1, 0, on_ports, {0, 0}},
};

static int start_events(struct control *c, struct error *err)
{
	(void)signal(SIGPIPE, SIG_IGN); /* a reader that left is told by write() */
	c->base = event_base_new();
	for (size_t i = 0; c->base && i < N_CONTROL_EVENTS; i++) {
		const struct event_row *row = &event_rows[i];
		bool has_time = row->every.tv_sec || row->every.tv_usec;
		bool is_on = has_time || (row->flags & EV_SIGNAL);
		c->events[i] = event_new(c->base, row->what, row->flags, row->callback, c);
		if (!c->events[i] ||
		    (is_on && event_add(c->events[i], has_time ? &row->every : NULL)))
			return error_set(err, -ENOMEM, "no memory for the event loop");
	}
	return c->base ? 0 : error_set(err, -ENOMEM, "no memory for the event loop");
}

static int start_watch(struct control *c, struct error *err)
{
	c->ports.watch_fd = links_watch();
	if (c->ports.watch_fd < 0)
		return error_set(err, c->ports.watch_fd, "cannot watch the interfaces: %s",
				 strerror(-c->ports.watch_fd));
	c->ports.watch = event_new(c->base, c->ports.watch_fd, EV_READ | EV_PERSIST, on_links, c);
	if (!c->ports.watch || event_add(c->ports.watch, NULL))
		return error_set(err, -ENOMEM, "no memory for the event loop");
	return 0;
}

static unsigned power_of_two_up_to(uint64_t n)
{
	uint64_t power = 1;
	while (power * 2 <= n && power * 2 <= SHARED_WORKERS_MAX)
		power *= 2;
	return (unsigned)power;
}

/* An engine that was taken over from a former daemon counts on from where that one was: its flows
 * know generations. */
static uint32_t last_generation(const struct supervise *s)
{
	uint64_t last = 0;
	for (unsigned i = 0; i < supervise_n_workers(s); i++) {
		uint64_t generation = counter_get(supervise_counters(s, i), COUNTER_GENERATION);
		if (generation > last &&
		    generation < UINT32_MAX / 2) /* the engine's word: not believed blindly */
			last = generation;
	}
	return (uint32_t)last;
}

static int start_engine(struct control *c, struct error *err)
{
	const struct policy_config *config = policy_config(c->now.policy);
	c->queue_base = (uint16_t)config->engine.queue_base;
	struct supervise_setup setup = {
		.runtime_dir = c->options.runtime_dir,
		.user = config->engine.user,
		.n_workers = power_of_two_up_to(config->engine.workers),
		.injected_mark = firewall_injected_mark((uint32_t)config->engine.connmark_mask),
		.queue_base = c->queue_base,
		.queue_length = (uint32_t)config->engine.queue_length,
		.max_flows = (uint32_t)config->engine.max_flows,
		.max_held_bytes = config->engine.max_held_bytes,
		.hold_timeout_ms = (uint32_t)config->engine.hold_timeout_ms,
		.silent_timeout_ms = (uint32_t)config->engine.silent_timeout_ms,
		.debug = c->options.debug,
	};
	struct supervise_callbacks callbacks = {
		.record = on_record, .engine = on_engine, .hung = on_hung, .ctx = c};
	int rc = supervise_start(c->base, &setup, &callbacks, &c->supervise, err);
	if (rc == 0)
		c->now.generation = last_generation(c->supervise);
	return rc;
}

static int start_api(struct control *c, struct error *err)
{
	char path[PATH_MAX];
	struct api_setup setup = {
		.base = c->base, .request = on_request, .ctx = c, .group = c->group};
	int n = snprintf(path, sizeof(path), "%s/control.sock", c->options.runtime_dir);
	if (n < 0 || (size_t)n >= sizeof(path))
		return error_set(err, -ENAMETOOLONG, "--runtime-dir is too long");
	int rc = api_new(&setup, &c->api, err);
	if (rc == 0)
		rc = api_listen(c->api, path, err);
	c->records.api = c->api;
	return rc;
}

static int start_identities(struct control *c, struct error *err)
{
	const struct policy_config *config = policy_config(c->now.policy);
	struct docker_callbacks callbacks = {
		.changed = on_docker_set, .state = on_docker_state, .ctx = c};
	c->docker_enabled = config->docker.enabled;
	if (!c->docker_enabled)
		return publish_now(c, NULL, err);
	const char *path = c->options.docker_host ? c->options.docker_host : config->docker.socket;
	return docker_start(c->base, path, &callbacks, &c->docker, err);
}

static int (*const steps[])(struct control *, struct error *) = {
	start_policy, start_rights, start_place,  start_records, start_firewall,
	start_events, start_watch,  start_engine, start_api,	 start_identities,
};

static int start(struct control *c)
{
	struct error err = {""};
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (steps[i](c, &err) == 0)
			continue;
		log_error("%s", err.text);
		return -1;
	}
	return 0;
}

/* Rules of a daemon that was killed stay when a start fails before anything was applied: without an
 * engine they keep closed what they kept closed before. */
static void remove_firewall(struct control *c)
{
	struct error err = {""};
	if (c->n_applied + c->n_apply_failures == 0 || !firewall_remove(c->firewall, &err))
		return;
	log_error("firewall: cannot remove our rules: %s", err.text);
	c->exit_code = EXIT_FAILURE;
}

static void finish(struct control *c)
{
	if (c->firewall)
		remove_firewall(c); /* first: the engine still answers what is queued */
	docker_stop(c->docker);
	supervise_stop(c->supervise);
	firewall_free(c->firewall);
	c->records.api = NULL;
	api_free(c->api);
	if (c->records.history)
		records_fini(&c->records);
	if (c->ports.watch)
		event_free(c->ports.watch);
	if (c->ports.watch_fd >= 0)
		(void)close(c->ports.watch_fd); /* nothing to lose */
	for (size_t i = 0; i < N_CONTROL_EVENTS; i++)
		if (c->events[i])
			event_free(c->events[i]);
	if (c->base)
		event_base_free(c->base);
	plan_fini(&c->applied);
	in_force_fini(&c->now);
	identity_set_fini(&c->docker_ids);
	identity_set_fini(&c->inventory);
	lock_drop(c->options.runtime_dir, c->lock_fd);
}

int control_check(const struct options *options)
{
	struct loaded loaded;
	int rc = loaded_read(options->config, &loaded);
	if (loaded.text)
		fputs(loaded.text, stderr);
	if (rc == 0)
		printf("%s: %zu rules, %zu tests passed\n", options->config,
		       policy_n_rules(loaded.policy), policy_n_tests(loaded.policy));
	loaded_fini(&loaded);
	return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}

int control_run(const struct options *options)
{
	struct control c = {.options = *options, .lock_fd = -1, .ports = {.watch_fd = -1}};
	if (start(&c) || event_base_dispatch(c.base) < 0)
		c.exit_code = EXIT_FAILURE;
	finish(&c);
	return c.exit_code;
}
