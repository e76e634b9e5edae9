/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a policy, identities and interfaces to what may come in where, without a kernel. */
#include "base/text.h"
#include "control/bind.h"
#include "control/plan.h"

#include <check.h>
#include <stdlib.h>

/* br0 (2) and br1 (3) are managed, br9 (4) is not. veth pairs lead into namespaces 10 to 13. */
static struct link items[] = {
	{2, 0, -1, "br0", {2, 0, 0, 0, 0, 1}, true, false, false},
	{3, 0, -1, "br1", {2, 0, 0, 0, 1, 1}, true, false, false},
	{4, 0, -1, "br9", {2, 0, 0, 0, 9, 1}, true, false, false},
	{5, 2, 10, "v-web", {0}, false, true, false},
	{6, 2, 11, "v-db", {0}, false, true, false},
	{7, 3, 10, "v-web1", {0}, false, true, false},
	{8, 2, 12, "v-new", {0}, false, true, false},
	{9, 4, 13, "v-far", {0}, false, true, false},
	{10, 0, -1, "eth0", {0}, false, false, false},
};
static const struct links links = {items, sizeof(items) / sizeof(items[0])};

static struct ip_addr addr_of(const char *text)
{
	struct ip_addr a;
	ck_assert(ip_addr_parse(text, &a));
	return a;
}

static void add_network(struct identity_set *set, const char *name, const char *bridge,
			const char *subnet)
{
	struct identity_network n = {
		.id = strdup(name), .name = strdup(name), .bridge = strdup(bridge)};
	if (subnet) {
		n.subnets = calloc(1, sizeof(*n.subnets));
		n.n_subnets = 1;
		ck_assert(ip_prefix_parse(subnet, &n.subnets->addr, &n.subnets->length));
	}
	ck_assert_int_eq(identity_put_network(set, &n), 0);
}

static void add_endpoint(struct identity_set *set, const char *name, const char *network,
			 const char *ip, uint32_t port)
{
	struct identity_endpoint e = {.id = strdup(name), .container = strdup(name)};
	char copy[32];
	(void)snprintf(copy, sizeof(copy), "%s", network);
	struct identity_address a = {
		.addr = addr_of(ip), .mac = {2, 0, 0, 0, 0, 9}, .network = copy, .port = port};
	ck_assert_int_eq(identity_endpoint_add_address(&e, &a), 0);
	ck_assert_int_eq(identity_put_endpoint(set, &e), 0);
}

static struct policy *load(const char *text)
{
	struct diagnostics diags = {0};
	struct policy *policy = NULL;
	ck_assert_int_eq(policy_load_text("test", text, strlen(text), &policy, &diags), 0);
	diagnostics_fini(&diags);
	return policy;
}

static struct plan plan_with(const char *text, const struct identity_set *ids)
{
	struct plan plan = {0};
	struct policy *policy = load(text);
	const struct plan_inputs inputs = {
		.policy = policy, .ids = ids, .links = &links, .queue_base = 7, .n_queues = 1};
	ck_assert_int_eq(plan_make(&inputs, &plan), 0);
	policy_free(policy);
	return plan;
}

static struct identity_set two_networks(void)
{
	struct identity_set ids = {0};
	add_network(&ids, "front", "br0", "198.18.1.0/24");
	add_network(&ids, "back", "br1", "198.18.2.0/24");
	return ids;
}

#define MANAGED "version: 1\nmanage: [{network: front, sources: [198.19.0.0/16]}, network:back]\n"

START_TEST(sources_are_the_subnets_and_what_is_nested_last)
{
	struct identity_set ids = two_networks();
	struct plan plan = plan_with(MANAGED, &ids);
	const struct firewall_source *s = plan.firewall.sources;
	ck_assert(plan.firewall.is_enforced);
	ck_assert_uint_eq(plan.firewall.n_interfaces, 2);
	ck_assert_uint_eq(plan.firewall.n_sources, 3);
	ck_assert(s[0].interface == 0 && !s[0].is_nested && s[1].interface == 0 && s[1].is_nested);
	ck_assert(s[2].interface == 1 && !s[2].is_nested);
	struct plan other = plan_with("version: 1\nmanage: [network:front, network:back]\n", &ids);
	ck_assert(plan_equal(&plan, &plan));
	ck_assert(!plan_equal(&plan, &other));
	plan_fini(&plan);
	plan_fini(&other);
	identity_set_fini(&ids);
}
END_TEST

START_TEST(a_policy_that_refuses_nothing_enforces_nothing)
{
	struct identity_set ids = two_networks();
	struct plan plan = plan_with("version: 1\nmode: shadow\n", &ids);
	ck_assert(!plan.firewall.is_enforced);
	plan_fini(&plan);
	identity_set_fini(&ids);
}
END_TEST

START_TEST(a_bridge_with_a_port_to_the_world_and_one_without_subnets_are_open)
{
	struct identity_set ids = {0};
	add_network(&ids, "front", "br0", "198.18.1.0/24");
	add_network(&ids, "back", "br1", NULL);
	items[8].master = 2; /* eth0 */
	struct plan plan = plan_with("version: 1\n", &ids);
	items[8].master = 0;
	ck_assert_uint_eq(plan.firewall.n_sources, 0);
	plan_fini(&plan);
	identity_set_fini(&ids);
}
END_TEST

static const char *port_name(const struct bind *bind, size_t owner)
{
	return bind->ports[bind->owners[owner].port].name;
}

