/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Redis: RESP2 and RESP3, both directions.
 *
 * To the server, a unit is a command: an array of bulk strings, or a line. A command that is longer
 *than a unit may be is judged on the arguments at its begin (name, keys); from there on its
 *arguments are only measured:
 *
 *	COMMAND --fits--> COMMAND
 *	        --long--> REST --argument--> REST ... --last argument--> COMMAND
 *
 * To the client, a unit is what is there of one answer; redis_reply.c remembers where it stands.
 *
 * What must stay true: the command that is judged is the one the server executes, so whatever
 * the server reads leniently (quotes in inline commands, any two bytes for a CRLF, empty arrays)
 * is refused; and the database and user that an event names include those in force when the server
 * executes it (redis_session.h). That needs the answers, so they must always be shown.
 */
#include "redis_keys.h"
#include "redis_line.h"
#include "redis_reply.h"
#include "redis_session.h"

enum { REDIS_ERROR_MAX = 32, DB_DIGITS_MAX = 10, ANSWER_NAME_MAX = 12 };

/* rest: arguments of a long command still to come; has_tail: the first of them was skipped but for
 * its CRLF. */
struct redis_state {
	uint8_t is_claimed, has_tail;
	uint32_t rest;
	struct redis_reply reply;
	struct redis_session session;
};

enum field {
	F_COMMAND,
	F_KEYS,
	F_CHANNELS,
	F_PATTERNS,
	F_ARGS,
	F_DB,
	F_USER,
	F_ERROR,
	F_OPAQUE,
	N_FIELDS,
};

static const struct dis_field redis_fields[N_FIELDS] = {
	[F_COMMAND] = {.name = "command",
		       .key = "commands",
		       .match = DIS_MATCH_WORD,
		       .words = redis_words,
		       .groups = redis_groups},
	[F_KEYS] = {.name = "keys", .key = "keys", .match = DIS_MATCH_GLOB, .is_list = true},
	[F_CHANNELS] = {.name = "channels",
			.key = "channels",
			.match = DIS_MATCH_GLOB,
			.is_list = true},
	[F_PATTERNS] = {.name = "patterns",
			.key = "patterns",
			.match = DIS_MATCH_GLOB,
			.is_list = true},
	[F_ARGS] = {.name = "args", .type = DIS_NUMBER},
	[F_DB] = {.name = "db", .key = "dbs", .match = DIS_MATCH_GLOB, .is_list = true},
	[F_USER] = {.name = "user", .key = "users", .match = DIS_MATCH_GLOB, .is_list = true},
	[F_ERROR] = {.name = "error"},
	[F_OPAQUE] = {.name = "opaque"},
};

/* ---------------------------------------------------------------- results and events */

static struct dis_result refuse(enum dis_status status, const char *why)
{
	return (struct dis_result){.status = status, .why = why};
}

static struct dis_result more(struct bytes in, size_t want)
{
	const size_t least = want > in.n ? want : in.n + 1;
	return (struct dis_result){.status = DIS_MORE, .want = least};
}

static struct dis_result done(size_t consumed, uint64_t skip)
{
	return (struct dis_result){.status = DIS_DONE, .consumed = consumed, .skip = skip};
}

struct draft {
	struct dis_value v[REDIS_TOUCHED_MAX + REDIS_DBS_SHOWN + REDIS_LOGINS_MAX + 3];
	size_t n;
	uint32_t flags;
	char digits[REDIS_DBS_SHOWN]
		   [DB_DIGITS_MAX]; /* of the databases, which are text in events */
};

_Static_assert(sizeof((struct draft *)0)->v / sizeof(struct dis_value) <= DIS_VALUES_MAX,
	       "an event holds what is ever put");

static void draft_init(struct draft *d)
{
	d->n = 0;
	d->flags = 0;
}

static void put(struct draft *d, enum field field, struct bytes text)
{
	d->v[d->n++] = (struct dis_value){.field = (uint16_t)field, .text = text};
}

static void emit(const struct dis_sink *sink, enum dis_kind kind, const struct draft *d)
{
	const struct dis_event e = {
		.kind = kind, .flags = d->flags, .values = d->v, .n_values = d->n};
	sink->event(sink->ctx, &e);
}

