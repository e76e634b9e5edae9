/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The walk over a command decides by the bytes in order, never by how many of them are there: an
 * argument that ends behind REDIS_HEAD_MAX makes the command a long one, at its header, however
 * much has arrived.
 */
#include "redis_wire.h"

enum { DIGITS_MAX = 10, LEAST_ARGUMENT = 6 /* $0 CRLF CRLF */ };

bool redis_number(struct bytes text, uint64_t max, uint64_t *out)
{
	*out = 0;
	if (text.n == 0 || text.n > DIGITS_MAX || (text.n > 1 && text.p[0] == '0'))
		return false;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		*out = *out * 10 + (uint64_t)(text.p[i] - '0');
	}
	return *out <= max;
}

static struct redis_header header_fault(enum dis_status status, const char *why)
{
	return (struct redis_header){.status = status, .why = why};
}

static struct redis_header header_more(size_t want)
{
	return (struct redis_header){.status = DIS_MORE, .want = want};
}

struct redis_header redis_read_header(struct bytes in, size_t at, uint8_t type, uint64_t max)
{
	const struct bytes rest = bytes_slice(in, at, 1 + DIGITS_MAX + 2);
	struct redis_header h = {.status = DIS_DONE};
	size_t n = 1;
	if (rest.n == 0)
		return header_more(at + 4);
	if (rest.p[0] != type)
		return header_fault(DIS_MALFORMED, type == '*'
							   ? "a command that is no array"
							   : "an argument that is no bulk string");
	while (n < rest.n && n <= DIGITS_MAX && rest.p[n] >= '0' && rest.p[n] <= '9')
		n++;
	if (n < rest.n && (n == 1 || rest.p[n] != '\r' || (n > 2 && rest.p[1] == '0')))
		return header_fault(DIS_MALFORMED, "a length that is not an exact number");
	if (n + 1 < rest.n && rest.p[n + 1] != '\n')
		return header_fault(DIS_MALFORMED, "a bare CR behind a length");
	if (n + 2 > rest.n)
		return header_more(in.n + (n == rest.n ? 2 : 1));
	if (!redis_number(bytes_slice(rest, 1, n - 1), max, &h.number))
		return header_fault(DIS_LIMIT, "a length beyond the limit");
	h.n = n + 2;
	return h;
}

static struct redis_walk walk_end(enum dis_status status, const char *why)
{
	return (struct redis_walk){.status = status, .why = why};
}

/* Every argument still to come needs some bytes; asking for them at once keeps slow drips cheap. */
static struct redis_walk walk_more(struct bytes in, size_t known, size_t n_after)
{
	size_t want = known;
	if (n_after >
	    (REDIS_HEAD_MAX - (known < REDIS_HEAD_MAX ? known : REDIS_HEAD_MAX)) / LEAST_ARGUMENT)
		want = want < REDIS_HEAD_MAX ? REDIS_HEAD_MAX : want;
	else
		want += n_after * LEAST_ARGUMENT;
	return (struct redis_walk){.status = DIS_MORE, .want = want > in.n ? want : in.n + 1};
}

static void keep(struct redis_args *args, struct bytes arg)
{
	if (args->n_kept < REDIS_ARGS_KEPT)
		args->v[args->n_kept++] = arg;
}

struct redis_walk redis_walk(struct bytes in, struct redis_args *args)
{
	const struct redis_header head = redis_read_header(in, 0, '*', REDIS_ARGS_MAX);
	args->n_kept = 0;
	args->total = head.number;
	if (head.status == DIS_MORE)
		return walk_more(in, head.want, 0);
	if (head.status != DIS_DONE || head.number == 0)
		return walk_end(head.status == DIS_DONE ? DIS_MALFORMED : head.status,
				head.why ? head.why : "a command of no arguments");
	size_t at = head.n;
	for (size_t i = 0; i < args->total; i++) {
		const struct redis_header h = redis_read_header(in, at, '$', REDIS_BULK_MAX);
		if (h.status == DIS_MORE)
			return walk_more(in, h.want, args->total - i - 1);
		if (h.status != DIS_DONE)
			return walk_end(h.status, h.why);
		const size_t data = at + h.n, end = data + h.number + 2;
		if (end > REDIS_HEAD_MAX)
			return (struct redis_walk){.status = DIS_DONE,
						   .n = data,
						   .skip = h.number,
						   .rest = (uint32_t)(args->total - i)};
		if (end > in.n)
			return walk_more(in, end, args->total - i - 1);
		if (in.p[end - 2] != '\r' || in.p[end - 1] != '\n')
			return walk_end(DIS_MALFORMED, "an argument longer than its length");
		keep(args, bytes_slice(in, data, h.number));
		at = end;
	}
	return (struct redis_walk){.status = DIS_DONE, .n = at};
}
