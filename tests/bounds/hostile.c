/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "conversation.h"

#include "write.h"

#include <netinet/in.h>
#include <stdio.h>

/* ---- http ---- */

enum { HEAD = 59 * 1024 };

#define ASK "GET /ok HTTP/1.1\r\nHost: a\r\n"

static void http_one_field(struct talk *t, const struct conversation *h)
{
	(void)h;
	write_text(ASK "X: ");
	write_copies("a", HEAD);
	write_text("\r\n\r\n");
	write_turn(t, DIS_TO_SERVER);
}

static void http_folds(struct talk *t, const struct conversation *h)
{
	(void)h;
	write_text(ASK "X: a\r\n");
	write_copies(" a\r\n", HEAD);
	write_text("\r\n");
	write_turn(t, DIS_TO_SERVER);
}

static void http_list(struct talk *t, const struct conversation *h)
{
	(void)h;
	write_text(ASK "Connection: ");
	write_copies("a,", HEAD);
	write_text("\r\n\r\n");
	write_turn(t, DIS_TO_SERVER);
}

static void http_names(struct talk *t, const struct conversation *h)
{
	(void)h;
	for (int i = 0; i < 40; i++) {
		write_text("GET / HTTP/1.1\r\nHost: a\r\n");
		for (int k = 0; k < 98; k++)
			write_text(
				"content_lengtg:\r\n"); /* differs from a known name at its end */
		write_text("\r\n");
	}
	write_turn(t, DIS_TO_SERVER);
}

static void http_small(struct talk *t, const struct conversation *h)
{
	(void)h;
	write_copies("GET / HTTP/1.1\r\nHost: a\r\n\r\n", HEAD);
	write_turn(t, DIS_TO_SERVER);
}

/* A path that has as many readings as a path can have, each of them long. */
static void path_of(struct talk *t, const char *piece)
{
	for (int i = 0; i < 7; i++) {
		size_t from = written.n;
		write_text("GET /");
		while (written.n - from < 8100)
			write_text(piece);
		write_text(" HTTP/1.1\r\nHost: a\r\n\r\n");
	}
	write_turn(t, DIS_TO_SERVER);
}

static void http_escapes(struct talk *t, const struct conversation *h)
{
	(void)h;
	path_of(t, "%2e%2e%2f");
}

static void http_dots(struct talk *t, const struct conversation *h)
{
	(void)h;
	path_of(t, "a/../");
}

static void http_params(struct talk *t, const struct conversation *h)
{
	(void)h;
	path_of(t, "a;b%2f//./");
}

