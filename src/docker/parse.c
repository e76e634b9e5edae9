/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One walk per reply. `struct walk` remembers the first failure, as struct reader does for bytes:
 * after it every lookup yields nothing, so the code below describes the shape and asks once at the
 * end.
 *
 * null and absent are the same. A field of another type than the API's is a failure, also where it
 * is optional.
 */
#include "docker/parse.h"

#include "base/text.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define LABEL_PROJECT  "com.docker.compose.project"
#define LABEL_SERVICE  "com.docker.compose.service"
#define OPTION_BRIDGE  "com.docker.network.bridge.name"
#define OPTION_DEFAULT "com.docker.network.bridge.default_bridge"

enum {
	LEGS_MAX = 1024, /* networks of one container */
	LABELS_MAX = 4096,
	SUBNETS_MAX = 64,
	BRIDGE_NAME_MAX = 15, /* IFNAMSIZ - 1 */
};

struct walk {
	enum parse_status status;
};

static void fail(struct walk *w, enum parse_status status)
{
	if (w->status == PARSE_OK)
		w->status = status;
}

static json_t *field(struct walk *w, const json_t *object, const char *key, json_type type)
{
	json_t *value = w->status == PARSE_OK ? json_object_get(object, key) : NULL;
	if (!value || json_is_null(value))
		return NULL;
	if (json_typeof(value) != type) {
		fail(w, PARSE_SHAPE);
		return NULL;
	}
	return value;
}

static json_t *object_at(struct walk *w, const json_t *object, const char *key)
{
	return field(w, object, key, JSON_OBJECT);
}

/* "" when absent. */
static const char *text_at(struct walk *w, const json_t *object, const char *key)
{
	json_t *value = field(w, object, key, JSON_STRING);
	return value ? json_string_value(value) : "";
}

static bool true_at(struct walk *w, const json_t *object, const char *key)
{
	json_t *value = w->status == PARSE_OK ? json_object_get(object, key) : NULL;
	if (value && !json_is_null(value) && !json_is_boolean(value))
		fail(w, PARSE_SHAPE);
	return json_is_true(value);
}

static char *copy(struct walk *w, const char *text)
{
	char *out = w->status == PARSE_OK ? strdup(text) : NULL;
	if (!out)
		fail(w, PARSE_NO_MEMORY);
	return out;
}

static char *copy_or_null(struct walk *w, const char *text)
{
	return text && *text ? copy(w, text) : NULL;
}

/* Zeroed room for n things; never NULL while the walk is well. */
static void *room(struct walk *w, size_t n, size_t size, size_t most)
{
	if (n > most)
		fail(w, PARSE_TOO_MANY);
	void *out = w->status == PARSE_OK ? calloc(n ? n : 1, size) : NULL;
	if (!out)
		fail(w, PARSE_NO_MEMORY);
	return out;
}

static bool is_id(const char *text)
{
	return strspn(text, "0123456789abcdef") == DOCKER_ID_LEN && text[DOCKER_ID_LEN] == '\0';
}

/* Ids go into the paths of our requests: nothing but 64 hex digits will do. "" stays "". */
static void copy_id(struct walk *w, char out[DOCKER_ID_SIZE], const char *text)
{
	if (w->status == PARSE_OK && is_id(text))
		memcpy(out, text, DOCKER_ID_SIZE);
	else if (*text)
		fail(w, PARSE_SHAPE);
}

/* An address, or a prefix of which only the address counts. Something else is a failure. */
static bool read_addr(struct walk *w, const char *text, struct ip_addr *out)
{
	char host[IP_ADDR_TEXT];
	size_t n = strcspn(text, "/");
	if (n == 0)
		return false;
	if (n < sizeof(host)) {
		memcpy(host, text, n);
		host[n] = '\0';
		if (ip_addr_parse(host, out))
			return true;
	}
	fail(w, PARSE_SHAPE);
	return false;
}

/* -1: no hexadecimal digit */
static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef";
	const char *at = c ? strchr(digits, byte_lower((uint8_t)c)) : NULL;
	return at ? (int)(at - digits) : -1;
}

/* "02:42:c6:12:46:02" */
static void read_mac(struct walk *w, const char *text, uint8_t mac[6])
{
	if (!*text)
		return;
	if (strlen(text) != 17) {
		fail(w, PARSE_SHAPE);
		return;
	}
	for (size_t i = 0; i < 6; i++) {
		int high = hex_digit(text[3 * i]), low = hex_digit(text[3 * i + 1]);
		if (high < 0 || low < 0 || (i < 5 && text[3 * i + 2] != ':'))
			fail(w, PARSE_SHAPE);
		mac[i] = (uint8_t)((unsigned)high << 4 | (unsigned)low);
	}
}

