/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine process. One thread a worker, which owns queue and shard; the first thread speaks with
 * the control process, maps new images and unmaps those that no worker uses any more.
 */
#include "engine/process.h"

#include "base/log.h"
#include "base/ring.h"
#include "capture/nfqueue.h"
#include "engine/sandbox.h"
#include "engine/worker.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { IMAGES_MAX = 64, UNMAP_POLL_MS = 200, FIRST_IMAGE_POLL_MS = 5 };

struct seat {
	struct engine *engine;
	unsigned number;
	struct nfqueue *queue;
	struct worker *worker;
	struct ring *ring;
	size_t ring_capacity;
	struct shared_counters *counters; /* of this worker */
	const struct policy_image *image; /* in use */
	bool has_begun;			  /* the batch has its time and image */
	pthread_t thread;
	struct engine_time now;
};

struct engine {
	struct engine_hello hello;
	int fds[ENGINE_FDS_MAX];
	struct shared_counters *counters;
	struct seat seats[SHARED_WORKERS_MAX];
	/* Writer: first thread; readers: workers (acquire). NULL until the first image came. */
	_Atomic(const struct policy_image *) image;
	/* First thread only: images that some worker may still read, oldest first; the last is the
	 * current one. */
	const struct policy_image *mapped[IMAGES_MAX];
	unsigned n_mapped;
};

/* ---- workers ---- */

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;
	(void)clock_gettime(clock, &t); /* both clocks always exist */
	return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

static struct engine_time time_now(void)
{
	return (struct engine_time){clock_ns(CLOCK_MONOTONIC), clock_ns(CLOCK_REALTIME)};
}

static void put_record(void *ctx, const struct event_head *record)
{
	struct seat *seat = ctx;
	bool was_empty;
	if (!ring_put(seat->ring, record, record->size, &was_empty)) {
		counter_inc(seat->counters, COUNTER_EVENTS_LOST);
		return;
	}
	uint64_t one = 1;
	if (was_empty && write(seat->engine->fds[ENGINE_FD_RECORDS], &one, sizeof(one)) < 0)
		return; /* the reader looks by itself from time to time */
}

/* Time and image are those of the moment, whatever the wait before. */
static void begin_batch(struct seat *seat)
{
	const struct policy_image *latest =
		atomic_load_explicit(&seat->engine->image, memory_order_acquire);
	seat->now = time_now();
	seat->has_begun = true;
	if (latest == seat->image)
		return;
	seat->image = latest;
	worker_use_image(seat->worker, latest, seat->now);
}

static void on_packet(void *ctx, struct capture_packet *packet)
{
	struct seat *seat = ctx;
	if (!seat->has_begun)
		begin_batch(seat);
	worker_packet(seat->worker, packet, seat->now);
}

static void *run_worker(void *ctx)
{
	struct seat *seat = ctx;
	uint64_t next_tick = 0;
	while (!atomic_load_explicit(&seat->engine->image, memory_order_acquire))
		(void)poll(NULL, 0, FIRST_IMAGE_POLL_MS); /* until then no packet is read */
	for (;;) {
		seat->has_begun = false;
		(void)nfqueue_read(seat->queue, on_packet, seat); /* none is fine */
		if (!seat->has_begun)
			begin_batch(seat);
		if (seat->now.mono_ns >= next_tick) {
			worker_tick(seat->worker, seat->now);
			next_tick = seat->now.mono_ns + WORKER_TICK_MS * UINT64_C(1000000);
		}
		nfqueue_tend(seat->queue, seat->now.mono_ns);
		nfqueue_flush(seat->queue);
		counter_inc(seat->counters, COUNTER_HEARTBEAT);
	}
	return NULL;
}

/* ---- birth ---- */

static void *map_shared(int fd, size_t n)
{
	struct stat st;
	if (fstat(fd, &st) < 0 || (size_t)st.st_size < n)
		log_fatal("shared memory is smaller than the control process said");
	void *memory = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		log_fatal("cannot map shared memory: %s", strerror(errno));
	return memory;
}

/* The table of the engine before us, or a new one. */
static void *map_shard(const struct engine *e, int fd)
{
	void *memory = map_shared(fd, e->hello.shard_bytes);
	if (shard_is_ours(memory, e->hello.shard_bytes))
		return memory;
	uint64_t key[2];
	if (getrandom(key, sizeof(key), 0) != sizeof(key))
		log_fatal("no randomness for the flow hash");
	shard_format(memory, e->hello.max_flows, e->hello.held_bytes, key);
	return memory;
}

static void open_seat(struct engine *e, unsigned number)
{
	struct seat *seat = &e->seats[number];
	const int *fds = &e->fds[ENGINE_FD_WORKERS + 3 * number];
	seat->engine = e;
	seat->number = number;
	seat->counters = &e->counters[number];
	seat->ring = map_shared(fds[2], ring_size(SHARED_RING_BYTES));
	const struct nfqueue_setup queue = {
		.fd = fds[0],
		.numbers = engine_queues(&e->hello, number),
		.length = e->hello.queue_length,
		.raw4 = e->fds[ENGINE_FD_RAW4],
		.raw6 = e->fds[ENGINE_FD_RAW6],
		.counters = seat->counters,
	};
	if (nfqueue_open(&queue, &seat->queue) < 0)
		log_fatal("no memory for the buffers of queue %u", e->hello.queue_base + number);
	const struct worker_setup setup = {
		.number = number,
		.shard = map_shard(e, fds[1]),
		.max_held = e->hello.queue_length + nfqueue_fresh_length(e->hello.queue_length),
		.hold_timeout_ns = e->hello.hold_timeout_ms * UINT64_C(1000000),
		.silent_timeout_ns = e->hello.silent_timeout_ms * UINT64_C(1000000),
		.counters = seat->counters,
		.out = nfqueue_out(seat->queue),
		.record = put_record,
		.record_ctx = seat,
	};
	if (worker_new(&setup, &seat->worker) < 0)
		log_fatal("no memory for worker %u", number);
}

