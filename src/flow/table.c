/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flow/table.h"

#include "base/siphash.h"
#include "stream/reasm.h"

#include <stdatomic.h>
#include <stdlib.h>

#define SHARD_MAGIC 0x6272696467657731ULL

enum { REGION_ALIGN = 4096 };

struct layout {
	size_t journal, buckets, flows, sessions[SESSION_SIZES], chunks, end;
};

/* Changes whenever a struct that lives in the region changes size; dissector states count through
 * the number of protocols. */
static uint64_t layout_id(void)
{
	uint64_t parts[] = {sizeof(struct flow),
			    sizeof(struct half),
			    sizeof(struct chunk),
			    sizeof(struct shard_header),
			    sizeof(struct journal),
			    sizeof(struct policy_candidates),
			    n_dissectors};
	const uint64_t key[2] = {SHARD_MAGIC, 1};
	uint64_t id = siphash13(key, parts, sizeof(parts));
	for (size_t i = 0; i < n_dissectors; i++) {
		id ^= siphash13(key, dissectors[i]->name, strlen(dissectors[i]->name));
		id = id * 31 + dissectors[i]->state_size;
	}
	for (unsigned size = 0; size < SESSION_SIZES; size++)
		id = id * 31 + session_slot(size);
	return id;
}

static size_t align(size_t n)
{
	return (n + REGION_ALIGN - 1) & ~(size_t)(REGION_ALIGN - 1);
}

static struct layout layout_of(uint32_t max_flows, uint32_t n_buckets, uint32_t n_chunks)
{
	struct layout l;
	l.journal = align(sizeof(struct shard_header));
	l.buckets = l.journal + align(sizeof(struct journal));
	l.flows = l.buckets + align((size_t)n_buckets * sizeof(uint32_t));
	size_t at = l.flows + align((size_t)max_flows * sizeof(struct flow));
	for (unsigned size = 0; size < SESSION_SIZES; size++) {
		l.sessions[size] = at;
		at += align((size_t)max_flows * session_slot(size));
	}
	l.chunks = at;
	l.end = l.chunks + align((size_t)n_chunks * sizeof(struct chunk));
	return l;
}

static uint32_t buckets_for(uint32_t max_flows)
{
	uint32_t n = 64;
	while (n < max_flows)
		n *= 2;
	return n;
}

static uint32_t chunks_for(uint64_t held_bytes)
{
	uint64_t n = held_bytes / CHUNK_BYTES;
	return n < 16 ? 16 : n > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)n;
}

size_t shard_size(uint32_t max_flows, uint64_t held_bytes)
{
	return layout_of(max_flows, buckets_for(max_flows), chunks_for(held_bytes)).end;
}

void shard_format(void *memory, uint32_t max_flows, uint64_t held_bytes, const uint64_t key[2])
{
	struct shard_header *h = memory;
	*h = (struct shard_header){
		.magic = SHARD_MAGIC,
		.layout = layout_id(),
		.max_flows = max_flows,
		.n_buckets = buckets_for(max_flows),
		.n_chunks = chunks_for(held_bytes),
		.n_sessions = max_flows,
		.hash_key = {key[0], key[1]},
	};
}

bool shard_is_ours(const void *memory, size_t size)
{
	const struct shard_header *h = memory;
	return size >= sizeof(*h) && h->magic == SHARD_MAGIC && h->layout == layout_id() &&
	       h->n_buckets == buckets_for(h->max_flows) && h->n_sessions == h->max_flows &&
	       h->high_water <= h->max_flows &&
	       layout_of(h->max_flows, h->n_buckets, h->n_chunks).end <= size;
}

const struct flow *shard_flows(const struct shard_header *h)
{
	const uint8_t *base = (const uint8_t *)h;
	return (const struct flow *)(const void *)(base + layout_of(h->max_flows, h->n_buckets,
								    h->n_chunks)
								  .flows);
}

