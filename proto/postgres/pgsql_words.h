/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words that the grammar asks for, those that no server takes for a name, and those that may
 * stand before a parenthesis in an expression. */
#ifndef PGSQL_WORDS_H
#define PGSQL_WORDS_H

#include "bridgewarden/bytes.h"
#include "sql/sql_list.h"

/* X(constant, word) in the order of the alphabet */
/* clang-format off */
#define PGSQL_WORDS(X) \
	X(ABORT, "abort") \
	X(ALL, "all") \
	X(ALTER, "alter") \
	X(ANALYSE, "analyse") \
	X(ANALYZE, "analyze") \
	X(AS, "as") \
	X(ATTACH, "attach") \
	X(AUTHORIZATION, "authorization") \
	X(BEGIN, "begin") \
	X(BINARY, "binary") \
	X(CALL, "call") \
	X(CASCADE, "cascade") \
	X(CHARACTERISTICS, "characteristics") \
	X(CHECKPOINT, "checkpoint") \
	X(CLOSE, "close") \
	X(CLUSTER, "cluster") \
	X(COLUMN, "column") \
	X(COMMENT, "comment") \
	X(COMMIT, "commit") \
	X(CONCURRENTLY, "concurrently") \
	X(CONFLICT, "conflict") \
	X(CONSTRAINTS, "constraints") \
	X(COPY, "copy") \
	X(CREATE, "create") \
	X(CROSS, "cross") \
	X(DATABASE, "database") \
	X(DEALLOCATE, "deallocate") \
	X(DECLARE, "declare") \
	X(DEFAULT, "default") \
	X(DELETE, "delete") \
	X(DETACH, "detach") \
	X(DISCARD, "discard") \
	X(DISTINCT, "distinct") \
	X(DO, "do") \
	X(DROP, "drop") \
	X(END, "end") \
	X(EXCEPT, "except") \
	X(EXECUTE, "execute") \
	X(EXISTS, "exists") \
	X(EXPLAIN, "explain") \
	X(FETCH, "fetch") \
	X(FOR, "for") \
	X(FREEZE, "freeze") \
	X(FROM, "from") \
	X(FULL, "full") \
	X(GLOBAL, "global") \
	X(GRANT, "grant") \
	X(GROUP, "group") \
	X(HAVING, "having") \
	X(IF, "if") \
	X(IN, "in") \
	X(INDEX, "index") \
	X(INHERIT, "inherit") \
	X(INHERITS, "inherits") \
	X(INNER, "inner") \
	X(INSERT, "insert") \
	X(INTERSECT, "intersect") \
	X(INTO, "into") \
	X(IS, "is") \
	X(JOIN, "join") \
	X(LATERAL, "lateral") \
	X(LEFT, "left") \
	X(LIKE, "like") \
	X(LIMIT, "limit") \
	X(LISTEN, "listen") \
	X(LOAD, "load") \
	X(LOCAL, "local") \
	X(LOCK, "lock") \
	X(MATERIALIZED, "materialized") \
	X(MERGE, "merge") \
	X(MOVE, "move") \
	X(NAMES, "names") \
	X(NATURAL, "natural") \
	X(NOT, "not") \
	X(NOTIFY, "notify") \
	X(OF, "of") \
	X(OFFSET, "offset") \
	X(ON, "on") \
	X(ONLY, "only") \
	X(OPERATOR, "operator") \
	X(OR, "or") \
	X(ORDER, "order") \
	X(ORDINALITY, "ordinality") \
	X(OVERRIDING, "overriding") \
	X(OWNED, "owned") \
	X(OWNER, "owner") \
	X(PARTITION, "partition") \
	X(PREPARE, "prepare") \
	X(PROGRAM, "program") \
	X(REASSIGN, "reassign") \
	X(RECURSIVE, "recursive") \
	X(REFERENCES, "references") \
	X(REFRESH, "refresh") \
	X(REINDEX, "reindex") \
	X(RELEASE, "release") \
	X(RENAME, "rename") \
	X(REPLACE, "replace") \
	X(RESET, "reset") \
	X(RETURNING, "returning") \
	X(REVOKE, "revoke") \
	X(RIGHT, "right") \
	X(ROLE, "role") \
	X(ROLLBACK, "rollback") \
	X(ROWS, "rows") \
	X(SAVEPOINT, "savepoint") \
	X(SCHEMA, "schema") \
	X(SELECT, "select") \
	X(SEQUENCE, "sequence") \
	X(SESSION, "session") \
	X(SET, "set") \
	X(SHOW, "show") \
	X(START, "start") \
	X(STDIN, "stdin") \
	X(STDOUT, "stdout") \
	X(SYSTEM, "system") \
	X(TABLE, "table") \
	X(TABLES, "tables") \
	X(TABLESAMPLE, "tablesample") \
	X(TEMP, "temp") \
	X(TEMPORARY, "temporary") \
	X(TIME, "time") \
	X(TO, "to") \
	X(TRANSACTION, "transaction") \
	X(TRUNCATE, "truncate") \
	X(UNION, "union") \
	X(UNIQUE, "unique") \
	X(UNLISTEN, "unlisten") \
	X(UNLOGGED, "unlogged") \
	X(UPDATE, "update") \
	X(USER, "user") \
	X(USING, "using") \
	X(VACUUM, "vacuum") \
	X(VALUES, "values") \
	X(VERBOSE, "verbose") \
	X(VIEW, "view") \
	X(WHERE, "where") \
	X(WINDOW, "window") \
	X(WITH, "with")
/* clang-format on */

#define PGSQL_WORD_NAME(name, text) PGSQL_W_##name,
enum pgsql_word { PGSQL_W_NONE, PGSQL_WORDS(PGSQL_WORD_NAME) PGSQL_N_WORDS };
#undef PGSQL_WORD_NAME

/* Where the letters begin in the two long lists. */
extern const struct sql_index pgsql_words, pgsql_callables;

/* PGSQL_W_NONE for every other word. */
enum pgsql_word pgsql_word_find(struct bytes text);
const char *pgsql_word_text(enum pgsql_word word);

/* No name of a table or an alias, on any server. */
bool pgsql_word_is_reserved(struct bytes text);

/* A function of the server's own or a keyword: `word (` in an expression runs nothing that a user
 * stored. */
bool pgsql_word_is_callable(struct bytes text);

/* Such a callable that is a type of PostgreSQL's own, with a precision or a length: no function. */
bool pgsql_word_is_type(struct bytes text);

/* FROM inside the parenthesis of this one is not a clause: EXTRACT, TRIM, SUBSTRING. */
bool pgsql_word_takes_from(struct bytes text);

/* nextval('name') and its like: the text names a sequence. */
bool pgsql_word_takes_sequence(struct bytes text);

#endif
