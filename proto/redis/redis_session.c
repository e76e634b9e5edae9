/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * In a transaction the answer is +QUEUED and the command may or may not run later: its value stays
 * possible until an answer +OK to a later one proves that no transaction is open any more. What
 * changes how answers are to be matched cannot be followed into a transaction.
 */
#include "redis_session.h"

static const struct redis_pending *pending_at(const struct redis_session *s, size_t i)
{
	return &s->pending[(s->first + i) % REDIS_PENDING_MAX];
}

/* The pending one whose answer is next; NULL: an ordinary one's is, or none. */
static struct redis_pending *head(struct redis_session *s)
{
	struct redis_pending *p = &s->pending[s->first];
	return s->n_pending > 0 && p->n_plain == 0 ? p : NULL;
}

struct bytes redis_user_in_force(const struct redis_session *s)
{
	return s->user.n ? bytes_of(s->user.text, s->user.n) : bytes_str("default");
}

static bool names_user(enum redis_change change)
{
	return change == REDIS_LOGIN || change == REDIS_RESET;
}

static bool is_subscribed(const struct redis_session *s)
{
	return (s->n_subscribed[0] | s->n_subscribed[1] | s->n_subscribed[2]) != 0;
}

/* ---------------------------------------------------------------- what may be in force */

void redis_add_db(struct redis_dbs *dbs, uint32_t db)
{
	size_t at = 0;
	while (at < dbs->n && dbs->v[at] < db)
		at++;
	if (at < dbs->n && dbs->v[at] == db)
		return;
	if (dbs->n == REDIS_DBS_SHOWN) {
		dbs->is_known = false;
		return;
	}
	memmove(&dbs->v[at + 1], &dbs->v[at], (dbs->n++ - at) * sizeof(dbs->v[0]));
	dbs->v[at] = db;
}

static uint64_t dbs_in_force(const struct redis_session *s)
{
	return s->dbs || s->far ? s->dbs : 1;
}

void redis_dbs_of(const struct redis_session *s, struct redis_dbs *out)
{
	const uint64_t dbs = dbs_in_force(s);
	out->n = 0;
	out->is_known = !s->is_db_unknown;
	for (uint32_t db = 0; db < REDIS_DBS_MAX; db++)
		if (dbs >> db & 1)
			redis_add_db(out, db);
	if (s->far)
		redis_add_db(out, s->far);
	for (size_t i = 0; i < s->n_pending; i++) {
		const struct redis_pending *p = pending_at(s, i);
		/* What is no number is refused by the server. */
		if (p->change == REDIS_RESET || (p->change == REDIS_SELECT && p->n != UINT32_MAX))
			redis_add_db(out, p->n);
	}
}

uint64_t redis_awaited(const struct redis_session *s)
{
	if (s->is_lost || s->silence == REDIS_SILENT_LOST)
		return 0;
	uint64_t n = s->n_plain;
	for (size_t i = 0; i < s->n_pending; i++)
		n += 1 + (uint64_t)pending_at(s, i)->n_plain;
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
	add_user(users, n, redis_user_in_force(s));
	for (size_t i = 0; i < s->n_logins; i++) {
		const struct redis_user *u = &s->logins[(s->first_login + i) % REDIS_LOGINS_MAX];
		add_user(users, n, bytes_of(u->text, u->n));
	}
	return !s->is_user_unknown;
}

/* ---------------------------------------------------------------- losing */

static void keep_db(struct redis_session *s, uint32_t db)
{
	if (db == UINT32_MAX)
		return; /* no number: the server refuses it */
	s->dbs = dbs_in_force(s);
	if (db < REDIS_DBS_MAX)
		s->dbs |= 1ull << db;
	else if (s->far == 0 || s->far == db)
		s->far = db;
	else
		s->is_db_unknown = 1;
}

/* Nobody will tell whether it took effect: what it asks for stays possible. */
static void keep_possible(struct redis_session *s, enum redis_change change, uint32_t n)
{
	if (change == REDIS_SELECT || change == REDIS_RESET)
		keep_db(s, n);
	if (names_user(change))
		s->is_user_unknown = 1;
}

/* Likewise, of a request: what is pending in front of it must not undo it when it is answered. */
static void keep_request(struct redis_session *s, const struct redis_wish *wish)
{
	keep_possible(s, wish->change, wish->n);
	for (size_t i = 0; i < s->n_pending; i++)
		s->pending[(s->first + i) % REDIS_PENDING_MAX].flags |= REDIS_IS_WEAK;
}

