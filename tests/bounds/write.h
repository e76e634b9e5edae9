/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes of a turn, written piece by piece: what the generators of conversations share. One text at
 * a time; too much of it is the generator's mistake and ends the program.
 */
#ifndef BOUNDS_WRITE_H
#define BOUNDS_WRITE_H

#include "talk.h"

struct text {
	uint8_t bytes[TALK_BYTES_MAX];
	size_t n;
};

extern struct text written; /* of the turn at work */

void write_bytes(struct bytes b);
void write_text(const char *s);
/* Whole copies of s as long as all is below so many bytes. */
void write_copies(const char *s, size_t below);
/* Big-endian, of 1 to 4 bytes. */
void write_number(uint32_t v, unsigned size);
void write_number_at(size_t at, uint32_t v, unsigned size);
/* The turn is whole: it goes to the conversation, and another may begin. */
void write_turn(struct talk *t, enum dis_dir dir);

#endif
