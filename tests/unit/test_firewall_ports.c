/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who may say what on which port, as text for nft and back, without a kernel. */
#include "base/text.h"
#include "firewall/ports.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static struct identity_prefix subnets[2], nested[1];
static const uint8_t host_macs[1][6] = {{2, 0, 0, 0, 0, 1}};
static const char others[1][IFNAMSIZ] = {"vother"};
static struct ip_addr host[2];

/* Bridge 0 has subnets, bridge 1 something nested besides, bridge 2 nothing that is known. */
static const struct ports_bridge bridges[] = {
	{.subnets = subnets, .n_subnets = 2},
	{.subnets = subnets, .n_subnets = 1, .nested = nested, .n_nested = 1},
	{.n_subnets = 0},
};
static const struct ports_port ports[] = {{"v0", 0}, {"v1", 1}, {"v2", 2}, {"v3", 0}, {"v4", 1}};
static struct ports_owner owners[3];

static struct ip_addr addr_of(const char *text)
{
	struct ip_addr a;
	ck_assert(ip_addr_parse(text, &a));
	return a;
}

static struct ports_plan make_plan(void)
{
	ck_assert(ip_prefix_parse("198.18.1.0/24", &subnets[0].addr, &subnets[0].length));
	ck_assert(ip_prefix_parse("fd00:1::/64", &subnets[1].addr, &subnets[1].length));
	ck_assert(ip_prefix_parse("198.19.0.0/16", &nested[0].addr, &nested[0].length));
	host[0] = addr_of("198.18.1.1");
	host[1] = addr_of("fd00:1::1");
	owners[0] = (struct ports_owner){0, addr_of("198.18.1.2"), {2, 0, 0, 0, 0, 2}};
	owners[1] = (struct ports_owner){0, addr_of("fd00:1::2"), {2, 0, 0, 0, 0, 2}};
	owners[2] = (struct ports_owner){4, addr_of("198.18.1.4"), {0}};
	return (struct ports_plan){.bridges = bridges,
				   .n_bridges = 3,
				   .ports = ports,
				   .n_ports = 5,
				   .owners = owners,
				   .n_owners = 3,
				   .host_addrs = host,
				   .n_host_addrs = 2,
				   .host_macs = host_macs,
				   .n_host_macs = 1,
				   .others = others,
				   .n_others = 1};
}

static struct ports_text print(const struct ports_plan *plan)
{
	struct ports_text text;
	struct error err;
	ck_assert_msg(ports_print(plan, &text, &err) == 0, "%s", err.text);
	return text;
}

static bool has(const struct ports_text *text, const char *element)
{
	for (size_t i = 0; i < text->n_elements; i++)
		if (strcmp(text->elements[i], element) == 0)
			return true;
	return false;
}

static const char *const wanted[] = {
	"bridge usual4 \"v0\" . 0x020000000002 . 198.18.1.2",
	"bridge usual6 \"v0\" . 0x020000000002 . 0xfd000001000000000000000000000002",
	"bridge own4 \"v0\" . 198.18.1.2",
	"bridge own6 \"v0\" . 0xfd000001000000000000000000000002",
	"bridge own6 \"v0\" . 0xfe80000000000000000000fffe000002", /* of its link address */
	"bridge own-macs \"v0\" . 0x020000000002",
	"bridge own4 \"v4\" . 198.18.1.4",
	"bridge known4 198.18.1.1",
	"bridge known4 198.18.1.2",
	"bridge known6 0xfd000001000000000000000000000001",
	"bridge known-macs 0x020000000001",
	"bridge known-macs 0x020000000002",
	"bridge ways \"v0\" : goto bound",
	"bridge ways \"v1\" : goto net-1",
	"bridge ways \"v2\" : goto open",
	"bridge ways \"v3\" : goto net-0",
	"bridge ways \"v4\" : goto bound-but-for-mac",
	"bridge ways \"vother\" : accept",
	"bridge nested \"v1\" : goto nested-1",
	"bridge nested \"v4\" : goto nested-1",
	"bridge managed-ports \"v2\"",
	"inet managed-ports \"v2\"",
};

START_TEST(each_port_has_its_way_and_its_addresses)
{
	const struct ports_plan plan = make_plan();
	struct ports_text text = print(&plan);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		ck_assert_msg(has(&text, wanted[i]), "%s", wanted[i]);
	/* 1 usual4, 1 usual6; 2 own4, 2 own6, 1 own-macs; 3 known4, 3 known6, 2 known-macs; 6 ways,
	 * 2 nested, 5 and 5 */
	ck_assert_uint_eq(text.n_elements, 33);
	ck_assert(!has(&text, "bridge managed-ports \"vother\""));
	ports_text_fini(&text);
}
END_TEST

