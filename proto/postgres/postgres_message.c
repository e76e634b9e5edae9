/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The client's messages, except the text of statements. Those that name nothing new (Bind,
 * Describe, Close, Flush, Sync, the data of COPY) are units without an event: what they are about
 * was judged before.
 */
#include "postgres/postgres_state.h"

enum {
	BIND_HEAD = 2 * (POSTGRES_NAME_MAX + 1), /* portal and statement */
	EXECUTE_MAX = POSTGRES_NAME_MAX + 1 + 4,
	DESCRIBE_MAX = 1 + POSTGRES_NAME_MAX + 1,
	OUTSTANDING_MAX = 60000,
};

/* ---------------------------------------------------------------- one message */

/* A message without a body that matters: its least and most length behind the length itself. */
struct shape {
	uint8_t type;
	enum {
		SHAPE_BIND,
		SHAPE_EXECUTE,
		SHAPE_DESCRIBE,
		SHAPE_CLOSE,
		SHAPE_SYNC,
		SHAPE_FLUSH,
		SHAPE_TERMINATE,
		SHAPE_CALL,
		SHAPE_DATA,
		SHAPE_COPY_END
	} kind;
	uint32_t least, most;
	uint16_t seen; /* how much of the body is read */
};

static const struct shape shapes[] = {
	{'B', SHAPE_BIND, 2 + 6, POSTGRES_LARGE_MAX, BIND_HEAD},
	{'E', SHAPE_EXECUTE, 1 + 4, EXECUTE_MAX, EXECUTE_MAX},
	{'D', SHAPE_DESCRIBE, 2, DESCRIBE_MAX, DESCRIBE_MAX},
	{'C', SHAPE_CLOSE, 2, DESCRIBE_MAX, DESCRIBE_MAX},
	{'S', SHAPE_SYNC, 0, 0, 0},
	{'H', SHAPE_FLUSH, 0, 0, 0},
	{'X', SHAPE_TERMINATE, 0, 0, 0},
	{'F', SHAPE_CALL, 4 + 6, POSTGRES_LARGE_MAX, 0},
	{'d', SHAPE_DATA, 0, POSTGRES_LARGE_MAX, 0},
	{'c', SHAPE_COPY_END, 0, 0, 0},
	{'f', SHAPE_COPY_END, 1, POSTGRES_SMALL_MAX, 0},
};

static const struct shape *shape_of(uint8_t type)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		if (shapes[i].type == type)
			return &shapes[i];
	return NULL;
}

static bool read_name(struct reader *r, struct bytes *name)
{
	*name = read_until(r, '\0');
	return reader_ok(r) && name->n <= POSTGRES_NAME_MAX;
}

static const char *on_bind(struct postgres_state *st, struct bytes body)
{
	struct reader r = reader_of(body);
	struct bytes portal, statement;
	if (!read_name(&r, &portal) || !read_name(&r, &statement))
		return "a name that the server would cut";
	postgres_bind(st, portal, statement, postgres_step(st));
	return NULL;
}

static void follow(struct postgres_state *st, unsigned effects, enum pgsql_verb verb,
		   bool is_unproven)
{
	if (is_unproven || (effects & PGSQL_LOSES_LEXING))
		st->is_lexing_unsure = 1;
	if (effects & PGSQL_SETS_ENCODING)
		st->is_utf8_unsure = 1;
	if (effects & PGSQL_LOSES_PATH)
		st->is_path_lost = 1;
	if (effects & PGSQL_FORGETS_ALL)
		postgres_prepared_clear(&st->prepared);
	if (verb == PGSQL_DECLARE)
		postgres_portals_clear(&st->prepared);
	if (verb == PGSQL_COPY_IN)
		postgres_copy_in(st, true);
}

static const char *on_execute(struct postgres_state *st, struct bytes body,
			      const struct dis_sink *sink)
{
	struct reader r = reader_of(body);
	struct bytes portal;
	if (!read_name(&r, &portal) || reader_left(&r) != 4)
		return "an Execute that does not end where it should";
	struct postgres_draft d;
	enum pgsql_verb verb;
	const unsigned effects = postgres_execute(st, &d, portal, &verb);
	postgres_emit(sink, DIS_REQUEST, &d);
	follow(st, effects, verb, d.flags & DIS_UNPROVEN);
	postgres_note_unit(st, LAST_REQUEST);
	postgres_open_segment(st);
	st->order.n_executed += st->order.n_executed < UINT8_MAX;
	return NULL;
}

