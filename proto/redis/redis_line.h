/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inline commands: a line of words, for people with telnet and for health checks. The server reads
 * quotes, escapes and any control character in them, and takes lines of HTTP for commands. Here a
 * line is a command only if there is one way to read it:
 *
 *   - printable ASCII without quotes and backslash, words apart by blanks, CRLF at the end;
 *   - the first word is a command of the table and no method of HTTP, no word begins with "HTTP/";
 *   - before anything proved the connection to be Redis, one of a few commands that no other
 *     protocol opens with.
 */
#ifndef REDIS_LINE_H
#define REDIS_LINE_H

#include "redis_keys.h"

enum { REDIS_LINE_MAX = 1024 };

/* is_first: nothing is proved yet. DIS_MALFORMED: no such line, known as early as its bytes tell.
 */
struct redis_walk redis_walk_line(struct bytes in, bool is_first, struct redis_args *args);

#endif
