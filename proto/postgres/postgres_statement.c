/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text of Query and Parse, one statement a unit.
 *
 * A message's text is shown to the tokeniser in pieces of POSTGRES_CHUNK; where pieces begin and
 * end follows from the message alone. A piece in which no statement ends is a unit without an
 * event: what it began is judged with the piece that completes it, before the server can have the
 * message whole. The server reads all statements of a message before it runs the first.
 */
#include "postgres/postgres_state.h"

#include "sql/sql_byte.h"

static struct bytes text_of(const struct postgres_state *st, struct bytes text)
{
	if (st->is_head_kept)
		return bytes_of(st->head, st->n_head);
	return bytes_slice(text, 0, POSTGRES_TEXT_MAX);
}

/* What a statement does to how later ones are read; what it does to prepared ones. */
static void follow(struct postgres_state *st, const struct pgsql *s, bool is_unproven)
{
	if (s->effects & PGSQL_ADDS_PATH)
		postgres_add_paths(st, s);
	if (s->effects & PGSQL_LOSES_PATH)
		st->is_path_lost = 1;
	if (is_unproven || (s->effects & PGSQL_LOSES_LEXING))
		st->is_lexing_unsure = 1;
	if (s->effects & PGSQL_SETS_ENCODING)
		st->is_utf8_unsure = 1;
	if (s->effects & PGSQL_FORGETS_ALL)
		postgres_prepared_clear(&st->prepared);
	if (s->effects & PGSQL_FORGETS_ONE)
		postgres_prepared_close(&st->prepared, sql_table_name(&s->object, s->names));
	if (s->verb == PGSQL_DECLARE)
		postgres_portals_clear(&st->prepared);
	if (s->verb == PGSQL_COPY_IN && st->command == 'Q')
		postgres_copy_in(st, false);
}

static void put_statement(struct postgres_state *st, struct postgres_draft *d)
{
	const struct pgsql *s = &st->sql;
	const enum pgsql_verb verb =
		st->is_replication ? PGSQL_REPLICATION : (enum pgsql_verb)s->verb;
	postgres_begin_request(d, st, st->command == 'Q' ? "query" : "parse", verb);
	if (s->is_unproven || postgres_is_lexing_lost(st) || st->is_replication)
		d->flags |= DIS_UNPROVEN;
	postgres_put_objects(d, st, s);
	postgres_put_facts(d, s, st->n_statements + 1u);
}

/* How the tools of PostgreSQL begin: nothing but pg_catalog is searched from then on, and no view
 * is read. */
static bool is_narrowing(const struct postgres_state *st, struct bytes text)
{
	static const char path[] = "SELECT pg_catalog.set_config('search_path', '', false)";
	static const char views[] =
		"SELECT set_config(name, 'view, foreign-table', false) FROM pg_settings "
		"WHERE name = 'restrict_nonsystem_relation_kind'";
	if (text.n && text.p[text.n - 1] == ';')
		text.n--;
	if (st->is_head_kept || st->is_replication || postgres_is_lexing_lost(st))
		return false;
	return bytes_is(text, path) ||
	       (bytes_is(text, views) && !st->is_path_lost && !st->is_catalog_late);
}

static void judge(struct postgres_state *st, struct bytes text, const struct dis_sink *sink)
{
	struct postgres_draft d;
	if (is_narrowing(st, text))
		st->sql.is_unproven = st->sql.effects = 0;
	put_statement(st, &d);
	postgres_put_text(&d, F_QUERY, text_of(st, text));
	postgres_emit(sink, DIS_REQUEST, &d);
	follow(st, &st->sql, d.flags & DIS_UNPROVEN);
	if (st->command == 'P')
		st->class =
			(uint8_t)(st->n_statements
					  ? POSTGRES_NO_CLASS
					  : postgres_class_of(st, &d, (enum pgsql_verb)st->sql.verb,
							      st->sql.effects));
	st->n_statements += st->n_statements < UINT8_MAX;
}

/* An empty text: the server answers it, too. */
static void judge_nothing(struct postgres_state *st, const struct dis_sink *sink)
{
	struct postgres_draft d;
	postgres_begin_request(&d, st, st->command == 'Q' ? "query" : "parse", PGSQL_SESSION);
	postgres_emit(sink, DIS_REQUEST, &d);
	if (st->command == 'P')
		st->class = (uint8_t)postgres_class_of(st, &d, PGSQL_SESSION, 0);
}

