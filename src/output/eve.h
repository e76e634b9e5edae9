/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records as JSON objects in the shape of EVE, so that tools which read such logs read these too.
 * One object is one line of the file sink, one line of the API and one entry of the history. The
 * keys are stable; their list is in the manual. What the engine says is untrusted (output/event.h):
 * a damaged record gives fewer keys, never a broken line.
 */
#ifndef OUTPUT_EVE_H
#define OUTPUT_EVE_H

#include "output/community.h"
#include "output/jsontext.h"

#include "bridgewarden/verdict.h"

enum { EVE_TIME_TEXT = 40 };

/* Local time, ISO 8601 with microseconds and zone: "2026-11-21T19:51:04.123456+0000". Returns out.
 */
const char *eve_time(uint64_t time_ns, char out[EVE_TIME_TEXT]);
/* CLOCK_REALTIME */
uint64_t eve_now_ns(void);
/* "TCP"; a number as text where there is no name. Returns out or a static string. */
const char *eve_proto_name(uint8_t ip_proto, char out[8]);

/* All return new references; NULL when out of memory. */
json_t *eve_new(const char *event_type, uint64_t time_ns);
/* NULL also when it is no record at all. */
json_t *eve_from_event(struct bytes record);
/* src_ip ... proto, app_proto, community_id; app is an index of dissectors[] or none. */
void eve_put_flow(json_t *record, const struct community_flow *flow, uint8_t app);
/* Nothing for an empty value. */
void eve_put_text(json_t *record, const char *key, struct bytes value);

#endif
