/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values of events, bounded. sql_event.h says what for. */
#include "sql/sql_event.h"

bool sql_event_put_text(struct dis_value *v, size_t *n, unsigned field, struct bytes text)
{
	if (text.n == 0)
		return true;
	if (*n == DIS_VALUES_MAX)
		return false;
	v[(*n)++] = (struct dis_value){.field = (uint16_t)field, .text = text};
	return true;
}

void sql_event_put_number(struct dis_value *v, size_t *n, unsigned field, uint64_t number)
{
	if (*n < DIS_VALUES_MAX)
		v[(*n)++] = (struct dis_value){.field = (uint16_t)field, .number = number};
}

bool sql_event_has(const struct dis_value *v, size_t n, unsigned field, struct bytes text)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].field == field && bytes_equal(v[i].text, text))
			return true;
	return false;
}

struct bytes sql_event_qualify(struct sql_qualified *q, struct bytes schema, struct bytes name)
{
	if (schema.n + 1 + name.n > sizeof(q->text) - q->n)
		return (struct bytes){0};
	const size_t from = q->n;
	q->n = bytes_put(q->text, q->n, schema);
	q->text[q->n++] = '.';
	q->n = bytes_put(q->text, q->n, name);
	return bytes_of(q->text + from, q->n - from);
}

const char *const sql_event_where_words[] = {"yes", "no", NULL};

/* Of an unproven statement there may be more than was read: it has no digest that a rule could
 * name. */
static struct bytes digest_of(const struct sql_facts *f, char text[SQL_DIGEST_TEXT])
{
	if (f->is_unproven)
		return bytes_str("unparsed");
	sql_digest_end(f->digest, text);
	return bytes_of((const uint8_t *)text, SQL_DIGEST_TEXT);
}

bool sql_event_put_facts(struct dis_value *v, size_t *n, const struct sql_fact_fields *fields,
			 const struct sql_facts *f, char text[SQL_DIGEST_TEXT])
{
	bool has_room = sql_calls_put(f->calls, f->functions, f->names, v, n, fields->functions);
	if (f->changes_rows)
		has_room &= sql_event_put_text(v, n, fields->where,
					       bytes_str(sql_event_where_words[!f->has_where]));
	has_room &= *n < DIS_VALUES_MAX;
	sql_event_put_number(v, n, fields->statements, f->place);
	return sql_event_put_text(v, n, fields->digest, digest_of(f, text)) && has_room;
}

bool sql_event_is_ambiguous(struct bytes schema, struct bytes name)
{
	return bytes_find(name, '.') < name.n || bytes_find(schema, '.') < schema.n;
}
