/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tls/tls_record.h"

const char *tls_read_header(struct bytes in, struct tls_record *out)
{
	struct reader r = reader_of(in);
	out->type = read_u8(&r);
	out->version = read_u16be(&r);
	out->length = read_u16be(&r);
	if (in.n >= 1 && (out->type < TLS_CHANGE_CIPHER_SPEC || out->type > TLS_APPLICATION_DATA))
		return "no record of tls";
	if (in.n >= 2 && in.p[1] != 3)
		return "a record of no known version";
	if (in.n >= 3 && in.p[2] > 4)
		return "a record of no known version";
	if (in.n < TLS_RECORD_HEADER)
		return NULL;
	if (out->length == 0)
		return "an empty record";
	return out->length > TLS_CIPHERTEXT_MAX ? "a record too long" : NULL;
}

static const char too_long[] = "a hello longer than can be held";

/* What is known of the message while its records are walked. have: bytes of it so far. */
struct walk {
	uint8_t type, header[TLS_MESSAGE_HEADER];
	size_t have, length;
};

static const char *take_fragment(struct walk *w, struct bytes fragment)
{
	for (size_t i = 0; i < fragment.n && w->have + i < TLS_MESSAGE_HEADER; i++)
		w->header[w->have + i] = fragment.p[i];
	w->have += fragment.n;
	if (w->have > 0 && w->header[0] != w->type)
		return "another handshake message than the hello";
	if (w->have >= TLS_MESSAGE_HEADER)
		w->length = TLS_MESSAGE_HEADER +
			    ((size_t)w->header[1] << 16 | (size_t)w->header[2] << 8 | w->header[3]);
	return NULL;
}

/* As far as is known: its header comes first. */
static size_t length_of(const struct walk *w)
{
	return w->length ? w->length : TLS_MESSAGE_HEADER;
}

/* `missing` bytes of the message need at least this many bytes of records. */
static size_t least_records(size_t missing)
{
	const size_t records = (missing + TLS_FRAGMENT_MAX - 1) / TLS_FRAGMENT_MAX;
	return missing + records * TLS_RECORD_HEADER;
}

static struct tls_scan scan_fails(enum dis_status status, const char *why)
{
	return (struct tls_scan){.status = status, .why = why};
}

static struct tls_scan scan_more(size_t want)
{
	if (want > TLS_UNIT_MAX)
		return scan_fails(DIS_LIMIT, too_long);
	return (struct tls_scan){.status = DIS_MORE, .want = want};
}

static const char *check_record(const struct tls_record *record)
{
	if (record->type != TLS_HANDSHAKE)
		return "another record before the hello is whole";
	return record->length > TLS_FRAGMENT_MAX ? "a record too long" : NULL;
}

/* Where the message ends at the earliest, given a record whose fragment begins at `body`. */
static size_t least_end(size_t body, size_t length, size_t needed)
{
	return needed <= length ? body + needed : body + length + least_records(needed - length);
}

struct tls_scan tls_scan_message(struct bytes in, uint8_t type)
{
	struct walk w = {.type = type};
	for (size_t at = 0;;) {
		struct tls_record record;
		const struct bytes rest = bytes_from(in, at);
		const char *why = tls_read_header(rest, &record);
		if (!why && rest.n)
			why = check_record(&record);
		if (why)
			return scan_fails(DIS_MALFORMED, why);
		if (rest.n < TLS_RECORD_HEADER)
			return scan_more(at + least_records(length_of(&w) - w.have));
		const size_t before = w.have, body = at + TLS_RECORD_HEADER;
		const struct bytes fragment = bytes_slice(in, body, record.length);
		why = take_fragment(&w, fragment);
		if (why)
			return scan_fails(DIS_MALFORMED, why);
		const size_t needed = length_of(&w) - before;
		const size_t end = least_end(body, record.length, needed);
		if (end > TLS_UNIT_MAX)
			return scan_fails(DIS_LIMIT, too_long);
		if (w.length && needed <= fragment.n)
			return (struct tls_scan){.status = DIS_DONE,
						 .length = w.length,
						 .end = end,
						 .left = record.length - needed};
		if (fragment.n < record.length)
			return scan_more(end);
		at = body + record.length;
	}
}

struct bytes tls_join_message(struct bytes in, const struct tls_scan *scan, uint8_t *room)
{
	if (scan->end == TLS_RECORD_HEADER + scan->length)
		return bytes_slice(in, TLS_RECORD_HEADER, scan->length);
	size_t n = 0;
	struct bytes rest = bytes_slice(in, 0, scan->end);
	while (rest.n > 0 && n < scan->length) {
		struct tls_record record;
		(void)tls_read_header(rest, &record); /* the scan found it right */
		const struct bytes fragment =
			bytes_slice(bytes_from(rest, TLS_RECORD_HEADER), 0, record.length);
		memcpy(room + n, fragment.p, fragment.n);
		n += fragment.n;
		rest = bytes_from(rest, TLS_RECORD_HEADER + fragment.n);
	}
	return bytes_of(room, n);
}
