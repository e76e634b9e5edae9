/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading a record of bridgewarden/events.h without believing it: the engine that wrote it parses
 * hostile bytes. A view is made only of a head whose enums and size are in range; items are handed
 * out only when they lie inside the record. The first item that does not ends the reading. Nothing
 * is allocated; the record is borrowed.
 */
#ifndef OUTPUT_EVENT_H
#define OUTPUT_EVENT_H

#include "bridgewarden/dissect.h"
#include "bridgewarden/events.h"

struct event_view {
	struct event_head head; /* a copy: the record may be unaligned */
	struct bytes items;
	const struct dissector *dissector; /* of head.app; NULL when none or out of range */
};

struct event_value {
	uint16_t tag; /* without EVENT_CUT */
	bool is_cut;
	struct bytes value;
};

bool event_read(struct bytes record, struct event_view *out);
/* The item at *pos; moves *pos behind it. False: no more, or damaged from here on. */
bool event_next(const struct event_view *view, size_t *pos, struct event_value *out);
/* The first item with this tag, or an empty slice. */
struct bytes event_find(const struct event_view *view, uint16_t tag);

#endif
