# SPDX-License-Identifier: GPL-2.0-or-later
"""nginx, Apache, Node, and HAProxy before nginx, in the server's place. Each says in its own log what it executed: by
which connection, which method, path and host, as an application behind it sees them.

A request counts as executed when it came to where an application's code would run; what the server itself refused with
400 does not count. Logs are read to the end of what is there; who wants all of it asks until nothing more comes.
"""
import json
import pathlib
import re
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
PORTS = {"nginx": 8001, "apache": 8002, "node": 8003, "haproxy": 8004}
BEHIND = 8005  # nginx behind HAProxy, on the loopback
MODULES = "/usr/lib/apache2/modules"

NGINX = """\
daemon off; master_process off; pid {dir}/{name}.pid; error_log {dir}/{name}.err crit; worker_rlimit_nofile 8192;
events {{ worker_connections 4000; }}
http {{
	client_body_temp_path {dir}/{name}-1; proxy_temp_path {dir}/{name}-2; fastcgi_temp_path {dir}/{name}-3;
	uwsgi_temp_path {dir}/{name}-4; scgi_temp_path {dir}/{name}-5; keepalive_requests 100000;
	log_format said escape=json '{{"port":"$remote_port","by":"$connection","tag":"$http_x_port",'
		'"method":"$request_method","path":"$uri","target":"$request_uri","host":"$host"}}';
	server {{
		listen {listen} backlog=4096;
		set $ran 1;
		access_log {dir}/{name}.said said if=$ran;
		return 200 done;
	}}
}}
"""
APACHE = """\
ServerName a
ServerRoot {dir}
DefaultRuntimeDir {dir}
PidFile {dir}/apache.pid
Listen 0.0.0.0:{port}
ListenBacklog 4096
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule rewrite_module {modules}/mod_rewrite.so
LoadModule setenvif_module {modules}/mod_setenvif.so
ErrorLog {dir}/apache.err
LogLevel crit
StartServers 2
ServerLimit 4
ThreadsPerChild 64
MaxRequestWorkers 256
KeepAlive On
KeepAliveTimeout 30
MaxKeepAliveRequests 0
AllowEncodedSlashes On
RewriteEngine On
RewriteRule ^ - [R=200,L]
SetEnvIf Request_URI ^ ran
LogFormat "%{{remote}}p \\"%m\\" \\"%U\\" \\"%V\\"" said
CustomLog {dir}/apache.said said env=ran
"""
HAPROXY = """\
global
	maxconn 2000
	nbthread 1
defaults
	mode http
	timeout connect 5s
	timeout client 30s
	timeout server 30s
	http-reuse never
frontend front
	bind 0.0.0.0:{port} backlog 4096
	http-request set-header X-Port %[src_port]
	default_backend back
backend back
	server one 127.0.0.1:{behind}
"""


class Seen:
    """What a server executed. `paths` and `hosts`: each way in which an application may see them."""

    def __init__(self, port, method, paths, hosts):
        self.port, self.method, self.paths, self.hosts = port, method, paths, hosts

    def __repr__(self):
        return f"{self.method} {' or '.join(sorted(self.paths))} of {' or '.join(sorted(self.hosts))}"


def plain_host(text):
    """Lower case, without port and last dot."""
    return re.sub(r"\.$", "", re.sub(r":\d*$", "", text.lower()))


def split_target(target):
    """(path, host or None) of a target as sent"""
    match = re.match(r"(?i)https?://([^/?]*)([^?]*)", target)
    if match:
        return match.group(2) or "/", match.group(1)
    return target.split("?")[0], None


class NginxLog:
    def __init__(self):
        self.owners = {}

    def read(self, line):
        said = json.loads(line)
        port = self.owner(said) if said["tag"] or said["by"] in self.owners else int(said["port"])
        return Seen(port, said["method"], {said["path"], split_target(said["target"])[0]}, {plain_host(said["host"])})

    def owner(self, said):
        """Behind HAProxy the connection is that of the first request in it; what bears no tag was smuggled into it."""
        return self.owners.setdefault(said["by"], int(said["tag"] or 0))


class ApacheLog:
    LINE = re.compile(r'(\d+) "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)"$')
    ESCAPE = re.compile(r"\\(x[0-9a-f]{2}|.)")
    LETTERS = {"b": "\b", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}

    def read(self, line):
        port, *texts = self.LINE.match(line).groups()
        method, path, host = (self.ESCAPE.sub(self.unescape, t) for t in texts)
        return Seen(int(port), method, {path}, {plain_host(host)})

    def unescape(self, match):
        text = match.group(1)
        return chr(int(text[1:], 16)) if len(text) == 3 else self.LETTERS.get(text, text)


class NodeLog:
    def read(self, line):
        said = json.loads(line.encode("latin-1"))
        path, host = split_target(said["target"])
        paths = {p.encode().decode("latin-1") for p in (path, said.get("url_path"), said.get("url_decoded")) if p}
        hosts = {said["host"], host} - {None}
        return Seen(said["port"], said["method"], paths, {plain_host(h) for h in hosts})


class Servers:
    def __init__(self, ground):
        self.ground, self.dir = ground, ground.dir
        self.logs = {"nginx": ("nginx", NginxLog()), "apache": ("apache", ApacheLog()), "node": ("node", NodeLog()),
                     "haproxy": ("behind", NginxLog())}
        self.at = dict.fromkeys(self.logs, 0)

    def up(self):
        for name, listen in (("nginx", f"0.0.0.0:{PORTS['nginx']}"), ("behind", f"127.0.0.1:{BEHIND}")):
            (self.dir / f"{name}.conf").write_text(NGINX.format(dir=self.dir, name=name, listen=listen))
            self.spawn(name, "nginx", "-e", f"{self.dir}/{name}.err", "-c", f"{self.dir}/{name}.conf")
        (self.dir / "apache.conf").write_text(APACHE.format(dir=self.dir, port=PORTS["apache"], modules=MODULES))
        self.spawn("apache", "apache2", "-DFOREGROUND", "-f", f"{self.dir}/apache.conf")
        (self.dir / "haproxy.conf").write_text(HAPROXY.format(port=PORTS["haproxy"], behind=BEHIND))
        self.spawn("haproxy", "haproxy", "-db", "-f", f"{self.dir}/haproxy.conf")
        self.spawn("node", "node", str(HERE / "echo.js"), str(PORTS["node"]), f"{self.dir}/node.said")
        for port in (*PORTS.values(), BEHIND):
            self.wait(port)

    def spawn(self, name, *command):
        self.ground.spawn(list(command), "server", f"{name}.out")

    def wait(self, port):
        """By the server's own place: the kernel's list of who listens."""
        for _ in range(400):
            if f":{port} " in self.ground.run("server", "ss", "-Hltn"):
                return
            time.sleep(0.05)
        logs = "".join(f"\n{p.name}: {p.read_text(errors='replace')[-400:]}" for p in self.dir.glob("*.out"))
        sys.exit(f"nothing listens on port {port}{logs}")

    def fresh(self, server):
        """What it executed since the last time, in the order of its log."""
        name, reader = self.logs[server]
        try:
            with open(self.dir / f"{name}.said", "rb") as file:
                file.seek(self.at[server])
                data = file.read()
        except FileNotFoundError:
            return []
        whole = data[:data.rfind(b"\n") + 1]
        self.at[server] += len(whole)
        return [reader.read(line) for line in whole.decode("latin-1").split("\n") if line]
