/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Endpoints for sentences: whoever a selector names, made up or taken from the inventory. A cast
 * holds all of them, so that one compiled image serves all sentences of a policy. Addresses come
 * from 240.0.0.0/8, which no network uses.
 */
#ifndef POLICY_SYNTH_H
#define POLICY_SYNTH_H

#include "base/error.h"
#include "bridgewarden/identity.h"
#include "policy/ast.h"
#include "policy/compile.h"

enum member_kind { MEMBER_ADDRESS, MEMBER_HOST, MEMBER_INTERNET, MEMBER_CIDR };

/* One whom a side of a sentence speaks of. */
struct member {
	enum member_kind kind;
	struct ip_addr addr; /* ADDRESS; CIDR: its base */
	uint8_t length;	     /* CIDR */
};

struct party {
	struct member *members;
	size_t n;
};

/* Zeroed memory is an empty cast. */
struct cast {
	const struct policy *policy;
	struct identity_set ids;
	uint32_t n_made;
};

enum { PARTY_MAX = 64 }; /* members of one party */

/* Adds whom `text` names. -EINVAL: not a selector, or nobody can be made up for it; -ENOMEM. */
int party_fill(struct cast *cast, const char *text, struct party *party, struct error *err);
void party_fini(struct party *party);
void cast_fini(struct cast *cast);
int cast_compile(const struct cast *cast, struct policy_blob *out, struct error *err);
/* The member's address in the compiled image. False: the policy leaves no such address. */
bool member_address(const struct policy_image *image, const struct member *member,
		    struct ip_addr *out);

#endif
