/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "choices.h"

#include <stdio.h>

static const char *const roles[] = {"client", "server"};
static const char *const options[] = {"plain", "ts", "sack", "all"};
static const char *const wants[N_WANTS] = {"allowed", "forbidden", "later"};
static const char *const starts[] = {"cold", "warm"};
static const char *const fakes[] = {"other", "noise"};
static const char *const places[] = {"near", "far"};
static const char *const ports[] = {"watched", "requests"};

uint32_t choice_hash(const char *name, uint32_t seed)
{
	uint32_t hash = 2166136261u ^ seed;
	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * 16777619u;
	return hash ^ hash >> 15;
}

void choice_name(const struct shelf *s, const struct run *r, char out[CHOICE_NAME])
{
	const struct choice *c = &r->choice;
	const struct entry *e = &s->entry[r->entry];
	(void)snprintf(out, CHOICE_NAME, "%s/%s/%s/ip%u/%s/%s/%s/%s/%s/%s", e->of->name, e->name,
		       roles[c->role], c->version, options[c->options], wants[c->want],
		       starts[c->start], fakes[c->fake], places[c->far], ports[c->ports]);
}

static unsigned pick(size_t *i, unsigned n)
{
	unsigned which = (unsigned)(*i % n);
	*i /= n;
	return which;
}

enum { COMBINATIONS = 2 * 2 * 3 * N_WANTS * 2 * 2 * 2 * 2 };

static struct choice combination(size_t i)
{
	static const enum peer_options tried[] = {PEER_PLAIN, PEER_TS, PEER_ALL};
	struct choice c;
	c.want = (enum course_want)pick(&i, N_WANTS);
	c.role = (enum row_role)pick(&i, 2);
	c.version = pick(&i, 2) ? 6 : 4;
	c.options = tried[pick(&i, 3)];
	c.start = (enum row_start)pick(&i, 2);
	c.fake = (enum act_fake)pick(&i, 2);
	c.far = pick(&i, 2);
	c.ports = (enum row_ports)pick(&i, 2);
	return c;
}

static bool says_something(const struct strategy *s)
{
	return strategy_mentions(s, PROTO_TCP, FIELD_LOAD) ||
	       strategy_mentions(s, PROTO_UDP, FIELD_LOAD) ||
	       strategy_mentions(s, PROTO_IP, FIELD_LOAD);
}

static bool is_sensible_udp(const struct choice *c)
{
	return c->role == ROW_CLIENT && c->options == PEER_PLAIN && c->start == START_COLD &&
	       c->want != WANT_LATER && !c->far && c->ports == PORTS_WATCHED;
}

static bool is_sensible(const struct strategy *s, const struct choice *c)
{
	if (strategy_is_udp(s) && !is_sensible_udp(c))
		return false;
	if (strategy_is_ip6(s) && c->version != 6)
		return false;
	if (!strategy_suits(s, c->role == ROW_CLIENT))
		return false;
	if (c->fake == FAKE_NOISE && !says_something(s))
		return false;
	if (c->far && !strategy_mentions(s, PROTO_IP, FIELD_TTL))
		return false;
	return c->role == ROW_CLIENT || c->ports == PORTS_WATCHED;
}

static size_t expand_one(const struct shelf *s, size_t entry, uint32_t seed, struct run *out,
			 size_t room)
{
	static struct strategy strategy;
	size_t good[COMBINATIONS], n_good = 0, n = 0;
	const struct entry *e = &s->entry[entry];
	(void)strategy_parse(&strategy, e->text); /* was good when it was read */
	for (size_t i = 0; i < COMBINATIONS; i++) {
		struct choice c = combination(i);
		if (is_sensible(&strategy, &c))
			good[n_good++] = i;
	}
	size_t wanted = e->of->runs && e->of->runs < n_good ? e->of->runs : n_good;
	for (size_t k = 0; k < wanted && n < room; k++) {
		size_t which = (choice_hash(e->name, seed) + k * n_good / wanted) % n_good;
		out[n++] =
			(struct run){.entry = (uint32_t)entry, .choice = combination(good[which])};
	}
	return n;
}

size_t choices_expand(const struct shelf *s, uint32_t seed, struct run *out, size_t room)
{
	size_t n = 0;
	for (size_t i = 0; i < s->n && n < room; i++)
		n += expand_one(s, i, seed, out + n, room - n);
	return n;
}
