#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Replays captures that other people made through the real engine; compares what it read with what others read.

    capture --bridgewarden replay--> records --+
    NAME.oracle.jsonl (tshark) ----------------+--> differences --> must be those of differences.tsv, all of them

A difference has a capture, a kind and a count:

    missing:WHY   requests of the oracle that the engine did not report; WHY is what its flow record says
    extra         requests that only the engine reports
    reordered     connections whose requests are the same in another order
    claimed:APP   connections taken for APP in which the oracle knows nothing of the kind
    ja4           fingerprints that the capture's source expects, and that no hello had

The captures are not part of the sources; without them the tests say so and are skipped (exit 77).
"""
import argparse
import collections
import concurrent.futures
import csv
import gzip
import hashlib
import ipaddress
import json
import os
import random
import re
import subprocess
import sys
import tempfile

import handshakes

SKIPPED = 77
COMPARED = ("http1", "http1-evader", "mysql", "pgsql", "redis", "dns")
FOREIGN = ("amqp", "cassandra", "http2", "kafka", "memcached", "mongodb", "ssh", "tls")
ODD = ("tcp-odd", "other")
ORACLE_NAMES = {"http": "http", "mysql": "mysql", "resp": "redis", "dns": "dns", "tls": "tls", "pgsql": "postgres",
                "http2": "http2"}
TIMEOUT_S = 60


# ---- what the oracle read

def as_recorded(text):
    """The records write bytes that are no UTF-8, and NUL, as \\xNN."""
    raw = text.encode("utf-8", "surrogateescape")
    out = []
    for char in raw.decode("utf-8", "surrogateescape"):
        byte = ord(char)
        out.append(f"\\x{byte & 0xff:02x}" if byte == 0 or 0xdc80 <= byte <= 0xdcff else char)
    return "".join(out)


def oracle_http(event):
    if event["kind"] == "request":
        yield event["method"], as_recorded(event.get("uri", ""))


def oracle_http2(event):
    if event["kind"] == "headers" and event["dir"] == "c2s" and "method" in event:
        yield event["method"], as_recorded(event.get("path", event.get("authority", "")))


def oracle_dns(event):
    if event["kind"] == "query":
        for question in event["q"]:
            name = as_recorded(question["name"]).lower()
            yield "." if name == "<root>" else name, question["type"]


def oracle_redis(event):
    if event["dir"] == "c2s" and event["kind"] == "array_of_bulk" and event["args"]:
        yield (event["args"][0] or "").lower(), len(event["args"])


# https://dev.mysql.com/doc/dev/mysql-server/latest/my__command_8h.html, as the records spell them
MYSQL_COMMANDS = dict(enumerate(
    "sleep quit init_db query field_list create_db drop_db refresh shutdown statistics process_info connect "
    "process_kill debug ping time delayed_insert change_user binlog_dump table_dump connect_out register_slave "
    "prepare execute send_long_data close reset set_option fetch".split()))


def oracle_mysql(event):
    if event["kind"] == "login":
        yield "login", as_recorded(event["user"])
    if event["kind"] == "command":
        command = event["command"]
        yield MYSQL_COMMANDS.get(command, command), as_recorded(event.get("query", ""))


def oracle_postgres(event):
    """Messages that have an event. Blanks behind the last semicolon belong to no statement."""
    if event["dir"] == "c2s" and event["type"] == "Startup message" and "params" in event:
        yield "startup", as_recorded(event["params"].get("user", ""))
    if event["dir"] == "c2s" and event["type"] in ("Simple query", "Parse"):
        yield ("query" if event["type"] == "Simple query" else "parse"), as_recorded(event.get("query", "")).strip()
    if event["dir"] == "c2s" and event["type"] == "Execute":
        yield "execute", ""


def is_grease(code):
    return code & 0x0f0f == 0x0a0a and code >> 8 == code & 0xff


def ja4_begin(event):
    """JA4 without its last part, for which the oracle lacks the signature algorithms."""
    offered = [int(v, 16) for v in event.get("supported_versions", ())] or [int(event["version"], 16)]
    version = {0x300: "s3", 0x301: "10", 0x302: "11", 0x303: "12", 0x304: "13"}.get(
        max(v for v in offered if not is_grease(v)), "00")
    ciphers = sorted(c for c in event["ciphers"] if not is_grease(c))
    extensions = [e for e in event.get("extensions", ()) if not is_grease(e)]
    name = event["alpn"][0] if event.get("alpn") else "00"
    digest = hashlib.sha256(",".join(f"{c:04x}" for c in ciphers).encode()).hexdigest()
    return (f"t{version}{'d' if 'sni' in event else 'i'}{min(len(ciphers), 99):02}{min(len(extensions), 99):02}"
            f"{name[0]}{name[-1]}_{digest[:12]}")


# As the records spell them.
TLS_VERSIONS = {"0x0300": "SSLv3", "0x0301": "TLSv1", "0x0302": "TLS 1.1", "0x0303": "TLS 1.2", "0x0304": "TLS 1.3"}


def chosen_version(version, cipher):
    """Of TLS 1.3, by its ciphers, the oracle has only the version that stands there for old boxes."""
    return "TLS 1.3" if cipher.startswith("0x13") else version


def oracle_tls(event):
    if event["kind"] == "client_hello":
        yield "offer", event.get("sni", "").lower().rstrip("."), tuple(event.get("alpn", ())), ja4_begin(event)
    if event["kind"] == "server_hello":
        yield "choice", chosen_version(TLS_VERSIONS.get(event["version"], event["version"]), event["cipher"]), event["cipher"]


ORACLES = {"http": oracle_http, "http2": oracle_http2, "dns": oracle_dns, "redis": oracle_redis, "mysql": oracle_mysql,
           "tls": oracle_tls, "postgres": oracle_postgres}


def split_end(text):
    host, port = text.rsplit(":", 1)
    return host.strip("[]"), int(port)


def ends(event):
    return (event["src"], event["sport"]), (event["dst"], event["dport"])


class Oracle:
    """requests: by (application, client, server), in order; pairs: ends by application, without direction."""

    def __init__(self):
        self.requests, self.pairs = collections.defaultdict(list), collections.defaultdict(set)
        self.streams = {}  # number: client, server

    def take_heads(self, heads):
        """A request whose body is not whole has no event, only a head that a second run found. Those of connections
        without any event are taken; elsewhere some only look like a head (in bodies, quoted in ICMP errors)."""
        by_ends = collections.defaultdict(list)
        for head in (h for h in heads if h["stream"] in self.streams):
            client, server = (split_end(text) for text in self.streams[head["stream"]])
            key = ("http", client, server) if head["dir"] == "c2s" else ("http", server, client)
            by_ends[key].append((head["method"], as_recorded(head["uri"])))
        for key, requests in by_ends.items():
            if not self.requests[key]:
                self.requests[key] = requests
                self.pairs["http"].add(frozenset(key[1:]))

    def clients(self):
        """The ends, as the oracle writes them, that opened a connection."""
        return {client for client, _ in self.streams.values()}

    def logged_in(self):
        """Those that speak MySQL on a connection whose login is not in the capture."""
        return {client for client, server in self.streams.values()
                if frozenset((split_end(client), split_end(server))) in self.pairs["mysql"] and
                "login" not in (request[0] for request in self.requests["mysql", split_end(client), split_end(server)])}


def read_oracle(path):
    """What tshark says of a capture."""
    oracle, heads, first = Oracle(), [], {}
    with open(path, encoding="utf-8", errors="surrogateescape") as lines:
        for event in map(json.loads, lines):
            app = ORACLE_NAMES.get(event.get("proto"))
            if event["kind"] == "tcp_stream":
                oracle.streams[event["stream"]] = event["client"], event["server"]
            if event["kind"] == "http_head_without_body_reassembly" and "method" in event:
                heads.append(event)
            if "proto" in event and "stream" in event:
                first.setdefault((event["l4"], event["stream"]), event["proto"])
            if not app or "sport" not in event:
                continue
            src, dst = ends(event)
            if app == "tls" and first[event["l4"], event["stream"]] != "tls":
                continue  # begun inside another protocol, where nobody reads it
            if event["kind"] == "server_hello":
                src, dst = dst, src
            oracle.pairs[app].add(frozenset((src, dst)))
            oracle.requests[app, src, dst].extend(ORACLES[app](event))
    oracle.take_heads(heads)
    return oracle


# ---- what the engine read

# https://www.iana.org/assignments/dns-parameters
DNS_TYPES = dict(zip(
    "A NS MD MF CNAME SOA MB MG MR NULL WKS PTR HINFO MINFO MX TXT RP AFSDB X25 ISDN RT".split(), range(1, 22)))
DNS_TYPES |= dict(
    SIG=24, KEY=25, PX=26, AAAA=28, LOC=29, SRV=33, NAPTR=35, KX=36, CERT=37, DNAME=39, OPT=41, APL=42, DS=43, SSHFP=44,
    IPSECKEY=45, RRSIG=46, NSEC=47, DNSKEY=48, DHCID=49, NSEC3=50, NSEC3PARAM=51, TLSA=52, SMIMEA=53, HIP=55, CDS=59,
    CDNSKEY=60, OPENPGPKEY=61, CSYNC=62, ZONEMD=63, SVCB=64, HTTPS=65, SPF=99, EUI48=108, EUI64=109, TKEY=249, TSIG=250,
    IXFR=251, AXFR=252, MAILB=253, MAILA=254, ANY=255, URI=256, CAA=257, TA=32768, DLV=32769)


def dns_type(name):
    """-1, which nobody asks for, where the name is not a type's."""
    if re.fullmatch(r"TYPE\d+", name):
        return int(name[4:])
    return DNS_TYPES.get(name, -1)


