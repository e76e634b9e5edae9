/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signs of a tunnel: what a name looks like, and how many different ones were asked for under one
 * zone. Data that leaves by DNS leaves in names, so its names are long, look random, and none is
 * asked for twice. No sign proves anything: a rule or a reader weighs them.
 *
 * The zone stands for what somebody can register. It is the last two labels, or three where those
 * are like "co.uk". What is below it is the
 * part that whoever owns the zone chooses.
 */
#ifndef DNS_SIGNS_H
#define DNS_SIGNS_H

#include "dns_message.h"

enum {
	SIGNS_ZONES = 8,     /* with names below them that are counted at a time */
	SIGNS_NAMES = 512,   /* places for the names of one; more cannot be told apart */
	SIGNS_PER_BIT = 100, /* entropy is in hundredths of a bit */
};

/* Zeroed: free. seen: a bit for each name that fell there, n: how many are set, so a lower bound of
 * how many names there were. */
struct signs_zone {
	uint64_t zone;
	uint8_t seen[SIGNS_NAMES / 8];
	uint16_t n;
	uint8_t unused[6];
};

struct signs {
	struct signs_zone zones[SIGNS_ZONES];
};

/* Octets of the longest label. */
unsigned signs_label_length(const struct dns_name *name);
/* Of the octets below the zone, letters in small, dots left out: hundredths of a bit for each. 0:
 * there are none, or only one kind. */
unsigned signs_entropy(const struct dns_name *name);
/* Counts the name; how many different ones were seen below its zone, this one included. */
unsigned signs_count(struct signs *s, const struct dns_name *name);

#endif
