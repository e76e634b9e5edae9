/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Identity sets and the inventory file that fills them. */
#include "identity/inventory.h"

#include "base/text.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static int load(const char *text, struct identity_set *set, struct error *err)
{
	return inventory_load_text("ids.yaml", text, strlen(text), set, err);
}

START_TEST(reads_endpoints_and_networks)
{
	struct identity_set set = {0};
	struct error err;
	char text[IP_ADDR_TEXT];
	static const uint8_t mac[6] = {2, 0x42, 0xc6, 0x12, 0, 2};
	int e = load(
		"endpoints:\n"
		"- {ip: 198.18.0.2, container: wp-1, project: blog, service: wordpress, "
		"image: 'wordpress:6', labels: {tier: web, empty: ''}, networks: [front, back], "
		"mac: '02:42:c6:12:00:02', port: vnet0}\n"
		"- {ips: [198.18.0.3, 'fd00::3']}\n"
		"networks:\n"
		"- {name: front, bridge: br-1, subnets: [198.18.0.0/24, 'fd00::/64'], "
		"gateways: [198.18.0.1], project: blog}\n"
		"- {name: back}\n",
		&set, &err);
	ck_assert_msg(e == 0, "%s", err.text);
	ck_assert_uint_eq(set.n_endpoints, 2);
	const struct identity_endpoint *wp = &set.endpoints[0], *bare = &set.endpoints[1];
	ck_assert_str_eq(wp->id, "wp-1");
	ck_assert_str_eq(wp->project, "blog");
	ck_assert_str_eq(wp->service, "wordpress");
	ck_assert_str_eq(wp->image, "wordpress:6");
	ck_assert_str_eq(identity_label_value(wp, "tier"), "web");
	ck_assert_str_eq(identity_label_value(wp, "empty"), "");
	ck_assert_ptr_null(identity_label_value(wp, "none"));
	ck_assert_uint_eq(wp->n_addresses, 2);
	ck_assert_str_eq(wp->addresses[1].network, "back");
	ck_assert_mem_eq(wp->addresses[1].mac, mac, 6);
	ck_assert_str_eq(wp->port_name, "vnet0");
	ck_assert_ptr_null(bare->port_name);
	ck_assert_str_eq(bare->container, "198.18.0.3");
	ck_assert_uint_eq(bare->n_addresses, 2);
	ck_assert_str_eq(bare->addresses[0].network, "");
	ck_assert_str_eq(ip_addr_print(&bare->addresses[1].addr, text), "fd00::3");
	ck_assert_uint_eq(set.n_networks, 2);
	ck_assert_uint_eq(set.networks[0].n_subnets, 2);
	ck_assert_uint_eq(set.networks[0].subnets[0].length, 120);
	ck_assert_uint_eq(set.networks[0].subnets[1].length, 64);
	ck_assert_uint_eq(set.networks[0].n_gateways, 1);
	ck_assert_str_eq(set.networks[1].bridge, "");
	identity_set_fini(&set);
}
END_TEST

static const struct {
	const char *text, *want;
} refused[] = {
	{"", "ids.yaml:1:1: the file is empty"},
	{"[]", "ids.yaml:1:1: a mapping is wanted here"},
	{"a: [", "ids.yaml:2:1: did not find expected node content"},
	{"endpoint: []", "ids.yaml:1:1: unknown key endpoint"},
	{"endpoints: {}", "ids.yaml:1:12: a list is wanted here"},
	{"endpoints: []\nendpoints: []", "ids.yaml:2:1: key given twice: endpoints"},
	{"endpoints: []\n---\nendpoints: []", "ids.yaml: more than one YAML document"},
	{"endpoints: [{container: a}]", "ids.yaml:1:13: an endpoint needs `ip` or `ips`"},
	{"endpoints: [{ip: 1.2.3}]", "ids.yaml:1:18: not an IP address: 1.2.3"},
	{"endpoints: [{ip: [1.2.3.4]}]", "ids.yaml:1:18: a text is wanted here"},
	{"endpoints: [{ip: ''}]", "ids.yaml:1:18: an empty text"},
	{"endpoints: [{ip: \"a\\0\"}]", "ids.yaml:1:18: a text holds a zero byte"},
	{"endpoints: [{ip: 1.2.3.4, mac: 1}]",
	 "ids.yaml:1:32: not a link address (aa:bb:cc:dd:ee:ff): 1"},
	{"endpoints: [{ip: 1.2.3.4, mac: '0:1:2:3:4:5:6789'}]",
	 "ids.yaml:1:32: not a link address (aa:bb:cc:dd:ee:ff): 0:1:2:3:4:5:6789"},
	{"endpoints: [{ip: 1.2.3.4, port: a-name-too-long1}]",
	 "ids.yaml:1:33: not the name of an interface: a-name-too-long1"},
	{"endpoints: [{ip: 1.2.3.4, port: a/b}]",
	 "ids.yaml:1:33: not the name of an interface: a/b"},
	{"endpoints: [{ip: 1.2.3.4, service: a}]", "ids.yaml:1:13: `service` needs `project`"},
	{"endpoints: [{ip: 1.2.3.4, labels: [a]}]", "ids.yaml:1:35: labels are a mapping"},
	{"endpoints: [{ip: 1.2.3.4, labels: {a: [b]}}]",
	 "ids.yaml:1:39: a label's value is a text: a"},
	{"endpoints: [{ip: 1.2.3.4, labels: {a: b, a: c}}]", "ids.yaml:1:42: label given twice: a"},
	{"endpoints: [{ip: 1.2.3.4, container: a}, {ip: 1.2.3.5, container: a}]",
	 "ids.yaml:1:42: two endpoints are called a"},
	{"networks: [{bridge: b}]", "ids.yaml:1:12: a network needs a `name`"},
	{"networks: [{name: b}, {name: b}]", "ids.yaml:1:23: two networks are called b"},
	{"networks: [{name: b, subnets: [10.0.0.1/8]}]",
	 "ids.yaml:1:32: not a subnet (address/length, no host bits): 10.0.0.1/8"},
	{"endpoints: &a [*a]", "ids.yaml:1:12: a mapping is wanted here"},
};

