#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Real servers that turn to TLS, a real client (openssl s_client), and bw-judge between them.

What the dissector lets pass goes on, what it holds waits. Wanted of each protocol: the handshake ends, and the last event is `tls`
with the name that the client asked for. Then, of each, a client that says a command behind its question for TLS in the same breath:
the question must not come through whole.

    starttls.py --build DIR        77: not root, or none of the servers is installed
"""
import argparse
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

from judge import Judge, texts

HOST, NAME = "198.18.9.2", "mail.example.org"
SKIPPED = 77


def server_smtp(lab, port):
    return [shutil.which("aiosmtpd"), "-n", "-l", f"{HOST}:{port}", "--tlscert", lab.cert, "--tlskey", lab.key, "--no-requiretls"]


def server_nats(lab, port):
    return ["nats-server", "-a", HOST, "-p", str(port), "--tls", "--tlscert", lab.cert, "--tlskey", lab.key]


def server_ftp(lab, port):
    conf = lab.dir / "vsftpd.conf"
    empty = lab.dir / "empty"
    empty.mkdir()
    conf.write_text(f"listen=YES\nlisten_address={HOST}\nlisten_port={port}\nbackground=NO\nanonymous_enable=YES\nssl_enable=YES\n"
                    f"rsa_cert_file={lab.cert}\nrsa_private_key_file={lab.key}\nsecure_chroot_dir={empty}\nanon_root={empty}\n"
                    "allow_anon_ssl=YES\nseccomp_sandbox=NO\n", encoding="utf-8")
    return ["vsftpd", str(conf)]


def server_dovecot(lab, port):
    """IMAP on this port, POP3 on the next."""
    me = pwd.getpwuid(os.getuid()).pw_name
    conf = lab.dir / "dovecot.conf"
    conf.write_text(f"""\
base_dir = {lab.dir}/dovecot
state_dir = {lab.dir}/dovecot-state
log_path = {lab.dir}/dovecot.log
listen = {HOST}
protocols = imap pop3
ssl = yes
ssl_cert = <{lab.cert}
ssl_key = <{lab.key}
mail_location = maildir:{lab.dir}/mail
default_login_user = nobody
default_internal_user = {me}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {port + 1}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
passdb {{
  driver = static
  args = nopassword=y
}}
""", encoding="utf-8")
    return ["dovecot", "-F", "-c", str(conf)]


def server_ldap(lab, port):
    conf, data = lab.dir / "slapd.conf", lab.dir / "ldap"
    data.mkdir()
    conf.write_text(f"include /etc/ldap/schema/core.schema\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\nTLSCertificateFile {lab.cert}\n"
                    f"TLSCertificateKeyFile {lab.key}\ndatabase mdb\nsuffix dc=example\ndirectory {data}\n", encoding="utf-8")
    return ["slapd", "-d", "0", "-f", str(conf), "-h", f"ldap://{HOST}:{port}"]


# Program, port, server, openssl's word, the question for TLS with a command behind it.
LDAP_QUESTION = bytes.fromhex("301d02010177188016312e332e362e312e342e312e313436362e3230303337")
PROTOCOLS = {
    "smtp": ("aiosmtpd", 2500, server_smtp, "smtp", b"STARTTLS\r\n", b"MAIL FROM:<a@b>\r\n"),
    "ftp": ("vsftpd", 2100, server_ftp, "ftp", b"AUTH TLS\r\n", b"USER a\r\n"),
    "imap": ("dovecot", 1430, server_dovecot, "imap", b"a STARTTLS\r\n", b"b LOGIN a b\r\n"),
    "pop3": ("dovecot", 1431, None, "pop3", b"STLS\r\n", b"USER a\r\n"),
    "ldap": ("slapd", 3890, server_ldap, "ldap", LDAP_QUESTION, bytes.fromhex("30050202020042")),
    "nats": ("nats-server", 4222, server_nats, None, b"", b""),
}


class Lab:
    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="bw-starttls-"))
        self.dir.chmod(0o755)
        self.cert, self.key = str(self.dir / "cert.pem"), str(self.dir / "key.pem")
        self.children = []
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={NAME}", "-days", "2", "-keyout",
                        self.key, "-out", self.cert], check=True, capture_output=True)

    def spawn(self, command):
        with open(self.dir / "servers.log", "ab") as log:
            self.children.append(subprocess.Popen(["setpriv", "--pdeathsig", "TERM", *command], stdin=subprocess.DEVNULL,
                                                  stdout=log, stderr=log))

    def down(self):
        for child in self.children:
            child.terminate()
        for child in self.children:
            try:
                child.wait(5)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


def connect(port):
    for _ in range(100):
        try:
            return socket.create_connection((HOST, port), timeout=10)
        except ConnectionRefusedError:
            time.sleep(0.1)
    raise RuntimeError(f"nobody listens on {port}")


class Between:
    """One connection from a client to a server, judged. `sent`: what the server was shown."""

    def __init__(self, judge, dissector, server, client):
        self.judge, self.lock = judge, threading.Lock()
        self.ends = {"C": client, "S": server}
        self.held, self.events, self.why, self.sent = {"C": b"", "S": b""}, [], None, b""
        judge.begin(dissector)

    def pump(self, side):
        other = self.ends["S" if side == "C" else "C"]
        try:
            while not self.why:
                data = self.ends[side].recv(65536)
                if not data:
                    break
                self.step(side, data, other)
        except OSError:
            pass  # the other thread ended it
        for end in self.ends.values():
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it is down

    def step(self, side, data, other):
        with self.lock:
            answer = self.judge.tell([(side, data)])[0]
            waiting = self.held[side] + data
            passes, self.held[side] = waiting[:answer["pass"]], waiting[answer["pass"]:]
            self.events += answer["events"]
            self.why = answer["why"] or self.why
            # The engine denies a packet as a whole.
            if passes and not self.why:
                other.sendall(passes)
                self.sent += passes if side == "C" else b""

    def run(self):
        threads = [threading.Thread(target=self.pump, args=(side,), daemon=True) for side in "CS"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)


def converse(judge, name, port, client):
    """client(port) talks to a listener whose connection is judged on its way to the server."""
    with socket.create_server((HOST, 0)) as listener:
        listener.settimeout(10)
        said = []
        talker = threading.Thread(target=lambda: said.append(client(listener.getsockname()[1])), daemon=True)
        talker.start()
        inner, _ = listener.accept()
        with inner, connect(port) as server:
            between = Between(judge, name, server, inner)
            between.run()
        talker.join(20)
    return between, said[0] if said else ""


def openssl(word):
    def client(port):
        how = ["-starttls", word] if word else []
        done = subprocess.run(["openssl", "s_client", "-connect", f"{HOST}:{port}", "-servername", NAME, *how], capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=15, check=False)
        return done.stdout.decode("utf-8", "replace")
    return client


def nats_client(port):
    """NATS has no word of openssl's: the greeting, then TLS."""
    import ssl
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((HOST, port), timeout=10) as s:
        s.recv(4096)
        with context.wrap_socket(s, server_hostname=NAME) as sealed:
            sealed.sendall(b"CONNECT {}\r\nPING\r\n")
            return "BEGIN CERTIFICATE" if b"PONG" in sealed.recv(4096) else ""


