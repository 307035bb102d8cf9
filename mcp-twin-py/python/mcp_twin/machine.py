"""What else is on this machine: servers that clients start, and fronts that run."""

from __future__ import annotations

import json
import os
from typing import Any

from . import _native
from ._call import blocking
from .errors import NotFoundError
from .results import DetectedServer, HistoryLine, Outcome, Status
from .spec import Path


def detect_servers(project: Path | None = None) -> list[DetectedServer]:
    """The servers that clients start by a command, seen from a project's folder (else from here)."""
    found = json.loads(_native.detect_servers(project))
    return [DetectedServer(**{**one, "args": tuple(one["args"]), "env_names": tuple(one["env_names"])}) for one in found]


class Fleet:
    """Commands the fronts of this machine that other programs started, as the ``mcp-twin`` command does."""

    def __init__(self, home: Path | None = None, patience: float = 180.0) -> None:
        """``home`` is the state directory, in place of ``MCP_TWIN_HOME``; ``patience`` in seconds, for one command."""
        self._home = home
        self._patience = patience

    def servers(self) -> list[str]:
        """The names of the servers that run, each once."""
        return sorted({front["server"] for front in self._running(None)})

    def status(self, server: str | None = None) -> list[Status]:
        """All fronts, or those of one server."""
        return [Status.read(text) for text in self._each(server, "status")]

    def reload(self, server: str) -> list[Outcome]:
        """Every front of this server starts a fresh twin and verifies it."""
        return self._outcomes(server, "reload")

    def swap(self, server: str, *, force: bool = False) -> list[Outcome]:
        """Every front of this server takes the newest code."""
        return self._outcomes(server, {"swap": {"force": force}})

    def rollback(self, server: str, to: int | None = None) -> list[Outcome]:
        """Every front of this server goes back."""
        return self._outcomes(server, {"rollback": {"to": to}})

    def stop(self, server: str) -> list[Outcome]:
        """Every front of this server ends its twins."""
        return self._outcomes(server, "stop")

    def history(self, server: str, last: int = 20) -> list[HistoryLine]:
        """What happened to the server, the oldest first."""
        return HistoryLine.read_all(blocking(lambda done: _native.history(server, last, self._home, done)))

    def _running(self, server: str | None) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(blocking(lambda done: _native.running(server, self._home, done)))
        return found

    def _outcomes(self, server: str, ask: object) -> list[Outcome]:
        return [Outcome.read(text) for text in self._each(server, ask)]

    def _each(self, server: str | None, ask: object) -> list[str]:
        fronts = [json.dumps(front) for front in self._running(server)]
        if server is not None and not fronts:
            where = os.fspath(self._home) if self._home is not None else "this machine"
            raise NotFoundError(
                f"no server `{server}` runs on {where}",
                "twin::server::not_running",
                "`Fleet().servers()` names those that do",
            )
        text = json.dumps(ask)

        def one(front: str) -> str:
            answer: str = blocking(lambda done: _native.ask_other(front, text, self._patience, done))
            return answer

        return [one(front) for front in fronts]