def record_http(http):
    if "http_method" in http:
        return http["http_method"], http.get("url", "")
    return None


def record_dns(dns):
    if dns.get("type") != "query" or "rrname" not in dns:
        return None
    name = re.sub(r"\\(\d{3})", lambda m: chr(int(m.group(1))), dns["rrname"])
    return name, dns_type(dns["rrtype"])


def record_redis(redis):
    if "command" in redis and "args" in redis:
        return redis["command"].split("|")[0], redis["args"] + 1
    return None


def record_mysql(mysql):
    if "command" in mysql and mysql.get("user") != handshakes.LOGIN_USER or mysql.get("command") not in (None, "login"):
        return mysql["command"], mysql.get("user" if mysql["command"] == "login" else "query", "")
    return None


def record_tls(tls):
    if "ja4" in tls:
        return "offer", tls.get("sni", ""), tuple(tls.get("alpn", ())), tls["ja4"][:23]
    if "cipher" in tls:
        return "choice", chosen_version(tls["version"], tls["cipher"]), tls["cipher"]
    return None


def record_postgres(pgsql):
    if "command" in pgsql and (pgsql["command"] != "startup" or "verb" not in pgsql):
        return pgsql["command"], pgsql.get("user" if pgsql["command"] == "startup" else "query", "").strip()
    return None


