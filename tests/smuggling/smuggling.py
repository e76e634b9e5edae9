#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""smuggling.py [--build DIR] [--only PATTERN] [--server NAME] [--family 4|6] [--seconds N]
             [--all] [--table | --mutations] [--bare] [--seed N] [--keep] [--verbose]

Hostile HTTP/1 through the real daemon to the servers of servers.py. Per connection, what the server
executed must be, in order, what the records say was judged and allowed: same method, a path that is among the readings,
same host. First the tables (payloads.txt; heads.txt, which is honest), whole, in pieces and in turns, then mutations in
random order, as many as the seconds allow. --all: all of them. --table: no mutations; --mutations: nothing else. --bare: without the firewall; how many of
them work then.
"""
import argparse
import asyncio
import collections
import fnmatch
import pathlib
import random
import re
import sys
import time

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "matrix")]
import mutations  # noqa: E402
import payloads  # noqa: E402
import servers  # noqa: E402
import talk  # noqa: E402
import world  # noqa: E402

WAYS = ("whole", "pieces", "turns")
TURNS_MAX = 6
METHODS = ("GET", "HEAD", "POST", "OPTIONS")
POLICY = """\
version: 1
mode: enforce
manage: {interfaces: [br0]}
docker: {enabled: false}
inventory: inventory.yaml
engine: {workers: 2, hold_timeout: 3s, silent_timeout: %%(silent)s}
rules:
- {name: ok, from: container:client, to: container:server, app: http, port: "8001-8009", log: all,
   allow: [{methods: [%s], paths: ["/ok/**"], hosts: [a]}]}
- {name: open, from: container:client, to: container:server, app: http, port: "8001-8009", log: all,
   allow: [{methods: [GET], paths: ["/**"], hosts: [b]}]}
- {name: but, from: container:client, to: container:server, app: http, port: "8001-8009", log: all,
   deny: [{paths: [/evil, "/evil/**"], hosts: [b]}]}
""" % ", ".join(METHODS)
WHOLE = ("nginx", "apache", "node", "haproxy")  # these answer all that is right; others refuse some of it, or close
ONCE = ("php",)  # it answers one request of a connection, or none where the client has closed its side
PATIENT = ("haproxy",)  # it answers what is under way and no more, once the client has closed its side
HIDDEN_AT_LEAST = 8  # of the table, per server, without the firewall: so many work with each


class Try:
    """One payload to one server, by one port, in one of the WAYS."""

    def __init__(self, payload, server, port, way):
        self.payload, self.server, self.port, self.way = payload, server, port, way
        self.said, self.executed, self.judged, self.violations = None, [], [], []

    def how(self, seed):
        expect = self.payload.expect
        wanted = expect[1] if expect and expect[0] == "all" else None
        cuts = cuts_of(self.payload, seed) if self.way == "pieces" else []
        return talk.How(cuts, self.server in PATIENT or wanted is not None, wanted)

    def name(self):
        return f"{self.payload.name} to {self.server} ({self.way})"

    def parts(self):
        return in_turn(self.payload.parts) if self.way == "turns" else self.payload.parts


# ---- what to try

def in_turn(parts):
    """Waits for an answer behind each empty line, as if that were the end of a request."""
    said = b"".join(part or b"" for part in parts)
    pieces = re.split(rb"(?<=\r\n\r\n)(?=.)", said, maxsplit=TURNS_MAX, flags=re.DOTALL)
    return [part for piece in pieces for part in (piece, payloads.PAUSE)]


def cuts_of(payload, seed):
    dice = random.Random(f"{seed} {payload.name}")
    return [dice.randrange(1, 1 << 16) for _ in range(dice.choice((1, 2, 5)))]


def all_tries(args):
    """The table in its order, then the mutations, in an order of the seed; each server has ports of its own."""
    reader, table = payloads.load()
    table += payloads.load("heads.txt")[1]
    texts = {name: payloads.plain(reader.expand(reader.texts[name])) for name in ("evil", "veil")}
    mutants = list(mutations.every(texts)) if not args.table else []
    random.Random(args.seed).shuffle(mutants)
    ports = {server: iter(range(talk.FIRST_PORT, talk.LAST_PORT)) for server in args.servers}
    if args.mutations:
        table = []
    for index, payload in enumerate([*table, *mutants]):
        if not fnmatch.fnmatchcase(payload.name, args.only):
            continue
        for server in args.servers:
            for way in WAYS if index < len(table) else WAYS[:1]:
                yield Try(payload, server, next(ports[server]), way)


def run(ground, args):
    ground.enter("client")
    tries = []

    def begin(each):
        async def job():
            tries.append(each)
            each.said = await talk.converse((world.ADDRESSES["server"][args.family], servers.PORTS[each.server]),
                                            (world.ADDRESSES["client"][args.family], each.port), each.parts(), each.how(args.seed))
        return job

    asyncio.run(talk.together(map(begin, all_tries(args)), args.at_once, args.seconds))
    ground.enter("gate")
    return tries


# ---- what came of it

def until_quiet(read, quiet_s=0.7, limit_s=15):
    """Calls read, which says whether there was anything, until there is nothing for a while."""
    last = end = time.monotonic()
    end += limit_s
    while time.monotonic() - last < quiet_s and time.monotonic() < end:
        if read():
            last = time.monotonic()
        time.sleep(0.05)


def gather(ground, site, tries, args):
    """Puts the servers' words and the records beside each try. What belongs to none of them is of nobody's connection."""
    by_key = {(t.server, t.port): t for t in tries}
    of_port = {port: server for server, port in servers.PORTS.items()}
    records, strays = world.Records(ground.eve), []

    def read():
        found = False
        for server in args.servers:
            for seen in site.fresh(server):
                found = True
                owner = by_key.get((server, seen.port))
                (owner.executed if owner else strays).append(seen)
        for record in records.fresh():
            owner = by_key.get((of_port.get(record.get("dest_port")), record.get("src_port")))
            if owner and record["event_type"] in ("request", "violation"):
                found = True
                allowed = record["event_type"] == "request" and record["verdict"] == "allow"
                (owner.judged if allowed else owner.violations).append(record)
        return found

    until_quiet(read)
    return strays


def is_forbidden(seen):
    if seen.hosts == {"b"} and seen.method == "GET":
        return any(p == "/evil" or p.startswith("/evil/") for p in seen.paths)
    return seen.method not in METHODS or seen.hosts != {"a"} or not all(p.startswith("/ok/") for p in seen.paths)


CUT_AT = 1024  # longer values are cut in records


def as_bytes(text):
    """A record's text, byte by byte: UTF-8 stands there as it is, other bytes as \\xHH."""
    plain = text.encode().decode("latin-1")
    return re.sub(r"\\x([0-9a-f]{2})", lambda m: chr(int(m.group(1), 16)), plain)


