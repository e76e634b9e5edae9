/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Open addressing with linear probing over a power of two of slots; entries are never removed. */
#include "policy/strmap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS_FIRST = 64 };

void strmap_fini(struct strmap *map)
{
	for (size_t i = 0; i < map->n_slots; i++)
		free(map->slots[i].key);
	free(map->slots);
	*map = (struct strmap){0};
}

/* FNV-1a, then mixed once more because only the low bits choose the slot. */
static uint64_t hash_of(const uint8_t *p, size_t n)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	return h ^ h >> 29;
}

static struct strmap_slot *slot_for(const struct strmap *map, uint64_t hash, const void *key,
				    size_t length)
{
	size_t mask = map->n_slots - 1;
	for (size_t i = hash & mask;; i = (i + 1) & mask) {
		struct strmap_slot *s = &map->slots[i];
		if (!s->key ||
		    (s->hash == hash && s->length == length && memcmp(s->key, key, length) == 0))
			return s;
	}
}

uint32_t strmap_find(const struct strmap *map, const void *key, size_t length)
{
	if (map->n_slots == 0)
		return STRMAP_NONE;
	const struct strmap_slot *s = slot_for(map, hash_of(key, length), key, length);
	return s->key ? s->value : STRMAP_NONE;
}

static int grow(struct strmap *map)
{
	struct strmap bigger = {.n_slots = map->n_slots ? map->n_slots * 2 : SLOTS_FIRST};
	bigger.slots = calloc(bigger.n_slots, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	bigger.n = map->n;
	for (size_t i = 0; i < map->n_slots; i++) {
		const struct strmap_slot *s = &map->slots[i];
		if (s->key)
			*slot_for(&bigger, s->hash, s->key, s->length) = *s;
	}
	free(map->slots);
	*map = bigger;
	return 0;
}

int strmap_put(struct strmap *map, const void *key, size_t length, uint32_t value)
{
	if (map->n_slots == 0 || map->n + 1 > map->n_slots / 4 * 3)
		if (grow(map) < 0)
			return -ENOMEM;
	char *copy = malloc(length + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, key, length);
	copy[length] = '\0';
	uint64_t hash = hash_of(key, length);
	*slot_for(map, hash, key, length) =
		(struct strmap_slot){.key = copy, .length = length, .hash = hash, .value = value};
	map->n++;
	return 0;
}
