/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What clients and servers say all day, for the throughput of each dissector (speed.c). */
#include "conversation.h"
#include "write.h"

#include <netinet/in.h>
#include <stdio.h>

enum { EXCHANGES = 24, BODY = 128 };

static void write_body(void)
{
	write_copies("x", written.n + BODY);
}

/* ---- http ---- */

static void http_keep_alive(struct talk *t, const struct conversation *c)
{
	(void)c;
	for (int i = 0; i < EXCHANGES; i++) {
		char line[64];
		(void)snprintf(line, sizeof(line), "GET /2026/11/a-post-%d/?page=2 HTTP/1.1\r\n",
			       i);
		write_text(line);
		write_text(
			"Host: blog.example\r\nConnection: keep-alive\r\n"
			"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 "
			"Firefox/128.0\r\nAccept: text/html,application/xhtml+xml,*/*;q=0.8\r\n"
			"Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate\r\n"
			"Referer: http://blog.example/\r\nCookie: seen=1; session=8f14e45fceea\r\n"
			"\r\n");
		write_turn(t, DIS_TO_SERVER);
		write_text("HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Sun, 22 Nov 2026 04:00:00 "
			   "GMT\r\n"
			   "Content-Type: text/html; charset=UTF-8\r\nContent-Length: 128\r\n"
			   "Connection: keep-alive\r\nVary: Accept-Encoding\r\n\r\n");
		write_body();
		write_turn(t, DIS_TO_CLIENT);
	}
}

/* ---- http2 ---- */

/* As clients do it: what repeats is named by its index, the path is written out. */
static void http2_keep_alive(struct talk *t, const struct conversation *c)
{
	static const char first[] = "\x82\x86\x41\x0c"
				    "blog.example\x04\x0d/2026/11/post\x7a\x0b"
				    "curl/8.14.1";
	static const char later[] = "\x82\x86\xbf\x04\x0d/2026/11/post\xbe";
	static const char reply[] = "\x88\x0f\x10\x09text/html\x0f\x0d\x03"
				    "128";
	char body[BODY];
	(void)c;
	memset(body, 'x', sizeof(body));
	http2_opening(t);
	for (uint32_t i = 0; i < EXCHANGES; i++) {
		const size_t n = i ? sizeof(later) - 1 : sizeof(first) - 1;
		write_http2_frame(HTTP2_HEADERS, HTTP2_END_STREAM | HTTP2_END_HEADERS, 2 * i + 1,
				  bytes_of(i ? later : first, n));
		write_turn(t, DIS_TO_SERVER);
		write_http2_frame(HTTP2_HEADERS, HTTP2_END_HEADERS, 2 * i + 1,
				  bytes_of(reply, sizeof(reply) - 1));
		write_http2_frame(HTTP2_DATA, HTTP2_END_STREAM, 2 * i + 1, bytes_of(body, BODY));
		write_turn(t, DIS_TO_CLIENT);
	}
}

/* ---- sql ---- */

static const struct sql statements[] = {
	{"SELECT option_name, option_value FROM wp_options WHERE autoload = 'yes'", "", ""},
	{"SELECT * FROM wp_posts WHERE ID = 42 LIMIT 1", "", ""},
	{"SELECT wp_posts.ID FROM wp_posts LEFT JOIN wp_term_relationships ON (wp_posts.ID = "
	 "wp_term_relationships.object_id) WHERE wp_posts.post_type = 'post' AND "
	 "wp_posts.post_status = 'publish' GROUP BY wp_posts.ID ORDER BY wp_posts.post_date DESC "
	 "LIMIT 10",
	 "", ""},
	{"UPDATE accounts SET balance = balance - 10.50, changed_at = NOW() WHERE id = 1234", "",
	 ""},
	{"INSERT INTO orders (customer_id, total, state) VALUES (17, 99.95, 'new')", "", ""},
	{"DELETE FROM sessions WHERE expires < 1714559400", "", ""},
};

enum { N_STATEMENTS = sizeof(statements) / sizeof(statements[0]) };

