#!/usr/bin/env python3
"""What stands between a client and a server over HTTP: throughput, latency, CPU and memory, all rows in turn in one session.

    http_bench.py --mcp-twin PATH --servers DIR [--peers-dir DIR] [--rounds 5] [--seconds 5] [--only ROW,...] [--out FILE]

`wrk` POSTs `tools/call echo` over 64 connections that are kept. The server is tiny-http-server (--servers: the folder of it
and of tiny-server, which the bridges from stdio get); it answers at once. CPU and memory are those of what stands between:
the processes of a row without the server itself (in the row `bare`: the server). A row that cannot be started says why.
"""
import argparse
import itertools
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path

PROTOCOL, MODERN, META = "2025-11-25", "2026-07-28", "io.modelcontextprotocol/"
CONNECTIONS = 64
IDS = itertools.count(1)             # of this client's own calls
FIRST_ID = 1_000_000_000             # of wrk's
PATIENCE = 30
SERVERS = {"tiny-http-serve", "tiny-server"}       # as /proc knows them: 15 letters
TICK = os.sysconf("SC_CLK_TCK")

NGINX = """daemon off; worker_processes 1; pid {work}/nginx.pid; {user}
error_log {work}/error.log warn;
events {{ worker_connections 1024; }}
http {{
  access_log off; tcp_nodelay on;
  client_body_temp_path {work}/b; proxy_temp_path {work}/p; fastcgi_temp_path {work}/f; uwsgi_temp_path {work}/u; scgi_temp_path {work}/s;
  keepalive_timeout 600; keepalive_requests 100000000;
  upstream server {{ server 127.0.0.1:{upstream}; keepalive 128; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://server; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host 127.0.0.1;
      proxy_buffering off; proxy_request_buffering off;
    }}
  }}
}}
"""