static void put_touched(struct draft *d, const struct redis_args *args,
			const struct redis_touched *t, enum redis_how role, enum field field)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->role[i] == role)
			put(d, field, args->v[t->at[i]]);
}

/* ---------------------------------------------------------------- database and user of a command
 */

static void also_db(const struct redis_args *args, size_t at, struct redis_dbs *dbs)
{
	uint64_t db = 0;
	if (at < args->n_kept && redis_number(args->v[at], INT32_MAX, &db))
		redis_add_db(dbs, (uint32_t)db);
	else
		dbs->is_known = false;
}

/* Commands that reach into a database by its number. */
static void also_named_dbs(const struct redis_named *named, const struct redis_args *args,
			   struct redis_dbs *dbs)
{
	const struct bytes label = bytes_of(named->label, named->n_label);
	const bool is_swap = bytes_is(label, "swapdb");
	if (is_swap)
		also_db(args, 1, dbs);
	if (is_swap || bytes_is(label, "move"))
		also_db(args, 2, dbs);
	if (!bytes_is(label, "copy"))
		return;
	for (size_t i = 3; i < args->n_kept; i++)
		if (bytes_is_nocase(args->v[i], "DB"))
			also_db(args, ++i, dbs);
	dbs->is_known = dbs->is_known && args->n_kept == args->total;
}

static void put_db(struct draft *d, char *digits, uint32_t db)
{
	size_t at = DB_DIGITS_MAX;
	do {
		digits[--at] = (char)('0' + db % 10);
		db /= 10;
	} while (db > 0);
	put(d, F_DB, bytes_of(digits + at, DB_DIGITS_MAX - at));
}

/* What is not bound to the database in force: a script may SELECT. */
static bool reaches_every_db(const struct redis_named *named)
{
	static const char *const labels[] = {"flushall", "sync",    "psync",   "monitor",
					     "eval",	 "eval_ro", "evalsha", "evalsha_ro",
					     "fcall",	 "fcall_ro"};
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
		if (bytes_is(bytes_of(named->label, named->n_label), labels[i]))
			return true;
	return false;
}

static void put_dbs(struct draft *d, const struct redis_dbs *dbs)
{
	for (size_t i = 0; i < dbs->n; i++)
		put_db(d, d->digits[i], dbs->v[i]);
	if (!dbs->is_known)
		d->flags |= DIS_UNPROVEN;
}

static void put_users(struct draft *d, const struct redis_session *s)
{
	struct bytes users[REDIS_LOGINS_MAX + 1];
	size_t n;
	if (!redis_users(s, users, &n))
		d->flags |= DIS_UNPROVEN;
	for (size_t i = 0; i < n; i++)
		put(d, F_USER, users[i]);
}

/* A command that asks for another database or user is judged on what it asks for. */
static void put_place(struct draft *d, const struct redis_session *s, const struct redis_wish *wish,
		      const struct redis_named *named, const struct redis_args *args)
{
	struct redis_dbs dbs;
	redis_dbs_of(s, &dbs);
	also_named_dbs(named, args, &dbs);
	if (wish->change == REDIS_SELECT)
		put(d, F_DB, args->v[1]);
	else if (wish->change == REDIS_RESET)
		put_db(d, d->digits[0], 0);
	else
		put_dbs(d, &dbs);
	if (reaches_every_db(named))
		put(d, F_DB, bytes_str("*"));
	if (wish->change == REDIS_LOGIN || wish->change == REDIS_RESET)
		put(d, F_USER, wish->user);
	else
		put_users(d, s);
}

