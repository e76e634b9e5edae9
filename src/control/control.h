/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control process: everything that needs root, files and the Docker socket, on one event base.
 *
 *    docker ----\                                   /--> supervise (engine)
 *    inventory --> ids --> publish (policy image) -<
 *    reload -----/                                  \--> firewall, once the engine has that image
 *    engine's records --> records --> file, history, followers
 *    control.sock --> answer_*()
 *
 * struct control is shared by the files of this folder and by nobody else. Event base's thread
 * only.
 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include "control/caps.h"
#include "control/host.h"
#include "control/options.h"
#include "control/plan.h"
#include "control/records.h"
#include "control/supervise.h"
#include "policy/compile.h"

#include "bridgewarden/policy.h"

struct docker;
struct event;
struct event_base;

enum {
	CONTROL_TICK_S = 1,
	CONTROL_FLUSH_US = 100000, /* how long a record may wait for its file */
	CONTROL_TAKE_UP_MS = 2,	   /* how often the engine is asked for its generation */
	CONTROL_PORTS_MS = 10,	   /* one container brings several changes */
	CONTROL_LATE_MS = 3000,	   /* after this the engine is late with a generation */
	CONTROL_RELOADS_MAX = 8,   /* clients that wait for one */
};

enum control_event {
	ON_TERM,
	ON_INT,
	ON_HUP,
	ON_USR1,
	ON_TICK,    /* every second */
	ON_FLUSH,   /* records */
	ON_CHANGE,  /* a new image is wanted; runs after what is queued */
	ON_TAKE_UP, /* has the engine the generation? */
	ON_PORTS,   /* interfaces or identities changed: bind addresses to bridge ports */
	N_CONTROL_EVENTS
};

/* The policy and the identities in force, as the image that the engine was given last. */
struct in_force {
	struct policy *policy;	 /* owned */
	struct identity_set ids; /* what the image was compiled from */
	struct host_addrs host;
	struct policy_blob blob;
	const struct policy_image *image; /* in blob; NULL before the first */
	long today; /* what `expires` was compared with: days since 1970-01-01 */
	uint32_t generation, epoch;
	uint32_t rules_since; /* the first generation whose rules have the numbers of now */
};

static inline bool in_force_knows_rules_of(const struct in_force *now, uint32_t generation)
{
	return now->image && generation >= now->rules_since && generation <= now->generation;
}

/* How far addresses are bound to bridge ports. */
struct ports_state {
	struct event *watch; /* interfaces */
	int watch_fd;
	bool is_off;	    /* the policy refuses nothing */
	bool must_apply;    /* the last attempt failed */
	struct error error; /* text "" when fine */
	size_t n, n_bound;  /* ports of managed bridges */
};

struct control {
	struct options options;
	struct event_base *base;
	struct event *events[N_CONTROL_EVENTS];
	struct records records;
	struct api *api;
	struct docker *docker;
	struct supervise *supervise;
	struct firewall *firewall;

	struct identity_set docker_ids,
		inventory; /* as last heard; merged and compiled on ON_CHANGE */
	struct in_force now;
	struct caps caps;
	struct plan applied; /* interfaces NULL: never */
	uint64_t awaits_since_ms;
	uint64_t n_applied, n_reapplied, n_apply_failures;
	uint64_t waiting_reloads[CONTROL_RELOADS_MAX]; /* ids of API clients */
	size_t n_waiting_reloads;

	gid_t group;
	int lock_fd;
	int exit_code;
	uint16_t queue_base; /* of the open queues */
	bool docker_enabled, docker_listed, docker_lost;
	bool must_compile;  /* the last attempt failed: again at the next tick */
	bool awaits_engine; /* for now.generation; only then is the firewall applied */
	bool said_late;
	bool must_apply; /* also when the plan did not change */
	bool is_ready;
	struct error firewall_error; /* text "" when fine */
	struct ports_state ports;
};

/* Runs the daemon until it is told to end. Exit code. */
int control_run(const struct options *options);

/* Loads the file, runs its tests, says so. Exit code. */
int control_check(const struct options *options);

/* publish.c. Compiles what is known now (with `policy`, or with the one in force when NULL), gives
 * it to the engine and lets the firewall follow. Success takes the policy over; on failure
 * everything stays as it is. */
int publish_now(struct control *c, struct policy *policy, struct error *err);
long publish_today(void);
void in_force_fini(struct in_force *now);

/* answers to API requests: status.c, flows.c, explain.c */
void answer_status(struct control *c, struct api_client *client);
void answer_ids(struct control *c, struct api_client *client);
void answer_flows(struct control *c, struct api_client *client, const json_t *request);
void answer_explain(struct control *c, struct api_client *client, const json_t *request);

#endif
