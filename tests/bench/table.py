#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""table.py VALUES [JSON]: lines "MODE ROUND MEASURE VALUE" become a table of medians and ratios to mode kernel."""
import json
import os
import statistics
import sys

# (measure, heading, digits, whether a ratio to the kernel makes sense)
COLUMNS = [
    ("iperf3_gbps", "iperf3 Gb/s", 2, True),
    ("http_gbps", "http Gb/s", 2, True),
    ("wrk_rps", "req/s", 0, True),
    ("wrk_p50_ms", "p50 ms", 2, False),
    ("wrk_p99_ms", "p99 ms", 2, False),
]


def read(path):
    values = {}
    with open(path, encoding="ascii") as file:
        for line in file:
            mode, _, measure, value = line.split()
            values.setdefault(mode, {}).setdefault(measure, []).append(float(value))
    return values


def summary(values):
    result = {}
    for mode, measures in values.items():
        result[mode] = {}
        for measure, runs in measures.items():
            median = statistics.median(runs)
            base = statistics.median(values.get("kernel", {}).get(measure, [0]))
            result[mode][measure] = {"median": median, "runs": runs, "ratio": median / base if base else None}
    return result


def cell(entry, digits, with_ratio):
    if entry is None:
        return "-"
    text = f"{entry['median']:.{digits}f}"
    return f"{text} ({entry['ratio']:.2f})" if with_ratio and entry["ratio"] else text


def table(result):
    rows = [["mode"] + [heading for _, heading, _, _ in COLUMNS]]
    for mode, measures in result.items():
        rows.append([mode] + [cell(measures.get(name), digits, ratio) for name, _, digits, ratio in COLUMNS])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip())


def main():
    result = summary(read(sys.argv[1]))
    table(result)
    if len(sys.argv) > 2:
        machine = {"kernel": os.uname().release, "cpus": os.cpu_count()}
        with open(sys.argv[2], "w", encoding="ascii") as file:
            json.dump({"schema": 1, "machine": machine, "modes": result}, file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    main()
