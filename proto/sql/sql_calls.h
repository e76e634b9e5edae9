/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The functions that a statement calls, each once: those of the servers as a place in the dialect's
 * list of words that may stand before a parenthesis, and the first other one by its name. Behind
 * that one the statement is unproven, and nothing more is learned.
 */
#ifndef SQL_CALLS_H
#define SQL_CALLS_H

#include "bridgewarden/dissect.h"
#include "sql/sql_list.h"

enum { SQL_CALLS_MAX = 24 }; /* different ones in one statement; more are unproven */

struct sql_calls {
	uint16_t known[SQL_CALLS_MAX];
	uint16_t other_at; /* in the names of the statement */
	uint8_t n, other_n;
};

/* False: no room. Words that are no function (IN, VALUES) are left out here. */
bool sql_calls_add(struct sql_calls *c, const struct sql_index *words, struct bytes name);

/* Their names, as values of an event; false: no room. */
bool sql_calls_put(const struct sql_calls *c, const struct sql_index *words, const uint8_t *names,
		   struct dis_value *v, size_t *n, unsigned field);

#endif
