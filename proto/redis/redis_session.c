/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * In a transaction the answer is +QUEUED and the command may or may not run later: its value stays possible
 * until an answer +OK to a later one proves that no transaction is open any more.
 */
#include "redis_session.h"

static const struct redis_pending *pending_at(const struct redis_session *s, size_t i)
{
	return &s->pending[(s->first + i) % REDIS_PENDING_MAX];
}

static struct bytes user_or_default(const uint8_t *p, size_t n)
{
	return n ? bytes_of(p, n) : bytes_str("default");
}

/* ---------------------------------------------------------------- wishes */

static bool is_one_of(struct bytes label, const char *const *names)
{
	for (; *names; names++)
		if (bytes_is(label, *names))
			return true;
	return false;
}

/* HELLO [version [AUTH user password] [SETNAME name]]; the last AUTH counts. */
static void wish_hello(const struct redis_args *args, struct redis_wish *out)
{
	for (size_t i = 2; i < args->n_kept;) {
		if (bytes_is_nocase(args->v[i], "AUTH") && i + 2 < args->n_kept) {
			out->change = REDIS_LOGIN;
			out->user = args->v[i + 1];
			i += 3;
		} else {
			i += 2;
		}
	}
}

bool redis_wish(const struct redis_named *named, const struct redis_args *args,
		struct redis_wish *out)
{
	static const char *const losing[] = {
		"subscribe",    "psubscribe",   "ssubscribe", "unsubscribe",  "punsubscribe",
		"sunsubscribe", "client|reply", "monitor",    "script|debug", NULL};
	const struct bytes label = bytes_of(named->label, named->n_label);
	uint64_t db;
	*out = (struct redis_wish){.change = REDIS_PLAIN};
	if (bytes_is(label, "select") && args->n_kept == 2) {
		out->change = REDIS_SELECT;
		out->db = redis_number(args->v[1], REDIS_DBS_MAX - 1, &db) ? (uint8_t)db
									  : REDIS_DB_OTHER;
	} else if (bytes_is(label, "auth") && (args->n_kept == 2 || args->n_kept == 3)) {
		out->change = REDIS_LOGIN;
		out->user = args->n_kept == 3 ? args->v[1] : bytes_str("default");
	} else if (bytes_is(label, "hello")) {
		wish_hello(args, out);
	} else if (bytes_is(label, "reset")) {
		out->change = REDIS_RESET;
		out->user = bytes_str("default");
	} else if (bytes_is(label, "psync") || bytes_is(label, "sync")) {
		out->change = REDIS_STREAM;
	} else if (is_one_of(label, losing) ||
		   (bytes_is(label, "replconf") && args->n_kept > 1 &&
		    bytes_is_nocase(args->v[1], "ACK"))) {
		out->change = REDIS_LOSE;
	}
	return out->user.n <= REDIS_USER_MAX;
}

/* ---------------------------------------------------------------- what may be in force */

static uint64_t dbs_in_force(const struct redis_session *s)
{
	return s->dbs ? s->dbs : 1;
}

bool redis_dbs(const struct redis_session *s, uint64_t *dbs)
{
	bool is_known = !s->is_db_unknown;
	*dbs = dbs_in_force(s);
	for (size_t i = 0; i < s->n_pending; i++) {
		const struct redis_pending *p = pending_at(s, i);
		if (p->change == REDIS_RESET)
			*dbs |= 1;
		else if (p->change == REDIS_SELECT && p->db < REDIS_DBS_MAX)
			*dbs |= 1ull << p->db;
		else if (p->change == REDIS_SELECT)
			is_known = false;
	}
	return is_known;
}

static void add_user(struct bytes *users, size_t *n, struct bytes user)
{
	for (size_t i = 0; i < *n; i++)
		if (bytes_equal(users[i], user))
			return;
	users[(*n)++] = user;
}

bool redis_users(const struct redis_session *s, struct bytes *users, size_t *n)
{
	*n = 0;
	add_user(users, n, user_or_default(s->user, s->n_user));
	for (size_t i = 0; i < s->n_pending; i++) {
		const struct redis_pending *p = pending_at(s, i);
		if (p->change == REDIS_LOGIN || p->change == REDIS_RESET)
			add_user(users, n, bytes_of(p->user, p->n_user));
	}
	return !s->is_user_unknown;
}

