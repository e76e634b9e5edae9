/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Selectors without wildcards are found by hash, so an endpoint costs as many look-ups as it has
 * names, however many rules there are; only patterns are tried one by one. Prefixes are sorted into
 * a forest (each knows the next larger one that holds it); what an address gets from `cidr:` is a
 * walk to the root.
 */
#include "policy/match.h"

#include "base/text.h"
#include "policy/glob.h"
#include "policy/image.h"
#include "policy/selector.h"

#include <errno.h>
#include <stdlib.h>

enum { NO_PARENT = UINT32_MAX, NO_ATOM = UINT32_MAX };

enum prefix_flag { PREFIX_PRIVATE = 1, PREFIX_MANAGED = 2, PREFIX_UNMANAGED = 4 };

/* Flags are its own and those of all that hold it. */
struct prefix {
	struct ip_addr addr;
	uint8_t length;
	uint8_t flags;
	uint32_t atom; /* the cidr: atom, or NO_ATOM */
	uint32_t parent;
};

struct matcher {
	const struct policy *policy;
	const struct policy_inputs *inputs;
	struct matching *out;
	struct strmap literals;	      /* tag, 0, text [0, text] -> atom; see literal_key() */
	struct numbers patterns;      /* atoms that are tried one by one */
	uint32_t any, host, internet; /* atoms or NO_ATOM */
	struct strmap networks;	      /* name -> index in ids->networks */
	bool *is_managed;	      /* by network */
	struct prefix *prefixes;
	size_t n_prefixes;
	struct strmap address_numbers; /* 16 bytes -> index in out->addresses */
	struct strmap set_numbers, identity_numbers, fence_numbers;
	struct numbers scratch;
};

bool numbers_add(struct numbers *list, uint32_t number)
{
	if (list->n == list->room) {
		size_t room = list->room ? list->room * 2 : 8;
		uint32_t *more = reallocarray(list->v, room, sizeof(*more));
		if (!more)
			return false;
		list->v = more;
		list->room = room;
	}
	list->v[list->n++] = number;
	return true;
}

