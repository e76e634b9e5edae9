/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The conversation with the engine:
 *
 *     PAUSE -> VERSION -> SUBSCRIBE -> NETWORKS -> CONTAINERS -> LIVE
 *       ^         |           |            |           |          |
 *       +---------+-----------+------------+-----------+----------+   anything that went wrong; 100
 * ms .. 5 s
 *
 * The events are subscribed to before the lists are asked for, and wait until these are there:
 * nothing falls between. The lists fill new tables; the old ones, and the set made of them, stay
 * valid until the new ones are whole.
 *
 * While a container starts, the engine holds its lock: inspecting it answers only after its first
 * process runs (measured on 20.10: 330 ms late). Inspecting the *network* answers at once, with the
 * new address (1 to 2 ms), and so does the list, with name, labels and image. So "connect" asks for
 * both, and inspects besides, to be exact in the end. The slow questions have a lane of their own.
 *
 * Every event has a number; a question remembers the number at which it was asked. An answer about
 * a container that an event has named since is out of date and dropped (tables.h); that event has
 * asked again.
 */
#include "docker/docker.h"

#include "base/log.h"
#include "docker/http.h"
#include "docker/jobs.h"
#include "docker/parse.h"
#include "docker/tables.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
	REPLY_MAX = 64 << 20,  /* 65,536 containers with a KiB each */
	EVENT_MAX = 1 << 20,   /* an event carries the container's labels */
	BACKLOG_MAX = 1 << 14, /* events that wait for the lists; more: begin again */
	TIMEOUT_MS = 10000,
	PAUSE_MIN_MS = 100,
	PAUSE_MAX_MS = 5000,
	SINCE_SECONDS = 1, /* the stream's head comes a moment before the engine really listens: it
			      repeats what it missed */
	API_MAJOR = 1,
	API_WANTED = 41, /* 20.10; newer engines still speak it or say which is their oldest */
};

/* Only what changes names, addresses or networks: others (exec, health checks) would wake us many
 * times a second. */
static const char event_filter[] = "{\"type\":[\"container\",\"network\"],"
				   "\"event\":[\"create\",\"start\",\"restart\",\"stop\",\"die\","
				   "\"destroy\",\"rename\",\"pause\",\"unpause\","
				   "\"update\",\"connect\",\"disconnect\",\"remove\"]}";

enum phase {
	PHASE_PAUSE,
	PHASE_VERSION,
	PHASE_SUBSCRIBE,
	PHASE_NETWORKS,
	PHASE_CONTAINERS,
	PHASE_LIVE
};

struct docker {
	struct docker_callbacks callbacks;
	struct http *http;
	struct event *pause;
	unsigned pause_ms; /* the next one */
	enum phase phase;
	char api[16];			     /* "/v1.41" */
	struct http_call *stream, *question; /* question: of the phases before LIVE */
	uint64_t n_events;		     /* the count that all the numbers are of */
	struct tables now, next;	     /* next: while the lists come */
	struct docker_event *backlog;
	size_t n_backlog;
	struct jobs *jobs; /* of the phase LIVE */
	char *told;	   /* the last set, printed */
	size_t told_size;
	bool has_told, has_state, is_up;
};

static void lose(struct docker *d, const char *why);

/* ---- telling ---- */

static void tell_state(struct docker *d, const char *why_not)
{
	bool is_up = !why_not;
	if (d->has_state && d->is_up == is_up)
		return;
	d->has_state = true;
	d->is_up = is_up;
	if (d->callbacks.state)
		d->callbacks.state(d->callbacks.ctx, why_not);
}

/* Does the set differ from the one told last? Remembers it. */
static bool is_news(struct docker *d, const struct identity_set *set)
{
	char *text;
	size_t n;
	if (tables_set_print(set, &text, &n) < 0)
		return true; /* out of memory: to tell twice does no harm */
	bool is_same = d->has_told && n == d->told_size && d->told && memcmp(text, d->told, n) == 0;
	free(d->told);
	d->told = text;
	d->told_size = n;
	return !is_same;
}

static void tell_set(struct docker *d)
{
	struct identity_set set;
	if (tables_set(&d->now, &set) < 0) {
		log_errno(ENOMEM, "docker: the identity set stays as it was");
		return;
	}
	if (is_news(d, &set)) {
		d->has_told = true;
		d->callbacks.changed(d->callbacks.ctx, &set);
	}
	tables_set_fini(&set);
}

/* ---- events ---- */

/* An answer that cannot be used: where it came from, and why not. */
static void lose_reply(struct docker *d, const char *what, const char *why)
{
	char text[256];
	(void)snprintf(text, sizeof(text), "%s: %s", what, why); /* a cut message is still one */
	lose(d, text);
}

