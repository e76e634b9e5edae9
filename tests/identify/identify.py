#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the engine calls each connection of other people's captures, beside what tshark and nDPI call it.

    identify.py table --command BRIDGEWARDEN [--write docs/identification.md]   the table, by protocol
    identify.py check --command BRIDGEWARDEN                                    as ctest does: no wrong name, no fewer right ones
    identify.py claimants --claimants PROGRAM                                   no first bytes have two names

The truth of a connection is what tshark dissects it as, by its bytes or by its port, corrected by labels.tsv, each line of
which says why. README.md tells more. The captures are not part of the sources; without them the tests are skipped (exit 77).
"""
import argparse
import collections
import concurrent.futures
import csv
import ipaddress
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "replay"))
import handshakes  # noqa: E402
import replay      # noqa: E402

SKIPPED = 77
FOLDERS = ("amqp", "cassandra", "dns", "http1", "http2", "kafka", "memcached", "mongodb", "mysql", "other", "pgsql", "redis", "ssh",
           "tcp-odd", "tls")

# Ours, tshark's words, nDPI's words. The first of tshark's protocols of a frame that is listed decides.
PROTOCOLS = {
    "ssh": ("ssh", "SSH"), "vnc": ("vnc", "VNC"), "rdp": ("rdp", "RDP"), "smtp": ("smtp", "SMTP SMTPS"),
    "imap": ("imap", "IMAP IMAPS"), "pop3": ("pop", "POP3 POPS"), "ftp": ("ftp", "FTP_CONTROL FTPS"), "amqp": ("amqp", "AMQP"),
    "mqtt": ("mqtt", "MQTT"), "nats": ("nats", "Nats"), "kafka": ("kafka", "Apache_Kafka Kafka"),
    "mongodb": ("mongo", "MongoDB"), "cassandra": ("cql", "Cassandra"), "memcached": ("memcache", "Memcached"),
    "couchbase": ("couchbase", "Couchbase"), "zookeeper": ("zookeeper", "Zookeeper"), "ldap": ("ldap cldap", "LDAP CLDAP"),
    "kerberos": ("kerberos", "Kerberos"), "radius": ("radius", "Radius"), "sip": ("sip", "SIP"), "rtsp": ("rtsp", "RTSP"),
    "rtcp": ("rtcp", "RTCP"), "smb": ("smb smb2 nbss", "SMBv1 SMBv23"), "tds": ("tds", "MsSQL-TDS"),
    "tns": ("tns", "Oracle"), "ntp": ("ntp", "NTP"), "dhcp": ("dhcp dhcpv6", "DHCP DHCPV6"), "tftp": ("tftp", "TFTP"),
    "snmp": ("snmp", "SNMP"), "syslog": ("syslog", "Syslog"), "mdns": ("mdns", "MDNS"), "llmnr": ("llmnr", "LLMNR"),
    "wireguard": ("wg", "WireGuard"),
    "ike": ("isakmp", "IPsec IPSec"), "bittorrent": ("bittorrent bt-dht bt-utp bt-tracker", "BitTorrent"),
}
OF_TSHARK = {word: ours for ours, (words, _) in PROTOCOLS.items() for word in words.split()}
OF_NDPI = {word: ours for ours, (_, words) in PROTOCOLS.items() for word in words.split()}
COLUMNS = ("ip.proto", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport",
           "tcp.len", "frame.protocols")


def key_of(l4, one, other):
    """A connection without direction."""
    return l4, frozenset((one, other))


# ---- the truth

def read_corrections(path):
    """capture, ends or *, protocol or -, why."""
    table = collections.defaultdict(dict)
    with open(path, encoding="utf-8", newline="") as rows:
        for row in csv.reader(rows, delimiter="\t", quoting=csv.QUOTE_NONE):
            if row and not row[0].startswith("#"):
                name, ports, label, why = row
                if not why.strip():
                    raise SystemExit(f"{path}: without a reason: {row}")
                table[name][ports] = label
    return table


PLAIN = re.compile(r"(?:eth:|ethertype:|raw:|null:|sll:|vlan:)*(?:ip|ipv6):(tcp|udp)(?::(.*))?$")


def words_of(chain):
    """The transport and tshark's protocols above it; nothing of what comes in a tunnel or in fragments."""
    match = PLAIN.match(chain)
    if not match:
        return None, []
    words = (match.group(2) or "").split(":")
    inner = next((i for i, word in enumerate(words) if word in ("eth", "ip", "ipv6", "ppp")), len(words))
    return match.group(1), words[:inner] or [""]


