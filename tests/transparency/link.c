/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A cable between two network namespaces that is as bad as asked for: it delays, loses, reorders
 * and duplicates packets, marks congestion, and cuts what is sent again on other boundaries. The
 * kernel here has no netem, and netem could not do the last.
 *
 *	bw-link [OPTION=VALUE...] NAMESPACE,TAP[,MAC] NAMESPACE,TAP[,MAC]
 *
 * A NAMESPACE is a path (/run/netns/x); the TAP is made there, up, without addresses. Options, all
 * chances in percent of the packets of both directions: loss, reorder (the packet is late_ms late,
 * so that those behind it overtake), duplicate, ce, recut (of resends), spurious (resends of what
 * nobody asked for); delay_ms, late_ms; seed.
 *
 * Says "ready" on standard output; SIGTERM ends it, and its last line is what it did. Only TCP and
 * UDP suffer: address resolution is not what is tested.
 */
#include "recut.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	QUEUE_MAX = 16384, /* frames on their way; more are lost, and counted */
	READS_PER_TURN = 64,
	HUNDREDTHS = 10000, /* chances are in hundredths of a percent */
};

enum option {
	OPT_LOSS,
	OPT_REORDER,
	OPT_DUPLICATE,
	OPT_CE,
	OPT_RECUT,
	OPT_SPURIOUS,
	OPT_DELAY_MS,
	OPT_LATE_MS,
	OPT_SEED,
	N_OPTIONS
};

static const char *const option_names[N_OPTIONS] = {
	[OPT_LOSS] = "loss",	       [OPT_REORDER] = "reorder",
	[OPT_DUPLICATE] = "duplicate", [OPT_CE] = "ce",
	[OPT_RECUT] = "recut",	       [OPT_SPURIOUS] = "spurious",
	[OPT_DELAY_MS] = "delay_ms",   [OPT_LATE_MS] = "late_ms",
	[OPT_SEED] = "seed",
};

enum count {
	N_FRAMES,
	N_LOST,
	N_REORDERED,
	N_DUPLICATED,
	N_CE,
	N_RESENDS,
	N_RECUT,
	N_SPURIOUS,
	N_OVERFLOW,
	N_COUNTS
};

static const char *const count_names[N_COUNTS] = {
	[N_FRAMES] = "frames",
	[N_LOST] = "lost",
	[N_REORDERED] = "reordered",
	[N_DUPLICATED] = "duplicated",
	[N_CE] = "ce",
	[N_RESENDS] = "resends",
	[N_RECUT] = "recut",
	[N_SPURIOUS] = "spurious",
	[N_OVERFLOW] = "overflow",
};

/* A frame on its way to the other side. */
struct frame {
	uint64_t due_ns, order; /* order: who came first among those that are due together */
	unsigned to;
	uint32_t n;
	uint8_t data[FRAME_MAX];
};

struct link {
	int fd[2];
	double option[N_OPTIONS];
	uint64_t count[N_COUNTS];
	struct recut recut;
	struct frame *frames; /* QUEUE_MAX, owned */
	uint32_t heap[QUEUE_MAX], n_heap;
	uint32_t spare[QUEUE_MAX], n_spare;
	uint64_t order;
	uint64_t now_ns;
	unsigned from; /* of the frame in hand */
};

static volatile sig_atomic_t is_over;

static void on_signal(int signal)
{
	(void)signal; /* they all mean the end */
	is_over = 1;
}

static int say(const char *what)
{
	(void)fprintf(stderr, "bw-link: %s: %s\n", what, strerror(errno));
	return -1;
}

