#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""fields.py HOPS NAMESPACE,DEVICE NAMESPACE,DEVICE -- COMMAND...: captures on both sides of the firewall while the command runs, then
compares. What entered on one side must have left on the other, byte by byte with all headers, no packet more and none less. HOPS
routers lie between: each takes one from the TTL, and IPv4's header sum fits that.

Prints what it saw of each feature as JSON; a comparison of packets that show nothing would prove nothing."""
import collections
import functools
import json
import subprocess
import sys
import time

import capture

SETTLE_S = 1.0  # resends and farewells that are on their way when the command ends
CWR, ECE, SYN = 0x80, 0x40, 0x02
SHOWN = 4


def is_tcp(packet):
    return packet[9 if packet[0] >> 4 == 4 else 6] == 6


def hop(packet):
    """The packet as a router sends it on."""
    out = bytearray(packet)
    if packet[0] >> 4 == 6:
        out[7] -= 1
        return bytes(out)
    out[8] -= 1
    out[10:12] = b"\0\0"
    total = sum(out[i] << 8 | out[i + 1] for i in range(0, 20, 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    out[10:12] = (~total & 0xFFFF).to_bytes(2, "big")
    return bytes(out)


def show(packets):
    return [packet[:80].hex() for packet in list(packets.elements())[:SHOWN]]


def compare(name, entered, left, hops):
    wanted = collections.Counter(functools.reduce(lambda p, _: hop(p), range(hops), p) for p in entered)
    got = collections.Counter(left)
    missing, extra = wanted - got, got - wanted
    return {"way": name, "packets": len(entered), "missing": missing.total(), "extra": extra.total(),
            "first_missing": show(missing), "first_extra": show(extra)}


def features(packets):
    seen = collections.Counter()
    for packet in packets:
        tcp = capture.Tcp(packet)
        seen["syn"] += bool(tcp.flags & SYN)
        seen["mss"] += 2 in tcp.options
        seen["window_scale"] += 3 in tcp.options
        seen["sack_permitted"] += 4 in tcp.options
        seen["sack_blocks"] += 5 in tcp.options
        seen["timestamps"] += 8 in tcp.options
        seen["ece"] += bool(tcp.flags & ECE) and not tcp.flags & SYN
        seen["cwr"] += bool(tcp.flags & CWR) and not tcp.flags & SYN
        seen["ect"] += tcp.ecn in (1, 2)
        seen["ce"] += tcp.ecn == 3
        seen["ipv6"] += packet[0] >> 4 == 6
        seen["ipv4"] += packet[0] >> 4 == 4
    return seen


def main():
    hops = int(sys.argv[1])
    near, far = (capture.Tap(*end.split(","), is_tcp) for end in sys.argv[2:4])
    status = subprocess.run(sys.argv[5:], check=False).returncode
    time.sleep(SETTLE_S)
    near, far = near.end(), far.end()
    # `near` is a port of the gate: what comes in by it goes out to the endpoint's own device, and comes in there.
    ways = [compare("there", near["in"], far["in"], hops), compare("back", far["out"], near["out"], hops)]
    print(json.dumps({"command": status, "ways": ways, "seen": features(near["in"] + near["out"])}))


main()
