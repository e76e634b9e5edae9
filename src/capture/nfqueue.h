/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One kernel queue (NFQUEUE). The socket is opened and configured by the control process, so that
 * it outlives engines; a worker reads and answers on it. No netlink error is fatal: each is counted
 * and the loop goes on.
 */
#ifndef CAPTURE_NFQUEUE_H
#define CAPTURE_NFQUEUE_H

#include "base/error.h"
#include "bridgewarden/shared.h"
#include "capture/capture.h"

struct nfqueue;

enum { NFQUEUE_WAIT_MS = 50 };

/* Control process: binds queue `number`; returns a descriptor or a negative errno with the remedy
 * in err. */
int nfqueue_bind(uint16_t number, uint32_t length, struct error *err);

/* Worker. Takes over the descriptors; raw4/raw6 are shared, borrowed raw sockets for injection. */
int nfqueue_open(int fd, uint16_t number, int raw4, int raw6, struct shared_counters *counters,
		 struct nfqueue **out);
void nfqueue_close(struct nfqueue *q);

/* Waits for packets, NFQUEUE_WAIT_MS at most, and calls `packet` for each that is there; sends the
 * verdicts given meanwhile as one message. Returns how many came. */
unsigned nfqueue_read(struct nfqueue *q, void (*packet)(void *ctx, struct capture_packet *p),
		      void *ctx);
/* Sends verdicts that were given outside nfqueue_read. */
void nfqueue_flush(struct nfqueue *q);
struct capture_out nfqueue_out(struct nfqueue *q);
/* How many packets are read but not answered. While there are any, verdicts go out one by one. */
unsigned nfqueue_unanswered(const struct nfqueue *q);

#endif
