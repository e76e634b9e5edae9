/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the engine gives up before it reads the first hostile byte: its user, every capability but
 * CAP_NET_ADMIN, new privileges, and all system calls but those of its loop. sandbox_none.c stands
 * in for sandbox.c in sanitizer builds, whose runtimes need calls of their own.
 */
#ifndef ENGINE_SANDBOX_H
#define ENGINE_SANDBOX_H

#include <stdint.h>

/* Ends the process when it cannot be done: an engine with privileges must not read packets. */
void sandbox_drop_privileges(uint32_t uid, uint32_t gid);
/* For every thread of the process, once all of them run. */
void sandbox_restrict_calls(void);

#endif
