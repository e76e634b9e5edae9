/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/deadline.h"

#include <errno.h>
#include <stdlib.h>

int deadlines_init(struct deadlines *d, size_t room)
{
	d->heap = malloc(room * sizeof(*d->heap));
	d->n = 0;
	d->room = room;
	return d->heap ? 0 : -ENOMEM;
}

void deadlines_fini(struct deadlines *d)
{
	free(d->heap);
	*d = (struct deadlines){0};
}

bool deadlines_add(struct deadlines *d, const struct deadline *deadline)
{
	if (d->n == d->room)
		return false;
	size_t i = d->n++;
	for (; i > 0 && d->heap[(i - 1) / 2].at_ns > deadline->at_ns; i = (i - 1) / 2)
		d->heap[i] = d->heap[(i - 1) / 2];
	d->heap[i] = *deadline;
	return true;
}

static void sink_root(struct deadlines *d, const struct deadline *moved)
{
	size_t i = 0;
	for (;;) {
		size_t child = 2 * i + 1;
		if (child >= d->n)
			break;
		if (child + 1 < d->n && d->heap[child + 1].at_ns < d->heap[child].at_ns)
			child++;
		if (d->heap[child].at_ns >= moved->at_ns)
			break;
		d->heap[i] = d->heap[child];
		i = child;
	}
	d->heap[i] = *moved;
}

bool deadlines_take(struct deadlines *d, uint64_t now_ns, struct deadline *out)
{
	if (d->n == 0 || d->heap[0].at_ns > now_ns)
		return false;
	*out = d->heap[0];
	struct deadline last = d->heap[--d->n];
	if (d->n > 0)
		sink_root(d, &last);
	return true;
}
