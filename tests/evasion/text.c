/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "text.h"

#include <stdio.h>
#include <string.h>

/* Records cut long fields: no more than this is compared. */
enum { COMPARED_MAX = 1000, SLACK = 8, SLACK_STEP = 20 };

static const char *const heads[] = {"GET /row/", "HTTP/1.1 ", ""};

static void add(struct text *t, const void *p, size_t n)
{
	memcpy(t->bytes + t->n, p, n);
	t->n += n;
}

static void add_text(struct text *t, const char *s)
{
	add(t, s, strlen(s));
}

/* Returns where the letters are that may vary. */
static size_t make_http(struct text *t, enum text_kind kind, size_t n_letters)
{
	size_t slack;
	add_text(t, heads[kind]);
	memset(t->bytes + t->n, t->letter, n_letters);
	if (kind == TEXT_REPLY)
		memcpy(t->bytes + t->n, t->is_evil ? "500 " : "200 ", 4);
	t->n += n_letters;
	add_text(t, kind == TEXT_REPLY ? "\r\nX: " : " HTTP/1.1\r\nHost: ");
	slack = t->n;
	add(t, "zzzzzzzz", SLACK);
	add_text(t, kind == TEXT_REPLY ? "\r\nContent-Length: 0\r\n\r\n" : "\r\n\r\n");
	return slack;
}

/* A question for LETTERS.test; its number may vary. */
static size_t make_query(struct text *t, size_t n_letters)
{
	static const uint8_t head[12] = {0xc8, 0xc8, 1, 0, 0, 1};
	static const uint8_t tail[10] = {4, 't', 'e', 's', 't', 0, 0, 1, 0, 1};
	uint8_t length = (uint8_t)n_letters;
	add(t, head, sizeof(head));
	add(t, &length, 1);
	memset(t->bytes + t->n, t->letter, n_letters);
	if (!t->is_evil)
		t->bytes[t->n] = 'o';
	t->n += n_letters;
	add(t, tail, sizeof(tail));
	return 0;
}

static int parity_sum(const struct text *t, size_t parity)
{
	int sum = 0;
	for (size_t i = parity; i < t->n; i += 2)
		sum += t->bytes[i];
	return sum;
}

/* Lowers letters of `evil` until its sums are those of `good`. Long ones are never mixed. */
static void balance(const struct text *good, struct text *evil, size_t slack, size_t n_slack)
{
	for (size_t parity = 0; parity < 2; parity++) {
		int more = parity_sum(evil, parity) - parity_sum(good, parity);
		for (size_t i = slack; i < slack + n_slack && more > 0; i++) {
			int step = more < SLACK_STEP ? more : SLACK_STEP;
			if (i % 2 != parity)
				continue;
			evil->bytes[i] = (uint8_t)(evil->bytes[i] - step);
			more -= step;
		}
	}
}

void texts_make(struct texts *t, enum text_kind kind, size_t unit, const char order[2])
{
	const char letters[4] = {order[0], order[1], 'c', 'd'};
	size_t slack = 0;
	t->kind = kind;
	t->unit = unit;
	for (unsigned i = 0; i < 4; i++) {
		struct text *m = &t->text[i];
		m->n = 0;
		m->letter = letters[i];
		m->is_evil = letters[i] == 'p';
		slack = kind == TEXT_QUERY ? make_query(m, TEXT_UNITS * unit)
					   : make_http(m, kind, TEXT_UNITS * unit);
	}
	t->start = kind == TEXT_QUERY ? 13 : strlen(heads[kind]);
	size_t n_slack = kind == TEXT_QUERY ? 2 : SLACK;
	if (t->text[0].is_evil)
		balance(&t->text[1], &t->text[0], slack, n_slack);
	else if (t->text[1].is_evil)
		balance(&t->text[0], &t->text[1], slack, n_slack);
}

size_t text_whole(enum text_kind kind, const uint8_t *p, size_t n)
{
	if (kind == TEXT_QUERY)
		return n;
	const uint8_t *end = memmem(p, n, "\r\n\r\n", 4);
	return end ? (size_t)(end - p) + 4 : 0;
}

void text_runs(const uint8_t *p, size_t n, char name[TEXT_NAME_MAX])
{
	size_t used = 0;
	if (n > COMPARED_MAX)
		n = COMPARED_MAX;
	name[0] = '\0';
	for (size_t i = 0; i < n && used + 8 < TEXT_NAME_MAX;) {
		size_t run = 1;
		while (i + run < n && p[i + run] == p[i])
			run++;
		used += (size_t)snprintf(name + used, TEXT_NAME_MAX - used, "%c%zu", p[i], run);
		i += run;
	}
}

/* The letters in p: behind the head, up to the first byte that is none. */
static size_t letters_in(enum text_kind kind, const uint8_t *p, size_t n, const uint8_t **first)
{
	size_t at = kind == TEXT_QUERY ? 13 : strlen(heads[kind]), end;
	if (n < at)
		at = n;
	for (end = at; end < n && p[end] > ' ' && p[end] < 127; end++)
		;
	*first = p + at;
	return end - at;
}

void text_name(enum text_kind kind, const uint8_t *p, size_t n, char name[TEXT_NAME_MAX])
{
	const uint8_t *first;
	size_t n_letters = letters_in(kind, p, n, &first);
	if (kind == TEXT_REPLY)
		(void)snprintf(name, TEXT_NAME_MAX, "%.*s", (int)n_letters, (const char *)first);
	else
		text_runs(first, n_letters, name);
}

bool text_is_evil(enum text_kind kind, const uint8_t *p, size_t n)
{
	const uint8_t *first;
	size_t n_letters = letters_in(kind, p, n, &first);
	if (kind == TEXT_REPLY)
		return n_letters < 1 || first[0] != '2';
	return memchr(first, 'p', n_letters) != NULL;
}