static int compare_numbers(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

void numbers_sort(struct numbers *list)
{
	size_t kept = 0;
	if (list->n > 1)
		qsort(list->v, list->n, sizeof(*list->v), compare_numbers);
	for (size_t i = 0; i < list->n; i++)
		if (kept == 0 || list->v[kept - 1] != list->v[i])
			list->v[kept++] = list->v[i];
	list->n = kept;
}

/* ---- the index of atoms ---- */

/* "s", "blog", "web": the key under which an atom without wildcards, or an endpoint's name, is
 * found. NULL: no memory. */
static char *literal_key(char tag, const char *a, const char *b, size_t *n)
{
	size_t n_a = strlen(a), n_b = b ? strlen(b) : 0;
	*n = 2 + n_a + (b ? 1 + n_b : 0);
	char *key = malloc(*n + 1);
	if (!key)
		return NULL;
	key[0] = tag;
	key[1] = '\0';
	memcpy(key + 2, a, n_a);
	if (b) {
		key[2 + n_a] = '\0';
		memcpy(key + 3 + n_a, b, n_b);
	}
	return key;
}

static bool index_literal(struct matcher *m, uint32_t atom, char tag, const char *a, const char *b)
{
	size_t n;
	char *key = literal_key(tag, a, b, &n);
	bool good = key && strmap_put(&m->literals, key, n, atom) == 0;
	free(key);
	return good;
}

static bool index_atom(struct matcher *m, uint32_t number)
{
	const struct atom *atom = &m->policy->atoms[number];
	if (atom->kind == ATOM_SERVICE && strcmp(atom->b, "*") == 0 &&
	    glob_is_literal(bytes_str(atom->a)))
		return index_literal(m, number, 'p', atom->a, NULL);
	if (!atom_is_exact(atom) && atom->kind >= ATOM_SERVICE && atom->kind <= ATOM_NETWORK)
		return numbers_add(&m->patterns, number);
	switch (atom->kind) {
	case ATOM_ANY:
		m->any = number;
		return true;
	case ATOM_HOST:
		m->host = number;
		return true;
	case ATOM_INTERNET:
		m->internet = number;
		return true;
	case ATOM_SERVICE:
		return index_literal(m, number, 's', atom->a, atom->b);
	case ATOM_CONTAINER:
		return index_literal(m, number, 'c', atom->a, NULL);
	case ATOM_IMAGE:
		return index_literal(m, number, 'i', atom->a, NULL);
	case ATOM_LABEL:
		return index_literal(m, number, 'l', atom->a, atom->b);
	case ATOM_NETWORK:
		return index_literal(m, number, 'n', atom->a, NULL);
	case ATOM_CIDR: /* a prefix knows its atom */
		return true;
	}
	return true;
}

static bool index_atoms(struct matcher *m)
{
	m->any = m->host = m->internet = NO_ATOM;
	for (size_t i = 0; i < m->policy->n_atoms; i++)
		if (!index_atom(m, (uint32_t)i))
			return false;
	return true;
}

/* ---- what an endpoint matches ---- */

static bool add_atom(struct numbers *list, uint32_t atom)
{
	return atom == NO_ATOM || numbers_add(list, atom);
}

static bool add_literal(struct matcher *m, char tag, const char *a, const char *b)
{
	size_t n;
	if (!a)
		return true;
	char *key = literal_key(tag, a, b, &n);
	if (!key)
		return false;
	uint32_t atom = strmap_find(&m->literals, key, n);
	free(key);
	return add_atom(&m->scratch, atom); /* STRMAP_NONE is NO_ATOM */
}
_Static_assert(STRMAP_NONE == (uint32_t)NO_ATOM, "a literal that is not there is no atom");

static bool fits(const char *pattern, const char *text)
{
	return text && glob_match(DIS_MATCH_GLOB, bytes_str(pattern), bytes_str(text));
}

static bool is_same_address(const struct identity_address *a, const struct identity_address *b)
{
	return ip_addr_equal(&a->addr, &b->addr);
}

static bool is_on_network(const struct identity_endpoint *e, const struct identity_address *at,
			  const char *pattern)
{
	for (size_t i = 0; i < e->n_addresses; i++)
		if (is_same_address(&e->addresses[i], at) && fits(pattern, e->addresses[i].network))
			return true;
	return false;
}

static bool has_label(const struct identity_endpoint *e, const char *key, const char *pattern)
{
	return fits(pattern, identity_label_value(e, key));
}

bool atom_fits_endpoint(const struct atom *atom, const struct identity_endpoint *e,
			const struct identity_address *at)
{
	switch (atom->kind) {
	case ATOM_SERVICE:
		return fits(atom->a, e->project) && fits(atom->b, e->service ? e->service : "");
	case ATOM_CONTAINER:
		return fits(atom->a, e->container);
	case ATOM_IMAGE:
		return fits(atom->a, e->image);
	case ATOM_LABEL:
		return has_label(e, atom->a, atom->b);
	case ATOM_NETWORK:
		return is_on_network(e, at, atom->a);
	case ATOM_ANY:
		return true;
	case ATOM_HOST:
	case ATOM_INTERNET:
	case ATOM_CIDR:
		break;
	}
	return false;
}

static bool match_names(struct matcher *m, const struct identity_endpoint *e,
			const struct identity_address *at)
{
	bool good = add_atom(&m->scratch, m->any) && add_literal(m, 'c', e->container, NULL) &&
		    add_literal(m, 'i', e->image, NULL) && add_literal(m, 'p', e->project, NULL);
	if (good && e->project && e->service)
		good = add_literal(m, 's', e->project, e->service);
	for (size_t i = 0; good && i < e->n_labels; i++)
		good = add_literal(m, 'l', e->labels[i].key, e->labels[i].value);
	for (size_t i = 0; good && i < e->n_addresses; i++)
		if (is_same_address(&e->addresses[i], at))
			good = add_literal(m, 'n', e->addresses[i].network, NULL);
	for (size_t i = 0; good && i < m->patterns.n; i++)
		if (atom_fits_endpoint(&m->policy->atoms[m->patterns.v[i]], e, at))
			good = numbers_add(&m->scratch, m->patterns.v[i]);
	return good;
}

/* ---- sets and identities ---- */

/* The set of the atoms in scratch, which is empty afterwards. */
static bool intern_set(struct matcher *m, uint32_t *set)
{
	numbers_sort(&m->scratch);
	const void *key = m->scratch.n ? (const void *)m->scratch.v : "";
	size_t n = m->scratch.n * sizeof(*m->scratch.v);
	*set = strmap_find(&m->set_numbers, key, n);
	if (*set == STRMAP_NONE) {
		*set = (uint32_t)m->out->n_sets;
		struct numbers *slot = ARRAY_ADD(m->out->sets, m->out->n_sets);
		if (!slot || strmap_put(&m->set_numbers, key, n, *set) < 0)
			return false;
		for (size_t i = 0; i < m->scratch.n; i++)
			if (!numbers_add(slot, m->scratch.v[i]))
				return false;
	}
	m->scratch.n = 0;
	return true;
}

/* The number of an endpoint's fence; 0: it is in none. */
static bool fence_of(struct matcher *m, const struct identity_endpoint *e, uint32_t *fence)
{
	*fence = 0;
	if (m->policy->config.defaults.ringfence == POLICY_FENCE_NONE || !e->project)
		return true;
	size_t n = strlen(e->project);
	*fence = strmap_find(&m->fence_numbers, e->project, n);
	if (*fence != STRMAP_NONE)
		return true;
	*fence = (uint32_t)m->fence_numbers.n + 1;
	return strmap_put(&m->fence_numbers, e->project, n, *fence) == 0;
}

static bool intern_identity(struct matcher *m, const char *name, uint32_t fence, uint32_t *identity)
{
	uint32_t set;
	char *key;
	if (!intern_set(m, &set))
		return false;
	int n = asprintf(&key, "%u/%u/%s", set, fence, name);
	if (n < 0)
		return false;
	*identity = strmap_find(&m->identity_numbers, key, (size_t)n);
	bool good = true;
	if (*identity == STRMAP_NONE) {
		*identity = (uint32_t)m->out->n_identities;
		struct identity_entry *slot = ARRAY_ADD(m->out->identities, m->out->n_identities);
		good = slot && strmap_put(&m->identity_numbers, key, (size_t)n, *identity) == 0;
		if (slot)
			*slot = (struct identity_entry){
				.name = strdup(name), .set = set, .fence = fence};
		good = good && slot->name;
	}
	free(key);
	return good;
}

/* ---- prefixes ---- */

static struct prefix *add_prefix(struct matcher *m, const struct ip_addr *addr, uint8_t length,
				 unsigned flags)
{
	struct prefix *p = ARRAY_ADD(m->prefixes, m->n_prefixes);
	if (p)
		*p = (struct prefix){.addr = image_mask(addr, length),
				     .length = length,
				     .flags = (uint8_t)flags,
				     .atom = NO_ATOM,
				     .parent = NO_PARENT};
	return p;
}

static bool collect_private(struct matcher *m)
{
	struct ip_addr addr = {0};
	uint8_t length;
	if (!add_prefix(m, &addr, 0, 0))
		return false;
	for (size_t i = 0; i < n_private_prefixes; i++)
		if (ip_prefix_parse(private_prefixes[i].text, &addr, &length) &&
		    !add_prefix(m, &addr, length, PREFIX_PRIVATE))
			return false;
	return true;
}

static bool collect_subnets(struct matcher *m)
{
	const struct identity_set *ids = m->inputs->ids;
	for (size_t i = 0; i < ids->n_networks; i++) {
		const struct identity_network *n = &ids->networks[i];
		unsigned flag = m->is_managed[i] ? PREFIX_MANAGED : PREFIX_UNMANAGED;
		for (size_t s = 0; s < n->n_subnets; s++)
			if (!add_prefix(m, &n->subnets[s].addr, n->subnets[s].length, flag))
				return false;
	}
	return true;
}

static bool collect_cidrs(struct matcher *m)
{
	for (size_t i = 0; i < m->policy->n_atoms; i++) {
		const struct atom *atom = &m->policy->atoms[i];
		if (atom->kind != ATOM_CIDR)
			continue;
		struct prefix *p = add_prefix(m, &atom->addr, atom->length, 0);
		if (!p)
			return false;
		p->atom = (uint32_t)i;
	}
	return true;
}

static int compare_prefixes(const void *a, const void *b)
{
	const struct prefix *x = a, *y = b;
	int c = memcmp(&x->addr, &y->addr, sizeof(x->addr));
	return c ? c : x->length - y->length;
}

static bool prefix_holds(const struct prefix *p, const struct ip_addr *addr, uint8_t length)
{
	return p->length <= length && ip_prefix_contains(&p->addr, p->length, addr);
}

/* The same prefix from several sources becomes one; equal cidr: texts are one atom already. */
static void merge_equal_prefixes(struct matcher *m)
{
	size_t kept = 0;
	for (size_t i = 0; i < m->n_prefixes; i++) {
		struct prefix *p = &m->prefixes[i];
		if (kept && compare_prefixes(&m->prefixes[kept - 1], p) == 0) {
			m->prefixes[kept - 1].flags |= p->flags;
			if (p->atom != NO_ATOM)
				m->prefixes[kept - 1].atom = p->atom;
		} else {
			m->prefixes[kept++] = *p;
		}
	}
	m->n_prefixes = kept;
}

/* In the sorted order the holder of a prefix is the one before it, or one that holds that. */
static void link_prefixes(struct matcher *m)
{
	for (size_t i = 1; i < m->n_prefixes; i++) {
		struct prefix *p = &m->prefixes[i];
		uint32_t up = (uint32_t)(i - 1);
		while (up != NO_PARENT && !prefix_holds(&m->prefixes[up], &p->addr, p->length))
			up = m->prefixes[up].parent;
		p->parent = up;
		if (up != NO_PARENT)
			p->flags |= m->prefixes[up].flags;
	}
}

static bool build_prefixes(struct matcher *m)
{
	if (!collect_private(m) || !collect_subnets(m) || !collect_cidrs(m))
		return false;
	qsort(m->prefixes, m->n_prefixes, sizeof(*m->prefixes), compare_prefixes);
	merge_equal_prefixes(m);
	link_prefixes(m);
	return true;
}

/* The longest prefix that holds the address; the first one, ::/0, holds all. */
static uint32_t prefix_of(const struct matcher *m, const struct ip_addr *addr)
{
	const struct prefix key = {.addr = *addr, .length = 128};
	size_t low = 0, high = m->n_prefixes;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (compare_prefixes(&m->prefixes[middle], &key) <= 0)
			low = middle;
		else
			high = middle;
	}
	uint32_t at = (uint32_t)low;
	while (at != NO_PARENT && !prefix_holds(&m->prefixes[at], addr, 128))
		at = m->prefixes[at].parent;
	return at;
}

