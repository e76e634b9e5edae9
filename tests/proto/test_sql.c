/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tokeniser and its grammar as a table of statements. Every row is read whole, byte by byte,
 * and cut at every place; all must agree. A NULL list of tables: the statement must not be proven.
 */
#include "sql_rows.h"

#include "sql/sql.h"
#include "sql/sql_event.h"
#include "sql/sql_list.h"
#include "sql/sql_words.h"

/* clang-format off */
static const struct row rows[] = {
	/* Queries */
	{"SELECT 1", "select", ""},
	{"SELECT * FROM a, b JOIN c ON a.x = c.y, d WHERE 1 IN (SELECT z FROM e)", "select", "a b c d e"},
	{"SELECT(a)FROM(secret)", "select", "secret"},
	{"SELECT a FROM d . secret", "select", "d.secret"},
	{"SELECT a FROM `d`.`se``cret`", "select", "d.se`cret"},
	{"SELECT a FROM t AS x LEFT OUTER JOIN u y USING (i, j) WHERE b = 'c, d'", "select", "t u"},
	{"SELECT a FROM t USE INDEX (i, j) IGNORE INDEX FOR ORDER BY (k), u", "select", "t u"},
	{"SELECT a FROM t PARTITION (p0, p1) x, u", "select", "t u"},
	{"SELECT * FROM a JOIN (b, c) ON a.x = b.x LEFT JOIN ((d)) ON 1", "select", "a b c d"},
	{"(SELECT a FROM x) UNION ALL (SELECT b FROM y) ORDER BY 1", "select", "x y"},
	{"SELECT a FROM x UNION DISTINCT SELECT b FROM y EXCEPT SELECT c FROM z", "select", "x y z"},
	{"SELECT * FROM (SELECT a FROM x) t, y", "select", "x y"},
	{"SELECT (SELECT MAX(a) FROM x), EXISTS (SELECT 1 FROM y), 1 = ANY (SELECT 1 FROM z)", "select", "x y z"},
	{"SELECT EXTRACT(DAY FROM a), TRIM(LEADING 'x' FROM b), SUBSTRING(c FROM 2 FOR 3) FROM t FOR UPDATE", "select", "t"},
	{"SELECT a FROM t1 WHERE b LOCK IN SHARE MODE", "select", "t1"},
	{"SELECT a FROM DUAL", "select", ""},
	{"SELECT a FROM d.dual", "select", "d.dual"},
	{"TABLE t", "select", "t"},
	{"SELECT * FROM t WHERE x = (TABLE u)", "select", "t u"},
	{"VALUES (1), (2)", "select", ""},
	{"SELECT a INTO @x FROM t", "select", "t"},
	{"SELECT a FROM t INTO @x, @y", "select", "t"},
	{"SELECT a FROM t LIMIT 5 OFFSET 10", "select", "t"},
	{"SELECT row_number() OVER (PARTITION BY a ORDER BY b) FROM t", "select", "t"},
	{"SELECT GROUP_CONCAT(DISTINCT x ORDER BY y SEPARATOR ',') FROM t GROUP BY z WITH ROLLUP", "select", "t"},
	{"SELECT t.from, t.select FROM t", "select", "t"},
	{"SELECT * FROM a JOIN c ON LIMIT.x = c.y, d", "select", "a c d"},
	{"SELECT a FROM events.t, status.u", "select", "events.t status.u"},
	{"SELECT a FROM t LIMIT .5", "select", "t"},
	{"DO SLEEP(0)", "do", ""},
	/* WITH */
	{"WITH x AS (SELECT 1) SELECT * FROM x, y", "select", "y"},
	{"WITH secret AS (SELECT * FROM secret) SELECT * FROM secret", "select", "secret"},
	{"WITH RECURSIVE n AS (SELECT 1 UNION SELECT a + 1 FROM n, t) SELECT * FROM n", "select", "t"},
	{"WITH a (x, y) AS (SELECT 1, 2), b AS (SELECT * FROM a) SELECT * FROM b", "select", ""},
	{"SELECT * FROM (WITH secret AS (SELECT 1) SELECT * FROM secret) t, secret", "select", "secret"},
	{"WITH x AS (SELECT 1) DELETE FROM x", "delete", "x"},
	/* Writes */
	{"INSERT INTO `t` (`a`, `b`) VALUES ('x;y\\'z', 'p--q'), (NULL, '') ON DUPLICATE KEY UPDATE a = VALUES(a)", "insert", "t"},
	{"INSERT IGNORE t SET a = 1", "insert", "t"},
	{"INSERT INTO t SELECT * FROM x ON DUPLICATE KEY UPDATE a = 1, b = 2", "insert", "t x"},
	{"INSERT INTO t (a) (SELECT b FROM x)", "insert", "t x"},
	{"REPLACE INTO t VALUES (1)", "replace", "t"},
	{"UPDATE a JOIN b USING (x) SET a.y = (SELECT max(z) FROM c) WHERE 1", "update", "a b c"},
	{"UPDATE LOW_PRIORITY t, u AS v SET t.a = 1, v.b = 2 ORDER BY c LIMIT 1", "update", "t u"},
	{"DELETE FROM t WHERE a = 1 LIMIT 1", "delete", "t"},
	{"DELETE a, b FROM o a, o b WHERE a.n LIKE '\\\\_x\\\\_%' AND b.n = CONCAT('_y_', SUBSTRING(a.n, 12))", "delete", "o"},
	{"DELETE FROM t1, t2 USING a AS t1 JOIN b AS t2", "delete", "a b"},
	/* Definitions */
	{"CREATE TABLE t (id bigint(20) unsigned NOT NULL auto_increment, n varchar(200) NOT NULL default '', PRIMARY KEY (id), KEY slug (slug(191))) DEFAULT CHARACTER SET utf8mb4", "create", "t"},
	{"CREATE TEMPORARY TABLE IF NOT EXISTS d.t LIKE secret", "create", "d.t secret"},
	{"CREATE TABLE x (LIKE secret)", "create", "x secret"},
	{"CREATE TABLE x ENGINE=InnoDB AS SELECT * FROM secret", "create", "x secret"},
	{"CREATE TABLE x (a int, FOREIGN KEY (a) REFERENCES d.s(b) ON DELETE CASCADE)", "create", "x d.s"},
	{"CREATE TABLE x (a int) ENGINE=FEDERATED", "create", NULL},
	{"CREATE TABLE x (a int) CONNECTION='mysql://h/d/t'", "create", NULL},
	{"CREATE TABLE x (a int) ENGINE=MyISAM UNION=(a, b)", "create", NULL},
	{"CREATE TABLE x (a int) DATA DIRECTORY='/tmp'", "create", NULL},
	{"CREATE OR REPLACE ALGORITHM=MERGE DEFINER=`r`@`%` SQL SECURITY DEFINER VIEW v (a, b) AS (SELECT 1) UNION SELECT a FROM b", "create", "v b"},
	{"CREATE UNIQUE INDEX i USING BTREE ON t (a)", "create", "t"},
	{"CREATE DATABASE IF NOT EXISTS x CHARACTER SET utf8", "create", "x."},
	{"CREATE USER 'a'@'%' IDENTIFIED BY 'b'", "account", ""},
	{"CREATE PROCEDURE p() SELECT 1", "create", NULL},
	{"CREATE DEFINER=a@b TRIGGER x BEFORE INSERT ON t FOR EACH ROW SET @a = 1", "create", NULL},
	{"ALTER TABLE a ADD COLUMN b int, ADD FOREIGN KEY (x) REFERENCES c (y), RENAME TO d", "alter", "a c d"},
	{"ALTER TABLE a RENAME COLUMN x TO y, RENAME INDEX i TO j", "alter", "a"},
	{"ALTER TABLE a EXCHANGE PARTITION p WITH TABLE b", "alter", NULL},
	{"DROP TABLE IF EXISTS a, b.c", "drop", "a b.c"},
	{"DROP INDEX i ON t", "drop", "t"},
	{"DROP PROCEDURE p", "drop", NULL},
	{"TRUNCATE t", "truncate", "t"},
	{"RENAME TABLE a TO b, c TO d.e", "rename", "a b c d.e"},
	/* The session */
	{"SET NAMES utf8mb4 COLLATE utf8mb4_unicode_520_ci", "set", ""},
	{"SET NAMES 'gbk'", "set", NULL},
	{"SET CHARACTER SET big5", "set", NULL},
	{"SET character_set_client = sjis", "set", NULL},
	{"SET SESSION sql_mode='NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION'", "set", ""},
	{"SET sql_mode=''", "set", ""},
	{"SET sql_mode='ANSI_QUOTES'", "set", NULL},
	{"SET @@session.sql_mode = 'NO_BACKSLASH_ESCAPES'", "set", NULL},
	{"SET @a = 1, sql_mode = ORACLE", "set", NULL},
	{"SET sql_mode = CONCAT(@@sql_mode, ',ANSI')", "set", NULL},
	{"SET autocommit = 0, @x = (SELECT MAX(a) FROM t), SESSION wait_timeout = 10", "set", "t"},
	{"SET GLOBAL general_log = 1", "set_global", ""},
	{"SET @@global.read_only = 0", "set_global", ""},
	{"SET PASSWORD = 'x'", "account", ""},
	{"SET STATEMENT max_statement_time = 1 FOR SELECT 1", "set", NULL},
	{"SELECT @@SESSION.sql_mode", "select", ""},
	{"USE `foo`", "use", "foo."},
	{"USE foo bar", "use", NULL},
	{"BEGIN", "begin", ""},
	{"START TRANSACTION READ ONLY", "begin", ""},
	{"START SLAVE", "replication", ""},
	{"BEGIN NOT ATOMIC SELECT 1", "begin", NULL},
	{"COMMIT AND CHAIN", "commit", ""},
	{"LOCK TABLES a READ, b AS c WRITE", "lock", "a b"},
	{"UNLOCK TABLES", "unlock", ""},
	/* What there is */
	{"SHOW FULL COLUMNS FROM `t`", "show", "t"},
	{"SHOW COLUMNS FROM t FROM d", "show", "d.t"},
	{"SHOW INDEX FROM t WHERE key_name = 'x'", "show", "t"},
	{"SHOW TABLES FROM d LIKE 'x'", "show", "d."},
	{"SHOW CREATE TABLE d.t", "show", "d.t"},
	{"SHOW VARIABLES WHERE variable_name IN (SELECT a FROM secret)", "show", "secret"},
	{"SHOW CREATE PROCEDURE p", "show", NULL},
	{"DESCRIBE t;", "describe", "t"},
	{"EXPLAIN FORMAT=JSON SELECT * FROM t", "explain", "t"},
	{"EXPLAIN UPDATE t SET a = 1", "explain", "t"},
	{"EXPLAIN FORMAT t", "explain", NULL},
	{"DESC extended x", "describe", NULL},
	/* Administration */
	{"GRANT ALL ON *.* TO 'a'@'%'", "grant", "*.*"},
	{"GRANT SELECT (a) ON d.t TO a@localhost", "grant", "d.t"},
	{"ANALYZE TABLE a, b", "analyze", "a b"},
	{"CHECK TABLE a FAST", "check", "a"},
	{"FLUSH TABLES a, b WITH READ LOCK", "flush", "a b"},
	{"FLUSH PRIVILEGES", "flush", ""},
	{"KILL 5", "kill", ""},
	/* Comments and blanks, as the servers read them */
	{"SELECT 1--1", "select", ""},
	{"SELECT 1 -- FROM secret", "select", ""},
	{"SELECT 1 --\n FROM secret", "select", "secret"},
	{"SELECT 1 # FROM secret", "select", ""},
	{"SELECT 1 #\n FROM secret", "select", "secret"},
	{"SELECT/**/a/* ; */FROM/**/secret", "select", "secret"},
	{"SELECT a /*/ FROM x */ FROM t", "select", "t"},
	{"SELECT\va\fFROM\tsecret", "select", "secret"},
	{"SELECT a FROM t\xa0, u", "select", "t\xa0 u"},
	{"SELECT 1 /*!UNION SELECT a FROM secret*/", "select", "secret"},
	{"/*!50000SELECT*/ a FROM secret", "select", "secret"},
	{"/*!40101 SET NAMES utf8 */", "set", ""},
	{"/*!99999999 SELECT*/ 1", "unknown", NULL},
	{"/*!50700 SELECT*/ 1", "select", NULL},
	{"/*!123 SELECT*/ 1", "select", NULL},
	{"/*M!100000 SELECT*/ 1", "unknown", NULL},
	{"/*!40000 SELECT /* x */ 1 */", "select", NULL},
	{"SELECT 1 /*! FROM secret", "select", NULL},
	{"SELECT /*+ MAX_EXECUTION_TIME(1000) */ a FROM t", "select", "t"},
	{"SELECT /*+ SET_VAR(x='*/ a FROM t", "select", NULL},
	{"SELECT 1.FROM secret", "select", NULL},
	{"SELECT 1e1FROM secret", "select", NULL},
	{"SELECT 1FROM secret", "select", ""},
	{"SELECT .5, 1.5e-3, 0x41, t.5 FROM t", "select", "t"},
	{"SELECT 'a''b\\'c', \"d\"\"e\", N'x', _utf8'y' FROM t", "select", "t"},
	{"SELECT 'abc", "select", NULL},
	{"SELECT 'abc\\'", "select", NULL},
	{"SELECT `abc", "select", NULL},
	{"SELECT /* x", "select", NULL},
	{"SELECT {fn now()}", "select", NULL},
	{"SELECT \\N, @a:=1, @`b`, @@x FROM t", "select", "t"},
	/* What is not proven */
	{"SELECT a FROM \"secret\"", "select", NULL},
	{"SELECT f(1)", "select", NULL},
	{"SELECT d.f(1)", "select", NULL},
	{"SELECT concat.f(1)", "select", NULL},
	{"SELECT COUNT (*) FROM t", "select", NULL},
	{"SELECT MAX/**/(a) FROM t", "select", NULL},
	{"SELECT /*!SUM*/(a) FROM t", "select", NULL},
	{"SELECT ABS (a), COUNT(\n*) FROM t", "select", "t"},
	{"SELECT `count`(1)", "select", NULL},
	{"SELECT LOAD_FILE('/etc/passwd')", "select", NULL},
	{"SELECT a INTO OUTFILE '/tmp/x' FROM t", "select", NULL},
	{"SELECT a FROM t INTO DUMPFILE '/tmp/x'", "select", NULL},
	{"SELECT * FROM JSON_TABLE('[]', '$[*]' COLUMNS (a INT PATH '$')) t", "select", NULL},
	{"SELECT NEXT VALUE FOR s", "select", NULL},
	{"SELECT * FROM a offset, secret", "select", NULL},
	{"SELECT a FROM t PROCEDURE ANALYSE()", "select", NULL},
	{"SELECT a FROM t x y", "select", NULL},
	{"PREPARE s FROM 'SELECT 1'", "prepare", NULL},
	{"EXECUTE s", "execute", NULL},
	{"EXECUTE IMMEDIATE CONCAT('SEL', 'ECT 1')", "execute", NULL},
	{"CALL p()", "call", NULL},
	{"LOAD DATA INFILE 'x' INTO TABLE t", "load", NULL},
	{"HANDLER t OPEN", "handler", NULL},
	{"FOO BAR", "unknown", NULL},
	{"IF 1 THEN SELECT 1", "unknown", NULL},
};
/* clang-format on */

