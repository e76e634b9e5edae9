/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HTTP/1.0 and 1.1, both directions, as one state machine per direction:
 *
 *	START --head--> START       no body, or one of known length (skipped, never seen)
 *	      --head--> CHUNK --size--> NEXT --CRLF size--> NEXT ... --0--> TRAILER --lines--> START
 *	      --head--> CLOSE       replies only: the body ends with the connection
 *	      --head--> OVER        replies only: the connection ends, nothing may follow
 *
 * A unit is a head, the line of one chunk's size, or a trailer. A request is judged at its head.
 *
 * Replies are matched to requests by order, since the request decides whether a reply has a
 * body. The table of requests under way is bounded; when it overflows requests go on (nobody may
 * be showing us the replies), but a reply that is shown then cannot be matched any more and ends
 * the matter.
 *
 * What must stay true: nothing is accepted that two servers could frame, route or name
 * differently; and after a request that may change the protocol not one byte of the client's is
 * read as HTTP before the server has answered it.
 */
#include "http_event.h"

enum phase { PHASE_START, PHASE_CHUNK, PHASE_NEXT, PHASE_TRAILER, PHASE_CLOSE, PHASE_OVER };
enum pending { PENDING_PLAIN, PENDING_HEAD, PENDING_CONNECT, PENDING_UPGRADE };

enum {
	HTTP_PENDING_MAX = 64,
	HTTP_UPGRADES_MAX = 1,
	/* Of a server that ends what nobody has asked in: until it is whole it is read anew with
	   each piece. The longest seen is Apache's, of less than 400 bytes. */
	HTTP_UNASKED_HEAD_MAX = 1024,
	HTTP_UNASKED_BODY_MAX = 16 * 1024,
	HTTP_STATUS_END = 12, /* "HTTP/1.1 408" */
};

/* A ring of the requests whose final reply has not come. is_switching: the last of them is a
 * CONNECT or an upgrade. is_lost: a request did not fit, so order tells nothing any more.
 * has_reply: a final one was shown. pipelines: before that the client asked again. */
struct http_state {
	uint8_t is_claimed, has_request, is_switching, is_lost;
	uint8_t has_reply, pipelines, pad; /* states are compared byte by byte */
	uint8_t phase[2];
	uint8_t first, n_pending;
	uint8_t pending[HTTP_PENDING_MAX];
	uint8_t n_upgrade, upgrade[HTTP_UPGRADE_MAX]; /* what the pending upgrade asked for */
	struct http_mark mark[2]; /* in the unit that is not whole; zero between units */
};

/* ---------------------------------------------------------------- results */

static struct dis_result refuse(enum dis_status status, const char *why)
{
	return (struct dis_result){.status = status, .why = why};
}

static struct dis_result malformed(const char *why)
{
	return refuse(DIS_MALFORMED, why);
}

static struct dis_result more(size_t want)
{
	return (struct dis_result){.status = DIS_MORE, .want = want};
}

static struct dis_result done(size_t consumed, uint64_t skip)
{
	return (struct dis_result){.status = DIS_DONE, .consumed = consumed, .skip = skip};
}

/* ---------------------------------------------------------------- one request head */

/* `head` begins with the request line, of `first` bytes, and ends with the empty line. */
static const char *parse_request(struct bytes head, size_t first, struct http_request *r)
{
	*r = (struct http_request){0};
	const char *why = http_parse_request_line(bytes_slice(head, 0, first - 2), &r->line);
	if (!why)
		why = http_parse_fields(bytes_from(head, first), HTTP_REQUEST, r->line.is_1_1,
					&r->fields);
	if (!why && !r->fields.has_host && r->line.is_1_1)
		why = "no host in http/1.1";
	const bool is_tls = r->line.target.n > 4 && byte_lower(r->line.target.p[4]) == 's';
	return why ? why : http_check_host(r, is_tls ? 443 : 80);
}

/* ---------------------------------------------------------------- requests under way */

static enum pending pending_kind(const struct http_request *r)
{
	if (r->line.is_connect)
		return PENDING_CONNECT;
	if (r->fields.has_upgrade)
		return PENDING_UPGRADE;
	return bytes_is(r->line.method, "HEAD") ? PENDING_HEAD : PENDING_PLAIN;
}

