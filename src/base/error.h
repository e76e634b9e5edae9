/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One message for a person: what went wrong, where, and what would mend it. Filled by the function
 * that knows, printed once by the one that handles it. Control path only.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

struct error {
	char text[512];
};

/* Sets the text (truncating) and returns `code`, so that `return error_set(err, -EINVAL, "...")`
 * reads well. err may be NULL. */
int error_set(struct error *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Puts "context: " before what is there already. */
void error_prepend(struct error *err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
