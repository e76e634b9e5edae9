#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Real servers and clients behind the daemon (NFQUEUE on a bridge between network namespaces, as tests/matrix has it).

Each protocol twice: on a port where a rule names it, the client gets its answer and no violation is recorded; on a port where
a rule names another, the server of the wrong protocol stays unheard or the client's words unread, and the violation names what was found.

    sudo tests/identify/lab.py --build DIR        77: not root, or nothing to test with
"""
import argparse
import json
import pathlib
import shutil
import smtplib
import socket
import ssl
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "matrix"))
from world import ADDRESSES, World, need  # noqa: E402

SERVER = ADDRESSES["server"][4]
NAME = "mail.example.org"
WRONG = 10000  # the same server once more, on a port whose rule names something else
HEAD = """\
version: 1
mode: enforce
manage: {interfaces: [br0]}
docker: {enabled: false}
inventory: inventory.yaml
engine: {workers: 2, hold_timeout: 3s, silent_timeout: %(silent)s}
rules:
"""


class Refused(Exception):
    pass


def talk(port, words, expect):
    """Says the words and wants an answer that begins so; a server that speaks first is waited for where words are None."""
    with socket.create_connection((SERVER, port), timeout=5) as s:
        if words:
            s.sendall(words)
        got = s.recv(4096)
        if not got.startswith(expect):
            raise Refused(got)


def tool(*command):
    done = subprocess.run(command, capture_output=True, timeout=20, check=False)
    if done.returncode or not done.stdout + done.stderr:
        raise Refused(done.stderr)
    return done.stdout


def ssh(port):
    if b"ssh-" not in tool("ssh-keyscan", "-T", "4", "-p", str(port), SERVER):
        raise Refused("no key")


def smtp(port):
    """In clear, then in TLS."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with smtplib.SMTP(SERVER, port, timeout=5) as client:
        client._host = NAME  # whom starttls() asks for
        client.starttls(context=context)
        if client.ehlo()[0] != 250:
            raise Refused("no answer within tls")


def aiosmtpd_command(world, port):
    key, cert = world.dir / "key.pem", world.dir / "cert.pem"
    if not cert.exists():
        tool("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={NAME}", "-days", "2", "-keyout", str(key), "-out",
             str(cert))
    return ["aiosmtpd", "-n", "-l", f"0.0.0.0:{port}", "--tlscert", str(cert), "--tlskey", str(key), "--no-requiretls"]


def nats(port):
    with socket.create_connection((SERVER, port), timeout=5) as s:
        if not s.recv(4096).startswith(b"INFO "):
            raise Refused("no greeting")
        s.sendall(b'CONNECT {"verbose":false}\r\nPING\r\n')
        if not s.recv(4096).startswith(b"PONG"):
            raise Refused("no pong")


def sshd_command(world, port):
    key = world.dir / "ssh_key"
    if not key.exists():
        tool("ssh-keygen", "-t", "ed25519", "-N", "", "-f", str(key))
        pathlib.Path("/run/sshd").mkdir(exist_ok=True)
    return [shutil.which("sshd"), "-D", "-e", "-f", "/dev/null", "-h", str(key), "-p", str(port), "-o", "PidFile=none"]


def mosquitto_command(world, port):
    conf = world.dir / f"mosquitto-{port}.conf"
    conf.write_text(f"listener {port}\nallow_anonymous true\n", encoding="utf-8")
    return ["mosquitto", "-c", str(conf)]


def snmpd_command(world, port):
    conf = world.dir / "snmpd.conf"
    conf.write_text("rocommunity public\n", encoding="utf-8")
    return ["snmpd", "-f", "-Lo", "-C", "-c", str(conf), "-p", str(world.dir / f"snmpd-{port}"), f"udp:{port}"]


# Program that must be there, port, the server's command, the client; rule on the wrong port.
PROTOCOLS = {
    "ssh": ("sshd", 22, sshd_command, ssh, "smtp"),
    "smtp": ("aiosmtpd", 25, aiosmtpd_command, smtp, "imap"),
    "nats": ("nats-server", 4222, lambda w, p: ["nats-server", "-a", "0.0.0.0", "-p", str(p)], nats, "ssh"),
    "memcached": ("memcached", 11211, lambda w, p: ["memcached", "-u", "nobody", "-l", "0.0.0.0", "-p", str(p), "-U", "0"],
                  lambda p: talk(p, b"set a 0 60 1\r\nx\r\n", b"STORED"), "redis"),
    "mqtt": ("mosquitto", 1883, mosquitto_command,
             lambda p: tool("mosquitto_pub", "-d", "-h", SERVER, "-p", str(p), "-t", "a", "-m", "b"), "amqp"),
    "snmp": ("snmpd", 161, snmpd_command,
             lambda p: tool("snmpget", "-v2c", "-c", "public", "-t", "1", "-r", "1", f"{SERVER}:{p}", "1.3.6.1.2.1.1.1.0"), "ntp"),
}


