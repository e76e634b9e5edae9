#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""names.py LOG: a name server over UDP and TCP, IPv4 and IPv6, that takes thousands of connections. nN.ok.test is 198.18.1.N;
every other name gets 198.18.1.255, and a line in LOG: whoever asks for it was not refused on the way."""
import asyncio
import resource
import struct
import sys


def answer_to(question, log):
    at, labels = 12, []
    while question[at]:
        labels.append(question[at + 1:at + 1 + question[at]].decode("latin-1"))
        at += 1 + question[at]
    is_good = labels[1:] == ["ok", "test"] and labels[0][1:].isdigit()
    if not is_good:
        print(".".join(labels), file=log, flush=True)
    last = int(labels[0][1:]) % 256 if is_good else 255
    return question[:2] + struct.pack(">HHHHH", 0x8580, 1, 1, 0, 0) + question[12:at + 5] + \
        b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + bytes([198, 18, 1, last])


class Udp(asyncio.DatagramProtocol):
    def __init__(self, log):
        self.log, self.transport = log, None

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        self.transport.sendto(answer_to(data, self.log), addr)


async def serve(reader, writer, log):
    try:
        while True:
            n = int.from_bytes(await reader.readexactly(2), "big")
            answer = answer_to(await reader.readexactly(n), log)
            writer.write(struct.pack(">H", len(answer)) + answer)
    except (EOFError, OSError):
        writer.close()


async def main():
    with open(sys.argv[1], "a", encoding="ascii", errors="replace") as log:
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: Udp(log), ("::", 53))
        for port in (53, 7000):
            await asyncio.start_server(lambda r, w: serve(r, w, log), ["0.0.0.0", "::"], port, backlog=512)
        await asyncio.Event().wait()


soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 8192)), hard))
asyncio.run(main())
