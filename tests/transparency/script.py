#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""script.py FILE CLIENT_NAMESPACE SERVER_NAMESPACE: plays each exchange of the file (its head says how to read it) between two raw ends
that have no TCP of their own, for each variant, over IPv4 and IPv6. A segment goes in on one side; what must come out on the other
side is known to the byte. Says what differs, and a last line with counts."""
import select
import socket
import struct
import sys
import time

import capture

PORT = {"watched": 8000, "requests": 8100, "raw": 8200}
MAC = {">": bytes.fromhex("020000000702"), "<": bytes.fromhex("020000000703")}
ADDRESS = {4: {">": "198.18.7.2", "<": "198.18.7.3"}, 6: {">": "fd00:7::2", "<": "fd00:7::3"}}
ISN = {4: {">": 0x10203040, "<": 0x708090A0}, 6: {">": 0xFFFFFF00, "<": 0xFFFFFE00}}  # of IPv6: wraps
OTHER = {">": "<", "<": ">"}
FLAGS = {"F": 1, "S": 2, "R": 4, "P": 8, ".": 16, "U": 32, "E": 64, "W": 128}
RESTART = 1 << 20  # a new connection begins so far behind the old one
WAIT_S, QUIET_S = 2.0, 0.15
SHORTHANDS = {
    "open": ["> S 0:0 win 64240 <mss 1460,sackok,ts 100 0,nop,wscale 7>",
             "< S. 0:0 ack 1 win 65160 <mss 1460,sackok,ts 900 100,nop,wscale 7>",
             "> . 1:1 ack 1 win 502 <nop,nop,ts 101 900>"],
    "ask": ["> P. 1:1001 ack 1 win 500 <nop,nop,ts 110 900>", "< . 1:1 ack 1001 win 500 <nop,nop,ts 950 110>"],
    "answer": ["< P. 1:1001 ack 1001 win 500 <nop,nop,ts 952 110>", "> . 1001:1001 ack 1001 win 500 <nop,nop,ts 120 952>"],
}


class Differs(Exception):
    """What came out is not what should."""


def padded(first, last, n):
    """A message head of exactly n bytes."""
    head = f"{first}\r\nX-Pad: ".encode()
    tail = f"\r\n{last}\r\n\r\n".encode()
    return head + b"p" * (n - len(head) - len(tail)) + tail


STREAM = {
    ">": padded("PUT /up HTTP/1.1\r\nHost: t", "Content-Length: 900", 100) + bytes(i % 251 for i in range(900)) +
    padded("GET /next HTTP/1.1\r\nHost: t", "Accept: */*", 100) * 20,
    "<": padded("HTTP/1.1 200 OK", "Content-Length: 900", 100) + bytes(i % 241 for i in range(900)) +
    padded("HTTP/1.1 200 OK", "Content-Length: 0", 100) * 20,
}


def parse(path):
    """[(name, variants, [(line number, text)])]"""
    scripts = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = line.strip()
            if line.startswith("@"):
                name, _, variants = line[1:].partition("|")
                scripts.append((name.strip(), variants.split() or list(PORT), []))
            elif line and not line.startswith("#"):
                scripts[-1][2].extend((number, text) for text in SHORTHANDS.get(line, [line]))
    return scripts


def total16(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


class Exchange:
    """One script of one variant between one pair of ports."""

    def __init__(self, ends, family, port, client_port):
        self.ends, self.family = ends, family
        self.port = {">": client_port, "<": port}
        self.ip_id = client_port & 0xFF
        self.held = []
        self.isn = dict(ISN[family])

    def option(self, text, other):
        name, *words = text.split()
        simple = {"nop": b"\x01", "sackok": b"\x04\x02"}
        if name in simple:
            return simple[name]
        if name == "raw":
            return bytes.fromhex(words[0])
        if name == "sack":
            edges = [self.absolute(other, int(edge)) for block in words for edge in block.split(":")]
            return struct.pack(f"!BB{len(edges)}I", 5, 2 + 4 * len(edges), *edges)
        shape = {"mss": ("!BBH", 2, 4), "wscale": ("!BBB", 3, 3), "ts": ("!BBII", 8, 10)}[name]
        return struct.pack(*shape, *map(int, words))

    def absolute(self, side, relative):
        return self.isn[side] + relative & 0xFFFFFFFF

    def packet(self, side, text):
        """The IP packet of one line."""
        main, _, options = text.partition("<")
        flags, span, *rest = main.split()
        word = dict(zip(rest[::2], map(int, rest[1::2])))
        begin, end = map(int, span.split(":"))
        packed = b"".join(self.option(o.strip(), OTHER[side]) for o in options.rstrip("> ").split(",") if o.strip())
        packed += b"\x01" * (-len(packed) % 4)
        data = b"x" * word.get("data", 0) or (STREAM[side][begin - 1:end - 1] if end > begin else b"")
        assert len(data) == max(end - begin, word.get("data", 0)), text
        ack = self.absolute(OTHER[side], word["ack"]) if "ack" in word else 0
        tcp = struct.pack("!HHIIBBHHH", self.port[side], self.port[OTHER[side]], self.absolute(side, begin), ack,
                          (5 + len(packed) // 4) << 4, sum(FLAGS[f] for f in flags), word["win"], 0, word.get("urg", 0))
        return self.wrap(side, tcp + packed + data, word.get("ecn", 0), word.get("ttl", 64))

    def wrap(self, side, tcp, ecn, ttl):
        source, target = (socket.inet_pton(socket.AF_INET if self.family == 4 else socket.AF_INET6,
                                           ADDRESS[self.family][who]) for who in (side, OTHER[side]))
        pseudo = source + target + struct.pack("!II", len(tcp), 6)
        tcp = tcp[:16] + struct.pack("!H", ~total16(pseudo + tcp) & 0xFFFF) + tcp[18:]
        if self.family == 6:
            return struct.pack("!IHBB", 6 << 28 | ecn << 20 | 0x12345, len(tcp), 6, ttl) + source + target + tcp
        head = struct.pack("!BBHHHBBH", 0x45, ecn, 20 + len(tcp), self.ip_id, 0x4000, ttl, 6, 0) + source + target
        return head[:10] + struct.pack("!H", ~total16(head) & 0xFFFF) + head[12:] + tcp

    def send(self, side, packet):
        kind = b"\x08\x00" if self.family == 4 else b"\x86\xdd"
        self.ends[side].send(MAC[OTHER[side]] + MAC[side] + kind + packet)

    def receive(self, side, seconds):
        """The next packet of this exchange that comes to that side, or None."""
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.ends[side]], [], [], left)[0]:
                return None
            data, where = self.ends[side].recvfrom(65600)
            packet = capture.ip_of(data) if where[2] != capture.OUTGOING else None
            if packet and packet[9 if packet[0] >> 4 == 4 else 6] == 6 and self.is_ours(packet):
                return packet

    def is_ours(self, packet):
        at = 20 if packet[0] >> 4 == 4 else 40
        return set(struct.unpack("!HH", packet[at:at + 4])) == set(self.port.values())

    def expect(self, side, wanted):
        """These packets, in any order, come out at that side."""
        wanted = list(wanted)
        while wanted:
            got = self.receive(side, WAIT_S)
            if got is None:
                raise Differs(f"nothing came out, wanted {wanted[0].hex()}")
            if got not in wanted:
                raise Differs(f"changed:\n  wanted {wanted[0].hex()}\n  got    {got.hex()}")
            wanted.remove(got)

    def silence(self, side, seconds):
        got = self.receive(side, seconds)
        if got is not None:
            raise Differs(f"unexpected: {got.hex()}")

    def step(self, line):
        if line.startswith("restart"):
            for side in line.split()[1:]:
                self.isn[side] = self.isn[side] + RESTART & 0xFFFFFFFF
            return
        side, text = line[0], line[1:]
        segment, _, outcome = text.partition(";")
        outcome = outcome.strip()
        packet = self.packet(side, segment)
        self.ip_id += 1
        self.send(side, packet)
        if outcome in ("hold", "drop"):
            self.silence(OTHER[side], QUIET_S)
            self.held += [packet] if outcome == "hold" else []
        elif outcome == "release":
            self.expect(OTHER[side], self.held + [packet])
            self.held = []
        elif outcome.startswith("as "):
            self.ip_id -= 1
            self.expect(OTHER[side], [self.packet(side, outcome[3:])])
            self.ip_id += 1
        else:
            self.expect(OTHER[side], [packet])

    def play(self, lines):
        for number, line in lines:
            try:
                self.step(line)
            except Differs as error:
                raise Differs(f"line {number}: {line}\n  {error}") from None
        for side in OTHER:
            self.silence(side, 0.01)


def main():
    scripts = parse(sys.argv[1])
    ends = {">": capture.socket_in(sys.argv[2], "eth0"), "<": capture.socket_in(sys.argv[3], "eth0")}
    tried = failed = 0
    for index, (name, variants, lines) in enumerate(scripts):
        for variant in variants:
            for family in (4, 6):
                tried += 1
                try:
                    Exchange(ends, family, PORT[variant], 20000 + 16 * index + 4 * list(PORT).index(variant)).play(lines)
                except Differs as error:
                    failed += 1
                    print(f"FAIL: {name}, {variant}, IPv{family}: {error}")
    print(f"{len(scripts)} scripts, tried={tried} failed={failed}")
    sys.exit(failed > 0)


main()
