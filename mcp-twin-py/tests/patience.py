"""How tests wait: for what must come about, and no longer than this."""

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

PATIENCE = 30


def until(holds: Callable[[], bool]) -> None:
    """Waits until it holds."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)


def heard(events: Iterable[Any], *kinds: str) -> Any:
    """The first event of one of these kinds."""
    found: list[Any] = []

    def listen() -> None:
        found.extend(next(([event] for event in events if event.kind in kinds), []))

    # A thread that nobody waits for: it ends with the front at the latest.
    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert found, f"there was no event of {kinds}"
    return found[0]
