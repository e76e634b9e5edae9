/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One worker of the engine with a table of any size, for floods: packets go in, verdicts are
 * counted, nothing else is remembered.
 *
 * After rig_new the rig allocates nothing, so that what the process grows by is the engine's. The
 * table is mapped and never touched by the rig: pages count when the engine uses them.
 */
#ifndef BOUNDS_RIG_H
#define BOUNDS_RIG_H

#include "engine/worker.h"
#include "policy/compile.h"
#include "wire.h"

enum { RIG_SIZES = 1 << 16 }; /* more than packets can be held; a power of two */

enum rig_answer { RIG_HELD, RIG_ACCEPTED, RIG_DROPPED };

struct rig_sizes {
	uint32_t max_flows;
	uint64_t held_bytes;
};

struct rig {
	struct worker *worker;
	struct shared_counters *counters;
	void *shard;
	size_t shard_bytes;
	struct policy_blob image;
	struct engine_time now;
	uint32_t last_id;
	enum rig_answer last; /* of the packet last_id */
	uint64_t n_violations, n_ended;
	/* Payload that may have reached the server (own words of the engine left aside). */
	uint64_t delivered;
	uint16_t payload[RIG_SIZES]; /* of packets to the server, by id */
};

/* A connection whose ends say what the test wants. Side 0 opens. */
struct conn {
	uint32_t addr[2];
	uint16_t port[2];
	uint32_t isn[2];
	uint32_t sent[2];  /* bytes of each side */
	uint32_t heard[2]; /* bytes that the side acknowledges */
	uint16_t window[2];
};

struct rig *rig_new(struct rig_sizes sizes);
void rig_free(struct rig *r);

/* Server, port 80: GET below /ok/ is allowed, all else is not. */
struct conn conn_of(uint32_t client, uint16_t port);
enum rig_answer conn_syn(struct rig *r, const struct conn *c);
/* The server's answer to it. */
enum rig_answer conn_syn_ack(struct rig *r, const struct conn *c);
/* The whole handshake; false: some packet of it was not accepted. */
bool conn_open(struct rig *r, struct conn *c);
/* Bytes at an offset of that side's stream. */
enum rig_answer conn_data(struct rig *r, const struct conn *c, unsigned side, uint32_t at,
			  struct bytes data);
/* The next bytes of that side. */
enum rig_answer conn_say(struct rig *r, struct conn *c, unsigned side, struct bytes data);
/* The side acknowledges all that the other said. */
enum rig_answer conn_ack(struct rig *r, struct conn *c, unsigned side);
/* One allowed request, judged, acknowledged and answered; false: it was not. */
bool conn_exchange(struct rig *r, struct conn *c);
/* One forbidden request; false: it passed. */
bool conn_is_refused(struct rig *r, struct conn *c);

void rig_wait(struct rig *r, uint64_t ms); /* in steps of the engine's tick */
uint64_t rig_count(const struct rig *r, enum counter which);
/* Bytes of the pool in use. */
uint64_t rig_held(const struct rig *r);

#endif
