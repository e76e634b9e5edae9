/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "redis_line.h"

/* What may be the first line of a connection, with how many words: what health checks and
 * replicas send. */
static const struct opener {
	const char *name;
	size_t least, most;
} openers[] = {
	{"ping", 1, 1}, {"info", 1, 2},	 {"auth", 2, 3},
	{"sync", 1, 1}, {"psync", 3, 3}, {"replconf", 3, REDIS_ARGS_KEPT},
};

static bool is_plain(uint8_t c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\'' && c != '\\';
}

static bool is_method(struct bytes word)
{
	static const char *const methods[] = {"GET", "COPY", "MOVE", "SUBSCRIBE", "UNSUBSCRIBE"};
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (bytes_is_nocase(word, methods[i]))
			return true;
	return false;
}

static bool is_command(struct bytes word)
{
	uint8_t low[REDIS_NAME_MAX];
	if (word.n > sizeof(low) || is_method(word))
		return false;
	for (size_t i = 0; i < word.n; i++)
		low[i] = byte_lower(word.p[i]);
	return redis_find(bytes_of(low, word.n)) != NULL;
}

/* n_words: 0 while they are not all there. */
static bool is_opener(struct bytes word, bool is_whole, size_t n_words)
{
	for (size_t i = 0; i < sizeof(openers) / sizeof(openers[0]); i++) {
		const struct bytes name = bytes_str(openers[i].name);
		const size_t n = is_whole ? name.n : word.n;
		if (word.n != n || n > name.n)
			continue;
		bool is_same = true;
		for (size_t j = 0; j < n; j++)
			is_same = is_same && byte_lower(word.p[j]) == name.p[j];
		if (is_same &&
		    (n_words == 0 || (n_words >= openers[i].least && n_words <= openers[i].most)))
			return true;
	}
	return false;
}

/* The words of a line; false: one of them is of HTTP, or they are too many. */
static bool split(struct bytes line, struct redis_args *args)
{
	while (line.n) {
		const size_t n = bytes_find(line, ' ');
		const struct bytes word = bytes_slice(line, 0, n);
		line = bytes_from(line, n + 1);
		if (n == 0)
			continue;
		if (args->n_kept == REDIS_ARGS_KEPT ||
		    bytes_is_nocase(bytes_slice(word, 0, 5), "HTTP/"))
			return false;
		args->v[args->n_kept++] = word;
	}
	args->total = args->n_kept;
	return true;
}

static struct redis_walk no_line(void)
{
	return (struct redis_walk){.status = DIS_MALFORMED, .why = "a command that is no array"};
}

struct redis_walk redis_walk_line(struct bytes in, bool is_first, struct redis_args *args)
{
	size_t n = 0;
	args->n_kept = args->total = 0;
	while (n < in.n && n < REDIS_LINE_MAX && is_plain(in.p[n]))
		n++;
	const struct bytes line = bytes_slice(in, 0, n),
			   word = bytes_slice(line, 0, bytes_find(line, ' '));
	const bool is_whole = word.n < in.n, has_ended = n < in.n;
	if (n == REDIS_LINE_MAX || (has_ended && in.p[n] != '\r') ||
	    (n + 1 < in.n && in.p[n + 1] != '\n'))
		return no_line();
	if (is_first ? !is_opener(word, is_whole, 0) : is_whole && !is_command(word))
		return no_line();
	if (!split(line, args) && has_ended)
		return no_line();
	if (n + 2 > in.n)
		return (struct redis_walk){.status = DIS_MORE, .want = n + 2};
	if (is_first && !is_opener(word, true, args->total))
		return no_line();
	return (struct redis_walk){.status = DIS_DONE, .n = n + 2};
}
