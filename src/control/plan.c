/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/plan.h"

#include <errno.h>
#include <stdlib.h>

static int by_name(const void *a, const void *b)
{
	return strncmp(a, b, IFNAMSIZ);
}

static void add(struct firewall_plan *plan, const char *interface)
{
	size_t length = strlen(interface);
	if (length == 0 || length >= IFNAMSIZ)
		return; /* the kernel has no such name */
	memcpy(plan->interfaces[plan->n_interfaces++], interface, length + 1);
}

static void sort_and_drop_doubles(struct firewall_plan *plan)
{
	size_t kept = 0;
	qsort(plan->interfaces, plan->n_interfaces, sizeof(*plan->interfaces), by_name);
	for (size_t i = 0; i < plan->n_interfaces; i++)
		if (i == 0 || by_name(plan->interfaces[i], plan->interfaces[kept - 1]) != 0)
			memmove(plan->interfaces[kept++], plan->interfaces[i], IFNAMSIZ);
	plan->n_interfaces = kept;
}

int plan_make(const struct plan_inputs *inputs, struct plan *out)
{
	const struct policy_config *config = policy_config(inputs->policy);
	const struct identity_set *ids = inputs->ids;
	struct firewall_plan plan = {
		.queue_base = inputs->queue_base,
		.n_queues = inputs->n_queues,
		.fail_open = {.internal = config->on_failure.internal == POLICY_FAIL_OPEN,
			      .egress = config->on_failure.egress == POLICY_FAIL_OPEN,
			      .ingress = config->on_failure.ingress == POLICY_FAIL_OPEN},
		.mark_mask = (uint32_t)config->engine.connmark_mask,
		.epoch = inputs->epoch,
	};
	plan.interfaces = calloc(ids->n_networks + config->n_manage + 1, sizeof(*plan.interfaces));
	if (!plan.interfaces)
		return -ENOMEM;
	for (size_t i = 0; i < ids->n_networks; i++)
		if (policy_manages(inputs->policy, &ids->networks[i]))
			add(&plan, ids->networks[i].bridge);
	for (size_t i = 0; i < config->n_manage; i++)
		if (config->manage[i].kind == POLICY_MANAGE_INTERFACE)
			add(&plan, config->manage[i].pattern);
	sort_and_drop_doubles(&plan);
	out->firewall = plan;
	return 0;
}

static bool interfaces_equal(const struct firewall_plan *a, const struct firewall_plan *b)
{
	return a->n_interfaces == b->n_interfaces &&
	       (a->n_interfaces == 0 || memcmp(a->interfaces, b->interfaces,
					       a->n_interfaces * sizeof(*a->interfaces)) == 0);
}

bool plan_equal(const struct plan *left, const struct plan *right)
{
	const struct firewall_plan *a = &left->firewall, *b = &right->firewall;
	return interfaces_equal(a, b) && a->queue_base == b->queue_base &&
	       a->n_queues == b->n_queues && a->fail_open.internal == b->fail_open.internal &&
	       a->fail_open.egress == b->fail_open.egress &&
	       a->fail_open.ingress == b->fail_open.ingress && a->mark_mask == b->mark_mask &&
	       a->epoch == b->epoch;
}

void plan_fini(struct plan *plan)
{
	free(plan->firewall.interfaces);
	*plan = (struct plan){0};
}
