# SPDX-License-Identifier: GPL-2.0-or-later
"""Gives the connections of a capture whose beginning is missing a handshake, so that the engine reads what follows.

The engine refuses by design to read a connection whose beginning it did not see. Many captures that people
publish begin in the middle; their bytes are worth reading all the same. Here SYN, SYN-ACK and ACK are put before the
first bytes of such a connection, with numbers that fit it; and a login where the oracle says MySQL, which nothing is
without a greeting. The rest stays as it is. Link headers are left out (raw IP).
"""
import ipaddress
import struct

RAW = 101
LINK_HEADERS = {0: 4, 1: 14, 12: 0, 101: 0, 113: 16, 228: 0, 229: 0}
VLANS = (0x8100, 0x88a8)
SYN, ACK = 2, 16


def classic_packets(content, order, nanoseconds):
    link = struct.unpack(order + "I", content[20:24])[0]
    at = 24
    while at + 16 <= len(content):
        seconds, fraction, n, whole = struct.unpack(order + "IIII", content[at:at + 16])
        at += 16
        yield link, seconds * 10**9 + fraction * (1 if nanoseconds else 1000), content[at:at + n], whole
        at += n


def interface_resolution(options, order):
    at = 0
    while at + 4 <= len(options):
        code, n = struct.unpack(order + "HH", options[at:at + 4])
        if code == 9 and n == 1:
            value = options[at + 4]
            return 2 ** (value & 0x7f) if value & 0x80 else 10 ** value
        at += 4 + (n + 3) // 4 * 4
    return 10**6


