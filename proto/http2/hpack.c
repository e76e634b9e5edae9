/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Huffman code is canonical: codes of one length are consecutive numbers in the order of their
 * symbols, so a row per length is the whole table.
 */
#include "hpack.h"

#include "http2_fields.h"

enum {
	INTEGER_OCTETS_MAX = 4, /* behind the prefix; more than any length here needs */
	STATIC_ENTRIES = 61,
	UPDATES_MAX = 2, /* RFC 7541 section 4.2: the smallest in between, and the last */
	NOTHING = 256,	 /* EOS, the symbol that stands in no string */
};

/* Codes of `bits` bits, aligned to the left of 32: from first to last; symbols[at] is the first. */
struct code {
	uint8_t bits;
	uint16_t at;
	uint32_t first, last;
};

/* RFC 7541 appendix A, with what the names mean. */
struct known {
	enum hpack_name name;
	uint8_t n_name;
	char value[16];
};

/* RFC 7541 appendix B, by length of code; EOS is the last code of all. */
static const uint8_t symbols[256] = {
	48,  49,  50,  97,  99,	 101, 105, 111, 115, 116, 32,  37,  45,	 46,  47,  51,	52,  53,
	54,  55,  56,  57,  61,	 65,  95,  98,	100, 102, 103, 104, 108, 109, 110, 112, 114, 117,
	58,  66,  67,  68,  69,	 70,  71,  72,	73,  74,  75,  76,  77,	 78,  79,  80,	81,  82,
	83,  84,  85,  86,  87,	 89,  106, 107, 113, 118, 119, 120, 121, 122, 38,  42,	44,  59,
	88,  90,  33,  34,  40,	 41,  63,  39,	43,  124, 35,  62,  0,	 36,  64,  91,	93,  126,
	94,  125, 60,  96,  123, 92,  195, 208, 128, 130, 131, 162, 184, 194, 224, 226, 153, 161,
	167, 172, 176, 177, 179, 209, 216, 217, 227, 229, 230, 129, 132, 133, 134, 136, 146, 154,
	156, 160, 163, 164, 169, 170, 173, 178, 181, 185, 186, 187, 189, 190, 196, 198, 228, 232,
	233, 1,	  135, 137, 138, 139, 140, 141, 143, 147, 149, 150, 151, 152, 155, 157, 158, 165,
	166, 168, 174, 175, 180, 182, 183, 188, 191, 197, 231, 239, 9,	 142, 144, 145, 148, 159,
	171, 206, 215, 225, 236, 237, 199, 207, 234, 235, 192, 193, 200, 201, 202, 205, 210, 213,
	218, 219, 238, 240, 242, 243, 255, 203, 204, 211, 212, 214, 221, 222, 223, 241, 244, 245,
	246, 247, 248, 250, 251, 252, 253, 254, 2,   3,	  4,   5,   6,	 7,   8,   11,	12,  14,
	15,  16,  17,  18,  19,	 20,  21,  23,	24,  25,  26,  27,  28,	 29,  30,  31,	127, 220,
	249, 10,  13,  22,
};

static const struct code codes[] = {
	{5, 0, 0x0, 0x4fffffff},	   {6, 10, 0x50000000, 0xb7ffffff},
	{7, 36, 0xb8000000, 0xf7ffffff},   {8, 68, 0xf8000000, 0xfdffffff},
	{10, 74, 0xfe000000, 0xff3fffff},  {11, 79, 0xff400000, 0xff9fffff},
	{12, 82, 0xffa00000, 0xffbfffff},  {13, 84, 0xffc00000, 0xffefffff},
	{14, 90, 0xfff00000, 0xfff7ffff},  {15, 92, 0xfff80000, 0xfffdffff},
	{19, 95, 0xfffe0000, 0xfffe5fff},  {20, 98, 0xfffe6000, 0xfffedfff},
	{21, 106, 0xfffee000, 0xffff47ff}, {22, 119, 0xffff4800, 0xffffafff},
	{23, 145, 0xffffb000, 0xffffe9ff}, {24, 174, 0xffffea00, 0xfffff5ff},
	{25, 186, 0xfffff600, 0xfffff7ff}, {26, 190, 0xfffff800, 0xfffffbbf},
	{27, 205, 0xfffffbc0, 0xfffffe1f}, {28, 224, 0xfffffe20, 0xffffffef},
	{30, 253, 0xfffffff0, 0xffffffff},
};

