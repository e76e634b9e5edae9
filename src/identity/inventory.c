/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads inventory.h's file. Each kind of mapping has a table of keys; one walker checks keys and
 * calls the reader of the value. The first error ends the load: the set is filled only from a file
 * that is right as a whole.
 */
#include "identity/inventory.h"

#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <net/if.h>
#include <yaml.h>

enum {
	KEYS_MAX = 16,
	ITEMS_MAX =
		1 << 20, /* nodes read; an alias counts each time, so no file expands without end */
};

struct reading {
	const char *name;
	yaml_document_t *document;
	struct error *err;
	size_t n_read;
};

struct key {
	const char *name;
	int (*read)(struct reading *r, const yaml_node_t *node, void *target);
};

static int fail(struct reading *r, const yaml_node_t *node, const char *what, const char *detail)
{
	error_set(r->err, -EINVAL, "%s:%zu:%zu: %s%s", r->name, node->start_mark.line + 1,
		  node->start_mark.column + 1, what, detail);
	return -EINVAL;
}

static int node_at(struct reading *r, int index, const yaml_node_t **out)
{
	*out = yaml_document_get_node(r->document, index);
	if (++r->n_read > ITEMS_MAX)
		return fail(r, *out, "the file is too large, or its aliases expand too far", "");
	return 0;
}

static int text_of(struct reading *r, const yaml_node_t *node, const char **out)
{
	if (node->type != YAML_SCALAR_NODE)
		return fail(r, node, "a text is wanted here", "");
	*out = (const char *)node->data.scalar.value;
	if (node->data.scalar.length == 0)
		return fail(r, node, "an empty text", "");
	if (strlen(*out) != node->data.scalar.length)
		return fail(r, node, "a text holds a zero byte", "");
	return 0;
}

static const struct key *find_key(const struct key *keys, const char *name)
{
	while (keys->name && strcmp(keys->name, name) != 0)
		keys++;
	return keys->name ? keys : NULL;
}

static int read_pair(struct reading *r, const yaml_node_pair_t *pair, const struct key *keys,
		     uint32_t *seen, void *target)
{
	const yaml_node_t *key_node = NULL, *value = NULL;
	const char *name = "";
	int e = node_at(r, pair->key, &key_node);
	if (e == 0)
		e = node_at(r, pair->value, &value);
	if (e == 0)
		e = text_of(r, key_node, &name);
	if (e < 0)
		return e;
	const struct key *key = find_key(keys, name);
	if (!key)
		return fail(r, key_node, "unknown key ", name);
	uint32_t bit = 1u << (key - keys);
	if (*seen & bit)
		return fail(r, key_node, "key given twice: ", name);
	*seen |= bit;
	return key->read(r, value, target);
}

static int read_map(struct reading *r, const yaml_node_t *node, const struct key *keys,
		    void *target)
{
	if (node->type != YAML_MAPPING_NODE)
		return fail(r, node, "a mapping is wanted here", "");
	uint32_t seen = 0;
	int e = 0;
	for (const yaml_node_pair_t *p = node->data.mapping.pairs.start;
	     e == 0 && p < node->data.mapping.pairs.top; p++)
		e = read_pair(r, p, keys, &seen, target);
	return e;
}

static int read_list(struct reading *r, const yaml_node_t *node,
		     int (*read)(struct reading *r, const yaml_node_t *item, void *target),
		     void *target)
{
	if (node->type != YAML_SEQUENCE_NODE)
		return fail(r, node, "a list is wanted here", "");
	int e = 0;
	for (const yaml_node_item_t *i = node->data.sequence.items.start;
	     e == 0 && i < node->data.sequence.items.top; i++) {
		const yaml_node_t *item = NULL;
		e = node_at(r, *i, &item);
		if (e == 0)
			e = read(r, item, target);
	}
	return e;
}

static int read_text(struct reading *r, const yaml_node_t *node, char **out)
{
	const char *text = "";
	int e = text_of(r, node, &text);
	if (e < 0)
		return e;
	*out = strdup(text);
	return *out ? 0 : -ENOMEM;
}

static int read_address(struct reading *r, const yaml_node_t *node, struct ip_addr *out)
{
	const char *text = "";
	int e = text_of(r, node, &text);
	if (e == 0 && !ip_addr_parse(text, out))
		e = fail(r, node, "not an IP address: ", text);
	return e;
}

