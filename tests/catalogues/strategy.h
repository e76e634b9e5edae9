/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The language in which all catalogues are written: Geneva's, with a few words more.
 *
 *	[TCP:flags:PA]-duplicate(tamper{TCP:load:corrupt}(tamper{TCP:chksum:corrupt},),)-| \/
 *
 * Before `\/` stands what happens to packets that go out, behind it to those that come in. A tree
 * is a trigger in brackets and an action; each action gives its packets to the two in its
 * parentheses, left first, and an empty place sends them. No tree fits: the packet goes as it is.
 *
 *	[PROTO:field:value]       value *: all; options-X without a value: it is not there
 *	[PROTO:field:value:N]     only the first N that fit
 *	duplicate(L,R)            duplicate{N}: N copies go left
 *	tamper{PROTO:field:HOW:V} HOW is replace, corrupt (random) or add (our own word)
 *	fragment{tcp:AT:ORDER}    AT -1 is the middle; a fourth word: so many bytes overlap
 *	fragment{ip:AT:ORDER}     in units of 8
 *	drop, sleep{SECONDS}
 *	A;B                       short for A(B,)
 *
 * TCP:load: add:N puts zeros behind, add:-N bytes of the other message before (and moves the
 * segment there); what corrupt puts there see act.h. IP:load is that of a fragment.
 *
 * PROTO is TCP, UDP, IP (either version) or IP6 (only tried over it). Our own fields:
 * TCP:options-raw (hex behind all other options), TCP:options-ao, TCP:flags with + or - before the
 * letters, IP6:chain (letters of frame.c). AT may be a place in the message: u0 .. u4, host, end,
 * and these with a number behind.
 */
#ifndef CATALOGUES_STRATEGY_H
#define CATALOGUES_STRATEGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	STRATEGY_NODES = 48,
	STRATEGY_TREES = 6,
	STRATEGY_TEXT = 40, /* of a value */
	STRATEGY_SEND = -1, /* an empty place */
};

enum action { ACT_DUPLICATE, ACT_TAMPER, ACT_FRAGMENT, ACT_DROP, ACT_SLEEP };
enum proto { PROTO_TCP, PROTO_UDP, PROTO_IP, PROTO_IP6, N_PROTOS };
enum how { HOW_REPLACE, HOW_CORRUPT, HOW_ADD };

enum field {
	FIELD_SEQ,
	FIELD_ACK,
	FIELD_DATAOFS,
	FIELD_RESERVED,
	FIELD_FLAGS,
	FIELD_WINDOW,
	FIELD_CHKSUM,
	FIELD_URGPTR,
	FIELD_LOAD,
	FIELD_OPTION,
	FIELD_RAW_OPTION,
	FIELD_TTL,
	FIELD_LEN,
	FIELD_TOS,
	FIELD_ID,
	FIELD_CHAIN,
	FIELD_SPORT,
	FIELD_DPORT,
};

struct spot {
	enum proto proto;
	enum field field;
	uint8_t kind; /* of an option */
};

struct node {
	enum action action;
	struct spot where;
	enum how how;
	unsigned count; /* copies; overlap; milliseconds */
	bool is_tcp, in_order;
	char value[STRATEGY_TEXT];
	int left, right;
};

struct tree {
	struct spot where;
	char value[STRATEGY_TEXT];
	unsigned gas; /* how often; 0: always */
	int root;
	bool is_inbound;
};

struct strategy {
	unsigned n_nodes, n_trees;
	struct node node[STRATEGY_NODES];
	struct tree tree[STRATEGY_TREES];
};

/* NULL, or where in the text it cannot be understood. */
const char *strategy_parse(struct strategy *s, const char *text);

/* The letters of flags as bits; N, the ninth, comes back in `reserved`. */
uint8_t strategy_flags(const char *letters, uint8_t *reserved);

bool strategy_mentions(const struct strategy *s, enum proto proto, enum field field);
bool strategy_is_udp(const struct strategy *s);
bool strategy_is_ip6(const struct strategy *s);

/* Whether a client (or a server) ever sends what one of its trees waits for. */
bool strategy_suits(const struct strategy *s, bool is_client);

#endif
