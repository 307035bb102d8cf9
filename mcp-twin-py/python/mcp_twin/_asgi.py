"""`asgi`: twins of an ASGI application, for authors of servers over HTTP."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, overload

from . import _serve
from ._front import Held
from .errors import UsageError
from .twin import Twin

_Kind = TypeVar("_Kind", bound=Held)


@overload
def asgi(app: str | Callable[..., Any], *, kind: type[_Kind], **more: Any) -> _Kind: ...


@overload
def asgi(app: str | Callable[..., Any], **more: Any) -> Twin: ...


def asgi(app: str | Callable[..., Any], *, kind: type[Any] = Twin, **more: Any) -> Any:
    """A `Twin` (or ``kind=AsyncTwin``) of an ASGI application, each twin a process of its own on loopback, served by `uvicorn`.

    ``app`` is ``"package.module:name"`` of the application or of a function without arguments that makes it, or such an
    object itself, from which that text is derived: a fresh process imports it. ``more`` are the fields of `ServerSpec`; modules
    are found in ``cwd``, else where this process finds them. Their folder counts as the server's code, a package's folder alone.
    """
    if _serve.importing is not None:
        raise UsageError(
            f"`{_serve.importing}` calls `mcp_twin.asgi` while it is imported to be served: that would never end",
            "twin::usage",
            'put the call under `if __name__ == "__main__":`',
        )
    folder = Path(os.path.abspath(more.get("cwd") or os.curdir))
    path = [str(folder), *(os.path.abspath(entry) for entry in sys.path)]
    if isinstance(app, str):
        text = app
    else:
        # This function's caller: it may have imported what it hands on.
        text = _text(app, sys._getframe(1).f_globals.get("__name__", ""))
        main = getattr(sys.modules["__main__"], "__file__", None)
        path += [os.path.dirname(os.path.abspath(main))] if main else []
    module, colon, name = text.partition(":")
    if not colon or not all(part.isidentifier() for part in [*module.split("."), *name.split(".")]):
        raise UsageError(f"`{text}` does not name an application", "twin::usage", 'say "package.module:name"')
    code = _serve.code(module, path)
    if code is None:
        raise UsageError(
            f"there is no module `{module}` in {folder} or on this Python's path",
            "twin::usage",
            "say `cwd=` if it lies in another folder",
        )
    return kind(
        [sys.executable, "-m", "mcp_twin._serve", text, "--port", "{port}"],
        **{
            "name": module.lower()[:40],
            **more,
            "cwd": folder,
            "env": {**more.get("env", {}), _serve.PATH: os.pathsep.join(path)},
            "watch_files": [*more.get("watch_files", ()), _watched(code)],
        },
    )


def _watched(code: Path) -> str:
    """What counts as the code: a package's folder; that of a module too, for those beside it, unless it holds everything."""
    if code.is_dir():
        return str(code)
    folder = code.parent
    everything = folder.name in ("site-packages", "dist-packages") or Path(os.path.expanduser("~")).is_relative_to(folder)
    return str(code if everything else folder)


def _text(app: Callable[..., Any], caller: str) -> str:
    """The ``module:name`` by which another process gets this very object."""
    owner = getattr(app, "__self__", None)
    if owner is not None and not isinstance(owner, type):
        return f"{_text(owner, caller)}.{getattr(app, '__name__', '')}"
    name, module = getattr(app, "__qualname__", None), getattr(app, "__module__", None)
    if isinstance(name, str) and isinstance(module, str) and module in sys.modules:
        if "<" in name:
            raise UsageError(
                f"`{name}` of {module} is made within a function, so no other process can import it",
                "twin::usage",
                'define it at the top of a module, or say "package.module:name"',
            )
        if _reached(module, name) is app:
            return f"{_importable(module)}:{name}"
    found = [
        f"{_importable(where)}:{name}"
        for where, holder in list(sys.modules.items())
        for name, value in list(getattr(holder, "__dict__", {}).items())
        if value is app and name != "_"
    ]
    # The caller's own name for it counts only if no other module has one.
    mine = f"{_importable(caller)}:" if caller else "\0"
    found = [text for text in found if not text.startswith(mine)] or found
    if len(found) != 1:
        held = f"several modules hold it: {', '.join(found)}" if found else "no module holds it by a name"
        raise UsageError(
            f"it is not clear how another process imports this {type(app).__name__}: {held}",
            "twin::usage",
            'say "package.module:name"',
        )
    return found[0]


def _reached(module: str, name: str) -> object:
    value: object = sys.modules[module]
    for part in name.split("."):
        value = getattr(value, part, None)
    return value


def _importable(module: str) -> str:
    """The name by which another process imports a module of this one."""
    if module != "__main__":
        return module
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return str(spec.name)
    file = getattr(main, "__file__", None)
    if file is None:
        raise UsageError(
            "it is defined in no file, so no other process can import it",
            "twin::usage",
            'put it into a module, and say "module:name"',
        )
    return Path(file).stem
