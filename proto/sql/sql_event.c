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

bool sql_event_is_ambiguous(struct bytes schema, struct bytes name)
{
	return bytes_find(name, '.') < name.n || bytes_find(schema, '.') < schema.n;
}
