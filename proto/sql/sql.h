/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a MySQL or MariaDB statement does, as far as its text alone proves it: one verb, and every
 * table and schema that it names. Not a parser of SQL: a tokeniser, and a shallow grammar that
 * knows every position in which a name can be a table's. sql.md says what is proven and what is
 * not, and which files of this folder serve PostgreSQL's dialect, too.
 *
 *	bytes --sql_lex.c--> tokens --sql_head.c--> how the statement begins
 *	                            --sql_query.c-> frames: one per open parenthesis
 *
 * All of it is a machine that takes one byte at a time, and its state is plain data, so a statement
 * may come in pieces of any size and be longer than any buffer. What must stay true: the result
 * does not depend on the pieces; a statement that could reach a table that is not in the result
 * says `is_unproven`.
 */
#ifndef SQL_SQL_H
#define SQL_SQL_H

#include "bridgewarden/bytes.h"
#include "sql/sql_calls.h"
#include "sql/sql_digest.h"
#include "sql/sql_table.h"

enum {
	SQL_NAME_MAX = 192,  /* 64 characters of at most 3 bytes: the servers' own limit */
	SQL_TOKEN_MAX = 256, /* of a longer token only the length is known */
	SQL_NAMES_MAX = 768, /* bytes of all these names */
	SQL_DEPTH_MAX = 32,  /* parentheses inside each other */
};

/* X(constant, word in policies and records) */
/* clang-format off */
#define SQL_VERBS(X) \
	X(UNKNOWN, "unknown") \
	X(SELECT, "select") \
	X(INSERT, "insert") \
	X(REPLACE, "replace") \
	X(UPDATE, "update") \
	X(DELETE, "delete") \
	X(DO, "do") \
	X(SHOW, "show") \
	X(DESCRIBE, "describe") \
	X(EXPLAIN, "explain") \
	X(HELP, "help") \
	X(USE, "use") \
	X(SET, "set") \
	X(BEGIN, "begin") \
	X(COMMIT, "commit") \
	X(ROLLBACK, "rollback") \
	X(SAVEPOINT, "savepoint") \
	X(RELEASE, "release") \
	X(LOCK, "lock") \
	X(UNLOCK, "unlock") \
	X(XA, "xa") \
	X(SESSION, "session") \
	X(DEALLOCATE, "deallocate") \
	X(CREATE, "create") \
	X(ALTER, "alter") \
	X(DROP, "drop") \
	X(RENAME, "rename") \
	X(TRUNCATE, "truncate") \
	X(ANALYZE, "analyze") \
	X(CHECK, "check") \
	X(CHECKSUM, "checksum") \
	X(OPTIMIZE, "optimize") \
	X(REPAIR, "repair") \
	X(CALL, "call") \
	X(LOAD, "load") \
	X(HANDLER, "handler") \
	X(PREPARE, "prepare") \
	X(EXECUTE, "execute") \
	X(ACCOUNT, "account") \
	X(GRANT, "grant") \
	X(REVOKE, "revoke") \
	X(SET_GLOBAL, "set_global") \
	X(FLUSH, "flush") \
	X(KILL, "kill") \
	X(RESET, "reset") \
	X(PURGE, "purge") \
	X(SHUTDOWN, "shutdown") \
	X(REPLICATION, "replication") \
	X(PLUGIN, "plugin") \
	X(DEBUG, "debug") \
	X(CLONE, "clone")
/* clang-format on */

#define SQL_VERB_NAME(name, word) SQL_##name,
enum sql_verb { SQL_VERBS(SQL_VERB_NAME) SQL_N_VERBS };
#undef SQL_VERB_NAME

extern const char *const sql_verb_words[SQL_N_VERBS + 1]; /* NULL-terminated, by enum sql_verb */