static void push_pending(struct http_state *s, const struct http_request *r)
{
	const enum pending kind = pending_kind(r);
	s->has_request = 1;
	s->pipelines |= s->n_pending > 0 && !s->has_reply;
	if (s->n_pending == HTTP_PENDING_MAX) {
		s->is_lost = 1;
		return;
	}
	s->pending[(s->first + s->n_pending++) % HTTP_PENDING_MAX] = (uint8_t)kind;
	s->is_switching = kind == PENDING_CONNECT || kind == PENDING_UPGRADE;
	s->n_upgrade = (uint8_t)r->fields.upgrade.n;
	if (s->n_upgrade)
		memcpy(s->upgrade, r->fields.upgrade.p, s->n_upgrade);
}

/* The final reply to the oldest request is here. An is_switching request is the last, so it ends
 * with it. */
static void pop_pending(struct http_state *s)
{
	if (s->n_pending == 0)
		return;
	s->first = (uint8_t)((s->first + 1) % HTTP_PENDING_MAX);
	s->n_pending--;
	if (s->n_pending == 0)
		s->is_switching = 0;
}

/* ---------------------------------------------------------------- client: claim */

enum claim { CLAIM_YES, CLAIM_NO, CLAIM_WAIT };

/* A control byte within the first CLAIM_EARLY bytes ends the matter at once, one behind them when
 * the line ends. Until the claim nothing may be remembered: a line that grows is read from its
 * start at each call, and for most of it that must cost no more than the search for its end. */
enum { CLAIM_EARLY = 32 };

/* Where the first control byte stands, or n. */
static size_t find_control(struct bytes line)
{
	size_t at = 0;
	while (at < line.n && line.p[at] >= ' ')
		at++;
	return at;
}

static enum claim claim_line(struct bytes in)
{
	const struct bytes line = bytes_slice(in, 0, HTTP_LINE_MAX);
	const bool is_open = line.n < HTTP_LINE_MAX && bytes_find(line, '\n') == line.n;
	const size_t control = find_control(bytes_slice(line, 0, is_open ? CLAIM_EARLY : line.n));
	if (is_open && control == CLAIM_EARLY)
		return CLAIM_WAIT;
	const bool is_cr = control < line.n && line.p[control] == '\r';
	const size_t lf = control + is_cr;
	struct http_request_line parsed;
	if (control < line.n && lf < line.n && line.p[lf] != '\n')
		return CLAIM_NO;
	if (lf == line.n)
		return line.n == HTTP_LINE_MAX ? CLAIM_NO : CLAIM_WAIT;
	if (lf == 0 || line.p[lf - 1] != '\r')
		return CLAIM_NO;
	return http_parse_request_line(bytes_slice(line, 0, lf - 1), &parsed) ? CLAIM_NO
									      : CLAIM_YES;
}

/* "GET /" is HTTP: no other protocol's first bytes look so, and what follows is held to HTTP's
 * rules. */
static enum claim claim_of(struct bytes in)
{
	size_t n = 0;
	while (n < in.n && n <= HTTP_METHOD_MAX && http_is_token_byte(in.p[n]))
		n++;
	if (n == in.n)
		return n <= HTTP_METHOD_MAX ? CLAIM_WAIT : CLAIM_NO;
	if (n == 0 || n > HTTP_METHOD_MAX || in.p[n] != ' ')
		return CLAIM_NO;
	const struct bytes method = bytes_slice(in, 0, n), target = bytes_from(in, n + 1);
	if (http_is_known_method(method) && !bytes_is(method, "CONNECT")) {
		if (target.n && target.p[0] == '/')
			return CLAIM_YES;
		if (bytes_is_nocase(bytes_slice(target, 0, 7), "http://") ||
		    bytes_is_nocase(bytes_slice(target, 0, 8), "https://"))
			return CLAIM_YES;
	}
	return claim_line(in);
}

/* True: go on as claimed. False: *out is the answer. */
static bool claim(struct http_state *s, struct bytes in, const struct dis_sink *sink,
		  struct dis_result *out)
{
	if (s->is_claimed)
		return true;
	switch (claim_of(in)) {
	case CLAIM_NO:
		*out = refuse(DIS_NOT_MINE, "no http request line");
		return false;
	case CLAIM_WAIT:
		*out = more(0);
		return false;
	case CLAIM_YES:
		break;
	}
	s->is_claimed = 1;
	http_emit(sink, DIS_CLAIM);
	return true;
}

