/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options are read as the server's executing code reads them, which acts while it reads: HELLO logs
 * in at its AUTH and may then find an error behind it; REPLCONF falls silent at its first ACK.
 */
#include "redis_wish.h"

static bool is_one_of(struct bytes label, const char *const *names)
{
	for (; *names; names++)
		if (bytes_is(label, *names))
			return true;
	return false;
}

enum redis_subscription redis_subscription(struct bytes name)
{
	static const char *const names[REDIS_SUBSCRIPTIONS] = {"subscribe",    "psubscribe",
							       "ssubscribe",   "unsubscribe",
							       "punsubscribe", "sunsubscribe"};
	size_t i = 0;
	while (i < REDIS_SUBSCRIPTIONS && !bytes_is(name, names[i]))
		i++;
	return (enum redis_subscription)i;
}

/* HELLO [version [AUTH user password] [SETNAME name]]: two logins in one have no name. */
static void wish_hello(const struct redis_args *args, struct redis_wish *out)
{
	out->change = REDIS_HELLO;
	out->is_hello = true;
	for (size_t i = 2; i < args->n_kept;) {
		const bool is_auth = bytes_is_nocase(args->v[i], "AUTH") && i + 2 < args->n_kept;
		const bool is_name = bytes_is_nocase(args->v[i], "SETNAME") && i + 1 < args->n_kept;
		/* What stands behind the login may be an error when the login is done already. */
		out->is_odd |= out->change == REDIS_LOGIN;
		if (!is_auth && !is_name)
			return;
		if (is_auth) {
			out->user = out->change == REDIS_LOGIN ? bytes_of(NULL, 0) : args->v[i + 1];
			out->change = REDIS_LOGIN;
		}
		i += is_auth ? 3 : 2;
	}
}

static void wish_auth(const struct redis_args *args, struct redis_wish *out)
{
	if (args->total != 2 && args->total != 3)
		return;
	out->change = REDIS_LOGIN;
	out->user = args->total == 3 ? args->v[1] : bytes_str("default");
}

static void wish_select(const struct redis_args *args, struct redis_wish *out)
{
	uint64_t db;
	if (args->total != 2)
		return;
	out->change = REDIS_SELECT;
	out->n = redis_number(args->v[1], INT32_MAX, &db) ? (uint32_t)db : UINT32_MAX;
}

static void wish_client_reply(const struct redis_args *args, struct redis_wish *out)
{
	if (args->total != 3 || args->n_kept < 3)
		return;
	if (bytes_is_nocase(args->v[2], "OFF"))
		out->change = REDIS_REPLY_OFF;
	else if (bytes_is_nocase(args->v[2], "ON"))
		out->change = REDIS_REPLY_ON;
	else if (bytes_is_nocase(args->v[2], "SKIP"))
		out->change = REDIS_REPLY_SKIP;
}

/* REPLCONF [name value]...: ACK and GETACK, wherever they stand, end it without an answer. */
static void wish_replconf(const struct redis_args *args, struct redis_wish *out)
{
	bool is_silent = args->n_kept < args->total;
	for (size_t i = 1; i < args->n_kept; i++)
		is_silent |=
			bytes_is_nocase(args->v[i], "ACK") || bytes_is_nocase(args->v[i], "GETACK");
	if (is_silent)
		out->change = REDIS_LOSE;
}

static void wish_subscription(enum redis_subscription kind, const struct redis_args *args,
			      struct redis_wish *out)
{
	if (args->total == 1 && kind < REDIS_UNSUBSCRIBE)
		return; /* an error */
	out->change = REDIS_SUBSCRIPTION;
	out->subscription = kind;
	out->n = (uint32_t)args->total - 1;
}

/* A login or SELECT of which not every argument is known. */
static bool is_cut_short(struct bytes label, const struct redis_args *args)
{
	static const char *const names[] = {"select", "auth", "hello", NULL};
	return args->n_kept < args->total && is_one_of(label, names);
}

static void wish_of(struct bytes label, const struct redis_args *args, struct redis_wish *out)
{
	static const char *const losing[] = {"monitor", "script|debug", NULL};
	static const char *const streams[] = {"psync", "sync", NULL};
	const enum redis_subscription kind = redis_subscription(label);
	if (kind != REDIS_SUBSCRIPTIONS)
		wish_subscription(kind, args, out);
	else if (bytes_is(label, "select"))
		wish_select(args, out);
	else if (bytes_is(label, "auth"))
		wish_auth(args, out);
	else if (bytes_is(label, "hello"))
		wish_hello(args, out);
	else if (bytes_is(label, "client|reply"))
		wish_client_reply(args, out);
	else if (bytes_is(label, "replconf"))
		wish_replconf(args, out);
	else if (bytes_is(label, "multi"))
		out->change = REDIS_MULTI;
	else if (is_one_of(label, streams))
		out->change = REDIS_STREAM;
	else if (is_one_of(label, losing))
		out->change = REDIS_LOSE;
	if (!bytes_is(label, "reset"))
		return;
	out->change = REDIS_RESET;
	out->user = bytes_str("default");
}

bool redis_wish(const struct redis_named *named, const struct redis_args *args,
		struct redis_wish *out)
{
	const struct bytes label = bytes_of(named->label, named->n_label);
	*out = (struct redis_wish){.change = REDIS_PLAIN};
	if (is_cut_short(label, args))
		return false;
	wish_of(label, args, out);
	const bool is_named = out->change == REDIS_LOGIN || out->change == REDIS_RESET;
	return !is_named || (out->user.n > 0 && out->user.n <= REDIS_USER_MAX);
}
