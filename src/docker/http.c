/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "docker/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { CONNECT_TIMEOUT_MS = 2000 };

/* Invariant: is_dead calls wait for the sweep only, libcurl knows them no more. */
struct http_call {
	struct http *http;
	struct http_call *next;
	CURL *easy;
	const struct http_handler *handler;
	void *ctx;
	size_t limit;
	char *buffer;
	size_t n, room;
	size_t scanned; /* bytes of the buffer known to hold no line's end */
	bool has_head, has_opened, is_too_long, is_done, is_dead;
	CURLcode result;
	char why[CURL_ERROR_SIZE];
};

struct http {
	struct event_base *base;
	CURLM *multi;
	struct event *timer;
	char *socket_path;
	struct http_call *calls;
	bool is_delivering;
};

/* ---- collecting: inside libcurl ---- */

static bool make_room(struct http_call *call, size_t more)
{
	size_t wanted = call->n + more;
	if (wanted <= call->room)
		return true;
	size_t room = call->room ? call->room : 4096;
	while (room < wanted)
		room *= 2;
	char *bigger = realloc(call->buffer, room);
	if (!bigger)
		return false;
	call->buffer = bigger;
	call->room = room;
	return true;
}

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
	struct http_call *call = ctx;
	size_t more = size * n; /* at most CURL_MAX_WRITE_SIZE */
	/* Whole lines leave the buffer only afterwards: one delivery from libcurl may come on top
	 * of a line. */
	size_t limit = call->limit + (call->handler->line ? CURL_MAX_WRITE_SIZE : 0);
	if (more > limit || call->n > limit - more) {
		call->is_too_long = true;
		return 0;
	}
	if (!make_room(call, more))
		return 0;
	memcpy(call->buffer + call->n, data, more);
	call->n += more;
	return more;
}

/* The type of the parameters is that of libcurl. */
// cppcheck-suppress constParameter
static size_t on_head(char *data, size_t size, size_t n, void *ctx)
{
	struct http_call *call = ctx;
	if (n == 2 && data[0] == '\r')
		call->has_head = true;
	return size * n;
}

/* ---- delivering: outside libcurl ---- */

static void unlink_from_curl(struct http_call *call)
{
	if (!call->easy)
		return;
	(void)curl_multi_remove_handle(call->http->multi,
				       call->easy); /* fails only for a handle that is not in it */
	curl_easy_cleanup(call->easy);
	call->easy = NULL;
}

static void sweep(struct http *http)
{
	for (struct http_call **at = &http->calls; *at;) {
		struct http_call *call = *at;
		if (!call->is_dead) {
			at = &call->next;
			continue;
		}
		*at = call->next;
		free(call->buffer);
		free(call);
	}
}

void http_cancel(struct http_call *call)
{
	if (!call)
		return;
	unlink_from_curl(call);
	call->is_dead = true;
	if (!call->http->is_delivering)
		sweep(call->http);
}

static long status_of(const struct http_call *call)
{
	long status = 0;
	(void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE,
				&status); /* stays 0 when it fails */
	return status;
}

static int error_of(const struct http_call *call)
{
	if (call->is_too_long)
		return -EMSGSIZE;
	if (call->result == CURLE_OK)
		return 0;
	if (call->result == CURLE_OPERATION_TIMEDOUT)
		return -ETIMEDOUT;
	return call->result == CURLE_OUT_OF_MEMORY ? -ENOMEM : -EIO;
}

static void deliver_lines(struct http_call *call)
{
	size_t start = 0;
	while (!call->is_dead) {
		struct bytes rest = bytes_of(call->buffer + call->scanned, call->n - call->scanned);
		size_t end = bytes_find(rest, '\n');
		call->scanned += end;
		if (end == rest.n)
			break;
		struct bytes line = bytes_of(call->buffer + start, call->scanned - start);
		start = ++call->scanned;
		if (line.n > 0)
			call->handler->line(call->ctx, line);
	}
	call->n -= start;
	call->scanned -= start;
	if (start > 0)
		memmove(call->buffer, call->buffer + start, call->n);
}

static const char *why_of(const struct http_call *call)
{
	if (call->is_too_long)
		return "the reply is longer than a host's can be";
	if (call->result == CURLE_COULDNT_CONNECT)
		return "nobody answers on its socket";
	return call->why[0] ? call->why : curl_easy_strerror(call->result);
}

static void deliver_done(struct http_call *call)
{
	struct http_reply reply = {
		.error = error_of(call),
		.status = status_of(call),
		.why = why_of(call),
		.body = bytes_of(call->buffer, call->n),
	};
	call->handler->done(call->ctx, &reply);
	http_cancel(call);
}

static void deliver_call(struct http_call *call)
{
	bool is_stream = call->handler->line && call->has_head && status_of(call) == 200;
	if (is_stream && !call->has_opened) {
		call->has_opened = true;
		if (call->handler->opened)
			call->handler->opened(call->ctx);
	}
	if (!call->is_dead && is_stream && call->n > 0)
		deliver_lines(call);
	if (!call->is_dead && call->is_done)
		deliver_done(call);
}

