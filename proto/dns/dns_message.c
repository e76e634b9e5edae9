/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Header, names and records. What a record's data must look like is in dns_types.c.
 *
 * What must stay true: a pointer leads to before the labels that it continues, and what stands
 * there ends before the name, so no name can loop; at most DNS_JUMPS_MAX are followed. The work for
 * a message stays in proportion to its length: no name to which a pointer leads is walked twice
 * (struct dns_memo), and the text written is bounded by who asks for it.
 */
#include "dns_types.h"

/* FNV-1a, folded. */
uint64_t dns_hash(uint64_t h, struct bytes b)
{
	for (size_t i = 0; i < b.n; i++)
		h = (h ^ b.p[i]) * UINT64_C(0x100000001b3);
	return h ^ h >> 32;
}

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

enum { STEPS_MAX = DNS_NAME_MAX / 2 + DNS_JUMPS_MAX + 4 }; /* labels, pointers, the end */

/* One place of a name behind its first pointer, and what lay before it. */
struct step {
	uint16_t at;
	uint8_t wire, jumps;
};

/* Where in a name we are. start: of the labels that no pointer parts; first: of the name where it
 * stands, end: the end there; what pointers lead to ends before it. trail: the places passed, from
 * `run` on without a pointer between; for the memo alone. */
struct walk {
	struct reader at;
	size_t start, first, end, wire;
	unsigned jumps;
	struct dns_memo *memo;
	size_t n_trail, run;
	struct step trail[STEPS_MAX];
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
	for (; w->run < w->n_trail; w->run++)
		w->memo->next[w->trail[w->run].at] = (uint16_t)target;
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

/* Of the name that goes on here all is known: it was found right, and its next pointer leads to
 * before the labels that it now continues. */
static bool is_known(const struct walk *w)
{
	const struct dns_memo *m = w->memo;
	return m && w->jumps && w->at.pos < DNS_POINTABLE && m->wire[w->at.pos] &&
	       m->next[w->at.pos] < w->start;
}

static const char *walk_known(struct walk *w)
{
	const struct dns_memo *m = w->memo;
	w->wire += m->wire[w->at.pos];
	w->jumps += m->jumps[w->at.pos];
	for (size_t i = w->run; i < w->n_trail; i++)
		w->memo->next[w->trail[i].at] = m->next[w->at.pos];
	if (w->wire > DNS_NAME_MAX)
		return "a name longer than 255 octets";
	return w->jumps > DNS_JUMPS_MAX ? "too many name pointers" : NULL;
}

static void note_step(struct walk *w)
{
	if (!w->memo || !w->jumps || w->at.pos >= DNS_POINTABLE)
		return;
	w->memo->next[w->at.pos] = 0;
	w->trail[w->n_trail++] = (struct step){
		.at = (uint16_t)w->at.pos, .wire = (uint8_t)w->wire, .jumps = (uint8_t)w->jumps};
}

/* The name is right: so is each that begins within it. */
static void note_trail(const struct walk *w)
{
	for (size_t i = 0; i < w->n_trail; i++) {
		const struct step *s = &w->trail[i];
		w->memo->wire[s->at] = (uint8_t)(w->wire - s->wire);
		w->memo->jumps[s->at] = (uint8_t)(w->jumps - s->jumps);
	}
}

/* One label, one pointer, or the end. */
static const char *walk_step(struct walk *w, struct dns_name *out, bool *is_end)
{
	note_step(w);
	const uint8_t n = read_u8(&w->at);
	const bool is_pointer = (n & 0xc0) == 0xc0;
	*is_end = !reader_ok(&w->at) || n == 0;
	if (!reader_ok(&w->at))
		return NULL;
	if (w->jumps && w->at.pos + (is_pointer ? 1 : n) > w->first)
		return "a name that runs into its own pointer";
	if (is_pointer)
		return walk_jump(w, n);
	return n & 0xc0 ? "a label of an unknown kind" : walk_label(w, n, out);
}

size_t dns_read_name(struct dns_reader *d, struct dns_name *out)
{
	struct walk w;
	const char *why = NULL;
	bool is_end = false;
	w.at = d->r;
	w.start = w.first = d->r.pos;
	w.end = w.wire = w.jumps = 0;
	w.n_trail = w.run = 0;
	w.memo = out ? NULL : d->memo;
	if (out)
		out->n = 0;
	while (!is_end && !why && reader_ok(&w.at)) {
		is_end = is_known(&w);
		why = is_end ? walk_known(&w) : walk_step(&w, out, &is_end);
	}
	if (why) {
		dns_fail(d, why);
	} else if (reader_ok(&w.at)) {
		d->r.pos = w.jumps ? w.end : w.at.pos;
		note_trail(&w);
	} else {
		d->r = w.at;
	}
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

void dns_read_fixed(struct dns_reader *d, struct dns_record *out)
{
	out->type = read_u16be(&d->r);
	out->class = read_u16be(&d->r);
	out->ttl = read_u32be(&d->r);
	out->data_n = read_u16be(&d->r);
	out->data_at = d->r.pos;
	read_skip(&d->r, out->data_n);
}

/* The pointer that stands here, or 0. */
static uint16_t pointer_at(const struct dns_reader *d)
{
	const struct bytes two = bytes_slice(d->r.in, d->r.pos, 2);
	return two.n == 2 && two.p[0] >= 0xc0 ? (uint16_t)(two.p[0] << 8 | two.p[1]) : 0;
}

bool dns_read_record(struct dns_reader *d, struct dns_record *out)
{
	const uint16_t pointer = pointer_at(d);
	const bool is_new = !pointer || pointer != out->owner_pointer;
	out->owner_pointer = pointer;
	if (is_new)
		dns_read_name(d, &out->owner);
	else
		read_skip(&d->r, 2);
	dns_read_fixed(d, out);
	return is_new;
}

/* has_opt, has_tsig: among the records so far. */
struct check {
	struct dns_message *m;
	struct dns_memo *memo;
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
	return why ? why : dns_check_data(c->m->all, r, c->memo);
}

const char *dns_check_records(struct dns_message *m)
{
	struct dns_memo memo;
	memset(memo.wire, 0, m->all.n < DNS_POINTABLE ? m->all.n : DNS_POINTABLE);
	struct dns_reader d = dns_reader_at(m->all, m->records_at);
	d.memo = &memo;
	struct check c = {.m = m, .memo = &memo};
	struct dns_record r;
	for (int section = DNS_ANSWER; section < DNS_SECTIONS; section++)
		for (unsigned i = 0; i < m->counts[section]; i++) {
			const size_t owner = dns_read_name(&d, NULL);
			dns_read_fixed(&d, &r);
			if (!reader_ok(&d.r))
				return d.why ? d.why : "fewer records than the header counts";
			const char *why = check_record(&c, &r, section, owner);
			if (why)
				return why;
		}
	return reader_left(&d.r) ? "bytes behind the message" : NULL;
}