enum { N_ROWS = sizeof(rows) / sizeof(rows[0]) };

static struct found found_in(const struct sql *s)
{
	return (struct found){.verb = sql_verb_words[s->verb],
			      .has_token = s->has_token,
			      .is_unproven = s->is_unproven,
			      .tables = s->tables,
			      .n_tables = s->n_tables,
			      .names = s->names};
}

/* The first statement, shown in two pieces, or (cut SIZE_MAX) byte by byte. */
static void read_cut(struct sql *s, struct bytes text, size_t cut)
{
	sql_init(s, true);
	for (size_t at = 0; at < text.n && !s->is_end;)
		at += sql_feed(s, rows_piece(text, at, cut));
	if (!s->is_end)
		sql_finish(s);
}

START_TEST(reads_statements_however_they_are_cut)
{
	const struct row *row = &rows[_i];
	const struct bytes text = bytes_str(row->text);
	struct sql s;
	for (size_t cut = 0; cut <= text.n; cut++) {
		read_cut(&s, text, cut);
		rows_check(row, found_in(&s));
	}
	read_cut(&s, text, SIZE_MAX);
	rows_check(row, found_in(&s));
}
END_TEST

START_TEST(splits_at_semicolons_outside_quotes)
{
	const struct bytes text = bytes_str("SELECT ';' /* ; */; DROP TABLE a -- ;\n;; USE b");
	static const enum sql_verb verbs[] = {SQL_SELECT, SQL_DROP, SQL_USE};
	struct sql s;
	size_t n = 0;
	sql_init(&s, true);
	for (struct bytes rest = text; rest.n; sql_next(&s)) {
		rest = bytes_from(rest, sql_feed(&s, rest));
		if (!s.is_end)
			sql_finish(&s);
		if (!s.has_token)
			continue;
		ck_assert_uint_lt(n, sizeof(verbs) / sizeof(verbs[0]));
		ck_assert_int_eq(s.verb, verbs[n++]);
		ck_assert(!s.is_unproven);
	}
	ck_assert_uint_eq(n, 3);
}
END_TEST

