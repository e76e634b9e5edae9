/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HTTP/2 in the clear with prior knowledge (RFC 9113), both directions.
 *
 *	client: preface, SETTINGS, frames ...		server: SETTINGS, frames ...
 *
 * A unit is one frame, or a header block: HEADERS with all its CONTINUATION frames. Payload of DATA
 * is skipped, never seen. A request is judged at its header block; the fields are http's, so that
 * rules for http judge both.
 *
 * What must stay true:
 *  - The header tables are those of the endpoints (hpack.h). So blocks are read in order and all
 *    of them, those of streams that nobody reads any more too, and settings that would let a table
 *    grow beyond ours are edited.
 *  - What a stream carries is told apart by its number alone, so nothing passes on a stream that
 *    was not opened by a request that was judged.
 *  - The last byte of each of the server's frames is shown to us, so that we know whether words of
 *    ours would stand between frames.
 */
#include "http2_fields.h"
#include "http2_state.h"
#include "http2_words.h"

enum {
	FRAME_LENGTH_MAX = 16 * 1024,  /* until the receiver announces more */
	BLOCK_MAX = 60 * 1024,	       /* the unit of a header block; below DIS_UNIT_MAX */
	PIECES_MAX = 9,		       /* HEADERS and eight CONTINUATIONs, as nghttp2 takes */
	SETTINGS_LENGTH_MAX = 6 * 128, /* there are less than twenty kinds */
	WINDOW = 65535,		       /* of the connection and of streams, at first */
	PREFACE_PROOF = 16,	       /* "PRI * HTTP/2.0\r\n" is nobody else's */
	NOT_ANNOUNCED = UINT16_MAX,
};

#define WINDOW_MAX  INT64_C(0x7fffffff)
#define STREAM_BITS UINT32_C(0x7fffffff)

enum setting {
	SETTING_TABLE_SIZE = 1,
	SETTING_PUSH = 2,
	SETTING_STREAMS = 3,
	SETTING_WINDOW = 4,
	SETTING_FRAME_SIZE = 5,
	SETTING_CONNECT = 8,
};

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/* One call. */
struct turn {
	struct http2_state *s;
	enum dis_dir dir;
	struct bytes in;
	struct frame frame;
	const struct dis_sink *sink;
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

static struct dis_result limit(const char *why)
{
	return refuse(DIS_LIMIT, why);
}

static struct dis_result more(size_t want)
{
	return (struct dis_result){.status = DIS_MORE, .want = want};
}

static struct dis_result done(size_t consumed, uint64_t skip)
{
	return (struct dis_result){.status = DIS_DONE, .consumed = consumed, .skip = skip};
}

/* The frame is read up to `read`; the rest is skipped, of the server's all but its last byte. */
static struct dis_result skip_rest(const struct turn *t, size_t read)
{
	const uint64_t rest = FRAME_HEAD + (uint64_t)t->frame.length - read;
	t->s->has_tail = t->dir == DIS_TO_CLIENT && rest > 0 ? true : t->s->has_tail;
	return done(read, t->dir == DIS_TO_CLIENT && rest > 0 ? rest - 1 : rest);
}

static struct dis_result whole_frame(const struct turn *t)
{
	return done(FRAME_HEAD + t->frame.length, 0);
}

/* ---------------------------------------------------------------- frames */

/* A stream that was opened, by the client, or by a promise of the server, now or before. */
static bool is_known_stream(const struct turn *t)
{
	const uint32_t id = t->frame.stream;
	return id > 0 && id <= (id & 1 ? t->s->last_id : t->s->last_push);
}

static enum dis_dir other(enum dis_dir dir)
{
	return dir == DIS_TO_SERVER ? DIS_TO_CLIENT : DIS_TO_SERVER;
}

static uint8_t ended_by(enum dis_dir dir)
{
	return dir == DIS_TO_SERVER ? STREAM_CLIENT_ENDED : STREAM_SERVER_ENDED;
}

/* ---------------------------------------------------------------- the begin */

static void begin(struct http2_state *s)
{
	s->is_claimed = true;
	s->window = WINDOW;
	s->room = WINDOW;
	for (size_t i = 0; i < 2; i++) {
		s->side[i].frame_max = FRAME_LENGTH_MAX;
		hpack_init(&s->side[i].table);
	}
}

static struct dis_result feed_preface(struct http2_state *s, struct bytes in,
				      const struct dis_sink *sink)
{
	const size_t length = strlen(preface), n = in.n < length ? in.n : length;
	const bool fits = memcmp(in.p, preface, n) == 0;
	const bool is_proven = in.n >= PREFACE_PROOF && memcmp(in.p, preface, PREFACE_PROOF) == 0;
	if (!s->is_claimed && !is_proven)
		return fits ? more(PREFACE_PROOF) : refuse(DIS_NOT_MINE, "no http/2 preface");
	if (!s->is_claimed) {
		begin(s);
		http_emit(sink, DIS_CLAIM);
	}
	if (!fits)
		return malformed("a preface that does not end as it must");
	if (in.n < length)
		return more(length);
	s->has_preface = true;
	return done(length, 0);
}

/* A server may announce its settings before it has read anything (RFC 9113 section 3.4). What
 * begins otherwise is another protocol; what begins so is shown again behind the preface. */
static struct dis_result feed_early(struct bytes in)
{
	static const uint8_t rest[] = {FRAME_SETTINGS, 0, 0, 0, 0, 0};
	const struct bytes length = bytes_slice(in, 0, 3), head = bytes_slice(in, 3, sizeof rest);
	const bool is_short =
		length.p[0] == 0 && (length.n < 2 || length.p[1] <= SETTINGS_LENGTH_MAX >> 8);
	const bool is_whole = length.n < 3 || (length.p[1] << 8 | length.p[2]) % 6 == 0;
	if (!is_short || !is_whole || (head.n && memcmp(head.p, rest, head.n) != 0) ||
	    in.n >= DIS_UNIT_MAX)
		return refuse(DIS_NOT_MINE, "the server speaks first");
	return more(in.n + 1);
}

/* ---------------------------------------------------------------- SETTINGS */

static void edit_setting(const struct turn *t, size_t at, uint32_t value)
{
	const uint8_t text[] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16),
				(uint8_t)(value >> 8), (uint8_t)value};
	t->sink->edit(t->sink->ctx, at, bytes_of(text, sizeof text));
}

