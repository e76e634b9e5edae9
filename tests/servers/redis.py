#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the dissector of redis lets through, against what a real redis-server makes of it.

    redis.py --build BUILD [--streams N] [--stepped N] [--seed N] [--case N]

Streams of commands are made and damaged: lengths, line ends, case, cuts, lines for arrays, transactions, logins, databases,
subscriptions, silence, scripts whose answers look like something else. What the dissector lets through goes to the server, and must
have been executed as it was judged: MONITOR on another connection tells the commands with their arguments and database.

  batched  a stream is sent at once. Many share a connection, with RESET and a marker between them.
  stepped  a stream is sent in pieces, the server's answers are judged too (nothing of them may be refused), and in the
           end the database and user that the next command would be judged by are compared with CLIENT LIST.

What must stay true: a stream depends on the seed and its number alone, so that --case N shows one again. The server has a
socket in a folder of its own and nothing else.
"""
import argparse
import fcntl
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from judge import Judge, requests, texts

SKIPPED = 77
BATCH = 400
F_SETPIPE_SZ = 1031  # fcntl of Linux
PIPE = 1 << 20
WORD = re.compile(rb'"((?:[^"\\]|\\.)*)"')
ESCAPE = re.compile(rb"\\(x[0-9a-f]{2}|.)")
PLAIN_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b"}
# With how many words they are executed, and told by MONITOR, when a stream has such commands only.
SIMPLE = {b"ping": (1, 2), b"echo": (2, 2), b"set": (3, 3), b"get": (2, 2), b"del": (2, 99), b"mget": (2, 99), b"incr": (2, 2), b"lpush": (3, 99),
          b"lrange": (4, 4), b"select": (2, 2), b"publish": (3, 3)}
# At once even in a transaction, before what was queued in front of them.
UNORDERED = {b"multi", b"watch"}
KEYS = [b"a", b"b", b"c", b"k:1", b"k:2", b"l", b"x", b"with blank", b"\r\n", b"\x00", b"*1", b"$1", b"\xff", b""]


# ---------------------------------------------------------------- streams

def array(words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


def line(words):
    return b" ".join(words) + b"\r\n"


def script(rng):
    fakes = [b"{'message','a','b'}", b"{'subscribe','a',1}", b"{ok='OK'}", b"{ok='QUEUED'}", b"{err='NOPERM no'}", b"1",
             b"redis.call('SELECT',7)", b"redis.call('SET',KEYS[1] or 'z',1)", b"{ok='RESET'}", b"{{{1}},{'unsubscribe',false,0}}"]
    n = rng.randrange(3)
    return [b"EVAL", b"return " + rng.choice(fakes), b"%d" % n] + [rng.choice(KEYS) for _ in range(n)]


def commands():
    """Weight and maker of each kind of command."""
    key = lambda r: r.choice(KEYS)
    number = lambda r: b"%d" % r.choice([0, 1, 2, 3, 5, 9, 15, 15, 16, 63, 64, 99])
    channels = lambda r: [key(r) for _ in range(r.randrange(1, 4))]
    return [
        (6, lambda r: [b"PING"]), (3, lambda r: [b"ECHO", key(r)]), (6, lambda r: [b"SET", key(r), key(r)]),
        (6, lambda r: [b"GET", key(r)]), (2, lambda r: [b"DEL"] + channels(r)), (2, lambda r: [b"MGET"] + channels(r)),
        (2, lambda r: [b"MSET", key(r), b"1", key(r), b"2"]), (1, lambda r: [b"INCR", key(r)]),
        (2, lambda r: [b"LPUSH", b"l", b"message", b"a"]), (3, lambda r: [b"LRANGE", b"l", b"0", b"2"]),
        (1, lambda r: [b"XADD", b"x", b"*", b"f", b"v"]), (1, lambda r: [b"XREAD", b"COUNT", b"1", b"STREAMS", b"x", b"0"]),
        (1, lambda r: [b"ZADD", b"z", b"1", key(r)]), (1, lambda r: [b"ZUNIONSTORE", b"d", b"2", b"z", key(r)]),
        (1, lambda r: [b"SORT", b"l", b"ALPHA", b"STORE", b"s"]), (1, lambda r: [b"BITOP", b"AND", b"d", key(r), key(r)]),
        (1, lambda r: [b"COPY", key(r), b"t", b"DB", number(r)]), (1, lambda r: [b"MOVE", key(r), number(r)]),
        (1, lambda r: [b"OBJECT", b"ENCODING", key(r)]), (1, lambda r: [b"LMPOP", b"1", b"l", b"LEFT"]),
        (6, lambda r: [b"SELECT", number(r)]), (1, lambda r: [b"SELECT", r.choice([b"01", b"+1", b"x", b"-1", b""])]),
        (2, lambda r: [b"AUTH", b"bob", b"pw"]), (1, lambda r: [b"AUTH", b"bob", b"no"]), (1, lambda r: [b"AUTH", b"pw"]),
        (2, lambda r: [b"HELLO", r.choice([b"2", b"3", b"3", b"4", b"x"])]), (1, lambda r: [b"HELLO"]),
        (1, lambda r: [b"HELLO", b"3", b"AUTH", b"bob", r.choice([b"pw", b"no"])] + r.choice(
            [[], [b"SETNAME", b"n"], [b"SETNAME", b"n n"], [b"FOO"], [b"AUTH", b"default", b"x"]])),
        (1, lambda r: [b"HELLO", b"2", b"SETNAME", r.choice([b"n", b"n n"]), b"AUTH", b"bob", b"pw"]),
        (2, lambda r: [b"RESET"]), (4, lambda r: [b"MULTI"]), (4, lambda r: [b"EXEC"]), (1, lambda r: [b"DISCARD"]),
        (1, lambda r: [b"WATCH", key(r)]), (3, lambda r: [b"SUBSCRIBE"] + channels(r)), (1, lambda r: [b"PSUBSCRIBE", b"*"]),
        (1, lambda r: [b"SSUBSCRIBE"] + channels(r)), (2, lambda r: [b"UNSUBSCRIBE"] + r.choice([[], channels(r)])),
        (1, lambda r: [b"PUNSUBSCRIBE"]), (1, lambda r: [b"SUNSUBSCRIBE"] + r.choice([[], channels(r)])),
        (3, lambda r: [b"PUBLISH", key(r), key(r)]), (1, lambda r: [b"SPUBLISH", key(r), key(r)]),
        (2, lambda r: [b"CLIENT", b"REPLY", r.choice([b"ON", b"OFF", b"OFF", b"SKIP", b"x"])]), (2, lambda r: [b"CLIENT", b"REPLY", b"ON"]),
        (1, lambda r: [b"CLIENT", b"TRACKING", r.choice([b"ON", b"OFF"])]), (1, lambda r: [b"CLIENT", b"ID"]),
        (1, lambda r: [b"REPLCONF", b"listening-port", b"1"] + r.choice([[], [b"ACK", b"5"], [b"GETACK", b"*"]])),
        (4, script), (1, lambda r: [b"CONFIG", b"GET", b"databases"]), (1, lambda r: [b"NOPE", key(r)]), (1, lambda r: [b"CONFIG"]),
        (1, lambda r: [b"GET"]), (1, lambda r: [b"MONITOR"] if r.random() < .2 else [b"ROLE"]), (1, lambda r: [b"CLIENT", b"NOPE"]),
        (1, lambda r: [b"SET", key(r), b"v" * r.choice([1, 100, 16384, 70000])] if r.random() < .05 else [b"DBSIZE"]),
    ]


COMMANDS = commands()
WEIGHTS = [weight for weight, _ in COMMANDS]


def any_case(rng, word):
    return bytes(rng.choice([c, c ^ 0x20]) if chr(c).isalpha() else c for c in word)


def encode(rng):
    """One command on the wire."""
    words = rng.choices(COMMANDS, WEIGHTS)[0][1](rng)
    if rng.random() < .15:
        words = [any_case(rng, words[0])] + words[1:]
    if rng.random() < .1:
        return line(words)
    return array(words)


def replace_number(rng, data):
    """Another number behind a * or $."""
    places = [m for m in re.finditer(rb"[*$](\d+)\r\n", data)]
    if not places:
        return data
    m = rng.choice(places)
    n = int(m.group(1))
    new = rng.choice([b"%d" % (n + 1), b"%d" % max(n - 1, 0), b"0%d" % n, b"+%d" % n, b" %d" % n, b"-1", b"0", b"%d " % n, b"", b"%d" % (n + 2),
                      b"4294967296", b"%d\x00" % n])
    return data[:m.start(1)] + new + data[m.end(1):]


def replace_end(rng, data):
    """Another end of a line."""
    places = [m.start() for m in re.finditer(rb"\r\n", data)]
    if not places:
        return data
    at = rng.choice(places)
    return data[:at] + rng.choice([b"\n", b"\r", b"XX", b"\n\r", b"\r\n\r\n", b"", b"\r\r\n", b" \r\n", b"\x00\r\n"]) + data[at + 2:]


def change_byte(rng, data):
    at = rng.randrange(len(data) or 1)
    return data[:at] + rng.choice([b"", bytes([rng.randrange(256)]), b"\r", b"\n", b"*", b"$", b'"', b"'", b"\\", b"\x00", b" "]) + data[at + 1:]


def insert(rng, data):
    """Something between two commands or within one."""
    places = [0, len(data)] + [m.start() for m in re.finditer(rb"\*", data)]
    at = rng.choice(places if rng.random() < .7 else range(len(data) + 1))
    return data[:at] + rng.choice([b"\r\n", b"\n", b"*0\r\n", b"*-1\r\n", b"PING\r\n", b"GET / HTTP/1.1\r\n", b"POST / HTTP/1.1\r\n", b"Host: a\r\n", b" ",
                                   b"SET a \"b c\"\r\n", b"SET a 'b'\r\n", b"SET a \"\\x41\"\r\n", b"set  a  b\r\n", b"\tPING\r\n", b"DEL a\n",
                                   b"*1\r\n", b"$4\r\n", b"SELECT 4\r\n", b"del a\x00b\r\n"]) + data[at:]


def cut(rng, data):
    return data[:rng.randrange(len(data) + 1)]


def repeat(rng, data):
    a = rng.randrange(len(data) + 1)
    b = min(len(data), a + rng.randrange(40))
    return data[:b] + data[a:b] + data[b:]


MUTATIONS = [replace_number, replace_number, replace_end, replace_end, change_byte, insert, insert, cut, repeat]


def stream(seed, number, n_pieces):
    """The pieces of one stream."""
    rng = random.Random(seed * 1000003 + number)
    pieces = [b"".join(encode(rng) for _ in range(rng.randrange(1, 7))) for _ in range(n_pieces)]
    if rng.random() < .5:
        pieces[0] = array([b"PING"]) + pieces[0]
    for _ in range(rng.choice([0, 0, 1, 1, 2, 3] if n_pieces == 1 else [0, 0, 0, 1])):
        i = rng.randrange(len(pieces))
        pieces[i] = rng.choice(MUTATIONS)(rng, pieces[i])
    return pieces


# ---------------------------------------------------------------- what was let through

def read(data):
    """The commands in bytes that were let through, told by lengths alone, and how many bytes are no whole command."""
    out, at = [], 0
    while at < len(data):
        if data.startswith(b"\r\n", at):
            at += 2
            continue
        end = data.find(b"\r\n", at)
        if end < 0:
            break
        if data[at:at + 1] != b"*":
            out.append(data[at:end].split())
            at = end + 2
            continue
        words, pos = [], end + 2
        for _ in range(int(data[at + 1:end])):
            end = data.find(b"\r\n", pos)
            n = int(data[pos + 1:end]) if end >= 0 else 0
            if end < 0 or end + 2 + n + 2 > len(data):
                return out, len(data) - at
            words.append(data[end + 2:end + 2 + n])
            pos = end + 2 + n + 2
        out.append(words)
        at = pos
    return out, len(data) - at


def judged_wrongly(words, event):
    """What an event says of a command, against the bytes. None: nothing."""
    name = texts(event, "command")[0]
    lower = words[0].lower()[:64]
    if name != lower and not name.startswith(lower + b"|") and len(words[0]) < 60:
        return f"{words[0]} was judged as {name}"
    if texts(event, "args") != [len(words) - 1]:
        return f"{words} was judged with other arguments"
    missing = [k for k in texts(event, "keys") if k != b"*" and k not in words[1:]]
    return f"{words} was judged with keys {missing}" if missing else None


# ---------------------------------------------------------------- the server

def unescape(text):
    if b"\\" not in text:
        return text
    return ESCAPE.sub(lambda m: PLAIN_ESCAPES.get(m[1], m[1]) if m[1][:1] != b"x" or len(m[1]) == 1 else bytes([int(m[1][1:], 16)]), text)


def told(text):
    """One line of MONITOR: database and words; None for what a script did."""
    head, _, rest = text.partition(b"] ")
    where = head.partition(b"[")[2].split(b" ")
    return None if where[1] == b"lua" else (where[0], [unescape(w) for w in WORD.findall(rest)])


class Server:
    def __init__(self, folder):
        self.path = os.path.join(folder, "socket")
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.path, "--save", "", "--dir", folder, "--loglevel", "warning", "--logfile", "log",
             "--rename-command", "SHUTDOWN", "", "--rename-command", "REPLICAOF", "", "--rename-command", "SLAVEOF", ""], stdout=subprocess.DEVNULL)
        for _ in range(100):
            if os.path.exists(self.path):
                break
            time.sleep(.05)
        self.control, self.monitor = self.connect(), self.connect()
        self.ask(self.control, b"ACL", b"SETUSER", b"bob", b"on", b">pw", b"+@all", b"~*", b"&*")
        self.ask(self.monitor, b"MONITOR")
        self.seen = b""

    def connect(self):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(10)
        s.connect(self.path)
        return s

    @staticmethod
    def ask(s, *words):
        """An answer of one piece, as it comes."""
        s.sendall(array(words))
        return s.recv(1 << 16)

    def executed(self, markers):
        """What MONITOR told before each marker, which is an ECHO of whoever is watched: a list of lines for each."""
        end = b'"ECHO" "%s"\r\n' % markers[-1]
        while end not in self.seen[-len(end) - (1 << 21):]:
            self.seen += self.monitor.recv(1 << 20)
        text, _, self.seen = self.seen.partition(end)
        out, lines = [], []
        ends = iter(b'"ECHO" "%s"' % m for m in markers)
        next_end = next(ends)
        for one in text.split(b"\r\n"):
            if one.endswith(next_end):
                out.append(lines)
                lines, next_end = [], next(ends)
            else:
                lines.append(one)
        return out + [lines[:-1]]  # the last one is the begin of the last marker's line

    def settle(self):
        """All that was sent before is executed and answered: the second turn of the server's loop is over."""
        for _ in range(2):
            self.ask(self.control, b"GET", b"__settle")

    def end(self):
        for s in (self.control, self.monitor):
            s.close()
        self.process.terminate()
        self.process.wait()


