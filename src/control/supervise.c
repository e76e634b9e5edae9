/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/supervise.h"

#include "base/log.h"
#include "base/ring.h"
#include "bridgewarden/events.h"
#include "capture/nfqueue.h"
#include "control/clock.h"
#include "control/watchdog.h"
#include "engine/process.h"
#include "flow/table.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	RECORDS_POLL_MS = 250,
	RESTART_QUICK = 5, /* so many deaths in a row are answered at once, then with a pause */
	RESTART_PAUSE_MS = 500,
	STABLE_MS = 10000, /* an engine that lived so long starts the count afresh */
	STOP_WAIT_MS = 2000,
};

struct supervise {
	struct event_base *base;
	struct supervise_callbacks callbacks;
	struct engine_hello hello;
	int fds[ENGINE_FDS_MAX];
	char socket_path[108];
	struct shared_counters *counters;
	struct ring *rings[SHARED_WORKERS_MAX];
	void *shards[SHARED_WORKERS_MAX]; /* read-only */
	int image_fd;			  /* the latest, for the next engine */
	pid_t pid;
	int pid_fd, socket;
	unsigned quick_deaths;
	uint64_t restarts;
	uint64_t born_ms;
	struct watchdog watchdog;
	struct event *on_exit, *on_records, *on_poll, *on_restart, *on_look;
	bool is_stopping;
	_Alignas(8) uint8_t record[EVENT_MAX];
};

static void start_engine(struct supervise *s);

/* ---- descriptors and shared memory ---- */

static int make_memory(const char *name, size_t size)
{
	int fd = memfd_create(name, MFD_CLOEXEC);
	if (fd >= 0 && ftruncate(fd, (off_t)size) < 0) {
		int err = errno;
		(void)close(fd); /* of no use */
		errno = err;
		return -1;
	}
	return fd;
}

static int pidfd_of(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

static int make_raw(int family, uint32_t mark, struct error *err)
{
	int on = 1;
	int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	if (fd < 0)
		return error_set(err, -errno,
				 "cannot open a raw socket for resets: %s (CAP_NET_RAW is needed)",
				 strerror(errno));
	int rc = family == AF_INET ? setsockopt(fd, IPPROTO_IP, IP_HDRINCL, &on, sizeof(on))
				   : setsockopt(fd, IPPROTO_IPV6, IPV6_HDRINCL, &on, sizeof(on));
	if (rc == 0)
		rc = setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark));
	if (rc < 0)
		return error_set(err, -errno,
				 "cannot send whole, marked packets on a raw socket: %s",
				 strerror(errno));
	return fd;
}

static int make_listener(const char *path, struct error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s",
		       path); /* length was checked */
	(void)unlink(path);   /* of an engine that is gone */
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 1) < 0)
		return error_set(err, -errno, "cannot listen on %s: %s", path, strerror(errno));
	return fd;
}

static int create_worker_fds(struct supervise *s, unsigned worker, struct error *err)
{
	int *fds = &s->fds[ENGINE_FD_WORKERS + 3 * worker];
	fds[0] = nfqueue_bind(engine_queues(&s->hello, worker), s->hello.queue_length, err);
	if (fds[0] < 0)
		return fds[0];
	fds[1] = make_memory("bridgewarden-flows", s->hello.shard_bytes);
	fds[2] = make_memory("bridgewarden-ring", ring_size(SHARED_RING_BYTES));
	if (fds[1] < 0 || fds[2] < 0)
		return error_set(err, -errno,
				 "cannot reserve shared memory (engine.max_flows, "
				 "engine.max_held_bytes): %s",
				 strerror(errno));
	return 0;
}

/* Everything that outlives engines. What was opened before a failure is closed by supervise_stop.
 */
