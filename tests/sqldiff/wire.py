# SPDX-License-Identifier: GPL-2.0-or-later
"""MariaDB and PostgreSQL in a folder of their own, spoken to over unix sockets, and as fast as Python can: thousands of statements
a second, each answered by a few words: executed, or the error's code and text."""
import atexit
import glob
import os
import pwd
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time


class Server:
    """A folder, a process, and an end to both."""

    stop = signal.SIGTERM

    def __init__(self, user):
        self.folder = tempfile.mkdtemp(prefix="bw-sql-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        self.user = pwd.getpwnam(user)
        os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        self.process = None
        atexit.register(self.close)  # also when it cannot be set up

    def drop(self):
        os.setgid(self.user.pw_gid)
        os.setuid(self.user.pw_uid)

    def run(self, words):
        with open(f"{self.folder}/log", "ab") as log:
            subprocess.run(words, preexec_fn=self.drop, cwd=self.folder, stdout=log, stderr=log, check=True)

    def start(self, words):
        with open(f"{self.folder}/log", "ab") as log:
            self.process = subprocess.Popen(words, preexec_fn=self.drop, cwd=self.folder, stdout=log, stderr=log)

    def wait_for(self, connect):
        for _ in range(300):
            try:
                return connect()
            except OSError:
                time.sleep(0.1)
        raise RuntimeError("the server does not answer:\n" + open(f"{self.folder}/log", errors="replace").read()[-2000:])

    def close(self):
        if self.process:
            self.process.send_signal(self.stop)
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Socket:
    """Bytes of a stream, by number."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(30)
        self.socket.connect(path)
        self.buffer = b""
        self.at = 0

    def take(self, n):
        if len(self.buffer) - self.at < n:
            parts = [self.buffer[self.at:]]
            have = len(parts[0])
            while have < n:
                more = self.socket.recv(1 << 16)
                if not more:
                    raise ConnectionError("the server closed the connection")
                parts.append(more)
                have += len(more)
            self.buffer = b"".join(parts)
            self.at = 0
        self.at += n
        return self.buffer[self.at - n:self.at]

    def close(self):
        self.socket.close()


class Answer:
    """Of a text: how many statements ran, and the error that ended it (code, text), or None."""

    def __init__(self):
        self.n_done = 0
        self.error = None


# ---------------------------------------------------------------- MariaDB

MORE_RESULTS = 8


class Maria:
    def __init__(self, path, user, schema):
        self.s = Socket(path)
        self.packet()
        caps = 0x1 | 0x8 | 0x200 | 0x2000 | 0x8000 | 0x10000 | 0x20000 | 0x80000  # 4.1, database, several statements, plugins
        body = struct.pack("<IIB23x", caps, 1 << 24, 45) + user + b"\0\0" + schema + b"\0mysql_native_password\0"
        self.s.socket.sendall(struct.pack("<I", len(body) | 1 << 24) + body)
        reply = self.packet()
        if reply[0] == 0xfe:
            self.s.socket.sendall(b"\0\0\0\x03")
            reply = self.packet()
        if reply[0] == 0xff:
            raise OSError(reply)

    def packet(self):
        head = self.s.take(4)
        return self.s.take(head[0] | head[1] << 8 | head[2] << 16)

    def send(self, texts):
        self.s.socket.sendall(b"".join(struct.pack("<IB", len(text) + 1, 3) + text for text in texts))

    def answer(self):
        a = Answer()
        while True:
            status = self.result(a)
            if a.error:
                return a
            a.n_done += 1
            if not status & MORE_RESULTS:
                return a

    def result(self, a):
        p = self.packet()
        if p[0] == 0xff:
            a.error = (p[1] | p[2] << 8, p[9:])
            return 0
        if p[0] == 0:
            at = 1
            for _ in range(2):
                at += {0xfc: 3, 0xfd: 4, 0xfe: 9}.get(p[at], 1)
            return p[at]
        if p[0] == 0xfb:
            self.s.socket.sendall(b"\0\0\0\x02")
            return self.result(a)
        n_ends = 0
        while True:
            p = self.packet()
            if p[0] == 0xfe and len(p) < 9:
                n_ends += 1
                if n_ends == 2:
                    return p[3]
            elif p[0] == 0xff and n_ends == 1:
                a.error = (p[1] | p[2] << 8, p[9:])
                return 0

    def ask(self, text):
        self.send([text])
        return self.answer()

    def ask_undone(self, text):
        """Inside a transaction that is rolled back."""
        self.send([b"START TRANSACTION", text, b"ROLLBACK"])
        self.answer()
        a = self.answer()
        self.answer()
        return a

    def close(self):
        self.s.close()


class MariaServer(Server):
    def __init__(self):
        super().__init__("mysql")
        self.path = f"{self.folder}/s"
        self.run(["mariadb-install-db", "--no-defaults", f"--datadir={self.folder}/data", "--auth-root-authentication-method=normal",
                  "--skip-test-db"])
        self.begin()

    def begin(self):
        self.start([shutil.which("mariadbd") or "/usr/sbin/mariadbd", "--no-defaults", f"--datadir={self.folder}/data", f"--socket={self.path}",
                    "--skip-networking", "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=64M", "--max-connections=400",
                    "--max-statement-time=2", "--lock-wait-timeout=1", "--innodb-lock-wait-timeout=1", "--sync-frm=0",
                    f"--pid-file={self.folder}/pid", "--character-set-server=utf8mb4",
                    "--performance-schema=OFF", "--skip-log-bin", "--skip-stack-trace"])
        self.root = self.wait_for(lambda: Maria(self.path, b"root", b"mysql"))

    def connect(self, user, schema):
        return Maria(self.path, user, schema)


# ---------------------------------------------------------------- PostgreSQL

class Postgres:
    def __init__(self, path, user, database):
        self.s = Socket(path)
        body = struct.pack(">I", 3 << 16) + b"user\0" + user + b"\0database\0" + database + b"\0client_encoding\0UTF8\0\0"
        self.s.socket.sendall(struct.pack(">I", len(body) + 4) + body)
        a = self.answer()
        if a.error:
            raise OSError(a.error)

    def message(self):
        head = self.s.take(5)
        n = int.from_bytes(head[1:], "big") - 4
        return head[0:1], self.s.take(n) if n else b""

    def send(self, texts):
        self.s.socket.sendall(b"".join(b"Q" + struct.pack(">I", len(text) + 5) + text + b"\0" for text in texts))

    def answer(self):
        a = Answer()
        while True:
            kind, body = self.message()
            if kind == b"C":
                a.n_done += 1
            elif kind == b"E":
                fields = dict((f[0:1], f[1:]) for f in body.split(b"\0") if f)
                a.error = (fields[b"C"].decode(), fields[b"M"])
            elif kind == b"G":
                self.s.socket.sendall(b"f\0\0\0\x05\0")
            elif kind == b"Z":
                return a

    def ask(self, text):
        self.send([text])
        return self.answer()

    def ask_undone(self, text):
        if b"copy" in text.lower():
            self.ask(b"BEGIN")
            a = self.ask(text)
            self.ask(b"ROLLBACK")
            return a
        self.send([b"BEGIN", text, b"ROLLBACK"])
        self.answer()
        a = self.answer()
        self.answer()
        return a

    def close(self):
        self.s.close()


def postgres_folder():
    return max(glob.glob("/usr/lib/postgresql/*/bin"), default=None)


class PostgresServer(Server):
    stop = signal.SIGINT  # without waiting for clients

    def __init__(self):
        super().__init__("postgres")
        at = postgres_folder()
        self.run([f"{at}/initdb", "-D", f"{self.folder}/data", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "-N"])
        self.start([f"{at}/postgres", "-D", f"{self.folder}/data", "-k", self.folder, "-c", "listen_addresses=", "-c", "max_connections=300",
                    "-c", "fsync=off", "-c", "shared_buffers=32MB", "-c", "statement_timeout=2s", "-c", "lock_timeout=1s",
                    "-c", "synchronous_commit=off", "-c", "autovacuum=off", "-c", "jit=off", "-c", "join_collapse_limit=1", "-c", "from_collapse_limit=1", "-c", "log_min_messages=fatal", "-c", "log_min_error_statement=panic"])
        self.path = f"{self.folder}/.s.PGSQL.5432"
        self.root = self.wait_for(lambda: Postgres(self.path, b"postgres", b"postgres"))

    def connect(self, user, _schema):
        return Postgres(self.path, user, b"postgres")
