/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An element is whole at its header, unless it is an aggregate or a bulk string; then what
 * surrounds it lacks one less, and may be whole too. An attribute stands before an element and
 * counts for none.
 */
#include "redis_reply.h"

enum { COUNT_DIGITS_MAX = 10 }; /* of a length or count up to 2^32 - 1 */

static struct redis_element fault(enum dis_status status, const char *why)
{
	return (struct redis_element){.status = status, .why = why};
}

static struct redis_element need(size_t want)
{
	return (struct redis_element){.status = DIS_MORE, .want = want};
}

/* An element is whole: so may be what surrounds it. */
static void complete(struct redis_reply *r)
{
	while (r->depth > 0 && --r->left[r->depth - 1] == 0) {
		r->depth--;
		if (r->attributes & 1u << r->depth)
			return;
	}
}

static struct redis_element read_tail(struct redis_reply *r, struct bytes in, size_t at)
{
	if (in.n - at < 2)
		return need(at + 2);
	if (in.p[at] != '\r' || in.p[at + 1] != '\n')
		return fault(DIS_MALFORMED, "a bulk string longer than its length");
	r->has_tail = 0;
	complete(r);
	return (struct redis_element){.status = DIS_DONE, .n = 2};
}

/* What the first bytes of a line give away before it ends: no type, or no number. */
static const char *check_begin(struct bytes rest)
{
	static const char texts[] = "+-:,(#_", numbers[] = "$=!*~%>|";
	if (rest.n == 0 || memchr(texts, rest.p[0], sizeof(texts) - 1))
		return NULL;
	if (!memchr(numbers, rest.p[0], sizeof(numbers) - 1))
		return "an answer of no known type";
	size_t n = 1 + (rest.n > 1 && rest.p[1] == '-');
	while (n < rest.n && n <= COUNT_DIGITS_MAX && rest.p[n] >= '0' && rest.p[n] <= '9')
		n++;
	return n < rest.n && rest.p[n] != '\r' ? "a length that is not an exact number" : NULL;
}

/* What is there of a long line: all but a CR at its end, which only counts with what follows. */
static struct redis_element read_rest(struct redis_reply *r, struct bytes in, size_t at)
{
	const struct bytes rest = bytes_from(in, at);
	const size_t cr = bytes_find(rest, '\r'), lf = bytes_find(rest, '\n');
	if (cr + 1 < lf && cr + 1 < rest.n)
		return fault(DIS_MALFORMED, "a stray CR or LF in an answer");
	if (lf < rest.n && cr + 1 != lf)
		return fault(DIS_MALFORMED, "a stray CR or LF in an answer");
	if (lf == rest.n && cr == 0)
		return need(in.n + 1);
	if (lf == rest.n)
		return (struct redis_element){.status = DIS_DONE, .n = cr};
	r->is_in_line = 0;
	complete(r);
	return (struct redis_element){.status = DIS_DONE, .n = lf + 1};
}

static struct redis_element read_line(struct redis_reply *r, struct bytes in, size_t at)
{
	const struct bytes rest = bytes_slice(in, at, REDIS_HEAD_MAX);
	const char *why = check_begin(rest);
	if (why)
		return fault(DIS_MALFORMED, why);
	const struct bytes fresh = bytes_from(rest, r->seen);
	const size_t seen = rest.n - fresh.n, lf = seen + bytes_find(fresh, '\n'),
		     cr = seen + bytes_find(fresh, '\r');
	r->seen = 0;
	if (cr + 1 < lf || (lf < rest.n && cr > lf))
		return fault(DIS_MALFORMED, "a stray CR or LF in an answer");
	if (lf == rest.n && rest.n == REDIS_HEAD_MAX) {
		r->is_in_line = 1;
		return (struct redis_element){
			.status = DIS_DONE, .n = cr, .line = bytes_slice(rest, 0, cr)};
	}
	if (lf == rest.n) {
		r->seen = (uint32_t)cr; /* a CR at the end is looked at again, with what follows */
		return need(in.n + 1);
	}
	return (struct redis_element){
		.status = DIS_DONE, .n = lf + 1, .line = bytes_slice(rest, 0, lf - 1)};
}

static struct redis_element read_bulk(struct redis_reply *r, struct redis_element e)
{
	const struct bytes digits = bytes_from(e.line, 1);
	if (bytes_is(digits, "-1") && e.line.p[0] == '$') {
		complete(r);
		return e;
	}
	if (!redis_number(digits, UINT32_MAX, &e.skip))
		return fault(DIS_MALFORMED, "a length that is not an exact number");
	r->has_tail = 1;
	return e;
}

static struct redis_element read_aggregate(struct redis_reply *r, struct redis_element e)
{
	const uint8_t type = e.line.p[0];
	const struct bytes digits = bytes_from(e.line, 1);
	const bool is_attribute = type == '|';
	uint64_t n = 0;
	if (!(type == '*' && bytes_is(digits, "-1")) && !redis_number(digits, UINT32_MAX, &n))
		return fault(DIS_MALFORMED, "a count that is not an exact number");
	if (n == 0) {
		if (!is_attribute)
			complete(r);
		return e;
	}
	if (r->depth == REDIS_DEPTH_MAX)
		return fault(DIS_LIMIT, "an answer nested too deep");
	r->attributes &= ~(1u << r->depth);
	r->attributes |= (uint32_t)is_attribute << r->depth;
	r->left[r->depth++] = type == '%' || is_attribute ? 2 * n : n;
	return e;
}

struct redis_element redis_reply_next(struct redis_reply *r, struct bytes in, size_t at)
{
	if (r->has_tail)
		return read_tail(r, in, at);
	if (r->is_in_line)
		return read_rest(r, in, at);
	const struct redis_element e = read_line(r, in, at);
	if (e.status != DIS_DONE || r->is_in_line)
		return e;
	switch (e.line.n ? e.line.p[0] : 0) {
	case '+':
	case '-':
	case ':':
	case ',':
	case '(':
	case '#':
	case '_':
		complete(r);
		return e;
	case '$':
	case '=':
	case '!':
		return read_bulk(r, e);
	case '*':
	case '~':
	case '%':
	case '>':
	case '|':
		return read_aggregate(r, e);
	default:
		return fault(DIS_MALFORMED, "an answer of no known type");
	}
}
