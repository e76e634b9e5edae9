/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program: what a hostile sender puts on the wire within one connection, as a list that people
 * can read and that can be shortened.
 *
 * Positions are offsets from the sender's first byte. Each segment says whose copy of the bytes it
 * carries: two copies differ in every byte, and a copy differs from itself one place further, so
 * bytes that were exchanged or moved show. Copy 0 is what an honest sender would say.
 */
#ifndef DIFFERENTIAL_PROGRAM_H
#define DIFFERENTIAL_PROGRAM_H

#include "dice.h"

#include <stdio.h>

enum {
	PROGRAM_STEPS_MAX = 40,
	PROGRAM_SEGMENTS_MAX = 12,
	PROGRAM_COPIES = 16,
	PROGRAM_BYTES_MAX = 12 * 1024,
	PROGRAM_ROOMS = 5, /* sizes of the receiver's buffer */
	TS_NONE = INT32_MIN,
};

enum step_kind {
	STEP_SEGMENT,
	STEP_READ,   /* the receiver's application takes what is there */
	STEP_WAIT,   /* time passes */
	STEP_DEATH,  /* the engine dies and another goes on from its memory */
	STEP_RELOAD, /* a new generation of the policy */
};

struct step {
	enum step_kind kind;
	uint8_t flags, copy;
	int32_t at;
	uint32_t n; /* bytes; STEP_WAIT: milliseconds; STEP_DEATH: calls of the next turn until it
		       dies, 0: at once */
	int32_t ack, ts; /* from what an honest sender would say; ts may be TS_NONE */
	uint16_t window, urgent;
};

struct program {
	uint64_t number;
	struct step steps[PROGRAM_STEPS_MAX];
	uint32_t n_steps;
	uint32_t total;	 /* bytes that an honest sender would say */
	uint32_t isn[2]; /* of the sender; of a receiver that is a model */
	uint64_t dice;	 /* for what else is random while it runs */
	uint8_t room;	 /* which size of buffer, 0: roomy */
	uint8_t unit;	 /* judge.unit */
	uint8_t wscale;	 /* of a receiver that is a model */
	bool is_v6, has_ts, has_sack;
	bool sender_is_server;
	bool has_refusals, spares_replies, claims_early, is_patient; /* of the judge */
	bool has_syn_data, skips_ack;				     /* of the handshake */
	bool is_finished; /* an honest sender says everything at the end */
};

void program_make(struct program *p, uint64_t number);
/* All overlaps of three chunks: program `number` of program_n_overlaps(). */
uint64_t program_n_overlaps(void);
void program_make_overlap(struct program *p, uint64_t number);
/* How many different triples of Allen's relations between three chunks are among them. */
unsigned program_n_relations(void);

uint8_t program_byte(uint8_t copy, int32_t at);
void program_print(const struct program *p, FILE *out);

/* Tries to make the program smaller as long as `fails` says yes; at most `tries` runs. */
void program_shrink(struct program *p, bool (*fails)(const struct program *p, void *ctx), void *ctx,
		    unsigned tries);

#endif
