#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What floods a server through the daemon; ends by itself. Only inside the test's own namespaces.

attack.py syns PREFIX HOST PORT COUNT       SYNs from random addresses of PREFIX.20 to .249, random ports; prints how many left
attack.py holes HOST PORT COUNT SECONDS     connections, each with one segment beyond a hole, held open for so long;
                                            prints how many stand, and when it begins to wait
attack.py idle HOST PORT COUNT SECONDS      connections that say nothing, likewise
"""
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


def packet(src, dst, ports, numbers, flags, data=b""):
    """An IPv4 packet; the kernel fills in the header's own checksum."""
    head = struct.pack(">HHIIBBHHH", *ports, *numbers, 5 << 4, flags, 64240, 0, 0)
    pseudo = src + dst + struct.pack(">BBH", 0, socket.IPPROTO_TCP, len(head) + len(data))
    odd = b"\0" * (len(data) % 2)
    head = head[:16] + struct.pack(">H", checksum(pseudo + head + data + odd)) + head[18:]
    total = 20 + len(head) + len(data)
    return struct.pack(">BBHHHBBH4s4s", 0x45, 0, total, 0, 0, 64, socket.IPPROTO_TCP, 0, src, dst) + head + data


def syns(prefix, host, port, count):
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    dst, sent = socket.inet_aton(host), 0
    for _ in range(int(count)):
        src = socket.inet_aton(f"{prefix}.{random.randrange(20, 250)}")
        ports = random.randrange(1024, 65536), int(port)
        try:
            raw.sendto(packet(src, dst, ports, (random.getrandbits(32), 0), SYN), (host, 0))
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
    (src, src_port), (dst, dst_port) = one.getsockname(), one.getpeername()
    seq, ack = numbers(one)
    segment = packet(socket.inet_aton(src), socket.inet_aton(dst), (src_port, dst_port),
                     ((seq + HOLE) & 0xffffffff, ack), PSH | ACK, b"x" * 100)
    raw.sendto(segment, (dst, 0))


def connections(host, port, count):
    """As many as stand after a while."""
    waiting, end = [], time.monotonic() + OPENING_SECONDS
    for _ in range(int(count)):
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex((host, int(port)))
        waiting.append(one)
    stands = []
    while waiting and time.monotonic() < end:
        left = []
        for one in waiting:
            try:
                one.getpeername()
                stands.append(one)
            except OSError:
                left.append(one)
        waiting = left
        time.sleep(0.1)
    return stands


def holes(host, port, count, seconds):
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    stands = connections(host, port, count)
    for one in stands:
        beyond_a_hole(raw, one)
    print(len(stands), flush=True)
    time.sleep(float(seconds))


def idle(host, port, count, seconds):
    stands = connections(host, port, count)
    print(len(stands), flush=True)
    time.sleep(float(seconds))


hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16384), hard))
{"syns": syns, "holes": holes, "idle": idle}[sys.argv[1]](*sys.argv[2:])
