/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads an expression into a tree, and writes the tree as a program of splits and jumps (Thompson).
 * A counted repeat is written out, so the program's cap is what bounds it. */
#include "policy/regex.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	DEPTH_MAX = 32,
	REPEAT_MAX = 1000,
	NO_LIMIT = -1,
	VISITS_MAX = 1 << 18, /* repeats of nothing write nothing, but take time */
	/* see REGEX_WORK_MAX */
	EXPRESSION_WORK = 1 << 15, /* memory for the smallest one */
	VISIT_WORK = 4,
};

enum node_kind { NODE_EMPTY, NODE_SET, NODE_CAT, NODE_OR, NODE_REPEAT };

/* Nodes are numbers: the array moves as it grows. */
struct node {
	enum node_kind kind;
	uint32_t left, right;
	int min, max;
	struct byte_set set;
};

struct reading {
	const uint8_t *p;
	size_t n, at;
	bool folds;
	unsigned depth;
	struct node *nodes;
	size_t n_nodes, room;
	const char *why; /* the first thing that is wrong */
	size_t why_at;
	bool no_memory;
};

static bool has_failed(const struct reading *r)
{
	return r->why || r->no_memory;
}

static uint32_t fail(struct reading *r, const char *why)
{
	if (!r->why) {
		r->why = why;
		r->why_at = r->at;
	}
	return 0;
}

static uint32_t add_node(struct reading *r, const struct node *node)
{
	if (r->n_nodes == r->room) {
		size_t room = r->room ? r->room * 2 : 64;
		struct node *more = reallocarray(r->nodes, room, sizeof(*more));
		if (!more) {
			r->no_memory = true;
			return 0;
		}
		r->nodes = more;
		r->room = room;
	}
	r->nodes[r->n_nodes] = *node;
	return (uint32_t)r->n_nodes++;
}

static uint32_t join(struct reading *r, enum node_kind kind, uint32_t left, uint32_t right)
{
	return add_node(r, &(struct node){.kind = kind, .left = left, .right = right});
}

static bool peek(const struct reading *r, char c)
{
	return r->at < r->n && r->p[r->at] == (uint8_t)c;
}

static bool take(struct reading *r, char c)
{
	bool is_there = peek(r, c);
	r->at += is_there;
	return is_there;
}

/* ---- sets ---- */

static void set_add(struct byte_set *s, unsigned c)
{
	s->bits[c / 64] |= UINT64_C(1) << (c % 64);
}

static void set_add_range(struct byte_set *s, unsigned low, unsigned high)
{
	for (unsigned c = low; c <= high; c++)
		set_add(s, c);
}

static void set_invert(struct byte_set *s)
{
	for (size_t i = 0; i < 4; i++)
		s->bits[i] = ~s->bits[i];
}

static void set_unite(struct byte_set *s, const struct byte_set *other)
{
	for (size_t i = 0; i < 4; i++)
		s->bits[i] |= other->bits[i];
}

/* Both cases of each letter in it. */
static void set_fold(struct byte_set *s)
{
	for (unsigned c = 'a'; c <= 'z'; c++) {
		unsigned upper = c - 'a' + 'A';
		if (byte_set_has(s, c) || byte_set_has(s, upper)) {
			set_add(s, c);
			set_add(s, upper);
		}
	}
}

static uint32_t add_set(struct reading *r, struct byte_set *set)
{
	return add_node(r, &(struct node){.kind = NODE_SET, .set = *set});
}

