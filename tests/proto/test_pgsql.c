/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PostgreSQL's statements as a table: every row is read whole, byte by byte, and cut at every
 * place; all must agree. A NULL list of tables: the statement must not be proven. Every row with
 * tables was tried on PostgreSQL 15, and no table that it touches is missing. Also: refusals.
 */
#include "sql_rows.h"

#include <stdio.h>
#include <stdlib.h>

#include "bridgewarden/dissect.h"
#include "postgres/pgsql.h"
#include "postgres/pgsql_words.h"

/* clang-format off */
static const struct row rows[] = {
	{"select * from a, b join c on a.i = c.i, d where 1 in (select i from secret)", "select", "a b c d secret"},
	{"select a.i from a left join b using (i, j), c", "select", "a b c"},
	{"select a.i from a natural join b, c", "select", "a b c"},
	{"select a.i from only a, b", "select", "a b"},
	{"select a.i from a *, b", "select", "a b"},
	{"select(t)from(secret)", "select", "secret"},
	{"select 1 as from, i from secret", "select", "secret"},
	{"select 1 as distinct from secret", "select", "secret"},
	{"select i distinct from secret", "select", "secret"},
	{"select i is distinct from j from secret", "select", "secret"},
	{"select i is not distinct from 3, j from secret, b", "select", "secret b"},
	{"select t.i distinct from secret t", "select", "secret"},
	{"select i as is from secret", "select", "secret"},
	{"select (select max(i) from b), exists (select 1 from c), i = any (select i from d) from a", "select", "b c d a"},
	{"select i from a union select i from b except (select i from c intersect select i from d)", "select", "a b c d"},
	{"(select i from a) union all (select i from b) order by 1 limit 1", "select", "a b"},
	{"((select i from a) union (select i from b)) except select i from c", "select", "a b c"},
	{"select * from ((a join b using (i)) join c using (i)) join d using (i)", "select", "a b c d"},
	{"select * from (select * from a) q, lateral (select * from b where b.i = q.i) r", "select", "a b"},
	{"select * from (values (1, 2)) as q(x, y), secret", "select", "secret"},
	{"select * from generate_series(1, 3) as g(x), secret", "select", "secret"},
	{"select * from generate_series(1, 3) with ordinality as g(x, y), secret", "select", "secret"},
	{"select * from generate_series(1, 3) with ordinality, secret", "select", "secret"},
	{"select * from unnest(array(select i from b)) u, secret", "select", "b secret"},
	{"select * from json_to_recordset('[{\"a\":1}]') as q(a int, b text), secret", "select", "secret"},
	{"select * from rows from (generate_series(1,2), generate_series(1,3)) as q, secret", "select", NULL},
	{"select * from a tablesample system (10) repeatable (3), secret", "select", "a secret"},
	{"select * from a tablesample bernoulli (10), secret", "select", "a secret"},
	{"select extract(day from ts), trim(leading 'x' from t), substring(t from 1 for 2), overlay(t placing 'x' from 1), position('a' in t) from a", "select", "a"},
	{"select count(*) filter (where i > 1) over (partition by j order by i), rank() over w from a window w as (order by i), w2 as (partition by j)", "select", "a"},
	{"select percentile_cont(0.5) within group (order by i) from a", "select", "a"},
	{"select distinct on (i) i, j from a order by i, j", "select", "a"},
	{"select i::text, cast(j as numeric(10,2)), t::varchar(10), '1'::int from a", "select", "a"},
	{"select array[1,2], array(select i from b), row(1,2), a.*, (a).i from a", "select", "b a"},
	{"select i from a for update of a skip locked", "select", "a"},
	{"select i from a order by i offset 1 rows fetch first 1 rows only", "select", "a"},
	{"select i from a fetch first 1 rows with ties", "select", "a"},
	{"select i from a order by i fetch first 1 rows with ties", "select", "a"},
	{"table a", "select", "a"},
	{"select * from (table secret) q", "select", "secret"},
	{"values (1, 2), ((select i from secret limit 1), 2)", "select", "secret"},
	{"with q as (select * from a) select * from q, b", "select", "a b"},
	{"with secret as (select * from secret) select * from secret", "select", "secret"},
	{"with recursive q(n) as (select 1 union all select n + 1 from q, secret where n < 3) select * from q", "select", "secret"},
	{"with q as materialized (select 1), r as not materialized (select * from a) select * from q, r, b", "select", "a b"},
	{"with q as (select 1) insert into b(i) select * from q returning (select i from c limit 1)", "insert", "b c"},
	{"with q as (select i from c) update a set j = 1 from q where q.i = a.i", "update", "c a"},
	{"with q as (select i from c) delete from a using q where q.i = a.i", "delete", "c a"},
	{"with q as (insert into b values (1) returning i) select * from q", "select", NULL},
	{"with a as (select 1 as i) select * from public.a", "select", "public.a"},
	{"select * from (with secret as (select 1) select * from secret) q, secret", "select", "secret"},
	{"select * from information_schema.tables", "select", "information_schema.tables"},
	{"select relname from pg_class where relkind = 'r' and pg_catalog.pg_table_is_visible(oid) and relname operator(pg_catalog.~) '^(a)$' collate pg_catalog.default", "select", "pg_class"},
	{"select n.nspname as \"Schema\", c.relname as \"Name\", case c.relkind when 'r' then 'table' when 'v' then 'view' end as \"Type\", pg_catalog.pg_get_userbyid(c.relowner) as \"Owner\" from pg_catalog.pg_class c left join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r','p','') and n.nspname <> 'pg_catalog' order by 1,2", "select", "pg_catalog.pg_class pg_catalog.pg_namespace"},
	{"insert into a (i, j) values (10, 1) on conflict (i) do update set j = excluded.j, t = 'x' where a.i > 1 returning *", "insert", "a"},
	{"insert into a as z values (11) on conflict on constraint a_pkey do nothing", "insert", "a"},
	{"insert into b select * from c on conflict do nothing", "insert", "b c"},
	{"insert into d select i, j, t from c on conflict (i) do update set j = 1, t = 'b'", "insert", "d c"},
	{"insert into d select c.i, c.j, c.t from c join secret on true on conflict (i) do update set j = 1, t = 'b'", "insert", NULL},
	{"insert into a (i[length(query_to_xml('select p from secret', true, true, '')::text)]) values (1)", "insert", NULL},
	{"insert into a (i[1], j.k[lower('2')::int]) select 1, 2 from b", "insert", "a b"},
	{"insert into a (i[(select max(i) from secret)]) values (1)", "insert", "a secret"},
	{"select * from a tablesample system (10) repeatable (length(query_to_xml('select p from secret', true, true, '')::text))", "select", NULL},
	{"select * from a tablesample system (10) repeatable ((select max(i) from secret)), b", "select", "a secret b"},
	{"insert into b (i, j) (select i, j from secret)", "insert", "b secret"},
	{"insert into b default values", "insert", "b"},
	{"insert into b table c", "insert", "b c"},
	{"insert into b with q as (select 1) select * from q", "insert", "b q"},
	{"insert into x.a values (nextval('s'), currval('public.s'), 'q')", "insert", "x.a s public.s"},
	{"update only a z set j = z.i + 1, (t) = (select t from b limit 1) from c join d using (i), secret where z.i = c.i returning z.*, (select 1 from x.a limit 1)", "update", "a b c d secret x.a"},
	{"update a set t = 'b' is distinct from 'c' from secret", "update", "a secret"},
	{"update a set j = (i is distinct from 1)::int from secret where true", "update", "a secret"},
	{"update a as set set j = 1", "update", "a"},
	{"update pg_settings set setting = 'x' where name = 'search_path'", "update", NULL},
	{"update a set j = 1 from pg_catalog.pg_settings", "update", NULL},
	{"explain analyze update only \"pg_catalog\".\"pg_settings\" set setting = 'x'", "update", NULL},
	{"create temp view q as select * from pg_settings", "create", NULL},
	{"select setting from pg_settings", "select", "pg_settings"},
	{"delete from only a z using b, c join d on true where z.i = b.i", "delete", "a b c d"},
	{"delete from a where i in (select i from secret) returning *", "delete", "a secret"},
	{"merge into a using b on a.i = b.i when matched and a.j > 1 then update set j = b.j, t = 'x' when matched then delete when not matched then insert (i, j) values (b.i, b.j)", "merge", "a b"},
	{"merge into a z using (select * from b join c using (i)) q on z.i = q.i when matched then do nothing", "merge", "a b c"},
	{"merge into a using b join c on b.i = c.i on a.i = b.i when matched then update set j = (select 1 from secret limit 1), t = ''", "merge", "a b c secret"},
	{"truncate a, b", "truncate", "a b"},
	{"truncate table only a restart identity", "truncate", "a"},
	{"lock table a, only b in share mode nowait", "lock", "a b"},
	{"lock a", "lock", "a"},
	{"create table n (i int primary key, j varchar(20) default 'x', k numeric(10,2) check (k > 0), foreign key (i) references a (i) on delete cascade, l timestamp default now())", "create", "n a"},
	{"create table n (like secret including all)", "create", "n secret"},
	{"create table n () inherits (b, c)", "create", "n b c"},
	{"create temp table n as select * from secret", "create", "n secret"},
	{"create table n (x, y) as select i, j from secret with no data", "create", NULL},
	{"create table if not exists n as table secret", "create", "n secret"},
	{"create table n as values (1)", "create", "n"},
	{"create table n (i int generated always as identity, j int generated always as (1 + 1) stored)", "create", "n"},
	{"create view n as select * from secret", "create", "n secret"},
	{"create or replace view n (a, b) as select i, j from secret union select i, j from b", "create", "n secret b"},
	{"create materialized view n as with q as (select * from secret) select * from q", "create", "n secret q"},
	{"create unique index n on a using btree (lower(t), (i + 1)) where i > 1", "create", "a"},
	{"create index on a (j)", "create", "a"},
	{"create index if not exists q on only a (j desc nulls last) include (i) with (fillfactor = 70)", "create", "a"},
	{"create schema q", "create", "q."},
	{"create sequence q start 5 owned by a.i", "create", NULL},
	{"alter table a add column z int default 3, add constraint zz foreign key (j) references d (i)", "alter", "a d"},
	{"alter table only a alter column j type bigint using j::bigint", "alter", "a"},
	{"alter table a rename to q", "alter", "a q"},
	{"alter table a rename column i to k", "alter", "a"},
	{"alter table a set schema x", "alter", "a x."},
	{"alter table b inherit c", "alter", "b c"},
	{"drop table if exists b, x.a", "drop", "b x.a"},
	{"drop view v", "drop", "v"},
	{"drop sequence s", "drop", "s"},
	{"drop schema x", "drop", "x."},
	{"create table p (i int) partition by range (i)", "create", "p"},
	{"comment on table a is 'x'", "comment", "a"},
	{"grant select (i, j) on table a, x.a to public", "grant", "a x.a"},
	{"grant select on a to public with grant option", "grant", "a"},
	{"grant all on all tables in schema x to public", "grant", "x."},
	{"revoke all privileges on b from public", "revoke", "b"},
	{"analyze a (i, j), b", "analyze", "a b"},
	{"explain select * from secret", "explain", "secret"},
	{"explain (verbose, costs off) update a set j = 1 from secret", "explain", "a secret"},
	{"explain analyze delete from a", "delete", "a"},
	{"explain (analyze) delete from b", "delete", "b"},
	{"declare q cursor with hold for select * from secret", "declare", "secret"},
	{"copy a (i, j) to stdout", "copy_out", "a"},
	{"copy (select * from secret) to stdout", "copy_out", "secret"},
	{"select E'a\\'b' from secret --x'", "select", "secret"},
	{"select 'a\\' from secret --'", "select", "secret"},
	{"select 'a''b', $$x'y$$, $q$ $$ $q$, U&'d\\0061t', N'x', B'01', X'1f' from secret", "select", "secret"},
	{"select E'a'\n'b\\'c' from secret --'", "select", "secret"},
	{"select 'a'\n'b\\' from secret --'", "select", "secret"},
	{"select 1 /* /* from b */ from c */ from secret", "select", "secret"},
	{"select 1 -- from b\nfrom secret", "select", "secret"},
	{"select 1/* */from/* */secret", "select", "secret"},
	{"select \"from\" from \"from\", \"Mixed\"", "select", "from Mixed"},
	{"select \"Mixed\".\"from\" from \"Mixed\"", "select", "Mixed"},
	{"select U&\"\\0069\" from secret", "select", "secret"},
	{"select i from Secret, X.Secret", "select", "secret x.secret"},
	{"select q.from from (select 1 as from) q, secret", "select", "secret"},
	{"select i from a where t like '%x' escape '\\' and i between 1 and 2 or t ilike 'y' or t similar to 'z'", "select", "a"},
	{"select nullif(i, 1), coalesce(j, 2), greatest(1, 2), least(1, 2), case when i > 1 then (select 1 from secret limit 1) else 0 end from a", "select", "secret a"},
	{"select case when i = 1 then 2 end, j from a join b on case when true then true else false end, secret", "select", "a b secret"},
	{"select i from a left join b on a.i = b.i and b.j = (select 1 from c limit 1) right join d on true, secret", "select", "a b c d secret"},
	{"select a.i from a join b on (a.i = b.i), secret", "select", "a b secret"},
	{"select a.i from a left outer join b on left('abc', 1) = 'a', secret", "select", "a b secret"},
	{"select json_build_object('a', i)->>'a', '{\"a\":1}'::jsonb @> '{}' from a", "select", "a"},
	{"select i from a group by grouping sets ((i), (j), ()), rollup (i), cube (j) having count(*) > 0", "select", "a"},
	{"select xmlelement(name x, xmlattributes(t as from), t) from secret", "select", "secret"},
	{"select current_date, current_user, now() at time zone 'utc', interval '1 day' from a", "select", "a"},
	{"select * from current_date, secret", "select", NULL},
	{"select * from a as q (r, s), secret", "select", "a secret"},
	{"select * from a conflict, secret", "select", "a secret"},
	{"select * from a join b conflict on true, secret", "select", "a b secret"},
	{"select * from a values, secret", "select", "a secret"},
	{"select a.i from a full join b on true cross join c, secret", "select", "a b c secret"},
	{"show search_path", "show", ""},
	{"set search_path to x", "set", "x."},
	{"set client_encoding to 'utf8'", "set", ""},
	{"savepoint a", "savepoint", ""},
	{"listen q", "listen", ""},
	{"select f(1)", "select", NULL},
	{"select x.f(1) from a", "select", NULL},
	{"select query_to_xml('select * from secret', true, true, '')", "select", NULL},
	{"select set_config('a.b', 'c', true)", "select", NULL},
	{"select i into n from secret", "create", NULL},
	{"select a.i, f from a, f(1)", "select", NULL},
	{"select * from f(1), secret", "select", NULL},
	{"do $$ begin perform * from secret; end $$", "do", NULL},
	{"prepare q as select * from secret", "prepare", NULL},
	{"select lo_get(1)", "select", NULL},
	{"select 1from secret", "select", NULL},
	{"select 1.from secret", "select", NULL},
	{"select i as \"x y\" from secret \"q r\", b", "select", "secret b"},
	{"select i from a where i = 1 and (t, j) = (select t, j from secret limit 1)", "select", "a secret"},
	{"select * from (((select i from a))) q, secret", "select", "a secret"},
	{"select * from ((a)) , secret", "select", "a secret"},
	{"select * from (a) as q, secret", "select", "a secret"},
	{"select i table from secret", "select", NULL},
	{"select i select from secret", "select", NULL},
	{"select i values from secret", "select", "secret"},
	{"select not exists (select from secret)", "select", "secret"},
	{"select from secret", "select", "secret"},
	{"select all i from secret", "select", "secret"},
	{"select distinct i from secret", "select", "secret"},
	{"select * from xmltable('/a' passing '<a/>' columns b int path 'c') q, secret", "select", NULL},
	{"select ts_stat('select i from secret')", "select", NULL},
	{"select sum(i) from a where (select count(*) from secret) > 0 group by i", "select", "a secret"},
	{"select * from x.a join a using (i)", "select", "x.a a"},
	{"select (array[1,2,3])[1:2], (select array_agg(i) from secret)[1] from a", "select", "secret a"},
	{"select 'x' 'y' from secret", "select", "secret"},
	{"select $1 from secret", "select", "secret"},
	{"select i from a where exists (table secret)", "select", "a secret"},
	{"select i from a limit (select 1 from secret limit 1)", "select", "a secret"},
	{"select * from a order by (select i from secret limit 1)", "select", "a secret"},
	{"select i collate \"C\" from (select t as i from secret) q", "select", "secret"},
	{"with q as (select 1) table secret", "select", "secret"},
	{"with q as (select 1) values ((select i from secret limit 1))", "select", "secret"},
	{"with q as (select 1) (select * from secret)", "select", "secret"},
	{"with recursive t(n) as (values (1) union all select n+1 from t where n < 5) select sum(n) from t, secret", "select", "secret"},
	{"with recursive q as (select 1 as n) search depth first by n set o select * from q, secret", "select", NULL},
	{"foo bar", "unknown", NULL},
	{"call p()", "call", NULL},
	{"execute q", "execute", NULL},
	{"load 'x'", "load", NULL},
	{"set role x", "account", ""},
	{"set session authorization x", "account", ""},
	{"set search_path = a, \"B\"", "set", "a. B."},
	{"set client_encoding to sjis", "set", NULL},
	{"set a.b = 1", "set", ""},
	{"set session characteristics as transaction read only", "set", ""},
	{"set time zone 'utc'", "set", ""},
	{"set xml option document", "set", NULL},
	{"reset all", "reset", ""},
	{"reset role", "account", ""},
	{"deallocate prepare q", "deallocate", ""},
	{"deallocate all", "deallocate", ""},
	{"discard all", "discard", ""},
	{"begin", "begin", ""},
	{"start transaction", "begin", ""},
	{"commit prepared 'x'", "commit", ""},
	{"rollback to a", "rollback", ""},
	{"release a", "release", ""},
	{"alter system set work_mem = 1", "set_global", ""},
	{"alter role a set search_path = x", "account", ""},
	{"create user a", "account", ""},
	{"drop owned by a", "account", NULL},
	{"reassign owned by a to b", "account", NULL},
	{"alter default privileges grant select on tables to a", "alter", NULL},
	{"create function g() returns int language sql as $$ select 1 $$", "create", NULL},
	{"create trigger g before insert on a execute function x()", "create", NULL},
	{"create extension dblink", "create", NULL},
	{"create rule r as on insert to a do also delete from b", "create", NULL},
	{"create type n as enum ('a')", "create", NULL},
	{"drop table a cascade", "drop", NULL},
	{"truncate a cascade", "truncate", NULL},
	{"drop function f", "drop", NULL},
	{"drop index i", "drop", "i"},
	{"alter index i rename to j", "alter", "i j"},
	{"reindex table a", "reindex", "a"},
	{"reindex schema x", "reindex", ""},
	{"vacuum", "vacuum", ""},
	{"vacuum (full, analyze) a, b (i)", "vacuum", "a b"},
	{"cluster a using a_pkey", "cluster", "a"},
	{"refresh materialized view concurrently mv", "refresh", "mv"},
	{"checkpoint", "checkpoint", ""},
	{"comment on column a.i is 'x'", "comment", NULL},
	{"grant usage on schema x to a", "grant", NULL},
	{"grant execute on function f(int) to a", "grant", NULL},
	{"grant a to b", "grant", ""},
	{"fetch 5 from q", "fetch", ""},
	{"move q", "fetch", ""},
	{"close q", "close", ""},
	{"notify q, 'x'", "notify", ""},
	{"unlisten *", "unlisten", ""},
	{"copy a from '/etc/passwd'", "copy_file", NULL},
	{"copy a to program 'sh'", "copy_program", NULL},
	{"copy a from stdin where i > 1", "copy_in", "a"},
	{"copy a from stdin with (format csv, force_null (i))", "copy_in", "a"},
	{"select 'abc", "select", NULL},
	{"select \"abc", "select", NULL},
	{"select $a$ abc $A$", "select", NULL},
	{"select /* /* */", "select", NULL},
	{"select \\x", "select", NULL},
	{"select {x}", "select", NULL},
	{"select $9a", "select", NULL},
	{"select * from db.x.a", "select", NULL},
	{"alter table a add foreign key (i) references c on delete cascade", "alter", "a c"},
	{"alter table a drop column i cascade", "alter", NULL},
	{"select operator(x.+) 1", "select", NULL},
	{"select 1 operator(pg_catalog.+) 2", "select", ""},
	{"select nextval('a' || '_secret')", "select", NULL},
	{"select nextval('a'\n'_secret')", "select", NULL},
	{"select nextval('a'::char)", "select", NULL},
	{"select nextval('x.a'::name::text)", "select", NULL},
	{"select nextval('a'::x.text)", "select", NULL},
	{"select nextval('a' collate \"C\" || '_secret')", "select", NULL},
	{"select setval('s'||'2', 3)", "select", NULL},
	{"select nextval('x.s'::regclass), nextval(('s')), 1", "select", NULL},
	{"select nextval('x.s'::pg_catalog.regclass), currval('t'::text), setval('u'::REGCLASS, (select max(i) from b), true)", "select", "x.s t u b"},
	{"select nextval('Mixed')", "select", NULL},
	{"select nextval(t) from a", "select", NULL},
	{"select lastval()", "select", ""},
	{"select \"lower\"(t) from a", "select", NULL},
	{"select pg_catalog.lower(t) from a", "select", "a"},
	{"select x.lower(t) from a", "select", NULL},
	{"select i from U&\"a\\0062\"", "select", NULL},
	{"select i from a where t = U&'x' uescape '!'", "select", "a"},
};
/* clang-format on */

