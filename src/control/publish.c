/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From policy, identities and host to an image in the engine. Everything is prepared aside and
 * swapped in at the end, so that a failure anywhere changes nothing.
 *
 * The epoch changes when something that an offloaded flow may rest on changed (the policy, the
 * host, an endpoint or network that was there before), not for what is merely new.
 */
#include "control/control.h"

#include "control/bind.h"
#include "control/enforce.h"
#include "control/epoch.h"

#include "base/log.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

void in_force_fini(struct in_force *now)
{
	policy_free(now->policy);
	identity_set_fini(&now->ids);
	host_addrs_fini(&now->host);
	policy_blob_free(&now->blob);
	*now = (struct in_force){0};
}

long publish_today(void)
{
	return (long)(time(NULL) / 86400);
}

/* Without them everything else works. */
static void find_ports(struct identity_set *ids)
{
	struct links links;
	int rc = links_read(&links);
	if (rc) {
		log_errno(rc, "cannot list the interfaces");
		return;
	}
	bind_resolve(ids, &links);
	links_fini(&links);
}

static int gather(const struct control *c, struct in_force *next, struct error *err)
{
	int rc = host_addrs_read(&next->host);
	if (rc)
		return error_set(err, rc, "cannot read the host's addresses: %s", strerror(-rc));
	rc = ids_add(&next->ids, &c->inventory);
	if (rc == 0)
		rc = ids_add(&next->ids, &c->docker_ids);
	if (rc)
		return error_set(err, rc, "no memory for identities");
	find_ports(&next->ids);
	return 0;
}

static void ignore_change(void *ctx, enum ids_change change, const struct identity_endpoint *e)
{
	(void)ctx;
	(void)change;
	(void)e;
}

static void record_change(void *ctx, enum ids_change change, const struct identity_endpoint *e)
{
	struct control *c = ctx;
	log_debug("identity: %s %s", ids_change_name(change), e->container);
	records_identity(&c->records, change, e);
}

/* May a verdict that was given for good be another one now? */
static bool is_disturbed(const struct in_force *before, const struct in_force *next)
{
	return !before->image || before->policy != next->policy || before->today != next->today ||
	       !host_addrs_keeps(&next->host, &before->host) ||
	       ids_diff(&before->ids, &next->ids, ignore_change, NULL);
}

static void number(const struct in_force *before, struct in_force *next)
{
	uint32_t mask = (uint32_t)policy_config(next->policy)->engine.connmark_mask;
	next->today = publish_today();
	next->generation = before->generation + 1;
	bool same_rules =
		before->image && before->policy == next->policy && before->today == next->today;
	next->rules_since = same_rules ? before->rules_since : next->generation;
	next->epoch = is_disturbed(before, next) ? epoch_next(before->epoch, mask) : before->epoch;
}

static int compile(struct in_force *next, struct error *err)
{
	struct policy_inputs inputs = {
		.ids = &next->ids,
		.host_addrs = next->host.items,
		.n_host_addrs = next->host.n,
		.generation = next->generation,
		.epoch = next->epoch,
		.today = next->today,
	};
	int rc = policy_compile(next->policy, &inputs, &next->blob, err);
	if (rc == 0)
		next->image = policy_image_of(&next->blob);
	return rc;
}

/* The engine keeps the image as long as it needs it; the descriptor is ours. */
static int give(const struct control *c, const struct in_force *next, struct error *err)
{
	int fd = -1;
	int rc = policy_publish(&next->blob, &fd);
	if (rc)
		return error_set(err, rc, "cannot make an image: %s", strerror(-rc));
	rc = supervise_publish(c->supervise, fd);
	(void)close(fd); /* a memfd */
	return rc ? error_set(err, rc, "the engine does not take the image: %s", strerror(-rc)) : 0;
}

/* Kept before it is used: after a crash no number is used twice. */
static void remember_epoch(const struct control *c, uint32_t epoch)
{
	int rc = c->now.epoch == epoch ? 0 : epoch_store(c->options.runtime_dir, epoch);
	if (rc)
		log_errno(rc, "cannot keep the epoch in %s", c->options.runtime_dir);
}

int publish_now(struct control *c, struct policy *policy, struct error *err)
{
	struct in_force next = {.policy = policy ? policy : c->now.policy};
	int rc = gather(c, &next, err);
	if (rc == 0) {
		number(&c->now, &next);
		remember_epoch(c, next.epoch);
		rc = compile(&next, err);
	}
	if (rc == 0)
		rc = give(c, &next, err);
	if (rc) {
		next.policy = NULL; /* stays the caller's or the one in force */
		in_force_fini(&next);
		return rc;
	}
	struct in_force before = c->now;
	c->now = next;
	(void)ids_diff(&before.ids, &next.ids, record_change, c); /* for the records only */
	if (!policy)
		before.policy = NULL; /* it went over */
	if (policy || !before.image)
		records_policy(&c->records, "loaded", next.generation, next.epoch,
			       c->options.config);
	in_force_fini(&before);
	log_debug("generation %u, epoch %u: %zu endpoints", next.generation, next.epoch,
		  next.ids.n_endpoints);
	enforce_ports_later(c);
	enforce_await(c);
	return 0;
}
