/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "docker/jobs.h"

#include "base/log.h"
#include "docker/http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	JOBS_MAX = 1 << 12, /* questions that wait */
	QUICK_MAX = 16,	    /* in flight */
	SLOW_MAX = 8,
	MANY = 48, /* twice what is in flight */
	QUICK_TIMEOUT_MS = 10000,
	SLOW_TIMEOUT_MS = 120000, /* a container that hangs while it starts blocks its inspection */
	REPLY_MAX = 64 << 20,	  /* a network with 65,536 members */
};

struct job {
	struct jobs *jobs;
	struct job *next;
	enum job_kind kind;
	char id[DOCKER_ID_SIZE];
	uint64_t asked;		/* number of the last event when it was asked */
	struct http_call *call; /* NULL: waits */
	bool is_again;		/* something happened since */
};

struct jobs {
	struct jobs_setup setup;
	struct job *first, **end;
	size_t n, n_quick, n_slow;
};

void jobs_drop(struct jobs *jobs)
{
	while (jobs->first) {
		struct job *job = jobs->first;
		jobs->first = job->next;
		http_cancel(job->call);
		free(job);
	}
	jobs->end = &jobs->first;
	jobs->n = jobs->n_quick = jobs->n_slow = 0;
}

static size_t *lane_of(struct jobs *jobs, const struct job *job)
{
	return job->kind == JOB_INSPECT ? &jobs->n_slow : &jobs->n_quick;
}

static void append_job(struct jobs *jobs, struct job *job)
{
	job->next = NULL;
	*jobs->end = job;
	jobs->end = &job->next;
	jobs->n++;
}

static void unlink_job(struct jobs *jobs, struct job *job)
{
	struct job **at = &jobs->first;
	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	if (jobs->end == &job->next)
		jobs->end = at;
	jobs->n--;
}

/* Ends it, asked or not. */
static void end_job(struct jobs *jobs, struct job *job)
{
	if (job->call)
		*lane_of(jobs, job) -= 1;
	http_cancel(job->call);
	unlink_job(jobs, job);
	free(job);
}

static struct job *find_job(struct jobs *jobs, enum job_kind kind, const char *id)
{
	for (struct job *job = jobs->first; job; job = job->next)
		if (job->kind == kind && strcmp(job->id, id) == 0)
			return job;
	return NULL;
}

int jobs_want(struct jobs *jobs, enum job_kind kind, const char *id)
{
	struct job *job = find_job(jobs, kind, id);
	if (job) {
		job->is_again = job->call != NULL;
		return 0;
	}
	if (jobs->n >= JOBS_MAX)
		return -ENOBUFS;
	job = calloc(1, sizeof(*job));
	if (!job)
		return -ENOMEM;
	*job = (struct job){.jobs = jobs, .kind = kind};
	memcpy(job->id, id, DOCKER_ID_SIZE);
	append_job(jobs, job);
	return 0;
}

void jobs_forget_container(struct jobs *jobs, const char *id)
{
	static const enum job_kind kinds[] = {JOB_FACTS, JOB_INSPECT};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct job *job = find_job(jobs, kinds[i], id);
		if (job)
			end_job(jobs, job);
	}
}

static void job_path(const struct job *job, char *out, size_t room)
{
	const char *api = job->jobs->setup.api;
	switch (job->kind) {
	case JOB_NETWORK:
		(void)snprintf(out, room, "%s/networks/%s", api,
			       job->id); /* the longest is 180 bytes */
		return;
	case JOB_FACTS:
		(void)snprintf(out, room, "%s/containers/json?all=1&filters={\"id\":[\"%s\"]}", api,
			       job->id);
		return;
	case JOB_INSPECT:
		(void)snprintf(out, room, "%s/containers/%s/json", api, job->id);
		return;
	}
}

static void job_done(void *ctx, const struct http_reply *reply);

static bool start_job(struct jobs *jobs, struct job *job)
{
	static const struct http_handler handler = {.done = job_done};
	bool is_slow = job->kind == JOB_INSPECT;
	if (*lane_of(jobs, job) >= (is_slow ? SLOW_MAX : QUICK_MAX))
		return true;
	char path[256];
	job_path(job, path, sizeof(path));
	struct http_request request = {
		.path = path, .limit = REPLY_MAX, .handler = &handler, .ctx = job};
	request.timeout_ms = is_slow ? SLOW_TIMEOUT_MS : QUICK_TIMEOUT_MS;
	job->asked = *jobs->setup.n_events;
	job->is_again = false;
	job->call = http_get(jobs->setup.http, &request);
	if (job->call)
		*lane_of(jobs, job) += 1;
	return job->call != NULL;
}

bool jobs_are_many(const struct jobs *jobs)
{
	return jobs->n > MANY;
}

void jobs_start(struct jobs *jobs)
{
	for (struct job *job = jobs->first; job; job = job->next)
		if (!job->call && !start_job(jobs, job)) {
			jobs->setup.failed(jobs->setup.ctx, "out of memory");
			return;
		}
}

/* ---- their answers ---- */

/* A member of which nothing else is known: it may be new, or gone already. */
static int want_members(struct jobs *jobs, const struct docker_network *network)
{
	int r = 0;
	for (size_t i = 0; i < network->n_members && r == 0; i++) {
		const char *id = network->members[i].container;
		const struct table_container *tc = tables_find(jobs->setup.tables, id);
		if (!tc || !tc->has_facts)
			r = jobs_want(jobs, JOB_FACTS, id);
	}
	return r;
}

