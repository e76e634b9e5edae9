/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Docker Engine API on its unix socket, turned into an identity set.
 *
 * list, inspect and the event stream; after every (re)connection everything is read afresh, so a
 * lost event costs nothing. The event "network connect" comes before the container's first process
 * runs: acted on at once, not batched. Nothing blocks: libcurl's multi interface on the caller's
 * event base. Control thread only.
 */
#ifndef DOCKER_DOCKER_H
#define DOCKER_DOCKER_H

#include "base/error.h"
#include "bridgewarden/identity.h"

struct docker;
struct event_base;

struct docker_callbacks {
	/* The set as a whole, each time it changed (and once after the first complete listing).
	 * Borrowed until return. */
	void (*changed)(void *ctx, const struct identity_set *set);
	/* Connected (NULL) or not (why); retried with back-off meanwhile, the last set stays valid.
	 * Only on a change. */
	void (*state)(void *ctx, const char *why_not);
	void *ctx;
};

/* socket_path: "/var/run/docker.sock" or "unix:///...". Fails at once, with the remedy in err, when
 * the socket does not exist or may not be opened; later losses are the callback's. */
int docker_start(struct event_base *base, const char *socket_path,
		 const struct docker_callbacks *callbacks, struct docker **out, struct error *err);
void docker_stop(struct docker *docker); /* NULL is fine */

#endif
