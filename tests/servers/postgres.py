#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Message streams against a real PostgreSQL server: what it ran must be what was judged.

Each stream is one connection: a random row of protocol messages (pipelines with errors in them, names that are used again,
Close and Parse at the same time, portals that outlive their statement, Syncs in odd places, COPY, settings that change how text
is read), in random cuts, while the server's replies reach the judge at random times. Everything the dissector accepts goes to
the server, proven or not.

The oracle is the rows themselves: every table holds one row that says which table it is, so a reply shows what was read, whatever
the text looked like; and the server's log (log_statement = all) says each text that was run. A reply belongs to a message by the
rules of the protocol (class Replies). A proven event whose tables lack the table that was read is a failure; so is a row or a log
line that nothing judged."""
import argparse
import collections
import itertools
import os
import random
import re
import select
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

import judge

TABLES = [f"t{i}" for i in range(6)]
SCHEMAS = ("public", "a", "b")
NAMES = ("", "", "s1", "s2", "s3")
PORTALS = ("", "", "p1", "p2")
AHEAD = 8  # connections
LOG_PREFIX = "@%a@ "


# ---------------------------------------------------------------- the server

class Server:
    def __init__(self, binaries):
        self.binaries = binaries
        self.dir = tempfile.mkdtemp(prefix="bw-servers-pg-")
        shutil.chown(self.dir, "postgres")
        self.run("initdb", "-D", f"{self.dir}/data", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C")
        options = (f"-c listen_addresses= -c unix_socket_directories={self.dir} -c fsync=off -c log_statement=all "
                   f"-c log_line_prefix='{LOG_PREFIX}' -c max_connections=40 -c autovacuum=off -c lc_messages=C")
        self.run("pg_ctl", "-D", f"{self.dir}/data", "-w", "-l", f"{self.dir}/log", "-o", options, "start")

    def run(self, program, *arguments):
        subprocess.run(["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups", f"{self.binaries}/{program}",
                        *arguments], check=True, stdout=subprocess.DEVNULL, cwd=self.dir,
                       env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"})

    def close(self):
        try:
            self.run("pg_ctl", "-D", f"{self.dir}/data", "-m", "immediate", "stop")
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)

    def connect(self):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(10)
        s.connect(f"{self.dir}/.s.PGSQL.5432")
        return s

    def log(self):
        """stream -> texts, in order. A text is one line: no statement of a stream has two."""
        found = collections.defaultdict(list)
        with open(f"{self.dir}/log", encoding="latin-1") as lines:
            for line in lines:
                m = re.match(r"@(\w+)@ LOG:  (statement|execute [^:]*): (.*)$", line)
                if m:
                    found[m[1]].append((m[2].split()[0], m[3]))
        return found


# ---------------------------------------------------------------- messages

def message(kind, body=b""):
    return kind.encode() + struct.pack(">I", len(body) + 4) + body


def z(text):
    return text.encode() + b"\0"


def startup(stream):
    body = struct.pack(">I", 3 << 16) + b"user\0postgres\0application_name\0" + z(stream) + b"\0"
    return struct.pack(">I", len(body) + 4) + body


class Item:
    """One message: kind is its type byte; `key` the number within its text; `events` what was judged for it."""

    def __init__(self, kind, body=b"", text=None):
        self.kind, self.body, self.text, self.events, self.is_asked = kind, body, text, [], False

    def bytes(self):
        return message(self.kind, self.body)


class Stream:
    """Makes messages. Every text has a number of its own, which its rows repeat."""

    def __init__(self, rng):
        self.rng, self.n, self.is_wild = rng, 0, rng.random() < 0.2
        self.parsed, self.bound = set(), set()  # names that were, rather than any

    def name(self, known):
        if known and not self.is_wild and self.rng.random() < 0.95:
            return self.rng.choice(sorted(known))
        return self.rng.choice(NAMES if known is self.parsed else PORTALS)

    def select(self):
        r = self.rng
        self.n += 1
        table = r.choice(TABLES)
        if r.random() < 0.2:
            table = f"{r.choice(SCHEMAS)}.{table}"
        if r.random() < 0.08:
            return rf"SELECT 'x\', tag, {self.n} FROM {table} --', tag, {self.n} FROM {r.choice(TABLES)}"
        if r.random() < 0.06:
            return f"SELECT tag, {self.n} FROM pg_t1"
        if r.random() < 0.15:
            return f"UPDATE {table} SET n = n RETURNING tag, {self.n}"
        return f"SELECT tag, {self.n} FROM {table}"

    def wrong(self):
        self.n += 1
        return self.rng.choice((f"SELEC {self.n}", f"SELECT tag, {self.n}/0 FROM t1", f"SELECT {self.n} FROM missing"))

    def setting(self):
        return self.rng.choice((
            "BEGIN", "SAVEPOINT x", "ROLLBACK TO x", "COMMIT") if not self.is_wild and self.rng.random() < 0.7 else (
            "BEGIN", "BEGIN", "SAVEPOINT x", "ROLLBACK TO x", "ROLLBACK", "COMMIT", "SET search_path = a", "SET search_path = public, pg_catalog",
            "SET LOCAL search_path = b, a", "RESET search_path", "SET standard_conforming_strings = off", "SET standard_conforming_strings = on",
            "SET LOCAL standard_conforming_strings = on", "RESET standard_conforming_strings", "RESET ALL", "DEALLOCATE s1") + (
                ("DEALLOCATE ALL", "DISCARD ALL", "SELECT set_config('search_path', 'b', false)") if self.is_wild else ()))

    def cursor(self):
        self.n += 1
        if not self.is_wild:
            return f"DECLARE p1 CURSOR WITH HOLD FOR SELECT tag, {self.n} FROM t4"
        return self.rng.choice((
            f"PREPARE s2 AS SELECT tag, {self.n} FROM t5", f"DECLARE p1 CURSOR WITH HOLD FOR SELECT tag, {self.n} FROM t4",
            "CLOSE p1", "EXECUTE s2", "EXECUTE s1"))

    def text(self):
        r = self.rng.random()
        return self.select() if r < 0.76 else self.wrong() if r < 0.84 else self.setting() if r < 0.97 else self.cursor()

    def query(self):
        if self.rng.random() < 0.12:
            return Item("Q", z("; ".join(self.text() for _ in range(2))), "several")
        text = self.text()
        return Item("Q", z(text), text)

    def parse(self, name=None):
        text = self.text()
        name = self.rng.choice(NAMES) if name is None else name
        self.parsed.add(name)
        return Item("P", z(name) + z(text) + b"\0\0", text)

    def bind(self, portal=None, name=None):
        portal = self.rng.choice(PORTALS) if portal is None else portal
        self.bound.add(portal)
        n_parameters = 1 if self.rng.random() < 0.04 else 0  # one too many is an error
        body = struct.pack(">HH", 0, n_parameters) + (struct.pack(">I", 1) + b"1" if n_parameters else b"") + b"\0\0"
        return Item("B", z(portal) + z(self.name(self.parsed) if name is None else name) + body)

    def execute(self, portal=None):
        return Item("E", z(self.name(self.bound) if portal is None else portal) + struct.pack(">I", self.rng.choice((0, 0, 0, 1))))

    def named(self, kind):
        if self.rng.random() < 0.7:
            return Item(kind, b"S" + z(self.rng.choice(NAMES)))
        return Item(kind, b"P" + z(self.rng.choice(PORTALS)))

    def unit(self):
        """One prepared statement, used as clients do."""
        name, portal = self.rng.choice(NAMES), self.rng.choice(PORTALS)
        row = [self.parse(name), self.bind(portal, name), self.execute(portal)]
        if name and self.rng.random() < 0.5:
            row.insert(0, Item("C", b"S" + z(name)))
        if portal and self.rng.random() < 0.5:
            row.append(Item("C", b"P" + z(portal)))
        return row + ([Item("S")] if self.rng.random() < 0.6 else [])

    def one(self, kind, text, name=""):
        return Item(kind, z(text) if kind == "Q" else z(name) + z(text) + b"\0\0", text)

    def read(self, name="s1"):
        self.n += 1
        return self.one("P", f"SELECT tag, {self.n} FROM {self.rng.choice(TABLES)}", name)

    def use(self, name, portal="", is_bound=True):
        return ([Item("B", z(portal) + z(name) + bytes(6))] if is_bound else []) + [Item("E", z(portal) + bytes(4))]

    def run(self, text, portal="q"):
        return [self.one("P", text, "run" + portal), Item("B", z(portal) + z("run" + portal) + bytes(6)), Item("E", z(portal) + bytes(4)),
                Item("C", b"S" + z("run" + portal)), Item("C", b"P" + z(portal))]

    def trick(self):
        """What a client could do to have another text run than the one it was judged by."""
        close, sync, bad = Item("C", b"Ss1\0"), Item("S"), self.one("P", "SELEC 1", "bad")
        r = self.rng.choice((0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 4, 4, 5))  # most of the last is refused, and ends the stream
        if r == 0:  # the server searches again
            return [close, self.read(), sync, self.one("Q", "SET search_path = " + self.rng.choice(("a", "b", "public, pg_catalog")))] + self.use("s1") + [sync]
        if r == 1:  # Close and Parse are skipped
            return [close, self.read(), sync, bad, close, self.read(), sync] + self.use("s1") + [sync]
        if r == 2:  # a portal that a savepoint keeps, and a Bind that fails
            portal = self.rng.choice(("", "p1"))
            row = [self.one("Q", "BEGIN"), close, self.read(), Item("B", z(portal) + b"s1\0" + bytes(6))] + self.run("SAVEPOINT x")
            row += [close, self.read(), Item("B", z(portal) + b"s1\0" + struct.pack(">HHI", 0, 1, 1) + b"1\0\0"), sync]
            return row + self.run("ROLLBACK TO x") + self.use("", portal, False) + [sync, self.one("Q", "ROLLBACK")]
        if r == 3:  # more messages than are counted
            return [close, self.read(), sync] + [Item("C", b"Snone\0")] * 256 + [bad, close, self.read(), sync] + self.use("s1") + [sync]
        if r == 4:  # a setting that the end of a transaction brings back
            return [self.one("Q", "SET standard_conforming_strings = off"), self.one("Q", "BEGIN"), self.one("Q", "SET LOCAL standard_conforming_strings = on"),
                    self.one("Q", self.rng.choice(("ROLLBACK", "COMMIT", "SELECT 1/0; ROLLBACK"))),
                    self.one("Q", rf"SELECT 'x\', tag, 1 FROM t1 --', tag, 1 FROM t2")]
        # older servers take what is no part of COPY for an error in it, and forget it
        return [self.read(""), sync, self.one("Q", "COPY c0 FROM STDIN"), self.read("")] + self.use("") + [sync]

    def copy(self):
        """COPY FROM STDIN, by Query or by Execute; Syncs within, errors in the data."""
        r = self.rng
        table = r.choice(("c0", "c0", "c0", "c1", "missing"))
        text = f"COPY {table} FROM STDIN"
        row = [Item("Q", z(text), text)]
        if r.random() < 0.5:
            row = [Item("P", b"\0" + z(text) + b"\0\0", text), Item("B", b"\0\0\0\0\0\0\0\0"), Item("E", b"\0\0\0\0\0")]
            if r.random() < 0.7:
                row.append(Item("S"))
        for _ in range(r.randrange(3)):
            row.append(Item("d", b"1\n" if r.random() < 0.8 else b"x\n"))
            if r.random() < 0.1:
                row.append(Item("S"))
        row.append(Item("c") if r.random() < 0.8 else Item("f", z("no")))
        return row + ([Item("S")] if len(row) > 1 and row[0].kind == "P" else [])

    def messages(self):
        row = []
        while len(row) < 32:
            r = self.rng.random()
            if r < 0.04:
                row += self.trick()
            elif r < 0.34:
                row += self.unit()
            elif r < 0.44:
                row.append(self.query())
            elif r < 0.47:
                row += self.copy()
            elif r < 0.6:
                row.append(Item("S"))
            else:
                row.append(self.rng.choice((self.parse, self.bind, self.bind, self.execute, self.execute, lambda: self.named("C"),
                                            lambda: self.named("D"), lambda: Item("H")))())
        return row + [Item("S")]


# ---------------------------------------------------------------- replies

class Replies:
    """Which message each reply answers. `is_blind`: a COPY failed, and how much of what was behind it the server read as a
    part of it cannot be told; until the next known place rows are compared with all that was judged."""

    def __init__(self):
        self.waiting, self.is_blind, self.in_copy, self.is_skipping = collections.deque(), False, False, False

    def send(self, item):
        if item.kind == "S" and not self.in_copy:
            self.is_skipping = False
        if item.kind in "PBCDEQSFcf" and not self.is_skipping:
            self.waiting.append(item)
        if self.in_copy:
            self.swallow()

    def swallow(self):
        """The server is in COPY: Syncs up to its end are forgotten."""
        head = self.waiting[0]
        rest = list(self.waiting)[1:]
        while rest and rest[0].kind == "S":
            rest.pop(0)
        self.waiting = collections.deque([head] + rest)

    def skip_ended_copies(self):
        while self.waiting and self.waiting[0].kind in "cf":
            self.waiting.popleft()

    def take(self, kind, body):
        """The item that this reply is about, or None."""
        if kind in "SNARKvtTDdH" and not (kind == "T" and self.waiting and self.waiting[0].kind == "D") and kind != "D":
            return None
        self.skip_ended_copies()
        if not self.waiting:
            return None
        head = self.waiting[0]
        if kind in "123" or (kind == "T" and head.kind == "D") or kind == "n":
            self.waiting.popleft()
        elif kind == "G":
            self.in_copy = True
            self.swallow()
        elif kind == "E":
            self.error(head)
        elif kind in "CsI":
            if self.in_copy:
                self.end_copy(head)
            elif head.kind == "E":
                self.waiting.popleft()
        elif kind == "Z":
            self.waiting.popleft()
            self.is_blind = self.is_blind and bool(self.waiting)
        return head

    def end_copy(self, head):
        self.in_copy = False
        ended = False
        rest = collections.deque()
        for item in list(self.waiting)[1:]:
            if not ended and item.kind in "Scf":
                ended = item.kind in "cf"
            else:
                rest.append(item)
        if head.kind == "Q":
            rest.appendleft(head)
        self.waiting = rest

    def error(self, head):
        if self.in_copy and any(item.kind == "S" for item in self.waiting):
            self.is_blind = True
        self.in_copy = False
        if head.kind == "Q":
            return
        while self.waiting and self.waiting[0].kind != "S":
            self.waiting.popleft()
        self.is_skipping = not self.waiting


# ---------------------------------------------------------------- one stream

class Count(collections.Counter):
    def fail(self, stream, what):
        self["failed"] += 1
        if self["failed"] <= 20:
            print(f"FAILED stream {stream}: {what}", flush=True)


def judged_tables(events):
    return [set(judge.texts(e, "tables")) for e in events]


def is_covered(events, table):
    """Did one of these events name that table, or say that it does not know?"""
    name = table.removeprefix(b"public.")
    return any(e["unproven"] or name in judge.texts(e, "tables") for e in events)


class Conversation:
    def __init__(self, number, server, j, rng, count):
        self.number, self.name, self.j, self.rng, self.count = number, f"x{number}", j, rng, count
        self.replies, self.buffer, self.judged = Replies(), b"", []
        self.is_refused = self.is_over = False  # by the judge; the server closed
        self.texts, self.runs = collections.Counter(), []
        self.socket = server.connect()
        self.socket.sendall(startup(self.name))

    def close(self):
        self.socket.close()

    def log_in(self):
        data = b""
        while b"Z\0\0\0\5I" not in data:
            chunk = self.socket.recv(65536)
            if not chunk:
                return False
            data += chunk
        self.j.tell([("N", b"postgres"), ("C", startup(self.name)), ("S", data)])
        return True

    def run(self, items):
        i = 0
        while i < len(items) and not self.is_refused and not self.is_over:
            n = self.rng.choice((1, 1, 2, 3, 5, 9))
            self.send(items[i:i + n])
            i += n
            if self.rng.random() < 0.35:
                self.receive(self.rng.choice((0, 0, 0.002)))
        if not self.is_refused:
            self.settle()

    def send(self, items):
        """One write; the judge sees message by message, so that its events have owners."""
        answers = self.j.tell([("C", item.bytes()) for item in items])
        out = []
        for item, answer in zip(items, answers):
            item.events = judge.requests(answer)
            if answer["status"] == "refused":
                self.is_refused = True
                self.count["refused"] += 1
                self.count["refused: " + answer["why"]] += 1
                break
            out.append(item)
            self.judged += item.events
            if item.text:
                for piece in item.body.split(b"\0")[item.kind == "P"].decode().split("; "):
                    self.texts[piece] += 1
            self.replies.send(item)
        try:
            self.socket.sendall(b"".join(item.bytes() for item in out))
        except OSError:
            self.is_over = True

    def receive(self, seconds):
        if not select.select([self.socket], [], [], seconds)[0]:
            return False
        try:
            data = self.socket.recv(self.rng.choice((7, 300, 65536)))
        except (ConnectionResetError, TimeoutError):
            data = b""
        if not data:
            self.is_over = True
            return False
        answer = self.j.server(data)
        if answer["status"] == "refused" and not self.is_refused:
            self.count.fail(self.name, f"a reply of the server was refused: {answer['why']}")
            self.is_refused = True
        self.buffer += data
        while len(self.buffer) >= 5:
            n = 1 + struct.unpack(">I", self.buffer[1:5])[0]
            if len(self.buffer) < n:
                break
            self.reply(chr(self.buffer[0]), self.buffer[5:n])
            self.buffer = self.buffer[n:]
        return True

    def reply(self, kind, body):
        is_blind = self.replies.is_blind
        item = self.replies.take(kind, body)
        if kind == "D":
            self.row(item, body, is_blind)

    def row(self, item, body, is_blind):
        values, at = [], 2
        for _ in range(struct.unpack(">H", body[:2])[0]):
            n = struct.unpack(">i", body[at:at + 4])[0]
            values.append(body[at + 4:at + 4 + n] if n >= 0 else None)
            at += 4 + max(n, 0)
        if len(values) < 2:
            return  # set_config()
        tag = values[-2]
        self.count["rows"] += 1
        if is_blind or item is None or item.kind not in "QE":
            self.count["rows compared with all"] += 1
            if not is_covered(self.judged, tag):
                self.count.fail(self.name, f"{tag} was read, and nothing judged names it")
            return
        if not is_covered(item.events, tag):
            self.count.fail(self.name, f"{item.kind} {item.body}: {tag} was read; judged {judged_tables(item.events)}, row {values}")
        self.count["rows of unproven requests"] += all(e["unproven"] for e in item.events)

    def settle(self):
        """The last message is a Sync: all is answered once no message waits."""
        end = time.monotonic() + 5
        while time.monotonic() < end and (any(i.kind == "S" or i.kind == "Q" for i in self.replies.waiting) and not self.replies.is_blind):
            if not self.receive(0.5):
                self.count["streams whose replies do not add up"] += 1
                if os.environ.get("BW_SHOW"):
                    print(self.name, [(i.kind, i.body) for i in self.replies.waiting])
                break
        while self.receive(0.002):
            pass


# ---------------------------------------------------------------- all of it

def prepare(server):
    script = "".join(f"CREATE SCHEMA IF NOT EXISTS {s};" for s in SCHEMAS)
    for s in SCHEMAS:
        for t in TABLES + ["pg_t1"]:
            script += f"CREATE TABLE {s}.{t} (tag text, n int); INSERT INTO {s}.{t} VALUES ('{s}.{t}', 1);"
    script += "CREATE TABLE c0 (n int); CREATE TABLE c1 (n int CHECK (n > 5));"
    s = server.connect()
    s.sendall(startup("prepare"))
    s.sendall(message("Q", z(script)) + message("X"))
    data = b""
    while chunk := s.recv(65536):
        data += chunk
    s.close()
    if b"CREATE TABLE" not in data:
        raise RuntimeError(data)


def check_log(server, conversations, count):
    log = server.log()
    for name, texts in conversations.items():
        for how, text in log.get(name, ()):
            count["log lines"] += 1
            # No text: a Bind failed half way within a transaction block, which is over with that.
            if text and not all(piece in texts for piece in text.split("; ")):
                count.fail(name, f"the log has {how} {text!r}, which was not judged")


def find_server(wanted):
    if wanted:
        return wanted
    found = sorted((int(v), f"/usr/lib/postgresql/{v}/bin") for v in os.listdir("/usr/lib/postgresql")) if os.path.isdir("/usr/lib/postgresql") else []
    return found[-1][1] if found else None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--server", help="folder of initdb, pg_ctl and postgres")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--streams", type=int, default=0, help="at most")
    parser.add_argument("--seconds", type=float, default=20, help="at most")
    parser.add_argument("--only", type=int, help="this stream alone")
    arguments = parser.parse_args()
    binaries = find_server(arguments.server)
    if os.getuid() != 0 or not binaries or not os.path.exists(f"{binaries}/pg_ctl"):
        print("skipped: needs root and an installed postgresql")
        return 77
    server = Server(binaries)
    j = judge.Judge(arguments.build)
    count, conversations = Count(), {}
    try:
        prepare(server)
        end = time.monotonic() + arguments.seconds
        waiting = collections.deque()  # the server forks for the next while it serves the first
        numbers = itertools.count() if arguments.only is None else iter([arguments.only])
        while time.monotonic() < end and (not arguments.streams or count["streams"] < arguments.streams):
            for number in itertools.islice(numbers, AHEAD - len(waiting)):
                waiting.append(Conversation(number, server, j, random.Random(f"{arguments.seed}/{number}"), count))
            if not waiting:
                break
            c = waiting.popleft()
            if not c.log_in():
                count["connections that the server did not take"] += 1
                c.close()
                time.sleep(0.1)  # a crash of one ends all, for a while
                continue
            c.run(Stream(c.rng).messages())
            c.close()
            conversations[c.name] = c.texts
            count["streams"] += 1
        for c in waiting:
            c.close()
        time.sleep(0.3)
        check_log(server, conversations, count)
    finally:
        j.close()
        server.close()
    for key in sorted(count):
        print(f"{count[key]:9} {key}")
    if count["rows"] < 2 * count["streams"] or count["log lines"] < count["streams"]:
        count.fail("all", "the server hardly did anything: nothing was compared")
    print(f"scorecard S7-postgres tried={count['streams']} failed={count['failed']}")
    return 1 if count["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
