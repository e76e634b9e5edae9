/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy/config.h"

#include "base/text.h"
#include "policy/glob.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	MASK_BITS_MIN = 8, /* two of state and six of epoch: shared.h's mark_value() */
	WORKERS_MAX = 16,
	USER_MAX = 255,
};

const struct word mode_words[] = {
	{"observe", MODE_OBSERVE},
	{"shadow", MODE_SHADOW},
	{"enforce", MODE_ENFORCE},
	{NULL, 0},
};
static const struct word verdict_words[] = {
	{"allow", VERDICT_ALLOW},
	{"deny", VERDICT_DENY},
	{NULL, 0},
};
static const struct word midstream_words[] = {
	{"inspect", VERDICT_PENDING},
	{"allow", VERDICT_ALLOW},
	{"deny", VERDICT_DENY},
	{NULL, 0},
};
static const struct word refuse_words[] = {{"native", 0}, {"reset", 1}, {"drop", 2}, {NULL, 0}};
static const struct word ringfence_words[] = {
	{"none", POLICY_FENCE_NONE},
	{"project", POLICY_FENCE_PROJECT},
	{NULL, 0},
};
static const struct word failure_words[] = {
	{"closed", POLICY_FAIL_CLOSED},
	{"open", POLICY_FAIL_OPEN},
	{NULL, 0},
};

static void read_on_failure(struct loading *l, const yaml_node_t *node, void *target);
static void read_manage(struct loading *l, const yaml_node_t *node, void *target);
static void read_eve(struct loading *l, const yaml_node_t *node, void *target);

/* Offsets from the configuration, which is what the top level's rows count from, too: it stands
 * first in the policy. */
#define AT(member) offsetof(struct policy_config, member)
_Static_assert(offsetof(struct policy, config) == 0,
	       "rows of the top level are offsets in the policy");

static const struct key unknown_keys[] = {
	{"hold", KEY_DURATION, AT(defaults.unknown_hold_ms) - AT(defaults), 0, 10000, NULL, NULL,
	 NULL},
	{"then", KEY_WORD, AT(defaults.unknown_then) - AT(defaults), 0, 0, verdict_words, NULL,
	 NULL},
	{NULL, KEY_MISSING, 0, 0, 0, NULL, NULL, NULL},
};

static const struct key on_failure_keys[] = {
	{"internal", KEY_WORD, AT(on_failure.internal) - AT(on_failure), 0, 0, failure_words, NULL,
	 NULL},
	{"egress", KEY_WORD, AT(on_failure.egress) - AT(on_failure), 0, 0, failure_words, NULL,
	 NULL},
	{"ingress", KEY_WORD, AT(on_failure.ingress) - AT(on_failure), 0, 0, failure_words, NULL,
	 NULL},
	{NULL, KEY_MISSING, 0, 0, 0, NULL, NULL, NULL},
};

static const struct key defaults_keys[] = {
	{"internal", KEY_WORD, AT(defaults.internal) - AT(defaults), 0, 0, verdict_words, NULL,
	 NULL},
	{"ringfence", KEY_WORD, AT(defaults.ringfence) - AT(defaults), 0, 0, ringfence_words, NULL,
	 NULL},
	{"egress", KEY_WORD, AT(defaults.egress) - AT(defaults), 0, 0, verdict_words, NULL, NULL},
	{"ingress", KEY_WORD, AT(defaults.ingress) - AT(defaults), 0, 0, verdict_words, NULL, NULL},
	{"refuse", KEY_WORD, AT(defaults.refuse) - AT(defaults), 0, 0, refuse_words, NULL, NULL},
	{"unknown_identity", KEY_MAP, 0, 0, 0, NULL, unknown_keys, NULL},
	/* on_failure lies outside of `defaults` in the struct */
	{"on_failure", KEY_CUSTOM, AT(on_failure) - AT(defaults), 0, 0, failure_words,
	 on_failure_keys, read_on_failure},
	{"midstream", KEY_WORD, AT(defaults.midstream) - AT(defaults), 0, 0, midstream_words, NULL,
	 NULL},
	{"malformed", KEY_WORD, AT(defaults.malformed) - AT(defaults), 0, 0, verdict_words, NULL,
	 NULL},
	{"unidentified", KEY_WORD, AT(defaults.unidentified) - AT(defaults), 0, 0, verdict_words,
	 NULL, NULL},
	{NULL, KEY_MISSING, 0, 0, 0, NULL, NULL, NULL},
};
_Static_assert(AT(on_failure) > AT(defaults), "key offsets are not negative");

