#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a real MariaDB executes must have been judged: mutated streams of commands, through the dissector, to the server.

A stream is a login and a row of commands. Only what the dissector lets through goes on; the server's answers go
through the dissector, too. The server keeps a log of every statement (the slow log with a limit of 0: the general log has only the
whole text where one packet has several statements): each in it must be the next one that the dissector
judged on this connection, and where a text has several, they must be the same ones. An execution that the dissector called
proven must be of the statement whose verb and tables it named.
The server listens on a socket in a folder of its own. Exit status 77: not root, or no mariadbd.

    mysql.py --build build/release [--streams 2000] [--seconds 30] [--seed N]
"""
import argparse
import os
import random
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

from judge import Judge, requests, texts

SKIPPED = 77
USER = b"wp"
PLUGIN, SECURE, PROTOCOL_41, WITH_DB = 1 << 19, 1 << 15, 1 << 9, 1 << 3
TEXTS = [
    b"SELECT 1", b"SELECT a FROM t", b"SELECT a FROM other.t WHERE a > 1", b"SELECT 'a;b', \"c;d\", `a` FROM t", b"SELECT 1; SELECT 2",
    b"SELECT 1; USE other; SELECT a FROM t", b"USE other", b"USE blog", b"INSERT INTO t VALUES (1), (2)", b"SELECT 1 -- x; SELECT 2\n",
    b"SELECT 1 # ; x\n; SELECT 3", b"/* ; */ SELECT 4", b"SELECT /*! 5; */ 6", b"SELECT 1 /*!99999 ; DROP TABLE t */", b"SET NAMES latin1",
    b"SELECT 'a\\'; SELECT 7", b"SELECT 'a''; SELECT 8'", b"SELECT \"\\\";\"; SELECT 9", b"", b";", b";;SELECT 10;;", b"SELECT 11;", b"DELETE FROM t WHERE a = 1",
    b"SELECT 'x' /* a */ ; /* b */ SELECT 12", b"BEGIN", b"COMMIT", b"SET sql_mode = ''", b"SELECT x'3b', b'1', _utf8'a;b', n'a'", b"SELECT nothing FROM t",
    b"SELECT \xc3\xa4 FROM t", b"SELECT '\xc3\xa4;'", b"SELECT 1--1; SELECT 1-- 1", b"SELECT `a;b` FROM t", b"VALUES (1), (2)", b"SELECT 1\0; SELECT 2", b"EXPLAIN SELECT 1",
]
COMMANDS = bytes(range(0x21)) + b"\xef\xfa\xfe\xff"


def packet(body, sequence=0):
    return struct.pack("<I", len(body) & 0xFFFFFF)[:3] + bytes([sequence]) + body


# ---------------------------------------------------------------- streams

class Streams:
    """Rows of commands as a client might send them, some of them broken."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def login(self):
        r = self.random
        flags = PLUGIN | SECURE | PROTOCOL_41 | WITH_DB
        for bit in (1, 2, 8, 10, 13, 16, 17, 18, 22, 23, 24):
            flags |= r.getrandbits(1) << bit
        if r.random() < 0.1:
            flags ^= 1 << r.randrange(32)
        more = r.choice([0, 0x1D, 0x0C])
        user = r.choice([USER] * 30 + [b"'wp'", b"nobody"])
        if flags & 1:
            more = 0
        body = struct.pack("<IIB", flags, 1 << 24, r.choice([45] * 8 + [8, 28, 63, 224, 255])) + bytes(19) + struct.pack("<I", more) + user + b"\0\0"
        if flags & WITH_DB:
            body += b"blog\0"
        return packet(body + b"mysql_native_password\0", 1)

    def text(self):
        r = self.random
        text = bytearray(r.choice(TEXTS))
        while r.random() < 0.4 and text:
            at = r.randrange(len(text))
            how = r.randrange(5)
            if how == 0:
                text[at] = r.choice(b"'\"`;\\/*!-# \n\0\xa0\xbf(") if r.random() < 0.8 else r.randrange(256)
            elif how == 1:
                text.insert(at, r.choice(b"'\"`;\\/*!-# \n"))
            elif how == 2:
                del text[at]
            elif how == 3:
                text += b";" + r.choice(TEXTS)
            else:
                text[at:at] = r.choice([b"/*", b"*/", b"/*!", b"--", b"-- ", b"''", b"\\'"])
        return bytes(text)

    def number(self):
        r = self.random
        return struct.pack("<I", r.choice([1, 1, 2, 2, 3, 4, 5, 0xFFFFFFFF, 0xFFFFFFFF, 0]))

    def command(self):
        """The packet or packets of one command."""
        r = self.random
        how = r.random()
        if how < 0.42:
            body = b"\x03" + self.text()
        elif how < 0.57:
            body = b"\x16" + self.text()
        elif how < 0.73:
            body = b"\x17" + self.number() + b"\0\1\0\0\0"  # no cursor: those are logged when they are closed, or never
        elif how < 0.78:
            body = b"\x19" + self.number()
        elif how < 0.80:
            body = r.choice([b"\x1a", b"\x1c"]) + self.number() + r.choice([b"", b"\2\0\0\0"])
        elif how < 0.84:
            body = b"\x02" + r.choice([b"blog", b"other", b"none", b""])
        elif how < 0.86:
            body = b"\x11" + r.choice([b"wp", b"wp2", b"'wp'"]) + b"\0\0" + r.choice([b"blog", b"other"]) + b"\0" + r.choice([b"\x2d\0", b"\x08\0"]) + b"mysql_native_password\0"
        elif how < 0.90:
            body = r.choice([b"\x0e", b"\x09", b"\x1f", b"\x1b\0\0", b"\x1b\1\0"])
        elif how < 0.92:
            body = b"\x04t\0" + r.choice([b"", b"%"])
        elif how < 0.94:
            body = b"\xfa" + self.number() + b"\x80\0"
        else:
            body = bytes([r.choice(COMMANDS)]) + bytes(r.randrange(256) for _ in range(r.randrange(6)))
        return packet(body)

    def batch(self):
        """What is sent before the client looks at the answers."""
        r = self.random
        data = b"".join(self.command() for _ in range(r.choice([1, 1, 1, 2, 3])))
        if r.random() < 0.05:
            data = bytearray(data)
            data[r.randrange(len(data))] ^= 1 << r.randrange(8)
        return bytes(data)


