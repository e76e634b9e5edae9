/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records of the engine as JSON lines: what good ones say, and that no bad one gives a broken line.
 */
#include "output/eve.h"
#include "output/event.h"

#include "base/text.h"

#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <time.h>

/* A table of its own: what a record says must not depend on which protocols there are. */
static const struct dis_field http_fields[] = {
	{.name = "http_method", .type = DIS_STRING},
	{.name = "url", .type = DIS_STRING},
};
static const struct dis_field redis_fields[] = {
	{.name = "command", .type = DIS_STRING},
	{.name = "keys", .type = DIS_STRING, .is_list = true},
	{.name = "db", .type = DIS_NUMBER},
	{.name = "sizes", .type = DIS_NUMBER, .is_list = true},
};
static const struct dissector http = {
	.name = "http", .object = "http", .fields = http_fields, .n_fields = 2};
static const struct dissector redis = {
	.name = "redis", .object = "redis", .fields = redis_fields, .n_fields = 4};
const struct dissector *const dissectors[] = {&http, &redis};
const size_t n_dissectors = 2;

static _Alignas(8) uint8_t record[EVENT_MAX + 64];
static size_t used;

static struct event_head *head(void)
{
	return (struct event_head *)(void *)record;
}

static uint8_t app_named(const char *name)
{
	for (size_t i = 0; i < n_dissectors; i++)
		if (strcmp(dissectors[i]->name, name) == 0)
			return (uint8_t)i;
	ck_abort_msg("no dissector %s", name);
}

static uint16_t field_named(uint8_t app, const char *name)
{
	for (size_t i = 0; i < dissectors[app]->n_fields; i++)
		if (strcmp(dissectors[app]->fields[i].name, name) == 0)
			return (uint16_t)(EVENT_TAG_FIELD + i);
	ck_abort_msg("no field %s", name);
}

static void begin(enum event_type type, const char *app)
{
	memset(record, 0, sizeof(record));
	used = sizeof(struct event_head);
	*head() = (struct event_head){
		.size = (uint32_t)used,
		.type = (uint8_t)type,
		.verdict = VERDICT_DENY,
		.mode = MODE_ENFORCE,
		.reason = REASON_RULE,
		.time_ns = 1700000000123456789u,
		.flow_id = 77,
		.src_port = 40000,
		.dst_port = 80,
		.ip_proto = IPPROTO_TCP,
		.app = app ? app_named(app) : 0xff,
		.generation = 3,
	};
	ck_assert(ip_addr_parse("198.18.0.2", &head()->src));
	ck_assert(ip_addr_parse("198.18.0.3", &head()->dst));
}

static void item(uint16_t tag, const void *value, size_t length)
{
	struct event_item it = {tag, (uint16_t)length};
	ck_assert_uint_le(used + sizeof(it) + length + 3, sizeof(record));
	memcpy(record + used, &it, sizeof(it));
	memcpy(record + used + sizeof(it), value, length);
	used += sizeof(it) + ((length + 3) & ~(size_t)3);
	head()->size = (uint32_t)used;
}

static void item_text(uint16_t tag, const char *text)
{
	item(tag, text, strlen(text));
}

/* The record as a line and read again: what a consumer sees. */
static json_t *read_back(void)
{
	json_t *json = eve_from_event(bytes_of(record, used));
	if (!json)
		return NULL;
	char *line = json_dumps(json, JSON_COMPACT);
	ck_assert_ptr_nonnull(line);
	ck_assert_ptr_null(strchr(line, '\n'));
	json_error_t why;
	json_t *again = json_loads(line, 0, &why);
	ck_assert_msg(again != NULL, "not JSON: %s: %s", why.text, line);
	free(line);
	json_decref(json);
	return again;
}

static const char *text_at(const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));
	return text ? text : "";
}

