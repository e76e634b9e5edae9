#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""honest.py --build FOLDER: how many of the statements of honest applications are not proven, hence refused for nothing?

The statements are made here, at run time, by the programs whose they are: Django and SQLAlchemy print what they would send, and the rest
is what the manuals of drivers and tools say that these ask of a server. Of each corpus at most 0.5 % may be unproven. What cannot be
proven and is known to be sent (PREPARE, CALL ...) is in no corpus: sql.md and postgres.md name it. Prints `scorecard S6-honest`.
"""
import argparse
import importlib.util
import re
import sys

from sqldiff import Reader

LIMIT = 0.005


# ---------------------------------------------------------------- object-relational mappers

def django_models():
    import django
    import pymysql
    from django.conf import settings
    pymysql.version_info = (1, 4, 6, "final", 0)  # what Django asks of the driver that this one stands in for
    pymysql.install_as_MySQLdb()
    settings.configure(INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"], SECRET_KEY="x", USE_TZ=True,
                       DATABASES={"default": {}, "p": {"ENGINE": "django.db.backends.postgresql", "NAME": "d"}, "m": {"ENGINE": "django.db.backends.mysql", "NAME": "d"}})
    django.setup()
    from django.db import connections
    # what the server would have said: nothing is connected to
    connections["m"].__dict__["mysql_server_data"] = {"version": "10.11.6-MariaDB", "sql_mode": "", "default_storage_engine": "InnoDB", "sql_auto_is_null": False,
                                                      "lower_case_table_names": 0, "has_zoneinfo_database": True}
    connections["p"].__dict__["pg_version"] = 150000
    from django.contrib.auth.models import Group, Permission, User
    return User, Group, Permission


def django_queries():
    """Querysets as an application has them; the SQL is made per dialect."""
    User, Group, Permission = django_models()
    from django.db.models import Avg, Case, Count, Exists, F, Max, OuterRef, Q, Subquery, Value, When, Window
    from django.db.models.functions import Coalesce, Lower, RowNumber, TruncMonth, Concat, Length
    out = [User.objects.all(), User.objects.filter(username="x"), User.objects.filter(Q(username__icontains="it's") | ~Q(email="")), User.objects.count,
           User.objects.filter(groups__name__in=["a", "b"]).distinct(), User.objects.exclude(groups__permissions__codename="x"),
           User.objects.annotate(n=Count("groups")).filter(n__gt=1).order_by("-n"), User.objects.values("is_staff").annotate(c=Count("id"), m=Max("last_login")),
           User.objects.filter(Exists(Group.objects.filter(user=OuterRef("pk")))), User.objects.annotate(g=Subquery(Group.objects.filter(user=OuterRef("pk")).values("name")[:1])),
           User.objects.annotate(r=Window(RowNumber(), partition_by=[F("is_staff")], order_by=F("id").desc())), User.objects.filter(date_joined__year=2020),
           User.objects.annotate(m=TruncMonth("date_joined")).values("m").annotate(c=Count("id")), User.objects.filter(last_login__isnull=True)[:10],
           User.objects.annotate(x=Case(When(is_staff=True, then=Value(1)), default=Value(0))), User.objects.annotate(l=Lower("username"), n=Length("email")),
           User.objects.annotate(f=Concat("first_name", Value(" "), "last_name")), User.objects.filter(id__range=(1, 5)).union(User.objects.filter(id=9)),
           User.objects.select_related().order_by("username")[5:10], Permission.objects.select_related("content_type").order_by("content_type__app_label"),
           Group.objects.filter(permissions__content_type__model="x").annotate(a=Avg("permissions__id")), User.objects.filter(id__in=User.objects.filter(is_staff=True)),
           User.objects.annotate(e=Coalesce("email", Value("none"))).filter(e="x"), User.objects.only("id", "username"), User.objects.filter(username__regex="a.b"),
           User.objects.dates("date_joined", "month"), User.objects.none().union(User.objects.all()), Permission.objects.filter(codename__startswith="add_", group__isnull=False)]
    return [q for q in out if hasattr(q, "query")]


def django_texts():
    """By dialect; the literals are parameters."""
    from django.core.exceptions import EmptyResultSet
    texts = {"m": [], "p": []}
    for q in django_queries():
        for dialect, found in texts.items():
            try:
                text, _ = q.query.get_compiler(using=dialect).as_sql()
            except EmptyResultSet:
                continue
            found.append(text.replace("%s", "?" if dialect == "m" else "$1").replace("%%", "%"))
    return texts


def alchemy_texts(dialect):
    import sqlalchemy as sa
    from sqlalchemy.dialects import mysql, postgresql
    d = mysql.dialect() if dialect == "m" else postgresql.dialect()
    meta = sa.MetaData()
    users = sa.Table("users", meta, sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.String(50), nullable=False, unique=True),
                     sa.Column("age", sa.Integer, server_default="1"), sa.Column("made", sa.DateTime), sa.Column("key", sa.Numeric(10, 2)))
    orders = sa.Table("order", meta, sa.Column("id", sa.BigInteger, primary_key=True), sa.Column("user_id", sa.ForeignKey("users.id", ondelete="CASCADE")),
                      sa.Column("total", sa.Float), sa.CheckConstraint("total > 0"), sa.Index("by_user", "user_id"))
    u, o = users.c, orders.c
    inner = sa.select(sa.func.max(o.total)).where(o.user_id == u.id).scalar_subquery()
    cte = sa.select(o.user_id, sa.func.sum(o.total).label("s")).group_by(o.user_id).cte("sums")
    tree = sa.select(u.id).where(u.id == 1).cte("tree", recursive=True)
    tree = tree.union_all(sa.select(o.user_id).join(tree, tree.c.id == o.id))
    joined = users.join(orders, u.id == o.user_id)
    queries = [sa.select(users), sa.select(u.id).where(u.name == "x"), sa.select(users).where(u.name.like("a%")).order_by(u.age.desc()).limit(5).offset(2),
               sa.select(u.name, inner), sa.select(cte), sa.select(tree), sa.select(users).select_from(joined).where(o.total.between(1, 2)),
               sa.select(users).select_from(users.outerjoin(orders)).where(o.id.is_(None)), sa.select(sa.func.count()).select_from(users),
               sa.select(users).where(u.id.in_([1, 2, 3])), sa.select(users).where(sa.exists().where(o.user_id == u.id)), sa.union(sa.select(u.id), sa.select(o.user_id)),
               sa.select(u.age, sa.func.count(u.id)).group_by(u.age).having(sa.func.count(u.id) > 1), sa.select(sa.case((u.age > 1, "a"), else_="b")),
               sa.select(sa.func.row_number().over(partition_by=u.age, order_by=u.id)), sa.select(sa.cast(u.age, sa.String(5))), sa.select(sa.extract("year", u.made)),
               sa.select(users).with_for_update(), sa.select(users).distinct(), sa.select(sa.func.coalesce(u.age, 0), sa.func.lower(u.name)), sa.select(users.alias("a"), users.alias("b")),
               sa.insert(users), sa.insert(users).from_select(["id", "name"], sa.select(o.id, sa.literal("x"))), sa.update(users).where(u.id == 1).values(age=u.age + 1),
               sa.update(users).values(age=sa.select(sa.func.max(o.id)).scalar_subquery()), sa.delete(users).where(u.id.in_(sa.select(o.user_id))), sa.delete(orders),
               sa.schema.CreateTable(users), sa.schema.CreateTable(orders), sa.schema.DropTable(orders), sa.schema.CreateIndex(list(orders.indexes)[0])]
    if dialect == "p":
        ins = postgresql.insert(users).values(id=1, name="x")
        queries += [ins.on_conflict_do_nothing(), ins.on_conflict_do_update(index_elements=["id"], set_={"name": "y"}), sa.insert(users).returning(u.id)]
    else:
        queries.append(mysql.insert(users).values(id=1, name="x").on_duplicate_key_update(name="y"))
    return [str(q.compile(dialect=d)).replace("%%", "%").replace("%s", "?") if dialect == "m" else
            re.sub(r"%\(\w+\)s", "$1", str(q.compile(dialect=d))) for q in queries]


# ---------------------------------------------------------------- what is written by hand somewhere, in these shapes

SYSBENCH = ["SELECT c FROM sbtest{n} WHERE id={n}", "SELECT c FROM sbtest{n} WHERE id BETWEEN {n} AND 199", "SELECT SUM(k) FROM sbtest{n} WHERE id BETWEEN {n} AND 99",
            "SELECT c FROM sbtest{n} WHERE id BETWEEN 1 AND {n} ORDER BY c", "SELECT DISTINCT c FROM sbtest{n} WHERE id BETWEEN 1 AND {n} ORDER BY c", "UPDATE sbtest{n} SET k=k+1 WHERE id={n}",
            "UPDATE sbtest{n} SET c='683-{n}' WHERE id={n}", "DELETE FROM sbtest{n} WHERE id={n}", "INSERT INTO sbtest{n} (id, k, c, pad) VALUES ({n}, 5, '68-96', '67-48')", "BEGIN", "COMMIT",
            "INSERT INTO sbtest{n}(k, c, pad) VALUES(5, 'a-b', 'c'),(6, 'x', 'y'),({n}, 'x', 'y')", "CREATE INDEX k_{n} ON sbtest{n}(k)", "DROP TABLE IF EXISTS sbtest{n}"]
BOTH = ["SELECT 1", "SELECT version()", "SELECT CURRENT_USER", "ROLLBACK", "SAVEPOINT sp{n}", "RELEASE SAVEPOINT sp{n}", "ROLLBACK TO SAVEPOINT sp{n}", "TRUNCATE TABLE t{n}",
        "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = 'd{n}' ORDER BY table_name",
        "SELECT column_name, data_type, is_nullable, column_default FROM information_schema.columns WHERE table_name = 't{n}' ORDER BY ordinal_position",
        "SELECT kcu.column_name, rc.delete_rule FROM information_schema.key_column_usage kcu JOIN information_schema.referential_constraints rc ON rc.constraint_name = kcu.constraint_name WHERE kcu.table_name = 't{n}'"]
TOOLS = {
    "m": ["SET NAMES utf8mb4", "SET NAMES 'utf8mb4' COLLATE 'utf8mb4_unicode_ci'", "SET autocommit=1", "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", "SET sql_mode='STRICT_TRANS_TABLES'",
          "SELECT @@session.auto_increment_increment AS auto_increment_increment, @@character_set_client AS character_set_client, @@max_allowed_packet AS m", "SHOW WARNINGS", "SHOW VARIABLES LIKE 'lower_case_%'",
          "SHOW FULL TABLES FROM `d{n}` WHERE table_type = 'BASE TABLE'", "SHOW TABLE STATUS LIKE 't{n}'", "SHOW FULL COLUMNS FROM `t{n}` FROM `d1`", "SHOW INDEX FROM `t{n}`", "SHOW CREATE TABLE `d1`.`t{n}`", "SHOW DATABASES",
          "SHOW COLLATION", "SHOW ENGINES", "SHOW GRANTS", "SHOW GLOBAL STATUS", "SHOW PROCESSLIST", "SHOW SESSION VARIABLES LIKE 'sql_mode'", "SELECT DATABASE()", "SELECT @@version_comment LIMIT 1", "SELECT CONNECTION_ID()",
          "SELECT SQL_CALC_FOUND_ROWS p.ID FROM p{n} p WHERE 1=1 AND ((p.t = 'post' AND (p.s = 'publish' OR p.s = 'private'))) ORDER BY p.d DESC LIMIT 0, 10", "SELECT FOUND_ROWS()", "SELECT LAST_INSERT_ID()",
          "SELECT t.*, tt.* FROM terms AS t INNER JOIN tax AS tt ON t.id = tt.id WHERE tt.x IN ('category', 'tag') AND t.slug IN ('a{n}') ORDER BY t.name ASC", "DESCRIBE `t{n}`", "SHOW TABLES LIKE 't{n}'",
          "INSERT INTO `o{n}` (`a`, `b`) VALUES ('x', 'y') ON DUPLICATE KEY UPDATE `a` = VALUES(`a`), `b` = VALUES(`b`)", "START TRANSACTION READ ONLY", "SELECT option_name FROM o WHERE autoload IN ( 'yes', 'on', 'auto' )",
          "DELETE a, b FROM o{n} a, o{n} b WHERE a.n LIKE '\\\\_t\\\\_%' AND b.n = CONCAT( '_z_', SUBSTRING( a.n, 12 ) ) AND b.v < 1", "/*!40101 SET NAMES utf8mb4 */", "/*!40000 ALTER TABLE `t{n}` DISABLE KEYS */",
          "LOCK TABLES `t{n}` WRITE", "UNLOCK TABLES", "DROP TABLE IF EXISTS `t{n}`", "CREATE TABLE `t{n}` (`id` int(11) NOT NULL AUTO_INCREMENT, `v` longtext COLLATE utf8mb4_bin DEFAULT NULL, PRIMARY KEY (`id`), KEY `k` (`v`(191))) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4",
          "SELECT c.name, SUM(o.total) OVER w FROM c JOIN o ON o.c = c.id WINDOW w AS (PARTITION BY c.id ORDER BY o.d)", "SELECT JSON_EXTRACT(v, '$.a') FROM t{n} WHERE JSON_CONTAINS(v, '1')", "CREATE TEMPORARY TABLE x{n} AS SELECT a FROM t{n}",
          "SELECT id FROM jobs WHERE queue = 'q{n}' ORDER BY id LIMIT 1 FOR UPDATE", "SELECT id FROM jobs WHERE queue = 'q{n}' LIMIT 1 FOR UPDATE SKIP LOCKED", "KILL 5", "ALTER TABLE t{n} ADD COLUMN c INT NULL AFTER b, ADD INDEX i (c)"],
    "p": ["SET client_encoding TO 'UTF8'", "SET extra_float_digits = 3", "SET application_name = 'x'", "SHOW TRANSACTION ISOLATION LEVEL", "SET TIME ZONE 'UTC'", "SELECT current_schema()", "SHOW server_version", "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED",
          "SELECT t.oid, typarray FROM pg_type t JOIN pg_namespace ns ON typnamespace = ns.oid WHERE typname = 'hstore'", "SELECT n.nspname AS schema, c.relname FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r','p','') AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 1,2",
          "SELECT c.oid::pg_catalog.regclass FROM pg_catalog.pg_class c, pg_catalog.pg_inherits i WHERE c.oid = i.inhparent AND i.inhrelid = '16{n}' ORDER BY inhseqno", "SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid, true) FROM pg_catalog.pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.atthasdef), a.attnotnull FROM pg_catalog.pg_attribute a WHERE a.attrelid = '16{n}' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
          "SELECT d.datname, pg_catalog.pg_get_userbyid(d.datdba), pg_catalog.pg_encoding_to_char(d.encoding) FROM pg_catalog.pg_database d ORDER BY 1", "SELECT r.rolname, r.rolsuper, ARRAY(SELECT b.rolname FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles b ON (m.roleid = b.oid) WHERE m.member = r.oid) AS memberof FROM pg_catalog.pg_roles r WHERE r.rolname !~ '^pg_' ORDER BY 1",
          "INSERT INTO t{n} (a, b) VALUES ($1, $2) RETURNING id", "INSERT INTO t{n} (a) VALUES ($1) ON CONFLICT (a) DO UPDATE SET a = EXCLUDED.a RETURNING *", "SELECT id FROM jobs WHERE queue = 'q{n}' ORDER BY id FOR UPDATE SKIP LOCKED LIMIT 1", "COPY t{n} (a, b) FROM stdin", "COPY public.t{n} TO stdout",
          "SELECT pg_catalog.setval('public.t{n}_id_seq', 5, true)", "ALTER TABLE ONLY public.t{n} ADD CONSTRAINT t{n}_pkey PRIMARY KEY (id)", "CREATE TABLE public.t{n} (id integer NOT NULL, v jsonb DEFAULT '{{}}'::jsonb, d timestamp with time zone DEFAULT now() NOT NULL)", "CREATE INDEX i{n} ON public.t{n} USING btree (id)",
          "ALTER TABLE ONLY public.t{n} ALTER COLUMN id SET DEFAULT nextval('public.t{n}_id_seq'::regclass)", "SELECT v->>'a', v @> '{{\"a\":1}}' FROM t{n} WHERE v ? 'x'", "SELECT count(*) FILTER (WHERE a > 1) FROM t{n}", "SELECT DISTINCT ON (a) a, b FROM t{n} ORDER BY a, b DESC", "LISTEN c{n}", "UNLISTEN *",
          "SELECT pg_advisory_lock({n})", "SELECT pg_advisory_unlock({n})", "DISCARD ALL", "BEGIN ISOLATION LEVEL SERIALIZABLE", "SELECT * FROM t{n} WHERE a = ANY($1::int[])", "SELECT to_char(d, 'YYYY-MM') m, count(*) FROM t{n} GROUP BY 1 ORDER BY 1", "UPDATE t{n} SET v = jsonb_set(v, '{{a}}', '1') WHERE id = 1",
          "WITH q AS (SELECT id FROM t{n} LIMIT 10) DELETE FROM t{n} USING q WHERE t{n}.id = q.id", "SELECT * FROM generate_series(1, {n}) g", "SELECT date_trunc('day', d) FROM t{n}", "DELETE FROM t{n} WHERE d < now() - interval '30 days'", "SELECT a.* FROM a, LATERAL (SELECT * FROM b WHERE b.i = a.i LIMIT 1) x",
          "SELECT string_agg(a, ',' ORDER BY a) FROM t{n}", "SELECT EXTRACT(epoch FROM d) FROM t{n}", "ALTER SEQUENCE public.t{n}_id_seq RESTART WITH 1", "EXPLAIN SELECT * FROM t{n}", "VACUUM ANALYZE t{n}", "COMMENT ON TABLE t{n} IS 'x'"],
}


def written(dialect, shapes):
    return [shape.format(n=n) if "{n}" in shape or "{{" in shape else shape for shape in shapes for n in range(1, 4)]


def measure(reader, name, texts):
    found = reader.read([t.encode() for t in texts])
    bad = [t for t, statements in zip(texts, found) if not statements or not all(proven for _, proven, _ in statements)]
    is_good = len(bad) <= LIMIT * len(texts)
    print(f"{name}: {len(texts)} statements, {len(bad)} unproven{'' if is_good else ', too many'}")
    for text in dict.fromkeys(bad):
        print(f"  unproven: {' '.join(text.split())[:400]}")
    return len(texts), len(bad), is_good


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    options = parser.parse_args()
    missing = [name for name in ("django", "sqlalchemy", "psycopg2", "pymysql") if not importlib.util.find_spec(name)]
    if missing:
        print(f"skipped: needs {' '.join(missing)}")
        return 77
    results = []
    django = django_texts()
    for dialect, name in (("m", "maria"), ("p", "postgres")):
        reader = Reader(options.build, dialect)
        corpora = [("sysbench", written(dialect, SYSBENCH)), ("tools", written(dialect, BOTH + TOOLS[dialect])), ("sqlalchemy", alchemy_texts(dialect)), ("django", django[dialect])]
        results += [measure(reader, f"{name} {corpus}", texts) for corpus, texts in corpora]
        reader.close()
    print(f"scorecard S6-honest tried={sum(r[0] for r in results)} failed={sum(r[1] for r in results)}")
    return 0 if all(r[2] for r in results) else 1


if __name__ == "__main__":
    sys.exit(main())