/* The cidr: atoms from here to the root. */
static bool match_cidrs(struct matcher *m, uint32_t at)
{
	for (; at != NO_PARENT; at = m->prefixes[at].parent)
		if (!add_atom(&m->scratch, m->prefixes[at].atom))
			return false;
	return true;
}

/* The identity whose own list names the atom, or NULL. */
static const char *name_of_atom(const struct policy *policy, uint32_t atom)
{
	for (size_t i = 0; i < policy->n_identities; i++) {
		const struct expr *e = &policy->identities[i].expr;
		if (e->kind == EXPR_ATOM && e->number == atom)
			return policy->identities[i].name;
		for (size_t k = 0; e->kind == EXPR_OR && k < e->n_kids; k++)
			if (e->kids[k].kind == EXPR_ATOM && e->kids[k].number == atom)
				return policy->identities[i].name;
	}
	return NULL;
}

/* "@crm-db", "cidr:10.0.0.0/8", "internet", "private": the most specific thing that can be said. */
static char *prefix_name(const struct matcher *m, uint32_t at)
{
	const struct prefix *p = &m->prefixes[at];
	char *name = NULL;
	if (p->flags & PREFIX_MANAGED)
		return strdup("unknown");
	for (uint32_t up = at; up != NO_PARENT; up = m->prefixes[up].parent) {
		uint32_t atom = m->prefixes[up].atom;
		if (atom == NO_ATOM)
			continue;
		const char *identity = name_of_atom(m->policy, atom);
		if (!identity)
			return strdup(m->policy->atoms[atom].text);
		return asprintf(&name, "@%s", identity) < 0 ? NULL : name;
	}
	if (p->flags & PREFIX_UNMANAGED)
		return strdup("unmanaged");
	return strdup(p->flags & PREFIX_PRIVATE ? "private" : "internet");
}

