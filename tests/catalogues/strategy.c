/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "strategy.h"

#include <stdlib.h>
#include <string.h>

enum { SLEEP_MAX_MS = 50, COUNT_MAX = 8 };

struct reader {
	struct strategy *s;
	const char *at;
	bool is_bad;
};

static const char *const protos[N_PROTOS] = {"TCP", "UDP", "IP", "IP6"};

static const struct {
	const char *name;
	enum field field;
	uint8_t kind;
} names[] = {
	{"seq", FIELD_SEQ, 0},
	{"ack", FIELD_ACK, 0},
	{"dataofs", FIELD_DATAOFS, 0},
	{"reserved", FIELD_RESERVED, 0},
	{"flags", FIELD_FLAGS, 0},
	{"window", FIELD_WINDOW, 0},
	{"chksum", FIELD_CHKSUM, 0},
	{"urgptr", FIELD_URGPTR, 0},
	{"load", FIELD_LOAD, 0},
	{"sport", FIELD_SPORT, 0},
	{"dport", FIELD_DPORT, 0},
	{"ttl", FIELD_TTL, 0},
	{"len", FIELD_LEN, 0},
	{"tos", FIELD_TOS, 0},
	{"id", FIELD_ID, 0},
	{"chain", FIELD_CHAIN, 0},
	{"options-raw", FIELD_RAW_OPTION, 0},
	{"options-eol", FIELD_OPTION, 0},
	{"options-nop", FIELD_OPTION, 1},
	{"options-mss", FIELD_OPTION, 2},
	{"options-wscale", FIELD_OPTION, 3},
	{"options-sackok", FIELD_OPTION, 4},
	{"options-sack", FIELD_OPTION, 5},
	{"options-timestamp", FIELD_OPTION, 8},
	{"options-altchksum", FIELD_OPTION, 14},
	{"options-altchksumopt", FIELD_OPTION, 15},
	{"options-md5header", FIELD_OPTION, 19},
	{"options-uto", FIELD_OPTION, 28},
	{"options-ao", FIELD_OPTION, 29},
};

static bool skip(struct reader *r, const char *word)
{
	size_t n = strlen(word);
	if (strncmp(r->at, word, n) != 0)
		return false;
	r->at += n;
	return true;
}

static void demand(struct reader *r, const char *word)
{
	if (!skip(r, word))
		r->is_bad = true;
}

static void skip_blanks(struct reader *r)
{
	r->at += strspn(r->at, " \t");
}

/* Up to one of the ends, which stays. */
static void take_word(struct reader *r, const char *ends, char out[STRATEGY_TEXT])
{
	size_t n = strcspn(r->at, ends);
	if (n >= STRATEGY_TEXT) {
		r->is_bad = true;
		n = 0;
	}
	memcpy(out, r->at, n);
	out[n] = '\0';
	r->at += n;
}

static unsigned count_of(const char *word, unsigned most)
{
	unsigned long n = strtoul(word, NULL, 10);
	return n < most ? (unsigned)n : most;
}

static void take_spot(struct reader *r, struct spot *p)
{
	char word[STRATEGY_TEXT];
	unsigned proto = 0;
	take_word(r, ":]}", word);
	while (proto < N_PROTOS && strcmp(protos[proto], word) != 0)
		proto++;
	demand(r, ":");
	take_word(r, ":]}", word);
	r->is_bad |= proto == N_PROTOS;
	p->proto = (enum proto)(proto % N_PROTOS);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i].name, word) == 0) {
			p->field = names[i].field;
			p->kind = names[i].kind;
			return;
		}
	r->is_bad = true;
}

static void take_tamper(struct reader *r, struct node *n)
{
	char how[STRATEGY_TEXT];
	demand(r, "{");
	take_spot(r, &n->where);
	demand(r, ":");
	take_word(r, ":}", how);
	n->how = strcmp(how, "corrupt") == 0 ? HOW_CORRUPT
		 : strcmp(how, "add") == 0   ? HOW_ADD
					     : HOW_REPLACE;
	r->is_bad |= n->how == HOW_REPLACE && strcmp(how, "replace") != 0;
	if (skip(r, ":"))
		take_word(r, "}", n->value);
	demand(r, "}");
}

static void take_fragment(struct reader *r, struct node *n)
{
	char word[STRATEGY_TEXT];
	demand(r, "{");
	take_word(r, ":}", word);
	n->is_tcp = strcmp(word, "tcp") == 0;
	r->is_bad |= !n->is_tcp && strcmp(word, "ip") != 0;
	demand(r, ":");
	take_word(r, ":}", n->value);
	demand(r, ":");
	take_word(r, ":}", word);
	n->in_order = strcmp(word, "True") == 0;
	if (skip(r, ":")) {
		take_word(r, "}", word);
		n->count = count_of(word, 1000);
	}
	demand(r, "}");
}