def tshark_labels(path, hints):
    """The protocols of each connection that carries bytes, as tshark names them. hints: options of the capture's source."""
    options = hints + [part for name in COLUMNS for part in ("-e", name)]
    run = subprocess.run(["tshark", "-r", path, "-n", "-T", "fields", "-E", "occurrence=f", *options], stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL, check=False)
    labels = collections.defaultdict(set)
    for line in run.stdout.decode("utf-8", "replace").splitlines():
        f = dict(zip(COLUMNS, line.split("\t")))
        l4, words = words_of(f.get("frame.protocols", ""))
        if not l4 or (l4 == "tcp" and f["tcp.len"] in ("", "0")):
            continue
        src, dst = (f["ip.src"], f["ip.dst"]) if f["ip.src"] else (f["ipv6.src"], f["ipv6.dst"])
        port = f[f"{l4}.srcport"], f[f"{l4}.dstport"]
        if not all(port):
            continue
        known = next((OF_TSHARK[w] for w in words if w in OF_TSHARK), None)
        labels[key_of(l4, (src, int(port[0])), (dst, int(port[1])))].add(known or words[0] or "-")
    return labels


def is_whole(path):
    """TCP connections that begin in the capture and of which both directions are there, by their ends."""
    opened, heard = set(), collections.defaultdict(set)
    for link, _, frame, _ in handshakes.packets(replay.content_of(path)):
        at = handshakes.ip_at(link, frame)
        segment = handshakes.segment_of(frame[at:]) if at is not None else None
        if segment:
            heard[segment.pair()].add(segment.src)
            if segment.flags & handshakes.SYN:
                opened.add(segment.pair())
    pairs = {frozenset((str(ipaddress.ip_address(host)), port) for host, port in pair)
             for pair in opened if len(heard[pair]) == 2}
    return lambda key: key[0] == "udp" or key[1] in pairs


def hints_of(path):
    try:
        with open(path + ".tsharkargs", encoding="utf-8") as text:
            return shlex.split(text.read())
    except FileNotFoundError:
        return []


def truth_of(name, labels, corrections):
    """The one protocol of ours that a connection speaks; "-": none of them."""
    fixed = corrections.get(name, {})
    out = {}
    for key, words in labels.items():
        ports = sorted(port for _, port in key[1])
        ours = sorted(w for w in words if w in PROTOCOLS)
        best = ours[0] if ours else "-"
        for port in (f"{min(ports)}-{max(ports)}", *map(str, ports), "*"):
            if port in fixed:
                best = fixed[port]
                break
        out[key] = best
    return out


# ---- what the others say

def record_key(record):
    src, dst = replay.record_ends(record)
    return key_of(record["proto"].lower(), src, dst) if src[1] is not None else None


def policy_text(table):
    apps = re.findall(r"^\t&(\w+)_dissector,", table.read_text(), re.M)
    rules = "\n".join(f"- {{name: all-{a}, from: any, to: any, app: {a}, allow: true, log: all, broad: true}}" for a in apps)
    return f"version: 1\nmode: observe\nrules:\n{rules}\n"


def engine_says(options, path):
    """The name of each connection, and the connections of which it says that they break their protocol."""
    replayed = replay.Replayed(options, path, options.policy)
    names, broken = {}, {}
    for record in replayed.records():
        key = record_key(record)
        if key and "app_proto" in record:
            names[key] = record["app_proto"]
        if key and record["event_type"] == "violation" and record["reason"] == "malformed":
            broken[key] = record.get("violation", {}).get("why", "?")
    return names, broken


