#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""clients.py NAME HOST N: N connections of one client library, each with one request and its answer compared.

Prints one JSON object: ok, and the first few wrong. New: a function, and a line in LIBRARIES.
"""
import json
import ssl
import sys

USER, PASSWORD, DATABASE = "app", "secret", "shop"
PAGE = "a page that is right\n"


def url(host, scheme="http"):
    return f"{scheme}://[{host}]/ok" if ":" in host else f"{scheme}://{host}/ok"


def use_requests(host):
    import requests
    return lambda: requests.get(url(host), timeout=10).text, PAGE


def use_urllib(host):
    import urllib.request
    return lambda: urllib.request.urlopen(url(host), timeout=10).read().decode(), PAGE


def use_redis(host):
    import redis

    def once():
        with redis.Redis(host, socket_timeout=10) as r:
            return r.set("k", "v"), r.get("k")
    return once, (True, b"v")


def use_pymysql(host):
    import pymysql

    def once():
        c = pymysql.connect(host=host, user=USER, password=PASSWORD, database=DATABASE, connect_timeout=10, read_timeout=10)
        with c, c.cursor() as q:
            q.execute("SELECT n FROM t WHERE n = %s", (42,))
            return q.fetchall()
    return once, ((42,),)


def use_psycopg2(host):
    import psycopg2

    def once():
        c = psycopg2.connect(host=host, user=USER, password=PASSWORD, dbname=DATABASE, sslmode="prefer", connect_timeout=10)
        with c.cursor() as q:
            q.execute("SELECT n FROM t WHERE n = %s", (42,))
            rows = q.fetchall()
        c.close()
        return rows
    return once, [(42,)]


def use_dnspython(host):
    import dns.message
    import dns.query
    return lambda: dns.query.tcp(dns.message.make_query("www.ok.test", "A"), host, timeout=10).answer[0][0].to_text(), "198.18.9.3"


def use_ssl(host):
    import socket
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def once():
        with context.wrap_socket(socket.create_connection((host, 443), 10), server_hostname="ok.example") as s:
            s.sendall(b"GET /ok HTTP/1.0\r\nHost: ok.example\r\n\r\n")
            text = b""
            while data := s.recv(4096):
                text += data
            return text.split(b"\r\n\r\n")[-1].decode()
    return once, PAGE


LIBRARIES = {"requests": use_requests, "urllib": use_urllib, "redis": use_redis, "pymysql": use_pymysql,
             "psycopg2": use_psycopg2, "dnspython": use_dnspython, "ssl": use_ssl}


def main():
    name, host, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
    once, wanted = LIBRARIES[name](host)
    ok, wrong = 0, []
    for _ in range(n):
        try:
            got = once()
        except Exception as error:  # whatever it is, it is no right answer
            got = f"{type(error).__name__}: {error}"
        if got == wanted:
            ok += 1
        else:
            wrong.append(repr(got)[:200])
    print(json.dumps({"ok": ok, "wrong": wrong[:5], "n_wrong": len(wrong)}))


main()
