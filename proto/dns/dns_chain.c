/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The aliases are gathered once, as hashes of both their names, and then gone through until no more
 * of them leads on. The hash has no secret: who writes an answer and finds two names with one hash
 * has made his own record count, which he could have had for less.
 *
 * What must stay true: the work is in proportion to the message and to DNS_ALIASES_MAX squared.
 */
#include "dns_chain.h"

struct alias {
	uint64_t owner, target;
	size_t target_at;
	uint32_t ttl;
	bool is_followed;
};

/* Its own octets; where a pointer leads does not matter. */
static void skip_name(struct dns_reader *d)
{
	uint8_t n;
	do {
		n = read_u8(&d->r);
		read_skip(&d->r, n & 0xc0 ? 1 : n);
	} while (n && !(n & 0xc0));
}

static uint64_t hash_of(const struct dns_name *name)
{
	return dns_hash(DNS_HASH_START, bytes_of(name->text, name->n));
}

static uint64_t hash_at(const struct dns_message *m, size_t at)
{
	struct dns_reader d = dns_reader_at(m->all, at);
	struct dns_name name;
	dns_read_name(&d, &name);
	return hash_of(&name);
}

static size_t gather(const struct dns_message *m, struct alias *aliases, bool *is_cut)
{
	struct dns_reader d = dns_reader_at(m->all, m->records_at);
	struct dns_record r;
	size_t n = 0;
	for (unsigned i = 0; i < m->counts[DNS_ANSWER]; i++) {
		const size_t at = d.r.pos;
		skip_name(&d);
		dns_read_fixed(&d, &r);
		if (r.type != DNS_TYPE_CNAME || r.class != DNS_CLASS_IN)
			continue;
		*is_cut = n == DNS_ALIASES_MAX;
		if (*is_cut)
			return n;
		aliases[n++] = (struct alias){.owner = hash_at(m, at),
					      .target = hash_at(m, r.data_at),
					      .target_at = r.data_at,
					      .ttl = dns_ttl(&r)};
	}
	return n;
}

static bool has_hash(const struct dns_chain *c, uint64_t hash)
{
	for (size_t i = 0; i < c->n_names; i++)
		if (c->names[i] == hash)
			return true;
	return false;
}

/* True: the way has become longer. */
static bool follow_one(struct dns_chain *c, struct alias *a)
{
	if (a->is_followed || !has_hash(c, a->owner))
		return false;
	a->is_followed = true;
	c->targets[c->n_targets++] = a->target_at;
	c->names[c->n_names++] = a->target;
	c->ttl = a->ttl < c->ttl ? a->ttl : c->ttl;
	return true;
}

void dns_chain_follow(struct dns_chain *c, const struct dns_message *m)
{
	struct alias aliases[DNS_ALIASES_MAX];
	c->names[0] = hash_of(&m->name);
	c->n_names = 1;
	c->n_targets = 0;
	c->ttl = UINT32_MAX;
	c->is_cut = false;
	const size_t n = gather(m, aliases, &c->is_cut);
	for (bool grows = true; grows;) {
		grows = false;
		for (size_t i = 0; i < n; i++)
			grows |= follow_one(c, &aliases[i]);
	}
	c->is_cut |= c->n_targets < n;
}

bool dns_chain_has(const struct dns_chain *c, const struct dns_name *name)
{
	return has_hash(c, hash_of(name));
}