static const struct key engine_keys[] = {
	{"workers", KEY_UINT, AT(engine.workers) - AT(engine), 1, WORKERS_MAX, NULL, NULL, NULL},
	{"max_flows", KEY_UINT, AT(engine.max_flows) - AT(engine), 1024, 1 << 24, NULL, NULL, NULL},
	{"max_held_bytes", KEY_SIZE, AT(engine.max_held_bytes) - AT(engine), 1 << 20,
	 UINT64_C(64) << 30, NULL, NULL, NULL},
	{"queue_base", KEY_UINT, AT(engine.queue_base) - AT(engine), 0, 65000, NULL, NULL, NULL},
	{"queue_length", KEY_UINT, AT(engine.queue_length) - AT(engine), 64, 65535, NULL, NULL,
	 NULL},
	{"connmark_mask", KEY_HEX, AT(engine.connmark_mask) - AT(engine), 1, UINT32_MAX, NULL, NULL,
	 NULL},
	{"hold_timeout", KEY_DURATION, AT(engine.hold_timeout_ms) - AT(engine), 100, 300000, NULL,
	 NULL, NULL},
	{"silent_timeout", KEY_DURATION, AT(engine.silent_timeout_ms) - AT(engine), 1000, 3600000,
	 NULL, NULL, NULL},
	{"user", KEY_TEXT, AT(engine.user) - AT(engine), 0, 0, NULL, NULL, NULL},
	{NULL, KEY_MISSING, 0, 0, 0, NULL, NULL, NULL},
};

static const struct key docker_keys[] = {
	{"enabled", KEY_BOOL, AT(docker.enabled) - AT(docker), 0, 0, NULL, NULL, NULL},
	{"socket", KEY_TEXT, AT(docker.socket) - AT(docker), 0, 0, NULL, NULL, NULL},
	{NULL, KEY_MISSING, 0, 0, 0, NULL, NULL, NULL},
};

static const struct key output_keys[] = {
	{"eve", KEY_CUSTOM, AT(output.eve) - AT(output), 0, 0, NULL, NULL, read_eve},
	{NULL, KEY_MISSING, 0, 0, 0, NULL, NULL, NULL},
};

const struct key config_keys[] = {
	{"mode", KEY_WORD, AT(mode), 0, 0, mode_words, NULL, NULL},
	{"manage", KEY_CUSTOM, 0, 0, 0, NULL, NULL, read_manage},
	{"defaults", KEY_MAP, AT(defaults), 0, 0, NULL, defaults_keys, NULL},
	{"engine", KEY_MAP, AT(engine), 0, 0, NULL, engine_keys, NULL},
	{"docker", KEY_MAP, AT(docker), 0, 0, NULL, docker_keys, NULL},
	{"output", KEY_MAP, AT(output), 0, 0, NULL, output_keys, NULL},
	{"inventory", KEY_TEXT, offsetof(struct policy, inventory_text), 0, 0, NULL, NULL, NULL},
	{NULL, KEY_MISSING, 0, 0, 0, NULL, NULL, NULL},
};

static uint64_t workers_default(void)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	return online < 1 ? 1 : online > WORKERS_MAX ? WORKERS_MAX : (uint64_t)online;
}

