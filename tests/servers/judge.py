# SPDX-License-Identifier: GPL-2.0-or-later
"""Talks to bw-judge (judge.c): what a dissector says of a conversation with a real server."""
import json
import struct
import subprocess


class Judge:
    """One bw-judge process; connections one after the other."""

    def __init__(self, build):
        self.process = subprocess.Popen([f"{build}/tests/servers/bw-judge"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def tell(self, records):
        """records: [(operation, bytes)]; the answers, in order. A few records at a time: nothing is read until all are written."""
        self.process.stdin.write(b"".join(op.encode() + struct.pack("<I", len(body)) + body for op, body in records))
        self.process.stdin.flush()
        return [self._line() for _ in records]

    def _line(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"bw-judge ended, status {self.process.wait()}")
        return json.loads(line)

    def begin(self, dissector):
        self.tell([("N", dissector.encode())])

    def client(self, data):
        return self.tell([("C", data)])[0]

    def server(self, data):
        return self.tell([("S", data)])[0]

    def sentence(self, text):
        return self.tell([("Y", text.encode())])[0]


def texts(event, name):
    """The values of one field of an event, as bytes (numbers as they are)."""
    return [v if isinstance(v, int) else v.encode("latin-1") for key, v in event["fields"] if key == name]


def requests(answer):
    return [e for e in answer["events"] if e["kind"] == "request"]