START_TEST(proves_nothing_after_a_lost_statement)
{
	const struct bytes text = bytes_str("SET sql_mode = ANSI; SELECT 1");
	struct sql s;
	sql_init(&s, true);
	const size_t n = sql_feed(&s, text);
	ck_assert(s.is_unproven && (s.effects & SQL_LOSES_LEXING));
	sql_next(&s);
	(void)sql_feed(&s, bytes_from(text, n)); /* it takes what is left */
	sql_finish(&s);
	ck_assert(s.is_unproven);
}
END_TEST

/* clang-format off */
static const struct fact_row facts[] = {
	{"DELETE FROM t", "", "delete /* x */ from\nt", false},
	{"DELETE FROM t WHERE a = 1", "", "delete from t where a=-- x\n'y'", true},
	{"UPDATE t SET a = (SELECT b FROM u WHERE c = 1)", "", "UPDATE t SET a = (SELECT b FROM u WHERE c = 0x1)", false},
	{"UPDATE t SET a = 1 WHERE b IN (1, 2, 3)", "", "update t set a=.5 where b in('x')", true},
	{"WITH x AS (SELECT 1 FROM a WHERE b) DELETE FROM t", "", "WITH x AS (SELECT 2 FROM a WHERE b) DELETE FROM t", false},
	{"SELECT COUNT(*), Lower(a), lower(b) FROM t", "count lower", "SELECT COUNT(*), Lower(a), lower(b)/**/FROM t;", false},
	{"SELECT f(1, 2), now()", "f", "SELECT f(2)", false},
	{"SELECT d.sum(1)", "sum", "SELECT d . sum(9)", false},
	{"SELECT IF(a IN (1), CAST(b AS CHAR(10)), SLEEP(5)) FROM t", "if cast sleep", "SELECT IF(a IN (7, 8), CAST(b AS CHAR(3)), SLEEP('1')) FROM t", false},
	{"INSERT INTO t VALUES (1, 'x')", "", "insert into t values(0x1,\"y\",3)", false},
	{"INSERT INTO t VALUES (1), (2)", "", "INSERT INTO t VALUES (1, 2), (3)", false},
	{"SELECT `a` FROM t", "", "SELECT `a` FROM t", false},
	{"SELECT a FROM t", "", "SELECT a FROM /*! t*/", false},
	{"SELECT A FROM t", "", "sELECT A fROM t", false},
	{"SELECT `a` `b` FROM t", "", "SELECT `a` `b` FROM t", false},
	{"SELECT `a`` ``b` FROM t", "", "SELECT `a`` ``b` FROM t", false},
	{"CREATE TABLE x (a INT DEFAULT (sleep(5)))", "sleep", "create table x (a INT DEFAULT (sleep(6)))", false},
	{"CREATE TABLE x (a INT AS (benchmark(1, md5(2))))", "benchmark md5", "CREATE TABLE x (a INT AS (benchmark(1, md5(3))))", false},
	{"CREATE TABLE x (a INT CHECK (`Sleep` (5)))", "sleep", "CREATE TABLE x (a INT CHECK (`Sleep` (6)))", false},
	{"CREATE TABLE x (a INT) PARTITION BY RANGE (abs(a)) (PARTITION p VALUES LESS THAN (1))", "abs", "CREATE TABLE x (a INT) PARTITION BY RANGE (abs(a)) (PARTITION p VALUES LESS THAN (2))", false},
	{"ALTER TABLE x ADD a INT DEFAULT sleep(5)", "sleep", "ALTER TABLE x ADD a INT DEFAULT sleep(6)", false},
	{"CREATE TABLE user (a INT(2), b VARCHAR(3), c ENUM('x', 'y'), d DECIMAL(1, 2), KEY k (a))", "", "CREATE TABLE user (a INT(4), b VARCHAR(3), c ENUM('x'), d DECIMAL(1, 2), KEY k (a))", false},
	{"CREATE INDEX i ON user (a)", "", "CREATE INDEX i ON user (a)", false},
	{"INSERT INTO user (a) VALUES (1)", "", "INSERT INTO user (a) VALUES (2)", false},
	{"SELECT CHAR(65)", "", "SELECT CHAR(66)", false},
	{"SELECT 1", "", "SELECT 0x41, 'x'", false},
	{"SELECT x'41'", "", "SELECT x'42'", false},
	{"SELECT a FROM t WHERE 1 + b and c", "", "select a from t WHERE 2 + b and c", true},
	{"SELECT a FROM t WHERE 1 + b AND c", "", "select a from t WHERE 2 + b AND c", true},
	{"GRANT SELECT ON t TO 'alice'", "", "GRANT SELECT ON t TO 'mallory'", false},
};
/* clang-format on */