static bool own_prefix(struct matcher *m, uint32_t at)
{
	const struct prefix *p = &m->prefixes[at];
	struct owned owned = {.addr = p->addr, .length = p->length, .flags = ADDRESS_USED};
	bool good = add_atom(&m->scratch, m->any) && match_cidrs(m, at);
	if (good && p->flags == 0)
		good = add_atom(&m->scratch, m->internet);
	owned.flags |= p->flags & PREFIX_MANAGED ? ADDRESS_CONTAINER : ADDRESS_KNOWN;
	char *name = prefix_name(m, at);
	good = good && name && intern_identity(m, name, 0, &owned.identity);
	free(name);
	struct owned *slot = good ? ARRAY_ADD(m->out->prefixes, m->out->n_prefixes) : NULL;
	if (slot)
		*slot = owned;
	return slot != NULL;
}

/* ---- addresses ---- */

/* The place for an address; a new one has no flags. */
static struct owned *address_slot(struct matcher *m, const struct ip_addr *addr)
{
	uint32_t at = strmap_find(&m->address_numbers, addr, sizeof(*addr));
	if (at != STRMAP_NONE)
		return &m->out->addresses[at];
	at = (uint32_t)m->out->n_addresses;
	if (strmap_put(&m->address_numbers, addr, sizeof(*addr), at) < 0)
		return NULL;
	struct owned *slot = ARRAY_ADD(m->out->addresses, m->out->n_addresses);
	if (slot)
		*slot = (struct owned){.addr = *addr, .length = 128};
	return slot;
}

