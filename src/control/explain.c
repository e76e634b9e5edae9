/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `explain`: why a flow, a recorded request or a sentence is judged as it is. The answer is made by
 * the functions that judge, over the image in force: each rule with the first matcher that failed,
 * and the rule that came nearest.
 *
 * A record is explained by what it says (addresses and fields), under today's policy: that may
 * differ from the policy of then, whose verdict the record itself has.
 */
#include "control/control.h"
#include "output/eve.h"
#include "output/explained.h"
#include "policy/image.h"
#include "policy/sentence.h"

#include "base/text.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

enum { EXPLAIN_VALUES_MAX = 256 };

/* What is explained; values borrow from the record. */
struct explain_case {
	struct policy_subject subject;
	uint8_t app;
	bool has_event;
	struct dis_event event;
	struct dis_value values[EXPLAIN_VALUES_MAX];
};

struct explain_search {
	uint64_t id;
	bool found;
	struct flow_view flow;
};

static void on_flow(void *ctx, const struct flow_view *flow)
{
	struct explain_search *search = ctx;
	if (flow->id != search->id)
		return;
	search->found = true;
	search->flow = *flow;
}

static struct policy_subject subject_of(const struct policy_image *image,
					const struct ip_addr ends[2], uint8_t ip_proto,
					uint16_t port)
{
	struct policy_owner from = policy_owner(image, &ends[0]),
			    to = policy_owner(image, &ends[1]);
	bool has_port = ip_proto == IPPROTO_TCP || ip_proto == IPPROTO_UDP;
	return (struct policy_subject){
		.from = from.identity,
		.to = to.identity,
		.to_port = has_port ? port : 0,
		.ip_proto = ip_proto,
		.from_container = from.is_container,
		.to_container = to.is_container,
	};
}

static const char *text_of(const json_t *record, const char *key)
{
	const char *text = json_string_value(json_object_get(record, key));
	return text ? text : "";
}

static uint8_t app_of(const char *name)
{
	for (size_t i = 0; i < n_dissectors; i++)
		if (strcmp(dissectors[i]->name, name) == 0)
			return (uint8_t)i;
	return POLICY_APP_NONE;
}

static uint8_t proto_of(const json_t *record)
{
	char text[8];
	const char *name = text_of(record, "proto");
	for (unsigned proto = 0; proto <= UINT8_MAX; proto++)
		if (strcmp(eve_proto_name((uint8_t)proto, text), name) == 0)
			return (uint8_t)proto;
	return 0;
}

static void add_value(struct explain_case *what, uint16_t field, const json_t *json)
{
	if (what->event.n_values == EXPLAIN_VALUES_MAX)
		return;
	struct dis_value *value = &what->values[what->event.n_values++];
	*value = (struct dis_value){.field = field};
	if (json_is_string(json))
		value->text = bytes_of(json_string_value(json), json_string_length(json));
	else
		value->number = (uint64_t)json_integer_value(json);
}

static void read_event(const json_t *record, struct explain_case *what)
{
	const struct dissector *dissector = dissectors[what->app];
	const json_t *object = json_object_get(record, dissector->object);
	bool is_reply = strcmp(text_of(record, "event_type"), "reply") == 0;
	what->event = (struct dis_event){.kind = is_reply ? DIS_REPLY : DIS_REQUEST,
					 .values = what->values};
	for (size_t i = 0; i < dissector->n_fields; i++) {
		const json_t *json = json_object_get(object, dissector->fields[i].name);
		size_t n = json_is_array(json) ? json_array_size(json) : json ? 1 : 0;
		for (size_t k = 0; k < n; k++)
			add_value(what, (uint16_t)i,
				  json_is_array(json) ? json_array_get(json, k) : json);
	}
	what->has_event = what->event.n_values > 0;
}

/* False: the record is not about a flow. */
static bool read_record(const struct policy_image *image, const json_t *record,
			struct explain_case *what)
{
	struct ip_addr ends[2];
	*what = (struct explain_case){0};
	if (!ip_addr_parse(text_of(record, "src_ip"), &ends[0]) ||
	    !ip_addr_parse(text_of(record, "dest_ip"), &ends[1]))
		return false;
	json_int_t port = json_integer_value(json_object_get(record, "dest_port"));
	what->subject = subject_of(image, ends, proto_of(record), (uint16_t)port);
	what->app = app_of(text_of(record, "app_proto"));
	if (what->app != POLICY_APP_NONE)
		read_event(record, what);
	return true;
}

struct explain_lines {
	const struct policy_image *image;
	struct explained explained;
};

static bool is_allow(const struct policy_image *image, uint32_t rule)
{
	return rule < image->rules.n && image_rules(image)[rule].action == RULE_ALLOW;
}

static void on_line(void *ctx, const struct policy_explanation *e)
{
	struct explain_lines *lines = ctx;
	struct explained_rule rule = {policy_rule_name(lines->image, e->rule),
				      is_allow(lines->image, e->rule)};
	explained_add(&lines->explained, &rule, e);
}