def ng_packets(content):
    at, order, interfaces = 0, "<", []
    while at + 12 <= len(content):
        if content[at:at + 4] == b"\n\r\r\n":
            order = "<" if content[at + 8:at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            interfaces = []
        kind, n = struct.unpack(order + "II", content[at:at + 8])
        body = content[at + 8:at + n - 4]
        if kind == 1:
            interfaces.append((struct.unpack(order + "H", body[:2])[0], interface_resolution(body[8:], order)))
        if kind == 6:
            which, high, low, caught, whole = struct.unpack(order + "IIIII", body[:20])
            link, resolution = interfaces[which]
            yield link, ((high << 32) + low) * 10**9 // resolution, body[20:20 + caught], whole
        at += max(n, 12)


def packets(content):
    """(link type, nanoseconds, frame, length on the wire) of each packet of a pcap or pcapng file."""
    if content[:4] == b"\n\r\r\n":
        return ng_packets(content)
    order = "<" if content[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    return classic_packets(content, order, content[:4] in (b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d"))


def ip_at(link, frame):
    """Where the IP header begins, or None."""
    at = LINK_HEADERS.get(link)
    if link in (1, 113) and at is not None:
        kind = int.from_bytes(frame[at - 2:at], "big")
        while kind in VLANS:
            at += 4
            kind = int.from_bytes(frame[at - 2:at], "big")
        if kind not in (0x0800, 0x86dd):
            return None
    return at if at is not None and len(frame) > at and frame[at] >> 4 in (4, 6) else None


class Segment:
    """A TCP segment's ends, numbers and length."""

    def __init__(self, src, dst, tcp, n):
        sport, dport, self.seq, self.ack, offset, self.flags = struct.unpack("!HHIIBB", tcp[:14])
        self.src, self.dst = (src, sport), (dst, dport)
        self.n_data = n - (offset >> 4) * 4

    def pair(self):
        return frozenset((self.src, self.dst))


def segment_of(ip):
    """None: not TCP, or a fragment, or too short."""
    if ip[0] >> 4 == 4:
        at = (ip[0] & 15) * 4
        if len(ip) < at + 14 or ip[9] != 6 or int.from_bytes(ip[6:8], "big") & 0x3fff:
            return None
        return Segment(ip[12:16], ip[16:20], ip[at:], int.from_bytes(ip[2:4], "big") - at)
    if len(ip) < 54 or ip[6] != 6:
        return None
    return Segment(ip[8:24], ip[24:40], ip[40:], int.from_bytes(ip[4:6], "big"))


def build(src, dst, seq, ack, flags, data=b""):
    options = bytes((3, 3, 14, 0)) if flags & SYN else b""
    header = struct.pack("!HHIIBBHHH", src[1], dst[1], seq, ack, (20 + len(options)) // 4 << 4, flags, 65535, 0, 0)
    segment = header + options + data
    if len(src[0]) == 4:
        return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(segment), 0, 0, 64, 6, 0, src[0], dst[0]) + segment
    return struct.pack("!IHBB16s16s", 6 << 28, len(segment), 6, 64, src[0], dst[0]) + segment


# ---- a login that succeeds: protocol 10, no TLS, no compression, results end with EOF packets

LOGIN_USER = "handshakes"
MYSQL_CAPABILITIES = 0x000fa205  # 4.1 protocol and passwords, transactions, several statements and results, plugins
MYSQL_PLUGIN = b"mysql_native_password\0"


def mysql_packet(sequence, body):
    return struct.pack("<I", len(body) | sequence << 24) + body


def mysql_login():
    """(is it the client's, bytes) of each message."""
    low, high = MYSQL_CAPABILITIES & 0xffff, MYSQL_CAPABILITIES >> 16
    greeting = (b"\x0a8.0.0\0" + struct.pack("<I", 1) + b"saltsalt\0" + struct.pack("<HBHHB", low, 33, 2, high, 21) +
                bytes(10) + b"saltsaltsalt\0" + MYSQL_PLUGIN)
    login = (struct.pack("<IIB", MYSQL_CAPABILITIES, 1 << 24, 33) + bytes(23) + LOGIN_USER.encode() + b"\0" +
             bytes((20,)) + b"p" * 20 + MYSQL_PLUGIN)
    yield False, mysql_packet(0, greeting)
    yield True, mysql_packet(1, login)
    yield False, mysql_packet(2, bytes((0, 0, 0, 2, 0, 0, 0)))


# ---- the beginning of a connection

def beginning(segment, client, messages):
    """For the first packet that was seen: its sender's next byte is seq, the other's is what it acknowledges."""
    if segment.flags & SYN:
        yield build(segment.dst, segment.src, (segment.ack - 1) % 2**32, 0, SYN)
        return
    sent, other = segment.seq, segment.ack if segment.flags & ACK else 0
    server = segment.dst if client == segment.src else segment.src
    c, s = (sent, other) if client == segment.src else (other, sent)
    c -= sum(len(data) for is_client, data in messages if is_client)
    s -= sum(len(data) for is_client, data in messages if not is_client)
    yield build(client, server, (c - 1) % 2**32, 0, SYN)
    yield build(server, client, (s - 1) % 2**32, c % 2**32, SYN | ACK)
    yield build(client, server, c % 2**32, s % 2**32, ACK)
    for is_client, data in messages:
        if is_client:
            yield build(client, server, c % 2**32, s % 2**32, ACK, data)
            c += len(data)
        else:
            yield build(server, client, s % 2**32, c % 2**32, ACK, data)
            s += len(data)


def packed_end(text):
    """"10.0.0.1:80" or "::1:80" of an oracle."""
    host, port = text.rsplit(":", 1)
    return ipaddress.ip_address(host.strip("[]")).packed, int(port)


def record(time_ns, packet, n):
    return struct.pack("<IIII", time_ns // 10**9, time_ns % 10**9, len(packet), n) + packet


def with_handshakes(content, clients, logins):
    """The capture as a file of raw IP, and the pairs of ends that got a handshake.

    clients: ends that open connections; logins: those of them that speak MySQL and whose login is missing.
    A connection whose beginning is missing begins with its first bytes: what only acknowledges before that (keep-alives,
    which repeat a number) is left out."""
    clients = {packed_end(text) for text in clients}
    logins = {packed_end(text) for text in logins}
    out = [struct.pack("<IHHiIII", 0xa1b23c4d, 2, 4, 0, 0, 262144, RAW)]
    known, added = set(), set()
    for link, time_ns, frame, whole in packets(content):
        at = ip_at(link, frame)
        if at is None:
            continue
        segment = segment_of(frame[at:])
        if segment and segment.pair() not in known:
            if not segment.flags & SYN and segment.n_data <= 0:
                continue
            known.add(segment.pair())
            if segment.flags & (SYN | ACK) != SYN:
                client = segment.dst if segment.dst in clients else segment.src
                messages = list(mysql_login()) if client in logins else []
                out.extend(record(time_ns, packet, len(packet)) for packet in beginning(segment, client, messages))
                added.add(segment.pair())
        out.append(record(time_ns, frame[at:], whole - at))
    return b"".join(out), added
