/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Replies of the Docker engine, recorded and damaged, to identity structs. */
#include "docker/parse.h"

#include "base/text.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define REPLIES BW_SOURCE_DIR "/tests/unit/docker-replies/"

#define DB_ID	"4e67045a7ead7a54bf1c655ad764ad9763d96ae021551d5ae5af9359587a16b0"
#define NET_ID	"0a83af48d52fb8bcea91f2e9aee7a492f19fcfe84efa9b5555a375fe2d30e575"

/* The caller frees p. */
static struct bytes read_reply(const char *name)
{
	char path[512], *text = malloc(1 << 16);
	(void)snprintf(path, sizeof(path), REPLIES "%s", name);
	FILE *from = fopen(path, "r");
	ck_assert_msg(from && text, "%s", path);
	size_t n = fread(text, 1, 1 << 16, from);
	(void)fclose(from);
	ck_assert(n > 0 && n < 1 << 16);
	return bytes_of(text, n);
}

static void drop(struct bytes b)
{
	free((void *)(uintptr_t)b.p);
}

static void assert_addr(const struct ip_addr *a, const char *text)
{
	char got[IP_ADDR_TEXT];
	ck_assert_str_eq(ip_addr_print(a, got), text);
}

static const struct docker_container *by_name(const struct docker_container *c, size_t n,
					      const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(c[i].facts.container, name) == 0)
			return &c[i];
	ck_abort_msg("no container %s", name);
}

static const struct docker_leg *leg_on(const struct docker_container *c, const char *network)
{
	for (size_t i = 0; i < c->n_legs; i++)
		if (strcmp(c->legs[i].network, network) == 0)
			return &c->legs[i];
	ck_abort_msg("no leg on %s", network);
}

static void assert_db(const struct docker_container *c)
{
	ck_assert_str_eq(c->facts.id, DB_ID);
	ck_assert_str_eq(c->facts.container, "blog-db-1");
	ck_assert_str_eq(c->facts.project, "blog");
	ck_assert_str_eq(c->facts.service, "db");
	ck_assert_str_eq(c->facts.image, "lab:1");
	ck_assert_str_eq(identity_label_value(&c->facts, "tier"), "db");
	ck_assert_uint_eq(c->facts.n_labels, 3);
	ck_assert(!c->facts.is_host_network && !c->is_image_id);
	ck_assert_uint_eq(c->n_legs, 2);
	const struct docker_leg *leg = leg_on(c, "blog_default");
	ck_assert_str_eq(leg->network_id, NET_ID);
	ck_assert(leg->has[0] && leg->has[1]);
	assert_addr(&leg->addr[0], "198.18.70.2");
	assert_addr(&leg->addr[1], "fd00:70::2");
	static const uint8_t mac[6] = {0x02, 0x42, 0xc6, 0x12, 0x46, 0x02};
	ck_assert_mem_eq(leg->mac, mac, 6);
	assert_addr(&leg_on(c, "bridge")->addr[0], "198.18.0.2");
}

/* ---- recorded ---- */

static const char *const inspected[] = {"container-1.41.json", "container-1.44.json",
					"container-1.52.json"};

START_TEST(reads_an_inspected_container_of_every_engine)
{
	struct bytes json = read_reply(inspected[_i]);
	struct docker_container c;
	ck_assert_int_eq(parse_container(json, &c), PARSE_OK);
	assert_db(&c);
	docker_container_fini(&c);
	drop(json);
}
END_TEST

static const char *const listed[] = {"containers-1.41.json", "containers-1.52.json"};

START_TEST(reads_a_list_of_containers_of_every_engine)
{
	struct bytes json = read_reply(listed[_i]);
	struct docker_container *c;
	size_t n;
	ck_assert_int_eq(parse_containers(json, &c, &n), PARSE_OK);
	ck_assert_uint_eq(n, 5);
	assert_db(by_name(c, n, "blog-db-1"));
	ck_assert(by_name(c, n, "agent")->facts.is_host_network);
	ck_assert_uint_eq(by_name(c, n, "agent")->n_legs, 0);
	ck_assert_uint_eq(by_name(c, n, "old")->n_legs, 0);
	ck_assert_uint_eq(by_name(c, n, "made")->n_legs, 0);
	ck_assert_ptr_null(by_name(c, n, "made")->facts.project);
	ck_assert_str_eq(by_name(c, n, "shop-web-2")->facts.service, "web");
	const struct docker_leg *leg = leg_on(by_name(c, n, "shop-web-2"), "shop_back");
	ck_assert(leg->has[0] && !leg->has[1]);
	docker_containers_free(c, n);
	drop(json);
}
END_TEST

