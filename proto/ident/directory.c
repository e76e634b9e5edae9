/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is who: LDAP (RFC 4511), which may turn to TLS,
 * Kerberos (RFC 4120), RADIUS (RFC 2865, 2866, 5176).
 */
#include "ident/ident.h"

enum { SEQUENCE = 0x30, INTEGER = 2, OCTETS = 4, ENUMERATED = 10, BOOLEAN = 1 };

/* ---------------------------------------------------------------- ldap */

enum {
	LDAP_BIND = 0x60,
	LDAP_BOUND = 0x61,
	LDAP_SEARCH = 0x63,
	LDAP_ENTRY = 0x64,
	LDAP_FOUND = 0x65,
	LDAP_REFERENCE = 0x73,
	LDAP_EXTENDED = 0x77,
	LDAP_EXTENDED_BY = 0x78,
	LDAP_SIMPLE = 0x80,
	LDAP_SASL = 0xa3,
	LDAP_NAME_MAX = 1024,
};

/* LDAPMessage up to its operation, whose tag is returned; the operation fits into the message. */
static uint8_t ldap_message(struct reader *r, size_t *inner)
{
	uint8_t tag;
	const size_t outer = ident_ber(r, SEQUENCE), begin = r->pos;
	const uint64_t id = ident_ber_number(r, INTEGER);
	ident_check(r, id >= 1 && id <= INT32_MAX);
	*inner = ident_ber_any(r, &tag);
	ident_check(r, r->pos - begin + *inner <= outer);
	return tag;
}

static void ldap_name(struct reader *r, size_t room)
{
	const size_t n = ident_ber(r, OCTETS);
	ident_check(r, n <= room && n <= LDAP_NAME_MAX);
	read_skip(r, reader_ok(r) ? n : 0);
}

static void ldap_bind(struct reader *r, size_t room)
{
	const uint64_t version = ident_ber_number(r, INTEGER);
	ident_check(r, version == 2 || version == 3);
	ldap_name(r, room);
	(void)ident_one_of(r, bytes_of("\x80\xa3", 2)); /* compared: simple or SASL */
}

/* Base, scope, how aliases are followed, two limits, types only. */
static void ldap_search(struct reader *r, size_t room)
{
	ldap_name(r, room);
	ident_check(r, ident_ber_number(r, ENUMERATED) <= 3);
	ident_check(r, ident_ber_number(r, ENUMERATED) <= 3);
	(void)ident_ber_number(r, INTEGER); /* of entries: any */
	(void)ident_ber_number(r, INTEGER); /* of time: any */
	ident_check(r, ident_ber(r, BOOLEAN) == 1);
}

/* The operation's name: an object identifier in digits and dots. */
static void ldap_extended(struct reader *r, size_t room)
{
	static const struct bytes digits = {(const uint8_t *)"0123456789.", 11};
	const size_t n = ident_ber(r, 0x80);
	ident_check(r, n >= 3 && n <= room && n <= 64);
	for (size_t i = 0; i < n && reader_ok(r); i++)
		(void)ident_one_of(r, digits); /* compared */
}

static void ldap_client(struct reader *r)
{
	size_t room;
	const uint8_t tag = ldap_message(r, &room);
	ident_check(r, tag == LDAP_BIND || tag == LDAP_SEARCH || tag == LDAP_EXTENDED);
	if (tag == LDAP_BIND)
		ldap_bind(r, room);
	else if (tag == LDAP_SEARCH)
		ldap_search(r, room);
	else
		ldap_extended(r, room);
}

static void ldap_server(struct reader *r)
{
	size_t room;
	const uint8_t tag = ldap_message(r, &room);
	ident_check(r, tag == LDAP_BOUND || tag == LDAP_ENTRY || tag == LDAP_FOUND ||
			       tag == LDAP_REFERENCE || tag == LDAP_EXTENDED_BY);
}

