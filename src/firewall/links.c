/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "firewall/links.h"

#include "firewall/netlink.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DUMPS_MAX = 8 }; /* a list that changed while it was read is read again */

/* ---- the list ---- */

static int grow(struct links *links)
{
	if (links->n != 0 && (links->n & (links->n - 1)) != 0)
		return 0;
	void *more = reallocarray(links->items, links->n ? links->n * 2 : 1, sizeof(*links->items));
	if (!more)
		return -ENOMEM;
	links->items = more;
	return 0;
}

static int take_info(const struct nlattr *a, void *ctx)
{
	struct link *link = ctx;
	if (mnl_attr_get_type(a) != IFLA_INFO_KIND || mnl_attr_validate(a, MNL_TYPE_NUL_STRING) < 0)
		return MNL_CB_OK;
	const char *kind = mnl_attr_get_str(a);
	link->is_bridge = strcmp(kind, "bridge") == 0;
	link->is_veth = strcmp(kind, "veth") == 0;
	link->is_tap = strcmp(kind, "tun") == 0;
	return MNL_CB_OK;
}

static int take_attribute(const struct nlattr *a, void *ctx)
{
	struct link *link = ctx;
	uint16_t type = mnl_attr_get_type(a), size = mnl_attr_get_payload_len(a);
	bool is_number = mnl_attr_validate(a, MNL_TYPE_U32) >= 0;
	if (type == IFLA_MASTER && is_number)
		link->master = (int)mnl_attr_get_u32(a);
	if (type == IFLA_LINK_NETNSID && is_number)
		link->namespace = (int)mnl_attr_get_u32(a);
	if (type == IFLA_IFNAME && mnl_attr_validate(a, MNL_TYPE_NUL_STRING) >= 0)
		(void)strncpy(link->name, mnl_attr_get_str(a), IFNAMSIZ - 1);
	if (type == IFLA_ADDRESS && size == sizeof(link->mac))
		memcpy(link->mac, mnl_attr_get_payload(a), size);
	if (type == IFLA_LINKINFO)
		return mnl_attr_parse_nested(a, take_info, link);
	return MNL_CB_OK;
}

static int take_link(const struct nlmsghdr *m, void *ctx)
{
	struct links *links = ctx;
	const struct ifinfomsg *head = mnl_nlmsg_get_payload(m);
	if (m->nlmsg_type != RTM_NEWLINK)
		return MNL_CB_OK;
	if (grow(links) < 0) {
		errno = ENOMEM;
		return MNL_CB_ERROR;
	}
	struct link *link = &links->items[links->n++];
	*link = (struct link){.ifindex = head->ifi_index, .namespace = -1};
	return mnl_attr_parse(m, sizeof(*head), take_attribute, link);
}

static int by_ifindex(const void *a, const void *b)
{
	const struct link *x = a, *y = b;
	return (x->ifindex > y->ifindex) - (x->ifindex < y->ifindex);
}

static int read_once(struct links *out)
{
	_Alignas(struct nlmsghdr) char buffer[256];
	struct nlmsghdr *m = mnl_nlmsg_put_header(buffer);
	m->nlmsg_type = RTM_GETLINK;
	m->nlmsg_flags = NLM_F_DUMP;
	(void)mnl_nlmsg_put_extra_header(m, sizeof(struct ifinfomsg)); /* AF_UNSPEC: all */
	mnl_attr_put_u32(m, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	*out = (struct links){0};
	int r = netlink_ask(NETLINK_ROUTE, m, take_link, out);
	if (r < 0)
		links_fini(out);
	return r;
}

int links_read(struct links *out)
{
	int r = -EINTR;
	for (int i = 0; i < DUMPS_MAX && r == -EINTR; i++)
		r = read_once(out);
	if (r == 0 && out->n > 0)
		qsort(out->items, out->n, sizeof(*out->items), by_ifindex);
	return r;
}

void links_fini(struct links *links)
{
	free(links->items);
	*links = (struct links){0};
}

const struct link *links_named(const struct links *links, const char *name)
{
	for (size_t i = 0; i < links->n; i++)
		if (strcmp(links->items[i].name, name) == 0)
			return &links->items[i];
	return NULL;
}

const struct link *links_port(const struct links *links, int bridge, int namespace)
{
	const struct link *found = NULL;
	if (bridge <= 0 || namespace < 0)
		return NULL;
	for (size_t i = 0; i < links->n; i++) {
		const struct link *link = &links->items[i];
		if (link->master != bridge || link->namespace != namespace)
			continue;
		if (found)
			return NULL;
		found = link;
	}
	return found;
}

/* A container or a machine of its own, not a network. The other end of a veth pair in this
 * namespace may be anywhere: on another bridge, say. */
static bool is_leaf(const struct link *link)
{
	return link->is_tap || (link->is_veth && link->namespace >= 0);
}

bool links_is_open(const struct links *links, const char *name)
{
	const struct link *bridge = links_named(links, name);
	if (!bridge || !bridge->is_bridge)
		return bridge != NULL;
	for (size_t i = 0; i < links->n; i++)
		if (links->items[i].master == bridge->ifindex && !is_leaf(&links->items[i]))
			return true;
	return false;
}

/* ---- namespaces of processes ---- */

struct links_asker {
	struct mnl_socket *socket;
};

struct links_asker *links_asker_new(void)
{
	struct links_asker *asker = calloc(1, sizeof(*asker));
	if (!asker)
		return NULL;
	asker->socket = netlink_open(NETLINK_ROUTE);
	if (asker->socket)
		return asker;
	free(asker);
	return NULL;
}

void links_asker_free(struct links_asker *asker)
{
	if (!asker)
		return;
	(void)mnl_socket_close(asker->socket); /* nothing is lost */
	free(asker);
}

static int take_number(const struct nlattr *a, void *ctx)
{
	int *out = ctx;
	if (mnl_attr_get_type(a) == NETNSA_NSID && mnl_attr_validate(a, MNL_TYPE_U32) >= 0)
		*out = (int)mnl_attr_get_u32(a);
	return MNL_CB_OK;
}

static int take_namespace(const struct nlmsghdr *m, void *ctx)
{
	return mnl_attr_parse(m, NLMSG_ALIGN(sizeof(struct rtgenmsg)), take_number, ctx);
}

int links_namespace_of(struct links_asker *asker, uint32_t pid)
{
	_Alignas(struct nlmsghdr) char buffer[128];
	int number = -1;
	struct nlmsghdr *m = mnl_nlmsg_put_header(buffer);
	m->nlmsg_type = RTM_GETNSID;
	(void)mnl_nlmsg_put_extra_header(m, sizeof(struct rtgenmsg)); /* AF_UNSPEC */
	mnl_attr_put_u32(m, NETNSA_PID, pid);
	return netlink_ask_on(asker->socket, m, take_namespace, &number) < 0 ? -1 : number;
}

/* ---- news ---- */

int links_watch(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	struct sockaddr_nl at = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	if (fd < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)&at, sizeof(at)) == 0)
		return fd;
	int why = errno;
	(void)close(fd); /* nothing was read */
	return -why;
}

/* What it says does not matter, nor that some of it was lost (ENOBUFS): everything is read afresh.
 */
void links_watch_drain(int fd)
{
	char ignored[4096];
	ssize_t n;
	do
		n = recv(fd, ignored, sizeof(ignored), MSG_TRUNC);
	while (n >= 0 || errno == ENOBUFS || errno == EINTR);
}
