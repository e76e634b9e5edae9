/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "script.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- positions: terms like u1, end, h, 40, joined by + and - ---- */

static bool term(const struct texts *t, size_t header, const char **at, int32_t *value)
{
	char *end;
	if (**at == 'u' && isdigit((unsigned char)(*at)[1])) {
		*value = (int32_t)(t->start + (size_t)((*at)[1] - '0') * t->unit);
		*at += 2;
	} else if (strncmp(*at, "end", 3) == 0) {
		*value = (int32_t)t->text[0].n;
		*at += 3;
	} else if (**at == 'h') {
		*value = (int32_t)header;
		*at += 1;
	} else if (isdigit((unsigned char)**at)) {
		*value = (int32_t)strtol(*at, &end, 10);
		*at = end;
	} else {
		return false;
	}
	return true;
}

bool script_position(const struct texts *t, size_t header, const char *word, int32_t *out)
{
	int32_t sum = 0, value;
	for (const char *at = word; *at;) {
		int sign = *at == '-' ? -1 : 1;
		if (*at == '-' || *at == '+')
			at++;
		if (!term(t, header, &at, &value))
			return false;
		sum += sign * value;
	}
	*out = sum;
	return true;
}

/* ---- data: A[u1:u3]+B, J200 (junk), - (none) ---- */

static const struct text *text_of(const struct texts *t, char letter)
{
	bool a_is_evil = t->text[0].is_evil;
	if (letter >= 'A' && letter <= 'D')
		return &t->text[letter - 'A'];
	return letter == 'E' ? &t->text[!a_is_evil] : &t->text[a_is_evil]; /* E: evil, G: good */
}

static void add_bytes(struct script_data *out, const uint8_t *p, size_t n)
{
	size_t room = sizeof(out->bytes) - 1024 - out->n;
	if (n > room)
		n = room;
	memcpy(out->bytes + out->n, p, n);
	out->n += n;
}

static bool add_junk(const struct texts *t, const char *count, struct script_data *out)
{
	const struct text *evil = text_of(t, 'E');
	for (long left = strtol(count, NULL, 10), n; left > 0; left -= n) {
		n = left < (long)evil->n ? left : (long)evil->n;
		add_bytes(out, evil->bytes, (size_t)n);
	}
	return true;
}

/* Where messages stand in the stream: A and B contend, C follows, then D. */
static int32_t home_of(const struct texts *t, char letter)
{
	return (int32_t)(letter == 'C' ? t->text[0].n : letter == 'D' ? 2 * t->text[0].n : 0);
}

static bool limits(const struct texts *t, char *slice, int32_t *from, int32_t *to)
{
	char *colon = slice ? strchr(slice, ':') : NULL, *end = slice ? strchr(slice, ']') : NULL;
	*from = 0;
	*to = (int32_t)t->text[0].n;
	if (!slice)
		return true;
	if (!colon || !end)
		return false;
	*colon = *end = '\0';
	bool good = script_position(t, 0, slice + 1, from);
	return good && (colon[1] == '\0' || script_position(t, 0, colon + 1, to));
}

static bool add_part(const struct texts *t, char *word, struct script_data *out, bool is_first)
{
	int32_t from, to;
	if (word[0] == 'J')
		return add_junk(t, word + 1, out);
	if (!strchr("ABCDEG", word[0]) || !limits(t, word[1] ? word + 1 : NULL, &from, &to))
		return false;
	if (from < 0 || to > (int32_t)t->text[0].n || from > to)
		return false;
	if (is_first)
		out->at = home_of(t, word[0]) + from;
	add_bytes(out, text_of(t, word[0])->bytes + from, (size_t)(to - from));
	return true;
}

/* Pluses inside of brackets belong to positions. */
static char *end_of_part(char *at)
{
	int depth = 0;
	for (; *at && (depth > 0 || *at != '+'); at++)
		depth += *at == '[' ? 1 : *at == ']' ? -1 : 0;
	return at;
}

bool script_data(const struct texts *t, const char *word, struct script_data *out)
{
	char copy[256];
	out->n = 0;
	out->at = 0;
	if (strcmp(word, "-") == 0)
		return true;
	if (strlen(word) >= sizeof(copy))
		return false;
	strcpy(copy, word); /* NOLINT(clang-analyzer-security.insecureAPI.strcpy): fits */
	for (char *at = copy; *at;) {
		char *end = end_of_part(at);
		bool is_last = *end == '\0';
		*end = '\0';
		if (!add_part(t, at, out, at == copy))
			return false;
		at = is_last ? end : end + 1;
	}
	return true;
}

/* ---- whims ---- */

