/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's own addresses: what the selector `host` means. */
#ifndef CONTROL_HOST_H
#define CONTROL_HOST_H

#include "bridgewarden/packet.h"

/* Sorted, without doubles; loopback included. The caller frees. Zeroed memory is an empty list. */
struct host_addrs {
	struct ip_addr *items;
	size_t n;
};

int host_addrs_read(struct host_addrs *out); /* negative errno: *out is empty */
bool host_addrs_equal(const struct host_addrs *a, const struct host_addrs *b);
/* Is every address of `before` still there? */
bool host_addrs_keeps(const struct host_addrs *now, const struct host_addrs *before);
void host_addrs_fini(struct host_addrs *addrs);

#endif