enum { N_FACTS = sizeof(facts) / sizeof(facts[0]) };

static void learn(const char *text, size_t cut, struct rows_facts *found)
{
	static struct sql s;
	read_cut(&s, bytes_str(text), cut);
	rows_list_functions(&s.calls, &sql_callables, s.names, found->functions,
			    sizeof(found->functions));
	found->has_where = s.has_where;
	sql_digest_end(&s.digest, found->digest);
	found->digest[SQL_DIGEST_TEXT] = '\0';
}

START_TEST(learns_functions_and_where)
{
	rows_check_facts(&facts[_i], learn);
}
END_TEST

START_TEST(gives_one_digest_to_what_differs_in_literals)
{
	rows_check_digest(facts, N_FACTS, (size_t)_i, learn);
}
END_TEST

START_TEST(gives_the_digest_that_others_compute)
{
	rows_check_digests(learn);
}
END_TEST

START_TEST(bounds_what_it_remembers)
{
	static char text[200000];
	struct sql s;
	read_cut(&s, rows_many_tables(text, sizeof(text)), 0);
	ck_assert(s.is_unproven);
	read_cut(&s, rows_long(text, sizeof(text), "SELECT ", "("), 0);
	ck_assert(s.is_unproven);
	read_cut(&s, rows_long(text, sizeof(text), "SELECT ", "a"), 0);
	ck_assert(!s.is_unproven);
	read_cut(&s, rows_long(text, sizeof(text), "TABLE ", "a"), 0);
	ck_assert(s.is_unproven);
}
END_TEST

