#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""said.py EVE OFFSET LOG...: what loads (load.py) said last, in lines "PROTOCOL HOST KEY NUMBER"; HOST "all" is all.

KEY "recorded" is how many refusals by that server the records from byte OFFSET on tell of.
"""
import collections
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))
from records import records  # noqa: E402


def last_words(path):
    """What a load said last, None where it did not get so far."""
    with open(path, encoding="utf-8") as log:
        lines = log.read().splitlines()
    try:
        return json.loads(lines[-1])
    except (ValueError, IndexError):
        return None


def refusals(path, offset):
    """How many, by address, port and transport."""
    return collections.Counter((record["dest_ip"], record["dest_port"], record["proto"])
                               for record in records(path, offset) if record["event_type"] == "violation")


def tell(protocol, host, counts):
    for key, value in counts.items():
        print(protocol, host, key, value)


def main():
    recorded = refusals(sys.argv[1], int(sys.argv[2]))
    for said in filter(None, map(last_words, sys.argv[3:])):
        transport = "UDP" if said["protocol"].endswith("udp") else "TCP"
        tell(said["protocol"], "all", {key: value for key, value in said.items() if isinstance(value, int)})
        for host, counts in said["hosts"].items():
            tell(said["protocol"], host, {**counts, "recorded": recorded[host, said["port"], transport]})


main()
