/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The switches of one bridge that make what it forwards visible to iptables, by rtnetlink: no
 * host-wide setting changes. Also: the number of the kernel's nftables ruleset, which tells cheaply
 * that nobody touched it.
 */
#ifndef FIREWALL_BRIDGE_H
#define FIREWALL_BRIDGE_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

struct bridge_switches {
	int ifindex;
	uint8_t ipv4, ipv6; /* IFLA_BR_NF_CALL_IPTABLES, IFLA_BR_NF_CALL_IP6TABLES */
	/* BR_BOOLOPT_NO_LL_LEARN: frames to 01:80:c2:00:00:0x teach the bridge nothing. They meet
	 * no hook of a bridge, so no rule could keep a forged source address out. */
	uint8_t no_ll_learn;
	bool has_no_ll_learn; /* kernels before 5.0 have no such switch */
};

/* -ENODEV: no such interface. -ENOTSUP: it is no bridge. Other errno: cannot tell. */
int bridge_read(const char *name, struct bridge_switches *out);
/* By ifindex, so that a bridge made anew under the same name is left alone. */
int bridge_write(const struct bridge_switches *to);

/* Changes with every change of any nftables ruleset of this network namespace. Negative errno: no
 * nf_tables here. */
int bridge_ruleset_number(uint32_t *out);

#endif