static size_t hex(const char *text, uint8_t *out, size_t room)
{
	size_t n = 0;
	for (; text[0] && text[1] && n < room; text += 2) {
		char pair[3] = {text[0], text[1], '\0'};
		out[n++] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return n;
}

static uint8_t flags_of(const char *letters)
{
	static const char known[] = "FSRPAUEC";
	unsigned flags = 0;
	for (; *letters; letters++) {
		const char *at = strchr(known, *letters);
		flags |= at ? 1u << (at - known) : 0;
	}
	return (uint8_t)flags;
}

static bool sum_whim(const char *v, enum frame_sum *sum)
{
	*sum = strcmp(v, "zero") == 0 ? SUM_ZERO : SUM_BAD;
	return true;
}

static bool tcp_whim(const char *key, const char *v, long n, struct peer_whim *w)
{
	if (strcmp(key, "flags") == 0) {
		w->has_flags = true;
		w->flags = flags_of(v);
	} else if (strcmp(key, "seq") == 0) {
		w->seq_off = (int32_t)n;
	} else if (strcmp(key, "ack") == 0) {
		w->ack_off = (int32_t)n;
	} else if (strcmp(key, "win") == 0) {
		w->has_window = true;
		w->window = (uint16_t)n;
	} else if (strcmp(key, "urg") == 0) {
		w->urgent = (uint16_t)n;
	} else if (strcmp(key, "doff") == 0) {
		w->doff = (int)n;
	} else if (strcmp(key, "reserved") == 0) {
		w->reserved = (uint8_t)n;
	} else if (strcmp(key, "opt") == 0) {
		w->n_options = hex(v, w->options, sizeof(w->options));
	} else if (strcmp(key, "ts") == 0) {
		w->no_ts = strcmp(v, "none") == 0;
		w->has_ts = !w->no_ts;
		w->ts_off = (int32_t)n;
	} else if (strcmp(key, "tsecr") == 0) {
		w->has_tsecr = true;
		w->tsecr = (uint32_t)n;
	} else if (strcmp(key, "gso") == 0) {
		w->gso = (unsigned)n;
	} else {
		return false;
	}
	return true;
}

static bool ip_whim(const char *key, const char *v, long n, struct peer_whim *w)
{
	if (strcmp(key, "sum") == 0)
		return sum_whim(v, &w->sum);
	if (strcmp(key, "udplen") == 0)
		w->udp_length_off = (int)n;
	else if (strcmp(key, "ttl") == 0)
		w->ip.ttl = (uint8_t)n;
	else if (strcmp(key, "tos") == 0)
		w->ip.tos = (uint8_t)n;
	else if (strcmp(key, "proto") == 0)
		w->ip.proto = (uint8_t)n;
	else if (strcmp(key, "iplen") == 0)
		w->ip.length_off = (int)n;
	else if (strcmp(key, "trail") == 0)
		w->ip.trail = (unsigned)n;
	else if (strcmp(key, "ipopt") == 0)
		w->ip.n_options = hex(v, w->ip.options, sizeof(w->ip.options));
	else if (strcmp(key, "chain") == 0)
		strncpy(w->ip.chain, v, sizeof(w->ip.chain) - 1);
	else if (strcmp(key, "vlan") == 0)
		w->link.vlan = (uint16_t)n;
	else if (strcmp(key, "tag") == 0)
		w->link.tag = (uint16_t)n;
	else if (strcmp(key, "ether") == 0)
		w->link.type = (uint16_t)n;
	else if (strcmp(key, "sport") == 0)
		w->src_port = (uint16_t)n;
	else
		return false;
	return true;
}

static bool switch_whim(const char *word, struct peer_whim *w)
{
	if (strcmp(word, "df") == 0)
		w->ip.df = true;
	else if (strcmp(word, "rf") == 0)
		w->ip.reserved = true;
	else if (strcmp(word, "ipsum-bad") == 0)
		w->ip.bad_sum = true;
	else if (strcmp(word, "same-id") == 0)
		w->same_id = true;
	else if (strcmp(word, "no-options") == 0)
		w->no_options = true;
	else if (strcmp(word, "sport-0") == 0)
		w->zero_src_port = true;
	else if (strcmp(word, "from-broadcast") == 0)
		w->broadcast_src = true;
	else
		return false;
	return true;
}

static bool one_whim(const struct texts *t, char *word, struct script_data *data,
		     struct peer_whim *whim)
{
	char key[16];
	if (word[0] == '@')
		return script_position(t, 0, word + 1, &data->at);
	const char *equals = strchr(word, '=');
	if (!equals)
		return switch_whim(word, whim);
	size_t n = (size_t)(equals - word);
	if (n >= sizeof(key))
		return false;
	memcpy(key, word, n);
	key[n] = '\0';
	long value = strtol(equals + 1, NULL, 0);
	return tcp_whim(key, equals + 1, value, whim) || ip_whim(key, equals + 1, value, whim);
}

bool script_whims(const struct texts *t, const struct row_line *l, unsigned first,
		  struct script_data *data, struct peer_whim *whim)
{
	*whim = (struct peer_whim){0};
	for (unsigned i = first; i < l->n; i++)
		if (strcmp(l->word[i], "|") == 0)
			return true;
		else if (!one_whim(t, l->word[i], data, whim))
			return false;
	return true;
}
