/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine process: what it is born with, and what it and the control process say to each other.
 *
 * It is started as `bridgewardend --engine` with one socket (SOCK_SEQPACKET) as descriptor 3. The
 * first message is the hello with every descriptor that it will ever need; then it gives up all
 * privileges but CAP_NET_ADMIN (a verdict needs it) and all system calls but a few. When the
 * control process dies it goes on judging by the last image; the next control process connects to
 * engine.sock, is given hello and descriptors back, and the engine ends.
 */
#ifndef ENGINE_PROCESS_H
#define ENGINE_PROCESS_H

#include "bridgewarden/shared.h"
#include "capture/nfqueue.h"

#include <sys/types.h>

enum { ENGINE_SOCKET_FD = 3, ENGINE_FDS_MAX = 5 + 3 * SHARED_WORKERS_MAX };

enum engine_message_type {
	ENGINE_HELLO = 1, /* control -> engine: struct engine_hello, all descriptors; engine -> next
			     control: the same */
	ENGINE_IMAGE,	  /* control -> engine: a policy image's memfd */
	ENGINE_STOP,	  /* control -> engine: end */
};

/* Order of the descriptors of a hello. */
enum engine_fd {
	ENGINE_FD_COUNTERS, /* memfd: struct shared_counters[n_workers] */
	ENGINE_FD_RAW4,
	ENGINE_FD_RAW6,
	ENGINE_FD_LISTEN,  /* engine.sock */
	ENGINE_FD_RECORDS, /* eventfd: records wait in a ring */
	ENGINE_FD_WORKERS, /* then per worker: queue, shard memfd, ring memfd */
};

struct engine_hello {
	uint32_t type;	  /* ENGINE_HELLO */
	uint32_t version; /* of this struct */
	uint32_t n_workers;
	uint16_t queue_base;
	uint8_t debug, pad;
	uint32_t queue_length;
	uint32_t max_flows;  /* per worker */
	uint64_t held_bytes; /* per worker */
	uint64_t shard_bytes;
	uint32_t hold_timeout_ms, silent_timeout_ms;
	uint32_t uid, gid;
};
enum { ENGINE_HELLO_VERSION = 2 };

/* Those of known connections from queue_base on, then those of first packets. */
static inline struct nfqueue_numbers engine_queues(const struct engine_hello *hello,
						   unsigned worker)
{
	return (struct nfqueue_numbers){
		.known = (uint16_t)(hello->queue_base + worker),
		.fresh = (uint16_t)(hello->queue_base + hello->n_workers + worker),
	};
}

static inline unsigned engine_n_fds(unsigned n_workers)
{
	return ENGINE_FD_WORKERS + 3 * n_workers;
}

int engine_main(int argc, char **argv);

/* One message with descriptors; 0 or negative errno. Used by both processes. */
int engine_send(int socket, const void *message, size_t n, const int *fds, unsigned n_fds);
/* Returns the bytes received, 0 at the end, or a negative errno; descriptors are close-on-exec. */
ssize_t engine_receive(int socket, void *message, size_t max, int *fds, unsigned *n_fds);

#endif
