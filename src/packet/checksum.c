/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "packet/checksum.h"

#include <netinet/in.h>

/* Sums 16-bit words in network order; the order of bytes inside words of 32 bits does not matter
 * until the fold. */
static uint64_t sum_bytes(uint64_t sum, const uint8_t *p, size_t n)
{
	for (; n >= 4; p += 4, n -= 4) {
		uint32_t word;
		memcpy(&word, p, sizeof(word));
		sum += word;
	}
	if (n) {
		uint32_t word = 0;
		memcpy(&word, p, n);
		sum += word;
	}
	return sum;
}

static uint16_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

uint16_t checksum_ipv4_header(const uint8_t *header, size_t n)
{
	return ntohs(fold(sum_bytes(0, header, n)));
}

uint16_t checksum_transport(const struct ip_addr *src, const struct ip_addr *dst, uint8_t ip_proto,
			    struct bytes transport)
{
	size_t from = ip_addr_is_v4(src) ? 12 : 0;
	uint32_t tail[2] = {htonl((uint32_t)transport.n), htonl(ip_proto)};
	uint64_t sum = sum_bytes(0, transport.p, transport.n);
	/* ICMP over IPv4 has no pseudo header. */
	if (ip_proto != IPPROTO_ICMP) {
		sum = sum_bytes(sum, src->b + from, 16 - from);
		sum = sum_bytes(sum, dst->b + from, 16 - from);
		sum = sum_bytes(sum, (const uint8_t *)tail, sizeof(tail));
	}
	return ntohs(fold(sum));
}