int config_defaults(struct policy *policy)
{
	struct policy_config *c = &policy->config;
	c->mode = MODE_ENFORCE;
	c->defaults.internal = c->defaults.egress = c->defaults.ingress = VERDICT_DENY;
	c->defaults.unknown_then = VERDICT_DENY;
	c->defaults.malformed = c->defaults.unidentified = VERDICT_DENY;
	c->defaults.midstream = VERDICT_PENDING;
	c->defaults.unknown_hold_ms = 250;
	c->engine.workers = workers_default();
	c->engine.max_flows = 262144;
	c->engine.max_held_bytes = 64 << 20;
	c->engine.queue_base = 4200;
	c->engine.queue_length = 8192;
	c->engine.connmark_mask = 0xffff0000;
	c->engine.hold_timeout_ms = 3000;
	c->engine.silent_timeout_ms = 30000;
	c->engine.user = strdup("nobody");
	c->docker.enabled = true;
	c->docker.socket = strdup("/var/run/docker.sock");
	c->output.eve = strdup("/var/log/bridgewarden/eve.json");
	return c->engine.user && c->docker.socket && c->output.eve ? 0 : -ENOMEM;
}

static void read_on_failure(struct loading *l, const yaml_node_t *node, void *target)
{
	unsigned word;
	if (!node_is_scalar(node)) {
		(void)read_map(l, node, "`on_failure`", on_failure_keys, target); /* all optional */
		return;
	}
	if (!read_word(l, node, "`on_failure`", failure_words, &word))
		return;
	for (const struct key *k = on_failure_keys; k->name; k++)
		memcpy((char *)target + k->offset, &word, sizeof(word));
}

static void read_eve(struct loading *l, const yaml_node_t *node, void *target)
{
	char **eve = target;
	if (!node_copy(l, node, "`eve`", eve) || strcmp(*eve, "none") != 0)
		return;
	free(*eve);
	*eve = NULL;
}

/* ---- manage ---- */

static const struct word manage_words[] = {
	{"network", POLICY_MANAGE_NETWORK},
	{"project", POLICY_MANAGE_PROJECT},
	{"interface", POLICY_MANAGE_INTERFACE},
	{NULL, 0},
};

static void add_manage(struct loading *l, const yaml_node_t *node, enum policy_manage_kind kind,
		       const char *pattern)
{
	struct policy_config *config = &l->policy->config;
	const char *wrong = glob_check(bytes_str(pattern));
	if (wrong) {
		complain_at(l, node, NULL, "`manage`: %s", wrong);
		return;
	}
	struct policy_manage *m = ARRAY_ADD(config->manage, config->n_manage);
	if (!m) {
		out_of_memory(l);
		return;
	}
	*m = (struct policy_manage){.kind = kind, .pattern = strdup(pattern)};
	if (!m->pattern)
		out_of_memory(l);
}

static void read_interface(struct loading *l, const yaml_node_t *node, void *target)
{
	(void)target; /* everything goes to the policy's list */
	const char *name;
	if (node_text(l, node, "an interface", &name))
		add_manage(l, node, POLICY_MANAGE_INTERFACE, name);
}

static void read_interfaces(struct loading *l, const yaml_node_t *node, void *target)
{
	read_list(l, node, "`interfaces`", read_interface, target);
}

static void read_manage_text(struct loading *l, const yaml_node_t *node)
{
	const char *text;
	if (!node_text(l, node, "`manage`", &text))
		return;
	size_t n = strcspn(text, ":");
	for (const struct word *w = manage_words; w->name; w++) {
		if (strlen(w->name) == n && text[n] && strncmp(w->name, text, n) == 0) {
			add_manage(l, node, (enum policy_manage_kind)w->value, text + n + 1);
			return;
		}
	}
	complain_at(l, node, NULL,
		    "`manage` takes network:NAME, project:NAME and interface:NAME, not `%s`", text);
}

/* While an item that is a mapping is read. */
struct manage_item {
	char *pattern[POLICY_MANAGE_INTERFACE + 1]; /* by kind */
	struct identity_prefix *sources;
	size_t n_sources;
};

static void read_source(struct loading *l, const yaml_node_t *node, void *target)
{
	struct manage_item *item = target;
	const char *text;
	if (!node_text(l, node, "a source", &text))
		return;
	struct identity_prefix *prefix = ARRAY_ADD(item->sources, item->n_sources);
	if (!prefix)
		out_of_memory(l);
	else if (!ip_prefix_parse(text, &prefix->addr, &prefix->length))
		complain_at(l, node, NULL, "`%s` is no CIDR (10.244.0.0/16, no host bits)", text);
}

