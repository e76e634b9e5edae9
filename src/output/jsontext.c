/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "output/jsontext.h"

#include <stdlib.h>

/* One row for each kind of first byte; the second byte's range is what excludes overlong forms and
 * surrogates. NUL is left out: many readers of JSON refuse it. */
struct utf8_row {
	uint8_t first, last, second_first, second_last, length;
};

static const struct utf8_row utf8_rows[] = {
	{0x01, 0x7f, 0x00, 0x00, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
	{0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
	{0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

static bool utf8_tail_fits(const struct utf8_row *row, struct bytes b)
{
	if (b.n < row->length)
		return false;
	for (size_t i = 1; i < row->length; i++) {
		uint8_t low = i == 1 ? row->second_first : 0x80;
		uint8_t high = i == 1 ? row->second_last : 0xbf;
		if (b.p[i] < low || b.p[i] > high)
			return false;
	}
	return true;
}

size_t utf8_length(struct bytes b)
{
	if (b.n == 0)
		return 0;
	for (size_t i = 0; i < sizeof(utf8_rows) / sizeof(utf8_rows[0]); i++)
		if (b.p[0] >= utf8_rows[i].first && b.p[0] <= utf8_rows[i].last)
			return utf8_tail_fits(&utf8_rows[i], b) ? utf8_rows[i].length : 0;
	return 0;
}

static size_t escape_byte(uint8_t byte, char *out)
{
	static const char digits[] = "0123456789abcdef";
	out[0] = '\\';
	out[1] = 'x';
	out[2] = digits[byte >> 4];
	out[3] = digits[byte & 15];
	return 4;
}

json_t *json_text(struct bytes value)
{
	char *text = malloc(value.n * 4 + 1); /* four characters a byte at worst */
	if (!text)
		return NULL;
	size_t length = 0;
	while (value.n) {
		size_t n = utf8_length(value);
		if (n) {
			memcpy(text + length, value.p, n);
			length += n;
		} else {
			length += escape_byte(value.p[0], text + length);
		}
		value = bytes_from(value, n ? n : 1);
	}
	json_t *json = json_stringn_nocheck(text, length);
	free(text);
	return json;
}

json_t *json_count(uint64_t value)
{
	return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}