static const char *check_setting(const struct turn *t, uint32_t name, uint32_t value)
{
	switch (name) {
	case SETTING_PUSH:
		return value > 1 || (value && t->dir == DIS_TO_CLIENT) ? "a bad setting of push"
								       : NULL;
	case SETTING_WINDOW:
		return value > WINDOW_MAX ? "a window out of range" : NULL;
	case SETTING_FRAME_SIZE:
		return value < FRAME_LENGTH_MAX || value > 0xffffff ? "a frame size out of range"
								    : NULL;
	case SETTING_CONNECT:
		return value > 1 || (!value && t->dir == DIS_TO_CLIENT && t->s->takes_protocols)
			       ? "a bad setting of extended CONNECT"
			       : NULL;
	}
	return NULL;
}

/* One setting that is right, with its value at `at` of the frame. What we cannot follow is edited:
 * tables larger than ours, more streams than we know. */
static void take_setting(const struct turn *t, uint32_t name, uint32_t value, size_t at,
			 struct announced *size)
{
	struct http2_state *s = t->s;
	switch (name) {
	case SETTING_TABLE_SIZE:
		if (value > HPACK_TABLE_MAX)
			edit_setting(t, at, HPACK_TABLE_MAX);
		size->last = value > HPACK_TABLE_MAX ? HPACK_TABLE_MAX : (uint16_t)value;
		size->least = size->last < size->least ? size->last : size->least;
		break;
	case SETTING_PUSH:
		/* Said later, it may cross a promise that is on its way. */
		if (t->dir == DIS_TO_SERVER)
			s->takes_no_push = !value && (s->takes_no_push || s->last_id == 0);
		break;
	case SETTING_STREAMS:
		if (value > HTTP2_STREAMS_MAX && t->dir == DIS_TO_CLIENT)
			edit_setting(t, at, HTTP2_STREAMS_MAX);
		break;
	case SETTING_WINDOW:
		if (t->dir == DIS_TO_SERVER)
			s->window = value;
		break;
	case SETTING_FRAME_SIZE:
		if (value > s->side[t->dir].frame_max)
			s->side[t->dir].frame_max = value;
		break;
	case SETTING_CONNECT:
		if (t->dir == DIS_TO_CLIENT)
			s->takes_protocols = value;
		break;
	}
}