static void read_sources(struct loading *l, const yaml_node_t *node, void *target)
{
	read_one_or_list(l, node, read_source, target);
}

const struct key manage_keys[] = {
	{"network", KEY_TEXT, offsetof(struct manage_item, pattern[POLICY_MANAGE_NETWORK]), 0, 0,
	 NULL, NULL, NULL},
	{"project", KEY_TEXT, offsetof(struct manage_item, pattern[POLICY_MANAGE_PROJECT]), 0, 0,
	 NULL, NULL, NULL},
	{"interface", KEY_TEXT, offsetof(struct manage_item, pattern[POLICY_MANAGE_INTERFACE]), 0,
	 0, NULL, NULL, NULL},
	{"interfaces", KEY_CUSTOM, 0, 0, 0, NULL, NULL, read_interfaces},
	{"sources", KEY_CUSTOM, 0, 0, 0, NULL, NULL, read_sources},
	{NULL, KEY_MISSING, 0, 0, 0, NULL, NULL, NULL},
};
enum { MANAGE_KINDS = 7, MANAGE_INTERFACES = 8 }; /* bits of the table above */

/* One of the kinds, and what it brings with it. */
static void add_manage_item(struct loading *l, const yaml_node_t *node, struct manage_item *item)
{
	struct policy_config *config = &l->policy->config;
	size_t before = config->n_manage;
	for (enum policy_manage_kind k = 0; k <= POLICY_MANAGE_INTERFACE; k++)
		if (item->pattern[k])
			add_manage(l, node, k, item->pattern[k]);
	if (config->n_manage == before)
		return; /* said already */
	config->manage[before].sources = item->sources;
	config->manage[before].n_sources = item->n_sources;
	item->sources = NULL;
}

static void read_manage_map(struct loading *l, const yaml_node_t *node)
{
	struct manage_item item = {.n_sources = 0};
	uint64_t given = read_map(l, node, "`manage`", manage_keys, &item);
	uint64_t kinds = given & MANAGE_KINDS;
	if (given == MANAGE_INTERFACES)
		; /* each was added by itself */
	else if (!(given & MANAGE_INTERFACES) && kinds && (kinds & (kinds - 1)) == 0)
		add_manage_item(l, node, &item);
	else
		complain_at(l, node, NULL,
			    "`manage` takes one of `network`, `project` and `interface`, with "
			    "`sources`, or `interfaces` alone");
	for (enum policy_manage_kind k = 0; k <= POLICY_MANAGE_INTERFACE; k++)
		free(item.pattern[k]);
	free(item.sources);
}

static void read_manage_item(struct loading *l, const yaml_node_t *node, void *target)
{
	(void)target; /* everything goes to the policy's list */
	if (node->type == YAML_MAPPING_NODE)
		read_manage_map(l, node);
	else
		read_manage_text(l, node);
}

static void read_manage(struct loading *l, const yaml_node_t *node, void *target)
{
	read_one_or_list(l, node, read_manage_item, target);
	if (node->type == YAML_SEQUENCE_NODE && l->policy->config.n_manage == 0)
		complain_at(l, node, "leave `manage` out to manage every Docker bridge network",
			    "`manage` names nothing");
}

bool policy_manage_matches(const struct policy_manage *m, const struct identity_network *network)
{
	const char *value = NULL;
	switch (m->kind) {
	case POLICY_MANAGE_NETWORK:
		value = network->name;
		break;
	case POLICY_MANAGE_PROJECT:
		value = network->project;
		break;
	case POLICY_MANAGE_INTERFACE:
		value = network->bridge;
		break;
	}
	return value && glob_match(DIS_MATCH_GLOB, bytes_str(m->pattern), bytes_str(value));
}

bool policy_manages(const struct policy *policy, const struct identity_network *network)
{
	const struct policy_config *config = &policy->config;
	for (size_t i = 0; i < config->n_manage; i++)
		if (policy_manage_matches(&config->manage[i], network))
			return true;
	return config->n_manage == 0;
}

/* ---- checks ---- */

static bool is_contiguous(uint64_t mask)
{
	uint64_t low = mask & (~mask + 1);
	return mask != 0 && ((mask + low) & mask) == 0;
}

