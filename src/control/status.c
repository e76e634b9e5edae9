/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `status` and `ids`: what is, as JSON. Only reads. */
#include "control/control.h"
#include "control/queues.h"
#include "output/jsontext.h"
#include "output/version.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Takes the value over; a line without one key, for want of memory, is still a line. */
static void put(json_t *object, const char *key, json_t *value)
{
	(void)json_object_set_new(object, key, value);
}

static void put_text(json_t *object, const char *key, const char *text)
{
	put(object, key, json_text(bytes_str(text)));
}

static json_t *queue_json(const struct queue_line *line)
{
	json_t *json = json_object();
	put(json, "queue", json_count(line->queue));
	put(json, "waiting", json_count(line->waiting));
	put(json, "dropped", json_count(line->dropped));
	put(json, "user_dropped", json_count(line->user_dropped));
	put(json, "packets", json_count(line->sequence));
	return json;
}

/* Two of each worker: of known connections, then of first packets. */
static json_t *queues_json(uint16_t base, unsigned n)
{
	json_t *list = json_array();
	struct queue_line lines[2 * SHARED_WORKERS_MAX];
	unsigned found = queues_read(base, 2 * n, lines);
	for (unsigned i = 0; i < found; i++)
		(void)json_array_append_new(list, queue_json(&lines[i])); /* less is fine */
	return list;
}

static uint64_t denied_get(const struct shared_counters *counters, size_t reason)
{
	return atomic_load_explicit(&counters->denied[reason], memory_order_relaxed);
}

static json_t *worker_json(const struct shared_counters *counters)
{
	json_t *json = json_object();
	for (size_t i = 0; i < N_COUNTERS; i++)
		put(json, counter_name((enum counter)i),
		    json_count(counter_get(counters, (enum counter)i)));
	return json;
}

static bool is_gauge_of_all(enum counter counter)
{
	return counter ==
	       COUNTER_GENERATION; /* a sum of generations says nothing: the least counts */
}

static uint64_t counter_sum(const struct supervise *s, enum counter counter)
{
	uint64_t sum = 0, least = UINT64_MAX;
	for (unsigned i = 0; i < supervise_n_workers(s); i++) {
		uint64_t value = counter_get(supervise_counters(s, i), counter);
		sum += value;
		least = value < least ? value : least;
	}
	return is_gauge_of_all(counter) ? least : sum;
}

static json_t *counters_json(const struct supervise *s)
{
	json_t *json = json_object();
	for (size_t i = 0; i < N_COUNTERS; i++)
		put(json, counter_name((enum counter)i),
		    json_count(counter_sum(s, (enum counter)i)));
	return json;
}

static json_t *denied_json(const struct supervise *s)
{
	json_t *json = json_object();
	for (size_t reason = 0; reason < N_REASONS; reason++) {
		uint64_t sum = 0;
		for (unsigned i = 0; i < supervise_n_workers(s); i++)
			sum += denied_get(supervise_counters(s, i), reason);
		if (sum)
			put(json, reason_name((enum reason)reason), json_count(sum));
	}
	return json;
}

static const char *firewall_state(const struct control *c)
{
	if (c->firewall_error.text[0])
		return "failing";
	return c->n_applied ? "ok" : "pending";
}

static json_t *firewall_json(const struct control *c)
{
	json_t *json = json_object(), *interfaces = json_array();
	const struct firewall_plan *plan = &c->applied.firewall;
	put_text(json, "state", firewall_state(c));
	put(json, "applied", json_count(c->n_applied));
	put(json, "reapplied", json_count(c->n_reapplied));
	put(json, "failures", json_count(c->n_apply_failures));
	if (c->firewall_error.text[0])
		put_text(json, "error", c->firewall_error.text);
	for (size_t i = 0; i < plan->n_interfaces; i++)
		(void)json_array_append_new(interfaces,
					    json_string(plan->interfaces[i])); /* less is fine */
	put(json, "interfaces", interfaces);
	return json;
}

static const char *ports_state(const struct ports_state *ports)
{
	if (ports->is_off)
		return "off";
	return ports->error.text[0] ? "failing" : "ok";
}

static json_t *drops_json(void)
{
	struct ports_drops drops;
	json_t *json = json_object();
	firewall_read_drops(&drops);
	for (enum ports_drop i = 0; i < N_PORTS_DROPS; i++)
		if (drops.packets[i])
			put(json, ports_drop_name(i), json_count(drops.packets[i]));
	return json;
}

/* How far identity is bound to bridge ports. */
static json_t *ports_json(const struct control *c)
{
	json_t *json = json_object();
	put_text(json, "state", c->n_applied ? ports_state(&c->ports) : "pending");
	if (c->ports.error.text[0])
		put_text(json, "error", c->ports.error.text);
	put(json, "ports", json_count(c->ports.n));
	put(json, "bound", json_count(c->ports.n_bound));
	put(json, "dropped", drops_json());
	return json;
}

