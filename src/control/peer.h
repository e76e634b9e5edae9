/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is at the other end of a unix socket: the socket's mode is the first gate, this is the
 * second. */
#ifndef CONTROL_PEER_H
#define CONTROL_PEER_H

#include <stdbool.h>
#include <sys/types.h>

/* root, the daemon's own user, or a member (primary or supplementary) of that group. */
bool peer_may_control(int fd, gid_t group);

#endif
