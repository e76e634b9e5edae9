/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "docker/tables.h"

#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const size_t entry_size = sizeof(struct table_container *);

/* ---- containers, sorted by id ---- */

static void container_free(struct table_container *tc)
{
	if (!tc)
		return;
	docker_container_fini(&tc->c);
	free(tc);
}

/* Where id is, or where it belongs. */
static size_t place_of(const struct tables *t, const char *id, bool *found)
{
	size_t low = 0, high = t->n_containers;
	*found = false;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = strcmp(t->containers[mid]->c.facts.id, id);
		if (order == 0) {
			*found = true;
			return mid;
		}
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct table_container *tables_find(const struct tables *t, const char *id)
{
	bool found;
	size_t at = place_of(t, id, &found);
	return found ? t->containers[at] : NULL;
}

/* Takes over tc when it succeeds. */
static int insert(struct tables *t, size_t at, struct table_container *tc)
{
	if (t->n_containers >= DOCKER_CONTAINERS_MAX)
		return -ENOMEM;
	void *more = reallocarray(t->containers, t->n_containers + 1, entry_size);
	if (!more)
		return -ENOMEM;
	t->containers = more;
	memmove(t->containers + at + 1, t->containers + at, (t->n_containers - at) * entry_size);
	t->containers[at] = tc;
	t->n_containers++;
	return 0;
}

static int find_or_make(struct tables *t, const char *id, struct table_container **out)
{
	bool found;
	size_t at = place_of(t, id, &found);
	if (found) {
		*out = t->containers[at];
		return 0;
	}
	struct table_container *tc = calloc(1, sizeof(*tc));
	if (!tc || !(tc->c.facts.id = strdup(id)) || insert(t, at, tc) < 0) {
		container_free(tc);
		return -ENOMEM;
	}
	*out = tc;
	return 0;
}

int tables_touch(struct tables *t, const char *id, uint64_t now)
{
	struct table_container *tc;
	int r = find_or_make(t, id, &tc);
	if (r == 0)
		tc->touched = now;
	return r;
}

void tables_remove(struct tables *t, const char *id)
{
	bool found;
	size_t at = place_of(t, id, &found);
	if (!found)
		return;
	container_free(t->containers[at]);
	t->n_containers--;
	memmove(t->containers + at, t->containers + at + 1, (t->n_containers - at) * entry_size);
}

void tables_died(struct tables *t, const char *id)
{
	struct table_container *tc = tables_find(t, id);
	if (tc)
		tc->c.facts.pid = 0;
	tables_disconnect(t, id, NULL);
}

/* ---- legs ---- */

static void remove_leg(struct docker_container *c, size_t i)
{
	docker_leg_fini(&c->legs[i]);
	c->n_legs--;
	memmove(c->legs + i, c->legs + i + 1, (c->n_legs - i) * sizeof(*c->legs));
}

void tables_disconnect(struct tables *t, const char *id, const char *network_id)
{
	struct table_container *tc = tables_find(t, id);
	for (size_t i = tc ? tc->c.n_legs : 0; i-- > 0;)
		if (!network_id || strcmp(tc->c.legs[i].network_id, network_id) == 0)
			remove_leg(&tc->c, i);
}

/* Takes over *leg. */
static int put_leg(struct docker_container *c, struct docker_leg *leg)
{
	size_t i = 0;
	while (i < c->n_legs && strcmp(c->legs[i].network_id, leg->network_id) != 0)
		i++;
	if (i == c->n_legs) {
		void *more = reallocarray(c->legs, c->n_legs + 1, sizeof(*c->legs));
		if (!more)
			return -ENOMEM;
		c->legs = more;
		c->legs[c->n_legs++] = (struct docker_leg){0};
	}
	docker_leg_fini(&c->legs[i]);
	c->legs[i] = *leg;
	*leg = (struct docker_leg){0};
	return 0;
}

static void stamp(struct docker_container *c, uint64_t asked)
{
	for (size_t i = 0; i < c->n_legs; i++)
		c->legs[i].since = asked;
}

/* One address of one leg, for finding the addresses that two containers claim. */
struct claim {
	struct docker_leg *leg;
	size_t family;
};

static int by_address_then_age(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int order =
		memcmp(&x->leg->addr[x->family], &y->leg->addr[y->family], sizeof(struct ip_addr));
	if (order != 0)
		return order;
	return (x->leg->since > y->leg->since) - (x->leg->since < y->leg->since);
}

static size_t collect_claims(struct tables *t, struct claim *claims)
{
	size_t n = 0;
	for (size_t i = 0; i < t->n_containers; i++) {
		struct docker_container *c = &t->containers[i]->c;
		for (size_t k = 0; k < 2 * c->n_legs; k++)
			if (c->legs[k / 2].has[k % 2])
				claims[n++] =
					(struct claim){.leg = &c->legs[k / 2], .family = k % 2};
	}
	return n;
}

/* Of those who claim one address the last learned keeps it. The others lose it for good: were it
 * only hidden, it would come back to them with the end of its new owner. */
static int settle(struct tables *t)
{
	size_t n = 0;
	for (size_t i = 0; i < t->n_containers; i++)
		n += 2 * t->containers[i]->c.n_legs;
	struct claim *claims = calloc(n ? n : 1, sizeof(*claims));
	if (!claims)
		return -ENOMEM;
	n = collect_claims(t, claims);
	qsort(claims, n, sizeof(*claims), by_address_then_age);
	for (size_t i = 0; i + 1 < n; i++) {
		struct claim *a = &claims[i], *b = &claims[i + 1];
		if (ip_addr_equal(&a->leg->addr[a->family], &b->leg->addr[b->family]))
			a->leg->has[a->family] = false;
	}
	free(claims);
	return 0;
}

/* ---- whole lists ---- */

static int by_container_id(const void *a, const void *b)
{
	const struct table_container *const *x = a, *const *y = b;
	return strcmp((*x)->c.facts.id, (*y)->c.facts.id);
}

static int take_containers(struct tables *t, struct docker_container *containers, size_t n,
			   uint64_t asked)
{
	t->containers = calloc(n ? n : 1, entry_size);
	if (!t->containers)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct table_container *tc = calloc(1, sizeof(*tc));
		if (!tc)
			return -ENOMEM;
		tc->c = containers[i];
		tc->has_facts = true;
		stamp(&tc->c, asked);
		containers[i] = (struct docker_container){0};
		t->containers[t->n_containers++] = tc;
	}
	return 0;
}

