/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may say what on which port of a bridge: a plan as the text that nft takes. Pure.
 *
 * The engine judges by addresses; a container that may send raw frames can forge those of its
 * neighbour. So each frame that enters a port of a managed bridge is checked before the bridge
 * learns from it and before anything else sees it, also where the connection was handed to the
 * kernel:
 *
 *   prerouting --> usual?    its port's own addresses in a plain packet: accepted
 *              `--> by port --> bound     its container is known: its own addresses, nothing else
 *                          `--> net-N     not known (yet): of the bridge's subnets what nobody owns
 *                          `--> open      the bridge's subnets are not known: what nobody owns
 *                          `--> accept    of a bridge that is not managed
 *              `--> strange               a port newer than the table: what nobody owns
 *   forward, from a strange port to a managed one --> what a frame may be at all
 *
 * A strange port is not dropped: its bridge is not known, and a container must not wait for us.
 * Frames to 01:80:c2:00:00:0x do not pass these hooks; the kernel hands them to the port itself.
 * What comes up to IP there is dropped by a second table (family inet): nothing of ours would see
 * it, since our chains know the bridge, not the port.
 */
#ifndef FIREWALL_PORTS_H
#define FIREWALL_PORTS_H

#include "base/error.h"
#include "bridgewarden/identity.h"

#include <net/if.h>

struct ports_bridge {
	const struct identity_prefix *subnets;
	size_t n_subnets; /* 0: not known, anything may be there */
	const struct identity_prefix *nested;
	size_t n_nested; /* what containers of it may send from besides */
};

struct ports_port {
	char name[IFNAMSIZ];
	size_t bridge; /* index */
};

/* An address that belongs to one port. The port's frames have this link address. */
struct ports_owner {
	size_t port; /* index */
	struct ip_addr addr;
	uint8_t mac[6]; /* all zero: not known, any that is nobody's */
};

/* All of it the caller's. */
struct ports_plan {
	const struct ports_bridge *bridges;
	size_t n_bridges;
	const struct ports_port *ports;
	size_t n_ports;
	const struct ports_owner *owners;
	size_t n_owners;
	const struct ip_addr *host_addrs; /* nobody's on any port */
	size_t n_host_addrs;
	const uint8_t (*host_macs)[6];
	size_t n_host_macs;
	const char (*others)[IFNAMSIZ]; /* ports of bridges that are not managed */
	size_t n_others;
};

/* Why a frame was dropped; also the name of a counter of nft. */
enum ports_drop {
	PORTS_ETHERTYPE, /* neither IPv4, IPv6 nor ARP, or tagged */
	PORTS_MAC,
	PORTS_IP,
	PORTS_OUTSIDE, /* of no subnet of the bridge */
	PORTS_ARP,
	PORTS_ND,     /* neighbour discovery, router advertisements, redirects */
	PORTS_BESIDE, /* past the bridge, to its port */
	N_PORTS_DROPS
};

struct ports_drops {
	uint64_t packets[N_PORTS_DROPS];
};

const char *ports_drop_name(enum ports_drop drop);

/* A plan as nft takes it: what there is, and what is in its sets. Equal plans make equal texts.
 * Zeroed memory is empty. */
struct ports_text {
	char *frame;	 /* tables, chains, and sets without elements */
	char **elements; /* "FAMILY SET ELEMENT", sorted, each once */
	size_t n_elements;
	char *lines; /* what they point into */
};

/* -ENOMEM, or -EINVAL with why: a name that nft would read as more than a name. */
int ports_print(const struct ports_plan *plan, struct ports_text *out, struct error *err);
void ports_text_fini(struct ports_text *text);

/* Inputs for `nft -f -`, each one transaction; the caller's to free. -ENOMEM. */
/* Everything anew, whatever is there; the counters begin with what is given. */
int ports_print_whole(const struct ports_text *text, const struct ports_drops *drops, char **out);
/* From one to another with the same frame. "": they are equal. */
int ports_print_change(const struct ports_text *from, const struct ports_text *to, char **out);
extern const char ports_removal[];

/* ---- back from what nft prints ---- */

/* Takes the elements of sets out of a listing of a table and counts them. */
size_t ports_strip_elements(char *listing);
/* Adds the values of the counters that a listing names. */
void ports_parse_drops(struct bytes listing, struct ports_drops *out);

#endif
