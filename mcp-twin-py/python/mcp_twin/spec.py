"""What a server is: its command, and how it is to be run."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Union

from . import _native
from ._call import blocking
from .errors import UsageError

Path = Union[str, "os.PathLike[str]"]
Option = Union[str, int, float, bool, Sequence[str]]
Command = Union["ServerSpec", Sequence[str]]


@dataclass(frozen=True)
class ServerSpec:
    """A server that can be started.

    ``options`` are those of ``mcp-twin run``, by their keys: ``{"bake": "2s", "promote": "manual"}``; numbers of a time are
    seconds.
    """

    command: Sequence[str]
    name: str | None = None
    cwd: Path | None = None
    #: Variables beside those of this process.
    env: Mapping[str, str] = field(default_factory=dict)
    #: How the server is spoken to: over HTTP where its command has ``{port}`` in it, if nothing is said.
    transport: Literal["stdio", "http"] | None = None
    #: Whether a save is followed by itself.
    watch: bool = False
    #: Files and patterns that count as the server's code, beside what its command shows.
    watch_files: Sequence[str] = ()
    ignore: Sequence[str] = ()
    options: Mapping[str, Option] = field(default_factory=dict)
    #: The state directory, in place of ``MCP_TWIN_HOME``.
    home: Path | None = None
    #: A state directory of its own, gone with the front: ``mcp-twin status`` does not show it.
    private: bool = False
    #: Of the front's address.
    path: str = "/mcp"
    port: int | None = None

    @staticmethod
    def of(command: Command, more: Mapping[str, Any]) -> ServerSpec:
        """The spec of a command, or one with these changes."""
        try:
            if isinstance(command, ServerSpec):
                return replace(command, **more)
            if isinstance(command, (str, bytes)):
                raise UsageError(
                    "the command is one text", "twin::usage", 'give its words: ["python", "server.py"]'
                )
            return ServerSpec(list(command), **more)
        except TypeError as error:
            raise UsageError(str(error).replace("ServerSpec.__init__() ", ""), "twin::usage") from None

    @staticmethod
    def configured(name: str, project: Path | None = None) -> ServerSpec:
        """The server that a client of this machine starts under this name, seen from a project's folder (else from here)."""
        found = json.loads(blocking(lambda done: _native.starts(name, _text(project), done)))
        return ServerSpec(found["command"], name=name, cwd=found["cwd"], env=dict(found["env"]))

    def order(self, client: bool) -> str:
        """What Rust takes; ``client``: for a front whose one client is in this process."""
        words = [os.fspath(word) for word in self.command]
        over_http = self.transport == "http" or (
            self.transport is None and any("{port}" in word for word in (*words, *self.env.values()))
        )
        if client and over_http:
            raise UsageError(
                "a server over HTTP has an address, and no transport of its own",
                "twin::usage",
                "start it as a `Twin`, and connect to `twin.url`",
            )
        return json.dumps(
            {
                "kind": "client" if client else "http" if over_http else "stdio",
                "command": words,
                "name": self.name,
                "cwd": _text(self.cwd),
                "env": {name: str(value) for name, value in self.env.items()},
                "watch_files": self.watch,
                "watch": [os.fspath(file) for file in self.watch_files],
                "ignore": list(self.ignore),
                "options": {key: _option(value) for key, value in self.options.items()},
                "home": _text(self.home),
                "private": self.private,
                "path": self.path,
                "port": self.port,
            }
        )


def _text(path: Path | None) -> str | None:
    return None if path is None else os.fspath(path)


def _option(value: Option) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{round(value * 1000)}ms"
    return str(value) if isinstance(value, (str, int)) else ",".join(value)
