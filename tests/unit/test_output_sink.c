/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file of records: whole lines only, never waiting, what is lost is counted. */
#include "output/sink.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <signal.h>
#include <unistd.h>

static char folder[] = "/tmp/bw-sink-XXXXXX";
static char path[64], moved[64];
static struct sink *sink;
static struct error err;

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/eve.json", folder);
	(void)snprintf(moved, sizeof(moved), "%s/eve.json.1", folder);
}

static void teardown(void)
{
	(void)unlink(path);
	(void)unlink(moved);
	(void)rmdir(folder);
}

static size_t content(const char *name, char *out, size_t size)
{
	FILE *file = fopen(name, "r");
	size_t n = file ? fread(out, 1, size - 1, file) : 0;
	out[n] = '\0';
	if (file)
		(void)fclose(file);
	return n;
}

START_TEST(appends_lines)
{
	char text[64];
	for (int round = 0; round < 2; round++) {
		ck_assert_int_eq(sink_open(path, &sink, &err), 0);
		sink_put(sink, bytes_str("{}"));
		ck_assert_int_eq(sink_flush(sink), 0);
		sink_close(sink);
	}
	ck_assert_uint_eq(content(path, text, sizeof(text)), 6);
	ck_assert_str_eq(text, "{}\n{}\n");
}
END_TEST

START_TEST(says_when_it_cannot_open)
{
	ck_assert_int_eq(sink_open("/tmp/there/is/no/such/folder", &sink, &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "no/such/folder"));
}
END_TEST

START_TEST(a_renamed_file_is_left_on_reopen)
{
	char text[64];
	ck_assert_int_eq(sink_open(path, &sink, &err), 0);
	sink_put(sink, bytes_str("old"));
	ck_assert_int_eq(rename(path, moved), 0);
	ck_assert_int_eq(sink_reopen(sink, &err), 0);
	sink_put(sink, bytes_str("new"));
	sink_close(sink);
	(void)content(moved, text, sizeof(text));
	ck_assert_str_eq(text, "old\n");
	(void)content(path, text, sizeof(text));
	ck_assert_str_eq(text, "new\n");
}
END_TEST

/* The file may grow to 10 bytes only: the second line is cut there. Once there is room again, the
 * line is finished. */
START_TEST(a_full_disk_never_leaves_half_a_line_before_another)
{
	char text[64];
	struct rlimit limit;
	(void)signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	struct rlimit small = {.rlim_cur = 10, .rlim_max = limit.rlim_max};
	ck_assert_int_eq(sink_open(path, &sink, &err), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	sink_put(sink, bytes_str("first"));
	sink_put(sink, bytes_str("second"));
	ck_assert_int_lt(sink_flush(sink), 0);
	sink_put(sink, bytes_str("third"));
	ck_assert_int_lt(sink_flush(sink), 0);
	ck_assert_uint_eq(sink_counts(sink).errors, 2);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_int_eq(sink_flush(sink), 0);
	sink_close(sink);
	(void)content(path, text, sizeof(text));
	ck_assert_str_eq(text, "first\nsecond\nthird\n");
}
END_TEST

START_TEST(the_rest_of_a_cut_line_does_not_begin_a_new_file)
{
	char text[64];
	struct rlimit limit;
	(void)signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	struct rlimit small = {.rlim_cur = 3, .rlim_max = limit.rlim_max};
	ck_assert_int_eq(sink_open(path, &sink, &err), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	sink_put(sink, bytes_str("first"));
	sink_put(sink, bytes_str("second"));
	ck_assert_int_lt(sink_flush(sink), 0);
	ck_assert_int_eq(rename(path, moved), 0);
	ck_assert_int_eq(sink_reopen(sink, &err), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_int_eq(sink_flush(sink), 0);
	ck_assert_uint_eq(sink_counts(sink).lost, 1);
	sink_close(sink);
	(void)content(path, text, sizeof(text));
	ck_assert_str_eq(text, "second\n");
}
END_TEST

START_TEST(a_pipe_that_nobody_empties_does_not_block)
{
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	int reader = open(path, O_RDONLY | O_NONBLOCK);
	ck_assert_int_ge(reader, 0);
	ck_assert_int_eq(sink_open(path, &sink, &err), 0);
	char line[1000];
	memset(line, 'x', sizeof(line));
	size_t n = (size_t)2 * SINK_BUFFER / sizeof(line);
	for (size_t i = 0; i < n; i++)
		sink_put(sink, bytes_of(line, sizeof(line)));
	struct sink_counts counts = sink_counts(sink);
	ck_assert_uint_gt(counts.lost, n / 4);
	ck_assert_uint_eq(counts.lines + counts.lost, n);
	ck_assert_uint_eq(counts.errors, 0);
	ck_assert_int_eq(sink_flush(sink), 0);
	(void)close(reader);
	sink_close(sink);
}
END_TEST

START_TEST(a_fifo_without_reader_is_an_error_at_once)
{
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(sink_open(path, &sink, &err), -ENXIO);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("output_sink");
	TCase *tc = tcase_create("sink");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, appends_lines);
	tcase_add_test(tc, says_when_it_cannot_open);
	tcase_add_test(tc, a_renamed_file_is_left_on_reopen);
	tcase_add_test(tc, a_full_disk_never_leaves_half_a_line_before_another);
	tcase_add_test(tc, the_rest_of_a_cut_line_does_not_begin_a_new_file);
	tcase_add_test(tc, a_pipe_that_nobody_empties_does_not_block);
	tcase_add_test(tc, a_fifo_without_reader_is_an_error_at_once);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
