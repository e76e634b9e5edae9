/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From files to a policy: read, parse, walk the top level, follow `include`, then the checks that
 * need the whole. A policy leaves here without errors or not at all.
 */
#include "policy/load.h"

#include "policy/config.h"
#include "policy/rules.h"
#include "policy/sentence.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

enum {
	SOURCE_MAX = 64 << 20, /* bytes of one file */
	SOURCES_MAX = 1000,    /* files of one policy */
};

static void read_include(struct loading *l, const yaml_node_t *node, void *target);
static void read_rules(struct loading *l, const yaml_node_t *node, void *target);
static void read_tests(struct loading *l, const yaml_node_t *node, void *target);
static void read_version(struct loading *l, const yaml_node_t *node, void *target);
static void read_section_mode(struct loading *l, const yaml_node_t *node, void *target);

/* The top level: these, and config_keys. */
const struct key file_keys[] = {
	{"version", KEY_CUSTOM, 0, 0, 0, NULL, NULL, read_version},
	{"include", KEY_CUSTOM, 0, 0, 0, NULL, NULL, read_include},
	{"identities", KEY_CUSTOM, 0, 0, 0, NULL, NULL, identities_read},
	{"rules", KEY_CUSTOM, 0, 0, 0, NULL, NULL, read_rules},
	{"tests", KEY_CUSTOM, 0, 0, 0, NULL, NULL, read_tests},
	{"responses", KEY_MISSING, 0, 0, 0, NULL, NULL, NULL},
	{NULL, KEY_MISSING, 0, 0, 0, NULL, NULL, NULL},
};

/* What an included file has besides. */
static const struct key section_keys[] = {
	{"mode", KEY_CUSTOM, 0, 0, 0, NULL, NULL, read_section_mode},
	{NULL, KEY_MISSING, 0, 0, 0, NULL, NULL, NULL},
};

enum { N_FILE_KEYS = sizeof(file_keys) / sizeof(file_keys[0]) - 1, N_KEYS_MAX = 32 };

static void read_section_mode(struct loading *l, const yaml_node_t *node, void *target)
{
	unsigned word;
	(void)target; /* it is of the file that is read, not of the policy */
	if (read_word(l, node, "`mode`", mode_words, &word))
		l->section_mode = (int)word;
}

static void read_version(struct loading *l, const yaml_node_t *node, void *target)
{
	(void)target; /* there is only one */
	uint64_t version;
	if (node_uint(l, node, "`version`", 0, UINT32_MAX, &version) && version != 1)
		complain_at(l, node, NULL, "this program reads version 1 of the language");
}

static void read_rules(struct loading *l, const yaml_node_t *node, void *target)
{
	read_list(l, node, "`rules`", rule_read, target);
}

static void read_test(struct loading *l, const yaml_node_t *node, void *target)
{
	(void)target; /* the test is added to the policy */
	const char *text;
	if (!node_text(l, node, "a test", &text))
		return;
	struct policy_test *test = ARRAY_ADD(l->policy->tests, l->policy->n_tests);
	if (!test) {
		out_of_memory(l);
		return;
	}
	test->place = place_of(l, node);
	test->text = strdup(text);
	if (!test->text)
		out_of_memory(l);
}

static void read_tests(struct loading *l, const yaml_node_t *node, void *target)
{
	read_list(l, node, "`tests`", read_test, target);
}

/* ---- sources ---- */

/* Takes text. -ENOMEM: it was freed. */
static int add_source(struct policy *policy, const char *name, char *text, size_t n)
{
	struct source *source = ARRAY_ADD(policy->sources, policy->n_sources);
	if (!source) {
		free(text);
		return -ENOMEM;
	}
	source->text = text;
	source->n = n;
	source->name = strdup(name);
	return source->name ? 0 : -ENOMEM;
}