static int create_fds(struct supervise *s, uint32_t injected_mark, struct error *err)
{
	s->fds[ENGINE_FD_COUNTERS] = make_memory(
		"bridgewarden-counters", s->hello.n_workers * sizeof(struct shared_counters));
	s->fds[ENGINE_FD_RECORDS] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->fds[ENGINE_FD_COUNTERS] < 0 || s->fds[ENGINE_FD_RECORDS] < 0)
		return error_set(err, -errno, "cannot create shared memory: %s", strerror(errno));
	s->fds[ENGINE_FD_RAW4] = make_raw(AF_INET, injected_mark, err);
	s->fds[ENGINE_FD_RAW6] =
		s->fds[ENGINE_FD_RAW4] < 0 ? -1 : make_raw(AF_INET6, injected_mark, err);
	if (s->fds[ENGINE_FD_RAW6] < 0)
		return -EPERM;
	s->fds[ENGINE_FD_LISTEN] = make_listener(s->socket_path, err);
	if (s->fds[ENGINE_FD_LISTEN] < 0)
		return s->fds[ENGINE_FD_LISTEN];
	for (unsigned i = 0; i < s->hello.n_workers; i++) {
		int rc = create_worker_fds(s, i, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int map_fds(struct supervise *s, bool inherited, struct error *err)
{
	size_t n = s->hello.n_workers * sizeof(struct shared_counters);
	void *counters =
		mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, s->fds[ENGINE_FD_COUNTERS], 0);
	if (counters == MAP_FAILED)
		return error_set(err, -errno, "cannot map the counters: %s", strerror(errno));
	s->counters = counters;
	for (unsigned i = 0; i < s->hello.n_workers; i++) {
		const int *fds = &s->fds[ENGINE_FD_WORKERS + 3 * i];
		void *shard = mmap(NULL, s->hello.shard_bytes, PROT_READ, MAP_SHARED, fds[1], 0);
		void *ring = mmap(NULL, ring_size(SHARED_RING_BYTES), PROT_READ | PROT_WRITE,
				  MAP_SHARED, fds[2], 0);
		if (shard == MAP_FAILED || ring == MAP_FAILED)
			return error_set(err, -errno, "cannot map the flow table: %s",
					 strerror(errno));
		s->shards[i] = shard;
		s->rings[i] = ring;
		if (!inherited)
			ring_init(ring, SHARED_RING_BYTES);
	}
	return 0;
}

static void close_fds(struct supervise *s)
{
	for (unsigned i = 0; i < ENGINE_FDS_MAX; i++) {
		if (s->fds[i] >= 0)
			(void)close(s->fds[i]); /* nothing buffered */
		s->fds[i] = -1;
	}
}

/* ---- taking over from a former control process ---- */

static bool same_shape(const struct engine_hello *a, const struct engine_hello *b)
{
	return a->version == b->version && a->n_workers == b->n_workers &&
	       a->queue_base == b->queue_base && a->queue_length == b->queue_length &&
	       a->shard_bytes == b->shard_bytes && a->max_flows == b->max_flows;
}

/* It holds the queues and does not answer: without its descriptors its flows are lost, but not the
 * host. */
static void end_silent_engine(int socket)
{
	struct ucred who = {0};
	socklen_t n = sizeof(who);
	if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &n) < 0 || who.pid <= 1 ||
	    who.pid == getpid())
		return;
	int pid_fd = pidfd_of(who.pid);
	if (pid_fd < 0)
		return; /* gone meanwhile */
	log_error("the engine of a former control process hangs: pid=%d is ended, its connections "
		  "are judged by defaults.midstream",
		  who.pid);
	struct pollfd end = {.fd = pid_fd, .events = POLLIN};
	if (kill(who.pid, SIGKILL) < 0 || poll(&end, 1, STOP_WAIT_MS) != 1)
		log_errno(-errno, "cannot end it");
	(void)close(pid_fd); /* a handle only */
}

