/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the Docker engine says, as plain structs. Pure: JSON text in, structs out; no input/output,
 * no log.
 *
 * The engine is trusted with root, its replies are not trusted with our memory: every field may be
 * absent, of another type, or cut. What is wrong in one entry of a list spoils the whole reply (the
 * caller asks again), because a container that was silently left out would be judged as somebody
 * unknown. Unknown fields are ignored. Shapes of API 1.41 to 1.52.
 *
 * Owners: the *_fini functions free everything; a zeroed struct is fine. On failure the output is
 * zeroed.
 */
#ifndef DOCKER_PARSE_H
#define DOCKER_PARSE_H

#include "bridgewarden/bytes.h"
#include "bridgewarden/identity.h"

enum parse_status { PARSE_OK, PARSE_NOT_JSON, PARSE_SHAPE, PARSE_TOO_MANY, PARSE_NO_MEMORY };

enum {
	DOCKER_ID_LEN = 64, /* hex digits of an id */
	DOCKER_ID_SIZE = DOCKER_ID_LEN + 1,
	DOCKER_CONTAINERS_MAX = 1 << 16, /* one host runs a few thousand at most */
	DOCKER_NETWORKS_MAX = 1 << 12,	 /* the kernel's bridges end before that */
};

/* "1.41" */
struct docker_version {
	unsigned major, minor;
};

/* One leg of a container. */
struct docker_leg {
	char network_id[DOCKER_ID_SIZE]; /* "" when the engine gave none (a container that never
					    started) */
	char *network;			 /* its name; never NULL */
	struct ip_addr addr[2];		 /* IPv4, IPv6 */
	bool has[2];
	uint8_t mac[6];
	uint64_t since; /* when it was learned, in the caller's count of events; parse leaves 0 */
};

struct docker_container {
	/* All but the addresses, which are in the legs. */
	struct identity_endpoint facts;
	struct docker_leg
		*legs; /* only those with an address; none unless the container may be running */
	size_t n_legs;
	bool is_image_id; /* the list names the image by its id: its name must be asked for */
};

/* A container as a network sees it. */
struct docker_member {
	char container[DOCKER_ID_SIZE];
	struct docker_leg leg;
};

struct docker_network {
	struct identity_network facts;
	bool is_bridge; /* else facts has only id and name */
	struct docker_member *members;
	size_t n_members;
};

enum docker_event_kind {
	EVENT_OTHER, /* nothing that concerns us */
	EVENT_CONTAINER_CREATED,
	EVENT_CONTAINER_CHANGED, /* started, renamed, paused, updated ... */
	EVENT_CONTAINER_DIED,
	EVENT_CONTAINER_GONE,
	EVENT_NETWORK_CHANGED,
	EVENT_NETWORK_GONE,
	EVENT_CONNECTED,
	EVENT_DISCONNECTED,
};

struct docker_event {
	enum docker_event_kind kind;
	char container[DOCKER_ID_SIZE]; /* "" where there is none */
	char network[DOCKER_ID_SIZE];
};

const char *parse_status_text(enum parse_status status);

enum parse_status parse_version(struct bytes json, struct docker_version *newest,
				struct docker_version *oldest);
/* GET /containers/json */
enum parse_status parse_containers(struct bytes json, struct docker_container **out, size_t *n);
/* GET /containers/ID/json */
enum parse_status parse_container(struct bytes json, struct docker_container *out);
/* GET /networks; the list has no members */
enum parse_status parse_networks(struct bytes json, struct docker_network **out, size_t *n);
/* GET /networks/ID */
enum parse_status parse_network(struct bytes json, struct docker_network *out);
/* One line of GET /events */
enum parse_status parse_event(struct bytes json, struct docker_event *out);

void docker_leg_fini(struct docker_leg *leg);
void docker_container_fini(struct docker_container *c);
void docker_containers_free(struct docker_container *c, size_t n);
void docker_network_fini(struct docker_network *network);
void docker_networks_free(struct docker_network *networks, size_t n);

#endif
