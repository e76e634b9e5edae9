/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/api.h"

#include "base/log.h"
#include "control/peer.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum api_state { API_ASKING, API_ANSWERING, API_FOLLOWING, API_ENDING, API_DROPPED };

struct api_client {
	struct api *api;
	struct bufferevent *bev;
	enum api_state state;
	uint64_t id;
	struct filter *filter; /* API_FOLLOWING: owned */
};

/* clients[i] is NULL or lives; a DROPPED one is freed by client_settle() at the end of a callback.
 */
struct api {
	struct api_setup setup;
	struct evconnlistener *listener;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* "" when not listening */
	struct api_client *clients[API_CLIENTS_MAX];
	uint64_t last_id;
};

int api_new(const struct api_setup *setup, struct api **out, struct error *err)
{
	struct api *api = calloc(1, sizeof(*api));
	if (!api)
		return error_set(err, -ENOMEM, "no memory for the control socket");
	api->setup = *setup;
	*out = api;
	return 0;
}

static void client_free(struct api_client *client)
{
	for (size_t i = 0; i < API_CLIENTS_MAX; i++)
		if (client->api->clients[i] == client)
			client->api->clients[i] = NULL;
	bufferevent_free(client->bev); /* closes the socket */
	free(client->filter);
	free(client);
}

/* An ending client leaves when all is written; a dropped one at once. */
static void client_settle(struct api_client *client)
{
	size_t waiting = evbuffer_get_length(bufferevent_get_output(client->bev));
	if (client->state == API_DROPPED || (client->state == API_ENDING && waiting == 0))
		client_free(client);
}

static size_t client_limit(const struct api_client *client)
{
	return client->state == API_FOLLOWING ? API_FOLLOW_MAX : API_ANSWER_MAX;
}

static bool client_write(struct api_client *client, const char *text, size_t length)
{
	struct evbuffer *output = bufferevent_get_output(client->bev);
	if (client->state == API_DROPPED || client->state == API_ENDING)
		return false;
	bool fits = evbuffer_get_length(output) + length + 1 <= client_limit(client);
	if (!fits || evbuffer_add(output, text, length) || evbuffer_add(output, "\n", 1)) {
		log_warn("control socket: a client does not read, dropped");
		client->state = API_DROPPED;
	}
	return client->state != API_DROPPED;
}

bool api_send(struct api_client *client, json_t *line)
{
	(void)json_object_set_new(line, "schema", json_integer(API_SCHEMA)); /* NULL: seen below */
	char *text = json_dumps(line, JSON_COMPACT);
	bool sent = text && client_write(client, text, strlen(text));
	free(text);
	json_decref(line);
	return sent;
}

void api_end(struct api_client *client, int exit_code, const char *error)
{
	json_t *line = json_pack("{s:b, s:i}", "end", 1, "exit", exit_code);
	if (error)
		(void)json_object_set_new(line, "error",
					  json_string(error)); /* our own text: UTF-8 */
	(void)api_send(client, line); /* a client that is gone needs no end */
	if (client->state != API_DROPPED)
		client->state = API_ENDING;
}

void api_follow(struct api_client *client, const struct filter *filter)
{
	client->filter = malloc(sizeof(*filter));
	if (!client->filter) {
		api_end(client, EXIT_FAILURE, "no memory");
		return;
	}
	*client->filter = *filter;
	client->state = API_FOLLOWING;
}

uint64_t api_client_id(const struct api_client *client)
{
	return client->id;
}

struct api_client *api_find(struct api *api, uint64_t id)
{
	for (size_t i = 0; i < API_CLIENTS_MAX; i++)
		if (api->clients[i] && api->clients[i]->id == id)
			return api->clients[i]->state == API_ANSWERING ? api->clients[i] : NULL;
	return NULL;
}

void api_publish(struct api *api, const json_t *record, struct bytes line)
{
	if (!json_object_get(record, "flow_id"))
		return; /* not about traffic */
	for (size_t i = 0; i < API_CLIENTS_MAX; i++) {
		struct api_client *client = api->clients[i];
		if (!client || client->state != API_FOLLOWING ||
		    !filter_matches_record(client->filter, record))
			continue;
		(void)client_write(client, (const char *)line.p,
				   line.n); /* dropped: settled next */
		client_settle(client);
	}
}

static void on_request(struct api_client *client, const char *line, size_t length)
{
	json_error_t why;
	json_t *request = json_loadb(line, length, JSON_REJECT_DUPLICATES, &why);
	client->state = API_ANSWERING;
	if (json_is_object(request))
		client->api->setup.request(client->api->setup.ctx, client, request);
	else
		api_end(client, EXIT_FAILURE, "not a JSON object on one line");
	json_decref(request);
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct api_client *client = arg;
	struct evbuffer *input = bufferevent_get_input(bev);
	if (client->state != API_ASKING) {
		(void)evbuffer_drain(input,
				     evbuffer_get_length(input)); /* one request a connection */
		return;
	}
	size_t length;
	char *line = evbuffer_readln(input, &length, EVBUFFER_EOL_LF);
	if (line && length <= API_REQUEST_MAX) {
		struct timeval timeout = {.tv_sec = API_TIMEOUT_S};
		(void)bufferevent_set_timeouts(bev, NULL,
					       &timeout); /* a bufferevent of ours: cannot fail */
		on_request(client, line, length);
	} else if (line || evbuffer_get_length(input) > API_REQUEST_MAX) {
		client->state = API_ANSWERING;
		api_end(client, EXIT_FAILURE, "the request is too long");
	}
	free(line);
	client_settle(client);
}