START_TEST(a_bridge_has_a_chain_with_its_subnets)
{
	const struct ports_plan plan = make_plan();
	struct ports_text text = print(&plan);
	const char *net = strstr(text.frame, "chain net-1 {");
	ck_assert(net && strstr(text.frame, "chain net-0 {") && !strstr(text.frame, "net-2"));
	ck_assert_ptr_nonnull(strstr(net, "ip saddr 198.18.1.0/24 accept\n"));
	ck_assert_ptr_nonnull(strstr(net, "arp saddr ip 198.19.0.0/16 accept\n"));
	ck_assert_ptr_nonnull(strstr(text.frame, "ip6 saddr fd00:1::/64 accept\n"));
	ports_text_fini(&text);
}
END_TEST

START_TEST(equal_plans_make_equal_texts_and_no_change)
{
	const struct ports_plan plan = make_plan();
	struct ports_text a = print(&plan), b = print(&plan);
	char *change;
	ck_assert_str_eq(a.frame, b.frame);
	ck_assert_int_eq(ports_print_change(&a, &b, &change), 0);
	ck_assert_str_eq(change, "");
	free(change);
	ports_text_fini(&a);
	ports_text_fini(&b);
}
END_TEST

START_TEST(a_change_is_what_differs_deletions_first)
{
	struct ports_plan plan = make_plan();
	struct ports_text before = print(&plan);
	owners[0].addr = addr_of("198.18.1.9");
	owners[2].mac[5] = 9; /* now known */
	struct ports_text after = print(&plan);
	char *change;
	ck_assert_str_eq(before.frame, after.frame);
	ck_assert_int_eq(ports_print_change(&before, &after, &change), 0);
	ck_assert_str_eq(
		change,
		"delete element bridge bridgewarden known4 { 198.18.1.2 }\n"
		"delete element bridge bridgewarden own4 { \"v0\" . 198.18.1.2 }\n"
		"delete element bridge bridgewarden usual4 { \"v0\" . 0x020000000002 . "
		"198.18.1.2 }\n"
		"delete element bridge bridgewarden ways { \"v4\" : goto bound-but-for-mac }\n"
		"add element bridge bridgewarden known-macs { 0x000000000009 }\n"
		"add element bridge bridgewarden known4 { 198.18.1.9 }\n"
		"add element bridge bridgewarden known6 { 0xfe80000000000000020000fffe000009 }\n"
		"add element bridge bridgewarden own-macs { \"v4\" . 0x000000000009 }\n"
		"add element bridge bridgewarden own4 { \"v0\" . 198.18.1.9 }\n"
		"add element bridge bridgewarden own6 { \"v4\" . "
		"0xfe80000000000000020000fffe000009 "
		"}\n"
		"add element bridge bridgewarden usual4 { \"v0\" . 0x020000000002 . 198.18.1.9, "
		"\"v4\" . 0x000000000009 . 198.18.1.4 }\n"
		"add element bridge bridgewarden ways { \"v4\" : goto bound }\n");
	free(change);
	ports_text_fini(&before);
	ports_text_fini(&after);
}
END_TEST

/* A change adds and deletes as many as the two differ by. */
START_TEST(any_change_leads_from_one_plan_to_the_other)
{
	unsigned seed = 7;
	struct ports_plan plan = make_plan();
	plan.n_owners = 0;
	struct ports_text before = print(&plan);
	for (unsigned round = 0; round < 300; round++) {
		struct ports_owner some[40] = {{0}};
		plan.owners = some;
		plan.n_owners = (size_t)rand_r(&seed) % 40;
		for (size_t i = 0; i < plan.n_owners; i++) {
			some[i].port = (size_t)rand_r(&seed) % 5;
			some[i].addr = host[0];
			some[i].addr.b[15] = (uint8_t)(rand_r(&seed) % 16);
			some[i].mac[5] = (uint8_t)(rand_r(&seed) % 4);
		}
		struct ports_text after = print(&plan);
		char *change;
		size_t n = before.n_elements;
		ck_assert_int_eq(ports_print_change(&before, &after, &change), 0);
		for (const char *at = change; (at = strpbrk(at, "{,")); at++) {
			const char *line = at;
			while (line > change && line[-1] != '\n')
				line--;
			n = *line == 'a' ? n + 1 : n - 1;
		}
		ck_assert_uint_eq(n, after.n_elements);
		free(change);
		ports_text_fini(&before);
		before = after;
	}
	ports_text_fini(&before);
}
END_TEST

