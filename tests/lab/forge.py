#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""forge.py send N KEY=VALUE...    forged frames from a container's own interface, N of each kind
forge.py honest N ADDRESS...      as many honest datagrams to each address, from an ordinary socket
forge.py count INTERFACE [ADDRESS]  prints a line for each frame with a magic text that arrives there, and for
                                  each datagram at that address
forge.py requests SECONDS URL     one connection, a request each 20 ms; prints how many failed

Needs nothing but CAP_NET_RAW, which Docker gives by default. Counting never makes an interface promiscuous."""
import http.client
import select
import socket
import struct
import sys
import time
import urllib.parse

FORGED, HONEST = b"FORGED!!", b"HONEST!!"
BROADCAST = b"\xff" * 6


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def v4(text):
    return socket.inet_aton(text)


def v6(text):
    return socket.inet_pton(socket.AF_INET6, text)


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip4(source, target, proto, payload):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 64, proto, 0, v4(source), v4(target))
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def ip6(source, target, proto, payload, hops=64):
    return struct.pack("!IHBB", 6 << 28, len(payload), proto, hops) + v6(source) + v6(target) + payload


def udp(port=5353, data=FORGED):
    return struct.pack("!HHHH", 4000, port, 8 + len(data), 0) + data


def udp6(source, target, port=5353, data=FORGED):
    plain = struct.pack("!HHHH", 4000, port, 8 + len(data), 0) + data
    pseudo = v6(source) + v6(target) + struct.pack("!II", len(plain), 17)
    return plain[:6] + struct.pack("!H", checksum(pseudo + plain) or 0xFFFF) + data


def tcp(source, target, flags):
    """What a server's answer would look like: a SYN/ACK or data, from port 80."""
    plain = struct.pack("!HHIIBBHHH", 80, 4000, 1, 1, 5 << 4, flags, 1000, 0, 0) + FORGED
    pseudo = v4(source) + v4(target) + struct.pack("!HH", 6, len(plain))
    return plain[:16] + struct.pack("!H", checksum(pseudo + plain)) + plain[18:]


def arp(operation, sender, address, target):
    return struct.pack("!HHBBH", 1, 0x800, 6, 4, operation) + sender + v4(address) + FORGED[:6] + v4(target) + FORGED


def icmp6(source, target, kind, body):
    plain = struct.pack("!BBHI", kind, 0, 0, 0x60000000 if kind == 136 else 0) + body
    pseudo = v6(source) + v6(target) + struct.pack("!II", len(plain), 58)
    return ip6(source, target, 58, plain[:2] + struct.pack("!H", checksum(pseudo + plain)) + plain[4:], 255)


def nonce():
    return bytes([14, 2]) + b"\0" * 6 + FORGED


