/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench.h"

#include "engine/internal.h"
#include "identity/inventory.h"
#include "judge.h"
#include "policy/compile.h"
#include "stream/reasm.h"

#include <assert.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	SLOTS = 8192, /* packets of one connection; a power of two */
	OWN_MAX = 32,
	MAX_FLOWS = 8,
	HELD_BYTES = 256 << 10,
	MAX_HELD = 64,
};

static const char policy_text[] =
	"version: 1\n"
	"rules:\n"
	"- {name: all, from: 'cidr:198.18.0.0/15', to: 'cidr:198.18.0.0/15', app: stream, "
	"log: none, allow: [{kinds: [fine]}]}\n"
	"- {name: all6, from: 'cidr:fd00:18::/32', to: 'cidr:fd00:18::/32', app: stream, "
	"log: none, allow: [{kinds: [fine]}]}\n";

struct slot {
	uint32_t id, n;
	bool is_answered;
	uint8_t bytes[WIRE_PACKET_MAX];
};

struct bench {
	struct worker *worker;
	struct shared_counters *counters;
	struct worker_setup setup;
	struct policy_blob images[2]; /* two generations, in turns */
	unsigned image;
	struct engine_time now;
	unsigned side;			/* of the sender */
	uint32_t isn[2];		/* the sender's, the receiver's */
	uint32_t last_id, n_unanswered; /* of this connection */
	struct slot slots[SLOTS];
	struct slot own[OWN_MAX]; /* the engine's own packets */
	uint32_t n_own;
	const struct slot *leaving[SLOTS + OWN_MAX]; /* at the end of the turn */
	uint32_t n_leaving;
	uint32_t dies_in; /* calls; 0: it lives */
	jmp_buf death;
	void (*deliver)(void *ctx, struct bytes packet);
	void *ctx;
};

/* The engine's life hangs on the calls that it makes outside. */
static void maybe_die(struct bench *b)
{
	if (b->dies_in && --b->dies_in == 0)
		longjmp(b->death, 1);
}

static void on_verdict(void *ctx, const struct capture_verdict *v)
{
	struct bench *b = ctx;
	maybe_die(b);
	struct slot *slot = &b->slots[v->id % SLOTS];
	assert(slot->id == v->id && !slot->is_answered);
	slot->is_answered = true;
	b->n_unanswered--;
	if (!v->accept)
		return;
	if (v->data) {
		assert(v->n <= slot->n);
		memcpy(slot->bytes, v->data, v->n);
		slot->n = v->n;
	}
	b->leaving[b->n_leaving++] = slot;
}

static bool on_inject(void *ctx, struct bytes packet)
{
	struct bench *b = ctx;
	maybe_die(b);
	assert(b->n_own < OWN_MAX && packet.n <= WIRE_PACKET_MAX);
	struct slot *slot = &b->own[b->n_own++];
	memcpy(slot->bytes, packet.p, packet.n);
	slot->n = (uint32_t)packet.n;
	b->leaving[b->n_leaving++] = slot;
	return true;
}

static void on_record(void *ctx, const struct event_head *record)
{
	(void)record; /* the judge has its own log */
	maybe_die(ctx);
}

static void flush(struct bench *b)
{
	for (uint32_t i = 0; i < b->n_leaving; i++)
		b->deliver(b->ctx, bytes_of(b->leaving[i]->bytes, b->leaving[i]->n));
	b->n_leaving = b->n_own = 0;
}

static bool compile_images(struct bench *b)
{
	struct diagnostics diags = {0};
	struct policy *policy = NULL;
	struct error err = {0};
	const struct identity_set nobody = {0};
	bool ok = policy_load_text_on(20000, "bench.yaml", policy_text, sizeof(policy_text) - 1,
				      &policy, &diags) == 0;
	if (!ok)
		diagnostics_print(&diags, stderr);
	for (uint32_t i = 0; ok && i < 2; i++) {
		const struct policy_inputs inputs = {
			.ids = &nobody, .generation = i + 1, .epoch = i + 1};
		ok = policy_compile(policy, &inputs, &b->images[i], &err) == 0;
	}
	policy_free(policy);
	diagnostics_fini(&diags);
	return ok;
}

static void start_worker(struct bench *b)
{
	int rc = worker_new(&b->setup, &b->worker);
	assert(rc == 0); /* no memory: nothing to test with */
	worker_use_image(b->worker, policy_image_of(&b->images[b->image]), b->now);
}

static bool make_engine(struct bench *b)
{
	static const uint64_t key[2] = {1, 2};
	size_t n = shard_size(MAX_FLOWS, HELD_BYTES);
	void *shard = aligned_alloc(4096, (n + 4095) & ~(size_t)4095);
	b->counters = aligned_alloc(64, sizeof(*b->counters));
	if (!shard || !b->counters)
		return false;
	memset(shard, 0, n);
	memset(b->counters, 0, sizeof(*b->counters));
	shard_format(shard, MAX_FLOWS, HELD_BYTES, key);
	b->now = (struct engine_time){.mono_ns = 1000000000, .real_ns = 1700000000000000000};
	b->setup = (struct worker_setup){
		.shard = shard,
		.max_held = MAX_HELD,
		.hold_timeout_ns = 3000000000,
		.silent_timeout_ns = 30000000000,
		.counters = b->counters,
		.out = {.verdict = on_verdict, .inject = on_inject, .ctx = b},
		.record = on_record,
		.record_ctx = b,
	};
	start_worker(b);
	return true;
}

