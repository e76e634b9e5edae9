/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/bind.h"

#include "base/log.h"

#include <errno.h>
#include <stdlib.h>

/* ---- ports of endpoints ---- */

static const char *bridge_of(const struct identity_set *ids, const char *network)
{
	for (size_t i = 0; i < ids->n_networks; i++)
		if (strcmp(ids->networks[i].name, network) == 0)
			return ids->networks[i].bridge;
	return NULL;
}

static uint32_t find_port(const struct identity_set *ids, const struct links *links,
			  const char *network, int namespace)
{
	const char *name = bridge_of(ids, network);
	const struct link *bridge = name ? links_named(links, name) : NULL;
	const struct link *port = bridge ? links_port(links, bridge->ifindex, namespace) : NULL;
	return port ? (uint32_t)port->ifindex : 0;
}

/* Only a port of a bridge: a bridge's own name, or a card's, would bind what the host says. */
static uint32_t named_port(const struct links *links, const char *name)
{
	const struct link *link = links_named(links, name);
	return link && link->master != 0 ? (uint32_t)link->ifindex : 0;
}

static void resolve_endpoint(struct identity_set *ids, struct identity_endpoint *e,
			     const struct links *links, struct links_asker *asker)
{
	bool may_have = asker && e->pid != 0 && !e->is_host_network;
	int namespace = may_have ? links_namespace_of(asker, e->pid) : -1;
	uint32_t named = e->port_name ? named_port(links, e->port_name) : 0;
	for (size_t k = 0; k < e->n_addresses; k++)
		e->addresses[k].port =
			e->port_name ? named
				     : find_port(ids, links, e->addresses[k].network, namespace);
}

void bind_resolve(struct identity_set *ids, const struct links *links)
{
	struct links_asker *asker = links_asker_new();
	if (!asker)
		log_errno(errno, "ports: cannot ask for namespaces");
	for (size_t i = 0; i < ids->n_endpoints; i++)
		resolve_endpoint(ids, &ids->endpoints[i], links, asker);
	links_asker_free(asker);
}

/* ---- the plan ---- */

/* The index of the managed bridge; n_interfaces: none. */
static size_t managed_index(const struct bind_inputs *in, const struct link *bridge)
{
	size_t i = 0;
	while (i < in->firewall->n_interfaces &&
	       strcmp(in->firewall->interfaces[i], bridge->name) != 0)
		i++;
	return i;
}

static const struct link *master_of(const struct links *links, const struct link *link)
{
	for (size_t i = 0; i < links->n; i++)
		if (links->items[i].ifindex == link->master)
			return links->items[i].is_bridge ? &links->items[i] : NULL;
	return NULL;
}

/* Subnets of an interface stand before what is nested in them. */
static void add_bridges(const struct bind_inputs *in, struct bind *b)
{
	const struct firewall_plan *plan = in->firewall;
	size_t at = 0;
	for (size_t i = 0; i < plan->n_sources; i++)
		b->prefixes[i] = plan->sources[i].prefix;
	for (size_t i = 0; i < plan->n_interfaces; i++) {
		struct ports_bridge *bridge = &b->bridges[i];
		bridge->subnets = &b->prefixes[at];
		while (at < plan->n_sources && plan->sources[at].interface == i &&
		       !plan->sources[at].is_nested)
			at++;
		bridge->n_subnets = (size_t)(&b->prefixes[at] - bridge->subnets);
		bridge->nested = &b->prefixes[at];
		while (at < plan->n_sources && plan->sources[at].interface == i)
			at++;
		bridge->n_nested = (size_t)(&b->prefixes[at] - bridge->nested);
	}
	b->plan.bridges = b->bridges;
	b->plan.n_bridges = plan->n_interfaces;
}

static void add_links(const struct bind_inputs *in, struct bind *b)
{
	for (size_t i = 0; i < in->links->n; i++) {
		const struct link *link = &in->links->items[i];
		const struct link *bridge = link->is_bridge ? link
					    : link->master  ? master_of(in->links, link)
							    : NULL;
		size_t managed = bridge ? managed_index(in, bridge) : in->firewall->n_interfaces;
		bool is_managed = managed < in->firewall->n_interfaces;
		if (link->is_bridge && is_managed) {
			memcpy(b->macs[b->plan.n_host_macs++], link->mac, sizeof(link->mac));
		} else if (is_managed) {
			struct ports_port *port = &b->ports[b->plan.n_ports];
			memcpy(port->name, link->name, IFNAMSIZ);
			port->bridge = managed;
			b->ifindexes[b->plan.n_ports++] = link->ifindex;
		} else if (bridge && !link->is_bridge) {
			memcpy(b->others[b->plan.n_others++], link->name, IFNAMSIZ);
		}
	}
}

