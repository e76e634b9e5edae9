# SPDX-License-Identifier: GPL-2.0-or-later
"""What is said: each service's own words, and the openers that are said in their place.

An opener is a list of steps for the one who says it: bytes are one segment, a number is a pause in seconds, "wait" is
until the other side said something more, "close" closes. Behind the last step the connection is kept open.
"""
import random
import ssl
import struct

SERVICES = {"http": 80, "tls": 443, "redis": 6379, "postgres": 5432, "dns": 53, "mysql": 3306}
SNI = "ok.example"
DRIP = 0.9   # seconds between two bytes: three of them within engine.hold_timeout
SOON = 0.01  # before the sender's first timer, which stops it for want of acknowledgements
GAP = 0.15   # so that two segments are two
GARBAGE = bytes(range(0x80, 0xc0)) * 2


def mysql_packet(number, payload):
    return struct.pack("<I", len(payload))[:3] + bytes([number]) + payload


def mysql_greeting(version, caps, more=0):
    low, high = caps & 0xffff, caps >> 16
    return mysql_packet(0, b"\x0a" + version + b"\0" + struct.pack("<I", 77) + b"saltsalt\0" +
                        struct.pack("<HBHHB", low, 45, 2, high, 21) + bytes(6) + struct.pack("<I", more) +
                        b"saltsaltsalt\0mysql_native_password\0")


def mysql_error(code, text):
    return mysql_packet(0, b"\xff" + struct.pack("<H", code) + text)


# LONG_PASSWORD FOUND_ROWS CONNECT_WITH_DB PROTOCOL_41 TRANSACTIONS SECURE_CONNECTION PLUGIN_AUTH
MYSQL_CAPS = 0x1 | 0x2 | 0x8 | 0x200 | 0x2000 | 0x8000 | 0x80000
MYSQL8 = mysql_greeting(b"8.0.36", MYSQL_CAPS)
MARIADB = mysql_greeting(b"5.5.5-10.11.6-MariaDB", MYSQL_CAPS & ~1, 0x4)
MYSQL_OK = mysql_packet(2, b"\0\0\0\x02\0\0\0")
MYSQL_LOGIN = mysql_packet(1, struct.pack("<IIB", MYSQL_CAPS & ~0x8, 1 << 24, 45) + bytes(23) + b"app\0" +
                           b"\x14" + b"0123456789abcdefghij" + b"mysql_native_password\0")


def tls_context(side, files=None):
    context = ssl.SSLContext(side)
    if side == ssl.PROTOCOL_TLS_CLIENT:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    else:
        context.load_cert_chain(*files)
    return context


def tls_answer(files, hello):
    """The first flight of a real TLS server."""
    come, go = ssl.MemoryBIO(), ssl.MemoryBIO()
    come.write(hello)
    try:
        tls_context(ssl.PROTOCOL_TLS_SERVER, files).wrap_bio(come, go, server_side=True).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return go.read()


def tls_hello():
    come, go = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        tls_context(ssl.PROTOCOL_TLS_CLIENT).wrap_bio(come, go, server_hostname=SNI).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return go.read()


def dns_message(flags, answers):
    question = b"\x03www\x02ok\x04test\0" + struct.pack(">HH", 1, 1)
    head = struct.pack(">HHHHHH", 0x4d5a, flags, 1, len(answers), 0, 0)
    body = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + a for a in answers)
    message = head + question + body
    return struct.pack(">H", len(message)) + message


def pg_startup():
    body = struct.pack(">I", 196608) + b"user\0app\0database\0shop\0\0"
    return struct.pack(">I", len(body) + 4) + body


def pg_message(kind, body):
    return kind + struct.pack(">I", len(body) + 4) + body


PG_SSLREQUEST = struct.pack(">II", 8, 80877103)
HTTP_GET = b"GET /ok HTTP/1.1\r\nHost: ok.example\r\n\r\n"
HTTP_POST = b"POST /ok HTTP/1.1\r\nHost: ok.example\r\nContent-Length: 4\r\n\r\na=b\n"
HTTP_REPLY = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nok\n"
REDIS_PING = b"*1\r\n$4\r\nPING\r\n"
SMB1 = (b"\x00\x00\x00\x2f\xffSMB\x72" + bytes(4) + b"\x18\x01\x28" + bytes(12) + b"\xff\xff\xff\xfe" + bytes(4) +
        b"\x00\x0c\x00\x02NT LM 0.12\0")
SMB2 = (b"\x00\x00\x00\x66\xfeSMB\x40\x00" + bytes(6) + b"\x00\x00\x01\x00" + bytes(48) + b"\x24\x00\x01\x00\x01\x00" +
        bytes(30) + b"\x10\x02")
RDP = bytes.fromhex("030000130ee000000000000100080003000000")
X_CLIENT = bytes.fromhex("0100000001")          # CapabilitiesGet
X_SERVER = bytes.fromhex("050000000b08051a00")  # the notice that a server begins with
HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000")
PROXY1 = b"PROXY TCP4 198.18.9.2 198.18.9.3 40000 40001\r\n"
PROXY2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c" + bytes.fromhex("c6120902c6120903") + b"\x9c\x40\x9c\x41"

