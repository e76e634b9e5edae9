/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What comes up to one worker (NFQUEUE): two queues of the kernel on one socket, which the control
 * process opens and configures, so that it outlives engines; the worker reads and answers on it.
 *
 *	packets of known connections --> queue of `length` -----.
 *	first packets                --> queue, a part as long --'--> socket, in the order they came
 *
 * So a flood of new connections drops itself, not the packets of those that are established. And
 * since all wait in one line, its queue is made so short while it lasts that nobody waits long. No
 * netlink error is fatal: each is counted and the loop goes on.
 */
#ifndef CAPTURE_NFQUEUE_H
#define CAPTURE_NFQUEUE_H

#include "base/error.h"
#include "bridgewarden/shared.h"
#include "capture/capture.h"

struct nfqueue;

enum { NFQUEUE_WAIT_MS = 50 };

/* Numbers of the two queues. */
struct nfqueue_numbers {
	uint16_t known, fresh;
};

/* How long the queue of first packets is where the other one has that length. */
uint32_t nfqueue_fresh_length(uint32_t length);

/* Control process: binds both queues; returns a descriptor or a negative errno with the remedy in
 * err. */
int nfqueue_bind(struct nfqueue_numbers numbers, uint32_t length, struct error *err);

/* Worker. */
struct nfqueue_setup {
	int fd; /* of nfqueue_bind; taken over */
	struct nfqueue_numbers numbers;
	uint32_t length;
	int raw4, raw6; /* raw sockets for injection; shared, borrowed */
	struct shared_counters *counters;
};
int nfqueue_open(const struct nfqueue_setup *setup, struct nfqueue **out); /* negative errno */
void nfqueue_close(struct nfqueue *q);

/* Waits for packets, NFQUEUE_WAIT_MS at most, and calls `packet` for each that is there; sends the
 * verdicts given meanwhile as one message. Returns how many came. */
unsigned nfqueue_read(struct nfqueue *q, void (*packet)(void *ctx, struct capture_packet *p),
		      void *ctx);
/* Now and then: makes the queue of first packets short in a flood of them, long again after it. */
void nfqueue_tend(struct nfqueue *q, uint64_t now_ns /* CLOCK_MONOTONIC */);
/* Sends verdicts that were given outside nfqueue_read. */
void nfqueue_flush(struct nfqueue *q);
struct capture_out nfqueue_out(struct nfqueue *q);
/* How many packets are read but not answered. While there are any, verdicts go out one by one. */
unsigned nfqueue_unanswered(const struct nfqueue *q);

#endif
