/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "course.h"

#include <stdio.h>
#include <string.h>

enum {
	OPEN_TRIES = 3,
	OPEN_MS = 120,	   /* for an answer to a SYN */
	PATIENCE_MS = 420, /* for a message behind a strategy: six retransmissions */
	LEGAL_MS = 4000,   /* for what has to come */
	REFUSAL_MS = 150,
	LAST_MS = 8, /* for what is still on its way */
	PORT_FIRST = 10000,
	STREAM_MAX = 4096,
	HOPS = 2, /* the firewall takes one, the router the last */
};

struct course {
	struct play play; /* what the steps of tests/evasion work on */
	struct actor actor;
	struct peer_hooks hooks;
	struct result *out;
	const struct choice *choice;
	uint8_t real[STREAM_MAX], other[STREAM_MAX];
	size_t n; /* of the first message */
	size_t n_stream;
};

/* Rows of tests/evasion, as far as they say what the endpoint is. */
static const struct row near_row = {.wish = WISH_MAYBE};
static const struct row far_row = {.wish = WISH_MAYBE, .far = true};
/* Each datagram is a unit of its own: a forbidden one beside an allowed one is a violation. */
static const struct row udp_row = {.wish = WISH_MAYBE, .app = APP_UDP, .alarms = true};

struct variant course_variant(const struct choice *c, bool is_udp)
{
	return (struct variant){
		.row = is_udp	? &udp_row
		       : c->far ? &far_row
				: &near_row,
		.role = c->role,
		.version = c->version,
		.options = c->options,
		.ports = c->ports,
		.start = c->start,
		.unit = TEXT_UNIT,
	};
}

/* ---- between the speaker and the wire ---- */

static void on_send(void *owner, uint8_t proto, const uint8_t *unit, size_t n)
{
	struct course *c = owner;
	struct packet k;
	if (packet_read(&k, proto, c->play.peer->base, unit, n))
		act_out(&c->actor, &k);
}

/* Where the TCP header of a frame begins; 0 where there is none. */
static size_t find_tcp(const struct course *c, const uint8_t *f, size_t n)
{
	enum { IPV6 = 40, TCP = 20 };
	size_t at = FRAME_ETHER;
	bool is_four = c->play.peer->ip.version == 4;
	if (n < at + IPV6 + TCP || f[at + (is_four ? 9 : 6)] != IPPROTO_TCP)
		return 0;
	at += is_four ? (size_t)(f[at] & 15) * 4 : IPV6;
	return at + TCP <= n ? at : 0;
}

static bool on_hear(void *owner, uint8_t *frame, size_t n)
{
	struct course *c = owner;
	struct packet k;
	size_t at = find_tcp(c, frame, n);
	if (at == 0 || !packet_read(&k, IPPROTO_TCP, 0, frame + at, n - at))
		return true;
	uint16_t ours = c->play.peer->src_port, theirs = c->play.peer->dst_port;
	if (k.tcp.dst_port != ours || k.tcp.src_port != theirs)
		return true;
	if (!act_in(&c->actor, &k))
		return false;
	frame[at + 13] = k.tcp.flags;
	frame[at + 14] = (uint8_t)(k.tcp.window >> 8);
	frame[at + 15] = (uint8_t)k.tcp.window;
	return true;
}

/* ---- handshakes ---- */

static bool has_syn(const struct play *p, int32_t argument)
{
	(void)argument;
	return p->peer->has_syn || p->peer->has_reset;
}

static bool has_syn_ack(const struct play *p, int32_t argument)
{
	(void)argument;
	return p->peer->has_syn_ack || p->peer->has_reset;
}

static bool was_asked(const struct play *p, int32_t argument)
{
	(void)argument;
	return (p->peer->has_syn && p->peer->next - p->peer->their_isn > 1) || p->peer->has_reset;
}

static void bare_ack(struct play *p)
{
	const struct peer_whim ack = {.has_flags = true, .flags = TCP_A};
	peer_segment(p->peer, &ack, p->peer->isn + 1, NULL, 0);
}

static bool open_as_client(struct play *p)
{
	for (int i = 0; i < OPEN_TRIES && !p->peer->has_syn_ack; i++) {
		p->peer->has_reset = false; /* a SYN may be sent again */
		peer_syn(p->peer, &step_ordinary, NULL, 0);
		(void)step_await(p, OPEN_MS, has_syn_ack, 0);
	}
	if (p->peer->has_syn_ack)
		bare_ack(p);
	return p->peer->has_syn_ack;
}

/* The client may open at the same time: then it answers with SYN and ACK itself. */
static bool open_as_server(struct play *p)
{
	if (!step_await(p, LEGAL_MS, has_syn, 0))
		return false;
	for (int i = 0; i < OPEN_TRIES && !was_asked(p, 0); i++) {
		peer_syn_ack(p->peer, &step_ordinary, NULL, 0);
		(void)step_await(p, OPEN_MS / 2, was_asked, 0);
		if (p->peer->has_syn_ack)
			bare_ack(p);
		(void)step_await(p, OPEN_MS / 2, was_asked, 0);
	}
	return p->peer->next - p->peer->their_isn > 1;
}

