/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The image: that bitsets say what direct evaluation says, that it crosses a memfd, that a broken
 * one is refused or harmless, and that a large one is built.
 */
#include "policy_fixture.h"

#include "base/text.h"
#include "policy/image.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

static uint32_t below(uint32_t *state, uint32_t n)
{
	return next_random(state) % n;
}

/* ---- endpoints ---- */

static void add_endpoint(struct identity_set *set, uint32_t number, const char *project,
			 const char *service, const char *image, const char *tier,
			 const char *network)
{
	char id[32], net[32];
	const uint8_t b[4] = {240, (uint8_t)(number >> 16), (uint8_t)(number >> 8),
			      (uint8_t)number};
	struct identity_address at = {.addr = ip_addr_from(b, 4), .network = net};
	struct identity_endpoint e = {0};
	(void)snprintf(id, sizeof(id), "c%u", number);
	(void)snprintf(net, sizeof(net), "%s", network);
	e.id = strdup(id);
	e.container = strdup(id);
	e.project = strdup(project);
	e.service = strdup(service);
	e.image = strdup(image);
	ck_assert_int_eq(identity_endpoint_add_label(&e, "tier", tier), 0);
	ck_assert_int_eq(identity_endpoint_add_address(&e, &at), 0);
	ck_assert_int_eq(identity_put_endpoint(set, &e), 0);
}

/* ---- the naive twin: a selector in the test's own words, evaluated on the endpoint itself ---- */

enum { N_NAMES = 4, N_ENDPOINTS = 24, N_RULES = 70 };

static const char *const pool[N_NAMES] = {"a", "b", "ab", "c"};

struct twin_selector {
	enum {
		T_ANY,
		T_SERVICE,
		T_PROJECT,
		T_CONTAINER,
		T_IMAGE,
		T_LABEL,
		T_NETWORK,
		T_CIDR,
		N_T
	} kind;
	uint32_t x, y;
	bool is_glob; /* of the last name: NAME* */
	bool is_not;
};

struct twin_expr {
	struct twin_selector part[2];
	uint32_t n;
	bool is_all;
};

struct twin_rule {
	struct twin_expr from, to;
	uint16_t low, high; /* 0: any port */
	uint8_t app;	    /* 0 web, 1 names, 2 tcp, 3 any */
};

static bool starts(const char *text, const char *with, bool is_glob)
{
	return is_glob ? strncmp(text, with, strlen(with)) == 0 : strcmp(text, with) == 0;
}

static bool twin_matches(const struct twin_selector *s, const struct identity_endpoint *e,
			 uint32_t number)
{
	char container[16];
	bool m = false;
	(void)snprintf(container, sizeof(container), "c%u", s->x);
	switch (s->kind) {
	case T_ANY:
		m = true;
		break;
	case T_SERVICE:
		m = strcmp(e->project, pool[s->x]) == 0 &&
		    starts(e->service, pool[s->y], s->is_glob);
		break;
	case T_PROJECT:
		m = strcmp(e->project, pool[s->x]) == 0;
		break;
	case T_CONTAINER:
		m = starts(e->container, container, s->is_glob);
		break;
	case T_IMAGE:
		m = starts(e->image, pool[s->x], s->is_glob);
		break;
	case T_LABEL:
		m = starts(e->labels[0].value, pool[s->x], s->is_glob);
		break;
	case T_NETWORK:
		m = starts(e->addresses[0].network, pool[s->x], s->is_glob);
		break;
	case T_CIDR: /* the lowest 5 bits of the number, cut to a prefix of y bits of them */
		m = number >> (5 - s->y) == s->x >> (5 - s->y);
		break;
	case N_T:
		break;
	}
	return m != s->is_not;
}

static bool twin_holds(const struct twin_expr *x, const struct identity_endpoint *e,
		       uint32_t number)
{
	bool first = twin_matches(&x->part[0], e, number);
	if (x->n == 1)
		return first;
	bool second = twin_matches(&x->part[1], e, number);
	return x->is_all ? first && second : first || second;
}