/* ---- containers ---- */

static void read_labels(struct walk *w, const json_t *labels, struct identity_endpoint *e)
{
	size_t n = json_object_size(labels);
	e->labels = room(w, n, sizeof(*e->labels), LABELS_MAX);
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)labels, key, value)
	{
		if (w->status != PARSE_OK || !json_is_string(value)) {
			fail(w, PARSE_SHAPE);
			return;
		}
		struct identity_label *label = &e->labels[e->n_labels++];
		label->key = copy(w, key);
		label->value = copy(w, json_string_value(value));
	}
}

/* The literals of the compose specification; other labels are the user's. */
static void read_compose(struct walk *w, const json_t *labels, struct identity_endpoint *e)
{
	e->project = copy_or_null(w, text_at(w, labels, LABEL_PROJECT));
	e->service = copy_or_null(w, text_at(w, labels, LABEL_SERVICE));
}

static void read_leg(struct walk *w, const char *network, const json_t *settings,
		     struct docker_leg *leg)
{
	*leg = (struct docker_leg){0}; /* the place may have been used by one without an address */
	leg->has[0] = read_addr(w, text_at(w, settings, "IPAddress"), &leg->addr[0]);
	leg->has[1] = read_addr(w, text_at(w, settings, "GlobalIPv6Address"), &leg->addr[1]);
	read_mac(w, text_at(w, settings, "MacAddress"), leg->mac);
	copy_id(w, leg->network_id, text_at(w, settings, "NetworkID"));
	if (leg->has[0] || leg->has[1])
		leg->network = copy(w, network);
}

static void read_legs(struct walk *w, const json_t *networks, struct docker_container *c)
{
	c->legs = room(w, json_object_size(networks), sizeof(*c->legs), LEGS_MAX);
	const char *name;
	json_t *settings;
	json_object_foreach((json_t *)(uintptr_t)networks, name, settings)
	{
		if (json_is_null(settings)) /* a container that was only created */
			continue;
		if (w->status != PARSE_OK || !json_is_object(settings)) {
			fail(w, PARSE_SHAPE);
			return;
		}
		struct docker_leg *leg = &c->legs[c->n_legs];
		read_leg(w, name, settings, leg);
		if (leg->network)
			c->n_legs++;
	}
}

/* States in which the engine keeps the addresses for the container. "created" counts: it is what a
 * container is called while its network is being set up. A stopped one may show old addresses for a
 * moment. */
static bool may_have_addresses(const char *status)
{
	return strcmp(status, "exited") != 0 && strcmp(status, "dead") != 0 &&
	       strcmp(status, "removing") != 0;
}

static bool has_host_mode(struct walk *w, const json_t *container)
{
	return strcmp(text_at(w, object_at(w, container, "HostConfig"), "NetworkMode"), "host") ==
	       0;
}

static void read_id(struct walk *w, const json_t *object, char **out)
{
	const char *id = text_at(w, object, "Id");
	if (!is_id(id))
		fail(w, PARSE_SHAPE);
	*out = copy(w, id);
}

static void read_common(struct walk *w, const json_t *container, const json_t *labels,
			const char *status, struct docker_container *c)
{
	read_id(w, container, &c->facts.id);
	read_labels(w, labels, &c->facts);
	read_compose(w, labels, &c->facts);
	c->facts.is_host_network = has_host_mode(w, container);
	if (may_have_addresses(status))
		read_legs(w, object_at(w, object_at(w, container, "NetworkSettings"), "Networks"),
			  c);
}

/* "/blog-db-1"; "/web/db" is a link's alias for it. */
static const char *own_name(struct walk *w, const json_t *names)
{
	size_t i;
	json_t *name;
	json_array_foreach(names, i, name)
	{
		const char *text = json_string_value(name);
		if (!text)
			fail(w, PARSE_SHAPE);
		else if (text[0] == '/' && !strchr(text + 1, '/'))
			return text + 1;
	}
	return "";
}

/* The list names an image by its id once the tag means another one. */
static bool is_image_id(const char *image)
{
	size_t hex = strspn(image, "0123456789abcdef");
	return strncmp(image, "sha256:", 7) == 0 || (image[hex] == '\0' && hex >= 12);
}