/* A list that names one container twice: the later entry counts. */
static void drop_doubles(struct tables *t)
{
	size_t kept = 0;
	for (size_t i = 0; i < t->n_containers; i++) {
		if (kept > 0 && by_container_id(&t->containers[kept - 1], &t->containers[i]) == 0)
			container_free(t->containers[--kept]);
		t->containers[kept++] = t->containers[i];
	}
	t->n_containers = kept;
}

int tables_load_containers(struct tables *t, struct docker_container *containers, size_t n,
			   uint64_t asked)
{
	int r = take_containers(t, containers, n, asked);
	docker_containers_free(containers, n);
	if (r < 0)
		return r;
	qsort(t->containers, t->n_containers, entry_size, by_container_id);
	drop_doubles(t);
	return settle(t);
}

int tables_load_networks(struct tables *t, struct docker_network *networks, size_t n)
{
	int r = 0;
	for (size_t i = 0; i < n && r == 0; i++)
		r = tables_put_network(t, &networks[i], 0);
	docker_networks_free(networks, n);
	return r;
}

void tables_keep_pids(struct tables *t, const struct tables *from)
{
	for (size_t i = 0; i < t->n_containers; i++) {
		struct identity_endpoint *facts = &t->containers[i]->c.facts;
		const struct table_container *old = tables_find(from, facts->id);
		if (old && facts->pid == 0)
			facts->pid = old->c.facts.pid;
	}
}

/* ---- answers to single questions ---- */

static int place_for_answer(struct tables *t, const char *id, uint64_t asked,
			    struct table_container **out)
{
	int r = find_or_make(t, id, out);
	if (r == 0 && (*out)->touched > asked)
		*out = NULL; /* something happened since: another question is on its way */
	return r;
}

