/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who an address is: endpoints (containers, virtual machines from an inventory) and the managed
 * networks they live in. A set is built by one owner (docker/ from the Engine API,
 * identity/inventory.c from a file), then only read: the policy compiler turns it into identity
 * numbers. Control path only: plain malloc, every string owned by its struct, NUL-terminated UTF-8.
 */
#ifndef BRIDGEWARDEN_IDENTITY_H
#define BRIDGEWARDEN_IDENTITY_H

#include "bridgewarden/packet.h"

struct identity_label {
	char *key, *value;
};

/* One address of one endpoint on one network. */
struct identity_address {
	struct ip_addr addr;
	uint8_t mac[6]; /* all zero: not known, not checked */
	char *network;	/* name of the network, never NULL */
	uint32_t port;	/* ifindex of its bridge port; 0: not known */
};

struct identity_endpoint {
	char *id;	 /* unique and stable: the container's full id; inventory: the name */
	char *container; /* container name without the slash; never NULL */
	char *project;	 /* compose project or NULL */
	char *service;	 /* compose service or NULL */
	char *image;	 /* as given when it was started, "redis:7.2"; may be NULL */
	struct identity_label *labels;
	size_t n_labels;
	struct identity_address *addresses;
	size_t n_addresses;
	bool is_host_network; /* shares the host's addresses: has none of its own */
	uint32_t pid;	      /* of its first process, by which its ports are found; 0: not known */
	char *port_name;      /* the bridge port that it is behind, from the inventory, or NULL */
};

struct identity_prefix {
	struct ip_addr addr;
	uint8_t length; /* 0..128; IPv4 prefixes count from 96 */
};

struct identity_network {
	char *id;
	char *name;    /* "blog_default" */
	char *bridge;  /* kernel interface, "br-0123456789ab"; never NULL */
	char *project; /* compose project of the network or NULL */
	bool is_internal;
	struct identity_prefix *subnets;
	size_t n_subnets;
	struct ip_addr *gateways; /* the host's own addresses on it */
	size_t n_gateways;
};

/* Zeroed memory is an empty set. */
struct identity_set {
	struct identity_endpoint *endpoints;
	size_t n_endpoints;
	struct identity_network *networks;
	size_t n_networks;
};

/* src/identity/identity.c. Negative errno on failure (only -ENOMEM); the set stays as it was. */
void identity_set_fini(struct identity_set *set); /* a zeroed set is fine */
void identity_endpoint_fini(struct identity_endpoint *endpoint);
void identity_network_fini(struct identity_network *network);
/* The set takes over *endpoint (and zeroes it); one with the same id is replaced. The same for
 * networks. */
int identity_put_endpoint(struct identity_set *set, struct identity_endpoint *endpoint);
int identity_put_network(struct identity_set *set, struct identity_network *network);
bool identity_remove_endpoint(struct identity_set *set, const char *id); /* was it there? */
bool identity_remove_network(struct identity_set *set, const char *id);
int identity_endpoint_add_label(struct identity_endpoint *e, const char *key, const char *value);
int identity_endpoint_add_address(struct identity_endpoint *e,
				  const struct identity_address *address); /* copies */
/* How people call it: "blog/wordpress (blog-wordpress-1)" is spelled by the caller; here
 * "blog/wordpress" or the container name. */
const char *identity_label_value(const struct identity_endpoint *e, const char *key); /* or NULL */

#endif