static const char *check_settings(const struct turn *t)
{
	struct reader r = reader_of(bytes_slice(t->in, FRAME_HEAD, t->frame.length));
	while (reader_left(&r) > 0) {
		const uint32_t name = read_u16be(&r), value = read_u32be(&r);
		const char *why = check_setting(t, name, value);
		if (why)
			return why;
	}
	return NULL;
}

/* The oldest of what `dir`'s receiver announced holds for its blocks from here on. */
static void acknowledge(struct http2_state *s, enum dis_dir dir)
{
	struct side *peer = &s->side[other(dir)];
	const struct announced size = peer->sizes[0];
	if (size.last != NOT_ANNOUNCED) {
		hpack_set_limit(&s->side[dir].table, size.least);
		hpack_set_limit(&s->side[dir].table, size.last);
	}
	peer->n_unacknowledged--;
	memmove(peer->sizes, peer->sizes + 1, peer->n_unacknowledged * sizeof *peer->sizes);
}

static struct dis_result take_settings(const struct turn *t)
{
	struct side *own = &t->s->side[t->dir], *peer = &t->s->side[other(t->dir)];
	if (own->n_unacknowledged == UNACKNOWLEDGED_MAX)
		return limit("more settings than were acknowledged");
	const char *why = check_settings(t);
	if (why)
		return malformed(why);
	struct announced size = {NOT_ANNOUNCED, NOT_ANNOUNCED};
	struct reader r = reader_of(bytes_slice(t->in, FRAME_HEAD, t->frame.length));
	while (reader_left(&r) > 0) {
		const uint32_t name = read_u16be(&r), value = read_u32be(&r);
		take_setting(t, name, value, FRAME_HEAD + r.pos - 4, &size);
	}
	own->sizes[own->n_unacknowledged++] = size;
	own->has_settings = true;
	if (peer->n_early > 0) {
		peer->n_early--;
		acknowledge(t->s, other(t->dir));
	}
	return whole_frame(t);
}

static struct dis_result take_acknowledgement(const struct turn *t)
{
	struct side *own = &t->s->side[t->dir], *peer = &t->s->side[other(t->dir)];
	if (t->frame.length > 0)
		return malformed("an acknowledgement with settings");
	const bool is_early = peer->n_unacknowledged == 0 && !peer->has_settings;
	if (peer->n_unacknowledged == 0 && (!is_early || own->n_early == UNACKNOWLEDGED_MAX))
		return malformed("an acknowledgement of no settings");
	if (is_early)
		own->n_early++;
	else
		acknowledge(t->s, t->dir);
	return whole_frame(t);
}

static struct dis_result feed_settings(const struct turn *t)
{
	if (t->frame.stream)
		return malformed("settings of a stream");
	if (t->frame.flags & FLAG_ACK)
		return take_acknowledgement(t);
	if (t->frame.length % 6)
		return malformed("settings of a wrong length");
	if (t->frame.length > SETTINGS_LENGTH_MAX)
		return limit("more settings than there are");
	if (t->in.n < FRAME_HEAD + t->frame.length)
		return more(FRAME_HEAD + t->frame.length);
	return take_settings(t);
}

/* ---------------------------------------------------------------- header blocks */

/* The frames of one block; pieces are what they carry of it. */
struct block {
	size_t unit, n, size;
	uint32_t promised; /* the stream, of PUSH_PROMISE */
	struct bytes piece[PIECES_MAX];
};

/* The same for PUSH_PROMISE. */
static const char *cut_promise(const struct frame *f, struct bytes payload, uint32_t *promised,
			       struct bytes *out)
{
	struct reader r = reader_of(payload);
	const size_t padding = f->flags & FLAG_PADDED ? read_u8(&r) : 0;
	*promised = read_u32be(&r);
	if (!reader_ok(&r) || padding > reader_left(&r))
		return "padding longer than the frame";
	*out = bytes_slice(payload, r.pos, reader_left(&r) - padding);
	return NULL;
}

/* The part of a HEADERS frame's payload that is of the block. NULL: why it has none. */
static const char *cut_headers(const struct frame *f, struct bytes payload, struct bytes *out)
{
	struct reader r = reader_of(payload);
	const size_t padding = f->flags & FLAG_PADDED ? read_u8(&r) : 0;
	const uint32_t depends = f->flags & FLAG_PRIORITY ? read_u32be(&r) : 0;
	if (f->flags & FLAG_PRIORITY)
		read_skip(&r, 1);
	if (!reader_ok(&r) || padding > reader_left(&r))
		return "padding or priority longer than the frame";
	if (f->flags & FLAG_PRIORITY && (depends & STREAM_BITS) == f->stream)
		return "a stream that depends on itself";
	*out = bytes_slice(payload, r.pos, reader_left(&r) - padding);
	return NULL;
}

