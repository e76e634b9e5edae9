/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What networks run on: NTP (RFC 5905), DHCP (RFC 2131) and DHCPv6 (RFC 8415), TFTP (RFC 1350),
 * SNMP (RFC 3416, 3412), syslog (RFC 5424, 3164), mDNS (RFC 6762), LLMNR (RFC 4795). Over UDP a
 * proof has the whole datagram.
 */
#include "ident/ident.h"

/* ---------------------------------------------------------------- ntp */

enum {
	NTP_SIZE = 48,
	NTP_STRATUM_MAX = 16,
	NTP_ROOT_MAX = 16,     /* seconds from the clock at the root */
	NTP_NEAR = 129600 * 2, /* three days: timestamps of one packet that can be compared */
	NTP_MODE_ACTIVE = 1,
	NTP_MODE_CLIENT = 3,
	NTP_MODE_SERVER = 4,
};

/* A header (section 7.3), and nothing behind it or a MAC: a key's number and a digest. */
struct ntp {
	uint8_t mode, stratum;
	int8_t poll, precision;
	uint32_t root_delay, root_dispersion, reference_id;
	uint64_t reference, origin, receive, transmit;
};

static struct ntp ntp_header(struct reader *r)
{
	struct ntp p = {0};
	const uint8_t first = read_u8(r);
	p.mode = first & 7;
	ident_check(r, (first >> 3 & 7) >= 1 && (first >> 3 & 7) <= 4);
	p.stratum = ident_u8(r, 0, NTP_STRATUM_MAX);
	p.poll = (int8_t)read_u8(r);
	p.precision = (int8_t)read_u8(r);
	p.root_delay = read_u32be(r);
	p.root_dispersion = read_u32be(r);
	p.reference_id = read_u32be(r);
	p.reference = read_be(r, 8);
	p.origin = read_be(r, 8);
	p.receive = read_be(r, 8);
	p.transmit = read_be(r, 8);
	ident_check(r, p.poll >= -6 && p.poll <= 17 && p.precision <= 32);
	const size_t left = reader_left(r);
	ident_check(r, left == 0 || left == 4 || left == 20 || left == 24 || left == 36);
	return p;
}

static bool ntp_is_near(uint64_t a, uint64_t b)
{
	const uint64_t x = a >> 32, y = b >> 32;
	return x < y ? y - x <= NTP_NEAR : x - y <= NTP_NEAR;
}

/* A state in four capitals, as "INIT" (section 7.4). */
static bool ntp_is_state(uint32_t id)
{
	for (unsigned shift = 0; shift < 32; shift += 8)
		if ((id >> shift & 0xff) < 'A' || (id >> shift & 0xff) > 'Z')
			return false;
	return true;
}

/* A client that knows nothing yet says nothing: all but the time of sending is nought. */
static bool ntp_is_new(const struct ntp *p)
{
	const bool has_no_source =
		p->reference_id == 0 || (p->stratum == 0 && ntp_is_state(p->reference_id));
	return p->reference == 0 && p->origin == 0 && p->receive == 0 && has_no_source &&
	       p->root_delay >> 16 < NTP_ROOT_MAX && p->root_dispersion >> 16 < NTP_ROOT_MAX;
}

/* One that is synchronised says when that was, and what it last heard: times near each other. */
static bool ntp_is_synchronised(const struct ntp *p)
{
	const bool knows_peer = p->origin != 0 && p->receive != 0;
	if (p->root_delay >> 16 >= NTP_ROOT_MAX || p->root_dispersion >> 16 >= NTP_ROOT_MAX)
		return false;
	if (p->transmit == 0 || (p->reference == 0 && !knows_peer))
		return false;
	return (p->reference == 0 || ntp_is_near(p->reference, p->transmit)) &&
	       (p->origin == 0 || ntp_is_near(p->origin, p->transmit)) &&
	       (p->receive == 0 || ntp_is_near(p->receive, p->transmit));
}

/* An answer says all four times: its question may have gone by unseen. */
static bool ntp_is_answer(const struct ntp *p)
{
	return p->stratum >= 1 && p->stratum < NTP_STRATUM_MAX && p->reference != 0 &&
	       p->origin != 0 && p->receive != 0 && ntp_is_synchronised(p);
}

