#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""versions.py GENERATIONS ASKED EVE: was each request judged wholly by the policy of one generation?

GENERATIONS has a line "NUMBER PATH" for each load, ASKED is ask.py's. A record of generation G was judged by the policy
of the last load at or before G. Every answer 200 must have one record that allows it and a policy that does; no
request that a record denies may have had a 200; every 403 must have its record, and a policy that does not allow it.
"""
import bisect
import collections
import json
import re
import sys

LEAST = 250  # requests to one address with one outcome; with fewer nothing was tried


def policies(path):
    loads = sorted((int(number), which) for number, which in (line.split() for line in open(path, encoding="ascii")))
    numbers = [number for number, _ in loads]
    return lambda generation: loads[bisect.bisect(numbers, generation) - 1][1]


def records(path):
    found = collections.defaultdict(list)
    for line in open(path, encoding="utf-8"):
        record = json.loads(line)
        match = re.search(r"\?n=(\d+)$", record.get("http", {}).get("url", ""))
        if match and record["event_type"] in ("request", "violation"):
            found[match.group(1)].append(record)
    return found


def fault(path, status, host, judged, policy_of):
    """What is wrong with one request, or None."""
    if len(judged) > 1:
        return "judged more than once"
    if not judged:
        return "answered, but not judged" if status else None
    record = judged[0]
    if record["dest_ip"] != host:
        return f"recorded as a request to {record['dest_ip']}"
    policy = policy_of(record["generation"])
    if (record["verdict"] == "allow") != (policy == path):
        return f"{record['verdict']} by generation {record['generation']}, whose policy allows /{policy}/"
    if record["verdict"] == "allow" and status == 403 or record["verdict"] == "deny" and status == 200:
        return f"{record['verdict']}, but the client got {status}"
    return None


def main():
    policy_of, found = policies(sys.argv[1]), records(sys.argv[3])
    asked = json.load(open(sys.argv[2], encoding="ascii"))
    faults = []
    for number, (path, status, host) in asked.items():
        what = fault(path, status, host, found[number], policy_of)
        if what:
            faults.append(f"request {number} for /{path}/ to {host}: {what}")
    counts = {host: collections.Counter() for _, _, host in asked.values()}
    for _, status, host in asked.values():
        counts[host][status] += 1
    used = {record["generation"] for judged in found.values() for record in judged}
    print(f"   {len(asked)} requests: {counts}; judged by {len(used)} generations; {len(faults)} wrong")
    for line in faults[:10]:
        print("  ", line)
    fewest = min(count[status] for count in counts.values() for status in (200, 403))
    return bool(faults) or len(counts) < 2 or fewest < LEAST or len(used) < 20


sys.exit(main())
