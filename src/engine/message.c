/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages with descriptors between the two processes. */
#include "engine/process.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

union control_buffer {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(ENGINE_FDS_MAX * sizeof(int))];
};

int engine_send(int socket, const void *message, size_t n, const int *fds, unsigned n_fds)
{
	union control_buffer control = {0};
	struct iovec data = {(void *)(uintptr_t)message, n};
	struct msghdr m = {.msg_iov = &data, .msg_iovlen = 1};
	if (n_fds > 0) {
		m.msg_control = control.bytes;
		m.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	return sendmsg(socket, &m, MSG_NOSIGNAL) == (ssize_t)n ? 0 : -errno;
}

ssize_t engine_receive(int socket, void *message, size_t max, int *fds, unsigned *n_fds)
{
	union control_buffer control = {0};
	struct iovec data = {message, max};
	struct msghdr m = {.msg_iov = &data,
			   .msg_iovlen = 1,
			   .msg_control = control.bytes,
			   .msg_controllen = sizeof(control.bytes)};
	*n_fds = 0;
	ssize_t n;
	do
		n = recvmsg(socket, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		*n_fds = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(c), *n_fds * sizeof(int));
	}
	return n;
}
