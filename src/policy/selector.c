/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy/selector.h"

#include "base/text.h"
#include "policy/glob.h"
#include "policy/node.h"

#include <errno.h>
#include <stdlib.h>

/* 198.18.0.0/15 (benchmarking) is not in the list on purpose: it serves as a stand-in for the
 * internet in tests. */
const struct private_prefix private_prefixes[] = {
	{"0.0.0.0/8"},		{"10.0.0.0/8"},	   {"100.64.0.0/10"},  {"127.0.0.0/8"},
	{"169.254.0.0/16"},	{"172.16.0.0/12"}, {"192.168.0.0/16"}, {"224.0.0.0/4"},
	{"255.255.255.255/32"}, {"::/128"},	   {"::1/128"},	       {"fc00::/7"},
	{"fe80::/10"},		{"ff00::/8"},
};
const size_t n_private_prefixes = sizeof(private_prefixes) / sizeof(private_prefixes[0]);

bool prefix_is_private(const struct ip_addr *addr, uint8_t length)
{
	for (size_t i = 0; i < n_private_prefixes; i++) {
		struct ip_addr base;
		uint8_t n;
		if (ip_prefix_parse(private_prefixes[i].text, &base, &n) && n <= length &&
		    ip_prefix_contains(&base, n, addr))
			return true;
	}
	return false;
}

/* ---- parsing ---- */

struct kind {
	const char *name;
	enum atom_kind kind;
};

static const struct kind plain_kinds[] = {
	{"any", ATOM_ANY},
	{"host", ATOM_HOST},
	{"internet", ATOM_INTERNET},
};
static const struct kind prefixed_kinds[] = {
	{"container", ATOM_CONTAINER}, {"image", ATOM_IMAGE}, {"label", ATOM_LABEL},
	{"network", ATOM_NETWORK},     {"cidr", ATOM_CIDR},
};

enum {
	N_PLAIN_KINDS = sizeof(plain_kinds) / sizeof(plain_kinds[0]),
	N_PREFIXED_KINDS = sizeof(prefixed_kinds) / sizeof(prefixed_kinds[0]),
	NOT_DEPTH_MAX = 4, /* not:not:not:... */
};

const char *selector_plain_kind(size_t i)
{
	return i < N_PLAIN_KINDS ? plain_kinds[i].name : NULL;
}

const char *selector_prefixed_kind(size_t i)
{
	return i < N_PREFIXED_KINDS ? prefixed_kinds[i].name : NULL;
}

static void atom_fini(struct atom *atom)
{
	free(atom->text);
	free(atom->a);
	free(atom->b);
}

/* Takes the atom's strings. */
static int atom_intern(struct policy *policy, struct atom *atom, uint32_t *number)
{
	size_t n = strlen(atom->text);
	*number = strmap_find(&policy->atom_numbers, atom->text, n);
	if (*number != STRMAP_NONE) {
		atom_fini(atom);
		return 0;
	}
	*number = (uint32_t)policy->n_atoms;
	if (strmap_put(&policy->atom_numbers, atom->text, n, *number) < 0)
		goto fail;
	struct atom *slot = ARRAY_ADD(policy->atoms, policy->n_atoms);
	if (!slot)
		goto fail;
	*slot = *atom;
	return 0;
fail:
	atom_fini(atom);
	return -ENOMEM;
}

static int check_pattern(const char *pattern, const char *text, struct error *err)
{
	const char *wrong = glob_check(bytes_str(pattern));
	if (wrong)
		return error_set(err, -EINVAL, "selector `%s`: %s", text, wrong);
	return 0;
}

/* "a<separator>b" into atom->a and atom->b. */
static int split(struct atom *atom, const char *value, char separator)
{
	const char *at = strchr(value, separator);
	atom->a = strndup(value, (size_t)(at - value));
	atom->b = strdup(at + 1);
	return atom->a && atom->b ? 0 : -ENOMEM;
}

static int fill_cidr(struct atom *atom, const char *value, const char *text, struct error *err)
{
	if (!ip_prefix_parse(value, &atom->addr, &atom->length))
		return error_set(
			err, -EINVAL,
			"selector `%s`: not an address or address/length without host bits", text);
	char address[IP_ADDR_TEXT];
	bool v4 = ip_addr_is_v4(&atom->addr) && atom->length >= 96;
	free(atom->text);
	if (asprintf(&atom->text, "cidr:%s/%d", ip_addr_print(&atom->addr, address),
		     atom->length - (v4 ? 96 : 0)) < 0) {
		atom->text = NULL;
		return -ENOMEM;
	}
	return 0;
}

