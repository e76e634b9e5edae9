/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A worker on a bench: a policy from text, packets built byte by byte, and receivers that take only
 * what was accepted.
 *
 *	client --segment--> worker --verdict--> receiver (of the server's side)
 *
 * The rig shares no code with the engine for building, reading and checksumming packets, so that an
 * error there cannot hide itself. A receiver keeps its stream under three readings at once, since
 * real ones differ and even one alone is not consistent: the first copy of a byte wins, the last
 * copy wins until it was acknowledged, or some copies are lost. What must hold for every scenario:
 * all readings agree, and no byte lies behind a FIN that was let through.
 */
#ifndef TESTS_ENGINE_RIG_H
#define TESTS_ENGINE_RIG_H

#include "engine/internal.h"
#include "identity/inventory.h"
#include "policy/compile.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdlib.h>

enum {
	RIG_PACKETS = 512, /* sent packets that are remembered */
	RIG_INJECTED = 64,
	RIG_RECORDS = 256,
	RIG_PACKET_MAX = 66000,
	RIG_STREAM_MAX = 1 << 17, /* bytes of one direction */
	RIG_IMAGES = 8,
	RIG_STAGED = 512, /* verdicts of one turn */
};

/* As ck_assert_msg, which writes to a pipe also when all is well: too slow for millions. */
#define RIG_CHECK(condition, ...)                                                                  \
	do {                                                                                       \
		if (!(condition))                                                                  \
			ck_abort_msg(__VA_ARGS__);                                                 \
	} while (0)

#define RIG_ASSERT(condition) RIG_CHECK(condition, "%s", #condition)

/* ---- dice ---- */

static inline uint64_t rig_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ULL);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static inline uint32_t rig_below(uint64_t *state, uint32_t n)
{
	return (uint32_t)(rig_random(state) % n);
}

/* ---- receivers ---- */

enum rig_reading { RIG_FIRST, RIG_LAST, RIG_LOSSY, RIG_READINGS };

struct rig_receiver {
	uint32_t start; /* sequence number of the first byte */
	bool has_start;
	uint8_t *data[RIG_READINGS];
	bool *has[RIG_READINGS];
	uint32_t top;	/* no byte at or behind it */
	uint32_t acked; /* bytes acknowledged: final in every reading */
	bool has_fin;
	uint32_t fin;
	uint32_t n_resets, n_segments;
	bool is_gone; /* it sent a reset: it has no connection any more */
	uint64_t dice;
};

static inline void rig_receiver_init(struct rig_receiver *r)
{
	for (int i = 0; i < RIG_READINGS; i++) {
		r->data[i] = calloc(1, RIG_STREAM_MAX);
		r->has[i] = calloc(1, RIG_STREAM_MAX);
		RIG_ASSERT(r->data[i] && r->has[i]);
	}
}

static inline void rig_receiver_fini(struct rig_receiver *r)
{
	for (int i = 0; i < RIG_READINGS; i++) {
		free(r->data[i]);
		free(r->has[i]);
	}
}

/* A new connection at the same place. */
static inline void rig_receiver_restart(struct rig_receiver *r, uint32_t start)
{
	for (int i = 0; i < RIG_READINGS; i++)
		memset(r->has[i], 0, r->top);
	r->start = start;
	r->has_start = true;
	r->top = r->acked = r->fin = r->n_resets = r->n_segments = 0;
	r->has_fin = r->is_gone = false;
}

/* How many bytes this reading could hand to its application. */
static inline uint32_t rig_contiguous(const struct rig_receiver *r, enum rig_reading reading)
{
	uint32_t n = r->acked;
	while (n < r->top && r->has[reading][n])
		n++;
	return n;
}

static inline bool rig_lossy_takes(struct rig_receiver *r)
{
	return rig_below(&r->dice, 4) != 0;
}

static inline void rig_receive_byte(struct rig_receiver *r, uint32_t at, uint8_t byte, bool lossy)
{
	if (at < r->acked)
		return;
	if (!r->has[RIG_FIRST][at])
		r->data[RIG_FIRST][at] = byte;
	r->data[RIG_LAST][at] = byte;
	r->has[RIG_FIRST][at] = r->has[RIG_LAST][at] = true;
	if (lossy) {
		r->data[RIG_LOSSY][at] = byte;
		r->has[RIG_LOSSY][at] = true;
	}
	if (at >= r->top)
		r->top = at + 1;
}

