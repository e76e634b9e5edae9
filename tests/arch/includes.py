#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may include whom. A folder's headers may be included only by the folders listed here; the rest of the design
(hostile bytes never meet docker.sock, policy knows no protocol, only capture knows netlink queues) follows from it."""
import pathlib
import re
import sys

MAY_INCLUDE = {
    "proto": set(),
    "base": set(),
    "packet": {"base"},
    "stream": {"base", "packet"},
    "flow": {"base", "packet", "stream"},
    "identity": {"base"},
    "policy": {"base", "identity"},
    "inspect": {"base", "flow", "stream", "policy"},
    "capture": {"base", "packet"},
    "engine": {"base", "packet", "stream", "flow", "inspect", "capture"},
    "docker": {"base", "identity"},
    "firewall": {"base"},
    "output": {"base"},
    "control": {"base", "engine", "capture", "flow", "policy", "identity", "docker", "firewall", "output"},
    "cli": {"base", "engine", "capture", "flow", "policy", "identity", "output", "control"},
}
SYSTEM_OWNERS = {
    "libnetfilter_queue/": {"capture"},
    "linux/netfilter/nfnetlink_queue.h": {"capture"},
    "pcap/": {"capture"},
    "curl/": {"docker"},
    "seccomp.h": {"engine"},
    "yaml.h": {"policy", "identity"},
}


def check_file(path, folder, names, problems):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        quoted = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        system = re.match(r"\s*#\s*include\s+<([^>]+)>", line)
        if quoted and "/" in quoted.group(1):
            target = quoted.group(1).split("/")[0]
            if target in names and target != folder and target not in MAY_INCLUDE[folder]:
                problems.append(f"{path}:{number}: {folder}/ must not include {quoted.group(1)}")
        if system:
            for prefix, owners in SYSTEM_OWNERS.items():
                if system.group(1).startswith(prefix) and folder not in owners:
                    problems.append(f"{path}:{number}: only {', '.join(sorted(owners))} may know <{prefix}>")


def main(root):
    root = pathlib.Path(root)
    problems = []
    folders = {p.name: p for p in (root / "src").iterdir() if p.is_dir()}
    folders["proto"] = root / "proto"
    for folder in sorted(folders):
        if folder not in MAY_INCLUDE:
            problems.append(f"src/{folder}: a new folder; say in {__file__} whom it may include")
            continue
        for path in sorted(folders[folder].rglob("*.[ch]")):
            check_file(path, folder, set(MAY_INCLUDE) - {"proto"}, problems)
    print("\n".join(problems) or f"includes: {len(folders)} folders, all as designed")
    return 1 if problems else 0


sys.exit(main(sys.argv[1]))
