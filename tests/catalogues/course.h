/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One run: an honest client (or server) whose packets pass through a strategy, against a real Linux
 * endpoint, and then somebody wholly honest who wants to use the same service.
 *
 * The speaker has a message to bring across: an allowed one, a forbidden one, or an allowed one and
 * then a forbidden one on the same connection, for whom the strategy has made the firewall forget
 * it.
 */
#ifndef CATALOGUES_COURSE_H
#define CATALOGUES_COURSE_H

#include "act.h"

#include "../evasion/steps.h"

enum course_want { WANT_ALLOWED, WANT_FORBIDDEN, WANT_LATER, N_WANTS };

/* In what variant a strategy is tried. */
struct choice {
	enum row_role role;
	unsigned version;
	enum peer_options options;
	enum course_want want;
	enum row_start start;
	enum act_fake fake;
	bool far; /* behind the firewall there is a router, where small TTLs end */
	enum row_ports ports;
};

struct result {
	struct outcome outcome; /* as tests/evasion judges it */
	unsigned n_fired;	/* how often the strategy had something to do */
	bool is_open;		/* the handshake came to its end */
	bool says_more; /* bytes behind the message were sent: another unit, with its own verdict */
	bool is_same;	/* what was read is what a speaker without a strategy would have had read */
};

/* What tests/evasion wants to know of a run. */
struct variant course_variant(const struct choice *c, bool is_udp);

void course_run(struct player *who, const struct choice *c, const struct strategy *s, uint32_t die,
		struct result *out);

#endif