/* ---------------------------------------------------------------- client: requests */

/* An offer to go on in HTTP/2 is none when its name is another: the server answers in the version
 * that it was asked in (RFC 9110 section 7.8). `at`: where the fields begin. */
static void hide_offer(const struct http_fields *fields, size_t at, const struct dis_sink *sink)
{
	_Static_assert(sizeof "Ignored" == sizeof "Upgrade", "an edit keeps the length");
	if (fields->has_offer)
		sink->edit(sink->ctx, at + fields->offer_at, bytes_str("Ignored"));
}

/* `lead`: bytes of the unit before the head. */
static struct dis_result take_request(struct http_state *s, struct bytes head, size_t first,
				      size_t lead, const struct dis_sink *sink)
{
	struct http_request r;
	const char *why = parse_request(head, first, &r);
	if (why)
		return malformed(why);
	if (s->n_pending == HTTP_PENDING_MAX && pending_kind(&r) >= PENDING_CONNECT)
		return refuse(DIS_LIMIT, "an upgrade behind too many requests under way");
	hide_offer(&r.fields, lead + first, sink);
	http_emit_request(&r, sink);
	push_pending(s, &r);
	if (r.fields.has_coding)
		s->phase[DIS_TO_SERVER] = PHASE_CHUNK;
	return done(head.n, r.fields.length);
}

static struct dis_result feed_head(struct http_state *s, struct bytes in, size_t lead,
				   const struct dis_sink *sink)
{
	struct http_request_line line;
	const bool is_line_known = s->mark[DIS_TO_SERVER].first > 0;
	const struct http_scan scan = http_scan(in, true, &s->mark[DIS_TO_SERVER]);
	/* Some servers act on a request line alone, so it is judged before its LF can pass. */
	const char *why =
		scan.first && scan.status != DIS_DONE && !is_line_known
			? http_parse_request_line(bytes_slice(in, 0, scan.first - 2), &line)
			: NULL;
	if (why)
		return malformed(why);
	if (scan.status == DIS_DONE)
		return take_request(s, bytes_slice(in, 0, scan.n), scan.first, lead, sink);
	return scan.status == DIS_MORE ? more(0) : refuse(scan.status, scan.why);
}

static struct dis_result feed_start(struct http_state *s, struct bytes in,
				    const struct dis_sink *sink)
{
	if (s->is_switching)
		return malformed("bytes behind an upgrade request that is not answered");
	/* One empty line before a request is customary (RFC 9112 section 2.2). */
	const bool has_cr = in.p[0] == '\r';
	const size_t lead = has_cr && in.n > 1 && in.p[1] == '\n' ? 2 : 0;
	if (has_cr && in.n == 1)
		return more(2);
	struct dis_result r;
	const struct bytes rest = bytes_from(in, lead);
	if (rest.n == 0)
		return more(in.n + 1);
	if (claim(s, rest, sink, &r))
		r = feed_head(s, rest, lead, sink);
	if (r.status == DIS_MORE)
		r.want = in.n + 1;
	if (r.status == DIS_DONE)
		r.consumed += lead;
	return r;
}

/* ---------------------------------------------------------------- bodies, both directions */

static struct dis_result feed_chunk_line(struct http_state *s, enum dis_dir dir, struct bytes in)
{
	const size_t lead = s->phase[dir] == PHASE_NEXT ? 2 : 0;
	if (in.n < lead)
		return in.p[0] == '\r' ? more(lead) : malformed("a chunk longer than its size");
	if (lead && (in.p[0] != '\r' || in.p[1] != '\n'))
		return malformed("a chunk longer than its size");
	const struct http_scan scan = http_scan_chunk_line(in, lead, &s->mark[dir]);
	if (scan.status == DIS_MORE)
		return more(in.n + 1);
	if (scan.status != DIS_DONE)
		return refuse(scan.status, scan.why);
	uint64_t size;
	const char *why = http_parse_chunk_line(bytes_slice(in, lead, scan.n - lead - 2), &size);
	if (why)
		return malformed(why);
	s->phase[dir] = size ? PHASE_NEXT : PHASE_TRAILER;
	return done(scan.n, size);
}