enum { N_ROWS = sizeof(rows) / sizeof(rows[0]) };

static struct found found_in(const struct pgsql *s)
{
	return (struct found){.verb = pgsql_verb_words[s->verb],
			      .has_token = s->has_token,
			      .is_unproven = s->is_unproven,
			      .tables = s->tables,
			      .n_tables = s->n_tables,
			      .names = s->names};
}

/* The first statement, shown in two pieces, or (cut SIZE_MAX) byte by byte. */
static void read_cut(struct pgsql *s, struct bytes text, size_t cut)
{
	pgsql_init(s, true);
	for (size_t at = 0; at < text.n && !s->is_end;)
		at += pgsql_feed(s, rows_piece(text, at, cut));
	if (!s->is_end)
		pgsql_finish(s);
}

START_TEST(reads_statements_however_they_are_cut)
{
	const struct row *row = &rows[_i];
	const struct bytes text = bytes_str(row->text);
	struct pgsql s;
	for (size_t cut = 0; cut <= text.n; cut++) {
		read_cut(&s, text, cut);
		rows_check(row, found_in(&s));
	}
	read_cut(&s, text, SIZE_MAX);
	rows_check(row, found_in(&s));
}
END_TEST

/* clang-format off */
static const struct fact_row facts[] = {
	{"delete from t", "", "DELETE /* /* x */ */ FROM T", false},
	{"delete from t where a = 1", "", "delete from t where a=$$x$$", true},
	{"update t set a = (select b from u where c = 1)", "", "update t set a = (select b from u where c = $1)", false},
	{"update t set a = 1 returning a as where", "", "update t set a = 2 returning a as where", false},
	{"update t set a = 1 where b in (1, 2, 3)", "", "update t set a = 1 where b in (E'\\'')", true},
	{"with x as (select 1 from a where b) delete from t", "", "with x as (select 2 from a where b) delete from t", false},
	{"select count(*), pg_catalog.lower(a), lower(b) from t", "count lower", "select COUNT(*), pg_catalog.lower(a), lower(b) from t;", false},
	{"select x.f(1), now()", "f", "select x.f(2)", false},
	{"select nextval('s'), currval('s')", "nextval currval", "select nextval('s'), currval('z')", false},
	{"select * from generate_series(1, 2) g", "generate_series", "select * from generate_series(7) g", false},
	{"select now()::timestamp(0), time(3) '1:00', a::timestamptz(3), b::timetz(0), c::bpchar(3) from t", "now", "select now()::timestamp(0), time(4) '1:00', a::timestamptz(2), b::timetz(1), c::bpchar(7) from t", false},
	{"merge into a using b on lower(a.i) = b.i when not matched then insert (i) values (upper(b.i))", "lower upper", "merge into a using b on lower(a.i) = b.i when not matched then insert(i) values (upper(b.i))", false},
	{"select insert(1)", "insert", "select insert(2)", false},
	{"select \"a\" from t", "", "select \"a\" from t", false},
	{"select \"a\" \"b\" from t", "", "select \"a\" \"b\" from t", false},
	{"select \"a\"\" \"\"b\" from t", "", "select \"a\"\" \"\"b\" from t", false},
};
/* clang-format on */