START_TEST(names_a_violation_in_full)
{
	begin(EVENT_VIOLATION, "http");
	uint8_t app = app_named("http");
	item_text(EVENT_TAG_FROM, "blog/wordpress");
	item_text(EVENT_TAG_TO, "internet");
	item_text(EVENT_TAG_RULE, "no-login");
	item_text(EVENT_TAG_FOUND, "redis");
	item_text(EVENT_TAG_REFUSAL, "reset");
	item_text(field_named(app, "http_method"), "GET");
	json_t *json = read_back();
	ck_assert_str_eq(text_at(json, "event_type"), "violation");
	ck_assert_str_eq(text_at(json, "src_ip"), "198.18.0.2");
	ck_assert_str_eq(text_at(json, "dest_ip"), "198.18.0.3");
	ck_assert_int_eq(json_integer_value(json_object_get(json, "dest_port")), 80);
	ck_assert_str_eq(text_at(json, "proto"), "TCP");
	ck_assert_str_eq(text_at(json, "app_proto"), "http");
	ck_assert_str_eq(text_at(json, "from"), "blog/wordpress");
	ck_assert_str_eq(text_at(json, "rule"), "no-login");
	ck_assert_str_eq(text_at(json, "verdict"), "deny");
	ck_assert_str_eq(text_at(json, "mode"), "enforce");
	ck_assert_int_eq(json_integer_value(json_object_get(json, "flow_id")), 77);
	const json_t *said = json_object_get(json, "violation");
	ck_assert_str_eq(text_at(said, "found"), "redis");
	ck_assert_str_eq(text_at(said, "refusal"), "reset");
	ck_assert_str_eq(text_at(json_object_get(json, "http"), "http_method"), "GET");
	json_decref(json);
}
END_TEST

START_TEST(time_has_microseconds_and_a_zone)
{
	char text[EVE_TIME_TEXT];
	ck_assert_int_eq(setenv("TZ", "UTC-5:30", 1), 0); /* POSIX: east of Greenwich */
	tzset();
	ck_assert_str_eq(eve_time(1700000000123456789u, text), "2023-11-15T03:43:20.123456+0530");
}
END_TEST

START_TEST(counts_a_flow_both_ways)
{
	begin(EVENT_FLOW, NULL);
	head()->packets[0] = 3;
	head()->bytes[1] = UINT64_MAX;
	head()->start_ns = head()->time_ns - 5000000000u;
	head()->end = FLOW_END_FIN;
	head()->offloaded = 1;
	item_text(EVENT_TAG_TEXT, "x");
	json_t *json = read_back();
	const json_t *flow = json_object_get(json, "flow");
	ck_assert_int_eq(json_integer_value(json_object_get(flow, "pkts_toserver")), 3);
	ck_assert(json_integer_value(json_object_get(flow, "bytes_toclient")) == INT64_MAX);
	ck_assert_int_eq(json_integer_value(json_object_get(flow, "age")), 5);
	ck_assert_str_eq(text_at(flow, "reason"), "fin");
	ck_assert_str_eq(text_at(flow, "text"), "x");
	ck_assert(json_is_true(json_object_get(flow, "offloaded")));
	ck_assert_ptr_null(json_object_get(json, "app_proto"));
	json_decref(json);
}
END_TEST

START_TEST(list_fields_are_arrays_and_numbers_are_numbers)
{
	uint64_t number = 5;
	begin(EVENT_REQUEST, "redis");
	for (size_t i = 0; i < redis.n_fields; i++) {
		uint16_t tag = (uint16_t)(EVENT_TAG_FIELD + i);
		for (int k = 0; k < 2; k++) {
			if (redis.fields[i].type == DIS_NUMBER)
				item(tag, &number, sizeof(number));
			else
				item_text(tag, k ? "b" : "a");
		}
	}
	json_t *json = read_back();
	const json_t *object = json_object_get(json, redis.object);
	for (size_t i = 0; i < redis.n_fields; i++) {
		const json_t *value = json_object_get(object, redis.fields[i].name);
		bool is_list = redis.fields[i].is_list;
		ck_assert_int_eq(json_is_array(value), is_list);
		ck_assert_uint_eq(json_array_size(value), is_list ? 2 : 0);
		if (!is_list && redis.fields[i].type == DIS_NUMBER)
			ck_assert_int_eq(json_integer_value(value), 5);
		else if (!is_list)
			ck_assert_str_eq(json_string_value(value), "a");
	}
	json_decref(json);
}
END_TEST

START_TEST(cut_values_are_named)
{
	begin(EVENT_REQUEST, "http");
	uint16_t tag = field_named(app_named("http"), "url");
	item_text(tag | EVENT_CUT, "/long");
	json_t *json = read_back();
	ck_assert_str_eq(json_string_value(json_array_get(json_object_get(json, "truncated"), 0)),
			 "url");
	ck_assert_str_eq(text_at(json_object_get(json, "http"), "url"), "/long");
	json_decref(json);
}
END_TEST

struct text_row {
	const char *bytes;
	size_t n;
	const char *shown;
};

