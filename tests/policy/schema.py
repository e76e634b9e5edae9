#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""schema.py ROOT BRIDGEWARDEN: `policy schema` against the loader.

 - Every shipped policy and every good example of docs/policy.md is valid by the schema.
 - What is wrong in a way that a schema can see is refused by it.
 - It refuses nothing that the loader takes, be it an included file: examples with a key, a word or a value changed are shown to both.
 - What `policy print` writes of each example is valid, passes the same tests and prints the same again.
 - No key of the loader's tables is without a schema.
Exit status 77 where jsonschema or PyYAML is missing."""
import copy
import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile

try:
    import jsonschema
    import yaml
except ImportError as e:
    print(f"skipped: {e}")
    sys.exit(77)

WRONG = [
    "engine: {workers: 2}", "version: 2", "version: '1'", "version: 1\nruels: []", "version: 1\nmode: enforced", "version: 1\nrules: {}",
    "version: 1\ndefaults: {internal: maybe}", "version: 1\ndefaults: {unknown_identity: {hold: 5}}",
    "version: 1\ndefaults: {on_failure: {internal: shut}}", "version: 1\nengine: {workers: 17}",
    "version: 1\ndocker: {enabled: yes please}", "version: 1\nmanage: [blog]", "version: 1\nresponses: {}",
    "version: 1\nidentities: {a: blog}", "version: 1\ndefaults: {ringfence: stack}",
] + ["version: 1\nrules: [{" + r + "}]" for r in (
    "from: any, to: any, deny: true", "name: r, to: any, deny: true", "name: r, from: any, to: any",
    "name: r, from: any, to: any, allow: true, deny: true", "name: a b, from: any, to: any, deny: true",
    "name: r, from: inernet, to: any, deny: true", "name: r, from: 'contaner:x', to: any, deny: true",
    "name: r, from: 'fqdn:x', to: any, deny: true", "name: r, from: {any: [host]}, to: any, deny: true",
    "name: r, from: any, to: [], deny: true", "name: r, from: any, to: any, app: htpp, deny: true",
    "name: r, from: any, to: any, app: tcp, port: 0, deny: true", "name: r, from: any, to: any, app: ssh, allow: [{users: x}]",
    "name: r, from: any, to: any, allow: [{paths: /x}]", "name: r, from: any, to: any, app: http, allow: [{path: /x}]",
    "name: r, from: any, to: any, app: http, allow: [{}]", "name: r, from: any, to: any, app: http, allow: []",
    "name: r, from: any, to: any, app: http, allow: [{methods: []}]", "name: r, from: any, to: any, app: http, allow: false",
    "name: r, from: any, to: any, app: mysql, allow: [{verbs: reed}]", "name: r, from: any, to: any, app: mysql, tls: strip, allow: true",
    "name: r, from: any, to: any, deny: true, rate: {new: 5/s}", "name: r, from: any, to: any, deny: true, log: loud",
    "name: r, from: any, to: any, deny: true, expires: tomorrow", "name: r, from: any, to: any, deny: true, broad: maybe")]

RIGHT = ["version: 1\nidentities: {a: 'a@b/c'}", "version: 1\nrules: [{name: r, from: 'a@b/c@d', to: 'not:a@/b', deny: true}]"]
INCLUDED = ["{}", "mode: observe", "identities: {a: a/b}", "rules: [{name: r, from: a/b, to: any, deny: true}]\ntests: []"]


class Core(yaml.SafeLoader):
    """YAML 1.2's core types: no dates, `no` is a text."""


Core.yaml_implicit_resolvers = {}
for tag, pattern, first in (("null", r"~|null|Null|NULL|", "~nN\0"), ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
                            ("int", r"[-+]?[0-9]+|0x[0-9a-fA-F]+", "-+0123456789"),
                            ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789")):
    Core.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), list(first))


def good_texts(root):
    for path in sorted(root.glob("conf/*.yaml")) + sorted(root.glob("conf/examples/*.yaml")):
        yield str(path.relative_to(root)), path.read_text()
    page = (root / "docs/policy.md").read_text()
    for m in re.finditer(r"^```yaml\n(.*?)^```$", page, re.M | re.S):
        text = m.group(1)
        yield f"docs/policy.md:{page.count(chr(10), 0, m.start())}", text if "version:" in text else "version: 1\n" + text


def spots(value, at=()):
    """Every place in a document."""
    yield at
    kids = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, kid in kids:
        yield from spots(kid, at + (key,))


