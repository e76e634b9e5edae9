/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What decide.c and explain.c share: which rules are candidates, and whether a rule fits an event.
 * Pure. */
#ifndef POLICY_JUDGE_H
#define POLICY_JUDGE_H

#include "policy/image.h"

/* Goes over the candidates of a subject: the stored ones, or the bitsets when they did not fit. */
struct walk {
	const struct policy_image *image;
	const struct policy_subject *subject;
	const struct policy_candidates *candidates; /* NULL: the bitsets */
	const uint64_t *from, *to;
	uint64_t sums, bits; /* what is left of the sums at hand, and of the word at hand */
	uint32_t word;	     /* the word at hand */
	uint32_t next;	     /* candidate, or sums */
};

struct walk walk_start(const struct policy_image *image, const struct policy_subject *subject,
		       const struct policy_candidates *candidates);
/* NULL at the end. */
const struct image_rule *walk_next(struct walk *walk, uint32_t *number);

bool rule_takes_protocol(const struct image_rule *rule, uint8_t ip_proto);
bool rule_takes_port(const struct policy_image *image, const struct image_rule *rule,
		     uint16_t port);

enum fit {
	FIT_NO,
	FIT_YES,
	FIT_UNPARSED, /* the fields that decide could not be proven */
	FIT_OPAQUE,   /* it cannot be read, and the rule wants to read */
};

/* Does a rule of the event's own application fit it? A deny that fits because of what could not be
 * proven or read says so: UNPARSED and OPAQUE are denials there, and failures to allow for an
 * allow. */
enum fit rule_fits_event(const struct policy_image *image, const struct image_rule *rule,
			 const struct dis_event *event);

/* The first key of an item that keeps the item from fitting; NULL: none does. */
const struct image_key *item_failure(const struct policy_image *image,
				     const struct image_rule *rule, const struct image_item *item,
				     const struct dis_event *event);

/* Event flag of sentences alone: what the request does not state is taken to be as an allow wants
 * it. */
#define JUDGE_ASSUMES (UINT32_C(1) << 31)

/* policy_decide_event() that heeds JUDGE_ASSUMES. */
void judge_event(const struct policy_image *image, const struct policy_subject *subject,
		 const struct policy_candidates *candidates, uint8_t app,
		 const struct dis_event *event, struct policy_decision *out);

#endif
