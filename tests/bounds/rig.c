/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rig.h"

#include "engine/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

static const uint32_t server = 0xc6120003; /* 198.18.0.3 */

enum {
	SERVER_PORT = 80,
	MAX_HELD = 4096, /* packets */
	WINDOW = 60000,
};

static const char policy_text[] =
	"version: 1\n"
	"rules:\n"
	"- {name: web, from: 'cidr:198.18.0.0/15', to: 'cidr:198.18.0.0/15', port: 80, "
	"app: http, allow: [{methods: [GET], paths: ['/ok/**']}]}\n";

static void on_verdict(void *ctx, const struct capture_verdict *v)
{
	struct rig *r = ctx;
	uint16_t payload = r->payload[v->id % RIG_SIZES];
	if (v->id == r->last_id)
		r->last = v->accept ? RIG_ACCEPTED : RIG_DROPPED;
	if (!v->accept || payload == 0)
		return;
	r->delivered += v->data ? v->n - WIRE_HEADERS : payload;
}

static bool on_inject(void *ctx, struct bytes packet)
{
	(void)ctx, (void)packet; /* nobody is there to read it */
	return true;
}

static void on_record(void *ctx, const struct event_head *record)
{
	struct rig *r = ctx;
	r->n_violations += record->type == EVENT_VIOLATION;
	r->n_ended += record->type == EVENT_FLOW;
}

static bool compile(struct rig *r)
{
	struct diagnostics diags = {0};
	struct policy *policy = NULL;
	struct error err = {0};
	const struct identity_set nobody = {0};
	const struct policy_inputs inputs = {.ids = &nobody, .generation = 1, .epoch = 1};
	bool ok = policy_load_text_on(20000, "bounds.yaml", policy_text, sizeof(policy_text) - 1,
				      &policy, &diags) == 0;
	if (!ok)
		diagnostics_print(&diags, stderr);
	ok = ok && policy_compile(policy, &inputs, &r->image, &err) == 0;
	policy_free(policy);
	diagnostics_fini(&diags);
	return ok;
}

