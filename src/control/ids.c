/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/ids.h"

#include "base/text.h"
#include "output/jsontext.h"

#include <errno.h>
#include <stdlib.h>

static bool text_equal(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* False: no memory. NULL stays NULL. */
static bool text_copy(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return *to || !from;
}

static bool memory_copy(void **to, const void *from, size_t size)
{
	*to = size ? malloc(size) : NULL;
	if (*to)
		memcpy(*to, from, size);
	return *to || !size;
}

static int endpoint_copy(struct identity_endpoint *to, const struct identity_endpoint *from)
{
	int rc = 0;
	*to = (struct identity_endpoint){.is_host_network = from->is_host_network,
					 .pid = from->pid};
	if (!text_copy(&to->id, from->id) || !text_copy(&to->container, from->container) ||
	    !text_copy(&to->project, from->project) || !text_copy(&to->service, from->service) ||
	    !text_copy(&to->image, from->image) || !text_copy(&to->port_name, from->port_name))
		rc = -ENOMEM;
	for (size_t i = 0; i < from->n_labels && rc == 0; i++)
		rc = identity_endpoint_add_label(to, from->labels[i].key, from->labels[i].value);
	for (size_t i = 0; i < from->n_addresses && rc == 0; i++)
		rc = identity_endpoint_add_address(to, &from->addresses[i]);
	if (rc)
		identity_endpoint_fini(to);
	return rc;
}

static int network_copy(struct identity_network *to, const struct identity_network *from)
{
	void *subnets = NULL, *gateways = NULL;
	*to = (struct identity_network){.is_internal = from->is_internal};
	bool copied =
		text_copy(&to->id, from->id) && text_copy(&to->name, from->name) &&
		text_copy(&to->bridge, from->bridge) && text_copy(&to->project, from->project) &&
		memory_copy(&subnets, from->subnets, from->n_subnets * sizeof(*from->subnets)) &&
		memory_copy(&gateways, from->gateways, from->n_gateways * sizeof(*from->gateways));
	to->subnets = subnets;
	to->gateways = gateways;
	to->n_subnets = from->n_subnets;
	to->n_gateways = from->n_gateways;
	if (!copied)
		identity_network_fini(to);
	return copied ? 0 : -ENOMEM;
}

int ids_add(struct identity_set *to, const struct identity_set *from)
{
	int rc = 0;
	for (size_t i = 0; i < from->n_endpoints && rc == 0; i++) {
		struct identity_endpoint copy;
		rc = endpoint_copy(&copy, &from->endpoints[i]);
		if (rc == 0 && (rc = identity_put_endpoint(to, &copy)))
			identity_endpoint_fini(&copy);
	}
	for (size_t i = 0; i < from->n_networks && rc == 0; i++) {
		struct identity_network copy;
		rc = network_copy(&copy, &from->networks[i]);
		if (rc == 0 && (rc = identity_put_network(to, &copy)))
			identity_network_fini(&copy);
	}
	return rc;
}

static bool address_equal(const struct identity_address *a, const struct identity_address *b)
{
	return ip_addr_equal(&a->addr, &b->addr) && memcmp(a->mac, b->mac, sizeof(a->mac)) == 0 &&
	       text_equal(a->network, b->network);
}

static bool labels_equal(const struct identity_endpoint *a, const struct identity_endpoint *b)
{
	if (a->n_labels != b->n_labels)
		return false;
	for (size_t i = 0; i < a->n_labels; i++)
		if (!text_equal(a->labels[i].key, b->labels[i].key) ||
		    !text_equal(a->labels[i].value, b->labels[i].value))
			return false;
	return true;
}

static bool addresses_equal(const struct identity_endpoint *a, const struct identity_endpoint *b)
{
	if (a->n_addresses != b->n_addresses)
		return false;
	for (size_t i = 0; i < a->n_addresses; i++)
		if (!address_equal(&a->addresses[i], &b->addresses[i]))
			return false;
	return true;
}

/* What decides which selectors match, but for the network, which belongs to an address. */
static bool names_equal(const struct identity_endpoint *a, const struct identity_endpoint *b)
{
	return text_equal(a->container, b->container) && text_equal(a->project, b->project) &&
	       text_equal(a->service, b->service) && text_equal(a->image, b->image) &&
	       a->is_host_network == b->is_host_network && labels_equal(a, b);
}

static bool has_address(const struct identity_endpoint *e, const struct identity_address *address)
{
	for (size_t i = 0; i < e->n_addresses; i++)
		if (address_equal(&e->addresses[i], address))
			return true;
	return false;
}

/* An address that there was is gone or is somebody else now; further addresses disturb nothing. */
static bool is_disturbed(const struct identity_endpoint *old, const struct identity_endpoint *new)
{
	if (old->n_addresses > 0 && !names_equal(old, new))
		return true;
	for (size_t i = 0; i < old->n_addresses; i++)
		if (!has_address(new, &old->addresses[i]))
			return true;
	return false;
}

static bool prefixes_equal(const struct identity_network *a, const struct identity_network *b)
{
	if (a->n_subnets != b->n_subnets)
		return false;
	for (size_t i = 0; i < a->n_subnets; i++)
		if (!ip_addr_equal(&a->subnets[i].addr, &b->subnets[i].addr) ||
		    a->subnets[i].length != b->subnets[i].length)
			return false;
	return true;
}

static bool network_equal(const struct identity_network *a, const struct identity_network *b)
{
	return text_equal(a->name, b->name) && text_equal(a->bridge, b->bridge) &&
	       text_equal(a->project, b->project) && a->is_internal == b->is_internal &&
	       a->n_gateways == b->n_gateways && prefixes_equal(a, b) &&
	       (a->n_gateways == 0 ||
		memcmp(a->gateways, b->gateways, a->n_gateways * sizeof(*a->gateways)) == 0);
}

static int by_id(const void *a, const void *b)
{
	const struct identity_endpoint *const *left = a, *const *right = b;
	return strcmp((*left)->id, (*right)->id);
}

/* The endpoints in the order of their ids; NULL: none, or no memory. */
static const struct identity_endpoint **sorted(const struct identity_set *set)
{
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are what is sorted */
	const struct identity_endpoint **list = calloc(set->n_endpoints + 1, sizeof(*list));
	if (!list)
		return NULL;
	for (size_t i = 0; i < set->n_endpoints; i++)
		list[i] = &set->endpoints[i];
	/* NOLINTNEXTLINE(bugprone-sizeof-expression) */
	qsort(list, set->n_endpoints, sizeof(*list), by_id);
	return list; /* ends with NULL */
}

struct ids_listener {
	void (*changed)(void *ctx, enum ids_change change, const struct identity_endpoint *e);
	void *ctx;
};

/* Two sorted lists, walked together. True: something of the first is gone or differs in what flows
 * may rest on. */
static bool walk(const struct identity_endpoint **old, const struct identity_endpoint **new,
		 const struct ids_listener *tell)
{
	bool disturbed = false;
	while (*old || *new) {
		int order = !*old ? 1 : !*new ? -1 : strcmp((*old)->id, (*new)->id);
		if (order > 0) {
			tell->changed(tell->ctx, IDS_ADDED, *new);
		} else if (order < 0) {
			disturbed = disturbed || (*old)->n_addresses > 0;
			tell->changed(tell->ctx, IDS_REMOVED, *old);
		} else if (!names_equal(*old, *new) || !addresses_equal(*old, *new)) {
			disturbed = disturbed || is_disturbed(*old, *new);
			tell->changed(tell->ctx, IDS_CHANGED, *new);
		}
		old += order <= 0;
		new += order >= 0;
	}
	return disturbed;
}

/* Who had which address. */
struct ids_claim {
	struct ip_addr addr;
	const char *id;
};

static int by_addr(const void *a, const void *b)
{
	const struct ids_claim *left = a, *right = b;
	return memcmp(&left->addr, &right->addr, sizeof(left->addr));
}

static int by_claim(const void *a, const void *b)
{
	const struct ids_claim *left = a, *right = b;
	int order = by_addr(a, b);
	return order ? order : strcmp(left->id, right->id);
}

/* Sorted; NULL: no memory. */
static struct ids_claim *claims_of(const struct identity_set *set, size_t *n)
{
	size_t room = 1, at = 0;
	for (size_t i = 0; i < set->n_endpoints; i++)
		room += set->endpoints[i].n_addresses;
	struct ids_claim *claims = calloc(room, sizeof(*claims));
	for (size_t i = 0; claims && i < set->n_endpoints; i++)
		for (size_t k = 0; k < set->endpoints[i].n_addresses; k++)
			claims[at++] = (struct ids_claim){set->endpoints[i].addresses[k].addr,
							  set->endpoints[i].id};
	if (claims)
		qsort(claims, at, sizeof(*claims), by_claim);
	*n = at;
	return claims;
}

/* Does somebody claim an address that was another's? Then it is nobody's, or the newcomer's. */
static bool claims_disturbed(const struct identity_set *before, const struct identity_set *now)
{
	size_t n_old = 0, n_new = 0;
	struct ids_claim *old = claims_of(before, &n_old), *new = claims_of(now, &n_new);
	bool disturbed = !old || !new; /* no memory to tell: the safe answer */
	for (size_t i = 0; !disturbed && i < n_new; i++)
		disturbed = !bsearch(&new[i], old, n_old, sizeof(*old), by_claim) &&
			    bsearch(&new[i], old, n_old, sizeof(*old), by_addr);
	free(old);
	free(new);
	return disturbed;
}

static bool networks_disturbed(const struct identity_set *before, const struct identity_set *now)
{
	for (size_t i = 0; i < before->n_networks; i++) {
		const struct identity_network *old = &before->networks[i];
		size_t at = 0;
		while (at < now->n_networks && strcmp(now->networks[at].id, old->id) != 0)
			at++;
		if (at == now->n_networks || !network_equal(old, &now->networks[at]))
			return true;
	}
	return false;
}

bool ids_diff(const struct identity_set *before, const struct identity_set *now,
	      void (*changed)(void *ctx, enum ids_change change, const struct identity_endpoint *e),
	      void *ctx)
{
	struct ids_listener tell = {changed, ctx};
	const struct identity_endpoint **old = sorted(before), **new = sorted(now);
	bool disturbed = true; /* no memory to tell: the safe answer */
	if (old && new)
		disturbed = walk(old, new, &tell);
	free(old);
	free(new);
	return disturbed || claims_disturbed(before, now) || networks_disturbed(before, now);
}

const char *ids_change_name(enum ids_change change)
{
	switch (change) {
	case IDS_ADDED:
		return "added";
	case IDS_REMOVED:
		return "removed";
	case IDS_CHANGED:
		return "changed";
	}
	return "?";
}

static void put_text(json_t *object, const char *key, const char *text)
{
	if (text)
		(void)json_object_set_new(object, key,
					  json_text(bytes_str(text))); /* less is fine */
}

static json_t *address_json(const struct identity_address *address)
{
	char ip[IP_ADDR_TEXT], mac[18];
	static const uint8_t unknown[6];
	json_t *json = json_object();
	put_text(json, "ip", ip_addr_print(&address->addr, ip));
	put_text(json, "network", address->network);
	const uint8_t *m = address->mac;
	(void)snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3],
		       m[4], m[5]);
	if (memcmp(m, unknown, sizeof(unknown)) != 0)
		put_text(json, "mac", mac);
	return json;
}

json_t *ids_endpoint_json(const struct identity_endpoint *e)
{
	json_t *json = json_object(), *addresses = json_array();
	put_text(json, "id", e->id);
	put_text(json, "container", e->container);
	put_text(json, "project", e->project);
	put_text(json, "service", e->service);
	put_text(json, "image", e->image);
	for (size_t i = 0; i < e->n_addresses; i++)
		(void)json_array_append_new(addresses,
					    address_json(&e->addresses[i])); /* less is fine */
	(void)json_object_set_new(json, "addresses", addresses);
	return json;
}
