/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Questions about one container or network, asked of the engine and answered into the tables.
 *
 * At most one of a kind for an id is on its way; if something happens meanwhile it is asked again.
 * The engine holds a container's lock while it starts or stops, and an inspection waits for that:
 * these have a lane of their own, so that the quick questions never queue behind them.
 */
#ifndef DOCKER_JOBS_H
#define DOCKER_JOBS_H

#include "docker/tables.h"

struct http;
struct jobs;

enum job_kind {
	JOB_NETWORK, /* its facts and its members' addresses */
	JOB_FACTS,   /* name, labels and image from the list: never blocks */
	JOB_INSPECT, /* everything; may block */
};

/* All borrowed until jobs_free. Neither function may free the jobs; failed may drop them. */
struct jobs_setup {
	struct http *http;
	const char *api; /* "/v1.41"; may change while there are no jobs */
	struct tables *tables;
	const uint64_t *n_events; /* the count that tables.h speaks of */
	/* The tables may have changed. */
	void (*answered)(void *ctx, enum job_kind kind);
	void (*failed)(void *ctx, const char *why); /* nothing can be relied on: begin again */
	void *ctx;
};

struct jobs *jobs_new(const struct jobs_setup *setup); /* NULL: out of memory */
/* -ENOBUFS: so much is asked that whole lists are cheaper. -ENOMEM. */
int jobs_want(struct jobs *jobs, enum job_kind kind, const char *id);
/* It is gone: an answer that is on its way would bring it back. */
void jobs_forget_container(struct jobs *jobs, const char *id);
/* Do more inspections wait than events alone would ask for? */
bool jobs_are_many(const struct jobs *jobs);
/* Sends what may be sent. */
void jobs_start(struct jobs *jobs);
void jobs_drop(struct jobs *jobs); /* forgets all questions */
void jobs_free(struct jobs *jobs); /* NULL is fine */

#endif