static void lose(struct redis_session *s)
{
	for (size_t i = 0; i < s->n_pending; i++)
		keep_possible(s, (enum redis_change)pending_at(s, i)->change, pending_at(s, i)->n);
	s->n_pending = s->n_logins = s->silence = 0;
	s->n_plain = 0;
	s->is_lost = 1;
}

/* ---------------------------------------------------------------- requests */

static void push_login(struct redis_session *s, struct bytes user)
{
	struct redis_user *u = &s->logins[(s->first_login + s->n_logins++) % REDIS_LOGINS_MAX];
	u->n = (uint8_t)user.n;
	memcpy(u->text, user.p, user.n);
}

static bool push(struct redis_session *s, const struct redis_wish *wish)
{
	const bool has_user = names_user(wish->change);
	if (s->n_pending == REDIS_PENDING_MAX && wish->change == REDIS_SUBSCRIPTION)
		lose(s);
	if (s->is_lost)
		return true;
	if (s->n_pending == REDIS_PENDING_MAX || (has_user && s->n_logins == REDIS_LOGINS_MAX))
		return false;
	s->pending[(s->first + s->n_pending++) % REDIS_PENDING_MAX] =
		(struct redis_pending){.n_plain = s->n_plain,
				       .n = wish->n,
				       .change = (uint8_t)wish->change,
				       .subscription = (uint8_t)wish->subscription,
				       .flags = (uint8_t)((wish->is_hello ? REDIS_IS_HELLO : 0) |
							  (wish->is_odd ? REDIS_IS_ODD : 0))};
	s->n_plain = 0;
	if (has_user)
		push_login(s, wish->user);
	return true;
}

/* One answer more that changes nothing. */
static bool count(struct redis_session *s)
{
	if (s->n_plain == UINT32_MAX)
		return false;
	s->n_plain++;
	return true;
}

/* Behind a CLIENT REPLY that may have taken effect. MULTI and RESET would change what the answer
 * that ends the silence means; the rest would need an answer. */
static bool expect_in_silence(struct redis_session *s, const struct redis_wish *wish)
{
	const bool is_simple = wish->change == REDIS_PLAIN || wish->change == REDIS_SELECT ||
			       (wish->change == REDIS_LOGIN && !wish->is_hello);
	if (s->silence == REDIS_SILENT_OFF && wish->change == REDIS_REPLY_ON) {
		s->silence = REDIS_SILENT_NONE;
		return push(s, wish);
	}
	keep_request(s, wish);
	if (s->silence == REDIS_SILENT_LOST)
		return true;
	if (s->silence == REDIS_SILENT_SKIP)
		s->silence = REDIS_SILENT_NONE;
	if (is_simple)
		return count(s);
	lose(s);
	return true;
}

static bool awaits(const struct redis_session *s, enum redis_change change)
{
	for (size_t i = 0; i < s->n_pending; i++)
		if (pending_at(s, i)->change == change)
			return true;
	return false;
}

/* CLIENT REPLY SKIP is resolved by an answer in order, which a confirmation is not. And an ON that
 * was refused in silence is never answered: of two in a row nobody knows which one was. */
static bool cannot_be_told_apart(const struct redis_session *s, enum redis_change change)
{
	const bool is_reply =
		change == REDIS_REPLY_ON || change == REDIS_REPLY_OFF || change == REDIS_REPLY_SKIP;
	return (change == REDIS_SUBSCRIPTION && awaits(s, REDIS_REPLY_SKIP)) ||
	       (is_reply && awaits(s, REDIS_REPLY_ON));
}

bool redis_expect(struct redis_session *s, const struct redis_wish *wish)
{
	if (cannot_be_told_apart(s, wish->change))
		lose(s);
	if (s->is_lost) {
		keep_possible(s, wish->change, wish->n);
		return true;
	}
	if (s->silence != REDIS_SILENT_NONE)
		return expect_in_silence(s, wish);
	switch (wish->change) {
	case REDIS_PLAIN:
	case REDIS_MULTI:
	case REDIS_REPLY_ON:
		return count(s);
	case REDIS_REPLY_OFF:
	case REDIS_REPLY_SKIP:
	case REDIS_LOSE:
		if (!push(s, wish))
			return false;
		s->silence = wish->change == REDIS_LOSE		? REDIS_SILENT_LOST
			     : wish->change == REDIS_REPLY_SKIP ? REDIS_SILENT_SKIP
								: REDIS_SILENT_OFF;
		return true;
	case REDIS_SELECT:
	case REDIS_LOGIN:
	case REDIS_HELLO:
	case REDIS_RESET:
	case REDIS_STREAM:
	case REDIS_SUBSCRIPTION:
		break;
	}
	return push(s, wish);
}

