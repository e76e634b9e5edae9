/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the commands read and write: words, durations, tables, and whole commands against a daemon
 * that is played. */
#include "cli/client.h"
#include "cli/table.h"
#include "cli/words.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

struct words_row {
	const char *words;
	const char *read; /* what words_next() gave: index=value, word, ! for wrong */
	bool json;
};

static const struct words_option options[] = {{"--from", true}, {"--follow", false}, {NULL, false}};

static const struct words_row rows[] = {
	{"", "", false},
	{"--from x y --follow", "0=x y 1 ", false},
	{"--from=x --from y", "0=x 0=y ", false},
	{"-- --from", "--from ", false},
	{"-o json a", "a ", true},
	{"-o json -o table", "", false},
	{"--runtime-dir /r a", "a ", false},
	{"-", "- ", false},
	{"--from", "!", false},
	{"--from=", "!", false},
	{"--follow=1", "!", false},
	{"--fro x", "!", false},
	{"-o xml", "!", false},
	{"-x", "!", false},
};

static void append(char *text, const char *more)
{
	(void)snprintf(text + strlen(text), 128 - strlen(text), "%s", more);
}

START_TEST(word_rows)
{
	char text[128], read[128] = "", *argv[16] = {(char[]){"flows"}}, *rest = NULL;
	struct cli cli = {.runtime_dir = "/default"};
	struct words words = {.cli = &cli, .argc = 1, .argv = argv, .options = options};
	struct error err = {""};
	(void)snprintf(text, sizeof(text), "%s", rows[_i].words);
	for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		argv[words.argc++] = word;
	int got;
	while ((got = words_next(&words, &err)) != WORDS_END && got != WORDS_WRONG) {
		if (got != WORDS_WORD)
			append(read, got ? "1" : "0=");
		append(read, got == 1 ? "" : words.value);
		append(read, " ");
	}
	if (got == WORDS_WRONG)
		append(read, "!");
	ck_assert_str_eq(read, rows[_i].read);
	ck_assert_int_eq(err.text[0] != '\0', got == WORDS_WRONG);
	ck_assert_int_eq(cli.json, rows[_i].json);
	ck_assert_str_eq(cli.runtime_dir, strstr(rows[_i].words, "/r") ? "/r" : "/default");
}
END_TEST

struct duration_row {
	const char *text;
	uint64_t seconds; /* 0: none */
};

static const struct duration_row durations[] = {
	{"1", 1},      {"90s", 90},
	{"5m", 300},   {"2h", 7200},
	{"1d", 86400}, {"0", 0},
	{"", 0},       {"m", 0},
	{"5x", 0},     {"5mm", 0},
	{"-5", 0},     {" 5", 0},
	{"5 m", 0},    {"99999999999999999999", 0},
};

START_TEST(duration_rows)
{
	uint64_t seconds = 0;
	ck_assert_int_eq(words_duration(durations[_i].text, &seconds), durations[_i].seconds != 0);
	ck_assert_uint_eq(seconds, durations[_i].seconds);
}
END_TEST

struct clean_row {
	const char *text, *shown;
};

static const struct clean_row cleans[] = {
	{"plain", "plain"},
	{"a\x1b[2Jb", "a?[2Jb"},
	{"a\nb\tc", "a?b?c"},
	{"\xc2\x9b"
	 "31m",
	 "?31m"},
	{"caf\xc3\xa9", "caf\xc3\xa9"},
	{"\x7f", "?"},
	{"ends \xc2", "ends \xc2"},
};

START_TEST(nothing_that_a_terminal_obeys_gets_through)
{
	char out[64];
	ck_assert_str_eq(table_clean(cleans[_i].text, out, sizeof(out)), cleans[_i].shown);
}
END_TEST

START_TEST(cleaning_never_overruns)
{
	char out[4];
	ck_assert_str_eq(table_clean("abcdef", out, sizeof(out)), "abc");
}
END_TEST

static const struct table_column columns[] = {
	{"NAME", 4, false}, {"N", 3, true}, {"LAST", 0, false}};