static void send_lines(struct api_client *client, struct explain_lines *lines)
{
	json_t *line;
	for (size_t i = 0; (line = explained_line(&lines->explained, i)); i++)
		(void)api_send(client, line); /* to a client that is gone: goes nowhere */
	explained_fini(&lines->explained);
}

/* What was allowed needs no rule that came near. */
static void explain_case(const struct control *c, struct api_client *client,
			 const struct explain_case *what, bool is_denied)
{
	struct explain_lines lines = {.image = c->now.image};
	const struct dis_event *event = what->has_event ? &what->event : NULL;
	policy_explain(c->now.image, &what->subject, what->app, event, on_line, &lines);
	lines.explained.is_decided |= !is_denied;
	send_lines(client, &lines);
}

static json_t *live_head(const struct control *c, const struct flow_view *flow)
{
	struct community_flow tuple = {flow->src, flow->dst, flow->src_port, flow->dst_port,
				       flow->ip_proto};
	json_t *head = json_pack("{s:s, s:s, s:s, s:s, s:I}", "kind", "flow", "state", flow->state,
				 "verdict", verdict_name(flow->verdict), "reason",
				 reason_name(flow->reason), "flow_id", (json_int_t)flow->id);
	eve_put_flow(head, &tuple, flow->app);
	const struct policy_image *image = c->now.image;
	eve_put_text(
		head, "from",
		bytes_str(policy_identity_name(image, policy_owner(image, &flow->src).identity)));
	eve_put_text(
		head, "to",
		bytes_str(policy_identity_name(image, policy_owner(image, &flow->dst).identity)));
	if (in_force_knows_rules_of(&c->now, flow->generation))
		eve_put_text(head, "rule", bytes_str(policy_rule_name(image, flow->rule)));
	return head;
}

static void explain_live(const struct control *c, struct api_client *client,
			 const struct flow_view *flow)
{
	struct ip_addr ends[2] = {flow->src, flow->dst};
	struct explain_case what = {
		.subject = subject_of(c->now.image, ends, flow->ip_proto, flow->dst_port),
		.app = flow->app,
	};
	bool denied = flow->verdict == VERDICT_DENY;
	(void)api_send(client, live_head(c, flow)); /* may be gone */
	explain_case(c, client, &what, denied);
	api_end(client, denied ? EXIT_FAILURE : EXIT_SUCCESS, NULL);
}

static void explain_record(const struct control *c, struct api_client *client, json_t *record)
{
	struct explain_case what;
	json_t *head = json_copy(record);
	(void)json_object_set_new(head, "kind", json_string("record")); /* less is fine */
	(void)api_send(client, head);					/* may be gone */
	bool denied = strcmp(text_of(record, "verdict"), "deny") == 0;
	if (read_record(c->now.image, record, &what))
		explain_case(c, client, &what, denied);
	api_end(client, denied ? EXIT_FAILURE : EXIT_SUCCESS, NULL);
}

static void explain_flow(const struct control *c, struct api_client *client, uint64_t id)
{
	struct explain_search search = {.id = id};
	json_t *record = history_find(c->records.history, id);
	const char *type = record ? text_of(record, "event_type") : "";
	supervise_flows(c->supervise, on_flow, &search);
	if (record && (!search.found || strcmp(type, "violation") == 0))
		explain_record(c, client, record);
	else if (search.found)
		explain_live(c, client, &search.flow);
	else
		api_end(client, EXIT_FAILURE,
			"no such flow: it is not live, and the last records do not have it");
}

static void send_text(struct api_client *client, char *text)
{
	char *rest = NULL;
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		json_t *json =
			json_pack("{s:s, s:o}", "kind", "text", "text", json_text(bytes_str(line)));
		(void)api_send(client, json); /* to a client that is gone: goes nowhere */
	}
}

static void explain_sentence(const struct control *c, struct api_client *client,
			     const char *sentence)
{
	struct error err = {""};
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	if (!out) {
		api_end(client, EXIT_FAILURE, "no memory");
		return;
	}
	int rc = policy_sentence_explain(c->now.policy, c->now.image, sentence, out, &err);
	if (fclose(out) == 0)
		send_text(client, text);
	free(text);
	if (rc < 0)
		api_end(client, rc == -EINVAL ? EXIT_USAGE : EXIT_FAILURE, err.text);
	else
		api_end(client, rc ? EXIT_FAILURE : EXIT_SUCCESS, NULL);
}

void answer_explain(struct control *c, struct api_client *client, const json_t *request)
{
	const json_t *id = json_object_get(request, "flow_id");
	const char *sentence = json_string_value(json_object_get(request, "sentence"));
	if (!c->now.image)
		api_end(client, EXIT_FAILURE, "not ready: no policy is in force yet");
	else if (json_is_integer(id))
		explain_flow(c, client, (uint64_t)json_integer_value(id));
	else if (sentence)
		explain_sentence(c, client, sentence);
	else
		api_end(client, EXIT_USAGE, "explain needs flow_id or sentence");
}