/* ---------------------------------------------------------------- answers */

static struct redis_user pop_login(struct redis_session *s)
{
	const struct redis_user user = s->logins[s->first_login];
	s->first_login = (uint8_t)((s->first_login + 1) % REDIS_LOGINS_MAX);
	s->n_logins--;
	return user;
}

static void pop(struct redis_session *s)
{
	s->first = (uint8_t)((s->first + 1) % REDIS_PENDING_MAX);
	s->n_pending--;
}

/* The next answer is to a command that changes nothing, and is gone. */
static bool pop_plain(struct redis_session *s)
{
	uint32_t *n = s->n_pending ? &s->pending[s->first].n_plain : &s->n_plain;
	if (*n == 0)
		return false;
	--*n;
	return true;
}

static bool is_error(struct bytes line)
{
	return line.n && (line.p[0] == '-' || line.p[0] == '!');
}

static bool is_queued(struct bytes line)
{
	return bytes_is(line, "+QUEUED");
}

/* HELLO answers with a map, as an array before RESP3. */
static bool is_success(struct bytes line, bool is_hello)
{
	if (is_hello)
		return line.n && (line.p[0] == '%' || line.p[0] == '*');
	return bytes_is(line, "+OK") || bytes_is(line, "+RESET");
}

static void take_db(struct redis_session *s, uint32_t db)
{
	s->dbs = db < REDIS_DBS_MAX ? 1ull << db : 0;
	s->far = db < REDIS_DBS_MAX ? 0 : db;
	s->is_db_unknown = db == UINT32_MAX;
}

static void take(struct redis_session *s, const struct redis_pending *p,
		 const struct redis_user *user, struct bytes line)
{
	const bool is_weak = p->flags & REDIS_IS_WEAK,
		   has_db = p->change == REDIS_SELECT || p->change == REDIS_RESET;
	if (has_db && is_weak)
		keep_db(s, p->n);
	else if (has_db)
		take_db(s, p->n);
	if (p->change == REDIS_RESET)
		memset(s->n_subscribed, 0, sizeof(s->n_subscribed));
	if (p->change == REDIS_RESET || p->flags & REDIS_IS_HELLO)
		s->is_resp3 = line.p[0] == '%';
	if (!names_user((enum redis_change)p->change))
		return;
	s->user = *user;
	s->is_user_unknown &= is_weak;
}

/* The answer to what changes database, user or version. */
static enum redis_answered apply(struct redis_session *s, struct bytes line)
{
	const struct redis_pending p = s->pending[s->first];
	const enum redis_change change = (enum redis_change)p.change;
	pop(s);
	const struct redis_user user = names_user(change) ? pop_login(s) : (struct redis_user){0};
	if (is_error(line)) {
		s->is_user_unknown |= (p.flags & REDIS_IS_ODD) != 0;
		return REDIS_ANSWERED;
	}
	if (is_success(line, p.flags & REDIS_IS_HELLO)) {
		take(s, &p, &user, line);
		return change == REDIS_LOGIN ? REDIS_ANSWERED_LOGIN : REDIS_ANSWERED;
	}
	keep_possible(s, change, p.n); /* +QUEUED, or what no server says */
	if (p.flags & REDIS_IS_HELLO)
		lose(s);
	return REDIS_ANSWERED;
}

/* An error, and then nothing changed; or a word that says that it is no answer yet. */
static enum redis_answered refused_or_queued(struct redis_session *s, struct bytes line)
{
	if (is_error(line))
		pop(s);
	else if (is_queued(line))
		lose(s);
	else
		return REDIS_UNASKED;
	return REDIS_ANSWERED;
}

/* What answers behind CLIENT REPLY OFF: its refusal, or the ON that ended the silence. */
static enum redis_answered answer_off(struct redis_session *s, struct bytes line)
{
	const bool is_on = s->n_pending > 1 && pending_at(s, 1)->change == REDIS_REPLY_ON;
	if (bytes_is(line, "+OK") && is_on) {
		pop(s);
		pop(s);
		return REDIS_ANSWERED;
	}
	if (is_error(line) && s->n_pending == 1)
		s->silence = REDIS_SILENT_NONE;
	return refused_or_queued(s, line);
}

