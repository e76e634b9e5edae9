/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The DNS message (RFC 1035 section 4): names, questions, records, and how each is written as text.
 *
 * Parsing is strict: every name is followed to its end, every record's data must be as long as its
 * type says, and the counts of the header must be what is there. The text of a name is what policy
 * compares, so a dot in it always parts two labels: one inside a label is written \046 (RFC 4343
 * allows that), and no label can make "*.example.com" match a name outside example.com.
 */
#ifndef DNS_MESSAGE_H
#define DNS_MESSAGE_H

#include "bridgewarden/bytes.h"

enum {
	DNS_HEADER_SIZE = 12,
	DNS_NAME_MAX = 255,	  /* octets of a name, uncompressed */
	DNS_NAME_TEXT_MAX = 1024, /* every octet as \DDD */
	DNS_JUMPS_MAX = 32,	 /* pointers followed in one name; real servers need two or three */
	DNS_POINTABLE = 1 << 14, /* a pointer has so many bits */
	DNS_RDATA_TEXT_MAX =
		2200, /* the two names and five numbers of an SOA; longer text is cut */
};

enum { DNS_OPCODE_QUERY = 0 };
enum { DNS_CLASS_IN = 1 };
enum {
	DNS_TYPE_A = 1,
	DNS_TYPE_CNAME = 5,
	DNS_TYPE_AAAA = 28,
	DNS_TYPE_OPT = 41,
	DNS_TYPE_SVCB = 64,
	DNS_TYPE_HTTPS = 65,
	DNS_TYPE_TSIG = 250,
	DNS_TYPE_IXFR = 251,
	DNS_TYPE_AXFR = 252,
};
enum { DNS_QUESTION, DNS_ANSWER, DNS_AUTHORITY, DNS_ADDITIONAL, DNS_SECTIONS };

/* Text of at most `max` bytes at p; what does not fit is left out. */
struct dns_text {
	uint8_t *p;
	size_t n, max;
};

/* Presentation form, lower case, without the final dot; the root is ".". wire: octets when
 * uncompressed. */
struct dns_name {
	uint8_t text[DNS_NAME_TEXT_MAX];
	size_t n, wire;
};

/* Of the names of one message that were found right, by where they begin: their octets (0: not
 * known) and pointers from there, and where the first of these leads (0: none). Without it, many
 * records that name one long name cost its length each. */
struct dns_memo {
	uint16_t next[DNS_POINTABLE];
	uint8_t wire[DNS_POINTABLE], jumps[DNS_POINTABLE];
};

/* A reader over a whole message (pointers count from its start), and why it failed. memo: or NULL.
 */
struct dns_reader {
	struct reader r;
	const char *why;
	struct dns_memo *memo;
};

struct dns_message {
	struct bytes all;
	uint16_t id, counts[DNS_SECTIONS];
	uint8_t opcode;
	uint16_t rcode; /* with the upper bits from OPT */
	bool is_reply, is_truncated;
	/* The question; only when counts[DNS_QUESTION] > 0. */
	struct dns_name name;
	uint16_t type, class;
	size_t records_at; /* where the answer section begins */
};

/* owner_pointer: that the owner is nothing but, 0: it is more. */
struct dns_record {
	struct dns_name owner;
	uint16_t owner_pointer;
	uint16_t type, class;
	uint32_t ttl;
	size_t data_at, data_n; /* in the message */
};

/* Goes on from the hash h. Nobody's secret is in it: texts that fall together can be found. */
#define DNS_HASH_START UINT64_C(0xcbf29ce484222325)
uint64_t dns_hash(uint64_t h, struct bytes b);

struct dns_reader dns_reader_at(struct bytes message, size_t at);
/* Reads the name at the reader's place. out may be NULL; the result is then only the octets it
 * takes. */
size_t dns_read_name(struct dns_reader *d, struct dns_name *out);
/* *out is the record before, or its owner_pointer is 0. True: its owner was written out; false: it
 * is the same pointer, and the text as it was. */
bool dns_read_record(struct dns_reader *d, struct dns_record *out);

/* What follows the owner's name. */
void dns_read_fixed(struct dns_reader *d, struct dns_record *out);

/* RFC 2181 section 8: the top bit makes it none. */
static inline uint32_t dns_ttl(const struct dns_record *r)
{
	return r->ttl > INT32_MAX ? 0 : r->ttl;
}

/* Header and question. False: not whole (d->r.missing), or wrong (d->why). */
bool dns_read_head(struct dns_reader *d, struct dns_message *m);
/* All records behind the question. NULL: right. Learns the upper bits of rcode. */
const char *dns_check_records(struct dns_message *m);

/* Writes the answer of a server that will not (dns_refusal.c) to a request that was read rightly:
 * 12 + 255 + 4 + 17 + why.n octets at most. */
size_t dns_refusal(const struct dns_message *m, struct bytes why, uint8_t *out);

void dns_put(struct dns_text *t, struct bytes b);
void dns_put_number(struct dns_text *t, uint64_t number);
/* The data of a record that dns_check_records has accepted, as text. */
void dns_put_data(struct dns_text *t, struct bytes message, const struct dns_record *record);
/* Calls `found` for each address in the data: A, AAAA, the address hints of SVCB and HTTPS. */
void dns_each_address(struct bytes message, const struct dns_record *record,
		      void (*found)(void *ctx, struct bytes address), void *ctx);
void dns_put_address(struct dns_text *t, struct bytes address); /* 4 or 16 bytes */

void dns_put_type(struct dns_text *t, uint16_t type);	 /* "A", "TYPE65280" */
void dns_put_class(struct dns_text *t, uint16_t class);	 /* "IN", "CLASS32769" */
void dns_put_opcode(struct dns_text *t, uint8_t opcode); /* "QUERY", "OPCODE9" */
void dns_put_rcode(struct dns_text *t, uint16_t rcode);	 /* "NXDOMAIN", "RCODE3841" */
/* The type of that name, in any case; false when there is none. */
bool dns_type_of(struct bytes text, uint16_t *type);
/* The wire form of a name in presentation form; 0 when it is none. */
size_t dns_name_to_wire(struct bytes text, uint8_t wire[DNS_NAME_MAX]);

#endif
