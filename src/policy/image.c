/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy/image.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* ---- reading ---- */

/* Slots are chosen by the lowest bits. Of IPv4 addresses in a subnet the last bytes differ, which
 * are the highest bits here: a product carries bits upwards only, so they are brought down before
 * and after each. */
uint32_t image_hash(const struct ip_addr *addr, uint8_t length)
{
	uint64_t a, b;
	memcpy(&a, addr->b, sizeof(a));
	memcpy(&b, addr->b + 8, sizeof(b));
	uint64_t h = (a ^ length) * UINT64_C(0x9e3779b97f4a7c15);
	h = (h ^ h >> 32 ^ b ^ b >> 32) * UINT64_C(0xd6e8feb86659fd93);
	h = (h ^ h >> 32) * UINT64_C(0xd6e8feb86659fd93);
	return (uint32_t)(h >> 32 ^ h);
}

struct ip_addr image_mask(const struct ip_addr *addr, uint8_t length)
{
	struct ip_addr out = {0};
	memcpy(out.b, addr->b, length / 8);
	if (length % 8)
		out.b[length / 8] = (uint8_t)(addr->b[length / 8] & (0xff00 >> (length % 8)));
	return out;
}

/* Linear probing ends at a free slot, or after all of them. */
static const struct image_address *find(const struct policy_image *image, struct image_table table,
					const struct ip_addr *addr, uint8_t length)
{
	const struct image_address *slots = image_at(image, table);
	uint32_t at = image_hash(addr, length);
	for (uint32_t i = 0; i < table.n; i++) {
		const struct image_address *s = &slots[(at + i) & (table.n - 1)];
		if (!(s->flags & ADDRESS_USED))
			return NULL;
		if (s->length == length && ip_addr_equal(&s->addr, addr))
			return s;
	}
	return NULL;
}

const struct image_address *image_find_owner(const struct policy_image *image,
					     const struct ip_addr *addr)
{
	const struct image_address *hit = find(image, image->addresses, addr, 128);
	for (uint32_t i = 0; !hit && i < image->n_lengths; i++) {
		struct ip_addr base = image_mask(addr, image->lengths[i]);
		hit = find(image, image->prefixes, &base, image->lengths[i]);
	}
	return hit;
}

struct policy_owner policy_owner(const struct policy_image *image, const struct ip_addr *addr)
{
	const struct image_address *hit = image_find_owner(image, addr);
	if (!hit) /* cannot be: compile always writes ::/0 */
		return (struct policy_owner){.identity = UINT32_MAX};
	struct policy_owner owner = {
		.identity = hit->identity,
		.is_known = hit->flags & ADDRESS_KNOWN,
		.is_container = hit->flags & ADDRESS_CONTAINER,
		.has_mac = hit->flags & ADDRESS_HAS_MAC,
	};
	memcpy(owner.mac, hit->mac, sizeof(owner.mac));
	return owner;
}

const struct policy_settings *policy_settings(const struct policy_image *image)
{
	return &image->settings;
}

const char *policy_rule_name(const struct policy_image *image, uint32_t rule)
{
	if (rule >= image->rules.n)
		return "";
	return image_string(image, image_rules(image)[rule].name);
}

const char *policy_identity_name(const struct policy_image *image, uint32_t identity)
{
	if (identity >= image->identities.n)
		return "";
	const struct image_identity *identities = image_at(image, image->identities);
	return image_string(image, identities[identity].name);
}

/* ---- checking ---- */

static bool table_fits(const struct policy_image *image, struct image_table table, size_t size,
		       size_t alignment)
{
	return table.at % alignment == 0 && table.at >= sizeof(*image) && table.at <= image->size &&
	       table.n <= (image->size - table.at) / size;
}

static bool range_fits(uint32_t first, uint32_t n, struct image_table table)
{
	return first <= table.n && n <= table.n - first;
}

static bool is_string(const struct policy_image *image, uint32_t at)
{
	return at < image->strings.n;
}