static struct dis_result feed_trailer(struct http_state *s, enum dis_dir dir, struct bytes in)
{
	struct http_fields fields;
	const struct http_scan scan = http_scan(in, false, &s->mark[dir]);
	if (scan.status == DIS_MORE)
		return more(in.n + 1);
	if (scan.status != DIS_DONE)
		return refuse(scan.status, scan.why);
	const char *why =
		http_parse_fields(bytes_slice(in, 0, scan.n), HTTP_TRAILER, true, &fields);
	if (why)
		return malformed(why);
	s->phase[dir] = PHASE_START;
	return done(scan.n, 0);
}

/* ---------------------------------------------------------------- server: replies */

static const char *parse_reply(struct bytes head, size_t first, struct http_reply *r)
{
	*r = (struct http_reply){0};
	const char *why =
		http_parse_status_line(bytes_slice(head, 0, first - 2), &r->status, &r->is_1_1);
	return why ? why
		   : http_parse_fields(bytes_from(head, first), HTTP_REPLY, r->is_1_1, &r->fields);
}

/* The answer opens a tunnel or another protocol: from here on nothing can be read. */
static struct dis_result stop(const struct http_reply *r, struct bytes head, struct bytes protocol,
			      const struct dis_sink *sink)
{
	http_emit_reply(r, sink);
	http_emit_opaque(protocol, sink);
	return (struct dis_result){.status = DIS_STOPPED, .consumed = head.n};
}

static struct dis_result take_switch(const struct http_state *s, const struct http_reply *r,
				     struct bytes head, const struct dis_sink *sink)
{
	const struct bytes asked = bytes_of(s->upgrade, s->n_upgrade);
	if (s->n_pending == 0 || s->pending[s->first] != PENDING_UPGRADE)
		return malformed("a change of protocol that nobody asked for");
	if (s->phase[DIS_TO_SERVER] != PHASE_START)
		return malformed("a change of protocol within a request body");
	if (!r->fields.has_upgrade || !bytes_equal_nocase(r->fields.upgrade, asked))
		return malformed("a change to another protocol than was asked for");
	return stop(r, head, asked, sink);
}

/* By 408 servers announce that they close an idle connection, by 400 that a request broke off, by
 * 503 that they have no room. */
static bool is_farewell_status(struct bytes status)
{
	return bytes_is(status, "408") || bytes_is(status, "400") || bytes_is(status, "503");
}

/* It must say that it is the last: a client that goes on would take it, and what is behind it, for
 * the answers to its next requests. */
static bool is_farewell(const struct http_reply *r)
{
	const bool is_last = r->fields.closes || !r->is_1_1;
	return is_farewell_status(r->status) && is_last && !r->fields.has_coding;
}

static struct dis_result take_farewell(struct http_state *s, const struct http_reply *r,
				       struct bytes head, const struct dis_sink *sink)
{
	if (!is_farewell(r))
		return malformed("a reply that nobody asked for");
	http_emit_reply(r, sink);
	s->phase[DIS_TO_CLIENT] = r->fields.has_length ? PHASE_OVER : PHASE_CLOSE;
	return done(head.n, r->fields.length);
}

static struct dis_result take_final(struct http_state *s, const struct http_reply *r,
				    struct bytes head, const struct dis_sink *sink)
{
	const bool is_asked = s->n_pending > 0;
	const enum pending kind = is_asked ? s->pending[s->first] : PENDING_PLAIN;
	if (!is_asked)
		return take_farewell(s, r, head, sink);
	if (kind == PENDING_CONNECT && r->status.p[0] == '2')
		return stop(r, head, bytes_str("tunnel"), sink);
	http_emit_reply(r, sink);
	pop_pending(s);
	s->has_reply = 1;
	if (kind == PENDING_HEAD || bytes_is(r->status, "204") || bytes_is(r->status, "304"))
		return done(head.n, 0);
	if (r->fields.has_coding)
		s->phase[DIS_TO_CLIENT] = PHASE_CHUNK;
	else if (!r->fields.has_length)
		s->phase[DIS_TO_CLIENT] = PHASE_CLOSE;
	return done(head.n, r->fields.length);
}

