#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""dns_servers.py --build BUILD [--queries N] [--answers N] [--seed S]: the dissector of DNS against what servers and resolvers make of the same bytes.

Questions: mutated queries that the dissector lets through go to unbound, named and dnsmasq, over UDP one by one and over TCP in
rows. Each question in a server's query log must be one that was judged: same name, type and class, same order.

Answers: mutated answers that the dissector lets through are read by dnspython and by the C library's resolver. Each address that
these give for the name must be among those that the dissector listed.

In a network namespace of its own, where all of 198.18.0.0/15 is here: each question has its own source address, by which the
logs name it. Prints `scorecard S7-dns tried=N failed=M`; exit status 1 when one failed, 77 when a server is missing.
"""
import argparse
import ctypes
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

import judge as judges

try:
    import dns.exception
    import dns.message
    import dns.rcode
    import dns.rdata
    import dns.rdataclass
    import dns.rdatatype
except ImportError:
    print("skipped: python3-dnspython is not installed")
    sys.exit(77)

BATCH = 4000        # questions between two looks at a log
WINDOW = 100        # of them under way at a time
ROW = 24            # records told at once: both ways they fit a pipe
IP_PKTINFO = 8
CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
MS_REC, MS_PRIVATE, MS_BIND = 0x4000, 1 << 18, 0x1000
TYPES = [1, 2, 5, 6, 12, 15, 16, 28, 33, 64, 65, 99, 255, 65280]
WORDS = [b"www", b"api", b"a", b"example", b"com", b"org", b"net", b"mail", b"WwW", b"xn--80ao21a", b"_dns", b"x" * 63, b"a.b", b"\0", b"a\\b", b"\xff\xfe"]


# ---- the bytes

def wire_name(labels):
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def some_name(dice):
    return wire_name([dice.choice(WORDS) for _ in range(dice.randint(0, 5))])


def some_query(dice):
    flags = dice.choice([0x0100, 0x0100, 0x0000, 0x0120, 0x0010, 0x0110])
    extra = dice.choice([b"", b"\0\0\x29\x04\xd0\0\0\0\0\0\0", b"\0\0\x29\x10\0\0\0\x80\0\0\x0c\0\x0a\0\x08abcdefgh"])
    question = some_name(dice) + struct.pack(">HH", dice.choice(TYPES), dice.choice([1, 1, 1, 1, 3, 255]))
    return struct.pack(">HHHHHH", dice.randrange(65536), flags, 1, 0, 0, bool(extra)) + question + extra


def mutate_once(dice, b):
    """One change, in place."""
    at = dice.randrange(len(b)) if b else 0
    kind = dice.randrange(8)
    if not b or kind == 0:
        b[at:at] = bytes([dice.randrange(256)])
    elif kind == 1:
        b[at] ^= 1 << dice.randrange(8)
    elif kind == 2:
        b[at] = dice.choice([0, 1, 2, 3, 12, 0x3f, 0x40, 0x41, 0x80, 0xc0, 0xff])
    elif kind == 3:
        del b[at:at + dice.randint(1, 4)]
    elif kind == 4:
        other = dice.randrange(len(b))
        b[at:at] = b[other:other + dice.randint(1, 16)]
    elif kind == 5:
        b[at:at + 2] = struct.pack(">H", 0xc000 | dice.randrange(len(b) + 4))
    elif kind == 6:
            b[min(len(b) - 1, 5 + 2 * dice.randrange(4))] = dice.randrange(4)
    else:
        b += bytes(dice.randrange(256) for _ in range(dice.randint(1, 12)))


def mutated(dice, whole, first=0):
    """From `first` on, mostly by one or two changes."""
    rest = bytearray(whole[first:])
    for _ in range(dice.choice([0, 1, 1, 1, 2, 2, 3, 6])):
        mutate_once(dice, rest)
    return (whole[:first] + bytes(rest))[:1400]


# ---- names as logs and events write them

def labels_of(text):
    """Labels in small letters, of a name in presentation form."""
    text = text[:-1] if text.endswith(".") and not text.endswith("\\.") else text
    labels, label, at = [], bytearray(), 0
    while at < len(text):
        if text[at] == "\\" and text[at + 1:at + 4].isdigit():
            label.append(int(text[at + 1:at + 4]))
            at += 4
        elif text[at] == "\\":
            label.append(ord(text[at + 1]))
            at += 2
        elif text[at] == ".":
            labels.append(bytes(label).lower())
            label = bytearray()
            at += 1
        else:
            label.append(ord(text[at]))
            at += 1
    return labels + [bytes(label).lower()] if label else labels


# Types that servers have names for and dnspython has not.
OLD_TYPES = {"NXT": 30, "EID": 31, "NIMLOC": 32, "NSAP-PTR": 23, "ATMA": 34, "A6": 38, "SINK": 40, "NINFO": 56, "RKEY": 57, "TALINK": 58, "UINFO": 100, "UID": 101,
             "GID": 102, "UNSPEC": 103, "NXNAME": 128, "MAILB": 253, "MAILA": 254, "TA": 32768, "DLV": 32769, "KEYDATA": 65533, "WALLET": 262,
             "DOA": 259, "RESINFO": 261, "CLA": 263, "IPN": 264, "DSYNC": 66, "HHIT": 67, "BRID": 68}


def number_of(text, known):
    if known is dns.rdatatype and text in OLD_TYPES:
        return OLD_TYPES[text]
    found = re.fullmatch(r"(?:TYPE|CLASS|RESERVED|type=)?(\d+)", text)
    try:
        return int(found.group(1)) if found else int(known.from_text(text))
    except dns.exception.DNSException:
        return text     # equal to no number: the comparison will say which name is missing here


def judged_questions(answer):
    """(labels, type, class) of each request that the dissector told of. NOTIFY and others with a question, too: unbound takes them for
    questions; their events are unproven."""
    out = []
    for event in judges.requests(answer):
        field = {key: value for key, value in event["fields"]}
        if "rrname" in field:
            out.append((labels_of(field["rrname"]), number_of(field["rrtype"], dns.rdatatype),
                        number_of(field["rrclass"], dns.rdataclass)))
    return out


# ---- servers

class Server:
    """A server that writes down each question it takes, with the address it came from."""

    def __init__(self, folder, address):
        self.address, self.log = address, os.path.join(folder, "log")
        self.offset = 0
        self.process = subprocess.Popen(self.command(folder), cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=10)

    def fresh_lines(self):
        try:
            with open(self.log, encoding="latin-1") as log:
                log.seek(self.offset)
                text = log.read()
        except FileNotFoundError:
            return []
        whole = text.rfind("\n") + 1
        self.offset += whole
        return text[:whole].split("\n")

    def wait_for(self, mark):
        """The questions in the log up to the one from `mark`: [(source, name, type, class)]."""
        found, end = [], time.monotonic() + 15
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"{type(self).__name__} ended by itself")
            for line in self.fresh_lines():
                one = self.parse(line)
                if one:
                    found.append(one)
            if any(source == mark for source, *_ in found):
                return [one for one in found if one[0] != mark]
            time.sleep(0.01)
        raise RuntimeError(f"{type(self).__name__}: the last question never came into the log")

    def same(self, judged, logged):
        return self.shape(judged[0]) == logged[0] and judged[1:] == logged[1:]

    @staticmethod
    def shape(labels):
        """The name as this server writes it."""
        return labels


class Unbound(Server):
    """Writes what is no letter, digit, `-`, `_` or `*` as `?`, in labels that may hold anything."""
    binary = "unbound"
    line = re.compile(r"info: (198\.\S+) (\S+) (\S+) (\S+)$")

    def command(self, folder):
        with open(f"{folder}/conf", "w", encoding="ascii") as conf:
            conf.write(f"""server:
 interface: {self.address}
 access-control: 198.18.0.0/15 allow
 chroot: ""
 username: ""
 directory: "{folder}"
 pidfile: ""
 use-syslog: no
 logfile: "{self.log}"
 log-queries: yes
 module-config: "iterator"
 local-zone: "." static
 tcp-idle-timeout: 200
