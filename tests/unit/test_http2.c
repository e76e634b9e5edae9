/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the case files of http2 cannot say: the words of a refusal, as a client reads them; how many
 * streams are followed; header tables against a twin that keeps everything in a list.
 */
#include "bridgewarden/dissect.h"
#include "http2/hpack.h"
#include "http2/http2_streams.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

extern const struct dissector http2_dissector;

/* All 256 bytes in order. */
static const char huffman_of_all[] =
	"\xff\xc7\xff\xfd\x8f\xff\xff\xe2\xff\xff\xfe\x3f\xff\xff\xe4\xff\xff\xfe\x5f\xff"
	"\xff\xe6\xff\xff\xfe\x7f\xff\xff\xe8\xff\xff\xea\xff\xff\xff\xf3\xff\xff\xfa\x7f"
	"\xff\xff\xab\xff\xff\xff\xdf\xff\xff\xeb\xff\xff\xfe\xcf\xff\xff\xed\xff\xff\xfe"
	"\xef\xff\xff\xef\xff\xff\xff\x0f\xff\xff\xf1\xff\xff\xff\x2f\xff\xff\xff\xbf\xff"
	"\xff\xcf\xff\xff\xfd\x3f\xff\xff\xd7\xff\xff\xfd\xbf\xff\xff\xdf\xff\xff\xfe\x3f"
	"\xff\xff\xe7\xff\xff\xfe\xbf\xff\xff\xed\x4f\xe3\xf9\xff\xaf\xfc\xab\xf1\xfe\xbf"
	"\xaf\xef\xe7\xfd\xfd\x2c\xbb\x00\x08\x99\x69\xb7\x1d\x79\xfb\x9f\x7f\xff\x20\xff"
	"\xbf\xf3\xff\x50\xdd\xbd\x7f\x06\x1c\x58\xf2\x65\xcd\x9f\x46\x9d\x5a\xf6\x6d\xdd"
	"\xbf\x87\x1e\x5f\x9c\xff\x7f\xf7\xff\xfc\x3f\xf9\xff\xe4\x5f\xff\x47\x19\x24\x2c"
	"\xb3\x4e\x6e\x9d\x68\xa6\xa3\xd7\xda\xc4\x26\xde\xfe\x3c\xfa\xf7\xff\xfb\xfe\x7f"
	"\xfb\xff\xdf\xff\xff\xfc\xff\xfe\x6f\xff\xf4\xbf\xff\x9f\xff\xfa\x3f\xff\xd3\xff"
	"\xff\x53\xff\xfd\x5f\xff\xfb\x3f\xff\xeb\x7f\xff\xda\xff\xff\xb7\xff\xff\x73\xff"
	"\xfe\xef\xff\xfd\xef\xff\xfe\xbf\xff\xfb\xff\xff\xfd\x9f\xff\xfd\xbf\xff\xeb\xff"
	"\xff\xe0\xff\xff\xee\xff\xff\xc3\xff\xff\x8b\xff\xff\x1f\xff\xfe\x4f\xff\xee\x7f"
	"\xff\xb1\xff\xff\x97\xff\xfd\x9f\xff\xfc\xdf\xff\xf9\xff\xff\xfb\xff\xff\xda\xff"
	"\xfe\xef\xff\xf4\xff\xff\xb7\xff\xfe\xe7\xff\xfe\x8f\xff\xfd\x3f\xff\xde\xff\xff"
	"\xd5\xff\xfe\xef\xff\xfb\xdf\xff\xfe\x1f\xff\xdf\xff\xff\x7f\xff\xff\x5f\xff\xfe"
	"\xcf\xff\xf0\x7f\xff\x87\xff\xfe\x0f\xff\xf1\x7f\xff\xed\xff\xff\x87\xff\xff\x77"
	"\xff\xfe\xff\xff\xea\xff\xff\x8b\xff\xfe\x3f\xff\xf9\x3f\xff\xf8\x7f\xff\xcb\xff"
	"\xff\x37\xff\xff\x1f\xff\xff\x83\xff\xff\xe1\xff\xfe\xbf\xff\xe3\xff\xff\x3f\xff"
	"\xff\x2f\xff\xfa\x3f\xff\xfd\x9f\xff\xff\x17\xff\xff\xc7\xff\xff\xf2\x7f\xff\xfd"
	"\xef\xff\xff\xbf\xff\xff\xf2\xff\xff\xf8\xff\xff\xfb\x7f\xff\x97\xff\xf8\xff\xff"
	"\xfe\x6f\xff\xff\xc1\xff\xff\xf8\x7f\xff\xfe\x7f\xff\xff\xc5\xff\xff\xe5\xff\xfe"
	"\x4f\xff\xf2\xff\xff\xfd\x1f\xff\xff\x4f\xff\xff\xfe\xff\xff\xfe\x3f\xff\xff\xc9"
	"\xff\xff\xf9\x7f\xff\xb3\xff\xff\xcf\xff\xfb\x7f\xff\xcd\xff\xff\x4f\xff\xf9\xff"
	"\xff\xd1\xff\xff\xcf\xff\xfe\xaf\xff\xfa\xff\xff\xfd\xdf\xff\xfe\xff\xff\xff\x4f"
	"\xff\xff\x5f\xff\xff\xab\xff\xff\xa7\xff\xff\xd7\xff\xff\xf9\xbf\xff\xfe\xcf\xff"
	"\xff\xb7\xff\xff\xf3\xff\xff\xfe\x8f\xff\xff\xd3\xff\xff\xfa\xbf\xff\xff\x5f\xff"
	"\xff\xff\x7f\xff\xfe\xcf\xff\xff\xdb\xff\xff\xfb\xbf\xff\xff\x7f\xff\xff\xf0\xff"
	"\xff\xfb\xbf";