static void end_message(struct postgres_state *st, const struct dis_sink *sink)
{
	if (st->n_statements == 0)
		judge_nothing(st, sink);
	if (st->command == 'P')
		postgres_prepared_add(st, postgres_name_of(&st->name), st->class, st->step);
	st->is_streaming = 0;
}

static void keep_head(struct postgres_state *st, struct bytes text)
{
	if (st->is_head_kept || text.n == 0)
		return;
	text = bytes_slice(text, 0, POSTGRES_HEAD_MAX);
	st->n_head = (uint8_t)text.n;
	memcpy(st->head, text.p, text.n);
	st->is_head_kept = 1;
}

/* Behind the text: of Query nothing, of Parse the types of its parameters. */
static const char *check_rest(const struct postgres_state *st, uint32_t rest)
{
	if (st->command == 'Q')
		return rest == 0 ? NULL : "a NUL byte within a query";
	return rest >= 2 && rest % 4 == 2 ? NULL : "a Parse that does not end where it should";
}

/* `text` is one piece of the message. */
static struct dis_result take_piece(struct postgres_state *st, struct bytes text, size_t before,
				    const struct dis_sink *sink)
{
	const size_t n = pgsql_feed(&st->sql, text);
	const struct bytes piece = sql_without_empty(bytes_slice(text, 0, n));
	st->left -= (uint32_t)n;
	if (!st->sql.is_end && !st->sql.is_nul) {
		if (st->left == 0)
			return postgres_malformed("a text without its end");
		keep_head(st, piece);
		return postgres_done(before + n, 0);
	}
	const bool is_last = !st->sql.is_end;
	const char *why = is_last ? check_rest(st, st->left - 1) : NULL;
	if (why)
		return postgres_malformed(why);
	if (is_last)
		pgsql_finish(&st->sql);
	if (st->sql.has_token)
		judge(st, piece, sink);
	st->is_head_kept = 0;
	pgsql_next(&st->sql);
	if (!is_last)
		return postgres_done(before + n, 0);
	end_message(st, sink);
	return postgres_done(before + n + 1, st->left - 1);
}

/* The name before the text of a Parse; how many bytes it takes with its NUL, or why it is refused.
 */
static const char *take_name(struct postgres_state *st, struct bytes piece, size_t *n)
{
	if (st->command == 'Q')
		return NULL;
	const size_t end = bytes_find(piece, '\0');
	if (end == piece.n || end > POSTGRES_NAME_MAX)
		return "a statement's name that the server would cut";
	postgres_copy_name(&st->name, bytes_slice(piece, 0, end));
	*n = end + 1;
	return NULL;
}

/* In the order in which the server gets them. */
static void count_message(struct postgres_state *st)
{
	if (st->command == 'Q') {
		postgres_end_segment(st);
		return;
	}
	postgres_note_unit(st, LAST_REQUEST);
	st->step = postgres_step(st);
}

struct dis_result postgres_statement_begin(struct postgres_state *st, struct bytes in,
					   const struct dis_sink *sink)
{
	struct reader r = reader_of(in);
	const uint8_t command = read_u8(&r);
	const uint32_t n = read_u32be(&r) - 4;
	if (n == 0)
		return postgres_malformed("a message without its text");
	const size_t piece = n < POSTGRES_CHUNK ? n : POSTGRES_CHUNK;
	if (in.n < POSTGRES_HEADER + piece)
		return postgres_more(POSTGRES_HEADER + piece);
	st->command = command;
	size_t n_name = 0;
	const struct bytes body = bytes_slice(in, POSTGRES_HEADER, piece);
	const char *why = take_name(st, body, &n_name);
	if (why || n_name == n)
		return postgres_malformed(why ? why : "a message without its text");
	st->is_lexing_unsure |=
		st->is_lexing_varied && (st->order.n_outstanding || st->order.is_open);
	count_message(st);
	st->left = n - (uint32_t)n_name;
	st->n_statements = st->is_head_kept = 0;
	st->class = POSTGRES_NO_CLASS;
	st->is_streaming = 1;
	pgsql_init(&st->sql, st->is_utf8 && !st->is_utf8_unsure);
	return take_piece(st, bytes_from(body, n_name), POSTGRES_HEADER + n_name, sink);
}

struct dis_result postgres_statement_go_on(struct postgres_state *st, struct bytes in,
					   const struct dis_sink *sink)
{
	const size_t piece = st->left < POSTGRES_CHUNK ? st->left : POSTGRES_CHUNK;
	if (in.n < piece)
		return postgres_more(piece);
	return take_piece(st, bytes_slice(in, 0, piece), 0, sink);
}
