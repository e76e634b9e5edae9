/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Header, names and records. What a record's data must look like is in dns_types.c.
 *
 * What must stay true: a pointer leads to before the labels that it continues, so no name can loop,
 * and it is followed at most DNS_JUMPS_MAX times, so that the work for a message stays in
 * proportion to its length.
 */
#include "dns_types.h"

struct dns_reader dns_reader_at(struct bytes message, size_t at)
{
	struct dns_reader d = {.r = reader_of(message)};
	read_skip(&d.r, at);
	return d;
}

void dns_fail(struct dns_reader *d, const char *why)
{
	if (!reader_ok(&d->r))
		return;
	read_fail(&d->r);
	d->why = why;
}

/* ---------------------------------------------------------------- names */

static bool is_plain(uint8_t c)
{
	return c > ' ' && c < 0x7f && c != '.' && c != '\\';
}

/* There is room: a name has at most 255 octets, each at most four bytes of text. */
static void put_label(struct dns_name *out, struct bytes label)
{
	uint8_t *to = out->text + out->n;
	if (out->n)
		*to++ = '.';
	for (size_t i = 0; i < label.n; i++) {
		const uint8_t c = label.p[i];
		if (is_plain(c)) {
			*to++ = byte_lower(c);
			continue;
		}
		*to++ = '\\';
		*to++ = (uint8_t)('0' + c / 100);
		*to++ = (uint8_t)('0' + c / 10 % 10);
		*to++ = (uint8_t)('0' + c % 10);
	}
	out->n = (size_t)(to - out->text);
}

_Static_assert(DNS_NAME_TEXT_MAX >= 4 * DNS_NAME_MAX, "a name of escapes only fits");

/* Where in a name we are. start: of the labels that no pointer parts; end: of the name where it
 * stands. */
struct walk {
	struct reader at;
	size_t start, end, wire;
	unsigned jumps;
};

static const char *walk_jump(struct walk *w, uint8_t high)
{
	const size_t target = (size_t)(high & 0x3f) << 8 | read_u8(&w->at);
	if (!reader_ok(&w->at))
		return NULL;
	if (w->jumps == 0)
		w->end = w->at.pos;
	if (target < DNS_HEADER_SIZE)
		return "a name pointer into the header";
	if (target >= w->start)
		return "a name pointer that does not lead back";
	if (++w->jumps > DNS_JUMPS_MAX)
		return "too many name pointers";
	w->at.pos = w->start = target;
	return NULL;
}

static const char *walk_label(struct walk *w, uint8_t n, struct dns_name *out)
{
	w->wire += 1 + (size_t)n;
	if (w->wire > DNS_NAME_MAX)
		return "a name longer than 255 octets";
	const struct bytes label = read_bytes(&w->at, n);
	if (n && out)
		put_label(out, label);
	return NULL;
}

size_t dns_read_name(struct dns_reader *d, struct dns_name *out)
{
	struct walk w = {.at = d->r, .start = d->r.pos};
	const char *why = NULL;
	uint8_t n = 1;
	if (out)
		out->n = 0;
	while (n && !why && reader_ok(&w.at)) {
		n = read_u8(&w.at);
		if (!reader_ok(&w.at))
			break;
		if ((n & 0xc0) == 0xc0)
			why = walk_jump(&w, n);
		else
			why = n & 0xc0 ? "a label of an unknown kind" : walk_label(&w, n, out);
	}
	if (why)
		dns_fail(d, why);
	else if (reader_ok(&w.at))
		d->r.pos = w.jumps ? w.end : w.at.pos;
	else
		d->r = w.at;
	if (out && out->n == 0)
		out->text[out->n++] = '.';
	if (out)
		out->wire = w.wire;
	return w.wire;
}

/* One byte of a label in presentation form: itself, \X or \DDD. False: a bad escape. */
static bool next_byte(struct bytes *text, uint8_t *c)
{
	*c = text->p[0];
	*text = bytes_from(*text, 1);
	if (*c != '\\')
		return true;
	if (text->n == 0)
		return false;
	unsigned value = 0, digits = 0;
	while (digits < 3 && digits < text->n && text->p[digits] >= '0' && text->p[digits] <= '9')
		value = value * 10 + (unsigned)(text->p[digits++] - '0');
	if ((digits && digits < 3) || value > 255)
		return false;
	*c = digits ? (uint8_t)value : text->p[0];
	*text = bytes_from(*text, digits ? 3 : 1);
	return true;
}

