/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is remembered of one connection, and what the files of this folder share.
 *
 * Invariants: everything here changes only in a call that ends in DIS_DONE or DIS_STOPPED.
 * `pending` holds, in order, the commands whose reply has not ended. `left` counts the bytes of the
 * packet that the client is in the middle of.
 */
#ifndef MYSQL_STATE_H
#define MYSQL_STATE_H

#include "bridgewarden/dissect.h"
#include "sql/sql.h"
#include "sql/sql_event.h"

enum {
	MYSQL_UNIT_MAX = 32 * 1024,
	MYSQL_CHUNK = 16 * 1024,     /* a longer statement is read in pieces of this size */
	MYSQL_PACKET_MAX = 0xffffff, /* a packet this long goes on in the next one */
	MYSQL_USER_MAX = 128,	     /* MariaDB's limit is 128, MySQL's 32 characters */
	MYSQL_PENDING_MAX = 96,	     /* runs of equal commands sent ahead of their replies */
	MYSQL_PREPARED_MAX = 24,     /* statements remembered; executing another is unproven */
	MYSQL_SUMMARY_MAX = 640,     /* bytes of what all of these touch */
	MYSQL_HEAD_MAX = 160,	     /* of a statement that spans pieces, for the record */
	MYSQL_TEXT_MAX = 4096,	     /* of any other */
	MYSQL_NO_SLOT = 0xff,
};

/* Capability flags, in the protocol's own words. */
enum {
	CLIENT_LONG_PASSWORD =
		1u << 0, /* a MariaDB server clears it and offers more flags elsewhere */
	CLIENT_CONNECT_WITH_DB = 1u << 3,
	CLIENT_NO_SCHEMA = 1u << 4, /* the server then ignores the schema in schema.table */
	CLIENT_COMPRESS = 1u << 5,
	CLIENT_LOCAL_FILES = 1u << 7,
	CLIENT_PROTOCOL_41 = 1u << 9,
	CLIENT_SSL = 1u << 11,
	CLIENT_SECURE_CONNECTION = 1u << 15,
	CLIENT_PLUGIN_AUTH = 1u << 19,
	CLIENT_CONNECT_ATTRS = 1u << 20,
	CLIENT_PLUGIN_AUTH_LENENC = 1u << 21,
	CLIENT_DEPRECATE_EOF = 1u << 24,
	CLIENT_OPTIONAL_METADATA = 1u << 25,
	CLIENT_ZSTD = 1u << 26,
	CLIENT_QUERY_ATTRIBUTES = 1u << 27,
	CLIENT_EXTENSION = 1u << 29, /* reserved by MySQL for more flags */
	/* Of MariaDB's second 32 flags. */
	MARIADB_CLIENT_PROGRESS = 1u << 0,
	MARIADB_CLIENT_STMT_BULK = 1u << 2,
	MARIADB_CLIENT_EXTENDED_METADATA = 1u << 3,
	MARIADB_CLIENT_CACHE_METADATA = 1u << 4,
	MARIADB_CLIENT_BULK_UNIT_RESULTS = 1u << 5,
	MARIADB_KNOWN = MARIADB_CLIENT_PROGRESS | MARIADB_CLIENT_STMT_BULK |
			MARIADB_CLIENT_EXTENDED_METADATA | MARIADB_CLIENT_CACHE_METADATA |
			MARIADB_CLIENT_BULK_UNIT_RESULTS,
};

enum mysql_command {
	COM_QUIT = 0x01,
	COM_INIT_DB = 0x02,
	COM_QUERY = 0x03,
	COM_FIELD_LIST = 0x04,
	COM_CREATE_DB = 0x05,
	COM_DROP_DB = 0x06,
	COM_REFRESH = 0x07,
	COM_SHUTDOWN = 0x08,
	COM_STATISTICS = 0x09,
	COM_PROCESS_INFO = 0x0a,
	COM_CONNECT = 0x0b, /* never sent; stands for the login in `pending` */
	COM_PROCESS_KILL = 0x0c,
	COM_DEBUG = 0x0d,
	COM_PING = 0x0e,
	COM_CHANGE_USER = 0x11,
	COM_BINLOG_DUMP = 0x12,
	COM_TABLE_DUMP = 0x13,
	COM_REGISTER_SLAVE = 0x15,
	COM_STMT_PREPARE = 0x16,
	COM_STMT_EXECUTE = 0x17,
	COM_STMT_SEND_LONG_DATA = 0x18,
	COM_STMT_CLOSE = 0x19,
	COM_STMT_RESET = 0x1a,
	COM_SET_OPTION = 0x1b,
	COM_STMT_FETCH = 0x1c,
	COM_BINLOG_DUMP_GTID = 0x1e,
	COM_RESET_CONNECTION = 0x1f,
	COM_CLONE = 0x20,
	COM_SEMISYNC_ACK = 0xef, /* of a replica, while events come; no command of its own */
	COM_STMT_BULK_EXECUTE = 0xfa,
};

