"""What comes back: plain, frozen, typed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import TwinError, error_of


@dataclass(frozen=True)
class TwinView:
    """A twin: its place, the generation of its code, its process."""

    slot: str
    generation: int
    hash: str | None
    pid: int | None
    port: int | None

    @staticmethod
    def read(fields: Mapping[str, Any]) -> TwinView:
        source = fields["source"]
        return TwinView(fields["slot"], source["generation"], source.get("hash"), fields.get("pid"), fields.get("port"))


def _twin(fields: Mapping[str, Any] | None) -> TwinView | None:
    return None if fields is None else TwinView.read(fields)


@dataclass(frozen=True)
class Outcome:
    """How an operation ended that worked.

    ``kind`` is ``started``, ``verified``, ``swapped``, ``nothing_newer``, ``rolled_back``, ``stopped`` or ``superseded``.
    """

    kind: str
    active: TwinView | None = None
    #: Who served before, or was left.
    previous: TwinView | None = None
    standby: TwinView | None = None
    #: What differs in the lists, in words.
    changes: str = ""
    #: What of it breaks clients.
    breaking: tuple[str, ...] = ()

    @staticmethod
    def read(text: str) -> Outcome:
        fields = json.loads(text)
        diff = fields.get("diff") or (fields.get("report") or {}).get("diff") or {}
        return Outcome(
            fields["outcome"],
            _twin(fields.get("active")),
            _twin(fields.get("previous") or fields.get("left")),
            _twin(fields.get("standby")),
            fields.get("changes", ""),
            tuple(diff.get("breaking", ())),
        )


@dataclass(frozen=True)
class Status:
    """A front, as ``mcp-twin status`` shows it. What has no name here is in ``raw``."""

    front: str
    server: str
    state: str
    active: TwinView | None
    standby: TwinView | None
    previous: TwinView | None
    baking: bool
    swaps: int
    in_flight: int
    url: str | None
    pid: int
    command: tuple[str, ...]
    log: str | None
    warnings: tuple[str, ...]
    stderr_tail: str
    #: Why the newest code does not serve, or nothing does.
    degraded: TwinError | None
    raw: Mapping[str, Any] = field(repr=False, compare=False)

    @staticmethod
    def read(text: str) -> Status:
        raw = json.loads(text)
        swap = raw["swap"]
        standby, degraded = swap.get("standby"), swap.get("degraded")
        return Status(
            raw["front"],
            raw["server"],
            swap["state"],
            _twin(swap.get("active")),
            _twin(standby[0] if standby else None),
            _twin(swap.get("prev")),
            swap["baking"],
            swap["swaps"],
            raw.get("in_flight", 0),
            raw.get("url"),
            raw["pid"],
            tuple(raw["command"]),
            raw.get("log"),
            tuple(raw.get("warnings", ())),
            raw.get("stderr_tail", ""),
            error_of(degraded) if degraded else None,
            raw,
        )


@dataclass(frozen=True)
class HistoryLine:
    """One thing that happened to a server."""

    time: str
    front: str
    what: str
    generation: int
    outcome: str
    raw: Mapping[str, Any] = field(repr=False, compare=False)

    @staticmethod
    def read_all(text: str) -> list[HistoryLine]:
        def line(raw: Mapping[str, Any]) -> HistoryLine:
            entry = raw["entry"]
            return HistoryLine(
                raw["time"], raw["front"], entry["what"], entry["generation"], entry["outcome"]["outcome"], raw
            )

        return [line(raw) for raw in json.loads(text)]


@dataclass(frozen=True)
class Event:
    """Something that happened to a front.

    ``kind`` is ``started``, ``swapped``, ``waiting``, ``failed``, ``rolled_back``, ``crashed``, ``down``, ``log`` or
    ``missed`` (so many were read too late).
    """

    kind: str
    generation: int | None = None
    previous: int | None = None
    changes: str = ""
    breaking: tuple[str, ...] = ()
    error: TwinError | None = None
    line: str = ""
    #: Whose line it is; nothing: the front's own.
    twin: str | None = None
    count: int = 0

    @staticmethod
    def read(text: str) -> Event:
        fields = json.loads(text)
        error = fields.get("error")
        return Event(
            fields["type"],
            fields.get("generation"),
            fields.get("previous"),
            fields.get("changes", ""),
            tuple(fields.get("breaking", ())),
            error_of(error) if error else None,
            fields.get("line", ""),
            fields.get("twin"),
            fields.get("count", 0),
        )


@dataclass(frozen=True)
class DetectedServer:
    """A server that a client of this machine starts by a command."""

    name: str
    command: str
    args: tuple[str, ...]
    script_path: str | None
    cwd: str | None
    env_names: tuple[str, ...]
    client: str
    file: str
    #: Whether it goes through mcp-twin already.
    twinned: bool