/* The next frame must go on with the block that `first` began. */
static const char *check_continuation(const struct turn *t, const struct frame *f)
{
	if (f->type != FRAME_CONTINUATION || f->stream != t->frame.stream)
		return "a header block that is interrupted";
	return f->length > t->s->side[other(t->dir)].frame_max
		       ? "a frame longer than its receiver takes"
		       : NULL;
}

static void add_piece(struct block *b, struct bytes piece)
{
	b->piece[b->n++] = piece;
	b->size += piece.n;
}

/* DIS_DONE: all frames of the block are there. */
static struct dis_result gather(const struct turn *t, struct block *b)
{
	*b = (struct block){0};
	for (struct frame f = t->frame;; f = frame_at(bytes_from(t->in, b->unit))) {
		const char *why = b->n ? check_continuation(t, &f) : NULL;
		if (why)
			return malformed(why);
		const size_t end = b->unit + FRAME_HEAD + f.length;
		if (end > BLOCK_MAX)
			return limit("a header block too long");
		if (t->in.n < end)
			return more(f.flags & FLAG_END_HEADERS ? end : end + FRAME_HEAD);
		struct bytes piece = bytes_slice(t->in, b->unit + FRAME_HEAD, f.length);
		if (b->n == 0)
			why = f.type == FRAME_HEADERS
				      ? cut_headers(&f, piece, &piece)
				      : cut_promise(&f, piece, &b->promised, &piece);
		if (why)
			return malformed(why);
		add_piece(b, piece);
		b->unit = end;
		if (f.flags & FLAG_END_HEADERS)
			return done(end, 0);
		if (b->n == PIECES_MAX)
			return limit("a header block of too many frames");
		if (t->in.n < end + FRAME_HEAD)
			return more(end + FRAME_HEAD);
	}
}

/* In one row; room has BLOCK_MAX bytes. */
static struct bytes join(const struct block *b, uint8_t *room)
{
	size_t n = 0;
	if (b->n == 1)
		return b->piece[0];
	for (size_t i = 0; i < b->n; i++)
		n = bytes_put(room, n, b->piece[i]);
	return bytes_of(room, n);
}

/* What a block says. The list borrows from what is in here. */
struct reading {
	struct hpack_reader hpack;
	struct http2_list list;
	uint8_t room[BLOCK_MAX];
};

static struct dis_result read_list(const struct turn *t, const struct block *b,
				   enum http2_part part, struct reading *r)
{
	struct hpack_field field;
	hpack_begin(&r->hpack, &t->s->side[t->dir].table, join(b, r->room));
	r->list = (struct http2_list){.part = part};
	while (hpack_next(&r->hpack, &field)) {
		const char *why = http2_take(&r->list, &field);
		if (why)
			return malformed(why);
	}
	if (r->hpack.why)
		return refuse(r->hpack.is_limit ? DIS_LIMIT : DIS_MALFORMED, r->hpack.why);
	return done(b->unit, 0);
}

/* ---------------------------------------------------------------- the client's header blocks */

static uint64_t left_of(const struct http2_stream *s)
{
	return (uint64_t)s->left_high << 32 | s->left_low;
}

static void set_left(struct http2_stream *s, uint64_t left)
{
	s->left_high = (uint16_t)(left >> 32);
	s->left_low = (uint32_t)left;
}

static uint16_t flags_of(const struct http_request *r)
{
	uint16_t flags = 0;
	if (r->fields.has_length)
		flags |= STREAM_COUNTS;
	if (http_is_grpc(r))
		flags |= STREAM_GRPC;
	if (r->line.is_connect || r->fields.has_upgrade)
		flags |= STREAM_TUNNEL;
	if (bytes_is_nocase(r->fields.upgrade, "websocket"))
		flags |= STREAM_WEBSOCKET;
	if (bytes_is(r->line.method, "HEAD"))
		flags |= STREAM_HEAD;
	return flags;
}

