#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""regex.py ASK_REGEX [EXPRESSIONS [SEED]]: generated expressions and texts, judged by the policy's machine and by Python.

Texts are made from the alphabet of the expressions, by chance and by walking the expression, so that about half match.
What the machine refuses as too large is counted; it must refuse nothing else, since all that is generated is in the
language."""
import random
import re
import subprocess
import sys

ALPHABET = b"abcAB01/-_.\n\xff"
CLASSES = [(rb"[a-c]", b"abc"), (rb"[^/]", b"aB0-"), (rb"\d", b"01"), (rb"\w", b"aB_"), (rb"\s", b"\n"), (rb"\D", b"a/"),
           (rb"[A-B_-]", b"A-"), (rb"[^\da]", b"b/"), (rb".", b"a\n\xff"), (rb"\x61", b"a"), (rb"[]a]", b"]a"), (rb"\W", b"/."),
           (rb"\S", b"a/"), (rb"[\w.]", b"a.")]


def generate(dice, depth):
    """(expression, a function that makes a text for it)"""
    kind = dice.randrange(10) if depth else dice.randrange(4)
    if kind < 2:
        c = dice.choice(ALPHABET)
        return re.escape(bytes([c])) if c != 10 else rb"\n", lambda: bytes([c])
    if kind < 4:
        text, members = dice.choice(CLASSES)
        return text, lambda: bytes([dice.choice(members)])
    if kind < 7:
        parts = [generate(dice, depth - 1) for _ in range(dice.randrange(2, 4))]
        return b"".join(p[0] for p in parts), lambda: b"".join(p[1]() for p in parts)
    inner, make = generate(dice, depth - 1)
    if kind < 8:
        other, make_other = generate(dice, depth - 1)
        return b"(" + inner + b"|" + other + b")", lambda: dice.choice((make, make_other))()
    low = dice.randrange(3)
    high = low + dice.randrange(3)
    suffix, low, high = dice.choice(((b"*", 0, 3), (b"+", 1, 3), (b"?", 0, 1), (b"{%d,%d}" % (low, high), low, high),
                                     (b"{%d,}" % low, low, low + 2), (b"{%d}" % low, low, low)))
    return b"(?:" + inner + b")" + suffix, lambda: b"".join(make() for _ in range(dice.randint(low, high)))


def texts_for(dice, make):
    for _ in range(6):
        text = make()
        yield text
        at = dice.randrange(len(text) + 1)
        yield text[:at] + bytes([dice.choice(ALPHABET)]) + text[at + dice.randrange(2):]
    yield bytes(dice.choice(ALPHABET) for _ in range(dice.randrange(8)))


def main(ask, n=4000, seed=1):
    dice = random.Random(int(seed))
    lines, wanted = [], []
    for _ in range(int(n)):
        expression, make = generate(dice, dice.randrange(5))
        folds = dice.random() < 0.3
        pattern = re.compile(expression, re.DOTALL | (re.IGNORECASE if folds else 0))
        lines.append(f"{'E' if folds else 'e'} {expression.hex()}")
        wanted.append((expression, None, None))
        for text in texts_for(dice, make):
            lines.append(f"t {text.hex()}")
            wanted.append((expression, text, pattern.fullmatch(text) is not None))
    done = subprocess.run([ask], input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=100, check=True)
    answers = done.stdout.splitlines()
    if len(answers) != len(wanted):
        sys.exit(f"{len(wanted)} questions, {len(answers)} answers")
    counts = {"large": 0, "yes": 0, "no": 0, "wrong": 0}
    refused = False
    for answer, (expression, text, matches) in zip(answers, wanted):
        if text is None:
            refused = answer != "ok"
            if refused and "too" not in answer:
                print(f"{expression!r} is refused: {answer}")
                counts["wrong"] += 1
            counts["large"] += refused
        elif not refused:
            counts["yes" if matches else "no"] += 1
            if (answer == "1") != matches:
                print(f"{expression!r} on {text!r}: {answer}, not {matches}")
                counts["wrong"] += 1
    print(f"{n} expressions ({counts['large']} too large), {counts['yes']} matches, {counts['no']} others, "
          f"{counts['wrong']} wrong")
    return counts["wrong"] > 0 or counts["yes"] < int(n) or counts["no"] < int(n) or counts["large"] > int(n) / 20


sys.exit(main(*sys.argv[1:]))