RECORDS = {"http": record_http, "http2": record_http, "dns": record_dns, "redis": record_redis, "mysql": record_mysql,
           "tls": record_tls, "postgres": record_postgres}
OBJECTS = {"postgres": "pgsql", "http2": "http"}  # where the record calls it otherwise
REPLIES = ("tls",)  # whose replies are compared, too


class Replayed:
    """One run of the command."""

    def __init__(self, options, capture, policy, more=()):
        self.run = subprocess.run([options.command, "replay", *more, "--policy", policy, "-o", "json", "--", capture],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=TIMEOUT_S, check=False)
        self.said = self.run.stderr.decode("utf-8", "replace")
        self.code = self.run.returncode

    def records(self):
        return [json.loads(line) for line in self.run.stdout.splitlines()]


def record_ends(record):
    return (record["src_ip"], record.get("src_port")), (record["dest_ip"], record.get("dest_port"))


def request_of(record):
    app = record.get("app_proto")
    is_compared = record["event_type"] == "request" or (record["event_type"] == "reply" and app in REPLIES)
    name = OBJECTS.get(app, app)
    if not is_compared or app not in RECORDS or name not in record:
        return None
    return RECORDS[app](record[name])


def read_records(records):
    """Requests as read_oracle() gives them, and the flow records by pair of ends."""
    requests, flows = collections.defaultdict(list), collections.defaultdict(list)
    for record in records:
        src, dst = record_ends(record)
        request = request_of(record)
        if request:
            requests[record["app_proto"], src, dst].append((request, record.get("truncated", ())))
        if record["event_type"] == "flow":
            flows[frozenset((src, dst))].append(record)
    return requests, flows


