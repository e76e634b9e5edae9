/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words of a line: positions, pieces of messages, and what is special about a segment. */
#ifndef EVASION_SCRIPT_H
#define EVASION_SCRIPT_H

#include "peer.h"
#include "row.h"

struct script_data {
	uint8_t bytes[FRAME_MAX];
	size_t n;
	int32_t at; /* where in the stream its first byte belongs */
};

/* Each returns false for a word that it does not know. `header`: what `h` means. */
bool script_position(const struct texts *t, size_t header, const char *word, int32_t *out);
bool script_data(const struct texts *t, const char *word, struct script_data *out);

/* Reads words from `first` on; a position @P moves the data. */
bool script_whims(const struct texts *t, const struct row_line *l, unsigned first,
		  struct script_data *data, struct peer_whim *whim);

#endif
