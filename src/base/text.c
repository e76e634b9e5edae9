/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/text.h"

#include <arpa/inet.h>
#include <stdlib.h>

const char *ip_addr_print(const struct ip_addr *a, char out[IP_ADDR_TEXT])
{
	bool v4 = ip_addr_is_v4(a);
	return inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? a->b + 12 : a->b, out, IP_ADDR_TEXT);
}

bool ip_addr_parse(const char *text, struct ip_addr *out)
{
	uint8_t raw[16];
	if (inet_pton(AF_INET, text, raw) == 1)
		*out = ip_addr_from(raw, 4);
	else if (inet_pton(AF_INET6, text, raw) == 1)
		*out = ip_addr_from(raw, 16);
	else
		return false;
	return true;
}

bool ip_prefix_contains(const struct ip_addr *prefix, uint8_t length, const struct ip_addr *a)
{
	size_t whole = length / 8;
	unsigned rest = length % 8;
	if (memcmp(prefix->b, a->b, whole) != 0)
		return false;
	return rest == 0 || ((prefix->b[whole] ^ a->b[whole]) >> (8 - rest)) == 0;
}

static bool has_host_bits(const struct ip_addr *addr, uint8_t length)
{
	struct ip_addr net = {0};
	memcpy(net.b, addr->b, length / 8);
	if (length % 8)
		net.b[length / 8] = (uint8_t)(addr->b[length / 8] & (0xff << (8 - length % 8)));
	return !ip_addr_equal(&net, addr);
}

bool ip_prefix_parse(const char *text, struct ip_addr *addr, uint8_t *length)
{
	char host[IP_ADDR_TEXT];
	size_t n = strcspn(text, "/");
	if (n >= sizeof(host))
		return false;
	memcpy(host, text, n);
	host[n] = '\0';
	if (!ip_addr_parse(host, addr))
		return false;
	long base = strchr(host, ':') ? 0 : 96;
	long bits = 128 - base;
	if (text[n] == '/') {
		char *end;
		bits = strtol(text + n + 1, &end, 10);
		if (text[n + 1] < '0' || text[n + 1] > '9' || *end != '\0' || bits > 128 - base)
			return false;
	}
	*length = (uint8_t)(base + bits);
	return !has_host_bits(addr, *length);
}
