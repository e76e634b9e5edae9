#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""honest.py [--build DIR] [--only PATTERN] [--rounds N] [--keep]

Real clients (curl, wget, urllib3 and requests, Python's http.client, Node's fetch and http, wrk, ab where it is
installed) ask nginx, Apache, Node and HAProxy before nginx through the real daemon. Each must be answered, the servers
must have executed exactly what was asked, and the records must have no violation.
"""
import argparse
import fnmatch
import pathlib
import shutil
import subprocess
import sys
import time

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "matrix")]
import servers  # noqa: E402
import smuggling  # noqa: E402
import world  # noqa: E402

POLICY = """\
version: 1
mode: enforce
manage: {interfaces: [br0]}
docker: {enabled: false}
inventory: inventory.yaml
engine: {workers: 2, hold_timeout: 3s, silent_timeout: %(silent)s}
rules:
- {name: web, from: container:client, to: container:server, app: http, port: "8001-8009", log: all,
   allow: [{methods: [GET, HEAD, POST, PUT, OPTIONS], paths: ["/ok/**"]}]}
"""
LIBRARY = """
import http.client, sys
address, port = sys.argv[1].split(":")
c = http.client.HTTPConnection(address, int(port))
for body in (None, b"x" * 10, b"y" * 100000, iter([b"a", b"bc" * 5000])):
	c.request("POST" if body else "GET", "/ok/library?q=%20", body, {"X-Y": "z"}, encode_chunked=True)
	r = c.getresponse(); r.read()
	assert r.status == 200, r.status
"""
REQUESTS = """
import requests, sys
s = requests.Session()
base = "http://" + sys.argv[1] + "/ok/requests"
for r in (s.get(base, params={"a": "x y", "b": "\\u00e9"}), s.post(base, json={"a": 1}), s.put(base, data=b"z" * 70000),
          s.post(base, files={"f": b"12345"}), s.post(base, data=iter([b"a", b"b" * 9000])), s.head(base), s.options(base)):
	assert r.status_code == 200, r
