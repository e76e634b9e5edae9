#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Replays captures that other people made through the real engine and compares what it read with what others read.

    capture --bridgewarden replay--> records --+
    NAME.oracle.jsonl (tshark) ----------------+--> differences --> must be those of differences.tsv, no more and no less

A difference has a capture, a kind and a count:

    missing:WHY   requests of the oracle that the engine did not report; WHY is what its flow record says of the connection
    extra         requests that only the engine reports
    reordered     connections whose requests are the same in another order
    claimed:APP   connections taken for APP in which the oracle knows nothing of the kind

The captures are not part of the sources; without them the tests say so and are skipped (exit 77).
"""
import argparse
import collections
import concurrent.futures
import csv
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile

SKIPPED = 77
COMPARED = ("http1", "http1-evader", "mysql", "redis", "dns")
FOREIGN = ("amqp", "cassandra", "http2", "kafka", "memcached", "mongodb", "pgsql", "ssh", "tls")
ORACLE_NAMES = {"http": "http", "mysql": "mysql", "resp": "redis", "dns": "dns", "mdns": "dns"}
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


def oracle_dns(event):
    if event["kind"] == "query":
        for question in event["q"]:
            name = as_recorded(question["name"]).lower()
            yield "." if name == "<root>" else name, question["type"]


def oracle_redis(event):
    if event["dir"] == "c2s" and event["kind"] == "array_of_bulk" and event["args"]:
        yield (event["args"][0] or "").lower(), len(event["args"])


def oracle_mysql(event):
    if event["kind"] == "command":
        yield event["name"], as_recorded(event.get("query", ""))


ORACLES = {"http": oracle_http, "dns": oracle_dns, "redis": oracle_redis, "mysql": oracle_mysql}


def ends(event):
    return (event["src"], event["sport"]), (event["dst"], event["dport"])


def read_oracle(path):
    """Requests by (application, client, server), in order; and the pairs of ends by application, without direction."""
    requests, pairs = collections.defaultdict(list), collections.defaultdict(set)
    with open(path, encoding="utf-8", errors="surrogateescape") as lines:
        for event in map(json.loads, lines):
            app = ORACLE_NAMES.get(event.get("proto"))
            if not app or "sport" not in event:
                continue
            src, dst = ends(event)
            pairs[app].add(frozenset((src, dst)))
            requests[app, src, dst].extend(ORACLES[app](event))
    return requests, pairs


# ---- what the engine read

DNS_TYPES = {name: number for number, name in (
    (1, "A"), (2, "NS"), (5, "CNAME"), (6, "SOA"), (10, "NULL"), (12, "PTR"), (13, "HINFO"), (15, "MX"), (16, "TXT"),
    (18, "AFSDB"), (24, "SIG"), (25, "KEY"), (28, "AAAA"), (29, "LOC"), (33, "SRV"), (35, "NAPTR"), (37, "CERT"),
    (39, "DNAME"), (41, "OPT"), (43, "DS"), (44, "SSHFP"), (46, "RRSIG"), (47, "NSEC"), (48, "DNSKEY"), (50, "NSEC3"),
    (51, "NSEC3PARAM"), (52, "TLSA"), (53, "SMIMEA"), (55, "HIP"), (59, "CDS"), (60, "CDNSKEY"), (61, "OPENPGPKEY"),
    (64, "SVCB"), (65, "HTTPS"), (99, "SPF"), (249, "TKEY"), (250, "TSIG"), (251, "IXFR"), (252, "AXFR"),
    (255, "ANY"), (256, "URI"), (257, "CAA"))}


def record_http(http):
    if "http_method" in http:
        return http["http_method"], http.get("url", "")
    return None


def record_dns(dns):
    if dns.get("type") != "query" or "rrname" not in dns:
        return None
    name = re.sub(r"\\(\d{3})", lambda m: chr(int(m.group(1))), dns["rrname"])
    kind = dns["rrtype"]
    return name, DNS_TYPES[kind] if kind in DNS_TYPES else int(kind.removeprefix("TYPE"))


def record_redis(redis):
    if "command" in redis and "args" in redis:
        return redis["command"].split("|")[0], redis["args"]
    return None


def record_mysql(mysql):
    if "command" in mysql:
        return mysql["command"], mysql.get("query", "")
    return None


RECORDS = {"http": record_http, "dns": record_dns, "redis": record_redis, "mysql": record_mysql}


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
    if record["event_type"] != "request" or app not in RECORDS or app not in record:
        return None
    return RECORDS[app](record[app])


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
        wanted, pairs = oracle
        got, flows = replayed
        for key in sorted(set(wanted) | set(got), key=str):
            found, missing, extra = pair_off(wanted.get(key, []), got.get(key, []))
            self.requests[key[0]] += len(wanted.get(key, []))
            self.equal[key[0]] += len(found)
            self.add("missing:" + why_missing(flows[frozenset(key[1:])]), len(missing), (key, missing))
            self.add("extra", len(extra), (key, extra))
            self.add("reordered", found != sorted(found), (key, found))
        for ends_pair, records in flows.items():
            for app in {r["app_proto"] for r in records if "app_proto" in r}:
                self.add("claimed:" + app, ends_pair not in pairs[app], (app, sorted(ends_pair, key=str)))


def oracle_of(path):
    return re.sub(r"\.pcap(ng)?(\.gz)?$", "", path) + ".oracle.jsonl"


def captures_in(corpora, folders):
    for folder in folders:
        for entry in sorted(os.listdir(os.path.join(corpora, folder))):
            path = os.path.join(corpora, folder, entry)
            if re.search(r"\.pcap(ng)?(\.gz)?$", entry) and os.path.exists(oracle_of(path)):
                yield f"{folder}/{entry}", path


def unpacked(path, scratch):
    if not path.endswith(".gz"):
        return path
    plain = os.path.join(scratch, os.path.basename(path).removesuffix(".gz"))
    with gzip.open(path) as source, open(plain, "wb") as out:
        out.write(source.read())
    return plain


def compare_capture(options, name, path, scratch):
    capture = Capture(name)
    replayed = Replayed(options, unpacked(path, scratch), options.policy)
    if replayed.code not in (0, 1) or "Sanitizer" in replayed.said:
        raise SystemExit(f"{name}: exit {replayed.code}: {replayed.said[-3000:]}")
    if replayed.code:
        capture.add("unread-file", 1, replayed.said.strip())
    capture.compare(read_oracle(oracle_of(path)), read_records(replayed.records()))
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
        print(f"{app}: {len(of_app)} captures, {wanted} requests in the oracle, {equal} equal, {wanted - equal} explained")


def print_examples(capture, kind):
    for example_kind, example in capture.examples:
        if example_kind == kind:
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