# ---- the comparison

def fit(wanted, got):
    """Values longer than a record holds are cut there."""
    request, cut = got
    if request == wanted:
        return True
    return bool(cut) and request[0] == wanted[0] and isinstance(wanted[1], str) and wanted[1].startswith(request[1])


def pair_off(wanted, got):
    """Indices into `got` for what `wanted` has, in its order, and what is left of both."""
    left = list(range(len(got)))
    found, missing = [], []
    for request in wanted:
        at = next((i for i in left if fit(request, got[i])), None)
        if at is None:
            missing.append(request)
        else:
            left.remove(at)
            found.append(at)
    return found, missing, [got[i][0] for i in left]


def why_missing(flows):
    """What the engine says of the connection."""
    whys = set()
    for flow in flows:
        if flow["reason"] not in ("none", "rule"):
            whys.add(flow["reason"])
        else:
            whys.add("read" if "app_proto" in flow else "unread")
    return "+".join(sorted(whys)) or "no-flow"


class Capture:
    """The differences of one capture."""

    def __init__(self, name):
        self.name = name
        self.differences = collections.Counter()
        self.requests = collections.Counter()
        self.equal = collections.Counter()
        self.examples = []

    def add(self, kind, count, example):
        if count:
            self.differences[kind] += count
            self.examples.append((kind, example))

    def compare(self, oracle, replayed):
        wanted = oracle.requests
        got, flows = replayed
        for key in sorted(set(wanted) | set(got), key=str):
            found, missing, extra = pair_off(wanted.get(key, []), got.get(key, []))
            self.requests[key[0]] += len(wanted.get(key, []))
            self.equal[key[0]] += len(found)
            self.add("missing:" + why_missing(flows[frozenset(key[1:])]), len(missing), (key, missing))
            self.add("extra", len(extra), (key, extra))
            self.add("reordered", found != sorted(found), (key, found))
        for ends_pair, records in flows.items():
            for app in {r["app_proto"] for r in records if r.get("app_proto") in ORACLES}:  # the others: tests/identify
                self.add("claimed:" + app, ends_pair not in oracle.pairs[app], (app, sorted(ends_pair, key=str)))


def oracle_of(path):
    return re.sub(r"\.pcap(ng)?(\.gz)?$", "", path) + ".oracle.jsonl"


def captures_in(corpora, folders):
    for folder in folders:
        for entry in sorted(os.listdir(os.path.join(corpora, folder))):
            path = os.path.join(corpora, folder, entry)
            if re.search(r"\.pcap(ng)?(\.gz)?$", entry) and os.path.exists(oracle_of(path)):
                yield f"{folder}/{entry}", path


def content_of(path):
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as source:
        return source.read()


def prepared(name, path, oracle, scratch):
    """The capture itself, or a copy where it had to be unpacked or where a handshake was added."""
    content = content_of(path)
    with_beginnings, added = handshakes.with_handshakes(content, oracle.clients(), oracle.logged_in())
    if not added and not path.endswith(".gz"):
        return path
    copy = os.path.join(scratch, name.replace("/", "--") + ".copy")
    with open(copy, "wb") as out:
        out.write(with_beginnings if added else content)
    return copy


def expected_fingerprints(path):
    """Whole JA4 values that the source of a TLS capture tests for itself."""
    found = set()
    folder = oracle_of(path).removesuffix(".oracle.jsonl") + ".expected"
    for entry in os.listdir(folder) if "/tls/" in path and os.path.isdir(folder) else ():
        with open(os.path.join(folder, entry), encoding="utf-8", errors="replace") as text:
            found |= set(re.findall(r"\bt\w{9}_[0-9a-f]{12}_[0-9a-f]{12}\b", text.read()))
    return found


