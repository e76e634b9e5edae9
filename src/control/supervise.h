/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine process as the control process sees it: born with everything it may ever touch, fed
 * with images, replaced when it dies. Owns the queue sockets, the shared memory and the raw
 * sockets, so that all of them outlive an engine; a control process that finds an engine of a
 * former one alive (its `engine.sock` answers) takes the descriptors over and replaces the engine.
 *
 * All functions: control thread only (the event base's). Callbacks come from the event base.
 */
#ifndef CONTROL_SUPERVISE_H
#define CONTROL_SUPERVISE_H

#include "base/error.h"
#include "bridgewarden/packet.h"
#include "bridgewarden/shared.h"

#include <sys/types.h>

struct event_base;
struct supervise;

struct supervise_setup {
	const char *runtime_dir; /* where engine.sock lives */
	const char *user;	 /* the engine runs as this user */
	unsigned n_workers;	 /* 1..SHARED_WORKERS_MAX; power of two */
	uint16_t queue_base;	 /* worker i reads queue_base + i, and behind all of these
				    those of first packets */
	uint32_t queue_length;	 /* packets that may wait in the kernel, per queue */
	uint32_t max_flows;	 /* all workers together */
	uint64_t max_held_bytes; /* all workers together */
	uint32_t hold_timeout_ms, silent_timeout_ms;
	uint32_t injected_mark; /* packet mark of what the engine itself sends; firewall.h */
	bool debug;
};

struct supervise_callbacks {
	/* One record of bridgewarden/events.h; size was checked against its head, items were not.
	 */
	void (*record)(void *ctx, const void *record, size_t size);
	/* The engine came to life (pid), or died (0). Restarting is already under way. */
	void (*engine)(void *ctx, pid_t pid);
	/* It is alive but makes no turns (control/watchdog.h), and is being killed. */
	void (*hung)(void *ctx);
	void *ctx;
};

/* One line of `flows`. Plain copy. */
struct flow_view {
	uint64_t id;
	struct ip_addr src, dst;
	uint16_t src_port, dst_port;
	uint8_t ip_proto, app;
	const char *state; /* static: "handshake", "identifying", "inspecting", "requests-only",
			      "offloaded", "denied", "closing" */
	enum verdict verdict;
	enum reason reason;
	uint32_t rule, generation; /* rule is an index in the image of that generation */
	uint64_t packets[2], bytes[2];
	uint64_t start_ns; /* CLOCK_REALTIME */
};

/* Opens queues and memory, starts the engine (it waits for the first image before it reads
 * packets). -EBUSY: another program owns a queue. -EPERM: no CAP_NET_ADMIN. err says which and what
 * mends it. */
int supervise_start(struct event_base *base, const struct supervise_setup *setup,
		    const struct supervise_callbacks *callbacks, struct supervise **out,
		    struct error *err);
/* The engine maps the image; the descriptor stays the caller's. Given again to each new engine. */
int supervise_publish(struct supervise *s, int image_fd);
/* Has every worker taken up an image of at least this generation? */
bool supervise_has_generation(const struct supervise *s, uint32_t generation);
pid_t supervise_engine_pid(const struct supervise *s); /* 0 while it is being replaced */
uint64_t supervise_restarts(const struct supervise *s);
unsigned supervise_n_workers(const struct supervise *s);
const struct shared_counters *supervise_counters(const struct supervise *s, unsigned worker);
/* Every flow in the table now, racily read but never torn. */
void supervise_flows(const struct supervise *s,
		     void (*visit)(void *ctx, const struct flow_view *flow), void *ctx);
/* Ends the engine (it drops what it holds), takes what is left in the rings, closes everything.
 * NULL is fine. */
void supervise_stop(struct supervise *s);

#endif