static uint64_t clock_ns(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail */
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* ---- the queue: a heap by time ---- */

static bool is_sooner(const struct link *l, uint32_t a, uint32_t b)
{
	const struct frame *x = &l->frames[a], *y = &l->frames[b];
	return x->due_ns != y->due_ns ? x->due_ns < y->due_ns : x->order < y->order;
}

static void heap_swap(struct link *l, uint32_t i, uint32_t j)
{
	uint32_t kept = l->heap[i];
	l->heap[i] = l->heap[j];
	l->heap[j] = kept;
}

static void heap_push(struct link *l, uint32_t frame)
{
	uint32_t i = l->n_heap++;
	l->heap[i] = frame;
	while (i > 0) {
		uint32_t parent = (i - 1) / 2;
		if (!is_sooner(l, l->heap[i], l->heap[parent]))
			return;
		heap_swap(l, i, parent);
		i = parent;
	}
}

static uint32_t heap_pop(struct link *l)
{
	uint32_t top = l->heap[0], i = 0;
	l->heap[0] = l->heap[--l->n_heap];
	for (;;) {
		uint32_t least = i;
		for (uint32_t child = 2 * i + 1; child <= 2 * i + 2; child++)
			if (child < l->n_heap && is_sooner(l, l->heap[child], l->heap[least]))
				least = child;
		if (least == i)
			return top;
		heap_swap(l, i, least);
		i = least;
	}
}

/* ---- what happens to a frame ---- */

static bool happens(struct link *l, enum option chance)
{
	return dice(HUNDREDTHS) < (uint32_t)(l->option[chance] * 100);
}

static void enqueue(struct link *l, const uint8_t *data, size_t n, double extra_ms)
{
	if (l->n_spare == 0) {
		l->count[N_OVERFLOW]++;
		return;
	}
	uint32_t index = l->spare[--l->n_spare];
	struct frame *f = &l->frames[index];
	f->due_ns = l->now_ns + (uint64_t)((l->option[OPT_DELAY_MS] + extra_ms) * 1e6);
	f->order = l->order++;
	f->to = !l->from;
	f->n = (uint32_t)n;
	memcpy(f->data, data, n);
	heap_push(l, index);
}

/* The chances of one packet; recut_emit_fn. */
static void suffer(void *ctx, const uint8_t *data, size_t n)
{
	struct link *l = ctx;
	if (happens(l, OPT_LOSS)) {
		l->count[N_LOST]++;
		return;
	}
	bool is_late = happens(l, OPT_REORDER);
	l->count[N_REORDERED] += is_late;
	enqueue(l, data, n, is_late ? l->option[OPT_LATE_MS] : 0);
	if (happens(l, OPT_DUPLICATE)) {
		l->count[N_DUPLICATED]++;
		enqueue(l, data, n, 0);
	}
}

static void take_tcp(struct link *l, const struct wire *w, const uint8_t *data, size_t n)
{
	bool is_old;
	const struct recut_stream *s = recut_learn(&l->recut, l->from, w, data, &is_old);
	l->count[N_RESENDS] += is_old;
	if (s && is_old && happens(l, OPT_RECUT)) {
		l->count[N_RECUT]++;
		recut_resend(s, w, data, w->seq, w->n_data, suffer, l);
	} else {
		suffer(l, data, n);
	}
	if (s && happens(l, OPT_SPURIOUS)) {
		l->count[N_SPURIOUS]++;
		recut_spurious(s, w, data, suffer, l);
	}
}

static void take(struct link *l, uint8_t *data, size_t n)
{
	struct wire w = wire_read(data, n);
	if (!w.is_ip) {
		enqueue(l, data, n, 0);
		return;
	}
	l->count[N_FRAMES]++;
	if (happens(l, OPT_CE))
		l->count[N_CE] += wire_mark_ce(&w, data);
	if (w.is_tcp)
		take_tcp(l, &w, data, n);
	else
		suffer(l, data, n);
}

/* ---- the loop ---- */

static void receive(struct link *l, unsigned side)
{
	uint8_t data[FRAME_MAX + 1];
	l->from = side;
	for (unsigned i = 0; i < READS_PER_TURN; i++) {
		ssize_t n = read(l->fd[side], data, sizeof(data));
		if (n <= 0)
			return;
		if (n <= FRAME_MAX)
			take(l, data, (size_t)n);
	}
}

static void deliver(struct link *l)
{
	while (l->n_heap > 0 && l->frames[l->heap[0]].due_ns <= l->now_ns) {
		uint32_t index = heap_pop(l);
		const struct frame *f = &l->frames[index];
		(void)!write(l->fd[f->to], f->data,
			     f->n); /* a full device loses it, as a wire may */
		l->spare[l->n_spare++] = index;
	}
}

static void run(struct link *l, const sigset_t *open)
{
	struct pollfd fds[2] = {{.fd = l->fd[0], .events = POLLIN},
				{.fd = l->fd[1], .events = POLLIN}};
	while (!is_over) {
		struct timespec wait = {0};
		uint64_t due = l->n_heap > 0 ? l->frames[l->heap[0]].due_ns : 0;
		l->now_ns = clock_ns();
		if (due > l->now_ns) {
			wait.tv_sec = (time_t)((due - l->now_ns) / 1000000000);
			wait.tv_nsec = (long)((due - l->now_ns) % 1000000000);
		}
		if (ppoll(fds, 2, l->n_heap > 0 ? &wait : NULL, open) < 0 && errno != EINTR)
			return;
		l->now_ns = clock_ns();
		for (unsigned side = 0; side < 2; side++)
			receive(l, side);
		deliver(l);
	}
}

/* ---- start and end ---- */

static bool read_mac(const char *text, uint8_t mac[6])
{
	for (int i = 0; i < 6; i++) {
		char *end;
		mac[i] = (uint8_t)strtoul(text, &end, 16);
		if (end != text + 2 || *end != (i < 5 ? ':' : '\0'))
			return false;
		text = end + 1;
	}
	return true;
}

static int set_up(const char *name, const char *mac)
{
	struct ifreq request = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), bad = 0;
	(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (mac) {
		bad = !read_mac(mac, (uint8_t *)request.ifr_hwaddr.sa_data);
		request.ifr_hwaddr.sa_family = 1; /* Ethernet */
		bad = bad || ioctl(fd, SIOCSIFHWADDR, &request) != 0;
	}
	request.ifr_flags = IFF_UP;
	bad = bad || ioctl(fd, SIOCSIFFLAGS, &request) != 0;
	(void)close(fd);
	return bad ? say(name) : 0;
}

/* With IFF_NAPI what we write may be merged by GRO, as from a real card. */
static int make_tap(const char *name, const char *mac)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_NAPI};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) != 0)
		return say(name);
	return set_up(name, mac) ? -1 : fd;
}

