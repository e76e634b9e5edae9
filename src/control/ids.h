/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Identity sets side by side: copies, and what changed from one to the next. Whether something that
 * flows may rest on has gone or become something else decides over a new epoch
 * (bridgewarden/shared.h): a mere addition does not cost the offloaded flows.
 */
#ifndef CONTROL_IDS_H
#define CONTROL_IDS_H

#include "bridgewarden/identity.h"

#include <jansson.h>

enum ids_change { IDS_ADDED, IDS_REMOVED, IDS_CHANGED };

/* Adds copies of everything in `from`; what has an id that is there already is replaced. -ENOMEM: a
 * part was added. */
int ids_add(struct identity_set *to, const struct identity_set *from);
/* Tells each endpoint that differs (the new one; the old one when removed). True: an address or a
 * network that was there before is gone, has another owner, or its owner is called otherwise. */
bool ids_diff(const struct identity_set *before, const struct identity_set *now,
	      void (*changed)(void *ctx, enum ids_change change, const struct identity_endpoint *e),
	      void *ctx);
/* New references. The object of an identity record; a line of `ids` is the same with more. */
json_t *ids_endpoint_json(const struct identity_endpoint *e);
const char *ids_change_name(enum ids_change change);

#endif
