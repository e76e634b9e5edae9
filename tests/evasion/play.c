/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "play.h"

#include "steps.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum {
	LEGAL_MS = 4000,    /* for what has to come */
	BARE_MS = 400,	    /* likewise, where nobody promised anything */
	DENIAL_MS = 300,    /* how long the peer insists on what is denied */
	QUIET_MS = 120,	    /* for what must not come */
	PORT_FIRST = 10000, /* of clients */
};

/* ---- the two ends of a run ---- */

static void set_address(struct sockaddr_storage *to, unsigned version, const char *text,
			unsigned port)
{
	struct sockaddr_in *four = (struct sockaddr_in *)(void *)to;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)(void *)to;
	memset(to, 0, sizeof(*to));
	if (version == 4) {
		four->sin_family = AF_INET;
		four->sin_port = htons((uint16_t)port);
		(void)inet_pton(AF_INET, text, &four->sin_addr); /* our own constants */
	} else {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons((uint16_t)port);
		(void)inet_pton(AF_INET6, text, &six->sin6_addr);
	}
}

int player_open_app(struct player *who, const struct variant *v, unsigned client_port)
{
	bool is_client = v->role == ROW_SERVER;
	unsigned server = step_server_port(who, v);
	struct app_setup setup = {
		.kind = v->row->app,
		.place = v->row->far ? PLACE_FAR : PLACE_NEAR,
		.is_client = is_client,
		.family = v->version == 4 ? AF_INET : AF_INET6,
		.rcvbuf = v->row->rcvbuf,
		.ip_proto = v->row->ip_proto,
	};
	set_address(&setup.own, v->version, step_own_address(v), is_client ? client_port : server);
	set_address(&setup.peer, v->version, step_peer_address(v),
		    is_client ? server : client_port);
	if (app_open(&who->app, who->world, &setup, who->texts.kind))
		return -1;
	return is_client ? app_connect(&who->app) : 0;
}

uint32_t player_isn(const struct player *who)
{
	return who->seed + (who->n_runs * 64 + who->number) * 0x01010101u;
}

/* ---- after the script ---- */

static bool is_datagram(const struct play *p)
{
	return p->v->row->app == APP_UDP;
}

/* The whole message, made of units of A and B as the row says. */
static size_t mixed(const struct play *p, const char *mix, uint8_t *out)
{
	const struct texts *t = p->t;
	memcpy(out, t->text[mix[0] - 'A'].bytes, t->text[0].n);
	for (size_t u = 0; u < TEXT_UNITS; u++)
		memcpy(out + t->start + u * t->unit,
		       t->text[mix[u] - 'A'].bytes + t->start + u * t->unit, t->unit);
	return t->text[0].n;
}

static void send_at(struct play *p, int32_t at, const uint8_t *bytes, size_t n)
{
	enum { CUT = 1300 };
	for (size_t done = 0; done < n; done += CUT) {
		size_t size = n - done < CUT ? n - done : CUT;
		peer_segment(p->peer, &step_ordinary, p->peer->base + (uint32_t)at + (uint32_t)done,
			     bytes + done, size);
	}
}

/* Sends it until as many messages were read, or the time is over. */
static bool insist(struct play *p, int32_t at, const uint8_t *bytes, size_t n, int32_t messages,
		   long ms)
{
	for (long end = step_now_ms() + ms; step_now_ms() < end;) {
		if (step_await(p, STEP_AGAIN_MS, step_has_messages, messages))
			return true;
		if (!is_datagram(p))
			send_at(p, at, bytes, n);
	}
	return step_has_messages(p, messages);
}

static void insist_on_denied(struct play *p, const uint8_t *mix, size_t n)
{
	for (long end = step_now_ms() + DENIAL_MS; step_now_ms() < end && !step_is_refused(p, 0);) {
		if (!is_datagram(p)) {
			send_at(p, 0, mix, n);
			send_at(p, 0, p->t->text[1].bytes, n);
			send_at(p, 0, p->t->text[0].bytes, n);
		}
		(void)step_await(p, STEP_AGAIN_MS, step_is_refused, 0);
	}
	/* What was let through before the refusal is still on its way. */
	(void)step_await(p, 10, step_never, 0);
}

static long patience(const struct play *p)
{
	return p->who->is_bare ? BARE_MS : LEGAL_MS;
}

static void test_life(struct play *p)
{
	const struct text *c = &p->t->text[2];
	if (is_datagram(p)) {
		peer_datagram(p->peer, &step_ordinary, c->bytes, c->n);
	} else {
		send_at(p, 0, p->t->text[1].bytes, c->n); /* too late, whatever it says */
		send_at(p, 0, p->t->text[0].bytes, c->n);
		send_at(p, (int32_t)c->n, c->bytes, c->n);
	}
	p->out->lives = insist(p, (int32_t)c->n, c->bytes, c->n, 2, patience(p));
}

static void keep_names(struct play *p)
{
	struct outcome *o = p->out;
	for (size_t i = 0; i < p->app->n_messages && o->n_names < APP_MESSAGES_MAX; i++)
		memcpy(o->names[o->n_names++], p->app->names[i], TEXT_NAME_MAX);
	p->app->n_messages = 0;
	o->has_evil |= p->app->has_evil;
	o->has_oob |= p->app->has_oob;
	o->has_strange_option |= p->peer->has_strange_option;
	o->was_answered = p->peer->n_answers > 0;
}

static void farewell(struct play *p)
{
	const struct peer_whim w = {.has_flags = true, .flags = TCP_R | TCP_A};
	if (!is_datagram(p))
		peer_segment(p->peer, &w, p->peer->acked, NULL, 0);
	app_close(p->app);
}