static int fill_atom(struct atom *atom, const char *value, const char *text, struct error *err)
{
	int e = 0;
	switch (atom->kind) {
	case ATOM_ANY:
	case ATOM_HOST:
	case ATOM_INTERNET:
		return 0;
	case ATOM_CIDR:
		return fill_cidr(atom, value, text, err);
	case ATOM_CONTAINER:
	case ATOM_IMAGE:
	case ATOM_NETWORK:
		atom->a = strdup(value);
		if (!atom->a)
			return -ENOMEM;
		return check_pattern(value, text, err);
	case ATOM_LABEL:
		if (!strchr(value, '=') || value[0] == '=')
			return error_set(err, -EINVAL, "selector `%s`: a label is KEY=VALUE", text);
		e = split(atom, value, '=');
		return e < 0 ? e : check_pattern(atom->b, text, err);
	case ATOM_SERVICE:
		e = split(atom, value, '/');
		if (e == 0)
			e = check_pattern(atom->a, text, err);
		return e < 0 ? e : check_pattern(atom->b, text, err);
	}
	return e;
}

static int add_atom(struct policy *policy, enum atom_kind kind, const char *value, const char *text,
		    struct expr *out, struct error *err)
{
	struct atom atom = {.kind = kind, .text = strdup(text)};
	int e = atom.text ? fill_atom(&atom, value, text, err) : -ENOMEM;
	if (e < 0) {
		atom_fini(&atom);
		return e;
	}
	out->kind = EXPR_ATOM;
	return atom_intern(policy, &atom, &out->number);
}

static bool is_bare_address(const char *text)
{
	struct ip_addr addr;
	uint8_t length;
	return ip_prefix_parse(text, &addr, &length);
}

static int parse_named(const char *text, struct expr *out, struct error *err)
{
	if (text[1] == '\0')
		return error_set(err, -EINVAL, "selector `@` names nothing");
	out->kind = EXPR_NAMED;
	out->name = strdup(text + 1);
	return out->name ? 0 : -ENOMEM;
}

static int parse_prefixed(struct policy *policy, const char *text, size_t n_kind, struct expr *out,
			  struct error *err)
{
	for (size_t i = 0; i < N_PREFIXED_KINDS; i++) {
		const struct kind *k = &prefixed_kinds[i];
		if (strlen(k->name) == n_kind && strncmp(k->name, text, n_kind) == 0)
			return add_atom(policy, k->kind, text + n_kind + 1, text, out, err);
	}
	if (strncmp(text, "fqdn:", 5) == 0)
		return error_set(err, -EINVAL,
				 "selector `%s`: `fqdn:` is not supported by this version yet",
				 text);
	return error_set(err, -EINVAL, "selector `%s`: unknown kind `%.*s`", text, (int)n_kind,
			 text);
}

static int parse_plain(struct policy *policy, const char *text, struct expr *out, struct error *err)
{
	for (size_t i = 0; i < N_PLAIN_KINDS; i++)
		if (strcmp(plain_kinds[i].name, text) == 0)
			return add_atom(policy, plain_kinds[i].kind, "", text, out, err);
	const char *slash = strchr(text, '/');
	if (slash && !strchr(slash + 1, '/'))
		return add_atom(policy, ATOM_SERVICE, text, text, out, err);
	return error_set(err, -EINVAL, "`%s` is not a selector", text);
}

static int parse_text(struct policy *policy, const char *text, struct expr *out, struct error *err)
{
	size_t n_kind = strcspn(text, ":");
	if (text[0] == '@')
		return parse_named(text, out, err);
	if (is_bare_address(text))
		return error_set(err, -EINVAL, "`%s` is an address, not a selector", text);
	if (text[n_kind] == ':')
		return parse_prefixed(policy, text, n_kind, out, err);
	return parse_plain(policy, text, out, err);
}

int selector_parse(struct policy *policy, const char *text, struct expr *out, struct error *err)
{
	bool negated = false;
	struct place place = out->place;
	const char *rest = text;
	for (int depth = 0; strncmp(rest, "not:", 4) == 0; depth++) {
		if (depth == NOT_DEPTH_MAX)
			return error_set(err, -EINVAL, "selector `%s`: too many not:", text);
		negated = !negated;
		rest += 4;
	}
	struct expr inner = {.place = place};
	int e = parse_text(policy, rest, &inner, err);
	if (e < 0 || !negated) {
		*out = inner;
		return e;
	}
	*out = (struct expr){.kind = EXPR_NOT, .place = place};
	struct expr *kid = ARRAY_ADD(out->kids, out->n_kids);
	if (!kid) {
		expr_fini(&inner);
		return -ENOMEM;
	}
	*kid = inner;
	return 0;
}

const char *selector_hint(const char *text, char *room, size_t n)
{
	if (is_bare_address(text)) {
		(void)snprintf(room, n, "did you mean `cidr:%s`?", text);
		return room;
	}
	size_t n_kind = strcspn(text, ":");
	char kind[32];
	(void)snprintf(kind, sizeof(kind), "%.*s", (int)(n_kind < 31 ? n_kind : 31), text);
	struct suggestion s = {.word = kind};
	if (text[n_kind] == ':') {
		for (size_t i = 0; i < N_PREFIXED_KINDS; i++)
			suggestion_offer(&s, prefixed_kinds[i].name);
		if (!s.best || strcmp(s.best, kind) == 0)
			return NULL;
		(void)snprintf(room, n, "did you mean `%s%s`?", s.best, text + n_kind);
		return room;
	}
	for (size_t i = 0; i < N_PLAIN_KINDS; i++)
		suggestion_offer(&s, plain_kinds[i].name);
	if (s.best)
		(void)snprintf(room, n, "did you mean `%s`?", s.best);
	else if (!strchr(text, '/'))
		(void)snprintf(room, n, "write PROJECT/SERVICE, or container:%s", text);
	else
		return NULL;
	return room;
}

