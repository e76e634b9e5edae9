# SPDX-License-Identifier: GPL-2.0-or-later
"""Real servers in the server's place, with one user, one table and one name."""
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import sys
import time

import words
import world

PAGE = "a page that is right\n"
USER, PASSWORD, DATABASE = "app", "secret", "shop"

NGINX = """\
daemon off; master_process off; pid {dir}/{name}.pid; error_log {dir}/{name}.log;
events {{ worker_connections 4000; }}
http {{
	access_log off; client_body_temp_path {dir}/{name}-1; proxy_temp_path {dir}/{name}-2;
	fastcgi_temp_path {dir}/{name}-3; uwsgi_temp_path {dir}/{name}-4; scgi_temp_path {dir}/{name}-5;
	{servers}
}}
"""
SITE = """server { listen 80 backlog=4096; listen [::]:80 backlog=4096; listen 443 ssl backlog=4096;
	listen [::]:443 ssl backlog=4096; ssl_certificate DIR/cert; ssl_certificate_key DIR/key; root DIR/www; }"""
PROXY = "server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://{to}; proxy_set_header Host ok.test; }} }}"


def postgres_bin():
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
    if not found or not any(u.pw_name == "postgres" for u in pwd.getpwall()):
        world.skip("needs an installed postgresql")
    return found[-1]


class Servers:
    def __init__(self, ground):
        self.ground, self.dir = ground, ground.dir

    def up(self):
        self.web()
        self.ground.spawn(["redis-server", "--port", "6379", "--bind", "0.0.0.0", "::", "--save", "", "--protected-mode",
                           "no", "--tcp-backlog", "4096", "--dir", str(self.dir)], "server", "redis.log")
        self.ground.spawn(["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-hosts", "--no-resolv",
                           "--pid-file=", "--user=root", f"--address=/ok.test/{world.ADDRESSES['server'][4]}"], "server", "dns.log")
        self.mariadb()
        self.postgres()
        for port in words.SERVICES.values():
            self.wait(port)

    def wait(self, port):
        """The server's own place asks; nothing crosses the bridge."""
        self.ground.enter("server")
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        else:
            logs = "".join(f"\n{p.name}: {p.read_text(errors='replace')[-400:]}" for p in self.dir.glob("*.log"))
            sys.exit(f"nothing listens on port {port}{logs}")
        self.ground.enter("gate")

    def nginx(self, name, servers, place):
        (self.dir / f"{name}.conf").write_text(NGINX.format(dir=self.dir, name=name, servers=servers))
        self.ground.spawn(["nginx", "-e", str(self.dir / f"{name}.err"), "-c", str(self.dir / f"{name}.conf")], place,
                          f"{name}.out")

    def web(self):
        (self.dir / "www").mkdir()
        (self.dir / "www" / "ok").write_text(PAGE)
        self.nginx("site", SITE.replace("DIR", str(self.dir)), "server")
        host = world.ADDRESSES["server"]
        self.nginx("proxy", PROXY.format(port=8004, to=host[4]) + PROXY.format(port=8006, to=f"[{host[6]}]"), "client")

    def mariadb(self):
        data = self.dir / "mariadb"
        subprocess.run(["mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={data}", "--skip-test-db",
                        "--auth-root-authentication-method=normal", "--innodb-log-file-size=8M"],
                       check=True, capture_output=True, timeout=90)
        (self.dir / "init.sql").write_text(
            f"CREATE DATABASE {DATABASE};\nCREATE TABLE {DATABASE}.t (n INT);\nINSERT INTO {DATABASE}.t VALUES (42);\n"
            f"CREATE USER {USER}@'%' IDENTIFIED BY '{PASSWORD}';\nGRANT ALL ON {DATABASE}.* TO {USER}@'%';\n")
        self.ground.spawn(["mariadbd", "--no-defaults", "--user=root", f"--datadir={data}", f"--socket={self.dir}/mariadb.sock",
                           f"--pid-file={self.dir}/mariadb.pid", "--skip-name-resolve", "--bind-address=*", "--back-log=2000",
                           "--innodb-flush-log-at-trx-commit=0", "--max-connections=500",
                           f"--init-file={self.dir}/init.sql"], "server", "mariadb.log")

    def postgres(self):
        binaries, data = postgres_bin(), self.dir / "postgres" / "data"
        data.parent.mkdir()
        shutil.chown(data.parent, "postgres")
        (self.dir / "password").write_text(PASSWORD)
        os.chmod(self.dir / "password", 0o644)
        user = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups", "--pdeathsig", "KILL"]
        subprocess.run([*user, f"{binaries}/initdb", "-D", str(data), "-U", USER, "-E", "UTF8", "--locale=C.UTF-8", "-N",
                        f"--pwfile={self.dir}/password"], check=True, capture_output=True, timeout=90)
        (data / "pg_hba.conf").write_text("local all all trust\nhost all all 127.0.0.1/32 trust\nhost all all 198.18.0.0/15 trust\n"
                                          "host all all fd00:9::/64 scram-sha-256\n")
        single = [*user, f"{binaries}/postgres", "--single", "-D", str(data)]
        for database, text in (("postgres", f"CREATE DATABASE {DATABASE}\n"),
                               (DATABASE, "CREATE TABLE t (n INT)\nINSERT INTO t VALUES (42)\n")):
            subprocess.run([*single, database], input=text, text=True, check=True, capture_output=True, timeout=60)
        self.ground.spawn([*user, f"{binaries}/postgres", "-D", str(data), "-c", "listen_addresses=*", "-c", "fsync=off", "-c",
                           f"unix_socket_directories={data.parent}", "-c", "max_connections=200"], "server", "postgres.log")
