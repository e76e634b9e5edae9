/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is said: messages of equal length that differ in four contested units.
 *
 *	GET /row/|ooooo|ooooo|ooooo|ooooo| HTTP/1.1 ...      a request, allowed
 *	HTTP/1.1 |200 o|ooooo|ooooo|ooooo|\r\nX: ...          a reply, allowed
 *	         u0    u1    u2    u3    u4                end
 *
 * Evil ones have p for o (and 500 for 200): one p in a request is enough for a denial. Letters of
 * the X or Host field make the Internet checksums of a good and an evil message equal, so that
 * fragments of both can be mixed. A and B contend for the same place in the stream; C and D follow,
 * always good.
 */
#ifndef EVASION_TEXT_H
#define EVASION_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TEXT_UNITS = 4, TEXT_UNIT = 5, TEXT_MAX = 20000, TEXT_NAME_MAX = 48 };

enum text_kind { TEXT_REQUEST, TEXT_REPLY, TEXT_QUERY };

struct text {
	size_t n;
	char letter;
	bool is_evil;
	uint8_t bytes[TEXT_MAX];
};

struct texts {
	enum text_kind kind;
	size_t unit, start;  /* u0 */
	struct text text[4]; /* A B C D */
};

/* order: the letters of A and B, o or q (good) or p (evil) */
void texts_make(struct texts *t, enum text_kind kind, size_t unit, const char order[2]);

/* One whole message at the front of p? Its length, or 0. */
size_t text_whole(enum text_kind kind, const uint8_t *p, size_t n);

/* What a message or a record asks for, as runs of letters: "o10p5o5"; a reply is its status. */
void text_name(enum text_kind kind, const uint8_t *p, size_t n, char name[TEXT_NAME_MAX]);
/* The same of letters alone, as records have them. */
void text_runs(const uint8_t *letters, size_t n, char name[TEXT_NAME_MAX]);
bool text_is_evil(enum text_kind kind, const uint8_t *p, size_t n);

#endif
