/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verdict vocabulary as text; see bridgewarden/verdict.h. */
#include "bridgewarden/shared.h"

#include <stddef.h>

const char *verdict_name(enum verdict v)
{
	static const char *const names[] = {"pending", "allow", "deny"};
	return (size_t)v < sizeof(names) / sizeof(names[0]) ? names[v] : "?";
}

const char *mode_name(enum mode m)
{
	static const char *const names[] = {"observe", "shadow", "enforce"};
	return (size_t)m < sizeof(names) / sizeof(names[0]) ? names[m] : "?";
}

struct reason_words {
	const char *name, *text;
};

static const struct reason_words reasons[] = {
#define reason(symbol, name, text) {name, text},
	REASONS(reason)
#undef reason
};

const char *reason_name(enum reason r)
{
	return (size_t)r < N_REASONS ? reasons[r].name : "?";
}

const char *reason_text(enum reason r)
{
	return (size_t)r < N_REASONS ? reasons[r].text : "?";
}

struct counter_words {
	const char *name, *text;
};

static const struct counter_words counters[] = {
#define counter(symbol, name, text) {name, text},
	COUNTERS(counter)
#undef counter
};

const char *counter_name(enum counter c)
{
	return (size_t)c < N_COUNTERS ? counters[c].name : "?";
}

const char *counter_text(enum counter c)
{
	return (size_t)c < N_COUNTERS ? counters[c].text : "?";
}
