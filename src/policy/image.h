/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The layout of a compiled policy: one block of bytes without pointers, so that it can be mapped
 * anywhere and by another process. compile.c writes it, image.c checks it when it is mapped,
 * decide.c and explain.c read it.
 *
 *	address --hash or longest prefix--> identity --> set --> two rows of bits, a bit a rule
 *	                        `from`: rules that this identity may open a flow under
 *	                        `to`:   rules that it may be the target of
 *	rule --> ports, items --> keys --> values
 *
 * A set is a distinct set of matching selectors; identities are sets with a name. Tables are
 * (offset, count); every offset is from the start of the image and aligned for what lies there.
 *
 * What must stay true: after image_check() has said yes, no reader can leave the image, whatever
 * its bytes are. Rows are not checked: a bit without a rule, or of a word that is not there, is
 * skipped by whoever walks them.
 */
#ifndef POLICY_IMAGE_H
#define POLICY_IMAGE_H

#include "bridgewarden/policy.h"
#include "policy/ast.h"

enum { IMAGE_LAYOUT = 7 }; /* counts up with each change of a struct below */

#define IMAGE_MAGIC "bwpolicy"

struct image_table {
	uint32_t at, n;
};

enum { ADDRESS_USED = 1, ADDRESS_KNOWN = 2, ADDRESS_CONTAINER = 4, ADDRESS_HAS_MAC = 8 };

/* A slot of the address hash (length 128) or of the prefix hash. */
struct image_address {
	struct ip_addr addr;
	uint32_t identity;
	uint8_t flags, length;
	uint8_t mac[6];
};

struct image_identity {
	uint32_t name; /* string */
	uint32_t set;
	uint32_t fence; /* those of one fence may talk unless a rule covers them; 0: of none */
};

struct image_value {
	uint32_t text, length; /* string */
	uint64_t low, high;    /* DIS_NUMBER */
	uint32_t machine;      /* index in the table + 1; 0: a pattern */
	uint32_t unused;       /* 0 */
};

/* A compiled expression: regex.h says how its steps are read. */
struct image_machine {
	uint32_t steps; /* index of the first; in the order of the machines, without a gap */
	uint16_t n_states, n_classes;
	uint8_t class_of[256];
};

struct image_key {
	uint16_t field;
	uint8_t type, match;	   /* enum dis_type, dis_match */
	uint32_t values, n_values; /* index in the table; words are lower case and sorted */
	uint32_t want;		   /* string: the values as written */
	uint32_t is_reply;	   /* its field comes with replies, never with requests */
};

struct image_item {
	uint32_t keys, n_keys; /* index in the table */
	uint32_t allows_unparsed;
};

struct image_rule {
	uint64_t apps; /* the dissectors that it judges: its own and its variants; none: raw */
	uint32_t name, from, to, port; /* strings; the last three for explanations */
	uint32_t ports, n_ports;       /* index in the table; none: any */
	uint32_t items, n_items;       /* index in the table; none: unconditional */
	uint8_t app;		       /* index of dissectors[] or APP_* */
	uint8_t action, mode, log,
		tls; /* enum rule_action, mode, log_choice, tls_choice; tls is never unset */
	uint8_t has_reply_keys;
	uint16_t log_sample;
};

struct policy_image {
	char magic[8];
	uint32_t layout, size;
	uint64_t protocols; /* which dissectors and fields the numbers in here mean */
	struct policy_settings settings;
	uint32_t internal, egress, ingress; /* enum verdict */
	uint32_t n_words;		    /* of a row */
	struct image_table rules, items, keys, values, ports, identities;
	/* uint64_t: for each set a row for `from`, then one for `to`. A row is n_words of bits, and
	 * before them image_sums() words that say which of those are not 0: of thousands of rules a
	 * pair has a few, and only their words are looked at. */
	struct image_table rows;
	struct image_table addresses, prefixes; /* slots; powers of two */
	struct image_table strings;		/* bytes; the last one is 0 */
	struct image_table machines, steps;	/* image_machine, uint16_t */
	uint32_t n_lengths;
	uint8_t lengths[132]; /* of prefixes, longest first */
};

/* Is this an image that this program can read, wholly in bounds? */
bool image_check(const void *data, size_t size);
uint64_t image_protocols(void);
/* The slot that owns an address: its own, or its longest prefix's. NULL only in an image that
 * compile did not write. */
const struct image_address *image_find_owner(const struct policy_image *image,
					     const struct ip_addr *addr);
uint32_t image_hash(const struct ip_addr *addr, uint8_t length);
struct ip_addr image_mask(const struct ip_addr *addr, uint8_t length);

/* Does the rule judge what that dissector reads? */
static inline bool image_rule_speaks(const struct image_rule *rule, uint8_t app)
{
	return app < DIS_APPS_MAX && (rule->apps >> app & 1);
}

static inline const void *image_at(const struct policy_image *image, struct image_table table)
{
	return (const char *)image + table.at;
}

static inline const char *image_string(const struct policy_image *image, uint32_t at)
{
	return (const char *)image + image->strings.at + at;
}

static inline const struct image_rule *image_rules(const struct policy_image *image)
{
	return image_at(image, image->rules);
}

static inline const struct image_item *image_items(const struct policy_image *image)
{
	return image_at(image, image->items);
}

static inline const struct image_key *image_keys(const struct policy_image *image)
{
	return image_at(image, image->keys);
}

static inline const struct image_value *image_values(const struct policy_image *image)
{
	return image_at(image, image->values);
}

static inline const struct port_range *image_ports(const struct policy_image *image)
{
	return image_at(image, image->ports);
}

static inline bool image_machine_match(const struct policy_image *image, uint32_t number,
				       struct bytes text)
{
	const struct image_machine *m =
		(const struct image_machine *)image_at(image, image->machines) + number;
	const uint16_t *steps = image_at(image, image->steps);
	return machine_match(m->class_of, steps + m->steps, m->n_classes, text);
}

static inline size_t image_sums_of(size_t n_words)
{
	return (n_words + 63) / 64;
}

static inline size_t image_sums(const struct policy_image *image)
{
	return image_sums_of(image->n_words);
}

/* The bits of a row; its sums stand before them. NULL for an identity that this image does not
 * have: it matches no rule. */
static inline const uint64_t *image_row(const struct policy_image *image, uint32_t identity,
					bool is_to)
{
	if (identity >= image->identities.n)
		return NULL;
	const struct image_identity *identities = image_at(image, image->identities);
	const uint64_t *rows = image_at(image, image->rows);
	size_t n_sums = image_sums(image);
	return rows + ((size_t)identities[identity].set * 2 + is_to) * (n_sums + image->n_words) +
	       n_sums;
}

#endif