static void ntp_client(struct reader *r)
{
	const struct ntp p = ntp_header(r);
	const bool asks = p.mode == NTP_MODE_CLIENT || p.mode == NTP_MODE_ACTIVE;
	ident_check(r, asks || p.mode == NTP_MODE_SERVER);
	ident_check(r, asks ? ntp_is_new(&p) || ntp_is_synchronised(&p) : ntp_is_answer(&p));
}

static void ntp_server(struct reader *r)
{
	const struct ntp p = ntp_header(r);
	ident_check(r, p.mode >= NTP_MODE_ACTIVE && p.mode <= NTP_MODE_SERVER);
}

/* ---------------------------------------------------------------- dhcp */

enum {
	DHCP_HARDWARE_MAX = 16,
	DHCP_NAMES = 192, /* of server and file */
	DHCP_TYPE = 53,
	DHCP_TYPE_MAX = 18,
	DHCP_END = 255,
	DHCP_OPTIONS_MAX = 256,
};

/* Options up to the end's mark; the message's type is one of them. */
static bool dhcp_options(struct reader *r)
{
	bool has_type = false;
	for (size_t i = 0; i < DHCP_OPTIONS_MAX && reader_ok(r); i++) {
		const uint8_t code = read_u8(r);
		if (code == DHCP_END)
			return has_type;
		if (code == 0)
			continue;
		const size_t n = read_u8(r);
		const struct bytes value = read_bytes(r, n);
		if (code != DHCP_TYPE)
			continue;
		ident_check(r, n == 1 && value.n == 1 && value.p[0] >= 1 &&
				       value.p[0] <= DHCP_TYPE_MAX);
		has_type = true;
	}
	return false;
}

static void dhcp4(struct reader *r)
{
	(void)ident_u8(r, 1, 2); /* compared: a request or a reply, by whoever speaks first */
	read_skip(r, 1);
	(void)ident_u8(r, 0, DHCP_HARDWARE_MAX);
	(void)ident_u8(r, 0, 16); /* hops */
	read_skip(r, 6);
	ident_check(r, (read_u16be(r) & 0x7fff) == 0);
	read_skip(r, 16 + DHCP_HARDWARE_MAX + DHCP_NAMES);
	ident_text(r, "\x63\x82\x53\x63");
	ident_check(r, dhcp_options(r));
}

enum {
	DHCP6_ADVERTISE = 2,
	DHCP6_REPLY = 7,
	DHCP6_RECONFIGURE = 10,
	DHCP6_INFORMATION = 11,
	DHCP6_RELAY = 12,
	DHCP6_RELAY_BACK = 13,
	DHCP6_CLIENT_ID = 1,
	DHCP6_SERVER_ID = 2,
	DHCP6_ELAPSED = 8,
	DHCP6_RELAYED = 9,
	DHCP6_OPTION_LAST = 160, /* higher than any assigned by 2026 */
	DUID_MAX = 130,
};

static void dhcp6_duid(struct reader *r, size_t n)
{
	ident_check(r, n >= 3 && n <= DUID_MAX);
	(void)ident_u16(r, 1, 4); /* compared */
	read_skip(r, reader_ok(r) ? n - 2 : 0);
}

/* Which of the options up to 15 are there, as bits. They fill the datagram. */
static uint32_t dhcp6_options(struct reader *r)
{
	uint32_t seen = 0;
	for (size_t i = 0; i < DHCP_OPTIONS_MAX && reader_ok(r) && reader_left(r) > 0; i++) {
		const uint32_t code = ident_u16(r, 1, DHCP6_OPTION_LAST), n = read_u16be(r);
		seen |= code < 16 ? 1u << code : 0;
		ident_check(r, code != DHCP6_ELAPSED || n == 2);
		if (code == DHCP6_CLIENT_ID || code == DHCP6_SERVER_ID)
			dhcp6_duid(r, n);
		else
			read_skip(r, reader_ok(r) ? n : 0);
	}
	ident_end(r);
	return seen;
}

/* A client's message tells how long it waits (21.9), a server's who both are (18.3). */
static bool dhcp6_is_whole(uint8_t type, uint32_t seen)
{
	const uint32_t both = 1u << DHCP6_CLIENT_ID | 1u << DHCP6_SERVER_ID;
	if (type == DHCP6_RELAY || type == DHCP6_RELAY_BACK)
		return seen >> DHCP6_RELAYED & 1;
	if (type == DHCP6_ADVERTISE || type == DHCP6_REPLY || type == DHCP6_RECONFIGURE)
		return (seen & both) == both;
	return (seen >> DHCP6_ELAPSED & 1) &&
	       (type == DHCP6_INFORMATION || (seen >> DHCP6_CLIENT_ID & 1));
}

