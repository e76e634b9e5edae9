/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is in force on a connection, database and user, when the requests that change it may be
 * refused.
 *
 * While a SELECT or a login is unanswered, the requests behind it may run under either value, so
 * each carries all of them. The server's answer, matched by order, leaves the one that is true.
 * Answers of ordinary commands are only counted, so any number of them may be under way; those that
 * change something have a bounded table.
 *
 * Some commands end the matching of answers by order for good (SUBSCRIBE, MONITOR, CLIENT REPLY):
 * from then on every value ever asked for stays possible. That can refuse too much, never too
 * little.
 */
#ifndef REDIS_SESSION_H
#define REDIS_SESSION_H

#include "redis_keys.h"

enum {
	REDIS_PENDING_MAX = 32, /* answers awaited that change something */
	REDIS_LOGINS_MAX = 4,	/* of them, logins and resets */
	REDIS_USER_MAX = 64,
	REDIS_DBS_MAX = 64, /* databases told apart; the server's default is 16 */
	REDIS_DB_OTHER = REDIS_DBS_MAX,
};

enum redis_change {
	REDIS_PLAIN,
	REDIS_SELECT,
	REDIS_LOGIN,
	REDIS_RESET,
	REDIS_STREAM, /* PSYNC, SYNC: what follows the answer is not RESP */
	REDIS_LOSE,   /* answers cannot be matched behind this one */
};

struct redis_user {
	uint8_t n, text[REDIS_USER_MAX];
};

/* An answer awaited, behind n_plain answers that change nothing. */
struct redis_pending {
	uint64_t n_plain;
	uint8_t change, db;
};

/* n_plain: answers awaited behind the last pending one. dbs: bit per database that may be in force,
 * 0 means the first alone. user: in force; of no length means "default". is_losing: a REDIS_LOSE is
 * under way; is_lost: past it. Two rings: pending, and in the same order the users that its logins
 * and resets ask for. */
struct redis_session {
	uint64_t n_plain, dbs;
	uint8_t first, n_pending, first_login, n_logins;
	uint8_t is_losing, is_lost, is_db_unknown, is_user_unknown;
	struct redis_user user, logins[REDIS_LOGINS_MAX];
	struct redis_pending pending[REDIS_PENDING_MAX];
};

/* What one command asks to change. */
struct redis_wish {
	enum redis_change change;
	uint8_t db;
	struct bytes user;
};

/* Reads the wish; false: a command that cannot be followed (a user name too long). */
bool redis_wish(const struct redis_named *named, const struct redis_args *args,
		struct redis_wish *out);
/* The command was judged and will reach the server. False: the table is full, nothing changed. */
bool redis_expect(struct redis_session *s, const struct redis_wish *wish);
/* An answer begins with this line (type byte included, CRLF not). The change that it was awaited
 * for, with *user set when a login took effect; or false when no answer was awaited. */
bool redis_answer(struct redis_session *s, struct bytes line, enum redis_change *out,
		  struct bytes *user);
/* How many answers are to come; 0 also when nobody knows. */
uint64_t redis_awaited(const struct redis_session *s);
/* The next answer is that to PSYNC or SYNC. */
bool redis_awaits_stream(const struct redis_session *s);
/* Every database that may be in force, as bits; false when that is not known. */
bool redis_dbs(const struct redis_session *s, uint64_t *dbs);
/* The same for users; at most REDIS_LOGINS_MAX + 1. */
bool redis_users(const struct redis_session *s, struct bytes *users, size_t *n);

#endif