/* ---------------------------------------------------------------- requests */

/* Nobody will tell whether it took effect: what it asks for stays possible. */
static void keep_possible(struct redis_session *s, enum redis_change change, uint8_t db)
{
	if (change == REDIS_SELECT || change == REDIS_RESET) {
		s->dbs = dbs_in_force(s) | (db < REDIS_DBS_MAX ? 1ull << db : 0);
		s->is_db_unknown |= db >= REDIS_DBS_MAX;
	}
	if (change == REDIS_LOGIN || change == REDIS_RESET)
		s->is_user_unknown = 1;
}

bool redis_expect(struct redis_session *s, const struct redis_wish *wish)
{
	const bool is_login = wish->change == REDIS_LOGIN || wish->change == REDIS_RESET;
	if (s->is_losing) {
		keep_possible(s, wish->change, wish->db);
		return true;
	}
	if (wish->change == REDIS_PLAIN) {
		s->n_plain++;
		return true;
	}
	if (s->n_pending == REDIS_PENDING_MAX || (is_login && s->n_logins == REDIS_LOGINS_MAX))
		return false;
	struct redis_pending *p =
		&s->pending[(s->first + s->n_pending++) % REDIS_PENDING_MAX];
	*p = (struct redis_pending){.n_plain = s->n_plain, .change = (uint8_t)wish->change,
				    .db = wish->db, .n_user = (uint8_t)wish->user.n};
	if (wish->user.n)
		memcpy(p->user, wish->user.p, wish->user.n);
	s->n_plain = 0;
	s->n_logins = (uint8_t)(s->n_logins + is_login);
	s->is_losing |= wish->change == REDIS_LOSE;
	return true;
}

/* ---------------------------------------------------------------- answers */

static void take_user(struct redis_session *s, const struct redis_pending *p)
{
	s->n_user = p->n_user;
	memcpy(s->user, p->user, sizeof s->user);
	s->is_user_unknown = 0;
}

static void take_db(struct redis_session *s, uint8_t db)
{
	s->dbs = db < REDIS_DBS_MAX ? 1ull << db : s->dbs;
	s->is_db_unknown = db >= REDIS_DBS_MAX;
}

/* True: a login took effect. */
static bool apply(struct redis_session *s, const struct redis_pending *p, struct bytes line)
{
	if (line.n && line.p[0] == '-')
		return false;
	if (bytes_is(line, "+QUEUED")) {
		keep_possible(s, p->change, p->db);
		return false;
	}
	if (p->change == REDIS_SELECT || p->change == REDIS_RESET)
		take_db(s, p->db);
	if (p->change == REDIS_LOGIN || p->change == REDIS_RESET)
		take_user(s, p);
	if (p->change == REDIS_LOSE)
		s->is_lost = 1;
	return p->change == REDIS_LOGIN;
}

bool redis_answer(struct redis_session *s, struct bytes line, enum redis_change *out,
		  struct bytes *user)
{
	struct redis_pending *p = &s->pending[s->first];
	*out = REDIS_PLAIN;
	*user = (struct bytes){0};
	if (s->is_lost)
		return true;
	if (s->n_pending == 0 ? s->n_plain > 0 : p->n_plain > 0) {
		*(s->n_pending ? &p->n_plain : &s->n_plain) -= 1;
		return true;
	}
	if (s->n_pending == 0)
		return false;
	s->first = (uint8_t)((s->first + 1) % REDIS_PENDING_MAX);
	s->n_pending--;
	s->n_logins = (uint8_t)(s->n_logins -
				(p->change == REDIS_LOGIN || p->change == REDIS_RESET));
	/* A refused SUBSCRIBE leaves the order intact for what was not counted: it must stay lost. */
	s->is_lost |= p->change == REDIS_LOSE;
	*out = p->change;
	if (apply(s, p, line))
		*user = user_or_default(s->user, s->n_user);
	return true;
}