static bool start(struct rig *r, struct rig_sizes sizes)
{
	static const uint64_t key[2] = {0x6b6579, 0x746573746b6579};
	r->shard_bytes = shard_size(sizes.max_flows, sizes.held_bytes);
	r->shard = mmap(NULL, r->shard_bytes, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	r->counters = aligned_alloc(64, sizeof(*r->counters));
	if (r->shard == MAP_FAILED || !r->counters)
		return false;
	memset(r->counters, 0, sizeof(*r->counters));
	shard_format(r->shard, sizes.max_flows, sizes.held_bytes, key);
	const struct worker_setup setup = {
		.shard = r->shard,
		.max_held = MAX_HELD,
		.hold_timeout_ns = 3000000000,
		.silent_timeout_ns = 30000000000,
		.counters = r->counters,
		.out = {.verdict = on_verdict, .inject = on_inject, .ctx = r},
		.record = on_record,
		.record_ctx = r,
	};
	if (worker_new(&setup, &r->worker) != 0)
		return false;
	worker_use_image(r->worker, policy_image_of(&r->image), r->now);
	return true;
}

struct rig *rig_new(struct rig_sizes sizes)
{
	struct rig *r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	r->now = (struct engine_time){.mono_ns = 1000000000, .real_ns = 1700000000000000000};
	if (compile(r) && start(r, sizes))
		return r;
	(void)fprintf(stderr, "the engine under test cannot be built\n");
	exit(EXIT_FAILURE);
}

void rig_free(struct rig *r)
{
	worker_free(r->worker);
	policy_blob_free(&r->image);
	(void)munmap(r->shard, r->shard_bytes); /* ours, whole */
	free(r->counters);
	free(r);
}

static enum rig_answer send_segment(struct rig *r, const struct conn *c, unsigned side,
				    uint8_t flags, uint32_t seq, struct bytes data)
{
	static uint8_t packet[WIRE_PACKET_MAX];
	const struct wire_segment s = {
		.src = c->addr[side],
		.dst = c->addr[!side],
		.src_port = c->port[side],
		.dst_port = c->port[!side],
		.flags = flags,
		.window = c->window[side],
		.seq = seq,
		.ack = flags & TCP_ACK ? c->isn[!side] + 1 + c->heard[side] : 0,
		.data = data,
	};
	struct capture_packet cp = {
		.id = ++r->last_id,
		.data = packet,
		.n = wire_write(packet, &s),
		.checksum_verified = true,
	};
	r->payload[cp.id % RIG_SIZES] = side == 0 ? (uint16_t)data.n : 0;
	r->last = RIG_HELD;
	worker_packet(r->worker, &cp, r->now);
	return r->last;
}

struct conn conn_of(uint32_t client, uint16_t port)
{
	return (struct conn){
		.addr = {client, server},
		.port = {port, SERVER_PORT},
		.isn = {client * 2654435761u + port, 0xfffffff0u - port},
		.window = {WINDOW, WINDOW},
	};
}

enum rig_answer conn_syn(struct rig *r, const struct conn *c)
{
	return send_segment(r, c, 0, TCP_SYN, c->isn[0], (struct bytes){0});
}

enum rig_answer conn_syn_ack(struct rig *r, const struct conn *c)
{
	return send_segment(r, c, 1, TCP_SYN | TCP_ACK, c->isn[1], (struct bytes){0});
}

bool conn_open(struct rig *r, struct conn *c)
{
	return conn_syn(r, c) == RIG_ACCEPTED && conn_syn_ack(r, c) == RIG_ACCEPTED &&
	       conn_ack(r, c, 0) == RIG_ACCEPTED;
}

enum rig_answer conn_data(struct rig *r, const struct conn *c, unsigned side, uint32_t at,
			  struct bytes data)
{
	return send_segment(r, c, side, TCP_ACK | TCP_PSH, c->isn[side] + 1 + at, data);
}

enum rig_answer conn_say(struct rig *r, struct conn *c, unsigned side, struct bytes data)
{
	uint32_t at = c->sent[side];
	c->sent[side] += (uint32_t)data.n;
	return conn_data(r, c, side, at, data);
}

enum rig_answer conn_ack(struct rig *r, struct conn *c, unsigned side)
{
	c->heard[side] = c->sent[!side];
	return send_segment(r, c, side, TCP_ACK, c->isn[side] + 1 + c->sent[side],
			    (struct bytes){0});
}

static struct bytes text(const char *s)
{
	return bytes_of(s, strlen(s));
}

bool conn_exchange(struct rig *r, struct conn *c)
{
	uint64_t judged = rig_count(r, COUNTER_REQUESTS);
	bool asked =
		conn_say(r, c, 0, text("GET /ok/a HTTP/1.1\r\nHost: web\r\n\r\n")) == RIG_ACCEPTED;
	judged = rig_count(r, COUNTER_REQUESTS) - judged;
	bool answered = conn_ack(r, c, 1) == RIG_ACCEPTED &&
			conn_say(r, c, 1, text("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")) ==
				RIG_ACCEPTED;
	return asked && judged == 1 && answered && conn_ack(r, c, 0) == RIG_ACCEPTED;
}

bool conn_is_refused(struct rig *r, struct conn *c)
{
	uint64_t before = r->n_violations;
	enum rig_answer answer = conn_say(r, c, 0, text("GET /no HTTP/1.1\r\nHost: web\r\n\r\n"));
	return answer == RIG_DROPPED && r->n_violations == before + 1;
}

void rig_wait(struct rig *r, uint64_t ms)
{
	for (uint64_t t = 0; t < ms; t += WORKER_TICK_MS) {
		uint64_t step = ms - t < WORKER_TICK_MS ? ms - t : WORKER_TICK_MS;
		r->now.mono_ns += step * 1000000;
		r->now.real_ns += step * 1000000;
		worker_tick(r->worker, r->now);
	}
}

uint64_t rig_count(const struct rig *r, enum counter which)
{
	return counter_get(r->counters, which);
}

uint64_t rig_held(const struct rig *r)
{
	return (uint64_t)r->worker->shard.chunks.n_used * CHUNK_BYTES;
}
