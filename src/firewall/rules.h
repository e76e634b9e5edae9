/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a plan to the text that iptables-restore takes, and back from what iptables-save prints.
 * Pure.
 *
 *   FORWARD, -i managed, -o managed    --> -INTERNAL --.
 *   FORWARD, -i managed, else          --> -EGRESS   --+--> offloaded: RETURN
 *   FORWARD, -o managed                --> -INGRESS  --'    else: NFQUEUE by ports
 *   INPUT, -i managed                  --> -EGRESS
 *   OUTPUT, -o managed, established,
 *           not DNATed                 --> -INGRESS
 *   POSTROUTING                        saves the verdict's mark
 *   POSTROUTING, -o managed, the rest
 *           of what the host made      --> -INGRESS
 *
 * A scope is of connections: what is a reply goes the other way round. -NAME is BRIDGEWARDEN-NAME.
 *
 * Where the subnets of a managed interface are known and policy is enforced, -i is said once per
 * subnet (-i br0 -s 198.18.0.0/16), and what comes from elsewhere is dropped.
 *
 * All ways are gotos: a RETURN at their end leaves our chains, so no packet is queued twice in one
 * hook.
 *
 * What the host itself sends is queued in POSTROUTING, where local DNAT is done and the addresses
 * are those that the replies show; but there the save of the verdict's mark is already past. So
 * packets that cannot be DNATed any more are queued in OUTPUT instead, from where they come by the
 * save. Which of the two is decided by the same two conditions in both chains.
 */
#ifndef FIREWALL_RULES_H
#define FIREWALL_RULES_H

#include "bridgewarden/bytes.h"
#include "firewall/firewall.h"

enum rules_family { RULES_V4, RULES_V6, N_RULES_FAMILIES };

/* What of ours iptables-save shows in the mangle table. Zeroed is nothing; free with
 * rules_present_fini. */
struct rules_present {
	char *ours;  /* the lines of our chains, in their order; what a check compares. Counters are
			not in it. */
	char *jumps; /* the lines of other chains that jump to ours */
	bool has_any;
	bool is_in_place; /* each built-in chain begins with its one jump, and there are no other
			     jumps */
};

/* Negative errno: -ENOMEM. */
int rules_parse(struct bytes save, struct rules_present *out);
void rules_present_fini(struct rules_present *present);

/* The whole input for iptables-restore --noflush; *text is the caller's to free. -ENOMEM. */
int rules_print(const struct firewall_plan *plan, enum rules_family family,
		const struct rules_present *present, char **text);
int rules_print_removal(const struct rules_present *present, char **text);

/* Is it a plan that can be printed? -EINVAL and why. */
int rules_check_plan(const struct firewall_plan *plan, struct error *err);

#endif
