"""The pytest plugin: as the README shows it, and run within a run of its own."""

from pathlib import Path

import pytest

from mcp_twin import StartError, UsageError

SERVER = Path(__file__).with_name("server.py")
CALLS = """
    def test_calls(twin):
        server = twin("server.py")
        with server.client() as c:
            for n in range(6):
                assert c.call_tool("add", a=n, b=1) == n + 1
"""


def test_reload_keeps_the_session(twin):
    server = twin("server.py")
    with server.client() as c:
        assert c.call_tool("add", a=1, b=2) == 3
        server.edit("return a + b", "return a + b + 1")
        server.swap()
        assert c.call_tool("add", a=1, b=2) == 4
    assert "a + b + 1" not in SERVER.read_text()


def test_code_that_does_not_start_is_told_and_the_old_serves_on(twin):
    server = twin("server.py")
    with server.client() as c:
        server.edit("return a + b", "return a +")
        with pytest.raises(StartError) as failed:
            server.swap()
        assert "SyntaxError" in failed.value.stderr_tail
        assert c.call_tool("add", a=1, b=2) == 3


def test_an_edit_that_fits_nowhere_is_refused(twin):
    with pytest.raises(UsageError, match="0 places"):
        twin("server.py").edit("no such text", "")


@pytest.fixture
def project(pytester):
    pytester.makefile(".py", server=SERVER.read_text())
    pytester.makepyfile(CALLS)
    return pytester


def test_swap_every_swaps_during_the_run(project):
    result = project.runpytest_subprocess("--mcp-twin-swap-every", "2", "-p", "mcp_twin.pytest_plugin")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*6 calls*; 3 swaps*"])


def test_both_eras_run_each_test_twice(project):
    result = project.runpytest_subprocess("--mcp-twin-both-eras", "-v", "-p", "mcp_twin.pytest_plugin")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*legacy*PASSED*", "*2026-07-28*PASSED*"])


def test_it_works_under_xdist(project):
    project.makepyfile(test_more=CALLS)
    result = project.runpytest_subprocess("-n", "2", "-p", "mcp_twin.pytest_plugin")
    result.assert_outcomes(passed=2)


def test_the_set_server_and_the_marker(project):
    project.makeini("[pytest]\nmcp_twin_command = server.py\n")
    project.makepyfile(
        """
        import asyncio, pytest

        @pytest.mark.mcp_twin_state_may_be_lost
        def test_is_spared(mcp_server):
            with mcp_server.client() as c:
                for _ in range(4):
                    c.call_tool("add", a=1, b=1)
            assert mcp_server.twin.status().swaps == 0

        def test_async(async_twin):
            async def main():
                async with async_twin("server.py") as t:
                    await t.reload()
                    assert (await t.swap()).kind == "swapped"
            asyncio.run(main())
        """
    )
    result = project.runpytest_subprocess("--mcp-twin-swap-every", "1", "--strict-markers", "-p", "mcp_twin.pytest_plugin")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*4 calls*; 0 swaps*"])
