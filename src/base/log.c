/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *program_name = "bridgewarden";
static bool debug_on;

void log_init(const char *program, bool debug)
{
	program_name = program;
	debug_on = debug;
}

static void emit(const char *level, int err, const char *format, va_list args)
{
	char line[1024];
	size_t room = sizeof(line) - 1;
	int n = snprintf(line, room, "%s: %s", program_name, level);
	size_t at = n < 0 ? 0 : (size_t)n;
	n = vsnprintf(line + at, room - at, format, args);
	at = n < 0 ? at : (size_t)n >= room - at ? room - 1 : at + (size_t)n;
	if (err) {
		char text[128];
		n = snprintf(line + at, room - at, ": %s",
			     strerror_r(err < 0 ? -err : err, text, sizeof(text)));
		at = n < 0 ? at : (size_t)n >= room - at ? room - 1 : at + (size_t)n;
	}
	line[at++] = '\n';
	ssize_t done = write(STDERR_FILENO, line, at);
	(void)done; /* nowhere left to complain */
}

#define FORWARD(level, err)                                                                        \
	va_list args;                                                                              \
	va_start(args, format);                                                                    \
	emit(level, err, format, args);                                                            \
	va_end(args)

void log_fatal(const char *format, ...)
{
	FORWARD("fatal: ", 0);
	exit(EXIT_FAILURE);
}

void log_error(const char *format, ...)
{
	FORWARD("error: ", 0);
}

void log_errno(int err, const char *format, ...)
{
	FORWARD("error: ", err);
}

void log_warn(const char *format, ...)
{
	FORWARD("warning: ", 0);
}

void log_info(const char *format, ...)
{
	FORWARD("", 0);
}

void log_debug(const char *format, ...)
{
	if (!debug_on)
		return;
	FORWARD("debug: ", 0);
}
