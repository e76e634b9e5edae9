#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""traffic.py redis HOST SECONDS | traffic.py http URL SECONDS: steady traffic that knows what should become of it.

redis: SET and GET, which must succeed, and FLUSHALL, which must not; a new connection every 20 requests.
http: one kept connection and one new connection in turns; a request every 20 ms.
Prints one JSON object: allowed_ok, allowed_failed, denied_refused, denied_passed, reconnects, worst_ms, errors.
"""
import http.client
import json
import socket
import sys
import time
import urllib.parse

COUNTS = {"allowed_ok": 0, "allowed_failed": 0, "denied_refused": 0, "denied_passed": 0, "reconnects": 0,
          "worst_ms": 0}
ERRORS = []


def redis_ask(connection, *words):
    request = f"*{len(words)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
    connection.sendall(request.encode())
    answer = connection.recv(4096)
    if not answer:
        raise ConnectionResetError("closed")
    return answer


def redis_round(host):
    with socket.create_connection((host, 6379), timeout=5) as connection:
        connection.settimeout(5)
        for i in range(10):
            allowed(lambda: redis_ask(connection, "SET", f"key:{i}", "value") == b"+OK\r\n")
            allowed(lambda: redis_ask(connection, "GET", f"key:{i}").startswith(b"$5"))
            time.sleep(0.01)
        denied(connection)


def allowed(ask):
    begin = time.monotonic()
    good = ask()
    COUNTS["worst_ms"] = max(COUNTS["worst_ms"], round((time.monotonic() - begin) * 1000))
    COUNTS["allowed_ok" if good else "allowed_failed"] += 1


def denied(connection):
    try:
        passed = redis_ask(connection, "FLUSHALL").startswith(b"+OK")
    except OSError:
        passed = False
    COUNTS["denied_passed" if passed else "denied_refused"] += 1


def http_get(connection, path):
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    return answer.status == 200


def http_round(kept, host, path):
    allowed(lambda: http_get(kept, path))
    fresh = http.client.HTTPConnection(host, timeout=10)
    allowed(lambda: http_get(fresh, path))
    fresh.close()
    time.sleep(0.02)


def run(seconds, once):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            once()
        except (OSError, http.client.HTTPException) as error:
            COUNTS["allowed_failed"] += 1
            ERRORS.append(f"{type(error).__name__}: {error}"[:80])
            time.sleep(0.1)


def main():
    kind, where, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    if kind == "redis":
        run(seconds, lambda: redis_round(where))
    else:
        url = urllib.parse.urlsplit(where)
        kept = http.client.HTTPConnection(url.netloc, timeout=10)
        kept.connect()
        kept.auto_open = 0  # a lost connection is an error, not something to hide
        run(seconds, lambda: http_round(kept, url.netloc, url.path or "/"))
    print(json.dumps({**COUNTS, "errors": sorted(set(ERRORS))[:5]}))


if __name__ == "__main__":
    main()
