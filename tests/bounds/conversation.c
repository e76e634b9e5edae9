/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "conversation.h"

#include "write.h"

#include <stdio.h>

bool conversation_read_seed(struct talk *t, const char *protocol, const char *name)
{
	char path[512];
	talk_init(t, protocol, 0);
	int n = snprintf(path, sizeof(path), "%s/%s/%s", BOUNDS_SEEDS, protocol, name);
	return n > 0 && (size_t)n < sizeof(path) && talk_load(t, path);
}

bool conversation_build(struct talk *t, const struct conversation *c)
{
	talk_init(t, c->protocol, c->ip_proto);
	if (c->seed && !conversation_read_seed(t, c->protocol, c->seed))
		return false;
	t->n_turns -= c->drop;
	for (size_t i = 0; c->drop && i < 2; i++)
		t->side[i].n = 0;
	for (size_t i = 0; c->drop && i < t->n_turns; i++)
		t->side[t->turns[i].dir].n = t->turns[i].end;
	if (!c->build)
		return true;
	talk_mark(t);
	c->build(t, c);
	return true;
}

enum { STATEMENT = 31 * 1024 };

static void statement(const struct sql *s)
{
	size_t from = written.n;
	write_text(s->start);
	if (*s->piece)
		write_copies(s->piece, from + STATEMENT);
	write_text(s->end);
}

void write_mysql_query(const struct sql *s)
{
	const size_t from = written.n;
	write_number(0, 4);
	write_number(3, 1); /* COM_QUERY */
	statement(s);
	written.bytes[from] = (uint8_t)(written.n - from - 4);
	written.bytes[from + 1] = (uint8_t)((written.n - from - 4) >> 8);
}

void write_postgres_query(const struct sql *s)
{
	const size_t from = written.n;
	write_text("Q");
	write_number(0, 4);
	statement(s);
	write_number(0, 1);
	write_number_at(from + 1, (uint32_t)(written.n - from) - 1, 4);
}