remote-control:
 control-enable: no
""")
        return ["unbound", "-d", "-c", f"{folder}/conf"]

    def parse(self, line):
        found = self.line.search(line)
        if not found:
            return None
        return (found.group(1), found.group(2).lower(), number_of(found.group(3), dns.rdatatype),
                number_of(found.group(4), dns.rdataclass))

    @staticmethod
    def shape(labels):
        return "".join("".join(chr(c) if chr(c).isascii() and chr(c).isalnum() or c in b"-_*" else "?" for c in label) + "."
                       for label in labels) or "."


class Named(Server):
    binary = "named"
    line = re.compile(r"client (?:@\S+ )?([\d.]+)#\d+ \(.*\): query: (\S+) (\S+) (\S+) \S+ \([\d.]+\)$")

    def command(self, folder):
        with open(f"{folder}/conf", "w", encoding="ascii") as conf:
            conf.write(f"""options {{ directory "{folder}"; listen-on {{ {self.address}; }}; listen-on-v6 {{ none; }}; recursion no;
 allow-query {{ any; }}; querylog yes; pid-file none; session-keyfile none; dnssec-validation no; }};
controls {{ }};
logging {{ channel q {{ file "{self.log}"; severity info; }}; category queries {{ q; }}; category default {{ null; }}; }};
""")
        return ["named", "-f", "-n", "1", "-c", f"{folder}/conf"]

    def parse(self, line):
        found = self.line.search(line)
        if not found:
            return None
        return (found.group(1), labels_of(found.group(2)), number_of(found.group(4), dns.rdatatype),
                number_of(found.group(3), dns.rdataclass))


class Dnsmasq(Server):
    """Writes no class, and no name with a label that holds a dot or what cannot be printed."""
    binary = "dnsmasq"
    line = re.compile(r"query\[(\S+)\] (.*) from (198\.\S+)$")

    def command(self, folder):
        return ["dnsmasq", "-k", "-C", "/dev/null", "--no-resolv", "--no-hosts", "--user=root", "--pid-file=", "--cache-size=0",
                f"--listen-address={self.address}", "--bind-interfaces", "--port=53", "--log-queries",
                f"--log-facility={self.log}", "--address=/#/198.18.9.9"]

    def parse(self, line):
        found = self.line.search(line)
        if not found:
            return None
        return found.group(3), found.group(2).lower(), number_of(found.group(1), dns.rdatatype), None

    def same(self, judged, logged):
        return super().same(judged[:2], logged[:2])

    @staticmethod
    def shape(labels):
        if any(c == ord(".") or not 0x20 <= c < 0x7f for label in labels for c in label):
            return "<name unprintable>"
        return ".".join(label.decode("ascii") for label in labels) or "."


SERVERS = [Unbound, Named, Dnsmasq]


# ---- sending

def server_of(i):
    return f"198.18.0.{10 + i}"


def source_of(i):
    return f"198.19.{i >> 8}.{i & 255}"


class Sender:
    """One socket that sends from any address of this namespace."""

    def __init__(self, server):
        self.server = server.address
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.socket.bind(("0.0.0.0", 0))
        self.socket.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)

    def send(self, source, datagram):
        info = struct.pack("@I4s4s", 0, socket.inet_aton(source), b"\0" * 4)
        self.socket.sendmsg([datagram], [(socket.IPPROTO_IP, IP_PKTINFO, info)], 0, (self.server, 53))

    def receive(self, n, idle):
        """Up to n answers: [(to which source, datagram)]; `idle` seconds without one end it."""
        out = []
        self.socket.settimeout(idle)
        while len(out) < n:
            try:
                datagram, ancillary, _, _ = self.socket.recvmsg(65536, 64)
            except socket.timeout:
                break
            out.append((socket.inet_ntoa(ancillary[0][2][8:12]), datagram))
        return out

    def mark(self, source):
        """A question that is always answered: what was sent before has been read."""
        query = struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0) + wire_name([b"mark", b"test"]) + b"\0\1\0\1"
        for _ in range(40):
            self.send(source, query)
            if any(to == source for to, _ in self.receive(WINDOW, 0.25)):
                return
        raise RuntimeError("the server does not answer")


def count_messages(stream):
    n = at = 0
    while at + 2 <= len(stream):
        at += 2 + struct.unpack_from(">H", stream, at)[0]
        n += at <= len(stream)
    return n


def send_row(server, source, stream, n):
    """Over TCP; waits for n answers, or until the server is silent or closes."""
    back = b""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
        s.bind((source, 0))
        s.settimeout(0.05)
        try:
            s.connect((server.address, 53))
            s.sendall(stream)
            while count_messages(back) < n and (chunk := s.recv(65536)):
                back += chunk
        except OSError:
            pass    # it closed in its own way: what it took is in the log


# ---- questions

def tell(judge, records):
    """As judge.tell(), of any number: pipes hold little, so a row at a time."""
    return [answer for at in range(0, len(records), ROW) for answer in judge.tell(records[at:at + ROW])]


class Tally:
    def __init__(self):
        self.tried = self.failed = self.passed = self.replies = self.refused_replies = self.logged = 0
        self.shown = 0

    def fail(self, what, **facts):
        self.failed += 1
        self.shown += 1
        if self.shown <= 20:
            print("FAILED:", what, *(f"{k}={v.hex() if isinstance(v, bytes) else v}" for k, v in facts.items()), flush=True)

    def line(self, name):
        print(f"{name}: tried {self.tried}, let through {self.passed}, executed {self.logged}, "
              f"replies {self.replies} of which refused {self.refused_replies}, failed {self.failed}", flush=True)


def check_log(server, logged, judged, sent, tally):
    """Each question in the log was judged; of one source in the same order, none twice."""
    left = {source: list(questions) for source, questions in judged.items()}
    for source, *seen in logged:
        tally.logged += 1
        questions = left.get(source, [])
        while questions and not server.same(questions[0], tuple(seen)):
            questions.pop(0)    # it took no notice of that one
        if not questions:
            tally.fail("a question that was not judged", server=type(server).__name__, logged=seen, judged=judged.get(source), sent=sent.get(source, b""))
        else:
            questions.pop(0)


def check_replies(judge, sent, replies, tally):
    """What a server answers to what was let through is no violation."""
    records = []
    for source, reply in replies:
        records += [("N", b"dns/udp"), ("C", sent[source]), ("S", reply)]
    for (source, reply), answer in zip(replies, tell(judge, records)[2::3]):
        tally.replies += 1
        if answer["status"] != "done":
            tally.refused_replies += 1
            if tally.refused_replies <= 5:
                print("refused a reply:", answer["why"], sent[source].hex(), reply.hex(), flush=True)


def udp_batch(judge, server, dice, n, tally):
    sender = Sender(server)
    queries = [mutated(dice, some_query(dice)) for _ in range(n)]
    answers = tell(judge, [r for q in queries for r in (("N", b"dns/udp"), ("C", q))])[1::2]
    judged, sent, replies, waiting = {}, {}, [], 0
    for i, (query, answer) in enumerate(zip(queries, answers)):
        if answer["status"] != "done" or not query:
            continue
        judged[source_of(i)], sent[source_of(i)] = judged_questions(answer), query
        sender.send(source_of(i), query)
        waiting += 1
        if waiting == WINDOW:
            replies += sender.receive(waiting, 0.003)
            waiting = 0
    replies += sender.receive(n, 0.05)
    mark = source_of(n + 1)
    sender.mark(mark)
    check_log(server, server.wait_for(mark), judged, sent, tally)
    check_replies(judge, sent, [r for r in replies if r[0] in sent], tally)
    tally.tried += n
    tally.passed += len(sent)


def tcp_batch(judge, server, dice, n, tally):
    judged, sent = {}, {}
    for i in range(n):
        row = [mutated(dice, some_query(dice)) if dice.random() < 0.3 else some_query(dice) for _ in range(dice.randint(1, 5))]
        stream = b"".join(struct.pack(">H", len(q)) + q for q in row)
        if dice.random() < 0.2:
            stream = mutated(dice, stream)
        answer = tell(judge, [("N", b"dns/tcp"), ("C", stream)])[1]
        passed = stream[:answer["pass"]]
        tally.tried += 1
        if not passed:
            continue
        judged[source_of(i)], sent[source_of(i)] = judged_questions(answer), passed
        send_row(server, source_of(i), passed, len(judged[source_of(i)]))
    mark = source_of(n + 1)
    Sender(server).mark(mark)
    check_log(server, server.wait_for(mark), judged, sent, tally)
    tally.passed += len(sent)


def try_questions(judge, options, kind, dice, scratch, address):
    folder = os.path.join(scratch, kind.binary)
    os.mkdir(folder)
    server, tally = kind(folder, address), Tally()
    try:
        time.sleep(0.5)
        Sender(server).mark(source_of(60000))
        server.wait_for(source_of(60000))
        for done in range(0, options.queries, BATCH):
            udp_batch(judge, server, dice, min(BATCH, options.queries - done), tally)
        tcp_batch(judge, server, dice, options.queries // 100, tally)
    finally:
        server.stop()
    tally.line(kind.binary)
    return tally


# ---- answers

NAME = [b"t", b"test"]
HOSTS = [NAME, [b"a", b"test"], [b"b", b"test"], [b"c", b"a", b"test"], [b"test"], [b"T", b"TEST"]]


def some_owner(dice, at):
    return b"\xc0\x0c" if dice.random() < 0.5 and at == NAME else wire_name(at)


def some_record(dice, at, kind):
    """at: the owner's labels."""
    ttl = dice.choice([0, 1, 60, 86400, 0x7fffffff, 0x80000000])
    number, data = {
        "A": (1, bytes([198, 18, dice.randrange(256), dice.randrange(256)])),
        "AAAA": (28, bytes([0x20, 1, 0x0d, 0xb8]) + bytes(11) + bytes([dice.randrange(256)])),
        "CNAME": (5, wire_name(dice.choice(HOSTS))),
        "DNAME": (39, wire_name(dice.choice(HOSTS))),
        "TXT": (16, b"\x03abc"),
        "HTTPS": (65, b"\0\1\0\0\4\0\4" + bytes([198, 18, 200, dice.randrange(256)])),
    }[kind]
    kind_of_class = dice.choice([1] * 12 + [3, 255])
    return some_owner(dice, at) + struct.pack(">HHIH", number, kind_of_class, ttl, len(data)) + data