static const char *check_request(const struct turn *t, const struct http_request *r)
{
	if (!r->has_host || r->host.n == 0)
		return "a request without a host";
	if (r->fields.has_upgrade && !t->s->takes_protocols)
		return "an extended CONNECT that the server did not offer";
	if (t->frame.flags & FLAG_END_STREAM && r->fields.length)
		return "a body shorter than its content-length";
	return NULL;
}

/* A path of many readings costs many times its length, and a repeated one is sent as one byte. */
static bool is_too_winding(const struct http2_list *list, const struct http_request *r)
{
	return list->is_repeated && r->line.path.n > HTTP2_WINDING_MAX &&
	       !http_path_is_plain(r->line.path);
}

/* `r` borrows from `reading`. */
static struct dis_result read_request(const struct turn *t, const struct block *b,
				      struct reading *reading, struct http_request *r)
{
	const struct dis_result result = read_list(t, b, HTTP2_REQUEST, reading);
	if (result.status != DIS_DONE)
		return result;
	const char *why = http2_request_of(&reading->list, r);
	if (!why)
		why = check_request(t, r);
	if (why)
		return malformed(why);
	return is_too_winding(&reading->list, r) ? limit("a long path of many readings, repeated")
						 : result;
}

static struct dis_result take_request(const struct turn *t, const struct block *b)
{
	struct reading reading;
	struct http_request r;
	const struct dis_result result = read_request(t, b, &reading, &r);
	if (result.status != DIS_DONE)
		return result;
	if (r.fields.length > HTTP2_LEFT_MAX)
		return limit("a body too long to be counted");
	struct http2_stream *stream = streams_add(&t->s->streams, t->frame.stream);
	if (!stream)
		return limit("more streams under way than can be followed");
	r.stream = t->s->last_id = t->frame.stream;
	set_left(stream, r.fields.length);
	streams_mark(&t->s->streams, stream, flags_of(&r));
	if (t->frame.flags & FLAG_END_STREAM)
		streams_mark(&t->s->streams, stream, STREAM_CLIENT_ENDED);
	http_emit_request(&r, t->sink);
	return result;
}

static const char *check_trailer(const struct turn *t, const struct http2_stream *stream)
{
	if (!(t->frame.flags & FLAG_END_STREAM))
		return "a trailer that does not end its stream";
	if (stream && stream->flags & STREAM_CLIENT_ENDED)
		return "fields on a stream that its client has ended";
	if (!stream && !t->s->streams.has_forgotten)
		return "fields on a stream that is closed";
	if (stream && stream->flags & STREAM_COUNTS && left_of(stream))
		return "a body shorter than its content-length";
	return NULL;
}

static struct dis_result take_trailer(const struct turn *t, const struct block *b)
{
	struct reading reading;
	struct http2_stream *stream = streams_find(&t->s->streams, t->frame.stream);
	const char *why = check_trailer(t, stream);
	if (why)
		return malformed(why);
	const struct dis_result result = read_list(t, b, HTTP2_TRAILER, &reading);
	if (stream && result.status == DIS_DONE)
		streams_mark(&t->s->streams, stream, STREAM_CLIENT_ENDED);
	return result;
}

/* ---------------------------------------------------------------- the server's header blocks */

/* The stream is a tunnel from here on; the others go on as they were. */
static void open_tunnel(const struct turn *t, const struct http2_stream *stream)
{
	const bool is_websocket = stream->flags & STREAM_WEBSOCKET;
	http_emit_opaque(bytes_str(is_websocket ? "websocket" : "tunnel"), t->sink);
}

static const char *check_reply(const struct turn *t, const struct http2_stream *stream)
{
	if (!stream)
		return t->s->streams.has_forgotten ? NULL : "a reply that nobody asked for";
	if (stream->flags & STREAM_SERVER_ENDED)
		return stream->flags & STREAM_RESET
			       ? "fields on a stream that was reset"
			       : "fields on a stream that its server has ended";
	if (stream->flags & STREAM_REPLIED && !(t->frame.flags & FLAG_END_STREAM))
		return "a trailer that does not end its stream";
	return NULL;
}

static void end_reply(const struct turn *t, struct http2_stream *stream, bool is_final)
{
	uint16_t flags = is_final ? STREAM_REPLIED : 0;
	if (t->frame.flags & FLAG_END_STREAM)
		flags |= STREAM_SERVER_ENDED;
	streams_mark(&t->s->streams, stream, flags);
}

