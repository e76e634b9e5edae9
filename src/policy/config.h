/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The settings part of a policy file as a table, read and printed by the same rows. load.h
 * documents them for people. */
#ifndef POLICY_CONFIG_H
#define POLICY_CONFIG_H

#include "policy/node.h"

extern const struct word mode_words[];
/* Rows for the top level of the file; offsets are from struct policy. */
extern const struct key config_keys[];
/* The other rows of the top level. src/policy/load.c */
extern const struct key file_keys[];
/* Of a `manage` that is a mapping. */
extern const struct key manage_keys[];

/* 0 or -ENOMEM. */
int config_defaults(struct policy *policy);
/* What no single key can tell. */
void config_check(struct loading *l);
/* What differs from the defaults. */
void config_print(const struct policy *policy, const struct policy *defaults, FILE *out);
/* A scalar that reads back as the same text: plain where it safely can be, else in double quotes.
 */
void print_scalar(const char *text, FILE *out);

#endif