static inline void rig_receive(struct rig_receiver *r, uint32_t seq, struct bytes data, bool fin)
{
	RIG_CHECK(r->has_start, "payload before a handshake");
	int64_t from = (int32_t)(seq - r->start);
	bool lossy = rig_lossy_takes(r);
	if (r->is_gone)
		return;
	r->n_segments++;
	for (size_t i = 0; i < data.n; i++) {
		int64_t at = from + (int64_t)i;
		if (at < 0)
			continue;
		RIG_CHECK(at < RIG_STREAM_MAX, "a byte far outside of the stream was let through");
		RIG_CHECK(!r->has_fin || at < r->fin, "a byte behind the FIN was let through");
		rig_receive_byte(r, (uint32_t)at, data.p[i], lossy);
	}
	if (!fin)
		return;
	int64_t end = from + (int64_t)data.n;
	RIG_CHECK(end >= 0 && (!r->has_fin || end == r->fin), "a second FIN at another place");
	RIG_CHECK(end >= r->top, "a FIN in front of bytes that were let through");
	r->has_fin = true;
	r->fin = (uint32_t)end;
}

/* All readings give the same bytes as far as they go. */
static inline void rig_readings_agree(const struct rig_receiver *r)
{
	for (int a = 0; a < RIG_READINGS; a++) {
		for (int b = a + 1; b < RIG_READINGS; b++) {
			for (uint32_t i = 0; i < r->top; i++) {
				bool both = r->has[a][i] && r->has[b][i];
				RIG_CHECK(!both || r->data[a][i] == r->data[b][i],
					  "byte %u depends on the receiver: %02x or %02x", i,
					  r->data[a][i], r->data[b][i]);
			}
		}
	}
}

/* ---- the rig ---- */

struct rig_packet {
	uint32_t id;
	bool is_answered, accepted, was_rewritten, has_mark;
	uint32_t mark;
	uint32_t n;
	uint8_t *bytes;
};

struct rig_record {
	struct event_head head;
	char rule[64], found[32], text[96], url[64];
};

struct rig {
	struct worker *w;
	struct worker_setup setup;
	void *shard;
	size_t shard_bytes;
	struct shared_counters *counters;
	struct policy_blob images[RIG_IMAGES];
	size_t n_images;
	uint32_t generation;
	struct engine_time now;
	struct rig_packet sent[RIG_PACKETS];
	uint32_t n_sent;
	struct rig_packet injected[RIG_INJECTED];
	uint32_t n_injected, n_own_staged;
	struct rig_record records[RIG_RECORDS];
	uint32_t n_records;
	struct rig_receiver to[2]; /* 0: what the server gets */
	/* Verdicts leave when the turn is over; an engine that dies before takes them with it. */
	uint32_t staged[RIG_STAGED];
	uint32_t n_staged;
	uint32_t dies_in; /* hooks until the engine dies; 0: it lives */
	jmp_buf death;
	bool has_receivers;
	uint32_t expected_mark; /* of packets as they come */
};

static inline uint64_t rig_counter(const struct rig *r, enum counter c)
{
	return counter_get(r->counters, c);
}

/* ---- Internet checksum, once more ---- */