static const struct text_row texts[] = {
	{"plain", 5, "plain"},
	{"\xc3\xa9", 2, "\xc3\xa9"},
	{"a\xff"
	 "b",
	 3, "a\\xffb"},
	{"\xc0\xaf", 2, "\\xc0\\xaf"},			 /* overlong '/' */
	{"\xed\xa0\x80", 3, "\\xed\\xa0\\x80"},		 /* a surrogate */
	{"\xf4\x90\x80\x80", 4, "\\xf4\\x90\\x80\\x80"}, /* beyond U+10FFFF */
	{"\xe2\x82", 2, "\\xe2\\x82"},			 /* ends too early */
	{"\xf0\x9f\x98\x80", 4, "\xf0\x9f\x98\x80"},
	{"line\n\"quote\"\x1b[31m", 17, "line\n\"quote\"\x1b[31m"}, /* JSON escapes these itself */
};

START_TEST(any_bytes_make_a_valid_string)
{
	const struct text_row *row = &texts[_i];
	begin(EVENT_VIOLATION, NULL);
	item(EVENT_TAG_TEXT, row->bytes, row->n);
	json_t *json = read_back();
	ck_assert_str_eq(text_at(json_object_get(json, "violation"), "text"), row->shown);
	json_decref(json);
}
END_TEST

START_TEST(a_nul_byte_does_not_end_a_value)
{
	begin(EVENT_VIOLATION, NULL);
	item(EVENT_TAG_TEXT, "a\0b", 3);
	json_t *json = read_back();
	ck_assert_str_eq(text_at(json_object_get(json, "violation"), "text"), "a\\x00b");
	json_decref(json);
}
END_TEST

START_TEST(refuses_heads_out_of_range)
{
	begin(EVENT_FLOW, NULL);
	static const size_t bytes[] = {
		offsetof(struct event_head, type), offsetof(struct event_head, verdict),
		offsetof(struct event_head, mode), offsetof(struct event_head, reason),
		offsetof(struct event_head, end)};
	for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
		uint8_t before = record[bytes[i]];
		record[bytes[i]] = 0xee;
		ck_assert_ptr_null(eve_from_event(bytes_of(record, used)));
		record[bytes[i]] = before;
	}
	head()->size++;
	ck_assert_ptr_null(eve_from_event(bytes_of(record, used)));
	ck_assert_ptr_null(eve_from_event(bytes_of(record, sizeof(struct event_head) - 1)));
	ck_assert_ptr_null(eve_from_event(bytes_of(NULL, 0)));
}
END_TEST

/* Every cut of a record, with its head made to agree: fewer keys, never a read beyond the end. The
 * slice is copied to memory of exactly its size, so that a sanitizer sees any such read. */
START_TEST(every_truncation_gives_a_line)
{
	begin(EVENT_VIOLATION, "http");
	item_text(EVENT_TAG_FROM, "blog/wordpress");
	item_text(field_named(app_named("http"), "url"), "/index.php?p=1");
	item_text(EVENT_TAG_TEXT, "why");
	for (size_t n = sizeof(struct event_head); n <= used; n++) {
		head()->size = (uint32_t)n;
		uint8_t *exact = malloc(n);
		memcpy(exact, record, n);
		json_t *json = eve_from_event(bytes_of(exact, n));
		ck_assert_ptr_nonnull(json);
		ck_assert_str_eq(text_at(json, "event_type"), "violation");
		json_decref(json);
		free(exact);
	}
}
END_TEST

START_TEST(an_item_longer_than_the_record_ends_the_reading)
{
	begin(EVENT_VIOLATION, NULL);
	item_text(EVENT_TAG_FROM, "known");
	item_text(EVENT_TAG_TEXT, "lost");
	struct event_item *last = (void *)(record + used - 8);
	last->length = 0xffff;
	json_t *json = read_back();
	ck_assert_str_eq(text_at(json, "from"), "known");
	ck_assert_ptr_null(json_object_get(json, "violation"));
	json_decref(json);
}
END_TEST

START_TEST(fields_of_no_dissector_are_left_out)
{
	begin(EVENT_REQUEST, "http");
	item_text(EVENT_TAG_FIELD + 0x7000, "far beyond the table");
	head()->app = 200;
	json_t *json = read_back();
	ck_assert_ptr_null(json_object_get(json, "app_proto"));
	json_decref(json);
	head()->app = app_named("http");
	json = read_back();
	ck_assert_ptr_null(json_object_get(json, "http"));
	json_decref(json);
}
END_TEST

