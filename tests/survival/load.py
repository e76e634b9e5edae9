#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""load.py PROTOCOL HOST,... [--connections N] [--pause SECONDS] [--strays N] | load.py --list

Many established connections to one real server, as many to each of its addresses, with requests under way on all of
them all the time, and beside them strays: new connections that ask for what the policy forbids. Says "ready" on
stdout when all connections stand and each has had an answer. SIGUSR1: says how it stands, as below. SIGTERM ends it:
each connection asks once more (so that none counts as alive that only stayed silent), some of them then ask for what
is forbidden, and one JSON object is printed, of all hosts together and below "hosts" of each:

  alive       connections that stand
  ok          right answers          denied   forbidden requests that were refused
  lost        connections that died  passed   forbidden requests that were answered as if allowed
  wrong       answers that differ    worst_ms longest time from a request to its answer
  resent      datagrams sent again, as any resolver does after a second

Both last ones count from "ready" on; the crowd at the end is no measure of a stall.

A protocol is a class with a port, login, allowed and forbidden, and a line in PROTOCOLS.
"""
import argparse
import asyncio
import itertools
import json
import random
import resource
import signal
import ssl
import struct
import sys
import time

PATIENCE = 30  # seconds without an answer: the connection is lost
RESEND = 1     # a resolver's patience with one datagram
LAST_WORDS = 50  # established connections that ask for what is forbidden at the end
COUNTED = ("ok", "lost", "wrong", "resent", "denied", "passed", "worst_ms")
COUNTS = {}  # of each host; a wire knows the one of its host
ERRORS = {}
STOP = asyncio.Event()


class Wrong(Exception):
    """An answer came, and it was not the right one."""


# ---- how bytes travel --------------------------------------------------------------------------------------------

class Stream:
    """A TCP connection. Now and then a request leaves in two pieces, so that half a request is under way."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, host, port):
        return cls(*await asyncio.wait_for(asyncio.open_connection(host, port), PATIENCE))

    async def send(self, data):
        cut = random.randrange(1, len(data)) if random.random() < 0.15 else 0
        if cut:
            self.writer.write(data[:cut])
            await asyncio.sleep(random.uniform(0.01, 0.1))
        self.writer.write(data[cut:])

    def exactly(self, n):
        return self.reader.readexactly(n)

    def until(self, end):
        return self.reader.readuntil(end)

    def close(self):
        self.writer.close()


