/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hostile.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- text that grows ---- */

struct text {
	uint8_t bytes[TALK_BYTES_MAX];
	size_t n;
};

static struct text text; /* of the generator at work */

static void put(struct bytes b)
{
	if (b.n > sizeof(text.bytes) - text.n)
		abort(); /* a generator's mistake */
	memcpy(text.bytes + text.n, b.p, b.n);
	text.n += b.n;
}

static void say(const char *s)
{
	put(bytes_of(s, strlen(s)));
}

/* Whole copies of s as long as all is below so many bytes. */
static void fill(const char *s, size_t below)
{
	while (text.n + strlen(s) <= below)
		say(s);
}

static void number(uint32_t v, unsigned size)
{
	while (size-- > 0) {
		const uint8_t b = (uint8_t)(v >> 8 * size);
		put(bytes_of(&b, 1));
	}
}

static void set_number(size_t at, uint32_t v, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		text.bytes[at + i] = (uint8_t)(v >> 8 * (size - 1 - i));
}

static void flush(struct talk *t, enum dis_dir dir)
{
	talk_add(t, dir, bytes_of(text.bytes, text.n));
	text.n = 0;
}

/* ---- http ---- */

enum { HEAD = 59 * 1024 };

#define ASK "GET /ok HTTP/1.1\r\nHost: a\r\n"

static void http_one_field(struct talk *t, const struct hostile *h)
{
	(void)h;
	say(ASK "X: ");
	fill("a", HEAD);
	say("\r\n\r\n");
	flush(t, DIS_TO_SERVER);
}

static void http_folds(struct talk *t, const struct hostile *h)
{
	(void)h;
	say(ASK "X: a\r\n");
	fill(" a\r\n", HEAD);
	say("\r\n");
	flush(t, DIS_TO_SERVER);
}

static void http_list(struct talk *t, const struct hostile *h)
{
	(void)h;
	say(ASK "Connection: ");
	fill("a,", HEAD);
	say("\r\n\r\n");
	flush(t, DIS_TO_SERVER);
}

static void http_names(struct talk *t, const struct hostile *h)
{
	(void)h;
	for (int i = 0; i < 40; i++) {
		say("GET / HTTP/1.1\r\nHost: a\r\n");
		for (int k = 0; k < 98; k++)
			say("content_lengtg:\r\n"); /* differs from a known name at its end */
		say("\r\n");
	}
	flush(t, DIS_TO_SERVER);
}

static void http_small(struct talk *t, const struct hostile *h)
{
	(void)h;
	fill("GET / HTTP/1.1\r\nHost: a\r\n\r\n", HEAD);
	flush(t, DIS_TO_SERVER);
}

/* A path that has as many readings as a path can have, each of them long. */
static void path_of(struct talk *t, const char *piece)
{
	for (int i = 0; i < 7; i++) {
		size_t from = text.n;
		say("GET /");
		while (text.n - from < 8100)
			say(piece);
		say(" HTTP/1.1\r\nHost: a\r\n\r\n");
	}
	flush(t, DIS_TO_SERVER);
}

static void http_escapes(struct talk *t, const struct hostile *h)
{
	(void)h;
	path_of(t, "%2e%2e%2f");
}

static void http_dots(struct talk *t, const struct hostile *h)
{
	(void)h;
	path_of(t, "a/../");
}

static void http_params(struct talk *t, const struct hostile *h)
{
	(void)h;
	path_of(t, "a;b%2f//./");
}