static void emit_command(const struct redis_session *s, const struct redis_wish *wish,
			 const struct redis_named *named, const struct redis_args *args,
			 const struct dis_sink *sink)
{
	struct redis_touched touched;
	struct draft d;
	draft_init(&d);
	redis_touch(named, args, &touched);
	put(&d, F_COMMAND, bytes_of(named->label, named->n_label));
	if (redis_touches_all(named))
		put(&d, F_KEYS, bytes_str("*"));
	put_touched(&d, args, &touched, REDIS_RANGE, F_KEYS);
	put_touched(&d, args, &touched, REDIS_CHANNELS, F_CHANNELS);
	put_touched(&d, args, &touched, REDIS_PATTERNS, F_PATTERNS);
	d.v[d.n++] = (struct dis_value){.field = F_ARGS, .number = args->total - 1};
	put_place(&d, s, wish, named, args);
	if (touched.is_unproven)
		d.flags |= DIS_UNPROVEN;
	emit(sink, DIS_REQUEST, &d);
}

/* ---------------------------------------------------------------- commands */

enum claim { CLAIM_YES, CLAIM_NO, CLAIM_WAIT };

/* The begin of an array whose first string is the name of a command. */
static enum claim claim_of(struct bytes in, size_t *want)
{
	uint8_t low[REDIS_NAME_MAX];
	const struct redis_header array = redis_read_header(in, 0, '*', REDIS_ARGS_MAX);
	*want = array.want;
	if (array.status != DIS_DONE)
		return array.status == DIS_MORE ? CLAIM_WAIT : CLAIM_NO;
	const struct redis_header name = redis_read_header(in, array.n, '$', sizeof low);
	*want = name.want;
	if (array.number == 0 || name.status != DIS_DONE)
		return array.number && name.status == DIS_MORE ? CLAIM_WAIT : CLAIM_NO;
	const struct bytes text = bytes_slice(in, array.n + name.n, name.number);
	*want = array.n + name.n + name.number;
	if (text.n < name.number)
		return CLAIM_WAIT;
	for (size_t i = 0; i < text.n; i++)
		low[i] = byte_lower(text.p[i]);
	return redis_find(bytes_of(low, text.n)) ? CLAIM_YES : CLAIM_NO;
}

static void say_claimed(struct redis_state *s, const struct dis_sink *sink)
{
	if (!s->is_claimed)
		emit(sink, DIS_CLAIM, &(struct draft){.n = 0});
	s->is_claimed = 1;
}

static bool claim(struct redis_state *s, struct bytes in, const struct dis_sink *sink,
		  struct dis_result *out)
{
	size_t want;
	if (s->is_claimed)
		return true;
	switch (claim_of(in, &want)) {
	case CLAIM_NO:
		*out = refuse(DIS_NOT_MINE, "no redis command");
		return false;
	case CLAIM_WAIT:
		*out = more(in, want);
		return false;
	case CLAIM_YES:
		break;
	}
	say_claimed(s, sink);
	return true;
}

/* What was walked over becomes an event. */
static struct dis_result take_command(struct redis_state *s, struct bytes in,
				      const struct redis_walk *walk, const struct redis_args *args,
				      const struct dis_sink *sink)
{
	struct redis_named named;
	struct redis_wish wish;
	if (walk->status != DIS_DONE)
		return walk->status == DIS_MORE ? more(in, walk->want)
						: refuse(walk->status, walk->why);
	if (args->n_kept == 0)
		return refuse(DIS_LIMIT, "a command name too long");
	redis_name(args, &named);
	if (!redis_wish(&named, args, &wish) || !redis_expect(&s->session, &wish))
		return refuse(DIS_LIMIT, "a login or change of database that cannot be followed");
	emit_command(&s->session, &wish, &named, args, sink);
	s->rest = walk->rest;
	s->has_tail = walk->rest > 0;
	return done(walk->n, walk->skip);
}

static struct dis_result feed_array(struct redis_state *s, struct bytes in,
				    const struct dis_sink *sink)
{
	struct redis_args args;
	struct dis_result r;
	if (!claim(s, in, sink, &r))
		return r;
	const struct redis_walk walk = redis_walk(in, &args);
	return take_command(s, in, &walk, &args, sink);
}

static struct dis_result feed_line(struct redis_state *s, struct bytes in,
				   const struct dis_sink *sink)
{
	struct redis_args args;
	const struct redis_walk walk = redis_walk_line(in, !s->is_claimed, &args);
	if (walk.status == DIS_MALFORMED && !s->is_claimed)
		return refuse(DIS_NOT_MINE, "no redis command");
	if (walk.status == DIS_DONE)
		say_claimed(s, sink);
	return take_command(s, in, &walk, &args, sink);
}

