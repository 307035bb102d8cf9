"""The server under test: run `pytest`, or `pytest --mcp-twin-swap-every 2`."""

import sys
from pathlib import Path

from mcp_twin.testing import check_swappable

SERVER = Path(__file__).parents[1] / "notes.py"


def test_notes_outlive_new_code(twin, tmp_path):
    server = twin(SERVER, env={"NOTES_FILE": str(tmp_path / "notes.json")})
    with server.client() as c:
        assert c.call_tool("add", text="milk") == 1
        server.edit('"; ".join', '" and ".join')
        server.swap()
        assert c.call_tool("add", text="bread") == 2
        assert c.call_tool("all") == "milk and bread"


def test_it_can_be_swapped(tmp_path):
    env = {"NOTES_FILE": str(tmp_path / "notes.json")}
    found = check_swappable([sys.executable, str(SERVER)], calls=[("add", {"text": "x"})], env=env)
    assert found == []