enum { N_FACTS = sizeof(facts) / sizeof(facts[0]) };

static void learn(const char *text, size_t cut, struct rows_facts *found)
{
	static struct pgsql s;
	read_cut(&s, bytes_str(text), cut);
	rows_list_functions(&s.calls, &pgsql_callables, s.names, found->functions,
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
	struct pgsql s;
	read_cut(&s, rows_many_tables(text, sizeof(text)), 0);
	ck_assert(s.is_unproven);
	read_cut(&s, rows_long(text, sizeof(text), "SELECT ", "("), 0);
	ck_assert(s.is_unproven);
	read_cut(&s, rows_long(text, sizeof(text), "SELECT ", "a"), 0);
	ck_assert(!s.is_unproven);
	read_cut(&s, rows_long(text, sizeof(text), "SELECT /*", "/*"), 0);
	ck_assert(s.is_unproven);
}
END_TEST

START_TEST(does_not_prove_names_that_the_server_cuts)
{
	char text[128];
	struct pgsql s;
	snprintf(text, sizeof(text), "TABLE %.*s", 64,
		 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	read_cut(&s, bytes_str(text), 0);
	ck_assert(s.is_unproven);
	text[strlen(text) - 1] = '\0';
	read_cut(&s, bytes_str(text), 0);
	ck_assert(!s.is_unproven);
}
END_TEST

START_TEST(finds_words_in_any_case)
{
	ck_assert_int_eq(pgsql_word_find(bytes_str("SeLeCt")), PGSQL_W_SELECT);
	ck_assert_int_eq(pgsql_word_find(bytes_str("selec")), PGSQL_W_NONE);
	ck_assert_int_eq(pgsql_word_find(bytes_str("selects")), PGSQL_W_NONE);
	for (int word = PGSQL_W_NONE + 1; word < PGSQL_N_WORDS; word++)
		ck_assert_int_eq(pgsql_word_find(bytes_str(pgsql_word_text((enum pgsql_word)word))),
				 word);
	ck_assert(pgsql_word_is_callable(bytes_str("Coalesce")));
	ck_assert(pgsql_word_is_reserved(bytes_str("USING")));
	static const char *const never[] = {
		"query_to_xml", "table_to_xml", "ts_stat",	"ts_rewrite", "set_config",
		"lo_import",	"dblink",	"pg_read_file", "pg_ls_dir",  "database_to_xml"};
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		ck_assert_msg(!pgsql_word_is_callable(bytes_str(never[i])), "%s", never[i]);
}
END_TEST

/* ---------------------------------------------------------------- refusals */

extern const struct dissector postgres_dissector;

static void ignore_event(void *ctx, const struct dis_event *event)
{
	(void)ctx;   /* only the state matters here */
	(void)event; /* likewise */
}

static void ignore_edit(void *ctx, size_t offset, struct bytes replacement)
{
	(void)ctx;	   /* nothing is edited */
	(void)offset;	   /* likewise */
	(void)replacement; /* likewise */
}

static _Alignas(16) uint8_t state[DIS_STATE_MAX];

static void talk(enum dis_dir dir, const char *p, size_t n)
{
	const struct dis_sink sink = {.event = ignore_event, .edit = ignore_edit};
	struct bytes in = bytes_of(p, n);
	while (in.n) {
		const struct dis_result r = postgres_dissector.feed(state, 6, dir, in, &sink);
		ck_assert_int_eq(r.status, DIS_DONE);
		in = bytes_from(in, r.consumed + (size_t)r.skip);
	}
}

#define TALK(dir, text) talk(dir, text, sizeof(text) - 1)

static size_t refuse(uint8_t *out)
{
	return postgres_dissector.refuse(state, 6, (struct bytes){0}, bytes_str("why"), out);
}

#define READY	"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I"
#define PARSE	"P\0\0\0\x10\0SELECT 1\0\0\0"
#define BIND	"B\0\0\0\x0c\0\0\0\0\0\0\0\0"
#define EXECUTE "E\0\0\0\x09\0\0\0\0\0"
#define SYNC	"S\0\0\0\x04"
#define QUERY	"Q\0\0\0\x0dSELECT 1\0"

static void log_in(void)
{
	memset(state, 0, sizeof(state));
	talk(DIS_TO_SERVER, "\0\0\0\x12\0\3\0\0user\0app\0\0", 0x12);
}

START_TEST(says_a_refusal_as_an_error)
{
	uint8_t out[DIS_REFUSAL_MAX];
	log_in();
	static const char login[] = "E\0\0\0\x25SFATAL\0VFATAL\0C28000\0Mwhy\0";
	ck_assert_uint_eq(refuse(out), sizeof(login));
	ck_assert_mem_eq(out + 5, login + 5, sizeof(login) - 5);
	ck_assert_uint_eq(out[4], sizeof(login) - 1);
	TALK(DIS_TO_CLIENT, READY);
	TALK(DIS_TO_SERVER, QUERY);
	static const char query[] = "E\0\0\0\x25SERROR\0VERROR\0C42501\0Mwhy\0\0Z\0\0\0\5I";
	ck_assert_uint_eq(refuse(out), sizeof(query) - 1);
	ck_assert_mem_eq(out + 5, query + 5, sizeof(query) - 1 - 5);
}
END_TEST

START_TEST(refuses_a_prepared_statement_at_each_step)
{
	uint8_t out[DIS_REFUSAL_MAX];
	log_in();
	TALK(DIS_TO_CLIENT, READY);
	TALK(DIS_TO_SERVER, PARSE);
	ck_assert_uint_ne(refuse(out), 0);
	TALK(DIS_TO_SERVER, BIND);
	TALK(DIS_TO_SERVER, EXECUTE);
	ck_assert_uint_ne(refuse(out), 0);
	TALK(DIS_TO_SERVER, EXECUTE);
	ck_assert_uint_eq(refuse(out), 0); /* the first has no answer yet */
}
END_TEST

START_TEST(says_nothing_while_a_reply_is_outstanding)
{
	uint8_t out[DIS_REFUSAL_MAX];
	log_in();
	TALK(DIS_TO_CLIENT, READY);
	TALK(DIS_TO_SERVER, QUERY);
	TALK(DIS_TO_SERVER, QUERY);
	ck_assert_uint_eq(refuse(out), 0);
	TALK(DIS_TO_CLIENT, "C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I");
	TALK(DIS_TO_CLIENT, "C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I");
	TALK(DIS_TO_SERVER, QUERY);
	ck_assert_uint_ne(refuse(out), 0);
}
END_TEST

START_TEST(says_nothing_to_a_cancellation)
{
	uint8_t out[DIS_REFUSAL_MAX];
	memset(state, 0, sizeof(state));
	talk(DIS_TO_SERVER, "\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\1\0\0\0\2", 16);
	ck_assert_uint_eq(refuse(out), 0);
}
END_TEST

/* ---------------------------------------------------------------- for tests/lab/test_postgres.sh
 */

/* A text of several statements: all of them on one line. */
static void print_text(struct bytes text)
{
	struct pgsql s;
	pgsql_init(&s, true);
	do {
		char tables[ROWS_TABLES_ROOM];
		text = bytes_from(text, pgsql_feed(&s, text));
		if (!s.is_end)
			pgsql_finish(&s);
		const struct found found = found_in(&s);
		rows_list(&found, tables);
		if (s.has_token)
			printf("%s %s%s%s\t", found.verb, s.is_unproven ? "unproven" : "proven",
			       *tables ? " " : "", tables);
		pgsql_next(&s);
	} while (text.n);
	printf("\n");
}

/* Statements from the standard input, each with a NUL behind it. */
static int print_tables(void)
{
	char *text = NULL;
	size_t room = 0;
	ssize_t n;
	while ((n = getdelim(&text, &room, '\0', stdin)) > 0)
		print_text(bytes_of(text, (size_t)n - 1));
	free(text);
	return EXIT_SUCCESS;
}

START_TEST(knows_where_the_letters_of_a_list_begin)
{
	rows_check_index(&pgsql_words, "words");
	rows_check_index(&pgsql_callables, "callables");
	ck_assert(sql_index_find(bytes_str("selec"), &pgsql_words) == SIZE_MAX);
	ck_assert(sql_index_find(bytes_str("selects"), &pgsql_words) == SIZE_MAX);
	ck_assert(sql_index_find(bytes_str("s"), &pgsql_words) == SIZE_MAX);
	ck_assert(sql_index_find(bytes_str("1e"), &pgsql_words) == SIZE_MAX);
	ck_assert(sql_index_find((struct bytes){0}, &pgsql_words) == SIZE_MAX);
	ck_assert(sql_index_find(bytes_str("SELECT"), &pgsql_words) != SIZE_MAX);
}
END_TEST

/* --tables: only that. */
static void begin_talk(FILE *f)
{
	static const char startup[] = "\0\0\0\x10\0\3\0\0user\0a\0";
	static const char ready[] = "R\0\0\0\10\0\0\0\0Z\0\0\0\5I";
	rows_write_record(f, false, bytes_of(startup, sizeof(startup)), (struct bytes){0});
	rows_write_record(f, true, bytes_of(ready, sizeof(ready) - 1), (struct bytes){0});
}

static void say_query(FILE *f, struct bytes statement)
{
	const size_t n = statement.n + 5;
	const uint8_t head[] = {'Q', 0, 0, (uint8_t)(n >> 8), (uint8_t)n};
	/* the NUL behind a text of the table is its end on the wire as well */
	rows_write_record(f, false, bytes_of(head, sizeof(head)),
			  bytes_of(statement.p, statement.n + 1));
}

static const struct rows_wire wire = {begin_talk, say_query};

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--tables") == 0)
		return print_tables();
	if (rows_write_seeds(argc, argv, rows, N_ROWS, &wire))
		return EXIT_SUCCESS;
	Suite *suite = suite_create("pgsql");
	TCase *tcase = tcase_create("pgsql");
	tcase_add_loop_test(tcase, reads_statements_however_they_are_cut, 0, N_ROWS);
	tcase_add_loop_test(tcase, learns_functions_and_where, 0, N_FACTS);
	tcase_add_loop_test(tcase, gives_one_digest_to_what_differs_in_literals, 0, N_FACTS);
	tcase_add_test(tcase, gives_the_digest_that_others_compute);
	tcase_add_test(tcase, bounds_what_it_remembers);
	tcase_add_test(tcase, does_not_prove_names_that_the_server_cuts);
	tcase_add_test(tcase, finds_words_in_any_case);
	tcase_add_test(tcase, says_a_refusal_as_an_error);
	tcase_add_test(tcase, refuses_a_prepared_statement_at_each_step);
	tcase_add_test(tcase, says_nothing_while_a_reply_is_outstanding);
	tcase_add_test(tcase, says_nothing_to_a_cancellation);
	tcase_add_test(tcase, knows_where_the_letters_of_a_list_begin);
	suite_add_tcase(suite, tcase);
	return rows_run(suite);
}
