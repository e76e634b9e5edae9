#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How long the requests of established connections take, before a flood and in it.

latency.py probe HOSTS PHASE...   asks the web server at each of HOSTS (commas between them) over CONNECTIONS connections, at
                                  a fixed pace; says "ready" when all stand. SIGUSR1: the next PHASE begins; one called "-"
                                  is not kept. SIGTERM ends it: JSON, {phase: {host: {n, p50, p99, worst, lost}}}, microseconds.
latency.py table FILE             of lines "FLOOD WAY JSON": a table, and the score of bridgewarden's own ratio; no score
                                  where it moves without a flood, too

A request that cannot leave in its turn because the one before it has no answer yet counts from its turn on: a stall of a
second is as many late requests as there would have been in that second.
"""
import bisect
import collections
import json
import select
import signal
import socket
import statistics
import sys
import time

CONNECTIONS = 8   # to each host
PACE = 0.016      # seconds from one request of a connection to its next
MOST = 2.0        # times the quiet p99: the claim
LEAST_SAMPLES = 500
REQUEST = b"GET /allowed/7 HTTP/1.1\r\nHost: web\r\n\r\n"
ANSWER_END = b"\r\n\r\n7\n"


class Wire:
    def __init__(self, host, turn):
        self.host, self.turn, self.sent = host, turn, None
        self.heard = b""
        self.socket = socket.create_connection((host, 80), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def fileno(self):
        return self.socket.fileno()

    def ask(self, since):
        self.sent = since
        self.socket.sendall(REQUEST)

    def answered(self):
        """True: all of an answer is there. Raises OSError when the connection ended."""
        data = self.socket.recv(4096)
        if not data:
            raise ConnectionResetError
        self.heard += data
        return self.heard.endswith(ANSWER_END)


class Probe:
    def __init__(self, hosts, phases):
        self.phases, self.begins = phases, [time.monotonic()]
        self.samples = {phase: {host: [] for host in hosts} for phase in phases}
        self.lost = {phase: collections.Counter() for phase in phases}
        now = self.begins[0]
        every = [host for _ in range(CONNECTIONS) for host in hosts]
        self.wires = [Wire(host, now + 0.1 + PACE * i / len(every)) for i, host in enumerate(every)]
        self.goes_on = True

    def next_phase(self, *_):
        self.begins.append(time.monotonic())

    def end(self, *_):
        self.goes_on = False

    def phase_at(self, moment):
        return self.phases[max(0, bisect.bisect(self.begins[:len(self.phases)], moment) - 1)]

    def lose(self, wire):
        self.lost[self.phase_at(time.monotonic())][wire.host] += 1
        self.wires.remove(wire)

    def note(self, wire, since, now):
        self.samples[self.phase_at(since)][wire.host].append((now - since) * 1e6)

    def hear(self, wire):
        if not wire.answered():
            return
        now = time.monotonic()
        self.note(wire, wire.sent, now)
        wire.sent, wire.heard, wire.turn = None, b"", wire.turn + PACE
        if wire.turn < now:  # its turn has passed while it waited
            wire.ask(wire.turn)

    def ask_all(self):
        """Those whose turn it is; how long until the next one's."""
        now = time.monotonic()
        for wire in self.wires:
            if wire.sent is None and wire.turn <= now:
                wire.ask(time.monotonic())
        turns = [wire.turn for wire in self.wires if wire.sent is None]
        return max(0.0, min(turns, default=now + PACE) - time.monotonic())

    def step(self):
        for wire in select.select(self.wires, [], [], self.ask_all())[0]:
            try:
                self.hear(wire)
            except OSError:
                self.lose(wire)

    def close(self):
        """What was never answered, and what never had its turn, has waited until now at least."""
        now = time.monotonic()
        for wire in self.wires:
            since, turn = wire.sent, wire.turn
            while since is not None and since < now:
                self.note(wire, since, now)
                turn += PACE
                since = turn


def summary(samples, lost):
    if len(samples) < 2:
        return {"n": len(samples), "p50": 0, "p99": 0, "worst": 0, "lost": lost}
    cuts = statistics.quantiles(samples, n=100)
    return {"n": len(samples), "p50": round(cuts[49]), "p99": round(cuts[98]), "worst": round(max(samples)), "lost": lost}


def probe(hosts, *phases):
    one = Probe(hosts.split(","), phases)
    signal.signal(signal.SIGUSR1, one.next_phase)
    signal.signal(signal.SIGTERM, one.end)
    print("ready", flush=True)
    while one.goes_on and one.wires:
        one.step()
    one.close()
    print(json.dumps({phase: {host: summary(samples, one.lost[phase][host]) for host, samples in hosts.items()}
                      for phase, hosts in one.samples.items() if phase != "-"}), flush=True)


def read(path):
    """{(flood, family): {(way, phase): [p99 of each round]}}; those (flood, family) that bridgewarden cost a connection."""
    found, lost = collections.defaultdict(lambda: collections.defaultdict(list)), set()
    for line in open(path, encoding="ascii"):
        flood, way, said = line.split(" ", 2)
        for phase, hosts in json.loads(said).items():
            for host, counts in hosts.items():
                family = "IPv6" if ":" in host else "IPv4"
                found[flood, family][way, phase].append(counts["p99"] / 1000)
                if counts["n"] < LEAST_SAMPLES:
                    sys.exit(f"too few requests: {flood} {family} {way} {phase}: {counts}")
                if counts["lost"] and way == "bridgewarden":
                    lost.add((flood, family))
    return found, lost


def table(path):
    found, lost = read(path)
    print("p99 in ms              accept-all                bridgewarden")
    print("flood     family    quiet   flood   ratio    quiet   flood   ratio    of accept-all's")
    tried = failed = 0
    noisy = False
    for (flood, family), rounds in found.items():
        is_lost = (flood, family) in lost
        p99 = {key: statistics.median(values) for key, values in rounds.items()}
        ratio = {way: p99[way, "flood"] / p99[way, "quiet"] for way in ("acceptall", "bridgewarden")}
        is_claim = flood != "none"
        noisy |= not is_claim and not all(1 / MOST <= value <= MOST for value in ratio.values())
        tried += is_claim
        failed += is_claim and (is_lost or ratio["bridgewarden"] > MOST)
        print(f"{flood:9} {family}   " + "  ".join(
            f"{p99[way, 'quiet']:7.2f} {p99[way, 'flood']:7.2f} {ratio[way]:7.2f}" for way in ratio) +
            f"    {p99['bridgewarden', 'flood'] / p99['acceptall', 'flood']:7.2f}{'    lost connections' * is_lost}")
    if noisy:
        sys.exit("no score: this machine does other work, as the rows without a flood show")
    print(f"scorecard S14 tried={tried} failed={failed}")


{"probe": probe, "table": table}[sys.argv[1]](*sys.argv[2:])
