/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interfaces of this network namespace as the kernel lists them, and which of them leads into
 * which container: the kernel gives each namespace that it knows a number; it says that number for
 * the other end of a veth pair, and for a process. So (bridge, number) is a port. Nothing of it can
 * be influenced from within a container, and no privilege is needed to ask.
 */
#ifndef FIREWALL_LINKS_H
#define FIREWALL_LINKS_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct link {
	int ifindex, master; /* master: the ifindex of its bridge; 0: none */
	int namespace;	     /* number of the namespace that its other end is in; -1: this one */
	char name[IFNAMSIZ];
	uint8_t mac[6];
	bool is_bridge, is_veth, is_tap;
};

/* Zeroed memory is none. In the order of their ifindex. */
struct links {
	struct link *items;
	size_t n;
};

int links_read(struct links *out); /* negative errno */
void links_fini(struct links *links);
const struct link *links_named(const struct links *links, const char *name); /* or NULL */
/* The one port of the bridge that leads into the namespace. NULL: none, or more than one. */
const struct link *links_port(const struct links *links, int bridge, int namespace);

/* May packets of that interface come from anywhere: because it is no bridge, or because a port of
 * it leads to more than a container or machine? One that is not there has none. */
bool links_is_open(const struct links *links, const char *name);

/* Asks for the numbers of namespaces, one process after the other. */
struct links_asker;
struct links_asker *links_asker_new(void); /* NULL: errno */
/* -1: the process is gone, or no interface leads into its namespace. */
int links_namespace_of(struct links_asker *asker, uint32_t pid);
void links_asker_free(struct links_asker *asker);

/* A descriptor that is readable when an interface changed; negative errno. Drain it before looking.
 */
int links_watch(void);
void links_watch_drain(int fd);

#endif