static int read_stream(FILE *f, char **text, size_t *n)
{
	struct stat st;
	if (fstat(fileno(f), &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (st.st_size > SOURCE_MAX)
		return -EFBIG;
	size_t room = 4096, used = 0;
	char *all = NULL;
	do {
		room *= 2;
		char *more = room <= 2 * (size_t)SOURCE_MAX ? realloc(all, room) : NULL;
		if (!more) {
			free(all);
			return -ENOMEM;
		}
		all = more;
		used += fread(all + used, 1, room - used, f);
	} while (used == room);
	if (ferror(f)) {
		free(all);
		return -EIO;
	}
	*text = all;
	*n = used;
	return 0;
}

static int read_file(const char *path, char **text, size_t *n)
{
	FILE *f = fopen(path, "re");
	if (!f)
		return -errno;
	int e = read_stream(f, text, n);
	(void)fclose(f); /* only read from */
	return e;
}

/* ---- one document ---- */

static void syntax_error(struct loading *l, const yaml_parser_t *parser)
{
	struct place place = {
		.source = l->source,
		.line = (uint32_t)parser->problem_mark.line + 1,
		.column = (uint32_t)parser->problem_mark.column + 1,
	};
	const char *problem = parser->problem ? parser->problem : "not YAML";
	if (parser->error == YAML_MEMORY_ERROR)
		out_of_memory(l);
	else if (parser->context)
		complain(l, &place, DIAG_ERROR, NULL, "%s, %s", parser->context, problem);
	else
		complain(l, &place, DIAG_ERROR, NULL, "%s", problem);
}

static void read_top(struct loading *l, const yaml_node_t *root)
{
	struct key keys[N_KEYS_MAX];
	size_t n = N_FILE_KEYS;
	memcpy(keys, file_keys, N_FILE_KEYS * sizeof(file_keys[0]));
	const struct key *more = l->is_included ? section_keys : config_keys;
	for (const struct key *k = more; k->name && n < N_KEYS_MAX - 1; k++)
		keys[n++] = *k;
	keys[n] = (struct key){0};
	const char *what = l->is_included ? "an included file" : "the file";
	uint64_t seen = read_map(l, root, what, keys, l->policy);
	if (!l->is_included && root->type == YAML_MAPPING_NODE && !(seen & 1))
		complain_at(l, root, "begin with `version: 1`", "`version` is missing");
}

static void read_document(struct loading *l, yaml_parser_t *parser)
{
	yaml_document_t document;
	struct place start = {.source = l->source, .line = 1, .column = 1};
	if (!yaml_parser_load(parser, &document)) {
		syntax_error(l, parser);
		return;
	}
	l->document = &document;
	const yaml_node_t *root = yaml_document_get_root_node(&document);
	if (root && node_get(l, 1))
		read_top(l, root);
	else if (!root)
		complain(l, &start, DIAG_ERROR, NULL, "the file is empty");
	yaml_document_delete(&document);
	l->document = NULL;
}

static void check_end(struct loading *l, yaml_parser_t *parser)
{
	yaml_document_t document;
	if (!yaml_parser_load(parser, &document)) {
		syntax_error(l, parser);
		return;
	}
	const yaml_node_t *root = yaml_document_get_root_node(&document);
	if (root)
		complain_at(l, root, NULL, "a policy file is one YAML document");
	yaml_document_delete(&document);
}

/* The source that was added last. */
static void read_source(struct loading *l)
{
	const struct source *source = &l->policy->sources[l->policy->n_sources - 1];
	size_t errors = l->diags->n_errors;
	yaml_parser_t parser;
	l->source = (uint32_t)(l->policy->n_sources - 1);
	if (!yaml_parser_initialize(&parser)) {
		out_of_memory(l);
		return;
	}
	yaml_parser_set_input_string(&parser, (const unsigned char *)source->text, source->n);
	read_document(l, &parser);
	if (errors == l->diags->n_errors)
		check_end(l, &parser);
	yaml_parser_delete(&parser);
}

/* ---- include ---- */

static void include_file(struct loading *l, const yaml_node_t *node, const char *path)
{
	char *text = NULL;
	size_t n = 0;
	if (l->policy->n_sources == SOURCES_MAX) {
		complain_at(l, node, NULL, "more than %d files in one policy", SOURCES_MAX);
		return;
	}
	int e = read_file(path, &text, &n);
	if (e < 0) {
		complain_at(l, node, NULL, "%s: %s", path, strerror(-e));
		return;
	}
	if (add_source(l->policy, path, text, n) < 0) {
		out_of_memory(l);
		return;
	}
	struct loading inner = *l;
	size_t first = l->policy->n_rules;
	inner.is_included = true;
	inner.section_mode = MODE_UNSET;
	read_source(&inner);
	for (size_t i = first; i < l->policy->n_rules; i++)
		if (l->policy->rules[i].mode == MODE_UNSET)
			l->policy->rules[i].mode = inner.section_mode;
	l->budget = inner.budget;
	l->no_memory |= inner.no_memory;
}

/* Beside the policy file, unless it is absolute. */
static char *beside(const struct policy *policy, const char *path)
{
	const char *file = policy->sources[0].name;
	const char *slash = strrchr(file, '/');
	char *out;
	if (path[0] == '/' || !slash)
		return strdup(path);
	if (asprintf(&out, "%.*s/%s", (int)(slash - file), file, path) < 0)
		return NULL;
	return out;
}

/* For glob(): a folder that is not there holds nothing; one that cannot be read may hide rules. */
static int stops_at(const char *path, int error)
{
	(void)path; /* the complaint names the pattern */
	return error != ENOENT && error != ENOTDIR;
}

static void include_pattern(struct loading *l, const yaml_node_t *node, void *target)
{
	(void)target; /* what is included goes to the policy */
	const char *text;
	if (!node_text(l, node, "an included path", &text))
		return;
	char *pattern = beside(l->policy, text);
	if (!pattern) {
		out_of_memory(l);
		return;
	}
	glob_t found = {0};
	int e = glob(pattern, 0, stops_at, &found);
	if (e == GLOB_NOMATCH && !strpbrk(text, "*?["))
		complain_at(l, node, NULL, "%s: no such file", pattern);
	else if (e == GLOB_ABORTED)
		complain_at(l, node, NULL, "%s: cannot be read", pattern);
	else if (e == GLOB_NOSPACE)
		out_of_memory(l);
	for (size_t i = 0; e == 0 && i < found.gl_pathc; i++)
		include_file(l, node, found.gl_pathv[i]);
	globfree(&found);
	free(pattern);
}

static void read_include(struct loading *l, const yaml_node_t *node, void *target)
{
	if (l->is_included)
		complain_at(l, node, NULL, "an included file includes no others");
	else
		read_one_or_list(l, node, include_pattern, target);
}

/* ---- the whole ---- */

static void check_tests(struct loading *l)
{
	const struct policy *policy = l->policy;
	for (size_t i = 0; i < policy->n_tests; i++) {
		struct error err;
		int e = sentence_check(l->policy, policy->tests[i].text, &err);
		if (e == -ENOMEM)
			out_of_memory(l);
		else if (e < 0)
			complain(l, &policy->tests[i].place, DIAG_ERROR, NULL, "%s", err.text);
	}
}

static void check_whole(struct loading *l)
{
	struct policy *policy = l->policy;
	size_t errors = l->diags->n_errors;
	config_check(l);
	if (errors == 0)
		policy_lint(l);
	if (policy->inventory_text) {
		policy->config.inventory = beside(policy, policy->inventory_text);
		if (!policy->config.inventory)
			out_of_memory(l);
	}
	if (l->diags->n_errors == 0 && !l->no_memory)
		check_tests(l);
}

static long today_of(long today)
{
	return today == POLICY_TODAY ? (long)(time(NULL) / 86400) : today;
}

/* Takes text. */
static int load(long today, const char *name, char *text, size_t n, struct policy **out,
		struct diagnostics *diags)
{
	struct policy *policy = calloc(1, sizeof(*policy));
	if (!policy) {
		free(text);
		return -ENOMEM;
	}
	struct loading l = {
		.policy = policy,
		.diags = diags,
		.today = today_of(today),
		.budget = NODE_BUDGET,
	};
	int e = add_source(policy, name, text, n);
	if (e == 0)
		e = config_defaults(policy);
	if (e == 0) {
		read_source(&l);
		check_whole(&l);
		e = l.no_memory ? -ENOMEM : diags->n_errors ? -EINVAL : 0;
	}
	if (e < 0)
		policy_free(policy);
	else
		*out = policy;
	return e;
}

int policy_load_text_on(long today, const char *name, const char *text, size_t n,
			struct policy **out, struct diagnostics *diags)
{
	*diags = (struct diagnostics){0};
	char *copy = malloc(n + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, text, n);
	copy[n] = '\0';
	return load(today, name, copy, n, out, diags);
}

static void cannot_read(const char *path, int e, struct diagnostics *diags)
{
	struct diagnostic *d = ARRAY_ADD(diags->items, diags->n);
	diags->n_errors++;
	if (!d) {
		diags->n_lost++;
		return;
	}
	d->file = strdup(path);
	d->severity = DIAG_ERROR;
	d->message = strdup(strerror(-e));
}

int policy_load_on(long today, const char *path, struct policy **out, struct diagnostics *diags)
{
	char *text = NULL;
	size_t n = 0;
	*diags = (struct diagnostics){0};
	int e = read_file(path, &text, &n);
	if (e < 0) {
		cannot_read(path, e, diags);
		return e;
	}
	return load(today, path, text, n, out, diags);
}

int policy_load(const char *path, struct policy **out, struct diagnostics *diags)
{
	return policy_load_on(POLICY_TODAY, path, out, diags);
}

int policy_load_text(const char *name, const char *text, size_t n, struct policy **out,
		     struct diagnostics *diags)
{
	return policy_load_text_on(POLICY_TODAY, name, text, n, out, diags);
}
