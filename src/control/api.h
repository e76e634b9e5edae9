/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket: one JSON request a connection, JSON lines as the answer, the last of them
 * {"end": true, "exit": N}.
 *
 *    accept -> peer allowed? -> one line -> request() -+-> api_send()... -> api_end() -> closed
 *                                                      `-> api_follow(): each record that matches
 *
 * Bounded in clients, in the size of a request, in what may wait for a slow reader, and in time. A
 * client that breaks a bound is dropped; nobody else notices. Event base's thread only. A client's
 * pointer is valid within request(); whoever answers later remembers its id and finds it again, or
 * not.
 */
#ifndef CONTROL_API_H
#define CONTROL_API_H

#include "base/error.h"
#include "output/filter.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	API_SCHEMA = 1,
	API_CLIENTS_MAX = 32,
	API_REQUEST_MAX = 16 << 10,
	API_ANSWER_MAX = 16 << 20, /* waiting for one reader of an answer */
	API_FOLLOW_MAX = 1 << 20,  /* waiting for one reader of the stream of records */
	API_TIMEOUT_S = 10,	   /* without a request, or without reading a byte of the answer */
};

struct api;
struct api_client;
struct event_base;

struct api_setup {
	struct event_base *base;
	void (*request)(void *ctx, struct api_client *client, const json_t *request);
	void *ctx;
	gid_t group; /* whose members may connect, beside root */
};

int api_new(const struct api_setup *setup, struct api **out, struct error *err);
/* Binds path (mode 0660); the caller holds the lock of the directory, so that a file there is a
 * dead daemon's. */
int api_listen(struct api *api, const char *path, struct error *err);
/* Takes over a connected socket as if it had been accepted. False: refused and closed. */
bool api_adopt(struct api *api, int fd);
void api_free(struct api *api); /* drops the clients, removes the socket; NULL is fine */

uint64_t api_client_id(const struct api_client *client);
struct api_client *api_find(struct api *api, uint64_t id); /* NULL: gone */
/* Takes the reference. Adds "schema". False: the client was dropped, send no more. */
bool api_send(struct api_client *client, json_t *line);
/* The last line; error may be NULL. Sent once; nothing may follow. */
void api_end(struct api_client *client, int exit_code, const char *error);
void api_follow(struct api_client *client, const struct filter *filter); /* copies the filter */
/* A new record, for those who follow: those about traffic. */
void api_publish(struct api *api, const json_t *record, struct bytes line);

#endif