START_TEST(stopped_created_and_host_containers_have_no_addresses)
{
	static const char *const names[] = {"container-stopped-1.41.json",
					    "container-created-1.41.json",
					    "container-host-1.41.json"};
	for (size_t i = 0; i < 3; i++) {
		struct bytes json = read_reply(names[i]);
		struct docker_container c;
		ck_assert_int_eq(parse_container(json, &c), PARSE_OK);
		ck_assert_uint_eq(c.n_legs, 0);
		ck_assert_int_eq(c.facts.is_host_network, i == 2);
		docker_container_fini(&c);
		drop(json);
	}
}
END_TEST

START_TEST(reads_networks)
{
	struct bytes json = read_reply("networks-1.41.json");
	struct docker_network *networks;
	size_t n, n_bridges = 0;
	ck_assert_int_eq(parse_networks(json, &networks, &n), PARSE_OK);
	ck_assert_uint_eq(n, 5);
	for (size_t i = 0; i < n; i++) {
		const struct identity_network *f = &networks[i].facts;
		n_bridges += networks[i].is_bridge;
		if (strcmp(f->name, "bridge") == 0)
			ck_assert_str_eq(f->bridge, "docker0");
		if (strcmp(f->name, "shop_back") != 0)
			continue;
		ck_assert_str_eq(f->bridge, "br-d87db9093121");
		ck_assert_str_eq(f->project, "shop");
		ck_assert(f->is_internal);
		ck_assert_uint_eq(f->n_subnets, 1);
		assert_addr(&f->subnets[0].addr, "198.18.65.0");
		ck_assert_uint_eq(f->subnets[0].length, 96 + 24);
		assert_addr(&f->gateways[0], "198.18.65.1");
	}
	ck_assert_uint_eq(n_bridges, 3);
	docker_networks_free(networks, n);
	drop(json);
}
END_TEST

static const char *const network_files[] = {"network-1.41.json", "network-1.52.json"};

START_TEST(reads_a_network_with_its_members)
{
	struct bytes json = read_reply(network_files[_i]);
	struct docker_network n;
	ck_assert_int_eq(parse_network(json, &n), PARSE_OK);
	ck_assert(n.is_bridge && !n.facts.is_internal);
	ck_assert_uint_eq(n.facts.n_subnets, 2);
	assert_addr(&n.facts.gateways[0], "198.18.70.1");
	assert_addr(&n.facts.gateways[1], "fd00:70::1");
	ck_assert_uint_eq(n.n_members, 1); /* the engine's own endpoints are no containers */
	ck_assert_str_eq(n.members[0].container, DB_ID);
	assert_addr(&n.members[0].leg.addr[0], "198.18.70.2");
	assert_addr(&n.members[0].leg.addr[1], "fd00:70::2");
	ck_assert_uint_eq(n.members[0].leg.mac[5], 2);
	ck_assert_str_eq(n.members[0].leg.network, "blog_default");
	docker_network_fini(&n);
	drop(json);
}
END_TEST

START_TEST(reads_versions)
{
	struct docker_version newest, oldest;
	struct bytes json = read_reply("version-1.52.json");
	ck_assert_int_eq(parse_version(json, &newest, &oldest), PARSE_OK);
	ck_assert(newest.major == 1 && newest.minor == 52 && oldest.minor == 44);
	drop(json);
	ck_assert_int_eq(parse_version(bytes_str("{\"ApiVersion\":\"1.x\"}"), &newest, &oldest),
			 PARSE_SHAPE);
	ck_assert_int_eq(parse_version(bytes_str("{}"), &newest, &oldest), PARSE_SHAPE);
	ck_assert_int_eq(parse_version(bytes_str("[]"), &newest, &oldest), PARSE_SHAPE);
}
END_TEST