START_TEST(the_largest_record_of_bad_bytes_is_one_line)
{
	uint8_t junk[1024];
	memset(junk, 0xfe, sizeof(junk));
	begin(EVENT_REQUEST, "http");
	uint16_t tag = field_named(app_named("http"), "url");
	while (used + sizeof(struct event_item) + sizeof(junk) <= EVENT_MAX)
		item(tag, junk, sizeof(junk));
	json_t *json = read_back();
	ck_assert_uint_eq(json_string_length(json_object_get(json_object_get(json, "http"), "url")),
			  4 * sizeof(junk));
	json_decref(json);
}
END_TEST

START_TEST(random_bytes_after_a_head_never_break_a_line)
{
	uint32_t random = 12345;
	for (int round = 0; round < 20000; round++) {
		begin((enum event_type)(round % 5), round % 2 ? "http" : "redis");
		size_t n = (size_t)(round % 200);
		for (size_t i = 0; i < n; i++) {
			random = random * 1664525u + 1013904223u;
			record[used + i] = (uint8_t)(random >> 24) & (i % 2 ? 0x07 : 0x1f);
		}
		used += n;
		head()->size = (uint32_t)used;
		json_t *json = read_back();
		ck_assert_ptr_nonnull(json);
		json_decref(json);
	}
}
END_TEST

struct community_row {
	const char *src, *dst;
	uint16_t src_port, dst_port;
	uint8_t ip_proto;
	const char *id;
};

/* Ids that other programs print for the same flows. */
static const struct community_row community_rows[] = {
	{"128.232.110.120", "66.35.250.204", 34855, 80, IPPROTO_TCP,
	 "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
	{"66.35.250.204", "128.232.110.120", 80, 34855, IPPROTO_TCP,
	 "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
	{"192.168.1.52", "8.8.8.8", 54585, 53, IPPROTO_UDP, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="},
	{"192.168.0.89", "192.168.0.1", 0, 8 << 8, IPPROTO_ICMP, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="},
	{"192.168.0.1", "192.168.0.89", 0, 0, IPPROTO_ICMP, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="},
};

START_TEST(community_id_is_what_others_compute)
{
	const struct community_row *row = &community_rows[_i];
	struct community_flow flow = {
		.src_port = row->src_port, .dst_port = row->dst_port, .ip_proto = row->ip_proto};
	char id[COMMUNITY_TEXT];
	ck_assert(ip_addr_parse(row->src, &flow.src) && ip_addr_parse(row->dst, &flow.dst));
	ck_assert(community_id(&flow, id));
	ck_assert_str_eq(id, row->id);
}
END_TEST

START_TEST(icmp_shows_type_and_code)
{
	begin(EVENT_VIOLATION, NULL);
	head()->ip_proto = IPPROTO_ICMP;
	head()->dst_port = 3 << 8 | 4;
	json_t *json = read_back();
	ck_assert_int_eq(json_integer_value(json_object_get(json, "icmp_type")), 3);
	ck_assert_int_eq(json_integer_value(json_object_get(json, "icmp_code")), 4);
	ck_assert_ptr_null(json_object_get(json, "dest_port"));
	json_decref(json);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("output_eve");
	TCase *tc = tcase_create("eve");
	tcase_add_test(tc, names_a_violation_in_full);
	tcase_add_test(tc, time_has_microseconds_and_a_zone);
	tcase_add_test(tc, counts_a_flow_both_ways);
	tcase_add_test(tc, list_fields_are_arrays_and_numbers_are_numbers);
	tcase_add_test(tc, cut_values_are_named);
	tcase_add_loop_test(tc, any_bytes_make_a_valid_string, 0, sizeof(texts) / sizeof(texts[0]));
	tcase_add_test(tc, a_nul_byte_does_not_end_a_value);
	tcase_add_test(tc, refuses_heads_out_of_range);
	tcase_add_test(tc, every_truncation_gives_a_line);
	tcase_add_test(tc, an_item_longer_than_the_record_ends_the_reading);
	tcase_add_test(tc, fields_of_no_dissector_are_left_out);
	tcase_add_test(tc, the_largest_record_of_bad_bytes_is_one_line);
	tcase_add_test(tc, random_bytes_after_a_head_never_break_a_line);
	tcase_add_loop_test(tc, community_id_is_what_others_compute, 0,
			    sizeof(community_rows) / sizeof(community_rows[0]));
	tcase_add_test(tc, icmp_shows_type_and_code);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
