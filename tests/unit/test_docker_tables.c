/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers in any order, some of them out of date: an address belongs to one container, to the one
 * it was learned of last. */
#include "docker/tables.h"

#include "base/text.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static const char id_a[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
static const char id_b[] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
static const char id_n[] = "1111111111111111111111111111111111111111111111111111111111111111";
static const char id_o[] = "2222222222222222222222222222222222222222222222222222222222222222";

static struct docker_leg leg(const char *network_id, const char *address)
{
	struct docker_leg l = {.network = strdup("net"), .has = {true, false}};
	memcpy(l.network_id, network_id, DOCKER_ID_SIZE);
	ck_assert(ip_addr_parse(address, &l.addr[0]));
	return l;
}

/* address NULL: none */
static struct docker_container container(const char *id, const char *name, const char *address)
{
	struct docker_container c = {.facts = {.id = strdup(id), .container = strdup(name)}};
	c.legs = calloc(1, sizeof(*c.legs));
	if (address)
		c.legs[c.n_legs++] = leg(id_n, address);
	return c;
}

static void put(struct tables *t, const char *id, const char *name, const char *address,
		uint64_t asked)
{
	struct docker_container c = container(id, name, address);
	ck_assert_int_eq(tables_put_container(t, &c, asked), 0);
}

static void put_network(struct tables *t, const char *id, bool is_bridge, const char *member,
			const char *address, uint64_t asked)
{
	struct docker_network n = {.is_bridge = is_bridge};
	n.facts.id = strdup(id);
	n.facts.name = strdup("net");
	n.facts.bridge = strdup("br-net");
	if (member) {
		n.members = calloc(1, sizeof(*n.members));
		n.n_members = 1;
		memcpy(n.members[0].container, member, DOCKER_ID_SIZE);
		n.members[0].leg = leg(id, address);
	}
	ck_assert_int_eq(tables_put_network(t, &n, asked), 0);
}

/* "a=198.18.0.2 b=" */
static void assert_set(const struct tables *t, const char *wanted)
{
	struct identity_set set;
	char got[512], addr[IP_ADDR_TEXT];
	size_t n = 0;
	got[0] = '\0';
	ck_assert_int_eq(tables_set(t, &set), 0);
	for (size_t i = 0; i < set.n_endpoints; i++) {
		const struct identity_endpoint *e = &set.endpoints[i];
		n += (size_t)snprintf(got + n, sizeof(got) - n, "%s%s=", i ? " " : "",
				      e->container);
		for (size_t k = 0; k < e->n_addresses; k++)
			n += (size_t)snprintf(got + n, sizeof(got) - n, "%s%s", k ? "," : "",
					      ip_addr_print(&e->addresses[k].addr, addr));
	}
	tables_set_fini(&set);
	ck_assert_str_eq(got, wanted);
}

static struct tables tables;

static void set_up(void)
{
	put_network(&tables, id_n, true, NULL, NULL, 0);
}

static void tear_down(void)
{
	tables_fini(&tables);
}

START_TEST(the_last_learned_owner_keeps_an_address)
{
	put(&tables, id_a, "a", "198.18.0.2", 1);
	put(&tables, id_b, "b", "198.18.0.2", 2);
	assert_set(&tables, "a= b=198.18.0.2");
}
END_TEST

START_TEST(an_older_answer_does_not_take_an_address_back)
{
	put(&tables, id_b, "b", "198.18.0.2", 9);
	put(&tables, id_a, "a", "198.18.0.2", 5);
	assert_set(&tables, "a= b=198.18.0.2");
}
END_TEST

START_TEST(a_lost_address_does_not_come_back_when_its_new_owner_ends)
{
	put(&tables, id_a, "a", "198.18.0.2", 1);
	put(&tables, id_b, "b", "198.18.0.2", 2);
	tables_remove(&tables, id_b);
	assert_set(&tables, "a=");
}
END_TEST

START_TEST(an_answer_from_before_the_last_event_says_nothing)
{
	put(&tables, id_a, "a", "198.18.0.2", 1);
	ck_assert_int_eq(tables_touch(&tables, id_a, 7), 0);
	tables_disconnect(&tables, id_a, id_n);
	put(&tables, id_a, "a", "198.18.0.2", 6);
	put_network(&tables, id_n, true, id_a, "198.18.0.2", 6);
	assert_set(&tables, "a=");
	put(&tables, id_a, "a", "198.18.0.3", 7);
	assert_set(&tables, "a=198.18.0.3");
}
END_TEST

START_TEST(a_network_gives_addresses_to_its_members)
{
	put(&tables, id_a, "a", NULL, 1);
	put_network(&tables, id_n, true, id_a, "198.18.0.4", 2);
	assert_set(&tables, "a=198.18.0.4");
	put_network(&tables, id_n, true, id_a, "198.18.0.5", 3);
	assert_set(&tables, "a=198.18.0.5");
}
END_TEST

START_TEST(a_container_without_a_name_waits_for_it)
{
	put_network(&tables, id_n, true, id_a, "198.18.0.4", 2);
	assert_set(&tables, "");
	struct docker_container c = container(id_a, "a", NULL);
	ck_assert_int_eq(tables_put_facts(&tables, &c, 2), 0);
	assert_set(&tables, "a=198.18.0.4");
}
END_TEST

