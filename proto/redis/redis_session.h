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
 * Order is not enough where the server speaks unasked or not at all:
 *
 *   subscriptions  each channel is confirmed by its name, messages say that they are some. In RESP2
 *                  both are arrays, told from answers by that: a subscribed client may ask nothing
 *                  that is answered by such an array. In RESP3 they are pushes.
 *   CLIENT REPLY   OFF and SKIP are not answered when they take effect. What comes next tells: an
 *                  error, or the answer to what follows the silence.
 *
 * Where neither would be a proof, the matching is lost for good (is_lost): from then on every value
 * ever asked for stays possible. That can refuse too much, never too little.
 */
#ifndef REDIS_SESSION_H
#define REDIS_SESSION_H

#include "redis_wish.h"

enum {
	REDIS_PENDING_MAX = 32, /* answers awaited that change something */
	REDIS_LOGINS_MAX = 4,	/* of them, logins and resets */
	REDIS_DBS_SHOWN = 8,	/* possible at once for one command, and still told */
};

struct redis_user {
	uint8_t n, text[REDIS_USER_MAX];
};

/* What else is known of a pending one. */
enum {
	REDIS_IS_HELLO = 1 << 0, /* as in redis_wish, like the next */
	REDIS_IS_ODD = 1 << 1,
	/* Behind it something took effect that nobody will tell of: its answer decides less. */
	REDIS_IS_WEAK = 1 << 2,
};

/* An answer awaited, behind n_plain answers that change nothing. n: as in redis_wish; of a
 * subscription, confirmations still to come. */
struct redis_pending {
	uint32_t n_plain, n;
	uint8_t change, subscription, flags, unused;
};

/* Which requests are not counted as awaiting an answer. */
enum redis_silence {
	REDIS_SILENT_NONE,
	REDIS_SILENT_OFF,  /* behind CLIENT REPLY OFF: counted, in case it is refused */
	REDIS_SILENT_SKIP, /* likewise, for the next one */
	REDIS_SILENT_LOST, /* behind a REDIS_LOSE */
};

/* n_plain: answers awaited behind the last pending one. dbs: bit per database that may be in force;
 * far: one more, beyond those, 0 for none; nothing in both means the first alone. user: in force;
 * of no length means "default". silence: an enum redis_silence. is_lost: nothing is matched any
 * more. is_resp3: what was agreed on. telling: a subscription (plus one) whose confirmation is not
 * through. n_subscribed: channels, patterns, shard channels, as last told. Two rings: pending, and
 * in the same order the users that its logins and resets ask for. */
struct redis_session {
	uint64_t dbs;
	uint32_t n_plain, far, n_subscribed[3];
	uint8_t first, n_pending, first_login, n_logins;
	uint8_t silence, is_lost, is_db_unknown, is_user_unknown;
	uint8_t is_resp3, telling;
	struct redis_user user, logins[REDIS_LOGINS_MAX];
	uint8_t unused;
	struct redis_pending pending[REDIS_PENDING_MAX];
};

/* A list of databases; !is_known: there may be others. */
struct redis_dbs {
	uint32_t v[REDIS_DBS_SHOWN];
	size_t n;
	bool is_known;
};

/* What an answer was. */
enum redis_answered {
	REDIS_ANSWERED,	     /* a request */
	REDIS_ANSWERED_PART, /* a request, of which more is to come */
	REDIS_ANSWERED_LOGIN,
	REDIS_ANSWERED_STREAM, /* what follows is no RESP */
	REDIS_ASIDE,	       /* nothing: a message */
	REDIS_UNASKED,
};

/* The command was judged and will reach the server. False: the table is full, nothing changed. */
bool redis_expect(struct redis_session *s, const struct redis_wish *wish);
/* Does what an answer is depend on its first element, when it begins with this line (type byte
 * included, CRLF not)? */
bool redis_needs_name(const struct redis_session *s, struct bytes line);
/* An answer begins with this line; name: its first element, if that was needed and is a string. */
enum redis_answered redis_answer(struct redis_session *s, struct bytes line, struct bytes name);
/* A number within the confirmation that is being told: subscriptions that are left. */
void redis_told(struct redis_session *s, uint32_t n);
/* How many answers are to come; 0 also when nobody knows. */
uint64_t redis_awaited(const struct redis_session *s);
/* The next answer is that to PSYNC or SYNC. */
bool redis_awaits_stream(const struct redis_session *s);
void redis_add_db(struct redis_dbs *dbs, uint32_t db);
/* Every database that may be in force. */
void redis_dbs_of(const struct redis_session *s, struct redis_dbs *out);
struct bytes redis_user_in_force(const struct redis_session *s);
/* Every user that may be; at most REDIS_LOGINS_MAX + 1. False: there may be others. */
bool redis_users(const struct redis_session *s, struct bytes *users, size_t *n);

#endif
