"""The pytest plugin: servers under test, whose code is swapped while a client stays connected."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .aio import AsyncTwin
    from .testing import ServerUnderTest

_MARK = "mcp_twin_state_may_be_lost"


@dataclass
class _Tally:
    """What the section of the report says."""

    swaps: int = 0
    calls: int = 0
    slowest: tuple[float, str] = (0.0, "")
    failed: list[str] = field(default_factory=list)


_TALLY = pytest.StashKey[_Tally]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("mcp-twin")
    group.addoption(
        "--mcp-twin-swap-every",
        type=int,
        metavar="N",
        default=0,
        help="swap to a fresh process before every Nth call of a tool: shows whether servers survive it",
    )
    group.addoption(
        "--mcp-twin-both-eras",
        action="store_true",
        help="run each test of a server twice: with the handshake of old, and in the era of 2026-07-28",
    )
    parser.addini("mcp_twin_command", "the server of the fixture `mcp_server`: a script, or a command line", default="")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_TALLY] = _Tally()
    config.addinivalue_line(
        "markers", f"{_MARK}: what this test's server holds in memory may be lost, so `--mcp-twin-swap-every` spares it"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "mcp_twin_era" in metafunc.fixturenames and metafunc.config.getoption("--mcp-twin-both-eras"):
        metafunc.parametrize("mcp_twin_era", ["legacy", "2026-07-28"], indirect=True)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    tally = config.stash[_TALLY]
    if not (tally.calls or tally.swaps or tally.failed):
        return
    terminalreporter.section("mcp-twin")
    slowest = f", the slowest {tally.slowest[0] * 1000:.0f} ms ({tally.slowest[1]})" if tally.calls else ""
    terminalreporter.line(f"{tally.calls} calls{slowest}; {tally.swaps} swaps")
    for text in tally.failed:
        terminalreporter.line(text)


@pytest.fixture
def mcp_twin_era(request: pytest.FixtureRequest) -> str:
    """How clients open: the `mode` of the SDK's client."""
    return str(getattr(request, "param", "auto"))


@pytest.fixture
def twin(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, mcp_twin_era: str
) -> Iterator[Callable[..., ServerUnderTest]]:
    """`twin("server.py")` starts a server on a copy of its source; it ends with the test."""
    from .errors import TwinError
    from .testing import ServerUnderTest, copied
    from .twin import Twin

    every = 0 if request.node.get_closest_marker(_MARK) else int(request.config.getoption("--mcp-twin-swap-every"))
    tally = request.config.stash[_TALLY]
    started: list[Twin] = []

    def start(command: str | Path | Sequence[str], **more: Any) -> ServerUnderTest:
        words, script = copied(command, request.path.parent, tmp_path_factory.mktemp("twin") / "source")
        cwd = script.parent if script else request.path.parent
        one = _Counted(words, tally, request.node.nodeid, **{"private": True, "cwd": cwd, **more})
        started.append(one)
        one.start()

        @contextmanager
        def around() -> Iterator[None]:
            tally.calls += 1
            if every and tally.calls % every == 0:
                one.reload()
                one.swap()
            start = perf_counter()
            yield
            tally.slowest = max(tally.slowest, (perf_counter() - start, request.node.nodeid))

        return ServerUnderTest(one, script, mcp_twin_era, around)

    class _Counted(Twin):
        def __init__(self, command: list[str], tally: _Tally, test: str, **more: Any) -> None:
            super().__init__(command, **more)
            self._tally, self._test = tally, test

        def start(self, timeout: float | None = None) -> Any:
            return self._noted(lambda: super(_Counted, self).start(timeout))

        def reload(self, timeout: float | None = None) -> Any:
            return self._noted(lambda: super(_Counted, self).reload(timeout))

        def swap(self, *, force: bool = False, timeout: float | None = None) -> Any:
            outcome = self._noted(lambda: super(_Counted, self).swap(force=force, timeout=timeout))
            self._tally.swaps += outcome.kind == "swapped"
            return outcome

        def _noted(self, work: Callable[[], Any]) -> Any:
            try:
                return work()
            except TwinError as error:
                self._tally.failed.append(f"{self._test}: {error}")
                raise

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def async_twin(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., AsyncTwin]]:
    """`async with async_twin("server.py") as t`: an `AsyncTwin` on a copy of its source."""
    from .aio import AsyncTwin
    from .testing import copied

    made: list[AsyncTwin] = []

    def make(command: str | Path | Sequence[str], **more: Any) -> AsyncTwin:
        words, script = copied(command, request.path.parent, tmp_path_factory.mktemp("twin") / "source")
        cwd = script.parent if script else request.path.parent
        made.append(AsyncTwin(words, **{"private": True, "cwd": cwd, **more}))
        return made[-1]

    yield make
    from ._call import blocking

    for one in made:
        if one.running:
            blocking(one.front.close)


@pytest.fixture
def mcp_server(request: pytest.FixtureRequest, twin: Callable[..., ServerUnderTest]) -> ServerUnderTest:
    """The server of the setting `mcp_twin_command`, started."""
    line = str(request.config.getini("mcp_twin_command"))
    if not line:
        raise pytest.UsageError("set mcp_twin_command to the server's script or command line, in the settings of pytest")
    words = shlex.split(line)
    return twin(words[0] if len(words) == 1 else words)
