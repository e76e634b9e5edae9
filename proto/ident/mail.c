/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SMTP (RFC 5321), FTP (RFC 959), POP3 (RFC 1939) and IMAP (RFC 3501, 9051): the server greets with
 * a line, the client answers with a command.
 *
 * SMTP and FTP begin with the same three digits. Nothing in the rest of the line is prescribed, but
 * every server says what it is; a greeting that does not is nobody's.
 */
#include "ident/ident.h"

enum { GREETING_LINES_MAX = 8 };

/* ---------------------------------------------------------------- greetings with 220 */

enum service { SERVICE_UNKNOWN, SERVICE_SMTP, SERVICE_FTP };

static bool is_host_name(struct bytes word)
{
	return bytes_find(word, '.') < word.n && bytes_find(word, '(') == word.n;
}

/* The first word is the server's name in SMTP, and often in FTP: a host may be called ftp.x and
 * speak SMTP. */
static enum service service_of(struct bytes text)
{
	const size_t n = bytes_find(text, ' ');
	const struct bytes first = bytes_slice(text, 0, n), rest = bytes_from(text, n);
	const bool is_host = is_host_name(first);
	if (ident_finds(is_host ? rest : text, "smtp"))
		return SERVICE_SMTP;
	if (ident_finds(rest, "ftp") || ident_finds(text, "filezilla server"))
		return SERVICE_FTP;
	if (bytes_is_nocase(first, "welcome") && !ident_finds(rest, "mail"))
		return SERVICE_FTP; /* SMTP has a host's name here */
	return !is_host && ident_finds(first, "ftp") ? SERVICE_FTP : SERVICE_UNKNOWN;
}

static enum service greeting(struct reader *r)
{
	enum service service = SERVICE_UNKNOWN;
	for (size_t i = 0; i < GREETING_LINES_MAX && reader_ok(r); i++) {
		ident_text(r, "220");
		const uint8_t follows = ident_one_of(r, bytes_str(" -"));
		service = service_of(ident_line(r));
		if (service != SERVICE_UNKNOWN || follows != '-')
			break;
	}
	return service;
}

static void smtp_server(struct reader *r)
{
	ident_check(r, greeting(r) == SERVICE_SMTP);
}

static void ftp_server(struct reader *r)
{
	ident_check(r, greeting(r) == SERVICE_FTP);
}

/* A command of the protocol, and a blank or the line's end behind it. */
static void command(struct reader *r, const char *commands)
{
	const struct bytes word = ident_word(r, 12);
	ident_check(r, ident_has(commands, word));
	(void)ident_one_of(r, bytes_str(" \r\n")); /* one of them: compared */
}

static void smtp_client(struct reader *r)
{
	command(r, "EHLO HELO STARTTLS AUTH MAIL NOOP RSET QUIT HELP VRFY EXPN XCLIENT XFORWARD "
		   "ETRN BDAT RCPT DATA");
}

/* "* HELP" may not be: FTP's commands have three or four letters. */
static void ftp_client(struct reader *r)
{
	command(r, "USER AUTH FEAT SYST HOST OPTS CLNT PASS ACCT QUIT HELP NOOP STAT PBSZ PROT CCC "
		   "ADAT REIN SITE LANG PWD TYPE PASV EPSV PORT EPRT LIST NLST MLSD MLST RETR STOR "
		   "CWD CDUP MODE STRU ALLO REST ABOR SIZE MDTM");
}

/* ---------------------------------------------------------------- pop3 */

static void pop3_server(struct reader *r)
{
	ident_text(r, "+OK ");
	ident_check(r, ident_line(r).n > 0); /* Redis says no more than "+OK" */
}

static void pop3_client(struct reader *r)
{
	command(r, "USER PASS APOP AUTH CAPA STLS QUIT STAT LIST NOOP UTF8 LANG XTND");
}

/* ---------------------------------------------------------------- imap */

static void imap_server(struct reader *r)
{
	ident_text(r, "* ");
	const struct bytes word = ident_word(r, 7);
	ident_check(r, ident_has("OK PREAUTH BYE", word));
	ident_text(r, " ");
	(void)ident_line(r); /* read for its end: all of it must be text */
}

/* A tag of 1 to 32 characters that are none of the grammar's own. */
static void tag(struct reader *r)
{
	static const struct bytes special = {(const uint8_t *)"(){%*\"\\+]", 9};
	const struct bytes rest = bytes_slice(r->in, r->pos, 33);
	const size_t n = bytes_find(rest, ' ');
	for (size_t i = 0; i < n; i++)
		ident_check(r, rest.p[i] > ' ' && rest.p[i] < 0x7f &&
				       bytes_find(special, rest.p[i]) == special.n);
	ident_check(r, n >= 1 && n <= 32);
	read_skip(r, n + 1);
}

static void imap_client(struct reader *r)
{
	tag(r);
	command(r, "CAPABILITY LOGIN AUTHENTICATE STARTTLS ID NOOP LOGOUT ENABLE SELECT EXAMINE "
		   "NAMESPACE LIST STATUS COMPRESS XLIST");
}

/* ---------------------------------------------------------------- the dissectors */

IDENT_DISSECTOR(smtp, IDENT_TCP, 0, .opener = IDENT_SERVER, .tcp = {smtp_client, smtp_server});
IDENT_DISSECTOR(ftp, IDENT_TCP, 0, .opener = IDENT_SERVER, .tcp = {ftp_client, ftp_server});
IDENT_DISSECTOR(pop3, IDENT_TCP, 0, .opener = IDENT_SERVER, .tcp = {pop3_client, pop3_server});
IDENT_DISSECTOR(imap, IDENT_TCP, 0, .opener = IDENT_SERVER, .tcp = {imap_client, imap_server});
