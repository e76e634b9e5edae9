/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tables of statements of test_sql.c and test_pgsql.c have in common: a row, what a
 * dialect found in a text, and how the two are compared.
 *
 * Used by one translation unit each, hence static inline.
 */
#ifndef SQL_ROWS_H
#define SQL_ROWS_H

#include "sql/sql_calls.h"
#include "sql/sql_digest.h"
#include "sql/sql_list.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "sql/sql_table.h"

/* A NULL list of tables: the statement must not be proven. */
struct row {
	const char *text, *verb, *tables;
};

struct found {
	const char *verb;
	bool has_token, is_unproven;
	const struct sql_table *tables;
	size_t n_tables;
	const uint8_t *names;
};

/* What else is learned of a statement. `same` differs in nothing that the digest knows. */
struct fact_row {
	const char *text, *functions, *same;
	bool has_where;
};

/* A text and its digest, as another program has it: hashlib.blake2s(tokens, digest_size=8). */
struct digest_row {
	const char *text, *digest;
};

static inline void rows_list_functions(const struct sql_calls *calls, const struct sql_index *words,
				       const uint8_t *names, char *out, size_t room)
{
	struct dis_value v[DIS_VALUES_MAX];
	size_t n = 0, at = 0;
	ck_assert(sql_calls_put(calls, words, names, v, &n, 0));
	out[0] = '\0';
	for (size_t i = 0; i < n; i++)
		at += (size_t)snprintf(out + at, room - at, "%s%.*s", i ? " " : "",
				       (int)v[i].text.n, (const char *)v[i].text.p);
}

/* What a dialect learned of the first statement of a text, shown in two pieces, or (cut SIZE_MAX)
 * byte by byte. */
struct rows_facts {
	char functions[512], digest[SQL_DIGEST_TEXT + 1];
	bool has_where;
};
typedef void rows_learn(const char *text, size_t cut, struct rows_facts *facts);

static inline void rows_check_facts(const struct fact_row *row, rows_learn *learn)
{
	struct rows_facts f;
	for (size_t cut = 0; cut <= strlen(row->text); cut++) {
		learn(row->text, cut == strlen(row->text) ? SIZE_MAX : cut, &f);
		ck_assert_msg(strcmp(f.functions, row->functions) == 0, "%s: '%s'", row->text,
			      f.functions);
		ck_assert_msg(f.has_where == row->has_where, "%s: where %d", row->text,
			      f.has_where);
	}
}

/* One digest for what differs in literals, and for nothing else of the table. */
static inline void rows_check_digest(const struct fact_row *rows, size_t n, size_t i,
				     rows_learn *learn)
{
	struct rows_facts f, other;
	learn(rows[i].text, 0, &f);
	for (size_t cut = 0; cut <= strlen(rows[i].same); cut++) {
		learn(rows[i].same, cut == 0 ? SIZE_MAX : cut, &other);
		ck_assert_msg(strcmp(f.digest, other.digest) == 0, "%s: %s, not %s", rows[i].same,
			      other.digest, f.digest);
	}
	for (size_t k = 0; k < n; k++) {
		learn(rows[k].text, 0, &other);
		ck_assert_msg((i == k) == (strcmp(f.digest, other.digest) == 0), "%s, %s",
			      rows[i].text, rows[k].text);
	}
}

static inline void rows_check_digests(rows_learn *learn)
{
	/* clang-format off */
	static const struct digest_row rows[] = {
		{"SELECT 1 FROM t", "b2b536e19854840e"},
		{"SELECT a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, b FROM t WHERE i IN (1, 2, 3)", "e28c440d1448aff7"},
		{"SELECT 'x' FROM t WHERE xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "eb42187fa193887c"},
	};
	/* clang-format on */
	struct rows_facts f;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		learn(rows[i].text, 0, &f);
		ck_assert_str_eq(f.digest, rows[i].digest);
	}
}

/* The most that a list of tables can be: every name as long as its length can say. */
enum { ROWS_TABLES_ROOM = SQL_TABLES_MAX * (2 * UINT8_MAX + 2) + 1 };

/* The tables as "a b.c d." in the order in which the statement names them. */
static inline void rows_list(const struct found *f, char out[ROWS_TABLES_ROOM])
{
	size_t n = 0;
	out[0] = '\0';
	for (size_t i = 0; i < f->n_tables; i++) {
		const struct bytes schema = sql_table_schema(&f->tables[i], f->names);
		const struct bytes name = sql_table_name(&f->tables[i], f->names);
		n += (size_t)snprintf(out + n, ROWS_TABLES_ROOM - n, "%s%.*s%s%.*s", i ? " " : "",
				      (int)schema.n, (const char *)schema.p, schema.n ? "." : "",
				      (int)name.n, (const char *)name.p);
		if (n >= ROWS_TABLES_ROOM)
			abort(); /* cannot be, see there */
	}
}