static void http_chunks(struct talk *t, const struct hostile *h)
{
	(void)h;
	say("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
	flush(t, DIS_TO_SERVER);
	talk_mark(t);
	fill("1\r\na\r\n", HEAD);
	flush(t, DIS_TO_SERVER);
}

static void http_interim(struct talk *t, const struct hostile *h)
{
	(void)h;
	say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
	flush(t, DIS_TO_SERVER);
	talk_mark(t);
	fill("HTTP/1.1 100 C\r\n\r\n", HEAD);
	flush(t, DIS_TO_CLIENT);
}

/* ---- sql, in its two wrappings ---- */

enum { STATEMENT = 31 * 1024 };

static void statement(const struct sql *s)
{
	size_t from = text.n;
	say(s->start);
	fill(s->piece, from + STATEMENT);
	say(s->end);
}

static void mysql(struct talk *t, const struct hostile *h)
{
	number(0, 4);
	number(3, 1); /* COM_QUERY */
	statement(&h->sql);
	text.bytes[0] = (uint8_t)(text.n - 4);
	text.bytes[1] = (uint8_t)((text.n - 4) >> 8);
	flush(t, DIS_TO_SERVER);
}

static void postgres(struct talk *t, const struct hostile *h)
{
	say("Q");
	number(0, 4);
	statement(&h->sql);
	number(0, 1);
	set_number(1, (uint32_t)text.n - 1, 4);
	flush(t, DIS_TO_SERVER);
}

/* ---- redis ---- */

enum { COMMAND = 64 * 1024 - 128 };

static void redis_command(struct talk *t, const char *start, const char *argument, size_t n_start)
{
	char head[16];
	const size_t n = (COMMAND - strlen(start)) / strlen(argument);
	(void)snprintf(head, sizeof(head), "*%zu\r\n", n_start + n); /* fits: five digits */
	say(head);
	say(start);
	for (size_t i = 0; i < n; i++)
		say(argument);
	flush(t, DIS_TO_SERVER);
}

static void redis_keys(struct talk *t, const struct hostile *h)
{
	(void)h;
	redis_command(t, "$4\r\nMGET\r\n", "$1\r\na\r\n", 1);
}

static void redis_empty(struct talk *t, const struct hostile *h)
{
	(void)h;
	redis_command(t, "$3\r\nDEL\r\n", "$0\r\n\r\n", 1);
}

static void redis_sort(struct talk *t, const struct hostile *h)
{
	(void)h;
	redis_command(t, "$4\r\nSORT\r\n$1\r\nk\r\n", "$5\r\nALPHA\r\n", 2);
}

static void redis_streams(struct talk *t, const struct hostile *h)
{
	(void)h;
	redis_command(t, "$5\r\nXREAD\r\n$7\r\nSTREAMS\r\n", "$1\r\na\r\n", 2);
}

static void redis_small(struct talk *t, const struct hostile *h)
{
	(void)h;
	fill("*1\r\n$4\r\nPING\r\n", COMMAND);
	flush(t, DIS_TO_SERVER);
}

static void redis_unknown(struct talk *t, const struct hostile *h)
{
	(void)h;
	say("*1\r\n$4\r\nPING\r\n");
	flush(t, DIS_TO_SERVER);
	talk_mark(t);
	fill("*1\r\n$4\r\nPINF\r\n",
	     COMMAND); /* falls out of the search for a name as late as can be */
	flush(t, DIS_TO_SERVER);
}

/* The answer to one MGET. */
static void redis_answer(struct talk *t, const char *start, const char *piece, const char *end)
{
	say("*2\r\n$4\r\nMGET\r\n$1\r\na\r\n");
	flush(t, DIS_TO_SERVER);
	talk_mark(t);
	say(start);
	fill(piece, COMMAND);
	say(end);
	flush(t, DIS_TO_CLIENT);
}

static void redis_nested(struct talk *t, const struct hostile *h)
{
	(void)h;
	redis_answer(
		t, "*4000\r\n",
		"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
		"");
}

static void redis_deep(struct talk *t, const struct hostile *h)
{
	(void)h;
	redis_answer(t, "", "*1\r\n", "");
}

static void redis_array(struct talk *t, const struct hostile *h)
{
	(void)h;
	redis_answer(t, "*100000\r\n", ":1\r\n", "");
}

/* ---- dns ---- */

enum { DNS_ID = 0x1234, TYPE_A = 1, TYPE_NS = 2, TYPE_TXT = 16 };

static void dns_header(unsigned flags, unsigned answers)
{
	number(DNS_ID, 2);
	number(flags, 2);
	number(1, 2);
	number(answers, 2);
	number(0, 4);
}

/* 127 labels of a byte that is written as four: the longest name there is, and longer still as
 * text. */
static void dns_question(void)
{
	for (int i = 0; i < 126; i++)
		number(0x0180 + (unsigned)i % 64, 2);
	number(0, 1);
	number(TYPE_A << 16 | 1, 4);
}

static void dns_ask(struct talk *t)
{
	dns_header(0x0100, 0);
	dns_question();
	flush(t, DIS_TO_SERVER);
	talk_mark(t);
}

static void dns_record(unsigned name, unsigned type)
{
	number(0xc000 | name, 2);
	number(type << 16 | 1, 4);
	number(60, 4);
}

/* Records of one type whose owner, and whose data, is the longest name. */
static void dns_names(struct talk *t, const struct hostile *h)
{
	(void)h;
	const unsigned n = 4000;
	dns_ask(t);
	dns_header(0x8180, n);
	dns_question();
	for (unsigned i = 0; i < n; i++) {
		dns_record(12, TYPE_NS);
		number(2, 2);
		number(0xc00c, 2);
	}
	flush(t, DIS_TO_CLIENT);
}

/* The same through thirty pointers to pointers. */
static void dns_pointers(struct talk *t, const struct hostile *h)
{
	(void)h;
	const unsigned n = 3900;
	dns_ask(t);
	dns_header(0x8180, n + 1);
	dns_question();
	dns_record(12, 0xff00);
	number(60, 2);
	unsigned at = 12;
	for (unsigned i = 0; i < 30; i++) {
		unsigned here = (unsigned)text.n;
		number(0xc000 | at, 2);
		at = here;
	}
	for (unsigned i = 0; i < n; i++) {
		dns_record(at, TYPE_NS);
		number(2, 2);
		number(0xc000 | at, 2);
	}
	flush(t, DIS_TO_CLIENT);
}

static void dns_addresses(struct talk *t, const struct hostile *h)
{
	(void)h;
	const unsigned n = 4000;
	dns_ask(t);
	dns_header(0x8180, n);
	dns_question();
	for (unsigned i = 0; i < n; i++) {
		dns_record(12, TYPE_A);
		number(4, 2);
		number(0xc6120000 + i, 4);
	}
	flush(t, DIS_TO_CLIENT);
}

static void dns_strings(struct talk *t, const struct hostile *h)
{
	(void)h;
	const unsigned n = 40;
	dns_ask(t);
	dns_header(0x8180, n);
	dns_question();
	for (unsigned i = 0; i < n; i++) {
		dns_record(12, TYPE_TXT);
		number(1500, 2);
		for (unsigned k = 0; k < 1500; k++)
			number(0, 1); /* empty strings */
	}
	flush(t, DIS_TO_CLIENT);
}

/* Pipelined questions over TCP. */
static void dns_questions(struct talk *t, const struct hostile *h)
{
	(void)h;
	for (unsigned i = 0; i < 2000; i++) {
		number(19, 2);
		number(i, 2);
		number(0x0100, 2);
		number(1, 2);
		number(0, 4);
		number(0, 2);
		number(0x016100, 3);
		number(TYPE_A << 16 | 1, 4);
	}
	flush(t, DIS_TO_SERVER);
}

/* ---- tls ---- */

enum { RECORD = 0x16, HELLO = 1, HELLO_MAX = 14 * 1024 };

static void tls_hello_start(void)
{
	number(HELLO, 1);
	number(0, 3);
	number(0x0303, 2);
	for (unsigned i = 0; i < 32; i++)
		number(i, 1);
	number(0, 1);
}

static void tls_ciphers(unsigned n)
{
	number(2 * n, 2);
	for (unsigned i = 0; i < n; i++)
		number(0xc100 - i, 2); /* sorted the wrong way round */
	number(0x0100, 2);
}

/* n extensions without data, the last first. */
static void tls_extensions(unsigned n)
{
	size_t at = text.n;
	number(0, 2);
	number(43, 2); /* supported_versions: 1.3 */
	number(3, 2);
	number(0x020304, 3);
	for (unsigned i = 0; i < n; i++) {
		number(0xf000 - i, 2);
		number(0, 2);
	}
	set_number(at, (uint32_t)(text.n - at - 2), 2);
}

/* What was written is a hello; it leaves in records of so many bytes. */
static void tls_flush(struct talk *t, size_t record)
{
	static struct text hello;
	set_number(1, (uint32_t)text.n - 4, 3);
	hello = text;
	text.n = 0;
	for (size_t at = 0; at < hello.n; at += record) {
		size_t n = hello.n - at < record ? hello.n - at : record;
		number(RECORD, 1);
		number(0x0301, 2);
		number((uint32_t)n, 2);
		put(bytes_of(hello.bytes + at, n));
	}
	flush(t, DIS_TO_SERVER);
}

static void tls_one_byte_records(struct talk *t, const struct hostile *h)
{
	(void)h;
	tls_hello_start();
	tls_ciphers(900);
	tls_extensions(120);
	tls_flush(t, 1);
}

static void tls_many_extensions(struct talk *t, const struct hostile *h)
{
	(void)h;
	tls_hello_start();
	tls_ciphers(2);
	tls_extensions(250);
	tls_flush(t, 16000);
}

static void tls_many_ciphers(struct talk *t, const struct hostile *h)
{
	(void)h;
	tls_hello_start();
	tls_ciphers(1020);
	tls_extensions(0);
	tls_flush(t, 16000);
}

/* Protocols of one byte each. */
static void tls_protocols(struct talk *t, const struct hostile *h)
{
	(void)h;
	const unsigned n = 6000;
	tls_hello_start();
	tls_ciphers(2);
	number(2 * n + 6 + 7, 2);
	number(43 << 16 | 3, 4);
	number(0x020304, 3);
	number(16 << 16 | (2 * n + 2), 4);
	number(2 * n, 2);
	for (unsigned i = 0; i < n; i++)
		number(0x0161, 2);
	tls_flush(t, 16000);
}

/* ---- all of them ---- */

#define TCP(protocol, what, build, known)                                                          \
	{                                                                                          \
		protocol, what, NULL, 0, build, {0}, known, IPPROTO_TCP                            \
	}
#define UDP(protocol, what, build, known)                                                          \
	{                                                                                          \
		protocol, what, NULL, 0, build, {0}, known, IPPROTO_UDP                            \
	}
#define MYSQL(what, known, ...)                                                                    \
	{                                                                                          \
		"mysql", what, "reports_the_login", 0, mysql, {__VA_ARGS__}, known, IPPROTO_TCP    \
	}
#define POSTGRES(what, known, ...)                                                                 \
	{                                                                                          \
		"postgres", what, "does_not_split_inside_dollar_quotes", 1, postgres,              \
			{__VA_ARGS__}, known, IPPROTO_TCP                                          \
	}
/* of mysql and of postgres known so many times the usual */
#define SQL(what, mysql, postgres, ...)                                                            \
	MYSQL(what, mysql, __VA_ARGS__), POSTGRES(what, postgres, __VA_ARGS__)

/* clang-format off */
const struct hostile hostile[] = {
	TCP("http", "one field of 59 KiB", http_one_field, 40),
	TCP("http", "folds of one byte", http_folds, 0),
	TCP("http", "a list of one-byte names", http_list, 40),
	TCP("http", "fields that are nearly known", http_names, 30),
	TCP("http", "the smallest requests", http_small, 0),
	TCP("http", "paths of escaped dots", http_escapes, 6),
	TCP("http", "paths that go up and down", http_dots, 6),
	TCP("http", "paths of many readings", http_params, 6),
	TCP("http", "chunks of one byte", http_chunks, 0),
	TCP("http", "interim replies", http_interim, 0),
	TCP("redis", "keys of one byte", redis_keys, 0),
	TCP("redis", "empty keys", redis_empty, 0),
	TCP("redis", "options of SORT", redis_sort, 0),
	TCP("redis", "streams", redis_streams, 0),
	TCP("redis", "the smallest commands", redis_small, 0),
	TCP("redis", "unknown commands", redis_unknown, 0),
	TCP("redis", "nested answers", redis_nested, 0),
	TCP("redis", "an answer that goes ever deeper", redis_deep, 0),
	TCP("redis", "an answer of small numbers", redis_array, 0),
	UDP("dns", "long names by a pointer", dns_names, 70),
	UDP("dns", "long names by thirty pointers", dns_pointers, 80),
	UDP("dns", "addresses", dns_addresses, 40),
	UDP("dns", "empty strings", dns_strings, 0),
	TCP("dns", "the smallest questions", dns_questions, 6),
	TCP("tls", "records of one byte", tls_one_byte_records, 0),
	TCP("tls", "250 extensions, backwards", tls_many_extensions, 0),
	TCP("tls", "1,020 ciphers, backwards", tls_many_ciphers, 0),
	TCP("tls", "6,000 protocols", tls_protocols, 0),
	SQL("nested as deep as it goes", 7, 0, "SELECT ", "(", ""),
	SQL("nested and closed, again and again", 10, 6, "SELECT 1", "+((((((((((((((((((((1))))))))))))))))))))", ""),
	SQL("selects in selects", 15, 8, "SELECT 1", ",(SELECT a FROM(SELECT b FROM t)x)", ""),
	SQL("empty comments", 4, 0, "SELECT ", "/**/", "1"),
	SQL("a comment without end", 0, 0, "SELECT /*", "*", ""),
	SQL("empty line comments", 4, 0, "SELECT ", "-- \n", "1"),
	SQL("one operator a byte", 10, 0, "SELECT 1", "-", "1"),
	SQL("a long list", 10, 8, "SELECT * FROM t WHERE a IN (1", ",1", ")"),
	SQL("dotted names", 12, 8, "SELECT a", ".a", " FROM t"),
	SQL("many tables", 25, 10, "SELECT * FROM a0", ",b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u,v,w", ""),
	SQL("unions", 10, 4, "SELECT 1", " UNION SELECT 1", ""),
	SQL("names of WITH", 14, 7, "WITH a AS (SELECT 1)", ",b AS (SELECT 1 FROM a)", " SELECT 1"),
	SQL("joins", 12, 8, "SELECT * FROM t", " JOIN t ON t.a=t.a", ""),
	SQL("empty statements", 25, 10, "SELECT 1", ";", ""),
	SQL("statements", 14, 7, "SELECT 1", ";SELECT 1", ""),
	SQL("doubled quotes", 0, 0, "SELECT '", "''", "'"),
	SQL("strings side by side", 7, 0, "SELECT ''", " ''", ""),
	SQL("a string without end", 0, 0, "SELECT '", "\\'", ""),
	SQL("words that begin clauses", 14, 4, "SELECT 1", " FROM", ""),
	SQL("odd numbers", 20, 4, "SELECT 1", ",1e", ""),
	SQL("brackets that do not fit", 6, 4, "SELECT ", ")(", ""),
	MYSQL("version comments", 4, "SELECT ", "/*!50000 1*/", ""),
	POSTGRES("tags in a dollar quote", 0, "SELECT $a$", "$b$", "$a$"),
	POSTGRES("empty dollar quotes", 0, "SELECT ", "$$$$ ", ""),
	POSTGRES("nested comments", 0, "SELECT ", "/*", ""),
};
/* clang-format on */
const size_t n_hostile = sizeof(hostile) / sizeof(hostile[0]);