static bool own_host_address(struct matcher *m, const struct ip_addr *addr)
{
	struct owned *slot = address_slot(m, addr);
	if (!slot || slot->flags)
		return slot != NULL;
	slot->flags = ADDRESS_USED | ADDRESS_KNOWN;
	return add_atom(&m->scratch, m->any) && add_atom(&m->scratch, m->host) &&
	       match_cidrs(m, prefix_of(m, addr)) && intern_identity(m, "host", 0, &slot->identity);
}

static bool own_host(struct matcher *m)
{
	const struct policy_inputs *in = m->inputs;
	for (size_t i = 0; i < in->n_host_addrs; i++)
		if (!own_host_address(m, &in->host_addrs[i]))
			return false;
	for (size_t i = 0; i < in->ids->n_networks; i++)
		for (size_t g = 0; g < in->ids->networks[i].n_gateways; g++)
			if (!own_host_address(m, &in->ids->networks[i].gateways[g]))
				return false;
	return true;
}

static bool is_ours(const struct matcher *m, const struct identity_address *address)
{
	uint32_t network = strmap_find(&m->networks, address->network, strlen(address->network));
	return network == STRMAP_NONE || m->is_managed[network];
}

static char *endpoint_name(const struct identity_endpoint *e)
{
	char *name;
	if (!e->project || !e->service)
		return strdup(e->container);
	return asprintf(&name, "%s/%s", e->project, e->service) < 0 ? NULL : name;
}

