/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What kind of byte it is, outside quotes, to the tokenisers of both dialects. A byte above 0x7f is
 * a letter: part of a character of a name. */
#ifndef SQL_BYTE_H
#define SQL_BYTE_H

#include "bridgewarden/bytes.h"

/* A one-byte token of both dialects that begins nothing longer. */
static inline bool sql_byte_is_plain(uint8_t c)
{
	return c == '(' || c == ')' || c == ',' || c == '=';
}

static inline bool sql_byte_is_blank(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static inline bool sql_byte_is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static inline bool sql_byte_is_letter(uint8_t c)
{
	const uint8_t l = byte_lower(c);
	return (l >= 'a' && l <= 'z') || c == '_' || c >= 0x80;
}

/* Without the empty statements before it, which say nothing. */
static inline struct bytes sql_without_empty(struct bytes text)
{
	size_t n = 0;
	for (size_t i = 0; i < text.n && (text.p[i] == ';' || sql_byte_is_blank(text.p[i])); i++)
		n = text.p[i] == ';' ? i + 1 : n;
	return bytes_from(text, n);
}

#endif
