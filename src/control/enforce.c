/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/enforce.h"

#include "base/log.h"
#include "control/bind.h"
#include "control/clock.h"
#include "control/notify.h"

#include <event2/event.h>
#include <stdlib.h>

enum { SLOW_AFTER_MS = 200, SLOW_MS = 20 };

static uint64_t waited_ms(const struct control *c)
{
	return clock_now_ms() - c->awaits_since_ms;
}

static void ask_again(struct control *c)
{
	unsigned ms = waited_ms(c) < SLOW_AFTER_MS ? CONTROL_TAKE_UP_MS : SLOW_MS;
	struct timeval later = {.tv_usec = (suseconds_t)ms * 1000};
	(void)event_add(c->events[ON_TAKE_UP], &later); /* made at start: adding cannot fail */
}

void enforce_await(struct control *c)
{
	c->awaits_engine = true;
	c->awaits_since_ms = clock_now_ms();
	c->said_late = false;
	ask_again(c);
}

void enforce_answer_later(struct control *c, struct api_client *client)
{
	if (c->n_waiting_reloads == CONTROL_RELOADS_MAX)
		api_end(client, EXIT_FAILURE,
			"published; too many wait for the engine to take it up");
	else
		c->waiting_reloads[c->n_waiting_reloads++] = api_client_id(client);
}

static void answer_reloads(struct control *c, const char *error)
{
	for (size_t i = 0; i < c->n_waiting_reloads; i++) {
		struct api_client *client = api_find(c->api, c->waiting_reloads[i]);
		if (!client)
			continue;
		json_t *line =
			json_pack("{s:b, s:I, s:I}", "loaded", 1, "generation",
				  (json_int_t)c->now.generation, "epoch", (json_int_t)c->now.epoch);
		(void)api_send(client, line); /* gone: nobody to tell */
		api_end(client, error ? EXIT_FAILURE : EXIT_SUCCESS, error);
	}
	c->n_waiting_reloads = 0;
}

static void say_failure(struct control *c, const struct error *err)
{
	c->n_apply_failures++;
	c->must_apply = true;
	/* Each second while it lasts: until it succeeds, traffic is not judged as the policy says.
	 */
	log_error("firewall: cannot apply, trying again: %s", err->text);
	if (strcmp(c->firewall_error.text, err->text) != 0)
		records_engine(&c->records, "firewall-failed", err->text);
	c->firewall_error = *err;
}

static int plan_now(const struct control *c, struct plan *out)
{
	struct links links;
	int rc = links_read(&links);
	if (rc)
		return rc;
	struct plan_inputs inputs = {
		.links = &links,
		.policy = c->now.policy,
		.ids = &c->now.ids,
		.queue_base = c->queue_base,
		.n_queues = supervise_n_workers(c->supervise),
		.epoch = c->now.epoch,
	};
	rc = plan_make(&inputs, out);
	links_fini(&links);
	return rc;
}

static void become_ready(struct control *c)
{
	if (c->is_ready)
		return;
	c->is_ready = true;
	log_info("ready: generation=%u rules=%zu endpoints=%zu bridges=%zu", c->now.generation,
		 policy_n_rules(c->now.policy), c->now.ids.n_endpoints,
		 c->applied.firewall.n_interfaces);
	records_engine(&c->records, "ready", NULL);
	notify_service_manager("READY=1");
}

/* What is managed by a misspelt name is not judged; whoever wrote it thinks that it is. */
static void warn_of_nothing(const struct firewall_plan *plan)
{
	if (plan->n_interfaces == 0)
		log_warn("no network is managed, so nothing is judged (yet): does `manage` name "
			 "what is there?");
	for (size_t i = 0; i < plan->n_interfaces; i++)
		if (if_nametoindex(plan->interfaces[i]) == 0)
			log_warn("interface %s is managed, but not there (yet)",
				 plan->interfaces[i]);
}

/* ---- ports ---- */

void enforce_ports_later(struct control *c)
{
	static const struct timeval later = {.tv_usec = (suseconds_t)CONTROL_PORTS_MS * 1000};
	if (!event_pending(c->events[ON_PORTS], EV_TIMEOUT, NULL))
		(void)event_add(c->events[ON_PORTS], &later); /* made at start: cannot fail */
}

