#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""ask.py HOST,... FILE: asks for /a/1 and /b/1 at random, over several connections that are kept as long as they last; as many to
each address of the server.

Each request carries a number of its own. Prints "asking" with the first answer; SIGTERM ends it, and FILE then has what
became of each number, as JSON: [path, status, host], status 0 where the connection ended without an answer.
"""
import json
import random
import signal
import socket
import sys
import threading

PATIENCE = 10
THREADS = 6
STOP = threading.Event()
LOCK = threading.Lock()
OUTCOMES = {}


def next_number(path, host):
    with LOCK:
        number = len(OUTCOMES)
        OUTCOMES[number] = [path, 0, host]
        return number


def answer(wire):
    """The status of one answer, its body read. 0: the connection ended first."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = wire.recv(65536)
        if not more:
            return 0
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            while len(body) < int(line[15:]):
                body += wire.recv(65536)
    return int(head.split(b" ")[1])


def ask(wire, host):
    """True: the connection goes on."""
    path = random.choice("ab")
    number = next_number(path, host)
    wire.sendall(f"GET /{path}/1?n={number} HTTP/1.1\r\nHost: web\r\n\r\n".encode())
    OUTCOMES[number][1] = status = answer(wire)
    if number == 0:
        print("asking", flush=True)
    return status == 200


def keep_asking(host):
    while not STOP.is_set():
        try:
            with socket.create_connection((host, 80), timeout=PATIENCE) as wire:
                while not STOP.wait(0.004) and ask(wire, host):
                    pass
        except OSError:
            pass  # counted as 0


signal.signal(signal.SIGTERM, lambda *_: STOP.set())
hosts = sys.argv[1].split(",")
threads = [threading.Thread(target=keep_asking, args=(hosts[i % len(hosts)],)) for i in range(THREADS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
with open(sys.argv[2], "w", encoding="ascii") as out:
    json.dump(OUTCOMES, out)
