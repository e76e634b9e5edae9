/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SMB ([MS-CIFS], [MS-SMB2], RFC 1002), Microsoft's and Sybase's TDS ([MS-TDS], TDS 5.0), Oracle's
 * TNS.
 */
#include "ident/ident.h"

/* ---------------------------------------------------------------- smb */

enum {
	NETBIOS_MESSAGE = 0,
	NETBIOS_REQUEST = 0x81,
	NETBIOS_NAME = 32, /* letters A to P */
	SMB_MIN = 32,
	SMB2_COMMAND_MAX = 0x12,
};

/* A session request: called and calling name, each of 32 letters. */
static void netbios_request(struct reader *r)
{
	static const struct bytes letters = {(const uint8_t *)"ABCDEFGHIJKLMNOP", 16};
	ident_text(r, "\x81\0\0\x44");
	for (size_t i = 0; i < 2; i++) {
		ident_check(r, read_u8(r) == NETBIOS_NAME);
		for (size_t j = 0; j < NETBIOS_NAME; j++)
			(void)ident_one_of(r, letters); /* compared */
		ident_zeroes(r, 1);
	}
}

static uint8_t smb_header(struct reader *r)
{
	ident_zeroes(r, 1);
	const size_t n = read_be(r, 3);
	ident_check(r, n >= SMB_MIN);
	const uint8_t generation = ident_one_of(r, bytes_of("\xff\xfe", 2));
	ident_text(r, "SMB");
	return generation;
}

/* Of SMB 2 the header is 64 bytes, and there are 19 commands. */
static void smb_message(struct reader *r)
{
	if (smb_header(r) == 0xff)
		return;
	ident_text(r, "\x40\0");
	read_skip(r, 6);
	ident_check(r, read_u16le(r) <= SMB2_COMMAND_MAX);
}

static void smb_client(struct reader *r)
{
	if (r->in.p[0] == NETBIOS_REQUEST)
		netbios_request(r);
	else
		smb_message(r);
}

/* To a session request: granted, refused (one byte of reason) or another place (six). */
static void smb_server(struct reader *r)
{
	if (r->in.p[0] == NETBIOS_MESSAGE) {
		smb_message(r);
		return;
	}
	const uint8_t type = ident_u8(r, 0x82, 0x84);
	ident_check(r, read_be(r, 3) == (type == 0x82 ? 0u : type == 0x83 ? 1u : 6u));
}

/* ---------------------------------------------------------------- tds */

enum {
	TDS_HEADER = 8,
	TDS_OPTIONS_MAX = 16,
	TDS_END = 0xff,
	TDS_VERSION_SIZE = 6,
	TDS5_LOGIN = 2,
	TDS5_NAME = 30,
	TDS_ANSWER = 4,
	TDS_PRELOGIN = 0x12,
	TDS_LOGIN7 = 0x10,
};

/* Type, status, length, process (0 before the login), number (0 or 1), window 0. */
static size_t tds_header(struct reader *r, uint8_t *type)
{
	*type = read_u8(r);
	ident_check(r, read_u8(r) <= 1);
	const size_t n = ident_u16(r, TDS_HEADER + 1, 32767);
	ident_zeroes(r, 2);
	ident_check(r, read_u8(r) <= 1);
	ident_zeroes(r, 1);
	return n;
}

/* 2.2.6.5: a row of options, the version first, whose data begin behind the row. */
static void tds_prelogin(struct reader *r, size_t size)
{
	size_t first = 0, n = 0;
	while (reader_ok(r) && n <= TDS_OPTIONS_MAX) {
		const uint8_t token = read_u8(r);
		if (token == TDS_END)
			break;
		const uint32_t offset = read_u16be(r), length = read_u16be(r);
		ident_check(r, n > 0 || (token == 0 && length == TDS_VERSION_SIZE));
		ident_check(r, offset + length + TDS_HEADER <= size);
		first = n == 0 ? offset : first;
		n++;
	}
	ident_check(r, n >= 1 && n <= TDS_OPTIONS_MAX && first == n * 5 + 1);
}

