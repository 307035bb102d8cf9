"""``python -m mcp_twin._serve module:name --port N``: serves an ASGI application on loopback. What `mcp_twin.asgi` starts.

It needs `uvicorn`; nothing else of this package does.
"""

from __future__ import annotations

import inspect
import os
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    PathFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from importlib.util import find_spec
from pathlib import Path
from typing import Any

#: The variable that has the `sys.path` of who started it. Not PYTHONPATH, which every Python below would read too.
PATH = "MCP_TWIN_SYS_PATH"
#: What is imported right now, in a process that serves it.
importing: str | None = None


class NotServed(Exception):
    """What was named cannot be served."""


def code(module: str, path: Sequence[str]) -> Path | None:
    """The file of a module's top-level name, or the folder where that is a package. Nothing is imported."""
    top = module.partition(".")[0]
    try:
        # As a fresh process finds it; the second is for those with a finder of their own, such as editable installs.
        spec = PathFinder.find_spec(top, list(path)) or find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    folders = list(spec.submodule_search_locations or ())
    if folders:
        return Path(folders[0])
    return Path(spec.origin) if spec.has_location and spec.origin else None


class _Fresh(SourceFileLoader):
    """Reads the source itself. What was cached of it is told by whole seconds and by the size: too little for a save a moment ago."""

    def path_stats(self, path: Any) -> Any:
        raise OSError(f"nothing cached of {os.fsdecode(path)} is used")


def _fresh_below(folder: Path) -> None:
    """Modules in this folder and below are read anew, whatever is in a `__pycache__`."""
    loaders: list[tuple[Any, list[str]]] = [
        (ExtensionFileLoader, EXTENSION_SUFFIXES),
        (_Fresh, SOURCE_SUFFIXES),
        (SourcelessFileLoader, BYTECODE_SUFFIXES),
    ]

    def finder(entry: str) -> FileFinder:
        place = Path(entry or os.getcwd()).resolve()
        installed = {"site-packages", "dist-packages"}.intersection(place.parts[len(folder.parts) :])
        if not place.is_relative_to(folder) or installed or not place.is_dir():
            raise ImportError("another finder's")
        return FileFinder(entry or os.getcwd(), *loaders)

    sys.path_hooks.insert(0, finder)
    sys.path_importer_cache.clear()


def load(text: str) -> tuple[Any, bool]:
    """What ``module:name`` names, and whether it is a factory: something to be called without arguments."""
    global importing
    module, _, name = text.partition(":")
    found = code(module, sys.path)
    if found is not None and not {"site-packages", "dist-packages"}.intersection(found.parts):
        _fresh_below(found.resolve().parent)
    importing = module
    value: Any = import_module(module)
    importing = None
    for part in name.split("."):
        try:
            value = getattr(value, part)
        except AttributeError:
            raise NotServed(f"`{module}` has no `{name}`: name the application, or a function that makes it") from None
    if not callable(value):
        more = ""
        if callable(getattr(value, "streamable_http_app", None)):
            more = f": `{text}.streamable_http_app` names the one that it makes"
        raise NotServed(f"`{text}` is a {type(value).__name__}, and no ASGI application{more}")
    try:
        inspect.signature(value).bind()
    except (TypeError, ValueError):
        return value, False
    if inspect.iscoroutinefunction(value):
        raise NotServed(f"`{text}` is a coroutine function: a factory is an ordinary one, and returns the application")
    return value, True


def main() -> int:
    """Serves until it is ended."""
    parser = ArgumentParser(prog="python -m mcp_twin._serve")
    parser.add_argument("app", help="module:name of an ASGI application, or of a function that makes one")
    parser.add_argument("--port", type=int, required=True)
    asked = parser.parse_args()
    path = os.environ.pop(PATH, None)
    if path is not None:
        sys.path[:] = path.split(os.pathsep)
    try:
        import uvicorn
    except ModuleNotFoundError as error:
        if error.name != "uvicorn":
            raise
        return _refused(f"`mcp_twin.asgi` serves by uvicorn, which {sys.executable} does not have: `pip install uvicorn`")
    try:
        app, factory = load(asked.app)
    except NotServed as error:
        return _refused(str(error))
    uvicorn.run(
        app,
        factory=factory,
        host="127.0.0.1",
        port=asked.port,
        log_level="warning",
        # A stream that nobody ends must not keep it: what is owed was brought before it is told to end.
        timeout_graceful_shutdown=1,
    )
    return 0


def _refused(why: str) -> int:
    print(f"mcp_twin: {why}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    # As the module that others import: `importing` is looked at there.
    from mcp_twin import _serve

    sys.exit(_serve.main())