static void read_listed(struct walk *w, const json_t *item, struct docker_container *c)
{
	if (!json_is_object(item))
		fail(w, PARSE_SHAPE);
	const char *image = text_at(w, item, "Image");
	c->facts.container = copy(w, own_name(w, field(w, item, "Names", JSON_ARRAY)));
	c->facts.image = copy_or_null(w, image);
	c->is_image_id = is_image_id(image);
	read_common(w, item, object_at(w, item, "Labels"), text_at(w, item, "State"), c);
}

/* The kernel's largest is 2^22. 0 while it does not run. */
static uint32_t read_pid(struct walk *w, const json_t *state)
{
	const json_t *pid = field(w, state, "Pid", JSON_INTEGER);
	json_int_t value = pid ? json_integer_value(pid) : 0;
	if (value < 0 || value > INT32_MAX)
		fail(w, PARSE_SHAPE);
	return w->status == PARSE_OK ? (uint32_t)value : 0;
}

static void read_inspected(struct walk *w, const json_t *root, struct docker_container *c)
{
	if (!json_is_object(root))
		fail(w, PARSE_SHAPE);
	const json_t *config = object_at(w, root, "Config");
	const json_t *state = object_at(w, root, "State");
	const char *name = text_at(w, root, "Name");
	c->facts.pid = read_pid(w, state);
	c->facts.container = copy(w, name[0] == '/' ? name + 1 : name);
	c->facts.image = copy_or_null(w, text_at(w, config, "Image"));
	read_common(w, root, object_at(w, config, "Labels"), text_at(w, state, "Status"), c);
}

/* ---- networks ---- */

static void read_members(struct walk *w, const json_t *containers, struct docker_network *network)
{
	network->members = room(w, json_object_size(containers), sizeof(*network->members),
				DOCKER_CONTAINERS_MAX);
	const char *id;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)containers, id, value)
	{
		if (!is_id(id)) /* "ep-..." and "lb-...": the engine's own */
			continue;
		if (w->status != PARSE_OK || !json_is_object(value)) {
			fail(w, PARSE_SHAPE);
			return;
		}
		struct docker_member *m = &network->members[network->n_members];
		copy_id(w, m->container, id);
		copy_id(w, m->leg.network_id, network->facts.id);
		m->leg.has[0] = read_addr(w, text_at(w, value, "IPv4Address"), &m->leg.addr[0]);
		m->leg.has[1] = read_addr(w, text_at(w, value, "IPv6Address"), &m->leg.addr[1]);
		read_mac(w, text_at(w, value, "MacAddress"), m->leg.mac);
		m->leg.network = copy(w, network->facts.name);
		network->n_members++;
	}
}

/* The engine does not print the gateway that it chose itself in a subnet that the user gave: it is
 * the first address. */
static struct ip_addr first_address(const struct identity_prefix *subnet)
{
	struct ip_addr first = subnet->addr;
	first.b[15] |= 1;
	return first;
}

static void read_subnet(struct walk *w, const json_t *config, struct identity_network *n)
{
	const char *subnet = text_at(w, config, "Subnet");
	if (!*subnet || w->status != PARSE_OK)
		return;
	struct identity_prefix *prefix = &n->subnets[n->n_subnets];
	if (!ip_prefix_parse(subnet, &prefix->addr, &prefix->length)) {
		fail(w, PARSE_SHAPE);
		return;
	}
	n->n_subnets++;
	struct ip_addr *gateway = &n->gateways[n->n_gateways++];
	if (!read_addr(w, text_at(w, config, "Gateway"), gateway))
		*gateway = first_address(prefix);
}

static void read_subnets(struct walk *w, const json_t *configs, struct identity_network *n)
{
	size_t count = json_array_size(configs);
	n->subnets = room(w, count, sizeof(*n->subnets), SUBNETS_MAX);
	n->gateways = room(w, count, sizeof(*n->gateways), SUBNETS_MAX);
	size_t i;
	json_t *config;
	json_array_foreach(configs, i, config)
	{
		if (!json_is_object(config))
			fail(w, PARSE_SHAPE);
		read_subnet(w, config, n);
	}
}

