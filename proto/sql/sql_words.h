/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words that the grammar asks for, and those that may stand before a parenthesis in an
 * expression. */
#ifndef SQL_WORDS_H
#define SQL_WORDS_H

#include "bridgewarden/bytes.h"
#include "sql/sql_list.h"

/* X(constant, word, reserved on every server from MySQL 5.7 and MariaDB 10.4 on: can be no name) */
/* clang-format off */
#define SQL_WORDS(X) \
	X(ALGORITHM, "algorithm", 0) \
	X(ALL, "all", 1) \
	X(ALTER, "alter", 1) \
	X(ANALYZE, "analyze", 1) \
	X(AS, "as", 1) \
	X(BEGIN, "begin", 0) \
	X(BINLOG, "binlog", 0) \
	X(CALL, "call", 1) \
	X(CHANGE, "change", 1) \
	X(CHARACTER, "character", 1) \
	X(CHARSET, "charset", 0) \
	X(CHECK, "check", 1) \
	X(CHECKSUM, "checksum", 0) \
	X(CLONE, "clone", 0) \
	X(COLUMN, "column", 1) \
	X(COLUMNS, "columns", 0) \
	X(COMMIT, "commit", 0) \
	X(CONNECTION, "connection", 0) \
	X(CREATE, "create", 1) \
	X(CROSS, "cross", 1) \
	X(DATABASE, "database", 1) \
	X(DATABASES, "databases", 1) \
	X(DEALLOCATE, "deallocate", 0) \
	X(DEFAULT, "default", 1) \
	X(DEFINER, "definer", 0) \
	X(DELAYED, "delayed", 1) \
	X(DELETE, "delete", 1) \
	X(DESC, "desc", 1) \
	X(DESCRIBE, "describe", 1) \
	X(DIRECTORY, "directory", 0) \
	X(DISTINCT, "distinct", 1) \
	X(DO, "do", 0) \
	X(DROP, "drop", 1) \
	X(DUAL, "dual", 1) \
	X(DUMPFILE, "dumpfile", 0) \
	X(DUPLICATE, "duplicate", 0) \
	X(ENGINE, "engine", 0) \
	X(EVENT, "event", 0) \
	X(EVENTS, "events", 0) \
	X(EXCEPT, "except", 0) \
	X(EXECUTE, "execute", 0) \
	X(EXISTS, "exists", 1) \
	X(EXPLAIN, "explain", 1) \
	X(EXTENDED, "extended", 0) \
	X(FIELDS, "fields", 0) \
	X(FLUSH, "flush", 0) \
	X(FOR, "for", 1) \
	X(FORCE, "force", 1) \
	X(FORMAT, "format", 0) \
	X(FROM, "from", 1) \
	X(FULL, "full", 0) \
	X(FULLTEXT, "fulltext", 1) \
	X(FUNCTION, "function", 0) \
	X(GLOBAL, "global", 0) \
	X(GRANT, "grant", 1) \
	X(GROUP, "group", 1) \
	X(HANDLER, "handler", 0) \
	X(HAVING, "having", 1) \
	X(HELP, "help", 0) \
	X(HIGH_PRIORITY, "high_priority", 1) \
	X(IF, "if", 1) \
	X(IGNORE, "ignore", 1) \
	X(IN, "in", 1) \
	X(INDEX, "index", 1) \
	X(INDEXES, "indexes", 0) \
	X(INNER, "inner", 1) \
	X(INSERT, "insert", 1) \
	X(INSTALL, "install", 0) \
	X(INTERSECT, "intersect", 0) \
	X(INTO, "into", 1) \
	X(JOIN, "join", 1) \
	X(KEY, "key", 1) \
	X(KEYS, "keys", 1) \
	X(KILL, "kill", 1) \
	X(LATERAL, "lateral", 0) \
	X(LEFT, "left", 1) \
	X(LIKE, "like", 1) \
	X(LIMIT, "limit", 1) \
	X(LOAD, "load", 1) \
	X(LOCAL, "local", 0) \
	X(LOCK, "lock", 1) \
	X(LOW_PRIORITY, "low_priority", 1) \
	X(NAMES, "names", 0) \
	X(NATURAL, "natural", 1) \
	X(NOT, "not", 1) \
	X(OFFSET, "offset", 0) \
	X(ON, "on", 1) \
	X(OPTIMIZE, "optimize", 1) \
	X(ORDER, "order", 1) \
	X(OUTER, "outer", 1) \
	X(OUTFILE, "outfile", 1) \
	X(PARTITION, "partition", 1) \
	X(PARTITIONS, "partitions", 0) \
	X(PASSWORD, "password", 0) \
	X(PERSIST, "persist", 0) \
	X(PERSIST_ONLY, "persist_only", 0) \
	X(PREPARE, "prepare", 0) \
	X(PROCEDURE, "procedure", 1) \
	X(PURGE, "purge", 1) \
	X(QUICK, "quick", 0) \
	X(RECURSIVE, "recursive", 0) \
	X(REFERENCES, "references", 1) \
	X(RELEASE, "release", 1) \
	X(RENAME, "rename", 1) \
	X(REPAIR, "repair", 0) \
	X(REPLACE, "replace", 1) \
	X(RESET, "reset", 0) \
	X(RESOURCE, "resource", 0) \
	X(RETURNING, "returning", 0) \
	X(REVOKE, "revoke", 1) \
	X(RIGHT, "right", 1) \
	X(ROLE, "role", 0) \
	X(ROLLBACK, "rollback", 0) \
	X(SAVEPOINT, "savepoint", 0) \
	X(SCHEMA, "schema", 1) \
	X(SCHEMAS, "schemas", 1) \
	X(SELECT, "select", 1) \
	X(SESSION, "session", 0) \
	X(SET, "set", 1) \
	X(SHARE, "share", 0) \
	X(SHOW, "show", 1) \
	X(SHUTDOWN, "shutdown", 0) \
	X(SPATIAL, "spatial", 1) \
	X(START, "start", 0) \
	X(STATEMENT, "statement", 0) \
	X(STATUS, "status", 0) \
	X(STOP, "stop", 0) \
	X(STRAIGHT_JOIN, "straight_join", 1) \
	X(TABLE, "table", 1) \
	X(TABLES, "tables", 0) \
	X(TEMPORARY, "temporary", 0) \
	X(TO, "to", 1) \
	X(TRANSACTION, "transaction", 0) \
	X(TRIGGER, "trigger", 1) \
	X(TRIGGERS, "triggers", 0) \
	X(TRUNCATE, "truncate", 0) \
	X(UNINSTALL, "uninstall", 0) \
	X(UNION, "union", 1) \
	X(UNIQUE, "unique", 1) \
	X(UNLOCK, "unlock", 1) \
	X(UPDATE, "update", 1) \
	X(USE, "use", 1) \
	X(USER, "user", 0) \
	X(USING, "using", 1) \
	X(VALUE, "value", 0) \
	X(VALUES, "values", 1) \
	X(VIEW, "view", 0) \
	X(WHERE, "where", 1) \
	X(WINDOW, "window", 0) \
	X(WITH, "with", 1) \
	X(WORK, "work", 0) \
	X(XA, "xa", 0)
/* clang-format on */

#define SQL_WORD_NAME(name, text, reserved) SQL_W_##name,
enum sql_word { SQL_W_NONE, SQL_WORDS(SQL_WORD_NAME) SQL_N_WORDS };
#undef SQL_WORD_NAME

/* Where the letters begin in the two long lists. */
extern const struct sql_index sql_words, sql_callables;

/* SQL_W_NONE for every other word. */
enum sql_word sql_word_find(struct bytes text);
const char *sql_word_text(enum sql_word word);
bool sql_word_is_reserved(enum sql_word word);

/* A function of the server's own or a keyword: `word (` in an expression calls nothing that a user
 * stored. */
bool sql_word_is_callable(struct bytes text);

/* A stored function's name when a blank or a comment stands before the parenthesis. */
bool sql_word_is_glued(struct bytes text);

/* FROM inside the parenthesis of this one is not a clause: EXTRACT, TRIM, SUBSTRING. */
bool sql_word_takes_from(struct bytes text);

#endif
