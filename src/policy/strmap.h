/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a text to the number given to it, in the order of arrival: how selectors, names and strings
 * are made unique while a policy is loaded and compiled. Control path only; keys come from the
 * administrator's files and Docker's names.
 */
#ifndef POLICY_STRMAP_H
#define POLICY_STRMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STRMAP_NONE UINT32_MAX

struct strmap_slot {
	char *key; /* owned; NULL: free slot */
	size_t length;
	uint64_t hash;
	uint32_t value;
};

/* Zeroed memory is an empty map. Invariant: more than a quarter of the slots are free. */
struct strmap {
	struct strmap_slot *slots;
	size_t n_slots, n;
};

void strmap_fini(struct strmap *map);
uint32_t strmap_find(const struct strmap *map, const void *key, size_t length);
/* Puts `value` for a key that is not there. 0 or -ENOMEM. */
int strmap_put(struct strmap *map, const void *key, size_t length, uint32_t value);

#endif
