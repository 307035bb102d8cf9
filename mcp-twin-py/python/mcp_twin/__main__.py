"""``python -m mcp_twin``: the ``mcp-twin`` command that came with this package."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig


def command() -> str | None:
    """The path of the command: beside this Python, else on the PATH."""
    name = "mcp-twin.exe" if os.name == "nt" else "mcp-twin"
    beside = os.path.join(sysconfig.get_path("scripts"), name)
    return beside if os.path.isfile(beside) else shutil.which("mcp-twin")


def main() -> int:
    """Becomes the command; where the system cannot do that, runs it."""
    path = command()
    if path is None:
        print("mcp-twin: the command is not installed; `pip install mcp-twin` brings it", file=sys.stderr)
        return 127
    words = [path, *sys.argv[1:]]
    if os.name != "nt":
        os.execv(path, words)
    return subprocess.call(words)


if __name__ == "__main__":
    sys.exit(main())