def some_chain(dice):
    """From the question over aliases to addresses, and others between them; often in disorder."""
    at, records = NAME, []
    for _ in range(dice.choice([0, 0, 1, 1, 2, 3])):
        to = dice.choice(HOSTS)
        records.append(some_owner(dice, at) + struct.pack(">HHIH", 5, 1, 60, len(wire_name(to))) + wire_name(to))
        at = to
    records += [some_record(dice, at, "A") for _ in range(dice.choice([0, 1, 1, 2, 40]))]
    records += [some_record(dice, dice.choice(HOSTS), dice.choice(["A", "AAAA", "CNAME", "DNAME", "TXT", "HTTPS"]))
                for _ in range(dice.choice([0, 0, 1, 2]))]
    if dice.random() < 0.4:
        dice.shuffle(records)
    return records


def some_answer(dice):
    sections = [some_chain(dice), [], []]
    if dice.random() < 0.2:
        sections[dice.choice([1, 2])] = [some_record(dice, dice.choice(HOSTS), "A")]
    flags = dice.choice([0x8180] * 6 + [0x8580, 0x8183, 0x8380, 0x8182, 0x8000])
    head = struct.pack(">HHHHHH", 0x1234, flags, 1, *map(len, sections))
    whole = head + wire_name(NAME) + b"\0\1\0\1" + b"".join(r for section in sections for r in section)
    return mutated(dice, whole, 2) if dice.random() < 0.7 else whole[:1400]


