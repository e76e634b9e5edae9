#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""dns_signs.py --build BUILD NAME=CAPTURE...: the signs of a tunnel that the dissector finds in captures, a row of a table for each NAME.

A NAME may come several times: its captures count together. Per query: the median, and what nine of ten stay below, of name_length,
label_length and entropy; per connection: the largest unique_names. Needs tshark.
"""
import argparse
import collections
import subprocess

import judge as judges

SIGNS = ("name_length", "label_length", "entropy")


def datagrams(path):
    """Payloads to port 53 over UDP, by connection."""
    run = subprocess.run(["tshark", "-r", path, "-Y", "udp.dstport == 53", "-T", "fields", "-e", "udp.stream", "-e", "udp.payload"],
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    streams = collections.defaultdict(list)
    for line in run.stdout.decode("ascii").splitlines():
        stream, payload = (line.split("\t") + [""])[:2]
        if payload and "," not in payload:
            streams[stream].append(bytes.fromhex(payload))
    return streams.values()


def measure(judge, path, signs):
    for stream in datagrams(path):
        judge.begin("dns/udp")
        names = 0
        for payload in stream:
            for event in judges.requests(judge.client(payload)):
                fields = dict(event["fields"])
                for sign in SIGNS:
                    signs[sign].append(fields.get(sign, 0))
                names = max(names, fields.get("unique_names", 0))
        signs["unique_names"].append(names)


def at(values, part):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    parser.add_argument("captures", nargs="+", metavar="NAME=CAPTURE")
    options = parser.parse_args()
    judge = judges.Judge(options.build)
    rows = collections.defaultdict(lambda: collections.defaultdict(list))
    for one in options.captures:
        name, path = one.split("=", 1)
        measure(judge, path, rows[name])
    judge.close()
    print("| | connections | queries | `name_length` | `label_length` | `entropy` | `unique_names`, most |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name, signs in rows.items():
        cells = [f"{at(signs[sign], 0.5)} / {at(signs[sign], 0.9)}" for sign in SIGNS]
        print(f"| {name} | {len(signs['unique_names'])} | {len(signs['name_length'])} | {' | '.join(cells)} | {max(signs['unique_names'], default=0)} |")


if __name__ == "__main__":
    main()