START_TEST(the_whole_begins_with_the_removal_and_the_counters)
{
	const struct ports_plan plan = make_plan();
	const struct ports_drops drops = {.packets = {[PORTS_ARP] = 12, [PORTS_BESIDE] = 3}};
	struct ports_text text = print(&plan);
	char *whole;
	ck_assert_int_eq(ports_print_whole(&text, &drops, &whole), 0);
	ck_assert_int_eq(strncmp(whole, ports_removal, strlen(ports_removal)), 0);
	ck_assert_ptr_nonnull(strstr(whole, "counter forged-arp { packets 12 bytes 0 }"));
	ck_assert_ptr_nonnull(
		strstr(whole, "table inet bridgewarden {\n\tcounter past-bridge { packets 3 "));
	ck_assert_ptr_nonnull(strstr(whole, "add element bridge bridgewarden known4 { 198.18.1.1, "
					    "198.18.1.2, 198.18.1.4 }\n"));
	free(whole);
	ports_text_fini(&text);
}
END_TEST

START_TEST(refuses_names_that_nft_would_read_as_more)
{
	static const char *const bad[] = {"", "a b", "veth*", "x\"", "a;b", "a\n", "{", "a#"};
	struct error err;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct ports_text text;
		struct ports_port port = {.bridge = 0};
		struct ports_plan plan = make_plan();
		(void)snprintf(port.name, sizeof(port.name), "%s", bad[i]);
		plan.ports = &port;
		plan.n_ports = 1;
		plan.n_owners = 0;
		ck_assert_msg(ports_print(&plan, &text, &err) == -EINVAL, "'%s'", bad[i]);
	}
}
END_TEST

START_TEST(elements_are_counted_and_taken_out)
{
	char listing[] =
		"table bridge x {\n\tset a {\n\t\ttype t\n\t\telements = { 1, 2,\n\t\t\t3 }\n"
		"\t}\n\tset b {\n\t\telements = { \"v\" . 7 }\n\t}\n\tchain c {\n\t\tether "
		"type != { ip, arp }\n\t}\n}\n";
	ck_assert_uint_eq(ports_strip_elements(listing), 4);
	ck_assert_str_eq(listing,
			 "table bridge x {\n\tset a {\n\t\ttype t\n\t\t\n\t}\n\tset b "
			 "{\n\t\t\n\t}\n\tchain c {\n\t\tether type != { ip, arp }\n\t}\n}\n");
	char cut[] = "elements = { 1, 2";
	ck_assert_uint_eq(ports_strip_elements(cut), 0);
	char empty[] = "";
	ck_assert_uint_eq(ports_strip_elements(empty), 0);
}
END_TEST

START_TEST(counters_are_read_by_name)
{
	struct ports_drops drops = {.packets = {[PORTS_IP] = 1}};
	ports_parse_drops(
		bytes_str("table bridge bridgewarden {\n"
			  "\tcounter forged-ip {\n\t\tpackets 41 bytes 1000\n\t}\n"
			  "\tcounter forged-nd {\n\t\tpackets 18446744073709551615 bytes 9\n"
			  "\t}\n\tcounter forged-arp {"),
		&drops);
	ck_assert_uint_eq(drops.packets[PORTS_IP], 42);
	ck_assert_uint_eq(drops.packets[PORTS_ND], UINT64_MAX);
	ck_assert_uint_eq(drops.packets[PORTS_ARP], 0);
	ports_parse_drops(bytes_str(""), &drops);
	ck_assert_uint_eq(drops.packets[PORTS_IP], 42);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("firewall_ports");
	TCase *tc = tcase_create("ports");
	tcase_add_test(tc, each_port_has_its_way_and_its_addresses);
	tcase_add_test(tc, a_bridge_has_a_chain_with_its_subnets);
	tcase_add_test(tc, equal_plans_make_equal_texts_and_no_change);
	tcase_add_test(tc, a_change_is_what_differs_deletions_first);
	tcase_add_test(tc, any_change_leads_from_one_plan_to_the_other);
	tcase_add_test(tc, the_whole_begins_with_the_removal_and_the_counters);
	tcase_add_test(tc, refuses_names_that_nft_would_read_as_more);
	tcase_add_test(tc, elements_are_counted_and_taken_out);
	tcase_add_test(tc, counters_are_read_by_name);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