enum mysql_field {
	F_COMMAND,
	F_VERB,
	F_SCHEMA,
	F_TABLES,
	F_USER,
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

enum mysql_reply_state {
	REPLY_START,
	REPLY_FIRST, /* OK, ERR, a number of columns */
	REPLY_COLUMNS,
	REPLY_EOF, /* between columns and rows */
	REPLY_ROWS,
	REPLY_DEFINITIONS, /* of a prepared statement */
};

struct mysql_name {
	uint8_t n, text[SQL_NAME_MAX];
};

struct mysql_user {
	uint8_t n, text[MYSQL_USER_MAX];
};

enum {
	PENDING_SETS_SCHEMA = 1u << 0, /* success makes schema_next the schema */
	PENDING_IS_MULTI =
		1u << 1, /* several statements: an error does not say which took effect */
	PENDING_SETS_UTF8 = 1u << 2, /* success makes the text UTF-8 */
};

/* n equal commands in a row, of which none has flags or a slot when there are several. */
struct mysql_pending {
	uint8_t command, flags, slot, n;
};

/* What executing a prepared statement does: the values of its request, as in mysql_prepared.c. */
struct mysql_prepared {
	uint32_t id;
	uint16_t at, n; /* in summary[] */
	uint8_t is_used, is_ready, is_unproven, verb;
};

enum mysql_phase { PHASE_START, PHASE_GREETED, PHASE_TLS, PHASE_OPEN, PHASE_CLOSED };

struct mysql_state {
	uint8_t phase;
	uint8_t is_authenticating; /* the client's packets are passwords, not commands */
	uint8_t auth_turn;	   /* the server asked; only then may the client answer ... */
	uint8_t auth_sequence;	   /* ... with this number */
	uint8_t is_utf8, is_lexing_lost;
	uint8_t is_utf8_next;	/* what COM_CHANGE_USER asks for ... */
	uint8_t is_utf8_login;	/* ... and what a MariaDB server goes back to at a reset */
	uint8_t is_cloning;	/* the server began to send its files */
	uint8_t knows_255;	/* MySQL 8 and later, where 255 is UTF-8 */
	uint32_t offered, caps; /* what the server offered, and what of it the client took */
	uint32_t offered_more, caps_more;

	struct mysql_user user, user_next; /* _next: while COM_CHANGE_USER is under way */
	struct mysql_name schema, schema_next;
	uint8_t is_schema_pending; /* schema_next may be in force: a command that sets it has no
				      reply yet */
	uint8_t is_schema_lost;	   /* nobody knows what is in force */
	uint8_t is_next_in_force;  /* a USE earlier in the same packet set it */

	/* The packet that the client is in the middle of; sequence and command also of the one
	 * before. */
	uint8_t is_streaming; /* statement text of COM_QUERY or COM_STMT_PREPARE */
	uint8_t is_skipping;  /* nobody needs to see its continuation packets */
	uint8_t is_long, sequence, command;
	uint8_t n_statements; /* saturates */
	uint8_t n_head, head[MYSQL_HEAD_MAX];
	uint8_t is_head_kept;
	uint32_t left;
	struct sql sql;

	uint8_t first_pending, n_pending, last_slot;
	struct mysql_pending pending[MYSQL_PENDING_MAX];

	uint8_t reply; /* enum mysql_reply_state */
	uint8_t is_reply_long;
	uint32_t n_reply_left;
	uint64_t n_rows;

