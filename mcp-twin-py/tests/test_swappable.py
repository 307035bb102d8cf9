"""`check_swappable`: each kind of finding at a real server, and none at a good one."""

import socket
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from mcp_twin.testing import Finding, check_swappable

SERVER = [sys.executable, str(Path(__file__).with_name("server.py"))]

STATE = """
    import fcntl, os, socket, sys
    from pathlib import Path
    from mcp.server.mcpserver import MCPServer
    mcp = MCPServer("state")
    count = 0
    here = Path(__file__).parent

    @mcp.tool()
    def counter() -> int:
        global count
        count += 1
        return count

    {more}
    mcp.run()
"""

FREE = "s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); port = s.getsockname()[1]"
LOCKED = "f = open(here / 'lock', 'w'); fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)"
#: Another name at each start.
LISTS = "mcp.add_tool(lambda: 1, name=f'tool_{os.getpid()}')"
ONCE = "(here / 'once').mkdir() if not (here / 'once').exists() else sys.exit('one is enough')"


def check(folder: Path, text: str, **arguments: object) -> list[Finding]:
    script = folder / "state.py"
    script.write_text(dedent(text))
    return check_swappable([sys.executable, str(script)], **arguments)


@pytest.mark.parametrize(
    ("kind", "more", "said"),
    [
        ("start", "raise SystemExit('never')", "never"),
        ("exclusive_file", LOCKED, "Resource temporarily unavailable"),
        ("lists", LISTS, "tool_"),
        ("reload", ONCE, "one is enough"),
    ],
)
def test_what_does_not_survive_is_found(tmp_path, kind, more, said):
    (found,) = check(tmp_path, STATE.format(more=more))
    assert found.kind == kind and said in found.what and found.help


def test_a_fixed_port_is_found(tmp_path):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    bound = f"s = socket.socket(); s.bind(('127.0.0.1', {port})); s.listen()"
    (found,) = check(tmp_path, STATE.format(more=bound))
    assert found.kind == "fixed_port"


def test_state_in_memory_is_found(tmp_path):
    (found,) = check(tmp_path, STATE.format(more=""), calls=[("counter", {})])
    assert found.kind == "memory" and "`counter` answered 1, 2, and 1" in found.what


def test_a_good_server_has_no_finding(tmp_path):
    assert check_swappable(SERVER, calls=[("add", {"a": 1, "b": 1})]) == []
    # Without calls: it keeps what it counts in memory, but nothing says that this tool only reads.
    assert check(tmp_path, STATE.format(more=FREE)) == []


ASKING = """
    import os
    from typing import Annotated
    from mcp.server.mcpserver import Elicit, ElicitationResult, MCPServer, RequestStateSecurity, Resolve
    from mcp.types import ToolAnnotations
    from pydantic import BaseModel

    class Answer(BaseModel):
        colour: str

    def ask() -> Elicit[Answer]:
        return Elicit("Which colour?", Answer)

    security = {security}
    mcp = MCPServer("asking", request_state_security=security)

    @mcp.tool(annotations=ToolAnnotations(read_only_hint=True))
    def paint(colour: Annotated[ElicitationResult[Answer], Resolve(ask)]) -> str:
        return colour.action

    mcp.run()
"""


@pytest.mark.parametrize("calls", [[("paint", {})], []])
def test_a_key_of_states_that_dies_with_its_process_is_found(tmp_path, calls):
    (found,) = check(tmp_path, ASKING.format(security="None"), calls=calls)
    assert found.kind == "request_state" and "Invalid or expired requestState" in found.what
    assert "RequestStateSecurity(keys=" in found.help


def test_a_shared_key_of_states_survives(tmp_path):
    shared = "RequestStateSecurity(keys=[os.environ['STATE_KEY']])"
    asking = ASKING.format(security=shared)
    assert check(tmp_path, asking, calls=[("paint", {})], env={"STATE_KEY": "k" * 32}) == []
    # It did ask, and did give a state: with another key for each process there is a finding.
    other = asking.replace("os.environ['STATE_KEY']", "os.environ['STATE_KEY'] + str(os.getpid())")
    assert [found.kind for found in check(tmp_path, other, calls=[("paint", {})], env={"STATE_KEY": "k" * 32})] == ["request_state"]


#: Its states can be read everywhere, but what they name is in memory.
FORGETFUL = """
    import uuid
    from mcp.server.mcpserver import Context, MCPServer, RequestStateSecurity
    from mcp.types import ElicitRequest, ElicitRequestFormParams, InputRequiredResult

    mcp = MCPServer("forgetful", request_state_security=RequestStateSecurity(keys=["k" * 32]))
    open_ones = set()
    form = ElicitRequestFormParams(message="Which?", requested_schema={"type": "object", "properties": {}})

    @mcp.tool()
    async def choose(context: Context) -> str | InputRequiredResult:
        if context.request_state in open_ones:
            return "chosen"
        open_ones.add(state := uuid.uuid4().hex)
        return InputRequiredResult(input_requests={"which": ElicitRequest(params=form)}, request_state=state)

    mcp.run()
"""


def test_a_state_that_only_names_what_is_in_memory_is_found(tmp_path):
    (found,) = check(tmp_path, FORGETFUL, calls=[("choose", {})])
    assert found.kind == "request_state" and found.what.endswith("a fresh process asks again")