/* Somebody honest wants to use the same service. */
static void test_fresh(struct play *p)
{
	static struct variant v;
	static struct row usual;
	unsigned client = p->out->client_port + 1;
	v = *p->v;
	usual = *v.row;
	usual.rcvbuf = 0;
	usual.app = is_datagram(p) ? APP_UDP : APP_TCP;
	v.row = &usual;
	p->v = &v;
	p->app_most = APP_READ_MAX;
	if (player_open_app(p->who, &v, client)) {
		step_broken(p, "application", 0);
		return;
	}
	step_begin_peer(p->who, &v, client, player_isn(p->who) ^ 0x40000000u);
	if (is_datagram(p))
		peer_datagram(p->peer, &step_ordinary, p->t->text[2].bytes, p->t->text[2].n);
	else if (step_open(p, &step_ordinary))
		send_at(p, 0, p->t->text[2].bytes, p->t->text[2].n);
	p->out->is_fresh = insist(p, 0, p->t->text[2].bytes, p->t->text[2].n, 1, patience(p));
	p->out->has_evil |= p->app->has_evil;
	farewell(p);
}

static void finish(struct play *p, const uint8_t *mix, size_t n)
{
	struct outcome *o = p->out;
	if (o->wants_read) {
		(void)insist(p, 0, mix, n, 1, patience(p));
	} else if (o->wants_denial) {
		insist_on_denied(p, mix, n);
	} else if (p->v->row->wish == WISH_MAYBE) {
		(void)insist(p, 0, mix, n, 1, QUIET_MS);
	} else {
		(void)step_await(p, QUIET_MS, step_never, 0);
	}
	if (o->wants_life)
		test_life(p);
	keep_names(p);
}

static void note_wishes(struct play *p, const uint8_t *mix, size_t n)
{
	const struct row *row = p->v->row;
	bool evil = text_is_evil(p->t->kind, mix, n);
	text_name(p->t->kind, mix, n, p->out->wanted[0]);
	text_name(p->t->kind, p->t->text[2].bytes, n, p->out->wanted[1]);
	p->out->wants_read = row->wish == WISH_READ && !evil;
	p->out->wants_denial = row->wish == WISH_READ && evil;
	p->out->wants_life = p->out->wants_read && !row->ends;
}

/* One message that nobody contends: from now on the connection has proven what it is. */
static void warm_up(struct play *p)
{
	const struct text *d = &p->t->text[3];
	if (!insist(p, 0, d->bytes, d->n, 1, patience(p)))
		step_broken(p, "the first message did not pass", 0);
	p->peer->base += (uint32_t)d->n;
	(void)step_await(p, STEP_AGAIN_MS, step_has_acked, 0);
	step_forget(p);
}

static bool is_stream_row(const struct row *row)
{
	return row->app != APP_UDP && row->app != APP_RAW && row->app != APP_ETHER;
}

static void begin(struct play *p)
{
	if (p->v->row->raw || !is_stream_row(p->v->row))
		return;
	if (!step_open(p, &step_ordinary))
		step_broken(p, "no handshake", 0);
	else if (p->v->start == START_WARM)
		warm_up(p);
}

/* The first copies, and A where there was none. */
static void take_first(const struct play *p, uint8_t *mix, size_t n)
{
	for (size_t i = 0; i < n; i++)
		mix[i] = p->has_first[i] ? p->first[i] : mix[i];
}

static void play(struct play *p)
{
	static uint8_t mix[TEXT_MAX];
	const struct row *row = p->v->row;
	size_t n = mixed(p, row->wish == WISH_NOTHING ? "AAAA" : row->mix, mix);
	begin(p);
	for (unsigned i = 0; i < row->n_lines && !p->out->is_broken; i++)
		step_run(p, &row->lines[i]);
	if (row->reads_first)
		take_first(p, mix, n);
	note_wishes(p, mix, n);
	p->app->is_stopped = false;
	p->app_most = APP_READ_MAX;
	finish(p, mix, n);
	farewell(p);
	if (!p->out->wants_life && row->app != APP_RAW && row->app != APP_ETHER)
		test_fresh(p);
}

int player_init(struct player *p, struct world *w, unsigned number, bool is_bare, uint32_t seed)
{
	p->world = w;
	p->number = number;
	p->n_runs = 0;
	p->is_bare = is_bare;
	p->seed = seed;
	p->peer.fd = -1;
	return peer_open(&p->peer, w, number);
}

void player_fini(struct player *p)
{
	peer_close(&p->peer);
}

void player_run(struct player *who, const struct variant *v, struct outcome *out)
{
	static struct play p;
	p = (struct play){.who = who,
			  .v = v,
			  .out = out,
			  .peer = &who->peer,
			  .app = &who->app,
			  .t = &who->texts,
			  .app_most = APP_READ_MAX};
	static const char *const orders[N_ORDERS] = {"op", "po", "oq"};
	enum text_kind kind = v->row->app == APP_UDP  ? TEXT_QUERY
			      : v->role == ROW_SERVER ? TEXT_REPLY
						      : TEXT_REQUEST;
	long start = step_now_ms();
	memset(out, 0, sizeof(*out));
	out->client_port = PORT_FIRST + PLAY_PORTS * who->n_runs++;
	out->server_port = step_server_port(who, v);
	texts_make(&who->texts, kind, v->unit, orders[v->order]);
	if (player_open_app(who, v, out->client_port)) {
		step_broken(&p, "application", 0);
	} else {
		step_begin_peer(who, v, out->client_port, player_isn(who));
		play(&p);
	}
	out->is_done = true;
	out->ms = (unsigned)(step_now_ms() - start);
}