static struct dis_result take_reply(struct http_state *s, struct bytes head, size_t first,
				    const struct dis_sink *sink)
{
	struct http_reply r;
	const char *why = parse_reply(head, first, &r);
	if (why)
		return malformed(why);
	if (bytes_is(r.status, "101"))
		return take_switch(s, &r, head, sink);
	if (r.status.p[0] != '1')
		return take_final(s, &r, head, sink);
	if (s->n_pending == 0)
		return malformed("a reply that nobody asked for");
	http_emit_reply(&r, sink);
	return done(head.n, 0);
}

static struct dis_result feed_reply(struct http_state *s, struct bytes in,
				    const struct dis_sink *sink)
{
	static const char version[] = "HTTP/1.";
	if (s->is_lost)
		return refuse(DIS_LIMIT, "more requests under way than can be followed");
	const size_t n = in.n < strlen(version) ? in.n : strlen(version);
	if (memcmp(in.p, version, n) != 0)
		return malformed("not HTTP");
	const struct http_scan scan = http_scan(in, true, &s->mark[DIS_TO_CLIENT]);
	if (scan.status == DIS_DONE)
		return take_reply(s, bytes_slice(in, 0, scan.n), scan.first, sink);
	return scan.status == DIS_MORE ? more(in.n + 1) : refuse(scan.status, scan.why);
}

/* ---------------------------------------------------------------- server: unasked */

/* A server that waited in vain says so and closes. Nothing of the client proves the protocol, so
 * this must be the whole of it: a head that announces the end, a short body of known length, and
 * nothing behind. */
static struct dis_result feed_unasked(struct http_state *s, struct bytes in,
				      const struct dis_sink *sink)
{
	static const char version[] = "HTTP/1.";
	static const char why[] = "the server speaks first";
	const size_t n = in.n < strlen(version) ? in.n : strlen(version);
	if (memcmp(in.p, version, n) != 0)
		return refuse(DIS_NOT_MINE, why);
	if (in.n < HTTP_STATUS_END)
		return more(HTTP_STATUS_END);
	if (!is_farewell_status(bytes_slice(in, HTTP_STATUS_END - 3, 3)))
		return refuse(DIS_NOT_MINE, why);
	struct http_mark mark = {0}; /* nothing may be remembered before the claim */
	const struct bytes most = bytes_slice(in, 0, HTTP_UNASKED_HEAD_MAX);
	const struct http_scan scan = http_scan(most, true, &mark);
	if (scan.status == DIS_MORE && most.n < HTTP_UNASKED_HEAD_MAX)
		return more(in.n + 1);
	struct http_reply r;
	if (scan.status != DIS_DONE || parse_reply(bytes_slice(in, 0, scan.n), scan.first, &r) ||
	    !is_farewell(&r) || r.fields.length > HTTP_UNASKED_BODY_MAX)
		return refuse(DIS_NOT_MINE, why);
	s->is_claimed = 1;
	s->phase[DIS_TO_CLIENT] = PHASE_OVER;
	http_emit(sink, DIS_CLAIM);
	http_emit_reply(&r, sink);
	return done(scan.n, r.fields.length);
}

/* ---------------------------------------------------------------- the dissector */

static struct dis_result http_feed(void *state, uint8_t ip_proto, enum dis_dir dir, struct bytes in,
				   const struct dis_sink *sink)
{
	struct http_state *s = state;
	(void)ip_proto; /* TCP is the only one offered */
	if (in.n == 0 || !in.p)
		return more(1);
	if (dir == DIS_TO_CLIENT && !s->is_claimed)
		return feed_unasked(s, in, sink);
	switch ((enum phase)s->phase[dir]) {
	case PHASE_START:
		return dir == DIS_TO_SERVER ? feed_start(s, in, sink) : feed_reply(s, in, sink);
	case PHASE_CHUNK:
	case PHASE_NEXT:
		return feed_chunk_line(s, dir, in);
	case PHASE_TRAILER:
		return feed_trailer(s, dir, in);
	case PHASE_OVER:
		return malformed("bytes behind a reply that ends the connection");
	case PHASE_CLOSE:
		break;
	}
	return done(in.n, 0);
}

/* Replies matter only where one may change the protocol; before the first head is whole that is
 * unknown. And to a client that does not wait for them: which is which must be known when one of
 * its requests is refused. And behind a farewell that nobody asked for. */