/* Not the last word of the call: an opaque event of one stream says nothing of the others, so the
 * reply comes behind it. */
static void emit_reply(const struct turn *t, const struct http2_stream *stream,
		       const struct http_reply *reply)
{
	const bool is_tunnel =
		stream->flags & STREAM_TUNNEL && reply->status.n && reply->status.p[0] == '2';
	if (is_tunnel)
		open_tunnel(t, stream);
	if (reply->status.n || reply->grpc_status.n)
		http_emit_reply(reply, t->sink);
}

static struct dis_result take_reply(const struct turn *t, const struct block *b)
{
	struct reading reading;
	struct http_reply reply;
	struct http2_stream *stream = streams_find(&t->s->streams, t->frame.stream);
	const char *why = check_reply(t, stream);
	if (why)
		return malformed(why);
	const bool is_trailer = stream && stream->flags & STREAM_REPLIED;
	const struct dis_result result =
		read_list(t, b, is_trailer ? HTTP2_REPLY_TRAILER : HTTP2_REPLY, &reading);
	if (result.status != DIS_DONE || !stream)
		return result;
	why = http2_reply_of(&reading.list, &reply);
	const bool is_interim = !why && !is_trailer && reply.status.p[0] == '1';
	if (is_interim && t->frame.flags & FLAG_END_STREAM)
		why = "an interim reply that ends its stream";
	if (why)
		return malformed(why);
	reply.stream = t->frame.stream;
	emit_reply(t, stream, &reply);
	end_reply(t, stream, !is_interim);
	return result;
}

/* ---------------------------------------------------------------- pushes */

static const char *check_promise(const struct turn *t, uint32_t id)
{
	const struct http2_stream *stream = streams_find(&t->s->streams, t->frame.stream);
	if (!(t->frame.stream & 1) || !is_known_stream(t))
		return "a push on a stream that nobody opened";
	if (!stream && !t->s->streams.has_forgotten)
		return "a push on a stream that is closed";
	if (stream && stream->flags & STREAM_SERVER_ENDED)
		return "a push on a stream that its server has ended";
	if (id > STREAM_BITS || id & 1 || id <= t->s->last_push)
		return "a push of a stream that is none of the server's, or not new";
	return NULL;
}

/* Nobody may push what changes anything (RFC 9113 section 8.4). */
static const char *check_pushed(const struct http_request *r)
{
	if (!bytes_is(r->line.method, "GET") && !bytes_is(r->line.method, "HEAD"))
		return "a push of another method than GET and HEAD";
	return r->fields.length ? "a push of a request with a body" : NULL;
}

/* Judged as if the client had asked: its reply comes to it all the same. */
static struct dis_result take_promise(const struct turn *t, const struct block *b)
{
	struct reading reading;
	struct http_request r;
	const struct dis_result result = read_request(t, b, &reading, &r);
	if (result.status != DIS_DONE)
		return result;
	const char *why = check_pushed(&r);
	if (why)
		return malformed(why);
	struct http2_stream *stream = streams_add(&t->s->streams, b->promised);
	if (!stream)
		return limit("more streams under way than can be followed");
	r.stream = t->s->last_push = b->promised;
	r.pushed_on = t->frame.stream;
	streams_mark(&t->s->streams, stream, flags_of(&r) | STREAM_CLIENT_ENDED);
	http_emit_request(&r, t->sink);
	return result;
}

static struct dis_result feed_promise(const struct turn *t)
{
	struct block block;
	if (t->dir == DIS_TO_SERVER || t->s->takes_no_push)
		return malformed("a push that its receiver does not take");
	const struct dis_result r = gather(t, &block);
	if (r.status != DIS_DONE)
		return r;
	const char *why = check_promise(t, block.promised);
	return why ? malformed(why) : take_promise(t, &block);
}

static struct dis_result feed_headers(const struct turn *t)
{
	struct block block;
	const bool is_client = t->dir == DIS_TO_SERVER, is_odd = t->frame.stream & 1;
	const bool is_new = is_client && t->frame.stream > t->s->last_id;
	if ((is_client && !is_odd) || (!is_new && !is_known_stream(t)))
		return malformed("fields on a stream that nobody opened");
	const struct dis_result r = gather(t, &block);
	if (r.status != DIS_DONE)
		return r;
	if (t->dir == DIS_TO_CLIENT)
		return take_reply(t, &block);
	return is_new ? take_request(t, &block) : take_trailer(t, &block);
}

