/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Columns for people. Cells may hold what strangers chose (paths, queries, names), so nothing that
 * a terminal would obey gets through: control characters are shown as '?', and a cell is cut at
 * TABLE_CELL_MAX characters.
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { TABLE_COLUMNS_MAX = 12, TABLE_CELL_MAX = 60 };

struct table_column {
	const char *title;
	size_t least;  /* width; what a stream of rows is laid out by */
	bool is_right; /* numbers */
};

struct table {
	const struct table_column *columns;
	size_t n_columns;
	char **cells; /* n_rows * n_columns, owned */
	size_t n_rows, room;
	size_t width[TABLE_COLUMNS_MAX];
	bool is_streamed; /* rows are printed as they are complete */
	bool color;
	bool said_title;
};

void table_init(struct table *table, const struct table_column *columns, size_t n_columns);
/* The next cell, left to right, row by row; NULL and "" show "-". */
void table_add(struct table *table, const char *text);
/* Prints what waits. */
void table_flush(struct table *table, FILE *out);
void table_fini(struct table *table);
/* text with everything that a terminal would obey replaced. Returns out. */
const char *table_clean(const char *text, char *out, size_t size);

#endif