static bool http_needs_replies(const void *state)
{
	const struct http_state *s = state;
	const bool may_follow = !s->is_lost && (!s->has_reply || s->pipelines);
	return !s->has_request || s->is_switching || may_follow ||
	       s->phase[DIS_TO_CLIENT] == PHASE_OVER;
}

/* ---------------------------------------------------------------- refusal */

static enum dis_due http_due(const void *state)
{
	const struct http_state *s = state;
	const bool is_next = !s->is_lost && s->n_pending <= 1;
	return is_next && s->phase[DIS_TO_CLIENT] == PHASE_START ? DIS_DUE_NOTHING : DIS_DUE_FIRST;
}

/* Whether an earlier request still waits for its reply http_due says, where replies are shown. */
static size_t http_refuse(const void *state, uint8_t ip_proto, struct bytes unit, struct bytes why,
			  uint8_t *out)
{
	(void)state, (void)ip_proto; /* TCP is the only one offered */
	static const char head[] = "HTTP/1.1 403 Forbidden\r\n"
				   "Content-Type: text/plain\r\n"
				   "Cache-Control: no-store\r\n"
				   "Connection: close\r\n"
				   "Content-Length: ";
	const size_t body = why.n + 1; /* and the end of its line */
	const uint8_t length[] = {(uint8_t)('0' + body / 100), (uint8_t)('0' + body / 10 % 10),
				  (uint8_t)('0' + body % 10)};
	const size_t zeros = body < 10 ? 2 : body < 100;
	size_t n = bytes_put(out, 0, bytes_str(head));
	n = bytes_put(out, n, bytes_from(bytes_of(length, sizeof(length)), zeros));
	n = bytes_put(out, n, bytes_str("\r\n\r\n"));
	if (bytes_is(bytes_slice(unit, 0, 5), "HEAD "))
		return n;
	return bytes_put(out, bytes_put(out, n, why), bytes_str("\n"));
}

/* ---------------------------------------------------------------- sentences of policy tests */

struct text {
	uint8_t p[HTTP_LINE_MAX];
	size_t n;
	bool is_full;
};

static void text_add(struct text *t, struct bytes b)
{
	if (b.n > sizeof t->p - t->n) {
		t->is_full = true;
		return;
	}
	if (b.n)
		memcpy(t->p + t->n, b.p, b.n);
	t->n += b.n;
}

static void text_line(struct text *t, const char *name, struct bytes value)
{
	text_add(t, bytes_str(name));
	text_add(t, value);
	text_add(t, bytes_str("\r\n"));
}

/* Writes the request that the sentence means and reads it as if it came from the network. */
static bool http_say(struct bytes text, const struct dis_sink *sink)
{
	struct http_sentence s;
	if (!http_read_sentence(text, &s))
		return false;
	const struct bytes method = s.method, target = s.target;
	struct text head;
	head.n = 0;
	head.is_full = false;
	text_add(&head, method);
	text_add(&head, bytes_str(" "));
	text_add(&head, target);
	text_line(&head, " ", s.version.n ? s.version : bytes_str("HTTP/1.1"));
	const size_t first = head.n;
	text_line(&head, "Host: ", s.host.n || !bytes_is(method, "CONNECT") ? s.host : target);
	if (s.type.n)
		text_line(&head, "Content-Type: ", s.type);
	if (s.agent.n)
		text_line(&head, "User-Agent: ", s.agent);
	if (s.upgrade.n)
		text_line(&head, "Upgrade: ", s.upgrade);
	text_line(&head, "", (struct bytes){0});
	struct http_request r;
	struct http_mark mark = {0};
	const struct bytes all = bytes_of(head.p, head.n);
	if (head.is_full || http_scan(all, true, &mark).n != all.n || parse_request(all, first, &r))
		return false;
	http_emit_request(&r, sink);
	return true;
}

const struct dissector http_dissector;
const struct dissector http_dissector = {
	.name = "http",
	.object = "http",
	.ip_protos = {6},
	.state_size = sizeof(struct http_state),
	.max_unit = DIS_UNIT_MAX,
	.fields = http_event_fields,
	.n_fields = HTTP_N_FIELDS,
	.feed = http_feed,
	.needs_replies = http_needs_replies,
	.due = http_due,
	.refuse = http_refuse,
	.say = http_say,
};
