"""Swap the code of an MCP server behind a client that stays connected, from Python.

A *front* lives in this process; behind it the server runs as *twins*. ``reload`` starts a fresh twin and verifies it, ``swap``
makes it serve: no request is lost and none is run twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._native import assign_ports, hash_code, version

if TYPE_CHECKING:
    from ._asgi import asgi
    from .aio import AsyncTwin
    from .client import transport
    from .errors import (
        NotFoundError,
        RollbackError,
        StartError,
        StoppedError,
        SwapError,
        TwinError,
        TwinTimeoutError,
        UnreachableError,
        UsageError,
    )
    from .machine import Fleet, detect_servers
    from .results import DetectedServer, Event, HistoryLine, Outcome, Status, TwinView
    from .spec import ServerSpec
    from .twin import Twin

__version__ = version()

__all__ = [
    "AsyncTwin",
    "DetectedServer",
    "Event",
    "Fleet",
    "HistoryLine",
    "NotFoundError",
    "Outcome",
    "RollbackError",
    "ServerSpec",
    "StartError",
    "Status",
    "StoppedError",
    "SwapError",
    "Twin",
    "TwinError",
    "TwinTimeoutError",
    "TwinView",
    "UnreachableError",
    "UsageError",
    "asgi",
    "assign_ports",
    "detect_servers",
    "hash_code",
    "transport",
]

# Loaded when they are first used: who only wants a port does not wait for asyncio and dataclasses.
_LAZY = {
    "_asgi": ["asgi"],
    "aio": ["AsyncTwin"],
    "client": ["transport"],
    "errors": [name for name in __all__ if name.endswith("Error")],
    "machine": ["Fleet", "detect_servers"],
    "results": ["DetectedServer", "Event", "HistoryLine", "Outcome", "Status", "TwinView"],
    "spec": ["ServerSpec"],
    "twin": ["Twin"],
}
_WHERE = {name: module for module, names in _LAZY.items() for name in names}


def __getattr__(name: str) -> object:
    module = _WHERE.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f".{module}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
