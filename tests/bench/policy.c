/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bw-bench-policy: what a policy costs by its number of rules and endpoints.
 *
 *	load    text to policy: reading, checks, lint
 *	compile policy and endpoints to an image
 *	swap    publish, map and check: what is between an image and its use. The engine does the
 *	        last two beside its work and changes one pointer per batch, so no packet waits for
 *it. open    ns to know both ends of a new flow, collect its candidates and decide app     ns to
 *decide again when the application is known request ns to decide one request
 *
 * All times are of the processor, so that other work on the machine does not count.
 *
 * Rules are those of many Compose projects, a few dozen services each; ten rules speak of
 *everybody. Asked pairs go over all endpoints, one in four with a rule of its own.
 */
#include "policy/compile.h"
#include "policy/load.h"

#include "identity/inventory.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 256, ASKED = 1000 * BATCH, SERVICES = 25, RULES_OF_ALL = 10 };

static double now(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); /* cannot fail */
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(EXIT_FAILURE);
}

/* Rule i: one service of a project to another one. */
static char *write_rules(size_t n_rules, size_t *n)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, n);
	if (!f)
		die("no memory");
	fputs("version: 1\nrules:\n", f);
	for (size_t i = 0; i < n_rules; i++) {
		size_t project = i / SERVICES, service = i % SERVICES;
		if (i < RULES_OF_ALL)
			fprintf(f,
				"- {name: r%zu, from: any, to: any, app: http, port: %zu, deny: "
				"[{paths: [\"/admin%zu/**\"]}]}\n",
				i, 9000 + i, i);
		else if (i % 4 == 0)
			fprintf(f,
				"- {name: r%zu, from: p%zu/s%zu, to: p%zu/s%zu, app: mysql, port: "
				"3306, allow: [{verbs: [read], tables: [t_*]}]}\n",
				i, project, service, project, (service + 1) % SERVICES);
		else if (i % 4 == 1)
			fprintf(f,
				"- {name: r%zu, from: p%zu/s%zu, to: 'cidr:10.%zu.%zu.0/24', app: "
				"tls, allow: true}\n",
				i, project, service, i / 256 % 256, i % 256);
		else
			fprintf(f,
				"- {name: r%zu, from: [p%zu/s%zu, 'label:team=t%zu'], to: "
				"p%zu/s%zu, "
				"app: http, allow: [{methods: [GET], paths: [/a%zu/**, "
				"\"re:/v[0-9]+/x\"]}]}\n",
				i, project, service, project, project, (service + 1) % SERVICES, i);
	}
	if (fclose(f) != 0)
		die("no memory");
	return text;
}

static struct ip_addr address_of(size_t i)
{
	struct ip_addr addr = {.b = {[10] = 0xff,
				     [11] = 0xff,
				     172,
				     (uint8_t)(16 + i / 65536),
				     (uint8_t)(i / 256),
				     (uint8_t)i}};
	return addr;
}

static void add_endpoints(struct identity_set *ids, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct identity_endpoint e = {0};
		struct identity_address a = {.addr = address_of(i), .network = (char[]){"net"}};
		if (asprintf(&e.id, "%064zx", i) < 0 || asprintf(&e.container, "c%zu", i) < 0 ||
		    asprintf(&e.project, "p%zu", i / SERVICES) < 0 ||
		    asprintf(&e.service, "s%zu", i % SERVICES) < 0 ||
		    identity_endpoint_add_address(&e, &a) < 0 ||
		    identity_endpoint_add_label(&e, "tier", i % 2 ? "a" : "b") < 0 ||
		    identity_put_endpoint(ids, &e) < 0)
			die("no memory");
	}
}

static uint8_t app_named(const char *name)
{
	for (size_t i = 0; i < n_dissectors; i++)
		if (strcmp(dissectors[i]->name, name) == 0)
			return (uint8_t)i;
	return POLICY_APP_NONE;
}

/* A request with one value for each of two fields. */
struct request {
	struct dis_value values[2];
	struct dis_event event;
};

static void make_request(struct request *r, uint8_t app)
{
	const struct dissector *d = dissectors[app];
	for (uint16_t f = 0; f < d->n_fields; f++) {
		if (d->fields[f].key && strcmp(d->fields[f].key, "methods") == 0)
			r->values[0] = (struct dis_value){.field = f, .text = bytes_str("GET")};
		if (d->fields[f].key && strcmp(d->fields[f].key, "paths") == 0)
			r->values[1] = (struct dis_value){.field = f, .text = bytes_str("/v1/x")};
	}
	r->event = (struct dis_event){.kind = DIS_REQUEST, .values = r->values, .n_values = 2};
}

struct costs {
	double open, app, request;
	size_t n_candidates;
};