/* An engine whose control process died answers on its socket with all it has, and ends. */
static bool take_over(struct supervise *s)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = 2};
	struct engine_hello hello = {0};
	unsigned n_fds = 0;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", s->socket_path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		if (fd >= 0)
			(void)close(fd); /* nobody there */
		return false;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
			 sizeof(patience)); /* without it, we only wait longer */
	ssize_t n = engine_receive(fd, &hello, sizeof(hello), s->fds, &n_fds);
	if (n < 0)
		end_silent_engine(fd);
	char end;
	while (n > 0 && recv(fd, &end, 1, 0) > 0)
		continue; /* until it has ended: two engines must not read one queue */
	(void)close(fd);  /* its other end is gone */
	if (n < 0)
		return false;
	if (n == sizeof(hello) && same_shape(&hello, &s->hello) &&
	    n_fds == engine_n_fds(hello.n_workers))
		return true;
	log_warn("an engine of another shape was running (workers, queues or sizes changed): its "
		 "connections are cut");
	for (unsigned i = 0; i < n_fds; i++)
		(void)close(s->fds[i]); /* not of use to us */
	for (unsigned i = 0; i < ENGINE_FDS_MAX; i++)
		s->fds[i] = -1;
	return false;
}

/* ---- records ---- */

static void drain_ring(struct supervise *s, struct ring *ring)
{
	size_t n;
	/* One round is bounded by what the ring holds. */
	for (size_t seen = 0; seen < SHARED_RING_BYTES; seen += n) {
		n = ring_take(ring, SHARED_RING_BYTES, s->record, sizeof(s->record));
		if (n == 0)
			return;
		const struct event_head *head = (const struct event_head *)(const void *)s->record;
		if (n >= sizeof(*head) && head->size == n)
			s->callbacks.record(s->callbacks.ctx, s->record, n);
	}
}

static void drain_all(struct supervise *s)
{
	for (unsigned i = 0; i < s->hello.n_workers; i++)
		if (s->rings[i])
			drain_ring(s, s->rings[i]);
}

static void records_wait(evutil_socket_t fd, short what, void *ctx)
{
	(void)what;
	uint64_t n;
	ssize_t done = fd >= 0 ? read(fd, &n, sizeof(n)) : 0;
	(void)done; /* only to make it quiet */
	drain_all(ctx);
}

/* ---- life and death of the engine ---- */

static void forget_engine(struct supervise *s)
{
	if (s->on_exit)
		event_free(s->on_exit);
	s->on_exit = NULL;
	if (s->pid_fd >= 0)
		(void)close(s->pid_fd); /* a handle only */
	if (s->socket >= 0)
		(void)close(s->socket); /* its peer is gone */
	s->pid_fd = s->socket = -1;
	s->pid = 0;
}

static void restart_due(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd, (void)what; /* a timer */
	start_engine(ctx);
}

static void describe_death(int status, char *out, size_t n)
{
	if (WIFSIGNALED(status))
		(void)snprintf(out, n, "signal=%d", WTERMSIG(status));
	else
		(void)snprintf(out, n, "exit=%d", WEXITSTATUS(status));
}

static void engine_exited(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd, (void)what; /* the pidfd says only that it is over */
	struct supervise *s = ctx;
	int status = 0;
	char how[32];
	if (waitpid(s->pid, &status, WNOHANG) == 0)
		return;
	describe_death(status, how, sizeof(how));
	log_error("engine died: pid=%d %s; packets wait in the kernel for the next one", s->pid,
		  how);
	forget_engine(s);
	drain_all(s);
	s->callbacks.engine(s->callbacks.ctx, 0);
	s->restarts++;
	s->quick_deaths = clock_now_ms() - s->born_ms > STABLE_MS ? 1 : s->quick_deaths + 1;
	struct timeval pause = {
		.tv_usec = s->quick_deaths > RESTART_QUICK ? RESTART_PAUSE_MS * 1000L : 0};
	if (s->is_stopping || evtimer_add(s->on_restart, &pause) == 0)
		return;
	start_engine(s);
}

/* What is hung cannot be asked to end, and would hold its queues for ever. */
static void look_at_engine(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd, (void)what; /* a timer */
	struct supervise *s = ctx;
	if (s->pid == 0 || s->image_fd < 0)
		return; /* without an image it waits, and rightly */
	int worker = watchdog_look(&s->watchdog, s->counters, s->hello.n_workers);
	if (worker < 0)
		return;
	log_error("engine hung: pid=%d worker=%d made no turn for %d ms; it is ended, packets wait "
		  "in the kernel for the next one",
		  s->pid, worker, WATCHDOG_LOOK_MS * WATCHDOG_LOOKS);
	s->callbacks.hung(s->callbacks.ctx);
	watchdog_begin(&s->watchdog, s->counters, s->hello.n_workers);
	if (kill(s->pid, SIGKILL) < 0)
		log_errno(-errno, "cannot end the hung engine");
}

