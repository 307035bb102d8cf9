"""A server that keeps notes in a file, so that they outlive a swap."""

import json
import os
from pathlib import Path

from mcp.server.mcpserver import MCPServer

FILE = Path(os.environ.get("NOTES_FILE", "notes.json"))
mcp = MCPServer("notes")


def read() -> list[str]:
    return json.loads(FILE.read_text()) if FILE.exists() else []


@mcp.tool()
def add(text: str) -> int:
    """Keeps a note; answers how many there are."""
    notes = [*read(), text]
    FILE.write_text(json.dumps(notes))
    return len(notes)


@mcp.tool()
def all() -> str:
    """All notes."""
    return "; ".join(read())


if __name__ == "__main__":
    mcp.run()
