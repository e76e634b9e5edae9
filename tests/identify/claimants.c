/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads beginnings of connections, a line each: "tcp c HEX" (c: of a client, s: of a server, udp:
 * one datagram), and prints for each who claims it: "tcp c ssh". identify.py feeds it from
 * captures.
 */
#include <stdio.h>

#include "claim.h"

enum { LINE_MAX_BYTES = 2 * 65536 + 64 };

/* What is no digit is 16. */
static unsigned digit_of(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c) : NULL;
	return at ? (unsigned)(at - digits) : 16;
}

static size_t read_hex(const char *text, uint8_t *out, size_t room)
{
	size_t n = 0;
	for (; n < room && digit_of(text[0]) < 16 && digit_of(text[1]) < 16; n++, text += 2)
		out[n] = (uint8_t)(digit_of(text[0]) << 4 | digit_of(text[1]));
	return n;
}

int main(void)
{
	static char line[LINE_MAX_BYTES];
	static uint8_t bytes[65536];
	while (fgets(line, sizeof line, stdin)) {
		const bool is_udp = line[0] == 'u', is_client = line[4] == 'c';
		if (strlen(line) < 8)
			continue;
		const size_t n = read_hex(line + 6, bytes, sizeof bytes);
		printf("%.5s", line);
		for (size_t i = 0; i < n_dissectors; i++)
			if (claim_does(dissectors[i], is_udp ? IPPROTO_UDP : IPPROTO_TCP,
				       is_client ? DIS_TO_SERVER : DIS_TO_CLIENT,
				       bytes_of(bytes, n)))
				printf(" %s", dissectors[i]->name);
		printf("\n");
	}
	return EXIT_SUCCESS;
}