def ndpi_says(path, scratch):
    """None where nDPI is not installed."""
    if not shutil.which("ndpiReader"):
        return None
    out = os.path.join(scratch, os.path.basename(path) + ".csv")
    subprocess.run(["ndpiReader", "-q", "-i", path, "-C", out], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    names = {}
    with open(out, encoding="utf-8", errors="replace", newline="") as rows:
        for row in csv.DictReader(rows):
            if row["protocol"] in ("6", "17"):
                l4 = "tcp" if row["protocol"] == "6" else "udp"
                words = [OF_NDPI[w] for w in row["ndpi_proto"].split(".") if w in OF_NDPI]
                names[key_of(l4, (row["src_ip"], int(row["src_port"])), (row["dst_ip"], int(row["dst_port"])))] = \
                    words[0] if words else "-"
    return names


# ---- the comparison

class Score:
    """Connections of one protocol."""

    def __init__(self):
        self.right, self.wrong, self.missed = [], [], []
        self.ndpi_right, self.ndpi_wrong, self.ndpi_missed = [], [], []

    def add(self, other):
        for name, examples in vars(other).items():
            getattr(self, name).extend(examples)

    @property
    def there(self):
        return len(self.right) + len(self.missed)


def judge_capture(options, name, path, scratch):
    oracle = replay.read_oracle(replay.oracle_of(path))
    ready = replay.prepared(name, path, oracle, scratch)
    truth = truth_of(name, tshark_labels(ready, hints_of(path)), options.corrections)
    ours, broken = engine_says(options, ready)
    whole = set(filter(is_whole(path), truth))
    return name, truth, whole, ours, broken, ndpi_says(ready, scratch)


def tally(scores, name, truth, whole, said, prefix):
    """A wrong name is one wherever it stands; right and missed are counted where the beginning is there."""
    for key, protocol in truth.items():
        got, example = said.get(key, "-"), (name, sorted(key[1]), key[0])
        if protocol in PROTOCOLS and key in whole:
            field = prefix + ("right" if got == protocol else "missed")
            getattr(scores[protocol], field).append((*example, got))
        if got in PROTOCOLS and got != protocol:
            getattr(scores[got], prefix + "wrong").append((*example, protocol))


def judge(options):
    scores = {protocol: Score() for protocol in PROTOCOLS}
    all_broken = []
    with tempfile.TemporaryDirectory() as scratch:
        options.policy = os.path.join(scratch, "policy.yaml")
        pathlib.Path(options.policy).write_text(policy_text(HERE.parent.parent / "proto" / "table.c"), encoding="utf-8")
        captures = list(replay.captures_in(options.corpora, FOLDERS))
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            results = list(pool.map(lambda item: judge_capture(options, *item, scratch), captures))
    has_ndpi = False
    for name, truth, whole, ours, broken, ndpi in results:
        tally(scores, name, truth, whole, ours, "")
        all_broken += [(name, sorted(key[1]), truth.get(key), why) for key, why in broken.items() if truth.get(key) in PROTOCOLS]
        if ndpi is not None:
            has_ndpi = True
            tally(scores, name, truth, whole, ndpi, "ndpi_")
    return scores, all_broken, has_ndpi


def share(part, whole):
    return f"{part / whole:.3f}" if whole else ""


def rows_of(scores, has_ndpi):
    yield "| protocol | connections | recall | precision | nDPI's recall | nDPI's precision |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    total = Score()
    for protocol, s in sorted(scores.items()):
        yield row(protocol, s, has_ndpi)
        total.add(s)
    yield row("all", total, has_ndpi)


def recall_and_precision(right, wrong, there):
    return share(len(right), there), share(len(right), len(right) + len(wrong))


def row(name, s, has_ndpi):
    ours = recall_and_precision(s.right, s.wrong, s.there)
    ndpi = recall_and_precision(s.ndpi_right, s.ndpi_wrong, s.there) if has_ndpi else ("", "")
    return "| " + " | ".join((name, str(s.there), *ours, *ndpi)) + " |"


def table(options):
    scores, broken, has_ndpi = judge(options)
    rows = list(rows_of(scores, has_ndpi))
    print("\n".join(rows))
    for protocol, s in sorted(scores.items()):
        for what in ("wrong", "missed") + (("ndpi_wrong",) if options.verbose else ()):
            for example in getattr(s, what):
                print(f"{what} {protocol}: {example}", file=sys.stderr)
    for example in broken:
        print(f"broken: {example}", file=sys.stderr)
    if options.write:
        page = pathlib.Path(options.write)
        head, tail = page.read_text(encoding="utf-8").split("<!-- table -->\n")[::2]
        page.write_text(f"{head}<!-- table -->\n" + "\n".join(rows) + f"\n<!-- table -->\n{tail}", encoding="utf-8")
    return 0


def documented(page):
    """Connections and recall of each protocol as the page has them."""
    cells = (line.split("|")[1:-1] for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("| "))
    return {c[0].strip(): (c[1].strip(), c[2].strip()) for c in cells if len(c) == 6 and c[0].strip() in PROTOCOLS}


def check(options):
    scores, broken, _ = judge(options)
    page = documented(HERE.parent.parent / "docs" / "identification.md")
    bad = 0
    for protocol, s in sorted(scores.items()):
        for example in s.wrong:
            print(f"{protocol}: a wrong name: {example}")
        now = str(s.there), share(len(s.right), s.there)
        if now != page.get(protocol):
            print(f"{protocol}: {now}, docs/identification.md has {page.get(protocol)}; missed: {s.missed[:10]}")
        bad += len(s.wrong) + (now != page.get(protocol))
    for example in broken:
        print(f"taken for a violation of its protocol: {example}")
    print(f"{sum(s.there for s in scores.values())} connections, {sum(len(s.right) for s in scores.values())} named")
    return 1 if bad or broken else 0


# ---- no two dissectors for the same bytes

def first_bytes(path):
    """(transport, "c" or "s", bytes) of each side's first bytes, as packets in order have them; each datagram."""
    seen, expected = {}, {}
    for link, _, frame, _ in handshakes.packets(replay.content_of(path)):
        at = handshakes.ip_at(link, frame)
        if at is None:
            continue
        ip = frame[at:]
        if len(ip) > 28 and ip[0] >> 4 == 4 and ip[9] == 17:
            yield "udp", ip[(ip[0] & 15) * 4 + 8:int.from_bytes(ip[2:4], "big")]
        segment = handshakes.segment_of(ip)
        if not segment or segment.n_data <= 0:
            continue
        end = (segment.src, segment.dst)
        data = ip[-segment.n_data:] if ip[0] >> 4 == 6 else ip[int.from_bytes(ip[2:4], "big") - segment.n_data:][:segment.n_data]
        if expected.setdefault(end, segment.seq) == segment.seq and len(seen.setdefault(end, bytearray())) < 4096:
            seen[end] += data
            expected[end] = (segment.seq + segment.n_data) % 2**32
    for data in seen.values():
        yield "tcp", bytes(data)


def claimants(options):
    lines = set()
    for _, path in replay.captures_in(options.corpora, FOLDERS + ("http1-evader",)):
        for l4, data in first_bytes(path):
            if data:
                lines.update(f"{l4} {side} {data[:4096].hex()}" for side in "cs")
    run = subprocess.run([options.claimants], input="\n".join(sorted(lines)) + "\n", stdout=subprocess.PIPE, text=True, check=False)
    counts = collections.Counter()
    bad = 0
    for line in run.stdout.splitlines():
        names = line.split()[2:]
        counts.update(names)
        if len(names) > 1:
            bad += 1
            print(f"two names: {line[:200]}")
    print(f"{len(lines)} beginnings; {dict(counts.most_common())}")
    return 1 if bad or run.returncode or not counts else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("table", "check", "claimants"))
    parser.add_argument("--command", help="the program bridgewarden")
    parser.add_argument("--claimants", help="the program claimants")
    parser.add_argument("--corpora", default=str(HERE.parents[2] / "shared" / "corpora"))
    parser.add_argument("--write", help="a page with two lines <!-- table -->")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    if not os.path.isdir(options.corpora) or (options.what != "claimants" and not shutil.which("tshark")):
        print("SKIPPED: no captures, or no tshark")
        return SKIPPED
    options.corrections = read_corrections(HERE / "labels.tsv")
    return {"table": table, "check": check, "claimants": claimants}[options.what](options)


if __name__ == "__main__":
    sys.exit(main())
