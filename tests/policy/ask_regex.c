/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ask_regex: expressions and texts on standard input, in hexadecimal, answers on standard output.
 *
 *	e HEX    an expression; E HEX: case folded        -> "ok" or "no WHY"
 *	t HEX    a text for the last expression           -> "1" or "0"
 */
#include "policy/regex.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t from_hex(const char *hex, uint8_t *out, size_t room)
{
	size_t n = 0;
	unsigned byte;
	for (; n < room && sscanf(hex + 2 * n, "%2x", &byte) == 1; n++)
		out[n] = (uint8_t)byte;
	return n;
}

static void answer(char verb, struct bytes in, struct machine *machine)
{
	const char *why = "no memory";
	size_t at;
	if (verb == 't') {
		puts(machine->steps && machine_match(machine->class_of, machine->steps,
						     machine->n_classes, in)
			     ? "1"
			     : "0");
		return;
	}
	machine_fini(machine);
	if (regex_compile(in, verb == 'E', machine, &why, &at) == 0)
		puts("ok");
	else
		printf("no %s\n", why);
}

int main(void)
{
	static char line[8192];
	static uint8_t bytes[4096];
	struct machine machine = {0};
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (strlen(line) >= 2)
			answer(line[0], bytes_of(bytes, from_hex(line + 2, bytes, sizeof(bytes))),
			       &machine);
	}
	machine_fini(&machine);
	return EXIT_SUCCESS;
}