	uint16_t n_summary;
	struct mysql_prepared prepared[MYSQL_PREPARED_MAX];
	uint8_t summary[MYSQL_SUMMARY_MAX];
};

_Static_assert(sizeof(struct mysql_state) <= DIS_STATE_MAX, "one pool slot of the engine");

static inline bool mysql_is_mariadb(const struct mysql_state *st)
{
	return !(st->offered & CLIENT_LONG_PASSWORD);
}

static inline struct mysql_pending *mysql_last_pending(struct mysql_state *st)
{
	return &st->pending[(st->first_pending + st->n_pending - 1) % MYSQL_PENDING_MAX];
}

/* One command waits for its reply, and no other. */
static inline bool mysql_is_alone(const struct mysql_state *st)
{
	return st->n_pending == 1 && st->pending[st->first_pending].n == 1;
}

/* ---------------------------------------------------------------- results */

static inline struct dis_result mysql_refuse(enum dis_status status, const char *why)
{
	return (struct dis_result){.status = status, .why = why};
}

static inline struct dis_result mysql_malformed(const char *why)
{
	return mysql_refuse(DIS_MALFORMED, why);
}

static inline struct dis_result mysql_more(size_t want)
{
	return (struct dis_result){.status = DIS_MORE, .want = want};
}

static inline struct dis_result mysql_done(size_t consumed, uint64_t skip)
{
	return (struct dis_result){.status = DIS_DONE, .consumed = consumed, .skip = skip};
}

/* ---------------------------------------------------------------- packets */

struct mysql_packet {
	uint32_t n;
	uint8_t sequence;
};

enum { MYSQL_HEADER = 4 };

/* in.n is at least MYSQL_HEADER. */
static inline struct mysql_packet mysql_packet_of(struct bytes in)
{
	return (struct mysql_packet){.n = in.p[0] | (uint32_t)in.p[1] << 8 |
					  (uint32_t)in.p[2] << 16,
				     .sequence = in.p[3]};
}

/* A length-encoded integer; NULL (0xfb) and 0xff are failures. */
uint64_t mysql_read_lenenc(struct reader *r);
struct bytes mysql_read_lenenc_text(struct reader *r);
/* Up to a NUL, or to the end: the last text of a packet may lack it. */
struct bytes mysql_read_text(struct reader *r);

/* ---------------------------------------------------------------- events: mysql_event.c */

extern const struct dis_field mysql_fields[N_FIELDS];

/* The values of one event while it is put together. */
struct mysql_draft {
	struct dis_value v[DIS_VALUES_MAX];
	size_t n;
	uint32_t flags;
	struct sql_qualified qualified;
	char digest[SQL_DIGEST_TEXT];
};

const char *mysql_command_word(enum mysql_command command); /* NULL: no command that may be sent */
void mysql_put_text(struct mysql_draft *d, enum mysql_field field, struct bytes text);
void mysql_put_number(struct mysql_draft *d, enum mysql_field field, uint64_t number);
void mysql_put_word(struct mysql_draft *d, enum mysql_field field, const char *word);
/* The schemas and tables that a statement touches, given what is in force; all text is as
 * long-lived as d and s. */
void mysql_put_objects(struct mysql_draft *d, const struct mysql_state *st, const struct sql *s);
/* Behind the objects: functions, WHERE, place in its packet (from 1), digest. */
void mysql_put_facts(struct mysql_draft *d, const struct sql *s, unsigned place);
/* Last in the request of a command that is no statement. */
void mysql_put_no_digest(struct mysql_draft *d, enum sql_verb verb);
/* One table of the schema in force. */
void mysql_put_table(struct mysql_draft *d, const struct mysql_state *st, struct bytes name);
/* A schema, and all its tables. */
void mysql_put_whole_schema(struct mysql_draft *d, const struct mysql_state *st,
			    struct bytes schema);
void mysql_emit(const struct dis_sink *sink, enum dis_kind kind, const struct mysql_draft *d);
/* command, verb and user: how every request begins. */
void mysql_begin_request(struct mysql_draft *d, const struct mysql_state *st,
			 enum mysql_command command, enum sql_verb verb);

/* ---------------------------------------------------------------- mysql_login.c */

struct dis_result mysql_greeting(struct mysql_state *st, struct bytes in,
				 const struct dis_sink *sink);
struct dis_result mysql_handshake(struct mysql_state *st, struct bytes in,
				  const struct dis_sink *sink);
/* What the client says once TLS was agreed on: its hello. */
struct dis_result mysql_tls(struct mysql_state *st, struct bytes in, const struct dis_sink *sink);
struct dis_result mysql_auth_from_client(struct mysql_state *st, struct bytes in);
/* Of a body that is COM_CHANGE_USER's, behind the command byte; NULL or why it is refused. */
const char *mysql_change_user(struct mysql_state *st, struct bytes body);

/* ---------------------------------------------------------------- mysql_command.c,
 * mysql_statement.c */

struct dis_result mysql_command(struct mysql_state *st, struct bytes in,
				const struct dis_sink *sink);
/* False: too many wait. */
bool mysql_push(struct mysql_state *st, enum mysql_command command);
struct dis_result mysql_statement_begin(struct mysql_state *st, struct bytes in,
					const struct dis_sink *sink);
struct dis_result mysql_statement_go_on(struct mysql_state *st, struct bytes in,
					const struct dis_sink *sink);
/* The command sets the schema when it succeeds. */
void mysql_expect_schema(struct mysql_state *st, struct bytes schema);
/* Doubt at once: the text is not UTF-8, whatever earlier commands will be answered. */
void mysql_expect_bytes(struct mysql_state *st);
/* The command makes the text UTF-8 when it succeeds. */
void mysql_expect_utf8(struct mysql_state *st);

/* ---------------------------------------------------------------- mysql_reply.c */

struct dis_result mysql_reply(struct mysql_state *st, struct bytes in, const struct dis_sink *sink);

/* ---------------------------------------------------------------- mysql_prepared.c */

/* Remembers what the draft of a PREPARE says; MYSQL_NO_SLOT when there is no room. */
unsigned mysql_prepared_add(struct mysql_state *st, const struct mysql_draft *d,
			    enum sql_verb verb);
void mysql_prepared_ready(struct mysql_state *st, unsigned slot, uint32_t id);
void mysql_prepared_drop(struct mysql_state *st, unsigned slot);
void mysql_prepared_close(struct mysql_state *st, uint32_t id);
void mysql_prepared_clear(struct mysql_state *st);
/* The request that executes it, complete; unproven when it is not known. */
void mysql_prepared_execute(struct mysql_state *st, struct mysql_draft *d, uint32_t id,
			    enum mysql_command command);

#endif
