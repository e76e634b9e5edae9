/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tunnels and peers: WireGuard, IKE (RFC 7296, 2408), BitTorrent (BEP 3, 5, 15, 29).
 *
 * ESP in UDP has nothing that proves it; it follows IKE on the same ports, in the same flow.
 */
#include "ident/ident.h"

/* ---------------------------------------------------------------- wireguard */

enum {
	WG_INITIATION = 1,
	WG_RESPONSE = 2,
	WG_COOKIE = 3,
	WG_MAC = 16,
	WG_INITIATION_SIZE = 148,
	WG_RESPONSE_SIZE = 92,
	WG_COOKIE_SIZE = 64,
	WG_KEY_MIN = 12, /* different bytes among 32 random ones; one in 10^12 has fewer */
};

/* Keys look random: few of their bytes are the same. */
static bool wg_is_random(struct bytes key)
{
	uint64_t seen[4] = {0};
	int n = 0;
	for (size_t i = 0; i < key.n; i++) {
		const uint64_t bit = UINT64_C(1) << (key.p[i] & 63);
		n += !(seen[key.p[i] >> 6] & bit);
		seen[key.p[i] >> 6] |= bit;
	}
	return n >= WG_KEY_MIN;
}

/* https://www.wireguard.com/protocol/: type, three noughts, sender, a key; at the end a MAC that is
 * nought until the responder asked for one. Both are of one size each. */
static void wg_initiation(struct reader *r)
{
	ident_check(r, r->in.n == WG_INITIATION_SIZE);
	ident_text(r, "\1\0\0\0");
	read_skip(r, 4);
	ident_check(r, wg_is_random(read_bytes(r, 32)));
	read_skip(r, WG_INITIATION_SIZE - WG_MAC - r->pos);
	ident_zeroes(r, WG_MAC);
}

static void wg_answer(struct reader *r)
{
	const uint8_t type = ident_u8(r, WG_INITIATION, WG_COOKIE);
	ident_zeroes(r, 3);
	ident_check(r, r->in.n == (type == WG_INITIATION ? WG_INITIATION_SIZE
				   : type == WG_RESPONSE ? WG_RESPONSE_SIZE
							 : WG_COOKIE_SIZE));
}

/* ---------------------------------------------------------------- ike */

enum {
	IKE_HEADER = 28,
	IKE_1 = 0x10,
	IKE_2 = 0x20,
	IKE_SA = 1,    /* first payload of version 1 */
	IKE_SA_2 = 33, /* and of version 2; 41 (a notice), 43 (a vendor) may come before it */
	IKE_MAIN = 2,  /* exchanges of version 1 */
	IKE_AGGRESSIVE = 4,
	IKE_INIT = 34, /* and of version 2 */
	IKE_INITIATOR = 8,
	IKE_PAYLOADS_MAX = 64,
};

/* Over port 4500 four noughts mark IKE among ESP (RFC 3948). */
static void ike_marker(struct reader *r)
{
	if (bytes_equal(bytes_slice(r->in, 0, 4), bytes_of("\0\0\0\0", 4)))
		read_skip(r, 4);
}

/* The payloads' lengths fill what is there. */
static void ike_payloads(struct reader *r, uint8_t next)
{
	for (size_t i = 0; i < IKE_PAYLOADS_MAX && next != 0 && reader_ok(r); i++) {
		next = read_u8(r);
		ident_check(r, (read_u8(r) & 0x7f) == 0);
		const uint32_t n = read_u16be(r);
		ident_check(r, n >= 4);
		read_skip(r, reader_ok(r) ? n - 4 : 0);
	}
	ident_check(r, next == 0);
	ident_end(r);
}