static int open_end(char *text)
{
	char *rest = text;
	const char *path = strsep(&rest, ","), *name = strsep(&rest, ","),
		   *mac = strsep(&rest, ",");
	int ns = open(path, O_RDONLY | O_CLOEXEC);
	if (!name || ns < 0 || setns(ns, CLONE_NEWNET) != 0)
		return say(path);
	(void)close(ns);
	return make_tap(name, mac);
}

static bool set_option(struct link *l, const char *text)
{
	const char *value = strchr(text, '=');
	for (int i = 0; value && i < N_OPTIONS; i++) {
		if (strncmp(text, option_names[i], (size_t)(value - text)) != 0 ||
		    option_names[i][value - text] != '\0')
			continue;
		char *end;
		l->option[i] = strtod(value + 1, &end);
		return *end == '\0' && end != value + 1 && l->option[i] >= 0;
	}
	return false;
}

static int link_init(struct link *l, int argc, char **argv)
{
	l->option[OPT_LATE_MS] = 4;
	for (int i = 1; i < argc - 2; i++)
		if (!set_option(l, argv[i])) {
			errno = EINVAL;
			return say(argv[i]);
		}
	dice_seed((uint64_t)l->option[OPT_SEED]);
	l->frames = calloc(QUEUE_MAX, sizeof(*l->frames));
	if (!l->frames || recut_init(&l->recut))
		return say("memory");
	while (l->n_spare < QUEUE_MAX) {
		l->spare[l->n_spare] = l->n_spare;
		l->n_spare++;
	}
	for (int side = 0; side < 2; side++) {
		l->fd[side] = open_end(argv[argc - 2 + side]);
		if (l->fd[side] < 0)
			return -1;
	}
	return 0;
}

/* Signals come only while we wait. Returns the mask to wait with. */
static sigset_t watch_signals(void)
{
	struct sigaction act = {.sa_handler = on_signal};
	sigset_t block, before;
	(void)sigemptyset(&block); /* these calls fail only for signals that do not exist */
	(void)sigaddset(&block, SIGTERM);
	(void)sigaddset(&block, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &block, &before);
	(void)sigaction(SIGTERM, &act, NULL);
	(void)sigaction(SIGINT, &act, NULL);
	return before;
}

static void report(const struct link *l)
{
	for (int i = 0; i < N_COUNTS; i++)
		(void)printf("%s=%llu%s", count_names[i], (unsigned long long)l->count[i],
			     i + 1 < N_COUNTS ? " " : "\n");
	(void)fflush(stdout); /* nobody left to tell */
}

int main(int argc, char **argv)
{
	static struct link l;
	if (argc < 3) {
		(void)fputs("usage: bw-link [OPTION=VALUE...] NS,TAP[,MAC] NS,TAP[,MAC]\n", stderr);
		return 64;
	}
	(void)prctl(PR_SET_TIMERSLACK, 1UL); /* else 50 us are added to every delay */
	sigset_t open = watch_signals();
	if (link_init(&l, argc, argv))
		return EXIT_FAILURE;
	(void)puts("ready");
	(void)fflush(stdout);
	run(&l, &open);
	report(&l);
	recut_fini(&l.recut);
	free(l.frames);
	return EXIT_SUCCESS;
}
