#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""docs.py ROOT BRIDGEWARDEN BRIDGEWARDEND: the documentation and the program say the same.

 - Each ```yaml block of README.md and docs/ is loaded and its tests run; "```yaml wrong" must be refused with the words
   of the ```text block behind it; "```yaml inventory" must be read as one.
 - Each key of the loader's tables, each constraint of each protocol, each counter, reason, record key, command and
   option stands in a table of its page, and nothing stands there that the program does not know.
 - Each command line in a ```sh block, and each in backquotes, names commands and options that exist.
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

PROBLEMS = []
TYPE_ERROR = "[[]]"  # of no type that any key takes: a key that exists complains about its value


def problem(text):
    PROBLEMS.append(text)


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def compare(page, what, documented, real):
    for name in sorted(real - documented):
        problem(f"{page}: {what} `{name}` is not documented")
    for name in sorted(documented - real):
        problem(f"{page}: {what} `{name}` does not exist")


# ---- pages ----

def blocks(text):
    """(info string, body, line) of each fenced block."""
    for m in re.finditer(r"^```([^\n]*)\n(.*?)^```$", text, re.M | re.S):
        yield m.group(1).strip(), m.group(2), text.count("\n", 0, m.start()) + 1


def section(text, title):
    """What stands under a heading, up to the next one of the same or a higher level."""
    m = re.search(rf"^(#+) {re.escape(title)}$", text, re.M)
    if not m:
        problem(f"no section '{title}'")
        return ""
    rest = text[m.end():]
    end = re.search(rf"^#{{1,{len(m.group(1))}}} ", rest, re.M)
    return rest[:end.start()] if end else rest


def first_cells(text):
    """The names in backquotes in the first cell of each row of each table."""
    names = set()
    for m in re.finditer(r"^\| ([^|]*) \|", text, re.M):
        names |= set(re.findall(r"`([^`]+)`", m.group(1)))
    return names


# ---- the loader's tables ----

def key_tables(*paths):
    tables = {}
    for path in paths:
        for m in re.finditer(r"struct key (\w+)\[\] = \{(.*?)\n\};", path.read_text(), re.S):
            rows = re.findall(r'\{"(\w+)",\s*(KEY_\w+),(.*?)\}', m.group(2), re.S)
            tables[m.group(1)] = [(name, kind, re.findall(r"\b(\w+_keys)\b", rest)) for name, kind, rest in rows]
    return tables


def settings(tables):
    real, missing = set(), set()

    def walk(table, prefix):
        for name, kind, inner in tables[table]:
            path = f"{prefix}{name}"
            (missing if kind == "KEY_MISSING" else real).add(path)
            if name == "on_failure":
                inner = ["on_failure_keys"]
            for sub in inner:
                walk(sub, path + ".")

    walk("file_keys", "")
    walk("config_keys", "")
    return real | {"manage.interfaces"}, missing


# ---- checks ----

class Program:
    def __init__(self, root, command, daemon):
        self.root, self.command, self.daemon = root, command, daemon
        self.folder = tempfile.TemporaryDirectory(prefix="bw-docs-")

    def write(self, name, text):
        path = pathlib.Path(self.folder.name) / name
        path.write_text(text)
        return str(path)

    def load(self, text, verb="check"):
        return run(self.command, "policy", verb, self.write("x.yaml", text))


def whole(text):
    return text if text.lstrip().startswith(("version:", "#")) and "version:" in text else "version: 1\n" + text


def check_yaml(p, page, text):
    expected = None
    for info, body, line in blocks(text):
        at = f"{page}:{line}"
        if info == "text" and expected:
            if body.strip() not in expected.replace(p.folder.name + "/", ""):
                problem(f"{at}: the error is another one:\n{expected}")
        expected = None
        if info == "yaml":
            code, out = p.load(whole(body), "test")
            if code or "warning:" in out:
                problem(f"{at}: does not hold, or not without a warning:\n{out}")
        elif info == "yaml wrong":
            code, expected = p.load(whole(body))
            if not code:
                problem(f"{at}: is accepted")
        elif info == "yaml inventory":
            p.write("inventory.yaml", body)
            code, out = p.load("version: 1\ninventory: inventory.yaml\ntests: ['any -> internet = deny']\n", "test")
            if code:
                problem(f"{at}: is not read:\n{out}")
        elif info == "json":
            json.loads(body)


def probe(path, rule=False):
    """A file in which only the value of this key is wrong."""
    if rule:
        return f"version: 1\nrules:\n- {{{path}: {TYPE_ERROR}}}\n"
    text = TYPE_ERROR
    for name in reversed(path.split(".")):
        text = f"{{{name}: {text}}}"
    return text if path.startswith("version") else "version: 1\n" + text[1:-1] + "\n"


def check_keys(p, page, text):
    tables = key_tables(*(p.root / "src/policy" / f for f in ("load.c", "config.c", "rules.c")))
    real, missing = settings(tables)
    documented = {n for n in first_cells(section(text, "Settings")) if re.fullmatch(r"[a-z_.]+", n)}
    compare(page, "the setting", documented, real)
    rule_real = {n for n, kind, _ in tables["rule_keys"] if kind != "KEY_MISSING"}
    missing |= {n for n, kind, _ in tables["rule_keys"] if kind == "KEY_MISSING"}
    rule_section = section(text, "Rules")
    rule_documented = first_cells(rule_section.split("### Items")[0])
    compare(page, "the rule's key", rule_documented, rule_real)
    for name in missing:
        if f"`{name}`" not in rule_section:
            problem(f"{page}: `{name}` is missing from what this version lacks")
    for path, rule in [(n, False) for n in documented] + [(n, True) for n in rule_documented]:
        out = p.load(probe(path, rule))[1]
        if "has no key" in out or "not supported" in out:
            problem(f"{page}: the program does not know `{path}`: {out}")


def apps_of(p):
    table = (p.root / "proto/table.c").read_text()
    return re.findall(r"&(\w+)_dissector", table)


def check_constraints(p, page, text):
    documented = {}
    for app, name in re.findall(r"^\| (\w+) \| `(\w+)` \|", section(text, "Items"), re.M):
        documented.setdefault(app, set()).add(name)
    for app in apps_of(p):
        out = p.load(f"version: 1\nrules: [{{name: a, from: any, to: any, app: {app}, allow: [{{nonsense: x}}]}}]\n")[1]
        listed = re.search(r"`nonsense`: \w+ has (.*)", out)
        if listed:
            real = set(listed.group(1).split(", "))
            compare(page, f"{app}'s constraint", documented.get(app, set()) | documented["all"], real)
        elif app in documented or "has no requests to constrain" not in out:
            problem(f"{page}: `{app}` should have constraints: {out}")
        if f"`{app}`" not in section(text, "Rules"):
            problem(f"{page}: app `{app}` is not documented")


def field_names(path):
    source = "\n".join(f.read_text() for f in sorted(path.glob("*.c")))
    tables = re.findall(r"struct dis_field \w+\[[^\]]*\] = \{(.*?)\n\};", source, re.S)
    return set(re.findall(r'\.name = "(\w+)"', "\n".join(tables)))


def check_records(p, page, text):
    for app in apps_of(p):
        m = re.search(rf"^\| `{app}` [^|]*\| (.*) \|$", text, re.M)
        documented = set(re.findall(r"`(\w+)`", m.group(1))) if m else set()
        compare(page, f"{app}'s field", documented, field_names(p.root / "proto" / app))
    known = {part for name in first_cells(text) for part in name.split(".")}
    known |= {name for m in re.finditer(r"list of (.*)", text) for name in re.findall(r"`(\w+)`", m.group(1))}
    for source in ("src/output/eve.c", "src/control/records.c"):
        code = (p.root / source).read_text()
        for key in re.findall(r'(?:put|put_time|eve_put_text)\(\w+, "(\w+)"', code):
            if key not in known:
                problem(f"{page}: the key `{key}` of {source} is not documented")
    for info, body, line in blocks(text):
        if info == "json":
            check_example(page, line, json.loads(body), known, apps_of(p))
    reasons = set(re.findall(r'reason\([A-Z_]+, "([a-z-]+)"', (p.root / "include/bridgewarden/verdict.h").read_text()))
    compare(page, "the reason", first_cells(section(text, "Reasons")), reasons)


def check_example(page, line, record, known, apps):
    for key, value in record.items():
        if key not in known and key not in apps:
            problem(f"{page}:{line}: `{key}` is in no table")
        if isinstance(value, dict) and key not in apps:
            check_example(page, line, value, known, apps)


def check_operations(p, page, text):
    counters = set(re.findall(r'counter\([A-Z_]+, "(\w+)"', (p.root / "include/bridgewarden/shared.h").read_text()))
    compare(page, "the counter", first_cells(section(text, "Counters")), counters)
    commands = section(text, "Commands")
    listed = set(re.findall(r"^\| `bridgewarden (\w+)`", commands, re.M))
    source = (p.root / "src/command.c").read_text()
    real = {n for n, f in re.findall(r'\{"(\w+)",\s*(\w+)\}', source) if f != "NULL"}
    compare(page, "the command", listed, real)
    for name in sorted(real):
        row = re.search(rf"^\| `bridgewarden {name}` \| ([^|]*)\|", commands, re.M)
        documented = set(re.findall(r"--[a-z-]+", row.group(1))) if row else set()
        code = (p.root / "src/cli" / f"{name}.c").read_text()
        compare(page, f"the option of {name}", documented, set(re.findall(r'\{"(--[a-z-]+)", (?:true|false)\}', code)))
        check_help(p, name, documented)
    daemon = set(re.findall(r'\{"(--[a-z-]+)", (?:true|false)\}', (p.root / "src/control/options.c").read_text()))
    documented = set(re.findall(r"^\| `(--[a-z-]+)", commands, re.M)) | {"--help", "--version"}
    compare(page, "the daemon's option", documented, daemon)


def check_help(p, name, options):
    completion = (p.root / "contrib/completions/bridgewarden.bash").read_text()
    code, text = run(p.command, "help", name)
    short = run(p.command, "--help")[1]
    for option in options:
        if option not in text:
            problem(f"bridgewarden help {name}: says nothing of {option}")
        if option not in completion:
            problem(f"contrib/completions: {name} {option} is missing")
    if code or f"  {name} " not in short or name not in completion:
        problem(f"{name}: not in the help, or not in the completion")


def command_lines(text):
    for info, body, line in blocks(text):
        if info == "sh":
            for n, command in enumerate(body.splitlines()):
                yield re.split(r"\s#\s", command)[0], line + n + 1
    for m in re.finditer(r"`(bridgewardend? [^`]+)`", text):
        yield m.group(1), text.count("\n", 0, m.start()) + 1


def check_commands(p, page, text):
    for command, line in command_lines(text):
        for word, rest in re.findall(r"\b(bridgewardend?) +([^&|;]*)", command):
            options = set(re.findall(r"(?<!\S)\[?(--[a-z-]+)", rest))
            if word == "bridgewardend":
                known = run(p.daemon, "--help")[1]
            else:
                first = re.match(r"[a-z]+", rest)
                code, known = run(p.command, "help", first.group(0)) if first else run(p.command, "--help")
                if first and code and first.group(0) != "help":
                    problem(f"{page}:{line}: there is no `bridgewarden {first.group(0)}`")
            for option in options:
                if option not in known + "--help --version --runtime-dir":
                    problem(f"{page}:{line}: {word} has no {option}")


def check_links(root, page, text):
    for target in re.findall(r"\]\(([^)#:]+)[^):]*\)", text):
        if not (root / page).parent.joinpath(target).exists():
            problem(f"{page}: links to {target}, which is not there")


def main(root, command, daemon):
    p = Program(pathlib.Path(root), command, daemon)
    pages = ["README.md"] + sorted(f"docs/{f.name}" for f in (p.root / "docs").glob("*.md"))
    for page in pages:
        text = (p.root / page).read_text()
        check_yaml(p, page, text)
        check_commands(p, page, text)
        check_links(p.root, page, text)
    for page, checks in (("docs/policy.md", (check_keys, check_constraints)), ("docs/records.md", (check_records,)),
                         ("docs/operations.md", (check_operations,))):
        text = (p.root / page).read_text()
        for check in checks:
            check(p, page, text)
    print("\n".join(PROBLEMS) or f"docs: {len(pages)} pages say what the program does")
    return 1 if PROBLEMS else 0


sys.exit(main(*sys.argv[1:4]))
