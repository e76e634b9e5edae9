#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""replies.py [--build DIR] [--only PATTERN] [--bare] [--keep] [--verbose]

A server that lies about where its replies end, and clients (curl, Python's http.client, a plain one that keeps what it
has read) that ask it twice on one connection, through the real daemon. What the client takes for the second reply must
be the answer to the second request, or none at all. --bare: without the firewall; how many are led astray then.
"""
import argparse
import collections
import concurrent.futures
import fnmatch
import http.client
import pathlib
import re
import socket
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "matrix")]
import payloads  # noqa: E402
import world  # noqa: E402

PORT = 8101
LATE_S, BETWEEN_S, LIMIT_S = 0.1, 0.25, 2.0  # the server's pause; the client's; until a client gives up
HONEST = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhonest"
ASTRAY_AT_LEAST = 10  # replies that lead some client astray without the firewall
POLICY = """\
version: 1
mode: enforce
manage: {interfaces: [br0]}
docker: {enabled: false}
inventory: inventory.yaml
engine: {workers: 2, hold_timeout: 3s, silent_timeout: %(silent)s}
rules:
- {name: both, from: container:client, to: container:liar, app: http, port: 8101, log: all,
   allow: [{methods: [GET, HEAD], paths: ["/**"], status: "???"}]}
"""


class Liar:
    """Answers GET or HEAD /NAME/WAY/1 as the table says, all else honestly."""

    def __init__(self, ground, table):
        self.table = {p.name: p.parts for p in table}
        self.ready = threading.Event()
        threading.Thread(target=self.listen, args=(ground,), daemon=True).start()
        self.ready.wait(10)

    def listen(self, ground):
        ground.enter("liar")
        with socket.create_server((world.ADDRESSES["liar"][4], PORT), backlog=512) as server:
            self.ready.set()
            while True:
                sock, _ = server.accept()
                threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        with sock:
            sock.settimeout(LIMIT_S)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            got = b""
            try:
                while data := sock.recv(65536):
                    got += data
                    while b"\r\n\r\n" in got:
                        head, _, got = got.partition(b"\r\n\r\n")
                        self.answer(sock, head.split(b" ")[1].decode())
            except OSError:
                return

    def answer(self, sock, path):
        _, name, way, number = path.split("/")
        parts = self.table[name] if number == "1" else [HONEST]
        if way == "whole":
            sock.sendall(b"".join(p for p in parts if p))
            return
        for part in parts:
            if part is payloads.PAUSE:
                time.sleep(LATE_S)
            else:
                sock.sendall(part)


# ---- clients: each says what it took for the two replies, None for an error

def by_library(method, path):
    taken, client = [], http.client.HTTPConnection(world.ADDRESSES["liar"][4], PORT, timeout=LIMIT_S)
    for number, verb in ((1, method), (2, "GET")):
        try:
            client.request(verb, f"{path}/{number}", headers={"Host": "a"})
            taken.append(client.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError, OverflowError):
            taken.append(None)
            client.close()
        time.sleep(BETWEEN_S)
    client.close()
    return taken


def by_curl(ground, method, path):
    """One program for both; the second has its own output."""
    base = f"http://{world.ADDRESSES['liar'][4]}:{PORT}{path}"
    first = ["-I"] if method == "HEAD" else []
    command = ["nsenter", f"--net=/proc/{ground.holders['client']}/ns/net", "--", "curl", "-s", "-m", str(LIMIT_S), "--rate", "240/m",
               "-H", "Host: a", *first, f"{base}/1", "--next", "-s", "-m", str(LIMIT_S), "-H", "Host: a", "-w", "\n=%{http_code}",
               f"{base}/2"]
    out = subprocess.run(command, capture_output=True, check=False, timeout=30).stdout
    body, _, code = out.rpartition(b"\n=")
    if code == b"000":
        return [body, None]
    end = b"honest" if body.endswith(b"honest") else body[-4:]
    return [body[:len(body) - len(end)], end]


def next_reply(sock, got, is_head):
    """As the simplest client reads: a head, a length or chunks, the rest is the next reply's. (body, rest)"""
    while b"\r\n\r\n" not in got:
        data = sock.recv(65536)
        if not data:
            return None, b""
        got += data
    head, _, got = got.partition(b"\r\n\r\n")
    if re.match(rb"HTTP/1\.[01] 1\d\d ", head):
        return next_reply(sock, got, is_head)
    length = re.search(rb"(?i)\ncontent-length: *(\d+)", head)
    if is_head or re.match(rb"HTTP/1\.[01] (204|304) ", head):
        return b"", got
    if re.search(rb"(?i)\ntransfer-encoding: *chunked", head):
        return next_chunks(sock, got)
    return exactly(sock, got, int(length.group(1))) if length else to_the_end(sock, got)


