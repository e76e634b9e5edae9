/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GET requests to one unix socket, on an event base: libcurl's multi interface, nothing blocks.
 *
 * libcurl must not be entered from its own callbacks. So these only collect; handlers run
 * afterwards, and may start and cancel calls as they like, but not free the http. A call is over
 * with its `done`, or with http_cancel (then no `done`).
 */
#ifndef DOCKER_HTTP_H
#define DOCKER_HTTP_H

#include "bridgewarden/bytes.h"

struct event_base;
struct http;
struct http_call;

struct http_reply {
	int error;	   /* 0, or negative errno: -ETIMEDOUT, -EMSGSIZE, -EIO ... */
	long status;	   /* 200; 0 without a reply */
	const char *why;   /* for people, when there is an error */
	struct bytes body; /* of a stream: what followed its last line */
};

struct http_handler {
	void (*opened)(void *ctx); /* a stream's head came and said 200; may be NULL */
	void (*line)(void *ctx, struct bytes line); /* NULL: the body is collected for `done` */
	void (*done)(void *ctx, const struct http_reply *reply); /* the call is freed afterwards */
};

struct http_request {
	const char *path;
	size_t limit; /* bytes of a body, or of a stream's line; more ends the call with -EMSGSIZE
		       */
	long timeout_ms;		    /* 0: none */
	const struct http_handler *handler; /* static */
	void *ctx;
};

struct http *http_new(struct event_base *base, const char *socket_path); /* NULL: out of memory */
struct http_call *http_get(struct http *http,
			   const struct http_request *request); /* NULL: out of memory */
void http_cancel(struct http_call *call);			/* NULL is fine */
void http_free(struct http *http); /* cancels everything; NULL is fine */

#endif