/* 2.2.6.4: the length once more, low byte first, and a version 7.x. */
static void tds_login7(struct reader *r, size_t size)
{
	const uint32_t n = read_u32le(r), version = read_u32le(r);
	ident_check(r, n + TDS_HEADER == size || size == 4096);
	ident_check(r, (version >> 24 >= 0x70 && version >> 24 <= 0x74) || version == 0x70 ||
			       version == 0x71);
}

/* A name of 30 bytes: text, noughts, then its length. */
static size_t tds5_name(struct reader *r)
{
	const struct bytes name = read_bytes(r, TDS5_NAME);
	const size_t n = ident_u8(r, 0, TDS5_NAME);
	for (size_t i = 0; i < name.n; i++)
		ident_check(r, i < n ? name.p[i] >= ' ' && name.p[i] < 0x7f : name.p[i] == 0);
	return n;
}

/* The client's host and user name; between user and the number of its process stands the password,
 * which may be anything. */
static void tds5_login(struct reader *r)
{
	(void)tds5_name(r); /* the host's name may be empty */
	ident_check(r, tds5_name(r) > 0);
}

static void tds_client(struct reader *r)
{
	uint8_t type;
	static const struct bytes types = {(const uint8_t *)"\x12\x10\x02", 3};
	ident_check(r, bytes_find(types, r->in.p[0]) < types.n);
	const size_t n = tds_header(r, &type);
	if (type == TDS_PRELOGIN)
		tds_prelogin(r, n);
	else if (type == TDS_LOGIN7)
		tds_login7(r, n);
	else
		tds5_login(r);
}

/* The process is a number by now. */
static void tds_server(struct reader *r)
{
	ident_check(r, read_u8(r) == TDS_ANSWER);
	ident_check(r, read_u8(r) <= 1);
	(void)ident_u16(r, TDS_HEADER + 1, 32767); /* compared */
}

/* ---------------------------------------------------------------- tns */

enum {
	TNS_CONNECT = 1,
	TNS_DATA_MAX = 230, /* longer connect data come in a packet of their own */
	TNS_DATA_MIN = 34,  /* where connect data may begin */
	TNS_VERSION_MIN = 300,
	TNS_VERSION_MAX = 340,
};

/* Length, no checksum, type, flags, no checksum of the header. */
static size_t tns_header(struct reader *r, struct bytes types)
{
	const size_t n = ident_u16(r, 8, 8192);
	ident_zeroes(r, 2);
	(void)ident_one_of(r, types); /* compared */
	read_skip(r, 1);
	ident_zeroes(r, 2);
	return n;
}

/* Versions, sizes of two units; then where the connect data stand, which begin with "(". */
static void tns_client(struct reader *r)
{
	const size_t n = tns_header(r, bytes_of("\1", 1));
	const uint32_t version = ident_u16(r, TNS_VERSION_MIN, TNS_VERSION_MAX);
	(void)ident_u16(r, TNS_VERSION_MIN, version); /* the oldest that it bears: compared */
	read_skip(r, 2);
	(void)ident_u16(r, 255, 65535); /* compared: SDU and TDU */
	(void)ident_u16(r, 255, 65535);
	read_skip(r, 6);
	const uint32_t length = read_u16be(r), offset = read_u16be(r);
	ident_check(r, offset >= TNS_DATA_MIN && offset <= n);
	ident_check(r, offset + length == n || (offset == n && length > TNS_DATA_MAX));
	if (!reader_ok(r) || offset == n)
		return;
	read_skip(r, offset - r->pos);
	ident_text(r, "(");
}

static void tns_server(struct reader *r)
{
	(void)tns_header(r, bytes_of("\2\4\5\x0b\x0c", 5)); /* compared */
}

/* ---------------------------------------------------------------- the dissectors */

IDENT_DISSECTOR(smb, IDENT_TCP, 0, .opener = IDENT_CLIENT, .tcp = {smb_client, smb_server});
IDENT_DISSECTOR(tds, IDENT_TCP, 0, .opener = IDENT_CLIENT, .tcp = {tds_client, tds_server});
IDENT_DISSECTOR(tns, IDENT_TCP, 0, .opener = IDENT_CLIENT, .tcp = {tns_client, tns_server});
