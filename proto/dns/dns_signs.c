/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The signs are functions of the name as text, in which a dot always parts two labels and an octet
 * is one character, or four ("\046") that begin with a backslash.
 *
 * What must stay true: the same names in the same order give the same numbers on every machine, so
 * nothing here is floating point, and logarithms are cut to 16 binary places.
 */
#include "dns_signs.h"

enum { ESCAPE_SIZE = 4, LOG_PLACES = 16 };

/* ---------------------------------------------------------------- labels */

/* The octet at *at, which moves on behind it. */
static uint8_t next_octet(struct bytes text, size_t *at)
{
	const uint8_t *p = text.p + *at;
	const bool is_escape = *p == '\\';
	*at += is_escape ? ESCAPE_SIZE : 1;
	return is_escape ? (uint8_t)((p[1] - '0') * 100 + (p[2] - '0') * 10 + (p[3] - '0')) : *p;
}

static struct bytes text_of(const struct dns_name *name)
{
	return bytes_of(name->text, name->n);
}

unsigned signs_label_length(const struct dns_name *name)
{
	const struct bytes text = text_of(name);
	unsigned longest = 0, run = 0;
	for (size_t at = 0; at < text.n && name->wire > 1;) {
		const bool is_dot = text.p[at] == '.';
		(void)next_octet(text, &at); /* only how far it reaches */
		run = is_dot ? 0 : run + 1;
		longest = run > longest ? run : longest;
	}
	return longest;
}

/* Where the label before the one at `at` begins. */
static size_t label_before(struct bytes text, size_t at)
{
	size_t i = at - 1;
	while (i > 0 && text.p[i - 1] != '.')
		i--;
	return i;
}

/* What countries give to everybody instead of one label. A list, since whoever looks for a way out
 * can register "x1.io" and put his data one label higher. */
static bool is_shared(struct bytes label)
{
	static const char *const words[] = {"ac",  "co", "com", "edu", "go", "gob", "gov",
					    "mil", "ne", "net", "nom", "or", "org"};
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (bytes_is(label, words[i]))
			return true;
	return false;
}

/* Where the zone begins: 0 when nothing is below it. */
static size_t zone_at(struct bytes text)
{
	const size_t top = label_before(text, text.n + 1);
	if (top == 0)
		return 0;
	const size_t second = label_before(text, top);
	const bool is_country =
		text.n - top == 2 && is_shared(bytes_slice(text, second, top - 1 - second));
	return second && is_country ? label_before(text, second) : second;
}

/* ---------------------------------------------------------------- entropy */

/* log2(x) with LOG_PLACES binary places, for 1 <= x < 2^16: squaring a number between 1 and 2 says
 * one place after the other. */
static uint32_t log2_of(uint32_t x)
{
	uint32_t whole = 0;
	while (x >> (whole + 1))
		whole++;
	uint64_t m = (uint64_t)x << (31 - whole);
	uint32_t log = whole;
	for (int i = 0; i < LOG_PLACES; i++) {
		m = m * m >> 31;
		log = log << 1 | (uint32_t)(m >> 32);
		m >>= m >> 32;
	}
	return log;
}

unsigned signs_entropy(const struct dns_name *name)
{
	const struct bytes text = text_of(name);
	const size_t end = zone_at(text);
	uint8_t counts[256] = {0};
	uint32_t n = 0;
	for (size_t at = 0; at < end;) {
		const bool is_dot = text.p[at] == '.';
		const uint8_t c = next_octet(text, &at);
		counts[c] = (uint8_t)(counts[c] + !is_dot); /* a name has less than 256 octets */
		n += !is_dot;
	}
	uint64_t sum = 0;
	for (size_t i = 0; i < 256; i++)
		sum += counts[i] > 1 ? (uint64_t)counts[i] * log2_of(counts[i]) : 0;
	if (n == 0)
		return 0;
	const uint64_t all = (uint64_t)n * log2_of(n);
	return (unsigned)((all - sum) * SIGNS_PER_BIT / n >> LOG_PLACES);
}

/* ---------------------------------------------------------------- names below a zone */

/* The zone's place, or that of the one with the fewest names, emptied. */
static struct signs_zone *find_zone(struct signs *s, uint64_t zone)
{
	struct signs_zone *least = &s->zones[0];
	for (size_t i = 0; i < SIGNS_ZONES; i++) {
		struct signs_zone *z = &s->zones[i];
		if (z->n && z->zone == zone)
			return z;
		if (z->n < least->n)
			least = z;
	}
	*least = (struct signs_zone){.zone = zone};
	return least;
}

unsigned signs_count(struct signs *s, const struct dns_name *name)
{
	const struct bytes text = text_of(name);
	const size_t end = zone_at(text);
	if (end == 0)
		return 0;
	struct signs_zone *z = find_zone(s, dns_hash(DNS_HASH_START, bytes_from(text, end)));
	const size_t bit = dns_hash(DNS_HASH_START, bytes_slice(text, 0, end)) % SIGNS_NAMES;
	const uint8_t mask = (uint8_t)(1u << (bit & 7));
	if (!(z->seen[bit / 8] & mask))
		z->n++;
	z->seen[bit / 8] |= mask;
	return z->n;
}
