/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/records.h"

#include "base/log.h"
#include "output/eve.h"

#include <errno.h>
#include <stdlib.h>

int records_init(struct records *records, const char *path, struct error *err)
{
	*records = (struct records){.history = history_new()};
	if (!records->history)
		return error_set(err, -ENOMEM, "no memory for records");
	return path ? sink_open(path, &records->sink, err) : 0;
}

void records_fini(struct records *records)
{
	sink_close(records->sink);
	history_free(records->history);
	*records = (struct records){0};
}

/* Takes the reference. */
static void records_put(struct records *records, json_t *record, uint64_t time_ns)
{
	char *text = json_dumps(record, JSON_COMPACT);
	if (text) {
		struct bytes line = bytes_str(text);
		records->n++;
		history_put(records->history, record, time_ns, line.n);
		if (records->sink)
			sink_put(records->sink, line);
		if (records->api)
			api_publish(records->api, record, line);
	}
	free(text);
	json_decref(record);
}

void records_event(struct records *records, struct bytes event)
{
	json_t *record = eve_from_event(event);
	if (!record)
		records->n_damaged++;
	else
		records_put(records, record, eve_now_ns());
}

void records_identity(struct records *records, enum ids_change change,
		      const struct identity_endpoint *e)
{
	uint64_t now = eve_now_ns();
	json_t *record = eve_new("identity", now), *object = ids_endpoint_json(e);
	(void)json_object_set_new(object, "change",
				  json_string(ids_change_name(change))); /* our words */
	(void)json_object_set_new(record, "identity", object);
	records_put(records, record, now);
}

void records_policy(struct records *records, const char *event, uint32_t generation, uint32_t epoch,
		    const char *text)
{
	uint64_t now = eve_now_ns();
	json_t *record = eve_new("policy", now);
	json_t *object = json_pack("{s:s, s:i, s:i}", "event", event, "generation", (int)generation,
				   "epoch", (int)epoch);
	if (text)
		eve_put_text(object, "text", bytes_str(text));
	(void)json_object_set_new(record, "policy", object); /* less is fine */
	records_put(records, record, now);
}

void records_engine(struct records *records, const char *event, const char *text)
{
	uint64_t now = eve_now_ns();
	json_t *record = eve_new("engine", now), *object = json_pack("{s:s}", "event", event);
	if (text)
		eve_put_text(object, "text", bytes_str(text));
	(void)json_object_set_new(record, "engine", object); /* less is fine */
	records_put(records, record, now);
}

void records_flush(struct records *records)
{
	if (!records->sink)
		return;
	int rc = sink_flush(records->sink);
	if (rc && !records->is_failing)
		log_errno(
			rc,
			"records: cannot write; kept while the buffer lasts, then counted as lost");
	if (!rc && records->is_failing)
		log_info("records: written again");
	records->is_failing = rc != 0;
}