static const struct known known[] = {
	{HPACK_AUTHORITY, 10, ""},	{HPACK_METHOD, 7, "GET"},
	{HPACK_METHOD, 7, "POST"},	{HPACK_PATH, 5, "/"},
	{HPACK_PATH, 5, "/index.html"}, {HPACK_SCHEME, 7, "http"},
	{HPACK_SCHEME, 7, "https"},	{HPACK_STATUS, 7, "200"},
	{HPACK_STATUS, 7, "204"},	{HPACK_STATUS, 7, "206"},
	{HPACK_STATUS, 7, "304"},	{HPACK_STATUS, 7, "400"},
	{HPACK_STATUS, 7, "404"},	{HPACK_STATUS, 7, "500"},
	{HPACK_OTHER, 14, ""},		{HPACK_OTHER, 15, "gzip, deflate"},
	{HPACK_OTHER, 15, ""},		{HPACK_OTHER, 13, ""},
	{HPACK_OTHER, 6, ""},		{HPACK_OTHER, 27, ""},
	{HPACK_OTHER, 3, ""},		{HPACK_OTHER, 5, ""},
	{HPACK_OTHER, 13, ""},		{HPACK_OTHER, 13, ""},
	{HPACK_OTHER, 19, ""},		{HPACK_OTHER, 16, ""},
	{HPACK_OTHER, 16, ""},		{HPACK_LENGTH, 14, ""},
	{HPACK_OTHER, 16, ""},		{HPACK_OTHER, 13, ""},
	{HPACK_TYPE, 12, ""},		{HPACK_OTHER, 6, ""},
	{HPACK_OTHER, 4, ""},		{HPACK_OTHER, 4, ""},
	{HPACK_EXPECT, 6, ""},		{HPACK_OTHER, 7, ""},
	{HPACK_OTHER, 4, ""},		{HPACK_HOST, 4, ""},
	{HPACK_OTHER, 8, ""},		{HPACK_OTHER, 17, ""},
	{HPACK_OTHER, 13, ""},		{HPACK_OTHER, 8, ""},
	{HPACK_OTHER, 19, ""},		{HPACK_OTHER, 13, ""},
	{HPACK_OTHER, 4, ""},		{HPACK_OTHER, 8, ""},
	{HPACK_OTHER, 12, ""},		{HPACK_OTHER, 18, ""},
	{HPACK_OTHER, 19, ""},		{HPACK_OTHER, 5, ""},
	{HPACK_OTHER, 7, ""},		{HPACK_OTHER, 7, ""},
	{HPACK_OTHER, 11, ""},		{HPACK_OTHER, 6, ""},
	{HPACK_OTHER, 10, ""},		{HPACK_OTHER, 25, ""},
	{HPACK_CONNECTION, 17, ""},	{HPACK_AGENT, 10, ""},
	{HPACK_OTHER, 4, ""},		{HPACK_OTHER, 3, ""},
	{HPACK_OTHER, 16, ""},
};

_Static_assert(sizeof known / sizeof *known == STATIC_ENTRIES, "all of appendix A");
_Static_assert(HPACK_NAMES <= 16, "four bits of an entry");
_Static_assert((HPACK_ENTRIES_MAX & (HPACK_ENTRIES_MAX - 1)) == 0, "a ring by mask");

/* ---------------------------------------------------------------- Huffman */

