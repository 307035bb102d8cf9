#!/usr/bin/env python3
"""What an idle front costs: context switches of all its threads while nothing happens.

    idle.py --mcp-twin PATH [--settle 60] [--seconds 30]

The front is opened, called, its server edited and so swapped once, with short times for bake and for keeping the old twin;
`--settle` seconds after the last of these timers the switches are counted for `--seconds`. Exit 1 if there are any beyond
one a thread.
"""
import argparse
import asyncio
import os
import re
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from mcp_raw import StdioClient  # noqa: E402
from reload_bench import text_of  # noqa: E402


def switches(pid):
    """By thread, since threads come and go."""
    total = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        total[task.name] = sum(int(n) for n in re.findall(r"ctxt_switches:\s+(\d+)", (task / "status").read_text()))
    return total


def cpu_ticks(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return int(fields[11]) + int(fields[12])


async def measure(o, folder):
    source = (HERE / "servers" / "plain_server.py").read_text()
    server = folder / "server.py"
    server.write_text(source)
    argv = [o.mcp_twin, "run", "--bake", "1s", "--keep-old", "1s", "--", sys.executable, str(server)]
    client = StdioClient(argv, folder, {**os.environ, "MCP_TWIN_HOME": str(folder / ".twin")}, folder / "stderr.log")
    await client.start()
    try:
        await client.handshake()
        for _ in range(50):
            await client.call("echo", {"text": "warm"})
        server.write_text(source.replace('VERSION = "v1"', 'VERSION = "v2"'))
        deadline = time.monotonic() + 30
        while text_of(await client.call("version")) != "v2":
            if time.monotonic() > deadline:
                raise RuntimeError("the new code never answered")
            await asyncio.sleep(0.05)
        await asyncio.sleep(4 + o.settle)
        before, ticks = switches(client.pid), cpu_ticks(client.pid)
        await asyncio.sleep(o.seconds)
        after, more = switches(client.pid), cpu_ticks(client.pid)
        ended = len(before.keys() - after.keys())    # a thread that ended ran once more at least
        return sum(n - before.get(task, 0) for task, n in after.items()) + ended, more - ticks, len(before)
    finally:
        await client.stop()


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--mcp-twin", default=os.environ.get("BENCH_MCP_TWIN", "mcp-twin"))
    ap.add_argument("--settle", type=float, default=60)
    ap.add_argument("--seconds", type=float, default=30)
    o = ap.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-idle-") as folder:
        count, ticks, threads = asyncio.run(measure(o, Path(folder)))
    print(f"idle for {o.seconds:.0f} s: {count} context switches, {ticks} CPU ticks, {threads} threads")
    sys.exit(0 if count <= threads else 1)


if __name__ == "__main__":
    main()
