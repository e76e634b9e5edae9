/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "output/community.h"

#include <netinet/in.h>
#include <openssl/evp.h>

/* The two "ports" that take part in the digest, and whether the pair has a direction at all. */
struct community_ports {
	uint16_t src, dst;
	bool has_ports, is_one_way;
};

struct icmp_pair {
	uint8_t type, answer;
};

static const struct icmp_pair icmp4_pairs[] = {{8, 0}, {13, 14}, {15, 16}, {10, 9}, {17, 18}};
static const struct icmp_pair icmp6_pairs[] = {{128, 129}, {133, 134}, {135, 136},
					       {130, 131}, {144, 145}, {139, 140}};

static struct community_ports icmp_ports(const struct icmp_pair *pairs, size_t n,
					 uint16_t type_code)
{
	uint8_t type = (uint8_t)(type_code >> 8);
	struct community_ports ports = {.src = type, .has_ports = true, .is_one_way = true};
	ports.dst = type_code & 0xff;
	for (size_t i = 0; i < n; i++) {
		if (pairs[i].type != type && pairs[i].answer != type)
			continue;
		ports.dst = pairs[i].type == type ? pairs[i].answer : pairs[i].type;
		ports.is_one_way = false;
	}
	return ports;
}

static struct community_ports ports_of(const struct community_flow *flow)
{
	switch (flow->ip_proto) {
	case IPPROTO_ICMP:
		return icmp_ports(icmp4_pairs, sizeof(icmp4_pairs) / sizeof(icmp4_pairs[0]),
				  flow->dst_port);
	case IPPROTO_ICMPV6:
		return icmp_ports(icmp6_pairs, sizeof(icmp6_pairs) / sizeof(icmp6_pairs[0]),
				  flow->dst_port);
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_SCTP:
		return (struct community_ports){flow->src_port, flow->dst_port, true, false};
	default:
		return (struct community_ports){0};
	}
}

static size_t put_u16(uint8_t *out, uint16_t value)
{
	out[0] = (uint8_t)(value >> 8);
	out[1] = (uint8_t)value;
	return 2;
}

static size_t put_addr(uint8_t *out, const struct ip_addr *addr)
{
	size_t skip = ip_addr_is_v4(addr) ? 12 : 0;
	memcpy(out, addr->b + skip, sizeof(addr->b) - skip);
	return sizeof(addr->b) - skip;
}

/* The lower of the two ends comes first. */
static bool is_ordered(const struct community_flow *flow, const struct community_ports *ports)
{
	int order = memcmp(&flow->src, &flow->dst, sizeof(flow->src));
	return ports->is_one_way || order < 0 || (order == 0 && ports->src <= ports->dst);
}

bool community_id(const struct community_flow *flow, char out[COMMUNITY_TEXT])
{
	if (ip_addr_is_v4(&flow->src) != ip_addr_is_v4(&flow->dst))
		return false;
	struct community_ports ports = ports_of(flow);
	bool ordered = is_ordered(flow, &ports);
	uint8_t input[2 + 16 + 16 + 2 + 4] = {0}; /* seed, addresses, protocol and padding, ports */
	size_t n = 2;
	n += put_addr(input + n, ordered ? &flow->src : &flow->dst);
	n += put_addr(input + n, ordered ? &flow->dst : &flow->src);
	input[n] = flow->ip_proto;
	n += 2;
	if (ports.has_ports) {
		n += put_u16(input + n, ordered ? ports.src : ports.dst);
		n += put_u16(input + n, ordered ? ports.dst : ports.src);
	}
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned length = 0;
	if (!EVP_Digest(input, n, digest, &length, EVP_sha1(), NULL) || length != 20)
		return false;
	out[0] = '1';
	out[1] = ':';
	return EVP_EncodeBlock((unsigned char *)out + 2, digest, (int)length) == COMMUNITY_TEXT - 3;
}
