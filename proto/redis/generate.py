#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes redis_commands.c from what a real server says of its commands (COMMAND).

    python3 proto/redis/generate.py | clang-format-14 > proto/redis/redis_commands.c

Starts redis-server on a unix socket in a temporary directory, asks, and ends it. Key positions come from the
key specifications; the few commands whose keys no specification describes are parsed by redis_keys.c, and a
command of that kind which this script does not know is written as "positions unknown".
"""
import os
import socket
import subprocess
import sys
import tempfile
import time

PARSED = {"xread", "xreadgroup", "sort", "sort_ro", "georadius", "georadiusbymember", "migrate"}


def read_reply(f):
    line = f.readline()[:-2].decode()
    kind, text = line[0], line[1:]
    if kind == "$":
        return f.read(int(text) + 2)[:-2].decode()
    if kind == "*":
        return [read_reply(f) for _ in range(int(text))]
    if kind == ":":
        return int(text)
    return text


def ask(path, *words):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        s.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w.encode()) for w in words))
        return read_reply(s.makefile("rb"))


def from_server():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "socket")
        server = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", path, "--save", "",
                                   "--dir", folder], stdout=subprocess.DEVNULL)
        try:
            for _ in range(100):
                if os.path.exists(path):
                    break
                time.sleep(0.05)
            version = [x for x in ask(path, "INFO", "server").split() if x.startswith("redis_version:")]
            return version[0].split(":")[1], ask(path, "COMMAND")
        finally:
            server.terminate()
            server.wait()


def as_map(flat):
    return dict(zip(flat[0::2], flat[1::2]))


def key_rule(name, specs):
    """(how, first, last, step) rows; see enum redis_how."""
    if name in PARSED:
        return [("REDIS_" + name.upper(), 0, 0, 0)]
    rows = []
    for spec in map(as_map, specs):
        begin, find = as_map(spec["begin_search"]), as_map(spec["find_keys"])
        if begin["type"] != "index" or "incomplete" in spec["flags"]:
            return [("REDIS_UNKNOWN", 0, 0, 0)]
        first, what = as_map(begin["spec"])["index"], as_map(find["spec"])
        is_channel = "not_key" in spec["flags"]
        if find["type"] == "range" and what["limit"] == 0:
            last = what["lastkey"]
            rows.append(("REDIS_CHANNELS" if is_channel else "REDIS_RANGE", first,
                         last if last < 0 else first + last, what["keystep"]))
        elif find["type"] == "keynum" and (what["keynumidx"], what["firstkey"], what["keystep"]) == (0, 1, 1):
            rows.append(("REDIS_COUNTED", first, 0, 0))
        else:
            return [("REDIS_UNKNOWN", 0, 0, 0)]
    if name in ("publish", "subscribe", "unsubscribe"):
        rows.append(("REDIS_CHANNELS", 1, 1 if name == "publish" else -1, 1))
    if name in ("psubscribe", "punsubscribe"):
        rows.append(("REDIS_PATTERNS", 1, -1, 1))
    return rows


def main():
    version, commands = from_server()
    rows, words, groups = [], [], {}
    for command in sorted(commands):
        subs = sorted(command[9])
        rows.append((command[0], bool(subs), key_rule(command[0], command[8])))
        for sub in subs:
            rows.append((sub[0], False, key_rule(sub[0], sub[8])))
            groups.setdefault(command[0], []).append(sub[0])
        for one in subs or [command]:
            words.append(one[0])
            groups.setdefault("@all", []).append(one[0])
            for category in one[6]:
                groups.setdefault(category, []).append(one[0])
    rows.sort(key=lambda row: row[0])
    out = sys.stdout.write
    out("/* SPDX-License-Identifier: GPL-2.0-or-later */\n")
    out("/*\n * Written by generate.py from redis-server %s; do not edit.\n */\n" % version)
    out('#include "redis_commands.h"\n\n')
    out("const struct redis_command redis_commands[] = {\n")
    for name, is_container, specs in rows:
        out('{"%s", %s, {%s}},\n' % (name, "true" if is_container else "false",
                                     ", ".join("{%s, %d, %d, %d}" % s for s in specs) or "{0}"))
    out("};\nconst size_t n_redis_commands = sizeof redis_commands / sizeof *redis_commands;\n\n")
    out("const char *const redis_words[] = {%s, NULL};\n\n" % ", ".join('"%s"' % w for w in sorted(words)))
    names = sorted(groups)
    for i, name in enumerate(names):
        out("static const char *const group_%d[] = {%s, NULL};\n" %
            (i, ", ".join('"%s"' % w for w in sorted(groups[name]))))
    out("\nconst struct dis_group redis_groups[] = {\n")
    for i, name in enumerate(names):
        out('{"%s", group_%d},\n' % (name, i))
    out("{0},\n};\n")


if __name__ == "__main__":
    main()