# ---------------------------------------------------------------- the server

class Server:
    """MariaDB that logs every statement, without passwords."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="bw-mysql-")
        shutil.chown(self.folder, "mysql", "mysql")
        data = self.folder + "/data"
        subprocess.run(["mariadb-install-db", "--no-defaults", "--user=mysql", f"--datadir={data}", "--auth-root-authentication-method=normal",
                        "--skip-test-db"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        self.socket, self.log = self.folder + "/socket", self.folder + "/log"
        with open(self.folder + "/errors", "wb") as errors:
            self.process = subprocess.Popen(["mariadbd", "--no-defaults", "--user=mysql", f"--datadir={data}", f"--socket={self.socket}", "--skip-networking",
                                             "--slow-query-log", f"--slow-query-log-file={self.log}", "--long-query-time=0", "--log-slow-disabled-statements=", f"--pid-file={self.folder}/pid", "--innodb-buffer-pool-size=8M",
                                             "--max-connections=400"], stdout=errors, stderr=errors)
        for _ in range(300):
            if os.path.exists(self.socket) and self.root("SELECT 1") == 0:
                break
            time.sleep(0.1)
        else:
            raise RuntimeError("MariaDB did not start")
        self.root("CREATE DATABASE blog; CREATE DATABASE other; CREATE TABLE blog.t (a INT) ENGINE=MEMORY; CREATE TABLE other.t (a INT) ENGINE=MEMORY;"
                  "INSERT INTO blog.t VALUES (1); INSERT INTO other.t VALUES (2); CREATE USER wp; CREATE USER wp2;"
                  "GRANT SELECT, INSERT, UPDATE, DELETE ON *.* TO wp; GRANT SELECT ON *.* TO wp2")

    def root(self, text):
        return subprocess.run(["mariadb", "--no-defaults", "-uroot", "-S", self.socket, "-e", text], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode

    def stop(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder)


THREAD = re.compile(rb"^# Thread_id: (\d+)  Schema: (.*?)  QC_hit", re.M)
PREAMBLE = re.compile(rb"\A(?:use `[^`]*`;\n)?(?:SET [^\n]*timestamp=[\d.]+;\n)")


def entries(data):
    """connection -> [(schema in force afterwards, statement)] of a slow log."""
    out = {}
    for part in re.split(rb"^(?:# Time: [^\n]*\n)?# User@Host: ", data, flags=re.M)[1:]:
        head, at = THREAD.search(part), part.index(b"\n# Rows_affected")
        text = PREAMBLE.sub(b"", part[part.index(b"\n", at + 1) + 1:])
        if not text.startswith(b"# administrator command"):
            out.setdefault(int(head[1]), []).append((head[2], bare(text)))
    return out


# ---------------------------------------------------------------- one conversation

class Conversation:
    def __init__(self, judge, server):
        self.judge, self.events, self.is_over, self.why, self.sent = judge, [], False, None, b""
        greeting = self.connect(server)
        judge.begin("mysql")
        self.thread = struct.unpack_from("<I", greeting, greeting.index(b"\0", 5) + 1)[0]
        self.told("S", greeting)

    def connect(self, server):
        """The greeting; a server that is still busy with those that left is asked again."""
        for _ in range(100):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(3)
            try:
                self.socket.connect(server.socket)
                greeting = self.socket.recv(4096)
                if greeting[4:5] == b"\n":
                    return greeting
            except OSError:
                pass
            self.socket.close()
            time.sleep(0.05)
        raise RuntimeError("MariaDB greets nobody any more")

    def told(self, operation, data):
        answer = self.judge.tell([(operation, data)])[0]
        self.events += answer["events"]
        if answer["status"] in ("refused", "stopped"):
            self.is_over, self.why = True, answer["why"]
        return answer

    def packets(self):
        """The bodies of the commands that went through."""
        out, at = [], 0
        while at + 4 <= len(self.sent):
            n = int.from_bytes(self.sent[at:at + 3], "little")
            if at and self.sent[at + 3] == 0:
                out.append(self.sent[at + 4:at + 4 + n])
            at += 4 + n
        return out

    def send(self, held, data):
        """Lets through what the dissector lets through; what it holds stays."""
        held += data
        answer = self.told("C", data)
        passed, held = held[:answer["pass"]], held[answer["pass"]:]
        self.sent += passed
        try:
            self.socket.sendall(passed)
        except OSError:
            self.is_over = True
        return held

    def listen(self, seconds):
        """What the server says until it waits for us."""
        self.socket.settimeout(seconds)
        while not self.is_over:
            try:
                data = self.socket.recv(65536)
            except TimeoutError:
                return
            except OSError:
                data = b""
            if not data:
                self.is_over = True
                return
            self.told("S", data)
            self.socket.settimeout(0.001)

    def close(self):
        self.socket.close()


def converse(judge, server, streams):
    c = Conversation(judge, server)
    held = c.send(b"", streams.login())
    c.listen(0.05)
    for _ in range(streams.random.randrange(2, 12)):
        if c.is_over:
            break
        held = c.send(held, streams.batch())
        c.listen(0.01)
    c.close()
    return c


# ---------------------------------------------------------------- what must hold

BLANKS = b" \t\r\n\v\f;\xa0"
UNANSWERED = {b"quit", b"close", b"send_long_data"}


def bare(text):
    """A text without what the server takes off its ends, and with the marks alike that it writes over in a comment for other servers."""
    text = text.replace(b"(*", b"/*").replace(b"*)", b"*/")
    return re.sub(rb"/\*(M?)!", rb"/*\1 ", text).strip(BLANKS)


def is_rest(event, name):
    """A lone semicolon behind what could not be read."""
    return texts(event, "command") == [name] and texts(event, "verb") == [b"unknown"] and not texts(event, "query") and name in (b"query", b"prepare")


def commands(packets, events):
    """Each command that went through: (command, text, statements judged, their events, what the reply says)."""
    units = [e for e in events if e["kind"] == "request" or (e["kind"] == "session" and texts(e, "command") != [b"login"])]
    replies = iter([e for e in events if e["kind"] == "reply"][1:])
    out, at = [], 0
    for body in packets:
        if at == len(units):
            break
        name, text, first = texts(units[at], "command")[0], body[1:], at
        at += 1
        if name in (b"query", b"prepare"):
            left = text
            while True:
                said = b"".join(texts(units[at - 1], "query"))
                where = left.find(said) if said else 0
                if where < 0 or bare(left[:where]) or not said:
                    break
                left = left[where + len(said):]
                more = at < len(units) and texts(units[at], "command")[0] == name
                following = b"".join(texts(units[at], "query")) if more else b""
                if not following or not bare(left) or not left.lstrip(BLANKS).startswith(following.lstrip(BLANKS)):
                    break
                at += 1
        while at < len(units) and units[at - 1]["unproven"] and is_rest(units[at], name):
            at += 1
        reply = None if name in UNANSWERED else next(replies, None)
        status = texts(reply, "status")[0] if reply else None
        out.append((name, text, units[first:at], status))
    return out


def remainders(text, units):
    """What the server would log for a text of several statements: at each of them the text from there on."""
    out = []
    for unit in units:
        out.append(bare(text))
        said = b"".join(texts(unit, "query"))
        text = text[text.find(said) + len(said):] if said else b""
    return out


def touches(event):
    return {t.split(b".")[-1] for t in texts(event, "tables")}


def take(log, units, text):
    """Takes from the log what a text of some statements did; how many of these. A text cut short by an error is logged to its end; an
    unproven statement may be several, since it stands for all the rest of the text."""
    n = 0
    for unit, remainder in zip(units, remainders(text, units)):
        said = bare(b"".join(texts(unit, "query")))
        if not said:
            n += 1  # nothing to do: if the server did something all the same, it stays in the log
        elif log and log[0][1] == said:
            log.pop(0)
            n += 1
        elif log and log[0][1] == remainder:
            log.pop(0)
            return n + (unit is units[-1] or b"\0" in remainder)
        elif unit["unproven"] and take_pieces(log, said):
            n += 1
        else:
            break
    return n


def take_pieces(log, said):
    """Takes statements that make up the text one after the other; were there any?"""
    n = len(log)
    while log and said and said.startswith(log[0][1]):
        said = said[len(log.pop(0)[1]):].lstrip(BLANKS)
    return len(log) < n


def is_comment(text, judge):
    """Nothing but comments: the server does nothing, and the dissector says nothing."""
    return text == b"--" or text.startswith((b"-- ", b"--\n", b"#", b"/*")) and not judge.sentence(text.decode("latin-1"))["events"]


def misread(done, event, judge):
    """Of a proven execution: is it another statement than the one that the event tells?"""
    said = requests(judge.sentence(done.decode("latin-1")))
    return not said or touches(said[0]) != touches(event) or texts(said[0], "verb") != texts(event, "verb")


def unjudged(log, todo, judge):
    """How log and judgement differ, or None. Both are in order; only what failed may be missing in the log, and what was unproven: a NUL
    ends a text for the server, and what stands behind it is judged all the same."""
    log = [entry for entry in log if entry[1]]
    for i, (name, text, units, status) in enumerate(todo):
        if name == b"query":
            skip_comments(log, judge)
            before = list(log)
            n = take(log, units, text)
            if status == b"ok" and any(not u["unproven"] for u in units[n:]):
                return f"{text!r}: {len(units)} statements were judged, {n} done; then {log[:1]}"
            if status != b"ok" and len(units) > 1:
                return after_error(before, units, text, todo[i + 1:], judge)
        elif name == b"prepare" and status == b"ok" and any(not u["unproven"] for u in units[1:]):
            return f"{text!r}: prepared as one, judged as {len(units)}"
        elif name in (b"execute", b"bulk_execute"):
            if not units[0]["unproven"]:
                skip_comments(log, judge)
            if status != b"ok" and (not log or not unjudged(log, todo[i + 1:], judge)):
                return None if log else unjudged(log, todo[i + 1:], judge)
            if not log and units[0]["unproven"]:
                continue  # one that opens a cursor on constants, say
            if not log:
                return "an execution that the server did not log"
            schema, done = log.pop(0)
            if not units[0]["unproven"] and misread(done, units[0], judge):
                return f"executed {done!r} in {schema!r}, judged {units[0]['fields']}"
    skip_comments(log, judge)
    return f"nobody judged {log[0]}" if log else None


def after_error(log, units, text, todo, judge):
    """Which of several statements failed is not said, and the next command may begin with the same text: any way that fits will do."""
    wrong = None
    for some in range(len(units), -1, -1):
        left = list(log)
        take(left, units[:some], text)
        wrong = unjudged(left, todo, judge)
        if not wrong:
            return None
    return wrong


def skip_comments(log, judge):
    while log and is_comment(log[0][1], judge):
        log.pop(0)


def run(options):
    server, judge = Server(), Judge(options.build)
    streams = Streams(options.seed)
    end, conversations, whys = time.monotonic() + options.seconds, [], {}
    try:
        while len(conversations) < options.streams and time.monotonic() < end:
            c = converse(judge, server, streams)
            conversations.append(c)
            if c.why:
                whys[c.why] = whys.get(c.why, 0) + 1
        time.sleep(0.3)
        with open(server.log, "rb") as file:
            log = entries(file.read())
    finally:
        server.stop()
    failed = report(options, conversations, log, whys, judge)
    judge.close()
    return failed


def report(options, conversations, log, whys, judge):
    failed = statements = 0
    for i, c in enumerate(conversations):
        mine = log.get(c.thread, [])
        statements += len(mine)
        wrong = unjudged(mine, commands(c.packets(), c.events), judge)
        if wrong:
            failed += 1
            if failed <= options.show:
                print(f"stream {i}: {wrong}")
    for why, n in sorted(whys.items(), key=lambda x: -x[1]):
        print(f"  refused {n}: {why}")
    print(f"seed {options.seed}: {len(conversations)} streams, the server logged {statements} statements")
    print(f"scorecard S7-mysql tried={len(conversations)} failed={failed}")
    return failed or statements < len(conversations)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--streams", type=int, default=3000)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=5)
    options = parser.parse_args()
    if os.getuid() != 0 or not shutil.which("mariadbd"):
        print("skipped: needs root and mariadb-server")
        return SKIPPED
    return 1 if run(options) else 0


if __name__ == "__main__":
    sys.exit(main())