START_TEST(does_not_prove_letters_of_an_unknown_character_set)
{
	struct sql s;
	sql_init(&s, false);
	(void)sql_feed(&s, bytes_str("SELECT a FROM t\xa0, u")); /* all of it: no semicolon */
	sql_finish(&s);
	ck_assert(s.is_unproven);
	sql_init(&s, false);
	(void)sql_feed(&s, bytes_str("SELECT '\xa0' FROM `\xa0`")); /* all of it: no semicolon */
	sql_finish(&s);
	ck_assert(!s.is_unproven);
}
END_TEST

START_TEST(finds_words_in_any_case)
{
	ck_assert_int_eq(sql_word_find(bytes_str("SeLeCt")), SQL_W_SELECT);
	ck_assert_int_eq(sql_word_find(bytes_str("algorithm")), SQL_W_ALGORITHM);
	ck_assert_int_eq(sql_word_find(bytes_str("xa")), SQL_W_XA);
	ck_assert_int_eq(sql_word_find(bytes_str("selec")), SQL_W_NONE);
	ck_assert_int_eq(sql_word_find(bytes_str("selects")), SQL_W_NONE);
	for (int word = SQL_W_NONE + 1; word < SQL_N_WORDS; word++)
		ck_assert_int_eq(sql_word_find(bytes_str(sql_word_text((enum sql_word)word))),
				 word);
	ck_assert(sql_word_is_callable(bytes_str("Concat")));
	ck_assert(!sql_word_is_callable(bytes_str("load_file")));
}
END_TEST