/* Two ends in a fixed order, so that both directions hash alike. */
static uint32_t key_hash(const struct shard *shard, const struct flow_key *key)
{
	uint8_t text[2 * sizeof(struct ip_addr) + 5];
	int order = memcmp(&key->addr[0], &key->addr[1], sizeof(key->addr[0]));
	unsigned a = order > 0 || (order == 0 && key->port[0] > key->port[1]);
	memcpy(text, &key->addr[a], 16);
	memcpy(text + 16, &key->addr[!a], 16);
	memcpy(text + 32, &key->port[a], 2);
	memcpy(text + 34, &key->port[!a], 2);
	text[36] = key->ip_proto;
	return (uint32_t)siphash13(shard->header->hash_key, text, sizeof(text));
}

static bool side_is(const struct flow *f, unsigned side, const struct flow_key *key, unsigned of)
{
	return f->port[side] == key->port[of] && ip_addr_equal(&f->addr[side], &key->addr[of]);
}

struct flow *flow_find(struct shard *shard, const struct flow_key *key, unsigned *dir)
{
	uint32_t hash = key_hash(shard, key);
	uint32_t i = shard->buckets[hash & (shard->header->n_buckets - 1)];
	for (; i != FLOW_NIL; i = shard->flows[i].hash_next) {
		struct flow *f = &shard->flows[i];
		if (f->hash != hash || f->ip_proto != key->ip_proto)
			continue;
		for (unsigned side = 0; side < 2; side++) {
			if (side_is(f, side, key, 0) && side_is(f, !side, key, 1)) {
				*dir = side;
				return f;
			}
		}
	}
	return NULL;
}

static void link_flow(struct shard *shard, struct flow *f)
{
	uint32_t *bucket = &shard->buckets[f->hash & (shard->header->n_buckets - 1)];
	f->hash_next = *bucket;
	*bucket = (uint32_t)(f - shard->flows);
}

static uint32_t take_flow_slot(struct shard *shard)
{
	uint32_t i = shard->free_flow;
	if (i != FLOW_NIL) {
		shard->free_flow = shard->flows[i].hash_next;
		return i;
	}
	i = atomic_load_explicit(&shard->header->high_water, memory_order_relaxed);
	if (i == shard->header->max_flows)
		return FLOW_NIL;
	atomic_store_explicit(&shard->header->high_water, i + 1, memory_order_release);
	return i;
}