static void become_engine(int socket)
{
	char *argv[] = {(char[]){"bridgewardend"}, (char[]){"--engine"}, NULL};
	if (socket == ENGINE_SOCKET_FD) {
		if (fcntl(socket, F_SETFD, 0) < 0)
			_exit(EXIT_FAILURE);
	} else if (dup2(socket, ENGINE_SOCKET_FD) < 0) {
		_exit(EXIT_FAILURE);
	}
	(void)execv("/proc/self/exe", argv); /* returns only on failure */
	_exit(EXIT_FAILURE);
}

static int watch_engine(struct supervise *s)
{
	s->pid_fd = pidfd_of(s->pid);
	if (s->pid_fd < 0)
		return -errno;
	s->on_exit = event_new(s->base, s->pid_fd, EV_READ | EV_PERSIST, engine_exited, s);
	return s->on_exit && event_add(s->on_exit, NULL) == 0 ? 0 : -ENOMEM;
}

/* Every descriptor of ours is close-on-exec, so the engine begins with its socket alone. */
static int spawn(struct supervise *s)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	pid_t pid = fork();
	if (pid == 0)
		become_engine(pair[1]);
	(void)close(pair[1]); /* the child's */
	if (pid < 0) {
		(void)close(pair[0]); /* nobody at the other end */
		return -errno;
	}
	s->pid = pid;
	s->socket = pair[0];
	s->born_ms = clock_now_ms();
	int rc = engine_send(s->socket, &s->hello, sizeof(s->hello), s->fds,
			     engine_n_fds(s->hello.n_workers));
	return rc < 0 ? rc : watch_engine(s);
}

static int send_image(const struct supervise *s)
{
	const uint32_t type = ENGINE_IMAGE;
	return engine_send(s->socket, &type, sizeof(type), &s->image_fd, 1);
}

static void start_engine(struct supervise *s)
{
	int rc = spawn(s);
	if (rc < 0) {
		log_errno(rc, "cannot start the engine, trying again");
		struct timeval pause = {.tv_usec = RESTART_PAUSE_MS * 1000L};
		if (s->pid > 0)
			(void)kill(s->pid, SIGKILL); /* the one that we cannot talk to */
		forget_engine(s);
		if (evtimer_add(s->on_restart, &pause) < 0)
			log_error("cannot even set a timer; the engine stays down until the next "
				  "policy change");
		return;
	}
	if (s->image_fd >= 0 && send_image(s) < 0)
		log_warn("the new engine did not take the policy image");
	log_info("engine started: pid=%d", s->pid);
	watchdog_begin(&s->watchdog, s->counters, s->hello.n_workers);
	s->callbacks.engine(s->callbacks.ctx, s->pid);
}

/* ---- interface ---- */

static int fill_hello(struct engine_hello *hello, const struct supervise_setup *setup,
		      struct error *err)
{
	struct passwd *user = getpwnam(setup->user);
	if (!user)
		return error_set(err, -ENOENT, "engine.user: there is no user \"%s\" on this host",
				 setup->user);
	uint32_t flows = setup->max_flows / setup->n_workers;
	uint64_t held = setup->max_held_bytes / setup->n_workers;
	*hello = (struct engine_hello){
		.type = ENGINE_HELLO,
		.version = ENGINE_HELLO_VERSION,
		.n_workers = setup->n_workers,
		.queue_base = setup->queue_base,
		.debug = setup->debug,
		.queue_length = setup->queue_length,
		.max_flows = flows,
		.held_bytes = held,
		.shard_bytes = shard_size(flows, held),
		.hold_timeout_ms = setup->hold_timeout_ms,
		.silent_timeout_ms = setup->silent_timeout_ms,
		.uid = user->pw_uid,
		.gid = user->pw_gid,
	};
	return 0;
}

