/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/peer.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PEER_GROUPS_MAX = 65536 /* NGROUPS_MAX */ };

static bool has_supplementary(int fd, gid_t group)
{
	socklen_t size = PEER_GROUPS_MAX * sizeof(gid_t);
	gid_t *groups = malloc(size);
	bool found = false;
	if (groups && getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) == 0)
		for (size_t i = 0; i < size / sizeof(gid_t) && !found; i++)
			found = groups[i] == group;
	free(groups);
	return found;
}

bool peer_may_control(int fd, gid_t group)
{
	struct ucred cred;
	socklen_t size = sizeof(cred);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size))
		return false;
	return cred.uid == 0 || cred.uid == geteuid() || cred.gid == group ||
	       has_supplementary(fd, group);
}
