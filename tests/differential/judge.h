/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A protocol in which every byte counts, and the log of what its dissector was shown.
 *
 * The first byte of a unit says how long the unit is and whether policy refuses it, so a stream
 * with other bytes is a stream of other units. This is the whole table of dissectors of the test
 * program: it stands where proto/table.c stands in the daemon. It writes to the log, which no real
 * dissector may do.
 */
#ifndef DIFFERENTIAL_JUDGE_H
#define DIFFERENTIAL_JUDGE_H

#include "bridgewarden/dissect.h"

enum {
	JUDGE_STREAM_MAX = 1 << 14,
	JUDGE_NONE = JUDGE_STREAM_MAX + 1, /* no such place */
};

/* What was judged of one connection, per direction. */
struct judged {
	uint8_t bytes[2][JUDGE_STREAM_MAX];
	uint32_t n[2];
	uint32_t refused_end[2]; /* one past the first unit that is refused, or JUDGE_NONE */
	uint32_t unit;		 /* how long units are: 1 to 1 + 7 * unit bytes */
	bool is_logged;		 /* what is shown now belongs to that connection */
	bool has_refusals;	 /* some units are refused */
	bool spares_replies;	 /* replies need not be shown */
	bool claims_early;	 /* at the first byte, not the first unit */
	bool is_patient;	 /* asks for the whole unit, not for the next byte */
	const char *fault;	 /* what was shown contradicts itself; NULL: sound */
};

/* The connection that the engine works on now. */
extern struct judged judge;

/* How far the log goes. What was shown in a turn that an engine did not survive was never
 * judged. */
struct judged_mark {
	uint32_t n[2], refused_end[2];
};

struct judged_mark judge_mark(void);
void judge_return(const struct judged_mark *mark);

/* Everything else is false. */
void judge_restart(uint32_t unit);
/* Bytes that will be shown next, at offset `at` of the direction: the same rules hold. */
void judge_note(enum dis_dir dir, uint32_t at, struct bytes shown);

#endif
