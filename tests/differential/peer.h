/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The receiver at the other end of the engine: the model (model.c) or the kernel of this machine
 * (kernel.c). One connection at a time.
 */
#ifndef DIFFERENTIAL_PEER_H
#define DIFFERENTIAL_PEER_H

#include "program.h"
#include "wire.h"

enum { PEER_READINGS_MAX = 8 };

/* What an application could read, for one way in which the receiver may behave. */
struct received {
	const char *who;
	const uint8_t *bytes; /* borrowed until the next call */
	uint32_t n;
	bool has_end; /* the stream ends there */
};

struct peer {
	/* A new connection: where the two ends are. The sender is side p->sender_is_server. */
	void (*begin)(struct peer *peer, const struct program *p, struct wire_path *path);
	void (*take)(struct peer *peer, struct bytes packet);
	/* The next packet that the receiver sends; false: none. path->port of a client that chose
	 * it itself is filled in. */
	bool (*emit)(struct peer *peer, struct wire_path *path, struct bytes *packet);
	void (*read)(struct peer *peer);
	/* Acknowledge what can be acknowledged; the program is over but for its honest end. */
	void (*settle)(struct peer *peer);
	unsigned (*received)(struct peer *peer, struct received out[PEER_READINGS_MAX]);
	void (*end)(struct peer *peer);
};

struct peer *model_new(void);
/* NULL with errno: not permitted, or no TUN device. Leaves the network namespace of the caller for
 * one of its own. */
struct peer *kernel_new(void);

#endif