/* The symbol at the left of window; *bits: how long its code is. */
static unsigned symbol_at(uint32_t window, unsigned *bits)
{
	const struct code *c = codes;
	while (window > c->last)
		c++;
	const size_t at = c->at + ((window - c->first) >> (32 - c->bits));
	*bits = c->bits;
	return at < sizeof symbols ? symbols[at] : NOTHING;
}

/* What is left of a string after its last symbol: at most seven bits, all ones. */
static bool is_padding(uint64_t bits, unsigned n_bits)
{
	return n_bits < 8 && bits == (UINT64_C(1) << n_bits) - 1;
}

size_t hpack_huffman(struct bytes in, uint8_t *out, size_t room, const char **why)
{
	uint64_t bits = 0; /* the lower n_bits are to be read */
	unsigned n_bits = 0;
	size_t at = 0, n = 0;
	*why = NULL;
	for (;;) {
		for (; n_bits <= 32 && at < in.n; n_bits += 8)
			bits = bits << 8 | in.p[at++];
		const unsigned n_ones = n_bits < 32 ? 32 - n_bits : 0;
		const uint64_t ones = (UINT64_C(1) << n_ones) - 1;
		const uint32_t window =
			(uint32_t)(n_ones ? bits << n_ones | ones : bits >> (n_bits - 32));
		unsigned length;
		const unsigned symbol = symbol_at(window, &length);
		if (length > n_bits)
			break;
		if (symbol == NOTHING)
			*why = "the end of a string within it";
		if (symbol == NOTHING || n == room)
			return SIZE_MAX;
		out[n++] = (uint8_t)symbol;
		n_bits -= length;
		bits &= (UINT64_C(1) << n_bits) - 1;
	}
	if (is_padding(bits, n_bits))
		return n;
	*why = "a string that does not end as it must";
	return SIZE_MAX;
}

/* ---------------------------------------------------------------- the table */

void hpack_init(struct hpack_table *t)
{
	t->max = t->limit = HPACK_TABLE_MAX;
	t->due = HPACK_NO_LIMIT;
	t->size = t->n = t->newest = t->end = 0;
}

void hpack_set_limit(struct hpack_table *t, uint16_t limit)
{
	t->limit = limit;
	if (limit < t->max && limit < t->due)
		t->due = limit;
}

/* index: 0 is the newest. */
static struct hpack_entry *entry_at(struct hpack_table *t, size_t index)
{
	return &t->entry[(t->newest - index) & (HPACK_ENTRIES_MAX - 1)];
}

static void evict_until(struct hpack_table *t, size_t size)
{
	while (t->n > 0 && t->size > size) {
		const struct hpack_entry *oldest = entry_at(t, t->n - 1u);
		t->size = (uint16_t)(t->size - oldest->n_name - oldest->n_value - HPACK_OVERHEAD);
		t->n--;
	}
}

static void keep_value(struct hpack_table *t, struct bytes value)
{
	const size_t first = HPACK_TABLE_MAX - t->end;
	if (value.n == 0)
		return;
	const struct bytes head = bytes_slice(value, 0, first);
	(void)bytes_put(t->room, t->end, head); /* the next place is found below */
	(void)bytes_put(t->room, 0, bytes_from(value, head.n));
	t->end = (uint16_t)((t->end + value.n) % HPACK_TABLE_MAX);
}

static void insert(struct hpack_table *t, enum hpack_name name, size_t n_name, struct bytes value)
{
	const size_t size = n_name + value.n + HPACK_OVERHEAD;
	evict_until(t, size > t->max ? 0 : t->max - size);
	if (size > t->max)
		return;
	t->size = (uint16_t)(t->size + size);
	t->newest = (t->newest + 1) & (HPACK_ENTRIES_MAX - 1);
	t->n++;
	*entry_at(t, 0) = (struct hpack_entry){
		.at = t->end & (HPACK_TABLE_MAX - 1),
		.name = (unsigned)name & 15,
		.n_name = (uint16_t)n_name & 4095,
		.n_value = (uint16_t)value.n & 4095,
	};
	if (name != HPACK_OTHER)
		keep_value(t, value);
}

