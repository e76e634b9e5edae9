/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables and schemas that a statement names, in either dialect. Their names stand one behind the
 * other in one area of bytes that the statement owns; a table is where in it, so that the statement
 * is plain data. What a dialect takes for a name, and how it folds it, is decided before.
 */
#ifndef SQL_TABLE_H
#define SQL_TABLE_H

#include "bridgewarden/bytes.h"

enum {
	SQL_TABLES_MAX = 24, /* distinct tables of one statement; more are unproven */
	SQL_CTES_MAX = 8,    /* names of WITH; later ones count as tables */
};

/* name_n 0: the schema itself. schema_n 0: none was written. */
struct sql_table {
	uint16_t schema_at, name_at;
	uint8_t schema_n, name_n;
};

static inline struct bytes sql_table_schema(const struct sql_table *t, const uint8_t *names)
{
	return bytes_of(names + t->schema_at, t->schema_n);
}

static inline struct bytes sql_table_name(const struct sql_table *t, const uint8_t *names)
{
	return bytes_of(names + t->name_at, t->name_n);
}

/* Is a table of the same names one of the n? */
bool sql_table_is_in(const struct sql_table *t, const struct sql_table *list, size_t n,
		     const uint8_t *names);

/* To the n of a list of SQL_TABLES_MAX, each once; false when it is full. */
bool sql_table_add(struct sql_table *list, uint8_t *n, struct sql_table t, const uint8_t *names);

#endif