static int on_connected(struct docker *d, const struct docker_event *e)
{
	int r = jobs_want(d->jobs, JOB_NETWORK, e->network);
	const struct table_container *tc = tables_find(&d->now, e->container);
	if (r == 0 && (!tc || !tc->has_facts))
		r = jobs_want(d->jobs, JOB_FACTS, e->container);
	return r == 0 ? jobs_want(d->jobs, JOB_INSPECT, e->container) : r;
}

static int on_disconnected(struct docker *d, const struct docker_event *e)
{
	tables_disconnect(&d->now, e->container, e->network);
	return jobs_want(d->jobs, JOB_INSPECT, e->container);
}

static int on_died(struct docker *d, const struct docker_event *e)
{
	tables_died(&d->now, e->container);
	return jobs_want(d->jobs, JOB_INSPECT, e->container);
}

static int apply_kind(struct docker *d, const struct docker_event *e)
{
	switch (e->kind) {
	case EVENT_OTHER:
		return 0;
	case EVENT_CONTAINER_CREATED: /* its start may follow at once, and would block an inspection
				       */
		return jobs_want(d->jobs, JOB_FACTS, e->container);
	case EVENT_CONTAINER_CHANGED:
		return jobs_want(d->jobs, JOB_INSPECT, e->container);
	case EVENT_CONTAINER_DIED:
		return on_died(d, e);
	case EVENT_CONTAINER_GONE:
		jobs_forget_container(d->jobs, e->container);
		tables_remove(&d->now, e->container);
		return 0;
	case EVENT_NETWORK_CHANGED:
		return jobs_want(d->jobs, JOB_NETWORK, e->network);
	case EVENT_NETWORK_GONE:
		tables_remove_network(&d->now, e->network);
		return 0;
	case EVENT_CONNECTED:
		return on_connected(d, e);
	case EVENT_DISCONNECTED:
		return on_disconnected(d, e);
	}
	return 0;
}

static void apply_event(struct docker *d, const struct docker_event *e)
{
	d->n_events++;
	int r = *e->container ? tables_touch(&d->now, e->container, d->n_events) : 0;
	if (r == 0)
		r = apply_kind(d, e);
	if (r < 0)
		lose_reply(d, "too much at once", strerror(-r));
}

static void keep_event(struct docker *d, const struct docker_event *e)
{
	if (d->n_backlog == BACKLOG_MAX) {
		lose(d, "too many events while the lists were read");
		return;
	}
	d->backlog[d->n_backlog++] = *e;
}

static void stream_line(void *ctx, struct bytes line)
{
	struct docker *d = ctx;
	struct docker_event event;
	if (line.p[0] == 0x1e) /* a record separator: RFC 7464 */
		line = bytes_from(line, 1);
	enum parse_status status = parse_event(line, &event);
	if (status != PARSE_OK) {
		lose_reply(d, "GET /events", parse_status_text(status));
		return;
	}
	if (event.kind == EVENT_OTHER)
		return;
	if (d->phase != PHASE_LIVE) {
		keep_event(d, &event);
		return;
	}
	apply_event(d, &event);
	if (d->phase != PHASE_LIVE)
		return;
	jobs_start(d->jobs);
	tell_set(d);
}

/* ---- the way to LIVE ---- */

static int ask(struct docker *d, const char *path, const struct http_handler *handler)
{
	struct http_request request = {
		.path = path,
		.limit = REPLY_MAX,
		.timeout_ms = TIMEOUT_MS,
		.handler = handler,
		.ctx = d,
	};
	d->question = http_get(d->http, &request);
	return d->question ? 0 : -ENOMEM;
}

static void ask_api(struct docker *d, enum phase phase, const char *path,
		    const struct http_handler *handler)
{
	char whole[128];
	(void)snprintf(whole, sizeof(whole), "%s%s", d->api, path); /* fits: constants */
	d->phase = phase;
	if (ask(d, whole, handler) < 0)
		lose(d, "out of memory");
}

/* Is the answer usable? Otherwise everything begins again. */
static bool is_good(struct docker *d, const char *what, const struct http_reply *reply)
{
	char text[64];
	if (!reply->error && reply->status == 200)
		return true;
	(void)snprintf(text, sizeof(text), "status %ld", reply->status); /* fits */
	lose_reply(d, what, reply->error ? reply->why : text);
	return false;
}

/* Of which the list did not say all: its image by name, its process. */
static bool wants_inspection(const struct docker_container *c)
{
	return c->is_image_id || (c->n_legs > 0 && c->facts.pid == 0);
}

