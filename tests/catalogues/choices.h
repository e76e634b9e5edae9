/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which runs there are: each strategy of the shelf in the variants in which it makes sense, all of
 * them or as many as its catalogue asks for, chosen by a hash of name and seed.
 */
#ifndef CATALOGUES_CHOICES_H
#define CATALOGUES_CHOICES_H

#include "catalogue.h"
#include "course.h"

enum { CHOICE_NAME = CATALOGUE_NAME + 64 };

struct run {
	uint32_t entry;
	struct choice choice;
};

/* Returns how many; at most `room` are written. */
size_t choices_expand(const struct shelf *s, uint32_t seed, struct run *out, size_t room);

/* "geneva/c-01/client/ip4/ts/allowed/cold/other/near/watched" */
void choice_name(const struct shelf *s, const struct run *r, char out[CHOICE_NAME]);

uint32_t choice_hash(const char *name, uint32_t seed);

#endif