/* What a statement does to how later ones are read. */
enum sql_effect {
	SQL_USES_SCHEMA = 1u << 0,  /* USE: tables[0].schema is the schema afterwards */
	SQL_LOSES_LEXING = 1u << 1, /* quotes or character set may mean something else afterwards */
	SQL_SETS_UTF8 = 1u << 2,    /* the text of later statements is UTF-8 ... */
	SQL_SETS_BYTES = 1u << 3,   /* ... or has one byte per character */
};

enum sql_token_kind {
	SQL_T_WORD,   /* unquoted: keyword, name, or digits followed by letters */
	SQL_T_QUOTED, /* `name` */
	SQL_T_STRING, /* 'text' */
	SQL_T_DOUBLE, /* "text": a name under ANSI_QUOTES */
	SQL_T_NUMBER,
	SQL_T_VAR,   /* @name, @@scope.name; text begins with the @ */
	SQL_T_PUNCT, /* one byte: text[0] */
	SQL_T_END,
};

struct sql_token {
	uint8_t kind;	 /* enum sql_token_kind */
	uint8_t word;	 /* enum sql_word of an unquoted word that is not a qualified name's part */
	uint8_t is_part; /* follows a dot */
	uint8_t is_dotted; /* a dot and a name follow at once */
	uint32_t n;	   /* of the whole token; the text keeps SQL_TOKEN_MAX of it */
	uint8_t text[SQL_TOKEN_MAX];
};

/* One open parenthesis, or the statement itself. The states are those of sql_query.c. */
struct sql_frame {
	uint8_t state, clause, kind, flags;
};

/* The arrays stand at the end, each with its count before: what lies behind a count is nothing, and
 * is not cleared for each statement. */
struct sql {
	/* The result; complete once is_end. */
	uint8_t verb; /* enum sql_verb */
	uint8_t effects;
	uint8_t has_token; /* else there is nothing to judge */
	uint8_t is_unproven;
	uint8_t is_end;
	uint8_t uses_default; /* touches the schema in force without naming a table (SHOW TABLES) */
	uint8_t n_tables, n_ctes;
	uint16_t n_names;
	uint8_t has_where; /* the statement itself, not a query in parentheses */
	uint8_t unused;
	struct sql_calls calls;
	struct sql_digest digest;

	/* The tokeniser. */
	uint8_t is_utf8;
	uint8_t is_lost; /* even where the statement ends is not proven: it is the rest of the text
			  */
	uint8_t lex;	 /* where in a token the last byte was */
	uint8_t quote;
	uint8_t in_version;  /* inside a version comment whose text every server executes */
	uint8_t version_n;   /* digits of it so far */
	uint8_t is_adjacent; /* no blank since the last token */
	uint32_t version;

	/* The grammar. */
	uint8_t head, goal, depth;
	uint8_t previous_kind, previous_word, previous_byte, is_previous_part;
	uint8_t n_words; /* of a head, saturating */
	uint8_t is_with_recursive;
	uint8_t is_held_dual;
	uint32_t previous_n;
	struct sql_table held; /* a name that a dot may follow */
	struct sql_table cte;  /* the name that WITH is defining */

	struct sql_token token;
	struct sql_frame frames[SQL_DEPTH_MAX];
	struct sql_table tables[SQL_TABLES_MAX];
	struct sql_table ctes[SQL_CTES_MAX];
	uint8_t names[SQL_NAMES_MAX];
};

/* Zeroed memory is the start of a text too. is_utf8: else bytes above 0x7f outside quotes are not
 * proven. */
void sql_init(struct sql *s, bool is_utf8);

/* Reads to the end of the statement or of `in`; how many bytes it took. s->is_end: a statement is
 * complete. Empty statements are passed over. */
size_t sql_feed(struct sql *s, struct bytes in);

/* The text ends here: so does the statement. */
void sql_finish(struct sql *s);

/* Forgets the statement that is complete; the next byte belongs to the one after it. */
void sql_next(struct sql *s);

static inline struct bytes sql_name(const struct sql *s, uint16_t at, uint8_t n)
{
	return bytes_of(s->names + at, n);
}

#endif
