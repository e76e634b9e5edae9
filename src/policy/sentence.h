/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sentences: what `tests:` in a policy file and `bridgewarden explain` ask.
 *
 *	FROM -> TO[:PORT] [APP [[FIELD=VALUE]...] [REQUEST]] [= allow|deny [by RULE|default]]
 *
 *	blog/wordpress -> blog/db mysql 'SELECT * FROM wp_posts' = allow by wp-own-db
 *	internet -> blog/wordpress:443 tcp = deny by default
 *	blog/wordpress -> blog/db mysql [user=root] 'SELECT 1' = deny
 *
 * FROM and TO are selectors or addresses ([ADDRESS]:PORT for IPv6). In a test, where no container
 * runs, an endpoint is made up that has what the selector names and nothing else, unless the
 * policy's inventory has one; an identity with several members is asked for each of them, and all
 * must agree. Without PORT the port is one that the rules for this pair and application name (the
 * expected rule first), or those for the pair and another application, or else one that none names.
 *
 * REQUEST is what the application's dissector reads, in quotes or not. [FIELD=VALUE], the field by
 * its name in records or its key in rules, states what a connection knows and a request does not
 * (who logged in, which schema is in force). What is not stated is taken to be as an allow rule
 * wants it, where nothing else stands in its way. Facts without a request are a login. With
 * neither the connection is judged, and one that is open until requests come is an allow. The
 * verdict is what the policy says, whatever the mode.
 */
#ifndef POLICY_SENTENCE_H
#define POLICY_SENTENCE_H

#include "base/error.h"
#include "bridgewarden/policy.h"
#include "policy/load.h"

/* Is this a test sentence of this policy? 0; -EINVAL with what is wrong; -ENOMEM. */
int sentence_check(const struct policy *policy, const char *text, struct error *err);

/* Runs the policy's tests, without Docker or root. 0, also when tests fail: *n_failed counts them.
 * Writes a line for each failed test to report, and the explanation; NULL: nothing. Negative: it
 * could not run (-ENOMEM). Loading does not run the tests: whoever puts a policy into use calls
 * this after policy_load and keeps the old policy when *n_failed is not 0. */
int policy_run_tests(const struct policy *policy, FILE *report, size_t *n_failed);

/* Every candidate rule with what matched and what did not, the deciding rule, and the nearest
 * allow. With `live` FROM and TO are addresses or the names of identities in that image; else they
 * are made up as in tests. The expectation may be left out. 0: allowed, or as expected; 1: not;
 * -EINVAL: not a sentence; -ENOENT: the live image knows no such identity. */
int policy_sentence_explain(const struct policy *policy, const struct policy_image *live,
			    const char *sentence, FILE *out, struct error *err);

#endif