START_TEST(reads_every_recorded_event)
{
	struct bytes all = read_reply("events-1.41.jsonl"), rest = all;
	unsigned seen[EVENT_DISCONNECTED + 1] = {0};
	while (rest.n > 0) {
		size_t end = bytes_find(rest, '\n');
		struct docker_event e;
		ck_assert_int_eq(parse_event(bytes_slice(rest, 0, end), &e), PARSE_OK);
		seen[e.kind]++;
		if (e.kind == EVENT_CONNECTED || e.kind == EVENT_DISCONNECTED)
			ck_assert(strlen(e.container) == DOCKER_ID_LEN &&
				  strlen(e.network) == DOCKER_ID_LEN);
		rest = bytes_from(rest, end + 1);
	}
	ck_assert_uint_eq(seen[EVENT_CONTAINER_CREATED], 5);
	ck_assert_uint_eq(seen[EVENT_CONTAINER_GONE], 5);
	ck_assert_uint_eq(seen[EVENT_CONTAINER_DIED], 4);
	ck_assert_uint_eq(seen[EVENT_CONNECTED], 6);
	ck_assert_uint_ge(seen[EVENT_DISCONNECTED], 6);
	ck_assert_uint_eq(seen[EVENT_NETWORK_CHANGED], 1);
	ck_assert_uint_eq(seen[EVENT_NETWORK_GONE], 1);
	drop(all);
}
END_TEST

/* ---- made up ---- */

struct row {
	const char *json;
	enum parse_status status;
};

#define ID64		"\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\""
#define BRIDGE(options) "{\"Id\":" ID64 ",\"Name\":\"n\",\"Driver\":\"bridge\"," options "}"
#define SUBNET(config)	BRIDGE("\"IPAM\":{\"Config\":[" config "]}")

static const struct row network_rows[] = {
	{BRIDGE("\"Options\":null"), PARSE_OK},
	{BRIDGE("\"Options\":{\"com.docker.network.bridge.name\":\"my.br-1_0\"}"), PARSE_OK},
	{BRIDGE("\"Options\":{\"com.docker.network.bridge.name\":\"sixteen_letters_\"}"),
	 PARSE_SHAPE},
	{BRIDGE("\"Options\":{\"com.docker.network.bridge.name\":\"a b\"}"), PARSE_SHAPE},
	{BRIDGE("\"Options\":{\"com.docker.network.bridge.name\":\"br\\n-A X\"}"), PARSE_SHAPE},
	{BRIDGE("\"Options\":{\"com.docker.network.bridge.name\":\"../x\"}"), PARSE_SHAPE},
	{BRIDGE("\"Options\":{\"com.docker.network.bridge.name\":\"br+\"}"), PARSE_SHAPE},
	{BRIDGE("\"Options\":{\"com.docker.network.bridge.name\":7}"), PARSE_SHAPE},
	{BRIDGE("\"Options\":[]"), PARSE_SHAPE},
	{BRIDGE("\"Internal\":\"true\""), PARSE_SHAPE},
	{SUBNET("{\"Subnet\":\"198.18.0.0/16\",\"Gateway\":\"198.18.0.1/16\"}"), PARSE_OK},
	{SUBNET("{\"Subnet\":\"198.18.0.0/33\"}"), PARSE_SHAPE},
	{SUBNET("{\"Subnet\":\"198.18.0.0/16\",\"Gateway\":\"here\"}"), PARSE_SHAPE},
	{SUBNET("{\"Subnet\":16}"), PARSE_SHAPE},
	{SUBNET("null"), PARSE_SHAPE},
	{BRIDGE("\"Containers\":{" ID64 ":null}"), PARSE_SHAPE},
	{BRIDGE("\"Containers\":{" ID64 ":{\"MacAddress\":\"02:42\"}}"), PARSE_SHAPE},
	{BRIDGE("\"Containers\":{" ID64 ":{\"IPv4Address\":\"198.18.0.256/16\"}}"), PARSE_SHAPE},
	{"{\"Id\":" ID64 ",\"Name\":\"n\",\"Driver\":\"overlay\",\"Options\":[]}", PARSE_OK},
	{"{\"Id\":\"../../containers\",\"Name\":\"n\"}", PARSE_SHAPE},
	{"{\"Name\":\"n\"}", PARSE_SHAPE},
	{"[]", PARSE_SHAPE},
	{"", PARSE_NOT_JSON},
	{"{\"Id\":", PARSE_NOT_JSON},
};

START_TEST(judges_the_shape_of_a_network)
{
	struct docker_network n;
	enum parse_status got = parse_network(bytes_str(network_rows[_i].json), &n);
	ck_assert_msg(got == network_rows[_i].status, "%s: %s", network_rows[_i].json,
		      parse_status_text(got));
	docker_network_fini(&n);
}
END_TEST

