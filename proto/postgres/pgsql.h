/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a PostgreSQL statement does, as far as its text alone proves it: one verb, and every table
 * and schema that it names. A tokeniser, and a shallow grammar that knows every position in which a
 * name can be a table's. postgres.md says what is proven and what is not.
 *
 *	bytes --pgsql_lex.c--> tokens --pgsql_head.c--> how the statement begins
 *	                              --pgsql_query.c-> frames: one per open parenthesis
 *
 * It takes one byte at a time and its state is plain data, so a statement may come in pieces of any
 * size. What must stay true: the result does not depend on the pieces; a statement that could reach
 * a table that is not in the result says `is_unproven`. Quotes, comments, reserved words and the
 * places of tables are not MySQL's, hence not proto/sql's; sql.md says what the two share.
 */
#ifndef PGSQL_H
#define PGSQL_H

#include "bridgewarden/bytes.h"
#include "sql/sql_calls.h"
#include "sql/sql_digest.h"
#include "sql/sql_table.h"

enum {
	PGSQL_NAME_MAX = 63, /* the server cuts longer names: they are unproven */
	PGSQL_TOKEN_MAX = 128,
	PGSQL_TAG_MAX = 32, /* of a dollar quote */
	PGSQL_NAMES_MAX = 640,
	PGSQL_DEPTH_MAX = 48, /* parentheses inside each other */
};

/* X(constant, word in policies and records) */
/* clang-format off */
#define PGSQL_VERBS(X) \
	X(UNKNOWN, "unknown") \
	X(SELECT, "select") \
	X(INSERT, "insert") \
	X(UPDATE, "update") \
	X(DELETE, "delete") \
	X(MERGE, "merge") \
	X(COPY_OUT, "copy_out") \
	X(COPY_IN, "copy_in") \
	X(COPY_FILE, "copy_file") \
	X(COPY_PROGRAM, "copy_program") \
	X(EXPLAIN, "explain") \
	X(SHOW, "show") \
	X(DECLARE, "declare") \
	X(FETCH, "fetch") \
	X(CLOSE, "close") \
	X(SET, "set") \
	X(RESET, "reset") \
	X(DISCARD, "discard") \
	X(DEALLOCATE, "deallocate") \
	X(BEGIN, "begin") \
	X(COMMIT, "commit") \
	X(ROLLBACK, "rollback") \
	X(SAVEPOINT, "savepoint") \
	X(RELEASE, "release") \
	X(SESSION, "session") \
	X(LOCK, "lock") \
	X(LISTEN, "listen") \
	X(UNLISTEN, "unlisten") \
	X(NOTIFY, "notify") \
	X(CREATE, "create") \
	X(ALTER, "alter") \
	X(DROP, "drop") \
	X(TRUNCATE, "truncate") \
	X(COMMENT, "comment") \
	X(REFRESH, "refresh") \
	X(ACCOUNT, "account") \
	X(GRANT, "grant") \
	X(REVOKE, "revoke") \
	X(SET_GLOBAL, "set_global") \
	X(ANALYZE, "analyze") \
	X(VACUUM, "vacuum") \
	X(CLUSTER, "cluster") \
	X(REINDEX, "reindex") \
	X(CHECKPOINT, "checkpoint") \
	X(CANCEL, "cancel") \
	X(REPLICATION, "replication") \
	X(CALL, "call") \
	X(DO, "do") \
	X(PREPARE, "prepare") \
	X(EXECUTE, "execute") \
	X(LOAD, "load") \
	X(FUNCTION_CALL, "function_call")
/* clang-format on */

#define PGSQL_VERB_NAME(name, word) PGSQL_##name,
enum pgsql_verb { PGSQL_VERBS(PGSQL_VERB_NAME) PGSQL_N_VERBS };
#undef PGSQL_VERB_NAME

extern const char *const pgsql_verb_words[PGSQL_N_VERBS + 1]; /* NULL-terminated, by enum */

/* What a statement does to how later ones are read. */
enum pgsql_effect {
	PGSQL_ADDS_PATH = 1u << 0,     /* tables[] are schemas that may be searched afterwards */
	PGSQL_LOSES_PATH = 1u << 1,    /* nobody knows where bare names are searched */
	PGSQL_LOSES_LEXING = 1u << 2,  /* quotes or character set may mean something else */
	PGSQL_FORGETS_ONE = 1u << 3,   /* the prepared statement named by `object` */
	PGSQL_FORGETS_ALL = 1u << 4,   /* every prepared statement */
	PGSQL_HAS_DATABASE = 1u << 5,  /* `object` names a database */
	PGSQL_SETS_ENCODING = 1u << 6, /* to one in which ASCII is ASCII */
};

