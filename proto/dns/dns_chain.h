/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which names of an answer stand for the name that was asked for: itself, and whatever CNAMEs lead
 * to from it. Resolvers write them in their order; those who read them differ in what they make of
 * another order, of two for one name, of an address beside one. Each way that any of them goes is
 * gone here: an address that a client may take for the name's must be known as such.
 */
#ifndef DNS_CHAIN_H
#define DNS_CHAIN_H

#include "dns_message.h"

enum { DNS_ALIASES_MAX = 64 }; /* in one answer; resolvers follow 8 to 16 */

/* names: hashes; the first is the question's. targets: where the names that the aliases lead to
 * stand in the message, in the order of the way. ttl: the least of the aliases on it. */
struct dns_chain {
	uint64_t names[1 + DNS_ALIASES_MAX];
	size_t targets[DNS_ALIASES_MAX];
	size_t n_names, n_targets;
	uint32_t ttl;
	bool is_cut; /* there were more aliases, or one that is not on the way */
};

/* Of a message that dns_check_records has accepted. */
void dns_chain_follow(struct dns_chain *c, const struct dns_message *m);
bool dns_chain_has(const struct dns_chain *c, const struct dns_name *name);

#endif
