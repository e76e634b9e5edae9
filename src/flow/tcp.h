/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a TCP segment means to a flow, before its bytes matter: handshake, farewell, resets, and the
 * acknowledgements that say what the receiver has (THREATS R5, R6, R8, R9). State moves only on
 * what a receiver emits or what was let through to it. Pure but for the flow; time is no argument
 * here.
 */
#ifndef FLOW_TCP_H
#define FLOW_TCP_H

#include "bridgewarden/flow.h"

enum tcp_fate {
	TCP_GO,	     /* may pass as far as TCP is concerned */
	TCP_STOP,    /* the receiver would not take it, or must not see it */
	TCP_REOPEN,  /* a new connection of the same tuple begins: forget this one and judge the SYN
			afresh */
	TCP_PEND,    /* a SYN that may begin another connection: tcp_pend() it and let it through */
	TCP_REPLACE, /* the receiver took the pending SYN: this connection is over */
};

/* dir: 0 from the opener, 1 from the other side. Moves flow->tcp and the halves. */
enum tcp_fate tcp_track(struct flow *flow, unsigned dir, const struct packet *p);
/* First byte after what the half has sent and we let pass, FIN included. */
uint32_t tcp_sent_end(const struct half *h);
/* Starts the half at a SYN or SYN-ACK. */
void tcp_begin_half(struct half *h, const struct packet *p);
void tcp_pend(struct flow *flow, const struct packet *syn, uint64_t now_ns);
/* Starts the opener's half at the SYN that was pending for another flow of the tuple. */
void tcp_begin_pending(struct flow *flow, const struct pending_syn *pending);

#endif
