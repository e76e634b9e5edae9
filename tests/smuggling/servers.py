# SPDX-License-Identifier: GPL-2.0-or-later
"""nginx, Apache, Node, gunicorn, waitress, PHP's own, lighttpd before a gateway, and HAProxy and Varnish before nginx, in
the server's place. Each says in its own log what it executed: by
which connection, which method, path and host, as an application behind it sees them.

A request counts as executed when it came to where an application's code would run; what the server itself refused with
400 does not count. Logs are read to the end of what is there; who wants all of it asks until nothing more comes.
"""
import json
import pathlib
import re
import subprocess
import sys
import time

import world

HERE = pathlib.Path(__file__).resolve().parent
PORTS = {"nginx": 8001, "apache": 8002, "node": 8003, "haproxy": 8004, "gunicorn": 8005, "waitress": 8006, "php": 8007,
         "lighttpd": 8008, "varnish": 8009}
BEHIND = {"behind": 8021, "cached": 8022}  # nginx behind HAProxy and Varnish, on the loopback
GATEWAY = 8023                             # a program behind lighttpd, likewise
TOOLS = ("nginx", "apache2", "node", "haproxy", "gunicorn", "php", "lighttpd", "varnishd", "ss")
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
Listen {port}
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
	bind :::{port} v4v6 backlog 4096
	http-request set-header X-Port %[src_port]
	default_backend back
backend back
	server one 127.0.0.1:{behind}
"""
LIGHTTPD = """\
server.document-root = "{dir}"
server.port = {port}
server.bind = "[::]"
server.set-v6only = "disable"
server.listen-backlog = 4096
server.max-fds = 4096
server.max-keep-alive-requests = 100000
server.max-keep-alive-idle = 30
server.modules = ("mod_scgi")
scgi.server = ("/" => (("host" => "127.0.0.1", "port" => {gateway}, "check-local" => "disable",
	"fix-root-scriptname" => "enable")))
"""
VARNISH = """\
vcl 4.1;
import std;
backend default {{ .host = "127.0.0.1"; .port = "{behind}"; }}
sub vcl_recv {{ set req.http.X-Port = std.port(client.ip); return (pass); }}
sub vcl_backend_fetch {{ set bereq.http.Connection = "close"; }}
"""


def need(*tools):
    world.need(*TOOLS, *tools)
    if subprocess.run(["/usr/bin/python3", "-c", "import waitress"], capture_output=True, check=False).returncode != 0:
        world.skip("needs Python's waitress; 'tools/setup test' installs it")


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


class PythonLog:
    def read(self, line):
        said = json.loads(line)
        path, host = split_target(said["target"])
        hosts = {said["host"], host} - {None}
        return Seen(said["port"], said["method"], {path, said["url_path"]}, {plain_host(h) for h in hosts})


class Servers:
    def __init__(self, ground):
        self.ground, self.dir = ground, ground.dir
        self.logs = {"nginx": ("nginx", NginxLog()), "apache": ("apache", ApacheLog()), "node": ("node", NodeLog()),
                     "haproxy": ("behind", NginxLog()), "gunicorn": ("gunicorn", PythonLog()),
                     "waitress": ("waitress", PythonLog()), "php": ("php", NodeLog()), "lighttpd": ("gateway", PythonLog()),
                     "varnish": ("cached", NginxLog())}
        self.at = dict.fromkeys(self.logs, 0)

    def up(self):
        nginx = {"nginx": f"[::]:{PORTS['nginx']} ipv6only=off", **{n: f"127.0.0.1:{p}" for n, p in BEHIND.items()}}
        for name, listen in nginx.items():
            self.write(f"{name}.conf", NGINX.format(dir=self.dir, name=name, listen=listen))
            self.spawn(name, "nginx", "-e", f"{self.dir}/{name}.err", "-c", f"{self.dir}/{name}.conf")
        self.spawn("apache", "apache2", "-DFOREGROUND", "-f",
                   self.write("apache.conf", APACHE.format(dir=self.dir, port=PORTS["apache"], modules=MODULES)))
        self.spawn("haproxy", "haproxy", "-db", "-f",
                   self.write("haproxy.conf", HAPROXY.format(port=PORTS["haproxy"], behind=BEHIND["behind"])))
        self.spawn("node", "node", str(HERE / "echo.js"), str(PORTS["node"]), f"{self.dir}/node.said")
        self.up_python()
        self.spawn("php", "env", f"ECHO_LOG={self.dir}/php.said", "PHP_CLI_SERVER_WORKERS=4", "php", "-S",
                   f"[::]:{PORTS['php']}", str(HERE / "echo.php"))
        self.spawn("lighttpd", "lighttpd", "-D", "-f",
                   self.write("lighttpd.conf", LIGHTTPD.format(dir=self.dir, port=PORTS["lighttpd"], gateway=GATEWAY)))
        self.spawn("varnish", "varnishd", "-F", "-j", "none", "-n", f"{self.dir}/varnish", "-s", "malloc,32m", "-p",
                   "timeout_idle=30", "-a", f":{PORTS['varnish']}", "-f",
                   self.write("varnish.vcl", VARNISH.format(behind=BEHIND["cached"])))
        for port in (*PORTS.values(), *BEHIND.values(), GATEWAY):
            self.wait(port)

    def up_python(self):
        python, echo = "/usr/bin/python3", str(HERE / "echo.py")
        self.spawn("gunicorn", "env", f"ECHO_LOG={self.dir}/gunicorn.said", "PYTHONDONTWRITEBYTECODE=1", "gunicorn", "-w", "2",
                   "-k", "gthread", "--threads", "16", "--keep-alive", "30", "-b", f"[::]:{PORTS['gunicorn']}", "--chdir",
                   str(HERE), "echo:application")
        self.spawn("waitress", python, echo, "waitress", str(PORTS["waitress"]), f"{self.dir}/waitress.said")
        self.spawn("gateway", python, echo, "scgi", str(GATEWAY), f"{self.dir}/gateway.said")

    def write(self, name, text):
        (self.dir / name).write_text(text)
        return str(self.dir / name)

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
