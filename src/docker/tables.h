/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is known of the engine's containers and networks, and the identity set that follows from it.
 *
 * Knowledge comes in pieces, from replies that may be older than an event already seen. So
 * everything carries a number of the caller's count of events: a container is `touched` by each
 * event that names it, and a reply to a question asked before the last touch says nothing about it.
 * An address belongs to one container: to the one of which it was learned last.
 *
 * No input/output. Control thread only. Negative errno is -ENOMEM, then nothing changed.
 */
#ifndef DOCKER_TABLES_H
#define DOCKER_TABLES_H

#include "docker/parse.h"

struct table_container {
	struct docker_container c;
	bool has_facts;	  /* false: only its id and perhaps legs are known */
	uint64_t touched; /* the last event that named it */
};

/* Zeroed memory is empty. Both are sorted by id. */
struct tables {
	struct table_container **containers;
	size_t n_containers;
	struct docker_network *networks;
	size_t n_networks;
};

void tables_fini(struct tables *t);

/* Whole lists, into empty tables; they take over the elements and the array, also when they fail.
 */
int tables_load_networks(struct tables *t, struct docker_network *networks, size_t n);
int tables_load_containers(struct tables *t, struct docker_container *containers, size_t n,
			   uint64_t asked);

/* An event named it; makes a place for it when there is none. */
int tables_touch(struct tables *t, const char *id, uint64_t now);
struct table_container *tables_find(const struct tables *t, const char *id); /* or NULL */
void tables_remove(struct tables *t, const char *id);
/* Takes a container's addresses away: on one network, or on all (NULL). */
void tables_disconnect(struct tables *t, const char *id, const char *network_id);
/* Its process has ended: no addresses, no pid. */
void tables_died(struct tables *t, const char *id);
/* Lists do not say process ids: those known before are kept until the containers are asked. */
void tables_keep_pids(struct tables *t, const struct tables *from);
/* An answer to a question asked at `asked` takes the place of what was known, unless it is out of
 * date. Takes over *c. */
int tables_put_container(struct tables *t, struct docker_container *c, uint64_t asked);
/* Only the names, labels and image of it; addresses stay. For an answer that may lag behind in
 * these. Takes over *c. */
int tables_put_facts(struct tables *t, struct docker_container *c, uint64_t asked);
/* The network, and the addresses of its members that are not out of date. Takes over *network. */
int tables_put_network(struct tables *t, struct docker_network *network, uint64_t asked);
void tables_remove_network(struct tables *t, const char *id);
bool tables_has_network(const struct tables *t, const char *id);

/* The set; its strings are borrowed from the tables and valid until these change. Free it with
 * tables_set_fini only. */
int tables_set(const struct tables *t, struct identity_set *out);
void tables_set_fini(struct identity_set *set);
/* A text that is equal for equal sets; the caller's to free. */
int tables_set_print(const struct identity_set *set, char **text, size_t *n);

#endif
