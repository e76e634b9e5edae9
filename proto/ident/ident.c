/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From proofs to a dissector. The first side that proves the protocol claims the connection; when
 * the other side has proven it too, or has nothing to prove it by, the rest is opaque:
 *
 *	nobody --first side proves--> claimed --other side proves--> stopped
 *	                                      --other side cannot--> malformed
 *
 * With the claim comes a fact about the connection that has no values: it lets what was said pass
 * and keeps the verdict open until the other side has spoken. Whatever the proven side says until
 * then passes: it is what it said it is.
 *
 * A protocol that may turn to TLS is read on, unit by unit, until it has turned or no longer can:
 *
 *	CLEAR --client asks--> ASKED --server agrees--> AGREED --client's hello--> stopped: tls
 *	  ^                      '---server declines--.
 *	  '-------------------------------------------'
 *	CLEAR --login, content--> LEFT: as above, stopped: unread
 *
 * What must stay true: between the question and the end of the hello not one more byte passes, of
 * either side (what was injected there: CVE-2011-0411 and its kin).
 */
#include "ident/ident.h"

#include "tls/tls_inside.h"
#include "tls/tls_ja4.h"

enum { F_OPAQUE, F_SNI, F_JA4 };

const struct dis_field ident_fields[IDENT_N_FIELDS_TLS] = {
	[F_OPAQUE] = {.name = "opaque"},
	[F_SNI] = {.name = "sni"},
	[F_JA4] = {.name = "ja4"},
};

/* ---------------------------------------------------------------- the conversation */

static struct dis_result refuse(const struct ident_state *st, const char *why)
{
	return (struct dis_result){.status = st->is_claimed ? DIS_MALFORMED : DIS_NOT_MINE,
				   .why = why};
}

static void emit_opaque(const struct dis_sink *sink)
{
	const struct dis_value v = {.field = F_OPAQUE, .text = bytes_str("unread")};
	const struct dis_event e = {.kind = DIS_OPAQUE, .values = &v, .n_values = 1};
	sink->event(sink->ctx, &e);
}

static struct dis_result prove(struct ident_state *st, enum dis_dir dir, bool is_last, size_t n,
			       const struct dis_sink *sink)
{
	if (!st->is_claimed)
		sink->event(sink->ctx, &(struct dis_event){.kind = DIS_CLAIM});
	if (is_last)
		emit_opaque(sink);
	else if (!st->is_claimed)
		sink->event(sink->ctx, &(struct dis_event){.kind = DIS_SESSION});
	st->is_claimed = st->is_proven[dir] = 1;
	return (struct dis_result){.status = is_last ? DIS_STOPPED : DIS_DONE, .consumed = n};
}

static bool may_speak(const struct ident *id, const struct ident_state *st, enum dis_dir dir)
{
	if (st->is_claimed || id->opener == IDENT_EITHER)
		return true;
	return id->opener == (dir == DIS_TO_SERVER ? IDENT_CLIENT : IDENT_SERVER);
}

/* ---------------------------------------------------------------- on the way to TLS */

static bool may_greet(const struct ident_talk *t, enum dis_dir dir, struct bytes in)
{
	return dir == DIS_TO_SERVER &&
	       (t->phase == IDENT_AGREED || (t->phase == IDENT_MAY && in.p[0] == TLS_HANDSHAKE));
}

static struct dis_result take_hello(struct bytes in, const struct dis_sink *sink)
{
	struct tls_client_hello hello;
	char ja4[TLS_JA4_SIZE];
	struct dis_result r = tls_read_inside(in, &hello);
	if (r.status != DIS_DONE)
		return r;
	tls_put_ja4(&hello, TLS_OVER_TCP, ja4);
	struct dis_value v[IDENT_N_FIELDS_TLS] = {{.field = F_OPAQUE, .text = bytes_str("tls")}};
	size_t n = 1;
	if (hello.sni_n)
		v[n++] = (struct dis_value){.field = F_SNI,
					    .text = bytes_of(hello.sni, hello.sni_n)};
	v[n++] = (struct dis_value){.field = F_JA4, .text = bytes_of(ja4, sizeof ja4)};
	const struct dis_event e = {.kind = DIS_OPAQUE, .values = v, .n_values = n};
	sink->event(sink->ctx, &e);
	r.status = DIS_STOPPED;
	return r;
}

/* What nobody may say now, whatever it is. */
static const char *out_of_turn(const struct ident_talk *t, enum dis_dir dir)
{
	if (t->phase == IDENT_ASKED && dir == DIS_TO_SERVER)
		return "bytes behind the request for tls";
	return t->phase == IDENT_AGREED ? "bytes behind the answer to a request for tls" : NULL;
}

