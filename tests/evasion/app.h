/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The real endpoint: a Linux socket in another namespace, read when the test says so. It keeps what
 * it read and which whole messages that was; a server answers each request.
 */
#ifndef EVASION_APP_H
#define EVASION_APP_H

#include "text.h"
#include "world.h"

#include <netinet/in.h>

enum app_kind { APP_TCP, APP_MPTCP, APP_TFO, APP_OOB_INLINE, APP_UDP, APP_RAW, APP_ETHER };

enum { APP_READ_MAX = 1 << 18, APP_MESSAGES_MAX = 8, APP_ASKS = 4 };

struct app_setup {
	enum app_kind kind;
	enum place place;
	bool is_client;
	int family, rcvbuf, ip_proto;
	uint16_t port;
	struct sockaddr_storage own, peer; /* addresses, with ports */
};

struct app {
	struct app_setup setup;
	enum text_kind kind; /* of what it reads */
	int listener, fd;
	bool is_stopped, has_eof, has_reset;
	size_t n_read, n_parsed, n_messages;
	bool has_evil,
		has_oob; /* something evil was read whole; an urgent byte was there to read */
	char names[APP_MESSAGES_MAX][TEXT_NAME_MAX];
	uint8_t read[APP_READ_MAX];
};

extern const char app_answer[];

int app_open(struct app *a, const struct world *w, const struct app_setup *setup,
	     enum text_kind kind);
void app_close(struct app *a);

/* A client begins to connect. */
int app_connect(struct app *a);

/* Takes what is there without waiting. `most`: no more bytes than these in all. */
void app_turn(struct app *a, size_t most);

#endif
