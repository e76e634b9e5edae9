#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""bulk.py SECONDS CONNECTIONS PORT ADDRESS...: big transfers to and from serve.py, half of the connections each way, to the addresses in
turns. Prints how many megabytes of them the applications got per second, start-up not counted."""
import sys
import threading
import time

import drive
import speech

PIECE = 1_000_000
START_UP_S = 0.8


class Count:
    """Bytes that arrived while it counts."""

    def __init__(self):
        self.lock, self.total, self.errors = threading.Lock(), 0, []
        self.is_on = self.is_over = False

    def add(self, n):
        with self.lock:
            self.total += n if self.is_on else 0


def read_counted(stream, n, count):
    """True unless time was up."""
    while n > 0 and not count.is_over:
        got = len(stream.kept)
        if got == 0:
            stream.more()
            continue
        stream.take(min(n, got))
        count.add(min(n, got))
        n -= min(n, got)
    return n == 0


def down(address, port, count):
    with drive.connect(address, port) as connection:
        stream = speech.Stream(connection)
        while not count.is_over:
            connection.sendall(drive.get(1, PIECE))
            stream.until(b"\r\n\r\n")
            if not read_counted(stream, PIECE, count):
                return


def up(address, port, count):
    """Counts what the kernel took: its buffer is filled once, and then as fast as the other side acknowledges."""
    data = speech.body(2, PIECE)
    with drive.connect(address, port) as connection:
        stream = speech.Stream(connection)
        while not count.is_over:
            connection.sendall(b"PUT /up HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n" % PIECE)
            for at in range(0, PIECE, 8192):
                connection.sendall(data[at:at + 8192])
                count.add(min(8192, PIECE - at))
                if count.is_over:
                    return
            drive.check("upload", speech.digest(data).encode(), drive.reply(stream))


def run(way, address, port, count):
    try:
        way(address, port, count)
    except (OSError, drive.Wrong) as error:
        count.errors.append(f"{way.__name__} {address} {port}: {type(error).__name__}: {error}")


def main():
    seconds, n, port, addresses = float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
    count = Count()
    threads = [threading.Thread(target=run, args=((up, down)[i % 2], addresses[i // 2 % len(addresses)], port, count))
               for i in range(n)]
    for thread in threads:
        thread.start()
    time.sleep(START_UP_S)
    count.is_on, begin = True, time.monotonic()
    time.sleep(seconds)
    count.is_on, took = False, time.monotonic() - begin
    count.is_over = True
    for thread in threads:
        thread.join()
    print(f"{count.total / took / 1e6:.2f}")
    if count.errors:
        sys.exit("\n".join(count.errors))


if __name__ == "__main__":
    main()
