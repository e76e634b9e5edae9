/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "firewall/bridge.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <time.h>

enum {
	TALK_SIZE = 32768
}; /* a link with all its attributes; MNL_SOCKET_BUFFER_SIZE is not constant */

/* Sends one request and takes the answers to it. */
static int talk(int bus, struct nlmsghdr *request, mnl_cb_t take, void *ctx)
{
	char buffer[TALK_SIZE];
	struct mnl_socket *socket = mnl_socket_open2(bus, SOCK_CLOEXEC);
	if (!socket)
		return -errno;
	request->nlmsg_seq = (uint32_t)time(NULL);
	request->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	int r = 0;
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(socket, request, request->nlmsg_len) < 0)
		r = -errno;
	unsigned port = mnl_socket_get_portid(socket);
	for (int more = MNL_CB_OK; r == 0 && more > MNL_CB_STOP;) {
		ssize_t n = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
		more = n < 0 ? -1
			     : mnl_cb_run(buffer, (size_t)n, request->nlmsg_seq, port, take, ctx);
		if (more < 0)
			r = -errno;
	}
	(void)mnl_socket_close(socket); /* nothing is lost */
	return r;
}

/* What a link's answer says. */
struct seen {
	struct bridge_switches switches;
	bool is_bridge;
};

static int take_switch(const struct nlattr *a, void *ctx)
{
	struct seen *seen = ctx;
	if (mnl_attr_validate(a, MNL_TYPE_U8) < 0)
		return MNL_CB_OK;
	if (mnl_attr_get_type(a) == IFLA_BR_NF_CALL_IPTABLES)
		seen->switches.ipv4 = mnl_attr_get_u8(a);
	if (mnl_attr_get_type(a) == IFLA_BR_NF_CALL_IP6TABLES)
		seen->switches.ipv6 = mnl_attr_get_u8(a);
	return MNL_CB_OK;
}

static int take_info(const struct nlattr *a, void *ctx)
{
	struct seen *seen = ctx;
	if (mnl_attr_get_type(a) == IFLA_INFO_KIND &&
	    mnl_attr_validate(a, MNL_TYPE_NUL_STRING) >= 0)
		seen->is_bridge = strcmp(mnl_attr_get_str(a), "bridge") == 0;
	if (mnl_attr_get_type(a) == IFLA_INFO_DATA &&
	    seen->is_bridge) /* the kernel puts the kind first */
		return mnl_attr_parse_nested(a, take_switch, seen);
	return MNL_CB_OK;
}

static int take_attribute(const struct nlattr *a, void *ctx)
{
	if (mnl_attr_get_type(a) == IFLA_LINKINFO)
		return mnl_attr_parse_nested(a, take_info, ctx);
	return MNL_CB_OK;
}

static int take_link(const struct nlmsghdr *m, void *ctx)
{
	struct seen *seen = ctx;
	const struct ifinfomsg *link = mnl_nlmsg_get_payload(m);
	seen->switches.ifindex = link->ifi_index;
	return mnl_attr_parse(m, sizeof(*link), take_attribute, seen);
}

int bridge_read(const char *name, struct bridge_switches *out)
{
	_Alignas(struct nlmsghdr) char buffer[256];
	struct seen seen = {0};
	struct nlmsghdr *m = mnl_nlmsg_put_header(buffer);
	m->nlmsg_type = RTM_GETLINK;
	(void)mnl_nlmsg_put_extra_header(m, sizeof(struct ifinfomsg)); /* zeroed is right */
	mnl_attr_put_strz(m, IFLA_IFNAME, name);
	int r = talk(NETLINK_ROUTE, m, take_link, &seen);
	if (r < 0)
		return r;
	*out = seen.switches;
	return seen.is_bridge ? 0 : -ENOTSUP;
}

int bridge_write(const struct bridge_switches *to)
{
	_Alignas(struct nlmsghdr) char buffer[256];
	struct nlmsghdr *m = mnl_nlmsg_put_header(buffer);
	m->nlmsg_type = RTM_NEWLINK;
	struct ifinfomsg *link = mnl_nlmsg_put_extra_header(m, sizeof(*link));
	link->ifi_index = to->ifindex;
	struct nlattr *info = mnl_attr_nest_start(m, IFLA_LINKINFO);
	mnl_attr_put_strz(m, IFLA_INFO_KIND, "bridge");
	struct nlattr *data = mnl_attr_nest_start(m, IFLA_INFO_DATA);
	mnl_attr_put_u8(m, IFLA_BR_NF_CALL_IPTABLES, to->ipv4);
	mnl_attr_put_u8(m, IFLA_BR_NF_CALL_IP6TABLES, to->ipv6);
	mnl_attr_nest_end(m, data);
	mnl_attr_nest_end(m, info);
	return talk(NETLINK_ROUTE, m, NULL, NULL);
}

static int take_number(const struct nlattr *a, void *ctx)
{
	uint32_t *out = ctx;
	if (mnl_attr_get_type(a) == NFTA_GEN_ID && mnl_attr_validate(a, MNL_TYPE_U32) >= 0)
		*out = ntohl(mnl_attr_get_u32(a));
	return MNL_CB_OK;
}

static int take_generation(const struct nlmsghdr *m, void *ctx)
{
	return mnl_attr_parse(m, sizeof(struct nfgenmsg), take_number, ctx);
}

int bridge_ruleset_number(uint32_t *out)
{
	_Alignas(struct nlmsghdr) char buffer[256];
	struct nlmsghdr *m = mnl_nlmsg_put_header(buffer);
	m->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN;
	(void)mnl_nlmsg_put_extra_header(m, sizeof(struct nfgenmsg)); /* AF_UNSPEC, version 0 */
	return talk(NETLINK_NETFILTER, m, take_generation, out);
}