START_TEST(tables_align_by_characters)
{
	char *text = NULL;
	size_t size = 0;
	struct table table;
	FILE *out = open_memstream(&text, &size);
	table_init(&table, columns, 3);
	table_add(&table, "caf\xc3\xa9s");
	table_add(&table, "7");
	table_add(&table, "x");
	table_add(&table, NULL);
	table_add(&table, "1234");
	table_add(&table, "");
	table_flush(&table, out);
	table_fini(&table);
	(void)fclose(out);
	ck_assert_str_eq(text, "NAME      N  LAST\n"
			       "caf\xc3\xa9s     7  x\n"
			       "-      1234  -\n");
	free(text);
}
END_TEST

START_TEST(long_cells_are_cut_between_characters)
{
	char cell[400] = "", *text = NULL;
	size_t size = 0;
	struct table table;
	for (int i = 0; i < TABLE_CELL_MAX + 5; i++)
		strcat(cell, "\xc3\xa9"); /* NOLINT: fits */
	FILE *out = open_memstream(&text, &size);
	table_init(&table, columns + 2, 1);
	table_add(&table, cell);
	table_flush(&table, out);
	table_fini(&table);
	(void)fclose(out);
	ck_assert_uint_eq(strlen(text), strlen("LAST\n") + (size_t)2 * TABLE_CELL_MAX + 1);
	free(text);
}
END_TEST

/* ---- commands ---- */

static char folder[] = "/tmp/bw-cli-XXXXXX";
static char path[64], heard[64];
static pid_t server;

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/control.sock", folder);
	(void)snprintf(heard, sizeof(heard), "%s/heard", folder);
}

static void teardown(void)
{
	if (server)
		(void)waitpid(server, NULL, 0);
	(void)unlink(path);
	(void)unlink(heard);
	(void)rmdir(folder);
}

/* Answers one request and keeps it in a file. */
static void play(const char *answer)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	memcpy(addr.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	server = fork();
	if (server == 0) {
		(void)alarm(10);
		FILE *stream = fdopen(accept(fd, NULL, NULL), "r+"), *file = fopen(heard, "w");
		char line[4096] = "";
		if (fgets(line, sizeof(line), stream))
			fputs(line, file);
		(void)fclose(file);
		(void)fseek(stream, 0, SEEK_CUR); /* a socket: only says that writing begins */
		fputs(answer, stream);
		(void)fclose(stream);
		_exit(0);
	}
	(void)close(fd);
}

static int run(int (*command)(struct cli *, int, char **), const char *text, char *out, size_t size)
{
	char words[256], *argv[16], *rest = NULL;
	int argc = 0;
	struct cli cli = {.runtime_dir = folder};
	(void)snprintf(words, sizeof(words), "%s", text);
	for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		argv[argc++] = word;
	argv[argc] = NULL;
	FILE *before = stdout;
	stdout = fmemopen(out, size, "w");
	int rc = command(&cli, argc, argv);
	(void)fclose(stdout);
	stdout = before;
	return rc;
}

START_TEST(no_daemon_is_69)
{
	char out[256] = "";
	ck_assert_int_eq(run(cli_status, "status", out, sizeof(out)), CLI_NO_DAEMON);
	ck_assert_str_eq(out, "");
}
END_TEST

START_TEST(wrong_words_are_64)
{
	char out[256] = "";
	ck_assert_int_eq(run(cli_status, "status now", out, sizeof(out)), CLI_USAGE);
	ck_assert_int_eq(run(cli_flows, "flows --verdict perhaps", out, sizeof(out)), CLI_USAGE);
	ck_assert_int_eq(run(cli_flows, "flows --since soon", out, sizeof(out)), CLI_USAGE);
	ck_assert_int_eq(run(cli_flows, "flows --not", out, sizeof(out)), CLI_USAGE);
	ck_assert_int_eq(run(cli_flows, "flows --not --follow", out, sizeof(out)), CLI_USAGE);
	ck_assert_int_eq(run(cli_flows, "flows --limit 0", out, sizeof(out)), CLI_USAGE);
	ck_assert_int_eq(run(cli_explain, "explain", out, sizeof(out)), CLI_USAGE);
	ck_assert_int_eq(run(cli_explain, "explain 1 2", out, sizeof(out)), CLI_USAGE);
	ck_assert_int_eq(run(cli_policy, "policy", out, sizeof(out)), CLI_USAGE);
	ck_assert_int_eq(run(cli_policy, "policy check", out, sizeof(out)), CLI_USAGE);
	ck_assert_int_eq(run(cli_policy, "policy check a b", out, sizeof(out)), CLI_USAGE);
	ck_assert_int_eq(run(cli_policy, "policy diff a b", out, sizeof(out)), CLI_USAGE);
}
END_TEST