static int make_events(struct supervise *s)
{
	struct timeval period = {.tv_usec = RECORDS_POLL_MS * 1000L};
	struct timeval look = {.tv_usec = WATCHDOG_LOOK_MS * 1000L};
	s->on_records = event_new(s->base, s->fds[ENGINE_FD_RECORDS], EV_READ | EV_PERSIST,
				  records_wait, s);
	s->on_poll = event_new(s->base, -1, EV_PERSIST, records_wait, s);
	s->on_restart = evtimer_new(s->base, restart_due, s);
	s->on_look = event_new(s->base, -1, EV_PERSIST, look_at_engine, s);
	if (!s->on_records || !s->on_poll || !s->on_restart || !s->on_look)
		return -ENOMEM;
	bool is_added = event_add(s->on_records, NULL) == 0 &&
			event_add(s->on_poll, &period) == 0 && event_add(s->on_look, &look) == 0;
	return is_added ? 0 : -ENOMEM;
}

static int open_all(struct supervise *s, uint32_t injected_mark, struct error *err)
{
	bool inherited = take_over(s);
	int rc = inherited ? 0 : create_fds(s, injected_mark, err);
	if (rc == 0)
		rc = map_fds(s, inherited, err);
	if (rc == 0)
		rc = make_events(s);
	if (inherited && rc == 0)
		log_info("took over queues and flow table from the engine of a former control "
			 "process");
	return rc;
}

int supervise_start(struct event_base *base, const struct supervise_setup *setup,
		    const struct supervise_callbacks *callbacks, struct supervise **out,
		    struct error *err)
{
	struct supervise *s = calloc(1, sizeof(*s));
	if (!s)
		return error_set(err, -ENOMEM, "out of memory");
	s->base = base;
	s->callbacks = *callbacks;
	s->image_fd = s->pid_fd = s->socket = -1;
	for (unsigned i = 0; i < ENGINE_FDS_MAX; i++)
		s->fds[i] = -1;
	int n = snprintf(s->socket_path, sizeof(s->socket_path), "%s/engine.sock",
			 setup->runtime_dir);
	int rc = n < 0 || (size_t)n >= sizeof(s->socket_path)
			 ? error_set(err, -ENAMETOOLONG, "%s: too long for a socket's name",
				     setup->runtime_dir)
			 : fill_hello(&s->hello, setup, err);
	if (rc == 0)
		rc = open_all(s, setup->injected_mark, err);
	if (rc < 0) {
		supervise_stop(s);
		return rc;
	}
	start_engine(s);
	*out = s;
	return 0;
}

int supervise_publish(struct supervise *s, int image_fd)
{
	int copy = fcntl(image_fd, F_DUPFD_CLOEXEC, ENGINE_SOCKET_FD + 1);
	if (copy < 0)
		return -errno;
	if (s->image_fd >= 0)
		(void)close(s->image_fd); /* the engine has its own */
	s->image_fd = copy;
	return s->socket >= 0 ? send_image(s) : 0;
}

bool supervise_has_generation(const struct supervise *s, uint32_t generation)
{
	for (unsigned i = 0; i < s->hello.n_workers; i++)
		if (counter_get(&s->counters[i], COUNTER_GENERATION) < generation)
			return false;
	return true;
}

pid_t supervise_engine_pid(const struct supervise *s)
{
	return s->pid;
}

uint64_t supervise_restarts(const struct supervise *s)
{
	return s->restarts;
}

unsigned supervise_n_workers(const struct supervise *s)
{
	return s->hello.n_workers;
}

const struct shared_counters *supervise_counters(const struct supervise *s, unsigned worker)
{
	return &s->counters[worker];
}