static bool open_it(struct play *p)
{
	if (p->v->row->app == APP_UDP)
		return true;
	return p->v->role == ROW_CLIENT ? open_as_client(p) : open_as_server(p);
}

/* ---- saying something ---- */

struct speech {
	size_t at;
	const uint8_t *bytes;
	size_t n;
	int32_t messages; /* that will have been read then */
	bool needs_no_answer;
};

static bool is_over(const struct play *p, int32_t messages)
{
	return step_has_messages(p, messages) || step_is_refused(p, 0);
}

static bool was_read(const struct play *p, int32_t messages)
{
	return (int32_t)p->app->n_messages >= messages;
}

/* What is not acknowledged is sent again. Returns whether it was read and answered. */
static bool say(struct play *p, const struct speech *s, long ms)
{
	for (long end = step_now_ms() + ms; step_now_ms() < end && !is_over(p, s->messages);) {
		if (p->v->row->app == APP_UDP)
			peer_datagram(p->peer, &step_ordinary, s->bytes, s->n);
		else
			peer_segment(p->peer, &step_ordinary, p->peer->base + (uint32_t)s->at,
				     s->bytes, s->n);
		(void)step_await(p, STEP_AGAIN_MS, is_over, s->messages);
	}
	return was_read(p, s->messages);
}

static void farewell(struct play *p)
{
	const struct peer_whim w = {.has_flags = true, .flags = TCP_R | TCP_A};
	p->peer->hooks = NULL;
	if (p->v->row->app != APP_UDP)
		peer_segment(p->peer, &w, p->peer->acked, NULL, 0);
	app_close(p->app);
}

static void keep_names(struct course *c)
{
	struct outcome *o = c->play.out;
	struct app *app = c->play.app;
	for (size_t i = 0; i < app->n_messages && o->n_names < APP_MESSAGES_MAX; i++)
		memcpy(o->names[o->n_names++], app->names[i], TEXT_NAME_MAX);
	app->n_messages = 0;
	o->has_evil |= app->has_evil;
	o->has_oob |= app->has_oob;
	o->has_strange_option |= c->play.peer->has_strange_option;
}

static void broken(struct course *c, const char *why)
{
	step_broken(&c->play, why, 0);
}

/* ---- one run ---- */

static const struct text *text_of(const struct course *c, bool is_evil)
{
	const struct text *t = c->play.t->text;
	return &t[t[0].is_evil == is_evil ? 0 : 1];
}

/* The stream as it is meant, and one that says the opposite everywhere. */
static void write_streams(struct course *c)
{
	enum course_want want = c->choice->want;
	const struct text *first = text_of(c, want == WANT_FORBIDDEN);
	const struct text *second = want == WANT_LATER ? text_of(c, true) : &c->play.t->text[2];
	c->n = first->n;
	c->n_stream = first->n + second->n;
	memcpy(c->real, first->bytes, first->n);
	memcpy(c->real + first->n, second->bytes, second->n);
	memcpy(c->other, text_of(c, want != WANT_FORBIDDEN)->bytes, first->n);
	memcpy(c->other + first->n,
	       (want == WANT_LATER ? &c->play.t->text[2] : text_of(c, true))->bytes, second->n);
}

/* A message that nobody contends: from now on the connection has proven what it is. */
static bool warm_up(struct course *c)
{
	struct play *p = &c->play;
	const struct text *d = &p->t->text[3];
	struct speech s = {.bytes = d->bytes, .n = d->n, .messages = 1};
	const struct peer_hooks *hooks = p->peer->hooks;
	p->peer->hooks = NULL;
	bool is_read = say(p, &s, PATIENCE_MS);
	p->peer->base += (uint32_t)d->n;
	(void)step_await(p, STEP_AGAIN_MS, step_has_acked, 0);
	step_forget(p);
	p->peer->hooks = hooks;
	return is_read;
}

static void send_plainly(struct play *p, size_t at, const uint8_t *bytes, size_t n)
{
	peer_segment(p->peer, &step_ordinary, p->peer->base + (uint32_t)at, bytes, n);
}

/* At the end without any strategy, refused or not: something may have opened the way. */
static void insist(struct course *c, size_t at)
{
	struct play *p = &c->play;
	p->peer->hooks = NULL;
	if (p->v->row->app == APP_UDP)
		return;
	send_plainly(p, at, c->other + at, c->n);
	send_plainly(p, at, c->real + at, c->n);
	(void)step_await(p, LAST_MS, step_never, 0);
	send_plainly(p, at, c->real + at, c->n);
}