static void start_workers(struct engine *e)
{
	for (unsigned i = 0; i < e->hello.n_workers; i++) {
		int rc = pthread_create(&e->seats[i].thread, NULL, run_worker, &e->seats[i]);
		if (rc != 0)
			log_fatal("cannot start worker %u: %s", i, strerror(rc));
	}
}

/* ---- the first thread ---- */

static uint32_t oldest_generation_in_use(const struct engine *e)
{
	uint64_t oldest = UINT64_MAX;
	for (unsigned i = 0; i < e->hello.n_workers; i++) {
		uint64_t g = counter_get(&e->counters[i], COUNTER_GENERATION);
		oldest = g < oldest ? g : oldest;
	}
	return (uint32_t)oldest;
}

/* Workers report the generation after they took it up, so older images have no reader left. */
static void unmap_unused(struct engine *e)
{
	uint32_t oldest = oldest_generation_in_use(e);
	while (e->n_mapped > 1 && policy_settings(e->mapped[0])->generation < oldest) {
		policy_image_unmap(e->mapped[0]);
		e->n_mapped--;
		for (unsigned i = 0; i < e->n_mapped; i++)
			e->mapped[i] = e->mapped[i + 1];
	}
}

static void take_image(struct engine *e, int fd)
{
	const struct policy_image *image;
	int rc = policy_image_map(fd, &image);
	(void)close(fd); /* the mapping stays */
	if (rc < 0) {
		log_errno(rc, "policy image refused, the last one stays in force");
		return;
	}
	while (e->n_mapped == IMAGES_MAX) {
		unmap_unused(e);
		(void)poll(NULL, 0, 1); /* a worker's turn is microseconds */
	}
	e->mapped[e->n_mapped++] = image;
	atomic_store_explicit(&e->image, image, memory_order_release);
}

/* False: the control process is gone. */
static bool serve_control(struct engine *e)
{
	union {
		uint32_t type;
		struct engine_hello hello;
	} message = {0};
	int fds[ENGINE_FDS_MAX];
	unsigned n_fds;
	ssize_t n = engine_receive(ENGINE_SOCKET_FD, &message, sizeof(message), fds, &n_fds);
	if (n <= 0)
		return n == -EAGAIN;
	if (message.type == ENGINE_STOP)
		exit(EXIT_SUCCESS);
	if (message.type == ENGINE_IMAGE && n_fds == 1)
		take_image(e, fds[0]);
	return true;
}

/* The next control process asks for what its predecessor left with us. */
static void hand_over(struct engine *e)
{
	int client = accept4(e->fds[ENGINE_FD_LISTEN], NULL, NULL, SOCK_CLOEXEC);
	if (client < 0)
		return;
	struct ucred who = {0};
	socklen_t n = sizeof(who);
	bool trusted = getsockopt(client, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 && who.uid == 0;
	if (trusted && engine_send(client, &e->hello, sizeof(e->hello), e->fds,
				   engine_n_fds(e->hello.n_workers)) == 0) {
		log_info("handed over to control process pid=%d", who.pid);
		exit(EXIT_SUCCESS);
	}
	(void)close(client); /* refused */
}

static void run(struct engine *e)
{
	bool has_control = true;
	for (;;) {
		struct pollfd fds[] = {
			{.fd = has_control ? ENGINE_SOCKET_FD : -1, .events = POLLIN},
			{.fd = has_control ? -1 : e->fds[ENGINE_FD_LISTEN], .events = POLLIN},
		};
		int n = poll(fds, 2, UNMAP_POLL_MS);
		if (n > 0 && fds[0].revents && !serve_control(e)) {
			log_warn("the control process is gone: going on with the last policy, no "
				 "records");
			has_control = false;
		}
		if (n > 0 && fds[1].revents)
			hand_over(e);
		unmap_unused(e);
	}
}

static void receive_hello(struct engine *e)
{
	unsigned n_fds;
	ssize_t n = engine_receive(ENGINE_SOCKET_FD, &e->hello, sizeof(e->hello), e->fds, &n_fds);
	bool sane = n == sizeof(e->hello) && e->hello.type == ENGINE_HELLO &&
		    e->hello.version == ENGINE_HELLO_VERSION && e->hello.n_workers >= 1 &&
		    e->hello.n_workers <= SHARED_WORKERS_MAX &&
		    n_fds == engine_n_fds(e->hello.n_workers);
	if (!sane)
		log_fatal("the engine is started by bridgewardend, not by hand");
}

int engine_main(int argc, char **argv)
{
	(void)argc, (void)argv; /* everything comes with the hello */
	static struct engine engine;
	log_init("bridgewardend[engine]", false);
	receive_hello(&engine);
	log_init("bridgewardend[engine]", engine.hello.debug);
	engine.counters = map_shared(engine.fds[ENGINE_FD_COUNTERS],
				     engine.hello.n_workers * sizeof(struct shared_counters));
	for (unsigned i = 0; i < engine.hello.n_workers; i++) {
		counter_set(&engine.counters[i], COUNTER_GENERATION, 0);
		open_seat(&engine, i);
	}
	/* Makes the socket's credentials ours: the next control process must know whom to end if we
	 * hang. */
	if (listen(engine.fds[ENGINE_FD_LISTEN], 1) < 0)
		log_fatal("cannot listen for the next control process: %s", strerror(errno));
	sandbox_drop_privileges(engine.hello.uid, engine.hello.gid);
	start_workers(&engine);
	sandbox_restrict_calls();
	run(&engine);
	return EXIT_SUCCESS;
}
