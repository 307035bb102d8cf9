"""Clients of the official SDK and of FastMCP through a front of this process."""

import asyncio
import sys
from pathlib import Path

import pytest

import mcp_twin
from mcp_twin.testing import check_swappable

SERVER = [sys.executable, str(Path(__file__).with_name("server.py"))]


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_the_sdk_keeps_its_session_over_a_swap(mode, loop):
    import anyio
    from mcp import Client

    async def main():
        transport = mcp_twin.transport(SERVER, private=True)
        async with Client(transport, mode=mode) as client:
            assert (await client.call_tool("add", {"a": 1, "b": 2})).structured_content == {"result": 3}
            await transport.twin.reload()
            assert (await transport.twin.swap()).kind == "swapped"
            assert (await client.call_tool("add", {"a": 1, "b": 2})).structured_content == {"result": 3}
        assert not transport.twin.running

    anyio.run(main, backend=loop)


def test_fastmcp():
    from fastmcp import Client

    async def main():
        transport = mcp_twin.transport(SERVER, private=True)
        async with Client(transport) as client:
            assert (await client.call_tool("add", {"a": 1, "b": 2})).structured_content == {"result": 3}
            await transport.twin.reload()
            assert (await transport.twin.swap()).kind == "swapped"
            assert (await client.call_tool("add", {"a": 2, "b": 2})).structured_content == {"result": 4}
        assert not transport.twin.running

    asyncio.run(main())


def test_200_swaps_under_load_lose_nothing(place):
    from mcp import Client

    async def main():
        transport = mcp_twin.transport(place.command, **place.more)
        async with Client(transport, mode="legacy") as client:
            over, answers = asyncio.Event(), 0

            async def load():
                nonlocal answers
                while not over.is_set():
                    result = await client.call_tool("version", {})
                    assert not result.is_error and result.content[0].text.isdigit()
                    answers += 1

            tasks = [asyncio.create_task(load()) for _ in range(8)]
            for version in range(2, 202):
                place.save(version)
                assert (await transport.twin.swap()).kind == "swapped"
            over.set()
            await asyncio.gather(*tasks)
            assert answers > 200
            assert (await client.call_tool("version", {})).content[0].text == "201"
            assert (await transport.twin.status()).swaps == 200

    asyncio.run(asyncio.wait_for(main(), 300))
    assert place.processes() == []


STATE = """
    from mcp.server.mcpserver import MCPServer
    import socket
    mcp = MCPServer("state")
    count = 0

    @mcp.tool()
    def counter() -> int:
        global count
        count += 1
        return count
    {more}
    mcp.run()
"""


def check(tmp_path, more, **arguments):
    from textwrap import dedent

    script = tmp_path / "state.py"
    script.write_text(dedent(STATE).format(more=more))
    return [finding.kind for finding in check_swappable([sys.executable, str(script)], **arguments)]


def test_check_swappable_finds_what_does_not_survive(tmp_path, unused_port):
    assert check(tmp_path, "", calls=[("counter", {})]) == ["memory"]
    bound = f"s = socket.socket(); s.bind(('127.0.0.1', {unused_port})); s.listen()"
    assert check(tmp_path, bound) == ["fixed_port"]
    assert check(tmp_path, "raise SystemExit(1)") == ["start"]
    assert [f.kind for f in check_swappable(SERVER, calls=[("add", {"a": 1, "b": 1})])] == []


@pytest.fixture
def unused_port():
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