static bool tables_fit(const struct policy_image *image)
{
#define FITS(table, type) table_fits(image, image->table, sizeof(type), _Alignof(type))
	return FITS(rules, struct image_rule) && FITS(items, struct image_item) &&
	       FITS(keys, struct image_key) && FITS(values, struct image_value) &&
	       FITS(ports, struct port_range) && FITS(identities, struct image_identity) &&
	       FITS(rows, uint64_t) && FITS(addresses, struct image_address) &&
	       FITS(prefixes, struct image_address) && FITS(strings, char) &&
	       FITS(machines, struct image_machine) && FITS(steps, uint16_t);
#undef FITS
}

static bool is_verdict(uint32_t v)
{
	return v == VERDICT_ALLOW || v == VERDICT_DENY;
}

static bool settings_are_good(const struct policy_settings *s)
{
	return (unsigned)s->mode <= MODE_ENFORCE && (unsigned)s->midstream <= VERDICT_DENY &&
	       (unsigned)s->refuse <= POLICY_REFUSE_DROP && is_verdict(s->unknown_then) &&
	       is_verdict(s->malformed) && is_verdict(s->unidentified);
}

static bool identities_are_good(const struct policy_image *image)
{
	const struct image_identity *p = image_at(image, image->identities);
	size_t width = image_sums(image) + image->n_words;
	size_t n_sets = width ? image->rows.n / (2 * width) : UINT32_MAX;
	for (uint32_t i = 0; i < image->identities.n; i++)
		if (!is_string(image, p[i].name) || p[i].set >= n_sets)
			return false;
	return true;
}

static bool slots_are_good(const struct policy_image *image, struct image_table table)
{
	const struct image_address *p = image_at(image, table);
	if (table.n == 0 || (table.n & (table.n - 1)) != 0)
		return false;
	for (uint32_t i = 0; i < table.n; i++)
		if (p[i].flags & ADDRESS_USED && p[i].identity >= image->identities.n)
			return false;
	for (uint32_t i = 0; i < image->n_lengths; i++)
		if (image->lengths[i] > 128)
			return false;
	return true;
}

static bool rule_is_good(const struct policy_image *image, const struct image_rule *r)
{
	if (!is_string(image, r->name) || !is_string(image, r->from) || !is_string(image, r->to) ||
	    !is_string(image, r->port))
		return false;
	if (app_is_raw(r->app) ? r->app > APP_ICMP || r->n_items : r->app >= n_dissectors)
		return false;
	if (r->apps != app_set(r->app))
		return false;
	return r->action <= RULE_DENY && r->mode <= MODE_ENFORCE && r->log <= LOG_SAMPLE &&
	       r->tls >= TLS_ANY && r->tls <= TLS_REQUIRE &&
	       (r->log != LOG_SAMPLE || r->log_sample) &&
	       range_fits(r->ports, r->n_ports, image->ports) &&
	       range_fits(r->items, r->n_items, image->items);
}

static bool key_is_good(const struct policy_image *image, const struct image_key *k)
{
	return k->type <= DIS_NUMBER && k->match <= DIS_MATCH_WORD && is_string(image, k->want) &&
	       range_fits(k->values, k->n_values, image->values);
}

static bool value_is_good(const struct policy_image *image, const struct image_value *v)
{
	return is_string(image, v->text) && v->length < image->strings.n - v->text &&
	       v->machine <= image->machines.n;
}

static bool machine_is_good(const struct image_machine *m, const uint16_t *steps)
{
	if (m->n_states < 2 || m->n_classes == 0)
		return false;
	for (size_t i = 0; i < sizeof(m->class_of); i++)
		if (m->class_of[i] >= m->n_classes)
			return false;
	for (size_t i = 0; i < machine_n_steps(m->n_states, m->n_classes); i++)
		if (steps[i] >= m->n_states)
			return false;
	return true;
}