static inline void rows_check(const struct row *row, struct found f)
{
	char tables[ROWS_TABLES_ROOM];
	rows_list(&f, tables);
	ck_assert_msg(f.has_token, "%s: empty", row->text);
	ck_assert_msg(strcmp(f.verb, row->verb) == 0, "%s: verb %s", row->text, f.verb);
	ck_assert_msg(f.is_unproven == (row->tables == NULL), "%s: unproven %d", row->text,
		      f.is_unproven);
	if (row->tables)
		ck_assert_msg(strcmp(tables, row->tables) == 0, "%s: tables '%s'", row->text,
			      tables);
}

/* What to show next of a text that is shown in two pieces, or (cut SIZE_MAX) byte by byte. */
static inline struct bytes rows_piece(struct bytes text, size_t at, size_t cut)
{
	return bytes_slice(text, at, cut == SIZE_MAX ? 1 : at < cut ? cut - at : text.n - at);
}

/* ---------------------------------------------------------------- texts that are too much */

static inline struct bytes rows_many_tables(char *text, size_t room)
{
	size_t n = (size_t)snprintf(text, room, "SELECT 1 FROM t0");
	for (int i = 1; i <= SQL_TABLES_MAX; i++)
		n += (size_t)snprintf(text + n, room - n, ", t%d", i);
	return bytes_of(text, n);
}

/* `begin`, then `again` over and over. */
static inline struct bytes rows_long(char *text, size_t room, const char *begin, const char *again)
{
	const struct bytes first = bytes_str(begin), more = bytes_str(again);
	for (size_t i = 0; i < room; i++)
		text[i] = (char)(i < first.n ? first.p[i] : more.p[(i - first.n) % more.n]);
	return bytes_of(text, room);
}

static inline int rows_run(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	const int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* What the index of a list should be, for who changed the list. */
static inline void rows_check_index(const struct sql_index *index, const char *name)
{
	char expected[512] = "";
	bool is_right = true;
	size_t n = 0, at = 0;
	for (unsigned letter = 0; letter < SQL_LETTERS; letter++) {
		while (at < index->at[SQL_LETTERS] &&
		       (unsigned char)index->list[at][0] < 'a' + letter)
			at++;
		is_right &= index->at[letter] == at;
		n += (size_t)snprintf(expected + n, sizeof(expected) - n, "%zu, ", at);
	}
	ck_assert_msg(is_right, "%s: %s", name, expected);
	for (size_t i = 0; i < index->at[SQL_LETTERS]; i++) {
		const struct bytes word = bytes_str(index->list[i]);
		ck_assert_msg(word.n >= SQL_INDEXED_MIN && word.p[0] >= 'a' && word.p[0] <= 'z' &&
				      (i == 0 || strcmp(index->list[i - 1], index->list[i]) < 0),
			      "%s: %s", name, index->list[i]);
		ck_assert_uint_eq(sql_index_find(word, index), i);
	}
}

/* The next row from *at on that is proven, or that is not; NULL: there is none. */
static inline const struct row *rows_next(const struct row *rows, size_t n, size_t *at,
					  bool is_proven)
{
	while (*at < n && (rows[*at].tables != NULL) != is_proven)
		(*at)++;
	return *at < n ? &rows[(*at)++] : NULL;
}

/* One record of the fuzzer's conversations (fuzz_dissector.c). */
static inline void rows_write_record(FILE *f, bool is_to_client, struct bytes head,
				     struct bytes body)
{
	const size_t n = head.n + body.n;
	fputc(is_to_client ? 0xff : 0x7f, f);
	fputc((int)(n & 0xff), f);
	fputc((int)(n >> 8), f);
	fwrite(head.p, 1, head.n, f);
	fwrite(body.p, 1, body.n, f);
}

/* How a dialect's conversations begin, and how a statement is sent. */
struct rows_wire {
	void (*begin)(FILE *f);
	void (*say)(FILE *f, struct bytes statement);
};

/* --seeds FOLDER: the statements as conversations for the fuzzer, some of them in one, since each
 * is a file. Behind one that is not proven nothing may be read any more: it is the last. True: that
 * was asked for, and done. */
static inline bool rows_write_seeds(int argc, char **argv, const struct row *rows, size_t n,
				    const struct rows_wire *wire)
{
	enum { BATCH = 4 };
	if (argc != 3 || strcmp(argv[1], "--seeds") != 0)
		return false;
	size_t proven = 0, unproven = 0;
	for (size_t i = 0; proven < n || unproven < n; i++) {
		char path[4096];
		snprintf(path, sizeof(path), "%s/statements_%zu", argv[2], i);
		FILE *f = fopen(path, "w");
		if (!f)
			abort();
		fputc(0, f);
		wire->begin(f);
		for (size_t k = 0; k <= BATCH; k++) {
			size_t *at = k < BATCH ? &proven : &unproven;
			const struct row *row = rows_next(rows, n, at, k < BATCH);
			if (row)
				wire->say(f, bytes_str(row->text));
		}
		if (fclose(f) != 0)
			abort();
	}
	return true;
}

#endif
