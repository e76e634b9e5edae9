/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The runtime directory and the one daemon that may use it. The lock is the kernel's (flock), so it
 * ends with the process however that ends; the file's text, the pid, is only for people.
 */
#ifndef CONTROL_LOCK_H
#define CONTROL_LOCK_H

#include "base/error.h"

#include <sys/types.h>

/* Makes the directory (mode 0750, that group) when it is missing. Refuses one that others may write
 * to. */
int runtime_dir_make(const char *dir, gid_t group, struct error *err);
/* -EBUSY: another daemon has it; err says which. The descriptor stays open for the daemon's life.
 */
int lock_take(const char *dir, int *fd, struct error *err);
/* Removes the file and releases. fd < 0 is fine. */
void lock_drop(const char *dir, int fd);
/* The group whose members may use the control socket: "bridgewarden" when there is one, else
 * root's. */
gid_t control_group(void);

#endif
