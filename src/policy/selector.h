/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Selectors: who a rule speaks of.
 *
 *	any  host  internet  @NAME  PROJECT/SERVICE
 *	container:GLOB  image:GLOB  label:KEY=GLOB  network:GLOB  cidr:PREFIX
 *	not:SELECTOR                      all but those
 *	[A, B]  {all: [A, B]}  {not: A}   one of, all of, none of
 *
 * PROJECT and SERVICE are globs: * as the service means all services of the project.
 */
#ifndef POLICY_SELECTOR_H
#define POLICY_SELECTOR_H

#include "base/error.h"
#include "policy/ast.h"

/* One selector as text. New atoms are added to the policy. -EINVAL with a message, -ENOMEM. */
int selector_parse(struct policy *policy, const char *text, struct expr *out, struct error *err);
/* The hint for a text that selector_parse refused, or NULL. `room` is where it is written. */
const char *selector_hint(const char *text, char *room, size_t n);
/* Replaces names by numbers. False: the first name that is not in the policy is in *unknown. */
bool selector_resolve(const struct policy *policy, struct expr *expr, const struct expr **unknown);
/* "any", ... and "container", ... (which take a value); NULL at the end. */
const char *selector_plain_kind(size_t i);
const char *selector_prefixed_kind(size_t i);
/* As text, lists in brackets: for people. */
void selector_describe(const struct policy *policy, const struct expr *expr, FILE *out);

/* May both describe one and the same address? Errs towards yes only where one pattern covers the
 * other; selectors of different kinds are taken for different people, but for any and internet. */
bool atoms_overlap(const struct atom *a, const struct atom *b);
/* Does everything that b describes fit a, too? False when in doubt. */
bool atom_covers(const struct atom *a, const struct atom *b);
/* One address and no pattern: two different ones never overlap. */
bool atom_is_exact(const struct atom *atom);

/* Addresses that are nobody's on the internet (RFC 1918, 6598, 4193, link-local, loopback,
 * multicast, reserved). */
struct private_prefix {
	const char *text;
};
extern const struct private_prefix private_prefixes[];
extern const size_t n_private_prefixes;
bool prefix_is_private(const struct ip_addr *addr, uint8_t length);

#endif