static void collect_done(struct http *http)
{
	int left;
	for (CURLMsg *m; (m = curl_multi_info_read(http->multi, &left));) {
		char *call = NULL;
		if (m->msg != CURLMSG_DONE ||
		    curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &call) != CURLE_OK)
			continue;
		((struct http_call *)(void *)call)->is_done = true;
		((struct http_call *)(void *)call)->result = m->data.result;
	}
}

static void act(struct http *http, curl_socket_t fd, int what)
{
	int running;
	(void)curl_multi_socket_action(http->multi, fd, what,
				       &running); /* failures come with each call's result */
	collect_done(http);
	http->is_delivering = true;
	for (struct http_call *call = http->calls; call; call = call->next)
		if (!call->is_dead)
			deliver_call(call);
	http->is_delivering = false;
	sweep(http);
}

/* ---- libcurl on the event base ---- */

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	act(ctx, CURL_SOCKET_TIMEOUT, 0);
}

static void on_socket(evutil_socket_t fd, short what, void *ctx)
{
	int action = ((what & EV_READ) ? CURL_CSELECT_IN : 0) |
		     ((what & EV_WRITE) ? CURL_CSELECT_OUT : 0);
	act(ctx, fd, action);
}

static int want_timer(CURLM *multi, long timeout_ms, void *ctx)
{
	struct http *http = ctx;
	struct timeval after = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
	(void)multi;
	return timeout_ms < 0 ? event_del(http->timer) : event_add(http->timer, &after);
}

static int want_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
	struct http *http = ctx;
	struct event *watch = socket_ctx;
	(void)easy;
	if (watch)
		event_free(watch);
	if (what == CURL_POLL_REMOVE)
		return 0;
	short events = (short)(EV_PERSIST | ((what & CURL_POLL_IN) ? EV_READ : 0) |
			       ((what & CURL_POLL_OUT) ? EV_WRITE : 0));
	watch = event_new(http->base, fd, events, on_socket, http);
	(void)curl_multi_assign(http->multi, fd,
				watch); /* fails only for a socket that libcurl does not know */
	return watch && event_add(watch, NULL) == 0 ? 0 : -1;
}

struct http *http_new(struct event_base *base, const char *socket_path)
{
	struct http *http = calloc(1, sizeof(*http));
	if (!http)
		return NULL;
	http->base = base;
	http->socket_path = strdup(socket_path);
	http->multi = curl_multi_init();
	http->timer = event_new(base, -1, 0, on_timer, http);
	if (!http->socket_path || !http->multi || !http->timer) {
		http_free(http);
		return NULL;
	}
	(void)curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION,
				want_socket); /* these cannot fail */
	(void)curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
	(void)curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, want_timer);
	(void)curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
	return http;
}

static bool set_options(struct http_call *call, const struct http_request *request)
{
	CURL *easy = call->easy;
	char url[1024];
	if (strlen(request->path) > sizeof(url) - sizeof("http://docker"))
		return false;
	(void)snprintf(url, sizeof(url), "http://docker%s", request->path); /* fits: see above */
	bool is_bad = curl_easy_setopt(easy, CURLOPT_URL, url) || /* all of them are needed */
		      curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, call->http->socket_path) ||
		      curl_easy_setopt(easy, CURLOPT_PROXY, "") ||
		      curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http") ||
		      curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) ||
		      curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS) ||
		      curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, request->timeout_ms) ||
		      curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->why) ||
		      curl_easy_setopt(easy, CURLOPT_PRIVATE, call) ||
		      curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_head) ||
		      curl_easy_setopt(easy, CURLOPT_HEADERDATA, call) ||
		      curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) ||
		      curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	return !is_bad;
}

struct http_call *http_get(struct http *http, const struct http_request *request)
{
	struct http_call *call = calloc(1, sizeof(*call));
	if (!call)
		return NULL;
	call->http = http;
	call->handler = request->handler;
	call->ctx = request->ctx;
	call->limit = request->limit;
	call->easy = curl_easy_init();
	if (!call->easy || !set_options(call, request) ||
	    curl_multi_add_handle(http->multi, call->easy) != CURLM_OK) {
		curl_easy_cleanup(call->easy);
		free(call);
		return NULL;
	}
	call->next = http->calls;
	http->calls = call;
	return call;
}

void http_free(struct http *http)
{
	if (!http)
		return;
	for (struct http_call *call = http->calls; call; call = call->next) {
		unlink_from_curl(call);
		call->is_dead = true;
	}
	sweep(http);
	if (http->multi)
		(void)curl_multi_cleanup(http->multi); /* every handle is out of it */
	if (http->timer)
		event_free(http->timer);
	free(http->socket_path);
	free(http);
}
