"""What can go wrong. Every error has a stable ``code``, and where there is something to do, ``help``."""

from __future__ import annotations

import json
from typing import Any


class TwinError(Exception):
    """Something did not work: what, what to do, and what the server itself said."""

    def __init__(self, message: str, code: str = "twin::host", help: str | None = None, stderr_tail: str = "") -> None:
        super().__init__(message)
        self.message = message
        #: Stays the same over releases, such as ``twin::spawn::exited_early``.
        self.code = code
        #: What to do next, where there is something to do.
        self.help = help
        #: The last that the server wrote to its stderr.
        self.stderr_tail = stderr_tail

    def __str__(self) -> str:
        parts = [f"{self.message} [{self.code}]"]
        if self.help:
            parts.append(f"help: {self.help}")
        if self.stderr_tail.strip():
            parts.append("the server's stderr:\n" + self.stderr_tail.rstrip())
        return "\n".join(parts)

    # Exceptions travel between processes, as under pytest-xdist.
    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.message, self.code, self.help, self.stderr_tail)


class UsageError(TwinError, ValueError):
    """Something was said that cannot be."""


class StartError(TwinError):
    """A server, or its newest code, does not start or is not a usable server."""


class SwapError(TwinError):
    """A swap did not come about, or was taken back by itself."""


class RollbackError(TwinError):
    """There is nothing to go back to."""


class StoppedError(TwinError):
    """The front or its server has ended."""


class NotFoundError(TwinError, LookupError):
    """No server of this name runs, or is configured."""


class UnreachableError(TwinError):
    """A front of the machine does not answer."""


class TwinTimeoutError(TwinError, TimeoutError):
    """It took longer than the caller wanted to wait; what was begun goes on."""


_KINDS: list[tuple[str, type[TwinError]]] = [
    ("twin::usage", UsageError),
    ("twin::server::", NotFoundError),
    ("twin::ask::", UnreachableError),
    ("twin::stopped", StoppedError),
    ("twin::rollback::", RollbackError),
    ("twin::swap::", SwapError),
    ("twin::bake::", SwapError),
    ("twin::spawn::", StartError),
    ("twin::probe::", StartError),
    ("twin::build::", StartError),
    ("twin::crashed", StartError),
    ("twin::down", StartError),
]


def error_of(fields: dict[str, Any]) -> TwinError:
    """The error that these fields of a fault describe."""
    code = str(fields["code"])
    kind = next((kind for prefix, kind in _KINDS if code.startswith(prefix)), TwinError)
    return kind(str(fields["message"]), code, fields.get("help"), fields.get("stderr_tail") or "")


def error_of_json(text: str) -> TwinError:
    """The error that this JSON describes."""
    return error_of(json.loads(text))