def change(dice, document):
    """One place changed: left out, doubled into a list, or another value put there."""
    document = copy.deepcopy(document)
    at = dice.choice([s for s in spots(document) if s])
    holder = document
    for step in at[:-1]:
        holder = holder[step]
    kind = dice.randrange(4)
    if kind == 0:
        del holder[at[-1]]
    elif kind == 1:
        holder[at[-1]] = [holder[at[-1]]]
    elif kind == 2:
        holder[at[-1]] = dice.choice([True, False, 1, 80, 1.3, "any", "host", "a/b", "none", "all", "SELECT", "200-299", "5s",
                                      "64MiB", "log", "enforce", "allow", ["any"], {"not": "any"}, [{"unparsed": "allow"}], {}])
    elif isinstance(holder[at[-1]], str):
        holder[at[-1]] = holder[at[-1]].swapcase()
    return document


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def check_print(command, folder, name, text, validator):
    """Problems of what is printed."""
    first, second = pathlib.Path(folder) / "first.yaml", pathlib.Path(folder) / "second.yaml"
    first.write_text(text)
    printed = run(command, "policy", "print", first)
    second.write_text(printed.stdout)
    again = run(command, "policy", "print", second)
    tests = [run(command, "policy", "test", f).stdout.replace(str(f), "") for f in (first, second)]
    if printed.returncode or again.returncode or printed.stdout != again.stdout:
        yield f"{name}: does not print the same again: {again.stderr}"
    if tests[0] != tests[1] or " 0 failed" not in tests[1]:
        yield f"{name}: its tests go another way when it is printed: {tests}"
    for e in validator.iter_errors(yaml.load(printed.stdout, Core)):
        yield f"{name}, printed: {e.json_path}: {e.message[:200]}"


def accepted(command, folder, document):
    path = pathlib.Path(folder) / "p.yaml"
    path.write_text(json.dumps(document))
    return subprocess.run([command, "policy", "check", path], capture_output=True, timeout=60).returncode == 0


def main(root, command):
    root, problems = pathlib.Path(root), []
    text = subprocess.run([command, "policy", "schema"], capture_output=True, text=True, timeout=60, check=True).stdout
    if "nothing is known" in text:
        problems.append("a key of the loader's tables has no schema")
    schema = json.loads(text)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    goods = [(name, yaml.load(body, Core)) for name, body in good_texts(root)]
    for name, document in goods:
        problems += [f"{name}: {e.json_path}: {e.message[:200]}" for e in validator.iter_errors(document)]
    for wrong in WRONG:
        if validator.is_valid(yaml.load(wrong, Core)):
            problems.append(f"valid by the schema, but wrong: {wrong}")
    dice, taken, refused = random.Random(5), 0, 0
    with tempfile.TemporaryDirectory(prefix="bw-schema-") as folder:
        for name, body in good_texts(root):
            problems += check_print(command, folder, name, body, validator)
        for wrong in WRONG:
            if accepted(command, folder, yaml.load(wrong, Core)):
                problems.append(f"is not wrong for the loader: {wrong}")
        for right in RIGHT:
            problems += [f"refused by the schema: {right}"] * (not validator.is_valid(yaml.load(right, Core)))
            problems += [f"is not right for the loader: {right}"] * (not accepted(command, folder, yaml.load(right, Core)))
        for section in INCLUDED:
            problems += [f"refused by the schema: {section}"] * (not validator.is_valid(yaml.load(section, Core)))
            (pathlib.Path(folder) / "section.yaml").write_text(section)
            if not accepted(command, folder, {"version": 1, "include": "section.yaml"}):
                problems.append(f"not taken when it is included: {section}")
        for _ in range(400):
            name, document = dice.choice(goods)
            document = change(dice, document)
            if validator.is_valid(document):
                taken += 1
                continue
            refused += 1
            if accepted(command, folder, document):
                error = next(validator.iter_errors(document))
                problems.append(f"{name}, changed: the loader takes it, the schema says {error.json_path}: {error.message[:300]}")
    if taken < 50 or refused < 50:
        problems.append(f"the changes tell nothing: {taken} valid, {refused} not")
    print("\n".join(problems) or f"schema: {len(goods)} good files, {len(WRONG)} wrong ones, {taken + refused} changed ones "
          f"({refused} not valid)")
    return 1 if problems else 0


sys.exit(main(*sys.argv[1:3]))
