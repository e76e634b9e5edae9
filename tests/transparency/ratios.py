#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""ratios.py VALUES LEAST: lines "MODE VALUE BASE" as a table, with the ratio of each mode's total to that of its bases. To descriptor 3:
the modes that inspect and are below LEAST."""
import os
import statistics
import sys

NOT_JUDGED = ("kernel", "addresses")


def main():
    modes = {}
    with open(sys.argv[1], encoding="utf-8") as file:
        for mode, value, base in map(str.split, file):
            modes.setdefault(mode, []).append((float(value), float(base)))
    bad = []
    print(f"{'mode':<12}{'median':>10}{'lowest':>10}{'highest':>10}{'accept-all':>12}{'ratio':>8}   MB/s")
    for mode, pairs in modes.items():
        values, bases = zip(*pairs)
        ratio = sum(values) / sum(bases)
        print(f"{mode:<12}{statistics.median(values):10.2f}{min(values):10.2f}{max(values):10.2f}"
              f"{statistics.median(bases):12.2f}{ratio:8.3f}")
        if ratio < float(sys.argv[2]) and mode not in NOT_JUDGED:
            bad.append(mode)
    os.write(3, f"{' '.join(bad)}\n".encode())


main()
