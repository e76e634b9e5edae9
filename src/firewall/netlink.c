/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "firewall/netlink.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

enum { ANSWER_SIZE = 32768 }; /* the most that the kernel puts into one answer of a dump */

struct mnl_socket *netlink_open(int bus)
{
	struct mnl_socket *socket = mnl_socket_open2(bus, SOCK_CLOEXEC);
	if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) == 0)
		return socket;
	int why = errno;
	(void)mnl_socket_close(socket); /* nothing is lost */
	errno = why;
	return NULL;
}

int netlink_ask_on(struct mnl_socket *socket, struct nlmsghdr *request, mnl_cb_t take, void *ctx)
{
	char buffer[ANSWER_SIZE];
	bool is_dump = (request->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	request->nlmsg_seq = (uint32_t)time(NULL);
	request->nlmsg_flags |= is_dump ? NLM_F_REQUEST : NLM_F_REQUEST | NLM_F_ACK;
	if (mnl_socket_sendto(socket, request, request->nlmsg_len) < 0)
		return -errno;
	unsigned port = mnl_socket_get_portid(socket);
	for (int more = MNL_CB_OK; more > MNL_CB_STOP;) {
		ssize_t n = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
		more = n < 0 ? -1
			     : mnl_cb_run(buffer, (size_t)n, request->nlmsg_seq, port, take, ctx);
		if (more < 0)
			return -errno;
	}
	return 0;
}

int netlink_ask(int bus, struct nlmsghdr *request, mnl_cb_t take, void *ctx)
{
	struct mnl_socket *socket = netlink_open(bus);
	if (!socket)
		return -errno;
	int r = netlink_ask_on(socket, request, take, ctx);
	(void)mnl_socket_close(socket); /* nothing is lost */
	return r;
}