/* The first, the last, one between; a word cut or continued, and a NUL, are others. */
START_TEST(finds_a_word_in_a_list)
{
	static const char *const list[] = {"a", "a_b", "ab", "abc", "z"};
	static const struct {
		const char *text;
		size_t n, at;
	} cases[] = {{"a", 1, 0},  {"A_b", 3, 1}, {"ABC", 3, 3},  {"z", 1, 4},
		     {"", 0, 5},   {"a_", 2, 5},  {"abcd", 4, 5}, {"b", 1, 5},
		     {"zz", 2, 5}, {"0", 1, 5},	  {"a\0", 2, 5},  {"ab\0c", 4, 5}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_uint_eq(sql_list_find(bytes_of(cases[i].text, cases[i].n), list,
						SQL_LIST_LENGTH(list)),
				  cases[i].at);
	ck_assert_uint_eq(sql_list_find(bytes_str("a"), list, 0), 0);
	ck_assert(SQL_LIST_HAS(list, bytes_str("Ab")));
	ck_assert(!SQL_LIST_HAS(list, bytes_str("Ac")));
}
END_TEST

START_TEST(says_when_an_event_has_no_room)
{
	static struct sql_qualified q;
	static struct dis_value v[DIS_VALUES_MAX];
	static const char long_name[sizeof(q.text)];
	const struct bytes schema = bytes_str("ab"), name = bytes_str("c");
	ck_assert_uint_eq(sql_event_qualify(&q, schema, bytes_of(long_name, sizeof(q.text) - 2)).n,
			  0);
	ck_assert(bytes_is(sql_event_qualify(&q, schema, name), "ab.c"));
	for (size_t n = 2; n <= sizeof(q.text) / 4; n++)
		ck_assert(bytes_is(sql_event_qualify(&q, schema, name), "ab.c"));
	ck_assert_uint_eq(sql_event_qualify(&q, schema, name).n, 0);
	size_t n = 0;
	while (n < DIS_VALUES_MAX)
		ck_assert(sql_event_put_text(v, &n, 1, name));
	ck_assert(!sql_event_put_text(v, &n, 1, name));
	ck_assert(sql_event_put_text(v, &n, 1, bytes_str("")));
	ck_assert_uint_eq(n, DIS_VALUES_MAX);
	ck_assert(sql_event_has(v, n, 1, name) && !sql_event_has(v, n, 2, name));
}
END_TEST

START_TEST(knows_where_the_letters_of_a_list_begin)
{
	rows_check_index(&sql_words, "words");
	rows_check_index(&sql_callables, "callables");
	ck_assert(sql_index_find(bytes_str("selec"), &sql_words) == SIZE_MAX);
	ck_assert(sql_index_find(bytes_str("selects"), &sql_words) == SIZE_MAX);
	ck_assert(sql_index_find(bytes_str("s"), &sql_words) == SIZE_MAX);
	ck_assert(sql_index_find(bytes_str("1e"), &sql_words) == SIZE_MAX);
	ck_assert(sql_index_find((struct bytes){0}, &sql_words) == SIZE_MAX);
	ck_assert(sql_index_find(bytes_str("SELECT"), &sql_words) != SIZE_MAX);
}
END_TEST

static void begin_talk(FILE *f)
{
	static const char greeting[] =
		"S\0\0\0\n10.11.0-MariaDB\0\1\0\0\0abcdefgh\0_\xf7-\2\0\xbf\x81\x15"
		"\0\0\0\0\0\0\0\0\0\0ijklmnopqrst\0mysql_native_password";
	static const char login[] =
		"C\0\0\1\t\x82\t\1\0\0\0\1-\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
		"wp\0\4passblog\0mysql_native_password";
	static const char ok[] = "\7\0\0\2\0\0\0\2\0\0";
	rows_write_record(f, true, bytes_of(greeting, sizeof(greeting)), (struct bytes){0});
	rows_write_record(f, false, bytes_of(login, sizeof(login)), (struct bytes){0});
	rows_write_record(f, true, bytes_of(ok, sizeof(ok)), (struct bytes){0});
}

static void say_query(FILE *f, struct bytes statement)
{
	const uint8_t head[] = {(uint8_t)(statement.n + 1), (uint8_t)((statement.n + 1) >> 8), 0, 0,
				3};
	rows_write_record(f, false, bytes_of(head, sizeof(head)), statement);
}

static const struct rows_wire wire = {begin_talk, say_query};

int main(int argc, char **argv)
{
	if (rows_write_seeds(argc, argv, rows, N_ROWS, &wire))
		return EXIT_SUCCESS;
	Suite *suite = suite_create("sql");
	TCase *tcase = tcase_create("sql");
	tcase_add_loop_test(tcase, reads_statements_however_they_are_cut, 0, N_ROWS);
	tcase_add_test(tcase, splits_at_semicolons_outside_quotes);
	tcase_add_test(tcase, proves_nothing_after_a_lost_statement);
	tcase_add_loop_test(tcase, learns_functions_and_where, 0, N_FACTS);
	tcase_add_loop_test(tcase, gives_one_digest_to_what_differs_in_literals, 0, N_FACTS);
	tcase_add_test(tcase, gives_the_digest_that_others_compute);
	tcase_add_test(tcase, bounds_what_it_remembers);
	tcase_add_test(tcase, does_not_prove_letters_of_an_unknown_character_set);
	tcase_add_test(tcase, finds_words_in_any_case);
	tcase_add_test(tcase, finds_a_word_in_a_list);
	tcase_add_test(tcase, says_when_an_event_has_no_room);
	tcase_add_test(tcase, knows_where_the_letters_of_a_list_begin);
	suite_add_tcase(suite, tcase);
	return rows_run(suite);
}
