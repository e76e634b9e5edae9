/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "act.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	SENT_MAX = 4096, /* packets of one connection: a strategy is no flood */
	NOISE = 10,	 /* bytes of noise where there was nothing */
	SMALL_TTL = 20,	 /* so few hops were meant to end on the way */
	OPTION_WORD = 4, /* bytes of a corrupted option of unknown length */
	FRAGMENT_UNIT = 8,
	WINDOW = 1 << 17,
};

static uint32_t roll(struct actor *a)
{
	a->die ^= a->die << 13;
	a->die ^= a->die >> 17;
	a->die ^= a->die << 5;
	return a->die;
}

/* ---- triggers ---- */

static bool has_flags(const struct packet *k, const char *letters)
{
	uint8_t reserved = 0;
	uint8_t flags = strategy_flags(letters, &reserved);
	return k->tcp.flags == flags && (k->tcp.reserved & 1) == reserved;
}

static bool has_number(uint32_t is, const char *value)
{
	return is == (uint32_t)strtoul(value, NULL, 0);
}

static bool fits_tcp(const struct tree *t, const struct packet *k)
{
	struct packet copy = *k;
	size_t n;
	if (t->where.field == FIELD_FLAGS)
		return has_flags(k, t->value);
	if (t->where.field == FIELD_WINDOW)
		return has_number(k->tcp.window, t->value);
	if (t->where.field == FIELD_DATAOFS)
		return has_number((uint32_t)(5 + k->tcp.n_options / 4), t->value);
	if (t->where.field == FIELD_OPTION)
		return (packet_option(&copy, t->where.kind, &n) == NULL) == (*t->value == '\0');
	return false;
}

static bool fits(const struct tree *t, const struct packet *k)
{
	bool is_udp = t->where.proto == PROTO_UDP;
	if (is_udp != (k->proto == IPPROTO_UDP))
		return false;
	return strcmp(t->value, "*") == 0 || (!is_udp && fits_tcp(t, k));
}

/* ---- tamper ---- */

static uint32_t number_for(struct actor *a, const struct node *n, uint32_t was)
{
	if (n->how == HOW_CORRUPT)
		return roll(a);
	uint32_t value = (uint32_t)strtoll(n->value, NULL, 0);
	return n->how == HOW_ADD ? was + value : value;
}

static void set_flags(struct actor *a, const struct node *n, struct packet *k)
{
	uint8_t reserved = 0, flags = strategy_flags(n->value, &reserved);
	if (n->how == HOW_CORRUPT)
		k->tcp.flags = (uint8_t)roll(a);
	else if (n->value[0] == '+')
		k->tcp.flags |= flags;
	else if (n->value[0] == '-')
		k->tcp.flags &= (uint8_t)~flags;
	else
		k->tcp.flags = flags;
	k->tcp.reserved |= reserved;
}

static void set_sum(const struct node *n, struct packet *k)
{
	enum frame_sum sum = strcmp(n->value, "0") == 0 ? SUM_ZERO : SUM_BAD;
	k->tcp.sum = k->udp.sum = sum;
}

static void fill_noise(struct actor *a, struct packet *k)
{
	for (size_t i = 0; i < k->n; i++)
		k->load[i] = (uint8_t)('a' + roll(a) % 26);
}

/* The other message, from the place where the packet belongs; a whole one where that says nothing.
 */
static void fill_other(struct actor *a, struct packet *k)
{
	size_t at = k->at > 0 && (size_t)k->at < a->n_other ? (size_t)k->at : 0;
	size_t room = a->n_other - at, whole = a->texts->text[0].n;
	if (k->n == 0)
		k->n = whole;
	if (k->n > room)
		k->n = room;
	memcpy(k->load, a->other + at, k->n);
}

/* Bytes that say otherwise, in front; the segment begins that much earlier. */
static void put_before(struct actor *a, struct packet *k, size_t more)
{
	if (more > PACKET_LOAD_MAX - k->n)
		return;
	memmove(k->load + more, k->load, k->n);
	k->n += more;
	k->at -= (int32_t)more;
	k->tcp.seq -= (uint32_t)more;
	for (size_t i = 0; i < more; i++) {
		int64_t at = (int64_t)k->at + (int64_t)i;
		bool is_said = a->fake == FAKE_OTHER && at >= 0 && at < (int64_t)a->n_other;
		k->load[i] = is_said ? a->other[at] : (uint8_t)('a' + roll(a) % 26);
	}
}

static void put_behind(struct packet *k, size_t more)
{
	size_t room = PACKET_LOAD_MAX - k->n;
	more = more < room ? more : room;
	memset(k->load + k->n, 0, more);
	k->n += more;
}

