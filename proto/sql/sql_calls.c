/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Words before a parenthesis are mostly grammar, and what is left are functions. */
#include "sql/sql_calls.h"

#include "sql/sql_event.h"

/* Of both dialects: clauses, operators, types with a length. */
/* clang-format off */
static const char *const no_functions[] = {
	"against", "all", "and", "any", "array", "as", "between", "binary", "bit", "by", "case",
	"char", "character", "check", "collate", "conflict", "cube", "datetime", "dec", "decimal",
	"default", "distinct", "distinctrow", "div", "double", "else", "end", "escape", "except",
	"exists", "filter", "float", "from", "group", "having", "high_priority", "ilike", "in",
	"include", "index", "inherits", "intersect", "interval", "into", "is", "isnull", "join",
	"key", "lateral", "like", "limit", "national", "nchar", "not", "notnull", "numeric", "of",
	"offset", "on", "only", "or", "order", "over", "partition", "precision", "references",
	"regexp", "returning", "rlike", "rollup", "row", "rows", "select", "set", "sets", "signed",
	"similar", "some", "sql_big_result", "sql_buffer_result", "sql_cache",
	"sql_calc_found_rows", "sql_no_cache", "sql_small_result", "straight_join", "table",
	"then", "to", "union", "unique", "unsigned", "update", "using",
	"value", "values", "varbit", "varchar", "varying", "when", "where", "window", "with",
	"within", "xor",
};
/* clang-format on */

bool sql_calls_add(struct sql_calls *c, const struct sql_index *words, struct bytes name)
{
	const size_t at = sql_index_find(name, words);
	if (at == SIZE_MAX || SQL_LIST_HAS(no_functions, name))
		return true;
	for (size_t i = 0; i < c->n; i++)
		if (c->known[i] == at)
			return true;
	if (c->n == SQL_CALLS_MAX)
		return false;
	c->known[c->n++] = (uint16_t)at;
	return true;
}

bool sql_calls_put(const struct sql_calls *c, const struct sql_index *words, const uint8_t *names,
		   struct dis_value *v, size_t *n, unsigned field)
{
	bool has_room = true;
	for (size_t i = 0; i < c->n; i++)
		has_room &= sql_event_put_text(v, n, field, bytes_str(words->list[c->known[i]]));
	return sql_event_put_text(v, n, field, bytes_of(names + c->other_at, c->other_n)) &&
	       has_room;
}
