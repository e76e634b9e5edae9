/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "firewall/bridge.h"

#include "firewall/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <string.h>

/* What a link's answer says. */
struct seen {
	struct bridge_switches switches;
	bool is_bridge;
};

static void take_options(const struct nlattr *a, struct bridge_switches *out)
{
	struct br_boolopt_multi options;
	if (mnl_attr_get_payload_len(a) < sizeof(options))
		return;
	memcpy(&options, mnl_attr_get_payload(a), sizeof(options));
	out->no_ll_learn = options.optval >> BR_BOOLOPT_NO_LL_LEARN & 1;
	out->has_no_ll_learn = options.optmask >> BR_BOOLOPT_NO_LL_LEARN & 1;
}

static int take_switch(const struct nlattr *a, void *ctx)
{
	struct seen *seen = ctx;
	bool is_byte = mnl_attr_validate(a, MNL_TYPE_U8) >= 0;
	if (is_byte && mnl_attr_get_type(a) == IFLA_BR_NF_CALL_IPTABLES)
		seen->switches.ipv4 = mnl_attr_get_u8(a);
	if (is_byte && mnl_attr_get_type(a) == IFLA_BR_NF_CALL_IP6TABLES)
		seen->switches.ipv6 = mnl_attr_get_u8(a);
	if (mnl_attr_get_type(a) == IFLA_BR_MULTI_BOOLOPT)
		take_options(a, &seen->switches);
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
	int r = netlink_ask(NETLINK_ROUTE, m, take_link, &seen);
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
	if (to->has_no_ll_learn) {
		const struct br_boolopt_multi options = {
			.optval = (uint32_t)to->no_ll_learn << BR_BOOLOPT_NO_LL_LEARN,
			.optmask = 1u << BR_BOOLOPT_NO_LL_LEARN,
		};
		mnl_attr_put(m, IFLA_BR_MULTI_BOOLOPT, sizeof(options), &options);
	}
	mnl_attr_nest_end(m, data);
	mnl_attr_nest_end(m, info);
	return netlink_ask(NETLINK_ROUTE, m, NULL, NULL);
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
	return netlink_ask(NETLINK_NETFILTER, m, take_generation, out);
}