/* A piece of a packet says what a piece of the other message's packet would. */
static void corrupt_piece(struct actor *a, struct packet *k)
{
	for (size_t i = 0; i < k->n; i++) {
		int64_t in_load = (int64_t)(k->piece.at + i) - (int64_t)k->n_header;
		int64_t at = k->at + in_load;
		bool is_said = a->fake == FAKE_OTHER && at >= 0 && at < (int64_t)a->n_other;
		if (in_load >= 0)
			k->load[i] = is_said ? a->other[at] : (uint8_t)('a' + roll(a) % 26);
	}
}

static void set_load(struct actor *a, const struct node *n, struct packet *k)
{
	if (n->how == HOW_CORRUPT && a->fake == FAKE_NOISE) {
		k->n = k->n ? k->n : NOISE;
		fill_noise(a, k);
	} else if (n->how == HOW_CORRUPT) {
		fill_other(a, k);
	} else if (n->how == HOW_ADD && n->value[0] == '-') {
		put_before(a, k, (size_t)strtoul(n->value + 1, NULL, 0));
	} else if (n->how == HOW_ADD) {
		put_behind(k, (size_t)strtoul(n->value, NULL, 0));
	} else {
		k->n = strlen(n->value);
		memcpy(k->load, n->value, k->n);
	}
}

static size_t option_length(uint8_t kind)
{
	static const uint8_t length[] = {
		[2] = 2, [3] = 1, [8] = 8, [14] = 3, [19] = 16, [28] = 2, [29] = 14};
	return kind < sizeof(length) ? length[kind] : OPTION_WORD;
}

static void put32(uint8_t *at, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		at[i] = (uint8_t)(v >> 8 * (3 - i));
}

static void set_option(struct actor *a, const struct node *n, struct packet *k)
{
	uint8_t data[16] = {0}, kind = n->where.kind;
	size_t length = option_length(kind), room;
	uint8_t *is = packet_option(k, kind, &room);
	if (n->how == HOW_ADD && kind == 8 && is) {
		uint32_t was = (uint32_t)is[2] << 24 | (uint32_t)is[3] << 16 |
			       (uint32_t)is[4] << 8 | is[5];
		put32(is + 2, number_for(a, n, was));
		return;
	}
	for (size_t i = 0; i < length && n->how == HOW_CORRUPT; i++)
		data[i] = (uint8_t)roll(a);
	if (n->how != HOW_CORRUPT && length > 0)
		data[length - 1] = (uint8_t)strtoul(n->value, NULL, 0);
	packet_set_option(k, kind, data, length);
}

static void add_raw_option(const struct node *n, struct packet *k)
{
	for (const char *at = n->value; at[0] && at[1]; at += 2) {
		const char pair[3] = {at[0], at[1], '\0'};
		if (k->tcp.n_options < FRAME_OPTIONS_MAX)
			k->tcp.options[k->tcp.n_options++] = (uint8_t)strtoul(pair, NULL, 16);
	}
}

static void set_ttl(struct actor *a, const struct node *n, struct packet *k)
{
	uint32_t ttl = number_for(a, n, 64);
	if (ttl > 0 && ttl <= SMALL_TTL && a->hops)
		ttl = a->hops;
	k->whim.ip.ttl = (uint8_t)ttl ? (uint8_t)ttl : 1;
}

static void set_total(struct actor *a, const struct node *n, struct packet *k)
{
	k->has_total = true;
	k->total = (uint16_t)number_for(a, n, 0);
}

static void tamper_ip(struct actor *a, const struct node *n, struct packet *k)
{
	switch (n->where.field) {
	case FIELD_TTL:
		set_ttl(a, n, k);
		break;
	case FIELD_LEN:
		set_total(a, n, k);
		break;
	case FIELD_TOS:
		k->whim.ip.tos = (uint8_t)number_for(a, n, 0);
		break;
	case FIELD_ID:
		k->whim.ip.id = number_for(a, n, 0);
		break;
	case FIELD_CHKSUM:
		k->whim.ip.bad_sum = true;
		break;
	case FIELD_FLAGS: /* of IPv4 */
		k->whim.ip.df = strchr(n->value, 'D') != NULL;
		k->whim.ip.reserved = strchr(n->value, 'E') != NULL;
		break;
	case FIELD_CHAIN:
		(void)snprintf(k->whim.ip.chain, sizeof(k->whim.ip.chain), "%.8s", n->value);
		break;
	case FIELD_LOAD:
		if (k->is_piece)
			corrupt_piece(a, k);
		break;
	case FIELD_SEQ:
	case FIELD_ACK:
	case FIELD_DATAOFS:
	case FIELD_RESERVED:
	case FIELD_WINDOW:
	case FIELD_URGPTR:
	case FIELD_OPTION:
	case FIELD_RAW_OPTION:
	case FIELD_SPORT:
	case FIELD_DPORT:
		break; /* not of this header */
	}
}