int tables_put_container(struct tables *t, struct docker_container *c, uint64_t asked)
{
	struct table_container *tc;
	int r = place_for_answer(t, c->facts.id, asked, &tc);
	if (r == 0 && tc) {
		stamp(c, asked);
		docker_container_fini(&tc->c);
		tc->c = *c;
		tc->has_facts = true;
		*c = (struct docker_container){0};
		r = settle(t);
	}
	docker_container_fini(c);
	return r;
}

int tables_put_facts(struct tables *t, struct docker_container *c, uint64_t asked)
{
	struct table_container *tc;
	int r = find_or_make(t, c->facts.id, &tc);
	/* A name that may be out of date is better than none: with none its addresses are nobody's.
	 */
	if (r == 0 && (tc->touched <= asked || !tc->has_facts)) {
		struct identity_endpoint old = tc->c.facts;
		tc->c.facts = c->facts;
		tc->c.facts.pid = old.pid; /* the list does not say it */
		tc->c.is_image_id = c->is_image_id;
		tc->has_facts = true;
		c->facts = old;
	}
	docker_container_fini(c);
	return r;
}

static size_t network_place(const struct tables *t, const char *id)
{
	size_t i = 0;
	while (i < t->n_networks && strcmp(t->networks[i].facts.id, id) != 0)
		i++;
	return i;
}

bool tables_has_network(const struct tables *t, const char *id)
{
	return network_place(t, id) < t->n_networks;
}

void tables_remove_network(struct tables *t, const char *id)
{
	size_t i = network_place(t, id);
	if (i == t->n_networks)
		return;
	docker_network_fini(&t->networks[i]);
	t->n_networks--;
	memmove(t->networks + i, t->networks + i + 1, (t->n_networks - i) * sizeof(*t->networks));
}

static int put_member(struct tables *t, struct docker_member *m, uint64_t asked)
{
	struct table_container *tc;
	if (!m->leg.has[0] && !m->leg.has[1])
		return 0;
	int r = place_for_answer(t, m->container, asked, &tc);
	if (r < 0 || !tc)
		return r;
	m->leg.since = asked;
	return put_leg(&tc->c, &m->leg);
}

static int take_network(struct tables *t, struct docker_network *network)
{
	size_t i = network_place(t, network->facts.id);
	if (i == t->n_networks) {
		void *more = i < DOCKER_NETWORKS_MAX
				     ? reallocarray(t->networks, i + 1, sizeof(*t->networks))
				     : NULL;
		if (!more)
			return -ENOMEM;
		t->networks = more;
		t->networks[t->n_networks++] = (struct docker_network){0};
	}
	docker_network_fini(&t->networks[i]);
	t->networks[i] = *network;
	*network = (struct docker_network){0};
	return 0;
}

int tables_put_network(struct tables *t, struct docker_network *network, uint64_t asked)
{
	struct docker_member *members = network->members;
	size_t n = network->n_members;
	network->members = NULL;
	network->n_members = 0;
	int r = take_network(t, network);
	for (size_t i = 0; i < n; i++) {
		if (r == 0)
			r = put_member(t, &members[i], asked);
		docker_leg_fini(&members[i].leg);
	}
	free(members);
	docker_network_fini(network);
	return r < 0 || n == 0 ? r : settle(t);
}

void tables_fini(struct tables *t)
{
	for (size_t i = 0; i < t->n_containers; i++)
		container_free(t->containers[i]);
	free(t->containers);
	docker_networks_free(t->networks, t->n_networks);
	*t = (struct tables){0};
}

/* ---- the set ---- */

static const struct docker_network *bridge_of(const struct tables *t, const struct docker_leg *leg)
{
	size_t i = network_place(t, leg->network_id);
	return i < t->n_networks && t->networks[i].is_bridge ? &t->networks[i] : NULL;
}

static void set_addresses(const struct tables *t, const struct docker_container *c,
			  struct identity_endpoint *e)
{
	e->n_addresses = 0;
	for (size_t i = 0; i < 2 * c->n_legs; i++) {
		const struct docker_leg *leg = &c->legs[i / 2];
		const struct docker_network *network = leg->has[i % 2] ? bridge_of(t, leg) : NULL;
		if (!network)
			continue;
		struct identity_address *a = &e->addresses[e->n_addresses++];
		a->addr = leg->addr[i % 2];
		memcpy(a->mac, leg->mac, sizeof(a->mac));
		a->network = network->facts.name;
	}
}