static struct dis_result incomplete(const struct ident_state *st, const struct reader *r)
{
	if (!r->bad && r->in.n + r->missing <= IDENT_TALK_MAX)
		return (struct dis_result){.status = DIS_MORE, .want = r->in.n + r->missing};
	if (!r->bad && st->is_claimed)
		return (struct dis_result){.status = DIS_LIMIT, .why = "a line without an end"};
	return refuse(st, "not what this protocol says here");
}

static struct dis_result take_unit(const struct ident *id, struct ident_state *st, enum dis_dir dir,
				   struct bytes in, const struct dis_sink *sink)
{
	struct ident_talk talk = st->talk;
	struct reader r = reader_of(bytes_slice(in, 0, IDENT_TALK_MAX));
	const char *why = out_of_turn(&talk, dir);
	if (why)
		return refuse(st, why);
	const uint64_t skip = id->unit[dir](&talk, &r);
	if (!reader_ok(&r))
		return incomplete(st, &r);
	st->talk = talk;
	struct dis_result result =
		prove(st, dir, talk.phase == IDENT_LEFT && st->is_proven[!dir], r.pos, sink);
	result.skip = result.status == DIS_DONE ? skip : 0;
	return result;
}

/* ---------------------------------------------------------------- one call */

/* DIS_DONE: this side has shown what it is. */
static struct dis_result ask_proof(const struct ident_state *st, ident_proof *proof, bool is_stream,
				   struct bytes in)
{
	struct reader r = reader_of(is_stream ? bytes_slice(in, 0, IDENT_UNIT_MAX) : in);
	proof(&r);
	if (!r.bad && r.missing && is_stream && in.n + r.missing <= IDENT_UNIT_MAX)
		return (struct dis_result){.status = DIS_MORE, .want = in.n + r.missing};
	if (!reader_ok(&r))
		return refuse(st, st->is_claimed ? "no answer of this protocol" : "not this one");
	return (struct dis_result){.status = DIS_DONE};
}

struct dis_result ident_feed(const struct ident *id, struct ident_state *st, uint8_t ip_proto,
			     enum dis_dir dir, struct bytes in, const struct dis_sink *sink)
{
	ident_proof *const *proofs = ip_proto == IDENT_UDP ? id->udp : id->tcp;
	const bool is_stream = ip_proto == IDENT_TCP;
	const bool has_units = is_stream && id->unit[dir] && st->talk.phase != IDENT_LEFT;
	if (in.n == 0 || !may_speak(id, st, dir) || (!st->is_claimed && !proofs[dir]))
		return refuse(st, "the other side speaks first");
	if (may_greet(&st->talk, dir, in))
		return take_hello(in, sink);
	if (!st->is_proven[dir] && proofs[dir]) {
		const struct dis_result r = ask_proof(st, proofs[dir], is_stream, in);
		if (r.status != DIS_DONE)
			return r;
	}
	if (has_units)
		return take_unit(id, st, dir, in, sink);
	if (st->is_proven[dir])
		return (struct dis_result){.status = DIS_DONE, .consumed = in.n};
	return prove(st, dir, st->is_proven[!dir] || !proofs[!dir], in.n, sink);
}

/* ---------------------------------------------------------------- bytes */

void ident_check(struct reader *r, bool holds)
{
	if (!holds)
		read_fail(r);
}

void ident_bytes(struct reader *r, struct bytes literal)
{
	const struct bytes there = bytes_slice(r->in, r->pos, literal.n);
	ident_check(r, bytes_equal(there, bytes_slice(literal, 0, there.n)));
	read_skip(r, literal.n);
}

void ident_begins(struct reader *r, const char *const *forms)
{
	size_t least = SIZE_MAX;
	for (; *forms; forms++) {
		const struct bytes form = bytes_str(*forms);
		const struct bytes there = bytes_slice(r->in, r->pos, form.n);
		if (!bytes_equal(there, bytes_slice(form, 0, there.n)))
			continue;
		least = form.n < least ? form.n : least;
		if (there.n == form.n)
			break;
	}
	ident_check(r, least != SIZE_MAX);
	read_skip(r, least);
}

uint8_t ident_one_of(struct reader *r, struct bytes set)
{
	const uint8_t c = read_u8(r);
	ident_check(r, bytes_find(set, c) < set.n);
	return c;
}

uint8_t ident_u8(struct reader *r, uint8_t low, uint8_t high)
{
	const uint8_t v = read_u8(r);
	ident_check(r, v >= low && v <= high);
	return v;
}

uint32_t ident_u16(struct reader *r, uint32_t low, uint32_t high)
{
	const uint32_t v = read_u16be(r);
	ident_check(r, v >= low && v <= high);
	return v;
}