static int bind_now(struct control *c, const struct links *links, struct error *err)
{
	struct bind bind;
	struct bind_inputs inputs = {.firewall = &c->applied.firewall,
				     .ids = &c->now.ids,
				     .links = links,
				     .host = &c->now.host};
	bind_resolve(&c->now.ids, links);
	int rc = bind_make(&inputs, &bind);
	if (rc)
		return error_set(err, rc, "no memory");
	rc = firewall_bind_ports(c->firewall, &bind.plan, err);
	c->ports.n = bind.plan.n_ports;
	c->ports.n_bound = rc ? 0 : bind.n_bound;
	bind_fini(&bind);
	return rc;
}

static int apply_ports(struct control *c, struct error *err)
{
	struct links links;
	bool was_off = c->ports.is_off;
	c->ports.is_off = !c->applied.firewall.is_enforced;
	if (c->ports.is_off)
		return was_off ? 0 : firewall_release_ports(c->firewall, err);
	int rc = links_read(&links);
	if (rc)
		return error_set(err, rc, "cannot list the interfaces: %s", strerror(-rc));
	rc = bind_now(c, &links, err);
	links_fini(&links);
	return rc;
}

void enforce_on_ports(struct control *c)
{
	struct error err = {""};
	if (c->n_applied == 0)
		return; /* follows the firewall */
	int rc = apply_ports(c, &err);
	c->ports.must_apply = rc != 0;
	if (strcmp(c->ports.error.text, err.text) == 0)
		return;
	c->ports.error = err;
	if (rc)
		log_warn("identity is not bound to bridge ports, trying again: %s; a container "
			 "that may send raw frames can pretend to be its neighbour",
			 err.text);
	else
		log_info("identity is bound to bridge ports after all");
	records_engine(&c->records, rc ? "ports-failed" : "ports-bound", rc ? err.text : NULL);
}

/* ---- rules ---- */

static void apply(struct control *c, struct plan *plan)
{
	struct error err = {""};
	if (firewall_apply(c->firewall, &plan->firewall, &err)) {
		say_failure(c, &err);
		return;
	}
	if (c->firewall_error.text[0])
		log_info("firewall: applied after all");
	c->firewall_error = (struct error){""};
	c->must_apply = false;
	c->n_applied++;
	struct plan before = c->applied;
	c->applied = *plan;
	*plan = before; /* freed by the caller */
	enforce_on_ports(c);
	become_ready(c);
	warn_of_nothing(&c->applied.firewall);
}

/* Makes the host match what is in force, when it does not or must_apply is set. */
static void apply_if_needed(struct control *c)
{
	struct plan plan = {0};
	int rc = plan_now(c, &plan);
	if (rc) {
		struct error err;
		error_set(&err, rc, "cannot plan: %s", strerror(-rc));
		say_failure(c, &err);
		return;
	}
	if (c->must_apply || c->n_applied == 0 || !plan_equal(&plan, &c->applied))
		apply(c, &plan);
	plan_fini(&plan);
}

static void say_late(struct control *c)
{
	c->said_late = true;
	log_error("engine: has not taken up generation %u after %d ms; the firewall waits for it",
		  c->now.generation, CONTROL_LATE_MS);
	records_engine(&c->records, "late", NULL);
	answer_reloads(
		c, "published, but the engine has not taken it up yet; see 'bridgewarden status'");
}

void enforce_on_take_up(struct control *c)
{
	if (!supervise_has_generation(c->supervise, c->now.generation)) {
		if (!c->said_late && waited_ms(c) >= CONTROL_LATE_MS)
			say_late(c);
		ask_again(c);
		return;
	}
	c->awaits_engine = false;
	apply_if_needed(c);
	answer_reloads(c, c->firewall_error.text[0] ? c->firewall_error.text : NULL);
}

static void check(struct control *c)
{
	struct error err = {""};
	int rc = firewall_check(c->firewall, &err);
	if (rc < 0) {
		log_error("firewall: cannot check: %s", err.text);
	} else if (rc > 0) {
		log_warn("firewall: our rules were changed by somebody, putting them back");
		records_engine(&c->records, "firewall-restored",
			       "our rules were changed by somebody");
		c->n_reapplied++;
		c->must_apply = true;
	}
}

/* The engine has not the new image yet, but what was applied must stay in place. */
static void put_back(struct control *c)
{
	struct error err = {""};
	if (firewall_apply(c->firewall, &c->applied.firewall, &err))
		say_failure(c, &err);
	enforce_on_ports(c);
}

void enforce_on_tick(struct control *c)
{
	if (!c->now.image)
		return;
	if (c->n_applied && !c->must_apply)
		check(c);
	if (c->ports.must_apply)
		enforce_on_ports(c);
	if (!c->awaits_engine)
		apply_if_needed(c);
	else if (c->n_applied && c->must_apply)
		put_back(c);
}
