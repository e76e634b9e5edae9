/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The number with which offloaded flows are marked (bridgewarden/shared.h). Marks live in the
 * kernel's connection table, which outlives this process: a daemon that began at the same number as
 * its predecessor would honour marks given under another policy. So the last number is kept in the
 * runtime directory; without the file the beginning is random.
 */
#ifndef CONTROL_EPOCH_H
#define CONTROL_EPOCH_H

#include <stdint.h>

/* The one after; 1 .. what the mask holds beside its two bits of state. 0 is never one. */
uint32_t epoch_next(uint32_t epoch, uint32_t mark_mask);
/* What the last daemon of this directory used, or a random number. */
uint32_t epoch_load(const char *runtime_dir);
/* Negative errno when it could not be kept. */
int epoch_store(const char *runtime_dir, uint32_t epoch);

#endif
