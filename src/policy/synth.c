/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy/synth.h"

#include "base/text.h"
#include "policy/image.h"
#include "policy/match.h"
#include "policy/selector.h"

#include <errno.h>
#include <stdlib.h>

enum { MADE_FIRST_BYTE = 240, HOST_SECOND_BYTE = 255, PROBES = 64 };

static struct ip_addr made_address(uint8_t second, uint32_t number)
{
	uint8_t b[4] = {MADE_FIRST_BYTE, second, (uint8_t)(number >> 8), (uint8_t)number};
	return ip_addr_from(b, sizeof(b));
}

static int add_member(struct party *party, const struct member *member, struct error *err)
{
	if (party->n == PARTY_MAX)
		return error_set(err, -EINVAL, "more than %d members: name one of them", PARTY_MAX);
	struct member *slot = ARRAY_ADD(party->members, party->n);
	if (!slot)
		return -ENOMEM;
	*slot = *member;
	return 0;
}

/* ---- making an endpoint ---- */

/* A text that the pattern matches: x for every wildcard. */
static char *instance_of(const char *pattern)
{
	char *out = strdup(pattern);
	size_t n = 0;
	for (const char *p = pattern; out && *p; p++) {
		if (*p == '\\' && p[1])
			out[n++] = *++p;
		else
			out[n++] = *p == '*' || *p == '?' ? 'x' : *p;
	}
	if (out)
		out[n] = '\0';
	return out;
}

static int set_text(char **slot, const char *pattern)
{
	free(*slot);
	*slot = instance_of(pattern);
	return *slot ? 0 : -ENOMEM;
}

static int set_label(struct identity_endpoint *e, const struct atom *atom)
{
	char *value = instance_of(atom->b);
	int r = value ? identity_endpoint_add_label(e, atom->a, value) : -ENOMEM;
	free(value);
	return r;
}

/* Gives the endpoint what the atom wants. */
static int apply_atom(struct identity_endpoint *e, struct identity_address *at,
		      const struct atom *atom, struct error *err)
{
	int r;
	switch (atom->kind) {
	case ATOM_ANY:
		return 0;
	case ATOM_SERVICE:
		r = set_text(&e->project, atom->a);
		return r < 0 ? r : set_text(&e->service, atom->b);
	case ATOM_CONTAINER:
		return set_text(&e->container, atom->a);
	case ATOM_IMAGE:
		return set_text(&e->image, atom->a);
	case ATOM_LABEL:
		return set_label(e, atom);
	case ATOM_NETWORK:
		return set_text(&at->network, atom->a);
	case ATOM_HOST:
	case ATOM_INTERNET:
	case ATOM_CIDR:
		break;
	}
	return error_set(err, -EINVAL, "no container is `%s`", atom->text);
}

/* Of alternatives the first; a negation is only checked afterwards. */
static int apply(const struct policy *policy, struct identity_endpoint *e,
		 struct identity_address *at, const struct expr *expr, struct error *err)
{
	int r = 0;
	switch (expr->kind) {
	case EXPR_ATOM:
		return apply_atom(e, at, &policy->atoms[expr->number], err);
	case EXPR_NAMED:
		return apply(policy, e, at, &policy->identities[expr->number].expr, err);
	case EXPR_OR:
		return apply(policy, e, at, &expr->kids[0], err);
	case EXPR_NOT:
		return 0;
	case EXPR_AND:
		break;
	}
	for (size_t i = 0; i < expr->n_kids && r == 0; i++)
		r = apply(policy, e, at, &expr->kids[i], err);
	return r;
}

static bool holds(const struct policy *policy, const struct expr *expr,
		  const struct identity_endpoint *e, const struct identity_address *at)
{
	switch (expr->kind) {
	case EXPR_ATOM:
		return atom_fits_endpoint(&policy->atoms[expr->number], e, at);
	case EXPR_NAMED:
		return holds(policy, &policy->identities[expr->number].expr, e, at);
	case EXPR_NOT:
		return !holds(policy, &expr->kids[0], e, at);
	case EXPR_OR:
		for (size_t i = 0; i < expr->n_kids; i++)
			if (holds(policy, &expr->kids[i], e, at))
				return true;
		return false;
	case EXPR_AND:
		for (size_t i = 0; i < expr->n_kids; i++)
			if (!holds(policy, &expr->kids[i], e, at))
				return false;
		return true;
	}
	return false;
}