/* One behind the other, so that each step is looked at once. */
static bool machines_are_good(const struct policy_image *image)
{
	const struct image_machine *m = image_at(image, image->machines);
	const uint16_t *steps = image_at(image, image->steps);
	size_t next = 0;
	for (uint32_t i = 0; i < image->machines.n; i++) {
		size_t n = machine_n_steps(m[i].n_states, m[i].n_classes);
		if (m[i].steps != next || n > image->steps.n - next ||
		    !machine_is_good(&m[i], steps + next))
			return false;
		next += n;
	}
	return true;
}

/* The fields of a rule's keys are those of its application. Items are not shared between rules of
 * two applications: compile writes them anew for each rule, so the work is bounded by the tables.
 */
static bool fields_are_good(const struct policy_image *image, const struct image_rule *r)
{
	for (uint32_t i = 0; i < r->n_items; i++) {
		const struct image_item *item = &image_items(image)[r->items + i];
		for (uint32_t k = 0; k < item->n_keys; k++)
			if (image_keys(image)[item->keys + k].field >= dissectors[r->app]->n_fields)
				return false;
	}
	return true;
}

static bool rules_are_good(const struct policy_image *image)
{
	for (uint32_t i = 0; i < image->values.n; i++)
		if (!value_is_good(image, &image_values(image)[i]))
			return false;
	for (uint32_t i = 0; i < image->keys.n; i++)
		if (!key_is_good(image, &image_keys(image)[i]))
			return false;
	for (uint32_t i = 0; i < image->items.n; i++)
		if (!range_fits(image_items(image)[i].keys, image_items(image)[i].n_keys,
				image->keys))
			return false;
	for (uint32_t i = 0; i < image->rules.n; i++)
		if (!rule_is_good(image, &image_rules(image)[i]) ||
		    !fields_are_good(image, &image_rules(image)[i]))
			return false;
	return image->n_words == (image->rules.n + 63) / 64;
}

static uint64_t mix(uint64_t h, const void *data, size_t n)
{
	const uint8_t *p = data;
	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	return h;
}

static uint64_t mix_text(uint64_t h, const char *text)
{
	return text ? mix(h, text, strlen(text) + 1) : mix(h, "\xff", 1);
}

uint64_t image_protocols(void)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < n_dissectors; i++) {
		const struct dissector *d = dissectors[i];
		h = mix_text(h, d->name);
		h = mix_text(h, d->variant_of ? d->variant_of->name : NULL);
		for (size_t f = 0; f < d->n_fields; f++) {
			h = mix_text(h, d->fields[f].name);
			h = mix_text(h, d->fields[f].key);
			h = mix(h, &d->fields[f].type, sizeof(d->fields[f].type));
			h = mix(h, &d->fields[f].match, sizeof(d->fields[f].match));
		}
	}
	return h;
}

bool image_check(const void *data, size_t size)
{
	const struct policy_image *image = data;
	if (size < sizeof(*image) || memcmp(image->magic, IMAGE_MAGIC, sizeof(image->magic)) != 0 ||
	    image->layout != IMAGE_LAYOUT || image->size != size ||
	    image->protocols != image_protocols() || image->n_lengths > sizeof(image->lengths))
		return false;
	if (!tables_fit(image) || image->strings.n == 0 ||
	    *image_string(image, image->strings.n - 1) != '\0')
		return false;
	return settings_are_good(&image->settings) && is_verdict(image->internal) &&
	       is_verdict(image->egress) && is_verdict(image->ingress) &&
	       identities_are_good(image) && slots_are_good(image, image->addresses) &&
	       slots_are_good(image, image->prefixes) && machines_are_good(image) &&
	       rules_are_good(image);
}

int policy_image_map(int fd, const struct policy_image **image)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size < (off_t)sizeof(struct policy_image))
		return -EBADMSG;
	size_t size = (size_t)st.st_size;
	void *data = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	if (data == MAP_FAILED)
		return -errno;
	if (!image_check(data, size)) {
		(void)munmap(data, size); /* it was just mapped */
		return -EBADMSG;
	}
	*image = data;
	return 0;
}

void policy_image_unmap(const struct policy_image *image)
{
	if (image)
		(void)munmap((void *)(uintptr_t)image, image->size); /* what map returned */
}