static void write_selector(const struct twin_selector *s, FILE *f)
{
	const char *star = s->is_glob ? "*" : "";
	fprintf(f, "'%s", s->is_not ? "not:" : "");
	switch (s->kind) {
	case T_ANY:
		fputs("any", f);
		break;
	case T_SERVICE:
		fprintf(f, "%s/%s%s", pool[s->x], pool[s->y], star);
		break;
	case T_PROJECT:
		fprintf(f, "%s/*", pool[s->x]);
		break;
	case T_CONTAINER:
		fprintf(f, "container:c%u%s", s->x, star);
		break;
	case T_IMAGE:
		fprintf(f, "image:%s%s", pool[s->x], star);
		break;
	case T_LABEL:
		fprintf(f, "label:tier=%s%s", pool[s->x], star);
		break;
	case T_NETWORK:
		fprintf(f, "network:%s%s", pool[s->x], star);
		break;
	case T_CIDR:
		fprintf(f, "cidr:240.0.0.%u/%u", s->x >> (5 - s->y) << (5 - s->y), 27 + s->y);
		break;
	case N_T:
		break;
	}
	fputc('\'', f);
}

static void write_expr(const struct twin_expr *x, FILE *f)
{
	fputs(x->is_all ? "{all: [" : "[", f);
	for (uint32_t i = 0; i < x->n; i++) {
		fputs(i ? ", " : "", f);
		write_selector(&x->part[i], f);
	}
	fputs(x->is_all ? "]}" : "]", f);
}

static struct twin_expr random_expr(uint32_t *random)
{
	struct twin_expr x = {.n = 1 + below(random, 2), .is_all = below(random, 3) == 0};
	for (uint32_t i = 0; i < x.n; i++) {
		struct twin_selector *s = &x.part[i];
		s->kind = below(random, N_T);
		s->x = below(random,
			     s->kind == T_CONTAINER || s->kind == T_CIDR ? N_ENDPOINTS : N_NAMES);
		s->y = s->kind == T_CIDR ? below(random, 6) : below(random, N_NAMES);
		s->is_glob = below(random, 3) == 0;
		s->is_not = below(random, 5) == 0;
	}
	return x;
}

static struct policy *random_policy(uint32_t *random, struct twin_rule *rules)
{
	static const char *const apps[] = {"web", "names", "tcp", "any"};
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	fputs("version: 1\nrules:\n", f);
	for (int i = 0; i < N_RULES; i++) {
		struct twin_rule *r = &rules[i];
		*r = (struct twin_rule){.from = random_expr(random),
					.to = random_expr(random),
					.app = (uint8_t)below(random, 4)};
		fprintf(f, "- {name: r%d, from: ", i);
		write_expr(&r->from, f);
		fputs(", to: ", f);
		write_expr(&r->to, f);
		fprintf(f, ", app: %s, ", apps[r->app]);
		if (below(random, 3) == 0) {
			r->low = (uint16_t)(1 + below(random, 5));
			r->high = (uint16_t)(r->low + below(random, 5));
			fprintf(f, "port: \"%u-%u\", ", r->low, r->high);
		}
		fputs("deny: true}\n", f);
	}
	ck_assert_int_eq(fclose(f), 0);
	struct policy *policy = load_good(text);
	free(text);
	return policy;
}

static bool twin_candidate(const struct twin_rule *r, const struct identity_set *ids, uint32_t from,
			   uint32_t to, uint8_t ip_proto, uint16_t port)
{
	bool takes_udp = r->app == 1 || r->app == 3;
	if (ip_proto == IPPROTO_UDP && !takes_udp)
		return false;
	if (r->low && (port < r->low || port > r->high))
		return false;
	return twin_holds(&r->from, &ids->endpoints[from], from) &&
	       twin_holds(&r->to, &ids->endpoints[to], to);
}

