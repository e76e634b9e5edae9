/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which command the arguments are, and which of them are keys or channels.
 *
 * "Unproven" is the answer whenever the server might see another key than those listed: the command
 * is not in the table, its options are not the known ones, a position lies outside what is known.
 */
#ifndef REDIS_KEYS_H
#define REDIS_KEYS_H

#include "redis_commands.h"
#include "redis_wire.h"

enum { REDIS_TOUCHED_MAX = 72, REDIS_LABEL_MAX = 64 };

/* Positions of arguments, with the role of each. */
struct redis_touched {
	uint16_t at[REDIS_TOUCHED_MAX];
	enum redis_how
		role[REDIS_TOUCHED_MAX]; /* REDIS_RANGE for keys, REDIS_CHANNELS, REDIS_PATTERNS */
	size_t n;
	bool is_unproven;
};

/* row: NULL when the table does not know the command. label: its name as policy spells it, lower
 * case. */
struct redis_named {
	const struct redis_command *row;
	uint8_t label[REDIS_LABEL_MAX];
	size_t n_label;
};

/* A lower-case name as in the table; NULL when it is not there. */
const struct redis_command *redis_find(struct bytes name);
/* args holds at least the name. */
void redis_name(const struct redis_args *args, struct redis_named *out);
/* Does it reach keys that it does not name: the whole database, or whatever a script wants? */
bool redis_touches_all(const struct redis_named *named);
void redis_touch(const struct redis_named *named, const struct redis_args *args,
		 struct redis_touched *out);

#endif
