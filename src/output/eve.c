/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "output/eve.h"

#include "base/text.h"
#include "output/event.h"

#include <netinet/in.h>
#include <stdio.h>
#include <time.h>

static const uint64_t NS_PER_S = 1000000000u, NS_PER_US = 1000u;

const char *eve_time(uint64_t time_ns, char out[EVE_TIME_TEXT])
{
	time_t seconds = (time_t)(time_ns / NS_PER_S);
	struct tm tm;
	char date[24], zone[8];
	if (!localtime_r(&seconds, &tm) ||
	    !strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm) ||
	    !strftime(zone, sizeof(zone), "%z", &tm)) {
		out[0] = '\0';
		return out;
	}
	unsigned us = (unsigned)(time_ns % NS_PER_S / NS_PER_US);
	(void)snprintf(out, EVE_TIME_TEXT, "%s.%06u%s", date, us, zone); /* fits: 23 + 7 + 7 */
	return out;
}

uint64_t eve_now_ns(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail with a valid clock */
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

const char *eve_proto_name(uint8_t ip_proto, char out[8])
{
	switch (ip_proto) {
	case IPPROTO_TCP:
		return "TCP";
	case IPPROTO_UDP:
		return "UDP";
	case IPPROTO_ICMP:
		return "ICMP";
	case IPPROTO_ICMPV6:
		return "IPv6-ICMP";
	case IPPROTO_SCTP:
		return "SCTP";
	default:
		(void)snprintf(out, 8, "%u", ip_proto); /* at most three digits */
		return out;
	}
}

/* json_object_set_new takes the value over also when it fails; a key that is missing for want of
 * memory is acceptable. */
static void put(json_t *object, const char *key, json_t *value)
{
	(void)json_object_set_new(object, key, value);
}

void eve_put_text(json_t *record, const char *key, struct bytes value)
{
	if (value.n)
		put(record, key, json_text(value));
}

static void put_time(json_t *object, const char *key, uint64_t time_ns)
{
	char text[EVE_TIME_TEXT];
	put(object, key, json_string(eve_time(time_ns, text)));
}

json_t *eve_new(const char *event_type, uint64_t time_ns)
{
	json_t *record = json_object();
	if (!record)
		return NULL;
	put_time(record, "timestamp", time_ns);
	put(record, "event_type", json_string(event_type));
	return record;
}

static bool is_icmp(uint8_t ip_proto)
{
	return ip_proto == IPPROTO_ICMP || ip_proto == IPPROTO_ICMPV6;
}

static bool has_ports(uint8_t ip_proto)
{
	return ip_proto == IPPROTO_TCP || ip_proto == IPPROTO_UDP || ip_proto == IPPROTO_SCTP;
}

static void put_ends(json_t *record, const struct community_flow *flow)
{
	char text[IP_ADDR_TEXT];
	bool ports = has_ports(flow->ip_proto);
	put(record, "src_ip", json_string(ip_addr_print(&flow->src, text)));
	if (ports)
		put(record, "src_port", json_integer(flow->src_port));
	put(record, "dest_ip", json_string(ip_addr_print(&flow->dst, text)));
	if (ports)
		put(record, "dest_port", json_integer(flow->dst_port));
}

void eve_put_flow(json_t *record, const struct community_flow *flow, uint8_t app)
{
	char text[8], community[COMMUNITY_TEXT];
	put_ends(record, flow);
	put(record, "proto", json_string(eve_proto_name(flow->ip_proto, text)));
	if (is_icmp(flow->ip_proto)) {
		put(record, "icmp_type", json_integer(flow->dst_port >> 8));
		put(record, "icmp_code", json_integer(flow->dst_port & 0xff));
	}
	if (app < n_dissectors)
		put(record, "app_proto", json_string(dissectors[app]->name));
	if (community_id(flow, community))
		put(record, "community_id", json_string(community));
}

static void put_decision(json_t *record, const struct event_view *view)
{
	const struct event_head *head = &view->head;
	eve_put_text(record, "from", event_find(view, EVENT_TAG_FROM));
	eve_put_text(record, "to", event_find(view, EVENT_TAG_TO));
	put(record, "verdict", json_string(verdict_name(head->verdict)));
	eve_put_text(record, "rule", event_find(view, EVENT_TAG_RULE));
	put(record, "reason", json_string(reason_name(head->reason)));
	put(record, "mode", json_string(mode_name(head->mode)));
	put(record, "generation", json_integer(head->generation));
}

/* NULL: a number of another size than eight bytes; the engine writes none. */
static json_t *field_value(const struct dis_field *field, struct bytes value)
{
	uint64_t number = 0;
	if (field->type == DIS_STRING)
		return json_text(value);
	if (value.n != sizeof(number))
		return NULL;
	memcpy(&number, value.p, sizeof(number));
	return json_count(number);
}

static void put_field(json_t *object, const struct dis_field *field, struct bytes value)
{
	json_t *json = field_value(field, value);
	json_t *before = json_object_get(object, field->name);
	if (!json)
		return;
	if (!field->is_list && !before) {
		put(object, field->name, json);
	} else if (!field->is_list) {
		json_decref(json); /* the first value stays */
	} else {
		if (!before)
			put(object, field->name, json_array());
		(void)json_array_append_new(json_object_get(object, field->name), json);
	}
}

static void put_cut(json_t *record, const char *field)
{
	if (!json_object_get(record, "truncated"))
		put(record, "truncated", json_array());
	json_t *list = json_object_get(record, "truncated");
	size_t n = json_array_size(list);
	const char *last = n ? json_string_value(json_array_get(list, n - 1)) : NULL;
	if (!last || strcmp(last, field) != 0) /* values of one list follow each other */
		(void)json_array_append_new(list, json_string(field));
}

static void put_fields(json_t *record, const struct event_view *view)
{
	const struct dissector *dissector = view->dissector;
	json_t *object = dissector ? json_object() : NULL;
	struct event_value item;
	for (size_t pos = 0; object && event_next(view, &pos, &item);) {
		if (item.tag < EVENT_TAG_FIELD ||
		    item.tag - EVENT_TAG_FIELD >= (int)dissector->n_fields)
			continue;
		const struct dis_field *field = &dissector->fields[item.tag - EVENT_TAG_FIELD];
		put_field(object, field, item.value);
		if (item.is_cut)
			put_cut(record, field->name);
	}
	if (object && json_object_size(object))
		put(record, dissector->object, object);
	else
		json_decref(object);
}

static const char *end_name(enum flow_end end)
{
	switch (end) {
	case FLOW_END_NONE:
		return "none";
	case FLOW_END_FIN:
		return "fin";
	case FLOW_END_RST:
		return "rst";
	case FLOW_END_TIMEOUT:
		return "timeout";
	case FLOW_END_REFUSED:
		return "refused";
	case FLOW_END_EVICTED:
		return "evicted";
	}
	return "?";
}

static const char *end_state(const struct event_head *head)
{
	if (head->offloaded)
		return "bypassed";
	return head->end == FLOW_END_FIN || head->end == FLOW_END_RST ? "closed" : "open";
}

static void put_flow_object(json_t *record, const struct event_view *view)
{
	const struct event_head *head = &view->head;
	json_t *flow = json_object();
	uint64_t age_ns = head->time_ns > head->start_ns ? head->time_ns - head->start_ns : 0;
	put(flow, "pkts_toserver", json_count(head->packets[0]));
	put(flow, "pkts_toclient", json_count(head->packets[1]));
	put(flow, "bytes_toserver", json_count(head->bytes[0]));
	put(flow, "bytes_toclient", json_count(head->bytes[1]));
	put_time(flow, "start", head->start_ns);
	put_time(flow, "end", head->time_ns);
	put(flow, "age", json_count(age_ns / NS_PER_S));
	put(flow, "state", json_string(end_state(head)));
	put(flow, "reason", json_string(end_name(head->end)));
	if (head->offloaded)
		put(flow, "offloaded", json_true());
	put(record, "flow", flow);
}

/* What only some types say. */
static void put_said(json_t *record, const char *object_name, const struct event_view *view)
{
	json_t *object = json_object_get(record, object_name); /* of a flow: there already */
	if (!object) {
		object = json_object();
		put(record, object_name, object);
	}
	eve_put_text(object, "found", event_find(view, EVENT_TAG_FOUND));
	eve_put_text(object, "refusal", event_find(view, EVENT_TAG_REFUSAL));
	eve_put_text(object, "text", event_find(view, EVENT_TAG_TEXT));
	if (!json_object_size(object))
		(void)json_object_del(record, object_name); /* it is there */
}

static const char *type_name(enum event_type type)
{
	switch (type) {
	case EVENT_FLOW:
		return "flow";
	case EVENT_REQUEST:
		return "request";
	case EVENT_REPLY:
		return "reply";
	case EVENT_VIOLATION:
		return "violation";
	case EVENT_ENGINE:
		return "engine";
	}
	return "?";
}

static void put_traffic(json_t *record, const struct event_view *view)
{
	const struct event_head *head = &view->head;
	struct community_flow flow = {head->src, head->dst, head->src_port, head->dst_port,
				      head->ip_proto};
	put(record, "flow_id", json_count(head->flow_id));
	eve_put_flow(record, &flow, head->app);
	put_decision(record, view);
	put_fields(record, view);
}

json_t *eve_from_event(struct bytes record)
{
	struct event_view view;
	if (!event_read(record, &view))
		return NULL;
	enum event_type type = view.head.type;
	json_t *json = eve_new(type_name(type), view.head.time_ns);
	if (!json)
		return NULL;
	if (type != EVENT_ENGINE)
		put_traffic(json, &view);
	if (type == EVENT_FLOW)
		put_flow_object(json, &view);
	put_said(json, type_name(type), &view);
	return json;
}