bool selector_resolve(const struct policy *policy, struct expr *expr, const struct expr **unknown)
{
	if (expr->kind == EXPR_NAMED) {
		expr->number =
			strmap_find(&policy->identity_numbers, expr->name, strlen(expr->name));
		*unknown = expr;
		return expr->number != STRMAP_NONE;
	}
	for (size_t i = 0; i < expr->n_kids; i++)
		if (!selector_resolve(policy, &expr->kids[i], unknown))
			return false;
	return true;
}

void selector_describe(const struct policy *policy, const struct expr *expr, FILE *out)
{
	if (expr->kind == EXPR_ATOM) {
		fputs(policy->atoms[expr->number].text, out);
		return;
	}
	if (expr->kind == EXPR_NAMED) {
		fprintf(out, "@%s", expr->name);
		return;
	}
	fputs(expr->kind == EXPR_AND ? "all of [" : expr->kind == EXPR_NOT ? "not [" : "[", out);
	for (size_t i = 0; i < expr->n_kids; i++) {
		fputs(i ? ", " : "", out);
		selector_describe(policy, &expr->kids[i], out);
	}
	fputc(']', out);
}

/* ---- relations between atoms ---- */

bool atom_is_exact(const struct atom *atom)
{
	switch (atom->kind) {
	case ATOM_ANY:
	case ATOM_INTERNET:
	case ATOM_CIDR:
		return false;
	case ATOM_HOST:
		return true;
	case ATOM_SERVICE:
		return glob_is_literal(bytes_str(atom->a)) && glob_is_literal(bytes_str(atom->b));
	case ATOM_CONTAINER:
	case ATOM_IMAGE:
	case ATOM_NETWORK:
		return glob_is_literal(bytes_str(atom->a));
	case ATOM_LABEL:
		return glob_is_literal(bytes_str(atom->b));
	}
	return false;
}

static bool covers_text(const char *pattern, const char *text)
{
	return strcmp(pattern, text) == 0 ||
	       glob_match(DIS_MATCH_GLOB, bytes_str(pattern), bytes_str(text));
}

static bool touch(const char *a, const char *b)
{
	return covers_text(a, b) || covers_text(b, a);
}

/* A pattern that matches the text of another one covers it only when that text is literal or the
 * pattern takes any text in the places of the other's wildcards, which * alone surely does. */
static bool surely_covers(const char *pattern, const char *text)
{
	if (strcmp(pattern, text) == 0 || strcmp(pattern, "*") == 0)
		return true;
	return glob_is_literal(bytes_str(text)) && covers_text(pattern, text);
}

static bool cidr_contains(const struct atom *a, const struct atom *b)
{
	return a->length <= b->length && ip_prefix_contains(&a->addr, a->length, &b->addr);
}

static bool is_public(const struct atom *a)
{
	return a->kind == ATOM_CIDR && !prefix_is_private(&a->addr, a->length);
}

bool atoms_overlap(const struct atom *a, const struct atom *b)
{
	if (a == b || a->kind == ATOM_ANY || b->kind == ATOM_ANY)
		return true;
	if ((a->kind == ATOM_INTERNET && is_public(b)) ||
	    (b->kind == ATOM_INTERNET && is_public(a)))
		return true;
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case ATOM_ANY:
	case ATOM_HOST:
	case ATOM_INTERNET:
		return true;
	case ATOM_SERVICE:
		return touch(a->a, b->a) && touch(a->b, b->b);
	case ATOM_LABEL:
		return strcmp(a->a, b->a) == 0 && touch(a->b, b->b);
	case ATOM_CONTAINER:
	case ATOM_IMAGE:
	case ATOM_NETWORK:
		return touch(a->a, b->a);
	case ATOM_CIDR:
		return cidr_contains(a, b) || cidr_contains(b, a);
	}
	return false;
}

bool atom_covers(const struct atom *a, const struct atom *b)
{
	if (a == b || a->kind == ATOM_ANY)
		return true;
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case ATOM_ANY:
	case ATOM_HOST:
	case ATOM_INTERNET:
		return true;
	case ATOM_SERVICE:
		return surely_covers(a->a, b->a) && surely_covers(a->b, b->b);
	case ATOM_LABEL:
		return strcmp(a->a, b->a) == 0 && surely_covers(a->b, b->b);
	case ATOM_CONTAINER:
	case ATOM_IMAGE:
	case ATOM_NETWORK:
		return surely_covers(a->a, b->a);
	case ATOM_CIDR:
		return cidr_contains(a, b);
	}
	return false;
}