void config_check(struct loading *l)
{
	const struct policy_config *config = &l->policy->config;
	const struct place place = {0};
	uint64_t mask = config->engine.connmark_mask;
	if (!is_contiguous(mask) || __builtin_popcountll(mask) < MASK_BITS_MIN)
		complain(l, &place, DIAG_ERROR, NULL,
			 "`connmark_mask` must be %d or more neighbouring bits", MASK_BITS_MIN);
	if (config->engine.queue_base + 2 * config->engine.workers > UINT16_MAX + 1)
		complain(l, &place, DIAG_ERROR, NULL,
			 "`queue_base` leaves no room for the workers");
	if (config->defaults.ringfence != POLICY_FENCE_NONE &&
	    config->defaults.internal == VERDICT_ALLOW)
		complain(l, &place, DIAG_ERROR, "leave `internal` at deny",
			 "`ringfence` fences nobody in where `internal` allows everybody");
	if (strlen(config->engine.user) > USER_MAX)
		complain(l, &place, DIAG_ERROR, NULL, "`user` is too long");
}

/* ---- printing ---- */

/* Plain only where no reader could take it for anything but this text. */
static bool is_safe_plain(const char *text)
{
	static const char safe[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-";
	static const char *const taken[] = {"null", "true", "false", "none"};
	bool starts_well = (text[0] >= 'a' && text[0] <= 'z') ||
			   (text[0] >= 'A' && text[0] <= 'Z') || text[0] == '/';
	if (!starts_well || text[strspn(text, safe)] != '\0')
		return false;
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		if (bytes_is_nocase(bytes_str(text), taken[i]))
			return false;
	return true;
}

void print_scalar(const char *text, FILE *out)
{
	if (is_safe_plain(text)) {
		fputs(text, out);
		return;
	}
	fputc('"', out);
	for (const char *p = text; *p; p++) {
		if (*p == '"' || *p == '\\')
			fprintf(out, "\\%c", *p);
		else if ((unsigned char)*p < 0x20 || *p == 0x7f)
			fprintf(out, "\\x%02x", (unsigned)*p);
		else
			fputc(*p, out);
	}
	fputc('"', out);
}

static void print_value(const struct key *key, const char *at, FILE *out)
{
	switch (key->kind) {
	case KEY_UINT:
		fprintf(out, "%" PRIu64, *(const uint64_t *)(const void *)at);
		break;
	case KEY_HEX:
		fprintf(out, "0x%08" PRIx64, *(const uint64_t *)(const void *)at);
		break;
	case KEY_SIZE:
		size_print(*(const uint64_t *)(const void *)at, out);
		break;
	case KEY_DURATION:
		duration_print(*(const uint64_t *)(const void *)at, out);
		break;
	case KEY_WORD:
		fputs(word_name(key->words, *(const unsigned *)(const void *)at), out);
		break;
	case KEY_BOOL:
		fputs(*(const bool *)at ? "true" : "false", out);
		break;
	case KEY_TEXT:
		print_scalar(*(char *const *)(const void *)at, out);
		break;
	case KEY_MAP:
	case KEY_CUSTOM:
	case KEY_MISSING:
		break;
	}
}

static bool is_same(const struct key *key, const char *a, const char *b)
{
	const char *const *s = (const char *const *)(const void *)a;
	const char *const *t = (const char *const *)(const void *)b;
	switch (key->kind) {
	case KEY_UINT:
	case KEY_HEX:
	case KEY_SIZE:
	case KEY_DURATION:
		return memcmp(a, b, sizeof(uint64_t)) == 0;
	case KEY_WORD:
		return memcmp(a, b, sizeof(unsigned)) == 0;
	case KEY_BOOL:
		return *a == *b;
	case KEY_TEXT:
		return *s == *t || (*s && *t && strcmp(*s, *t) == 0);
	case KEY_CUSTOM:
	case KEY_MAP:
	case KEY_MISSING:
		break;
	}
	return true;
}

/* The keys of one table that differ, each on its line; `title` before the first. */
static void print_keys(const struct key *keys, const char *title, const char *at,
		       const char *default_at, FILE *out)
{
	bool is_titled = false;
	for (const struct key *k = keys; k->name; k++) {
		if (is_same(k, at + k->offset, default_at + k->offset))
			continue;
		if (!is_titled)
			fprintf(out, "%s:\n", title);
		is_titled = true;
		fprintf(out, "  %s: ", k->name);
		print_value(k, at + k->offset, out);
		fputc('\n', out);
	}
}

static void print_defaults(const struct policy *policy, const struct policy *base, FILE *out)
{
	char *body = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&body, &n);
	if (!f)
		return;
	const struct policy_config *c = &policy->config, *d = &base->config;
	const char *at = (const char *)&c->defaults, *default_at = (const char *)&d->defaults;
	print_keys(defaults_keys, "defaults", at, default_at, f);
	bool is_titled = ftell(f) > 0;
	const char *title = "  unknown_identity";
	for (const struct key *k = unknown_keys; k->name; k++) {
		if (is_same(k, at + k->offset, default_at + k->offset))
			continue;
		fprintf(f, "%s%s%s: ", title ? title : "", title ? ": {" : ", ", k->name);
		title = NULL;
		print_value(k, at + k->offset, f);
	}
	fputs(title ? "" : "}\n", f);
	if (memcmp(&c->on_failure, &d->on_failure, sizeof(c->on_failure)) != 0)
		fprintf(f, "  on_failure: {internal: %s, egress: %s, ingress: %s}\n",
			word_name(failure_words, c->on_failure.internal),
			word_name(failure_words, c->on_failure.egress),
			word_name(failure_words, c->on_failure.ingress));
	if (fclose(f) == 0 && n > 0)
		fprintf(out, "%s%s", is_titled ? "" : "defaults:\n", body);
	free(body);
}

