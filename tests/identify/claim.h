/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who claims these first bytes? Each dissector is asked as the engine asks: over TCP again with
 * each byte more, until it has claimed or refused; over UDP once.
 */
#ifndef IDENTIFY_CLAIM_H
#define IDENTIFY_CLAIM_H

#include <netinet/in.h>
#include <stdlib.h>

#include "bridgewarden/dissect.h"

enum { CLAIM_BYTES_MAX = 4096 }; /* of a side's first bytes, one by one */

static inline void claim_event(void *ctx, const struct dis_event *event)
{
	bool *is_claimed = ctx;
	*is_claimed |= event->kind == DIS_CLAIM;
}

static inline void claim_edit(void *ctx, size_t offset, struct bytes replacement)
{
	(void)ctx, (void)offset, (void)replacement; /* only the claim counts */
}

/* A copy of its own, so that a sanitizer sees a read past the end. */
static inline enum dis_status claim_ask(const struct dissector *d, uint8_t ip_proto,
					enum dis_dir dir, struct bytes in, bool *is_claimed)
{
	_Alignas(16) static uint8_t state[DIS_STATE_MAX];
	const struct dis_sink sink = {.event = claim_event, .edit = claim_edit, .ctx = is_claimed};
	uint8_t *copy = malloc(in.n);
	if (!copy)
		abort();
	memcpy(copy, in.p, in.n);
	memset(state, 0, d->state_size);
	const enum dis_status status =
		d->feed(state, ip_proto, dir, bytes_of(copy, in.n), &sink).status;
	free(copy);
	return status;
}

static inline bool claim_does(const struct dissector *d, uint8_t ip_proto, enum dis_dir dir,
			      struct bytes in)
{
	bool is_claimed = false;
	size_t n = ip_proto == IPPROTO_UDP ? in.n : 1;
	if (in.n == 0 || (d->ip_protos[0] != ip_proto && d->ip_protos[1] != ip_proto))
		return false;
	for (; n <= in.n && n <= CLAIM_BYTES_MAX && !is_claimed; n++) {
		const struct bytes start = bytes_slice(in, 0, n);
		if (claim_ask(d, ip_proto, dir, start, &is_claimed) != DIS_MORE)
			break;
	}
	return is_claimed;
}

#endif
