/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a policy and the networks that exist to what the firewall shall be: struct firewall_plan
 * with storage of its own. */
#ifndef CONTROL_PLAN_H
#define CONTROL_PLAN_H

#include "bridgewarden/identity.h"
#include "firewall/firewall.h"
#include "firewall/links.h"
#include "policy/load.h"

/* Zeroed memory is a plan of nothing. Interfaces are sorted and occur once. */
struct plan {
	struct firewall_plan firewall; /* interfaces and sources: owned */
};

struct plan_inputs {
	const struct policy *policy;
	const struct identity_set *ids;
	const struct links *links;
	uint16_t queue_base; /* as the sockets were opened at start, whatever a reload says */
	unsigned n_queues;
	uint32_t epoch;
};

int plan_make(const struct plan_inputs *inputs, struct plan *out); /* -ENOMEM */
bool plan_equal(const struct plan *a, const struct plan *b);
void plan_fini(struct plan *plan);

#endif