static inline uint32_t rig_sum(uint32_t sum, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static inline uint16_t rig_transport_sum(const uint8_t *packet, size_t n, size_t l4, uint8_t proto)
{
	bool v4 = packet[0] >> 4 == 4;
	uint8_t tail[4] = {0, proto, (uint8_t)((n - l4) >> 8), (uint8_t)(n - l4)};
	uint32_t sum = rig_sum(0, packet + l4, n - l4);
	if (proto != IPPROTO_ICMP) {
		sum = rig_sum(sum, packet + (v4 ? 12 : 8), v4 ? 8 : 32);
		sum = rig_sum(sum, tail, sizeof(tail));
	}
	return (uint16_t)~sum;
}

static inline void rig_put(uint8_t *at, uint32_t v, size_t n)
{
	for (size_t i = n; i > 0; i--, v >>= 8)
		at[i - 1] = (uint8_t)v;
}

static inline uint32_t rig_get(const uint8_t *at, size_t n)
{
	uint32_t v = 0;
	for (size_t i = 0; i < n; i++)
		v = v << 8 | at[i];
	return v;
}

/* ---- building packets ---- */

struct rig_end {
	const char *ip;
	uint16_t port;
	uint8_t mac[6];
	bool has_mac;
};

struct rig_segment {
	uint8_t flags;
	uint32_t seq, ack;
	const void *data;
	size_t n;
	uint16_t window, urgent;
	const uint8_t *options; /* a multiple of four bytes */
	size_t n_options;
	uint8_t reserved;
	bool bad_checksum;
};

static inline size_t rig_ip(uint8_t *out, const char *src, const char *dst, uint8_t proto,
			    size_t payload)
{
	if (strchr(src, ':')) {
		memset(out, 0, 40);
		out[0] = 0x60;
		rig_put(out + 4, (uint32_t)payload, 2);
		out[6] = proto;
		out[7] = 64;
		RIG_ASSERT(inet_pton(AF_INET6, src, out + 8) == 1);
		RIG_ASSERT(inet_pton(AF_INET6, dst, out + 24) == 1);
		return 40;
	}
	memset(out, 0, 20);
	out[0] = 0x45;
	rig_put(out + 2, (uint32_t)(20 + payload), 2);
	out[8] = 64;
	out[9] = proto;
	RIG_ASSERT(inet_pton(AF_INET, src, out + 12) == 1);
	RIG_ASSERT(inet_pton(AF_INET, dst, out + 16) == 1);
	rig_put(out + 10, (uint16_t)~rig_sum(0, out, 20), 2);
	return 20;
}

static inline size_t rig_tcp(uint8_t *out, const struct rig_end *from, const struct rig_end *to,
			     const struct rig_segment *s)
{
	size_t header = 20 + s->n_options,
	       at = rig_ip(out, from->ip, to->ip, IPPROTO_TCP, header + s->n);
	uint8_t *tcp = out + at;
	memset(tcp, 0, 20);
	rig_put(tcp, from->port, 2);
	rig_put(tcp + 2, to->port, 2);
	rig_put(tcp + 4, s->seq, 4);
	rig_put(tcp + 8, s->ack, 4);
	tcp[12] = (uint8_t)(header / 4 << 4 | s->reserved);
	tcp[13] = s->flags;
	rig_put(tcp + 14, s->window, 2);
	rig_put(tcp + 18, s->urgent, 2);
	if (s->n_options)
		memcpy(tcp + 20, s->options, s->n_options);
	if (s->n)
		memcpy(tcp + header, s->data, s->n);
	size_t n = at + header + s->n;
	rig_put(tcp + 16, rig_transport_sum(out, n, at, IPPROTO_TCP) + s->bad_checksum, 2);
	return n;
}

static inline size_t rig_udp(uint8_t *out, const struct rig_end *from, const struct rig_end *to,
			     struct bytes data)
{
	size_t at = rig_ip(out, from->ip, to->ip, IPPROTO_UDP, 8 + data.n);
	rig_put(out + at, from->port, 2);
	rig_put(out + at + 2, to->port, 2);
	rig_put(out + at + 4, (uint32_t)(8 + data.n), 2);
	rig_put(out + at + 6, 0, 2);
	if (data.n)
		memcpy(out + at + 8, data.p, data.n);
	uint16_t sum = rig_transport_sum(out, at + 8 + data.n, at, IPPROTO_UDP);
	rig_put(out + at + 6, sum ? sum : 0xffff, 2);
	return at + 8 + data.n;
}

static inline size_t rig_echo(uint8_t *out, const struct rig_end *from, const struct rig_end *to,
			      uint8_t type, uint16_t identifier)
{
	bool v4 = !strchr(from->ip, ':');
	uint8_t proto = v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	size_t at = rig_ip(out, from->ip, to->ip, proto, 8);
	memset(out + at, 0, 8);
	out[at] = type;
	rig_put(out + at + 4, identifier, 2);
	rig_put(out + at + 2, rig_transport_sum(out, at + 8, at, proto), 2);
	return at + 8;
}

/* ---- what comes out ---- */

struct rig_view {
	uint8_t proto;
	size_t l4;
	uint16_t src_port, dst_port;
	uint32_t seq, ack;
	uint8_t flags, reserved;
	uint16_t urgent;
	struct bytes options, data;
};

/* Reads what a receiver would read; asserts that it is sound. */
static inline struct rig_view rig_read(struct bytes packet)
{
	struct rig_view v = {0};
	bool v4 = packet.p[0] >> 4 == 4;
	v.l4 = v4 ? 20 : 40;
	size_t stated = v4 ? rig_get(packet.p + 2, 2) : 40 + rig_get(packet.p + 4, 2);
	RIG_ASSERT(packet.n == stated);
	v.proto = packet.p[v4 ? 9 : 6];
	if (v4)
		RIG_ASSERT(rig_sum(0, packet.p, 20) == 0xffff);
	RIG_ASSERT(rig_transport_sum(packet.p, packet.n, v.l4, v.proto) == 0);
	if (v.proto != IPPROTO_TCP && v.proto != IPPROTO_UDP)
		return v;
	const uint8_t *tcp = packet.p + v.l4;
	v.src_port = (uint16_t)rig_get(tcp, 2);
	v.dst_port = (uint16_t)rig_get(tcp + 2, 2);
	v.data = bytes_of(tcp + 8, packet.n - v.l4 - 8);
	if (v.proto == IPPROTO_UDP)
		return v;
	size_t header = (size_t)(tcp[12] >> 4) * 4;
	v.seq = rig_get(tcp + 4, 4);
	v.ack = rig_get(tcp + 8, 4);
	v.reserved = tcp[12] & 0x0f;
	v.flags = tcp[13];
	v.urgent = (uint16_t)rig_get(tcp + 18, 2);
	v.options = bytes_of(tcp + 20, header - 20);
	v.data = bytes_of(tcp + header, packet.n - v.l4 - header);
	return v;
}

/* Which side of the test's connection sent it: the client is whoever is not at the server's port.
 */
static inline void rig_deliver(struct rig *r, struct bytes packet, bool by_the_end_itself)
{
	if (!r->has_receivers)
		return;
	struct rig_view v = rig_read(packet);
	if (v.proto != IPPROTO_TCP)
		return;
	unsigned side = v.dst_port >= 10000; /* clients have high ports in the rig */
	struct rig_receiver *to = &r->to[side];
	RIG_CHECK(!(v.flags & TCP_URG) && v.urgent == 0, "an urgent pointer was let through");
	RIG_ASSERT(v.reserved == 0);
	if (v.flags & TCP_SYN) {
		RIG_CHECK(v.data.n == 0, "payload of a SYN was let through");
		/* A server stays with what it has until its own answer says otherwise. */
		bool is_new = !to->has_start || v.seq + 1 != to->start;
		if (!to->has_start || (side == 1 && is_new))
			rig_receiver_restart(to, v.seq + 1);
		if (side == 1 && (is_new || v.ack != r->to[0].start))
			rig_receiver_restart(&r->to[0], v.ack);
		return;
	}
	if (v.flags & TCP_RST) {
		RIG_CHECK(v.data.n == 0, "payload of a RST was let through");
		to->n_resets++;
		r->to[!side].is_gone |= by_the_end_itself;
		return;
	}
	if (v.data.n > 0 || (v.flags & TCP_FIN))
		rig_receive(to, v.seq, v.data, v.flags & TCP_FIN);
}

/* The engine's life hangs on the calls that it makes outside. */
static inline void rig_maybe_die(struct rig *r)
{
	if (r->dies_in && --r->dies_in == 0)
		longjmp(r->death, 1);
}

/* Words and FIN to the client stand where it says that it is, which may be a lie. */
static inline void rig_deliver_own(struct rig *r, struct bytes packet)
{
	struct rig_view v = rig_read(packet);
	bool is_farewell = v.proto == IPPROTO_TCP && !(v.flags & TCP_RST);
	if (!is_farewell || v.dst_port < 10000)
		rig_deliver(r, packet, false);
}

/* What the turn decided reaches the receivers. */
static inline void rig_flush(struct rig *r)
{
	for (uint32_t i = 0; i < r->n_staged; i++) {
		struct rig_packet *p = &r->sent[r->staged[i]];
		rig_deliver(r, bytes_of(p->bytes, p->n), true);
	}
	r->n_staged = 0;
	RIG_ASSERT(r->n_own_staged <= RIG_INJECTED);
	for (uint32_t i = r->n_own_staged; i > 0; i--) {
		struct rig_packet *p = &r->injected[(r->n_injected - i) % RIG_INJECTED];
		rig_deliver_own(r, bytes_of(p->bytes, p->n));
	}
	r->n_own_staged = 0;
}

static inline void rig_verdict_hook(void *ctx, const struct capture_verdict *v)
{
	struct rig *r = ctx;
	rig_maybe_die(r);
	struct rig_packet *p = &r->sent[v->id % RIG_PACKETS];
	RIG_CHECK(p->id == v->id && !p->is_answered, "packet %u was answered twice",
		  (unsigned)v->id);
	p->is_answered = true;
	p->accepted = v->accept;
	p->has_mark = v->set_mark;
	p->mark = v->mark;
	RIG_CHECK(v->accept || !v->data, "a dropped packet with new bytes");
	if (!v->accept)
		return;
	if (v->data) {
		p->was_rewritten = true;
		RIG_ASSERT(v->n <= p->n);
		memcpy(p->bytes, v->data, v->n);
		p->n = v->n;
	}
	RIG_ASSERT(r->n_staged < RIG_STAGED);
	r->staged[r->n_staged++] = v->id % RIG_PACKETS;
}

static inline bool rig_inject_hook(void *ctx, struct bytes packet)
{
	struct rig *r = ctx;
	rig_maybe_die(r);
	struct rig_packet *p = &r->injected[r->n_injected++ % RIG_INJECTED];
	free(p->bytes);
	p->bytes = malloc(packet.n);
	RIG_ASSERT(p->bytes);
	memcpy(p->bytes, packet.p, packet.n);
	p->n = (uint32_t)packet.n;
	r->n_own_staged++;
	return true;
}

static inline void rig_copy_text(char *out, size_t room, struct bytes text)
{
	size_t n = text.n < room - 1 ? text.n : room - 1;
	memcpy(out, text.p, n);
	out[n] = '\0';
}

static inline void rig_record_item(struct rig_record *to, unsigned tag, struct bytes value)
{
	if (tag == EVENT_TAG_RULE)
		rig_copy_text(to->rule, sizeof(to->rule), value);
	else if (tag == EVENT_TAG_FOUND)
		rig_copy_text(to->found, sizeof(to->found), value);
	else if (tag == EVENT_TAG_TEXT)
		rig_copy_text(to->text, sizeof(to->text), value);
	else if (tag >= EVENT_TAG_FIELD && to->head.app != POLICY_APP_NONE &&
		 strcmp(dissectors[to->head.app]->fields[tag - EVENT_TAG_FIELD].name, "url") == 0)
		rig_copy_text(to->url, sizeof(to->url), value);
}

static inline void rig_record_hook(void *ctx, const struct event_head *head)
{
	struct rig *r = ctx;
	rig_maybe_die(r);
	struct rig_record *to = &r->records[r->n_records++ % RIG_RECORDS];
	*to = (struct rig_record){.head = *head};
	const uint8_t *at = (const uint8_t *)(head + 1), *end = (const uint8_t *)head + head->size;
	while (at < end) {
		struct event_item item;
		memcpy(&item, at, sizeof(item));
		at += sizeof(item);
		rig_record_item(to, item.tag & ~(unsigned)EVENT_CUT, bytes_of(at, item.length));
		at += (item.length + 3u) & ~3u;
	}
	RIG_ASSERT(at == end);
}

/* ---- life ---- */

static const char rig_inventory[] =
	"endpoints:\n"
	"- {ips: [198.18.0.2, 'fd00:18::2'], container: client, project: shop, service: client, "
	"networks: [shop],\n"
	"   mac: '02:00:00:00:00:02'}\n"
	"- {ips: [198.18.0.3, 'fd00:18::3'], container: web, project: shop, service: web, "
	"networks: [shop],\n"
	"   mac: '02:00:00:00:00:03'}\n"
	"- {ip: 198.18.0.4, container: cache, project: shop, service: cache, networks: [shop]}\n"
	"- {ip: 198.18.0.5, container: raw, project: shop, service: raw, networks: [shop]}\n"
	"- {ip: 198.18.0.6, container: names, project: shop, service: names, networks: [shop]}\n"
	"networks:\n"
	"- {name: shop, bridge: br-shop, subnets: [198.18.0.0/24, 'fd00:18::/64'], gateways: "
	"[198.18.0.1], project: shop}\n";

static const struct rig_end rig_client = {
	.ip = "198.18.0.2", .port = 40000, .mac = {2, 0, 0, 0, 0, 2}, .has_mac = true};
static const struct rig_end rig_web = {
	.ip = "198.18.0.3", .port = 80, .mac = {2, 0, 0, 0, 0, 3}, .has_mac = true};
static const struct rig_end rig_cache = {.ip = "198.18.0.4", .port = 6379};
static const struct rig_end rig_raw = {.ip = "198.18.0.5", .port = 9000};
static const struct rig_end rig_names = {.ip = "198.18.0.6", .port = 53};

/* Compiles and takes up a policy; epoch moves with the generation. inventory NULL: the usual one.
 */
static inline void rig_use(struct rig *r, const char *policy_text, const char *inventory)
{
	struct diagnostics diags = {0};
	struct policy *policy = NULL;
	struct error err = {0};
	struct identity_set ids = {0};
	const char *text = inventory ? inventory : rig_inventory;
	int e = policy_load_text_on(20000, "rig.yaml", policy_text, strlen(policy_text), &policy,
				    &diags);
	if (e < 0)
		diagnostics_print(&diags, stderr);
	RIG_ASSERT(e == 0);
	e = inventory_load_text("ids.yaml", text, strlen(text), &ids, &err);
	RIG_ASSERT(e == 0);
	r->generation++;
	struct policy_inputs inputs = {
		.ids = &ids, .generation = r->generation, .epoch = r->generation};
	RIG_ASSERT(r->n_images < RIG_IMAGES);
	RIG_ASSERT(policy_compile(policy, &inputs, &r->images[r->n_images], &err) == 0);
	worker_use_image(r->w, policy_image_of(&r->images[r->n_images++]), r->now);
	rig_flush(r);
	policy_free(policy);
	diagnostics_fini(&diags);
	identity_set_fini(&ids);
}

static inline void rig_start_worker(struct rig *r)
{
	RIG_ASSERT(worker_new(&r->setup, &r->w) == 0);
	if (r->n_images)
		worker_use_image(r->w, policy_image_of(&r->images[r->n_images - 1]), r->now);
}

static inline struct rig *rig_new_sized(const char *policy_text, uint32_t max_flows,
					uint64_t held_bytes, uint32_t max_held)
{
	static const uint64_t key[2] = {1, 2};
	struct rig *r = calloc(1, sizeof(*r));
	RIG_ASSERT(r);
	r->shard_bytes = shard_size(max_flows, held_bytes);
	r->shard = aligned_alloc(4096, r->shard_bytes);
	r->counters = aligned_alloc(64, sizeof(*r->counters));
	RIG_ASSERT(r->shard && r->counters);
	memset(r->shard, 0, r->shard_bytes);
	memset(r->counters, 0, sizeof(*r->counters));
	shard_format(r->shard, max_flows, held_bytes, key);
	r->now = (struct engine_time){.mono_ns = 1000000000, .real_ns = 1700000000000000000};
	r->setup = (struct worker_setup){
		.shard = r->shard,
		.max_held = max_held,
		.hold_timeout_ns = 3000000000,
		.silent_timeout_ns = 30000000000,
		.counters = r->counters,
		.out = {.verdict = rig_verdict_hook, .inject = rig_inject_hook, .ctx = r},
		.record = rig_record_hook,
		.record_ctx = r,
	};
	rig_receiver_init(&r->to[0]);
	rig_receiver_init(&r->to[1]);
	r->has_receivers = true;
	rig_start_worker(r);
	rig_use(r, policy_text, NULL);
	return r;
}

static inline struct rig *rig_new(const char *policy_text)
{
	return rig_new_sized(policy_text, 64, 512 << 10, 256);
}

static inline void rig_free(struct rig *r)
{
	rig_readings_agree(&r->to[0]);
	rig_readings_agree(&r->to[1]);
	worker_free(r->w);
	for (size_t i = 0; i < r->n_images; i++)
		policy_blob_free(&r->images[i]);
	for (int i = 0; i < RIG_PACKETS; i++)
		free(r->sent[i].bytes);
	for (int i = 0; i < RIG_INJECTED; i++)
		free(r->injected[i].bytes);
	rig_receiver_fini(&r->to[0]);
	rig_receiver_fini(&r->to[1]);
	free(r->shard);
	free(r->counters);
	free(r);
}

static inline void rig_wait(struct rig *r, uint64_t ms)
{
	r->now.mono_ns += ms * 1000000;
	r->now.real_ns += ms * 1000000;
	worker_tick(r->w, r->now);
	rig_flush(r);
}

/* ---- sending ---- */

struct rig_frame {
	const uint8_t *mac;
	bool is_unfinished, is_verified, is_cut, is_bundle;
};

/* The engine is dead: what it had read and not answered is dropped by the kernel, and another takes
 * over. */
static inline void rig_bury(struct rig *r)
{
	r->n_staged = r->n_own_staged = 0;
	worker_free(r->w);
	for (uint32_t i = 0; i < RIG_PACKETS; i++)
		r->sent[i].is_answered = true;
	rig_start_worker(r);
}

/* Gives a whole packet to the worker; the answer, if there is one already, is in the result. */
static inline struct rig_packet *rig_send_raw(struct rig *r, struct bytes packet,
					      const struct rig_frame *frame)
{
	static uint8_t buffer[RIG_PACKET_MAX];
	struct rig_packet *p = &r->sent[++r->n_sent % RIG_PACKETS];
	RIG_CHECK(r->n_sent <= RIG_PACKETS || p->is_answered, "packet %u was never answered",
		  p->id);
	free(p->bytes);
	*p = (struct rig_packet){
		.id = r->n_sent, .n = (uint32_t)packet.n, .bytes = malloc(packet.n + 1)};
	RIG_ASSERT(p->bytes);
	memcpy(p->bytes, packet.p, packet.n);
	memcpy(buffer, packet.p, packet.n);
	struct capture_packet cp = {
		.id = p->id, .data = buffer, .n = p->n, .mark = r->expected_mark};
	if (frame) {
		cp.checksum_unfinished = frame->is_unfinished;
		cp.checksum_verified = frame->is_verified;
		cp.is_cut = frame->is_cut;
		cp.is_bundle = frame->is_bundle;
		if (frame->mac) {
			memcpy(cp.mac, frame->mac, 6);
			cp.has_mac = true;
		}
	}
	if (setjmp(r->death) == 0) {
		worker_packet(r->w, &cp, r->now);
		rig_flush(r);
	} else {
		rig_bury(r);
	}
	return p;
}

static inline struct rig_packet *rig_send(struct rig *r, const struct rig_end *from,
					  const struct rig_end *to, const struct rig_segment *s)
{
	static uint8_t out[RIG_PACKET_MAX];
	size_t n = rig_tcp(out, from, to, s);
	struct rig_frame frame = {.mac = from->has_mac ? from->mac : NULL};
	return rig_send_raw(r, bytes_of(out, n), &frame);
}

/* ---- connections ---- */

/* Sequence numbers are given as offsets from the first byte. */
struct rig_connection {
	struct rig *r;
	struct rig_end end[2]; /* client, server */
	uint32_t isn[2];
	uint32_t sent[2];  /* bytes, by rig_say */
	uint32_t heard[2]; /* acknowledged by this side */
	uint16_t window;
};

static inline struct rig_connection rig_connection(struct rig *r, const struct rig_end *server)
{
	return (struct rig_connection){
		.r = r,
		.end = {rig_client, *server},
		.isn = {0xfffffff0, 0x7fffffff - 20},
		.window = 60000,
	};
}

static inline struct rig_segment rig_segment_at(const struct rig_connection *c, unsigned dir,
						uint8_t flags, uint32_t at, const void *data,
						size_t n)
{
	return (struct rig_segment){
		.flags = flags,
		.seq = c->isn[dir] + 1 + at,
		.ack = flags & TCP_ACK ? c->isn[!dir] + 1 + c->heard[dir] : 0,
		.data = data,
		.n = n,
		.window = c->window,
	};
}

static inline struct rig_packet *rig_pass(struct rig_connection *c, unsigned dir,
					  const struct rig_segment *s)
{
	return rig_send(c->r, &c->end[dir], &c->end[!dir], s);
}

/* Payload at an offset of the stream of that side. */
static inline struct rig_packet *rig_data(struct rig_connection *c, unsigned dir, uint32_t at,
					  const void *data, size_t n)
{
	struct rig_segment s = rig_segment_at(c, dir, TCP_ACK | TCP_PSH, at, data, n);
	return rig_pass(c, dir, &s);
}

/* The next bytes of that side. */
static inline struct rig_packet *rig_say(struct rig_connection *c, unsigned dir, const char *text)
{
	struct rig_packet *p = rig_data(c, dir, c->sent[dir], text, strlen(text));
	c->sent[dir] += (uint32_t)strlen(text);
	return p;
}

static inline struct rig_packet *rig_flags(struct rig_connection *c, unsigned dir, uint8_t flags,
					   int32_t at)
{
	struct rig_segment s = rig_segment_at(c, dir, flags, (uint32_t)at, NULL, 0);
	return rig_pass(c, dir, &s);
}

/* The side acknowledges what its receiver has in every reading. */
static inline struct rig_packet *rig_ack(struct rig_connection *c, unsigned dir)
{
	struct rig_receiver *own = &c->r->to[!dir];
	own->acked = rig_contiguous(own, RIG_LOSSY);
	c->heard[dir] = own->acked;
	return rig_flags(c, dir, TCP_ACK, (int32_t)c->sent[dir]);
}

/* Everything that came arrived: no reading lost anything. */
static inline void rig_settle_losses(struct rig_receiver *to)
{
	for (uint32_t i = 0; i < to->top; i++) {
		if (!to->has[RIG_LOSSY][i] && to->has[RIG_LAST][i]) {
			to->data[RIG_LOSSY][i] = to->data[RIG_LAST][i];
			to->has[RIG_LOSSY][i] = true;
		}
	}
}

static inline void rig_open(struct rig_connection *c)
{
	static const uint8_t options[] = {2, 4, 5, 0xb4, 4, 2, 1, 3, 3, 7, 1, 1};
	for (unsigned dir = 0; dir < 2; dir++) {
		struct rig_segment s = {
			.flags = (uint8_t)(TCP_SYN | (dir ? TCP_ACK : 0)),
			.seq = c->isn[dir],
			.ack = dir ? c->isn[0] + 1 : 0,
			.window = c->window,
			.options = options,
			.n_options = sizeof(options),
		};
		struct rig_packet *p = rig_pass(c, dir, &s);
		RIG_ASSERT(p->is_answered && p->accepted);
	}
	struct rig_packet *p = rig_flags(c, 0, TCP_ACK, 0);
	RIG_ASSERT(p->is_answered && p->accepted);
}

/* What the receiver at the end of that direction could read, whichever way it reads. */
static inline struct bytes rig_got(const struct rig *r, unsigned dir)
{
	rig_readings_agree(&r->to[dir]);
	return bytes_of(r->to[dir].data[RIG_LAST], rig_contiguous(&r->to[dir], RIG_LAST));
}

static inline bool rig_has_got(const struct rig *r, unsigned dir, const char *text)
{
	return bytes_is(rig_got(r, dir), text);
}

static inline const struct rig_record *rig_last_record(const struct rig *r, enum event_type type)
{
	for (uint32_t i = r->n_records; i > 0; i--)
		if (r->records[(i - 1) % RIG_RECORDS].head.type == type)
			return &r->records[(i - 1) % RIG_RECORDS];
	return NULL;
}

/* Everything that a flow took is given back. */
static inline void rig_nothing_is_left(struct rig *r)
{
	worker_finish(r->w, r->now);
	RIG_ASSERT(r->w->shard.n_flows == 0);
	RIG_ASSERT(r->w->shard.chunks.n_used == 0);
	for (uint32_t i = 1; i <= r->n_sent && i < RIG_PACKETS; i++)
		RIG_CHECK(r->sent[i % RIG_PACKETS].is_answered, "packet %u was never answered", i);
}

#endif