static int name_endpoint(struct identity_endpoint *e, uint32_t number)
{
	char *made;
	if (asprintf(&made, "made-up-%u", number) < 0)
		return -ENOMEM;
	e->id = made;
	if (!e->container)
		e->container = strdup(made);
	return e->container ? 0 : -ENOMEM;
}

static int finish_endpoint(struct cast *cast, struct identity_endpoint *e,
			   struct identity_address *at, struct party *party, struct error *err)
{
	int r = name_endpoint(e, cast->n_made);
	if (r == 0)
		r = identity_endpoint_add_address(e, at);
	if (r == 0)
		r = identity_put_endpoint(&cast->ids, e);
	const struct member member = {.kind = MEMBER_ADDRESS, .addr = at->addr};
	return r < 0 ? r : add_member(party, &member, err);
}

static int make_endpoint(struct cast *cast, const struct policy *policy, const struct expr *expr,
			 struct party *party, struct error *err)
{
	if (cast->n_made == UINT16_MAX)
		return error_set(err, -EINVAL, "too many endpoints to make up");
	struct identity_endpoint e = {0};
	struct identity_address at = {.addr = made_address(0, ++cast->n_made)};
	at.network = strdup("");
	int r = at.network ? apply(policy, &e, &at, expr, err) : -ENOMEM;
	if (r == 0)
		r = finish_endpoint(cast, &e, &at, party, err);
	if (r == 0) {
		const struct identity_endpoint *made =
			&cast->ids.endpoints[cast->ids.n_endpoints - 1];
		if (!holds(policy, expr, made, &made->addresses[0]))
			r = error_set(err, -EINVAL,
				      "no endpoint can be made up for this selector: name one of "
				      "its members");
	}
	identity_endpoint_fini(&e);
	free(at.network);
	return r;
}

/* ---- who is meant ---- */

static int cast_known(const struct cast *cast, const struct policy *policy, const struct expr *expr,
		      struct party *party, struct error *err)
{
	for (size_t i = 0; i < cast->ids.n_endpoints; i++) {
		const struct identity_endpoint *e = &cast->ids.endpoints[i];
		if (e->n_addresses == 0 || strncmp(e->id, "made-up-", 8) == 0 ||
		    !holds(policy, expr, e, &e->addresses[0]))
			continue;
		const struct member member = {.kind = MEMBER_ADDRESS, .addr = e->addresses[0].addr};
		return add_member(party, &member, err);
	}
	return -ENOENT;
}

static int cast_endpoint(struct cast *cast, const struct policy *policy, const struct expr *expr,
			 struct party *party, struct error *err)
{
	int r = cast_known(cast, policy, expr, party, err);
	return r == -ENOENT ? make_endpoint(cast, policy, expr, party, err) : r;
}

static int cast_atom(struct cast *cast, const struct policy *policy, const struct expr *expr,
		     struct party *party, struct error *err)
{
	const struct atom *atom = &policy->atoms[expr->number];
	struct member member = {.addr = atom->addr, .length = atom->length};
	switch (atom->kind) {
	case ATOM_HOST:
		member.kind = MEMBER_HOST;
		return add_member(party, &member, err);
	case ATOM_INTERNET:
		member.kind = MEMBER_INTERNET;
		return add_member(party, &member, err);
	case ATOM_CIDR:
		member.kind = MEMBER_CIDR;
		return add_member(party, &member, err);
	case ATOM_ANY: /* one whom no rule knows by name */
		return make_endpoint(cast, policy, expr, party, err);
	case ATOM_SERVICE:
	case ATOM_CONTAINER:
	case ATOM_IMAGE:
	case ATOM_LABEL:
	case ATOM_NETWORK:
		break;
	}
	return cast_endpoint(cast, policy, expr, party, err);
}

/* A list is each of its members. */
static int cast_expr(struct cast *cast, const struct policy *policy, const struct expr *expr,
		     struct party *party, struct error *err)
{
	int r = 0;
	switch (expr->kind) {
	case EXPR_ATOM:
		return cast_atom(cast, policy, expr, party, err);
	case EXPR_NAMED:
		return cast_expr(cast, policy, &policy->identities[expr->number].expr, party, err);
	case EXPR_AND:
		return cast_endpoint(cast, policy, expr, party, err);
	case EXPR_NOT:
		return error_set(err, -EINVAL, "say who it is, not who it is not");
	case EXPR_OR:
		break;
	}
	for (size_t i = 0; i < expr->n_kids && r == 0; i++)
		r = cast_expr(cast, policy, &expr->kids[i], party, err);
	return r;
}