/* ---------------------------------------------------------------- DATA */

/* n: without padding. */
static const char *count_body(const struct turn *t, struct http2_stream *stream, uint64_t n)
{
	const bool is_end = t->frame.flags & FLAG_END_STREAM;
	if (stream->flags & ended_by(t->dir))
		return "data on a stream that its sender has ended";
	if (t->dir == DIS_TO_CLIENT)
		return stream->flags & STREAM_REPLIED ? NULL : "data before a reply";
	if (stream->flags & STREAM_TUNNEL && !(stream->flags & STREAM_REPLIED))
		return "bytes behind a CONNECT that is not answered";
	if (!(stream->flags & STREAM_COUNTS))
		return NULL;
	if (n > left_of(stream))
		return "a body longer than its content-length";
	if (is_end && n < left_of(stream))
		return "a body shorter than its content-length";
	set_left(stream, left_of(stream) - n);
	return NULL;
}

static struct dis_result feed_data(const struct turn *t)
{
	const size_t read = FRAME_HEAD + (t->frame.flags & FLAG_PADDED ? 1 : 0);
	struct http2_stream *stream = streams_find(&t->s->streams, t->frame.stream);
	if (!is_known_stream(t))
		return malformed("data on a stream that nobody opened");
	if (!stream && !t->s->streams.has_forgotten)
		return malformed("data on a stream that is closed");
	if (FRAME_HEAD + t->frame.length < read)
		return malformed("padding longer than the frame");
	if (t->in.n < read)
		return more(read);
	const uint64_t padding = read > FRAME_HEAD ? t->in.p[FRAME_HEAD] : 0,
		       rest = FRAME_HEAD + t->frame.length - read;
	if (padding > rest)
		return malformed("padding longer than the frame");
	const char *why = stream ? count_body(t, stream, rest - padding) : NULL;
	if (why)
		return malformed(why);
	if (t->dir == DIS_TO_CLIENT)
		t->s->room -= t->frame.length;
	if (stream && t->frame.flags & FLAG_END_STREAM)
		streams_mark(&t->s->streams, stream, ended_by(t->dir));
	return skip_rest(t, read);
}

/* ---------------------------------------------------------------- the other frames */

static struct dis_result feed_reset(const struct turn *t)
{
	if (t->frame.length != 4)
		return malformed("a reset of a wrong length");
	if (!is_known_stream(t))
		return malformed("a reset of a stream that nobody opened");
	struct http2_stream *stream = streams_find(&t->s->streams, t->frame.stream);
	if (stream)
		streams_mark(&t->s->streams, stream, STREAM_RESET | ended_by(t->dir));
	return skip_rest(t, FRAME_HEAD);
}

static struct dis_result feed_window(const struct turn *t)
{
	if (t->frame.length != 4)
		return malformed("a window update of a wrong length");
	if (t->frame.stream && !is_known_stream(t))
		return malformed("a window of a stream that nobody opened");
	if (t->in.n < FRAME_HEAD + 4)
		return more(FRAME_HEAD + 4);
	struct reader r = reader_of(bytes_from(t->in, FRAME_HEAD));
	const uint32_t add = read_u32be(&r) & STREAM_BITS;
	if (add == 0)
		return malformed("a window update of nothing");
	if (t->dir == DIS_TO_CLIENT || t->frame.stream)
		return whole_frame(t);
	if (t->s->room + add > WINDOW_MAX)
		return malformed("a window out of range");
	t->s->room += add;
	return whole_frame(t);
}

/* Payload of a fixed or least length that says nothing to us. */
static struct dis_result feed_plain(const struct turn *t, bool is_right_length, bool is_of_stream)
{
	if (!is_right_length)
		return malformed("a frame of a wrong length");
	if (is_of_stream != (t->frame.stream != 0))
		return malformed(
			"a frame of a stream that belongs to none, or of none that needs one");
	return skip_rest(t, FRAME_HEAD);
}