static void http_chunks(struct talk *t, const struct conversation *h)
{
	(void)h;
	write_text("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
	write_turn(t, DIS_TO_SERVER);
	talk_mark(t);
	write_copies("1\r\na\r\n", HEAD);
	write_turn(t, DIS_TO_SERVER);
}

static void http_interim(struct talk *t, const struct conversation *h)
{
	(void)h;
	write_text(
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
	write_turn(t, DIS_TO_SERVER);
	talk_mark(t);
	write_copies("HTTP/1.1 100 C\r\n\r\n", HEAD);
	write_turn(t, DIS_TO_CLIENT);
}

/* Chunk lines as long as they may be. */
static void http_extensions(struct talk *t, const struct conversation *h)
{
	(void)h;
	write_text("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
	write_turn(t, DIS_TO_SERVER);
	talk_mark(t);
	for (int i = 0; i < 100; i++) {
		size_t from = written.n;
		write_text("1;");
		write_copies("e", from + 500);
		write_text("\r\na\r\n");
	}
	write_turn(t, DIS_TO_SERVER);
}

/* A trailer that does not end. */
static void http_trailer(struct talk *t, const struct conversation *h)
{
	(void)h;
	write_text("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
	write_turn(t, DIS_TO_SERVER);
	talk_mark(t);
	write_text("X: ");
	write_copies("a", HEAD);
	write_turn(t, DIS_TO_SERVER);
}

static void http_answer_head(struct talk *t, const struct conversation *h)
{
	(void)h;
	write_text(ASK "\r\n");
	write_turn(t, DIS_TO_SERVER);
	talk_mark(t);
	write_text("HTTP/1.1 200 OK\r\nX: ");
	write_copies("a", HEAD);
	write_turn(t, DIS_TO_CLIENT);
}

/* A line that is HTTP only when it ends in a version, so that it is not claimed before. */
static void http_unclaimed(struct talk *t, const struct conversation *h)
{
	(void)h;
	write_text("BREW /");
	write_copies("a", 8100);
	write_text(" HTTP/1.1\r\nHost: a\r\n\r\n");
	write_turn(t, DIS_TO_SERVER);
}

/* ---- sql, in its two wrappings ---- */

static void mysql(struct talk *t, const struct conversation *h)
{
	write_mysql_query(&h->sql);
	write_turn(t, DIS_TO_SERVER);
}

static void postgres(struct talk *t, const struct conversation *h)
{
	write_postgres_query(&h->sql);
	write_turn(t, DIS_TO_SERVER);
}

enum { SAID = 8 }; /* times; more may wait for their replies */

static void mysql_said(struct talk *t, const struct conversation *h)
{
	for (int i = 0; i < SAID; i++)
		write_mysql_query(&h->sql);
	write_turn(t, DIS_TO_SERVER);
}

static void postgres_said(struct talk *t, const struct conversation *h)
{
	for (int i = 0; i < SAID; i++)
		write_postgres_query(&h->sql);
	write_turn(t, DIS_TO_SERVER);
}

/* ---- redis ---- */

enum { COMMAND = 64 * 1024 - 128 };

static void redis_command(struct talk *t, const char *start, const char *argument, size_t n_start)
{
	char head[16];
	const size_t n = (COMMAND - strlen(start)) / strlen(argument);
	(void)snprintf(head, sizeof(head), "*%zu\r\n", n_start + n); /* fits: five digits */
	write_text(head);
	write_text(start);
	for (size_t i = 0; i < n; i++)
		write_text(argument);
	write_turn(t, DIS_TO_SERVER);
}

static void redis_keys(struct talk *t, const struct conversation *h)
{
	(void)h;
	redis_command(t, "$4\r\nMGET\r\n", "$1\r\na\r\n", 1);
}

static void redis_empty(struct talk *t, const struct conversation *h)
{
	(void)h;
	redis_command(t, "$3\r\nDEL\r\n", "$0\r\n\r\n", 1);
}

static void redis_sort(struct talk *t, const struct conversation *h)
{
	(void)h;
	redis_command(t, "$4\r\nSORT\r\n$1\r\nk\r\n", "$5\r\nALPHA\r\n", 2);
}

static void redis_streams(struct talk *t, const struct conversation *h)
{
	(void)h;
	redis_command(t, "$5\r\nXREAD\r\n$7\r\nSTREAMS\r\n", "$1\r\na\r\n", 2);
}

static void redis_small(struct talk *t, const struct conversation *h)
{
	(void)h;
	write_copies("*1\r\n$4\r\nPING\r\n", COMMAND);
	write_turn(t, DIS_TO_SERVER);
}

static void redis_unknown(struct talk *t, const struct conversation *h)
{
	(void)h;
	write_text("*1\r\n$4\r\nPING\r\n");
	write_turn(t, DIS_TO_SERVER);
	talk_mark(t);
	write_copies("*1\r\n$4\r\nPINF\r\n",
		     COMMAND); /* falls out of the search for a name as late as can be */
	write_turn(t, DIS_TO_SERVER);
}

/* The answer to one MGET. */
static void redis_answer(struct talk *t, const char *start, const char *piece, const char *end)
{
	write_text("*2\r\n$4\r\nMGET\r\n$1\r\na\r\n");
	write_turn(t, DIS_TO_SERVER);
	talk_mark(t);
	write_text(start);
	write_copies(piece, COMMAND);
	write_text(end);
	write_turn(t, DIS_TO_CLIENT);
}

static void redis_nested(struct talk *t, const struct conversation *h)
{
	(void)h;
	redis_answer(
		t, "*4000\r\n",
		"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
		"");
}

static void redis_deep(struct talk *t, const struct conversation *h)
{
	(void)h;
	redis_answer(t, "", "*1\r\n", "");
}

static void redis_array(struct talk *t, const struct conversation *h)
{
	(void)h;
	redis_answer(t, "*100000\r\n", ":1\r\n", "");
}

static void redis_line(struct talk *t, const struct conversation *h)
{
	(void)h;
	redis_answer(t, "-ERR ", "a", "");
}

/* Arguments that let the length of the rest be guessed badly. */
static void redis_fifty(struct talk *t, const struct conversation *h)
{
	(void)h;
	redis_command(t, "$4\r\nMGET\r\n",
		      "$50\r\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", 1);
}

/* ---- dns ---- */

enum { DNS_ID = 0x1234, TYPE_A = 1, TYPE_NS = 2, TYPE_TXT = 16 };

static void dns_header(unsigned flags, unsigned answers)
{
	write_number(DNS_ID, 2);
	write_number(flags, 2);
	write_number(1, 2);
	write_number(answers, 2);
	write_number(0, 4);
}

/* 127 labels of a byte that is written as four: the longest name there is, and longer still as
 * text. */
static void dns_question(void)
{
	for (int i = 0; i < 126; i++)
		write_number(0x0180 + (unsigned)i % 64, 2);
	write_number(0, 1);
	write_number(TYPE_A << 16 | 1, 4);
}

static void dns_ask(struct talk *t)
{
	dns_header(0x0100, 0);
	dns_question();
	write_turn(t, DIS_TO_SERVER);
	talk_mark(t);
}

static void dns_record(unsigned name, unsigned type)
{
	write_number(0xc000 | name, 2);
	write_number(type << 16 | 1, 4);
	write_number(60, 4);
}

/* Records of one type whose owner, and whose data, is the longest name. */
static void dns_names(struct talk *t, const struct conversation *h)
{
	(void)h;
	const unsigned n = 4000;
	dns_ask(t);
	dns_header(0x8180, n);
	dns_question();
	for (unsigned i = 0; i < n; i++) {
		dns_record(12, TYPE_NS);
		write_number(2, 2);
		write_number(0xc00c, 2);
	}
	write_turn(t, DIS_TO_CLIENT);
}

/* The same through thirty pointers to pointers. */
static void dns_pointers(struct talk *t, const struct conversation *h)
{
	(void)h;
	const unsigned n = 3900;
	dns_ask(t);
	dns_header(0x8180, n + 1);
	dns_question();
	dns_record(12, 0xff00);
	write_number(60, 2);
	unsigned at = 12;
	for (unsigned i = 0; i < 30; i++) {
		unsigned here = (unsigned)written.n;
		write_number(0xc000 | at, 2);
		at = here;
	}
	for (unsigned i = 0; i < n; i++) {
		dns_record(at, TYPE_NS);
		write_number(2, 2);
		write_number(0xc000 | at, 2);
	}
	write_turn(t, DIS_TO_CLIENT);
}

static void dns_addresses(struct talk *t, const struct conversation *h)
{
	(void)h;
	const unsigned n = 4000;
	dns_ask(t);
	dns_header(0x8180, n);
	dns_question();
	for (unsigned i = 0; i < n; i++) {
		dns_record(12, TYPE_A);
		write_number(4, 2);
		write_number(0xc6120000 + i, 4);
	}
	write_turn(t, DIS_TO_CLIENT);
}

static void dns_strings(struct talk *t, const struct conversation *h)
{
	(void)h;
	const unsigned n = 40;
	dns_ask(t);
	dns_header(0x8180, n);
	dns_question();
	for (unsigned i = 0; i < n; i++) {
		dns_record(12, TYPE_TXT);
		write_number(1500, 2);
		for (unsigned k = 0; k < 1500; k++)
			write_number(0, 1); /* empty strings */
	}
	write_turn(t, DIS_TO_CLIENT);
}

/* Wherever a name may begin, one does: each record names another, and each of them is long. */
static void dns_everywhere(struct talk *t, const struct conversation *h)
{
	(void)h;
	const unsigned n = 3400, room = 12000;
	dns_ask(t);
	dns_header(0x8180, n + 1);
	dns_question();
	dns_record(12, 0xff00);
	write_number(room, 2);
	const unsigned at = (unsigned)written.n;
	for (unsigned i = 0; i < room; i++)
		write_number(i % 250 > 247 ? 0 : 1, 1);
	for (unsigned i = 0; i < n; i++) {
		dns_record(at + room - 4 - 3 * i, TYPE_NS);
		write_number(2, 2);
		write_number(0xc000 | (at + room - 6 - 3 * i), 2);
	}
	write_turn(t, DIS_TO_CLIENT);
}

/* Records of a type that nobody knows, of the root. */
static void dns_unknown(struct talk *t, const struct conversation *h)
{
	(void)h;
	const unsigned n = 5000;
	dns_ask(t);
	dns_header(0x8180, n);
	dns_question();
	for (unsigned i = 0; i < n; i++) {
		write_number(0, 1);
		write_number(0xfff0u << 16 | 1, 4);
		write_number(60, 4);
		write_number(0, 2);
	}
	write_turn(t, DIS_TO_CLIENT);
}

/* Questions that are answered when two hundred others have been asked. */
static void dns_late(struct talk *t, const struct conversation *h)
{
	(void)h;
	for (unsigned i = 0; i < 2000; i++) {
		write_number(19, 2);
		write_number(i % 250, 2);
		write_number(0x0100, 2);
		write_number(1, 2);
		write_number(0, 4);
		write_number(0, 2);
		write_number(0x016100, 3);
		write_number(TYPE_A << 16 | 1, 4);
	}
	write_turn(t, DIS_TO_SERVER);
}

/* Pipelined questions over TCP. */
static void dns_questions(struct talk *t, const struct conversation *h)
{
	(void)h;
	for (unsigned i = 0; i < 2000; i++) {
		write_number(19, 2);
		write_number(i, 2);
		write_number(0x0100, 2);
		write_number(1, 2);
		write_number(0, 4);
		write_number(0, 2);
		write_number(0x016100, 3);
		write_number(TYPE_A << 16 | 1, 4);
	}
	write_turn(t, DIS_TO_SERVER);
}

/* ---- tls ---- */

enum { RECORD = 0x16, HELLO = 1, HELLO_MAX = 14 * 1024 };

static void tls_hello_start(void)
{
	write_number(HELLO, 1);
	write_number(0, 3);
	write_number(0x0303, 2);
	for (unsigned i = 0; i < 32; i++)
		write_number(i, 1);
	write_number(0, 1);
}

static void tls_ciphers(unsigned n)
{
	write_number(2 * n, 2);
	for (unsigned i = 0; i < n; i++)
		write_number(0xc100 - i, 2); /* sorted the wrong way round */
	write_number(0x0100, 2);
}

/* n extensions without data, the last first. */
static void tls_extensions(unsigned n)
{
	size_t at = written.n;
	write_number(0, 2);
	write_number(43, 2); /* supported_versions: 1.3 */
	write_number(3, 2);
	write_number(0x020304, 3);
	for (unsigned i = 0; i < n; i++) {
		write_number(0xf000 - i, 2);
		write_number(0, 2);
	}
	write_number_at(at, (uint32_t)(written.n - at - 2), 2);
}

/* What was written is a hello; it leaves in records of so many bytes. */
static void tls_flush(struct talk *t, size_t record)
{
	static struct text hello;
	write_number_at(1, (uint32_t)written.n - 4, 3);
	hello = written;
	written.n = 0;
	for (size_t at = 0; at < hello.n; at += record) {
		size_t n = hello.n - at < record ? hello.n - at : record;
		write_number(RECORD, 1);
		write_number(0x0301, 2);
		write_number((uint32_t)n, 2);
		write_bytes(bytes_of(hello.bytes + at, n));
	}
	write_turn(t, DIS_TO_SERVER);
}

static void tls_one_byte_records(struct talk *t, const struct conversation *h)
{
	(void)h;
	tls_hello_start();
	tls_ciphers(900);
	tls_extensions(120);
	tls_flush(t, 1);
}

static void tls_many_extensions(struct talk *t, const struct conversation *h)
{
	(void)h;
	tls_hello_start();
	tls_ciphers(2);
	tls_extensions(250);
	tls_flush(t, 16000);
}

static void tls_many_ciphers(struct talk *t, const struct conversation *h)
{
	(void)h;
	tls_hello_start();
	tls_ciphers(1020);
	tls_extensions(0);
	tls_flush(t, 16000);
}

/* Protocols of one byte each. */
static void tls_protocols(struct talk *t, const struct conversation *h)
{
	(void)h;
	const unsigned n = 6000;
	tls_hello_start();
	tls_ciphers(2);
	write_number(2 * n + 6 + 7, 2);
	write_number(43 << 16 | 3, 4);
	write_number(0x020304, 3);
	write_number(16 << 16 | (2 * n + 2), 4);
	write_number(2 * n, 2);
	for (unsigned i = 0; i < n; i++)
		write_number(0x0161, 2);
	tls_flush(t, 16000);
}

/* ---- all of them ---- */

#define TCP(protocol, what, build)                                                                 \
	{                                                                                          \
		protocol, what, NULL, 0, build, {0}, IPPROTO_TCP, 0                                \
	}
#define UDP(protocol, what, build)                                                                 \
	{                                                                                          \
		protocol, what, NULL, 0, build, {0}, IPPROTO_UDP, 0                                \
	}
/* Whole conversations: what is sealed cannot be written here. */
#define QUIC(what, seed)                                                                           \
	{                                                                                          \
		"quic", what, seed, 0, NULL, {0}, IPPROTO_UDP, 0                                   \
	}
#define MYSQL_AS(builder, what, ...)                                                               \
	{                                                                                          \
		"mysql", what, "reports_the_login", 0, builder, {__VA_ARGS__}, IPPROTO_TCP, 0      \
	}
#define POSTGRES_AS(builder, what, ...)                                                            \
	{                                                                                          \
		"postgres", what, "does_not_split_inside_dollar_quotes", 1, builder,               \
			{__VA_ARGS__}, IPPROTO_TCP, 0                                              \
	}
#define MYSQL(what, ...)    MYSQL_AS(mysql, what, __VA_ARGS__)
#define POSTGRES(what, ...) POSTGRES_AS(postgres, what, __VA_ARGS__)
#define SQL(what, ...)	    MYSQL(what, __VA_ARGS__), POSTGRES(what, __VA_ARGS__)
/* What an application says, to both servers. */
#define SAYS(statement)                                                                            \
	MYSQL_AS(mysql_said, statement, statement, "", ""),                                        \
		POSTGRES_AS(postgres_said, statement, statement, "", "")

/* clang-format off */
const struct conversation hostile[] = {
	TCP("http", "one field of 59 KiB", http_one_field),
	TCP("http", "folds of one byte", http_folds),
	TCP("http", "a list of one-byte names", http_list),
	TCP("http", "fields that are nearly known", http_names),
	TCP("http", "the smallest requests", http_small),
	TCP("http", "paths of escaped dots", http_escapes),
	TCP("http", "paths that go up and down", http_dots),
	TCP("http", "paths of many readings", http_params),
	TCP("http", "chunks of one byte", http_chunks),
	TCP("http", "interim replies", http_interim),
	TCP("http", "chunk lines of 500 bytes", http_extensions),
	TCP("http", "a trailer without end", http_trailer),
	TCP("http", "the head of an answer without end", http_answer_head),
	TCP("http", "a line that nobody can claim yet", http_unclaimed),
	TCP("redis", "keys of one byte", redis_keys),
	TCP("redis", "empty keys", redis_empty),
	TCP("redis", "options of SORT", redis_sort),
	TCP("redis", "streams", redis_streams),
	TCP("redis", "the smallest commands", redis_small),
	TCP("redis", "unknown commands", redis_unknown),
	TCP("redis", "nested answers", redis_nested),
	TCP("redis", "an answer that goes ever deeper", redis_deep),
	TCP("redis", "an answer of small numbers", redis_array),
	TCP("redis", "an error of 64 KiB", redis_line),
	TCP("redis", "keys of fifty bytes", redis_fifty),
	UDP("dns", "long names by a pointer", dns_names),
	UDP("dns", "long names by thirty pointers", dns_pointers),
	UDP("dns", "long names that begin everywhere", dns_everywhere),
	UDP("dns", "unknown types", dns_unknown),
	UDP("dns", "addresses", dns_addresses),
	UDP("dns", "empty strings", dns_strings),
	TCP("dns", "the smallest questions", dns_questions),
	TCP("dns", "more questions than are remembered", dns_late),
	TCP("tls", "records of one byte", tls_one_byte_records),
	TCP("tls", "250 extensions, backwards", tls_many_extensions),
	TCP("tls", "1,020 ciphers, backwards", tls_many_ciphers),
	TCP("tls", "6,000 protocols", tls_protocols),
	QUIC("packets of one byte", "takes_packets_of_one_byte"),
	QUIC("frames of one byte, backwards", "joins_frames_of_one_byte_backwards"),
	QUIC("the same byte again and again", "takes_the_same_byte_again_and_again"),
	QUIC("pings", "takes_pings"),
	SQL("nested as deep as it goes", "SELECT ", "(", ""),
	SQL("nested and closed, again and again", "SELECT 1", "+((((((((((((((((((((1))))))))))))))))))))", ""),
	SQL("selects in selects", "SELECT 1", ",(SELECT a FROM(SELECT b FROM t)x)", ""),
	SQL("empty comments", "SELECT ", "/**/", "1"),
	SQL("a comment without end", "SELECT /*", "*", ""),
	SQL("empty line comments", "SELECT ", "-- \n", "1"),
	SQL("one operator a byte", "SELECT 1", "-", "1"),
	SQL("a long list", "SELECT * FROM t WHERE a IN (1", ",1", ")"),
	SQL("dotted names", "SELECT a", ".a", " FROM t"),
	SQL("many tables", "SELECT * FROM a0", ",b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u,v,w", ""),
	SQL("unions", "SELECT 1", " UNION SELECT 1", ""),
	SQL("names of WITH", "WITH a AS (SELECT 1)", ",b AS (SELECT 1 FROM a)", " SELECT 1"),
	SQL("joins", "SELECT * FROM t", " JOIN t ON t.a=t.a", ""),
	SQL("empty statements", "SELECT 1", ";", ""),
	SQL("statements", "SELECT 1", ";SELECT 1", ""),
	SQL("doubled quotes", "SELECT '", "''", "'"),
	SQL("strings side by side", "SELECT ''", " ''", ""),
	SQL("a string without end", "SELECT '", "\\'", ""),
	SQL("words that begin clauses", "SELECT 1", " FROM", ""),
	SQL("odd numbers", "SELECT 1", ",1e", ""),
	SQL("brackets that do not fit", "SELECT ", ")(", ""),
	MYSQL("version comments", "SELECT ", "/*!50000 1*/", ""),
	POSTGRES("tags in a dollar quote", "SELECT $a$", "$b$", "$a$"),
	POSTGRES("empty dollar quotes", "SELECT ", "$$$$ ", ""),
	POSTGRES("nested comments", "SELECT ", "/*", ""),
};
/* clang-format on */
const size_t n_hostile = sizeof(hostile) / sizeof(hostile[0]);

/* clang-format off */
const struct conversation ordinary[] = {
	SAYS("SELECT 1"),
	SAYS("BEGIN"),
	SAYS("COMMIT"),
	SAYS("SELECT * FROM wp_posts WHERE ID = 42 LIMIT 1"),
	SAYS("SELECT option_name, option_value FROM wp_options WHERE autoload = 'yes'"),
	SAYS("SELECT user_id, meta_key, meta_value FROM wp_usermeta WHERE user_id IN (1,2,3) ORDER BY umeta_id ASC"),
	SAYS("SELECT wp_posts.ID FROM wp_posts LEFT JOIN wp_term_relationships ON (wp_posts.ID = wp_term_relationships.object_id) WHERE wp_posts.post_type = 'post' AND wp_posts.post_status = 'publish' GROUP BY wp_posts.ID ORDER BY wp_posts.post_date DESC LIMIT 10"),
	SAYS("SELECT c FROM sbtest1 WHERE id BETWEEN 5000 AND 5099 ORDER BY c"),
	SAYS("SELECT COUNT(*) FROM items i INNER JOIN stock s ON s.item_id = i.id WHERE s.quantity < 5"),
	SAYS("UPDATE accounts SET balance = balance - 10.50, changed_at = NOW() WHERE id = 1234"),
	SAYS("INSERT INTO orders (customer_id, total, state, created_at) VALUES (17, 99.95, 'new', '2024-05-01 12:30:00')"),
	SAYS("DELETE FROM sessions WHERE expires < 1714559400"),
};
/* clang-format on */
const size_t n_ordinary = sizeof(ordinary) / sizeof(ordinary[0]);
