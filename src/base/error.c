/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *err, int code, const char *format, ...)
{
	if (!err)
		return code;
	va_list args;
	va_start(args, format);
	(void)vsnprintf(err->text, sizeof(err->text), format,
			args); /* a cut message is still a message */
	va_end(args);
	return code;
}

void error_prepend(struct error *err, const char *format, ...)
{
	if (!err)
		return;
	char tail[sizeof(err->text)];
	memcpy(tail, err->text, sizeof(tail));
	va_list args;
	va_start(args, format);
	int n = vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	if (n < 0 || (size_t)n + 2 >= sizeof(err->text))
		return;
	size_t at = (size_t)n;
	memcpy(err->text + at, ": ", 2);
	size_t room = sizeof(err->text) - at - 2;
	size_t keep = strnlen(tail, room - 1);
	memcpy(err->text + at + 2, tail, keep);
	err->text[at + 2 + keep] = '\0';
}
