/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SMTP (RFC 5321), FTP (RFC 959), POP3 (RFC 1939) and IMAP (RFC 3501, 9051): the server greets with
 * a line, the client answers with a command.
 *
 * SMTP and FTP begin with the same three digits. Nothing in the rest of the line is prescribed, but
 * every server says what it is; a greeting that does not is nobody's.
 *
 * All four may turn to TLS (RFC 3207, 4217, 2595, 9051 section 6.2.1). Up to there a command is a
 * line, and so is an answer or a row of them. What ends that (a login's dialogue, a message's text)
 * ends the reading: no server takes TLS behind it but in a session that begins anew.
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

/* ---------------------------------------------------------------- commands and answers by number
 */

/* A command in clear; `leaves` are those behind which lines are no commands any more. Which it is
 * shows before its end. False: it is one of them, or not there yet. */
static bool plain_command(struct ident_talk *t, struct reader *r, const char *leaves,
			  struct bytes *word)
{
	*word = ident_word(r, 12);
	if (!reader_ok(r))
		return false;
	ident_check(r, t->n_pending < IDENT_PENDING_MAX);
	t->n_pending++;
	if (ident_has(leaves, *word))
		t->phase = IDENT_LEFT;
	return t->phase != IDENT_LEFT;
}

static void asks(struct ident_talk *t)
{
	t->phase = IDENT_ASKED;
}

static void is_answered(struct ident_talk *t, bool is_agreed)
{
	if (t->phase == IDENT_ASKED && t->n_pending == 0)
		t->phase = is_agreed ? IDENT_AGREED : IDENT_CLEAR;
}

/* One more answer is whole. The greeting answers no command; 421 says farewell unasked. */
static void end_answer(struct ident_talk *t, struct reader *r, bool is_farewell)
{
	t->is_amid = 0;
	if (!t->has_greeted) {
		t->has_greeted = 1;
		return;
	}
	ident_check(r, t->n_pending > 0 || is_farewell);
	t->n_pending -= t->n_pending > 0;
	t->is_long >>= 1;
}

static bool is_code(struct bytes text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
	return text.n == 3;
}

static bool has_code(const struct ident_talk *t, struct bytes line)
{
	return bytes_equal(bytes_slice(line, 0, 3), bytes_of(t->code, 3));
}

/* "250-text" goes on, "250 text" or "250" ends. True: it is the last line. */
static bool answer_line(struct ident_talk *t, struct reader *r, struct bytes line)
{
	const struct bytes separator = bytes_slice(line, 3, 1);
	const bool goes_on = bytes_is(separator, "-");
	ident_check(r, is_code(bytes_slice(line, 0, 3)));
	ident_check(r, separator.n == 0 || goes_on || bytes_is(separator, " "));
	if (!reader_ok(r))
		return false;
	memcpy(t->code, line.p, 3);
	t->is_amid = goes_on;
	return !goes_on;
}

static bool code_is(const struct ident_talk *t, const char *code)
{
	return bytes_is(bytes_of(t->code, 3), code);
}

/* ---------------------------------------------------------------- smtp's talk */

/* X- stands for Exchange's own: logins and TLS of other forms. */
static uint64_t smtp_command(struct ident_talk *t, struct reader *r)
{
	struct bytes word;
	if (plain_command(t, r, "DATA BDAT AUTH X", &word)) {
		(void)ident_client_line(r); /* read for its end */
		if (bytes_is_nocase(word, "starttls"))
			asks(t);
	}
	return 0;
}

/* All lines of an answer have one code (RFC 5321 section 4.2.1). */
static uint64_t smtp_answer(struct ident_talk *t, struct reader *r)
{
	const struct bytes line = ident_server_line(r);
	if (!reader_ok(r))
		return 0;
	ident_check(r, !t->is_amid || has_code(t, line));
	if (answer_line(t, r, line)) {
		end_answer(t, r, code_is(t, "421"));
		is_answered(t, code_is(t, "220"));
	}
	return 0;
}

/* ---------------------------------------------------------------- ftp's talk */

/* The mechanisms of RFC 4217 and its drafts; others begin a dialogue. */
static uint64_t ftp_command(struct ident_talk *t, struct reader *r)
{
	struct bytes word;
	if (!plain_command(t, r, "PASS ACCT ADAT", &word))
		return 0;
	const struct bytes rest = ident_client_line(r);
	if (reader_ok(r) && bytes_is_nocase(word, "auth")) {
		if (ident_has("TLS TLS-C TLS-P SSL", bytes_from(rest, 1)))
			asks(t);
		else
			t->phase = IDENT_LEFT;
	}
	return 0;
}

/* Between the first line and the last one, which has its code and a blank, any text may stand (RFC
 * 959 section 4.2). What begins with 1 is not the end of it. */