static int by_number(const void *a, const void *b)
{
	const int *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static void add_owner(struct bind *b, const struct identity_endpoint *e,
		      const struct identity_address *address, bool *is_bound)
{
	int wanted = (int)address->port;
	const int *at =
		bsearch(&wanted, b->ifindexes, b->plan.n_ports, sizeof(*b->ifindexes), by_number);
	if (wanted == 0 || !at) {
		if (e->port_name)
			b->nobodys[b->plan.n_host_addrs++] = address->addr;
		return;
	}
	struct ports_owner *owner = &b->owners[b->plan.n_owners++];
	owner->port = (size_t)(at - b->ifindexes);
	owner->addr = address->addr;
	memcpy(owner->mac, address->mac, sizeof(owner->mac));
	b->n_bound += !is_bound[owner->port];
	is_bound[owner->port] = true;
}

static void add_host_addresses(const struct bind_inputs *in, struct bind *b)
{
	for (size_t i = 0; i < in->host->n; i++)
		b->nobodys[b->plan.n_host_addrs++] = in->host->items[i];
}

static void add_owners(const struct bind_inputs *in, struct bind *b, bool *is_bound)
{
	for (size_t i = 0; i < in->ids->n_endpoints; i++) {
		const struct identity_endpoint *e = &in->ids->endpoints[i];
		for (size_t k = 0; k < e->n_addresses; k++)
			add_owner(b, e, &e->addresses[k], is_bound);
	}
}

static size_t count_addresses(const struct identity_set *ids)
{
	size_t n = 0;
	for (size_t i = 0; i < ids->n_endpoints; i++)
		n += ids->endpoints[i].n_addresses;
	return n;
}

static bool make_room(const struct bind_inputs *in, struct bind *b)
{
	size_t n_links = in->links->n + 1, n_addresses = count_addresses(in->ids);
	b->prefixes = calloc(in->firewall->n_sources + 1, sizeof(*b->prefixes));
	b->bridges = calloc(in->firewall->n_interfaces + 1, sizeof(*b->bridges));
	b->ports = calloc(n_links, sizeof(*b->ports));
	b->ifindexes = calloc(n_links, sizeof(*b->ifindexes));
	b->owners = calloc(n_addresses + 1, sizeof(*b->owners));
	b->nobodys = calloc(n_addresses + in->host->n + 1, sizeof(*b->nobodys));
	b->macs = calloc(n_links, sizeof(*b->macs));
	b->others = calloc(n_links, sizeof(*b->others));
	return b->prefixes && b->bridges && b->ports && b->ifindexes && b->owners && b->nobodys &&
	       b->macs && b->others;
}

int bind_make(const struct bind_inputs *in, struct bind *out)
{
	*out = (struct bind){0};
	bool *is_bound = calloc(in->links->n + 1, sizeof(*is_bound));
	if (!is_bound || !make_room(in, out)) {
		free(is_bound);
		bind_fini(out);
		return -ENOMEM;
	}
	add_bridges(in, out);
	add_links(in, out);
	add_host_addresses(in, out);
	add_owners(in, out, is_bound);
	free(is_bound);
	struct ports_plan *plan = &out->plan;
	plan->ports = out->ports;
	plan->owners = out->owners;
	plan->host_macs = (const uint8_t(*)[6])out->macs;
	plan->others = (const char(*)[IFNAMSIZ])out->others;
	plan->host_addrs = out->nobodys;
	return 0;
}

void bind_fini(struct bind *bind)
{
	free(bind->prefixes);
	free(bind->bridges);
	free(bind->ports);
	free(bind->ifindexes);
	free(bind->owners);
	free(bind->nobodys);
	free(bind->macs);
	free(bind->others);
	*bind = (struct bind){0};
}
