/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/watchdog.h"

void watchdog_begin(struct watchdog *w, const struct shared_counters *counters, unsigned n_workers)
{
	*w = (struct watchdog){0};
	for (unsigned i = 0; i < n_workers; i++)
		w->worker[i].beats = counter_get(&counters[i], COUNTER_HEARTBEAT);
}

int watchdog_look(struct watchdog *w, const struct shared_counters *counters, unsigned n_workers)
{
	int hung = -1;
	for (unsigned i = 0; i < n_workers; i++) {
		uint64_t now = counter_get(&counters[i], COUNTER_HEARTBEAT);
		bool has_turned = now != w->worker[i].beats;
		w->worker[i].beats = now;
		w->worker[i].has_begun |= has_turned;
		w->worker[i].looks = has_turned ? 0 : w->worker[i].looks + 1;
		unsigned patience = w->worker[i].has_begun ? WATCHDOG_LOOKS : WATCHDOG_LOOKS_FIRST;
		if (w->worker[i].looks >= patience)
			hung = (int)i;
	}
	return hung;
}