static void tamper_udp(struct actor *a, const struct node *n, struct packet *k)
{
	if (n->where.field == FIELD_CHKSUM)
		set_sum(n, k);
	else if (n->where.field == FIELD_LOAD)
		set_load(a, n, k);
	else if (n->where.field == FIELD_LEN)
		k->udp.length_off = (int)strtol(n->value, NULL, 0);
}

static void tamper_tcp(struct actor *a, const struct node *n, struct packet *k)
{
	struct frame_tcp *t = &k->tcp;
	switch (n->where.field) {
	case FIELD_SEQ:
		t->seq = number_for(a, n, t->seq);
		break;
	case FIELD_ACK:
		t->ack = number_for(a, n, t->ack);
		break;
	case FIELD_DATAOFS:
		/* 0 says 16 here: what is written is its lower half */
		t->doff = (int)(number_for(a, n, 5) & 15);
		t->doff = t->doff ? t->doff : 16;
		break;
	case FIELD_RESERVED:
		t->reserved = (uint8_t)(number_for(a, n, 0) & 15);
		break;
	case FIELD_FLAGS:
		set_flags(a, n, k);
		break;
	case FIELD_WINDOW:
		t->window = (uint16_t)number_for(a, n, t->window);
		break;
	case FIELD_CHKSUM:
		set_sum(n, k);
		break;
	case FIELD_URGPTR:
		t->urgent = (uint16_t)number_for(a, n, t->urgent);
		break;
	case FIELD_LOAD:
		set_load(a, n, k);
		break;
	case FIELD_OPTION:
		set_option(a, n, k);
		break;
	case FIELD_RAW_OPTION:
		add_raw_option(n, k);
		break;
	case FIELD_SPORT:
		t->src_port = (uint16_t)number_for(a, n, t->src_port);
		break;
	case FIELD_DPORT:
		t->dst_port = (uint16_t)number_for(a, n, t->dst_port);
		break;
	case FIELD_TTL:
	case FIELD_LEN:
	case FIELD_TOS:
	case FIELD_ID:
	case FIELD_CHAIN:
		break; /* not of this header */
	}
}

static void tamper(struct actor *a, const struct node *n, struct packet *k)
{
	if (n->where.proto == PROTO_IP || n->where.proto == PROTO_IP6)
		tamper_ip(a, n, k);
	else if (k->is_piece)
		return; /* has no such header */
	else if (n->where.proto == PROTO_UDP && k->proto == IPPROTO_UDP)
		tamper_udp(a, n, k);
	else if (n->where.proto == PROTO_TCP && k->proto == IPPROTO_TCP)
		tamper_tcp(a, n, k);
}

/* ---- fragment ---- */

/* "8", "-1" (the middle), "u2", "host+4", "end-1": counted from where the load begins. */
static long cut_of(const struct actor *a, const struct packet *k, const char *word)
{
	static const char host_head[] = " HTTP/1.1\r\nHost: ";
	const struct texts *t = a->texts;
	long base = (long)t->start + (long)(TEXT_UNITS * t->unit);
	char *more;
	if (word[0] == 'u')
		return (long)t->start + strtol(word + 1, NULL, 10) * (long)t->unit - k->at;
	if (strncmp(word, "host", 4) == 0)
		return base + (long)sizeof(host_head) - 1 + strtol(word + 4, NULL, 10) - k->at;
	if (strncmp(word, "end", 3) == 0)
		return (long)t->text[0].n + strtol(word + 3, NULL, 10) - k->at;
	long value = strtol(word, &more, 10);
	return value;
}

static void run(struct actor *a, int number, struct packet k);

/* Cuts a load; false where it cannot be cut. */
static bool segment(struct actor *a, const struct node *n, const struct packet *k,
		    struct packet half[2])
{
	long cut = cut_of(a, k, n->value);
	if (k->is_piece || k->proto != IPPROTO_TCP || k->n < 2)
		return false;
	if (cut <= 0 || cut > (long)k->n - 1)
		cut = (long)k->n / 2;
	size_t over = n->count < k->n - (size_t)cut ? n->count : k->n - (size_t)cut;
	half[0] = half[1] = *k;
	half[0].n = (size_t)cut + over;
	half[1].n = k->n - (size_t)cut;
	memcpy(half[1].load, k->load + cut, half[1].n);
	half[1].at += (int32_t)cut;
	half[1].tcp.seq += (uint32_t)cut;
	return true;
}