START_TEST(refuses)
{
	struct identity_set set = {0};
	struct error err = {.text = ""};
	ck_assert_int_eq(load(refused[_i].text, &set, &err), -EINVAL);
	ck_assert_str_eq(err.text, refused[_i].want);
	ck_assert_uint_eq(set.n_endpoints + set.n_networks, 0);
	identity_set_fini(&set);
}
END_TEST

START_TEST(names_a_file_that_is_not_there)
{
	struct identity_set set = {0};
	struct error err;
	ck_assert_int_eq(inventory_load("/nonexistent/ids.yaml", &set, &err), -ENOENT);
	ck_assert_str_eq(err.text, "/nonexistent/ids.yaml: No such file or directory");
}
END_TEST

static void put(struct identity_set *set, const char *id, const char *container)
{
	struct identity_endpoint e = {.id = strdup(id), .container = strdup(container)};
	ck_assert_int_eq(identity_put_endpoint(set, &e), 0);
	ck_assert_ptr_null(e.id); /* taken over */
}

/* Against a plain array of what should be there. */
START_TEST(puts_replaces_and_removes)
{
	struct identity_set set = {0};
	bool there[64] = {false};
	uint32_t random = 5;
	for (int round = 0; round < 5000; round++) {
		random = random * 1664525 + 1013904223;
		unsigned n = random >> 8 & 63;
		char id[8];
		(void)snprintf(id, sizeof(id), "e%u", n);
		if (random >> 20 & 1) {
			put(&set, id, id);
			there[n] = true;
		} else {
			ck_assert_int_eq(identity_remove_endpoint(&set, id), there[n]);
			there[n] = false;
		}
		size_t count = 0;
		for (size_t i = 0; i < 64; i++)
			count += there[i];
		ck_assert_uint_eq(set.n_endpoints, count);
	}
	for (size_t i = 0; i < set.n_endpoints; i++)
		ck_assert(there[strtoul(set.endpoints[i].id + 1, NULL, 10)]);
	put(&set, "e1", "first");
	put(&set, "e1", "second");
	size_t n_found = 0;
	for (size_t i = 0; i < set.n_endpoints; i++)
		if (strcmp(set.endpoints[i].id, "e1") == 0) {
			n_found++;
			ck_assert_str_eq(set.endpoints[i].container, "second");
		}
	ck_assert_uint_eq(n_found, 1);
	identity_set_fini(&set);
	identity_set_fini(&set); /* an empty set is fine */
}
END_TEST

START_TEST(puts_and_removes_networks)
{
	struct identity_set set = {0};
	for (int i = 0; i < 20; i++) {
		char name[8];
		(void)snprintf(name, sizeof(name), "n%d", i % 10);
		struct identity_network n = {
			.id = strdup(name), .name = strdup(name), .bridge = strdup(name)};
		ck_assert_int_eq(identity_put_network(&set, &n), 0);
	}
	ck_assert_uint_eq(set.n_networks, 10);
	ck_assert(identity_remove_network(&set, "n3"));
	ck_assert(!identity_remove_network(&set, "n3"));
	ck_assert_uint_eq(set.n_networks, 9);
	identity_set_fini(&set);
}
END_TEST

START_TEST(survives_mutations)
{
	static const char seed[] =
		"endpoints: [&a {ip: 1.2.3.4, container: a, labels: {a: b}, "
		"networks: [n]}, *a]\nnetworks: [{name: n, subnets: [10.0.0.0/8]}]\n";
	static const char alphabet[] = "[]{}:,'\"-&*@#!|>% \n\t\\a0/=";
	uint32_t random = 321;
	for (int round = 0; round < 5000; round++) {
		char text[sizeof(seed)];
		struct identity_set set = {0};
		struct error err;
		memcpy(text, seed, sizeof(seed));
		for (int k = 0; k < 1 + round % 3; k++) {
			random = random * 1664525 + 1013904223;
			size_t at = (random >> 8) % (sizeof(seed) - 1);
			random = random * 1664525 + 1013904223;
			text[at] = alphabet[(random >> 8) % (sizeof(alphabet) - 1)];
		}
		int e = load(text, &set, &err);
		ck_assert(e == 0 || e == -EINVAL);
		identity_set_fini(&set);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("identity_inventory");
	TCase *tests = tcase_create("inventory");
	tcase_set_timeout(tests, 30);
	tcase_add_test(tests, reads_endpoints_and_networks);
	tcase_add_loop_test(tests, refuses, 0, sizeof(refused) / sizeof(refused[0]));
	tcase_add_test(tests, names_a_file_that_is_not_there);
	tcase_add_test(tests, puts_replaces_and_removes);
	tcase_add_test(tests, puts_and_removes_networks);
	tcase_add_test(tests, survives_mutations);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