def compare_capture(options, name, path, scratch):
    capture = Capture(name)
    oracle = read_oracle(oracle_of(path))
    replayed = Replayed(options, prepared(name, path, oracle, scratch), options.policy)
    if replayed.code not in (0, 1) or "Sanitizer" in replayed.said:
        raise SystemExit(f"{name}: exit {replayed.code}: {replayed.said[-3000:]}")
    capture.add("unread-file", replayed.code, replayed.said.strip())
    records = replayed.records()
    capture.compare(oracle, read_records(records))
    unmet = expected_fingerprints(path) - {r["tls"]["ja4"] for r in records if "ja4" in r.get("tls", {})}
    capture.add("ja4", len(unmet), unmet)
    return capture


def in_parallel(work, items):
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda item: work(*item), items))


# ---- the table of differences that are right

def read_table(path):
    table = {}
    with open(path, encoding="utf-8", newline="") as rows:
        for row in csv.reader(rows, delimiter="\t", quoting=csv.QUOTE_NONE):
            if not row or row[0].startswith("#"):
                continue
            if len(row) != 4 or not row[3].strip():
                raise SystemExit(f"{path}: a row is capture, kind, count, reason: {row}")
            if (row[0], row[1]) in table:
                raise SystemExit(f"{path}: twice: {row[0]} {row[1]}")
            table[row[0], row[1]] = int(row[2]), row[3]
    return table


def report(captures):
    apps = sorted(set().union(*(c.requests for c in captures)))
    for app in apps:
        of_app = [c for c in captures if c.requests[app]]
        wanted, equal = sum(c.requests[app] for c in of_app), sum(c.equal[app] for c in of_app)
        print(f"{app}: {len(of_app)} captures, {wanted} requests in the oracle, {equal} equal, {wanted - equal} not")


def print_examples(capture, kind):
    examples = [example for example_kind, example in capture.examples if example_kind == kind]
    for example in examples[:10]:
        print(f"    {str(example)[:400]}")


def check_table(options, captures, folders):
    table = read_table(options.differences)
    table = {key: row for key, row in table.items() if key[0].split("/")[0] in folders}
    bad = 0
    for capture in captures:
        for kind, count in sorted(capture.differences.items()):
            known = table.pop((capture.name, kind), (0, ""))
            if options.rows:
                print(f"{capture.name}\t{kind}\t{count}\t{known[1] or '?'}")
            elif known[0] != count:
                bad += 1
                print(f"{capture.name}: {kind}: {count}, expected {known[0]}")
                print_examples(capture, kind)
    for (name, kind), (count, _) in table.items():
        bad += 1
        if not options.rows:
            print(f"{name}: {kind}: 0, expected {count}: strike the row out")
    return bad


def compare(options, folders):
    with tempfile.TemporaryDirectory() as scratch:
        captures = in_parallel(lambda name, path: compare_capture(options, name, path, scratch),
                               captures_in(options.corpora, folders))
    if not captures:
        raise SystemExit("no captures with an oracle")
    bad = check_table(options, captures, folders)
    if not options.rows:
        report(captures)
    return 1 if bad else 0


# ---- the other tests

def same_twice(options):
    """The same captures give the same output, byte for byte."""
    def differs(name, path):
        first, second = (Replayed(options, path, options.policy).run.stdout for _ in range(2))
        return name if first != second else None
    names = [n for n in in_parallel(differs, captures_in(options.corpora, STABLE)) if n]
    for name in names:
        print(f"{name}: two runs, two outputs")
    return 1 if names else 0


def midstream_reads(options):
    """Connections whose beginning is not in the capture yield no request, whatever protocol they speak."""
    def read_midstream(name, path):
        oracle = read_oracle(oracle_of(path))
        _, added = handshakes.with_handshakes(content_of(path), oracle.clients(), ())
        read = set()
        for record in Replayed(options, path, options.policy).records() if added else ():
            if request_of(record):
                read.add(frozenset((ipaddress.ip_address(host).packed, port) for host, port in record_ends(record)))
        return len(added), [f"{name}: a request of a connection without a beginning"] * len(added & read)
    results = in_parallel(read_midstream, captures_in(options.corpora, ("redis", "mysql")))
    bad = [line for _, lines in results for line in lines]
    print("\n".join(bad + [f"{sum(n for n, _ in results)} connections without a beginning"]))
    return 1 if bad or not any(n for n, _ in results) else 0


