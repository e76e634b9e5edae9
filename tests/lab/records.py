#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Prints the records (JSON lines) of FILE from byte OFFSET on whose dotted keys have the given values.

Exit status 0 when there is at least one, 1 otherwise. KEY=VALUE compares as text, KEY~TEXT asks whether the
value contains TEXT, KEY!=VALUE asks for another value.
"""
import json
import sys


def value_of(record, key):
    for part in key.split("."):
        if not isinstance(record, dict) or part not in record:
            return ""
        record = record[part]
    return record if isinstance(record, str) else json.dumps(record)


def holds(record, condition):
    if "!=" in condition:
        key, wanted = condition.split("!=", 1)
        return value_of(record, key) != wanted
    at = min(i for i in (condition.find("="), condition.find("~")) if i >= 0)
    key, wanted = condition[:at], condition[at + 1:]
    value = value_of(record, key)
    return value == wanted if condition[at] == "=" else wanted in value


def records(path, offset):
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            for line in file:
                if line.endswith(b"\n"):
                    yield json.loads(line)
    except FileNotFoundError:
        return


def main():
    path, offset, conditions = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    found = 0
    for record in records(path, offset):
        if all(holds(record, condition) for condition in conditions):
            print(json.dumps(record))
            found += 1
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
