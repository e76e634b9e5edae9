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

void write_http2_frame(enum http2_frame type, unsigned flags, uint32_t stream, struct bytes payload)
{
	write_number((uint32_t)payload.n, 3);
	write_number(type, 1);
	write_number(flags, 1);
	write_number(stream, 4);
	write_bytes(payload);
}

void http2_opening(struct talk *t)
{
	const struct bytes nothing = {0};
	write_text("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	write_http2_frame(HTTP2_SETTINGS, 0, 0, nothing);
	write_turn(t, DIS_TO_SERVER);
	write_http2_frame(HTTP2_SETTINGS, 0, 0, nothing);
	write_http2_frame(HTTP2_SETTINGS, HTTP2_ACK, 0, nothing);
	write_turn(t, DIS_TO_CLIENT);
	write_http2_frame(HTTP2_SETTINGS, HTTP2_ACK, 0, nothing);
	write_turn(t, DIS_TO_SERVER);
	talk_mark(t);
}