class Datagrams(asyncio.DatagramProtocol):
    """A UDP socket that keeps its port; a question without answer is asked again."""

    def __init__(self):
        self.transport, self.waits, self.asked = None, None, b""
        self.counts = {}

    @classmethod
    async def connect(cls, host, port):
        loop = asyncio.get_running_loop()
        return (await loop.create_datagram_endpoint(cls, remote_addr=(host, port)))[1]

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        if self.waits and not self.waits.done() and data[:2] == self.asked[:2]:
            self.waits.set_result(data)

    def error_received(self, exc):
        if self.waits and not self.waits.done():
            self.waits.set_exception(exc)

    async def ask(self, data):
        self.asked = data
        for attempt in range(PATIENCE // RESEND):
            self.counts["resent"] += attempt > 0
            self.waits = asyncio.get_running_loop().create_future()
            self.transport.sendto(data)
            try:
                return await asyncio.wait_for(self.waits, RESEND)
            except asyncio.TimeoutError:
                continue
        raise asyncio.TimeoutError

    def close(self):
        self.transport.close()


# ---- the protocols -----------------------------------------------------------------------------------------------

class Http:
    port, way = 80, Stream

    async def login(self, wire):
        pass

    async def get(self, wire, path):
        await wire.send(f"GET {path} HTTP/1.1\r\nHost: web\r\n\r\n".encode())
        head = (await wire.until(b"\r\n\r\n")).decode().lower()
        length = int(head.split("content-length:")[1].split("\r\n")[0])
        return int(head.split(" ", 2)[1]), await wire.exactly(length)

    async def allowed(self, wire, n):
        big = n % 8 == 0
        status, body = await self.get(wire, "/allowed/big" if big else f"/allowed/{n}")
        return status == 200 and body == (bytes(range(256)) * 128 if big else f"{n}\n".encode())

    async def forbidden(self, wire):
        status, _ = await self.get(wire, "/denied/secret")
        return status == 200


class Redis:
    port, way = 6379, Stream

    async def login(self, wire):
        pass

    async def ask(self, wire, *words):
        await wire.send((f"*{len(words)}\r\n" + "".join(f"${len(w)}\r\n{w}\r\n" for w in words)).encode())
        line = (await wire.until(b"\r\n"))[:-2].decode()
        if not line.startswith("$") or line == "$-1":
            return line
        return (await wire.exactly(int(line[1:]) + 2))[:-2].decode()

    async def allowed(self, wire, n):
        if n % 2:
            return await self.ask(wire, "SET", f"key:{n}", f"value {n}") == "+OK"
        return await self.ask(wire, "SET", f"key:{n}", f"value {n}") == "+OK" and \
            await self.ask(wire, "GET", f"key:{n}") == f"value {n}"

    async def forbidden(self, wire):
        return not (await self.ask(wire, "FLUSHALL")).startswith("-")


class Mysql:
    port, way = 3306, Stream
    FLAGS = 0x00000001 | 0x00000200 | 0x00008000 | 0x00080000  # long password, 4.1, secure connection, plugin

    async def packet(self, wire):
        head = await wire.exactly(4)
        return head[3], await wire.exactly(int.from_bytes(head[:3], "little"))

    async def send(self, wire, sequence, body):
        await wire.send(len(body).to_bytes(3, "little") + bytes([sequence]) + body)

    async def login(self, wire):
        _, greeting = await self.packet(wire)
        if greeting[0] == 0xff:
            raise Wrong(greeting[3:60])
        await self.send(wire, 1, struct.pack("<IIB23x", self.FLAGS, 1 << 24, 45) + b"app\0\0" + b"mysql_native_password\0")
        sequence, answer = await self.packet(wire)
        if answer[0] == 0xfe:
            await self.send(wire, sequence + 1, b"")
            _, answer = await self.packet(wire)
        if answer[0] != 0:
            raise Wrong(answer[3:60])

    async def query(self, wire, text):
        """The last column of the last row; "" where no rows come back; None: an error."""
        await self.send(wire, 0, b"\x03" + text.encode())
        _, answer = await self.packet(wire)
        if answer[0] == 0xff:
            return None
        ends, last = 0, b""
        while answer[0] != 0 and ends < 2:
            _, row = await self.packet(wire)
            ends += row[0] == 0xfe and len(row) < 9
            last = last if row[0] == 0xfe else row
        return last[1:].decode()

    async def allowed(self, wire, n):
        return await self.query(wire, f"SELECT v FROM shop.items WHERE id = {n % 100}") == f"value {n % 100}"

    async def forbidden(self, wire):
        return await self.query(wire, "DROP TABLE shop.items") is not None


class Postgres:
    port, way = 5432, Stream

    async def message(self, wire):
        head = await wire.exactly(5)
        return head[:1], await wire.exactly(int.from_bytes(head[1:], "big") - 4)

    async def until_ready(self, wire):
        """The only column of the last row; "" where no rows come back; None: an error."""
        last = ""
        while True:
            kind, body = await self.message(wire)
            if kind == b"E":
                return None
            if kind == b"D":
                last = body[6:].decode()
            if kind == b"Z":
                return last

    async def login(self, wire):
        words = b"user\0app\0database\0shop\0\0"
        await wire.send(struct.pack(">II", 8 + len(words), 3 << 16) + words)
        if await self.until_ready(wire) is None:
            raise Wrong("no login")

    async def query(self, wire, text):
        await wire.send(b"Q" + struct.pack(">I", 5 + len(text)) + text.encode() + b"\0")
        return await self.until_ready(wire)

    async def allowed(self, wire, n):
        return await self.query(wire, f"SELECT v FROM public.items WHERE id = {n % 100}") == f"value {n % 100}"

    async def forbidden(self, wire):
        return await self.query(wire, "DROP TABLE public.items") is not None


class Secure(Stream):
    """TLS without a look at the certificate; the name in its hello is what is judged."""
    name = "web.ok.test"

    @classmethod
    async def connect(cls, host, port):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return cls(*await asyncio.wait_for(
            asyncio.open_connection(host, port, ssl=context, server_hostname=cls.name), PATIENCE))


class Stranger(Secure):
    name = "web.evil.test"


class Tls(Http):
    port, way = 443, Secure

    async def forbidden(self, wire):
        other = await Stranger.connect(wire.host, self.port)
        status, _ = await self.get(other, "/denied/secret")
        other.close()
        return status == 200


class Dns:
    port = 53

    def question(self, name):
        labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
        return struct.pack(">HHHHHH", random.randrange(65536), 0x0100, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"

    async def login(self, wire):
        pass

    async def allowed(self, wire, n):
        answer = await self.ask(wire, self.question(f"n{n % 250}.ok.test"))
        return answer[3] & 15 == 0 and answer[-4:] == bytes([198, 18, 1, n % 250])

    async def forbidden(self, wire):
        return (await self.ask(wire, self.question(f"n{random.randrange(10**6)}.evil.test")))[3] & 15 == 0


class DnsUdp(Dns):
    way = Datagrams

    async def ask(self, wire, question):
        return await wire.ask(question)


class DnsTcp(Dns):
    way = Stream

    async def ask(self, wire, question):
        await wire.send(struct.pack(">H", len(question)) + question)
        return await wire.exactly(int.from_bytes(await wire.exactly(2), "big"))


class Raw(DnsTcp):
    """Bytes that nobody reads, where the policy allows every connection."""
    port = 7000

    async def forbidden(self, wire):
        return False


PROTOCOLS = {
    "http": Http(),
    "mysql": Mysql(),
    "postgres": Postgres(),
    "redis": Redis(),
    "tls": Tls(),
    "dns-udp": DnsUdp(),
    "dns-tcp": DnsTcp(),
    "raw": Raw(),
}


# ---- the load ----------------------------------------------------------------------------------------------------

BROKEN = (OSError, EOFError, asyncio.TimeoutError, asyncio.LimitOverrunError, Wrong, IndexError, ValueError)


def note(where, error):
    text = f"{where}: {type(error).__name__}: {error}"[:90]
    ERRORS[text] = ERRORS.get(text, 0) + 1


async def ask(protocol, wire):
    begin = time.monotonic()
    right = await asyncio.wait_for(protocol.allowed(wire, random.randrange(10**6)), PATIENCE)
    if not STOP.is_set():
        wire.counts["worst_ms"] = max(wire.counts["worst_ms"], round((time.monotonic() - begin) * 1000))
    wire.counts["ok" if right else "wrong"] += 1


async def open_wire(protocol, host):
    wire = await protocol.way.connect(host, protocol.port)
    wire.host, wire.counts, wire.is_lost = host, COUNTS[host], False
    try:
        await asyncio.wait_for(protocol.login(wire), PATIENCE)
    except BROKEN:
        wire.close()
        raise
    return wire


async def ask_forbidden(protocol, wire):
    """A refusal is an answer of the protocol or the end of the connection."""
    try:
        passed = await asyncio.wait_for(protocol.forbidden(wire), PATIENCE)
    except BROKEN:
        passed = False
    wire.counts["passed" if passed else "denied"] += 1
    wire.close()


async def establish(protocol, host, gate, wires):
    async with gate:
        try:
            wire = await open_wire(protocol, host)
            await ask(protocol, wire)
            wires.append(wire)
        except BROKEN as error:
            COUNTS[host]["lost"] += 1
            note("establishing", error)


async def stay(protocol, wire, pause):
    """One established connection for as long as it lasts."""
    try:
        while not STOP.is_set():
            try:
                await asyncio.wait_for(STOP.wait(), random.uniform(0, 2 * pause))
            except asyncio.TimeoutError:
                await ask(protocol, wire)
        await asyncio.sleep(random.uniform(0, 2))
        await ask(protocol, wire)
    except BROKEN as error:
        wire.counts["lost"] += 1
        note("established", error)
        wire.is_lost = True
        wire.close()


async def stray(protocol, hosts):
    for host in itertools.cycle(hosts):
        if STOP.is_set():
            return
        try:
            wire = await open_wire(protocol, host)
            for _ in range(random.randrange(3)):
                await ask(protocol, wire)
            await ask_forbidden(protocol, wire)
        except BROKEN as error:
            COUNTS[host]["lost"] += 1
            note("stray", error)
        await asyncio.sleep(random.uniform(0.1, 0.6))


def in_all(hosts):
    return {key: (max if key == "worst_ms" else sum)(counts[key] for counts in hosts.values())
            for key in ("alive", *COUNTED)}


def report(args, alive):
    """alive: a host for each connection that stands."""
    hosts = {host: {"alive": alive.count(host), **counts} for host, counts in COUNTS.items()}
    print(json.dumps({"protocol": args.protocol, "port": PROTOCOLS[args.protocol].port, **in_all(hosts), "hosts": hosts,
                      "errors": ERRORS}), flush=True)


def report_so_far(args, wires):
    report(args, [wire.host for wire in wires if not wire.is_lost])


async def run(args):
    protocol, hosts = PROTOCOLS[args.protocol], args.hosts.split(",")
    COUNTS.update((host, dict.fromkeys(COUNTED, 0)) for host in hosts)
    wires, gate = [], asyncio.Semaphore(50)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, STOP.set)
    await asyncio.gather(*(establish(protocol, hosts[i % len(hosts)], gate, wires) for i in range(args.connections)))
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, report_so_far, args, wires)
    print(f"ready {len(wires)} {json.dumps(COUNTS)}", flush=True)
    for counts in COUNTS.values():
        counts["worst_ms"] = counts["resent"] = 0
    strays = [asyncio.ensure_future(stray(protocol, hosts)) for _ in range(args.strays)]
    await asyncio.gather(*(stay(protocol, wire, args.pause) for wire in wires))
    await asyncio.gather(*strays)
    left = [wire for wire in wires if not wire.is_lost]
    await asyncio.gather(*(ask_forbidden(protocol, wire) for wire in left[:LAST_WORDS]))
    report(args, [wire.host for wire in left])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("protocol", choices=PROTOCOLS)
    parser.add_argument("hosts", help="addresses of one server, with commas between them")
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--pause", type=float, default=3.0, help="mean seconds between two requests of a connection")
    parser.add_argument("--strays", type=int, default=3)
    args = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 8192)), hard))
    asyncio.run(run(args))


if __name__ == "__main__":
    if sys.argv[1:] == ["--list"]:
        print(*(name for name in PROTOCOLS if name != "raw"))
    else:
        main()