enum pgsql_token_kind {
	PGSQL_T_WORD,
	PGSQL_T_QUOTED, /* "name" */
	PGSQL_T_STRING, /* '', E'', U&'', $$ $$: what is between, as it was written */
	PGSQL_T_NUMBER,
	PGSQL_T_PARAM, /* $1 */
	PGSQL_T_PUNCT, /* one byte: text[0] */
	PGSQL_T_END,
};

struct pgsql_token {
	uint8_t kind;	    /* enum pgsql_token_kind */
	uint8_t word;	    /* enum pgsql_word of an unquoted word that follows no dot */
	uint8_t is_part;    /* follows a dot */
	uint8_t is_own;	    /* bare, or of pg_catalog: NAME ( may be the server's own */
	uint8_t is_escaped; /* holds escapes: the text is not what the server sees */
	uint32_t n;	    /* of the whole token; the text keeps PGSQL_TOKEN_MAX of it */
	uint8_t text[PGSQL_TOKEN_MAX];
};

/* One open parenthesis, or the statement itself. The states are those of pgsql_query.c. */
struct pgsql_frame {
	uint8_t state, clause, kind, flags;
};

/* The arrays stand at the end, each with its count before: what lies behind a count is nothing, and
 * is not cleared for each statement. */
struct pgsql {
	/* The result; complete once is_end. */
	uint8_t verb; /* enum pgsql_verb */
	uint8_t effects;
	uint8_t has_token; /* else there is nothing to judge */
	uint8_t is_unproven;
	uint8_t is_end;
	uint8_t is_everything; /* touches every table of the database: VACUUM alone */
	uint8_t is_nul;	       /* a NUL byte came: no text goes on behind it */
	uint8_t n_tables, n_ctes;
	uint16_t n_names;
	uint8_t has_where;    /* the statement itself, not a query in parentheses */
	uint8_t has_settings; /* the name pg_settings, wherever */
	uint8_t unused[2];
	struct sql_calls calls;
	struct sql_digest digest;
	struct sql_table object; /* its name: a database or a prepared statement */

	/* The tokeniser. */
	uint8_t is_utf8;
	uint8_t is_lost; /* even where the statement ends is not proven: it is the rest */
	uint8_t lex;	 /* where in a token the last byte was */
	uint8_t quote, is_backslash;
	uint16_t n_nested; /* comments */
	uint8_t n_tag, n_matched;

	/* The grammar. */
	uint8_t head, goal, depth;
	uint8_t previous_kind, previous_word, previous_byte;
	uint8_t is_previous_own, is_previous_part;
	uint8_t n_distinct; /* IS [NOT] DISTINCT, before FROM */
	uint8_t n_catalog;  /* pg_catalog, and the dot behind it */
	uint8_t n_words;    /* of a head, saturating */
	uint8_t is_with_recursive;
	uint32_t previous_n;
	struct sql_table held; /* a name that a dot may follow */
	struct sql_table cte;  /* the name that WITH is defining */

	struct pgsql_token token;
	struct pgsql_frame frames[PGSQL_DEPTH_MAX];
	struct sql_table tables[SQL_TABLES_MAX];
	struct sql_table ctes[SQL_CTES_MAX];
	uint8_t tag[PGSQL_TAG_MAX];
	uint8_t names[PGSQL_NAMES_MAX];
};

/* Zeroed memory is the start of a text too. is_utf8: else names with bytes above 0x7f are not
 * proven. */
void pgsql_init(struct pgsql *s, bool is_utf8);

/* Reads to the end of the statement or of `in`; how many bytes it took. s->is_end: a statement is
 * complete. Empty statements are passed over. */
size_t pgsql_feed(struct pgsql *s, struct bytes in);

/* The text ends here: so does the statement. */
void pgsql_finish(struct pgsql *s);

/* Forgets the statement that is complete; the next byte belongs to the one after it. */
void pgsql_next(struct pgsql *s);

/* Of a list of schemas as a startup packet has it: "$user", public, "Mixed". Every one becomes a
 * table without name; false when the list cannot be read. */
bool pgsql_read_path(struct pgsql *s, struct bytes list);

/* Can ASCII bytes be half of a character in it? Also true of names that no server knows. */
bool pgsql_is_unsafe_encoding(struct bytes name);
bool pgsql_is_utf8(struct bytes encoding);

#endif