static bool fragment(struct actor *a, const struct node *n, const struct packet *k,
		     struct packet half[2])
{
	static uint8_t unit[PACKET_LOAD_MAX + 100];
	size_t whole = packet_unit(k, a->peer, unit);
	long units = strtol(n->value, NULL, 10);
	if (units <= 0 || (size_t)units * FRAGMENT_UNIT >= whole)
		units = (long)(whole / 2 / FRAGMENT_UNIT);
	size_t cut = (size_t)units * FRAGMENT_UNIT;
	if (cut == 0 || whole > PACKET_LOAD_MAX)
		return false;
	half[0] = half[1] = *k;
	half[0].is_piece = half[1].is_piece = true;
	if (!k->is_piece)
		half[0].n_header = half[1].n_header = whole - k->n;
	if (!k->is_piece)
		half[0].whim.ip.id = half[1].whim.ip.id = peer_new_fragment_id(a->peer);
	size_t base = k->is_piece ? k->piece.at : 0;
	half[0].piece = (struct frame_piece){.at = base, .more = true};
	half[1].piece =
		(struct frame_piece){.at = base + cut, .more = k->is_piece && k->piece.more};
	half[0].n = cut;
	half[1].n = whole - cut;
	memcpy(half[0].load, unit, cut);
	memcpy(half[1].load, unit + cut, whole - cut);
	return true;
}

static void split(struct actor *a, const struct node *n, const struct packet *k)
{
	struct packet half[2];
	bool is_cut = n->is_tcp ? segment(a, n, k, half) : fragment(a, n, k, half);
	if (!is_cut)
		half[0] = half[1] = *k;
	bool turned = is_cut && !n->in_order;
	run(a, n->left, half[turned]);
	run(a, n->right, half[!turned]);
}

/* ---- trees ---- */

/* What is far away no receiver takes. */
static void note_end(struct actor *a, const struct packet *k)
{
	int32_t end = (int32_t)(k->tcp.seq - a->peer->base) + (int32_t)k->n;
	if (!k->is_piece && k->proto == IPPROTO_TCP && end > a->furthest && end < WINDOW)
		a->furthest = end;
}

static void send_it(struct actor *a, const struct packet *k)
{
	note_end(a, k);
	if (a->n_sent++ < SENT_MAX)
		packet_send(k, a->peer);
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tree, which has at most STRATEGY_NODES */
static void run(struct actor *a, int number, struct packet k)
{
	if (number == STRATEGY_SEND) {
		send_it(a, &k);
		return;
	}
	const struct node *n = &a->strategy->node[number];
	switch (n->action) {
	case ACT_DUPLICATE:
		for (unsigned i = 0; i < n->count; i++)
			run(a, n->left, k);
		run(a, n->right, k);
		break;
	case ACT_TAMPER:
		tamper(a, n, &k);
		run(a, n->left, k);
		break;
	case ACT_FRAGMENT:
		split(a, n, &k);
		break;
	case ACT_DROP:
		break;
	case ACT_SLEEP:
		(void)usleep(n->count * 1000); /* a signal may shorten it */
		run(a, n->left, k);
		break;
	}
}

static const struct tree *next_tree(struct actor *a, const struct packet *k, bool is_inbound,
				    unsigned *from)
{
	for (unsigned i = *from; i < a->strategy->n_trees; i++) {
		const struct tree *t = &a->strategy->tree[i];
		if (t->is_inbound != is_inbound || !fits(t, k) || (t->gas && a->spent[i] >= t->gas))
			continue;
		a->spent[i]++;
		a->n_fired++;
		*from = i + 1;
		return t;
	}
	return NULL;
}

void act_out(struct actor *a, const struct packet *k)
{
	unsigned at = 0;
	const struct tree *t = next_tree(a, k, false, &at);
	if (!t)
		send_it(a, k);
	for (; t; t = next_tree(a, k, false, &at))
		run(a, t->root, *k);
}

/* Nothing branches on the way in. */
bool act_in(struct actor *a, struct packet *k)
{
	unsigned at = 0;
	const struct tree *t;
	while ((t = next_tree(a, k, true, &at)) != NULL)
		for (int i = t->root; i != STRATEGY_SEND; i = a->strategy->node[i].left) {
			if (a->strategy->node[i].action == ACT_DROP)
				return false;
			if (a->strategy->node[i].action == ACT_TAMPER)
				tamper(a, &a->strategy->node[i], k);
		}
	return true;
}
