/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compares what the real application read with what the records say was judged, and both with what
 * the row says must happen.
 */
#ifndef EVASION_JUDGE_H
#define EVASION_JUDGE_H

#include "play.h"

enum { JUDGE_ALLOWED_MAX = 12 };

/* What the records say of one pair of ports. */
struct judged {
	unsigned client_port, server_port, n_denied, n_allowed;
	char allowed[JUDGE_ALLOWED_MAX][TEXT_NAME_MAX];
	char reason[24]; /* of the first denial */
};

struct records {
	struct judged *judged; /* a hash table by ports */
	size_t room, n;
};

int records_read(struct records *r, const char *path);
void records_free(struct records *r);

/* NULL: good. Else what is wrong, in words; `text` is room for them. */
const char *judge(const struct records *r, const struct variant *v, const struct outcome *o,
		  char text[160]);

/* Without a defence: did the attack reach the application? */
bool judge_bypassed(const struct outcome *o);

#endif
