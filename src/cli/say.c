/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>

enum { SAY_MAX = 2048 };

void cli_say(const char *format, ...)
{
	char text[SAY_MAX];
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args); /* a cut message is still a message */
	va_end(args);
	fprintf(stderr, "bridgewarden: %s\n", text);
}

int cli_usage(const char *format, ...)
{
	char text[SAY_MAX];
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	cli_say("%s", text);
	fputs("'bridgewarden --help' lists commands and options.\n", stderr);
	return CLI_USAGE;
}