/* Negative errno, or the parser's status as a positive number. */
static int take_network(struct jobs *jobs, const struct job *job, struct bytes body)
{
	struct docker_network network;
	enum parse_status status = parse_network(body, &network);
	if (status != PARSE_OK)
		return (int)status;
	int r = want_members(jobs, &network);
	if (r == 0)
		return tables_put_network(jobs->setup.tables, &network, job->asked);
	docker_network_fini(&network);
	return r;
}

/* The legs lead to networks that may be news. */
static int want_networks(struct jobs *jobs, const struct docker_container *c)
{
	int r = 0;
	for (size_t i = 0; i < c->n_legs && r == 0; i++)
		if (*c->legs[i].network_id &&
		    !tables_has_network(jobs->setup.tables, c->legs[i].network_id))
			r = jobs_want(jobs, JOB_NETWORK, c->legs[i].network_id);
	return r;
}

static int take_inspected(struct jobs *jobs, const struct job *job, struct bytes body)
{
	struct docker_container c;
	enum parse_status status = parse_container(body, &c);
	if (status != PARSE_OK)
		return (int)status;
	int r = want_networks(jobs, &c);
	if (r == 0)
		return tables_put_container(jobs->setup.tables, &c, job->asked);
	docker_container_fini(&c);
	return r;
}

static int take_facts(struct jobs *jobs, const struct job *job, struct bytes body)
{
	struct docker_container *list;
	size_t n;
	enum parse_status status = parse_containers(body, &list, &n);
	if (status != PARSE_OK)
		return (int)status;
	int r = 0;
	bool is_there = false;
	for (size_t i = 0; i < n && r == 0 && !is_there; i++) {
		is_there = strcmp(list[i].facts.id, job->id) == 0;
		if (is_there)
			r = tables_put_facts(jobs->setup.tables, &list[i], job->asked);
	}
	if (!is_there)
		tables_remove(jobs->setup.tables, job->id);
	docker_containers_free(list, n);
	return r;
}

static int take_answer(struct jobs *jobs, const struct job *job, struct bytes body)
{
	switch (job->kind) {
	case JOB_NETWORK:
		return take_network(jobs, job, body);
	case JOB_FACTS:
		return take_facts(jobs, job, body);
	case JOB_INSPECT:
		return take_inspected(jobs, job, body);
	}
	return -EINVAL;
}

/* It ended before we asked; its last event is on its way. */
static void take_absence(struct jobs *jobs, const struct job *job)
{
	if (job->kind == JOB_NETWORK)
		tables_remove_network(jobs->setup.tables, job->id);
	else
		tables_remove(jobs->setup.tables, job->id);
}

static const char *job_name(enum job_kind kind)
{
	switch (kind) {
	case JOB_NETWORK:
		return "GET /networks/ID";
	case JOB_FACTS:
		return "GET /containers/json?filters=id";
	case JOB_INSPECT:
		return "GET /containers/ID/json";
	}
	return "?";
}

/* NULL: taken. Otherwise why not; text has room for it. */
static const char *judge_answer(struct jobs *jobs, struct job *job, const struct http_reply *reply,
				char text[64])
{
	if (reply->error == -ETIMEDOUT && job->kind == JOB_INSPECT) {
		log_warn("docker: container=%.12s inspection blocked for %d s, asked again",
			 job->id, SLOW_TIMEOUT_MS / 1000);
		job->is_again = true;
		return NULL;
	}
	if (reply->error)
		return reply->why;
	if (reply->status == 404) {
		take_absence(jobs, job);
		return NULL;
	}
	if (reply->status != 200) {
		(void)snprintf(text, 64, "status %ld", reply->status); /* fits */
		return text;
	}
	int r = take_answer(jobs, job, reply->body);
	if (r < 0)
		return strerror(-r);
	return r == 0 ? NULL : parse_status_text((enum parse_status)r);
}

static void fail(struct jobs *jobs, enum job_kind kind, const char *why)
{
	char text[256];
	(void)snprintf(text, sizeof(text), "%s: %s", job_name(kind), why); /* may be cut */
	jobs->setup.failed(jobs->setup.ctx, text);
}

static void job_done(void *ctx, const struct http_reply *reply)
{
	struct job *job = ctx;
	struct jobs *jobs = job->jobs;
	enum job_kind kind = job->kind;
	char text[64];
	job->call = NULL;
	*lane_of(jobs, job) -= 1;
	const char *why = judge_answer(jobs, job, reply, text);
	if (why) {
		fail(jobs, kind, why); /* may have dropped the job */
		return;
	}
	unlink_job(jobs, job);
	if (job->is_again)
		append_job(jobs, job);
	else
		free(job);
	jobs_start(jobs);
	jobs->setup.answered(jobs->setup.ctx, kind);
}

struct jobs *jobs_new(const struct jobs_setup *setup)
{
	struct jobs *jobs = calloc(1, sizeof(*jobs));
	if (!jobs)
		return NULL;
	jobs->setup = *setup;
	jobs->end = &jobs->first;
	return jobs;
}

void jobs_free(struct jobs *jobs)
{
	if (!jobs)
		return;
	jobs_drop(jobs);
	free(jobs);
}
