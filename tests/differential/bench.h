/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine under test: one worker in this process, built once and used for all programs.
 *
 *	bench_send(packet) -> worker -> verdict, own packets -> deliver(packet)
 */
#ifndef DIFFERENTIAL_BENCH_H
#define DIFFERENTIAL_BENCH_H

#include "bridgewarden/bytes.h"
#include "wire.h"

struct bench;

/* NULL: the policy of the test does not compile, or no memory; said on stderr. deliver gets what
 * was let through, after the worker's turn. */
struct bench *bench_new(void (*deliver)(void *ctx, struct bytes packet), void *ctx);
/* The connection that the log of the judge is about. What a later one of the same ends says is
 * judged, too, but not logged. side: of the sender. */
void bench_watch(struct bench *b, unsigned side, uint32_t isn, uint32_t peer_isn);
void bench_send(struct bench *b, struct bytes packet);
void bench_wait(struct bench *b, uint32_t ms);
/* The engine dies in the turn of the next packet, at its n'th call outside (0: now), and takes the
 * turn's verdicts with it; another goes on from the table. */
void bench_die(struct bench *b, uint32_t n);
void bench_reload(struct bench *b); /* a new generation of the same policy */
/* Do packets of the server come up at all, or did the engine ask the kernel to pass them? */
bool bench_sees_replies(const struct bench *b);
/* Notes what lies in the engine and would be judged next. Where the sender's stream ends, or
 * JUDGE_NONE: not known, or not any more. */
uint32_t bench_look(struct bench *b);
/* The connection is over: everything is given back. NULL, or what was not. */
const char *bench_end(struct bench *b);

#endif
