/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bw-sqlread: what the readers of SQL say of a text, for drivers that ask a real server the same.
 *
 *	standard input   records: dialect (1 byte: m MySQL and MariaDB, p PostgreSQL), length
 *	                 (4 bytes, low first), text
 *	standard output  one line for each record: its statements, a tab between two; of each
 *	                 VERB PROVEN TABLE,TABLE...   with PROVEN 0 or 1, and schema.name or .name;
 *	                 bytes of names that are not letters, digits or _ as %xx
 */
#include <stdio.h>
#include <stdlib.h>

#include "postgres/pgsql.h"
#include "sql/sql.h"

enum { TEXT_MAX = 1 << 20 };

static void put_name(struct bytes name)
{
	for (size_t i = 0; i < name.n; i++) {
		const uint8_t c = name.p[i], l = byte_lower(c);
		const bool is_plain = (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || c == '_';
		(void)printf(is_plain ? "%c" : "%%%02x", c); /* the driver sees a cut line */
	}
}

static void put_tables(const struct sql_table *tables, size_t n, const uint8_t *names)
{
	for (size_t i = 0; i < n; i++) {
		if (i)
			(void)putchar(',');
		put_name(sql_table_schema(&tables[i], names));
		(void)putchar('.');
		put_name(sql_table_name(&tables[i], names));
	}
}

static void read_mysql(struct bytes text)
{
	static struct sql s;
	sql_init(&s, true);
	for (bool is_first = true; text.n; sql_next(&s)) {
		text = bytes_from(text, sql_feed(&s, text));
		if (!s.is_end)
			sql_finish(&s);
		if (!s.has_token)
			continue;
		(void)printf("%s%s %d ", is_first ? "" : "\t", sql_verb_words[s.verb],
			     !s.is_unproven);
		put_tables(s.tables, s.n_tables, s.names);
		is_first = false;
	}
}

static void read_postgres(struct bytes text)
{
	static struct pgsql s;
	pgsql_init(&s, true);
	for (bool is_first = true; text.n && !s.is_nul; pgsql_next(&s)) {
		text = bytes_from(text, pgsql_feed(&s, text));
		if (!s.is_end)
			pgsql_finish(&s);
		if (!s.has_token)
			continue;
		(void)printf("%s%s %d ", is_first ? "" : "\t", pgsql_verb_words[s.verb],
			     !s.is_unproven);
		put_tables(s.tables, s.n_tables, s.names);
		is_first = false;
	}
}

int main(void)
{
	static uint8_t text[TEXT_MAX];
	uint8_t head[5];
	while (fread(head, 1, sizeof(head), stdin) == sizeof(head)) {
		const size_t n = head[1] | (size_t)head[2] << 8 | (size_t)head[3] << 16 |
				 (size_t)head[4] << 24;
		if (n > sizeof(text) || fread(text, 1, n, stdin) != n)
			return EXIT_FAILURE;
		if (head[0] == 'm')
			read_mysql(bytes_of(text, n));
		else
			read_postgres(bytes_of(text, n));
		(void)putchar('\n');
		(void)fflush(stdout); /* the next read would fail as well */
	}
	return EXIT_SUCCESS;
}
