/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The places of the test, as network namespaces that end with this process, and the daemon.
 *
 *	peer   198.18.5.2 --- br0 -----.
 *	near   198.18.5.3 --- br0 --- gate --- 198.19.1.0/24 --- router --- 198.19.2.10 far
 *
 * `peer` is who attacks: its kernel has no address, so raw segments are all that it says. `near`
 * and `far` are real Linux endpoints. bridgewardend runs in `gate` and manages br0. IPv6: fd00:5::,
 * fd00:6::, fd00:7:: with the same last numbers. Nothing outside of these namespaces is touched.
 */
#ifndef EVASION_WORLD_H
#define EVASION_WORLD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum place { PLACE_GATE, PLACE_PEER, PLACE_NEAR, PLACE_ROUTER, PLACE_FAR, N_PLACES };

struct world {
	pid_t holder[N_PLACES]; /* what keeps the namespace, and names it to ip */
	int ns[N_PLACES];
	char dir[64];	   /* policy, records, log, runtime directory */
	const char *build; /* where bridgewardend and bridgewarden are */
	pid_t daemon;
};

extern const uint8_t world_mac_peer[6], world_mac_near[6], world_mac_gate[6];

/* Returns 0, or -1 after saying why on stderr. */
int world_make(struct world *w, const char *build);
void world_unmake(struct world *w, bool keep_dir);

int world_start_daemon(struct world *w);
void world_stop_daemon(struct world *w);

/* Kills the engine process outright and waits for the next one. */
int world_kill_engine(struct world *w);

/* From now on this process' new sockets are of that place. */
int world_enter(const struct world *w, enum place place);

/* Segmentation and receive offloads of a link. */
int world_set_offloads(const struct world *w, enum place place, const char *link, bool on);

/* A command line in that place; its exit status. */
int world_run(const struct world *w, enum place place, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