static void dhcp6(struct reader *r)
{
	const uint8_t type = ident_u8(r, 1, DHCP6_RELAY_BACK);
	read_skip(r, type >= DHCP6_RELAY ? 33 : 3);
	ident_check(r, dhcp6_is_whole(type, dhcp6_options(r)));
}

/* The cookie of version 4 stands far behind where a message of version 6 could have it. */
static void dhcp_datagram(struct reader *r)
{
	const struct bytes cookie = bytes_slice(r->in, 236, 4);
	if (bytes_equal(cookie, bytes_of("\x63\x82\x53\x63", 4)))
		dhcp4(r);
	else
		dhcp6(r);
}

/* ---------------------------------------------------------------- tftp */

enum { TFTP_TEXT_MAX = 512, TFTP_OPTIONS_MAX = 32 };

static struct bytes tftp_text(struct reader *r)
{
	const struct bytes text = read_until(r, 0);
	ident_check(r, text.n >= 1 && text.n <= TFTP_TEXT_MAX);
	for (size_t i = 0; i < text.n; i++)
		ident_check(r, text.p[i] >= ' ' && text.p[i] != 0x7f);
	return text;
}

/* A request to read or write: a file, a mode, options in pairs (RFC 2347). */
static void tftp_request(struct reader *r)
{
	ident_zeroes(r, 1);
	(void)ident_u8(r, 1, 2); /* compared */
	(void)tftp_text(r);	 /* a file */
	ident_check(r, ident_has("octet netascii mail", tftp_text(r)));
	for (size_t i = 0; i < TFTP_OPTIONS_MAX && reader_ok(r) && reader_left(r) > 0; i++) {
		(void)tftp_text(r); /* a name */
		(void)tftp_text(r); /* and its value */
	}
	ident_end(r);
}

/* ---------------------------------------------------------------- snmp */

enum {
	SEQUENCE = 0x30,
	INTEGER = 2,
	OCTETS = 4,
	OBJECT = 6,
	SNMP_GET = 0xa0,
	SNMP_TRAP_V1 = 0xa4,
	SNMP_REPORT = 0xa8,
	SNMP_3 = 3,
	SNMP_USM = 3,
	SNMP_COMMUNITY_MAX = 255,
};

static void ber_skip(struct reader *r, uint8_t tag)
{
	const size_t n = ident_ber(r, tag);
	read_skip(r, reader_ok(r) ? n : 0);
}

/* An INTEGER of any sign. */
static void ber_integer(struct reader *r)
{
	const size_t n = ident_ber(r, INTEGER);
	ident_check(r, n >= 1 && n <= 5);
	read_skip(r, reader_ok(r) ? n : 0);
}

/* The community, then a PDU: three numbers, and variables that fill the rest. A trap of version 1
 * names an enterprise instead. */
static void snmp_community(struct reader *r)
{
	const size_t n = ident_ber(r, OCTETS);
	ident_check(r, n <= SNMP_COMMUNITY_MAX);
	read_skip(r, reader_ok(r) ? n : 0);
	uint8_t tag;
	const size_t rest = ident_ber_any(r, &tag);
	ident_check(r, tag >= SNMP_GET && tag <= SNMP_REPORT && rest == reader_left(r));
	if (tag == SNMP_TRAP_V1) {
		ber_skip(r, OBJECT);
		return;
	}
	for (size_t i = 0; i < 3; i++)
		ber_integer(r);
	ident_check(r, ident_ber(r, SEQUENCE) == reader_left(r));
}

/* Global data: a number, the largest answer, one byte of flags, the security model. */
static void snmp_v3(struct reader *r)
{
	const size_t n = ident_ber(r, SEQUENCE), begin = r->pos;
	ber_integer(r);
	ident_check(r, ident_ber_number(r, INTEGER) >= 484);
	ident_check(r, ident_ber(r, OCTETS) == 1);
	ident_check(r, (read_u8(r) & 0xf8) == 0);
	(void)ident_ber_number(r, INTEGER); /* a model; most say 3 */
	ident_check(r, r->pos - begin == n);
	ber_skip(r, OCTETS);
}

