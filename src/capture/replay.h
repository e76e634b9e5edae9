/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets from a capture file, in the shape in which the kernel's queue gives them. */
#ifndef CAPTURE_REPLAY_H
#define CAPTURE_REPLAY_H

#include "base/error.h"
#include "capture/capture.h"

struct replay;

int replay_open(const char *path, struct replay **out, struct error *err);
void replay_close(struct replay *r);
/* 1: a packet; 0: the end; negative errno: the file is damaged. Frames that hold no IP packet are
 * skipped (and counted). */
int replay_next(struct replay *r, struct capture_packet *out, uint64_t *time_ns);
uint64_t replay_skipped(const struct replay *r);

#endif
