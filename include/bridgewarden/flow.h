/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One conversation, as plain data in shared memory: indices instead of pointers, so that the next
 * engine can go on from it. Only the worker that owns the shard writes; the control process copies
 * it racily for listings and checks `turn`.
 *
 * A TCP flow has two halves, one for the bytes of each side. Of each half the engine keeps the
 * canonical stream: the first copy of every byte that somebody judged, until the receiver's
 * cumulative acknowledgement covers it.
 *
 *        acked        fed          passed       next
 *   ------|------------|------------|------------|---- - - out of order
 *   gone  | kept for   | shown, not | held back  | chunks beyond a gap
 *         | resends    | consumed   |            |
 *
 * Invariants (serial arithmetic): acked <= next, fed <= next, passed <= next. Nothing at or beyond
 * `passed` that is in order is ever forwarded; data beyond a gap may be, since the gap's filler is
 * what is judged.
 */
#ifndef BRIDGEWARDEN_FLOW_H
#define BRIDGEWARDEN_FLOW_H

#include "bridgewarden/packet.h"
#include "bridgewarden/policy.h"
#include "bridgewarden/verdict.h"

#define FLOW_NIL UINT32_MAX

enum flow_phase {
	FLOW_FREE,
	FLOW_WAITING,	  /* an identity is not known yet: everything is held */
	FLOW_IDENTIFYING, /* allowed so far; payload is held until the application is known */
	FLOW_INSPECTING,  /* claimed by a dissector, each unit is judged */
	FLOW_PASSED,	  /* nothing can change the verdict: not followed any more, offloaded where
			     possible */
	FLOW_DENIED,	  /* refused; kept so that what still comes is answered */
};

/* Where a TCP handshake or farewell stands; src/flow/tcp.c */
enum flow_tcp {
	FLOW_TCP_NONE,	   /* not TCP, or not followed */
	FLOW_TCP_SYN_SENT, /* SYN of the opener passed */
	FLOW_TCP_OPEN,	   /* SYN-ACK passed */
	FLOW_TCP_CLOSING,  /* a FIN passed */
	FLOW_TCP_CLOSED,   /* both FINs passed, or a reset */
};

struct half {
	uint32_t next, fed, passed, acked; /* sequence numbers, see above */
	uint32_t edge; /* right edge that the receiver advertised: ack + window, the largest so far
			*/
	uint32_t top;  /* one past the last byte that was ever let through, gaps or not */
	uint32_t fin;  /* sequence number of the canonical FIN, if has_fin */
	uint32_t isn;
	uint32_t want;	      /* show the dissector no less than so many unconsumed bytes */
	uint32_t first, last; /* chunks, ascending; FLOW_NIL */
	uint32_t kept;	      /* bytes of the pool that these chunks take */
	uint64_t skip;	      /* opaque bytes from `fed` on that nobody needs to see */
	uint64_t packets, bytes;
	uint8_t wscale;
	bool has_fin, fin_passed;
	bool is_proven;	 /* its bytes made the claim, or a whole unit of them was judged */
	bool is_tracked; /* sequence numbers are known */
	bool is_blind; /* its bytes are not shown to the dissector any more (replies were offloaded,
			  or lost) */
};

/* A SYN that passed while an older connection of the tuple lives: which of the two goes on, the
 * receiver's answer says (THREATS R5). */
struct pending_syn {
	uint64_t seen_ns; /* CLOCK_MONOTONIC; 0: none is pending */
	uint32_t isn;
	uint8_t wscale;
};

struct flow {
	/* Key: the opener is side 0. */
	struct ip_addr addr[2];
	uint16_t port[2];
	uint8_t ip_proto;

	uint8_t phase; /* enum flow_phase */
	uint8_t tcp;   /* enum flow_tcp */
	uint8_t app;   /* index of dissectors[] or POLICY_APP_NONE */
	uint32_t hash_next, hash;
	_Atomic uint32_t turn; /* odd while the owner changes the flow */

	uint64_t id;
	uint64_t start_ns;    /* CLOCK_REALTIME */
	uint64_t seen_ns;     /* CLOCK_MONOTONIC of the last packet */
	uint64_t deadline_ns; /* CLOCK_MONOTONIC; 0: none. Of the hold (WAITING, IDENTIFYING) */

	uint32_t generation; /* of the image that the fields below come from */
	uint8_t mac[2][6];   /* what the side's frames must carry, if has_mac */
	bool has_mac[2];
	uint32_t epoch; /* in which the mark was set */
	struct policy_subject subject;
	struct policy_candidates candidates;
	uint64_t
		apps; /* dissectors that the candidate rules name and that have not said NOT_MINE */
	uint64_t others; /* the other dissectors, asked only for the name of what was found */

	uint8_t verdict, reason, mode; /* the last decision of each enum */
	uint32_t rule;
	uint8_t mark;	     /* enum mark_state that the kernel should have */
	uint8_t kernel_mark; /* the one that was sent to it last in this epoch */
	uint8_t pass_reason; /* enum reason: PASSED although nothing could judge it, by a default or
				as opaque */
	bool is_enforced;    /* something may be denied for real: hold, else only look */
	bool needs_replies;  /* the rules judge, or the records want, fields of replies */
	bool replies_unseen; /* MARK_REQUESTS was set: no acknowledgements, no replies */
	bool was_offloaded;  /* records say that counts are partial */
	bool has_reported;   /* a violation of the connection was recorded */
	bool is_leaving;     /* DENIED, and told so: both sides are being seen off */
	bool is_parting;     /* a request was refused behind others: it ends (half.want bytes from
				`fed`) what the client is heard of, and it will be told when the
				replies to the others are through */
	bool is_late;	     /* ... or between them: it was parting for long enough */
	bool has_asked;	     /* a request was let through ... */
	uint32_t asked_ack;  /* ... when the client had acknowledged so much */
	uint8_t end;	     /* enum flow_end */
	uint8_t n_held;	     /* packets whose verdict waits; the ids are the worker's own */
	uint32_t held;	     /* head of that list; worker-private index */
	uint32_t session;    /* dissector state; FLOW_NIL before a claim */
	uint32_t n_requests;

	struct pending_syn pending;
	struct half half[2]; /* bytes of the opener, bytes of the other side */
};

/* Serial arithmetic on sequence numbers (RFC 9293 3.4). */
static inline bool seq_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static inline bool seq_after(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

static inline uint32_t seq_max(uint32_t a, uint32_t b)
{
	return seq_after(a, b) ? a : b;
}

static inline uint32_t seq_min(uint32_t a, uint32_t b)
{
	return seq_before(a, b) ? a : b;
}

#endif