static void snmp_datagram(struct reader *r)
{
	ident_check(r, ident_ber(r, SEQUENCE) == reader_left(r));
	const uint64_t version = ident_ber_number(r, INTEGER);
	ident_check(r, version <= 1 || version == SNMP_3);
	if (version == SNMP_3)
		snmp_v3(r);
	else
		snmp_community(r);
}

/* ---------------------------------------------------------------- syslog */

enum { SYSLOG_PRIORITY_MAX = 191, SYSLOG_LENGTH_DIGITS = 5 };

/* For each letter: 0 a digit, _ a blank or a digit, else itself. */
static void shape(struct reader *r, const char *form)
{
	static const struct bytes digits = {(const uint8_t *)" 0123456789", 11};
	for (; *form; form++) {
		if (*form == '0' || *form == '_')
			(void)ident_one_of(r, bytes_from(digits, *form == '0')); /* compared */
		else
			ident_check(r, read_u8(r) == (uint8_t)*form);
	}
}

static void month(struct reader *r)
{
	ident_check(r,
		    ident_has("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec", read_bytes(r, 3)));
}

/* "<0>" to "<191>" without noughts before it. */
static void priority(struct reader *r)
{
	static const struct bytes digits = {(const uint8_t *)"0123456789", 10};
	unsigned n = 0, value = 0;
	ident_text(r, "<");
	uint8_t c = ident_one_of(r, digits);
	while (reader_ok(r) && c != '>') {
		value = value * 10 + (c - '0');
		ident_check(r, value <= SYSLOG_PRIORITY_MAX && (n == 0 || value >= 10));
		n++;
		c = read_u8(r);
		ident_check(r, c == '>' || bytes_find(digits, c) < digits.n);
	}
}

/* The priority, then a version and a date (RFC 5424) or a date of old (RFC 3164). */
static void syslog_message(struct reader *r)
{
	priority(r);
	const struct bytes next = bytes_slice(r->in, r->pos, 1);
	if (next.n == 1 && next.p[0] == '1') {
		shape(r, "1 0000-00-00");
		ident_text(r, "T");
		shape(r, "00:00:00");
	} else {
		month(r);
		shape(r, " _0 00:00:00 ");
	}
}

/* Over TCP a length may stand before each message (RFC 6587). */
static void syslog_stream(struct reader *r)
{
	static const struct bytes digits = {(const uint8_t *)"0123456789", 10};
	const struct bytes start = bytes_slice(r->in, 0, SYSLOG_LENGTH_DIGITS + 1);
	size_t n = 0;
	while (n < start.n && bytes_find(digits, start.p[n]) < digits.n)
		n++;
	ident_check(r, n <= SYSLOG_LENGTH_DIGITS);
	read_skip(r, n);
	if (n > 0)
		ident_text(r, " ");
	syslog_message(r);
}

/* ---------------------------------------------------------------- mdns */

enum {
	MDNS_RECORDS_MAX = 256,
	MDNS_FLUSH = 0x8000, /* the top bit of a record's class */
	MDNS_NAME_MAX = 128, /* labels */
};

static void mdns_name(struct reader *r)
{
	for (size_t i = 0; i < MDNS_NAME_MAX && reader_ok(r); i++) {
		const uint8_t n = read_u8(r);
		ident_check(r, n < 64 || n >= 192);
		if (n >= 192)
			read_skip(r, 1);
		if (n == 0 || n >= 192)
			return;
		read_skip(r, reader_ok(r) ? n : 0);
	}
	read_fail(r);
}

/* One record; has it the bit that only mDNS knows? */
static bool mdns_record(struct reader *r)
{
	mdns_name(r);
	read_skip(r, 2);
	const uint16_t class = read_u16be(r);
	ident_check(r, (class & ~MDNS_FLUSH) >= 1);
	read_skip(r, 4);
	const size_t n = read_u16be(r);
	read_skip(r, reader_ok(r) ? n : 0);
	return class == (MDNS_FLUSH | 1);
}

/* An answer that nobody asked for, sent to all (section 6): no number, authoritative, no question;
 * a record of it replaces what others remember. It proves itself wherever it goes. */
static void mdns_answer(struct reader *r)
{
	bool has_flush = false;
	ident_text(r, "\0\0\x84\0\0\0");
	const uint32_t n = ident_u16(r, 1, MDNS_RECORDS_MAX), others = ident_u16(r, 0, 0);
	const uint32_t more = ident_u16(r, others, MDNS_RECORDS_MAX);
	for (size_t i = 0; i < n + more && reader_ok(r); i++)
		has_flush |= mdns_record(r);
	ident_end(r);
	ident_check(r, has_flush);
}

