/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the server's own table says of every command: its name, where its keys stand, its ACL
 * categories. The rows are generated (generate.py), sorted by name. A subcommand's row is named as
 * Redis ACL spells it, "config|get"; a command that only has subcommands is a container, and in
 * policy a group of them.
 */
#ifndef REDIS_COMMANDS_H
#define REDIS_COMMANDS_H

#include "bridgewarden/dissect.h"

/* How keys are found. Those below REDIS_UNKNOWN are described by first, last and step; the last
 * ones each have a grammar of their own. */
enum redis_how {
	REDIS_NONE,
	REDIS_RANGE,	/* first..last; last < 0 counts from the end: -1 is the last argument */
	REDIS_COUNTED,	/* the argument `first` is a number, that many keys follow */
	REDIS_CHANNELS, /* a range of channels of publish and subscribe */
	REDIS_PATTERNS, /* a range of glob patterns of channels */
	REDIS_UNKNOWN,
	REDIS_XREAD,
	REDIS_XREADGROUP,
	REDIS_SORT,
	REDIS_SORT_RO,
	REDIS_GEORADIUS,
	REDIS_GEORADIUSBYMEMBER,
	REDIS_MIGRATE,
};

enum { REDIS_SPECS_MAX = 2, REDIS_NAME_MAX = 32 };

struct redis_spec {
	enum redis_how how;
	int first, last, step;
};

struct redis_command {
	char name[REDIS_NAME_MAX];
	bool is_container;
	struct redis_spec specs[REDIS_SPECS_MAX];
};

extern const struct redis_command redis_commands[];
extern const size_t n_redis_commands;

/* For the field table: every name that is not a container, and the groups: categories and
 * containers. */
extern const char *const redis_words[];
extern const struct dis_group redis_groups[];

#endif