# How many bytes of its own words leave it open what they are; garbage follows.
UNDECIDED = {"to-server": {"http": 2, "tls": 40, "redis": 10, "postgres": 6, "dns": 13, "mysql": 20},
             "to-client": {"http": 7, "tls": 4, "redis": 3, "postgres": 3, "dns": 8, "mysql": 20}}
# The begin of a unit that is longer than what is ever held: its bytes must give it away before.
OVERSIZE = {"to-server": {"http": b"FOO /", "tls": b"\x16\x03\x01\x3f\xff\x01\x00\x3f\xf0\x03\x03",
                          "redis": b"*1\r\n$9000\r\n", "postgres": b"\x00\x00\x27\x0f\x00\x03\x00",
                          "dns": b"\x27\x0f\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00",
                          "mysql": b"\x0f\x27\x00\x01\xff\xff\xff\xff"},
            "to-client": {"http": b"HTTP/1.1 200 ", "tls": b"\x16\x03\x03\x3f\xff", "redis": b"$", "postgres": b"R\x00\x00",
                          "dns": b"\x27\x0f\x4d\x5a\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00",
                          "mysql": b"\x0f\x27\x00\x00\x0a"}}


class Words:
    def __init__(self, files, seed):
        self.seed = seed
        self.request = {"http": HTTP_GET, "tls": tls_hello(), "redis": REDIS_PING, "postgres": pg_startup(),
                        "dns": dns_message(0x0100, []), "mysql": MYSQL_LOGIN}
        self.reply = {"http": HTTP_REPLY, "tls": tls_answer(files, self.request["tls"]), "redis": b"+PONG\r\n",
                      "postgres": pg_message(b"R", bytes(4)) + pg_message(b"K", bytes(8)) + pg_message(b"Z", b"I"),
                      "dns": dns_message(0x8180, [b"\xc6\x12\x09\x03"]), "mysql": MARIADB}

    def own(self, service, direction):
        return (self.request if direction == "to-server" else self.reply)[service]

    def opener(self, row, service, direction):
        """The steps, and how many of the bytes are nobody's violation (they may arrive)."""
        own = self.own(service, direction)
        own_steps = ["wait", own] if (service, direction) == ("mysql", "to-server") else [own]
        to_server = direction == "to-server"
        if row.startswith("random-"):
            n = int(row[7:])
            return [random.Random(f"{self.seed} {row} {service} {direction}").randbytes(n)], 0
        fixed = {
            "http-get": HTTP_GET, "http-post": HTTP_POST, "tls-hello": self.request["tls"],
            "ssh-banner": b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u2\r\n", "redis-inline": b"PING\r\n",
            "redis-resp": REDIS_PING, "mysql-login": MYSQL_LOGIN, "pg-startup": pg_startup(),
            "pg-sslrequest": PG_SSLREQUEST, "dns-query": self.request["dns"], "smb1": SMB1, "smb2": SMB2, "rdp": RDP,
            "proxy-v1": PROXY1 + own, "proxy-v2": PROXY2 + own, "http2": HTTP2,
            "poly-inline": b"GET / HTTP/1.0\r\n\r\n",
            "poly-body": b"POST /ok HTTP/1.1\r\nHost: ok.example\r\nContent-Length: 18\r\n\r\n*1\r\n$8\r\nFLUSHALL\r\n",
            "poly-value": b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$18\r\nGET / HTTP/1.0\r\n\r\n\r\n",
            "netcat": b"hello\n", "http-reply": HTTP_REPLY, "mysql-error": mysql_error(1040, b"Too many connections"),
            "mysql8": MYSQL8, "mariadb": MARIADB, "x-protocol": X_CLIENT if to_server else X_SERVER,
        }
        if row in fixed:
            return [fixed[row]], 0
        undecided = UNDECIDED[direction][service]
        return {
            "own": (own_steps, 0),
            "close": (["close"], 0),
            "idle": ([], 0),
            "half-open": ([], 0),
            "drip": (sum(([own[i:i + 1], DRIP] for i in range(6)), []), 0),
            "prefix": ([own[:undecided], GAP, GARBAGE], 0),
            "switch": (own_steps + ["wait" if to_server else GAP, HTTP_GET if service != "http" else self.request["tls"]],
                       len(own)),
            "oversize": ([OVERSIZE[direction][service] + b"A" * 3000, SOON, b"A" * 3000, SOON, b"A" * 3000, SOON,
                         b"A" * 500], 0),
        }[row]


ROWS = ["own", "http-get", "http-post", "tls-hello", "ssh-banner", "redis-inline", "redis-resp", "mysql-login",
        "pg-startup", "pg-sslrequest", "dns-query", "smb1", "smb2", "rdp", "proxy-v1", "proxy-v2", "random", "close",
        "idle", "half-open", "drip", "prefix", "switch", "oversize", "poly-inline", "poly-body", "poly-value",
        "netcat", "http-reply", "mysql-error", "mysql8", "mariadb", "x-protocol", "http2"]
