# SPDX-License-Identifier: GPL-2.0-or-later
"""The places of the test, as network namespaces that end with this process, and the daemon.

	client 198.18.9.2 --.
	server 198.18.9.3 --+-- br0 198.18.9.1 [bridgewardend]
	liar   198.18.9.4 --'

IPv6: fd00:9:: with the same last numbers. Nothing outside of these namespaces is touched. Every process is a child
that the kernel ends with this one. No names of processes, only children.
"""
import atexit
import ctypes
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SKIPPED = 77
ADDRESSES = {
    "client": {4: "198.18.9.2", 6: "fd00:9::2"},
    "server": {4: "198.18.9.3", 6: "fd00:9::3"},
    "liar": {4: "198.18.9.4", 6: "fd00:9::4"},
}
CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)

POLICY = """\
version: 1
mode: enforce
manage: {interfaces: [br0]}
docker: {enabled: false}
inventory: inventory.yaml
engine: {workers: 2, hold_timeout: 3s, silent_timeout: %(silent)s}
rules:
- {name: web, from: container:client, to: any, app: http, port: 80,
   allow: [{methods: [GET, HEAD, POST], paths: ["/**"]}]}
- {name: sealed, from: container:client, to: any, app: tls, port: 443, allow: [{sni: [ok.example]}]}
- {name: cache, from: container:client, to: any, app: redis, port: 6379,
   allow: [{commands: ["@connection", get, set, command, "config|get"], keys: ["*"]}]}
- {name: pg, from: container:client, to: any, app: postgres, port: 5432,
   allow: [{users: [app], databases: [shop], verbs: [read, write]}]}
- {name: db, from: container:client, to: any, app: mysql, port: 3306, allow: [{users: [app], verbs: [read, write]}]}
- {name: names, from: container:client, to: any, app: dns, port: 53, allow: [{names: ["*.test"]}]}
"""

POLICY_ANY = POLICY[:POLICY.index("rules:")] + """\
rules:
- {name: whatever, from: container:client, to: any, app: any, allow: true}
"""

LINKS = """\
link set lo up
link add br0 address 02:00:00:00:09:01 type bridge
link set br0 up
addr add 198.18.9.1/24 dev br0
addr add fd00:9::1/64 dev br0 nodad
"""
GATE_SWITCHES = ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
                 "net.bridge.bridge-nf-call-iptables=0", "net.bridge.bridge-nf-call-ip6tables=0")
# Thousands of connections a second from one address: ports come back at once.
MEMBER_SWITCHES = ("net.ipv4.tcp_tw_reuse=1", "net.ipv4.ip_local_port_range=32768 65000", "net.core.somaxconn=4096",
                   "net.ipv4.tcp_max_syn_backlog=4096", "net.ipv6.conf.all.router_solicitations=0")


def skip(why):
    print(f"skipped: {why}", file=sys.stderr)
    sys.exit(SKIPPED)


def need(*tools):
    if os.geteuid() != 0:
        skip("needs root (network namespaces)")
    for tool in ("ip", "nsenter", "unshare", "setpriv", "iptables", "ip6tables", *tools):
        if not shutil.which(tool):
            skip(f"needs '{tool}'; 'tools/setup test' installs it")