/* Whether the first message was read as it was meant, byte by byte. */
static bool is_as_meant(const struct course *c)
{
	char want[TEXT_NAME_MAX];
	const struct app *app = c->play.app;
	text_name(c->play.t->kind, c->real, c->n, want);
	if (app->n_messages < 1 || strcmp(app->names[0], want) != 0)
		return false;
	return c->play.v->row->app == APP_UDP ||
	       (app->n_read >= c->n && memcmp(app->read, c->real, c->n) == 0);
}

static void speak(struct course *c)
{
	struct play *p = &c->play;
	struct speech s = {.bytes = c->real, .n = c->n, .messages = 1};
	(void)say(p, &s, PATIENCE_MS);
	/* Of a changed message the rest may be the body: then nothing behind it is a message. */
	if (c->choice->want == WANT_LATER && is_as_meant(c)) {
		s = (struct speech){.at = c->n,
				    .bytes = c->real + c->n,
				    .n = c->n_stream - c->n,
				    .messages = 2};
		(void)say(p, &s, REFUSAL_MS);
		insist(c, c->n);
	} else if (c->choice->want == WANT_FORBIDDEN) {
		insist(c, 0);
	}
	(void)step_await(p, LAST_MS, step_never, 0);
}

static void run_it(struct course *c)
{
	struct play *p = &c->play;
	p->peer->hooks = &c->hooks;
	c->out->is_open = open_it(p);
	if (c->out->is_open && c->choice->start == START_WARM)
		c->out->is_open = warm_up(c);
	if (c->out->is_open)
		speak(c);
	c->out->is_same = is_as_meant(c);
	c->out->n_fired = c->actor.n_fired;
	c->out->says_more = c->actor.furthest > (int32_t)c->n;
	keep_names(c);
}

/* Somebody honest wants to use the same service. */
static void test_fresh(struct course *c)
{
	struct play *p = &c->play;
	const struct text *m = &p->t->text[2];
	struct speech s = {.bytes = m->bytes, .n = m->n, .messages = 1};
	unsigned client = p->out->client_port + 1;
	p->app_most = APP_READ_MAX;
	if (player_open_app(c->play.who, c->play.v, client)) {
		broken(c, "application");
		return;
	}
	step_begin_peer(p->who, p->v, client, player_isn(p->who) ^ 0x40000000u);
	p->peer->hooks = NULL;
	for (int i = 0; i < OPEN_TRIES && !p->out->is_fresh; i++)
		p->out->is_fresh = open_it(p) && say(p, &s, LEGAL_MS / OPEN_TRIES);
	p->out->has_evil |= p->app->has_evil;
	farewell(p);
}

static void note_wishes(struct course *c)
{
	struct outcome *o = c->play.out;
	o->wants_read = c->choice->want == WANT_ALLOWED && c->out->is_same;
	memcpy(o->wanted[0], o->names[0], TEXT_NAME_MAX);
}

static void begin(struct course *c, struct player *who, const struct variant *v, uint32_t die)
{
	static const char *const orders[N_WANTS] = {"op", "po", "op"};
	struct outcome *o = c->play.out;
	enum text_kind kind = v->row->app == APP_UDP  ? TEXT_QUERY
			      : v->role == ROW_SERVER ? TEXT_REPLY
						      : TEXT_REQUEST;
	o->client_port = PORT_FIRST + PLAY_PORTS * who->n_runs++;
	o->server_port = step_server_port(who, v);
	texts_make(&who->texts, kind, v->unit, orders[c->choice->want]);
	write_streams(c);
	c->hooks = (struct peer_hooks){.sends = on_send, .hears = on_hear, .owner = c};
	c->actor.peer = &who->peer;
	c->actor.texts = &who->texts;
	c->actor.other = c->other;
	c->actor.n_other = c->n_stream;
	c->actor.fake = c->choice->fake;
	c->actor.hops = c->choice->far ? HOPS : 0;
	c->actor.die = die | 1;
}

void course_run(struct player *who, const struct choice *choice, const struct strategy *s,
		uint32_t die, struct result *out)
{
	static struct course c;
	struct variant v = course_variant(choice, strategy_is_udp(s));
	long start = step_now_ms();
	memset(out, 0, sizeof(*out));
	memset(&c, 0, sizeof(c));
	c.play = (struct play){.who = who,
			       .v = &v,
			       .out = &out->outcome,
			       .peer = &who->peer,
			       .app = &who->app,
			       .t = &who->texts,
			       .app_most = APP_READ_MAX};
	c.out = out;
	c.choice = choice;
	c.actor.strategy = s;
	begin(&c, who, &v, die);
	if (player_open_app(c.play.who, c.play.v, out->outcome.client_port)) {
		broken(&c, "application");
	} else {
		step_begin_peer(who, &v, out->outcome.client_port, player_isn(who));
		run_it(&c);
		farewell(&c.play);
		note_wishes(&c);
		test_fresh(&c);
	}
	out->outcome.is_done = true;
	out->outcome.ms = (unsigned)(step_now_ms() - start);
}
