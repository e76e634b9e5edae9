/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which rules may have to do with one another, without comparing each with each: rules are listed
 * under the atoms of their sides, and an atom knows those that overlap it. What is found is a
 * superset; whoever asks compares in full.
 */
#ifndef POLICY_NEIGHBOURS_H
#define POLICY_NEIGHBOURS_H

#include "policy/side.h"

struct sides {
	struct side from, to;
};

/* Zeroed memory knows nothing; fini in any case. */
struct neighbours {
	const struct policy *policy;
	const struct sides *sides; /* by rule */
	struct strmap bucket_numbers;
	struct atom_bucket *buckets;
	size_t n_buckets;
	uint32_t *bucket_of;	 /* by atom; of a prefix its place in `prefixes` */
	uint32_t *parents;	 /* by place in `prefixes` */
	struct numbers plain;	 /* any, host, internet */
	struct numbers prefixes; /* cidr:, in the order of addresses */
	struct numbers wide;	 /* services of projects that are patterns */
	struct numbers services;
	/* By atom, found when they are first asked for. */
	struct numbers *overlapping, *covering;
	bool *is_found;
	size_t n_compared; /* atoms with atoms: what tests count */
	/* The rules that count, by atom; and those with a side that may be anybody. */
	struct numbers *from_rules, *to_rules;
	struct numbers any_from, any_to, all;
};

/* False: no memory. */
bool neighbours_init(struct neighbours *n, const struct policy *policy, const struct sides *sides);
void neighbours_fini(struct neighbours *n);
/* From now on these rules are the ones that are found. */
bool neighbours_choose(struct neighbours *n,
		       bool (*counts)(const struct policy *policy, const struct rule *rule));
/* Ascending. */
bool neighbours_overlapping(struct neighbours *n, const struct sides *sides, struct numbers *out);
/* Those that may cover one atom of each side; NULL stands for everybody. */
bool neighbours_covering(struct neighbours *n, const struct atom *from, const struct atom *to,
			 struct numbers *out);

#endif
