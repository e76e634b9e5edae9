/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is remembered of one connection, and what the files of this folder share.
 *
 * Invariants: everything here changes only in a call that ends in DIS_DONE or DIS_STOPPED, except
 * `is_claimed`. `left` counts the bytes of the message that the client is in the middle of. A class
 * that a statement or portal names is in use; one that nothing names is free.
 */
#ifndef POSTGRES_STATE_H
#define POSTGRES_STATE_H

#include "bridgewarden/dissect.h"
#include "postgres/pgsql.h"
#include "sql/sql_event.h"

enum {
	POSTGRES_UNIT_MAX = 32 * 1024,
	POSTGRES_CHUNK = 16 * 1024,   /* a longer statement is read in pieces of this size */
	POSTGRES_STARTUP_MAX = 10000, /* the server's own limits */
	POSTGRES_SMALL_MAX = 10000,
	POSTGRES_LARGE_MAX = 0x3fffffff,
	POSTGRES_NAME_MAX = 63,
	POSTGRES_HEADER = 5,	  /* type, length */
	POSTGRES_HEAD_MAX = 160,  /* of a statement that spans pieces, for the record */
	POSTGRES_TEXT_MAX = 4096, /* of any other */
	POSTGRES_PATHS_MAX = 4,	  /* schemas of SET search_path */
	POSTGRES_TEMPLATES_MAX = 10,
	POSTGRES_TEMPLATE_MAX = 30,
	POSTGRES_STATEMENTS_MAX = 120,
	POSTGRES_CLASSES_MAX = 32,
	POSTGRES_SUMMARY_MAX = 480,
	POSTGRES_PORTALS_MAX = 6,
	POSTGRES_PORTAL_MAX = 23,
	POSTGRES_NO_CLASS = 0xff,    /* nobody knows what it does: unproven */
	POSTGRES_NO_BARE = 0xff,     /* n_paths where every name has its schema */
	POSTGRES_SEGMENTS_MAX = 250, /* unanswered ones whose numbers differ */
};

enum postgres_field {
	F_COMMAND,
	F_VERB,
	F_USER,
	F_DATABASE,
	F_SCHEMA,
	F_TABLES,
	F_FUNCTIONS,
	F_WHERE,
	F_STATEMENTS,
	F_DIGEST,
	F_QUERY,
	F_STATUS,
	F_ERROR,
	F_ROWS,
	F_OPAQUE,
	F_SNI,
	F_JA4,
	N_FIELDS,
};

enum postgres_phase {
	PHASE_START,
	PHASE_WAIT_TLS, /* for the server's one byte */
	PHASE_WAIT_GSS,
	PHASE_TLS,   /* for the client's hello */
	PHASE_AGAIN, /* it was N */
	PHASE_LOGIN, /* until the server is ready */
	PHASE_OPEN,
	PHASE_CLOSED,
};

/* What the last unit of the client was, for postgres_refuse(). */
enum postgres_last { LAST_OTHER, LAST_LOGIN, LAST_REQUEST };

struct postgres_name {
	uint8_t n, text[POSTGRES_NAME_MAX];
};

/* Names of statements differ mostly in a number: S_1, S_2. A template is a name with a NUL in place
 * of its last number, if it has one. */
struct postgres_template {
	uint8_t n, n_users, text[POSTGRES_TEMPLATE_MAX];
};

struct postgres_statement {
	uint16_t number;
	uint8_t template; /* plus one: 0 is a free place */
	uint8_t class : 7;
	uint8_t is_alone : 1;	/* the server has no other of this name, whatever it says to it */
	uint8_t segment, order; /* of its Parse: order 0 when the server has said yes */
};

/* What executing does: the values of its request in summary[]. */
struct postgres_class {
	uint16_t at, n, n_users;
	uint8_t verb, effects, is_unproven;
	uint8_t n_paths; /* searched when it was parsed; the server searches again at Bind */
};

struct postgres_portal {
	uint8_t n, class, text[POSTGRES_PORTAL_MAX];
	uint8_t segment, order; /* of its Bind */
};

struct postgres_prepared {
	uint8_t unnamed, unnamed_portal; /* classes, plus one */
	uint8_t unnamed_segment, unnamed_order, portal_segment, portal_order;
	uint8_t is_closing;	/* a Close that the server has not answered */
	uint8_t are_names_lost; /* the server may have statements that are not here */
	uint16_t n_summary;
	struct postgres_template templates[POSTGRES_TEMPLATES_MAX];
	struct postgres_statement statements[POSTGRES_STATEMENTS_MAX];
	struct postgres_class classes[POSTGRES_CLASSES_MAX];
	struct postgres_portal portals[POSTGRES_PORTALS_MAX];
	uint8_t summary[POSTGRES_SUMMARY_MAX];
};