static const char *state_name(const struct flow *f)
{
	switch ((enum flow_phase)f->phase) {
	case FLOW_FREE:
		break;
	case FLOW_WAITING:
		return "waiting";
	case FLOW_DENIED:
		return "denied";
	case FLOW_PASSED:
		return f->tcp == FLOW_TCP_CLOSED ? "closing" : "offloaded";
	case FLOW_IDENTIFYING:
		return f->tcp == FLOW_TCP_SYN_SENT ? "handshake" : "identifying";
	case FLOW_INSPECTING:
		if (f->tcp == FLOW_TCP_CLOSING || f->tcp == FLOW_TCP_CLOSED)
			return "closing";
		return f->replies_unseen ? "requests-only" : "inspecting";
	}
	return "free";
}

/* A copy that no change went through, or false. */
static bool copy_flow(const struct flow *shared, struct flow *out)
{
	for (int tries = 0; tries < 8; tries++) {
		uint32_t before = atomic_load_explicit(&shared->turn, memory_order_acquire);
		if (before & 1)
			continue;
		memcpy(out, shared, sizeof(*out));
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load_explicit(&shared->turn, memory_order_relaxed) == before)
			return out->phase != FLOW_FREE;
	}
	return false;
}

static void view_of(const struct flow *f, struct flow_view *v)
{
	*v = (struct flow_view){
		.id = f->id,
		.src = f->addr[0],
		.dst = f->addr[1],
		.src_port = f->port[0],
		.dst_port = f->port[1],
		.ip_proto = f->ip_proto,
		.app = f->app,
		.state = state_name(f),
		.verdict = (enum verdict)f->verdict,
		.reason = (enum reason)f->reason,
		.rule = f->rule,
		.generation = f->generation,
		.packets = {f->half[0].packets, f->half[1].packets},
		.bytes = {f->half[0].bytes, f->half[1].bytes},
		.start_ns = f->start_ns,
	};
}

void supervise_flows(const struct supervise *s,
		     void (*visit)(void *ctx, const struct flow_view *flow), void *ctx)
{
	for (unsigned i = 0; i < s->hello.n_workers; i++) {
		const struct shard_header *header = s->shards[i];
		if (!shard_is_ours(header, s->hello.shard_bytes))
			continue;
		uint32_t used = atomic_load_explicit(&header->high_water, memory_order_acquire);
		for (uint32_t n = 0; n < used && n < header->max_flows; n++) {
			struct flow copy;
			struct flow_view view;
			if (!copy_flow(&shard_flows(header)[n], &copy))
				continue;
			view_of(&copy, &view);
			visit(ctx, &view);
		}
	}
}

/* Asks, waits a little, then insists. */
static void end_engine(struct supervise *s)
{
	const uint32_t type = ENGINE_STOP;
	if (s->pid <= 0)
		return;
	if (engine_send(s->socket, &type, sizeof(type), NULL, 0) < 0)
		(void)kill(s->pid, SIGTERM); /* it does not listen */
	for (int waited = 0; waited < STOP_WAIT_MS; waited += 10) {
		if (waitpid(s->pid, NULL, WNOHANG) != 0)
			return;
		(void)usleep(10000);
	}
	(void)kill(s->pid, SIGKILL);
	(void)waitpid(s->pid, NULL, 0);
}

static void unmap_all(struct supervise *s)
{
	for (unsigned i = 0; i < s->hello.n_workers; i++) {
		if (s->shards[i])
			(void)munmap(s->shards[i], s->hello.shard_bytes);
		if (s->rings[i])
			(void)munmap(s->rings[i], ring_size(SHARED_RING_BYTES));
	}
	if (s->counters)
		(void)munmap(s->counters, s->hello.n_workers * sizeof(*s->counters));
}

void supervise_stop(struct supervise *s)
{
	if (!s)
		return;
	s->is_stopping = true;
	end_engine(s);
	forget_engine(s);
	drain_all(s);
	struct event *events[] = {s->on_records, s->on_poll, s->on_restart, s->on_look};
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (events[i])
			event_free(events[i]);
	unmap_all(s);
	if (s->fds[ENGINE_FD_LISTEN] >= 0)
		(void)unlink(s->socket_path);
	close_fds(s);
	if (s->image_fd >= 0)
		(void)close(s->image_fd); /* a memory file */
	free(s);
}