static void go_live(struct docker *d)
{
	tables_keep_pids(&d->next, &d->now);
	tables_fini(&d->now);
	d->now = d->next;
	d->next = (struct tables){0};
	d->phase = PHASE_LIVE;
	d->pause_ms = PAUSE_MIN_MS;
	for (size_t i = 0; i < d->n_backlog && d->phase == PHASE_LIVE; i++)
		apply_event(d, &d->backlog[i]);
	d->n_backlog = 0;
	for (size_t i = 0; i < d->now.n_containers && d->phase == PHASE_LIVE; i++)
		if (wants_inspection(&d->now.containers[i]->c) &&
		    jobs_want(d->jobs, JOB_INSPECT, d->now.containers[i]->c.facts.id) < 0)
			break; /* so many that they keep their ids until an event names them */
	if (d->phase != PHASE_LIVE)
		return;
	log_info("docker: connected api=%s containers=%zu networks=%zu", d->api + 1,
		 d->now.n_containers, d->now.n_networks);
	tell_state(d, NULL);
	tell_set(d);
	jobs_start(d->jobs);
}

static void containers_done(void *ctx, const struct http_reply *reply)
{
	struct docker *d = ctx;
	struct docker_container *list;
	size_t n;
	d->question = NULL;
	if (!is_good(d, "GET /containers/json", reply))
		return;
	enum parse_status status = parse_containers(reply->body, &list, &n);
	if (status != PARSE_OK)
		lose_reply(d, "GET /containers/json", parse_status_text(status));
	else if (tables_load_containers(&d->next, list, n, d->n_events) < 0)
		lose(d, "out of memory");
	else
		go_live(d);
}

static void networks_done(void *ctx, const struct http_reply *reply)
{
	static const struct http_handler handler = {.done = containers_done};
	struct docker *d = ctx;
	struct docker_network *list;
	size_t n;
	d->question = NULL;
	if (!is_good(d, "GET /networks", reply))
		return;
	enum parse_status status = parse_networks(reply->body, &list, &n);
	if (status != PARSE_OK)
		lose_reply(d, "GET /networks", parse_status_text(status));
	else if (tables_load_networks(&d->next, list, n) < 0)
		lose(d, "out of memory");
	else
		ask_api(d, PHASE_CONTAINERS, "/containers/json?all=1", &handler);
}

static void stream_opened(void *ctx)
{
	static const struct http_handler handler = {.done = networks_done};
	struct docker *d = ctx;
	ask_api(d, PHASE_NETWORKS, "/networks", &handler);
}

static void stream_done(void *ctx, const struct http_reply *reply)
{
	struct docker *d = ctx;
	d->stream = NULL;
	if (is_good(d, "GET /events", reply))
		lose(d, "the engine ended the event stream");
}

static void subscribe(struct docker *d)
{
	static const struct http_handler handler = {
		.opened = stream_opened, .line = stream_line, .done = stream_done};
	char path[sizeof(event_filter) + 80];
	(void)snprintf(path, sizeof(path), "%s/events?since=%lld&filters=%s", d->api,
		       (long long)time(NULL) - SINCE_SECONDS, event_filter); /* fits */
	struct http_request request = {
		.path = path, .limit = EVENT_MAX, .handler = &handler, .ctx = d};
	d->phase = PHASE_SUBSCRIBE;
	d->stream = http_get(d->http, &request);
	if (!d->stream)
		lose(d, "out of memory");
}

static bool choose_api(struct docker *d, const struct docker_version *newest,
		       const struct docker_version *oldest)
{
	char text[128];
	unsigned minor = oldest->minor > API_WANTED ? oldest->minor : API_WANTED;
	if (newest->major == API_MAJOR && oldest->major == API_MAJOR && newest->minor >= minor) {
		(void)snprintf(d->api, sizeof(d->api), "/v1.%u", minor); /* fits: four digits */
		return true;
	}
	(void)snprintf(
		text, sizeof(text),
		"the engine speaks API %u.%u to %u.%u, needed is 1.%d: Docker 20.10 or newer",
		oldest->major, oldest->minor, newest->major, newest->minor, (int)API_WANTED);
	lose(d, text);
	return false;
}

static void version_done(void *ctx, const struct http_reply *reply)
{
	struct docker *d = ctx;
	struct docker_version newest, oldest;
	d->question = NULL;
	if (!is_good(d, "GET /version", reply))
		return;
	enum parse_status status = parse_version(reply->body, &newest, &oldest);
	if (status != PARSE_OK)
		lose_reply(d, "GET /version", parse_status_text(status));
	else if (choose_api(d, &newest, &oldest))
		subscribe(d);
}

static void begin(evutil_socket_t fd, short what, void *ctx)
{
	static const struct http_handler handler = {.done = version_done};
	struct docker *d = ctx;
	(void)fd;
	(void)what;
	d->phase = PHASE_VERSION;
	if (ask(d, "/version", &handler) < 0)
		lose(d, "out of memory");
}

/* ---- losing and finding again ---- */

