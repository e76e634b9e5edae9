/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "output/history.h"

#include <stdlib.h>
#include <string.h>

struct history_slot {
	json_t *record;
	uint64_t time_ns;
	size_t length;
};

/* [first, first + n) modulo HISTORY_RECORDS hold records; bytes is the sum of their lengths. */
struct history {
	size_t first, n, bytes;
	struct history_slot slots[HISTORY_RECORDS];
};

static struct history_slot *slot_at(const struct history *history, size_t i)
{
	/* The slots belong to the history; const says only that the caller changes none. */
	const struct history_slot *slot = &history->slots[(history->first + i) % HISTORY_RECORDS];
	return (struct history_slot *)(uintptr_t)slot;
}

struct history *history_new(void)
{
	return calloc(1, sizeof(struct history));
}

static void drop_oldest(struct history *history)
{
	struct history_slot *slot = slot_at(history, 0);
	history->bytes -= slot->length;
	json_decref(slot->record);
	*slot = (struct history_slot){0};
	history->first = (history->first + 1) % HISTORY_RECORDS;
	history->n--;
}

void history_free(struct history *history)
{
	if (!history)
		return;
	while (history->n)
		drop_oldest(history);
	free(history);
}

void history_put(struct history *history, json_t *record, uint64_t time_ns, size_t line_length)
{
	while (history->n == HISTORY_RECORDS ||
	       (history->n && history->bytes + line_length > HISTORY_BYTES))
		drop_oldest(history);
	*slot_at(history, history->n) =
		(struct history_slot){json_incref(record), time_ns, line_length};
	history->n++;
	history->bytes += line_length;
}

size_t history_count(const struct history *history)
{
	return history->n;
}

void history_visit(const struct history *history, uint64_t since_ns,
		   bool (*visit)(void *ctx, json_t *record), void *ctx)
{
	for (size_t i = 0; i < history->n; i++) {
		const struct history_slot *slot = slot_at(history, i);
		if (slot->time_ns >= since_ns && !visit(ctx, slot->record))
			return;
	}
}

json_t *history_find(const struct history *history, uint64_t flow_id)
{
	json_t *found = NULL;
	for (size_t i = history->n; i > 0; i--) {
		json_t *record = slot_at(history, i - 1)->record;
		json_t *id = json_object_get(record, "flow_id");
		if (!id || (uint64_t)json_integer_value(id) != flow_id)
			continue;
		const char *type = json_string_value(json_object_get(record, "event_type"));
		if (type && strcmp(type, "violation") == 0)
			return record;
		found = found ? found : record;
	}
	return found;
}
