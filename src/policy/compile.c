/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes the image: match.c and rows.c find out what is in it. */
#include "policy/compile.h"

#include "policy/image.h"
#include "policy/match.h"
#include "policy/rows.h"
#include "policy/rules.h"
#include "policy/selector.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SECTION_ALIGNMENT = 8 };

/* A growing section of the image. After `failed` nothing more is written. */
struct section {
	char *data;
	size_t n, room;
	bool failed;
};

struct writing {
	const struct policy *policy;
	const struct policy_inputs *inputs;
	struct matching matching;
	uint32_t *rules; /* those that have not expired */
	size_t n_rules;
	struct section rule_section, items, keys, values, ports, identities, addresses, prefixes,
		strings, machines, steps;
	struct strmap string_offsets;
	uint64_t *rows;
	size_t n_words;
	uint8_t lengths[132];
	uint32_t n_lengths;
};

static void section_fini(struct section *s)
{
	free(s->data);
	*s = (struct section){0};
}

/* Where the n bytes went, as an offset in the section. */
static size_t section_add(struct section *s, const void *data, size_t n)
{
	if (s->n + n > s->room && !s->failed) {
		size_t room = s->room ? s->room * 2 : 256;
		while (room < s->n + n)
			room *= 2;
		char *more = realloc(s->data, room);
		s->failed = !more;
		if (more) {
			s->data = more;
			s->room = room;
		}
	}
	if (s->failed)
		return 0;
	size_t at = s->n;
	memcpy(s->data + at, data, n);
	s->n += n;
	return at;
}

static uint32_t add_string(struct writing *w, const char *text)
{
	size_t n = strlen(text);
	uint32_t at = strmap_find(&w->string_offsets, text, n);
	if (at != STRMAP_NONE)
		return at;
	at = (uint32_t)section_add(&w->strings, text, n + 1);
	if (strmap_put(&w->string_offsets, text, n, at) < 0)
		w->strings.failed = true;
	return at;
}

/* ---- rules ---- */

/* Texts for explanations are written through a stream. */
struct text {
	FILE *f;
	char *data;
	size_t n;
};

static bool text_open(struct writing *w, struct text *t)
{
	*t = (struct text){0};
	t->f = open_memstream(&t->data, &t->n);
	w->strings.failed |= !t->f;
	return t->f != NULL;
}

static uint32_t text_close(struct writing *w, struct text *t)
{
	uint32_t at = 0;
	if (fclose(t->f) == 0)
		at = add_string(w, t->data);
	else
		w->strings.failed = true;
	free(t->data);
	return at;
}

static uint32_t describe(struct writing *w, const struct expr *expr)
{
	struct text t;
	if (!text_open(w, &t))
		return 0;
	selector_describe(w->policy, expr, t.f);
	return text_close(w, &t);
}

static uint32_t describe_ports(struct writing *w, const struct rule *rule)
{
	struct text t;
	if (!text_open(w, &t))
		return 0;
	if (rule->n_ports == 0)
		fputs("any", t.f);
	for (size_t i = 0; i < rule->n_ports; i++) {
		fprintf(t.f, "%s%u", i ? ", " : "", rule->ports[i].low);
		if (rule->ports[i].low != rule->ports[i].high)
			fprintf(t.f, "-%u", rule->ports[i].high);
	}
	return text_close(w, &t);
}

static uint32_t describe_values(struct writing *w, const struct constraint *c)
{
	struct text t;
	if (!text_open(w, &t))
		return 0;
	for (size_t i = 0; i < c->n_values; i++)
		fprintf(t.f, "%s%s", i ? ", " : "", c->values[i].text);
	return text_close(w, &t);
}

static void add_value(struct writing *w, const char *text, const struct constraint_value *from)
{
	struct image_value v = {.text = add_string(w, text),
				.length = (uint32_t)strlen(text),
				.low = from ? from->low : 0,
				.high = from ? from->high : 0,
				.machine = from ? from->machine : 0};
	(void)section_add(&w->values, &v, sizeof(v)); /* the index is the count before */
}

