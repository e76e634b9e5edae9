#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What fills queues and tables. HOSTS are addresses of one server, IPv4 or IPv6, with commas between them; each gets as
many as the others.

flood.py datagrams HOSTS NAME COUNT SIZE   DNS questions for NAME, padded to SIZE, without waiting; prints how many left
flood.py connections HOSTS COUNT SECONDS   opens them to port 6379, waits; then every one that stands says SET, one in
                                          ten FLUSHALL; prints JSON: stands, set, refused, passed; of each host
flood.py heads HOSTS COUNT BYTES           half a request of BYTES on each of COUNT connections, then the other halves;
                                          prints JSON: answered (with 200), failed; likewise
"""
import json
import resource
import selectors
import socket
import struct
import sys
import time


def family_of(host):
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def datagrams(hosts, name, count, size):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    sockets = [(socket.socket(family_of(host), socket.SOCK_DGRAM), host) for _ in range(4) for host in hosts]
    sent = 0
    for i in range(int(count)):
        question = struct.pack(">HHHHHH", i % 65536, 0x0100, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"
        one, host = sockets[i % len(sockets)]
        sent += one.sendto(question.ljust(int(size), b"\0"), (host, 53)) > 0
    print(sent)


def open_all(hosts, port, count, seconds):
    """As many of count connections as stand after so many seconds, as pairs: socket, host."""
    selector, stands, end = selectors.DefaultSelector(), [], time.monotonic() + seconds
    for i in range(count):
        host = hosts[i % len(hosts)]
        one = socket.socket(family_of(host))
        one.setblocking(False)
        one.connect_ex((host, port))
        selector.register(one, selectors.EVENT_WRITE, host)
    while selector.get_map() and time.monotonic() < end:
        for key, _ in selector.select(end - time.monotonic()):
            selector.unregister(key.fileobj)
            if key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                stands.append((key.fileobj, key.data))
    for one, _ in stands:
        one.settimeout(20)
    left = [key.fileobj for key in selector.get_map().values()]
    for one in left:
        one.close()
    return stands


def tell(one, request):
    try:
        one.sendall(request)
    except OSError:
        pass  # the answer, or its absence, says so


def hear(one):
    try:
        return one.recv(65536)
    except OSError:
        return b""


def ask(one, request):
    tell(one, request)
    return hear(one)


def connections(hosts, count, seconds):
    said = {host: {"stands": 0, "set": 0, "refused": 0, "passed": 0} for host in hosts}
    for one, host in open_all(hosts, 6379, int(count), float(seconds)):
        said[host]["stands"] += 1
        if said[host]["stands"] % 10 == 0:
            said[host]["passed" if ask(one, b"*1\r\n$8\r\nFLUSHALL\r\n").startswith(b"+") else "refused"] += 1
        else:
            said[host]["set"] += ask(one, b"*3\r\n$3\r\nSET\r\n$5\r\nkey:1\r\n$1\r\n1\r\n") == b"+OK\r\n"
    print(json.dumps(said))


def heads(hosts, count, size):
    stands = open_all(hosts, 80, int(count), 10)
    line = b"X-Filler: " + b"a" * 990 + b"\r\n"
    request = b"GET /allowed/7 HTTP/1.1\r\nHost: web\r\n" + line * (int(size) // len(line))
    for one, _ in stands:
        tell(one, request)
    time.sleep(2)
    for one, _ in stands:
        tell(one, b"\r\n")
    said = {host: {"answered": 0, "failed": 0} for host in hosts}
    for one, host in stands:
        said[host]["answered" if hear(one).startswith(b"HTTP/1.1 200") else "failed"] += 1
        one.close()
    print(json.dumps(said))


soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 8192)), hard))
{"datagrams": datagrams, "connections": connections, "heads": heads}[sys.argv[1]](sys.argv[2].split(","), *sys.argv[3:])
