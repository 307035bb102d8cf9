"""The examples of the README run as they stand there, beside a `server.py`."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
BLOCKS = re.findall(r"^```python\n(.*?)^```", (HERE.parent / "README.md").read_text(), re.DOTALL | re.MULTILINE)

#: As in a notebook: `await` may stand outside of a function.
RUN = """
import ast, asyncio, inspect, sys
code = compile(sys.stdin.read(), "README.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
ran = eval(code, {"__name__": "readme"})
if inspect.iscoroutine(ran):
    asyncio.run(ran)
"""


@pytest.mark.parametrize("block", BLOCKS, ids=[block.splitlines()[0][:40] for block in BLOCKS])
def test_it_runs_as_written(place, block):
    server = (HERE / "server.py").read_text()
    (place.folder / "server.py").write_text(server.replace("if __name__", "app = mcp.streamable_http_app()\n\nif __name__"))
    test = "def test_" in block
    if test:
        (place.folder / "test_block.py").write_text(block)
    command = ["-m", "pytest", "-q", "-p", "mcp_twin.pytest_plugin"] if test else ["-c", RUN]
    env = {
        **os.environ,
        **place.more["env"],
        "MCP_TWIN_HOME": str(place.folder / "home"),
        # `python` is this one.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
    ran = subprocess.run(
        [sys.executable, *command], input=block, cwd=place.folder, env=env, capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    # It swapped, rather than found nothing to do.
    assert "1 swaps" in ran.stdout if test else ran.stdout.count("kind='swapped'") == block.count("print("), ran.stdout
    assert place.processes() == []


def test_no_example_is_left_out():
    assert len(BLOCKS) == 3