/* The name reaches the kernel and iptables: nothing that either would read as more than a name. */
static bool is_bridge_name(const char *name)
{
	size_t n =
		strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");
	return n > 0 && n <= BRIDGE_NAME_MAX && name[n] == '\0' && name[0] != '-' &&
	       strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static char *bridge_name(struct walk *w, const json_t *options, const char *id)
{
	const char *given = text_at(w, options, OPTION_BRIDGE);
	char made[BRIDGE_NAME_MAX + 1];
	if (w->status != PARSE_OK)
		return NULL;
	if (!*given && strcmp(text_at(w, options, OPTION_DEFAULT), "true") == 0)
		given = "docker0";
	if (!*given) {
		(void)snprintf(made, sizeof(made), "br-%.12s", id); /* always 15 bytes */
		given = made;
	}
	if (!is_bridge_name(given))
		fail(w, PARSE_SHAPE);
	return copy(w, given);
}

static void read_network(struct walk *w, const json_t *root, struct docker_network *network)
{
	struct identity_network *n = &network->facts;
	if (!json_is_object(root))
		fail(w, PARSE_SHAPE);
	read_id(w, root, &n->id);
	n->name = copy(w, text_at(w, root, "Name"));
	network->is_bridge = strcmp(text_at(w, root, "Driver"), "bridge") == 0;
	if (!network->is_bridge || w->status != PARSE_OK)
		return;
	n->bridge = bridge_name(w, object_at(w, root, "Options"), n->id);
	n->project = copy_or_null(w, text_at(w, object_at(w, root, "Labels"), LABEL_PROJECT));
	n->is_internal = true_at(w, root, "Internal");
	read_subnets(w, field(w, object_at(w, root, "IPAM"), "Config", JSON_ARRAY), n);
	read_members(w, object_at(w, root, "Containers"), network);
}

/* ---- events ---- */

struct event_word {
	const char *type, *action;
	enum docker_event_kind kind;
};

static enum docker_event_kind event_kind(const char *type, const char *action)
{
	static const struct event_word words[] = {
		{"container", "create", EVENT_CONTAINER_CREATED},
		{"container", "start", EVENT_CONTAINER_CHANGED},
		{"container", "restart", EVENT_CONTAINER_CHANGED},
		{"container", "rename", EVENT_CONTAINER_CHANGED},
		{"container", "pause", EVENT_CONTAINER_CHANGED},
		{"container", "unpause", EVENT_CONTAINER_CHANGED},
		{"container", "update", EVENT_CONTAINER_CHANGED},
		{"container", "stop", EVENT_CONTAINER_CHANGED},
		{"container", "die", EVENT_CONTAINER_DIED},
		{"container", "destroy", EVENT_CONTAINER_GONE},
		{"network", "create", EVENT_NETWORK_CHANGED},
		{"network", "update", EVENT_NETWORK_CHANGED},
		{"network", "destroy", EVENT_NETWORK_GONE},
		{"network", "remove", EVENT_NETWORK_GONE},
		{"network", "connect", EVENT_CONNECTED},
		{"network", "disconnect", EVENT_DISCONNECTED},
	};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i].type, type) == 0 && strcmp(words[i].action, action) == 0)
			return words[i].kind;
	return EVENT_OTHER;
}

static bool is_of_network(enum docker_event_kind kind)
{
	return kind >= EVENT_NETWORK_CHANGED;
}

/* A network of a swarm has an id of another form, and so has the container of its load balancer:
 * neither is ours. */
static void read_event(struct walk *w, const json_t *root, struct docker_event *e)
{
	if (!json_is_object(root))
		fail(w, PARSE_SHAPE);
	const json_t *actor = object_at(w, root, "Actor");
	const char *id = text_at(w, actor, "ID");
	enum docker_event_kind kind =
		event_kind(text_at(w, root, "Type"), text_at(w, root, "Action"));
	const char *member = "";
	if (kind == EVENT_CONNECTED || kind == EVENT_DISCONNECTED)
		member = text_at(w, object_at(w, actor, "Attributes"), "container");
	if (w->status != PARSE_OK || kind == EVENT_OTHER || !is_id(id) ||
	    (*member && !is_id(member)))
		return;
	e->kind = kind;
	copy_id(w, is_of_network(kind) ? e->network : e->container, id);
	if (*member)
		copy_id(w, e->container, member);
}

/* ---- entry points ---- */

static json_t *load(struct walk *w, struct bytes json)
{
	json_error_t ignored;
	json_t *root = json_loadb(json.n ? (const char *)json.p : "", json.n, 0, &ignored);
	if (!root)
		fail(w, PARSE_NOT_JSON);
	return root;
}

static json_t *load_array(struct walk *w, struct bytes json)
{
	json_t *root = load(w, json);
	if (root && !json_is_array(root))
		fail(w, PARSE_SHAPE);
	return root;
}

/* Digits only, and few: no version has more than four. */
static bool read_number(const char **text, unsigned *out)
{
	size_t n = strspn(*text, "0123456789");
	*out = 0;
	for (size_t i = 0; i < n && n <= 4; i++)
		*out = *out * 10 + (unsigned)((*text)[i] - '0');
	*text += n;
	return n > 0 && n <= 4;
}