static void compare_pair(const struct policy_image *image, const struct twin_rule *rules,
			 const struct identity_set *ids, uint32_t from, uint32_t to,
			 uint8_t ip_proto, uint16_t port)
{
	const struct policy_subject s = {
		.from = policy_owner(image, &ids->endpoints[from].addresses[0].addr).identity,
		.to = policy_owner(image, &ids->endpoints[to].addresses[0].addr).identity,
		.ip_proto = ip_proto,
		.to_port = port,
	};
	struct policy_candidates c;
	policy_candidates(image, &s, &c);
	uint8_t n = 0;
	bool complete = true;
	for (uint32_t i = 0; i < N_RULES; i++) {
		if (!twin_candidate(&rules[i], ids, from, to, ip_proto, port))
			continue;
		if (n == POLICY_CANDIDATES_MAX) {
			complete = false;
			break;
		}
		ck_assert_uint_lt(n, c.n);
		ck_assert_uint_eq(c.rule[n], i);
		n++;
	}
	ck_assert_uint_eq(c.n, n);
	ck_assert_int_eq(c.is_complete, complete);
}

START_TEST(agrees_with_direct_evaluation)
{
	uint32_t random = (uint32_t)_i + 1;
	struct twin_rule rules[N_RULES];
	struct identity_set ids = {0};
	struct policy_blob blob;
	for (uint32_t i = 0; i < N_ENDPOINTS; i++)
		add_endpoint(&ids, i, pool[below(&random, N_NAMES)], pool[below(&random, N_NAMES)],
			     pool[below(&random, N_NAMES)], pool[below(&random, N_NAMES)],
			     pool[below(&random, N_NAMES)]);
	struct policy *policy = random_policy(&random, rules);
	const struct policy_inputs inputs = {.ids = &ids};
	ck_assert_int_eq(policy_compile(policy, &inputs, &blob, NULL), 0);
	ck_assert(image_check(blob.data, blob.size));
	for (uint32_t from = 0; from < N_ENDPOINTS; from++)
		for (uint32_t to = 0; to < N_ENDPOINTS; to++)
			compare_pair(policy_image_of(&blob), rules, &ids, from, to,
				     below(&random, 2) ? IPPROTO_TCP : IPPROTO_UDP,
				     (uint16_t)below(&random, 12));
	policy_blob_free(&blob);
	policy_free(policy);
	identity_set_fini(&ids);
}
END_TEST

/* ---- publishing ---- */

static const char some_policy[] =
	"version: 1\nidentities: {n: ['cidr:198.18.0.0/16', 'cidr:fd00::/8']}\nrules:\n"
	"- {name: one, from: a/*, to: '@n', app: web, port: [80, 8000-8100],\n"
	"   allow: [{methods: [GET, HEAD], paths: ['/a/**/x', '/b*', 're:/c/[0-9]+(x|y)?']}, "
	"{max_body: 5, status: "
	"200-299}]}\n"
	"- {name: two, from: any, to: a/b, app: sql, tls: any, deny: [{verbs: write, unparsed: "
	"allow}]}\n"
	"- {name: three, from: 'label:tier=*', to: any, app: names, allow: true, log: sample "
	"1/5}\n";

static struct policy_blob some_blob(void)
{
	struct policy *policy = load_good(some_policy);
	struct identity_set ids = {0};
	struct policy_blob blob;
	add_endpoint(&ids, 1, "a", "b", "i", "t", "n");
	add_endpoint(&ids, 2, "a", "c", "i", "t", "n");
	const struct policy_inputs inputs = {.ids = &ids, .generation = 5};
	ck_assert_int_eq(policy_compile(policy, &inputs, &blob, NULL), 0);
	identity_set_fini(&ids);
	policy_free(policy);
	return blob;
}

