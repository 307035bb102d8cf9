"""`Twin`: a server whose code is swapped, for programs that wait."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Any

from ._call import blocking
from ._front import Held
from .results import Event, HistoryLine, Outcome, Status
from .spec import Command


class Twin(Held):
    """A front of this process at an address, and the twins of one server behind it.

    In a ``with`` statement it starts, and stops at the end. Every method that waits takes ``timeout`` in seconds, lets other
    threads run, and is interrupted by Ctrl-C at once.
    """

    def __init__(self, command: Command, **more: Any) -> None:
        """``more`` are the fields of `ServerSpec`."""
        super().__init__(command, **more)

    def start(self, timeout: float | None = None) -> Outcome:
        """Starts the front and its server; returns once it serves."""
        self._begun(blocking(self._begin(), timeout))
        try:
            return Outcome.read(blocking(self.front.first, timeout))
        except BaseException:
            # Also Ctrl-C: whoever did not get it could not stop it.
            self.front.end()
            raise

    def reload(self, timeout: float | None = None) -> Outcome:
        """Starts a fresh twin and verifies it, beside the one that serves."""
        return Outcome.read(blocking(self._ask("reload"), timeout))

    def swap(self, *, force: bool = False, timeout: float | None = None) -> Outcome:
        """Makes the newest code serve; reloads first if nothing verified waits."""
        return Outcome.read(blocking(self._ask({"swap": {"force": force}}), timeout))

    def rollback(self, to: int | None = None, timeout: float | None = None) -> Outcome:
        """Goes back to the generation before, or to this one."""
        return Outcome.read(blocking(self._ask({"rollback": {"to": to}}), timeout))

    def status(self, timeout: float | None = None) -> Status:
        """Everything about it."""
        return Status.read(blocking(self._ask("status"), timeout))

    def history(self, last: int = 20) -> list[HistoryLine]:
        """What happened to the server, the oldest first."""
        return HistoryLine.read_all(blocking(self._history(self.status().log, last)))

    def logs(self, lines: int = 100) -> list[str]:
        """The last lines of its log and of its twins' stderr."""
        return list(blocking(self._logs(self.status().log, lines)))

    def events(self) -> Iterator[Event]:
        """What happens from now on, until it has ended."""
        events = self.front.events()

        def each() -> Iterator[Event]:
            while (text := blocking(events.next)) is not None:
                yield Event.read(text)

        return each()

    def stop(self, timeout: float | None = None) -> None:
        """Ends it with all of its twins; returns when they are gone. Can be called again."""
        if (end := self._end()) is not None:
            blocking(end, timeout)

    def __enter__(self) -> Twin:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
