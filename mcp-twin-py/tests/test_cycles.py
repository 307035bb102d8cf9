"""Starting and stopping many times leaves nothing in this process, and no other process."""

import os
import resource
import sys
import threading
from pathlib import Path
from textwrap import dedent

import pytest
from patience import until

from mcp_twin import Twin

FULL = os.environ.get("MCP_TWIN_CYCLES")
CYCLES = int(FULL or 30)
#: Servers of an SDK take a second or more to start.
SLOW_CYCLES = 20 if FULL else 5

FASTMCP = """
    from fastmcp import FastMCP

    mcp = FastMCP("small")

    @mcp.tool
    def add(a: int, b: int) -> int:
        return a + b

    mcp.run(show_banner=False)
"""


def held():
    """Descriptors, Python's threads, all threads."""
    return len(os.listdir("/proc/self/fd")), threading.active_count(), len(os.listdir("/proc/self/task"))


def leaks_nothing(place, command, before, cycles):
    def cycle():
        with Twin(command, **place.more):
            pass

    for _ in range(before):
        cycle()
    then, memory = held(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(cycles):
        cycle()
    until(lambda: all(now <= before for now, before in zip(held(), then)))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 16 << 10
    assert place.processes() == []


def test_start_and_stop_leak_nothing(place):
    leaks_nothing(place, place.command, 10, CYCLES)


@pytest.mark.parametrize("kind", ["sdk", "fastmcp"])
def test_start_and_stop_of_an_sdk_server_leak_nothing(place, kind):
    if kind == "fastmcp":
        place.script.write_text(dedent(FASTMCP))
    script = place.script if kind == "fastmcp" else Path(__file__).with_name("server.py")
    leaks_nothing(place, [sys.executable, str(script)], 2, SLOW_CYCLES)