class World:
    def __init__(self, build, keep=False, silent="4s", policy=POLICY):
        self.build, self.keep = pathlib.Path(build).resolve(), keep
        for program in ("bridgewardend", "bridgewarden"):
            if not (self.build / program).is_file():
                skip(f"no {program} in {self.build}; --build says where")
        self.children, self.holders, self.daemon = [], {}, None
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="bw-matrix-"))
        self.dir.chmod(0o755)
        self.eve = self.dir / "eve.json"
        atexit.register(self.down)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: sys.exit(130))
        (self.dir / "policy.yaml").write_text(policy % {"silent": silent})
        self.write_inventory()
        for place in ("gate", *ADDRESSES):
            self.make_place(place)
        self.link()

    # ---- processes

    def spawn(self, command, place=None, log="log", **more):
        into = ["nsenter", f"--net=/proc/{self.holders[place]}/ns/net", "--"] if place else []
        with open(self.dir / log, "ab") as out:
            child = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *into, *command], stdin=subprocess.DEVNULL,
                                     stdout=out, stderr=out, start_new_session=True, **more)
        self.children.append(child)
        return child

    def run(self, place, *command, text=None):
        """The output of a command in that place; an error ends the test."""
        into = ["nsenter", f"--net=/proc/{self.holders[place]}/ns/net", "--"]
        done = subprocess.run([*into, *command], input=text, text=True, capture_output=True, timeout=60, check=False)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def enter(self, place):
        """New sockets of this thread are of that place."""
        with open(f"/proc/{self.holders[place]}/ns/net", "rb") as ns:
            if LIBC.setns(ns.fileno(), CLONE_NEWNET) != 0:
                sys.exit(f"setns: {os.strerror(ctypes.get_errno())}")

    # ---- network

    def make_place(self, place):
        child = self.spawn(["unshare", "--net", "sleep", "900"], log="holders")
        own, path = os.readlink("/proc/self/ns/net"), f"/proc/{child.pid}/ns/net"
        for _ in range(200):
            if os.path.exists(path) and os.readlink(path) != own:
                self.holders[place] = child.pid
                return
            time.sleep(0.02)
        sys.exit("no network namespace")

    def link(self):
        self.run("gate", "ip", "-batch", "-", text=LINKS)
        self.run("gate", "sysctl", "-qw", *GATE_SWITCHES)
        for place, of in ADDRESSES.items():
            mac = f"02:00:00:00:09:0{of[4][-1]}"
            self.run("gate", "ip", "-batch", "-", text=f"""\
link add {place}0 type veth peer name eth0 address {mac} netns {self.holders[place]}
link set {place}0 master br0 up
""")
            self.run(place, "ip", "-batch", "-", text=f"""\
link set lo up
link set eth0 up
addr add {of[4]}/24 dev eth0
addr add {of[6]}/64 dev eth0 nodad
""")
            self.run(place, "sysctl", "-qw", *MEMBER_SWITCHES)
        for place in ("gate", *ADDRESSES):
            self.introduce(place)

    def introduce(self, place):
        """Who is where, so that the first second is like all others."""
        link = "br0" if place == "gate" else "eth0"
        macs = {"gate": {4: "198.18.9.1", 6: "fd00:9::1"}, **ADDRESSES}
        self.run(place, "ip", "-batch", "-", text="".join(
            f"neigh replace {of[f]} lladdr 02:00:00:00:09:0{of[4][-1]} dev {link} nud permanent\n"
            for name, of in macs.items() if name != place for f in (4, 6)))

    def write_inventory(self):
        lines = ["endpoints:"]
        for place, of in ADDRESSES.items():
            lines.append(f'- {{ips: [{of[4]}, "{of[6]}"], container: {place}, mac: "02:00:00:00:09:0{of[4][-1]}"}}')
        lines += ["networks:", '- {name: lab, bridge: br0, subnets: [198.18.9.0/24, "fd00:9::/64"], '
                  'gateways: [198.18.9.1, "fd00:9::1"]}']
        (self.dir / "inventory.yaml").write_text("\n".join(lines) + "\n")

    # ---- the daemon

    def start_daemon(self):
        self.daemon = self.spawn([str(self.build / "bridgewardend"), "--config", str(self.dir / "policy.yaml"),
                                  "--runtime-dir", str(self.dir / "run"), "--eve", str(self.eve)], "gate", "daemon.log")
        for _ in range(300):
            if self.daemon.poll() is not None:
                break
            if self.status().get("ready"):
                return
            time.sleep(0.05)
        sys.exit(f"bridgewardend did not start: {(self.dir / 'daemon.log').read_text()[-600:]}")

    def status(self):
        command = ["nsenter", f"--net=/proc/{self.holders['gate']}/ns/net", "--", str(self.build / "bridgewarden"),
                   "--runtime-dir", str(self.dir / "run"), "status", "-o", "json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        try:
            return json.loads(done.stdout.splitlines()[0])
        except (IndexError, ValueError):
            return {}

    def down(self):
        atexit.unregister(self.down)
        for child in reversed(self.children):
            if child.poll() is None:
                child.terminate()
                try:
                    child.wait(8)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()
        if self.keep:
            print(f"records and logs: {self.dir}", file=sys.stderr)
        else:
            shutil.rmtree(self.dir, ignore_errors=True)


class Records:
    """What is on disk, with the time at which it was seen there."""

    def __init__(self, path):
        self.path, self.at, self.rest = path, 0, b""

    def fresh(self):
        try:
            with open(self.path, "rb") as file:
                file.seek(self.at)
                data = file.read()
        except FileNotFoundError:
            return []
        self.at += len(data)
        *lines, self.rest = (self.rest + data).split(b"\n")
        return [json.loads(line) for line in lines if line]