START_TEST(only_bridges_carry_addresses)
{
	put(&tables, id_a, "a", "198.18.0.2", 1);
	put_network(&tables, id_o, false, id_a, "198.18.9.2", 2);
	assert_set(&tables, "a=198.18.0.2");
	put_network(&tables, id_o, true, NULL, NULL, 3);
	assert_set(&tables, "a=198.18.0.2,198.18.9.2");
	tables_remove_network(&tables, id_n);
	assert_set(&tables, "a=198.18.9.2");
}
END_TEST

START_TEST(disconnecting_takes_one_network_dying_all)
{
	put_network(&tables, id_o, true, NULL, NULL, 0);
	put(&tables, id_a, "a", "198.18.0.2", 1);
	put_network(&tables, id_o, true, id_a, "198.18.9.2", 2);
	tables_disconnect(&tables, id_a, id_n);
	assert_set(&tables, "a=198.18.9.2");
	tables_disconnect(&tables, id_a, NULL);
	assert_set(&tables, "a=");
	tables_disconnect(&tables, id_b, NULL); /* unknown: nothing happens */
}
END_TEST

START_TEST(a_list_may_name_a_container_twice)
{
	struct docker_container *list = calloc(3, sizeof(*list));
	list[0] = container(id_b, "b", "198.18.0.2");
	list[1] = container(id_a, "a", "198.18.0.3");
	list[2] = container(id_b, "b", "198.18.0.2");
	ck_assert_int_eq(tables_load_containers(&tables, list, 3, 1), 0);
	ck_assert_uint_eq(tables.n_containers, 2);
	struct identity_set set;
	ck_assert_int_eq(tables_set(&tables, &set), 0);
	ck_assert_uint_eq(set.n_endpoints, 2);
	ck_assert_uint_eq(set.endpoints[0].n_addresses, 1);
	ck_assert_uint_eq(set.endpoints[1].n_addresses, 1);
	tables_set_fini(&set);
}
END_TEST

/* A naive twin: arrays of (owner, since) per address. */
START_TEST(agrees_with_a_naive_twin)
{
	enum { N_IDS = 6, N_ADDRS = 4 };
	struct twin {
		int addr;
		uint64_t since;
	} twin[N_IDS];
	for (int i = 0; i < N_IDS; i++)
		twin[i].addr = -1;
	uint64_t random = 88172645463325252ull;
	for (uint64_t now = 1; now < 3000; now++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		int who = (int)(random % N_IDS), addr = (int)(random / N_IDS % (N_ADDRS + 1));
		char id[DOCKER_ID_SIZE], name[2] = {(char)('a' + who), 0}, text[32];
		memset(id, 'a' + who, DOCKER_ID_LEN);
		id[DOCKER_ID_LEN] = '\0';
		(void)snprintf(text, sizeof(text), "198.18.0.%d", addr + 1);
		put(&tables, id, name, addr < N_ADDRS ? text : NULL, now);
		for (int i = 0; i < N_IDS; i++)
			if (twin[i].addr == addr)
				twin[i].addr = -1;
		twin[who].addr = addr < N_ADDRS ? addr : -1;
		struct identity_set set;
		ck_assert_int_eq(tables_set(&tables, &set), 0);
		for (size_t i = 0; i < set.n_endpoints; i++) {
			const struct identity_endpoint *e = &set.endpoints[i];
			int wanted = twin[e->container[0] - 'a'].addr;
			ck_assert_uint_eq(e->n_addresses, wanted >= 0);
			if (wanted >= 0)
				ck_assert_int_eq(e->addresses[0].addr.b[15], wanted + 1);
		}
		tables_set_fini(&set);
	}
}
END_TEST

START_TEST(equal_sets_print_alike_and_others_differ)
{
	struct identity_set a, b;
	char *ta, *tb;
	size_t na, nb;
	put(&tables, id_a, "a", "198.18.0.2", 1);
	ck_assert_int_eq(tables_set(&tables, &a), 0);
	ck_assert_int_eq(tables_set_print(&a, &ta, &na), 0);
	tables_set_fini(&a);
	put(&tables, id_a, "a", "198.18.0.2", 2);
	ck_assert_int_eq(tables_set(&tables, &b), 0);
	ck_assert_int_eq(tables_set_print(&b, &tb, &nb), 0);
	ck_assert(na == nb && memcmp(ta, tb, na) == 0);
	b.endpoints[0].is_host_network = true;
	free(tb);
	ck_assert_int_eq(tables_set_print(&b, &tb, &nb), 0);
	ck_assert(na != nb || memcmp(ta, tb, na) != 0);
	tables_set_fini(&b);
	free(ta);
	free(tb);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("docker_tables");
	TCase *tc = tcase_create("tables");
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, the_last_learned_owner_keeps_an_address);
	tcase_add_test(tc, an_older_answer_does_not_take_an_address_back);
	tcase_add_test(tc, a_lost_address_does_not_come_back_when_its_new_owner_ends);
	tcase_add_test(tc, an_answer_from_before_the_last_event_says_nothing);
	tcase_add_test(tc, a_network_gives_addresses_to_its_members);
	tcase_add_test(tc, a_container_without_a_name_waits_for_it);
	tcase_add_test(tc, only_bridges_carry_addresses);
	tcase_add_test(tc, disconnecting_takes_one_network_dying_all);
	tcase_add_test(tc, a_list_may_name_a_container_twice);
	tcase_add_test(tc, agrees_with_a_naive_twin);
	tcase_add_test(tc, equal_sets_print_alike_and_others_differ);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
