/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compile's second half: for each set of atoms the rules whose `from`, and whose `to`, it
 * satisfies, as rows of bits. */
#ifndef POLICY_ROWS_H
#define POLICY_ROWS_H

#include "policy/match.h"

/* rows: as image.h has them, n_sets * 2 of image_sums_of(n_words) + n_words, zeroed. `rules` are
 * indexes in policy->rules: bit i is rules[i]. 0 or -ENOMEM. */
int rows_fill(const struct policy *policy, const uint32_t *rules, size_t n_rules,
	      const struct matching *matching, uint64_t *rows, size_t n_words);

#endif