static struct dis_result feed_frame(const struct turn *t)
{
	const uint32_t length = t->frame.length;
	switch (t->frame.type) {
	case FRAME_DATA:
		return feed_data(t);
	case FRAME_HEADERS:
		return feed_headers(t);
	case FRAME_PRIORITY:
		return feed_plain(t, length == 5, true);
	case FRAME_RST_STREAM:
		return feed_reset(t);
	case FRAME_SETTINGS:
		return feed_settings(t);
	case FRAME_PUSH_PROMISE:
		return feed_promise(t);
	case FRAME_PING:
		return feed_plain(t, length == 8, false);
	case FRAME_GOAWAY:
		return feed_plain(t, length >= 8, false);
	case FRAME_WINDOW_UPDATE:
		return feed_window(t);
	case FRAME_CONTINUATION:
		return malformed("a continuation of no header block");
	}
	return skip_rest(t, FRAME_HEAD); /* unknown types are ignored (RFC 9113 section 5.5) */
}

static struct dis_result feed_frames(struct turn *t)
{
	struct http2_state *s = t->s;
	if (t->dir == DIS_TO_CLIENT && s->has_tail) {
		s->has_tail = false;
		return done(1, 0);
	}
	if (t->in.n < FRAME_HEAD)
		return more(FRAME_HEAD);
	t->frame = frame_at(t->in);
	const bool is_settings = t->frame.type == FRAME_SETTINGS && !(t->frame.flags & FLAG_ACK);
	if (!s->side[t->dir].has_settings && !is_settings)
		return malformed("a first frame that announces no settings");
	if (t->frame.stream > STREAM_BITS)
		return malformed("a reserved bit that is set");
	if (t->frame.length > s->side[other(t->dir)].frame_max)
		return malformed("a frame longer than its receiver takes");
	return feed_frame(t);
}

/* ---------------------------------------------------------------- the dissector */

static struct dis_result http2_feed(void *state, uint8_t ip_proto, enum dis_dir dir,
				    struct bytes in, const struct dis_sink *sink)
{
	struct http2_state *s = state;
	(void)ip_proto; /* TCP is the only one offered */
	if (in.n == 0 || !in.p)
		return more(1);
	if (dir == DIS_TO_CLIENT && !s->is_claimed)
		return feed_early(in);
	if (dir == DIS_TO_SERVER && !s->has_preface)
		return feed_preface(s, in, sink);
	struct turn t = {.s = s, .dir = dir, .in = in, .sink = sink};
	const struct dis_result r = feed_frames(&t);
	if (dir == DIS_TO_CLIENT)
		s->is_partial = r.status == DIS_MORE;
	return r;
}

/* ---------------------------------------------------------------- sentences of policy tests */

static bool say_pseudo(struct http2_list *l, enum hpack_name name, struct bytes value)
{
	const struct hpack_field f = {.name = name, .value = value};
	return value.n == 0 || (!http2_check_value(value) && !http2_take(l, &f));
}

/* The fields that the sentence means, read as if they came from the network. */
static bool http2_say(struct bytes text, const struct dis_sink *sink)
{
	struct http_sentence s;
	struct http_request r;
	struct http2_list l = {.part = HTTP2_REQUEST};
	if (!http_read_sentence(text, &s) || (s.version.n && !bytes_is(s.version, "HTTP/2")))
		return false;
	const struct bytes nothing = {0};
	const bool is_tunnel = bytes_is(s.method, "CONNECT") && !s.upgrade.n;
	const bool is_read = say_pseudo(&l, HPACK_METHOD, s.method) &&
			     say_pseudo(&l, HPACK_SCHEME, bytes_str(is_tunnel ? "" : "http")) &&
			     say_pseudo(&l, HPACK_PATH, is_tunnel ? nothing : s.target) &&
			     say_pseudo(&l, HPACK_AUTHORITY, is_tunnel ? s.target : s.host) &&
			     say_pseudo(&l, HPACK_PROTOCOL, s.upgrade) &&
			     say_pseudo(&l, HPACK_TYPE, s.type) &&
			     say_pseudo(&l, HPACK_AGENT, s.agent);
	if (!is_read || http2_request_of(&l, &r))
		return false;
	http_emit_request(&r, sink);
	return true;
}

extern const struct dissector http_dissector;

const struct dissector http2_dissector;
const struct dissector http2_dissector = {
	.name = "http2",
	.object = "http",
	.ip_protos = {6},
	.state_size = sizeof(struct http2_state),
	.max_unit = DIS_UNIT_MAX,
	.variant_of = &http_dissector,
	.fields = http_event_fields,
	.n_fields = HTTP_N_FIELDS,
	.feed = http2_feed,
	.due = http2_due,
	.refuse = http2_refuse,
	.say = http2_say,
};