def is_reading(path, readings):
    return any(path == r or (len(r) >= CUT_AT and path.startswith(r)) for r in readings)


def differs(seen, record):
    """Why this verdict is not one on what was executed, or None."""
    http = record["http"]
    readings = {as_bytes(p) for p in http.get("path", [])}
    if seen.method != http.get("http_method"):
        return "another method"
    if not all(is_reading(p, readings) for p in seen.paths):
        return "a path that is not among the readings"
    if seen.hosts != {http.get("hostname", "")}:
        return "another host"
    return None


def n_refused(each):
    """How many requests the server itself answered with an error: judged and allowed, but not executed."""
    return len(re.findall(rb"HTTP/1\.[01] [45]\d\d ", each.said.answer))


def unjudged(each):
    """Why what the server executed was not judged, or None. Each of it needs the next verdict; only those may be left out
    that the server answered with an error."""
    verdicts, may_skip = iter(each.judged), n_refused(each)
    for seen in each.executed:
        why = None
        for record in verdicts:
            why = differs(seen, record)
            if not why or not may_skip:
                break
            may_skip -= 1
        else:
            why = "executed without a verdict"
        if why:
            return f"{why}: {seen}"
    return None


def may_be_short(each):
    return each.server in ONCE or n_refused(each) or b"\nConnection: close\r" in each.said.answer


def unexpected(each):
    if not each.payload.expect:
        return None
    (word, number), n = each.payload.expect, len(each.executed)
    is_short = n < number and (each.server in WHOLE or not may_be_short(each))
    if n > number or (word == "all" and is_short):
        return f"executed {n}, not {word}={number}"
    return None


def settle_strays(strays, tries):
    """Node cannot say whose a request was when the connection is reset before it looks. It is in order when a verdict that
    nothing else needs fits it. Returns those for which there is none."""
    spare = [r for t in tries for r in t.judged[len(t.executed):] if t.server == "node"]
    left = []
    for seen in strays:
        fitting = next((r for r in spare if not seen.port and not differs(seen, r)), None)
        if fitting:
            spare.remove(fitting)
        else:
            left.append(seen)
    return left


