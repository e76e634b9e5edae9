/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Protocols that exist only in tests, so that policy is tested by its contract with dissectors and
 * not by what some protocol happens to do. Including this file defines the table of dissectors;
 * the linker then leaves the real one in its library.
 *
 *	web     tcp       "METHOD /path..."           path is a list; reply field `status`
 *	sql     tcp       "VERB table..."; "? VERB table..." is unproven
 *	names   tcp, udp  "NAME"
 */
#ifndef TESTS_POLICY_FIXTURE_H
#define TESTS_POLICY_FIXTURE_H

#include "bridgewarden/policy.h"
#include "policy/compile.h"
#include "policy/load.h"

#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>

enum { APP_WEB, APP_SQL, APP_NAMES, APP_SEALED, APP_PLAIN, APP_PLAIN2 };
enum { WEB_METHOD, WEB_PATH, WEB_HOST, WEB_SIZE, WEB_STATUS, WEB_OPAQUE };
enum { SQL_VERB, SQL_TABLE, SQL_USER, SQL_SAFE, SQL_OPAQUE };

static const struct dis_field web_fields[] = {
	{.name = "method", .key = "methods", .match = DIS_MATCH_GLOB},
	{.name = "path", .key = "paths", .match = DIS_MATCH_PATH, .is_list = true},
	{.name = "host", .key = "hosts", .match = DIS_MATCH_NOCASE},
	{.name = "size", .key = "max_body", .type = DIS_NUMBER},
	{.name = "status", .key = "status", .type = DIS_NUMBER},
	{.name = "opaque"},
};
static const char *const sql_words[] = {"select", "insert", "update", "drop", "set", NULL};
static const char *const sql_read[] = {"select", "set", NULL};
static const char *const sql_write[] = {"insert", "update", NULL};
static const struct dis_group sql_groups[] = {
	{"read", sql_read}, {"write", sql_write}, {NULL, NULL}};
static const struct dis_field sql_fields[] = {
	{.name = "verb",
	 .key = "verbs",
	 .match = DIS_MATCH_WORD,
	 .words = sql_words,
	 .groups = sql_groups},
	{.name = "tables", .key = "tables", .match = DIS_MATCH_GLOB, .is_list = true},
	{.name = "user", .key = "users", .match = DIS_MATCH_GLOB},
	{.name = "safe", .key = "safe", .type = DIS_NUMBER},
	{.name = "opaque"},
};
static const struct dis_field names_fields[] = {
	{.name = "name", .key = "names", .match = DIS_MATCH_NOCASE},
};

static struct dis_result feed_nothing(void *state, uint8_t ip_proto, enum dis_dir dir,
				      struct bytes in, const struct dis_sink *sink)
{
	(void)state, (void)ip_proto, (void)dir, (void)in,
		(void)sink; /* nothing is fed in these tests */
	return (struct dis_result){.status = DIS_NOT_MINE};
}

static size_t split_words(struct bytes text, struct bytes *out, size_t room)
{
	size_t n = 0;
	while (text.n && n < room) {
		size_t at = bytes_find(text, ' ');
		out[n] = bytes_slice(text, 0, at);
		n += out[n].n > 0;
		text = bytes_from(text, at + 1);
	}
	return n;
}

static bool say_words(struct bytes text, const struct dis_sink *sink, uint16_t first, uint16_t rest)
{
	struct bytes words[8];
	struct dis_value values[8];
	uint32_t flags = 0;
	size_t n = split_words(text, words, 8), from = 0, n_values = 0;
	if (n && bytes_is(words[0], "?")) {
		flags = DIS_UNPROVEN;
		from = 1;
	}
	for (size_t i = from; i < n; i++)
		values[n_values++] =
			(struct dis_value){.field = i == from ? first : rest, .text = words[i]};
	const struct dis_event event = {
		.kind = DIS_REQUEST, .flags = flags, .values = values, .n_values = n_values};
	if (n_values)
		sink->event(sink->ctx, &event);
	return n_values > 0;
}

static bool web_say(struct bytes text, const struct dis_sink *sink)
{
	return bytes_find(text, '/') < text.n && say_words(text, sink, WEB_METHOD, WEB_PATH);
}

static bool sql_say(struct bytes text, const struct dis_sink *sink)
{
	return say_words(text, sink, SQL_VERB, SQL_TABLE);
}

static bool names_say(struct bytes text, const struct dis_sink *sink)
{
	return say_words(text, sink, 0, 0);
}

static const struct dissector web = {.name = "web",
				     .object = "web",
				     .ip_protos = {IPPROTO_TCP},
				     .fields = web_fields,
				     .n_fields = 6,
				     .feed = feed_nothing,
				     .say = web_say};
static const struct dissector sql = {.name = "sql",
				     .object = "sql",
				     .ip_protos = {IPPROTO_TCP},
				     .fields = sql_fields,
				     .n_fields = 5,
				     .feed = feed_nothing,
				     .say = sql_say};
static const struct dissector names = {.name = "names",
				       .object = "names",
				       .ip_protos = {IPPROTO_UDP, IPPROTO_TCP},
				       .fields = names_fields,
				       .n_fields = 1,
				       .feed = feed_nothing,
				       .say = names_say};

static const struct dissector sealed = {.name = "sealed",
					.object = "sealed",
					.ip_protos = {6},
					.fields = names_fields,
					.n_fields = sizeof(names_fields) / sizeof(names_fields[0]),
					.is_sealed = true};

/* Recognised and not read, in two forms on the wire. */
static const struct dissector plain = {
	.name = "plain", .object = "plain", .ip_protos = {IPPROTO_TCP}, .feed = feed_nothing};
static const struct dissector plain2 = {.name = "plain2",
					.object = "plain",
					.ip_protos = {IPPROTO_TCP},
					.variant_of = &plain,
					.feed = feed_nothing};

const struct dissector *const dissectors[] = {&web, &sql, &names, &sealed, &plain, &plain2};
const size_t n_dissectors = 6;

/* ---- loading ---- */

enum { TEST_TODAY = 20000 }; /* 2024-10-04 */

static inline struct policy *load_text(const char *text, struct diagnostics *diags)
{
	struct policy *policy = NULL;
	(void)policy_load_text_on(TEST_TODAY, "p.yaml", text, strlen(text), &policy, diags);
	return policy;
}

/* A text that must be right. */
static inline struct policy *load_good(const char *text)
{
	struct diagnostics diags;
	struct policy *policy = load_text(text, &diags);
	if (!policy)
		diagnostics_print(&diags, stderr);
	ck_assert_msg(policy != NULL, "%s", text);
	diagnostics_fini(&diags);
	return policy;
}

static inline char *print_text(const struct policy *policy)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	policy_print(policy, f);
	ck_assert_int_eq(fclose(f), 0);
	return text;
}

#endif
