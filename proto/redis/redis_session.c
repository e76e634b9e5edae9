/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * In a transaction the answer is +QUEUED and the command may or may not run later: its value stays
 * possible until an answer +OK to a later one proves that no transaction is open any more.
 */
#include "redis_session.h"

static const struct redis_pending *pending_at(const struct redis_session *s, size_t i)
{
	return &s->pending[(s->first + i) % REDIS_PENDING_MAX];
}

static struct bytes user_in_force(const struct redis_session *s)
{
	return s->user.n ? bytes_of(s->user.text, s->user.n) : bytes_str("default");
}

static bool names_user(uint8_t change)
{
	return change == REDIS_LOGIN || change == REDIS_RESET;
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

/* A login or SELECT of which not every argument is known. */
static bool is_cut_short(struct bytes label, const struct redis_args *args)
{
	static const char *const names[] = {"select", "auth", "hello", NULL};
	return args->n_kept < args->total && is_one_of(label, names);
}

bool redis_wish(const struct redis_named *named, const struct redis_args *args,
		struct redis_wish *out)
{
	static const char *const losing[] = {
		"subscribe",	"psubscribe",	"ssubscribe", "unsubscribe",  "punsubscribe",
		"sunsubscribe", "client|reply", "monitor",    "script|debug", NULL};
	const struct bytes label = bytes_of(named->label, named->n_label);
	uint64_t db;
	*out = (struct redis_wish){.change = REDIS_PLAIN};
	if (is_cut_short(label, args))
		return false;
	if (bytes_is(label, "select") && args->total == 2) {
		out->change = REDIS_SELECT;
		out->db = redis_number(args->v[1], REDIS_DBS_MAX - 1, &db) ? (uint8_t)db
									   : REDIS_DB_OTHER;
	} else if (bytes_is(label, "auth") && (args->total == 2 || args->total == 3)) {
		out->change = REDIS_LOGIN;
		out->user = args->total == 3 ? args->v[1] : bytes_str("default");
	} else if (bytes_is(label, "hello")) {
		wish_hello(args, out);
	} else if (bytes_is(label, "reset")) {
		out->change = REDIS_RESET;
		out->user = bytes_str("default");
	} else if (bytes_is(label, "psync") || bytes_is(label, "sync")) {
		out->change = REDIS_STREAM;
	} else if (is_one_of(label, losing) || (bytes_is(label, "replconf") && args->n_kept > 1 &&
						bytes_is_nocase(args->v[1], "ACK"))) {
		out->change = REDIS_LOSE;
	}
	const bool is_named = out->change == REDIS_LOGIN || out->change == REDIS_RESET;
	return !is_named || (out->user.n > 0 && out->user.n <= REDIS_USER_MAX);
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

uint64_t redis_awaited(const struct redis_session *s)
{
	if (s->is_lost || s->is_losing)
		return 0;
	uint64_t n = s->n_plain;
	for (size_t i = 0; i < s->n_pending; i++)
		n += 1 + s->pending[(s->first + i) % REDIS_PENDING_MAX].n_plain;
	return n;
}

bool redis_awaits_stream(const struct redis_session *s)
{
	const struct redis_pending *p = pending_at(s, 0);
	return s->n_pending > 0 && p->n_plain == 0 && p->change == REDIS_STREAM;
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
	add_user(users, n, user_in_force(s));
	for (size_t i = 0; i < s->n_logins; i++) {
		const struct redis_user *u = &s->logins[(s->first_login + i) % REDIS_LOGINS_MAX];
		add_user(users, n, bytes_of(u->text, u->n));
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

static void push_login(struct redis_session *s, struct bytes user)
{
	struct redis_user *u = &s->logins[(s->first_login + s->n_logins++) % REDIS_LOGINS_MAX];
	u->n = (uint8_t)user.n;
	memcpy(u->text, user.p, user.n);
}

bool redis_expect(struct redis_session *s, const struct redis_wish *wish)
{
	const bool is_login = names_user((uint8_t)wish->change);
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
	s->pending[(s->first + s->n_pending++) % REDIS_PENDING_MAX] = (struct redis_pending){
		.n_plain = s->n_plain, .change = (uint8_t)wish->change, .db = wish->db};
	s->n_plain = 0;
	if (is_login)
		push_login(s, wish->user);
	s->is_losing |= wish->change == REDIS_LOSE;
	return true;
}

/* ---------------------------------------------------------------- answers */

static struct redis_user pop_login(struct redis_session *s)
{
	const struct redis_user user = s->logins[s->first_login];
	s->first_login = (uint8_t)((s->first_login + 1) % REDIS_LOGINS_MAX);
	s->n_logins--;
	return user;
}

static void take_db(struct redis_session *s, uint8_t db)
{
	s->dbs = db < REDIS_DBS_MAX ? 1ull << db : s->dbs;
	s->is_db_unknown = db >= REDIS_DBS_MAX;
}

static bool is_error(struct bytes line)
{
	return line.n && (line.p[0] == '-' || line.p[0] == '!');
}

/* HELLO answers with a map, as an array before RESP3. */
static bool is_success(struct bytes line)
{
	return bytes_is(line, "+OK") || bytes_is(line, "+RESET") ||
	       (line.n && (line.p[0] == '%' || line.p[0] == '*'));
}

/* True: a login took effect. */
static bool apply(struct redis_session *s, const struct redis_pending *p, struct bytes line)
{
	const bool has_user = names_user(p->change);
	const struct redis_user user = has_user ? pop_login(s) : (struct redis_user){0};
	if (is_error(line))
		return false;
	if (!is_success(line)) { /* +QUEUED, or what no server says */
		keep_possible(s, p->change, p->db);
		return false;
	}
	if (p->change == REDIS_SELECT || p->change == REDIS_RESET)
		take_db(s, p->db);
	if (has_user) {
		s->user = user;
		s->is_user_unknown = 0;
	}
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
	/* Even when it was refused: what came behind it was not counted. */
	s->is_lost |= p->change == REDIS_LOSE;
	*out = p->change;
	if (apply(s, p, line))
		*user = user_in_force(s);
	return true;
}
