#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""serve.py: HTTP, Redis and MySQL servers as far as drive.py needs them, each port on IPv4 and IPv6, a thread a connection.
Says "ready". HTTP: GET /body/SEED/N, GET /chunked/SEED/N; PUT is answered by the SHA-256 of its body; /stall: pauses before it reads the
body. MySQL: SELECT ... seed = S AND n = N; INSERT ... ('TEXT') is answered by the SHA-256 of the text."""
import random
import re
import socket
import struct
import threading
import time

import speech


def http(stream):
    dice = random.Random(1)
    while True:
        try:
            words, fields = speech.http_fields(stream.until(b"\r\n\r\n"))
        except ConnectionResetError:
            return
        if words[1].startswith("/stall"):
            time.sleep(0.8)
        got = speech.http_body(stream, fields)
        kind, *numbers = words[1].strip("/").split("/")
        if words[0] == "PUT":
            answer = speech.digest(got).encode()
        else:
            answer = speech.body(int(numbers[0]), int(numbers[1]))
        head = b"HTTP/1.1 200 OK\r\nServer: t\r\n"
        if kind == "chunked":
            stream.connection.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n" + speech.chunked(answer, dice))
        else:
            stream.connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(answer) + answer)


def redis(stream):
    kept = {}
    while True:
        try:
            words = speech.redis_array(stream)
        except ConnectionResetError:
            return
        if words[0] == b"SET":
            kept[words[1]] = words[2]
            stream.connection.sendall(b"+OK\r\n")
        else:
            value = kept[words[1]]
            stream.connection.sendall(b"$%d\r\n%s\r\n" % (len(value), value))


def mysql_rows(value):
    definition = b"".join(speech.mysql_text(word) for word in (b"def", b"app", b"t", b"t", b"a", b"a"))
    definition += b"\x0c" + struct.pack("<HIBHB", 33, 1024, 253, 0, 0) + b"\x00\x00"
    parts = [b"\x01", definition, speech.MYSQL_EOF, speech.mysql_text(value), speech.MYSQL_EOF]
    return b"".join(speech.mysql_packet(i + 1, part) for i, part in enumerate(parts))


def mysql_answer(query):
    if query.startswith("SELECT"):
        seed, n = map(int, re.findall(r"= (\d+)", query))
        return mysql_rows(speech.text(seed, n))
    value = re.search(r"'(.*)'", query).group(1)
    return speech.mysql_packet(1, speech.MYSQL_OK + speech.digest(value.encode()).encode())


def mysql(stream):
    capabilities = struct.pack("<I", speech.MYSQL_CAPABILITIES)
    stream.connection.sendall(speech.mysql_packet(
        0, b"\x0a5.7.40\x00" + struct.pack("<I", 9) + b"abcdefgh\x00" + capabilities[:2] + b"\x21\x02\x00" +
        capabilities[2:] + b"\x15" + bytes(10) + b"ijklmnopqrst\x00mysql_native_password\x00"))
    speech.mysql_read(stream)
    stream.connection.sendall(speech.mysql_packet(2, speech.MYSQL_OK))
    while (command := speech.mysql_read(stream))[0] == 3:
        stream.connection.sendall(mysql_answer(command[1:].decode()))


def converse(connection, talk, is_slow):
    speech.tune(connection)
    stream = speech.Stream(connection, 700, lambda: time.sleep(0.001)) if is_slow else speech.Stream(connection)
    with connection:
        try:
            talk(stream)
        except OSError as error:
            print("server:", type(error).__name__, error, flush=True)


def listen(port, talk, is_slow=False):
    listener = socket.socket(socket.AF_INET6)
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if is_slow:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 64)
    listener.bind(("::", port))
    listener.listen(512)

    def accept():
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=converse, args=(connection, talk, is_slow), daemon=True).start()
    threading.Thread(target=accept).start()


def main():
    for port in speech.PORTS_HTTP.values():
        listen(port, http)
        listen(port + speech.SLOW, http, is_slow=True)
    for port in speech.PORTS_BARE.values():
        listen(port, http)
    listen(speech.PORT_REDIS, redis)
    listen(speech.PORT_MYSQL, mysql)
    print("ready", flush=True)


main()
