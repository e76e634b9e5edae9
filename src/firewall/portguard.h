/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables of ports.h in the kernel, by the system's nft: made in one transaction, then kept by
 * differences, so that a container more or less costs the same on a host with a thousand. Whole
 * again when somebody touched them. Control thread only.
 */
#ifndef FIREWALL_PORTGUARD_H
#define FIREWALL_PORTGUARD_H

#include "firewall/ports.h"

/* Zeroed memory is fine and knows of nothing applied. */
struct portguard {
	bool is_applied;
	struct ports_text applied;
	char *shown;	 /* the tables as nft showed them, without elements */
	uint32_t number; /* of the nftables ruleset when it was last seen to be right; 0: never */
};

/* Nothing happens when the plan is what is applied. -ENOENT: there is no nft. */
int portguard_apply(struct portguard *guard, const struct ports_plan *plan, struct error *err);
/* 0: as applied; 1: somebody changed it (apply again); negative errno: cannot tell. */
int portguard_check(struct portguard *guard, struct error *err);
/* Also right when nothing was applied, and without nft. */
int portguard_remove(struct portguard *guard, struct error *err);
/* What was dropped since the tables were first made. All 0 when there are none. */
void portguard_drops(struct ports_drops *out);
void portguard_fini(struct portguard *guard); /* frees memory only */

#endif
