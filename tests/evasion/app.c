/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "app.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

const char app_answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

static void set_option(int fd, int level, int name, int value)
{
	(void)setsockopt(fd, level, name, &value, sizeof(value)); /* a row that needs it shows */
}

static socklen_t length_of(const struct app *a)
{
	return a->setup.family == AF_INET ? sizeof(struct sockaddr_in)
					  : sizeof(struct sockaddr_in6);
}

static int make_socket(const struct app_setup *s)
{
	switch (s->kind) {
	case APP_TCP:
	case APP_TFO:
	case APP_OOB_INLINE:
		return socket(s->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	case APP_MPTCP:
		return socket(s->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_MPTCP);
	case APP_UDP:
		return socket(s->family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	case APP_RAW:
		return socket(s->family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, s->ip_proto);
	case APP_ETHER:
		return socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ALL));
	}
	return -1;
}

static bool is_stream(enum app_kind kind)
{
	return kind == APP_TCP || kind == APP_TFO || kind == APP_OOB_INLINE || kind == APP_MPTCP;
}

static int bind_it(struct app *a, int fd)
{
	if (a->setup.kind == APP_RAW)
		return 0;
	if (a->setup.kind == APP_ETHER) {
		struct sockaddr_ll ll = {.sll_family = AF_PACKET,
					 .sll_protocol = htons(ETH_P_ALL),
					 .sll_ifindex = (int)if_nametoindex("eth0")};
		return bind(fd, (struct sockaddr *)&ll, sizeof(ll));
	}
	return bind(fd, (struct sockaddr *)&a->setup.own, length_of(a));
}

static void set_options(const struct app_setup *s, int fd)
{
	set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (s->family == AF_INET6 && s->kind != APP_ETHER)
		set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (s->rcvbuf)
		set_option(fd, SOL_SOCKET, SO_RCVBUF, s->rcvbuf);
	if (s->kind == APP_TFO)
		set_option(fd, IPPROTO_TCP, TCP_FASTOPEN, 64);
	if (s->kind == APP_OOB_INLINE)
		set_option(fd, SOL_SOCKET, SO_OOBINLINE, 1);
}

int app_open(struct app *a, const struct world *w, const struct app_setup *setup,
	     enum text_kind kind)
{
	memset(a, 0, offsetof(struct app, read));
	a->setup = *setup;
	a->kind = kind;
	a->listener = a->fd = -1;
	if (world_enter(w, setup->place))
		return -1;
	int fd = make_socket(setup);
	if (fd >= 0)
		set_options(setup, fd);
	bool is_bad = fd < 0 || bind_it(a, fd) != 0;
	bool listens = is_stream(setup->kind) && !setup->is_client;
	if (listens && !is_bad)
		is_bad = listen(fd, 64) != 0;
	if (is_bad)
		perror("bw-evasion: application's socket");
	*(listens ? &a->listener : &a->fd) = fd;
	return world_enter(w, PLACE_PEER) || is_bad ? -1 : 0;
}

static void close_hard(int *fd, bool is_stream_socket)
{
	struct linger now = {.l_onoff = 1};
	if (*fd < 0)
		return;
	if (is_stream_socket)
		(void)setsockopt(*fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	(void)close(*fd);
	*fd = -1;
}

void app_close(struct app *a)
{
	close_hard(&a->fd, is_stream(a->setup.kind));
	close_hard(&a->listener, true);
}

int app_connect(struct app *a)
{
	int bad = connect(a->fd, (struct sockaddr *)&a->setup.peer, length_of(a));
	return bad && errno != EINPROGRESS ? -1 : 0;
}

/* A connection of the peer's port; others are late ones of earlier runs. */
static void accept_one(struct app *a)
{
	struct sockaddr_storage from;
	socklen_t n = sizeof(from);
	int fd = accept4(a->listener, (struct sockaddr *)&from, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	if (a->fd >= 0)
		close_hard(&a->fd, true);
	if (a->setup.kind == APP_OOB_INLINE)
		set_option(fd, SOL_SOCKET, SO_OOBINLINE, 1);
	a->fd = fd;
	a->has_eof = a->has_reset = false;
	a->n_parsed = a->n_read; /* messages of two connections never join */
}

static void ask(struct app *a)
{
	static const char request[] = "GET /row/ask HTTP/1.1\r\nHost: a\r\n\r\n";
	for (int i = 0; i < APP_ASKS; i++)
		(void)!send(a->fd, request, sizeof(request) - 1, MSG_NOSIGNAL);
	a->setup.is_client = false; /* asked once */
}

static bool is_connected(const struct app *a)
{
	struct tcp_info info;
	socklen_t n = sizeof(info);
	return getsockopt(a->fd, IPPROTO_TCP, TCP_INFO, &info, &n) == 0 &&
	       info.tcpi_state == TCP_ESTABLISHED;
}

static bool has_text(const uint8_t *p, size_t n)
{
	static const char *const parts[] = {"/row/", "test", "JJJJ"};
	for (unsigned i = 0; i < 3; i++)
		if (memmem(p, n, parts[i], strlen(parts[i])))
			return true;
	return false;
}

/* What is not a stream: whatever arrives with text of ours in it is a message. */
static void take_datagram(struct app *a, const uint8_t *p, size_t n)
{
	if (a->setup.kind != APP_UDP && !has_text(p, n))
		return;
	if (a->n_messages == APP_MESSAGES_MAX)
		return;
	char *name = a->names[a->n_messages++];
	if (a->setup.kind == APP_UDP) {
		text_name(a->kind, p, n, name);
		a->has_evil |= text_is_evil(a->kind, p, n);
	} else {
		(void)snprintf(name, TEXT_NAME_MAX, "raw%zu", n);
		a->has_evil = true;
	}
}

static void take_messages(struct app *a)
{
	size_t n;
	while ((n = text_whole(a->kind, a->read + a->n_parsed, a->n_read - a->n_parsed)) != 0) {
		const uint8_t *p = a->read + a->n_parsed;
		a->n_parsed += n;
		a->has_evil |= text_is_evil(a->kind, p, n);
		if (a->n_messages < APP_MESSAGES_MAX)
			text_name(a->kind, p, n, a->names[a->n_messages++]);
		if (a->kind == TEXT_REQUEST)
			(void)!send(a->fd, app_answer, sizeof(app_answer) - 1, MSG_NOSIGNAL);
	}
}

static void read_some(struct app *a, size_t most)
{
	size_t room = most < APP_READ_MAX ? most : APP_READ_MAX;
	if (room <= a->n_read)
		return;
	ssize_t n = recv(a->fd, a->read + a->n_read, room - a->n_read, MSG_DONTWAIT);
	if (n > 0 && is_stream(a->setup.kind)) {
		a->n_read += (size_t)n;
		take_messages(a);
	} else if (n > 0) {
		take_datagram(a, a->read, (size_t)n);
	} else if (n == 0) {
		a->has_eof = true;
	} else if (errno != EAGAIN && errno != EINTR && errno != ENOTCONN) {
		a->has_reset = true;
	}
}

void app_turn(struct app *a, size_t most)
{
	if (a->is_stopped)
		return;
	if (a->listener >= 0)
		accept_one(a);
	if (a->fd < 0 || a->has_eof || a->has_reset)
		return;
	if (a->setup.is_client && is_stream(a->setup.kind) && is_connected(a))
		ask(a);
	char oob;
	if (is_stream(a->setup.kind) && recv(a->fd, &oob, 1, MSG_OOB | MSG_DONTWAIT) == 1)
		a->has_oob = true;
	for (int i = 0; i < 8; i++)
		read_some(a, most);
}