static void take_count(struct reader *r, struct node *n)
{
	char word[STRATEGY_TEXT];
	n->count = 1;
	if (!skip(r, "{"))
		return;
	take_word(r, "}", word);
	n->count = n->action == ACT_SLEEP ? (unsigned)(strtod(word, NULL) * 1000)
					  : count_of(word, COUNT_MAX);
	if (n->action == ACT_SLEEP && n->count > SLEEP_MAX_MS)
		n->count = SLEEP_MAX_MS;
	demand(r, "}");
}

static const struct {
	const char *name;
	enum action action;
	void (*take)(struct reader *r, struct node *n);
} actions[] = {
	{"duplicate", ACT_DUPLICATE, take_count},  {"tamper", ACT_TAMPER, take_tamper},
	{"fragment", ACT_FRAGMENT, take_fragment}, {"drop", ACT_DROP, take_count},
	{"sleep", ACT_SLEEP, take_count},
};

static int take_action(struct reader *r);

/* NOLINTNEXTLINE(misc-no-recursion): as deep as there are nodes */
static void take_pair(struct reader *r, struct node *n)
{
	n->left = take_action(r);
	if (skip(r, ","))
		n->right = take_action(r);
	demand(r, ")");
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as there are nodes */
static void take_children(struct reader *r, struct node *n)
{
	n->left = n->right = STRATEGY_SEND;
	if (skip(r, ";"))
		n->left = take_action(r);
	else if (skip(r, "("))
		take_pair(r, n);
}
/* NOLINTNEXTLINE(misc-no-recursion): as deep as there are nodes */
static int take_action(struct reader *r)
{
	skip_blanks(r);
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]) && !r->is_bad; i++) {
		if (!skip(r, actions[i].name))
			continue;
		if (r->s->n_nodes == STRATEGY_NODES) {
			r->is_bad = true;
			break;
		}
		int number = (int)r->s->n_nodes++;
		struct node *n = &r->s->node[number];
		n->action = actions[i].action;
		actions[i].take(r, n);
		take_children(r, n);
		return number;
	}
	return STRATEGY_SEND;
}

static void take_tree(struct reader *r, bool is_inbound)
{
	char word[STRATEGY_TEXT];
	if (r->s->n_trees == STRATEGY_TREES) {
		r->is_bad = true;
		return;
	}
	struct tree *t = &r->s->tree[r->s->n_trees++];
	t->is_inbound = is_inbound;
	demand(r, "[");
	take_spot(r, &t->where);
	demand(r, ":");
	take_word(r, ":]", t->value);
	if (skip(r, ":")) {
		take_word(r, "]", word);
		t->gas = count_of(word, 1000);
	}
	demand(r, "]");
	demand(r, "-");
	t->root = take_action(r);
	demand(r, "-");
	(void)skip(r, "|"); /* older strings do without */
}

const char *strategy_parse(struct strategy *s, const char *text)
{
	struct reader r = {.s = s, .at = text};
	bool is_inbound = false;
	memset(s, 0, sizeof(*s));
	for (skip_blanks(&r); *r.at && !r.is_bad; skip_blanks(&r)) {
		if (skip(&r, "\\/"))
			is_inbound = true;
		else
			take_tree(&r, is_inbound);
	}
	return r.is_bad || s->n_trees == 0 ? r.at : NULL;
}

uint8_t strategy_flags(const char *letters, uint8_t *reserved)
{
	static const char known[] = "FSRPAUEC";
	unsigned flags = 0;
	for (; *letters; letters++) {
		const char *at = strchr(known, *letters);
		flags |= at ? 1u << (at - known) : 0;
		if (*letters == 'N')
			*reserved |= 1;
	}
	return (uint8_t)flags;
}

/* ---- what it is about ---- */

bool strategy_mentions(const struct strategy *s, enum proto proto, enum field field)
{
	for (unsigned i = 0; i < s->n_nodes; i++)
		if (s->node[i].action == ACT_TAMPER && s->node[i].where.proto == proto &&
		    s->node[i].where.field == field)
			return true;
	return false;
}

bool strategy_is_udp(const struct strategy *s)
{
	return s->tree[0].where.proto == PROTO_UDP;
}

bool strategy_is_ip6(const struct strategy *s)
{
	for (unsigned i = 0; i < s->n_nodes; i++)
		if (s->node[i].action == ACT_TAMPER && s->node[i].where.proto == PROTO_IP6)
			return true;
	return false;
}

bool strategy_suits(const struct strategy *s, bool is_client)
{
	for (unsigned i = 0; i < s->n_trees; i++) {
		const struct tree *t = &s->tree[i];
		bool others = strcmp(t->value, is_client ? "SA" : "S") == 0 && !t->is_inbound;
		if (t->where.field != FIELD_FLAGS || !others)
			return true;
	}
	return false;
}
