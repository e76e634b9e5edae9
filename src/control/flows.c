/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `flows`: the live ones from the engine's table, the ended ones and the violations from the
 * history, then, on request, every new record. A row has the keys of a record, so that one filter
 * and one table serve both. Live rows are bounded in number: a table may hold millions; how many
 * more there are is said in the last row.
 */
#include "control/control.h"
#include "output/eve.h"

#include <stdlib.h>

enum { FLOWS_LIMIT = 2000, FLOWS_LIMIT_MAX = 20000 };

struct flows_question {
	struct filter filter;
	uint64_t since_ns; /* 0: live flows only */
	uint64_t limit;
	bool follow;
};

struct flows_answer {
	const struct control *control;
	struct api_client *client;
	const struct flows_question *question;
	uint64_t n_rows, n_more;
	bool is_gone; /* the client */
};

static int question_read(const json_t *request, struct flows_question *out, struct error *err)
{
	json_int_t since_s = json_integer_value(json_object_get(request, "since_s"));
	json_int_t limit = json_integer_value(json_object_get(request, "limit"));
	*out = (struct flows_question){.limit = FLOWS_LIMIT};
	out->follow = json_is_true(json_object_get(request, "follow"));
	if (limit > 0)
		out->limit = limit < FLOWS_LIMIT_MAX ? (uint64_t)limit : FLOWS_LIMIT_MAX;
	uint64_t now = eve_now_ns();
	if (since_s > 0 && (uint64_t)since_s < now / 1000000000u)
		out->since_ns = now - (uint64_t)since_s * 1000000000u;
	else if (since_s > 0)
		out->since_ns = 1;
	return filter_from_json(json_object_get(request, "filters"), &out->filter, err);
}

static const char *live_rule(const struct control *c, const struct flow_view *flow)
{
	if (!in_force_knows_rules_of(&c->now, flow->generation))
		return ""; /* the number means another rule in this image */
	return policy_rule_name(c->now.image, flow->rule);
}

static struct filter_fields live_fields(const struct control *c, const struct flow_view *flow)
{
	const struct policy_image *image = c->now.image;
	struct filter_fields fields = {.addr = {flow->src, flow->dst}, .has_addr = {true, true}};
	if (image) {
		fields.text[FILTER_FROM] =
			policy_identity_name(image, policy_owner(image, &flow->src).identity);
		fields.text[FILTER_TO] =
			policy_identity_name(image, policy_owner(image, &flow->dst).identity);
	}
	if (flow->app < n_dissectors)
		fields.text[FILTER_APP] = dissectors[flow->app]->name;
	fields.text[FILTER_VERDICT] = verdict_name(flow->verdict);
	fields.text[FILTER_RULE] = live_rule(c, flow);
	return fields;
}

static void put(json_t *object, const char *key, json_t *value)
{
	(void)json_object_set_new(object, key, value); /* less is fine */
}

static void put_text(json_t *object, const char *key, const char *text)
{
	if (text && text[0])
		put(object, key, json_text(bytes_str(text)));
}

static json_t *live_numbers(const struct flow_view *flow, uint64_t now_ns)
{
	char time[EVE_TIME_TEXT];
	json_t *json = json_object();
	put(json, "pkts_toserver", json_count(flow->packets[0]));
	put(json, "pkts_toclient", json_count(flow->packets[1]));
	put(json, "bytes_toserver", json_count(flow->bytes[0]));
	put(json, "bytes_toclient", json_count(flow->bytes[1]));
	put_text(json, "start", eve_time(flow->start_ns, time));
	put(json, "age",
	    json_count(now_ns > flow->start_ns ? (now_ns - flow->start_ns) / 1000000000u : 0));
	put_text(json, "state", flow->state);
	return json;
}

static json_t *live_row(const struct flow_view *flow, const struct filter_fields *fields)
{
	uint64_t now = eve_now_ns();
	struct community_flow tuple = {flow->src, flow->dst, flow->src_port, flow->dst_port,
				       flow->ip_proto};
	json_t *row = eve_new("flow", now);
	put(row, "live", json_true());
	put(row, "flow_id", json_count(flow->id));
	eve_put_flow(row, &tuple, flow->app);
	put_text(row, "from", fields->text[FILTER_FROM]);
	put_text(row, "to", fields->text[FILTER_TO]);
	put_text(row, "verdict", fields->text[FILTER_VERDICT]);
	put_text(row, "rule", fields->text[FILTER_RULE]);
	put_text(row, "reason", reason_name(flow->reason));
	put(row, "generation", json_count(flow->generation));
	put(row, "flow", live_numbers(flow, now));
	return row;
}

static void on_live(void *ctx, const struct flow_view *flow)
{
	struct flows_answer *answer = ctx;
	struct filter_fields fields = live_fields(answer->control, flow);
	if (answer->is_gone || !filter_matches(&answer->question->filter, &fields))
		return;
	if (answer->n_rows >= answer->question->limit) {
		answer->n_more++;
		return;
	}
	answer->n_rows++;
	answer->is_gone = !api_send(answer->client, live_row(flow, &fields));
}

static bool is_about_a_flow(const json_t *record)
{
	const char *type = json_string_value(json_object_get(record, "event_type"));
	return type && (strcmp(type, "flow") == 0 || strcmp(type, "violation") == 0);
}

static bool on_record(void *ctx, json_t *record)
{
	struct flows_answer *answer = ctx;
	if (is_about_a_flow(record) && filter_matches_record(&answer->question->filter, record))
		answer->is_gone =
			!api_send(answer->client, json_copy(record)); /* a row gets a schema */
	return !answer->is_gone;
}

void answer_flows(struct control *c, struct api_client *client, const json_t *request)
{
	struct flows_question question;
	struct error err = {""};
	if (question_read(request, &question, &err)) {
		api_end(client, EXIT_USAGE, err.text);
		return;
	}
	struct flows_answer answer = {.control = c, .client = client, .question = &question};
	if (question.since_ns)
		history_visit(c->records.history, question.since_ns, on_record, &answer);
	supervise_flows(c->supervise, on_live, &answer);
	if (answer.n_more)
		(void)api_send(client, json_pack("{s:I}", "more",
						 (json_int_t)answer.n_more)); /* may be gone */
	if (question.follow)
		api_follow(client, &question.filter);
	else
		api_end(client, EXIT_SUCCESS, NULL);
}
