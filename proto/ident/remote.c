/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Somebody else's screen or shell: SSH (RFC 4253), VNC's RFB (RFC 6143), RDP ([MS-RDPBCGR]), which
 * goes on in TLS where both sides know it.
 */
#include "ident/ident.h"

/* ---------------------------------------------------------------- ssh */

/* "SSH-2.0-software comment" (section 4.2); 1.99 and 1.5 are of old ones. A server may send other
 * lines before it; what does is not recognised. */
static void ssh_banner(struct reader *r)
{
	ident_text(r, "SSH-");
	const struct bytes line = ident_line(r);
	const bool is_known = bytes_is(bytes_slice(line, 0, 4), "2.0-") ||
			      bytes_is(bytes_slice(line, 0, 5), "1.99-") ||
			      bytes_is(bytes_slice(line, 0, 4), "1.5-");
	ident_check(r, is_known && line.n > 4 && line.n < 255);
}

/* ---------------------------------------------------------------- vnc */

/* "RFB 003.008\n" (section 7.1.1). The client answers in the same form. */
static void vnc_version(struct reader *r)
{
	static const struct bytes digits = {(const uint8_t *)"0123456789", 10};
	ident_text(r, "RFB 0");
	for (size_t i = 0; i < 2; i++)
		(void)ident_one_of(r, digits); /* compared */
	ident_text(r, ".");
	for (size_t i = 0; i < 3; i++)
		(void)ident_one_of(r, digits); /* compared */
	ident_text(r, "\n");
}

/* ---------------------------------------------------------------- rdp */

enum {
	TPKT_VERSION = 3,
	X224_REQUEST = 0xe0,
	X224_CONFIRM = 0xd0,
	X224_FIXED = 6,	    /* behind the length byte */
	NEGOTIATION = 8,    /* bytes of a negotiation request, response or failure */
	LENGTH_MAX = 0x100, /* a length byte and a header: the whole opening is this small */
};

/* TPKT (RFC 1006) and the fixed part of X.224's connection PDUs; returns how many bytes follow. */
static size_t x224(struct reader *r, uint8_t kind)
{
	ident_check(r, read_u8(r) == TPKT_VERSION);
	ident_zeroes(r, 1);
	const size_t whole = ident_u16(r, 4 + 1 + X224_FIXED, LENGTH_MAX);
	const uint8_t length = read_u8(r);
	ident_check(r, (size_t)length + 5 == whole);
	ident_check(r, read_u8(r) == kind);
	if (kind == X224_REQUEST)
		ident_zeroes(r, 2);
	else
		read_skip(r, 2);
	read_skip(r, 2);
	ident_zeroes(r, 1);
	return reader_ok(r) ? (size_t)length - X224_FIXED : 0;
}

/* rdpNegReq (2.2.1.1.1): type 1, length 8, and protocols of which five bits are known. */
static void negotiation(struct reader *r)
{
	ident_check(r, read_u8(r) == 1);
	read_skip(r, 1);
	ident_text(r, "\x08\0");
	ident_check(r, (read_u32le(r) & ~0x1fu) == 0);
}

/* X.224 alone is also S7's and H.323's: a cookie or a negotiation must follow. */
static void rdp_client(struct reader *r)
{
	const size_t n = x224(r, X224_REQUEST);
	const struct bytes rest = bytes_slice(r->in, r->pos, n);
	ident_check(r, n >= NEGOTIATION);
	if (rest.n == 0 || rest.p[0] == 1) {
		negotiation(r);
	} else if (rest.p[0] == 'C') {
		ident_text(r, "Cookie: ms");
		(void)ident_line(r); /* must end, and be text */
	} else {
		ident_text(r, "tsv://MS Terminal Services Plugin.");
	}
}

static void rdp_server(struct reader *r)
{
	const size_t n = x224(r, X224_CONFIRM);
	ident_check(r, n == 0 || n == NEGOTIATION);
}

enum { RDP_SELECTED = 2, RDP_PLAIN = 0 };

/* A client without a negotiation request gets RDP's own encryption. */
static uint64_t rdp_request(struct ident_talk *t, struct reader *r)
{
	read_skip(r, 2);
	read_skip(r, (size_t)read_u16be(r) - 4);
	const struct bytes request = bytes_slice(r->in, r->pos - NEGOTIATION, NEGOTIATION);
	if (reader_ok(r)) {
		const bool asks = request.p[0] == 1 && request.p[2] == NEGOTIATION &&
				  request.p[3] == 0 && request.p[4] != RDP_PLAIN;
		t->phase = asks ? IDENT_ASKED : IDENT_LEFT;
	}
	return 0;
}

/* rdpNegRsp (2.2.1.2.1): what was chosen, of which all but nought begin with TLS. */
static uint64_t rdp_confirm(struct ident_talk *t, struct reader *r)
{
	const size_t n = x224(r, X224_CONFIRM);
	const uint8_t kind = n == NEGOTIATION ? read_u8(r) : 0;
	read_skip(r, n == NEGOTIATION ? 3 : 0);
	const uint32_t chosen = n == NEGOTIATION ? read_u32le(r) : 0;
	const bool is_tls = kind == RDP_SELECTED && chosen != RDP_PLAIN;
	t->phase = is_tls && t->phase == IDENT_ASKED ? IDENT_AGREED : IDENT_LEFT;
	return 0;
}

/* ---------------------------------------------------------------- the dissectors */

IDENT_DISSECTOR(ssh, IDENT_TCP, 0, .opener = IDENT_EITHER, .tcp = {ssh_banner, ssh_banner});
IDENT_DISSECTOR(vnc, IDENT_TCP, 0, .opener = IDENT_SERVER, .tcp = {vnc_version, vnc_version});
IDENT_DISSECTOR_TLS(rdp, IDENT_TCP, 0, .opener = IDENT_CLIENT, .tcp = {rdp_client, rdp_server},
		    .unit = {rdp_request, rdp_confirm});
