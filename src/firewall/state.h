/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the bridges' switches stood before us, kept in a file so that the successor of a daemon that
 * crashed can put them back. Written whole, beside and renamed: the file is old or new, never half.
 */
#ifndef FIREWALL_STATE_H
#define FIREWALL_STATE_H

#include "base/error.h"
#include "firewall/bridge.h"

#include <stddef.h>

struct state_bridge {
	char name[IFNAMSIZ];
	struct bridge_switches before;
};

/* Zeroed memory is empty. */
struct state {
	struct state_bridge *bridges;
	size_t n;
};

/* A file that is not there is empty; one that cannot be understood is -EBADMSG (and err says so).
 */
int state_load(const char *path, struct state *out, struct error *err);
int state_save(const char *path, const struct state *state,
	       struct error *err); /* an empty one removes the file */
void state_fini(struct state *state);
struct state_bridge *state_find(const struct state *state, const char *name); /* or NULL */
int state_put(struct state *state, const char *name,
	      const struct bridge_switches *before); /* -ENOMEM */
void state_remove(struct state *state, struct state_bridge *bridge);

#endif