#define CONTAINER(more) "{\"Id\":" ID64 ",\"Name\":\"/c\"," more "}"
#define LEG(settings)	CONTAINER("\"NetworkSettings\":{\"Networks\":{\"n\":" settings "}}")

static const struct row container_rows[] = {
	{CONTAINER("\"Config\":null"), PARSE_OK},
	{CONTAINER("\"Config\":{\"Labels\":{\"a\":\"\"}}"), PARSE_OK},
	{CONTAINER("\"Config\":{\"Labels\":{\"a\":1}}"), PARSE_SHAPE},
	{CONTAINER("\"Config\":{\"Labels\":\"a\"}"), PARSE_SHAPE},
	{CONTAINER("\"Config\":{\"Image\":[]}"), PARSE_SHAPE},
	{CONTAINER("\"State\":\"running\""), PARSE_SHAPE},
	{CONTAINER("\"HostConfig\":{\"NetworkMode\":null}"), PARSE_OK},
	{LEG("null"), PARSE_OK},
	{LEG("{}"), PARSE_OK},
	{LEG("7"), PARSE_SHAPE},
	{LEG("{\"IPAddress\":\"198.18.0.2\",\"NetworkID\":\"short\"}"), PARSE_SHAPE},
	{LEG("{\"IPAddress\":\"198.18.0.2 \"}"), PARSE_SHAPE},
	{LEG("{\"IPAddress\":\"198.18.0.2\",\"MacAddress\":\"02:42:zz:00:00:01\"}"), PARSE_SHAPE},
	{LEG("{\"IPAddress\":198}"), PARSE_SHAPE},
	{"{\"Id\":" ID64 ",\"Name\":[]}", PARSE_SHAPE},
	{"null", PARSE_NOT_JSON},
	{"{\"Id\":" ID64 "}trailing", PARSE_NOT_JSON},
};

START_TEST(judges_the_shape_of_a_container)
{
	struct docker_container c;
	enum parse_status got = parse_container(bytes_str(container_rows[_i].json), &c);
	ck_assert_msg(got == container_rows[_i].status, "%s: %s", container_rows[_i].json,
		      parse_status_text(got));
	docker_container_fini(&c);
}
END_TEST

START_TEST(a_leg_without_address_leaves_nothing_to_the_next)
{
	static const char json[] =
		CONTAINER("\"NetworkSettings\":{\"Networks\":{"
			  "\"a\":{\"MacAddress\":\"02:42:00:00:00:01\",\"NetworkID\":" ID64 "},"
			  "\"b\":{\"IPAddress\":\"198.18.0.2\"}}}");
	static const uint8_t unknown[6];
	struct docker_container c;
	ck_assert_int_eq(parse_container(bytes_str(json), &c), PARSE_OK);
	ck_assert_uint_eq(c.n_legs, 1);
	ck_assert_mem_eq(c.legs[0].mac, unknown, 6);
	ck_assert_str_eq(c.legs[0].network_id, "");
	docker_container_fini(&c);
}
END_TEST

START_TEST(a_link_is_not_the_containers_name)
{
	static const char json[] =
		"[{\"Id\":" ID64 ",\"Names\":[\"/web/db\",\"/own\"],\"Image\":\"sha256:0123\"}]";
	struct docker_container *c;
	size_t n;
	ck_assert_int_eq(parse_containers(bytes_str(json), &c, &n), PARSE_OK);
	ck_assert_str_eq(c[0].facts.container, "own");
	ck_assert(c[0].is_image_id);
	docker_containers_free(c, n);
}
END_TEST

START_TEST(events_of_others_are_no_events)
{
	static const char *const rows[] = {
		"{\"Type\":\"image\",\"Action\":\"pull\",\"Actor\":{\"ID\":\"lab:1\"}}",
		"{\"Type\":\"container\",\"Action\":\"exec_create: sh\",\"Actor\":{\"ID\":" ID64
		"}}",
		"{\"Type\":\"network\",\"Action\":\"create\",\"Actor\":{\"ID\":\"swarmsid\"}}",
		"{\"Type\":\"network\",\"Action\":\"connect\",\"Actor\":{\"ID\":" ID64
		",\"Attributes\":{\"container\":\"lb-ingress\"}}}",
		"{}",
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct docker_event e;
		ck_assert_int_eq(parse_event(bytes_str(rows[i]), &e), PARSE_OK);
		ck_assert_int_eq(e.kind, EVENT_OTHER);
	}
}
END_TEST