static void mdns_question(struct reader *r)
{
	mdns_name(r);
	read_skip(r, 2);
	ident_check(r, (read_u16be(r) & ~MDNS_FLUSH) >= 1); /* the top bit asks for a letter */
}

/* Questions and records of these numbers, and nothing behind them. */
static void mdns_body(struct reader *r, uint32_t n_questions, uint32_t n_records)
{
	ident_check(r, n_questions + n_records > 0);
	for (size_t i = 0; i < n_questions && reader_ok(r); i++)
		mdns_question(r);
	for (size_t i = 0; i < n_records && reader_ok(r); i++)
		(void)mdns_record(r); /* with the bit or without */
	ident_end(r);
}

enum {
	MDNS_FIXED = 0x780f, /* flags: the operation and the code are nought (18.3, 18.11) */
	LLMNR_FREE = 0x0400, /* flags: only the conflict bit may be set in a query */
};

/* Sent to mDNS's group: queries, whose bytes are those of DNS, and answers of any kind. */
static void mdns_to_group(struct reader *r)
{
	read_skip(r, 2); /* a number in queries of those that are no full speakers (6.7) */
	const uint16_t flags = read_u16be(r);
	ident_check(r, (flags & MDNS_FIXED) == 0);
	uint32_t counts[4];
	for (int i = 0; i < 4; i++)
		counts[i] = ident_u16(r, 0, MDNS_RECORDS_MAX);
	mdns_body(r, counts[0], counts[1] + counts[2] + counts[3]);
}

/* Sent to LLMNR's group: queries with one question (RFC 4795, 2.1.1). */
static void llmnr_to_group(struct reader *r)
{
	read_skip(r, 2);
	ident_check(r, (read_u16be(r) & ~LLMNR_FREE) == 0);
	(void)ident_u16(r, 1, 1); /* compared: questions */
	(void)ident_u32(r, 0, 0); /* compared: answers and authorities */
	mdns_body(r, 1, ident_u16(r, 0, MDNS_RECORDS_MAX));
}

/* Elsewhere its bytes are those of DNS. */
static void llmnr_elsewhere(struct reader *r)
{
	read_fail(r);
}

IDENT_FEED(mdns_group_feed, .opener = IDENT_CLIENT, .udp = {mdns_to_group, NULL})
IDENT_FEED(llmnr_group_feed, .opener = IDENT_CLIENT, .udp = {llmnr_to_group, NULL})

/* clang-format off */
static const struct dis_multicast mdns_group = {
	.port = 5353,
	.addr = {{[10] = 0xff, 0xff, 224, 0, 0, 251}, {0xff, 0x02, [15] = 0xfb}},
	.feed = mdns_group_feed,
};
static const struct dis_multicast llmnr_group = {
	.port = 5355,
	.addr = {{[10] = 0xff, 0xff, 224, 0, 0, 252}, {0xff, 0x02, [13] = 1, 0, 3}},
	.feed = llmnr_group_feed,
};
/* clang-format on */

/* ---------------------------------------------------------------- the dissectors */

IDENT_DISSECTOR(ntp, IDENT_UDP, 0, .opener = IDENT_CLIENT, .udp = {ntp_client, ntp_server});
IDENT_DISSECTOR(dhcp, IDENT_UDP, 0, .opener = IDENT_CLIENT, .udp = {dhcp_datagram, dhcp_datagram});
IDENT_DISSECTOR(tftp, IDENT_UDP, 0, .opener = IDENT_CLIENT, .udp = {tftp_request, NULL});
IDENT_DISSECTOR(snmp, IDENT_UDP, 0, .opener = IDENT_CLIENT, .udp = {snmp_datagram, snmp_datagram});
IDENT_DISSECTOR(syslog, IDENT_UDP, IDENT_TCP, .opener = IDENT_CLIENT, .tcp = {syslog_stream, NULL},
		.udp = {syslog_message, NULL});
IDENT_IN_GROUP(mdns, IDENT_UDP, 0, &mdns_group, .opener = IDENT_CLIENT, .udp = {mdns_answer, NULL});
IDENT_IN_GROUP(llmnr, IDENT_UDP, 0, &llmnr_group, .opener = IDENT_CLIENT,
	       .udp = {llmnr_elsewhere, NULL});
