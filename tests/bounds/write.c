/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "write.h"

#include <stdlib.h>

struct text written;

void write_bytes(struct bytes b)
{
	if (b.n > sizeof(written.bytes) - written.n)
		abort();
	if (b.n)
		memcpy(written.bytes + written.n, b.p, b.n);
	written.n += b.n;
}

void write_text(const char *s)
{
	write_bytes(bytes_str(s));
}

void write_copies(const char *s, size_t below)
{
	while (written.n + strlen(s) <= below)
		write_text(s);
}

void write_number(uint32_t v, unsigned size)
{
	while (size-- > 0) {
		const uint8_t b = (uint8_t)(v >> 8 * size);
		write_bytes(bytes_of(&b, 1));
	}
}

void write_number_at(size_t at, uint32_t v, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		written.bytes[at + i] = (uint8_t)(v >> 8 * (size - 1 - i));
}

void write_turn(struct talk *t, enum dis_dir dir)
{
	talk_add(t, dir, bytes_of(written.bytes, written.n));
	written.n = 0;
}