/* What waits for which reply: postgres_order.c. A segment ends with a query, a function call or a
 * Sync; each is answered by ReadyForQuery. */
struct postgres_order {
	uint16_t n_outstanding;
	uint16_t n_copy_syncs; /* of them, Syncs during a COPY: it may have taken no notice */
	uint8_t segment, segment_replied; /* counters that wrap */
	uint8_t n_steps, n_steps_replied; /* Parse, Bind and Close in the segment; saturate */
	uint8_t n_executed;		  /* in the segment; saturates */
	uint8_t is_open;		  /* behind an error the server skips all up to Sync */
	uint8_t is_open_since_sync;	  /* the same, if no COPY swallowed that Sync */
	uint8_t is_skipping;		  /* there was an error */
	uint8_t has_skippable;		  /* a query within an open segment */
	uint8_t is_lost;		  /* which reply answers what is not known any more */
	uint8_t is_refusable; /* the last unit waits for the next reply, and no other does */

	/* COPY FROM STDIN: asked for and not ended by the client; not begun by the server. */
	uint8_t n_copies, n_copies_asked;
	uint8_t is_copy_first;	  /* nothing was outstanding before it */
	uint8_t is_copy_fed;	  /* there were data */
	uint8_t is_copying;	  /* the server said so, and not that it was over */
	uint8_t is_copy_doubtful; /* a Sync among its data: an error in them may come before it */
};

struct postgres_state {
	uint8_t phase; /* enum postgres_phase */
	uint8_t is_claimed, has_asked_tls, has_asked_gss;
	uint8_t auth_turn; /* the server asked for a password, and only then may one come */
	uint8_t last;	   /* enum postgres_last */
	uint8_t is_replication;

	/* How text is read: what the server reported, and what may be under way. */
	uint8_t is_utf8, is_encoding_unsafe, is_escaping;
	uint8_t is_lexing_unsure, is_utf8_unsure; /* until the server is ready again */
	uint8_t is_lexing_varied; /* it changed once: an end of a transaction may change it back */
	uint8_t is_path_lost, is_catalog_late, n_paths;
	struct postgres_name paths[POSTGRES_PATHS_MAX]; /* searched besides public, perhaps */
	struct postgres_name user, database;

	/* The message that the client is in the middle of. */
	uint8_t is_streaming, command, is_head_kept, n_head;
	uint8_t n_statements; /* saturates */
	uint8_t class, step;  /* of the statement that Parse names */
	uint8_t head[POSTGRES_HEAD_MAX];
	uint32_t left;
	struct postgres_name name; /* of that statement */
	struct pgsql sql;

	struct postgres_order order;

	struct postgres_prepared prepared;
};

_Static_assert(sizeof(struct postgres_state) <= DIS_STATE_MAX, "one pool slot of the engine");

/* ---------------------------------------------------------------- results */

static inline struct dis_result postgres_fail(enum dis_status status, const char *why)
{
	return (struct dis_result){.status = status, .why = why};
}

static inline struct dis_result postgres_malformed(const char *why)
{
	return postgres_fail(DIS_MALFORMED, why);
}

static inline struct dis_result postgres_more(size_t want)
{
	return (struct dis_result){.status = DIS_MORE, .want = want};
}

static inline struct dis_result postgres_done(size_t consumed, uint64_t skip)
{
	return (struct dis_result){.status = DIS_DONE, .consumed = consumed, .skip = skip};
}

static inline struct bytes postgres_name_of(const struct postgres_name *name)
{
	return bytes_of(name->text, name->n);
}

static inline void postgres_copy_name(struct postgres_name *to, struct bytes from)
{
	to->n = (uint8_t)from.n;
	if (from.n)
		memcpy(to->text, from.p, from.n);
}

/* May text mean something else than the tokeniser reads? */
static inline bool postgres_is_lexing_lost(const struct postgres_state *st)
{
	return st->is_encoding_unsafe || st->is_escaping || st->is_lexing_unsure;
}

/* ---------------------------------------------------------------- events: postgres_event.c */

extern const struct dis_field postgres_fields[N_FIELDS];

/* The values of one event while it is put together. */
struct postgres_draft {
	struct dis_value v[DIS_VALUES_MAX];
	size_t n;
	uint32_t flags;
	bool has_bare; /* a name that is searched for */
	struct sql_qualified qualified;
	char digest[SQL_DIGEST_TEXT];
};

void postgres_put_text(struct postgres_draft *d, enum postgres_field field, struct bytes text);
void postgres_put_number(struct postgres_draft *d, enum postgres_field field, uint64_t number);
void postgres_put_word(struct postgres_draft *d, enum postgres_field field, const char *word);
/* The databases, schemas and tables that a statement touches; all text is as long-lived as d, st
 * and s. */
