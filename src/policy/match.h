/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compile's first half: from endpoints and prefixes to identities. Every address that has a meaning
 * of its own gets the sorted list of selector atoms that it matches; equal lists are one set, equal
 * (name, set) one identity.
 */
#ifndef POLICY_MATCH_H
#define POLICY_MATCH_H

#include "policy/ast.h"
#include "policy/compile.h"

struct numbers {
	uint32_t *v;
	size_t n, room;
};

/* An address or prefix and its owner, as it goes into the image. */
struct owned {
	struct ip_addr addr;
	uint8_t length;
	uint8_t flags; /* image.h: ADDRESS_* */
	uint8_t mac[6];
	uint32_t identity;
	const struct identity_endpoint *endpoint; /* NULL: the host's */
};

struct identity_entry {
	char *name;
	uint32_t set;
	uint32_t fence; /* image.h */
};

struct matching {
	struct owned *addresses; /* length 128 */
	size_t n_addresses;
	struct owned *prefixes;
	size_t n_prefixes;
	struct identity_entry *identities;
	size_t n_identities;
	struct numbers *sets; /* atoms of each set, ascending */
	size_t n_sets;
};

/* 0 or -ENOMEM; fini in both cases. */
int matching_build(const struct policy *policy, const struct policy_inputs *inputs,
		   struct matching *out);
void matching_fini(struct matching *m);
/* Does the endpoint, at this address, fit an atom that speaks of endpoints? `any` fits, the other
 * kinds do not. */
bool atom_fits_endpoint(const struct atom *atom, const struct identity_endpoint *e,
			const struct identity_address *at);
bool numbers_add(struct numbers *list, uint32_t number);
/* Ascending, each once. */
void numbers_sort(struct numbers *list);

#endif