/* The first message: no responder yet, number 0. */
static void ike_first(struct reader *r)
{
	ike_marker(r);
	const size_t begin = r->pos;
	ident_check(r, read_be(r, 8) != 0);
	ident_zeroes(r, 8);
	const uint8_t next = read_u8(r), version = ident_one_of(r, bytes_of("\x10\x20", 2));
	const uint8_t exchange = read_u8(r), flags = read_u8(r);
	if (version == IKE_1)
		ident_check(r, (exchange == IKE_MAIN || exchange == IKE_AGGRESSIVE) &&
				       next == IKE_SA && flags == 0);
	else
		ident_check(r, exchange == IKE_INIT && flags == IKE_INITIATOR &&
				       (next == IKE_SA_2 || next == 41 || next == 43));
	ident_zeroes(r, 4);
	ident_check(r, read_u32be(r) == r->in.n - begin);
	ike_payloads(r, next);
}

static void ike_answer(struct reader *r)
{
	ike_marker(r);
	const size_t begin = r->pos;
	ident_check(r, read_be(r, 8) != 0);
	read_skip(r, 9);
	(void)ident_one_of(r, bytes_of("\x10\x20", 2)); /* compared */
	read_skip(r, 6);
	ident_check(r, read_u32be(r) == r->in.n - begin);
}

/* ---------------------------------------------------------------- bittorrent */

enum { UTP_SYN = 0x41, UTP_SIZE = 20, DHT_ID = 20 };

static void bt_handshake(struct reader *r)
{
	ident_text(r, "\x13"
		      "BitTorrent protocol");
}

/* A dictionary whose first value holds the sender's id: of a question, or of an answer, before
 * which an answer may tell the asker's address (BEP 42) and the question's name. */
static void bt_dht(struct reader *r)
{
	ident_text(r, "d");
	if (bytes_equal(bytes_slice(r->in, 1, 4), bytes_str("2:ip"))) {
		read_skip(r, 4);
		const uint8_t digit = ident_one_of(r, bytes_str("61"));
		if (digit == '1')
			ident_text(r, "8");
		ident_text(r, ":");
		read_skip(r, digit == '1' ? 18 : 6);
	}
	const bool repeats = bytes_is(bytes_slice(r->in, r->pos, 3), "1:q");
	if (repeats) {
		read_skip(r, 3);
		const uint8_t n = ident_one_of(r, bytes_str("456789"));
		ident_text(r, ":");
		(void)ident_visible(r, n - '0'); /* compared */
	}
	ident_text(r, "1:");
	(void)ident_one_of(r, bytes_str(repeats ? "r" : "ar")); /* compared */
	ident_text(r, "d2:id20:");
	read_skip(r, DHT_ID);
	ident_check(r, r->in.p[r->in.n - 1] == 'e');
}

/* The request to connect of a tracker: a magic number, action 0 and a transaction. */
static void bt_tracker(struct reader *r)
{
	ident_text(r, "\0\0\x04\x17\x27\x10\x19\x80\0\0\0\0");
	read_skip(r, 4);
	ident_end(r);
}

/* The first packet of uTP: SYN, version 1, no extension, nothing measured and nothing received yet.
 */
static void bt_utp(struct reader *r)
{
	ident_text(r, "\x41\0");
	read_skip(r, 2);
	ident_check(r, read_u32be(r) != 0);
	ident_zeroes(r, 4);
	ident_check(r, read_u32be(r) != 0);
	read_skip(r, 2);
	ident_zeroes(r, 2);
	ident_end(r);
}

static void bt_datagram(struct reader *r)
{
	const uint8_t first = r->in.p[0];
	ident_check(r, first == 'd' || first == 0 || first == UTP_SYN);
	if (first == 'd')
		bt_dht(r);
	else if (first == 0)
		bt_tracker(r);
	else
		bt_utp(r);
}

/* ---------------------------------------------------------------- the dissectors */

IDENT_DISSECTOR(wireguard, IDENT_UDP, 0, .opener = IDENT_CLIENT, .udp = {wg_initiation, wg_answer});
IDENT_DISSECTOR(ike, IDENT_UDP, 0, .opener = IDENT_CLIENT, .udp = {ike_first, ike_answer});
IDENT_DISSECTOR(bittorrent, IDENT_TCP, IDENT_UDP, .opener = IDENT_CLIENT,
		.tcp = {bt_handshake, bt_handshake}, .udp = {bt_datagram, NULL});