static bool begins(struct bytes line, const char *text)
{
	return bytes_equal(bytes_slice(line, 0, strlen(text)), bytes_str(text));
}

static enum redis_answered answer_stream(struct redis_session *s, struct bytes line)
{
	if (begins(line, "+FULLRESYNC") || begins(line, "+CONTINUE"))
		return REDIS_ANSWERED_STREAM;
	return refused_or_queued(s, line);
}

static enum redis_answered answer_head(struct redis_session *s, const struct redis_pending *p,
				       struct bytes line)
{
	switch ((enum redis_change)p->change) {
	case REDIS_SELECT:
	case REDIS_LOGIN:
	case REDIS_HELLO:
	case REDIS_RESET:
		return apply(s, line);
	case REDIS_SUBSCRIPTION:
		return refused_or_queued(s, line);
	case REDIS_REPLY_OFF:
		return answer_off(s, line);
	case REDIS_STREAM:
		return answer_stream(s, line);
	case REDIS_LOSE:
	case REDIS_REPLY_SKIP: /* an error: its own, or that of the command behind the next */
		lose(s);
		return REDIS_ASIDE;
	case REDIS_PLAIN:
	case REDIS_MULTI:
	case REDIS_REPLY_ON:
		break;
	}
	pop(s);
	return REDIS_ANSWERED;
}

static enum redis_answered answer_in_order(struct redis_session *s, struct bytes line)
{
	const struct redis_pending *p = head(s);
	/* No error and not queued: CLIENT REPLY SKIP took effect, the next has no answer either. */
	while (p && p->change == REDIS_REPLY_SKIP && !is_error(line) && !is_queued(line)) {
		pop(s);
		if (!pop_plain(s))
			return REDIS_UNASKED;
		p = head(s);
	}
	if (p)
		return answer_head(s, p, line);
	return pop_plain(s) ? REDIS_ANSWERED : REDIS_UNASKED;
}

/* ---------------------------------------------------------------- subscriptions */

bool redis_needs_name(const struct redis_session *s, struct bytes line)
{
	const struct redis_pending *p = pending_at(s, 0);
	const bool awaits = s->n_pending > 0 && p->n_plain == 0 && p->change == REDIS_SUBSCRIPTION;
	if (s->is_lost || !line.n)
		return false;
	return line.p[0] == '>' ||
	       (line.p[0] == '*' && !s->is_resp3 && (awaits || is_subscribed(s)));
}

static enum redis_answered confirm(struct redis_session *s, enum redis_subscription kind)
{
	struct redis_pending *p = head(s);
	s->telling = (uint8_t)(kind + 1);
	if (p && p->change == REDIS_LOSE) {
		lose(s);
		return REDIS_ASIDE;
	}
	if (!p || p->change != REDIS_SUBSCRIPTION || p->subscription != kind)
		/* A cluster takes shard channels away when their slot moves. */
		return kind == REDIS_SUNSUBSCRIBE && is_subscribed(s) ? REDIS_ASIDE : REDIS_UNASKED;
	if (p->n == 0)
		p->n = s->n_subscribed[kind % 3] ? s->n_subscribed[kind % 3] : 1;
	if (--p->n > 0)
		return REDIS_ANSWERED_PART;
	pop(s);
	return REDIS_ANSWERED;
}

/* Channels and patterns are told as one number, shard channels as another. */
void redis_told(struct redis_session *s, uint32_t n)
{
	const size_t which = (s->telling - 1u) % 3;
	const uint32_t other = which == 2 ? 0 : s->n_subscribed[1 - which];
	s->n_subscribed[which] = n > other ? n - other : 0;
	s->telling = 0;
}

static bool is_message(const struct redis_session *s, struct bytes line, struct bytes name)
{
	const bool is_named = bytes_is(name, "message") || bytes_is(name, "pmessage") ||
			      bytes_is(name, "smessage");
	return line.p[0] == '>' || (is_named && is_subscribed(s));
}

enum redis_answered redis_answer(struct redis_session *s, struct bytes line, struct bytes name)
{
	const enum redis_subscription kind = redis_subscription(name);
	s->telling = 0;
	if (s->is_lost)
		return REDIS_ASIDE;
	if (kind != REDIS_SUBSCRIPTIONS)
		return confirm(s, kind);
	if (is_message(s, line, name))
		return REDIS_ASIDE;
	return answer_in_order(s, line);
}