"""
FETCH = """
const base = 'http://' + process.argv[1] + '/ok/fetch';
(async () => {
	for (const how of [{}, {method: 'POST', body: 'x'.repeat(100000)}, {method: 'HEAD'}, {method: 'PUT', body: new Blob(['abc'])},
		{method: 'POST', body: new URLSearchParams({a: 'b'})}, {method: 'POST', duplex: 'half',
			body: new ReadableStream({start(c) { c.enqueue(new Uint8Array(5000)); c.close(); }})}]) {
		const r = await fetch(base, how);
		await r.text();
		if (r.status !== 200) throw new Error('status ' + r.status);
	}
})().catch((e) => { console.error(e); process.exit(1); });
"""
AGENT = """
const http = require('http');
const agent = new http.Agent({keepAlive: true, maxSockets: 1});
let left = 6;
for (let i = 0; i < 6; i++) {
	const q = http.request('http://' + process.argv[1] + '/ok/agent/' + i, {agent, method: i % 2 ? 'POST' : 'GET'}, (r) => {
		r.resume();
		if (r.statusCode !== 200) process.exit(1);
		r.on('end', () => { if (--left === 0) process.exit(0); });
	});
	q.on('error', () => process.exit(1));
	if (i % 2) q.write('chunk');
	q.end(i === 5 ? 'z'.repeat(50000) : '');
}
setTimeout(() => process.exit(2), 20000);
"""


def clients(address, big):
    """(name, how many requests it makes or None, command)"""
    base, python = f"http://{address}/ok", ["/usr/bin/python3", "-c"]
    curl = ["curl", "-sSf", "-m", "20", "-o", "/dev/null"]
    yield "curl", 3, [*curl, f"{base}/1?q=[]", "-g", "-o", "/dev/null", f"{base}/2", "-o", "/dev/null", f"{base}/3%20x"]
    yield "curl-post", 1, [*curl, "-d", "a=1&b=2", f"{base}/form"]
    yield "curl-large", 1, [*curl, "-H", "Expect: 100-continue", "--data-binary", f"@{big}", f"{base}/large"]
    yield "curl-chunked", 1, [*curl, "-H", "Transfer-Encoding: chunked", "--data-binary", f"@{big}", f"{base}/large"]
    yield "curl-put", 1, [*curl, "-T", str(big), f"{base}/put"]
    yield "curl-form", 1, [*curl, "-F", f"f=@{big}", "-F", "x=y", f"{base}/form"]
    yield "curl-head", 1, [*curl, "-I", f"{base}/head"]
    yield "curl-1.0", 1, [*curl, "-0", f"{base}/old"]
    yield "curl-h2c", 1, [*curl, "--http2", f"{base}/upgrade"]
    yield "wget", 2, ["wget", "-q", "-T", "20", "-t", "1", "-O", "/dev/null", f"{base}/1", f"{base}/2"]
    yield "wget-post", 1, ["wget", "-q", "-T", "20", "-t", "1", "-O", "/dev/null", "--post-data", "a=b", f"{base}/1"]
    yield "library", 4, [*python, LIBRARY, address]
    yield "requests", 7, [*python, REQUESTS, address]
    yield "fetch", 6, ["node", "-e", FETCH, address]
    yield "agent", 6, ["node", "-e", AGENT, address]
    yield "wrk", None, ["wrk", "-t1", "-c8", "-d1s", f"{base}/wrk"]
    if shutil.which("ab"):
        yield "ab", 200, ["ab", "-q", "-n", "200", "-c", "8", f"{base}/ab"]
        yield "ab-alive", 200, ["ab", "-q", "-k", "-n", "200", "-c", "8", f"{base}/ab"]


def turn(ground, site, server, client):
    """One client, one server; why it did not go well, or None, and the number of requests that the server executed."""
    name, n, command = client
    into = ["nsenter", f"--net=/proc/{ground.holders['client']}/ns/net", "--"]
    done = subprocess.run([*into, *command], capture_output=True, text=True, timeout=60, check=False)
    executed = []
    smuggling.until_quiet(lambda: bool(executed.extend(new) or new) if (new := site.fresh(server)) else False,
                          0.1 if n is None or len(executed) < n else 0)
    said = (done.stderr or done.stdout).strip()[-300:]
    if done.returncode != 0 or "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        return f"{name} to {server}: exit status {done.returncode}: {said}", len(executed)
    if not executed or (n is not None and len(executed) != n):
        return f"{name} to {server}: executed {len(executed)}, not {n}", len(executed)
    return None, len(executed)


def violations(ground):
    time.sleep(1)  # the last records
    return [f"a violation: {r}" for r in world.Records(ground.eve).fresh() if r["event_type"] == "violation"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=".")
    parser.add_argument("--only", default="*", help="shell pattern of clients")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--keep", action="store_true")
    args = parser.parse_args()
    servers.need("curl", "wget", "wrk")
    if subprocess.run(["/usr/bin/python3", "-c", "import requests"], capture_output=True, check=False).returncode != 0:
        world.skip("needs Python's requests; 'tools/setup test' installs it")
    ground = world.World(args.build, args.keep, "30s", POLICY)
    site = servers.Servers(ground)
    site.up()
    big = ground.dir / "big"
    big.write_bytes(b"0123456789abcdef" * 20000)
    ground.start_daemon()
    tried, total, problems = 0, 0, []
    for _ in range(args.rounds):
        for server, port in servers.PORTS.items():
            for client in clients(f"{world.ADDRESSES['server'][4]}:{port}", big):
                if fnmatch.fnmatchcase(client[0], args.only):
                    problem, executed = turn(ground, site, server, client)
                    tried, total = tried + 1, total + executed
                    problems += [problem] if problem else []
    problems += violations(ground)
    for problem in problems[:20]:
        print(f"FAIL {problem}")
    failed = len(problems) + (not ground.status().get("ready"))
    print(f"scorecard S5-honest tried={tried} failed={failed} requests={total}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
