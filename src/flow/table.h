/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The flow table of one worker: hash, flows, dissector states and chunks in one shared memory
 * region, addressed by index.
 *
 *   | header | journal | buckets | flows | sessions, a pool a size | chunks |
 *
 * A new engine maps the region of its predecessor and goes on from it (shard_adopt): the flow in
 * mid-change is put back from the journal, free lists and hash chains are built afresh from the
 * flows themselves, so a torn list cannot survive a crash. One thread, the worker. No pointers
 * inside the region.
 */
#ifndef FLOW_TABLE_H
#define FLOW_TABLE_H

#include "bridgewarden/flow.h"
#include "flow/session.h"
#include "stream/chunk.h"

/* What a flow was before the turn that changes it now. An engine that dies in the middle leaves it
 * to its successor, which puts the flow back: the packet in hand was never answered, so its sender
 * will send it again. */
struct journal {
	_Atomic uint32_t flow; /* index + 1; 0: no turn is under way. Writer: worker */
	uint32_t has_state;
	struct flow before;
	_Alignas(SESSION_ALIGN) uint8_t state[DIS_STATE_MAX];
};

struct shard_header {
	uint64_t magic, layout;
	uint32_t max_flows, n_buckets, n_chunks;
	uint32_t n_sessions; /* of each size */
	uint64_t hash_key[2];
	_Atomic uint32_t high_water; /* flows from here on were never used; writer: worker, reader:
					control */
	uint32_t next_id;
};

/* The worker's handle; private memory. */
struct shard {
	struct shard_header *header;
	struct journal *journal;
	uint32_t *buckets;
	struct flow *flows;
	struct session_pool sessions[SESSION_SIZES];
	struct chunk_pool chunks;
	uint32_t free_flow;
	uint32_t n_flows;
};

struct flow_key {
	struct ip_addr addr[2];
	uint16_t port[2];
	uint8_t ip_proto;
};

size_t shard_size(uint32_t max_flows, uint64_t held_bytes);
/* Fresh, zeroed memory of shard_size() bytes becomes an empty table. key: random. */
void shard_format(void *memory, uint32_t max_flows, uint64_t held_bytes, const uint64_t key[2]);
/* Is this a table of this program's layout? */
bool shard_is_ours(const void *memory, size_t size);
/* The flows of a formatted region, for somebody who only reads. */
const struct flow *shard_flows(const struct shard_header *header);
#define SHARD_NO_MEMORY UINT32_MAX
/* Takes up a formatted region; returns how many flows had to be given up. SHARD_NO_MEMORY: the
 * region was left as it is, for the next one who tries. */
uint32_t shard_adopt(struct shard *shard, void *memory);

/* The flow of these endpoints in either direction; *dir says which side the key's source is. NULL:
 * none. */
struct flow *flow_find(struct shard *shard, const struct flow_key *key, unsigned *dir);
/* Around every change of a flow. A flow that was added since needs no journal: given up, its first
 * packet comes again. */
void flow_begin(struct shard *shard, struct flow *flow);
void flow_end_turn(struct shard *shard, struct flow *flow);
/* A zeroed flow in the table, opener = key's source, turn odd. NULL: the table is full. */
struct flow *flow_add(struct shard *shard, const struct flow_key *key, uint32_t worker);
void flow_remove(struct shard *shard, struct flow *flow);

/* Zeroed state of that dissector for the flow, which is its from now on; false: none left. */
bool flow_open_session(struct shard *shard, struct flow *flow, uint8_t app);
void *flow_session(const struct shard *shard, const struct flow *flow);

#endif