class Broken(Exception):
    """A row that cannot be measured."""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def tree(pid):
    """The process and what descends from it, with its name."""
    parents, names = {}, {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                name, _, rest = Path(f"/proc/{entry}/stat").read_text().partition("(")[2].rpartition(") ")
            except (FileNotFoundError, ProcessLookupError):
                continue
            parents.setdefault(int(rest.split()[1]), []).append(int(entry))
            names[int(entry)] = name
    found, todo = {}, [pid]
    while todo:
        one = todo.pop()
        if one in names and one not in found:
            found[one] = names[one]
            todo += parents.get(one, [])
    return found


def cpu(pids):
    """Seconds of CPU that these processes have used."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def peak(pids):
    """KiB that these processes held at most, each at its time."""
    total = 0
    for pid in pids:
        try:
            found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += int(found[1]) if found else 0
    return total


class Client:
    """A session of one row, and one connection that is kept."""

    def __init__(self, port, modern):
        self.port, self.modern, self.headers = port, modern, {}
        self.wire = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        if modern:
            self.headers = {"MCP-Protocol-Version": MODERN}
            return
        info = {"name": "http-bench", "version": "1"}
        self.post({"jsonrpc": "2.0", "id": 1, "method": "initialize",
                   "params": {"protocolVersion": PROTOCOL, "capabilities": {}, "clientInfo": info}})
        self.headers["MCP-Protocol-Version"] = PROTOCOL
        self.post({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def another(self):
        """The same session over a connection of its own."""
        other = object.__new__(Client)
        other.port, other.modern, other.headers = self.port, self.modern, dict(self.headers)
        other.wire = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        return other

    def call(self, tool, arguments):
        params = {"name": tool, "arguments": arguments}
        if self.modern:
            params["_meta"] = {META + "protocolVersion": MODERN, META + "clientCapabilities": {}}
        return {"jsonrpc": "2.0", "id": next(IDS), "method": "tools/call", "params": params}

    def all_headers(self, message):
        more = {"Mcp-Method": message["method"], "Mcp-Name": message["params"]["name"]} if self.modern else {}
        return {"Content-Type": "application/json", "Accept": "application/json, text/event-stream", **self.headers, **more}

    def post(self, message):
        self.wire.request("POST", "/mcp", json.dumps(message), self.all_headers(message))
        response = self.wire.getresponse()
        body = response.read().decode()
        if response.status >= 400:
            raise Broken(f"HTTP {response.status}: {body[:200]}")
        session = response.getheader("Mcp-Session-Id")
        if session and "Mcp-Session-Id" not in self.headers and not self.modern:
            self.headers["Mcp-Session-Id"] = session
        if (response.getheader("Content-Type") or "").startswith("text/event-stream"):
            data = [line[5:] for line in body.splitlines() if line.startswith("data:") and line[5:].strip()]
            body = data[-1] if data else ""
        return json.loads(body) if body else None

    def text(self, tool, arguments=None):
        answer = self.post(self.call(tool, arguments or {}))
        try:
            return answer["result"]["content"][0]["text"]
        except (KeyError, TypeError, IndexError):
            raise Broken(f"no good answer: {answer}") from None


class Row:
    """One way to a server, running."""

    def __init__(self, name, options, work):
        self.name, self.options = name, options
        self.work = work / name
        self.work.mkdir()
        self.code = self.work / "code"
        self.code.write_text("v1")
        self.process, self.port, self.beside, self.ids = None, None, None, FIRST_ID
        try:
            getattr(self, "start_" + name.replace("-", "_").removesuffix("_modern"))()
            self.client = self.opened()
        except BaseException:
            self.end()
            raise

    modern = property(lambda self: self.name.endswith("-modern"))

    def opened(self):
        """A client, once the row answers well."""
        deadline, why = time.monotonic() + PATIENCE, None
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Broken(f"ended with {self.process.returncode}: {self.said()}")
            try:
                client = Client(self.port, self.modern)
                if client.text("echo", {"text": "hello"}) == "hello":
                    return client
            except (OSError, HTTPException, ValueError, Broken) as error:
                why = error
            time.sleep(0.05)
        raise Broken(f"never answered well ({why}): {self.said()}")

    def said(self):
        return (self.work / "log").read_text(errors="replace")[-400:].strip()

    def spawn(self, words, **environment):
        with open(self.work / "log", "ab") as log:
            try:
                self.process = subprocess.Popen(
                    [str(word) for word in words], cwd=self.work, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    start_new_session=True, env={**os.environ, "HOME": str(self.work), **environment})
            except OSError as why:
                raise Broken(f"{words[0]} could not be started: {why}") from None

    def until_said(self, before):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self.process.poll() is None:
            found = re.search(re.escape(before) + r"http://127\.0\.0\.1:(\d+)/mcp\s", (self.work / "log").read_text())
            if found:
                return int(found[1])
            time.sleep(0.02)
        raise Broken(self.said() or "it never said where it listens")

    def http_server(self):
        sessions = [] if self.modern else ["--sessions"]
        return [self.options.servers / "tiny-http-server", self.code, *sessions]

    def start_bare(self):
        self.spawn([*self.http_server(), "--port", "0"])
        self.port = self.until_said("listening on ")

    def start_nginx(self):
        self.start_bare()
        self.beside, upstream, self.port = self.process, self.port, free_port()
        user = "user root;" if os.geteuid() == 0 else ""
        config = self.work / "nginx.conf"
        config.write_text(NGINX.format(work=self.work, upstream=upstream, port=self.port, user=user))
        nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
        if nginx is None:
            raise Broken("nginx is not installed")
        self.spawn([nginx, "-p", self.work, "-c", config, "-e", self.work / "error.log"])

    def start_mcp_twin(self):
        self.spawn([self.options.mcp_twin, "serve", "--name", self.name, "--listen", "127.0.0.1:0", "--watch", self.code, "--",
                    *self.http_server(), "--port", "{port}"], MCP_TWIN_HOME=str(self.work / "home"))
        self.port = self.until_said(" listens on ")

    def start_mcp_twin_stdio(self):
        self.spawn([self.options.mcp_twin, "serve", "--stdio", "--name", self.name, "--listen", "127.0.0.1:0", "--watch", self.code,
                    "--", self.options.servers / "tiny-server", self.code], MCP_TWIN_HOME=str(self.work / "home"))
        self.port = self.until_said(" listens on ")

    def bridge(self, words):
        self.port = free_port()
        fill = {"port": self.port, "peers": self.options.peers_dir, "server": self.options.servers / "tiny-server", "code": self.code}
        words = [word.format(**fill) for word in words]
        if not Path(words[0]).exists():
            raise Broken("not installed (`cargo xtask bench http --peers`)")
        self.spawn(words)

    def start_npm_mcp_proxy(self):
        self.bridge(["{peers}/n-mcpproxy/node_modules/.bin/mcp-proxy", "--host", "127.0.0.1", "--port", "{port}", "--server", "stream", "--",
                     "{server}", "{code}"])

    def start_supergateway(self):
        self.bridge(["{peers}/n-supergw/node_modules/.bin/supergateway", "--stdio", "{server} {code}", "--outputTransport",
                     "streamableHttp", "--stateful", "--port", "{port}", "--logLevel", "none"])

    def start_pypi_mcp_proxy(self):
        self.bridge(["{peers}/v-mcpproxy/bin/mcp-proxy", "--host", "127.0.0.1", "--port", "{port}", "--", "{server}", "{code}"])

    def between(self):
        """The processes that are counted."""
        found = tree(self.process.pid)
        return [pid for pid, name in found.items() if name not in SERVERS] if self.name.removesuffix("-modern") != "bare" else list(found)

    def measure(self, seconds):
        message = self.client.call("echo", {"text": "hello"})
        # Every request has an id of its own, as a session wants it; of one length, so that the head is made once.
        text = json.dumps(message | {"id": FIRST_ID})
        first, second = text.split(str(FIRST_ID))
        head = "".join(f"{name}: {value}\r\n" for name, value in self.client.all_headers(message).items())
        head = f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n{head}Content-Length: {len(text)}\r\n\r\n"
        script = self.work / "post.lua"
        script.write_text(f"local before, id, after = {json.dumps(head + first)}, {self.ids}, {json.dumps(second)}\n"
                          "function request() id = id + 1; return before .. string.format('%d', id) .. after end\n")
        pids = self.between()
        before = cpu(pids)
        said = subprocess.run(
            ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", "-s", str(script), f"http://127.0.0.1:{self.port}/mcp"],
            capture_output=True, text=True, timeout=seconds + 60, check=True).stdout
        used = cpu(pids) - before
        found = {name: re.search(pattern, said) for name, pattern in {
            "requests": r"(\d+) requests in", "rate": r"Requests/sec:\s+([\d.]+)", "p50": r"50%\s+([\d.]+)(us|ms|s)",
            "p99": r"99%\s+([\d.]+)(us|ms|s)", "bad": r"Non-2xx or 3xx responses: (\d+)",
            "socket": r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)"}.items()}
        requests = int(found["requests"][1])
        self.ids += requests + 2 * CONNECTIONS
        failed = sum(int(number) for name in ("bad", "socket") if found[name] for number in found[name].groups())
        if not requests:
            raise Broken(f"nothing was answered: {said}")
        scale = {"us": 1, "ms": 1e3, "s": 1e6}
        return {"row": self.name, "rate": float(found["rate"][1]), "requests": requests, "failed": failed,
                **{name: float(found[name][1]) * scale[found[name][2]] for name in ("p50", "p99")},
                "cpu_us": used / requests * 1e6, "rss_kib": peak(pids)}

    def gap(self, happen):
        """The longest time without a good answer while this happens and for a second after, and calls that failed."""
        over, lock, good, failed = threading.Event(), threading.Lock(), [], []

        def caller():
            client = self.client.another()
            while not over.is_set():
                try:
                    client = client or Client(self.port, self.modern)
                    client.text("version")
                    with lock:
                        good.append(time.monotonic())
                except (OSError, HTTPException, ValueError, Broken) as error:
                    with lock:
                        failed.append(str(error))
                    # As a good client does: it opens anew, and gives a server that is down a moment.
                    client = None
                    time.sleep(0.001)

        threads = [threading.Thread(target=caller) for _ in range(4)]
        begin = time.monotonic()
        for thread in threads:
            thread.start()
        try:
            happen()
            time.sleep(1)
        finally:
            over.set()
            for thread in threads:
                thread.join()
        times = [begin, *sorted(good), time.monotonic()]
        return max(b - a for a, b in zip(times, times[1:])) * 1000, len(failed), len(good)

    def edit(self):
        """A save, until the new code answers."""
        version = f"v{int(self.code.read_text()[1:]) + 1}"
        client = self.client.another()
        self.code.write_text(version)
        deadline = time.monotonic() + PATIENCE
        while client.text("version") != version:
            if time.monotonic() > deadline:
                raise Broken(f"{version} never answered: {self.said()}")
            time.sleep(0.005)

    def restart(self):
        """What an edit is without a front: the server is ended and started anew."""
        stop(self.process)
        self.spawn([*self.http_server(), "--port", str(self.port)])
        self.client = self.opened()

    def end(self):
        for process in (self.process, self.beside):
            stop(process)


def stop(process):
    """Asks a process to end, and ends what is left of it and below it."""
    if process is None:
        return
    below = list(tree(process.pid)) if process.poll() is None else []
    for ask in (process.terminate, process.kill):
        try:
            ask()
            process.wait(15)
            break
        except subprocess.TimeoutExpired:
            continue
    for pid in below:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


ROWS = ["bare", "nginx", "mcp-twin", "mcp-twin-stdio", "npm-mcp-proxy", "supergateway", "pypi-mcp-proxy", "bare-modern", "nginx-modern", "mcp-twin-modern"]


def table(measured):
    print(f"\n| | requests/s | p50 ms | p99 ms | CPU per request | peak RSS | failed |\n|---|---|---|---|---|---|---|")
    for name, rows in measured.items():
        def median(field):
            return statistics.median(row[field] for row in rows)
        print(f"| {name} | {median('rate'):,.0f} | {median('p50') / 1e3:.2f} | {median('p99') / 1e3:.2f} | {median('cpu_us'):.1f} us"
              f" | {max(row['rss_kib'] for row in rows) / 1024:.1f} MiB | {sum(row['failed'] for row in rows)} |")


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--mcp-twin", default=os.environ.get("BENCH_MCP_TWIN", "mcp-twin"))
    ap.add_argument("--servers", type=Path, required=True)
    ap.add_argument("--peers-dir", type=Path, default=Path(os.environ.get("BENCH_PEERS_DIR", ".")))
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--seconds", type=int, default=5)
    ap.add_argument("--swaps", type=int, default=5)
    ap.add_argument("--only", help="rows with commas between: " + ", ".join(ROWS))
    ap.add_argument("--out", default=os.devnull)
    o = ap.parse_args()
    o.servers, o.peers_dir = o.servers.resolve(), o.peers_dir.resolve()
    o.mcp_twin = Path(shutil.which(o.mcp_twin) or o.mcp_twin).resolve()
    wanted = o.only.split(",") if o.only else ROWS
    unknown = set(wanted) - set(ROWS)
    if unknown:
        ap.error(f"no row is called {', '.join(sorted(unknown))}")
    if shutil.which("wrk") is None:
        sys.exit("http_bench: wrk is not installed (apt-get install wrk)")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    running, broken, measured, ok = [], {}, {}, True
    with tempfile.TemporaryDirectory(prefix="mtb") as work, open(o.out, "a") as out:
        try:
            for name in wanted:
                try:
                    running.append(Row(name, o, Path(work)))
                except Broken as why:
                    broken[name] = str(why)
            for number in range(o.rounds):
                for row in list(running):
                    try:
                        result = row.measure(o.seconds)
                    except (Broken, subprocess.SubprocessError) as why:
                        broken[row.name] = str(why)
                        running.remove(row)
                        row.end()
                        continue
                    measured.setdefault(row.name, []).append(result)
                    out.write(json.dumps({"round": number, **result}) + "\n")
                print(f"round {number + 1}: " + ", ".join(
                    f"{name} {rows[-1]['rate']:.0f}/s" for name, rows in measured.items()), file=sys.stderr)
            print(f"{o.rounds} rounds of {o.seconds} s, {CONNECTIONS} connections, every row in turn; medians")
            table(measured)
            broken |= gaps(running, o.swaps, out)
        finally:
            for row in running:
                row.end()
    for name, why in broken.items():
        print(f"\n{name}: no figures, {why}")
        ok = ok and name.startswith(("npm", "super", "pypi", "nginx"))
    sys.exit(0 if ok else 1)


def gaps(running, swaps, out):
    """The table of gaps; gives back what could not be measured."""
    rows, broken = {row.name: row for row in running}, {}
    what = [(name, word, how) for name, word, how in (
        ("bare", "nothing happens", lambda row: time.sleep(1)), ("mcp-twin", "nothing happens", lambda row: time.sleep(1)),
        ("mcp-twin", "a swap", Row.edit), ("mcp-twin-modern", "a swap", Row.edit), ("mcp-twin-stdio", "a swap", Row.edit),
        ("bare", "a restart", Row.restart)) if name in rows]
    if not what or not swaps:
        return broken
    print(f"\nlongest time without a good answer over 4 connections, {swaps} times each: median, highest\n")
    print("| | while | ms | calls | failed |\n|---|---|---|---|---|")
    for name, word, how in what:
        try:
            got = [rows[name].gap(lambda: how(rows[name])) for _ in range(swaps)]
        except (OSError, HTTPException, ValueError, Broken) as why:
            broken[f"{name} while {word}"] = str(why)
            continue
        longest = [gap for gap, _, _ in got]
        print(f"| {name} | {word} | {statistics.median(longest):.0f}, {max(longest):.0f} | {sum(good for _, _, good in got):,}"
              f" | {sum(failed for _, failed, _ in got)} |")
        out.write(json.dumps({"row": name, "while": word, "gaps_ms": longest, "failed": [failed for _, failed, _ in got]}) + "\n")
    return broken


if __name__ == "__main__":
    main()
