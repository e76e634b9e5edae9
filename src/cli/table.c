/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/table.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CELL_BYTES = TABLE_CELL_MAX * 4 + 1 }; /* UTF-8 */

void table_init(struct table *table, const struct table_column *columns, size_t n_columns)
{
	*table = (struct table){.columns = columns, .n_columns = n_columns};
	for (size_t i = 0; i < n_columns; i++) {
		size_t title = strlen(columns[i].title);
		table->width[i] = title > columns[i].least ? title : columns[i].least;
	}
}

/* C0, DEL, and C1 as UTF-8 spells it (0xc2 0x80..0x9f). */
static bool is_control(const unsigned char *p)
{
	return p[0] < 0x20 || p[0] == 0x7f || (p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f);
}

const char *table_clean(const char *text, char *out, size_t size)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t n = 0;
	for (; *p && n + 1 < size; p++) {
		bool control = is_control(p);
		out[n++] = control ? '?' : (char)*p;
		p += control && p[0] == 0xc2;
	}
	out[n] = '\0';
	return out;
}

static bool is_tail(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

static size_t characters(const char *text)
{
	size_t n = 0;
	for (; *text; text++)
		n += !is_tail(*text);
	return n;
}

/* Cut before the first character too many. */
static void cut(char *text, size_t most)
{
	size_t n = 0;
	for (char *p = text; *p; p++) {
		n += !is_tail(*p);
		if (n > most) {
			*p = '\0';
			return;
		}
	}
}

static bool make_room(struct table *table)
{
	if (table->n_rows < table->room)
		return true;
	size_t room = table->room ? table->room * 2 : 16;
	char **cells = reallocarray(table->cells, room * table->n_columns, sizeof(*cells));
	if (!cells)
		return false;
	memset(cells + table->room * table->n_columns, 0,
	       (room - table->room) * table->n_columns * sizeof(*cells));
	table->cells = cells;
	table->room = room;
	return true;
}

void table_add(struct table *table, const char *text)
{
	char clean[CELL_BYTES];
	if (!make_room(table))
		return; /* no memory: the rest is missing, what is there is right */
	char **row = table->cells + table->n_rows * table->n_columns;
	size_t column = 0;
	while (row[column])
		column++;
	(void)table_clean(text && text[0] ? text : "-", clean, sizeof(clean));
	cut(clean, TABLE_CELL_MAX);
	row[column] = strdup(clean);
	size_t width = characters(clean);
	if (!table->is_streamed && width > table->width[column])
		table->width[column] = width;
	table->n_rows += column + 1 == table->n_columns && row[column];
}

static const char *color_of(const char *cell)
{
	if (strcmp(cell, "deny") == 0)
		return "\033[31m";
	return strcmp(cell, "allow") == 0 ? "\033[32m" : NULL;
}

static void print_cell(const struct table *table, size_t column, const char *text, FILE *out)
{
	size_t width = characters(text);
	size_t pad = table->width[column] > width ? table->width[column] - width : 0;
	bool is_last = column + 1 == table->n_columns;
	const char *color = table->color ? color_of(text) : NULL;
	if (table->columns[column].is_right)
		fprintf(out, "%*s", (int)pad, "");
	fprintf(out, "%s%s%s", color ? color : "", text, color ? "\033[0m" : "");
	if (!table->columns[column].is_right && !is_last)
		fprintf(out, "%*s", (int)pad, "");
	fputs(is_last ? "\n" : "  ", out);
}

void table_flush(struct table *table, FILE *out)
{
	for (size_t i = 0; i < table->n_columns && !table->said_title; i++)
		print_cell(table, i, table->columns[i].title, out);
	table->said_title = true;
	for (size_t row = 0; row < table->n_rows; row++) {
		for (size_t i = 0; i < table->n_columns; i++) {
			char **cell = &table->cells[row * table->n_columns + i];
			print_cell(table, i, *cell, out);
			free(*cell);
			*cell = NULL;
		}
	}
	table->n_rows = 0;
	(void)fflush(out); /* the caller's stream; a closed one shows at its next write */
}

void table_fini(struct table *table)
{
	for (size_t i = 0; i < table->room * table->n_columns; i++)
		free(table->cells[i]);
	free(table->cells);
	*table = (struct table){0};
}
