#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""sqldiff.py --build FOLDER [--dialect maria|postgres] [--seconds N | --count N] [--seed N]: can a proven statement touch what the reader
does not name?

The oracle is the server's own check of rights. For every set of the tables there is one user who may do all with exactly these, and one
who may only read them. A statement is run by the user whose tables are those that the reader named, the reading one when the verb is one
of the group `read`: should the server refuse for want of a right, then the statement touches a table that was not named, or
writes though it was said to read. The server must also not run more statements of a text than the reader counted.

That the oracle sees is tried all the time: statements that went through are run again without one of the named tables, and must be
refused. Prints the seed, and of a failure the statement, made as short as it will go. Exit 77 where a server is missing.
"""
import argparse
import glob
import os
import re
import shutil
import struct
import subprocess
import sys
import time

import grammar
import wire

READING = {"m": {"select", "show", "describe"}, "p": {"select", "copy_out", "show", "declare"}}
# MariaDB answers OK to an empty statement behind the last semicolon.
EMPTY_END = re.compile(rb";(?:\s|/\*(?:(?!\*/).)*\*/|#[^\n]*\n|--\s[^\n]*\n)*$", re.DOTALL)
# PostgreSQL wants the right to write of who locks rows.
LOCKS_ROWS = re.compile(rb"\bfor\b.*\b(?:update|share)\b", re.IGNORECASE | re.DOTALL)
NOTICED_MIN = 0.9  # a name of WITH that hides a table counts as that table: the rest


class Reader:
    """bw-sqlread, many texts at a time."""

    def __init__(self, build, dialect):
        self.process = subprocess.Popen([f"{build}/tests/sqldiff/bw-sqlread"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.dialect = dialect.encode()

    def read(self, texts):
        self.process.stdin.write(b"".join(self.dialect + struct.pack("<I", len(t)) + t for t in texts))
        self.process.stdin.flush()
        return [self.statements(self.process.stdout.readline()) for _ in texts]

    @staticmethod
    def statements(line):
        if not line.endswith(b"\n"):
            raise RuntimeError("bw-sqlread ended early")
        found = []
        for part in line[:-1].decode().split("\t"):
            if part:
                verb, proven, tables = part.split(" ")[:3]
                names = [tuple(unescape(n) for n in t.split(".", 1)) for t in tables.split(",") if t]
                found.append((verb, proven == "1", names))
        return found

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def unescape(text):
    return re.sub("%(..)", lambda m: chr(int(m[1], 16)), text).encode("latin-1").decode("utf-8", "replace")


# ---------------------------------------------------------------- one server, a user for each set of tables

class MariaWorld:
    dialect = grammar.MARIA
    denials = {1044, 1142, 1143, 1227, 1370, 1045, 1410}
    syntax = {1064, 1065}

    def __init__(self):
        self.server = wire.MariaServer()
        self.users = {}
        self.setup()

    def setup(self):
        self.sql("CREATE DATABASE d1", "CREATE DATABASE d2", "USE d1")
        self.sql("SET sql_log_bin = 0")
        self.restore()
        self.sql("CREATE TABLE d1.everybodys (i int)")
        tables = grammar.TABLES[self.dialect]
        for mask in range(1 << len(tables)):
            for kind, rights in (("r", "SELECT, SHOW VIEW"), ("w", "ALL")):
                user = f"{kind}{mask}@localhost"
                self.sql(f"CREATE USER {user}", f"GRANT SELECT ON d1.everybodys TO {user}", f"GRANT CREATE TEMPORARY TABLES, LOCK TABLES ON *.* TO {user}" if kind == "w" else "DO 1")
                for bit, (schema, name) in enumerate(tables):
                    if mask >> bit & 1:
                        self.sql(f"GRANT {rights} ON `{schema}`.`{name.replace('`', '``')}` TO {user}")
                for n in range(1, 10):
                    if kind == "w":
                        self.sql(f"GRANT ALL ON d1.n{n} TO {user}")

    def sql(self, *texts):
        for text in texts:
            a = self.server.root.ask(text.encode())
            if a.error:
                raise RuntimeError(f"{text}: {a.error}")

    def restore(self):
        for schema, name in grammar.TABLES[self.dialect]:
            full = f"`{schema}`.`{name.replace('`', '``')}`"
            self.sql(f"CREATE TABLE IF NOT EXISTS {full} (i int PRIMARY KEY, j int, t varchar(20))",
                     f"INSERT IGNORE INTO {full} (i, j, t) VALUES (1, 1, 'x'), (2, 2, 'y')")
        names = ", ".join(f"d1.n{n}" for n in range(1, 10))
        self.sql(f"DROP VIEW IF EXISTS {names}", f"DROP TABLE IF EXISTS {names}")

    def user(self, kind, mask):
        key = kind, mask
        if key not in self.users:
            self.users[key] = self.server.connect(f"{kind}{mask}".encode(), b"d1")
        return self.users[key]

    def recover(self, kind, mask):
        """A statement in a hundred thousand is the end of the server itself."""
        self.users.pop((kind, mask), None)
        time.sleep(0.2)
        if self.server.process.poll() is not None:
            self.users.clear()
            self.server.begin()
            self.sql("USE d1")
            self.restore()

    def run(self, kind, mask, text, verbs):
        try:
            c = self.user(kind, mask)
            a = c.ask(text) if kind == "r" else c.ask_undone(text)
        except (ConnectionError, TimeoutError):
            self.recover(kind, mask)
            return None
        if verbs & {"create", "alter", "drop", "rename", "truncate", "lock", "set", "begin", "use"}:
            self.users.pop((kind, mask)).close()  # what it holds, or has set, ends
            if a.n_done and verbs & {"create", "alter", "drop", "rename", "truncate"}:
                self.restore()
        return a

    @staticmethod
    def is_denied(a):
        return a.error and a.error[0] in MariaWorld.denials

    @staticmethod
    def denied_name(a):
        found = re.search(r"for table `(.*)`\.`(.*)`$", a.error[1].decode("utf-8", "replace")[5:]) or re.search(r"for table `(.*)`\.`(.*)`", a.error[1].decode("utf-8", "replace"))
        return (found[1].replace("``", "`"), found[2].replace("``", "`")) if found else None

    def key(self, schema, name):
        return (schema or "d1", name)


class PostgresWorld:
    dialect = grammar.POSTGRES
    denials = {"42501"}
    syntax = {"42601"}

    def __init__(self):
        self.server = wire.PostgresServer()
        self.users = {}
        self.setup()

    def sql(self, *texts):
        for text in texts:
            a = self.server.root.ask(text.encode())
            if a.error:
                raise RuntimeError(f"{text}: {a.error}")

    def setup(self):
        self.sql("CREATE SCHEMA x", "GRANT ALL ON SCHEMA x, public TO public")
        tables = grammar.TABLES[self.dialect]
        for bit, (schema, name) in enumerate(tables):
            full = f'"{schema}"."{name.replace(chr(34), chr(34) * 2)}"'
            self.sql(f"CREATE ROLE o{bit}", f"GRANT CREATE, USAGE ON SCHEMA public, x TO o{bit}")
            if name == "s":
                self.sql(f"CREATE SEQUENCE {full}", f"ALTER SEQUENCE {full} OWNER TO o{bit}")
            else:
                self.sql(f"CREATE TABLE {full} (i int, j int, t text)", f"INSERT INTO {full} VALUES (1, 1, 'x'), (2, 2, 'y')", f"ALTER TABLE {full} OWNER TO o{bit}")
        for mask in range(1 << len(tables)):
            self.sql(f"CREATE USER r{mask}", f"CREATE USER w{mask}")
            for bit, (schema, name) in enumerate(tables):
                if mask >> bit & 1:
                    full = f'"{schema}"."{name.replace(chr(34), chr(34) * 2)}"'
                    self.sql(f"GRANT o{bit} TO w{mask}", f"GRANT {'USAGE, SELECT ON SEQUENCE' if name == 's' else 'SELECT ON'} {full} TO r{mask}")

    def user(self, kind, mask):
        key = kind, mask
        if key not in self.users:
            self.users[key] = self.server.connect(f"{kind}{mask}".encode(), b"")
        return self.users[key]

    def run(self, kind, mask, text, verbs):
        if b"\0" in text:
            return None
        try:
            a = self.user(kind, mask).ask_undone(text)
        except (ConnectionError, TimeoutError):
            self.users.pop((kind, mask), None)
            return None
        if verbs & {"set", "account", "commit", "begin", "rollback", "reset"}:
            self.users.pop((kind, mask)).close()
        return a

    @staticmethod
    def is_denied(a):
        return a.error and a.error[0] in PostgresWorld.denials

    @staticmethod
    def denied_name(_a):
        return None

    def key(self, schema, name):
        return (schema or "public", name)


WORLDS = {"maria": MariaWorld, "postgres": PostgresWorld}


# ---------------------------------------------------------------- the comparison

class Comparison:
    def __init__(self, world, reader):
        self.world = world
        self.reader = reader
        self.bits = {table: 1 << bit for bit, table in enumerate(grammar.TABLES[world.dialect])}
        self.count = dict.fromkeys(("tried", "proven", "executed", "refused_as_syntax", "refused_else", "lost", "failed", "looked", "noticed"), 0)

    def mask_of(self, found):
        mask = 0
        for _, _, tables in found:
            for schema, name in tables:
                mask |= self.bits.get(self.world.key(schema, name), 0)
                if not name:
                    mask |= sum(bit for (s, _), bit in self.bits.items() if s == schema)
        return mask

    def judge(self, text, found, count):
        """Why the reader was wrong, or None."""
        verbs = {verb for verb, _, _ in found}
        if not found or not all(proven for _, proven, _ in found):
            return None
        count["proven"] += 1
        mask = self.mask_of(found)
        is_reading = verbs <= READING[self.world.dialect] and not LOCKS_ROWS.search(text)
        kind = "r" if is_reading else "w"
        a = self.world.run(kind, mask, text, verbs)
        if a is None:
            count["lost"] += 1
            return None
        why = self.why(text, found, a, kind)
        if not a.error:
            count["executed"] += 1
            if mask and not why and count["executed"] % 16 == 0:
                self.look(text, kind, mask, verbs, count)
        elif a.error[0] in self.world.syntax:
            count["refused_as_syntax"] += 1
        else:
            count["refused_else"] += 1
        return why

    def why(self, text, found, a, kind):
        n_ran = a.n_done + (a.error is not None and a.error[0] not in self.world.syntax)
        if n_ran > len(found) + bool(EMPTY_END.search(text)):
            return f"the server ran {n_ran} statements, the reader counted {len(found)}"
        if not self.world.is_denied(a):
            return None
        named = {self.world.key(s, n) for _, _, tables in found for s, n in tables}
        who = self.world.denied_name(a)
        if who and who in named and who not in self.bits:
            return None  # a table that does not exist, and that was named
        return f"refused for want of a right ({'reading' if kind == 'r' else 'writing'} user): {a.error[1].decode('utf-8', 'replace')}"

    def look(self, text, kind, mask, verbs, count):
        """The same without one table: now it must be refused."""
        bits = [b for b in self.bits.values() if mask & b]
        a = self.world.run(kind, mask & ~bits[count["looked"] % len(bits)], text, verbs)
        if a and (not a.error or self.world.is_denied(a)):
            count["looked"] += 1
            count["noticed"] += bool(a.error)

    def batch(self, items):
        texts = [text.encode("utf-8", "replace") for _, text in items]
        for (tokens, text), raw, found in zip(items, texts, self.reader.read(texts)):
            self.count["tried"] += 1
            why = self.judge(raw, found, self.count)
            if why:
                self.count["failed"] += 1
                self.tell(tokens, raw, found, why)

    def tell(self, tokens, raw, found, why):
        print(f"FAILED: {why}\n  text: {raw!r}\n  read: {found}", flush=True)

        def fails(shorter):
            text = self.writer(shorter)
            return self.judge(text, self.reader.read([text])[0], dict.fromkeys(self.count, 0)) is not None

        if self.count["failed"] <= 5 and fails(tokens):
            short = self.writer(grammar.smaller(tokens, fails))
            print(f"  short: {short!r}\n  read: {self.reader.read([short])[0]}", flush=True)

    def writer(self, tokens):
        return grammar.plainly(tokens, self.world.dialect).encode("utf-8", "replace")


def run(name, options):
    world = WORLDS[name]()
    reader = Reader(options.build, world.dialect)
    c = Comparison(world, reader)
    try:
        source = grammar.statements(f"{options.seed} {name}", world.dialect)
        begin = time.monotonic()
        while (c.count["tried"] < options.count if options.count else time.monotonic() - begin < options.seconds):
            c.batch([next(source) for _ in range(200)])
        seconds = time.monotonic() - begin
    finally:
        world.server.close()
        reader.close()
    n = c.count
    print(f"{name}: seed={options.seed} {' '.join(f'{k}={v}' for k, v in n.items())} per_second={n['tried'] / seconds:.0f}")
    print(f"{name}: proven {100 * n['proven'] / n['tried']:.1f} % of the statements, of these executed {100 * n['executed'] / max(1, n['proven']):.1f} %, "
          f"noticed {n['noticed']} of {n['looked']} missing rights")
    print(f"scorecard S6 tried={n['tried']} failed={n['failed']}", flush=True)
    blind = n["looked"] < 10 or n["noticed"] < NOTICED_MIN * n["looked"] or n["executed"] * 2 < n["proven"]
    if blind:
        print(f"{name}: the server executed or noticed too little for this to mean anything")
    return n["failed"] == 0 and not blind


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--dialect", choices=sorted(WORLDS))
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--seed", default=os.environ.get("BW_SEED", str(int(time.time()))))
    options = parser.parse_args()
    missing = [w for w in ("mariadb-install-db",) if not shutil.which(w)] + ([] if glob.glob("/usr/lib/postgresql/*/bin") else ["postgres"])
    if missing or os.getuid() != 0:
        print(f"skipped: needs root and {' '.join(missing) or 'nothing else'}")
        return 77
    return 0 if all([run(name, options) for name in sorted(WORLDS) if options.dialect in (None, name)]) else 1


if __name__ == "__main__":
    sys.exit(main())