static void on_written(struct bufferevent *bev, void *arg)
{
	(void)bev; /* the client has it */
	client_settle(arg);
}

/* A peer that only closed its sending side still gets its answer; the next write tells whether it
 * is there. */
static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct api_client *client = arg;
	bool waits = client->state == API_ANSWERING || client->state == API_ENDING;
	(void)bev;
	if ((what & BEV_EVENT_EOF) && waits)
		return;
	client->state = API_DROPPED;
	client_settle(client);
}

static struct api_client **free_place(struct api *api)
{
	for (size_t i = 0; i < API_CLIENTS_MAX; i++)
		if (!api->clients[i])
			return &api->clients[i];
	return NULL;
}

static struct api_client *client_new(struct api *api, int fd)
{
	struct api_client *client = calloc(1, sizeof(*client));
	if (!client)
		return NULL;
	client->bev = bufferevent_socket_new(api->setup.base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!client->bev) {
		free(client);
		return NULL;
	}
	client->api = api;
	client->id = ++api->last_id;
	struct timeval timeout = {.tv_sec = API_TIMEOUT_S};
	(void)bufferevent_set_timeouts(client->bev, &timeout,
				       &timeout); /* cannot fail on a socket */
	bufferevent_setwatermark(client->bev, EV_READ, 0, (size_t)2 * API_REQUEST_MAX);
	bufferevent_setcb(client->bev, on_read, on_written, on_event, client);
	return client;
}

static bool refuse(int fd, const char *line)
{
	(void)send(fd, line, strlen(line), MSG_DONTWAIT | MSG_NOSIGNAL); /* a courtesy */
	(void)close(fd);
	return false;
}

bool api_adopt(struct api *api, int fd)
{
	if (!peer_may_control(fd, api->setup.group))
		return refuse(fd,
			      "{\"end\":true,\"exit\":1,\"error\":\"only root and members of the "
			      "socket's group may ask\",\"schema\":1}\n");
	struct api_client **place = free_place(api);
	if (!place)
		return refuse(
			fd,
			"{\"end\":true,\"exit\":1,\"error\":\"too many clients\",\"schema\":1}\n");
	struct api_client *client = evutil_make_socket_nonblocking(fd) ? NULL : client_new(api, fd);
	if (!client)
		return refuse(fd,
			      "{\"end\":true,\"exit\":1,\"error\":\"no memory\",\"schema\":1}\n");
	*place = client;
	if (bufferevent_enable(client->bev, EV_READ | EV_WRITE)) {
		client_free(client);
		return false;
	}
	return true;
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *peer,
		      int length, void *arg)
{
	(void)listener;
	(void)peer; /* unix peers have no address */
	(void)length;
	(void)api_adopt(arg, fd); /* refused: told there */
}

static void on_accept_error(struct evconnlistener *listener, void *arg)
{
	(void)listener;
	(void)arg;
	log_errno(errno, "control socket: cannot accept");
}

/* Created with its final mode: there is no moment in which anyone else may connect. */
static int bind_private(const char *path, gid_t group, struct error *err)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(addr.sun_path))
		return error_set(err, -ENAMETOOLONG, "--runtime-dir is too long for a socket: %s",
				 path);
	memcpy(addr.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set(err, -errno, "cannot make a socket: %s", strerror(errno));
	(void)unlink(path); /* a dead daemon's; bind tells when it is still there */
	mode_t before = umask(0117);
	int rc = bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) ? -errno : 0;
	(void)umask(before);
	if (rc == 0 && (chown(path, (uid_t)-1, group) || listen(fd, API_CLIENTS_MAX)))
		rc = -errno;
	if (rc == 0)
		return fd;
	(void)close(fd);
	return error_set(err, rc, "cannot listen at %s: %s", path, strerror(-rc));
}

int api_listen(struct api *api, const char *path, struct error *err)
{
	int fd = bind_private(path, api->setup.group, err);
	if (fd < 0)
		return fd;
	const unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC;
	api->listener = evconnlistener_new(api->setup.base, on_accept, api, flags, 0, fd);
	if (!api->listener) {
		(void)close(fd);
		return error_set(err, -ENOMEM, "no memory for the control socket");
	}
	evconnlistener_set_error_cb(api->listener, on_accept_error);
	memcpy(api->path, path, strlen(path) + 1); /* it fitted into a sockaddr_un */
	return 0;
}

void api_free(struct api *api)
{
	if (!api)
		return;
	if (api->listener)
		evconnlistener_free(api->listener);
	for (size_t i = 0; i < API_CLIENTS_MAX; i++)
		if (api->clients[i])
			client_free(api->clients[i]);
	if (api->path[0])
		(void)unlink(api->path); /* already gone is fine */
	free(api);
}