static const char *on_named(struct postgres_state *st, const struct shape *shape, struct bytes body)
{
	struct reader r = reader_of(body);
	const uint8_t what = read_u8(&r);
	struct bytes name;
	if (!read_name(&r, &name) || reader_left(&r) || (what != 'S' && what != 'P'))
		return "a message that names neither a statement nor a portal";
	if (shape->kind == SHAPE_CLOSE)
		(void)postgres_step(st); /* nothing is kept that its answer confirms */
	if (shape->kind == SHAPE_CLOSE && what == 'S')
		postgres_prepared_close(&st->prepared, name);
	if (shape->kind == SHAPE_CLOSE && what == 'P')
		postgres_portal_close(&st->prepared, name);
	return NULL;
}

/* The oldest way to run a function, by its number. */
static void call(struct postgres_state *st, const struct dis_sink *sink)
{
	struct postgres_draft d;
	postgres_begin_command(&d, st, "function_call", PGSQL_FUNCTION_CALL);
	d.flags |= DIS_UNPROVEN;
	postgres_emit(sink, DIS_REQUEST, &d);
	follow(st, 0, PGSQL_FUNCTION_CALL, true);
	postgres_end_segment(st);
}

static const char *judge(struct postgres_state *st, const struct shape *shape, struct bytes body,
			 const struct dis_sink *sink)
{
	switch (shape->kind) {
	case SHAPE_BIND:
		return on_bind(st, body);
	case SHAPE_EXECUTE:
		return on_execute(st, body, sink);
	case SHAPE_DESCRIBE:
	case SHAPE_CLOSE:
		postgres_open_segment(st);
		return on_named(st, shape, body);
	case SHAPE_SYNC:
		postgres_sync(st);
		break;
	case SHAPE_CALL:
		call(st, sink);
		return NULL;
	case SHAPE_TERMINATE:
		st->phase = PHASE_CLOSED;
		break;
	case SHAPE_COPY_END:
		postgres_copy_end(st);
		break;
	case SHAPE_DATA:
		postgres_copy_fed(st);
		break;
	case SHAPE_FLUSH:
		break;
	}
	if (shape->kind != SHAPE_FLUSH)
		st->last = LAST_OTHER;
	return NULL;
}

static struct dis_result other_message(struct postgres_state *st, struct bytes in, uint32_t n,
				       const struct shape *shape, const struct dis_sink *sink)
{
	if (n < shape->least || n > shape->most)
		return postgres_malformed("a message of a length that it never has");
	const size_t seen = n < shape->seen ? n : shape->seen;
	if (in.n < POSTGRES_HEADER + seen)
		return postgres_more(POSTGRES_HEADER + seen);
	const char *why = judge(st, shape, bytes_slice(in, POSTGRES_HEADER, seen), sink);
	if (why)
		return postgres_malformed(why);
	return postgres_done(POSTGRES_HEADER + seen, n - seen);
}

/* A password, when one was asked for: nobody needs to see it. */
static struct dis_result password(struct postgres_state *st, uint8_t type, uint32_t n)
{
	if (type == 'X' && n == 0) {
		st->phase = PHASE_CLOSED;
		return postgres_done(POSTGRES_HEADER, 0);
	}
	if (type != 'p' || !st->auth_turn)
		return postgres_malformed("a message before the server is ready");
	if (n > POSTGRES_STARTUP_MAX * 7)
		return postgres_malformed("a password too long");
	st->auth_turn = 0;
	st->last = LAST_OTHER;
	return postgres_done(POSTGRES_HEADER, n);
}

/* Older servers take any other message for a part of COPY that is in error, and forget it. */
static bool is_of_copy(uint8_t type)
{
	static const char known[] = "dcfHSX";
	return type && memchr(known, type, sizeof(known) - 1);
}

struct dis_result postgres_message(struct postgres_state *st, struct bytes in,
				   const struct dis_sink *sink)
{
	if (in.n < POSTGRES_HEADER)
		return postgres_more(POSTGRES_HEADER);
	struct reader r = reader_of(in);
	const uint8_t type = read_u8(&r);
	const uint32_t length = read_u32be(&r);
	if (length < 4 || length > POSTGRES_LARGE_MAX)
		return postgres_malformed("a message of a length that it never has");
	if (st->phase == PHASE_LOGIN)
		return password(st, type, length - 4);
	if (st->order.n_outstanding == OUTSTANDING_MAX)
		return postgres_fail(DIS_LIMIT, "too many messages before their replies");
	if (st->order.n_copies && !is_of_copy(type))
		return postgres_malformed("a message while data are copied in");
	if (type == 'Q' || type == 'P')
		return postgres_statement_begin(st, in, sink);
	const struct shape *shape = shape_of(type);
	if (!shape)
		return postgres_malformed("a message that no server knows");
	return other_message(st, in, length - 4, shape, sink);
}