/* Two endpoints claim the address: it is nobody's. */
static bool disown(struct matcher *m, struct owned *slot)
{
	slot->flags = ADDRESS_USED | ADDRESS_CONTAINER;
	memset(slot->mac, 0, sizeof(slot->mac));
	return add_atom(&m->scratch, m->any) && match_cidrs(m, prefix_of(m, &slot->addr)) &&
	       intern_identity(m, "unknown", 0, &slot->identity);
}

static bool own_address(struct matcher *m, const struct identity_endpoint *e,
			const struct identity_address *address)
{
	static const uint8_t no_mac[6];
	struct owned *slot = address_slot(m, &address->addr);
	if (!slot)
		return false;
	if (slot->flags && (slot->endpoint == NULL || slot->endpoint == e))
		return true; /* the host's, or this endpoint's on another network */
	if (slot->flags)
		return disown(m, slot);
	slot->endpoint = e;
	slot->flags = ADDRESS_USED | ADDRESS_KNOWN | ADDRESS_CONTAINER;
	if (memcmp(address->mac, no_mac, sizeof(no_mac)) != 0) {
		slot->flags |= ADDRESS_HAS_MAC;
		memcpy(slot->mac, address->mac, sizeof(slot->mac));
	}
	uint32_t fence;
	char *name = endpoint_name(e);
	bool good = name && fence_of(m, e, &fence) && match_names(m, e, address) &&
		    match_cidrs(m, prefix_of(m, &address->addr)) &&
		    intern_identity(m, name, fence, &slot->identity);
	free(name);
	return good;
}

static bool own_endpoints(struct matcher *m)
{
	const struct identity_set *ids = m->inputs->ids;
	for (size_t i = 0; i < ids->n_endpoints; i++) {
		const struct identity_endpoint *e = &ids->endpoints[i];
		for (size_t a = 0; a < e->n_addresses; a++)
			if (is_ours(m, &e->addresses[a]) && !own_address(m, e, &e->addresses[a]))
				return false;
	}
	return true;
}

/* ---- the whole ---- */

static bool index_networks(struct matcher *m)
{
	const struct identity_set *ids = m->inputs->ids;
	m->is_managed = calloc(ids->n_networks + 1, sizeof(*m->is_managed));
	if (!m->is_managed)
		return false;
	for (size_t i = 0; i < ids->n_networks; i++) {
		const char *name = ids->networks[i].name;
		m->is_managed[i] = policy_manages(m->policy, &ids->networks[i]);
		if (strmap_find(&m->networks, name, strlen(name)) == STRMAP_NONE &&
		    strmap_put(&m->networks, name, strlen(name), (uint32_t)i) < 0)
			return false;
	}
	return true;
}

static bool build(struct matcher *m)
{
	if (!index_atoms(m) || !index_networks(m) || !build_prefixes(m))
		return false;
	for (size_t i = 0; i < m->n_prefixes; i++)
		if (!own_prefix(m, (uint32_t)i))
			return false;
	return own_host(m) && own_endpoints(m);
}

int matching_build(const struct policy *policy, const struct policy_inputs *inputs,
		   struct matching *out)
{
	struct matcher m = {.policy = policy, .inputs = inputs, .out = out};
	*out = (struct matching){0};
	bool good = build(&m);
	strmap_fini(&m.literals);
	strmap_fini(&m.networks);
	strmap_fini(&m.address_numbers);
	strmap_fini(&m.set_numbers);
	strmap_fini(&m.identity_numbers);
	strmap_fini(&m.fence_numbers);
	free(m.patterns.v);
	free(m.scratch.v);
	free(m.is_managed);
	free(m.prefixes);
	return good ? 0 : -ENOMEM;
}

void matching_fini(struct matching *m)
{
	for (size_t i = 0; i < m->n_identities; i++)
		free(m->identities[i].name);
	for (size_t i = 0; i < m->n_sets; i++)
		free(m->sets[i].v);
	free(m->identities);
	free(m->sets);
	free(m->addresses);
	free(m->prefixes);
	*m = (struct matching){0};
}
