/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One run: the lines of a row in one variant, between the raw peer and the real endpoint.
 * Afterwards an insistent peer: what was sent is sent again, also with the other bytes; then the
 * connection has to live (or, where it may have died, a new one has to work).
 *
 * What happened goes into struct outcome; judge.c compares it with the records.
 */
#ifndef EVASION_PLAY_H
#define EVASION_PLAY_H

#include "row.h"

enum {
	PLAY_PORTS = 4, /* how many port numbers a run may use up */
	PLAY_NOTE_MAX = 96,
};

struct outcome {
	bool is_done, is_broken; /* broken: the test itself failed, see note */
	bool has_evil, has_oob, has_strange_option;
	bool lives, is_fresh, was_answered;
	unsigned n_names, n_before_fresh;
	char names[APP_MESSAGES_MAX][TEXT_NAME_MAX];
	char wanted[2][TEXT_NAME_MAX]; /* the contended message, and the one behind it */
	bool wants_read, wants_denial, wants_life;
	unsigned client_port, server_port;
	unsigned ms;
	char note[PLAY_NOTE_MAX];
};

struct player {
	struct world *world;
	unsigned number; /* of the worker: decides the port */
	unsigned n_runs;
	uint32_t seed; /* of sequence numbers */
	bool is_bare;  /* nobody defends: do not wait for it */
	struct peer peer;
	struct app app;
	struct texts texts;
};

int player_init(struct player *p, struct world *w, unsigned number, bool is_bare, uint32_t seed);
void player_fini(struct player *p);
/* The two ends of a run, for who plays by other rules: the application of the variant (negative: it
 * cannot be had), and the peer's first sequence number. */
int player_open_app(struct player *p, const struct variant *v, unsigned client_port);
uint32_t player_isn(const struct player *p);
void player_run(struct player *p, const struct variant *v, struct outcome *out);

#endif
