/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one command asks of the connection it comes on: another database or user, another way to be
 * answered, or nothing (nearly always). redis_session.h keeps what became of it.
 */
#ifndef REDIS_WISH_H
#define REDIS_WISH_H

#include "redis_keys.h"

enum {
	REDIS_USER_MAX = 64,
	REDIS_DBS_MAX = 64, /* databases of which any set is kept; beyond, one at a time */
};

enum redis_change {
	REDIS_PLAIN,
	REDIS_SELECT,
	REDIS_LOGIN, /* AUTH, HELLO with AUTH */
	REDIS_HELLO, /* without AUTH: the version of the protocol only */
	REDIS_RESET,
	REDIS_STREAM, /* PSYNC, SYNC: what follows the answer is not RESP */
	REDIS_MULTI,
	REDIS_SUBSCRIPTION, /* answered once for each channel */
	REDIS_REPLY_OFF,    /* CLIENT REPLY: neither this one nor what follows is answered */
	REDIS_REPLY_ON,
	REDIS_REPLY_SKIP, /* likewise, this one and the next */
	REDIS_LOSE,	  /* answers cannot be matched behind this one */
};

/* What subscribes and unsubscribes: both kinds of channels and patterns. The order is that of the
 * names in redis_wish.c: those that unsubscribe come second. */
enum redis_subscription {
	REDIS_SUBSCRIBE,
	REDIS_PSUBSCRIBE,
	REDIS_SSUBSCRIBE,
	REDIS_UNSUBSCRIBE,
	REDIS_PUNSUBSCRIBE,
	REDIS_SUNSUBSCRIBE,
	REDIS_SUBSCRIPTIONS,
};

/* n: REDIS_SELECT: the database, UINT32_MAX when it is no number; REDIS_SUBSCRIPTION: how many
 * channels, 0 for all. is_hello: of HELLO, with or without a login. is_odd: a login that may take
 * effect although it is answered by an error. */
struct redis_wish {
	enum redis_change change;
	enum redis_subscription subscription;
	uint32_t n;
	bool is_hello, is_odd;
	struct bytes user;
};

/* Reads the wish; false: a command that cannot be followed (a user name too long, two logins). */
bool redis_wish(const struct redis_named *named, const struct redis_args *args,
		struct redis_wish *out);
/* The name that confirmations of a subscription begin with; REDIS_SUBSCRIPTIONS: it is none. */
enum redis_subscription redis_subscription(struct bytes name);

#endif