QUERY = struct.pack(">HHHHHH", 0x1234, 0x0100, 1, 0, 0, 0) + wire_name(NAME) + b"\0\1\0\1"


def is_proven(answer):
    return answer["status"] == "done" and not any(event["unproven"] for event in answer["events"])


def listed(answer):
    out = set()
    for event in answer["events"]:
        out.update(value for key, value in event["fields"] if key == "addresses")
    return out


# Asked for class ANY first, dnspython would never again know what an A record of class IN holds.
dns.rdata.get_rdata_class(dns.rdataclass.IN, dns.rdatatype.A)


def dnspython_reads(wire):
    """The addresses of the question's name, or nothing."""
    try:
        message = dns.message.from_wire(wire, ignore_trailing=True)
        if message.rcode() != dns.rcode.NOERROR:
            return set()
        chain = message.resolve_chaining()
        return {r.address for r in chain.answer} if chain.answer else set()
    except (dns.exception.DNSException, ValueError, AssertionError):
        return set()    # it cannot be read, or is no answer


class Resolver:
    """The C library's, asking a server that gives to each question the next answer of a list, and behind it one that ends the wait."""

    def __init__(self, scratch, address):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 53))
        with open(f"{scratch}/resolv.conf", "w", encoding="ascii") as conf:
            conf.write(f"nameserver {address}\noptions attempts:1 timeout:1\n")
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) or \
                libc.mount(f"{scratch}/resolv.conf".encode(), os.path.realpath("/etc/resolv.conf").encode(), None, MS_BIND, None):
            raise OSError(ctypes.get_errno(), "cannot mount a resolv.conf")

    def serve(self, answers):
        for answer in answers:
            query, client = self.socket.recvfrom(2048)
            self.socket.sendto(query[:2] + answer[2:], client)
            self.socket.sendto(query[:2] + b"\x81\x82" + query[4:6] + b"\0" * 6 + query[12:], client)

    def read(self, answers):
        """For each answer the addresses that a program gets of it."""
        server = os.fork()
        if server == 0:
            self.serve(answers)
            os._exit(0)
        out = []
        for _ in answers:
            try:
                found = socket.getaddrinfo("t.test.", None, socket.AF_INET, socket.SOCK_STREAM)
                out.append({one[4][0] for one in found})
            except OSError:
                out.append(set())
        os.waitpid(server, 0)
        return out