/* ---------------------------------------------------------------- a connection */

enum { HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, GOAWAY = 7, WINDOW_UPDATE = 8 };
enum { ACK = 1, END_STREAM = 1, END_HEADERS = 4 };

#define GET_X  "\x82\x86\x04\x02/x\x01\x01h"
#define HEAD_X "\x02\x04HEAD\x86\x04\x02/x\x01\x01h"
#define GRPC_X                                                                                     \
	"\x83\x86\x04\x04/S/M\x01\x01h\x0f\x10\x10"                                                \
	"application/grpc"
#define SERVER_SETTINGS "\x00\x00\x00\x04\x00\x00\x00\x00\x00"

static _Alignas(16) uint8_t state[DIS_STATE_MAX];
static uint8_t unit[1024], words[DIS_REFUSAL_MAX];
static size_t n_unit;
static unsigned n_requests;
static uint32_t asked; /* the stream of the last request */

static void count_event(void *ctx, const struct dis_event *event)
{
	(void)ctx;
	n_requests += event->kind == DIS_REQUEST;
}

static void ignore_edit(void *ctx, size_t offset, struct bytes replacement)
{
	(void)ctx, (void)offset, (void)replacement;
}

static const struct dis_sink sink = {.event = count_event, .edit = ignore_edit};

static struct dis_result feed(enum dis_dir dir, const void *p, size_t n)
{
	return http2_dissector.feed(state, 6, dir, bytes_of(p, n), &sink);
}

static void put_frame(uint8_t type, uint8_t flags, uint32_t stream, const void *payload, size_t n)
{
	const uint8_t head[] = {0,
				(uint8_t)(n >> 8),
				(uint8_t)n,
				type,
				flags,
				(uint8_t)(stream >> 24),
				(uint8_t)(stream >> 16),
				(uint8_t)(stream >> 8),
				(uint8_t)stream};
	n_unit = bytes_put(unit, bytes_put(unit, 0, bytes_of(head, sizeof head)),
			   bytes_of(payload, n));
}

static enum dis_status send_frame(enum dis_dir dir, uint8_t type, uint8_t flags, uint32_t stream,
				  const void *payload, size_t n)
{
	put_frame(type, flags, stream, payload, n);
	return feed(dir, unit, n_unit).status;
}

static enum dis_status ask(uint32_t stream, const char *fields, size_t n)
{
	asked = stream;
	return send_frame(DIS_TO_SERVER, HEADERS, END_STREAM | END_HEADERS, stream, fields, n);
}

/* settings: the payload of the client's first frame. */
static void begin(const char *settings, size_t n)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
	memset(state, 0, sizeof state);
	n_requests = 0;
	ck_assert_int_eq(feed(DIS_TO_SERVER, preface, strlen(preface)).status, DIS_DONE);
	ck_assert_int_eq(send_frame(DIS_TO_SERVER, SETTINGS, 0, 0, settings, n), DIS_DONE);
}

static void answer_settings(void)
{
	ck_assert_int_eq(feed(DIS_TO_CLIENT, SERVER_SETTINGS, 9).status, DIS_DONE);
}

static size_t refuse(void)
{
	return http2_dissector.refuse(state, 6, bytes_of(unit, n_unit),
				      bytes_str("refused: rule 100% x"), words);
}

/* ---------------------------------------------------------------- the words of a refusal */

