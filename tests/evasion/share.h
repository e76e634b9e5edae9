/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Work shared out to processes, since each needs a raw socket and an application of its own. */
#ifndef EVASION_SHARE_H
#define EVASION_SHARE_H

#include <stddef.h>

enum { SHARE_JOBS_MAX = 60 };

/* Zeroed memory that all processes see; NULL: there is none. It lasts as long as the program. */
void *share_memory(size_t n);
/* Runs work(ctx, number) in so many processes and waits for all. 0: all of them answered 0. */
int share_out(unsigned n_jobs, int (*work)(void *ctx, unsigned number), void *ctx);

#endif