/* ---- damaged ---- */

static enum parse_status parse_any(unsigned what, struct bytes json)
{
	struct docker_container c, *cs;
	struct docker_network n, *ns;
	struct docker_version a, b;
	struct docker_event e;
	size_t count;
	enum parse_status s;
	switch (what) {
	case 0:
		s = parse_container(json, &c);
		docker_container_fini(&c);
		return s;
	case 1:
		s = parse_containers(json, &cs, &count);
		docker_containers_free(cs, count);
		return s;
	case 2:
		s = parse_networks(json, &ns, &count);
		docker_networks_free(ns, count);
		return s;
	case 3:
		s = parse_network(json, &n);
		docker_network_fini(&n);
		return s;
	case 4:
		return parse_version(json, &a, &b);
	default:
		return parse_event(json, &e);
	}
}

static const char *const files[] = {"container-1.52.json", "containers-1.41.json",
				    "networks-1.41.json",  "network-1.52.json",
				    "version-1.41.json",   "events-1.41.jsonl"};

START_TEST(rejects_a_reply_cut_at_any_byte)
{
	struct bytes json = read_reply(files[_i]);
	size_t whole = json.n;
	while (whole > 0 && json.p[whole - 1] == '\n')
		whole--;
	if (_i == 5)
		whole = bytes_find(json, '\n');
	for (size_t n = 0; n < whole; n++) {
		/* its own memory, so that a read past the end is seen */
		char *cut = malloc(n ? n : 1);
		memcpy(cut, json.p, n);
		ck_assert_int_eq(parse_any((unsigned)_i, bytes_of(cut, n)), PARSE_NOT_JSON);
		free(cut);
	}
	ck_assert_int_eq(parse_any((unsigned)_i, bytes_slice(json, 0, whole)), PARSE_OK);
	drop(json);
}
END_TEST

START_TEST(survives_any_changed_bytes)
{
	struct bytes json = read_reply(files[_i]);
	uint64_t random = 88172645463325252ull;
	size_t n_bad = 0;
	for (unsigned turn = 0; turn < 4000; turn++) {
		char *copy = malloc(json.n);
		memcpy(copy, json.p, json.n);
		for (unsigned k = 0; k <= turn % 3; k++) {
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			copy[random % json.n] = "{}[]\",:0aZ\\n7-\xff"[random / json.n % 15];
		}
		n_bad += parse_any((unsigned)_i, bytes_of(copy, json.n)) != PARSE_OK;
		free(copy);
	}
	ck_assert_uint_gt(n_bad, 1000);
	drop(json);
}
END_TEST

#define N_OF(rows) ((int)(sizeof(rows) / sizeof((rows)[0])))

int main(void)
{
	Suite *suite = suite_create("docker_parse");
	TCase *recorded = tcase_create("recorded"), *made = tcase_create("made up"),
	      *damaged = tcase_create("damaged");
	tcase_add_loop_test(recorded, reads_an_inspected_container_of_every_engine, 0,
			    N_OF(inspected));
	tcase_add_loop_test(recorded, reads_a_list_of_containers_of_every_engine, 0, N_OF(listed));
	tcase_add_test(recorded, stopped_created_and_host_containers_have_no_addresses);
	tcase_add_test(recorded, reads_networks);
	tcase_add_loop_test(recorded, reads_a_network_with_its_members, 0, N_OF(network_files));
	tcase_add_test(recorded, reads_versions);
	tcase_add_test(recorded, reads_every_recorded_event);
	tcase_add_loop_test(made, judges_the_shape_of_a_network, 0, N_OF(network_rows));
	tcase_add_loop_test(made, judges_the_shape_of_a_container, 0, N_OF(container_rows));
	tcase_add_test(made, a_leg_without_address_leaves_nothing_to_the_next);
	tcase_add_test(made, a_link_is_not_the_containers_name);
	tcase_add_test(made, events_of_others_are_no_events);
	tcase_set_timeout(damaged, 60);
	tcase_add_loop_test(damaged, rejects_a_reply_cut_at_any_byte, 0, N_OF(files));
	tcase_add_loop_test(damaged, survives_any_changed_bytes, 0, N_OF(files));
	suite_add_tcase(suite, recorded);
	suite_add_tcase(suite, made);
	suite_add_tcase(suite, damaged);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
