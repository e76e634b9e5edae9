/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every record of the daemon comes through here once and goes to three places: the file sink, the
 * history in memory, and the clients that follow. Event base's thread only.
 */
#ifndef CONTROL_RECORDS_H
#define CONTROL_RECORDS_H

#include "control/api.h"
#include "control/ids.h"
#include "output/history.h"
#include "output/sink.h"

/* Zeroed memory is a valid, empty one. Owns all but the api. */
struct records {
	struct sink *sink; /* NULL: no file wanted */
	struct history *history;
	struct api *api;       /* NULL until the socket is open */
	bool is_failing;       /* the last write failed, and that was said */
	uint64_t n, n_damaged; /* taken; from the engine, but not readable */
};

/* path NULL: no file. */
int records_init(struct records *records, const char *path, struct error *err);
void records_fini(struct records *records);
/* From the engine: untrusted. */
void records_event(struct records *records, struct bytes event);
void records_identity(struct records *records, enum ids_change change,
		      const struct identity_endpoint *e);
/* event "loaded", "rejected"... ; text may be NULL */
void records_policy(struct records *records, const char *event, uint32_t generation, uint32_t epoch,
		    const char *text);
void records_engine(struct records *records, const char *event, const char *text);
/* Periodically: writes what waits and says when that fails, once per beginning of a failure. */
void records_flush(struct records *records);

#endif