def rules(names):
    lines = []
    for name in names:
        _, port, _, _, other = PROTOCOLS[name]
        for app, at in ((name, port), (other, port + WRONG)):
            lines.append(f"- {{name: {app}-{at}, from: container:client, to: container:server, app: {app}, port: {at}, "
                         "allow: true, log: all}")
    lines.append("- {name: plain, from: container:client, to: container:liar, app: mqtt, port: 1884, allow: true}")
    return "\n".join(lines) + "\n"


def wait_for(world, name, port):
    listen = "u" if name == "snmp" else "t"
    for _ in range(100):
        if f":{port} " in world.run("server", "ss", f"-{listen}lnH"):
            return
        time.sleep(0.1)
    sys.exit(f"{name} does not listen on {port}: {(world.dir / f'{name}-{port}.log').read_text(errors='replace')[-500:]}")


def records(world, port):
    lines = world.eve.read_text(encoding="utf-8").splitlines() if world.eve.exists() else ()
    return [r for r in map(json.loads, lines) if r.get("dest_port") == port]


def attempt(client, port):
    try:
        client(port)
        return True
    except (OSError, Refused, smtplib.SMTPException, subprocess.TimeoutExpired):
        return False


def violations(world, port):
    for _ in range(50):
        found = [r for r in records(world, port) if r["event_type"] == "violation"]
        if found:
            return found
        time.sleep(0.1)
    return []


def try_right(world, name, port, client):
    if not attempt(client, port):
        return f"{name}: the right client on port {port} was not served: {violations(world, port)[:1]}"
    time.sleep(0.5)
    found = [r for r in records(world, port) if r["event_type"] == "violation"]
    named = any(r.get("app_proto") == name for r in records(world, port))
    if name == "smtp" and not any(r.get("smtp", {}).get("opaque") == "tls" and r["smtp"].get("sni") == NAME for r in records(world, port)):
        return f"smtp: no record of its turn to tls: {records(world, port)}"
    return f"{name}: {found[:1]}" if found else None if named else f"{name}: no record has its name"


def try_wrong(world, name, port, client):
    if attempt(client, port):
        return f"{name}: was served on port {port}, where the rule names another"
    found = violations(world, port)
    names = {r["violation"].get("found") for r in found}
    reasons = {r["reason"] for r in found}
    return None if name in names and reasons == {"wrong-protocol"} else f"{name} on port {port}: found {names} {reasons}"


def try_liar(world):
    """A plain allow: what says MQTT and is answered in HTTP does not hear the answer."""
    with socket.create_connection((ADDRESSES["liar"][4], 1884), timeout=5) as s:
        s.sendall(b"\x10\x0d\0\4MQTT\4\2\0\x3c\0\1a")
        try:
            got = s.recv(100)
        except OSError:
            got = b""
    found = [r for r in violations(world, 1884) if r["dest_ip"] == ADDRESSES["liar"][4]]
    return None if not got and found else f"a lying server was heard: {got} {found}"


LIAR = """
import socket
listener = socket.create_server(("", 1884))
while True:
    s, _ = listener.accept()
    s.recv(100)
    s.sendall(b"HTTP/1.1 200 OK\\r\\n\\r\\n")
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    options = parser.parse_args()
    need("ss", "nsenter")
    names = [n for n, (program, *_) in PROTOCOLS.items() if shutil.which(program)]
    missing = sorted(set(PROTOCOLS) - set(names))
    if not names:
        print("skipped: none of the servers is installed", file=sys.stderr)
        return 77
    world = World(options.build, policy=HEAD + rules(names), silent="10s")
    for name in names:
        _, port, command, _, _ = PROTOCOLS[name]
        for at in (port, port + WRONG):
            world.spawn(command(world, at), "server", f"{name}-{at}.log")
            wait_for(world, name, at)
    world.spawn(["python3", "-c", LIAR], "liar")
    world.start_daemon()
    world.enter("client")
    problems = [try_liar(world)]
    for name in names:
        _, port, _, client, _ = PROTOCOLS[name]
        problems += [try_right(world, name, port, client), try_wrong(world, name, port + WRONG, client)]
    problems = [p for p in problems if p]
    print("\n".join(problems + [f"{', '.join(names)}: {2 * len(names) + 1 - len(problems)} of {2 * len(names) + 1} as they should be; "
                                f"not installed: {', '.join(missing) or 'none'}"]))
    world.down()
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
