#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""alarms.py [--build DIR] [--count N] [--seconds N] [--only PATTERN] [--ports N] [--keep] [--verbose]

Real clients and client libraries against real servers, through the real daemon, over IPv4 and IPv6, each connection
with a request whose answer is compared: not one violation, not one wrong answer. Goes round all clients until there
were --count connections; --seconds bounds it. The server's kernel counts the connections, too.
"""
import argparse
import concurrent.futures
import fnmatch
import json
import pathlib
import re
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import matrix  # noqa: E402
import servers  # noqa: E402
import world  # noqa: E402
from servers import DATABASE, PAGE, PASSWORD, USER  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
SIDE_BY_SIDE = 3
PHP = """mysqli_report(MYSQLI_REPORT_OFF); $ok = 0; $wrong = [];
for ($i = 0; $i < $argv[2]; $i++) {
	$c = mysqli_init(); $row = null;
	if (@mysqli_real_connect($c, $argv[1], "%s", "%s", "%s")) {
		$r = mysqli_query($c, "SELECT n FROM t WHERE n = 42"); $row = $r ? mysqli_fetch_row($r) : mysqli_error($c);
	} else $row = mysqli_connect_error();
	@mysqli_close($c);
	if ($row == ["42"]) $ok++; else $wrong[] = json_encode($row);
}
echo json_encode(["ok" => $ok, "n_wrong" => count($wrong), "wrong" => array_slice($wrong, 0, 5)]);""" % (USER, PASSWORD, DATABASE)


class Client:
    """A program that makes N connections a turn. `read` turns its output into (right, wrong, sample of the wrong)."""

    def __init__(self, name, n, command, read, env=None):
        self.name, self.n, self.command, self.read, self.env = name, n, command, read, env or {}


def as_json(n, out, _err):
    said = json.loads(out.splitlines()[-1])
    return said["ok"], n - said["ok"], said["wrong"]


def repeated(wanted):
    """Every answer of N is the same text."""
    def read(n, out, err):
        ok = out.count(wanted)
        return ok, n - ok, [] if ok == n else [(out + err)[-300:]]
    return read


def read_wrk(_n, out, _err):
    done = int(re.search(r"(\d+) requests in", out).group(1))
    bad = sum(int(m) for m in re.findall(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", out)
              for m in m) + sum(int(m) for m in re.findall(r"Non-2xx or 3xx responses: (\d+)", out))
    return done, bad, [out[-300:]] if bad else []


def read_benchmark(n, out, err):
    bad = [line for line in (out + err).splitlines() if re.search(r"error|refused|NOPERM", line, re.I)]
    is_right = {'"SET"', '"GET"'} <= {line.split(",")[0] for line in out.splitlines()} and not bad
    return (n, 0, []) if is_right else (0, n, bad[:3] or [out])


def read_pgbench(n, out, err):
    done = re.search(r"transactions actually processed: (\d+)/", out)
    ok = int(done.group(1)) if done else 0
    return ok, n - ok, [] if ok == n else [err[-300:]]


def libraries(host):
    turns = {"requests": 60, "urllib": 150, "redis": 150, "pymysql": 60, "psycopg2": 60, "dnspython": 250, "ssl": 120}
    return [Client(name, n, ["/usr/bin/python3", str(HERE / "clients.py"), name, host, str(n)], as_json)
            for name, n in turns.items()]


def clients(family, directory):
    host = world.ADDRESSES["server"][family]
    web = f"[{host}]" if family == 6 else host
    (directory / "queries").write_text("www.ok.test A\n" * 40)
    (directory / "select.sql").write_text("SELECT n FROM t WHERE n = 42;\n")
    pg = {"PGPASSWORD": PASSWORD, "PGCONNECT_TIMEOUT": "10"}
    psql = ["-h", host, "-U", USER]
    mariadb = ["mariadb", "--no-defaults", "-h", host, "-u", USER, f"-p{PASSWORD}", "-N", DATABASE, "-e",
               "SELECT n FROM t WHERE n = 42"]
    https = ["curl", "-skS", "-m", "20", "--http1.1", "-H", "Connection: close", "--connect-to", f"::{web}:443"]

    def each(n, *command, said=""):
        """The command line N times."""
        loop = 'for ((i = 0; i < $1; i++)); do printf "$2" | "${@:3}" || exit 1; done'
        return ["bash", "-c", loop, "-", str(n), said, *command]
    return libraries(host) + [
        Client("curl", 200, ["curl", "-sS", "-m", "20", "-H", "Connection: close", f"http://{web}/ok?[1-200]"], repeated(PAGE)),
        Client("curl-https", 60, https + ["https://ok.example/ok?[1-60]"], repeated(PAGE)),
        Client("proxy", 150, ["curl", "-sS", "-m", "20", f"http://127.0.0.1:800{family}/ok?[1-150]"], repeated(PAGE)),
        Client("wrk", 0, ["wrk", "-t1", "-c6", "-d2s", "-H", "Connection: close", f"http://{web}/ok"], read_wrk),
        Client("redis-cli", 5, each(5, "redis-cli", "-h", host, "PING"), repeated("PONG")),
        Client("redis-benchmark", 1600, ["redis-benchmark", "-h", host, "-k", "0", "-n", "800", "-c", "10", "--csv", "-t",
                                         "set,get"], read_benchmark),
        Client("mariadb", 5, each(5, *mariadb), repeated("42\n")),
        Client("php-mysqli", 200, ["php", "-r", PHP, "--", web, "200"], as_json),
        Client("psql", 3, each(3, "psql", *psql, "-d", DATABASE, "-Atc", "SELECT n FROM t WHERE n = 42"), repeated("42\n"), pg),
        Client("pgbench", 60, ["pgbench", *psql, "-n", "-C", "-c", "3", "-t", "20", "-f", str(directory / "select.sql"), DATABASE],
               read_pgbench, pg),
        Client("dig", 40, ["dig", "+tcp", "+short", "+tries=1", "+time=10", f"@{host}", "-f", str(directory / "queries")],
               repeated("198.18.9.3\n")),
        Client("openssl", 3, each(3, "openssl", "s_client", "-quiet", "-connect", f"{web}:443", "-servername", "ok.example",
                               said=r"GET /ok HTTP/1.0\r\n\r\n"), repeated(PAGE)),
    ]


class Score:
    def __init__(self, verbose):
        self.verbose, self.by_name, self.problems = verbose, {}, []

    def total(self):
        return sum(right + wrong for right, wrong, _ in self.by_name.values())

    def note(self, client, family, took, answer):
        right, wrong, sample = answer
        of = self.by_name.get(client.name, (0, 0, 0))
        self.by_name[client.name] = (of[0] + right, of[1] + wrong, of[2] + took)
        if wrong or not right:
            self.problems.append(f"{client.name} over IPv{family}: {right} right, {wrong} wrong: {sample}")
        if self.verbose:
            print(f"{client.name} v{family}: {right} right, {wrong} wrong in {took:.1f} s", file=sys.stderr)


def turn(ground, client, family, score):
    into = ["nsenter", f"--net=/proc/{ground.holders['client']}/ns/net", "--"]
    began = time.monotonic()
    try:
        done = subprocess.run([*into, "env", *(f"{k}={v}" for k, v in client.env.items()), *client.command], capture_output=True,
                              text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
        answer = client.read(client.n, done.stdout, done.stderr)
    except (subprocess.TimeoutExpired, ValueError, AttributeError, IndexError, KeyError) as error:
        answer = 0, max(client.n, 1), [f"{type(error).__name__}: {error}"]
    score.note(client, family, time.monotonic() - began, answer)


def rounds(ground, args, score):
    """All clients once over both families; then again, those first that are quick, until the count is reached."""
    every = [(c, f) for f in (4, 6) for c in clients(f, ground.dir) if fnmatch.fnmatchcase(c.name, args.only)]
    end = time.monotonic() + args.seconds
    with concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        list(pool.map(lambda of: turn(ground, *of, score), every))
        while score.total() < args.count and time.monotonic() < end and not score.problems:
            quick = sorted(every, key=lambda of: score.by_name[of[0].name][2] / max(1, score.by_name[of[0].name][0]))
            list(pool.map(lambda of: turn(ground, *of, score), every if args.count > 50000 else quick[:8]))


def count_connections(ground):
    total = 0
    for tables in ("iptables", "ip6tables"):
        out = ground.run("server", tables, "-nvxL", "INPUT")
        total += sum(int(line.split()[0]) for line in out.splitlines() if "tcp" in line and "flags" in line)
    return total


def judge(ground, args, score):
    status = ground.status()
    time.sleep(1)  # the last records
    for record in world.Records(ground.eve).fresh():
        if record["event_type"] == "violation":
            score.problems.append(f"a violation: {record}")
    counted = count_connections(ground)
    if counted < score.total():
        score.problems.append(f"{score.total()} connections were claimed, {counted} came")
    if score.total() < args.count:
        score.problems.append(f"only {score.total()} connections in the time")
    if not status.get("ready"):
        score.problems.append("the daemon is not ready any more")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=".")
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--only", default="*", help="shell pattern of clients")
    parser.add_argument("--ports", type=int, default=32000, help="the fewer, the sooner one is used again")
    for switch in ("--keep", "--verbose"):
        parser.add_argument(switch, action="store_true")
    args = parser.parse_args()
    world.need("openssl", "nginx", "redis-server", "redis-cli", "redis-benchmark", "mariadbd", "mariadb-install-db", "mariadb",
               "php", "psql", "pgbench", "dnsmasq", "dig", "curl", "wrk")
    libraries_there = ["/usr/bin/python3", "-c", "import pymysql, redis, requests, dns.query, psycopg2"]
    if subprocess.run(libraries_there, capture_output=True, check=False).returncode != 0:
        world.skip("needs the Python libraries; 'tools/setup test' installs them")
    servers.postgres_bin()
    ground = world.World(args.build, args.keep, "30s")
    matrix.certificate(ground.dir)
    servers.Servers(ground).up()
    for tables in ("iptables", "ip6tables"):
        ground.run("server", tables, "-A", "INPUT", "-i", "eth0", "-p", "tcp", "--syn")
    ground.run("client", "sysctl", "-qw", f"net.ipv4.ip_local_port_range=32768 {32767 + args.ports}")
    ground.start_daemon()
    score = Score(args.verbose)
    began = time.monotonic()
    rounds(ground, args, score)
    judge(ground, args, score)
    for name, (right, wrong, took) in sorted(score.by_name.items()):
        print(f"{name:16} {right:7} right {wrong:4} wrong {right / max(took, 0.1):7.0f} a second")
    for problem in score.problems[:20]:
        print(f"FAIL: {problem}", file=sys.stderr)
    print(f"scorecard S8-alarms tried={score.total()} failed={len(score.problems)} clients={len(score.by_name)} "
          f"seconds={time.monotonic() - began:.0f}")
    return 1 if score.problems else 0


if __name__ == "__main__":
    sys.exit(main())