/* What a client makes of them: a line for each frame. */
static char said[4096];

static void say(const char *text, size_t n, const char *end)
{
	const size_t at = strlen(said);
	snprintf(said + at, sizeof said - at, "%.*s%s", (int)n, text, end);
}

static void say_fields(struct bytes block)
{
	static const char *const names[HPACK_NAMES] = {
		[HPACK_STATUS] = "status", [HPACK_TYPE] = "type", [HPACK_GRPC_STATUS] = "grpc"};
	static struct hpack_table table;
	static struct hpack_reader r;
	struct hpack_field f;
	hpack_init(&table);
	hpack_begin(&r, &table, block);
	while (hpack_next(&r, &f))
		if (f.name != HPACK_OTHER) {
			say(names[f.name], strlen(names[f.name]), "=");
			say((const char *)f.value.p, f.value.n, " ");
		}
	ck_assert_ptr_null(r.why);
	ck_assert_uint_eq(table.n, 0);
	if (table.max != HPACK_TABLE_MAX)
		say("shrunk", 6, " ");
}

static const char *read_words(size_t n)
{
	struct reader r = reader_of(bytes_of(words, n));
	said[0] = '\0';
	while (reader_ok(&r) && reader_left(&r) > 0) {
		const size_t length = read_be(&r, 3);
		const uint8_t type = read_u8(&r), flags = read_u8(&r);
		const uint32_t stream = read_u32be(&r);
		const struct bytes payload = read_bytes(&r, length);
		char head[64];
		snprintf(head, sizeof head, "[%u %u %u] ", type, flags, stream);
		say(head, strlen(head), "");
		if (type == HEADERS)
			say_fields(payload);
		if (type == 0)
			say((const char *)payload.p, payload.n, "");
		if (type == GOAWAY && payload.p[3] == asked)
			say("last", 4, "");
	}
	ck_assert(reader_ok(&r));
	return said;
}

START_TEST(tells_status_sentence_and_end)
{
	begin("", 0);
	answer_settings();
	ck_assert_int_eq(ask(5, GET_X, sizeof GET_X - 1), DIS_DONE);
	ck_assert_str_eq(read_words(refuse()), "[1 4 5] status=403 type=text/plain "
					       "[0 1 5] refused: rule 100% x\n[7 0 0] last");
}
END_TEST

START_TEST(announces_settings_where_the_server_has_not)
{
	begin("", 0);
	ck_assert_int_eq(ask(1, GET_X, sizeof GET_X - 1), DIS_DONE);
	ck_assert_int_eq(memcmp(read_words(refuse()), "[4 0 0] [1 4 1] ", 16), 0);
}
END_TEST

START_TEST(tells_head_no_body)
{
	begin("", 0);
	answer_settings();
	ck_assert_int_eq(ask(1, HEAD_X, sizeof HEAD_X - 1), DIS_DONE);
	ck_assert_str_eq(read_words(refuse()), "[1 5 1] status=403 type=text/plain [7 0 0] last");
}
END_TEST

START_TEST(tells_no_body_where_the_window_is_too_small)
{
	begin("\0\x04\0\0\0\x14", 6); /* the sentence and its line end are 21 bytes */
	answer_settings();
	ck_assert_int_eq(ask(1, GET_X, sizeof GET_X - 1), DIS_DONE);
	ck_assert_str_eq(read_words(refuse()), "[1 5 1] status=403 type=text/plain [7 0 0] last");
	begin("\0\x04\0\0\0\x15", 6);
	answer_settings();
	ck_assert_int_eq(ask(1, GET_X, sizeof GET_X - 1), DIS_DONE);
	ck_assert_ptr_nonnull(strstr(read_words(refuse()), "refused"));
}
END_TEST

START_TEST(tells_grpc_in_its_own_status)
{
	begin("", 0);
	answer_settings();
	ck_assert_int_eq(ask(1, GRPC_X, sizeof GRPC_X - 1), DIS_DONE);
	const size_t n = refuse();
	ck_assert_str_eq(read_words(n),
			 "[1 5 1] status=200 type=application/grpc grpc=7 [7 0 0] last");
	ck_assert_ptr_nonnull(memmem(words, n, "refused: rule 100%25 x", 22));
}
END_TEST

START_TEST(shrinks_the_clients_table_first_where_it_must)
{
	begin("\0\x01\0\0\0\x05", 6);
	answer_settings();
	ck_assert_int_eq(send_frame(DIS_TO_CLIENT, SETTINGS, ACK, 0, "", 0), DIS_DONE);
	ck_assert_int_eq(ask(1, GET_X, sizeof GET_X - 1), DIS_DONE);
	ck_assert_str_eq(read_words(refuse()), "[1 4 1] status=403 type=text/plain shrunk "
					       "[0 1 1] refused: rule 100% x\n[7 0 0] last");
}
END_TEST