static json_t *records_json(const struct records *records)
{
	json_t *json = json_object();
	struct sink_counts counts =
		records->sink ? sink_counts(records->sink) : (struct sink_counts){0};
	put(json, "records", json_count(records->n));
	put(json, "lost", json_count(counts.lost));
	put(json, "write_errors", json_count(counts.errors));
	put(json, "damaged", json_count(records->n_damaged));
	return json;
}

static const char *docker_state(const struct control *c)
{
	if (!c->docker_enabled)
		return "disabled";
	if (c->docker_lost)
		return "lost";
	return c->docker_listed ? "connected" : "connecting";
}

static const char *waits_for(const struct control *c)
{
	if (c->docker_enabled && !c->docker_listed)
		return "the first list of containers";
	if (c->awaits_engine)
		return "the engine";
	return c->n_applied ? NULL : "the firewall";
}

static void put_state(json_t *json, const struct control *c)
{
	put(json, "ready", json_boolean(c->is_ready));
	if (!c->is_ready && waits_for(c))
		put_text(json, "waits_for", waits_for(c));
	put_text(json, "version", VERSION);
	put(json, "control_pid", json_integer(getpid()));
	put(json, "engine_pid", json_integer(supervise_engine_pid(c->supervise)));
	put(json, "engine_restarts", json_count(supervise_restarts(c->supervise)));
	put(json, "generation", json_count(c->now.generation));
	put(json, "epoch", json_count(c->now.epoch));
	put_text(json, "mode", mode_name(policy_config(c->now.policy)->mode));
	put_text(json, "docker", docker_state(c));
	put_text(json, "config", c->options.config);
	put(json, "rules", json_count(policy_n_rules(c->now.policy)));
	put(json, "endpoints", json_count(c->now.ids.n_endpoints));
	put(json, "networks", json_count(c->now.ids.n_networks));
}

void answer_status(struct control *c, struct api_client *client)
{
	json_t *json = json_object(), *workers = json_array();
	unsigned n = supervise_n_workers(c->supervise);
	put_state(json, c);
	put(json, "firewall", firewall_json(c));
	put(json, "ports", ports_json(c));
	put(json, "queues", queues_json(c->queue_base, n));
	put(json, "counters", counters_json(c->supervise));
	put(json, "denied", denied_json(c->supervise));
	for (unsigned i = 0; i < n; i++)
		(void)json_array_append_new(workers,
					    worker_json(supervise_counters(c->supervise, i)));
	put(json, "workers", workers);
	put(json, "records", records_json(&c->records));
	(void)api_send(client, json); /* a client that is gone needs nothing more */
	api_end(client, c->is_ready ? EXIT_SUCCESS : EXIT_FAILURE, NULL);
}

/* How a policy may name it. */
static json_t *selectors_json(const struct identity_endpoint *e)
{
	json_t *list = json_array();
	/* A selector that is missing for want of memory is missing; NULL is refused by the array.
	 */
	if (e->project && e->service)
		(void)json_array_append_new(list, json_sprintf("%s/%s", e->project, e->service));
	(void)json_array_append_new(list, json_sprintf("container:%s", e->container));
	if (e->image)
		(void)json_array_append_new(list, json_sprintf("image:%s", e->image));
	for (size_t i = 0; i < e->n_addresses; i++)
		(void)json_array_append_new(list,
					    json_sprintf("network:%s", e->addresses[i].network));
	for (size_t i = 0; i < e->n_labels; i++)
		(void)json_array_append_new(
			list, json_sprintf("label:%s=%s", e->labels[i].key, e->labels[i].value));
	return list;
}

static json_t *endpoint_line(const struct control *c, const struct identity_endpoint *e)
{
	json_t *line = ids_endpoint_json(e);
	json_t *addresses = json_object_get(line, "addresses");
	for (size_t i = 0; i < e->n_addresses && c->now.image; i++) {
		struct policy_owner owner = policy_owner(c->now.image, &e->addresses[i].addr);
		put_text(json_array_get(addresses, i), "identity",
			 policy_identity_name(c->now.image, owner.identity));
	}
	put(line, "host_network", json_boolean(e->is_host_network));
	put(line, "selectors", selectors_json(e));
	return line;
}

void answer_ids(struct control *c, struct api_client *client)
{
	for (size_t i = 0; i < c->now.ids.n_endpoints; i++)
		if (!api_send(client, endpoint_line(c, &c->now.ids.endpoints[i])))
			return;
	api_end(client, EXIT_SUCCESS, NULL);
}