START_TEST(addresses_go_to_their_ports_and_the_rest_is_told_apart)
{
	struct identity_set ids = two_networks();
	struct host_addrs host = {0};
	struct bind bind;
	add_endpoint(&ids, "web", "front", "198.18.1.2", 5);
	add_endpoint(&ids, "db", "front", "198.18.1.3", 6);
	add_endpoint(&ids, "lost", "front", "198.18.1.4", 77); /* its port is gone */
	add_endpoint(&ids, "new", "front", "198.18.1.5", 0);
	add_endpoint(&ids, "far", "far", "198.18.9.2", 9); /* not on a managed bridge */
	struct plan plan = plan_with(MANAGED, &ids);
	const struct bind_inputs inputs = {&plan.firewall, &ids, &links, &host};
	ck_assert_int_eq(bind_make(&inputs, &bind), 0);
	ck_assert_uint_eq(bind.plan.n_ports, 4);
	ck_assert_uint_eq(bind.plan.n_owners, 2);
	ck_assert_uint_eq(bind.n_bound, 2);
	ck_assert_str_eq(port_name(&bind, 0), "v-web");
	ck_assert_str_eq(port_name(&bind, 1), "v-db");
	ck_assert_uint_eq(bind.plan.n_others, 1);
	ck_assert_str_eq(bind.plan.others[0], "v-far");
	ck_assert_uint_eq(bind.plan.n_host_macs, 2);
	ck_assert_uint_eq(bind.bridges[0].n_subnets, 1);
	ck_assert_uint_eq(bind.bridges[0].n_nested, 1);
	ck_assert_uint_eq(bind.bridges[1].n_subnets, 1);
	ck_assert_uint_eq(bind.bridges[1].n_nested, 0);
	ck_assert_uint_eq(bind.ports[2].bridge, 1); /* v-web1 */
	bind_fini(&bind);
	plan_fini(&plan);
	identity_set_fini(&ids);
}
END_TEST

START_TEST(without_a_process_there_is_no_port)
{
	struct identity_set ids = two_networks();
	add_endpoint(&ids, "web", "front", "198.18.1.2", 5);
	bind_resolve(&ids, &links);
	ck_assert_uint_eq(ids.endpoints[0].addresses[0].port, 0);
	identity_set_fini(&ids);
}
END_TEST

/* As an inventory names it: v-web's is there, the bridge itself and a card are no ports. */
static void add_by_name(struct identity_set *ids, const char *name, const char *ip,
			const char *port_name)
{
	add_endpoint(ids, name, "front", ip, 0);
	ids->endpoints[ids->n_endpoints - 1].port_name = strdup(port_name);
}

START_TEST(an_inventory_names_the_port)
{
	struct identity_set ids = two_networks();
	struct ip_addr own = addr_of("198.18.1.1");
	const struct host_addrs host = {.items = &own, .n = 1};
	struct bind bind;
	add_by_name(&ids, "vm", "198.18.1.2", "v-web");
	add_by_name(&ids, "behind-the-same", "198.18.1.3", "v-web");
	add_by_name(&ids, "off", "198.18.1.4", "vnet7");
	add_by_name(&ids, "mistaken", "198.18.1.5", "br0");
	add_by_name(&ids, "mistaken-too", "198.18.1.6", "eth0");
	bind_resolve(&ids, &links);
	struct plan plan = plan_with(MANAGED, &ids);
	const struct bind_inputs inputs = {&plan.firewall, &ids, &links, &host};
	ck_assert_int_eq(bind_make(&inputs, &bind), 0);
	ck_assert_uint_eq(bind.plan.n_owners, 2);
	ck_assert_str_eq(port_name(&bind, 0), "v-web");
	ck_assert_str_eq(port_name(&bind, 1), "v-web");
	ck_assert_uint_eq(bind.n_bound, 1);
	/* The others' addresses are nobody's, like the host's. */
	ck_assert_uint_eq(bind.plan.n_host_addrs, 4);
	struct ip_addr off = addr_of("198.18.1.4");
	ck_assert(ip_addr_equal(&bind.plan.host_addrs[0], &own));
	ck_assert(ip_addr_equal(&bind.plan.host_addrs[1], &off));
	bind_fini(&bind);
	plan_fini(&plan);
	identity_set_fini(&ids);
}
END_TEST

START_TEST(one_namespace_has_a_port_on_each_of_its_bridges)
{
	const struct link *port = links_port(&links, 2, 10);
	ck_assert(port && port->ifindex == 5);
	port = links_port(&links, 3, 10);
	ck_assert(port && port->ifindex == 7);
	ck_assert_ptr_null(links_port(&links, 3, 11));
	ck_assert_ptr_null(links_port(&links, 2, -1));
	ck_assert_ptr_null(links_port(&links, 0, 10));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control_bind");
	TCase *tc = tcase_create("bind");
	tcase_add_test(tc, sources_are_the_subnets_and_what_is_nested_last);
	tcase_add_test(tc, a_policy_that_refuses_nothing_enforces_nothing);
	tcase_add_test(tc, a_bridge_with_a_port_to_the_world_and_one_without_subnets_are_open);
	tcase_add_test(tc, addresses_go_to_their_ports_and_the_rest_is_told_apart);
	tcase_add_test(tc, without_a_process_there_is_no_port);
	tcase_add_test(tc, an_inventory_names_the_port);
	tcase_add_test(tc, one_namespace_has_a_port_on_each_of_its_bridges);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