START_TEST(says_nothing_within_a_frame_of_the_server)
{
	static const char half[] = "\0\0\x05\0\0\0\0\0\x01"
				   "hello"; /* DATA */
	begin("", 0);
	answer_settings();
	ck_assert_int_eq(ask(1, GET_X, sizeof GET_X - 1), DIS_DONE);
	ck_assert_int_eq(send_frame(DIS_TO_CLIENT, HEADERS, END_HEADERS, 1, "\x88", 1), DIS_DONE);
	ck_assert_int_eq(feed(DIS_TO_CLIENT, half, 4).status, DIS_MORE);
	ck_assert_int_eq(ask(3, GET_X, sizeof GET_X - 1), DIS_DONE);
	ck_assert_uint_eq(refuse(), 0);
	const struct dis_result r = feed(DIS_TO_CLIENT, half, sizeof half - 1);
	ck_assert_uint_eq(r.consumed + r.skip, 9 + 4); /* all but the last byte */
	ck_assert_uint_eq(refuse(), 0);
	ck_assert_int_eq(feed(DIS_TO_CLIENT, "o", 1).status, DIS_DONE);
	ck_assert_uint_gt(refuse(), 0);
}
END_TEST

/* ---------------------------------------------------------------- streams */

START_TEST(follows_so_many_streams_and_no_more)
{
	begin("", 0);
	for (uint32_t i = 0; i < HTTP2_STREAMS_MAX; i++)
		ck_assert_int_eq(ask(2 * i + 1, GET_X, sizeof GET_X - 1), DIS_DONE);
	ck_assert_int_eq(ask(2 * HTTP2_STREAMS_MAX + 1, GET_X, sizeof GET_X - 1), DIS_LIMIT);
}
END_TEST

START_TEST(judges_every_request_that_is_reset_at_once)
{
	begin("", 0);
	for (uint32_t i = 0; i < 30000; i++) {
		ck_assert_int_eq(ask(2 * i + 1, GET_X, sizeof GET_X - 1), DIS_DONE);
		const enum dis_status status =
			send_frame(DIS_TO_SERVER, RST_STREAM, 0, 2 * i + 1, "\0\0\0\x08", 4);
		ck_assert_int_eq(status, DIS_DONE);
	}
	ck_assert_uint_eq(n_requests, 30000);
}
END_TEST

START_TEST(a_stream_that_lasts_does_not_stand_in_the_way)
{
	begin("", 0);
	answer_settings();
	ck_assert_int_eq(ask(1, GET_X, sizeof GET_X - 1), DIS_DONE);
	for (uint32_t i = 1; i < 2000; i++) {
		ck_assert_int_eq(ask(2 * i + 1, GET_X, sizeof GET_X - 1), DIS_DONE);
		const enum dis_status status = send_frame(
			DIS_TO_CLIENT, HEADERS, END_STREAM | END_HEADERS, 2 * i + 1, "\x88", 1);
		ck_assert_int_eq(status, DIS_DONE);
	}
	ck_assert_int_eq(send_frame(DIS_TO_CLIENT, HEADERS, END_HEADERS, 1, "\x88", 1), DIS_DONE);
}
END_TEST

/* ---------------------------------------------------------------- header tables */

START_TEST(decodes_every_symbol)
{
	const char *why;
	uint8_t out[256];
	const struct bytes in = bytes_of(huffman_of_all, sizeof huffman_of_all - 1);
	ck_assert_uint_eq(hpack_huffman(in, out, sizeof out, &why), 256);
	for (size_t i = 0; i < 256; i++)
		ck_assert_uint_eq(out[i], i);
	ck_assert_uint_eq(hpack_huffman(in, out, 255, &why), SIZE_MAX);
	ck_assert_ptr_null(why);
}
END_TEST

/* The twin: the newest entry first, whole, found by counting from the front. */
enum { TWIN_MAX = 400, BLOCKS = 20000 };

struct twin_entry {
	char name[16], value[4200];
};

static struct twin_entry twin[TWIN_MAX];
static size_t n_twin, twin_max = HPACK_TABLE_MAX;
static uint32_t dice = 1;

static uint32_t roll(uint32_t n)
{
	dice = dice * 1664525u + 1013904223u;
	return (dice >> 8) % n;
}