size_t dns_name_to_wire(struct bytes text, uint8_t wire[DNS_NAME_MAX])
{
	size_t n = 1, length_at = 0;
	if (bytes_is(text, "."))
		text.n = 0;
	while (text.n) {
		const bool is_dot = text.p[0] == '.';
		uint8_t c;
		if (!next_byte(&text, &c))
			return 0;
		const size_t label = n - length_at - 1;
		if (is_dot ? label == 0 : label == 63)
			return 0;
		if (n == DNS_NAME_MAX)
			return 0;
		if (is_dot) {
			wire[length_at] = (uint8_t)label;
			length_at = n++;
		} else {
			wire[n++] = c;
		}
	}
	wire[length_at] = (uint8_t)(n - length_at - 1);
	if (wire[length_at] == 0)
		return n; /* the root, or a final dot */
	if (n == DNS_NAME_MAX)
		return 0;
	wire[n++] = 0;
	return n;
}

/* ---------------------------------------------------------------- header and question */

static void read_header(struct reader *r, struct dns_message *m)
{
	m->id = read_u16be(r);
	const uint16_t flags = read_u16be(r);
	m->is_reply = (flags & 0x8000) != 0;
	m->is_truncated = (flags & 0x0200) != 0;
	m->opcode = flags >> 11 & 0xf;
	m->rcode = flags & 0xf;
	for (int i = 0; i < DNS_SECTIONS; i++)
		m->counts[i] = read_u16be(r);
}

bool dns_read_head(struct dns_reader *d, struct dns_message *m)
{
	m->all = d->r.in;
	m->type = m->class = 0;
	m->name.n = m->name.wire = 0;
	read_header(&d->r, m);
	if (reader_ok(&d->r) && m->counts[DNS_QUESTION]) {
		dns_read_name(d, &m->name);
		m->type = read_u16be(&d->r);
		m->class = read_u16be(&d->r);
	}
	m->records_at = d->r.pos;
	return reader_ok(&d->r);
}

/* ---------------------------------------------------------------- records */

/* What follows the owner's name. */
static void read_fixed(struct dns_reader *d, struct dns_record *out)
{
	out->type = read_u16be(&d->r);
	out->class = read_u16be(&d->r);
	out->ttl = read_u32be(&d->r);
	out->data_n = read_u16be(&d->r);
	out->data_at = d->r.pos;
	read_skip(&d->r, out->data_n);
}

void dns_read_record(struct dns_reader *d, struct dns_record *out)
{
	dns_read_name(d, &out->owner);
	read_fixed(d, out);
}

/* has_opt, has_tsig: among the records so far. */
struct check {
	struct dns_message *m;
	bool has_opt, has_tsig;
};

static const char *check_opt(struct check *c, const struct dns_record *r, int section, size_t owner)
{
	if (section != DNS_ADDITIONAL)
		return "OPT outside the additional section";
	if (c->has_opt)
		return "OPT twice";
	if (owner != 1)
		return "OPT with a name";
	c->has_opt = true;
	c->m->rcode = (uint16_t)(c->m->rcode | (r->ttl >> 24) << 4);
	return NULL;
}

static const char *check_record(struct check *c, const struct dns_record *r, int section,
				size_t owner)
{
	if (c->has_tsig)
		return "a record behind TSIG";
	if (r->type == DNS_TYPE_TSIG && section != DNS_ADDITIONAL)
		return "TSIG outside the additional section";
	c->has_tsig = r->type == DNS_TYPE_TSIG;
	const char *why = r->type == DNS_TYPE_OPT ? check_opt(c, r, section, owner) : NULL;
	return why ? why : dns_check_data(c->m->all, r);
}

const char *dns_check_records(struct dns_message *m)
{
	struct dns_reader d = dns_reader_at(m->all, m->records_at);
	struct check c = {.m = m};
	struct dns_record r;
	for (int section = DNS_ANSWER; section < DNS_SECTIONS; section++)
		for (unsigned i = 0; i < m->counts[section]; i++) {
			const size_t owner = dns_read_name(&d, NULL);
			read_fixed(&d, &r);
			if (!reader_ok(&d.r))
				return d.why ? d.why : "fewer records than the header counts";
			const char *why = check_record(&c, &r, section, owner);
			if (why)
				return why;
		}
	return reader_left(&d.r) ? "bytes behind the message" : NULL;
}