enum {
	LDAP_SMALL_MAX = 1024, /* StartTLS and its answer are: an identifier, a text */
	LDAP_READ_MAX = 16,    /* requests before the reading ends: who wants TLS begins so */
};

/* A message of the talk up to its operation's value; a server's may have the number 0. `left` bytes
 * of it follow. */
struct ldap_head {
	uint8_t tag;
	uint32_t id;
	size_t whole, left;
};

static struct ldap_head ldap_head(struct reader *r)
{
	struct ldap_head h = {.whole = ident_ber(r, SEQUENCE)};
	const size_t begin = r->pos;
	const uint64_t id = ident_ber_number(r, INTEGER);
	const size_t inner = ident_ber_any(r, &h.tag), head = r->pos - begin;
	ident_check(r, id <= INT32_MAX && head + inner <= h.whole);
	h.id = (uint32_t)id;
	h.left = reader_ok(r) ? h.whole - head : 0;
	return h;
}

/* StartTLS (RFC 4511 section 4.14) has an identifier and no more. */
static bool ldap_is_starttls(struct bytes value)
{
	struct reader r = reader_of(value);
	const size_t n = ident_ber(&r, 0x80);
	return bytes_is(read_bytes(&r, n), "1.3.6.1.4.1.1466.20037");
}

/* A bind may begin a dialogue, or a layer of its own. */
static uint64_t ldap_request(struct ident_talk *t, struct reader *r)
{
	const struct ldap_head h = ldap_head(r);
	const bool is_small = h.tag == LDAP_EXTENDED && h.whole <= LDAP_SMALL_MAX;
	const struct bytes value = read_bytes(r, is_small ? h.left : 0);
	if (is_small && reader_ok(r) && ldap_is_starttls(value)) {
		t->phase = IDENT_ASKED;
		t->number = h.id;
	} else if (h.tag == LDAP_BIND || ++t->n_pending == LDAP_READ_MAX) {
		t->phase = IDENT_LEFT;
	}
	return is_small ? 0 : h.left;
}

/* The answer to it, with success or without; others may come before. */
static uint64_t ldap_response(struct ident_talk *t, struct reader *r)
{
	const struct ldap_head h = ldap_head(r);
	if (t->phase != IDENT_ASKED || h.id != t->number)
		return h.left;
	ident_check(r, h.tag == LDAP_EXTENDED_BY && h.whole <= LDAP_SMALL_MAX);
	struct reader value = reader_of(read_bytes(r, h.left));
	const bool is_agreed = ident_ber_number(&value, ENUMERATED) == 0 && reader_ok(&value);
	t->phase = is_agreed ? IDENT_AGREED : IDENT_CLEAR;
	return 0;
}

/* ---------------------------------------------------------------- kerberos */

/* The tag of the application says which message it is; the same number stands in it again, behind
 * the version, 5. In requests the two have the tags 1 and 2, elsewhere 0 and 1. */
static void krb_message(struct reader *r, bool is_request)
{
	uint8_t tag;
	const size_t outer = ident_ber_any(r, &tag), begin = r->pos;
	ident_check(r, is_request ? tag == 0x6a || tag == 0x6c
				  : tag == 0x6b || tag == 0x6d || tag == 0x7e);
	const size_t inner = ident_ber(r, SEQUENCE);
	ident_check(r, r->pos - begin + inner == outer);
	ident_check(r, read_u8(r) == 0xa0 + is_request);
	ident_text(r, "\3\2\1\5");
	ident_check(r, read_u8(r) == 0xa1 + is_request);
	ident_text(r, "\3\2\1");
	ident_check(r, read_u8(r) == (tag & 0x1f));
}

static void krb_request(struct reader *r)
{
	krb_message(r, true);
}

static void krb_answer(struct reader *r)
{
	krb_message(r, false);
}

/* Over TCP the length stands before it. */
static void krb_stream(struct reader *r, bool is_request)
{
	const size_t whole = ident_u32(r, 20, 1 << 20), begin = r->pos;
	struct reader ahead = *r;
	uint8_t tag;
	const size_t n = ident_ber_any(&ahead, &tag);
	ident_check(r, !reader_ok(&ahead) || ahead.pos - begin + n == whole);
	krb_message(r, is_request);
}