def try_answers(judge, options, dice, resolver):
    tally, kept = Tally(), []
    for done in range(0, options.answers, BATCH):
        wires = [some_answer(dice) for _ in range(min(BATCH, options.answers - done))]
        answers = tell(judge, [r for w in wires for r in (("N", b"dns/udp"), ("C", QUERY), ("S", w))])[2::3]
        kept += [(w, listed(a)) for w, a in zip(wires, answers) if is_proven(a)]
        tally.tried += len(wires)
    tally.passed = len(kept)
    n_read = {"dnspython": 0, "libc": 0}
    readers = {"dnspython": [dnspython_reads(wire) for wire, _ in kept], "libc": resolver.read([wire for wire, _ in kept])}
    for name, found in readers.items():
        for (wire, ours), theirs in zip(kept, found):
            n_read[name] += bool(theirs)
            if not theirs <= ours:
                tally.fail("an address that was not listed", reader=name, theirs=sorted(theirs - ours), ours=sorted(ours), wire=wire)
    print(f"answers: tried {tally.tried}, let through {tally.passed}, with addresses for dnspython {n_read['dnspython']}, "
          f"for the C library {n_read['libc']}, failed {tally.failed}", flush=True)
    if tally.passed and not all(n_read.values()):
        tally.fail("a reader that never read an address", readers=n_read)
    return tally


