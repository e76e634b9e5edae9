/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's own account of its queues: /proc/net/netfilter/nfnetlink_queue. The text is an
 * argument, so that a test can give it. */
#ifndef CONTROL_QUEUES_H
#define CONTROL_QUEUES_H

#include <stdbool.h>
#include <stdint.h>

/* One line; see nfnetlink_queue.c of the kernel. */
struct queue_line {
	uint32_t queue, portid, waiting, copy_mode, copy_range;
	uint32_t dropped;      /* the queue was full */
	uint32_t user_dropped; /* the socket's buffer was full */
	uint32_t sequence;     /* of the last packet: how many there were */
};

bool queue_line_parse(const char *text, struct queue_line *out);
/* The queues base..base+n-1 of this network namespace; returns how many were found, at most n. */
unsigned queues_read(uint16_t base, unsigned n, struct queue_line *out);

#endif
