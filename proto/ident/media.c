/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls and streams: SIP (RFC 3261), RTSP (RFC 2326, 7826), RTCP (RFC 3550).
 *
 * RTP itself has nothing in a packet that proves it; RTCP beside it has.
 */
#include "ident/ident.h"

/* ---------------------------------------------------------------- sip and rtsp */

enum { METHOD_MAX = 14 };

static bool is_method(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || c == '_';
}

/* Does a method begin so? */
static bool may_become(const char *methods, struct bytes start)
{
	while (*methods) {
		const size_t n = bytes_find(bytes_str(methods), ' ');
		if (start.n <= n && memcmp(methods, start.p, start.n) == 0)
			return true;
		methods += n + (methods[n] == ' ');
	}
	return false;
}

static void method(struct reader *r, const char *methods)
{
	const struct bytes rest = bytes_slice(r->in, r->pos, METHOD_MAX + 1);
	size_t n = 0;
	while (n < rest.n && is_method(rest.p[n]))
		n++;
	const struct bytes word = bytes_slice(rest, 0, n);
	ident_check(r, n == rest.n ? may_become(methods, word) : ident_has(methods, word));
	read_skip(r, n + (n == 0));
}

/* "METHOD URI VERSION". */
static void request_line(struct reader *r, const char *methods, const char *const *schemes,
			 const char *const *versions)
{
	method(r, methods);
	ident_text(r, " ");
	const struct bytes line = ident_line(r);
	const size_t blank = bytes_find(line, ' ');
	bool fits_scheme = false, fits_version = false;
	for (; *schemes; schemes++)
		fits_scheme |= bytes_is_nocase(bytes_slice(line, 0, strlen(*schemes)), *schemes);
	for (; *versions; versions++)
		fits_version |= bytes_is(bytes_from(line, blank + 1), *versions);
	ident_check(r, fits_scheme && fits_version);
}

/* "VERSION 200 Reason" */
static void status_line(struct reader *r)
{
	(void)ident_one_of(r, bytes_str("123456")); /* compared */
	for (size_t i = 0; i < 2; i++)
		(void)ident_one_of(r, bytes_str("0123456789")); /* compared */
	(void)ident_one_of(r, bytes_str(" \r\n"));		/* compared */
}

/* Both ends ask and answer; over UDP an answer may be the first that is seen. */
static void sip_message(struct reader *r)
{
	static const char *const schemes[] = {"sip:", "sips:", "tel:", "urn:", NULL};
	static const char *const versions[] = {"SIP/2.0", NULL};
	if (r->in.n >= 2 && r->in.p[1] == 'I' && r->in.p[0] == 'S') {
		ident_text(r, "SIP/2.0 ");
		status_line(r);
	} else {
		request_line(r,
			     "INVITE ACK BYE CANCEL REGISTER OPTIONS PRACK SUBSCRIBE NOTIFY "
			     "PUBLISH INFO REFER MESSAGE UPDATE",
			     schemes, versions);
	}
}

static void rtsp_client(struct reader *r)
{
	static const char *const schemes[] = {"rtsp://", "rtspu:", "rtsps:", "* ", NULL};
	static const char *const versions[] = {"RTSP/1.0", "RTSP/2.0", NULL};
	request_line(r,
		     "OPTIONS DESCRIBE ANNOUNCE SETUP PLAY PAUSE TEARDOWN GET_PARAMETER "
		     "SET_PARAMETER REDIRECT RECORD",
		     schemes, versions);
}

static void rtsp_server(struct reader *r)
{
	ident_text(r, "RTSP/");
	(void)ident_one_of(r, bytes_str("12")); /* compared */
	ident_text(r, ".0 ");
	status_line(r);
}

/* ---------------------------------------------------------------- rtcp */

enum {
	RTCP_SENDER = 200,
	RTCP_RECEIVER = 201,
	RTCP_DESCRIPTION = 202,
	RTCP_LAST = 207,
	RTCP_CNAME = 1,
	RTCP_SENDER_WORDS = 6, /* without its reports and the first word */
	RTCP_REPORT_WORDS = 6,
	RTCP_PACKETS_MAX = 16,
};

/* The length of one packet of the compound, in bytes behind its first word; `count` is the five
 * bits that say how many reports or chunks it has. */
static size_t rtcp_header(struct reader *r, uint8_t *count, uint8_t *type)
{
	const uint8_t first = read_u8(r);
	ident_check(r, first >> 6 == 2);
	*count = first & 0x1f;
	*type = ident_u8(r, RTCP_SENDER, RTCP_LAST);
	return (size_t)read_u16be(r) * 4;
}

/* Section 6.1: a report, then a description with the sender's name, in one datagram that the
 * lengths fill; both of the same source. */
static void rtcp_datagram(struct reader *r)
{
	uint8_t count, type;
	const size_t n = rtcp_header(r, &count, &type);
	const size_t fixed = type == RTCP_SENDER ? RTCP_SENDER_WORDS : 1;
	ident_check(r, type == RTCP_SENDER || type == RTCP_RECEIVER);
	ident_check(r, n >= (fixed + (size_t)count * RTCP_REPORT_WORDS) * 4);
	const uint32_t source = read_u32be(r);
	read_skip(r, reader_ok(r) ? n - 4 : 0);
	const size_t rest = rtcp_header(r, &count, &type);
	ident_check(r, type == RTCP_DESCRIPTION && count > 0 && rest >= 8);
	ident_check(r, read_u32be(r) == source && read_u8(r) == RTCP_CNAME);
	read_skip(r, reader_ok(r) ? rest - 5 : 0);
	for (size_t i = 0; i < RTCP_PACKETS_MAX && reader_ok(r) && reader_left(r) > 0; i++)
		read_skip(r, rtcp_header(r, &count, &type));
	ident_end(r);
}

/* ---------------------------------------------------------------- the dissectors */

IDENT_DISSECTOR(sip, IDENT_TCP, IDENT_UDP, .opener = IDENT_CLIENT,
		.tcp = {sip_message, sip_message}, .udp = {sip_message, sip_message});
IDENT_DISSECTOR(rtsp, IDENT_TCP, 0, .opener = IDENT_CLIENT, .tcp = {rtsp_client, rtsp_server});
IDENT_DISSECTOR(rtcp, IDENT_UDP, 0, .opener = IDENT_CLIENT, .udp = {rtcp_datagram, NULL});