def show(each, why):
    alone = [f"--only '{each.payload.name}' --server {each.server}"]
    views = [f"\t{each.server}: {seen}" for seen in each.executed] or [f"\t{each.server}: nothing"]
    for record in each.judged + each.violations:
        http = record.get("http", {})
        views.append(f"\t{record['verdict']}: {http.get('http_method')} {' or '.join(http.get('path', []))} of "
                     f"{http.get('hostname')} ({record.get('reason')})")
    sent = b"".join(p or b"{pause}" for p in each.payload.parts)
    print(f"FAIL {each.name()}: {why[:200]}\n\talone: smuggling.py {alone[0]}\n\tsent: {sent[:300]!r}\n" +
          "\n".join(view[:400] for view in views) + f"\n\tthe client: {each.said and each.said.end}, {each.said and each.said.answer[:120]!r}")


def judge(tries, strays):
    strays = settle_strays(strays, tries)
    problems = [(t, why) for t in tries if (why := unjudged(t) or unexpected(t))]
    gaps = {t.payload.name for t, _ in problems if t.payload.is_gap}
    problems = [(t, why) for t, why in problems if not t.payload.is_gap]
    for each, why in problems[:40]:
        show(each, why)
    for seen in strays[:10]:
        print(f"FAIL executed in nobody's connection: {seen}")
    closed = {t.payload.name for t in tries if t.payload.is_gap} - gaps
    if closed:
        print(f"no gaps any more: {', '.join(sorted(closed))}: write - for them in payloads.txt")
    return len(problems) + len(strays), len(gaps)


def judge_bare(tries, strays, args):
    """Without the firewall: what is hidden is executed, and the judge says so of each."""
    hidden = collections.defaultdict(set)
    for each in tries:
        if any(is_forbidden(seen) for seen in each.executed):
            hidden[each.server].add(each.payload.name)
    blind = [t for t in tries if any(map(is_forbidden, t.executed)) and not unjudged(t)]
    wrong = [t for t in tries if t.payload.expect and t.payload.expect[0] == "all" and unexpected(t)]
    for each in wrong:
        show(each, "does not work without the firewall either")
    for server in args.servers:
        print(f"{server:8} executes what is forbidden: {len(hidden[server])} payloads")
        if args.verbose:
            print("\t" + " ".join(sorted(hidden[server])))
    few = [s for s in args.servers if len(hidden[s]) < HIDDEN_AT_LEAST]
    if few:
        print(f"FAIL too few for {few}: this test could not fail")
    return len(few) + len(blind) + len(wrong), sum(map(len, hidden.values())) + len(strays)


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=".")
    parser.add_argument("--only", default="*", help="shell pattern of payload names")
    parser.add_argument("--server", action="append", dest="servers", choices=servers.PORTS)
    parser.add_argument("--family", type=int, choices=(4, 6), default=4, help="of IP addresses")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--at-once", type=int, default=160)
    parser.add_argument("--seed", default="1")
    for switch in ("--all", "--bare", "--table", "--mutations", "--keep", "--verbose"):
        parser.add_argument(switch, action="store_true")
    args = parser.parse_args()
    args.servers = args.servers or list(servers.PORTS)
    args.seconds = 780 if args.all else args.seconds
    return args


def main():
    args = options()
    servers.need()
    ground = world.World(args.build, args.keep, "30s", POLICY)
    site = servers.Servers(ground)
    site.up()
    if not args.bare:
        ground.start_daemon()
    began = time.monotonic()
    tries = run(ground, args)
    took = time.monotonic() - began
    strays = gather(ground, site, tries, args)
    ends = collections.Counter(t.said.end for t in tries)
    n_executed = sum(len(t.executed) for t in tries)
    print(f"{len(tries)} connections in {took:.0f} s ({dict(ends)}), {n_executed} requests executed")
    if args.bare:
        failed, hidden = judge_bare(tries, strays, args)
        print(f"scorecard S5-bare tried={len(tries)} failed={failed} hidden={hidden}")
    else:
        failed, gaps = judge(tries, strays)
        failed += (not ground.status().get("ready"))
        print(f"scorecard S5 tried={len(tries)} failed={failed} gaps={gaps} executed={n_executed} "
              f"payloads={len({t.payload.name for t in tries})} seed={args.seed}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