struct flow *flow_add(struct shard *shard, const struct flow_key *key, uint32_t worker)
{
	uint32_t i = take_flow_slot(shard);
	if (i == FLOW_NIL)
		return NULL;
	struct flow *f = &shard->flows[i];
	uint32_t turn = atomic_load_explicit(&f->turn, memory_order_relaxed) | 1;
	atomic_store_explicit(&f->turn, turn, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	memset(f, 0, sizeof(*f));
	atomic_store_explicit(&f->turn, turn, memory_order_relaxed);
	memcpy(f->addr, key->addr, sizeof(f->addr));
	memcpy(f->port, key->port, sizeof(f->port));
	f->ip_proto = key->ip_proto;
	f->app = POLICY_APP_NONE;
	f->rule = POLICY_NO_RULE;
	f->session = f->held = FLOW_NIL;
	for (int side = 0; side < 2; side++)
		f->half[side].first = f->half[side].last = FLOW_NIL;
	f->id = (uint64_t)worker << 40 | ++shard->header->next_id;
	f->hash = key_hash(shard, key);
	link_flow(shard, f);
	shard->n_flows++;
	return f;
}

static void unlink_flow(struct shard *shard, const struct flow *f)
{
	uint32_t self = (uint32_t)(f - shard->flows);
	uint32_t *at = &shard->buckets[f->hash & (shard->header->n_buckets - 1)];
	while (*at != self)
		at = &shard->flows[*at].hash_next;
	*at = f->hash_next;
}

/* ---- dissector states ---- */

/* Which pool has the states of that dissector. */
static unsigned pool_of(uint8_t app)
{
	return session_size(dissectors[app]->state_size);
}

bool flow_open_session(struct shard *shard, struct flow *flow, uint8_t app)
{
	uint32_t i = session_get(&shard->sessions[pool_of(app)]);
	if (i == SESSION_NONE)
		return false;
	flow->app = app;
	flow->session = i;
	memset(flow_session(shard, flow), 0, dissectors[app]->state_size);
	return true;
}

void *flow_session(const struct shard *shard, const struct flow *flow)
{
	return session_state(&shard->sessions[pool_of(flow->app)], flow->session);
}

static void close_session(struct shard *shard, struct flow *f)
{
	if (f->session == FLOW_NIL)
		return;
	session_put(&shard->sessions[pool_of(f->app)], f->session);
	f->session = FLOW_NIL;
}

/* Is there such a state, in a table that somebody else left behind? */
static bool has_sound_session(const struct shard *shard, const struct flow *f)
{
	return f->session < shard->header->n_sessions && f->app < n_dissectors;
}

void flow_remove(struct shard *shard, struct flow *flow)
{
	for (int side = 0; side < 2; side++)
		reasm_drop_all(&shard->chunks, &flow->half[side]);
	close_session(shard, flow);
	unlink_flow(shard, flow);
	flow->phase = FLOW_FREE;
	flow->hash_next = shard->free_flow;
	shard->free_flow = (uint32_t)(flow - shard->flows);
	shard->n_flows--;
}

/* ---- what another engine left ---- */

/* Bits of what adopted flows own, so that the free lists are what is left. */
struct owned {
	uint8_t *sessions[SESSION_SIZES], *chunks; /* one byte each */
};

/* False: out of memory. owned_close() in any case. */
static bool owned_open(struct owned *owned, const struct shard_header *h)
{
	owned->chunks = calloc(h->n_chunks + 1u, 1);
	bool has_all = owned->chunks;
	for (unsigned size = 0; size < SESSION_SIZES; size++) {
		owned->sessions[size] = calloc(h->n_sessions + 1u, 1);
		has_all &= owned->sessions[size] != NULL;
	}
	return has_all;
}

static void owned_close(struct owned *owned)
{
	free(owned->chunks);
	for (unsigned size = 0; size < SESSION_SIZES; size++)
		free(owned->sessions[size]);
}

/* Claims every chunk of the half; false when the list is torn or shared. */
static bool adopt_chunks(struct shard *shard, struct half *h, struct owned *owned)
{
	uint32_t kept = 0;
	uint32_t last = FLOW_NIL;
	for (uint32_t i = h->first; i != FLOW_NIL; i = shard->chunks.chunks[i].next) {
		struct chunk *c = i < shard->header->n_chunks ? &shard->chunks.chunks[i] : NULL;
		if (!c || owned->chunks[i] || (!c->is_void && c->n > CHUNK_DATA))
			return false;
		owned->chunks[i] = 1;
		c->hint = FLOW_NIL; /* cheaper to find anew than to prove */
		kept += CHUNK_BYTES;
		last = i;
	}
	h->last = last;
	h->kept = kept;
	return true;
}

/* The turn that was under way never happened. */
static void undo_turn(struct shard *shard)
{
	struct journal *j = shard->journal;
	uint32_t index = atomic_load_explicit(&j->flow, memory_order_relaxed);
	atomic_store_explicit(&j->flow, 0, memory_order_relaxed);
	if (index == 0 || index > shard->header->high_water)
		return;
	struct flow *f = &shard->flows[index - 1];
	memcpy(f, &j->before, sizeof(*f));
	if (j->has_state && has_sound_session(shard, f))
		memcpy(flow_session(shard, f), j->state, dissectors[f->app]->state_size);
}

void flow_begin(struct shard *shard, struct flow *f)
{
	struct journal *j = shard->journal;
	memcpy(&j->before, f, sizeof(*f));
	j->has_state = f->session != FLOW_NIL;
	if (j->has_state)
		memcpy(j->state, flow_session(shard, f), dissectors[f->app]->state_size);
	atomic_store_explicit(&j->flow, (uint32_t)(f - shard->flows) + 1, memory_order_release);
	atomic_store_explicit(&f->turn, atomic_load_explicit(&f->turn, memory_order_relaxed) | 1,
			      memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
}

void flow_end_turn(struct shard *shard, struct flow *f)
{
	atomic_thread_fence(memory_order_release);
	atomic_store_explicit(&f->turn,
			      (atomic_load_explicit(&f->turn, memory_order_relaxed) | 1) + 1,
			      memory_order_release);
	atomic_store_explicit(&shard->journal->flow, 0, memory_order_release);
}

static bool adopt_session(const struct shard *shard, const struct flow *f, struct owned *owned)
{
	if (f->session == FLOW_NIL)
		return true;
	if (!has_sound_session(shard, f))
		return false;
	uint8_t *owner = &owned->sessions[pool_of(f->app)][f->session];
	if (*owner)
		return false;
	*owner = 1;
	return true;
}

static bool adopt_flow(struct shard *shard, struct flow *f, struct owned *owned)
{
	bool torn = atomic_load_explicit(&f->turn, memory_order_relaxed) & 1;
	if (torn || !adopt_session(shard, f, owned))
		return false;
	if (!adopt_chunks(shard, &f->half[0], owned) || !adopt_chunks(shard, &f->half[1], owned))
		return false;
	/* The ids of held packets died with the engine that read them; their senders send again. */
	f->held = FLOW_NIL;
	f->n_held = 0;
	link_flow(shard, f);
	shard->n_flows++;
	return true;
}

/* One past the last that is owned: what lies behind counts as never used. */
static uint32_t used_up_to(const uint8_t *owned, uint32_t n)
{
	while (n > 0 && !owned[n - 1])
		n--;
	return n;
}

static void free_what_nobody_owns(struct shard *shard, const struct owned *owned)
{
	for (unsigned size = 0; size < SESSION_SIZES; size++) {
		struct session_pool *pool = &shard->sessions[size];
		pool->fresh = used_up_to(owned->sessions[size], pool->n_slots);
		for (uint32_t i = 0; i < pool->fresh; i++)
			if (!owned->sessions[size][i])
				session_put(pool, i);
	}
	struct chunk_pool *pool = &shard->chunks;
	pool->fresh = used_up_to(owned->chunks, pool->n_chunks);
	pool->n_used = pool->fresh;
	for (uint32_t i = 0; i < pool->fresh; i++)
		if (!owned->chunks[i])
			chunk_put(pool, i);
}

static uint32_t adopt_flows(struct shard *shard, struct owned *owned)
{
	uint32_t lost = 0;
	for (uint32_t i = 0; i < shard->header->high_water; i++) {
		struct flow *f = &shard->flows[i];
		if (f->phase != FLOW_FREE && adopt_flow(shard, f, owned))
			continue;
		lost += f->phase != FLOW_FREE;
		f->phase = FLOW_FREE;
		f->hash_next = shard->free_flow;
		shard->free_flow = i;
	}
	return lost;
}

uint32_t shard_adopt(struct shard *shard, void *memory)
{
	struct shard_header *h = memory;
	struct layout l = layout_of(h->max_flows, h->n_buckets, h->n_chunks);
	uint8_t *base = memory;
	*shard = (struct shard){
		.header = h,
		.journal = (struct journal *)(void *)(base + l.journal),
		.buckets = (uint32_t *)(void *)(base + l.buckets),
		.flows = (struct flow *)(void *)(base + l.flows),
		.free_flow = FLOW_NIL,
	};
	for (unsigned size = 0; size < SESSION_SIZES; size++)
		session_pool_init(&shard->sessions[size], size, base + l.sessions[size],
				  h->n_sessions);
	chunk_pool_init(&shard->chunks, (struct chunk *)(void *)(base + l.chunks), h->n_chunks);
	memset(shard->buckets, 0xff, (size_t)h->n_buckets * sizeof(uint32_t));
	struct owned owned;
	uint32_t lost = SHARD_NO_MEMORY;
	if (owned_open(&owned, h)) {
		undo_turn(shard);
		lost = adopt_flows(shard, &owned);
		free_what_nobody_owns(shard, &owned);
	}
	owned_close(&owned);
	return lost;
}
