/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The only part that changes the host: our chains in the mangle tables of both families, the
 * per-bridge switches that make bridged packets visible to them, and the tables of nftables that
 * bind addresses to bridge ports (ports.h). Everything it changes it can name, check and put back.
 * Control thread only; runs the system's iptables-restore and ip6tables-restore (the backend that
 * Docker uses) and nft.
 */
#ifndef FIREWALL_FIREWALL_H
#define FIREWALL_FIREWALL_H

#include "base/error.h"
#include "bridgewarden/identity.h"
#include "bridgewarden/shared.h"
#include "firewall/ports.h"

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct firewall_scope {
	bool internal, egress,
		ingress; /* true: fail open (queue bypass) when no engine's socket is bound */
};

/* A prefix that packets may come from on one of the interfaces. */
struct firewall_source {
	size_t interface; /* index */
	struct identity_prefix prefix;
	bool is_nested; /* behind a container: not of the interface's own subnets */
};

struct firewall_plan {
	char (*interfaces)[IFNAMSIZ]; /* managed bridges; the caller's */
	size_t n_interfaces;
	/* In the order of the interfaces, of each what is nested last. Of an interface without any
	 * everything may come. The caller's. */
	const struct firewall_source *sources;
	size_t n_sources;
	/* The policy refuses something. Else nothing is dropped and no packet changed. */
	bool is_enforced;
	bool is_unfilled; /* leave checksums to the last moment, as the sender asked */
	uint16_t queue_base;
	unsigned n_queues; /* power of two */
	struct firewall_scope fail_open;
	uint32_t mark_mask, epoch; /* bridgewarden/shared.h: mark_value() */
};

/*
 * SO_MARK for the engine's raw sockets. Packets with it are never queued and never saved to the
 * connection: what the engine says in the host's name (a reset to a container that called the host)
 * must not come up for judgement again. No other mark of ours can have this value: it has every bit
 * of the epoch and no state.
 *
 * A verdict's mark is saved to the connection in POSTROUTING. It is lost for a packet queued in
 * INPUT (container -> host) and for the first packet of what the host itself opens (queued in
 * POSTROUTING: its addresses are final only there). So give the mark with EVERY verdict of the
 * flow, not once: the next packet from the host takes it along.
 */
static inline uint32_t firewall_injected_mark(uint32_t mask)
{
	return mark_value(mask, UINT32_MAX, MARK_NONE);
}

struct firewall; /* what was there before us, for putting it back */

/* state_path: where what was changed is remembered across a crash (in the runtime directory). */
int firewall_new(const char *state_path, struct firewall **out, struct error *err);
/* Makes the host match the plan: idempotent, atomic per family. */
int firewall_apply(struct firewall *fw, const struct firewall_plan *plan, struct error *err);
/* Binds addresses to ports as well; cheap when nothing changed. Without nft: -ENOENT and what to
 * install, and everything else works. */
int firewall_bind_ports(struct firewall *fw, const struct ports_plan *plan, struct error *err);
int firewall_release_ports(struct firewall *fw, struct error *err);
/* What the tables of ports dropped; runs nft. */
void firewall_read_drops(struct ports_drops *out);
/* 0: the host matches the last plan; 1: somebody changed it (apply again); negative errno: cannot
 * tell. */
int firewall_check(struct firewall *fw, struct error *err);
/* Takes everything away and restores the bridge switches. Also right when nothing was applied. */
int firewall_remove(struct firewall *fw, struct error *err);
void firewall_free(struct firewall *fw); /* frees memory only */

#endif
