#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""drive.py CONNECTIONS SEED ADDRESS...: that many connections to serve.py, of every kind in turns and to each address in turns, 48 at
a time. Every byte that comes is compared. WITHOUT="KIND..." in the environment leaves kinds out. Prints one JSON object: connections,
lost, wrong, bytes, and the first errors."""
import collections
import concurrent.futures
import json
import os
import random
import socket
import struct
import sys
import time

import speech

BYTES_MAX = 120_000
AT_ONCE = 48


class Wrong(Exception):
    """What came is not what was sent."""


def check(what, wanted, got):
    if wanted != got:
        raise Wrong(f"{what}: {len(wanted)} bytes wanted, {len(got)} came")


def connect(address, port, receive_buffer=None):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    connection = socket.socket(family)
    speech.tune(connection)
    if receive_buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.connect((address, port))
    return connection


def get(seed, n, kind="body"):
    return f"GET /{kind}/{seed}/{n} HTTP/1.1\r\nHost: t\r\nUser-Agent: drive\r\n\r\n".encode()


def put(data, dice, path="/up"):
    head = f"PUT {path} HTTP/1.1\r\nHost: t\r\n".encode()
    if dice.random() < 0.3:
        return head + b"Transfer-Encoding: chunked\r\n\r\n" + speech.chunked(data, dice)
    return head + b"Content-Length: %d\r\n\r\n" % len(data) + data


def reply(stream):
    words, fields = speech.http_fields(stream.until(b"\r\n\r\n"))
    if words[1] != "200":
        raise Wrong(f"status {words[1]}")
    return speech.http_body(stream, fields)


def send_in_pieces(connection, data, dice, most):
    at = 0
    while at < len(data):
        n = dice.randint(1, most)
        connection.sendall(data[at:at + n])
        at += n


def download(address, port, dice):
    with connect(address, port) as connection:
        stream = speech.Stream(connection)
        total = 0
        for kind in ("body", "chunked", "body"):
            seed, n = dice.randrange(1 << 20), dice.randint(0, BYTES_MAX)
            connection.sendall(get(seed, n, kind))
            check("download", speech.body(seed, n), reply(stream))
            total += n
        return total


def upload(address, port, dice, path="/up", n_max=BYTES_MAX):
    with connect(address, port) as connection:
        stream = speech.Stream(connection)
        total = 0
        for _ in range(2):
            data = speech.body(dice.randrange(1 << 20), dice.randint(0, n_max))
            connection.sendall(put(data, dice, path))
            check("upload", speech.digest(data).encode(), reply(stream))
            total += len(data)
        return total


def slow_server(address, port, dice):
    return upload(address, port + speech.SLOW, dice, n_max=20_000)


def stalled_server(address, port, dice):
    return upload(address, port + speech.SLOW, dice, "/stall", n_max=15_000)


def slow_client(address, port, dice):
    """A window of hardly a segment, shut now and then."""
    with connect(address, port, 2048) as connection:
        stream = speech.Stream(connection, 900, lambda: time.sleep(0.7 if dice.random() < 0.01 else 0.001))
        seed, n = dice.randrange(1 << 20), dice.randint(8000, 40_000)
        connection.sendall(get(seed, n))
        check("slow download", speech.body(seed, n), reply(stream))
        return n


def pipeline(address, port, dice):
    with connect(address, port) as connection:
        stream = speech.Stream(connection)
        wanted = [(dice.randrange(1 << 20), dice.randint(0, 300)) for _ in range(40)]
        send_in_pieces(connection, b"".join(get(*each) for each in wanted), dice, 400)
        for each in wanted:
            check("pipeline", speech.body(*each), reply(stream))
        return sum(n for _, n in wanted)


def tiny_pieces(address, port, dice):
    with connect(address, port) as connection:
        data = speech.body(dice.randrange(1 << 20), 300)
        send_in_pieces(connection, put(data, dice), dice, 5)
        check("pieces", speech.digest(data).encode(), reply(speech.Stream(connection)))
        return len(data)


def keepalive(address, port, dice):
    """Silent for longer than the probes' interval, with probes all the while."""
    with connect(address, port) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL):
            connection.setsockopt(socket.IPPROTO_TCP, option, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 9)
        stream = speech.Stream(connection)
        total = 0
        for _ in range(2):
            seed, n = dice.randrange(1 << 20), dice.randint(0, 5000)
            connection.sendall(get(seed, n))
            check("keep-alive", speech.body(seed, n), reply(stream))
            total += n
            time.sleep(2.3)
        return total


