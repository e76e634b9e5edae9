/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A static inventory: endpoints that no Docker engine knows (virtual machines, the hosts of a
 * capture), as YAML.
 *
 *	endpoints:
 *	- {ip: 198.18.0.2, container: wp-1, project: blog, service: wordpress,
 *	   image: wordpress:6, labels: {tier: web}, networks: [blog_default],
 *	   mac: "02:42:c6:12:00:02", port: vnet0}
 *	networks:
 *	- {name: blog_default, bridge: br-blog, subnets: [198.18.0.0/24],
 *	   gateways: [198.18.0.1], project: blog}
 *
 * `port` is the interface of the bridge that leads to it: nobody behind another port may use its
 * addresses, nor it others. `ips` is a list where there is more than one. Without `container` an
 * endpoint is called by its first address. An unknown or repeated key, a value of another type, two
 * endpoints of one name: all are errors, with line and column.
 */
#ifndef IDENTITY_INVENTORY_H
#define IDENTITY_INVENTORY_H

#include "base/error.h"
#include "bridgewarden/identity.h"

/* Adds to *out. -EINVAL: not such a file; -ENOMEM, or why it cannot be read. On
 * failure *out is as it was, except that -ENOMEM may leave a part. */
int inventory_load(const char *path, struct identity_set *out, struct error *err);
int inventory_load_text(const char *name, const char *text, size_t n, struct identity_set *out,
			struct error *err);

#endif
