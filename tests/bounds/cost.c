/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cost.h"

#include "score.h"

#include <stddef.h>

static double once(const struct cost_work *work, uint32_t n)
{
	void *prepared = work->prepare ? work->prepare(n) : NULL;
	uint64_t before = score_cpu_ns();
	work->run(prepared, n);
	double took = (double)(score_cpu_ns() - before);
	if (work->finish)
		work->finish(prepared);
	return took > 1 ? took : 1;
}

void cost_pair(const struct cost_work *work, const uint32_t n[2], double best_ns[2])
{
	for (int i = 0; i < 2 * COST_TRIES; i++) {
		double took = once(work, n[i % 2]);
		if (i < 2 || took < best_ns[i % 2])
			best_ns[i % 2] = took;
	}
}
