/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which bridge port an endpoint is behind, and from that who may say what on which port. A port is
 * found by the network namespace of the container's process (firewall/links.h), or the inventory
 * names it. What cannot be found is not bound, never guessed: its port may then use what nobody
 * owns. Addresses that the inventory puts behind a port that is not there now are nobody's.
 */
#ifndef CONTROL_BIND_H
#define CONTROL_BIND_H

#include "bridgewarden/identity.h"
#include "control/host.h"
#include "firewall/firewall.h"
#include "firewall/links.h"

/* Fills the ports of all addresses whose endpoint has a process, or a port by name. */
void bind_resolve(struct identity_set *ids, const struct links *links);

struct bind_inputs {
	const struct firewall_plan *firewall; /* its interfaces are the managed bridges */
	const struct identity_set *ids;	      /* resolved */
	const struct links *links;
	const struct host_addrs *host;
};

/* A plan with storage of its own. Zeroed memory is a plan of nothing. */
struct bind {
	struct ports_plan plan;
	size_t n_bound; /* ports with an owner */
	struct identity_prefix *prefixes;
	struct ports_bridge *bridges;
	struct ports_port *ports;
	int *ifindexes; /* of the ports; ascending */
	struct ports_owner *owners;
	struct ip_addr *nobodys; /* the host's addresses, and those whose port is not there */
	uint8_t (*macs)[6];
	char (*others)[IFNAMSIZ];
};

int bind_make(const struct bind_inputs *inputs, struct bind *out); /* -ENOMEM */
void bind_fini(struct bind *bind);

#endif
