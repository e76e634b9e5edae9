# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients that say bytes: many connections at once, each from a port of its own, so that logs and records can be told
apart by it. Each says its parts, closes its side and reads until the other side is closed."""
import asyncio
import contextlib
import socket
import struct

from payloads import PAUSE

FIRST_PORT, LAST_PORT = 2000, 64000
LIMIT_S = 8.0   # for a connection; who comes to it is cut
PAUSE_S = 0.25  # the longest wait for an answer amid
PIECE_S = 0.004  # between the pieces of one part
PATIENCE_S = 3.0 # for answers that must come
QUIET_S = 0.15  # no more answers come, where one's side may be closed only then
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Said:
    """What came of one connection."""

    def __init__(self, port):
        self.port, self.answer, self.end = port, b"", "closed"


class How:
    """`cuts`: where each part is cut. `is_patient`: one's side is closed when the answers are there, `wanted` of them."""

    def __init__(self, cuts=(), is_patient=False, wanted=None):
        self.cuts, self.is_patient, self.wanted = cuts, is_patient, wanted


async def hear(loop, sock, said, limit=None):
    """Until there is nothing more, or, with a limit, until anything came or the time is over."""
    while True:
        try:
            data = await asyncio.wait_for(loop.sock_recv(sock, 65536), limit)
        except asyncio.TimeoutError:
            return
        said.answer += data
        if not data or limit:
            return


def pieces(part, cuts):
    edges = [0, *sorted({c % len(part) for c in cuts} - {0}), len(part)]
    return [part[a:b] for a, b in zip(edges, edges[1:])]


async def hear_out(loop, sock, said, wanted):
    """Until that many answers are there, or, when it is not known how many, until it is quiet."""
    before = -1
    while len(said.answer) > before and (wanted is None or said.answer.count(b" 200 OK\r\n") < wanted):
        before = len(said.answer)
        await hear(loop, sock, said, QUIET_S if wanted is None else PATIENCE_S)


async def speak(loop, sock, parts, how, said):
    for part in parts:
        if part is PAUSE:
            await hear(loop, sock, said, PAUSE_S)
            continue
        for index, piece in enumerate(pieces(part, how.cuts)):
            if index:
                await asyncio.sleep(PIECE_S)
            await loop.sock_sendall(sock, piece)
    if how.is_patient:
        await hear_out(loop, sock, said, how.wanted)
    sock.shutdown(socket.SHUT_WR)
    await hear(loop, sock, said)


async def converse(address, source, parts, how):
    """One connection: (address, port) from (address, port)."""
    loop, said = asyncio.get_running_loop(), Said(source[1])
    with socket.socket(socket.AF_INET6 if ":" in source[0] else socket.AF_INET) as sock:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        sock.bind(source)
        try:
            await asyncio.wait_for(loop.sock_connect(sock, address), LIMIT_S)
            await asyncio.wait_for(speak(loop, sock, parts, how, said), LIMIT_S)
        except asyncio.TimeoutError:
            said.end = "timeout"
        except ConnectionRefusedError:
            said.end = "refused"
        except OSError:
            said.end = "reset"
            with contextlib.suppress(OSError):  # what the server said before
                said.answer += sock.recv(65536)
    return said


async def together(jobs, at_once, seconds):
    """Runs jobs (functions that make a conversation) side by side; none begins after so many seconds. An error of one ends
    it all."""
    loop, tasks = asyncio.get_running_loop(), set()
    until = loop.time() + seconds
    for job in jobs:
        if loop.time() > until:
            break
        tasks.add(asyncio.ensure_future(job()))
        if len(tasks) >= at_once:
            done, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
    await asyncio.gather(*tasks)
