/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Patterns: * is any run of bytes, ? is any one byte, a backslash takes the next byte literally.
 * Under DIS_MATCH_PATH
 * * and ? do not match '/', ** matches everything. Bytes, not characters: no locale changes what a
 * rule means.
 *
 * The pattern is the policy's and short; the text is hostile. The cost is at most their product,
 * whatever the text.
 */
#ifndef POLICY_GLOB_H
#define POLICY_GLOB_H

#include "bridgewarden/dissect.h"

enum { GLOB_MAX = 255 }; /* bytes of a pattern; the matcher keeps one bit per byte on its stack */

/* NULL when the pattern can be used, else what is wrong with it. */
const char *glob_check(struct bytes pattern);
bool glob_is_literal(struct bytes pattern);
/* kind: DIS_MATCH_GLOB, _NOCASE or _PATH; DIS_MATCH_WORD compares as a whole, case folded. */
bool glob_match(enum dis_match kind, struct bytes pattern, struct bytes text);

#endif
