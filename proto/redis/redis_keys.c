/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commands with a grammar of their own are read as the server's executing code reads them, not
 * as its key specifications guess ("the first STREAMS"): a consumer may be named STREAMS.
 */
#include "redis_keys.h"

const struct redis_command *redis_find(struct bytes name)
{
	size_t low = 0, high = n_redis_commands;
	char key[REDIS_NAME_MAX] = {0};
	if (name.n == 0 || name.n >= sizeof key)
		return NULL;
	memcpy(key, name.p, name.n);
	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		const int order = memcmp(key, redis_commands[middle].name, sizeof key);
		if (order == 0)
			return &redis_commands[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static void add_label(struct redis_named *out, struct bytes word)
{
	for (size_t i = 0; i < word.n && out->n_label < sizeof out->label; i++)
		out->label[out->n_label++] = byte_lower(word.p[i]);
}

void redis_name(const struct redis_args *args, struct redis_named *out)
{
	out->n_label = 0;
	add_label(out, args->v[0]);
	/* Only a row has a bar in its name, the server knows no such command. */
	const bool is_name =
		args->v[0].n < sizeof out->label && bytes_find(args->v[0], '|') == args->v[0].n;
	out->row = is_name ? redis_find(bytes_of(out->label, out->n_label)) : NULL;
	if (!out->row || !out->row->is_container)
		return;
	/* COMMAND alone is COMMAND INFO of all; the other containers alone are an error. */
	const bool is_alone = args->total == 1;
	if (is_alone && bytes_is(bytes_of(out->label, out->n_label), "command"))
		add_label(out, bytes_str("|info"));
	else if (args->n_kept > 1) {
		add_label(out, bytes_str("|"));
		add_label(out, args->v[1]);
	}
	out->row = redis_find(bytes_of(out->label, out->n_label));
	if (out->row && out->row->is_container)
		out->row = NULL;
}

/* ---------------------------------------------------------------- positions */

static void touch(const struct redis_args *args, struct redis_touched *out, size_t at,
		  enum redis_how role)
{
	if (at >= args->n_kept || out->n == REDIS_TOUCHED_MAX) {
		out->is_unproven = true;
		return;
	}
	out->role[out->n] = role;
	out->at[out->n++] = (uint16_t)at;
}

/* Stops at the first that is not known: one is enough to be unproven, and counts may be huge. */
static void touch_range(const struct redis_args *args, struct redis_touched *out, size_t first,
			size_t last, size_t step, enum redis_how role)
{
	for (size_t at = first; at <= last && !out->is_unproven; at += step)
		touch(args, out, at, role);
}

static void touch_spec(const struct redis_args *args, struct redis_touched *out,
		       const struct redis_spec *spec)
{
	const size_t first = (size_t)spec->first;
	const size_t behind = spec->last < 0 ? (size_t)-spec->last : 0;
	if (behind > args->total) {
		out->is_unproven = true;
		return;
	}
	const size_t last = spec->last < 0 ? args->total - behind : (size_t)spec->last;
	const bool may_lack = spec->how == REDIS_CHANNELS || spec->how == REDIS_PATTERNS;
	if (last < first && !may_lack) /* too few arguments, or UNSUBSCRIBE from all */
		out->is_unproven = true;
	touch_range(args, out, first, last, (size_t)spec->step, spec->how);
}

static void touch_counted(const struct redis_args *args, struct redis_touched *out, size_t at)
{
	uint64_t n;
	if (at >= args->n_kept || !redis_number(args->v[at], args->total, &n) ||
	    n > args->total - at - 1) {
		out->is_unproven = true;
		return;
	}
	if (n)
		touch_range(args, out, at + 1, at + n, 1, REDIS_RANGE);
}

/* ---------------------------------------------------------------- commands with options */

static bool is_word(const struct redis_args *args, size_t at, const char *word)
{
	return at < args->n_kept && bytes_is_nocase(args->v[at], word);
}

static void touch_xread(const struct redis_args *args, struct redis_touched *out, bool has_group)
{
	for (size_t i = 1; i < args->total;) {
		if (is_word(args, i, "STREAMS")) {
			const size_t n = args->total - i - 1;
			if (n == 0 || n % 2)
				break;
			touch_range(args, out, i + 1, i + n / 2, 1, REDIS_RANGE);
			return;
		}
		if (is_word(args, i, "COUNT") || is_word(args, i, "BLOCK"))
			i += 2;
		else if (has_group && is_word(args, i, "GROUP"))
			i += 3;
		else if (has_group && is_word(args, i, "NOACK"))
			i++;
		else
			break;
	}
	out->is_unproven = true;
}

/* BY and GET read keys whose names come out of the data, unless they name none. */
static void touch_sort(const struct redis_args *args, struct redis_touched *out)
{
	touch(args, out, 1, REDIS_RANGE);
	for (size_t i = 2; i < args->total && !out->is_unproven;) {
		const struct bytes next = i + 1 < args->n_kept ? args->v[i + 1] : bytes_str("*");
		if (is_word(args, i, "ASC") || is_word(args, i, "DESC") ||
		    is_word(args, i, "ALPHA")) {
			i++;
		} else if (is_word(args, i, "LIMIT")) {
			i += 3;
		} else if (is_word(args, i, "STORE")) {
			touch(args, out, i + 1, REDIS_RANGE);
			i += 2;
		} else if ((is_word(args, i, "BY") && bytes_find(next, '*') == next.n) ||
			   (is_word(args, i, "GET") && bytes_is(next, "#"))) {
			i += 2;
		} else {
			out->is_unproven = true;
		}
	}
}

static void touch_georadius(const struct redis_args *args, struct redis_touched *out,
			    size_t options)
{
	static const char *const flags[] = {"WITHDIST", "WITHHASH", "WITHCOORD",
					    "ANY",	"ASC",	    "DESC"};
	touch(args, out, 1, REDIS_RANGE);
	for (size_t i = options; i < args->total && !out->is_unproven;) {
		bool is_flag = false;
		for (size_t j = 0; j < sizeof flags / sizeof *flags; j++)
			is_flag = is_flag || is_word(args, i, flags[j]);
		const bool is_count = is_word(args, i, "COUNT");
		if (is_word(args, i, "STORE") || is_word(args, i, "STOREDIST"))
			touch(args, out, i + 1, REDIS_RANGE);
		else if (!is_flag && !is_count)
			out->is_unproven = true;
		i += is_flag ? 1 : 2;
	}
}

static void touch_migrate(const struct redis_args *args, struct redis_touched *out)
{
	if (args->n_kept < 6) {
		out->is_unproven = true;
		return;
	}
	bool has_list = false;
	for (size_t i = 6; i < args->total && !has_list && !out->is_unproven;) {
		has_list = is_word(args, i, "KEYS");
		if (has_list)
			touch_range(args, out, i + 1, args->total - 1, 1, REDIS_RANGE);
		else if (is_word(args, i, "COPY") || is_word(args, i, "REPLACE"))
			i++;
		else if (is_word(args, i, "AUTH"))
			i += 2;
		else if (is_word(args, i, "AUTH2"))
			i += 3;
		else
			out->is_unproven = true;
	}
	/* Without a list the one key is meant, even the empty one; with a list it must be empty. */
	if (!has_list || args->v[3].n)
		touch(args, out, 3, REDIS_RANGE);
}

static void touch_by(const struct redis_spec *spec, const struct redis_args *args,
		     struct redis_touched *out)
{
	switch (spec->how) {
	case REDIS_NONE:
		return;
	case REDIS_RANGE:
	case REDIS_CHANNELS:
	case REDIS_PATTERNS:
		touch_spec(args, out, spec);
		return;
	case REDIS_COUNTED:
		touch_counted(args, out, (size_t)spec->first);
		return;
	case REDIS_XREAD:
	case REDIS_XREADGROUP:
		touch_xread(args, out, spec->how == REDIS_XREADGROUP);
		return;
	case REDIS_SORT:
	case REDIS_SORT_RO:
		touch_sort(args, out);
		return;
	case REDIS_GEORADIUS:
		touch_georadius(args, out, 6);
		return;
	case REDIS_GEORADIUSBYMEMBER:
		touch_georadius(args, out, 5);
		return;
	case REDIS_MIGRATE:
		touch_migrate(args, out);
		return;
	case REDIS_UNKNOWN:
		break;
	}
	out->is_unproven = true;
}

void redis_touch(const struct redis_named *named, const struct redis_args *args,
		 struct redis_touched *out)
{
	out->n = 0;
	out->is_unproven = !named->row;
	for (size_t i = 0; named->row && i < REDIS_SPECS_MAX; i++)
		touch_by(&named->row->specs[i], args, out);
}

/* Of the commands that read or write keys, those whose table row names none of them; and scripts,
 * which the server lets reach undeclared keys. tests/proto/test_redis_keys.c holds the list against
 * the categories. */
bool redis_touches_all(const struct redis_named *named)
{
	static const char *const all[] = {"dbsize",	"eval",	 "eval_ro",  "evalsha",
					  "evalsha_ro", "fcall", "fcall_ro", "flushall",
					  "flushdb",	"keys",	 "monitor",  "psync",
					  "randomkey",	"scan",	 "swapdb",   "sync"};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (bytes_is(bytes_of(named->label, named->n_label), all[i]))
			return true;
	return false;
}
