/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the engine tells the control process: records in a ring (src/base/ring.h). A record is a
 * fixed head and then items of tag, length, bytes. Everything that a reader needs is in the record
 * itself: no index into a policy that may be gone by then. Host byte order: both ends are the same
 * machine. The reader treats it as untrusted input: the engine parses hostile bytes.
 */
#ifndef BRIDGEWARDEN_EVENTS_H
#define BRIDGEWARDEN_EVENTS_H

#include "bridgewarden/packet.h"
#include "bridgewarden/verdict.h"

enum {
	EVENT_MAX = 8 * 1024,  /* bytes of one record, all included */
	EVENT_TEXT_MAX = 1024, /* longer values are cut and marked with EVENT_CUT */
};

enum event_type {
	EVENT_FLOW,	 /* at a flow's end */
	EVENT_REQUEST,	 /* a request that was judged and is to be recorded */
	EVENT_REPLY,	 /* what came back; only where a rule logs all */
	EVENT_VIOLATION, /* a denial, enforced or not (mode says) */
	EVENT_ENGINE,	 /* something about the engine itself: EVENT_TAG_TEXT says what */
};

enum flow_end {
	FLOW_END_NONE,
	FLOW_END_FIN,
	FLOW_END_RST,
	FLOW_END_TIMEOUT,
	FLOW_END_REFUSED,
	FLOW_END_EVICTED
};

struct event_head {
	uint32_t size;	  /* whole record */
	uint8_t type;	  /* enum event_type */
	uint8_t verdict;  /* enum verdict */
	uint8_t mode;	  /* enum mode */
	uint8_t reason;	  /* enum reason */
	uint64_t time_ns; /* CLOCK_REALTIME of the packet that caused it */
	uint64_t flow_id;
	struct ip_addr src, dst; /* who opened the flow, to whom */
	uint16_t src_port, dst_port;
	uint8_t ip_proto;
	uint8_t app;	   /* index of dissectors[] or POLICY_APP_NONE */
	uint8_t end;	   /* enum flow_end; EVENT_FLOW only */
	uint8_t offloaded; /* EVENT_FLOW: packets and bytes are those that came up, not all */
	uint32_t generation;
	uint32_t worker;
	uint64_t packets[2], bytes[2]; /* to server, to client; EVENT_FLOW */
	uint64_t start_ns;	       /* CLOCK_REALTIME of the first packet */
};

/* Items after the head, each padded to 4 bytes. */
struct event_item {
	uint16_t tag;
	uint16_t length; /* bytes of the value, without padding */
};

enum event_tag {
	EVENT_TAG_FROM = 1, /* identity names */
	EVENT_TAG_TO,
	EVENT_TAG_RULE,	   /* name of the deciding rule; absent for a default */
	EVENT_TAG_FOUND,   /* the protocol that was found instead */
	EVENT_TAG_TEXT,	   /* free text: why malformed, what the engine says */
	EVENT_TAG_REFUSAL, /* "native", "reset", "icmp", "drop" */
	EVENT_TAG_FIELD =
		0x100, /* + index in dissectors[app]->fields; a string, or a number as 8 bytes */
};
enum { EVENT_CUT = 0x8000 }; /* or'ed to the tag: the value was longer */

#endif