static void krb_request_stream(struct reader *r)
{
	krb_stream(r, true);
}

static void krb_answer_stream(struct reader *r)
{
	krb_stream(r, false);
}

/* ---------------------------------------------------------------- radius */

enum {
	RADIUS_HEADER = 20,
	RADIUS_USER = 1,
	RADIUS_NAS_ADDRESS = 4,
	RADIUS_NAS_NAME = 32,
	RADIUS_ACCT_STATUS = 40,
	RADIUS_ACCT_SESSION = 44,
	RADIUS_MESSAGE_AUTHENTICATOR = 80,
	RADIUS_NAS_ADDRESS6 = 95,
	RADIUS_ATTRIBUTES_MAX = 256,
};

/* How long an attribute of this type is, header included; 0: any. (RFC 2865 section 5.) */
static uint8_t radius_length(uint8_t type)
{
	static const uint8_t four[] = {4,  5,  6,  7,  8,  9,  10, 12, 13,
				       14, 15, 16, 27, 28, 40, 41, 61};
	if (memchr(four, type, sizeof four))
		return 6;
	return type == RADIUS_MESSAGE_AUTHENTICATOR || type == RADIUS_NAS_ADDRESS6 ? 18 : 0;
}

/* One attribute; does it say who asks, which every request must? */
static bool radius_attribute(struct reader *r)
{
	static const uint8_t who[] = {RADIUS_USER,
				      RADIUS_NAS_ADDRESS,
				      RADIUS_NAS_NAME,
				      RADIUS_ACCT_STATUS,
				      RADIUS_ACCT_SESSION,
				      RADIUS_NAS_ADDRESS6,
				      RADIUS_MESSAGE_AUTHENTICATOR};
	const uint8_t type = ident_u8(r, 1, 255), n = ident_u8(r, 2, 255);
	const uint8_t wanted = radius_length(type);
	ident_check(r, wanted == 0 || n == wanted);
	read_skip(r, reader_ok(r) ? n - 2u : 0);
	return memchr(who, type, sizeof who) != NULL;
}

/* The length is the datagram's, the attributes fill it. */
static size_t radius_packet(struct reader *r, struct bytes codes)
{
	size_t n_who = 0;
	(void)ident_one_of(r, codes); /* compared */
	read_skip(r, 1);
	ident_check(r, read_u16be(r) == r->in.n);
	read_skip(r, 16);
	for (size_t i = 0; i < RADIUS_ATTRIBUTES_MAX && reader_ok(r) && reader_left(r) > 0; i++)
		n_who += radius_attribute(r);
	ident_end(r);
	return n_who;
}

/* Requests for access, accounting, status; to disconnect, to change. */
static void radius_client(struct reader *r)
{
	ident_check(r, radius_packet(r, bytes_of("\1\4\x0c\x28\x2b", 5)) > 0);
}

static void radius_server(struct reader *r)
{
	(void)radius_packet(r, bytes_of("\2\3\5\x0b\x29\x2a\x2c\x2d", 8)); /* need not say who */
}

/* ---------------------------------------------------------------- the dissectors */

IDENT_DISSECTOR_TLS(ldap, IDENT_TCP, IDENT_UDP, .opener = IDENT_CLIENT,
		    .tcp = {ldap_client, ldap_server}, .udp = {ldap_client, ldap_server},
		    .unit = {ldap_request, ldap_response});
IDENT_DISSECTOR(kerberos, IDENT_TCP, IDENT_UDP, .opener = IDENT_CLIENT,
		.tcp = {krb_request_stream, krb_answer_stream}, .udp = {krb_request, krb_answer});
IDENT_DISSECTOR(radius, IDENT_UDP, 0, .opener = IDENT_CLIENT,
		.udp = {radius_client, radius_server});
