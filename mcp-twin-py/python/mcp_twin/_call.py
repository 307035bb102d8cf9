"""How Python waits for what goes on in Rust: in a thread, in asyncio, in trio.

Rust calls a function once when it is done, on a thread of its own. Who waits does it on a primitive of Python's, so that
other threads run meanwhile, and Ctrl-C and cancellation come through at once.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from queue import SimpleQueue
from collections.abc import Callable
from typing import Any

from . import _native
from .errors import TwinTimeoutError, error_of_json

Done = Callable[[Any, Any], object]
Begin = Callable[[Done], None]

#: On Windows a lock cannot be interrupted: it is waited for in short turns.
_TURN = 0.05 if sys.platform == "win32" else 3600.0


#: How long the end of the program waits for what was begun and given up, such as a question to another front.
_PATIENCE = 1.0


class _Open:
    """Something that was begun, and of which Rust is still to say how it ended."""

    __slots__ = ("_done",)

    def __init__(self, done: Done) -> None:
        self._done = done

    def __call__(self, value: Any, trouble: Any) -> None:
        try:
            self._done(value, trouble)
        finally:
            _OPEN.discard(self)
            if _ENDING is not None:
                _ENDING.put(None)


_OPEN: set[_Open] = set()
#: Told by all that ends, once the program ends.
_ENDING: SimpleQueue[Any] | None = None
#: Whether Rust has a thread that calls into Python.
_USED = False


def begin(start: Begin, done: Done) -> None:
    """Begins something; what is refused at once is refused as what is refused later."""
    global _USED
    _USED = True
    one = _Open(done)
    _OPEN.add(one)
    try:
        start(one)
    except RuntimeError as error:
        _OPEN.discard(one)
        raise error_of_json(str(error)) from None
    except BaseException:
        _OPEN.discard(one)
        raise


@atexit.register
def _let_go() -> None:
    """Waits until no thread of Rust's is within Python: Python cuts such a thread off at its end, and that aborts the process."""
    from queue import Empty
    from time import monotonic

    global _ENDING
    if not _USED:
        return
    _ENDING, until = SimpleQueue(), monotonic() + _PATIENCE
    try:
        while _OPEN:
            _ENDING.get(timeout=max(0.0, until - monotonic()))
    except Empty:
        pass
    # Whoever said so may still be on its way out. All are called on one thread, one after the other; the last one is no code of
    # Python's, within which that thread could be stopped.
    last: SimpleQueue[Any] = SimpleQueue()
    put: Any = last.put
    _native.logs(os.devnull, 0, put)
    try:
        last.get(timeout=_PATIENCE)
    except Empty:
        pass


def _forked() -> None:
    global _USED
    _OPEN.clear()
    _USED = False


if hasattr(os, "register_at_fork"):
    # What the parent waits for is never told to the child.
    os.register_at_fork(after_in_child=_forked)


def answer(value: Any, trouble: str | None) -> Any:
    """The value, or the error."""
    if trouble is not None:
        raise error_of_json(trouble)
    return value


def blocking(start: Begin, timeout: float | None = None) -> Any:
    """Does it, and waits in this thread."""
    from time import monotonic

    lock = threading.Lock()
    lock.acquire()
    said: list[Any] = []

    def done(value: Any, trouble: str | None) -> None:
        said.extend((value, trouble))
        lock.release()

    begin(start, done)
    until = None if timeout is None else monotonic() + timeout
    while True:
        left = _TURN if until is None else min(_TURN, max(0.0, until - monotonic()))
        if lock.acquire(timeout=left):
            return answer(*said)
        if until is not None and monotonic() >= until:
            raise _too_long(timeout)


async def awaiting(start: Begin, timeout: float | None = None) -> Any:
    """Does it, and waits in the event loop that runs: asyncio, or trio."""
    import asyncio

    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return await _in_trio(start, timeout)
    arrived: asyncio.Future[tuple[Any, Any]] = loop.create_future()

    def tell(said: tuple[Any, Any]) -> None:
        if not arrived.done():
            arrived.set_result(said)

    def done(value: Any, trouble: str | None) -> None:
        try:
            loop.call_soon_threadsafe(tell, (value, trouble))
        except RuntimeError:
            # The loop is over: nobody waits.
            pass

    begin(start, done)
    try:
        # `wait_for` makes a task of it, which costs more than the wait.
        said = await (arrived if timeout is None else asyncio.wait_for(arrived, timeout))
    except asyncio.TimeoutError:
        raise _too_long(timeout) from None
    return answer(*said)


async def _in_trio(start: Begin, timeout: float | None) -> Any:
    import trio

    token = trio.lowlevel.current_trio_token()
    arrived = trio.Event()
    said: list[Any] = []

    def done(value: Any, trouble: str | None) -> None:
        said.extend((value, trouble))
        try:
            token.run_sync_soon(arrived.set)
        except trio.RunFinishedError:
            pass

    begin(start, done)
    with trio.move_on_after(float("inf") if timeout is None else timeout):
        await arrived.wait()
    if not arrived.is_set():
        raise _too_long(timeout)
    return answer(*said)


def _too_long(timeout: float | None) -> TwinTimeoutError:
    return TwinTimeoutError(
        f"it was not done within {timeout} s", "twin::timeout", "it goes on; wait longer, or look at `status()`"
    )