static void print_sources(const struct policy_manage *m, FILE *out)
{
	char text[IP_ADDR_TEXT];
	fputs("  sources: [", out);
	for (size_t i = 0; i < m->n_sources; i++) {
		const struct identity_prefix *p = &m->sources[i];
		/* IPv4 prefixes count from 96 */
		unsigned length = ip_addr_is_v4(&p->addr) ? p->length - 96u : p->length;
		fprintf(out, "%s\"%s/%u\"", i ? ", " : "", ip_addr_print(&p->addr, text), length);
	}
	fputs("]\n", out);
}

static void print_manage_item(const struct policy_manage *m, FILE *out)
{
	fprintf(out, "- %s: ", word_name(manage_words, m->kind));
	print_scalar(m->pattern, out);
	fputc('\n', out);
	print_sources(m, out);
}

static void print_manage(const struct policy_config *config, FILE *out)
{
	if (config->n_manage)
		fputs("manage:\n", out);
	for (size_t i = 0; i < config->n_manage; i++) {
		char *text;
		const struct policy_manage *m = &config->manage[i];
		if (m->n_sources) {
			print_manage_item(m, out);
			continue;
		}
		if (asprintf(&text, "%s:%s", word_name(manage_words, m->kind), m->pattern) < 0)
			return;
		fputs("- ", out);
		print_scalar(text, out);
		fputc('\n', out);
		free(text);
	}
}

static void print_eve(const char *eve, const char *default_eve, FILE *out)
{
	if (eve && strcmp(eve, default_eve) == 0)
		return;
	fputs("output:\n  eve: ", out);
	if (eve)
		print_scalar(eve, out);
	else
		fputs("none", out);
	fputc('\n', out);
}

void config_print(const struct policy *policy, const struct policy *defaults, FILE *out)
{
	const struct policy_config *c = &policy->config, *d = &defaults->config;
	fprintf(out, "version: 1\nmode: %s\n", word_name(mode_words, c->mode));
	print_manage(c, out);
	print_defaults(policy, defaults, out);
	print_keys(engine_keys, "engine", (const char *)&c->engine, (const char *)&d->engine, out);
	print_keys(docker_keys, "docker", (const char *)&c->docker, (const char *)&d->docker, out);
	print_eve(c->output.eve, d->output.eve, out);
	if (policy->inventory_text) {
		fputs("inventory: ", out);
		print_scalar(policy->inventory_text, out);
		fputc('\n', out);
	}
}
