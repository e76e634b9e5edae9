#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""README's map names every folder of src and every protocol, and nothing that is not there; every protocol has its page;
the top level holds what it should."""
import pathlib
import re
import sys

TOP = {"CMakeLists.txt", "README.md", "src", "include", "proto", "conf", "tests", "tools", "contrib",
       "CMakePresets.json", "LICENSE", "CHANGELOG.md", "docs", "build"}


def main(root):
    root = pathlib.Path(root)
    problems = []
    readme = (root / "README.md").read_text()
    mapped = set(re.findall(r"^\s*((?:src|proto)/[a-z0-9_]+)/", readme, re.M))
    real = {f"src/{p.name}" for p in (root / "src").iterdir() if p.is_dir()}
    real |= {f"proto/{p.name}" for p in (root / "proto").iterdir() if p.is_dir()}
    problems += [f"README.md: the map lacks {name}/" for name in sorted(real - mapped)]
    problems += [f"README.md: the map names {name}/, which is not there" for name in sorted(mapped - real)]
    for folder in (p for p in (root / "proto").iterdir() if p.is_dir()):
        if not (folder / f"{folder.name}.md").is_file():
            problems.append(f"proto/{folder.name}: no {folder.name}.md that says what is parsed, what is refused and why")
    for entry in root.iterdir():
        if not entry.name.startswith(".") and entry.name not in TOP:
            problems.append(f"{entry.name}: does not belong at the top level")
    print("\n".join(problems) or "tree: as README.md says")
    return 1 if problems else 0


sys.exit(main(sys.argv[1]))
