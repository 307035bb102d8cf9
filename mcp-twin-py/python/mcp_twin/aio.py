"""`AsyncTwin`: a server whose code is swapped, for asyncio and trio."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any

from ._call import awaiting
from ._front import Held
from .results import Event, HistoryLine, Outcome, Status
from .spec import Command


class AsyncTwin(Held):
    """A front of this process at an address, and the twins of one server behind it.

    In an ``async with`` statement it starts, and stops at the end. A cancelled wait ends no operation: the front goes on.
    """

    def __init__(self, command: Command, **more: Any) -> None:
        """``more`` are the fields of `ServerSpec`."""
        super().__init__(command, **more)

    async def start(self, timeout: float | None = None) -> Outcome:
        """Starts the front and its server; returns once it serves."""
        self._begun(await awaiting(self._begin(), timeout))
        try:
            return Outcome.read(await awaiting(self.front.first, timeout))
        except BaseException:
            # Also when cancelled: whoever did not get it could not stop it.
            self.front.end()
            raise

    async def reload(self, timeout: float | None = None) -> Outcome:
        """Starts a fresh twin and verifies it, beside the one that serves."""
        return Outcome.read(await awaiting(self._ask("reload"), timeout))

    async def swap(self, *, force: bool = False, timeout: float | None = None) -> Outcome:
        """Makes the newest code serve; reloads first if nothing verified waits."""
        return Outcome.read(await awaiting(self._ask({"swap": {"force": force}}), timeout))

    async def rollback(self, to: int | None = None, timeout: float | None = None) -> Outcome:
        """Goes back to the generation before, or to this one."""
        return Outcome.read(await awaiting(self._ask({"rollback": {"to": to}}), timeout))

    async def status(self, timeout: float | None = None) -> Status:
        """Everything about it."""
        return Status.read(await awaiting(self._ask("status"), timeout))

    async def history(self, last: int = 20) -> list[HistoryLine]:
        """What happened to the server, the oldest first."""
        return HistoryLine.read_all(await awaiting(self._history((await self.status()).log, last)))

    async def logs(self, lines: int = 100) -> list[str]:
        """The last lines of its log and of its twins' stderr."""
        return list(await awaiting(self._logs((await self.status()).log, lines)))

    def events(self) -> AsyncIterator[Event]:
        """What happens from now on, until it has ended."""
        events = self.front.events()

        async def each() -> AsyncIterator[Event]:
            while (text := await awaiting(events.next)) is not None:
                yield Event.read(text)

        return each()

    async def stop(self, timeout: float | None = None) -> None:
        """Ends it with all of its twins; returns when they are gone. Can be called again."""
        if (end := self._end()) is not None:
            await awaiting(end, timeout)

    async def __aenter__(self) -> AsyncTwin:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
