/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between libyaml and the loader: nodes read by type, mappings read by a table of keys, and
 * complaints with a place. Every error is reported and reading goes on, so that one run shows all
 * of them.
 *
 * Types are YAML 1.2 core: a plain scalar that reads as null, true/false or a number is that; all
 * else, and everything in quotes, is text. Aliases may repeat a node; a budget of visited nodes
 * bounds what that can expand to, cycles included.
 */
#ifndef POLICY_NODE_H
#define POLICY_NODE_H

#include "policy/ast.h"

#include <yaml.h>

enum { NODE_BUDGET = 4 << 20 };

struct loading {
	struct policy *policy;
	struct diagnostics *diags;
	yaml_document_t *document;
	uint32_t source;
	long today; /* days since 1970-01-01 */
	size_t budget;
	bool is_included;
	int section_mode; /* of an included file, for its rules; or MODE_UNSET */
	bool no_memory;
};

/* ---- complaints ---- */

void complain(struct loading *l, const struct place *place, enum diagnostic_severity severity,
	      const char *hint, const char *format, ...) __attribute__((format(printf, 5, 6)));
void complain_at(struct loading *l, const yaml_node_t *node, const char *hint, const char *format,
		 ...) __attribute__((format(printf, 4, 5)));
struct place place_of(const struct loading *l, const yaml_node_t *node);
void out_of_memory(struct loading *l);

/* The word that is nearest to a misspelt one. Zeroed but for `word`. */
struct suggestion {
	const char *word;
	const char *best;
	size_t distance;
	char hint[160];
};

void suggestion_offer(struct suggestion *s, const char *candidate);
const char *suggestion_hint(struct suggestion *s); /* NULL: nothing is near */

/* ---- scalars; false, and a complaint, when the node is something else. `what` names it in the
 * complaint. ---- */

bool node_text(struct loading *l, const yaml_node_t *node, const char *what, const char **out);
/* The same, and numbers stand for their own spelling. */
bool node_loose_text(struct loading *l, const yaml_node_t *node, const char *what,
		     const char **out);
bool node_copy(struct loading *l, const yaml_node_t *node, const char *what, char **out);
bool node_bool(struct loading *l, const yaml_node_t *node, const char *what, bool *out);
bool node_uint(struct loading *l, const yaml_node_t *node, const char *what, uint64_t min,
	       uint64_t max, uint64_t *out);
bool node_is_scalar(const yaml_node_t *node);
bool node_is_bool(const yaml_node_t *node, bool *out);
bool node_is_null(const yaml_node_t *node);

/* Text forms, also used for printing. */
bool duration_parse(const char *text, uint64_t *ms);
bool size_parse(const char *text, uint64_t *bytes);
bool uint_parse(const char *text, uint64_t *out); /* decimal or 0x */
void duration_print(uint64_t ms, FILE *out);
void size_print(uint64_t bytes, FILE *out);

/* ---- mappings and lists ---- */

struct word {
	const char *name; /* NULL ends a table */
	unsigned value;
};

enum key_kind {
	KEY_UINT,
	KEY_HEX, /* a uint64_t that is printed in hexadecimal */
	KEY_SIZE,
	KEY_DURATION,
	KEY_WORD, /* an enum */
	KEY_TEXT, /* a char * */
	KEY_BOOL,
	KEY_MAP,     /* `keys` */
	KEY_CUSTOM,  /* `read` */
	KEY_MISSING, /* in the language, not in this version */
};

/* What a key takes and where it goes: at `offset` from the target. A NULL name ends a table. */
struct key {
	const char *name;
	enum key_kind kind;
	size_t offset;
	uint64_t min, max;
	const struct word *words;
	const struct key *keys;
	void (*read)(struct loading *l, const yaml_node_t *node, void *target);
};

/* Bits: which keys of the table were given. A repeated or unknown key is reported. */
uint64_t read_map(struct loading *l, const yaml_node_t *node, const char *what,
		  const struct key *keys, void *target);
void read_key(struct loading *l, const yaml_node_t *node, const struct key *key, void *target);
/* Each item of a list. */
void read_list(struct loading *l, const yaml_node_t *node, const char *what,
	       void (*read)(struct loading *l, const yaml_node_t *item, void *target),
	       void *target);
/* The same, and a lone scalar or mapping is a list of one. */
void read_one_or_list(struct loading *l, const yaml_node_t *node,
		      void (*read)(struct loading *l, const yaml_node_t *item, void *target),
		      void *target);
/* NULL, and a complaint once, when the budget is used up. */
const yaml_node_t *node_get(struct loading *l, int index);
bool read_word(struct loading *l, const yaml_node_t *node, const char *what,
	       const struct word *words, unsigned *out);
const char *word_name(const struct word *words, unsigned value);

#endif