static struct policy_subject subject_of(const struct policy_image *image, size_t from, size_t to)
{
	const struct ip_addr a = address_of(from), b = address_of(to);
	return (struct policy_subject){
		.from = policy_owner(image, &a).identity,
		.to = policy_owner(image, &b).identity,
		.to_port = 80,
		.ip_proto = IPPROTO_TCP,
		.from_container = true,
		.to_container = true,
	};
}

struct asked {
	struct policy_subject subject;
	struct policy_candidates candidates;
};

/* One in four asks a neighbour, for whom half of the services have a rule. */
static void open_flow(const struct policy_image *image, size_t i, size_t n_endpoints,
		      struct asked *out)
{
	struct policy_decision d;
	size_t from = (i * 7919 + i / 4) % n_endpoints;
	size_t to = i % 4 ? (from + 5 * i) % n_endpoints : (from + 1) % n_endpoints;
	out->subject = subject_of(image, from, to);
	policy_candidates(image, &out->subject, &out->candidates);
	policy_decide_connection(image, &out->subject, &out->candidates, &d);
}

static void ask_batch(const struct policy_image *image, size_t first, size_t n_endpoints,
		      const struct request *request, uint8_t app, struct costs *costs)
{
	static struct asked asked[BATCH];
	struct policy_decision d;
	double start = now();
	for (size_t i = 0; i < BATCH; i++)
		open_flow(image, first + i, n_endpoints, &asked[i]);
	double opened = now();
	for (size_t i = 0; i < BATCH; i++)
		policy_decide_app(image, &asked[i].subject, &asked[i].candidates, app, &d);
	double claimed = now();
	for (size_t i = 0; i < BATCH; i++)
		policy_decide_event(image, &asked[i].subject, &asked[i].candidates, app,
				    &request->event, &d);
	costs->request += now() - claimed;
	costs->app += claimed - opened;
	costs->open += opened - start;
	for (size_t i = 0; i < BATCH; i++)
		costs->n_candidates += asked[i].candidates.n;
}

static struct costs ask(const struct policy_image *image, size_t n_endpoints)
{
	struct costs costs = {0};
	struct request request;
	uint8_t http = app_named("http");
	make_request(&request, http);
	for (size_t i = 0; i < ASKED; i += BATCH)
		ask_batch(image, i, n_endpoints, &request, http, &costs);
	return costs;
}

static struct policy *load(size_t n_rules, double *seconds)
{
	size_t n;
	char *text = write_rules(n_rules, &n);
	struct policy *policy = NULL;
	struct diagnostics diags;
	double start = now();
	if (policy_load_text("bench.yaml", text, n, &policy, &diags)) {
		diagnostics_print(&diags, stderr);
		die("the policy does not load");
	}
	*seconds = now() - start;
	diagnostics_fini(&diags);
	free(text);
	return policy;
}

static double swap(const struct policy_blob *blob)
{
	const struct policy_image *image;
	int fd;
	double start = now();
	if (policy_publish(blob, &fd) < 0 || policy_image_map(fd, &image) < 0)
		die("the image cannot be published");
	double seconds = now() - start;
	policy_image_unmap(image);
	(void)close(fd); /* it was for this measurement */
	return seconds;
}

static void measure(size_t n_rules, size_t n_endpoints)
{
	struct identity_set ids = {0};
	struct policy_blob blob;
	struct error err;
	double seconds;
	struct policy *policy = load(n_rules, &seconds);
	add_endpoints(&ids, n_endpoints);
	const struct policy_inputs inputs = {.ids = &ids};
	double start = now();
	if (policy_compile(policy, &inputs, &blob, &err) < 0)
		die(err.text);
	double compiled = now() - start;
	double swapped = swap(&blob);
	struct costs c = ask(policy_image_of(&blob), n_endpoints);
	printf("%6zu %9zu %8.1f %10.1f %7.1f %7.1f %7.0f %7.0f %7.0f %10.2f\n", n_rules,
	       n_endpoints, seconds * 1e3, compiled * 1e3, swapped * 1e3,
	       (double)blob.size / (1 << 20), c.open / ASKED * 1e9, c.app / ASKED * 1e9,
	       c.request / ASKED * 1e9, (double)c.n_candidates / ASKED);
	policy_blob_free(&blob);
	policy_free(policy);
	identity_set_fini(&ids);
}

int main(void)
{
	static const size_t rules[] = {10, 1000, 20000}, endpoints[] = {10, 1000, 10000};
	printf("%6s %9s %8s %10s %7s %7s %7s %7s %7s %10s\n", "rules", "endpoints", "load ms",
	       "compile ms", "swap ms", "MiB", "open ns", "app ns", "req ns", "candidates");
	for (size_t r = 0; r < 3; r++)
		for (size_t e = 0; e < 3; e++)
			measure(rules[r], endpoints[e]);
	return EXIT_SUCCESS;
}