static void read_version(struct walk *w, const char *text, struct docker_version *out)
{
	bool is_good = read_number(&text, &out->major) && *text++ == '.' &&
		       read_number(&text, &out->minor) && *text == '\0';
	if (!is_good)
		fail(w, PARSE_SHAPE);
}

enum parse_status parse_version(struct bytes json, struct docker_version *newest,
				struct docker_version *oldest)
{
	struct walk w = {0};
	json_t *root = load(&w, json);
	const char *min = text_at(&w, root, "MinAPIVersion");
	read_version(&w, text_at(&w, root, "ApiVersion"), newest);
	read_version(&w, *min ? min : "1.12", oldest);
	json_decref(root);
	return w.status;
}

enum parse_status parse_containers(struct bytes json, struct docker_container **out, size_t *n)
{
	struct walk w = {0};
	json_t *root = load_array(&w, json);
	*n = json_array_size(root);
	*out = room(&w, *n, sizeof(**out), DOCKER_CONTAINERS_MAX);
	for (size_t i = 0; i < *n && w.status == PARSE_OK; i++)
		read_listed(&w, json_array_get(root, i), &(*out)[i]);
	json_decref(root);
	if (w.status == PARSE_OK)
		return PARSE_OK;
	docker_containers_free(*out, *n);
	*out = NULL;
	*n = 0;
	return w.status;
}

enum parse_status parse_container(struct bytes json, struct docker_container *out)
{
	struct walk w = {0};
	*out = (struct docker_container){0};
	json_t *root = load(&w, json);
	read_inspected(&w, root, out);
	json_decref(root);
	if (w.status != PARSE_OK)
		docker_container_fini(out);
	return w.status;
}

enum parse_status parse_networks(struct bytes json, struct docker_network **out, size_t *n)
{
	struct walk w = {0};
	json_t *root = load_array(&w, json);
	*n = json_array_size(root);
	*out = room(&w, *n, sizeof(**out), DOCKER_NETWORKS_MAX);
	for (size_t i = 0; i < *n && w.status == PARSE_OK; i++)
		read_network(&w, json_array_get(root, i), &(*out)[i]);
	json_decref(root);
	if (w.status == PARSE_OK)
		return PARSE_OK;
	docker_networks_free(*out, *n);
	*out = NULL;
	*n = 0;
	return w.status;
}

enum parse_status parse_network(struct bytes json, struct docker_network *out)
{
	struct walk w = {0};
	*out = (struct docker_network){0};
	json_t *root = load(&w, json);
	read_network(&w, root, out);
	json_decref(root);
	if (w.status != PARSE_OK)
		docker_network_fini(out);
	return w.status;
}

enum parse_status parse_event(struct bytes json, struct docker_event *out)
{
	struct walk w = {0};
	*out = (struct docker_event){0};
	json_t *root = load(&w, json);
	read_event(&w, root, out);
	json_decref(root);
	return w.status;
}

const char *parse_status_text(enum parse_status status)
{
	switch (status) {
	case PARSE_OK:
		return "understood";
	case PARSE_NOT_JSON:
		return "not JSON";
	case PARSE_SHAPE:
		return "not the shape that the Engine API gives it";
	case PARSE_TOO_MANY:
		return "more entries than a host can have";
	case PARSE_NO_MEMORY:
		return "out of memory";
	}
	return "?";
}

/* ---- ends ---- */

void docker_leg_fini(struct docker_leg *leg)
{
	free(leg->network);
	*leg = (struct docker_leg){0};
}

void docker_container_fini(struct docker_container *c)
{
	for (size_t i = 0; i < c->n_legs; i++)
		docker_leg_fini(&c->legs[i]);
	free(c->legs);
	identity_endpoint_fini(&c->facts);
	*c = (struct docker_container){0};
}

void docker_containers_free(struct docker_container *c, size_t n)
{
	for (size_t i = 0; c && i < n; i++)
		docker_container_fini(&c[i]);
	free(c);
}

void docker_network_fini(struct docker_network *network)
{
	for (size_t i = 0; i < network->n_members; i++)
		docker_leg_fini(&network->members[i].leg);
	free(network->members);
	identity_network_fini(&network->facts);
	*network = (struct docker_network){0};
}

void docker_networks_free(struct docker_network *networks, size_t n)
{
	for (size_t i = 0; networks && i < n; i++)
		docker_network_fini(&networks[i]);
	free(networks);
}
