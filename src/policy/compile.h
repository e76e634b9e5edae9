/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A policy and the endpoints of the moment -> one image (image.h), in a block of memory or in a
 * sealed memfd.
 *
 * An address listed for an endpoint belongs to that endpoint if its network is managed, or if no
 * such network is known (an inventory). Two endpoints that claim one address make it nobody's,
 * until one of them is gone. Every address of the host, gateways included, is `host`. What lies in
 * a managed subnet and is nobody's is unknown: not `is_known`, and treated as a managed endpoint
 * that matches no selector but `any` and `cidr:`. Endpoints on networks that are not managed are
 * externals that are not `internet`. A network selector speaks of the address on that network, not
 * of the endpoint's other addresses.
 */
#ifndef POLICY_COMPILE_H
#define POLICY_COMPILE_H

#include "base/error.h"
#include "bridgewarden/identity.h"
#include "bridgewarden/policy.h"
#include "policy/load.h"

struct policy_inputs {
	const struct identity_set *ids;
	const struct ip_addr *host_addrs; /* besides the gateways of the networks */
	size_t n_host_addrs;
	uint32_t generation, epoch;
	long today; /* days since 1970-01-01; 0: only what had expired at load is left out */
};

struct policy_blob {
	void *data;
	size_t size;
};

/* 0; -ENOMEM; -E2BIG: the image would exceed 4 GiB. */
int policy_compile(const struct policy *policy, const struct policy_inputs *inputs,
		   struct policy_blob *out, struct error *err);
void policy_blob_free(struct policy_blob *blob); /* a zeroed one is fine */
/* For use in this process; valid as long as the blob. */
const struct policy_image *policy_image_of(const struct policy_blob *blob);
/* A memfd with the image that nobody can change any more. Negative errno. */
int policy_publish(const struct policy_blob *blob, int *fd_out);

#endif
