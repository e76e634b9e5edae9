/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What policy_explain() says, as lines: one a rule, then the allow that came nearest when no rule
 * decided: the one whose first failing matcher comes last in the order in which a flow is judged:
 * ends, port, application, request.
 */
#ifndef OUTPUT_EXPLAINED_H
#define OUTPUT_EXPLAINED_H

#include "bridgewarden/policy.h"

#include <jansson.h>

enum { EXPLAINED_LINES_MAX = 1000 };

/* Zeroed memory is empty. */
struct explained {
	json_t *lines;	 /* owned array; NULL until the first */
	json_t *nearest; /* borrowed from lines; NULL: no allow failed */
	unsigned nearest_rank;
	bool is_decided;
	size_t n_left_out;
};

struct explained_rule {
	const char *name; /* borrowed */
	bool is_allow;
};

void explained_add(struct explained *explained, const struct explained_rule *rule,
		   const struct policy_explanation *e);
/* The i-th line, the nearest rule and what was left out being the last; NULL: no more. New
 * reference. */
json_t *explained_line(const struct explained *explained, size_t i);
void explained_fini(struct explained *explained);

#endif
