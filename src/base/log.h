/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Talk for the operator, on stderr: one line, one fact, key=value. Seven calls and no levels to
 * configure but debug on or off. Thread-safe: one write(2) a line.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

void log_init(const char *program, bool debug);
void log_fatal(const char *format, ...)
	__attribute__((format(printf, 1, 2), noreturn)); /* exit(1) */
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_errno(int err, const char *format, ...)
	__attribute__((format(printf, 2, 3))); /* err: errno, any sign */
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