/* One empty line between commands is an inline command of no words, which does nothing; mass
 * insertion by redis-cli sends it. */
static struct dis_result feed_command(struct redis_state *s, struct bytes in,
				      const struct dis_sink *sink)
{
	const bool has_cr = s->is_claimed && in.p[0] == '\r';
	if (has_cr && in.n < 3)
		return in.n == 2 && in.p[1] != '\n'
			       ? refuse(DIS_MALFORMED, "a command that is no array")
			       : more(in, 3);
	const size_t lead = has_cr && in.p[1] == '\n' ? 2 : 0;
	const struct bytes rest = bytes_from(in, lead);
	struct dis_result r =
		rest.p[0] == '*' ? feed_array(s, rest, sink) : feed_line(s, rest, sink);
	if (r.status == DIS_MORE)
		r.want += lead;
	if (r.status == DIS_DONE)
		r.consumed += lead;
	return r;
}

/* What is there of a long command's arguments; nobody judges them, they only must end where they
 * say. */
static struct dis_result feed_rest(struct redis_state *s, struct bytes in)
{
	size_t at = 0;
	uint32_t rest = s->rest;
	bool has_tail = s->has_tail;
	struct dis_result r = {.status = DIS_MORE};
	while (rest > 0 && r.status == DIS_MORE && !r.want) {
		if (!has_tail) {
			const struct redis_header h =
				redis_read_header(in, at, '$', REDIS_BULK_MAX);
			if (h.status != DIS_DONE)
				r = h.status == DIS_MORE ? more(in, h.want)
							 : refuse(h.status, h.why);
			else if (h.number > in.n - at - h.n)
				r = done(at + h.n, h.number);
			else
				at += h.n + h.number;
			has_tail = h.status == DIS_DONE;
		} else if (in.n - at < 2) {
			r = more(in, at + 2);
		} else if (in.p[at] != '\r' || in.p[at + 1] != '\n') {
			r = refuse(DIS_MALFORMED, "an argument longer than its length");
		} else {
			at += 2;
			rest--;
			has_tail = false;
		}
	}
	if (r.status == DIS_MORE && at > 0)
		r = done(at, 0);
	if (r.status == DIS_DONE) {
		s->rest = rest;
		s->has_tail = has_tail;
	}
	return r;
}

/* ---------------------------------------------------------------- answers */

static void emit_login(struct bytes user, const struct dis_sink *sink)
{
	struct draft d;
	draft_init(&d);
	put(&d, F_USER, user);
	emit(sink, DIS_SESSION, &d);
}

static void emit_answer(struct bytes line, const struct dis_sink *sink)
{
	struct draft d;
	draft_init(&d);
	const struct bytes code = bytes_slice(line, 1, REDIS_ERROR_MAX);
	if (line.p[0] == '-')
		put(&d, F_ERROR, bytes_slice(code, 0, bytes_find(code, ' ')));
	emit(sink, DIS_REPLY, &d);
}

static struct dis_result stop(size_t n, const struct dis_sink *sink)
{
	struct draft d;
	draft_init(&d);
	put(&d, F_OPAQUE, bytes_str("replication"));
	emit(sink, DIS_OPAQUE, &d);
	return (struct dis_result){.status = DIS_STOPPED, .consumed = n};
}

/* The string that an aggregate begins with, when it stands at `at`; *want: how much is needed to
 * tell, 0 if enough is there. Longer ones than any that matters are none. */
static struct bytes first_name(struct bytes in, size_t at, struct bytes line, size_t *want)
{
	*want = 0;
	if (line.n == 2 && line.p[1] == '0')
		return bytes_of(NULL, 0);
	const struct redis_header h = redis_read_header(in, at, '$', ANSWER_NAME_MAX);
	if (h.status != DIS_DONE) {
		*want = h.status == DIS_MORE ? h.want : 0;
		return bytes_of(NULL, 0);
	}
	if (in.n - at - h.n < h.number)
		*want = at + h.n + h.number;
	return bytes_slice(in, at + h.n, h.number);
}