struct bench *bench_new(void (*deliver)(void *ctx, struct bytes packet), void *ctx)
{
	struct bench *b = calloc(1, sizeof(*b));
	if (!b || !compile_images(b) || !make_engine(b)) {
		(void)fprintf(stderr, "the engine under test cannot be built\n");
		free(b);
		return NULL;
	}
	b->deliver = deliver;
	b->ctx = ctx;
	return b;
}

static const struct flow *live_flow(const struct bench *b)
{
	const struct shard *shard = &b->worker->shard;
	for (uint32_t i = 0; i < shard->header->high_water; i++)
		if (shard->flows[i].phase != FLOW_FREE)
			return &shard->flows[i];
	return NULL;
}

/* NULL: the engine does not know the watched connection, or not any more. */
static const struct flow *watched_flow(const struct bench *b)
{
	const struct flow *f = live_flow(b);
	bool is_it = f && f->half[b->side].isn == b->isn[0] && f->half[!b->side].isn == b->isn[1];
	return is_it ? f : NULL;
}

void bench_watch(struct bench *b, unsigned side, uint32_t isn, uint32_t peer_isn)
{
	b->side = side;
	b->isn[0] = isn;
	b->isn[1] = peer_isn;
}

/* What it had read and not answered is dropped by the kernel. */
static void bury(struct bench *b)
{
	worker_free(b->worker);
	b->n_leaving = b->n_own = b->n_unanswered = 0;
	b->dies_in = 0;
	start_worker(b);
	flush(b);
}

static void give(struct bench *b, struct capture_packet *cp)
{
	struct judged_mark before = judge_mark();
	judge.is_logged = watched_flow(b);
	if (setjmp(b->death) == 0) {
		worker_packet(b->worker, cp, b->now);
		b->dies_in = 0;
	} else {
		judge_return(&before);
		bury(b);
	}
	flush(b);
}

void bench_send(struct bench *b, struct bytes packet)
{
	static uint8_t buffer[WIRE_PACKET_MAX]; /* the engine's to change, as the queue's is */
	struct slot *slot = &b->slots[++b->last_id % SLOTS];
	assert(packet.n <= WIRE_PACKET_MAX && b->last_id < SLOTS);
	slot->id = b->last_id;
	slot->is_answered = false;
	b->n_unanswered++;
	slot->n = (uint32_t)packet.n;
	memcpy(slot->bytes, packet.p, packet.n);
	memcpy(buffer, packet.p, packet.n);
	struct capture_packet cp = {.id = slot->id, .data = buffer, .n = slot->n};
	give(b, &cp);
}

void bench_wait(struct bench *b, uint32_t ms)
{
	b->now.mono_ns += ms * UINT64_C(1000000);
	b->now.real_ns += ms * UINT64_C(1000000);
	judge.is_logged = watched_flow(b);
	worker_tick(b->worker, b->now);
	flush(b);
}

void bench_die(struct bench *b, uint32_t n)
{
	b->dies_in = n;
	if (n == 0)
		bury(b);
}

void bench_reload(struct bench *b)
{
	b->image = !b->image;
	judge.is_logged = watched_flow(b);
	worker_use_image(b->worker, policy_image_of(&b->images[b->image]), b->now);
	flush(b);
}

bool bench_sees_replies(const struct bench *b)
{
	const struct flow *f = live_flow(b);
	return !f || f->kernel_mark != MARK_REQUESTS;
}

uint32_t bench_look(struct bench *b)
{
	static uint8_t scratch[DIS_UNIT_MAX];
	const struct flow *f = watched_flow(b);
	if (!f)
		return JUDGE_NONE;
	const struct half *h = &f->half[b->side];
	if (f->phase == FLOW_INSPECTING && !h->is_blind)
		judge_note((enum dis_dir)b->side, h->fed - h->isn - 1,
			   reasm_unconsumed(&b->worker->shard.chunks, h, scratch, sizeof(scratch)));
	return h->has_fin ? h->fin - h->isn - 1 : JUDGE_NONE;
}

const char *bench_end(struct bench *b)
{
	b->dies_in = 0;
	worker_finish(b->worker, b->now);
	b->n_leaving = b->n_own = 0;
	if (b->worker->shard.n_flows || b->worker->shard.chunks.n_used)
		return "the engine keeps something of a connection that is over";
	bool are_answered = b->n_unanswered == 0;
	b->last_id = b->n_unanswered = 0;
	return are_answered ? NULL : "a packet was never answered";
}
