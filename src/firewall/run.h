/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs one of the system's programs to its end, in bounded time. Input and output are memory files,
 * so nothing can block on a pipe. The program sees an environment of ours only. Blocks the caller:
 * for the few milliseconds of iptables and modprobe.
 */
#ifndef FIREWALL_RUN_H
#define FIREWALL_RUN_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

enum { RUN_PATH_SIZE = 64, RUN_OUTPUT_MAX = 64 << 20 };

/* Where the program is: of the directories where systems keep such programs. False: nowhere. */
bool run_find(const char *name, char path[RUN_PATH_SIZE]);
/* 0: it ended with status 0; *out (the caller's to free, NUL-terminated) is what it printed; out
 * may be NULL. -ETIME: it was ended after the time. -EIO: another status; err has its first
 * complaint. Other errno: it did not run. */
int run_program(const char *const argv[], const char *input, char **out, struct error *err);

#endif
