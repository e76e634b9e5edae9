/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/host.h"

#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdlib.h>

static bool read_one(const struct ifaddrs *ifa, struct ip_addr *out)
{
	if (!ifa->ifa_addr)
		return false;
	if (ifa->ifa_addr->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, ifa->ifa_addr, sizeof(in));
		*out = ip_addr_from((const uint8_t *)&in.sin_addr, 4);
		return true;
	}
	if (ifa->ifa_addr->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;
		memcpy(&in6, ifa->ifa_addr, sizeof(in6));
		*out = ip_addr_from(in6.sin6_addr.s6_addr, 16);
		return true;
	}
	return false;
}

static int by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct ip_addr));
}

static void sort_and_drop_doubles(struct host_addrs *addrs)
{
	size_t kept = 0;
	qsort(addrs->items, addrs->n, sizeof(*addrs->items), by_bytes);
	for (size_t i = 0; i < addrs->n; i++)
		if (i == 0 || !ip_addr_equal(&addrs->items[i], &addrs->items[kept - 1]))
			addrs->items[kept++] = addrs->items[i];
	addrs->n = kept;
}

int host_addrs_read(struct host_addrs *out)
{
	struct ifaddrs *list = NULL;
	size_t room = 1;
	*out = (struct host_addrs){0};
	if (getifaddrs(&list))
		return -errno;
	for (const struct ifaddrs *ifa = list; ifa; ifa = ifa->ifa_next)
		room++;
	out->items = calloc(room, sizeof(*out->items));
	for (const struct ifaddrs *ifa = list; ifa && out->items; ifa = ifa->ifa_next)
		out->n += read_one(ifa, &out->items[out->n]);
	freeifaddrs(list);
	if (!out->items)
		return -ENOMEM;
	sort_and_drop_doubles(out);
	return 0;
}

bool host_addrs_equal(const struct host_addrs *a, const struct host_addrs *b)
{
	return a->n == b->n &&
	       (a->n == 0 || memcmp(a->items, b->items, a->n * sizeof(*a->items)) == 0);
}

bool host_addrs_keeps(const struct host_addrs *now, const struct host_addrs *before)
{
	size_t at = 0;
	for (size_t i = 0; i < before->n; i++) { /* both are sorted */
		while (at < now->n && by_bytes(&now->items[at], &before->items[i]) < 0)
			at++;
		if (at == now->n || !ip_addr_equal(&now->items[at], &before->items[i]))
			return false;
	}
	return true;
}

void host_addrs_fini(struct host_addrs *addrs)
{
	free(addrs->items);
	*addrs = (struct host_addrs){0};
}
