"""Figures of the Python package: ``python bench.py [--calls N] [--swaps N]``, with `mcp_twin` and `mcp` installed.

Each is a median, and stands beside what it is to be compared with, measured in turns: nothing here is a test.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Any

import mcp_twin

SERVER = [sys.executable, str(Path(__file__).with_name("tests") / "server.py")]
IMPORT = "import sys, time; t = time.perf_counter(); {}; print(time.perf_counter() - t)"


def shown(what: str, seconds: list[float]) -> None:
    worst = quantiles(seconds, n=20)[-1] if len(seconds) > 1 else seconds[0]
    print(f"{what:<44} {median(seconds) * 1000:9.3f} ms   (95 %: {worst * 1000:.3f} ms, of {len(seconds)})")


def imports(times: int) -> None:
    took: dict[str, list[float]] = {"import mcp_twin": [], "import asyncio": [], "from mcp_twin import Twin": []}
    for _ in range(times):
        for code, seconds in took.items():
            ran = subprocess.run([sys.executable, "-c", IMPORT.format(code)], capture_output=True, check=True)
            seconds.append(float(ran.stdout))
    for code, seconds in took.items():
        shown(code, seconds)


async def calls(mode: str, times: int) -> None:
    from mcp import Client, StdioServerParameters
    from mcp.client.stdio import stdio_client

    async def call(client: Any) -> float:
        start = perf_counter()
        await client.call_tool("add", {"a": 1, "b": 2})
        return perf_counter() - start

    async with AsyncExitStack() as stack:
        direct = stdio_client(StdioServerParameters(command=SERVER[0], args=SERVER[1:]))
        clients = {
            "direct": await stack.enter_async_context(Client(direct, mode=mode)),
            "through `transport`": await stack.enter_async_context(
                Client(mcp_twin.transport(SERVER, private=True), mode=mode)
            ),
        }
        took: dict[str, list[float]] = {name: [] for name in clients}
        for turn in range(times + 20):
            for name, client in clients.items():
                seconds = await call(client)
                # The first ones warm up.
                took[name] += [seconds] if turn >= 20 else []
    for name, each in took.items():
        shown(f"a call, {mode}, {name}", each)
    one, other = (median(each) for each in took.values())
    print(f"{'':<44} {other / one:9.2f} x")


def swaps(times: int) -> None:
    from mcp_twin.session import Session

    took = []
    with mcp_twin.Twin(SERVER, private=True) as twin, Session(twin.url) as client:
        for _ in range(times):
            client.call_tool("add", a=1, b=2)
            twin.reload()
            start = perf_counter()
            twin.swap()
            took.append(perf_counter() - start)
    shown("swap() with a verified standby", took)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1000, metavar="N")
    parser.add_argument("--swaps", type=int, default=15, metavar="N")
    asked = parser.parse_args()
    imports(15)
    for mode in ("legacy", "2026-07-28"):
        asyncio.run(calls(mode, asked.calls))
    swaps(asked.swaps)


if __name__ == "__main__":
    main()
