#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""matrix.py [--build DIR] [--all] [--bare | --any] [--only PATTERN] [--seed N] [--keep] [--verbose] [--table]

Every opener in the place of every service's first words, in both directions, over IPv4 and IPv6, through the real
daemon. expect.txt says what must come of each. A cell is one connection; client and server are of this process, in
namespaces of their own, so what an application read is known byte by byte; its records are found by the client's port.

	request   a client says it to an honest server; "late": after the server's greeting
	reply     a server says it to an honest client, in answer to that client's first request
	banner    a server says it before the client said anything

--all says random bytes of every length over both; else odd lengths go over IPv6, even ones over IPv4.
--bare leaves the daemon out: what is refused must then arrive, or the cell proves nothing.
--any lets the daemon run with rules that allow any protocol: every cell with bytes of a violation must then fail.
--table prints what was found in the shape of expect.txt.
"""
import argparse
import asyncio
import collections
import datetime
import errno
import fnmatch
import pathlib
import resource
import socket
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import words  # noqa: E402
import world  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
HOLD = 3.0          # engine.hold_timeout
SILENT = 4.0        # engine.silent_timeout
RECORD_LATE = 1.5   # from the verdict to the disk, on a machine with other work
CLOCK_SLACK = 0.35  # how late a timer of the engine, and this process' own clock reading, may be
GREET_AFTER = 0.5   # so that a client who does not wait for a greeting is heard before it
PACE = 250          # new connections a second
RANDOM = [f"random-{n}" for n in range(1, 65)]
MUTE_PORTS = range(20000, 20064)   # the client hears no SYN/ACK there
DEAF_PORTS = range(20100, 20164)   # the server hears nothing behind the SYN there
PORTS = range(21000, 60000)
DIRECTIONS = {"request": "to-server", "reply": "to-client", "banner": "to-client"}
TOKENS = {"hold-timeout": "timeout", "wrong-protocol": "wrong"}  # of expect.txt, where reasons are longer


class Cell:
    """One connection: what is to be said, and what came of it."""

    def __init__(self, section, row, column, family, expected):
        self.section, self.row, self.column, self.family = section, row, column, family
        self.expected, _, self.gap = expected.partition("~")
        self.service = "mysql" if column == "late" else column
        self.name = f"{section}/{row}/{column}/v{family}"
        self.said, self.legal = b"", 0          # by who violates; how much of it is legal
        self.began = self.opened = None         # wall time of its first byte; of the connection
        self.read = {"client": b"", "server": b""}
        self.ended = {"client": None, "server": None}
        self.is_accepted = False
        self.violations = []                    # (record, when it was on disk)
        self.problems = []
        self.is_gap = False

    def receiver(self):
        return "server" if self.section == "request" else "client"


# ---- the table

def expectations():
    """{(section, row): {column: token}}"""
    table, columns, section = {}, [], None
    for line in (HERE / "expect.txt").read_text().splitlines():
        fields = line.split("#")[0].split()
        if not fields:
            continue
        if fields[0] in DIRECTIONS:
            section, columns = fields[0], fields[1:]
        else:
            if len(fields) != len(columns) + 1:
                sys.exit(f"expect.txt: {line}: {len(columns)} columns wanted")
            table[section, fields[0]] = dict(zip(columns, fields[1:]))
    for section in DIRECTIONS:
        missing = set(words.ROWS) - {r for s, r in table if s == section}
        if missing:
            sys.exit(f"expect.txt: {section} lacks {', '.join(sorted(missing))}")
    return table


def cells(only, everything):
    made = []
    for (section, row), columns in expectations().items():
        for column, expected in columns.items():
            for one in RANDOM if row == "random" else [row]:
                families = (4, 6) if everything or row != "random" else (4 + 2 * (int(one[7:]) % 2),)
                made += [Cell(section, one, column, family, expected) for family in families if expected != "-"]
    return [c for c in made if any(fnmatch.fnmatchcase(c.name, p) for p in only.split(","))]


# ---- the parties

class Line:
    """A connection as one side sees it. What it reads is noted, to the byte."""

    def __init__(self, cell, side, sock):
        self.cell, self.side, self.sock = cell, side, sock
        self.news = asyncio.Event()
        self.reading = asyncio.ensure_future(self.read())

    async def read(self):
        loop = asyncio.get_running_loop()
        try:
            while data := await loop.sock_recv(self.sock, 65536):
                self.cell.read[self.side] += data
                self.news.set()
            self.cell.ended[self.side] = "fin"
            if self.cell.row == "close":
                self.sock.close()  # as programs do
        except OSError as error:
            self.cell.ended[self.side] = error.strerror
        self.news.set()

    async def heard(self, wanted=b""):
        """Until something came, or all that is wanted. False: the connection ended before."""
        while True:
            got = self.cell.read[self.side]
            if got and len(got) >= len(wanted):
                return True
            if self.cell.ended[self.side]:
                return False
            self.news.clear()
            await self.news.wait()

    async def send(self, data):
        try:
            await asyncio.get_running_loop().sock_sendall(self.sock, data)
            return True
        except OSError:
            return False

    async def perform(self, steps):
        """The opener."""
        for step in steps:
            if isinstance(step, (int, float)):
                await asyncio.sleep(step)
            elif step == "wait":
                before = len(self.cell.read[self.side])
                if not await self.heard(bytes(before + 1)):
                    return
            elif step == "close":
                self.reading.cancel()
                self.sock.close()
                self.cell.ended[self.side] = "own"
                return
            else:
                if len(self.cell.said) <= self.cell.legal and len(self.cell.said) + len(step) > self.cell.legal:
                    self.cell.began = time.time()
                self.cell.said += step
                if not await self.send(step):
                    return


def listen(world_, place, port, family):
    kind = socket.AF_INET if family == 4 else socket.AF_INET6
    sock = socket.socket(kind, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((world.ADDRESSES[place][family], port))
    sock.listen(4096)
    sock.setblocking(False)
    return sock


class Play:
    def __init__(self, world_, spoken, all_cells):
        self.world, self.words, self.cells = world_, spoken, all_cells
        self.by_port = {}
        self.kept = []  # lines stay open until the end
        self.tasks = set()

    def go(self, coroutine):
        task = asyncio.ensure_future(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.done)

    def done(self, task):
        self.tasks.discard(task)
        if not task.cancelled() and task.exception():
            asyncio.get_running_loop().stop()
            raise task.exception()

    # ---- servers

    def open_servers(self):
        for place, serve in (("server", self.serve_honestly), ("liar", self.serve_lies)):
            self.world.enter(place)
            for port in words.SERVICES.values():
                for family in (4, 6):
                    self.go(self.accept(listen(self.world, place, port, family), family, serve))
        self.world.enter("client")

    async def accept(self, sock, family, serve):
        loop = asyncio.get_running_loop()
        while True:
            conn, peer = await loop.sock_accept(sock)
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            cell = self.by_port[family, peer[1]]
            cell.is_accepted = True
            line = Line(cell, "server", conn)
            self.kept.append(line)
            self.go(serve(cell, line))

    async def serve_honestly(self, cell, line):
        """Enough of each protocol that a client who says the right thing is answered."""
        if cell.service == "mysql":
            await asyncio.sleep(0 if cell.column == "late" else GREET_AFTER)
            await line.send(words.MYSQL8)
        wanted = self.words.own(cell.service, "to-server")
        if await line.heard(wanted) and cell.read["server"].startswith(wanted):
            await line.send(words.MYSQL_OK if cell.service == "mysql" else self.words.own(cell.service, "to-client"))

    async def serve_lies(self, cell, line):
        if cell.section == "reply" and cell.service != "mysql":
            if not await line.heard(self.words.own(cell.service, "to-server")):
                return
        steps, cell.legal = self.words.opener(cell.row, cell.service, "to-client")
        await line.perform(steps)

    # ---- clients

    def bind(self, cell):
        kind = socket.AF_INET if cell.family == 4 else socket.AF_INET6
        sock = socket.socket(kind, socket.SOCK_STREAM)
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ports = PORTS  # each but once: a record names its cell by the port
        if cell.row == "half-open":
            ports = MUTE_PORTS if cell.section == "request" else DEAF_PORTS
        port = next(p for p in ports if (cell.family, p) not in self.by_port)
        sock.bind((world.ADDRESSES["client"][cell.family], port))
        self.by_port[cell.family, port] = cell
        return sock

    async def connect(self, cell):
        sock = self.bind(cell)
        place = "server" if cell.section == "request" else "liar"
        to = (world.ADDRESSES[place][cell.family], words.SERVICES[cell.service])
        for _ in range(5):
            cell.opened = time.time()
            try:
                await asyncio.get_running_loop().sock_connect(sock, to)
                break
            except OSError as error:
                cell.ended["client"] = error.strerror
                if error.errno != errno.ENOENT:  # some kernels' IPv6 has no route for a moment: nothing was sent
                    return
                await asyncio.sleep(0.1)
        cell.ended["client"] = None
        line = Line(cell, "client", sock)
        self.kept.append(line)
        if cell.section == "request":
            steps, cell.legal = self.words.opener(cell.row, cell.service, "to-server")
            if cell.column == "late" and steps[:1] != ["wait"]:
                steps = ["wait"] + steps
            await line.perform(steps)
        elif cell.section == "reply" and cell.service != "mysql":
            await line.send(self.words.own(cell.service, "to-server"))

    async def all(self, watch):
        """Starts every cell at its time, then waits until the last one must be through."""
        self.open_servers()
        watcher = asyncio.ensure_future(watch())
        slow = ("idle", "half-open", "drip")  # those that take longest go first
        for i, cell in enumerate(sorted(self.cells, key=lambda c: c.row not in slow)):
            self.go(self.connect(cell))
            if i % 8 == 7:
                await asyncio.sleep(8 / PACE)
        await asyncio.sleep(1.5 if self.world.daemon is None else HOLD + RECORD_LATE + 2 * words.GAP)
        watcher.cancel()
        for cell in self.cells:
            cell.final = dict(cell.ended)  # before we end them ourselves
        for task in list(self.tasks) + [line.reading for line in self.kept]:
            task.cancel()


# ---- the judgement

def seconds(stamp):
    return datetime.datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%S.%f%z").timestamp()


def seen(cell):
    """What came of it, in the words of expect.txt."""
    got = cell.read[cell.receiver()]
    if not cell.violations:
        return "ok" if got and got == cell.said else "quiet" if not got else f"leak:{len(got)}"
    record = cell.violations[0][0]
    token = record["reason"]
    token = TOKENS.get(token, token)
    if token == "timeout" and not cell.said:
        token = "silent"
    if token == "wrong":
        token = record["violation"].get("found", "wrong")
    return token + ("+" if got and cell.legal and cell.said.startswith(got) else "")


def judge(cell):
    if cell.gap and seen(cell) == cell.gap:
        cell.is_gap = True
        return
    say, got = cell.problems.append, cell.read[cell.receiver()]
    want, found = cell.expected, seen(cell)
    if want == "any" and cell.violations:
        want = found
    if want != found:
        say(f"wanted {cell.expected}, got {found} ({len(cell.said)} bytes said, {cell.final})")
    if want in ("ok", "quiet"):
        return
    judge_bytes(cell, got)
    judge_record(cell, want)
    for side in ("client", "server"):
        if not cell.final[side] and (side == "client" or cell.is_accepted) and cell.row != "half-open":
            say(f"the {side}'s connection is still open")


def judge_bytes(cell, got):
    allowed = cell.said[:cell.legal]
    if got != allowed[:len(got)] or (not cell.expected.endswith("+") and cell.expected != "any" and got):
        cell.problems.append(f"the {cell.receiver()} read {len(got)} bytes: {got[:40]!r}")


def judge_record(cell, want):
    if not cell.violations:
        return
    if len(cell.violations) != 1:
        cell.problems.append(f"{len(cell.violations)} violations")
    record, on_disk = cell.violations[0]
    is_silent = want == "silent"
    began = cell.opened if is_silent or cell.began is None else cell.began
    limit = (SILENT if is_silent else HOLD) + CLOCK_SLACK
    after = seconds(record["timestamp"]) - began
    if not -CLOCK_SLACK < after < limit:
        cell.problems.append(f"recorded as of {after:.2f} s behind its first byte")
    if on_disk - began > limit + RECORD_LATE:
        cell.problems.append(f"on disk {on_disk - began:.2f} s behind its first byte")
    if record["mode"] != "enforce" or record["verdict"] != "deny":
        cell.problems.append("not enforced")


def must_fail(cell):
    """The daemon lets everything pass: who sees no leak where one is refused otherwise is blind."""
    is_leak = any(" read " in problem for problem in cell.problems)
    is_meant = cell.expected != "ok" and cell.said
    cell.problems = ["a leak was not seen"] if is_meant and not is_leak else []


def judge_bare(cell):
    """Nobody is in between: whatever was said must have arrived, or the cell proves nothing."""
    if cell.said and cell.read[cell.receiver()] != cell.said:
        got = cell.read[cell.receiver()]
        cell.problems.append(f"the {cell.receiver()} read {len(got)} of {len(cell.said)} bytes")
    if cell.row == "half-open" and cell.section == "request" and cell.is_accepted:
        cell.problems.append("not half open")


# ---- the course

def mute(world_):
    for tables in ("iptables", "ip6tables"):
        world_.run("client", tables, "-A", "INPUT", "-p", "tcp", "--dport", f"{MUTE_PORTS[0]}:{MUTE_PORTS[-1]}",
                   "--tcp-flags", "SYN,ACK", "SYN,ACK", "-j", "DROP")
        world_.run("liar", tables, "-A", "INPUT", "-p", "tcp", "--sport", f"{DEAF_PORTS[0]}:{DEAF_PORTS[-1]}",
                   "!", "--syn", "-j", "DROP")


def certificate(directory):
    files = [str(directory / name) for name in ("cert", "key")]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                    "2", "-subj", "/CN=ok.example", "-out", files[0], "-keyout", files[1]],
                   check=True, capture_output=True, timeout=30)
    return files


def note(play, records):
    now = time.time()
    for record in records.fresh():
        if record["event_type"] != "violation":
            continue
        cell = play.by_port.get((6 if ":" in record["src_ip"] else 4, record.get("src_port")))
        if cell:
            cell.violations.append((record, now))
        else:
            play.strays.append(record)


def course(args, all_cells):
    ground = world.World(args.build, args.keep, f"{SILENT:.0f}s", world.POLICY_ANY if args.any else world.POLICY)
    mute(ground)
    play = Play(ground, words.Words(certificate(ground.dir), args.seed), all_cells)
    play.strays = []
    if not args.bare:
        ground.start_daemon()
    records = world.Records(ground.eve)

    async def watch():
        while True:
            note(play, records)
            await asyncio.sleep(0.05)

    async def run():
        await play.all(watch)
    asyncio.run(run())
    note(play, records)
    for cell in all_cells:
        (judge_bare if args.bare else judge)(cell)
        if args.any:
            must_fail(cell)
    for record in play.strays[:10]:
        print(f"FAIL: a record of no cell: {record}", file=sys.stderr)
    return len(play.strays)


def print_table(all_cells):
    found = collections.defaultdict(lambda: collections.defaultdict(set))
    columns = collections.defaultdict(dict)
    for cell in all_cells:
        row = "random" if cell.row.startswith("random-") else cell.row
        columns[cell.section][cell.column] = True
        found[cell.section, row][cell.column].add(seen(cell))
    for section, names in columns.items():
        print(f"\n{section:16}" + "".join(f"{n:14}" for n in names))
        for (of, row), cols in found.items():
            if of == section:
                print(f"{row:16}" + "".join(f"{'|'.join(sorted(cols[n])) or '-':13} " for n in names).rstrip())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=".")
    parser.add_argument("--only", default="*", help="shell patterns of SECTION/ROW/COLUMN/vN, by comma")
    parser.add_argument("--seed", type=int, default=1)
    for switch in ("--all", "--bare", "--any", "--keep", "--verbose", "--table"):
        parser.add_argument(switch, action="store_true")
    args = parser.parse_args()
    world.need("openssl")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    all_cells = cells(args.only, args.all)
    began = time.monotonic()
    failed = course(args, all_cells)
    for cell in all_cells:
        if cell.problems or args.verbose:
            print(f"{'FAIL' if cell.problems else 'ok'}: {cell.name}: {'; '.join(cell.problems) or seen(cell)}"
                  f"{[r for r, _ in cell.violations] if args.verbose else ''}", file=sys.stderr)
    failed += sum(1 for cell in all_cells if cell.problems)
    gaps = [cell for cell in all_cells if cell.is_gap]
    for name in sorted({f"{c.name[:-3]}: {c.gap}, should be {c.expected}" for c in gaps}):
        print(f"gap: {name}", file=sys.stderr)
    if args.table:
        print_table(all_cells)
    print(f"scorecard S8{'-bare' if args.bare else ''} tried={len(all_cells)} failed={failed} gaps={len(gaps)} "
          f"seed={args.seed} seconds={time.monotonic() - began:.0f}")
    return 1 if failed or not all_cells else 0


if __name__ == "__main__":
    sys.exit(main())
