"""What the tests have in common."""

import os
import sys
from pathlib import Path

import pytest

MARK = "MCP_TWIN_TEST"

#: A server of the standard library alone, which starts in an instant. `VERSION` is what tests edit.
PLAIN = '''
import json, os, sys
VERSION = 1
for line in sys.stdin:
    m = json.loads(line)
    if "id" not in m:
        continue
    method = m["method"]
    if method == "initialize":
        r = {"protocolVersion": m["params"]["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": {"name": "plain", "version": "1"}}
    elif method == "tools/list":
        r = {"tools": [{"name": "version", "inputSchema": {"type": "object"}}]}
    elif method == "tools/call":
        r = {"content": [{"type": "text", "text": str(VERSION)}]}
    elif method == "ping":
        r = {}
    else:
        print(json.dumps({"jsonrpc": "2.0", "id": m["id"], "error": {"code": -32601, "message": "no"}}), flush=True)
        continue
    print(json.dumps({"jsonrpc": "2.0", "id": m["id"], "result": r}), flush=True)
'''


@pytest.fixture
def place(tmp_path):
    """A folder with a server, and what is left of it in the process table."""
    return Place(tmp_path)


class Place:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.script = folder / "plain.py"
        self.script.write_text(PLAIN)
        self.command = [sys.executable, str(self.script)]
        self.more = {"cwd": folder, "home": folder / "home", "env": {MARK: str(folder)}}

    def save(self, version: int) -> None:
        new = self.folder / "new"
        new.write_text(PLAIN.replace("VERSION = 1", f"VERSION = {version}"))
        new.rename(self.script)

    def processes(self) -> list[int]:
        """Living processes with this place's mark, this one and zombies left out."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                marked = f"{MARK}={self.folder}".encode() in (entry / "environ").read_bytes().split(b"\0")
                if marked and ") Z " not in (entry / "stat").read_text():
                    found.append(int(entry.name))
            except OSError:
                continue
        return found
