"""Clients of the official SDK and of FastMCP through a front of this process."""

import asyncio
import sys
from pathlib import Path

import pytest

import mcp_twin

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