def receive_until(s, end):
    got = b""
    while not got.endswith(end):
        more = s.recv(1 << 20)
        if not more:
            raise EOFError
        got += more
    return got


def receive_ready(s):
    got = b""
    s.setblocking(False)
    try:
        while more := s.recv(1 << 20):
            got += more
    except BlockingIOError:
        pass
    finally:
        s.settimeout(10)
    return got


# ---------------------------------------------------------------- comparing

class Score:
    def __init__(self, args):
        self.args = args
        self.tried = self.commands = self.executed = self.cut = self.halves = self.places = self.exact = 0
        self.failed = []

    def fail(self, kind, number, why, pieces):
        self.failed.append(number)
        if len(self.failed) <= 10:
            print(f"{kind} {number} (--seed {self.args.seed} --{'stepped' if kind == 'streams' else 'streams'} 0 --case {number}): {why}\n  {b' | '.join(pieces)[:600]!r}", flush=True)

    def compare(self, events, passed, monitored):
        """Why what the server did is not what was judged; None: it is."""
        words, _ = read(passed)
        self.commands += len(words)
        if len(events) < len(words):
            return f"{len(words)} commands were let through, {len(events)} judged"
        for one, event in zip(words, events):
            if why := judged_wrongly(one, event):
                return why
        seen = [t for t in map(told, monitored) if t]
        self.executed += len(seen)
        if all(map(is_simple, words)) and len(seen) != len(words):
            return f"{len(words)} commands were judged, {len(seen)} executed"
        ordered = [(w, e) for w, e in zip(words, events) if w[0].lower() not in UNORDERED]
        return compare_told(ordered, [t for t in seen if t[1][0].lower() not in UNORDERED])