def damage(whole):
    """(what, bytes, must it be refused) for a capture file."""
    yield "empty", b"", True
    yield "text", b"GET / HTTP/1.1\r\n" * 100, True
    yield "zeroes", bytes(4096), True
    for n in (1, 3, 4, 8, 23):
        yield f"first {n} bytes", whole[:n], True
    for n in (25, 39, 41, len(whole) // 2, len(whole) - 1):
        yield f"first {n} bytes", whole[:n], None
    generator = random.Random(1)
    for turn in range(40):
        torn = bytearray(whole)
        for _ in range(1 + turn):
            torn[generator.randrange(len(torn))] = generator.randrange(256)
        yield f"{turn + 1} random bytes, take {turn}", bytes(torn), None
    for turn in range(10):
        yield f"noise {turn}", whole[:24] + generator.randbytes(4000), None


def is_clean_end(replayed, must_fail):
    """A negative answer is explained; nothing ends by a signal."""
    if replayed.code not in (0, 1) or "Sanitizer" in replayed.said or "runtime error" in replayed.said:
        return False
    if must_fail is not None and replayed.code != int(must_fail):
        return False
    return replayed.code == 0 or replayed.said.startswith("bridgewarden: ")


def damaged_files(options):
    """Whatever stands in a file: an answer, a message, exit 0 or 1."""
    def try_one(what, path, must_fail):
        replayed = Replayed(options, path, options.policy)
        if is_clean_end(replayed, must_fail) and (replayed.code == 0 or path in replayed.said):
            return 0
        print(f"{what}: exit {replayed.code}: {replayed.said[:600]}")
        return 1
    with tempfile.TemporaryDirectory() as scratch:
        tries = [("directory", scratch, True), ("nothing there", os.path.join(scratch, "none.pcap"), True)]
        for name in DAMAGED:
            with open(os.path.join(options.corpora, name), "rb") as source:
                whole = source.read()
            for what, content, must_fail in damage(whole):
                path = os.path.join(scratch, f"{len(tries)}.pcap")
                with open(path, "wb") as out:
                    out.write(content)
                tries.append((f"{name}: {what}", path, must_fail))
        return 1 if sum(in_parallel(try_one, tries)) else 0


def cut_capture(options):
    """What came before the cut is reported, the cut is told, and the answer is negative."""
    with tempfile.TemporaryDirectory() as scratch:
        source = os.path.join(options.corpora, CUT)
        path = os.path.join(scratch, "cut.pcap")
        with open(source, "rb") as whole, open(path, "wb") as out:
            out.write(whole.read()[:-7])
        before = [request_of(r) for r in Replayed(options, source, options.policy).records()]
        cut = Replayed(options, path, options.policy)
        after = [request_of(r) for r in cut.records()]
        if cut.code == 1 and "cut or damaged" in cut.said and any(after) and before[:1] == after[:1]:
            return 0
        print(f"exit {cut.code}: {cut.said}; {len(before)} and {len(after)} records")
        return 1


# Small captures of both file formats.
DAMAGED = ("dns/packetbeat--dns_google_com.pcap", "http1/arkime--http-simple-get.pcap",
           "dns/pcapplusplus--dns_over_tcp.pcapng")
CUT = "http1/arkime--http-simple-get.pcap"
STABLE = ("redis", "mysql", "dns")

TESTS = {
    "compare": lambda options: compare(options, COMPARED),
    "foreign": lambda options: compare(options, FOREIGN),
    "odd": lambda options: compare(options, ODD),
    "stable": same_twice,
    "midstream": midstream_reads,
    "damaged": lambda options: damaged_files(options) or cut_capture(options),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("test", choices=TESTS)
    parser.add_argument("--command", required=True, help="the program bridgewarden")
    parser.add_argument("--corpora", required=True, help="folder of captures")
    parser.add_argument("--policy", required=True)
    parser.add_argument("--differences", required=True, help="the table")
    parser.add_argument("--rows", action="store_true", help="print the table as it would have to be")
    options = parser.parse_args()
    if not os.path.isdir(options.corpora):
        print(f"SKIPPED: no captures at {options.corpora}")
        return SKIPPED
    return TESTS[options.test](options)


if __name__ == "__main__":
    sys.exit(main())