/* ---- endpoints: addresses and networks are collected first, since each address belongs to each
 * network ---- */

struct entry {
	struct identity_endpoint endpoint;
	struct identity_address address; /* the mac that all its addresses carry */
	struct ip_addr *ips;
	size_t n_ips;
	char **networks;
	size_t n_networks;
	const yaml_node_t *node;
};

static void entry_fini(struct entry *e)
{
	for (size_t i = 0; i < e->n_networks; i++)
		free(e->networks[i]);
	free(e->networks);
	free(e->ips);
	identity_endpoint_fini(&e->endpoint);
}

static int entry_ip(struct reading *r, const yaml_node_t *node, void *target)
{
	struct entry *e = target;
	struct ip_addr *more = reallocarray(e->ips, e->n_ips + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	e->ips = more;
	return read_address(r, node, &e->ips[e->n_ips++]);
}

static int entry_ips(struct reading *r, const yaml_node_t *node, void *target)
{
	return read_list(r, node, entry_ip, target);
}

static int entry_container(struct reading *r, const yaml_node_t *node, void *target)
{
	return read_text(r, node, &((struct entry *)target)->endpoint.container);
}

static int entry_project(struct reading *r, const yaml_node_t *node, void *target)
{
	return read_text(r, node, &((struct entry *)target)->endpoint.project);
}

static int entry_service(struct reading *r, const yaml_node_t *node, void *target)
{
	return read_text(r, node, &((struct entry *)target)->endpoint.service);
}

static int entry_image(struct reading *r, const yaml_node_t *node, void *target)
{
	return read_text(r, node, &((struct entry *)target)->endpoint.image);
}

static int entry_labels(struct reading *r, const yaml_node_t *node, void *target)
{
	struct entry *entry = target;
	if (node->type != YAML_MAPPING_NODE)
		return fail(r, node, "labels are a mapping", "");
	for (const yaml_node_pair_t *p = node->data.mapping.pairs.start;
	     p < node->data.mapping.pairs.top; p++) {
		const yaml_node_t *key = NULL, *value = NULL;
		const char *name = "";
		int e = node_at(r, p->key, &key);
		if (e == 0)
			e = node_at(r, p->value, &value);
		if (e == 0)
			e = text_of(r, key, &name);
		if (e < 0)
			return e;
		if (value->type != YAML_SCALAR_NODE)
			return fail(r, value, "a label's value is a text: ", name);
		if (identity_label_value(&entry->endpoint, name))
			return fail(r, key, "label given twice: ", name);
		e = identity_endpoint_add_label(&entry->endpoint, name,
						(const char *)value->data.scalar.value);
		if (e < 0)
			return e;
	}
	return 0;
}

static int entry_network(struct reading *r, const yaml_node_t *node, void *target)
{
	struct entry *e = target;
	char **more = reallocarray(e->networks, e->n_networks + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	e->networks = more;
	e->networks[e->n_networks] = NULL;
	return read_text(r, node, &e->networks[e->n_networks++]);
}

static int entry_networks(struct reading *r, const yaml_node_t *node, void *target)
{
	return read_list(r, node, entry_network, target);
}

static bool parse_mac(const char *text, uint8_t out[6])
{
	if (strlen(text) != 17)
		return false;
	for (size_t i = 0; i < 6; i++) {
		const char *at = text + 3 * i;
		char digits[3] = {at[0], at[1], '\0'};
		if (strspn(digits, "0123456789abcdefABCDEF") != 2 || at[2] != (i < 5 ? ':' : '\0'))
			return false;
		out[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return true;
}

static int entry_mac(struct reading *r, const yaml_node_t *node, void *target)
{
	struct entry *entry = target;
	const char *text = "";
	int e = text_of(r, node, &text);
	if (e == 0 && !parse_mac(text, entry->address.mac))
		e = fail(r, node, "not a link address (aa:bb:cc:dd:ee:ff): ", text);
	return e;
}

static int entry_port(struct reading *r, const yaml_node_t *node, void *target)
{
	char **name = &((struct entry *)target)->endpoint.port_name;
	int e = read_text(r, node, name);
	if (e == 0 && (strlen(*name) >= IFNAMSIZ || strpbrk(*name, "/: \t\n")))
		e = fail(r, node, "not the name of an interface: ", *name);
	return e;
}

static int add_ip(struct entry *entry, const struct ip_addr *ip)
{
	char none[] = "";
	struct identity_address address = entry->address;
	address.addr = *ip;
	address.network = none;
	int e = 0;
	if (entry->n_networks == 0)
		e = identity_endpoint_add_address(&entry->endpoint, &address);
	for (size_t i = 0; i < entry->n_networks && e == 0; i++) {
		address.network = entry->networks[i];
		e = identity_endpoint_add_address(&entry->endpoint, &address);
	}
	return e;
}

static int finish_entry(struct reading *r, struct entry *entry, struct identity_set *set)
{
	struct identity_endpoint *endpoint = &entry->endpoint;
	if (entry->n_ips == 0)
		return fail(r, entry->node, "an endpoint needs `ip` or `ips`", "");
	if (endpoint->service && !endpoint->project)
		return fail(r, entry->node, "`service` needs `project`", "");
	if (!endpoint->container) {
		char text[IP_ADDR_TEXT];
		endpoint->container = strdup(ip_addr_print(&entry->ips[0], text));
	}
	if (!endpoint->container)
		return -ENOMEM;
	for (size_t i = 0; i < set->n_endpoints; i++)
		if (strcmp(set->endpoints[i].container, endpoint->container) == 0)
			return fail(r, entry->node, "two endpoints are called ",
				    endpoint->container);
	endpoint->id = strdup(endpoint->container);
	int e = endpoint->id ? 0 : -ENOMEM;
	for (size_t i = 0; i < entry->n_ips && e == 0; i++)
		e = add_ip(entry, &entry->ips[i]);
	return e < 0 ? e : identity_put_endpoint(set, endpoint);
}

static int read_endpoint(struct reading *r, const yaml_node_t *node, void *target)
{
	static const struct key keys[] = {
		{"ip", entry_ip},
		{"ips", entry_ips},
		{"container", entry_container},
		{"project", entry_project},
		{"service", entry_service},
		{"image", entry_image},
		{"labels", entry_labels},
		{"networks", entry_networks},
		{"mac", entry_mac},
		{"port", entry_port},
		{NULL, NULL},
	};
	_Static_assert(sizeof(keys) / sizeof(keys[0]) <= KEYS_MAX, "one bit of `seen` per key");
	struct entry entry = {.node = node};
	int e = read_map(r, node, keys, &entry);
	if (e == 0)
		e = finish_entry(r, &entry, target);
	entry_fini(&entry);
	return e;
}

static int read_endpoints(struct reading *r, const yaml_node_t *node, void *target)
{
	return read_list(r, node, read_endpoint, target);
}

/* ---- networks ---- */

static int network_name(struct reading *r, const yaml_node_t *node, void *target)
{
	return read_text(r, node, &((struct identity_network *)target)->name);
}

static int network_bridge(struct reading *r, const yaml_node_t *node, void *target)
{
	return read_text(r, node, &((struct identity_network *)target)->bridge);
}

static int network_project(struct reading *r, const yaml_node_t *node, void *target)
{
	return read_text(r, node, &((struct identity_network *)target)->project);
}

static int network_subnet(struct reading *r, const yaml_node_t *node, void *target)
{
	struct identity_network *n = target;
	struct identity_prefix prefix;
	const char *text = "";
	int e = text_of(r, node, &text);
	if (e < 0)
		return e;
	if (!ip_prefix_parse(text, &prefix.addr, &prefix.length))
		return fail(r, node, "not a subnet (address/length, no host bits): ", text);
	struct identity_prefix *more = reallocarray(n->subnets, n->n_subnets + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	n->subnets = more;
	n->subnets[n->n_subnets++] = prefix;
	return 0;
}

static int network_subnets(struct reading *r, const yaml_node_t *node, void *target)
{
	return read_list(r, node, network_subnet, target);
}

static int network_gateway(struct reading *r, const yaml_node_t *node, void *target)
{
	struct identity_network *n = target;
	struct ip_addr *more = reallocarray(n->gateways, n->n_gateways + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	n->gateways = more;
	return read_address(r, node, &n->gateways[n->n_gateways++]);
}

static int network_gateways(struct reading *r, const yaml_node_t *node, void *target)
{
	return read_list(r, node, network_gateway, target);
}

static int finish_network(struct reading *r, const yaml_node_t *node,
			  struct identity_network *network, struct identity_set *set)
{
	if (!network->name)
		return fail(r, node, "a network needs a `name`", "");
	for (size_t i = 0; i < set->n_networks; i++)
		if (strcmp(set->networks[i].name, network->name) == 0)
			return fail(r, node, "two networks are called ", network->name);
	network->id = strdup(network->name);
	if (!network->bridge)
		network->bridge = strdup("");
	if (!network->id || !network->bridge)
		return -ENOMEM;
	return identity_put_network(set, network);
}

static int read_network(struct reading *r, const yaml_node_t *node, void *target)
{
	static const struct key keys[] = {
		{"name", network_name},	      {"bridge", network_bridge},
		{"subnets", network_subnets}, {"gateways", network_gateways},
		{"project", network_project}, {NULL, NULL},
	};
	struct identity_network network = {0};
	int e = read_map(r, node, keys, &network);
	if (e == 0)
		e = finish_network(r, node, &network, target);
	identity_network_fini(&network);
	return e;
}

static int read_networks(struct reading *r, const yaml_node_t *node, void *target)
{
	return read_list(r, node, read_network, target);
}

/* ---- the file ---- */

static int read_document(struct reading *r, struct identity_set *set)
{
	static const struct key keys[] = {
		{"endpoints", read_endpoints},
		{"networks", read_networks},
		{NULL, NULL},
	};
	const yaml_node_t *root = yaml_document_get_root_node(r->document);
	if (!root)
		return error_set(r->err, -EINVAL, "%s:1:1: the file is empty", r->name);
	return read_map(r, root, keys, set);
}

static bool is_at_end(yaml_parser_t *parser)
{
	yaml_document_t next;
	if (!yaml_parser_load(parser, &next))
		return false;
	bool empty = !yaml_document_get_root_node(&next);
	yaml_document_delete(&next);
	return empty;
}

static int parse(const char *name, const char *text, size_t n, struct identity_set *set,
		 struct error *err)
{
	yaml_parser_t parser;
	yaml_document_t document;
	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, n);
	int e;
	if (yaml_parser_load(&parser, &document)) {
		struct reading r = {.name = name, .document = &document, .err = err};
		e = read_document(&r, set);
		yaml_document_delete(&document);
		if (e == 0 && !is_at_end(&parser))
			e = error_set(err, -EINVAL, "%s: more than one YAML document", name);
	} else {
		e = error_set(err, -EINVAL, "%s:%zu:%zu: %s", name, parser.problem_mark.line + 1,
			      parser.problem_mark.column + 1,
			      parser.problem ? parser.problem : "not YAML");
	}
	yaml_parser_delete(&parser);
	return e;
}

/* Elements move one by one; only memory can fail here, since the file was checked as a whole. */
static int merge(struct identity_set *out, struct identity_set *more)
{
	for (size_t i = 0; i < more->n_endpoints; i++)
		if (identity_put_endpoint(out, &more->endpoints[i]) < 0)
			return -ENOMEM;
	for (size_t i = 0; i < more->n_networks; i++)
		if (identity_put_network(out, &more->networks[i]) < 0)
			return -ENOMEM;
	return 0;
}

int inventory_load_text(const char *name, const char *text, size_t n, struct identity_set *out,
			struct error *err)
{
	struct identity_set set = {0};
	int e = parse(name, text, n, &set, err);
	if (e == 0)
		e = merge(out, &set);
	if (e == -ENOMEM)
		error_set(err, e, "%s: out of memory", name);
	identity_set_fini(&set);
	return e;
}

static int read_all(FILE *f, char **text, size_t *n)
{
	char *all = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&all, &size);
	if (!to)
		return -ENOMEM;
	char block[4096];
	size_t got;
	while ((got = fread(block, 1, sizeof(block), f)) > 0)
		if (fwrite(block, 1, got, to) != got)
			break;
	bool failed = ferror(f) || ferror(to);
	if (fclose(to) != 0 || failed) {
		free(all);
		return -EIO;
	}
	*text = all;
	*n = size;
	return 0;
}

int inventory_load(const char *path, struct identity_set *out, struct error *err)
{
	FILE *f = fopen(path, "re");
	if (!f)
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	char *text = NULL;
	size_t n = 0;
	int e = read_all(f, &text, &n);
	(void)fclose(f); /* only read from */
	if (e < 0)
		return error_set(err, e, "%s: cannot be read", path);
	e = inventory_load_text(path, text, n, out, err);
	free(text);
	return e;
}
