/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "judge.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 1 << 16 };

static struct judged *find(const struct records *r, unsigned client, unsigned server)
{
	size_t i = (client * 2654435761u ^ server * 40503u) % r->room;
	while (r->judged[i].client_port &&
	       (r->judged[i].client_port != client || r->judged[i].server_port != server))
		i = (i + 1) % r->room;
	return &r->judged[i];
}

static const char *text_at(const json_t *record, const char *object, const char *key)
{
	const char *text = json_string_value(json_object_get(json_object_get(record, object), key));
	return text ? text : "";
}

/* What was allowed, named as the application names what it read. */
static void name_of(const json_t *record, char name[TEXT_NAME_MAX])
{
	const char *type = json_string_value(json_object_get(record, "event_type"));
	const char *url = text_at(record, "http", "url"), *query = text_at(record, "dns", "rrname");
	if (strcmp(type, "reply") == 0)
		(void)snprintf(name, TEXT_NAME_MAX, "%s", text_at(record, "http", "status"));
	else if (*query)
		text_runs((const uint8_t *)query, strcspn(query, "."), name);
	else
		text_runs((const uint8_t *)url + 5, strlen(url) > 5 ? strlen(url) - 5 : 0, name);
}

static void take_record(struct records *r, const json_t *record)
{
	unsigned a = (unsigned)json_integer_value(json_object_get(record, "src_port"));
	unsigned b = (unsigned)json_integer_value(json_object_get(record, "dest_port"));
	const char *type = json_string_value(json_object_get(record, "event_type"));
	const char *verdict = json_string_value(json_object_get(record, "verdict"));
	if (!a || !b || !type || !verdict || r->n * 2 > r->room)
		return;
	struct judged *j = find(r, a > b ? a : b, a > b ? b : a);
	r->n += j->client_port == 0;
	j->client_port = a > b ? a : b;
	j->server_port = a > b ? b : a;
	bool is_unit = strcmp(type, "request") == 0 || strcmp(type, "reply") == 0;
	if (is_unit && strcmp(verdict, "allow") == 0 && j->n_allowed < JUDGE_ALLOWED_MAX)
		name_of(record, j->allowed[j->n_allowed++]);
	if (strcmp(type, "violation") == 0 && j->n_denied++ == 0)
		(void)snprintf(j->reason, sizeof(j->reason), "%s",
			       json_string_value(json_object_get(record, "reason")));
}

int records_read(struct records *r, const char *path)
{
	char *line = NULL;
	size_t room = 0;
	*r = (struct records){.room = ROOM, .judged = calloc(ROOM, sizeof(struct judged))};
	FILE *from = fopen(path, "re");
	if (!from || !r->judged) {
		perror(path);
		return -1;
	}
	while (getline(&line, &room, from) > 0) {
		json_t *record = json_loads(line, 0, NULL);
		if (record)
			take_record(r, record);
		json_decref(record);
	}
	free(line);
	(void)fclose(from);
	return 0;
}

void records_free(struct records *r)
{
	free(r->judged);
}

/* Requests and replies share the list: a status is no run of letters. */
static bool is_of_kind(const struct variant *v, const char *name)
{
	bool is_status = name[0] >= '0' && name[0] <= '9';
	return is_status == (v->role == ROW_SERVER);
}

/* Everything that was read was judged and allowed, in this order. */
static const char *unjudged(const struct judged *j, const struct variant *v,
			    const struct outcome *o)
{
	unsigned at = 0;
	for (unsigned i = 0; i < o->n_names; i++) {
		while (at < j->n_allowed &&
		       (!is_of_kind(v, j->allowed[at]) || strcmp(j->allowed[at], o->names[i]) != 0))
			at++;
		if (at++ >= j->n_allowed)
			return o->names[i];
	}
	return NULL;
}

static bool is_recorded(const struct variant *v)
{
	return v->ports == PORTS_WATCHED && v->row->app != APP_RAW && v->row->app != APP_ETHER;
}

static const char *about_wishes(const struct judged *j, const struct variant *v,
				const struct outcome *o, char text[160])
{
	if (o->wants_read && j->n_denied && !v->row->alarms)
		(void)snprintf(text, 160, "false alarm: %s", j->reason);
	else if (o->wants_read && (o->n_names < 1 || strcmp(o->names[0], o->wanted[0]) != 0))
		(void)snprintf(text, 160, "read %s, wanted %s",
			       o->n_names ? o->names[0] : "nothing", o->wanted[0]);
	else if (o->wants_life &&
		 (!o->lives || o->n_names < 2 || strcmp(o->names[1], o->wanted[1]) != 0))
		(void)snprintf(text, 160, "the connection died");
	else if (v->row->wish == WISH_NOTHING && o->n_names)
		(void)snprintf(text, 160, "read %s, wanted nothing", o->names[0]);
	else if (o->wants_denial && j->n_denied == 0)
		(void)snprintf(text, 160, "no denial recorded");
	else if (!o->wants_life && !o->is_fresh && v->row->app != APP_RAW &&
		 v->row->app != APP_ETHER)
		(void)snprintf(text, 160, "no new connection works");
	else
		return NULL;
	return text;
}

const char *judge(const struct records *r, const struct variant *v, const struct outcome *o,
		  char text[160])
{
	const struct judged *j = find(r, o->client_port, o->server_port);
	const char *strange = is_recorded(v) ? unjudged(j, v, o) : NULL;
	if (!o->is_done || o->is_broken)
		(void)snprintf(text, 160, "test broken: %s", o->is_done ? o->note : "not run");
	else if (o->has_evil)
		(void)snprintf(text, 160, "BYPASS: read what is forbidden");
	else if (o->has_oob)
		(void)snprintf(text, 160, "BYPASS: an urgent byte was there to read");
	else if (strange)
		(void)snprintf(text, 160, "BYPASS: %s was read and not judged", strange);
	else if (o->has_strange_option)
		(void)snprintf(text, 160, "an option passed that nobody may pass on");
	else
		return about_wishes(j, v, o, text);
	return text;
}

bool judge_bypassed(const struct outcome *o)
{
	return o->has_evil || o->has_oob;
}
