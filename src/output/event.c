/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "output/event.h"

enum { ITEM_ALIGN = 4 };

static bool event_head_is_sane(const struct event_head *head, size_t size)
{
	return head->size == size && size <= EVENT_MAX && head->type <= EVENT_ENGINE &&
	       head->verdict <= VERDICT_DENY && head->mode <= MODE_ENFORCE &&
	       head->reason < N_REASONS && head->end <= FLOW_END_EVICTED;
}

bool event_read(struct bytes record, struct event_view *out)
{
	*out = (struct event_view){0};
	if (record.n < sizeof(out->head))
		return false;
	memcpy(&out->head, record.p, sizeof(out->head));
	if (!event_head_is_sane(&out->head, record.n))
		return false;
	out->items = bytes_from(record, sizeof(out->head));
	if (out->head.app < n_dissectors)
		out->dissector = dissectors[out->head.app];
	return true;
}

bool event_next(const struct event_view *view, size_t *pos, struct event_value *out)
{
	struct bytes rest = bytes_from(view->items, *pos);
	struct event_item item;
	if (!rest.p || rest.n < sizeof(item))
		return false;
	memcpy(&item, rest.p, sizeof(item));
	if (item.length > rest.n - sizeof(item))
		return false;
	out->tag = item.tag & (uint16_t)~EVENT_CUT;
	out->is_cut = (item.tag & EVENT_CUT) != 0;
	out->value = bytes_slice(rest, sizeof(item), item.length);
	size_t padded = (item.length + (size_t)ITEM_ALIGN - 1) & ~((size_t)ITEM_ALIGN - 1);
	*pos += sizeof(item) +
		padded; /* the last padding may be missing: the next call sees the end */
	return true;
}

struct bytes event_find(const struct event_view *view, uint16_t tag)
{
	struct event_value item;
	for (size_t pos = 0; event_next(view, &pos, &item);)
		if (item.tag == tag)
			return item.value;
	return (struct bytes){0};
}