def compare_told(judged, seen):
    """Commands with their events, and what was executed: each of these is one of those, in the same order."""
    at = 0
    for db, argv in seen:
        while at < len(judged) and not same(judged[at][0], argv):
            at += 1
        if at == len(judged):
            return f"executed, and not judged in this order: {argv}"
        event = judged[at][1]
        if not event["unproven"] and db not in texts(event, "db") and argv[0].lower() != b"select":
            return f"{argv} was executed in database {db}, judged in {texts(event, 'db')}"
        at += 1
    return None


def is_simple(words):
    least, most = SIMPLE.get(words[0].lower(), (1, 0))
    return least <= len(words) <= most


def same(words, argv):
    return len(words) == len(argv) and all(w == a or a == b"(redacted)" for w, a in zip(words, argv))


class Run:
    def __init__(self, args, server, judge):
        self.args, self.server, self.judge = args, server, judge
        self.score = Score(args)
        self.shared = server.connect()

    def judged(self, pieces):
        """Each (pieces): the events and the bytes let through, when nothing is answered."""
        answers = self.judge.tell([r for p in pieces for r in (("N", b"redis"), ("C", p))])[1::2]
        return [(requests(a), p[:a["pass"]], a) for p, a in zip(pieces, answers)]

    def batch(self, numbers):
        """Streams in one go."""
        sent = []
        pieces = [stream(self.args.seed, n, 1)[0] for n in numbers]
        for n, piece, (events, passed, answer) in zip(numbers, pieces, self.judged(pieces)):
            self.score.tried += 1
            self.score.cut += answer["status"] == "refused"
            if read(passed)[1]:
                self.score.halves += 1  # of a long command: no place for a marker behind it
            else:
                sent.append((n, piece, events, passed, b"m-%d-%d" % (self.args.seed, n)))
        if not sent:
            return
        try:
            self.shared.sendall(b"".join(passed + array([b"RESET"]) + array([b"ECHO", marker]) for *_, passed, marker in sent))
            receive_until(self.shared, b"\r\n%s\r\n" % sent[-1][-1])
        except (EOFError, ConnectionError, TimeoutError):
            self.score.fail("streams", numbers[0], f"the server closed or hung within {numbers[0]}..{numbers[-1]}", [])
            raise
        for (n, piece, events, passed, _), seen in zip(sent, self.server.executed([one[-1] for one in sent])):
            if not seen or not seen.pop().endswith(b'"RESET"'):
                self.score.fail("streams", n, "what ends a stream was not executed alone", [piece])
            elif why := self.score.compare(events, passed, seen):
                self.score.fail("streams", n, why, [piece])

    def step(self, number):
        """One stream in pieces, with its answers."""
        pieces = stream(self.args.seed, number, random.Random(number).randrange(2, 5))
        s = self.server.connect()
        me = re.search(rb"id=(\d+)", self.server.ask(s, b"CLIENT", b"INFO")).group(1)
        self.score.tried += 1
        events, passed, is_whole, why = self.talk(pieces, s)
        if is_whole:
            why = self.compare_place(me)
        s.close()
        why = self.score.compare(events, passed, self.watched(me)) or why
        if why:
            self.score.fail("stepped", number, why, pieces)

    def talk(self, pieces, s):
        """What was judged, what was let through, was it all; and why the answers to it were not taken."""
        said, n_passed, events, why, answer = b"", 0, [], None, None
        self.judge.begin("redis")
        for piece in pieces:
            answer = self.judge.client(piece)
            said += piece
            events += requests(answer)
            s.sendall(said[n_passed:n_passed + answer["pass"]])
            n_passed += answer["pass"]
            self.server.settle()
            self.score.cut += answer["status"] == "refused"
            if answer["status"] in ("refused", "stopped"):
                break
            back = self.judge.server(receive_ready(s)) if events else {"status": "done"}
            if back["status"] != "done":
                why = f"an answer was {back['status']}: {back['why']}"
                break
        return events, said[:n_passed], answer["status"] == "done" and not why, why

    def watched(self, me):
        """What was executed but by the driver itself."""
        marker = b"s-%d-%s" % (self.args.seed, me)
        self.server.ask(self.server.control, b"ECHO", marker)
        return [x for x in self.server.executed([marker])[0] if not x.endswith((b'"GET" "__settle"', b'"CLIENT" "INFO"'))]

    def compare_place(self, me):
        """By which database and user is the next command judged, and which are in force?"""
        is_known = re.search(rb" db=(\d+) .* user=(\S+) ", self.server.ask(self.server.control, b"CLIENT", b"LIST", b"ID", me))
        asked = requests(self.judge.client(array([b"PING"])))
        if not is_known or not asked or asked[0]["unproven"]:
            return None
        for name, value in (("db", is_known[1]), ("user", is_known[2])):
            if value not in texts(asked[0], name):
                return f"{name} is {value}, the next command is judged by {texts(asked[0], name)}"
        self.score.places += 1
        self.score.exact += len(texts(asked[0], "db")) == len(texts(asked[0], "user")) == 1
        return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--streams", type=int, default=40000)
    parser.add_argument("--stepped", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--case", type=int)
    args = parser.parse_args()
    if not shutil.which("redis-server"):
        print("skipped: needs redis-server")
        return SKIPPED
    with tempfile.TemporaryDirectory(prefix="bw-redis-") as folder:
        server, judge = Server(folder), Judge(args.build)
        for pipe in (judge.process.stdin, judge.process.stdout):
            fcntl.fcntl(pipe, F_SETPIPE_SZ, PIPE)  # a batch is written before it is read
        try:
            return go(args, Run(args, server, judge))
        finally:
            judge.close()
            server.end()


def go(args, run):
    score, begin = run.score, time.time()
    first, last = (0, args.streams) if args.case is None else (args.case, args.case + min(1, args.streams))
    for at in range(first, last, BATCH):
        run.batch(range(at, min(at + BATCH, last)))
    first, last = (0, args.stepped) if args.case is None else (args.case, args.case + min(1, args.stepped))
    for at in range(first, last):
        run.step(at)
    print(f"seed {args.seed}: {score.commands} commands let through, {score.executed} executed, {score.cut} streams cut, {score.halves} ended within a "
          f"command; of {score.places} places {score.exact} known exactly; {time.time() - begin:.0f} s")
    print(f"scorecard S7-redis tried={score.tried} failed={len(score.failed)}")
    # A run that let nothing through, or cut nothing, compared nothing.
    is_empty = args.case is None and (score.executed < score.tried or score.cut < score.tried // 10)
    return 1 if score.failed or is_empty else 0


if __name__ == "__main__":
    sys.exit(main())