/* ---------------------------------------------------------------- reading a block */

static const char cut_off[] = "a block that ends within a field";

static bool fail(struct hpack_reader *r, const char *why)
{
	if (!r->why)
		r->why = why;
	return false;
}

static bool limit(struct hpack_reader *r, const char *why)
{
	r->is_limit = r->is_limit || !r->why;
	return fail(r, why);
}

void hpack_begin(struct hpack_reader *r, struct hpack_table *t, struct bytes block)
{
	r->in = reader_of(block);
	r->table = t;
	r->why = NULL;
	r->is_limit = false;
	r->seen = 0;
	r->n_fields = r->n_updates = r->size = r->used = 0;
}

/* The lower bits of first that mask shows begin it. */
static size_t read_integer(struct hpack_reader *r, uint8_t first, uint8_t mask)
{
	size_t value = first & mask;
	if (value < mask)
		return value;
	for (unsigned i = 0; i < INTEGER_OCTETS_MAX && reader_left(&r->in) > 0; i++) {
		const uint8_t octet = read_u8(&r->in);
		value += (size_t)(octet & 0x7f) << 7 * i;
		if (octet < 0x80)
			return value;
	}
	read_skip(&r->in, 1); /* it is missing, or the integer is too long */
	(void)fail(r, reader_ok(&r->in) ? "an integer out of range" : cut_off);
	return 0;
}

static struct bytes read_string(struct hpack_reader *r)
{
	const uint8_t first = read_u8(&r->in);
	const struct bytes raw = read_bytes(&r->in, read_integer(r, first, 0x7f));
	if (first < 0x80 || r->why)
		return raw;
	const char *why;
	uint8_t *out = r->room + r->used;
	const size_t n = hpack_huffman(raw, out, sizeof r->room - r->used, &why);
	if (n == SIZE_MAX) {
		(void)(why ? fail(r, why) : limit(r, "fields too long"));
		return bytes_slice(raw, 0, 0);
	}
	r->used += n;
	return bytes_of(out, n);
}

/* How a field is named. */
struct named {
	enum hpack_name name;
	size_t n;
	const struct known *known;	/* of the static table */
	const struct hpack_entry *kept; /* or of the dynamic one */
};

static struct named name_at(struct hpack_reader *r, size_t index)
{
	if (index > 0 && index <= STATIC_ENTRIES) {
		const struct known *k = &known[index - 1];
		return (struct named){.name = k->name, .n = k->n_name, .known = k};
	}
	const size_t at = index - STATIC_ENTRIES - 1;
	if (index == 0 || at >= r->table->n) {
		(void)fail(r, "an index beyond the table");
		return (struct named){0};
	}
	const struct hpack_entry *e = entry_at(r->table, at);
	return (struct named){.name = (enum hpack_name)e->name, .n = e->n_name, .kept = e};
}

static struct named read_name(struct hpack_reader *r, size_t index)
{
	if (index)
		return name_at(r, index);
	const struct bytes text = read_string(r);
	struct named named = {.n = text.n};
	const char *why = r->why || !reader_ok(&r->in) ? NULL : http2_name_of(text, &named.name);
	if (why)
		(void)fail(r, why);
	return named;
}

static struct bytes copy_value(struct hpack_reader *r, const struct hpack_entry *e)
{
	if (e->n_value > sizeof r->room - r->used) {
		(void)limit(r, "fields too long");
		return (struct bytes){0};
	}
	const struct bytes ring = bytes_of(r->table->room, HPACK_TABLE_MAX);
	const struct bytes head = bytes_slice(ring, e->at, e->n_value);
	const size_t at = r->used;
	r->used = bytes_put(r->room, r->used, head);
	r->used = bytes_put(r->room, r->used, bytes_slice(ring, 0, e->n_value - head.n));
	return bytes_of(r->room + at, e->n_value);
}

