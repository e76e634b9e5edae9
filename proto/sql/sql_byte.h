/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What kind of byte it is, outside quotes, to the tokenisers of both dialects. A byte above 0x7f is
 * a letter: part of a character of a name. */
#ifndef SQL_BYTE_H
#define SQL_BYTE_H

#include "bridgewarden/bytes.h"

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

#endif