/* The first line of an answer. A status other than DIS_DONE ends the call. */
static struct dis_result begin_answer(struct redis_session *s, struct bytes in,
				      const struct redis_element *e, const struct dis_sink *sink)
{
	struct bytes name = {0};
	size_t want = 0;
	if (redis_needs_name(s, e->line))
		name = first_name(in, e->n, e->line, &want);
	if (want)
		return more(in, want);
	const enum redis_answered answered = redis_answer(s, e->line, name);
	switch (answered) {
	case REDIS_UNASKED:
		return refuse(DIS_MALFORMED, "an answer that nobody asked for");
	case REDIS_ANSWERED_STREAM:
		return stop(e->n, sink);
	case REDIS_ANSWERED:
	case REDIS_ANSWERED_LOGIN:
		emit_answer(e->line, sink);
		break;
	case REDIS_ANSWERED_PART:
	case REDIS_ASIDE:
		break;
	}
	if (answered == REDIS_ANSWERED_LOGIN)
		emit_login(redis_user_in_force(s), sink);
	return done(e->n, 0);
}

static void tell(struct redis_session *s, struct bytes line)
{
	uint64_t n = 0;
	/* What is no number was never sent by a server: as if nothing were left. */
	(void)redis_number(bytes_from(line, 1), UINT32_MAX, &n);
	redis_told(s, (uint32_t)n);
}

/* While it prepares a dump, the server sends empty lines to keep the connection alive. */
static size_t keepalives(const struct redis_session *s, struct bytes in)
{
	size_t n = 0;
	if (redis_awaits_stream(s))
		while (n < in.n && in.p[n] == '\n')
			n++;
	return n;
}

static struct dis_result feed_answer(struct redis_state *s, struct bytes in,
				     const struct dis_sink *sink)
{
	struct redis_reply reply = s->reply;
	const bool is_begin = redis_reply_is_between(&reply);
	size_t at = is_begin ? keepalives(&s->session, in) : 0;
	uint64_t skip = 0;
	if (at > 0)
		return done(at, 0);
	/* PSYNC is answered by a line; SYNC by the dump itself. */
	if (is_begin && in.p[0] == '$' && redis_awaits_stream(&s->session))
		return stop(0, sink);
	do {
		const bool is_first = is_begin && at == 0;
		struct redis_element e = redis_reply_next(&reply, in, at);
		if (e.line.n && e.line.p[0] == '>' && !is_first && !s->session.is_lost)
			e = (struct redis_element){.status = DIS_MALFORMED,
						   .why = "a push within an answer"};
		if (at == 0)
			s->reply.seen = reply.seen;
		if (e.status != DIS_DONE && at == 0)
			return e.status == DIS_MORE ? more(in, e.want) : refuse(e.status, e.why);
		if (e.status != DIS_DONE) /* what stands before it is consumed first */
			break;
		if (is_first && e.line.p[0] != '|') {
			const struct dis_result r = begin_answer(&s->session, in, &e, sink);
			if (r.status != DIS_DONE)
				return r;
		}
		if (s->session.telling && e.line.n && e.line.p[0] == ':')
			tell(&s->session, e.line);
		at += e.n;
		skip = e.skip <= in.n - at ? 0 : e.skip;
		at += skip ? 0 : (size_t)e.skip;
		s->reply = reply;
	} while (!skip && at < in.n && !redis_reply_is_between(&reply));
	return done(at, skip);
}

/* ---------------------------------------------------------------- the dissector */

static struct dis_result redis_feed(void *state, uint8_t ip_proto, enum dis_dir dir,
				    struct bytes in, const struct dis_sink *sink)
{
	struct redis_state *s = state;
	(void)ip_proto; /* TCP is the only one offered */
	if (in.n == 0 || !in.p)
		return more(in, 1);
	if (dir == DIS_TO_SERVER)
		return s->rest ? feed_rest(s, in) : feed_command(s, in, sink);
	if (!s->is_claimed)
		return refuse(DIS_NOT_MINE, "the server speaks first");
	return feed_answer(s, in, sink);
}