static int set_endpoints(const struct tables *t, struct identity_set *out)
{
	out->endpoints = calloc(t->n_containers + 1, sizeof(*out->endpoints));
	for (size_t i = 0; out->endpoints && i < t->n_containers; i++) {
		const struct table_container *tc = t->containers[i];
		if (!tc->has_facts)
			continue;
		struct identity_endpoint *e = &out->endpoints[out->n_endpoints];
		*e = tc->c.facts;
		e->addresses = calloc(2 * tc->c.n_legs + 1, sizeof(*e->addresses));
		if (!e->addresses)
			return -ENOMEM;
		out->n_endpoints++;
		set_addresses(t, &tc->c, e);
	}
	return out->endpoints ? 0 : -ENOMEM;
}

static int set_networks(const struct tables *t, struct identity_set *out)
{
	out->networks = calloc(t->n_networks + 1, sizeof(*out->networks));
	for (size_t i = 0; out->networks && i < t->n_networks; i++)
		if (t->networks[i].is_bridge)
			out->networks[out->n_networks++] = t->networks[i].facts;
	return out->networks ? 0 : -ENOMEM;
}

int tables_set(const struct tables *t, struct identity_set *out)
{
	*out = (struct identity_set){0};
	int r = set_endpoints(t, out);
	if (r == 0)
		r = set_networks(t, out);
	if (r < 0)
		tables_set_fini(out);
	return r;
}

void tables_set_fini(struct identity_set *set)
{
	for (size_t i = 0; i < set->n_endpoints; i++)
		free(set->endpoints[i].addresses);
	free(set->endpoints);
	free(set->networks);
	*set = (struct identity_set){0};
}

/* Lengths first, so that no text can be taken for another. */
static void print_text(FILE *to, const char *text)
{
	if (text)
		(void)fprintf(to, "%zu:%s,", strlen(text),
			      text); /* a memory stream: checked at its end */
	else
		(void)fputs("-,", to);
}

static void print_endpoint(FILE *to, const struct identity_endpoint *e)
{
	const char *const texts[] = {e->id, e->container, e->project, e->service, e->image};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		print_text(to, texts[i]);
	for (size_t i = 0; i < e->n_labels; i++) {
		print_text(to, e->labels[i].key);
		print_text(to, e->labels[i].value);
	}
	for (size_t i = 0; i < e->n_addresses; i++) {
		char addr[IP_ADDR_TEXT];
		const uint8_t *m = e->addresses[i].mac;
		(void)fprintf(to, "%s %02x%02x%02x%02x%02x%02x ",
			      ip_addr_print(&e->addresses[i].addr, addr), m[0], m[1], m[2], m[3],
			      m[4], m[5]);
		print_text(to, e->addresses[i].network);
	}
	(void)fprintf(to, "%d %u\n", e->is_host_network, e->pid);
}

static void print_network(FILE *to, const struct identity_network *n)
{
	const char *const texts[] = {n->id, n->name, n->bridge, n->project};
	char addr[IP_ADDR_TEXT];
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		print_text(to, texts[i]);
	for (size_t i = 0; i < n->n_subnets; i++)
		(void)fprintf(to, "%s/%u ", ip_addr_print(&n->subnets[i].addr, addr),
			      n->subnets[i].length);
	for (size_t i = 0; i < n->n_gateways; i++)
		(void)fprintf(to, "%s ", ip_addr_print(&n->gateways[i], addr));
	(void)fprintf(to, "%d\n", n->is_internal);
}

int tables_set_print(const struct identity_set *set, char **text, size_t *n)
{
	FILE *to = open_memstream(text, n);
	if (!to)
		return -ENOMEM;
	for (size_t i = 0; i < set->n_endpoints; i++)
		print_endpoint(to, &set->endpoints[i]);
	for (size_t i = 0; i < set->n_networks; i++)
		print_network(to, &set->networks[i]);
	bool is_bad = ferror(to) != 0;
	if (fclose(to) == 0 && !is_bad)
		return 0;
	free(*text);
	*text = NULL;
	return -ENOMEM;
}