static int compare_words(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

struct words {
	char **v;
	size_t n;
	bool failed;
};

static void words_add(struct words *words, const char *word)
{
	char **slot = ARRAY_ADD(words->v, words->n);
	if (!slot) {
		words->failed = true;
		return;
	}
	*slot = strdup(word);
	words->failed |= !*slot;
	for (char *p = *slot; p && *p; p++)
		*p = (char)byte_lower((uint8_t)*p);
}

/* A word stands for itself, a group for its members. */
static void words_expand(struct words *words, const struct dis_field *field, const char *text)
{
	const struct dis_group *g = field->groups;
	while (g && g->name && !bytes_is_nocase(bytes_str(text), g->name))
		g++;
	if (!g || !g->name) {
		words_add(words, text);
		return;
	}
	for (size_t i = 0; g->members[i]; i++)
		words_add(words, g->members[i]);
}

static void add_words(struct writing *w, const struct dis_field *field, const struct constraint *c)
{
	struct words words = {0};
	for (size_t i = 0; i < c->n_values; i++)
		words_expand(&words, field, c->values[i].text);
	w->values.failed |= words.failed;
	if (!words.failed && words.n > 1)
		qsort(words.v, words.n, sizeof(*words.v), compare_words);
	for (size_t i = 0; i < words.n; i++) {
		if (!words.failed && (i == 0 || strcmp(words.v[i - 1], words.v[i]) != 0))
			add_value(w, words.v[i], NULL);
	}
	for (size_t i = 0; i < words.n; i++)
		free(words.v[i]);
	free(words.v);
}

static uint32_t count_of(const struct section *s, size_t size)
{
	return (uint32_t)(s->n / size);
}

static void add_key(struct writing *w, const struct rule *rule, const struct constraint *c)
{
	const struct dis_field *field = &dissectors[rule->app]->fields[c->field];
	struct image_key k = {
		.field = c->field,
		.type = (uint8_t)field->type,
		.match = (uint8_t)field->match,
		.values = count_of(&w->values, sizeof(struct image_value)),
		.want = describe_values(w, c),
		.is_reply = field_is_of_replies(rule->app, c->field),
	};
	if (field->type == DIS_STRING && field->match == DIS_MATCH_WORD)
		add_words(w, field, c);
	else
		for (size_t i = 0; i < c->n_values; i++)
			add_value(w, c->values[i].text, &c->values[i]);
	k.n_values = count_of(&w->values, sizeof(struct image_value)) - k.values;
	(void)section_add(&w->keys, &k, sizeof(k)); /* the index is the count before */
}

static void add_items(struct writing *w, const struct rule *rule)
{
	for (size_t i = 0; i < rule->n_items; i++) {
		const struct constraint_item *item = &rule->items[i];
		struct image_item out = {
			.keys = count_of(&w->keys, sizeof(struct image_key)),
			.n_keys = (uint32_t)item->n_keys,
			.allows_unparsed = item->allows_unparsed,
		};
		for (size_t k = 0; k < item->n_keys; k++)
			add_key(w, rule, &item->keys[k]);
		(void)section_add(&w->items, &out, sizeof(out)); /* the index is the count before */
	}
}

static bool has_reply_keys(const struct rule *rule)
{
	for (size_t i = 0; i < rule->n_items; i++)
		for (size_t k = 0; k < rule->items[i].n_keys; k++)
			if (field_is_of_replies(rule->app, rule->items[i].keys[k].field))
				return true;
	return false;
}

static void add_rule(struct writing *w, const struct rule *rule)
{
	struct image_rule r = {
		.apps = app_set(rule->app),
		.name = add_string(w, rule->name),
		.from = describe(w, &rule->from),
		.to = describe(w, &rule->to),
		.port = describe_ports(w, rule),
		.ports = count_of(&w->ports, sizeof(struct port_range)),
		.n_ports = (uint32_t)rule->n_ports,
		.items = count_of(&w->items, sizeof(struct image_item)),
		.n_items = (uint32_t)rule->n_items,
		.app = rule->app,
		.action = (uint8_t)rule->action,
		.mode = (uint8_t)rule_mode(w->policy, rule),
		.log = (uint8_t)rule->log,
		.tls = (uint8_t)rule_tls(rule),
		.has_reply_keys = has_reply_keys(rule),
		.log_sample = rule->log == LOG_SAMPLE ? rule->log_sample : 1,
	};
	if (rule->n_ports)
		(void)section_add(&w->ports, rule->ports, rule->n_ports * sizeof(*rule->ports));
	add_items(w, rule);
	(void)section_add(&w->rule_section, &r, sizeof(r)); /* rules are in the order of bits */
}

static bool is_active(const struct policy_inputs *inputs, const struct rule *rule)
{
	if (rule->is_expired)
		return false;
	return !rule->has_expires || inputs->today == 0 ||
	       date_days(rule->expires_year, rule->expires_month, rule->expires_day) >=
		       inputs->today;
}

static int choose_rules(struct writing *w)
{
	w->rules = calloc(w->policy->n_rules + 1, sizeof(*w->rules));
	if (!w->rules)
		return -ENOMEM;
	for (size_t i = 0; i < w->policy->n_rules; i++)
		if (is_active(w->inputs, &w->policy->rules[i]))
			w->rules[w->n_rules++] = (uint32_t)i;
	for (size_t i = 0; i < w->n_rules; i++)
		add_rule(w, &w->policy->rules[w->rules[i]]);
	return 0;
}

static void add_machines(struct writing *w)
{
	for (size_t i = 0; i < w->policy->n_machines; i++) {
		const struct machine *m = &w->policy->machines[i];
		struct image_machine out = {
			.steps = count_of(&w->steps, sizeof(*m->steps)),
			.n_states = m->n_states,
			.n_classes = m->n_classes,
		};
		memcpy(out.class_of, m->class_of, sizeof(out.class_of));
		size_t n = machine_n_steps(m->n_states, m->n_classes) * sizeof(*m->steps);
		(void)section_add(&w->steps, m->steps, n);
		(void)section_add(&w->machines, &out, sizeof(out)); /* numbered in this order */
	}
}

/* ---- identities and addresses ---- */

static void add_identities(struct writing *w)
{
	for (size_t i = 0; i < w->matching.n_identities; i++) {
		const struct identity_entry *e = &w->matching.identities[i];
		char name[POLICY_NAME_MAX];
		(void)snprintf(name, sizeof(name), "%s", e->name); /* records hold no more */
		struct image_identity out = {
			.name = add_string(w, name), .set = e->set, .fence = e->fence};
		(void)section_add(&w->identities, &out, sizeof(out)); /* numbered in this order */
	}
}

/* A hash of at most half its slots. */
static void add_slots(struct section *section, const struct owned *owned, size_t n)
{
	size_t n_slots = 2;
	while (n_slots < n * 2)
		n_slots *= 2;
	struct image_address *slots = calloc(n_slots, sizeof(*slots));
	if (!slots) {
		section->failed = true;
		return;
	}
	for (size_t i = 0; i < n; i++) {
		size_t at = image_hash(&owned[i].addr, owned[i].length) & (n_slots - 1);
		while (slots[at].flags)
			at = (at + 1) & (n_slots - 1);
		slots[at] = (struct image_address){
			.addr = owned[i].addr,
			.identity = owned[i].identity,
			.flags = owned[i].flags,
			.length = owned[i].length,
		};
		memcpy(slots[at].mac, owned[i].mac, sizeof(slots[at].mac));
	}
	(void)section_add(section, slots, n_slots * sizeof(*slots)); /* the only entry */
	free(slots);
}

static void list_lengths(struct writing *w)
{
	bool seen[129] = {false};
	for (size_t i = 0; i < w->matching.n_prefixes; i++)
		seen[w->matching.prefixes[i].length] = true;
	for (int length = 128; length >= 0; length--)
		if (seen[length])
			w->lengths[w->n_lengths++] = (uint8_t)length;
}

static int fill_rows(struct writing *w)
{
	w->n_words = (w->n_rules + 63) / 64;
	size_t n = w->matching.n_sets * 2 * (image_sums_of(w->n_words) + w->n_words);
	w->rows = calloc(n + 1, sizeof(*w->rows));
	if (!w->rows)
		return -ENOMEM;
	return rows_fill(w->policy, w->rules, w->n_rules, &w->matching, w->rows, w->n_words);
}

/* ---- the image ---- */

static void fill_settings(const struct writing *w, struct policy_settings *s)
{
	const struct policy_config *c = &w->policy->config;
	s->generation = w->inputs->generation;
	s->epoch = w->inputs->epoch;
	s->mode = c->mode;
	s->enforces = policy_enforces(w->policy);
	s->unknown_hold_ms = (uint32_t)c->defaults.unknown_hold_ms;
	s->unknown_then = c->defaults.unknown_then;
	s->midstream = c->defaults.midstream;
	s->malformed = c->defaults.malformed;
	s->unidentified = c->defaults.unidentified;
	s->refuse = c->defaults.refuse;
	s->mark_mask = (uint32_t)c->engine.connmark_mask;
}

static void place_table(struct image_table *table, size_t *at, size_t n_bytes, size_t size)
{
	table->at = (uint32_t)*at;
	table->n = (uint32_t)(n_bytes / size);
	*at += (n_bytes + SECTION_ALIGNMENT - 1) / SECTION_ALIGNMENT * SECTION_ALIGNMENT;
}

static void copy_table(struct policy_image *image, struct image_table table,
		       const struct section *section)
{
	if (section->n)
		memcpy((char *)image + table.at, section->data, section->n);
}

static size_t place_tables(const struct writing *w, struct policy_image *image)
{
	size_t at = sizeof(*image);
	size_t n_rows = w->matching.n_sets * 2 * (image_sums_of(w->n_words) + w->n_words) *
			sizeof(uint64_t);
	place_table(&image->rules, &at, w->rule_section.n, sizeof(struct image_rule));
	place_table(&image->items, &at, w->items.n, sizeof(struct image_item));
	place_table(&image->keys, &at, w->keys.n, sizeof(struct image_key));
	place_table(&image->values, &at, w->values.n, sizeof(struct image_value));
	place_table(&image->ports, &at, w->ports.n, sizeof(struct port_range));
	place_table(&image->identities, &at, w->identities.n, sizeof(struct image_identity));
	place_table(&image->addresses, &at, w->addresses.n, sizeof(struct image_address));
	place_table(&image->prefixes, &at, w->prefixes.n, sizeof(struct image_address));
	place_table(&image->strings, &at, w->strings.n, 1);
	place_table(&image->machines, &at, w->machines.n, sizeof(struct image_machine));
	place_table(&image->steps, &at, w->steps.n, sizeof(uint16_t));
	place_table(&image->rows, &at, n_rows, sizeof(uint64_t));
	return at;
}
_Static_assert(sizeof(struct policy_image) % SECTION_ALIGNMENT == 0, "tables start aligned");

static void fill_image(const struct writing *w, struct policy_image *image)
{
	memcpy(image->magic, IMAGE_MAGIC, sizeof(image->magic));
	image->layout = IMAGE_LAYOUT;
	image->protocols = image_protocols();
	fill_settings(w, &image->settings);
	image->internal = w->policy->config.defaults.internal;
	image->egress = w->policy->config.defaults.egress;
	image->ingress = w->policy->config.defaults.ingress;
	image->n_words = (uint32_t)w->n_words;
	image->n_lengths = w->n_lengths;
	memcpy(image->lengths, w->lengths, sizeof(w->lengths));
}

static int assemble(const struct writing *w, struct policy_blob *out, struct error *err)
{
	struct policy_image head;
	memset(&head, 0, sizeof(head)); /* padding, too, is part of the image */
	size_t size = place_tables(w, &head);
	if (size > UINT32_MAX)
		return error_set(err, -E2BIG, "the compiled policy would exceed 4 GiB");
	head.size = (uint32_t)size;
	fill_image(w, &head);
	struct policy_image *image = calloc(1, size);
	if (!image)
		return -ENOMEM;
	memcpy(image, &head, sizeof(head));
	copy_table(image, head.rules, &w->rule_section);
	copy_table(image, head.items, &w->items);
	copy_table(image, head.keys, &w->keys);
	copy_table(image, head.values, &w->values);
	copy_table(image, head.ports, &w->ports);
	copy_table(image, head.identities, &w->identities);
	copy_table(image, head.addresses, &w->addresses);
	copy_table(image, head.prefixes, &w->prefixes);
	copy_table(image, head.strings, &w->strings);
	copy_table(image, head.machines, &w->machines);
	copy_table(image, head.steps, &w->steps);
	memcpy((char *)image + head.rows.at, w->rows, head.rows.n * sizeof(uint64_t));
	*out = (struct policy_blob){.data = image, .size = size};
	return 0;
}

static bool has_failed(const struct writing *w)
{
	return w->rule_section.failed || w->items.failed || w->keys.failed || w->values.failed ||
	       w->ports.failed || w->identities.failed || w->addresses.failed ||
	       w->prefixes.failed || w->strings.failed || w->machines.failed || w->steps.failed;
}

static int write_sections(struct writing *w)
{
	(void)add_string(w, ""); /* offset 0: what a failed lookup prints */
	add_machines(w);
	int e = choose_rules(w);
	if (e == 0)
		e = matching_build(w->policy, w->inputs, &w->matching);
	if (e < 0)
		return e;
	add_identities(w);
	add_slots(&w->addresses, w->matching.addresses, w->matching.n_addresses);
	add_slots(&w->prefixes, w->matching.prefixes, w->matching.n_prefixes);
	list_lengths(w);
	e = fill_rows(w);
	return e == 0 && has_failed(w) ? -ENOMEM : e;
}

static void writing_fini(struct writing *w)
{
	section_fini(&w->rule_section);
	section_fini(&w->items);
	section_fini(&w->keys);
	section_fini(&w->values);
	section_fini(&w->ports);
	section_fini(&w->identities);
	section_fini(&w->addresses);
	section_fini(&w->prefixes);
	section_fini(&w->strings);
	section_fini(&w->machines);
	section_fini(&w->steps);
	strmap_fini(&w->string_offsets);
	matching_fini(&w->matching);
	free(w->rules);
	free(w->rows);
}

int policy_compile(const struct policy *policy, const struct policy_inputs *inputs,
		   struct policy_blob *out, struct error *err)
{
	struct writing w = {.policy = policy, .inputs = inputs};
	*out = (struct policy_blob){0};
	int e = write_sections(&w);
	if (e == 0)
		e = assemble(&w, out, err);
	if (e == -ENOMEM)
		error_set(err, e, "no memory to compile the policy");
	writing_fini(&w);
	return e;
}

void policy_blob_free(struct policy_blob *blob)
{
	free(blob->data);
	*blob = (struct policy_blob){0};
}

const struct policy_image *policy_image_of(const struct policy_blob *blob)
{
	return blob->data;
}

/* ---- publishing ---- */

static int write_all(int fd, const char *data, size_t n)
{
	while (n > 0) {
		ssize_t wrote = write(fd, data, n);
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0)
			return -errno;
		data += wrote;
		n -= (size_t)wrote;
	}
	return 0;
}

int policy_publish(const struct policy_blob *blob, int *fd_out)
{
	int fd = memfd_create("bridgewarden-policy", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	int e = write_all(fd, blob->data, blob->size);
	if (e == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		e = -errno;
	if (e < 0) {
		(void)close(fd); /* nothing in it is needed */
		return e;
	}
	*fd_out = fd;
	return 0;
}
