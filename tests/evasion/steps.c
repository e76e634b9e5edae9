/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "steps.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	OPEN_MS = 2000, /* for a handshake */
	QUIET_MS = 30,	/* for what must not come */
	PORT_WATCHED = 8000,
	PORT_REQUESTS = 8100,
	PORT_DNS = 5300,
	PORT_FLOOD = 40000,
};

long step_now_ms(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail with this clock */
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void turn(struct play *p, int wait_ms)
{
	peer_turn(p->peer, p->app, wait_ms, p->app_most);
}

bool step_await(struct play *p, long ms, step_happened_fn *happened, int32_t argument)
{
	for (long end = step_now_ms() + ms; step_now_ms() < end;) {
		if (happened(p, argument))
			return true;
		turn(p, 2);
	}
	return happened(p, argument);
}

void step_broken(struct play *p, const char *why, int line)
{
	if (!p->out->is_broken)
		(void)snprintf(p->out->note, PLAY_NOTE_MAX, "%s (line %d)", why, line);
	p->out->is_broken = true;
}

/* ---- what can be waited for ---- */

static bool has_syn(const struct play *p, int32_t argument)
{
	(void)argument;
	return p->peer->has_syn;
}

static bool has_syn_ack(const struct play *p, int32_t argument)
{
	(void)argument;
	return p->peer->has_syn_ack;
}

static bool has_reset(const struct play *p, int32_t argument)
{
	(void)argument;
	return p->peer->has_reset;
}

static bool has_challenge(const struct play *p, int32_t argument)
{
	(void)argument;
	return p->peer->n_challenges > 0;
}

static bool has_fin(const struct play *p, int32_t argument)
{
	(void)argument;
	return p->peer->has_fin;
}

bool step_has_acked(const struct play *p, int32_t position)
{
	return (int32_t)(p->peer->acked - p->peer->base) >= position;
}

static bool has_read(const struct play *p, int32_t position)
{
	return (int32_t)p->app->n_read >= position;
}

bool step_has_messages(const struct play *p, int32_t n)
{
	bool answers = p->v->role == ROW_CLIENT && p->v->row->app != APP_UDP;
	return (int32_t)p->app->n_messages >= n && (!answers || (int32_t)p->peer->n_answers >= n);
}

static bool was_asked(const struct play *p, int32_t argument)
{
	(void)argument;
	return p->peer->has_syn && p->peer->next - p->peer->their_isn > 1;
}

bool step_is_refused(const struct play *p, int32_t argument)
{
	(void)argument;
	return p->peer->has_reset || p->app->has_reset || p->app->has_eof;
}

bool step_never(const struct play *p, int32_t argument)
{
	(void)p, (void)argument;
	return false;
}

/* ---- who is where ---- */

const char *step_own_address(const struct variant *v)
{
	if (v->row->far)
		return v->version == 4 ? "198.19.2.10" : "fd00:7::10";
	return v->version == 4 ? "198.18.5.3" : "fd00:5::3";
}

const char *step_peer_address(const struct variant *v)
{
	return v->version == 4 ? "198.18.5.2" : "fd00:5::2";
}

unsigned step_server_port(const struct player *who, const struct variant *v)
{
	unsigned base = v->row->app == APP_UDP	     ? PORT_DNS
			: v->ports == PORTS_REQUESTS ? PORT_REQUESTS
						     : PORT_WATCHED;
	return base + who->number;
}

void step_begin_peer(struct player *who, const struct variant *v, unsigned client_port,
		     uint32_t isn)
{
	struct frame_link link = {0};
	struct frame_ip ip = {.version = v->version};
	int family = v->version == 4 ? AF_INET : AF_INET6;
	unsigned server = step_server_port(who, v);
	bool is_client = v->role == ROW_CLIENT;
	memcpy(link.src, world_mac_peer, 6);
	memcpy(link.dst, v->row->far ? world_mac_gate : world_mac_near, 6);
	(void)inet_pton(family, step_peer_address(v), ip.src); /* our own constants */
	(void)inet_pton(family, step_own_address(v), ip.dst);
	peer_begin(&who->peer, &link, &ip, (uint16_t)(is_client ? client_port : server),
		   (uint16_t)(is_client ? server : client_port), v->options, isn);
}

/* ---- handshakes ---- */

const struct peer_whim step_ordinary;

static void send_bare_ack(struct play *p)
{
	const struct peer_whim ack = {.has_flags = true, .flags = TCP_A};
	peer_segment(p->peer, &ack, p->peer->isn + 1, NULL, 0);
}

static bool open_as_client(struct play *p, const struct peer_whim *whim)
{
	for (int i = 0; i < 4 && !p->peer->has_syn_ack; i++) {
		peer_syn(p->peer, whim, NULL, 0);
		(void)step_await(p, OPEN_MS / 4, has_syn_ack, 0);
	}
	if (!p->peer->has_syn_ack)
		return false;
	send_bare_ack(p);
	return true;
}

static bool open_as_server(struct play *p, const struct peer_whim *whim)
{
	if (!step_await(p, OPEN_MS, has_syn, 0))
		return false;
	for (int i = 0; i < 4 && !was_asked(p, 0); i++) {
		peer_syn_ack(p->peer, whim, NULL, 0);
		(void)step_await(p, OPEN_MS / 4, was_asked, 0);
	}
	return was_asked(p, 0);
}

bool step_open(struct play *p, const struct peer_whim *whim)
{
	return p->v->role == ROW_CLIENT ? open_as_client(p, whim) : open_as_server(p, whim);
}

/* ---- lines ---- */

static void tell_reset(struct play *p, const struct row_line *l)
{
	struct peer_whim w = {.has_flags = true, .flags = TCP_R};
	(void)l;
	peer_segment(p->peer, &w, p->peer->heard_ack, NULL, 0);
}

static void do_open(struct play *p, const struct row_line *l)
{
	if (!step_open(p, &p->whim) && !p->who->is_bare)
		step_broken(p, "no handshake", l->number);
}

static void note_first(struct play *p)
{
	for (size_t i = 0; i < p->data.n; i++) {
		int64_t at = (int64_t)p->data.at + (int64_t)i;
		if (at < 0 || at >= TEXT_MAX || p->has_first[at])
			continue;
		p->has_first[at] = true;
		p->first[at] = p->data.bytes[i];
	}
}

static void do_send(struct play *p, const struct row_line *l)
{
	(void)l;
	note_first(p);
	p->peer->n_challenges = 0;
	peer_segment(p->peer, &p->whim, p->peer->base + (uint32_t)p->data.at, p->data.bytes,
		     p->data.n);
}

static void do_syn(struct play *p, const struct row_line *l)
{
	(void)l;
	peer_syn(p->peer, &p->whim, p->data.bytes, p->data.n);
}

static void do_syn_ack(struct play *p, const struct row_line *l)
{
	(void)l;
	peer_syn_ack(p->peer, &p->whim, p->data.bytes, p->data.n);
}

static void do_datagram(struct play *p, const struct row_line *l)
{
	(void)l;
	peer_datagram(p->peer, &p->whim, p->data.bytes, p->data.n);
}

static void do_raw(struct play *p, const struct row_line *l)
{
	(void)l;
	peer_raw(p->peer, &p->whim, (uint8_t)p->v->row->ip_proto, p->data.bytes, p->data.n);
}

/* "A0:24", "B24:", "A24:48.", "A24:/4096": of whose packet, from and to, "+" or "." for more or
 * not,
 * "/" where it claims to belong. */
static bool parse_piece(const struct play *p, char *word, size_t header, struct frame_piece *piece,
			int32_t *from, int32_t *to)
{
	char *slash = strchr(word, '/'), *mark = word + strlen(word), *colon = strchr(word, ':');
	if (slash)
		mark = slash;
	if (!colon)
		return false;
	bool plus = mark[-1] == '+', dot = mark[-1] == '.';
	piece->at = slash ? (size_t)strtoul(slash + 1, NULL, 10) : 0;
	mark[-(plus || dot)] = '\0';
	*colon = '\0';
	bool good = script_position(p->t, header, word + 1, from);
	bool has_end = colon[1] != '\0';
	if (has_end)
		good = good && script_position(p->t, header, colon + 1, to);
	piece->more = plus || (has_end && !dot);
	if (!slash)
		piece->at = (size_t)*from;
	return good;
}

static size_t build_whole(struct play *p, char letter, uint8_t *out)
{
	const struct text *m = &p->t->text[letter - 'A'];
	if (p->v->row->app == APP_UDP)
		return peer_build_datagram(p->peer, &p->whim, m->bytes, m->n, out);
	return peer_build(p->peer, &p->whim, p->peer->base, m->bytes, m->n, out);
}

/* One packet each of A and of B, equal in checksum; then pieces of them. */
static void do_fragments(struct play *p, const struct row_line *l)
{
	static uint8_t whole[2][FRAME_MAX];
	uint8_t usual = p->v->row->app == APP_UDP ? IPPROTO_UDP : IPPROTO_TCP;
	uint8_t proto = p->whim.ip.proto ? p->whim.ip.proto : usual;
	uint32_t ts = p->peer->ts_now;
	size_t n[2] = {build_whole(p, 'A', whole[0]), 0};
	p->peer->ts_now = ts;
	n[1] = build_whole(p, 'B', whole[1]);
	p->peer->ts_now = ts; /* so that the next line may send more of the same packet */
	size_t header = n[0] - p->t->text[0].n;
	p->whim.ip.id = p->whim.same_id ? p->peer->fragment_id : peer_new_fragment_id(p->peer);
	for (unsigned i = 1; i < l->n; i++) {
		char word[64];
		struct frame_piece piece;
		unsigned b = l->word[i][0] == 'B';
		int32_t from = 0, to = (int32_t)n[b];
		if (strcmp(l->word[i], "|") == 0)
			return;
		if (!strchr("AB", l->word[i][0]) || !strchr(l->word[i], ':'))
			continue;
		(void)snprintf(word, sizeof(word), "%s", l->word[i]);
		if (!parse_piece(p, word, header, &piece, &from, &to) || from > to)
			step_broken(p, "piece", l->number);
		else
			peer_send_piece(p->peer, &p->whim, &piece, proto, whole[b] + from,
					(size_t)((to < (int32_t)n[b] ? to : (int32_t)n[b]) - from));
	}
}

static void do_await(struct play *p, const struct row_line *l)
{
	static const struct {
		const char *name;
		step_happened_fn *happened;
	} what[] = {{"syn", has_syn},	{"synack", has_syn_ack},
		    {"rst", has_reset}, {"acked", step_has_acked},
		    {"read", has_read}, {"challenge", has_challenge},
		    {"fin", has_fin},	{"asked", was_asked}};
	int32_t argument = 0;
	if (l->n > 2 && !script_position(p->t, 0, l->word[2], &argument))
		step_broken(p, "position", l->number);
	for (unsigned i = 0; i < sizeof(what) / sizeof(what[0]); i++)
		if (strcmp(what[i].name, l->word[1]) == 0) {
			/* A defence may well answer otherwise: the row goes on. */
			(void)step_await(p, i < 2 ? OPEN_MS : STEP_AGAIN_MS, what[i].happened,
					 argument);
			return;
		}
	step_broken(p, "await", l->number);
}

static void do_pause(struct play *p, const struct row_line *l)
{
	(void)step_await(p, strtol(l->word[1], NULL, 10), step_never, 0);
}

static void do_app(struct play *p, const struct row_line *l)
{
	const char *what = l->word[1];
	int32_t most;
	if (strcmp(what, "stop") == 0) {
		p->app->is_stopped = true;
	} else if (strcmp(what, "go") == 0) {
		p->app->is_stopped = false;
		p->app_most = APP_READ_MAX;
	} else if (strcmp(what, "shut") == 0 && p->app->fd >= 0) {
		(void)close(p->app->fd); /* politely: it stays in TIME_WAIT */
		p->app->fd = -1;
	} else if (strcmp(what, "read") == 0 && l->n > 2 &&
		   script_position(p->t, 0, l->word[2], &most)) {
		p->app->is_stopped = false;
		p->app_most = (size_t)most;
		(void)step_await(p, STEP_AGAIN_MS, has_read, most);
	}
}

/* The same four numbers, another beginning. */
static void do_again(struct play *p, const struct row_line *l)
{
	uint32_t isn = p->peer->base + (uint32_t)strtol(l->word[1], NULL, 0);
	uint32_t ts = p->peer->ts_now, ts_recent = p->peer->ts_recent;
	unsigned client = p->v->role == ROW_CLIENT ? p->peer->src_port : p->peer->dst_port;
	step_begin_peer(p->who, p->v, client, isn);
	p->peer->ts_now = ts;
	p->peer->ts_recent = ts_recent;
}

static void do_isn(struct play *p, const struct row_line *l)
{
	p->peer->isn += (uint32_t)strtol(l->word[1], NULL, 0);
	p->peer->base = p->peer->isn + 1;
}

/* Sets what later segments have: mss, window, wscale. */
static void do_set(struct play *p, const struct row_line *l)
{
	long value = l->n > 2 ? strtol(l->word[2], NULL, 0) : 0;
	if (strcmp(l->word[1], "mss") == 0)
		p->peer->mss = (uint16_t)value;
	else if (strcmp(l->word[1], "window") == 0)
		p->peer->window = (uint16_t)value;
	else if (strcmp(l->word[1], "wscale") == 0)
		p->peer->wscale = (uint8_t)value;
	else if (strcmp(l->word[1], "isn") == 0)
		step_begin_peer(p->who, p->v,
				p->v->role == ROW_CLIENT ? p->peer->src_port : p->peer->dst_port,
				(uint32_t)strtoul(l->word[2], NULL, 0));
	else if (strcmp(l->word[1], "mute") == 0)
		p->peer->is_mute = true;
	else
		step_broken(p, "set", l->number);
}

static void do_flood(struct play *p, const struct row_line *l)
{
	long n = strtol(l->word[1], NULL, 10);
	for (long i = 0; i < n; i++) {
		struct peer_whim w = {.src_port = (uint16_t)(PORT_FLOOD + i % 20000)};
		peer_syn(p->peer, &w, NULL, 0);
		if (i % 32 == 31)
			turn(p, 0);
	}
}

/* Cuts data into segments of N bytes; "reverse" sends the last first. */
static void do_chop(struct play *p, const struct row_line *l)
{
	size_t n = l->n > 2 ? (size_t)strtol(l->word[2], NULL, 10) : 1;
	bool reverse = l->n > 3 && strcmp(l->word[3], "reverse") == 0;
	if (!script_data(p->t, l->word[1], &p->data) || n == 0) {
		step_broken(p, "chop", l->number);
		return;
	}
	size_t count = (p->data.n + n - 1) / n;
	for (size_t i = 0; i < count; i++) {
		size_t at = (reverse ? count - 1 - i : i) * n;
		size_t size = p->data.n - at < n ? p->data.n - at : n;
		peer_segment(p->peer, &step_ordinary,
			     p->peer->base + (uint32_t)p->data.at + (uint32_t)at,
			     p->data.bytes + at, size);
		if (i % 16 == 15)
			turn(p, 0);
	}
}

/* Slices of A and B over each other, in an order that the variant decides; then what is missing. */
static void do_overlaps(struct play *p, const struct row_line *l)
{
	const struct variant *v = p->v;
	long n = strtol(l->word[1], NULL, 10);
	size_t end = p->t->text[0].n;
	const uint32_t tried[] = {(uint32_t)v->unit, v->options, v->order, v->version, v->start};
	uint32_t dice = p->who->seed;
	for (size_t i = 0; i < sizeof(tried) / sizeof(tried[0]); i++)
		dice = dice * 31 + tried[i];
	for (long i = 0; i < n; i++) {
		dice = dice * 1664525u + 1013904223u;
		size_t from = 1 + (dice >> 8) % (end - 1);
		size_t room = end - from;
		dice = dice * 1664525u + 1013904223u;
		const struct text *m = &p->t->text[dice >> 31];
		p->data.at = (int32_t)from;
		p->data.n = 1 + (dice >> 8) % room;
		memcpy(p->data.bytes, m->bytes + from, p->data.n);
		do_send(p, l);
	}
	p->data.at = 0;
	p->data.n = end;
	memcpy(p->data.bytes, p->t->text[0].bytes, end);
	do_send(p, l);
}

void step_forget(struct play *p)
{
	p->app->n_messages = 0;
	p->app->n_parsed = p->app->n_read = 0;
	p->peer->their_isn = p->peer->next - 1; /* answers are counted from here */
	p->peer->n_answers = 0;
}

static void do_forget(struct play *p, const struct row_line *l)
{
	(void)l;
	step_forget(p);
}

/* Assertions in the middle of a row; without a defence nobody promised them. */
static void do_unread(struct play *p, const struct row_line *l)
{
	(void)step_await(p, QUIET_MS, step_never, 0);
	if (p->app->n_read > 0 && !p->who->is_bare)
		step_broken(p, "was read before it was judged", l->number);
}

static void do_unchallenged(struct play *p, const struct row_line *l)
{
	(void)step_await(p, QUIET_MS, has_challenge, 0);
	if (has_challenge(p, 0) && !p->who->is_bare)
		step_broken(p, "reached the endpoint, which objected", l->number);
}

static void do_kill(struct play *p, const struct row_line *l)
{
	if (!p->who->is_bare && world_kill_engine(p->who->world))
		step_broken(p, "no new engine", l->number);
}

static const struct {
	const char *name;
	void (*run)(struct play *p, const struct row_line *l);
	int data_at, whims_at; /* which words are data and whims; 0: none */
} lines[] = {
	{"open", do_open, 0, 1},
	{"send", do_send, 1, 2},
	{"syn", do_syn, 1, 2},
	{"synack", do_syn_ack, 1, 2},
	{"udp", do_datagram, 1, 2},
	{"rawip", do_raw, 1, 2},
	{"frag", do_fragments, 0, 0},
	{"await", do_await, 0, 0},
	{"pause", do_pause, 0, 0},
	{"app", do_app, 0, 0},
	{"again", do_again, 0, 0},
	{"isn", do_isn, 0, 0},
	{"set", do_set, 0, 0},
	{"flood", do_flood, 0, 0},
	{"chop", do_chop, 0, 0},
	{"overlaps", do_overlaps, 0, 0},
	{"forget", do_forget, 0, 0},
	{"unread", do_unread, 0, 0},
	{"unchallenged", do_unchallenged, 0, 0},
	{"reset-as-asked", tell_reset, 0, 0},
	{"kill-engine", do_kill, 0, 0},
};

/* Pieces come first in a line of fragments; whims behind a bar. */
static bool read_fragment_whims(struct play *p, const struct row_line *l)
{
	for (unsigned i = 1; i < l->n; i++)
		if (strcmp(l->word[i], "|") == 0)
			return script_whims(p->t, l, i + 1, &p->data, &p->whim);
	p->whim = step_ordinary;
	return true;
}

static bool read_words(struct play *p, const struct row_line *l, int data_at, int whims_at)
{
	if (strcmp(l->word[0], "frag") == 0)
		return read_fragment_whims(p, l);
	p->data.n = 0;
	if (data_at &&
	    ((unsigned)data_at >= l->n || !script_data(p->t, l->word[data_at], &p->data)))
		return false;
	return !whims_at || script_whims(p->t, l, (unsigned)whims_at, &p->data, &p->whim);
}

void step_run(struct play *p, const struct row_line *l)
{
	for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		if (strcmp(lines[i].name, l->word[0]) != 0)
			continue;
		if (read_words(p, l, lines[i].data_at, lines[i].whims_at))
			lines[i].run(p, l);
		else
			step_broken(p, "cannot read the line", l->number);
		return;
	}
	step_broken(p, "unknown word", l->number);
}