uint32_t ident_u32(struct reader *r, uint32_t low, uint32_t high)
{
	const uint32_t v = read_u32be(r);
	ident_check(r, v >= low && v <= high);
	return v;
}

void ident_zeroes(struct reader *r, size_t n)
{
	const struct bytes there = bytes_slice(r->in, r->pos, n);
	for (size_t i = 0; i < there.n; i++)
		ident_check(r, there.p[i] == 0);
	read_skip(r, n);
}

void ident_end(struct reader *r)
{
	ident_check(r, reader_left(r) == 0);
}

/* ---------------------------------------------------------------- text */

struct bytes ident_visible(struct reader *r, size_t n)
{
	const struct bytes there = bytes_slice(r->in, r->pos, n);
	for (size_t i = 0; i < there.n; i++)
		ident_check(r, there.p[i] >= ' ' && there.p[i] <= '~');
	return read_bytes(r, n);
}

static bool is_text(uint8_t c)
{
	return (c >= ' ' && c != 0x7f) || c == '\t';
}

struct bytes ident_line(struct reader *r)
{
	const struct bytes rest = bytes_slice(r->in, r->pos, IDENT_LINE_MAX);
	const size_t n = bytes_find(rest, '\n');
	const bool has_cr = n > 0 && rest.p[n - 1] == '\r';
	for (size_t i = 0; i + has_cr < n; i++)
		ident_check(r, is_text(rest.p[i]));
	ident_check(r, n < IDENT_LINE_MAX);
	return bytes_slice(read_until(r, '\n'), 0, n - has_cr);
}

struct bytes ident_client_line(struct reader *r)
{
	const struct bytes line = read_until(r, '\n');
	const size_t n = line.n ? line.n - 1 : 0;
	ident_check(r, line.n > 0 && line.p[n] == '\r');
	for (size_t i = 0; i < n; i++)
		ident_check(r, is_text(line.p[i]));
	return bytes_slice(line, 0, n);
}

struct bytes ident_server_line(struct reader *r)
{
	const struct bytes line = read_until(r, '\n');
	return bytes_slice(line, 0, line.n - (line.n && line.p[line.n - 1] == '\r'));
}

static bool is_letter(uint8_t c)
{
	return byte_lower(c) >= 'a' && byte_lower(c) <= 'z';
}

struct bytes ident_word(struct reader *r, size_t max)
{
	const struct bytes rest = bytes_slice(r->in, r->pos, max + 1);
	size_t n = 0;
	while (n < rest.n && is_letter(rest.p[n]))
		n++;
	if (n == rest.n && n <= max) {
		read_skip(r, n + 1); /* the byte that ends it is missing */
		return bytes_slice(rest, 0, 0);
	}
	ident_check(r, n > 0 && n <= max);
	return read_bytes(r, n);
}

bool ident_has(const char *row, struct bytes word)
{
	while (*row) {
		const size_t n = bytes_find(bytes_str(row), ' ');
		if (bytes_equal_nocase(bytes_of(row, n), word))
			return true;
		row += n + (row[n] == ' ');
	}
	return false;
}

bool ident_finds(struct bytes text, const char *needle)
{
	const size_t n = strlen(needle);
	for (size_t i = 0; i + n <= text.n; i++)
		if (bytes_is_nocase(bytes_slice(text, i, n), needle))
			return true;
	return false;
}

/* ---------------------------------------------------------------- BER */

enum { BER_LENGTH_MAX = 1 << 24 }; /* of what is recognised here; a datagram is far shorter */

static size_t ber_length(struct reader *r)
{
	const uint8_t first = read_u8(r);
	if (first < 0x80)
		return first;
	ident_check(r, first >= 0x81 && first <= 0x84);
	const uint64_t n = read_be(r, first & 7);
	ident_check(r, n <= BER_LENGTH_MAX);
	return (size_t)n;
}

size_t ident_ber(struct reader *r, uint8_t tag)
{
	ident_check(r, read_u8(r) == tag);
	return ber_length(r);
}

size_t ident_ber_any(struct reader *r, uint8_t *tag)
{
	*tag = read_u8(r);
	return ber_length(r);
}

uint64_t ident_ber_number(struct reader *r, uint8_t tag)
{
	const size_t n = ident_ber(r, tag);
	ident_check(r, n >= 1 && n <= 5);
	const struct bytes digits = read_bytes(r, reader_ok(r) ? n : 0);
	uint64_t v = 0;
	for (size_t i = 0; i < digits.n; i++)
		v = v << 8 | digits.p[i];
	ident_check(r, digits.n == 0 || digits.p[0] < 0x80);
	return v;
}