static void mysql_statements(struct talk *t, const struct conversation *c)
{
	static const uint8_t ok[] = {7, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0};
	(void)c;
	for (int i = 0; i < EXCHANGES; i++) {
		write_mysql_query(&statements[i % N_STATEMENTS]);
		write_turn(t, DIS_TO_SERVER);
		write_bytes(bytes_of(ok, sizeof(ok)));
		write_turn(t, DIS_TO_CLIENT);
	}
}

static void postgres_statements(struct talk *t, const struct conversation *c)
{
	static const char done[] = "C\0\0\0\x0dUPDATE 1\0Z\0\0\0\x05I";
	(void)c;
	for (int i = 0; i < EXCHANGES; i++) {
		write_postgres_query(&statements[i % N_STATEMENTS]);
		write_turn(t, DIS_TO_SERVER);
		write_bytes(bytes_of(done, sizeof(done) - 1));
		write_turn(t, DIS_TO_CLIENT);
	}
}

/* ---- redis ---- */

static void redis_cache(struct talk *t, const struct conversation *c)
{
	(void)c;
	for (int i = 0; i < EXCHANGES; i++) {
		if (i % 2) {
			write_text("*5\r\n$3\r\nSET\r\n$15\r\nsession:8f14e45\r\n$128\r\n");
			write_body();
			write_text("\r\n$2\r\nEX\r\n$4\r\n3600\r\n");
			write_turn(t, DIS_TO_SERVER);
			write_text("+OK\r\n");
		} else {
			write_text("*2\r\n$3\r\nGET\r\n$15\r\nsession:8f14e45\r\n");
			write_turn(t, DIS_TO_SERVER);
			write_text("$128\r\n");
			write_body();
			write_text("\r\n");
		}
		write_turn(t, DIS_TO_CLIENT);
	}
}

/* ---- dns ---- */

static void dns_lookups(struct talk *t, const struct conversation *c)
{
	static const char question[] = "\x03www\x07"
				       "example\x03org\0\0\x01\0\x01";
	(void)c;
	for (uint32_t i = 0; i < EXCHANGES; i++) {
		write_number(i << 16 | 0x0100, 4);
		write_number(1 << 16, 4);
		write_number(0, 4);
		write_bytes(bytes_of(question, sizeof(question) - 1));
		write_turn(t, DIS_TO_SERVER);
		write_number(i << 16 | 0x8180, 4);
		write_number(1 << 16 | 2, 4);
		write_number(0, 4);
		write_bytes(bytes_of(question, sizeof(question) - 1));
		for (uint32_t address = 0xc6120001; address < 0xc6120003; address++) {
			write_number(0xc00c0001, 4);
			write_number(0x00010000, 4);
			write_number(300 << 16 | 4, 4);
			write_number(address, 4);
		}
		write_turn(t, DIS_TO_CLIENT);
	}
}

/* clang-format off */
const struct conversation honest[] = {
	{"http", "requests of a browser, small pages", NULL, 0, http_keep_alive, {0}, IPPROTO_TCP, 0},
	{"http2", "requests by index, small pages", NULL, 0, http2_keep_alive, {0}, IPPROTO_TCP, 0},
	{"mysql", "statements of WordPress and sysbench", "reports_the_login", 0, mysql_statements, {0}, IPPROTO_TCP, 0},
	{"postgres", "the same statements", "does_not_split_inside_dollar_quotes", 1, postgres_statements, {0}, IPPROTO_TCP, 0},
	{"redis", "GET and SET of 128 bytes", NULL, 0, redis_cache, {0}, IPPROTO_TCP, 0},
	{"dns", "lookups and answers of two addresses", NULL, 0, dns_lookups, {0}, IPPROTO_UDP, 0},
	{"tls", "the opening of a connection", "makes_the_fingerprint_that_others_make", 0, NULL, {0}, IPPROTO_TCP, 0},
	{"quic", "the opening of a connection", "ends_with_the_servers_hello", 0, NULL, {0}, IPPROTO_UDP, 0},
	{"ssh", "the opening of a connection", "ssh_is_answered_by_a_banner_and_its_key_exchange", 0, NULL, {0}, IPPROTO_TCP, 0},
};
/* clang-format on */
const size_t n_honest = sizeof(honest) / sizeof(honest[0]);
