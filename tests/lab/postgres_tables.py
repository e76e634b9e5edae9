#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""postgres_tables.py TEST_PGSQL PSQL SOCKET_FOLDER SEED N: does a proven statement touch only the tables that were found?

Statements, and N mutants of them, are run by a real server, each in a transaction that is rolled back. The relations that
the server had locked by then (pg_locks) must be among those that `TEST_PGSQL --tables` found; what the server refuses, and
what was not proven, is only counted. Needs nothing but psql.
"""
import random
import re
import subprocess
import sys

SCHEMA = """
CREATE TABLE a(i int PRIMARY KEY, j int, t text, ts timestamp DEFAULT now()); CREATE TABLE b(i int, j int, t text);
CREATE TABLE c(i int, j int, t text); CREATE TABLE d(i int UNIQUE, j int, t text); CREATE TABLE secret(i int, j int, t text);
CREATE SCHEMA x; CREATE TABLE x.a(i int, j int, t text); CREATE TABLE x.secret(i int, j int, t text); CREATE SEQUENCE s;
CREATE TABLE "Mixed"(i int, "from" int); CREATE TABLE "from"(i int); CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS
'SELECT i FROM secret LIMIT 1'; INSERT INTO a SELECT g, g, 't' FROM generate_series(1, 3) g;
"""

STATEMENTS = r"""
select * from a, b join c on b.i = c.i, d where 1 in (select i from secret)
select b.i from only a, b as q (r, s) natural join c as b
select 1 as from, i from secret
select i distinct from secret
select secret.i is not distinct from 3, extract(day from now()), trim(leading 'x' from b.t) from secret, b
(select i from a) union all (select i from b) except select i from c order by 1 limit 1
select * from ((a join b using (i)) join c using (i)) join d on left('abc', 1) = 'a', secret
select * from generate_series(1, 3) with ordinality as g(x, y), lateral (select * from b where b.i = g.x) r, secret
select * from json_to_recordset('[{"a":1}]') as q(a int, b text), unnest(array(select i from b)) u
select * from a tablesample system (10) repeatable (3), secret
select count(*) filter (where i > 1) over (partition by j), rank() over w from a window w as (order by i)
select cast(j as numeric(10,2)), t::varchar(10), array[1,2], row(1,2), (a).i from a for update of a
select distinct on (i) i, j from a
table secret
values (1, 2), ((select i from secret limit 1), 2)
with secret as (select * from secret) select * from secret
with recursive q(n) as (select 1 union all select n + 1 from q, secret where n < 3) select * from q
with q as materialized (select 1), r as (select * from a) select * from q, r, b
with q as (select i from c) update a set j = 1, t = 'b' is distinct from 'c' from q, secret where q.i = a.i returning *
select * from (with secret as (select 1) select * from secret) q, secret
insert into a (i, j) values (10, 1) on conflict (i) do update set j = excluded.j, t = 'x' where a.i > 1 returning *
insert into d select i, j, t from c on conflict (i) do update set j = 1, t = 'b'
insert into b (i, j) (select i, j from secret)
insert into x.a values (nextval('s'), currval('public.s'), 'q')
delete from only a z using b, c join d on true where z.i = b.i and exists (table secret)
merge into a using b on a.i = b.i when matched and a.j > 1 then update set j = b.j, t = 'x' when not matched then insert (i, j) values (b.i, b.j)
truncate table only a restart identity
lock table a, only b in share mode nowait
create table n (i int primary key, k numeric(10,2) check (k > 0), foreign key (i) references a (i) on delete cascade)
create table n (like x.a including all)
create table n () inherits (b, c)
create temp table n as with q as (select * from secret) select * from q
create or replace view n (a, b) as select i, j from secret union select i, j from b
create unique index n on a using btree (lower(t), (i + 1)) where i > 1
alter table a add column z int default 3, add constraint zz foreign key (j) references d (i) not valid
comment on table a is 'x'
grant select (i, j) on table a, x.a to public
explain (analyze, costs off) update a set j = 1 from secret
declare q cursor with hold for select * from secret
copy (select * from secret) to stdout
select E'a\'b' from secret --x'
select 'a\' , $$x'y$$, $q$ $$ $q$, U&'d\0061t', N'x', B'01' from secret --'
select 1 /* /* from b */ from c */ from secret
select "from" from "from", "Mixed"
select case when a.i = 1 then 2 end, a.j from a join b on case when true then true else false end, secret
select i, '{"a":1}'::jsonb @> '{}' from a group by grouping sets ((i), ()), rollup (j) having count(*) > 0
select f(1)
"""

WORDS = """from join as on distinct is not union table select with only lateral ( ) , . * secret b conflict using values set
into where group by left natural window ordinality within of for returning when then end case /* */ -- ' E' \\' $$ $q$ " U&" :: [ ]
recursive a ::text tablesample partition default cross full right inner freeze verbose isnull overlaps similar collation binary
current_schema ilike array to rows order limit offset fetch all some any else collate operator row exists extract substring
coalesce between materialized search unnest""".split()
TOKEN = re.compile(r"\"[^\"]*\"|\w+|'[^']*'|::|\$\w*\$|--|/\*|\*/|\s+|.", re.S)
# A mutant must not leave the transaction in which it is run.
NEVER = re.compile(r"(?i)\b(commit|abort|rollback|begin|end\s*;|discard|prepare)\b|\\|;")
LOCKED = """SELECT 'touched ' || coalesce(string_agg(CASE nspname WHEN 'public' THEN '' ELSE nspname || '.' END || relname, '|'), '')
FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = relnamespace WHERE l.pid = pg_backend_pid()
AND l.locktype = 'relation' AND relkind IN ('r', 'v', 'm', 'p', 'S', 'f') AND nspname IN ('public', 'x') AND relname !~ '_seq$';"""


def mutant(tokens):
    out = list(random.choice(tokens))
    for _ in range(random.randint(1, 4)):
        at, other = random.randrange(len(out) + 1), random.choice(tokens)
        word, start = [f" {random.choice(WORDS)} "], random.randrange(len(other))
        out[at:at + random.choice((0, 0, 1))] = random.choice((word, [], other[start:start + 5]))
    return "".join(out)


def run_all(psql, statements):
    """What each touched, or None where the server refused it."""
    script = ["\\set ON_ERROR_STOP off", "\\pset format unaligned", "\\pset tuples_only on"]
    for n, text in enumerate(statements):
        script += [f"\\echo number {n}", "BEGIN; SET LOCAL statement_timeout = '2s';", "\\o /dev/null", text + "\n;", "\\o", LOCKED,
                   "ROLLBACK;"]
    done = subprocess.run(psql, input="\n".join(script), capture_output=True, text=True, timeout=240, check=False)
    touched, number = {}, None
    for line in done.stdout.splitlines():
        if line.startswith("number "):
            number = int(line[7:])
        elif line.startswith("touched "):
            touched[number] = set(filter(None, line[8:].split("|")))
    return [touched.get(n) for n in range(len(statements))]


def found_in(program, statements):
    """Per statement: is all of it proven, and the tables that it names."""
    text = b"".join(s.encode() + b"\0" for s in statements)
    lines = subprocess.run([program, "--tables"], input=text, stdout=subprocess.PIPE, check=True).stdout.decode().split("\n")
    for line in lines[:len(statements)]:
        parts = [part.split(" ") for part in line.split("\t") if part]
        tables = {name.removeprefix("public.") for part in parts for name in part[2:]}
        yield all(part[1] == "proven" for part in parts), tables


def is_whole(text):
    """psql sends a statement only when its quotes, comments and parentheses are closed; another would swallow what follows."""
    bare, depth = re.sub(r"'[^']*'|\"[^\"]*\"", "", text), 0
    for char in bare:
        depth += (char == "(") - (char == ")")
        if depth < 0:
            return False
    return depth == 0 and not any(mark in bare for mark in ("'", '"', "$", "/*", "*/", "--")) and "E'" not in text


def main(program, psql, folder, seed, count):
    random.seed(int(seed))
    command = [psql, "-X", "-q", "-h", folder, "-U", "postgres", "-d", "postgres"]
    subprocess.run(command, input=SCHEMA, text=True, check=True, stdout=subprocess.DEVNULL)
    known = [line for line in STATEMENTS.splitlines() if line]
    tokens = [TOKEN.findall(line) for line in known]
    mutants = [text for text in (mutant(tokens) for _ in range(int(count))) if is_whole(text) and not NEVER.search(text)]
    statements = [text for text in known if "--" not in text] + [text + "\n" for text in known if "--" in text] + mutants
    covered = refused = unproven = missed = 0
    for text, touched, (is_proven, tables) in zip(statements, run_all(command, statements), found_in(program, statements)):
        if touched is None:
            refused += 1
        elif not is_proven:
            unproven += 1
        elif touched <= tables:
            covered += 1
        else:
            missed += 1
            print(f"not found: {sorted(touched - tables)} in: {text!r}")
    print(f"{len(statements)} statements: {covered} covered, {unproven} not proven, {refused} refused by the server, {missed} missed")
    return 1 if missed or covered < len(known) // 2 else 0


sys.exit(main(*sys.argv[1:]))