static int hex_of(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = byte_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool named_set(uint8_t c, struct byte_set *out)
{
	*out = (struct byte_set){{0}};
	switch (byte_lower(c)) {
	case 'w':
		set_add_range(out, 'a', 'z');
		set_add_range(out, 'A', 'Z');
		set_add(out, '_');
		set_add_range(out, '0', '9');
		break;
	case 'd':
		set_add_range(out, '0', '9');
		break;
	case 's':
		set_add_range(out, '\t', '\r');
		set_add(out, ' ');
		break;
	default:
		return false;
	}
	if (c < 'a')
		set_invert(out);
	return true;
}

static void read_hex(struct reading *r, struct byte_set *out)
{
	int high = r->at < r->n ? hex_of(r->p[r->at]) : -1;
	int low = r->at + 1 < r->n ? hex_of(r->p[r->at + 1]) : -1;
	if (high < 0 || low < 0) {
		fail(r, "`\\x` takes two hexadecimal digits");
		return;
	}
	r->at += 2;
	set_add(out, (unsigned)(high * 16 + low));
}

static bool is_alphanumeric(uint8_t c)
{
	return (c >= '0' && c <= '9') || (byte_lower(c) >= 'a' && byte_lower(c) <= 'z');
}

/* What stands behind a backslash. */
static void read_escape(struct reading *r, struct byte_set *out)
{
	static const char names[] = "tnrfv", values[] = "\t\n\r\f\v";
	if (r->at == r->n) {
		fail(r, "a backslash at the end has nothing to escape");
		return;
	}
	uint8_t c = r->p[r->at++];
	const char *name = c ? strchr(names, c) : NULL;
	*out = (struct byte_set){{0}};
	if (c == 'x')
		read_hex(r, out);
	else if (name)
		set_add(out, (uint8_t)values[name - names]);
	else if (!is_alphanumeric(c))
		set_add(out, c);
	else if (!named_set(c, out)) {
		r->at--;
		fail(r, "this escape is not part of the language");
	}
}

/* One member of a class; a range has two. *single: it is one byte, or -1. */
static void read_member(struct reading *r, struct byte_set *out, int *single)
{
	*out = (struct byte_set){{0}};
	*single = -1;
	if (!take(r, '\\')) {
		*single = r->p[r->at++];
		set_add(out, (unsigned)*single);
		return;
	}
	read_escape(r, out);
	unsigned n = 0;
	for (unsigned c = 0; c < 256; c++) {
		n += byte_set_has(out, c);
		if (byte_set_has(out, c))
			*single = (int)c;
	}
	if (n != 1)
		*single = -1;
}

static bool ranges_on(const struct reading *r)
{
	return peek(r, '-') && r->at + 1 < r->n && r->p[r->at + 1] != ']';
}

static uint32_t read_class(struct reading *r)
{
	struct byte_set all = {{0}}, one;
	bool is_inverted = take(r, '^');
	size_t first = r->at;
	int low, high;
	while (!has_failed(r) && r->at < r->n && (r->at == first || !peek(r, ']'))) {
		if (peek(r, '[') && r->at + 1 < r->n && r->p[r->at + 1] == ':')
			return fail(r, "classes with names are not part of the language");
		read_member(r, &one, &low);
		if (!ranges_on(r) || has_failed(r)) {
			set_unite(&all, &one);
			continue;
		}
		r->at++;
		read_member(r, &one, &high);
		if (low < 0 || high < low)
			return fail(r, "a range goes from a lower byte to a higher one");
		set_add_range(&all, (unsigned)low, (unsigned)high);
	}
	if (!take(r, ']'))
		return fail(r, "`[` is never closed");
	if (r->folds)
		set_fold(&all);
	if (is_inverted)
		set_invert(&all);
	return add_set(r, &all);
}

/* ---- the tree ---- */

static uint32_t read_or(struct reading *r);

static uint32_t read_group(struct reading *r)
{
	if (take(r, '?') && !take(r, ':'))
		return fail(r, "of groups with `?` only `(?: )` is part of the language");
	if (++r->depth > DEPTH_MAX)
		return fail(r, "groups are nested too deeply");
	uint32_t inner = read_or(r);
	r->depth--;
	if (!take(r, ')'))
		return fail(r, "`(` is never closed");
	return inner;
}

static uint32_t read_atom(struct reading *r)
{
	struct byte_set set = {{0}};
	uint8_t c = r->p[r->at];
	if (strchr("^$*+?{", c) && c) {
		if (c == '^' || c == '$')
			return fail(r, "the whole text must match: leave `^` and `$` out");
		return fail(r, "there is nothing to repeat; a backslash makes it a plain byte");
	}
	r->at++;
	if (c == '(')
		return read_group(r);
	if (c == '[')
		return read_class(r);
	if (c == '.')
		set_invert(&set);
	else if (c == '\\')
		read_escape(r, &set);
	else
		set_add(&set, c);
	if (r->folds)
		set_fold(&set);
	return add_set(r, &set);
}

static int read_count(struct reading *r)
{
	int n = 0;
	size_t first = r->at;
	while (r->at < r->n && r->p[r->at] >= '0' && r->p[r->at] <= '9' && n <= REPEAT_MAX)
		n = n * 10 + (r->p[r->at++] - '0');
	return r->at == first ? NO_LIMIT : n;
}

static bool read_counts(struct reading *r, struct node *repeat)
{
	repeat->min = read_count(r);
	repeat->max = take(r, ',') ? read_count(r) : repeat->min;
	bool is_good = repeat->min >= 0 && repeat->min <= REPEAT_MAX && repeat->max <= REPEAT_MAX &&
		       (repeat->max == NO_LIMIT || repeat->max >= repeat->min) && take(r, '}');
	if (!is_good)
		fail(r, "a repeat is {m}, {m,} or {m,n} with numbers up to 1000");
	return is_good;
}

static uint32_t read_repeated(struct reading *r)
{
	uint32_t atom = read_atom(r);
	struct node repeat = {.kind = NODE_REPEAT, .left = atom, .min = 0, .max = NO_LIMIT};
	if (has_failed(r) || r->at == r->n || !strchr("*+?{", r->p[r->at]) || !r->p[r->at])
		return atom;
	uint8_t c = r->p[r->at++];
	if (c == '+')
		repeat.min = 1;
	if (c == '?')
		repeat.max = 1;
	if (c == '{' && !read_counts(r, &repeat))
		return 0;
	if (r->at < r->n && r->p[r->at] && strchr("*+?{", r->p[r->at]))
		return fail(r, "a repeat of a repeat needs a group; lazy ones are not needed");
	return add_node(r, &repeat);
}

static uint32_t read_cat(struct reading *r)
{
	uint32_t all = add_node(r, &(struct node){.kind = NODE_EMPTY});
	while (!has_failed(r) && r->at < r->n && !peek(r, '|') && !peek(r, ')'))
		all = join(r, NODE_CAT, all, read_repeated(r));
	return all;
}

static uint32_t read_or(struct reading *r)
{
	uint32_t all = read_cat(r);
	while (!has_failed(r) && take(r, '|'))
		all = join(r, NODE_OR, all, read_cat(r));
	return all;
}

/* ---- the program ---- */

struct writing {
	const struct node *nodes;
	struct instruction v[PROGRAM_MAX];
	size_t n;
	size_t n_visits;
};

static size_t emit(struct writing *w, enum op op)
{
	if (w->n < PROGRAM_MAX)
		w->v[w->n] = (struct instruction){.op = op};
	return w->n < PROGRAM_MAX ? w->n++ : PROGRAM_MAX - 1;
}

static bool is_full(const struct writing *w)
{
	return w->n == PROGRAM_MAX || w->n_visits > VISITS_MAX;
}

static void write_node(struct writing *w, uint32_t number);

static void write_or(struct writing *w, const struct node *node)
{
	size_t split = emit(w, OP_SPLIT);
	w->v[split].a = (uint32_t)w->n;
	write_node(w, node->left);
	size_t jump = emit(w, OP_JUMP);
	w->v[split].b = (uint32_t)w->n;
	write_node(w, node->right);
	w->v[jump].a = (uint32_t)w->n;
}

static void write_optional(struct writing *w, uint32_t kid, bool loops)
{
	size_t split = emit(w, OP_SPLIT);
	w->v[split].a = (uint32_t)w->n;
	write_node(w, kid);
	if (loops)
		w->v[emit(w, OP_JUMP)].a = (uint32_t)split;
	w->v[split].b = (uint32_t)w->n;
}

static void write_repeat(struct writing *w, const struct node *node)
{
	for (int i = 0; i < node->min && !is_full(w); i++)
		write_node(w, node->left);
	for (int i = node->min; i < node->max && !is_full(w); i++)
		write_optional(w, node->left, false);
	if (node->max == NO_LIMIT)
		write_optional(w, node->left, true);
}

/* A long expression is a tree that leans to the left: that side is gone down in a loop. */
static void write_cat(struct writing *w, uint32_t number)
{
	uint32_t rights[REGEX_MAX + 1];
	size_t n = 0;
	for (; w->nodes[number].kind == NODE_CAT && n <= REGEX_MAX; number = w->nodes[number].left)
		rights[n++] = w->nodes[number].right;
	while (n > 0 && !is_full(w))
		write_node(w, rights[--n]);
}

static void write_node(struct writing *w, uint32_t number)
{
	const struct node *node = &w->nodes[number];
	w->n_visits++;
	if (is_full(w))
		return;
	switch (node->kind) {
	case NODE_EMPTY:
		break;
	case NODE_SET:
		w->v[emit(w, OP_SET)].set = node->set;
		break;
	case NODE_CAT:
		write_cat(w, number);
		break;
	case NODE_OR:
		write_or(w, node);
		break;
	case NODE_REPEAT:
		write_repeat(w, node);
		break;
	}
}

static int compile_tree(const struct reading *r, uint32_t root, struct machine *out,
			const char **why)
{
	struct writing *w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->nodes = r->nodes;
	write_node(w, root);
	(void)emit(w, OP_END); /* a full program is refused below */
	int e = -EINVAL;
	if (is_full(w))
		*why = "it is too large: use smaller repeats, or several patterns";
	else
		e = machine_build(&(struct program){w->v, w->n}, out, why);
	out->n_work += EXPRESSION_WORK + VISIT_WORK * w->n_visits;
	free(w);
	return e;
}

int regex_compile(struct bytes text, bool folds, struct machine *out, const char **why, size_t *at)
{
	struct reading r = {.p = text.p, .n = text.n, .folds = folds};
	*out = (struct machine){0};
	if (text.n > REGEX_MAX)
		fail(&r, "an expression has at most 1000 bytes");
	uint32_t root = has_failed(&r) ? 0 : read_or(&r);
	if (!has_failed(&r) && r.at < r.n)
		fail(&r, "`)` closes nothing");
	int e = r.no_memory ? -ENOMEM : r.why ? -EINVAL : compile_tree(&r, root, out, why);
	if (r.why)
		*why = r.why;
	*at = r.why ? r.why_at : 0;
	free(r.nodes);
	return e;
}
