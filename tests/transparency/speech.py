# SPDX-License-Identifier: GPL-2.0-or-later
"""What both ends of these tests share: the bytes they send, and how the three protocols frame them."""
import hashlib
import os
import random
import socket
import struct

BLOCK = random.Random(7).randbytes(1 << 20)
PORTS_HTTP = {"watched": 8000, "requests": 8100, "raw": 8200}
PORTS_BARE = {"acceptall": 8300, "kernel": 8400}  # goodput.sh leads these past the firewall
SLOW = 1  # added to the port: this server has a tiny buffer and reads slowly
PORT_REDIS, PORT_MYSQL = 6379, 3306
PATIENCE_S = 25
CONGESTION = os.environ.get("CONGESTION")  # the algorithm; else the kernel's default


def body(seed, n):
    """n bytes that both ends can make."""
    at = seed * 7919 % len(BLOCK)
    return (BLOCK + BLOCK)[at:at + n]


def text(seed, n):
    """Likewise, without quotes and backslashes."""
    return body(seed, (n + 1) // 2).hex()[:n].encode()


def digest(data):
    return hashlib.sha256(data).hexdigest()


class Stream:
    """Exact reads from a socket, at most `bite` bytes at once, with a pause after each."""

    def __init__(self, connection, bite=65536, pause=None):
        self.connection, self.bite, self.pause = connection, bite, pause
        self.kept = b""

    def more(self):
        got = self.connection.recv(self.bite)
        if not got:
            raise ConnectionResetError("closed early")
        self.kept += got
        if self.pause:
            self.pause()

    def take(self, n):
        parts, have = [self.kept], len(self.kept)
        while have < n:
            self.kept = b""
            self.more()
            parts.append(self.kept)
            have += len(self.kept)
        whole = b"".join(parts)
        self.kept = whole[n:]
        return whole[:n]

    def until(self, end):
        while end not in self.kept:
            self.more()
        head, _, self.kept = self.kept.partition(end)
        return head

    def at_end(self):
        """True when the other side has said all; False when another byte comes."""
        return not self.kept and self.connection.recv(1) == b""


def tune(connection):
    connection.settimeout(PATIENCE_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if CONGESTION:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, CONGESTION.encode())


# ---- HTTP ----

def http_fields(head):
    lines = head.decode().split("\r\n")
    return lines[0].split(" "), {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}


def http_body(stream, fields):
    if fields.get("transfer-encoding") == "chunked":
        parts = []
        while n := int(stream.until(b"\r\n"), 16):
            parts.append(stream.take(n))
            stream.until(b"\r\n")
        stream.until(b"\r\n")
        return b"".join(parts)
    return stream.take(int(fields.get("content-length", 0)))


def chunked(data, dice):
    out, at = [], 0
    while at < len(data):
        n = dice.randint(1, 3000)
        part = data[at:at + n]
        out.append(b"%x\r\n%s\r\n" % (len(part), part))
        at += n
    return b"".join(out) + b"0\r\n\r\n"


# ---- Redis ----

def redis_command(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


def redis_array(stream):
    n = int(stream.until(b"\r\n")[1:])
    words = []
    for _ in range(n):
        words.append(stream.take(int(stream.until(b"\r\n")[1:])))
        stream.take(2)
    return words


# ---- MySQL ----

def mysql_packet(number, payload):
    return struct.pack("<I", len(payload))[:3] + bytes([number & 0xFF]) + payload


def mysql_read(stream):
    head = stream.take(4)
    return stream.take(int.from_bytes(head[:3], "little"))


def mysql_text(data):
    """A string with its length in front."""
    n = len(data)
    if n < 251:
        return bytes([n]) + data
    return (b"\xfc" + struct.pack("<H", n) if n < 65536 else b"\xfd" + struct.pack("<I", n)[:3]) + data


def mysql_untext(data):
    """The first such string of data, and the rest."""
    size = {0xFC: 2, 0xFD: 3}.get(data[0], 0)
    n = int.from_bytes(data[1:1 + size], "little") if size else data[0]
    return data[1 + size:1 + size + n], data[1 + size + n:]


# protocol 4.1, database at login, secure connection, names of methods
MYSQL_CAPABILITIES = 0x200 | 0x8 | 0x8000 | 0x80000 | 0x2000 | 0x1
MYSQL_OK = b"\x00\x00\x00\x02\x00\x00\x00"
MYSQL_EOF = b"\xfe\x00\x00\x02\x00"
