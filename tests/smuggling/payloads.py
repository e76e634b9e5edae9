# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads payloads.txt: what clients send. The words of the table are explained at its top."""
import pathlib
import re

PAUSE = None  # in the parts of a payload: wait for an answer
ESCAPES = {"r": b"\r", "n": b"\n", "t": b"\t", "\\": b"\\"}
DEPTH = 4  # a text may name texts, those others, and so on


class Payload:
    """`parts` are bytes and PAUSE; `expect` is (word, number) or None; is_gap: known to fail."""

    def __init__(self, name, rows, expect, parts, is_gap=False):
        self.name, self.rows, self.expect, self.parts, self.is_gap = name, rows, expect, parts, is_gap


def plain(text):
    out, at = [], 0
    while at < len(text):
        letter, step = text[at], 1
        if letter == "|":
            out.append(b"\r\n")
        elif letter != "\\":
            out.append(letter.encode("latin-1"))
        elif text[at + 1] == "x":
            out.append(bytes([int(text[at + 2:at + 4], 16)]))
            step = 4
        else:
            out.append(ESCAPES[text[at + 1]])
            step = 2
        at += step
    return b"".join(out)


class Reader:
    def __init__(self):
        self.texts, self.rows, self.payloads = {}, {}, []

    def expand(self, text):
        """Innermost braces first, until there are none; {pause} stays."""
        inner = re.compile(r"\{(?!pause\})(?:(\d+)\*([^{}]*)|([#%]?)([a-z]+))\}")
        for _ in range(DEPTH):
            text = inner.sub(self.one, text)
        left = text.replace("{pause}", "")
        if "{" in left or "}" in left:
            raise ValueError(f"unknown in braces: {left}")
        return text

    def one(self, match):
        times, what, how, name = match.groups()
        if times:
            return what * int(times)
        text = self.expand(self.texts[name])
        length = len(plain(text))
        return {"": text, "#": str(length), "%": f"{length:x}"}[how]

    def parts(self, text):
        out = []
        for index, piece in enumerate(self.expand(text).split("{pause}")):
            out += ([PAUSE] if index else []) + ([plain(piece)] if piece else [])
        return out

    def line(self, line):
        word, *columns = line.split("\t")
        if word == "let":
            self.texts[columns[0]] = columns[1]
        elif word == "row":
            self.rows[columns[0]] = columns[1]
        else:
            rows, expect, text = columns
            names = rows.split(",")
            if unknown := [n for n in names if n not in self.rows]:
                raise ValueError(f"no such row: {unknown}")
            key, _, number = expect.partition("=")
            self.payloads.append(Payload(word, names, (key, int(number)) if number else None, self.parts(text), key == "gap"))

    def read(self, path):
        for number, line in enumerate(path.read_text(encoding="latin-1").split("\n"), 1):
            if line and not line.startswith("#"):
                try:
                    self.line(line)
                except (ValueError, KeyError, IndexError) as error:
                    raise SystemExit(f"{path.name}:{number}: {error!r}") from None
        self.check(path)

    def check(self, path):
        names = [p.name for p in self.payloads]
        twice = {n for n in names if names.count(n) > 1}
        empty = set(self.rows) - {row for p in self.payloads for row in p.rows}
        if twice or empty:
            raise SystemExit(f"{path.name}: names twice: {twice or 'none'}; rows without a payload: {empty or 'none'}")


def load(name="payloads.txt"):
    """(reader with texts and rows, list of payloads)"""
    reader = Reader()
    reader.read(pathlib.Path(__file__).resolve().parent / name)
    return reader, reader.payloads
