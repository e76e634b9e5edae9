/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets of endpoints and networks. Every element owns its strings; an element enters the set whole
 * or not at all, so a failed put leaves both the set and the element as they were.
 */
#include "bridgewarden/identity.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void identity_endpoint_fini(struct identity_endpoint *e)
{
	for (size_t i = 0; i < e->n_labels; i++) {
		free(e->labels[i].key);
		free(e->labels[i].value);
	}
	for (size_t i = 0; i < e->n_addresses; i++)
		free(e->addresses[i].network);
	free(e->labels);
	free(e->addresses);
	free(e->id);
	free(e->container);
	free(e->project);
	free(e->service);
	free(e->image);
	free(e->port_name);
	*e = (struct identity_endpoint){0};
}

void identity_network_fini(struct identity_network *n)
{
	free(n->id);
	free(n->name);
	free(n->bridge);
	free(n->project);
	free(n->subnets);
	free(n->gateways);
	*n = (struct identity_network){0};
}

void identity_set_fini(struct identity_set *set)
{
	for (size_t i = 0; i < set->n_endpoints; i++)
		identity_endpoint_fini(&set->endpoints[i]);
	for (size_t i = 0; i < set->n_networks; i++)
		identity_network_fini(&set->networks[i]);
	free(set->endpoints);
	free(set->networks);
	*set = (struct identity_set){0};
}

/* Room for one more element; the capacity is the next power of two of the count. */
static int grow(void **items, size_t n, size_t size)
{
	if (n != 0 && (n & (n - 1)) != 0)
		return 0;
	void *more = reallocarray(*items, n ? n * 2 : 1, size);
	if (!more)
		return -ENOMEM;
	*items = more;
	return 0;
}

static size_t find_endpoint(const struct identity_set *set, const char *id)
{
	size_t i = 0;
	while (i < set->n_endpoints && strcmp(set->endpoints[i].id, id) != 0)
		i++;
	return i;
}

static size_t find_network(const struct identity_set *set, const char *id)
{
	size_t i = 0;
	while (i < set->n_networks && strcmp(set->networks[i].id, id) != 0)
		i++;
	return i;
}

int identity_put_endpoint(struct identity_set *set, struct identity_endpoint *endpoint)
{
	size_t at = find_endpoint(set, endpoint->id);
	if (at < set->n_endpoints) {
		identity_endpoint_fini(&set->endpoints[at]);
	} else {
		void *items = set->endpoints;
		if (grow(&items, set->n_endpoints, sizeof(*endpoint)) < 0)
			return -ENOMEM;
		set->endpoints = items;
		set->n_endpoints++;
	}
	set->endpoints[at] = *endpoint;
	*endpoint = (struct identity_endpoint){0};
	return 0;
}

int identity_put_network(struct identity_set *set, struct identity_network *network)
{
	size_t at = find_network(set, network->id);
	if (at < set->n_networks) {
		identity_network_fini(&set->networks[at]);
	} else {
		void *items = set->networks;
		if (grow(&items, set->n_networks, sizeof(*network)) < 0)
			return -ENOMEM;
		set->networks = items;
		set->n_networks++;
	}
	set->networks[at] = *network;
	*network = (struct identity_network){0};
	return 0;
}

/* The last element takes the place of a removed one. That can leave more room than grow() assumes,
 * never less: it reallocates to twice the count whenever the count is a power of two. */
bool identity_remove_endpoint(struct identity_set *set, const char *id)
{
	size_t at = find_endpoint(set, id);
	if (at == set->n_endpoints)
		return false;
	identity_endpoint_fini(&set->endpoints[at]);
	set->endpoints[at] = set->endpoints[--set->n_endpoints];
	return true;
}

bool identity_remove_network(struct identity_set *set, const char *id)
{
	size_t at = find_network(set, id);
	if (at == set->n_networks)
		return false;
	identity_network_fini(&set->networks[at]);
	set->networks[at] = set->networks[--set->n_networks];
	return true;
}

int identity_endpoint_add_label(struct identity_endpoint *e, const char *key, const char *value)
{
	struct identity_label label = {.key = strdup(key), .value = strdup(value)};
	void *items = e->labels;
	if (!label.key || !label.value || grow(&items, e->n_labels, sizeof(label)) < 0) {
		free(label.key);
		free(label.value);
		return -ENOMEM;
	}
	e->labels = items;
	e->labels[e->n_labels++] = label;
	return 0;
}

int identity_endpoint_add_address(struct identity_endpoint *e,
				  const struct identity_address *address)
{
	struct identity_address copy = *address;
	copy.network = strdup(address->network ? address->network : "");
	void *items = e->addresses;
	if (!copy.network || grow(&items, e->n_addresses, sizeof(copy)) < 0) {
		free(copy.network);
		return -ENOMEM;
	}
	e->addresses = items;
	e->addresses[e->n_addresses++] = copy;
	return 0;
}

const char *identity_label_value(const struct identity_endpoint *e, const char *key)
{
	for (size_t i = 0; i < e->n_labels; i++)
		if (strcmp(e->labels[i].key, key) == 0)
			return e->labels[i].value;
	return NULL;
}
