# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets as they pass one device, taken by an AF_PACKET socket of that device's namespace. Never promiscuous: what is
taken there passes through the device anyway."""
import ctypes
import os
import socket
import struct
import threading

SOL_PACKET, PACKET_STATISTICS = 263, 6
SO_RCVBUFFORCE = 33
CLONE_NEWNET = 0x40000000
OUTGOING = 4
libc = ctypes.CDLL(None, use_errno=True)


def socket_in(namespace, device):
    """A packet socket of another namespace. Its thread comes back to where it was."""
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        if libc.setns(there, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"setns {namespace}")
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        opened.bind((device, 3))
        return opened
    finally:
        libc.setns(here, CLONE_NEWNET)
        os.close(here)
        os.close(there)


class Tap:
    """Everything that enters (or leaves) by a device, with ports of ours, in the order of its coming."""

    def __init__(self, namespace, device, wanted):
        self.packets = {"in": [], "out": []}
        self.wanted = wanted
        self.socket = socket_in(namespace, device)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self.socket.settimeout(0.2)
        self.is_over = False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while True:
            try:
                data, where = self.socket.recvfrom(65600)
            except TimeoutError:
                if self.is_over:
                    return
                continue
            packet = ip_of(data)
            if packet and self.wanted(packet):
                self.packets["out" if where[2] == OUTGOING else "in"].append(packet)

    def end(self):
        self.is_over = True
        self.thread.join()
        _, dropped = struct.unpack("II", self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        if dropped:
            raise RuntimeError(f"{dropped} packets were not captured")
        return self.packets


def ip_of(frame):
    """The IP packet of a frame without the frame's padding; None for others."""
    kind = struct.unpack("!H", frame[12:14])[0]
    if kind == 0x0800:
        return frame[14:14 + struct.unpack("!H", frame[16:18])[0]]
    if kind == 0x86DD:
        return frame[14:54 + struct.unpack("!H", frame[18:20])[0]]
    return None


class Tcp:
    """The fields of a TCP packet that may not change."""

    def __init__(self, packet):
        self.packet = packet
        is_4 = packet[0] >> 4 == 4
        self.at = 20 if is_4 else 40
        self.is_tcp = packet[9 if is_4 else 6] == 6
        self.ttl = packet[8] if is_4 else packet[7]
        self.ecn = packet[1] & 3 if is_4 else packet[1] >> 4 & 3
        if self.is_tcp:
            self.flags = packet[self.at + 13]
            self.cut = self.at + (packet[self.at + 12] >> 4) * 4
            self.options = dict(self.each_option())

    def each_option(self):
        at = self.at + 20
        while at < self.cut and self.packet[at]:
            if self.packet[at] == 1:
                at += 1
                continue
            n = self.packet[at + 1]
            yield self.packet[at], self.packet[at + 2:at + n]
            at += n