void postgres_put_objects(struct postgres_draft *d, const struct postgres_state *st,
			  const struct pgsql *s);
/* Behind the objects: functions, WHERE, place in its packet (from 1), digest. */
void postgres_put_facts(struct postgres_draft *d, const struct pgsql *s, unsigned place);
/* command, verb, user and database: how every request begins. */
void postgres_begin_request(struct postgres_draft *d, const struct postgres_state *st,
			    const char *command, enum pgsql_verb verb);
/* The same of a command that is no statement. Its digest is a word of its own: were there none, a
 * rule that lists digests would not speak of it, and an allow for some statements let it pass. */
void postgres_begin_command(struct postgres_draft *d, const struct postgres_state *st,
			    const char *command, enum pgsql_verb verb);
void postgres_put_everything(struct postgres_draft *d);
void postgres_emit(const struct dis_sink *sink, enum dis_kind kind, const struct postgres_draft *d);

/* Has every server's pg_catalog a relation of this name? */
bool postgres_is_catalog(struct bytes name); /* postgres_catalog.c */

/* ---------------------------------------------------------------- postgres_startup.c */

struct dis_result postgres_startup(struct postgres_state *st, struct bytes in,
				   const struct dis_sink *sink);
/* What the client says once TLS was agreed on: its hello. */
struct dis_result postgres_tls(struct postgres_state *st, struct bytes in,
			       const struct dis_sink *sink);
struct dis_result postgres_answer(struct postgres_state *st, struct bytes in,
				  const struct dis_sink *sink);
/* More schemas that may be searched: those that s names. */
void postgres_add_paths(struct postgres_state *st, const struct pgsql *s);

/* ---------------------------------------------------------------- postgres_message.c,
 * postgres_statement.c */

struct dis_result postgres_message(struct postgres_state *st, struct bytes in,
				   const struct dis_sink *sink);
struct dis_result postgres_statement_begin(struct postgres_state *st, struct bytes in,
					   const struct dis_sink *sink);
struct dis_result postgres_statement_go_on(struct postgres_state *st, struct bytes in,
					   const struct dis_sink *sink);
/* ---------------------------------------------------------------- postgres_order.c: the client */

/* A request, or another unit of the client, is being judged. */
void postgres_note_unit(struct postgres_state *st, enum postgres_last last);
/* Query, function call. */
void postgres_end_segment(struct postgres_state *st);
void postgres_sync(struct postgres_state *st);
/* Any message that an error makes the server skip. */
void postgres_open_segment(struct postgres_state *st);
/* Parse, Bind, Close: its number in the segment. */
uint8_t postgres_step(struct postgres_state *st);
void postgres_copy_in(struct postgres_state *st, bool is_extended);
void postgres_copy_fed(struct postgres_state *st);
void postgres_copy_end(struct postgres_state *st);

/* The server. */
void postgres_on_step(struct postgres_state *st);
void postgres_on_copy_in(struct postgres_state *st);
void postgres_on_complete(struct postgres_state *st);
/* `file` is the server's own, of the place where it went wrong. */
void postgres_on_error(struct postgres_state *st, struct bytes file);
void postgres_on_ready(struct postgres_state *st);

/* ---------------------------------------------------------------- postgres_reply.c */

struct dis_result postgres_reply(struct postgres_state *st, struct bytes in,
				 const struct dis_sink *sink);

/* ---------------------------------------------------------------- postgres_prepared.c */

/* What the draft of a Parse says, as a class; POSTGRES_NO_CLASS when there is no room. */
unsigned postgres_class_of(struct postgres_state *st, const struct postgres_draft *d,
			   enum pgsql_verb verb, unsigned effects);
/* Parse names it; order says which answer of the server is about it. */
void postgres_prepared_add(struct postgres_state *st, struct bytes name, unsigned class,
			   uint8_t order);
void postgres_prepared_close(struct postgres_prepared *p, struct bytes name);
void postgres_prepared_clear(struct postgres_prepared *p);
/* An error: what the segment parsed and bound since, the server does not have. */
void postgres_prepared_failed(struct postgres_state *st);
/* All that is not confirmed is forgotten. */
void postgres_prepared_doubted(struct postgres_state *st);
void postgres_prepared_settled(struct postgres_state *st, uint8_t segment);
void postgres_bind(struct postgres_state *st, struct bytes portal, struct bytes statement,
		   uint8_t order);
void postgres_portal_close(struct postgres_prepared *p, struct bytes portal);
/* SQL may have made cursors of any name. */
void postgres_portals_clear(struct postgres_prepared *p);
/* The request that executes a portal, complete; unproven when it is not known. Its effects. */
unsigned postgres_execute(const struct postgres_state *st, struct postgres_draft *d,
			  struct bytes portal, enum pgsql_verb *verb);

#endif