static bool count_field(struct hpack_reader *r, const struct named *named, size_t n_value,
			struct hpack_field *out)
{
	const uint32_t bit = UINT32_C(1) << named->name;
	out->name = named->name;
	out->is_again = named->name != HPACK_OTHER && r->seen & bit;
	out->is_repeated = false;
	out->value = (struct bytes){0};
	r->seen |= bit;
	r->size += named->n + n_value;
	if (r->size > HPACK_LIST_MAX)
		return limit(r, "fields too long");
	if (++r->n_fields > HPACK_FIELDS_MAX)
		return limit(r, "too many fields");
	return named->name == HPACK_CONNECTION ? fail(r, "a field that http/2 has no place for")
					       : true;
}

static bool read_indexed(struct hpack_reader *r, uint8_t first, struct hpack_field *out)
{
	const struct named named = name_at(r, read_integer(r, first, 0x7f));
	if (r->why || !reader_ok(&r->in))
		return false;
	const struct bytes known_value =
		named.known ? bytes_str(named.known->value) : (struct bytes){0};
	const size_t n = named.known ? known_value.n : named.kept->n_value;
	if (!count_field(r, &named, n, out))
		return false;
	if (out->name == HPACK_OTHER || out->is_again)
		return true;
	out->value = named.known ? known_value : copy_value(r, named.kept);
	out->is_repeated = !named.known;
	return !r->why;
}

static bool read_literal(struct hpack_reader *r, uint8_t first, uint8_t mask, bool is_kept,
			 struct hpack_field *out)
{
	const struct named named = read_name(r, read_integer(r, first, mask));
	const struct bytes value = read_string(r);
	if (r->why || !reader_ok(&r->in) || !count_field(r, &named, value.n, out))
		return false;
	const char *why = http2_check_value(value);
	if (why)
		return fail(r, why);
	if (is_kept)
		insert(r->table, named.name, named.n, value);
	if (out->name != HPACK_OTHER && !out->is_again)
		out->value = value;
	return true;
}

static bool take_update(struct hpack_reader *r, uint8_t first)
{
	struct hpack_table *t = r->table;
	const size_t max = read_integer(r, first, 0x1f);
	if (r->why || !reader_ok(&r->in))
		return false;
	if (r->n_fields || ++r->n_updates > UPDATES_MAX)
		return fail(r, "a change of the table's size within a block");
	if (max > HPACK_TABLE_MAX && t->limit == HPACK_TABLE_MAX)
		return limit(r, "a table larger than we follow");
	if (max > t->limit)
		return fail(r, "a table larger than allowed");
	if (max <= t->due)
		t->due = HPACK_NO_LIMIT;
	t->max = (uint16_t)max;
	evict_until(t, max);
	return true;
}

static bool read_field(struct hpack_reader *r, uint8_t first, struct hpack_field *out)
{
	if (r->table->due != HPACK_NO_LIMIT)
		return fail(r, "a table that did not shrink as it must");
	if (first >= 0x80)
		return read_indexed(r, first, out);
	if (first >= 0x40)
		return read_literal(r, first, 0x3f, true, out);
	return read_literal(r, first, 0x0f, false, out);
}

bool hpack_next(struct hpack_reader *r, struct hpack_field *out)
{
	uint8_t first = 0;
	bool is_update = true;
	while (is_update && !r->why && reader_left(&r->in) > 0) {
		first = read_u8(&r->in);
		is_update = (first & 0xe0) == 0x20;
		if (is_update && !take_update(r, first))
			break;
	}
	const bool is_read = !is_update && read_field(r, first, out);
	if (!reader_ok(&r->in))
		(void)fail(r, cut_off);
	return is_read;
}