static void twin_evict(void)
{
	size_t size = 0;
	for (size_t i = 0; i < n_twin; i++) {
		size += strlen(twin[i].name) + strlen(twin[i].value) + 32;
		if (size > twin_max)
			n_twin = i;
	}
}

static void twin_add(const struct twin_entry *e)
{
	memmove(twin + 1, twin, n_twin * sizeof *twin);
	twin[0] = *e;
	n_twin++;
	twin_evict();
}

static struct words {
	uint8_t p[DIS_UNIT_MAX];
	size_t n;
} block;

static void put_integer(size_t first, size_t mask, size_t value)
{
	if (value < mask) {
		block.p[block.n++] = (uint8_t)(first | value);
		return;
	}
	block.p[block.n++] = (uint8_t)(first | mask);
	for (value -= mask; value >= 128; value /= 128)
		block.p[block.n++] = (uint8_t)(128 | value % 128);
	block.p[block.n++] = (uint8_t)value;
}

static void put_string(const char *text)
{
	put_integer(0, 127, strlen(text));
	block.n = bytes_put(block.p, block.n, bytes_str(text));
}

/* A field of random shape; what it says goes to *said_field. */
static void put_field(struct twin_entry *field)
{
	static const char *const names[] = {":path", "content-type", "user-agent", "x-a", "x-bb"};
	static const uint32_t sizes[] = {3, 40, 300, 4100};
	const bool is_kept = roll(4) > 0;
	if (n_twin > 0 && roll(2) == 0) {
		const size_t at = roll((uint32_t)n_twin);
		*field = twin[at];
		put_integer(0x80, 0x7f, 62 + at);
		return;
	}
	const size_t n = roll(sizes[roll(4)]);
	const size_t at = roll((uint32_t)n_twin + 1);
	memset(field->value, 'a' + (int)roll(26), n);
	field->value[n] = '\0';
	snprintf(field->name, sizeof field->name, "%s",
		 at < n_twin ? twin[at].name : names[roll(5)]);
	put_integer(is_kept ? 0x40 : 0, is_kept ? 0x3f : 0x0f, at < n_twin ? 62 + at : 0);
	if (at == n_twin)
		put_string(field->name);
	put_string(field->value);
	if (is_kept)
		twin_add(field);
}

static void check_field(struct hpack_reader *r, const struct twin_entry *wanted)
{
	struct hpack_field got;
	ck_assert_msg(hpack_next(r, &got), "%s", r->why ? r->why : "the block ends");
	if (strncmp(wanted->name, "x-", 2) == 0) {
		ck_assert_int_eq(got.name, HPACK_OTHER);
		return;
	}
	ck_assert_int_ne(got.name, HPACK_OTHER);
	ck_assert(bytes_is(got.value, wanted->value));
}

START_TEST(has_the_entries_of_a_list_that_keeps_everything)
{
	static struct hpack_table table;
	static struct hpack_reader reader;
	static struct twin_entry wanted;
	hpack_init(&table);
	for (size_t i = 0; i < BLOCKS; i++) {
		struct hpack_field end;
		block.n = 0;
		if (roll(50) == 0) {
			twin_max = roll(3) ? HPACK_TABLE_MAX : roll(HPACK_TABLE_MAX);
			put_integer(0x20, 0x1f, twin_max);
			twin_evict();
		}
		put_field(&wanted);
		hpack_begin(&reader, &table, bytes_of(block.p, block.n));
		check_field(&reader, &wanted);
		ck_assert(!hpack_next(&reader, &end));
		ck_assert_ptr_null(reader.why);
		ck_assert_uint_eq(table.n, n_twin);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http2");
	TCase *tcase = tcase_create("http2");
	tcase_add_test(tcase, tells_status_sentence_and_end);
	tcase_add_test(tcase, announces_settings_where_the_server_has_not);
	tcase_add_test(tcase, tells_head_no_body);
	tcase_add_test(tcase, tells_no_body_where_the_window_is_too_small);
	tcase_add_test(tcase, tells_grpc_in_its_own_status);
	tcase_add_test(tcase, shrinks_the_clients_table_first_where_it_must);
	tcase_add_test(tcase, says_nothing_within_a_frame_of_the_server);
	tcase_add_test(tcase, follows_so_many_streams_and_no_more);
	tcase_add_test(tcase, judges_every_request_that_is_reset_at_once);
	tcase_add_test(tcase, a_stream_that_lasts_does_not_stand_in_the_way);
	tcase_add_test(tcase, decodes_every_symbol);
	tcase_add_test(tcase, has_the_entries_of_a_list_that_keeps_everything);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	const int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
