/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists of tables. Names compare byte by byte: a dialect that folds case has done so. */
#include "sql/sql_table.h"

bool sql_table_is_in(const struct sql_table *t, const struct sql_table *list, size_t n,
		     const uint8_t *names)
{
	for (size_t i = 0; i < n; i++)
		if (bytes_equal(sql_table_schema(t, names), sql_table_schema(&list[i], names)) &&
		    bytes_equal(sql_table_name(t, names), sql_table_name(&list[i], names)))
			return true;
	return false;
}

bool sql_table_add(struct sql_table *list, uint8_t *n, struct sql_table t, const uint8_t *names)
{
	if (sql_table_is_in(&t, list, *n, names))
		return true;
	if (*n == SQL_TABLES_MAX)
		return false;
	list[(*n)++] = t;
	return true;
}