static uint64_t ftp_answer(struct ident_talk *t, struct reader *r)
{
	const struct bytes line = ident_server_line(r);
	if (!reader_ok(r))
		return 0;
	const bool is_end = line.n > 3 && line.p[3] == ' ' && has_code(t, line);
	if (t->is_amid && !is_end)
		return 0;
	if (answer_line(t, r, line) && t->code[0] != '1') {
		end_answer(t, r, code_is(t, "421"));
		is_answered(t, code_is(t, "234"));
	}
	return 0;
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

enum { POP3_PENDING_MAX = 32 }; /* bits of ident_talk.is_long */

static uint64_t pop3_command(struct ident_talk *t, struct reader *r)
{
	const bool has_bit = t->n_pending < POP3_PENDING_MAX;
	const uint32_t bit = has_bit ? UINT32_C(1) << t->n_pending : 0;
	ident_check(r, has_bit);
	struct bytes word;
	if (!plain_command(t, r, "AUTH PASS APOP LANG XTND HELP", &word))
		return 0;
	(void)ident_client_line(r); /* read for its end */
	if (bytes_is_nocase(word, "capa"))
		t->is_long |= bit;
	if (bytes_is_nocase(word, "stls"))
		asks(t);
	return 0;
}

/* Text up to a lone dot follows "+OK" where the command asks for a list (RFC 1939 section 3). */
static uint64_t pop3_answer(struct ident_talk *t, struct reader *r)
{
	const struct bytes line = ident_server_line(r);
	if (!reader_ok(r))
		return 0;
	const bool is_good = bytes_is(bytes_slice(line, 0, 3), "+OK");
	const bool is_dot = t->is_amid && bytes_is(line, ".");
	ident_check(r, t->is_amid || is_good || bytes_is(bytes_slice(line, 0, 4), "-ERR"));
	if (t->is_amid ? !is_dot : t->has_greeted && is_good && (t->is_long & 1)) {
		t->is_amid = 1;
		return 0;
	}
	end_answer(t, r, !is_good);
	is_answered(t, is_good);
	return 0;
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

static void ask_by_tag(struct ident_talk *t, struct bytes name)
{
	t->n_tag = (uint8_t)bytes_put(t->tag, 0, bytes_slice(name, 0, IDENT_TAG_MAX));
	t->phase = IDENT_ASKED;
}

/* Commands that have no literals, in a session without login; any other ends the reading. */
static uint64_t imap_command(struct ident_talk *t, struct reader *r)
{
	const size_t begin = r->pos;
	tag(r);
	const struct bytes name = bytes_slice(r->in, begin, r->pos - begin - reader_ok(r));
	const struct bytes word = ident_word(r, 12);
	if (!reader_ok(r))
		return 0;
	if (!ident_has("CAPABILITY NOOP ID STARTTLS LOGOUT", word)) {
		t->phase = IDENT_LEFT;
		return 0;
	}
	const struct bytes rest = ident_client_line(r);
	if (rest.n > 0 && rest.p[rest.n - 1] == '}')
		t->phase = IDENT_LEFT;
	else if (bytes_is_nocase(word, "starttls"))
		ask_by_tag(t, name);
	return 0;
}

/* Only the answer with the tag of STARTTLS matters; its word is OK, NO or BAD. */
static uint64_t imap_answer(struct ident_talk *t, struct reader *r)
{
	struct reader line = reader_of(ident_server_line(r));
	const size_t n = t->n_tag;
	if (!reader_ok(r) || t->phase != IDENT_ASKED)
		return 0;
	const bool is_it =
		bytes_equal(read_bytes(&line, n), bytes_of(t->tag, n)) && read_u8(&line) == ' ';
	if (is_it) {
		const struct bytes word = bytes_slice(line.in, n + 1, 2);
		t->phase = bytes_is_nocase(word, "ok") ? IDENT_AGREED : IDENT_CLEAR;
		memset(t->tag, 0, sizeof t->tag);
		t->n_tag = 0;
	}
	return 0;
}

/* ---------------------------------------------------------------- the dissectors */

IDENT_DISSECTOR_TLS(smtp, IDENT_TCP, 0, .opener = IDENT_SERVER, .tcp = {smtp_client, smtp_server},
		    .unit = {smtp_command, smtp_answer});
IDENT_DISSECTOR_TLS(ftp, IDENT_TCP, 0, .opener = IDENT_SERVER, .tcp = {ftp_client, ftp_server},
		    .unit = {ftp_command, ftp_answer});
IDENT_DISSECTOR_TLS(pop3, IDENT_TCP, 0, .opener = IDENT_SERVER, .tcp = {pop3_client, pop3_server},
		    .unit = {pop3_command, pop3_answer});
IDENT_DISSECTOR_TLS(imap, IDENT_TCP, 0, .opener = IDENT_SERVER, .tcp = {imap_client, imap_server},
		    .unit = {imap_command, imap_answer});