/* ---------------------------------------------------------------- refusal */

/* As a server with ACL rules says it. Only where no other answer can be meant. */
static size_t redis_refuse(const void *state, uint8_t ip_proto, struct bytes unit, struct bytes why,
			   uint8_t *out)
{
	const struct redis_state *s = state;
	(void)ip_proto, (void)unit; /* every command is answered alike */
	if (!redis_reply_is_between(&s->reply) || redis_awaited(&s->session) != 1)
		return 0;
	const size_t n = bytes_put(out, bytes_put(out, 0, bytes_str("-NOPERM ")), why);
	return bytes_put(out, n, bytes_str("\r\n"));
}

/* ---------------------------------------------------------------- sentences of policy tests */

/* A word, or what stands between two equal quotes. False: no closing quote. */
static bool next_word(struct bytes *text, struct bytes *word, bool *is_quoted)
{
	while (text->n && text->p[0] == ' ')
		*text = bytes_from(*text, 1);
	*is_quoted = text->n && (text->p[0] == '"' || text->p[0] == '\'');
	const uint8_t stop_at = *is_quoted ? text->p[0] : ' ';
	const struct bytes rest = bytes_from(*text, *is_quoted);
	const size_t n = bytes_find(rest, stop_at);
	*word = bytes_slice(rest, 0, n);
	*text = bytes_from(rest, n + 1);
	return !*is_quoted || n < rest.n;
}

/* [db=N] or [user=NAME] at the end of a sentence; *is_bad when it is neither. */
static bool take_option(struct redis_session *s, struct bytes word, bool *is_bad)
{
	uint64_t db;
	if (word.n < 3 || word.p[0] != '[' || word.p[word.n - 1] != ']')
		return false;
	const struct bytes inner = bytes_slice(word, 1, word.n - 2);
	const size_t equals = bytes_find(inner, '=');
	const struct bytes name = bytes_slice(inner, 0, equals),
			   value = bytes_from(inner, equals + 1);
	const bool is_user = bytes_is(name, "user") && value.n > 0 && value.n <= REDIS_USER_MAX;
	if (is_user) {
		memcpy(s->user.text, value.p, value.n);
		s->user.n = (uint8_t)value.n;
	} else if (bytes_is(name, "db") && redis_number(value, INT32_MAX, &db)) {
		s->dbs = db < REDIS_DBS_MAX ? 1ull << db : 0;
		s->far = db < REDIS_DBS_MAX ? 0 : (uint32_t)db;
	} else {
		*is_bad = true;
	}
	return true;
}

static bool redis_say(struct bytes text, const struct dis_sink *sink)
{
	struct redis_session session = {0};
	struct redis_args args;
	struct redis_named named;
	struct redis_wish wish;
	bool is_bad = false, is_quoted;
	args.n_kept = 0;
	while (!is_bad && text.n) {
		struct bytes word;
		is_bad = !next_word(&text, &word, &is_quoted);
		if (is_bad || (word.n == 0 && !is_quoted) ||
		    (!is_quoted && take_option(&session, word, &is_bad)))
			continue;
		is_bad = args.n_kept == REDIS_ARGS_KEPT;
		if (!is_bad)
			args.v[args.n_kept++] = word;
	}
	args.total = args.n_kept;
	if (is_bad || args.n_kept == 0)
		return false;
	redis_name(&args, &named);
	if (!named.row || !redis_wish(&named, &args, &wish))
		return false;
	emit_command(&session, &wish, &named, &args, sink);
	return true;
}

const struct dissector redis_dissector;
const struct dissector redis_dissector = {
	.name = "redis",
	.object = "redis",
	.ip_protos = {6},
	.state_size = sizeof(struct redis_state),
	.max_unit = DIS_UNIT_MAX,
	.fields = redis_fields,
	.n_fields = N_FIELDS,
	.feed = redis_feed,
	.needs_replies = NULL,
	.refuse = redis_refuse,
	.say = redis_say,
};
