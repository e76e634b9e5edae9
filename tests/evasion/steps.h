/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The steps of a run: waiting, opening a connection, and each kind of line that rows.txt has.
 */
#ifndef EVASION_STEPS_H
#define EVASION_STEPS_H

#include "play.h"
#include "script.h"

enum { STEP_AGAIN_MS = 70 /* the peer's retransmission timer */ };

/* One run in progress. */
struct play {
	struct player *who;
	const struct variant *v;
	struct outcome *out;
	struct peer *peer;
	struct app *app;
	const struct texts *t;
	size_t app_most;
	struct script_data data;
	struct peer_whim whim;
	uint8_t first[TEXT_MAX]; /* the first copy of each byte of the contended message */
	bool has_first[TEXT_MAX];
};

typedef bool step_happened_fn(const struct play *p,
			      int32_t argument); /* a table needs a name for it */

extern const struct peer_whim step_ordinary;

long step_now_ms(void);

/* Whether it happened within that time. */
bool step_await(struct play *p, long ms, step_happened_fn *happened, int32_t argument);

bool step_has_messages(const struct play *p, int32_t n); /* read and, by a server, answered */
bool step_has_acked(const struct play *p, int32_t position);
bool step_is_refused(const struct play *p, int32_t argument);
bool step_never(const struct play *p, int32_t argument);

/* The test itself failed; only the first reason is kept. */
void step_broken(struct play *p, const char *why, int line);

const char *step_own_address(const struct variant *v);
const char *step_peer_address(const struct variant *v);
unsigned step_server_port(const struct player *who, const struct variant *v);
void step_begin_peer(struct player *who, const struct variant *v, unsigned client_port,
		     uint32_t isn);

bool step_open(struct play *p, const struct peer_whim *whim);

/* What was read and answered so far does not count. */
void step_forget(struct play *p);

void step_run(struct play *p, const struct row_line *l);

#endif
