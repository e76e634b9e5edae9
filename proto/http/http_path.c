/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The readings are a closure: every step is applied to every path found so far until nothing new
 * appears. That covers all orders of the steps without listing them. Decoding is the one step that
 * must not be repeated, so it happens between two closures: first all that can be done to the path
 * as sent, then the same to the decoded form of each.
 *
 * Cost: at most HTTP_READINGS_MAX paths times the number of steps, each linear; a path without any
 * of the bytes that a step looks for costs one scan.
 */
#include "http_path.h"

/* Each writes at most in.n bytes to out and says how many; a path that begins with '/' still does.
 */
typedef size_t http_step(uint8_t *out, struct bytes in);

int http_hex(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	const uint8_t low = byte_lower(c);
	return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

static size_t decode(uint8_t *out, struct bytes in)
{
	size_t n = 0;
	for (size_t i = 0; i < in.n; i++) {
		const bool escaped = in.p[i] == '%' && in.n - i > 2 && http_hex(in.p[i + 1]) >= 0 &&
				     http_hex(in.p[i + 2]) >= 0;
		out[n++] = escaped ? (uint8_t)(http_hex(in.p[i + 1]) << 4 | http_hex(in.p[i + 2]))
				   : in.p[i];
		i += escaped ? 2 : 0;
	}
	return n;
}

static size_t fold_slashes(uint8_t *out, struct bytes in)
{
	size_t n = 0;
	for (size_t i = 0; i < in.n; i++)
		if (in.p[i] != '/' || n == 0 || out[n - 1] != '/')
			out[n++] = in.p[i];
	return n;
}

static size_t turn_backslashes(uint8_t *out, struct bytes in)
{
	for (size_t i = 0; i < in.n; i++)
		out[i] = in.p[i] == '\\' ? '/' : in.p[i];
	return in.n;
}

static size_t cut_params(uint8_t *out, struct bytes in)
{
	size_t n = 0;
	bool in_params = false;
	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] == '/' || in.p[i] == ';')
			in_params = in.p[i] == ';';
		if (!in_params)
			out[n++] = in.p[i];
	}
	return n;
}

/* As a URL relative to the server's own, "//x/y" is the path /y of the host x; libraries that
 * resolve it so skip more slashes, too. */
static size_t cut_authority(uint8_t *out, struct bytes in)
{
	size_t at = 0;
	while (at < in.n && in.p[at] == '/')
		at++;
	if (at < 2)
		at = 0;
	while (at > 0 && at < in.n && in.p[at] != '/')
		at++;
	const struct bytes rest = at < in.n ? bytes_from(in, at) : bytes_str("/");
	memcpy(out, rest.p, rest.n);
	return rest.n;
}

/* RFC 3986 section 5.2.4; ".." above the root stays at the root. */
static size_t remove_dots(uint8_t *out, struct bytes in)
{
	size_t n = 0;
	for (size_t at = 0; at < in.n;) {
		const struct bytes rest = bytes_from(in, at + 1);
		const struct bytes segment = bytes_slice(rest, 0, bytes_find(rest, '/'));
		const bool is_last = segment.n == rest.n, is_up = bytes_is(segment, "..");
		if (is_up)
			while (n > 0 && out[--n] != '/')
				;
		if (!is_up && !bytes_is(segment, ".")) {
			out[n++] = '/';
			if (segment.n)
				memcpy(out + n, segment.p, segment.n);
			n += segment.n;
		} else if (is_last) {
			out[n++] = '/';
		}
		at += 1 + segment.n;
	}
	return n;
}

static void add_reading(struct http_readings *r, http_step *step, struct bytes from)
{
	if (r->n == HTTP_READINGS_MAX || from.n > sizeof r->room - r->used) {
		r->is_partial = true;
		return;
	}
	const struct bytes made = bytes_of(r->room + r->used, step(r->room + r->used, from));
	for (size_t i = 0; i < r->n; i++)
		if (bytes_equal(r->v[i], made))
			return;
	r->v[r->n++] = made;
	r->used += made.n;
}

static void close_from(struct http_readings *r, size_t first)
{
	static http_step *const steps[] = {cut_authority, cut_params, fold_slashes, remove_dots,
					   turn_backslashes};
	for (size_t i = first; i < r->n && !r->is_partial; i++)
		for (size_t j = 0; j < sizeof steps / sizeof *steps; j++)
			add_reading(r, steps[j], r->v[i]);
}

bool http_path_is_plain(struct bytes path)
{
	for (size_t i = 0; i < path.n; i++) {
		const uint8_t c = path.p[i], next = i + 1 < path.n ? path.p[i + 1] : 'x';
		if (c == '%' || c == ';' || c == '\\' || (c == '/' && (next == '/' || next == '.')))
			return false;
	}
	return true;
}

void http_path_readings(struct http_readings *r, struct bytes path)
{
	r->n = 1;
	r->v[0] = path;
	r->used = 0;
	r->is_partial = false;
	if (http_path_is_plain(path) || path.p[0] != '/')
		return;
	close_from(r, 0);
	const size_t n_undecoded = r->n;
	for (size_t i = 0; i < n_undecoded && !r->is_partial; i++)
		add_reading(r, decode, r->v[i]);
	close_from(r, n_undecoded);
}