/* The selector's atoms live in a policy of their own, which is gone when the endpoint is made. */
static int cast_selector(struct cast *cast, const char *text, struct party *party,
			 struct error *err)
{
	struct policy *scratch = calloc(1, sizeof(*scratch));
	struct expr expr = {0};
	const struct expr *unknown;
	if (!scratch)
		return -ENOMEM;
	int r = selector_parse(scratch, text, &expr, err);
	if (r == 0 && expr.kind == EXPR_NAMED) {
		r = selector_resolve(cast->policy, &expr, &unknown)
			    ? cast_expr(cast, cast->policy, &expr, party, err)
			    : error_set(err, -EINVAL, "no identity is called `%s`", expr.name);
	} else if (r == 0) {
		r = cast_expr(cast, scratch, &expr, party, err);
	}
	expr_fini(&expr);
	policy_free(scratch);
	return r;
}

int party_fill(struct cast *cast, const char *text, struct party *party, struct error *err)
{
	struct member member = {.kind = MEMBER_ADDRESS};
	if (ip_addr_parse(text, &member.addr))
		return add_member(party, &member, err);
	return cast_selector(cast, text, party, err);
}

void party_fini(struct party *party)
{
	free(party->members);
	*party = (struct party){0};
}

void cast_fini(struct cast *cast)
{
	identity_set_fini(&cast->ids);
	*cast = (struct cast){0};
}

int cast_compile(const struct cast *cast, struct policy_blob *out, struct error *err)
{
	const struct ip_addr host = made_address(HOST_SECOND_BYTE, 1);
	const struct policy_inputs inputs = {
		.ids = &cast->ids,
		.host_addrs = &host,
		.n_host_addrs = 1,
	};
	return policy_compile(cast->policy, &inputs, out, err);
}

/* ---- addresses of those who are no endpoints ---- */

static bool is_called(const struct policy_image *image, const struct ip_addr *addr,
		      const char *name)
{
	struct policy_owner owner = policy_owner(image, addr);
	return strcmp(policy_identity_name(image, owner.identity), name) == 0;
}

/* The documentation prefixes first: they are nobody's; then well-spread others. */
static bool internet_address(const struct policy_image *image, struct ip_addr *out)
{
	static const uint8_t first[][4] = {{192, 0, 2, 77}, {198, 51, 100, 77}, {203, 0, 113, 77}};
	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++) {
		*out = ip_addr_from(first[i], 4);
		if (is_called(image, out, "internet"))
			return true;
	}
	for (unsigned i = 1; i < 224; i++) {
		const uint8_t b[4] = {(uint8_t)i, 77, 77, 77};
		*out = ip_addr_from(b, sizeof(b));
		if (is_called(image, out, "internet"))
			return true;
	}
	return false;
}

/* base + n, in the last 8 bytes: no prefix is probed further than that. */
static struct ip_addr address_plus(const struct ip_addr *base, uint64_t n)
{
	struct ip_addr out = *base;
	for (size_t i = 16; i > 8; i--) {
		n += out.b[i - 1];
		out.b[i - 1] = (uint8_t)n;
		n >>= 8;
	}
	return out;
}

/* An address whose longest prefix is the member's own, if one of the probes finds it; else any in
 * it. */
static struct ip_addr cidr_address(const struct policy_image *image, const struct member *m)
{
	unsigned host_bits = 128u - m->length;
	uint64_t last = host_bits >= 63 ? INT64_MAX : (UINT64_C(1) << host_bits) - 1;
	uint64_t step = last / PROBES ? last / PROBES : 1;
	for (uint64_t n = last > 1 ? 1 : 0; n <= last && n / step <= PROBES; n += step) {
		struct ip_addr addr = address_plus(&m->addr, n);
		const struct image_address *hit = image_find_owner(image, &addr);
		if (hit && hit->length == m->length)
			return addr;
	}
	return address_plus(&m->addr, last > 1 ? 1 : 0);
}

bool member_address(const struct policy_image *image, const struct member *member,
		    struct ip_addr *out)
{
	switch (member->kind) {
	case MEMBER_ADDRESS:
		*out = member->addr;
		return true;
	case MEMBER_HOST:
		*out = made_address(HOST_SECOND_BYTE, 1);
		return true;
	case MEMBER_CIDR:
		*out = cidr_address(image, member);
		return true;
	case MEMBER_INTERNET:
		break;
	}
	return internet_address(image, out);
}