START_TEST(the_daemons_exit_code_is_ours)
{
	char out[256] = "";
	play("{\"end\":true,\"exit\":1,\"error\":\"no\"}\n");
	ck_assert_int_eq(run(cli_reload, "reload", out, sizeof(out)), CLI_NO);
}
END_TEST

START_TEST(a_broken_answer_is_no_daemon)
{
	char out[256] = "";
	play("{\"half\":");
	ck_assert_int_eq(run(cli_status, "status -o json", out, sizeof(out)), CLI_NO_DAEMON);
}
END_TEST

START_TEST(an_answer_without_end_is_no_daemon)
{
	char out[256] = "";
	play("{\"ready\":true}\n");
	ck_assert_int_eq(run(cli_status, "status -o json", out, sizeof(out)), CLI_NO_DAEMON);
	ck_assert_str_eq(out, "{\"ready\":true,\"schema\":1}\n");
}
END_TEST

START_TEST(flows_send_their_filters)
{
	char out[1024] = "", request[1024] = "";
	play("{\"flow_id\":5,\"event_type\":\"flow\",\"live\":true,\"from\":\"blog/"
	     "\\u001b[2Jwp\",\"dest_ip\":\"198.18.0.3\","
	     "\"dest_port\":80,\"proto\":\"TCP\",\"verdict\":\"deny\",\"reason\":\"default\","
	     "\"flow\":{\"pkts_toserver\":1,"
	     "\"pkts_toclient\":2,\"state\":\"denied\"}}\n{\"end\":true,\"exit\":0}\n");
	ck_assert_int_eq(
		run(cli_flows, "flows --from blog/* --not --app dns --since 5m", out, sizeof(out)),
		CLI_OK);
	ck_assert_ptr_nonnull(strstr(out, "blog/?[2Jwp"));
	ck_assert_ptr_null(strchr(out, '\x1b'));
	ck_assert_ptr_nonnull(strstr(out, "198.18.0.3:80"));
	ck_assert_ptr_nonnull(strstr(out, "denied"));
	FILE *file = fopen(heard, "r");
	ck_assert_ptr_nonnull(fgets(request, sizeof(request), file));
	(void)fclose(file);
	ck_assert_str_eq(
		request,
		"{\"cmd\":\"flows\",\"filters\":[{\"key\":\"from\",\"pattern\":\"blog/"
		"*\",\"not\":false},"
		"{\"key\":\"app\",\"pattern\":\"dns\",\"not\":true}],\"since_s\":300,\"limit\":0,"
		"\"follow\":false}\n");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cli_words");
	TCase *tc = tcase_create("words");
	tcase_add_loop_test(tc, word_rows, 0, sizeof(rows) / sizeof(rows[0]));
	tcase_add_loop_test(tc, duration_rows, 0, sizeof(durations) / sizeof(durations[0]));
	tcase_add_loop_test(tc, nothing_that_a_terminal_obeys_gets_through, 0,
			    sizeof(cleans) / sizeof(cleans[0]));
	tcase_add_test(tc, cleaning_never_overruns);
	tcase_add_test(tc, tables_align_by_characters);
	tcase_add_test(tc, long_cells_are_cut_between_characters);
	suite_add_tcase(suite, tc);
	TCase *commands = tcase_create("commands");
	tcase_add_checked_fixture(commands, setup, teardown);
	tcase_add_test(commands, no_daemon_is_69);
	tcase_add_test(commands, wrong_words_are_64);
	tcase_add_test(commands, the_daemons_exit_code_is_ours);
	tcase_add_test(commands, a_broken_answer_is_no_daemon);
	tcase_add_test(commands, an_answer_without_end_is_no_daemon);
	tcase_add_test(commands, flows_send_their_filters);
	suite_add_tcase(suite, commands);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
