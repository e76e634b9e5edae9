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

/* As many sources as there can be: each network has its subnets and what is nested in it. */
static size_t count_sources(const struct plan_inputs *inputs)
{
	const struct policy_config *config = policy_config(inputs->policy);
	size_t n = 0, n_nested = 0;
	for (size_t i = 0; i < config->n_manage; i++)
		n_nested += config->manage[i].n_sources;
	for (size_t i = 0; i < inputs->ids->n_networks; i++)
		n += inputs->ids->networks[i].n_subnets + n_nested;
	return n;
}

/* A network without subnets says nothing about what its addresses are. */
static void add_sources(struct firewall_plan *plan, struct firewall_source *sources,
			const struct identity_network *network, size_t interface)
{
	for (size_t i = 0; i < network->n_subnets; i++)
		sources[plan->n_sources++] = (struct firewall_source){
			.interface = interface, .prefix = network->subnets[i]};
}

static void add_nested(const struct plan_inputs *inputs, struct firewall_plan *plan,
		       struct firewall_source *sources, const struct identity_network *network,
		       size_t interface)
{
	const struct policy_config *config = policy_config(inputs->policy);
	for (size_t i = 0; i < config->n_manage; i++) {
		const struct policy_manage *m = &config->manage[i];
		for (size_t k = 0; k < m->n_sources && policy_manage_matches(m, network); k++)
			sources[plan->n_sources++] = (struct firewall_source){
				.interface = interface, .prefix = m->sources[k], .is_nested = true};
	}
}

/* Of one interface: subnets first. Without any it is open, and what is nested says nothing. */
static void add_interface(const struct plan_inputs *inputs, struct firewall_plan *plan,
			  struct firewall_source *sources, size_t interface)
{
	const struct identity_set *ids = inputs->ids;
	size_t before = plan->n_sources;
	for (size_t pass = 0; pass < 2; pass++) {
		for (size_t k = 0; k < ids->n_networks; k++) {
			const struct identity_network *network = &ids->networks[k];
			if (strcmp(network->bridge, plan->interfaces[interface]) != 0)
				continue;
			if (pass == 0)
				add_sources(plan, sources, network, interface);
			else
				add_nested(inputs, plan, sources, network, interface);
		}
		if (plan->n_sources == before)
			return;
	}
}

/* What may come in over each interface: the subnets of the networks on it, unless one of its ports
 * leads to the rest of the world. */
static int find_sources(const struct plan_inputs *inputs, struct firewall_plan *plan)
{
	struct firewall_source *sources = calloc(count_sources(inputs) + 1, sizeof(*sources));
	if (!sources)
		return -ENOMEM;
	for (size_t i = 0; i < plan->n_interfaces; i++)
		if (!links_is_open(inputs->links, plan->interfaces[i]))
			add_interface(inputs, plan, sources, i);
	plan->sources = sources;
	return 0;
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
		.is_enforced = policy_enforces(inputs->policy),
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
	if (find_sources(inputs, &plan) < 0) {
		free(plan.interfaces);
		return -ENOMEM;
	}
	out->firewall = plan;
	return 0;
}

static bool sources_equal(const struct firewall_plan *a, const struct firewall_plan *b)
{
	if (a->n_sources != b->n_sources)
		return false;
	for (size_t i = 0; i < a->n_sources; i++) {
		const struct firewall_source *x = &a->sources[i], *y = &b->sources[i];
		if (x->interface != y->interface || x->is_nested != y->is_nested ||
		    x->prefix.length != y->prefix.length ||
		    !ip_addr_equal(&x->prefix.addr, &y->prefix.addr))
			return false;
	}
	return true;
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
	       a->epoch == b->epoch && a->is_enforced == b->is_enforced && sources_equal(a, b);
}

void plan_fini(struct plan *plan)
{
	free(plan->firewall.interfaces);
	free((void *)(uintptr_t)plan->firewall.sources); /* made here, then only read */
	*plan = (struct plan){0};
}