# ---- the whole

def enter_namespace():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS | CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "cannot make a namespace")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in ["198.18.0.1/15", *(f"{server_of(i)}/32" for i in range(len(SERVERS)))]:
        subprocess.run(["ip", "addr", "add", address, "dev", "lo"], check=True)


def run(options):
    print(f"seed {options.seed}", flush=True)
    judge, dice = judges.Judge(options.build), random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="bw-dns-") as scratch:
        resolver = Resolver(scratch, "198.18.0.9")
        tallies = [try_answers(judge, options, dice, resolver)]
        tallies += [try_questions(judge, options, kind, dice, scratch, server_of(i)) for i, kind in enumerate(SERVERS)]
    judge.close()
    tried, failed = sum(t.tried for t in tallies), sum(t.failed for t in tallies)
    if any(t.logged == 0 for t in tallies[1:]):
        failed += 1
        print("FAILED: a server that took no question")
    print(f"scorecard S7-dns tried={tried} failed={failed}")
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    parser.add_argument("--queries", type=int, default=16000, help="to each server over UDP; a hundredth of it as rows over TCP")
    parser.add_argument("--answers", type=int, default=30000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    missing = [kind.binary for kind in SERVERS if not shutil.which(kind.binary)]
    if missing or os.geteuid() != 0:
        print(f"skipped: {', '.join(missing) + ' not installed' if missing else 'needs root'}")
        return 77
    enter_namespace()
    return run(options)


if __name__ == "__main__":
    sys.exit(main())