static void hang_up(struct docker *d)
{
	jobs_drop(d->jobs);
	http_cancel(d->stream);
	http_cancel(d->question);
	d->stream = d->question = NULL;
	tables_fini(&d->next);
	d->n_backlog = 0;
	d->phase = PHASE_PAUSE;
}

/* The set stays as it was told; the next connection reads everything afresh. */
static void lose(struct docker *d, const char *why)
{
	if (d->phase == PHASE_PAUSE)
		return;
	struct timeval after = {.tv_sec = d->pause_ms / 1000,
				.tv_usec = (suseconds_t)(d->pause_ms % 1000) * 1000};
	log_warn("docker: not connected, trying again in_ms=%u why=\"%s\"", d->pause_ms, why);
	hang_up(d);
	d->pause_ms = d->pause_ms * 2 < PAUSE_MAX_MS ? d->pause_ms * 2 : PAUSE_MAX_MS;
	(void)event_add(d->pause, &after); /* a timer cannot fail to be added */
	tell_state(d, why);
}

/* ---- start and stop ---- */

/* May the socket be opened? That nobody listens on it yet is not an error: an engine that restarts.
 */
static int try_socket(const char *path, struct error *err)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(at.sun_path))
		return error_set(err, -ENAMETOOLONG, "docker.socket: %s is too long for a socket",
				 path);
	memcpy(at.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set(err, -errno, "socket: %s", strerror(errno));
	int r = connect(fd, (const struct sockaddr *)&at, sizeof(at)) < 0 ? -errno : 0;
	(void)close(fd); /* nothing was written */
	struct stat file;
	if (r == -ECONNREFUSED && stat(path, &file) == 0 && !S_ISSOCK(file.st_mode))
		r = -ENOTSOCK;
	if (r == -ENOENT || r == -ENOTDIR)
		return error_set(err, r,
				 "no socket at %s: is Docker running? Otherwise set docker.socket "
				 "in the configuration",
				 path);
	if (r == -EACCES || r == -EPERM)
		return error_set(err, r,
				 "%s may not be opened: run as root, or as a member of the group "
				 "that owns it",
				 path);
	if (r == -ENOTSOCK || r == -EPROTOTYPE)
		return error_set(
			err, r, "%s is not a stream socket: set docker.socket in the configuration",
			path);
	return 0;
}

static int plain_path(const char *given, const char **path, struct error *err)
{
	*path = strncmp(given, "unix://", 7) == 0 ? given + 7 : given;
	if (**path == '/')
		return 0;
	return error_set(
		err, -EINVAL,
		"docker.socket: '%s' is not the path of a unix socket (/var/run/docker.sock)",
		given);
}

/* After a list every container is inspected: to tell each one's answer would cost the square of
 * their number. What an event brought is told at once. */
static void jobs_answered(void *ctx, enum job_kind kind)
{
	struct docker *d = ctx;
	if (d->phase == PHASE_LIVE && (kind != JOB_INSPECT || !jobs_are_many(d->jobs)))
		tell_set(d);
}

static void jobs_failed(void *ctx, const char *why)
{
	lose(ctx, why);
}

/* False: out of memory; what there is can be stopped. */
static bool set_up(struct docker *d, struct event_base *base, const char *path)
{
	struct jobs_setup setup = {
		.api = d->api,
		.tables = &d->now,
		.n_events = &d->n_events,
		.answered = jobs_answered,
		.failed = jobs_failed,
		.ctx = d,
	};
	d->pause_ms = PAUSE_MIN_MS;
	d->http = setup.http = http_new(base, path);
	d->pause = event_new(base, -1, 0, begin, d);
	d->backlog = calloc(BACKLOG_MAX, sizeof(*d->backlog));
	d->jobs = d->http ? jobs_new(&setup) : NULL;
	return d->jobs && d->pause && d->backlog;
}

int docker_start(struct event_base *base, const char *socket_path,
		 const struct docker_callbacks *callbacks, struct docker **out, struct error *err)
{
	const char *path;
	int r = plain_path(socket_path, &path, err);
	if (r == 0)
		r = try_socket(path, err);
	if (r < 0)
		return r;
	struct docker *d = calloc(1, sizeof(*d));
	if (!d || !set_up(d, base, path)) {
		docker_stop(d);
		return error_set(err, -ENOMEM, "docker: out of memory");
	}
	d->callbacks = *callbacks;
	begin(-1, 0, d);
	*out = d;
	return 0;
}

void docker_stop(struct docker *d)
{
	if (!d)
		return;
	if (d->jobs)
		hang_up(d);
	jobs_free(d->jobs);
	http_free(d->http);
	if (d->pause)
		event_free(d->pause);
	tables_fini(&d->now);
	free(d->backlog);
	free(d->told);
	free(d);
}