def to_the_end(sock, got):
    while data := sock.recv(65536):
        got += data
    sock.close()
    return got, b""


def exactly(sock, got, n):
    while len(got) < n:
        data = sock.recv(65536)
        if not data:
            return None, b""
        got += data
    return got[:n], got[n:]


def next_line(sock, got):
    while b"\r\n" not in got:
        data = sock.recv(65536)
        if not data:
            raise ConnectionError("closed amid a line")
        got += data
    line, _, got = got.partition(b"\r\n")
    return line, got


def next_chunks(sock, got):
    body, size = b"", 1
    while size:
        line, got = next_line(sock, got)
        size = int(re.match(rb"[0-9a-fA-F]*", line).group() or b"0", 16)
        if size:
            chunk, got = exactly(sock, got, size + 2)
            body += (chunk or b"")[:-2]
    while line:
        line, got = next_line(sock, got)
    return body, got


def by_hand(method, path):
    taken, got = [], b""
    try:
        with socket.create_connection((world.ADDRESSES["liar"][4], PORT), LIMIT_S) as sock:
            for number, verb in ((1, method), (2, "GET")):
                sock.sendall(f"{verb} {path}/{number} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
                body, got = next_reply(sock, got, verb == "HEAD")
                taken.append(body)
                time.sleep(BETWEEN_S)
    except OSError:
        pass
    return (taken + [None, None])[:2]


# ---- the run

class Case:
    def __init__(self, payload, way, client):
        self.payload, self.way, self.client, self.taken = payload, way, client, None

    def name(self):
        return f"{self.payload.name} ({self.way}) to {self.client}"

    def run(self, ground):
        method, path = self.payload.rows[0], f"/{self.payload.name}/{self.way}"
        ground.enter("client")
        if self.client == "curl":
            self.taken = by_curl(ground, method, path)
        else:
            self.taken = (by_library if self.client == "http.client" else by_hand)(method, path)

    def is_astray(self):
        return b"evil" in (self.taken[1] or b"")

    def problem(self):
        if self.is_astray():
            return "took for its second reply what was none"
        if self.payload.expect and self.client != "curl" and self.taken != [b"good", b"honest"]:
            return "should have got both replies"
        if self.payload.expect and self.client == "curl" and (self.taken[0] != b"good" or self.taken[1] != b"honest"):
            return "should have got both replies"
        return None


def all_cases(table, args):
    for payload in table:
        if fnmatch.fnmatchcase(payload.name, args.only):
            for way in ("whole", "late") if payloads.PAUSE in payload.parts else ("whole",):
                for client in ("curl", "http.client", "plain"):
                    if not (client == "plain" and payload.name == "close"):
                        yield Case(payload, way, client)


def refused(ground):
    time.sleep(1)  # the last records
    return sum(r["event_type"] == "violation" for r in world.Records(ground.eve).fresh())


def split_gaps(cases):
    """(cases that fail, names of the gaps that are still open)"""
    failing = [c for c in cases if c.problem()]
    gaps = {c.payload.name for c in failing if c.payload.is_gap}
    closed = {c.payload.name for c in cases if c.payload.is_gap} - gaps
    if closed:
        print(f"no gaps any more: {', '.join(sorted(closed))}: write - for them in replies.txt")
    return [c for c in failing if not c.payload.is_gap], gaps


def report(cases, is_bare, ground):
    astray = collections.Counter(c.client for c in cases if c.is_astray())
    if is_bare:
        print(f"led astray: {dict(astray)}")
        wrong = [c for c in cases if c.payload.expect and c.problem()]
        few = sum(astray.values()) < ASTRAY_AT_LEAST
        tag, more = "S5-replies-bare", f"astray={sum(astray.values())}"
    else:
        wrong, gaps = split_gaps(cases)
        few = not ground.status().get("ready")
        tag, more = "S5-replies", f"gaps={len(gaps)} refused={refused(ground)}"
    for case in wrong:
        print(f"FAIL {case.name()}: {case.problem()}\n\talone: replies.py --only '{case.payload.name}'\n\ttook: {case.taken}")
    print(f"scorecard {tag} tried={len(cases)} failed={len(wrong) + few} {more}")
    return 1 if wrong or few else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=".")
    parser.add_argument("--only", default="*", help="shell pattern of names")
    for switch in ("--bare", "--keep", "--verbose"):
        parser.add_argument(switch, action="store_true")
    args = parser.parse_args()
    world.need("curl")
    _, table = payloads.load("replies.txt")
    ground = world.World(args.build, args.keep, "30s", POLICY)
    Liar(ground, table)
    if not args.bare:
        ground.start_daemon()
    cases = list(all_cases(table, args))
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda case: case.run(ground), cases))
    if args.verbose:
        for case in cases:
            print(f"{case.name():40} {case.taken}")
    return report(cases, args.bare, ground)


if __name__ == "__main__":
    sys.exit(main())
