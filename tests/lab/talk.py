#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""talk.py HOST PORT TEXT [DRIP]: connects, says TEXT at once (backslash escapes work), prints how the connection ended.

With DRIP the bytes go one by one, so many seconds apart, the first of them after a second.

Words: refused, unreachable, timeout, or "read N, then reset | closed | silence".
"""
import errno
import socket
import sys
import time


def ending(connection):
    total = 0
    try:
        while data := connection.recv(65536):
            total += len(data)
        return f"read {total}, then closed"
    except (ConnectionResetError, BrokenPipeError):
        return f"read {total}, then reset"
    except socket.timeout:
        return f"read {total}, then silence"


def say(connection, data, drip):
    if drip is None:
        return connection.sendall(data)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    time.sleep(1)
    for i in range(len(data)):
        connection.sendall(data[i:i + 1])
        time.sleep(drip)


def main():
    host, port, text = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    drip = float(sys.argv[4]) if len(sys.argv) > 4 else None
    try:
        connection = socket.create_connection((host, port), timeout=5)
    except socket.timeout:
        return print("timeout")
    except OSError as error:
        return print({errno.ECONNREFUSED: "refused"}.get(error.errno, "unreachable"))
    try:
        say(connection, text.encode().decode("unicode_escape").encode("latin-1"), drip)
    except OSError:
        return print("read 0, then reset")
    return print(ending(connection))


if __name__ == "__main__":
    main()