def half_close(address, port, dice):
    with connect(address, port) as connection:
        stream = speech.Stream(connection)
        data = speech.body(dice.randrange(1 << 20), dice.randint(0, BYTES_MAX))
        connection.sendall(put(data, dice))
        connection.shutdown(socket.SHUT_WR)
        check("half-closed upload", speech.digest(data).encode(), reply(stream))
        if not stream.at_end():
            raise Wrong("bytes behind the answer")
        return len(data)


def redis(address, _, dice):
    with connect(address, speech.PORT_REDIS) as connection:
        stream = speech.Stream(connection)
        words = [(b"k:%d" % i, speech.body(dice.randrange(1 << 20), dice.choice((0, 3, 40, 1500)))) for i in range(80)]
        lot = b"".join(speech.redis_command(b"SET", k, v) + speech.redis_command(b"GET", k) for k, v in words)
        send_in_pieces(connection, lot, dice, 2000)
        for _, value in words:
            check("redis", b"+OK", stream.until(b"\r\n"))
            check("redis", b"$%d" % len(value), stream.until(b"\r\n"))
            check("redis", value + b"\r\n", stream.take(len(value) + 2))
        return sum(len(value) for _, value in words)


def mysql_login(connection, stream):
    speech.mysql_read(stream)
    connection.sendall(speech.mysql_packet(
        1, struct.pack("<IIB", speech.MYSQL_CAPABILITIES, 1 << 24, 33) + bytes(23) +
        b"app\x00\x00app\x00mysql_native_password\x00"))
    check("mysql login", b"\x00", speech.mysql_read(stream)[:1])


def mysql(address, _, dice):
    with connect(address, speech.PORT_MYSQL) as connection:
        stream = speech.Stream(connection)
        mysql_login(connection, stream)
        total = 0
        for _ in range(15):
            seed, n = dice.randrange(1 << 20), dice.choice((0, 10, 300, 5000))
            query = f"SELECT a FROM t WHERE seed = {seed} AND n = {n}"
            connection.sendall(speech.mysql_packet(0, b"\x03" + query.encode()))
            packets = [speech.mysql_read(stream) for _ in range(5)]
            check("mysql row", speech.text(seed, n), speech.mysql_untext(packets[3])[0])
            value = speech.text(seed + 1, n)
            connection.sendall(speech.mysql_packet(0, b"\x03INSERT INTO t (a) VALUES ('" + value + b"')"))
            check("mysql ok", speech.digest(value).encode(), speech.mysql_read(stream)[len(speech.MYSQL_OK):])
            total += 2 * n
        connection.sendall(speech.mysql_packet(0, b"\x01"))
        return total


def fast_open(address, port, dice):
    """Data with the SYN: the firewall takes the offer away, and the data comes after the handshake."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as connection:
        speech.tune(connection)
        seed, n = dice.randrange(1 << 20), dice.randint(0, 5000)
        connection.settimeout(None)  # with one, it would not wait for the handshake
        connection.sendto(get(seed, n), socket.MSG_FASTOPEN, (address, port))
        connection.settimeout(speech.PATIENCE_S)
        check("fast open", speech.body(seed, n), reply(speech.Stream(connection)))
        return n


KINDS = [download, upload, slow_server, stalled_server, slow_client, pipeline, tiny_pieces, keepalive, half_close, fast_open,
         redis, mysql]


def one(kind, address, watch, seed):
    begin = time.monotonic()
    try:
        return kind(address, speech.PORTS_HTTP[watch], random.Random(seed)), None, None
    except (OSError, Wrong) as error:
        where = f"{kind.__name__} {watch} {address} seed {seed} after {time.monotonic() - begin:.1f}s"
        return 0, type(error).__name__, f"{where}: {type(error).__name__}: {error}"


def main():
    n, seed, addresses = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    without = os.environ.get("WITHOUT", "").split()
    kinds = [kind for kind in KINDS if kind.__name__ not in without]
    ways = [(kind, address, watch) for watch in speech.PORTS_HTTP for address in addresses for kind in kinds]
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(lambda i: one(*ways[i % len(ways)], seed + i), range(n)))
    failures = collections.Counter(name for _, name, _ in results if name)
    wrong = failures.pop("Wrong", 0)
    print(json.dumps({"connections": n, "lost": sum(failures.values()), "wrong": wrong,
                      "bytes": sum(result[0] for result in results),
                      "errors": [result[2] for result in results if result[2]][:5]}))


if __name__ == "__main__":
    main()
