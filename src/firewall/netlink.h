/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One question to the kernel and all answers to it, on a socket of its own. Blocks for as long as
 * the kernel takes. */
#ifndef FIREWALL_NETLINK_H
#define FIREWALL_NETLINK_H

#include <libmnl/libmnl.h>

/* Sends the request (a dump when it has NLM_F_DUMP) and gives each answer to take, which may be
 * NULL. Negative errno; -EINTR: what is listed changed meanwhile, ask again. */
int netlink_ask(int bus, struct nlmsghdr *request, mnl_cb_t take, void *ctx);

/* Many questions on one socket: the same, with a socket of the caller's, that is bound. */
int netlink_ask_on(struct mnl_socket *socket, struct nlmsghdr *request, mnl_cb_t take, void *ctx);
struct mnl_socket *netlink_open(int bus); /* NULL: errno */

#endif