START_TEST(publishes_what_nobody_can_change)
{
	struct policy_blob blob = some_blob();
	const struct policy_image *image = NULL;
	int fd = -1;
	ck_assert_int_eq(policy_publish(&blob, &fd), 0);
	ck_assert_int_eq(fcntl(fd, F_GET_SEALS),
			 F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
	ck_assert_int_eq(ftruncate(fd, 0), -1);
	ck_assert(mmap(NULL, 1, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
	ck_assert_int_eq(policy_image_map(fd, &image), 0);
	ck_assert_int_eq(close(fd), 0);
	ck_assert_uint_eq(policy_settings(image)->generation, 5);
	ck_assert_str_eq(policy_rule_name(image, 1), "two");
	ck_assert_str_eq(policy_rule_name(image, 3), "");
	ck_assert_str_eq(policy_rule_name(image, POLICY_NO_RULE), "");
	policy_image_unmap(image);
	policy_image_unmap(NULL);
	policy_blob_free(&blob);
}
END_TEST

START_TEST(refuses_what_is_no_image)
{
	struct policy_blob blob = some_blob();
	const struct policy_image *image = NULL;
	int fd = -1;
	((char *)blob.data)[0] ^= 1;
	ck_assert_int_eq(policy_publish(&blob, &fd), 0);
	ck_assert_int_eq(policy_image_map(fd, &image), -EBADMSG);
	ck_assert_int_eq(close(fd), 0);
	fd = memfd_create("empty", MFD_CLOEXEC);
	ck_assert_int_eq(policy_image_map(fd, &image), -EBADMSG);
	ck_assert_int_eq(close(fd), 0);
	ck_assert_int_eq(policy_image_map(-1, &image), -EBADF);
	policy_blob_free(&blob);
}
END_TEST

START_TEST(refuses_every_truncation)
{
	struct policy_blob blob = some_blob();
	for (size_t n = 0; n < blob.size; n++) {
		char *cut = malloc(n + 1);
		memcpy(cut, blob.data, n);
		ck_assert(!image_check(cut, n));
		free(cut);
	}
	ck_assert(image_check(blob.data, blob.size));
	policy_blob_free(&blob);
}
END_TEST

static void ignore_line(void *ctx, const struct policy_explanation *e)
{
	size_t *sum = ctx;
	*sum += strlen(e->want ? e->want : "") + strlen(e->got ? e->got : "");
}

/* Every question that an engine can ask. */
static void use(const struct policy_image *image)
{
	const struct dis_value values[] = {
		{.field = WEB_METHOD, .text = bytes_str("GET")},
		{.field = WEB_PATH, .text = bytes_str("/a/b/x")},
		{.field = WEB_SIZE, .number = 3},
		{.field = WEB_STATUS, .number = 200},
	};
	struct dis_event event = {.values = values, .n_values = 4};
	size_t sum = 0;
	for (uint8_t i = 0; i < 4; i++) {
		const uint8_t b[4] = {240, 0, 0, i};
		struct ip_addr addr = ip_addr_from(b, 4);
		struct policy_owner o = policy_owner(image, &addr);
		sum += strlen(policy_identity_name(image, o.identity));
		struct policy_subject s = {.from = o.identity,
					   .to = o.identity ^ (i & 1),
					   .ip_proto = i & 2 ? IPPROTO_UDP : IPPROTO_TCP,
					   .to_port = 80,
					   .from_container = true};
		struct policy_candidates c;
		struct policy_decision d;
		policy_candidates(image, &s, &c);
		c.is_complete &= i != 3;
		policy_decide_connection(image, &s, &c, &d);
		sum += strlen(policy_rule_name(image, d.rule));
		for (uint8_t app = 0; app < 4; app++) {
			policy_decide_app(image, &s, &c, app, &d);
			event.kind = (enum dis_kind)(app + 1);
			event.flags = i & 1;
			policy_decide_event(image, &s, &c, app, &event, &d);
			sum += strlen(policy_rule_name(image, d.rule));
			policy_explain(image, &s, app, &event, ignore_line, &sum);
		}
	}
	ck_assert_uint_lt(sum, 1 << 20);
}

/* Under ASan: whatever image_check lets pass, no question leaves the block. */
START_TEST(survives_any_corruption)
{
	struct policy_blob blob = some_blob();
	uint32_t random = 99;
	size_t n_passed = 0;
	for (int round = 0; round < 6000; round++) {
		char *copy = malloc(blob.size);
		memcpy(copy, blob.data, blob.size);
		/* the first half of the rounds goes through the bytes, the others hit the head and
		 * several places */
		size_t at = round < 3000 ? (size_t)round * blob.size / 3000 : below(&random, 512);
		copy[at] = (char)(round & 1 ? 0xff : next_random(&random));
		for (int k = 0; round >= 3000 && k < round % 5; k++)
			copy[below(&random, (uint32_t)blob.size)] = (char)next_random(&random);
		if (image_check(copy, blob.size)) {
			n_passed++;
			use((const struct policy_image *)(const void *)copy);
		}
		free(copy);
	}
	ck_assert_uint_gt(n_passed, 100);
	use(policy_image_of(&blob));
	policy_blob_free(&blob);
}
END_TEST

/* ---- size ---- */

START_TEST(builds_a_large_image)
{
	enum { RULES = 20000, ENDPOINTS = 10000 };
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	fputs("version: 1\nrules:\n", f);
	for (int i = 0; i < RULES; i++)
		fprintf(f,
			"- {name: r%d, from: p%d/s%d, to: %s%d%s, app: web, allow: [{methods: "
			"GET}]}\n",
			i, i % 100, i / 100, i % 3 ? "p" : "'cidr:10.1.", i % 3 ? i % 100 : i % 256,
			i % 3 ? "/*" : ".0/24'");
	ck_assert_int_eq(fclose(f), 0);
	struct policy *policy = load_good(text);
	free(text);
	struct identity_set ids = {0};
	for (uint32_t i = 0; i < ENDPOINTS; i++) {
		char project[16], service[16];
		(void)snprintf(project, sizeof(project), "p%u", i % 100);
		(void)snprintf(service, sizeof(service), "s%u", i / 100);
		add_endpoint(&ids, i, project, service, "image", "t", "n");
	}
	struct policy_blob blob;
	const struct policy_inputs inputs = {.ids = &ids};
	ck_assert_int_eq(policy_compile(policy, &inputs, &blob, NULL), 0);
	ck_assert(image_check(blob.data, blob.size));
	const struct policy_image *image = policy_image_of(&blob);
	/* rule 101 lets p1/s1 reach all of p1, and so on, in every word of a row */
	for (uint32_t i = 1; i < ENDPOINTS; i += i % 3 == 1 ? 1 : 2) {
		char name[16];
		struct policy_candidates c;
		const struct policy_subject s = {
			.from = policy_owner(image, &ids.endpoints[i].addresses[0].addr).identity,
			.to = policy_owner(image, &ids.endpoints[i % 100].addresses[0].addr)
				      .identity,
			.ip_proto = IPPROTO_TCP,
		};
		policy_candidates(image, &s, &c);
		(void)snprintf(name, sizeof(name), "r%u", i);
		ck_assert_uint_eq(c.n, 1);
		ck_assert_str_eq(policy_rule_name(image, c.rule[0]), name);
	}
	policy_blob_free(&blob);
	policy_free(policy);
	identity_set_fini(&ids);
}
END_TEST

/* Of a subnet only the last bytes differ: a hash that leaves them out makes every look-up a walk
 * over all addresses. With a slot in three taken, chance gives 8,600 different ones. */
START_TEST(spreads_the_addresses_of_a_subnet)
{
	enum { ADDRESSES = 10000, SLOTS = 1 << 15 };
	static const uint8_t v4[16] = {[10] = 0xff, 0xff, 172, 20}, v6[16] = {0xfd, 0, 1};
	static bool taken[SLOTS];
	for (int k = 0; k < 4; k++) {
		size_t n = 0;
		memset(taken, 0, sizeof(taken));
		for (size_t i = 0; i < ADDRESSES; i++) {
			struct ip_addr addr;
			memcpy(addr.b, k & 1 ? v6 : v4, sizeof(addr.b));
			/* hosts of a subnet, or the first addresses of many */
			size_t at = k < 2 ? 14 : k & 1 ? 4 : 13;
			addr.b[at] = (uint8_t)(i / 256);
			addr.b[at + 1] = (uint8_t)i;
			bool *slot = &taken[image_hash(&addr, k < 2 ? 128 : 120) % SLOTS];
			n += !*slot;
			*slot = true;
		}
		ck_assert_uint_gt(n, 8300);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy_image");
	TCase *tests = tcase_create("image");
	tcase_set_timeout(tests, 60);
	tcase_add_loop_test(tests, agrees_with_direct_evaluation, 0, 40);
	tcase_add_test(tests, spreads_the_addresses_of_a_subnet);
	tcase_add_test(tests, publishes_what_nobody_can_change);
	tcase_add_test(tests, refuses_what_is_no_image);
	tcase_add_test(tests, refuses_every_truncation);
	tcase_add_test(tests, survives_any_corruption);
	tcase_add_test(tests, builds_a_large_image);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
