"""What a front in this process is asked, for the blocking and the asynchronous class alike."""

from __future__ import annotations

import atexit
import json
import logging
import os
import threading
import weakref
from pathlib import Path
from typing import Any

from . import _native
from ._call import Begin
from .errors import StoppedError, UsageError
from .results import Event
from .spec import Command, ServerSpec

_LOG = logging.getLogger("mcp_twin")
# Who configures no logging hears nothing.
_LOG.addHandler(logging.NullHandler())


class Held:
    """The front of one twin class, before and after it has begun."""

    #: Whether its one client is in this process, rather than at an address.
    client = False

    def __init__(self, command: Command, **more: Any) -> None:
        self.spec = ServerSpec.of(command, more)
        self._front: _native.Front | None = None
        #: Whose it is.
        self._process = 0

    @property
    def front(self) -> _native.Front:
        """What is asked."""
        if self._front is None:
            raise UsageError("it has not begun", "twin::usage", "call `start()`, or use it in a `with` statement")
        if self._process != os.getpid():
            raise UsageError("it belongs to the process that this one was forked from", "twin::usage", "`start()` it here")
        return self._front

    @property
    def id(self) -> str:
        """The front's id, as ``mcp-twin status`` shows it."""
        return self.front.id

    @property
    def server(self) -> str:
        """The server's name, as other commands know it."""
        return self.front.server

    @property
    def url(self) -> str:
        """Where clients reach it."""
        url = self.front.url
        if url is None:
            raise UsageError("this front has no address: its client is in this process", "twin::usage")
        return url

    @property
    def running(self) -> bool:
        """Whether it has begun and not ended."""
        return self._front is not None and self._process == os.getpid() and not self._front.closed

    def _begin(self) -> Begin:
        if self.running:
            raise UsageError("it runs already", "twin::usage", "`stop()` ends it; `reload()` takes new code")
        order = self.spec.order(self.client)
        return lambda done: _native.begin(order, done)

    def _begun(self, front: _native.Front) -> None:
        self._front, self._process = front, os.getpid()
        # Not the object itself: one that is forgotten ends its front.
        events, name = front.events(), front.server
        threading.Thread(target=_log, args=(events, name), name=f"mcp-twin-log-{name}", daemon=True).start()
        _LIVING.add(self)

    def _end(self) -> Begin | None:
        """What ends it, if there is something to end here."""
        return self._front.close if self._front is not None and self._process == os.getpid() else None

    def _ask(self, ask: object) -> Begin:
        front, text = self.front, json.dumps(ask)
        return lambda done: front.ask(text, done)

    def _history(self, log: str | None, last: int) -> Begin:
        if log is None:
            raise StoppedError("this front writes no files", "twin::stopped")
        # `logs/<server>` lies in the state directory, also where that is one of the front's own.
        home, server = Path(log).parents[1], self.server
        return lambda done: _native.history(server, last, home, done)

    @staticmethod
    def _logs(log: str | None, lines: int) -> Begin:
        if log is None:
            raise StoppedError("this front writes no files", "twin::stopped")
        folder = log
        return lambda done: _native.logs(folder, lines, done)

    def _repr_html_(self) -> str:
        from html import escape

        rows = [("command", " ".join(map(str, self.spec.command))), ("running", "yes" if self.running else "no")]
        if self._front is not None:
            rows += [("server", self._front.server), ("address", self._front.url or "in this process")]
        body = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows)
        return f"<table>{body}</table>"


#: Those that began. A front that is forgotten ends by itself.
_LIVING: weakref.WeakSet[Held] = weakref.WeakSet()
if hasattr(os, "register_at_fork"):
    # They are the parent's: its threads are not there in the child, which would wait for their end in vain.
    os.register_at_fork(after_in_child=_LIVING.clear)


@atexit.register
def _end_all() -> None:
    """Ends what the program left running, its temporary folders included: a front ends within 4 s, over HTTP within 15 s."""
    from ._call import blocking

    left = [held.front for held in list(_LIVING) if held.running]
    for front in left:
        front.end()
    for front in left:
        blocking(front.close, 16)


def _log(events: _native.Events, name: str) -> None:
    """Passes what a front says on to `logging`, until it has ended."""
    from ._call import blocking

    log = _LOG.getChild(name)
    while (text := blocking(events.next)) is not None:
        event = Event.read(text)
        if event.twin is not None:
            log.debug("%s: %s", event.twin, event.line)
        elif event.error is not None:
            log.warning("%s: %s", event.kind, event.error.message)
        elif event.line:
            log.info("%s", event.line)