def frames(me, victim, third, gateway, vm, outside):
    """(name, frame); each is a dict of mac, ip and ip6."""
    def eth(target, source, kind, payload):
        return target + source + struct.pack("!H", kind) + payload
    m, v, t, g = mac(me["mac"]), mac(victim["mac"]), mac(third["mac"]), mac(gateway["mac"])
    to_third = ip4(victim["ip"], third["ip"], 17, udp())
    to_vm = ip4(victim["ip"], vm, 17, udp())
    to_host = ip4(victim["ip"], gateway["ip"], 17, udp())
    six = ip6(victim["ip6"], third["ip6"], 17, udp6(victim["ip6"], third["ip6"]))
    advert = icmp6(me["ip6"], third["ip6"], 136, v6(victim["ip6"]) + b"\2\1" + m + nonce())
    solicit = icmp6(victim["ip6"], third["ip6"], 135, v6(third["ip6"]) + b"\1\1" + m + nonce())
    router = icmp6("fe80::1:2", "ff02::1", 134, b"\0" * 8 + nonce())
    own = ip4(me["ip"], third["ip"], 17, udp())
    yield "the neighbour's address", eth(t, m, 0x800, to_third)
    yield "the neighbour's address and MAC", eth(t, v, 0x800, to_third)
    yield "the neighbour's MAC", eth(t, v, 0x800, own)
    yield "the neighbour, to the VM", eth(g, m, 0x800, to_vm)
    yield "the neighbour and its MAC, to the VM", eth(g, v, 0x800, to_vm)
    yield "the neighbour, to the host", eth(g, v, 0x800, to_host)
    yield "a server of the internet: SYN/ACK", eth(t, m, 0x800, ip4(outside, third["ip"], 6, tcp(outside, third["ip"], 0x12)))
    yield "a server of the internet: data", eth(t, g, 0x800, ip4(outside, third["ip"], 6, tcp(outside, third["ip"], 0x18)))
    yield "a server of the internet: UDP", eth(t, m, 0x800, ip4(outside, third["ip"], 17, udp()))
    yield "the gateway", eth(t, m, 0x800, ip4(gateway["ip"], third["ip"], 17, udp()))
    yield "ARP: I am the neighbour", eth(BROADCAST, m, 0x806, arp(2, m, victim["ip"], third["ip"]))
    yield "ARP: I am the gateway", eth(t, m, 0x806, arp(2, m, gateway["ip"], third["ip"]))
    yield "ARP with the neighbour's MAC", eth(t, m, 0x806, arp(2, v, me["ip"], third["ip"]))
    yield "the neighbour's IPv6 address", eth(t, m, 0x86DD, six)
    yield "the neighbour's IPv6 address and MAC", eth(t, v, 0x86DD, six)
    yield "ND: I am the neighbour", eth(t, m, 0x86DD, advert)
    yield "ND: the neighbour asks", eth(t, m, 0x86DD, solicit)
    yield "ND: I am the router", eth(b"\x33\x33\0\0\0\1", m, 0x86DD, router)
    yield "a VLAN tag", eth(t, m, 0x8100, struct.pack("!HH", 7, 0x800) + own)
    yield "an odd ethertype", eth(t, m, 0x88B5, FORGED)
    yield "past the bridge, with the neighbour's MAC", eth(b"\1\x80\xc2\0\0\x0e", v, 0x800, to_host)


def parse(words):
    """victim.mac=... becomes {"victim": {"mac": ...}}"""
    out = {}
    for word in words:
        key, value = word.split("=", 1)
        if "." in key:
            who, what = key.split(".")
            out.setdefault(who, {})[what] = value
        else:
            out[key] = value
    return out


def send(n, words):
    where = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    where.bind(("eth0", 0))
    total = 0
    for name, frame in frames(**parse(words)):
        for i in range(n):
            where.send(frame)
            total += 1
            if i % 32 == 31:
                time.sleep(0.005)
        print(f"{n} {name}", flush=True)
    print(f"total {total}", flush=True)


def honest(n, addresses):
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        where = socket.socket(family, socket.SOCK_DGRAM)
        for _ in range(n):
            where.sendto(HONEST, (address, 5353))
            time.sleep(0.002)


def arrived(data, place):
    for magic in (FORGED, HONEST):
        if magic in data:
            print(magic.decode(), place, data[:48].hex(), flush=True)


def count(interface, address=None):
    where = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    where.setsockopt(socket.SOL_SOCKET, 33, 1 << 23)  # SO_RCVBUFFORCE
    where.bind((interface, 3))
    ears = [where]
    if address:
        ears.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        ears[1].bind((address, 5353))
    print("listening", flush=True)
    while True:
        for ear in select.select(ears, [], [])[0]:
            data, origin = ear.recvfrom(4096)
            if ear is not where:
                arrived(data, "socket")
            elif origin[2] != socket.PACKET_OUTGOING:
                arrived(data, origin[0])


def requests(seconds, url):
    place = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname, place.port or 80, timeout=5)
    done = failed = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            connection.request("GET", place.path)
            answer = connection.getresponse()
            answer.read()
            failed += answer.status != 200
        except OSError as why:
            failed += 1
            print(why, flush=True)
            connection.close()
        done += 1
        time.sleep(0.02)
    print(f"requests {done} failed {failed}", flush=True)


def main(verb, *words):
    if verb == "send":
        send(int(words[0]), words[1:])
    elif verb == "honest":
        honest(int(words[0]), words[1:])
    elif verb == "count":
        count(*words)
    elif verb == "requests":
        requests(float(words[0]), words[1])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