def injector(greeted, words):
    def client(port):
        with socket.create_connection((HOST, port), timeout=3) as s:
            try:
                if greeted:
                    s.recv(4096)
                s.sendall(words)
                return s.recv(4096)
            except OSError:
                return b""
    return client


def try_protocol(judge, name):
    _, port, _, word, question, behind = PROTOCOLS[name]
    between, said = converse(judge, name, port, openssl(word) if word else nats_client)
    last = between.events[-1] if between.events else {"kind": None, "fields": []}
    problems = []
    if between.why or last["kind"] != "opaque" or texts(last, "opaque") != [b"tls"] or texts(last, "sni") != [NAME.encode()]:
        problems.append(f"{name}: {between.why} {between.events}")
    if "BEGIN CERTIFICATE" not in said:
        problems.append(f"{name}: the client did not come through: {said[:200]}")
    if question:
        between, _ = converse(judge, name, port, injector(name != "ldap", question + behind))
        if not between.why or question in between.sent:
            problems.append(f"{name}: what was injected passed: {between.sent} {between.events}")
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    parser.add_argument("--inside", action="store_true", help="we are in a network namespace of our own")
    options = parser.parse_args()
    names = [n for n, (program, *_) in PROTOCOLS.items() if shutil.which(program)]
    missing = sorted(set(PROTOCOLS) - set(names))
    if os.geteuid() != 0 or not names or not shutil.which("openssl"):
        print("skipped: needs root, openssl and a server: aiosmtpd, vsftpd, dovecot, slapd or nats-server", file=sys.stderr)
        return SKIPPED
    if not options.inside:
        return subprocess.run(["unshare", "--net", sys.executable, __file__, "--inside", "--build", options.build], check=False).returncode
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "addr", "add", f"{HOST}/32", "dev", "lo"], check=True)
    lab, judge, problems = Lab(), Judge(options.build), []
    try:
        for name in names:
            if PROTOCOLS[name][2]:
                lab.spawn(PROTOCOLS[name][2](lab, PROTOCOLS[name][1]))
        for name in names:
            try:
                problems += try_protocol(judge, name)
            except (OSError, RuntimeError) as error:
                problems.append(f"{name}: {error}: {(lab.dir / 'servers.log').read_text(errors='replace')[-400:]}")
    finally:
        judge.close()
        lab.down()
    print("\n".join(problems + [f"{', '.join(names)} turned to tls and bore no injection; not installed: {', '.join(missing) or 'none'}"
                                if not problems else f"{len(problems)} problems"]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
