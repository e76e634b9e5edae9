/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the dissectors of SQL servers put values and the names of tables into an event. Which fields
 * there are, and which schema a bare name belongs to, each of them knows itself.
 *
 * What must stay true: a text that finds no room is said, so that the caller makes the event
 * unproven. Numbers are for the record only.
 */
#ifndef SQL_EVENT_H
#define SQL_EVENT_H

#include "bridgewarden/dissect.h"
#include "sql/sql_calls.h"
#include "sql/sql_digest.h"

/* The qualified names of one event: a statement may write them with blanks, or not at all. */
struct sql_qualified {
	size_t n;
	uint8_t text[2048];
};

/* One more of the *n values; an empty text is none. False: no room. */
bool sql_event_put_text(struct dis_value *v, size_t *n, unsigned field, struct bytes text);
void sql_event_put_number(struct dis_value *v, size_t *n, unsigned field, uint64_t number);
bool sql_event_has(const struct dis_value *v, size_t n, unsigned field, struct bytes text);

/* "schema.name"; empty when there is no room. Neither of the two is empty. */
struct bytes sql_event_qualify(struct sql_qualified *q, struct bytes schema, struct bytes name);

/* What a statement is besides its verb and tables, in the words that both dialects share. */
struct sql_facts {
	const struct sql_calls *calls;
	const struct sql_index *functions;
	const uint8_t *names;
	const struct sql_digest *digest;
	bool is_unproven;
	bool changes_rows; /* UPDATE and DELETE: is there a WHERE? */
	bool has_where;
	unsigned place; /* in its packet, from 1 */
};

/* Where the fields of the caller are. */
struct sql_fact_fields {
	uint16_t functions, where, statements, digest;
};

extern const char *const sql_event_where_words[];

/* False: no room for all. `text` lives as long as the event. */
bool sql_event_put_facts(struct dis_value *v, size_t *n, const struct sql_fact_fields *fields,
			 const struct sql_facts *f, char text[SQL_DIGEST_TEXT]);

/* A name with a dot in quotes: "a.b" must not read as the table b of a. */
bool sql_event_is_ambiguous(struct bytes schema, struct bytes name);

#endif
