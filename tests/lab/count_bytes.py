#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A listener that only counts: count_bytes.py PORT prints one line "bytes N" for each connection at its end.

It says nothing itself, waits ten seconds for the peer to end and counts what the application really read: the
strictest place to ask whether a byte got through.
"""
import socket
import sys
import threading


def count(connection):
    total = 0
    connection.settimeout(10)
    try:
        while data := connection.recv(65536):
            total += len(data)
    except OSError:
        pass
    print(f"bytes {total}", flush=True)
    connection.close()


def main():
    listener = socket.create_server(("0.0.0.0", int(sys.argv[1])))
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=count, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
